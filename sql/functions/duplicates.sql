-- Which examples say the same, exactly or nearly.
--
-- Exactly: the same words in any case and spacing, by hash. Nearly: by the pairs of neighbouring words
-- they share (Jaccard). To find those without comparing each with each, an example has a sketch: of
-- the hashes of its word pairs the 24 smallest, and of these the minima under 16 ways to mix them
-- up. Sketches agree in about as many places as the examples share word pairs. Four places
-- together make a band, and examples that agree in a whole band are compared in full.

create or replace function uplift.normalised(p_text text) returns text
language sql immutable parallel safe
as $$
    select btrim(replace(replace(replace(replace(replace(lower(p_text), e'\n', ' '), e'\t', ' '), e'\r', ' '), '  ', ' '), '  ', ' '))
$$;

comment on function uplift.normalised(text) is 'Text in lower case, with single blanks.';

create or replace function uplift.words_of(p_normalised text) returns text[]
language sql immutable parallel safe
as $$
    -- Long conversations are told apart by their beginnings.
    select string_to_array(replace(replace(replace(replace(replace(replace(
        left(p_normalised, 20000), ',', ''), '.', ''), '!', ''), '?', ''), '*', ''), ':', ''), ' ')
$$;

comment on function uplift.words_of(text) is 'The words of the first 20,000 characters of normalised text, without the commonest marks.';

create or replace function uplift.text_said(p_messages jsonb) returns text
language sql immutable parallel safe
as $$
    select string_agg(m ->> 'content', e'\n' order by o)
    from jsonb_array_elements(p_messages) with ordinality e(m, o)
    where m ->> 'role' in ('user', 'assistant')
$$;

comment on function uplift.text_said(jsonb) is 'What user and assistant say in messages, in one text.';

-- In PL/pgSQL, which keeps its plan.
create or replace function uplift.sketch(p_words text[]) returns bigint[]
language plpgsql immutable parallel safe
as $$
declare
    v int[];
begin
    -- hashtext() may be another one in a later major version: then old and fresh examples are not
    -- found to be alike any more, and nothing else happens.
    select array[min(h # 1779033703), min(h # 1013904242), min(h # 1359893119), min(h # 528734635),
        min(h # 1541459225), min(h # 1116352408), min(h # 1899447441), min(h # 961987163),
        min(h # 1508970993), min(h # 310598401), min(h # 607225278), min(h # 1426881987),
        min(h # 1925078388), min(h # 2132889090), min(h # 1680079193), min(h # 1046744716)]
    into v
    from (
        select hashtext(p.first || ' ' || p.second) as h
        from unnest(p_words, p_words[2:]) as p(first, second)
        where p.second is not null
        group by 1 order by 1 limit 24) s;
    return case when v[1] is not null then array[
        hash_array_extended(v[1:4], 1), hash_array_extended(v[5:8], 2),
        hash_array_extended(v[9:12], 3), hash_array_extended(v[13:16], 4)] end;
end
$$;

comment on function uplift.sketch(text[]) is
    'Four hashes of words in their order. Two texts that share 9 of 10 word pairs have one in common with 98.6 % of chances, two that share half of them with 23 %, two that share one in twenty practically never. Null for less than two words.';

create or replace function uplift.similarity(p_one jsonb, p_other jsonb) returns real
language sql immutable parallel safe
as $$
    with one as materialized (
        select distinct hashtext(p.first || coalesce(' ' || p.second, '')) as h
        from (select uplift.words_of(uplift.normalised(uplift.text_said(p_one))) as words) w
        cross join lateral unnest(w.words, w.words[2:]) as p(first, second)
    ), other as materialized (
        select distinct hashtext(p.first || coalesce(' ' || p.second, '')) as h
        from (select uplift.words_of(uplift.normalised(uplift.text_said(p_other))) as words) w
        cross join lateral unnest(w.words, w.words[2:]) as p(first, second)
    ), both_have as (
        select count(*) as n from one join other using (h)
    )
    select (b.n / greatest((select count(*) from one) + (select count(*) from other) - b.n, 1)::numeric)::real
    from both_have b
$$;

comment on function uplift.similarity(jsonb, jsonb) is
    'Of the pairs of neighbouring words in either of two lists of messages, the share that is in both: 0 to 1.';

create or replace function uplift.forget_sketches(p_example_ids uuid[]) returns void
language sql volatile
as $$
    delete from uplift.training_bands b
    using (
        select e.id, unnest(uplift.sketch(uplift.words_of(uplift.normalised(uplift.text_said(e.messages))))) as band
        from public.ai_training_examples e
        where e.id = any (p_example_ids) and e.likeness is not null and e.completion is null) s
    where b.band = s.band and b.example_id = s.id
$$;

comment on function uplift.forget_sketches(uuid[]) is 'Takes examples out of the search for near duplicates.';

create or replace function uplift.release_duplicates(p_example_ids uuid[]) returns void
language sql volatile
as $$
    with released as (
        delete from uplift.training_duplicates d where d.example_id = any (p_example_ids) returning d.answer_id
    )
    insert into uplift.training_queue (answer_id) select r.answer_id from released r
$$;

comment on function uplift.release_duplicates(uuid[]) is
    'Has what was dropped for these examples looked at again, because they are gone.';
