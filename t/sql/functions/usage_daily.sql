-- Use by the day: what the dashboard's figures are made of, what changed, and what tuned models are worth.
\ir common.psql
select plan(88);

-- An answer with an id of its time, so many days ago at noon (today: a minute ago).
create function pg_temp.answer(p_days int, p_user uuid, p_more jsonb default '{}') returns uuid language plpgsql as $$
declare
    v_at timestamptz := case when p_days = 0 then now() - interval '1 minute' else (current_date - p_days)::timestamptz + interval '12 hours' end;
    v_id uuid := (left(uplift.first_id_of(v_at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid;
begin
    perform uplift_chat.record_answers(jsonb_build_array(jsonb_build_object('id', v_id, 'user_id', p_user, 'user_message', 'q',
        'ai_response', 'a', 'coach_id', 'coach_maple_avatar', 'outcome', 'complete', 'protocol', 'chat', 'created_at', v_at, 'mode', 'default', 'severity', 3.4,
        'model_used', 'm', 'provider', 'p', 'prompt_tokens', 1000000, 'cached_tokens', 0, 'completion_tokens', 1000000,
        'usage_estimated', false, 'response_time_ms', 1000, 'time_to_first_token_ms', 150) || p_more)::json);
    return v_id;
end
$$;
create function pg_temp.rate(p_id uuid, p_user uuid, p_helpful boolean, p_rating int default null) returns void language sql as $$
    select uplift_chat.give_feedback(p_user, p_id, jsonb_strip_nulls(jsonb_build_object('helpful', p_helpful, 'rating', p_rating)), true)
$$;
create function pg_temp.user(n int) returns uuid language sql immutable as $$ select ('20000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
create function pg_temp.overview(p_more jsonb default '{}') returns jsonb language sql as $$ select uplift_batch.admin_overview(null, p_more, 'x') $$;
-- As the job does it: step by step, what was done in all.
create function pg_temp.roll_up() returns jsonb language plpgsql as $$
declare
    v_step jsonb;
    v_all jsonb := '{"hours": 0, "days": 0, "failed": 0}';
begin
    loop
        v_step := uplift_batch.roll_up_usage(240);
        v_all := (select jsonb_object_agg(k.key, k.value::int + (v_step ->> k.key)::int) from jsonb_each_text(v_all) k);
        exit when v_step -> 'left' = '0';
    end loop;
    return v_all;
end
$$;
create function pg_temp.change(p_metric text, p_now jsonb, p_before jsonb) returns text language sql as $$
    select uplift.change_of(p_metric, uplift.no_figures() || p_now, uplift.no_figures() || p_before) ->> 'verdict'
$$;
-- The demo's answers would be in all figures.
delete from public.coach_response_feedback;
delete from uplift.usage_state;
delete from uplift.usage_daily;
delete from uplift.usage_daily_users;
delete from uplift.usage_days_dirty;
delete from uplift.model_prices;
insert into uplift.model_prices (model, input_per_million, output_per_million) values ('m', 1, 2), ('tuned', 2, 3), ('base', 5, 5);

-- Sketches.
select is(uplift.users_of(0::bit(32768)), 0::bigint, 'nobody is in an empty sketch');
select is(uplift.users_of(uplift.sketch_of(array(select distinct uplift.sketch_place(pg_temp.id(7), pg_temp.user(n)) from generate_series(1, 5) n))), 5::bigint, 'a few are counted');
create temp table crowd as select n, uplift.sketch_place(pg_temp.id(7), pg_temp.user(n)) as place from generate_series(1, 60000) n;
select ok(abs(uplift.users_of(uplift.sketch_of(array(select distinct place from crowd))) / 60000.0 - 1) < 0.08, 'many are estimated');
select ok(abs(uplift.users_of(uplift.sketch_of(array(select distinct place from crowd where n <= 2000))) / 2000.0 - 1) < 0.05, 'fewer are, closer');
select is(uplift.users_of(uplift.sketch_of(array(select distinct place from crowd where n <= 900)) | uplift.sketch_of(array(select distinct place from crowd where n between 400 and 1500))),
    uplift.users_of(uplift.sketch_of(array(select distinct place from crowd where n <= 1500))), 'who is in two sketches is counted once');
select isnt(uplift.sketch_place(pg_temp.id(7), :ann), uplift.sketch_place(pg_temp.id(8), :ann), 'and found in none without its key');

-- Counting.
select is(pg_temp.overview() -> 'counted_at', 'null', 'before the job ran, nothing is counted');
select is(jsonb_array_length(uplift_batch.admin_worth(null, '{}', 'x') -> 'months'), 1, 'and what the loop is worth begins with this month');
select is(pg_temp.overview() #> '{total,requests}', '0', 'and all figures are those of nothing');
select is(jsonb_array_length(pg_temp.overview() -> 'by_day'), 28, 'with a point for each day');
select pg_temp.answer(3, :ann) as liked \gset
select pg_temp.answer(3, :ann, '{"model_used": "n", "severity": null, "mode": "roast", "coach_id": null, "from_cache": true, "saved_usd": 0.5}') \g /dev/null
select pg_temp.answer(2, :bob, '{"outcome": "failed", "error_code": "overloaded", "response_time_ms": null, "time_to_first_token_ms": null}') \g /dev/null
select pg_temp.answer(0, :ann) as today \gset
select pg_temp.roll_up() \g /dev/null
select is(jsonb_path_query_array(pg_temp.overview(), '$.total.requests'), '[4]', 'the first time all days are counted, today too');
select is((select began_at from uplift.usage_state), date_trunc('day', now(), 'UTC'), 'and when ids are in the order of time, today is found by them from then on');
select isnt(pg_temp.overview() -> 'counted_at', 'null', 'and it says when');
select is(pg_temp.overview() #>> '{total,users}', '2', 'users of several days once');
select is((select jsonb_agg(d -> 'users' order by d -> 'day') from jsonb_array_elements(pg_temp.overview('{"by": "coach"}') -> 'by_day') d where d ->> 'requests' <> '0'), '[1, 1, 1]', 'and by the day');
select is((select sum(requests) from uplift.usage_daily), (select count(*)::numeric from public.coach_response_feedback), 'each answer once');
select is(pg_temp.overview() #>> '{total,cost_usd_per_answer}', '2.25000000', 'what an answer costs: one has no price');
select is(pg_temp.overview() #> '{total,first_token_ms,p50}', '150', 'times are of histograms');
select is(uplift_batch.admin_stats(null, jsonb_build_object('from', current_date - 5), 'x') #> '{total,cost_usd}', pg_temp.overview() #> '{total,cost_usd}', 'figures are those of the hours');

select is(uplift.ids_in_order_since(date_trunc('day', now(), 'UTC') + interval '23 hours'), date_trunc('day', now(), 'UTC'), 'ids that tell the time of their answers are in order');
update public.coach_response_feedback set id = pg_temp.id(9) where id = :'today';
select is(uplift.ids_in_order_since(date_trunc('day', now(), 'UTC') + interval '23 hours'), date_trunc('day', now(), 'UTC') + interval '23 hours', 'others are not');
update public.coach_response_feedback set id = :'today' where id = pg_temp.id(9);

-- By what.
select is((select jsonb_agg(p -> 'coach') from jsonb_array_elements(pg_temp.overview('{"by": "coach"}') -> 'parts') p), '["coach_maple_avatar", null]', 'by coach, most answers first; some have none');
select is((select jsonb_agg(p -> 'model' || (p -> 'requests') order by p ->> 'model') from jsonb_array_elements(pg_temp.overview('{"by": "model"}') -> 'parts') p), '[["m", 3], ["n", 1]]', 'by model');
select is((select jsonb_agg(p -> 'severity' || (p -> 'users') order by p ->> 'severity') from jsonb_array_elements(pg_temp.overview('{"by": "severity"}') -> 'parts') p), '[["3", 2], [null, 1]]', 'by severity, with its users');
select is((select jsonb_agg(p -> 'mode' order by p ->> 'mode') from jsonb_array_elements(pg_temp.overview('{"by": "mode"}') -> 'parts') p), '["default", "roast"]', 'by mode');
select is((select jsonb_agg(p -> 'provider') from jsonb_array_elements(pg_temp.overview('{"by": "provider"}') -> 'parts') p), '["p"]', 'by provider');
select is(pg_temp.overview('{"mode": "roast"}') #> '{total,requests}', '1', 'of a part alone');
select is(pg_temp.overview('{"mode": "roast"}') #> '{total,users}', '1', 'with its users');
select is(pg_temp.overview('{"mode": "default", "model": "m"}') #> '{total,users}', 'null', 'which are not known of a part of a part');
select is(pg_temp.overview('{"severity": "0"}') #> '{total,requests}', '1', 'those without severity, too');
select is(pg_temp.overview(jsonb_build_object('from', current_date - 2)) #> '{before,requests}', '2', 'as many days before are there to compare');
select is(pg_temp.overview(jsonb_build_object('from', (current_date - 3) || 'T23:00:00Z', 'to', (current_date - 2) || 'T01:00:00Z')) #> '{total,requests}', '3', 'days that are touched count whole');
select is(pg_temp.refused(format('select pg_temp.overview(%L)', a)), r, n) from (values
    ('{"from": "2026-02-01", "to": "2026-02-01"}', 'UP400 invalid_from from', 'no time at all'),
    ('{"from": "2020-01-01", "to": "2026-01-01"}', 'UP400 invalid_from from', 'more days than are shown'),
    ('{"to": "soon"}', 'UP400 invalid_to to', 'a time that is none'),
    ('{"by": "user"}', 'UP400 invalid_by by', 'by what is not counted'),
    ('{"severity": "3.5"}', 'UP400 invalid_severity severity', 'a severity between'),
    ('{"colour": "red"}', 'UP400 unknown_argument colour', 'a misspelt name')) as x(a, r, n);

-- What changes later.
update uplift.usage_state set began_at = began_at - interval '40 days';
update uplift.usage_days_dirty set since = now() - interval '2 hours';
select pg_temp.rate(:'liked', :ann, true, 5) \g /dev/null
select pg_temp.rate(:'today', :ann, false) \g /dev/null
select is(pg_temp.overview() #> '{total,thumbs}', '0', 'feedback counts when the job comes by');
select is(pg_temp.roll_up() -> 'days', '1', 'which counts today as it is');
select is(pg_temp.overview() #> '{total,thumbs}', '1', 'and not the day of a late thumb,');
select is(pg_temp.roll_up() -> 'days', '1', 'and again');
create function pg_temp.an_hour_later() returns void language sql as $$
    update uplift.usage_days_dirty set since = since - interval '60 minutes', failed_at = failed_at - interval '60 minutes'
$$;
select pg_temp.an_hour_later() \g /dev/null
select is(uplift_batch.roll_up_usage(240), '{"hours": 0, "days": 1, "failed": 0, "left": 1}', 'until it has waited for an hour: a day in a transaction');
select is(pg_temp.overview() #> '{total,thumbs}', '2', 'and then it counts');
select is(pg_temp.overview() #> '{total,thumbs_up_rate}', '0.5000', 'half of them up');
select is(pg_temp.overview() #> '{total,rating_low}', 'null', 'of one rating there is no interval');
select is(pg_temp.roll_up() -> 'days', '1', 'then nothing is left but today');
select pg_temp.answer(2, :bob) \g /dev/null
select pg_temp.roll_up() \g /dev/null
select pg_temp.an_hour_later() \g /dev/null
select pg_temp.roll_up() \g /dev/null
select is(pg_temp.overview() #> '{total,requests}', '5', 'an answer that comes late counts, too');
create function pg_temp.no_such_day() returns trigger language plpgsql as $$ begin raise exception 'this day never was' using errcode = '23514'; end $$;
create trigger no_such_day before insert on uplift.usage_daily for each row when (new.day < current_date) execute function pg_temp.no_such_day();
select pg_temp.answer(2, :bob) \g /dev/null
select pg_temp.roll_up() \g /dev/null
select pg_temp.an_hour_later() \g /dev/null
select is(pg_temp.roll_up() -> 'failed', '1', 'a day that cannot be counted is told');
select is((select reason from uplift.usage_days_dirty where failed_at is not null), 'this day never was', 'and waits, with the reason');
select is(pg_temp.overview() #> '{total,requests}', '5', 'the figures stay as they were');
drop trigger no_such_day on uplift.usage_daily;
select pg_temp.an_hour_later() \g /dev/null
select pg_temp.roll_up() \g /dev/null
select is(pg_temp.overview() #> '{total,requests}', '6', 'later it is tried again');
-- Yesterday's last hours are counted as soon as they are over.
select pg_temp.answer(1, :bob) \g /dev/null
delete from uplift.usage_dirty;
update uplift.usage_state set rolled_until = date_trunc('day', now(), 'UTC') - interval '12 hours';
select pg_temp.roll_up() \g /dev/null
select is(pg_temp.overview() #> '{total,requests}', '7', 'a day is counted when its last hour was');
-- Where a day takes long.
update uplift.usage_state set today_took = interval '1 minute', days_counted_at = now() - interval '49 minutes';
select pg_temp.answer(0, :ann) \g /dev/null
select is(pg_temp.roll_up() -> 'days', '0', 'what takes a minute is not counted again within fifty');
update uplift.usage_state set days_counted_at = now() - interval '51 minutes';
select pg_temp.roll_up() \g /dev/null
select is(pg_temp.overview() #> '{total,requests}', '8', 'and then it is');
-- What is kept for some days only.
create temp table figures as select * from uplift.usage_daily;
create temp table hours as select * from uplift.usage_hourly;
insert into uplift.settings (key, value) values ('retention.answers_days', '2');
delete from public.coach_response_feedback a where a.created_at < now() - interval '48 hours' and a.id <> :'liked';
select pg_temp.rate(:'liked', :ann, false, 1) \g /dev/null
select pg_temp.roll_up() \g /dev/null
insert into uplift.usage_days_dirty (day, since) values (current_date - 3, now() - interval '2 hours');
select pg_temp.roll_up() \g /dev/null
select set_eq('select * from uplift.usage_hourly', 'select * from hours', 'an hour of which answers are gone is not counted anew');
select set_eq('select * from uplift.usage_daily', 'select * from figures', 'nor is such a day');
select is((select count(*) from uplift.usage_days_dirty) + (select count(*) from uplift.usage_dirty), 0::bigint, 'and neither waits');
delete from uplift.settings where key = 'retention.answers_days';
-- Who is erased.
select pg_temp.answer(1, pg_temp.user(1)) \g /dev/null
select pg_temp.roll_up() \g /dev/null
select pg_temp.an_hour_later() \g /dev/null
select pg_temp.roll_up() \g /dev/null
create function pg_temp.is_in_sketches(p_user uuid) returns boolean language sql as $$
    select bool_or(get_bit(u.sketch, uplift.sketch_place(s.users_key, p_user)) = 1) from uplift.usage_daily_users u cross join uplift.usage_state s where u.day = current_date - 1
$$;
select is((select users from uplift.usage_daily_users where day = current_date - 1 and by = ''), 2::bigint, 'two users');
select is(pg_temp.is_in_sketches(pg_temp.user(1)), true, 'one of whom is in the sketch');
select uplift_chat.erase_me(pg_temp.user(1)) \g /dev/null
select pg_temp.an_hour_later() \g /dev/null
select pg_temp.roll_up() \g /dev/null
select is((select users from uplift.usage_daily_users where day = current_date - 1 and by = ''), 1::bigint, 'and is not counted any more after an erasure');
select is(pg_temp.is_in_sketches(pg_temp.user(1)), false, 'nor in the sketch');
select is((select sum(d.requests) from uplift.usage_daily d where d.day = current_date - 1), 2::numeric, 'what was spent stays');

-- How sure figures are.
select is(uplift.thumbs_worth(10, 10, 5, 5, 10, 5), 10 * 9 / 10.0::float8, 'thumbs of as many users are worth about as many');
select is(uplift.thumbs_worth(1, 2500, 900, 1500, 50, 30), 1::float8, 'those of one user are worth one');
select is(uplift.thumbs_worth(2, 5000, 2500, 2500, 100, 50), 1::float8, 'and those of two who do not agree no more');
select ok((uplift.quality_figures('{10,10,8,8}', '{4,4,66,16}', 8, 2, 4, 16) ->> 'thumbs_up_low')::numeric between 0.45 and 0.5, 'the interval of thumbs');
select is(uplift.quality_figures('{10,10,8,8}', '{4,4,66,16}', 8, 2, 4, 16) - 'thumbs_up_low' - 'thumbs_up_high' - 'thumbs_worth', '{"rating_low": 3.200, "rating_high": 4.800}', 'and of stars: 3, 4, 4, 5');

-- What changed, and whether that can be said.
select is(pg_temp.change('thumbs_up_rate', '{"thumbs": 15, "thumbs_worth": 15, "thumbs_up_rate": 1}', '{"thumbs": 900, "thumbs_worth": 900, "thumbs_up_rate": 0.1}'), 'too_few', 'of few thumbs nothing is said');
select is(pg_temp.change('thumbs_up_rate', '{"thumbs": 900, "thumbs_worth": 2, "thumbs_up_rate": 1}', '{"thumbs": 900, "thumbs_worth": 900, "thumbs_up_rate": 0.1}'), 'too_few', 'nor of many of one user');
select is(pg_temp.change('thumbs_up_rate', '{"thumbs": 200, "thumbs_worth": 200, "thumbs_up_rate": 0.8}', '{"thumbs": 200, "thumbs_worth": 200, "thumbs_up_rate": 0.6}'), 'better', 'a clear change is one');
select is(pg_temp.change('thumbs_up_rate', '{"thumbs": 200, "thumbs_worth": 200, "thumbs_up_rate": 0.64}', '{"thumbs": 200, "thumbs_worth": 200, "thumbs_up_rate": 0.6}'), 'unclear', 'one that may be chance is not');
select is(pg_temp.change('error_rate', '{"requests": 1000, "error_rate": 0.2}', '{"requests": 1000, "error_rate": 0.01}'), 'worse', 'more errors are worse');
select is(pg_temp.change('cost_usd_per_answer', '{"requests": 1000, "cost_usd_per_answer": 0.02}', '{"requests": 1000, "cost_usd_per_answer": 0.03}'), 'better', 'lower costs are better');
select is(pg_temp.change('response_p95', '{"requests": 50, "response_ms": {"p95": 9000}}', '{"requests": 500, "response_ms": {"p95": 1000}}'), 'too_few', 'of few answers no time is told');
select is(pg_temp.change('requests', '{"requests": 105}', '{"requests": 100}'), 'same', 'a few more are about as many');
select is((select count(*) from jsonb_array_elements(uplift_batch.admin_changes(null, '{"coach_id": "nobody"}', 'x') -> 'data') c), 9::bigint, 'the week is compared in nine ways, also when there is nothing in it');

-- What training is worth.
insert into public.ai_finetuning_jobs (id, job_name, base_model, status, completed_at, actual_cost) values (pg_temp.id(1), 'spring', 'base', 'succeeded', now() - interval '6 days', 4);
insert into public.ai_model_versions (id, finetuning_job_id, model_name, version, model_id, base_model) values (pg_temp.id(2), pg_temp.id(1), 'coach', 'v1', 'tuned', 'base');
select is(uplift_batch.admin_worth(null, '{}', 'x') #>> '{runs,0,payback,state}', 'not_used', 'what nobody used has paid nothing');
select uplift_batch.admin_deploy_model(pg_temp.id(2), '{"environment": "production"}', 'x') \g /dev/null
select pg_temp.answer(4, :ann, '{"model_used": "tuned"}') \g /dev/null
select pg_temp.answer(2, :ann, '{"model_used": "tuned", "cached_tokens": 500000}') \g /dev/null
select pg_temp.roll_up() \g /dev/null
select pg_temp.an_hour_later() \g /dev/null
select pg_temp.roll_up() \g /dev/null
select is(uplift_batch.admin_worth(null, '{}', 'x') #>> '{runs,0,saved_usd}', '10.00000000', 'it cost 5 an answer, and its base model 10');
select is(uplift_batch.admin_worth(null, '{}', 'x') #>> '{runs,0,payback}', format('{"day": "%s", "state": "paid_back", "days_left": null}', current_date - 4), 'so the first answer has paid for the training');
select is(uplift_batch.admin_worth(null, '{"against": "m"}', 'x') #>> '{runs,0,payback,state}', 'costs_more', 'against a cheaper model it never does');
select is(uplift_batch.admin_worth(null, '{"against": "nobody"}', 'x') #>> '{runs,0,payback,state}', 'unknown', 'and without a price that is not known');
select is(uplift.payback(100, '{2026-01-01,2026-01-02}', '{2,4}', true) ->> 'days_left', '32', 'at its pace it takes so many days more');
select is(uplift.payback(100, '{2026-01-01}', '{2}', false) ->> 'state', 'stopped', 'unless it does not serve any more');
select uplift_batch.admin_rollback_model(pg_temp.id(2), '{"reason": "it sulks"}', 'x') \g /dev/null
select is((select jsonb_agg(e - 'at' - 'model_version_id') from jsonb_array_elements(uplift_batch.admin_worth(null, '{}', 'x') -> 'events') e),
    '[{"kind": "promoted", "label": "coach v1", "reason": null, "coach_id": null, "rollout_id": null}, {"kind": "rolled_back", "label": "coach v1", "reason": "it sulks", "coach_id": null, "rollout_id": null}]', 'promotions and rollbacks are events');
select is((select sum((m ->> 'training_usd')::numeric) from jsonb_array_elements(uplift_batch.admin_worth(null, '{}', 'x') -> 'months') m), 4::numeric, 'training is in its month');
select is((select sum((m ->> 'against_usd')::numeric) from jsonb_array_elements(uplift_batch.admin_worth(null, '{"coach_id": "coach_maple_avatar"}', 'x') -> 'months') m), 20::numeric, 'and what was saved in its own, of a coach, too');
select is((select array_agg(distinct m ->> 'training_usd') from jsonb_array_elements(uplift_batch.admin_worth(null, '{"coach_id": "coach_maple_avatar"}', 'x') -> 'months') m), array[null::text], 'of which nobody knows what training cost');
select * from finish();
rollback;
