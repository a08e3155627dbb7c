-- Experiments: what one may say, and what becomes of it. Which variant a chat gets is in
-- coach/variants.sql, what came of it in learning/results.sql.

create or replace function uplift.problem(p_param text, p_message text) returns jsonb
language sql immutable parallel safe
as $$ select jsonb_build_object('param', p_param, 'message', p_message) $$;

comment on function uplift.problem(text, text) is 'One of several things that are wrong: {param, message}.';

create or replace function uplift.is_between(p_value jsonb, p_least numeric, p_most numeric) returns boolean
language sql immutable parallel safe
as $$
    select case when jsonb_typeof(p_value) = 'number' then (p_value #>> '{}')::numeric between p_least and p_most
        and uplift.is_float((p_value #>> '{}')::numeric) else false end
$$;

comment on function uplift.is_between(jsonb, numeric, numeric) is 'Whether a value in JSON is a number within limits, that a float8 can be, too.';

create or replace function uplift.policy_problem(p_name text, p_policy jsonb) returns text
language plpgsql immutable
as $$
declare
    v_known text[] := array['max_tokens', case p_name when 'memory' then 'passage_tokens' else 'min_score' end];
begin
    if p_policy in ('"on"', '"off"') then
        return null;
    elsif jsonb_typeof(p_policy) <> 'object' then
        return format('must be "on", "off" or an object with %s', array_to_string(v_known, ', '));
    elsif exists (select from jsonb_object_keys(p_policy) k where k <> all (v_known)) then
        return format('may only have %s', array_to_string(v_known, ', '));
    elsif p_policy ? 'max_tokens' and not uplift.is_between(p_policy -> 'max_tokens', 0, 20000)
            or p_policy ? 'passage_tokens' and not uplift.is_between(p_policy -> 'passage_tokens', 0, 20000) then
        return 'max_tokens and passage_tokens must be from 0 to 20000';
    elsif exists (select from jsonb_each(p_policy - 'min_score') v where (v.value #>> '{}')::numeric % 1 <> 0) then
        return 'max_tokens and passage_tokens must be whole numbers';
    elsif p_policy ? 'min_score' and not uplift.is_between(p_policy -> 'min_score', 0, 10) then
        return 'min_score must be from 0 to 10';
    end if;
    return null;
end
$$;

comment on function uplift.policy_problem(text, jsonb) is
    'What is wrong with a variant''s memory, knowledge or examples (uplift.limits_under); null for nothing.';

create or replace function uplift.variant_problems(p_variant jsonb, p_param text) returns jsonb[]
language plpgsql stable
as $$
declare
    v_problems jsonb[] := array[]::jsonb[];
    v record;
    v_wrong text;
begin
    if jsonb_typeof(p_variant) is distinct from 'object' then
        return array[uplift.problem(p_param, 'must be an object with variant_name and what the variant changes')];
    end if;
    if jsonb_typeof(p_variant -> 'variant_name') is distinct from 'string' or length(p_variant ->> 'variant_name') not between 1 and 100
            or p_variant ->> 'variant_name' <> btrim(p_variant ->> 'variant_name') then
        v_problems := v_problems || uplift.problem(p_param || '.variant_name', 'must be a text of 1 to 100 characters, without blanks at its ends');
    end if;
    for v in select e.key, e.value from jsonb_each(p_variant) e where e.key <> 'variant_name' loop
        v_wrong := case
            when v.key = 'description' then case when jsonb_typeof(v.value) <> 'string' then 'must be a text' end
            when v.key = 'weight' then
                case when not uplift.is_between(v.value, 0, 1000000) then 'must be a number from 0 to 1000000' end
            when v.key = 'severity' then case when not uplift.is_between(v.value, 1, 6) then 'must be a number from 1.0 to 6.0' end
            when v.key = 'mode' then case when v.value not in ('"default"', '"roast"') then 'must be default or roast' end
            when v.key = 'coach_id' then
                case when jsonb_typeof(v.value) <> 'string' or not exists (
                    select from uplift.coaches c where c.id = v.value #>> '{}') then 'must be a coach that is offered' end
            when v.key in ('prompt_suffix', 'personality') then
                case when jsonb_typeof(v.value) <> 'string' or length(v.value #>> '{}') not between 1 and 20000
                    then 'must be a text of 1 to 20000 characters' end
            when v.key = 'model' then
                case when jsonb_typeof(v.value) <> 'string' or not uplift.is_model_name(v.value #>> '{}') then 'must be a text of 1 to 256 bytes' end
            when v.key = 'model_version_id' then
                case when jsonb_typeof(v.value) <> 'string' or not exists (
                    select from public.ai_model_versions m where m.id::text = lower(v.value #>> '{}') and m.model_id <> '')
                    then 'must be the id of a model version with a model' end
            when v.key = 'temperature' then case when not uplift.is_between(v.value, 0, 2) then 'must be a number from 0 to 2' end
            when v.key = 'top_p' then case when not uplift.is_between(v.value, 0, 1) then 'must be a number from 0 to 1' end
            when v.key = 'max_tokens' then
                case when not uplift.is_between(v.value, 1, 1000000) or (v.value #>> '{}')::numeric % 1 <> 0 then 'must be a whole number from 1 to 1000000' end
            when v.key in ('presence_penalty', 'frequency_penalty') then
                case when not uplift.is_between(v.value, -2, 2) then 'must be a number from -2 to 2' end
            when v.key in ('memory', 'knowledge', 'examples') then uplift.policy_problem(v.key, v.value)
            else 'is not known; a variant may have variant_name, description, weight, severity, mode, coach_id, prompt_suffix, personality, '
                'model, model_version_id, temperature, top_p, max_tokens, presence_penalty, frequency_penalty, memory, knowledge and examples' end;
        if v_wrong is not null then
            v_problems := v_problems || uplift.problem(p_param || '.' || left(v.key, 64), v_wrong);
        end if;
    end loop;
    if p_variant ?& '{model,model_version_id}' then
        v_problems := v_problems || uplift.problem(p_param || '.model', 'is there beside model_version_id: one of the two');
    end if;
    return v_problems;
end
$$;

comment on function uplift.variant_problems(jsonb, text) is
    'What is wrong with a variant, {variant_name, description?, weight?, severity?, mode?, coach_id?, prompt_suffix?, personality?, model? or model_version_id?, temperature?, top_p?, max_tokens?, presence_penalty?, frequency_penalty?, memory?, knowledge?, examples?}: a list of uplift.problem(), empty for none.';

create or replace function uplift.variants_of(p_experiment public.ai_experiments) returns jsonb[]
language sql immutable
as $$ select p_experiment.control_variant || coalesce(p_experiment.test_variants, '{}') $$;

comment on function uplift.variants_of(public.ai_experiments) is 'The variants of an experiment, control first.';

create or replace function uplift.weight_problems(p_variants jsonb[]) returns jsonb[]
language plpgsql immutable
as $$
declare
    v_weights numeric[] := array(select case when jsonb_typeof(v -> 'weight') = 'number' then (v ->> 'weight')::numeric end from unnest(p_variants) v);
    v_sum numeric := (select sum(coalesce(w, 1)) from unnest(v_weights) w);
begin
    if array_position(v_weights, null) is null and 1 > all (v_weights) and abs(v_sum - 1) > 0.001 then
        return array[uplift.problem('weight', format('all weights are below 1 and come to %s: shares must come to 1; numbers from 1 on are taken in proportion', v_sum))];
    elsif v_sum <= 0 then
        return array[uplift.problem('weight', 'one weight at least must be more than 0')];
    elsif coalesce(v_weights[1], 1) = 0 then
        return array[uplift.problem('control_variant.weight', 'must be more than 0: there is nothing to compare with otherwise')];
    end if;
    return array[]::jsonb[];
end
$$;

comment on function uplift.weight_problems(jsonb[]) is 'What is wrong with the weights of variants: a list of uplift.problem().';

create or replace function uplift.targeting_problems(p_targeting jsonb) returns jsonb[]
language plpgsql immutable
as $$
declare
    v_problems jsonb[] := array[]::jsonb[];
    v record;
begin
    if p_targeting is null then
        return v_problems;
    elsif jsonb_typeof(p_targeting) <> 'object' or octet_length(p_targeting::text) > 20000 then
        return array[uplift.problem('targeting', 'must be an object of at most 20000 bytes')];
    end if;
    for v in select e.key, e.value from jsonb_each(p_targeting) e loop
        if v.key in ('coaches', 'locales') then
            if jsonb_typeof(v.value) <> 'array' or jsonb_array_length(v.value) = 0
                    or exists (select from jsonb_array_elements(v.value) x where jsonb_typeof(x) <> 'string' or x = '""') then
                v_problems := v_problems || uplift.problem('targeting.' || v.key, 'must be a list of texts');
            end if;
        elsif v.key = 'traits' then
            if jsonb_typeof(v.value) <> 'object' or exists (
                    select from jsonb_each(v.value) t where case when jsonb_typeof(t.value) = 'array' then exists (
                        select from jsonb_array_elements(t.value) x where jsonb_typeof(x) <> 'string') else true end) then
                v_problems := v_problems || uplift.problem('targeting.traits', 'must be an object whose values are lists of texts');
            end if;
        elsif v.key = 'new_users' then
            if jsonb_typeof(v.value) <> 'boolean' then
                v_problems := v_problems || uplift.problem('targeting.new_users', 'must be true or false');
            end if;
        else
            v_problems := v_problems || uplift.problem('targeting.' || left(v.key, 64), 'is not known; there is coaches, locales, traits, new_users');
        end if;
    end loop;
    return v_problems;
end
$$;

comment on function uplift.targeting_problems(jsonb) is 'What is wrong with who an experiment is for (uplift.is_targeted): a list of uplift.problem().';

-- better: 1 where more is better, -1 where less is. is_ratio: one sum over users by another, else a mean of users.
create or replace function uplift.metrics() returns table (metric text, better int, is_ratio boolean, meaning text)
language sql immutable parallel safe
as $$
    values ('thumbs_up_rate', 1, true, 'thumbs up, of all thumbs'),
        ('avg_rating', 1, true, 'stars, of answers that have some'),
        ('engagement_time', 1, false, 'seconds in conversations, of a user'),
        ('cost_per_answer', -1, true, 'US dollars, of an answer'),
        ('latency', -1, true, 'milliseconds to the end of an answer'),
        ('regenerations', -1, true, 'answers asked for anew, of all'),
        ('errors', -1, true, 'answers that failed, of all'),
        ('retention', 1, false, 'users who came back in the second week, of those whose second week is over')
$$;

comment on function uplift.metrics() is 'What an experiment can be judged by.';

create or replace function uplift.guardrail_problems(p_guardrails jsonb, p_success_metric text) returns jsonb[]
language plpgsql immutable
as $$
declare
    v_problems jsonb[] := array[]::jsonb[];
    v record;
    v_seen text[] := array[]::text[];
begin
    if p_guardrails is null then
        return v_problems;
    elsif jsonb_typeof(p_guardrails) <> 'array' or jsonb_array_length(p_guardrails) > 10 then
        return array[uplift.problem('guardrails', 'must be a list of at most 10')];
    end if;
    for v in select g.value, g.ordinality - 1 as n from jsonb_array_elements(p_guardrails) with ordinality g loop
        if jsonb_typeof(v.value) <> 'object' or exists (select from jsonb_object_keys(v.value) k where k not in ('metric', 'max_worse')) then
            v_problems := v_problems || uplift.problem(format('guardrails[%s]', v.n), 'must be an object {metric, max_worse}');
        elsif not exists (select from uplift.metrics() m where m.metric = v.value ->> 'metric') then
            v_problems := v_problems || uplift.problem(format('guardrails[%s].metric', v.n), format('must be one of %s',
                (select string_agg(m.metric, ', ') from uplift.metrics() m)));
        elsif v.value ->> 'metric' = any (v_seen) or v.value ->> 'metric' = p_success_metric then
            v_problems := v_problems || uplift.problem(format('guardrails[%s].metric', v.n), 'is there twice, or decides already');
        elsif not uplift.is_between(v.value -> 'max_worse', 0, 10) then
            v_problems := v_problems || uplift.problem(format('guardrails[%s].max_worse', v.n),
                'must be a number from 0 to 10: how much worse than control it may be, as a share of control''s figure');
        end if;
        v_seen := v_seen || (v.value ->> 'metric');
    end loop;
    return v_problems;
end
$$;

comment on function uplift.guardrail_problems(jsonb, text) is
    'What is wrong with the guardrails of an experiment, [{metric, max_worse}], max_worse a share of control''s figure: a list of uplift.problem().';

create or replace function uplift.touches_of(p_variants jsonb[]) returns text[]
language sql immutable
as $$
    select coalesce(array_agg(distinct x.name), '{}')
    from (
        select case k when 'model_version_id' then 'model' else k end as name
        from unnest(p_variants) v cross join lateral jsonb_object_keys(v) k
        where k not in ('variant_name', 'description', 'weight')
        union all
        select 'roast' from unnest(p_variants) v where v ->> 'mode' = 'roast') x
$$;

comment on function uplift.touches_of(jsonb[]) is 'What variants change, by name; roast where one has that mode.';

create or replace function uplift.prepared_experiment(p_experiment public.ai_experiments) returns uplift.running_experiments
language plpgsql stable
as $$
declare
    v_variants jsonb[] := uplift.variants_of(p_experiment);
    v_running uplift.running_experiments;
    v_sum float8 := (select sum(coalesce((v ->> 'weight')::float8, 1)) from unnest(v_variants) v);
    v_salt text := coalesce(p_experiment.salt, p_experiment.id::text);
begin
    v_running.id := p_experiment.id;
    v_running.name := p_experiment.experiment_name;
    v_running.salt := v_salt;
    v_running.share_salt := coalesce('layer ' || p_experiment.layer, v_salt || ' share');
    v_running.share_from := coalesce(p_experiment.layer_from, 0);
    -- Added as they were allotted: as float8 a neighbour's 0.1 and 0.2 are more than 0.3.
    v_running.share_to := coalesce(p_experiment.layer_from, 0) + coalesce(p_experiment.traffic_share, 1);
    v_running.variants := array(select v ->> 'variant_name' from unnest(v_variants) v);
    v_running.bounds := array(
        select (sum(coalesce((v.value ->> 'weight')::float8, 1)) over (order by v.n)) / v_sum
        from unnest(v_variants) with ordinality v(value, n) order by v.n);
    -- What adds to the persona's words is told from where it comes when it is read.
    v_running.settings := (
        select jsonb_agg(v.value - '{variant_name,description,weight,model_version_id}'::text[] || coalesce(jsonb_strip_nulls(jsonb_build_object('model', (
            select m.model_id from public.ai_model_versions m where m.id::text = lower(v.value ->> 'model_version_id')))), '{}') order by v.n)
        from unnest(v_variants) with ordinality v(value, n));
    v_running.touches := uplift.touches_of(v_variants);
    v_running.targeting := coalesce(p_experiment.targeting, '{}');
    v_running.started_at := coalesce(p_experiment.start_date, now());
    v_running.keeps_assignments := coalesce(p_experiment.keeps_assignments, false);
    return v_running;
end
$$;

comment on function uplift.prepared_experiment(public.ai_experiments) is
    'An experiment without problems (uplift.experiment_problems) as chats need it, whether it runs or not.';

create or replace function uplift.experiment_problems(p_experiment public.ai_experiments) returns jsonb[]
language plpgsql stable
as $$
declare
    v_problems jsonb[] := array[]::jsonb[];
    v_variants jsonb[] := uplift.variants_of(p_experiment);
    v_names text[] := array(select v ->> 'variant_name' from unnest(v_variants) v);
    v_other record;
begin
    if coalesce(length(p_experiment.experiment_name), 0) not between 1 and 200 or p_experiment.experiment_name ~ '[=,]' then
        v_problems := v_problems || uplift.problem('experiment_name', 'must be a text of 1 to 200 characters, without = and commas');
    end if;
    if not exists (select from uplift.metrics() m where m.metric = p_experiment.success_metric and m.metric <> 'errors') then
        v_problems := v_problems || uplift.problem('success_metric', format('must be one of %s',
            (select string_agg(m.metric, ', ') from uplift.metrics() m where m.metric <> 'errors')));
    end if;
    if coalesce(cardinality(p_experiment.test_variants), 0) not between 1 and 10 then
        v_problems := v_problems || uplift.problem('test_variants', 'must be a list of 1 to 10 variants');
    end if;
    v_problems := v_problems || uplift.variant_problems(p_experiment.control_variant, 'control_variant');
    for v_other in select v.value, v.n - 1 as n from unnest(p_experiment.test_variants) with ordinality v(value, n) limit 10 loop
        v_problems := v_problems || uplift.variant_problems(v_other.value, format('test_variants[%s]', v_other.n));
        if v_other.value ->> 'variant_name' = any (v_names[:v_other.n + 1]) then
            v_problems := v_problems || uplift.problem(format('test_variants[%s].variant_name', v_other.n), 'is that of another variant');
        end if;
    end loop;
    v_problems := v_problems || uplift.weight_problems(v_variants) || uplift.targeting_problems(p_experiment.targeting)
        || uplift.guardrail_problems(p_experiment.guardrails, p_experiment.success_metric);
    if coalesce(p_experiment.traffic_share, 1) not between 0.000001 and 1 then
        v_problems := v_problems || uplift.problem('traffic_share', 'must be a number over 0, at most 1');
    end if;
    if coalesce(p_experiment.alpha, 0.05) not between 0.0001 and 0.5 then
        v_problems := v_problems || uplift.problem('alpha', 'must be a number from 0.0001 to 0.5');
    end if;
    if coalesce(p_experiment.min_users, 100) not between 2 and 10000000 then
        v_problems := v_problems || uplift.problem('min_users', 'must be from 2 to 10000000');
    end if;
    if coalesce(p_experiment.tuning_users, 5000) not between 100 and 100000000 then
        v_problems := v_problems || uplift.problem('tuning_users', 'must be from 100 to 100000000');
    end if;
    if coalesce(p_experiment.feedback_days, 7) not between 0 and 365 then
        v_problems := v_problems || uplift.problem('feedback_days', 'must be from 0 to 365');
    end if;
    if coalesce(p_experiment.layer_from, 0) not between 0 and 1 then
        v_problems := v_problems || uplift.problem('layer_from', 'must be a number from 0 to 1');
    end if;
    if length(p_experiment.layer) not between 1 and 100 then
        v_problems := v_problems || uplift.problem('layer', 'must be a text of 1 to 100 characters');
    end if;
    if length(p_experiment.salt) not between 1 and 200 then
        v_problems := v_problems || uplift.problem('salt', 'must be a text of 1 to 200 characters');
    end if;
    return v_problems;
end
$$;

comment on function uplift.experiment_problems(public.ai_experiments) is
    'Everything that is wrong with an experiment by itself: a list of uplift.problem(), empty for nothing.';

create or replace function uplift.are_of_other_coaches(p_targeting jsonb, p_other jsonb) returns boolean
language sql immutable parallel safe
as $$
    select p_targeting ? 'coaches' and p_other ? 'coaches'
        and not p_targeting -> 'coaches' ?| array(select jsonb_array_elements_text(p_other -> 'coaches'))
$$;

comment on function uplift.are_of_other_coaches(jsonb, jsonb) is 'Whether no coach is in the targeting of both of two experiments.';

create or replace function uplift.experiment_clashes(p_experiment public.ai_experiments) returns jsonb[]
language plpgsql stable
as $$
declare
    v_problems jsonb[] := array[]::jsonb[];
    v_running uplift.running_experiments := uplift.prepared_experiment(p_experiment);
    v_other record;
begin
    for v_other in
        select r.* from uplift.running_experiments r where r.id <> p_experiment.id order by r.name
    loop
        if v_running.share_salt = v_other.share_salt then
            if p_experiment.layer_from is not null and v_running.share_from < v_other.share_to and v_other.share_from < v_running.share_to then
                v_problems := v_problems || uplift.problem('layer_from', format('overlaps with "%s", which has %s to %s of layer "%s"',
                    left(v_other.name, 100), v_other.share_from, v_other.share_to, p_experiment.layer));
            end if;
        elsif v_running.touches && v_other.touches and not uplift.are_of_other_coaches(v_running.targeting, v_other.targeting) then
            v_problems := v_problems || uplift.problem('test_variants', format('change %s, as "%s" does, which is running: %s',
                (select string_agg(t, ', ') from unnest(v_running.touches) t where t = any (v_other.touches)), left(v_other.name, 100),
                case when exists (select from uplift.rollouts r where r.experiment_id = v_other.id) then 'promote that rollout or roll it back first'
                    else 'stop that one, or give both the same layer or other coaches' end));
        end if;
    end loop;
    -- Chats would be answered by the configured model instead.
    for v_other in select s.value ->> 'model' as model, s.ordinality as n from jsonb_array_elements(v_running.settings) with ordinality s where s.value ? 'model' loop
        if uplift.lacks_price(v_other.model) then
            v_problems := v_problems || uplift.problem(case v_other.n when 1 then 'control_variant' else format('test_variants[%s]', v_other.n - 2) end || '.model',
                format('%s has no price, and there are budgets: set its price (PUT /admin/prices; 0 for a model that costs nothing), or the setting budgets.unpriced to allow', v_other.model));
        end if;
    end loop;
    if p_experiment.layer is not null and p_experiment.layer_from is null
            and uplift.free_layer_share(p_experiment.layer, coalesce(p_experiment.traffic_share, 1), p_experiment.id) is null then
        v_problems := v_problems || uplift.problem('layer', format('layer "%s" has no share of %s left beside what runs in it: lower traffic_share, or stop another',
            left(p_experiment.layer, 100), coalesce(p_experiment.traffic_share, 1)));
    end if;
    if v_running.share_to > 1 then
        v_problems := v_problems || uplift.problem('traffic_share', format('there is only %s of layer "%s" from layer_from on', 1 - v_running.share_from, left(p_experiment.layer, 100)));
    end if;
    return v_problems;
end
$$;

comment on function uplift.experiment_clashes(public.ai_experiments) is
    'What keeps an experiment without problems from running beside those that run now: a list of uplift.problem(), empty for nothing.';

create or replace function uplift.free_layer_share(p_layer text, p_share numeric, p_but uuid) returns numeric
language sql stable
as $$
    select min(f.at) from (
        select 0::numeric as at
        union all
        select e.layer_from + coalesce(e.traffic_share, 1) from public.ai_experiments e
        where e.layer = p_layer and e.status in ('running', 'paused') and e.layer_from is not null and e.id <> p_but) f
    where f.at + p_share <= 1 and not exists (
        select from public.ai_experiments e
        where e.layer = p_layer and e.status in ('running', 'paused') and e.layer_from is not null and e.id <> p_but
            and e.layer_from < f.at + p_share and f.at < e.layer_from + coalesce(e.traffic_share, 1))
$$;

comment on function uplift.free_layer_share(text, numeric, uuid) is
    'Where in a layer, [0, 1), the first free share of that size begins, beside its other experiments that run or are paused; null for none.';

create or replace function uplift.problems_text(p_problems jsonb[]) returns text
language sql immutable
as $$ select left(string_agg(p ->> 'param' || ' ' || (p ->> 'message'), '; '), 1900) from unnest(p_problems) p $$;

comment on function uplift.problems_text(jsonb[]) is 'Several uplift.problem() in one line, at most 1900 characters.';

create or replace function uplift.refuse_problems(p_problems jsonb[]) returns void
language plpgsql immutable
as $$
declare
    v_told int := cardinality(p_problems);
begin
    -- An error has room for 511 bytes by URL: whole problems, and how many more there are.
    while v_told > 1 and octet_length(uplift.problems_text(p_problems[:v_told])) > case when v_told = cardinality(p_problems) then 500 else 480 end loop
        v_told := v_told - 1;
    end loop;
    if v_told > 0 then
        perform uplift.fail(400, 'invalid_experiment', uplift.problems_text(p_problems[:v_told])
            || case when v_told < cardinality(p_problems) then format('; and %s more', cardinality(p_problems) - v_told) else '' end, p_problems[1] ->> 'param');
    end if;
end
$$;

comment on function uplift.refuse_problems(jsonb[]) is
    'Returns when there is no uplift.problem(). UP400 invalid_experiment with those that have room in 500 bytes, the first ones, and how many more there are.';

-- Both columns of an older deployment are kept in step by a trigger that comes before this one.
create or replace function uplift.experiment_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_problems jsonb[];
    v_before public.ai_experiments;
    v_results constant text[] := array['winner_variant', 'confidence_level', 'updated_at'];
    v_is_older boolean := to_jsonb(new) ?| '{variant_configs,control_config,is_active,started_at,ended_at}';
begin
    if tg_op = 'UPDATE' then
        v_before := old;
    end if;
    -- Two that begin at once must see each other.
    if new.status = 'running' or v_before.status = 'running' then
        perform pg_advisory_xact_lock(hashtextextended('uplift experiments', 0));
    end if;
    -- Else a misspelt one would end it without an end, and without figures from then on.
    if not v_is_older and new.status is distinct from v_before.status and new.status not in ('draft', 'running', 'paused', 'completed') then
        perform uplift.fail(400, 'invalid_status', format('status must be draft, running, paused or completed, not %s', left(new.status, 100)), 'status');
    end if;
    new.updated_at := now();
    new.salt := coalesce(new.salt, new.id::text);
    -- Rows of programs that were there before mean something else, maybe: those are left out, not refused.
    if not v_is_older and v_before.start_date is not null and v_before.status in ('running', 'paused')
            and uplift.without_weights(new) is distinct from uplift.without_weights(v_before) then
        perform uplift.fail(409, 'experiment_running', 'once begun, an experiment keeps its variants, its metric, its layer, its alpha and whom it is for: only weights, traffic_share, guardrails, min_users and words may change; stop it and clone it to try others');
    elsif v_before.start_date is not null and uplift.variants_of(new) is distinct from uplift.variants_of(v_before) then
        new.keeps_assignments := true;
    end if;
    -- Not where a winner is noted of one that runs, which may have got a problem since.
    if new.status = 'running' and (v_before.status is distinct from 'running'
            or (to_jsonb(new) - v_results) is distinct from (to_jsonb(v_before) - v_results)) then
        v_problems := uplift.experiment_problems(new);
        if cardinality(v_problems) = 0 then
            v_problems := uplift.experiment_clashes(new);
        end if;
        if cardinality(v_problems) > 0 then
            if not v_is_older then
                perform uplift.refuse_problems(v_problems);
            end if;
            new.status_reason := left('does not run: ' || uplift.problems_text(v_problems), 2000);
            return new;
        end if;
        new.status_reason := null;
        new.start_date := coalesce(new.start_date, now());
        -- One that goes on is not over: what is said from now on counts.
        if new.end_date <= now() then
            new.end_date := null;
        end if;
        if new.layer is not null and new.layer_from is null then
            new.layer_from := uplift.free_layer_share(new.layer, coalesce(new.traffic_share, 1), new.id);
        end if;
    elsif new.status = 'completed' and v_before.status is distinct from 'completed' then
        new.end_date := least(new.end_date, now());
    end if;
    return new;
end
$$;

comment on function uplift.experiment_changes() is
    'Trigger on ai_experiments: what is to run is checked (SQLSTATE UP400 invalid_status, or invalid_experiment with all that is wrong; on tables with the columns of older deployments it only stays out of chats, with status_reason), what has begun keeps its variants but for weights (UP409 experiment_running), and gets salt, layer_from, start_date and end_date.';

create or replace function uplift.without_weights(p_experiment public.ai_experiments) returns jsonb
language sql immutable
as $$
    select jsonb_build_array(array(select v - '{weight,description}'::text[] from unnest(uplift.variants_of(p_experiment)) v),
        p_experiment.success_metric, p_experiment.salt, p_experiment.layer, p_experiment.targeting, p_experiment.alpha, p_experiment.tuning_users)
$$;

comment on function uplift.without_weights(public.ai_experiments) is 'What of an experiment may not change while it runs.';

create or replace function uplift.experiment_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    delete from uplift.running_experiments r where r.id = old.id;
    if tg_op <> 'DELETE' then
        if new.status = 'running' and new.status_reason is null then
            insert into uplift.running_experiments select (uplift.prepared_experiment(new)).*
            on conflict do nothing;
        end if;
    end if;
    return null;
end
$$;

comment on function uplift.experiment_changed() is 'Trigger on ai_experiments: brings uplift.running_experiments in step.';

do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'public.ai_experiments'::regclass and tgname = 'uplift_experiment') then
        create trigger uplift_experiment before insert or update on public.ai_experiments
        for each row execute function uplift.experiment_changes();
    end if;
    if not exists (select from pg_trigger where tgrelid = 'public.ai_experiments'::regclass and tgname = 'uplift_experiment_changed') then
        create trigger uplift_experiment_changed after insert or update or delete on public.ai_experiments
        for each row execute function uplift.experiment_changed();
    end if;
end
$$;

create or replace function uplift.note_experiment(p_id uuid, p_event text, p_who text, p_reason text) returns void
language sql volatile
as $$ insert into uplift.experiment_events (experiment_id, event, who, reason) values (p_id, p_event, p_who, left(p_reason, 2000)) $$;

comment on function uplift.note_experiment(uuid, text, text, text) is 'Adds to the history of an experiment.';

-- Its variants need coaches and models that may go.
create or replace function uplift.pause_broken_experiments() returns int
language plpgsql volatile
as $$
declare
    v_experiment public.ai_experiments;
    v_problems jsonb[];
    v_count int := 0;
begin
    for v_experiment in
        select e.* from public.ai_experiments e join uplift.running_experiments r on r.id = e.id
        where r.touches && '{coach_id,model}' order by e.id for update of e
    loop
        v_problems := uplift.experiment_problems(v_experiment);
        continue when cardinality(v_problems) = 0;
        update public.ai_experiments e set status = 'paused', status_reason = uplift.problems_text(v_problems) where e.id = v_experiment.id;
        perform uplift.note_experiment(v_experiment.id, 'paused', 'uplift', uplift.problems_text(v_problems));
        v_count := v_count + 1;
    end loop;
    return v_count;
end
$$;

comment on function uplift.pause_broken_experiments() is
    'Pauses experiments that run with a variant whose coach or model version is gone, for all of their users, so that the others are not compared with too few; how many.';

create or replace function uplift.variant_source_gone() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from uplift.running_experiments) then
        perform uplift.pause_broken_experiments();
    end if;
    return null;
end
$$;

comment on function uplift.variant_source_gone() is 'Trigger on brand_assets and ai_model_versions: uplift.pause_broken_experiments().';

do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'public.brand_assets'::regclass and tgname = 'uplift_coach_gone') then
        create trigger uplift_coach_gone after update or delete on public.brand_assets
        for each statement execute function uplift.variant_source_gone();
    end if;
    if not exists (select from pg_trigger where tgrelid = 'public.ai_model_versions'::regclass and tgname = 'uplift_model_version_gone') then
        create trigger uplift_model_version_gone after delete on public.ai_model_versions
        for each statement execute function uplift.variant_source_gone();
    end if;
end
$$;

-- --- what admins do ---

create or replace function uplift.experiment_json(p_experiment public.ai_experiments) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'experiment', 'id', p_experiment.id, 'experiment_name', p_experiment.experiment_name,
        'description', p_experiment.description, 'hypothesis', p_experiment.hypothesis, 'status', p_experiment.status,
        'status_reason', p_experiment.status_reason, 'control_variant', p_experiment.control_variant,
        'test_variants', to_jsonb(p_experiment.test_variants), 'success_metric', p_experiment.success_metric,
        'guardrails', coalesce(p_experiment.guardrails, '[]'), 'targeting', coalesce(p_experiment.targeting, '{}'),
        'traffic_share', p_experiment.traffic_share, 'layer', p_experiment.layer, 'layer_from', p_experiment.layer_from,
        'salt', p_experiment.salt, 'alpha', p_experiment.alpha, 'min_users', p_experiment.min_users, 'tuning_users', p_experiment.tuning_users,
        'feedback_days', p_experiment.feedback_days, 'start_date', p_experiment.start_date, 'end_date', p_experiment.end_date,
        'winner_variant', p_experiment.winner_variant, 'confidence_level', p_experiment.confidence_level,
        'created_at', p_experiment.created_at, 'updated_at', p_experiment.updated_at)
$$;

comment on function uplift.experiment_json(public.ai_experiments) is 'An experiment as admins see it.';

create or replace function uplift.find_experiment(p_id uuid) returns public.ai_experiments
language plpgsql volatile
as $$
declare
    v_experiment public.ai_experiments;
begin
    select e.* into v_experiment from public.ai_experiments e where e.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'experiment_not_found', 'there is no such experiment');
    end if;
    return v_experiment;
end
$$;

comment on function uplift.find_experiment(uuid) is 'An experiment, locked. UP404 experiment_not_found.';

create or replace function uplift_batch.admin_list_experiments(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,status}');
    if p_arguments ->> 'status' not in ('draft', 'running', 'paused', 'completed') then
        perform uplift.fail(400, 'invalid_status', 'status must be draft, running, paused or completed', 'status');
    end if;
    select array_agg(uplift.experiment_json(e.experiment) order by e.created_at desc nulls last, e.id desc) into v_rows from (
        select x as experiment, x.created_at, x.id from public.ai_experiments x
        where (v_after is null or (coalesce(x.created_at, '-infinity'), x.id) < (
                select coalesce(y.created_at, '-infinity'), y.id from public.ai_experiments y where y.id = v_after))
            and (not p_arguments ? 'status' or x.status = p_arguments ->> 'status')
        order by x.created_at desc nulls last, x.id desc limit v_limit + 1) e;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_experiments(uuid, jsonb, text) is 'Experiments, the newest first: limit, after, status.';

create or replace function uplift_batch.admin_get_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_json jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select uplift.experiment_json(e) || jsonb_build_object('events', (
        select coalesce(jsonb_agg(jsonb_build_object('at', v.at, 'event', v.event, 'who', v.who, 'reason', v.reason) order by v.id), '[]')
        from (select * from uplift.experiment_events x where x.experiment_id = p_id order by x.id desc limit 200) v)) into v_json
    from public.ai_experiments e where e.id = p_id;
    if v_json is null then
        perform uplift.fail(404, 'experiment_not_found', 'there is no such experiment');
    end if;
    return v_json;
end
$$;

comment on function uplift_batch.admin_get_experiment(uuid, jsonb, text) is
    'An experiment, with what was done to it (events, the last 200). UP404 experiment_not_found.';

-- What an experiment is made of, as the body of a request has it, over what it was before.
create or replace function uplift.experiment_from(p_before public.ai_experiments, p_arguments jsonb) returns public.ai_experiments
language plpgsql stable
as $$
declare
    v public.ai_experiments := p_before;
begin
    perform uplift.check_arguments(p_arguments, '{experiment_name,description,hypothesis,control_variant,test_variants,success_metric,guardrails,targeting,traffic_share,layer,salt,alpha,min_users,tuning_users,feedback_days}');
    if p_arguments ? 'test_variants' then
        if jsonb_typeof(p_arguments -> 'test_variants') <> 'array' then
            perform uplift.fail(400, 'invalid_test_variants', 'test_variants must be a list', 'test_variants');
        end if;
        v.test_variants := array(select x from jsonb_array_elements(p_arguments -> 'test_variants') with ordinality t(x, n) order by t.n);
    end if;
    if p_arguments ? 'experiment_name' then
        v.experiment_name := uplift.text_argument(p_arguments, 'experiment_name', 200);
    end if;
    if p_arguments ? 'description' then
        v.description := uplift.text_argument(p_arguments, 'description', 5000);
    end if;
    if p_arguments ? 'hypothesis' then
        v.hypothesis := uplift.text_argument(p_arguments, 'hypothesis', 5000);
    end if;
    if p_arguments ? 'success_metric' then
        v.success_metric := uplift.text_argument(p_arguments, 'success_metric', 100);
    end if;
    if p_arguments ? 'layer' then
        v.layer := uplift.text_argument(p_arguments, 'layer', 100);
        v.layer_from := null;
    end if;
    if p_arguments ? 'salt' then
        v.salt := uplift.text_argument(p_arguments, 'salt', 200);
    end if;
    if p_arguments ? 'control_variant' then
        v.control_variant := p_arguments -> 'control_variant';
    end if;
    if p_arguments ? 'guardrails' then
        v.guardrails := nullif(p_arguments -> 'guardrails', 'null');
    end if;
    if p_arguments ? 'targeting' then
        v.targeting := nullif(p_arguments -> 'targeting', 'null');
    end if;
    v.traffic_share := coalesce(uplift.decimal_argument(p_arguments, 'traffic_share', 0, 1), v.traffic_share, 1);
    v.alpha := coalesce(uplift.decimal_argument(p_arguments, 'alpha', 0.0001, 0.5), v.alpha, 0.05);
    v.min_users := coalesce(uplift.whole_argument(p_arguments, 'min_users', 2, 10000000), v.min_users, 100);
    v.tuning_users := coalesce(uplift.whole_argument(p_arguments, 'tuning_users', 100, 100000000), v.tuning_users, 5000);
    v.feedback_days := coalesce(uplift.whole_argument(p_arguments, 'feedback_days', 0, 365), v.feedback_days, 7);
    if v.experiment_name is null or v.control_variant is null or v.test_variants is null or v.success_metric is null then
        perform uplift.fail(400, 'missing_argument', 'an experiment needs experiment_name, control_variant, test_variants and success_metric',
            case when v.experiment_name is null then 'experiment_name' when v.control_variant is null then 'control_variant'
                when v.test_variants is null then 'test_variants' else 'success_metric' end);
    end if;
    return v;
end
$$;

comment on function uplift.experiment_from(public.ai_experiments, jsonb) is
    'An experiment with what the body of a request says of it. UP400 missing_argument, unknown_argument, invalid_NAME.';

-- Programs that insert rows may use a name again, as they did before.
create or replace function uplift.check_experiment_name(p_id uuid, p_name text) returns void
language plpgsql volatile
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('uplift experiment names', 0));
    if exists (select from public.ai_experiments e where e.experiment_name = p_name and e.id <> p_id) then
        perform uplift.fail(409, 'experiment_exists', 'there is an experiment of that name', 'experiment_name');
    end if;
end
$$;

comment on function uplift.check_experiment_name(uuid, text) is
    'Returns when no other experiment has a name, and nobody can give it to one until this transaction ends. UP409 experiment_exists.';

create or replace function uplift_batch.admin_create_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_new public.ai_experiments;
begin
    v_new := uplift.experiment_from(null, p_arguments);
    v_new.id := uplift.uuid_v7();
    v_new.salt := coalesce(v_new.salt, v_new.id::text);
    perform uplift.refuse_problems(uplift.experiment_problems(v_new));
    perform uplift.check_experiment_name(v_new.id, v_new.experiment_name);
    insert into public.ai_experiments (id, experiment_name, description, hypothesis, control_variant, test_variants, success_metric, status,
        guardrails, targeting, traffic_share, layer, salt, alpha, min_users, tuning_users, feedback_days)
    values (v_new.id, v_new.experiment_name, v_new.description, v_new.hypothesis, v_new.control_variant, v_new.test_variants, v_new.success_metric,
        'draft', v_new.guardrails, v_new.targeting, v_new.traffic_share, v_new.layer, v_new.salt, v_new.alpha, v_new.min_users, v_new.tuning_users, v_new.feedback_days)
    returning * into v_new;
    perform uplift.note_experiment(v_new.id, 'created', p_who, null);
    return uplift.experiment_json(v_new);
end
$$;

comment on function uplift_batch.admin_create_experiment(uuid, jsonb, text) is
    'Makes an experiment, as a draft: experiment_name, control_variant, test_variants, success_metric, and what else uplift.experiment_from() takes. UP400 invalid_experiment with everything that is wrong, missing_argument, unknown_argument; UP409 experiment_exists.';

create or replace function uplift_batch.admin_edit_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_before public.ai_experiments := uplift.find_experiment(p_id);
    v_new public.ai_experiments := uplift.experiment_from(v_before, p_arguments);
begin
    if v_before.status = 'completed' and p_arguments - '{description,hypothesis,feedback_days}'::text[] <> '{}' then
        perform uplift.fail(409, 'experiment_completed', 'a completed experiment stays as it was; clone it to try again');
    elsif v_before.start_date is not null and uplift.without_weights(v_new) is distinct from uplift.without_weights(v_before) then
        perform uplift.fail(409, 'experiment_running', 'once begun, an experiment keeps its variants, its metric, its layer, its alpha and whom it is for: only weights, traffic_share, guardrails, min_users and words may change; stop it and clone it to try others');
    end if;
    perform uplift.refuse_problems(uplift.experiment_problems(v_new));
    if v_new.experiment_name <> v_before.experiment_name then
        perform uplift.check_experiment_name(p_id, v_new.experiment_name);
    end if;
    update public.ai_experiments e set experiment_name = v_new.experiment_name, description = v_new.description, hypothesis = v_new.hypothesis,
        control_variant = v_new.control_variant, test_variants = v_new.test_variants, success_metric = v_new.success_metric,
        guardrails = v_new.guardrails, targeting = v_new.targeting, traffic_share = v_new.traffic_share, layer = v_new.layer,
        layer_from = v_new.layer_from, salt = v_new.salt, alpha = v_new.alpha, min_users = v_new.min_users, tuning_users = v_new.tuning_users, feedback_days = v_new.feedback_days
    where e.id = p_id returning e.* into v_new;
    perform uplift.note_experiment(p_id, 'changed', p_who, (select string_agg(k, ', ' order by k) from jsonb_object_keys(p_arguments) k));
    return uplift.experiment_json(v_new);
end
$$;

comment on function uplift_batch.admin_edit_experiment(uuid, jsonb, text) is
    'Changes an experiment: a draft in all, one that has begun only in weights, traffic_share, guardrails, min_users, feedback_days and words. Who was assigned stays. UP404 experiment_not_found; UP400 as uplift_batch.admin_create_experiment(); UP409 experiment_running, experiment_completed, experiment_exists.';

create or replace function uplift_batch.admin_check_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments := uplift.find_experiment(p_id);
    v_problems jsonb[] := uplift.experiment_problems(v_experiment);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    if cardinality(v_problems) = 0 then
        v_problems := uplift.experiment_clashes(v_experiment);
    end if;
    return jsonb_build_object('object', 'experiment_check', 'id', p_id, 'can_start', cardinality(v_problems) = 0, 'problems', to_jsonb(v_problems));
end
$$;

comment on function uplift_batch.admin_check_experiment(uuid, jsonb, text) is
    'Whether an experiment can start now, and everything that keeps it from that: {can_start, problems: [{param, message}]}. UP404 experiment_not_found.';

create or replace function uplift.change_experiment_status(p_id uuid, p_from text[], p_to text, p_event text, p_who text, p_reason text) returns jsonb
language plpgsql volatile
as $$
declare
    v_experiment public.ai_experiments := uplift.find_experiment(p_id);
begin
    -- Again it changes nothing.
    if v_experiment.status = p_to and v_experiment.status_reason is null
            -- One that was there before uplift came says that it runs, and does not.
            and (p_to <> 'running' or exists (select from uplift.running_experiments r where r.id = p_id)) then
        return uplift.experiment_json(v_experiment);
    elsif v_experiment.status <> all (p_from) then
        perform uplift.fail(409, 'wrong_status', case when v_experiment.status = 'completed' then 'the experiment is over, and stays so: clone it to try the same again'
            else format('the experiment is %s; it must be %s for this', v_experiment.status, array_to_string(p_from, ' or ')) end);
    end if;
    update public.ai_experiments e set status = p_to, status_reason = null where e.id = p_id returning e.* into v_experiment;
    perform uplift.note_experiment(p_id, p_event, p_who, p_reason);
    return uplift.experiment_json(v_experiment);
end
$$;

comment on function uplift.change_experiment_status(uuid, text[], text, text, text, text) is
    'Brings an experiment from one of some statuses to another one; one that has it stays as it is. UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_start_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.change_experiment_status(p_id, '{draft,paused,running}', 'running', 'started', p_who, null);
end
$$;

comment on function uplift_batch.admin_start_experiment(uuid, jsonb, text) is
    'Starts a draft, or goes on with one that is paused: from the next chats on. UP400 invalid_experiment with everything that is wrong, UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_pause_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{reason}');
    return uplift.change_experiment_status(p_id, '{running,paused}', 'paused', 'paused', p_who, uplift.text_argument(p_arguments, 'reason', 1000));
end
$$;

comment on function uplift_batch.admin_pause_experiment(uuid, jsonb, text) is
    'Lets an experiment rest: nobody is exposed meanwhile. reason. UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_stop_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{reason}');
    return uplift.change_experiment_status(p_id, '{running,paused}', 'completed', 'stopped', p_who, uplift.text_argument(p_arguments, 'reason', 1000));
end
$$;

comment on function uplift_batch.admin_stop_experiment(uuid, jsonb, text) is
    'Ends an experiment for good; feedback of feedback_days more is still counted. reason. UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_delete_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments := uplift.find_experiment(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    if v_experiment.start_date is not null then
        perform uplift.fail(409, 'wrong_status', 'this experiment has begun, and stays for what came of it');
    end if;
    delete from public.ai_experiments e where e.id = p_id;
    delete from uplift.experiment_events v where v.experiment_id = p_id;
    return jsonb_build_object('object', 'experiment', 'id', p_id, 'deleted', true);
end
$$;

comment on function uplift_batch.admin_delete_experiment(uuid, jsonb, text) is
    'Deletes an experiment that never began. UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_clone_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_before public.ai_experiments := uplift.find_experiment(p_id);
    v_name text := coalesce(uplift.text_argument(p_arguments, 'experiment_name', 200), left(v_before.experiment_name, 180) || ' (copy)');
    v_new public.ai_experiments;
begin
    perform uplift.check_arguments(p_arguments, '{experiment_name}');
    v_new.id := uplift.uuid_v7();
    perform uplift.check_experiment_name(v_new.id, v_name);
    -- A new salt: who was in a variant before is as likely in any of them.
    insert into public.ai_experiments (id, experiment_name, description, hypothesis, control_variant, test_variants, success_metric, status,
        guardrails, targeting, traffic_share, layer, alpha, min_users, tuning_users, feedback_days)
    values (v_new.id, v_name, v_before.description, v_before.hypothesis, v_before.control_variant, v_before.test_variants,
        v_before.success_metric, 'draft', v_before.guardrails, v_before.targeting, v_before.traffic_share, v_before.layer, v_before.alpha,
        v_before.min_users, v_before.tuning_users, v_before.feedback_days)
    returning * into v_new;
    perform uplift.note_experiment(v_new.id, 'created', p_who, 'a copy of ' || p_id);
    return uplift.experiment_json(v_new);
end
$$;

comment on function uplift_batch.admin_clone_experiment(uuid, jsonb, text) is
    'A draft like an experiment, with a salt of its own: experiment_name. UP404 experiment_not_found, UP409 experiment_exists.';

create or replace function uplift_batch.admin_preview_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments := uplift.find_experiment(p_id);
    v_user uuid := uplift.uuid_argument(p_arguments, 'user_id');
    v_coach text := uplift.text_argument(p_arguments, 'coach_id', 200);
    v_chosen public.user_coach_preferences;
    v_running uplift.running_experiments;
    v_place int;
    v_reason text;
begin
    perform uplift.check_arguments(p_arguments, '{user_id,coach_id}');
    if v_user is null then
        perform uplift.fail(400, 'missing_user_id', 'user_id is missing', 'user_id');
    end if;
    perform uplift.refuse_problems(uplift.experiment_problems(v_experiment));
    v_running := uplift.prepared_experiment(v_experiment);
    v_place := uplift.variant_of(v_running, v_user);
    select p.* into v_chosen from public.user_coach_preferences p where p.user_id = v_user;
    v_reason := case
        when v_experiment.status <> 'running' then format('the experiment is %s', v_experiment.status)
        when v_experiment.status_reason is not null then v_experiment.status_reason
        when uplift.bucket('uplift holdout', v_user) < uplift.setting_number('experiments.holdout_share', 0) then 'the user is in the holdout'
        when not coalesce(v_chosen.experiments_enabled, uplift.experiments_by_default()) then 'the user takes part in no experiments (experiments_enabled)'
        when v_place is null then 'the user is outside the share of users that takes part'
        when not uplift.is_targeted(v_running.targeting, v_running.started_at, v_user,
            coalesce(v_coach, v_chosen.active_coach_id, 'coach_decibel_avatar')) then 'the experiment is for others (targeting)'
        when uplift.has_own_choice(v_running.touches, v_coach, null, null, null, v_chosen.active_coach_id, v_chosen.severity,
            v_chosen.active_coach_mode, v_chosen.roast_consent, v_chosen.memory_enabled) then 'the user chose for themselves what it changes'
        end;
    return jsonb_build_object('object', 'experiment_preview', 'id', p_id, 'user_id', v_user,
        'is_exposed', v_reason is null, 'reason', v_reason,
        'variant', v_running.variants[v_place], 'changes', v_running.settings -> (v_place - 1),
        'share_bucket', uplift.bucket(v_running.share_salt, v_user), 'bucket', uplift.bucket(v_running.salt, v_user),
        'assigned', (select jsonb_build_object('variant', a.variant, 'assigned_at', a.assigned_at)
            from public.experiment_assignments a where a.experiment_id = p_id and a.user_id = v_user limit 1));
end
$$;

comment on function uplift_batch.admin_preview_experiment(uuid, jsonb, text) is
    'What a user (user_id; coach_id: with this coach) would get: {is_exposed, reason, variant, changes, share_bucket, bucket, assigned}. UP404 experiment_not_found, UP400 missing_user_id, invalid_user_id, invalid_experiment.';
