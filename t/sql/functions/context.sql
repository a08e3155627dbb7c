-- What is known of a user, kept as one row: the same prompt with and without it, made anew whenever something changes.
\ir common.psql
select plan(35);

create function pg_temp.has_context(p_user uuid) returns boolean language sql as $$
    select exists (select from public.ai_context_cache k where k.user_id = p_user and k.context_type = 'chat_context')
$$;
create function pg_temp.version(p_user uuid) returns int language sql as $$
    select k.context_version from public.ai_context_cache k where k.user_id = p_user and k.context_type = 'chat_context'
$$;
-- Whether a change takes the context away; it is there again afterwards.
create function pg_temp.takes_away(p_sql text) returns boolean language plpgsql as $$
declare
    v_taken boolean;
begin
    execute p_sql;
    v_taken := not pg_temp.has_context(pg_temp.ann());
    perform uplift.refresh_context(pg_temp.ann());
    return v_taken;
end
$$;

insert into public.user_traits (user_id, trait_key, trait_value) values (:ann, 'diet_type', 'vegan'), (:ann, 'empty', ''), (:bob, 'diet_type', 'keto');
insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score, expires_at) values
    (:ann, 'goal', 'Run a marathon', 9, null), (:ann, 'goal', 'Sleep more', 8, now() + interval '1 hour'), (:bob, 'goal', 'Bench 100 kg', 8, null);
insert into public.ai_episodic_memory (user_id, memory_type, memory_text, source, coach_id, last_said_at) values
    (:ann, 'preference', 'Keep answers short.', 'feedback', null, now()),
    (:ann, 'preference', 'Make no jokes.', 'feedback', 'coach_decibel_avatar', now()),
    (:ann, 'preference', 'Use lists.', 'feedback', 'coach_maple_avatar', now());
create temporary table before as select public.build_coach_system_prompt(:ann) as prompt, public.build_coach_system_prompt(:ann, 'coach_maple_avatar') as other;

select ok(not pg_temp.has_context(:ann), 'nothing is kept at first');
select ok(uplift.refresh_context(:ann), 'it is made');
select is((select context_type || ' ' || context_version from public.ai_context_cache where user_id = :ann), 'chat_context 1', 'as one row');
select is(public.build_coach_system_prompt(:ann), (select prompt from before), 'the prompt is the same with it');
select is(public.build_coach_system_prompt(:ann, 'coach_maple_avatar'), (select other from before), 'also of another coach, who has other wishes');
select matches((select prompt from before), '- Make no jokes', 'which are in it');
select doesnt_match((select prompt from before), 'Use lists', 'each for its coach');
select is((select expires_at from public.ai_context_cache where user_id = :ann), now() + interval '1 hour', 'it holds no longer than what is in it');
update public.ai_context_cache set context_data = jsonb_set(context_data, '{facts}', '"\n- kept: here"') where user_id = :ann;
select matches(public.build_coach_system_prompt(:ann), '<user_facts>\n- kept: here\n</user_facts>', 'what is kept is what counts');
select doesnt_match(public.build_coach_system_prompt(:bob), 'kept: here|marathon', 'and for nobody else');
update public.ai_context_cache set expires_at = now() where user_id = :ann;
select is(public.build_coach_system_prompt(:ann), (select prompt from before), 'once expired it does not count');
select is(uplift.refresh_contexts_of(array[pg_temp.ann(), pg_temp.bob(), pg_temp.eve()]), 2, 'what is missing or expired is made; not for somebody unknown');
select is(uplift.refresh_contexts_of(array[pg_temp.ann(), pg_temp.bob()]), 0, 'what holds is left');
select is(pg_temp.version(:ann), 2, 'versions are counted');

select ok(pg_temp.takes_away(s), s || ' takes it away') from unnest(array[
    $$insert into public.user_traits (user_id, trait_key, trait_value) values (pg_temp.ann(), 'age', '40')$$,
    $$update public.user_traits set trait_value = '41' where user_id = pg_temp.ann() and trait_key = 'age'$$,
    $$delete from public.user_traits where user_id = pg_temp.ann() and trait_key = 'age'$$,
    $$insert into public.ai_episodic_memory (user_id, memory_type, memory_text) values (pg_temp.ann(), 'goal', 'Swim')$$,
    $$update public.ai_episodic_memory set is_active = false where user_id = pg_temp.ann() and memory_text = 'Swim'$$,
    $$delete from public.ai_episodic_memory where user_id = pg_temp.ann() and memory_text = 'Swim'$$,
    $$insert into public.ai_context_cache (user_id, context_type, context_data, context_text) values (pg_temp.ann(), 'recent_foods', '{}', 'Tofu <b>')$$,
    $$update public.ai_context_cache set context_text = 'Tofu <i>' where user_id = pg_temp.ann() and context_type = 'recent_foods'$$]) s;
select matches(public.build_coach_system_prompt(:ann), '- diet_type: vegan\n- recent foods: Tofu ‹i›\n</user_facts>', 'what other programs prepared is in it, as data');
select ok(not pg_temp.takes_away($$update public.ai_episodic_memory set last_accessed = now(), access_count = 3 where user_id = pg_temp.ann()$$),
    'that a memory was used takes nothing away');
select ok(not pg_temp.takes_away($$insert into public.user_traits (user_id, trait_key, trait_value) values (pg_temp.bob(), 'age', '40')$$), 'nor does what is of others');
insert into public.user_coach_preferences (user_id, memory_enabled) values (:ann, false);
select doesnt_match(public.build_coach_system_prompt(:ann), 'marathon|Keep answers', 'who turned memory off has neither memories nor wishes in the prompt');
update public.user_coach_preferences set memory_enabled = true where user_id = :ann;

-- After an answer, and by the job.
select pg_temp.record(1, :ann, pg_temp.id(100), 'hello', 'hi') \g /dev/null
update public.ai_context_cache set expires_at = now() where user_id = :ann;
select is(uplift_chat.refresh_contexts(array[pg_temp.id(1), pg_temp.id(99)]), 1, 'made after an answer');
select is(uplift_chat.refresh_contexts(array[pg_temp.id(1)]), 0, 'once');
delete from public.ai_context_cache where context_type = 'chat_context';
select results_eq($$select (r ->> 'contexts')::int, (r ->> 'goes_on')::boolean from uplift_batch.refresh_contexts(3650, null, 1000, null) r$$, 'values (1, false)',
    'the job makes those of users who were given an answer');
select is(uplift_batch.refresh_contexts(3650, null, 1000, :ann) ->> 'contexts', '0', 'once');

-- A user of whom nothing is known, and the first turn that can be found later.
update uplift.settings set value = '0' where key = 'context.withheld_share';
select is(uplift.user_context(:eve), '{"facts": null, "wishes": [], "memories": null, "memory_ids": null, "pinned_ids": null, "has_passages": false}',
    'nothing is known of who is new');
insert into auth.users (id) values (:eve) on conflict do nothing;
select pg_temp.record(2, :eve, pg_temp.id(200), 'My knee hurts when I squat deep.', 'Try box squats.') \g /dev/null
select uplift.refresh_context(:eve) \g /dev/null
select uplift_chat.index_answers(array[pg_temp.id(2)]) \g /dev/null
select ok(not pg_temp.has_context(:eve), 'the first turn that can be found takes the context away');
select uplift.refresh_context(:eve) \g /dev/null
select matches((select p.personal_prompt from uplift_chat.prepare_chats(array[:eve::uuid], '{chat}', '{null}', '{null}', '{null}', '{null}', '{null}',
        '{How do I squat with a bad knee?}', '{4000}', array['{"search": {"words": ["squat", "knee"], "language": "en"}}'::jsonb]) p),
    'My knee hurts when I squat deep', 'the next chat finds it');
update public.ai_context_cache set context_data = context_data - 'has_passages' where user_id = :eve;
select matches((select p.personal_prompt from uplift_chat.prepare_chats(array[:eve::uuid], '{chat}', '{null}', '{null}', '{null}', '{null}', '{null}',
        '{How do I squat with a bad knee?}', '{4000}', array['{"search": {"words": ["squat", "knee"], "language": "en"}}'::jsonb]) p),
    'My knee hurts when I squat deep', 'also where a kept context does not say whether there is anything');
select pg_temp.record(3, :eve, pg_temp.id(200), 'And when I run?', 'Run less.') \g /dev/null
select uplift_chat.index_answers(array[pg_temp.id(3)]) \g /dev/null
select ok(pg_temp.has_context(:eve), 'those after it leave the context as it is');

select * from finish();
rollback;
