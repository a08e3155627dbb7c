-- What is remembered of a user: once, as the policies have it, and no longer than it is so; and what the user does about it.
\ir common.psql
select plan(65);

create function pg_temp.say(p_text text, p_day int default 1, p_user uuid default pg_temp.ann()) returns int language sql as $$
    select uplift.learn_from(array[p_user], '{null}', array[p_text], array[timestamptz '2026-11-01 12:00Z' + p_day * interval '1 day'])
$$;
create function pg_temp.known(p_user uuid default pg_temp.ann()) returns text language sql as $$
    select coalesce(string_agg(concat_ws(' ', m.memory_type, m.subject, m.memory_text), '; ' order by m.last_said_at, m.memory_text), '')
    from public.ai_episodic_memory m where m.user_id = p_user and m.is_active
$$;
create function pg_temp.clear() returns void language sql as $$
    delete from public.ai_episodic_memory; delete from uplift.forgotten_memories
$$;

-- Sentences.
select results_eq($$select sentence from uplift.sentences(E'I ran 3.5 km. It was hard! Really?\n> I want this\nMy boss said "I want to quit" ok; I like tea')$$,
    $$values ('I ran 3.5 km.'), ('It was hard!'), ('Really?'), ('My boss said ok'), ('I like tea')$$, 'sentences: numbers stay whole, and what others said goes');
select is((select count(*) from uplift.sentences(repeat('a', 100000))), 1::bigint, 'sentences: of long texts the beginning');
select is((select count(*) from uplift.find_memories(repeat('I want to run. ', 100000))), 1333::bigint, 'sentences: also of many');
select is((select count(*) from uplift.find_memories(null)), 0::bigint, 'sentences: none of nothing');
select is(uplift.memory_form(null), null, 'sentences: nor is there an end to be looked for in it');
select is((select count(*) from uplift.find_memories('我想减肥。 أريد أن أركض 🏃‍♀️')), 0::bigint, 'sentences: none of other languages');

-- Said again.
select is(pg_temp.say('I want to run a marathon.', 1), 1, 'once: it is kept');
select is(pg_temp.say('I want to run a marathon.', 1), 0, 'once: not again from the same words');
select is(pg_temp.say('i really want to run the marathon!', 2), 1, 'again: the same in other words');
select results_eq($$select memory_text, said_count, importance_score, source from public.ai_episodic_memory where user_id = pg_temp.ann()$$,
    $$values ('I want to run a marathon', 2, 8.5, 'rules')$$, 'again: it is one memory, and stronger');
select is(pg_temp.say(string_agg('I want to run a marathon.', ' ')), 0, 'ten times in one text: it is one') from generate_series(1, 10);
select is((select count(*) from public.ai_episodic_memory where user_id = :ann), 1::bigint, 'and stays one');
select is(pg_temp.say('My sister wants to run a marathon.', 3), 1, 'of another: it is another');
select is(pg_temp.known(), 'goal I want to run a marathon; goal sister My sister wants to run a marathon', 'and is kept apart');

-- What has changed.
select pg_temp.clear() \g /dev/null
select is(pg_temp.say('I love steak', 1), 1, 'changed: a preference');
select is(pg_temp.say('I''m vegan now', 2), 1, 'changed: another way of eating');
select is(pg_temp.known(), 'preference I''m vegan now', 'changed: it takes the place of what it rules out');
select results_eq($$select o.is_active, o.superseded_by = n.id from public.ai_episodic_memory o, public.ai_episodic_memory n where o.memory_text ~ 'steak' and n.memory_text ~ 'vegan'$$,
    $$values (false, true)$$, 'changed: which stays, inactive, with a link');
select is(pg_temp.say('I love steak', 1), 0, 'changed: what was said before that does not come back');
select is(pg_temp.say('I hate running', 3) + pg_temp.say('I love running', 4), 2, 'changed: another mind');
select matches(pg_temp.known(), 'I love running', 'changed: the new one counts');
select doesnt_match(pg_temp.known(), 'hate', 'changed: the old one does not');
select is(pg_temp.say('I want to weigh 80 kg', 5) + pg_temp.say('I want to weigh 75 kg', 6), 2, 'changed: another number');
select matches(pg_temp.known(), '75 kg', 'changed: the new one counts');
select doesnt_match(pg_temp.known(), '80 kg', 'changed: the old one does not');
select is(pg_temp.say('I want to run 10k', 7) + pg_temp.say('I finally ran 10k without stopping', 8), 2, 'changed: a goal is reached');
select matches(pg_temp.known(), 'achievement I finally ran 10k', 'changed: the achievement is there');
select doesnt_match(pg_temp.known(), 'goal I want to run 10k', 'changed: the goal is not');
select is(pg_temp.say('I don''t want to weigh 75 kg', 9), 1, 'changed: no longer wanted');
select doesnt_match(pg_temp.known(), 'goal I want to weigh', 'changed: is no goal');

-- What is sensitive.
select pg_temp.clear() \g /dev/null
select is(uplift.memory_as_kept('I finally changed my password: hunter2Secret!9'), null, 'credentials are refused');
select is(uplift.memory_as_kept('I want my boss Peter Smith to see it'), 'I want my boss [name] to see it', 'names are masked');
select is(uplift.memory_as_kept('My 8-year-old son Max hates swimming'), 'My [age] son [name] hates swimming', 'children are masked');
select is(uplift.memory_as_kept('I was diagnosed with type 2 diabetes'), 'I was diagnosed with type 2 diabetes', 'illnesses are kept');
update uplift.settings set value = '"mask"' where key = 'memory.health';
select is(uplift.memory_as_kept('I was diagnosed with type 2 diabetes'), 'I was diagnosed with [health]', 'or masked');
update uplift.settings set value = '"refuse"' where key = 'memory.health';
select is(pg_temp.say('I was diagnosed with type 2 diabetes', 1), 0, 'or refused');
update uplift.settings set value = '"keep"' where key = 'memory.names';
select is(uplift.memory_as_kept('I want my boss Peter Smith to see it'), 'I want my boss Peter Smith to see it', 'as the operator says');

-- What fades, and what makes room.
select is(uplift.memory_expiry('goal', 'I want to run a marathon', '2026-11-01Z'), null, 'a goal stays');
select is(uplift.memory_expiry('goal', 'I want to run twice this week', '2026-11-01Z'), '2026-11-15Z'::timestamptz, 'one of this week does not');
select is(round(uplift.memory_strength(8, now() - interval '180 days', 0, false)::numeric, 3), 4.000, 'half as strong after half a year');
select is(round(uplift.memory_strength(8, now(), 1, false)::numeric, 3), 8.800, 'stronger with use');
select is(uplift.memory_strength(1, now() - interval '10 years', 0, true), 100::float8, 'pinned for good');
update uplift.settings set value = '5' where key = 'memory.max_per_user';
insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score, is_pinned, last_said_at)
select :bob, 'goal', 'goal ' || n, n, n = 1, now() from generate_series(1, 10) n;
select is(uplift.tend_memories(:bob), 5, 'beyond the cap the weakest go');
select is((select string_agg(memory_text, ',' order by importance_score) from public.ai_episodic_memory where user_id = :bob), 'goal 1,goal 7,goal 8,goal 9,goal 10',
    'a pinned one stays');

-- Their user's.
select pg_temp.clear() \g /dev/null
update uplift.settings set value = '200' where key = 'memory.max_per_user';
select is(uplift_chat.add_memory(:ann, '{"text": " I want  to swim\n"}')::jsonb - '{id,created_at,last_said_at}'::text[], '{"object": "memory", "type": "goal", "text": "I want to swim",
    "subject": null, "importance": 9.0, "source": "user", "answer_id": null, "coach_id": null, "said_count": 1, "is_pinned": false, "is_active": true, "superseded_by": null, "conversation_id": null,
    "expires_at": null}'::jsonb, 'a user adds one');
select is(pg_temp.refused(format('select uplift_chat.add_memory(pg_temp.ann(), %L)', b)), w, 'refused: ' || left(b, 40))
from (values ('{}', 'UP400 missing_text text'), ('{"text": ""}', 'UP400 invalid_text text'), ('{"text": 1}', 'UP400 invalid_text text'),
    ('{"text": "x", "evil": 1}', 'UP400 unknown_parameter evil'), ('{"text": "x", "type": "secret"}', 'UP400 invalid_type type'),
    ('{"text": "x", "is_pinned": 1}', 'UP400 invalid_is_pinned is_pinned'), ('[]', 'UP400 invalid_memory'),
    (format('{"text": "%s"}', repeat('x', 501)), 'UP400 text_too_long text')) as v(b, w);
select is(uplift_chat.list_memories(:ann, 10, null, null, 'swimming')::jsonb #>> '{data,0,text}', 'I want to swim', 'it is found by a form of its words');
select is(jsonb_array_length(uplift_chat.list_memories(:bob, 10, null, null, null)::jsonb -> 'data'), 0, 'nobody sees another''s');
select is(pg_temp.refused(format('select uplift_chat.forget_memories(pg_temp.bob(), %L)', id)), 'UP404 memory_not_found', 'nor forgets it') from public.ai_episodic_memory;
select is(uplift_chat.forget_memories(:ann, null), 1, 'all are forgotten');
select is(pg_temp.say('I want to swim', 20), 0, 'and not learnt again');
select is(uplift_chat.add_memory(:ann, '{"text": "I want to swim"}')::jsonb ->> 'text', 'I want to swim', 'unless their user says so');
-- Also what was put away, or was said by a clock that is ahead.
update public.ai_episodic_memory set is_active = false, last_said_at = now() + interval '1 hour' where user_id = :ann;
select is(uplift_chat.add_memory(:ann, '{"text": "I want to swim"}')::jsonb ->> 'is_active', 'true', 'or has put it away');
update public.ai_episodic_memory set is_active = false where user_id = :ann;
select is(uplift_chat.add_memory(:ann, '{"text": "I want to swim lengths fast daily in pools"}')::jsonb ->> 'is_active', 'true', 'or one much like it');
select is(uplift_chat.add_memory(:ann, '{"text": "My sister hates running"}')::jsonb ->> 'subject', 'sister', 'also of somebody else');
select is(uplift_chat.add_memory(:ann, '{"text": "My sister hates running"}')::jsonb ->> 'said_count', '2', 'which is one memory');
select uplift_chat.put_preferences(:ann, '{"memory_enabled": false}') \g /dev/null
select is(public.get_user_memory_context(:ann), '', 'turned off: nothing goes into a prompt');
select is(pg_temp.refused($$select uplift_chat.add_memory(pg_temp.ann(), '{"text": "x"}')$$), 'UP409 memory_disabled', 'turned off: nothing is added');
select * from finish();
rollback;
