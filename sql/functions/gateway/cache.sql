-- The response cache: the same question under the same circumstances gets the answer it got before.
--
-- An entry of ai_response_cache has the key and the id of an answer; the text stays in that answer's
-- row. uplift_chat.prepare_chats() looks up, uplift_chat.record_chats() stores and notes hits, and feedback
-- withdraws. A withdrawn entry keeps its key, and so keeps the question out of the cache.

create or replace function uplift.normal_message(p_message text) returns text
language plpgsql immutable parallel safe strict
as $$
begin
    -- Most texts are ASCII and need no normal form; NFC exists in UTF-8 only.
    if octet_length(p_message) <> char_length(p_message) and getdatabaseencoding() = 'UTF8' then
        p_message := normalize(p_message, nfc);
    end if;
    p_message := btrim(p_message, e' \t\r\n\f\u000b\u00a0');
    -- In a text of several lines, spaces may be code or a table.
    if p_message ~ e'[\n\r]' then
        return replace(p_message, e'\r\n', e'\n');
    elsif p_message ~ '\s\s|\t' then
        return regexp_replace(p_message, '\s+', ' ', 'g');
    end if;
    return p_message;
end
$$;

comment on function uplift.normal_message(text) is
    'A message as the cache compares it: Unicode''s NFC, no white space at its ends, and in a message of one line one space for each run of it.';

create or replace function uplift.cache_key(p_user_id uuid, p_protocol text, p_model text, p_parameters text,
    p_system_prompt text, p_history text, p_message text) returns text
language plpgsql immutable parallel safe
as $$
begin
    -- In PL/pgSQL, which keeps its plan: SQL functions that cannot be inlined are planned in each query.
    -- Lengths first, so that no two sets of parts make the same text.
    return encode(sha256(convert_to(
        concat_ws(' ', coalesce(p_user_id::text, 'everybody'), p_protocol, length(p_model), length(p_parameters),
            length(p_system_prompt), length(p_history))
        || e'\n' || coalesce(p_model, '') || coalesce(p_parameters, '') || coalesce(p_system_prompt, '-')
        || coalesce(p_history, '') || uplift.normal_message(p_message), 'UTF8')), 'hex');
end
$$;

comment on function uplift.cache_key(uuid, text, text, text, text, text, text) is
    'sha256, in hex, of everything that shapes an answer; p_user_id null where the prompt holds nothing personal, so that all users share the entry.';

create or replace function uplift.find_cached(p_key text, p_max_age_s int) returns json
language plpgsql stable
as $$
declare
    v_source_id uuid;
    v_found json;
begin
    -- Step by step, because mostly the first one ends it.
    select c.source_answer_id into v_source_id
    from public.ai_response_cache c
    where c.cache_key = p_key and c.is_active and c.expires_at > now()
        and c.created_at > now() - p_max_age_s * interval '1 second';
    if v_source_id is null then
        return null;
    end if;
    -- The answers of a conversation that its user deleted are given to nobody again.
    select json_build_object('source_answer_id', a.id, 'text', a.ai_response, 'model_used', a.model_used,
        'provider', a.provider, 'finish_reason', a.finish_reason, 'prompt_tokens', coalesce(a.prompt_tokens, 0),
        'completion_tokens', coalesce(a.completion_tokens, 0), 'cached_tokens', coalesce(a.cached_tokens, 0),
        'response_message', a.response_message)
    into v_found
    from public.coach_response_feedback a
    where a.id = v_source_id
        and (select v.deleted_at from uplift.conversations v where v.id = a.conversation_id) is null;
    return v_found;
end
$$;

comment on function uplift.find_cached(text, int) is
    'The answer in the cache under a key, no older than so many seconds; null for none.';

create or replace function uplift.cache_answers(p_ids uuid[], p_more jsonb[], p_new uuid[]) returns void
language plpgsql
as $$
begin
    insert into public.ai_response_cache as c (cache_key, coach_id, severity, mode, model_used, source_answer_id,
        created_at, expires_at, is_active, hit_count, cost_saved_usd)
    select distinct on (x.cache_key) x.cache_key, a.coach_id, a.severity, a.mode, a.model_used, a.id,
        a.created_at, a.created_at + x.cache_ttl_s * interval '1 second', true, 0, 0
    from (
        select i.id, i.more ->> 'cache_key' as cache_key, (i.more ->> 'cache_ttl_s')::int as cache_ttl_s
        from unnest(p_ids, p_more) as i(id, more)) x
    -- By the key, one by one: a plan that was made while the table was small might read it whole.
    cross join lateral (select * from public.coach_response_feedback f where f.id = x.id limit 1) a
    where x.id = any (p_new) and x.cache_key is not null and a.created_at + x.cache_ttl_s * interval '1 second' > now()
        and a.outcome = 'complete' and a.finish_reason = 'stop' and a.error_code is null and a.ai_response <> ''
        and a.from_cache is not true and a.degraded is not true
        and coalesce(not a.response_message ?| '{tool_calls,function_call,audio,refusal}', true)
    order by x.cache_key, a.created_at desc -- in the order of keys, so that two recorders cannot wait for each other
    on conflict (cache_key) do update set
        source_answer_id = excluded.source_answer_id, created_at = excluded.created_at,
        expires_at = excluded.expires_at, model_used = excluded.model_used
    where c.is_active and (c.source_answer_id is null or c.created_at < excluded.created_at);
end
$$;

comment on function uplift.cache_answers(uuid[], jsonb[], uuid[]) is
    'What the cache makes of answers that were just recorded, given as to uplift_chat.record_chats(), p_new those that were not there before: stores those with cache_key and cache_ttl_s that are whole and plain, unless feedback withdrew what was there.';

create or replace function uplift.note_cache_hits(p_ids uuid[], p_more jsonb[], p_new uuid[]) returns void
language plpgsql
as $$
begin
    with given_again as materialized (
        select a.id, (i.more ->> 'cache_source_id')::uuid as source_id, a.cache_source_id is not null as is_own, a.saved_usd, a.created_at
        from unnest(p_ids, p_more) as i(id, more)
        cross join lateral (
            select f.id, f.cache_source_id, f.saved_usd, f.created_at from public.coach_response_feedback f
            where f.id = i.id and (i.more ->> 'from_cache')::boolean limit 1) a
        where i.id = any (p_new) and i.more ->> 'cache_source_id' is not null
    ), hits as (
        insert into uplift.cache_hits (source_answer_id, hits, saved_usd, last_hit_at)
        select g.source_id, count(*), sum(g.saved_usd), max(g.created_at) from given_again g group by g.source_id
    )
    insert into uplift.cache_sources (answer_id, source_answer_id)
    select g.id, g.source_id from given_again g where not g.is_own;
end
$$;

comment on function uplift.note_cache_hits(uuid[], jsonb[], uuid[]) is
    'Notes which of the answers that were just recorded came from the cache, and from which answer; parameters as of uplift.cache_answers.';

-- Feedback obeyed in its own transaction.

create or replace function uplift.cache_obeys() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_source uuid := coalesce(new.cache_source_id,
        (select s.source_answer_id from uplift.cache_sources s where s.answer_id = new.id), new.id);
    v_cache_id uuid;
begin
    select c.id into v_cache_id from public.ai_response_cache c where c.source_answer_id = v_source for no key update;
    if not found then
        return null;
    end if;
    if uplift.is_disliked(new.helpful, new.rating) then
        insert into uplift.cache_dislikes (source_answer_id, answer_id) values (v_source, new.id)
        on conflict do nothing;
    else
        delete from uplift.cache_dislikes d where d.source_answer_id = v_source and d.answer_id = new.id;
    end if;
    update public.ai_response_cache c set is_active = s.stays
    from (select not exists (select from uplift.cache_dislikes d where d.source_answer_id = v_source) as stays) s
    where c.id = v_cache_id and c.is_active is distinct from s.stays;
    return null;
end
$$;

comment on function uplift.cache_obeys() is
    'Trigger of coach_response_feedback: a thumb down or two stars or fewer, on an answer or on one given again from it, withdraws the answer from the cache and keeps its question out; taken back, it comes in again.';

-- Only when it is missing, because making it waits for everyone who writes answers. Its condition
-- is uplift.is_disliked() written out: it runs as the user, who may call no function of ours.
do $$
begin
    if not exists (select from pg_trigger
            where tgrelid = 'public.coach_response_feedback'::regclass and tgname = 'uplift_cache_obeys') then
        create trigger uplift_cache_obeys after update on public.coach_response_feedback
        for each row when ((old.helpful is false or coalesce(old.rating <= 2, false))
            is distinct from (new.helpful is false or coalesce(new.rating <= 2, false)))
        execute function uplift.cache_obeys();
    end if;
end
$$;

-- What the job does.

create or replace function uplift.count_cache_hits(out hits bigint, out failed bigint)
language plpgsql
as $$
declare
    v_sources uuid[];
begin
    -- An entry that has another source by now had none of these hits.
    select array_agg(distinct h.source_answer_id), coalesce(sum(h.hits) filter (where exists (
            select from public.ai_response_cache k where k.source_answer_id = h.source_answer_id)), 0)
    into v_sources, hits from uplift.cache_hits h;
    select r.failed into failed from uplift.do_rows($s$
        with counted as (
            delete from uplift.cache_hits h where h.source_answer_id = any ($1)
            returning h.source_answer_id, h.hits, h.saved_usd, h.last_hit_at
        ), sources as (
            select n.source_answer_id, sum(n.hits) as hits, sum(n.saved_usd) as saved_usd, max(n.last_hit_at) as last_hit_at
            from counted n group by n.source_answer_id
        )
        update public.ai_response_cache c set hit_count = least(coalesce(c.hit_count, 0) + e.hits, 2147483647),
            cost_saved_usd = coalesce(c.cost_saved_usd, 0) + coalesce(e.saved_usd, 0),
            last_hit_at = greatest(c.last_hit_at, e.last_hit_at)
        from (
            -- In the order of keys, as uplift.cache_answers() locks them.
            select k.id, s.hits, s.saved_usd, s.last_hit_at
            from sources s join public.ai_response_cache k on k.source_answer_id = s.source_answer_id
            order by k.cache_key for no key update of k) e
        where c.id = e.id$s$, v_sources) r;
    if failed > 0 then
        hits := hits - (select coalesce(sum(h.hits), 0) from uplift.cache_hits h where h.source_answer_id = any (v_sources));
    end if;
end
$$;

comment on function uplift.count_cache_hits() is
    'Adds the hits since the last time to the counts of ai_response_cache; how many, and of how many answers they could not be counted and stay.';

create or replace function uplift_batch.trim_cache(p_max_entries int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_counted record;
    v_blocked_for interval := make_interval(hours => 24 * uplift.setting_number('cache.block_days', 90)::int);
    v_expired record;
    v_least record;
    v_entries bigint;
begin
    select h.* into v_counted from uplift.count_cache_hits() h;
    -- A deployment's own rows have no source, and are left alone.
    select r.* into v_expired from uplift.do_rows('delete from public.ai_response_cache c where c.id = any ($1)', array(
        select c.id from public.ai_response_cache c
        where c.source_answer_id is not null
            and (case when c.is_active then c.expires_at <= now() else c.created_at + v_blocked_for <= now() end
                or not exists (select from public.coach_response_feedback a where a.id = c.source_answer_id)))) r;
    select count(*) into v_entries from public.ai_response_cache c where c.source_answer_id is not null;
    -- Withdrawn ones go last: without them the answers that nobody liked would come back. Then hits a
    -- day, with one day more, so that a new one is not judged by its first minutes.
    select r.* into v_least from uplift.do_rows('delete from public.ai_response_cache c where c.id = any ($1)', array(
        select k.id from public.ai_response_cache k where k.source_answer_id is not null
        order by k.is_active desc,
            k.hit_count / (extract(epoch from greatest(now() - k.created_at, interval '0')) / 86400 + 1), k.created_at
        limit greatest(v_entries - p_max_entries, 0))) r;
    delete from uplift.cache_sources s
    where not exists (select from public.ai_response_cache c where c.source_answer_id = s.source_answer_id);
    delete from uplift.cache_dislikes d
    where not exists (select from public.ai_response_cache c where c.source_answer_id = d.source_answer_id);
    return jsonb_build_object('hits_counted', v_counted.hits, 'expired', v_expired.done, 'least_useful', v_least.done,
        'entries', v_entries - v_least.done, 'failed', v_counted.failed + v_expired.failed + v_least.failed);
end
$$;

comment on function uplift_batch.trim_cache(int) is
    'Counts hits, then takes out of ai_response_cache what has expired, was withdrawn longer than the setting cache.block_days ago or has lost its answer, and, beyond p_max_entries, what is least useful: fewest hits a day first. What came of it, in an object; failed: rows that could not be changed, and were left as they are.';
