-- Fine-tuning: what is asked for, whether there is enough for it, what the trainer said, what it cost.

-- A model is known by its snapshot or without it: gpt-4o-mini, gpt-4o-mini-2024-07-18.
create or replace function uplift.training_cost(p_job public.ai_finetuning_jobs) returns numeric
language sql immutable parallel safe
as $$
    select case when p_job.actual_cost is not null then p_job.actual_cost
        when p_job.status in ('failed', 'cancelled') and p_job.external_job_id is null then 0 else p_job.estimated_cost end
$$;

comment on function uplift.training_cost(public.ai_finetuning_jobs) is
    'What a fine-tuning job cost in US dollars, or, before that is known, may; nothing when it ended before a trainer had it.';

create or replace function uplift.without_snapshot(p_model text) returns text
language sql immutable parallel safe
as $$ select regexp_replace(p_model, '-20\d\d-\d\d-\d\d$', '') $$;

comment on function uplift.without_snapshot(text) is 'A model''s name without the date of its snapshot.';

create or replace function uplift.training_price(p_model text) returns numeric
language sql stable
as $$
    select p.per_million_tokens from unnest(uplift.model_names(p_model)) with ordinality as n(name, place)
    join uplift.training_prices p on p.model = n.name
    order by n.place limit 1
$$;

comment on function uplift.training_price(text) is 'US dollars for a million trained tokens of a base model; null when not known.';

-- OpenAI's own choice where "auto" is asked for: more passes over fewer examples.
create or replace function uplift.epochs_of(p_hyperparameters jsonb, p_examples int) returns int
language sql immutable parallel safe
as $$
    select case when jsonb_typeof(p_hyperparameters -> 'n_epochs') = 'number' then (p_hyperparameters ->> 'n_epochs')::int
        else 3 end
$$;

comment on function uplift.epochs_of(jsonb, int) is 'Passes over the examples: n_epochs, or 3, which is what trainers choose for most sets.';

create or replace function uplift.finetuning_readiness(p_dataset_id uuid, p_min_quality numeric) returns jsonb
language plpgsql stable
as $$
declare
    v_needed int := uplift.setting_number('training.min_new_examples', 100);
    v_days int := uplift.setting_number('training.min_days', 30);
    v_last record;
    v_new bigint;
    v_missing jsonb := jsonb '[]';
begin
    select j.created_at, j.dataset_version_id into v_last from public.ai_finetuning_jobs j
    where j.dataset_id = p_dataset_id and j.status in ('pending', 'running', 'succeeded')
    order by j.created_at desc limit 1;
    select count(*) into v_new from public.ai_training_examples e
    where e.dataset_id = p_dataset_id and e.withdrawn_at is null and e.is_validated and e.review is distinct from 'rejected'
        and e.quality_score >= p_min_quality
        and (v_last is null or not exists (select from uplift.dataset_version_examples x
            where x.version_id = v_last.dataset_version_id and x.example_id = e.id));
    if v_new < v_needed then
        v_missing := v_missing || to_jsonb(format('%s new examples of quality %s or better, and there are %s',
            v_needed, trim_scale(p_min_quality), v_new));
    end if;
    if v_last.created_at > now() - v_days * interval '24 hours' then
        v_missing := v_missing || to_jsonb(format('%s days since the last run, which was on %s', v_days,
            to_char(v_last.created_at at time zone 'UTC', 'YYYY-MM-DD')));
    end if;
    return jsonb_build_object('ready', v_missing = '[]', 'missing', v_missing, 'new_examples', v_new,
        'last_run_at', v_last.created_at);
end
$$;

comment on function uplift.finetuning_readiness(uuid, numeric) is
    'Whether a dataset has enough that is new for a fine-tuning run, {"ready", "missing", "new_examples", "last_run_at"}; the limits are settings training.min_new_examples and training.min_days.';

create or replace function uplift.check_hyperparameters(p_parameters jsonb, p_method text) returns void
language plpgsql immutable
as $$
declare
    v record;
begin
    if jsonb_typeof(p_parameters) <> 'object' then
        perform uplift.fail(400, 'invalid_hyperparameters', 'hyperparameters must be an object', 'hyperparameters');
    end if;
    for v in select k.key, k.value, jsonb_typeof(k.value) as type from jsonb_each(p_parameters) k loop
        if v.key not in ('n_epochs', 'batch_size', 'learning_rate_multiplier', 'beta')
                or v.key = 'beta' and p_method = 'supervised' then
            perform uplift.fail(400, 'unknown_hyperparameter',
                format('%s is no hyperparameter of %s; there are n_epochs, batch_size, learning_rate_multiplier and, of dpo and kto, beta',
                    left(v.key, 60), p_method), 'hyperparameters');
        elsif v.value = '"auto"' then
            continue;
        elsif v.type <> 'number'
                or v.key = 'n_epochs' and (v.value #>> '{}')::numeric not in (select generate_series(1, 50))
                or v.key = 'batch_size' and (v.value #>> '{}')::numeric not in (select generate_series(1, 256))
                or v.key = 'learning_rate_multiplier' and (v.value #>> '{}')::numeric <= 0
                or v.key = 'beta' and ((v.value #>> '{}')::numeric <= 0 or (v.value #>> '{}')::numeric > 2) then
            perform uplift.fail(400, 'invalid_hyperparameters',
                'n_epochs is 1 to 50, batch_size 1 to 256, learning_rate_multiplier above 0, beta above 0 and at most 2, each or "auto"',
                'hyperparameters');
        end if;
    end loop;
end
$$;

comment on function uplift.check_hyperparameters(jsonb, text) is
    'Returns when these are what trainers take. UP400 invalid_hyperparameters, unknown_hyperparameter.';

create or replace function uplift.base_model_state(p_model text) returns jsonb
language sql stable
as $$
    -- A fine-tuned model dies with what it was made of: ft:BASE:...
    select jsonb_build_object('shutdown_date', b.shutdown_date, 'is_shut_down', b.shutdown_date <= n.today,
        'is_trainable', b.is_trainable,
        'warning', case when b.shutdown_date <= n.today then format('%s was shut down on %s', b.model, d.text)
            when b.shutdown_date <= n.today + 60 then
                format('%s will be shut down on %s, in %s days, with every model made of it', b.model, d.text,
                    b.shutdown_date - n.today) end)
    from (select case when p_model like 'ft:%' then split_part(p_model, ':', 2) else p_model end as name,
        (now() at time zone 'UTC')::date as today) n
    cross join lateral (
        select b.* from uplift.base_models b
        where b.model = n.name or uplift.without_snapshot(b.model) = n.name
        order by b.model = n.name desc, b.shutdown_date limit 1) b
    cross join lateral (select to_char(b.shutdown_date::timestamp, 'YYYY-MM-DD') as text) d
$$;

comment on function uplift.base_model_state(text) is
    'What is known of a base model, or of that of a fine-tuned one: {"shutdown_date", "is_shut_down", "is_trainable", "warning"}; null when nothing is.';

create or replace function uplift.finetuning_json(p_job public.ai_finetuning_jobs) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'finetuning_job', 'id', p_job.id, 'job_name', p_job.job_name, 'status', p_job.status,
        'external_status', p_job.external_status, 'progress_percentage', p_job.progress_percentage,
        'dataset_id', p_job.dataset_id, 'dataset_version_id', p_job.dataset_version_id, 'base_model', p_job.base_model,
        'trainer', p_job.provider, 'method', p_job.method, 'hyperparameters', p_job.hyperparameters,
        'suffix', p_job.suffix, 'seed', p_job.seed, 'external_job_id', p_job.external_job_id, 'model_id', p_job.model_id,
        'model_version_id', (select v.id from public.ai_model_versions v where v.finetuning_job_id = p_job.id),
        'training_loss', p_job.training_loss, 'validation_loss', p_job.validation_loss, 'final_metrics', p_job.final_metrics,
        'estimated_tokens', p_job.estimated_tokens, 'trained_tokens', p_job.trained_tokens,
        'estimated_cost', p_job.estimated_cost, 'actual_cost', p_job.actual_cost, 'error', p_job.error,
        'warning', uplift.base_model_state(p_job.base_model) ->> 'warning',
        'is_forced', p_job.is_forced, 'requested_by', p_job.requested_by, 'created_at', p_job.created_at,
        'started_at', p_job.started_at, 'completed_at', p_job.completed_at, 'last_polled_at', p_job.last_polled_at,
        'batch_job_id', p_job.batch_job_id, 'status_url', '/admin/finetuning-jobs/' || p_job.id,
        'events_url', '/admin/jobs/' || p_job.batch_job_id || '/events')
$$;

comment on function uplift.finetuning_json(public.ai_finetuning_jobs) is 'A fine-tuning job as admins see it.';

-- What both the URL and the schedule ask for. p_batch_job_id null: it is made here.
create or replace function uplift.start_finetuning(p_arguments jsonb, p_who text, p_key text, p_batch_job_id uuid)
returns public.ai_finetuning_jobs
language plpgsql volatile
as $$
declare
    v_job public.ai_finetuning_jobs;
    v_version uplift.dataset_versions;
    v_dataset public.ai_training_datasets;
    v_method text := p_arguments ->> 'method';
    v_trainer text := p_arguments ->> 'trainer';
    v_model text := p_arguments ->> 'base_model';
    v_parameters jsonb := coalesce(nullif(p_arguments -> 'hyperparameters', 'null'), '{}');
    v_quality numeric := uplift.setting_number('training.min_quality', 6);
    v_ready jsonb;
    v_frozen uuid;
begin
    if p_arguments ? 'dataset_version_id' then
        select v.* into v_version from uplift.dataset_versions v
        where v.id = uplift.uuid_argument(p_arguments, 'dataset_version_id');
        if not found then
            perform uplift.fail(404, 'version_not_found', 'there is no such version of a dataset', 'dataset_version_id');
        end if;
    end if;
    select d.* into v_dataset from public.ai_training_datasets d
    where d.id = coalesce(v_version.dataset_id, uplift.uuid_argument(p_arguments, 'dataset_id'))
        or d.dataset_name = p_arguments ->> 'dataset';
    if not found then
        if not p_arguments ?| '{dataset_id,dataset}' then
            perform uplift.fail(400, 'missing_dataset', 'dataset_id or dataset_version_id is needed', 'dataset_id');
        end if;
        perform uplift.fail(404, 'dataset_not_found', 'there is no such dataset', 'dataset_id');
    end if;
    if coalesce(length(v_model), 0) not between 1 and 200 then
        perform uplift.fail(400, 'invalid_base_model', 'base_model must name the model to train', 'base_model');
    end if;
    v_method := coalesce(v_method, case v_dataset.dataset_type when 'preference' then 'dpo' when 'unpaired' then 'kto'
        else 'supervised' end);
    if v_method not in ('supervised', 'dpo', 'kto') then
        perform uplift.fail(400, 'invalid_method', 'method must be supervised, dpo or kto', 'method');
    elsif v_method <> (case v_dataset.dataset_type when 'preference' then 'dpo' when 'unpaired' then 'kto' else 'supervised' end) then
        perform uplift.fail(400, 'method_does_not_fit', format('the examples of "%s" are of type %s, which %s cannot learn from',
            v_dataset.dataset_name, coalesce(v_dataset.dataset_type, 'conversation'), v_method), 'method');
    elsif v_trainer not in ('openai', 'command') then
        perform uplift.fail(400, 'invalid_trainer', 'trainer must be openai or command', 'trainer');
    elsif v_method = 'kto' and v_trainer = 'openai' then
        perform uplift.fail(400, 'method_not_available',
            'OpenAI''s API has no KTO; use trainer "command", or preference pairs with dpo', 'method');
    elsif coalesce(length(p_arguments ->> 'suffix'), 1) not between 1 and 64 or p_arguments ->> 'suffix' !~ '^[A-Za-z0-9._-]+$' then
        perform uplift.fail(400, 'invalid_suffix', 'suffix must have 1 to 64 letters, digits, dots, hyphens and underscores', 'suffix');
    elsif p_arguments ? 'seed' and (jsonb_typeof(p_arguments -> 'seed') <> 'number'
            or (p_arguments ->> 'seed')::numeric not between 0 and 2147483647 or p_arguments ->> 'seed' like '%.%') then
        perform uplift.fail(400, 'invalid_seed', 'seed must be a whole number from 0 to 2147483647', 'seed');
    elsif jsonb_typeof(p_arguments -> 'force') not in ('boolean', 'null') then
        perform uplift.fail(400, 'invalid_force', 'force must be true or false', 'force');
    end if;
    perform uplift.check_hyperparameters(v_parameters, v_method);
    if (uplift.base_model_state(v_model) ->> 'is_shut_down')::boolean then
        perform uplift.fail(400, 'model_shut_down', (uplift.base_model_state(v_model) ->> 'warning')
            || '; choose another base model, or another trainer', 'base_model');
    end if;
    if (p_arguments ->> 'force')::boolean is not true then
        v_ready := uplift.finetuning_readiness(v_dataset.id, v_quality);
        if not (v_ready ->> 'ready')::boolean then
            perform uplift.fail(409, 'not_ready', format('"%s" is not ready: it takes %s. "force": true goes ahead all the same',
                v_dataset.dataset_name,
                (select string_agg(m, ', and ') from jsonb_array_elements_text(v_ready -> 'missing') m)));
        end if;
    end if;
    if v_version.id is null then
        v_frozen := uplift.freeze_dataset(v_dataset.id, v_quality, p_who);
        select v.* into v_version from uplift.dataset_versions v where v.id = v_frozen;
    end if;
    -- The least that every trainer takes; nothing is worth beginning with less.
    if v_version.train_examples < 10 then
        perform uplift.fail(400, 'too_few_examples',
            format('"%s" has %s examples of quality %s or better to train on, and trainers take 10 at the least',
                v_dataset.dataset_name, v_version.train_examples, trim_scale(v_version.min_quality)));
    end if;
    insert into public.ai_finetuning_jobs (dataset_id, dataset_version_id, job_name, base_model, provider, method,
        hyperparameters, suffix, seed, is_forced, requested_by, idempotency_key, request, estimated_tokens, batch_job_id)
    values (v_dataset.id, v_version.id, format('%s v%s on %s', v_dataset.dataset_name, v_version.version, v_model), v_model,
        v_trainer, v_method, v_parameters, p_arguments ->> 'suffix', (p_arguments ->> 'seed')::int,
        coalesce((p_arguments ->> 'force')::boolean, false), p_who, p_key, p_arguments,
        v_version.tokens * v_version.train_examples / greatest(v_version.total_examples, 1), p_batch_job_id)
    returning * into v_job;
    update public.ai_finetuning_jobs j set
        estimated_cost = round(v_job.estimated_tokens * uplift.epochs_of(v_parameters, v_version.train_examples)
            * uplift.training_price(v_model) / 1000000, 4),
        batch_job_id = coalesce(p_batch_job_id, (uplift_batch.submit_job('fine-tune',
            jsonb_build_object('finetuning_job_id', v_job.id), p_who) ->> 'job_id')::uuid)
    where j.id = v_job.id
    returning j.* into v_job;
    return v_job;
end
$$;

comment on function uplift.start_finetuning(jsonb, text, text, uuid) is
    'Checks what is asked for, freezes the dataset, and notes a fine-tuning job with its estimated cost, with a batch job to see to it. UP400 for bad arguments, model_shut_down, too_few_examples; UP404; UP409 not_ready.';

create or replace function uplift_batch.admin_create_finetuning(p_id uuid, p_arguments jsonb, p_who text, p_key text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_job public.ai_finetuning_jobs;
begin
    perform uplift.check_arguments(p_arguments,
        '{dataset_id,dataset_version_id,base_model,trainer,method,hyperparameters,suffix,seed,force}');
    if length(p_key) not between 1 and 255 then
        perform uplift.fail(400, 'invalid_idempotency_key', 'Idempotency-Key must have 1 to 255 characters');
    end if;
    -- Two with the same key at once: the second waits, and finds the first's.
    if p_key is not null then
        perform pg_advisory_xact_lock(hashtextextended('uplift finetuning ' || p_key, 0));
        select j.* into v_job from public.ai_finetuning_jobs j where j.idempotency_key = p_key;
        if found then
            if v_job.request <> p_arguments then
                perform uplift.fail(409, 'idempotency_key_reused',
                    'this Idempotency-Key was sent before with another job or other arguments; use a fresh one');
            end if;
            return uplift.finetuning_json(v_job);
        end if;
    end if;
    return uplift.finetuning_json(uplift.start_finetuning(p_arguments, p_who, p_key, null));
end
$$;

comment on function uplift_batch.admin_create_finetuning(uuid, jsonb, text, text) is
    'Asks for a fine-tuning run: dataset_id or dataset_version_id, base_model, trainer, method, hyperparameters, suffix, seed, force. With an idempotency key that was used before, the job of then. Errors as uplift.start_finetuning().';

create or replace function uplift.loss_curve(p_id uuid) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(jsonb_build_object('step', e.step, 'training_loss', e.training_loss,
        'validation_loss', e.validation_loss) order by e.step, e.id), '[]')
    from uplift.finetuning_events e
    where e.finetuning_job_id = p_id and e.step is not null
$$;

comment on function uplift.loss_curve(uuid) is 'The losses a trainer told, by step.';

create or replace function uplift_batch.admin_get_finetuning(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_job public.ai_finetuning_jobs;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select j.* into v_job from public.ai_finetuning_jobs j where j.id = p_id;
    if not found then
        perform uplift.fail(404, 'finetuning_job_not_found', 'there is no such fine-tuning job');
    end if;
    return uplift.finetuning_json(v_job) || jsonb_build_object('loss_curve', uplift.loss_curve(p_id));
end
$$;

comment on function uplift_batch.admin_get_finetuning(uuid, jsonb, text) is
    'A fine-tuning job with its loss curve. UP404 finetuning_job_not_found.';

create or replace function uplift_batch.admin_list_finetuning(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,status}');
    if p_arguments ->> 'status' not in ('pending', 'running', 'succeeded', 'failed', 'cancelled') then
        perform uplift.fail(400, 'invalid_status', 'status must be pending, running, succeeded, failed or cancelled', 'status');
    end if;
    select array_agg(uplift.finetuning_json(j) order by j.id desc) into v_rows from (
        select f.* from public.ai_finetuning_jobs f
        where (v_after is null or f.id < v_after) and (not p_arguments ? 'status' or f.status = p_arguments ->> 'status')
        order by f.id desc limit v_limit + 1) j;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_finetuning(uuid, jsonb, text) is 'Fine-tuning jobs, the newest first: limit, after, status.';

create or replace function uplift_batch.admin_finetuning_events(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after bigint;
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    if p_arguments ->> 'after' !~ '^[0-9]{1,18}$' then
        perform uplift.fail(400, 'invalid_after', 'after must be the id of an event', 'after');
    end if;
    v_after := coalesce((p_arguments ->> 'after')::bigint, 0);
    perform uplift_batch.admin_get_finetuning(p_id, '{}', p_who);
    select array_agg(jsonb_build_object('object', 'finetuning_event', 'id', e.id, 'at', e.at, 'level', e.level,
        'message', e.message, 'step', e.step, 'training_loss', e.training_loss, 'validation_loss', e.validation_loss)
        order by e.id) into v_rows
    from (select f.* from uplift.finetuning_events f where f.finetuning_job_id = p_id and f.id > v_after
        order by f.id limit v_limit + 1) e;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_finetuning_events(uuid, jsonb, text) is
    'What the trainer said of a fine-tuning job, the oldest first: limit, after (an event''s id).';

create or replace function uplift_batch.admin_cancel_finetuning(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_job public.ai_finetuning_jobs;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select j.* into v_job from public.ai_finetuning_jobs j where j.id = p_id;
    if not found then
        perform uplift.fail(404, 'finetuning_job_not_found', 'there is no such fine-tuning job');
    elsif v_job.status in ('succeeded', 'failed') then
        perform uplift.fail(409, 'job_has_ended', format('this job has %s already', v_job.status));
    elsif v_job.status <> 'cancelled' then
        perform uplift_batch.admin_cancel_job(v_job.batch_job_id, '{}', p_who);
        select j.* into v_job from public.ai_finetuning_jobs j where j.id = p_id;
    end if;
    return uplift.finetuning_json(v_job);
end
$$;

comment on function uplift_batch.admin_cancel_finetuning(uuid, jsonb, text) is
    'Cancels a fine-tuning job, at the trainer too. UP404 finetuning_job_not_found, UP409 job_has_ended.';

-- --- for the batch job ---

-- A batch job may end without its runner: cancelled before it began, out of attempts, out of time.
create or replace function uplift.end_finetuning_with_job() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    update public.ai_finetuning_jobs j set status = new.status, completed_at = now(),
        error = case when new.status = 'failed' then coalesce(nullif(j.error, 'null'),
            new.error || jsonb '{"advice": "Ask for a new run."}') else j.error end
    where j.batch_job_id = new.id and j.status in ('pending', 'running');
    return null;
end
$$;

comment on function uplift.end_finetuning_with_job() is 'A fine-tuning job ends with the batch job that sees to it.';

-- Only when it is missing, because making a trigger waits for everyone who writes there.
do $$
begin
    if not exists (select from pg_trigger t where t.tgrelid = 'uplift.batch_jobs'::regclass and t.tgname = 'uplift_finetuning_ended') then
        create trigger uplift_finetuning_ended after update of status on uplift.batch_jobs for each row
        when (new.name = 'fine-tune' and new.status in ('failed', 'cancelled') and old.status is distinct from new.status)
        execute function uplift.end_finetuning_with_job();
    end if;
end
$$;

create or replace function uplift.whole_number(p_number numeric) returns int
language sql immutable parallel safe
as $$ select case when p_number between 0 and 2147483647 then trunc(p_number)::int end $$;

comment on function uplift.whole_number(numeric) is 'A step or a time, as somebody else told it, as a whole number; null for what cannot be one.';

create or replace function uplift_batch.begin_finetuning(p_batch_job_id uuid, p_arguments jsonb, p_trainer text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_job public.ai_finetuning_jobs;
    v_version uplift.dataset_versions;
    v_dataset uuid;
    v_ready jsonb;
begin
    select j.* into v_job from public.ai_finetuning_jobs j
    where j.batch_job_id = p_batch_job_id or j.id = (p_arguments ->> 'finetuning_job_id')::uuid;
    if not found then
        select d.id into v_dataset from public.ai_training_datasets d
        where d.id = (p_arguments ->> 'dataset_id')::uuid or d.dataset_name = p_arguments ->> 'dataset';
        if (p_arguments ->> 'if_ready')::boolean then
            if v_dataset is null then
                return jsonb_build_object('ready', false, 'missing', jsonb_build_array('a dataset: there is none of that name yet'));
            end if;
            v_ready := uplift.finetuning_readiness(v_dataset, uplift.setting_number('training.min_quality', 6));
            if not (v_ready ->> 'ready')::boolean or (p_arguments ->> 'submit')::boolean is false then
                return v_ready;
            end if;
        end if;
        v_job := uplift.start_finetuning(p_arguments - 'if_ready' - 'submit', 'schedule', null, p_batch_job_id);
    end if;
    if v_job.method = 'kto' and coalesce(v_job.provider, p_trainer) = 'openai' then
        perform uplift.fail(400, 'method_not_available',
            'OpenAI''s API has no KTO; use trainer "command", or preference pairs with dpo', 'method');
    end if;
    update public.ai_finetuning_jobs j set provider = coalesce(j.provider, p_trainer),
        started_at = coalesce(j.started_at, now())
    where j.id = v_job.id
    returning j.* into v_job;
    select v.* into v_version from uplift.dataset_versions v where v.id = v_job.dataset_version_id;
    return jsonb_build_object('ready', true, 'id', v_job.id, 'status', v_job.status, 'version_id', v_job.dataset_version_id,
        'has_validation', v_version.validation_examples > 0, 'base_model', v_job.base_model, 'trainer', v_job.provider,
        'method', v_job.method, 'hyperparameters', v_job.hyperparameters, 'suffix', v_job.suffix, 'seed', v_job.seed,
        'model_id', v_job.model_id);
end
$$;

comment on function uplift_batch.begin_finetuning(uuid, jsonb, text) is
    'The fine-tuning job of a batch job, made from the arguments of a schedule when there is none; or, with if_ready, what is missing ("ready": false), and with "submit": false only that.';

create or replace function uplift_batch.note_finetuning(p_id uuid, p_changes jsonb) returns text
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
    update public.ai_finetuning_jobs j set
        status = coalesce(p_changes ->> 'status', j.status),
        external_status = coalesce(p_changes ->> 'external_status', j.external_status),
        external_job_id = coalesce(p_changes ->> 'external_job_id', j.external_job_id),
        training_file_id = coalesce(p_changes ->> 'training_file_id', j.training_file_id),
        validation_file_id = coalesce(p_changes ->> 'validation_file_id', j.validation_file_id),
        progress_percentage = coalesce((p_changes ->> 'progress')::numeric, j.progress_percentage),
        error = case when p_changes ? 'error' then nullif(p_changes -> 'error', 'null') else j.error end,
        completed_at = case when p_changes ->> 'status' in ('failed', 'cancelled') then now() else j.completed_at end,
        last_polled_at = now()
    where j.id = p_id and j.status not in ('succeeded', 'failed', 'cancelled')
    returning j.status
$$;

comment on function uplift_batch.note_finetuning(uuid, jsonb) is
    'Notes how a fine-tuning job stands: status, external_status, external_job_id, training_file_id, validation_file_id, progress, error. What has ended stays as it is.';

create or replace function uplift_batch.add_finetuning_events(p_id uuid, p_events jsonb) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_added int;
begin
    with added as (
        insert into uplift.finetuning_events (finetuning_job_id, external_id, at, level, message, step, training_loss, validation_loss)
        select p_id, left(e.id, 200), coalesce(to_timestamp(uplift.whole_number(e.at)), now()), left(e.level, 20),
            left(e.message, 2000), uplift.whole_number(e.step), e.training_loss, e.validation_loss
        from rows from (jsonb_to_recordset(p_events) as (id text, at numeric, level text, message text, step numeric,
            training_loss numeric, validation_loss numeric))
            with ordinality as e(id, at, level, message, step, training_loss, validation_loss, position)
        order by e.position
        on conflict (finetuning_job_id, external_id) do nothing
        returning 1)
    select count(*) into v_added from added;
    update public.ai_finetuning_jobs j set
        training_loss = coalesce((select e.training_loss from uplift.finetuning_events e
            where e.finetuning_job_id = p_id and e.training_loss is not null order by e.step desc nulls last, e.id desc limit 1),
            j.training_loss),
        validation_loss = coalesce((select e.validation_loss from uplift.finetuning_events e
            where e.finetuning_job_id = p_id and e.validation_loss is not null order by e.step desc nulls last, e.id desc limit 1),
            j.validation_loss)
    where j.id = p_id and v_added > 0;
    return v_added;
end
$$;

comment on function uplift_batch.add_finetuning_events(uuid, jsonb) is
    'Keeps what a trainer said, oldest first, [{"id", "at" (seconds since 1970), "level", "message", "step", "training_loss", "validation_loss"}]; an id that is there already is left out. Returns how many were new.';

create or replace function uplift_batch.finish_finetuning(p_id uuid, p_model_id text, p_trained_tokens bigint, p_metrics jsonb) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_job public.ai_finetuning_jobs;
    v_name text;
    v_version_id uuid;
begin
    select j.* into v_job from public.ai_finetuning_jobs j where j.id = p_id for update;
    update public.ai_finetuning_jobs j set status = 'succeeded', model_id = p_model_id, progress_percentage = 100,
        trained_tokens = coalesce(p_trained_tokens, j.trained_tokens), final_metrics = coalesce(p_metrics, j.final_metrics),
        actual_cost = round(p_trained_tokens * uplift.training_price(j.base_model) / 1000000, 4),
        completed_at = coalesce(j.completed_at, now()), error = null
    where j.id = p_id;
    select v.id into v_version_id from public.ai_model_versions v where v.finetuning_job_id = p_id;
    if found then
        return v_version_id;
    end if;
    v_name := coalesce(v_job.suffix, uplift.without_snapshot(v_job.base_model) || '-tuned');
    perform pg_advisory_xact_lock(hashtextextended('uplift model versions ' || v_name, 0));
    insert into public.ai_model_versions (finetuning_job_id, model_name, version, model_id, is_deployed,
        deployment_environment, base_model, dataset_version_id, previous_version_id)
    select p_id, v_name, 'v' || 1 + coalesce(max(substr(v.version, 2)::int) filter (where v.version ~ '^v[0-9]{1,6}$'), 0),
        p_model_id, false, 'staging', v_job.base_model, v_job.dataset_version_id,
        (select p.id from public.ai_model_versions p where p.model_name = v_name order by p.created_at desc, p.id desc limit 1)
    from public.ai_model_versions v where v.model_name = v_name
    returning id into v_version_id;
    return v_version_id;
end
$$;

comment on function uplift_batch.finish_finetuning(uuid, text, bigint, jsonb) is
    'Ends a fine-tuning job that succeeded, with its actual cost, and makes its model version in staging, once. Returns the version''s id.';

create or replace function uplift_batch.note_base_model(p_model text, p_shutdown_date date, p_note text) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
    insert into uplift.base_models as b (model, shutdown_date, note, checked_at)
    values (left(p_model, 200), p_shutdown_date, left(p_note, 500), now())
    on conflict (model) do update set shutdown_date = coalesce(excluded.shutdown_date, b.shutdown_date),
        note = coalesce(excluded.note, b.note), checked_at = now()
$$;

comment on function uplift_batch.note_base_model(text, date, text) is 'Keeps what a provider said of a base model.';

create or replace function uplift_batch.models_to_check() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(m.model order by m.model), '[]') from (
        select distinct v.base_model as model from public.ai_model_versions v
        where v.base_model is not null and v.deprecated_at is null
        union
        select j.base_model from public.ai_finetuning_jobs j where j.status in ('pending', 'running') and j.base_model is not null) m
$$;

comment on function uplift_batch.models_to_check() is 'Base models that model versions and running fine-tuning jobs stand on.';

create or replace function uplift_batch.base_model_warnings() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(distinct w.warning), '[]')
    from jsonb_array_elements_text(uplift_batch.models_to_check()) m
    cross join lateral (select uplift.base_model_state(m) ->> 'warning' as warning) w
    where w.warning is not null
$$;

comment on function uplift_batch.base_model_warnings() is 'What is to be said of base models in use that are shut down soon, or were.';
