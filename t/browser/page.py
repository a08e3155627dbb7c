#!/usr/bin/python3
"""The chat page in a real Chromium against the whole stack, and the database afterwards.

page.mjs goes the ways of a person; faults.mjs does so while the provider has a fault. Both print
what the database should hold then, and it is looked for here.
"""

import json
import os
import re
import subprocess
import sys
import uuid

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))

import tap
from harness import Uplift

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


def install():
    """Installs what package-lock.json names, where that was not done before."""
    stamp = HERE + "/node_modules/.package-lock.json"
    if os.path.exists(stamp) and os.path.getmtime(stamp) >= os.path.getmtime(HERE + "/package-lock.json"):
        return
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HERE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit("Bail out! npm ci failed in t/browser:\n" + done.stdout)


def run(script, name, environment):
    """Runs a script, takes its checks over as ours, and returns its facts."""
    done = subprocess.run(["node", script], cwd=HERE, env={**os.environ, **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    plan, facts, checks, detail = None, {}, [], []
    for line in done.stdout.splitlines():
        check = re.match(r"(not )?ok \d+ - (.*)", line)
        if check:
            detail = []
            checks.append((check.group(1) is None, check.group(2), detail))
        elif re.match(r"1\.\.\d+$", line):
            plan = int(line[3:])
        elif line.startswith("# facts "):
            facts = json.loads(line[8:])
        else:
            detail.append(line.lstrip("# "))
    for passed, what, lines in checks:
        tap.ok(passed, "%s: %s" % (name, what), "\n".join(lines))
    tap.ok(plan == len(checks) > 0, "%s: ran to its end" % name, done.stdout[-3000:])
    return facts


class Database:
    def __init__(self, uplift):
        self.connection = psycopg2.connect(uplift.conninfo)
        self.connection.autocommit = True

    def rows(self, sql, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def row(self, sql, *values):
        found = self.rows(sql, *values)
        return found[0] if len(found) == 1 else found

    def answer(self, columns, answer_id):
        return self.row("select %s from public.coach_response_feedback where id = %%s" % columns, answer_id)


def words(text):
    """As the page shows it and as it was said: what is left without marks and spaces."""
    return re.sub(r"[\W_]+", " ", text).strip()


def check_page(uplift):
    database = Database(uplift)
    user, other, hostile = (str(uuid.uuid4()) for _ in range(3))
    database.rows("select * from uplift.record_answers(%s)", json.dumps([{
        "id": str(uuid.uuid4()), "user_id": user, "conversation_id": hostile, "coach_id": "coach_maple_avatar",
        "severity": 3, "mode": "default", "user_message": "<b>bold</b> <img src=x onerror=hit=1>",
        "ai_response": HOSTILE, "outcome": "complete", "model_used": "sim-1"}]))
    facts = run("page.mjs", "page", {
        "PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token(user),
        "PAGE_OTHER_TOKEN": uplift.token(other), "PAGE_HOSTILE": hostile})

    row = database.answer("user_id, conversation_id::text, coach_id, severity, mode, outcome, user_message", facts.get("first"))
    tap.equal([str(v) for v in row], [user, facts.get("conversation"), "coach_maple_avatar", "4.2", "default", "complete",
                                      "How do I start running?"], "database: the first answer's row")
    said = database.answer("ai_response", facts.get("first"))
    tap.equal(words(said[0]), words(facts.get("firstText", "")), "database: what was said is what was shown")
    tap.equal(database.answer("helpful, rating, feedback_text", facts.get("first")), (False, None, "Clear and short \u00fc"),
              "database: the thumb changed its mind, the stars were taken back, the comment stayed")
    events = database.rows("select helpful, rating from uplift.feedback_events where response_id = %s order by id", facts.get("first"))
    tap.ok(len(events) >= 6, "database: earlier words are kept as history", events)
    tap.equal(database.answer("regenerate_of::text, outcome, helpful", facts.get("second")), (facts.get("first"), "complete", None),
              "database: the second answer takes the place of the first")
    tap.equal(database.answer("outcome, helpful, length(ai_response) > 0", facts.get("stopped")), ("cancelled", True, True),
              "database: the stopped answer, with the thumb it got while it streamed")
    tap.ok(database.row("select deleted_at is not null from uplift.conversations where id = %s", facts.get("conversation")) == (True,),
           "database: the conversation is deleted")
    tap.equal(database.row("select count(*) from public.coach_response_feedback where conversation_id = %s", facts.get("conversation")), (4,),
              "database: its answers are kept")
    tap.equal(database.answer("user_message, conversation_id::text", facts.get("kept")), ("first line\nsecond line", facts.get("keptConversation")),
              "database: lines of a message")
    tap.equal(database.answer("mode, outcome", facts.get("roasted")), ("roast", "complete"), "database: a roast")
    tap.equal(database.row("select roast_consent, active_coach_mode from public.user_coach_preferences where user_id = %s", other), (True, "roast"),
              "database: consent is a preference")
    tap.equal(database.row("select active_coach_id, severity::text from public.user_coach_preferences where user_id = %s", user),
              ("coach_maple_avatar", "4.2"), "database: so are coach and severity")
    tap.equal(database.row("select count(*) from public.coach_response_feedback where user_id = %s and user_message = 'Sent when back'", other), (1,),
              "database: what waited for the network was sent once")
    tap.equal(database.answer("helpful, severity::text", facts.get("byKeyboard")), (True, "1.2"), "database: what the keyboard did")
    for message in ("Too fast", "Very busy", "After my time"):
        tap.equal(database.rows("select outcome from public.coach_response_feedback where user_id = %s and user_message = %s", other, message),
                  [("complete",)], "database: \"%s\" was answered once" % message)


def check_fault(model):
    fault = model.split(";")[0]
    user = str(uuid.uuid4())
    with Uplift({"UPLIFT_MODEL": "sim-fault-" + model}) as uplift:
        facts = run("faults.mjs", fault, {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key,
                                          "PAGE_TOKEN": uplift.token(user), "PAGE_FAULT": fault})
        database = Database(uplift)
        if fault == "cut":
            row = database.answer("outcome, ai_response", facts.get("id"))
            tap.equal((row[0], words(row[1])), ("partial", words(facts.get("shown", ""))), "cut: what was shown is recorded as partial")
            tap.equal(database.answer("regenerate_of::text, outcome", facts.get("next")), (facts.get("id"), "partial"), "cut: so is the next try")
        elif fault == "flap":
            outcomes = database.rows("select outcome, conversation_id::text from public.coach_response_feedback where user_id = %s order by id", user)
            tap.ok([o for o, _ in outcomes][0] == "failed" and outcomes[-1][0] == "complete" and {c for _, c in outcomes} == {facts.get("conversation")},
                   "flap: failures and the answer are rows of one conversation", outcomes)
        elif fault == "silence":
            tap.equal(database.rows("select outcome from public.coach_response_feedback where user_id = %s", user), [("cancelled",)],
                      "silence: recorded as cancelled")


install()
with Uplift() as uplift:
    check_page(uplift)
for model in ("cut;after=12", "flap;times=3;status=500", "silence", "content-filter", "long;bytes=300000;pace=0"):
    check_fault(model)
tap.done()
