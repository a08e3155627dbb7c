"""A simulated provider of its own for a test: fcgi-simulator behind an nginx, in a directory that
is removed at the end. UPLIFT_BUILD says where the program is, as build.py explains.

with Simulator() as provider:
    provider.url  # http://127.0.0.1:PORT/v1
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

from build import program
from process import accepts, wait_for

CONFIGURATION = """
%(user)s
daemon off; worker_processes 1; worker_rlimit_nofile 65536;
pid %(dir)s/nginx.pid; error_log %(dir)s/error.log warn;
events { worker_connections 32768; }
http {
    access_log off; client_max_body_size 64m;
    client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi; uwsgi_temp_path %(dir)s/uwsgi; scgi_temp_path %(dir)s/scgi;
    server {
        listen 127.0.0.1:%(port)d;
        location / {
            include /etc/nginx/fastcgi_params;
            fastcgi_param UPLIFT_SIM_RESET /reset;
            fastcgi_read_timeout 600s;
            fastcgi_pass unix:%(dir)s/simulator.sock;
        }
        location = /reset { internal; return 444; }
    }
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Simulator:
    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="simulator-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.url = "http://127.0.0.1:%d/v1" % self.port
        with open(self.dir + "/nginx.conf", "w") as f:
            user = "user root;" if os.geteuid() == 0 else ""
            f.write(CONFIGURATION % {"dir": self.dir, "port": self.port, "user": user})
        self.log = open(self.dir + "/simulator.log", "wb")
        self.start()
        self.nginx = subprocess.Popen(
            ["/usr/sbin/nginx", "-e", self.dir + "/error.log", "-c", self.dir + "/nginx.conf"],
            stdout=self.log, stderr=self.log)
        if not wait_for(lambda: accepts(self.dir + "/simulator.sock") and self.nginx_listens()):
            self.__exit__()
            raise SystemExit("Bail out! the simulator did not start: see " + self.dir)
        return self

    def nginx_listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def start(self):
        self.program = subprocess.Popen(
            [program("fcgi-simulator"), "--socket", self.dir + "/simulator.sock",
             "--state", self.dir + "/state", *self.options],
            stdout=self.log, stderr=self.log)

    def restart(self, sig=signal.SIGTERM):
        """Ends the program by a signal and starts it again, with the same state."""
        self.program.send_signal(sig)
        self.program.wait(10)
        if os.path.exists(self.dir + "/simulator.sock"):
            os.unlink(self.dir + "/simulator.sock")
        self.start()
        wait_for(lambda: accepts(self.dir + "/simulator.sock"))

    def said(self):
        """What the simulator and nginx wrote on their way: sanitizers speak there."""
        with open(self.dir + "/simulator.log") as f:
            return f.read()

    def __exit__(self, *error):
        self.statuses = []
        for process, signals in ((self.nginx, signal.SIGQUIT), (self.program, signal.SIGTERM)):
            if process.poll() is None:
                process.send_signal(signals)
            try:
                self.statuses.append(process.wait(10))
            except subprocess.TimeoutExpired:
                process.kill()
                self.statuses.append("killed")
        self.log.close()
        self.output = self.said()
        if not error or error[0] is None:
            shutil.rmtree(self.dir, ignore_errors=True)
