-- What training examples have to be brought in step with: everything that may change one ends up in
-- uplift.training_queue, as cheaply as can be, and uplift_batch.generate_training_examples() empties it.

create or replace function uplift.training_lane(p_user_id uuid) returns smallint
language sql immutable parallel safe
as $$
    select (get_byte(uuid_send(p_user_id), 15) & 1)::smallint
$$;

comment on function uplift.training_lane(uuid) is
    'Which of the two lanes of uplift.training_queue a user is in: 0 or 1. A conversation is in one lane, so that two can work at once.';

create or replace function uplift.queue_answer() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.training_queue (answer_id, lane)
    values (coalesce(new.id, old.id), uplift.training_lane(coalesce(new.user_id, old.user_id)));
    return null;
end
$$;

comment on function uplift.queue_answer() is
    'Trigger of coach_response_feedback: has the examples of this answer brought in step.';

create or replace function uplift.queue_turns() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.training_queue (answer_id, lane)
    values (old.id, uplift.training_lane(old.user_id));
    insert into uplift.training_queue (conversation_id)
    select distinct c.id from (values (old.conversation_id), (new.conversation_id)) as c(id) where c.id is not null;
    return null;
end
$$;

comment on function uplift.queue_turns() is
    'Trigger of coach_response_feedback: has the examples of a whole conversation brought in step, because a turn of it, which is history to those after it, was rewritten or is gone.';

create or replace function uplift.queue_late_turn() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    -- Also a late one is mostly the last of its conversation when it comes, and changes nothing.
    if exists (select from public.coach_response_feedback a
            where a.conversation_id = new.conversation_id and a.created_at > new.created_at) then
        insert into uplift.training_queue (conversation_id) values (new.conversation_id);
    end if;
    return new;
end
$$;

comment on function uplift.queue_late_turn() is
    'Trigger of coach_response_feedback: has the examples of a whole conversation brought in step, because a turn of it came after those that followed it.';

create or replace function uplift.queue_user() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.training_queue (user_id) values (coalesce(new.user_id, old.user_id));
    return null;
end
$$;

comment on function uplift.queue_user() is
    'Trigger of user_coach_preferences and user_traits: has the examples of this user brought in step, after a change of consent or of a name.';

create or replace function uplift.queue_conversation() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.training_queue (conversation_id) values (coalesce(new.id, old.id));
    return null;
end
$$;

comment on function uplift.queue_conversation() is
    'Trigger of uplift.conversations: has the examples of this conversation brought in step, when it is deleted or comes back.';

create or replace function uplift.queue_undecided() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'UPDATE' and new.value = old.value then
        return null;
    end if;
    insert into uplift.training_queue (user_id)
    select u.id from auth.users u
    where not exists (select from public.user_coach_preferences p where p.user_id = u.id and p.training_consent is not null);
    return null;
end
$$;

comment on function uplift.queue_undecided() is
    'Trigger of uplift.settings, when training.consent_default changes: has the examples of all brought in step who neither agreed nor refused.';

-- Only those that are missing, because making a trigger waits for everyone who writes there.
do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.name, t.table_name, t.definition
        from (values
            ('uplift_training_changed', 'public.coach_response_feedback',
                'after update on %s for each row when (old.helpful is distinct from new.helpful
                    or old.rating is distinct from new.rating) execute function uplift.queue_answer()'),
            -- By the columns that are named in the update: whoever gives feedback pays nothing for this.
            ('uplift_training_rewritten', 'public.coach_response_feedback',
                'after update of user_id, coach_id, user_message, ai_response, system_prompt, system_prompt_id,
                    personal_prompt, severity, mode, conversation_id, response_time_ms, created_at, outcome, error_code, model_used, protocol, finish_reason, request_messages,
                    response_message, regenerate_of, history_turns, degraded, from_cache, exposures, answers_tools
                    on %s for each row execute function uplift.queue_turns()'),
            -- An answer that comes with feedback, and one that takes the place of another, which
            -- then is no longer a part of its conversation.
            ('uplift_training_added', 'public.coach_response_feedback',
                'after insert on %s for each row when (new.helpful is not null or new.rating is not null
                    or new.regenerate_of is not null) execute function uplift.queue_answer()'),
            ('uplift_training_removed', 'public.coach_response_feedback',
                'after delete on %s for each row execute function uplift.queue_turns()'),
            -- From a spool.
            ('uplift_training_late', 'public.coach_response_feedback',
                -- Before, when a copy has not brought those after it.
                'before insert on %s for each row when (new.conversation_id is not null and new.created_at < now() - interval ''10 seconds'')
                    execute function uplift.queue_late_turn()'),
            ('uplift_training_conversation', 'uplift.conversations',
                'after update of deleted_at on %s for each row when (old.deleted_at is distinct from new.deleted_at)
                    execute function uplift.queue_conversation()'),
            ('uplift_training_conversation_gone', 'uplift.conversations',
                'after delete on %s for each row when (old.deleted_at is not null) execute function uplift.queue_conversation()'),
            ('uplift_training_consent', 'public.user_coach_preferences',
                'after update on %s for each row when (old.training_consent is distinct from new.training_consent)
                    execute function uplift.queue_user()'),
            ('uplift_training_answer', 'public.user_coach_preferences',
                'after insert on %s for each row when (new.training_consent is not null) execute function uplift.queue_user()'),
            ('uplift_training_answer_gone', 'public.user_coach_preferences',
                'after delete on %s for each row when (old.training_consent is not null) execute function uplift.queue_user()'),
            ('uplift_training_default', 'uplift.settings',
                'after insert or update on %s for each row when (new.key = ''training.consent_default'')
                    execute function uplift.queue_undecided()'),
            ('uplift_training_default_gone', 'uplift.settings',
                'after delete on %s for each row when (old.key = ''training.consent_default'')
                    execute function uplift.queue_undecided()'),
            ('uplift_training_name', 'public.user_traits',
                'after insert on %s for each row when (lower(new.trait_key) like ''%%name'') execute function uplift.queue_user()'),
            ('uplift_training_name_changed', 'public.user_traits',
                'after update on %s for each row when ((lower(old.trait_key) like ''%%name'' or lower(new.trait_key) like ''%%name'')
                    and (old.trait_key, old.trait_value) is distinct from (new.trait_key, new.trait_value))
                    execute function uplift.queue_user()'),
            ('uplift_training_name_gone', 'public.user_traits',
                'after delete on %s for each row when (lower(old.trait_key) like ''%%name'') execute function uplift.queue_user()')
        ) as t(name, table_name, definition)
        where not exists (select from pg_trigger p where p.tgrelid = to_regclass(t.table_name) and p.tgname = t.name)
    loop
        execute format('create trigger %I ', v_trigger.name) || format(v_trigger.definition, v_trigger.table_name);
        -- Feedback from before the queue.
        if v_trigger.name = 'uplift_training_changed' then
            insert into uplift.training_queue (answer_id, lane)
            select a.id, uplift.training_lane(a.user_id) from public.coach_response_feedback a
            where a.helpful is not null or a.rating is not null
            order by a.conversation_id, a.created_at;
        end if;
    end loop;
end
$$;
