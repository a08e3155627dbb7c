-- What is counted of the users of an experiment: until when, of whom, and by how much one of them may outweigh others.
\ir common.psql
select plan(25);

create function pg_temp.user(n int) returns uuid language sql immutable as $$ select ('50000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
insert into auth.users (id) select pg_temp.user(n) from generate_series(1, 400) n;
insert into public.ai_experiments (id, experiment_name, control_variant, test_variants, success_metric, status, feedback_days)
values (pg_temp.id(9000), 'counted', '{"variant_name": "a"}', '{"{\"variant_name\": \"b\", \"severity\": 2}"}', 'thumbs_up_rate', 'running', 3);
update public.ai_experiments set start_date = now() - interval '40 days', end_date = now() - interval '2 days', status = 'completed' where id = pg_temp.id(9000);

-- An answer with its exposure, so many days ago, with a thumb given so many days ago.
create function pg_temp.answer(n int, p_user int, p_days numeric, p_thumb boolean default null, p_thumb_days numeric default null) returns void language sql as $$
    select pg_temp.record(n, pg_temp.user(p_user), pg_temp.id(5000 + p_user), 'Hello', 'Hi', jsonb_build_object('created_at', now() - p_days * interval '24 hours',
        'trace', jsonb_build_object('exposures', jsonb_build_array(jsonb_build_object('experiment_id', pg_temp.id(9000), 'experiment', 'counted', 'variant', 'a')))));
    update public.coach_response_feedback set helpful = p_thumb where id = pg_temp.id(n) and p_thumb is not null;
    update public.coach_response_feedback set feedback_given_at = now() - p_thumb_days * interval '24 hours' where id = pg_temp.id(n) and p_thumb_days is not null;
    update uplift.feedback_events set given_at = now() - p_thumb_days * interval '24 hours' where answer_id = pg_temp.id(n) and p_thumb_days is not null;
    update uplift.feedback_said set said_at = now() - p_thumb_days * interval '24 hours' where answer_id = pg_temp.id(n) and p_thumb_days is not null;
$$;
create function pg_temp.counted(p_user int) returns uplift.experiment_users language sql as $$
    select uplift_batch.measure_experiment_users(pg_temp.id(9000), null, 2000);
    select u from uplift.experiment_users u where u.experiment_id = pg_temp.id(9000) and u.user_id = pg_temp.user(p_user)
$$;

-- Feedback counts for feedback_days after the end, answers until the end.
select pg_temp.answer(1, 1, 20, true, 19), pg_temp.answer(2, 1, 19, false, 0.5), pg_temp.answer(3, 1, 1, true, 0.9) \g /dev/null
select is((pg_temp.counted(1)).answers, 2, 'answers until the end');
select is(concat_ws(' ', (pg_temp.counted(1)).thumbs_up, (pg_temp.counted(1)).thumbs), '1 2', 'with what was said of them in the days after it');
update public.ai_experiments set feedback_days = 1 where id = pg_temp.id(9000);
select is(concat_ws(' ', (pg_temp.counted(1)).thumbs_up, (pg_temp.counted(1)).thumbs), '1 1', 'and not later');
-- Whatever was said when: as it stood at that time.
update public.coach_response_feedback set feedback_text = 'Late, but it was good.' where id = pg_temp.id(1);
select ok((select feedback_given_at > now() - interval '1 day' from public.coach_response_feedback where id = pg_temp.id(1)), 'a comment that comes later');
select is(concat_ws(' ', (pg_temp.counted(1)).thumbs_up, (pg_temp.counted(1)).thumbs), '1 1', 'leaves the thumb from before it');
savepoint before;
delete from uplift.feedback_events where answer_id = pg_temp.id(1);
select is(concat_ws(' ', (pg_temp.counted(1)).thumbs_up, (pg_temp.counted(1)).thumbs), '1 1', 'of which is known when it was given, also where its history is gone');
rollback to before;
update public.coach_response_feedback set helpful = false where id = pg_temp.id(1);
select is(concat_ws(' ', (pg_temp.counted(1)).thumbs_up, (pg_temp.counted(1)).thumbs), '1 1', 'so does a thumb that is turned over later');
update public.coach_response_feedback set helpful = null where id = pg_temp.id(1);
select is(concat_ws(' ', (pg_temp.counted(1)).thumbs_up, (pg_temp.counted(1)).thumbs), '1 1', 'or taken back');
delete from uplift.feedback_events where answer_id = pg_temp.id(1);
select is((pg_temp.counted(1)).thumbs, 0, 'of what no history is left of, nothing is counted');
update public.ai_experiments set feedback_days = 3 where id = pg_temp.id(9000);

-- Whoever came back in the second week, of those whose second week is over.
select pg_temp.answer(10, 2, 30), pg_temp.answer(11, 2, 21), pg_temp.answer(12, 3, 30), pg_temp.answer(13, 3, 24), pg_temp.answer(14, 4, 13), pg_temp.answer(15, 4, 3) \g /dev/null
select is((pg_temp.counted(2)).is_retained, true, 'an answer in the second week');
select is((pg_temp.counted(3)).is_retained, false, 'one in the first is none');
select is((pg_temp.counted(4)).is_retained, null, 'before the second week is over nothing is known');
select is((select concat_ws(' ', x, n) from uplift.experiment_values where user_id = pg_temp.user(2) and metric = 'retention'), '1 1', 'one of those who came back');
select is((select count(*) from uplift.experiment_values where user_id = pg_temp.user(4) and metric = 'retention'), 0::bigint, 'nor is it counted');

-- Clocks that go back: what came first is by its time, and no time is less than none.
select pg_temp.answer(20, 5, 10), pg_temp.answer(21, 5, 10.001), pg_temp.answer(22, 5, 9.999) \g /dev/null
select is(round((pg_temp.counted(5)).engagement_s), 173::float8, 'in the order of their times, whichever was recorded first');
select ok((pg_temp.counted(5)).assigned_at <= now() - interval '239 hours', 'from the first one on');
select pg_temp.answer(23, 6, 10), pg_temp.answer(24, 6, -5) \g /dev/null
select is((pg_temp.counted(6)).answers, 1, 'what is said to be of the future is not of an experiment that is over');
select is((pg_temp.counted(6)).engagement_s, 0::float8, 'and took no time');

-- One user with a thousand thumbs counts as no more than the 99th of a hundred.
delete from uplift.experiment_users;
insert into uplift.experiment_users (experiment_id, user_id, variant, assigned_at, answers, failed, thumbs_up, thumbs, rating_sum, ratings, engagement_s, cost_usd, latency_ms, timed, regenerations, before)
select pg_temp.id(9000), pg_temp.user(n), case when n % 2 = 0 then 'a' else 'b' end, now(), 4, 0, case when n = 200 then 500 else 1 end, case when n = 200 then 1000 else 2 end, 0, 0,
    case when n = 200 then 100000 else 60 end, 0, 0, 0, 0, '{}' from generate_series(1, 200) n;
create function pg_temp.sums(p_metric text) returns jsonb language sql as $$
    select m from jsonb_array_elements(uplift_batch.experiment_sums(pg_temp.id(9000)) -> 'metrics') m where m ->> 'metric' = p_metric
$$;
select is(pg_temp.sums('thumbs_up_rate') ->> 'cap', '2', 'the cap is of all users together');
select is(pg_temp.sums('thumbs_up_rate') -> 'sums' -> 0, pg_temp.sums('thumbs_up_rate') -> 'sums' -> 0 || '{"users": 100, "sn": 200, "sx": 100}', 'with as many up of them as of all');
select is(pg_temp.sums('engagement_time') -> 'sums' -> 0 ->> 'sx', '6000', 'and so is a mean''s value');

-- A share held out of all experiments, and one that grows with who was in it.
insert into public.ai_experiments (id, experiment_name, control_variant, test_variants, success_metric, status, traffic_share)
values (pg_temp.id(9001), 'growing', '{"variant_name": "a"}', '{"{\"variant_name\": \"b\", \"temperature\": 0.2}"}', 'thumbs_up_rate', 'running', 0.2);
create function pg_temp.variants() returns jsonb language sql as $$
    select coalesce(jsonb_object_agg(n, e ->> 'variant'), '{}')
    from generate_series(1, 400) n cross join lateral (
        select to_jsonb(p) #> '{trace,exposures,0}' as e from uplift.prepare_chat(pg_temp.user(n), 'chat', null, null, null, null, null, 'hello', 4000, '{}') p) x
    where e is not null
$$;
create function pg_temp.size(p_variants jsonb) returns int language sql immutable as $$ select count(*)::int from jsonb_object_keys(p_variants) $$;
select pg_temp.variants() as few \gset
select ok(abs(pg_temp.size(:'few'::jsonb) - 80) < 33, 'a fifth of 400 are in it, within four standard deviations');
update public.ai_experiments set traffic_share = 0.6 where id = pg_temp.id(9001);
select pg_temp.variants() as more \gset
select ok(pg_temp.size(:'more'::jsonb) > 190 and :'more'::jsonb @> :'few'::jsonb, 'of more users those who were in it stay, with what they had');
insert into uplift.settings (key, value) values ('experiments.holdout_share', '0.5') on conflict (key) do update set value = '0.5';
select pg_temp.variants() as held \gset
select ok(:'more'::jsonb @> :'held'::jsonb and abs(pg_temp.size(:'held'::jsonb) - pg_temp.size(:'more'::jsonb) / 2.0) < 32, 'half of them are held out, and the others have what they had');
select is((select bool_or(uplift.bucket('uplift holdout', pg_temp.user(k::int)) < 0.5) from jsonb_object_keys(:'held'::jsonb) k), false, 'by the hash that is documented');
select * from finish();
