-- Feedback: the last word counts, and every word is kept.
--
-- Whichever way feedback comes (uplift.give_feedback(), a user's own UPDATE through PostgREST or in
-- SQL, or words that waited for their answer's row), it ends as an UPDATE of the answer, and one
-- trigger dates it, decides whether it is the last word, and keeps it in uplift.feedback_events.
-- What the trigger cannot see in the row comes in the setting uplift.feedback of the transaction:
-- {"source", "given_at", "event_id", "pending": id of the event that waited}.

create or replace function uplift.feedback_said(p_answer_id uuid, p_key text, p_value_given boolean, p_given_at timestamptz)
returns timestamptz
language sql stable
as $$
    select coalesce(
        (select max(coalesce((e.repeated ->> p_key)::timestamptz, e.given_at)) from uplift.feedback_events e
         where e.answer_id = p_answer_id and e.state = 'applied' and e.changes ? p_key),
        -- Feedback from before uplift has no events.
        case when p_value_given then p_given_at end,
        '-infinity')
$$;

comment on function uplift.feedback_said(uuid, text, boolean, timestamptz) is
    'When a user last said something of helpful, rating or feedback_text of an answer; -infinity for never.';

create or replace function uplift.feedback_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_context jsonb := coalesce(nullif(current_setting('uplift.feedback', true), ''), '{}')::jsonb;
    v_given_at timestamptz := least((v_context ->> 'given_at')::timestamptz, clock_timestamp());
    v_changes jsonb := jsonb '{}';
begin
    if length(new.feedback_text) > 10000 then
        perform uplift.fail(400, 'invalid_feedback_text', 'feedback_text must have at most 10000 characters', 'feedback_text');
    end if;
    if new.helpful is distinct from old.helpful then
        v_changes := v_changes || jsonb_build_object('helpful', new.helpful);
    end if;
    if new.rating is distinct from old.rating then
        v_changes := v_changes || jsonb_build_object('rating', new.rating);
    end if;
    if new.feedback_text is distinct from old.feedback_text then
        v_changes := v_changes || jsonb_build_object('feedback_text', new.feedback_text);
    end if;

    -- Our functions say when it was said; otherwise it is said now, and is the last word.
    if v_context ? 'given_at' then
        if v_changes ? 'helpful' and v_given_at < uplift.feedback_said(
                new.id, 'helpful', old.helpful is not null, old.feedback_given_at) then
            new.helpful := old.helpful;
        end if;
        if v_changes ? 'rating' and v_given_at < uplift.feedback_said(
                new.id, 'rating', old.rating is not null, old.feedback_given_at) then
            new.rating := old.rating;
        end if;
        if v_changes ? 'feedback_text' and v_given_at < uplift.feedback_said(
                new.id, 'feedback_text', old.feedback_text is not null, old.feedback_given_at) then
            new.feedback_text := old.feedback_text;
        end if;
    else
        v_given_at := greatest(now(), old.feedback_given_at);
    end if;
    new.feedback_given_at := greatest(v_given_at, old.feedback_given_at);
    perform uplift.note_rated(new.created_at);

    update uplift.feedback_events e set state = 'applied'
    where e.id = (v_context ->> 'pending')::bigint and e.answer_id = new.id and e.state = 'pending';
    if not found then
        insert into uplift.feedback_events (event_id, answer_id, user_id, changes, source, given_at)
        values ((v_context ->> 'event_id')::uuid, new.id, new.user_id, v_changes,
            coalesce(v_context ->> 'source', 'sql'), v_given_at)
        on conflict (event_id) where event_id is not null do nothing;
    end if;
    return new;
end
$$;

comment on function uplift.feedback_changed() is
    'Trigger of coach_response_feedback: dates a change of feedback, keeps what was said later if this comes late, and appends it to uplift.feedback_events.';

-- Only when it is missing, because making it waits for everyone who writes answers.
do $$
begin
    if not exists (select from pg_trigger
            where tgrelid = 'public.coach_response_feedback'::regclass and tgname = 'uplift_feedback') then
        create trigger uplift_feedback before update on public.coach_response_feedback
        for each row when (old.helpful is distinct from new.helpful or old.rating is distinct from new.rating
            or old.feedback_text is distinct from new.feedback_text)
        execute function uplift.feedback_changed();
    end if;
end
$$;

-- The same again is no new word, but it is a later one: without this, "up", then "down" kept in a
-- spool, then "up" again would end as "down" when the spool is loaded.
create or replace function uplift.note_repeated(p_answer_id uuid, p_state text, p_changes jsonb, p_given_at timestamptz)
returns void
language sql volatile
as $$
    update uplift.feedback_events e
    set repeated = coalesce(e.repeated, '{}') || r.again
    from (
        select l.id, jsonb_object_agg(l.key, p_given_at) as again
        from (
            select distinct on (k.key) k.key, k.value, s.id, s.changes -> k.key as said,
                coalesce((s.repeated ->> k.key)::timestamptz, s.given_at) as said_at
            from jsonb_each(p_changes) as k
            join uplift.feedback_events s on s.answer_id = p_answer_id and s.state = p_state and s.changes ? k.key
            order by k.key, said_at desc, s.id desc) l
        where l.said = l.value and l.said_at < p_given_at
        group by l.id) r
    where e.id = r.id
$$;

comment on function uplift.note_repeated(uuid, text, jsonb, timestamptz) is
    'Notes on the last events of an answer that what they say was said again.';

-- Writes feedback to an answer that is there.
create or replace function uplift.apply_feedback(p_answer_id uuid, p_changes jsonb, p_given_at timestamptz, p_context jsonb)
returns void
language plpgsql
as $$
begin
    perform uplift.note_repeated(p_answer_id, 'applied', p_changes, p_given_at);

    perform set_config('uplift.feedback', (p_context || jsonb_build_object('given_at', p_given_at))::text, true);
    update public.coach_response_feedback a set
        helpful = case when p_changes ? 'helpful' then (p_changes ->> 'helpful')::boolean else a.helpful end,
        rating = case when p_changes ? 'rating' then (p_changes ->> 'rating')::int else a.rating end,
        feedback_text = case when p_changes ? 'feedback_text' then p_changes ->> 'feedback_text' else a.feedback_text end
    where a.id = p_answer_id and (
        p_changes ? 'helpful' and a.helpful is distinct from (p_changes ->> 'helpful')::boolean
        or p_changes ? 'rating' and a.rating is distinct from (p_changes ->> 'rating')::int
        or p_changes ? 'feedback_text' and a.feedback_text is distinct from p_changes ->> 'feedback_text');
    perform set_config('uplift.feedback', '', true);
end
$$;

comment on function uplift.apply_feedback(uuid, jsonb, timestamptz, jsonb) is
    'Writes feedback (helpful, rating, feedback_text; only the keys given) to an answer as said at a time; the same value again changes nothing.';

create or replace function uplift.apply_pending_feedback(p_answer_ids uuid[]) returns void
language plpgsql
as $$
declare
    v_event record;
begin
    for v_event in
        select e.id, e.answer_id, w.changes, w.said_at, e.user_id = a.user_id as is_own
        from uplift.feedback_events e
        join public.coach_response_feedback a on a.id = e.answer_id
        cross join lateral (
            select e.changes, e.given_at
            union all
            select jsonb_build_object(r.key, e.changes -> r.key), (r.value #>> '{}')::timestamptz
            from jsonb_each(e.repeated) as r) as w(changes, said_at)
        where e.answer_id = any (p_answer_ids) and e.state = 'pending'
        order by w.said_at, e.id
    loop
        if v_event.is_own then
            perform uplift.apply_feedback(v_event.answer_id, v_event.changes, v_event.said_at,
                jsonb_build_object('pending', v_event.id, 'source', 'route'));
        end if;
        update uplift.feedback_events e set state = case when v_event.is_own then 'applied' else 'refused' end
        where e.id = v_event.id and e.state = 'pending';
    end loop;
end
$$;

comment on function uplift.apply_pending_feedback(uuid[]) is
    'Applies the feedback that came before these answers'' rows, in the order it was said; what is not of the answer''s own user is refused.';

create or replace function uplift.check_feedback(p_changes jsonb) returns void
language plpgsql immutable
as $$
declare
    v_unknown text;
begin
    if jsonb_typeof(p_changes) is distinct from 'object' then
        perform uplift.fail(400, 'invalid_feedback', 'feedback must be an object');
    end if;
    select k into v_unknown from jsonb_object_keys(p_changes) k
    where k not in ('helpful', 'rating', 'feedback_text') limit 1;
    if found then
        perform uplift.fail(400, 'unknown_field', 'feedback has only helpful, rating and feedback_text', v_unknown);
    end if;
    if jsonb_typeof(p_changes -> 'helpful') not in ('boolean', 'null') then
        perform uplift.fail(400, 'invalid_helpful', 'helpful must be true, false or null', 'helpful');
    end if;
    if jsonb_typeof(p_changes -> 'rating') not in ('number', 'null')
            or jsonb_typeof(p_changes -> 'rating') = 'number' and (p_changes ->> 'rating')::numeric not in (1, 2, 3, 4, 5) then
        perform uplift.fail(400, 'invalid_rating', 'rating must be a whole number from 1 to 5, or null', 'rating');
    end if;
    if jsonb_typeof(p_changes -> 'feedback_text') not in ('string', 'null') then
        perform uplift.fail(400, 'invalid_feedback_text', 'feedback_text must be text or null', 'feedback_text');
    end if;
    if length(p_changes ->> 'feedback_text') > 10000 then
        perform uplift.fail(400, 'invalid_feedback_text', 'feedback_text must have at most 10000 characters', 'feedback_text');
    end if;
end
$$;

comment on function uplift.check_feedback(jsonb) is
    'Returns when this is feedback. UP400 invalid_feedback, unknown_field, invalid_helpful, invalid_rating, invalid_feedback_text.';

create or replace function uplift.pending_feedback(p_user_id uuid, p_answer_id uuid, out said jsonb, out given_at timestamptz)
language sql stable
as $$
    select coalesce(jsonb_object_agg(w.key, w.value order by w.given_at, w.id), '{}'), max(w.given_at)
    from (
        select k.key, k.value, coalesce((e.repeated ->> k.key)::timestamptz, e.given_at) as given_at, e.id
        from uplift.feedback_events e cross join lateral jsonb_each(e.changes) as k
        where e.answer_id = p_answer_id and e.user_id = p_user_id and e.state = 'pending') w
$$;

comment on function uplift.pending_feedback(uuid, uuid) is
    'What a user said so far of an answer whose row is not there yet.';

create or replace function uplift.get_feedback(p_user_id uuid, p_answer_id uuid, p_issued boolean)
returns table (id uuid, helpful boolean, rating int, feedback_text text, feedback_given_at timestamptz, pending boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    select a.id, a.helpful, a.rating, a.feedback_text, a.feedback_given_at, false
    into id, helpful, rating, feedback_text, feedback_given_at, pending
    from public.coach_response_feedback a where a.id = p_answer_id and a.user_id = p_user_id;
    if not found then
        if p_issued is not true or exists (select from public.coach_response_feedback a where a.id = p_answer_id) then
            perform uplift.fail(404, 'answer_not_found', 'there is no such answer');
        end if;
        id := p_answer_id;
        pending := true;
        select (s.said ->> 'helpful')::boolean, (s.said ->> 'rating')::int, s.said ->> 'feedback_text', s.given_at
        into helpful, rating, feedback_text, feedback_given_at
        from uplift.pending_feedback(p_user_id, p_answer_id) s;
    end if;
    return next;
end
$$;

comment on function uplift.get_feedback(uuid, uuid, boolean) is
    'What a user said of an own answer. p_issued: the id was given to this user, so that a missing row means not yet recorded (pending true). UP404 answer_not_found.';

create or replace function uplift.give_feedback(p_user_id uuid, p_answer_id uuid, p_changes jsonb, p_issued boolean,
    p_given_at timestamptz default now(), p_event_id uuid default null)
returns table (id uuid, helpful boolean, rating int, feedback_text text, feedback_given_at timestamptz, pending boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- A clock that is ahead must not have the last word for longer than it is ahead.
    v_given_at timestamptz := least(coalesce(p_given_at, now()), clock_timestamp());
    v_owner uuid;
    v_said jsonb;
    v_news jsonb;
begin
    perform uplift.check_feedback(p_changes);
    if jsonb_typeof(p_changes -> 'rating') = 'number' then -- 4.0 is 4
        p_changes := p_changes || jsonb_build_object('rating', (p_changes ->> 'rating')::numeric::int);
    end if;

    if p_event_id is null or not exists (select from uplift.feedback_events e where e.event_id = p_event_id) then
        select a.user_id into v_owner from public.coach_response_feedback a where a.id = p_answer_id for no key update;
        if not found and p_issued then
            -- The row may be in a group that is being written: wait for those, and look again.
            perform pg_advisory_xact_lock(uplift.arrival_lock());
            select a.user_id into v_owner from public.coach_response_feedback a where a.id = p_answer_id for no key update;
        end if;
        if v_owner = p_user_id then
            perform uplift.apply_feedback(p_answer_id, p_changes, v_given_at,
                jsonb_build_object('source', 'route', 'event_id', p_event_id));
        elsif v_owner is not null or p_issued is not true then
            perform uplift.fail(404, 'answer_not_found', 'there is no such answer');
        else
            select s.said into v_said from uplift.pending_feedback(p_user_id, p_answer_id) s;
            select jsonb_object_agg(c.key, c.value) into v_news from jsonb_each(p_changes) c
            where v_said -> c.key is distinct from c.value;
            perform uplift.note_repeated(p_answer_id, 'pending', p_changes, v_given_at);
            if v_news is not null then
                insert into uplift.feedback_events (event_id, answer_id, user_id, changes, state, source, given_at)
                values (p_event_id, p_answer_id, p_user_id, v_news, 'pending', 'route', v_given_at)
                on conflict (event_id) where event_id is not null do nothing;
            end if;
        end if;
    end if;

    return query select f.* from uplift.get_feedback(p_user_id, p_answer_id, p_issued) f;
end
$$;

comment on function uplift.give_feedback(uuid, uuid, jsonb, boolean, timestamptz, uuid) is
    'A user''s feedback on an own answer: p_changes has helpful, rating, feedback_text, only what is said, null to take back. Returns what now stands. p_issued: the id was given to this user; if its row is missing, the words wait for it (pending true). p_given_at decides which of two words is the last; p_event_id makes it count once. UP400 as uplift.check_feedback; UP404 answer_not_found, the same for none and another user''s.';
