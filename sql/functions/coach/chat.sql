-- Preparing a chat: everything an answer needs, in one round trip.
--
-- This and uplift_chat.record_chats() are the hot path. Every query is a look-up in an index, and what
-- a chat costs does not grow with the tables.

-- The steps, in their order: what every chat needs is looked up for all at once (uplift.coach_prompts);
-- what most do without are functions for one chat.

create or replace function uplift.answer_to_regenerate(p_user_id uuid, p_answer_id uuid, p_conversation_id uuid,
    out conversation_id uuid, out user_message text, out first_at timestamptz, out photo_id uuid)
language plpgsql stable
as $$
begin
    select a.conversation_id, a.user_message, a.photo_id
    into answer_to_regenerate.conversation_id, answer_to_regenerate.user_message, answer_to_regenerate.photo_id
    from public.coach_response_feedback a
    left join uplift.conversations c on c.id = a.conversation_id
    where a.id = p_answer_id and a.user_id = p_user_id and c.deleted_at is null
        and (p_conversation_id is null or a.conversation_id = p_conversation_id);
    if found then
        first_at := uplift.replaced_since(p_answer_id, p_user_id);
    end if;
end
$$;

comment on function uplift.answer_to_regenerate(uuid, uuid, uuid, out uuid, out text, out timestamptz, out uuid) is
    'Where an own answer stands that is to be given anew, what was asked, when the first version of it was given, and the photo that was shown: null when there is none such, also for one of another conversation than p_conversation_id, where that is not null.';

create or replace function uplift_chat.question_of(p_user_id uuid, p_answer_id uuid, p_conversation_id uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$ select r.user_message from uplift.answer_to_regenerate(p_user_id, p_answer_id, p_conversation_id) r $$;

comment on function uplift_chat.question_of(uuid, uuid, uuid) is
    'What an own answer was given to that is to be given anew, for the worker to search by; null where there is none such (uplift.answer_to_regenerate).';

create or replace function uplift.recent_turns(p_user_id uuid, p_conversation_id uuid, p_after timestamptz, p_before timestamptz, p_bytes int,
    out messages text, out turns int, out is_cut boolean)
language plpgsql stable
as $$
declare
    v_turn record;
    v_room int := p_bytes;
    v_rows int := 0;
    v_question text := ''; -- of the turn that the loop saw last
    v_has_results boolean := false;
begin
    messages := '';
    turns := 0;
    -- Newest first, so that what no longer fits is the oldest.
    for v_turn in
        -- What failed before it said anything drops out, and what a version replaced. created_at < ... keeps this on its index.
        select a.user_message, a.ai_response, a.answers_tools as has_results,
            coalesce(octet_length(a.user_message), 0) + octet_length(a.ai_response) + 32 as size
        from public.coach_response_feedback a
        where a.conversation_id = p_conversation_id and a.created_at < p_before and a.created_at > p_after and a.user_id = p_user_id
            and a.ai_response <> ''
            -- Looked up once. Of an answer that is given anew what counts is what was replaced before it.
            and not coalesce(a.created_at <@ (
                select case when p_before = 'infinity' then c.replaced else uplift.replaced_times(p_user_id, p_conversation_id, p_before) end
                from uplift.conversations c
                where c.id = p_conversation_id and c.user_id = p_user_id and c.replaced is not null), false)
        order by a.created_at desc limit 50
    loop
        v_rows := v_rows + 1;
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

comment on function uplift.recent_turns(uuid, uuid, timestamptz, timestamptz, int, out text, out int, out boolean) is
    'The messages of a user''s conversation between two times, as JSON joined by commas, without brackets, oldest first: whole turns, the last ones, at most 50 and p_bytes (32 more counted for each); how many they are, and whether there were more.';

create or replace function uplift.chat_history(p_user_id uuid, p_conversation_id uuid, p_before timestamptz, p_tokens int,
    out messages text, out turns int, out is_cut boolean)
language plpgsql stable
as $$
declare
    v_summary text;
    v_until timestamptz;
begin
    if p_tokens is null or p_tokens <= 0 then
        messages := '';
        turns := 0;
        is_cut := true;
        return;
    end if;
    select t.messages, t.turns, t.is_cut into messages, turns, is_cut
    from uplift.recent_turns(p_user_id, p_conversation_id, '-infinity', p_before, p_tokens * 4) t;
    if not is_cut then
        return;
    end if;
    -- Not a summary that tells of what is to be given anew, or leaves little room.
    select s.summary, s.covers_until into v_summary, v_until from uplift.conversation_summary(p_user_id, p_conversation_id) s
    where s.covers_until < p_before and octet_length(s.summary) <= p_tokens * 2;
    if v_summary is not null then
        select concat_ws(',', uplift.summary_messages(v_summary), nullif(t.messages, '')), t.turns into messages, turns
        from uplift.recent_turns(p_user_id, p_conversation_id, v_until, p_before, p_tokens * 4 - octet_length(v_summary) - 300) t;
    end if;
end
$$;

comment on function uplift.chat_history(uuid, uuid, timestamptz, int, out text, out int, out boolean) is
    'The messages of a user''s conversation before a time, as JSON joined by commas, without brackets, oldest first: whole turns, at most 50 and p_tokens (a token taken for 4 bytes, a message for 4 tokens more), how many they are, and whether there were more. Where there were, and there is a summary (uplift.conversation_summary) of at most half as much, it comes first (uplift.summary_messages), and the turns begin behind those that it covers.';

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

create or replace function uplift.tokens_of(p_is_new boolean, p_system_prompt text, p_messages text, p_user_message text, p_more jsonb)
returns int
language sql immutable parallel safe
as $$
    -- Four bytes are taken for a token; what comes from the cache has cost none.
    select case when p_is_new then (coalesce(octet_length(p_system_prompt), 0) + coalesce(octet_length(p_messages), 0)
        + coalesce(octet_length(p_user_message), 0) + coalesce((p_more ->> 'bytes')::int, 0)) / 4 else 0 end
$$;

comment on function uplift.tokens_of(boolean, text, text, text, jsonb) is 'The tokens that a chat is charged before it is answered.';

create or replace function uplift.look_up_chats(p_user_ids uuid[], p_protocols text[], p_coach_ids text[],
    p_severities numeric[], p_modes text[], p_conversation_ids uuid[], p_regenerate_of uuid[], p_messages text[],
    p_history_tokens int[], p_more jsonb[], p_skipped int[])
returns table (n int, user_id uuid, more jsonb, conversation_id uuid, coach_id text, severity numeric, mode text,
    shared_prompt text, personal_prompt text, messages text, user_message text, model text, trace jsonb, cached json,
    cache_key text, refusal jsonb, budget_model text, parameters jsonb)
language plpgsql volatile
as $$
declare
    v_protocol text;
    v_regenerate_of uuid;
    v_history_tokens int;
    v_is_known boolean;
    v_is_repeated boolean;
    v_is_personal boolean;
    v_passages text;
    v_prompt text;
    v_model text;
    v_has_steps boolean;
    v_before timestamptz;
    v_turns int;
    v_is_cut boolean;
    v_photo_id uuid;
    v_photo text;
    v_has_budgets boolean := exists (select from uplift.budgets_used_up);
    v_has_deployments boolean := exists (
        select from uplift.model_deployments d where d.environment = 'production' and d.ended_at is null);
begin
    if not p_protocols <@ '{chat,completions}' then
        perform uplift.fail(400, 'invalid_protocol', 'the protocol must be chat or completions');
    end if;
    for n, user_id, more, conversation_id, coach_id, severity, mode, shared_prompt, personal_prompt, messages, user_message, model,
        trace, cached, cache_key, refusal, budget_model, parameters, v_protocol, v_regenerate_of, v_history_tokens, v_is_known, v_is_repeated,
        v_is_personal, v_passages, v_has_steps
    in
        select c.n, c.user_id, c.more, c.conversation_id, p.coach_id, p.severity, p.mode, p.shared_prompt, p.personal_prompt, '', c.message,
            -- What an experiment tries, or what serves now, of a handful of rows. Null is the configured model.
            case when p.changes ? 'model' then p.changes ->> 'model' when v_has_deployments and p.n is not null then (
                select d.model_id from uplift.model_deployments d
                where d.environment = 'production' and d.ended_at is null and (d.coach_id is null or d.coach_id = p.coach_id)
                order by d.coach_id nulls last limit 1) end,
            p.trace,
            null::json, null,
            case
                -- An id that nobody used yet starts a conversation: the client made it, or its answers are
                -- still in a spool.
                when (select v.user_id = c.user_id and v.deleted_at is null from uplift.conversations v
                        where v.id = c.conversation_id) is false
                    then uplift.refusal(404, 'conversation_not_found', 'there is no such conversation', 'conversation_id')
                when c.severity is not null or c.mode is not null then coalesce(uplift.check_tone(c.severity, c.mode), p.refusal)
                else p.refusal end,
            null, case when p.changes is not null then uplift.parameters_of(p.changes) end, c.protocol, c.regenerate_of, c.history_tokens,
            -- Not exists (...), which might read all users to hash them.
            (select u.id from auth.users u where u.id = c.user_id) is not null,
            c.message is null, p.is_personal, p.passages,
            c.regenerate_of is not null or c.protocol = 'chat' and c.conversation_id is not null or c.more ?| '{cache,photo_id}'
        from unnest(p_user_ids, p_protocols, p_severities, p_modes, p_conversation_ids, p_regenerate_of, p_messages, p_history_tokens,
            p_more) with ordinality
            as c(user_id, protocol, severity, mode, conversation_id, regenerate_of, message, history_tokens, more, n)
        left join uplift.coach_prompts(p_user_ids, p_protocols, p_coach_ids, p_severities, p_modes, true, p_skipped,
            p_conversation_ids, p_more) p on p.n = c.n
        where c.n <> all (p_skipped)
    loop
        if not v_is_known then
            refusal := coalesce(uplift.make_user(user_id), refusal);
        end if;
        -- Most are the first of a conversation, without a cache.
        if v_has_steps and refusal is null then
            v_before := 'infinity';
            v_photo_id := null;
            if v_regenerate_of is not null then
                -- The history ends before the answer that was given first.
                select r.conversation_id, coalesce(look_up_chats.user_message, r.user_message), r.first_at, r.photo_id
                into conversation_id, user_message, v_before, v_photo_id
                from uplift.answer_to_regenerate(user_id, v_regenerate_of, conversation_id) r;
                if v_before is null then
                    refusal := uplift.refusal(404, 'answer_not_found', 'there is no such answer to give anew', 'regenerate_of');
                end if;
            end if;
            if refusal is null and (v_photo_id is not null or more ? 'photo_id') then
                select p.photo_id, p.said, p.refusal into v_photo_id, v_photo, refusal
                from uplift.shown_photo(user_id, shared_prompt is not null, (more ->> 'photo_id')::uuid, v_photo_id) p;
                if v_photo_id is not null then
                    personal_prompt := coalesce(personal_prompt, '') || v_photo;
                    trace := coalesce(trace, '{}') || jsonb_build_object('photo_id', v_photo_id);
                end if;
            end if;
            if v_protocol = 'chat' and conversation_id is not null and refusal is null then
                select h.messages, h.turns, h.is_cut into messages, v_turns, v_is_cut
                from uplift.chat_history(user_id, conversation_id, v_before, v_history_tokens) h;
                -- What the answer was made from is otherwise known from the rows.
                if v_is_cut then
                    trace := coalesce(trace, '{}') || jsonb_build_object('history_turns', v_turns);
                end if;
            end if;
        end if;

        -- Whether there is money for it.
        if v_has_budgets and refusal is null then
            select b.refusal, b.cheaper_model, coalesce(b.cheaper_model, model) into refusal, budget_model, model
            from uplift.check_budgets(user_id, coach_id) b;
            if budget_model is not null then
                trace := uplift.without_model_exposures(trace);
            end if;
        end if;

        -- Whether the answer is there already.
        if v_has_steps and more ? 'cache' and v_photo_id is null and refusal is null then
            -- Users share answers where the prompt holds nothing of theirs. Passages are left out of the key: who asks the
            -- same again has the last time as a passage.
            v_prompt := shared_prompt || coalesce(replace(personal_prompt, coalesce(v_passages, ''), ''), '');
            v_model := coalesce(budget_model, more ->> 'model', model, more #>> '{cache,model}') || coalesce(parameters::text, '');
            cache_key := uplift.cache_key_of(user_id, v_protocol, user_message, v_is_repeated,
                shared_prompt is null or v_is_personal or v_passages is not null,
                v_model, more, v_prompt, messages);
            -- Who asks for another answer wants another one.
            if v_regenerate_of is null and more #>> '{cache,mode}' in ('on', 'read-only') then
                cached := uplift.find_cached(cache_key, (more #>> '{cache,max_age_s}')::int);
                if cached is null and v_passages is not null and not v_is_personal then
                    -- One that was made without passages, and is everybody's.
                    cached := uplift.find_cached(uplift.cache_key_of(user_id, v_protocol, user_message, v_is_repeated, false,
                        v_model, more, v_prompt, messages), (more #>> '{cache,max_age_s}')::int);
                end if;
                if cached is not null then
                    -- Nobody is sent these, and the row of the answer that is given again has them.
                    shared_prompt := null;
                    personal_prompt := null;
                    messages := '';
                end if;
            end if;
        end if;

        if refusal is not null then
            conversation_id := null;
            shared_prompt := null;
            personal_prompt := null;
            messages := null;
        end if;
        return next;
    end loop;
end
$$;

comment on function uplift.look_up_chats(uuid[], text[], text[], numeric[], text[], uuid[], uuid[], text[], int[], jsonb[], int[]) is
    'uplift_chat.prepare_chats without rate limits, for the calls whose numbers are not in p_skipped.';

create or replace function uplift_chat.prepare_chats(p_user_ids uuid[], p_protocols text[], p_coach_ids text[],
    p_severities numeric[], p_modes text[], p_conversation_ids uuid[], p_regenerate_of uuid[], p_messages text[],
    p_history_tokens int[], p_more jsonb[])
returns table (n int, conversation_id uuid, coach_id text, severity numeric, mode text, shared_prompt text, personal_prompt text,
    messages text, user_message text, model text, trace jsonb, cached json, cache_key text, limits text, refusal jsonb,
    budget_model text, parameters jsonb)
-- By index, always: see uplift_chat.record_chats().
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    if not exists (select from uplift.rate_limits) then
        return query
        select p.n, p.conversation_id, p.coach_id, p.severity, p.mode, p.shared_prompt, p.personal_prompt, p.messages,
            p.user_message, p.model, p.trace, p.cached, p.cache_key, null, p.refusal, p.budget_model,
            p.parameters
        from uplift.look_up_chats(p_user_ids, p_protocols, p_coach_ids, p_severities, p_modes, p_conversation_ids, p_regenerate_of,
            p_messages, p_history_tokens, p_more, '{}') p;
        return;
    end if;
    return query
    with refused as materialized (
        select f.*
        from (
            select array_agg(c.n::int) as n, array_agg(c.more ->> 'address') as addresses, array_agg(c.more ->> 'api_key') as keys
            from unnest(p_more) with ordinality as c(more, n)) a
        cross join lateral uplift.refuse_at_once(a.n, p_user_ids::text[], a.addresses, a.keys) f
    ), prepared as materialized (
        select p.*
        from uplift.look_up_chats(p_user_ids, p_protocols, p_coach_ids, p_severities, p_modes, p_conversation_ids, p_regenerate_of,
            p_messages, p_history_tokens, p_more, array(select f.n from refused f)) p
    ), charged as materialized (
        -- What was asked for in vain has cost as much as any preparation. What a budget refuses is not charged.
        select c.*
        from (
            select array_agg(x.n) as n, array_agg(x.user_id::text) as users, array_agg(x.more ->> 'address') as addresses,
                array_agg(x.more ->> 'api_key') as keys,
                array_agg(uplift.tokens_of(x.cached is null, concat(x.shared_prompt, x.personal_prompt), x.messages, x.user_message, x.more)) as tokens
            from prepared x where x.refusal is null or x.refusal ->> 'code' <> 'budget_exceeded') a
        cross join lateral uplift.charge_limits(a.n, a.users, a.addresses, a.keys, a.tokens) c
    )
    select x.n, x.conversation_id, x.coach_id, x.severity, x.mode, x.shared_prompt, x.personal_prompt, x.messages,
        x.user_message, x.model, x.trace, x.cached, x.cache_key, c.limits, coalesce(c.refusal, x.refusal), x.budget_model,
        x.parameters
    from prepared x left join charged c on c.n = x.n
    union all
    select f.n, null, null, null, null, null, null, null, null, null, null, null, null, f.limits, f.refusal, null, null from refused f;
end
$$;

comment on function uplift_chat.prepare_chats(uuid[], text[], text[], numeric[], text[], uuid[], uuid[], text[], int[], jsonb[]) is
    'Everything that answers need, for several chats, in one round trip. Arrays side by side, an element for each chat; protocol is chat or completions, and only user, protocol and p_history_tokens are never null. One row each, in any order; n is its place, from 1: the conversation, null for a new one; coach, severity and mode; the system prompt, in its two parts; messages, the JSON of those before p_messages'' one, joined by commas, without brackets, oldest first, at most p_history_tokens (a token taken for 4 bytes) and 50 turns; the trace to hand back with the answer. A completions request has no history, and without a coach no system prompt. model is what serves in production for the coach, or for all; null is the configured one. p_more is what features beside the prompt need to know of the request, only what is present: model (asked for by a completions client), address (of the client), api_key (its id), bytes (of messages that do not come along), cache ({mode: on, read-only or write-only; max_age_s; model: the configured one}; without it the cache is off), parameters (sha256 of a completions request, or of a message of more than 8192 bytes), photo_id (of a meal that the message shows; without it an answer given anew has the one before it: uplift.shown_photo). What a photo shaped has no cache_key. cached, where not null, is the answer to give (uplift.find_cached), then without prompt and messages, and cache_key what to record it under. limits is what rate limits leave of them (uplift.limits_text); who has nothing left is refused before anything is looked up (uplift.refuse_at_once); the others are charged last, all at once, so that what they hold is held for as short as can be. refusal, where not null, is why there will be no answer: {status, code, message, param or retry_after_ms}: 400 invalid_severity, invalid_mode, invalid_photo_id; 403 unknown_user, roast_consent_required; 404 coach_not_found, conversation_not_found, answer_not_found, photo_not_found; 409 photo_not_analysed; 429 budget_exceeded, rate_limit_exceeded. budget_model, where not null, takes the place of any model asked for, because a budget is used up. parameters, where not null, is what an experiment adds to the provider''s request (uplift.parameters_of). Of experiments p_more has variant (the header X-Uplift-Variant of a tester: 400 invalid_variant), is_guest, and asked (which of those parameters a completions request says itself).';

create or replace function uplift.prepare_chat(p_user_id uuid, p_protocol text, p_coach_id text, p_severity numeric,
    p_mode text, p_conversation_id uuid, p_regenerate_of uuid, p_message text, p_history_tokens int,
    p_more jsonb default null)
returns table (conversation_id uuid, coach_id text, severity numeric, mode text, system_prompt text, messages text,
    user_message text, model text, trace jsonb, cached json, cache_key text, limits text, refusal jsonb, budget_model text, parameters jsonb)
language plpgsql volatile
as $$
begin
    select p.conversation_id, p.coach_id, p.severity, p.mode, p.shared_prompt || coalesce(p.personal_prompt, ''), p.messages,
        p.user_message, p.model, p.trace, p.cached, p.cache_key, p.refusal, p.budget_model, p.parameters
    into conversation_id, coach_id, severity, mode, system_prompt, messages, user_message, model, trace, cached, cache_key,
        refusal, budget_model, parameters
    from uplift.look_up_chats(array[p_user_id], array[p_protocol], array[p_coach_id], array[p_severity], array[p_mode],
        array[p_conversation_id], array[p_regenerate_of], array[p_message], array[p_history_tokens], array[p_more], '{}') p;
    perform uplift.fail((refusal ->> 'status')::int, refusal ->> 'code', refusal ->> 'message', refusal ->> 'param')
    where refusal ->> 'code' <> 'budget_exceeded';
    return next;
end
$$;

comment on function uplift.prepare_chat(uuid, text, text, numeric, text, uuid, uuid, text, int, jsonb) is
    'What one chat would be prepared to, to look at by hand: uplift_chat.prepare_chats for one call, without rate limits. Raises its refusal, unless that is a budget''s.';
