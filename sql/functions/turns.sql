-- From the queue to training_turns: the answers that are to be looked at, judged and redacted.

create or replace function uplift.training_split(p_user_id uuid) returns text
language sql immutable parallel safe
as $$
    -- md5 and not hashtext(), whose values may change with Postgres's version.
    select case
        when ('x' || left(md5(p_user_id::text), 8))::bit(32)::bigint % 100 < 80 then 'train'
        when ('x' || left(md5(p_user_id::text), 8))::bit(32)::bigint % 100 < 90 then 'validation'
        else 'test' end
$$;

comment on function uplift.training_split(uuid) is
    'train (80 of 100 users), validation (10) or test (10); always the same for a user, so that nobody is on two sides.';

-- A thumb down wins over stars, and stars over a thumb up.
create or replace function uplift.is_liked(p_helpful boolean, p_rating int) returns boolean
language sql immutable parallel safe
as $$
    select p_helpful is not false and (p_rating >= 4 or p_rating is null and p_helpful is true)
$$;

comment on function uplift.is_liked(boolean, int) is
    'Whether feedback speaks for an answer: 4 stars or more, or a thumb up without stars, and no thumb down.';

create or replace function uplift.is_disliked(p_helpful boolean, p_rating int) returns boolean
language sql immutable parallel safe
as $$
    select p_helpful is false or coalesce(p_rating <= 2, false)
$$;

comment on function uplift.is_disliked(boolean, int) is 'Whether feedback speaks against an answer: a thumb down, or 2 stars or fewer.';

create or replace function uplift.verdict_score(p_helpful boolean, p_rating int) returns numeric
language sql immutable parallel safe
as $$
    select case
        when uplift.is_liked(p_helpful, p_rating) then coalesce(p_rating * 2, 7.0)
        when p_rating <= 2 then (6 - p_rating) * 2
        else 7.0 end
$$;

comment on function uplift.verdict_score(boolean, int) is
    'How much feedback says, up to 10: two for a star of an answer that is liked, two for each star that is missing (of 5, and one more) of one that is not, 7 for a thumb alone.';

create or replace function uplift.is_plain_request(p_request_messages jsonb) returns boolean
language sql immutable parallel safe
as $$
    select p_request_messages is null or not (
        p_request_messages @? '$.messages[*] ? (@.role == "tool" || @.role == "function" || exists(@.tool_calls) || exists(@.function_call))'
        or p_request_messages @? '$.messages[*].content[*] ? (@.type != "text")'
        or uplift.looks_like_injection(p_request_messages::text))
$$;

comment on function uplift.is_plain_request(jsonb) is
    'Whether what a client sent beside its question was text alone: no images, no results of tools, no attempt at injection.';

create or replace function uplift.request_instructions(p_request_messages jsonb) returns text
language sql immutable parallel safe
as $$
    select string_agg(coalesce(p.text, m.message ->> 'content'), e'\n' order by m.position)
    from jsonb_array_elements(p_request_messages -> 'messages') with ordinality as m(message, position)
    left join lateral (
        select string_agg(c ->> 'text', e'\n' order by o) as text
        from jsonb_array_elements(case when jsonb_typeof(m.message -> 'content') = 'array' then m.message -> 'content' end)
            with ordinality x(c, o)) p on true
    where m.message ->> 'role' in ('system', 'developer')
$$;

comment on function uplift.request_instructions(jsonb) is 'The text of a client''s own system and developer messages; null for none.';

create or replace function uplift.example_tags(p_coach_id text, p_model text, p_exposures jsonb) returns text[]
language sql immutable parallel safe
as $$
    select array_remove(array['coach:' || p_coach_id, 'model:' || p_model], null) || case
        when jsonb_typeof(p_exposures) = 'array' then array(
            select 'arm:' || coalesce(x ->> 'experiment', x ->> 'experiment_name', x ->> 'experiment_id') || '/' || (x ->> 'variant')
            from jsonb_array_elements(p_exposures) x
            where coalesce(x ->> 'experiment', x ->> 'experiment_name', x ->> 'experiment_id') is not null
                and x ->> 'variant' is not null)
        else '{}' end
$$;

comment on function uplift.example_tags(text, text, jsonb) is
    'coach:ID, model:NAME, and arm:EXPERIMENT/VARIANT for each experiment an answer was made under.';

create or replace function uplift.training_lane(p_user_id uuid) returns smallint
language sql immutable parallel safe
as $$
    select (get_byte(uuid_send(p_user_id), 15) & 1)::smallint
$$;

comment on function uplift.training_lane(uuid) is
    'Which of the two lanes of uplift.training_queue a user is in: 0 or 1. A conversation is in one lane, so that two can work at once.';

create or replace function uplift.expand_training_queue() returns void
language plpgsql volatile
as $$
begin
    -- A whole conversation or user becomes its answers.
    with taken as (
        delete from uplift.training_queue q
        where q.answer_id is null and q.id in (
            select s.id from uplift.training_queue s where s.answer_id is null order by s.id limit 1000)
        returning q.conversation_id, q.user_id
    )
    insert into uplift.training_queue (answer_id, lane)
    select x.id, uplift.training_lane(x.user_id) from (select distinct t.conversation_id, t.user_id from taken t) t cross join lateral (
        select a.id, a.user_id from public.coach_response_feedback a
        where a.conversation_id = t.conversation_id and (a.helpful is not null or a.rating is not null)
        union all
        select a.id, a.user_id from public.coach_response_feedback a
        where a.user_id = t.user_id and (a.helpful is not null or a.rating is not null)) x;
    -- Who queued some did not know whose they are.
    update uplift.training_queue q set lane = coalesce((select uplift.training_lane(a.user_id)
        from public.coach_response_feedback a where a.id = q.answer_id), 0)
    where q.lane is null and q.answer_id is not null;
end
$$;

comment on function uplift.expand_training_queue() is
    'Makes entries of uplift.training_queue ready to be taken: each an answer, in its user''s lane.';

create or replace function uplift.take_training_queue(p_limit int, p_lane int, out answers uuid[], out remaining bigint)
language plpgsql volatile
as $$
declare
    -- What this transaction took is still in the index until it ends: it begins after that.
    v_key constant text := 'uplift.training_queue_after_' || p_lane;
    v_after bigint := coalesce(nullif(current_setting(v_key, true), '')::bigint, 0);
    v_last bigint;
begin
    select max(n.id) into v_last from (
        select q.id from uplift.training_queue q
        where q.lane = p_lane and q.id > v_after order by q.id limit greatest(p_limit, 1)) n;
    with taken as (
        delete from uplift.training_queue q
        where q.lane = p_lane and q.id > v_after and q.id <= v_last
        returning q.answer_id
    )
    select coalesce(array_agg(distinct t.answer_id), '{}') into answers from taken t where t.answer_id is not null;
    perform set_config(v_key, v_last::text, true);
    -- Not counted, which would read all of it every time: ids have hardly any gaps, and the lanes are
    -- about as long.
    remaining := coalesce((select (max(q.id) - coalesce(v_last, v_after) + 1) / 2 from uplift.training_queue q where q.lane = p_lane
        having max(q.id) > coalesce(v_last, v_after)), 0);
end
$$;

comment on function uplift.take_training_queue(int, int, out uuid[], out bigint) is
    'Takes about p_limit entries out of a lane of the queue, in their order: the answers they name, each once, and how many entries remain there, about (0: none).';

create or replace function uplift.make_training_scratch() returns void
language plpgsql volatile
as $$
begin
    if to_regclass('pg_temp.training_turns') is null then
        create temporary table training_turns (like uplift.training_turns including all)
            with (toast_tuple_target = 8160) on commit delete rows;
        create temporary table training_found (like uplift.training_found including all) on commit delete rows;
        create temporary table training_wanted (like uplift.training_wanted including all)
            with (toast_tuple_target = 8160) on commit delete rows;
    elsif exists (select from pg_class c
            where c.oid = any (array['pg_temp.training_turns'::regclass, 'pg_temp.training_found'::regclass,
                'pg_temp.training_wanted'::regclass]) and c.relowner <> current_user::regrole) then
        -- Whoever calls could otherwise put tables of its own in their place, with triggers that would
        -- run as this function's owner.
        raise exception 'the scratch tables of this session are somebody else''s' using errcode = 'insufficient_privilege';
    else
        truncate training_turns, training_found, training_wanted;
    end if;
end
$$;

comment on function uplift.make_training_scratch() is
    'Makes the session''s own empty training_turns, training_found and training_wanted, as the tables of these names in schema uplift say.';

create or replace function uplift.collect_training_turns(p_answers uuid[]) returns void
language plpgsql volatile
as $$
declare
    -- Turns of a conversation beyond these are examples of their own at most.
    v_rows constant int := 96;
    v_conversations uuid[];
    v_deleted uuid[];
    v_beginnings uuid[];
    v_ids uuid[];
    v_more uuid[];
begin
    select coalesce(array_agg(distinct a.conversation_id), '{}') into v_conversations
    from unnest(p_answers) i(id)
    cross join lateral (
        select f.conversation_id from public.coach_response_feedback f
        where f.id = i.id and f.conversation_id is not null offset 0) a;
    select array_agg(c.id) into v_deleted
    from unnest(v_conversations) i(id)
    cross join lateral (select d.id from uplift.conversations d where d.id = i.id and d.deleted_at is not null offset 0) c;

    select coalesce(array_agg(b.id), '{}') into v_beginnings
    from unnest(v_conversations) c(id)
    cross join lateral (
        select a.id from public.coach_response_feedback a
        where a.conversation_id = c.id order by a.created_at limit v_rows) b;
    select coalesce(array_agg(distinct i), '{}') into v_ids from unnest(v_beginnings || p_answers) i;
    -- And all versions of each. Not by a recursive query, whose hash table is made for many more.
    v_more := v_ids;
    loop
        select array_agg(distinct r.id) into v_more
        from unnest(v_more) f(id)
        cross join lateral (
            select a.id from public.coach_response_feedback a where a.regenerate_of = f.id
            union all
            select a.regenerate_of from public.coach_response_feedback a where a.id = f.id and a.regenerate_of is not null) r
        where not exists (select from unnest(v_ids) i(id) where i.id = r.id);
        exit when v_more is null;
        v_ids := v_ids || v_more;
    end loop;

    insert into training_turns (answer_id, user_id, conversation_id, turn_id, turn, is_shown, verdict, quality,
        system_prompt, question, answer, said, history_hash, style, coach_id, model_used, tags)
    with answers as materialized (
        -- Texts are left behind, and read again where they are needed: sorting rows with a page of
        -- text each takes longer.
        select a.*, b.id is not null as is_beginning, q.id is not null as is_asked,
            case when a.regenerate_of is null then a.id
                else coalesce((select v.id from uplift.first_version(a.id, a.user_id) v), a.id) end as turn_id
        from unnest(v_ids) f(id)
        left join unnest(v_beginnings) b(id) on b.id = f.id
        left join unnest(p_answers) q(id) on q.id = f.id
        cross join lateral (
            select r.id, r.user_id, r.conversation_id, r.created_at, r.regenerate_of, r.ai_response <> '' as has_words,
                hashtextextended(r.user_message, hashtextextended(r.ai_response, 0)) as spoken,
                md5(r.request_messages::text) as request, hashtextextended(r.system_prompt, 0) as prompt_key,
                concat_ws('|', r.coach_id, r.severity, r.mode, case when r.coach_id is null then md5(r.system_prompt) end) as style,
                case when coalesce(r.outcome, 'complete') = 'complete' and r.error_code is null and r.from_cache is not true
                        and coalesce(r.response_message, 'null') = 'null'
                        and r.user_message ~ '\S' and r.ai_response ~ '\S'
                    then case when uplift.is_liked(r.helpful, r.rating) then true
                        when uplift.is_disliked(r.helpful, r.rating) then false end
                    end as feedback
            from public.coach_response_feedback r where r.id = f.id offset 0) a
    ), users as materialized (
        select u.user_id, uplift.profile_names(u.user_id) as names,
            uplift.may_train(u.user_id) as consents
        from (select distinct a.user_id from answers a) u
    ), screened as materialized (
        select a.*, u.names, u.consents and not a.conversation_id = any (v_deleted) is true as is_allowed,
            row_number() over (partition by a.turn_id order by a.has_words desc, a.created_at desc, a.id desc) = 1 as is_shown,
            min(a.created_at) over (partition by a.turn_id) as first_at,
            bool_or(a.is_asked) over (partition by a.turn_id) as is_turn_asked,
            bool_or(a.is_beginning) over (partition by a.turn_id) and a.conversation_id is not null as has_place
        from answers a join users u on u.user_id = a.user_id
    ), placed as materialized (
        select s.*, case when s.has_place then
            dense_rank() over (partition by s.conversation_id, s.has_place order by s.first_at, s.turn_id) end as turn
        from screened s
    ), histories as materialized (
        select p.*, case
            when p.conversation_id is null then md5(coalesce(p.request, ''))
            when p.turn is not null then md5(coalesce(p.request, '') || coalesce(string_agg(
                    case when p.is_shown then p.spoken::text end, ' ') over (
                    partition by p.conversation_id, p.has_place order by p.turn
                    range between unbounded preceding and 1 preceding), '')) end::uuid as history_hash,
            p.has_place and bool_and(case when p.is_shown then p.feedback is true and p.is_allowed end) over (
                partition by p.conversation_id, p.has_place order by p.turn) as is_liked_so_far
        from placed p
    ), needed as materialized (
        -- Not the turns that come after what is said of another one: what they are to be is the same
        -- as before.
        select h.* from histories h
        where h.is_turn_asked or h.is_liked_so_far or exists (
            select from uplift.training_example_sources s join public.ai_training_examples e on e.id = s.example_id
            where s.answer_id = h.id and e.conversation_turns > 1 and e.withdrawn_at is null)
    ), prompts as materialized (
        -- Prompts are long, and mostly the same throughout a conversation.
        select d.user_id, d.prompt_key, uplift.redact(r.system_prompt, d.names) as system_prompt
        from (select distinct on (h.user_id, h.prompt_key) h.id, h.user_id, h.prompt_key, h.names from needed h
            where h.feedback is not null and h.prompt_key is not null order by h.user_id, h.prompt_key) d
        cross join lateral (select nullif(f.system_prompt, '') as system_prompt
            from public.coach_response_feedback f where f.id = d.id offset 0) r
    )
    select h.id, h.user_id, h.conversation_id, h.turn_id, h.turn, h.is_shown, case when r.is_fit then h.feedback end, r.quality,
        case when r.instructions is null then p.system_prompt
            else concat_ws(e'\n\n', p.system_prompt, uplift.redact(r.instructions, h.names)) end,
        r.question, r.answer, uplift.normalised(r.question || e'\n' || r.answer),
        h.history_hash, h.style, r.coach_id, r.model_used, r.tags
    from needed h
    left join prompts p on p.user_id = h.user_id and p.prompt_key = h.prompt_key
    left join lateral (
        select not uplift.looks_like_injection(a.user_message) and uplift.is_plain_request(a.request_messages) as is_fit,
            uplift.verdict_score(a.helpful, a.rating) as quality, a.coach_id, a.model_used,
            uplift.redact(a.user_message, h.names) as question, uplift.redact(a.ai_response, h.names) as answer,
            case when a.request_messages is not null then uplift.request_instructions(a.request_messages) end as instructions,
            uplift.example_tags(a.coach_id, a.model_used, a.exposures) as tags
        from public.coach_response_feedback a where a.id = h.id and h.feedback is not null and h.is_allowed offset 0) r on true;
end
$$;

comment on function uplift.collect_training_turns(uuid[]) is
    'Fills training_turns with these answers, the liked beginnings of their conversations, and all versions of each. An answer has a verdict only when it may train models: its user agreed (uplift.may_train), its conversation was not deleted, it is complete, made afresh and of text alone, and its question is no attempt at injection.';
