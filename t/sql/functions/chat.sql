-- uplift.prepare_chat(): what an answer needs, and who may not have it.
\ir common.psql
select plan(55);

create function pg_temp.prepare(p_user uuid, p_coach text default null, p_severity numeric default null, p_mode text default null,
    p_conversation uuid default null, p_regenerate uuid default null, p_message text default 'hello',
    p_protocol text default 'chat', p_tokens int default 4000) returns jsonb language sql as $$
    select to_jsonb(p) from uplift.prepare_chat(p_user, p_protocol, p_coach, p_severity, p_mode, p_conversation, p_regenerate, p_message, p_tokens) p
$$;

-- A first chat.
select is(pg_temp.prepare(:ann) ->> 'coach_id', 'coach_decibel_avatar', 'the default coach');
select is((pg_temp.prepare(:ann) ->> 'severity')::numeric, 3.0, 'the default severity');
select is(pg_temp.prepare(:ann) ->> 'mode', 'default', 'the default mode');
select is(pg_temp.prepare(:ann) ->> 'model', null, 'the configured model');
select is(pg_temp.prepare(:ann) ->> 'cached', null, 'no cached answer');
select is(pg_temp.prepare(:ann) ->> 'user_message', 'hello', 'the message');
select is(pg_temp.prepare(:ann) -> 'trace', 'null', 'nothing to trace');
select is(pg_temp.prepare(:ann) ->> 'conversation_id', null, 'a new conversation');
select is(pg_temp.prepare(:ann) ->> 'system_prompt', public.build_coach_system_prompt(:ann), 'the prompt is build_coach_system_prompt()''s');
select is(pg_temp.prepare(:demo, 'coach_maple_avatar', 5.0, 'roast') ->> 'system_prompt',
    public.build_coach_system_prompt(:demo, 'coach_maple_avatar', 5.0, 'roast'), 'with everything chosen, too');
select is(pg_temp.prepare(:ann) ->> 'messages', '', 'nothing was said before');
select is(pg_temp.prepare(:demo) #>> '{trace,memory_ids,0}',
    (select id::text from public.ai_episodic_memory where user_id = :demo order by importance_score desc limit 1), 'memories in the prompt are traced');

-- Who may not.
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), 'nobody')$$), 'UP404 coach_not_found coach_id', 'unknown coach');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), null, 0)$$), 'UP400 invalid_severity severity', 'severity 0');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), null, 9)$$), 'UP400 invalid_severity severity', 'severity 9');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), null, 9, p_protocol => 'completions')$$), 'UP400 invalid_severity severity', 'nor without a coach');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), null, null, 'evil')$$), 'UP400 invalid_mode mode', 'unknown mode');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), null, null, 'evil', p_protocol => 'completions')$$), 'UP400 invalid_mode mode', 'nor without a coach');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), null, null, 'roast')$$), 'UP403 roast_consent_required mode', 'roast without consent');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), p_protocol => 'telegraph')$$), 'UP400 invalid_protocol', 'unknown protocol');

-- Users on first sight.
select lives_ok($$select pg_temp.prepare(pg_temp.eve())$$, 'on plain Postgres an unknown user');
select ok(exists (select from auth.users where id = :eve), 'is made');
update uplift.settings set value = 'false' where key = 'auth.makes_users';
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.id(99))$$), 'UP403 unknown_user', 'on Supabase it is refused');
select is(pg_temp.refused($$select uplift_chat.put_preferences(pg_temp.id(99), '{}')$$), 'UP403 unknown_user', 'by preferences, too');
update uplift.settings set value = 'true' where key = 'auth.makes_users';

-- History.
select is(pg_temp.prepare(:ann, p_conversation => pg_temp.id(1)) ->> 'conversation_id', pg_temp.id(1)::text, 'an id nobody used yet starts a conversation');
do $$ begin
    perform pg_temp.record(n, pg_temp.ann(), pg_temp.id(100), 'q' || n, 'a' || n) from generate_series(1, 3) n;
end $$;
select is(pg_temp.said(pg_temp.messages(:ann, pg_temp.id(100))), 'q1 a1 q2 a2 q3 a3', 'whole turns in their order');
select is(pg_temp.messages(:ann, pg_temp.id(100)) -> 1 ->> 'role', 'assistant', 'with their roles');
select is(pg_temp.said(pg_temp.messages(:ann, pg_temp.id(101))), '', 'of this conversation only');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.bob(), p_conversation => pg_temp.id(100))$$),
    'UP404 conversation_not_found conversation_id', 'another user''s conversation');
select is(pg_temp.prepare(:ann, p_conversation => pg_temp.id(100), p_tokens => 0) ->> 'messages', '', 'no budget, no history');
select is(pg_temp.prepare(:ann, p_conversation => pg_temp.id(100), p_protocol => 'completions') ->> 'messages', '', 'completions have no history');
select is(pg_temp.prepare(:ann, p_protocol => 'completions') ->> 'system_prompt', null, 'and without a coach no prompt');
select is(pg_temp.prepare(:ann, p_protocol => 'completions') ->> 'coach_id', null, 'nor a coach');
select is(pg_temp.prepare(:ann, 'coach_maple_avatar', p_conversation => pg_temp.id(100), p_protocol => 'completions') ->> 'system_prompt',
    public.build_coach_system_prompt(:ann, 'coach_maple_avatar'), 'with a coach its prompt');
select is(pg_temp.prepare(:ann, 'coach_maple_avatar', p_conversation => pg_temp.id(100), p_protocol => 'completions') ->> 'messages',
    '', 'and nothing else');

-- A turn of 1,000 bytes is 258 tokens: half for each side, and 4 for each message.
do $$ begin
    perform pg_temp.record(n, pg_temp.ann(), pg_temp.id(200), n || repeat('q', 498), n || repeat('a', 498)) from generate_series(10, 14) n;
end $$;
select is(jsonb_array_length(pg_temp.messages(:ann, pg_temp.id(200), p_tokens => 258)), 2, 'the newest turn fits exactly');
select is(jsonb_array_length(pg_temp.messages(:ann, pg_temp.id(200), p_tokens => 257)), 0, 'and one token less has no room for half of it');
select is((select string_agg(left(m ->> 'content', 2), ' ' order by o) from jsonb_array_elements(pg_temp.messages(:ann, pg_temp.id(200), p_tokens => 600)) with ordinality e(m, o)),
    '13 13 14 14', 'the newest are kept');
do $$ begin
    perform pg_temp.record(n, pg_temp.ann(), pg_temp.id(300), 'q', 'a') from generate_series(20, 90) n;
end $$;
select is(jsonb_array_length(pg_temp.messages(:ann, pg_temp.id(300), p_tokens => 1000000)), 100, 'at most 50 turns');

-- What drops out, and what stays.
do $$ begin
    perform pg_temp.record(101, pg_temp.ann(), pg_temp.id(400), 'q1', 'a1');
    perform pg_temp.record(102, pg_temp.ann(), pg_temp.id(400), 'q2', '', '{"outcome": "failed"}');
    perform pg_temp.record(103, pg_temp.ann(), pg_temp.id(400), 'q3', 'a3 cut', '{"outcome": "partial"}');
    perform pg_temp.record(104, pg_temp.ann(), pg_temp.id(400), 'q4', 'a4 left', '{"outcome": "cancelled"}');
    perform pg_temp.record(105, pg_temp.ann(), pg_temp.id(400), 'q5', 'a5');
end $$;
select is(pg_temp.said(pg_temp.messages(:ann, pg_temp.id(400))), 'q1 a1 q3 a3 cut q4 a4 left q5 a5', 'failed without a word drops out, cut ones stay with what was said');

select is(pg_temp.prepare(:ann, p_regenerate => pg_temp.id(105), p_message => null) ->> 'user_message', 'q5', 'giving anew answers the same message');
select is(pg_temp.prepare(:ann, p_regenerate => pg_temp.id(105), p_message => 'better') ->> 'user_message', 'better', 'or a better one');
select is(pg_temp.prepare(:ann, p_regenerate => pg_temp.id(105), p_message => null) ->> 'conversation_id', pg_temp.id(400)::text, 'in the same conversation');
select is(pg_temp.said(pg_temp.messages(:ann, null, pg_temp.id(105))), 'q1 a1 q3 a3 cut q4 a4 left', 'its history is everything before it');
do $$ begin
    perform pg_temp.record(106, pg_temp.ann(), pg_temp.id(400), 'q5', 'a5 anew', jsonb_build_object('regenerate_of', pg_temp.id(105)));
end $$;
select is(pg_temp.said(pg_temp.messages(:ann, pg_temp.id(400))), 'q1 a1 q3 a3 cut q4 a4 left q5 a5 anew', 'the answer given anew drops out');
select is(pg_temp.said(pg_temp.messages(:ann, null, pg_temp.id(106))), 'q1 a1 q3 a3 cut q4 a4 left', 'given anew again, neither is in its history');
do $$ begin
    perform pg_temp.record(107, pg_temp.ann(), pg_temp.id(400), 'q5', 'a5 third', jsonb_build_object('regenerate_of', pg_temp.id(106)));
    perform pg_temp.record(108, pg_temp.ann(), pg_temp.id(400), 'q5', '', jsonb_build_object('regenerate_of', pg_temp.id(107), 'outcome', 'failed'));
end $$;
select is(pg_temp.said(pg_temp.messages(:ann, pg_temp.id(400))), 'q1 a1 q3 a3 cut q4 a4 left q5 a5 third', 'a chain leaves its last; what failed replaces nothing');
do $$ begin
    perform pg_temp.record(109, pg_temp.ann(), pg_temp.id(400), 'q5', 'a5 fourth', jsonb_build_object('regenerate_of', pg_temp.id(107)));
    perform pg_temp.record(110, pg_temp.ann(), pg_temp.id(400), 'q5', 'a5 fifth', jsonb_build_object('regenerate_of', pg_temp.id(107)));
end $$;
select is(pg_temp.said(pg_temp.messages(:ann, pg_temp.id(400))), 'q1 a1 q3 a3 cut q4 a4 left q5 a5 fifth', 'of two for the same one the last stays');
select is(pg_temp.said(pg_temp.messages(:ann, null, pg_temp.id(110))), 'q1 a1 q3 a3 cut q4 a4 left', 'given anew once more, none of them is in its history');
do $$ begin
    perform pg_temp.record(111, pg_temp.ann(), pg_temp.id(450), 'q6', 'a6');
    perform pg_temp.record(112, pg_temp.ann(), pg_temp.id(450), 'q6', 'a6 second', jsonb_build_object('regenerate_of', pg_temp.id(111)));
    perform pg_temp.record(113, pg_temp.ann(), pg_temp.id(450), 'q6', 'a6 third', jsonb_build_object('regenerate_of', pg_temp.id(112)));
    perform pg_temp.record(114, pg_temp.ann(), pg_temp.id(450), 'q6', 'a6 fourth', jsonb_build_object('regenerate_of', pg_temp.id(111)));
    perform pg_temp.record(115, pg_temp.ann(), pg_temp.id(450), 'q6', 'a6 cut', jsonb_build_object('regenerate_of', pg_temp.id(113), 'outcome', 'partial'));
    perform pg_temp.record(116, pg_temp.ann(), pg_temp.id(450), 'q6', '', jsonb_build_object('regenerate_of', pg_temp.id(114), 'outcome', 'failed'));
end $$;
select is(pg_temp.said(pg_temp.messages(:ann, pg_temp.id(450))), 'q6 a6 cut', 'of versions on different branches the last that was seen stays');
select is((select string_agg(m ->> 'content', ' ' order by o) from json_array_elements(uplift_chat.get_conversation(:ann, pg_temp.id(450)) -> 'messages') with ordinality e(m, o)),
    'q6 a6 cut', 'and a reader of the conversation sees the same');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.bob(), p_regenerate => pg_temp.id(105))$$), 'UP404 answer_not_found regenerate_of', 'another user''s answer');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), p_regenerate => pg_temp.id(999))$$), 'UP404 answer_not_found regenerate_of', 'nobody''s answer');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.ann(), p_conversation => pg_temp.id(100), p_regenerate => pg_temp.id(105))$$),
    'UP404 answer_not_found regenerate_of', 'an answer of another conversation');

-- Any text.
do $$ begin
    perform pg_temp.record(120, pg_temp.ann(), pg_temp.id(500), e'"\\ \u0001\n\t</script> \u2028 \U0001F600 {"a":[1,', e'\x7f\u00e9]},"');
end $$;
select is(pg_temp.said(pg_temp.messages(:ann, pg_temp.id(500))), e'"\\ \u0001\n\t</script> \u2028 \U0001F600 {"a":[1, \x7f\u00e9]},"', 'any text comes back as it was');

select * from finish();
rollback;
