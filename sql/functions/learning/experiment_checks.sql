-- What an experiment may say, and what keeps it from running beside others. What becomes of it is in
-- experiments.sql.

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
            when v.key in ('prompt_suffix', 'guidelines', 'personality') then
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
            else 'is not known; a variant may have variant_name, description, weight, severity, mode, coach_id, prompt_suffix, guidelines, personality, '
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
    'What is wrong with a variant, {variant_name, description?, weight?, severity?, mode?, coach_id?, prompt_suffix?, guidelines?, personality?, model? or model_version_id?, temperature?, top_p?, max_tokens?, presence_penalty?, frequency_penalty?, memory?, knowledge?, examples?}: a list of uplift.problem(), empty for none.';

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
    v_running.share_salt := coalesce('layer ' || p_experiment.layer, p_experiment.share_salt, v_salt || ' share');
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

create or replace function uplift.experiment_clashes(p_experiment public.ai_experiments,
    p_way_out text default 'stop that one, or give both the same layer or other coaches') returns jsonb[]
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
        if p_experiment.layer is not null and v_running.share_salt = v_other.share_salt then
            if p_experiment.layer_from is not null and v_running.share_from < v_other.share_to and v_other.share_from < v_running.share_to then
                v_problems := v_problems || uplift.problem('layer_from', format('overlaps with "%s", which has %s to %s of layer "%s"',
                    left(v_other.name, 100), v_other.share_from, v_other.share_to, p_experiment.layer));
            end if;
        elsif v_running.touches && v_other.touches and not uplift.are_of_other_coaches(v_running.targeting, v_other.targeting) then
            v_problems := v_problems || uplift.problem('test_variants', format('would change %s, as "%s" does, which is running: %s',
                (select string_agg(t, ', ') from unnest(v_running.touches) t where t = any (v_other.touches)), left(v_other.name, 100),
                case when exists (select from uplift.rollouts r where r.experiment_id = v_other.id) then 'promote that rollout or roll it back first'
                    else p_way_out end));
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

comment on function uplift.experiment_clashes(public.ai_experiments, text) is
    'What keeps an experiment without problems from running beside those that run now: a list of uplift.problem(), empty for nothing. p_way_out: what to do about another experiment that changes the same.';

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
