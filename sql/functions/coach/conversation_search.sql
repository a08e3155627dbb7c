-- Looking for a conversation by what was said in it: by the words of turns, which are kept for recall (recall.sql) as long
-- as the user lets coaches remember, and for everybody by the text itself of titles and of the last turns. Each way reads
-- by an index, and no more than so much.

create or replace function uplift.turns_with_words(p_user_id uuid, p_words text[]) returns uuid[]
language plpgsql stable
as $$
declare
    v_keys bigint[] := array(select distinct uplift.word_key(p_user_id, w) from unnest(p_words) w);
    -- Turns that are looked at for each word, the newest.
    v_most int := least(2000, 40000 / greatest(cardinality(v_keys), 1));
begin
    return (
        select array_agg(p.answer_id)
        from (
            select x.pos
            from unnest(v_keys) k(key)
            cross join lateral (
                select w.pos from uplift.passage_words w where w.key = k.key order by w.pos desc limit v_most) x
            group by x.pos having count(*) = cardinality(v_keys)
            order by x.pos desc limit 500) f
        cross join lateral (
            select y.answer_id from uplift.passages y where y.user_id = p_user_id and y.pos = f.pos offset 0) p);
end
$$;

comment on function uplift.turns_with_words(uuid, text[]) is
    'Answers of a user whose turns have all of these words (uplift.text_words), of the newest 2,000 turns of each word (of more than 20 words fewer, 40,000 in all) at most 500; null for none.';

create or replace function uplift.turns_with_text(p_user_id uuid, p_text text) returns uuid[]
language plpgsql stable
as $$
declare
    c_most constant int := 1000; -- turns that are looked at, the newest
begin
    return (
        select array_agg(x.id)
        from (
            select a.id, a.user_message, a.ai_response
            from public.coach_response_feedback a
            where a.user_id = p_user_id
            order by a.created_at desc limit c_most) x
        where strpos(lower(left(x.user_message, 20000)), p_text) > 0 or strpos(lower(left(x.ai_response, 20000)), p_text) > 0);
end
$$;

comment on function uplift.turns_with_text(uuid, text) is
    'Those of a user''s last 1,000 answers that have a text, in lower case, in them or in their questions, in the first 20,000 characters; null for none.';

create or replace function uplift.found_excerpt(p_question text, p_answer text, p_text text, p_words text[], p_max int) returns text
language plpgsql immutable parallel safe
as $$
begin
    if strpos(lower(left(p_question, 20000)), p_text) > 0 then
        return uplift.search_excerpt(p_question, array[p_text], p_max);
    elsif strpos(lower(left(p_answer, 20000)), p_text) > 0 then
        return uplift.search_excerpt(p_answer, array[p_text], p_max);
    end if;
    return uplift.search_excerpt(case when p_question <> '' and cardinality(uplift.words_there(uplift.searchable(p_question), p_words))
            >= cardinality(uplift.words_there(uplift.searchable(p_answer), p_words))
        then p_question else p_answer end, p_words, p_max);
end
$$;

comment on function uplift.found_excerpt(text, text, text, text[], int) is
    'Of a turn in which a text, in lower case, was found, or all of these words: an excerpt of the question or answer that has it, or more of them; null for none.';

create or replace function uplift.find_conversations(p_user_id uuid, p_search text, p_before timestamptz, p_limit int)
returns table (id uuid, title text, coach_id text, created_at timestamptz, updated_at timestamptz, excerpt text)
language plpgsql stable
as $$
#variable_conflict use_column
declare
    v_text text := lower(regexp_replace(btrim(p_search), '\s+', ' ', 'g'));
    v_words text[] := uplift.text_words(p_search, null);
begin
    if v_text = '' or length(p_search) > 200 then
        perform uplift.fail(400, 'invalid_q', 'q must have 1 to 200 characters', 'q');
    end if;
    return query
    with turns as materialized (
        -- Each by its key: the planner would read all answers that the user ever got.
        select f.id, a.conversation_id, a.created_at, a.user_message, a.ai_response
        from (
            select w.id from unnest(case when cardinality(v_words) > 0 then uplift.turns_with_words(p_user_id, v_words) end) w(id)
            union
            select t.id from unnest(uplift.turns_with_text(p_user_id, v_text)) t(id)) f
        cross join lateral (
            select x.conversation_id, x.user_id, x.created_at, x.user_message, x.ai_response
            from public.coach_response_feedback x where x.id = f.id offset 0) a
        where a.user_id = p_user_id
    ), latest as materialized (
        -- The last of a conversation that is still part of it.
        select distinct on (t.conversation_id) t.conversation_id, t.id, t.user_message, t.ai_response
        from turns t join uplift.conversations c on c.id = t.conversation_id and c.user_id = p_user_id and c.deleted_at is null
        where not uplift.is_replaced(t.created_at, c.replaced)
        order by t.conversation_id, t.created_at desc
    )
    select c.id, c.title, c.coach_id, c.created_at, c.updated_at,
        uplift.found_excerpt(l.user_message, l.ai_response, v_text, v_words, 120)
    from uplift.conversations c
    left join latest l on l.conversation_id = c.id
    where c.user_id = p_user_id and c.deleted_at is null and (p_before is null or c.updated_at < p_before)
        and (l.id is not null or strpos(lower(c.title), v_text) > 0)
    order by c.updated_at desc, c.id desc
    limit p_limit;
end
$$;

comment on function uplift.find_conversations(uuid, text, timestamptz, int) is
    'A user''s conversations that have all words of a text, in any of their forms, in one turn, or the text as it stands in their title or one of the user''s last 1,000 turns; latest answer first; excerpt is around where it was found, null for a title''s. UP400 invalid_q.';
