-- How good predictions are: by type, model, version and day, over time, and whether that gets worse.

create or replace function uplift.confidence_bin(p_confidence double precision) returns int
language sql immutable parallel safe
as $$ select least(trunc(p_confidence * 10)::int, 9) $$;

comment on function uplift.confidence_bin(double precision) is 'Which of ten equal bins, from 0, a confidence of 0 to 1 is in; 1 is in the last.';

-- Nothing that is certain of the wrong thing is punished without end.
create or replace function uplift.log_loss(p_confidence double precision, p_came boolean) returns double precision
language sql immutable parallel safe
as $$ select -ln(least(greatest(case when p_came then p_confidence else 1 - p_confidence end, 1e-6), 1)) $$;

comment on function uplift.log_loss(double precision, boolean) is
    'The negative natural logarithm of the probability that was given to what came, which is taken to be at least 1e-6.';

create or replace function uplift.bins_of(p_rows uplift.prediction_figures[])
returns table (bin int, n bigint, confidence_sum double precision, came_true bigint)
language sql immutable
as $$
    select (x.at - 1)::int, coalesce(sum(x.n), 0)::bigint, coalesce(sum(x.confidence), 0), coalesce(sum(x.came), 0)::bigint
    from unnest(p_rows) r
    cross join lateral unnest(r.bin_n, r.bin_confidence, r.bin_true) with ordinality x(n, confidence, came, at)
    group by x.at
$$;

comment on function uplift.bins_of(uplift.prediction_figures[]) is 'The ten bins of confidence, added up over rows.';

create or replace function uplift.figures_of(p_rows uplift.prediction_figures[], out n bigint, out n_outcome bigint, out n_judged bigint,
    out accuracy double precision, out brier double precision, out reliability double precision, out resolution double precision,
    out uncertainty double precision, out within_bin double precision, out ece double precision, out log_loss double precision,
    out mae double precision, out mape double precision)
language sql immutable
as $$
    with sums as (
        select coalesce(sum(r.n), 0)::bigint as n, coalesce(sum(r.n_outcome), 0)::bigint as n_outcome, coalesce(sum(r.n_judged), 0)::bigint as n_judged,
            sum(r.accuracy_sum) / nullif(sum(r.n_accuracy), 0)::float8 as accuracy, sum(r.squared_sum) / nullif(sum(r.n_judged), 0)::float8 as brier,
            sum(r.log_loss_sum) / nullif(sum(r.n_judged), 0)::float8 as log_loss, sum(r.absolute_sum) / nullif(sum(r.n_numbers), 0)::float8 as mae,
            sum(r.percent_sum) / nullif(sum(r.n_percent), 0)::float8 as mape
        from unnest(p_rows) r
    ), bins as (
        select b.n::float8 as n, b.confidence_sum / b.n as confidence, b.came_true::float8 / b.n as rate, sum(b.n) over ()::float8 as of_all,
            sum(b.came_true) over ()::float8 / sum(b.n) over ()::float8 as base
        from uplift.bins_of(p_rows) b where b.n > 0
    ), parts as (
        select sum(b.n * power(b.confidence - b.rate, 2) / b.of_all) as reliability, sum(b.n * power(b.rate - b.base, 2) / b.of_all) as resolution,
            max(b.base * (1 - b.base)) as uncertainty, sum(b.n * abs(b.confidence - b.rate) / b.of_all) as ece
        from bins b
    )
    select s.n, s.n_outcome, s.n_judged, s.accuracy, s.brier, p.reliability, p.resolution, p.uncertainty,
        s.brier - (p.reliability - p.resolution + p.uncertainty), p.ece, s.log_loss, s.mae, s.mape
    from sums s, parts p
$$;

comment on function uplift.figures_of(uplift.prediction_figures[]) is
    'The figures of rows, added up; null where nothing is known. Brier score and its decomposition over the ten bins: reliability, resolution, uncertainty (Murphy 1973), and within_bin, what is left of it because confidence varies within a bin (Stephenson, Coelho and Jolliffe 2008). Expected calibration error: the mean over bins, each by what is in it, of how far its mean confidence is from the rate that came true (Naeini, Cooper and Hauskrecht 2015).';

create or replace function uplift.figures_json(p_rows uplift.prediction_figures[]) returns jsonb
language sql immutable
as $$
    select jsonb_build_object('n', f.n, 'n_with_outcome', f.n_outcome, 'n_judged', f.n_judged, 'accuracy', round(f.accuracy::numeric, 6),
        'brier', round(f.brier::numeric, 6), 'reliability', round(f.reliability::numeric, 6), 'resolution', round(f.resolution::numeric, 6),
        'uncertainty', round(f.uncertainty::numeric, 6), 'within_bin', round(f.within_bin::numeric, 6), 'ece', round(f.ece::numeric, 6),
        'log_loss', round(f.log_loss::numeric, 6), 'mae', round(f.mae::numeric, 6), 'mape', round(f.mape::numeric, 6))
    from uplift.figures_of(p_rows) f
$$;

comment on function uplift.figures_json(uplift.prediction_figures[]) is 'uplift.figures_of() for people.';

create or replace function uplift.accuracy_within(p_accuracy numeric) returns numeric
language sql immutable parallel safe
as $$ select case when p_accuracy between 0 and 1 then p_accuracy end $$;

comment on function uplift.accuracy_within(numeric) is 'An accuracy as it may be, 0 to 1; null of what a deployment wrote otherwise.';

create or replace function uplift.came_true(p_accepted boolean, p_accuracy numeric, p_right_at numeric) returns boolean
language sql immutable parallel safe
as $$ select coalesce(p_accepted, uplift.accuracy_within(p_accuracy) >= p_right_at) $$;

comment on function uplift.came_true(boolean, numeric, numeric) is
    'Whether a prediction came true: it was accepted, or where nobody said, right to predictions.right_at at least. Null where neither is known.';

create or replace function uplift.judged_predictions(p_day date)
returns table (prediction_type text, model_name text, model_version text, has_outcome boolean, accuracy double precision, confidence double precision,
    came_true boolean, n_numbers bigint, absolute_sum double precision, n_percent bigint, percent_sum double precision)
language plpgsql stable
as $$
#variable_conflict use_column
declare
    v_right_at numeric := uplift.setting_number('predictions.right_at', 0.8);
    v_groups constant int := 1000; -- of a day that are told apart
begin
    return query
        with rows as materialized (
            select p.* from public.ai_predictions p
            where p.created_at >= p_day::timestamp at time zone 'UTC' and p.created_at < (p_day + 1)::timestamp at time zone 'UTC'
        ), names as materialized (
            -- Who may record predictions chooses the names.
            select x.prediction_type, x.model_name, x.model_version,
                x.model_name not like 'uplift-%' and row_number() over (order by count(*) desc, x.prediction_type, x.model_name, x.model_version) > v_groups as is_other
            from rows x group by x.prediction_type, x.model_name, x.model_version
        )
        select r.prediction_type, case when g.is_other then 'other' else r.model_name end, case when g.is_other then '' else r.model_version end,
            num_nonnulls(r.actual_user_choice, r.user_accepted, r.user_satisfaction_rating) > 0, uplift.accuracy_within(r.prediction_accuracy)::float8,
            case when r.confidence_score between 0 and 1 then r.confidence_score::float8 end,
            uplift.came_true(r.user_accepted, r.prediction_accuracy, v_right_at), e.n, coalesce(e.absolute, 0), e.n_percent, coalesce(e.percent, 0)
        from rows r
        join names g on (g.prediction_type, g.model_name, g.model_version) = (r.prediction_type, r.model_name, r.model_version)
        cross join lateral (
            select count(*) as n, sum(abs(n.predicted - n.actual))::float8 as absolute, count(*) filter (where n.actual <> 0) as n_percent,
                sum(abs(n.predicted - n.actual) / abs(nullif(n.actual, 0)))::float8 as percent
            from uplift.number_pairs(r.predicted_output, r.actual_user_choice) n
            where r.predicted_output is not null and r.actual_user_choice is not null) e;
end
$$;

comment on function uplift.judged_predictions(date) is
    'The predictions of a day (UTC) with what figures are made of: how right they were, and whether they came true (uplift.came_true). Of a day the thousand types, models and versions with most predictions are told apart, and all of uplift''s own.';

create or replace function uplift.measure_day(p_day date) returns bigint
language plpgsql volatile
as $$
declare
    v_count bigint;
begin
    delete from uplift.prediction_figures f where f.day = p_day;
    with cells as materialized (
        select p.prediction_type as t, p.model_name as m, p.model_version as v,
            case when p.confidence is not null and p.came_true is not null then uplift.confidence_bin(p.confidence) end as bin,
            count(*) as n, count(*) filter (where p.has_outcome) as n_outcome, count(p.accuracy) as n_accuracy, coalesce(sum(p.accuracy), 0) as accuracy_sum,
            coalesce(sum(p.confidence), 0) as confidence_sum, count(*) filter (where p.came_true) as came_true,
            coalesce(sum(power(p.confidence - p.came_true::int, 2)), 0) as squared_sum,
            coalesce(sum(uplift.log_loss(p.confidence, p.came_true)) filter (where p.came_true is not null), 0) as log_loss_sum,
            sum(p.n_numbers) as n_numbers, sum(p.absolute_sum) as absolute_sum, sum(p.n_percent) as n_percent, sum(p.percent_sum) as percent_sum
        from uplift.judged_predictions(p_day) p
        group by 1, 2, 3, 4
    ), bins as materialized (
        select g.t, g.m, g.v, array_agg(coalesce(c.n, 0) order by b) as n, array_agg(coalesce(c.confidence_sum, 0) order by b) as confidence,
            array_agg(coalesce(c.came_true, 0) order by b) as came_true
        from (select distinct c.t, c.m, c.v from cells c) g
        cross join generate_series(0, 9) b
        left join cells c on (c.t, c.m, c.v, c.bin) = (g.t, g.m, g.v, b)
        group by g.t, g.m, g.v
    )
    insert into uplift.prediction_figures as f (day, prediction_type, model_name, model_version, n, n_outcome, n_accuracy, accuracy_sum, n_judged,
        squared_sum, log_loss_sum, bin_n, bin_confidence, bin_true, n_numbers, absolute_sum, n_percent, percent_sum)
    select p_day, c.t, c.m, c.v, sum(c.n), sum(c.n_outcome), sum(c.n_accuracy), sum(c.accuracy_sum), coalesce(sum(c.n) filter (where c.bin is not null), 0),
        coalesce(sum(c.squared_sum) filter (where c.bin is not null), 0), coalesce(sum(c.log_loss_sum) filter (where c.bin is not null), 0),
        b.n, b.confidence, b.came_true, sum(c.n_numbers), sum(c.absolute_sum), sum(c.n_percent), sum(c.percent_sum)
    from cells c
    join bins b on (b.t, b.m, b.v) = (c.t, c.m, c.v)
    group by c.t, c.m, c.v, b.n, b.confidence, b.came_true;
    update uplift.prediction_figures f set (accuracy, brier, reliability, resolution, uncertainty, within_bin, ece, log_loss, mae, mape) = (
        select x.accuracy, x.brier, x.reliability, x.resolution, x.uncertainty, x.within_bin, x.ece, x.log_loss, x.mae, x.mape
        from uplift.figures_of(array[f]) x)
    where f.day = p_day;
    select coalesce(sum(f.n), 0) into v_count from uplift.prediction_figures f where f.day = p_day;
    return v_count;
end
$$;

comment on function uplift.measure_day(date) is 'Measures the predictions of a day (UTC) anew, into uplift.prediction_figures; how many there are.';

-- --- what gets worse ---

create or replace function uplift.watch_predictions(p_today date) returns int
language plpgsql volatile
as $$
declare
    v_days int := least(greatest(uplift.setting_number('predictions.watch_days', 7), 1), 365)::int;
    v_before int := least(greatest(uplift.setting_number('predictions.reference_days', 28), 1), 3650)::int;
    v_least bigint := greatest(uplift.setting_number('predictions.min_outcomes', 500), 1)::bigint;
    v_brier float8 := uplift.setting_number('predictions.max_brier_rise', 0.05);
    v_ece float8 := uplift.setting_number('predictions.max_ece_rise', 0.05);
    v_count int;
begin
    with rows as materialized (
        select f, f.prediction_type as t, f.model_name as m, f.model_version as v, f.day > p_today - v_days as is_last
        from uplift.prediction_figures f where f.day > p_today - v_days - v_before and f.day <= p_today
    ), last as (
        select g.t, g.m, g.v, x.n_judged, x.brier, x.ece
        from (select r.t, r.m, r.v, array_agg(r.f) as members from rows r where r.is_last group by r.t, r.m, r.v) g
        cross join lateral uplift.figures_of(g.members) x where x.n_judged > 0
    ), before as (
        -- A null version is all versions of the model.
        select g.t, g.m, g.v, x.n_judged, x.brier, x.ece
        from (select r.t, r.m, r.v, array_agg(r.f) as members from rows r where not r.is_last group by grouping sets ((r.t, r.m, r.v), (r.t, r.m))) g
        cross join lateral uplift.figures_of(g.members) x where x.n_judged >= v_least
    ), compared as (
        select l.*, case when o.t is not null then 'version' when a.t is not null then 'model' end as reference,
            coalesce(o.n_judged, a.n_judged) as reference_n, coalesce(o.brier, a.brier) as reference_brier, coalesce(o.ece, a.ece) as reference_ece
        from last l
        left join before o on (o.t, o.m, o.v) = (l.t, l.m, l.v)
        left join before a on (a.t, a.m) = (l.t, l.m) and a.v is null
    ), judged as (
        select c.*, case when c.n_judged >= v_least then array_remove(array[
                case when c.brier - c.reference_brier > v_brier then 'brier' end, case when c.ece - c.reference_ece > v_ece then 'ece' end], null)
            else '{}' end as exceeds
        from compared c
    ), kept as (
        select j.*, row_number() over (order by cardinality(j.exceeds) = 0, j.n_judged desc, j.t, j.m, j.v) as place from judged j
    ), gone as (
        delete from uplift.prediction_watch w where not exists (
            select from kept k where (k.t, k.m, k.v) = (w.prediction_type, w.model_name, w.model_version) and (k.place <= 100 or k.exceeds <> '{}'))
    )
    insert into uplift.prediction_watch as w (prediction_type, model_name, model_version, n, brier, ece, reference, reference_n, reference_brier,
        reference_ece, exceeds, since)
    select k.t, k.m, k.v, k.n_judged, k.brier, k.ece, k.reference, k.reference_n, k.reference_brier, k.reference_ece, k.exceeds,
        case when k.exceeds <> '{}' then now() end
    from kept k where k.place <= 100 or k.exceeds <> '{}'
    on conflict (prediction_type, model_name, model_version) do update set n = excluded.n, brier = excluded.brier, ece = excluded.ece,
        reference = excluded.reference, reference_n = excluded.reference_n, reference_brier = excluded.reference_brier,
        reference_ece = excluded.reference_ece, exceeds = excluded.exceeds, looked_at = now(),
        since = case when excluded.exceeds <> '{}' then coalesce(w.since, now()) end;
    select count(*) into v_count from uplift.prediction_watch w where w.exceeds <> '{}';
    return v_count;
end
$$;

comment on function uplift.watch_predictions(date) is
    'Compares the last predictions.watch_days (7) up to a day with the predictions.reference_days (28) before, into uplift.prediction_watch; how many are worse by more than predictions.max_brier_rise or predictions.max_ece_rise (0.05). Nothing is compared on fewer than predictions.min_outcomes (500) judged in either: with few in ten bins the calibration error of anything is large.';

create or replace function uplift_batch.measure_predictions(p_after text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_until bigint := p_after::bigint;
    v_day date;
    v_count bigint := 0;
    v_goes_on boolean := false;
    v_warnings int := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('uplift.prediction_figures', 0));
    -- What comes while the job is at work is for its next run, or today would never be done.
    if v_until is null then
        select coalesce(max(q.id), 0) into v_until from uplift.prediction_queue q;
    end if;
    select min(q.day) into v_day from uplift.prediction_queue q where q.id <= v_until;
    if v_day is not null then
        -- Taken out before the rows are looked at, so that a later change is in the queue again.
        delete from uplift.prediction_queue q where q.day = v_day;
        v_count := uplift.measure_day(v_day);
        v_goes_on := exists (select from uplift.prediction_queue q where q.id <= v_until);
    end if;
    if not v_goes_on then
        v_warnings := uplift.watch_predictions((now() at time zone 'UTC')::date);
    end if;
    return jsonb_build_object('days', (v_day is not null)::int, 'predictions', v_count, 'warnings', v_warnings, 'after', v_until::text,
        'goes_on', v_goes_on);
end
$$;

comment on function uplift_batch.measure_predictions(text) is
    'A step of the job measure-predictions: measures one day of which predictions are new, changed or gone (uplift.prediction_queue), up to where the first step, of p_after null, found the queue to end (after, for the next one), and in the end looks for what gets worse (uplift.watch_predictions). Returns {days, predictions, warnings, after, goes_on}.';

-- --- asking ---

create or replace function uplift.prediction_days(p_arguments jsonb, out p_from date, out p_to date)
language plpgsql stable
as $$
begin
    p_to := coalesce((uplift.time_argument(p_arguments, 'to') at time zone 'UTC')::date, (now() at time zone 'UTC')::date);
    p_from := coalesce((uplift.time_argument(p_arguments, 'from') at time zone 'UTC')::date, p_to - 29);
    if p_to < p_from or p_to - p_from >= 1000 then
        perform uplift.fail(400, 'invalid_from', 'from must not be after to, nor more than 1000 days before', 'from');
    end if;
end
$$;

comment on function uplift.prediction_days(jsonb) is 'The days (UTC) "from" to "to", by default the last 30. UP400 invalid_from, invalid_to.';

create or replace function uplift.figure_rows(p_arguments jsonb, out p_from date, out p_to date, out p_rows uplift.prediction_figures[])
language plpgsql stable
as $$
begin
    perform uplift.check_prediction_type(p_arguments ->> 'prediction_type');
    select d.p_from, d.p_to into p_from, p_to from uplift.prediction_days(p_arguments) d;
    select array_agg(f) into p_rows from uplift.prediction_figures f
    where f.day between p_from and p_to
        and (not p_arguments ? 'prediction_type' or f.prediction_type = p_arguments ->> 'prediction_type')
        and (not p_arguments ? 'model_name' or f.model_name = p_arguments ->> 'model_name')
        and (not p_arguments ? 'model_version' or f.model_version = p_arguments ->> 'model_version');
end
$$;

comment on function uplift.figure_rows(jsonb) is
    'Rows of uplift.prediction_figures of the days "from" to "to" (by default the last 30), of prediction_type, model_name and model_version where these are named. UP400 invalid_from, invalid_to, invalid_prediction_type.';

create or replace function uplift_batch.admin_prediction_figures(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_step text := coalesce(p_arguments ->> 'step', 'day');
    v_by text := coalesce(p_arguments ->> 'by', 'version');
    v_limit int;
    v record;
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{prediction_type,model_name,model_version,from,to,step,by,limit}');
    if v_step not in ('day', 'week', 'all') then
        perform uplift.fail(400, 'invalid_step', 'step must be day, week or all', 'step');
    elsif v_by not in ('version', 'time') then
        perform uplift.fail(400, 'invalid_by', 'by must be version or time', 'by');
    end if;
    v_limit := uplift.page_limit(p_arguments);
    select r.* into v from uplift.figure_rows(p_arguments) r;
    select array_agg(x.line) into v_rows
    from (
        select jsonb_build_object('at', g.at, 'prediction_type', g.t, 'model_name', g.m, 'model_version', g.v) || uplift.figures_json(g.members) as line
        from (
            select case v_step when 'all' then v.p_from else date_trunc(v_step, r.day::timestamp)::date end as at,
                x.t, x.m, x.v, sum(r.n) as n, array_agg(r) as members
            from unnest(v.p_rows) r
            left join lateral (select r.prediction_type as t, r.model_name as m, r.model_version as v) x on v_by = 'version'
            group by 1, 2, 3, 4
            order by 1 desc, 5 desc, 2, 3, 4 limit v_limit + 1) g
        order by g.at desc, g.n desc, g.t, g.m, g.v) x;
    return uplift.list_page(v_rows, v_limit) || jsonb_build_object('from', v.p_from, 'to', v.p_to, 'step', v_step, 'total', uplift.figures_json(v.p_rows));
end
$$;

comment on function uplift_batch.admin_prediction_figures(uuid, jsonb, text) is
    'How good predictions are, by type, model and version, over time: prediction_type, model_name, model_version, from, to (days; by default the last 30), step (day, week, all), by (version, or time: all of them together), limit; the latest first, and of a time those with most predictions. UP400 invalid_from, invalid_to, invalid_step, invalid_by, invalid_limit, invalid_prediction_type.';

create or replace function uplift_batch.admin_list_predictions(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    c_most constant int := 100000; -- that are looked at
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_right_at numeric := uplift.setting_number('predictions.right_at', 0.8);
    v_came_true text := p_arguments ->> 'came_true';
    v_days record;
    v_begins timestamptz;
    v_before timestamptz;
    v_at timestamptz;
    v record;
    v_looked int := 0;
    v_last uuid;
    v_next uuid;
    v_rows jsonb[] := array[]::jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,prediction_type,model_name,model_version,from,to,came_true}');
    perform uplift.check_prediction_type(p_arguments ->> 'prediction_type');
    if v_came_true not in ('true', 'false') then
        perform uplift.fail(400, 'invalid_came_true', 'came_true must be true or false', 'came_true');
    end if;
    select d.* into v_days from uplift.prediction_days(p_arguments) d;
    v_begins := v_days.p_from::timestamp at time zone 'UTC';
    v_before := (v_days.p_to + 1)::timestamp at time zone 'UTC';
    if v_after is not null then
        select p.created_at into v_at from public.ai_predictions p where p.id = v_after;
        if not found then
            perform uplift.fail(400, 'invalid_after', 'after must be the next_after of the page before', 'after');
        elsif v_at < v_before then
            v_before := v_at;
        else
            v_after := null; -- it is later than all that is asked for
        end if;
    end if;
    for v in
        select p.id, p.created_at, p.user_id, p.prediction_type, p.model_name, p.model_version, p.confidence_score, p.user_accepted,
            p.user_satisfaction_rating, p.prediction_accuracy, p.feedback_received_at,
            uplift.came_true(p.user_accepted, p.prediction_accuracy, v_right_at) as came_true
        from public.ai_predictions p
        where p.created_at >= v_begins and p.created_at <= v_before and (p.created_at < v_before or p.id < v_after)
        order by p.created_at desc, p.id desc limit c_most + 1
    loop
        v_looked := v_looked + 1;
        if v_looked > c_most then
            v_next := v_last;
            exit;
        end if;
        v_last := v.id;
        continue when p_arguments ? 'prediction_type' and v.prediction_type <> p_arguments ->> 'prediction_type'
            or p_arguments ? 'model_name' and v.model_name <> p_arguments ->> 'model_name'
            or p_arguments ? 'model_version' and v.model_version <> p_arguments ->> 'model_version'
            or v_came_true is not null and v.came_true is distinct from v_came_true::boolean;
        if cardinality(v_rows) = v_limit then
            v_next := (v_rows[v_limit] ->> 'id')::uuid;
            exit;
        end if;
        v_rows := v_rows || (jsonb_build_object('object', 'prediction') || to_jsonb(v) || jsonb_build_object('answer_id',
            case when v.model_name = 'uplift-thumbs' then v.id end));
    end loop;
    return uplift.list_page(v_rows, v_limit) || jsonb_build_object('has_more', v_next is not null, 'next_after', v_next);
end
$$;

comment on function uplift_batch.admin_list_predictions(uuid, jsonb, text) is
    'Predictions one by one, the latest first, without what was foretold and came, which are the users'': limit, after (the next_after of the page before), prediction_type, model_name, model_version, from, to (days; by default the last 30), came_true (true or false: with an outcome that says so). At most 100,000 are looked at: there may be fewer than limit, or none, and a next_after. UP400 invalid_limit, invalid_after, invalid_from, invalid_to, invalid_came_true, invalid_prediction_type.';

create or replace function uplift_batch.admin_calibration(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v record;
begin
    perform uplift.check_arguments(p_arguments, '{prediction_type,model_name,model_version,from,to}');
    select r.* into v from uplift.figure_rows(p_arguments) r;
    return (
        select jsonb_build_object('object', 'list', 'has_more', false, 'from', v.p_from, 'to', v.p_to, 'total', uplift.figures_json(v.p_rows),
            'data', jsonb_agg(jsonb_build_object('from', b / 10.0, 'to', (b + 1) / 10.0, 'count', coalesce(x.n, 0),
                'mean_confidence', round((x.confidence_sum / nullif(x.n, 0))::numeric, 6), 'observed_rate', round(w.rate::numeric, 6),
                'low', case when x.n > 0 then round(i.low::numeric, 6) end, 'high', case when x.n > 0 then round(i.high::numeric, 6) end) order by b))
        from generate_series(0, 9) b
        left join uplift.bins_of(v.p_rows) x on x.bin = b
        cross join lateral (select x.came_true::float8 / nullif(x.n, 0) as rate) w
        cross join lateral uplift.wilson(w.rate, nullif(x.n, 0)) i);
end
$$;

comment on function uplift_batch.admin_calibration(uuid, jsonb, text) is
    'What a confidence is worth: for each of ten bins of it how many predictions there were, their mean confidence, and the rate that came true, with Wilson''s interval of 95 % (low, high): prediction_type, model_name, model_version, from, to as admin_prediction_figures. UP400 invalid_from, invalid_to, invalid_prediction_type.';

create or replace function uplift_batch.admin_drift(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int;
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit}');
    v_limit := uplift.page_limit(p_arguments);
    select array_agg(x.line) into v_rows
    from (
        select jsonb_build_object('prediction_type', w.prediction_type, 'model_name', w.model_name, 'model_version', w.model_version,
            'exceeds', w.exceeds, 'since', w.since, 'n', w.n, 'brier', round(w.brier::numeric, 6), 'ece', round(w.ece::numeric, 6),
            'reference', jsonb_build_object('of', w.reference, 'n', w.reference_n, 'brier', round(w.reference_brier::numeric, 6),
                'ece', round(w.reference_ece::numeric, 6)), 'looked_at', w.looked_at) as line
        from uplift.prediction_watch w where w.exceeds <> '{}'
        order by w.since desc, w.n desc, w.prediction_type, w.model_name, w.model_version limit v_limit + 1) x;
    return uplift.list_page(v_rows, v_limit) || jsonb_build_object('bounds', jsonb_build_object(
        'brier', uplift.setting_number('predictions.max_brier_rise', 0.05), 'ece', uplift.setting_number('predictions.max_ece_rise', 0.05),
        'min_outcomes', uplift.setting_number('predictions.min_outcomes', 500), 'watch_days', uplift.setting_number('predictions.watch_days', 7),
        'reference_days', uplift.setting_number('predictions.reference_days', 28)));
end
$$;

comment on function uplift_batch.admin_drift(uuid, jsonb, text) is
    'Warnings: predictions that are worse of late than they were before, as job measure-predictions last found, those of the latest first, and the bounds. limit. UP400 invalid_limit.';

create or replace function uplift.prediction_gauges() returns jsonb
language sql stable
as $$
    select jsonb_build_object('warnings', (select count(*) from uplift.prediction_watch w where w.exceeds <> '{}'),
        'models', (select coalesce(jsonb_agg(jsonb_build_object('type', x.prediction_type, 'model', x.model_name, 'version', x.model_version,
                'outcomes', x.n, 'brier', x.brier, 'ece', x.ece, 'warns', (x.exceeds <> '{}')::int)), '[]')
            from (select w.* from uplift.prediction_watch w
                -- Not what one user made up a few of.
                where w.exceeds <> '{}' or w.model_name like 'uplift-%' or w.n >= uplift.setting_number('predictions.min_outcomes', 500)
                order by w.exceeds = '{}', w.n desc, w.prediction_type, w.model_name, w.model_version limit 50) x))
$$;

comment on function uplift.prediction_gauges() is 'How predictions of the last days do, for metrics: warnings, how many there are, and models, the 50 that warn or have most outcomes, of those that have enough to be compared or are uplift''s own.';
