-- Curation: people look at datasets, search them, and say which examples stay, go or are put better.

create or replace function uplift.dataset_json(p_dataset public.ai_training_datasets) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'dataset', 'id', p_dataset.id, 'name', p_dataset.dataset_name,
        'description', p_dataset.description, 'type', coalesce(p_dataset.dataset_type, 'conversation'),
        'model_target', p_dataset.model_target, 'status', p_dataset.status,
        'total_examples', coalesce(p_dataset.total_examples, 0), 'train_examples', coalesce(p_dataset.train_examples, 0),
        'validation_examples', coalesce(p_dataset.validation_examples, 0),
        'test_examples', coalesce(p_dataset.test_examples, 0), 'average_quality_score', p_dataset.average_quality_score,
        'total_tokens', coalesce(p_dataset.total_tokens, 0), 'revision', coalesce(p_dataset.revision, 0),
        'created_at', p_dataset.created_at, 'export_url', '/admin/datasets/' || p_dataset.id || '/export')
$$;

comment on function uplift.dataset_json(public.ai_training_datasets) is 'A dataset as admins see it.';

create or replace function uplift_batch.admin_list_datasets(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    select array_agg(uplift.dataset_json(d) order by d.id) into v_rows from (
        select t.* from public.ai_training_datasets t where v_after is null or t.id > v_after order by t.id limit v_limit + 1) d;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_datasets(uuid, jsonb, text) is 'Datasets: limit, after (an id).';

create or replace function uplift.found_dataset(p_id uuid) returns public.ai_training_datasets
language plpgsql stable
as $$
declare
    v_dataset public.ai_training_datasets;
begin
    select d.* into v_dataset from public.ai_training_datasets d where d.id = p_id;
    if not found then
        perform uplift.fail(404, 'dataset_not_found', 'there is no such dataset');
    end if;
    return v_dataset;
end
$$;

comment on function uplift.found_dataset(uuid) is 'A dataset. UP404 dataset_not_found.';

create or replace function uplift_batch.admin_get_dataset(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_dataset public.ai_training_datasets := uplift.found_dataset(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.dataset_json(v_dataset) || (
        select jsonb_build_object(
            'quality_histogram', (select coalesce(jsonb_agg(jsonb_build_object('quality', h.quality, 'examples', h.n)
                    order by h.quality), '[]')
                from (select floor(c.quality)::int as quality, sum(c.examples) as n from uplift.cells_of(p_id) c
                    where c.quality is not null group by 1) h),
            'tags', (select coalesce(jsonb_agg(jsonb_build_object('tag', t.tag, 'examples', t.examples) order by t.examples desc, t.tag), '[]')
                from (select g.tag, g.examples from uplift.dataset_tags g where g.dataset_id = p_id order by g.examples desc, g.tag limit 100) t),
            'rejected_examples', (select count(*) from public.ai_training_examples s
                where s.dataset_id = p_id and s.review = 'rejected' and s.withdrawn_at is null)));
end
$$;

comment on function uplift_batch.admin_get_dataset(uuid, jsonb, text) is
    'A dataset with its quality histogram, its most frequent tags, and how many examples people rejected. UP404 dataset_not_found.';

create or replace function uplift_batch.admin_create_dataset(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_dataset public.ai_training_datasets;
begin
    perform uplift.check_arguments(p_arguments, '{name,description,type,model_target}');
    if coalesce(length(p_arguments ->> 'name'), 0) not between 1 and 200 then
        perform uplift.fail(400, 'invalid_name', 'name must have 1 to 200 characters', 'name');
    elsif coalesce(p_arguments ->> 'type', 'conversation') not in ('conversation', 'preference', 'unpaired') then
        perform uplift.fail(400, 'invalid_type', 'type must be conversation, preference or unpaired', 'type');
    end if;
    insert into public.ai_training_datasets (dataset_name, description, dataset_type, model_target, contains_user_feedback, revision)
    values (p_arguments ->> 'name', left(p_arguments ->> 'description', 2000), coalesce(p_arguments ->> 'type', 'conversation'),
        left(p_arguments ->> 'model_target', 200), false, 0)
    on conflict (dataset_name) do nothing
    returning * into v_dataset;
    if not found then
        perform uplift.fail(409, 'dataset_exists', 'there is a dataset of this name', 'name');
    end if;
    return uplift.dataset_json(v_dataset);
end
$$;

comment on function uplift_batch.admin_create_dataset(uuid, jsonb, text) is
    'Makes an empty dataset: name, description, type, model_target. UP400 invalid_name, invalid_type, UP409 dataset_exists.';

-- --- examples ---

create or replace function uplift.example_json(p_example public.ai_training_examples) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'example', 'id', p_example.id, 'dataset_id', p_example.dataset_id,
        'messages', p_example.messages, 'completion', p_example.completion, 'rejected', p_example.rejected,
        'label', p_example.label, 'quality_score', p_example.quality_score, 'split', p_example.split,
        'tags', coalesce(to_jsonb(p_example.tags), '[]'), 'tokens', p_example.tokens, 'turns', p_example.conversation_turns,
        'source_type', p_example.source_type, 'source_id', p_example.source_id, 'coach_id', p_example.coach_id,
        'model_used', p_example.model_used, 'model_version_id', p_example.model_version_id,
        'is_in_set', uplift.is_in_set(p_example.withdrawn_at, p_example.is_validated, p_example.review),
        'is_validated', coalesce(p_example.is_validated, false), 'review', p_example.review,
        'reviewed_by', p_example.reviewed_by, 'reviewed_at', p_example.reviewed_at, 'review_note', p_example.review_note,
        'edited_at', p_example.edited_at, 'withdrawn_at', p_example.withdrawn_at,
        'content_hash', encode(p_example.content_hash, 'hex'), 'created_at', p_example.created_at)
$$;

comment on function uplift.example_json(public.ai_training_examples) is 'A training example as admins see it.';

create or replace function uplift_batch.admin_list_examples(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := coalesce(uplift.uuid_argument(p_arguments, 'after'), '00000000-0000-0000-0000-000000000000');
    v_answer uuid := uplift.uuid_argument(p_arguments, 'answer_id');
    v_least numeric := uplift.number_argument(p_arguments, 'min_quality', 0, 10);
    v_most_quality numeric := uplift.number_argument(p_arguments, 'max_quality', 0, 10);
    -- How many are looked at for a page: what hardly any has may be far away, and is gone on with.
    v_most int := case when p_arguments ?| '{split,tag,review,min_quality,max_quality,search}' then 5000 else v_limit + 1 end;
    v_split text := p_arguments ->> 'split';
    v_review text := p_arguments ->> 'review';
    v_tag text := p_arguments ->> 'tag';
    -- What stands for any text in a pattern is looked for as it is.
    v_pattern text := '%' || regexp_replace(p_arguments ->> 'search', '([\\%_])', '\\\1', 'g') || '%';
    v_looked uuid[];
    v_rows jsonb[];
    v_page jsonb;
    v_last uuid;
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,split,tag,review,min_quality,max_quality,search,answer_id}');
    perform uplift.found_dataset(p_id);
    if v_split not in ('train', 'validation', 'test') then
        perform uplift.fail(400, 'invalid_split', 'split must be train, validation or test', 'split');
    elsif v_review not in ('validated', 'rejected', 'none') then
        perform uplift.fail(400, 'invalid_review', 'review must be validated, rejected or none', 'review');
    elsif length(p_arguments ->> 'search') not between 1 and 200 then
        perform uplift.fail(400, 'invalid_search', 'search must have 1 to 200 characters', 'search');
    end if;
    v_looked := case
        when v_answer is not null then array(
            select s.example_id from uplift.training_example_sources s where s.answer_id = v_answer)
        when v_review in ('validated', 'rejected') then array(
            select x.id from public.ai_training_examples x
            where x.dataset_id = p_id and x.review = v_review and x.id > v_after order by x.id limit v_most)
        else array(
            select x.id from public.ai_training_examples x
            where x.dataset_id = p_id and x.withdrawn_at is null and x.id > v_after order by x.id limit v_most) end;
    select array_agg(uplift.example_json(e) order by e.id), (array_agg(e.id order by e.id))[v_limit] into v_rows, v_last from (
        select x.* from unnest(v_looked) l(id) join public.ai_training_examples x on x.id = l.id
        where x.dataset_id = p_id and x.withdrawn_at is null and x.id > v_after
            and (v_split is null or x.split = v_split) and (v_tag is null or x.tags @> array[v_tag])
            and (v_review is null or coalesce(x.review, 'none') = v_review)
            and (v_least is null or x.quality_score >= v_least) and (v_most_quality is null or x.quality_score <= v_most_quality)
            and (v_pattern is null or exists (
                select from jsonb_array_elements(x.messages || coalesce(x.completion, '[]') || coalesce(x.rejected, '[]')) m
                where m ->> 'content' ilike v_pattern))
        order by x.id limit v_limit + 1) e;
    v_page := uplift.list_page(v_rows, v_limit);
    if not (v_page ->> 'has_more')::boolean then
        -- There may be more beyond what was looked at.
        v_last := case when v_answer is null and cardinality(v_looked) = v_most then v_looked[v_most] end;
        v_page := v_page || jsonb_build_object('has_more', v_last is not null);
    end if;
    return v_page || jsonb_build_object('next_after', v_last);
end
$$;

comment on function uplift_batch.admin_list_examples(uuid, jsonb, text) is
    'Examples of a dataset, oldest first: limit, after, split, tag, review (validated, rejected, none), min_quality, max_quality, search (text anywhere in them, in either case), answer_id (made from this answer). At most 5,000 are looked at for a page: has_more says that there are others, found or to be looked at, which next_after as after goes on with. UP404 dataset_not_found.';

create or replace function uplift.found_example(p_id uuid) returns public.ai_training_examples
language plpgsql volatile
as $$
declare
    v_example public.ai_training_examples;
begin
    -- Not while examples are generated, which would see half of it.
    perform pg_advisory_xact_lock(uplift.training_lock());
    select e.* into v_example from public.ai_training_examples e where e.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'example_not_found', 'there is no such example');
    elsif v_example.withdrawn_at is not null then
        perform uplift.fail(409, 'example_withdrawn', 'this example is no longer in its set; only a frozen version names it');
    end if;
    return v_example;
end
$$;

comment on function uplift.found_example(uuid) is
    'An example that may be changed, locked. UP404 example_not_found, UP409 example_withdrawn.';

create or replace function uplift_batch.admin_get_example(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_example public.ai_training_examples;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select e.* into v_example from public.ai_training_examples e where e.id = p_id;
    if not found then
        perform uplift.fail(404, 'example_not_found', 'there is no such example');
    end if;
    return uplift.example_json(v_example) || jsonb_build_object(
        'sources', (select coalesce(jsonb_agg(jsonb_build_object('answer_id', s.answer_id, 'user_id', s.user_id)
                order by s.position), '[]')
            from uplift.training_example_sources s where s.example_id = p_id),
        'versions', (select coalesce(jsonb_agg(jsonb_build_object('id', v.id, 'version', v.version) order by v.version), '[]')
            from uplift.dataset_version_examples x join uplift.dataset_versions v on v.id = x.version_id
            where x.example_id = p_id));
end
$$;

comment on function uplift_batch.admin_get_example(uuid, jsonb, text) is
    'An example with the answers it was made from and the versions that name it. UP404 example_not_found.';

create or replace function uplift.queue_example(p_example public.ai_training_examples) returns void
language sql volatile
as $$
    -- What says the same, and pairs with its answer, depend on it.
    insert into uplift.training_queue (answer_id)
    select distinct a.id from (
        select p_example.source_id as id
        union all
        select s.answer_id from uplift.training_example_sources s where s.example_id = p_example.id) a
    where a.id is not null and p_example.source_type = 'user_conversation'
$$;

comment on function uplift.queue_example(public.ai_training_examples) is
    'Has what depends on an example of users'' feedback brought in step, because a person changed it.';

create or replace function uplift.review_example(p_id uuid, p_review text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile
as $$
declare
    v_example public.ai_training_examples := uplift.found_example(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{note}');
    if length(p_arguments ->> 'note') > 2000 then
        perform uplift.fail(400, 'invalid_note', 'note must have at most 2000 characters', 'note');
    end if;
    update public.ai_training_examples e set review = p_review, reviewed_by = p_who, reviewed_at = now(),
        review_note = p_arguments ->> 'note', is_validated = e.is_validated or p_review = 'validated'
    where e.id = p_id
    returning e.* into v_example;
    perform uplift.queue_example(v_example);
    return uplift.example_json(v_example);
end
$$;

comment on function uplift.review_example(uuid, text, jsonb, text) is 'Notes what a person thinks of an example.';

create or replace function uplift_batch.admin_validate_example(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$ select uplift.review_example(p_id, 'validated', p_arguments, p_who) $$;

comment on function uplift_batch.admin_validate_example(uuid, jsonb, text) is
    'An example is good, whatever its score: it stays in its set while its feedback stands. note. UP404 example_not_found.';

create or replace function uplift_batch.admin_reject_example(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$ select uplift.review_example(p_id, 'rejected', p_arguments, p_who) $$;

comment on function uplift_batch.admin_reject_example(uuid, jsonb, text) is
    'An example is out of its set, and stays out however it is rated. note. UP404 example_not_found.';

create or replace function uplift.message_problem(p_message jsonb, p_role text, p_last_role text, p_shape text) returns text
language sql stable
as $$
    select case
        when jsonb_typeof(p_message) <> 'object' or p_role is null or p_role not in ('system', 'developer', 'user', 'assistant')
            then 'has no role that fits: system, developer, user or assistant'
        when p_shape = 'completion' and p_role <> 'assistant' then 'is not the assistant''s'
        when jsonb_typeof(p_message -> 'content') is distinct from 'string' then 'has a content that is not text'
        when length(p_message ->> 'content') > 262144 then 'has more than 262,144 characters'
        when uplift.normalised(p_message ->> 'content') = '' then 'is blank'
        when (p_message - 'role' - 'content' - 'weight') <> '{}' then 'has a key beside role, content and weight'
        when p_message ? 'weight' and (p_role <> 'assistant' or p_shape <> 'conversation' or p_message -> 'weight' not in ('0', '1'))
            then 'has a weight, which is for assistants in conversations, 0 or 1'
        when p_role in ('system', 'developer') and p_last_role is not null
            then 'is a second system message or one in the middle; instructions stand once, at the beginning'
        when p_role = p_last_role then format('follows another message of the %s; they take turns', p_role)
        when p_role = 'assistant' and p_shape <> 'completion' and coalesce(p_last_role, 'system') in ('system', 'developer')
            then 'is the assistant''s before the user said anything'
        end
$$;

comment on function uplift.message_problem(jsonb, text, text, text) is
    'What is wrong with a message after one of p_last_role (null: it is the first) in a conversation, prompt or completion that somebody wrote; null for nothing.';

create or replace function uplift.check_messages(p_messages jsonb, p_name text, p_shape text) returns void
language plpgsql stable
as $$
declare
    v record;
    v_problem text;
    v_last text;
    v_learns boolean := false;
begin
    if jsonb_typeof(p_messages) is distinct from 'array' or jsonb_array_length(p_messages) not between 1 and 256 then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' must be a list of 1 to 256 messages', p_name);
    end if;
    for v in select m.value as message, m.value ->> 'role' as role, m.ordinality as position
        from jsonb_array_elements(p_messages) with ordinality m
    loop
        v_problem := uplift.message_problem(v.message, v.role, v_last, p_shape);
        if v_problem is not null then
            perform uplift.fail(400, 'invalid_' || p_name, format('%s[%s] %s', p_name, v.position - 1, v_problem), p_name);
        end if;
        v_last := v.role;
        v_learns := v_learns or v.role = 'assistant' and coalesce(v.message -> 'weight', '1') = '1';
    end loop;
    if p_shape = 'prompt' and v_last <> 'user' then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' is a prompt, and must end with the user', p_name);
    elsif p_shape <> 'prompt' and v_last <> 'assistant' then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' must end with the assistant', p_name);
    elsif p_shape = 'conversation' and not v_learns then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' has no answer to learn from: all weigh 0', p_name);
    end if;
end
$$;

comment on function uplift.check_messages(jsonb, text, text) is
    'Returns when these are messages that trainers take, as a conversation, a prompt or a completion: none blank, instructions at the beginning alone, user and assistant by turns. UP400 invalid_NAME, with what is wrong.';

create or replace function uplift.redact_messages(p_messages jsonb) returns jsonb
language sql immutable
as $$
    select jsonb_agg(m.value || jsonb_build_object('content', uplift.redact(m.value ->> 'content', '{}')) order by m.ordinality)
    from jsonb_array_elements(p_messages) with ordinality m
$$;

comment on function uplift.redact_messages(jsonb) is 'Messages without addresses, numbers and secrets, as uplift.redact() has it; null for null.';

-- Checks what is given of an example, and returns it redacted: {"messages", "completion", "rejected", "label",
-- "quality_score", "tags"}, only what was given.
create or replace function uplift.checked_example(p_given jsonb, p_type text) returns jsonb
language plpgsql stable
as $$
declare
    v_parts text[] := case p_type when 'preference' then array['messages', 'completion', 'rejected']
        when 'unpaired' then array['messages', 'completion'] else array['messages'] end;
    v_part text;
    v_out jsonb := p_given;
begin
    foreach v_part in array array['messages', 'completion', 'rejected'] loop
        if p_given ? v_part and v_part <> all (v_parts) then
            perform uplift.fail(400, 'invalid_' || v_part, format('examples of type %s have no %s', p_type, v_part), v_part);
        elsif p_given ? v_part then
            perform uplift.check_messages(p_given -> v_part, v_part, case when v_part <> 'messages' then 'completion'
                when p_type in ('preference', 'unpaired') then 'prompt' else 'conversation' end);
            v_out := v_out || jsonb_build_object(v_part, uplift.redact_messages(p_given -> v_part));
        end if;
    end loop;
    if p_given ? 'label' and (p_type <> 'unpaired' or jsonb_typeof(p_given -> 'label') <> 'boolean') then
        perform uplift.fail(400, 'invalid_label', 'label is true or false, of unpaired examples', 'label');
    elsif p_given ? 'tags' and (jsonb_typeof(p_given -> 'tags') <> 'array' or jsonb_array_length(p_given -> 'tags') > 32
            or exists (select from jsonb_array_elements(p_given -> 'tags') t
                where jsonb_typeof(t) <> 'string' or length(t #>> '{}') not between 1 and 200)) then
        perform uplift.fail(400, 'invalid_tags', 'tags must be a list of at most 32 texts of 1 to 200 characters', 'tags');
    end if;
    perform uplift.number_argument(p_given, 'quality_score', 0, 10);
    return v_out;
end
$$;

comment on function uplift.checked_example(jsonb, text) is
    'What a person gives of an example of a dataset''s type, checked and redacted. UP400 invalid_NAME.';

create or replace function uplift.check_pair(p_completion jsonb, p_rejected jsonb) returns void
language plpgsql stable
as $$
begin
    if uplift.normalised(uplift.text_said(p_completion)) = uplift.normalised(uplift.text_said(p_rejected)) then
        perform uplift.fail(400, 'invalid_rejected', 'completion and rejected say the same, but for case, spacing or Unicode form', 'rejected');
    end if;
end
$$;

comment on function uplift.check_pair(jsonb, jsonb) is
    'Returns when the answers of a pair differ, or one is null. UP400 invalid_rejected.';

create or replace function uplift.messages_of(p_parts jsonb) returns jsonb
language sql immutable
as $$
    select coalesce(nullif(p_parts -> 'messages', 'null'), '[]') || coalesce(nullif(p_parts -> 'completion', 'null'), '[]')
        || coalesce(nullif(p_parts -> 'rejected', 'null'), '[]')
$$;

comment on function uplift.messages_of(jsonb) is 'All messages of an example''s parts, one after the other.';

create or replace function uplift_batch.admin_edit_example(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_example public.ai_training_examples := uplift.found_example(p_id);
    v_type text;
    v_given jsonb;
    v_old uuid;
begin
    perform uplift.check_arguments(p_arguments, '{messages,completion,rejected,label,quality_score,tags}');
    if p_arguments = '{}' then
        perform uplift.fail(400, 'nothing_to_change', 'name what is to change: messages, completion, rejected, label, quality_score, tags');
    end if;
    select coalesce(d.dataset_type, 'conversation') into v_type from public.ai_training_datasets d where d.id = v_example.dataset_id;
    v_given := uplift.checked_example(p_arguments, v_type);
    perform uplift.check_pair(coalesce(v_given -> 'completion', v_example.completion), coalesce(v_given -> 'rejected', v_example.rejected));
    if p_arguments ?| '{messages,completion,rejected,label}' and uplift.is_frozen(p_id) then
        -- A version names the old text: that stays as it is, out of the set, and a copy is edited.
        v_old := v_example.id;
        v_example.id := uplift.uuid_v7();
        insert into public.ai_training_examples select v_example.*;
        insert into uplift.training_example_sources (example_id, position, answer_id, user_id)
        select v_example.id, s.position, s.answer_id, s.user_id from uplift.training_example_sources s where s.example_id = v_old;
        update public.ai_training_examples e set withdrawn_at = now() where e.id = v_old;
    end if;
    update public.ai_training_examples e set
        messages = coalesce(v_given -> 'messages', e.messages), completion = coalesce(v_given -> 'completion', e.completion),
        rejected = coalesce(v_given -> 'rejected', e.rejected), label = coalesce((v_given ->> 'label')::boolean, e.label),
        quality_score = coalesce((v_given ->> 'quality_score')::numeric, e.quality_score),
        tags = case when v_given ? 'tags' then array(select jsonb_array_elements_text(v_given -> 'tags')) else e.tags end,
        contains_correction = e.contains_correction or v_given ?| '{messages,completion,rejected}',
        edited_at = now(), reviewed_by = p_who, reviewed_at = now()
    where e.id = v_example.id;
    perform uplift.forget_sketches(array[v_example.id]);
    update public.ai_training_examples e set
        content_hash = uplift.content_hash(e.messages, e.completion, e.rejected, e.label),
        tokens = uplift.token_estimate(uplift.messages_of(to_jsonb(e))),
        -- What is nearly the same as it is now; what said the same as before stays out by its hash.
        bands = case when e.bands is not null then uplift.sketch(uplift.words_of(uplift.normalised(uplift.text_said(e.messages)))) end
    where e.id = v_example.id
    returning e.* into v_example;
    perform uplift.release_duplicates(array[v_example.id]);
    perform uplift.queue_example(v_example);
    return uplift.example_json(v_example);
end
$$;

comment on function uplift_batch.admin_edit_example(uuid, jsonb, text) is
    'Changes what is named of an example (messages, completion, rejected, label, quality_score, tags), redacted as all are. The text then stays while its feedback stands. One that a frozen version names is replaced by an edited copy, with another id. UP400 invalid_NAME, nothing_to_change, UP404 example_not_found, UP409 example_withdrawn.';

create or replace function uplift_batch.admin_create_example(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_dataset public.ai_training_datasets := uplift.found_dataset(p_id);
    v_type text := coalesce(v_dataset.dataset_type, 'conversation');
    v_given jsonb;
    v_example public.ai_training_examples;
    v_part text;
begin
    perform uplift.check_arguments(p_arguments, '{messages,completion,rejected,label,quality_score,tags,split}');
    foreach v_part in array case v_type when 'preference' then array['messages', 'completion', 'rejected']
        when 'unpaired' then array['messages', 'completion', 'label'] else array['messages'] end
    loop
        if not p_arguments ? v_part then
            perform uplift.fail(400, 'invalid_' || v_part, format('an example of type %s needs %s', v_type, v_part), v_part);
        end if;
    end loop;
    if coalesce(p_arguments ->> 'split', 'train') not in ('train', 'validation', 'test') then
        perform uplift.fail(400, 'invalid_split', 'split must be train, validation or test', 'split');
    end if;
    v_given := uplift.checked_example(p_arguments - 'split', v_type);
    perform uplift.check_pair(v_given -> 'completion', v_given -> 'rejected');
    insert into public.ai_training_examples (dataset_id, messages, completion, rejected, label, quality_score, split, tags,
        is_validated, review, reviewed_by, reviewed_at, source_type, content_hash, tokens, conversation_turns)
    values (p_id, v_given -> 'messages', v_given -> 'completion', v_given -> 'rejected', (v_given ->> 'label')::boolean,
        coalesce((v_given ->> 'quality_score')::numeric, 10), coalesce(p_arguments ->> 'split', 'train'),
        array(select jsonb_array_elements_text(coalesce(v_given -> 'tags', '[]'))), true, 'validated', p_who, now(), 'expert_labeled',
        uplift.content_hash(v_given -> 'messages', v_given -> 'completion', v_given -> 'rejected', (v_given ->> 'label')::boolean),
        uplift.token_estimate(uplift.messages_of(v_given)),
        (select count(*) from jsonb_array_elements(uplift.messages_of(v_given)) m where m ->> 'role' = 'assistant'))
    returning * into v_example;
    return uplift.example_json(v_example);
end
$$;

comment on function uplift_batch.admin_create_example(uuid, jsonb, text) is
    'Adds an example that a person wrote (source_type expert_labeled), of quality 10 and in split train unless said. UP400 invalid_NAME, UP404 dataset_not_found.';

create or replace function uplift_batch.admin_delete_example(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_example public.ai_training_examples := uplift.found_example(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    -- One that users made would come again with their feedback.
    if v_example.source_type = 'user_conversation' then
        perform uplift.fail(409, 'example_from_feedback', 'this example was made from feedback, and would come again: reject it instead');
    end if;
    perform uplift.withdraw_examples(array[p_id]);
    return jsonb_build_object('object', 'example', 'id', p_id, 'deleted', true);
end
$$;

comment on function uplift_batch.admin_delete_example(uuid, jsonb, text) is
    'Takes an example that a person wrote out of its set. UP404 example_not_found, UP409 example_from_feedback, example_withdrawn.';

-- --- versions ---

create or replace function uplift.dataset_version_json(p_version uplift.dataset_versions) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'dataset_version', 'id', p_version.id, 'dataset_id', p_version.dataset_id,
        'version', p_version.version, 'min_quality', p_version.min_quality, 'total_examples', p_version.total_examples,
        'train_examples', p_version.train_examples, 'validation_examples', p_version.validation_examples,
        'test_examples', p_version.test_examples, 'tokens', p_version.tokens, 'content_hash', p_version.content_hash,
        'note', p_version.note, 'created_at', p_version.created_at, 'created_by', p_version.created_by,
        'export_url', '/admin/datasets/' || p_version.id || '/export')
$$;

comment on function uplift.dataset_version_json(uplift.dataset_versions) is 'A frozen version of a dataset as admins see it.';

create or replace function uplift_batch.admin_create_version(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_id uuid;
    v_version uplift.dataset_versions;
begin
    perform uplift.check_arguments(p_arguments, '{min_quality,note}');
    if length(p_arguments ->> 'note') > 2000 then
        perform uplift.fail(400, 'invalid_note', 'note must have at most 2000 characters', 'note');
    end if;
    v_id := uplift.freeze_dataset(p_id, coalesce(uplift.number_argument(p_arguments, 'min_quality', 0, 10), 0), p_who,
        p_arguments ->> 'note');
    select v.* into v_version from uplift.dataset_versions v where v.id = v_id;
    return uplift.dataset_version_json(v_version);
end
$$;

comment on function uplift_batch.admin_create_version(uuid, jsonb, text) is
    'Freezes what is in a dataset now: min_quality, note. UP400 invalid_min_quality, invalid_note, UP404 dataset_not_found.';

create or replace function uplift_batch.admin_list_versions(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    perform uplift.found_dataset(p_id);
    select array_agg(uplift.dataset_version_json(v) order by v.id desc) into v_rows from (
        select x.* from uplift.dataset_versions x where x.dataset_id = p_id and (v_after is null or x.id < v_after)
        order by x.id desc limit v_limit + 1) v;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_versions(uuid, jsonb, text) is
    'Frozen versions of a dataset, the newest first: limit, after. UP404 dataset_not_found.';

create or replace function uplift_batch.admin_get_version(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_version uplift.dataset_versions;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select v.* into v_version from uplift.dataset_versions v where v.id = p_id;
    if not found then
        perform uplift.fail(404, 'version_not_found', 'there is no such version of a dataset');
    end if;
    return uplift.dataset_version_json(v_version) || jsonb_build_object(
        'missing_examples', uplift.missing_examples(v_version),
        'users', (select count(*) from uplift.dataset_version_users(p_id)),
        'finetuning_jobs', (select coalesce(jsonb_agg(j.id order by j.id), '[]') from public.ai_finetuning_jobs j
            where j.dataset_version_id = p_id),
        'model_versions', (select coalesce(jsonb_agg(m.id order by m.id), '[]') from public.ai_model_versions m
            where m.dataset_version_id = p_id));
end
$$;

comment on function uplift_batch.admin_get_version(uuid, jsonb, text) is
    'A frozen version: how many of its examples are gone since (people who were erased), how many users are in it, what was trained on it. UP404 version_not_found.';

create or replace function uplift_batch.admin_version_users(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    perform uplift_batch.admin_get_version(p_id, '{}', p_who);
    select array_agg(jsonb_build_object('user_id', u.user_id, 'examples', u.examples) order by u.user_id) into v_rows from (
        select d.* from uplift.dataset_version_users(p_id) d where v_after is null or d.user_id > v_after
        order by d.user_id limit v_limit + 1) u;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_version_users(uuid, jsonb, text) is
    'Whose data is in a frozen version, and so in what was trained on it: limit, after (a user''s id). UP404 version_not_found.';

create or replace function uplift_batch.admin_erase_user(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_models jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    -- Before what tells is gone.
    select coalesce(jsonb_agg(distinct m.id), '[]') into v_models
    from uplift.training_example_sources s
    join uplift.dataset_version_examples x on x.example_id = s.example_id
    join public.ai_model_versions m on m.dataset_version_id = x.version_id
    where s.user_id = p_id;
    return jsonb_build_object('object', 'erasure', 'user_id', p_id, 'examples', uplift.erase_from_training(p_id),
        'model_versions', v_models);
end
$$;

comment on function uplift_batch.admin_erase_user(uuid, jsonb, text) is
    'Takes a person out of all training data, frozen versions too, and notes that nothing of theirs is to be used again. Returns how many examples went, and which models were trained with them.';
