-- What was demoted for having hurt stays so as long as it says the same, however it is written anew.
\ir common.psql
select plan(29);
delete from public.ai_knowledge_sources; -- the demo's

create function pg_temp.demote(p_kind text, p_item uuid) returns int language plpgsql as $$
begin
    insert into uplift.context_effects (kind, item, n_with, users_with, rate_with, n_without, users_without, rate_without, difference, low, high, shrunk, shrunk_high)
    values (p_kind, p_item, 40, 40, 0.1, 40, 40, 0.8, -0.7, -0.8, -0.6, -0.5, -0.4);
    return uplift.demote_items(20);
end
$$;
-- What is searched, with its weight.
create function pg_temp.weights(p_shelf text) returns text language sql as $$
    select string_agg(t.body || '=' || t.weight, ' ' order by t.body, t.id) from uplift.search_texts t where t.shelf = p_shelf and t.is_active
$$;
create function pg_temp.take(p_name text, p_content text, p_more jsonb default '{}') returns uuid language sql as $$
    select (uplift_batch.take_knowledge(jsonb_build_object('name', p_name) || p_more, p_content) ->> 'id')::uuid
$$;

-- Knowledge.
select pg_temp.take('sugar', E'# A\nSugar heals.\n# B\nWater is wet.') as sugar \gset
select pg_temp.take('salt', 'Salt is salty.') as salt \gset
select is(pg_temp.demote('knowledge', :'sugar'), 1, 'a source is demoted');
select is(pg_temp.weights('knowledge'), 'Salt is salty.=1 Sugar heals.=0.5 Water is wet.=0.5', 'all that it says counts half');
update public.ai_knowledge_sources set title = 'Sweet' where id = :'sugar';
select is(pg_temp.weights('knowledge'), 'Salt is salty.=1 Sugar heals.=0.5 Water is wet.=0.5', 'under another title, too');
update public.ai_knowledge_sources set coach_ids = '{coach_decibel_avatar}', target_audience = 'beginners' where id = :'sugar';
select is(pg_temp.weights('knowledge'), 'Salt is salty.=1 Sugar heals.=0.5 Water is wet.=0.5', 'for others, too');
update public.ai_knowledge_sources set reliability_score = 10 where id = :'sugar';
select is(pg_temp.weights('knowledge'), 'Salt is salty.=1 Sugar heals.=0.75 Water is wet.=0.75', 'half of what it is worth by its reliability');
select pg_temp.take('sugar', E'# A\nSugar heals.\n# B\nWater is wet.', '{"reliability": 5}');
select is(pg_temp.weights('knowledge'), 'Salt is salty.=1 Sugar heals.=0.5 Water is wet.=0.5', 'the same content imported anew');
select pg_temp.take('sugar', E'# A\nSugar  HEALS.\n# B\nWater is very wet.\n# C\nAir is thin.') as newer \gset
select is(pg_temp.weights('knowledge'), 'Air is thin.=1 Salt is salty.=1 Sugar  HEALS.=0.5 Water is very wet.=1', 'a newer version: what says the same counts half, what does not starts anew');
select is(uplift.demote_items(20), 0, 'nothing is demoted twice');
delete from public.ai_knowledge_sources where id = :'newer';
select is(pg_temp.weights('knowledge'), 'Salt is salty.=1', 'a source is deleted');
select pg_temp.take('sweets', 'Sugar heals.') as sweets \gset
select is(pg_temp.weights('knowledge'), 'Salt is salty.=1 Sugar heals.=0.5', 'what it said comes back in another');
update public.ai_knowledge_sources set is_active = false where id = :'sweets';
update public.ai_knowledge_sources set is_active = true where id = :'sweets';
select is(pg_temp.weights('knowledge'), 'Salt is salty.=1 Sugar heals.=0.5', 'withdrawn and back');
-- Of two that say the same one is searched.
select pg_temp.take('salt 2', E'Salt is salty.\n\n# More\nMuch more.') as twin \gset
delete from uplift.context_effects;
select is(pg_temp.demote('knowledge', :'salt'), 1, 'a source is demoted of which another has a piece');
update public.ai_knowledge_sources set is_active = false where id = :'salt';
select is(pg_temp.weights('knowledge'), 'Much more.=1 Salt is salty.=0.5 Sugar heals.=0.5', 'whose own is searched then, and counts half as well');
select is(uplift.demote_items(20), 0, 'nothing more');

-- Examples.
create function pg_temp.like(n int, p_up boolean) returns void language sql as $$
    update public.coach_response_feedback set helpful = p_up where id = pg_temp.id(n)
$$;
select pg_temp.record(n, :ann, pg_temp.id(100 + n), 'How do I sleep well?', case when n < 4 then 'Sleep in a cool and dark room, my friend.' else 'Drink less coffee after lunch, my friend.' end,
    case when n = 3 then jsonb '{"coach_id": "coach_maple_avatar"}' else '{}' end) from generate_series(1, 4) n;
select pg_temp.like(n, true) from unnest('{1,2,3,4}'::int[]) n;
create function pg_temp.example_weights() returns text language sql as $$
    select string_agg(right(t.ref::text, 1) || '=' || t.weight, ' ' order by t.ref) from uplift.search_texts t where t.shelf = 'examples'
$$;
select is(pg_temp.example_weights(), '1=1 2=1 3=1 4=1', 'four examples');
delete from uplift.context_effects;
select is(pg_temp.demote('examples', pg_temp.id(1)), 1, 'one is demoted');
select is(pg_temp.example_weights(), '1=0.5 2=0.5 3=1 4=1', 'with the other that is the same, of the same coach');
select pg_temp.like(1, null);
select pg_temp.like(1, true);
select is(pg_temp.example_weights(), '1=0.5 2=0.5 3=1 4=1', 'a thumb taken back and given again changes nothing of it');
insert into public.user_coach_preferences (user_id, training_consent) values (:ann, false) on conflict (user_id) do update set training_consent = false;
select is(pg_temp.example_weights(), null, 'consent is taken back');
update public.user_coach_preferences set training_consent = true where user_id = :ann;
select is(pg_temp.example_weights(), '1=0.5 2=0.5 3=1 4=1', 'and given again');
update public.coach_response_feedback set ai_response = 'Sleep in a cool and very dark room, my friend.' where id = pg_temp.id(1);
select is(pg_temp.example_weights(), '1=1 2=0.5 3=1 4=1', 'another text starts anew');

-- Passages.
select is(uplift_chat.index_answers(array[pg_temp.id(1), pg_temp.id(4)]), 2, 'turns are found');
delete from uplift.context_effects;
select is(pg_temp.demote('passages', pg_temp.id(1)), 1, 'one is demoted');
select is(uplift_chat.index_answers(array[pg_temp.id(1), pg_temp.id(4)]), 0, 'and is not found again by the next look through all answers');
delete from public.coach_response_feedback where id = pg_temp.id(1);
select is((select count(*) from uplift.demotions where kind = 'passages'), 0::bigint, 'nothing is kept of it when it is gone');

-- Memories: how important they are.
select uplift_chat.add_memory(:bob, '{"text": "I love long walks by the sea", "type": "preference"}') ->> 'id' as walks \gset
delete from uplift.context_effects;
select is(pg_temp.demote('memories', :'walks'), 1, 'a memory is demoted');
select uplift_chat.change_memory(:bob, :'walks', '{"text": "I love  long walks by the Sea", "is_pinned": false}');
select is((select importance_score from public.ai_episodic_memory where id = :'walks'), 7.0, 'other blanks and capitals leave it so');
select uplift_chat.change_memory(:bob, :'walks', '{"text": "I love short walks in the woods"}');
select is((select importance_score from public.ai_episodic_memory where id = :'walks'), 9.0, 'another text starts anew');
update public.ai_episodic_memory set importance_score = 7 where id = :'walks';
select set_config('request.jwt.claims', jsonb_build_object('sub', :bob, 'role', 'authenticated')::text, true) \g /dev/null
set local role authenticated;
insert into public.ai_episodic_memory (user_id, memory_type, memory_text) values (pg_temp.bob(), 'preference', 'I love short walks in the woods');
reset role;
select is((select importance_score from public.ai_episodic_memory where user_id = :bob), 7.5, 'written anew by the user''s own token it is as strong as when it is said again');
select * from finish();
rollback;
