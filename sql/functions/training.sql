-- From feedback to training examples: deployments' functions, mended.

create or replace function uplift.training_split(p_user_id uuid) returns text
language sql immutable parallel safe
as $$
    -- md5 and not hashtext(), whose values may change with Postgres's version.
    select case
        when s.share < 80 then 'train'
        when s.share < 90 then 'validation'
        else 'test' end
    from (select ('x' || left(md5(p_user_id::text), 8))::bit(32)::bigint % 100 as share) s
$$;

comment on function uplift.training_split(uuid) is
    'train (80 of 100 users), validation (10) or test (10); always the same for a user, so that nobody is on two sides.';

-- A thumb down wins over stars, and stars over a thumb up.
create or replace function uplift.is_liked(p_helpful boolean, p_rating int) returns boolean
language sql immutable parallel safe
as $$
    select p_helpful is not false and (p_rating >= 4 or p_rating is null and p_helpful is true)
$$;

comment on function uplift.is_liked(boolean, int) is
    'Whether feedback speaks for an answer: 4 stars or more, or a thumb up without stars, and no thumb down.';

create or replace function public.generate_training_examples_from_feedback() returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_name constant text := 'User Feedback - Positive Responses';
    v_dataset_id uuid;
    v_count int;
begin
    -- Two runs at once would both find an example missing.
    perform pg_advisory_xact_lock(hashtextextended('uplift training examples', 0));

    select d.id into v_dataset_id from public.ai_training_datasets d where d.dataset_name = v_name;
    if not found then
        insert into public.ai_training_datasets (dataset_name, description, model_target, dataset_type, status)
        values (v_name, 'AI responses that users marked as helpful (thumbs up or 4 stars and more)', 'gpt-4o-mini',
            'conversation', 'collecting')
        returning id into v_dataset_id;
    end if;

    -- What should be in the set. A person who said no to training is not.
    with liked as materialized (
        select a.id, uplift.training_split(a.user_id) as split,
            case when coalesce(a.system_prompt, '') <> ''
                then jsonb_build_array(jsonb_build_object('role', 'system', 'content', a.system_prompt)) else '[]' end
            || jsonb_build_array(
                jsonb_build_object('role', 'user', 'content', a.user_message),
                jsonb_build_object('role', 'assistant', 'content', a.ai_response)) as messages,
            coalesce(a.rating * 2, 7.0) as quality
        from public.coach_response_feedback a
        left join public.user_coach_preferences p on p.user_id = a.user_id
        where (a.helpful or a.rating >= 4) and uplift.is_liked(a.helpful, a.rating)
            and coalesce(a.outcome, 'complete') = 'complete' and a.user_message <> '' and a.ai_response <> ''
            and p.training_consent is not false
    ), withdrawn as (
        delete from public.ai_training_examples e
        where e.dataset_id = v_dataset_id and e.source_type = 'user_conversation' and e.source_id is not null
            and (not exists (select from liked l where l.id = e.source_id)
                -- Earlier runs of the sketch took an answer in more than once.
                or exists (select from public.ai_training_examples o
                    where o.dataset_id = v_dataset_id and o.source_id = e.source_id
                        and (o.created_at, o.id) < (e.created_at, e.id)))
    ), changed as (
        update public.ai_training_examples e
        set messages = l.messages, quality_score = l.quality, split = l.split, user_satisfaction = 1.0, is_validated = true
        from liked l
        where e.dataset_id = v_dataset_id and e.source_id = l.id and e.source_type = 'user_conversation'
            and (e.messages, e.quality_score, e.split, e.is_validated)
                is distinct from (l.messages, l.quality, l.split, true)
            and not exists (select from public.ai_training_examples o
                where o.dataset_id = v_dataset_id and o.source_id = e.source_id
                    and (o.created_at, o.id) < (e.created_at, e.id))
    )
    insert into public.ai_training_examples (dataset_id, messages, quality_score, user_satisfaction, is_validated,
        source_type, source_id, conversation_turns, split)
    select v_dataset_id, l.messages, l.quality, 1.0, true, 'user_conversation', l.id, 1, l.split
    from liked l
    where not exists (select from public.ai_training_examples e where e.dataset_id = v_dataset_id and e.source_id = l.id);

    update public.ai_training_datasets d set
        total_examples = s.total, train_examples = s.train, validation_examples = s.validation, test_examples = s.test,
        average_quality_score = s.quality, contains_user_feedback = true
    from (
        select count(*) as total,
            count(*) filter (where e.split = 'train') as train,
            count(*) filter (where e.split = 'validation') as validation,
            count(*) filter (where e.split = 'test') as test,
            round(avg(e.quality_score), 2) as quality
        from public.ai_training_examples e where e.dataset_id = v_dataset_id) s
    where d.id = v_dataset_id
    returning d.total_examples into v_count;
    raise notice '% training examples from positive feedback', v_count;
end
$$;

comment on function public.generate_training_examples_from_feedback() is
    'Brings the dataset "User Feedback - Positive Responses" in step with feedback: liked answers in, those no longer liked out, each once, split by user. Run again it changes nothing. Quality is two for a star, 7 for a thumb alone.';
