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
    -- The same whatever the database's locale.
    select btrim(replace(replace(replace(replace(replace(lower(p_text collate "C"), e'\n', ' '), e'\t', ' '), e'\r', ' '),
        '  ', ' '), '  ', ' '))
$$;

comment on function uplift.normalised(text) is 'Text with A to Z in lower case, and single blanks.';

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

create or replace function uplift.sketch(p_words text[]) returns bigint[]
language plpgsql immutable parallel safe
as $$
declare
    v bigint[];
    -- Of more than a few lines every fourth pair will do.
    v_mask int := case when cardinality(p_words) > 60 then 3 else 0 end;
begin
    -- These hashes may be others in a later major version: then old and fresh examples are not found
    -- to be alike any more, and nothing else happens.
    select array[min(h # 8742514861359412280), min(h # 3641603982383516983), min(h # 445363681616962640), min(h # 7574918311415852851),
        min(h # 868196408185819179), min(h # 5375270654777870840), min(h # 8390539026135319669), min(h # 1980241222855773941),
        min(h # 792723338049442008), min(h # 3856957380441106266), min(h # 2219724388333390735), min(h # 5082513832886728665),
        min(h # 545198181100374566), min(h # 5215389816265151663), min(h # 8738681121152269347), min(h # 5816497446257569881)]
    into v
    from (
        -- Unnested in the select list, which keeps no rows, twice as fast as in the from clause.
        select hashtextextended(p.first, hashtext(p.second)) as h
        from (select unnest(p_words) as first, unnest(p_words[2:]) as second) p
        where p.second is not null and hashtext(p.first) & v_mask = 0
        order by 1 limit 24) s;
    return case when v[1] is not null then array[
        hash_array_extended(v[1:4], 1), hash_array_extended(v[5:8], 2),
        hash_array_extended(v[9:12], 3), hash_array_extended(v[13:16], 4)] end;
end
$$;

comment on function uplift.sketch(text[]) is
    'Four hashes of words in their order. Two texts that share 9 of 10 word pairs have one in common with 98.6 % of chances, two that share half of them with 23 %, two that share one in twenty practically never. Null for less than two words.';

-- In PL/pgSQL, which keeps its plan; so is uplift.sketch().
create or replace function uplift.similarity(p_one jsonb, p_other jsonb) returns real
language plpgsql immutable parallel safe
as $$
declare
    v_one text[] := uplift.words_of(uplift.normalised(uplift.text_said(p_one)));
    v_other text[] := uplift.words_of(uplift.normalised(uplift.text_said(p_other)));
begin
    -- Far apart in length they cannot be alike.
    if least(cardinality(v_one), cardinality(v_other)) < greatest(cardinality(v_one), cardinality(v_other)) / 2 then
        return 0;
    end if;
    return (
        select count(*) filter (where b.sides = 2) / greatest(count(*), 1)::real
        from (
            select p.h, count(distinct p.side) as sides
            from (
                select 1 as side, hashtextextended(w.first, coalesce(hashtext(w.second), 0)) as h
                from (select unnest(v_one) as first, unnest(v_one[2:]) as second) w
                union all
                select 2, hashtextextended(w.first, coalesce(hashtext(w.second), 0))
                from (select unnest(v_other) as first, unnest(v_other[2:]) as second) w) p
            group by p.h) b);
end
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

create or replace function uplift.yields_to(p_source_type text, p_review text, p_edited_at timestamptz,
    p_quality numeric, p_other_quality numeric) returns boolean
language sql immutable parallel safe
as $$
    select p_source_type = 'user_conversation' and p_review is null and p_edited_at is null
        and coalesce(p_quality, 0) < p_other_quality
$$;

comment on function uplift.yields_to(text, text, timestamptz, numeric, numeric) is
    'Whether an example is dropped for a better rated one that says the same: never what a person wrote, edited or reviewed.';

create or replace function uplift.drop_for(p_example_ids uuid[], p_kept_ids uuid[], p_are_exact boolean) returns int
language plpgsql volatile
as $$
begin
    if cardinality(p_example_ids) = 0 then
        return 0;
    end if;
    -- What was dropped for them is now dropped for the others.
    update uplift.training_duplicates d set example_id = x.kept_id
    from unnest(p_example_ids, p_kept_ids) as x(id, kept_id) where d.example_id = x.id;
    insert into uplift.training_duplicates (dataset_id, answer_id, example_id, is_exact)
    select e.dataset_id, e.source_id, x.kept_id, p_are_exact
    from unnest(p_example_ids, p_kept_ids) as x(id, kept_id)
    join public.ai_training_examples e on e.id = x.id
    on conflict (answer_id, dataset_id) do update set example_id = excluded.example_id, is_exact = excluded.is_exact;
    return uplift.withdraw_examples(p_example_ids);
end
$$;

comment on function uplift.drop_for(uuid[], uuid[], boolean) is
    'Withdraws examples because better rated ones say the same, and remembers for which. Returns how many.';

create or replace function uplift.drop_exact_duplicates() returns int
language plpgsql volatile
as $$
declare
    v record;
    v_dropped uuid[] := array[]::uuid[];
    v_kept uuid[] := array[]::uuid[];
begin
    update training_wanted w set duplicate_of = k.first_id, is_exact = true
    from (
        select f.id, first_value(coalesce(f.example_id, f.id)) over r as first_id, row_number() over r as rank
        from training_wanted f where f.is_fresh
        window r as (partition by f.dataset_id, f.likeness order by f.quality desc, f.source_id)) k
    where k.id = w.id and k.rank > 1;

    for v in
        select w.id, coalesce(w.example_id, w.id) as final_id, e.id as other_id,
            uplift.yields_to(e.source_type, e.review, e.edited_at, e.quality_score, w.quality) as is_better
        from training_wanted w
        cross join lateral (
            select x.* from (select l.* from public.ai_training_examples l where l.likeness = w.likeness offset 0) x
            where x.dataset_id = w.dataset_id and x.withdrawn_at is null
                and x.id is distinct from w.example_id and x.id is distinct from w.replaces
                -- Not one that is about to say something else.
                and not exists (select from training_wanted o
                    where o.dataset_id = x.dataset_id and o.source_id = x.source_id and o.is_fresh
                        and (o.example_id = x.id or o.replaces = x.id))
            order by x.quality_score desc nulls last, x.id limit 1) e
        where w.is_fresh and w.duplicate_of is null
            -- Hardly any has one: the plain look-up first.
            and exists (select from public.ai_training_examples l where l.likeness = w.likeness)
    loop
        if v.is_better then
            v_dropped := v_dropped || v.other_id;
            v_kept := v_kept || v.final_id;
        else
            update training_wanted w set duplicate_of = v.other_id, is_exact = true where w.id = v.id;
        end if;
    end loop;
    -- What was to be dropped for one that is itself a duplicate.
    update training_wanted w set duplicate_of = k.duplicate_of
    from training_wanted k
    where w.duplicate_of = coalesce(k.example_id, k.id) and k.duplicate_of is not null;
    return uplift.drop_for(v_dropped, v_kept, true);
end
$$;

comment on function uplift.drop_exact_duplicates() is
    'Marks the rows of training_wanted that say the same as another one or an example, and withdraws examples that such a row is better than. Returns how many of those.';

create or replace function uplift.is_alike(p_messages jsonb, p_wanted_id uuid, p_example_id uuid) returns boolean
language plpgsql volatile
as $$
declare
    v_other jsonb;
begin
    if p_wanted_id is not null then
        select w.messages into v_other from training_wanted w where w.id = p_wanted_id and w.duplicate_of is null;
    else
        select e.messages into v_other from public.ai_training_examples e
        where e.id = p_example_id and e.withdrawn_at is null
            -- Not one that is about to say something else.
            and not exists (select from training_wanted w where w.example_id = p_example_id and w.is_fresh);
        if not found and not exists (select from public.ai_training_examples e
                where e.id = p_example_id and e.withdrawn_at is null) then
            delete from uplift.training_bands b where b.example_id = p_example_id
                and b.band = any (uplift.sketch(uplift.words_of(uplift.normalised(uplift.text_said(p_messages)))));
        end if;
    end if;
    return v_other is not null and uplift.similarity(p_messages, v_other) >= 0.8;
end
$$;

comment on function uplift.is_alike(jsonb, uuid, uuid) is
    'Whether messages say nearly the same as a row of training_wanted that is kept, or else as an example: they share 8 of 10 pairs of neighbouring words.';

create or replace function uplift.drop_near_duplicates() returns int
language plpgsql volatile
as $$
declare
    v record;
    v_lost uuid[] := array[]::uuid[]; -- of this run
    v_dropped uuid[] := array[]::uuid[];
    v_kept uuid[] := array[]::uuid[];
begin
    -- Best first, so that what is kept is never dropped for a lesser one. In a band each is compared
    -- with the best of this run and with up to four examples, so that a thousand alike are no million
    -- comparisons; whatever is alike has other bands in common, too.
    for v in
        with banded as materialized (
            select w.id, w.example_id, w.replaces, w.quality, w.source_id, b.band
            from training_wanted w cross join lateral unnest(w.bands) as b(band)
            where w.is_fresh and w.duplicate_of is null
        ), met as (
            select distinct b.id, first_value(b.id) over (partition by b.band order by b.quality desc, b.source_id) as wanted_id,
                null::uuid as example_id
            from banded b
            union
            select b.id, null, x.example_id
            from banded b cross join lateral (
                select t.example_id from uplift.training_bands t where t.band = b.band limit 4) x
            where x.example_id is distinct from b.example_id and x.example_id is distinct from b.replaces
        )
        select w.id, coalesce(w.example_id, w.id) as final_id, w.messages, m.wanted_id, m.example_id,
            coalesce(k.example_id, k.id) as kept_id,
            coalesce(uplift.yields_to(e.source_type, e.review, e.edited_at, e.quality_score, w.quality), false) as is_better
        from met m join training_wanted w on w.id = m.id
        left join training_wanted k on k.id = m.wanted_id
        left join lateral (select x.source_type, x.review, x.edited_at, x.quality_score
            from public.ai_training_examples x where x.id = m.example_id offset 0) e on true
        where m.wanted_id is distinct from m.id
        order by w.quality desc, w.source_id, m.wanted_id, m.example_id
    loop
        if v.id = any (v_lost) or v.example_id = any (v_dropped)
                or not uplift.is_alike(v.messages, v.wanted_id, v.example_id) then
            continue;
        end if;
        if v.is_better then
            v_dropped := v_dropped || v.example_id;
            v_kept := v_kept || v.final_id;
        else
            update training_wanted w set duplicate_of = coalesce(v.kept_id, v.example_id), is_exact = false
            where w.id = v.id;
            v_lost := v_lost || v.id;
        end if;
    end loop;
    return uplift.drop_for(v_dropped, v_kept, false);
end
$$;

comment on function uplift.drop_near_duplicates() is
    'As uplift.drop_exact_duplicates(), for conversations that share 8 of 10 pairs of neighbouring words.';
