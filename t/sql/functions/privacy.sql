-- What is kept of a user: exported whole, erased whole, and kept out afterwards.
\ir common.psql
select plan(36);

-- --- the list has everything ---

-- Where rows name a user, an answer or a memory, and are in no list: they would stay when the user goes.
select is((
    select coalesce(string_agg(distinct format('%s.%s', c.table_schema, c.table_name), ', '), '')
    from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
    where c.table_schema in ('public', 'uplift') and t.table_type = 'BASE TABLE' and c.column_name in ('user_id', 'answer_id', 'source_answer_id')
        -- Made anew within a transaction, and empty.
        and c.table_name not in ('training_turns', 'training_users', 'training_texts', 'training_inputs', 'training_wanted', 'training_found', 'erasures', 'admin_log')
        and not exists (select from uplift.personal_data() d where position(format('%s.%s', c.table_schema, c.table_name) in d.source) > 0)
        and not exists (select from uplift.derived_data() d where d.source = format('%s.%s', c.table_schema, c.table_name))), '',
    'each table that names a user or an answer is in the list of what is erased');

-- --- a user with a bit of everything ---

insert into auth.users (id) values (:eve);
select uplift_chat.put_preferences(:ann, '{"training_consent": true, "severity": 2.0}') \g /dev/null
select pg_temp.record(1, :ann, pg_temp.id(101), 'My sister and I want to run a marathon', 'Then begin with ten minutes a day, together.') \g /dev/null
select pg_temp.record(2, :ann, pg_temp.id(101), 'And when it rains?', 'Then you run in the rain, or on the stairs.') \g /dev/null
select pg_temp.record(3, :bob, pg_temp.id(102), 'What is it with stairs?', 'They go up, and then down again.') \g /dev/null
select uplift_chat.give_feedback(:ann, pg_temp.id(1), '{"helpful": true, "feedback_text": "shorter please"}', false) \g /dev/null
select uplift_chat.give_feedback(:bob, pg_temp.id(3), '{"helpful": true}', false) \g /dev/null
select uplift_chat.index_answers(array[pg_temp.id(1), pg_temp.id(2), pg_temp.id(3)]) \g /dev/null
select uplift_chat.add_memory(:ann, '{"text": "I train on Tuesdays"}') \g /dev/null
insert into public.user_traits (user_id, trait_key, trait_value) values (:ann, 'diet_type', 'vegan');
select uplift.refresh_context(:ann) \g /dev/null
do $$ begin
    while exists (select from uplift.training_queue) loop
        perform uplift_batch.generate_training_examples(1000);
    end loop;
end $$;

-- --- exported ---

create function pg_temp.exported(p_user uuid) returns jsonb language plpgsql as $$
declare
    v_section text;
    v_page record;
    v_after jsonb;
    v_all jsonb := '{}';
begin
    for v_section in select s.name from uplift_chat.export_sections(p_user) s loop
        v_all := v_all || jsonb_build_object(v_section, '[]'::jsonb);
        v_after := null;
        loop
            select * into v_page from uplift_chat.export_rows(p_user, v_section, v_after);
            exit when v_page.count = 0;
            v_all := jsonb_set(v_all, array[v_section], v_all -> v_section || ('[' || v_page.rows || ']')::jsonb);
            v_after := v_page.after;
        end loop;
    end loop;
    return v_all;
end
$$;
create temp table export as select pg_temp.exported(:ann) as e;
select is((select jsonb_array_length(e -> 'answers') from export), 2, 'an export has the user''s answers');
select is((select e #>> '{answers,0,user_message}' from export), 'My sister and I want to run a marathon', 'in their order, with what was said');
select is((select e #>> '{answers,0,feedback_text}' from export), 'shorter please', 'and thought of them');
select is((select e #> '{answers,0}' ?| '{system_prompt,personal_prompt,attempts}' from export), false, 'but not the house''s own words');
select is((select jsonb_array_length(e -> 'conversations') from export), 1, 'conversations');
select ok((select e -> 'memories' @> '[{"memory_text": "I train on Tuesdays"}]' from export), 'memories');
select is((select e #>> '{traits,0,trait_value}' from export), 'vegan', 'traits');
select is((select (e #>> '{preferences,0,severity}')::numeric from export), 2.0, 'preferences');
select cmp_ok((select jsonb_array_length(e -> 'feedback') from export), '>=', 1, 'each word of feedback');
select cmp_ok((select jsonb_array_length(e -> 'training_examples') from export), '>=', 1, 'and what models may learn of it');
select ok((select e::text not like '%What is it with stairs%' from export), 'nothing of others');
select is((select count(*)::int from jsonb_each(pg_temp.exported(pg_temp.id(99))) x where x.value <> '[]'), 0, 'of a user whom nobody knows there is nothing');
select throws_ok($$ select uplift_chat.export_rows('00000000-0000-4000-8000-00000000000a', 'secrets', null) $$, 'UP400', null, 'only sections that there are');
-- Pages.
insert into public.user_traits (user_id, trait_key, trait_value) select :bob, 'trait ' || n, repeat('x', 5000) from generate_series(1, 700) n;
select is((select count::int < 700 and octet_length(rows) <= 1100000 from uplift_chat.export_rows(:bob, 'traits', null)), true, 'pages are a megabyte at most');
select is((select jsonb_array_length(pg_temp.exported(:bob) -> 'traits')), 700, 'and together have it all');

-- --- erased ---

create temp table before as select (select count(*) from public.coach_response_feedback a where a.user_id <> :ann) as answers;
create temp table proof as select uplift_chat.erase_me(:ann) as p;
select is((select (p #>> '{rows,answers}')::int from proof), 2, 'the proof says how many answers went');
select is((select (p #>> '{rows,memories}')::int > 0 and (p #>> '{rows,training_examples}')::int > 0 from proof), true, 'memories and examples');
select ok((select p::text not like '%00000000000a%' from proof), 'and not whose they were');
create function pg_temp.left_of(p_user uuid) returns text language plpgsql as $$
declare
    v record;
    v_count int;
    v_left text := '';
begin
    for v in select d.source, d.condition from uplift.personal_data() d union all
        select d.source, coalesce(d.condition, format('t.%I in (select a.id from public.coach_response_feedback a where a.user_id = $1)', d.answer_column)) from uplift.derived_data() d loop
        execute format('select count(*) from %s t where %s', v.source, v.condition) into v_count using p_user;
        v_left := v_left || case when v_count > 0 then v.source || ' ' else '' end;
    end loop;
    return v_left;
end
$$;
select is(pg_temp.left_of(:ann), '', 'nothing is left');
select is((select count(*)::int from uplift.passage_words w where not exists (select from uplift.passages p where p.pos = w.pos and w.key = any (p.keys))), 0, 'also of the words');
select is((select count(*)::int from auth.users where id = :ann), 0, 'nor the user');
select is((select count(*) from public.coach_response_feedback a), (select answers from before), 'what others have stays');
select is((select jsonb_array_length(pg_temp.exported(:ann) -> 'answers')), 0, 'an export is empty');

-- --- what comes late ---

select is((select count(*)::int from uplift_chat.record_answers(json_build_array(json_build_object('id', pg_temp.id(4), 'user_id', :ann, 'protocol', 'chat',
    'conversation_id', pg_temp.id(103), 'user_message', 'late', 'ai_response', 'later', 'coach_id', 'coach_decibel_avatar',
    'created_at', now() - interval '1 minute'))) r where r.outcome = 'recorded'), 0, 'an answer from before, from a spool, is taken and not recorded');
select is((select count(*)::int from public.coach_response_feedback where user_id = :ann) + (select count(*)::int from uplift.conversations where user_id = :ann), 0, 'nor its conversation');
select throws_ok(format($$ select uplift_chat.record_answers(json_build_array(
    json_build_object('id', '%s', 'user_id', '00000000-0000-4000-8000-00000000000a', 'protocol', 'chat', 'conversation_id', '%s', 'user_message', 'late', 'ai_response', 'later', 'created_at', now() - interval '1 minute'),
    json_build_object('id', '%s', 'user_id', '00000000-0000-4000-8000-00000000000b', 'protocol', 'chat', 'conversation_id', '%s', 'user_message', 'fine', 'ai_response', 'well', 'created_at', now()))) $$,
    pg_temp.id(4), pg_temp.id(103), pg_temp.id(5), pg_temp.id(104)), 'UP410', null, 'among others it fails the group, which is recorded one by one then');
select throws_ok(format($$ select uplift_chat.give_feedback('00000000-0000-4000-8000-00000000000a', '%s', '{"helpful": true}', true) $$,
    uplift.first_id_of(now() - interval '1 minute')), 'UP404', null, 'feedback does not wait for an answer that was erased');
select is(uplift.remember(:ann, null, 'goal', 'I want to learn to swim', null, 5, 'rules', now() - interval '1 minute'), null, 'nothing is remembered of it');
select is((select count(*)::int from uplift.feedback_said where user_id = :ann), 0, 'none of it is kept');
-- Whoever comes back is new.
insert into auth.users (id) values (:ann);
select is((select string_agg(r.outcome, ' ') from uplift_chat.record_answers(json_build_array(json_build_object('id', pg_temp.id(6), 'user_id', :ann, 'protocol', 'chat',
    'conversation_id', pg_temp.id(105), 'user_message', 'hello again', 'ai_response', 'welcome', 'created_at', clock_timestamp() + interval '1 second'))) r), 'recorded', 'what comes after it is kept');

-- --- again, and to its end ---

select is((select (uplift_batch.admin_erase_everything(:ann, '{}', 'adam') #>> '{rows,answers}')::int), 1, 'an admin erases what has come since');
select is((select jsonb_array_length(uplift_batch.admin_list_erasures(null, jsonb_build_object('user_id', :ann), 'adam') -> 'data')), 2, 'both are told of the user');
select is((select jsonb_array_length(uplift_batch.erasures_to_finish())), 0, 'what was under way has time to end');
update uplift.erasures set erased_at = erased_at - interval '1 hour';
insert into auth.users (id) values (:ann);
insert into public.ai_episodic_memory (user_id, memory_type, memory_text) values (:ann, 'goal', 'written in the same moment');
select is((select string_agg(uplift_batch.finish_erasure((e ->> 'id')::uuid, '[]', true) ->> 'late', ' ' order by e ->> 'id') from jsonb_array_elements(uplift_batch.erasures_to_finish()) e),
    '{"memories": 1} {}', 'what slipped in goes');
select is((select count(*)::int from uplift.erasures e where e.user_id is not null or e.finished_at is null), 0, 'and then who it was is forgotten');
select * from finish();
rollback;
