-- How well passages of earlier conversations are found: conversations with questions and evidence, in LoCoMo's layout.

create or replace function uplift.eval_time(p_text text) returns timestamptz
language plpgsql stable
as $$
begin
    if p_text ~* '^\s*\d{1,2}:\d\d\s*[ap]m on \d{1,2} [a-z]+,? \d{4}' then
        return to_timestamp(replace(lower(p_text), ',', ''), 'HH12:MI am "on" DD month YYYY');
    end if;
    return coalesce(p_text::timestamptz, now());
exception when others then
    return now();
end
$$;

comment on function uplift.eval_time(text) is 'A time such as "1:56 pm on 8 May, 2023", or as Postgres reads one; now for anything else.';

create or replace function uplift.eval_load(p_user_id uuid, p_conversation jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    v_session record;
    v_turn record;
    v_place uuid;
    v_id uuid;
    v_ids uuid[];
    v_known jsonb := jsonb_build_object();
begin
    for v_session in
        select c.key, c.value, uplift.eval_time(p_conversation ->> (c.key || '_date_time')) as said_at
        from jsonb_each(p_conversation) c
        where c.key ~ '^session_\d{1,6}$' and jsonb_typeof(c.value) = 'array' order by substr(c.key, 9)::int
    loop
        v_place := gen_random_uuid();
        v_ids := '{}';
        for v_turn in
            select t.n, t.value ->> 'dia_id' as name,
                concat_ws(' ', (t.value ->> 'speaker') || ':', t.value ->> 'text', t.value ->> 'blip_caption') as said
            from jsonb_array_elements(v_session.value) with ordinality t(value, n) order by t.n
        loop
            v_id := gen_random_uuid();
            insert into public.coach_response_feedback (id, user_id, user_message, ai_response, conversation_id, created_at)
            values (v_id, p_user_id, left(v_turn.said, 20000), '.', v_place, v_session.said_at + v_turn.n * interval '1 second');
            v_ids := v_ids || v_id;
            v_known := v_known || jsonb_build_object(coalesce(v_turn.name, v_id::text), v_id);
        end loop;
        perform uplift_chat.index_answers(v_ids);
    end loop;
    return v_known;
end
$$;

comment on function uplift.eval_load(uuid, jsonb) is
    'Writes a conversation of a sample as if a user had said each turn of it, a session as a conversation, and returns the answers'' ids by dia_id.';

create or replace function uplift.eval_ask(p_user_id uuid, p_questions jsonb, p_known jsonb) returns jsonb
language plpgsql volatile
as $$
declare
    v record;
    v_wanted text[];
    v_found text[];
    v_begun timestamptz;
    v_results jsonb := jsonb_build_array();
begin
    for v in
        select q.value ->> 'question' as question, q.value -> 'evidence' as evidence, coalesce(q.value ->> 'category', '') as category
        from jsonb_array_elements(p_questions) q where jsonb_typeof(q.value -> 'evidence') = 'array'
    loop
        -- Some sets have several in one text.
        v_wanted := array(
            select distinct p_known ->> btrim(e.part) from jsonb_array_elements_text(v.evidence) t
            cross join lateral regexp_split_to_table(t, '[;,\s]+') e(part) where p_known ? btrim(e.part));
        continue when v_wanted = '{}' or coalesce(v.question, '') = '';
        v_begun := clock_timestamp();
        v_found := array(select f.answer_id::text from uplift.find_passages(p_user_id, null, uplift.text_words(left(v.question, 2000), null), 0, 10) f);
        v_results := v_results || jsonb_build_object('category', v.category, 'ms', 1000 * date_part('epoch', clock_timestamp() - v_begun),
            'recall_5', (select count(*) from unnest(v_wanted) w where w = any (v_found[:5]))::float8 / cardinality(v_wanted),
            'recall_10', (select count(*) from unnest(v_wanted) w where w = any (v_found))::float8 / cardinality(v_wanted));
    end loop;
    return v_results;
end
$$;

comment on function uplift.eval_ask(uuid, jsonb, jsonb) is
    'Asks for the passages of each question whose evidence is known: [{category, ms, recall_5, recall_10}], the shares of its evidence among the first 5 and 10.';

create or replace function uplift_batch.eval_memory(p_sample jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
declare
    v_user_id constant uuid := gen_random_uuid();
    v_known jsonb;
    v_results jsonb;
begin
    if jsonb_typeof(p_sample -> 'conversation') is distinct from 'object' or jsonb_typeof(p_sample -> 'qa') is distinct from 'array' then
        perform uplift.fail(400, 'invalid_argument', 'a sample is {"conversation": {"session_1": [...], ...}, "qa": [...]}');
    end if;
    begin
        perform uplift.see_user(v_user_id);
        v_known := uplift.eval_load(v_user_id, p_sample -> 'conversation');
        v_results := uplift.eval_ask(v_user_id, p_sample -> 'qa', v_known);
        raise exception 'nothing of this is kept' using errcode = 'UX002';
    exception when sqlstate 'UX002' then
        null; -- variables stay as they are
    end;
    return jsonb_build_object('turns', (select count(*) from jsonb_object_keys(v_known)), 'questions', v_results);
end
$$;

comment on function uplift_batch.eval_memory(jsonb) is
    'How well passages are found in one sample of conversations with questions, in LoCoMo''s layout: {turns, questions: as uplift.eval_ask}. What it writes is rolled back. UP400 invalid_argument.';
