-- Schedules: rows of uplift.batch_schedules, and pg_cron's jobs made from them.

create or replace function uplift.schedule_json(p_schedule uplift.batch_schedules) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'batch_schedule', 'name', p_schedule.name, 'job', p_schedule.job,
        'arguments', p_schedule.arguments, 'cron', p_schedule.cron, 'is_enabled', p_schedule.is_enabled,
        'description', p_schedule.description, 'last_job_id', p_schedule.last_job_id,
        'last_run_at', p_schedule.last_run_at,
        'last_status', (select j.status from uplift.batch_jobs j where j.id = p_schedule.last_job_id))
$$;

comment on function uplift.schedule_json(uplift.batch_schedules) is 'A schedule as admins see it.';

create or replace function uplift.run_schedule(p_name text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_schedule uplift.batch_schedules;
    v_job jsonb;
begin
    select s.* into v_schedule from uplift.batch_schedules s where s.name = p_name for update;
    if not found then
        perform uplift.fail(404, 'schedule_not_found', 'there is no such schedule');
    end if;
    -- What takes longer than its interval must not pile up.
    select uplift.job_json(j) into v_job from uplift.batch_jobs j
    where j.id = v_schedule.last_job_id and j.status in ('queued', 'running');
    if found then
        return v_job;
    end if;
    v_job := uplift_batch.submit_job(v_schedule.job, v_schedule.arguments, 'schedule ' || p_name);
    update uplift.batch_schedules s set last_job_id = (v_job ->> 'job_id')::uuid, last_run_at = clock_timestamp()
    where s.name = p_name;
    return v_job;
end
$$;

comment on function uplift.run_schedule(text) is
    'Queues the job of a schedule, unless the one it queued before is still to be done: that is returned then. UP404 schedule_not_found.';

create or replace function uplift.cron_value(p_text text, p_least int, p_most int, p_names text[]) returns int
language sql immutable
as $$
    select case when p_text ~ '^[0-9]{1,3}$' and p_text::int between p_least and p_most then p_text::int
        else array_position(p_names, lower(p_text)) - 1 + p_least end
$$;

comment on function uplift.cron_value(text, int, int, text[]) is
    'A number of a schedule''s field, or one of its names, the first of which is its least number; null for neither.';

create or replace function uplift.check_cron_field(p_field text, p_what text, p_least int, p_most int, p_names text[] default null)
returns void
language plpgsql immutable
as $$
declare
    v_part text;
    v_found text[];
begin
    foreach v_part in array string_to_array(p_field, ',') loop
        v_found := regexp_match(v_part, '^(\*|[[:alnum:]]+)(?:-([[:alnum:]]+))?(/([0-9]{1,3}))?$');
        if v_found is null or v_found[1] = '*' and v_found[2] is not null or v_found[3] is not null and v_found[4]::int = 0
                or v_found[1] <> '*' and uplift.cron_value(v_found[1], p_least, p_most, p_names) is null
                or v_found[2] is not null and uplift.cron_value(v_found[2], p_least, p_most, p_names) is null then
            perform uplift.fail(400, 'invalid_cron', format('"%s" is no %s of a schedule, which is *, %s to %s%s, a range or a list of those, with /n for each n-th',
                left(v_part, 40), p_what, p_least, p_most, coalesce(', ' || upper(p_names[1]) || ' to ' || upper(p_names[cardinality(p_names)]), '')), 'cron');
        elsif v_found[3] is not null and v_found[1] <> '*' and v_found[2] is null then
            perform uplift.fail(400, 'invalid_cron', format('"%s": a step needs * or a range, as in 0-30/5', left(v_part, 40)), 'cron');
        elsif uplift.cron_value(v_found[2], p_least, p_most, p_names) < uplift.cron_value(v_found[1], p_least, p_most, p_names) then
            perform uplift.fail(400, 'invalid_cron', format('"%s" ends before it begins; make it a list of two ranges', left(v_part, 40)), 'cron');
        end if;
    end loop;
end
$$;

comment on function uplift.check_cron_field(text, text, int, int, text[]) is
    'Returns when this is a field of a schedule that pg_cron takes and that means something. UP400 invalid_cron.';

create or replace function uplift.checked_cron(p_cron text) returns text
language plpgsql stable
as $$
declare
    v_fields text[] := regexp_split_to_array(btrim(coalesce(p_cron, ''), e' \t'), '[ \t]+');
    v_version text := (select x.extversion from pg_extension x where x.extname = 'pg_cron');
    -- Versions are like 1.4-1 and 1.6.
    v_is_new boolean := string_to_array(substring(v_version from '^[0-9]+\.[0-9]+'), '.')::int[] >= '{1,5}';
begin
    if length(p_cron) > 200 then
        perform uplift.fail(400, 'invalid_cron', 'cron must have at most 200 characters', 'cron');
    elsif array_to_string(v_fields, ' ') ~ '^([1-9]|[1-5][0-9]) seconds$' then
        if v_is_new is not true then
            perform uplift.fail(400, 'invalid_cron', format('an interval in seconds needs pg_cron 1.5 or later, and %s',
                coalesce('this is ' || v_version, 'there is none in this database')), 'cron');
        end if;
        return array_to_string(v_fields, ' ');
    elsif cardinality(v_fields) <> 5 then
        perform uplift.fail(400, 'invalid_cron',
            'cron must have five fields, as in "0 2 * * MON-FRI": minute, hour, day of month, month, day of week', 'cron');
    end if;
    perform uplift.check_cron_field(v_fields[1], 'minute', 0, 59);
    perform uplift.check_cron_field(v_fields[2], 'hour', 0, 23);
    if v_fields[3] <> '$' then
        perform uplift.check_cron_field(v_fields[3], 'day of month', 1, 31);
    elsif not v_is_new then
        perform uplift.fail(400, 'invalid_cron', format('$, the last day of the month, needs pg_cron 1.5 or later, and this is %s', v_version), 'cron');
    end if;
    perform uplift.check_cron_field(v_fields[4], 'month', 1, 12, '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}');
    perform uplift.check_cron_field(v_fields[5], 'day of week', 0, 7, '{sun,mon,tue,wed,thu,fri,sat}');
    return array_to_string(v_fields, ' ');
end
$$;

comment on function uplift.checked_cron(text) is
    'A schedule as pg_cron takes it, with single blanks: five fields of numbers, names, ranges, lists and steps; $ as day of month for the last one, and "1 seconds" to "59 seconds", where the pg_cron of this database knows them (from 1.5 on). UP400 invalid_cron, with what is wrong.';

create or replace function uplift.sync_schedules() returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_schedule uplift.batch_schedules;
    v_command text;
    v_id bigint;
    v_is_same boolean;
    v_refused text;
begin
    if not exists (select from pg_extension x where x.extname = 'pg_cron') then
        return 'pg_cron is not in this database';
    end if;
    if not has_schema_privilege('cron', 'usage') then
        return format('%s may not use pg_cron: grant usage on schema cron to %s', current_user, current_user);
    end if;
    for v_schedule in select * from uplift.batch_schedules s order by s.name loop
        v_command := format('select uplift.run_schedule(%L)', v_schedule.name);
        -- By execute, because pg_cron need not be there.
        execute format('select c.jobid, (c.schedule, c.command) = ($2, $3) from %s c
            where c.jobname = $1 and c.username = current_user and c.database = current_database()', 'cron.job')
        into v_id, v_is_same using 'uplift ' || v_schedule.name, v_schedule.cron, v_command;
        if not v_schedule.is_enabled and v_id is not null then
            execute 'select cron.unschedule($1)' using v_id;
        elsif v_schedule.is_enabled and v_is_same is not true then
            begin
                execute 'select cron.schedule($1, $2, $3)' using 'uplift ' || v_schedule.name, v_schedule.cron, v_command;
            exception when others then -- pg_cron reads the fields itself
                v_refused := concat_ws('; ', v_refused, format('pg_cron refuses %s: %s', v_schedule.name, sqlerrm));
            end;
        end if;
    end loop;
    return coalesce(v_refused, 'ok');
end
$$;

comment on function uplift.sync_schedules() is
    'Brings pg_cron''s jobs in step with uplift.batch_schedules. Returns ok, or why pg_cron does not run them: then timers must.';

create or replace function uplift_batch.admin_list_schedules(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return jsonb_build_object('object', 'list', 'has_more', false, 'pg_cron', uplift.sync_schedules(), 'data', (
        select coalesce(jsonb_agg(uplift.schedule_json(s) order by s.name), '[]') from uplift.batch_schedules s));
end
$$;

comment on function uplift_batch.admin_list_schedules(text, jsonb, text) is
    'All schedules, and whether pg_cron runs them ("ok" or why not).';

create or replace function uplift_batch.admin_put_schedule(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_schedule uplift.batch_schedules;
    v_cron text := p_arguments ->> 'cron';
    v_refused text;
begin
    perform uplift.check_arguments(p_arguments, '{job,arguments,cron,is_enabled,description}');
    if p_name !~ '^[a-z0-9][a-z0-9-]{0,62}$' then
        perform uplift.fail(400, 'invalid_name', 'a schedule''s name has 1 to 63 small letters, digits and hyphens', 'name');
    end if;
    select s.* into v_schedule from uplift.batch_schedules s where s.name = p_name for update;
    if not found and not (p_arguments ? 'job' and p_arguments ? 'cron') then
        perform uplift.fail(400, 'incomplete_schedule', 'there is no such schedule; a new one needs job and cron');
    end if;
    if p_arguments ? 'job' and not exists (select from uplift.batch_kinds k where k.name = p_arguments ->> 'job') then
        perform uplift.fail(400, 'unknown_job', 'there is no such job; GET /admin/job-kinds lists those there are', 'job');
    end if;
    if p_arguments ? 'arguments' and jsonb_typeof(p_arguments -> 'arguments') <> 'object' then
        perform uplift.fail(400, 'invalid_arguments', 'arguments must be an object', 'arguments');
    end if;
    if p_arguments ? 'is_enabled' and jsonb_typeof(p_arguments -> 'is_enabled') <> 'boolean' then
        perform uplift.fail(400, 'invalid_is_enabled', 'is_enabled must be true or false', 'is_enabled');
    end if;
    if p_arguments ? 'cron' then
        v_cron := uplift.checked_cron(v_cron);
    end if;
    insert into uplift.batch_schedules as s (name, job, arguments, cron, is_enabled, description)
    values (p_name, coalesce(p_arguments ->> 'job', v_schedule.job),
        coalesce(p_arguments -> 'arguments', v_schedule.arguments, '{}'), coalesce(v_cron, v_schedule.cron),
        coalesce((p_arguments ->> 'is_enabled')::boolean, v_schedule.is_enabled, true),
        case when p_arguments ? 'description' then p_arguments ->> 'description' else v_schedule.description end)
    on conflict (name) do update set job = excluded.job, arguments = excluded.arguments, cron = excluded.cron,
        is_enabled = excluded.is_enabled, description = excluded.description, updated_at = now()
    returning s.* into v_schedule;
    v_refused := uplift.sync_schedules();
    if v_refused like '%pg_cron refuses ' || p_name || ':%' then
        perform uplift.fail(400, 'invalid_cron', v_refused, 'cron');
    end if;
    return uplift.schedule_json(v_schedule);
end
$$;

comment on function uplift_batch.admin_put_schedule(text, jsonb, text) is
    'Changes what is named of a schedule (job, arguments, cron, is_enabled, description), or makes one. UP400 invalid_name, incomplete_schedule, unknown_job, invalid_arguments, invalid_is_enabled, invalid_cron.';

create or replace function uplift_batch.admin_run_schedule(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.run_schedule(p_name);
end
$$;

comment on function uplift_batch.admin_run_schedule(text, jsonb, text) is
    'Runs a schedule now, as pg_cron would: for timers where there is no pg_cron. UP404 schedule_not_found.';

do $$
begin
    perform uplift.sync_schedules();
end
$$;
