-- Photos of meals: who analyses them when, how wrong that was, what coaches are told, and how good models are.
\ir common.psql
select plan(66);

create function pg_temp.photo(p_n int, p_user uuid default pg_temp.ann()) returns uuid language plpgsql as $$
begin
    perform uplift_chat.begin_photo(p_user, pg_temp.id(p_n), md5('photo' || p_n) || md5('photo' || p_n), '192.0.2.1', null, 'eyes-1');
    perform uplift_chat.add_photo(p_user, pg_temp.id(p_n), md5('photo' || p_n) || md5('photo' || p_n), 30, 20, 1000, 'eyes-1');
    return pg_temp.id(p_n);
end
$$;
create function pg_temp.food(p_name text, p_grams numeric, p_calories numeric, p_confidence numeric default 0.9) returns jsonb language sql as $$
    select jsonb_build_object('name', p_name, 'confidence', p_confidence, 'amount', 1, 'unit', 'piece', 'grams', p_grams, 'calories', p_calories,
        'protein_g', p_calories / 20, 'carbohydrate_g', p_calories / 10, 'fat_g', p_calories / 40)
$$;
create function pg_temp.see(p_n int, variadic p_foods jsonb[]) returns boolean language sql as $$
    select uplift_chat.photo_analysed(pg_temp.id(p_n), (select attempts from uplift.food_photos where id = pg_temp.id(p_n)), pg_temp.ann(), jsonb_build_object('model', 'eyes-1',
        'provider', 'p', 'prompt_tokens', 100, 'completion_tokens', 10, 'analysis_time_ms', 40, 'answer',
        jsonb_build_object('foods', to_jsonb(p_foods), 'lighting_quality', 'good', 'image_angle', 'level', 'background_complexity', 'simple')))
$$;
create function pg_temp.severity(p_foods text[], p_calories numeric, p_grams numeric default 100) returns text language sql as $$
    select uplift.correction_severity(jsonb_populate_record(null::public.food_photo_training_data, jsonb_build_object(
        'ai_detected_foods', '[{"name": "Rice"}, {"name": "egg"}]'::jsonb, 'ai_estimated_calories', 200, 'ai_estimated_portions', '[{"name": "rice", "grams": 100}]'::jsonb,
        'user_confirmed_foods', (select jsonb_agg(jsonb_build_object('name', f)) from unnest(p_foods) f), 'user_confirmed_calories', p_calories,
        'user_confirmed_portions', jsonb_build_array(jsonb_build_object('name', 'RICE', 'grams', p_grams)))))
$$;

-- How wrong.
select is(pg_temp.severity('{rice,egg}', 200), 'none', 'severity: all as it was said');
select is(pg_temp.severity('{" EGG",rice}', 209), 'none', 'severity: names are compared as they are meant, and 9 kcal are nothing');
select is(pg_temp.severity('{rice,egg}', 215), 'minor', 'severity: a number is off by more than a twentieth');
select is(pg_temp.severity('{rice,egg}', 420), 'major', 'severity: by more than half');
select is(pg_temp.severity('{rice,egg}', 200, 109), 'none', 'severity: 9 g are nothing');
select is(pg_temp.severity('{rice,egg}', 200, 300), 'major', 'severity: a portion');
select is(pg_temp.severity('{rice,fish}', 200), 'minor', 'severity: one of two foods');
select is(pg_temp.severity('{rice,fish,tea,jam}', 200), 'major', 'severity: one of many');
select is(pg_temp.severity('{fish}', 200), 'completely_wrong', 'severity: none of them');
select is(pg_temp.severity('{rice,egg}', null), 'none', 'severity: what nobody says is not wrong');

-- Whose turn it is.
select is(uplift_chat.take_photo(1000), null, 'turns: there is nothing to do');
select pg_temp.photo(1) \g /dev/null
select is(uplift_chat.begin_photo(pg_temp.ann(), pg_temp.id(99), md5('photo1') || md5('photo1'), null, null, 'eyes-1') #>> '{photo,id}', pg_temp.id(1)::text, 'turns: sent again it is known');
select is((select count(*) from uplift.photo_removals), 0::bigint, 'turns: and its file is there to stay');
select is(uplift_chat.take_photo(60000) ->> 'attempt', '1', 'turns: somebody takes it');
select is(uplift_chat.take_photo(60000), null, 'turns: nobody else does');
update uplift.food_photos set next_at = now() - interval '1 second';
select is(uplift_chat.take_photo(60000) ->> 'attempt', '2', 'turns: but when that one did not come back');
select is(uplift_chat.photo_analysed(pg_temp.id(1), 1, pg_temp.ann(), '{}'), false, 'turns: who is late has nothing to say');
select is(uplift_chat.photo_failed(pg_temp.id(1), 2, pg_temp.ann(), '{"reason": "status_503", "code": "vision_refused", "may_pass": true, "http_status": 503, "retry_after_ms": 90000}'), true, 'turns: a failure that may pass');
select is(status || ' ' || (next_at > now() + interval '80 seconds'), 'pending true', 'turns: is tried again when the provider says') from uplift.food_photos;
select is((select error_type || ' ' || user_visible from public.ai_errors where input_data ->> 'photo_id' = pg_temp.id(1)::text), 'status_503 false', 'turns: and noted');
update uplift.food_photos set next_at = now();
select is(uplift_chat.take_photo(60000) ->> 'attempt', '3', 'turns: a third time');
select lives_ok($$select uplift_chat.give_back_photo(pg_temp.id(1), 3)$$, 'turns: which is given back');
select is(uplift_chat.take_photo(60000) ->> 'attempt', '3', 'turns: and taken at once');
select is(uplift_chat.photo_failed(pg_temp.id(1), 3, pg_temp.ann(), '{"reason": "bad_answer", "code": "vision_answer_unusable", "may_pass": true}'), true, 'turns: the third failure');
select is(status || ' ' || error_code, 'failed vision_answer_unusable', 'turns: is the last') from uplift.food_photos;
select pg_temp.photo(2) \g /dev/null
update uplift.food_photos set attempts = 5, next_at = now() where id = pg_temp.id(2);
select is(uplift_chat.take_photo(60000), null, 'turns: what nobody ever ended is not begun again');
select is(status || ' ' || error_code, 'failed analysis_interrupted', 'turns: but has failed') from uplift.food_photos where id = pg_temp.id(2);

-- Whose, of several.
select pg_temp.photo(4), pg_temp.photo(5), pg_temp.photo(6, pg_temp.bob()) \g /dev/null
update uplift.food_photos set next_at = now() - interval '1 minute' where id = pg_temp.id(4);
select is(uplift_chat.take_photo(60000) ->> 'id', pg_temp.id(4)::text, 'whose: the oldest');
select is(uplift_chat.take_photo(60000) ->> 'id', pg_temp.id(6)::text, 'whose: then another user''s');
select is(uplift_chat.take_photo(60000) ->> 'id', pg_temp.id(5)::text, 'whose: then the first one''s other');
delete from public.food_photo_training_data where id = any (array[pg_temp.id(4), pg_temp.id(5), pg_temp.id(6)]);
delete from uplift.photo_removals;
insert into uplift.rate_limits (scope, key, requests_per_minute, burst) values ('user', pg_temp.bob(), 1, 1);
select uplift_chat.begin_photo(pg_temp.bob(), pg_temp.id(7), md5('7') || md5('7'), null, null, 'eyes-1') \g /dev/null
select is(uplift_chat.begin_photo(pg_temp.bob(), pg_temp.id(8), md5('8') || md5('8'), null, null, 'eyes-1') #>> '{refusal,code}', 'rate_limit_exceeded', 'whose: photos count as chats do');
delete from uplift.photo_removals;

-- What is seen and said.
select pg_temp.photo(3) \g /dev/null
select uplift_chat.correct_photo(pg_temp.ann(), pg_temp.id(3), '{"user_confirmed_foods": ["Egg", "Toast"]}') \g /dev/null
select is((select correction_severity from public.food_photo_training_data where id = pg_temp.id(3)), null, 'seen: the user is quicker');
select is(uplift_chat.take_photo(60000) ->> 'id', pg_temp.id(3)::text, 'seen: then a model looks');
select is(pg_temp.see(3, pg_temp.food('egg', 60, 90), pg_temp.food('bacon', 30, 160, 0.4)), true, 'seen: and says something');
select is(ai_estimated_calories || ' ' || (ai_estimated_macros ->> 'protein_g')::numeric::int || ' ' || correction_severity || ' ' || coalesce(user_correction_time_seconds::text, 'none'), '250 13 minor none',
    'seen: which is added up and judged, though nobody took any time') from public.food_photo_training_data where id = pg_temp.id(3);
select results_eq($$select prediction_type, confidence_score, prediction_accuracy, actual_user_choice is not null from public.ai_predictions where model_name = 'uplift-food-photo' order by 1$$,
    $$values ('calorie_estimate', 0.65, null::numeric, false), ('food_classification', 0.65, 0.5, true), ('macro_breakdown', 0.65, null, false), ('portion_size', 0.65, null, false)$$,
    'seen: the predictions, and what came');
select is(context_text like '%: Egg, Toast (as the user says)', true, 'seen: coaches know, as the user has it') from public.ai_context_cache where user_id = pg_temp.ann() and context_type = 'recent_foods';
select uplift_chat.correct_photo(pg_temp.ann(), pg_temp.id(3), '{"user_confirmed_portions": [{"name": "egg", "grams": 60, "calories": 80, "protein_g": 7, "carbohydrate_g": 1, "fat_g": 6}]}') \g /dev/null
select is(user_confirmed_foods::text || ' ' || user_confirmed_calories || ' ' || (user_confirmed_macros ->> 'fat_g'), '[{"name": "egg"}] 80 6', 'said: what follows is filled in') from public.food_photo_training_data where id = pg_temp.id(3);
select is(pg_temp.refused($$select uplift_chat.correct_photo(pg_temp.bob(), pg_temp.id(3), '{}')$$), 'UP404 photo_not_found', 'said: not by another');
select is(pg_temp.refused($$select uplift_chat.correct_photo(pg_temp.ann(), pg_temp.id(2), '{"user_accepted": true}')$$), 'UP409 photo_not_analysed user_accepted', 'said: nothing to accept');

-- What it takes.
insert into uplift.model_prices (model, input_per_million, output_per_million) values ('eyes-1', 1000, 10000);
select is(uplift_batch.admin_create_budget(null, '{"scope": "user", "period": "day", "limit_usd": 0.3, "action": "refuse"}', 'me') ->> 'scope', 'user', 'costs: a budget of each user');
select pg_temp.photo(10) \g /dev/null
select uplift_chat.take_photo(60000) \g /dev/null
select is(uplift_chat.photo_failed(pg_temp.id(10), 1, pg_temp.ann(), '{"reason": "bad_answer", "code": "vision_answer_unusable", "may_pass": true, "model": "eyes-1", "provider": "p", "prompt_tokens": 100, "completion_tokens": 10}'), true, 'costs: an answer of no use');
select is(cost_usd, 0.2, 'costs: is paid for all the same') from uplift.food_photos where id = pg_temp.id(10);
select is(uplift_chat.begin_photo(pg_temp.ann(), pg_temp.id(11), md5('11') || md5('11'), null, null, 'eyes-1'), null, 'costs: the budget is not used up yet');
update uplift.food_photos set next_at = now() where id = pg_temp.id(10);
select uplift_chat.take_photo(60000) \g /dev/null
select is(pg_temp.see(10, pg_temp.food('egg', 60, 90)), true, 'costs: the next try');
select is(prompt_tokens || ' ' || completion_tokens || ' ' || round(cost_usd, 2), '200 20 0.40', 'costs: is added to it') from uplift.food_photos where id = pg_temp.id(10);
select is(uplift_chat.begin_photo(pg_temp.ann(), pg_temp.id(12), md5('12') || md5('12'), null, null, 'eyes-1') #>> '{refusal,code}', 'budget_exceeded', 'costs: then it is used up');
select is(uplift_chat.begin_photo(pg_temp.ann(), pg_temp.id(12), md5('12') || md5('12'), null, null, null), null, 'costs: but what no model looks at is taken');
select uplift_chat.delete_photo(pg_temp.ann(), pg_temp.id(10)) \g /dev/null
select is(pg_temp.see(10, pg_temp.food('egg', 60, 90)), false, 'costs: who is late has nothing to say');
select is(uplift_batch.admin_costs(null, '{}', 'me') #>> '{total,cost_usd}', '0.60000000', 'costs: but costs, and what a photo cost stays when it goes');
select is(round((select sum(s.cost_usd) from uplift.budget_spend s where s.key = pg_temp.ann()::text), 2), 0.60, 'costs: to who deleted it meanwhile, too');
update uplift.model_prices set model = 'eyes-2' where model = 'eyes-1';
select is(uplift_chat.begin_photo(pg_temp.eve(), pg_temp.id(13), md5('13') || md5('13'), null, null, 'eyes-1') #>> '{refusal,code}', 'model_not_priced', 'costs: what cannot be counted is refused, as for chats');
insert into uplift.settings (key, value, description) values ('budgets.unpriced', '"allow"', '') on conflict (key) do update set value = excluded.value;
select is(uplift_chat.begin_photo(pg_temp.eve(), pg_temp.id(13), md5('13') || md5('13'), null, null, 'eyes-1'), null, 'costs: unless that is allowed');
update uplift.settings set value = '"refuse"' where key = 'budgets.unpriced';
update uplift.model_prices set model = 'eyes-1' where model = 'eyes-2';
delete from uplift.budgets;
delete from uplift.photo_removals;

-- How good.
select is(x ->> 'photos' || ' ' || (x #>> '{foods,f1}') || ' ' || (x #>> '{calories,mae}') || ' ' || (x #>> '{portions,n}') || ' ' || (x #>> '{calibration,ece}'), '1 0.6667 170.00 1 0.2500',
    'accuracy: of a model') from jsonb_array_elements(uplift_batch.admin_photo_accuracy(null, '{"since": "2000-01-01"}', 'me') -> 'data') x;
select is(jsonb_array_length(uplift_batch.admin_photo_accuracy(null, '{"until": "2000-01-01"}', 'me') -> 'data'), 0, 'accuracy: of no photos');

-- To train with.
update uplift.settings set value = 'false' where key = 'training.consent_default';
select is((select count(id) from uplift_batch.export_photos(null, null, true, null)), 0::bigint, 'export: nobody agreed');
select uplift_chat.put_preferences(pg_temp.ann(), '{"training_consent": true}') \g /dev/null
select is((select count(id) || ' of ' || count(*) from uplift_batch.export_photos(null, null, false, null)), '1 of 3', 'export: what was said, once somebody did');
select is((select count(id) from uplift_batch.export_photos(null, null, true, null)), 0::bigint, 'export: but not what is said in part');
update public.food_photo_training_data set user_confirmed_portions = jsonb_set(user_confirmed_portions, '{0}', user_confirmed_portions -> 0 || '{"amount": 1, "unit": "egg"}') where id = pg_temp.id(3);
select is((select label::jsonb #>> '{foods,0,name}' from uplift_batch.export_photos(null, null, true, null) where id is not null), 'egg', 'export: as a model should have said it');
update public.food_photo_training_data set user_confirmed_foods = '[{"name": "egg of ann@example.com"}]' where id = pg_temp.id(3);
select is((select count(id) from uplift_batch.export_photos(null, null, false, null)), 0::bigint, 'export: nothing personal');

-- And gone.
select uplift_chat.put_preferences(pg_temp.ann(), '{"memory_enabled": false}') \g /dev/null
select is((select count(*) from public.ai_context_cache where user_id = pg_temp.ann() and context_type = 'recent_foods'), 0::bigint, 'gone: coaches forget with the rest');
delete from public.food_photo_training_data where id = pg_temp.id(3);
select results_eq('select photo_id from uplift_chat.due_photo_removals()', 'select pg_temp.id(3)', 'gone: whoever deletes the row has the file deleted');
select is(uplift_chat.photos_removed(array[pg_temp.id(3)]), 1, 'gone: which is done once');
select is((select (uplift.erase_user(pg_temp.ann(), 'user')).rows ->> 'photos'), '2', 'gone: an erasure counts them');
select is((select count(*) from uplift_chat.due_photo_removals()), 2::bigint, 'gone: and leaves their files to be deleted');
select uplift_batch.finish_erasure(e.id, '[]', true) from uplift.erasures e \g /dev/null
select is((select finished_at from uplift.erasures), null, 'gone: until when it is not finished');
select uplift_chat.photos_removed(array[pg_temp.id(1), pg_temp.id(2)]) \g /dev/null
insert into uplift.photo_removals (photo_id, due_at) values (pg_temp.id(50), now());
select uplift_batch.finish_erasure(e.id, '[]', true) from uplift.erasures e \g /dev/null
select isnt((select finished_at from uplift.erasures), null, 'gone: whatever becomes of others');

select * from finish();
rollback;
