#!/usr/bin/python3
"""The dashboard in a real Chromium: signing in, each page that its navigation has, with axe, what its pages are made
of, its first two pages, and where links lead. Answers of six weeks are made up in SQL, and counted by the job."""

import os
import sys
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift

node.install(HERE)

# Fifteen answers a day by ten users, liked by two in three; a tuned model answers in the last three weeks, and is
# rolled back; the last week is better liked and costs more.
ANSWERS = """
    insert into public.coach_response_feedback (id, user_id, coach_id, user_message, ai_response, severity, mode, helpful, rating, outcome,
        model_used, provider, prompt_tokens, completion_tokens, cached_tokens, tokens_used, cost_usd, saved_usd, from_cache, response_time_ms, time_to_first_token_ms, created_at)
    select (left(uplift.first_id_of(x.at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid,
        ('30000000-0000-4000-8000-' || lpad((x.n % 10)::text, 12, '0'))::uuid, (array['coach_maple_avatar', 'coach_decibel_avatar'])[1 + x.n % 2], 'question ' || x.n, 'answer ' || x.n,
        1 + x.n % 5, case when x.n % 7 = 0 then 'roast' else 'default' end, case when x.n % 3 > 0 then x.n % (case when x.day < 8 then 20 else 4 end) > 0 end,
        case when x.n % 5 = 0 then 3 + x.n % 3 end, case when x.n % 29 = 0 then 'failed' else 'complete' end,
        case when x.day between 1 and 20 then 'tuned-1' else 'sim-1' end, 'simulator', 400, 100, 0, 500, 0.002 + case when x.day < 8 then 0.001 else 0 end,
        case when x.n % 11 = 0 then 0.002 end, x.n % 11 = 0, 900 + x.n % 700, 150 + x.n % 200, x.at
    from (select d as day, n, least((current_date - d) + interval '8 hours' + (n % 15) * interval '20 minutes', now() - interval '1 minute') as at
        from generate_series(0, 41) d, generate_series(d * 15, d * 15 + 14) n) x
"""
TUNED = """
    insert into uplift.model_prices (model, input_per_million, output_per_million) values ('big-1', 10, 30), ('base-1', 1, 2) on conflict do nothing;
    insert into public.ai_finetuning_jobs (id, job_name, base_model, status, completed_at, actual_cost)
        values ('40000000-0000-4000-8000-000000000001', 'Autumn run', 'base-1', 'succeeded', now() - interval '22 days', 0.5);
    insert into public.ai_model_versions (id, finetuning_job_id, model_name, version, model_id, base_model)
        values ('40000000-0000-4000-8000-000000000002', '40000000-0000-4000-8000-000000000001', 'coach', 'v1', 'tuned-1', 'base-1');
    insert into uplift.model_deployments (model_version_id, model_id, environment, began_at, ended_at, reason)
        values ('40000000-0000-4000-8000-000000000002', 'tuned-1', 'production', now() - interval '21 days', now() - interval '1 day', 'rolled back: it was curt')
"""
# A source that was in four prompts; three answers cite it, and of those one is not liked.
USED = """
    insert into public.ai_knowledge_sources (id, source_name, title, content) values ('40000000-0000-4000-8000-000000000003', 'rain.md', 'Rain', 'Rain is no reason.');
    insert into public.coach_response_feedback (id, user_id, coach_id, user_message, ai_response, helpful, outcome, source_ids, citations, created_at)
    select uplift.uuid_v7(), '30000000-0000-4000-8000-000000000001', 'coach_maple_avatar', 'rain ' || n, 'run', n > 1, 'complete', '{40000000-0000-4000-8000-000000000003}',
        case when n < 4 then '[{"number": 1, "source_id": "40000000-0000-4000-8000-000000000003"}]'::jsonb end, now() - interval '1 minute'
    from generate_series(1, 4) n
"""

with Uplift() as uplift:
    uplift.start_batch()
    environment = {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.admin_token(), "PAGE_OTHER_ADMIN": uplift.token(str(uuid.uuid4()), app_metadata={"role": "admin"}),
                   "USER_TOKEN": uplift.token()}
    sdk.run("../browser/dashboard_empty.mjs", environment)
    uplift.sql("insert into auth.users (id) select ('30000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid from generate_series(0, 9) n")
    uplift.sql(ANSWERS)
    uplift.sql(TUNED)
    uplift.sql("delete from uplift.usage_state")  # so that all is counted, as where there were answers before
    tap.equal(uplift.job("roll-up-usage")["status"], "succeeded", "the answers are counted")
    overview = uplift.admin("GET", "/admin/overview").json()
    tap.ok(overview["total"]["requests"] > 400 and overview["total"]["users"] == 10, "and the overview has them", overview["total"])
    tap.equal(uplift.job("refresh-model-metrics")["status"], "succeeded", "so are those of model versions")
    sdk.run("../browser/dashboard.mjs", environment)
    sdk.run("../browser/dashboard_parts.mjs", environment)
    uplift.sql(USED)
    tap.equal(uplift.job("count-knowledge-use")["status"], "succeeded", "and so is what knowledge was good for")
    sdk.run("../browser/dashboard_ways.mjs", environment)
tap.done()
