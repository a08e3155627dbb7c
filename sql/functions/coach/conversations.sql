-- A user's conversations, to list, read and delete.

create or replace function uplift_chat.list_conversations(p_user_id uuid, p_limit int, p_before timestamptz, p_search text default null)
returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_limit int := greatest(least(coalesce(p_limit, 50), 200), 1);
    v_rows json[];
begin
    if p_search is null then
        select array_agg(json_build_object('id', x.id, 'title', x.title, 'coach_id', x.coach_id, 'created_at', x.created_at,
            'updated_at', x.updated_at) order by x.updated_at desc, x.id desc)
        into v_rows
        from (
            select c.id, c.title, c.coach_id, c.created_at, c.updated_at
            from uplift.conversations c
            where c.user_id = p_user_id and c.deleted_at is null and (p_before is null or c.updated_at < p_before)
            order by c.updated_at desc, c.id desc limit v_limit + 1) x;
    else
        select array_agg(json_build_object('id', f.id, 'title', f.title, 'coach_id', f.coach_id, 'created_at', f.created_at,
            'updated_at', f.updated_at, 'excerpt', f.excerpt) order by f.updated_at desc, f.id desc)
        into v_rows
        from uplift.find_conversations(p_user_id, p_search, p_before, v_limit + 1) f;
    end if;
    return json_build_object('object', 'list', 'data', array_to_json(coalesce(v_rows[:v_limit], '{}')),
        'has_more', coalesce(cardinality(v_rows), 0) > v_limit);
end
$$;

comment on function uplift_chat.list_conversations(uuid, int, timestamptz, text) is
    'A user''s conversations as JSON, latest answer first: {"object":"list","data":[{id, title, coach_id, created_at, updated_at}],"has_more"}; p_limit 1 to 200 (null: 50), p_before an updated_at to go on from. With p_search those that uplift.find_conversations() finds, with excerpt. UP400 invalid_q.';

create or replace function uplift.words_said(p_text text, p_message jsonb) returns text
language sql immutable
as $$
    select case when p_text = '' and jsonb_typeof(p_message -> 'refusal') = 'string' then p_message ->> 'refusal' else p_text end
$$;

create or replace function uplift.thoughts_of(p_message jsonb) returns text
language sql immutable parallel safe
as $$
    select nullif(case when jsonb_typeof(p_message -> 'reasoning_content') = 'string' then p_message ->> 'reasoning_content'
        when jsonb_typeof(p_message -> 'reasoning') = 'string' then p_message ->> 'reasoning' end, '')
$$;

comment on function uplift.thoughts_of(jsonb) is 'What a model thought before an answer with this response_message, where its provider told; null for nothing.';

comment on function uplift.words_said(text, jsonb) is
    'What a person is shown of an answer with this ai_response and response_message: its text, or the model''s refusal where it said nothing else.';

create or replace function uplift.versions_told(p_user_id uuid, p_answer_id uuid, p_regenerate_of uuid) returns uuid[]
language plpgsql stable
as $$
declare
    v_versions uuid[];
begin
    -- Most have one.
    if p_regenerate_of is not null or exists (
            select from public.coach_response_feedback a where a.regenerate_of = p_answer_id) then
        v_versions := uplift.versions_of(p_user_id, p_answer_id);
    end if;
    return case when cardinality(v_versions) > 1 then v_versions end;
end
$$;

comment on function uplift.versions_told(uuid, uuid, uuid) is
    'uplift.versions_of() an own answer that took the place of p_regenerate_of, or of none (null); null where it is the only one.';

create or replace function uplift_chat.get_conversation(p_user_id uuid, p_id uuid, p_version uuid default null) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_conversation record;
    v_until timestamptz := timestamptz 'infinity';
    v_messages json;
    v_has_more boolean;
begin
    select c.id, c.coach_id, c.title, c.created_at, c.updated_at, c.replaced into v_conversation
    from uplift.conversations c where c.id = p_id and c.user_id = p_user_id and c.deleted_at is null;
    if not found then
        perform uplift.fail(404, 'conversation_not_found', 'there is no such conversation');
    end if;
    if p_version is not null then
        v_until := uplift.shown_until(p_user_id, p_id, p_version);
        if v_until is null then
            perform uplift.fail(404, 'answer_not_found', 'there is no such answer in this conversation', 'version');
        elsif v_until < 'infinity' then
            v_conversation.replaced := uplift.replaced_times(p_user_id, p_id, v_until);
        end if;
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
        where a.conversation_id = p_id and a.user_id = p_user_id and a.created_at < v_until
            -- Of the versions of an answer the last that said something.
            and (a.regenerate_of is null or a.ai_response <> '') and not uplift.is_replaced(a.created_at, v_conversation.replaced)
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
            'severity', t.severity, 'mode', t.mode, 'outcome', coalesce(t.outcome, 'complete'), 'finish_reason', t.finish_reason,
            'citations', t.citations, 'memories_used', coalesce(cardinality(t.memory_ids), 0),
            'has_reasoning', uplift.thoughts_of(t.response_message) is not null,
            'passages_used', coalesce(cardinality(t.passage_ids), 0), 'examples_used', coalesce(cardinality(t.example_ids), 0),
            'versions', uplift.versions_told(p_user_id, t.id, t.regenerate_of))
    ) as m(position, message);
    return json_build_object('id', v_conversation.id, 'object', 'conversation', 'coach_id', v_conversation.coach_id,
        'title', v_conversation.title, 'created_at', v_conversation.created_at, 'updated_at', v_conversation.updated_at,
        'is_current', v_until = 'infinity', 'messages', v_messages, 'has_more', v_has_more);
end
$$;

comment on function uplift_chat.get_conversation(uuid, uuid, uuid) is
    'An own conversation as JSON with its messages, oldest first: {id, coach_id, title, created_at, updated_at, is_current, messages:[{id, role, content, created_at, and on answers helpful, rating, feedback_text, coach_id, severity, mode, outcome, finish_reason, citations, memories_used, passages_used, examples_used, has_reasoning, versions}], has_more}; id of a message is its answer''s. Without what versions replaced; versions are the ids of all of an answer''s, the oldest first, null where there is one. With p_version, one of them, as it was when that one was part of it. A question that was asked with tools is there once; the last 500 turns, and of them as many as have 4 MiB of text. UP404 conversation_not_found, answer_not_found.';

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
            'examples_used', cardinality(a.example_ids),
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

create or replace function uplift_chat.rename_conversation(p_user_id uuid, p_id uuid, p_body jsonb) returns json
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_title text;
    v_conversation record;
begin
    if jsonb_typeof(p_body) is distinct from 'object' then
        perform uplift.fail(400, 'invalid_title', 'a conversation''s changes must be an object');
    end if;
    perform uplift.check_members(p_body, '{title}');
    if not p_body ? 'title' then
        perform uplift.fail(400, 'nothing_to_change', 'there is nothing to change: send title');
    end if;
    v_title := btrim(regexp_replace(p_body ->> 'title', '[\s\u0001-\u001f\u007f]+', ' ', 'g'));
    if jsonb_typeof(p_body -> 'title') not in ('string', 'null') or v_title = '' or length(v_title) > 200 then
        perform uplift.fail(400, 'invalid_title', 'title must have 1 to 200 characters, or be null', 'title');
    end if;
    update uplift.conversations c
    set title = coalesce(v_title, (
            -- What it begins with, as it is now.
            select uplift.title_of(a.user_message) from public.coach_response_feedback a
            where a.conversation_id = c.id and a.user_id = c.user_id and not uplift.is_replaced(a.created_at, c.replaced)
                and (a.regenerate_of is null or a.ai_response <> '')
            order by a.created_at, a.id limit 1), c.title),
        is_renamed = v_title is not null
    where c.id = p_id and c.user_id = p_user_id and c.deleted_at is null
    returning c.id, c.title, c.coach_id, c.created_at, c.updated_at into v_conversation;
    if not found then
        perform uplift.fail(404, 'conversation_not_found', 'there is no such conversation');
    end if;
    return json_build_object('id', v_conversation.id, 'object', 'conversation', 'title', v_conversation.title,
        'coach_id', v_conversation.coach_id, 'created_at', v_conversation.created_at, 'updated_at', v_conversation.updated_at);
end
$$;

comment on function uplift_chat.rename_conversation(uuid, uuid, jsonb) is
    'Calls an own conversation {"title"}, of at most 200 characters on one line, or by null what it begins with, and returns it: {id, object, title, coach_id, created_at, updated_at}. UP400 invalid_title, nothing_to_change, unknown_parameter; UP404 conversation_not_found.';

create or replace function uplift_chat.answer_to_continue(p_user_id uuid, p_id uuid, p_conversation_id uuid,
    out user_message text, out ai_response text, out citations jsonb)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    select a.user_message, a.ai_response, a.citations
    into answer_to_continue.user_message, answer_to_continue.ai_response, answer_to_continue.citations
    from public.coach_response_feedback a
    left join uplift.conversations c on c.id = a.conversation_id
    where a.id = p_id and a.user_id = p_user_id and c.deleted_at is null
        and (p_conversation_id is null or a.conversation_id = p_conversation_id);
    if not found then
        perform uplift.fail(404, 'answer_not_found', 'there is no such answer to go on with', 'regenerate_of');
    elsif ai_response = '' or user_message = '' then
        perform uplift.fail(400, 'invalid_continue', 'that answer has no text to go on with', 'regenerate_of');
    end if;
end
$$;

comment on function uplift_chat.answer_to_continue(uuid, uuid, uuid, out text, out text, out jsonb) is
    'What an own answer that is to be gone on with was asked, what it says so far, and what that cites; of conversation p_conversation_id where that is not null. UP404 answer_not_found; UP400 invalid_continue where it has no text.';
