-- Which variant of an experiment a chat gets.
--
-- A user is assigned by a hash, so that nothing has to be looked up or kept, an analyst can compute it
-- again anywhere, and workers can without Postgres (src/chat/snapshot/experiments.c does the same).

create or replace function uplift.bucket(p_salt text, p_user_id uuid) returns float8
language plpgsql immutable parallel safe
as $$
begin
    return ('x' || left(encode(sha256(convert_to(p_salt || p_user_id::text, 'UTF8')), 'hex'), 13))::bit(52)::bigint / 4503599627370496::float8;
end
$$;

comment on function uplift.bucket(text, uuid) is
    'Where a user is in [0, 1) by a salt: the first 13 hexadecimal digits of SHA-256 of the salt and the user''s id (lower case, with hyphens), in UTF-8, divided by 2^52.';

-- Older deployments' rows have their defaults: who chose the same cannot be told from who chose nothing.
create or replace function uplift.has_own_choice(p_touches text[], p_coach_id text, p_severity numeric, p_mode text, p_more jsonb,
    p_chosen_coach text, p_chosen_severity numeric, p_chosen_mode text, p_roast_consent boolean, p_memory_enabled boolean) returns boolean
language sql immutable parallel safe
as $$
    select 'severity' = any (p_touches) and (p_severity is not null or coalesce(p_chosen_severity, 3.0) <> 3.0)
        or 'mode' = any (p_touches) and (p_mode is not null or coalesce(p_chosen_mode, 'default') <> 'default')
        or 'coach_id' = any (p_touches) and (p_coach_id is not null
            or coalesce(p_chosen_coach, 'coach_decibel_avatar') <> 'coach_decibel_avatar')
        or 'roast' = any (p_touches) and p_roast_consent is not true
        or 'memory' = any (p_touches) and p_memory_enabled is false
        or 'model' = any (p_touches) and coalesce(p_more ? 'model', false)
        or coalesce(p_more -> 'asked' ?| p_touches, false)
$$;

comment on function uplift.has_own_choice(text[], text, numeric, text, jsonb, text, numeric, text, boolean, boolean) is
    'Whether something that an experiment changes (p_touches) is for the user to say, and was said: in the request (coach, severity, mode; p_more: model, and asked, the names of parameters), or in the preferences by a value other than the default. Also where it could not be done: roast without consent, memory that is turned off.';

create or replace function uplift.is_targeted(p_targeting jsonb, p_started_at timestamptz, p_user_id uuid, p_coach_id text) returns boolean
language plpgsql stable
as $$
declare
    v_trait record;
begin
    if p_targeting ? 'coaches' and not coalesce(p_targeting -> 'coaches' ? p_coach_id, false) then
        return false;
    end if;
    if p_targeting -> 'new_users' = 'true' and not coalesce(
            (select u.created_at >= p_started_at from auth.users u where u.id = p_user_id), false) then
        return false;
    end if;
    if p_targeting ? 'locales' and not exists (
            select from jsonb_array_elements_text(p_targeting -> 'locales') l
            where lower(translate(uplift.user_locale(p_user_id), '_', '-')) || '-' like lower(l) || '-%') then
        return false;
    end if;
    for v_trait in select t.key, t.value from jsonb_each(coalesce(p_targeting -> 'traits', '{}')) t loop
        if not exists (
                select from public.user_traits t
                where t.user_id = p_user_id and t.trait_key = v_trait.key and v_trait.value ? t.trait_value) then
            return false;
        end if;
    end loop;
    return true;
end
$$;

comment on function uplift.is_targeted(jsonb, timestamptz, uuid, text) is
    'Whether a user, with the coach that would answer without experiments, is one of those that an experiment is for: {coaches: [ids], locales: [de, pt-BR], traits: {key: [values]}, new_users: true for those who came after its start}; what is not there leaves nobody out.';

create or replace function uplift.user_locale(p_user_id uuid) returns text
language plpgsql stable
as $$
begin
    return coalesce(
        (select t.trait_value from public.user_traits t where t.user_id = p_user_id and t.trait_key = 'locale' limit 1),
        (select u.raw_user_meta_data ->> 'locale' from auth.users u where u.id = p_user_id));
end
$$;

comment on function uplift.user_locale(uuid) is
    'A user''s language, as in de or pt-BR: the trait locale, else what signing in left (raw_user_meta_data); null where it is not known.';

create or replace function uplift.variant_of(p_running uplift.running_experiments, p_user_id uuid) returns int
language plpgsql stable
as $$
declare
    v_at float8 := uplift.bucket(p_running.share_salt, p_user_id);
    v_place int;
begin
    if v_at < p_running.share_from or v_at >= p_running.share_to then
        return null;
    end if;
    if p_running.keeps_assignments then
        select array_position(p_running.variants, a.variant) into v_place
        from public.experiment_assignments a where a.experiment_id = p_running.id and a.user_id = p_user_id limit 1;
        if v_place is not null then
            return v_place;
        end if;
    end if;
    v_at := uplift.bucket(p_running.salt, p_user_id);
    for v_place in 1 .. cardinality(p_running.bounds) loop
        if v_at < p_running.bounds[v_place] then
            return v_place;
        end if;
    end loop;
    return cardinality(p_running.bounds);
end
$$;

comment on function uplift.variant_of(uplift.running_experiments, uuid) is
    'The place, from 1, of the variant that a user has in an experiment; null for who does not take part. By the hash alone, unless weights were changed: then who was assigned before stays.';

create or replace function uplift.experiments_by_default() returns boolean
language plpgsql stable
as $$
begin
    return coalesce((select s.value = 'true' from uplift.settings s where s.key = 'experiments.consent_default'), true);
end
$$;

comment on function uplift.experiments_by_default() is
    'Whether users who did not say take part in experiments: the setting experiments.consent_default; where it is there, anything but true is no.';

-- A tester names variants, also of what does not run: "name=variant, other=variant".
create or replace function uplift.variants_asked_for(p_text text, out changes jsonb, out exposures jsonb, out refusal jsonb)
language plpgsql stable
as $$
declare
    v_pair text;
    v_parts text[];
    v_running uplift.running_experiments;
    v_experiment public.ai_experiments;
    v_problem text;
    v_place int;
begin
    changes := '{}';
    exposures := '[]';
    -- Variants may have commas in their names, experiments may not.
    foreach v_pair in array regexp_split_to_array(p_text, ',(?=[^,]*=)') loop
        v_parts := regexp_match(btrim(v_pair), '^([^=]+)=(.+)$');
        select e.* into v_experiment from public.ai_experiments e
        where e.id::text = btrim(v_parts[1]) or e.experiment_name = btrim(v_parts[1])
        order by e.status = 'running' desc nulls last, e.created_at desc limit 1;
        if not found then
            refusal := uplift.refusal(400, 'invalid_variant', format('X-Uplift-Variant must be EXPERIMENT=VARIANT, by name or id, several with commas between; there is no experiment "%s"',
                left(coalesce(btrim(v_parts[1]), v_pair), 100)), 'X-Uplift-Variant');
            return;
        end if;
        v_problem := uplift.problems_text(uplift.experiment_problems(v_experiment));
        if v_problem is not null then
            refusal := uplift.refusal(400, 'invalid_variant', format('experiment "%s" could not run: %s', left(v_experiment.experiment_name, 100), left(v_problem, 500)), 'X-Uplift-Variant');
            return;
        end if;
        v_running := uplift.prepared_experiment(v_experiment);
        v_place := array_position(v_running.variants, btrim(v_parts[2]));
        if v_place is null then
            refusal := uplift.refusal(400, 'invalid_variant', format('experiment "%s" has no variant "%s"; it has %s', left(v_experiment.experiment_name, 100),
                left(btrim(v_parts[2]), 100), left(array_to_string(v_running.variants, ', '), 500)), 'X-Uplift-Variant');
            return;
        end if;
        changes := changes || (v_running.settings -> (v_place - 1));
        exposures := exposures || jsonb_build_object('experiment_id', v_running.id, 'experiment', v_running.name,
            'variant', v_running.variants[v_place], 'override', true);
    end loop;
end
$$;

comment on function uplift.variants_asked_for(text, out jsonb, out jsonb, out jsonb) is
    'What the header X-Uplift-Variant asks for, as uplift.variants_for(); refusal: 400 invalid_variant.';

create or replace function uplift.is_felt(p_settings jsonb, p_search jsonb) returns boolean
language plpgsql immutable parallel safe
as $$
begin
    -- "on" is how it is anyway.
    return not exists (
        select from jsonb_array_elements(p_settings) s
        where exists (select from jsonb_each(s) e where e.value <> '"on"') and not exists (
            select from jsonb_each(s) e
            where e.value <> '"on"' and case e.key
                when 'memory' then e.value = '"off"' or p_search is not null
                when 'knowledge' then coalesce(p_search ?| '{knowledge,embedding}', false)
                when 'examples' then coalesce(p_search ? 'examples', false)
                else true end));
end
$$;

comment on function uplift.is_felt(jsonb, jsonb) is
    'Whether every variant of an experiment (settings of uplift.running_experiments) that changes something can change something of a chat, by what a worker found for it (search of p_more in uplift_chat.prepare_chats): without, there is no knowledge and no example, and memories are not chosen by their room. Of all variants: with those alone that can, the others would be compared with other chats.';

create or replace function uplift.settings_beside(p_settings jsonb, p_own text[]) returns jsonb
language sql immutable parallel safe
as $$
    select case when not exists (select from jsonb_array_elements(p_settings) s where s <> '{}' and s - p_own = '{}') then (
        select jsonb_agg(x.settings - p_own order by x.n) from jsonb_array_elements(p_settings) with ordinality x(settings, n)) end
$$;

comment on function uplift.settings_beside(jsonb, text[]) is
    'What an experiment for all coaches (settings of uplift.running_experiments) changes of a coach that has some of it of its own (uplift.own_in_production), which stays: just what would be promoted there. Null where nothing would be left of a variant.';

create or replace function uplift.with_persona_of(p_changes jsonb, p_theirs jsonb) returns jsonb
language plpgsql immutable parallel safe
as $$
begin
    return p_changes - array['personality', 'guidelines']
        || jsonb_strip_nulls(jsonb_build_object('personality', p_theirs -> 'personality', 'guidelines', p_theirs -> 'guidelines'));
end
$$;

comment on function uplift.with_persona_of(jsonb, jsonb) is 'Changes with what is a coach''s own, personality and guidelines, of another''s changes, who answers in its place, as far as those have it.';

create or replace function uplift.put_changes(p_changes jsonb, p_coach_id text, p_new jsonb) returns jsonb
language plpgsql stable
as $$
declare
    v_next text := p_new ->> 'coach_id';
begin
    -- A persona and a playbook are a coach's own: another coach brings another one's.
    if v_next <> coalesce(p_changes ->> 'coach_id', p_coach_id) then
        p_changes := uplift.with_persona_of(p_changes, uplift.changes_in_production(v_next));
    end if;
    return p_changes || p_new;
end
$$;

comment on function uplift.put_changes(jsonb, text, jsonb) is
    'Changes with more over them, of a chat that p_coach_id would answer: where these name another coach (coach_id), personality and guidelines are those that production has for that one, unless they bring some.';

create or replace function uplift.variants_for(p_user_id uuid, p_coach_id text, p_severity numeric, p_mode text, p_more jsonb,
    p_chosen_coach text, p_chosen_severity numeric, p_chosen_mode text, p_roast_consent boolean, p_memory_enabled boolean,
    p_experiments_enabled boolean, out changes jsonb, out exposures jsonb, out refusal jsonb)
language plpgsql stable
as $$
declare
    v_running uplift.running_experiments;
    v_place int;
    v_holdout float8;
    v_key text;
    v_coach text := coalesce(p_coach_id, p_chosen_coach, 'coach_decibel_avatar');
    v_own text[];
begin
    changes := uplift.changes_in_production(v_coach);
    exposures := '[]';
    for v_key in select k from jsonb_object_keys(changes) k loop
        if uplift.has_own_choice(array[v_key] || case when changes ->> v_key = 'roast' then array['roast'] else array[]::text[] end, p_coach_id, p_severity, p_mode, p_more,
                p_chosen_coach, p_chosen_severity, p_chosen_mode, p_roast_consent, p_memory_enabled) then
            changes := changes - v_key;
        end if;
    end loop;
    if changes ? 'coach_id' then
        -- Where another coach answers for all of them, what is this one's alone is not for that one.
        if 'coach_id' <> all (uplift.own_in_production(v_coach)) and changes ->> 'coach_id' <> v_coach then
            changes := uplift.with_persona_of(changes, uplift.changes_in_production(null));
        end if;
        changes := uplift.put_changes('{}', v_coach, changes);
    end if;
    if p_more ? 'variant' then
        -- What the request says itself would be said twice.
        select uplift.put_changes(variants_for.changes, v_coach, x.changes - array(select jsonb_array_elements_text(p_more -> 'asked'))), x.exposures, x.refusal into changes, exposures, refusal
        from uplift.variants_asked_for(p_more ->> 'variant') x;
        return;
    end if;
    if coalesce(p_more ? 'is_guest', false) or not coalesce(p_experiments_enabled, uplift.experiments_by_default()) then
        return;
    end if;
    v_holdout := uplift.setting_number('experiments.holdout_share', 0);
    if v_holdout > 0 and uplift.bucket('uplift holdout', p_user_id) < v_holdout then
        return;
    end if;
    -- Those on the coach first, over whom others change what they change.
    for v_running in select r.* from uplift.running_experiments r order by 'coach_id' <> all (r.touches), r.id loop
        continue when uplift.has_own_choice(v_running.touches, p_coach_id, p_severity, p_mode, p_more,
            p_chosen_coach, p_chosen_severity, p_chosen_mode, p_roast_consent, p_memory_enabled);
        v_place := uplift.variant_of(v_running, p_user_id);
        continue when v_place is null or v_running.targeting <> '{}' and not uplift.is_targeted(v_running.targeting,
            v_running.started_at, p_user_id, v_coach);
        if not v_running.targeting ? 'coaches' then
            v_own := coalesce(v_own, uplift.own_in_production(v_coach));
            if v_running.touches && v_own then
                v_running.settings := uplift.settings_beside(v_running.settings, v_own);
                continue when v_running.settings is null;
            end if;
        end if;
        changes := uplift.put_changes(changes, v_coach, v_running.settings -> (v_place - 1));
        -- What nobody could notice would hide what others do.
        continue when v_running.touches && '{memory,knowledge,examples}' and not uplift.is_felt(v_running.settings, p_more -> 'search');
        exposures := exposures || jsonb_build_object('experiment_id', v_running.id, 'experiment', v_running.name,
            'variant', v_running.variants[v_place]);
    end loop;
end
$$;

comment on function uplift.variants_for(uuid, text, numeric, text, jsonb, text, numeric, text, boolean, boolean, boolean, out jsonb, out jsonb, out jsonb) is
    'What rollouts have made production (uplift.changes_in_production), over it what the experiments that run change for a chat, and which variants these are, for its answer''s exposures: [{experiment_id, experiment, variant, override?}]. What the user or the request says itself wins, and is no exposure (uplift.has_own_choice); what a coach has of its own of what an experiment for all coaches changes (uplift.own_in_production) stays, as it would when that is promoted, and where nothing is left of a variant the chat is no exposure (uplift.settings_beside); nor one of which variants could change nothing (uplift.is_felt). Nobody of the holdout (the setting experiments.holdout_share) no guest (is_guest in p_more), and nobody who does not agree to it (p_experiments_enabled, else uplift.experiments_by_default()) takes part. variant in p_more: uplift.variants_asked_for().';

create or replace function uplift.limits_under(p_limits uplift.prompt_limits, p_changes jsonb) returns uplift.prompt_limits
language plpgsql immutable
as $$
declare
    -- "off" is no room at all. By way of numeric: JSON's 300.0 is a whole number, too.
    v_memory int := case when p_changes ->> 'memory' = 'off' then 0 else 4 * (p_changes #>> '{memory,max_tokens}')::numeric end;
    v_knowledge int := case when p_changes ->> 'knowledge' = 'off' then 0 else 4 * (p_changes #>> '{knowledge,max_tokens}')::numeric end;
    v_examples int := case when p_changes ->> 'examples' = 'off' then 0 else 4 * (p_changes #>> '{examples,max_tokens}')::numeric end;
begin
    p_limits.memory_bytes := coalesce(v_memory, p_limits.memory_bytes);
    p_limits.passage_bytes := coalesce(case when v_memory = 0 then 0 else 4 * (p_changes #>> '{memory,passage_tokens}')::numeric end, p_limits.passage_bytes);
    p_limits.knowledge_bytes := coalesce(v_knowledge, p_limits.knowledge_bytes);
    p_limits.knowledge_share := coalesce((p_changes #>> '{knowledge,min_score}')::float8, p_limits.knowledge_share);
    p_limits.example_bytes := coalesce(v_examples, p_limits.example_bytes);
    p_limits.example_share := coalesce((p_changes #>> '{examples,min_score}')::float8, p_limits.example_share);
    return p_limits;
end
$$;

comment on function uplift.limits_under(uplift.prompt_limits, jsonb) is
    'uplift.prompt_limits as a variant changes them: memory, knowledge and examples are on, off, or {max_tokens?, min_score?}, memory also {passage_tokens?}.';

create or replace function uplift.prompt_end(p_changes jsonb) returns text
language sql immutable parallel safe
-- An expression that the planner takes into the query of each chat.
as $$
    select nullif(coalesce(e'\n\n' || (p_changes ->> 'prompt_suffix'), '') || coalesce(e'\n\n' || (p_changes ->> 'guidelines'), ''), '')
$$;

comment on function uplift.prompt_end(jsonb) is
    'What changes of a variant, or of production, add to the end of a prompt, with the empty line before it: prompt_suffix, and behind it guidelines, which are apart so that words for all coaches and the playbook of one do not take each other''s place; null for nothing.';

create or replace function uplift.parameters_of(p_changes jsonb) returns jsonb
language plpgsql immutable parallel safe
as $$
begin
    return case when p_changes ?| '{temperature,top_p,max_tokens,presence_penalty,frequency_penalty}' then
        nullif(jsonb_strip_nulls(jsonb_build_object('temperature', p_changes -> 'temperature', 'top_p', p_changes -> 'top_p',
            'max_tokens', p_changes -> 'max_tokens', 'presence_penalty', p_changes -> 'presence_penalty',
            'frequency_penalty', p_changes -> 'frequency_penalty')), '{}') end;
end
$$;

comment on function uplift.parameters_of(jsonb) is
    'Of what a variant changes, what goes to the provider as it is: temperature, top_p, max_tokens, presence_penalty, frequency_penalty; null for none.';

-- Where the model was another one after all, so was the experience.
create or replace function uplift.without_model_exposures(p_trace jsonb) returns jsonb
language sql stable
as $$
    select case when p_trace ? 'exposures' then p_trace || jsonb_build_object('exposures', (
        select coalesce(jsonb_agg(x), '[]') from jsonb_array_elements(p_trace -> 'exposures') x
        where not exists (
            select from uplift.running_experiments r where r.id = (x ->> 'experiment_id')::uuid and 'model' = any (r.touches))))
        else p_trace end
$$;

comment on function uplift.without_model_exposures(jsonb) is
    'The trace of an answer that another model gave than an experiment had said, because a budget is used up: without the exposures to experiments on models.';

create or replace function uplift.note_exposures(p_ids uuid[]) returns void
language plpgsql volatile
as $$
begin
    -- In the order of ids, so that two recorders cannot wait for each other.
    insert into public.experiment_assignments (experiment_id, user_id, variant, assigned_at)
    select n.experiment_id, n.user_id, n.variant, n.created_at
    from (
        select distinct on (e.id, a.user_id) e.id as experiment_id, a.user_id, x ->> 'variant' as variant, a.created_at
        from (select v.* from unnest(p_ids) i(id)
            cross join lateral (select y.* from public.coach_response_feedback y where y.id = i.id offset 0) v) a
        cross join lateral jsonb_array_elements(case jsonb_typeof(a.exposures) when 'array' then a.exposures else '[]' end) x
        -- By index: rollouts make ever more of them.
        join public.ai_experiments e on e.id = case when uplift.is_uuid(x ->> 'experiment_id')
            then (x ->> 'experiment_id')::uuid end
        left join public.user_coach_preferences p on p.user_id = a.user_id
        where x -> 'override' is distinct from 'true' and x ->> 'variant' is not null
            -- Without Postgres it was not known that the experiment was over.
            and (e.end_date is null or a.created_at < e.end_date)
            -- And not what the user had chosen.
            and (a.degraded is not true or coalesce(p.experiments_enabled, uplift.experiments_by_default())
                and uplift.has_own_choice((uplift.prepared_experiment(e)).touches, null, null, null, null,
                p.active_coach_id, p.severity, p.active_coach_mode, p.roast_consent, p.memory_enabled) is false)
        order by e.id, a.user_id, a.created_at) n
    where not exists (
        select from public.experiment_assignments s where s.experiment_id = n.experiment_id and s.user_id = n.user_id)
    order by n.experiment_id, n.user_id
    on conflict do nothing;
    -- What waited in a spool was said before.
    update public.experiment_assignments s set assigned_at = n.created_at
    from (
        select s2.id, min(a.created_at) as created_at
        from unnest(p_ids) i(id)
        cross join lateral (select y.* from public.coach_response_feedback y where y.id = i.id offset 0) a
        cross join lateral jsonb_array_elements(case jsonb_typeof(a.exposures) when 'array' then a.exposures else '[]' end) x
        join public.experiment_assignments s2 on s2.experiment_id::text = x ->> 'experiment_id' and s2.user_id = a.user_id
        where x -> 'override' is distinct from 'true' and s2.variant = x ->> 'variant' and a.created_at < s2.assigned_at
        group by s2.id) n
    where s.id = n.id;
end
$$;

comment on function uplift.note_exposures(uuid[]) is
    'Notes which users were exposed to which experiments by these answers, once each; not those of testers (override), of experiments that are gone or were over by then, and, of answers that were made without the database, of users who had chosen for themselves or take part in no experiments.';

-- Who it is for, or has agreed to it, cannot be told of what is left out without the database.
create or replace function uplift.known_experiments() returns jsonb
language sql stable
as $$
    with known as (
        select 'production' as kind, jsonb_build_object('coach_id', c.coach_id, 'changes', c.changes) as value, coalesce(c.coach_id, '') as place,
            c.coach_id is not null as is_later
        from uplift.production_changes c where c.ended_at is null
        union all
        select 'running', to_jsonb(r) - '{started_at,keeps_assignments}'::text[], r.id::text, 'coach_id' <> all (r.touches)
        from uplift.running_experiments r
        -- Where users are only in what they agreed to, it takes the database to know.
        where uplift.experiments_by_default() and not r.keeps_assignments and r.targeting - 'coaches' = '{}' and 'roast' <> all (r.touches)),
    sized as (
        -- What is in production first, for all coaches before others, then as many experiments as there is room for.
        select k.*, sum(k.bytes) over (order by k.kind, k.kind = 'production' and k.is_later, k.bytes, k.place) <= 8000000 as has_room
        from (select k.*, octet_length(k.value::text) as bytes from known k) k)
    select jsonb_build_object('holdout_share', uplift.setting_number('experiments.holdout_share', 0),
        'production', coalesce(jsonb_agg(s.value order by s.place) filter (where s.kind = 'production' and s.has_room), '[]'),
        'running', coalesce(jsonb_agg(s.value order by s.is_later, s.place) filter (where s.kind = 'running' and s.has_room), '[]'),
        'deployed', (
            select coalesce(jsonb_agg(jsonb_build_object('coach_id', d.coach_id, 'model', d.model_id) order by d.coach_id), '[]')
            from uplift.model_deployments d where d.environment = 'production' and d.ended_at is null),
        'left_out', count(*) filter (where not s.has_room))
    from sized s
$$;

comment on function uplift.known_experiments() is
    'The experiments whose variants workers give by themselves while Postgres is away, and what rollouts made production: {holdout_share, production: [{coach_id, changes}], running: [rows of uplift.running_experiments], deployed: [{coach_id, model}], the models that serve where no change says another; left_out}. Experiments are in the order in which they are looked at. Of experiments those for all users or those of some coaches, with the weights that they began with, whatever they change, but none with a variant in mode roast, which takes consent; none at all where users who did not say take part in none. Together at most 8 MB, those in production first, then those with the shortest texts; left_out says how many had no room.';

-- Workers ask each second, and texts may be long: nothing here reads one.
create or replace function uplift.experiments_mark() returns text
language sql stable
as $$
    select md5(concat_ws(' ', (
        select string_agg(s.key || '=' || s.value::text, ' ' order by s.key) from uplift.settings s
        where s.key in ('experiments.holdout_share', 'experiments.consent_default')), (
        select string_agg(c.id || ':' || c.xmin, ' ' order by c.id) from uplift.production_changes c where c.ended_at is null), (
        select string_agg(d.id::text, ' ' order by d.id) from uplift.model_deployments d
        where d.environment = 'production' and d.ended_at is null), (
        select string_agg(r.id || ':' || r.xmin, ' ' order by r.id) from uplift.running_experiments r)))
$$;

comment on function uplift.experiments_mark() is
    'Another one whenever uplift.known_experiments() may be another: by which transactions wrote the rows that it is made of.';
