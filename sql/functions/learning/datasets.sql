-- Datasets: their counts, kept by triggers; frozen versions; and taking a person out again.

create or replace function uplift.training_lock() returns bigint
language sql immutable parallel safe
as $$ select 6117420053188421 $$;

comment on function uplift.training_lock() is
    'Key of the advisory lock that whoever makes or erases training examples takes alone.';

create or replace function uplift.is_in_set(p_withdrawn_at timestamptz, p_is_validated boolean, p_review text)
returns boolean
language sql immutable parallel safe
as $$
    select p_withdrawn_at is null and coalesce(p_is_validated, false) and p_review is distinct from 'rejected'
$$;

comment on function uplift.is_in_set(timestamptz, boolean, text) is
    'Whether an example is in its set: not withdrawn, validated, and not rejected by a person.';

-- Two examples are as large as their text; the four are what a message's frame takes.
create or replace function uplift.token_estimate(p_messages jsonb) returns int
language sql immutable parallel safe
as $$
    select coalesce(sum(octet_length(coalesce(m ->> 'content', '')) / 4 + 4), 0)::int from jsonb_array_elements(p_messages) m
$$;

comment on function uplift.token_estimate(jsonb) is
    'Tokens of an array of messages, estimated: a token for 4 bytes, and 4 more for each message.';

create or replace function uplift.content_hash(p_messages jsonb, p_completion jsonb, p_rejected jsonb, p_label boolean)
returns bytea
language sql stable parallel safe
as $$
    select sha256(convert_to(p_messages::text || coalesce(e'\n' || p_completion::text, '')
        || coalesce(e'\n' || p_rejected::text, '') || coalesce(e'\n' || p_label::text, ''), 'UTF8'))
$$;

comment on function uplift.content_hash(jsonb, jsonb, jsonb, boolean) is
    'sha256 of what a model would learn from an example.';

create or replace function uplift.dataset_named(p_name text, p_type text, p_description text) returns uuid
language plpgsql
as $$
declare
    v_id uuid;
begin
    select d.id into v_id from public.ai_training_datasets d where d.dataset_name = p_name;
    if found then
        return v_id;
    end if;
    insert into public.ai_training_datasets (dataset_name, description, model_target, dataset_type, status,
        contains_user_feedback)
    values (p_name, p_description, 'gpt-4o-mini', p_type, 'collecting', true)
    on conflict (dataset_name) do nothing;
    select d.id into strict v_id from public.ai_training_datasets d where d.dataset_name = p_name;
    return v_id;
end
$$;

comment on function uplift.dataset_named(text, text, text) is 'The dataset of that name, made where it is missing.';

-- Counts. All three triggers see whole statements, so that a million rows are counted as they come
-- and not one update of the dataset each.

create or replace function uplift.counted_cells(p_dataset_id uuid)
returns table (split text, quality numeric, examples bigint, tokens bigint)
language sql stable
as $$
    select e.split, e.quality_score, count(*), coalesce(sum(coalesce(e.tokens, uplift.token_estimate(e.messages))), 0)::bigint
    from public.ai_training_examples e
    where e.dataset_id = p_dataset_id and uplift.is_in_set(e.withdrawn_at, e.is_validated, e.review)
    group by 1, 2
$$;

comment on function uplift.counted_cells(uuid) is 'How many examples of a split and quality there are in a set, read from the examples.';

create or replace function uplift.recount_dataset(p_dataset_id uuid) returns void
language plpgsql volatile
as $$
begin
    -- Whoever else counts it is waited for: what they added is then seen.
    perform from public.ai_training_datasets d where d.id = p_dataset_id for update;
    delete from uplift.dataset_cells c where c.dataset_id = p_dataset_id;
    delete from uplift.dataset_tags t where t.dataset_id = p_dataset_id;
    insert into uplift.dataset_cells (dataset_id, split, quality, examples, tokens)
    select p_dataset_id, c.* from uplift.counted_cells(p_dataset_id) c;
    insert into uplift.dataset_tags (dataset_id, tag, examples)
    select p_dataset_id, g.tag, count(*)
    from public.ai_training_examples e cross join lateral unnest(e.tags) as g(tag)
    where e.dataset_id = p_dataset_id and uplift.is_in_set(e.withdrawn_at, e.is_validated, e.review)
    group by g.tag;
    update public.ai_training_datasets d set
        total_examples = s.total, train_examples = s.train, validation_examples = s.validation, test_examples = s.test,
        quality_sum = s.quality, scored_examples = s.scored, total_tokens = s.tokens,
        average_quality_score = round(s.quality / nullif(s.scored, 0), 2), revision = coalesce(d.revision, 0) + 1
    from (
        select coalesce(sum(c.examples), 0) as total, coalesce(sum(c.examples) filter (where c.split = 'train'), 0) as train,
            coalesce(sum(c.examples) filter (where c.split = 'validation'), 0) as validation,
            coalesce(sum(c.examples) filter (where c.split = 'test'), 0) as test,
            coalesce(sum(c.quality * c.examples), 0) as quality, coalesce(sum(c.examples) filter (where c.quality is not null), 0) as scored,
            coalesce(sum(c.tokens), 0) as tokens
        from uplift.dataset_cells c where c.dataset_id = p_dataset_id) s
    where d.id = p_dataset_id;
end
$$;

comment on function uplift.recount_dataset(uuid) is
    'Counts a dataset anew: for those that were filled before the triggers were there, or with the triggers off.';

create or replace function uplift.cells_of(p_dataset_id uuid) returns table (split text, quality numeric, examples bigint, tokens bigint)
language plpgsql stable
as $$
begin
    if (select d.revision is not null from public.ai_training_datasets d where d.id = p_dataset_id) then
        return query select c.split, c.quality, c.examples, c.tokens from uplift.dataset_cells c where c.dataset_id = p_dataset_id;
    else
        -- From before the triggers, and not changed since.
        return query select c.* from uplift.counted_cells(p_dataset_id) c;
    end if;
end
$$;

comment on function uplift.cells_of(uuid) is
    'How many examples of a split and quality there are in a set: uplift.dataset_cells, or counted where that is not kept yet.';

create or replace function uplift.change_counts(p_cells jsonb, p_tags jsonb) returns void
language plpgsql
as $$
declare
    v record;
begin
    for v in
        select c.id, sum(c.n) as total, coalesce(sum(c.n) filter (where c.split = 'train'), 0) as train,
            coalesce(sum(c.n) filter (where c.split = 'validation'), 0) as validation,
            coalesce(sum(c.n) filter (where c.split = 'test'), 0) as test,
            coalesce(sum(c.quality * c.n), 0) as quality, coalesce(sum(c.n) filter (where c.quality is not null), 0) as scored,
            sum(c.tokens) as tokens
        from jsonb_to_recordset(p_cells) as c(id uuid, split text, quality numeric, n bigint, tokens bigint)
        group by c.id
        order by c.id -- so that two who change several sets cannot wait for each other
    loop
        update public.ai_training_datasets d set
            total_examples = d.total_examples + v.total, train_examples = d.train_examples + v.train,
            validation_examples = d.validation_examples + v.validation, test_examples = d.test_examples + v.test,
            quality_sum = d.quality_sum + v.quality, scored_examples = d.scored_examples + v.scored,
            total_tokens = d.total_tokens + v.tokens, revision = d.revision + 1,
            average_quality_score = round((d.quality_sum + v.quality) / nullif(d.scored_examples + v.scored, 0), 2)
        where d.id = v.id and d.revision is not null;
        if not found then
            perform uplift.recount_dataset(v.id);
            continue;
        end if;
        insert into uplift.dataset_cells as o (dataset_id, split, quality, examples, tokens)
        select v.id, c.split, c.quality, c.n, c.tokens
        from jsonb_to_recordset(p_cells) as c(id uuid, split text, quality numeric, n bigint, tokens bigint)
        where c.id = v.id and (c.n <> 0 or c.tokens <> 0)
        on conflict (dataset_id, split, quality) do update set examples = o.examples + excluded.examples, tokens = o.tokens + excluded.tokens;
        delete from uplift.dataset_cells o where o.dataset_id = v.id and o.examples = 0;
        insert into uplift.dataset_tags as o (dataset_id, tag, examples)
        select v.id, t.tag, t.n from jsonb_to_recordset(p_tags) as t(id uuid, tag text, n bigint) where t.id = v.id and t.n <> 0
        on conflict (dataset_id, tag) do update set examples = o.examples + excluded.examples;
        delete from uplift.dataset_tags o where o.dataset_id = v.id and o.examples = 0;
    end loop;
end
$$;

comment on function uplift.change_counts(jsonb, jsonb) is
    'Adds to the counts of datasets: [{"id", "split", "quality", "n", "tokens"}] and [{"id", "tag", "n"}]. One that was never counted is counted whole.';

create or replace function uplift.count_added() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.change_counts((
        select jsonb_agg(to_jsonb(c)) from (
            select a.dataset_id as id, a.split, a.quality_score as quality, sum(i.n) as n,
                coalesce(sum(i.n * coalesce(a.tokens, uplift.token_estimate(a.messages))), 0) as tokens
            from added a cross join lateral (select uplift.is_in_set(a.withdrawn_at, a.is_validated, a.review)::int as n) i
            group by 1, 2, 3) c), (
        select jsonb_agg(to_jsonb(c)) from (
            select a.dataset_id as id, g.tag, count(*) as n from added a cross join lateral unnest(a.tags) as g(tag)
            where uplift.is_in_set(a.withdrawn_at, a.is_validated, a.review)
            group by 1, 2) c))
    where exists (select from added);
    return null;
end
$$;

comment on function uplift.count_added() is 'Trigger of ai_training_examples: counts what came.';

create or replace function uplift.count_removed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.change_counts((
        select jsonb_agg(to_jsonb(c)) from (
            select r.dataset_id as id, r.split, r.quality_score as quality, -sum(i.n) as n,
                -coalesce(sum(i.n * coalesce(r.tokens, uplift.token_estimate(r.messages))), 0) as tokens
            from removed r cross join lateral (select uplift.is_in_set(r.withdrawn_at, r.is_validated, r.review)::int as n) i
            group by 1, 2, 3) c), (
        select jsonb_agg(to_jsonb(c)) from (
            select r.dataset_id as id, g.tag, -count(*) as n from removed r cross join lateral unnest(r.tags) as g(tag)
            where uplift.is_in_set(r.withdrawn_at, r.is_validated, r.review)
            group by 1, 2) c))
    where exists (select from removed);
    perform uplift.change_version_counts(array_agg(x.version_id), array_agg(x.split), array_agg(r.quality_score), array_agg(-1),
        array_agg(-coalesce(r.tokens, 0)::bigint))
    from removed r join uplift.dataset_version_examples x on x.example_id = r.id
    where coalesce(r.content_hash, uplift.content_hash(r.messages, r.completion, r.rejected, r.label)) = x.content_hash;
    perform uplift.release_duplicates(array(select r.id from removed r));
    -- By an array, for which the index is taken; a join may read the whole table.
    delete from uplift.training_example_sources s where s.example_id = any (array(select r.id from removed r));
    return null;
end
$$;

comment on function uplift.count_removed() is
    'Trigger of ai_training_examples: counts what went, forgets its sources, and has what was dropped for it looked at again.';

create or replace function uplift.change_version_counts(p_versions uuid[], p_splits text[], p_qualities numeric[], p_numbers int[], p_tokens bigint[])
returns void
language sql volatile
as $$
    insert into uplift.dataset_version_cells as o (version_id, split, quality, examples, tokens)
    select c.version_id, c.split, c.quality, sum(c.n), sum(c.tokens)
    from unnest(p_versions, p_splits, p_qualities, p_numbers, p_tokens) as c(version_id, split, quality, n, tokens)
    group by 1, 2, 3
    having sum(c.n) <> 0 or sum(c.tokens) <> 0
    order by 1, 2, 3
    on conflict (version_id, split, quality) do update set examples = o.examples + excluded.examples, tokens = o.tokens + excluded.tokens
$$;

comment on function uplift.change_version_counts(uuid[], text[], numeric[], int[], bigint[]) is
    'Adds to the counts of dataset versions: how many of their examples, of a split and quality, are there and the same, and their tokens.';

create or replace function uplift.count_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_frozen uuid[];
begin
    perform uplift.change_counts((
        select jsonb_agg(to_jsonb(c)) from (
            select b.dataset_id as id, b.split, b.quality_score as quality, sum(b.n) as n, coalesce(sum(b.n * b.tokens), 0) as tokens
            from (
                select a.dataset_id, a.split, a.quality_score, coalesce(a.tokens, uplift.token_estimate(a.messages)) as tokens,
                    uplift.is_in_set(a.withdrawn_at, a.is_validated, a.review)::int as n
                from added a
                union all
                select r.dataset_id, r.split, r.quality_score, coalesce(r.tokens, uplift.token_estimate(r.messages)),
                    -uplift.is_in_set(r.withdrawn_at, r.is_validated, r.review)::int
                from removed r) b
            group by 1, 2, 3) c), (
        select jsonb_agg(to_jsonb(c)) from (
            select b.dataset_id as id, b.tag, sum(b.n) as n
            from (
                select a.dataset_id, g.tag, 1 as n from added a cross join lateral unnest(a.tags) as g(tag)
                where uplift.is_in_set(a.withdrawn_at, a.is_validated, a.review)
                union all
                select r.dataset_id, g.tag, -1 from removed r cross join lateral unnest(r.tags) as g(tag)
                where uplift.is_in_set(r.withdrawn_at, r.is_validated, r.review)) b
            group by 1, 2) c))
    where exists (select from added);
    -- Stars move an example that versions name to another quality; its text stays, unless somebody
    -- writes to the table.
    v_frozen := array(select distinct x.example_id from added a join uplift.dataset_version_examples x on x.example_id = a.id);
    if cardinality(v_frozen) > 0 then
        perform uplift.change_version_counts(array_agg(x.version_id), array_agg(x.split), array_agg(b.quality_score), array_agg(b.n),
            array_agg(b.n * coalesce(b.tokens, 0)::bigint))
        from (
            select a.id, a.quality_score, a.tokens, 1 as n,
                coalesce(a.content_hash, uplift.content_hash(a.messages, a.completion, a.rejected, a.label)) as hash
            from added a where a.id = any (v_frozen)
            union all
            select r.id, r.quality_score, r.tokens, -1,
                coalesce(r.content_hash, uplift.content_hash(r.messages, r.completion, r.rejected, r.label))
            from removed r where r.id = any (v_frozen)) b
        join uplift.dataset_version_examples x on x.example_id = b.id and x.content_hash = b.hash;
    end if;
    -- What a person rejected stays out with all that says the same.
    perform uplift.release_duplicates(array(
        select a.id from added a join removed r on r.id = a.id
        where a.withdrawn_at is not null and r.withdrawn_at is null));
    return null;
end
$$;

comment on function uplift.count_changed() is
    'Trigger of ai_training_examples: counts what is otherwise now, and has what was dropped for an example that was withdrawn looked at again.';

create or replace function uplift.recount_datasets() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.recount_dataset(d.id) from public.ai_training_datasets d;
    delete from uplift.training_example_sources;
    return null;
end
$$;

comment on function uplift.recount_datasets() is 'Trigger of ai_training_examples, for truncate.';

do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.name, t.definition
        from (values
            ('uplift_count_added', 'after insert on public.ai_training_examples
                referencing new table as added for each statement execute function uplift.count_added()'),
            ('uplift_count_removed', 'after delete on public.ai_training_examples
                referencing old table as removed for each statement execute function uplift.count_removed()'),
            ('uplift_count_changed', 'after update on public.ai_training_examples
                referencing old table as removed new table as added for each statement execute function uplift.count_changed()'),
            ('uplift_count_truncated', 'after truncate on public.ai_training_examples
                for each statement execute function uplift.recount_datasets()')
        ) as t(name, definition)
        where not exists (select from pg_trigger p
            where p.tgrelid = 'public.ai_training_examples'::regclass and p.tgname = t.name)
    loop
        execute format('create trigger %I ', v_trigger.name) || v_trigger.definition;
    end loop;
end
$$;

-- Versions.

create or replace function uplift.freeze_dataset(p_dataset_id uuid, p_min_quality numeric, p_created_by text,
    p_note text default null) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid := uplift.uuid_v7();
    v_version int;
begin
    -- The lock keeps two from taking the same number, and examples from changing meanwhile: whoever
    -- changes them changes the counts of this row.
    perform from public.ai_training_datasets d where d.id = p_dataset_id for update;
    if not found then
        perform uplift.fail(404, 'dataset_not_found', 'there is no such dataset', 'dataset_id');
    end if;
    if p_min_quality is null or p_min_quality not between 0 and 10 then
        perform uplift.fail(400, 'invalid_min_quality', 'min_quality must be a number from 0 to 10', 'min_quality');
    end if;
    select coalesce(max(v.version), 0) + 1 into v_version from uplift.dataset_versions v where v.dataset_id = p_dataset_id;
    insert into uplift.dataset_versions (id, dataset_id, version, min_quality, total_examples, train_examples,
        validation_examples, test_examples, tokens, content_hash, created_by, note)
    values (v_id, p_dataset_id, v_version, p_min_quality, 0, 0, 0, 0, 0, '', p_created_by, p_note);

    insert into uplift.dataset_version_examples (version_id, example_id, content_hash, split)
    select v_id, e.id, coalesce(e.content_hash, uplift.content_hash(e.messages, e.completion, e.rejected, e.label)), e.split
    from public.ai_training_examples e
    where e.dataset_id = p_dataset_id and uplift.is_in_set(e.withdrawn_at, e.is_validated, e.review)
        and (e.quality_score >= p_min_quality or p_min_quality = 0);

    insert into uplift.dataset_version_cells (version_id, split, quality, examples, tokens)
    select v_id, x.split, e.quality_score, count(*), coalesce(sum(e.tokens), 0)
    from uplift.dataset_version_examples x join public.ai_training_examples e on e.id = x.example_id
    where x.version_id = v_id
    group by x.split, e.quality_score;

    update uplift.dataset_versions v set total_examples = s.total, train_examples = s.train,
        validation_examples = s.validation, test_examples = s.test, tokens = s.tokens, content_hash = s.hash
    from (
        select count(*) as total, count(*) filter (where x.split = 'train') as train,
            count(*) filter (where x.split = 'validation') as validation, count(*) filter (where x.split = 'test') as test,
            coalesce(sum(coalesce(e.tokens, uplift.token_estimate(e.messages))), 0) as tokens,
            encode(sha256(convert_to(coalesce(string_agg(
                concat_ws(' ', x.example_id, x.split, encode(x.content_hash, 'hex')), e'\n' order by x.example_id), ''), 'UTF8')),
                'hex') as hash
        from uplift.dataset_version_examples x join public.ai_training_examples e on e.id = x.example_id
        where x.version_id = v_id) s
    where v.id = v_id;
    return v_id;
end
$$;

comment on function uplift.freeze_dataset(uuid, numeric, text, text) is
    'Makes the next version of a dataset: the list of what is in it now, of quality p_min_quality or better (0: all, unscored too). Returns its id. UP404 dataset_not_found, UP400 invalid_min_quality.';

create or replace function uplift.is_frozen(p_example_id uuid) returns boolean
language sql stable
as $$
    select exists (select from uplift.dataset_version_examples x where x.example_id = p_example_id)
$$;

comment on function uplift.is_frozen(uuid) is
    'Whether a dataset version names this example: its text must then stay as it is.';

create or replace function uplift.dataset_version_users(p_version_id uuid)
returns table (user_id uuid, examples bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select s.user_id, count(distinct s.example_id)
    from uplift.dataset_version_examples x
    join uplift.training_example_sources s on s.example_id = x.example_id
    where x.version_id = p_version_id
    group by s.user_id
$$;

comment on function uplift.dataset_version_users(uuid) is
    'Whose data is in a dataset version, and so in the models that were trained on it, and in how many examples.';

create or replace function uplift.erase_from_training(p_user_id uuid) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_examples uuid[];
begin
    perform pg_advisory_xact_lock(uplift.training_lock());
    -- Or the next run would make them again from feedback that is still there.
    insert into public.user_coach_preferences as p (user_id, training_consent)
    select p_user_id, false where exists (select from auth.users u where u.id = p_user_id)
    on conflict (user_id) do update set training_consent = false where p.training_consent is distinct from false;

    select coalesce(array_agg(distinct x.id), '{}') into v_examples from (
        select s.example_id as id from uplift.training_example_sources s where s.user_id = p_user_id
        union all
        -- Those of the first sketch name only an answer.
        select e.id from public.coach_response_feedback a
        join public.ai_training_examples e on e.source_id = a.id
        where a.user_id = p_user_id) x;
    perform uplift.forget_sketches(v_examples);
    -- The others of pairs may be paired anew.
    insert into uplift.training_queue (answer_id)
    select distinct s.answer_id from uplift.training_example_sources s
    where s.example_id = any (v_examples) and s.user_id <> p_user_id;
    delete from public.ai_training_examples e where e.id = any (v_examples);
    delete from uplift.training_duplicates d using public.coach_response_feedback a
    where a.user_id = p_user_id and d.answer_id = a.id;
    return cardinality(v_examples);
end
$$;

comment on function uplift.erase_from_training(uuid) is
    'Deletes all examples that have words of this user, out of dataset versions too, which then say how many are missing, and notes that the user''s answers may not train models. Returns how many. Models trained before are named by uplift.dataset_version_users().';
