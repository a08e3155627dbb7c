-- The functions over memories and training data: each mistake that deployments' own ones make, pinned.
\ir common.psql
select plan(35);

create function pg_temp.examples() returns text language sql as $$
    select coalesce(string_agg(right(source_id::text, 2), ' ' order by source_id), '') from public.ai_training_examples
$$;

do $$ begin
    perform pg_temp.record(n, pg_temp.ann(), pg_temp.id(100), 'q' || n, 'a' || n, '{"system_prompt": "be kind"}') from generate_series(1, 12) n;
    perform pg_temp.record(13, pg_temp.ann(), pg_temp.id(100), 'q13', 'a13');
    perform pg_temp.record(14, pg_temp.ann(), pg_temp.id(100), 'q14', 'a14 cut', '{"outcome": "partial"}');
    perform pg_temp.record(15, pg_temp.bob(), pg_temp.id(200), 'q15', 'a15');
end $$;
update public.coach_response_feedback set helpful = true where id = pg_temp.id(1);
update public.coach_response_feedback set rating = 4 where id = pg_temp.id(2);
update public.coach_response_feedback set rating = 5, helpful = true where id = pg_temp.id(3);
update public.coach_response_feedback set rating = 4, helpful = false where id = pg_temp.id(4);
update public.coach_response_feedback set rating = 3 where id = pg_temp.id(5);
update public.coach_response_feedback set rating = 2, helpful = true where id = pg_temp.id(6);
update public.coach_response_feedback set helpful = false where id = pg_temp.id(7);
update public.coach_response_feedback set helpful = true where id in (pg_temp.id(13), pg_temp.id(14), pg_temp.id(15));
insert into public.user_coach_preferences (user_id, training_consent) values (:bob, false);

select public.generate_training_examples_from_feedback() \g /dev/null
select is(pg_temp.examples(), '01 02 03 13', 'liked answers, and no others: a thumb down wins over stars, stars over a thumb up');
select results_eq('select right(source_id::text, 2)::int, quality_score from public.ai_training_examples order by 1',
    'values (1, 7.0), (2, 8.0), (3, 10.0), (13, 7.0)', 'a star counts two, a thumb alone seven');
create temp table before as select * from public.ai_training_examples;
select public.generate_training_examples_from_feedback() \g /dev/null
select public.generate_training_examples_from_feedback() \g /dev/null
select set_eq('select * from public.ai_training_examples', 'select * from before', 'run again, nothing comes in twice and nothing moves');
select is((select count(*) from public.ai_training_datasets where dataset_name = 'User Feedback - Positive Responses'), 1::bigint, 'one dataset');
select results_eq($$select total_examples, train_examples + validation_examples + test_examples, average_quality_score, contains_user_feedback from public.ai_training_datasets$$,
    'values (4, 4, 8.00, true)', 'with its counts');
select is((select messages from public.ai_training_examples where source_id = pg_temp.id(1)),
    '[{"role": "system", "content": "be kind"}, {"role": "user", "content": "q1"}, {"role": "assistant", "content": "a1"}]', 'an example');
select is((select messages from public.ai_training_examples where source_id = pg_temp.id(13)),
    '[{"role": "user", "content": "q13"}, {"role": "assistant", "content": "a13"}]', 'without a system prompt there is no system message');
select is((select count(*) from public.ai_training_examples where is_validated and user_satisfaction = 1.0 and source_type = 'user_conversation'), 4::bigint, 'validated by a user');

update public.coach_response_feedback set helpful = null where id = pg_temp.id(1);
update public.coach_response_feedback set helpful = false where id = pg_temp.id(2);
update public.coach_response_feedback set rating = 4 where id = pg_temp.id(3);
select public.generate_training_examples_from_feedback() \g /dev/null
select is(pg_temp.examples(), '03 13', 'feedback taken back takes its example back');
select is((select quality_score from public.ai_training_examples where source_id = pg_temp.id(3)), 8.0, 'feedback changed changes it');
select is((select id from public.ai_training_examples where source_id = pg_temp.id(3)), (select id from before where source_id = pg_temp.id(3)), 'in its place');
update public.user_coach_preferences set training_consent = true where user_id = :bob;
select public.generate_training_examples_from_feedback() \g /dev/null
select is(pg_temp.examples(), '03 13 15', 'who says yes to training is in');
-- What the sketch left behind, and what experts wrote.
insert into public.ai_training_examples (dataset_id, messages, quality_score, source_type, source_id, split, created_at)
select dataset_id, messages, quality_score, source_type, source_id, 'test', created_at + interval '1 day' from public.ai_training_examples where source_id = pg_temp.id(3);
insert into public.ai_training_examples (dataset_id, messages, source_type, split, is_validated)
select id, '[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]', 'expert_labeled', 'train', true from public.ai_training_datasets;
select public.generate_training_examples_from_feedback() \g /dev/null
select is((select count(*) from public.ai_training_examples where source_id = pg_temp.id(3)), 1::bigint, 'duplicates of the sketch go');
select is((select count(*) from public.ai_training_examples where source_type = 'expert_labeled'), 1::bigint, 'what experts wrote stays');

-- Splits.
select is(count(distinct uplift.training_split(:ann)), 1::bigint, 'a user is always on the same side') from generate_series(1, 100);
select ok(uplift.training_split(:ann) = (select min(split) from public.ai_training_examples where source_id = pg_temp.id(13)), 'which is the example''s');
select ok(abs(count(*) filter (where s = 'train') - 8000) < 200 and abs(count(*) filter (where s = 'validation') - 1000) < 150
        and abs(count(*) filter (where s = 'test') - 1000) < 150, '80, 10 and 10 of a hundred users')
from (select uplift.training_split(pg_temp.id(n)) s from generate_series(1, 10000) n) x;

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

select ok(p.prosecdef and p.proconfig @> '{"search_path=\"\""}', p.proname || ' runs as its owner, with a fixed search_path')
from pg_proc p where p.oid = any ('{public.get_user_memory_context(uuid), "public.extract_user_memories(uuid,uuid)",
    public.generate_training_examples_from_feedback(), public.export_training_dataset_openai_format(uuid)}'::regprocedure[]);

select * from finish();
rollback;
