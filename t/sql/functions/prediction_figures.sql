-- Figures of predictions: by hand, against the definitions over all rows, and what gets worse.
\ir common.psql
select plan(45);

create function pg_temp.close(a double precision, b double precision) returns boolean language sql as $$ select abs(a - b) < 1e-9 $$;
create function pg_temp.foretell(p_day date, p_version text, p_confidence numeric, p_accepted boolean, p_more text default 'm') returns void language sql as $$
    insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, confidence_score, user_accepted, created_at)
    values (pg_temp.ann(), 'food_suggestion', p_more, p_version, p_confidence, p_accepted, p_day + time '12:00')
$$;
create function pg_temp.measure() returns bigint language plpgsql as $$
declare
    v_step jsonb := uplift_batch.measure_predictions(null);
    v_days bigint := (v_step ->> 'days')::bigint;
begin
    while (v_step ->> 'goes_on')::boolean loop
        v_step := uplift_batch.measure_predictions(v_step ->> 'after');
        v_days := v_days + (v_step ->> 'days')::bigint;
    end loop;
    return v_days;
end
$$;
delete from uplift.prediction_queue;

-- By hand: 0.9 yes, 0.9 no, 0.2 no, 0.2 no.
select pg_temp.foretell('2026-03-01', '1', c, a) from (values (0.9, true), (0.9, false), (0.2, false), (0.2, false), (0.7, null)) t(c, a) \g /dev/null
select is(pg_temp.measure(), 1::bigint, 'hand: one day');
select is(pg_temp.measure(), 0::bigint, 'hand: once');
select results_eq($$select n, n_outcome, n_judged from uplift.prediction_figures$$, $$values (5::bigint, 4::bigint, 4::bigint)$$, 'hand: counts');
select ok(pg_temp.close(brier, (0.01 + 0.81 + 0.04 + 0.04) / 4), 'hand: Brier score') from uplift.prediction_figures;
select ok(pg_temp.close(ece, (2 * 0.4 + 2 * 0.2) / 4), 'hand: calibration error') from uplift.prediction_figures;
select ok(pg_temp.close(reliability, (2 * 0.16 + 2 * 0.04) / 4) and pg_temp.close(resolution, (2 * 0.0625 + 2 * 0.0625) / 4) and pg_temp.close(uncertainty, 0.25 * 0.75)
    and pg_temp.close(within_bin, 0), 'hand: its parts') from uplift.prediction_figures;
select ok(pg_temp.close(log_loss, -(ln(0.9) + ln(0.1) + 2 * ln(0.8)) / 4), 'hand: log loss') from uplift.prediction_figures;
select ok(pg_temp.close(accuracy, 0.25), 'hand: accuracy') from uplift.prediction_figures;
select ok(mae is null and mape is null, 'hand: no numbers, no errors of them') from uplift.prediction_figures;
select ok(pg_temp.close(uplift.log_loss(0, true), -ln(1e-6)) and pg_temp.close(uplift.log_loss(1, true), 0), 'log loss has an end');
select results_eq($$select uplift.confidence_bin(c) from unnest('{0,0.05,0.1,0.9999,1}'::float8[]) c$$, $$values (0), (0), (1), (9), (9)$$, 'bins');
update public.ai_predictions set user_accepted = false where model_version = '1' and user_accepted;
select is(pg_temp.measure(), 1::bigint, 'hand: what comes late is measured');
select ok(pg_temp.close(accuracy, 0) and pg_temp.close(brier, (2 * 0.81 + 2 * 0.04) / 4), 'hand: in place of what was') from uplift.prediction_figures;
delete from public.ai_predictions where model_version = '1';
select is(pg_temp.measure(), 1::bigint, 'hand: what is gone');
select is((select count(*) from uplift.prediction_figures), 0::bigint, 'hand: leaves nothing');

-- Numbers: 500 for 400 and 90 for 100, 5 for 0.
insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, predicted_output, actual_user_choice, confidence_score, created_at)
select :ann, 'calorie_estimate', 'n', '1', p, a, 0.5, '2026-03-02 12:00Z' from (values ('500'::jsonb, '400'::jsonb), ('{"a": 90, "b": "x"}', '{"a": 100, "b": "x"}'), ('5', '0'), ('"x"', '7')) t(p, a);
select pg_temp.measure() \g /dev/null
select ok(pg_temp.close(mae, (100 + 10 + 5) / 3.0) and pg_temp.close(mape, (0.25 + 0.1) / 2) and n_numbers = 3, 'numbers: mean errors') from uplift.prediction_figures where model_name = 'n';
select is((select bin_true from uplift.prediction_figures where model_name = 'n'), '{0,0,0,0,0,0,0,0,0,0}', 'numbers: right to 0.8 at least comes true, and none was');
delete from public.ai_predictions;

-- Against the definitions, over several days and versions.
select setseed(0.42) \g /dev/null
select count(pg_temp.foretell('2026-04-01'::date + n % 5, (n % 2)::text, round((random() * 0.98 + 0.01)::numeric, 3), random() < 0.3 + 0.4 * random())) from generate_series(1, 600) n \g /dev/null
select pg_temp.measure() \g /dev/null
create view pg_temp.judged as select p.confidence_score::float8 as f, p.user_accepted::int::float8 as o, least(floor(p.confidence_score * 10), 9)::int as bin from public.ai_predictions p;
create view pg_temp.found as select x.* from uplift.figures_of(array(select f from uplift.prediction_figures f)) x;
select is((select count(*) from uplift.prediction_figures), 10::bigint, 'all: by day and version');
select is(n_judged, 600::bigint, 'all: everything is there') from pg_temp.found;
select ok(pg_temp.close(x.brier, (select avg(power(f - o, 2)) from pg_temp.judged)), 'all: Brier score') from pg_temp.found x;
select ok(pg_temp.close(x.log_loss, (select avg(-ln(case o when 1 then f else 1 - f end)) from pg_temp.judged)), 'all: log loss') from pg_temp.found x;
select ok(pg_temp.close(x.uncertainty, (select avg(o) * (1 - avg(o)) from pg_temp.judged)), 'all: uncertainty') from pg_temp.found x;
select ok(pg_temp.close(x.ece, (select sum(abs(s)) / 600 from (select sum(f - o) as s from pg_temp.judged group by bin) b)), 'all: calibration error') from pg_temp.found x;
-- The parts within bins: the variance of the confidence, less twice its covariance with what came.
select ok(pg_temp.close(x.within_bin, (select avg(power(j.f - b.f, 2) - 2 * (j.f - b.f) * (j.o - b.o)) from pg_temp.judged j
    join (select bin, avg(f) as f, avg(o) as o from pg_temp.judged group by bin) b using (bin))), 'all: what is within bins') from pg_temp.found x;
select ok(x.reliability >= 0 and x.resolution >= 0 and pg_temp.close(x.brier, x.reliability - x.resolution + x.uncertainty + x.within_bin), 'all: the parts add up') from pg_temp.found x;

select pg_temp.foretell('2026-04-10', '1', 0.75, true) \g /dev/null
select pg_temp.measure() \g /dev/null

-- Asked for.
create function pg_temp.ask(p_function text, p_arguments jsonb) returns jsonb language plpgsql as $$
declare
    v jsonb;
begin
    execute format('select uplift_batch.%I(null, $1, ''x'')', p_function) into v using p_arguments;
    return v;
end
$$;
select is(jsonb_array_length(pg_temp.ask('admin_prediction_figures', '{"from": "2026-04-01", "to": "2026-04-05"}') -> 'data'), 10, 'asked: a point a day and version');
select is(pg_temp.ask('admin_prediction_figures', '{"from": "2026-04-01", "to": "2026-04-05", "step": "all", "model_version": "1"}') #>> '{data,0,n}', '300', 'asked: a version');
select results_eq($$select d ->> 'at', (d ->> 'n')::int from jsonb_array_elements(pg_temp.ask('admin_prediction_figures', '{"from": "2026-04-01", "to": "2026-04-06", "step": "week"}') -> 'data') d$$,
    $$values ('2026-03-30', 300), ('2026-03-30', 300)$$, 'asked: by week');
select is(jsonb_array_length(pg_temp.ask('admin_prediction_figures', '{"from": "2026-04-01", "to": "2026-04-05", "by": "time"}') -> 'data'), 5, 'asked: a point a day, all together');
select is((v #> '{data,0}') - '{at,prediction_type,model_name,model_version}'::text[], v -> 'total', 'asked: together is what all of them are')
from pg_temp.ask('admin_prediction_figures', '{"from": "2026-04-01", "to": "2026-04-05", "step": "all", "by": "time"}') v;
select is(pg_temp.refused(format('select pg_temp.ask(%L, %L)', f, a)), r, f || ' ' || a) from (values
    ('admin_prediction_figures', '{"step": "year"}', 'UP400 invalid_step step'),
    ('admin_prediction_figures', '{"by": "coach"}', 'UP400 invalid_by by'),
    ('admin_calibration', '{"prediction_type": "weather"}', 'UP400 invalid_prediction_type prediction_type'),
    ('admin_calibration', '{"from": "2026-04-02", "to": "2026-04-01"}', 'UP400 invalid_from from')) t(f, a, r);
select ok((select bool_and((d ->> 'low')::numeric <= (d ->> 'observed_rate')::numeric and (d ->> 'observed_rate')::numeric <= (d ->> 'high')::numeric
    and (d ->> 'mean_confidence')::numeric between (d ->> 'from')::numeric and (d ->> 'to')::numeric) and sum((d ->> 'count')::int) = 600 and count(*) = 10
    from jsonb_array_elements(pg_temp.ask('admin_calibration', '{"from": "2026-04-01", "to": "2026-04-05"}') -> 'data') d), 'asked: the curve of calibration');
select ok((select count(*) = 10 and sum((d ->> 'count')::int) = 0 and count(d ->> 'low') = 0 from jsonb_array_elements(pg_temp.ask('admin_calibration', '{}') -> 'data') d), 'asked: an empty one');

select ok(d -> 'count' = '0' and d -> 'low' = 'null' and d -> 'observed_rate' = 'null', 'asked: a bin with nothing in it')
    from jsonb_array_elements(pg_temp.ask('admin_calibration', '{"from": "2026-04-10", "to": "2026-04-10"}') -> 'data') d where d -> 'from' = '0.5';

-- What gets worse: of 0.8 always 80 % before; then, of one model, half.
delete from public.ai_predictions;
select count(pg_temp.foretell(now()::date - 20 + n % 5, v, 0.8, n % 10 < 8)) from generate_series(1, 500) n, unnest('{a,b}'::text[]) v \g /dev/null
select count(pg_temp.foretell(now()::date - 2, v, 0.8, n % 10 < w)) from generate_series(1, 500) n, (values ('a', 5), ('b', 8), ('c', 4)) t(v, w) \g /dev/null
select count(pg_temp.foretell(now()::date - 2, 'd', 0.8, false)) from generate_series(1, 499) n \g /dev/null
select pg_temp.measure() \g /dev/null
select results_eq($$select model_version, exceeds, reference from uplift.prediction_watch order by 1$$,
    $$values ('a', '{brier,ece}'::text[], 'version'), ('b', '{}', 'version'), ('c', '{brier,ece}', 'model'), ('d', '{}', 'model')$$, 'worse: what is, by enough outcomes');
select is(jsonb_array_length(pg_temp.ask('admin_drift', '{}') -> 'data'), 2, 'worse: told');
select is(uplift.prediction_gauges() ->> 'warnings', '2', 'worse: and counted for metrics');
update public.ai_predictions set user_accepted = true where model_version in ('a', 'c') and created_at > now() - interval '5 days' and confidence_score = 0.8;
delete from public.ai_predictions where model_version = 'c';
select pg_temp.measure() \g /dev/null
select results_eq($$select model_version, exceeds from uplift.prediction_watch where exceeds <> '{}'$$, $$values ('a', '{ece}'::text[])$$, 'worse: until it is not');
-- One by one.
delete from public.ai_predictions;
select pg_temp.foretell('2026-03-01', n::text, 0.5, case n when 1 then true when 2 then false end) from generate_series(1, 4) n \g /dev/null
update public.ai_predictions set created_at = created_at + model_version::int * interval '1 minute';
create function pg_temp.listed(p_arguments jsonb) returns text language sql as $$
    select string_agg(d ->> 'model_version', ',') || coalesce(' ' || (r ->> 'has_more'), '')
    from (select uplift_batch.admin_list_predictions(null, p_arguments || '{"from": "2026-02-28", "to": "2026-03-01"}', 'me') as r) x
    left join jsonb_array_elements(r -> 'data') d on true group by r
$$;
select is(pg_temp.listed('{}'), '4,3,2,1 false', 'listed: the latest first');
select is(pg_temp.listed('{"came_true": "true"}') || ' ' || pg_temp.listed('{"came_true": "false"}'), '1 false 2 false', 'listed: those that came true, and those that did not');
select is(pg_temp.listed('{"limit": "3"}') || ' ' || pg_temp.listed(jsonb_build_object('after', (select id from public.ai_predictions where model_version = '2'))), '4,3,2 true 1 false', 'listed: page by page');
insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, created_at) values (pg_temp.ann(), 'food_suggestion', 'm', 'later', '2026-03-02');
select is(pg_temp.listed(jsonb_build_object('after', (select id from public.ai_predictions where model_version = 'later'))), '4,3,2,1 false', 'listed: after one that is later than all');

select * from finish();
rollback;
