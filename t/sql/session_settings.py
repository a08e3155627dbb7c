#!/usr/bin/python3
"""What functions say does not depend on the session that asks: time zone, over a change of the clocks, how dates, intervals,
floats and bytes are written, and language. Each call is made in two sessions, and all times are compared as moments."""

import datetime
import json
import os
import re
import sys

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from tap import done, equal, ok  # noqa: E402

ANN = "00000000-0000-4000-8000-00000000000a"
# In New York the clocks go back on 2026-11-01 and forward on 2026-03-08, which have 25 and 23 hours there.
SETTINGS = {
    "timezone": "America/New_York", "datestyle": "SQL, DMY", "intervalstyle": "sql_standard", "extra_float_digits": "-15",
    "bytea_output": "escape", "lc_numeric": "C", "lc_monetary": "C", "lc_time": "C"}
CALLS = [
    "select * from get_daily_cost_report('2026-11-01')",
    "select * from get_daily_cost_report('2026-03-08')",
    "select * from get_daily_cost_report('2026-10-31')",
    "select uplift_batch.admin_stats(null, '{\"from\": \"2026-10-30\", \"to\": \"2026-11-04\", \"step\": \"day\"}', 'x')",
    "select uplift_batch.admin_stats(null, '{\"from\": \"2026-03-07\", \"to\": \"2026-03-10\", \"step\": \"day\", \"group_by\": \"model\"}', 'x')",
    "select uplift_batch.admin_stats(null, '{\"from\": \"2026-11-01\", \"to\": \"2026-11-02\", \"step\": \"hour\"}', 'x')",
    "select uplift_batch.admin_stats(null, '{\"to\": \"2026-11-02\", \"step\": \"day\"}', 'x')",
    "select uplift_batch.admin_stats(null, '{\"to\": \"2026-11-01T12:00:00Z\"}', 'x')",
    "select uplift_batch.admin_costs(null, '{\"to\": \"2026-11-02\"}', 'x')",
    "select uplift_batch.admin_costs(null, '{\"from\": \"2026-03-08\", \"to\": \"2026-03-09\"}', 'x')",
    "select uplift.period_start('day', '2026-11-02 03:30Z'), uplift.period_end('day', '2026-11-02 03:30Z')",
    "select uplift.period_start('month', '2026-11-01 03:30Z'), uplift.period_end('month', '2026-11-01 03:30Z')",
    "select uplift.base_model_state('shut')",
    "select uplift.base_model_state('shuts')",
    "select uplift_batch.admin_list_prices(null, '{}', 'x')",
    "select uplift_batch.admin_list_budgets(null, '{}', 'x')",
    "select uplift.used_up_budgets(), uplift.used_up_mark()",
    "select uplift_chat.worker_sync('{}')",
    "select uplift_chat.list_conversations('%s', 20, null)" % ANN,
    "select uplift_chat.get_preferences('%s')" % ANN,
    "select uplift_chat.get_feedback('%s', '10000000-0000-4000-8000-000000000001', true)" % ANN,
    "select uplift.finetuning_readiness((select id from public.ai_training_datasets limit 1), 6)",
    "select uplift.limits_text(7, 100, 7, 1.0 / 3, 10.0 / 3, 1)",
    "select uplift.time_argument('{\"t\": \"2026-11-01\"}', 't'), uplift.time_argument('{\"t\": \"2026-11-01T01:30:00\"}', 't')",
    "select array_agg(e.* order by 1) from uplift.error_groups_of('{\"since\": \"2026-10-01\"}') e",
    "select uplift_batch.admin_overview(null, '{\"from\": \"2026-10-30\", \"to\": \"2026-11-04\", \"by\": \"coach\"}', 'x')",
    "select uplift_batch.admin_overview(null, '{\"from\": \"2026-03-08T00:30:00+01:00\", \"to\": \"2026-03-08\"}', 'x')",
    "select uplift_batch.admin_worth(null, '{}', 'x')",
]
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)$")


def moments(value):
    """The same with each time as a moment in UTC."""
    if isinstance(value, dict):
        return {key: moments(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [moments(v) for v in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc)
    if isinstance(value, str) and TIME.match(value):
        return moments(datetime.datetime.fromisoformat(value.replace("Z", "+00:00")))
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return moments(json.loads(value))
        except ValueError:
            return value
    return value


def session(settings):
    connection = psycopg2.connect(cluster.conninfo("settings"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute("select set_config(%s, %s, false)", (name, value))
    return connection


def ask(connection, call):
    """The rows as JSON, in which dates are written one way whatever the session's is."""
    with connection.cursor() as cursor:
        cursor.execute("select to_jsonb(q) from (%s) q" % call)
        return [moments(row) for row, in cursor.fetchall()]


cluster = Cluster()
cluster.start()
cluster.createdb("settings")
for script in ("install.sql", "demo.sql"):
    result = cluster.psql("settings", file=ROOT + "/sql/" + script)
    equal((result.returncode, result.stderr), (0, ""), script + " is loaded")
plain, strange = session({"timezone": "UTC"}), session(SETTINGS)
# An answer each half hour around both changes, with a price; counted by the hour up to the last day.
hours = ["('2026-03-07T00:00Z', '2026-03-10T00:00Z')", "('2026-10-30T00:00Z', '2026-11-04T00:00Z')"]
with plain.cursor() as cursor:
    cursor.execute("insert into uplift.model_prices (model, valid_from, input_per_million, output_per_million) values ('m', '2026-01-01Z', 1, 2)")
    cursor.execute("insert into uplift.base_models (model, shutdown_date) values ('shut', current_date), ('shuts', current_date + 5)")
    cursor.execute("insert into public.ai_training_datasets (dataset_name) values ('d')")
    cursor.execute("""
        select count(*) from uplift_chat.record_answers((select json_agg(json_build_object('id',
                ('10000000-0000-4000-8000-' || lpad(a.n::text, 12, '0')), 'user_id', '%s', 'conversation_id', '%s', 'coach_id',
                'coach_maple_avatar', 'user_message', 'q', 'ai_response', 'a', 'model_used', 'm', 'provider', 'p', 'created_at', a.at,
                'prompt_tokens', a.n, 'completion_tokens', 1, 'response_time_ms', 100))
            from (select row_number() over (order by t.at) as n, t.at from (values %s) as v(begins, ends),
                generate_series(v.begins::timestamptz, v.ends::timestamptz, interval '30 minutes') as t(at)) a))""" % (
                    ANN, ANN, ", ".join(hours)))
    cursor.execute("insert into uplift.usage_state (began_at, rolled_until) values ('2026-12-31Z', '2026-11-03Z')")
    cursor.execute("insert into uplift.usage_hourly select * from uplift.count_usage('-infinity', '2026-11-03Z', false)")
    cursor.execute("update uplift.usage_state set began_at = '2026-01-01Z', rolled_until = '2026-12-31Z'")
    cursor.execute("insert into uplift.usage_hourly select * from uplift.count_usage('2026-11-03Z', '2026-12-31Z', false)")
    cursor.execute("select uplift.count_all_days()")
    cursor.execute("insert into uplift.budgets (scope, period, limit_usd) values ('user', 'day', 0.0001), ('total', 'month', 0)")
    cursor.execute("select uplift.begin_budget(b) from uplift.budgets b")
    cursor.execute("insert into uplift.rate_limits (scope, key, requests_per_minute) values ('user', %s, 7)", (ANN,))
    cursor.execute("insert into public.ai_errors (error_type, fingerprint, created_at) values ('x', 'f', '2026-11-01 05:30Z')")
    cursor.execute("select uplift_chat.give_feedback(%s, '10000000-0000-4000-8000-000000000001', '{\"helpful\": true}', true)", (ANN,))

for call in CALLS:
    one, other = ask(plain, call), ask(strange, call)
    ok(one, "%s: says something" % call[:110])
    equal(other, one, "the same in another session")

day = ask(strange, "select requests, prompt_tokens from get_daily_cost_report('2026-11-01')")
wanted = ask(plain, "select count(*) as requests, sum(prompt_tokens) as prompt_tokens from public.coach_response_feedback"
                    " where created_at >= '2026-11-01Z' and created_at < '2026-11-02Z'")
equal(day, wanted, "a day has 24 hours")
equal(wanted[0]["requests"], 48, "which is two answers an hour")
points = ask(strange, CALLS[3])[0]["admin_stats"]["data"]
equal([(p["at"], p["requests"]) for p in points],
      [(datetime.datetime(2026, 10, 30, tzinfo=datetime.timezone.utc) + datetime.timedelta(days=n), 48) for n in range(5)],
      "a series by day has each day of UTC, with all of its answers")
days = ask(strange, next(call for call in CALLS if "admin_overview" in call))[0]["admin_overview"]["by_day"]
equal([(d["day"], d["requests"], d["users"]) for d in days[:3]], [("2026-10-30", 48, 1), ("2026-10-31", 48, 1), ("2026-11-01", 48, 1)],
      "days of the dashboard are those of UTC")
DAYS = "select * from uplift.usage_daily order by day"
counted = ask(plain, DAYS)
with strange.cursor() as cursor:
    cursor.execute("select uplift.count_days('2026-10-30', '2026-11-05', false)")
equal(ask(strange, DAYS), counted, "and counted in another session they are the same")
report = ask(strange, "select sum(requests) as requests from generate_series(0, 5) n, get_daily_cost_report(date '2026-10-30' + n)")
equal(report, ask(plain, "select count(*) as requests from public.coach_response_feedback where created_at >= '2026-10-30Z'"),
      "and days add up to the whole")
done()
