-- Which examples say the same, exactly or nearly, and which of them is kept.
--
-- Exactly: the same words in any case, Unicode form and spacing, by hash. Nearly: by the pairs of
-- neighbouring words they share (Jaccard). To find those without comparing each with each, an example
-- has a sketch: its word pairs are dealt into cells by their hash, and the least hash of each cell is
-- kept. Four cells make a band, and examples that agree in a whole band are compared in full.
--
-- What is kept depends on which examples there are, never on the order in which they came: all of them
-- in the order of their precedence (uplift.example_precedence, then the answer's id), each unless it
-- says the same as one that is kept already. So every example that was dropped (training_duplicates) has
-- one that was kept, comes before it and says the same; and no two that are kept do. Whatever changes
-- that has those looked at again that were dropped for it. What people edited or reviewed comes first,
-- and is never dropped.
--
-- In a band of many only the first few that are kept, its leaders, drop others: a thousand letters from
-- one form, all somewhat alike, are not a million comparisons.
--
-- So whether an example is kept follows from those before it alone, and these hold whenever the queue is
-- empty: training_bands has the bands of all that are kept, at their precedence; each that was dropped
-- names one that is kept, and if that only says nearly the same, it leads a band of both; no leader is
-- alike to one that is kept after it in its band. What can break them is queued where it happens:
--   one goes, or is others' words or place now: what was dropped for it (uplift.release_duplicates), and
--     who leads a band in its place (uplift.forget_sketches);
--   one joins a band: what was dropped for the one that it moves off the leaders (uplift.release_led).
-- This comes to an end: all that a change of an example queues comes after it in the order, and an
-- example that is looked at without changing queues nothing. The first changes once at most, and each
-- other once at most between two changes of those before it.

create or replace function uplift.normalised(p_text text) returns text
language plpgsql immutable parallel safe strict
as $$
declare
    v_text text := p_text;
begin
    -- The same whatever the database's locale, for which lower() may know ASCII alone.
    if octet_length(v_text) = length(v_text) then
        v_text := lower(v_text collate "C");
    else
        if v_text is not nfc normalized then
            v_text := normalize(v_text, nfc);
        end if;
        -- In capitals first, which have no final sigma, sharp s or dotless i; the dot that lower()
        -- leaves of a Turkish capital goes.
        v_text := replace(lower(upper(v_text collate "und-x-icu") collate "und-x-icu"), U&'i\0307', 'i');
        v_text := translate(v_text,
            U&'\0085\00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000\200B\2060\FEFF\00AD',
            repeat(' ', 19));
    end if;
    v_text := replace(replace(replace(replace(replace(v_text, e'\n', ' '), e'\t', ' '), e'\r', ' '), e'\f', ' '), e'\v', ' ');
    while strpos(v_text, '  ') > 0 loop
        v_text := replace(v_text, '  ', ' ');
    end loop;
    -- Hardly any has one at its ends, and btrim() takes its time to look.
    return case when left(v_text, 1) = ' ' or strpos(v_text || e'\x01', e' \x01') > 0 then btrim(v_text) else v_text end;
end
$$;

comment on function uplift.normalised(text) is
    'Text as it is compared: composed (NFC), without case in any script, blanks of all kinds as single ones, none at the ends, and without characters that have no width.';

create or replace function uplift.words_of(p_normalised text) returns text[]
language plpgsql immutable parallel safe strict
as $$
declare
    -- Long conversations are told apart by their beginnings.
    v_text text := replace(replace(replace(replace(replace(replace(
        case when octet_length(p_normalised) > 20000 then left(p_normalised, 20000) else p_normalised end, ',', ''), '.', ''), '!', ''), '?', ''), '*', ''), ':', '');
begin
    -- Where words are not parted by blanks, each character is one.
    if octet_length(v_text) <> length(v_text) and v_text ~ '[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]' then
        v_text := regexp_replace(v_text, '([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])', ' \1 ', 'g');
    end if;
    return array_remove(string_to_array(v_text, ' '), '');
end
$$;

comment on function uplift.words_of(text) is
    'The words of the first 20,000 characters of normalised text, without the commonest marks; Chinese, Japanese, Korean and Thai characters are words by themselves.';

create or replace function uplift.text_said(p_messages jsonb) returns text
language sql immutable parallel safe
as $$
    select string_agg(e.m ->> 'content', e'\n' order by e.o)
    from jsonb_array_elements(p_messages) with ordinality e(m, o)
    where e.m ->> 'role' in ('user', 'assistant') and e.o > (
        select coalesce(max(w.o), 0) from jsonb_array_elements(p_messages) with ordinality w(m, o) where w.m -> 'weight' = '0')
$$;

comment on function uplift.text_said(jsonb) is
    'What user and assistant say in messages, in one text, without the turns before that are not learnt (up to the last of weight 0).';

create or replace function uplift.sketch(p_words text[]) returns bigint[]
language plpgsql immutable parallel safe
as $$
declare
    -- Of more than a few lines some pairs will do.
    v_mask int := case when cardinality(p_words) > 150 then 3 when cardinality(p_words) > 60 then 1 else 0 end;
begin
    -- These hashes may be others in a later major version: then old and fresh examples are not found
    -- to be alike any more, and nothing else happens.
    return (
        select array_agg(b.band order by b.place) from (
            select c.cell / 4 as place, bit_xor(hashint8extended(c.least, c.cell)) as band
            from (
                select h.h & 15 as cell, min(h.h) as least
                -- Unnested in the select list, which keeps no rows, twice as fast as in the from clause.
                from (select hashtextextended(p.first, hashtext(p.second)) as h
                    from (select unnest(p_words) as first, unnest(p_words[2:]) as second) p
                    where p.second is not null and hashtext(p.first) & v_mask = 0) h
                group by 1) c
            group by 1) b);
end
$$;

comment on function uplift.sketch(text[]) is
    'Up to four hashes of words in their order: bands of four cells each, of those that have any word pairs. Null for less than two words. t/bench/likeness.py measures how many pairs of texts that are alike have one in common.';

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
    'Of the pairs of neighbouring words in what either of two lists of messages says, the share that is in both: 0 to 1.';

create or replace function uplift.example_precedence(p_is_by_person boolean, p_is_by_prompt boolean, p_quality numeric) returns int
language sql immutable parallel safe
as $$
    select case when p_is_by_person then 0 when p_is_by_prompt then 20000 else 10000 end - (coalesce(p_quality, 0) * 100)::int
$$;

comment on function uplift.example_precedence(boolean, boolean, numeric) is
    'Which of examples that say the same is kept, the one with the least: what a person edited or reviewed before all, pairs of versions before pairs by prompt, then the better rated; among equals the one of the earliest answer.';

create or replace function uplift.example_precedence(p_example public.ai_training_examples) returns int
language sql immutable parallel safe
as $$
    select uplift.example_precedence(p_example.review is not null or p_example.edited_at is not null,
        'pair:prompt' = any (p_example.tags), p_example.quality_score)
$$;

comment on function uplift.example_precedence(public.ai_training_examples) is 'The same, of an example.';

create or replace function uplift.band_leaders() returns int
language sql immutable parallel safe
as $$ select 4 $$;

comment on function uplift.band_leaders() is
    'How many examples of a band, the first by precedence, others are compared with.';

create or replace function uplift.forget_sketches(p_example_ids uuid[]) returns void
language sql volatile
as $$
    with gone as (
        delete from uplift.training_bands b
        using (
            select x.ctid
            from (select e.source_id, unnest(e.bands) as band from public.ai_training_examples e
                where e.id = any (p_example_ids) and e.bands is not null) s
            -- A look-up for each, where the planner would rather read all bands.
            cross join lateral (select t.ctid from uplift.training_bands t
                where t.band = s.band and t.source_id = s.source_id offset 0) x) g
        where b.ctid = g.ctid
        returning b.band, b.source_id
    ), leaders as (
        -- The band as it was.
        select t.source_id, t.place, t.is_gone, t.place - count(*) filter (where t.is_gone) over (partition by k.band order by t.place) as later_place
        from (select g.band, count(*) as gone from gone g group by 1) k
        cross join lateral (
            select x.source_id, row_number() over (order by x.precedence, x.source_id) as place,
                exists (select from gone g where g.band = k.band and g.source_id = x.source_id) as is_gone
            from (
                select b.precedence, b.source_id from uplift.training_bands b where b.band = k.band
                order by b.precedence, b.source_id limit uplift.band_leaders() + k.gone) x) t
    )
    -- Who becomes a leader is compared with all others of the band.
    insert into uplift.training_queue (answer_id)
    select distinct l.source_id from leaders l
    where not l.is_gone and l.place > uplift.band_leaders() and l.later_place <= uplift.band_leaders()
$$;

comment on function uplift.forget_sketches(uuid[]) is
    'Takes examples out of the search for near duplicates, and has those looked at again that become leaders of a band.';

create or replace function uplift.release_duplicates(p_example_ids uuid[]) returns void
language sql volatile
as $$
    with released as (
        -- The row stays until then: it says how many turns of the conversation belong together.
        update uplift.training_duplicates d set example_id = null where d.example_id = any (p_example_ids) returning d.answer_id
    )
    insert into uplift.training_queue (answer_id) select distinct r.answer_id from released r
$$;

comment on function uplift.release_duplicates(uuid[]) is
    'Has what was dropped for these examples looked at again, because they are gone or others now.';

create or replace function uplift.displace_examples(p_example_ids uuid[], p_kept_ids uuid[], p_are_exact boolean) returns int
language plpgsql volatile
as $$
begin
    if cardinality(p_example_ids) = 0 then
        return 0;
    end if;
    -- What said the same as them, word for word, says the same as the others, too; also what is still to
    -- be written.
    update uplift.training_duplicates d set example_id = x.kept_id, is_exact = p_are_exact
    from unnest(p_example_ids, p_kept_ids) as x(id, kept_id)
    -- Said twice: for the array the index is taken, for the join alone the whole table is read.
    where d.example_id = any (p_example_ids) and d.example_id = x.id and d.is_exact;
    update training_wanted w set duplicate_of = x.kept_id, is_exact = p_are_exact
    from unnest(p_example_ids, p_kept_ids) as x(id, kept_id) where w.duplicate_of = x.id;
    insert into uplift.training_duplicates (dataset_id, answer_id, rejected_id, turns, example_id, is_exact)
    select e.dataset_id, e.source_id, s.answer_id, coalesce(e.conversation_turns, 1), x.kept_id, p_are_exact
    from unnest(p_example_ids, p_kept_ids) as x(id, kept_id)
    join public.ai_training_examples e on e.id = x.id
    left join uplift.training_example_sources s on s.example_id = e.id and s.position = 2 and e.rejected is not null
    on conflict (answer_id, dataset_id, rejected_id) do update set example_id = excluded.example_id, is_exact = excluded.is_exact,
        turns = excluded.turns;
    insert into training_prompts (prompt_hash)
    select e.prompt_hash from public.ai_training_examples e
    where e.id = any (p_example_ids) and e.prompt_hash is not null on conflict do nothing;
    -- Their pairs by prompt are not wanted any more.
    delete from uplift.training_duplicates d
    where d.rejected_id = any (array(select e.source_id from public.ai_training_examples e
        where e.id = any (p_example_ids) and e.prompt_hash is not null and e.label is false));
    perform uplift.forget_sketches(p_example_ids);
    return uplift.withdraw_examples(p_example_ids);
end
$$;

comment on function uplift.displace_examples(uuid[], uuid[], boolean) is
    'Withdraws examples because others that come before them say the same, and remembers for which. Returns how many.';

create or replace function uplift.settle_exact_duplicates() returns int
language plpgsql volatile
as $$
declare
    v_lost uuid[];
    v_kept uuid[];
begin
    with repeated as materialized (
        -- Hardly any are.
        select w.dataset_id, w.likeness from training_wanted w group by 1, 2
        -- A look-up for each, where the planner would rather hash the likenesses of all examples.
        having count(*) > 1 or exists (select from public.ai_training_examples l where l.likeness = w.likeness offset 0)
    ), wanted as materialized (
        select w.dataset_id, w.likeness, w.id as wanted_id, coalesce(w.example_id, w.id) as example_id, w.precedence, w.source_id,
            w.rejected_id, w.is_by_person
        from repeated k join training_wanted w on w.dataset_id = k.dataset_id and w.likeness = k.likeness
    ), met as (
        select w.* from wanted w
        union all
        select k.dataset_id, k.likeness, null, x.id, uplift.example_precedence(x), x.source_id,
            case when x.rejected is not null then (
                select s.answer_id from uplift.training_example_sources s where s.example_id = x.id and s.position = 2) end,
            x.review is not null or x.edited_at is not null
        from repeated k
        cross join lateral (select l.* from public.ai_training_examples l where l.likeness = k.likeness offset 0) x
        where x.dataset_id = k.dataset_id and x.withdrawn_at is null and x.source_type = 'user_conversation'
            and not exists (select from training_wanted o
                where o.dataset_id = x.dataset_id and o.source_id = x.source_id and x.id in (o.example_id, o.replaces))
    ), ranked as materialized (
        select m.*, first_value(m.example_id) over r as kept_id, row_number() over r as place
        from met m window r as (partition by m.dataset_id, m.likeness order by m.precedence, m.source_id, m.rejected_id)
    ), dropped as (
        update training_wanted w set duplicate_of = k.kept_id, is_exact = true
        from ranked k where k.wanted_id = w.id and k.place > 1 and not k.is_by_person
    )
    select coalesce(array_agg(k.example_id), '{}'), coalesce(array_agg(k.kept_id), '{}') into v_lost, v_kept
    from ranked k where k.wanted_id is null and k.place > 1 and not k.is_by_person;
    return uplift.displace_examples(v_lost, v_kept, true);
end
$$;

comment on function uplift.settle_exact_duplicates() is
    'Marks the rows of training_wanted that say the same as one that is kept, and withdraws examples that such a row comes before. Returns how many of those.';

create or replace function uplift.example_of(p_source_id uuid, p_dataset_id uuid) returns public.ai_training_examples
language plpgsql stable
as $$
declare
    v_example public.ai_training_examples;
begin
    -- By this index, whatever the planner thinks of the others.
    select x.* into v_example from (select e.* from public.ai_training_examples e where e.source_id = p_source_id offset 0) x
    where x.dataset_id = p_dataset_id and x.withdrawn_at is null and x.source_type = 'user_conversation';
    return v_example;
end
$$;

comment on function uplift.example_of(uuid, uuid) is
    'The example in a set that was made of this answer, or of a conversation that begins with it; null for none.';

create or replace function uplift.is_alike(p_dataset_id uuid, p_messages jsonb, p_source_id uuid) returns boolean
language plpgsql volatile
as $$
declare
    v_other jsonb;
begin
    select w.messages into v_other from training_wanted w
    where w.dataset_id = p_dataset_id and w.source_id = p_source_id and w.duplicate_of is null;
    if not found then
        select e.messages into v_other from uplift.example_of(p_source_id, p_dataset_id) e;
    end if;
    return v_other is not null and uplift.similarity(p_messages, v_other) >= 0.8;
end
$$;

comment on function uplift.is_alike(uuid, jsonb, uuid) is
    'Whether messages say nearly the same as the example of an answer: they share 8 of 10 pairs of neighbouring words.';

create or replace function uplift.leader_alike(p_dataset_id uuid, p_messages jsonb, p_bands bigint[], p_precedence int, p_source_id uuid)
returns uuid
language plpgsql volatile
as $$
declare
    v_source uuid;
begin
    for v_source in
        select distinct t.source_id
        from unnest(p_bands) as b(band)
        cross join lateral (
            select x.source_id, x.precedence from uplift.training_bands x
            where x.band = b.band order by x.precedence, x.source_id limit uplift.band_leaders()) t
        where (t.precedence, t.source_id) < (p_precedence, p_source_id)
        order by 1
    loop
        if uplift.is_alike(p_dataset_id, p_messages, v_source) then
            return v_source;
        end if;
    end loop;
    return null;
end
$$;

comment on function uplift.leader_alike(uuid, jsonb, bigint[], int, uuid) is
    'Of the leaders of these bands that come before an example, one that says nearly the same; null for none.';

create or replace function uplift.followers_alike(p_dataset_id uuid, p_messages jsonb, p_bands bigint[], p_precedence int, p_source_id uuid)
returns uuid[]
language plpgsql volatile
as $$
declare
    v_source uuid;
    v_alike uuid[] := array[]::uuid[];
begin
    for v_source in
        select distinct t.source_id
        from unnest(p_bands) as b(band)
        cross join lateral (
            select x.source_id from uplift.training_bands x
            where x.band = b.band and (x.precedence, x.source_id) > (p_precedence, p_source_id)) t
        where (
            select count(*) from (
                select from uplift.training_bands x
                where x.band = b.band and (x.precedence, x.source_id) < (p_precedence, p_source_id)
                limit uplift.band_leaders()) l) < uplift.band_leaders()
        order by 1
    loop
        if uplift.is_alike(p_dataset_id, p_messages, v_source) then
            v_alike := v_alike || v_source;
        end if;
    end loop;
    return v_alike;
end
$$;

comment on function uplift.followers_alike(uuid, jsonb, bigint[], int, uuid) is
    'Of the examples that come after this one in the bands that it leads, those that say nearly the same.';

create or replace function uplift.release_led(p_dataset_id uuid, p_bands bigint[], p_precedence int, p_source_id uuid) returns void
language sql volatile
as $$
    with led as (
        -- The first after the leaders, if it is this example that put it there.
        select distinct t.source_id
        from unnest(p_bands) as b(band)
        cross join lateral (
            select x.precedence, x.source_id from uplift.training_bands x
            where x.band = b.band order by x.precedence, x.source_id offset uplift.band_leaders() limit 1) t
        where (t.precedence, t.source_id) > (p_precedence, p_source_id)
    ), released as (
        update uplift.training_duplicates d set example_id = null
        where d.example_id = any (array(
            select e.id from led l cross join lateral uplift.example_of(l.source_id, p_dataset_id) e)) and not d.is_exact
        returning d.answer_id
    )
    insert into uplift.training_queue (answer_id) select distinct r.answer_id from released r
$$;

comment on function uplift.release_led(uuid, bigint[], int, uuid) is
    'Has looked at again what was dropped for an example that is no leader any more, because this one came before it.';

create or replace function uplift.settle_near_duplicates(p_dataset_id uuid) returns int
language plpgsql volatile
as $$
declare
    v record;
    v_leader uuid;
    v_kept uuid;
    v_joined bigint[];
    v_alike uuid[];
    v_ids uuid[];
    v_lost uuid[] := array[]::uuid[];
    v_kept_ids uuid[] := array[]::uuid[];
begin
    perform uplift.forget_sketches(array(select w.replaces from training_wanted w
        where w.dataset_id = p_dataset_id and w.duplicate_of is not null and w.replaces is not null));
    for v in
        with banded as materialized (
            select w.id, w.source_id, b.band from training_wanted w cross join lateral unnest(w.bands) as b(band)
            where w.dataset_id = p_dataset_id and w.duplicate_of is null
        ), met as (
            select b.id from banded b
            where exists (select from uplift.training_bands t where t.band = b.band and t.source_id <> b.source_id)
            union
            select unnest(array_agg(b.id)) from banded b group by b.band having count(*) > 1
        )
        select w.id, coalesce(w.example_id, w.id) as final_id, w.messages, w.bands, w.precedence, w.source_id, w.is_by_person, w.replaces
        from met m join training_wanted w on w.id = m.id
        order by w.precedence, w.source_id
    loop
        v_leader := case when not v.is_by_person
            then uplift.leader_alike(p_dataset_id, v.messages, v.bands, v.precedence, v.source_id) end;
        if v_leader is not null then
            select coalesce(w.example_id, w.id) into v_kept from training_wanted w
            where w.dataset_id = p_dataset_id and w.source_id = v_leader;
            if not found then
                select e.id into strict v_kept from uplift.example_of(v_leader, p_dataset_id) e;
            end if;
            update training_wanted w set duplicate_of = v_kept, is_exact = false where w.id = v.id;
            update training_wanted w set duplicate_of = v_kept, is_exact = false where w.duplicate_of = v.final_id;
            update uplift.training_duplicates d set example_id = v_kept, is_exact = false
            where d.example_id = v.final_id and d.is_exact;
            perform uplift.forget_sketches(array[v.replaces]);
            continue;
        end if;
        with joined as (
            insert into uplift.training_bands (band, precedence, source_id)
            select b, v.precedence, v.source_id from unnest(v.bands) b on conflict do nothing
            returning band
        )
        select array_agg(j.band) into v_joined from joined j;
        v_alike := uplift.followers_alike(p_dataset_id, v.messages, v.bands, v.precedence, v.source_id);
        if cardinality(v_alike) > 0 then
            select coalesce(array_agg(x.id), '{}') into v_ids
            from unnest(v_alike) a(id) cross join lateral uplift.example_of(a.id, p_dataset_id) x
            where x.id is not null and x.review is null and x.edited_at is null;
            perform uplift.forget_sketches(v_ids);
            v_lost := v_lost || v_ids;
            v_kept_ids := v_kept_ids || array_fill(v.final_id, array[cardinality(v_ids)]);
        end if;
        -- Only where it is new: it may be looked at together with what this queues, again and again.
        if v_joined is not null then
            perform uplift.release_led(p_dataset_id, v_joined, v.precedence, v.source_id);
        end if;
    end loop;
    -- The others have no company.
    insert into uplift.training_bands (band, precedence, source_id)
    select b.band, w.precedence, w.source_id
    from training_wanted w cross join lateral unnest(w.bands) as b(band)
    where w.dataset_id = p_dataset_id and w.duplicate_of is null
    order by 1
    on conflict do nothing;
    return uplift.displace_examples(v_lost, v_kept_ids, false);
end
$$;

comment on function uplift.settle_near_duplicates(uuid) is
    'As uplift.settle_exact_duplicates(), for examples that share 8 of 10 pairs of neighbouring words, in the order of their precedence.';
