-- uplift_chat.record_answers() and what happens to answers it cannot take.
\ir common.psql
select plan(60);

select is(pg_temp.record(1, :ann, pg_temp.id(100), e'hello\nthere', 'hi', jsonb_build_object(
    'system_prompt', 'be kind', 'model_used', 'gpt-4.1-mini', 'provider', 'api.openai.com', 'streamed', true, 'finish_reason', 'stop',
    'prompt_tokens', 1000, 'completion_tokens', 100, 'cached_tokens', 400, 'usage_estimated', false, 'time_to_first_token_ms', 12,
    'response_time_ms', 345, 'attempts', '[{"http_status": 200}]'::jsonb, 'request_id', 'r1', 'degraded', false,
    'response_message', null, 'request_messages', null,
    'trace', jsonb_build_object('memory_ids', jsonb_build_array(pg_temp.id(7)), 'source_ids', '[]'::jsonb, 'passage_ids', jsonb_build_array(pg_temp.id(8)),
        'citations', '[{"number": 1}]'::jsonb, 'withheld', '["knowledge"]'::jsonb, 'exposures', '[{"x": 1}]'::jsonb))),
    'recorded', 'an answer is recorded');
select results_eq($$select user_id, conversation_id, user_message, ai_response, system_prompt, coach_id, severity, mode, outcome, protocol
    from public.coach_response_feedback where id = pg_temp.id(1)$$,
    $$values (pg_temp.ann(), pg_temp.id(100), e'hello\nthere', 'hi', 'be kind', 'coach_decibel_avatar', 3.0, 'default', 'complete', 'chat')$$,
    'with what was said');
select results_eq($$select model_used, provider, streamed, finish_reason, prompt_tokens, completion_tokens, cached_tokens, tokens_used,
        usage_estimated, time_to_first_token_ms, response_time_ms, attempts, request_id, degraded, created_at, helpful
    from public.coach_response_feedback where id = pg_temp.id(1)$$,
    $$values ('gpt-4.1-mini', 'api.openai.com', true, 'stop', 1000, 100, 400, 1100, false, 12, 345, '[{"http_status": 200}]'::jsonb, 'r1',
        false, timestamptz '2026-01-01 00:01Z', null::boolean)$$, 'and how it went');
select results_eq($$select memory_ids, source_ids, example_ids, passage_ids, citations, withheld, exposures
    from public.coach_response_feedback where id = pg_temp.id(1)$$,
    $$values (array[pg_temp.id(7)], null::uuid[], null::uuid[], array[pg_temp.id(8)], '[{"number": 1}]'::jsonb, '{knowledge}'::text[], '[{"x": 1}]'::jsonb)$$, 'the trace is unpacked');
-- 600 * 0.40 + 400 * 0.10 + 100 * 1.60 = 440 millionths
select is((select cost_usd from public.coach_response_feedback where id = pg_temp.id(1)), 0.00044, 'the cost counts cached tokens at their price');
select results_eq('select user_id, coach_id, title, created_at, updated_at, deleted_at from uplift.conversations where id = pg_temp.id(100)',
    $$values (pg_temp.ann(), 'coach_decibel_avatar', 'hello there', timestamptz '2026-01-01 00:01Z', timestamptz '2026-01-01 00:01Z', null::timestamptz)$$,
    'the conversation is made');

select is(pg_temp.record(1, :ann, pg_temp.id(100), 'changed', 'changed'), 'duplicate', 'the same id again');
select is((select ai_response from public.coach_response_feedback where id = pg_temp.id(1)), 'hi', 'changes nothing');
select is(pg_temp.record(2, :ann, pg_temp.id(100), 'second', 'x', '{"model_used": "gpt-4.1-mini-2025-04-14", "prompt_tokens": 1000, "completion_tokens": 0, "coach_id": null}'),
    'recorded', 'a second answer');
select is((select cost_usd from public.coach_response_feedback where id = pg_temp.id(2)), 0.0004, 'a snapshot costs what its model costs');
select results_eq('select title, coach_id, updated_at from uplift.conversations where id = pg_temp.id(100)',
    $$values ('hello there', 'coach_decibel_avatar', timestamptz '2026-01-01 00:02Z')$$, 'the conversation is touched, and keeps its title and coach');
select is(pg_temp.record(3, :ann, null, 'alone', 'x', '{"model_used": "unheard-of", "prompt_tokens": 5, "completion_tokens": 5}'), 'recorded', 'an answer of no conversation');
select is((select cost_usd from public.coach_response_feedback where id = pg_temp.id(3)), null, 'a model without a price has no cost');
select is((select tokens_used from public.coach_response_feedback where id = pg_temp.id(3)), 10, 'tokens are added up');
select is(pg_temp.record(4, :ann, pg_temp.id(100), 'late', 'x', '{"created_at": "2025-12-31T00:00:00Z"}'), 'recorded', 'an answer from a spool, long past');
select is((select updated_at from uplift.conversations where id = pg_temp.id(100)), timestamptz '2026-01-01 00:02Z', 'does not turn the conversation''s clock back');

-- Groups.
select results_eq($$select r.id, r.outcome from uplift_chat.record_answers((select json_agg(json_build_object('id', pg_temp.id(n), 'user_id', pg_temp.ann(),
        'conversation_id', pg_temp.id(200 + n % 2), 'user_message', 'm' || n, 'ai_response', 'a', 'created_at', timestamptz '2026-01-02Z' - n * interval '1 s'))
    from generate_series(10, 13) n)) r order by id$$,
    $$values (pg_temp.id(10), 'recorded'), (pg_temp.id(11), 'recorded'), (pg_temp.id(12), 'recorded'), (pg_temp.id(13), 'recorded')$$, 'a group, one row each');
select results_eq($$select id, title, updated_at from uplift.conversations where id in (pg_temp.id(200), pg_temp.id(201)) order by id$$,
    $$values (pg_temp.id(200), 'm12', timestamptz '2026-01-01 23:59:50Z'), (pg_temp.id(201), 'm13', timestamptz '2026-01-01 23:59:49Z')$$,
    'several of one conversation make it once: the first is the title, the last its time');
select results_eq($$select count(*) from uplift_chat.record_answers(json_build_array(
        json_build_object('id', pg_temp.id(14), 'user_id', pg_temp.ann(), 'user_message', 'm', 'ai_response', 'a'),
        json_build_object('id', pg_temp.id(14), 'user_id', pg_temp.ann(), 'user_message', 'm', 'ai_response', 'a')))$$, 'values (2::bigint)', 'twice in one group');
select is((select count(*) from public.coach_response_feedback where id = pg_temp.id(14)), 1::bigint, 'is one row');
select lives_ok($$select uplift_chat.record_answers('[]')$$, 'an empty group');

-- Users.
select is(pg_temp.record(20, :eve, pg_temp.id(300), 'q', 'a'), 'recorded', 'a user nobody saw before');
select ok(exists (select from auth.users where id = :eve), 'is made');
update uplift.settings set value = 'false' where key = 'auth.makes_users';
select is(pg_temp.refused($$select pg_temp.record(21, pg_temp.id(99), null, 'q', 'a')$$), 'UP403 unknown_user', 'where users are not ours to make it is refused');
update uplift.settings set value = 'true' where key = 'auth.makes_users';

-- Another user's conversation.
select is(pg_temp.record(30, :bob, pg_temp.id(100), 'mine', 'a'), 'recorded', 'an answer in another user''s conversation is kept');
select isnt((select conversation_id from public.coach_response_feedback where id = pg_temp.id(30)), pg_temp.id(100), 'under a fresh id');
select is((select c.user_id from public.coach_response_feedback a join uplift.conversations c on c.id = a.conversation_id where a.id = pg_temp.id(30)), :bob, 'that is its user''s');
select is((select user_id from uplift.conversations where id = pg_temp.id(100)), :ann, 'and the conversation stays its owner''s');
select is((select updated_at from uplift.conversations where id = pg_temp.id(100)), timestamptz '2026-01-01 00:02Z', 'untouched');
do $$ begin perform pg_temp.record(31, pg_temp.bob(), pg_temp.id(100), 'mine too', 'a'); end $$;
select is((select count(distinct conversation_id) from public.coach_response_feedback where id in (pg_temp.id(30), pg_temp.id(31))), 1::bigint, 'the next goes to the same one');
select results_eq($$select count(*) from uplift_chat.record_answers(json_build_array(
        json_build_object('id', pg_temp.id(32), 'user_id', pg_temp.bob(), 'conversation_id', pg_temp.id(400), 'user_message', 'm', 'ai_response', 'a', 'created_at', '2026-01-01T00:00:02Z'),
        json_build_object('id', pg_temp.id(33), 'user_id', pg_temp.ann(), 'conversation_id', pg_temp.id(400), 'user_message', 'm', 'ai_response', 'a', 'created_at', '2026-01-01T00:00:01Z')))$$,
    'values (2::bigint)', 'two users with one new id in one group');
select results_eq($$select id, conversation_id = pg_temp.id(400) from public.coach_response_feedback where id in (pg_temp.id(32), pg_temp.id(33)) order by id$$,
    'values (pg_temp.id(32), false), (pg_temp.id(33), true)', 'the earlier has it');

-- Arrays, as workers send them, and prompts that answers share.
create function pg_temp.chat(p_ids uuid[], p_prompts text[], p_personal text[], p_shared text[], p_more jsonb[] default null) returns uuid[] language sql as $$
    select uplift_chat.record_chats(array_agg(i order by o), array_agg(pg_temp.ann()), array_agg(pg_temp.id(160)), array_agg(now() + o * interval '1 ms' order by o),
        array_agg('coach_maple_avatar'::text), array_agg(3.0), array_agg('default'::text), array_agg(uplift.prompt_id(p_prompts[o]) order by o),
        array_agg(p_personal[o] order by o), array_agg('q' || o order by o), array_agg('a' || o order by o), array_agg('complete'::text),
        array_agg('gpt-4.1-mini'::text), array_agg('openai'::text), array_agg('chat'::text), array_agg(true), array_agg('stop'::text),
        array_agg(1000::bigint), array_agg(100::bigint), array_agg(400::bigint), array_agg(false), array_agg(5::bigint), array_agg(9::bigint),
        array_agg('[]'::jsonb), array_agg('r'::text), array_agg(null::jsonb), coalesce(p_more, array_agg(null::jsonb)), p_shared)
    from unnest(p_ids) with ordinality as x(i, o)
$$;
create function pg_temp.prompt(n int) returns text language sql as $$
    select system_prompt from uplift.answer_prompts where answer_id = pg_temp.id(n)
$$;
select is(pg_temp.refused($$select pg_temp.chat(array[pg_temp.id(60)], '{You are Maple.}', '{null}', '{}')$$), 'UX001',
    'a shared prompt that is not there has to come along');
select is((select count(*) from public.coach_response_feedback where id = pg_temp.id(60)), 0::bigint, 'and nothing is recorded');
select is(pg_temp.chat(array[pg_temp.id(60), pg_temp.id(61)], '{You are Maple.,You are Maple.}', array[' She runs.', null], '{You are Maple.}'),
    array[pg_temp.id(60), pg_temp.id(61)], 'two that share one');
select is(pg_temp.prompt(60), 'You are Maple. She runs.', 'each has its own');
select is(pg_temp.prompt(61), 'You are Maple.', 'prompt');
select is((select count(*) from uplift.system_prompts where prompt like 'You are Maple.%'), 1::bigint, 'of which the shared part is kept once');
select is(pg_temp.chat(array[pg_temp.id(62), pg_temp.id(61)], '{You are Maple.,You are Maple.}', '{null,null}', '{}'), array[pg_temp.id(62)],
    'afterwards it need not come along; and what was there already is not new');
select results_eq($$select user_message, ai_response, cost_usd, prompt_tokens, cached_tokens, tokens_used, time_to_first_token_ms, degraded, from_cache
    from public.coach_response_feedback where id = pg_temp.id(61)$$,
    $$values ('q2', 'a2', 0.00044, 1000, 400, 1100, 5, false, null::boolean)$$, 'and how it went');
select is((select title from uplift.conversations where id = pg_temp.id(160)), 'q1', 'a conversation has its title from the first');
select is(pg_temp.chat(array[pg_temp.id(63)], '{null}', '{null}', '{}', array['{"system_prompt": "whole", "error_code": "e", "degraded": true, "tries": 2}']::jsonb[]),
    array[pg_temp.id(63)], 'what most do without');
select results_eq($$select system_prompt, system_prompt_id, error_code, degraded from public.coach_response_feedback where id = pg_temp.id(63)$$,
    $$values ('whole', null::uuid, 'e', true)$$, 'is there');
select is(pg_temp.prompt(63), 'whole', 'a prompt that came whole is seen, too');
select is((select outcome from uplift_chat.record_answers(json_build_array(json_build_object('id', pg_temp.id(64), 'user_id', pg_temp.ann(), 'user_message', 'm',
    'ai_response', 'a', 'shared_prompt', 'You are Ash.', 'personal_prompt', ' He swims.')))), 'recorded', 'an answer of a spool');
select is(pg_temp.prompt(64), 'You are Ash. He swims.', 'has its prompt from there');

update uplift.settings set value = 'true' where key = 'answers.whole_prompts';
select isnt(pg_temp.chat(array[pg_temp.id(65)], '{You are Maple.}', array[' She runs.'], '{}'), null, 'for deployments whose programs read the column');
select is((select system_prompt from public.coach_response_feedback where id = pg_temp.id(65)), 'You are Maple. She runs.', 'it is filled');
update uplift.settings set value = 'false' where key = 'answers.whole_prompts';

-- Bad rows.
select is(pg_temp.refused($$select uplift_chat.record_answers(json_build_array(
    json_build_object('id', pg_temp.id(40), 'user_id', pg_temp.ann(), 'user_message', 'm', 'ai_response', 'a'),
    json_build_object('id', pg_temp.id(41), 'user_id', pg_temp.ann(), 'user_message', 'm', 'ai_response', null)))$$), '23502', 'a bad row fails the call');
select ok(not exists (select from public.coach_response_feedback where id = pg_temp.id(40)), 'whole');
select is(pg_temp.refused($$select pg_temp.record(42, pg_temp.ann(), null, 'm', 'a', '{"outcome": "splendid"}')$$), '23514', 'so does an unknown outcome');

select uplift_chat.reject_answer(json_build_object('id', pg_temp.id(50), 'user_id', pg_temp.ann(), 'user_message', 'm', 'ai_response', 'a', 'outcome', 'splendid')::text, 'unknown outcome');
select uplift_chat.reject_answer(json_build_object('id', pg_temp.id(50), 'user_id', pg_temp.ann(), 'user_message', 'm', 'ai_response', 'a', 'outcome', 'splendid')::text, 'again');
select uplift_chat.reject_answer('{"id": not JSON', 'not JSON');
select is((select count(*) from uplift.rejected_answers), 2::bigint, 'rejected answers are kept, each once');
select results_eq('select replayed from uplift.replay_rejected_answers()', 'values (false), (false)', 'what is still bad stays');
select ok((select bool_and(reason not in ('unknown outcome', 'not JSON')) from uplift.rejected_answers), 'with its new reason');
update uplift.rejected_answers set answer = replace(answer, 'splendid', 'complete');
select results_eq('select replayed from uplift.replay_rejected_answers()', 'values (true), (false)', 'what is mended is replayed');
select ok(exists (select from public.coach_response_feedback where id = pg_temp.id(50)), 'and recorded');
select results_eq('select replayed from uplift.replay_rejected_answers()', 'values (false)', 'once');

select is(uplift_chat.ready(), 'ok', 'ready');
select is(uplift.schema_version(), 1, 'the version');
set local transaction_read_only = on;
select is(uplift_chat.ready(), 'this server is read only', 'not ready on a server that takes no answers');
rollback;
