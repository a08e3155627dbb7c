#!/usr/bin/python3
"""Who may call which route: each route that the programs say they have, as each kind of caller, against the table here.
A route that is not in it fails, and so does one that is no more. Nobody without scope read, but admins,
gets to see what was said."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import USER, Uplift, jwt, program  # noqa: E402
from process import sanitizers  # noqa: E402
from tap import done, equal, ok  # noqa: E402

GUEST = "00000000-0000-7000-8000-0000000000e1"
NOBODYS = "01890000-0000-7000-8000-000000000000"
ASKED, SAID = "violet-otter-7", "crimson-heron-3"  # a question, and a comment on its answer
SCOPES = ("chat", "feedback", "read", "act", "admin")

# Tokens of users may do all that users may; of keys only those whose scope is named.
PEOPLE = {"user", "anonymous", "admin"}


def people(*scopes, guest=True):
    return PEOPLE | {"key " + scope for scope in scopes} | ({"guest"} if guest else set())


NOBODY = set()
ADMINS = {"admin", "service_role", "key admin"}
EVERYBODY = PEOPLE | {"nobody", "anon key", "guest", "service_role"} | {"key " + scope for scope in SCOPES}
REST = "/rest/v1/coach_response_feedback"

CHAT = {
    "POST /v1/chat": people("chat"),
    "GET /v1/chat": people("read", "chat", guest=False),
    "GET /v1/chat/{id}/events": people("read"),
    "POST /v1/chat/{id}/stop": people("chat"),
    "POST /v1/chat/completions": people("chat"),
    "POST /v1/feedback/{id}": people("feedback"),
    "PATCH /v1/feedback/{id}": people("feedback"),
    "GET /v1/feedback/{id}": people("read"),
    "GET /v1/conversations": people("read"),
    "GET /v1/conversations/{id}": people("read"),
    "PATCH /v1/conversations/{id}": people("chat"),
    "DELETE /v1/conversations/{id}": people("chat"),
    "GET /v1/coaches": people("read", "chat"),
    "GET /v1/preferences": people("read"),
    "PUT /v1/preferences": people("chat", guest=False),
    "GET /v1/me/export": people("read", guest=False),
    "GET /v1/me/access-log": people("read", guest=False),
    "DELETE /v1/me": PEOPLE,  # which would leave nothing for the others: see privacy.py
    "GET /v1/me/photos.zip": people("read", guest=False),
    "POST /v1/food-photos": people("chat", guest=False),
    "GET /v1/food-photos": people("read", guest=False),
    "GET /v1/food-photos/{id}": people("read", guest=False),
    "GET /v1/food-photos/{id}/image": people("read", guest=False),
    "PATCH /v1/food-photos/{id}": people("chat", guest=False),
    "DELETE /v1/food-photos/{id}": people("chat", guest=False),
    "GET /v1/memories": people("read", guest=False),
    "POST /v1/memories": people("chat", guest=False),
    "DELETE /v1/memories": people("chat", guest=False),
    "PATCH /v1/memories/{id}": people("chat", guest=False),
    "DELETE /v1/memories/{id}": people("chat", guest=False),
    "GET /v1/answers/{id}/context": people("read", guest=False),
    "GET /v1/predictions": people("read", guest=False),
    "POST /v1/predictions": people("feedback", guest=False),
    "GET /v1/predictions/{id}": people("read", guest=False),
    "PATCH /v1/predictions/{id}": people("feedback", guest=False),
    "GET /v1/models": people("read", "chat"),
    "GET /v1/models/{+name}": people("read", "chat"),
    "GET /rest/v1/ai_episodic_memory": people("read", guest=False),
    "POST /rest/v1/ai_episodic_memory": people("chat", guest=False),
    "PATCH /rest/v1/ai_episodic_memory": people("chat", guest=False),
    "DELETE /rest/v1/ai_episodic_memory": people("chat", guest=False),
    "GET /rest/v1/ai_predictions": people("read", guest=False),
    "POST /rest/v1/ai_predictions": people("feedback", guest=False),
    "PATCH /rest/v1/ai_predictions": people("feedback", guest=False),
    "GET " + REST: people("read", guest=False),
    "PATCH " + REST: people("feedback"),
    "POST " + REST: NOBODY,
    "DELETE " + REST: NOBODY,
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /metrics": EVERYBODY,
}
BATCH = {**{"%s %s" % (method, path): ADMINS for path, methods in {
    "/admin/job-kinds": "GET",
    "/admin/jobs": "GET",
    "/admin/jobs/{name}": "POST",
    "/admin/jobs/{id}": "GET",
    "/admin/jobs/{id}/events": "GET",
    "/admin/jobs/{id}/cancel": "POST",
    "/admin/datasets": "GET POST",
    "/admin/datasets/{id}": "GET",
    "/admin/datasets/{id}/export": "GET",
    "/admin/datasets/{id}/examples": "GET POST",
    "/admin/datasets/{id}/versions": "GET POST",
    "/admin/dataset-versions/{id}": "GET",
    "/admin/dataset-versions/{id}/users": "GET",
    "/admin/examples/{id}": "GET PATCH DELETE",
    "/admin/examples/{id}/validate": "POST",
    "/admin/examples/{id}/reject": "POST",
    "/admin/users/{id}/erase-training-data": "POST",
    "/admin/users": "GET",
    "/admin/users/{id}": "GET DELETE",
    "/admin/users/{id}/conversations": "GET",
    "/admin/users/{id}/memories": "GET",
    "/admin/users/{id}/consent": "PATCH",
    "/admin/users/{id}/export": "GET",
    "/admin/answers": "GET",
    "/admin/answers/export": "GET",
    "/admin/answers/{id}": "GET",
    "/admin/answers/{id}/mark": "POST",
    "/admin/answers/{id}/reject": "POST",
    "/admin/answers/{id}/review": "DELETE",
    "/admin/settings": "GET PATCH",
    "/admin/privacy": "GET",
    "/admin/erasures": "GET",
    "/admin/log": "GET",
    "/admin/coaches": "GET",
    "/admin/coaches/{name}": "GET PUT DELETE",
    "/admin/coaches/{name}/versions": "GET",
    "/admin/coaches/{name}/preview": "POST",
    "/admin/finetuning-jobs": "GET POST",
    "/admin/finetuning-jobs/{id}": "GET",
    "/admin/finetuning-jobs/{id}/events": "GET",
    "/admin/finetuning-jobs/{id}/cancel": "POST",
    "/admin/model-versions": "GET",
    "/admin/model-versions/{id}": "GET",
    "/admin/model-versions/{id}/deploy-plan": "GET",
    "/admin/model-versions/{id}/rollback-plan": "GET",
    "/admin/model-lineage": "GET",
    "/admin/model-versions/{id}/deploy": "POST",
    "/admin/model-versions/{id}/rollback": "POST",
    "/admin/experiments": "GET POST",
    "/admin/experiments/{id}": "GET PATCH DELETE",
    "/admin/experiments/{id}/check": "GET",
    "/admin/experiments/{id}/start": "POST",
    "/admin/experiments/{id}/pause": "POST",
    "/admin/experiments/{id}/stop": "POST",
    "/admin/experiments/{id}/clone": "POST",
    "/admin/experiments/{id}/preview": "GET",
    "/admin/experiments/{id}/results": "GET",
    "/admin/experiment-plan": "GET",
    "/admin/prompt-versions": "GET",
    "/admin/prompt-versions/{id}": "GET",
    "/admin/rollouts": "GET POST",
    "/admin/rollouts/{id}": "GET",
    "/admin/rollouts/{id}/advance": "POST",
    "/admin/rollouts/{id}/promote": "POST",
    "/admin/rollouts/{id}/rollback": "POST",
    "/admin/playbooks": "GET",
    "/admin/playbooks/{name}": "GET",
    "/admin/playbooks/{name}/guidelines": "POST",
    "/admin/playbook-guidelines/{id}/retire": "POST",
    "/admin/playbook-guidelines/{id}/restore": "POST",
    "/admin/autopilot": "GET",
    "/admin/autopilot/report": "GET",
    "/admin/autopilot/start": "POST",
    "/admin/autopilot/stop": "POST",
    "/admin/autopilot/dry-run": "POST",
    "/admin/providers": "GET",
    "/admin/providers/{name}": "GET PUT DELETE",
    "/admin/providers/{name}/test": "POST",
    "/admin/breakers": "GET",
    "/admin/memory-policy": "GET PATCH",
    "/admin/memory-policy/try": "POST",
    "/admin/models": "GET PUT DELETE",
    "/admin/model-rules": "GET PUT DELETE",
    "/admin/rate-limits": "GET PUT DELETE",
    "/admin/prices": "GET PUT DELETE",
    "/admin/budgets": "GET POST",
    "/admin/budgets/{id}": "GET PATCH DELETE",
    "/admin/api-keys": "GET POST",
    "/admin/api-keys/{id}": "GET PATCH",
    "/admin/api-keys/{id}/revoke": "POST",
    "/admin/food-photos/accuracy": "GET",
    "/admin/food-photos/export": "GET",
    "/admin/food-photos/{id}": "GET",
    "/admin/food-photos/{id}/image": "GET",
    "/admin/errors": "GET",
    "/admin/errors/{name}": "GET",
    "/admin/errors/{name}/resolve": "POST",
    "/admin/errors/{name}/reopen": "POST",
    "/admin/knowledge/search": "POST",
    "/admin/costs": "GET",
    "/admin/stats": "GET",
    "/admin/overview": "GET",
    "/admin/changes": "GET",
    "/admin/worth": "GET",
    "/admin/predictions": "GET",
    "/admin/predictions/figures": "GET",
    "/admin/predictions/calibration": "GET",
    "/admin/predictions/drift": "GET",
    "/admin/knowledge": "GET POST",
    "/admin/knowledge/{id}": "GET PATCH DELETE",
    "/admin/knowledge/{id}/chunks": "GET",
    "/admin/schedules": "GET",
    "/admin/schedules/{name}": "PUT",
    "/admin/schedules/{name}/run": "POST",
}.items() for method in methods.split()}, "GET /healthz": EVERYBODY, "GET /readyz": EVERYBODY}

# Those who may read what was said.
READERS = PEOPLE | {"key read"}


def routes_of(name):
    """METHOD PATH of each route, as the program itself tells."""
    text = subprocess.run([program(name), "--routes"], check=True, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], **sanitizers()}).stdout
    return [" ".join(line.split()[:2]) for line in text.splitlines()]


class Callers:
    """Everybody who may come, by name: the token each sends. Keys have the user's rows."""

    def __init__(self, uplift):
        self.uplift = uplift
        self.tokens = {
            "nobody": None, "anon key": uplift.anon_key, "user": uplift.token(), "anonymous": uplift.token(is_anonymous=True),
            "admin": uplift.admin_token(), "service_role": jwt({"role": "service_role", "iss": "test", "exp": int(time.time()) + 36000})}
        for scope in SCOPES:
            made = uplift.admin("POST", "/admin/api-keys", {"name": scope, "scopes": [scope], "user_id": USER})
            self.tokens["key " + scope] = made.json()["key"]

    def ask(self, who, method, path, body=None, **headers):
        return self.uplift.request(method, path, body, user=None, token=self.tokens[who], headers=headers)


def request_of(route, row):
    """The method, path and body for a route: what is there to be read is the row's; what would change is not there."""
    method, path = route.split(" ")
    changes = method in ("DELETE", "PATCH") or path.startswith("/admin/")
    ids = {"/v1/feedback/": row["feedbackId"], "/v1/chat/": row["feedbackId"], "/v1/conversations/": NOBODYS if changes else row["conversation_id"]}
    found = next((value for start, value in ids.items() if path.startswith(start)), NOBODYS)
    body = {"/v1/chat": {"message": "Hello."}, "/v1/preferences": {"severity": 2.5}, "/v1/memories": {"text": "I like tea."},
            "/v1/chat/completions": {"model": "sim-1", "messages": [{"role": "user", "content": "Hello."}]},
            "/v1/feedback/{id}": {"rating": 4}, REST: {"helpful": True}}.get(path, {})
    if path == "/rest/v1/ai_episodic_memory":
        path += "?id=eq." + NOBODYS if method != "POST" else ""
        body = {"memory_text": "I like tea."} if method == "POST" else {"is_pinned": True}
    if path == "/rest/v1/ai_predictions":
        path += "?id=eq." + NOBODYS if method != "POST" else ""
        body = {"prediction_type": "meal_plan", "model_name": "m", "model_version": "1"} if method == "POST" else {"user_accepted": True}
    if path == REST:
        path += "?id=eq." + row["feedbackId"]
    return method, path.replace("{id}", found).replace("{name}", "sim-1"), None if method == "GET" else body


def is_refused(answer):
    return answer.status in (401, 403)


def call_all(callers, names, routes, row, prefix=""):
    """For each route, those who get through, and those who are shown what was said."""
    through, shown = {}, {}
    for route in routes:
        for who in names if route != "DELETE /v1/me" else ():
            method, path, body = request_of(route, row)
            answer = callers.ask(who, method, prefix + path, body)
            if answer.status >= 500:
                ok(False, "%s as %s is an answer" % (route, who), answer.text)
            if not is_refused(answer):
                through.setdefault(route, set()).add(who)
            if any(words in answer.text for words in (ASKED, SAID)):
                shown.setdefault(route, set()).add(who)
    return through, shown


def check(routes, table, found, among):
    through, shown = found
    for route in routes:
        if route in table and route != "DELETE /v1/me":
            equal(sorted(through.get(route, ())), sorted(table[route] & among), "%s is for those it is meant for" % route)
        readers = READERS | ADMINS if table is BATCH else READERS
        equal(sorted(shown.get(route, set()) - readers), [], "%s tells nobody else what was said" % route)


def representation(callers, row):
    """PATCH shows the row where it is asked to."""
    told = {}
    for who in callers.tokens:
        answer = callers.ask(who, "PATCH", "%s?id=eq.%s" % (REST, row["feedbackId"]), {"helpful": False}, Prefer="return=representation")
        told[who] = not is_refused(answer)
        equal(ASKED in answer.text, told[who], "PATCH with return=representation as %s: refused, or the row" % who)
    equal({who for who, got in told.items() if got}, PEOPLE, "no API key with one scope may change and read at once")
    answer = callers.ask("key feedback", "PATCH", "%s?id=eq.%s" % (REST, row["feedbackId"]), {"helpful": False}, Prefer="return=representation")
    equal((answer.status, answer.json()["code"]), (403, "42501"), "with PostgREST's code")
    path = REST + "?id=eq.%s&helpful=is.false" % row["feedbackId"]
    answer = callers.ask("key feedback", "PATCH", path, {"rating": 4}, Prefer="count=exact")
    equal((answer.status, answer.json()["code"]), (403, "42501"), "nor may it find out what stands by filtering")


def own_words(uplift, callers, row):
    """Who may change and not read is told of what it said, and of nothing that was there."""
    made = uplift.admin("POST", "/admin/api-keys", {"name": "both", "scopes": ["feedback", "read"], "user_id": USER}).json()
    callers.tokens["key both"] = made["key"]
    uplift.post("/v1/feedback/" + row["feedbackId"], {"feedback_text": SAID, "rating": 5})
    path = "/v1/feedback/" + row["feedbackId"]
    told = callers.ask("key feedback", "POST", path, {"helpful": True}).json()
    equal({k: v for k, v in told.items() if k in ("helpful", "rating", "feedback_text")}, {"helpful": True}, "a key with scope feedback sees its thumb alone")
    told = callers.ask("key both", "POST", path, {"helpful": True}).json()
    equal((told["rating"], told["feedback_text"]), (5, SAID), "with scope read as well, all that stands")
    equal(callers.ask("key chat", "PUT", "/v1/preferences", {"severity": 2.5}).json(), {"severity": 2.5}, "a key with scope chat sees the preference it set")
    ok(len(callers.ask("user", "PUT", "/v1/preferences", {"severity": 2.5}).json()) > 5, "its user sees all")


def guests(uplift, callers, routes):
    """One user shared by all without a token: none of them sees, or sets, what is the others'."""
    other = callers.ask("guest", "POST", "/v1/chat", {"message": ASKED}).json()
    uplift.post("/v1/feedback/" + other["feedbackId"], {"feedback_text": SAID}, user=None, token=uplift.anon_key)
    equal(callers.ask("guest", "GET", "/v1/conversations").json()["data"], [], "there is no list of guests' conversations")
    through, _ = call_all(callers, ["guest"], routes, other)
    for route in routes:
        equal("guest" in through.get(route, ()), "guest" in CHAT[route], "%s: guests" % route)
    equal(callers.ask("guest", "GET", "/v1/conversations/" + other["conversation_id"]).status, 200, "who knows the id goes on with it")
    answers_of_guests(uplift, callers, other)


def answers_of_guests(uplift, callers, other):
    """Without its id no guest changes, or is shown, an answer to another one."""
    id = other["feedbackId"]
    before = uplift.row(id)
    for query in ("", "?helpful=is.null", "?feedback_text=not.is.null", "?user_id=eq." + GUEST, "?id=in.(%s)" % id, "?id=neq." + NOBODYS,
                  "?id=eq.%s&rating=is.null" % id, "?or=(id.eq.%s,rating.is.null)" % id):
        for prefer in ("return=minimal", "return=representation", "count=exact"):
            answer = callers.ask("guest", "PATCH", REST + query, {"helpful": False, "rating": 1}, Prefer=prefer)
            equal((answer.status, answer.json()["code"]), (403, "42501"), "PATCH %s by a guest with Prefer: %s" % (query, prefer))
    equal(uplift.row(id), before, "the other guest's answer is as it was")
    answer = callers.ask("guest", "PATCH", REST + "?id=eq." + id, {"rating": 4}, Prefer="return=representation")
    equal((answer.status, [row["rating"] for row in answer.json()]), (200, [4]), "who knows its id gives feedback on it")


def nginx(text):
    """Lets the test call what fcgi-batch has outside of /admin/."""
    location = "location /batch/ { fastcgi_param DOCUMENT_URI $batch_uri; %s fastcgi_pass uplift_batch; }"
    copied = " ".join("fastcgi_param %s $%s;" % pair for pair in (
        ("REQUEST_METHOD", "request_method"), ("QUERY_STRING", "query_string"), ("REQUEST_URI", "request_uri"),
        ("SERVER_PROTOCOL", "server_protocol"), ("UPLIFT_REQUEST_ID", "request_id")))
    text = text.replace("location /admin/ {", location % copied + "\n        location /admin/ {", 1)
    return text.replace("upstream uplift_chat {", "map $uri $batch_uri { '~^/batch(/.*)$' $1; default $uri; }\n    upstream uplift_chat {", 1)


def main():
    with Uplift(batch=True, nginx=nginx) as uplift:
        chat, batch = routes_of("fcgi-chat"), routes_of("fcgi-batch")
        equal(sorted(chat), sorted(CHAT), "fcgi-chat has the routes of this table")
        equal(sorted(batch), sorted(BATCH), "and fcgi-batch")

        row = uplift.post("/v1/chat", {"message": ASKED}).json()
        uplift.post("/v1/feedback/" + row["feedbackId"], {"feedback_text": SAID})
        callers = Callers(uplift)
        names = list(callers.tokens)
        check(chat, CHAT, call_all(callers, names, chat, row), set(names))
        admin = [route for route in batch if " /admin/" in route]
        check(admin, BATCH, call_all(callers, names, admin, row), set(names))
        health = [route for route in batch if " /admin/" not in route]
        check(health, BATCH, call_all(callers, names, health, row, "/batch"), set(names))
        own_words(uplift, callers, row)
        del callers.tokens["key both"]
        representation(callers, row)

        uplift.restart_chat(UPLIFT_GUEST_USER=GUEST)
        callers.tokens["guest"] = uplift.anon_key
        guests(uplift, callers, chat)


main()
done()
