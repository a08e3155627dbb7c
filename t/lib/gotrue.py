"""A stand-in for Supabase's auth server (GoTrue): as much of its REST as pages sign in by, written from its OpenAPI document and from
what its sources answer. t/browser/supabase.py holds it against Supabase's own client, auth-js, before it lets the page talk to it.

    with GoTrue(secret) as gotrue:
        gotrue.add("ada@example.com", "correct horse")
        Uplift(page_config=gotrue.page_config(), UPLIFT_JWT_ISSUER=gotrue.issuer)
        gotrue.pages = [uplift.url + "/"]

Mails are in gotrue.mails, the latest last: {"to", "link", "code"}. What GoTrue would keep in tables is in memory. Scripts that run
beside it see and change what it is like by POST of {"act", "value"} to /test: the methods of class Test.
"""

import base64
import hashlib
import http.server
import json
import secrets
import threading
import time
import urllib.parse
import uuid

from tokens import jwt

APIKEY = "sb_publishable_of_the_tests"
REUSE_S = 10  # of a refresh token whose successor was not the last one
OAUTH_ERRORS = {400: "invalid_request", 401: "unauthorized_client", 403: "access_denied", 500: "server_error", 503: "temporarily_unavailable"}


class Refusal(Exception):
    """An error of GoTrue's: status, error code, message."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class User:
    def __init__(self, email, password):
        self.id, self.email, self.password = str(uuid.uuid4()), email, password
        self.app_metadata = {"provider": "email", "providers": ["email"]}
        self.confirmed = True
        self.created = "2026-01-01T00:00:00Z"
        self.link = self.code = self.flow = None  # of the latest mail
        self.sent_s = self.may_send_s = 0.0

    def json(self):
        return {"id": self.id, "aud": "authenticated", "role": "authenticated", "email": self.email, "phone": "",
                "email_confirmed_at": self.created, "confirmed_at": self.created, "last_sign_in_at": self.created,
                "app_metadata": self.app_metadata, "user_metadata": {}, "identities": [], "created_at": self.created,
                "updated_at": self.created, "is_anonymous": False}


class GoTrue:
    def __init__(self, secret):
        self.secret = secret
        self.pages = []  # to which it sends people back; the first is the site's URL
        self.life_s = 3600  # of an access token
        self.link_life_s = 3600
        self.away = False
        self.mails = []
        self.asked = []  # grant types of the token endpoint, and how they ended
        self.users, self.flows, self.refresh, self.sessions, self.states = {}, {}, {}, set(), {}
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            gotrue = outer

            def do_GET(self):
                answer(self, "GET")

            def do_POST(self):
                answer(self, "POST")

            def do_OPTIONS(self):
                send(self, 204, None)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.issuer = self.url + "/auth/v1"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def add(self, email, password):
        """A user who can sign in by password."""
        self.users[email] = User(email, password)
        return self.users[email]

    def page_config(self, **sign_in):
        return {"apikey": APIKEY, "sign_in": {"supabase": self.url, **sign_in}}

    # --- sessions ---

    def session(self, user, session=None):
        """What a sign-in gives: a new session, or new tokens of one."""
        now = int(time.time())
        session = session or str(uuid.uuid4())
        self.sessions.add(session)
        token = jwt({"iss": self.issuer, "sub": user.id, "aud": "authenticated", "exp": now + self.life_s, "iat": now, "email": user.email,
                     "phone": "", "app_metadata": user.app_metadata, "user_metadata": {}, "role": "authenticated", "aal": "aal1",
                     "amr": [{"method": "password", "timestamp": now}], "session_id": session, "is_anonymous": False,
                     "jti": secrets.token_hex(4)}, self.secret)
        refresh = secrets.token_urlsafe(16)
        self.refresh[refresh] = {"user": user, "session": session, "revoked_s": None, "parent": None}
        return {"access_token": token, "token_type": "bearer", "expires_in": self.life_s, "expires_at": now + self.life_s,
                "refresh_token": refresh, "user": user.json()}

    def end_sessions(self):
        self.sessions.clear()

    def drop_links(self):
        """Lets the links of all mails expire."""
        for user in self.users.values():
            user.link = user.code = None

    def password(self, body):
        user = self.users.get(body.get("email", "").lower())
        if user is None or user.password is None or user.password != body.get("password"):
            raise Refusal(400, "invalid_credentials", "Invalid login credentials")
        if not user.confirmed:
            raise Refusal(400, "email_not_confirmed", "Email not confirmed")
        return self.session(user)

    def renew(self, body):
        token = self.refresh.get(body.get("refresh_token"))
        if token is None or token["session"] not in self.sessions:
            raise Refusal(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
        if token["revoked_s"] is not None:
            name, active = next(((n, t) for n, t in self.refresh.items() if t["session"] == token["session"] and t["revoked_s"] is None), (None, None))
            # The parent of the one in use: its client did not get to keep what it was given.
            if active is not None and active["parent"] is token:
                found = self.session(token["user"], token["session"])
                del self.refresh[found["refresh_token"]]
                return {**found, "refresh_token": name}
            if time.time() > token["revoked_s"] + REUSE_S:
                self.sessions.discard(token["session"])
                raise Refusal(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        token["revoked_s"] = time.time()
        found = self.session(token["user"], token["session"])
        self.refresh[found["refresh_token"]]["parent"] = token
        return found

    def pkce(self, body):
        flow = next((f for f in self.flows.values() if f["code"] == body.get("auth_code")), None)
        if flow is None or flow["user"] is None:
            raise Refusal(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
        digest = hashlib.sha256(body.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != flow["challenge"]:
            raise Refusal(400, "bad_code_verifier", "code challenge does not match previously saved code verifier")
        self.flows = {key: f for key, f in self.flows.items() if f is not flow}
        return {**self.session(flow["user"]), "provider_token": "of-elsewhere" if flow["kind"] == "oauth" else None}

    def flow(self, kind, query, user=None):
        method, challenge = query.get("code_challenge_method") or "", query.get("code_challenge") or ""
        if (method == "") != (challenge == ""):
            raise Refusal(400, "validation_failed", "PKCE flow requires code_challenge_method and code_challenge")
        if challenge == "":
            return None
        if method.lower() != "s256" or not 43 <= len(challenge) <= 128:
            raise Refusal(400, "validation_failed", "code challenge has to be between 43 and 128 characters")
        key = str(uuid.uuid4())
        self.flows[key] = {"kind": kind, "challenge": challenge, "code": str(uuid.uuid4()), "user": user}
        return key

    # --- mails ---

    def otp(self, query, body):
        email = body.get("email", "").lower()
        if "@" not in email:
            raise Refusal(400, "validation_failed", "Unable to validate email address: invalid format")
        user = self.users.get(email)
        if user is None:
            if not body.get("create_user", True):
                raise Refusal(422, "otp_disabled", "Signups not allowed for otp")
            user = self.add(email, None)
        if time.time() < user.may_send_s:
            raise Refusal(429, "over_email_send_rate_limit", "For security purposes, you can only request this after 59 seconds.")
        flow = self.flow("link", body, user)
        user.sent_s, user.may_send_s, user.code = time.time(), time.time() + 60, "%06d" % secrets.randbelow(10 ** 6)
        user.link = ("pkce_" if flow else "") + secrets.token_hex(28)
        user.flow = flow
        back = urllib.parse.urlencode({"token": user.link, "type": "magiclink", "redirect_to": self.page(query.get("redirect_to"))})
        self.mails.append({"to": email, "link": "%s/verify?%s" % (self.issuer, back), "code": user.code})
        return {}

    def verify(self, body):
        user = self.users.get(body.get("email", "").lower())
        if body.get("type") not in ("email", "magiclink") or not body.get("token"):
            raise Refusal(400, "validation_failed", "Verify requires a token and a verification type")
        if user is None or user.code is None or user.code != body["token"] or time.time() > user.sent_s + self.link_life_s:
            raise Refusal(403, "otp_expired", "Token has expired or is invalid")
        user.link = user.code = None
        return self.session(user)

    def open_link(self, query):
        """Where a click on a mail's link leads."""
        page = self.page(query.get("redirect_to"))
        user = next((u for u in self.users.values() if u.link is not None and u.link == query.get("token")), None)
        if user is None or time.time() > user.sent_s + self.link_life_s:
            is_pkce = query.get("token", "").startswith("pkce_")
            return self.error_page(page, Refusal(403, "otp_expired", "Email link is invalid or has expired"), is_pkce)
        user.link = user.code = None
        if user.flow is None:
            found = self.session(user)
            return page + "#" + urllib.parse.urlencode({**{k: found[k] for k in ("access_token", "expires_at", "expires_in", "refresh_token", "token_type")}, "type": "magiclink"})
        return with_query(page, {"code": self.flows[user.flow]["code"]})

    # --- elsewhere ---

    def authorize(self, query):
        if query.get("provider") != "github":
            raise Refusal(400, "validation_failed", "Unsupported provider: provider is not enabled")
        state = secrets.token_urlsafe(16)
        self.states[state] = {"page": self.page(query.get("redirect_to")), "flow": self.flow("oauth", query)}
        return "%s/elsewhere?state=%s" % (self.url, state)

    def callback(self, query):
        state = self.states.pop(query.get("state"), None)
        if state is None:
            raise Refusal(400, "bad_oauth_state", "OAuth callback with invalid state")
        if "error" in query:
            error = urllib.parse.urlencode({"error": query["error"], "error_description": query.get("error_description", "")})
            return with_query(state["page"], {"error": query["error"], "error_description": query.get("error_description", "")}) + "#" + error
        flow = self.flows[state["flow"]]
        flow["user"] = self.users.get("octo@example.com") or self.add("octo@example.com", None)
        return with_query(state["page"], {"code": flow["code"]})

    def page(self, wanted):
        """The page to send somebody back to: the one that is wanted, where it is allowed."""
        return wanted if wanted in self.pages else self.pages[0]

    @staticmethod
    def error_page(page, refusal, is_pkce):
        told = {"error": OAUTH_ERRORS.get(refusal.status, "server_error"), "error_code": refusal.code, "error_description": refusal.message}
        return (with_query(page, told) if is_pkce else page) + "#" + urllib.parse.urlencode(told)

    def logout(self, bearer, query):
        if query.get("scope", "global") not in ("global", "local", "others"):
            raise Refusal(400, "validation_failed", "Unsupported logout scope")
        session = self.claims(bearer)["session_id"]
        if session not in self.sessions:
            raise Refusal(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        self.sessions.discard(session)

    def claims(self, bearer):
        """Of a user's access token."""
        try:
            found = json.loads(base64.urlsafe_b64decode(bearer.split(".")[1] + "=="))
        except (ValueError, IndexError):
            raise Refusal(401, "no_authorization", "This endpoint requires a valid Bearer token") from None
        if found.get("exp", 0) < time.time() or "sub" not in found:
            raise Refusal(403, "bad_jwt", "invalid JWT: unable to parse or verify signature, token has invalid claims: token is expired")
        return found


def with_query(page, values):
    parts = urllib.parse.urlsplit(page)
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(dict(urllib.parse.parse_qsl(parts.query), **values))))


class Test:
    """What tests do to it."""

    @staticmethod
    def set(gotrue, values):
        vars(gotrue).update(values)

    @staticmethod
    def confirm(gotrue, value):
        gotrue.users[value["email"]].confirmed = value["confirmed"]

    @staticmethod
    def mail(gotrue, _):
        """The latest one."""
        return gotrue.mails[-1]

    @staticmethod
    def asked(gotrue, _):
        """What the token endpoint was asked for since the last time."""
        asked, gotrue.asked = gotrue.asked, []
        return [" ".join(pair) for pair in asked]

    @staticmethod
    def end_sessions(gotrue, _):
        gotrue.end_sessions()

    @staticmethod
    def drop_links(gotrue, _):
        gotrue.drop_links()

    @staticmethod
    def let_send(gotrue, _):
        """The next mail may follow at once."""
        for user in gotrue.users.values():
            user.may_send_s = 0.0

    @staticmethod
    def forget_reuse(gotrue, _):
        """As if the time in which a refresh token may be used twice were over."""
        for token in gotrue.refresh.values():
            token["revoked_s"] = token["revoked_s"] and token["revoked_s"] - REUSE_S


# --- HTTP ---

ELSEWHERE = """<!doctype html><html lang="en"><title>Elsewhere</title><h1>Elsewhere</h1>
<p><a href="/auth/v1/callback?state=%(state)s&amp;code=good">Allow</a></p>
<p><a href="/auth/v1/callback?state=%(state)s&amp;error=access_denied&amp;error_description=The+user+has+denied+your+application+access.">Deny</a></p>"""


def send(handler, status, content, **headers):
    body = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    handler.send_response(status)
    handler.send_header("Access-Control-Allow-Origin", "*")
    handler.send_header("Access-Control-Allow-Headers", handler.headers.get("Access-Control-Request-Headers", "*"))
    handler.send_header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
    handler.send_header("Content-Type", "text/html" if isinstance(content, bytes) else "application/json")
    for name, value in headers.items():
        handler.send_header(name, value)
    if status != 204:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if status != 204:
        handler.wfile.write(body)


def refuse(handler, refusal):
    """In the form of the version that the client names."""
    if handler.headers.get("X-Supabase-Api-Version", "") >= "2024-01-01":
        send(handler, refusal.status, {"code": refusal.code, "message": refusal.message}, **{"X-Supabase-Api-Version": "2024-01-01"})
    else:
        send(handler, refusal.status, {"code": refusal.status, "error_code": refusal.code, "msg": refusal.message})


def answer(handler, method):
    gotrue = handler.gotrue
    url = urllib.parse.urlsplit(handler.path)
    query = dict(urllib.parse.parse_qsl(url.query))
    text = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    route = method, url.path.removeprefix("/auth/v1")
    if url.path == "/test":
        told = json.loads(text)
        send(handler, 200, getattr(Test, told["act"])(gotrue, told.get("value")) or [])
        return
    if gotrue.away:
        send(handler, 503, {"message": "name resolution failed"})
        return
    if url.path == "/elsewhere":
        send(handler, 200, (ELSEWHERE % query).encode())
        return
    is_open = route in (("GET", "/verify"), ("GET", "/authorize"), ("GET", "/callback"))
    if not is_open and handler.headers.get("apikey") != APIKEY:
        send(handler, 401, {"message": "No API key found in request", "hint": "No `apikey` request header or url param was found."})
        return
    try:
        with gotrue.lock:
            body = json.loads(text or b"{}") if method == "POST" else {}
            act(handler, gotrue, route, query, body)
    except Refusal as refusal:
        refuse(handler, refusal)
    except ValueError:
        refuse(handler, Refusal(400, "bad_json", "Could not parse request body as JSON"))


def act(handler, gotrue, route, query, body):
    bearer = (handler.headers.get("Authorization") or "").removeprefix("Bearer ")
    redirects = {("GET", "/verify"): (gotrue.open_link, 303), ("GET", "/authorize"): (gotrue.authorize, 302), ("GET", "/callback"): (gotrue.callback, 302)}
    grants = {"password": gotrue.password, "refresh_token": gotrue.renew, "pkce": gotrue.pkce}
    if route in redirects:
        lead, status = redirects[route]
        send(handler, status, None, Location=lead(query))
    elif route == ("POST", "/token"):
        grant = query.get("grant_type")
        if grant not in grants:
            raise Refusal(400, "validation_failed", "unsupported_grant_type")
        try:
            found = grants[grant](body)
        except Refusal as refusal:
            gotrue.asked.append((grant, refusal.code))
            raise
        gotrue.asked.append((grant, "passed"))
        send(handler, 200, found)
    elif route == ("POST", "/otp"):
        send(handler, 200, gotrue.otp(query, body))
    elif route == ("POST", "/verify"):
        send(handler, 200, gotrue.verify(body))
    elif route == ("POST", "/logout"):
        gotrue.logout(bearer, query)
        send(handler, 204, None)
    elif route == ("GET", "/user"):
        claims = gotrue.claims(bearer)
        if claims["session_id"] not in gotrue.sessions:
            raise Refusal(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        send(handler, 200, next(user for user in gotrue.users.values() if user.id == claims["sub"]).json())
    else:
        send(handler, 404, {"message": "no Route matched with those values"})
