#!/usr/bin/python3
"""Thumbs foretold: a model is trained by a job, another foretells the thumbs of new answers, and a third measures how good that is."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift, wait_for  # noqa: E402
from tap import contains, done, equal, ok, run  # noqa: E402

# 400 users and their answers: one coach is liked by 85 in 100, the other by 30; two are still to be foretold.
MADE = """
with users as (insert into auth.users (id) select ('50000000-0000-4000-8000-' || lpad(u::text, 12, '0'))::uuid from generate_series(1, 400) u returning id)
insert into public.coach_response_feedback (id, user_id, coach_id, user_message, ai_response, severity, mode, model_used, response_time_ms, helpful,
    feedback_given_at, created_at)
select (left(uplift.first_id_of(t.at)::text, 14) || '7' || substr(uplift.uuid_v7()::text, 16))::uuid, u.id, case when likes then 'liked' else 'disliked' end, 'q',
    repeat('word ', 20), 3.0, 'default', 'm', 900, x.roll < case when likes then 0.85 else 0.3 end, t.at + interval '1 minute', t.at
from (select id, row_number() over (order by id) as u from users) u
cross join generate_series(1, %d) k
cross join lateral (select (k + u.u) %% 2 = 0 as likes) l
-- The same on every machine, and in no order.
cross join lateral (select (hashtextextended(u.u || ' ' || k, 3) & 65535) / 65536.0 as roll) x
cross join lateral (select now() - interval '%d days' - k * interval '1 hour' - u.u * interval '1 second' as at) t
returning 1"""


def too_few():
    job = uplift.job("train-thumb-model")
    equal((job["status"], job["error"]["code"]), ("failed", "too_few_rated_answers"), "too few: refused")
    contains(job["error"]["message"], "0 answers of the 180 days until yesterday are rated; it takes 500", "too few: with the reason")
    job = uplift.job("train-thumb-model", {"if_possible": True})
    equal((job["status"], job["result"]["trained"]), ("succeeded", False), "too few: or no failure, where that is wanted")
    contains(job["result"]["reason"], "it takes 500", "too few: and why")
    job = uplift.job("score-answers")
    equal((job["status"], job["result"]["scored"]), ("succeeded", 0), "no model: nothing is foretold")
    for arguments in ({"days": 0}, {"max_answers": 10}, {"min_rated": 3}):
        job = uplift.job("train-thumb-model", arguments)
        equal((job["status"], job["error"]["code"]), ("failed", "invalid_argument"), "refused: %s" % arguments)
    equal(uplift.job("score-answers", {"days": 5000})["error"]["code"], "invalid_argument", "refused: days of score-answers")


def trained():
    uplift.sql(MADE % (20, 2))
    job = uplift.job("train-thumb-model")
    equal((job["status"], job["result"]["trained"], job["result"]["version"]), ("succeeded", True, 1), "trained: a first version")
    result = job["result"]
    equal(result["n_train"] + result["n_calibrate"] + result["n_validate"], 8000, "trained: on all that is rated")
    ok(result["log_loss"] < result["base_log_loss"] - 0.1 and result["auc"] > 0.7, "trained: it knows more than the mean of all", repr(result))
    ok(result["ece"] < 0.06, "trained: and is calibrated", repr(result))
    kept = uplift.sql("select n_train, log_loss from uplift.thumb_model")[0]
    equal(kept["n_train"], result["n_train"], "trained: its figures are kept")
    weights = {row["level"]: row["weight"] for row in uplift.sql("select level, weight from uplift.thumb_weights where feature = 'coach'")}
    ok(weights["liked"] - weights["disliked"] > 1.5, "trained: with the weights", repr(weights))
    parts = uplift.sql("select count(distinct uplift.user_part(user_id)) as n from public.coach_response_feedback group by user_id having count(distinct uplift.user_part(user_id)) > 1")
    equal(parts, [], "trained: nobody is on two sides")


def foretold():
    uplift.sql((MADE % (5, 0)).replace("50000000-0000", "60000000-0000"))
    job = uplift.job("score-answers")
    equal((job["status"], job["result"]["scored"], job["result"]["failed"]), ("succeeded", 2000, 0), "foretold: each new answer")
    equal(uplift.job("score-answers")["result"]["scored"], 0, "foretold: once")
    rates = {row["coach_id"]: float(row["p"]) for row in uplift.sql(
        "select a.coach_id, avg(p.confidence_score) as p from public.ai_predictions p join public.coach_response_feedback a using (id)"
        " where p.model_name = 'uplift-thumbs' and p.model_version = '1' group by 1")}
    ok(abs(rates["liked"] - 0.85) < 0.06 and abs(rates["disliked"] - 0.3) < 0.06, "foretold: what comes about as often", repr(rates))
    equal(uplift.value("select count(*) from public.ai_predictions where user_accepted is null"), 0, "foretold: with the thumbs that are there")
    one = uplift.sql("select id::text, user_id::text from public.ai_predictions order by id limit 1")[0]
    for thumb in (True, False, None):
        uplift.request("PATCH", "/v1/feedback/" + one["id"], {"helpful": thumb}, user=one["user_id"])
        uplift.job("score-answers")
        seen = uplift.get("/v1/predictions/" + one["id"], user=one["user_id"]).json()
        equal((seen["user_accepted"], seen["prediction_accuracy"] is None), (thumb, thumb is None), "outcome: a thumb that is %s" % thumb)
    refused = uplift.request("PATCH", "/v1/predictions/" + one["id"], {"user_accepted": True}, user=one["user_id"])
    equal((refused.status, refused.error()["code"]), (409, "outcome_by_feedback"), "outcome: by feedback alone")


def measured():
    job = uplift.job("measure-predictions")
    equal((job["status"], job["result"]["predictions"], job["result"]["warnings"]), ("succeeded", 2000, 0), "measured: what was foretold")
    equal(uplift.job("measure-predictions")["result"]["days"], 0, "measured: once")
    figures = uplift.admin("GET", "/admin/predictions/figures?model_name=uplift-thumbs&step=all").json()
    line = figures["data"][0]
    equal((len(figures["data"]), line["prediction_type"], line["model_version"], line["n"], line["n_judged"]), (1, "coaching_response", "1", 2000, 1999),
          "figures: by type, model and version")
    ok(0.1 < line["brier"] < 0.2 and line["ece"] < 0.06 and line["accuracy"] > 0.7, "figures: as good as they should be", repr(line))
    ok(abs(line["brier"] - (line["reliability"] - line["resolution"] + line["uncertainty"] + line["within_bin"])) < 1e-5, "figures: the parts add up")
    curve = uplift.admin("GET", "/admin/predictions/calibration?model_name=uplift-thumbs").json()
    equal((len(curve["data"]), sum(b["count"] for b in curve["data"])), (10, 1999), "curve: ten bins")
    full = [b for b in curve["data"] if b["count"] > 200]
    ok(len(full) >= 2 and all(b["low"] - 0.06 < b["mean_confidence"] < b["high"] + 0.06 for b in full), "curve: what was foretold is what came", repr(full))
    first = uplift.admin("GET", "/admin/predictions?model_name=uplift-thumbs&limit=200&from=2020-01-01&to=%s" % line["at"]).error()
    rows, after = [], ""
    while after is not None:
        page = uplift.admin("GET", "/admin/predictions?model_name=uplift-thumbs&limit=150" + after).json()
        rows += page["data"]
        after = "&after=" + page["next_after"] if page["has_more"] else None
    equal((len(rows), len({row["id"] for row in rows}), {row["answer_id"] == row["id"] for row in rows}), (2000, 2000, {True}), "one by one: all of them, each once")
    equal(rows, sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True), "one by one: the latest first")
    equal(first.get("code"), "invalid_from", "one by one: not of too many days")
    came = [len(uplift.admin("GET", "/admin/predictions?limit=200&came_true=" + said).json()["data"]) for said in ("true", "false")]
    ok(min(came) == 200 and "predicted_output" not in rows[0], "one by one: those that came true, or not", repr(came))
    for path, code in (("?came_true=perhaps", "invalid_came_true"), ("?after=x", "invalid_after"), ("?after=00000000-0000-4000-8000-0000000000ff", "invalid_after"),
                       ("?prediction_type=weather", "invalid_prediction_type")):
        equal(uplift.admin("GET", "/admin/predictions" + path).error().get("code"), code, "refused: " + path)
    for path, code in (("figures?step=year", "invalid_step"), ("figures?from=x", "invalid_from"), ("figures?nonsense=1", "unknown_argument"),
                       ("calibration?prediction_type=weather", "invalid_prediction_type"), ("drift?limit=0", "invalid_limit")):
        equal(uplift.admin("GET", "/admin/predictions/" + path).error().get("code"), code, "refused: " + path)


def drifted():
    equal(uplift.admin("GET", "/admin/predictions/drift").json()["data"], [], "drift: none")
    uplift.sql("""insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, confidence_score, user_accepted, created_at)
        select id, 'food_suggestion', 'plates', '1', 0.9, case when late then n % 2 = 0 else n % 10 > 0 end, now() - case when late then interval '1 day' else interval '20 days' end
        from (select id from auth.users limit 1) u, generate_series(1, 600) n, unnest('{f,t}'::boolean[]) late returning 1""")
    equal(uplift.job("measure-predictions")["result"]["warnings"], 1, "drift: the job says so")
    warning = uplift.admin("GET", "/admin/predictions/drift").json()["data"][0]
    equal((warning["model_name"], warning["exceeds"], warning["n"], warning["reference"]["n"]), ("plates", ["brier", "ece"], 600, 600), "drift: listed")
    ok(abs(warning["ece"] - 0.4) < 1e-6 and warning["reference"]["ece"] < 1e-6, "drift: with what it was before", json.dumps(warning))

    def shown():
        text = uplift.get("/metrics", user=None).text
        return "uplift_prediction_warnings 1\n" in text and text
    text = wait_for(shown, 30)
    ok(text, "drift: in the metrics")
    found = dict(re.findall(r'^(uplift_prediction_[a-z_]+)\{type="food_suggestion",model="plates",version="1"\} (\S+)$', text or "", re.M))
    equal((found.get("uplift_prediction_outcomes"), found.get("uplift_prediction_drift")), ("600", "1"), "drift: by model")
    contains(text or "", 'uplift_prediction_brier_score{type="coaching_response",model="uplift-thumbs",version="1"} 0.1', "metrics: uplift's own")


with Uplift(batch=True) as uplift:
    run(too_few, trained, foretold, measured, drifted)
done()
