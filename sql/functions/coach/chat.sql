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

-- The steps, in their order. Those that most chats do without are functions, which cost nothing then.

create or replace function uplift.check_conversation(p_user_id uuid, p_conversation_id uuid) returns void
language plpgsql stable
as $$
declare
    v_is_own boolean;
begin
    -- An id that nobody used yet starts a conversation: the client made it, or its answers are still in
    -- a spool.
    select c.user_id = p_user_id and c.deleted_at is null into v_is_own
    from uplift.conversations c where c.id = p_conversation_id;
    if not v_is_own then
        perform uplift.fail(404, 'conversation_not_found', 'there is no such conversation', 'conversation_id');
    end if;
end
$$;

comment on function uplift.check_conversation(uuid, uuid) is
    'UP404 conversation_not_found: a conversation is another user''s, or was deleted.';

create or replace function uplift.answer_to_regenerate(p_user_id uuid, p_answer_id uuid, p_conversation_id uuid,
    out conversation_id uuid, out user_message text, out first_at timestamptz)
language plpgsql stable
as $$
begin
    select a.conversation_id, a.user_message into answer_to_regenerate.conversation_id, answer_to_regenerate.user_message
    from public.coach_response_feedback a
    left join uplift.conversations c on c.id = a.conversation_id
    where a.id = p_answer_id and a.user_id = p_user_id and c.deleted_at is null
        and (p_conversation_id is null or a.conversation_id = p_conversation_id);
    if not found then
        perform uplift.fail(404, 'answer_not_found', 'there is no such answer to give anew', 'regenerate_of');
    end if;
    select f.created_at into first_at from uplift.first_version(p_answer_id, p_user_id) f;
end
$$;

comment on function uplift.answer_to_regenerate(uuid, uuid, uuid, out uuid, out text, out timestamptz) is
    'Where an own answer stands that is to be given anew, what was asked, and when the first version of it was given. UP404 answer_not_found, also for one of another conversation than p_conversation_id, where that is not null.';

create or replace function uplift.chat_history(p_user_id uuid, p_conversation_id uuid, p_before timestamptz, p_tokens int,
    out messages text, out turns int, out is_cut boolean)
language plpgsql stable
as $$
declare
    v_turn record;
    v_first uuid;
    v_replaced uuid[];
    v_room int := p_tokens * 4;
    v_rows int := 0;
    v_question text := ''; -- of the turn that the loop saw last
    v_has_results boolean := false;
begin
    messages := '';
    turns := 0;
    is_cut := true;
    if p_tokens is null or p_tokens <= 0 then
        return;
    end if;
    -- Newest first, so that what no longer fits is the oldest.
    for v_turn in
        -- What failed before it said anything drops out. created_at < ... keeps this on its index.
        select a.id, a.user_message, a.ai_response, a.regenerate_of,
            a.answers_tools as has_results,
            coalesce(octet_length(a.user_message), 0) + octet_length(a.ai_response) + 32 as size
        from public.coach_response_feedback a
        where a.conversation_id = p_conversation_id and a.created_at < p_before and a.user_id = p_user_id
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
        turns := turns + 1;
        -- The results of tools came with the question of the turn before once more.
        messages := case when v_has_results and v_question = v_turn.user_message or v_question = '' then ''
            else ',{"role":"user","content":' || to_json(v_question)::text || '}' end || messages;
        messages := ',{"role":"assistant","content":' || to_json(v_turn.ai_response)::text || '}' || messages;
        v_question := v_turn.user_message;
        v_has_results := coalesce(v_turn.has_results, false);
    end loop;
    messages := right(case when v_question = '' then ''
        else ',{"role":"user","content":' || to_json(v_question)::text || '}' end || messages, -1);
    is_cut := v_room < 0 or v_rows = 50;
end
$$;

comment on function uplift.chat_history(uuid, uuid, timestamptz, int, out text, out int, out boolean) is
    'The messages of a user''s conversation before a time, as JSON joined by commas, without brackets, oldest first: whole turns, at most 50 and p_tokens (a token taken for 4 bytes, a message for 4 tokens more), how many they are, and whether there were more.';

create or replace function uplift.cache_key_of(p_user_id uuid, p_protocol text, p_message text, p_is_repeated boolean, p_is_personal boolean,
    p_model text, p_more jsonb, p_system_prompt text, p_messages text) returns text
language plpgsql immutable
as $$
declare
    -- A long message is known by its hash, which comes with it (src/chat/cache.c), or is made here where
    -- the message does not come again.
    v_is_long boolean := p_is_repeated and octet_length(p_message) > 8192;
begin
    -- What a completions client sends may be about its user.
    return uplift.cache_key(
        case when p_protocol <> 'chat' or p_is_personal or p_messages <> '' then p_user_id end, p_protocol, p_model,
        case when v_is_long then encode(sha256(convert_to(p_message, 'UTF8')), 'hex') else p_more ->> 'parameters' end,
        p_system_prompt, p_messages, case when v_is_long then '' else p_message end);
end
$$;

comment on function uplift.cache_key_of(uuid, text, text, boolean, boolean, text, jsonb, text, text) is
    'What a chat is known by in the cache. p_is_repeated: the message is that of an answer given anew, which the client did not send again.';

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
    v_before timestamptz := timestamptz 'infinity';
    v_coach record;
    v_history record;
    v_is_personal boolean := true;
begin
    if p_protocol is distinct from 'chat' and p_protocol is distinct from 'completions' then
        perform uplift.fail(400, 'invalid_protocol', 'the protocol must be chat or completions');
    end if;

    -- Who, and where.
    perform from auth.users u where u.id = p_user_id;
    if not found then
        perform uplift.add_user(p_user_id);
    end if;
    if p_conversation_id is not null then
        perform uplift.check_conversation(p_user_id, p_conversation_id);
    end if;
    conversation_id := p_conversation_id;
    user_message := p_message;
    cached := null;
    if p_regenerate_of is not null then
        -- The history ends before the answer that was given first.
        select r.conversation_id, coalesce(p_message, r.user_message), r.first_at
        into conversation_id, user_message, v_before
        from uplift.answer_to_regenerate(p_user_id, p_regenerate_of, p_conversation_id) r;
    end if;

    -- Which coach, and what serves now. Null is the configured model.
    if p_coach_id is not null or p_protocol = 'chat' then
        v_coach := uplift.coach_prompt(p_user_id, p_coach_id, p_severity, p_mode, true);
        coach_id := v_coach.coach_id;
        -- A handful of rows.
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

    -- What was said before.
    messages := '';
    if p_protocol = 'chat' and conversation_id is not null then
        v_history := uplift.chat_history(p_user_id, conversation_id, v_before, p_history_tokens);
        messages := v_history.messages;
        -- What the answer was made from is otherwise known from the rows.
        if v_history.is_cut then
            trace := coalesce(trace, '{}') || jsonb_build_object('history_turns', v_history.turns);
        end if;
    end if;

    -- Whether there is money for it.
    if exists (select from uplift.budgets_used_up) then
        select c.refusal, c.cheaper_model into refusal, budget_model from uplift.check_budgets(p_user_id, coach_id) c;
        model := coalesce(budget_model, model);
    end if;

    -- Whether the answer is there already.
    if p_more ? 'cache' then
        cache_key := uplift.cache_key_of(p_user_id, p_protocol, user_message, p_message is null, v_is_personal,
            coalesce(budget_model, p_more ->> 'model', model, p_more #>> '{cache,model}'), p_more, system_prompt, messages);
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

-- A round trip for several chats.
create or replace function uplift.prepare_chats(p_calls json)
returns table (n int, conversation_id uuid, coach_id text, severity numeric, mode text, system_prompt text, messages text,
    user_message text, model text, trace jsonb, cached json, cache_key text, limits text, refusal jsonb, budget_model text)
-- By index, always: see uplift.record_answers().
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
begin
    if not exists (select from uplift.rate_limits) then
        return query
        select r.n, p.*
        from json_to_recordset(p_calls) as r(n int, user_id uuid, protocol text, coach_id text, severity numeric, mode text,
            conversation_id uuid, regenerate_of uuid, message text, history_tokens int, more text)
        cross join lateral uplift.prepare_chat(r.user_id, r.protocol, r.coach_id, r.severity, r.mode, r.conversation_id,
            r.regenerate_of, r.message, r.history_tokens, r.more::jsonb) p;
        return;
    end if;
    return query
    with calls as materialized (
        select r.*, r.more::jsonb as about
        from json_to_recordset(p_calls) as r(n int, user_id uuid, protocol text, coach_id text, severity numeric, mode text,
            conversation_id uuid, regenerate_of uuid, message text, history_tokens int, more text)
    ), refused as materialized (
        select f.*
        from (
            select array_agg(c.n) as n, array_agg(c.user_id::text) as users, array_agg(c.about ->> 'address') as addresses,
                array_agg(c.about ->> 'api_key') as keys
            from calls c) a
        cross join lateral uplift.refuse_at_once(a.n, a.users, a.addresses, a.keys) f
    ), prepared as materialized (
        select c.n as number, c.user_id as asker, c.about, p.*
        from calls c
        cross join lateral uplift.prepare_chat(c.user_id, c.protocol, c.coach_id, c.severity, c.mode, c.conversation_id,
            c.regenerate_of, c.message, c.history_tokens, c.about) p
        where c.n not in (select f.n from refused f)
    ), charged as materialized (
        select c.*
        from (
            select array_agg(x.number) as n, array_agg(x.asker::text) as users, array_agg(x.about ->> 'address') as addresses,
                array_agg(x.about ->> 'api_key') as keys,
                array_agg(uplift.tokens_of(x.cached is null, x.system_prompt, x.messages, x.user_message, x.about)) as tokens
            from prepared x where x.refusal is null) a
        cross join lateral uplift.charge_limits(a.n, a.users, a.addresses, a.keys, a.tokens) c
    )
    select x.number, x.conversation_id, x.coach_id, x.severity, x.mode, x.system_prompt, x.messages, x.user_message, x.model,
        x.trace, x.cached, x.cache_key, c.limits, coalesce(x.refusal, c.refusal), x.budget_model
    from prepared x left join charged c on c.n = x.number
    union all
    select f.n, null, null, null, null, null, null, null, null, null, null, null, f.limits, f.refusal, null from refused f;
end
$$;

comment on function uplift.prepare_chats(json) is
    'uplift.prepare_chat for several calls, [{n, and its parameters by their names, as text}], in any order, and what rate limits leave of them (limits, refusal). Who has nothing left is refused before anything is looked up (uplift.refuse_at_once); the others are charged last, all at once, so that what they hold is held for as short as can be. When one raises, none is prepared or charged: then each is to be called by itself (uplift.prepare_one_chat).';

create or replace function uplift.tokens_of(p_is_new boolean, p_system_prompt text, p_messages text, p_user_message text, p_more jsonb)
returns int
language sql immutable parallel safe
as $$
    -- Four bytes are taken for a token; what comes from the cache has cost none.
    select case when p_is_new then (coalesce(octet_length(p_system_prompt), 0) + coalesce(octet_length(p_messages), 0)
        + coalesce(octet_length(p_user_message), 0) + coalesce((p_more ->> 'bytes')::int, 0)) / 4 else 0 end
$$;

comment on function uplift.tokens_of(boolean, text, text, text, jsonb) is 'The tokens that a chat is charged before it is answered.';

create or replace function uplift.prepare_one_chat(p_user_id uuid, p_protocol text, p_coach_id text, p_severity numeric,
    p_mode text, p_conversation_id uuid, p_regenerate_of uuid, p_message text, p_history_tokens int, p_more jsonb)
returns table (conversation_id uuid, coach_id text, severity numeric, mode text, system_prompt text, messages text,
    user_message text, model text, trace jsonb, cached json, cache_key text, limits text, refusal jsonb, budget_model text)
-- By index, always: see uplift.record_answers().
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_has_limits boolean := exists (select from uplift.rate_limits);
    v_charged record;
    v_state text;
    v_code text;
    v_message text;
    v_param text;
begin
    if v_has_limits then
        select r.limits, r.refusal into limits, refusal from uplift.refuse_at_once(array[1], array[p_user_id::text],
            array[p_more ->> 'address'], array[p_more ->> 'api_key']) r;
        if found then
            return next;
            return;
        end if;
    end if;
    begin
        select p.conversation_id, p.coach_id, p.severity, p.mode, p.system_prompt, p.messages, p.user_message, p.model, p.trace,
            p.cached, p.cache_key, p.refusal, p.budget_model
        into conversation_id, coach_id, severity, mode, system_prompt, messages, user_message, model, trace,
            cached, cache_key, refusal, budget_model
        from uplift.prepare_chat(p_user_id, p_protocol, p_coach_id, p_severity, p_mode, p_conversation_id, p_regenerate_of,
            p_message, p_history_tokens, p_more) p;
    exception when others then
        get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_code = pg_exception_detail,
            v_param = pg_exception_hint;
        if v_state !~ '^UP4[0-9][0-9]$' then
            raise;
        end if;
        refusal := jsonb_build_object('status', right(v_state, 3)::int, 'code', v_code, 'message', v_message, 'param', v_param);
    end;
    -- What was asked for in vain has cost as much as any preparation. What a budget refuses is not charged.
    if v_has_limits and (refusal is null or v_state is not null) then
        select c.limits, c.refusal into v_charged from uplift.charge_limits(array[1], array[p_user_id::text],
            array[p_more ->> 'address'], array[p_more ->> 'api_key'],
            array[uplift.tokens_of(cached is null, system_prompt, messages, user_message, p_more)]) c;
        if found then
            limits := v_charged.limits;
            refusal := coalesce(v_charged.refusal, refusal);
        end if;
    end if;
    return next;
end
$$;

comment on function uplift.prepare_one_chat(uuid, text, text, numeric, text, uuid, uuid, text, int, jsonb) is
    'uplift.prepare_chats for one call, which is charged also where it is refused with UP4nn: that is then its refusal, {status, code, message, param}.';
