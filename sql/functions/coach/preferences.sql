-- What a user chose.

create or replace function uplift.trains_by_default() returns boolean
language plpgsql stable
as $$
begin
    return coalesce((select s.value = 'true' from uplift.settings s where s.key = 'training.consent_default'), false);
end
$$;

comment on function uplift.trains_by_default() is
    'Whether answers of users who did not say may train models: the setting training.consent_default; anything but true is no.';

create or replace function uplift.may_train(p_user_id uuid) returns boolean
language plpgsql stable
as $$
begin
    return coalesce((select p.training_consent from public.user_coach_preferences p where p.user_id = p_user_id), uplift.trains_by_default());
end
$$;

comment on function uplift.may_train(uuid) is 'Whether a user''s answers may train models: what the user said, else uplift.trains_by_default().';

create or replace function uplift_chat.get_preferences(p_user_id uuid) returns json
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select json_build_object(
        'active_coach_id', coalesce(p.active_coach_id,
            (select c.id from uplift.coaches c order by c.is_default desc, c.created_at, c.id limit 1)),
        'severity', coalesce(p.severity, 3.0),
        'mode', coalesce(p.active_coach_mode, 'default'),
        'roast_consent', coalesce(p.roast_consent, false),
        'training_consent', p.training_consent,
        'training_consent_asked', p.training_consent is not null or p.training_consent_asked_at is not null,
        'training_consent_default', uplift.trains_by_default(),
        'memory_enabled', coalesce(p.memory_enabled, true),
        'experiments_enabled', p.experiments_enabled,
        'experiments_enabled_default', uplift.experiments_by_default(),
        'auto_select_coach', coalesce(p.auto_select_coach, false),
        'quiet_hours_start', to_char(p.quiet_hours_start, 'HH24:MI'),
        'quiet_hours_end', to_char(p.quiet_hours_end, 'HH24:MI'),
        'timezone', p.timezone)
    from (select) one left join public.user_coach_preferences p on p.user_id = p_user_id
$$;

comment on function uplift_chat.get_preferences(uuid) is
    'A user''s preferences as JSON, with the defaults where nothing was chosen: {active_coach_id, severity, mode, roast_consent, training_consent (null: no answer), training_consent_asked, training_consent_default (what null means), memory_enabled, experiments_enabled (null: no answer), experiments_enabled_default (what null means), auto_select_coach, quiet_hours_start, quiet_hours_end (HH:MM), timezone}.';

create or replace function uplift.check_preferences(p_changes jsonb) returns void
language plpgsql stable
as $$
declare
    v record;
begin
    if jsonb_typeof(p_changes) is distinct from 'object' then
        perform uplift.fail(400, 'invalid_preferences', 'preferences must be an object');
    end if;
    for v in
        select c.key, c.value, jsonb_typeof(c.value) as type, k.type as wanted
        from jsonb_each(p_changes) c
        left join (values ('active_coach_id', 'string'), ('severity', 'number'), ('mode', 'string'),
            ('roast_consent', 'boolean'), ('training_consent', 'boolean'), ('training_consent_asked', 'boolean'), ('training_consent_default', 'boolean'),
            ('memory_enabled', 'boolean'), ('experiments_enabled', 'boolean'), ('experiments_enabled_default', 'boolean'), ('auto_select_coach', 'boolean'),
            ('quiet_hours_start', 'string'), ('quiet_hours_end', 'string'), ('timezone', 'string')) as k(key, type)
            on k.key = c.key
        order by c.key
    loop
        if v.wanted is null then
            perform uplift.fail(400, 'unknown_parameter', 'there is no such preference', v.key);
        elsif v.type <> 'null' and v.type <> v.wanted then
            perform uplift.fail(400, 'invalid_' || v.key, format('%s must be a %s or null', v.key, v.wanted), v.key);
        elsif v.key = 'severity' and (v.value #>> '{}')::numeric not between 1.0 and 6.0 then
            perform uplift.fail(400, 'invalid_severity', 'severity must be a number from 1.0 to 6.0', v.key);
        elsif v.key = 'mode' and (v.value #>> '{}') not in ('default', 'roast') then
            perform uplift.fail(400, 'invalid_mode', 'mode must be default or roast', v.key);
        elsif v.key = 'active_coach_id' and v.type = 'string'
                and not exists (select from uplift.coaches c where c.id = v.value #>> '{}') then
            perform uplift.fail(404, 'coach_not_found', 'there is no such coach', v.key);
        elsif v.key in ('quiet_hours_start', 'quiet_hours_end')
                and (v.value #>> '{}') !~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' then
            perform uplift.fail(400, 'invalid_' || v.key, format('%s must be a time such as 22:30', v.key), v.key);
        elsif v.key = 'timezone' and v.type = 'string' and not exists (
                -- Only names: Postgres would take '+3' and 'XYZ3' for time zones, too.
                select from pg_catalog.pg_timezone_names z where z.name = v.value #>> '{}') then
            perform uplift.fail(400, 'invalid_timezone', 'timezone must be a name such as Europe/Berlin', v.key);
        end if;
    end loop;
end
$$;

comment on function uplift.check_preferences(jsonb) is
    'Returns when these are preferences. UP400 invalid_preferences, unknown_parameter, invalid_<key>; UP404 coach_not_found.';

create or replace function uplift_chat.put_preferences(p_user_id uuid, p_changes jsonb) returns json
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_consent boolean;
    v_mode text;
begin
    perform uplift.check_preferences(p_changes);
    perform uplift.see_user(p_user_id);

    -- Makes the row, and holds it until the end: consent and mode are looked at together.
    insert into public.user_coach_preferences as p (user_id) values (p_user_id) on conflict (user_id) do nothing;
    select p.roast_consent, p.active_coach_mode into v_consent, v_mode
    from public.user_coach_preferences p where p.user_id = p_user_id for update;

    v_consent := case when p_changes ? 'roast_consent' then coalesce((p_changes ->> 'roast_consent')::boolean, false)
        else coalesce(v_consent, false) end;
    if p_changes ->> 'mode' = 'roast' and not v_consent then
        perform uplift.fail(403, 'roast_consent_required', 'roast mode needs the user''s consent (roast_consent)', 'mode');
    end if;
    v_mode := case
        when p_changes ? 'mode' then coalesce(p_changes ->> 'mode', 'default')
        when v_mode = 'roast' and not v_consent then 'default'
        else coalesce(v_mode, 'default') end;

    update public.user_coach_preferences p set
        active_coach_id = case when p_changes ? 'active_coach_id' then p_changes ->> 'active_coach_id' else p.active_coach_id end,
        severity = case when p_changes ? 'severity' then coalesce(round((p_changes ->> 'severity')::numeric, 1), 3.0) else p.severity end,
        active_coach_mode = v_mode,
        roast_consent = v_consent,
        training_consent = case when p_changes ? 'training_consent' then (p_changes ->> 'training_consent')::boolean else p.training_consent end,
        training_consent_asked_at = case
            when (p_changes ->> 'training_consent') is not null or (p_changes ->> 'training_consent_asked')::boolean
                then coalesce(p.training_consent_asked_at, now())
            when p_changes ? 'training_consent_asked' then null
            else p.training_consent_asked_at end,
        memory_since = case when (p_changes ->> 'memory_enabled')::boolean and not p.memory_enabled then clock_timestamp() else p.memory_since end,
        memory_enabled = case when p_changes ? 'memory_enabled' then coalesce((p_changes ->> 'memory_enabled')::boolean, true) else p.memory_enabled end,
        experiments_enabled = case when p_changes ? 'experiments_enabled' then (p_changes ->> 'experiments_enabled')::boolean else p.experiments_enabled end,
        auto_select_coach = case when p_changes ? 'auto_select_coach' then (p_changes ->> 'auto_select_coach')::boolean else p.auto_select_coach end,
        quiet_hours_start = case when p_changes ? 'quiet_hours_start' then (p_changes ->> 'quiet_hours_start')::time else p.quiet_hours_start end,
        quiet_hours_end = case when p_changes ? 'quiet_hours_end' then (p_changes ->> 'quiet_hours_end')::time else p.quiet_hours_end end,
        timezone = case when p_changes ? 'timezone' then p_changes ->> 'timezone' else p.timezone end,
        updated_at = now()
    where p.user_id = p_user_id;
    return uplift_chat.get_preferences(p_user_id);
end
$$;

comment on function uplift_chat.put_preferences(uuid, jsonb) is
    'Changes the preferences named in p_changes (null: back to the default) and returns all as uplift_chat.get_preferences; training_consent_default and experiments_enabled_default are told, and not set. Whoever says yes or no to training was asked. Without consent there is no roast mode; consent taken back ends it. UP400 as uplift.check_preferences; UP403 roast_consent_required, unknown_user; UP404 coach_not_found.';
