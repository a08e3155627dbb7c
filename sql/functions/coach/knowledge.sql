-- Knowledge: the rows of public.ai_knowledge_sources as pieces that are searched, whoever writes them; what an import
-- brings, version by version; and what admins do.

create or replace function uplift.document_key(p_url text, p_name text) returns uuid
language sql immutable parallel safe
as $$ select uplift.text_hash(case when p_url is null then 'name ' || p_name else 'url ' || p_url end) $$;

comment on function uplift.document_key(text, text) is 'What a document is told apart by: its URL, or without one its name; null for neither.';

create or replace function uplift.chunk_hash(p_source public.ai_knowledge_sources, p_body text) returns uuid
language sql immutable parallel safe
as $$
    select uplift.text_hash(concat_ws(e'\n', array_to_string(p_source.coach_ids, ' '), p_source.target_audience, '',
        regexp_replace(lower(p_body), '\s+', ' ', 'g')))
$$;

comment on function uplift.chunk_hash(public.ai_knowledge_sources, text) is
    'The same for pieces of which one will do: they say the same, and are for the same coaches and audience.';

create or replace function uplift.knowledge_weight(p_source public.ai_knowledge_sources) returns real
language sql immutable parallel safe
as $$ select case when p_source.reliability_score is null then 1
        else .5 + least(greatest(p_source.reliability_score, 0), 10) / 10 end::real $$;

comment on function uplift.knowledge_weight(public.ai_knowledge_sources) is
    'What the score of a source''s pieces is multiplied by: 0.5 for a reliability of 0, 1 for 5 or unknown, 1.5 for 10.';

create or replace function uplift.lock_knowledge() returns void
language sql volatile
as $$ select pg_advisory_xact_lock(hashtextextended('uplift knowledge', 0)) $$;

comment on function uplift.lock_knowledge() is
    'Has whoever changes knowledge do so one after the other, until the transaction ends: which of several equal pieces is searched depends on all of them.';

-- --- pieces ---

create or replace function uplift.is_in_effect(s public.ai_knowledge_sources) returns boolean
language sql immutable parallel safe
as $$ select s.is_active is not false and s.deprecated_by is null $$;

comment on function uplift.is_in_effect(public.ai_knowledge_sources) is 'Whether a source is searched: not withdrawn, and without a successor.';

create or replace function uplift.is_chunk_shown(p_hash uuid) returns boolean
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
    -- Each by itself and by the index: put into a larger statement, the planner reads all pieces there are.
    return coalesce((select bool_or(t.is_active) from uplift.knowledge_chunks c join uplift.search_texts t on t.id = c.text_id
        where c.chunk_hash = p_hash), false);
end
$$;

comment on function uplift.is_chunk_shown(uuid) is 'Whether a piece of that hash is searched.';

create or replace function uplift.show_chunks(p_hashes uuid[]) returns void
language plpgsql volatile set enable_seqscan = off
as $$
begin
    -- It may have been demoted since it was last searched, with another that says the same.
    update uplift.search_texts t set is_active = true, weight = uplift.kept_weight('knowledge', uplift.piece_hash(t.body), f.weight)
    from (
        select distinct on (c.chunk_hash) c.text_id, c.chunk_hash, uplift.knowledge_weight(s) as weight
        from unnest(p_hashes) as h(hash)
        join uplift.knowledge_chunks c on c.chunk_hash = h.hash
        join public.ai_knowledge_sources s on s.id = c.source_id and uplift.is_in_effect(s)
        order by c.chunk_hash, c.text_id) f
    where t.id = f.text_id and not t.is_active and not uplift.is_chunk_shown(f.chunk_hash);
end
$$;

comment on function uplift.show_chunks(uuid[]) is
    'Has one piece searched for each of these hashes of which there is one in a source in effect, and none is searched yet.';

create or replace function uplift.hide_chunks(p_source_id uuid, p_delete boolean) returns uuid[]
language plpgsql volatile set enable_seqscan = off
as $$
declare
    v_hashes uuid[] := array(select distinct c.chunk_hash from uplift.knowledge_chunks c
        join uplift.search_texts t on t.id = c.text_id where c.source_id = p_source_id and t.is_active);
begin
    if p_delete then
        delete from uplift.search_texts t where t.id in (select c.text_id from uplift.knowledge_chunks c where c.source_id = p_source_id);
        delete from uplift.knowledge_chunks c where c.source_id = p_source_id;
    else
        update uplift.search_texts t set is_active = false
        where t.is_active and t.id in (select c.text_id from uplift.knowledge_chunks c where c.source_id = p_source_id);
    end if;
    return v_hashes;
end
$$;

comment on function uplift.hide_chunks(uuid, boolean) is
    'Takes a source''s pieces out of what is searched, or deletes them. The hashes of those that were searched, for uplift.show_chunks().';

create or replace function uplift.index_knowledge(p_source public.ai_knowledge_sources) returns void
language plpgsql volatile set enable_seqscan = off
as $$
declare
    v_weight real := uplift.knowledge_weight(p_source);
    v_chunks int;
begin
    -- An older version is not searched again.
    if p_source.deprecated_by is null then
        with chunks as materialized (
            select c.part, c.title, c.body, uplift.chunk_hash(p_source, c.body) as hash
            from uplift.text_chunks(coalesce(p_source.title, p_source.source_name), p_source.content) c
        ), firsts as (
            select c.*, p_source.is_active is not false
                and row_number() over (partition by c.hash order by c.part) = 1
                and not uplift.is_chunk_shown(c.hash) as is_shown
            from chunks c
        ), texts as (
            insert into uplift.search_texts (shelf, ref, part, title, body, weight, is_active)
            select 'knowledge', p_source.id, f.part, f.title, f.body, uplift.kept_weight('knowledge', uplift.piece_hash(f.body), v_weight), f.is_shown
            from firsts f order by f.part
            returning id, part
        )
        insert into uplift.knowledge_chunks (text_id, source_id, chunk_hash)
        select t.id, p_source.id, f.hash from texts t join firsts f on f.part = t.part;
        get diagnostics v_chunks = row_count;
    end if;
    insert into uplift.knowledge_texts (source_id, document_key, content_hash, chunks)
    values (p_source.id, case when p_source.source_url is not null then uplift.document_key(p_source.source_url, null) end,
        uplift.text_hash(p_source.content), coalesce(v_chunks, 0))
    on conflict (source_id) do update set content_hash = excluded.content_hash, chunks = excluded.chunks,
        -- What the file said is not what stands there any more.
        file_hash = case when knowledge_texts.content_hash = excluded.content_hash then knowledge_texts.file_hash end,
        document_key = coalesce(excluded.document_key, knowledge_texts.document_key);
end
$$;

comment on function uplift.index_knowledge(public.ai_knowledge_sources) is 'Makes the pieces of a source that has none.';

create or replace function uplift.knowledge_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_hashes uuid[];
begin
    perform uplift.lock_knowledge();
    if tg_op = 'TRUNCATE' then
        delete from uplift.search_texts t where t.shelf = 'knowledge';
        delete from uplift.knowledge_chunks;
        delete from uplift.knowledge_texts;
    elsif tg_op = 'DELETE' then
        v_hashes := uplift.hide_chunks(old.id, true);
        delete from uplift.knowledge_texts k where k.source_id = old.id;
    elsif tg_op = 'INSERT' then
        perform uplift.index_knowledge(new);
    elsif (old.content, old.title, old.source_name, old.coach_ids, old.target_audience, old.source_url) is distinct from
            (new.content, new.title, new.source_name, new.coach_ids, new.target_audience, new.source_url) then
        v_hashes := uplift.hide_chunks(old.id, true);
        perform uplift.index_knowledge(new);
    else
        if uplift.knowledge_weight(old) <> uplift.knowledge_weight(new) then
            update uplift.search_texts t set weight = uplift.kept_weight('knowledge', uplift.piece_hash(t.body), uplift.knowledge_weight(new))
            where t.id in (select c.text_id from uplift.knowledge_chunks c where c.source_id = new.id);
        end if;
        if uplift.is_in_effect(old) and not uplift.is_in_effect(new) then
            v_hashes := uplift.hide_chunks(new.id, new.deprecated_by is not null);
        elsif uplift.is_in_effect(new) and not uplift.is_in_effect(old) then
            if exists (select from uplift.knowledge_chunks c where c.source_id = new.id) then
                v_hashes := array(select distinct c.chunk_hash from uplift.knowledge_chunks c where c.source_id = new.id);
            else
                perform uplift.index_knowledge(new);
            end if;
        end if;
    end if;
    if cardinality(v_hashes) > 0 then
        perform uplift.show_chunks(v_hashes);
    end if;
    return null;
end
$$;

comment on function uplift.knowledge_changed() is
    'Trigger of ai_knowledge_sources: what is searched follows, whoever writes. A source that is withdrawn keeps its pieces, unsearched; one that a newer version took the place of does not.';

-- Only where it is missing, because making it waits for everyone who writes there. What a deployment has already
-- is searched, too.
do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select * from (values
            ('uplift_knowledge', 'after insert or delete on public.ai_knowledge_sources for each row'),
            ('uplift_knowledge_changed', 'after update on public.ai_knowledge_sources for each row
                when ((old.content, old.title, old.source_name, old.source_url, old.coach_ids, old.target_audience,
                        old.reliability_score, old.is_active, old.deprecated_by) is distinct from
                    (new.content, new.title, new.source_name, new.source_url, new.coach_ids, new.target_audience,
                        new.reliability_score, new.is_active, new.deprecated_by))'),
            ('uplift_knowledge_emptied', 'after truncate on public.ai_knowledge_sources for each statement')) as t(name, definition)
        where not exists (select from pg_trigger p where p.tgrelid = 'public.ai_knowledge_sources'::regclass and p.tgname = t.name)
    loop
        execute format('create trigger %I %s execute function uplift.knowledge_changed()', v_trigger.name, v_trigger.definition);
    end loop;
    perform uplift.index_knowledge(s) from public.ai_knowledge_sources s
    where not exists (select from uplift.knowledge_texts k where k.source_id = s.id)
    order by s.id;
end
$$;

-- --- what an import brings ---

create or replace function uplift.newest_source(p_key uuid) returns uuid
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
    return (select s.id from uplift.knowledge_texts k join public.ai_knowledge_sources s on s.id = k.source_id
        where k.document_key = p_key
        order by s.is_active is not false desc, s.deprecated_by is null desc, s.created_at desc nulls last, s.id desc
        limit 1);
end
$$;

comment on function uplift.newest_source(uuid) is 'The version of a document that is in effect, else the one that was last; null for none.';

create or replace function uplift.same_content(p_hash uuid, p_not uuid, p_coach_ids text[], p_audience text) returns uuid
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
    return (select f.id from (
            select s.id from uplift.knowledge_texts k join public.ai_knowledge_sources s on s.id = k.source_id
            where k.content_hash = p_hash and uplift.is_in_effect(s) and s.id is distinct from p_not
                -- What is for others is not known to these.
                and (p_coach_ids is null or s.coach_ids is null or s.coach_ids @> p_coach_ids)
                and (p_audience is null or s.target_audience is null or s.target_audience = p_audience)
            offset 0) f -- by the hash, and not along the key to the first that has it
        order by f.id limit 1);
end
$$;

comment on function uplift.same_content(uuid, uuid, text[], text) is
    'A source in effect with that content, other than p_not, that these coaches and this audience have (null: whoever has it); null for none.';

create or replace function uplift.texts_argument(p_arguments jsonb, p_name text, p_each int) returns text[]
language plpgsql immutable
as $$
declare
    v_texts text[];
begin
    if coalesce(jsonb_typeof(p_arguments -> p_name), 'null') = 'null' then
        return null;
    end if;
    if jsonb_typeof(p_arguments -> p_name) = 'array' and jsonb_array_length(p_arguments -> p_name) <= 100
            and not exists (select from jsonb_array_elements(p_arguments -> p_name) e
                where jsonb_typeof(e) <> 'string' or length(e #>> '{}') not between 1 and p_each) then
        select array_agg(distinct e order by e) into v_texts from jsonb_array_elements_text(p_arguments -> p_name) e;
        return v_texts;
    end if;
    perform uplift.fail(400, 'invalid_' || p_name,
        format('%s must be a list of at most 100 texts of 1 to %s characters', p_name, p_each), p_name);
    return null;
end
$$;

comment on function uplift.texts_argument(jsonb, text, int) is
    'An argument that is a list of texts, without repeats; null where absent, null or empty. UP400 invalid_NAME.';

create or replace function uplift.knowledge_word(p_arguments jsonb) returns text
language plpgsql immutable
as $$
declare
    v_type text := uplift.text_argument(p_arguments, 'source_type', 40);
begin
    if v_type <> all ('{usda_api,nutrition_research,fitness_guidelines,medical_database,recipe_database,faq,coaching_script,user_generated}') then
        perform uplift.fail(400, 'invalid_source_type', 'source_type must be usda_api, nutrition_research, fitness_guidelines, medical_database, recipe_database, faq, coaching_script or user_generated', 'source_type');
    end if;
    return v_type;
end
$$;

comment on function uplift.knowledge_word(jsonb) is 'The argument source_type; null where absent or null. UP400 invalid_source_type.';

create or replace function uplift_batch.take_knowledge(p_document jsonb, p_content text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_url text := uplift.text_argument(p_document, 'url', 2000);
    v_name text := uplift.text_argument(p_document, 'name', 1000);
    v_type text := uplift.knowledge_word(p_document);
    v_topics text[] := uplift.texts_argument(p_document, 'topics', 100);
    v_coaches text[] := uplift.texts_argument(p_document, 'coach_ids', 200);
    v_audience text := uplift.text_argument(p_document, 'audience', 200);
    v_reliability numeric := uplift.decimal_argument(p_document, 'reliability', 0, 10);
    v_hash uuid := uplift.text_hash(p_content);
    v_key uuid := uplift.document_key(v_url, v_name);
    v_old public.ai_knowledge_sources;
    v_new public.ai_knowledge_sources;
    v_kept uplift.knowledge_texts;
    v_has_same_content boolean;
    v_same uuid;
    v_outcome text;
begin
    if coalesce(length(p_content), 0) not between 1 and 5000000 then
        perform uplift.fail(400, 'invalid_content', 'content must be a text of 1 to 5000000 characters', 'content');
    end if;
    perform uplift.lock_knowledge();
    select s.* into v_old from public.ai_knowledge_sources s where s.id = uplift.newest_source(v_key);
    select k.* into v_kept from uplift.knowledge_texts k where k.source_id = v_old.id;
    v_has_same_content := v_kept.content_hash is not distinct from v_hash;

    -- What an admin withdrew stays so.
    if v_old.is_active is false and not v_kept.is_gone then
        return jsonb_build_object('outcome', 'withdrawn', 'id', v_old.id);
    end if;
    if not v_has_same_content or v_old.is_active is false then
        v_same := uplift.same_content(v_hash, v_old.id, v_coaches, v_audience);
        if v_same is not null then
            -- It said something else before, and that is not so any more.
            update public.ai_knowledge_sources s set is_active = false, deprecated_by = v_same, updated_at = now() where s.id = v_old.id;
            update uplift.knowledge_texts k set is_gone = true where k.source_id = v_old.id;
            return jsonb_build_object('outcome', 'duplicate', 'id', v_same);
        end if;
    end if;

    v_new := v_old;
    v_new.source_type := coalesce(v_type, v_old.source_type);
    v_new.source_name := coalesce(v_name, v_old.source_name, v_url);
    v_new.title := left(coalesce(p_document ->> 'title', v_old.title), 300);
    v_new.reliability_score := coalesce(v_reliability, v_old.reliability_score);
    v_new.topic_tags := coalesce(v_topics, v_old.topic_tags);
    v_new.target_audience := coalesce(v_audience, v_old.target_audience);
    v_new.coach_ids := coalesce(v_coaches, v_old.coach_ids);
    if v_has_same_content then
        v_new.id := v_old.id;
        v_outcome := case
            when v_old.is_active is false then 'restored'
            when (v_new.source_type, v_new.source_name, v_new.title, v_new.reliability_score, v_new.topic_tags, v_new.target_audience,
                    v_new.coach_ids) is distinct from
                (v_old.source_type, v_old.source_name, v_old.title, v_old.reliability_score, v_old.topic_tags, v_old.target_audience,
                    v_old.coach_ids) then 'changed'
            else 'unchanged' end;
        update public.ai_knowledge_sources s set source_type = v_new.source_type, source_name = v_new.source_name, title = v_new.title,
            reliability_score = v_new.reliability_score, topic_tags = v_new.topic_tags, target_audience = v_new.target_audience,
            coach_ids = v_new.coach_ids, is_active = case when v_outcome = 'restored' then true else s.is_active end,
            deprecated_by = case when v_outcome = 'restored' then null else s.deprecated_by end, updated_at = now()
        where s.id = v_old.id and v_outcome <> 'unchanged';
    else
        v_new.id := uplift.uuid_v7();
        v_outcome := case when v_old.id is null then 'added' else 'changed' end;
        insert into public.ai_knowledge_sources (id, source_type, source_url, source_name, source_authority, title, content,
            reliability_score, topic_tags, target_audience, coach_ids, is_active, created_at, updated_at)
        values (v_new.id, v_new.source_type, v_url, v_new.source_name, v_old.source_authority, v_new.title, p_content,
            v_new.reliability_score, v_new.topic_tags, v_new.target_audience, v_new.coach_ids, true, now(), now());
        update public.ai_knowledge_sources s set is_active = false, deprecated_by = v_new.id, updated_at = now() where s.id = v_old.id;
    end if;
    update uplift.knowledge_texts k set document_key = v_key, is_gone = false, file_hash = (p_document ->> 'file_hash')::uuid,
        collection = coalesce(p_document ->> 'collection', case when v_has_same_content then k.collection end)
    where k.source_id = v_new.id;
    return jsonb_build_object('outcome', v_outcome, 'id', v_new.id, 'replaces', case when not v_has_same_content then v_old.id end);
end
$$;

comment on function uplift_batch.take_knowledge(jsonb, text) is
    'Takes a document: url or name (what it is told apart by), title, source_type, topics, coach_ids, audience, reliability, collection, file_hash (of what it was made from), and its text with Markdown''s headings. Metadata that is not given is the older version''s. {outcome, id, replaces}: added; changed, when a new row took the place of an older version (replaces), or, where the content is the same, the metadata of the row was changed in place (replaces is null); unchanged; duplicate, when another document (id) says the same, and is for the coaches and audience that are given; restored, when it is there again; withdrawn, when an admin withdrew it. UP400 invalid_content, invalid_NAME.';

create or replace function uplift_batch.has_knowledge(p_url text, p_name text, p_file_hash uuid) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
as $$
declare
    v_id uuid := uplift.newest_source(uplift.document_key(p_url, p_name));
begin
    return exists (select from uplift.knowledge_texts k join public.ai_knowledge_sources s on s.id = k.source_id
        where k.source_id = v_id and s.is_active is not false and k.file_hash = p_file_hash);
end
$$;

comment on function uplift_batch.has_knowledge(text, text, uuid) is 'Whether a document is in effect as it was made from that file.';

create or replace function uplift_batch.list_collection(p_collection text, p_after uuid) returns table (id uuid, name text, url text)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select s.id, s.source_name, s.source_url from uplift.knowledge_texts k
    join public.ai_knowledge_sources s on s.id = k.source_id and s.is_active is not false
    where k.collection = p_collection and (p_after is null or k.source_id > p_after)
    order by k.source_id limit 1000
$$;

comment on function uplift_batch.list_collection(text, uuid) is 'The documents in effect of a collection, a thousand at a time.';

create or replace function uplift_batch.prune_knowledge(p_ids uuid[]) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_count int;
begin
    perform uplift.lock_knowledge();
    update public.ai_knowledge_sources s set is_active = false, updated_at = now()
    where s.id = any (p_ids) and s.is_active is not false;
    get diagnostics v_count = row_count;
    update uplift.knowledge_texts k set is_gone = true where k.source_id = any (p_ids);
    return v_count;
end
$$;

comment on function uplift_batch.prune_knowledge(uuid[]) is 'Withdraws documents that are not where they were imported from any more; how many.';

-- --- what admins do ---

create or replace function uplift.knowledge_json(p_source public.ai_knowledge_sources) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'knowledge_source', 'id', p_source.id, 'name', p_source.source_name,
        'url', p_source.source_url, 'title', p_source.title, 'source_type', p_source.source_type,
        'topics', p_source.topic_tags, 'coach_ids', p_source.coach_ids, 'audience', p_source.target_audience,
        'reliability', p_source.reliability_score, 'is_active', p_source.is_active is not false,
        'deprecated_by', p_source.deprecated_by, 'times_referenced', coalesce(p_source.times_referenced, 0),
        'helpful_votes', coalesce(p_source.helpful_votes, 0), 'not_helpful_votes', coalesce(p_source.not_helpful_votes, 0),
        'characters', length(p_source.content), 'created_at', p_source.created_at, 'updated_at', p_source.updated_at)
        || (select jsonb_build_object('collection', min(k.collection), 'chunks', coalesce(min(k.chunks), 0))
            from uplift.knowledge_texts k where k.source_id = p_source.id)
$$;

comment on function uplift.knowledge_json(public.ai_knowledge_sources) is 'A source as lists have it: all but its content.';

create or replace function uplift.found_knowledge(p_id uuid) returns public.ai_knowledge_sources
language plpgsql stable
as $$
declare
    v_source public.ai_knowledge_sources;
begin
    select s.* into v_source from public.ai_knowledge_sources s where s.id = p_id;
    if not found then
        perform uplift.fail(404, 'knowledge_not_found', 'there is no such source');
    end if;
    return v_source;
end
$$;

comment on function uplift.found_knowledge(uuid) is 'A source of knowledge. UP404 knowledge_not_found.';

create or replace function uplift_batch.admin_list_knowledge(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_active text := p_arguments ->> 'active';
    v_topic text := uplift.text_argument(p_arguments, 'topic', 100);
    v_coach text := uplift.text_argument(p_arguments, 'coach', 200);
    -- What stands for any text in a pattern is looked for as it is.
    v_pattern text := '%' || regexp_replace(uplift.text_argument(p_arguments, 'text', 200), '([\\%_])', '\\\1', 'g') || '%';
    -- How many are looked at for a page: what hardly any has may be far away, and is gone on with.
    v_most int := case when p_arguments ?| '{active,topic,coach,text}' then 1000 else v_limit + 1 end;
    v_looked uuid[];
    v_rows jsonb[];
    v_last uuid;
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,active,topic,coach,text}');
    if v_active not in ('true', 'false') then
        perform uplift.fail(400, 'invalid_active', 'active must be true or false', 'active');
    end if;
    v_looked := array(select s.id from public.ai_knowledge_sources s where v_after is null or s.id < v_after
        order by s.id desc limit v_most);
    select array_agg(r.row order by r.id desc) into v_rows from (
        select s.id, uplift.knowledge_json(s) as row from public.ai_knowledge_sources s
        where s.id = any (v_looked)
            and (v_active is null or (s.is_active is not false) = v_active::boolean)
            and (v_topic is null or v_topic = any (s.topic_tags))
            and (v_coach is null or s.coach_ids is null or v_coach = any (s.coach_ids))
            and (v_pattern is null or s.title ilike v_pattern or s.source_name ilike v_pattern or s.content ilike v_pattern)
        order by s.id desc limit v_limit + 1) r;
    if coalesce(cardinality(v_rows), 0) > v_limit then
        v_last := (v_rows[v_limit] ->> 'id')::uuid;
    elsif cardinality(v_looked) = v_most and p_arguments ?| '{active,topic,coach,text}' then
        v_last := v_looked[v_most];
    end if;
    return uplift.list_page(v_rows, v_limit) || jsonb_build_object('has_more', v_last is not null, 'next_after', v_last);
end
$$;

comment on function uplift_batch.admin_list_knowledge(uuid, jsonb, text) is
    'Sources, the newest first: active, topic, coach (who may use it), text (a part of title, name or content), limit, after (an id). At most 1,000 are looked at: next_after says where to go on. UP400 invalid_limit, invalid_after, invalid_active, invalid_topic, invalid_coach, invalid_text.';

create or replace function uplift_batch.admin_get_knowledge(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_source public.ai_knowledge_sources := uplift.found_knowledge(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.knowledge_json(v_source) || jsonb_build_object('content', v_source.content, 'summary', v_source.summary);
end
$$;

comment on function uplift_batch.admin_get_knowledge(uuid, jsonb, text) is 'One source, with its content. UP404 knowledge_not_found.';

create or replace function uplift_batch.admin_create_knowledge(p_arguments jsonb, p_content text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_title text := uplift.text_argument(p_arguments, 'title', 300);
    v_url text := uplift.text_argument(p_arguments, 'url', 2000);
    v_taken jsonb;
begin
    perform uplift.check_arguments(p_arguments - 'content' - 'format', '{name,title,url,source_type,topics,coach_ids,audience,reliability}');
    if v_title is null then
        perform uplift.fail(400, 'missing_title', 'title is missing', 'title');
    elsif v_url !~* '^https?://[^[:space:]]+$' then
        perform uplift.fail(400, 'invalid_url', 'url must begin with http:// or https://', 'url');
    end if;
    v_taken := uplift_batch.take_knowledge(jsonb_build_object('name', v_title) || p_arguments, p_content);
    if v_taken ->> 'outcome' = 'duplicate' then
        perform uplift.fail(409, 'knowledge_exists', format('source %s says the same', v_taken ->> 'id'), 'content');
    elsif v_taken ->> 'outcome' = 'withdrawn' then
        perform uplift.fail(409, 'knowledge_withdrawn',
            format('this document was withdrawn: PATCH source %s with "is_active": true first', v_taken ->> 'id'));
    end if;
    return uplift.knowledge_json(uplift.found_knowledge((v_taken ->> 'id')::uuid))
        || jsonb_build_object('outcome', v_taken -> 'outcome', 'replaces', v_taken -> 'replaces');
end
$$;

comment on function uplift_batch.admin_create_knowledge(jsonb, text) is
    'Takes a document that an admin sends, as uplift_batch.take_knowledge() has it; its name is the title where none is given. UP400 missing_title, invalid_NAME, UP409 knowledge_exists, knowledge_withdrawn.';

create or replace function uplift_batch.admin_edit_knowledge(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_title text := uplift.text_argument(p_arguments, 'title', 300);
    v_type text := uplift.knowledge_word(p_arguments);
    v_topics text[] := uplift.texts_argument(p_arguments, 'topics', 100);
    v_coaches text[] := uplift.texts_argument(p_arguments, 'coach_ids', 200);
    v_audience text := uplift.text_argument(p_arguments, 'audience', 200);
    v_reliability numeric := uplift.decimal_argument(p_arguments, 'reliability', 0, 10);
    v_active boolean := uplift.flag_argument(p_arguments, 'is_active');
    v_source public.ai_knowledge_sources;
begin
    perform uplift.check_arguments(p_arguments, '{title,source_type,topics,coach_ids,audience,reliability,is_active}');
    perform uplift.lock_knowledge();
    v_source := uplift.found_knowledge(p_id);
    if v_active and v_source.is_active is false and v_source.deprecated_by is not null then
        perform uplift.fail(409, 'knowledge_superseded', format('source %s took its place; send its content again to have it back',
            v_source.deprecated_by));
    elsif p_arguments ? 'title' and v_title is null then
        perform uplift.fail(400, 'missing_title', 'title is missing', 'title');
    end if;
    update uplift.knowledge_texts k set is_gone = false where k.source_id = p_id and v_active is not null;
    update public.ai_knowledge_sources s set
        title = coalesce(v_title, s.title),
        source_type = case when p_arguments ? 'source_type' then v_type else s.source_type end,
        topic_tags = case when p_arguments ? 'topics' then v_topics else s.topic_tags end,
        coach_ids = case when p_arguments ? 'coach_ids' then v_coaches else s.coach_ids end,
        target_audience = case when p_arguments ? 'audience' then v_audience else s.target_audience end,
        reliability_score = case when p_arguments ? 'reliability' then v_reliability else s.reliability_score end,
        is_active = coalesce(v_active, s.is_active), updated_at = now()
    where s.id = p_id returning s.* into v_source;
    return uplift.knowledge_json(v_source);
end
$$;

comment on function uplift_batch.admin_edit_knowledge(uuid, jsonb, text) is
    'Changes what is named of a source: title, source_type, topics, coach_ids (null: all coaches), audience, reliability, is_active. UP400 missing_title, invalid_NAME, UP404 knowledge_not_found, UP409 knowledge_superseded.';

create or replace function uplift_batch.admin_delete_knowledge(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_source public.ai_knowledge_sources;
    v_count int;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    perform uplift.lock_knowledge();
    v_source := uplift.found_knowledge(p_id);
    with recursive versions(id) as (
        select v_source.id
        union
        select s.id from versions v join public.ai_knowledge_sources s on s.deprecated_by = v.id
    )
    delete from public.ai_knowledge_sources s using versions v where s.id = v.id;
    get diagnostics v_count = row_count;
    return jsonb_build_object('object', 'knowledge_source', 'id', p_id, 'deleted', true, 'versions', v_count);
end
$$;

comment on function uplift_batch.admin_delete_knowledge(uuid, jsonb, text) is
    'Deletes a source, and the versions before it. UP404 knowledge_not_found.';

create or replace function uplift_batch.admin_list_chunks(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after int := uplift.number_argument(p_arguments, 'after', 0, 1000000);
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    perform uplift.found_knowledge(p_id);
    select array_agg(r.row order by r.part) into v_rows from (
        select t.part, jsonb_build_object('object', 'knowledge_chunk', 'id', t.part, 'part', t.part, 'title', t.title, 'body', t.body,
            'weight', t.weight, 'is_searched', t.is_active) as row
        from uplift.search_texts t
        where t.ref = p_id and t.shelf = 'knowledge' and (v_after is null or t.part > v_after)
        order by t.part limit v_limit + 1) r;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_chunks(uuid, jsonb, text) is
    'The pieces of a source as they are searched: limit, after (a part). is_searched is false for one that another source has word for word, and for all of a source that is not in effect. UP400 invalid_limit, invalid_after, UP404 knowledge_not_found.';
