-- Thumbs foretold: what a model is told of an answer, of which answers, and what came.
\ir common.psql
select plan(35);

-- Answers of Ann, an hour apart, the first three days ago; ids of version 7 as they are made.
create function pg_temp.at(n int) returns timestamptz language sql stable as $$ select now() - interval '3 days' + n * interval '1 hour' $$;
create function pg_temp.answer(n int) returns uuid language sql stable as $$ select (left(uplift.first_id_of(pg_temp.at(n))::text, 14) || '7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
create function pg_temp.say(n int, p_user uuid default pg_temp.ann(), p_more text default 'complete') returns void language sql as $$
    insert into public.coach_response_feedback (id, user_id, coach_id, user_message, ai_response, severity, mode, model_used, response_time_ms, outcome, created_at)
    values (pg_temp.answer(n), p_user, 'coach_maple_avatar', 'q', repeat('a', n), 2.5, 'default', 'm-1', 1200, p_more, pg_temp.at(n))
$$;
create function pg_temp.thumb(n int, p_up boolean, p_at int) returns void language plpgsql as $$
begin
    perform set_config('uplift.feedback', 'noted', true);
    update public.coach_response_feedback set helpful = p_up, feedback_given_at = pg_temp.at(p_at) where id = pg_temp.answer(n);
    perform set_config('uplift.feedback', '', true);
end
$$;
select pg_temp.say(n) from generate_series(1, 6) n \g /dev/null
select pg_temp.thumb(1, true, 2), pg_temp.thumb(2, false, 10), pg_temp.thumb(3, true, 3) \g /dev/null

-- What it is told.
create function pg_temp.row_of(n int) returns jsonb language sql as $$ select uplift.thumb_row(a) from public.coach_response_feedback a where a.id = pg_temp.answer(n) $$;
select is(pg_temp.row_of(5) - '{id,part}'::text[], '{"helpful": null, "coach": "coach_maple_avatar", "mode": "default", "model": "m-1", "severity": 2.5, "length": 5, "latency_ms": 1200, "earlier": 2, "earlier_up": 2}',
    'an answer: with the thumbs of before it was asked for, not those that came later');
select is((pg_temp.row_of(1) ->> 'earlier')::int, 0, 'the first: nothing is known');
select pg_temp.thumb(5, false, 5) \g /dev/null
select is(pg_temp.row_of(5) ->> 'earlier', '2', 'its own thumb is not told');
select is(pg_temp.row_of(5) ->> 'helpful', 'false', 'but by name');
select pg_temp.thumb(5, null, 5) \g /dev/null
select pg_temp.say(100 + n) from generate_series(1, 110) n \g /dev/null
select is((select n from uplift.earlier_thumbs(:ann, now() + interval '30 days')), 0::bigint, 'of earlier answers a hundred');
delete from public.coach_response_feedback where user_id = :ann and id > pg_temp.answer(99);
delete from uplift.thumb_queue;
select ok(bool_and(p between 0 and 9) and count(distinct p) = 10, 'users are in ten parts') from (select uplift.user_part(uplift.uuid_v7()) as p from generate_series(1, 1000)) x;
select is(uplift.user_part(:ann), (pg_temp.row_of(1) ->> 'part')::int, 'each in one');

-- What it is trained on.
create function pg_temp.pages(p_until timestamptz, p_days int, p_most int) returns setof jsonb language plpgsql as $$
declare
    v jsonb := uplift_batch.rated_answers(p_until, p_days, null, p_most);
begin
    loop
        return query select r from jsonb_array_elements(v -> 'rows') r;
        exit when not (v ->> 'goes_on')::boolean;
        v := uplift_batch.rated_answers(p_until, p_days, (v ->> 'after')::uuid, p_most);
    end loop;
end
$$;
select results_eq($$select p ->> 'id' from pg_temp.pages(now(), 30, 2) p$$, $$select pg_temp.answer(n)::text from unnest('{3,2,1}'::int[]) n$$, 'training: rated ones, the newest first, in pages');
select results_eq($$select p ->> 'id' from pg_temp.pages(pg_temp.at(3), 30, 2) p$$, $$select pg_temp.answer(n)::text from unnest('{2,1}'::int[]) n$$, 'training: of before a time');
select is_empty($$select pg_temp.pages(now(), 1, 2)$$, 'training: of so many days');

-- What it foretells.
select is(uplift_batch.thumb_model(), '{}', 'no model');
create function pg_temp.keep(p_until timestamptz) returns int language sql as $$
    select (uplift_batch.keep_thumb_model(jsonb_build_object('trained_until', p_until, 'intercept', 0.5, 'prior_rate', 0.6, 'slope', 1, 'offset', 0, 'n_train', 6, 'n_calibrate', 2,
        'n_validate', 2, 'iterations', 4, 'rate', 0.6, 'log_loss', 0.6, 'base_log_loss', 0.7, 'brier', 0.2, 'ece', 0.01, 'auc', 0.7,
        'weights', '[{"feature": "coach", "level": "coach_maple_avatar", "weight": 0.3, "mean": 0, "scale": 1}, {"feature": "length", "level": "", "weight": 0.1, "mean": 5, "scale": 2}]'::jsonb)) ->> 'version')::int
$$;
select is((select count(*) from uplift.thumb_queue), 0::bigint, 'no model: nobody waits for what came');
select pg_temp.keep(pg_temp.at(2)) as version \gset
select is((uplift_batch.thumb_model() ->> 'version')::int, :version, 'the model that was kept');
select is(jsonb_array_length(uplift_batch.thumb_model() -> 'weights'), 2, 'with its weights');
select pg_temp.say(7, :ann, 'failed'), pg_temp.say(71) \g /dev/null
insert into public.coach_response_feedback (user_id, user_message, ai_response) values (:ann, 'q', 'a'); -- a moment ago
create function pg_temp.score(p_version int, p_days int default null) returns text language plpgsql as $$
declare
    v_page jsonb;
    v_kept jsonb;
    v_after uuid;
    v_scored bigint := 0;
begin
    loop
        v_page := uplift_batch.answers_to_score(p_version, p_days, v_after, 2);
        v_after := (v_page ->> 'after')::uuid;
        v_kept := uplift_batch.keep_scores(p_version, v_after, (select coalesce(jsonb_agg(r || '{"p": 0.71236}'), '[]') from jsonb_array_elements(v_page -> 'rows') r));
        v_scored := v_scored + (v_kept ->> 'scored')::bigint;
        exit when not (v_page ->> 'goes_on')::boolean;
    end loop;
    return v_scored || ' scored';
end
$$;
select is(pg_temp.score(:version), '6 scored', 'scored: all of after its training, but what failed, or was a moment ago');
select results_eq($$select id from public.ai_predictions order by id$$, $$select pg_temp.answer(n) from unnest('{2,3,4,5,6,71}'::int[]) n$$, 'scored: under the ids of the answers');
select is(pg_temp.score(:version), '0 scored', 'scored: once');
select results_eq($$select prediction_type, model_name, model_version, predicted_output, confidence_score, user_accepted, prediction_accuracy, created_at = pg_temp.at(2), feedback_delay_seconds
    from public.ai_predictions where id = pg_temp.answer(2)$$, format($$values ('coaching_response', 'uplift-thumbs', %L, 'true'::jsonb, 0.7124, false, 0::numeric, true, 28800)$$, :version),
    'scored: with the thumb that was there');
select is((select input_data from public.ai_predictions where id = pg_temp.answer(4)), '{"coach": "coach_maple_avatar", "mode": "default", "model": "m-1", "severity": 2.5, "length": 4, "latency_ms": 1200, "earlier": 2, "earlier_up": 2}', 'scored: with what was known');
select ok(num_nonnulls(user_accepted, prediction_accuracy, feedback_received_at) = 0, 'scored: without a thumb, no outcome') from public.ai_predictions where id = pg_temp.answer(4);

-- One that comes late, from a spool.
select pg_temp.say(8) \g /dev/null
select is(pg_temp.score(:version), '0 scored', 'late: passed by');
select is(pg_temp.score(:version, 7), '1 scored', 'late: found when it is looked for');
select pg_temp.keep(pg_temp.at(40)) as second \gset
select pg_temp.say(9), pg_temp.say(60) \g /dev/null
select is(pg_temp.score(:second, 7), '1 scored', 'another model: nothing of before its training');
select is((select model_version from public.ai_predictions where id = pg_temp.answer(60)), :'second', 'another model: under its version');

-- What came.
create function pg_temp.fill() returns jsonb language sql as $$ select uplift_batch.fill_outcomes(10) $$;
create function pg_temp.outcome(n int) returns text language sql as $$
    select concat_ws(' ', p.user_accepted, p.user_satisfaction_rating, p.prediction_accuracy) from public.ai_predictions p where p.id = pg_temp.answer(n)
$$;
delete from uplift.thumb_queue;
delete from uplift.prediction_queue;
update public.coach_response_feedback set helpful = true, rating = 5 where id = pg_temp.answer(4);
select is(pg_temp.outcome(4), '', 'outcome: the thumb waits for nobody');
select is(pg_temp.fill(), '{"outcomes": 1, "gone": 0, "failed": 0, "goes_on": false}', 'outcome: it is taken down');
select is(pg_temp.outcome(4), 't 5 1', 'outcome: as it was foretold');
select is((select count(*) from uplift.prediction_queue), 1::bigint, 'outcome: and measured anew');
update public.coach_response_feedback set helpful = false where id = pg_temp.answer(4);
select is((pg_temp.fill() ->> 'outcomes') || ' ' || pg_temp.outcome(4), '1 f 5 0', 'outcome: changed');
update public.coach_response_feedback set helpful = null, rating = null where id = pg_temp.answer(4);
select is((pg_temp.fill() ->> 'outcomes') || pg_temp.outcome(4), '1', 'outcome: taken back');
update public.coach_response_feedback set feedback_text = 'hm' where id = pg_temp.answer(4);
select is((select count(*) from uplift.thumb_queue), 0::bigint, 'outcome: a comment is none');
insert into public.ai_predictions (id, user_id, prediction_type, model_name, model_version) values (pg_temp.answer(9), :ann, 'meal_plan', 'theirs', '1');
update public.coach_response_feedback set helpful = true where id = pg_temp.answer(9);
select is(pg_temp.fill() ->> 'outcomes', '0', 'outcome: not of predictions that are not ours');
delete from public.coach_response_feedback where id = pg_temp.answer(6);
select is(pg_temp.fill() ->> 'gone', '1', 'outcome: with its answer a prediction goes');
update public.ai_predictions set user_accepted = false, user_satisfaction_rating = 1 where id = pg_temp.answer(4);
select pg_temp.score(:version, 7) \g /dev/null
select is((pg_temp.fill() ->> 'outcomes') || pg_temp.outcome(4), '1', 'outcome: one that is wrong is found when it is looked for');
select is(pg_temp.fill(), '{"outcomes": 0, "gone": 0, "failed": 0, "goes_on": false}', 'outcome: nothing is left');
select * from finish();
rollback;
