-- Answers as admins search, see and review them.
\ir common.psql
select plan(87);

-- --- answers of every kind, with ids in the order of time and of before uplift came ---

create function pg_temp.at(n int) returns timestamptz language sql as $$ select date_trunc('hour', now()) - interval '5 hours' + n * interval '1 minute' $$;
create function pg_temp.v7(n int) returns uuid language sql as $$
    select overlay(uplift.first_id_of(pg_temp.at(n))::text placing '-7000-8000-' || lpad(n::text, 12, '0') from 14)::uuid
$$;
create function pg_temp.say(n int, p_user uuid, p_conversation int, p_question text, p_answer text, p_more jsonb default '{}') returns void language sql as $$
    select uplift_chat.record_answers(jsonb_build_array(jsonb_build_object('id', pg_temp.v7(n), 'user_id', p_user, 'conversation_id', pg_temp.id(p_conversation),
        'user_message', p_question, 'ai_response', p_answer, 'coach_id', 'coach_decibel_avatar', 'severity', 3.0, 'mode', 'default', 'outcome', 'complete',
        'protocol', 'chat', 'model_used', 'gpt-4.1-mini', 'provider', 'api.openai.com', 'created_at', pg_temp.at(n)) || p_more)::json)
$$;
select pg_temp.say(1, :ann, 201, 'How do I sleep?', 'Go to bed at ten.') \g /dev/null
select pg_temp.say(2, :bob, 202, 'How do I run?', 'Begin slowly.', '{"coach_id": "coach_maple_avatar", "severity": 5.5, "mode": "roast", "model_used": "small"}') \g /dev/null
select pg_temp.say(3, :ann, 201, 'And naps?', 'Short ones, ÖFTER.', '{"provider": "other"}') \g /dev/null
select pg_temp.say(4, :bob, 202, 'Really?', '', '{"outcome": "failed", "error_code": "provider_error", "attempts": [{"provider": "api.openai.com", "model": "small", "reason": "status_503", "http_status": 503, "duration_ms": 40}]}') \g /dev/null
select pg_temp.say(5, :ann, 203, 'What is 100%?', 'All of it_', '{"from_cache": true, "model_used": "small"}') \g /dev/null
select pg_temp.record(6, :bob, pg_temp.id(204), 'Before uplift?', 'There was something.') \g /dev/null
select uplift_chat.give_feedback(:ann, pg_temp.v7(1), '{"helpful": true, "rating": 5}', false) \g /dev/null
select uplift_chat.give_feedback(:bob, pg_temp.v7(2), '{"helpful": false, "feedback_text": "too lax"}', false) \g /dev/null
select uplift_chat.give_feedback(:bob, pg_temp.v7(2), '{"rating": 2}', false) \g /dev/null

create function pg_temp.found(p_arguments jsonb) returns text language sql as $$
    select coalesce(string_agg(right(d ->> 'id', 1), '' order by n), '')
    from jsonb_array_elements(uplift_batch.admin_list_answers(null, p_arguments, 'admin', null) -> 'data') with ordinality x(d, n)
$$;
select is(pg_temp.found('{}'), '543216', 'answers, the newest first, those whose ids tell no time last');
select is(pg_temp.found(v.arguments::jsonb), v.expected, v.arguments) from (values
    ('{"text": "SLEEP"}', '1'), ('{"text": "öfter"}', '3'), ('{"text": "lax"}', '2'), ('{"text": "100%"}', '5'), ('{"text": "it_"}', '5'), ('{"text": "%"}', '5'), ('{"text": "nowhere"}', ''),
    ('{"coach_id": "coach_maple_avatar"}', '2'), ('{"model": "small"}', '52'), ('{"provider": "other"}', '3'), ('{"mode": "roast"}', '2'),
    ('{"min_severity": "5"}', '2'), ('{"max_severity": "3"}', '54316'), ('{"helpful": "true"}', '1'), ('{"helpful": "false"}', '2'), ('{"helpful": "any"}', '21'),
    ('{"helpful": "none"}', '5436'), ('{"rating": "5"}', '1'), ('{"rating": "any"}', '21'), ('{"rating": "none"}', '5436'), ('{"comment": "any"}', '2'),
    ('{"comment": "none", "helpful": "any"}', '1'), ('{"outcome": "failed"}', '4'), ('{"outcome": "wrong"}', '4'), ('{"error_code": "provider_error"}', '4'), ('{"from_cache": "true"}', '5'), ('{"from_cache": "false"}', '43216'),
    ('{"user_id": "00000000-0000-4000-8000-00000000000a"}', '531'), ('{"conversation_id": "10000000-0000-4000-8000-000000000202"}', '42'),
    ('{"conversation_id": "10000000-0000-4000-8000-000000000202", "user_id": "00000000-0000-4000-8000-00000000000a"}', ''),
    ('{"user_id": "00000000-0000-4000-8000-00000000000b", "helpful": "none"}', '46'), ('{"to": "2026-02-01"}', '6'), ('{"from": "2099-01-01"}', '')) v(arguments, expected);
select is(pg_temp.found(jsonb_build_object('from', to_char(pg_temp.at(2) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'to', to_char(pg_temp.at(4) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))), '32',
    'from a time until before another');
-- By what was in its prompt, what it cites, and whether a tuned model gave it.
update public.coach_response_feedback set source_ids = array[pg_temp.id(60), pg_temp.id(61)], citations = jsonb_build_array(jsonb_build_object('number', 1, 'source_id', pg_temp.id(60)))
where right(id::text, 1) in ('2', '3');
update public.coach_response_feedback set citations = null where right(id::text, 1) = '3';
insert into public.ai_finetuning_jobs (id, job_name, base_model, provider, method, status) values (pg_temp.id(90), 'j', 'big', 'openai', 'supervised', 'succeeded');
insert into public.ai_model_versions (model_name, version, model_id, finetuning_job_id) values ('tuned', '1', 'small', pg_temp.id(90)), ('by hand', '1', 'big', null);
select is(pg_temp.found(v.arguments), v.expected, v.arguments::text) from (values
    (jsonb_build_object('source_id', pg_temp.id(60)), '32'), (jsonb_build_object('source_id', pg_temp.id(62)), ''), (jsonb_build_object('cited_source_id', pg_temp.id(60)), '2'),
    (jsonb_build_object('cited_source_id', pg_temp.id(61)), ''), (jsonb_build_object('cited_source_id', pg_temp.id(60), 'helpful', 'true'), ''), ('{"tuned": "true"}', '52')) v(arguments, expected);

-- --- pages ---

create function pg_temp.paged(p_arguments jsonb) returns text language plpgsql as $$
declare
    v_page jsonb;
    v_after jsonb := '{}';
    v_found text := '';
    v_pages int := 0;
begin
    loop
        v_page := uplift_batch.admin_list_answers(null, p_arguments || v_after, 'admin', null);
        v_found := v_found || coalesce((select string_agg(right(d ->> 'id', 1), '' order by n) from jsonb_array_elements(v_page -> 'data') with ordinality x(d, n)), '');
        v_pages := v_pages + 1;
        exit when not (v_page ->> 'has_more')::boolean or v_pages > 20;
        v_after := jsonb_build_object('after', v_page ->> 'next_after');
    end loop;
    return v_found;
end
$$;
select is(pg_temp.paged(v.arguments::jsonb), v.expected, 'page by page: ' || v.arguments) from (values
    ('{"limit": "1"}', '543216'), ('{"limit": "2"}', '543216'), ('{"limit": "1", "user_id": "00000000-0000-4000-8000-00000000000b"}', '426'),
    ('{"limit": "1", "conversation_id": "10000000-0000-4000-8000-000000000201"}', '31'), ('{"limit": "1", "model": "small"}', '52')) v(arguments, expected);
-- Hours that are counted, and have none, are passed over; those in which something changed since are not.
insert into uplift.usage_state (began_at, rolled_until) values (pg_temp.at(-600), pg_temp.at(240)) on conflict (only_one) do update set began_at = excluded.began_at, rolled_until = excluded.rolled_until;
delete from uplift.usage_hourly;
delete from uplift.usage_dirty;
select is(pg_temp.found(jsonb_build_object('model', 'small', 'after', pg_temp.v7(200))), '', 'what no counted hour has is not looked for in it');
insert into uplift.usage_dirty (hour) values (date_trunc('hour', pg_temp.at(1), 'UTC'));
select is(pg_temp.found(jsonb_build_object('model', 'small', 'after', pg_temp.v7(200))), '52', 'an hour that is to be counted again is');
delete from uplift.usage_dirty;
select uplift.count_hour(date_trunc('hour', pg_temp.at(1), 'UTC'), pg_temp.at(-600), true) \g /dev/null
select is(array[pg_temp.paged('{"model": "small"}'), pg_temp.paged('{"helpful": "true"}'), pg_temp.paged('{"outcome": "failed"}'), pg_temp.paged('{"rating": "2"}'), pg_temp.paged('{"text": "naps"}')],
    '{52,1,4,2,3}', 'and counted hours have what they have');
-- A search that does not come to its end in time says so.
select is((select (x.ids, x.next_after is not null, x.looked_at > 0)::text from uplift.find_answers(uplift.read_answer_filter('{"text": "nowhere"}'), null, 10, 0) x), '({},f,t)', 'a short search comes to its end');

-- --- what is wrong with a search ---

select is(pg_temp.refused(format('select uplift_batch.admin_list_answers(null, %L, ''admin'', null)', v.arguments)), v.refused, v.arguments) from (values
    ('{"colour": "red"}', 'UP400 unknown_argument colour'), ('{"text": ""}', 'UP400 invalid_text text'), ('{"rating": "6"}', 'UP400 invalid_rating rating'), ('{"tuned": "maybe"}', 'UP400 invalid_tuned tuned'), ('{"source_id": "x"}', 'UP400 invalid_source_id source_id'), ('{"cited_source_id": "x"}', 'UP400 invalid_cited_source_id cited_source_id'), ('{"helpful": "yes"}', 'UP400 invalid_helpful helpful'),
    ('{"min_severity": "9"}', 'UP400 invalid_min_severity min_severity'), ('{"from": "soon"}', 'UP400 invalid_from from'), ('{"after": "x"}', 'UP400 invalid_after after'), ('{"format": "csv"}', 'UP400 unknown_argument format'),
    ('{"variant": "warm"}', 'UP400 missing_experiment_id experiment_id'), ('{"experiment_id": "10000000-0000-4000-8000-000000000009"}', 'UP404 experiment_not_found experiment_id'),
    ('{"model_version_id": "10000000-0000-4000-8000-000000000009"}', 'UP404 model_version_not_found model_version_id')) v(arguments, refused);

-- Where the one that was seen last is gone, its id mostly tells where that was.
select is(pg_temp.found(jsonb_build_object('user_id', :ann, 'after', uplift.first_id_of(pg_temp.at(4)))), '31', 'a page goes on behind an answer that is gone');
select is(pg_temp.refused($$select uplift_batch.admin_list_answers(null, '{"user_id": "00000000-0000-4000-8000-00000000000a", "after": "f0000000-0000-4000-8000-000000000000"}', 'admin', null)$$),
    'UP400 invalid_after after', 'or says that it cannot');

-- --- whose they were ---

insert into uplift.admin_log (id, who, method, route) values (pg_temp.id(900), 'admin', 'GET', '/admin/answers');
select uplift_batch.admin_list_answers(null, '{"text": "naps"}', 'admin', pg_temp.id(900)) \g /dev/null
select is(array[(uplift_chat.my_access_log(:ann, 50, null) #>> '{data,0,action}'), (uplift_chat.my_access_log(:bob, 50, null) ->> 'data')], '{"GET /admin/answers",[]}',
    'who was shown sees it, and nobody else');
select is(uplift_batch.admin_log(null, jsonb_build_object('user_id', :ann), 'admin') #>> '{data,0,id}', pg_temp.id(900)::text, 'and so do admins');

-- --- exports ---

select is((select count from uplift_batch.export_answers('{"model": "small"}', null, null)), 2, 'an export has what is found');
select is((select x.lines::jsonb ->> 'user_message' from uplift_batch.export_answers('{"text": "naps"}', null, null) x), 'And naps?', 'as lines of JSON');
select ok((select x.lines like 'id,created_at,%' || e'\r\n' || '%,How do I run?,Begin slowly.,false,2,too lax,%' || e'\r\n' from uplift_batch.export_answers('{"format": "csv", "helpful": "false"}', null, null) x), 'or CSV');
select is(array[uplift.csv_field('=1+1'), uplift.csv_field('a,"b"'), uplift.csv_field('-5'), uplift.csv_field(null), uplift.csv_field('- no')], array['''=1+1', '"a,""b"""', '-5', '', '''- no'],
    'in which nothing is a formula');
select is(pg_temp.refused($$select uplift_batch.export_answers('{"limit": "5"}', null, null)$$), 'UP400 unknown_argument limit', 'an export has no limit');

-- --- one ---

select is((select d ->> 'ai_response' || '|' || jsonb_array_length(d -> 'feedback') || '|' || (d #>> '{feedback,0,changes,helpful}') from uplift_batch.admin_get_answer(pg_temp.v7(2), '{}', 'admin', null) d), 'Begin slowly.|2|false',
    'an answer with the history of its feedback');
select is(uplift_batch.admin_get_answer(pg_temp.v7(4), '{}', 'admin', null) #>> '{attempts,0,reason}', 'status_503', 'and its attempts');
select is(pg_temp.refused($$select uplift_batch.admin_get_answer('10000000-0000-4000-8000-000000000999', '{}', 'admin', null)$$), 'UP404 answer_not_found', 'or none');

insert into uplift.admin_log (id, who, method, route, user_id) values (pg_temp.id(901), 'admin', 'GET', '/admin/answers/{id}', :bob);
update public.coach_response_feedback set example_ids = array[pg_temp.v7(1)] where id = pg_temp.v7(2);
select uplift_batch.admin_get_answer(pg_temp.v7(2), '{}', 'admin', pg_temp.id(901)) \g /dev/null
select is(uplift_chat.my_access_log(:ann, 50, null) #>> '{data,0,action}', 'GET /admin/answers/{id}', 'whose answer was an example for it sees that it was shown');
select is((select count(*) from uplift.admin_log_users where log_id = pg_temp.id(901)), 1::bigint, 'and the line itself names its user');

-- --- reviews ---

create function pg_temp.made() returns text language plpgsql as $$
begin
    while exists (select from uplift.training_queue) loop
        perform uplift_batch.generate_training_examples(1000);
    end loop;
    return (select coalesce(string_agg(right(s.answer_id::text, 1), '' order by s.answer_id), '') from public.ai_training_examples e
        join public.ai_training_datasets d on d.id = e.dataset_id and d.dataset_name = 'User Feedback - Positive Responses'
        join uplift.training_example_sources s on s.example_id = e.id where e.withdrawn_at is null);
end
$$;
select is(pg_temp.made(), '1', 'what was liked is an example');
select is(uplift_batch.admin_mark_answer(pg_temp.v7(2), '{"note": "good"}', 'carl') #>> '{training,review}', 'marked', 'an admin marks what was not');
select uplift_batch.admin_reject_answer(pg_temp.v7(1), '{}', 'carl') \g /dev/null
select is(pg_temp.made(), '2', 'then that is one, and what was rejected is none');
select is(pg_temp.found('{"review": "marked"}') || pg_temp.found('{"review": "rejected"}'), '21', 'and they are found by it');
select uplift_batch.admin_unreview_answer(pg_temp.v7(1), '{}', 'carl') \g /dev/null
select uplift_chat.put_preferences(:bob, '{"training_consent": false}') \g /dev/null
select is(pg_temp.made(), '1', 'a review is taken back, and whoever takes back consent is out whatever admins said');
select is(pg_temp.refused(format('select uplift_batch.admin_mark_answer(%L, ''{}'', ''carl'')', v.id)), v.refused, v.what) from (values
    (pg_temp.v7(2), 'UP409 no_training_consent', 'without consent nothing is marked'), (pg_temp.v7(5), 'UP409 not_trainable', 'nor what came from the cache'), (pg_temp.id(999), 'UP404 answer_not_found', 'nor what is not there')) v(id, refused, what);
select uplift.erase_user(:ann, 'user') \g /dev/null
select uplift.erase_user(:bob, 'user') \g /dev/null
select is((select count(*)::int from uplift.answer_reviews) + (select count(*)::int from uplift.admin_log_users where user_id in (:ann, :bob)), 0, 'an erasure takes it all');
select * from finish();
rollback;
