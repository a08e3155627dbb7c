-- Feedback: the last word counts, and every word is kept.
--
-- Feedback comes by our route, by ours in PostgREST's form, or as a user's own UPDATE in SQL. Whichever
-- way it comes it has a time and an id from the moment it was accepted, and may get here late: from a
-- spool, or by a call that was given up while Postgres stood still. So each field of an answer's
-- feedback has the time of its last word (uplift.feedback_said), and a word from before that does not
-- count. What is news is appended to uplift.feedback_events, which nothing reads on the way: the
-- thousandth word costs what the first one did.
--
-- An answer that still streams has no row yet. Its feedback waits in uplift.feedback_said, and the
-- group that records the answer applies it. So that neither misses the other, both take a lock of
-- the answer's own.

create or replace function uplift.arrival_lock(p_answer_id uuid) returns bigint
language sql immutable parallel safe
as $$ select uuid_hash_extended(p_answer_id, 8316867361072510) $$;

comment on function uplift.arrival_lock(uuid) is
    'Key of the advisory lock that an answer being recorded shares with nobody but feedback for it, which takes it alone while the answer is not there.';

create or replace function uplift.note_words(p_answer_id uuid, p_user_id uuid, p_words jsonb, p_said_at timestamptz,
    p_waits boolean) returns jsonb
language plpgsql volatile
as $$
declare
    v_last jsonb;
begin
    with noted as (
        insert into uplift.feedback_said as s (answer_id, user_id, field, said_at, waiting)
        select p_answer_id, p_user_id, w.key, p_said_at, case when p_waits then w.value end
        from jsonb_each(p_words) w
        order by w.key
        on conflict (answer_id, user_id, field) do update set said_at = excluded.said_at, waiting = excluded.waiting
        where s.said_at <= excluded.said_at
        returning s.field
    )
    select coalesce(jsonb_object_agg(n.field, p_words -> n.field), '{}') into v_last from noted n;
    return v_last;
end
$$;

comment on function uplift.note_words(uuid, uuid, jsonb, timestamptz, boolean) is
    'Notes when fields of feedback were last said, and with p_waits what. Returns the words that are the last ones; what was said before is left out.';

create or replace function uplift.note_event(p_answer_id uuid, p_user_id uuid, p_words jsonb, p_stands jsonb,
    p_said_at timestamptz, p_event_id uuid, p_source text) returns void
language plpgsql volatile
as $$
begin
    insert into uplift.feedback_events (event_id, answer_id, user_id, changes, source, given_at)
    select coalesce(p_event_id, uplift.uuid_v7()), p_answer_id, p_user_id, n.words, p_source, p_said_at
    from (select jsonb_object_agg(w.key, w.value) as words from jsonb_each(p_words) w
        where p_stands -> w.key is distinct from w.value) n
    where n.words is not null
    on conflict (event_id) do nothing;
end
$$;

comment on function uplift.note_event(uuid, uuid, jsonb, jsonb, timestamptz, uuid, text) is
    'Appends what of p_words differs from what stands to the history; nothing when all is the same.';

create or replace function uplift.feedback_until(p_answer_id uuid, p_user_id uuid, p_helpful boolean, p_rating int, p_until timestamptz,
    out helpful boolean, out rating int)
language plpgsql stable
as $$
declare
    v_words jsonb;
begin
    select jsonb_object_agg(w.field, w.value) into v_words
    from (
        select distinct on (x.field) x.field, x.value
        from (
            select c.key as field, c.value, e.given_at, e.id
            from uplift.feedback_events e cross join lateral jsonb_each(e.changes) c
            where e.answer_id = p_answer_id and e.user_id = p_user_id and c.key in ('helpful', 'rating')
            union all
            -- What the history has no more, or never had, because it was there before: since when is known of most.
            select f.field, f.value, coalesce(s.said_at, '-infinity'), 0
            from (values ('helpful', to_jsonb(p_helpful)), ('rating', to_jsonb(p_rating))) as f(field, value)
            left join uplift.feedback_said s on s.answer_id = p_answer_id and s.user_id = p_user_id and s.field = f.field) x
        where x.given_at <= p_until
        order by x.field, x.given_at desc, x.id desc) w;
    helpful := (v_words ->> 'helpful')::boolean;
    rating := (v_words ->> 'rating')::int;
end
$$;

comment on function uplift.feedback_until(uuid, uuid, boolean, int, timestamptz, out boolean, out int) is
    'The thumb and the stars at a time of an answer that has these now: nulls where there were none, or what there was is not known any more.';

-- --- in SQL ---

create or replace function uplift.feedback_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_before jsonb := jsonb_build_object('helpful', old.helpful, 'rating', old.rating, 'feedback_text', old.feedback_text);
    v_words jsonb;
    v_said_at timestamptz;
begin
    if length(new.feedback_text) > 10000 then
        perform uplift.fail(400, 'invalid_feedback_text', 'feedback_text must have at most 10000 characters', 'feedback_text');
    end if;
    select jsonb_object_agg(w.key, w.value) into v_words
    from jsonb_each(jsonb_build_object('helpful', new.helpful, 'rating', new.rating, 'feedback_text', new.feedback_text)) w
    where w.value <> v_before -> w.key;
    -- It is said now, and is the last word, whatever a clock says.
    select greatest(statement_timestamp(), old.feedback_given_at, max(s.said_at)) into v_said_at
    from uplift.feedback_said s where s.answer_id = new.id and s.user_id = new.user_id and v_words ? s.field;
    perform uplift.note_words(new.id, new.user_id, v_words, v_said_at, false);
    perform uplift.note_event(new.id, new.user_id, v_words, v_before, v_said_at, null, 'sql');
    perform uplift.note_rated(new.created_at);
    new.feedback_given_at := v_said_at;
    return new;
end
$$;

comment on function uplift.feedback_changed() is
    'Trigger of coach_response_feedback: dates feedback that somebody writes in SQL, and keeps it as uplift_chat.give_feedback() does.';

create or replace function uplift.feedback_repeated() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.note_words(new.id, new.user_id, jsonb_build_object(tg_argv[0], null), statement_timestamp(), false);
    return new;
end
$$;

comment on function uplift.feedback_repeated() is
    'Trigger of coach_response_feedback: the same again is no news, but it is a later word. Without this, up in SQL, down that is still in a spool, and up in SQL again would end as down.';

-- Only those that are missing, because making a trigger waits for everyone who writes answers. Our own
-- functions have noted the words before they write them, and say so in the setting uplift.feedback, in
-- which nobody else is believed.
do $$
declare
    v_noted constant text := $w$case when current_setting('uplift.feedback', true) = 'noted'
        then has_table_privilege('uplift.feedback_said'::regclass, 'insert') else false end$w$;
    v_trigger record;
begin
    for v_trigger in
        select 'uplift_feedback' as name, 'update' as event, 'uplift.feedback_changed()' as action,
            'old.helpful is distinct from new.helpful or old.rating is distinct from new.rating
                or old.feedback_text is distinct from new.feedback_text' as condition
        union all
        select 'uplift_feedback_again_' || a.attname, 'update of ' || a.attname, format('uplift.feedback_repeated(%L)', f.field),
            format('old.%1$I is not distinct from new.%1$I', f.field)
        from (values ('helpful', 'helpful'), ('rating', 'rating'), ('feedback_text', 'feedback_text'),
            -- The name deployments have for it, kept in step.
            ('user_comment', 'feedback_text')) as f(name, field)
        join pg_attribute a on a.attrelid = 'public.coach_response_feedback'::regclass and a.attname = f.name and not a.attisdropped
    loop
        if not exists (select from pg_trigger
                where tgrelid = 'public.coach_response_feedback'::regclass and tgname = v_trigger.name) then
            execute format('create trigger %I before %s on public.coach_response_feedback for each row when ((%s) and not %s) execute function %s',
                v_trigger.name, v_trigger.event, v_trigger.condition, v_noted, v_trigger.action);
        end if;
    end loop;
end
$$;

-- --- by our routes ---

create or replace function uplift.write_feedback(p_answer_id uuid, p_words jsonb, p_said_at timestamptz) returns void
language plpgsql
as $$
declare
    v_created_at timestamptz;
begin
    perform set_config('uplift.feedback', 'noted', true);
    update public.coach_response_feedback a set
        helpful = case when p_words ? 'helpful' then (p_words ->> 'helpful')::boolean else a.helpful end,
        rating = case when p_words ? 'rating' then (p_words ->> 'rating')::int else a.rating end,
        feedback_text = case when p_words ? 'feedback_text' then p_words ->> 'feedback_text' else a.feedback_text end,
        feedback_given_at = greatest(a.feedback_given_at, p_said_at)
    where a.id = p_answer_id
    returning a.created_at into v_created_at;
    perform set_config('uplift.feedback', '', true);
    perform uplift.note_rated(v_created_at);
end
$$;

comment on function uplift.write_feedback(uuid, jsonb, timestamptz) is
    'Writes words that are noted already to their answer''s row.';

create or replace function uplift.apply_feedback(p_answer_id uuid, p_user_id uuid, p_words jsonb, p_said_at timestamptz,
    p_event_id uuid, p_source text, p_stands jsonb, p_stands_since timestamptz) returns void
language plpgsql
as $$
declare
    v_last jsonb;
begin
    if p_stands_since > p_said_at then
        -- Feedback from before there were such times was said when the answer's row says.
        insert into uplift.feedback_said (answer_id, user_id, field, said_at)
        select p_answer_id, p_user_id, s.key, p_stands_since from jsonb_each(p_stands) s where s.value <> 'null'
        order by s.key
        on conflict do nothing;
    end if;
    v_last := uplift.note_words(p_answer_id, p_user_id, p_words, p_said_at, false);
    perform uplift.note_event(p_answer_id, p_user_id, p_words, p_stands, p_said_at, p_event_id, p_source);
    if not p_stands @> v_last then
        perform uplift.write_feedback(p_answer_id, v_last, p_said_at);
    end if;
end
$$;

comment on function uplift.apply_feedback(uuid, uuid, jsonb, timestamptz, uuid, text, jsonb, timestamptz) is
    'Gives feedback to an answer whose row is locked and has p_stands since p_stands_since.';

create or replace function uplift.apply_waiting_feedback(p_answer_ids uuid[]) returns void
language plpgsql
as $$
declare
    v_waiting record;
begin
    -- Mostly nothing does, which a small index tells.
    if not exists (select from uplift.feedback_said s where s.answer_id = any (p_answer_ids) and s.waiting is not null) then
        return;
    end if;
    -- By the key, one by one: a plan that was made while the table was small might read it whole.
    for v_waiting in
        select i.id, w.words, w.said_at
        from unnest(p_answer_ids) i(id)
        cross join lateral (
            select jsonb_object_agg(s.field, s.waiting) filter (where s.user_id = a.user_id) as words,
                max(s.said_at) filter (where s.user_id = a.user_id) as said_at, count(*) as count, (array_agg(a.user_id))[1] as owner
            from uplift.feedback_said s
            join public.coach_response_feedback a on a.id = s.answer_id
            where s.answer_id = i.id and s.waiting is not null) w
        where w.count > 0
        -- By user, as whoever else changes what is known of several: none waits for another in a circle.
        order by w.owner, i.id
    loop
        if v_waiting.words is not null then
            perform uplift.write_feedback(v_waiting.id, v_waiting.words, v_waiting.said_at);
        end if;
        delete from uplift.feedback_said s using public.coach_response_feedback a
        where s.answer_id = v_waiting.id and a.id = s.answer_id and s.user_id <> a.user_id;
        update uplift.feedback_said s set waiting = null where s.answer_id = v_waiting.id;
    end loop;
end
$$;

comment on function uplift.apply_waiting_feedback(uuid[]) is
    'Applies the feedback that came before these answers'' rows; what is not of the answer''s own user is forgotten.';

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
        perform uplift.fail(400, 'unknown_parameter', 'feedback has only helpful, rating and feedback_text', v_unknown);
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
    'Returns when this is feedback. UP400 invalid_feedback, unknown_parameter, invalid_helpful, invalid_rating, invalid_feedback_text.';

create or replace function uplift.waiting_feedback(p_user_id uuid, p_answer_id uuid, out words jsonb, out said_at timestamptz)
language sql stable
as $$
    select coalesce(jsonb_object_agg(s.field, s.waiting), '{}'), max(s.said_at)
    from uplift.feedback_said s
    where s.answer_id = p_answer_id and s.user_id = p_user_id and s.waiting is not null
$$;

comment on function uplift.waiting_feedback(uuid, uuid) is
    'What a user said so far of an answer whose row is not there yet.';

create or replace function uplift_chat.get_feedback(p_user_id uuid, p_answer_id uuid, p_issued boolean)
returns table (id uuid, helpful boolean, rating int, feedback_text text, feedback_given_at timestamptz, pending boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
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
        select (s.words ->> 'helpful')::boolean, (s.words ->> 'rating')::int, s.words ->> 'feedback_text', s.said_at
        into helpful, rating, feedback_text, feedback_given_at
        from uplift.waiting_feedback(p_user_id, p_answer_id) s;
    end if;
    return next;
end
$$;

comment on function uplift_chat.get_feedback(uuid, uuid, boolean) is
    'What a user said of an own answer. p_issued: the id was given to this user, so that a missing row means not yet recorded (pending true). UP404 answer_not_found.';

create or replace function uplift_chat.give_feedback(p_user_id uuid, p_answer_id uuid, p_changes jsonb, p_issued boolean,
    p_given_at timestamptz default statement_timestamp(), p_event_id uuid default null, p_source text default 'route')
returns table (id uuid, helpful boolean, rating int, feedback_text text, feedback_given_at timestamptz, pending boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    -- A clock that is ahead must not have the last word for longer than it is ahead.
    v_given_at timestamptz := least(coalesce(p_given_at, statement_timestamp()), clock_timestamp());
    v_answer record;
    v_stands jsonb;
begin
    perform uplift.check_feedback(p_changes);
    if jsonb_typeof(p_changes -> 'rating') = 'number' then -- 4.0 is 4
        p_changes := p_changes || jsonb_build_object('rating', (p_changes ->> 'rating')::numeric::int);
    end if;

    if p_event_id is null or not exists (select from uplift.feedback_events e where e.event_id = p_event_id) then
        -- Before any row is, or the two could wait for each other.
        perform pg_advisory_xact_lock_shared(uplift.erasure_lock(p_user_id));
        for v_try in 1 .. 2 loop
            select a.user_id, a.feedback_given_at as since,
                jsonb_build_object('helpful', a.helpful, 'rating', a.rating, 'feedback_text', a.feedback_text) as stands
            into v_answer
            from public.coach_response_feedback a where a.id = p_answer_id for no key update;
            exit when found or p_issued is not true or v_try = 2;
            -- The row may be in a group that is being written: wait for that, and look again.
            perform pg_advisory_xact_lock(uplift.arrival_lock(p_answer_id));
        end loop;
        if v_answer.user_id = p_user_id then
            perform uplift.apply_feedback(p_answer_id, p_user_id, p_changes, v_given_at, p_event_id, p_source,
                v_answer.stands, v_answer.since);
        elsif v_answer.user_id is not null or p_issued is not true then
            perform uplift.fail(404, 'answer_not_found', 'there is no such answer');
        else
            -- It would wait for ever for an answer that was erased.
            if uplift.is_erased(p_user_id, uplift.time_of(p_answer_id)) then
                perform uplift.fail(404, 'answer_not_found', 'there is no such answer');
            end if;
            select w.words into v_stands from uplift.waiting_feedback(p_user_id, p_answer_id) w;
            perform uplift.note_words(p_answer_id, p_user_id, p_changes, v_given_at, true);
            perform uplift.note_event(p_answer_id, p_user_id, p_changes, v_stands, v_given_at, p_event_id, p_source);
        end if;
    end if;

    return query select f.* from uplift_chat.get_feedback(p_user_id, p_answer_id, p_issued) f;
end
$$;

comment on function uplift_chat.give_feedback(uuid, uuid, jsonb, boolean, timestamptz, uuid, text) is
    'A user''s feedback on an own answer: p_changes has helpful, rating, feedback_text, only what is said, null to take back. Returns what now stands. p_issued: the id was given to this user; if its row is missing, the words wait for it (pending true). p_given_at, when it was accepted, decides which of two words is the last; p_event_id, made then, lets it count once, however often it comes; p_source: which way it came. UP400 as uplift.check_feedback; UP404 answer_not_found, the same for none and another user''s.';

create or replace function uplift_chat.take_feedback(p_user_id uuid, p_answer_id uuid, p_changes jsonb, p_issued boolean,
    p_given_at timestamptz, p_event_id uuid, p_address text, p_api_key text)
returns table (id uuid, helpful boolean, rating int, feedback_text text, feedback_given_at timestamptz, pending boolean, refusal jsonb)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_message text;
    v_code text;
    v_param text;
begin
    refusal := uplift.charge_feedback(p_user_id, p_address, p_api_key, 1);
    if refusal is not null then
        return next;
        return;
    end if;
    return query select f.*, null::jsonb
        from uplift_chat.give_feedback(p_user_id, p_answer_id, p_changes, p_issued, p_given_at, p_event_id) f;
exception when sqlstate 'UP400' or sqlstate 'UP404' then
    get stacked diagnostics v_message = message_text, v_code = pg_exception_detail, v_param = pg_exception_hint;
    -- The charge was undone with the rest, but what is asked for in vain costs as much.
    refusal := coalesce(uplift.charge_feedback(p_user_id, p_address, p_api_key, 1),
        jsonb_build_object('status', right(sqlstate, 3)::int, 'code', v_code, 'message', v_message, 'param', v_param));
    return next;
end
$$;

comment on function uplift_chat.take_feedback(uuid, uuid, jsonb, boolean, timestamptz, uuid, text, text) is
    'uplift_chat.give_feedback() as somebody asks for it now, by an address and perhaps an API key: rate limits are charged, and may refuse it (as uplift.charge_feedback). What uplift_chat.give_feedback() raises is charged, too, and is then the refusal, {status, code, message, param}.';
