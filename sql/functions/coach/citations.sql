-- Knowledge in a prompt: which passages of which sources, and what their numbers stand for.

create or replace function uplift.is_for_audience(p_audience text, p_user_id uuid) returns boolean
language plpgsql stable
as $$
begin
    if coalesce(btrim(p_audience), '') = '' or lower(btrim(p_audience)) = any ('{general,general public,everybody,everyone,all}') then
        return true;
    end if;
    -- Both may name several.
    return exists (
        select from (
            select t.trait_value from public.user_traits t
            where t.user_id = p_user_id and t.trait_key = 'audience' limit 10) u
        where regexp_split_to_array(lower(btrim(u.trait_value)), '\s*[,;]\s*') && regexp_split_to_array(lower(btrim(p_audience)), '\s*[,;]\s*'));
end
$$;

comment on function uplift.is_for_audience(text, uuid) is
    'Whether a source with this target_audience is for a user: one without any, or for general, everybody, everyone or all, is for all; any other for those whose trait audience names it. Both may name several, parted by commas; case makes no difference.';

create or replace function uplift.citation_url(p_url text) returns text
language sql immutable parallel safe
as $$ select case when p_url ~* '^https?://[^[:space:][:cntrl:]<>"]+$' and length(p_url) <= 2000 then p_url end $$;

comment on function uplift.citation_url(text) is 'An address that clients may link to: of http or https, without blanks, at most 2000 characters; null for any other.';

create or replace function uplift.knowledge_line(p_number int, p_title text, p_source_name text, p_body text) returns text
language sql immutable parallel safe
as $$
    -- With what the planner can inline: format() and concat_ws() would have this planned at each call.
    select '[' || p_number::text || '] '
        || uplift.as_data(case when p_title <> p_source_name then p_title || ' (' || p_source_name || ')' else p_source_name end, 200) || ': '
        || uplift.unnumbered(uplift.as_data(p_body, 20000))
$$;

comment on function uplift.knowledge_line(int, text, text, text) is
    'A passage as one line of a prompt: its number, title, source and text, at most 20,000 characters of it, which cannot close the section it stands in, nor pass for another number''s.';

create or replace function uplift.knowledge_for(p_user_id uuid, p_coach_id text, p_search jsonb, p_bytes int, p_share float8, p_similarity float8,
    out lines text, out source_ids uuid[], out citations jsonb)
language plpgsql stable
as $$
declare
    v_room int := p_bytes;
    v_floor float8 := uplift.search_floor(p_search -> 'knowledge' -> 'idf', p_share);
    v_hits record;
    v record;
    v_title text;
    v_line text;
    v_number int := 0;
    v_bodies text[] := array[]::text[];
    v_chunk_sources uuid[] := array[]::uuid[]; -- of each chunk taken
begin
    v_hits := uplift.search_hits('knowledge', p_search);
    if p_search ? 'embedding' then
        v_hits := uplift.with_near_hits(p_search -> 'embedding', p_coach_id, v_floor, p_similarity, v_hits.ids, v_hits.scores);
        v_floor := 0;
    end if;
    for i in 1 .. coalesce(cardinality(v_hits.ids), 0) loop
        exit when v_number = 4 or v_room < 80 or v_hits.scores[i] < v_floor;
        -- One by one: mostly the first few will do.
        select t.ref, t.part, t.title, t.body, k.source_name, k.title as source_title, k.source_url into v
        from uplift.search_texts t
        cross join lateral (select s.* from public.ai_knowledge_sources s where s.id = t.ref offset 0) k
        where t.id = v_hits.ids[i] and t.is_active and t.shelf = 'knowledge'
            and k.is_active is not false and k.deprecated_by is null and (k.coach_ids is null or p_coach_id = any (k.coach_ids))
            and (k.target_audience is null or uplift.is_for_audience(k.target_audience, p_user_id));
        continue when not found or v.body = any (v_bodies) or cardinality(array_positions(v_chunk_sources, v.ref)) >= 2;
        v_title := coalesce(nullif(btrim(v.title), ''), nullif(btrim(v.source_title), ''), v.source_name);
        v_line := uplift.knowledge_line(v_number + 1, v_title, v.source_name, v.body);
        if octet_length(v_line) > v_room then
            -- What does not fit whole makes room for what does; the best alone is cut.
            continue when v_number > 0;
            v_line := left(v_line, (v_room::bigint * length(v_line) / octet_length(v_line))::int);
        end if;
        v_number := v_number + 1;
        v_room := v_room - octet_length(v_line) - 1;
        v_bodies := v_bodies || v.body;
        v_chunk_sources := v_chunk_sources || v.ref;
        lines := case when lines is null then v_line else lines || e'\n' || v_line end;
        if source_ids is null or v.ref <> all (source_ids) then
            source_ids := source_ids || v.ref;
        end if;
        citations := coalesce(citations, '[]') || jsonb_build_object('number', v_number, 'source_id', v.ref, 'part', v.part,
            'title', left(regexp_replace(v_title, '[[:cntrl:]]+', ' ', 'g'), 200), 'url', uplift.citation_url(v.source_url));
    end loop;
end
$$;

comment on function uplift.knowledge_for(uuid, text, jsonb, int, float8, float8) is
    'The knowledge for one chat, of what was found for it (uplift.search_hits): lines of uplift.knowledge_line(), numbered from 1 and joined by line breaks; the sources, each once; and what the numbers stand for, [{"number", "source_id", "part", "title", "url"}]. All null where there is nothing. Sources that are active, not deprecated, for this coach (coach_ids null: all) and this user (uplift.is_for_audience), by their score, in which their reliability is (search_texts.weight), none below uplift.search_floor() with p_share; with the question''s embedding in p_search also those that are near it, ranked together (uplift.with_near_hits); at most 4 passages, 2 of a source, none twice, within p_bytes.';
