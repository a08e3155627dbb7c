-- Different answers to the same prompt, one liked and one not, become preference pairs.
--
-- Both are in the unpaired set already, with the hash of what they answered. A disliked answer gets
-- the best liked one with the same hash, of a user on the same side of the split. One that has a pair,
-- from being given anew or by this, gets no other.

create or replace function uplift.is_pair_valid(p_unpaired_id uuid, p_chosen_id uuid, p_rejected_id uuid) returns boolean
language sql stable
as $$
    select exists (
        select from public.ai_training_examples c
        join public.ai_training_examples r on r.source_id = p_rejected_id
        where c.source_id = p_chosen_id and c.dataset_id = p_unpaired_id and r.dataset_id = p_unpaired_id
            and c.withdrawn_at is null and r.withdrawn_at is null and c.label and not r.label
            and c.prompt_hash = r.prompt_hash and c.split = r.split)
$$;

comment on function uplift.is_pair_valid(uuid, uuid, uuid) is
    'Whether these two answers are still in the unpaired set, one liked, the other not, with the same prompt.';

create or replace function uplift.withdraw_broken_pairs(p_pairs_id uuid, p_unpaired_id uuid, out withdrawn int, out freed uuid[])
language plpgsql volatile
as $$
declare
    v_broken uuid[];
begin
    select coalesce(array_agg(f.example_id), '{}'), coalesce(array_agg(f.rejected_id), '{}') into v_broken, freed
    from training_found f
    where f.dataset_id = p_pairs_id and f.is_paired_by_prompt and (
        not uplift.is_pair_valid(p_unpaired_id, f.source_id, f.rejected_id)
        -- Given anew since, and liked then: that is the better pair.
        or exists (select from training_wanted w where w.dataset_id = p_pairs_id and w.rejected_id = f.rejected_id)
        or not f.is_edited and exists (select from public.ai_training_examples e
            join public.ai_training_examples c on c.source_id = f.source_id and c.dataset_id = p_unpaired_id and c.withdrawn_at is null
            join public.ai_training_examples r on r.source_id = f.rejected_id and r.dataset_id = p_unpaired_id and r.withdrawn_at is null
            where e.id = f.example_id
                and (e.messages, e.completion, e.rejected) is distinct from (c.messages, c.completion, r.completion)));
    withdrawn := uplift.withdraw_examples(v_broken);
end
$$;

comment on function uplift.withdraw_broken_pairs(uuid, uuid, out int, out uuid[]) is
    'Withdraws pairs by prompt in training_found that hold no longer, or whose texts changed; freed: the disliked answers that have no pair now.';

create or replace function uplift.pair_by_prompt(p_pairs_id uuid, p_unpaired_id uuid, p_freed uuid[]) returns int
language plpgsql volatile
as $$
declare
    v_hashes uuid[];
    v_added int;
begin
    -- Prompts that have both a liked and a disliked answer, among those just looked at.
    select coalesce(array_agg(h.prompt_hash), '{}') into v_hashes
    from (
        select w.prompt_hash from training_wanted w where w.dataset_id = p_unpaired_id and w.prompt_hash is not null
        union
        select e.prompt_hash from public.ai_training_examples e
        where e.source_id = any (p_freed) and e.prompt_hash is not null) h
    -- Only unpaired examples have one. Thousands have the same when it is "hi".
    where exists (select from public.ai_training_examples e
            where e.prompt_hash = h.prompt_hash and e.label and e.withdrawn_at is null)
        and exists (select from public.ai_training_examples e
            where e.prompt_hash = h.prompt_hash and not e.label and e.withdrawn_at is null);
    if cardinality(v_hashes) = 0 then
        return 0;
    end if;

    with pairs as materialized (
        select uplift.uuid_v7() as id, c.source_id as chosen_id, r.source_id as rejected_id, c.messages, c.completion,
            r.completion as rejected, c.quality_score, c.split, c.coach_id, c.model_used, c.model_version_id,
            array(select distinct g from unnest(c.tags || r.tags || array['pair:prompt']) g order by g) as tags,
            uplift.pair_likeness(c.messages, c.completion, r.completion) as likeness
        from unnest(v_hashes) h(prompt_hash)
        -- Of prompts that thousands send, the latest answers will do.
        cross join lateral (
            select x.* from public.ai_training_examples x
            where x.prompt_hash = h.prompt_hash and x.withdrawn_at is null and not x.label
            order by x.id desc limit 32) r
        cross join lateral (
            select x.* from public.ai_training_examples x
            where x.prompt_hash = r.prompt_hash and x.withdrawn_at is null and x.label and x.split = r.split and x.completion <> r.completion and x.review is distinct from 'rejected'
            order by x.quality_score desc, x.id limit 1) c
        where r.review is distinct from 'rejected'
            and not exists (select from uplift.training_example_sources s
                join public.ai_training_examples e on e.id = s.example_id
                where s.answer_id = r.source_id and s.position = 2 and e.dataset_id = p_pairs_id and e.withdrawn_at is null)
    ), added as (
        insert into public.ai_training_examples (id, dataset_id, messages, completion, rejected, quality_score,
            user_satisfaction, is_validated, source_type, source_id, conversation_turns, split, likeness,
            tokens, tags, coach_id, model_used, model_version_id)
        select distinct on (p.likeness) p.id, p_pairs_id, p.messages, p.completion, p.rejected, p.quality_score, 1.0, true,
            'user_conversation', p.chosen_id, 1, p.split,
            p.likeness,
            uplift.token_estimate(p.messages || p.completion || p.rejected), p.tags, p.coach_id, p.model_used, p.model_version_id
        from pairs p
        where not exists (select from public.ai_training_examples e
            where e.likeness = p.likeness and e.dataset_id = p_pairs_id and e.withdrawn_at is null)
        order by p.likeness, p.id
        returning id
    )
    insert into uplift.training_example_sources (example_id, position, answer_id, user_id)
    select a.id, x.position, x.answer_id, s.user_id
    from added a join pairs p on p.id = a.id
    cross join lateral (values (1, p.chosen_id), (2, p.rejected_id)) as x(position, answer_id)
    join lateral (select f.user_id from public.coach_response_feedback f where f.id = x.answer_id) s on true;
    get diagnostics v_added = row_count;
    return v_added / 2;
end
$$;

comment on function uplift.pair_by_prompt(uuid, uuid, uuid[]) is
    'Makes the pairs that answers in training_wanted, and disliked ones whose pair broke, call for. Returns how many.';
