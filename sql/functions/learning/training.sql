-- From feedback to training examples: turns.sql, examples.sql, duplicates.sql and pairs.sql have the parts.

create or replace function uplift.generate_training_chunk(p_limit int, p_lane int)
returns table (taken int, remaining bigint, added int, changed int, withdrawn int, duplicates int, failed int)
language plpgsql volatile
as $$
declare
    v_positive uuid := uplift.dataset_named('User Feedback - Positive Responses', 'conversation',
        'AI responses that users marked as helpful (thumbs up or 4 stars and more)');
    v_pairs uuid := uplift.dataset_named('User Feedback - Preference Pairs', 'preference',
        'Two answers to the same prompt, of which users liked one and not the other');
    v_unpaired uuid := uplift.dataset_named('User Feedback - Unpaired', 'unpaired',
        'AI responses that users liked or disliked, each with that as its label');
    v_answers uuid[];
    v_seen uuid[];
    v_dropped int;
    v_written record;
    v_paired record;
begin
    select t.answers, t.remaining into v_answers, remaining from uplift.take_training_queue(p_limit, p_lane) t;
    taken := cardinality(v_answers);
    added := 0; changed := 0; withdrawn := 0; duplicates := 0; failed := 0;
    if taken > 0 then
        delete from uplift.training_failures f where f.answer_id = any (v_answers);
        -- What takes time, and concerns the users of this lane alone.
        perform uplift.make_training_scratch();
        perform uplift.collect_training_turns(v_answers);
        perform uplift.read_training_texts();
        perform uplift.find_training_examples(v_answers, array[v_positive, v_pairs, v_unpaired]);
        perform uplift.want_conversations(v_positive);
        perform uplift.want_unpaired(v_unpaired);
        perform uplift.want_regenerations(v_pairs);

        -- What others made is looked at from here on, and must not change.
        perform pg_advisory_xact_lock(uplift.training_lock() + 3);
        delete from training_found;
        perform uplift.find_training_examples(v_answers, array[v_positive, v_pairs, v_unpaired]);
        perform uplift.want_edited(v_positive);
        insert into training_prompts (prompt_hash)
        select e.prompt_hash from training_found f join public.ai_training_examples e on e.id = f.example_id
        where f.dataset_id = v_unpaired and e.prompt_hash is not null on conflict do nothing;
        v_seen := array(select t.answer_id from training_turns t union select unnest(v_answers));
        -- Also pairs by prompt of which only the worse answer is looked at: they are made anew with those
        -- of its prompt, if it still has any.
        delete from uplift.training_duplicates d where d.answer_id = any (v_seen) or d.rejected_id = any (v_seen);
        withdrawn := uplift.match_wanted_examples();
        v_dropped := uplift.settle_exact_duplicates() + uplift.settle_near_duplicates(v_positive);
        select w.* into v_written from uplift.write_training_examples() w;
        select p.* into v_paired from uplift.pair_by_prompt(v_pairs, v_unpaired) p;
        added := v_written.added + v_paired.added;
        changed := v_written.changed + v_paired.changed;
        withdrawn := withdrawn + v_dropped + v_written.withdrawn + v_paired.withdrawn;
        duplicates := v_dropped + v_written.duplicates + v_paired.duplicates;
    end if;
    return next;
end
$$;

comment on function uplift.generate_training_chunk(int, int) is
    'Brings training examples in step with about p_limit answers of a lane of uplift.training_queue. remaining is about what is left in it, 0 for nothing.';

create or replace function uplift.generate_training_step(p_limit int, p_lane int)
returns table (taken int, remaining bigint, added int, changed int, withdrawn int, duplicates int, failed int)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    v_limit int := greatest(p_limit, 1);
    v_reason text;
    v_answers uuid[];
begin
    -- A chunk that cannot be done is done by halves, down to the answer that is at fault: that one is
    -- set aside, and the rest goes on.
    loop
        begin
            return query select c.* from uplift.generate_training_chunk(v_limit, p_lane) c;
            return;
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            v_reason := sqlerrm;
        end;
        exit when v_limit = 1;
        v_limit := v_limit / 2;
    end loop;
    select t.answers, t.remaining into v_answers, remaining from uplift.take_training_queue(1, p_lane) t;
    insert into uplift.training_failures as f (answer_id, reason)
    select a, left(v_reason, 500) from unnest(v_answers) a
    on conflict (answer_id) do update set reason = excluded.reason, failed_at = now();
    taken := 1; added := 0; changed := 0; withdrawn := 0; duplicates := 0; failed := 1;
    return next;
end
$$;

comment on function uplift.generate_training_step(int, int) is
    'As uplift.generate_training_chunk(), of fewer answers where one of them cannot be done; that one alone goes to uplift.training_failures (failed).';

create or replace function uplift_batch.generate_training_lane(p_limit int, p_lane int)
returns table (taken int, remaining bigint, added int, changed int, withdrawn int, duplicates int, failed int)
-- Estimates for scratch tables are high enough to set off compilation, which would take longer than
-- the work; and a chunk's texts are to be sorted in memory.
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set jit = off set work_mem = '64MB'
as $$
begin
    if p_lane not in (0, 1) then
        perform uplift.fail(400, 'invalid_lane', 'lane must be 0 or 1', 'lane');
    end if;
    perform pg_advisory_xact_lock_shared(uplift.training_lock());
    perform pg_advisory_xact_lock(uplift.training_lock() + 1 + p_lane);
    if p_lane = 0 then
        perform uplift.expand_training_queue();
    end if;
    return query select c.* from uplift.generate_training_step(p_limit, p_lane) c;
end
$$;

comment on function uplift_batch.generate_training_lane(int, int) is
    'As uplift_batch.generate_training_examples(), of one of the two lanes of the queue: both may be worked on at the same time, by two connections. Ends with a run of that function, for what was queued meanwhile.';

create or replace function uplift_batch.generate_training_examples(p_limit int)
returns table (taken int, remaining bigint, added int, changed int, withdrawn int, duplicates int, failed int)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set jit = off set work_mem = '64MB'
as $$
#variable_conflict use_column
begin
    -- Two at once would both find an example missing.
    perform pg_advisory_xact_lock(uplift.training_lock());
    perform uplift.expand_training_queue();
    return query
        select g.taken, g.remaining, g.added, g.changed, g.withdrawn, g.duplicates, g.failed
        from uplift.generate_training_step(p_limit,
            case when exists (select from uplift.training_queue q where q.lane = 0) then 0 else 1 end) g;
end
$$;

comment on function uplift_batch.generate_training_examples(int) is
    'Brings training examples in step with what is in uplift.training_queue, about p_limit answers of it: one chunk, in this transaction, one at a time. taken is 0 when there was nothing; remaining is about what is left. Run again with an empty queue it changes nothing.';

create or replace function public.generate_training_examples_from_feedback() returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_chunk record;
    v_added bigint := 0;
begin
    loop
        select g.taken, g.added into v_chunk from uplift_batch.generate_training_examples(5000) g;
        exit when v_chunk.taken = 0;
        v_added := v_added + v_chunk.added;
    end loop;
    raise notice '% training examples from feedback', v_added;
end
$$;

comment on function public.generate_training_examples_from_feedback() is
    'Brings the datasets "User Feedback - ..." in step with all feedback, in one transaction: what is liked comes in, what is no longer liked goes, each once, split by user. Run again it changes nothing. Quality is two for a star, 7 for a thumb alone. fcgi-batch run generate-training-data does the same in many short transactions.';
