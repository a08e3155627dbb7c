-- Finding knowledge by what it means: vectors of a model, kept by pgvector, found beside the hits of words and ranked
-- with them. pgvector need not be there: whatever touches its type is run by execute, and finds nothing without it.

create or replace function uplift.vector_schema() returns text
language sql stable
as $$
    select quote_ident(n.nspname)
    from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_namespace n on n.oid = t.typnamespace
    where a.attrelid = to_regclass('uplift.knowledge_embeddings') and a.attname = 'embedding' and t.typname = 'vector'
$$;

comment on function uplift.vector_schema() is
    'The schema of pgvector''s types and operators, quoted; null where there is no table of its type, because pgvector was not there when uplift was installed, or is not any more.';

-- --- what the job does ---

create or replace function uplift.embedding_index_type(p_dimensions int) returns text
language sql stable
as $$
    -- So much an index of pgvector takes.
    select case when not exists (select from pg_am a where a.amname = 'hnsw') then null
        when p_dimensions <= 2000 then 'vector'
        when p_dimensions <= 4000 and to_regtype(uplift.vector_schema() || '.halfvec') is not null then 'halfvec' end
$$;

comment on function uplift.embedding_index_type(int) is
    'The type of pgvector''s that embeddings of so many numbers are indexed as, with the pgvector that is there; null: they cannot be.';

create or replace function uplift.index_embeddings(p_set_id int) returns void
language plpgsql volatile
as $$
declare
    v_schema text := uplift.vector_schema();
    v_set uplift.embedding_sets;
begin
    select s.* into v_set from uplift.embedding_sets s where s.id = p_set_id;
    if v_set.index_type is not null and v_schema is not null and to_regclass('uplift.knowledge_embeddings_' || v_set.id) is null then
        execute format('create index %1$I on uplift.knowledge_embeddings using hnsw ((embedding::%2$s.%3$I(%4$s)) %2$s.%5$I) where set_id = %6$s',
            'knowledge_embeddings_' || v_set.id, v_schema, v_set.index_type, v_set.dimensions, v_set.index_type || '_cosine_ops', v_set.id);
    end if;
end
$$;

comment on function uplift.index_embeddings(int) is
    'Makes the index of a set where it is missing, before there is anything in it. Chats do not wait for it, and who deletes knowledge does until the transaction ends.';

create or replace function uplift.embedding_set(p_model text, p_dimensions int) returns int
language plpgsql volatile
as $$
declare
    v_type text := uplift.embedding_index_type(p_dimensions);
    v_id int;
begin
    perform pg_advisory_xact_lock(hashtextextended('uplift embedding sets', 0));
    select s.id into v_id from uplift.embedding_sets s where s.model = p_model and s.dimensions = p_dimensions and s.index_type is not distinct from v_type;
    if v_id is null then
        insert into uplift.embedding_sets (model, dimensions, index_type) values (p_model, p_dimensions, v_type)
        returning id into v_id;
        perform uplift.index_embeddings(v_id);
    end if;
    return v_id;
end
$$;

comment on function uplift.embedding_set(text, int) is 'The set of a model''s embeddings of so many numbers, indexed as this pgvector can; made where there is none.';

create or replace function uplift.embeddings_of(p_model text, p_dimensions int) returns jsonb
language plpgsql stable
as $$
begin
    return (
        select jsonb_build_object('set', s.id, 'dimensions', s.dimensions)
        from uplift.embedding_sets s
        where s.model = p_model and s.dimensions = coalesce(p_dimensions, s.dimensions) and uplift.vector_schema() is not null
        -- The oldest is whole: it goes when a newer one is.
        order by s.id limit 1);
end
$$;

comment on function uplift.embeddings_of(text, int) is
    'The set that a model''s embeddings are in, {set, dimensions}: of so many numbers, or (null) the one that is whole; null for none.';

create or replace function uplift.is_refused_embedding(p_text_id bigint, p_model text, p_dimensions int) returns boolean
language plpgsql stable set enable_seqscan = off
as $$
begin
    return exists (select from uplift.embedding_refusals r
        where r.text_id = p_text_id and r.model = p_model and r.dimensions = coalesce(p_dimensions, 0) and r.retry_at > now());
end
$$;

comment on function uplift.is_refused_embedding(bigint, text, int) is
    'Whether a model, asked for so many numbers (null: as many as it gives), did not take a text, and it is too early to try again.';

create or replace function uplift_batch.start_embedding(p_model text, p_dimensions int, p_refused boolean) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
    v_set jsonb := uplift.embeddings_of(p_model, p_dimensions);
    v_set_id int := (v_set ->> 'set')::int;
    v_missing bigint;
begin
    if uplift.vector_schema() is null then
        return jsonb_build_object('pgvector', false);
    end if;
    perform uplift.index_embeddings(v_set_id);
    if v_set_id is not null then
        -- Another one, where pgvector was updated and has an index for so many numbers now.
        v_set_id := uplift.embedding_set(p_model, (v_set ->> 'dimensions')::int);
    end if;
    execute format('select count(*) from uplift.search_texts t where t.shelf = ''knowledge'' and t.is_active
        and not exists (select from %s e where e.set_id = any ($1) and e.text_id = t.id and e.embedding is not null)
        and ($4 or not uplift.is_refused_embedding(t.id, $2, $3))', 'uplift.knowledge_embeddings')
    into v_missing using array[v_set_id, (v_set ->> 'set')::int], p_model, p_dimensions, p_refused;
    return jsonb_build_object('pgvector', true, 'set', v_set_id, 'dimensions', v_set -> 'dimensions', 'missing', v_missing,
        'copied_from', case when v_set_id <> (v_set ->> 'set')::int then v_set -> 'set' end);
end
$$;

comment on function uplift_batch.start_embedding(text, int, boolean) is
    'Where the job embed-knowledge begins, for a model and the number of numbers that its vectors are to have (null: whatever it gives): {pgvector: whether it is there; set and dimensions, where the model has embeddings already; copied_from: the set that these are in so far, for uplift_batch.copy_embeddings(), where they are to be in another; missing: how many pieces are to be embedded}. With p_refused also those that were refused and would wait.';

create or replace function uplift_batch.texts_to_embed(p_set_id int, p_after bigint, p_most int, p_model text, p_dimensions int, p_refused boolean) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
    v_texts jsonb;
begin
    execute format('select jsonb_agg(jsonb_build_object(''id'', x.id, ''text'', left(concat_ws(e''\n'', x.title, x.body), 8000)) order by x.id)
        from (select t.id, t.title, t.body from uplift.search_texts t
            where t.shelf = ''knowledge'' and t.is_active and t.id > $2
                and not exists (select from %s e where e.set_id = $1 and e.text_id = t.id and e.embedding is not null)
                and ($6 or not uplift.is_refused_embedding(t.id, $4, $5))
            order by t.id limit $3) x', 'uplift.knowledge_embeddings')
    into v_texts using p_set_id, coalesce(p_after, 0), least(p_most, 1000), p_model, p_dimensions, p_refused;
    return coalesce(v_texts, '[]');
end
$$;

comment on function uplift_batch.texts_to_embed(int, bigint, int, text, int, boolean) is
    'The next pieces of knowledge behind p_after that are searched, have no embedding in the set (null: in none), and do not wait (uplift.is_refused_embedding) or are asked for all the same (p_refused), at most so many: [{id, text}], the title above the body, 8000 characters of it.';

create or replace function uplift_batch.copy_embeddings(p_from int, p_to int, p_after bigint, p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
    v_schema text := uplift.vector_schema();
    v_copied jsonb;
begin
    execute 'with next as materialized (
            select e.text_id, e.embedding from uplift.knowledge_embeddings e where e.set_id = $1 and e.text_id > $3 order by e.text_id limit $4
        ), copied as (
            insert into uplift.knowledge_embeddings (set_id, text_id, embedding)
            select $2, n.text_id, ' || case when (select s.index_type from uplift.embedding_sets s where s.id = p_to) = 'halfvec'
                then v_schema || '.l2_normalize(n.embedding)' else 'n.embedding' end || '
            from next n join uplift.search_texts t on t.id = n.text_id and t.is_active
            order by t.id for key share of t
            on conflict (set_id, text_id) do nothing
        )
        select jsonb_build_object(''after'', max(n.text_id), ''copied'', count(*)) from next n'
    into v_copied using p_from, p_to, coalesce(p_after, 0), p_most;
    return v_copied;
end
$$;

comment on function uplift_batch.copy_embeddings(int, int, bigint, int) is
    'Copies embeddings of one set into another of the same model and as many numbers, the next p_most behind p_after: {copied: how many, 0 at the end; after}. A step by itself, so that nobody waits for the index to be made.';

create or replace function uplift_batch.keep_embeddings(p_model text, p_dimensions int, p_vectors jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
    v_schema text := uplift.vector_schema();
    v_set_id int := uplift.embedding_set(p_model, p_dimensions);
    v_kept bigint;
begin
    -- A text that was withdrawn meanwhile needs none, nor one that is being deleted. A halfvec ends at 65504, and the
    -- angle does not depend on the length.
    execute format('insert into uplift.knowledge_embeddings (set_id, text_id, embedding)
        select $1, t.id, ' || case when (select s.index_type from uplift.embedding_sets s where s.id = v_set_id) = 'halfvec'
            then '%1$s.l2_normalize((v.pair ->> 1)::%1$s.vector(%2$s))' else '(v.pair ->> 1)::%1$s.vector(%2$s)' end || '
        from jsonb_array_elements($2) v(pair) join uplift.search_texts t on t.id = (v.pair ->> 0)::bigint and t.is_active
        order by t.id for key share of t
        on conflict (set_id, text_id) do update set embedding = excluded.embedding', v_schema, p_dimensions)
    using v_set_id, p_vectors;
    get diagnostics v_kept = row_count;
    delete from uplift.embedding_refusals r where r.text_id = any (array(select (v ->> 0)::bigint from jsonb_array_elements(p_vectors) v));
    return jsonb_build_object('set', v_set_id, 'kept', v_kept);
end
$$;

comment on function uplift_batch.keep_embeddings(text, int, jsonb) is
    'Keeps embeddings of a model, p_vectors of [id of the text, the vector], all of so many numbers: {set, kept: how many of them, without those of texts that are gone}.';

create or replace function uplift_batch.refuse_embeddings(p_model text, p_dimensions int, p_pieces jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
    v_noted bigint;
begin
    insert into uplift.embedding_refusals as r (text_id, model, dimensions, reason, retry_at)
    select t.id, p_model, coalesce(p_dimensions, 0), v.piece ->> 1, now() + interval '1 hour'
    from jsonb_array_elements(p_pieces) v(piece) join uplift.search_texts t on t.id = (v.piece ->> 0)::bigint
    order by t.id for key share of t
    on conflict (text_id) do update set model = excluded.model, dimensions = excluded.dimensions, reason = excluded.reason, refused_at = now(),
        refusals = case when (r.model, r.dimensions) = (excluded.model, excluded.dimensions) then r.refusals + 1 else 1 end,
        retry_at = now() + case when (r.model, r.dimensions) = (excluded.model, excluded.dimensions)
            then least(power(2, least(r.refusals, 20)), 720) else 1 end * interval '1 hour';
    get diagnostics v_noted = row_count;
    return jsonb_build_object('noted', v_noted);
end
$$;

comment on function uplift_batch.refuse_embeddings(text, int, jsonb) is
    'Notes that a model did not take pieces for what they are, p_pieces of [id of the text, why]: they are left alone for an hour, and twice as long each time, up to 30 days. Returns {noted: how many}.';

create or replace function uplift_batch.refused_embeddings(p_model text, p_dimensions int) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    with refused as (
        -- The figures in them differ from text to text: how long it is, for instance.
        select regexp_replace(r.reason, '\d+', '0', 'g') as kind, min(r.reason) as reason, count(*) as pieces, min(r.retry_at) as retry_at,
            (array_agg(distinct t.ref))[:5] as source_ids
        from uplift.embedding_refusals r join uplift.search_texts t on t.id = r.text_id and t.is_active
        where r.model = p_model and r.dimensions = coalesce(p_dimensions, 0)
        group by 1
    )
    select jsonb_build_object('refused', coalesce((select sum(f.pieces) from refused f), 0),
        'refusals', coalesce((select jsonb_agg(jsonb_build_object('reason', x.reason, 'pieces', x.pieces, 'source_ids', x.source_ids, 'next_try_at', x.retry_at)
                order by x.pieces desc, x.reason)
            from (select f.* from refused f order by f.pieces desc, f.reason limit 5) x), '[]'))
$$;

comment on function uplift_batch.refused_embeddings(text, int) is
    'Pieces that a model did not take, and that have no embedding for it: {refused: how many, refusals: the five most frequent reasons, [{reason, pieces, source_ids: up to five, next_try_at: of the first}]}; reasons that differ in figures alone are one.';

create or replace function uplift_batch.finish_embedding(p_set_id int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set lock_timeout = '200ms'
as $$
declare
    v_index name;
    v_removed bigint;
begin
    delete from uplift.embedding_sets s where s.id <> p_set_id;
    execute format('delete from %s e where e.set_id <> $1
        or not exists (select from uplift.search_texts t where t.id = e.text_id and t.is_active)', 'uplift.knowledge_embeddings') using p_set_id;
    get diagnostics v_removed = row_count;
    -- At the very end, and only at once: while the lock is held or waited for, every chat waits.
    for v_index in
        select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = to_regclass('uplift.knowledge_embeddings') and c.relname ~ '^knowledge_embeddings_\d+$'
            and c.relname <> 'knowledge_embeddings_' || p_set_id
    loop
        begin
            execute format('drop index uplift.%I', v_index);
        exception when lock_not_available then
            null; -- the next run takes it away
        end;
    end loop;
    return jsonb_build_object('removed', v_removed);
end
$$;

comment on function uplift_batch.finish_embedding(int) is
    'Where the job embed-knowledge ends, when the set has all pieces that can be embedded: other sets go, and embeddings of texts that are not searched any more: {removed}. The index of another set goes when it can be locked at once, else another time.';

-- --- what a chat does ---

create or replace function uplift.near_texts(p_embedding jsonb, p_most int) returns table (text_id bigint, similarity float8)
language plpgsql stable rows 40
as $$
declare
    v_schema text := uplift.vector_schema();
    v_set uplift.embedding_sets;
    v_type text;
    v_question text;
begin
    select s.* into v_set from uplift.embedding_sets s where s.id = (p_embedding ->> 'set')::int;
    if v_schema is null or v_set.id is null then
        return;
    end if;
    v_type := format('%s.%I(%s)', v_schema, coalesce(v_set.index_type, 'vector'), v_set.dimensions);
    -- As uplift_batch.keep_embeddings() has it.
    v_question := case when v_set.index_type = 'halfvec' then format('%s.l2_normalize($1::%s.vector)::%s', v_schema, v_schema, v_type)
        else '$1::' || v_type end;
    return query execute format('select e.text_id, 1 - (e.embedding::%1$s operator(%2$s.<=>) %5$s)
        from %3$s e where e.set_id = %4$s order by e.embedding::%1$s operator(%2$s.<=>) %5$s limit $2', v_type, v_schema,
        case when v_set.index_type is not null then 'uplift.knowledge_embeddings'
            -- Read whole, and so no more than can be read for each chat.
            else format('(select * from uplift.knowledge_embeddings x where x.set_id = %s order by x.text_id desc limit 10000)', v_set.id) end, v_set.id,
        v_question)
    using p_embedding ->> 'vector', p_most;
exception when data_exception then
    -- A vector of another length: others' chats are prepared in the same call.
    return;
end
$$;

comment on function uplift.near_texts(jsonb, int) is
    'The texts whose embeddings are nearest to a question''s, {set, vector} as workers send it, the nearest first, with the cosine of the angle between the two: 1 where they are the same. None where the set is gone or the vector does not fit. Of a set that is too wide for an index the newest 10,000 are looked at.';

create or replace function uplift.with_near_hits(p_embedding jsonb, p_coach_id text, p_floor float8, p_similarity float8, inout ids bigint[], inout scores real[])
language plpgsql stable set plan_cache_mode = force_generic_plan
as $$
begin
    with found as (
        select h.id, h.score::float8 as score, false as is_near from unnest(with_near_hits.ids, with_near_hits.scores) h(id, score) where h.score >= p_floor
        union all
        select n.text_id, n.similarity, true from uplift.near_texts(p_embedding, 40) n where n.similarity >= p_similarity
    ), places as (
        -- Among those that may be offered, so that what others know does not push this coach's down.
        select f.id, row_number() over (partition by f.is_near order by f.score desc, f.id) as place
        from found f
        join uplift.search_texts t on t.id = f.id and t.is_active and t.shelf = 'knowledge'
        join public.ai_knowledge_sources k on k.id = t.ref
        where k.is_active is not false and k.deprecated_by is null and (k.coach_ids is null or p_coach_id = any (k.coach_ids))
    ), fused as (
        select p.id, sum(1::float8 / (60 + p.place))::real as score from places p group by p.id
    )
    select array_agg(f.id order by f.score desc, f.id), array_agg(f.score order by f.score desc, f.id) into ids, scores from fused f;
end
$$;

comment on function uplift.with_near_hits(jsonb, text, float8, float8, bigint[], real[]) is
    'The hits of words (uplift.search_hits), as far as they reach the floor, and those of an embedding (uplift.near_texts), as far as they are no less similar than p_similarity, ranked together by their places in the two lists: the sum of 1 / (60 + place), "reciprocal rank fusion" of Cormack, Clarke and Buettcher, SIGIR 2009. Only what the coach may be offered has a place.';
