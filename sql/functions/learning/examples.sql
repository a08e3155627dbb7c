-- From training_turns to examples: what there should be, compared with what there is.

create or replace function uplift.message_list(p_system jsonb, p_history jsonb[], p_rest jsonb[]) returns jsonb
language sql stable parallel safe
as $$ select to_jsonb(array_remove(array[p_system], null) || p_history || array_remove(p_rest, null)) $$;

comment on function uplift.message_list(jsonb, jsonb[], jsonb[]) is
    'A list of messages: the system message, those of the history and others, each null for none.';

create or replace function uplift.pair_likeness(p_messages jsonb, p_completion jsonb, p_rejected jsonb) returns uuid
language sql immutable parallel safe
as $$
    select md5(concat_ws(e'\n', uplift.normalised(uplift.text_said(p_messages)), '|', uplift.normalised(uplift.text_said(p_completion)), '|',
        uplift.normalised(uplift.text_said(p_rejected))))::uuid
$$;

comment on function uplift.pair_likeness(jsonb, jsonb, jsonb) is 'Hash of what is said in a preference pair.';

create or replace function uplift.stays_edited(p_is_edited boolean, p_sources uuid[]) returns boolean
language plpgsql volatile
as $$
begin
    return p_is_edited and not exists (select from unnest(p_sources) s(id) where not exists (
        select from training_turns t where t.answer_id = s.id and t.verdict));
end
$$;

comment on function uplift.stays_edited(boolean, uuid[]) is
    'Whether a conversation that a person edited stays: while all of its answers are liked.';

create or replace function uplift.want_conversations(p_dataset_id uuid) returns void
language plpgsql volatile
as $$
begin
    -- Sources of an example that a person edited stay together as they are, while all of them are liked.
    with pinned as materialized (
        select distinct unnest(f.sources) as answer_id
        from training_found f where f.dataset_id = p_dataset_id and uplift.stays_edited(f.is_edited and not f.is_repeated, f.sources)
    ), ranked as materialized (
        select t.answer_id, t.conversation_id, t.user_id, t.turn,
            bool_and(t.verdict is true and t.goes_on and t.style = s.style and p.answer_id is null) over w
                and t.turn = row_number() over w -- no turn is left out
                -- Longer ones are cut at their end by those who train.
                and coalesce(sum(x.question_tokens + x.answer_tokens) over w, 0) <= 65536
                and t.turn <= 64 as is_in
        from training_turns t
        left join training_texts x on x.answer_id = t.answer_id
        left join pinned p on p.answer_id = t.answer_id
        left join training_turns s on s.conversation_id = t.conversation_id and s.user_id = t.user_id and s.turn = 1 and s.is_shown
        where t.is_shown and t.turn is not null
        window w as (partition by t.conversation_id, t.user_id order by t.turn)
    ), beginnings as materialized (
        select r.conversation_id, r.user_id, max(r.turn) as turns from ranked r where r.is_in
        group by r.conversation_id, r.user_id having count(*) > 1
    ), parts as materialized (
        select t.answer_id, b.turns
        from training_turns t
        left join beginnings b on b.conversation_id = t.conversation_id and b.user_id = t.user_id and t.turn <= b.turns and t.is_shown
        left join pinned p on p.answer_id = t.answer_id
        where t.verdict and p.answer_id is null
    ), whole as (
        select t.answer_id as source_id, array[t.answer_id] as sources, t.user_id,
            uplift.message_list(i.system, uplift.unlearnt(i.history), array[x.question, x.answer]) as messages,
            x.said, t.quality, 1 as turns, t.tags, t.coach_id, t.model_used, i.tokens + x.answer_tokens as tokens
        from parts p join training_turns t on t.answer_id = p.answer_id join training_texts x on x.answer_id = p.answer_id
        join training_inputs i on i.answer_id = p.answer_id
        where p.turns is null
        union all
        select c.sources[1], c.sources, c.user_id, uplift.message_list(i.system, null, uplift.alternating(c.questions, c.answers)),
            c.said, c.quality, c.turns, array(select distinct g from unnest(c.tags) g order by g), f.coach_id, c.model_used,
            c.tokens + i.tokens - c.first_tokens
        from (
            select array_agg(t.answer_id order by t.turn) as sources, t.user_id,
                array_agg(x.question order by t.turn) as questions, array_agg(x.answer order by t.turn) as answers,
                string_agg(x.said, ' ' order by t.turn) as said, round(avg(t.quality), 2) as quality, p.turns,
                (array_agg(t.model_used order by t.turn desc))[1] as model_used,
                sum(x.question_tokens + x.answer_tokens)::int as tokens, (array_agg(x.question_tokens order by t.turn))[1] as first_tokens,
                string_to_array(string_agg(array_to_string(t.tags, e'\n'), e'\n' order by t.turn), e'\n') as tags
            from parts p join training_turns t on t.answer_id = p.answer_id join training_texts x on x.answer_id = p.answer_id
            where p.turns is not null
            group by t.conversation_id, t.user_id, p.turns) c
        join training_turns f on f.answer_id = c.sources[1]
        join training_inputs i on i.answer_id = c.sources[1]
    )
    insert into training_wanted (dataset_id, source_id, sources, user_id, messages, likeness, bands,
        quality, precedence, tokens, turns, tags, coach_id, model_used)
    select p_dataset_id, w.source_id, w.sources, w.user_id, w.messages,
        md5(w.said)::uuid, uplift.sketch(uplift.words_of(w.said)), w.quality, uplift.example_precedence(false, false, w.quality),
        w.tokens, w.turns, w.tags, w.coach_id, w.model_used
    from whole w;
end
$$;

comment on function uplift.want_conversations(uuid) is
    'Adds to training_wanted: for each conversation its longest liked beginning, of two turns or more, in one style, each turn answered with those before it as its history, up to 64 turns and 65,536 tokens; and each other liked answer by itself, after what was sent, of which earlier answers have weight 0.';

create or replace function uplift.want_edited(p_dataset_id uuid) returns void
language plpgsql volatile
as $$
begin
    insert into training_wanted (dataset_id, source_id, sources, user_id, messages, likeness, bands,
        quality, precedence, tokens, turns, tags, coach_id, model_used)
    select e.dataset_id, e.source_id, f.sources, t.user_id, e.messages,
        coalesce(e.likeness, md5(uplift.normalised(uplift.text_said(e.messages)))::uuid), e.bands, coalesce(e.quality_score, 0), 0,
        coalesce(e.tokens, uplift.token_estimate(e.messages)), coalesce(e.conversation_turns, 1),
        array(select g from unnest(e.tags) g where g ~ '^(coach|model|arm|pair):'), e.coach_id, e.model_used
    from training_found f
    join public.ai_training_examples e on e.id = f.example_id
    join training_turns t on t.answer_id = e.source_id
    where f.dataset_id = p_dataset_id and uplift.stays_edited(f.is_edited and not f.is_repeated, f.sources);
end
$$;

comment on function uplift.want_edited(uuid) is
    'Adds to training_wanted the conversations that a person edited, as they are, while all of their answers are liked.';

create or replace function uplift.want_unpaired(p_dataset_id uuid) returns void
language plpgsql volatile
as $$
begin
    insert into training_wanted (dataset_id, source_id, sources, user_id, messages, completion, label,
        likeness, prompt_hash, quality, precedence, tokens, turns, tags, coach_id, model_used)
    select p_dataset_id, t.answer_id, array[t.answer_id], t.user_id,
        uplift.message_list(i.system, i.history, array[x.question]), jsonb_build_array(x.answer), t.verdict,
        md5(t.verdict || x.said)::uuid,
        -- A version of which a better one is known is in a pair with that.
        case when t.verdict or not exists (
                select from training_turns v join training_texts y on y.answer_id = v.answer_id
                where v.turn_id = t.turn_id and v.user_id = t.user_id and v.verdict
                    and v.style = t.style and y.question_hash = x.question_hash and y.answer_hash <> x.answer_hash)
            then md5(concat_ws('|', t.style, t.history_hash, x.question_hash))::uuid end,
        t.quality, uplift.example_precedence(false, false, t.quality), i.tokens + x.answer_tokens, 1, t.tags, t.coach_id, t.model_used
    from training_turns t join training_texts x on x.answer_id = t.answer_id join training_inputs i on i.answer_id = t.answer_id
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
        select t.answer_id, t.turn_id, t.user_id, t.style, t.verdict, t.quality, t.is_shown, x.question, x.answer,
            x.question_hash, x.answer_hash
        from training_turns t join training_texts x on x.answer_id = t.answer_id
        where t.verdict is not null
            and t.turn_id in (select v.turn_id from training_turns v where v.verdict is not null group by v.turn_id having count(*) > 1)
    ), pairs as (
        select b.answer_id, w.answer_id as rejected_id, b.answer as better, w.answer as worse, p.tags, o.tags as worse_tags,
            uplift.message_list(i.system, i.history, array[b.question]) as prompt,
            p.user_id, p.quality, p.coach_id, p.model_used, i.tokens as prompt_tokens
        from versions w
        -- Of several versions that were liked, the best and last one.
        cross join lateral (
            select v.* from versions v
            where v.turn_id = w.turn_id and v.user_id = w.user_id and v.verdict
                and v.style = w.style and v.question_hash = w.question_hash and v.answer_hash <> w.answer_hash
            order by v.quality desc, v.is_shown desc, v.answer_id desc limit 1) b
        join training_turns p on p.answer_id = b.answer_id
        join training_inputs i on i.answer_id = b.answer_id
        join training_turns o on o.answer_id = w.answer_id
        where w.verdict is false
    )
    insert into training_wanted (dataset_id, source_id, rejected_id, sources, user_id, messages, completion, rejected,
        likeness, quality, precedence, tokens, turns, tags, coach_id, model_used)
    select p_dataset_id, p.answer_id, p.rejected_id, array[p.answer_id, p.rejected_id], p.user_id, p.prompt, m.completion,
        m.rejected, uplift.pair_likeness(p.prompt, m.completion, m.rejected), p.quality, uplift.example_precedence(false, false, p.quality),
        p.prompt_tokens + uplift.token_estimate(m.completion || m.rejected), 1,
        array(select distinct g from unnest(p.tags || p.worse_tags || array['pair:regeneration']) g order by g),
        p.coach_id, p.model_used
    from pairs p
    cross join lateral (
        select jsonb_build_array(p.better) as completion, jsonb_build_array(p.worse) as rejected offset 0) m;
end
$$;

comment on function uplift.want_regenerations(uuid) is
    'Adds to training_wanted a pair for each disliked version of an answer of which another version, to the same question and in the same style but in other words, was liked.';

-- What there is.

create or replace function uplift.find_training_examples(p_answers uuid[], p_datasets uuid[]) returns void
language plpgsql volatile
as $$
begin
    insert into training_found (example_id, dataset_id, source_id, rejected_id, sources, is_frozen,
        is_edited, is_by_person, is_repeated)
    select e.id, e.dataset_id, e.source_id, case when e.rejected is not null then s.sources[2] end,
        coalesce(s.sources, array[e.source_id]), uplift.is_frozen(e.id), e.edited_at is not null,
        e.edited_at is not null or e.review is not null,
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
    where e.dataset_id = any (p_datasets) and e.source_type = 'user_conversation' and e.withdrawn_at is null
        -- These are made from what is unpaired, and looked at then.
        and ('pair:prompt' = any (e.tags)) is not true;
end
$$;

comment on function uplift.find_training_examples(uuid[], uuid[]) is
    'Fills training_found with the examples of these answers and of those in training_turns, but for pairs by prompt.';

create or replace function uplift.withdraw_examples(p_example_ids uuid[]) returns int
language plpgsql volatile
as $$
declare
    v_frozen uuid[];
    v_free uuid[];
begin
    if cardinality(p_example_ids) > 0 then
        -- Asked beside the id, the planner would read the whole index of those that are not withdrawn.
        select array_agg(x.id) filter (where x.is_frozen), array_agg(x.id) filter (where not x.is_frozen) into v_frozen, v_free
        from unnest(p_example_ids) i(id)
        cross join lateral (
            select e.id, e.withdrawn_at, uplift.is_frozen(e.id) as is_frozen
            from public.ai_training_examples e where e.id = i.id offset 0) x
        where x.withdrawn_at is null;
        -- A version names some: those stay, out of their set.
        update public.ai_training_examples e set withdrawn_at = now() where e.id = any (v_frozen);
        delete from public.ai_training_examples e where e.id = any (v_free);
    end if;
    return cardinality(p_example_ids);
end
$$;

comment on function uplift.withdraw_examples(uuid[]) is
    'Takes examples out of their set: deleted, or only marked where a dataset version names them. Returns how many. Their sketches are to be forgotten before (uplift.forget_sketches), while no other example of the same answer has one.';

create or replace function uplift.match_wanted_examples() returns int
language plpgsql volatile
as $$
declare
    v_gone uuid[];
    v_changed uuid[];
    v_released uuid[];
begin
    if not exists (select from training_found f) then
        return 0;
    end if;
    with matched as (
        select k.id, k.source_id, f.example_id, f.is_frozen, f.is_edited, f.is_by_person, e.messages, e.completion, e.rejected, e.label, e.likeness, e.bands,
            (e.messages, e.completion, e.rejected, e.label, e.bands)
                is distinct from (k.messages, k.completion, k.rejected, k.label, k.bands) and not f.is_edited as is_other,
            uplift.example_precedence(f.is_by_person, 'pair:prompt' = any (k.tags), case when f.is_edited then e.quality_score else k.quality end)
                as precedence, uplift.example_precedence(e.*) as old_precedence
        from training_found f
        join training_wanted k on k.dataset_id = f.dataset_id and k.source_id = f.source_id
            and k.rejected_id is not distinct from f.rejected_id
        cross join lateral (select r.* from public.ai_training_examples r where r.id = f.example_id offset 0) e
        where not f.is_repeated
    ), done as (
        update training_wanted w set is_fresh = x.is_other, is_by_person = x.is_by_person, precedence = x.precedence,
            example_id = case when not x.is_frozen or not x.is_other then x.example_id end,
            replaces = x.example_id,
            -- What a person edited stays, under the hash of what was said.
            messages = case when x.is_edited then x.messages else w.messages end,
            completion = case when x.is_edited then x.completion else w.completion end,
            rejected = case when x.is_edited then x.rejected else w.rejected end,
            likeness = case when x.is_edited then x.likeness else w.likeness end,
            bands = case when x.is_edited then x.bands else w.bands end
        from matched x
        where w.id = x.id
    )
    select coalesce(array_agg(x.example_id) filter (where x.is_other or x.precedence <> x.old_precedence
            -- Whoever reviewed it moved it to the front.
            or x.is_by_person and x.bands is not null and not exists (select from uplift.training_bands t
                where t.band = x.bands[1] and t.precedence = x.precedence and t.source_id = x.source_id)), '{}'),
        coalesce(array_agg(x.example_id) filter (where x.is_other or x.precedence > x.old_precedence), '{}')
    into v_changed, v_released from matched x;
    perform uplift.forget_sketches(v_changed);
    perform uplift.release_duplicates(v_released);
    -- The place of those that are replaced is taken when what takes it is written: a person's review
    -- goes with it.
    select coalesce(array_agg(f.example_id), '{}') into v_gone
    from training_found f
    where not exists (select from training_wanted w where w.replaces = f.example_id);
    perform uplift.forget_sketches(v_gone);
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
    insert into uplift.training_duplicates (dataset_id, answer_id, rejected_id, turns, example_id, is_exact)
    select w.dataset_id, w.source_id, w.rejected_id, w.turns, w.duplicate_of, w.is_exact
    from training_wanted w where w.duplicate_of is not null
    on conflict (answer_id, dataset_id, rejected_id) do update set example_id = excluded.example_id, is_exact = excluded.is_exact,
        turns = excluded.turns;
    get diagnostics duplicates = row_count;

    -- Those that are duplicates now, and those whose place is taken by a row of their own. Their sketches
    -- are forgotten already: what is in the bands now may be that row's.
    select coalesce(array_agg(w.replaces), '{}') into v_lost from training_wanted w
    where w.replaces is not null and (w.duplicate_of is not null or w.example_id is null);
    insert into training_prompts (prompt_hash)
    select e.prompt_hash from public.ai_training_examples e where e.id = any (v_lost) and e.prompt_hash is not null on conflict do nothing;

    insert into public.ai_training_examples (id, dataset_id, messages, completion, rejected, label, quality_score,
        user_satisfaction, is_validated, source_type, source_id, conversation_turns, split, likeness, bands,
        prompt_hash, tokens, tags, coach_id, model_used, model_version_id, review, reviewed_by, reviewed_at, review_note)
    select w.id, w.dataset_id, w.messages, w.completion, w.rejected, w.label, w.quality,
        case when w.label is false then 0.0 else 1.0 end, true, 'user_conversation', w.source_id, w.turns,
        uplift.training_split(w.user_id), w.likeness, w.bands, w.prompt_hash, w.tokens, w.tags, w.coach_id, w.model_used,
        (select v.id from public.ai_model_versions v where v.model_id = w.model_used order by v.created_at desc limit 1),
        r.review, r.reviewed_by, r.reviewed_at, r.review_note
    from training_wanted w
    -- Not looked for where there is none, in a table that grows meanwhile.
    left join lateral (select x.* from public.ai_training_examples x
        where w.replaces is not null and x.id = w.replaces offset 0) r on true
    where w.example_id is null and w.duplicate_of is null;
    get diagnostics added = row_count;
    withdrawn := uplift.withdraw_examples(v_lost);

    update public.ai_training_examples e set
        -- What a person edited stays.
        messages = case when w.is_fresh then w.messages else e.messages end,
        completion = case when w.is_fresh then w.completion else e.completion end,
        rejected = case when w.is_fresh then w.rejected else e.rejected end,
        content_hash = case when not w.is_fresh then e.content_hash end,
        likeness = case when w.is_fresh then w.likeness else e.likeness end,
        bands = case when w.is_fresh then w.bands else e.bands end,
        tokens = case when w.is_fresh then w.tokens else e.tokens end,
        label = k.label, prompt_hash = w.prompt_hash, quality_score = k.quality, split = k.split,
        is_validated = true, user_satisfaction = case when w.label is false then 0.0 else 1.0 end,
        conversation_turns = w.turns, coach_id = w.coach_id, model_used = w.model_used,
        tags = w.tags || array(select g from unnest(e.tags) g where g !~ '^(coach|model|arm|pair):')
    from training_wanted w
    cross join lateral (
        select x.quality_score, x.label, x.edited_at, x.user_satisfaction from public.ai_training_examples x where x.id = w.example_id offset 0) x
    cross join lateral (
        -- A label that a person gave stays until the user changes their mind.
        select case when x.edited_at is not null and (x.user_satisfaction = 1.0) = w.label then x.label else w.label end as label,
            case when x.edited_at is not null then x.quality_score else w.quality end as quality,
            uplift.training_split(w.user_id) as split) k
    where e.id = w.example_id and w.duplicate_of is null and (w.is_fresh
        or (e.label, e.prompt_hash, e.quality_score, e.split, e.is_validated, e.conversation_turns, e.coach_id, e.model_used,
                array(select g from unnest(e.tags) g where g ~ '^(coach|model|arm|pair):'))
            is distinct from (k.label, w.prompt_hash, k.quality, k.split, true, w.turns, w.coach_id, w.model_used, w.tags));
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
end
$$;

comment on function uplift.write_training_examples(out int, out int, out int, out int) is
    'Writes what training_wanted says, with sources, and says how many examples came, changed, went, and were dropped as duplicates.';
