-- What supabase-js does with a user's memories (public.ai_episodic_memory), with the effects of /v1/memories:
-- by triggers where PostgREST writes the rows as role authenticated, and by functions where fcgi-chat is asked.

create or replace function uplift.memory_as_written(p_text text) returns text
language plpgsql stable
as $$
declare
    v_text text := uplift.memory_text_of(p_text);
begin
    begin
        perform uplift.check_memory(jsonb_build_object('text', coalesce(v_text, '')));
    exception when sqlstate 'UP400' then
        perform uplift.rest_refused(sqlstate, sqlerrm);
    end;
    v_text := uplift.memory_as_kept(v_text);
    if v_text is null then
        perform uplift.rest_fail(400, '23514', 'this server keeps no such things: passwords, keys, account numbers and the like');
    end if;
    return v_text;
end
$$;

comment on function uplift.memory_as_written(text) is
    'What a user wrote as a memory, as it is kept. PT400 23514 where it is empty, has more than 500 characters, or is of what policies refuse.';

create or replace function uplift.memory_written() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_about record;
    v_same public.ai_episodic_memory;
begin
    -- Another's row is for row level security to refuse, which looks at it after this.
    if (select auth.uid()) is distinct from new.user_id then
        return new;
    end if;
    perform uplift.lock_memories(new.user_id);
    if tg_op = 'UPDATE' and new.memory_text is not distinct from old.memory_text then
        return new;
    end if;
    new.memory_text := uplift.memory_as_written(new.memory_text);
    v_about := uplift.memory_subject(new.memory_text);
    new.subject := v_about.subject;
    new.source := 'user';
    if tg_op = 'UPDATE' then
        new.importance_score := uplift.rewritten_importance(old.importance_score, old.memory_text, new.memory_text);
        return new;
    elsif not uplift.is_remembered(new.user_id) then
        perform uplift.rest_fail(409, 'P0001', 'memory is turned off (memory_enabled in the preferences)');
    end if;
    new.words := uplift.memory_words(uplift.memory_form(v_about.sentence));
    new.is_negative := uplift.memory_denies(uplift.memory_form(v_about.sentence));
    new.importance_score := 9.0;
    new.expires_at := null;
    -- Later than anything said, whatever a clock says.
    select greatest(clock_timestamp(), max(m.last_said_at) + interval '1 microsecond') into new.last_said_at
    from public.ai_episodic_memory m where m.user_id = new.user_id;
    -- Whoever says it now takes back that it be forgotten; and what says the same is one memory.
    delete from uplift.forgotten_memories f
    where f.user_id = new.user_id and f.fingerprint = uplift.memory_fingerprint(new.memory_type, new.subject, new.words, new.is_negative);
    for v_same in
        delete from public.ai_episodic_memory m
        where m.user_id = new.user_id and m.memory_type = new.memory_type and m.subject is not distinct from new.subject and m.source <> 'feedback'
            and (lower(m.memory_text) = lower(new.memory_text)
                or m.words && new.words and m.is_negative = new.is_negative and uplift.overlap(m.words, new.words) >= 0.75)
        returning m.*
    loop
        new.said_count := new.said_count + case when v_same.is_active then v_same.said_count else 0 end;
        new.is_pinned := new.is_pinned or v_same.is_pinned and v_same.is_active;
        if v_same.is_active then -- stronger than it was, as uplift.remember() has it
            new.importance_score := least(v_same.importance_score + 0.5, 10);
        end if;
    end loop;
    return new;
end
$$;

comment on function uplift.memory_written() is
    'Trigger of ai_episodic_memory, for what a user''s own token writes: with limits, policies and effects as uplift_chat.add_memory() and change_memory() have them. What says the same as one that is there takes its place.';

create or replace function uplift.memory_was_written() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    update public.ai_episodic_memory m set is_active = false, superseded_by = new.id
    where m.user_id = new.user_id and m.is_active and m.id <> new.id and m.source <> 'feedback' and m.subject is not distinct from new.subject
        and uplift.memory_replaces(new.memory_type, new.words, new.is_negative,
            case when new.memory_type in ('preference', 'achievement') then uplift.food_ruled_out(uplift.memory_form(new.memory_text)) end,
            m.memory_type, m.memory_text, m.words, m.is_negative);
    perform uplift.tend_memories(new.user_id);
    return null;
end
$$;

comment on function uplift.memory_was_written() is
    'Trigger of ai_episodic_memory, for what a user''s own token adds: retires what it takes the place of, and keeps to memory.max_per_user.';

create or replace function uplift.memory_was_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.forgotten_memories (user_id, fingerprint)
    values (old.user_id, uplift.memory_fingerprint(old.memory_type, old.subject, coalesce(old.words, '{}'), old.is_negative))
    on conflict do nothing;
    return null;
end
$$;

comment on function uplift.memory_was_deleted() is
    'Trigger of ai_episodic_memory, for what a user''s own token deletes: it is forgotten, and not learnt again.';

do $$
declare
    v record;
begin
    for v in
        select * from (values
            -- Before uplift_memory_filled, by their names.
            ('uplift_memory_added', 'before insert', 'uplift.memory_written()'),
            -- Not by a list of columns, of which a deployment may write others that are kept in step.
            ('uplift_memory_changed', 'before update', 'uplift.memory_written()'),
            ('uplift_memory_was_added', 'after insert', 'uplift.memory_was_written()'),
            ('uplift_memory_was_deleted', 'after delete', 'uplift.memory_was_deleted()')) as t(name, event, action)
    loop
        if not exists (select from pg_trigger where tgrelid = 'public.ai_episodic_memory'::regclass and tgname = v.name) then
            -- Functions of ours write as their owner, and other programs as service_role.
            execute format('create trigger %I %s on public.ai_episodic_memory for each row when (current_user = ''authenticated'') execute function %s',
                v.name, v.event, v.action);
        end if;
    end loop;
end
$$;

-- --- /rest/v1/ai_episodic_memory ---

create or replace function uplift.rest_memory_body(p_user_id uuid, p_body jsonb) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_object_agg(case b.key when 'memory_text' then 'text' when 'memory_type' then 'type' else b.key end, b.value), '{}')
    from jsonb_each(uplift.rest_row(p_user_id, 'public.ai_episodic_memory', '{memory_text,memory_type,is_pinned}', p_body)) b
$$;

comment on function uplift.rest_memory_body(uuid, jsonb) is
    'A row of ai_episodic_memory as a user may write it (uplift.rest_row), as uplift_chat.add_memory() takes it.';

create or replace function uplift.rest_write_memories(p_user_id uuid, p_method text, p_query jsonb, p_body jsonb) returns uuid[]
language plpgsql volatile
as $$
declare
    v_ids uuid[];
    v_body jsonb;
    v_id uuid;
begin
    if p_method = 'POST' then
        foreach v_body in array uplift.rest_new_rows(p_body) loop
            v_id := (uplift_chat.add_memory(p_user_id, uplift.rest_memory_body(p_user_id, v_body)) ->> 'id')::uuid;
            v_ids := array_remove(v_ids, v_id) || v_id;
        end loop;
        return coalesce(v_ids, '{}');
    end if;
    v_body := uplift.rest_memory_body(p_user_id, case when p_method = 'PATCH' then p_body else '{}' end);
    v_ids := uplift.rest_changed_ids(p_user_id, p_query, 'public.ai_episodic_memory'::regclass);
    if v_body <> '{}' then
        -- What was put away is seen, and not changed.
        v_ids := array(select m.id from public.ai_episodic_memory m where m.id = any (v_ids) and m.is_active order by m.id);
        perform uplift_chat.change_memory(p_user_id, i, v_body) from unnest(v_ids) i;
    end if;
    return v_ids;
exception when sqlstate 'UP400' or sqlstate 'UP403' or sqlstate 'UP404' or sqlstate 'UP409' then
    perform uplift.rest_refused(sqlstate, sqlerrm);
    return null; -- not reached
end
$$;

comment on function uplift.rest_write_memories(uuid, text, jsonb, jsonb) is
    'Adds memories (POST), changes them (PATCH), or finds those to delete (DELETE), and returns their ids, at most 100. Refusals in PostgREST''s form.';

create or replace function uplift_chat.rest_memories(p_user_id uuid, p_method text, p_query jsonb, p_body jsonb)
returns table (rows text, row_count bigint, total bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_table constant regclass := 'public.ai_episodic_memory'::regclass;
    v_ids uuid[];
begin
    if p_method in ('GET', 'HEAD') then
        return query select s.* from uplift.rest_select(p_user_id, p_query, v_table) s;
        return;
    end if;
    v_ids := uplift.rest_write_memories(p_user_id, p_method, p_query, p_body);
    select r.rows, r.row_count into rows, row_count from uplift.rest_rows(p_user_id, p_query,
        format('select %s from public.ai_episodic_memory a where a.user_id = $1 and a.id = any (%L) order by %s',
            uplift.rest_list(p_query -> 'select', v_table), v_ids, uplift.rest_order(p_query -> 'order', v_table))) r;
    if p_method = 'DELETE' then
        perform uplift_chat.forget_memories(p_user_id, i) from unnest(v_ids) i;
    end if;
    return next;
exception when others then
    if uplift.rest_status(sqlstate) is null then
        raise;
    end if;
    perform uplift.rest_fail(uplift.rest_status(sqlstate), sqlstate, sqlerrm);
end
$$;

comment on function uplift_chat.rest_memories(uuid, text, jsonb, jsonb) is
    'What PostgREST does with a user''s own rows of ai_episodic_memory, with the effects of /v1/memories: GET and HEAD as uplift_chat.rest_select_feedback(), POST p_body (an object or up to 100: memory_text, memory_type, is_pinned, own user_id), PATCH and DELETE of those that filters name, at most 100. Returned are the rows written. Errors as there; PT400 23514, PGRST102, PGRST124, PGRST204, 21000; PT403 42501; PT409 P0001.';
