-- Predictions: how right they are, what triggers fill in, whose they are, and which days are measured anew.
\ir common.psql
select plan(55);

-- How right.
create function pg_temp.accuracy(p_predicted jsonb, p_actual jsonb, p_accepted boolean default null) returns numeric language sql as $$
    select uplift.prediction_accuracy(p_predicted, p_actual, p_accepted)
$$;
select is(pg_temp.accuracy('500', '400'), 0.75, 'numbers: 1 less the relative error');
select is(pg_temp.accuracy('500', '100'), 0::numeric, 'numbers: at least 0');
select is(pg_temp.accuracy('0', '0'), 1::numeric, 'numbers: 0 that was foretold');
select is(pg_temp.accuracy('1', '0'), 0::numeric, 'numbers: 0 that was not');
select is(pg_temp.accuracy('500', '400', true), 0.75, 'numbers: whether it was accepted or not');
select is(pg_temp.accuracy('1e400', '1e400'), 1::numeric, 'numbers beyond reckoning: the same or not');
select is(pg_temp.accuracy('{"protein": 30, "fat": 10}', '{"protein": 40, "fat": 10}'), 0.875, 'objects of numbers: the mean');
select is(pg_temp.accuracy('{"protein": 30}', '{"protein": 30, "fat": 10}'), 0.5, 'objects of numbers: what was not foretold counts');
select is(pg_temp.accuracy('{}', '{}'), 1::numeric, 'empty objects: the same');
select is(pg_temp.accuracy('true', null, true), 1::numeric, 'yes, and so it was');
select is(pg_temp.accuracy('false', null, false), 1::numeric, 'no, and so it was');
select is(pg_temp.accuracy('true', 'false', true), 0::numeric, 'yes, but no was chosen');
select is(pg_temp.accuracy('["a"]', '["b"]', true), 1::numeric, 'accepted');
select is(pg_temp.accuracy(null, null, false), 0::numeric, 'refused');
select is(pg_temp.accuracy('["a", "b", "b"]', '["b", "c"]'), 0.5, 'lists: F1 of the sets');
select is(pg_temp.accuracy('[]', '[]'), 1::numeric, 'lists: two empty ones');
select is(pg_temp.accuracy('[]', '["a"]'), 0::numeric, 'lists: an empty one');
select is(pg_temp.accuracy('"apple"', '"apple"'), 1::numeric, 'else the same');
select is(pg_temp.accuracy('"apple"', '["apple"]'), 0::numeric, 'else not the same');
select is(pg_temp.accuracy('"apple"', null), null, 'nothing is known, nothing is said');

-- By SQL.
select lives_ok(format($$insert into public.ai_predictions (id, user_id, prediction_type, model_name, model_version, predicted_output, confidence_score, created_at)
    select pg_temp.id(n::int), pg_temp.ann(), t, 'm', '1', '[1]', 0.5, '2026-03-01 10:00Z' from unnest(uplift.prediction_types()) with ordinality x(t, n)$$),
    'SQL: all types');
select is((select cardinality(uplift.prediction_types())), 7, 'SQL: of which there are seven');
select ok(pg_get_constraintdef(c.oid) like all (select '%''' || t || '''%' from unnest(uplift.prediction_types()) t), 'SQL: as the table has it')
    from pg_constraint c where c.conrelid = 'public.ai_predictions'::regclass and c.contype = 'c' and pg_get_constraintdef(c.oid) ~ 'prediction_type';
select is(pg_temp.refused($$insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, confidence_score) values (pg_temp.ann(), 'meal_plan', 'm', '1', 'NaN')$$), '23514', 'SQL: no confidence that is no number');
select is(pg_temp.refused($$insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, confidence_score) values (pg_temp.ann(), 'meal_plan', 'm', '1', 2)$$), '23514', 'SQL: nor one of 2');
select results_eq($$select distinct prediction_accuracy, feedback_delay_seconds, feedback_received_at from public.ai_predictions where user_id = pg_temp.ann()$$,
    $$values (null::numeric, null::int, null::timestamptz)$$, 'SQL: nothing is made up');
update public.ai_predictions set actual_user_choice = '[1, 2]', feedback_received_at = '2026-03-01 10:05Z' where id = pg_temp.id(1);
select results_eq($$select prediction_accuracy, feedback_delay_seconds from public.ai_predictions where id = pg_temp.id(1)$$, $$values (0.6667, 300)$$, 'SQL: the trigger fills in what follows');
update public.ai_predictions set user_satisfaction_rating = 4 where id = pg_temp.id(2);
select ok(prediction_accuracy is null and feedback_received_at >= now() and feedback_delay_seconds > 0, 'SQL: a rating alone says nothing of how right it was') from public.ai_predictions where id = pg_temp.id(2);
update public.ai_predictions set user_accepted = true, prediction_accuracy = 0.3 where id = pg_temp.id(3);
select is((select prediction_accuracy from public.ai_predictions where id = pg_temp.id(3)), 0.3, 'SQL: what is given stays');
update public.ai_predictions set actual_user_choice = null where id = pg_temp.id(1);
select ok(num_nonnulls(prediction_accuracy, feedback_delay_seconds, feedback_received_at) = 0, 'SQL: what is taken back was never said') from public.ai_predictions where id = pg_temp.id(1);
insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, user_accepted, created_at) values (pg_temp.bob(), 'meal_plan', 'm', '1', true, now() + interval '1 hour');
select results_eq($$select prediction_accuracy, feedback_delay_seconds from public.ai_predictions where user_id = pg_temp.bob()$$, $$values (1::numeric, 0)$$, 'SQL: known at once, and never before');

-- Days to be measured.
delete from uplift.prediction_queue;
insert into public.ai_predictions (id, user_id, prediction_type, model_name, model_version, created_at)
select pg_temp.id(100 + n), pg_temp.bob(), 'meal_plan', 'm', '1', timestamptz '2026-03-02 23:30Z' + n * interval '20 minutes' from generate_series(1, 4) n;
select results_eq('select day from uplift.prediction_queue order by 1', $$values (date '2026-03-02'), ('2026-03-03')$$, 'days: each once a statement');
delete from uplift.prediction_queue;
update public.ai_predictions set input_data = '{}' where id = pg_temp.id(101);
select is_empty('select day from uplift.prediction_queue', 'days: not for what no figure shows');
update public.ai_predictions set created_at = created_at - interval '1 day' where id = pg_temp.id(101);
select results_eq('select day from uplift.prediction_queue order by 1', $$values (date '2026-03-01'), ('2026-03-02')$$, 'days: both of what moves');
delete from uplift.prediction_queue;
delete from public.ai_predictions where id = pg_temp.id(104);
select results_eq('select day from uplift.prediction_queue', $$values (date '2026-03-03')$$, 'days: of what is gone');

-- By the routes.
create function pg_temp.add(p_more jsonb default '{}', p_user uuid default pg_temp.eve()) returns jsonb language sql as $$
    select uplift_chat.add_prediction(p_user, '{"prediction_type": "calorie_estimate", "model_name": "plates", "model_version": "3", "predicted_output": 500, "confidence_score": 0.8}' || p_more)::jsonb
$$;
select pg_temp.add() ->> 'id' as first \gset
select is((select count(*) from public.ai_predictions where user_id = pg_temp.eve() and id = :'first'), 1::bigint, 'route: recorded');
select is(pg_temp.refused(format('select pg_temp.add(%L)', m)), r, 'route: ' || m) from (values
    ('{"prediction_type": "weather"}', 'UP400 invalid_prediction_type prediction_type'),
    ('{"prediction_type": null}', 'UP400 missing_prediction_type prediction_type'),
    ('{"confidence_score": 2}', 'UP400 invalid_confidence_score confidence_score'),
    ('{"confidence_score": "NaN"}', 'UP400 invalid_confidence_score confidence_score'),
    ('{"model_name": ""}', 'UP400 invalid_model_name model_name'),
    ('{"model_name": "uplift-thumbs"}', 'UP400 invalid_model_name model_name'),
    ('{"user_accepted": true}', 'UP400 unknown_parameter user_accepted')) t(m, r);
select is(pg_temp.refused($$select uplift_chat.add_prediction(pg_temp.eve(), '[]')$$), 'UP400 invalid_prediction', 'route: no object');
create function pg_temp.came(p_outcome jsonb, p_id uuid, p_user uuid default pg_temp.eve()) returns jsonb language sql as $$
    select uplift_chat.give_outcome(p_user, p_id, p_outcome)::jsonb
$$;
select is(pg_temp.came('{"actual_user_choice": 400}', :'first') ->> 'prediction_accuracy', '0.7500', 'outcome: how right it was');
update public.ai_predictions set feedback_received_at = '2026-03-01Z' where id = :'first';
select is((pg_temp.came('{"actual_user_choice": 400.0}', :'first') ->> 'feedback_received_at')::timestamptz, '2026-03-01Z'::timestamptz, 'outcome: the same again changes nothing');
select is(pg_temp.came('{"actual_user_choice": 500, "user_satisfaction_rating": 5.0}', :'first') - '{id,created_at,feedback_received_at,feedback_delay_seconds}'::text[],
    '{"object": "prediction", "prediction_type": "calorie_estimate", "model_name": "plates", "model_version": "3", "input_data": null, "predicted_output": 500,
      "confidence_score": 0.8, "actual_user_choice": 500, "user_accepted": null, "user_satisfaction_rating": 5, "prediction_accuracy": 1.0000}', 'outcome: another takes its place');
select is(pg_temp.came('{"actual_user_choice": null, "user_satisfaction_rating": null}', :'first') -> 'feedback_received_at', 'null', 'outcome: taken back');
select is(pg_temp.refused(format('select pg_temp.came(%L, %L, %s)', m, :'first', u)), r, 'outcome: ' || m) from (values
    ('{"user_accepted": "yes"}', 'pg_temp.eve()', 'UP400 invalid_user_accepted user_accepted'),
    ('{"user_satisfaction_rating": 6}', 'pg_temp.eve()', 'UP400 invalid_user_satisfaction_rating user_satisfaction_rating'),
    ('{"user_accepted": true}', 'pg_temp.bob()', 'UP404 prediction_not_found')) t(m, u, r);
insert into public.ai_predictions (id, user_id, prediction_type, model_name, model_version) values (pg_temp.id(200), :eve, 'coaching_response', 'uplift-thumbs', '1');
select is(pg_temp.refused($$select pg_temp.came('{"user_accepted": true}', pg_temp.id(200))$$), 'UP409 outcome_by_feedback', 'outcome: of our own by feedback alone');
select is(jsonb_array_length(uplift_chat.list_predictions(:eve, 50, null, null, null)::jsonb -> 'data'), 2, 'list: own ones');
select is(uplift_chat.list_predictions(:eve, 50, null, 'calorie_estimate', 'plates')::jsonb #>> '{data,0,id}', :'first', 'list: of a type and model');
update uplift.settings set value = '2' where key = 'predictions.max_per_day';
select is(pg_temp.refused('select pg_temp.add()'), 'UP429 too_many_predictions', 'route: no more than so many a day');
select * from finish();
rollback;
