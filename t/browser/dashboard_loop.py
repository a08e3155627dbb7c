#!/usr/bin/python3
"""What an admin does in the dashboard with the loop: looking through examples, training, deploying and rolling back, experiments,
playbooks and autopilot; and with what runs it: jobs, schedules, failures, providers, money, limits, keys, knowledge and the policy
of memories. In a real Chromium, each with what the server has afterwards."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift
from trainer import dataset

node.install(HERE)

COACH = "coach_maple_avatar"
# Two versions, of which the second took the place of the first.
VERSIONS = """
    insert into public.ai_model_versions (id, model_name, version, model_id, base_model)
        values ('40000000-0000-4000-8000-000000000001', 'coach', 'v1', 'tuned-1', 'base-1'), ('40000000-0000-4000-8000-000000000002', 'coach', 'v2', 'tuned-2', 'base-1')
"""
# Five looks at an experiment: users come in other shares than they should, and one guardrail is crossed.
LOOKS = """
    insert into uplift.experiment_looks (experiment_id, looked_at, metric, variant, figures)
    select %s::uuid, now() - (6 - n) * interval '1 day', m.metric, m.variant, m.figures
    from generate_series(1, 5) n
    cross join lateral (values
        ('users', '', jsonb_build_object('users', array[40 * n, 90 * n], 'shares', array[0.5, 0.5], 'p', 0.0001, 'is_mismatch', true)),
        ('thumbs_up_rate', 'control', jsonb_build_object('users', 40 * n, 'value', 0.6)),
        ('thumbs_up_rate', 'brief', jsonb_build_object('users', 90 * n, 'value', 0.7, 'difference', 0.1, 'relative', 0.1667,
            'always_valid', jsonb_build_object('p', 0.2 / n, 'adjusted_p', 0.2 / n, 'lower', 0.1 - 0.3 / n, 'upper', 0.1 + 0.3 / n, 'has_drifted', false))),
        ('latency', 'control', jsonb_build_object('users', 40 * n, 'value', 900)),
        ('latency', 'brief', jsonb_build_object('users', 90 * n, 'value', 1500, 'difference', 600, 'relative', 0.67, 'guardrail', 'crossed',
            'always_valid', jsonb_build_object('p', 0.001, 'adjusted_p', 0.001, 'lower', 400, 'upper', 800, 'has_drifted', false)))) m(metric, variant, figures)
"""
# Foretold with a confidence that is right, but for three days on which nothing was.
PREDICTIONS = """
    insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, predicted_output, confidence_score, user_accepted, created_at)
    select '00000000-0000-7000-8000-000000000001', 'coaching_response', 'guess', '1', to_jsonb(true), (n %% 10) / 10.0 + 0.05, (n / 10) %% 10 < n %% 10, now() - (n %% 14) * interval '24 hours' - interval '1 hour'
    from generate_series(1, 1400) n where n %% 14 not between 5 and 7
"""
FAILURE = """
    insert into public.ai_errors (error_type, model_name, provider, attempt, http_status, request_id, error_code, fingerprint, user_visible, auto_recovered, created_at)
    select 'status_503', 'sim-1', 'far', 1, 503, 'request-' || n, 'provider_error', uplift.error_fingerprint('status_503', 'far', 'sim-1', 503), n = 1, n > 1, now() - n * interval '1 minute'
    from generate_series(1, 7) n
"""


def made(uplift, path, body):
    answer = uplift.admin("POST", path, body)
    if answer.status not in (200, 201, 202):
        raise AssertionError("%s: %d %s" % (path, answer.status, answer.text))
    return answer.json()


with Uplift(batch=True, simulator=("--pace", "0", "--job-time", "2")) as uplift:
    environment = {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.admin_token()}
    sets = dataset(uplift, "By hand", count=24)
    uplift.sql("insert into auth.users (id) values ('00000000-0000-7000-8000-000000000001') on conflict do nothing")
    uplift.sql(VERSIONS)
    for number in (1, 2):
        made(uplift, "/admin/model-versions/40000000-0000-4000-8000-00000000000%d/deploy" % number, {"environment": "production"})
    experiment = made(uplift, "/admin/experiments", {
        "experiment_name": "Brief answers", "control_variant": {"variant_name": "control"}, "success_metric": "thumbs_up_rate",
        "test_variants": [{"variant_name": "brief", "prompt_suffix": "Be brief."}], "guardrails": [{"metric": "latency", "max_worse": 0.2}]})["id"]
    uplift.sql(LOOKS, experiment)
    uplift.sql(PREDICTIONS.replace("%%", "%"))
    uplift.sql(FAILURE)
    tap.equal(uplift.job("measure-predictions")["status"], "succeeded", "predictions are measured")
    made(uplift, "/admin/playbooks/%s/guidelines" % COACH, {"text": "Ask one question at the end."})
    uplift.admin("PUT", "/admin/providers/gone", {"base_url": "http://127.0.0.1:1/v1"})
    environment.update(DATASET=sets, EXPERIMENT=experiment, VERSION="40000000-0000-4000-8000-000000000002", COACH=COACH)
    sdk.run("../browser/dashboard_learning.mjs", environment)
    reviews = uplift.sql("select review from public.ai_training_examples where dataset_id = %s order by id limit 3", sets)
    tap.equal([row["review"] for row in reviews], ["validated", "rejected", None], "what was kept and rejected by keyboard is")
    tap.equal(uplift.value("select model_id from uplift.model_deployments where environment = 'production' and ended_at is null"), "tuned-1", "what was rolled back serves no more")
    tap.equal(uplift.value("select status from public.ai_experiments where id = %s", experiment), "completed", "what was stopped is")
    sdk.run("../browser/dashboard_running.mjs", environment)
    tap.equal(uplift.value("select count(*) from public.ai_knowledge_sources where title = 'Naps'"), 1, "what was uploaded is there")
    tap.equal(uplift.value("select value from uplift.settings where key = 'memory.health'"), "refuse", "the policy was saved")
    tap.equal(uplift.value("select count(*) from uplift.api_keys where name = 'website' and revoked_at is not null"), 1, "the key was revoked")
tap.done()
