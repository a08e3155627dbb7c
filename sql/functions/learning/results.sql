-- What came of experiments: counted by user, since users were assigned and answers of one user are alike.
-- The statistics are in C (src/statistics, src/batch/job_experiments.c); here are the sums that they are made of.

create or replace function uplift.counts_of(p_user_id uuid, p_from timestamptz, p_to timestamptz, p_exposure jsonb, p_feedback_until timestamptz, p_coach_id text default null,
    out answers int, out failed int, out thumbs_up int, out thumbs int, out rating_sum int, out ratings int, out engagement_s float8,
    out cost_usd float8, out latency_ms float8, out timed int, out regenerations int)
language plpgsql stable
as $$
begin
    select count(*), count(*) filter (where a.outcome = 'failed'),
        count(*) filter (where a.thumb), count(a.thumb), coalesce(sum(a.stars), 0), count(a.stars),
        -- Whoever is away for longer than this is not there.
        coalesce(sum(least(extract(epoch from a.created_at - a.before), 300)) filter (where a.before is not null), 0), coalesce(sum(a.cost_usd), 0),
        coalesce(sum(a.response_time_ms) filter (where a.outcome = 'complete'), 0),
        count(a.response_time_ms) filter (where a.outcome = 'complete'),
        -- To go on with an answer that was cut is not to want another one.
        count(a.regenerate_of) filter (where a.attempts #> '{0,went_on_from}' is null)
    into answers, failed, thumbs_up, thumbs, rating_sum, ratings, engagement_s, cost_usd, latency_ms, timed, regenerations
    from (
        select x.*, lag(x.created_at) over (partition by x.conversation_id order by x.created_at, x.id) as before,
            -- Of few answers a word was said later: only of those the history is read.
            case when x.feedback_given_at > p_feedback_until
                then (uplift.feedback_until(x.id, x.user_id, x.helpful, x.rating::int, p_feedback_until)).helpful else x.helpful end as thumb,
            case when x.feedback_given_at > p_feedback_until
                then (uplift.feedback_until(x.id, x.user_id, x.helpful, x.rating::int, p_feedback_until)).rating else x.rating end as stars
        from public.coach_response_feedback x
        where x.user_id = p_user_id and x.created_at >= p_from and x.created_at < p_to and (p_coach_id is null or x.coach_id = p_coach_id)
            and (p_exposure is null or x.exposures @> p_exposure
                and not x.exposures @> jsonb_build_array(p_exposure -> 0 || '{"override": true}'))) a;
end
$$;

comment on function uplift.counts_of(uuid, timestamptz, timestamptz, jsonb, timestamptz, text, out int, out int, out int, out int, out int, out int,
    out float8, out float8, out float8, out int, out int) is
    'What a user did between two times, with answers of an exposure (null: any) that no tester asked for, of a coach (null: any), and with the feedback as it was at a time (uplift.feedback_until). engagement_s: seconds from each answer to the next one of its conversation, of each at most 300. latency_ms: of the timed answers, those that are complete.';

create or replace function uplift_batch.experiments_to_measure() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'name', e.experiment_name, 'has_ended', e.status = 'completed', 'users', (
        select count(*) from public.experiment_assignments a where a.experiment_id = e.id)) order by e.id), '[]')
    from public.ai_experiments e
    where e.start_date is not null and e.salt is not null and (e.status in ('running', 'paused')
        -- A day more, for what was said at the last moment.
        or e.status = 'completed' and e.end_date + make_interval(hours => 24 * (coalesce(e.feedback_days, 7) + 1)::int) > now())
        and cardinality(uplift.experiment_problems(e)) = 0
$$;

comment on function uplift_batch.experiments_to_measure() is
    'The experiments whose figures may still change, [{id, name, has_ended, users}]: those that have begun, until their feedback_days are over.';

create or replace function uplift_batch.measure_experiment_users(p_id uuid, p_after uuid, p_limit int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments;
    v_until timestamptz;
    v_feedback_until timestamptz;
    v_users uuid[];
begin
    select e.* into v_experiment from public.ai_experiments e where e.id = p_id;
    if not found then
        return jsonb_build_object('measured', 0, 'last', null);
    end if;
    v_until := coalesce(v_experiment.end_date, 'infinity');
    v_feedback_until := v_until + make_interval(hours => 24 * (coalesce(v_experiment.feedback_days, 7))::int);
    with users as materialized (
        select a.user_id, a.variant, a.assigned_at from public.experiment_assignments a
        where a.experiment_id = p_id and (p_after is null or a.user_id > p_after)
        order by a.user_id limit least(p_limit, 2000)
    ), measured as (
        insert into uplift.experiment_users as m (experiment_id, user_id, variant, assigned_at, answers, failed, thumbs_up, thumbs, rating_sum,
            ratings, engagement_s, cost_usd, latency_ms, timed, regenerations, is_retained, before)
        select p_id, u.user_id, u.variant, u.assigned_at, c.answers, c.failed, c.thumbs_up, c.thumbs, c.rating_sum, c.ratings, c.engagement_s,
            c.cost_usd, c.latency_ms, c.timed, c.regenerations,
            case when u.assigned_at + interval '336 hours' <= least(now(), v_feedback_until) then exists (
                select from public.coach_response_feedback a
                where a.user_id = u.user_id and a.created_at >= u.assigned_at + interval '168 hours' and a.created_at < u.assigned_at + interval '336 hours') end,
            to_jsonb(b)
        from users u
        cross join lateral uplift.counts_of(u.user_id, u.assigned_at, v_until, jsonb_build_array(jsonb_build_object(
            'experiment_id', p_id, 'variant', u.variant)), v_feedback_until) c
        -- Only what was said before as well: what is said later of those answers may come of the variant.
        cross join lateral uplift.counts_of(u.user_id, u.assigned_at - interval '672 hours', u.assigned_at, null, u.assigned_at) b
        on conflict (experiment_id, user_id) do update set variant = excluded.variant, assigned_at = excluded.assigned_at,
            answers = excluded.answers, failed = excluded.failed, thumbs_up = excluded.thumbs_up, thumbs = excluded.thumbs,
            rating_sum = excluded.rating_sum, ratings = excluded.ratings, engagement_s = excluded.engagement_s, cost_usd = excluded.cost_usd,
            latency_ms = excluded.latency_ms, timed = excluded.timed, regenerations = excluded.regenerations,
            is_retained = excluded.is_retained, before = excluded.before, measured_at = now()
        returning m.user_id
    )
    select array_agg(m.user_id order by m.user_id desc) into v_users from measured m;
    perform uplift.note_outcomes(p_id, v_users);
    return jsonb_build_object('measured', coalesce(cardinality(v_users), 0), 'last', v_users[1]);
end
$$;

comment on function uplift_batch.measure_experiment_users(uuid, uuid, int) is
    'Counts what the next users of an experiment did (behind p_after, at most 2000), and notes it in experiment_outcomes, too (uplift.note_outcomes): {measured, last}; last is null when there are no more. Again it counts anew.';

-- Of one user, for each metric: x of n, and the same of before, where there was something.
create or replace view uplift.experiment_values with (security_invoker = true) as
select u.experiment_id, u.user_id, u.variant, v.metric, v.x, v.n, v.p
from uplift.experiment_users u
cross join lateral (values
    ('thumbs_up_rate', u.thumbs_up::float8, u.thumbs::float8, (u.before ->> 'thumbs_up')::float8 / nullif((u.before ->> 'thumbs')::float8, 0)),
    ('avg_rating', u.rating_sum, u.ratings, (u.before ->> 'rating_sum')::float8 / nullif((u.before ->> 'ratings')::float8, 0)),
    ('engagement_time', u.engagement_s, 1, case when (u.before ->> 'answers')::int > 0 then (u.before ->> 'engagement_s')::float8 end),
    ('cost_per_answer', u.cost_usd, u.answers, (u.before ->> 'cost_usd')::float8 / nullif((u.before ->> 'answers')::float8, 0)),
    ('latency', u.latency_ms, u.timed, (u.before ->> 'latency_ms')::float8 / nullif((u.before ->> 'timed')::float8, 0)),
    ('regenerations', u.regenerations, u.answers, (u.before ->> 'regenerations')::float8 / nullif((u.before ->> 'answers')::float8, 0)),
    ('errors', u.failed, u.answers, (u.before ->> 'failed')::float8 / nullif((u.before ->> 'answers')::float8, 0)),
    ('retention', u.is_retained::int, case when u.is_retained is not null then 1 end, null)) as v(metric, x, n, p)
where v.n is not null;

comment on view uplift.experiment_values is
    'What each user of an experiment adds to each of uplift.metrics(): x of n (1 for a mean), and p, the same figure of the 28 days before, null where there was none.';

create or replace function uplift.note_outcomes(p_id uuid, p_user_ids uuid[]) returns void
language plpgsql volatile
as $$
begin
    with found as materialized (
        select v.user_id, v.metric, (case when m.is_ratio then v.x / v.n else v.x end)::numeric as value
        from uplift.experiment_values v join uplift.metrics() m on m.metric = v.metric
        where v.experiment_id = p_id and v.user_id = any (p_user_ids) and v.n > 0
    ), gone as (
        delete from public.experiment_outcomes o
        where o.experiment_id = p_id and o.user_id = any (p_user_ids) and o.measured_by = 'uplift' and not exists (
            select from found f where f.user_id = o.user_id and f.metric = o.metric_name)
    )
    insert into public.experiment_outcomes (experiment_id, user_id, metric_name, metric_value, measured_at, measured_by)
    select p_id, f.user_id, f.metric, f.value, now(), 'uplift'
    from found f
    where not exists (
        select from public.experiment_outcomes o
        where o.experiment_id = p_id and o.user_id = f.user_id and o.metric_name = f.metric and o.measured_by = 'uplift' and o.metric_value = f.value)
    on conflict (experiment_id, user_id, metric_name, measured_by) do update set metric_value = excluded.metric_value, measured_at = excluded.measured_at;
exception when others then
    -- What a deployment wants of its own table must not keep experiments from being judged.
    if not uplift.is_bad_row(sqlstate) then
        raise;
    end if;
    raise warning 'experiment_outcomes takes no rows of uplift: %', sqlerrm;
end
$$;

comment on function uplift.note_outcomes(uuid, uuid[]) is
    'Brings experiment_outcomes in step with what was counted of these users of an experiment: a row for each of uplift.metrics() of which there is something, x / n or, of a mean, x. Rows of other programs stay as they are.';

create or replace function uplift_batch.experiment_sums(p_id uuid) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments;
    v_variants text[];
    v_result jsonb;
begin
    select e.* into v_experiment from public.ai_experiments e where e.id = p_id;
    if not found then
        return null;
    end if;
    v_variants := (uplift.prepared_experiment(v_experiment)).variants;
    with caps as materialized (
        -- One user who does a hundred times as much must not outweigh all others. Over all arms together.
        select v.metric, m.is_ratio, percentile_disc(0.99) within group (order by case when m.is_ratio then v.n else v.x end) as cap
        from uplift.experiment_values v join uplift.metrics() m on m.metric = v.metric
        where v.experiment_id = p_id and case when m.is_ratio then v.n else v.x end > 0
        group by v.metric, m.is_ratio
    ), cut as (
        select v.metric, v.variant, v.p,
            case when c.is_ratio and v.n > c.cap then v.x * c.cap / v.n when not c.is_ratio and v.metric <> 'retention' then least(v.x, coalesce(c.cap, v.x)) else v.x end as x,
            case when c.is_ratio then least(v.n, c.cap) else v.n end as n
        from uplift.experiment_values v left join caps c on c.metric = v.metric
        where v.experiment_id = p_id
    ), sums as (
        select c.metric, c.variant, jsonb_build_object('users', count(*), 'sx', sum(c.x), 'sxx', sum(c.x * c.x), 'sn', sum(c.n),
            'sxn', sum(c.x * c.n), 'snn', sum(c.n * c.n), 'pre_users', count(c.p), 'sp', coalesce(sum(c.p), 0), 'spp', coalesce(sum(c.p * c.p), 0),
            'spx', coalesce(sum(c.p * c.x), 0), 'spn', coalesce(sum(c.p * c.n), 0),
            'pre_sx', coalesce(sum(c.x) filter (where c.p is not null), 0), 'pre_sn', coalesce(sum(c.n) filter (where c.p is not null), 0)) as sums
        from cut c group by c.metric, c.variant
    )
    select jsonb_build_object('id', p_id, 'alpha', coalesce(v_experiment.alpha, 0.05), 'min_users', coalesce(v_experiment.min_users, 100),
        'tuning_users', coalesce(v_experiment.tuning_users, 5000), 'elapsed', uplift.elapsed_of_test(v_experiment),
        'success_metric', v_experiment.success_metric, 'guardrails', coalesce(v_experiment.guardrails, '[]'),
        'weights', (select jsonb_agg(coalesce((v ->> 'weight')::float8, 1) order by n) from unnest(uplift.variants_of(v_experiment)) with ordinality u(v, n)),
        'had_other_weights', coalesce(v_experiment.keeps_assignments, false),
        'variants', to_jsonb(v_variants),
        'users', (select jsonb_agg((select count(*) from uplift.experiment_users u where u.experiment_id = p_id and u.variant = w.name) order by w.n)
            from unnest(v_variants) with ordinality w(name, n)),
        'metrics', (select jsonb_agg(jsonb_build_object('metric', m.metric, 'better', m.better, 'kind',
            case when m.is_ratio then 'ratio' when m.metric = 'retention' then 'share' else 'mean' end, 'cap', c.cap,
            'sums', (select jsonb_agg(s.sums order by w.n) from unnest(v_variants) with ordinality w(name, n)
                left join sums s on s.metric = m.metric and s.variant = w.name),
            'before', (select jsonb_agg(l.figures -> 'always_valid' order by w.n) from unnest(v_variants) with ordinality w(name, n)
                left join lateral (
                    select k.figures from uplift.experiment_looks k
                    where k.experiment_id = p_id and k.metric = m.metric and k.variant = w.name order by k.id desc limit 1) l on true)) order by m.metric)
            from uplift.metrics() m left join caps c on c.metric = m.metric),
        'srm_before', (select k.figures from uplift.experiment_looks k
            where k.experiment_id = p_id and k.metric = 'users' and k.variant = '' order by k.id desc limit 1))
    into v_result;
    return v_result;
end
$$;

comment on function uplift_batch.experiment_sums(uuid) is
    'What an experiment''s statistics are made of, from the last count of its users: variants, users and weights of each, and for each of uplift.metrics() the sums over users of each variant (struct arm_sums of src/statistics), winsorised: a user''s denominator (a mean''s value) above the 99th percentile of those over 0, all variants together, counts as that, with the numerator in proportion; and what the last look said (before, srm_before). Null when it is gone.';

create or replace function uplift_batch.record_look(p_id uuid, p_look jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments;
    v_crossed text := p_look #>> '{conclusion,guardrail}';
begin
    select e.* into v_experiment from public.ai_experiments e where e.id = p_id for update;
    if not found then
        return jsonb_build_object('recorded', false);
    end if;
    -- Nothing that is new is no new row: rollouts are looked at every five minutes. That time goes on is nothing new.
    with found as materialized (
        select l.value ->> 'metric' as metric, l.value ->> 'variant' as variant, l.value -> 'figures' as figures, l.ordinality as n, k.id, k.figures as before,
            '{chance_to_prove,elapsed}'::text[] as of_time
        from jsonb_array_elements(p_look -> 'looks') with ordinality l
        left join lateral (
            select x.id, x.figures from uplift.experiment_looks x
            where x.experiment_id = p_id and x.metric = l.value ->> 'metric' and x.variant = l.value ->> 'variant' order by x.id desc limit 1) k on true
    ), same as (
        update uplift.experiment_looks k set looked_at = now(), figures = f.figures
        from found f where k.id = f.id and f.before - f.of_time = f.figures - f.of_time
    )
    insert into uplift.experiment_looks (experiment_id, metric, variant, figures)
    select p_id, f.metric, f.variant, f.figures from found f where f.before - f.of_time is distinct from f.figures - f.of_time order by f.n;
    update public.ai_experiments e set winner_variant = p_look #>> '{conclusion,winner}',
        confidence_level = (p_look #>> '{conclusion,confidence}')::numeric
    where e.id = p_id and (e.winner_variant, e.confidence_level) is distinct from
        (p_look #>> '{conclusion,winner}', (p_look #>> '{conclusion,confidence}')::numeric);
    if v_experiment.winner_variant is distinct from p_look #>> '{conclusion,winner}' then
        perform uplift.note_experiment(p_id, 'concluded', 'uplift', coalesce(p_look #>> '{conclusion,text}', ''));
    end if;
    -- Somebody may be looking at it for days; nobody shall be harmed meanwhile.
    if v_crossed is not null and v_experiment.status = 'running' then
        update public.ai_experiments e set status = 'paused', status_reason = left(v_crossed, 2000) where e.id = p_id;
        perform uplift.note_experiment(p_id, 'paused', 'uplift', v_crossed);
    end if;
    return jsonb_build_object('recorded', true);
end
$$;

comment on function uplift_batch.record_look(uuid, jsonb) is
    'Keeps what a look at an experiment said (figures that are the same as at the last look only get its time), {looks: [{metric, variant, figures}], conclusion: {winner, confidence, text, guardrail}}, writes winner_variant and confidence_level, and pauses an experiment that runs where a guardrail is crossed.';

create or replace function uplift_batch.admin_experiment_results(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments;
    v_metric text := uplift.text_argument(p_arguments, 'history', 100);
begin
    perform uplift.check_arguments(p_arguments, '{history}');
    select e.* into v_experiment from public.ai_experiments e where e.id = p_id;
    if not found then
        perform uplift.fail(404, 'experiment_not_found', 'there is no such experiment');
    elsif v_metric is not null and v_metric <> 'users' and not exists (select from uplift.metrics() m where m.metric = v_metric) then
        perform uplift.fail(400, 'invalid_history', format('history must be users or one of %s', (select string_agg(m.metric, ', ') from uplift.metrics() m)), 'history');
    end if;
    if v_metric is not null then
        return jsonb_build_object('object', 'list', 'has_more', false, 'data', (
            select coalesce(jsonb_agg(jsonb_build_object('looked_at', l.looked_at, 'variant', l.variant, 'figures', l.figures) order by l.id), '[]')
            from (select * from uplift.experiment_looks k where k.experiment_id = p_id and k.metric = v_metric order by k.id desc limit 2000) l));
    end if;
    return jsonb_build_object('object', 'experiment_results', 'experiment', uplift.experiment_json(v_experiment),
        'looked_at', (select max(l.looked_at) from uplift.experiment_looks l where l.experiment_id = p_id),
        'next', case when not exists (select from uplift.experiment_looks l where l.experiment_id = p_id)
            then 'nothing was measured yet: job measure-experiments does it, hourly, or at once with POST /admin/jobs/measure-experiments' end,
        'sample_ratio', (select l.figures from uplift.experiment_looks l
            where l.experiment_id = p_id and l.metric = 'users' order by l.id desc limit 1),
        'metrics', (
            select coalesce(jsonb_agg(jsonb_build_object('metric', m.metric, 'meaning', m.meaning, 'better', case m.better when 1 then 'more' else 'less' end,
                'decides', m.metric = v_experiment.success_metric, 'variants', x.variants) order by m.metric <> v_experiment.success_metric, m.metric), '[]')
            from uplift.metrics() m
            cross join lateral (
                select jsonb_agg(jsonb_build_object('variant', w.name, 'figures', l.figures) order by w.n) as variants
                from unnest(array(select v ->> 'variant_name' from unnest(uplift.variants_of(v_experiment)) v)) with ordinality w(name, n)
                cross join lateral (
                    select k.figures from uplift.experiment_looks k
                    where k.experiment_id = p_id and k.metric = m.metric and k.variant = w.name order by k.id desc limit 1) l) x
            where x.variants is not null));
end
$$;

comment on function uplift_batch.admin_experiment_results(uuid, jsonb, text) is
    'What came of an experiment at the last look: sample_ratio, and of each metric each variant''s figures; with history, the looks at one metric (or users), the last 2000. UP404 experiment_not_found, UP400 invalid_history.';

create or replace function uplift_batch.experiment_baseline(p_arguments jsonb) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_metric text := coalesce(uplift.text_argument(p_arguments, 'metric', 100), 'thumbs_up_rate');
    v_coach text := uplift.text_argument(p_arguments, 'coach_id', 200);
    v_from timestamptz := now() - interval '672 hours';
    v_result jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{metric,coach_id,lift,variants,traffic_share,users_per_day,alpha,power}');
    if v_metric not in ('thumbs_up_rate', 'avg_rating', 'engagement_time', 'cost_per_answer', 'latency', 'regenerations', 'errors') then
        perform uplift.fail(400, 'invalid_metric', 'metric must be thumbs_up_rate, avg_rating, engagement_time, cost_per_answer, latency, regenerations or errors', 'metric');
    elsif v_coach is not null and not exists (select from uplift.coaches c where c.id = v_coach) then
        perform uplift.fail(404, 'coach_not_found', 'there is no such coach', 'coach_id');
    end if;
    with users as materialized (
        select a.user_id from public.coach_response_feedback a where a.id >= uplift.first_id_of(v_from) and (v_coach is null or a.coach_id = v_coach) group by a.user_id limit 20000
    ), figures as materialized (
        select case v_metric when 'thumbs_up_rate' then c.thumbs_up when 'avg_rating' then c.rating_sum when 'engagement_time' then c.engagement_s
                when 'cost_per_answer' then c.cost_usd when 'latency' then c.latency_ms when 'regenerations' then c.regenerations else c.failed end::float8 as x,
            case v_metric when 'thumbs_up_rate' then c.thumbs when 'avg_rating' then c.ratings when 'engagement_time' then 1
                when 'latency' then c.timed else c.answers end::float8 as n
        from users u cross join lateral uplift.counts_of(u.user_id, v_from, now(), null, now(), v_coach) c
    ), cap as (
        select percentile_disc(0.99) within group (order by case v_metric when 'engagement_time' then f.x else f.n end) as most
        from figures f where case v_metric when 'engagement_time' then f.x else f.n end > 0
    ), cut as (
        select case when v_metric = 'engagement_time' then least(f.x, c.most) when f.n > c.most then f.x * c.most / f.n else f.x end as x,
            case when v_metric = 'engagement_time' then f.n else least(f.n, c.most) end as n
        from figures f cross join cap c
    )
    select jsonb_build_object('metric', v_metric, 'users', count(*), 'sx', coalesce(sum(c.x), 0), 'sxx', coalesce(sum(c.x * c.x), 0), 'sn', coalesce(sum(c.n), 0),
        'sxn', coalesce(sum(c.x * c.n), 0), 'snn', coalesce(sum(c.n * c.n), 0), 'users_per_day', count(*) / 28.0) into v_result
    from cut c;
    return v_result;
end
$$;

comment on function uplift_batch.experiment_baseline(jsonb) is
    'What users of the last 28 days (at most 20,000 of them) did by a metric, with coach_id with that coach, for planning: sums as those of uplift_batch.experiment_sums(), and users_per_day. UP400 invalid_metric, unknown_argument; UP404 coach_not_found.';

-- --- for metrics ---

create or replace function uplift.experiment_gauges() returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'status', (select jsonb_object_agg(x.status, (select count(*) from public.ai_experiments e where e.status = x.status))
            from unnest('{draft,running,paused,completed}'::text[]) x(status)),
        'mismatches', (select count(*) from uplift.running_experiments r cross join lateral (
            select l.figures from uplift.experiment_looks l
            where l.experiment_id = r.id and l.metric = 'users' and l.variant = '' order by l.id desc limit 1) l where l.figures -> 'is_mismatch' = 'true'))
$$;

comment on function uplift.experiment_gauges() is
    'Experiments for metrics, those of rollouts among them: how many of each status, and of how many that run the last look found a sample ratio mismatch, {status, mismatches}.';
