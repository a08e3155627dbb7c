-- From training_turns to examples: what there should be, compared with what there is.

create or replace function uplift.prompt_messages(p_system_prompt text, p_question text) returns jsonb
language sql stable parallel safe
as $$
    -- A system message without content would be refused by fine-tuning.
    select case when p_system_prompt is null
        then jsonb_build_array(jsonb_build_object('role', 'user', 'content', p_question))
        else jsonb_build_array(jsonb_build_object('role', 'system', 'content', p_system_prompt),
            jsonb_build_object('role', 'user', 'content', p_question)) end
$$;

comment on function uplift.prompt_messages(text, text) is 'A system message, if any, and a user''s.';

create or replace function uplift.pair_likeness(p_messages jsonb, p_completion jsonb, p_rejected jsonb) returns uuid
language sql immutable parallel safe
as $$
    select md5(uplift.normalised(concat_ws(e'\n', uplift.text_said(p_messages), uplift.text_said(p_completion), '|',
        uplift.text_said(p_rejected))))::uuid
$$;

comment on function uplift.pair_likeness(jsonb, jsonb, jsonb) is 'Hash of what is said in a preference pair.';

create or replace function uplift.want_conversations(p_dataset_id uuid) returns void
language plpgsql volatile
as $$
begin
    -- Sources of an example that a person edited stay together as they are.
    with pinned as materialized (
        select distinct unnest(f.sources) as answer_id
        from training_found f where f.is_edited and f.dataset_id = p_dataset_id
    ), ranked as materialized (
        select t.answer_id, t.conversation_id, t.turn,
            bool_and(t.verdict is true and t.style = s.style and p.answer_id is null) over w
                and t.turn = row_number() over w -- no turn is left out
                -- Longer ones are cut at their end by those who train.
                and coalesce(sum(octet_length(t.question) + octet_length(t.answer) + 32) over w, 0) <= 65536 * 4
                and t.turn <= 64 as is_in
        from training_turns t
        left join pinned p on p.answer_id = t.answer_id
        left join training_turns s on s.conversation_id = t.conversation_id and s.turn = 1 and s.is_shown
        where t.is_shown and t.turn is not null
        window w as (partition by t.conversation_id order by t.turn)
    ), beginnings as materialized (
        select r.conversation_id, max(r.turn) as turns from ranked r where r.is_in
        group by r.conversation_id having count(*) > 1
    ), parts as not materialized (
        select t.*, b.turns
        from training_turns t
        left join beginnings b on b.conversation_id = t.conversation_id and t.turn <= b.turns and t.is_shown
        left join pinned p on p.answer_id = t.answer_id
        where t.verdict and p.answer_id is null
    ), whole as (
        select p.answer_id as source_id, array[p.answer_id] as sources, p.user_id,
            uplift.prompt_messages(p.system_prompt, p.question)
                || jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', p.answer)) as messages,
            p.said, p.quality, 1 as turns, p.tags, p.coach_id, p.model_used,
            octet_length(p.question) / 4 + octet_length(p.answer) / 4 + 8
                + coalesce(octet_length(p.system_prompt) / 4 + 4, 0) as tokens
        from parts p where p.turns is null
        union all
        select p.sources[1], p.sources, p.user_id,
            (case when p.system_prompt is null then '[]'
                else jsonb_build_array(jsonb_build_object('role', 'system', 'content', p.system_prompt)) end) || p.messages,
            p.said, p.quality, p.turns,
            array(select distinct g from unnest(p.tags) g order by g), p.coach_id, p.model_used,
            (p.tokens + coalesce(octet_length(p.system_prompt) / 4 + 4, 0))::int
        from (
            select array_agg(t.answer_id order by t.turn) filter (where m.position = 1) as sources, (array_agg(t.user_id))[1] as user_id,
                (array_agg(t.system_prompt order by t.turn))[1] as system_prompt,
                (array_agg(t.coach_id))[1] as coach_id, (array_agg(t.model_used order by t.turn desc))[1] as model_used,
                jsonb_agg(m.message order by t.turn, m.position) filter (where m.position > 0) as messages,
                string_agg(t.said, ' ' order by t.turn) filter (where m.position = 1) as said, round(avg(t.quality), 2) as quality, t.turns,
                sum(octet_length(m.message ->> 'content') / 4 + 4) as tokens,
                string_to_array(string_agg(array_to_string(t.tags, e'\n'), e'\n'), e'\n') as tags
            from parts t
            cross join lateral (values
                (1, jsonb_build_object('role', 'user', 'content', t.question)),
                (2, jsonb_build_object('role', 'assistant', 'content', t.answer))) as m(position, message)
            where t.turns is not null
            group by t.conversation_id, t.turns) p
    )
    insert into training_wanted (dataset_id, source_id, sources, user_id, messages, likeness, bands,
        quality, tokens, turns, tags, coach_id, model_used)
    select p_dataset_id, w.source_id, w.sources, w.user_id, w.messages,
        md5(w.said)::uuid, uplift.sketch(uplift.words_of(w.said)), w.quality, w.tokens, w.turns,
        w.tags, w.coach_id, w.model_used
    from whole w;
end
$$;

comment on function uplift.want_conversations(uuid) is
    'Adds to training_wanted: for each conversation its longest liked beginning, of two turns or more, in one style, up to 64 turns and 65,536 tokens; and each other liked answer by itself.';

create or replace function uplift.want_unpaired(p_dataset_id uuid) returns void
language plpgsql volatile
as $$
begin
    insert into training_wanted (dataset_id, source_id, sources, user_id, messages, completion, label,
        likeness, prompt_hash, quality, tokens, turns, tags, coach_id, model_used)
    select p_dataset_id, t.answer_id, array[t.answer_id], t.user_id, m.messages, m.completion, t.verdict,
        md5(t.verdict || t.said)::uuid,
        case when t.history_hash is not null
            then md5(concat_ws('|', t.style, t.history_hash, uplift.normalised(t.question)))::uuid end,
        t.quality,
        octet_length(coalesce(t.system_prompt, '')) / 4 + octet_length(t.question) / 4 + octet_length(t.answer) / 4
            + case when t.system_prompt is null then 8 else 12 end,
        1, t.tags, t.coach_id, t.model_used
    from training_turns t
    cross join lateral (
        select uplift.prompt_messages(t.system_prompt, t.question) as messages,
            jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', t.answer)) as completion offset 0) m
    where t.verdict is not null;
end
$$;

comment on function uplift.want_unpaired(uuid) is
    'Adds to training_wanted each answer that was liked or disliked, with that as its label.';

create or replace function uplift.want_regenerations(p_dataset_id uuid) returns void
language plpgsql volatile
as $$
begin
    with versions as materialized (
        select t.* from training_turns t
        where t.verdict is not null
            and t.turn_id in (select v.turn_id from training_turns v group by v.turn_id having count(*) > 1)
    ), pairs as (
        select b.*, w.answer_id as rejected_id, w.answer as worse, w.tags as worse_tags
        from versions w
        -- Of several versions that were liked, the best and last one.
        cross join lateral (
            select v.* from versions v
            where v.turn_id = w.turn_id and v.user_id = w.user_id and v.verdict
            order by v.quality desc, v.is_shown desc, v.answer_id desc limit 1) b
        where w.verdict is false and uplift.normalised(b.answer) <> uplift.normalised(w.answer)
    )
    insert into training_wanted (dataset_id, source_id, rejected_id, sources, user_id, messages, completion, rejected,
        likeness, quality, tokens, turns, tags, coach_id, model_used)
    select p_dataset_id, p.answer_id, p.rejected_id, array[p.answer_id, p.rejected_id], p.user_id, m.messages, m.completion,
        m.rejected,
        uplift.pair_likeness(m.messages, m.completion, m.rejected), p.quality,
        uplift.token_estimate(m.messages || m.completion || m.rejected), 1,
        array(select distinct g from unnest(p.tags || p.worse_tags || array['pair:regeneration']) g order by g),
        p.coach_id, p.model_used
    from pairs p
    cross join lateral (
        select uplift.prompt_messages(p.system_prompt, p.question) as messages,
            jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', p.answer)) as completion,
            jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', p.worse)) as rejected offset 0) m;
end
$$;

comment on function uplift.want_regenerations(uuid) is
    'Adds to training_wanted a pair for each disliked version of an answer of which another version was liked.';

-- What there is.

create or replace function uplift.find_training_examples(p_answers uuid[], p_datasets uuid[]) returns void
language plpgsql volatile
as $$
begin
    insert into training_found (example_id, dataset_id, source_id, rejected_id, sources, is_frozen,
        is_edited, is_paired_by_prompt, is_repeated)
    select e.id, e.dataset_id, e.source_id, case when e.rejected is not null then s.sources[2] end,
        coalesce(s.sources, array[e.source_id]), uplift.is_frozen(e.id), e.edited_at is not null,
        coalesce('pair:prompt' = any (e.tags), false),
        row_number() over (partition by e.dataset_id, e.source_id, case when e.rejected is not null then s.sources[2] end
            order by e.created_at, e.id) > 1
    from (
        select x.example_id as id
        from (select i.id from unnest(p_answers) i(id) union select t.answer_id from training_turns t) i
        cross join lateral (
            select s.example_id from uplift.training_example_sources s where s.answer_id = i.id
            union all
            select b.id from public.ai_training_examples b where b.source_id = i.id offset 0) x
        group by 1) x
    cross join lateral (select r.* from public.ai_training_examples r where r.id = x.id offset 0) e
    cross join lateral (
        select array_agg(s.answer_id order by s.position) as sources
        from uplift.training_example_sources s where s.example_id = e.id) s
    where e.dataset_id = any (p_datasets) and e.source_type = 'user_conversation' and e.withdrawn_at is null;
end
$$;

comment on function uplift.find_training_examples(uuid[], uuid[]) is
    'Fills training_found with the examples of these answers and of those in training_turns.';

create or replace function uplift.withdraw_examples(p_example_ids uuid[]) returns int
language plpgsql volatile
as $$
begin
    if cardinality(p_example_ids) > 0 then
        perform uplift.forget_sketches(p_example_ids);
        -- A version names some: those stay, out of their set.
        update public.ai_training_examples e set withdrawn_at = now()
        where e.id = any (p_example_ids) and e.withdrawn_at is null and uplift.is_frozen(e.id);
        delete from public.ai_training_examples e where e.id = any (p_example_ids) and e.withdrawn_at is null;
    end if;
    return cardinality(p_example_ids);
end
$$;

comment on function uplift.withdraw_examples(uuid[]) is
    'Takes examples out of their set: deleted, or only marked where a dataset version names them. Returns how many.';

create or replace function uplift.match_wanted_examples() returns int
language plpgsql volatile
as $$
declare
    v_gone uuid[];
begin
    if not exists (select from training_found f) then
        return 0;
    end if;
    update training_wanted w set
        is_fresh = not x.is_edited and x.is_other,
        example_id = case when not x.is_frozen or x.is_edited or not x.is_other then x.example_id end,
        replaces = x.example_id
    from (
        select k.id, f.example_id, f.is_frozen, f.is_edited, (e.messages, e.completion, e.rejected, e.label)
            is distinct from (k.messages, k.completion, k.rejected, k.label) as is_other
        from training_found f
        join training_wanted k on k.dataset_id = f.dataset_id and k.source_id = f.source_id
            and k.rejected_id is not distinct from f.rejected_id
        cross join lateral (select r.messages, r.completion, r.rejected, r.label
            from public.ai_training_examples r where r.id = f.example_id offset 0) e
        where not f.is_repeated and not f.is_paired_by_prompt) x
    where w.id = x.id;
    -- An edited conversation is no longer what could be made from its turns: it stays while all of
    -- them are liked.
    select coalesce(array_agg(f.example_id), '{}') into v_gone
    from training_found f
    where not f.is_paired_by_prompt
        and not exists (select from training_wanted w where w.example_id = f.example_id)
        -- Its place is taken when what takes it is written: a person's review goes with it.
        and not exists (select from training_wanted w where w.replaces = f.example_id)
        and not (f.is_edited and f.rejected_id is null and not f.is_repeated
            and not exists (select from unnest(f.sources) s(id) where not exists (
                select from training_turns t where t.answer_id = s.id and t.verdict)));
    return uplift.withdraw_examples(v_gone);
end
$$;

comment on function uplift.match_wanted_examples() is
    'Says of each row of training_wanted which example it is, and withdraws the examples that are not wanted any more. Returns how many.';

create or replace function uplift.write_training_examples(out added int, out changed int, out withdrawn int, out duplicates int)
language plpgsql volatile
as $$
declare
    v_lost uuid[];
begin
    insert into uplift.training_duplicates (dataset_id, answer_id, example_id, is_exact)
    select distinct on (w.source_id, w.dataset_id) w.dataset_id, w.source_id, w.duplicate_of, w.is_exact
    from training_wanted w where w.duplicate_of is not null
    on conflict (answer_id, dataset_id) do update set example_id = excluded.example_id, is_exact = excluded.is_exact;
    get diagnostics duplicates = row_count;

    -- Examples whose text became another's, and those whose place is taken by a row of their own.
    select coalesce(array_agg(w.replaces), '{}') into v_lost from training_wanted w
    where w.replaces is not null and (w.duplicate_of is not null or w.example_id is null);
    update uplift.training_duplicates d set example_id = w.id
    from training_wanted w
    where w.replaces = d.example_id and w.example_id is null and w.duplicate_of is null and w.replaces is not null;

    insert into public.ai_training_examples (id, dataset_id, messages, completion, rejected, label, quality_score,
        user_satisfaction, is_validated, source_type, source_id, conversation_turns, split, likeness,
        prompt_hash, tokens, tags, coach_id, model_used, model_version_id, review, reviewed_by, reviewed_at, review_note)
    select w.id, w.dataset_id, w.messages, w.completion, w.rejected, w.label, w.quality,
        case when w.label is false then 0.0 else 1.0 end, true, 'user_conversation', w.source_id, w.turns,
        uplift.training_split(w.user_id), w.likeness, w.prompt_hash, w.tokens, w.tags, w.coach_id, w.model_used,
        (select v.id from public.ai_model_versions v where v.model_id = w.model_used order by v.created_at desc limit 1),
        r.review, r.reviewed_by, r.reviewed_at, r.review_note
    from training_wanted w
    -- Not looked for where there is none, in a table that grows meanwhile.
    left join lateral (select x.* from public.ai_training_examples x
        where w.replaces is not null and x.id = w.replaces offset 0) r on true
    where w.example_id is null and w.duplicate_of is null;
    get diagnostics added = row_count;
    withdrawn := uplift.withdraw_examples(v_lost);

    perform uplift.forget_sketches(array(select w.example_id from training_wanted w
        where w.example_id is not null and w.is_fresh and w.duplicate_of is null and w.bands is not null));
    update public.ai_training_examples e set
        -- What a person edited stays.
        messages = case when w.is_fresh then w.messages else e.messages end,
        completion = case when w.is_fresh then w.completion else e.completion end,
        rejected = case when w.is_fresh then w.rejected else e.rejected end,
        content_hash = case when not w.is_fresh then e.content_hash end,
        likeness = case when w.is_fresh then w.likeness else e.likeness end,
        tokens = case when w.is_fresh then w.tokens else e.tokens end,
        label = w.label, prompt_hash = w.prompt_hash, quality_score = w.quality, split = uplift.training_split(w.user_id),
        is_validated = true, user_satisfaction = case when w.label is false then 0.0 else 1.0 end,
        conversation_turns = w.turns, coach_id = w.coach_id, model_used = w.model_used,
        tags = w.tags || array(select g from unnest(e.tags) g where g !~ '^(coach|model|arm|pair):')
    from training_wanted w
    where e.id = w.example_id and w.duplicate_of is null and (w.is_fresh
        or (e.label, e.prompt_hash, e.quality_score, e.split, e.is_validated, e.conversation_turns, e.coach_id, e.model_used,
                array(select g from unnest(e.tags) g where g ~ '^(coach|model|arm|pair):'))
            is distinct from (w.label, w.prompt_hash, w.quality, uplift.training_split(w.user_id), true, w.turns, w.coach_id,
                w.model_used, w.tags));
    get diagnostics changed = row_count;

    delete from uplift.training_example_sources s using training_wanted w
    where s.example_id = w.example_id and w.duplicate_of is null
        and s.position > cardinality(w.sources);
    insert into uplift.training_example_sources as s (example_id, position, answer_id, user_id)
    select w.example_id, x.position, x.answer_id, w.user_id
    from training_wanted w cross join lateral unnest(w.sources) with ordinality as x(answer_id, position)
    where w.duplicate_of is null and w.example_id is not null
    on conflict (example_id, position) do update set answer_id = excluded.answer_id, user_id = excluded.user_id
    where (s.answer_id, s.user_id) is distinct from (excluded.answer_id, excluded.user_id);
    insert into uplift.training_example_sources (example_id, position, answer_id, user_id)
    select w.id, x.position, x.answer_id, w.user_id
    from training_wanted w cross join lateral unnest(w.sources) with ordinality as x(answer_id, position)
    where w.duplicate_of is null and w.example_id is null;
    insert into uplift.training_bands (band, example_id)
    select b.band, coalesce(w.example_id, w.id)
    from training_wanted w cross join lateral unnest(w.bands) as b(band)
    where w.duplicate_of is null and w.is_fresh
    order by 1
    on conflict do nothing;
end
$$;

comment on function uplift.write_training_examples(out int, out int, out int, out int) is
    'Writes what training_wanted says, with sources and sketches, and says how many examples came, changed, went, and were dropped as duplicates.';
