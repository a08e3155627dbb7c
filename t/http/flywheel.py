#!/usr/bin/python3
"""fcgi-batch run simulate-flywheel over a whole uplift: a tiny population talks for a week, its figures add up to what
uplift itself has counted, and what it must not be let loose on is refused."""

import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

SMALL = ("--weeks", "1", "--users", "40", "--plain-users", "12")
PLAIN = ("coach_plain_avatar", "coach_plain_maple_avatar")


def run(up, *words, url=None):
    return up.batch_run("run", "simulate-flywheel", "--url", url or up.url, "--ca", up.ca, *words, seconds=100)


def arguments(up):
    for words, part in ((("--seed", "x"), "--seed takes a whole number from 0 to 2147483647, not x"), (("--weeks", "53"), "from 1 to 52"),
                        (("--users", "5"), "from 20 to 20000"), (("--fast",), "not --fast"), (("--seed",), "not --seed"),
                        (("--other-coach",), "--other-coach ID, --plain-coach ID, --other-plain-coach ID")):
        result = run(up, *words)
        equal((result.returncode, result.stdout), (2, ""), "arguments %r: are refused as such" % (words,))
        contains(result.stderr, part, "arguments %r: with a word on it" % (words,))
    result = up.batch_run("run", "simulate-flywheel")
    equal(result.returncode, 2, "without a URL")
    contains(result.stderr, "--url", "which is told")


def refusals(up):
    def refused(part, what, *words, **options):
        result = run(up, *SMALL, *words, **options)
        equal((result.returncode, result.stdout), (1, ""), what + ": is refused")
        contains(result.stderr, part, what + ": with the reason")
    def add_plain(plain, coach):
        up.sql("""insert into brand_assets (asset_name, asset_type, alt_text, description, usage_notes)
            select %s, asset_type, alt_text, description, usage_notes from brand_assets where asset_name = %s""", plain, coach)
    refused("there are no four coaches", "no coach to compare with")
    add_plain(PLAIN[0], "coach_decibel_avatar")
    refused("coach_maple_avatar, coach_plain_avatar and coach_plain_maple_avatar", "one to compare with")
    add_plain(PLAIN[1], "coach_maple_avatar")
    refused("there are no four coaches", "one coach twice", "--other-coach", "coach_decibel_avatar")
    refused("there are no four coaches", "nobody to turn to with nothing switched on", "--other-plain-coach", "coach_nobody")
    refused("https://127.0.0.1:1", "nobody at that URL", url="https://127.0.0.1:1")
    up.configure(UPLIFT_JWT_SECRET="another secret than that, of more than 32 bytes")
    refused("401", "another secret")
    up.configure(UPLIFT_JWT_SECRET=None)
    refused("UPLIFT_JWT_SECRET", "no secret")
    up.configure(UPLIFT_JWT_SECRET="a secret for tests only, of more than 32 bytes", UPLIFT_UPSTREAM_URL=up.url)
    refused("is not the simulated one", "another provider than the simulated one")
    up.configure(UPLIFT_UPSTREAM_URL=up.sim_url)
    up.admin("PUT", "/admin/providers/dear", {"base_url": "https://api.example.com/v1"})
    refused("there are other providers", "another provider beside it")
    up.admin("DELETE", "/admin/providers/dear")
    up.post("/v1/chat", {"message": "hi"})
    refused("there are answers already", "other people's answers")


def totals(report, kind, field):
    return sum(week[kind][field] for week in report["weeks"])


def small(up):
    with tempfile.TemporaryDirectory() as directory:
        path = directory + "/report.json"
        before = up.sql("select count(*) as n from coach_response_feedback")[0]["n"]
        result = run(up, *SMALL, "--quick", "--anyway", "--seed", "6", "--json", "--report", path)
        equal(result.returncode, 0, "a week of a few users" + result.stderr[-300:])
        report = json.loads(result.stdout)
        with open(path) as file:
            equal(json.load(file), report, "the report is written as well")
    equal((report["users"], report["plain_users"], len(report["weeks"]), report["quick"]), (40, 12, 1, True), "what was run")
    counted = up.sql("""select count(*) as answers, count(helpful) as thumbs, count(*) filter (where helpful) as up, count(cache_source_id) as hits,
            coalesce(sum(cost_usd), 0)::float8 as usd, coach_id like 'coach_plain%' as is_plain
        from coach_response_feedback a where not coalesce(exposures @> '[{"override": true}]', false) and user_message <> 'hi' group by 6 order by 6""")
    for row, kind in zip(counted, ("everything", "nothing")):
        equal([totals(report, kind, field) for field in ("answers", "thumbs", "thumbs_up")], [row["answers"], row["thumbs"], row["up"]],
              kind + ": as many answers and thumbs as uplift has")
        ok(abs(totals(report, kind, "cost_usd") - row["usd"]) < 1e-6, kind + ": and they cost as much", (totals(report, kind, "cost_usd"), row["usd"]))
        week = report["weeks"][0][kind]
        ok(abs(week["thumbs_up_rate"] - week["thumbs_up"] / week["thumbs"]) < 1e-9, kind + ": the rate is of these")
        ok(week["expected_rate"] < week["oracle_rate"] < 0.92, kind + ": nobody does better than the oracle")
    ok(abs(report["way_to_oracle"] - (report["expected_last_week"] - report["expected_start"]) / (report["oracle"] - report["expected_start"])) < 1e-9, "the way is worked out of these")
    ok(all("met" not in row for row in report["rows"]), "no goal is judged on so little")
    ok(before < sum(row["answers"] for row in counted) + before, "there were answers")
    said = [(d["kind"], d["decision"], d["name"]) for d in reversed(up.admin("GET", "/admin/autopilot?limit=200").json()["decisions"])
            if d["decision"] not in ("refused", "held") and d["kind"] != "switch"]
    equal([(e["kind"], e["decision"], e["name"]) for e in report["events"]], said, "what autopilot did, all of it")
    ok(said, "which was something")
    measured = [v for v in report["versions"] if "truth" in v]
    ok(measured and all(-1 < v["truth"] < 1 and v["standard_error"] >= 0 for v in measured), "of what it tried is known what is true", report["versions"])
    equal(up.sql("select count(*) as n from coach_response_feedback where exposures @> '[{\"override\": true}]' and helpful is not null")[0]["n"], 0,
          "and what was asked for that has no thumbs")
    plain = up.sql("select distinct model_used, severity::float8 as severity, memory_ids, example_ids from coach_response_feedback where coach_id like 'coach_plain%'")
    equal([(row["model_used"], row["severity"]) for row in plain], [("sim-1", 3.0)], "who has nothing switched on gets the model as it was")
    ok(all(not row["memory_ids"] and not row["example_ids"] for row in plain), "without memory and examples", plain)
    coaches(up, report)


def coaches(up, report):
    """With whom users talk: all begin with one coach, and only who did not like an answer turns to the other one."""
    chats = up.sql("""select user_id::text, coach_id, helpful, lag(coach_id) over w as coach_before, lag(helpful) over w as helpful_before, row_number() over w as n,
            bool_or(coach_id like 'coach_plain%') over (partition by user_id) as is_plain
        from coach_response_feedback where not coalesce(exposures @> '[{"override": true}]', false) and user_message <> 'hi' window w as (partition by user_id order by created_at)""")
    for kind, is_plain, first, other in (("everything", False, "coach_decibel_avatar", "coach_maple_avatar"), ("nothing", True, *PLAIN)):
        of_kind = [row for row in chats if row["is_plain"] == is_plain]
        equal({row["coach_id"] for row in of_kind}, {first, other}, kind + ": there are two coaches")
        equal({row["coach_id"] for row in of_kind if row["n"] == 1}, {first}, kind + ": all begin with the first")
        turned = [row for row in of_kind if row["n"] > 1 and row["coach_id"] != row["coach_before"]]
        ok(turned and all(row["helpful_before"] is not True for row in turned), kind + ": some turn, after an answer without a thumb up", turned)
        ok(any(row["n"] > 1 and row["coach_id"] == row["coach_before"] and row["helpful_before"] is False for row in of_kind), kind + ": not all whom one displeased")
        ok(0 < report["weeks"][0][kind]["liked_coach_rate"] < 1, kind + ": how many answers came from the coach liked better")
    ok(report["most_like"]["coach"] in ("coach_decibel_avatar", "coach_maple_avatar") and 0.4 <= report["most_like"]["coach_weight"] <= 0.6, "which coach most like, and how much")
    asked = up.sql("select distinct coach_id from coach_response_feedback where exposures @> '[{\"override\": true}]' order by 1")
    equal([row["coach_id"] for row in asked], ["coach_decibel_avatar", "coach_maple_avatar"], "what is tried is asked about with the coach that somebody has")


def population(up):
    """The same seed makes the same users, whatever the server does."""
    users = {row["id"] for row in up.sql("select id::text from auth.users")}
    result = run(up, *SMALL, "--quick", "--anyway", "--seed", "6")
    equal(result.returncode, 0, "once more, as a table" + result.stderr[-300:])
    equal({row["id"] for row in up.sql("select id::text from auth.users")} - users, set(), "the same seed has the same users")
    for part in ("Thumbs up, of all thumbs, week by week", "What autopilot did", "What this does not show", "A quick look: too short for goals"):
        contains(result.stdout, part, "the table has: " + part)


def plain_stays(up):
    """What is promoted for all coaches reaches those with nothing switched on by no key."""
    equal(up.admin("POST", "/admin/autopilot/stop", {"reason": "a test"}).status, 200, "autopilot is stopped")
    words = "Be concrete: name the next step."
    made = up.admin("POST", "/admin/rollouts", {"name": "for all", "changes": {
        "model": "sim-1-mini", "severity": 5, "prompt_suffix": words, "memory": {"max_tokens": 900}, "examples": {"max_tokens": 900}}})
    equal(made.status, 201, "a rollout for all coaches" + made.text[:300])
    equal(up.admin("POST", "/admin/rollouts/%s/promote" % made.json()["id"], {"reason": "a test"}).status, 200, "is promoted")
    user = up.sql("select user_id::text from user_coach_preferences where experiments_enabled is false and user_id in (select user_id from coach_response_feedback where coach_id like 'coach_plain%') limit 1")[0]["user_id"]
    for coach in PLAIN:
        row = up.row(up.post("/v1/chat", {"message": "What now?", "coach_id": coach}, user=user).json()["feedbackId"])
        equal((row["model_used"], float(row["severity"]), words in row["system_prompt"]), ("sim-1", 3.0, False), coach + ": has nothing of it")
        equal(up.value("select uplift.changes_in_production(%s)", coach),
              {"model": "sim-1", "severity": 3.0, "prompt_suffix": " ", "memory": "off", "examples": "off"}, coach + ": keeps what it was given")
    row = up.row(up.post("/v1/chat", {"message": "What now?", "coach_id": "coach_maple_avatar"}).json()["feedbackId"])
    equal((row["model_used"], float(row["severity"]), words in row["system_prompt"]), ("sim-1-mini", 5.0, True), "the others have all of it")


def main():
    with Uplift(batch=True) as up:
        arguments(up)
        refusals(up)
        small(up)
        population(up)
        plain_stays(up)
    done()


main()
