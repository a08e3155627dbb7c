-- Different answers to the same prompt, one liked and one not, become preference pairs.
--
-- Both are in the unpaired set already, with the hash of what they answered. Each disliked answer gets
-- the best liked one with the same hash, of a user on the same side of the split. When an answer to a
-- prompt changes, the pairs of that prompt are made anew, and compared with those there are.

create or replace function uplift.find_prompt_pairs(p_pairs_id uuid) returns void
language plpgsql volatile
as $$
begin
    insert into training_found (example_id, dataset_id, source_id, rejected_id, sources, is_frozen, is_edited, is_by_person, is_repeated)
    select e.id, e.dataset_id, e.source_id, s.sources[2], s.sources, uplift.is_frozen(e.id), e.edited_at is not null,
        e.edited_at is not null or e.review is not null, false
    from training_prompts p
    cross join lateral (select x.* from public.ai_training_examples x where x.prompt_hash = p.prompt_hash and x.label is null offset 0) e
    cross join lateral (
        select array_agg(s.answer_id order by s.position) as sources
        from uplift.training_example_sources s where s.example_id = e.id) s
    where e.dataset_id = p_pairs_id and e.source_type = 'user_conversation' and e.withdrawn_at is null;
end
$$;

comment on function uplift.find_prompt_pairs(uuid) is 'Fills training_found with the pairs by prompt of the prompts in training_prompts.';

create or replace function uplift.want_prompt_pairs(p_pairs_id uuid, p_unpaired_id uuid) returns void
language plpgsql volatile
as $$
begin
    insert into training_wanted (dataset_id, source_id, rejected_id, sources, user_id, messages, completion, rejected,
        likeness, prompt_hash, quality, precedence, tokens, turns, tags, coach_id, model_used)
    select p_pairs_id, c.source_id, r.source_id, array[c.source_id, r.source_id], u.user_id, c.messages, c.completion, r.completion,
        uplift.pair_likeness(c.messages, c.completion, r.completion), p.prompt_hash, c.quality_score,
        uplift.example_precedence(false, true, c.quality_score),
        c.tokens + coalesce(uplift.token_estimate(r.completion), 0), 1,
        array(select distinct g from unnest(c.tags || r.tags || array['pair:prompt']) g where g ~ '^(coach|model|arm|pair):' order by g),
        c.coach_id, c.model_used
    from training_prompts p
    cross join (values ('train'), ('validation'), ('test')) as s(split)
    -- Of prompts that thousands send, the answers that were disliked most will do.
    cross join lateral (
        select x.* from (
            -- By this index, whatever the planner thinks of the others.
            select l.* from public.ai_training_examples l where l.prompt_hash = p.prompt_hash and not l.label
            order by l.quality_score desc, l.source_id offset 0) x
        where x.split = s.split and x.dataset_id = p_unpaired_id and x.withdrawn_at is null and x.review is distinct from 'rejected'
        order by x.quality_score desc, x.source_id limit 32) r
    cross join lateral (
        select y.* from (
            -- What a person said of a pair holds while there is one.
            (select x.*, 1 as place from training_found f
            cross join lateral (select l.* from public.ai_training_examples l where l.source_id = f.source_id offset 0) x
            where f.rejected_id = r.source_id and f.is_by_person and x.prompt_hash = p.prompt_hash and x.label and x.split = s.split
                and x.dataset_id = p_unpaired_id and x.withdrawn_at is null and x.review is distinct from 'rejected'
                and uplift.normalised(uplift.text_said(x.completion)) <> uplift.normalised(uplift.text_said(r.completion))
            order by x.quality_score desc, x.source_id limit 1)
            union all
            (select x.*, 2 from (
                select l.* from public.ai_training_examples l where l.prompt_hash = p.prompt_hash and l.label
                order by l.quality_score desc, l.source_id offset 0) x
            where x.split = s.split and x.dataset_id = p_unpaired_id
                and x.withdrawn_at is null and x.review is distinct from 'rejected'
                and uplift.normalised(uplift.text_said(x.completion)) <> uplift.normalised(uplift.text_said(r.completion))
            order by x.quality_score desc, x.source_id limit 1)) y
        order by y.place limit 1) c
    cross join lateral (select a.user_id from public.coach_response_feedback a where a.id = c.source_id) u;
end
$$;

comment on function uplift.want_prompt_pairs(uuid, uuid) is
    'Adds to training_wanted the pairs of the prompts in training_prompts.';

create or replace function uplift.pair_by_prompt(p_pairs_id uuid, p_unpaired_id uuid,
    out added int, out changed int, out withdrawn int, out duplicates int)
language plpgsql volatile
as $$
declare
    v_written record;
begin
    -- What the answers of the unpaired set have now, where there are two sides to it.
    insert into training_prompts (prompt_hash)
    select w.prompt_hash from training_wanted w
    where w.dataset_id = p_unpaired_id and w.duplicate_of is null
        and exists (select from public.ai_training_examples e where e.prompt_hash = w.prompt_hash and not e.label)
        and exists (select from public.ai_training_examples e where e.prompt_hash = w.prompt_hash and e.label)
    on conflict do nothing;
    added := 0; changed := 0; withdrawn := 0; duplicates := 0;
    if not exists (select from training_prompts) then
        return;
    end if;
    delete from training_found;
    delete from training_wanted;
    perform uplift.find_prompt_pairs(p_pairs_id);
    perform uplift.want_prompt_pairs(p_pairs_id, p_unpaired_id);
    delete from uplift.training_duplicates d
    where d.dataset_id = p_pairs_id and d.rejected_id = any (array(
        select e.source_id from training_prompts p
        cross join lateral (
            select x.source_id from public.ai_training_examples x where x.prompt_hash = p.prompt_hash and not x.label offset 0) e));
    withdrawn := uplift.match_wanted_examples() + uplift.settle_exact_duplicates();
    select w.* into v_written from uplift.write_training_examples() w;
    added := v_written.added;
    changed := v_written.changed;
    withdrawn := withdrawn + v_written.withdrawn;
    duplicates := v_written.duplicates;
end
$$;

comment on function uplift.pair_by_prompt(uuid, uuid, out int, out int, out int, out int) is
    'Brings the pairs by prompt in step, of prompts whose answers have changed.';
