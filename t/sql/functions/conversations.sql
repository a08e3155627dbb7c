-- Conversations, coaches and preferences.
\ir common.psql
select plan(73);

do $$ begin
    perform pg_temp.record(1, pg_temp.ann(), pg_temp.id(100), 'q1', 'a1');
    perform pg_temp.record(2, pg_temp.ann(), pg_temp.id(100), 'q2', 'a2');
    perform pg_temp.record(3, pg_temp.ann(), pg_temp.id(100), 'q2', 'a2 anew', jsonb_build_object('regenerate_of', pg_temp.id(2)));
    perform pg_temp.record(4, pg_temp.ann(), pg_temp.id(100), 'q3', '', '{"outcome": "failed"}');
    perform pg_temp.record(5, pg_temp.ann(), pg_temp.id(200), 'other', 'a');
    perform pg_temp.record(6, pg_temp.ann(), pg_temp.id(300), 'third', 'a');
    perform pg_temp.record(7, pg_temp.bob(), pg_temp.id(400), 'bob', 'a');
    perform pg_temp.record(9, pg_temp.ann(), pg_temp.id(300), 'q', '', '{"response_message": {"role": "assistant", "refusal": "I will not."}}');
    perform uplift_chat.give_feedback(pg_temp.ann(), pg_temp.id(3), '{"helpful": true, "rating": 4, "feedback_text": "ok"}', false);
end $$;

create function pg_temp.list(p_user uuid, p_limit int default null, p_before timestamptz default null) returns text language sql as $$
    select (select string_agg(d ->> 'title', ' ' order by o) from json_array_elements(l -> 'data') with ordinality e(d, o)) || ' ' || (l ->> 'has_more')
    from uplift_chat.list_conversations(p_user, p_limit, p_before) l
$$;
select is(pg_temp.list(:ann), 'third other q1 false', 'own conversations, the latest first');
select is(pg_temp.list(:ann, 2), 'third other true', 'page by page');
select is(pg_temp.list(:ann, 2, '2026-01-01 00:05Z'), 'q1 false', 'and the next');
select is(pg_temp.list(:ann, 0), 'third true', 'at least one');
select is(pg_temp.list(:ann, 3), 'third other q1 false', 'a full last page');
select is(uplift_chat.list_conversations(:eve, 10, null)::jsonb, '{"object": "list", "data": [], "has_more": false}', 'nothing for a new user');
select is(uplift_chat.list_conversations(:bob, 10, null)::jsonb #> '{data,0}',
    jsonb_build_object('id', pg_temp.id(400), 'title', 'bob', 'coach_id', 'coach_decibel_avatar',
        'created_at', '2026-01-01T00:07:00+00:00', 'updated_at', '2026-01-01T00:07:00+00:00'), 'one entry');

create function pg_temp.read(p_user uuid, n int) returns jsonb language sql as $$ select uplift_chat.get_conversation(p_user, pg_temp.id(n))::jsonb $$;
select is(pg_temp.read(:ann, 100) - 'messages', jsonb_build_object('id', pg_temp.id(100), 'object', 'conversation', 'title', 'q1', 'coach_id', 'coach_decibel_avatar',
    'created_at', '2026-01-01T00:01:00+00:00', 'updated_at', '2026-01-01T00:04:00+00:00', 'is_current', true, 'has_more', false), 'a conversation');
select is((select string_agg(concat(m ->> 'role', ':', m ->> 'content'), ' ' order by o) from jsonb_array_elements(pg_temp.read(:ann, 100) -> 'messages') with ordinality e(m, o)),
    'user:q1 assistant:a1 user:q2 assistant:a2 anew user:q3 assistant:', 'its messages, without what was given anew');
select is(pg_temp.read(:ann, 100) #> '{messages,3}', jsonb_build_object('id', pg_temp.id(3), 'role', 'assistant', 'content', 'a2 anew', 'created_at', '2026-01-01T00:03:00+00:00',
    'helpful', true, 'rating', 4, 'feedback_text', 'ok', 'coach_id', 'coach_decibel_avatar', 'severity', 3.0, 'mode', 'default', 'outcome', 'complete', 'citations', null, 'finish_reason', null,
    'memories_used', 0, 'passages_used', 0, 'examples_used', 0, 'has_reasoning', false, 'versions', jsonb_build_array(pg_temp.id(2), pg_temp.id(3))), 'an answer with its feedback');
select is(pg_temp.read(:ann, 100) #>> '{messages,5,outcome}', 'failed', 'what failed is told');
select is(pg_temp.read(:ann, 300) #>> '{messages,3,content}', 'I will not.', 'a refusal is what was said');
do $$ begin perform pg_temp.record(n, pg_temp.bob(), pg_temp.id(500), 'q' || n, 'a') from generate_series(1001, 1501) n; end $$;
select is(jsonb_array_length(pg_temp.read(:bob, 500) -> 'messages'), 1000, 'the last 500 turns');
select is(pg_temp.read(:bob, 500) #>> '{messages,0,content}', 'q1002', 'not the first');
select is(pg_temp.read(:bob, 500) ->> 'has_more', 'true', 'and says so');
do $$ begin perform pg_temp.record(n, pg_temp.bob(), pg_temp.id(510), 'q' || n, repeat('x', 2000000)) from generate_series(2001, 2003) n; end $$;
select is(pg_temp.read(:bob, 510) #>> '{messages,0,content}', 'q2002', 'of long answers fewer turns');
select is(pg_temp.read(:bob, 510) ->> 'has_more', 'true', 'which it says, too');
do $$ begin perform pg_temp.record(2004, pg_temp.bob(), pg_temp.id(511), 'q', repeat('x', 5000000)); end $$;
select is(length(pg_temp.read(:bob, 511) #>> '{messages,1,content}'), 5000000, 'but always the last');

select is(uplift_chat.get_answer(:ann, pg_temp.id(1))::jsonb - 'result'::text, '{"message": "a1", "user_message": "q1", "outcome": "complete", "error_code": null}', 'an answer by its id');
select is((uplift_chat.get_answer(:ann, pg_temp.id(1)) -> 'result')::jsonb - '{usage,response_time_ms,finish_reason,model}'::text[],
    jsonb_build_object('feedbackId', pg_temp.id(1), 'conversation_id', pg_temp.id(100), 'coach_id', 'coach_decibel_avatar', 'severity', 3.0, 'mode', 'default'),
    'with what a chat ends with');
select is(uplift_chat.get_answer(:ann, pg_temp.id(4)) ->> 'outcome', 'failed', 'one that failed says so');
select is(uplift_chat.get_answer(:ann, pg_temp.id(9)) ->> 'message', 'I will not.', 'one that is a refusal says that');
select is(uplift_chat.get_answer(:bob, pg_temp.id(1))::jsonb, null, 'another user''s is none');
-- A loop of tools: each request has the question again, and the results behind it.
do $$
declare
    v_results jsonb := '{"request_messages": {"messages": [{"role": "assistant", "tool_calls": []}, {"role": "tool", "content": "42"}]}}';
begin
    perform pg_temp.record(2011, pg_temp.bob(), pg_temp.id(600), 'how many?', '', '{"response_message": {"role": "assistant", "tool_calls": []}}');
    perform pg_temp.record(2012, pg_temp.bob(), pg_temp.id(600), 'how many?', 'Let me look again.', v_results);
    perform pg_temp.record(2013, pg_temp.bob(), pg_temp.id(600), 'how many?', '42.', v_results);
    perform pg_temp.record(2014, pg_temp.bob(), pg_temp.id(600), 'how many?', '42, as I said.');
    perform pg_temp.record(2015, pg_temp.bob(), pg_temp.id(600), 'sure?', 'Yes.', v_results);
    -- Asked again behind another question.
    perform pg_temp.record(2021, pg_temp.bob(), pg_temp.id(601), 'how many?', '42.');
    perform pg_temp.record(2022, pg_temp.bob(), pg_temp.id(601), 'sure?', 'Yes.');
    perform pg_temp.record(2023, pg_temp.bob(), pg_temp.id(601), 'how many?', 'Still 42.', v_results);
    -- The turn before was given anew later.
    perform pg_temp.record(2031, pg_temp.bob(), pg_temp.id(602), 'how many?', '41.');
    perform pg_temp.record(2032, pg_temp.bob(), pg_temp.id(602), 'how many?', '43.', v_results);
    perform pg_temp.record(2033, pg_temp.bob(), pg_temp.id(602), 'how many?', '42.', jsonb_build_object('regenerate_of', pg_temp.id(2031)));
end $$;
create function pg_temp.said_in(n int) returns text language sql as $$
    select string_agg(concat(m ->> 'role', ':', m ->> 'content'), ' ' order by o) from jsonb_array_elements(pg_temp.read(pg_temp.bob(), n) -> 'messages') with ordinality e(m, o)
$$;
select is(pg_temp.said_in(600), 'user:how many? assistant: assistant:Let me look again. assistant:42. user:how many? assistant:42, as I said. user:sure? assistant:Yes.',
    'a loop of tools shows its question once; asked again it is there again');
create function pg_temp.seen_in(n int) returns text language sql as $$
    select string_agg(m.message_type || ':' || m.content, ' ' order by m.created_at, m.answer_id, m.message_type desc)
    from uplift.conversation_messages m where m.conversation_id = pg_temp.id(n)
$$;
select is(pg_temp.seen_in(600), 'user:how many? assistant:Let me look again. assistant:42. user:how many? assistant:42, as I said. user:sure? assistant:Yes.',
    'and so do its messages');
select is(array[pg_temp.said_in(n), pg_temp.seen_in(n), pg_temp.said(pg_temp.messages(:bob, pg_temp.id(n)))],
    array[t, t, regexp_replace(t, '(user|assistant):', '', 'g')], d) from (values
    (601, 'user:how many? assistant:42. user:sure? assistant:Yes. user:how many? assistant:Still 42.', 'one that was asked before another one is there again'),
    (602, 'user:how many? assistant:42.', 'and one whose turn before was given anew since has gone with that')) as w(n, t, d);
select is(pg_temp.said(pg_temp.messages(:bob, pg_temp.id(600))), 'how many? Let me look again. 42. how many? 42, as I said. sure? Yes.', 'and so does history');
select is(pg_temp.said(pg_temp.messages(:bob, pg_temp.id(600), p_tokens => 12)), 'sure? Yes.', 'that is cut behind it');

select is(pg_temp.refused($$select pg_temp.read(pg_temp.bob(), 100)$$), 'UP404 conversation_not_found', 'another user''s');
select is(pg_temp.refused($$select pg_temp.read(pg_temp.ann(), 999)$$), 'UP404 conversation_not_found', 'nobody''s is the same');
select is(pg_temp.refused($$select uplift_chat.delete_conversation(pg_temp.bob(), pg_temp.id(100))$$), 'UP404 conversation_not_found', 'nor can it be deleted');
select lives_ok($$select uplift_chat.delete_conversation(pg_temp.ann(), pg_temp.id(100))$$, 'its owner can');
select is(pg_temp.list(:ann), 'third other false', 'out of the list');
select is(pg_temp.refused($$select pg_temp.read(pg_temp.ann(), 100)$$), 'UP404 conversation_not_found', 'out of reach');
select is(uplift_chat.get_answer(:ann, pg_temp.id(1))::jsonb, null, 'answer by answer');
select is(pg_temp.refused($$select uplift_chat.delete_conversation(pg_temp.ann(), pg_temp.id(100))$$), 'UP404 conversation_not_found', 'and gone');
select is(pg_temp.refused($$select pg_temp.messages(pg_temp.ann(), pg_temp.id(100))$$), 'UP404 conversation_not_found conversation_id', 'no chat goes on in it');
select is(pg_temp.refused($$select pg_temp.messages(pg_temp.ann(), null, pg_temp.id(1))$$), 'UP404 answer_not_found regenerate_of', 'nothing of it is given anew');
select is((select count(*) from uplift.conversation_messages where conversation_id = pg_temp.id(100)), 0::bigint, 'no message of it is seen');
select is((select count(*) from public.coach_response_feedback where conversation_id = pg_temp.id(100)), 4::bigint, 'but the answers are kept');
select is(pg_temp.record(8, :ann, pg_temp.id(100), 'late', 'a'), 'recorded', 'an answer that was under way is recorded');
select is(pg_temp.list(:ann), 'third other false', 'and does not bring it back');

-- Coaches.
select is(uplift_chat.list_coaches()::jsonb #> '{data,0}', jsonb_build_object('id', 'coach_decibel_avatar', 'name', 'Decibel', 'default', true,
    'description', 'Loud, fast and on your side: turns every plan into a stage show.'), 'coaches, the default first');
select is((select array_agg(c ->> 'id') from jsonb_array_elements(uplift_chat.list_coaches()::jsonb -> 'data') c where not (c ->> 'default')::boolean),
    '{coach_ledger_avatar,coach_maple_avatar}', 'and the others');
insert into public.brand_assets (asset_name, asset_type, alt_text, usage_notes) values
    ('logo_dark', 'logo', 'Logo', 'On dark ground only.'), ('coach_silent_avatar', 'coach', 'Silent', null), ('grandma', 'coach', 'Grandma', 'You bake.');
select is((select string_agg(c ->> 'name', ' ' order by c ->> 'name') from jsonb_array_elements(uplift_chat.list_coaches()::jsonb -> 'data') c),
    'Decibel Grandma Ledger Maple', 'an asset is a coach by its type or name, and by a personality');
select is((select count(*) from uplift_chat.list_personas()), 24::bigint, 'a persona for each coach and band');
select is((select array_agg(distinct mode) from uplift_chat.list_personas()), '{default}', 'none that needs consent');
select is((select opening || personality || rules || '3.0' || tone from uplift_chat.list_personas() where coach_id = 'coach_decibel_avatar' and severity_band = 3),
    public.build_coach_system_prompt(:bob), 'with the words a user without facts gets');
select is(count(*), 0::bigint, 'at each severity, and with another personality')
from generate_series(1.0, 6.0, 0.1) s join uplift_chat.list_personas() p on p.severity_band = uplift.severity_band(s)
join uplift.coaches c on c.id = p.coach_id
where opening || p.personality || rules || s || tone is distinct from public.build_coach_system_prompt(:bob, c.id, s, p.mode)
    or opening || 'A pirate.' || rules || s || tone is distinct from uplift.shared_prompt(c.name, 'A pirate.', s, p.mode);
select is((select coach_id from uplift_chat.list_personas() limit 1), 'coach_decibel_avatar', 'the default first');
update public.brand_assets set is_active = false;
select is(uplift_chat.list_coaches()::jsonb, '{"object": "list", "data": []}', 'no coach');
select is((select coach_id from uplift.prepare_chat(:bob, 'chat', null, null, null, null, null, 'q', 10)), null, 'chats are answered all the same');
select matches((select system_prompt from uplift.prepare_chat(:bob, 'chat', null, null, null, null, null, 'q', 10)), 'friendly and honest coach', 'by nobody in particular');
update public.brand_assets set is_active = true where asset_name like 'coach_%';

-- Preferences.
select is(uplift_chat.get_preferences(:ann)::jsonb, '{"active_coach_id": "coach_decibel_avatar", "severity": 3.0, "mode": "default", "roast_consent": false, "memory_enabled": true, "experiments_enabled": null, "experiments_enabled_default": true, "training_consent": null,
    "training_consent_asked": false, "training_consent_default": true, "auto_select_coach": false, "quiet_hours_start": null, "quiet_hours_end": null, "timezone": null}', 'the defaults');
select is(uplift_chat.put_preferences(:ann, '{"active_coach_id": "coach_maple_avatar", "severity": 4.44, "training_consent": true, "quiet_hours_start": "22:30",
    "quiet_hours_end": "07:00", "timezone": "Europe/Berlin"}')::jsonb,
    '{"active_coach_id": "coach_maple_avatar", "severity": 4.4, "mode": "default", "roast_consent": false, "memory_enabled": true, "experiments_enabled": null, "experiments_enabled_default": true, "training_consent": true, "training_consent_asked": true,
    "training_consent_default": true, "auto_select_coach": false, "quiet_hours_start": "22:30", "quiet_hours_end": "07:00", "timezone": "Europe/Berlin"}', 'what is said changes, the rest stays');
select is((select coach_id || severity from uplift.prepare_chat(:ann, 'chat', null, null, null, null, null, 'q', 10)), 'coach_maple_avatar4.4', 'the next chat knows');
select is(pg_temp.refused($$select uplift_chat.put_preferences(pg_temp.ann(), '{"mode": "roast"}')$$), 'UP403 roast_consent_required mode', 'roast needs consent');
select is(uplift_chat.put_preferences(:ann, '{"mode": "roast", "roast_consent": true}') ->> 'mode', 'roast', 'which can be given with it');
select is(uplift_chat.put_preferences(:ann, '{"roast_consent": false}') ->> 'mode', 'default', 'and taken back');
select is(uplift_chat.put_preferences(:ann, '{"active_coach_id": null, "severity": null, "training_consent": null, "training_consent_asked": null, "timezone": null}')::jsonb - 'quiet_hours_start' - 'quiet_hours_end',
    uplift_chat.get_preferences(:bob)::jsonb - 'quiet_hours_start' - 'quiet_hours_end', 'null is back to the default');
select is(pg_temp.refused(format('select uplift_chat.put_preferences(pg_temp.ann(), %L)', v.body)), v.refusal, v.body)
from (values
    ('{"severity": 0}', 'UP400 invalid_severity severity'), ('{"severity": 9}', 'UP400 invalid_severity severity'), ('{"severity": "3"}', 'UP400 invalid_severity severity'),
    ('{"mode": "evil"}', 'UP400 invalid_mode mode'), ('{"roast_consent": "yes"}', 'UP400 invalid_roast_consent roast_consent'),
    ('{"active_coach_id": "nobody"}', 'UP404 coach_not_found active_coach_id'), ('{"quiet_hours_start": "25:00"}', 'UP400 invalid_quiet_hours_start quiet_hours_start'),
    ('{"timezone": "Mars/Base"}', 'UP400 invalid_timezone timezone'), ('{"user_id": "x"}', 'UP400 unknown_parameter user_id'), ('[1]', 'UP400 invalid_preferences')) as v(body, refusal);
select lives_ok($$select uplift_chat.put_preferences(pg_temp.eve(), '{"severity": 2}')$$, 'a user nobody saw before');
select is(uplift_chat.get_preferences(:eve) ->> 'severity', '2.0', 'is made');

select * from finish();
rollback;
