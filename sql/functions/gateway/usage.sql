-- Use by the hour: counted by job roll-up-usage, and for the hours that it has not got to yet when
-- they are asked about.

create or replace function uplift.latency_histogram(p_counts bigint[]) returns bigint[]
language sql immutable parallel safe
as $$
    -- p_counts has a place for each answer: the bucket it falls in.
    select array(select count(c) from generate_series(0, 11) as b left join unnest(p_counts) c on c = b group by b order by b)
$$;

comment on function uplift.latency_histogram(bigint[]) is 'Buckets of single answers, counted: twelve numbers.';

create or replace function uplift.latency_bucket(p_ms bigint) returns bigint
language sql immutable parallel safe
as $$ select width_bucket(p_ms, array[50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200])::bigint $$;

comment on function uplift.latency_bucket(bigint) is 'The bucket of a time in ms: 0 below 50, 1 below 100, ... 11 from 51200 on.';

create or replace function uplift.add_histograms(p_a bigint[], p_b bigint[]) returns bigint[]
language sql immutable parallel safe
as $$ select array(select coalesce(a, 0) + coalesce(b, 0) from unnest(p_a, p_b) as u(a, b)) $$;

comment on function uplift.add_histograms(bigint[], bigint[]) is 'The sum, place by place.';

do $$
begin
    if to_regprocedure('uplift.sum_histograms(bigint[])') is null then
        create aggregate uplift.sum_histograms(bigint[]) (
            sfunc = uplift.add_histograms, stype = bigint[], initcond = '{}', combinefunc = uplift.add_histograms,
            parallel = safe);
        comment on aggregate uplift.sum_histograms(bigint[]) is 'Histograms added up.';
    end if;
end
$$;

create or replace function uplift.histogram_percentile(p_counts bigint[], p_share numeric) returns int
-- In PL/pgSQL, which takes a tenth of the time that SQL does: a year by the day asks two thousand times.
language plpgsql immutable parallel safe
as $$
declare
    v_wanted float8 := 0;
    v_up_to float8 := 0;
    v_low float8;
    v_n bigint;
begin
    foreach v_n in array coalesce(p_counts, '{}') loop
        v_wanted := v_wanted + p_share * v_n;
    end loop;
    for v_at in 1 .. cardinality(p_counts) loop
        v_n := p_counts[v_at];
        v_up_to := v_up_to + v_n;
        -- Within a bucket the times are taken to be spread evenly; in the last one nothing is known
        -- beyond its lower bound.
        if v_n > 0 and v_up_to >= v_wanted then
            v_low := case v_at when 1 then 0 else 50 * 2 ^ (v_at - 2) end;
            return round(case when v_at = 12 then v_low else v_low + (50 * 2 ^ (v_at - 1) - v_low) * (v_wanted - (v_up_to - v_n)) / v_n end);
        end if;
    end loop;
    return null;
end
$$;

comment on function uplift.histogram_percentile(bigint[], numeric) is
    'A percentile in ms of a histogram as in uplift.usage_hourly, interpolated within its bucket; null for no answers.';

-- Answers by the hour. Since counting began ids are in the order of time, so that an hour is a part
-- of the primary key's index; before that the whole table has to be looked through.
create or replace function uplift.count_usage(p_from timestamptz, p_to timestamptz, p_by_id boolean)
returns setof uplift.usage_hourly
language sql stable
as $$
    select date_trunc('hour', a.created_at, 'UTC'), coalesce(a.coach_id, ''), coalesce(a.provider, ''), coalesce(a.model_used, ''),
        count(*), count(*) filter (where coalesce(a.outcome, 'complete') = 'complete'),
        count(*) filter (where a.outcome = 'partial'), count(*) filter (where a.outcome = 'cancelled'),
        count(*) filter (where a.outcome = 'failed'), count(*) filter (where a.from_cache), count(*) filter (where a.degraded),
        coalesce(sum(a.prompt_tokens), 0), coalesce(sum(a.cached_tokens), 0), coalesce(sum(a.completion_tokens), 0),
        coalesce(sum(a.cost_usd), 0), coalesce(sum(a.saved_usd), 0),
        count(*) filter (where a.usage_estimated and a.tokens_used > 0),
        count(*) filter (where a.cost_usd is null and a.tokens_used > 0),
        count(*) filter (where a.helpful), count(*) filter (where not a.helpful), count(a.rating), coalesce(sum(a.rating), 0),
        uplift.latency_histogram(array_agg(uplift.latency_bucket(a.response_time_ms))
            filter (where a.response_time_ms is not null)),
        uplift.latency_histogram(array_agg(uplift.latency_bucket(a.time_to_first_token_ms))
            filter (where a.time_to_first_token_ms is not null))
    from public.coach_response_feedback a
    where a.created_at >= p_from and a.created_at < p_to
        -- A minute more, because an id is made a moment after the time that is written down.
        and (not p_by_id or a.id >= uplift.first_id_of(p_from) and a.id < uplift.first_id_of(p_to + interval '1 minute'))
    group by 1, 2, 3, 4
$$;

comment on function uplift.count_usage(timestamptz, timestamptz, boolean) is
    'Counts the answers of a time, hour by hour. p_by_id: all of them have ids of version 7, in the order of time.';

create or replace function uplift.count_hour(p_hour timestamptz, p_began_at timestamptz, p_is_again boolean) returns boolean
-- By a plan of this very hour: one for any would read a whole index.
language plpgsql set plan_cache_mode = force_custom_plan
as $$
begin
    if p_is_again and p_hour < uplift.counted_again_from() then
        delete from uplift.usage_dirty d where d.hour = p_hour;
        return true;
    end if;
    delete from uplift.usage_hourly u where u.hour = p_hour;
    insert into uplift.usage_hourly
    select * from uplift.count_usage(p_hour, p_hour + interval '1 hour', p_hour >= p_began_at);
    delete from uplift.usage_dirty d where d.hour = p_hour;
    insert into uplift.usage_days_dirty as d (day, since)
    values ((p_hour at time zone 'UTC')::date, case when p_is_again then now() else '-infinity' end)
    on conflict (day) do update set since = least(d.since, excluded.since), of_users = false;
    return true;
exception when others then
    if not uplift.is_bad_row(sqlstate) then
        raise;
    end if;
    insert into uplift.usage_dirty as d (hour, failed_at, reason) values (p_hour, now(), left(sqlerrm, 500))
    on conflict (hour) do update set failed_at = excluded.failed_at, reason = excluded.reason;
    return false;
end
$$;

comment on function uplift.count_hour(timestamptz, timestamptz, boolean) is
    'Counts an hour, for the first time or p_is_again. False where that cannot be: the hour stays as it was, and is tried again later.';

create or replace function uplift.ids_in_order_since(p_hour timestamptz) returns timestamptz
language sql stable
as $$
    select case when exists (
            select from public.coach_response_feedback a
            where a.created_at >= d.day and not coalesce(a.id >= uplift.first_id_of(date_trunc('hour', a.created_at, 'UTC'))
                and a.id < uplift.first_id_of(date_trunc('hour', a.created_at, 'UTC') + interval '61 minutes'), false))
        then p_hour else d.day end
    from (select date_trunc('day', p_hour, 'UTC') as day) d
$$;

comment on function uplift.ids_in_order_since(timestamptz) is
    'The beginning of an hour''s day (UTC), when all answers since then have ids in the order of time; else the hour. Looks through the whole table.';

create or replace function uplift_batch.roll_up_usage(p_hours int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    -- An hour that cannot be counted holds up no other, and is left alone for as long.
    v_retry_before timestamptz := now() - interval '30 minutes';
    v_state uplift.usage_state;
    v_now timestamptz := date_trunc('hour', now(), 'UTC');
    v_hour timestamptz;
    v_done int := 0;
    v_failed int := 0;
    v_left bigint;
    v_days jsonb;
begin
    perform pg_advisory_xact_lock(hashtextextended('uplift.usage', 0));
    select s.* into v_state from uplift.usage_state s;
    if not found then
        -- All that is older than counting, in one go.
        insert into uplift.usage_state (began_at, rolled_until) values (uplift.ids_in_order_since(v_now), v_now) returning * into v_state;
        delete from uplift.usage_hourly;
        insert into uplift.usage_hourly select * from uplift.count_usage('-infinity', v_now, false);
        perform uplift.count_all_days();
        return jsonb_build_object('hours', (select count(distinct u.hour) from uplift.usage_hourly u),
            'days', (select count(distinct u.day) from uplift.usage_daily u), 'failed', 0, 'left', 0);
    end if;
    for v_hour in
        select d.hour from uplift.usage_dirty d
        where d.hour < v_state.rolled_until and coalesce(d.failed_at < v_retry_before, true)
        order by d.hour limit p_hours
    loop
        v_failed := v_failed + (not uplift.count_hour(v_hour, v_state.began_at, true))::int;
        v_done := v_done + 1;
    end loop;
    while v_state.rolled_until < v_now and v_done < p_hours loop
        v_failed := v_failed + (not uplift.count_hour(v_state.rolled_until, v_state.began_at, false))::int;
        v_state.rolled_until := v_state.rolled_until + interval '1 hour';
        v_done := v_done + 1;
    end loop;
    update uplift.usage_state s set rolled_until = v_state.rolled_until;
    v_left := (select count(*) from uplift.usage_dirty d
            where d.hour < v_state.rolled_until and coalesce(d.failed_at < v_retry_before, true))
        + extract(epoch from v_now - v_state.rolled_until)::bigint / 3600;
    -- In a transaction of its own, which holds no other day: an erasure takes several, in their order.
    if v_left > 0 or v_done > 0 then
        v_left := greatest(v_left, 1);
        return jsonb_build_object('hours', v_done - v_failed, 'days', 0, 'failed', v_failed, 'left', v_left);
    end if;
    -- Days when all their hours are counted, because each hour makes its day be counted again.
    v_days := uplift.count_next_day(v_state, v_retry_before);
    return jsonb_build_object('hours', v_done - v_failed, 'failed', v_failed + (v_days ->> 'failed')::int,
        'days', v_days -> 'days', 'left', v_days -> 'left');
end
$$;

comment on function uplift_batch.roll_up_usage(int) is
    'Counts up to so many hours that are over and not counted yet, or have changed since; then, when no hour is left, one day (uplift.count_next_day). Returns {hours, days: counted, failed, left}; the first time it counts all there is. An hour or day that cannot be counted stays in uplift.usage_dirty or usage_days_dirty with the reason, and is tried again half an hour later.';

-- --- what has changed since ---

create or replace function uplift.note_late(p_new uuid[]) returns void
language plpgsql
as $$
declare
    v_until timestamptz;
begin
    select s.rolled_until into v_until from uplift.usage_state s;
    -- Those that waited in a spool while their hour was counted.
    if v_until is null or not exists (select from unnest(p_new) n where n < uplift.first_id_of(v_until)) then
        return;
    end if;
    insert into uplift.usage_dirty (hour)
    select distinct date_trunc('hour', a.created_at, 'UTC')
    from unnest(p_new) as n(id)
    cross join lateral (select f.created_at from public.coach_response_feedback f where f.id = n.id limit 1) a
    where a.created_at < v_until
    order by 1
    on conflict do nothing;
end
$$;

comment on function uplift.note_late(uuid[]) is 'Answers were just recorded: those of an hour that is counted already make it to be counted again.';

create or replace function uplift.note_rated(p_created_at timestamptz) returns void
language plpgsql
as $$
begin
    insert into uplift.usage_dirty (hour)
    select date_trunc('hour', p_created_at, 'UTC') from uplift.usage_state s where p_created_at < s.rolled_until
    on conflict do nothing;
end
$$;

comment on function uplift.note_rated(timestamptz) is 'The feedback of an answer of that time changed: its hour is to be counted again.';

-- --- asking ---

create or replace function uplift.usage(p_from timestamptz, p_to timestamptz) returns setof uplift.usage_hourly
language plpgsql stable set plan_cache_mode = force_custom_plan
as $$
declare
    v_state uplift.usage_state;
begin
    return query select * from uplift.vision_usage(p_from, p_to);
    select s.* into v_state from uplift.usage_state s;
    if not found then
        return query select * from uplift.count_usage(p_from, p_to, false);
        return;
    end if;
    return query select u.* from uplift.usage_hourly u where u.hour >= p_from and u.hour < least(p_to, v_state.rolled_until);
    if p_to > v_state.rolled_until then
        return query select * from uplift.count_usage(greatest(p_from, v_state.rolled_until), p_to, true);
    end if;
end
$$;

comment on function uplift.usage(timestamptz, timestamptz) is
    'Use by hour, coach, provider and model from one full hour to another, with what the analysis of photos took; what is not counted yet is counted now.';

create or replace function uplift.percentiles_json(p_counts bigint[]) returns jsonb
language sql immutable parallel safe
as $$
    select jsonb_build_object('p50', uplift.histogram_percentile(p_counts, 0.5),
        'p95', uplift.histogram_percentile(p_counts, 0.95), 'p99', uplift.histogram_percentile(p_counts, 0.99))
$$;

comment on function uplift.percentiles_json(bigint[]) is 'The percentiles of a histogram that people look at.';

create or replace function uplift.usage_figures(p_rows uplift.usage_hourly[]) returns jsonb
language sql immutable
as $$
    select jsonb_build_object('requests', x.requests, 'complete', x.complete, 'partial', x.partial, 'cancelled', x.cancelled,
        'failed', x.failed, 'degraded', x.degraded, 'cache_hits', x.cache_hits,
        'cache_hit_rate', round(x.cache_hits::numeric / nullif(x.requests, 0), 4),
        'error_rate', round((x.failed + x.partial)::numeric / nullif(x.requests, 0), 4),
        'prompt_tokens', x.prompt_tokens, 'cached_tokens', x.cached_tokens, 'completion_tokens', x.completion_tokens,
        'cost_usd', round(x.cost, 8), 'saved_usd', round(x.saved, 8), 'estimated', x.estimated, 'unpriced', x.unpriced,
        'thumbs_up', x.up, 'thumbs_down', x.down, 'thumbs_up_rate', round(x.up::numeric / nullif(x.up + x.down, 0), 4),
        'ratings', x.ratings, 'average_rating', round(x.rating_sum::numeric / nullif(x.ratings, 0), 3),
        'response_ms', uplift.percentiles_json(x.response), 'first_token_ms', uplift.percentiles_json(x.first_token))
    from (
        select coalesce(sum(u.requests), 0) as requests, coalesce(sum(u.complete), 0) as complete,
            coalesce(sum(u.partial), 0) as partial, coalesce(sum(u.cancelled), 0) as cancelled,
            coalesce(sum(u.failed), 0) as failed, coalesce(sum(u.degraded), 0) as degraded,
            coalesce(sum(u.cache_hits), 0) as cache_hits, coalesce(sum(u.prompt_tokens), 0) as prompt_tokens,
            coalesce(sum(u.cached_tokens), 0) as cached_tokens, coalesce(sum(u.completion_tokens), 0) as completion_tokens,
            coalesce(sum(u.cost_usd), 0) as cost, coalesce(sum(u.saved_usd), 0) as saved,
            coalesce(sum(u.estimated), 0) as estimated, coalesce(sum(u.unpriced), 0) as unpriced,
            coalesce(sum(u.thumbs_up), 0) as up, coalesce(sum(u.thumbs_down), 0) as down,
            coalesce(sum(u.ratings), 0) as ratings, coalesce(sum(u.rating_sum), 0) as rating_sum,
            uplift.sum_histograms(u.response_ms) as response, uplift.sum_histograms(u.first_token_ms) as first_token
        from unnest(p_rows) u) x
$$;

comment on function uplift.usage_figures(uplift.usage_hourly[]) is 'The figures of a part of the use, added up; rates of nothing are null.';

create or replace function uplift.usage_group(p_row uplift.usage_hourly, p_by text) returns text
language sql immutable
as $$
    select case p_by when 'coach' then nullif(p_row.coach_id, '') when 'provider' then nullif(p_row.provider, '')
        when 'model' then nullif(p_row.model, '') end
$$;

comment on function uplift.usage_group(uplift.usage_hourly, text) is 'What a row of the use falls under: its coach, provider or model; null without one.';

-- The time that is asked about, in full hours: the last day unless it says.
create or replace function uplift.usage_range(p_arguments jsonb, p_step text, out p_from timestamptz, out p_to timestamptz)
language plpgsql stable
as $$
declare
    -- In hours, because how long a day is depends on the session's time zone.
    v_step interval := case p_step when 'day' then interval '24 hours' else interval '1 hour' end;
begin
    p_to := coalesce(uplift.time_argument(p_arguments, 'to'), date_trunc('hour', now(), 'UTC') + interval '1 hour');
    p_from := coalesce(uplift.time_argument(p_arguments, 'from'), p_to - 24 * v_step);
    p_from := date_trunc('hour', p_from, 'UTC');
    p_to := date_trunc('hour', p_to + interval '1 hour' - interval '1 microsecond', 'UTC');
    if p_to <= p_from or p_to - p_from > 1000 * v_step then
        perform uplift.fail(400, 'invalid_from', format('from must be before to, by at most 1000 steps of a %s', p_step), 'from');
    end if;
end
$$;

comment on function uplift.usage_range(jsonb, text) is 'The hours from "from" to "to"; by default 24 steps (hour, day) up to now. UP400 invalid_from, invalid_to.';

create or replace function uplift_batch.admin_stats(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_step text := coalesce(p_arguments ->> 'step', 'hour');
    v_by text := p_arguments ->> 'group_by';
    v_from timestamptz;
    v_to timestamptz;
begin
    perform uplift.check_arguments(p_arguments, '{from,to,step,group_by,coach_id,provider,model}');
    if v_step not in ('hour', 'day') then
        perform uplift.fail(400, 'invalid_step', 'step must be hour or day', 'step');
    elsif v_by not in ('coach', 'provider', 'model') then
        perform uplift.fail(400, 'invalid_group_by', 'group_by must be coach, provider or model', 'group_by');
    end if;
    select r.p_from, r.p_to into v_from, v_to from uplift.usage_range(p_arguments, v_step) r;
    return (
        with rows as materialized (
            select u, date_trunc(v_step, u.hour, 'UTC') as at, uplift.usage_group(u, v_by) as part
            from uplift.usage(v_from, v_to) u
            where (not p_arguments ? 'coach_id' or u.coach_id = p_arguments ->> 'coach_id')
                and (not p_arguments ? 'provider' or u.provider = p_arguments ->> 'provider')
                and (not p_arguments ? 'model' or u.model = p_arguments ->> 'model')
        ), points as (
            -- Steps in which nothing happened are there, too: a curve with gaps would lie.
            select g.at, x.part, uplift.usage_figures(x.members) as figures
            from generate_series(date_trunc(v_step, v_from at time zone 'UTC'), v_to at time zone 'UTC' - interval '1 microsecond',
                ('1 ' || v_step)::interval) as s(utc)
            cross join lateral (select s.utc at time zone 'UTC' as at) g
            left join (select r.at, r.part, array_agg(r.u) as members from rows r group by r.at, r.part) x on x.at = g.at
        )
        select jsonb_build_object('object', 'list', 'has_more', false, 'from', v_from, 'to', v_to, 'step', v_step,
            'data', coalesce(jsonb_agg(jsonb_build_object('at', p.at)
                || case when v_by is null then '{}' else jsonb_build_object(v_by, p.part) end
                || coalesce(p.figures, uplift.usage_figures('{}')) order by p.at, p.part), '[]'),
            'total', (select uplift.usage_figures(array_agg(r.u)) from rows r), 'context', uplift.context_figures())
        from points p);
end
$$;

comment on function uplift_batch.admin_stats(uuid, jsonb, text) is
    'Use as a time series: from, to, step (hour, day), group_by (coach, provider, model), coach_id, provider, model; and, whatever the time, what context does to ratings (uplift.context_figures). UP400 invalid_from, invalid_to, invalid_step, invalid_group_by.';

create or replace function uplift_batch.admin_costs(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_from timestamptz;
    v_to timestamptz;
begin
    perform uplift.check_arguments(p_arguments, '{from,to}');
    select r.p_from, r.p_to into v_from, v_to
    from uplift.usage_range(case when p_arguments ? 'from' then p_arguments else p_arguments || jsonb_build_object('from',
        to_char(date_trunc('month', coalesce(uplift.time_argument(p_arguments, 'to'), now()) at time zone 'UTC'), 'YYYY-MM-DD')) end,
        'day') r;
    return (
        with rows as materialized (select u from uplift.usage(v_from, v_to) u)
        select jsonb_build_object('object', 'costs', 'from', v_from, 'to', v_to,
            'total', (select uplift.usage_figures(array_agg(r.u)) from rows r),
            'by_day', (select coalesce(jsonb_agg(jsonb_build_object('day', x.day) || uplift.usage_figures(x.members) order by x.day), '[]')
                from (select ((r.u).hour at time zone 'UTC')::date as day, array_agg(r.u) as members from rows r group by 1) x),
            'by_coach', uplift.costs_by('coach', (select array_agg(r.u) from rows r)),
            'by_model', uplift.costs_by('model', (select array_agg(r.u) from rows r)),
            'by_provider', uplift.costs_by('provider', (select array_agg(r.u) from rows r)),
            'unpriced_models', (select coalesce(jsonb_agg(jsonb_build_object('model', x.model, 'provider', nullif(x.provider, ''),
                    'answers', x.answers, 'has_price_now', (uplift.price_of(x.model, x.provider, now())).model is not null)
                    order by x.answers desc, x.model, x.provider), '[]')
                from (select (r.u).model, (r.u).provider, sum((r.u).unpriced) as answers
                    from rows r where (r.u).unpriced > 0 group by 1, 2 order by 3 desc, 1, 2 limit 100) x),
            'budgets', (select coalesce(jsonb_agg(uplift.budget_json(b) order by b.scope, b.key, b.period), '[]') from uplift.budgets b)));
end
$$;

comment on function uplift_batch.admin_costs(uuid, jsonb, text) is
    'What was spent and saved, by day, coach, model and provider, the models whose price was not known, and the budgets: from, to; by default this month. UP400 invalid_from, invalid_to.';

create or replace function uplift.costs_by(p_by text, p_rows uplift.usage_hourly[]) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(jsonb_build_object(p_by, x.part) || x.figures order by (x.figures ->> 'cost_usd')::numeric desc, x.part), '[]')
    from (
        select uplift.usage_group(u, p_by) as part, uplift.usage_figures(array_agg(u)) as figures
        from unnest(p_rows) u group by 1) x
$$;

comment on function uplift.costs_by(text, uplift.usage_hourly[]) is 'The figures by coach, model or provider, the dearest first.';

-- Deployments have a function of this name that is not ours, whatever it takes; theirs stays, and alone, for
-- a call could mean either.
do $install$
begin
    if exists (select from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname = 'get_daily_cost_report'
            and obj_description(p.oid, 'pg_proc') is distinct from
                'uplift: what a day (UTC; today unless it says) cost in US dollars, by coach, model and provider, the dearest first. estimated: answers whose tokens are estimated; unpriced: answers whose model has no price, not counted in cost_usd.') then
        return;
    end if;
    create or replace function public.get_daily_cost_report(p_date date default null)
    returns table (coach_id text, model text, provider text, requests bigint, failed bigint, cache_hits bigint,
        prompt_tokens bigint, cached_tokens bigint, completion_tokens bigint, estimated bigint, unpriced bigint,
        cost_usd numeric, saved_usd numeric)
    language sql stable security definer set search_path = pg_catalog, pg_temp
    as $$
        select nullif(u.coach_id, ''), nullif(u.model, ''), nullif(u.provider, ''), sum(u.requests)::bigint,
            sum(u.failed)::bigint, sum(u.cache_hits)::bigint, sum(u.prompt_tokens)::bigint, sum(u.cached_tokens)::bigint,
            sum(u.completion_tokens)::bigint, sum(u.estimated)::bigint, sum(u.unpriced)::bigint,
            round(sum(u.cost_usd), 8), round(sum(u.saved_usd), 8)
        from (select coalesce(p_date, (now() at time zone 'UTC')::date)::timestamp as day) d
        cross join lateral uplift.usage(d.day at time zone 'UTC', (d.day + interval '1 day') at time zone 'UTC') u
        group by u.coach_id, u.model, u.provider
        order by sum(u.cost_usd) desc, u.coach_id, u.model, u.provider
    $$;
    comment on function public.get_daily_cost_report(date) is
        'uplift: what a day (UTC; today unless it says) cost in US dollars, by coach, model and provider, the dearest first. estimated: answers whose tokens are estimated; unpriced: answers whose model has no price, not counted in cost_usd.';
    revoke execute on function public.get_daily_cost_report(date) from public, anon, authenticated;
end
$install$;
