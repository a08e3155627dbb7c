-- The response cache: its keys, what is looked up, stored, counted, withdrawn by feedback, and trimmed.
\ir common.psql
select plan(84);

-- A chat's row as uplift_chat.prepare_chats() gives it; p_cache null is off.
create function pg_temp.prepared(p_user uuid, p_message text, p_cache jsonb default '{"mode": "on", "max_age_s": 3600, "model": "sim-1"}',
    p_coach text default null, p_severity numeric default null, p_conversation uuid default null, p_regenerate uuid default null)
returns setof record language sql as $$
    select p.cache_key, p.cached, p.conversation_id
    from uplift.prepare_chat(p_user, 'chat', p_coach, p_severity, null, p_conversation, p_regenerate, p_message, 4000,
        case when p_cache is not null then jsonb_build_object('cache', p_cache) end) p
$$;
create function pg_temp.key(p_user uuid, p_message text, p_coach text default null, p_severity numeric default null,
    p_conversation uuid default null, p_model text default 'sim-1') returns text language sql as $$
    select k from pg_temp.prepared(p_user, p_message, jsonb_build_object('mode', 'on', 'max_age_s', 3600, 'model', p_model),
        p_coach, p_severity, p_conversation) as p(k text, c jsonb, v uuid)
$$;
create function pg_temp.found(p_user uuid, p_message text, p_mode text default 'on', p_max_age int default 3600,
    p_regenerate uuid default null) returns text language sql as $$
    select c ->> 'text' from pg_temp.prepared(p_user, p_message,
        jsonb_build_object('mode', p_mode, 'max_age_s', p_max_age, 'model', 'sim-1'), null, null, null, p_regenerate) as p(k text, c jsonb, v uuid)
$$;
-- Records an answer to be cached, a minute ago, whole.
create function pg_temp.store(n int, p_user uuid, p_message text, p_answer text, p_more jsonb default '{}') returns text
language sql as $$
    select pg_temp.record(n, p_user, null, p_message, p_answer, jsonb_build_object('finish_reason', 'stop',
        'created_at', now() - interval '1 minute', 'cache_key', pg_temp.key(p_user, p_message), 'cache_ttl_s', 3600,
        'model_used', 'gpt-4.1-mini', 'prompt_tokens', 1000, 'completion_tokens', 100, 'provider', 'p1') || p_more)
$$;
-- Records an answer given from the cache.
create function pg_temp.hit(n int, p_user uuid, p_source uuid) returns text language sql as $$
    select pg_temp.record(n, p_user, null, 'm', 'a', jsonb_build_object('from_cache', true, 'cache_source_id', p_source,
        'finish_reason', 'stop', 'created_at', now(), 'model_used', 'gpt-4.1-mini', 'prompt_tokens', 0, 'completion_tokens', 0))
$$;
create function pg_temp.rate(n int, p_user uuid, p_changes jsonb) returns void language sql as $$
    select uplift_chat.give_feedback(p_user, pg_temp.id(n), p_changes, true)
$$;

-- Messages.
select is(uplift.normal_message(m), n, d)
from (values
    (e'  how  are\tyou? \n', 'how are you?', 'white space of a line is one space, and none at its ends'),
    (e'if x:\r\n    y()\r\n', e'if x:\n    y()', 'of several lines only line ends are made the same'),
    (U&'caf\0065\0301', U&'caf\00e9', 'an accent is the same however it was typed'),
    ('Hello', 'Hello', 'case stays')) as v(m, n, d);

-- Keys.
select matches(pg_temp.key(:ann, 'hi'), '^[0-9a-f]{64}$', 'a key is a sha256');
select is(pg_temp.key(:ann, 'hi'), pg_temp.key(:bob, '  hi '), 'where the prompt holds nothing personal, all users share it');
select isnt(pg_temp.key(:ann, 'hi'), pg_temp.key(:ann, 'Hi'), 'another message: another key');
select isnt(pg_temp.key(:ann, 'hi'), pg_temp.key(:ann, 'hi', 'coach_maple_avatar'), 'another coach: another key');
select isnt(pg_temp.key(:ann, 'hi'), pg_temp.key(:ann, 'hi', null, 5), 'another severity: another key');
select isnt(pg_temp.key(:ann, 'hi'), pg_temp.key(:ann, 'hi', p_model => 'sim-2'), 'another model: another key');
select is((select k from pg_temp.prepared(:ann, 'hi', null) as p(k text, c jsonb, v uuid)), null, 'off: no key');
insert into public.user_traits (user_id, trait_key, trait_value) values (:bob, 'diet_type', 'vegan');
select isnt(pg_temp.key(:ann, 'hi'), pg_temp.key(:bob, 'hi'), 'a fact about the user: another key');
update public.user_traits set user_id = :ann where user_id = :bob;
select isnt(pg_temp.key(:ann, 'hi'), uplift.cache_key(null, 'chat', 'sim-1', null, public.build_coach_system_prompt(:ann), '', 'hi'),
    'which nobody shares');
select is(pg_temp.key(:ann, 'hi'), uplift.cache_key(:ann, 'chat', 'sim-1', null, public.build_coach_system_prompt(:ann), '', 'hi'), 'but the user');
delete from public.user_traits where user_id = :ann;
insert into public.ai_episodic_memory (user_id, memory_type, memory_text) values (:bob, 'goal', 'run');
select isnt(pg_temp.key(:ann, 'hi'), pg_temp.key(:bob, 'hi'), 'a memory, too');
delete from public.ai_episodic_memory where user_id = :bob;
select lives_ok('select pg_temp.record(1, pg_temp.ann(), pg_temp.id(900), ''before'', ''this'')', 'a conversation');
select isnt(pg_temp.key(:ann, 'hi', null, null, pg_temp.id(900)), pg_temp.key(:ann, 'hi'), 'what was said before: another key');
select isnt(uplift.cache_key(null, 'chat', 'ab', 'c', 'd', 'e', 'f'), uplift.cache_key(null, 'chat', 'a', 'bc', 'd', 'e', 'f'), 'parts do not run into each other');
create function pg_temp.completion_key(p_user uuid, p_parameters text) returns text language sql as $$
    select cache_key from uplift.prepare_chat(p_user, 'completions', null, null, null, null, null, 'hi', 0,
        jsonb_build_object('model', 'sim-1', 'parameters', p_parameters, 'cache', '{"mode": "on", "max_age_s": 60, "model": "x"}'::jsonb))
$$;
select isnt(pg_temp.completion_key(:ann, 'p'), pg_temp.completion_key(:bob, 'p'), 'a completion is its user''s');
select isnt(pg_temp.completion_key(:ann, 'p'), pg_temp.completion_key(:ann, 'q'), 'and its parameters''');

-- Looking up and storing.
select is(pg_temp.found(:ann, 'q1'), null, 'nothing is there');
select is(pg_temp.store(10, :ann, 'q1', 'answer one'), 'recorded', 'an answer is recorded');
select is(pg_temp.found(:ann, 'q1'), 'answer one', 'and found again');
select is(pg_temp.found(:bob, ' q1'), 'answer one', 'by another user, too');
select is(pg_temp.found(:ann, 'q1', 'read-only'), 'answer one', 'read-only reads');
select is(pg_temp.found(:ann, 'q1', 'write-only'), null, 'write-only does not');
select is(pg_temp.found(:ann, 'q1', 'on', 59), null, 'it is older than 59 seconds');
select is(pg_temp.found(:ann, 'q1', 'on', 0), null, 'and no answer is young enough for 0');
select is(pg_temp.found(:ann, null, 'on', 3600, pg_temp.id(10)), null, 'an answer given anew is a new one');
select is((select c - 'text' from pg_temp.prepared(:ann, 'q1') as p(k text, c jsonb, v uuid)),
    jsonb_build_object('source_answer_id', pg_temp.id(10), 'model_used', 'gpt-4.1-mini', 'provider', 'p1', 'finish_reason', 'stop',
        'prompt_tokens', 1000, 'completion_tokens', 100, 'cached_tokens', 0, 'response_message', null), 'with what it was');
select results_eq($$select ai_response, user_message, source_answer_id, hit_count, is_active from public.ai_response_cache where cache_key = pg_temp.key(pg_temp.ann(), 'q1')$$,
    $$values (null::text, null::text, pg_temp.id(10), 0, true)$$, 'the text is not kept twice');
select is(pg_temp.store(11, :ann, 'q1', 'answer two', jsonb_build_object('created_at', now())), 'recorded', 'a later answer to the same question');
select is(pg_temp.found(:ann, 'q1'), 'answer two', 'takes its place');
select is(pg_temp.store(12, :ann, 'q1', 'late', jsonb_build_object('created_at', now() - interval '30 minutes')), 'recorded', 'one that comes late from a spool');
select is(pg_temp.found(:ann, 'q1'), 'answer two', 'does not');
select is((select count(*) from public.ai_response_cache where cache_key = pg_temp.key(:ann, 'q1')), 1::bigint, 'one question, one entry');

-- What is not stored.
select is(pg_temp.found(:ann, 'no ' || n), null, d)
from (values
    (20, '{"outcome": "partial"}'::jsonb, 'not a cut answer'),
    (21, '{"outcome": "failed", "error_code": "provider_error"}', 'not a failure'),
    (22, '{"finish_reason": "length"}', 'not one that was too long'),
    (23, '{"finish_reason": "content_filter"}', 'not a filtered one'),
    (24, '{"finish_reason": "tool_calls"}', 'not a call of tools'),
    (25, '{"response_message": {"role": "assistant", "tool_calls": [{"id": "x"}]}}', 'whatever its finish_reason says'),
    (26, '{"response_message": {"role": "assistant", "refusal": "no"}}', 'not a refusal'),
    (27, '{"degraded": true}', 'not one that was made without the database'),
    (28, '{"ai_response": ""}', 'not an empty one'),
    (29, '{"cache_ttl_s": 30}', 'not one whose time is over when it comes'),
    (30, '{"cache_key": null}', 'not one without a key')) as v(n, more, d)
cross join lateral pg_temp.store(n, :ann, 'no ' || n, 'x', more) s;
select is(pg_temp.store(31, :ann, 'yes', 'x', '{"response_message": {"role": "assistant", "reasoning": "hm"}}'), 'recorded', 'one that thought');
select is(pg_temp.found(:ann, 'yes'), 'x', 'is stored');

-- Hits.
select is(pg_temp.hit(40, :bob, pg_temp.id(11)), 'recorded', 'a hit');
select results_eq('select cost_usd, saved_usd, from_cache, cache_source_id from public.coach_response_feedback where id = pg_temp.id(40)',
    'values (0.0, 0.00056, true, null::uuid)', 'costs nothing, saves what its source had cost, and does not name it');
select is((select source_answer_id from uplift.cache_sources where answer_id = pg_temp.id(40)), pg_temp.id(11), 'which is known to us');
select is(pg_temp.hit(43, :ann, pg_temp.id(11)), 'recorded', 'a hit of the user''s own');
select is((select cache_source_id from public.coach_response_feedback where id = pg_temp.id(43)), pg_temp.id(11), 'names it');
select is(pg_temp.hit(41, :bob, pg_temp.id(11)), 'recorded', 'another');
select is((select hit_count from public.ai_response_cache where source_answer_id = pg_temp.id(11)), 0, 'nobody waits for counts');
select is((select hits from uplift.count_cache_hits()), 3::bigint, 'they are counted later');
select results_eq('select hit_count, cost_saved_usd, last_hit_at from public.ai_response_cache where source_answer_id = pg_temp.id(11)',
    'values (3, 0.00168, now())', 'with what they saved');
select is((select hits from uplift.count_cache_hits()), 0::bigint, 'each once');
select is(pg_temp.hit(42, :bob, pg_temp.id(999)), 'recorded', 'a hit whose source is not there yet is recorded');

-- Feedback.
select pg_temp.rate(11, :ann, '{"helpful": true}') \g /dev/null
select is(pg_temp.found(:bob, 'q1'), 'answer two', 'a thumb up changes nothing');
select pg_temp.rate(11, :ann, '{"helpful": false}') \g /dev/null
select is(pg_temp.found(:bob, 'q1'), null, 'a thumb down withdraws the answer');
select is(pg_temp.store(50, :bob, 'q1', 'the same again', jsonb_build_object('created_at', now())), 'recorded', 'the question asked again');
select is(pg_temp.found(:bob, 'q1'), null, 'stays out of the cache');
select pg_temp.rate(11, :ann, '{"helpful": null}') \g /dev/null
select is(pg_temp.found(:bob, 'q1'), 'answer two', 'a thumb taken back lets it in again');
select pg_temp.rate(40, :bob, '{"rating": 2}') \g /dev/null
select is(pg_temp.found(:ann, 'q1'), null, 'two stars for a hit count against its source');
select pg_temp.rate(41, :bob, '{"helpful": false}') \g /dev/null
select pg_temp.rate(40, :bob, '{"rating": 3}') \g /dev/null
select is(pg_temp.found(:ann, 'q1'), null, 'and while one dislike stands, it stays out');
update public.coach_response_feedback set helpful = true where id = pg_temp.id(41);
select is(pg_temp.found(:ann, 'q1'), 'answer two', 'whichever way it is taken back');
select uplift_chat.give_feedback(:ann, pg_temp.id(51), '{"helpful": false}', true) \g /dev/null
select is(pg_temp.store(51, :ann, 'q2', 'bad'), 'recorded', 'an answer that was disliked before it had ended');
select is(pg_temp.found(:ann, 'q2'), null, 'is not given again');

-- A conversation that was deleted.
select is(pg_temp.store(60, :ann, 'q3', 'private', jsonb_build_object('conversation_id', pg_temp.id(901))), 'recorded', 'an answer in a conversation');
select is(pg_temp.found(:bob, 'q3'), 'private', 'is given again');
select lives_ok('select uplift_chat.delete_conversation(pg_temp.ann(), pg_temp.id(901))', 'until its user deletes the conversation');
select is(pg_temp.found(:bob, 'q3'), null, 'then it is not');

-- Trimming.
insert into public.ai_response_cache (cache_key, ai_response) values ('a deployment''s own', 'text');
delete from public.ai_response_cache where source_answer_id is not null;
select is(count(pg_temp.store(70 + n, :ann, 'trim ' || n, 'x')), 5::bigint, 'five entries') from generate_series(1, 5) n;
select is(count(pg_temp.hit(80 + n, :ann, pg_temp.id(70 + n / 4))), 8::bigint, 'with hits: 3 of the first, 4 of the second') from generate_series(5, 12) n;
select pg_temp.rate(73, :ann, '{"helpful": false}') \g /dev/null
update public.ai_response_cache set expires_at = now() where source_answer_id = pg_temp.id(74);
select is(uplift_batch.trim_cache(3), '{"hits_counted": 8, "expired": 1, "least_useful": 1, "entries": 3, "failed": 0}', 'trimming says what it did');
select results_eq('select source_answer_id from public.ai_response_cache where source_answer_id is not null order by 1',
    'values (pg_temp.id(71)), (pg_temp.id(72)), (pg_temp.id(73))', 'the useful ones stay, and what feedback withdrew');
select is(uplift_batch.trim_cache(2) -> 'least_useful', '1', 'one less');
select results_eq('select source_answer_id from public.ai_response_cache where source_answer_id is not null order by 1',
    'values (pg_temp.id(72)), (pg_temp.id(73))', 'fewest hits go first');
update public.ai_response_cache set created_at = now() - interval '91 days' where source_answer_id = pg_temp.id(73);
select is(uplift_batch.trim_cache(2) -> 'expired', '1', 'after 90 days a question may come in again');
select is((select count(*) from uplift.cache_dislikes), 0::bigint, 'and what was disliked is forgotten');
select is((select count(*) from uplift.cache_sources), 0::bigint, 'so is whose answer was given again');
select is((select count(*) from public.ai_response_cache where source_answer_id is null), 1::bigint, 'a deployment''s own rows stay');

select finish();
rollback;
