#!/usr/bin/python3
"""Which models may be asked: those that are listed, what rules add and take away for users, coaches and API keys, those
without a price under a budget, and what GET /v1/models shows of it. All of it also while Postgres is away."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift, wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402
from witness import Witness  # noqa: E402

ANN = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"
COACH, OTHER_COACH = "coach_maple_avatar", "coach_ledger_avatar"
MESSAGES = [{"role": "user", "content": "Hello."}]
RULES = "/admin/model-rules"


def follow(uplift):
    """Until all workers know the last change."""
    change = uplift.value("select access_revision from uplift.routing_state")
    revision = uplift.value("select revision from uplift.routing_state")
    workers = len(uplift.workers())
    known = wait_for(lambda: uplift.read_log().count('follows change %d"' % change) >= workers and
                     uplift.read_log().count('revision %d"' % revision) >= workers, 20)
    if not known:
        ok(False, "all workers know the last change", uplift.read_log()[-2000:])


def put(uplift, path, body):
    answer = uplift.admin("PUT", path, body)
    if answer.status != 200:
        ok(False, "PUT %s: %s" % (path, answer.text))
    follow(uplift)


def rule(uplift, scope, key=None, **lists):
    put(uplift, RULES, {"scope": scope, **({"key": key} if key else {}), **lists})


def unrule(uplift, scope, key=None):
    answer = uplift.admin("DELETE", "%s?scope=%s%s" % (RULES, scope, "&key=" + key if key else ""))
    equal(answer.status, 200, "a rule is deleted")
    follow(uplift)


def ask(uplift, model=None, user=ANN, token=None, **more):
    body = {"messages": MESSAGES, **more}
    if model is not None:
        body["model"] = model
    return uplift.post("/v1/chat/completions", body, user=None if token else user, token=token)


def told(answer):
    return answer.status if answer.status < 400 else (answer.status, answer.error().get("code"))


NO_MODEL = (404, "model_not_found")


def models(uplift, user=ANN, token=None):
    answer = uplift.get("/v1/models", user=None if token else user, token=token)
    return [m["id"] for m in answer.json()["data"] if not m["id"].startswith(("coach_", "uplift/"))]


def listed(uplift, witness):
    """Without any rule."""
    put(uplift, "/admin/providers/far", {"base_url": witness.url})
    put(uplift, "/admin/models", {"name": "routed", "routes": [{"provider": "far", "model": "sim-1"}]})
    put(uplift, "/admin/models", {"name": "hidden", "is_listed": False, "routes": [{"provider": "far", "model": "sim-1"}]})
    put(uplift, "/admin/models", {"name": "*", "routes": [{"provider": "far"}]})
    for version, (model, environment) in enumerate((("sim-1-tuned", "production"), ("sim-1-staged", "staging"))):
        row = uplift.value("insert into public.ai_model_versions (model_name, version, model_id) values ('tuned', %s, %s) returning id", str(version), model)
        equal(uplift.admin("POST", "/admin/model-versions/%s/deploy" % row, {"environment": environment, "coach_id": OTHER_COACH}).status, 200, model + " is deployed")
    follow(uplift)
    for model in ("sim-1", "sim-1-mini", "routed", "sim-1-tuned", COACH, "uplift/" + COACH):
        equal(told(ask(uplift, model)), 200, model + " is listed, and answers")
    witness.seen.clear()
    for model in ("gpt-5-pro", "sim-1-huge", "hidden", "*", "sim-1-staged", "SIM-1", "sim-1 ", "sim-1*"):
        answer = ask(uplift, model)
        equal(told(answer), NO_MODEL, "%s is not, though a route would lead there" % model)
    equal((sorted(answer.error()), answer.error()["type"], answer.error()["param"]),
          (["code", "message", "param", "type"], "invalid_request_error", "model"), "in OpenAI's shape")
    equal(witness.seen, [], "and no provider is asked")
    equal(uplift.value("select count(*) from coach_response_feedback where model_used like 'gpt-5%%'"), 0, "nor a row made")
    equal(sorted(models(uplift)), ["routed", "sim-1", "sim-1-mini", "sim-1-tuned"], "GET /v1/models shows what is listed")
    equal(uplift.get("/v1/models/hidden").error().get("code"), "model_not_found", "and nothing else")
    ok(COACH in [m["id"] for m in uplift.get("/v1/models").json()["data"]], "coaches among them")


def users(uplift):
    rule(uplift, "user", allow=["sim-1-mini"])
    rule(uplift, "user", ANN, allow=["sim-1*", "routed", "hidden"], deny=["sim-1-tuned"], note="a friend")
    for user, model, wanted in ((BOB, "sim-1-mini", 200), (BOB, "sim-1", NO_MODEL), (BOB, "routed", NO_MODEL), (ANN, "sim-1", 200),
                                (ANN, "sim-1-huge", 200), (ANN, "hidden", 200), (ANN, "sim-1-tuned", NO_MODEL), (ANN, "gpt-5-pro", NO_MODEL)):
        equal(told(ask(uplift, model, user)), wanted, "%s, by a rule for %s" % (model, "one user" if user == ANN else "each"))
    equal(models(uplift, BOB), ["sim-1-mini"], "each sees what they may ask")
    equal(sorted(models(uplift, ANN)), ["hidden", "routed", "sim-1", "sim-1-mini"], "also what is not listed, and only what is theirs")
    equal(uplift.get("/v1/models/hidden", user=ANN).status, 200, "one by one, too")
    equal(told(uplift.get("/v1/models/hidden", user=BOB)), NO_MODEL, "and not for others")
    rule(uplift, "user", ANN, deny=["routed"])
    equal([told(ask(uplift, m)) for m in ("sim-1", "routed", "hidden")], [200, NO_MODEL, NO_MODEL], "a rule that only denies leaves those that are listed")
    rule(uplift, "user", ANN, allow=["*"], deny=["gpt*"])
    equal([told(ask(uplift, m)) for m in ("anything", "gpt-5-pro")], [200, NO_MODEL], "a rule may allow any at all")
    unrule(uplift, "user", ANN)
    equal(told(ask(uplift, "sim-1")), NO_MODEL, "without one's own, the rule for each counts")


def coaches(uplift):
    unrule(uplift, "user")
    rule(uplift, "coach", COACH, allow=["sim-1-mini"])
    equal(told(ask(uplift, "sim-1-mini", coach_id=COACH)), 200, "a coach's rule: the one model it has")
    equal(told(ask(uplift, "sim-1", coach_id=COACH)), NO_MODEL, "and no other")
    equal(told(ask(uplift, "sim-1", metadata={"coach_id": COACH})), NO_MODEL, "however the coach is named")
    equal(told(ask(uplift, "sim-1", coach_id=OTHER_COACH)), 200, "other coaches have theirs")
    rule(uplift, "user", deny=["sim-1-mini"])
    equal(told(ask(uplift, "sim-1-mini", coach_id=COACH)), NO_MODEL, "all rules that apply must agree")
    unrule(uplift, "user")
    unrule(uplift, "coach", COACH)


def api_keys(uplift):
    made = [uplift.admin("POST", "/admin/api-keys", {"name": name, "scopes": ["chat", "read"], "user_id": BOB}).json() for name in ("one", "two")]
    rule(uplift, "api_key", made[0]["id"], allow=["hidden"])
    one, two = made[0]["key"], made[1]["key"]
    equal([told(ask(uplift, m, token=one)) for m in ("hidden", "sim-1")], [200, NO_MODEL], "an API key has models of its own")
    equal([told(ask(uplift, m, token=two)) for m in ("hidden", "sim-1")], [NO_MODEL, 200], "and another those that are listed")
    equal(models(uplift, token=one), ["hidden"], "which it is shown")
    unrule(uplift, "api_key", made[0]["id"])


def chosen(uplift):
    """Leaving the model out is no way around a rule."""
    def used(**more):
        answer = uplift.post("/v1/chat", {"message": "Hi.", **more}, user=ANN)
        return answer.json()["model"] if answer.status == 200 else told(answer)
    equal(used(coach_id=OTHER_COACH), "sim-1-tuned", "a coach is answered by what is deployed for it")
    rule(uplift, "user", ANN, deny=["sim-1-tuned"])
    equal(used(coach_id=OTHER_COACH), "sim-1", "where that is closed, by the configured model")
    rule(uplift, "user", ANN, allow=["sim-1-mini"])
    equal(used(), (403, "model_not_allowed"), "where that is closed as well, by none")
    equal(told(ask(uplift)), (403, "model_not_allowed"), "nor without a model in the request")
    equal(told(ask(uplift, COACH)), (403, "model_not_allowed"), "nor by a coach's name")
    equal(told(ask(uplift, "sim-1-mini")), 200, "what is open is to be had by its name")
    unrule(uplift, "user", ANN)


def unpriced(uplift):
    uplift.sql("delete from uplift.model_prices where model <> 'sim-1'")
    equal([told(ask(uplift, m)) for m in ("sim-1", "sim-1-mini")], [200, 200], "without a budget no price is needed")
    budget = uplift.admin("POST", "/admin/budgets", {"scope": "user", "key": ANN, "period": "day", "limit_usd": 100}).json()
    follow(uplift)
    equal(told(ask(uplift, "sim-1")), 200, "under a budget a model with a price answers")
    ok(wait_for(lambda: told(ask(uplift, "sim-1-mini")) == (403, "model_not_priced"), 10), "one without does not")
    equal(told(ask(uplift, "routed")), 200, "of a route the name that the provider has for it counts")
    equal(told(ask(uplift, "sim-1-mini", BOB)), 200, "whoever has no budget is as free as before")
    equal(sorted(models(uplift)), ["routed", "sim-1"], "GET /v1/models leaves it out")
    equal(uplift.post("/v1/chat", {"message": "Hi.", "coach_id": OTHER_COACH}, user=ANN).json().get("model"), "sim-1", "nor does what is deployed without a price")
    version = uplift.value("insert into public.ai_model_versions (model_name, version, model_id) values ('tuned', '7', 'sim-1-new') returning id")
    equal(told(uplift.admin("POST", "/admin/model-versions/%s/deploy" % version, {"environment": "production"})), (409, "model_not_priced"),
          "which is refused beforehand")
    uplift.admin("PUT", "/admin/prices", {"model": "sim-1-mini", "input_per_million": 0, "output_per_million": 0})
    ok(wait_for(lambda: told(ask(uplift, "sim-1-mini")) == 200, 10), "a price of nothing is one")
    uplift.sql("update uplift.settings set value = '\"allow\"' where key = 'budgets.unpriced'")
    follow(uplift)
    equal(told(ask(uplift, "sim-1-tuned")), 200, "the operator can do without")
    uplift.sql("update uplift.settings set value = '\"refuse\"' where key = 'budgets.unpriced'")
    uplift.admin("PATCH", "/admin/budgets/" + budget["id"], {"scope": "coach", "key": OTHER_COACH})
    follow(uplift)
    equal([told(ask(uplift, "sim-1-tuned", coach_id=c)) for c in (OTHER_COACH, COACH)], [(403, "model_not_priced"), 200], "a coach's budget is for that coach")
    uplift.admin("DELETE", "/admin/budgets/" + budget["id"])
    follow(uplift)


def bad_input(uplift):
    for body, code in (({}, "invalid_scope"), ({"scope": "all", "allow": ["x"]}, "invalid_scope"), ({"scope": "user"}, "incomplete_rule"),
                       ({"scope": "user", "deny": []}, "incomplete_rule"), ({"scope": "user", "key": "ann", "allow": ["x"]}, "invalid_key"),
                       ({"scope": "api_key", "key": ANN.upper(), "allow": ["x"]}, "invalid_key"), ({"scope": "coach", "key": "c" * 129, "allow": ["x"]}, "invalid_key"),
                       ({"scope": "user", "allow": "x"}, "invalid_allow"), ({"scope": "user", "allow": [7]}, "invalid_allow"), ({"scope": "user", "allow": [""]}, "invalid_allow"),
                       ({"scope": "user", "allow": ["a*b"]}, "invalid_allow"), ({"scope": "user", "allow": ["x" * 257]}, "invalid_allow"),
                       ({"scope": "user", "allow": ["m%d" % i for i in range(101)]}, "invalid_allow"), ({"scope": "user", "deny": {}}, "invalid_deny"),
                       ({"scope": "user", "allow": ["x"], "colour": 1}, "unknown_argument"), ({"scope": "user", "allow": ["x"], "note": 7}, "invalid_note")):
        equal(told(uplift.admin("PUT", RULES, body)), (400, code), "refused: %.60s" % json.dumps(body))
    equal(told(uplift.admin("DELETE", RULES + "?scope=user&key=" + BOB)), (404, "model_rule_not_found"), "there is none to delete")
    equal(told(uplift.request("PUT", RULES, {"scope": "user", "allow": ["*"]}, user=ANN)), (403, "admin_required"), "users make none")
    equal(uplift.value("select count(*) from uplift.model_rules"), 0, "nothing of it is there")
    uplift.sql("insert into uplift.model_rules (scope, key, allow) select 'user', gen_random_uuid()::text, '{x}' from generate_series(1, 10000)")
    equal(told(uplift.admin("PUT", RULES, {"scope": "user", "key": BOB, "allow": ["x"]})), (409, "too_many_rules"), "there may be ten thousand")
    seen, after = set(), ""
    for _ in range(60):
        page = uplift.admin("GET", RULES + "?limit=200" + after).json()
        seen.update(r["id"] for r in page["data"])
        if not page["has_more"]:
            break
        after = "&after=" + page["data"][-1]["id"]
    equal(len(seen), 10000, "and all can be listed")
    follow(uplift)
    equal(told(ask(uplift, "sim-1")), 200, "with so many, workers go on")
    uplift.sql("delete from uplift.model_rules")


def away(uplift):
    """What was known last holds, in a worker that lives on and in one that is born."""
    rule(uplift, "user", BOB, allow=["hidden"])
    uplift.sql("alter role uplift_app nologin")
    uplift.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'uplift_app' and datname = current_database()")
    try:
        ok(uplift.ready("degraded"), "Postgres is away")
        for name in ("workers that live on", "workers that are born"):
            wanted = [(ANN, "sim-1", 200), (ANN, "sim-1-tuned", 200), (ANN, "hidden", NO_MODEL), (ANN, "gpt-5-pro", NO_MODEL), (BOB, "hidden", 200), (BOB, "sim-1", NO_MODEL)]
            equal([(u, m, told(ask(uplift, m, u))) for u, m, _ in wanted], wanted, name + ": as last known")
            uplift.stop_chat()
            uplift.start_chat("degraded")
    finally:
        uplift.sql("alter role uplift_app login")
    ok(uplift.ready("ready"), "Postgres is back")


def main():
    with Uplift(batch=True, expected="provider|Postgres|database", UPLIFT_WORKERS="1") as uplift, Witness(uplift.sim_port) as witness:
        uplift.sql("delete from uplift.model_rules")  # with which tests begin
        follow(uplift)
        listed(uplift, witness)
        users(uplift)
        coaches(uplift)
        api_keys(uplift)
        chosen(uplift)
        unpriced(uplift)
        bad_input(uplift)
        away(uplift)
        contains(uplift.read_log("batch") + uplift.read_log(), "access", "the log tells of changes")


main()
done()
