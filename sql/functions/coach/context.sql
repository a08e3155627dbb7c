-- What is known of a user, put together once and read as one row when a chat is prepared: the row 'chat_context' of
-- public.ai_context_cache. Whoever changes what it was made of deletes it, in the same transaction; it is made again
-- after the next answer, and by a job. Without it a chat does the same look-ups by itself.

create or replace function uplift.user_facts(p_user_id uuid) returns text
language plpgsql stable set plan_cache_mode = force_generic_plan
as $$
begin
    return (select string_agg(x.line, '' order by x.place, x.name) from (
        (select 1 as place, t.trait_key as name, e'\n- ' || uplift.as_data(t.trait_key, 60) || ': ' || uplift.as_data(t.trait_value, 300) as line
        from public.user_traits t
        where t.user_id = p_user_id and t.trait_value <> ''
        order by t.trait_key limit 40)
        union all
        -- What other programs of the deployment prepared.
        (select 2, k.context_type, e'\n- ' || replace(k.context_type, '_', ' ') || ': ' || uplift.as_data(k.context_text, 500)
        from public.ai_context_cache k
        where k.user_id = p_user_id and k.context_type <> 'chat_context' and k.context_text <> '' and (k.expires_at is null or k.expires_at > now())
        order by k.context_type limit 10)) x);
end
$$;

comment on function uplift.user_facts(uuid) is
    'What is known of a user beside memories, as lines of a prompt, each after a line break: at most 40 traits, and the texts that other programs keep in ai_context_cache; null for nothing.';

create or replace function uplift.user_context(p_user_id uuid) returns jsonb
language plpgsql stable set plan_cache_mode = force_generic_plan
as $$
declare
    v_has_passages boolean := exists (select from uplift.passages p where p.user_id = p_user_id);
begin
    -- Most who have no context yet are new, and nothing is known of them.
    if not v_has_passages
        and not exists (select from public.ai_episodic_memory m where m.user_id = p_user_id)
        and not exists (select from public.user_traits t where t.user_id = p_user_id)
        and not exists (select from public.ai_context_cache k where k.user_id = p_user_id and k.context_type <> 'chat_context') then
        return jsonb '{"facts": null, "wishes": [], "memories": null, "memory_ids": null, "pinned_ids": null, "has_passages": false}';
    end if;
    return (select jsonb_build_object('facts', uplift.user_facts(p_user_id), 'wishes', wishes.list, 'memories', memories.lines,
            'memory_ids', memories.ids, 'pinned_ids', pinned.ids, 'has_passages', v_has_passages)
        from (
            select coalesce(jsonb_agg(jsonb_build_array(w.coach_id, e'\n- ' || uplift.as_data(w.memory_text, 100)) order by w.last_said_at desc, w.memory_text, w.id), '[]') as list
            from (
                select m.* from public.ai_episodic_memory m
                where m.user_id = p_user_id and m.source = 'feedback' and m.is_active
                order by m.last_said_at desc, m.memory_text, m.id limit 50) w) wishes
        cross join (
            select string_agg(uplift.memory_line(x.memory_type, x.memory_text), '' order by x.place) as lines,
                array_agg(x.id order by x.place) as ids
            from (
                select m.id, m.memory_type, m.memory_text, row_number() over (
                    order by m.importance_score desc nulls last, m.last_accessed desc nulls last, m.id) as place
                from public.ai_episodic_memory m
                where m.user_id = p_user_id and m.is_active and (m.expires_at is null or m.expires_at > now())
                    and m.memory_text <> '' and m.source <> 'feedback'
                order by m.importance_score desc nulls last, m.last_accessed desc nulls last, m.id limit 5) x) memories
        cross join (
            select array_agg(x.id) as ids
            from (
                select m.id from public.ai_episodic_memory m
                where m.user_id = p_user_id and m.is_pinned and m.is_active and m.source <> 'feedback'
                order by m.importance_score desc nulls last, m.id limit 10) x) pinned);
end
$$;

comment on function uplift.user_context(uuid) is
    'What is known of a user, looked up now: {facts: lines or null, wishes: [[coach or null for all, line], ...], memories: the five most important as lines, or null, memory_ids: theirs, pinned_ids: of the ten most important ones that are pinned, has_passages: whether anything can be found of earlier conversations}. Lines are as in a prompt, each after a line break. Whether the user wants memories to be used is not looked at.';

create or replace function uplift.wish_lines(p_wishes jsonb, p_coach_id text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_brought int; -- the place of a tone that was said of another coach
    v_count int := 0;
    v_lines text;
begin
    -- How harsh people like it they do not say again to the next coach, until that is not right with this one.
    for i in 0 .. jsonb_array_length(p_wishes) - 1 loop
        continue when substr(p_wishes -> i ->> 1, 4) <> all (uplift.tone_wishes());
        if coalesce(p_wishes -> i ->> 0, p_coach_id) = p_coach_id then
            v_brought := null;
            exit;
        end if;
        v_brought := coalesce(v_brought, i);
    end loop;
    -- By place: a query costs more than what it would read of a few.
    for i in 0 .. jsonb_array_length(p_wishes) - 1 loop
        continue when coalesce(p_wishes -> i ->> 0, p_coach_id) <> p_coach_id and i is distinct from v_brought;
        v_lines := concat(v_lines, p_wishes -> i ->> 1);
        v_count := v_count + 1;
        exit when v_count = 10;
    end loop;
    return v_lines;
end
$$;

comment on function uplift.wish_lines(jsonb, text) is 'Of wishes as uplift.user_context has them, the ten last ones that are for a coach, and where none of those is one of uplift.tone_wishes() the last such one of another coach; null for none.';

create or replace function uplift.context_lock(p_user_id uuid) returns bigint
language sql immutable parallel safe
as $$ select uuid_hash_extended(p_user_id, 3391870254466218) $$;

comment on function uplift.context_lock(uuid) is
    'The key of the advisory lock that those who change what a context is made of share, and who makes it anew takes alone.';

create or replace function uplift.context_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := case when tg_op = 'DELETE' then old.user_id else new.user_id end;
begin
    if v_user_id is not null then
        -- Nobody makes it of what was until this is committed.
        perform pg_advisory_xact_lock_shared(uplift.context_lock(v_user_id));
        delete from public.ai_context_cache k where k.user_id = v_user_id and k.context_type = 'chat_context';
    end if;
    if tg_op = 'UPDATE' and old.user_id is distinct from new.user_id and old.user_id is not null then
        perform pg_advisory_xact_lock_shared(uplift.context_lock(old.user_id));
        delete from public.ai_context_cache k where k.user_id = old.user_id and k.context_type = 'chat_context';
    end if;
    return null;
end
$$;

comment on function uplift.context_changed() is
    'Trigger of user_traits, ai_episodic_memory, ai_context_cache and passages: what a user''s context was made of has changed, so that it is to be made anew.';

create or replace function uplift.context_guarded() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    -- It goes into prompts as it is.
    if not pg_has_role(current_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'member') then
        raise exception 'only uplift itself writes rows of type chat_context' using errcode = '42501';
    end if;
    return new;
end
$$;

comment on function uplift.context_guarded() is 'Trigger of ai_context_cache: rows of type chat_context are written by the functions of the table''s owner alone.';

do $$
declare
    v record;
begin
    if not exists (select from pg_trigger where tgrelid = 'public.ai_context_cache'::regclass and tgname = 'uplift_context_guarded') then
        create trigger uplift_context_guarded before insert or update on public.ai_context_cache
            for each row when (new.context_type = 'chat_context') execute function uplift.context_guarded();
    end if;
    for v in
        select * from (values
            ('public.user_traits', 'insert or update or delete', null),
            -- Of the first one alone, for has_passages.
            ('uplift.passages', 'insert', 'new.nth = 1'),
            ('public.ai_episodic_memory', 'insert or delete', null),
            -- Not by a list of columns, of which a deployment may write others that are kept in step.
            ('public.ai_episodic_memory', 'update', '(old.user_id, old.memory_type, old.memory_text, old.importance_score, old.is_active, old.expires_at, old.source, old.coach_id, old.is_pinned)
                is distinct from (new.user_id, new.memory_type, new.memory_text, new.importance_score, new.is_active, new.expires_at, new.source, new.coach_id, new.is_pinned)'),
            ('public.ai_context_cache', 'insert or update', 'new.context_type <> ''chat_context'''),
            ('public.ai_context_cache', 'delete', 'old.context_type <> ''chat_context''')) as t(table_name, event, condition)
    loop
        if not exists (select from pg_trigger where tgrelid = v.table_name::regclass
                and tgname = 'uplift_context_' || split_part(v.event, ' ', 1)) then
            execute format('create trigger %I after %s on %s for each row %s execute function uplift.context_changed()',
                'uplift_context_' || split_part(v.event, ' ', 1), v.event, v.table_name, 'when (' || v.condition || ')');
        end if;
    end loop;
end
$$;

create or replace function uplift.refresh_context(p_user_id uuid) returns boolean
language plpgsql volatile
as $$
declare
    v_context jsonb;
begin
    -- Somebody changes what it is made of, or makes it: not now.
    if not pg_try_advisory_xact_lock(uplift.context_lock(p_user_id)) then
        return false;
    end if;
    v_context := uplift.user_context(p_user_id);
    insert into public.ai_context_cache as k (user_id, context_type, context_data, context_text, data_sources, expires_at, last_refreshed)
    values (p_user_id, 'chat_context', v_context, concat(v_context ->> 'facts', v_context ->> 'memories'),
        '{user_traits,ai_episodic_memory,ai_context_cache}', least(now() + interval '24 hours',
            (select min(m.expires_at) from public.ai_episodic_memory m where m.id in (
                select i::uuid from jsonb_array_elements_text(nullif(v_context -> 'memory_ids', 'null')) i)),
            (select min(o.expires_at) from public.ai_context_cache o
                where o.user_id = p_user_id and o.context_type <> 'chat_context' and o.expires_at > now())), now())
    on conflict (user_id, context_type) do update set context_data = excluded.context_data, context_text = excluded.context_text,
        context_version = k.context_version + 1, data_sources = excluded.data_sources, expires_at = excluded.expires_at,
        last_refreshed = excluded.last_refreshed, updated_at = now();
    return true;
end
$$;

comment on function uplift.refresh_context(uuid) is
    'Makes a user''s context anew, to hold for 24 hours or until something in it expires; false when it is being changed at this moment.';

create or replace function uplift.refresh_contexts_of(p_user_ids uuid[]) returns int
language plpgsql volatile
as $$
declare
    v_user_id uuid;
    v_count int := 0;
begin
    for v_user_id in
        -- Who is unknown, or was deleted, has none.
        select u.id from unnest(p_user_ids) i(id) join auth.users u on u.id = i.id
        where not exists (select from public.ai_context_cache k
            where k.user_id = u.id and k.context_type = 'chat_context' and k.expires_at > now())
        order by u.id
    loop
        if uplift.refresh_context(v_user_id) then
            v_count := v_count + 1;
        end if;
    end loop;
    return v_count;
end
$$;

comment on function uplift.refresh_contexts_of(uuid[]) is 'Makes the contexts of these users that are missing or expired, and returns how many.';

create or replace function uplift_chat.refresh_contexts(p_answer_ids uuid[]) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    return uplift.refresh_contexts_of(array(
        select distinct a.user_id from public.coach_response_feedback a where a.id = any (p_answer_ids)));
end
$$;

comment on function uplift_chat.refresh_contexts(uuid[]) is
    'Makes what is known of the users of these answers ready for their next chat, where it is not (uplift.refresh_context); returns how many contexts were made.';

create or replace function uplift_batch.refresh_contexts(p_days int, p_after uuid, p_most int, p_guest uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_ids uuid[];
begin
    select array_agg(x.id order by x.id) into v_ids
    from (
        select u.id from auth.users u where u.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
        order by u.id limit p_most) x;
    if v_ids is null then
        return jsonb_build_object('users', 0, 'contexts', 0, 'after', p_after, 'goes_on', false);
    end if;
    return jsonb_build_object('users', cardinality(v_ids),
        'contexts', uplift.refresh_contexts_of(array(
            select i from unnest(v_ids) i
            where i is distinct from p_guest and exists (
                select from public.coach_response_feedback a
                where a.user_id = i and a.created_at > now() - p_days * interval '24 hours'))),
        'after', v_ids[cardinality(v_ids)], 'goes_on', cardinality(v_ids) = p_most);
end
$$;

comment on function uplift_batch.refresh_contexts(int, uuid, int, uuid) is
    'A step of the job refresh-contexts: looks at the next p_most users after p_after, by id, and makes the contexts, missing or expired, of those who were given an answer in the last p_days days. Returns how many users, how many contexts, after, and whether there may be more.';
