-- Versions: an answer that was given anew, or whose question was edited, takes the place of the one before it
-- (regenerate_of), with all that had come after that one. So a conversation is a tree, and what it is now is the way
-- to its newest answer; the other branches stay to be looked at.

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

create or replace function uplift.replaced_from(p_replaced tstzmultirange, p_since timestamptz) returns timestamptz
language sql immutable parallel safe
as $$
    select coalesce((
        select lower(r) from unnest(p_replaced) r where p_since between lower(r) and upper(r)), p_since)
$$;

comment on function uplift.replaced_from(tstzmultirange, timestamptz) is
    'From when on a version replaces what was said whose first version is gone, of which p_since is the first one that is left: as conversations.replaced has it from before.';

create or replace function uplift.replaced_since(p_answer_id uuid, p_user_id uuid) returns timestamptz
language plpgsql stable
as $$
declare
    v_first record;
    v_since timestamptz;
begin
    select f.id, f.created_at into v_first from uplift.first_version(p_answer_id, p_user_id) f;
    v_since := least(v_first.created_at, (
        -- Where the first one is still to come, the first of those that are here.
        select min(x.created_at) from (
            select a.created_at, a.user_id from public.coach_response_feedback a where a.regenerate_of = v_first.id offset 0) x
        where x.user_id = p_user_id));
    if v_first.id is not null and not exists (
            select from public.coach_response_feedback a where a.id = v_first.id and a.user_id = p_user_id) then
        v_since := uplift.replaced_from((
            select c.replaced from public.coach_response_feedback a
            join uplift.conversations c on c.id = a.conversation_id and c.user_id = a.user_id
            where a.id = p_answer_id and a.user_id = p_user_id), v_since);
    end if;
    return v_since;
end
$$;

comment on function uplift.replaced_since(uuid, uuid) is
    'From when on a version replaces what was said: the time of the first version of that answer, also once that one is gone (uplift.replaced_from). What was said from then until the version itself drops out.';

create or replace function uplift.replaced_times(p_user_id uuid, p_conversation_id uuid, p_before timestamptz) returns tstzmultirange
language plpgsql stable
as $$
declare
    v_version record;
    v_since timestamptz := timestamptz 'infinity';
    v_times tstzmultirange;
begin
    -- Newest first, because one that dropped out itself replaces nothing any more.
    for v_version in
        select a.id, a.created_at from public.coach_response_feedback a
        where a.conversation_id = p_conversation_id and a.user_id = p_user_id and a.regenerate_of is not null
            and a.ai_response <> '' and a.created_at < p_before
        order by a.created_at desc, a.id desc
    loop
        continue when v_version.created_at >= v_since;
        v_since := uplift.replaced_since(v_version.id, p_user_id);
        v_times := coalesce(v_times, '{}') + tstzmultirange(tstzrange(v_since, v_version.created_at));
    end loop;
    return v_times;
end
$$;

comment on function uplift.replaced_times(uuid, uuid, timestamptz) is
    'The times of an own conversation, as it was at p_before, whose answers drop out, null for none: from the first version of an answer until the last that said something.';

create or replace function uplift.is_replaced(p_at timestamptz, p_times tstzmultirange) returns boolean
language sql immutable parallel safe
as $$ select p_times is not null and p_at <@ p_times $$;

comment on function uplift.is_replaced(timestamptz, tstzmultirange) is 'Whether what was said at a time drops out, by uplift.replaced_times().';

create or replace function uplift.shown_until(p_user_id uuid, p_conversation_id uuid, p_answer_id uuid) returns timestamptz
language plpgsql stable
as $$
declare
    v_at timestamptz;
    v_version record;
begin
    select a.created_at into v_at from public.coach_response_feedback a
    where a.id = p_answer_id and a.conversation_id = p_conversation_id and a.user_id = p_user_id and a.ai_response <> '';
    if not found then
        return null;
    end if;
    if not uplift.is_replaced(v_at, uplift.replaced_times(p_user_id, p_conversation_id, 'infinity')) then
        return timestamptz 'infinity';
    end if;
    for v_version in
        select a.id, a.created_at from public.coach_response_feedback a
        where a.conversation_id = p_conversation_id and a.user_id = p_user_id and a.regenerate_of is not null
            and a.ai_response <> '' and a.created_at > v_at
        order by a.created_at, a.id
    loop
        if uplift.replaced_since(v_version.id, p_user_id) <= v_at then
            return v_version.created_at;
        end if;
    end loop;
    return timestamptz 'infinity';
end
$$;

comment on function uplift.shown_until(uuid, uuid, uuid) is
    'Until when an own answer that said something was part of its conversation: infinity while it is; null where there is none such.';

create or replace function uplift.versions_of(p_user_id uuid, p_answer_id uuid) returns uuid[]
language plpgsql stable
as $$
declare
    v_first uuid := (select f.id from uplift.first_version(p_answer_id, p_user_id) f);
begin
    return (
        with recursive versions as (
            select v_first as id
            union
            select r.id from versions v
            cross join lateral (
                select a.id, a.user_id from public.coach_response_feedback a where a.regenerate_of = v.id offset 0) r
            where r.user_id = p_user_id
        )
        select array_agg(x.id order by x.created_at, x.id)
        from (
            select a.id, a.created_at
            from versions v cross join lateral (
                select b.id, b.created_at, b.user_id, b.ai_response from public.coach_response_feedback b where b.id = v.id offset 0) a
            where a.user_id = p_user_id and a.ai_response <> ''
            order by a.created_at desc, a.id desc limit 100) x);
end
$$;

comment on function uplift.versions_of(uuid, uuid) is
    'All versions of an own answer that said something, the oldest first, of many the last 100.';

create or replace function uplift.is_reworded(p_regenerate_of uuid, p_user_id uuid, p_user_message text) returns boolean
language sql stable
as $$
    select p_regenerate_of is not null and coalesce((
        select a.user_message is distinct from p_user_message
        from public.coach_response_feedback a where a.id = p_regenerate_of and a.user_id = p_user_id), false)
$$;

comment on function uplift.is_reworded(uuid, uuid, text) is 'Whether a version answers other words than the answer that it replaces: its question was edited.';

create or replace function uplift.was_reworded(p_answer_id uuid, p_user_id uuid, p_user_message text) returns boolean
language sql stable
as $$
    select exists (
        select from (
            select a.user_id, a.user_message, a.ai_response from public.coach_response_feedback a
            where a.regenerate_of = p_answer_id offset 0) r
        where r.user_id = p_user_id and r.ai_response <> '' and r.user_message is distinct from p_user_message)
$$;

comment on function uplift.was_reworded(uuid, uuid, text) is 'Whether the question of an answer was edited since: what it said does not count any more.';

create or replace function uplift.place_version() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_row public.coach_response_feedback := case when tg_op = 'DELETE' then old else new end;
    v_since timestamptz;
    v_was text;
begin
    update uplift.conversations c set replaced = uplift.replaced_times(v_row.user_id, v_row.conversation_id, 'infinity')
    where c.id = v_row.conversation_id and c.user_id = v_row.user_id;
    if tg_op = 'INSERT' and new.ai_response <> '' then
        v_since := uplift.replaced_since(new.id, new.user_id);
        -- Turns that came after it have gone from the conversations that examples are made of.
        insert into uplift.training_queue (conversation_id)
        select new.conversation_id where exists (
            select from public.coach_response_feedback a
            where a.conversation_id = new.conversation_id and a.created_at > v_since and a.created_at < new.created_at
                and a.regenerate_of is null);
        -- The title of an edited beginning, unless the user gave another one.
        select a.user_message into v_was from public.coach_response_feedback a where a.id = new.regenerate_of and a.user_id = new.user_id;
        update uplift.conversations c set title = uplift.title_of(new.user_message)
        where c.id = new.conversation_id and c.user_id = new.user_id and not c.is_renamed and c.title = uplift.title_of(v_was)
            and v_was is distinct from new.user_message
            and not exists (
                select from public.coach_response_feedback a
                where a.conversation_id = c.id and a.user_id = c.user_id
                    and a.created_at < v_since);
    end if;
    return null;
end
$$;

comment on function uplift.place_version() is
    'Trigger of coach_response_feedback: what a version replaces drops out of its conversation (conversations.replaced), which is called by the words that it now begins with.';

-- Only when they are missing, because making them waits for everyone who writes answers. By name before those that read
-- what it writes.
do $$
begin
    if not exists (select from pg_trigger
            where tgrelid = 'public.coach_response_feedback'::regclass and tgname = 'uplift_place_version') then
        create trigger uplift_place_version after insert on public.coach_response_feedback
        for each row when (new.regenerate_of is not null) execute function uplift.place_version();
        create trigger uplift_version_changed after update of ai_response, regenerate_of on public.coach_response_feedback
        for each row when (new.regenerate_of is not null and (old.ai_response = '') is distinct from (new.ai_response = '')
            or old.regenerate_of is distinct from new.regenerate_of)
        execute function uplift.place_version();
        create trigger uplift_version_gone after delete on public.coach_response_feedback
        for each row when (old.regenerate_of is not null) execute function uplift.place_version();
    end if;
end
$$;
