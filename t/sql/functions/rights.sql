-- What uplift_app may do: execute the functions named here, and nothing else.
\ir common.psql
select plan(22);

select set_eq(
    $$select p.oid::regprocedure::text from pg_proc p where p.pronamespace = any ('{uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[]) and has_function_privilege('uplift_app', p.oid, 'execute')$$,
    array['uplift.schema_version()', 'uplift_chat.ready()', 'uplift_chat.list_coaches()', 'uplift_chat.list_personas()',
        'uplift_chat.prepare_chats(uuid[],text[],text[],numeric[],text[],uuid[],uuid[],text[],integer[],jsonb[])', 'uplift_chat.record_chats(uuid[],uuid[],uuid[],timestamp with time zone[],text[],numeric[],text[],uuid[],text[],text[],text[],text[],text[],text[],text[],boolean[],text[],bigint[],bigint[],bigint[],boolean[],bigint[],bigint[],jsonb[],text[],jsonb[],jsonb[],text[])', 'uplift_chat.record_answers(json)', 'uplift_chat.reject_answer(text,text)', 'uplift_chat.rejected_lately()',
        'uplift_chat.give_feedback(uuid,uuid,jsonb,boolean,timestamp with time zone,uuid,text)',
        'uplift_chat.take_feedback(uuid,uuid,jsonb,boolean,timestamp with time zone,uuid,text,text)', 'uplift_chat.get_feedback(uuid,uuid,boolean)',
        'uplift_chat.list_conversations(uuid,integer,timestamp with time zone,text)', 'uplift_chat.get_conversation(uuid,uuid,uuid)', 'uplift_chat.rename_conversation(uuid,uuid,jsonb)',
        'uplift_chat.answer_to_continue(uuid,uuid,uuid)', 'uplift_chat.get_answer(uuid,uuid)', 'uplift_chat.delete_conversation(uuid,uuid)',
        'uplift_chat.export_sections(uuid)', 'uplift_chat.export_rows(uuid,text,jsonb)', 'uplift_chat.erase_me(uuid)', 'uplift_chat.my_access_log(uuid,integer,uuid)', 'uplift_chat.list_memories(uuid,integer,uuid,text,text)', 'uplift_chat.add_memory(uuid,jsonb)', 'uplift_chat.change_memory(uuid,uuid,jsonb)', 'uplift_chat.forget_memories(uuid,uuid)', 'uplift_chat.learn_memories(uuid[])', 'uplift_chat.index_answers(uuid[])', 'uplift_chat.get_answer_context(uuid,uuid)', 'uplift_chat.rest_memories(uuid,text,jsonb,jsonb)', 'uplift_chat.refresh_contexts(uuid[])', 'uplift_chat.question_of(uuid,uuid,uuid)', 'uplift_chat.rest_predictions(uuid,text,jsonb,jsonb)', 'uplift_chat.add_prediction(uuid,jsonb)', 'uplift_chat.give_outcome(uuid,uuid,jsonb)', 'uplift_chat.get_prediction(uuid,uuid)', 'uplift_chat.list_predictions(uuid,integer,uuid,text,text)', 'uplift_chat.get_preferences(uuid)', 'uplift_chat.put_preferences(uuid,jsonb)', 'uplift_chat.rest_select_feedback(uuid,jsonb)', 'uplift_chat.rest_update_feedback(uuid,text,jsonb,jsonb,boolean,timestamp with time zone,uuid,text,text)', 'uplift_chat.begin_photo(uuid,uuid,text,text,text,text)', 'uplift_chat.add_photo(uuid,uuid,text,integer,integer,integer,text)', 'uplift_chat.get_photo(uuid,uuid)', 'uplift_chat.list_photos(uuid,integer,uuid)', 'uplift_chat.correct_photo(uuid,uuid,jsonb)', 'uplift_chat.delete_photo(uuid,uuid)', 'uplift_chat.photo_files(uuid,uuid)', 'uplift_chat.due_photo_removals()', 'uplift_chat.photos_removed(uuid[])', 'uplift_chat.take_photo(integer)', 'uplift_chat.photo_analysed(uuid,integer,uuid,jsonb)', 'uplift_chat.photo_failed(uuid,integer,uuid,jsonb)', 'uplift_chat.give_back_photo(uuid,integer)', 'uplift_chat.worker_sync(jsonb)', 'uplift.find_api_key(text)'],
    'uplift_app may execute these functions, and no others of uplift');
select set_eq(
    $$select p.oid::regprocedure::text from pg_proc p where p.pronamespace = any ('{uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[]) and has_function_privilege('uplift_search', p.oid, 'execute')$$,
    array['uplift.schema_version()', 'uplift_search.start()', 'uplift_search.read_log(text,text,text,bigint,integer)', 'uplift_search.read_texts(text,bigint,integer)',
        'uplift_search.read_changed(text,bigint[])', 'uplift_search.trim_log()'],
    'uplift_search may execute these functions, and no others of uplift');
select is_empty($$select p.oid::regprocedure from pg_proc p where p.pronamespace = 'public'::regnamespace and pg_get_userbyid(p.proowner) = 'uplift_owner'
    and has_function_privilege('uplift_search', p.oid, 'execute')$$, 'none in public');
select is_empty($$select c.oid::regclass from pg_class c where c.relnamespace in ('public'::regnamespace, 'uplift'::regnamespace, 'auth'::regnamespace) and c.relkind in ('r', 'v', 'p')
    and pg_get_userbyid(c.relowner) = 'uplift_owner' and has_table_privilege('uplift_search', c.oid, 'select,insert,update,delete,truncate,references,trigger')$$, 'and touch no table');
select ok(not rolsuper and not rolcreaterole and not rolcreatedb and not rolbypassrls, 'nor has it powers of its own') from pg_roles where rolname = 'uplift_search';
select is_empty($$select p.oid::regprocedure from pg_proc p where p.pronamespace = 'public'::regnamespace and pg_get_userbyid(p.proowner) = 'uplift_owner'
    and has_function_privilege('uplift_app', p.oid, 'execute')$$, 'none in public');
select is_empty($$select c.oid::regclass from pg_class c where c.relnamespace in ('public'::regnamespace, 'uplift'::regnamespace, 'auth'::regnamespace) and c.relkind in ('r', 'v', 'p')
    and pg_get_userbyid(c.relowner) = 'uplift_owner' and has_table_privilege('uplift_app', c.oid, 'select,insert,update,delete,truncate,references,trigger')$$, 'it may touch no table');
select is_empty($$select p.oid::regprocedure from pg_proc p where p.pronamespace = any ('{public,uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[])
    and pg_get_userbyid(p.proowner) = 'uplift_owner' and (has_function_privilege('anon', p.oid, 'execute') or has_function_privilege('authenticated', p.oid, 'execute'))
    -- Whoever may insert a memory may have its key made.
    and (p.oid <> 'uplift.uuid_v7()'::regprocedure or has_function_privilege('anon', p.oid, 'execute'))$$,
    'users may execute none of ours');
select is_empty($$select p.oid::regprocedure from pg_proc p where p.pronamespace = any ('{public,uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[])
    and pg_get_userbyid(p.proowner) = 'uplift_owner' and p.prosecdef and not coalesce(p.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'$$,
    'whatever runs as its owner has a fixed search_path');
select is_empty($$select p.oid::regprocedure from pg_proc p where p.pronamespace = any ('{public,uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[])
    and pg_get_userbyid(p.proowner) = 'uplift_owner' and obj_description(p.oid, 'pg_proc') is null$$, 'every function says what it is for');
select ok(not rolsuper and not rolcreaterole and not rolcreatedb and not rolbypassrls, 'it has no powers of its own') from pg_roles where rolname = 'uplift_app';

-- As it, in earnest. It may make nothing of its own, so what notes the results is made before.
create function public.tried(p_sql text) returns text language plpgsql as $$
begin
    execute p_sql;
    return 'ok';
exception when others then
    return sqlstate;
end
$$;
create table public.results (position int generated always as identity, result text, wanted text, name text);
grant execute on function public.tried(text) to uplift_app;
grant insert on public.results to uplift_app;
set local role uplift_app;
insert into public.results (result, wanted, name) values
    (public.tried('select uplift_chat.ready()'), 'ok', 'ready'),
    (public.tried($$select uplift_chat.prepare_chats('{00000000-0000-4000-8000-00000000000a}', '{chat}', '{null}', '{null}', '{null}', '{null}', '{null}', '{q}', '{10}', '{null}')$$), 'ok', 'prepares a chat'),
    (public.tried($$select uplift_chat.record_answers('[{"id": "10000000-0000-4000-8000-000000000001", "user_id": "00000000-0000-4000-8000-00000000000a", "user_message": "q", "ai_response": "a"}]')$$), 'ok', 'records'),
    (public.tried($$select uplift_chat.give_feedback('00000000-0000-4000-8000-00000000000a', '10000000-0000-4000-8000-000000000001', '{"helpful": true}', false)$$), 'ok', 'gives feedback'),
    (public.tried('select count(*) from public.coach_response_feedback'), '42501', 'reads no answers'),
    (public.tried('select count(*) from uplift.feedback_events'), '42501', 'nor feedback'),
    (public.tried('insert into auth.users (id) values (gen_random_uuid())'), '42501', 'makes no user'),
    (public.tried('select uplift.replay_rejected_answers()'), '42501', 'replays nothing'),
    (public.tried($$select public.build_coach_system_prompt('00000000-0000-4000-8000-00000000000a')$$), '42501', 'and reads nobody''s prompt');
reset role;
-- Trusted backends read which prompt an answer was made with, also where only its parts are kept.
select uplift_chat.record_answers(json_build_array(json_build_object('id', pg_temp.id(2), 'user_id', '00000000-0000-4000-8000-00000000000a',
    'user_message', 'q', 'ai_response', 'a', 'shared_prompt', 'You are Ash.', 'personal_prompt', ' She runs.'))) \g /dev/null
create table public.read_as_service (prompt text);
grant insert on public.read_as_service to service_role;
set local role service_role;
insert into public.read_as_service select p.system_prompt from uplift.answer_prompts p where p.answer_id = '10000000-0000-4000-8000-000000000002';
reset role;
select is((select prompt from public.read_as_service), 'You are Ash. She runs.', 'service_role reads whole prompts');
select is(result, wanted, name) from public.results order by position;
select is((select helpful from public.coach_response_feedback where id = pg_temp.id(1)), true, 'and what it did is there');

select * from finish();
rollback;
