-- "What would be cited for this?": for admins, who have no copy to search, by one pass over all texts.

create or replace function uplift.folded(p_text text) returns text
language sql immutable parallel safe
as $$
    select translate(replace(lower(p_text), 'ß', 'ss'), 'àáâãäåāăąçćčďđèéêëēėęěìíîïīįłñńňòóôõöøōőřśšșşťțţùúûüūůűýÿźżžğ',
        'aaaaaaaaacccddeeeeeeeeiiiiiilnnnoooooooorsssstttuuuuuuuyyzzzg')
$$;

comment on function uplift.folded(text) is 'A text in small letters and without the accents of Latin letters, about as uplift.text_words() has them.';

create or replace function uplift.stem_begin(p_word text) returns text
language sql immutable parallel safe
as $$ select case when length(p_word) > 3 and p_word like '%i' then left(p_word, -1) else p_word end $$;

comment on function uplift.stem_begin(text) is 'What words of this stem have in common: English stems end in i where words end in y.';

create or replace function uplift.scan_knowledge(p_words text[], p_most int, out ids bigint[], out scores real[], out idf float8[], out mean float8,
    out searched int)
language plpgsql stable
as $$
declare
    v_stems text[] := array(select uplift.stem_begin(w) from unnest(p_words[:16]) w);
    v_ids bigint[];
begin
    -- One pass says which texts may have which words, as bits: texts alike are then counted together. Written out, because
    -- a query for each text would take most of the time.
    with texts as materialized (
        select t.id, t.weight, case when strpos(l.text, v_stems[1]) > 0 then 1 else 0 end
            + case when strpos(l.text, v_stems[2]) > 0 then 2 else 0 end
            + case when strpos(l.text, v_stems[3]) > 0 then 4 else 0 end
            + case when strpos(l.text, v_stems[4]) > 0 then 8 else 0 end
            + case when strpos(l.text, v_stems[5]) > 0 then 16 else 0 end
            + case when strpos(l.text, v_stems[6]) > 0 then 32 else 0 end
            + case when strpos(l.text, v_stems[7]) > 0 then 64 else 0 end
            + case when strpos(l.text, v_stems[8]) > 0 then 128 else 0 end
            + case when strpos(l.text, v_stems[9]) > 0 then 256 else 0 end
            + case when strpos(l.text, v_stems[10]) > 0 then 512 else 0 end
            + case when strpos(l.text, v_stems[11]) > 0 then 1024 else 0 end
            + case when strpos(l.text, v_stems[12]) > 0 then 2048 else 0 end
            + case when strpos(l.text, v_stems[13]) > 0 then 4096 else 0 end
            + case when strpos(l.text, v_stems[14]) > 0 then 8192 else 0 end
            + case when strpos(l.text, v_stems[15]) > 0 then 16384 else 0 end
            + case when strpos(l.text, v_stems[16]) > 0 then 32768 else 0 end as has
        from (select * from uplift.search_texts x where x.shelf = 'knowledge' and x.is_active order by x.id desc limit p_most) t
        cross join lateral (select coalesce(t.title || ' ', '') || t.body as text offset 0) w
        -- Most are of one byte a letter, and quick.
        cross join lateral (select case when octet_length(w.text) = length(w.text) then lower(w.text) else uplift.folded(w.text) end as text offset 0) l
    ), alike as materialized (
        select t.has, count(*) as texts from texts t group by t.has
    ), weights as materialized (
        select s.n, ln(1 + (greatest(sum(a.texts), 1000) - x.having_it + 0.5) / (x.having_it + 0.5))::float8 as idf
        from generate_subscripts(v_stems, 1) as s(n)
        cross join lateral (select coalesce(sum(k.texts), 0) as having_it from alike k where k.has & (1 << (s.n - 1)) <> 0) x
        cross join alike a
        group by s.n, x.having_it
    ), scores as materialized (
        select a.has, sum(w.idf) as score from alike a join weights w on a.has & (1 << (w.n - 1)) <> 0 group by a.has
    )
    select (select sum(a.texts) from alike a), (select array_agg(w.idf order by w.n) from weights w),
        array(select t.id from texts t join scores s on s.has = t.has order by s.score * t.weight desc, t.id limit 200)
    into searched, idf, v_ids;
    -- Those that have the most are read as a search reads them.
    with read as materialized (
        select t.id, t.weight, uplift.search_words(t.title, t.body, t.language) as words from uplift.search_texts t where t.id = any (v_ids)
    ), length as materialized (select avg(cardinality(r.words))::float8 as mean from read r)
    select l.mean, h.ids, h.scores
    into mean, ids, scores
    from length l
    cross join lateral (
        select array_agg(x.id order by x.score desc, x.id) as ids, array_agg(x.score order by x.score desc, x.id) as scores
        from (
            select r.id, (r.weight * uplift.search_score(uplift.word_counts(r.words), p_words, scan_knowledge.idf, l.mean))::real as score
            from read r order by 2 desc, 1 limit 20) x
        where x.score > 0) h;
end
$$;

comment on function uplift.scan_knowledge(text[], int) is
    'Searches the knowledge, the newest p_most texts of it, for up to 16 words of uplift.text_words() without a copy, reading all of it: ids and scores, best first, idf and mean as workers send them (uplift.search_hits), and how many texts were searched. How many texts have a word is counted by letters in a row, a few too many for short words; scores are near those of a chat, and not the same.';

create or replace function uplift.knowledge_left_out(p_text_id bigint, p_score float8, p_floor float8, p_user_id uuid, p_coach_id text) returns text
language plpgsql stable
as $$
declare
    v public.ai_knowledge_sources;
begin
    select s.* into v
    from uplift.search_texts t join public.ai_knowledge_sources s on s.id = t.ref where t.id = p_text_id;
    return case
        when v.id is null or v.is_active is false then 'withdrawn'
        when v.deprecated_by is not null then 'deprecated'
        when p_coach_id is null and v.coach_ids is not null or p_coach_id <> all (v.coach_ids) then 'coach'
        when not uplift.is_for_audience(v.target_audience, p_user_id) then 'audience'
        when p_score < p_floor then 'score'
        else 'room' end;
end
$$;

comment on function uplift.knowledge_left_out(bigint, float8, float8, uuid, text) is
    'Why a text that was found is not offered: withdrawn, deprecated, coach, audience, score, or, when it is none of these, room: others took it.';

create or replace function uplift_batch.admin_search_knowledge(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_question text := uplift.text_argument(p_arguments, 'question', 2000);
    v_coach text := uplift.text_argument(p_arguments, 'coach_id', 128);
    v_user uuid := uplift.uuid_argument(p_arguments, 'user_id');
    v_words text[];
    v_floor float8;
    v_limits uplift.prompt_limits;
    v_found record;
    v_offered record;
begin
    perform uplift.check_arguments(p_arguments, '{question,coach_id,user_id}');
    if btrim(v_question) is null or btrim(v_question) = '' then
        perform uplift.fail(400, 'missing_question', 'say what is asked: question', 'question');
    end if;
    v_words := array(
        select w.word from unnest(uplift.text_words(v_question, null)) with ordinality as w(word, n) group by w.word order by min(w.n) limit 16);
    select s.* into v_found from uplift.scan_knowledge(v_words, 100000) s;
    select l.* into v_limits from uplift.prompt_limits l;
    select k.* into v_offered
    from uplift.knowledge_for(v_user, v_coach, jsonb_build_object('words', v_words,
        -- All that is there was searched; nothing is newer.
        'knowledge', jsonb_build_object('origin', (select o.origin from uplift.search_origin o),
            'horizon', pg_snapshot_xmax(pg_current_snapshot())::text, 'mean', v_found.mean, 'idf', v_found.idf,
            'ids', v_found.ids, 'scores', v_found.scores)), v_limits.knowledge_bytes, v_limits.knowledge_share, v_limits.knowledge_similarity) k;
    v_floor := uplift.search_floor(to_jsonb(v_found.idf), v_limits.knowledge_share);
    return jsonb_build_object('object', 'list', 'words', v_words, 'searched', v_found.searched, 'least_score', round(v_floor::numeric, 4), 'lines', v_offered.lines,
        'citations', coalesce(v_offered.citations, '[]'), 'has_more', false, 'data', (
        select coalesce(jsonb_agg(jsonb_build_object('source_id', t.ref, 'part', t.part, 'title', coalesce(t.title, s.title, s.source_name), 'text', left(t.body, 500),
            'score', round(h.score::numeric, 4), 'number', c.citation -> 'number',
            'left_out', case when c.citation is null then uplift.knowledge_left_out(t.id, h.score, v_floor, v_user, v_coach) end) order by h.n), '[]')
        from unnest(v_found.ids, v_found.scores) with ordinality as h(id, score, n)
        join uplift.search_texts t on t.id = h.id
        left join public.ai_knowledge_sources s on s.id = t.ref
        left join lateral (
            select c.citation from jsonb_array_elements(v_offered.citations) c(citation)
            where c.citation ->> 'source_id' = t.ref::text and c.citation ->> 'part' = t.part::text limit 1) c on true));
end
$$;

comment on function uplift_batch.admin_search_knowledge(uuid, jsonb, text) is
    'What the prompt for a question (at most 2000 characters, 16 words of it) would be offered, for a coach and a user (coach_id, user_id: without them what is for all): {words, searched, least_score, lines, citations} and, in data, up to 20 passages that were found, best first, each with its number, or why it was left out (uplift.knowledge_left_out). Reads all knowledge, at most the newest 100,000 passages (uplift.scan_knowledge). UP400 missing_question, invalid_question, invalid_coach_id, invalid_user_id, unknown_argument.';
