-- People as admins find them: by id, address or name; what is kept of one; consent that is withdrawn in their place.
\ir common.psql
select plan(34);

update auth.users set email = 'ann@example.com', raw_user_meta_data = '{"full_name": "Ann Archer"}' where id = :ann;
update auth.users set email = 'bob@example.com' where id = :bob;
insert into public.user_traits (user_id, trait_key, trait_value) values (:bob, 'preferred_name', 'Bobby'), (:bob, 'diet_type', 'vegan');
select uplift_chat.put_preferences(:ann, '{"training_consent": true, "roast_consent": true, "mode": "roast"}') \g /dev/null
select pg_temp.record(1, :ann, pg_temp.id(101), 'A question', 'An answer') \g /dev/null
select uplift_chat.record_answers(jsonb_build_array(jsonb_build_object('id', uplift.uuid_v7(), 'user_id', :bob, 'conversation_id', pg_temp.id(102), 'user_message', 'Another',
    'ai_response', 'Another one', 'model_used', 'gpt-4.1-mini', 'prompt_tokens', 1000000, 'completion_tokens', 0, 'created_at', now()))::json) \g /dev/null
select uplift_chat.add_memory(:ann, '{"text": "I train on Tuesdays"}') \g /dev/null

create function pg_temp.found(p_arguments jsonb) returns text language sql as $$
    select coalesce(string_agg(right(d ->> 'id', 1), '' order by d ->> 'id'), '')
    from jsonb_array_elements(uplift_batch.admin_list_users(null, p_arguments, 'admin', null) -> 'data') d
$$;
select is(pg_temp.found(v.arguments::jsonb), v.expected, v.what) from (values
    ('{"q": "00000000-0000-4000-8000-00000000000a"}', 'a', 'by id'), ('{"q": "00000000-0000-4000-8000-0000000000FF"}', '', 'an id of nobody'),
    ('{"q": "ANN@example.com"}', 'a', 'by address, in any case'), ('{"q": "example"}', 'ab', 'by a part of it'), ('{"q": "archer"}', 'a', 'by a name of the sign-in'),
    ('{"q": "bobby"}', 'b', 'by a name among traits'), ('{"q": "vegan"}', '', 'not by other traits'), ('{"q": "%"}', '', 'what stands for anything stands for itself'),
    ('{}', 'b', 'without words those who had the last answers')) v(arguments, expected, what);
select is((select (p ->> 'has_more')::boolean and jsonb_array_length(p -> 'data') = 1 from uplift_batch.admin_list_users(null, '{"q": "example", "limit": "1"}', 'admin', null) p), true, 'a page says that there are more');
select is(pg_temp.found(jsonb_build_object('q', 'example', 'limit', '1', 'after', :ann)), 'b', 'and goes on');
select uplift_chat.record_answers(jsonb_build_array(jsonb_build_object('id', overlay(uplift.first_id_of(now())::text placing '7000-8000-000000000001' from 15), 'user_id', :ann, 'user_message', 'q', 'ai_response', 'a',
    'created_at', now()))::json) \g /dev/null
create temp table page as select uplift_batch.admin_list_users(null, '{"limit": "1"}', 'admin', null) as p;
select is((select concat_ws(' ', right(p #>> '{data,0,id}', 1), jsonb_array_length(p -> 'data'), p -> 'has_more') from page), 'b 1 true', 'those who had the last answers come page by page, too');
create temp table next as select uplift_batch.admin_list_users(null, jsonb_build_object('limit', '1', 'after', p -> 'next_after'), 'admin', null) as p from page;
select is((select concat_ws(' ', right(p #>> '{data,0,id}', 1), jsonb_array_length(p -> 'data'), p -> 'has_more', p -> 'next_after') from next), 'a 1 false null', 'to the last');
select is(uplift_batch.admin_list_users(null, jsonb_build_object('after', uplift.first_id_of('2020-01-01Z')), 'admin', null) -> 'data', '[]', 'and not from the beginning again');
insert into uplift.admin_log (id, who, method, route) values (pg_temp.id(900), 'admin', 'GET', '/admin/users');
select uplift_batch.admin_list_users(null, '{"q": "archer"}', 'admin', pg_temp.id(900)) \g /dev/null
select is(uplift_chat.my_access_log(:ann, 50, null) #>> '{data,0,action}', 'GET /admin/users', 'who was found sees that');
select is(pg_temp.refused(format('select uplift_batch.admin_list_users(null, %L, ''admin'', null)', v.arguments)), v.refused, v.arguments) from (values
    ('{"q": ""}', 'UP400 invalid_q q'), ('{"limit": "0"}', 'UP400 invalid_limit limit'), ('{"name": "x"}', 'UP400 unknown_argument name')) v(arguments, refused);

create temp table one as select uplift_batch.admin_get_user(:ann, '{}', 'admin') as u;
select is((select concat_ws('|', u ->> 'email', u ->> 'name', u #>> '{preferences,training_consent}', u ->> 'memories', u ->> 'conversations') from one), 'ann@example.com|Ann Archer|true|1|1', 'one of them');
select is(uplift_batch.admin_get_user(:bob, '{}', 'admin') #>> '{this_month,cost_usd}', '0.40000000', 'with what they spent this month');
select is((select u #>> '{rate_limit,requests_per_minute}' from one), '120', 'and the limit that holds for them');
select is(pg_temp.refused($$select uplift_batch.admin_get_user('10000000-0000-4000-8000-000000000999', '{}', 'admin')$$), 'UP404 user_not_found', 'or nobody');
select is(uplift_batch.admin_user_conversations(:ann, '{}', 'admin') #>> '{data,0,title}', 'A question', 'their conversations');
select is(uplift_batch.admin_user_memories(:ann, '{}', 'admin') #>> '{data,0,text}', 'I train on Tuesdays', 'and memories');
select uplift_chat.forget_memories(:ann, null) \g /dev/null
select is((select count(*)::int from uplift_batch.export_sections(:ann)), (select count(*)::int from uplift.personal_data()), 'an export has all sections');
select is((select r.count from uplift_batch.export_rows(:ann, 'answers', null) r), 2, 'and their rows');

-- --- consent ---

select is(pg_temp.refused(format('select uplift_batch.admin_withdraw_consent(pg_temp.ann(), %L, ''admin'')', v.body)), v.refused, v.body) from (values
    ('{"training_consent": true}', 'UP400 invalid_training_consent training_consent'), ('{"memory_enabled": null}', 'UP400 invalid_memory_enabled memory_enabled'),
    ('{"severity": 2}', 'UP400 unknown_argument severity'), ('{}', 'UP400 nothing_to_change')) v(body, refused);
select is((uplift_chat.get_preferences(:ann) ->> 'training_consent'), 'true', 'what is refused changes nothing');
select is((select concat_ws('|', p ->> 'training_consent', p ->> 'memory_enabled', p ->> 'experiments_enabled', p ->> 'roast_consent', p ->> 'mode')
    from uplift_batch.admin_withdraw_consent(:ann, '{"training_consent": false, "memory_enabled": false, "experiments_enabled": false, "roast_consent": false}', 'admin') p),
    'false|false|false|false|default', 'consent withdrawn, and with it the mode that needs it');
select is(pg_temp.refused($$select uplift_batch.admin_withdraw_consent('10000000-0000-4000-8000-000000000999', '{"training_consent": false}', 'admin')$$), 'UP404 user_not_found', 'of somebody');
select ok(has_function_privilege('uplift_batch', 'uplift_batch.admin_list_users(uuid,jsonb,text,uuid)', 'execute') and not has_function_privilege('uplift_app', 'uplift_batch.admin_list_users(uuid,jsonb,text,uuid)', 'execute'),
    'fcgi-batch may do it, and fcgi-chat not');
select * from finish();
rollback;
