-- Searching the texts of uplift.search_texts: what changes in them is logged, and what is newer than a worker's copy is
-- searched here; who shows a hit looks it up by key, and so leaves out what was withdrawn. The copy's builder reads both by the functions of uplift_search.

create or replace function uplift.word_counts(p_words text[]) returns jsonb
language plpgsql immutable parallel safe
as $$
begin
    return (select coalesce(jsonb_object_agg(c.word, c.often), '{}') || jsonb_build_object('', cardinality(p_words))
        from (select w.word, count(*) as often from unnest(p_words) w(word) group by w.word) c);
end
$$;

comment on function uplift.word_counts(text[]) is
    'Of words each once, with how often it is there; the empty one has the number of all.';

create or replace function uplift.log_inserted_texts() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.search_log (text_id, shelf, words)
    select n.id, n.shelf, case when n.is_active and count(*) over () <= 200 then uplift.word_counts(uplift.search_words(n.title, n.body, n.language)) end
    from new_texts n;
    return null;
end
$$;

comment on function uplift.log_inserted_texts() is 'Trigger: notes in uplift.search_log which texts are new.';

create or replace function uplift.log_deleted_texts() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.search_log (text_id, shelf) select o.id, o.shelf from old_texts o;
    return null;
end
$$;

comment on function uplift.log_deleted_texts() is 'Trigger: notes in uplift.search_log which texts are gone.';

create or replace function uplift.log_changed_text() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if new.shelf <> old.shelf then
        insert into uplift.search_log (text_id, shelf) values (old.id, old.shelf);
    end if;
    insert into uplift.search_log (text_id, shelf, words)
    values (new.id, new.shelf, case when new.is_active then uplift.word_counts(uplift.search_words(new.title, new.body, new.language)) end);
    return null;
end
$$;

comment on function uplift.log_changed_text() is 'Trigger: notes in uplift.search_log that a text was withdrawn, or counts otherwise.';

-- Only where they are missing, because making a trigger waits for everyone who writes there.
do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'uplift.search_texts'::regclass and tgname = 'uplift_log_changed') then
        create trigger uplift_log_inserted after insert on uplift.search_texts
            referencing new table as new_texts for each statement execute function uplift.log_inserted_texts();
        create trigger uplift_log_deleted after delete on uplift.search_texts
            referencing old table as old_texts for each statement execute function uplift.log_deleted_texts();
        create trigger uplift_log_changed after update on uplift.search_texts for each row
            when ((old.shelf, old.is_active, old.weight, old.title, old.body, old.language)
                is distinct from (new.shelf, new.is_active, new.weight, new.title, new.body, new.language))
            execute function uplift.log_changed_text();
    end if;
end
$$;

-- BM25 of a text by its words, where idf is that of each word asked for; src/search/find.h has the formula.
create or replace function uplift.search_score(p_words jsonb, p_asked text[], p_idf float8[], p_mean float8) returns float8
language plpgsql immutable parallel safe
as $$
declare
    v_score float8 := 0;
    v_often float8;
    v_share constant float8 := 1.5::float8 * (.25::float8 + .75::float8 * (p_words ->> '')::float8 / greatest(p_mean, 1::float8));
begin
    for i in 1 .. least(cardinality(p_asked), cardinality(p_idf)) loop
        v_often := (p_words ->> p_asked[i])::float8;
        if v_often is not null then
            v_score := v_score + p_idf[i] * 2.5::float8 * v_often / (v_often + v_share);
        end if;
    end loop;
    return v_score;
end
$$;

comment on function uplift.search_score(jsonb, text[], float8[], float8) is
    'How well a text of these words (uplift.word_counts) answers those asked for: BM25 with k1 1.5, b .75; p_mean is how many words a text has on average.';

-- Where the log has rows from the copy's horizon on. A plan that reads a whole index for a join would cost a hundred times
-- as much as all else of a chat.
create or replace function uplift.add_newer(p_shelf text, p_search jsonb, p_horizon xid8, inout ids bigint[], inout scores real[])
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
    v_mean constant float8 := (p_search -> p_shelf ->> 'mean')::float8;
    v_words constant text[] collate "C" := array(select w.word from jsonb_array_elements_text(p_search -> 'words') w(word) limit 64);
    v_idf constant float8[] := uplift.json_list(p_search -> p_shelf -> 'idf')::float8[];
begin
    with newer as materialized (
        select distinct on (l.text_id) l.text_id as id, l.words
        from (select * from uplift.search_log x where x.shelf = p_shelf and x.tx >= p_horizon order by x.tx desc, x.text_id desc limit 200) l
        where l.words is not null
        order by l.text_id, l.tx desc
    ), found as (
        select c.id, c.score from unnest(add_newer.ids, add_newer.scores) c(id, score)
        where not exists (select from newer n where n.id = c.id)
        union all
        select t.id, (t.weight * uplift.search_score(n.words, v_words, v_idf, v_mean))::real
        from newer n join uplift.search_texts t on t.id = n.id and t.is_active
        where n.words ?| v_words
    ), best as (
        select f.id, f.score from found f where f.score > 0 order by f.score desc, f.id limit 40
    )
    select array_agg(b.id order by b.score desc, b.id), array_agg(b.score order by b.score desc, b.id) into ids, scores from best b;
end
$$;

comment on function uplift.add_newer(text, jsonb, xid8, bigint[], real[]) is
    'uplift.search_hits() where something changed since the copy: the newest 200 of those texts are scored here, and their scores of the copy do not count.';

create or replace function uplift.search_hits(p_shelf text, p_search jsonb, out ids bigint[], out scores real[])
language plpgsql stable
as $$
declare
    v_shelf constant jsonb := p_search -> p_shelf;
    v_horizon constant xid8 := (v_shelf ->> 'horizon')::xid8;
begin
    -- Numbers of texts and of transactions of another database are others' here.
    if v_horizon is null or v_shelf ->> 'origin' is distinct from (select o.origin from uplift.search_origin o) then
        return;
    end if;
    ids := uplift.json_list(v_shelf -> 'ids')::bigint[];
    scores := uplift.json_list(v_shelf -> 'scores')::real[];
    -- The newest there is, by the end of the index: of "exists" the planner thinks that the table's first page will do.
    if (select l.tx from uplift.search_log l where l.shelf = p_shelf order by l.tx desc limit 1) >= v_horizon then
        select n.ids, n.scores into ids, scores from uplift.add_newer(p_shelf, p_search, v_horizon, ids, scores) n;
    end if;
end
$$;

comment on function uplift.search_hits(text, jsonb) is
    'Which texts of a shelf may answer a message best, best first, at most 40, and their scores. They are to be looked up by key: what was withdrawn since the copy was made is not left out. p_search as workers send it: words, and for each shelf origin (uplift.search_origin), horizon, mean, idf, ids and scores of the worker''s copy; what changed since the copy''s horizon is scored here (uplift.add_newer). Nulls without the shelf in it, for nothing found, or of a copy of another database.';

create or replace function uplift.search_floor(p_idf jsonb, p_share float8) returns float8
language plpgsql immutable parallel safe
as $$
begin
    return p_share * coalesce((
        select sum(x.idf) from (
            select i.idf from unnest(uplift.json_list(p_idf)::float8[]) i(idf) where i.idf > 0 order by 1 desc limit 6) x), 0);
end
$$;

comment on function uplift.search_floor(jsonb, float8) is
    'The score below which nothing is shown: this share of the sum of the six highest idf of the question''s words. A text of average length that has each of those words once scores about their sum by BM25. Beyond six words a question is a story, of which a text need not have most words.';

-- What the builder of a copy asks, as role uplift_search. It reads texts of all users' liked answers, redacted, and nothing else.
create or replace function uplift.search_origin() returns text
language sql stable
as $$ select (select c.system_identifier::text from pg_control_system() c) || '/' || (select d.oid::text from pg_database d where d.datname = current_database()) $$;

comment on function uplift.search_origin() is
    'Which database this is, of which cluster: numbers of transactions mean something only there.';

create or replace function uplift_search.start() returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_origin text := uplift.search_origin();
begin
    if not exists (select from uplift.search_origin o where o.origin = v_origin) then
        -- A restored dump: its log has numbers of another cluster's transactions.
        delete from uplift.search_log;
        delete from uplift.search_marks;
        insert into uplift.search_origin (origin) values (v_origin) on conflict (is_row) do update set origin = v_origin;
    end if;
    return v_origin;
end
$$;

comment on function uplift_search.start() is
    'Where a builder begins: returns uplift.search_origin(). A copy of another origin is of no use here; what the log has of one is deleted.';

create or replace function uplift_search.read_log(p_shelf text, p_horizon text, p_after_tx text, p_after_id bigint, p_limit int)
returns table (horizon text, tx text, text_id bigint)
language plpgsql volatile security definer rows 100 set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
begin
    return query
        select h.horizon::text, l.tx::text, l.text_id
        from (select pg_snapshot_xmin(pg_current_snapshot()) as horizon) h
        left join lateral (
            select x.tx, x.text_id from uplift.search_log x
            where x.shelf = p_shelf and x.tx >= p_horizon::xid8
                and (p_after_tx is null or (x.tx, x.text_id) > (p_after_tx::xid8, p_after_id))
            order by x.tx, x.text_id limit least(p_limit, 10000)) l on true;
end
$$;

comment on function uplift_search.read_log(text, text, text, bigint, int) is
    'Which texts of a shelf changed in transactions from p_horizon on, by transaction and text, after the row (p_after_tx, p_after_id), null for the first ones; at most p_limit, and 10000. horizon is where to read on once this reading is at its end: all transactions before it were over in the statement that read the first page. One row of it alone when there is nothing.';

create or replace function uplift_search.read_texts(p_shelf text, p_after bigint, p_limit int)
returns table (id bigint, language text, title text, body text, weight real)
language plpgsql volatile security definer rows 1000 set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
begin
    return query
        select t.id, t.language, t.title, left(t.body, 100000), t.weight from uplift.search_texts t
        where t.shelf = p_shelf and t.is_active and t.id > p_after
        order by t.id limit least(p_limit, 10000);
end
$$;

comment on function uplift_search.read_texts(text, bigint, int) is
    'The texts of a shelf that are to be found, by id after p_after; at most p_limit, and 10000.';

create or replace function uplift_search.read_changed(p_shelf text, p_ids bigint[])
returns table (id bigint, language text, title text, body text, weight real)
language plpgsql volatile security definer rows 100 set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
begin
    return query
        select t.id, t.language, t.title, left(t.body, 100000), t.weight from uplift.search_texts t
        where t.id = any (p_ids) and t.shelf = p_shelf and t.is_active
        order by t.id;
end
$$;

comment on function uplift_search.read_changed(text, bigint[]) is
    'Those of the texts that are to be found in the shelf; the others are withdrawn.';

create or replace function uplift.trim_search_log() returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
    v_horizon xid8;
    v_trimmed bigint;
begin
    insert into uplift.search_marks (horizon) values (pg_snapshot_xmin(pg_current_snapshot())) on conflict do nothing;
    select m.horizon into v_horizon from uplift.search_marks m where m.marked_at < now() - interval '72 hours' order by m.marked_at desc limit 1;
    if v_horizon is null then
        return 0;
    end if;
    delete from uplift.search_log l where l.tx < v_horizon;
    get diagnostics v_trimmed = row_count;
    delete from uplift.search_marks m where m.horizon < v_horizon;
    return v_trimmed;
end
$$;

comment on function uplift.trim_search_log() is
    'Deletes what the log has of transactions that were over 72 hours ago, and says how many rows. Copies are built anew before they are 48 hours behind, so that none needs those.';

create or replace function uplift_search.trim_log() returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return uplift.trim_search_log();
end
$$;

comment on function uplift_search.trim_log() is 'uplift.trim_search_log(), for builders.';

create or replace function uplift_batch.trim_search_log() returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return uplift.trim_search_log();
end
$$;

comment on function uplift_batch.trim_search_log() is
    'uplift.trim_search_log(), for the job trim-cache: texts are logged also where nothing is searched, and no builder trims.';
