"""Stands between uplift and a provider, passes everything on, and keeps what was asked and when.

    with Uplift(simulator=...) as uplift, Witness(uplift.sim_port) as backup:
        backup.url            # a provider's base URL
        backup.seen           # [Seen(at, path, headers, body)]: one for each request
"""

import collections
import http.client
import json
import socket
import threading
import time

Seen = collections.namedtuple("Seen", "at path headers body")


class Witness:
    def __init__(self, port):
        """port: the provider's, on this host."""
        self.provider_port = port
        self.seen = []
        self.is_down = False  # hangs up on whoever connects

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.url = "http://127.0.0.1:%d/v1" % self.port
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rb") as stream:
            try:
                self._pass_on(client, stream)
            except OSError:
                pass  # one side hung up, and so does the other
            try:
                client.shutdown(socket.SHUT_RDWR)  # also for the thread that watches it
            except OSError:
                pass

    def _pass_on(self, client, stream):
        line = stream.readline()
        if not line:
            return
        headers = http.client.parse_headers(stream)
        body = stream.read(int(headers.get("Content-Length", 0)))
        self.seen.append(Seen(time.monotonic(), line.split()[1].decode(), headers, json.loads(body)))
        if self.is_down:
            return
        del headers["Connection"]
        headers["Connection"] = "close"
        head = line + "".join("%s: %s\r\n" % pair for pair in headers.items()).encode() + b"\r\n"
        with socket.create_connection(("127.0.0.1", self.provider_port)) as provider:
            provider.sendall(head + body)
            threading.Thread(target=self._watch, args=(client, provider), daemon=True).start()
            while True:
                answer = provider.recv(65536)
                if not answer:
                    return
                client.sendall(answer)

    @staticmethod
    def _watch(client, provider):
        """When uplift hangs up, so does the witness."""
        try:
            while client.recv(4096):
                pass
            provider.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
