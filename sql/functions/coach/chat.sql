-- Preparing a chat: everything an answer needs, in one round trip.
--
-- This and uplift.record_answers() are the hot path. Every query is a look-up in an index, and what
-- a chat costs does not grow with the tables.

-- What was given anew may be given anew again: all of these are versions of one answer.
create or replace function uplift.first_version(p_answer_id uuid, p_user_id uuid, out id uuid, out created_at timestamptz)
language sql stable
as $$
    with recursive versions as (
        select a.id, a.created_at, a.regenerate_of
        from public.coach_response_feedback a where a.id = p_answer_id and a.user_id = p_user_id
        union all
        select a.id, a.created_at, a.regenerate_of
        from versions v join public.coach_response_feedback a on a.id = v.regenerate_of
        where a.user_id = p_user_id and a.created_at < v.created_at
    )
    -- The row of the first one may still be to come.
    select coalesce(v.regenerate_of, v.id), v.created_at from versions v order by v.created_at limit 1
$$;

comment on function uplift.first_version(uuid, uuid) is
    'The answer that was given first, of those that an own answer took the place of; itself when it took no other''s.';

create or replace function uplift.prepare_chat(p_user_id uuid, p_protocol text, p_coach_id text, p_severity numeric,
    p_mode text, p_conversation_id uuid, p_regenerate_of uuid, p_message text, p_history_tokens int,
    p_more jsonb default null)
returns table (conversation_id uuid, coach_id text, severity numeric, mode text, system_prompt text, messages text,
    user_message text, model text, trace jsonb, cached json, cache_key text, limits text, refusal jsonb,
    budget_model text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_is_own boolean;
    v_before timestamptz := timestamptz 'infinity';
    v_original record;
    v_coach record;
    v_turn record;
    v_first uuid;
    v_replaced uuid[];
    v_room int;
    v_rows int := 0;
    v_turns int := 0;
    v_question text := ''; -- of the turn that the loop saw last
    v_has_results boolean := false;
    v_is_personal boolean := true;
    v_is_long boolean;
begin
    if p_protocol is distinct from 'chat' and p_protocol is distinct from 'completions' then
        perform uplift.fail(400, 'invalid_protocol', 'the protocol must be chat or completions');
    end if;

    perform from auth.users u where u.id = p_user_id;
    if not found then
        perform uplift.add_user(p_user_id);
    end if;
    if p_conversation_id is not null then
        -- An id that nobody used yet starts a conversation: the client made it, or its answers are
        -- still in a spool.
        select c.user_id = p_user_id and c.deleted_at is null into v_is_own
        from uplift.conversations c where c.id = p_conversation_id;
        if not v_is_own then
            perform uplift.fail(404, 'conversation_not_found', 'there is no such conversation', 'conversation_id');
        end if;
    end if;

    conversation_id := p_conversation_id;
    user_message := p_message;
    cached := null;
    if p_regenerate_of is not null then
        select a.conversation_id, a.user_message into v_original
        from public.coach_response_feedback a
        left join uplift.conversations c on c.id = a.conversation_id
        where a.id = p_regenerate_of and a.user_id = p_user_id and c.deleted_at is null
            and (p_conversation_id is null or a.conversation_id = p_conversation_id);
        if not found then
            perform uplift.fail(404, 'answer_not_found', 'there is no such answer to give anew', 'regenerate_of');
        end if;
        conversation_id := v_original.conversation_id;
        user_message := coalesce(p_message, v_original.user_message);
        -- The history ends before the answer that was given first.
        select f.created_at into v_before from uplift.first_version(p_regenerate_of, p_user_id) f;
    end if;

    messages := '';
    if p_coach_id is not null or p_protocol = 'chat' then
        v_coach := uplift.coach_prompt(p_user_id, p_coach_id, p_severity, p_mode, true);
        coach_id := v_coach.coach_id;
        -- A handful of rows: what serves now. Null is the configured one.
        select d.model_id into model from uplift.model_deployments d
        where d.environment = 'production' and d.ended_at is null
            and (d.coach_id is null or d.coach_id = v_coach.coach_id)
        order by d.coach_id nulls last limit 1;
        severity := v_coach.severity;
        mode := v_coach.mode;
        system_prompt := v_coach.system_prompt;
        v_is_personal := v_coach.is_personal;
        if v_coach.memory_ids is not null then
            trace := jsonb_build_object('memory_ids', v_coach.memory_ids, 'source_ids', '[]'::jsonb,
                'example_ids', '[]'::jsonb, 'exposures', '[]'::jsonb);
        end if;
    elsif p_severity not between 1.0 and 6.0 then
        perform uplift.fail(400, 'invalid_severity', 'severity must be a number from 1.0 to 6.0', 'severity');
    elsif p_mode not in ('default', 'roast') then
        perform uplift.fail(400, 'invalid_mode', 'mode must be default or roast', 'mode');
    end if;

    if p_protocol = 'chat' and conversation_id is not null and p_history_tokens > 0 then
        -- Newest first, so that what no longer fits is the oldest. Whole turns only. A token is
        -- taken for 4 bytes, and a message for 4 tokens more.
        v_room := p_history_tokens * 4;
        for v_turn in
            -- What failed before it said anything drops out.
            select a.id, a.user_message, a.ai_response, a.regenerate_of,
                a.answers_tools as has_results,
                coalesce(octet_length(a.user_message), 0) + octet_length(a.ai_response) + 32 as size
            from public.coach_response_feedback a
            where a.conversation_id = prepare_chat.conversation_id and a.created_at < v_before and a.user_id = p_user_id
                and a.ai_response <> ''
            order by a.created_at desc limit 50
        loop
            v_rows := v_rows + 1;
            -- So does what was given anew: of the versions of an answer the last stays.
            if v_turn.regenerate_of is not null then
                select f.id into v_first from uplift.first_version(v_turn.id, p_user_id) f;
                continue when v_first = any (v_replaced);
                v_replaced := v_replaced || v_first;
            else
                continue when v_turn.id = any (v_replaced);
            end if;
            v_room := v_room - v_turn.size;
            exit when v_room < 0;
            v_turns := v_turns + 1;
            -- The results of tools came with the question of the turn before once more.
            messages := case when v_has_results and v_question = v_turn.user_message or v_question = '' then ''
                else ',{"role":"user","content":' || to_json(v_question)::text || '}' end || messages;
            messages := ',{"role":"assistant","content":' || to_json(v_turn.ai_response)::text || '}' || messages;
            v_question := v_turn.user_message;
            v_has_results := coalesce(v_turn.has_results, false);
        end loop;
        messages := substr(case when v_question = '' then ''
            else ',{"role":"user","content":' || to_json(v_question)::text || '}' end || messages, 2);
        -- What the answer was made from is otherwise known from the rows.
        if v_room < 0 or v_rows = 50 then
            trace := coalesce(trace, '{}') || jsonb_build_object('history_turns', v_turns);
        end if;
    elsif p_protocol = 'chat' and conversation_id is not null then
        trace := coalesce(trace, '{}') || jsonb '{"history_turns": 0}';
    end if;

    if exists (select from uplift.budgets_used_up) then
        select c.refusal, c.cheaper_model into refusal, budget_model from uplift.check_budgets(p_user_id, coach_id) c;
        model := coalesce(budget_model, model);
    end if;

    if p_more ? 'cache' then
        -- A long message is known by its hash, which comes with it (src/chat/cache.c), or is made here
        -- where the message does not come again.
        v_is_long := p_message is null and octet_length(user_message) > 8192;
        -- What a completions client sends may be about its user.
        cache_key := uplift.cache_key(
            case when p_protocol <> 'chat' or v_is_personal or messages <> '' then p_user_id end, p_protocol,
            coalesce(budget_model, p_more ->> 'model', model, p_more #>> '{cache,model}'),
            case when v_is_long then encode(sha256(convert_to(user_message, 'UTF8')), 'hex') else p_more ->> 'parameters' end,
            system_prompt, messages, case when v_is_long then '' else user_message end);
        -- Who asks for another answer wants another one.
        if p_regenerate_of is null and p_more #>> '{cache,mode}' in ('on', 'read-only') then
            cached := uplift.find_cached(cache_key, (p_more #>> '{cache,max_age_s}')::int);
            if cached is not null then
                -- Nobody is sent these, and the row of the answer that is given again has them.
                system_prompt := null;
                messages := '';
            end if;
        end if;
    end if;

    conversation_id := coalesce(conversation_id, uplift.uuid_v7());
    return next;
end
$$;

comment on function uplift.prepare_chat(uuid, text, text, numeric, text, uuid, uuid, text, int, jsonb) is
    'Everything an answer needs, one row: coach, severity and mode; system prompt; messages, the JSON of those before p_message, joined by commas, without brackets, oldest first, at most p_history_tokens (a token taken for 4 bytes) and 50 turns; the trace to hand back with the answer. p_protocol chat or completions; a completions request has no history, and without p_coach_id no system prompt. model is what serves in production for the coach, or for all; null is the configured one. p_more is what features beside the prompt need to know of the request, only what is present: model (asked for by a completions client), address (of the client), cache ({mode: on, read-only or write-only; max_age_s; model: the configured one}; without it the cache is off), parameters (sha256 of a completions request, or of a message of more than 8192 bytes). cached, where not null, is the answer to give (uplift.find_cached), then without system_prompt and messages, and cache_key what to record it under. refusal, where not null, is why there will be no answer: {status, code, message, retry_after_ms}. budget_model, where not null, takes the place of any model asked for, because a budget is used up. UP400 invalid_severity, invalid_mode; UP403 unknown_user, roast_consent_required; UP404 coach_not_found, conversation_not_found, answer_not_found.';
