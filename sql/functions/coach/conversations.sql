-- A user's conversations, to list, read and delete.

create or replace function uplift_chat.list_conversations(p_user_id uuid, p_limit int, p_before timestamptz) returns json
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    with found as (
        select c.id, c.title, c.coach_id, c.created_at, c.updated_at,
            row_number() over (order by c.updated_at desc, c.id desc) as position
        from uplift.conversations c
        where c.user_id = p_user_id and c.deleted_at is null and (p_before is null or c.updated_at < p_before)
        order by c.updated_at desc, c.id desc
        limit greatest(least(coalesce(p_limit, 50), 200), 1) + 1
    )
    select json_build_object(
        'object', 'list',
        'data', coalesce(json_agg(json_build_object('id', f.id, 'title', f.title, 'coach_id', f.coach_id,
            'created_at', f.created_at, 'updated_at', f.updated_at) order by f.position)
            filter (where f.position <= greatest(least(coalesce(p_limit, 50), 200), 1)), '[]'),
        'has_more', count(*) > greatest(least(coalesce(p_limit, 50), 200), 1))
    from found f
$$;

comment on function uplift_chat.list_conversations(uuid, int, timestamptz) is
    'A user''s conversations as JSON, latest answer first: {"object":"list","data":[{id, title, coach_id, created_at, updated_at}],"has_more"}; p_limit 1 to 200 (null: 50), p_before an updated_at to go on from.';

create or replace function uplift.words_said(p_text text, p_message jsonb) returns text
language sql immutable
as $$
    select case when p_text = '' and jsonb_typeof(p_message -> 'refusal') = 'string' then p_message ->> 'refusal' else p_text end
$$;

comment on function uplift.words_said(text, jsonb) is
    'What a person is shown of an answer with this ai_response and response_message: its text, or the model''s refusal where it said nothing else.';

create or replace function uplift_chat.get_conversation(p_user_id uuid, p_id uuid) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_conversation record;
    v_messages json;
    v_has_more boolean;
begin
    select c.id, c.coach_id, c.title, c.created_at, c.updated_at into v_conversation
    from uplift.conversations c where c.id = p_id and c.user_id = p_user_id and c.deleted_at is null;
    if not found then
        perform uplift.fail(404, 'conversation_not_found', 'there is no such conversation');
    end if;
    -- As uplift.conversation_messages, but with the answers that failed before they said anything:
    -- who reads along wants to know.
    select coalesce(json_agg(m.message order by t.created_at, t.id, m.position) filter (where t.fits), '[]'),
        coalesce(bool_or(not t.fits), false)
    into v_messages, v_has_more
    from (
        select a.*,
            -- A long answer by itself may be longer than what else fits.
            row_number() over newest_first = 1 or row_number() over newest_first <= 500
                and sum(octet_length(a.user_message) + octet_length(a.ai_response)) over newest_first <= 4194304 as fits,
            -- What a client sends with the results of tools has the question of the turn before once more.
            a.answers_tools
                and a.user_message = lag(a.user_message) over (order by a.created_at, a.id) as is_same_question
        from public.coach_response_feedback a
        join (
            -- Of the versions of an answer the last that said something.
            select distinct on (v.first_id) v.id
            from (
                select a.id, a.created_at, a.ai_response <> '' as has_words, case when a.regenerate_of is null then a.id
                    else (select f.id from uplift.first_version(a.id, p_user_id) f) end as first_id
                from public.coach_response_feedback a
                where a.conversation_id = p_id and a.user_id = p_user_id
                    and (a.regenerate_of is null or a.ai_response <> '')) v
            order by v.first_id, v.has_words desc, v.created_at desc, v.id desc) shown on shown.id = a.id
        window newest_first as (order by a.created_at desc, a.id desc)
        order by a.created_at desc, a.id desc
        limit 501
    ) t
    cross join lateral (
        select 1, json_build_object('id', t.id, 'role', 'user', 'content', t.user_message, 'created_at', t.created_at)
        where t.user_message <> '' and t.is_same_question is not true
        union all
        select 2, json_build_object('id', t.id, 'role', 'assistant',
            'content', uplift.words_said(t.ai_response, t.response_message), 'created_at', t.created_at,
            'helpful', t.helpful, 'rating', t.rating, 'feedback_text', t.feedback_text, 'coach_id', t.coach_id,
            'severity', t.severity, 'mode', t.mode, 'outcome', coalesce(t.outcome, 'complete'), 'citations', t.citations,
            'memories_used', coalesce(cardinality(t.memory_ids), 0), 'passages_used', coalesce(cardinality(t.passage_ids), 0))
    ) as m(position, message);
    return json_build_object('id', v_conversation.id, 'object', 'conversation', 'coach_id', v_conversation.coach_id,
        'title', v_conversation.title, 'created_at', v_conversation.created_at, 'updated_at', v_conversation.updated_at,
        'messages', v_messages, 'has_more', v_has_more);
end
$$;

comment on function uplift_chat.get_conversation(uuid, uuid) is
    'An own conversation as JSON with its messages, oldest first: {id, coach_id, title, created_at, updated_at, messages:[{id, role, content, created_at, and on answers helpful, rating, feedback_text, coach_id, severity, mode, outcome, citations, memories_used, passages_used}], has_more}; id of a message is its answer''s. Without regenerated answers; a question that was asked with tools is there once; the last 500 turns, and of them as many as have 4 MiB of text. UP404 conversation_not_found.';

create or replace function uplift_chat.get_answer(p_user_id uuid, p_id uuid) returns json
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select json_build_object('message', uplift.words_said(a.ai_response, a.response_message),
        'user_message', a.user_message, 'outcome', coalesce(a.outcome, 'complete'), 'error_code', a.error_code,
        'result', jsonb_strip_nulls(jsonb_build_object('feedbackId', a.id, 'conversation_id', a.conversation_id,
            'coach_id', a.coach_id, 'severity', a.severity, 'mode', a.mode, 'model', a.model_used,
            'usage', jsonb_build_object('prompt_tokens', coalesce(a.prompt_tokens, 0),
                'completion_tokens', coalesce(a.completion_tokens, 0),
                'total_tokens', coalesce(a.prompt_tokens, 0) + coalesce(a.completion_tokens, 0)),
            'response_time_ms', a.response_time_ms, 'finish_reason', a.finish_reason,
            'memories_used', cardinality(a.memory_ids), 'passages_used', cardinality(a.passage_ids),
            'degraded', nullif(a.degraded, false), 'from_cache', nullif(a.from_cache, false)))
            || case when a.citations is null then '{}' else jsonb_build_object('citations', a.citations) end)
    from public.coach_response_feedback a
    where a.id = p_id and a.user_id = p_user_id and not exists (
        select from uplift.conversations c where c.id = a.conversation_id and c.deleted_at is not null)
$$;

comment on function uplift_chat.get_answer(uuid, uuid) is
    'An own answer that has ended: {message, user_message, outcome, error_code, result}, result being what POST /v1/chat ends with, without what is null. Null where there is none, or its conversation was deleted.';

create or replace function uplift_chat.delete_conversation(p_user_id uuid, p_id uuid) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    update uplift.conversations c set deleted_at = now()
    where c.id = p_id and c.user_id = p_user_id and c.deleted_at is null;
    if not found then
        perform uplift.fail(404, 'conversation_not_found', 'there is no such conversation');
    end if;
end
$$;

comment on function uplift_chat.delete_conversation(uuid, uuid) is
    'Takes an own conversation out of lists, reads and history; its answers are kept. UP404 conversation_not_found.';
