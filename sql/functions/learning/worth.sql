-- What the loop is worth: what tuned models cost and would have cost, whether training paid, quality by the month.

-- Tokens are those that were counted: another model would make a few more or less of the same text.
create or replace function uplift.tuned_days(p_from date, p_to date, p_coach_id text, p_against text)
returns table (version_id uuid, day date, requests bigint, cost_usd numeric, against_usd numeric)
language sql stable
as $$
    with served as materialized (
        select v.id, coalesce(p_against, v.base_model) as against, d.day, d.provider, sum(d.requests)::bigint as requests, sum(d.cost_usd) as cost_usd,
            sum(d.prompt_tokens) as prompt, sum(d.cached_tokens) as cached, sum(d.completion_tokens) as completion, sum(d.unpriced) as unpriced
        from public.ai_model_versions v join uplift.usage_daily d on d.model = v.model_id
        where v.finetuning_job_id is not null and d.day >= p_from and d.day < p_to and (p_coach_id is null or d.coach_id = p_coach_id)
        group by 1, 2, 3, 4
    ), prices as materialized (
        -- Once for a month: prices are looked for by many names.
        select x.against, x.provider, x.month, uplift.price_of(x.against, x.provider, (x.month::date + 14)::timestamp at time zone 'UTC') as price
        from (select distinct s.against, s.provider, date_trunc('month', s.day::timestamp) as month from served s where s.against is not null) x
    )
    select s.id, s.day, sum(s.requests)::bigint, case when sum(s.unpriced) = 0 then sum(s.cost_usd) end,
        case when count(*) = count((p.price).model) then sum(uplift.cost_at(p.price, s.prompt, s.cached, s.completion)) end
    from served s left join prices p on p.against = s.against and p.provider = s.provider and p.month = date_trunc('month', s.day::timestamp)
    group by 1, 2
$$;

comment on function uplift.tuned_days(date, date, text, text) is
    'What each fine-tuned model version answered and cost, day by day, and what another model (each one''s own base model where none is named) would have cost for the same tokens; null where a price is not known.';

create or replace function uplift.payback(p_training_usd numeric, p_days date[], p_saved numeric[], p_serves boolean) returns jsonb
language plpgsql immutable
as $$
declare
    v_saved numeric := 0;
    v_pace numeric;
    v_day date;
begin
    for v_at in 1 .. coalesce(cardinality(p_days), 0) loop
        v_saved := v_saved + p_saved[v_at];
        if v_day is null and v_saved >= p_training_usd then
            v_day := p_days[v_at];
        end if;
    end loop;
    if coalesce(cardinality(p_days), 0) = 0 or p_training_usd is null or v_saved is null then
        return jsonb_build_object('state', case when coalesce(cardinality(p_days), 0) = 0 then 'not_used' else 'unknown' end, 'day', null, 'days_left', null);
    end if;
    v_pace := (select avg(s) from unnest(p_saved[greatest(cardinality(p_saved) - 27, 1):]) s);
    return jsonb_build_object(
        'state', case when v_saved >= p_training_usd then 'paid_back' when v_pace <= 0 then 'costs_more' when not p_serves then 'stopped' else 'paying_back' end,
        'day', case when v_saved >= p_training_usd then v_day end,
        'days_left', case when v_saved < p_training_usd and v_pace > 0 and p_serves then ceil((p_training_usd - v_saved) / v_pace) end);
end
$$;

comment on function uplift.payback(numeric, date[], numeric[], boolean) is
    'Whether what was saved day by day has paid what training cost: not_used, unknown (a price or the cost is), paid_back (since day), paying_back (days_left at the pace of its last 28 days), stopped (does not serve any more), costs_more (saves nothing).';

create or replace function uplift.worth_runs(p_coach_id text, p_against text) returns jsonb
language sql stable
as $$
    with days as materialized (
        select t.*, t.against_usd - t.cost_usd as saved from uplift.tuned_days('-infinity', 'infinity', p_coach_id, p_against) t
    )
    select coalesce(jsonb_agg(jsonb_build_object('finetuning_job_id', r.job_id, 'job_name', r.job_name, 'status', r.status,
            'completed_at', r.completed_at, 'base_model', r.base_model, 'against', coalesce(p_against, r.base_model),
            'model_version_id', r.version_id, 'model_id', r.model_id, 'serves', r.serves,
            'training_usd', r.training_usd, 'is_estimated', r.is_estimated, 'answers', coalesce(s.answers, 0),
            'first_day', s.first_day, 'last_day', s.last_day, 'cost_usd', round(s.cost_usd, 8), 'against_usd', round(s.against_usd, 8),
            'saved_usd', round(s.against_usd - s.cost_usd, 8), 'thumbs_up_rate', f.figures -> 'thumbs_up_rate', 'thumbs', f.figures -> 'thumbs',
            'thumbs_up_low', f.figures -> 'thumbs_up_low', 'thumbs_up_high', f.figures -> 'thumbs_up_high',
            'payback', uplift.payback(r.training_usd, s.days, s.saved, r.serves)) order by r.job_id desc), '[]')
    from (
        select j.id as job_id, j.job_name, j.status, j.completed_at, coalesce(v.base_model, j.base_model) as base_model, v.id as version_id, v.model_id,
            uplift.training_cost(j) as training_usd, j.actual_cost is null as is_estimated,
            exists (select from uplift.model_deployments d where d.model_version_id = v.id and d.environment = 'production' and d.ended_at is null) as serves
        from public.ai_finetuning_jobs j left join public.ai_model_versions v on v.finetuning_job_id = j.id
        order by j.id desc limit 100) r
    left join lateral (
        select sum(d.requests) as answers, min(d.day) as first_day, max(d.day) as last_day,
            case when count(*) = count(d.saved) then sum(d.cost_usd) end as cost_usd, case when count(*) = count(d.saved) then sum(d.against_usd) end as against_usd,
            array_agg(d.day order by d.day) as days, array_agg(d.saved order by d.day) as saved
        from days d where d.version_id = r.version_id) s on true
    left join lateral uplift.day_figures(s.first_day, s.last_day + 1, jsonb_strip_nulls(jsonb_build_object('model', r.model_id, 'coach', p_coach_id)), '') f
        on s.first_day is not null
$$;

comment on function uplift.worth_runs(text, text) is
    'The last hundred fine-tuning runs, the newest first: what training cost, what their model answered, cost and saved against another model (its base model), its thumbs, and whether it paid.';

create or replace function uplift.worth_events(p_from timestamptz, p_to timestamptz, p_coach_id text) returns jsonb
language sql stable
as $$
    with events as (
        select d.began_at as at, 'promoted' as kind, v.model_name || ' ' || v.version as label, d.coach_id, v.id as version_id, null::uuid as rollout_id, null as reason
        from uplift.model_deployments d join public.ai_model_versions v on v.id = d.model_version_id where d.environment = 'production'
        union all
        select d.ended_at, 'rolled_back', v.model_name || ' ' || v.version, d.coach_id, v.id, null, substr(d.reason, 14)
        from uplift.model_deployments d join public.ai_model_versions v on v.id = d.model_version_id
        where d.environment = 'production' and d.reason like 'rolled back: %'
        union all
        select s.at, s.step, r.name, r.coach_id, null, r.id, s.reason
        from uplift.rollout_steps s join uplift.rollouts r on r.id = s.rollout_id where s.step in ('promoted', 'rolled_back')
    )
    select coalesce(jsonb_agg(jsonb_build_object('at', e.at, 'kind', e.kind, 'label', e.label, 'coach_id', e.coach_id,
        'model_version_id', e.version_id, 'rollout_id', e.rollout_id, 'reason', e.reason) order by e.at, e.kind), '[]')
    from (
        select x.* from events x
        where x.at >= p_from and x.at < p_to and (p_coach_id is null or coalesce(x.coach_id, p_coach_id) = p_coach_id)
        order by x.at desc limit 200) e
$$;

comment on function uplift.worth_events(timestamptz, timestamptz, text) is
    'The last 200 times that a model version began to serve in production or was rolled back, and that a rollout was promoted or rolled back.';

create or replace function uplift.month_number(p_day date) returns int
language sql immutable parallel safe
as $$ select (extract(year from p_day) * 12 + extract(month from p_day) - 1)::int $$;

comment on function uplift.month_number(date) is 'Months since the year 0: those that follow each other differ by one.';

create or replace function uplift.first_of_month(p_number int) returns date
language sql immutable parallel safe
as $$ select make_date(p_number / 12, p_number % 12 + 1, 1) $$;

comment on function uplift.first_of_month(int) is 'The first day of a month by its number (uplift.month_number).';

create or replace function uplift_batch.admin_worth(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
declare
    v_coach text := uplift.text_argument(p_arguments, 'coach_id', 200);
    v_against text := uplift.model_argument(p_arguments, 'against');
    v_filters jsonb := case when v_coach is null then '{}' else jsonb_build_object('coach', v_coach) end;
    -- Months by their number, because how long one is depends on where it stands.
    v_this int := uplift.month_number((now() at time zone 'UTC')::date);
    v_first int;
    v_since date;
begin
    perform uplift.check_arguments(p_arguments, '{coach_id,against}');
    -- A year, or as far back as there are answers.
    v_first := greatest(v_this - 11, coalesce(uplift.month_number((select min(d.day) from uplift.usage_daily d)), v_this));
    v_since := uplift.first_of_month(v_first);
    return (
        with months as materialized (
            select m as number, uplift.first_of_month(m) as month from generate_series(v_first, v_this) m
        ), tuned as (
            select uplift.month_number(t.day) as number, sum(t.requests) as requests,
                case when count(*) = count(t.cost_usd) then sum(t.cost_usd) end as cost_usd,
                case when count(*) = count(t.against_usd) then sum(t.against_usd) end as against_usd
            from uplift.tuned_days(v_since, 'infinity', v_coach, v_against) t group by 1
        ), training as (
            select uplift.month_number((coalesce(j.completed_at, j.created_at) at time zone 'UTC')::date) as number,
                sum(uplift.training_cost(j)) as usd
            from public.ai_finetuning_jobs j where coalesce(j.completed_at, j.created_at) >= v_since::timestamp at time zone 'UTC' group by 1
        )
        select jsonb_build_object('object', 'worth', 'against', v_against, 'counted_at', (select s.days_counted_at from uplift.usage_state s),
            'months', coalesce(jsonb_agg(jsonb_build_object('month', m.month) || coalesce(f.figures, uplift.no_figures())
                || jsonb_build_object('tuned_requests', coalesce(t.requests, 0), 'tuned_cost_usd', round(t.cost_usd, 8), 'against_usd', round(t.against_usd, 8),
                    'training_usd', case when v_coach is null then coalesce(n.usd, 0) end) order by m.month), '[]'),
            'runs', uplift.worth_runs(v_coach, v_against),
            'events', uplift.worth_events(v_since::timestamp at time zone 'UTC', 'infinity', v_coach))
        from months m
        left join uplift.day_figures(v_since, uplift.first_of_month(v_this + 1), v_filters, 'month') f on f.day = m.month
        left join tuned t on t.number = m.number left join training n on n.number = m.number);
end
$$;

comment on function uplift_batch.admin_worth(uuid, jsonb, text) is
    'What the loop is worth, over the last twelve months: quality and spending by the month, spending on tuned models and what another would have cost for the same (against; else each one''s base model), each fine-tuning run with its payback, promotions and rollbacks: coach_id, against. UP400 invalid_against.';
