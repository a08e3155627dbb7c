#!/usr/bin/python3
"""README's section "In production", command by command, on a bare Debian 12 with systemd.

The commands are taken from README.md itself. What they need of the world outside stands in for it: certbot makes a
certificate of its own after it has fetched its challenge by HTTP, the editor puts in what a person would, a server on
the same machine is the provider and publishes keys as a sign-in service does. Packages were downloaded before, and then
there is no network.
"""

import json
import os
import re
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
import tokens  # noqa: E402
from bare import Bare  # noqa: E402
from build import TOP  # noqa: E402
from process import wait_for  # noqa: E402

SITE = "https://chat.example.com"
ISSUER = "https://sign-in.example.com"
# In the container.
CHECKOUT = "/root/uplift"
WORLD_DIR = "/root/world"

CERTBOT = """#!/bin/bash
# In place of certbot: the challenge is real, the authority is not.
set -e
while [ $# != 0 ]; do
    case $1 in
        -w) root=$2 ;;
        -d) name=$2 ;;
    esac
    shift
done
mkdir -p $root/.well-known/acme-challenge
echo proof >$root/.well-known/acme-challenge/token
[ "$(curl -fsS http://$name/.well-known/acme-challenge/token)" = proof ]
live=/etc/letsencrypt/live/$name
mkdir -p $live
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$name" \\
    -addext "subjectAltName=DNS:$name" -keyout $live/privkey.pem -out $live/fullchain.pem 2>/dev/null
cp $live/fullchain.pem /usr/local/share/ca-certificates/test.crt
update-ca-certificates >/dev/null
"""

EDITOR = """#!/bin/bash
# In place of an editor: what a person puts into README's two files.
set -e
echo sk-of-the-provider >$1
openssl rand -hex 32 >/etc/uplift/jwt-secret
sed -i -e "s|^#UPLIFT_UPSTREAM_URL=.*|UPLIFT_UPSTREAM_URL=$(cat %s/provider)|" \\
    -e "s|^#UPLIFT_JWKS_URL=.*|UPLIFT_JWKS_URL=$(cat %s/keys)|" \\
    -e 's|^#UPLIFT_JWT_SECRET_FILE=|UPLIFT_JWT_SECRET_FILE=|' $2
""" % (WORLD_DIR, WORLD_DIR)

# The provider, and the keys of the sign-in service; where they are is written into WORLD_DIR.
WORLD = """
import http.server, os, sys, threading
sys.path.insert(0, "%s/t/lib")
from scripted import Scripted
class Keys(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments):
        super().__init__(*arguments, directory="/root/keys")
def tell(name, text):
    with open("%s/" + name, "w") as file:
        file.write(text)
os.mkdir("%s")
keys = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
threading.Thread(target=keys.serve_forever).start()
with Scripted() as provider:
    provider.says = "Begin with a short walk."
    tell("keys", "http://127.0.0.1:%%d/jwks.json" %% keys.server_port)
    tell("provider", provider.url)
    threading.Event().wait()
""" % (CHECKOUT, WORLD_DIR, WORLD_DIR)


def claims(**more):
    return {"sub": str(uuid.uuid4()), "aud": "authenticated", "role": "authenticated", "iss": ISSUER,
            "exp": int(time.time()) + 3600, **more}


def integers(der):
    """The two of an ECDSA signature, as JWTs have them: DER is a sequence of (2, length, bytes)."""
    first = der[4:4 + der[3]]
    second = der[6 + der[3]:]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (first, second))


class Keys:
    """A key pair as a sign-in service has it."""

    def __init__(self, machine):
        self.path = machine.root + "/root/signing-key.pem"
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path], check=True)
        public = subprocess.run(["openssl", "ec", "-in", self.path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        x, y = public[-64:-32], public[-32:]
        machine.write("/root/keys/jwks.json", json.dumps({"keys": [
            {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k1", "x": tokens.encoded(x), "y": tokens.encoded(y)}]}))

    def token(self, body):
        text = tokens.signing_input({"alg": "ES256", "typ": "JWT", "kid": "k1"}, body).encode()
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=text, check=True, capture_output=True).stdout
        return text.decode() + "." + tokens.encoded(integers(der))


def blocks():
    """The commands of the section, block by block."""
    with open(TOP + "/README.md") as file:
        section = re.search(r"^## In production\n(.*?)^## ", file.read(), re.M | re.S).group(1)
    return [re.sub(r"^    ", "", found, flags=re.M) for found in re.findall(r"(?:^    .*\n)+", section, re.M)]


class Site:
    """The machine, with what the checks ask of it."""

    def __init__(self, machine):
        self.machine = machine
        self.keys = Keys(machine)
        self.user = claims()

    def follow(self, block):
        """Does what a block of README says."""
        token = self.keys.token(self.user)
        done = self.machine.run("export TOKEN=%s\n%s" % (token, block), cwd=CHECKOUT)
        tap.ok(done.status == 0, block.strip().split("\n")[0][:100], "\n".join(done.text.splitlines()[-40:]))
        return done.text

    def follow_all(self, *starts):
        """Those blocks that begin with these words, which are as many."""
        found = [block for block in blocks() if block.startswith(starts)]
        tap.equal(len(found), len(starts), "README has the commands %s" % ", ".join(starts))
        return "".join(self.follow(block) for block in found)

    def say(self, script):
        return self.machine.run(script).text.strip()

    def sql(self, text):
        return self.machine.run("runuser -l postgres -c 'psql -X -A -t -v ON_ERROR_STOP=1 uplift'", text=text).text.strip()

    def ask(self, path, token, *options):
        """(status, body) of a request by curl."""
        done = self.machine.run("curl -sS -w '\\n%%{http_code}' %s %s%s %s" % (
            "-H 'Authorization: Bearer %s'" % token if token else "", SITE, path, " ".join("'%s'" % option for option in options)))
        body, _, status = done.text.strip().rpartition("\n")
        return int(status) if status.isdigit() else done.text, body

    def chat(self, token, message="How do I start running?"):
        return self.ask("/v1/chat", token, "-H", "Content-Type: application/json", "-d", json.dumps({"message": message}))

    def answers(self, name):
        """Whether a chat is answered and recorded."""
        status, body = self.chat(self.keys.token(self.user))
        tap.ok(status == 200 and json.loads(body)["message"] == "Begin with a short walk.", name, "%s %s" % (status, body))
        if status == 200:
            found = self.sql("select outcome from public.coach_response_feedback where id = '%s'" % json.loads(body)["feedbackId"])
            tap.equal(found, "complete", "and recorded")


def prepare(machine):
    """What a machine has that somebody rents: systemd, and a way to Debian's packages, which are fetched while there is one."""
    packages = re.search(r"apt-get install -y (.*?[^\\])\n", blocks()[0], re.S).group(1).replace("\\\n", " ")
    done = machine.run("""apt-get -q update
apt-get -q install -y --no-install-recommends systemd-sysv adduser
apt-get -q install -y --download-only %s""" % packages)
    if done.status != 0:
        raise SystemExit("Bail out! no packages:\n" + done.text[-3000:])
    machine.copy_checkout(CHECKOUT)
    machine.write("/usr/local/bin/certbot", CERTBOT, 0o755)
    machine.write("/usr/local/bin/editor", EDITOR, 0o755)
    machine.write("/root/world.py", WORLD)
    machine.write("/etc/hosts", "127.0.0.1 localhost chat.example.com\n::1 localhost\n")
    machine.boot()


def check_units(site):
    for unit in ("uplift-chat.service", "uplift-batch.service", "uplift-schedule@.service"):
        path = "/usr/local/lib/systemd/system/" + unit
        tap.equal(site.say("systemd-analyze verify --man=no " + path.replace("@.", "@trim-cache.")), "", unit + " is one to systemd")
        exposure = re.search(r"level for .*: ([\d.]+)", site.say("systemd-analyze security --offline=true --no-pager " + path))
        tap.ok(exposure and float(exposure.group(1)) < 3, unit + " is exposed to little", exposure and exposure.group(0))
    tap.equal(site.say("systemd-analyze verify --man=no /usr/local/lib/systemd/system/uplift-*.timer"), "", "so are the timers")
    tap.equal(site.say("systemctl is-active uplift-chat uplift-batch nginx postgresql cron 2>&1 | sort | uniq -c | xargs").split()[:2],
              ["4", "active"], "what README starts is running")


def check_secrets(site):
    tap.equal(site.sql("select rolcreaterole from pg_roles where rolname = 'uplift_owner'"), "f", "the owner may make no roles any more")
    for user, other in (("uplift", "batch"), ("uplift-batch", "app"), ("www-data", "app"), ("www-data", "batch"), ("nobody", "app")):
        done = site.machine.run("runuser -u %s -- cat /etc/uplift/%s-database-url" % (user, other))
        tap.ok(done.status != 0, "%s cannot read the password of uplift_%s" % (user, other), done.text)
    for user in ("nobody", "www-data"):
        done = site.machine.run("runuser -u %s -- cat /etc/uplift/uplift.conf || runuser -u %s -- cat /etc/uplift/id-key" % (user, user))
        tap.ok(done.status != 0, user + " cannot read the configuration", done.text)


def check_site(site):
    site.answers("a token with a public key's signature gets an answer")
    secret = site.say("cat /etc/uplift/jwt-secret")
    status, body = site.chat(tokens.jwt(claims(), secret))
    tap.equal(status, 200, "so does one with the shared secret's")
    tap.equal(site.chat(tokens.jwt(claims(), "not the secret, but as long as one"))[0], 401, "one with another secret's does not")
    status, body = site.ask("/v1/coaches", site.keys.token(site.user))
    tap.contains(body, "coach_maple_avatar", "the first coach is on offer")
    admin = site.keys.token(claims(app_metadata={"role": "admin"}))
    status, body = site.ask("/admin/schedules", admin)
    tap.ok(status == 200 and json.loads(body)["pg_cron"] == "ok", "an admin sees that pg_cron runs the schedules", "%s %s" % (status, body))
    tap.equal(site.ask("/admin/schedules", site.keys.token(site.user))[0], 403, "nobody else does")
    status, body = site.ask("/", None)
    tap.ok(status == 200 and "app.js" in body, "the page is there", "%s %s" % (status, body[:200]))
    head = site.say("curl -sSI %s/lib/uplift.js" % SITE)
    tap.like(head, r"(?i)200[\s\S]*content-type: (application|text)/javascript", "with its scripts")
    status, body = site.ask("/nothing", None)
    tap.ok(status == 404 and json.loads(body)["error"]["code"] == "not_found", "what is not there has an error in OpenAI's shape", body)
    tap.contains(site.say("curl -sSI http://chat.example.com/x"), "Location: https://chat.example.com/x", "HTTP leads to HTTPS")
    tap.equal(site.say("journalctl -q -p warning -o cat -u uplift-chat -u uplift-batch"), "", "without a warning in the journal")


def check_schedules(site):
    """By a timer's unit, and by pg_cron, which is waited for at the end."""
    tap.equal(site.machine.run("systemctl start uplift-trim-cache.timer uplift-schedule@trim-cache.service").status, 0,
              "a timer's unit runs its schedule")
    tap.like(site.sql("select requested_by, name from uplift.batch_jobs where name like 'trim-cache%'"), "trim-cache", "which is a job then")
    site.sql("select uplift_batch.admin_put_schedule('roll-up-usage', '{\"cron\": \"* * * * *\"}', 'test')")


def check_backup(site):
    count = "select count(*) from public.coach_response_feedback"
    before = site.sql(count)
    site.follow_all("(umask 077")
    site.sql("delete from uplift.conversations; truncate public.coach_response_feedback cascade")
    tap.equal(site.sql(count), "0", "everything is lost")
    site.follow_all("systemctl stop uplift-chat")
    tap.equal(site.sql(count), before, "and comes back by the backup")
    tap.equal(site.sql("select has_database_privilege('uplift_app', 'uplift', 'temporary')"), "f", "with the rights of the database")
    tap.equal(site.say("stat -c %a /var/backups/uplift.dump /var/backups/uplift-files.tar.gz | xargs"), "600 600", "nobody else can read it")
    site.answers("chats go on")
    return site.sql("select clock_timestamp()")


def check_cron(site, since):
    """A schedule of each minute, which was set before, has run since then."""
    found = "select count(*) from cron.job_run_details where command like '%%roll-up-usage%%' and status = 'succeeded' and start_time > '%s'"
    ran = wait_for(lambda: site.sql(found % since) != "0", 90)
    tap.ok(ran, "pg_cron goes on with the schedules", site.sql("table cron.job") + site.sql("table cron.job_run_details"))


def check_upgrade(site):
    before = site.say("cat /etc/uplift/* /etc/nginx/conf.d/uplift.conf | sha256sum; systemctl show -P MainPID uplift-chat")
    site.follow_all("autoreconf -i && mkdir -p build && cd build && ../configure && make && make install\nrunuser")
    after = site.say("cat /etc/uplift/* /etc/nginx/conf.d/uplift.conf | sha256sum; systemctl show -P MainPID uplift-chat")
    tap.ok(before.split()[0] == after.split()[0], "an upgrade changes no configuration")
    tap.ok(before.split()[-1] != after.split()[-1], "and starts the programs anew")
    site.answers("chats go on after it")


def main():
    with Bare("production") as machine:
        prepare(machine)
        site = Site(machine)
        section = blocks()
        at = next(i for i, block in enumerate(section) if block.startswith("runuser -u uplift-batch"))
        for block in section[:at]:
            if "editor" in block:
                machine.run("systemd-run --unit=world python3 /root/world.py")
                tap.ok(wait_for(lambda: os.path.exists(machine.root + WORLD_DIR + "/provider")), "the world outside is there")
            site.follow(block)
        check_units(site)
        check_secrets(site)
        check_site(site)
        check_schedules(site)
        tap.like(site.follow(section[at]), r"(?m)^trim-cache +on", "fcgi-batch works on the command line")
        restored = check_backup(site)
        check_upgrade(site)
        check_cron(site, restored)
    tap.done()


main()
