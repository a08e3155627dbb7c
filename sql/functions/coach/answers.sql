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

create or replace function uplift.record_answers(p_answers json, p_system_prompts text[] default null,
    p_user_messages text[] default null, p_ai_responses text[] default null) returns table (id uuid, outcome text)
-- By index, always: a plan that is made while a table is small stays with its session while the table grows.
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_new uuid[];
    v_all uuid[];
    v_strangers uuid[];
    v_user uuid;
begin
    -- A second time when there were users that nobody saw before: they are made when their chat is
    -- prepared, unless Postgres was away then.
    for v_try in 1 .. 2 loop
        with incoming as materialized (
            -- Look-ups as scalar queries, because a join might read a table whole to hash it.
            select x.*, coalesce(x.prompt_beside, x.system_prompt) as prompt_sent,
                coalesce(x.message_beside, x.user_message) as message, coalesce(x.response_beside, x.ai_response) as response,
                -- Asked for below, or it would not be taken.
                pg_advisory_xact_lock_shared(uplift.arrival_lock(x.id))::text as lock,
                (select u.id from auth.users u where u.id = x.user_id) is null as is_stranger,
                case when x.user_id = coalesce(
                        (select c.user_id from uplift.conversations c where c.id = x.conversation_id),
                        first_value(x.user_id) over (partition by x.conversation_id order by x.created_at, x.id))
                    then x.conversation_id else uplift.own_conversation(x.conversation_id, x.user_id) end as place,
                uplift.clamped(x.prompt_tokens, n.most) as prompt, uplift.clamped(x.completion_tokens, n.most) as completion,
                uplift.clamped(x.cached_tokens, coalesce(uplift.clamped(x.prompt_tokens, n.most), 0)) as cached,
                x.usage_estimated or coalesce(greatest(x.prompt_tokens, x.completion_tokens) > n.most, false) as is_estimated
            from (select 100000000 as most) n cross join rows from (
                unnest(p_system_prompts, p_user_messages, p_ai_responses), json_to_recordset(p_answers) as (
                id uuid, user_id uuid, coach_id text, user_message text, ai_response text, system_prompt text,
                severity numeric, mode text, conversation_id uuid, response_time_ms numeric, tokens_used numeric,
                created_at timestamptz, outcome text, error_code text, model_used text, provider text, protocol text,
                streamed boolean, finish_reason text, prompt_tokens numeric, completion_tokens numeric, cached_tokens numeric,
                usage_estimated boolean, time_to_first_token_ms numeric, attempts jsonb, request_messages jsonb,
                response_message jsonb, request_id text, regenerate_of uuid, degraded boolean, from_cache boolean,
                cache_source_id uuid, trace jsonb)) as x(prompt_beside, message_beside, response_beside)
        ), strangers as materialized (
            select array_agg(distinct i.user_id) as ids from incoming i where i.is_stranger
        ), named as materialized (
            select d.model, uplift.model_names(d.model) as names
            from (select distinct i.model_used as model from incoming i) d
        ), conversations as (
            -- In the order of ids, so that two recorders cannot wait for each other.
            insert into uplift.conversations as c (id, user_id, coach_id, title, created_at, updated_at)
            select distinct on (i.place) i.place, i.user_id, i.coach_id,
                translate(left(i.message, 80), e'\n\r\t', '   '),
                coalesce(i.created_at, now()), coalesce(max(i.created_at) over (partition by i.place), now())
            from incoming i, strangers s
            where i.place is not null and s.ids is null
            order by i.place, i.created_at, i.id
            on conflict (id) do update set
                updated_at = greatest(c.updated_at, excluded.updated_at),
                coach_id = coalesce(excluded.coach_id, c.coach_id)
        ), answers as (
            insert into public.coach_response_feedback (id, user_id, coach_id, user_message, ai_response, system_prompt,
                severity, mode, conversation_id, response_time_ms, tokens_used, created_at, outcome, error_code,
                model_used, provider, protocol, streamed, finish_reason, prompt_tokens, completion_tokens,
                cached_tokens, usage_estimated, cost_usd, saved_usd, time_to_first_token_ms, attempts, request_messages,
                answers_tools, response_message, request_id, regenerate_of, history_turns, degraded, from_cache,
                cache_source_id, exposures, memory_ids, source_ids, example_ids)
            select i.id, i.user_id, i.coach_id, i.message, i.response, i.prompt_sent,
                i.severity, i.mode, i.place, uplift.clamped(i.response_time_ms, 2147483647),
                coalesce(i.prompt + i.completion, uplift.clamped(i.tokens_used, 200000000)), coalesce(i.created_at, now()),
                coalesce(i.outcome, 'complete'), i.error_code,
                i.model_used, i.provider, i.protocol, i.streamed, i.finish_reason, i.prompt, i.completion,
                i.cached, i.is_estimated,
                case when i.from_cache then 0 else round((
                    (i.prompt - coalesce(i.cached, 0)) * m.input_per_million
                    + coalesce(i.cached, 0) * coalesce(m.cached_input_per_million, m.input_per_million)
                    + i.completion * m.output_per_million) / 1000000, 8) end,
                case when i.from_cache then (
                    select s.cost_usd from public.coach_response_feedback s where s.id = i.cache_source_id) end,
                uplift.clamped(i.time_to_first_token_ms, 2147483647), i.attempts, i.request_messages,
                i.request_messages #>> '{messages,-1,role}' in ('tool', 'function'),
                i.response_message, i.request_id, i.regenerate_of, uplift.clamped((i.trace ->> 'history_turns')::numeric, 50),
                i.degraded, i.from_cache,
                -- Users read their rows, and no ids of others in them.
                case when (select s.user_id from public.coach_response_feedback s where s.id = i.cache_source_id) = i.user_id
                    then i.cache_source_id end,
                case when i.trace -> 'exposures' <> '[]' then nullif(i.trace -> 'exposures', 'null') end,
                uplift.ids_in(nullif(i.trace -> 'memory_ids', '[]')),
                uplift.ids_in(nullif(i.trace -> 'source_ids', '[]')),
                uplift.ids_in(nullif(i.trace -> 'example_ids', '[]'))
            from incoming i
            cross join strangers s
            left join named on named.model = i.model_used
            left join lateral (
                -- As uplift.price_of() has it, by names that are looked for once for each model.
                select mp.* from unnest(named.names) with ordinality as n(name, place)
                join uplift.model_prices mp on mp.model = n.name
                where mp.provider in ('', i.provider)
                    and mp.valid_from <= coalesce(i.created_at, now()) and coalesce(i.created_at, now()) < mp.valid_until
                order by n.place, mp.provider desc limit 1) m on true
            where s.ids is null and i.lock is not null
            on conflict (id) do nothing
            returning id, cache_source_id, saved_usd, created_at, from_cache
        ), given_again as (
            select a.id, i.cache_source_id as source_id, a.cache_source_id is not null as is_own, a.saved_usd, a.created_at
            from answers a join incoming i on i.id = a.id
            where a.from_cache and i.cache_source_id is not null
        ), hits as (
            insert into uplift.cache_hits (source_answer_id, hits, saved_usd, last_hit_at)
            select g.source_id, count(*), sum(g.saved_usd), max(g.created_at) from given_again g group by g.source_id
        ), sources as (
            insert into uplift.cache_sources (answer_id, source_answer_id)
            select g.id, g.source_id from given_again g where not g.is_own
        )
        select (select array_agg(a.id) from answers a), (select array_agg(i.id) from incoming i), s.ids
        into v_new, v_all, v_strangers
        from strangers s;
        exit when v_strangers is null;
        foreach v_user in array v_strangers loop
            perform uplift.see_user(v_user);
        end loop;
    end loop;

    -- Before the feedback that waited: it may withdraw what is stored here.
    perform uplift.cache_answers(p_answers, v_new);
    perform uplift.spend_budgets(v_new);
    perform uplift.note_late(v_new);
    perform uplift.note_errors(p_answers, v_new);
    perform uplift.apply_waiting_feedback(v_new);

    return query select a.id, case when a.id = any (v_new) then 'recorded' else 'duplicate' end
    from unnest(v_all) as a(id);
end
$$;

comment on function uplift.record_answers(json, text[], text[], text[]) is
    'Records a group of answers, an array of objects whose keys are columns of coach_response_feedback, and trace as uplift.prepare_chats() gave it. The long texts may come beside it, as they are: an array each of them, in the order of the answers, where null is what the object says. An id that is there already stays as it is (duplicate). Makes or touches conversations (another user''s id is replaced by a fresh one), clamps what cannot be (more than 100 million tokens, less than nothing), works out cost_usd in US dollars from uplift.model_prices, counts it against budgets, notes what failed (uplift.note_errors), stores what has a cache_key in the cache (uplift.cache_answers) and notes what came from it, makes users on first sight, applies feedback that came before its answer. One bad row fails the call: record rows one by one then, and give the bad one to uplift.reject_answer().';

create or replace function uplift.reject_answer(p_answer text, p_reason text) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
    -- A loader that died half-way brings the same answer again.
    insert into uplift.rejected_answers (answer, reason)
    select p_answer, p_reason
    where not exists (select from uplift.rejected_answers r where r.answer = p_answer and r.replayed_at is null)
$$;

comment on function uplift.reject_answer(text, text) is
    'Keeps an answer that could not be recorded, whole, with the reason; one already kept is not kept twice.';

-- By the last ids, so that it reads no more of a long list.
create or replace function uplift.rejected_lately() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select count(*) from (
        select r.rejected_at, r.replayed_at from uplift.rejected_answers r order by r.id desc limit 1000) r
    where r.replayed_at is null and r.rejected_at > now() - interval '5 minutes'
$$;

comment on function uplift.rejected_lately() is
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
            perform uplift.record_answers(('[' || v_rejected.answer || ']')::json);
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
