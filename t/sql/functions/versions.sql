-- Versions: what is given anew or asked otherwise takes the place of what was there, with all that came after it.
\ir common.psql
select plan(51);

create function pg_temp.read(n int, p_version int default null, p_user uuid default pg_temp.ann()) returns jsonb language sql as $$
    select uplift_chat.get_conversation(p_user, pg_temp.id(n), pg_temp.id(p_version))::jsonb
$$;
create function pg_temp.shown(n int, p_version int default null) returns text language sql as $$
    select string_agg(m ->> 'content', ' ' order by o) from jsonb_array_elements(pg_temp.read(n, p_version) -> 'messages') with ordinality e(m, o)
$$;
create function pg_temp.seen(n int) returns text language sql as $$
    select string_agg(m.content, ' ' order by m.created_at, m.answer_id, m.message_type desc) from uplift.conversation_messages m where m.conversation_id = pg_temp.id(n)
$$;
create function pg_temp.history(n int, p_regenerate int default null) returns text language sql as $$
    select pg_temp.said(pg_temp.messages(pg_temp.ann(), pg_temp.id(n), pg_temp.id(p_regenerate)))
$$;
-- The versions of the answer with that text, by the ends of their ids.
create function pg_temp.versions(n int, p_text text, p_version int default null) returns text language sql as $$
    select (select string_agg(right(v, 3), ' ' order by o) from jsonb_array_elements_text(m -> 'versions') with ordinality e(v, o))
    from jsonb_array_elements(pg_temp.read(n, p_version) -> 'messages') m where m ->> 'role' = 'assistant' and m ->> 'content' = p_text
$$;
create function pg_temp.all_ways(n int) returns text[] language sql as $$ select array[pg_temp.shown(n), pg_temp.seen(n), pg_temp.history(n)] $$;
create function pg_temp.say(n int, p_message text, p_answer text, p_instead_of int default null, p_more jsonb default '{}') returns text language sql as $$
    select pg_temp.record(n, pg_temp.ann(), pg_temp.id(100), p_message, p_answer,
        case when p_instead_of is null then '{}' else jsonb_build_object('regenerate_of', pg_temp.id(p_instead_of)) end || p_more)
$$;

do $$ begin
    perform pg_temp.say(101, 'qA', 'A0');
    perform pg_temp.say(102, 'qB', 'B0');
    perform pg_temp.say(103, 'qC', 'C0');
end $$;
select is(pg_temp.all_ways(100), array_fill('qA A0 qB B0 qC C0'::text, '{3}'), 'a conversation');
select is(pg_temp.read(100) #> '{messages,1,versions}', 'null', 'whose answers have one version each');

-- An edit in the middle.
select is(pg_temp.history(100, 102), 'qA A0', 'a question that is edited is asked after what came before it');
select is(pg_temp.say(104, 'qB edited', 'B1', 102), 'recorded', 'it is answered');
select is(pg_temp.all_ways(100), array_fill('qA A0 qB edited B1'::text, '{3}'), 'and takes the place of the old one, and of what came after it');
select is(pg_temp.versions(100, 'B1'), '102 104', 'the answer has two versions');
select is(pg_temp.shown(100, 102), 'qA A0 qB B0 qC C0', 'the first is seen with all that came after it');
select is(pg_temp.versions(100, 'B0', 102), '102 104', 'which has the same versions');
select is(array[pg_temp.read(100) ->> 'is_current', pg_temp.read(100, 102) ->> 'is_current', pg_temp.read(100, 104) ->> 'is_current'], '{true,false,true}', 'and is said to be the past');
select is(pg_temp.shown(100, 103), 'qA A0 qB B0 qC C0', 'so with a turn that went along');
select pg_temp.say(105, 'qD', 'D0') \g /dev/null
select is(pg_temp.all_ways(100), array_fill('qA A0 qB edited B1 qD D0'::text, '{3}'), 'it goes on from there');
select is(pg_temp.say(106, 'qB edited', '', 104, '{"outcome": "failed"}'), 'recorded', 'another one fails');
select is(pg_temp.all_ways(100), array_fill('qA A0 qB edited B1 qD D0'::text, '{3}'), 'and replaces nothing');
select is(pg_temp.versions(100, 'B1'), '102 104', 'nor is it a version');

-- An edit in a branch that was left.
select is(pg_temp.history(100, 103), 'qA A0 qB B0', 'a question of the past is asked after what came before it there');
select is(pg_temp.say(107, 'qC edited', 'C1', 103), 'recorded', 'it is answered');
select is(pg_temp.all_ways(100), array_fill('qA A0 qB B0 qC edited C1'::text, '{3}'), 'and the conversation goes on there');
select is(pg_temp.versions(100, 'B0'), '102 104', 'beside it is the other branch');
select is(pg_temp.shown(100, 104), 'qA A0 qB edited B1 qD D0', 'which is seen as it was');
select is(pg_temp.versions(100, 'C1'), '103 107', 'each turn has its own versions');

-- The beginning, and names.
select is(pg_temp.say(108, 'qA edited', 'A1', 101), 'recorded', 'the beginning is edited');
select is(pg_temp.all_ways(100), array_fill('qA edited A1'::text, '{3}'), 'and takes the place of all');
select is((select title from uplift.conversations where id = pg_temp.id(100)), 'qA edited', 'the conversation is called by it');
select is(uplift_chat.rename_conversation(:ann, pg_temp.id(100), jsonb_build_object('title', e'  My\n\tplan ')) ->> 'title', 'My plan', 'or as its user likes');
select pg_temp.say(109, 'qA once more', 'A2', 108) \g /dev/null
select is((select title from uplift.conversations where id = pg_temp.id(100)), 'My plan', 'which then stays');
select is(uplift_chat.rename_conversation(:ann, pg_temp.id(100), '{"title": null}') ->> 'title', 'qA once more', 'until it is to be called by its beginning again');
select is(pg_temp.refused(format('select uplift_chat.rename_conversation(%s, %L, %L)', u, pg_temp.id(100), b)), w, 'a title: ' || w) from (values
    ('pg_temp.ann()', '{"title": " "}', 'UP400 invalid_title title'), ('pg_temp.ann()', '{"title": 1}', 'UP400 invalid_title title'),
    ('pg_temp.ann()', format('{"title": "%s"}', repeat('x', 201)), 'UP400 invalid_title title'), ('pg_temp.ann()', '{}', 'UP400 nothing_to_change'),
    ('pg_temp.ann()', '{"titel": "x"}', 'UP400 unknown_parameter titel'), ('pg_temp.ann()', '[]', 'UP400 invalid_title'),
    ('pg_temp.bob()', '{"title": "x"}', 'UP404 conversation_not_found')) v(u, b, w);

-- What is gone, and who may see it.
select is(pg_temp.refused($$select pg_temp.read(100, 999)$$), 'UP404 answer_not_found version', 'no such version');
select is(pg_temp.refused($$select pg_temp.read(100, 106)$$), 'UP404 answer_not_found version', 'one that said nothing is none');
select is(pg_temp.refused($$select pg_temp.read(100, 101, pg_temp.bob())$$), 'UP404 conversation_not_found', 'nor is another user''s');
delete from public.coach_response_feedback where id in (pg_temp.id(108), pg_temp.id(109));
select is(pg_temp.all_ways(100), array_fill('qA A0 qB B0 qC edited C1'::text, '{3}'), 'when versions are gone, what they replaced is back');
-- A version whose first one is still in a spool.
select pg_temp.record(201, :ann, pg_temp.id(200), 'q', 'second', jsonb_build_object('regenerate_of', pg_temp.id(299))) \g /dev/null
select pg_temp.record(202, :ann, pg_temp.id(200), 'q', 'third', jsonb_build_object('regenerate_of', pg_temp.id(299))) \g /dev/null
select is(pg_temp.all_ways(200), array_fill('q third'::text, '{3}'), 'versions of an answer that is still to come');
-- A long conversation: what dropped out is not among the fifty turns that go along.
do $$ begin
    for n in 401..460 loop
        perform pg_temp.record(n, pg_temp.ann(), pg_temp.id(400), 'q' || n, 'a' || n);
    end loop;
    perform pg_temp.record(461, pg_temp.ann(), pg_temp.id(400), 'q410 edited', 'b410', jsonb_build_object('regenerate_of', pg_temp.id(410)));
end $$;
create function pg_temp.turns(p_from int, p_to int) returns text language sql as $$ select string_agg(format('q%1$s a%1$s', n), ' ') from generate_series(p_from, p_to) n $$;
select is(pg_temp.history(400), pg_temp.turns(401, 409) || ' q410 edited b410', 'the whole history before an early question that was edited goes along');
select is(h.is_cut, false, 'and nothing of it is missing') from uplift.chat_history(:ann, pg_temp.id(400), 'infinity', 100000) h;
select is(pg_temp.history(400, 461), pg_temp.turns(401, 409), 'so when it is given anew');
select is(pg_temp.history(400, 460), pg_temp.turns(410, 459), 'an answer of the branch that was left has that before it');
do $$ begin
    insert into uplift.conversation_summaries (conversation_id, user_id, summary, first_answer_id, last_answer_id, first_at, last_at, turns, made_by)
    select pg_temp.id(400), pg_temp.ann(), 'So far.', pg_temp.id(401), pg_temp.id(402), a.created_at, a.created_at, 2, 'rules'
    from public.coach_response_feedback a where a.id = pg_temp.id(402);
end $$;
select is((select t.messages from uplift.recent_turns(:ann, pg_temp.id(400), s.last_at, 'infinity', 100000) t) ~ 'q403.*q409', true, 'and behind a summary')
from uplift.conversation_summaries s where s.conversation_id = pg_temp.id(400);
-- Kept for some days: the first versions go before the branches that they began.
select pg_temp.record(462, :ann, pg_temp.id(400), 'q462', 'a462') \g /dev/null
delete from public.coach_response_feedback where id between pg_temp.id(401) and pg_temp.id(415);
select is(pg_temp.all_ways(400), array_fill('q410 edited b410 q462 a462'::text, '{3}'), 'when the first version is gone, its branch stays left');
select pg_temp.record(463, :ann, pg_temp.id(400), 'q410 once more', 'c410', jsonb_build_object('regenerate_of', pg_temp.id(461))) \g /dev/null
select is(pg_temp.all_ways(400), array_fill('q410 once more c410'::text, '{3}'), 'also when there is another version');
select is(pg_temp.history(400, 463), '', 'and one more has nothing before it');
-- Memories.
select uplift_chat.learn_memories(array[pg_temp.id(300)]) from (select pg_temp.record(300, :ann, pg_temp.id(300), 'I want to run a marathon in May.', 'Go.') offset 0) x \g /dev/null
select uplift_chat.learn_memories(array[pg_temp.id(301)]) from (
    select pg_temp.record(301, :ann, pg_temp.id(300), 'I want to swim a mile in May.', 'Go.', jsonb_build_object('regenerate_of', pg_temp.id(300))) offset 0) x \g /dev/null
select is((select string_agg(m.memory_text, '; ') from public.ai_episodic_memory m where m.user_id = :ann and m.is_active), 'I want to swim a mile in May', 'what was edited is learnt as it is now');
select uplift_chat.learn_memories(array[pg_temp.id(300)]) \g /dev/null
select is((select count(*) from public.ai_episodic_memory m where m.user_id = :ann), 1::bigint, 'and as it was not learnt again');
-- What a message took the place of holds again once that message was edited.
do $$ begin
    perform pg_temp.record(310, pg_temp.ann(), pg_temp.id(310), 'I love grilled steak.', 'Good.');
    perform pg_temp.record(311, pg_temp.ann(), pg_temp.id(310), 'I''m vegan now.', 'Fine.');
    perform uplift_chat.learn_memories(array[pg_temp.id(310)]);
    perform uplift_chat.learn_memories(array[pg_temp.id(311)]);
end $$;
create function pg_temp.steak() returns text language sql as $$
    select concat_ws(' ', m.is_active, m.superseded_by is not null) from public.ai_episodic_memory m where m.user_id = pg_temp.ann() and m.memory_text ~ 'steak'
$$;
select is(pg_temp.steak(), 'f t', 'a memory that another one took the place of');
select pg_temp.record(312, :ann, pg_temp.id(310), 'I slept well.', 'Fine.', jsonb_build_object('regenerate_of', pg_temp.id(311))) \g /dev/null
select uplift_chat.learn_memories(array[pg_temp.id(312)]) \g /dev/null
select is(pg_temp.steak(), 't f', 'holds again when that was taken back');
-- And not when something else has taken its place since.
do $$ begin
    perform pg_temp.record(320, pg_temp.bob(), pg_temp.id(320), 'I want to run 10 km.', 'Go.');
    perform pg_temp.record(321, pg_temp.bob(), pg_temp.id(320), 'I want to run 15 km.', 'Go.');
    perform pg_temp.record(322, pg_temp.bob(), pg_temp.id(320), 'I want to run 20 km.', 'Go.');
    perform uplift_chat.learn_memories(array[pg_temp.id(n)]) from generate_series(320, 322) n;
    perform pg_temp.record(323, pg_temp.bob(), pg_temp.id(321), 'I slept well.', 'Go.', jsonb_build_object('regenerate_of', pg_temp.id(321)));
    perform uplift_chat.learn_memories(array[pg_temp.id(323)]);
end $$;
select is((select string_agg(m.memory_text, '; ') from public.ai_episodic_memory m where m.user_id = :bob and m.is_active), 'I want to run 20 km', 'unless yet another one has its place');
select finish();
rollback;
