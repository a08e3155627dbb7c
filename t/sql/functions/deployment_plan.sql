-- What deploying and rolling back would do, told without doing it, and where model versions come from.
\ir common.psql
select plan(29);

create function pg_temp.version(p_name text, p_base text default 'tiny') returns uuid language sql as $$
    insert into public.ai_model_versions (model_name, version, model_id, base_model) values (p_name, 'v1', 'ft:' || p_name, p_base)
    returning id
$$;
create function pg_temp.deploy(p_id uuid, p_arguments jsonb) returns jsonb language sql as $$ select uplift_batch.admin_plan_deploy(p_id, p_arguments, 'ann') $$;
create function pg_temp.back(p_id uuid, p_arguments jsonb default '{}') returns jsonb language sql as $$ select uplift_batch.admin_plan_rollback(p_id, p_arguments, 'ann') $$;
create function pg_temp.serving() returns text language sql as $$
    select coalesce(string_agg(concat_ws(' ', d.environment, d.coach_id, d.model_id), ', ' order by d.id), '') from uplift.model_deployments d where d.ended_at is null
$$;
create function pg_temp.changes(p_plan jsonb) returns text language sql as $$
    select coalesce(string_agg(concat_ws(' ', c ->> 'environment', c ->> 'coach_id', coalesce(c #>> '{before,model_id}', '-'), '>', coalesce(c #>> '{after,model_id}', '-')), ', '), '')
    from jsonb_array_elements(p_plan -> 'changes') c
$$;

delete from uplift.model_deployments;
select pg_temp.version('one') as one \gset
select pg_temp.version('two') as two \gset
select is(pg_temp.changes(pg_temp.deploy(:'one', '{"environment": "production"}')), 'production - > ft:one', 'the first one would serve');
select is(pg_temp.serving(), '', 'and nothing was done');
select is((select v.is_deployed from public.ai_model_versions v where v.id = :'one'), false, 'not to the version either');
select uplift_batch.admin_deploy_model(:'one', '{"environment": "production"}', 'ann') \g /dev/null
select is(pg_temp.changes(pg_temp.deploy(:'two', '{"environment": "production"}')), 'production ft:one > ft:two', 'the next would take its place');
select is(pg_temp.changes(pg_temp.deploy(:'one', '{"environment": "production"}')), '', 'what serves already changes nothing');
select is(pg_temp.changes(pg_temp.deploy(:'two', '{"environment": "production", "coach_id": "coach_decibel_avatar"}')),
    'production coach_decibel_avatar - > ft:two', 'for one coach the other stays');
select uplift_batch.admin_deploy_model(:'two', '{"environment": "production", "coach_id": "coach_decibel_avatar"}', 'ann') \g /dev/null
select is(pg_temp.deploy(:'two', '{"environment": "production", "coach_id": ""}') -> 'coaches_of_their_own', '["coach_decibel_avatar"]',
    'who has one of their own is told, and an empty coach is all');
select is(pg_temp.changes(pg_temp.back(:'one')), 'production ft:one > -', 'back is the configured model');
select is(pg_temp.changes(pg_temp.back(:'two')), 'production coach_decibel_avatar ft:two > -', 'or what serves all');
select uplift_batch.admin_deploy_model(:'two', '{"environment": "production"}', 'ann') \g /dev/null
select is(pg_temp.changes(pg_temp.back(:'two', '{"coach_id": ""}')), 'production ft:two > ft:one', 'or what served before');
select is(pg_temp.serving(), 'production coach_decibel_avatar ft:two, production ft:two', 'all of which is still there');
select is(pg_temp.refused(format('select uplift_batch.admin_plan_rollback(%L, ''{}'', ''ann'')', :'one')), 'UP409 not_deployed', 'what would be refused is');
select is(pg_temp.refused(format('select uplift_batch.admin_plan_deploy(%L, ''{}'', ''ann'')', :'one')), 'UP400 invalid_environment environment', 'for the same reasons');
select is(pg_temp.refused(format('select uplift_batch.admin_plan_rollback(%L, ''{"reason": "x"}'', ''ann'')', :'two')), 'UP400 unknown_argument reason', 'it needs no reason');

delete from uplift.usage_hourly;
insert into uplift.usage_hourly (hour, coach_id, provider, model, requests, complete, partial, cancelled, failed, cache_hits, degraded, prompt_tokens,
    cached_tokens, completion_tokens, cost_usd, saved_usd, estimated, unpriced, thumbs_up, thumbs_down, ratings, rating_sum, response_ms, first_token_ms)
select date_trunc('hour', now(), 'UTC') - hours * interval '1 hour', coach, 'p', 'm', n, n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}', '{}'
from (values (1, 'coach_decibel_avatar', 5), (2, 'coach_maple_avatar', 7), (30, 'coach_maple_avatar', 100)) v(hours, coach, n);
select is(pg_temp.back(:'two', '{"coach_id": ""}') -> 'answers_of_last_day', '7', 'how many answers it concerns is told, but for those of others');
select is(pg_temp.back(:'two', '{"coach_id": "coach_decibel_avatar"}') -> 'answers_of_last_day', '5', 'or of one coach');
insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric)
values ('Models', '{"variant_name": "a"}', array[format('{"variant_name": "b", "model_version_id": "%s"}', :'two')::jsonb], 'thumbs_up_rate') returning id as trial \gset
select is(pg_temp.back(:'two') -> 'tests', '[]', 'a draft concerns nobody');
update public.ai_experiments set status = 'running' where id = :'trial';
select is(pg_temp.back(:'two') #>> '{tests,0,name}', 'Models', 'a running test that names models does');
select is(pg_temp.back(:'two') #> '{tests,0,loses_coach}', 'false', 'and goes on');
select is(pg_temp.deploy(:'one', '{"environment": "production", "coach_id": "coach_maple_avatar"}') #> '{tests,0,loses_coach}', 'true', 'but loses a coach that comes to have a model of its own');
select is(pg_temp.deploy(:'one', '{"environment": "production", "coach_id": "coach_decibel_avatar"}') -> 'tests', '[]', 'one that has one already is not in it');
select is(pg_temp.deploy(:'two', '{"environment": "production", "coach_id": "coach_decibel_avatar"}') -> 'tests', '[]', 'nor where nothing changes');
select is(pg_temp.back(:'two', '{"coach_id": "coach_decibel_avatar"}') #> '{tests,0,loses_coach}', 'false', 'and is, when it has none any more');
savepoint before_maple;
update public.ai_experiments set status = 'completed' where id = :'trial';
insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric, targeting, status)
values ('Models of Maple', '{"variant_name": "a"}', array[format('{"variant_name": "b", "model_version_id": "%s"}', :'two')::jsonb], 'thumbs_up_rate', '{"coaches": ["coach_maple_avatar"]}', 'running');
select is(pg_temp.deploy(:'one', '{"environment": "production", "coach_id": "coach_maple_avatar"}') #> '{tests,0,loses_coach}', 'false', 'what names the coach goes on, too');
rollback to before_maple;

-- The graph.
create function pg_temp.graph(p_arguments jsonb default '{}') returns jsonb language sql as $$ select uplift_batch.admin_model_lineage(null, p_arguments, 'ann') $$;
create function pg_temp.edges() returns text language sql as $$
    select coalesce(string_agg(concat_ws(' ', f ->> 'name', e ->> 'kind', t ->> 'name'), ', ' order by e ->> 'kind', f ->> 'name', t ->> 'name'), '')
    from jsonb_array_elements(pg_temp.graph() -> 'edges') e
    join jsonb_array_elements(pg_temp.graph() -> 'nodes') f on f ->> 'id' = e ->> 'from'
    join jsonb_array_elements(pg_temp.graph() -> 'nodes') t on t ->> 'id' = e ->> 'to'
$$;
select is(pg_temp.edges(), 'tiny made_of one v1, tiny made_of two v1, one v1 replaced_by two v1, two v1 tried_in Models', 'versions, what they are made of, and what tries them');
insert into public.ai_training_datasets (dataset_name, dataset_type) values ('Kind words', 'conversation') returning id as dataset \gset
insert into uplift.dataset_versions (dataset_id, version, min_quality, total_examples, train_examples, validation_examples, test_examples, tokens, content_hash)
values (:'dataset', 3, 6, 10, 10, 0, 0, 100, 'x') returning id as frozen \gset
insert into public.ai_finetuning_jobs (job_name, base_model, status, dataset_id, dataset_version_id) values ('Run 1', 'tiny', 'succeeded', :'dataset', :'frozen') returning id as job \gset
update public.ai_model_versions set finetuning_job_id = :'job', dataset_version_id = :'frozen' where id = :'one';
select is(pg_temp.edges(), 'Run 1 made_by one v1, tiny made_of Run 1, tiny made_of two v1, one v1 replaced_by two v1, Kind words, version 3 trained_on Run 1, two v1 tried_in Models',
    'what a job made comes of its dataset');
select is((select count(*) from jsonb_array_elements(pg_temp.graph() -> 'nodes') n), (select count(distinct n ->> 'id') from jsonb_array_elements(pg_temp.graph() -> 'nodes') n),
    'each is there once');
select is((pg_temp.graph('{"limit": "1"}') ->> 'has_more', jsonb_array_length(jsonb_path_query_array(pg_temp.graph('{"limit": "1"}'), '$.nodes[*] ? (@.kind == "model_version")')))::text,
    '(true,1)', 'a page has the newest');
-- Both may have been made in the same millisecond.
select is(jsonb_path_query_array(pg_temp.graph(jsonb_build_object('after', greatest(:'one'::uuid, :'two'::uuid))), '$.nodes[*] ? (@.kind == "model_version").id'),
    jsonb_build_array(least(:'one'::uuid, :'two'::uuid)), 'and the next those before');
select * from finish();
rollback;
