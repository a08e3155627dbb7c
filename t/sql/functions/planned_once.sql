-- What each chat, answer and thumb calls is planned once a session: no function "language sql" among it that the planner does not
-- take into the query that calls it, which would be parsed and planned at each call.
\ir common.psql
select plan(6);

-- How often each was called in this transaction; what was taken into a query does not show.
create function pg_temp.calls() returns table (name text, count bigint) language sql as $$
    select p.oid::regprocedure::text, s.calls
    from pg_stat_xact_user_functions s join pg_proc p on p.oid = s.funcid join pg_language l on l.oid = p.prolang
    where l.lanname = 'sql' and s.schemaname like 'uplift%'
$$;

insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric, status)
select 'e ' || v.key, '{"variant_name": "a"}', array[jsonb_build_object('variant_name', 'b', v.key, v.value)], 'thumbs_up_rate', 'running'
from jsonb_each('{"memory": {"max_tokens": 200}, "temperature": 0.5, "severity": 4, "prompt_suffix": "Be kind.", "examples": {"max_tokens": 200}}') v;
select is((select count(*) from uplift.running_experiments), 5::bigint, 'experiments run');
insert into uplift.settings (key, value) values ('experiments.holdout_share', '0.01') on conflict (key) do update set value = excluded.value;
insert into public.user_traits (user_id, trait_key, trait_value) values (:ann, 'first_name', 'Ann Lee');
insert into public.ai_knowledge_sources (id, source_name, title, content) values (pg_temp.id(50), 'guide.md', 'Running', 'To run far, run slowly at first.');
insert into uplift.search_texts (shelf, ref, part, title, body) values ('knowledge', pg_temp.id(50), 0, 'Running', 'To run far, run slowly at first.');
-- As a worker does whose copy of the texts is empty.
insert into uplift.search_origin (origin) values ('here') on conflict (is_row) do update set origin = 'here';
create temp table request as select jsonb_build_object('address', '10.0.0.1', 'cache', '{"mode": "on", "model": "sim-1"}'::jsonb, 'search', jsonb_build_object('words', array['run'])
    || (select jsonb_object_agg(k.shelf, jsonb_build_object('origin', o.origin, 'horizon', '0', 'mean', 20, 'idf', array['1'], 'ids', '{}'::text[], 'scores', '{}'::text[]))
        from unnest(array['passages', 'knowledge', 'examples']) k(shelf))) as more from uplift.search_origin o;
create function pg_temp.prepare() returns bigint language sql as $$
    select count(*) from request r cross join lateral uplift_chat.prepare_chats(array[pg_temp.ann(), pg_temp.bob()], array['chat', 'chat'], array[null, 'coach_maple_avatar'], array[null, null]::numeric[], array[null, null]::text[],
    array[null, null]::uuid[], array[null, null]::uuid[], array['How do I run?', 'And now?'], array[4000, 4000], array[r.more, r.more])
$$;
-- Three answers from id p_first on, and what their user says of them.
create function pg_temp.answer(p_first int) returns text language sql as $$
    select string_agg(distinct pg_temp.record(n, pg_temp.ann(), pg_temp.id(100), 'My goal is to run a marathon, and I hate gyms.', 'Walk ten minutes each day this week, then run one of them.',
        jsonb_build_object('trace', jsonb_build_object('exposures', (select jsonb_agg(jsonb_build_object('experiment_id', r.id, 'experiment', r.name, 'variant', 'b')) from uplift.running_experiments r)))), ',')
    from generate_series(p_first, p_first + 2) n
$$;
create function pg_temp.rate(p_first int) returns bigint language sql as $$
    select count(*) from unnest(array['{"helpful": true}', '{"helpful": false}', '{"helpful": false, "feedback_text": "Too harsh for me."}']::jsonb[]) with ordinality w(words, n)
    cross join lateral uplift_chat.take_feedback(pg_temp.ann(), pg_temp.id(p_first + w.n::int - 1), w.words, false, now(), uplift.uuid_v7(), '10.0.0.1', null)
$$;
-- Functions of nothing are called once, when the first plan is made, and those of constants as long as plans are of them. What
-- a session has prepared to call is tracked, or not, as it was then.
set local plan_cache_mode = force_generic_plan;
set local track_functions = 'all';
select pg_temp.answer(1), pg_temp.rate(1) \g /dev/null
select uplift_chat.index_answers(array[pg_temp.id(1)]), uplift_chat.learn_memories(array[pg_temp.id(1)]) \g /dev/null
select pg_temp.prepare() \g /dev/null
create temp table before as select * from pg_temp.calls();
select is(pg_temp.prepare(), 2::bigint, 'chats are prepared');
select is(pg_temp.answer(4), 'recorded', 'answers are recorded');
select is(pg_temp.rate(4), 3::bigint, 'thumbs are given');
select is((select count(distinct s.funcname) from pg_stat_xact_user_functions s where s.funcname = any ('{variant_of,is_felt,memories_for,find_passages,knowledge_for,examples_for,find_cached,note_exposures,note_event,keep_wish,offer_few_shot}')), 11::bigint,
    'all of what a chat with everything calls');
select is(string_agg(c.name, ' ' order by c.name), null, 'nothing of it is planned anew at each call') from pg_temp.calls() c left join before b on b.name = c.name where c.count > coalesce(b.count, 0);

select * from finish();
rollback;
