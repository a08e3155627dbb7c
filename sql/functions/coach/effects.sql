-- What context does to ratings. Each kind is withheld from a small random share of answers; thumbs of those are
-- compared with thumbs of answers that had it. What hurts is demoted.

create or replace function uplift.wilson(p_rate double precision, p_n double precision, out low double precision, out high double precision)
language plpgsql immutable parallel safe
as $$
declare
    z constant float8 := 1.959963984540054;
    v_middle float8 := p_rate + z * z / (2 * p_n);
    v_half float8 := z * sqrt(p_rate * (1 - p_rate) / p_n + z * z / (4 * p_n * p_n));
begin
    low := greatest((v_middle - v_half) / (1 + z * z / p_n), 0);
    high := least((v_middle + v_half) / (1 + z * z / p_n), 1);
end
$$;

comment on function uplift.wilson(double precision, double precision, out double precision, out double precision) is
    'Wilson''s interval of 95 % for a rate that was seen in p_n tries (Wilson 1927); p_n above 0, which need not be whole.';

create or replace function uplift.newcombe(p_rate_a double precision, p_n_a double precision, p_rate_b double precision, p_n_b double precision,
    out low double precision, out high double precision)
language plpgsql immutable parallel safe
as $$
declare
    a record;
    b record;
    d float8 := p_rate_b - p_rate_a;
begin
    select * into a from uplift.wilson(p_rate_a, p_n_a);
    select * into b from uplift.wilson(p_rate_b, p_n_b);
    low := d - sqrt(power(p_rate_b - b.low, 2) + power(a.high - p_rate_a, 2));
    high := d + sqrt(power(b.high - p_rate_b, 2) + power(p_rate_a - a.low, 2));
end
$$;

comment on function uplift.newcombe(double precision, double precision, double precision, double precision, out double precision, out double precision) is
    'The interval of 95 % for the difference of two rates, B less A (Newcombe 1998, method 10).';

create or replace function uplift.effective_count(p_n double precision[], p_up double precision[]) returns double precision
language plpgsql immutable parallel safe
as $$
declare
    v_users float8 := cardinality(p_n);
    v_total float8;
    v_rate float8;
    v_variance float8;
begin
    select sum(n), sum(up) / sum(n) into v_total, v_rate from unnest(p_n, p_up) x(n, up);
    if v_users < 2 or v_rate in (0, 1) then
        -- Nothing is known of how alike they are: as if each user had said it once. One user is all there is of a memory.
        return case when v_users = 1 then v_total else v_users end;
    end if;
    select sum(power(x.up - v_rate * x.n, 2)) / (v_users - 1) * v_users / power(v_total, 2) into v_variance from unnest(p_n, p_up) x(n, up);
    return case when v_variance > 0 then least(v_rate * (1 - v_rate) / v_variance, v_total) else v_total end;
end
$$;

comment on function uplift.effective_count(double precision[], double precision[]) is
    'How many independent thumbs those of users are worth, of whom each gave n, up of them up: R(1 - R) / Var, R being the share of all and Var the variance of a ratio of sums over users, by linearisation; at most as many as there are. Of one user all, because what is said is then of that user.';

create or replace function uplift.thumbs(p_days int, p_most int)
returns table (user_id uuid, is_up boolean, kind text, items uuid[], is_withheld boolean)
language sql stable
as $$
    select a.user_id, a.helpful, k.kind, k.items, k.items is null
    from (
        -- Only those on which there was a word: few of all.
        select s.answer_id from uplift.feedback_said s
        where s.field = 'helpful' and s.answer_id > uplift.first_id_of(now() - p_days * interval '24 hours')
        order by s.answer_id desc limit p_most) s
    join public.coach_response_feedback a on a.id = s.answer_id
    cross join lateral (values ('memories', a.memory_ids), ('passages', a.passage_ids), ('knowledge', a.source_ids), ('examples', a.example_ids)) as k(kind, items)
    where a.helpful is not null and (k.items is not null or k.kind = any (a.withheld))
$$;

comment on function uplift.thumbs(int, int) is
    'Thumbs of the last p_days days, at most the p_most latest, once for each kind of context that there was for the answer: what it had of it, or that it was withheld.';

create or replace function uplift.measure_kinds(p_days int, p_most int) returns void
language sql volatile
as $$
    with arms as (
        select u.kind, u.is_withheld, sum(u.n) as n, count(*) as users, sum(u.up) / sum(u.n) as rate,
            uplift.effective_count(array_agg(u.n), array_agg(u.up)) as worth
        from (
            select t.kind, t.is_withheld, count(*)::float8 as n, count(*) filter (where t.is_up)::float8 as up
            from uplift.thumbs(p_days, p_most) t group by t.kind, t.is_withheld, t.user_id) u
        group by u.kind, u.is_withheld
    )
    insert into uplift.context_effects as e (kind, n_with, users_with, rate_with, n_without, users_without, rate_without, difference, low, high)
    select w.kind, w.n, w.users, w.rate, o.n, o.users, o.rate, w.rate - o.rate, i.low, i.high
    from arms w join arms o on o.kind = w.kind and o.is_withheld
    cross join lateral uplift.newcombe(o.rate, o.worth, w.rate, w.worth) i
    where not w.is_withheld
    on conflict (kind, item) do update set measured_at = now(), n_with = excluded.n_with, users_with = excluded.users_with, rate_with = excluded.rate_with,
        n_without = excluded.n_without, users_without = excluded.users_without, rate_without = excluded.rate_without,
        difference = excluded.difference, low = excluded.low, high = excluded.high
$$;

comment on function uplift.measure_kinds(int, int) is 'Compares thumbs of answers that had a kind of context with those from which it was withheld.';

create or replace function uplift.measure_items(p_days int, p_most int, p_least int) returns void
language sql volatile
as $$
    with thumbs as materialized (
        select t.* from uplift.thumbs(p_days, p_most) t
    ), everything as (
        select t.kind, t.user_id, count(*)::float8 as n, count(*) filter (where t.is_up)::float8 as up from thumbs t group by t.kind, t.user_id
    ), had as (
        select t.kind, i.item, t.user_id, count(*)::float8 as n, count(*) filter (where t.is_up)::float8 as up
        from thumbs t cross join lateral (select distinct x as item from unnest(t.items) x) i group by t.kind, i.item, t.user_id
    ), compared as (
        -- With what the same users said where there was something of the kind, and not this.
        select h.kind, h.item, sum(h.n) as n_with, count(*) as users_with, sum(h.up) / sum(h.n) as rate_with,
            uplift.effective_count(array_agg(h.n), array_agg(h.up)) as worth_with,
            sum(e.n - h.n) as n_without, count(*) filter (where e.n > h.n) as users_without, sum(e.up - h.up) / nullif(sum(e.n - h.n), 0) as rate_without,
            uplift.effective_count(array_agg(e.n - h.n) filter (where e.n > h.n), array_agg(e.up - h.up) filter (where e.n > h.n)) as worth_without
        from had h join everything e on e.kind = h.kind and e.user_id = h.user_id
        group by h.kind, h.item
        having sum(h.n) >= p_least and sum(e.n - h.n) >= p_least
    ), measured as (
        select c.*, i.low, i.high, c.rate_with - c.rate_without as d, power((i.high - i.low) / (2 * 1.959963984540054::float8), 2) as v
        from compared c cross join lateral uplift.newcombe(c.rate_without, c.worth_without, c.rate_with, c.worth_with) i
    ), kinds as (
        -- How much items of a kind differ by themselves, by moments (DerSimonian and Laird 1986); never nothing.
        select m.kind, sum(m.d / m.v) / sum(1 / m.v) as mean,
            greatest((sum(m.d * m.d / m.v) - power(sum(m.d / m.v), 2) / sum(1 / m.v) - (count(*) - 1))
                / nullif(sum(1 / m.v) - sum(1 / (m.v * m.v)) / sum(1 / m.v), 0), 0.0025, 0) as spread
        from measured m group by m.kind
    )
    insert into uplift.context_effects as e (kind, item, n_with, users_with, rate_with, n_without, users_without, rate_without, difference, low, high,
        shrunk, shrunk_high)
    select m.kind, m.item, m.n_with, m.users_with, m.rate_with, m.n_without, m.users_without, m.rate_without, m.d, m.low, m.high,
        (m.d / m.v + k.mean / k.spread) / (1 / m.v + 1 / k.spread),
        (m.d / m.v + k.mean / k.spread) / (1 / m.v + 1 / k.spread) + 1.959963984540054::float8 / sqrt(1 / m.v + 1 / k.spread)
    from measured m join kinds k on k.kind = m.kind
    on conflict (kind, item) do update set measured_at = now(), n_with = excluded.n_with, users_with = excluded.users_with, rate_with = excluded.rate_with,
        n_without = excluded.n_without, users_without = excluded.users_without, rate_without = excluded.rate_without,
        difference = excluded.difference, low = excluded.low, high = excluded.high, shrunk = excluded.shrunk, shrunk_high = excluded.shrunk_high
$$;

comment on function uplift.measure_items(int, int, int) is
    'Compares thumbs of answers that had one memory, passage, source or example with the others of the same users for which there was something of the kind; where there are p_least of both. The difference d with variance v (of its interval) is shrunk by empirical Bayes to the mean m of its kind, whose items differ by s by themselves: (d/v + m/s) / (1/v + 1/s), with variance 1 / (1/v + 1/s).';

create or replace function uplift.demote_items(p_least int) returns int
language plpgsql volatile
as $$
declare
    v record;
    v_alike bigint[];
    v_count int := 0;
begin
    for v in
        with demoted as (
        -- Once for so many thumbs: the next time others count.
        update uplift.context_effects e set demoted_at = now(), demoted_n = e.n_with
        where e.measured_at = now() and e.shrunk_high < 0 and e.n_with >= coalesce(e.demoted_n, 0) + p_least
            -- Worse than others of its kind, and than nothing at all, where that is known.
            and not exists (
                select from uplift.context_effects k
                where k.kind = e.kind and k.item = '00000000-0000-0000-0000-000000000000' and k.n_without >= p_least and k.rate_without <= e.rate_with)
        returning e.kind, e.item)
        -- By user, as whoever else changes what is known of several.
        select d.kind, d.item from demoted d left join public.ai_episodic_memory m on m.id = d.item order by m.user_id, d.item
    loop
        v_count := v_count + 1;
        if v.kind = 'memories' then
            -- What its user pinned stays where it is.
            update public.ai_episodic_memory m set importance_score = greatest(m.importance_score - 2, 0) where m.id = v.item and not m.is_pinned;
        elsif v.kind = 'knowledge' then
            perform uplift.demote_texts(v.kind, array(select uplift.piece_hash(t.body) from uplift.search_texts t where t.shelf = v.kind and t.ref = v.item), 0.5);
            update uplift.search_texts t set weight = t.weight / 2 where t.shelf = v.kind and t.ref = v.item;
        elsif v.kind = 'examples' then
            -- And those that are alike, of which the best is shown.
            v_alike := array(
                select a.text_id from uplift.few_shot_examples f join uplift.few_shot_examples a on a.coach_id = f.coach_id and a.likeness = f.likeness
                where f.answer_id = v.item);
            perform uplift.demote_texts(v.kind, array(
                select uplift.example_hash(f.coach_id, f.likeness) from uplift.few_shot_examples f where f.text_id = any (v_alike)), 0.5);
            update uplift.search_texts t set weight = t.weight / 2 where t.id = any (v_alike);
        else
            perform uplift.demote_texts(v.kind, array[v.item], 0);
            perform uplift.drop_passage(v.item);
        end if;
    end loop;
    return v_count;
end
$$;

comment on function uplift.demote_items(int) is
    'Demotes what was just measured to hurt, its interval after shrinking being below 0, and its thumbs no better than those of answers from which its kind was withheld: the importance of a memory by 2, the weight of what a source says, or an example and those that are alike, by half, also when it is written anew (uplift.demotions); a passage is not found any more. Again only after p_least more thumbs. Returns how many.';

create or replace function uplift_batch.measure_context(p_days int, p_least int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    c_most constant int := 200000; -- thumbs
    v_demoted int;
begin
    perform uplift.measure_kinds(p_days, c_most);
    perform uplift.measure_items(p_days, c_most, greatest(p_least, 20));
    v_demoted := uplift.demote_items(greatest(p_least, 20));
    -- What is gone, or had no thumbs for long.
    delete from uplift.context_effects e where e.measured_at < now() - greatest(p_days, 90) * interval '24 hours';
    return jsonb_build_object('measured', (select count(*) from uplift.context_effects e where e.measured_at = now()), 'demoted', v_demoted);
end
$$;

comment on function uplift_batch.measure_context(int, int) is
    'The job measure-context: what context did to the thumbs of the last p_days days (the latest 200,000), in uplift.context_effects, and what was demoted for it; nothing on fewer than p_least thumbs with it and without, or 20. Returns {measured, demoted}.';

create or replace function uplift.context_figures() returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kind', e.kind,
        'item', case when e.item <> '00000000-0000-0000-0000-000000000000' then e.item end, 'measured_at', e.measured_at,
        'with', jsonb_build_object('thumbs', e.n_with, 'users', e.users_with, 'thumbs_up_rate', round(e.rate_with::numeric, 4)),
        'without', jsonb_build_object('thumbs', e.n_without, 'users', e.users_without, 'thumbs_up_rate', round(e.rate_without::numeric, 4)),
        'difference', round(e.difference::numeric, 4), 'low', round(e.low::numeric, 4), 'high', round(e.high::numeric, 4),
        'shrunk', round(e.shrunk::numeric, 4), 'demoted_at', e.demoted_at)) order by e.place), '[]')
    from (
        select x.*, row_number() over (order by x.item <> '00000000-0000-0000-0000-000000000000', x.demoted_at desc nulls last, x.kind, x.shrunk, x.item) as place
        from uplift.context_effects x
        where x.item = '00000000-0000-0000-0000-000000000000' or x.demoted_at is not null
        order by place limit 54) e
$$;

comment on function uplift.context_figures() is
    'What uplift.context_effects has of each kind, and the 50 things that were demoted last: [{kind, item (of one thing), measured_at, with and without {thumbs, users, thumbs_up_rate}, difference, low, high, shrunk, demoted_at}], rates from 0 to 1, without what is null.';
