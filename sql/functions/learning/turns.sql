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
create or replace function uplift.is_liked(p_helpful boolean, p_rating bigint) returns boolean
language sql immutable parallel safe
as $$
    select p_helpful is not false and (p_rating >= 4 or p_rating is null and p_helpful is true)
$$;

comment on function uplift.is_liked(boolean, bigint) is
    'Whether feedback speaks for an answer: 4 stars or more, or a thumb up without stars, and no thumb down.';

create or replace function uplift.is_disliked(p_helpful boolean, p_rating bigint) returns boolean
language sql immutable parallel safe
as $$
    select p_helpful is false or coalesce(p_rating <= 2, false)
$$;

comment on function uplift.is_disliked(boolean, bigint) is 'Whether feedback speaks against an answer: a thumb down, or 2 stars or fewer.';

create or replace function uplift.verdict_score(p_helpful boolean, p_rating bigint) returns numeric
language sql immutable parallel safe
as $$
    select case
        when uplift.is_liked(p_helpful, p_rating) then coalesce(p_rating * 2, 7.0)
        when p_rating <= 2 then (6 - p_rating) * 2
        else 7.0 end
$$;

comment on function uplift.verdict_score(boolean, bigint) is
    'How much feedback says, up to 10: two for a star of an answer that is liked, two for each star that is missing (of 5, and one more) of one that is not, 7 for a thumb alone.';

create or replace function uplift.is_whole_answer(p_outcome text, p_finish_reason text, p_response_message jsonb) returns boolean
language sql immutable parallel safe
as $$
    select coalesce(p_outcome, 'complete') = 'complete'
        -- As different servers say that an answer came to its end. Any other word may mean that it was cut.
        and lower(coalesce(p_finish_reason, '')) in ('', 'stop', 'end_turn', 'stop_sequence', 'eos', 'eos_token', 'complete', 'completed')
        and (p_response_message is null or not (
            coalesce(p_response_message -> 'tool_calls', 'null') not in ('null', '[]', '{}', '""')
            or coalesce(p_response_message -> 'function_call', 'null') not in ('null', '{}', '""')
            or coalesce(p_response_message -> 'audio', 'null') not in ('null', '{}', '""')
            or coalesce(p_response_message ->> 'refusal', '') ~ '\S'))
$$;

comment on function uplift.is_whole_answer(text, text, jsonb) is
    'Whether an answer is all of it, and its text is all of it: ended by the model itself (not cut by a length or filter), no call of a tool, audio or refusal. Reasoning beside it, or a refusal that is null, does no harm.';

create or replace function uplift.spoken(p_question text, p_answer text) returns text
language sql immutable parallel safe
as $$ select md5(coalesce(p_question, '') || e'\x01' || p_answer) $$;

comment on function uplift.spoken(text, text) is 'What was said in a turn, as a hash.';

create or replace function uplift.message_text(p_message jsonb) returns text
language sql immutable parallel safe
as $$
    select case jsonb_typeof(p_message -> 'content')
        when 'string' then p_message ->> 'content'
        when 'array' then (
            select string_agg(c ->> 'text', e'\n' order by o) from jsonb_array_elements(p_message -> 'content') with ordinality x(c, o)
            where c ->> 'type' = 'text')
        end
$$;

comment on function uplift.message_text(jsonb) is 'The text of a message, whose content may be a list of parts; null for none.';

create or replace function uplift.read_request(p_request_messages jsonb, p_question text) returns jsonb
language plpgsql immutable parallel safe
as $$
declare
    v_message jsonb;
    v_role text;
    v_text text;
    v_last_role text := '';
    v_last_text text;
    v_left int := coalesce(jsonb_array_length(p_request_messages -> 'messages'), 0);
    -- What follows the question is the beginning of the answer, or instructions in an odd place.
    v_is_plain boolean := not p_request_messages ? 'user_message_at'
        and not p_request_messages @? '$.messages[*] ? (@.role == "tool" || @.role == "function" || exists(@.tool_calls[*]) || exists(@.function_call.name))'
        and not p_request_messages @? '$.messages[*].content[*] ? (@.type != "text")'
        and octet_length(p_request_messages::text) <= 65536 * 4
        and not uplift.looks_like_injection(p_request_messages::text);
    v_instructions text;
    v_history jsonb := jsonb '[]';
    v_spoken text;
begin
    for v_message in select m from jsonb_array_elements(p_request_messages -> 'messages') m loop
        exit when not v_is_plain;
        v_left := v_left - 1;
        v_role := v_message ->> 'role';
        v_text := uplift.message_text(v_message);
        if v_role in ('system', 'developer') then
            v_is_plain := v_last_role = '';
            v_instructions := concat_ws(e'\n', v_instructions, v_text);
            continue;
        end if;
        -- The question itself is there, too, when it has more than text, such as a name.
        continue when v_left = 0 and v_role = 'user' and v_text = p_question;
        v_is_plain := v_role in ('user', 'assistant') and v_role <> v_last_role and coalesce(v_text, '') ~ '\S';
        v_history := v_history || jsonb_build_object('role', v_role, 'content', v_text);
        if v_role = 'assistant' then
            v_spoken := concat_ws(' ', v_spoken, uplift.spoken(coalesce(v_last_text, ''), v_text));
        end if;
        v_last_role := v_role;
        v_last_text := v_text;
    end loop;
    return jsonb_build_object('is_plain', v_is_plain and v_last_role <> 'user', 'instructions', v_instructions,
        'history', v_history, 'spoken', coalesce(v_spoken, ''));
end
$$;

comment on function uplift.read_request(jsonb, text) is
    'What a client sent beside its question. is_plain: text alone, at most 65,536 tokens, that leads up to the question by turns, with instructions at its beginning alone; no images, calls or results of tools, attempts at injection, or beginning of an answer. instructions: of its own system and developer messages, null for none. history: the messages between. spoken: uplift.spoken() of its turns, by blanks.';

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
-- In the order of the index, and no further than the limit; the planner would rather read all of a lane
-- and sort it, while it has no statistics.
language plpgsql volatile set enable_bitmapscan = off
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
        begin
            -- A chunk's texts in memory. Too late in a session that had temporary tables before.
            perform set_config('temp_buffers', '64MB', true);
        exception when invalid_parameter_value then
            null;
        end;
        create temporary table training_turns (like uplift.training_turns including all)
            with (toast_tuple_target = 8160) on commit delete rows;
        create temporary table training_users (like uplift.training_users including all) on commit delete rows;
        create temporary table training_texts (like uplift.training_texts including all)
            with (toast_tuple_target = 8160) on commit delete rows;
        create temporary table training_inputs (like uplift.training_inputs including all)
            with (toast_tuple_target = 8160) on commit delete rows;
        create temporary table training_found (like uplift.training_found including all) on commit delete rows;
        create temporary table training_wanted (like uplift.training_wanted including all)
            with (toast_tuple_target = 8160) on commit delete rows;
        create temporary table training_prompts (like uplift.training_prompts including all) on commit delete rows;
        -- What is read again at once is not worth compressing.
        alter table training_inputs alter history set storage external, alter system set storage external;
        alter table training_texts alter answer set storage external, alter said set storage external;
        alter table training_wanted alter messages set storage external, alter completion set storage external;
    elsif exists (select from pg_class c
            where c.oid = any (array['pg_temp.training_turns'::regclass, 'pg_temp.training_users'::regclass, 'pg_temp.training_texts'::regclass,
                'pg_temp.training_inputs'::regclass, 'pg_temp.training_found'::regclass, 'pg_temp.training_wanted'::regclass,
                'pg_temp.training_prompts'::regclass]) and c.relowner <> current_user::regrole) then
        -- Whoever calls could otherwise put tables of its own in their place, with triggers that would
        -- run as this function's owner.
        raise exception 'the scratch tables of this session are somebody else''s' using errcode = 'insufficient_privilege';
    elsif exists (select from training_turns) or exists (select from training_found) then
        -- Of an earlier chunk of this transaction. Its end empties them for less.
        truncate training_turns, training_users, training_texts, training_inputs, training_found, training_wanted, training_prompts;
    end if;
end
$$;

comment on function uplift.make_training_scratch() is
    'Makes the session''s own empty training_turns, training_users, training_texts, training_inputs, training_found, training_wanted and training_prompts, as the tables of these names in schema uplift say.';

create or replace function uplift.rows_behind(p_answers uuid[]) returns uuid[]
language plpgsql stable
as $$
declare
    -- Turns of a conversation beyond these are examples of their own at most, and no history is longer.
    v_rows constant int := 96;
    v_asked uuid[];
    v_ids uuid[];
    v_more uuid[];
begin
    -- One that is gone tells no conversation: the versions that took its place do.
    v_asked := p_answers || array(
        select r.id from unnest(p_answers) i(id)
        cross join lateral (
            select a.id from public.coach_response_feedback a
            where a.regenerate_of = i.id and not exists (select from public.coach_response_feedback g where g.id = i.id) offset 0) r);
    with conversations as materialized (
        select distinct f.conversation_id as id
        from unnest(v_asked) i(id)
        cross join lateral (
            select a.conversation_id from public.coach_response_feedback a
            where a.id = i.id and a.conversation_id is not null offset 0) f
    ), beginnings as (
        select b.id, b.created_at, row_number() over (partition by c.id order by b.created_at, b.id) as place, c.id as conversation_id
        from conversations c
        cross join lateral (
            select a.id, a.created_at from public.coach_response_feedback a
            where a.conversation_id = c.id order by a.created_at, a.id limit v_rows) b
    ), later as (
        -- Of what is asked beyond the beginnings, the turns before.
        select a.id from unnest(v_asked) i(id)
        cross join lateral (
            select f.conversation_id, coalesce(
                    (select v.created_at from uplift.first_version(f.id, f.user_id) v where f.regenerate_of is not null), f.created_at) as until
            from public.coach_response_feedback f where f.id = i.id offset 0) f
        join beginnings b on b.conversation_id = f.conversation_id and b.place = v_rows and b.created_at < f.until
        cross join lateral (
            select a.id from public.coach_response_feedback a
            where a.conversation_id = f.conversation_id and a.created_at < f.until order by a.created_at desc limit v_rows) a
    )
    select array_agg(distinct x.id) into v_ids
    from (select b.id from beginnings b union all select l.id from later l union all select i from unnest(v_asked) i) x;
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
    return coalesce(v_ids, '{}');
end
$$;

comment on function uplift.rows_behind(uuid[]) is
    'These answers, the first 96 of their conversations, the 96 before each that is beyond those, and all versions of each.';

create or replace function uplift.message(p_role text, p_text text) returns jsonb
language sql stable parallel safe
as $$ select case when p_text <> '' then jsonb_build_object('role', p_role, 'content', p_text) end $$;

comment on function uplift.message(text, text) is 'A message; null for one without text.';

create or replace function uplift.alternating(p_questions jsonb[], p_answers jsonb[]) returns jsonb[]
language sql immutable parallel safe
as $$
    -- In the select list, which keeps no rows and their order.
    select array(select m.message
        from (select unnest(array[t.question, t.answer]) as message
            from (select unnest(p_questions) as question, unnest(p_answers) as answer) t) m
        where m.message is not null)
$$;

comment on function uplift.alternating(jsonb[], jsonb[]) is 'Questions, null for none, each with its answer, as one list of messages.';

create or replace function uplift.unlearnt(p_messages jsonb[]) returns jsonb[]
language sql immutable parallel safe
as $$
    select array(select case when m.message ->> 'role' = 'assistant' then m.message || '{"weight": 0}' else m.message end
        from (select unnest(p_messages) as message) m)
$$;

comment on function uplift.unlearnt(jsonb[]) is 'Messages whose answers are read and not learnt.';

-- How many rows there are the planner cannot know: tables are read by look-ups from lateral queries, and
-- what was read is joined by hashing.
create or replace function uplift.collect_training_turns(p_answers uuid[]) returns void
language plpgsql volatile set enable_nestloop = off
as $$
declare
    v_ids uuid[] := uplift.rows_behind(p_answers);
begin
    insert into training_turns (answer_id, user_id, conversation_id, turn_id, turn, is_shown, verdict, quality, history, history_hash,
        goes_on, style, request, prompt_key, coach_id, model_used, tags)
    with answers as materialized (
        -- Texts are left behind, and read again where they are needed: sorting rows with a page of
        -- text each takes longer.
        select a.*, case when a.regenerate_of is null then a.id
                else coalesce((select v.id from uplift.first_version(a.id, a.user_id) v), a.id) end as turn_id
        from unnest(v_ids) f(id)
        cross join lateral (
            select r.id, r.user_id, r.conversation_id, r.created_at, r.regenerate_of, r.ai_response <> '' as has_words,
                -- What was there when it was asked for.
                r.created_at - coalesce(r.response_time_ms, 0) * interval '1 millisecond' as asked_at,
                case when r.degraded then 0 else coalesce(r.history_turns, 50) end as history_turns,
                r.protocol is not distinct from 'completions' as is_client_led,
                uplift.spoken(r.user_message, r.ai_response) as spoken, q.request,
                r.coach_id, r.model_used, r.exposures,
                case when q.review = 'marked' then 10 else uplift.verdict_score(r.helpful, r.rating) end as quality,
                hashtextextended(coalesce(nullif(r.system_prompt, ''), r.system_prompt_id::text || coalesce(r.personal_prompt, '')), 0) as prompt_key,
                coalesce((q.request -> 'is_plain')::boolean, true) as is_plain, q.request ->> 'spoken' as client_spoken,
                concat_ws('|', r.coach_id, r.severity, r.mode, case when r.coach_id is null then coalesce(r.system_prompt_id::text, md5(r.system_prompt)) end,
                    md5(q.request ->> 'instructions')) as style,
                case when uplift.is_whole_answer(r.outcome, r.finish_reason, r.response_message)
                        and r.error_code is null and r.from_cache is not true
                        and r.user_message ~ '\S' and r.ai_response ~ '\S'
                    -- What an admin says of it goes before what its user said.
                    then case when q.review is not null then case q.review when 'marked' then true end
                        when uplift.is_liked(r.helpful, r.rating) then true
                        when uplift.is_disliked(r.helpful, r.rating) then false end
                    end as feedback
            from public.coach_response_feedback r
            cross join lateral (
                select case when r.request_messages is not null then uplift.read_request(r.request_messages, r.user_message) end as request,
                    (select w.review from uplift.answer_reviews w where w.answer_id = r.id) as review offset 0) q
            where r.id = f.id offset 0) a
    ), users as materialized (
        select u.user_id, uplift.may_train(u.user_id) as consents
        from (select distinct a.user_id from answers a) u
    ), deleted as materialized (
        select c.id from (select distinct a.conversation_id from answers a) i
        cross join lateral (select d.id from uplift.conversations d
            where d.id = i.conversation_id and d.deleted_at is not null offset 0) c
    ), cut as materialized (
        select c.id, c.replaced from (select distinct a.conversation_id from answers a) i
        cross join lateral (select d.id, d.replaced from uplift.conversations d
            where d.id = i.conversation_id and d.replaced is not null offset 0) c
    ), placed as materialized (
        select b.id from (
            select a.id, row_number() over (partition by a.conversation_id order by a.created_at, a.id) as place
            from answers a where a.conversation_id is not null) b
        where b.place <= 96
    ), screened as materialized (
        select a.*, case when a.is_plain and u.consents and d.id is null then a.feedback end as verdict,
            row_number() over (partition by a.turn_id order by a.has_words desc, a.created_at desc, a.id desc) = 1
                and not uplift.is_replaced(a.created_at, k.replaced) as is_shown,
            case when bool_or(a.id = a.turn_id) over (partition by a.turn_id) then min(a.created_at) over (partition by a.turn_id)
                else uplift.replaced_from(k.replaced, min(a.created_at) over (partition by a.turn_id)) end as first_at,
            bool_or(q.id is not null) over (partition by a.turn_id) as is_turn_asked,
            bool_or(p.id is not null) over (partition by a.turn_id) as has_place, k.id is not null as is_cut
        from answers a
        join users u on u.user_id = a.user_id
        left join deleted d on d.id = a.conversation_id
        left join cut k on k.id = a.conversation_id
        left join placed p on p.id = a.id
        left join unnest(p_answers) q(id) on q.id = a.id
    ), numbered as materialized (
        select s.*, case when s.has_place then
                dense_rank() over (partition by s.conversation_id, s.user_id, s.has_place order by s.first_at, s.turn_id) end as turn,
            case when s.regenerate_of is null then s.asked_at else s.first_at end as until
        from screened s
    ), asked as materialized (
        select n.id, n.conversation_id, n.user_id, n.until,
            case when n.is_cut then uplift.replaced_times(n.user_id, n.conversation_id, n.until) end as replaced
        from numbered n where n.verdict is not null and not n.is_client_led
    ), histories as materialized (
        -- As uplift_chat.prepare_chats() makes them.
        select x.id, array_agg(r.id order by r.created_at, r.id) as history, array_agg(r.spoken order by r.created_at, r.id) as spoken
        from asked x
        join numbered r on r.conversation_id = x.conversation_id and r.user_id = x.user_id and r.has_words
            and r.created_at < x.until and not uplift.is_replaced(r.created_at, x.replaced)
        group by x.id
    ), told as materialized (
        select n.*, case when not n.is_client_led
                then coalesce(h.history[greatest(cardinality(h.history) - n.history_turns, 0) + 1:], '{}') end as history,
            case when n.is_client_led then coalesce(n.client_spoken, '')
                else coalesce(array_to_string(h.spoken[greatest(cardinality(h.spoken) - n.history_turns, 0) + 1:], ' '), '') end as history_spoken
        from numbered n left join histories h on h.id = n.id
    ), followed as materialized (
        select t.*, t.turn is not null and t.is_shown and t.history_spoken = coalesce(string_agg(case when t.is_shown then t.spoken end, ' ') over (
                partition by t.conversation_id, t.user_id, t.has_place order by t.turn
                range between unbounded preceding and 1 preceding), '') as goes_on
        from told t
    ), liked as materialized (
        select f.*, f.has_place and bool_and(case when f.is_shown then f.verdict is true and f.goes_on end) over (
                partition by f.conversation_id, f.user_id, f.has_place order by f.turn) as is_liked_so_far,
            -- Those that were one example, or would have been but for another that says the same.
            max(greatest(d.turns, e.turns)) over (partition by f.conversation_id, f.user_id, f.has_place) as turns_before
        from followed f
        left join lateral (select max(x.turns) as turns from (
                select d.turns from uplift.training_duplicates d where d.answer_id = f.id offset 0) x
            where f.has_place and x.turns > 1) d on true
        left join lateral (select max(x.conversation_turns) as turns from (
                select e.conversation_turns, e.withdrawn_at from public.ai_training_examples e where e.source_id = f.id offset 0) x
            where f.has_place and x.conversation_turns > 1 and x.withdrawn_at is null) e on true
    )
    -- Not the turns that come after what is said of another one: what they are to be is the same
    -- as before.
    select l.id, l.user_id, l.conversation_id, l.turn_id, l.turn, l.is_shown, l.verdict, l.quality, l.history, md5(l.history_spoken)::uuid,
        l.goes_on, l.style, case when l.verdict is not null then l.request end, l.prompt_key, l.coach_id, l.model_used,
        uplift.example_tags(l.coach_id, l.model_used, l.exposures)
    from liked l
    where l.is_turn_asked or l.is_liked_so_far or l.turn <= l.turns_before;
end
$$;

comment on function uplift.collect_training_turns(uuid[]) is
    'Fills training_turns, but for the texts, with these answers, the liked beginnings of their conversations, the turns that were one example before, and all versions of each. An answer has a verdict, its feedback''s or that of an admin who marked it, only when it may train models: no admin rejected it, its user agreed (uplift.may_train), its conversation was not deleted, it is whole, made afresh and of text alone.';

create or replace function uplift.read_training_texts() returns void
language plpgsql volatile
as $$
begin
    insert into training_users (user_id, names)
    select t.user_id, uplift.profile_names(t.user_id) from (select distinct u.user_id from training_turns u where u.verdict is not null) t;

    with wanted as materialized (
        select t.answer_id, t.user_id, true as is_learnt from training_turns t where t.verdict is not null
        union all
        select distinct h.id, t.user_id, false
        from training_turns t cross join lateral unnest(t.history) as h(id)
        where t.verdict is not null and not exists (select from training_turns o where o.answer_id = h.id and o.verdict is not null)
    )
    insert into training_texts (answer_id, question, answer, question_tokens, answer_tokens, is_fit, answers_tools, said, question_hash, answer_hash)
    select w.answer_id, uplift.message('user', x.question), uplift.message('assistant', x.answer),
        octet_length(x.question) / 4 + 4, octet_length(x.answer) / 4 + 4, x.is_fit, x.answers_tools,
        n.question || ' ' || n.answer, md5(n.question)::uuid, md5(n.answer)::uuid
    from wanted w
    join training_users u on u.user_id = w.user_id
    cross join lateral (
        select uplift.redact(coalesce(a.user_message, ''), u.names) as question, uplift.redact(a.ai_response, u.names) as answer,
            not uplift.looks_like_injection(coalesce(a.user_message, '')) as is_fit, coalesce(a.answers_tools, false) as answers_tools
        from public.coach_response_feedback a where a.id = w.answer_id offset 0) x
    -- Both at once.
    left join lateral (
        select case when strpos(b.text, e' \x01') > 0 then btrim(s.question) else s.question end as question,
            case when strpos(b.text, e'\x01 ') > 0 then btrim(s.answer) else s.answer end as answer
        from (select uplift.normalised(x.question || e'\x01' || x.answer) as text offset 0) b
        cross join lateral (
            select split_part(b.text, e'\x01', 1) as question, substr(b.text, strpos(b.text, e'\x01') + 1) as answer offset 0) s) n on w.is_learnt;

    insert into training_inputs (answer_id, system, history, tokens)
    with prompts as materialized (
        -- Prompts are long, and mostly the same throughout a conversation.
        select d.user_id, d.prompt_key, uplift.redact(r.system_prompt, u.names) as system_prompt
        from (select distinct on (x.user_id, x.prompt_key) x.answer_id, x.user_id, x.prompt_key from training_turns x
            where x.verdict is not null and x.prompt_key is not null order by x.user_id, x.prompt_key) d
        join training_users u on u.user_id = d.user_id
        cross join lateral (select f.system_prompt from uplift.answer_prompts f where f.answer_id = d.answer_id offset 0) r
    ), histories as materialized (
        select t.answer_id, uplift.alternating(array_agg(case when b.answer_id is null then h.question end order by i.place),
                array_agg(h.answer order by i.place)) as messages,
            sum(case when b.answer_id is null then h.question_tokens else 0 end + h.answer_tokens)::int as tokens, bool_and(h.is_fit) as is_fit
        from training_turns t
        cross join lateral unnest(t.history) with ordinality as i(id, place)
        join training_texts h on h.answer_id = i.id
        -- The results of tools came with the question of the turn before once more.
        left join lateral (
            select x.answer_id from training_texts x
            where h.answers_tools and x.answer_id = t.history[i.place - 1] and x.question = h.question offset 0) b on true
        where t.verdict is not null
        group by t.answer_id
        union all
        select t.answer_id, array_agg(uplift.message(e.m ->> 'role', r.text) order by e.o),
            sum(octet_length(r.text) / 4 + 4)::int, true
        from training_turns t
        join training_users u on u.user_id = t.user_id
        cross join lateral jsonb_array_elements(t.request -> 'history') with ordinality as e(m, o)
        cross join lateral (select uplift.redact(e.m ->> 'content', u.names) as text offset 0) r
        where t.verdict is not null and t.history is null
        group by t.answer_id
    )
    select t.answer_id, uplift.message('system', k.system_prompt), h.messages,
        s.question_tokens + coalesce(h.tokens, 0) + coalesce(octet_length(k.system_prompt) / 4 + 4, 0)
    from training_turns t
    join training_texts s on s.answer_id = t.answer_id
    left join histories h on h.answer_id = t.answer_id
    left join prompts p on p.user_id = t.user_id and p.prompt_key = t.prompt_key
    left join training_users u on u.user_id = t.user_id and t.request is not null
    cross join lateral (
        select case when t.request ->> 'instructions' is null then p.system_prompt
            else concat_ws(e'\n\n', p.system_prompt, uplift.redact(t.request ->> 'instructions', u.names)) end as system_prompt offset 0) k
    where t.verdict is not null and s.is_fit and h.is_fit is not false;

    -- Attempts at injection, in the question or before it.
    update training_turns t set verdict = null
    where t.verdict is not null and not exists (select from training_inputs i where i.answer_id = t.answer_id);
end
$$;

comment on function uplift.read_training_texts() is
    'Reads the texts behind training_turns into training_texts and training_inputs, redacted, and takes the verdict of those that must not train models for what was said: attempts at injection, in the question or before it.';
