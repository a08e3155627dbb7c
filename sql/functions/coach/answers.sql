-- Recording answers: a group in one call, all or nothing.

-- The conversation of a user who named another user's.
create or replace function uplift.own_conversation(p_conversation_id uuid, p_user_id uuid) returns uuid
language sql immutable parallel safe
as $$ select md5(p_conversation_id::text || p_user_id::text)::uuid $$;

comment on function uplift.own_conversation(uuid, uuid) is
    'A fresh conversation id for a user in place of one that is another user''s; always the same one.';

-- In PL/pgSQL, which keeps its plan: SQL functions that cannot be inlined are planned in each query.
create or replace function uplift.ids_in(p_ids jsonb) returns uuid[]
language plpgsql immutable parallel safe strict
as $$
begin
    if jsonb_typeof(p_ids) = 'array' then
        return nullif(array(select v::uuid from jsonb_array_elements_text(p_ids) v), '{}');
    end if;
    return null;
end
$$;

comment on function uplift.ids_in(jsonb) is 'A JSON array of ids as an SQL one; null for none.';

create or replace function uplift.title_of(p_message text) returns text
language sql immutable parallel safe
as $$ select translate(left(p_message, 80), e'\n\r\t', '   ') $$;

comment on function uplift.title_of(text) is 'What a conversation that begins with a message is called.';

-- The conversations of answers, made or touched; and where each answer stands: another user's
-- conversation is replaced by a fresh one.
create or replace function uplift.touch_conversations(p_ids uuid[], p_user_ids uuid[], p_conversation_ids uuid[],
    p_created_at timestamptz[], p_coach_ids text[], p_user_messages text[]) returns uuid[]
language plpgsql volatile
as $$
declare
    v_places uuid[] := p_conversation_ids;
    v_count int;
    v_are_own boolean;
begin
    -- Mostly each is of another conversation, and those are the users' own.
    if (select count(distinct i) from unnest(p_conversation_ids) i) = cardinality(p_conversation_ids) then
        insert into uplift.conversations as c (id, user_id, coach_id, title, created_at, updated_at)
        -- In the order of ids, so that two recorders cannot wait for each other.
        select i.place, i.user_id, i.coach_id, uplift.title_of(i.message), i.created_at, i.created_at
        from unnest(p_conversation_ids, p_user_ids, p_coach_ids, p_user_messages, p_created_at) as i(place, user_id, coach_id, message, created_at)
        order by i.place
        on conflict (id) do update set
            updated_at = greatest(c.updated_at, excluded.updated_at),
            coach_id = coalesce(excluded.coach_id, c.coach_id)
        where c.user_id = excluded.user_id;
        get diagnostics v_count = row_count;
        if v_count = cardinality(p_conversation_ids) then
            return p_conversation_ids;
        end if;
    end if;
    for v_try in 1 .. 2 loop
        with proposed as materialized (
            select distinct on (i.place, i.user_id) i.place, i.user_id, i.coach_id,
                uplift.title_of(i.message) as title, i.created_at,
                max(i.created_at) over (partition by i.place, i.user_id) as updated_at
            from unnest(v_places, p_user_ids, p_coach_ids, p_user_messages, p_created_at, p_ids)
                as i(place, user_id, coach_id, message, created_at, id)
            where i.place is not null
            order by i.place, i.user_id, i.created_at, i.id
        ), touched as (
            insert into uplift.conversations as c (id, user_id, coach_id, title, created_at, updated_at)
            -- One row each, whoever else came at the same time.
            select distinct on (p.place) p.* from proposed p order by p.place, p.created_at
            on conflict (id) do update set
                updated_at = greatest(c.updated_at, excluded.updated_at),
                coach_id = coalesce(excluded.coach_id, c.coach_id)
            where c.user_id = excluded.user_id
            returning c.id
        )
        select (select count(*) from proposed) = (select count(*) from touched) into v_are_own;
        exit when v_are_own;
        select array_agg(case when c.user_id <> i.user_id then uplift.own_conversation(i.place, i.user_id) else i.place end order by i.n)
        into v_places
        from unnest(p_conversation_ids, p_user_ids) with ordinality as i(place, user_id, n)
        left join uplift.conversations c on c.id = i.place;
    end loop;
    return v_places;
end
$$;

comment on function uplift.touch_conversations(uuid[], uuid[], uuid[], timestamptz[], text[], text[]) is
    'Makes or touches the conversations of answers, given as to uplift_chat.record_chats(), and returns which conversation each of them is of.';

create or replace function uplift_chat.record_chats(p_ids uuid[], p_user_ids uuid[], p_conversation_ids uuid[], p_created_at timestamptz[],
    p_coach_ids text[], p_severities numeric[], p_modes text[], p_prompt_ids uuid[], p_personal_prompts text[],
    p_user_messages text[], p_ai_responses text[], p_outcomes text[], p_models text[], p_providers text[], p_protocols text[],
    p_streamed boolean[], p_finish_reasons text[], p_prompt_tokens bigint[], p_completion_tokens bigint[], p_cached_tokens bigint[],
    p_usage_estimated boolean[], p_first_token_ms bigint[], p_response_time_ms bigint[], p_attempts jsonb[], p_request_ids text[],
    p_traces jsonb[], p_more jsonb[], p_shared_prompts text[]) returns uuid[]
-- By index, always: a plan that is made while a table is small stays with its session while the table grows.
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
    v_has_more boolean := cardinality(array_remove(p_more, null)) > 0;
    v_has_whole_prompts boolean := (select s.value = 'true' from uplift.settings s where s.key = 'answers.whole_prompts');
    v_erased int;
    v_user uuid;
    v_places uuid[];
    v_new uuid[];
begin
    if cardinality(p_shared_prompts) > 0 then
        insert into uplift.system_prompts (id, prompt, version_id)
        select uplift.prompt_id(p), p, uplift.note_prompt_version(p) from unnest(p_shared_prompts) p order by 1
        on conflict (id) do nothing;
    end if;
    if (select count(*) from uplift.system_prompts s where s.id = any (p_prompt_ids))
            < (select count(distinct i) from unnest(p_prompt_ids) i) then
        raise exception 'a shared prompt is not there, and has to come along' using errcode = 'UX001';
    end if;
    -- An erasure waits for those who record, and what is from before one is not recorded.
    perform pg_advisory_xact_lock_shared(uplift.erasure_lock(u.id)) from (select distinct i.id from unnest(p_user_ids) i(id)) u;
    if exists (select from uplift.erasures) then
        v_erased := (select count(*) from unnest(p_user_ids, p_created_at) i(id, at) where uplift.is_erased(i.id, i.at));
        if v_erased = cardinality(p_ids) then
            return array[]::uuid[];
        elsif v_erased > 0 then
            perform uplift.fail(410, 'erased', 'some of these answers are of a user who had everything erased since');
        end if;
        -- Whoever goes on chatting may have been prepared for in the moment of the erasure, and is made anew.
        perform uplift.see_user(u.id) from (select distinct i.id from unnest(p_user_ids) i(id)) u
        where exists (select from uplift.erasures e where e.user_hash = uplift.user_hash(u.id));
    end if;
    if v_has_more then
        -- Users are made when their chat is prepared, unless Postgres was away then.
        for v_user in
            select distinct i.id from unnest(p_user_ids) i(id)
            where (select u.id from auth.users u where u.id = i.id) is null
        loop
            perform uplift.see_user(v_user);
        end loop;
    end if;
    v_places := uplift.touch_conversations(p_ids, p_user_ids, p_conversation_ids, p_created_at, p_coach_ids, p_user_messages);
    perform pg_advisory_xact_lock_shared(uplift.arrival_lock(i)) from unnest(p_ids) i;

    with prices as materialized (
        -- As uplift.price_of() has it, with names that are looked for once for each model.
        select m.model as asked, m.provider as at, p.provider, p.valid_from, p.valid_until, p.input_per_million,
            coalesce(p.cached_input_per_million, p.input_per_million) as cached_per_million, p.output_per_million, n.place
        from (
            select d.*, uplift.model_names(d.model) as names
            from (select distinct i.model, i.provider from unnest(p_models, p_providers) i(model, provider)) d offset 0) m
        cross join lateral unnest(m.names) with ordinality as n(name, place)
        join uplift.model_prices p on p.model = n.name and p.provider in ('', m.provider)
    ), answers as (
        insert into public.coach_response_feedback (id, user_id, coach_id, user_message, ai_response, system_prompt,
            system_prompt_id, personal_prompt, severity, mode, conversation_id, response_time_ms, tokens_used, created_at,
            outcome, error_code, model_used, provider, protocol, streamed, finish_reason, prompt_tokens, completion_tokens,
            cached_tokens, usage_estimated, cost_usd, saved_usd, time_to_first_token_ms, attempts, request_messages,
            answers_tools, response_message, request_id, regenerate_of, history_turns, degraded, from_cache,
            cache_source_id, exposures, memory_ids, source_ids, example_ids, passage_ids, photo_id, citations, withheld)
        select i.id, i.user_id, i.coach_id, i.message, i.response,
            coalesce(i.more ->> 'system_prompt', case when v_has_whole_prompts then (
                select s.prompt from uplift.system_prompts s where s.id = i.prompt_id) || coalesce(i.personal_prompt, '') end),
            i.prompt_id, i.personal_prompt, i.severity, i.mode, i.place, uplift.at_most(i.response_time_ms, 2147483647),
            coalesce(t.prompt + t.completion, uplift.at_most((i.more ->> 'tokens_used')::bigint, 200000000)), i.created_at,
            i.outcome, i.more ->> 'error_code', i.model, i.provider, i.protocol, i.streamed, i.finish_reason,
            t.prompt, t.completion, t.cached,
            i.usage_estimated or coalesce(greatest(i.prompt_tokens, i.completion_tokens) > 100000000, false),
            case when (i.more ->> 'from_cache')::boolean then 0 else round((
                (t.prompt - coalesce(t.cached, 0)) * m.input_per_million + coalesce(t.cached, 0) * m.cached_per_million
                + t.completion * m.output_per_million) / 1000000, 8) end,
            source.cost_usd, uplift.at_most(i.first_token_ms, 2147483647), i.attempts, nullif(i.more -> 'request_messages', 'null'),
            i.more #>> '{request_messages,messages,-1,role}' in ('tool', 'function'),
            nullif(i.more -> 'response_message', 'null'), i.request_id, (i.more ->> 'regenerate_of')::uuid,
            uplift.clamped((i.trace ->> 'history_turns')::numeric, 50), coalesce((i.more ->> 'degraded')::boolean, false),
            (i.more ->> 'from_cache')::boolean,
            -- Users read their rows, and no ids of others in them.
            case when source.user_id = i.user_id then (i.more ->> 'cache_source_id')::uuid end,
            nullif(nullif(i.trace -> 'exposures', '[]'), 'null'), uplift.ids_in(i.trace -> 'memory_ids'),
            uplift.ids_in(i.trace -> 'source_ids'), uplift.ids_in(i.trace -> 'example_ids'),
            uplift.ids_in(i.trace -> 'passage_ids'), (i.trace ->> 'photo_id')::uuid, nullif(i.trace -> 'citations', 'null'),
            case when i.trace -> 'withheld' <> 'null' then array(select jsonb_array_elements_text(i.trace -> 'withheld')) end
        from unnest(p_ids, p_user_ids, v_places, p_created_at, p_coach_ids, p_severities, p_modes, p_prompt_ids,
            p_personal_prompts, p_user_messages, p_ai_responses, p_outcomes, p_models, p_providers, p_protocols, p_streamed,
            p_finish_reasons, p_prompt_tokens, p_completion_tokens, p_cached_tokens, p_usage_estimated, p_first_token_ms,
            p_response_time_ms, p_attempts, p_request_ids, p_traces, p_more) as i(id, user_id, place, created_at, coach_id, severity, mode,
            prompt_id, personal_prompt, message, response, outcome, model, provider, protocol, streamed, finish_reason,
            prompt_tokens, completion_tokens, cached_tokens, usage_estimated, first_token_ms, response_time_ms, attempts,
            request_id, trace, more)
        -- What was counted elsewhere is believed as far as it can be.
        cross join lateral (
            select uplift.at_most(i.prompt_tokens, 100000000) as prompt, uplift.at_most(i.completion_tokens, 100000000) as completion,
                uplift.at_most(i.cached_tokens, coalesce(uplift.at_most(i.prompt_tokens, 100000000), 0)) as cached) t
        left join lateral (
            select p.* from prices p
            where p.asked = i.model and p.at is not distinct from i.provider
                and p.valid_from <= i.created_at and i.created_at < p.valid_until
            order by p.place, p.provider desc limit 1) m on true
        left join lateral (
            select s.user_id, s.cost_usd from public.coach_response_feedback s
            where s.id = (i.more ->> 'cache_source_id')::uuid and (i.more ->> 'from_cache')::boolean limit 1) source on true
        on conflict (id) do nothing
        returning id
    )
    select array_agg(a.id) into v_new from answers a;

    -- Before the feedback that waited: it may withdraw what is stored here.
    if v_has_more then
        perform uplift.note_cache_hits(p_ids, p_more, v_new);
        perform uplift.cache_answers(p_ids, p_more, v_new);
        perform uplift.note_errors(v_new);
    end if;
    perform uplift.spend_budgets(v_new);
    if exists (select from unnest(p_traces) t where t ? 'exposures') then
        perform uplift.note_exposures(v_new);
    end if;
    perform uplift.note_late(v_new);
    perform uplift.apply_waiting_feedback(v_new);
    return v_new;
end
$$;

comment on function uplift_chat.record_chats(uuid[], uuid[], uuid[], timestamptz[], text[], numeric[], text[], uuid[], text[], text[], text[],
    text[], text[], text[], text[], boolean[], text[], bigint[], bigint[], bigint[], boolean[], bigint[], bigint[], jsonb[], text[], jsonb[],
    jsonb[], text[]) is
    'Records a group of answers: arrays side by side, an element for each, named after columns of coach_response_feedback. p_prompt_ids: uplift.prompt_id() of the shared parts of their prompts; those that are not in uplift.system_prompts yet have to come in p_shared_prompts, in any order (SQLSTATE UX001). p_traces: what shaped them, as uplift_chat.prepare_chats() gave it. p_more is what most answers do without, null for those; keys, each of which may be left out: error_code, request_messages, response_message, regenerate_of, degraded, from_cache, cache_source_id, cache_key, cache_ttl_s, tries (more than one call of a provider), system_prompt (where it is not known which part is shared), tokens_used. An id that is there already stays as it is; returned are those that were not. Numbers are not less than nothing. Makes or touches conversations (another user''s id is replaced by a fresh one), clamps what cannot be (more than 100 million tokens), works out cost_usd in US dollars from uplift.model_prices, counts it against budgets, notes what failed (uplift.note_errors) and who was exposed to experiments (uplift.note_exposures), stores what has a cache_key in the cache (uplift.cache_answers) and notes what came from it, makes users on first sight of those with p_more, applies feedback that came before its answer. Answers from before their user had everything erased (uplift.erase_user) are taken and not recorded; where others are among them, the call fails with UP410 erased. One bad row fails the call: record rows one by one then, and give the bad one to uplift_chat.reject_answer().';

create or replace function uplift_chat.record_answers(p_answers json) returns table (id uuid, outcome text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
    v_all uuid[];
    v_new uuid[];
begin
    select array_agg(x.id), uplift_chat.record_chats(array_agg(x.id), array_agg(x.user_id), array_agg(x.conversation_id),
        array_agg(coalesce(x.created_at, now())), array_agg(x.coach_id), array_agg(x.severity), array_agg(x.mode),
        array_agg(uplift.prompt_id(x.shared_prompt)), array_agg(x.personal_prompt), array_agg(x.user_message),
        array_agg(x.ai_response), array_agg(coalesce(x.outcome, 'complete')), array_agg(x.model_used), array_agg(x.provider),
        array_agg(x.protocol), array_agg(x.streamed), array_agg(x.finish_reason), array_agg(uplift.counted(x.prompt_tokens)),
        array_agg(uplift.counted(x.completion_tokens)), array_agg(uplift.counted(x.cached_tokens)),
        array_agg(x.usage_estimated), array_agg(uplift.counted(x.time_to_first_token_ms)),
        array_agg(uplift.counted(x.response_time_ms)), array_agg(x.attempts), array_agg(x.request_id), array_agg(x.trace),
        array_agg(jsonb_build_object('error_code', x.error_code, 'request_messages', x.request_messages,
            'response_message', x.response_message, 'regenerate_of', x.regenerate_of, 'degraded', x.degraded,
            'from_cache', x.from_cache, 'cache_source_id', x.cache_source_id, 'cache_key', x.cache_key,
            'cache_ttl_s', x.cache_ttl_s, 'system_prompt', x.system_prompt,
            'tokens_used', uplift.counted(x.tokens_used))),
        array_agg(distinct x.shared_prompt) filter (where x.shared_prompt is not null))
    into v_all, v_new
    from json_to_recordset(p_answers) as x(
        id uuid, user_id uuid, coach_id text, user_message text, ai_response text, system_prompt text, shared_prompt text,
        personal_prompt text, severity numeric, mode text, conversation_id uuid, response_time_ms numeric, tokens_used numeric,
        created_at timestamptz, outcome text, error_code text, model_used text, provider text, protocol text,
        streamed boolean, finish_reason text, prompt_tokens numeric, completion_tokens numeric, cached_tokens numeric,
        usage_estimated boolean, time_to_first_token_ms numeric, attempts jsonb, request_messages jsonb,
        response_message jsonb, request_id text, regenerate_of uuid, degraded boolean, from_cache boolean,
        cache_source_id uuid, cache_key text, cache_ttl_s int, trace jsonb);
    return query select a.id, case when a.id = any (v_new) then 'recorded' else 'duplicate' end from unnest(v_all) as a(id);
end
$$;

comment on function uplift_chat.record_answers(json) is
    'uplift_chat.record_chats for answers as a spool has them: an array of objects whose keys are columns of coach_response_feedback, the keys of p_more there, and shared_prompt and personal_prompt. What is less than nothing is nothing.';

create or replace function uplift_chat.reject_answer(p_answer text, p_reason text) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
    -- A loader that died half-way brings the same answer again.
    insert into uplift.rejected_answers (answer, reason)
    select p_answer, p_reason
    where not exists (select from uplift.rejected_answers r where r.answer = p_answer and r.replayed_at is null)
$$;

comment on function uplift_chat.reject_answer(text, text) is
    'Keeps an answer that could not be recorded, whole, with the reason; one already kept is not kept twice.';

-- By the last ids, so that it reads no more of a long list.
create or replace function uplift_chat.rejected_lately() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select count(*) from (
        select r.rejected_at, r.replayed_at from uplift.rejected_answers r order by r.id desc limit 1000) r
    where r.replayed_at is null and r.rejected_at > now() - interval '5 minutes'
$$;

comment on function uplift_chat.rejected_lately() is
    'How many answers were rejected in the last five minutes and not recorded since, at most 1000: while there are any, fcgi-chat is degraded.';

create or replace function uplift.replay_rejected_answers() returns table (id bigint, replayed boolean, reason text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_rejected record;
begin
    for v_rejected in
        select r.id, r.answer, r.reason from uplift.rejected_answers r where r.replayed_at is null
        order by r.id for update skip locked
    loop
        id := v_rejected.id;
        begin
            perform uplift_chat.record_answers(('[' || v_rejected.answer || ']')::json);
            update uplift.rejected_answers r set replayed_at = now() where r.id = v_rejected.id;
            replayed := true;
            reason := v_rejected.reason;
        exception when others then
            replayed := false;
            reason := sqlerrm;
            update uplift.rejected_answers r set reason = sqlerrm where r.id = v_rejected.id;
        end;
        return next;
    end loop;
end
$$;

comment on function uplift.replay_rejected_answers() is
    'For admins, once the cause is mended: tries to record each rejected answer again, one row each with how it went. What fails stays, with its new reason.';
