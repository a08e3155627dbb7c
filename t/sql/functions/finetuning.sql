-- Fine-tuning jobs and model versions: readiness, costs, what trainers tell, how they end, where models serve.
\ir common.psql
select plan(45);

create function pg_temp.dataset(p_name text, p_count int, p_quality numeric default 8) returns uuid language sql as $$
    with d as (insert into public.ai_training_datasets (dataset_name, dataset_type) values (p_name, 'conversation') returning id),
    e as (insert into public.ai_training_examples (dataset_id, messages, quality_score, split, is_validated, tokens)
        select d.id, jsonb_build_array(jsonb_build_object('role', 'user', 'content', p_name || n),
            jsonb_build_object('role', 'assistant', 'content', 'Answer ' || n)), p_quality,
            case when n % 10 = 0 then 'validation' else 'train' end, true, 1000
        from d, generate_series(1, p_count) n)
    select id from d
$$;
create function pg_temp.ready(p_dataset uuid) returns text language sql as $$
    select concat_ws('; ', r ->> 'ready', (select string_agg(m, ', ') from jsonb_array_elements_text(r -> 'missing') m))
    from uplift.finetuning_readiness(p_dataset, 6) r
$$;
create function pg_temp.ask(p_arguments jsonb) returns public.ai_finetuning_jobs language plpgsql as $$
declare
    v_id uuid := uplift_batch.admin_create_finetuning(null, p_arguments, 'ann', null) ->> 'id';
    v_job public.ai_finetuning_jobs;
begin
    select j.* into v_job from public.ai_finetuning_jobs j where j.id = v_id;
    return v_job;
end $$;
create function pg_temp.production(p_coach text) returns text language sql as $$
    select model from uplift.prepare_chat(pg_temp.ann(), 'chat', p_coach, null, null, null, null, 'next', 4000)
$$;
create function pg_temp.version(p_name text, p_base text default 'tiny') returns uuid language sql as $$
    insert into public.ai_model_versions (model_name, version, model_id, base_model) values (p_name, 'v1', 'ft:' || p_name, p_base)
    returning id
$$;

-- Readiness.
select pg_temp.dataset('Few', 99) as few \gset
select pg_temp.dataset('Enough', 100) as enough \gset
select pg_temp.dataset('Poor', 200, 5) as poor \gset
select is(pg_temp.ready(:'few'), 'false; 100 new examples of quality 6 or better, and there are 99', 'too few are named');
select is(pg_temp.ready(:'enough'), 'true', 'enough is enough');
select is(pg_temp.ready(:'poor'), 'false; 100 new examples of quality 6 or better, and there are 0', 'poor ones do not count');
update uplift.settings set value = '50' where key = 'training.min_new_examples';
select is(pg_temp.ready(:'few'), 'true', 'the limit is a setting');
update uplift.settings set value = '100' where key = 'training.min_new_examples';
update public.ai_training_examples set review = 'rejected' where id = (
    select id from public.ai_training_examples where dataset_id = :'enough' limit 1);
select matches(pg_temp.ready(:'enough'), 'there are 99$', 'rejected ones do not count');
update public.ai_training_examples set review = null where dataset_id = :'enough';

-- What is asked for.
select (j).id as job, (j).batch_job_id as batch, (j).dataset_version_id as version
from (select pg_temp.ask(jsonb_build_object('dataset_id', :'enough', 'base_model', 'gpt-4.1-mini-2025-04-14',
    'hyperparameters', jsonb '{"n_epochs": 2}')) as j) x \gset
select is((j.status, j.method, j.estimated_tokens)::text, '(pending,supervised,90000)', 'tokens of what is trained on are counted')
from public.ai_finetuning_jobs j where j.id = :'job';
select is(j.estimated_cost, 0.9, 'the estimate is tokens x passes x price, of the model without its date')
from public.ai_finetuning_jobs j where j.id = :'job';
select is((b.name, b.status, b.arguments ->> 'finetuning_job_id')::text, format('(fine-tune,queued,%s)', :'job'), 'a batch job sees to it')
from uplift.batch_jobs b where b.id = :'batch';
select matches(pg_temp.ready(:'enough'), '100 new examples.*there are 0, 30 days since the last run',
    'what was trained on is new no more, and days must pass');
update public.ai_finetuning_jobs set created_at = now() - interval '31 days' where id = :'job';
select is(pg_temp.ready(:'enough'), 'false; 100 new examples of quality 6 or better, and there are 0', 'they have passed');
select is((pg_temp.ask(jsonb_build_object('dataset_id', :'enough', 'base_model', 'nobody-knows', 'force', true))).estimated_cost, null,
    'no price, no estimate');
select is(pg_temp.refused(format($$select pg_temp.ask('{"dataset_id": "%s", "base_model": "m"}')$$, :'few')), 'UP409 not_ready', 'not ready');
select is(pg_temp.refused(format($$select pg_temp.ask('{"dataset_version_id": "%s", "base_model": "m", "method": "dpo"}')$$, :'version')),
    'UP400 method_does_not_fit method', 'the method must fit');
select is(pg_temp.refused(format($$select pg_temp.ask('{"dataset_id": "%s", "base_model": "gpt-3.5-turbo", "force": true}')$$, :'few')),
    'UP400 model_shut_down base_model', 'a model that is gone is refused');
select is(pg_temp.refused(format($$select uplift.check_hyperparameters('%s', 'dpo')$$, h)), wanted, 'hyperparameters ' || h)
from (values ('{"n_epochs": 1, "batch_size": 256, "beta": 2, "learning_rate_multiplier": 0.01}', 'not at all'),
    ('{"n_epochs": "auto", "beta": "auto"}', 'not at all'),
    ('{"n_epochs": 0}', 'UP400 invalid_hyperparameters hyperparameters'), ('{"n_epochs": 1.5}', 'UP400 invalid_hyperparameters hyperparameters'),
    ('{"batch_size": 257}', 'UP400 invalid_hyperparameters hyperparameters'), ('{"beta": 0}', 'UP400 invalid_hyperparameters hyperparameters'),
    ('{"beta": 2.1}', 'UP400 invalid_hyperparameters hyperparameters'),
    ('{"learning_rate_multiplier": 0}', 'UP400 invalid_hyperparameters hyperparameters'),
    ('{"lora": true}', 'UP400 unknown_hyperparameter hyperparameters')) as x(h, wanted);

-- What trainers tell.
select is(uplift_batch.add_finetuning_events(:'job', '[{"id": "1", "message": "began"}, {"id": "2", "step": 1, "training_loss": 2},
    {"id": "3", "step": 2, "training_loss": 1, "validation_loss": 1.5}]'), 3, 'events are kept');
select is(uplift_batch.add_finetuning_events(:'job', '[{"id": "3", "step": 2, "training_loss": 1}, {"id": "4", "message": "more"}]'), 1, 'each once');
select is((j.training_loss, j.validation_loss)::text, '(1,1.5)', 'the last losses are the job''s') from public.ai_finetuning_jobs j where j.id = :'job';
select is(jsonb_array_length(uplift.loss_curve(:'job')), 2, 'steps are the curve');
select is(uplift_batch.add_finetuning_events(:'job', '[{"id": "5", "step": 1.5}, {"id": "6", "step": 1e300, "at": 1e300}, {"id": "7", "step": -1, "at": -1e99}]'),
    3, 'steps and times that cannot be are no failure');

-- How it ends.
select uplift_batch.note_finetuning(:'job', '{"status": "running", "external_status": "odd"}') as status \gset
select uplift_batch.finish_finetuning(:'job', 'ft:one', 1000000, '{"a": 1}') as made \gset
select is(uplift_batch.finish_finetuning(:'job', 'ft:one', 1000000, null), :'made', 'a model version is made once');
select is((j.status, j.actual_cost, j.external_status)::text, '(succeeded,5.0000,odd)', 'with what it cost') from public.ai_finetuning_jobs j where j.id = :'job';
select is(uplift_batch.note_finetuning(:'job', '{"status": "failed"}'), null, 'what has ended stays as it is');
select (j).id as job2, (j).batch_job_id as batch2
from (select pg_temp.ask(jsonb_build_object('dataset_id', :'enough', 'base_model', 'm', 'force', true)) as j) x \gset
select is(uplift_batch.admin_cancel_finetuning(:'job2', '{}', 'ann') ->> 'status', 'cancelled', 'one that has not begun is cancelled at once');
select (j).id as job3, (j).batch_job_id as batch3
from (select pg_temp.ask(jsonb_build_object('dataset_id', :'enough', 'base_model', 'm', 'force', true)) as j) x \gset
update uplift.batch_jobs set status = 'failed', error = '{"code": "runner_lost", "message": "gone"}' where id = :'batch3';
select is((j.status, j.error ->> 'code', j.error ? 'advice', j.completed_at is not null)::text, '(failed,runner_lost,t,t)', 'it fails with its batch job')
from public.ai_finetuning_jobs j where j.id = :'job3';
select (j).id as job4, (j).batch_job_id as batch4
from (select pg_temp.ask(jsonb_build_object('dataset_id', :'enough', 'base_model', 'm', 'force', true)) as j) x \gset
select uplift_batch.note_finetuning(:'job4', '{"error": {"code": "trainer_unreachable", "advice": "wait"}}') as status \gset
update uplift.batch_jobs set status = 'failed', error = '{"code": "trainer_unreachable", "message": "again"}' where id = :'batch4';
select is((j.status, j.error ->> 'advice')::text, '(failed,wait)', 'and keeps the advice it had') from public.ai_finetuning_jobs j where j.id = :'job4';

-- Where models serve.
select pg_temp.version('one') as one \gset
select pg_temp.version('two') as two \gset
select pg_temp.version('three') as three \gset
\set maple '''coach_maple_avatar'''
\set ledger '''coach_ledger_avatar'''
select is(pg_temp.production(:maple), null, 'at first the configured model');
select uplift_batch.admin_deploy_model(:'one', '{"environment": "production"}', 'ann') is null as x,
    uplift_batch.admin_deploy_model(:'two', '{"environment": "production", "coach_id": "coach_maple_avatar"}', 'ann') is null as x,
    uplift_batch.admin_deploy_model(:'three', '{"environment": "production", "coach_id": "coach_maple_avatar"}', 'ann') is null as x,
    uplift_batch.admin_deploy_model(:'three', '{"environment": "production"}', 'ann') is null as x \gset
select is(pg_temp.production(:maple) || ' ' || pg_temp.production(:ledger), 'ft:three ft:three', 'one serves a coach, and all');
select uplift_batch.admin_rollback_model(:'three', '{"reason": "r", "coach_id": "coach_maple_avatar"}', 'ann') is null as x \gset
select is(pg_temp.production(:maple) || ' ' || pg_temp.production(:ledger), 'ft:two ft:three', 'a coach goes back to what it had');
select uplift_batch.admin_rollback_model(:'three', '{"reason": "r"}', 'ann') is null as x \gset
select is(pg_temp.production(:maple) || ' ' || pg_temp.production(:ledger), 'ft:two ft:one', 'and so do all');
select uplift_batch.admin_rollback_model(:'two', '{"reason": "r", "environment": "production"}', 'ann') is null as x \gset
select is(pg_temp.production(:maple), 'ft:one', 'a coach without one of its own has that of all');
select is(pg_temp.refused(format($$select uplift_batch.admin_rollback_model('%s', '{"reason": "r", "environment": "staging"}', 'ann')$$, :'one')),
    'UP409 not_deployed', 'only what serves there is rolled back');
select uplift_batch.admin_rollback_model(:'one', '{"reason": "r"}', 'ann') is null as x \gset
select is(pg_temp.production(:ledger), null, 'back to the configured model');

-- Shutdowns.
insert into uplift.base_models (model, shutdown_date) values ('soon', current_date + 60), ('later', current_date + 61), ('gone', current_date);
select is((uplift.base_model_state('soon') ->> 'warning') is not null and (uplift.base_model_state('later') ->> 'warning') is null, true,
    'there is a warning 60 days ahead');
select is(pg_temp.refused(format($$select uplift_batch.admin_deploy_model('%s', '{"environment": "staging"}', 'ann')$$, pg_temp.version('old', 'gone'))),
    'UP409 model_shut_down', 'what is gone is not deployed');

-- Figures.
select uplift_batch.admin_deploy_model(:'one', '{"environment": "production"}', 'ann') is null as x,
    pg_temp.record(1, :ann, pg_temp.id(901), 'a', 'b', jsonb_build_object('model_used', 'ft:one', 'response_time_ms', 100, 'created_at', now())),
    pg_temp.record(2, :ann, pg_temp.id(901), 'c', 'd', jsonb_build_object('model_used', 'ft:one', 'response_time_ms', 300, 'created_at', now())) \gset
update public.coach_response_feedback set helpful = id = pg_temp.id(1) where model_used = 'ft:one';
create temp table moved as select uplift.uuid_v7() as id, id as was from public.coach_response_feedback where model_used = 'ft:one';
update public.coach_response_feedback f set id = m.id from moved m where f.id = m.was;
select ok((uplift_batch.refresh_model_metrics(7) ->> 'refreshed')::int > 0, 'figures are refreshed');
select is(concat_ws(' ', m ->> 'answers', m ->> 'thumbs_up_rate', m ->> 'latency_ms_p50', m ->> 'latency_ms_p95', m ->> 'error_rate'),
    '2 0.5000 100 300 0.0000', 'of the answers of these days')
from (select production_metrics as m from public.ai_model_versions where id = :'one') x;

select * from finish();
rollback;
