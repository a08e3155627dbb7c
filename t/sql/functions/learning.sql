-- The functions over memories, and the export: each mistake that deployments' own ones make, pinned.
\ir common.psql
select plan(18);

-- Export.
insert into public.ai_training_datasets (id, dataset_name) values (pg_temp.id(900), 'export'), (pg_temp.id(901), 'empty');
insert into public.ai_training_examples (dataset_id, messages, split, is_validated, created_at) values
    (pg_temp.id(900), '[{"role":"system","content":null},{"role":"user","content":"q1"},{"role":"assistant","content":"a1"}]', 'train', true, '2026-01-01'),
    (pg_temp.id(900), '[{"role":"user","content":"q2"},{"role":"assistant","content":null,"tool_calls":[{}]}]', 'train', true, '2026-01-02'),
    (pg_temp.id(900), '[{"role":"user","content":"q3"},{"role":"assistant","content":null}]', 'train', true, '2026-01-03'),
    (pg_temp.id(900), '[{"role":"user","content":"q4"},{"role":"assistant","content":"a4"}]', 'validation', true, '2026-01-04'),
    (pg_temp.id(900), '[{"role":"user","content":"q5"},{"role":"assistant","content":"a5"}]', 'train', false, '2026-01-05');
select results_eq('select training_data from public.export_training_dataset_openai_format(pg_temp.id(900))',
    $$values ('[{"messages":[{"role":"user","content":"q1"},{"role":"assistant","content":"a1"}]},
        {"messages":[{"role":"user","content":"q2"},{"role":"assistant","content":null,"tool_calls":[{}]}]}]'::jsonb)$$,
    'one array of the validated training side, without null contents');
select results_eq('select training_data from public.export_training_dataset_openai_format(pg_temp.id(901))', $$values ('[]'::jsonb)$$, 'an empty array for an empty set');

-- Memories.
do $$ begin
    perform pg_temp.record(30, pg_temp.ann(), pg_temp.id(300), e'Hello there. I want to run a marathon!  It rains\nI don\u2019t like mornings. Yesterday I lost 5 pounds', 'a');
    perform pg_temp.record(31, pg_temp.ann(), pg_temp.id(300), 'i WANT to run a marathon', 'You want to rest');
    perform pg_temp.record(32, pg_temp.bob(), pg_temp.id(301), 'My goal is to sleep', 'a');
end $$;
select public.extract_user_memories(:ann, pg_temp.id(300)) \g /dev/null
create function pg_temp.memories() returns text language sql as $$
    select string_agg(memory_type || ': ' || memory_text, '; ' order by importance_score desc, id) from public.ai_episodic_memory where user_id = pg_temp.ann()
$$;
select is(pg_temp.memories(), 'achievement: Yesterday I lost 5 pounds; goal: I want to run a marathon; preference: I don''t like mornings', 'a memory is one sentence');
select is((select array_agg(distinct related_conversation_id) from public.ai_episodic_memory where user_id = :ann), array[pg_temp.id(300)], 'of a conversation');
select public.extract_user_memories(:ann, pg_temp.id(300)) \g /dev/null
select is((select count(*) from public.ai_episodic_memory where user_id = :ann), 3::bigint, 'run again it adds nothing');
update public.ai_episodic_memory set is_active = false where user_id = :ann and memory_type = 'goal';
select public.extract_user_memories(:ann, pg_temp.id(300)) \g /dev/null
select is((select count(*) from public.ai_episodic_memory where user_id = :ann), 3::bigint, 'what was forgotten does not come back');
select public.extract_user_memories(:ann, pg_temp.id(301)) \g /dev/null
select is((select count(*) from public.ai_episodic_memory where user_id = :ann), 3::bigint, 'nothing of another user''s conversation');
do $$ begin
    perform pg_temp.record(40, pg_temp.ann(), pg_temp.id(302), 'I want to be first', 'a');
    perform pg_temp.record(40 + n, pg_temp.ann(), pg_temp.id(302), 'small talk', 'a') from generate_series(1, 10) n;
end $$;
select public.extract_user_memories(:ann, pg_temp.id(302)) \g /dev/null
select is((select count(*) from public.ai_episodic_memory where user_id = :ann), 3::bigint, 'the last ten messages only');
do $$ begin perform pg_temp.record(60, pg_temp.ann(), pg_temp.id(303), 'I want to ' || repeat('x', 100000), 'a'); end $$;
select public.extract_user_memories(:ann, pg_temp.id(303)) \g /dev/null
select is((select max(length(memory_text)) from public.ai_episodic_memory where user_id = :ann), 300, 'and no more than 300 characters of a sentence');

select is(public.get_user_memory_context(:eve), '', 'no memory, no section');
select matches(public.get_user_memory_context(:ann), '^\nKNOWN USER CONTEXT \(Remember These\):\n<user_memories>\n- \[achievement\] Yesterday I lost 5 pounds\n', 'the most important first');
select doesnt_match(public.get_user_memory_context(:ann), 'marathon', 'not what was forgotten');
update public.ai_episodic_memory set expires_at = now() where user_id = :ann and memory_type = 'achievement';
select doesnt_match(public.get_user_memory_context(:ann), 'achievement', 'nor what expired');
insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score) select :ann, 'goal', 'goal ' || n, n from generate_series(1, 9) n;
select is((select count(*) from regexp_matches(public.get_user_memory_context(:ann), '^- ', 'gn')), 5::bigint, 'five at most');

select ok(p.prosecdef and p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', p.proname || ' runs as its owner, with a fixed search_path')
from pg_proc p where p.oid = any ('{public.get_user_memory_context(uuid), "public.extract_user_memories(uuid,uuid)",
    public.generate_training_examples_from_feedback(), public.export_training_dataset_openai_format(uuid)}'::regprocedure[]);

select * from finish();
rollback;
