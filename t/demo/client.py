"""A client of a running uplift on this machine, for the demos: tokens of any user, and requests that must succeed."""

import http.client
import json
import os
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tokens  # noqa: E402


def token(secret, user):
    now = int(time.time())
    return tokens.jwt({"iss": "uplift-dev", "sub": user, "aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + 3600},
                      secret)


class Client:
    def __init__(self, port, ca, secret):
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(cafile=ca), timeout=60)
        self.secret = secret

    def call(self, user, method, path, body):
        headers = {"Authorization": "Bearer " + token(self.secret, user), "Content-Type": "application/json"}
        while True:
            self.connection.request(method, path, json.dumps(body), headers)
            response = self.connection.getresponse()
            answer = json.loads(response.read())
            if response.status != 429 or "budget" in answer["error"]["code"]:
                break
            # All of these users have one address.
            time.sleep(float(response.getheader("Retry-After", "1")))
        if response.status >= 300:
            sys.exit("%s %s: %d %s" % (method, path, response.status, answer["error"]["message"]))
        return answer


def add_arguments(parser):
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--secret", required=True, help="file with the secret of tokens")


def connect(options):
    with open(options.secret, "rb") as file:
        return Client(options.port, options.ca, file.read().strip())
