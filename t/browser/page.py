#!/usr/bin/python3
"""The chat page in a real Chromium against the whole stack, and the database afterwards.

page.mjs goes the ways of a person, reading.mjs looks on while an answer comes, trouble.mjs is refused,
access.mjs has no mouse or little room, each as a user of its own and all at once; then faults.mjs, while the provider
or the database has a fault. They print what the database should hold, and it is looked for here.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))

import node
import tap
from cluster import Cluster
from harness import USER, Uplift, wait_for

PROSE = """<think>
The user wants a plan.
</think>
### Plan

- \u05e8\u05d5\u05e5 \u05dc\u05d0\u05d8
- \u05e8\u05d5\u05e5 \u05d4\u05e8\u05d1\u05d4

1. \u0627\u0631\u0643\u0636 \u0628\u0628\u0637\u0621
2. \u0627\u0631\u0643\u0636 \u0643\u062b\u064a\u0631\u0627

> \u05e7\u05e6\u05ea \u05db\u05dc \u05d9\u05d5\u05dd

###### Numbers

Speed is \\(v = s/t\\), and nobody knows \\(\\frobnicate{x}\\).

\\[
v = \\frac{s}{t}
\\]

# End

- slowly
- often
"""
HOSTILE = """<script>hit=1</script> <img src=x onerror=hit=1> <svg onload=hit=1>
[a](javascript:hit=1) [b](data:text/html,<script>hit=1</script>) ![c](javascript:hit=1) [ok](https://example.org)

```"><script>hit=1</script>
</code></pre><script>hit=1</script>
```

<a href="javascript:hit=1">x</a> <javascript:hit=1> **<iframe src=//example.org>**

| <img src=x onerror=hit=1> | b |
|---|---|
| <style>*{display:none}</style> | &lt;script&gt;hit=1&lt;/script&gt; |
"""


def run(uplift, script, user, **environment):
    """Runs a script as a user; returns what it printed."""
    environment.update(PAGE_URL=uplift.url, PAGE_ANON_KEY=uplift.anon_key, PAGE_TOKEN=uplift.token(user))
    return subprocess.run(["node", script], cwd=HERE, env={**os.environ, **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600).stdout


def facts_of(printed):
    """What a script says that the database should hold."""
    found = re.search(r"^# facts (.*)$", printed, re.M)
    return json.loads(found.group(1)) if found else {}


def take(printed, name):
    """Takes a script's checks over as ours, and returns its facts."""
    plan, checks, detail = None, [], []
    for line in printed.splitlines():
        check = re.match(r"(not )?ok \d+ - (.*)", line)
        if check:
            detail = []
            checks.append((check.group(1) is None, check.group(2), detail))
        elif re.match(r"1\.\.\d+$", line):
            plan = int(line[3:])
        elif not line.startswith("# facts "):
            detail.append(line.lstrip("# "))
    for passed, what, lines in checks:
        tap.ok(passed, "%s: %s" % (name, what), "\n".join(lines))
    tap.ok(plan == len(checks) > 0, "%s: ran to its end" % name, printed[-3000:])
    return facts_of(printed)


def words(text):
    """What is left without marks and spaces, which the page shows in its own way."""
    return re.sub(r"[\W_]+", " ", text or "").strip()


def row(uplift, answer, *columns):
    """Some columns of an answer's row."""
    found = uplift.row(answer) or {}
    return [str(found.get(c)) if isinstance(found.get(c), uuid.UUID) else found.get(c) for c in columns]


def value(uplift, sql, *values):
    """The columns of the one row that is found, or what is found instead."""
    found = uplift.sql(sql, *values)
    return list(found[0].values()) if len(found) == 1 else found


def check_people(uplift, quick, slow):
    """Some need answers that take their time; the others are content with quick ones."""
    user, reader, unlucky, other, stranger, hostile, asked, prose, away = (str(uuid.uuid4()) for _ in range(9))
    uplift.sql("select * from uplift_chat.record_answers(%s)", json.dumps([{
        "id": str(uuid.uuid4()), "user_id": who, "conversation_id": conversation, "coach_id": "coach_maple_avatar",
        "severity": 3, "mode": "default", "user_message": message, "ai_response": answer, "outcome": "complete",
        "model_used": "sim-1"} for who, conversation, message, answer in (
            (user, hostile, "<b>bold</b> <img src=x onerror=hit=1>", HOSTILE),
            (asked, prose, "I want to **run**:\n\n- slowly\n- often", PROSE))]))
    with ThreadPoolExecutor() as pool:
        page = pool.submit(run, uplift, "page.mjs", user, PAGE_OTHER_TOKEN=uplift.token(stranger), PAGE_HOSTILE=hostile)
        reading = pool.submit(run, uplift, "reading.mjs", reader)
        resumed = pool.submit(run, slow, "resume.mjs", away)
        trouble = pool.submit(run, quick, "trouble.mjs", unlucky, PAGE_OTHER_TOKEN=uplift.token(stranger))
        access = pool.submit(run, quick, "access.mjs", other)
        drawn = pool.submit(run, uplift, "prose.mjs", asked, PAGE_PROSE=prose)
    check_page(uplift, user, take(page.result(), "page"))
    take(reading.result(), "reading")
    take(trouble.result(), "trouble")
    take(drawn.result(), "prose")
    facts = take(resumed.result(), "resume")
    for name in ("reloaded", "interrupted"):
        tap.equal(row(slow, facts.get(name), "outcome"), ["complete"], "database: the %s answer is complete" % name)
        tap.equal(words(row(slow, facts.get(name), "ai_response")[0]), words(facts.get(name + "Text")), "database: and what was shown of it")
    tap.equal(row(slow, facts.get("elsewhere"), "outcome", "error_code"), ["cancelled", "stopped"], "database: the one that was stopped elsewhere")
    tap.equal(value(uplift, "select training_consent from public.user_coach_preferences where user_id = %s", asked), [False],
              "database: the last word on training is kept")
    for message in ("Sent when back", "Into the void", "Too fast", "Very busy", "After my time", "Sent once it runs"):
        tap.equal(value(quick, "select outcome from public.coach_response_feedback where user_id = %s and user_message = %s", unlucky, message),
                  ["complete"], "database: \"%s\" was answered once" % message)
    facts = take(access.result(), "access")
    tap.equal(row(quick, facts.get("byKeyboard"), "helpful", "outcome"), [True, "complete"], "database: what the keyboard did")
    tap.equal(row(quick, facts.get("roasted"), "mode", "outcome"), ["roast", "complete"], "database: a roast")
    tap.equal(value(quick, "select roast_consent, active_coach_mode from public.user_coach_preferences where user_id = %s", other), [True, "roast"],
              "database: consent is a preference")
    tap.ok(wait_for(lambda: value(quick, "select severity::text from public.user_coach_preferences where user_id = %s", USER) == ["5.3"]),
           "database: what was chosen just before the page was left is there")


def check_page(uplift, user, facts):
    first, second, stopped, left, kept = (facts.get(name) for name in ("first", "second", "stopped", "left", "kept"))
    conversation = facts.get("conversation")
    tap.equal(row(uplift, first, "user_id", "conversation_id", "coach_id", "mode", "outcome", "user_message"),
              [user, conversation, "coach_maple_avatar", "default", "complete", "How do I start running?"],
              "database: the first answer's row")
    tap.equal(float(row(uplift, first, "severity")[0]), 4.2, "database: with the severity of the slider")
    tap.equal(words(row(uplift, first, "ai_response")[0]), words(facts.get("firstText")), "database: what was said is what was shown")
    tap.equal(row(uplift, first, "helpful", "rating", "feedback_text"), [False, None, "Clear and short \u00fc"],
              "database: the thumb changed its mind, the stars were taken back, the comment stayed")
    given = [e["changes"] for e in uplift.sql("select changes from uplift.feedback_events where answer_id = %s order by id", first)]
    tap.equal(given, [{"helpful": True}, {"rating": 4}, {"feedback_text": "Clear and short \u00fc"}, {"helpful": None},
                      {"helpful": False}, {"rating": None}], "database: earlier words are kept as history")
    tap.equal(row(uplift, second, "regenerate_of", "outcome", "helpful"), [first, "complete", None],
              "database: the second answer takes the place of the first")
    tap.equal(row(uplift, stopped, "outcome", "helpful"), ["cancelled", True], "database: the stopped answer, with the thumb it got while it streamed")
    tap.ok(row(uplift, stopped, "ai_response")[0], "database: and with what it had said")
    tap.equal(row(uplift, left, "outcome", "conversation_id"), ["complete", conversation], "database: the answer that was left alone for a while")
    tap.equal(value(uplift, "select deleted_at is not null from uplift.conversations where id = %s", conversation), [True],
              "database: the conversation is deleted")
    tap.equal(value(uplift, "select count(*) from public.coach_response_feedback where conversation_id = %s", conversation), [5],
              "database: its answers are kept")
    tap.equal(row(uplift, kept, "user_message", "conversation_id"), ["first line\nsecond line", facts.get("keptConversation")],
              "database: lines of a message")
    tap.equal(value(uplift, "select active_coach_id, severity::text from public.user_coach_preferences where user_id = %s", user),
              ["coach_maple_avatar", "4.2"], "database: so are coach and severity")


def meet_fault(uplift, model):
    """Lets a user meet a provider with this fault; returns what was seen, and the user's rows."""
    user = str(uuid.uuid4())
    if model == "restart":  # a provider breaks off, and another one answers
        uplift.restart_chat(UPLIFT_MODEL="moved", UPLIFT_ROUTING=json.dumps({"models": [{"name": "moved", "routes": [
            {"provider": "default", "model": "sim-fault-cut;after=40;pace=40"}, {"provider": "default", "model": "sim-pace-15"}]}]}))
    else:
        uplift.restart_chat(UPLIFT_MODEL="sim-fault-" + model, UPLIFT_ROUTING=None)
    seen = run(uplift, "faults.mjs", user, PAGE_FAULT=model.split(";")[0])
    return seen, wait_for(lambda: uplift.sql(
        "select outcome, ai_response, conversation_id::text, regenerate_of::text from public.coach_response_feedback "
        "where user_id = %s order by id", user))


def check_fault(fault, seen, found):
    facts = take(seen, fault)
    outcomes = [row["outcome"] for row in found]
    if fault == "cut":
        tap.equal(outcomes, ["partial", "partial"], "cut: both tries are recorded as partial")
        tap.equal([words(found[0]["ai_response"]), found[-1]["regenerate_of"]], [words(facts.get("shown")), facts.get("id")],
                  "cut: with what was shown, and the second in the place of the first")
    elif fault == "flap":
        tap.ok(outcomes[0] == "failed" and outcomes[-1] == "complete" and {row["conversation_id"] for row in found} == {facts.get("conversation")},
               "flap: failures and the answer are rows of one conversation", found)
    elif fault == "silence":
        tap.equal(outcomes, ["cancelled"], "silence: recorded as cancelled")
    elif fault == "slow-first-token":
        tap.equal([outcomes, words(found[0]["ai_response"])], [["complete"], words(facts.get("shown"))], "slow first token: one answer, as it is shown")
    else:
        tap.equal(outcomes, ["complete"], "%s: recorded as complete" % fault)
    if fault == "restart":
        tap.equal(words(found[0]["ai_response"]), words(facts.get("shown")), "restart: what is shown is what is recorded")
    if fault == "long":
        tap.equal(len(found[0]["ai_response"]), facts.get("length", 0) + 1, "long: all of it was shown, but for the last line end")


def lose_database(uplift):
    """Lets a user chat while the database is away; returns what was seen then, the rows with the thumb, and what was seen after."""
    uplift.cluster.stop("immediate")
    away = run(uplift, "faults.mjs", USER, PAGE_FAULT="away")
    uplift.cluster.start()
    facts = facts_of(away)
    found = wait_for(lambda: uplift.sql(
        "select outcome, degraded, helpful from public.coach_response_feedback where id = %s and helpful is not null", facts.get("id")))
    return away, found, run(uplift, "faults.mjs", USER, PAGE_FAULT="back", PAGE_CONVERSATION=facts.get("conversation", ""))


def check_database_away(away, found, back):
    take(away, "database away")
    tap.equal(found, [{"outcome": "complete", "degraded": True, "helpful": True}],
              "database away: the answer and its thumb are there once it is back")
    take(back, "database back")


node.install(HERE)
own = Cluster()
own.start()
with Uplift(UPLIFT_MODEL="sim-pace-15") as uplift, Uplift(cluster=own, UPLIFT_MODEL="sim-pace-2") as quick, \
        Uplift(UPLIFT_MODEL="sim-pace-60") as slow:
    check_people(uplift, quick, slow)
    with ThreadPoolExecutor() as pool:
        away = pool.submit(lose_database, quick)
        for model in ("cut;after=12;pace=10", "restart", "flap;times=3;status=500", "silence", "slow-first-token;ms=3000", "content-filter", "long;bytes=300000;pace=0"):
            check_fault(model.split(";")[0], *meet_fault(uplift, model))
        check_database_away(*away.result())
tap.done()
