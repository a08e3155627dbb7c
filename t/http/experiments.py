#!/usr/bin/python3
"""Experiments over HTTP: made, checked, started, and what chats, testers and a worker without Postgres make of them."""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from scripted import Scripted  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

MISSING = "01890000-0000-7000-8000-000000000000"
PATH = "/admin/experiments"
USERS = ["7000000%d-0000-4000-8000-00000000000%d" % (n % 10, n % 7) for n in range(1, 7)]
DRAFT = {"experiment_name": "Warmer", "success_metric": "thumbs_up_rate", "min_users": 2,
         "control_variant": {"variant_name": "as it is"},
         "test_variants": [{"variant_name": "warm", "temperature": 0.9, "prompt_suffix": "Be warm.", "model": "sim-1-mini"}]}


def bucket(salt, user):
    """As EXPERIMENTS.md says it is computed."""
    return int(hashlib.sha256((salt + user).encode()).hexdigest()[:13], 16) / 2 ** 52


def refused(up, method, path, body, wanted, why):
    answer = up.admin(method, path, body)
    equal((answer.status, answer.error()["code"], answer.error().get("param")), wanted, why)
    return answer.error()["message"]


def bad_input(up):
    refused(up, "POST", PATH, {}, (400, "missing_argument", "experiment_name"), "nothing is no experiment")
    refused(up, "POST", PATH, {**DRAFT, "test_variants": "x"}, (400, "invalid_test_variants", "test_variants"), "variants are a list")
    refused(up, "POST", PATH, {**DRAFT, "alpha": "NaN"}, (400, "invalid_alpha", "alpha"), "alpha is a number")
    refused(up, "POST", PATH, {**DRAFT, "mood": 1}, (400, "unknown_argument", "mood"), "what is not known is refused")
    refused(up, "POST", PATH, {**DRAFT, "min_users": 1e12}, (400, "invalid_min_users", "min_users"), "and what is out of bounds")
    message = refused(up, "POST", PATH, {**DRAFT, "success_metric": "fun", "test_variants": [{"variant_name": "as it is", "severity": 7}]},
                      (400, "invalid_experiment", "success_metric"), "what is wrong with it")
    contains(message, "test_variants[0].severity must be a number from 1.0 to 6.0; test_variants[0].variant_name is that of another", "is told whole")
    for method, path in (("GET", ""), ("GET", "/check"), ("GET", "/results"), ("GET", "/preview?user_id=" + USERS[0]), ("PATCH", ""), ("DELETE", ""),
                         ("POST", "/start"), ("POST", "/pause"), ("POST", "/stop"), ("POST", "/clone")):
        answer = up.admin(method, "%s/%s%s" % (PATH, MISSING, path), None if method == "GET" else {})
        equal((answer.status, answer.error()["code"]), (404, "experiment_not_found"), "%s%s of none that there is" % (method, path))
    equal(up.request("GET", PATH, user=USERS[0]).status, 403, "for admins only")
    refused(up, "GET", PATH + "?status=odd", None, (400, "invalid_status", "status"), "no such status")


def lifecycle(up):
    made = up.admin("POST", PATH, {**DRAFT, "salt": "warmer"})  # by which there are users on both sides
    equal((made.status, made.json()["status"]), (201, "draft"), "a draft is made")
    own = "%s/%s" % (PATH, made.json()["id"])
    equal(up.admin("GET", own + "/check").json()["problems"], [], "and nothing is wrong with it")
    equal(up.post("/v1/chat", {"message": "hi"}, user=USERS[0]).json()["model"], "sim-1", "a draft changes nothing")
    equal(up.admin("POST", own + "/start", {}).json()["status"], "running", "started")
    equal(up.admin("POST", own + "/start", {}).status, 200, "twice does no harm")
    refused(up, "PATCH", own, {"test_variants": [{"variant_name": "cold"}]}, (409, "experiment_running", None), "its variants stay")
    refused(up, "DELETE", own, {}, (409, "wrong_status", None), "and it stays")
    clone = up.admin("POST", own + "/clone", {"experiment_name": "Warmer still"})
    equal((clone.status, clone.json()["status"], clone.json()["salt"] != made.json()["salt"]), (201, "draft", True), "a clone is a draft with its own salt")
    theirs = "%s/%s" % (PATH, clone.json()["id"])
    check = up.admin("GET", theirs + "/check").json()
    equal((check["can_start"], check["problems"][0]["param"]), (False, "test_variants"), "which clashes with what runs")
    refused(up, "POST", theirs + "/start", {}, (400, "invalid_experiment", "test_variants"), "so it cannot start")
    equal(up.admin("DELETE", theirs, {}).json()["deleted"], True, "a draft can go")
    equal([e["id"] for e in up.admin("GET", PATH + "?status=running").json()["data"]], [made.json()["id"]], "what runs is listed")
    return made.json(), own


def chats(up, provider, experiment, own):
    """Each user gets what the hash says, in both protocols, and the row says so."""
    seen = set()
    for user in USERS:
        warm = bucket(experiment["salt"], user) >= 0.5
        seen.add(warm)
        preview = up.admin("GET", own + "/preview?user_id=" + user).json()
        equal((preview["variant"], preview["is_exposed"]), ("warm" if warm else "as it is", True), "the preview is what anybody computes")
        answer = up.post("/v1/chat", {"message": "Hello there"}, user=user)
        sent = provider.last()
        equal((sent["model"], sent.get("temperature"), sent["messages"][0]["content"].endswith("Be warm.")),
              ("sim-1-mini", 0.9, True) if warm else ("sim-1", None, False), "and what the provider is asked")
        row = up.row(answer.json()["feedbackId"])
        equal([(x["experiment"], x["variant"]) for x in row["exposures"]], [("Warmer", preview["variant"])], "and what the answer says")
    equal(seen, {True, False}, "both variants were seen")
    user = next(u for u in USERS if bucket(experiment["salt"], u) >= 0.5)
    up.post("/v1/chat/completions", {"model": "coach_decibel_avatar", "messages": [{"role": "user", "content": "Hi"}]}, user=user)
    equal((provider.last()["model"], provider.last()["temperature"]), ("sim-1-mini", 0.9), "the same by the other protocol")
    answer = up.post("/v1/chat/completions", {"model": "coach_decibel_avatar", "temperature": 0.1, "messages": [{"role": "user", "content": "Hi"}]}, user=user)
    equal((provider.last()["model"], provider.last()["temperature"]), ("sim-1", 0.1), "what the request says wins")
    equal(up.row(answer.json()["id"].removeprefix("chatcmpl-"))["exposures"], None, "and is no exposure")
    provider.says = "Well."
    return user


def testers(up, experiment):
    headers = {"X-Uplift-Variant": "Warmer=warm"}
    cold = next(u for u in USERS if bucket(experiment["salt"], u) < 0.5)
    answer = up.post("/v1/chat", {"message": "hi"}, user=cold, headers=headers)
    equal((answer.status, answer.error()["code"]), (403, "variant_not_allowed"), "who may not test, may not")
    token = up.token(cold, app_metadata={"role": "tester"})
    answer = up.request("POST", "/v1/chat", {"message": "hi"}, token=token, headers=headers)
    equal(answer.json()["model"], "sim-1-mini", "a tester gets the variant")
    row = up.row(answer.json()["feedbackId"])
    equal([(x["variant"], x["override"]) for x in row["exposures"]], [("warm", True)], "and the row says that it was asked for")
    for text in ("nope=warm", "Warmer=odd", "Warmer", "=", "x" * 1001, "\xff"):
        answer = up.request("POST", "/v1/chat", {"message": "hi"}, token=token, headers={"X-Uplift-Variant": text})
        equal((answer.status, answer.error()["code"]), (400, "invalid_variant"), "no such thing: %.20r" % text)


def closed(up, provider, warm):
    """Who may not use a variant's model stays in it, or the others would be compared with another kind of users."""
    up.admin("PUT", "/admin/model-rules", {"scope": "user", "key": warm, "deny": ["sim-1-mini"]})
    up.synced()
    answer = up.post("/v1/chat", {"message": "Hello?"}, user=warm)
    equal((provider.last()["model"], provider.last()["temperature"]), ("sim-1", 0.9), "the configured model answers in place of one that is closed")
    equal([x["variant"] for x in up.row(answer.json()["feedbackId"])["exposures"]], ["warm"], "for the variant, as it would in production")
    up.sql("delete from uplift.model_rules")


def changed(up, name, old, new):
    """Replaces a part of a function; returns what brings it back."""
    before = up.value("select pg_get_functiondef(%s::regproc)", name)
    up.sql(before.replace(old, new))
    return lambda: up.sql(before)


def try_all(up, name, test, coach):
    """Begins an experiment on one coach whose other variants, as many as there are, nearly everybody has."""
    return up.value("""
        insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric, status, targeting, layer, traffic_share)
        values (%s, '{"variant_name": "v0"}', array(select v.value from jsonb_array_elements(%s) v), 'thumbs_up_rate', 'running', %s, %s, %s) returning id""",
                    name, json.dumps([{"variant_name": "v%d" % n, "weight": 100000, **one} for n, one in enumerate(test, 1)]),
                    json.dumps({"coaches": [coach]}), "long" if len(test) > 1 else None, 0.2 if len(test) > 1 else 1)


def known_whole(up):
    """What workers know of everything that can be tried: returns the experiment that a chat with the default coach is in, and what to undo."""
    persona = try_all(up, "Pirate", [{"personality": "You are a pirate, 100 %.", "guidelines": "Be brief.", "severity": 2.25, "memory": "off"}], "coach_decibel_avatar")
    try_all(up, "Sources", [{"knowledge": "off"}], "coach_decibel_avatar")
    try_all(up, "Burns", [{"mode": "roast", "top_p": 0.5}], "coach_decibel_avatar")
    for n in range(5):  # of the longest texts that there may be
        try_all(up, "Long %d" % n, [{"personality": "\U0001f600" * 19999 + str(k)} for k in range(10)], "coach_maple_avatar")
    up.sql("insert into uplift.production_changes (coach_id, changes) values (null, '{\"mode\": \"gym\", \"coach_id\": \"coach_gone\"}'), ('coach_maple_avatar', '{\"mode\": \"roast\"}')")
    return persona, changed(up, "uplift_chat.list_personas", "('default')", "('default'), ('gym')")


def away(up, provider, warm):
    """The last known experiments count while Postgres is away, and their exposures come by the spool."""
    persona, undo = known_whole(up)
    prompt = up.value("select uplift.shared_prompt(c.name, 'You are a pirate, 100 %.', 2.25, 'gym') from uplift.coaches c where c.is_default")
    up.restart_chat()  # so that it asks for all that there is
    for name, part in (("personas", "gym"), ("experiments", "Pirate")):
        wait_for(lambda name=name, part=part: part in open(os.path.join(up.dir, "spool", name + ".json")).read(), 30)
    up.restart_chat()  # each worker has read what was kept, however busy Postgres was
    with up.database_away():
        ok(up.ready("degraded"), "Postgres is away")
        answer = up.post("/v1/chat", {"message": "Are you there?"}, user=warm)
        sent = provider.last()
        equal((sent["model"], sent["temperature"], sent.get("top_p")), ("sim-1-mini", 0.9, None), "the same variant without Postgres, but none that takes consent")
        equal(sent["messages"][0]["content"], prompt + "\n\nBe warm.\n\nBe brief.", "with the prompt that Postgres makes of it")
        up.restart_chat(wanted="degraded")
        again = up.post("/v1/chat", {"message": "And now?"}, user=warm)
        equal(provider.last()["model"], "sim-1-mini", "and by workers that never saw it")
        equal(provider.last()["messages"][0]["content"], prompt + "\n\nBe warm.\n\nBe brief.", "whose prompt is the same")
        long = up.post("/v1/chat", {"message": "You?", "coach_id": "coach_maple_avatar", "mode": "roast"}, user=warm)
        ok("\U0001f600" * 19999 in provider.last()["messages"][0]["content"], "the longest texts have room")
        asked = up.request("POST", "/v1/chat", {"message": "hi"}, token=up.token(warm, app_metadata={"role": "tester"}),
                           headers={"X-Uplift-Variant": "Warmer=warm"})
        equal((asked.status, asked.error()["code"]), (503, "database_unavailable"), "a tester has to wait")
        os.unlink(os.path.join(up.dir, "spool", "personas.json"))
        up.restart_chat(wanted="degraded")
        plain = up.post("/v1/chat", {"message": "Who are you?"}, user=warm)
        contains(provider.last()["messages"][0]["content"], "You are a friendly and honest coach.", "where no persona is known, nobody in particular answers")
    ok(up.ready(), "it is back")
    equal(up.row(plain.json()["feedbackId"], seconds=20)["exposures"], None, "which is no exposure, for a variant could not change it")
    for answer, mode, names in ((answer, "gym", ["Warmer", "Pirate"]), (again, "gym", ["Warmer", "Pirate"]), (long, "default", ["Warmer", "Long"])):
        row = up.row(answer.json()["feedbackId"], seconds=20)
        equal((row["degraded"], row["mode"], [x["experiment"].split()[0] for x in row["exposures"]]), (True, mode, names), "the exposures are there with the answer")
    equal(row["exposures"][0]["variant"], "warm", "by their variants")
    equal(up.value("select variant from public.experiment_assignments where experiment_id = %s and user_id = %s", persona, warm), "v1", "and are counted")
    up.sql("delete from public.ai_experiments where experiment_name <> 'Warmer'; delete from uplift.production_changes")
    undo()


def too_large(up, provider, warm):
    """What Postgres cannot tell in time keeps nothing else from being told."""
    undo = changed(up, "uplift.known_experiments", "with known as (", "with known as (select 'slow' as kind, null::jsonb as value, '' as place, false as is_later from (select pg_sleep(60)) s union all ")
    up.sql("insert into uplift.production_changes (changes) values ('{\"top_p\": 0.5}')")
    up.admin("PUT", "/admin/model-rules", {"scope": "user", "key": warm, "deny": ["sim-1"]})
    ok(wait_for(lambda: up.post("/v1/chat/completions", {"model": "sim-1", "messages": [{"role": "user", "content": "Hi"}]}, user=warm).status != 200, 20),
       "a rule is heard of all the same")
    up.sql("delete from uplift.model_rules")
    ok(wait_for(lambda: up.post("/v1/chat/completions", {"model": "sim-1", "messages": [{"role": "user", "content": "Hi"}]}, user=warm).status == 200, 20),
       "and of another one, for they are not asked for each time")
    said = [line.get("worker") for line in map(json.loads, up.read_log().splitlines()) if "worker_sync() was refused" in line.get("message", "")]
    ok(said and len(said) == len(set(said)), "the log says so once for each worker, and not each time", said)
    undo()
    up.sql("delete from uplift.model_rules; delete from uplift.production_changes")


def results(up, own, experiment):
    equal(up.admin("GET", own + "/results").json()["metrics"], [], "nothing was measured yet")
    rows = up.sql("select id, user_id, exposures #>> '{0,variant}' as variant from public.coach_response_feedback"
                  " where exposures is not null and not exposures @> '[{\"override\": true}]'")
    for row in rows:
        up.post("/v1/feedback/%s" % row["id"], {"helpful": row["variant"] == "warm"}, user=row["user_id"])
    # Where Postgres has no time for a thumb it waits on disk.
    ok(wait_for(lambda: up.value("select count(*) from public.coach_response_feedback where helpful is not null") == len(rows), 20), "all thumbs are there")
    job = up.job("measure-experiments")
    equal((job["status"], job["result"]), ("succeeded", {"experiments_measured": 1, "users": len(USERS)}), "they are measured")
    found = up.admin("GET", own + "/results").json()
    first = found["metrics"][0]
    equal((first["metric"], first["decides"], [v["figures"]["value"] for v in first["variants"]]), ("thumbs_up_rate", True, [0, 1]), "what decides comes first")
    equal(sum(found["sample_ratio"]["users"]), len(USERS), "the unit is the user")
    equal([e["event"] for e in up.admin("GET", own).json()["events"]], ["created", "started"], "a handful of users proves nothing")
    contains(up.batch_run("experiments", own.split("/")[-1]).stdout, "There is no winner yet. The interval of a difference has to leave 0, with 2 users or more",
             "which the command line says, and what it takes")
    history = up.admin("GET", own + "/results?history=thumbs_up_rate").json()["data"]
    equal([h["variant"] for h in history], ["as it is", "warm"], "each look is kept")
    refused(up, "GET", own + "/results?history=fun", None, (400, "invalid_history", "history"), "of metrics there are")


def many_users(up):
    """600 users whose tastes are made: the better variant is found, and one that is slower than it may be is paused."""
    # With a salt and thumbs that are the same each time: an interval of 95 % misses what is true now and then.
    made = up.admin("POST", PATH, {**DRAFT, "experiment_name": "Many", "salt": "many", "test_variants": [
        {"variant_name": "liked", "severity": 2}, {"variant_name": "slow", "severity": 4}],
        "guardrails": [{"metric": "latency", "max_worse": 0.5}]}).json()
    own = "%s/%s" % (PATH, made["id"])
    up.admin("POST", own + "/start", {})
    up.sql("""
        insert into auth.users (id) select ('71000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid from generate_series(1, 600) n;
        select count(*) from (
            select uplift_chat.record_answers(json_agg(json_build_object('id', uplift.uuid_v7(), 'user_id', u.id, 'conversation_id', u.id,
                'user_message', 'q', 'ai_response', 'a', 'coach_id', 'coach_decibel_avatar', 'outcome', 'complete', 'protocol', 'chat',
                'created_at', now() - interval '1 minute' + k * interval '2 seconds', 'response_time_ms', case p.variant when 'slow' then 3000 else 1000 end + u.n,
                'trace', json_build_object('exposures', json_build_array(json_build_object('experiment_id', r.id, 'experiment', r.name, 'variant', p.variant))))))
            from (select ('71000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid as id, n from generate_series(1, 600) n) u
            cross join generate_series(1, 3) k
            join uplift.running_experiments r on r.name = 'Many'
            cross join lateral (select r.variants[uplift.variant_of(r, u.id)] as variant) p) x;
        update public.coach_response_feedback a set helpful = uplift.bucket('thumb ' || t.n, a.user_id) < case a.exposures #>> '{0,variant}' when 'liked' then 0.8 else 0.5 end
        from (select x.id, row_number() over (partition by x.user_id order by x.created_at) as n from public.coach_response_feedback x
            where x.user_id::text like '71000000-%%') t
        where a.id = t.id""")
    equal(up.job("measure-experiments")["status"], "succeeded", "measured")
    found = up.admin("GET", own).json()
    equal((found["winner_variant"], found["confidence_level"] > 0.95), ("liked", True), "the better one wins")
    equal((found["status"], found["status_reason"][:33]), ("paused", "guardrail latency: variant \"slow\""), "and what does harm is paused")
    equal([e["event"] for e in found["events"]], ["created", "started", "concluded", "paused"], "which is told")
    figures = {v["variant"]: v["figures"] for v in up.admin("GET", own + "/results").json()["metrics"][0]["variants"]}
    ok(0.15 < figures["liked"]["always_valid"]["lower"] < 0.3 < figures["liked"]["always_valid"]["upper"] < 0.45, "the interval holds what is true",
       str(figures["liked"]))
    up.sql("delete from public.coach_response_feedback where user_id = '71000000-0000-4000-8000-000000000001'")
    up.sql("delete from auth.users where id = '71000000-0000-4000-8000-000000000001'")
    up.job("measure-experiments")
    equal(sum(up.admin("GET", own + "/results").json()["sample_ratio"]["users"]), 599, "who is deleted drops out")


def planned(up):
    """After many_users, of which about 0.6 of the thumbs are up."""
    plan = up.admin("GET", "/admin/experiment-plan?lift=0.1&users_per_day=100").json()
    ok(0.5 < plan["baseline"] < 0.7 and 200 < plan["users_per_variant"] < 1500, "a plan by what users do", str(plan))
    equal((plan["users"], plan["days"] >= plan["users"] / 100, plan["days"] < plan["users"] / 100 + 1), (2 * plan["users_per_variant"], True, True), "and for how long")
    valid = plan["always_valid"]
    ok(1.8 < valid["users"] / plan["users"] < 2 and valid["days"] > plan["days"], "and by the figures that are valid at any time", str(valid))
    coach = up.admin("GET", "/admin/experiment-plan?lift=0.1&coach_id=coach_decibel_avatar").json()
    other = up.admin("GET", "/admin/experiment-plan?lift=0.1&coach_id=coach_maple_avatar").json()
    equal((coach["measured_users"] + other["measured_users"] >= plan["measured_users"], coach["measured_users"] > 0), (True, True), "of one coach")
    equal(up.admin("GET", "/admin/experiment-plan?coach_id=nobody").error()["code"], "coach_not_found", "that there is")
    more = up.admin("GET", "/admin/experiment-plan?lift=0.1&variants=4").json()
    ok(more["users_per_variant"] > plan["users_per_variant"], "more variants need more users of each")
    equal(up.admin("GET", "/admin/experiment-plan?lift=0").json()["reason"], "no_difference", "nothing to find")
    equal(up.admin("GET", "/admin/experiment-plan?metric=avg_rating").json()["reason"], "no_answers", "nobody gave stars")
    for query, code in (("lift=x", "invalid_lift"), ("power=1", "invalid_power"), ("alpha=nan", "invalid_alpha"), ("variants=1", "invalid_variants"),
                        ("metric=retention", "invalid_metric"), ("odd=1", "unknown_argument")):
        answer = up.admin("GET", "/admin/experiment-plan?" + query)
        equal((answer.status, answer.error()["code"]), (400, code), query)


def ends(up, own, warm):
    equal(up.admin("POST", own + "/pause", {"reason": "lunch"}).json()["status"], "paused", "paused")
    equal(up.post("/v1/chat", {"message": "hi"}, user=warm).json()["model"], "sim-1", "from the next chat on")
    equal(up.admin("POST", own + "/stop", {"reason": "enough"}).json()["status"], "completed", "stopped")
    ok(up.admin("POST", own + "/stop", {}).json()["end_date"] is not None, "twice does no harm")
    equal([up.job("measure-experiments", arguments)["result"]["experiments_measured"] for arguments in ({}, {"running": True})], [1, 0],
          "it is measured for some days more, but not where only those that run are asked for")
    refused(up, "POST", own + "/start", {}, (409, "wrong_status", None), "what is over stays over")
    refused(up, "PATCH", own, {"min_users": 5}, (409, "experiment_completed", None), "as it was")


def main():
    with Scripted() as provider, Uplift(simulator=None, batch=True, UPLIFT_UPSTREAM_URL=provider.url, expected="database|Postgres|degraded|worker_sync") as up:
        provider.says = "Well."
        bad_input(up)
        experiment, own = lifecycle(up)
        warm = chats(up, provider, experiment, own)
        testers(up, experiment)
        closed(up, provider, warm)
        too_large(up, provider, warm)
        away(up, provider, warm)
        wait_for(lambda: not up.spool_files(), 20)
        results(up, own, experiment)
        ends(up, own, warm)
        many_users(up)
        planned(up)
    done()


main()
