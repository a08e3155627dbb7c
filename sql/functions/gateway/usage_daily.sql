-- Use by the day, for the dashboard: counted by job roll-up-usage, and never when it is asked about.

create or replace function uplift.sketch_place(p_key uuid, p_user_id uuid) returns int
language plpgsql immutable parallel safe
as $$
declare
    v_bits bigint := ('x' || left(md5(p_key::text || p_user_id::text), 15))::bit(60)::bigint;
    -- Eleven bits say which of its level's 2048; the level is how many zeros the others end in.
    v_rest bigint := v_bits >> 11;
begin
    return case when v_rest = 0 then 15 else least(15, round(ln((v_rest & -v_rest)::float8) / ln(2::float8))::int) end * 2048 + (v_bits & 2047)::int;
end
$$;

comment on function uplift.sketch_place(uuid, uuid) is 'The bit of a user in sketches of uplift.usage_daily_users.';

create or replace function uplift.users_of(p_sketch bit) returns bigint
language plpgsql immutable parallel safe
as $$
declare
    v_ones int;
    v_sum float8 := 0;
    v_level int := 16;
begin
    -- From the level of the fewest users down to where bits are too full to tell how many share one.
    while v_level > 0 loop
        v_ones := bit_count(substring(p_sketch from (v_level - 1) * 2048 + 1 for 2048));
        exit when v_ones > 1900 and v_level < 16;
        v_level := v_level - 1;
        v_sum := v_sum - 2048 * ln(1 - least(v_ones, 2047) / 2048.0::float8);
    end loop;
    return round(v_sum * 2 ^ v_level);
end
$$;

comment on function uplift.users_of(bit) is
    'About how many users a sketch has: exact for some ten, within 3 % (two in three times) for any number.';

create or replace function uplift.sketch_of(p_places int[]) returns bit
language plpgsql immutable parallel safe
as $$
declare
    v_sketch bit varying := 0::bit(32768);
    v_place int;
begin
    foreach v_place in array p_places loop
        v_sketch := set_bit(v_sketch, v_place, 1);
    end loop;
    return v_sketch;
end
$$;

comment on function uplift.sketch_of(int[]) is 'A sketch with these bits.';

create or replace function uplift.answers_of_days(p_from date, p_to date, p_by_id boolean)
returns table (day date, coach_id text, provider text, model text, mode text, severity smallint, answer public.coach_response_feedback)
language sql stable
as $$
    select (a.created_at at time zone 'UTC')::date, coalesce(a.coach_id, ''), coalesce(a.provider, ''), coalesce(a.model_used, ''),
        coalesce(a.mode, ''), coalesce(floor(a.severity), 0)::smallint, a
    from public.coach_response_feedback a
    where a.created_at >= p_from::timestamp at time zone 'UTC' and a.created_at < p_to::timestamp at time zone 'UTC'
        -- A minute more, because an id is made a moment after the time that is written down.
        and (not p_by_id or a.id >= uplift.first_id_of(p_from::timestamp at time zone 'UTC')
            and a.id < uplift.first_id_of(p_to::timestamp at time zone 'UTC' + interval '1 minute'))
$$;

comment on function uplift.answers_of_days(date, date, boolean) is
    'The answers from one day to before another, with what they are counted by. p_by_id: all of them have ids of version 7, in the order of time.';

-- By plans of these very days: one for any would read a whole index. Thumbs and stars are few of all answers, so only what is rated is looked at user by user.
create or replace function uplift.count_figures_of_days(p_from date, p_to date, p_by_id boolean) returns void
language plpgsql volatile set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
    delete from uplift.usage_daily d where d.day >= p_from and d.day < p_to;
    insert into uplift.usage_daily
    with rated as (
        select r.day, r.coach_id, r.provider, r.model, r.mode, r.severity,
            array[count(*) filter (where r.n > 0), sum(r.n * r.n), sum(r.up * r.up), sum(r.n * r.up)]::bigint[] as thumb_sums,
            array[count(*) filter (where r.m > 0), sum(r.m * r.m), sum(r.stars * r.stars), sum(r.m * r.stars)]::bigint[] as rating_sums
        from (
            select x.day, x.coach_id, x.provider, x.model, x.mode, x.severity, count((x.answer).helpful) as n,
                count(*) filter (where (x.answer).helpful) as up, count((x.answer).rating) as m, coalesce(sum((x.answer).rating), 0) as stars
            from uplift.answers_of_days(p_from, p_to, p_by_id) x
            where (x.answer).helpful is not null or (x.answer).rating is not null
            group by 1, 2, 3, 4, 5, 6, (x.answer).user_id) r
        group by 1, 2, 3, 4, 5, 6
    ), counted as (
        select x.day, x.coach_id, x.provider, x.model, x.mode, x.severity,
            count(*) as requests, count(*) filter (where coalesce((x.answer).outcome, 'complete') = 'complete') as complete,
            count(*) filter (where (x.answer).outcome = 'partial') as partial,
            count(*) filter (where (x.answer).outcome = 'cancelled') as cancelled,
            count(*) filter (where (x.answer).outcome = 'failed') as failed,
            count(*) filter (where (x.answer).from_cache) as cache_hits, count(*) filter (where (x.answer).degraded) as degraded,
            coalesce(sum((x.answer).prompt_tokens), 0) as prompt_tokens, coalesce(sum((x.answer).cached_tokens), 0) as cached_tokens,
            coalesce(sum((x.answer).completion_tokens), 0) as completion_tokens,
            coalesce(sum((x.answer).cost_usd), 0) as cost_usd, coalesce(sum((x.answer).saved_usd), 0) as saved_usd,
            count(*) filter (where (x.answer).usage_estimated and (x.answer).tokens_used > 0) as estimated,
            count(*) filter (where (x.answer).cost_usd is null and (x.answer).tokens_used > 0) as unpriced,
            count(*) filter (where (x.answer).helpful) as thumbs_up, count(*) filter (where not (x.answer).helpful) as thumbs_down,
            count((x.answer).rating) as ratings, coalesce(sum((x.answer).rating), 0) as rating_sum,
            uplift.latency_histogram(array_agg(uplift.latency_bucket((x.answer).response_time_ms))
                filter (where (x.answer).response_time_ms is not null)) as response_ms,
            uplift.latency_histogram(array_agg(uplift.latency_bucket((x.answer).time_to_first_token_ms))
                filter (where (x.answer).time_to_first_token_ms is not null)) as first_token_ms
        from uplift.answers_of_days(p_from, p_to, p_by_id) x
        group by 1, 2, 3, 4, 5, 6
    )
    select c.day, c.coach_id, c.provider, c.model, c.mode, c.severity, c.requests, c.complete, c.partial, c.cancelled, c.failed,
        c.cache_hits, c.degraded, c.prompt_tokens, c.cached_tokens, c.completion_tokens, c.cost_usd, c.saved_usd, c.estimated, c.unpriced,
        c.thumbs_up, c.thumbs_down, c.ratings, c.rating_sum,
        coalesce(r.thumb_sums, '{0,0,0,0}'), coalesce(r.rating_sums, '{0,0,0,0}'), c.response_ms, c.first_token_ms
    from counted c left join rated r using (day, coach_id, provider, model, mode, severity);
end
$$;

comment on function uplift.count_figures_of_days(date, date, boolean) is 'Fills uplift.usage_daily anew, for uplift.count_days().';

create or replace function uplift.count_users_of_days(p_from date, p_to date, p_by_id boolean) returns void
language plpgsql volatile set plan_cache_mode = force_custom_plan set jit = off
as $$
begin
    delete from uplift.usage_daily_users d where d.day >= p_from and d.day < p_to;
    insert into uplift.usage_daily_users
    with who as (
        select distinct x.day, x.coach_id, x.provider, x.model, x.mode, x.severity, (x.answer).user_id
        from uplift.answers_of_days(p_from, p_to, p_by_id) x
    ), places as materialized (
        select u.user_id, uplift.sketch_place(s.users_key, u.user_id) as place
        from (select distinct w.user_id from who w) u cross join uplift.usage_state s
    ), parts as (
        select distinct w.day, p.by, p.part, w.user_id
        from who w
        cross join lateral (values ('', ''), ('coach', w.coach_id), ('provider', w.provider), ('model', w.model), ('mode', w.mode),
            ('severity', w.severity::text)) as p(by, part)
    )
    select p.day, p.by, p.part, count(*), uplift.sketch_of(array_agg(distinct l.place))
    from parts p join places l using (user_id)
    group by 1, 2, 3;
end
$$;

comment on function uplift.count_users_of_days(date, date, boolean) is 'Fills uplift.usage_daily_users anew, for uplift.count_days().';

create or replace function uplift.count_days(p_from date, p_to date, p_by_id boolean) returns void
language sql volatile
as $$
    select uplift.count_figures_of_days(p_from, p_to, p_by_id);
    select uplift.count_users_of_days(p_from, p_to, p_by_id);
$$;

comment on function uplift.count_days(date, date, boolean) is 'Counts days anew, from one to before another. p_by_id as in uplift.answers_of_days.';

create or replace function uplift.count_day(p_day date, p_began_at timestamptz) returns boolean
language plpgsql
as $$
declare
    v_begins timestamptz := p_day::timestamp at time zone 'UTC';
    v_dirty uplift.usage_days_dirty;
begin
    delete from uplift.usage_days_dirty d where d.day = p_day returning d.* into v_dirty;
    if v_dirty.since > '-infinity' and v_begins < uplift.counted_again_from() then
        return true;
    elsif v_dirty.of_users and p_day < (now() at time zone 'UTC')::date then
        perform uplift.count_users_of_days(p_day, p_day + 1, v_begins >= p_began_at);
    else
        perform uplift.count_days(p_day, p_day + 1, v_begins >= p_began_at);
    end if;
    return true;
exception when others then
    if not uplift.is_bad_row(sqlstate) then
        raise;
    end if;
    insert into uplift.usage_days_dirty as d (day, failed_at, reason) values (p_day, now(), left(sqlerrm, 500))
    on conflict (day) do update set failed_at = excluded.failed_at, reason = excluded.reason;
    return false;
end
$$;

comment on function uplift.count_day(date, timestamptz) is
    'Counts a day, or of one that is over only its users where no more is to be done (uplift.usage_days_dirty); one of which retention has deleted answers stays as it was. False where that cannot be: the day stays as it was, and is tried again later.';

create or replace function uplift.count_all_days() returns void
language sql volatile
as $$
    select uplift.count_days('-infinity', (now() at time zone 'UTC')::date + 1, false);
    update uplift.usage_state set days_counted_at = now();
$$;

comment on function uplift.count_all_days() is 'Counts all days there are, in one go: before counting began ids need not be in the order of time.';

create or replace function uplift.count_next_day(p_state uplift.usage_state, p_retry_before timestamptz) returns jsonb
language plpgsql volatile
as $$
declare
    -- What comes late, of thumbs mostly, comes one by one, and a day is counted from all its answers.
    v_since timestamptz := now() - interval '1 hour';
    v_today date := (now() at time zone 'UTC')::date;
    v_day date;
    v_is_counted boolean;
    v_began timestamptz := clock_timestamp();
begin
    select d.day into v_day from uplift.usage_days_dirty d
    where d.day < v_today and d.since <= v_since and coalesce(d.failed_at < p_retry_before, true) order by d.day desc limit 1;
    if found then
        v_is_counted := uplift.count_day(v_day, p_state.began_at);
        return jsonb_build_object('days', v_is_counted::int, 'failed', (not v_is_counted)::int,
            -- And today.
            'left', 1 + (select count(*) from uplift.usage_days_dirty d
                where d.day < v_today and d.since <= v_since and coalesce(d.failed_at < p_retry_before, true)));
    end if;
    -- Where it takes long, with a fiftieth of the time at most.
    if p_state.today_took > interval '1 second' and p_state.days_counted_at + 50 * p_state.today_took > now() then
        return jsonb_build_object('days', 0, 'failed', 0, 'left', 0);
    end if;
    v_is_counted := uplift.count_day(v_today, p_state.began_at);
    if v_is_counted then
        update uplift.usage_state set days_counted_at = now(), today_took = clock_timestamp() - v_began;
    end if;
    return jsonb_build_object('days', v_is_counted::int, 'failed', (not v_is_counted)::int, 'left', 0);
end
$$;

comment on function uplift.count_next_day(uplift.usage_state, timestamptz) is
    'Counts the latest day that is over and not counted yet, or has changed more than an hour ago; when there is none, today as far as it is, unless it takes so long that it is not its turn yet. {days, failed, left}: left counts today, too.';

create or replace function uplift.recount_users_of(p_user_id uuid) returns void
language sql volatile
as $$
    insert into uplift.usage_days_dirty (day, of_users)
    select distinct (a.created_at at time zone 'UTC')::date, true from public.coach_response_feedback a where a.user_id = p_user_id
    order by 1
    -- Who counts such a day right now is waited for, or waits, and counts it once this is done.
    on conflict (day) do update set since = usage_days_dirty.since
$$;

comment on function uplift.recount_users_of(uuid) is
    'A user''s answers are about to be erased: the sketches of their days (uplift.usage_daily_users) are to be made anew.';

-- --- asking ---

create or replace function uplift.thumbs_worth(p_users numeric, p_n2 numeric, p_up2 numeric, p_nup numeric, p_n numeric, p_up numeric) returns float8
language plpgsql immutable parallel safe
as $$
declare
    v_rate float8 := p_up / nullif(p_n, 0);
    v_variance float8;
begin
    if p_n = 0 or p_users < 2 or v_rate in (0, 1) then
        return case when p_users = 1 then 1 else p_users end;
    end if;
    v_variance := (p_up2 - 2 * v_rate * p_nup + v_rate * v_rate * p_n2) / (p_users - 1) * p_users / (p_n * p_n);
    return case when v_variance > 0 then least(v_rate * (1 - v_rate) / v_variance, p_n) else p_n end;
end
$$;

comment on function uplift.thumbs_worth(numeric, numeric, numeric, numeric, numeric, numeric) is
    'As uplift.effective_count, of sums over users (uplift.usage_daily.thumb_sums): how many independent thumbs these are worth. One user''s are worth one.';

create or replace function uplift.quality_figures(p_thumbs numeric[], p_stars numeric[], p_up numeric, p_down numeric, p_ratings numeric, p_rating_sum numeric)
returns jsonb
language sql immutable
as $$
    select jsonb_build_object('thumbs_up_low', round(t.low::numeric, 4), 'thumbs_up_high', round(t.high::numeric, 4), 'thumbs_worth', round(w.worth::numeric, 1),
        -- greatest() and least() leave out what is not known.
        'rating_low', case when m.mean is not null then round(greatest(1, m.mean - 1.959963984540054 * m.deviation)::numeric, 3) end,
        'rating_high', case when m.mean is not null then round(least(5, m.mean + 1.959963984540054 * m.deviation)::numeric, 3) end)
    from (select uplift.thumbs_worth(p_thumbs[1], p_thumbs[2], p_thumbs[3], p_thumbs[4], p_up + p_down, p_up) as worth) w
    left join lateral (select i.low, i.high from uplift.wilson((p_up / nullif(p_up + p_down, 0))::float8, w.worth) i where p_up + p_down > 0) t on true
    left join lateral (
        -- A ratio of sums over users, by linearisation; of one user nothing is known of how much users differ.
        select x.mean, sqrt(greatest(p_stars[3] - 2 * x.mean * p_stars[4] + x.mean * x.mean * p_stars[2], 0)
            / (p_stars[1] - 1) * p_stars[1]) / p_ratings as deviation
        from (select (p_rating_sum / p_ratings)::float8 as mean) x where p_stars[1] > 1) m on p_ratings > 0
$$;

comment on function uplift.quality_figures(numeric[], numeric[], numeric, numeric, numeric, numeric) is
    'Intervals of 95 % of the thumbs-up rate (Wilson''s, with as many thumbs as those of several per user are worth) and of the mean of stars; null where nothing can be said.';

create or replace function uplift.check_day_filters(p_arguments jsonb) returns void
language plpgsql immutable
as $$
begin
    if p_arguments ? 'severity' and p_arguments ->> 'severity' !~ '^[0-6]$' then
        perform uplift.fail(400, 'invalid_severity', 'severity must be a whole number from 1 to 6, or 0 for answers without', 'severity');
    end if;
end
$$;

comment on function uplift.check_day_filters(jsonb) is 'UP400 invalid_severity.';

create or replace function uplift.day_filters(p_arguments jsonb) returns jsonb
language sql immutable parallel safe
as $$
    select coalesce(jsonb_object_agg(n.name, p_arguments ->> n.argument), '{}')
    from (values ('coach', 'coach_id'), ('provider', 'provider'), ('model', 'model'), ('mode', 'mode'), ('severity', 'severity')) as n(name, argument)
    where p_arguments ->> n.argument is not null
$$;

comment on function uplift.day_filters(jsonb) is 'The arguments that choose a part of the use, by what it is a part by.';

-- What all that is asked about the days is made of.
create or replace function uplift.day_figures(p_from date, p_to date, p_filters jsonb, p_by text)
returns table (day date, part text, requests bigint, figures jsonb)
language plpgsql stable
as $$
declare
    -- Taken apart once, and not for each row.
    v_coach text := p_filters ->> 'coach';
    v_provider text := p_filters ->> 'provider';
    v_model text := p_filters ->> 'model';
    v_mode text := p_filters ->> 'mode';
    v_severity smallint := (p_filters ->> 'severity')::smallint;
    v_filters int := (select count(*) from jsonb_object_keys(p_filters));
    v_is_time boolean := p_by in ('', 'day', 'month');
    -- Users are counted for all, or for parts by one thing: not for parts of parts.
    v_users_by text := case when v_filters = 0 then case when v_is_time then '' else p_by end
        when v_filters = 1 and v_is_time then (select k from jsonb_object_keys(p_filters) k) end;
    v_users_of text := case when v_is_time and v_users_by <> '' then p_filters ->> v_users_by end;
begin
    return query
    with parts as (
        select case p_by when 'day' then d.day when 'month' then date_trunc('month', d.day::timestamp)::date end as day,
            case p_by when 'coach' then d.coach_id when 'provider' then d.provider when 'model' then d.model when 'mode' then d.mode
                when 'severity' then d.severity::text end as part,
            sum(d.requests)::bigint as requests, sum(d.complete)::bigint as complete, sum(d.partial)::bigint as partial,
            sum(d.cancelled)::bigint as cancelled, sum(d.failed)::bigint as failed, sum(d.cache_hits)::bigint as cache_hits,
            sum(d.degraded)::bigint as degraded, sum(d.prompt_tokens)::bigint as prompt_tokens, sum(d.cached_tokens)::bigint as cached_tokens,
            sum(d.completion_tokens)::bigint as completion_tokens, sum(d.cost_usd) as cost_usd, sum(d.saved_usd) as saved_usd,
            sum(d.estimated)::bigint as estimated, sum(d.unpriced)::bigint as unpriced, sum(d.thumbs_up)::bigint as thumbs_up,
            sum(d.thumbs_down)::bigint as thumbs_down, sum(d.ratings)::bigint as ratings, sum(d.rating_sum)::bigint as rating_sum,
            array[sum(d.thumb_sums[1]), sum(d.thumb_sums[2]), sum(d.thumb_sums[3]), sum(d.thumb_sums[4])] as thumb_sums,
            array[sum(d.rating_sums[1]), sum(d.rating_sums[2]), sum(d.rating_sums[3]), sum(d.rating_sums[4])] as rating_sums,
            -- Place by place: an aggregate of arrays takes ten times as long.
            array[sum(d.response_ms[1]), sum(d.response_ms[2]), sum(d.response_ms[3]), sum(d.response_ms[4]), sum(d.response_ms[5]),
                sum(d.response_ms[6]), sum(d.response_ms[7]), sum(d.response_ms[8]), sum(d.response_ms[9]), sum(d.response_ms[10]),
                sum(d.response_ms[11]), sum(d.response_ms[12])]::bigint[] as response_ms,
            array[sum(d.first_token_ms[1]), sum(d.first_token_ms[2]), sum(d.first_token_ms[3]), sum(d.first_token_ms[4]),
                sum(d.first_token_ms[5]), sum(d.first_token_ms[6]), sum(d.first_token_ms[7]), sum(d.first_token_ms[8]),
                sum(d.first_token_ms[9]), sum(d.first_token_ms[10]), sum(d.first_token_ms[11]), sum(d.first_token_ms[12])]::bigint[]
                as first_token_ms
        from uplift.usage_daily d
        where d.day >= p_from and d.day < p_to
            and (v_coach is null or d.coach_id = v_coach) and (v_provider is null or d.provider = v_provider)
            and (v_model is null or d.model = v_model) and (v_mode is null or d.mode = v_mode)
            and (v_severity is null or d.severity = v_severity)
        group by 1, 2
    ), users as (
        select case p_by when 'day' then u.day when 'month' then date_trunc('month', u.day::timestamp)::date end as day,
            case when not v_is_time then u.part end as part,
            case when p_by = 'day' then sum(u.users)::bigint else uplift.users_of(bit_or(u.sketch)) end as users
        from uplift.usage_daily_users u
        where u.day >= p_from and u.day < p_to and u.by = v_users_by and (v_users_of is null or u.part = v_users_of)
        group by 1, 2
    )
    select p.day, p.part, p.requests, uplift.usage_figures(array[row(now(), '', '', '', p.requests, p.complete, p.partial, p.cancelled, p.failed,
            p.cache_hits, p.degraded, p.prompt_tokens, p.cached_tokens, p.completion_tokens, p.cost_usd, p.saved_usd, p.estimated,
            p.unpriced, p.thumbs_up, p.thumbs_down, p.ratings, p.rating_sum, p.response_ms, p.first_token_ms)::uplift.usage_hourly])
        || uplift.quality_figures(p.thumb_sums, p.rating_sums, p.thumbs_up, p.thumbs_down, p.ratings, p.rating_sum)
        || jsonb_build_object('users', u.users, 'thumbs', p.thumbs_up + p.thumbs_down,
            'cost_usd_per_answer', round(p.cost_usd / nullif(p.requests, 0), 8))
    from parts p left join users u on u.day is not distinct from p.day and u.part is not distinct from p.part;
end
$$;

comment on function uplift.day_figures(date, date, jsonb, text) is
    'Figures of the days from one to before another: p_by empty for all, day, month, or coach, provider, model, mode, severity; only of the parts in p_filters, by the same names. users are about as many, but exact for single days.';

create or replace function uplift.no_figures() returns jsonb
language sql immutable
as $$
    select uplift.usage_figures('{}') || jsonb_build_object('thumbs_up_low', null, 'thumbs_up_high', null, 'thumbs_worth', null,
        'rating_low', null, 'rating_high', null, 'users', 0, 'thumbs', 0, 'cost_usd_per_answer', null)
$$;

comment on function uplift.no_figures() is 'Figures of a time without answers.';

create or replace function uplift.day_range(p_arguments jsonb, out p_from date, out p_to date)
language plpgsql stable
as $$
declare
    v_from timestamptz := uplift.time_argument(p_arguments, 'from');
    v_to timestamptz := uplift.time_argument(p_arguments, 'to');
begin
    p_to := coalesce(((v_to - interval '1 microsecond') at time zone 'UTC')::date, (now() at time zone 'UTC')::date) + 1;
    p_from := coalesce((v_from at time zone 'UTC')::date, p_to - 28);
    if p_to <= p_from or p_to - p_from > 1100 then
        perform uplift.fail(400, 'invalid_from', 'from must be before to, by at most 1100 days', 'from');
    end if;
end
$$;

comment on function uplift.day_range(jsonb) is
    'The whole days (UTC) from "from" to "to", which is the beginning of a day or within one; by default the last 28. UP400 invalid_from, invalid_to.';

create or replace function uplift_batch.admin_overview(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
declare
    v_by text := p_arguments ->> 'by';
    v_filters jsonb := uplift.day_filters(p_arguments);
    v_from date;
    v_to date;
begin
    perform uplift.check_arguments(p_arguments, '{from,to,by,coach_id,provider,model,mode,severity}');
    if v_by not in ('coach', 'provider', 'model', 'mode', 'severity') then
        perform uplift.fail(400, 'invalid_by', 'by must be coach, provider, model, mode or severity', 'by');
    end if;
    perform uplift.check_day_filters(p_arguments);
    select r.p_from, r.p_to into v_from, v_to from uplift.day_range(p_arguments) r;
    return jsonb_build_object('object', 'overview', 'from', v_from, 'to', v_to,
        'counted_at', (select s.days_counted_at from uplift.usage_state s),
        'total', coalesce((select f.figures from uplift.day_figures(v_from, v_to, v_filters, '') f), uplift.no_figures()),
        'before', coalesce((select f.figures from uplift.day_figures(v_from - (v_to - v_from), v_from, v_filters, '') f), uplift.no_figures()),
        'by_day', (select jsonb_agg(jsonb_build_object('day', g.day) || coalesce(f.figures, n.figures) order by g.day)
            from (select v_from + i as day from generate_series(0, v_to - v_from - 1) i) g
            cross join (select uplift.no_figures() as figures) n
            left join uplift.day_figures(v_from, v_to, v_filters, 'day') f on f.day = g.day))
        || case when v_by is null then '{}' else jsonb_build_object('by', v_by,
            'parts', (select coalesce(jsonb_agg(jsonb_build_object(v_by, nullif(nullif(f.part, ''), case v_by when 'severity' then '0' end)) || f.figures
                    order by f.requests desc, f.part), '[]')
                from (select f.* from uplift.day_figures(v_from, v_to, v_filters, v_by) f order by f.requests desc, f.part limit 100) f)) end;
end
$$;

comment on function uplift_batch.admin_overview(uuid, jsonb, text) is
    'Use, quality, cost and speed by the day: from, to, by (coach, provider, model, mode, severity), and coach_id, provider, model, mode, severity to look at a part; with the same time before. UP400 invalid_from, invalid_to, invalid_by, invalid_severity.';

-- --- what changed ---

create or replace function uplift.change_of(p_metric text, p_now jsonb, p_before jsonb) returns jsonb
language plpgsql immutable
as $$
declare
    v_path text[] := case p_metric when 'first_token_p50' then '{first_token_ms,p50}' when 'response_p95' then '{response_ms,p95}'
        else array[p_metric] end;
    v_now float8 := (p_now #>> v_path)::float8;
    v_before float8 := (p_before #>> v_path)::float8;
    v_counted text := case p_metric when 'thumbs_up_rate' then 'thumbs' when 'average_rating' then 'ratings' else 'requests' end;
    v_n float8 := (p_now ->> v_counted)::float8;
    v_n_before float8 := (p_before ->> v_counted)::float8;
    v_low float8;
    v_high float8;
    v_verdict text := 'too_few';
begin
    if v_now is null or v_before is null then
        null;
    elsif p_metric = 'thumbs_up_rate' then
        if least(v_n, v_n_before) >= 20 and least((p_now ->> 'thumbs_worth')::float8, (p_before ->> 'thumbs_worth')::float8) >= 5 then
            select i.low, i.high into v_low, v_high
            from uplift.newcombe(v_before, (p_before ->> 'thumbs_worth')::float8, v_now, (p_now ->> 'thumbs_worth')::float8) i;
            v_verdict := case when v_low > 0 then 'better' when v_high < 0 then 'worse' else 'unclear' end;
        end if;
    elsif p_metric = 'average_rating' then
        if least(v_n, v_n_before) >= 20 and p_now ->> 'rating_low' is not null and p_before ->> 'rating_low' is not null then
            -- Ends of intervals stop at one and five stars, so the halves that do not are used.
            v_low := v_now - v_before - sqrt(power(v_now - (p_now ->> 'rating_low')::float8, 2) + power((p_before ->> 'rating_high')::float8 - v_before, 2));
            v_high := v_now - v_before + sqrt(power((p_now ->> 'rating_high')::float8 - v_now, 2) + power(v_before - (p_before ->> 'rating_low')::float8, 2));
            v_verdict := case when v_low > 0 then 'better' when v_high < 0 then 'worse' else 'unclear' end;
        end if;
    elsif p_metric = 'error_rate' then
        if least(v_n, v_n_before) >= 50 then
            select i.low, i.high into v_low, v_high from uplift.newcombe(v_before, v_n_before, v_now, v_n) i;
            v_verdict := case when v_high < 0 then 'better' when v_low > 0 then 'worse' else 'unclear' end;
        end if;
    elsif p_metric in ('requests', 'users', 'cost_usd') then
        -- What was is no estimate; what is told is what a tenth and its own spread do not explain.
        if greatest(v_now, v_before) >= 20 or p_metric = 'cost_usd' then
            v_verdict := case when abs(v_now - v_before) <= greatest(0.1 * v_before,
                    case when p_metric <> 'cost_usd' then 1.959963984540054 * sqrt(v_now + v_before) else 0 end) then 'same'
                when v_now > v_before then 'more' else 'less' end;
        end if;
    elsif least(v_n, v_n_before) >= 100 and v_before > 0 then
        v_verdict := case when abs(v_now / v_before - 1) <= 0.1 then 'same' when v_now < v_before then 'better' else 'worse' end;
    end if;
    return jsonb_build_object('metric', p_metric, 'now', v_now, 'before', v_before, 'difference', round((v_now - v_before)::numeric, 8),
        'low', round(v_low::numeric, 8), 'high', round(v_high::numeric, 8), 'n', v_n, 'n_before', v_n_before, 'verdict', v_verdict);
end
$$;

comment on function uplift.change_of(text, jsonb, jsonb) is
    'How a figure of two times compares: now, before, the difference with its interval of 95 % where it is an estimate, what it rests on (n), and the verdict: better, worse, more, less, same (within a tenth), unclear (the interval has 0 in it), too_few.';

create or replace function uplift_batch.admin_changes(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
declare
    v_to date := (now() at time zone 'UTC')::date;
    v_from date := v_to - 7;
    v_filters jsonb := uplift.day_filters(p_arguments);
begin
    perform uplift.check_arguments(p_arguments, '{coach_id,provider,model,mode,severity}');
    perform uplift.check_day_filters(p_arguments);
    return (
        with now_and_before as materialized (
            select b.by, coalesce(n.part, o.part) as part, coalesce(n.requests, 0) + coalesce(o.requests, 0) as requests,
                coalesce(n.figures, uplift.no_figures()) as now, coalesce(o.figures, uplift.no_figures()) as before
            from (values (''), ('coach'), ('model')) as b(by)
            cross join lateral (
                select null::text as part where b.by = ''
                union all
                (select x.part from uplift.day_figures(v_from - 7, v_to, v_filters, b.by) x where b.by <> '' order by x.requests desc limit 20)) p
            left join lateral uplift.day_figures(v_from, v_to, v_filters, b.by) n on n.part is not distinct from p.part
            left join lateral uplift.day_figures(v_from - 7, v_from, v_filters, b.by) o on o.part is not distinct from p.part
        )
        select jsonb_build_object('object', 'changes', 'from', v_from, 'to', v_to, 'before_from', v_from - 7,
            'counted_at', (select s.days_counted_at from uplift.usage_state s),
            'data', coalesce(jsonb_agg(jsonb_build_object('by', nullif(x.by, ''), 'part', nullif(x.part, ''))
                || uplift.change_of(m.metric, x.now, x.before) order by x.by, x.requests desc, x.part, m.place), '[]'))
        from now_and_before x
        cross join unnest(array['requests', 'users', 'thumbs_up_rate', 'average_rating', 'error_rate', 'cost_usd', 'cost_usd_per_answer',
            'first_token_p50', 'response_p95']) with ordinality as m(metric, place)
        where x.by = '' or m.metric in ('thumbs_up_rate', 'average_rating', 'error_rate'));
end
$$;

comment on function uplift_batch.admin_changes(uuid, jsonb, text) is
    'What changed in the last seven whole days (UTC) against the seven before, in all and by coach and model: coach_id, provider, model, mode, severity to look at a part. UP400 invalid_severity.';
