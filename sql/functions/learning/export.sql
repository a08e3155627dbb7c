-- Datasets as lines of JSON for trainers, a page at a time, so that nothing large is held anywhere.

create or replace function uplift.export_line(p_format text, p_messages jsonb, p_completion jsonb, p_rejected jsonb, p_label boolean)
returns text
language sql immutable parallel safe
as $$
    -- Fine-tuning knows no developer. Within strings the quotes would be escaped. What some readers take
    -- for the end of a line is escaped.
    select replace(replace(replace(replace(case p_format
        when 'openai' then '{"messages":' || p_messages::text || '}'
        when 'openai-dpo' then '{"input":{"messages":' || p_messages::text || '},"preferred_output":' || p_completion::text
            || ',"non_preferred_output":' || p_rejected::text || '}'
        when 'trl-dpo' then '{"prompt":' || p_messages::text || ',"chosen":' || p_completion::text
            || ',"rejected":' || p_rejected::text || '}'
        when 'trl-kto' then '{"prompt":' || p_messages::text || ',"completion":' || p_completion::text
            || ',"label":' || p_label::text || '}'
        end, '"role": "developer"', '"role": "system"'), U&'\2028', '\u2028'), U&'\2029', '\u2029'), U&'\0085', '\u0085')
$$;

comment on function uplift.export_line(text, jsonb, jsonb, jsonb, boolean) is
    'An example as a line of a file: openai, openai-dpo, trl-dpo or trl-kto, without what could be taken for another end of a line. Null where a part of it is missing.';

create or replace function uplift.missing_examples(p_version uplift.dataset_versions, p_split text default null) returns bigint
language sql stable
as $$
    select case p_split when 'train' then p_version.train_examples when 'validation' then p_version.validation_examples
            when 'test' then p_version.test_examples else p_version.total_examples end
        - coalesce((select sum(c.examples) from uplift.dataset_version_cells c
            where c.version_id = p_version.id and (p_split is null or c.split = p_split)), 0)
$$;

comment on function uplift.missing_examples(uplift.dataset_versions, text) is
    'How many examples of a version, or of a split of it, are gone since or no longer the same.';

create or replace function uplift_batch.export_head(p_target uuid, p_format text, p_split text, p_min_quality numeric)
returns table (dataset_id uuid, version_id uuid, dataset_name text, examples bigint, tokens bigint, left_out bigint, etag text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_type text;
    v_fits text;
    v_state text;
begin
    if p_format is null or p_format not in ('openai', 'openai-dpo', 'trl-dpo', 'trl-kto') then
        perform uplift.fail(400, 'invalid_format', 'format must be openai, openai-dpo, trl-dpo or trl-kto', 'format');
    end if;
    if p_split not in ('train', 'validation', 'test') then
        perform uplift.fail(400, 'invalid_split', 'split must be train, validation or test; without it all are exported', 'split');
    end if;
    if p_min_quality is null or p_min_quality not between 0 and 10 then
        perform uplift.fail(400, 'invalid_min_quality', 'min_quality must be a number from 0 to 10', 'min_quality');
    end if;

    select v.id, v.dataset_id, v.content_hash into version_id, dataset_id, v_state
    from uplift.dataset_versions v where v.id = p_target;
    select d.id, d.dataset_name, coalesce(d.dataset_type, 'conversation'), coalesce(v_state, coalesce(d.revision, 0)::text)
    into dataset_id, dataset_name, v_type, v_state
    from public.ai_training_datasets d where d.id = coalesce(dataset_id, p_target);
    if not found then
        perform uplift.fail(404, 'dataset_not_found', 'there is no such dataset, and no such version of one');
    end if;
    v_fits := case v_type when 'preference' then 'openai-dpo, trl-dpo' when 'unpaired' then 'trl-kto' else 'openai' end;
    if p_format <> all (string_to_array(v_fits, ', ')) then
        perform uplift.fail(400, 'format_does_not_fit',
            format('the examples of "%s" are of type %s, which %s can hold, not %s', dataset_name, v_type, v_fits, p_format),
            'format');
    end if;

    -- From what triggers count: the examples themselves may be a million.
    if version_id is null then
        select coalesce(sum(c.examples), 0), coalesce(sum(c.tokens), 0), 0 into examples, tokens, left_out
        from uplift.cells_of(export_head.dataset_id) c
        where (p_split is null or c.split = p_split)
            and (p_min_quality = 0 or c.quality >= p_min_quality);
    else
        select coalesce(sum(c.examples) filter (where p_min_quality = 0 or c.quality >= p_min_quality), 0),
            coalesce(sum(c.tokens) filter (where p_min_quality = 0 or c.quality >= p_min_quality), 0), uplift.missing_examples(v, p_split)
        into examples, tokens, left_out
        from uplift.dataset_versions v
        left join uplift.dataset_version_cells c on c.version_id = v.id and (p_split is null or c.split = p_split)
        where v.id = export_head.version_id
        group by v.id;
    end if;
    if examples = 0 then
        perform uplift.fail(400, case when p_split is null then 'empty_dataset' else 'empty_split' end,
            format('"%s" has no examples%s%s; collect more feedback, run generate-training-data, or ask for less quality',
                dataset_name, coalesce(' in split ' || p_split, ''),
                case when p_min_quality > 0 then ' of quality ' || p_min_quality || ' or better' else '' end),
            case when p_split is not null then 'split' end);
    elsif examples < 10 and p_split is distinct from 'validation' and p_split is distinct from 'test' then
        perform uplift.fail(400, 'too_few_examples',
            format('"%s" has %s example%s%s%s, and trainers take 10 at the least; collect more feedback, or ask for less quality',
                dataset_name, examples, case when examples = 1 then '' else 's' end, coalesce(' in split ' || p_split, ''),
                case when p_min_quality > 0 then ' of quality ' || p_min_quality || ' or better' else '' end));
    end if;
    etag := format('"%s-%s"', left(p_target::text, 8), left(md5(concat_ws('/', p_target, v_state, examples, p_format,
        coalesce(p_split, ''), p_min_quality::numeric(4, 2))), 16));
    return next;
end
$$;

comment on function uplift_batch.export_head(uuid, text, text, numeric) is
    'What an export of a dataset or of a frozen version will have: lines, tokens (estimated), examples of a version that are gone or no longer the same (left_out), and a tag that changes when the lines do. UP400 invalid_format, invalid_split, invalid_min_quality, format_does_not_fit, empty_dataset, empty_split, too_few_examples; UP404 dataset_not_found.';

create or replace function uplift_batch.export_page(p_dataset_id uuid, p_version_id uuid, p_format text, p_split text,
    p_min_quality numeric, p_after uuid, p_bytes int)
returns table (lines text, line_count int, last_id uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_most constant int := 5000;
    v_after uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
    v_ids uuid[];
begin
    -- First which ones, from the index alone: as many as fill the page, by the estimate of their tokens.
    if p_version_id is null then
        select array_agg(b.id order by b.id) into v_ids from (
            select c.id, sum(c.size) over (order by c.id rows between unbounded preceding and 1 preceding) as before
            from (
                select e.id, coalesce(e.tokens, 1000)::bigint * 4 as size from public.ai_training_examples e
                where e.dataset_id = p_dataset_id and e.withdrawn_at is null and e.is_validated
                    and e.review is distinct from 'rejected' and e.id > v_after
                    and (p_split is null or e.split = p_split) and (p_min_quality = 0 or e.quality_score >= p_min_quality)
                order by e.id limit v_most) c) b
        where b.before is null or b.before < p_bytes;
    else
        select array_agg(b.id order by b.id) into v_ids from (
            select c.id, sum(c.size) over (order by c.id rows between unbounded preceding and 1 preceding) as before
            from (
                select x.example_id as id, coalesce(e.tokens, 1000)::bigint * 4 as size
                from uplift.dataset_version_examples x
                join public.ai_training_examples e on e.id = x.example_id
                    and coalesce(e.content_hash, uplift.content_hash(e.messages, e.completion, e.rejected, e.label)) = x.content_hash
                where x.version_id = p_version_id and x.example_id > v_after
                    and (p_split is null or x.split = p_split) and (p_min_quality = 0 or e.quality_score >= p_min_quality)
                order by x.example_id limit v_most) c) b
        where b.before is null or b.before < p_bytes;
    end if;
    if v_ids is null then
        return;
    end if;
    select string_agg(uplift.export_line(p_format, e.messages, e.completion, e.rejected, e.label) || e'\n', '' order by k.position),
        count(*)
    into lines, line_count
    from unnest(v_ids) with ordinality as k(id, position)
    join public.ai_training_examples e on e.id = k.id;
    last_id := v_ids[cardinality(v_ids)];
    return next;
end
$$;

comment on function uplift_batch.export_page(uuid, uuid, text, text, numeric, uuid, int) is
    'The lines after the example p_after (null: from the beginning), in the order of ids, about p_bytes of them and at least one; no row at the end.';

create or replace function uplift_batch.export_target(p_id uuid, p_name text) returns table (id uuid, dataset_name text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select coalesce(v.id, d.id), d.dataset_name || coalesce(' v' || v.version, '')
    from public.ai_training_datasets d
    left join uplift.dataset_versions v on v.dataset_id = d.id and v.id = p_id
    where d.id = p_id or v.id = p_id or d.dataset_name = p_name
    limit 1;
    if not found then
        perform uplift.fail(404, 'dataset_not_found', format('there is no dataset %s', coalesce('"' || p_name || '"', p_id::text)));
    end if;
end
$$;

comment on function uplift_batch.export_target(uuid, text) is
    'The dataset, or the version of one, with this id or this name, and what to call it. UP404 dataset_not_found.';

create or replace function public.export_training_dataset_openai_format(p_dataset_id uuid)
returns table (training_data jsonb)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(jsonb_build_object('messages',
        -- Fine-tuning refuses a message without content that calls no tool.
        (select jsonb_agg(case when m.message ->> 'role' = 'developer' then m.message || '{"role": "system"}' else m.message end order by m.position)
         from jsonb_array_elements(e.messages) with ordinality as m(message, position)
         where m.message ->> 'content' is not null or m.message ? 'tool_calls'))
        order by e.created_at, e.id), '[]')
    from public.ai_training_examples e
    where e.dataset_id = p_dataset_id and e.split = 'train' and e.is_validated and jsonb_typeof(e.messages) = 'array'
        and jsonb_path_exists(e.messages, '$[*] ? (@.role == "assistant" && (@.content != null || exists(@.tool_calls)))')
$$;

comment on function public.export_training_dataset_openai_format(uuid) is
    'The validated training side of a dataset as one JSON array of {"messages": [...]}, for small sets; empty array when there is nothing.';
