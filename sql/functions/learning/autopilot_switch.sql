-- Autopilot is switched on and off, and tells what it did.

-- --- the switch ---

create or replace function uplift.put_autopilot_settings(p_arguments jsonb) returns text
language plpgsql volatile
as $$
declare
    v record;
    v_wrong text;
    v_names constant text[] := string_to_array('max_usd_per_day,max_usd_per_month,max_share,max_at_once,quiet_from,quiet_to,fine_tunes,dataset,base_model,trainer,model_prompts,coaches,success_metric,min_users,min_stage_hours,max_test_days,min_chance,max_held_days,retry_days', ',');
begin
    perform uplift.check_arguments(p_arguments, v_names);
    for v in select a.key, a.value from jsonb_each(p_arguments) a order by array_position(v_names, a.key) loop
        v_wrong := case
            when v.value = 'null' then null
            when v.key in ('max_usd_per_day', 'max_usd_per_month') then case when not uplift.is_between(v.value, 0, 1000000) then 'a number from 0 to 1000000' end
            when v.key = 'max_share' then case when not uplift.is_between(v.value, 0.001, 1) then 'a number from 0.001 to 1' end
            when v.key = 'min_stage_hours' then case when not uplift.is_between(v.value, 0, 10000) then 'a number from 0 to 10000' end
            when v.key = 'max_test_days' then case when not uplift.is_between(v.value, 0.00001, 1000) then 'a number from 0.00001 to 1000' end
            when v.key = 'min_chance' then case when not uplift.is_between(v.value, 0, 0.5) then 'a number from 0 to 0.5' end
            when v.key = 'max_held_days' then case when not uplift.is_between(v.value, 0, 1000) then 'a number from 0 to 1000' end
            when v.key = 'retry_days' then case when not uplift.is_between(v.value, 0, 10000) then 'a number from 0 to 10000' end
            when v.key in ('fine_tunes', 'model_prompts') then case when jsonb_typeof(v.value) <> 'boolean' then 'true or false' end
            when v.key in ('dataset', 'base_model') then
                case when jsonb_typeof(v.value) <> 'string' or length(v.value #>> '{}') not between 1 and 200 then 'a text of 1 to 200 characters' end
            when v.key = 'trainer' then case when v.value not in ('"openai"', '"command"') then 'openai or command' end
            when v.key = 'success_metric' then case when jsonb_typeof(v.value) <> 'string' or not exists (
                    select from uplift.metrics() m where m.metric = v.value #>> '{}' and m.metric <> 'errors')
                then (select string_agg(m.metric, ', ') from uplift.metrics() m where m.metric <> 'errors') end
            when v.key = 'coaches' then case when jsonb_typeof(v.value) <> 'array' or jsonb_array_length(v.value) not between 1 and 100 or exists (
                    select from jsonb_array_elements(v.value) c where not exists (select from uplift.coaches k where to_jsonb(k.id) = c))
                then 'a list of coaches that are offered' end end;
        if v.key in ('max_at_once', 'quiet_from', 'quiet_to', 'min_users') then
            perform uplift.whole_argument(p_arguments, v.key, case v.key when 'max_at_once' then 1 when 'min_users' then 2 else 0 end,
                case v.key when 'max_at_once' then 20 when 'min_users' then 10000000 else 23 end);
        elsif v_wrong is not null then
            perform uplift.fail(400, 'invalid_' || v.key, format('%s must be %s', v.key, v_wrong), v.key);
        end if;
        perform uplift.put_setting('autopilot.' || v.key, v.value);
    end loop;
    if (select (s.quiet_from is null) <> (s.quiet_to is null) from uplift.autopilot_settings() s) then
        perform uplift.fail(400, 'invalid_quiet_to', 'quiet_from and quiet_to are hours that go together', 'quiet_to');
    end if;
    return (select string_agg(k, ', ' order by array_position(v_names, k)) from jsonb_object_keys(p_arguments) k);
end
$$;

comment on function uplift.put_autopilot_settings(jsonb) is 'Sets autopilot.* by the arguments, null for what holds without one; their names. UP400 unknown_argument, invalid_NAME.';

create or replace function uplift.autopilot_winners_left() returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(jsonb_build_object('experiment_id', w.subject_id, 'name', w.name, 'coach_id', w.coach_id, 'variant', w.winner, 'reason', w.reason, 'at', w.at)
        order by w.id desc), '[]')
    from (
        select d.*, d.numbers ->> 'winner' as winner
        from uplift.autopilot_decisions d
        where d.kind = 'experiment' and d.decision = 'stopped' and d.numbers ? 'winner' and not d.is_dry_run and not exists (
            select from public.ai_experiments e cross join lateral unnest(e.test_variants) v
            join uplift.rollouts r on r.created_at >= e.start_date and r.changes = v - '{variant_name,description,weight}'::text[]
            where e.id = d.subject_id and v ->> 'variant_name' = d.numbers ->> 'winner')
        order by d.id desc limit 50) w
$$;

comment on function uplift.autopilot_winners_left() is
    'What won an experiment of autopilot''s and was not rolled out, by anybody, [{experiment_id, name, coach_id, variant, reason, at}], the last 50: for a person, by a rollout of that variant.';

create or replace function uplift.autopilot_json() returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'autopilot', 'enabled', s.is_enabled, 'rests', uplift.autopilot_rests(),
        'began_at', st.began_at, 'began_by', st.began_by,
        'settings', to_jsonb(s) - 'is_enabled' || jsonb_build_object('coaches', case when s.coaches[1] is not null then to_jsonb(s.coaches) end),
        'bounds', uplift.autopilot_use(),
        'running', (
            select coalesce(jsonb_agg(jsonb_build_object('experiment_id', t.experiment_id, 'rollout_id', t.rollout_id, 'name', t.name, 'coach_id', t.coach_id,
                'status', t.status, 'share', trim_scale(t.share), 'began_at', t.began_at, 'figures', uplift.autopilot_figures(t.experiment_id)) order by t.began_at, t.name), '[]')
            from uplift.autopilot_tests() t where t.is_running),
        'winners', uplift.autopilot_winners_left(),
        'training', (
            select coalesce(jsonb_agg(uplift.finetuning_json(j) order by j.id), '[]') from public.ai_finetuning_jobs j
            where j.requested_by = 'autopilot' and j.status in ('pending', 'running')),
        'hand_made', case when st.is_only then jsonb_build_object('production', st.production, 'deployments', st.deployments) end)
    from uplift.autopilot_settings() s left join uplift.autopilot_state st on true
$$;

comment on function uplift.autopilot_json() is 'Autopilot as admins see it, without its decisions.';

create or replace function uplift.decision_json(p_decision uplift.autopilot_decisions) returns jsonb
language sql stable
as $$
    select jsonb_build_object('id', p_decision.id, 'at', p_decision.at, 'kind', p_decision.kind, 'subject_id', p_decision.subject_id, 'name', p_decision.name,
        'coach_id', p_decision.coach_id, 'decision', p_decision.decision, 'reason', p_decision.reason, 'numbers', p_decision.numbers, 'who', p_decision.who,
        'is_dry_run', p_decision.is_dry_run)
$$;

comment on function uplift.decision_json(uplift.autopilot_decisions) is 'A decision of autopilot as admins see it.';

create or replace function uplift_batch.admin_autopilot(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    if p_arguments ->> 'after' !~ '^\d{1,18}$' then
        perform uplift.fail(400, 'invalid_after', 'after must be the id of a decision', 'after');
    end if;
    select array_agg(uplift.decision_json(d) order by d.id desc) into v_rows
    from (select x.* from uplift.autopilot_decisions x where x.id < coalesce((p_arguments ->> 'after')::bigint, 9223372036854775807) order by x.id desc limit v_limit + 1) d;
    return uplift.autopilot_json() || (
        select jsonb_build_object('decisions', p.page -> 'data', 'has_more', p.page -> 'has_more') from (select uplift.list_page(v_rows, v_limit)) p(page));
end
$$;

comment on function uplift_batch.admin_autopilot(uuid, jsonb, text) is
    'Whether autopilot is on, its settings, what of its bounds is used, what runs, and its last decisions (limit, after: the id of one), the newest first, with has_more. UP400 invalid_limit, invalid_after.';

create or replace function uplift_batch.admin_start_autopilot(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_changed text;
    v_missing text;
    v_settings record;
begin
    perform uplift.lock_autopilot();
    v_changed := uplift.put_autopilot_settings(p_arguments);
    v_missing := uplift.autopilot_missing_bounds();
    select s.* into v_settings from uplift.autopilot_settings() s;
    if v_missing is not null then
        perform uplift.fail(409, 'bounds_missing', format('autopilot is not switched on without bounds; name in the body %s', v_missing), split_part(v_missing, ', ', 1));
    elsif v_settings.is_enabled then
        if v_changed is not null then
            perform uplift.autopilot_note('switch', null, 'autopilot', null, 'changed', 'its settings were changed: ' || v_changed, p_arguments, p_who);
        end if;
        return uplift.autopilot_json();
    end if;
    perform uplift.put_setting('autopilot.enabled', 'true');
    -- Nobody changes production, or deploys, while it is looked at.
    perform uplift.production_now(null);
    insert into uplift.autopilot_state as s (began_at, began_by, last_change_id, production, deployments)
    select now(), p_who, coalesce((select max(c.id) from uplift.production_changes c), 0), (
            select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'coach_id', c.coach_id, 'changes', c.changes) order by c.id), '[]')
            from uplift.production_changes c where c.ended_at is null),
        (select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'coach_id', d.coach_id, 'model_version_id', d.model_version_id, 'model_id', d.model_id) order by d.id), '[]')
            from uplift.model_deployments d where d.environment = 'production' and d.ended_at is null)
    on conflict (is_only) do update set began_at = excluded.began_at, began_by = excluded.began_by,
        last_change_id = excluded.last_change_id, production = excluded.production, deployments = excluded.deployments;
    perform uplift.autopilot_note('switch', null, 'autopilot', null, 'started', 'it was switched on', p_arguments || uplift.autopilot_use(), p_who);
    return uplift.autopilot_json();
end
$$;

comment on function uplift_batch.admin_start_autopilot(uuid, jsonb, text) is
    'Sets what is named of autopilot''s settings, and switches it on, with what is production now as what its switch brings back. On already, only the settings change. UP400 unknown_argument, invalid_NAME; UP409 bounds_missing.';

create or replace function uplift.restore_models(p_who text, p_reason text) returns jsonb
language plpgsql volatile
as $$
declare
    v_kept jsonb := coalesce((select jsonb_agg(d -> 'id') from uplift.autopilot_state s cross join lateral jsonb_array_elements(s.deployments) d), '[]');
    v_restored jsonb := jsonb '[]';
    v_now uplift.model_deployments;
    v_back uplift.model_deployments;
begin
    perform pg_advisory_xact_lock(hashtextextended('uplift deployments', 0));
    for v_now in
        select d.* from uplift.model_deployments d where d.environment = 'production' and d.ended_at is null order by d.id
    loop
        v_back := v_now;
        while v_back.began_by = 'autopilot' and not v_kept @> to_jsonb(v_back.id) loop
            select d.* into v_back from uplift.model_deployments d
            where d.environment = 'production' and d.coach_id is not distinct from v_now.coach_id and d.model_version_id = v_back.previous_version_id and d.id < v_back.id
            order by d.id desc limit 1;
        end loop;
        continue when v_back.id = v_now.id;
        perform uplift.end_deployment('production', v_now.coach_id, p_who, p_reason);
        -- What was shut down meanwhile would not answer any more: the configured model does then.
        if v_back.id is not null and (select (uplift.base_model_state(v.base_model) ->> 'is_shut_down')::boolean is not true
                from public.ai_model_versions v where v.id = v_back.model_version_id) then
            perform uplift.begin_deployment(v_back.model_version_id, 'production', v_now.coach_id, p_who, v_back.previous_version_id);
        else
            v_back := null;
        end if;
        v_restored := v_restored || jsonb_build_object('coach_id', v_now.coach_id, 'from', v_now.model_id, 'to', v_back.model_id);
    end loop;
    return v_restored;
end
$$;

comment on function uplift.restore_models(text, text) is
    'Puts the model that a person deployed last in the place of each that autopilot brought to production since it was switched on; null for the configured model: [{coach_id, from, to}].';

create or replace function uplift.hand_made_changes(p_coach_id text, out changes jsonb, out last_id bigint)
language plpgsql stable
as $$
declare
    v_from bigint := coalesce((select s.last_change_id from uplift.autopilot_state s), 0);
    v_before uplift.production_changes;
    v_row uplift.production_changes;
    v_promoted jsonb;
    v_key text;
begin
    select c.* into v_before
    from uplift.autopilot_state s cross join lateral jsonb_array_elements(s.production) k join uplift.production_changes c on c.id = (k ->> 'id')::bigint
    where coalesce(c.coach_id, '') = coalesce(p_coach_id, '');
    changes := coalesce(v_before.changes, '{}');
    last_id := v_before.id;
    for v_row in
        select c.* from uplift.production_changes c where c.id > v_from and coalesce(c.coach_id, '') = coalesce(p_coach_id, '') order by c.id
    loop
        -- Each row ends the one before in its own transaction; else somebody had ended all.
        if v_before.ended_at is distinct from v_row.began_at then
            v_before.changes := '{}';
            changes := '{}';
            last_id := null;
        end if;
        if v_row.began_by is distinct from 'autopilot' then
            -- Rolling back what came later brings back what autopilot had promoted, which is its own still.
            v_promoted := (
                select c.changes from uplift.production_changes c
                where c.rollout_id = v_row.rollout_id and c.id > v_from and c.id < v_row.id and c.began_by = 'autopilot' order by c.id limit 1);
            for v_key in select k from jsonb_object_keys(v_before.changes || v_row.changes) k loop
                continue when v_row.changes -> v_key is not distinct from v_before.changes -> v_key
                    or v_promoted is not null and v_row.changes -> v_key is not distinct from v_promoted -> v_key;
                changes := case when v_row.changes ? v_key then changes || jsonb_build_object(v_key, v_row.changes -> v_key) else changes - v_key end;
            end loop;
            last_id := v_row.id;
        end if;
        v_before := v_row;
    end loop;
end
$$;

comment on function uplift.hand_made_changes(text, out jsonb, out bigint) is
    'What people made production for a coach (null: for all), were it not for autopilot: that which was there when it was switched on, and each change that a person made since; and the last row of production_changes with one.';

create or replace function uplift.restore_changes(p_who text, p_reason text) returns jsonb
language plpgsql volatile
as $$
declare
    v_restored jsonb := jsonb '[]';
    v_now uplift.production_changes;
    v_back record;
    v_last uplift.production_changes;
    v_previous uplift.production_changes;
begin
    for v_now in
        select c.* from uplift.production_changes c where c.ended_at is null order by c.id for update
    loop
        select h.* into v_back from uplift.hand_made_changes(v_now.coach_id) h;
        -- A model version that was deployed since stays.
        if v_back.changes ? 'model' and not v_now.changes ? 'model' and exists (
                select from uplift.model_deployments d
                where d.environment = 'production' and coalesce(d.coach_id, '') = coalesce(v_now.coach_id, '') and d.ended_at is null) then
            v_back.changes := v_back.changes - 'model';
        end if;
        continue when v_back.changes = v_now.changes;
        select c.* into v_last from uplift.production_changes c where c.id = v_back.last_id;
        -- Nor does rolling back later bring back what was autopilot's.
        v_previous.id := v_last.previous_id;
        loop
            select c.* into v_previous from uplift.production_changes c where c.id = v_previous.id;
            exit when v_previous.id is null or v_previous.began_by is distinct from 'autopilot';
            v_previous.id := v_previous.previous_id;
        end loop;
        perform uplift.change_production(v_now.coach_id, nullif(v_back.changes, '{}'), v_last.rollout_id, v_previous.id, p_who, p_reason);
        v_restored := v_restored || jsonb_build_object('coach_id', v_now.coach_id, 'from', v_now.changes, 'to', nullif(v_back.changes, '{}'));
    end loop;
    return v_restored;
end
$$;

comment on function uplift.restore_changes(text, text) is
    'Takes out of production what autopilot changed since it was switched on, and leaves what people made it (uplift.hand_made_changes); null for nothing: [{coach_id, from, to}].';

create or replace function uplift_batch.admin_stop_autopilot(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_reason text := uplift.reason_argument(p_arguments);
    v_because text := 'autopilot was stopped: ' || v_reason;
    v_was_enabled boolean;
    v_models jsonb;
    v_changes jsonb;
    v_tests jsonb[] := array[]::jsonb[];
    v_jobs jsonb := jsonb '[]';
    v_test record;
    v_job record;
begin
    perform uplift.lock_autopilot();
    -- All that is waited for first, in the order in which others take it: rollouts, experiments, deployments, production.
    perform r.id from uplift.rollouts r where r.created_by = 'autopilot' and r.status = 'running' order by r.id for update;
    perform e.id from public.ai_experiments e
    where e.id in (select t.experiment_id from uplift.autopilot_tests() t where t.is_running) order by e.id for update;
    v_was_enabled := (select s.is_enabled from uplift.autopilot_settings() s);
    perform uplift.put_setting('autopilot.enabled', 'false');
    v_models := uplift.restore_models(p_who, v_because);
    v_changes := uplift.restore_changes(p_who, v_because);
    for v_test in select t.* from uplift.autopilot_tests() t where t.is_running order by t.experiment_id loop
        perform uplift.autopilot_stop_test(v_test.experiment_id, v_test.rollout_id, v_because, p_who);
        perform uplift.autopilot_note(case when v_test.rollout_id is null then 'experiment' else 'rollout' end, coalesce(v_test.rollout_id, v_test.experiment_id),
            v_test.name, v_test.coach_id, case when v_test.rollout_id is null then 'stopped' else 'discarded' end, v_because,
            uplift.autopilot_figures(v_test.experiment_id), p_who);
        v_tests := v_tests || jsonb_build_object('experiment_id', v_test.experiment_id, 'rollout_id', v_test.rollout_id, 'name', v_test.name);
    end loop;
    for v_job in
        select j.id, j.batch_job_id from public.ai_finetuning_jobs j where j.requested_by = 'autopilot' and j.status in ('pending', 'running') order by j.id
    loop
        begin
            perform uplift_batch.admin_cancel_finetuning(v_job.id, '{}', p_who);
        exception when others then
            if sqlstate not like 'UP%' then
                raise;
            end if;
            -- It has ended meanwhile, or what saw to it is gone; all else stops all the same.
            update public.ai_finetuning_jobs j set status = 'cancelled', completed_at = now() where j.id = v_job.id and j.status in ('pending', 'running');
            continue when not found;
        end;
        v_jobs := v_jobs || to_jsonb(v_job.id);
    end loop;
    if v_was_enabled or v_tests <> '{}' or v_jobs <> '[]' or v_models <> '[]' or v_changes <> '[]' then
        perform uplift.autopilot_note('switch', null, 'autopilot', null, 'stopped', v_because, jsonb_build_object('tests_stopped', cardinality(v_tests),
            'trainings_cancelled', jsonb_array_length(v_jobs), 'models_restored', v_models, 'production_restored', v_changes), p_who);
    end if;
    return uplift.autopilot_json() || jsonb_build_object('stopped', to_jsonb(v_tests), 'cancelled', v_jobs, 'models_restored', v_models, 'production_restored', v_changes);
end
$$;

comment on function uplift_batch.admin_stop_autopilot(uuid, jsonb, text) is
    'The one switch: switches autopilot off, stops its experiments, rolls its rollouts back, cancels its trainings, and puts production back to what people made it last, all at once or not at all; reason. Again it does nothing. UP400 invalid_reason.';

create or replace function uplift_batch.admin_rehearse_autopilot(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object('object', 'autopilot_dry_run', 'enabled', (select s.is_enabled from uplift.autopilot_settings() s),
        'decisions', to_jsonb(uplift.autopilot_rehearsal(p_arguments)));
end
$$;

comment on function uplift_batch.admin_rehearse_autopilot(uuid, jsonb, text) is
    'What autopilot would do now, on or not, with reasons, and with what is named of its settings changed for as long; nothing is changed, and nothing kept. UP400 unknown_argument, invalid_NAME.';

-- --- the report ---

create or replace function uplift.markdown_cell(p_text text) returns text
language sql immutable parallel safe
as $$ select replace(regexp_replace(coalesce(p_text, ''), '[[:cntrl:]]+', ' ', 'g'), '|', '\|') $$;

comment on function uplift.markdown_cell(text) is 'A text in one line, as a cell of a table in Markdown.';

create or replace function uplift.numbers_text(p_numbers jsonb) returns text
language sql stable
as $$
    select concat_ws(', ', (
            select string_agg(n.key || ' ' || (n.value #>> '{}'), ', ' order by n.key) from jsonb_each(p_numbers) n
            where jsonb_typeof(n.value) = 'number' or n.key = 'metric'),
        (select string_agg(format('%s: %s', v.key, concat_ws(', ', round((v.value ->> 'value')::numeric, 4), 'difference ' || round((v.value ->> 'difference')::numeric, 4),
            'p ' || (v.value ->> 'p'))), '; ' order by v.key)
            from jsonb_each(case jsonb_typeof(p_numbers -> 'variants') when 'object' then p_numbers -> 'variants' else '{}' end) v))
$$;

comment on function uplift.numbers_text(jsonb) is 'The numbers of a decision in a line.';

create or replace function uplift_batch.admin_autopilot_report(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_day date := (now() at time zone 'UTC')::date;
    v_from timestamptz;
    v_json jsonb := uplift.autopilot_json();
    v_decisions uplift.autopilot_decisions[];
    v_usd numeric;
    v_month numeric;
    v_markdown text;
begin
    perform uplift.check_arguments(p_arguments, '{day}');
    if p_arguments ? 'day' then
        begin
            if p_arguments ->> 'day' !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
                raise sqlstate '22007';
            end if;
            v_day := (p_arguments ->> 'day')::date;
        exception when sqlstate '22007' or sqlstate '22008' then
            perform uplift.fail(400, 'invalid_day', 'day must be a day such as 2026-12-31', 'day');
        end;
    end if;
    v_from := v_day::timestamp at time zone 'UTC';
    v_decisions := array(
        select d from uplift.autopilot_decisions d where d.at >= v_from and d.at < v_from + interval '24 hours' order by d.id limit 1000);
    select m.usd_of_day, m.usd_of_month into v_usd, v_month from uplift.autopilot_spent(v_day) m;
    v_markdown := format(e'# Autopilot, %s\n\n', v_day)
        || format(e'It is %s now. Spent: %s of %s US dollars on the day, %s of %s in the month until then.\n\n## Decisions\n\n',
            case when (v_json ->> 'enabled')::boolean then 'on' else 'off' end, trim_scale(v_usd), coalesce(v_json #>> '{bounds,max_usd_per_day}', 'no bound'),
            trim_scale(v_month), coalesce(v_json #>> '{bounds,max_usd_per_month}', 'no bound'))
        || case when v_decisions = '{}' then e'None.\n' else e'| UTC | what | decision | why | numbers |\n|---|---|---|---|---|\n' || (
            select string_agg(format(e'| %s | %s | %s | %s | %s |\n', to_char(d.at at time zone 'UTC', 'HH24:MI'),
                uplift.markdown_cell(concat_ws(' ', replace(d.kind, '_', '-'), d.name, case when d.coach_id is not null then '(' || d.coach_id || ')' end)),
                replace(d.decision, '_', ' ') || case when d.is_dry_run then ' (dry run)' else '' end, uplift.markdown_cell(d.reason),
                uplift.markdown_cell(uplift.numbers_text(d.numbers))), '' order by d.id) from unnest(v_decisions) d) end
        || e'\n## Running now\n\n'
        || case when v_json -> 'running' = '[]' and v_json -> 'training' = '[]' then e'Nothing.\n' else '' end
        || coalesce((select string_agg(format(e'- %s %s, %s %% of users, since %s: %s\n', case when t ->> 'rollout_id' is null then 'experiment' else 'rollout' end,
                uplift.markdown_cell(t ->> 'name'), trim_scale(round((t ->> 'share')::numeric * 100, 2)), left(t ->> 'began_at', 10),
                coalesce(nullif(uplift.markdown_cell(uplift.numbers_text(t -> 'figures')), ''), 'nothing measured yet')), '') from jsonb_array_elements(v_json -> 'running') t), '')
        || coalesce((select string_agg(format(e'- training %s, %s\n', uplift.markdown_cell(j ->> 'job_name'), j ->> 'status'), '') from jsonb_array_elements(v_json -> 'training') j), '')
        || case when v_json -> 'winners' <> '[]' then e'\n## Winners that were not rolled out\n\n' || (
            select string_agg(format(e'- %s: "%s", experiment %s: %s\n', left(w ->> 'at', 10), uplift.markdown_cell(w ->> 'variant'), w ->> 'experiment_id',
                uplift.markdown_cell(w ->> 'reason')), '') from jsonb_array_elements(v_json -> 'winners') w) else '' end;
    return jsonb_build_object('object', 'autopilot_report', 'day', v_day, 'enabled', v_json -> 'enabled', 'usd', trim_scale(v_usd), 'usd_of_month', trim_scale(v_month),
        'bounds', v_json -> 'bounds', 'decisions', (select coalesce(jsonb_agg(uplift.decision_json(d) order by d.id), '[]') from unnest(v_decisions) d),
        'running', v_json -> 'running', 'training', v_json -> 'training', 'markdown', v_markdown);
end
$$;

comment on function uplift_batch.admin_autopilot_report(uuid, jsonb, text) is
    'What autopilot decided on a day (day, UTC; today) with reasons and numbers, at most 1000 decisions, what it spent, and what runs now; the same as Markdown. UP400 invalid_day.';

-- --- for metrics ---

create or replace function uplift.autopilot_gauges() returns jsonb
language sql stable
as $$
    select jsonb_build_object('enabled', s.is_enabled::int, 'use', uplift.autopilot_use(),
        'tests', (select jsonb_build_object('experiment', count(*) filter (where t.rollout_id is null), 'rollout', count(t.rollout_id))
            from uplift.autopilot_tests() t where t.is_running),
        'winners_left', jsonb_array_length(uplift.autopilot_winners_left()),
        'decisions', (select coalesce(jsonb_agg(jsonb_build_object('kind', t.kind, 'decision', t.decision, 'count', t.count) order by t.kind, t.decision), '[]')
            from uplift.autopilot_tally t),
        'last_look', (select round(extract(epoch from l.looked_at)) from uplift.autopilot_looks l),
        'last_decision', (select round(extract(epoch from max(t.last_at))) from uplift.autopilot_tally t))
    from uplift.autopilot_settings() s
$$;

comment on function uplift.autopilot_gauges() is
    'Autopilot for metrics: enabled (0 or 1), use (uplift.autopilot_use), tests that run, winners_left, how many, decisions [{kind, decision, count}], and last_look and last_decision, seconds since 1970, null for none yet.';
