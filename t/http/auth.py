#!/usr/bin/python3
"""Who is asking: tokens that are refused, guests, admins, key sets that rotate and go away. Nothing of a token is logged."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import SECRET, USER, Uplift, jwt, wait_for
from tokens import encoded as b64
from tokens import signing_input

GUEST = str(uuid.uuid4())
CHAT = {"message": "Who am I?"}


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


class Key:
    """A key pair that signs tokens, with the openssl program."""

    def __init__(self, directory, kid, alg):
        self.kid, self.alg, self.path = kid, alg, "%s/%s.pem" % (directory, kid)
        if alg == "ES256":
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path)
        else:
            openssl("genrsa", "-out", self.path, "2048")

    def public(self):
        """As a member of a key set."""
        if self.alg == "ES256":
            point = openssl("ec", "-in", self.path, "-pubout", "-outform", "DER")[-64:]
            return {"kty": "EC", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:]), "kid": self.kid, "alg": self.alg,
                    "use": "sig"}
        modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").strip().split(b"=")[1]
        return {"kty": "RSA", "n": b64(bytes.fromhex(modulus.decode())), "e": "AQAB", "kid": self.kid, "alg": self.alg, "use": "sig"}

    def pem(self):
        return openssl("pkey", "-in", self.path, "-pubout").decode()

    def sign(self, claims, **header):
        text = signing_input({"alg": self.alg, "kid": self.kid, "typ": "JWT", **header}, claims)
        signature = openssl("dgst", "-sha256", "-sign", self.path, data=text.encode())
        if self.alg == "ES256":  # DER: two integers; a token has them as 32 bytes each
            at, numbers = 2, []
            for _ in range(2):
                length = signature[at + 1]
                numbers.append(int.from_bytes(signature[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
                at += 2 + length
            signature = b"".join(numbers)
        return text + "." + b64(signature)


class KeySet:
    """A server of public keys. keys None: it is away."""

    def __init__(self):
        self.keys, self.asked = [], 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                if outer.keys is None:
                    self.send_error(503)
                    return
                body = json.dumps({"keys": [key.public() for key in outer.keys]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/keys" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


sent = []  # every token of this test: none may be in a log


def ask(uplift, token, **headers):
    if token:
        sent.append(token)
    return uplift.post("/v1/chat", CHAT, user=None, headers={**({"Authorization": "Bearer " + token} if token else {}), **headers})


def code(answer):
    return answer.status, answer.error().get("code")


def claims(**more):
    now = int(time.time())
    all_claims = {"sub": str(uuid.uuid4()), "aud": "authenticated", "role": "authenticated", "iss": "test", "iat": now, "exp": now + 600}
    all_claims.update(more)
    return {name: value for name, value in all_claims.items() if value is not None}


def recorded(uplift):
    return (uplift.value("select count(*) from public.coach_response_feedback"), uplift.value("select count(*) from auth.users"))


def check_refused(uplift, rsa):
    now = int(time.time())
    before = recorded(uplift)
    good = jwt(claims())
    head, body, mark = good.split(".")
    none = b64(b'{"alg":"none"}') + "." + body
    confused = jwt(claims(), rsa.pem(), {"alg": "HS256", "kid": rsa.kid})
    tap.equal(code(ask(uplift, None)), (401, "missing_token"), "no token")
    for name, token, wanted in (
            ("no token at all, but words", "let me in", "invalid_token"), ("two parts", head + "." + body, "invalid_token"),
            ("five parts", good + ".AAAA.AAAA", "invalid_token"), ("no JSON in it", "AAAA.AAAA.AAAA", "invalid_token"),
            ("another secret", jwt(claims(), "another secret, also of more than 32 bytes"), "invalid_token"),
            ("a signature cut short", good[:-4], "invalid_token"), ("other claims under the signature",
             ".".join([head, b64(json.dumps(claims(sub=USER)).encode()), mark]), "invalid_token"),
            ("alg none without a signature", none + ".", "invalid_token"), ("alg none with one", none + "." + mark, "invalid_token"),
            ("alg None", b64(b'{"alg":"None"}') + "." + body + "." + mark, "invalid_token"),
            ("alg HS512", jwt(claims(), header={"alg": "HS512"}), "invalid_token"),
            ("a public key as the secret", confused, "invalid_token"),
            ("it has expired", jwt(claims(exp=now - 120)), "token_expired"), ("it never expires", jwt(claims(exp=None)), "invalid_token"),
            ("exp is a text", jwt(claims(exp="tomorrow")), "invalid_token"),
            ("it is not valid yet", jwt(claims(nbf=now + 600)), "token_not_yet_valid"),
            ("another audience", jwt(claims(aud="others")), "invalid_audience"), ("no audience", jwt(claims(aud=None)), "invalid_audience"),
            ("another issuer", jwt(claims(iss="https://elsewhere.example")), "invalid_issuer"),
            ("sub is no UUID", jwt(claims(sub="admin")), "invalid_token"), ("sub is a number", jwt(claims(sub=7)), "invalid_token"),
            ("a big one of another secret", jwt(claims(more="x" * 11000), "another secret, also of more than 32 bytes"), "invalid_token"),
            ("it names no user", jwt(claims(sub=None)), "invalid_token")):
        tap.equal(code(ask(uplift, token)), (401, wanted), name)
    tap.equal(code(uplift.post("/v1/chat", CHAT, user=None, headers={"Authorization": "Basic " + b64(b"a:b")})), (401, "invalid_token"),
              "another scheme")
    both = ("POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n"
            "Connection: close\r\n\r\n{}" % (good, jwt(claims(sub=USER)))).encode()
    tap.ok(uplift.raw(both).split(b" ")[1] in (b"400", b"401"), "two Authorization headers")
    tap.equal(ask(uplift, "x").headers["WWW-Authenticate"], "Bearer", "a 401 says how to sign in")
    tap.equal(code(ask(uplift, jwt(claims(more="x" * 20000)))), (431, "headers_too_large"), "one beyond what nginx takes")
    tap.equal(code(ask(uplift, jwt(claims(sub=None, role="anon")))), (401, "sign_in_required"), "the public key of this project, signed")
    tap.equal(code(ask(uplift, jwt(claims(sub=None, role="service_role")))), (403, "user_required"), "a server's key is no user")
    tap.equal(recorded(uplift), before, "what was refused left no answer and made no user")
    tap.equal(ask(uplift, good).status, 200, "a good token is taken")
    tap.equal(ask(uplift, jwt(claims(exp=now - 10))).status, 200, "clocks may differ a little")
    tap.equal(ask(uplift, jwt(claims(aud=["others", "authenticated"]))).status, 200, "an audience may be a list")
    tap.equal(ask(uplift, jwt(claims(is_anonymous=True))).status, 200, "anonymous users of Supabase are users")
    tap.equal(ask(uplift, good, apikey=uplift.anon_key).status, 200, "the public key may come along")


def check_guests(uplift):
    key = uplift.anon_key
    tap.equal(code(ask(uplift, key, apikey=key)), (401, "sign_in_required"), "the public key alone is nobody")
    tap.equal(code(ask(uplift, key)), (401, "sign_in_required"), "also without the apikey header")
    uplift.restart_chat(UPLIFT_GUEST_USER=GUEST)
    answer = ask(uplift, key, apikey=key)
    tap.equal(answer.status, 200, "with UPLIFT_GUEST_USER it is the guest")
    row = uplift.row(answer.headers["X-Feedback-Id"])
    tap.equal(str(row["user_id"]), GUEST, "whose the answer is")
    tap.equal(code(ask(uplift, jwt(claims(), "a key of another project, long enough"), apikey=key)), (401, "invalid_token"),
              "a bad token is no guest")
    other = jwt({"role": "anon", "iss": "other", "exp": int(time.time()) + 600}, "a key of another project, long enough")
    tap.equal(code(ask(uplift, other, apikey=other))[0], 401, "nor is another project's public key")


def check_keys(uplift, keys, ec, rsa, late):
    mine = str(uuid.uuid4())
    for key in (ec, rsa):
        answer = ask(uplift, key.sign(claims(sub=mine)))
        tap.equal(answer.status, 200, key.alg + " by the key set")
        tap.equal(str(uplift.row(answer.headers["X-Feedback-Id"])["user_id"]), mine, "is the user it names")
    tap.equal(code(ask(uplift, ec.sign(claims(), kid=rsa.kid))), (401, "invalid_token"), "a key under another's name")
    tap.equal(code(ask(uplift, ec.sign(claims(), alg="RS256"))), (401, "invalid_token"), "an algorithm that is not the key's")
    known = rsa.sign(claims())
    tap.equal(ask(uplift, known).status, 200, "a token is known")
    asked = keys.asked
    for _ in range(20):
        ask(uplift, ec.sign(claims(), kid=uuid.uuid4().hex))
    # Each of the workers may ask once in ten seconds.
    tap.ok(keys.asked - asked <= 4, "unknown keys do not hammer the server", "asked %d times" % (keys.asked - asked))
    keys.keys = [late, rsa]
    uplift.restart_chat()
    tap.equal(ask(uplift, late.sign(claims())).status, 200, "a new key is found")
    tap.equal(code(ask(uplift, ec.sign(claims()))), (401, "invalid_token"), "one that was taken out is none any more")
    keys.keys = None
    tap.equal(ask(uplift, known).status, 200, "while the key set is away, keys that are known count")
    uplift.restart_chat()
    tap.equal(code(ask(uplift, known)), (503, "keys_unavailable"), "without any key the answer is to try again")
    asked = keys.asked
    told = {code(ask(uplift, ec.sign(claims(), kid=uuid.uuid4().hex))) for _ in range(20)}
    tap.equal(told, {(503, "keys_unavailable")}, "so it is for made-up keys")
    tap.ok(keys.asked - asked <= 4, "which do not hammer a server that is away", "asked %d times" % (keys.asked - asked))
    tap.equal(ask(uplift, jwt(claims())).status, 200, "the shared secret does without")


with tempfile.TemporaryDirectory() as directory:
    ec, rsa, late = Key(directory, "first", "ES256"), Key(directory, "second", "RS256"), Key(directory, "late", "ES256")
    keys = KeySet()
    keys.keys = [ec, rsa]
    with Uplift(UPLIFT_JWT_ISSUER="test", UPLIFT_JWKS_URL=keys.url, UPLIFT_LOG_LEVEL="debug") as uplift:
        check_refused(uplift, rsa)
        check_keys(uplift, keys, ec, rsa, late)
        keys.keys = [rsa]
        check_guests(uplift)
        # nginx keeps its access log back for a second: the last request is in it when all are.
        uplift.get("/v1/the-last-request", token="none")
        wait_for(lambda: "/v1/the-last-request" in uplift.read_log("nginx-access"), 10)
        logs = "".join(uplift.read_log(name) for name in ("chat", "nginx", "nginx-access", "nginx-error"))
        tap.ok(len(logs) > 1000, "there are logs")
        marks = [token.rsplit(".", 1)[-1][:40] for token in sent if token.count(".") >= 2]
        tap.equal([mark for mark in marks if len(mark) >= 20 and mark in logs], [], "no token is in them")
        tap.ok(SECRET not in logs and hashlib.sha256(SECRET.encode()).hexdigest() not in logs, "nor the secret")
tap.done()
