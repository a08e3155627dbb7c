-- What is found for a message goes into its prompt and its row: memories, earlier conversations, knowledge, examples.
\ir common.psql
select plan(33);
update uplift.settings set value = '0' where key = 'context.withheld_share';
delete from public.ai_knowledge_sources; -- the demo's

-- What a worker would send of a message, while no copy has anything yet.
create function pg_temp.searched(p_message text) returns jsonb language sql as $$
    select jsonb_build_object('search', jsonb_build_object('words', to_jsonb(w), 'language', 'en', 'knowledge', s, 'examples', s))
    from uplift.text_words(p_message, 'en') w
    cross join lateral (select jsonb_build_object('horizon', '0', 'mean', 30, 'ids', '[]'::jsonb, 'scores', '[]'::jsonb, 'idf', (select jsonb_agg(2) from unnest(w))) as s) x
$$;
create function pg_temp.ask(p_message text, p_more jsonb default null, p_user uuid default pg_temp.ann())
returns table (prompt text, trace jsonb, cache_key text) language sql as $$
    select p.personal_prompt, p.trace, p.cache_key from uplift_chat.prepare_chats(array[p_user], '{chat}', '{null}', '{null}', '{null}', '{null}',
        '{null}', array[p_message], '{4000}', array[coalesce(p_more, pg_temp.searched(p_message))]) p
$$;

-- Bob's liked answer, a source, and Ann's memory and earlier turn.
select pg_temp.record(1, :bob, pg_temp.id(100), 'What should I eat for breakfast with protein?', 'Three eggs or a bowl of skyr give you what you need.') \g /dev/null
update public.coach_response_feedback set helpful = true where id = pg_temp.id(1);
insert into public.ai_knowledge_sources (id, source_name, title, content, source_url) values
    (pg_temp.id(50), 'guide.md', 'Protein', 'Protein at breakfast keeps you full: twenty to thirty grams.', 'https://example.org/protein');
insert into uplift.search_texts (shelf, ref, part, title, body)
select 'knowledge', pg_temp.id(50), 0, 'Protein', 'Protein at breakfast keeps you full: twenty to thirty grams.'
where not exists (select from uplift.search_texts where ref = pg_temp.id(50));
insert into public.ai_episodic_memory (id, user_id, memory_type, memory_text) values
    (pg_temp.id(70), :ann, 'goal', 'I want to eat more protein'), (pg_temp.id(71), :ann, 'goal', 'I want to swim the channel');
select pg_temp.record(2, :ann, pg_temp.id(101), 'My breakfast is oats with protein powder and it bores me.', 'Try it savoury, with an egg.') \g /dev/null
select uplift_chat.index_answers(array[pg_temp.id(2)]) \g /dev/null

create temporary table got as select * from pg_temp.ask('protein for breakfast?');
select matches(prompt, '<user_memories>\n- \[goal\] I want to eat more protein', 'the memory that the message is about comes first') from got;
select matches(prompt, '# Earlier conversations\n[^<]+<earlier_conversations>\n- .*: the user said: "My breakfast is oats', 'what was said before is there, with when') from got;
select matches(prompt, '<knowledge>\n\[1\] Protein \(guide.md\): Protein at breakfast', 'knowledge, with its number') from got;
select matches(prompt, '<examples>\n- .*Three eggs or a bowl of skyr', 'and the answer that another user liked') from got;
select doesnt_match(prompt, 'What should I eat', 'not what that user asked') from got;
select is(trace -> 'memory_ids' -> 0 #>> '{}', pg_temp.id(70)::text, 'the row will have the memories') from got;
select is(trace -> 'passage_ids', to_jsonb(array[pg_temp.id(2)]), 'the passages') from got;
select is(trace -> 'source_ids', to_jsonb(array[pg_temp.id(50)]), 'the sources') from got;
select is(trace #>> '{citations,0,url}', 'https://example.org/protein', 'what their numbers stand for') from got;
select is(trace -> 'example_ids', to_jsonb(array[pg_temp.id(1)]), 'and the examples') from got;
select is(trace -> 'withheld', 'null', 'nothing was withheld') from got;
select pg_temp.record(3, :ann, null, 'protein for breakfast?', 'Eat [1].', (select jsonb_build_object('trace', trace) from got)) \g /dev/null
select results_eq($$select passage_ids, source_ids, example_ids, citations #>> '{0,title}', withheld from public.coach_response_feedback where id = pg_temp.id(3)$$,
    $$values (array[pg_temp.id(2)], array[pg_temp.id(50)], array[pg_temp.id(1)], 'Protein', null::text[])$$, 'which it then has');

select is((select count(*) from pg_temp.ask('the weather in Lisbon') where prompt ~ 'knowledge|examples|earlier_'), 0::bigint, 'another message gets none of it');
select matches((select prompt from pg_temp.ask('the weather in Lisbon')), 'user_memories', 'but what is important of memories');
select is((select prompt from pg_temp.ask('protein for breakfast?', null, :bob) where prompt ~ 'swim|oats'), null, 'another user gets nothing of this one''s');
insert into public.user_coach_preferences (user_id, memory_enabled) values (:ann, false);
select matches((select prompt from pg_temp.ask('protein for breakfast?')), '# Knowledge\n(.|\n)*# Examples', 'with memory turned off knowledge and examples are there');
select doesnt_match((select prompt from pg_temp.ask('protein for breakfast?')), 'Memories|Earlier', 'and nothing of the user');
update public.user_coach_preferences set memory_enabled = true where user_id = :ann;
select matches((select prompt from pg_temp.ask('protein for breakfast?', '{}')), 'user_memories', 'without a search memories are there');
select doesnt_match((select prompt from pg_temp.ask('protein for breakfast?', '{}')), 'Earlier|Knowledge|Examples', 'and nothing else');

-- Taken back, it is gone from the next chat.
update public.coach_response_feedback set helpful = false where id = pg_temp.id(1);
select doesnt_match((select prompt from pg_temp.ask('protein for breakfast?')), 'Examples', 'a thumb down takes an example out');
update public.ai_knowledge_sources set is_active = false where id = pg_temp.id(50);
select doesnt_match((select prompt from pg_temp.ask('protein for breakfast?')), 'Knowledge', 'a source that is withdrawn is gone');
update public.ai_knowledge_sources set is_active = true where id = pg_temp.id(50);

-- Who shares an answer of the cache: those whose prompt has nothing of their own.
delete from public.ai_episodic_memory;
delete from uplift.passages;
create function pg_temp.key(p_user uuid) returns text language sql as $$
    select cache_key from pg_temp.ask('protein for breakfast?', pg_temp.searched('protein for breakfast?')
        || '{"cache": {"mode": "on", "max_age_s": 60, "model": "m"}}', p_user)
$$;
select is(pg_temp.key(:ann), pg_temp.key(:bob), 'knowledge is nobody''s own: an answer made with it is shared');
insert into public.user_traits (user_id, trait_key, trait_value) values (:ann, 'diet_type', 'vegan');
select isnt(pg_temp.key(:ann), pg_temp.key(:bob), 'what is known of a user is');

-- Who asks the same again has the last time as a passage, and gets the same from the cache all the same.
delete from public.user_traits where user_id = :ann;
create function pg_temp.asked_again(p_user uuid, out key text, out is_cached boolean) language sql as $$
    select p.cache_key, p.cached is not null from uplift_chat.prepare_chats(array[p_user], '{chat}', '{null}', '{null}', '{null}', '{null}',
        '{null}', '{"protein for breakfast?"}', '{4000}', array[pg_temp.searched('protein for breakfast?')
            || '{"cache": {"mode": "on", "max_age_s": 60, "model": "m"}}']) p
$$;
select pg_temp.record(40, :ann, pg_temp.id(140), 'protein for breakfast?', 'Eat skyr.', jsonb_build_object('created_at', now(), 'finish_reason', 'stop', 'cache_key', pg_temp.key(:ann), 'cache_ttl_s', 600)) \g /dev/null
select uplift_chat.index_answers(array[pg_temp.id(40)]) \g /dev/null
select results_eq('select key = pg_temp.key(pg_temp.bob()), is_cached from pg_temp.asked_again(pg_temp.ann())', 'values (false, true)',
    'cache: found, and what is made with a passage is the user''s own');
select results_eq('select is_cached from pg_temp.asked_again(pg_temp.bob())', 'values (true)', 'cache: of others, too');

-- A share is withheld.
delete from uplift.passages;
update uplift.settings set value = '0.5' where key = 'context.withheld_share';
create temporary table tries as select t.trace, t.prompt from generate_series(1, 60) n, lateral pg_temp.ask('protein for breakfast?', pg_temp.searched('protein for breakfast?') || jsonb_build_object('n', n)) t;
select cmp_ok((select count(*) from tries where trace -> 'withheld' = '["knowledge"]'), '>', 5::bigint, 'some chats go without');
select cmp_ok((select count(*) from tries where trace -> 'withheld' = 'null'), '>', 5::bigint, 'others with it');
select is((select count(*) from tries where (trace -> 'withheld' = '["knowledge"]') = (prompt ~ 'Knowledge')), 0::bigint, 'the prompt is as the trace says');
select is((select count(*) from tries where trace -> 'withheld' <> 'null' and trace -> 'source_ids' <> 'null'), 0::bigint, 'what was withheld is not said to have been shown');
select is((select count(*) from tries where trace::text ~ '"(examples|memories|passages)"'), 0::bigint, 'what was not there was not withheld');

-- Less of what is known to help.
delete from uplift.rate_limits;
create function pg_temp.withheld(p_low float8, p_measured_at timestamptz) returns bigint language sql as $$
    delete from uplift.context_effects;
    insert into uplift.context_effects (kind, measured_at, n_with, users_with, rate_with, n_without, users_without, rate_without, difference, low, high)
    values ('knowledge', p_measured_at, 100, 50, 0.8, 100, 50, 0.6, 0.2, p_low, 0.3), ('examples', now(), 100, 50, 0.8, 100, 50, 0.6, 0.2, 0.1, 0.3);
    select count(*) filter (where t.trace -> 'withheld' = '["knowledge"]') from generate_series(1, 200) n,
        lateral pg_temp.ask('protein for breakfast?', pg_temp.searched('protein for breakfast?') || jsonb_build_object('n', n)) t
$$;
select cmp_ok(pg_temp.withheld(-0.01, now()), '>', 60::bigint, 'a half of 200, where it may be worth nothing');
select cmp_ok(pg_temp.withheld(0.01, now() - interval '8 days'), '>', 60::bigint, 'and where that it helps was found long ago');
select ok(pg_temp.withheld(0.01, now()) between 4 and 45, 'a tenth, where it helps');

select * from finish();
rollback;
