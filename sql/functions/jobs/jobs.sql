-- Batch jobs: asked for by URL, command line or schedule; claimed by runners, leased, finished.
--
-- A claim raises the job's lease number. A runner that was thought dead, and was not, has an old
-- number from then on: whatever it says is not heard, and it stops as soon as it notices.

create or replace function uplift.note_job(p_job uplift.batch_jobs, p_event text, p_message text default null) returns void
language sql volatile
as $$
    insert into uplift.batch_job_events (job_id, event, message, runner, attempt)
    values (p_job.id, p_event, p_message, p_job.runner, p_job.attempts)
$$;

comment on function uplift.note_job(uplift.batch_jobs, text, text) is 'Adds a line to a job''s history.';

create or replace function uplift.job_json(p_job uplift.batch_jobs) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'batch_job', 'job_id', p_job.id, 'name', p_job.name, 'status', p_job.status,
        'done', p_job.done, 'total', p_job.total, 'message', p_job.message, 'arguments', p_job.arguments,
        'result', p_job.result, 'error', p_job.error, 'attempts', p_job.attempts, 'max_attempts', p_job.max_attempts,
        'requested_by', p_job.requested_by, 'runner', case when p_job.status = 'running' then p_job.runner end,
        'created_at', p_job.created_at, 'started_at', p_job.started_at, 'finished_at', p_job.finished_at,
        'next_look_at', case when p_job.status = 'queued' then p_job.run_after
            when p_job.status = 'running' and p_job.is_parked then p_job.lease_until end,
        'cancel_requested_at', p_job.cancel_requested_at,
        'status_url', '/admin/jobs/' || p_job.id, 'events_url', '/admin/jobs/' || p_job.id || '/events')
$$;

comment on function uplift.job_json(uplift.batch_jobs) is 'A job as admins see it.';

create or replace function uplift_batch.submit_job(p_name text, p_arguments jsonb, p_requested_by text,
    p_idempotency_key text default null) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind uplift.batch_kinds;
    v_job uplift.batch_jobs;
begin
    select k.* into v_kind from uplift.batch_kinds k where k.name = p_name;
    if not found then
        perform uplift.fail(404, 'unknown_job', format('there is no job "%s"; GET /admin/job-kinds lists those there are',
            left(p_name, 80)), 'name');
    end if;
    if jsonb_typeof(p_arguments) is distinct from 'object' then
        perform uplift.fail(400, 'invalid_arguments', 'a job''s arguments must be an object');
    end if;
    if length(p_idempotency_key) not between 1 and 255 then
        perform uplift.fail(400, 'invalid_idempotency_key', 'Idempotency-Key must have 1 to 255 characters');
    end if;
    insert into uplift.batch_jobs (name, arguments, requested_by, idempotency_key, max_attempts, time_limit, alone, host)
    values (p_name, p_arguments, p_requested_by, p_idempotency_key, v_kind.max_attempts, v_kind.time_limit,
        case when v_kind.one_at_a_time then p_name end, left(p_arguments ->> 'host', 64))
    on conflict (idempotency_key) where idempotency_key is not null do nothing
    returning * into v_job;
    if found then
        perform uplift.note_job(v_job, 'queued', 'asked for by ' || coalesce(p_requested_by, 'nobody'));
        return uplift.job_json(v_job);
    end if;
    select j.* into v_job from uplift.batch_jobs j where j.idempotency_key = p_idempotency_key;
    if (v_job.name, v_job.arguments) is distinct from (p_name, p_arguments) then
        perform uplift.fail(409, 'idempotency_key_reused',
            'this Idempotency-Key was sent before with another job or other arguments; use a fresh one');
    end if;
    return uplift.job_json(v_job);
end
$$;

comment on function uplift_batch.submit_job(text, jsonb, text, text) is
    'Queues a job, for the host that its arguments name, else any, and returns it as uplift.job_json(); with an idempotency key that was used before, the job of then. UP404 unknown_job, UP400 invalid_arguments, invalid_idempotency_key, UP409 idempotency_key_reused.';

create or replace function uplift_batch.claim_job(p_runner text, p_host text, p_names text[], p_lease_ms bigint,
    p_id uuid default null)
returns table (id uuid, name text, arguments jsonb, state jsonb, attempt int, lease bigint, left_ms bigint,
    done bigint, total bigint, is_cancelled boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job uplift.batch_jobs;
    v_was uplift.batch_jobs;
begin
    loop
        select j.* into v_was from uplift.batch_jobs j
        where j.status in ('queued', 'running')
            and (j.status = 'queued' and j.run_after <= clock_timestamp()
                or j.status = 'running' and j.lease_until < clock_timestamp())
            and j.name = any (p_names) and (j.host is null or j.host = p_host) and (p_id is null or j.id = p_id)
            and not exists (select from uplift.batch_jobs o
                where o.alone = j.alone and o.status = 'running' and o.id <> j.id)
        order by j.run_after, j.id limit 1
        for update skip locked;
        if not found then
            return;
        end if;
        if v_was.status = 'running' and not v_was.is_parked then
            perform uplift.note_job(v_was, 'lost', 'nothing was heard of its runner any more');
            if v_was.attempts >= v_was.max_attempts and v_was.cancel_requested_at is null then
                update uplift.batch_jobs j set status = 'failed', finished_at = clock_timestamp(),
                    updated_at = clock_timestamp(), lease = j.lease + 1,
                    error = jsonb_build_object('code', 'runner_lost',
                        'message', format('its runner died %s times, the last one %s', j.attempts, j.runner))
                where j.id = v_was.id
                returning j.* into v_job;
                perform uplift.note_job(v_job, 'failed', v_job.error ->> 'message');
                continue;
            end if;
        end if;
        begin
            update uplift.batch_jobs j set status = 'running', runner = p_runner, lease = j.lease + 1,
                lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond', is_parked = false,
                attempts = j.attempts + (not v_was.is_parked)::int,
                started_at = coalesce(j.started_at, clock_timestamp()), updated_at = clock_timestamp()
            where j.id = v_was.id
            returning j.* into v_job;
        exception when unique_violation then
            return; -- another of its kind was quicker
        end;
        if not v_was.is_parked then
            perform uplift.note_job(v_job, case when v_was.attempts = 0 then 'started' else 'resumed' end);
        end if;
        return query select v_job.id, v_job.name, v_job.arguments, v_job.state, v_job.attempts, v_job.lease,
            ceil(extract(epoch from v_job.started_at + v_job.time_limit - clock_timestamp()) * 1000)::bigint,
            v_job.done, v_job.total, v_job.cancel_requested_at is not null;
        return;
    end loop;
end
$$;

comment on function uplift_batch.claim_job(text, text, text[], bigint, uuid) is
    'Takes the next job that is due, of these kinds (or the one with p_id), for p_lease_ms; no row when there is none. Also those whose runner died: one that died with its last attempt has failed. left_ms: what is left of its time limit.';

create or replace function uplift_batch.beat_jobs(p_beats jsonb, p_lease_ms bigint) returns table (id uuid, is_cancelled boolean)
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
    update uplift.batch_jobs j set lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond',
        done = b.done, total = b.total, message = b.message, updated_at = clock_timestamp()
    from jsonb_to_recordset(p_beats) as b(id uuid, lease bigint, done bigint, total bigint, message text)
    where j.id = b.id and j.lease = b.lease and j.status = 'running'
    returning j.id, j.cancel_requested_at is not null
$$;

comment on function uplift_batch.beat_jobs(jsonb, bigint) is
    'A runner''s heartbeat, [{"id", "lease", "done", "total", "message"}]: keeps its jobs for p_lease_ms more. A job that does not come back is lost to it.';

create or replace function uplift_batch.save_job(p_id uuid, p_lease bigint, p_state jsonb, p_host text default null) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    update uplift.batch_jobs j set state = p_state, host = p_host, updated_at = clock_timestamp()
    where j.id = p_id and j.lease = p_lease and j.status = 'running';
    return found;
end
$$;

comment on function uplift_batch.save_job(uuid, bigint, jsonb, text) is
    'Keeps what a job goes on from, and the one host that can (null: any). False: the job is no longer this runner''s.';

create or replace function uplift_batch.log_job(p_id uuid, p_message text) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
    insert into uplift.batch_job_events (job_id, event, message, runner, attempt)
    select j.id, 'log', left(p_message, 2000), j.runner, j.attempts from uplift.batch_jobs j where j.id = p_id
$$;

comment on function uplift_batch.log_job(uuid, text) is 'What a job says of itself, for its history.';

create or replace function uplift_batch.end_job(p_id uuid, p_lease bigint, p_outcome text, p_detail jsonb, p_state jsonb,
    p_done bigint, p_total bigint, p_message text, p_delay_ms bigint) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_job uplift.batch_jobs;
    v_outcome text := p_outcome;
    v_delay interval := p_delay_ms * interval '1 millisecond';
begin
    select j.* into v_job from uplift.batch_jobs j where j.id = p_id and j.lease = p_lease and j.status = 'running' for update;
    if not found then
        return null;
    end if;
    if v_outcome = 'stopped' and v_job.cancel_requested_at is not null then
        v_outcome := 'cancelled';
    elsif v_outcome = 'later' and v_job.cancel_requested_at is not null then
        v_delay := interval '0'; -- it did not hear of it yet, and may have to put things away
    elsif v_outcome = 'retry' and v_job.attempts >= v_job.max_attempts then
        v_outcome := 'failed';
    elsif v_outcome = 'retry' then
        -- 5 s, then twice as long each time, to 10 min, and up to a quarter more, so that jobs that
        -- failed together do not come back together.
        v_delay := greatest(v_delay, least(interval '10 minutes', interval '5 seconds' * 2 ^ least(v_job.attempts - 1, 10))
            * (1 + random() / 4));
    end if;
    update uplift.batch_jobs j set
        status = case v_outcome when 'retry' then 'queued' when 'stopped' then 'queued' when 'later' then 'running'
            else v_outcome end,
        is_parked = v_outcome = 'later',
        lease = j.lease + 1,
        lease_until = case when v_outcome = 'later' then clock_timestamp() + v_delay end,
        run_after = case v_outcome when 'retry' then clock_timestamp() + v_delay when 'stopped' then clock_timestamp()
            else j.run_after end,
        -- A runner that was told to end gives its job back, and that is nobody's failed attempt.
        attempts = j.attempts - (v_outcome = 'stopped')::int,
        runner = case when v_outcome in ('retry', 'stopped', 'later') then null else j.runner end,
        state = coalesce(p_state, j.state),
        result = case when v_outcome = 'succeeded' then p_detail else j.result end,
        error = case when v_outcome in ('failed', 'retry') then p_detail when v_outcome = 'succeeded' then null else j.error end,
        done = p_done, total = p_total, message = coalesce(p_message, j.message),
        finished_at = case when v_outcome in ('succeeded', 'failed', 'cancelled') then clock_timestamp() end,
        updated_at = clock_timestamp()
    where j.id = p_id;
    if v_outcome <> 'later' then
        perform uplift.note_job(v_job, case v_outcome when 'stopped' then 'released' else v_outcome end,
            case when v_outcome in ('failed', 'retry') then p_detail ->> 'message' else p_message end);
    end if;
    return v_outcome;
end
$$;

comment on function uplift_batch.end_job(uuid, bigint, text, jsonb, jsonb, bigint, bigint, text, bigint) is
    'Ends a runner''s turn: succeeded (detail: result), failed, retry (detail: error; after p_delay_ms or a growing pause, whichever is longer), later (parked for p_delay_ms), stopped (given back). Returns what became of it: also cancelled, or failed for a retry too many; null when the job was no longer this runner''s.';

create or replace function uplift_batch.admin_get_job(p_id uuid) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_job uplift.batch_jobs;
begin
    select j.* into v_job from uplift.batch_jobs j where j.id = p_id;
    if not found then
        perform uplift.fail(404, 'job_not_found', 'there is no such job');
    end if;
    return uplift.job_json(v_job);
end
$$;

comment on function uplift_batch.admin_get_job(uuid) is 'A job. UP404 job_not_found.';

create or replace function uplift_batch.admin_job_history(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return uplift_batch.admin_get_job(p_id) || jsonb_build_object('history', coalesce((
        select jsonb_agg(jsonb_build_object('at', e.at, 'event', e.event, 'message', e.message, 'runner', e.runner,
            'attempt', e.attempt) order by e.id)
        from (select * from uplift.batch_job_events e where e.job_id = p_id order by e.id desc limit 1000) e), '[]'));
end
$$;

comment on function uplift_batch.admin_job_history(uuid, jsonb, text) is
    'A job with its history, the last 1000 lines of it. UP404 job_not_found.';

create or replace function uplift_batch.admin_list_jobs(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_name text := p_arguments ->> 'name';
    v_status text := p_arguments ->> 'status';
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,name,status}');
    if v_status not in ('queued', 'running', 'succeeded', 'failed', 'cancelled') then
        perform uplift.fail(400, 'invalid_status', 'status must be queued, running, succeeded, failed or cancelled', 'status');
    end if;
    select array_agg(uplift.job_json(j) order by j.id desc) into v_rows
    from (select b.* from uplift.batch_jobs b
        where (v_name is null or b.name = v_name) and (v_status is null or b.status = v_status)
            and (v_after is null or b.id < v_after)
        order by b.id desc limit v_limit + 1) j;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_jobs(uuid, jsonb, text) is
    'Jobs, the newest first: limit, after (an id), name, status. UP400 for bad ones.';

create or replace function uplift_batch.admin_cancel_job(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_job uplift.batch_jobs;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select j.* into v_job from uplift.batch_jobs j where j.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'job_not_found', 'there is no such job');
    elsif v_job.status not in ('queued', 'running') then
        if v_job.status = 'cancelled' then
            return uplift.job_json(v_job);
        end if;
        perform uplift.fail(409, 'job_has_ended', format('this job has %s already', v_job.status));
    end if;
    -- One that has begun may have to put things away: its runner ends it.
    update uplift.batch_jobs j set
        cancel_requested_at = coalesce(j.cancel_requested_at, clock_timestamp()),
        status = case when j.status = 'queued' and j.attempts = 0 then 'cancelled' else j.status end,
        finished_at = case when j.status = 'queued' and j.attempts = 0 then clock_timestamp() end,
        run_after = least(j.run_after, clock_timestamp()),
        lease_until = case when j.is_parked then clock_timestamp() else j.lease_until end,
        updated_at = clock_timestamp()
    where j.id = p_id
    returning j.* into v_job;
    perform uplift.note_job(v_job, case v_job.status when 'cancelled' then 'cancelled' else 'cancel_requested' end, 'by ' || p_who);
    return uplift.job_json(v_job);
end
$$;

comment on function uplift_batch.admin_cancel_job(uuid, jsonb, text) is
    'Cancels a job: at once when it has not begun, else as soon as its runner hears of it. UP404 job_not_found, UP409 job_has_ended.';

create or replace function uplift_batch.admin_list_kinds(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return jsonb_build_object('object', 'list', 'has_more', false, 'data', (
        select coalesce(jsonb_agg(jsonb_build_object('name', k.name, 'description', k.description,
            'max_attempts', k.max_attempts, 'time_limit_s', extract(epoch from k.time_limit)::bigint,
            'one_at_a_time', k.one_at_a_time) order by k.name), '[]')
        from uplift.batch_kinds k));
end
$$;

comment on function uplift_batch.admin_list_kinds(uuid, jsonb, text) is 'The kinds of jobs there are.';
