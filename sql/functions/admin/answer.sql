-- One answer with all that shaped it and came of it; and what admins say of it for training.

create or replace function uplift.found_answer(p_id uuid) returns public.coach_response_feedback
language plpgsql stable
as $$
declare
    v_answer public.coach_response_feedback;
begin
    select a.* into v_answer from public.coach_response_feedback a where a.id = p_id;
    if not found then
        perform uplift.fail(404, 'answer_not_found', 'there is no such answer; it may have been erased, or be older than what is kept');
    end if;
    return v_answer;
end
$$;

comment on function uplift.found_answer(uuid) is 'An answer. UP404 answer_not_found.';

create or replace function uplift.answer_context_json(a public.coach_response_feedback) returns jsonb
language sql stable
as $$
    -- What is gone since has its id alone.
    select jsonb_build_object(
        'memories', (select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'text', m.memory_text, 'type', m.memory_type, 'source', m.source,
                'is_active', m.is_active) order by i.n), '[]')
            from unnest(a.memory_ids) with ordinality i(id, n) left join public.ai_episodic_memory m on m.id = i.id),
        'passages', (select coalesce(jsonb_agg(jsonb_build_object('answer_id', i.id, 'conversation_id', p.conversation_id, 'said_at', p.created_at,
                'user_message', uplift.excerpt(p.user_message, null, 500), 'ai_response', uplift.excerpt(p.ai_response, null, 500)) order by i.n), '[]')
            from unnest(a.passage_ids) with ordinality i(id, n) left join public.coach_response_feedback p on p.id = i.id),
        'sources', (select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'title', coalesce(k.title, k.source_name), 'url', k.source_url,
                'is_active', k.is_active) order by i.n), '[]')
            from unnest(a.source_ids) with ordinality i(id, n) left join public.ai_knowledge_sources k on k.id = i.id),
        'citations', coalesce(a.citations, '[]'),
        'examples', (select coalesce(jsonb_agg(jsonb_build_object('answer_id', i.id, 'question', f.gist, 'text', t.body) order by i.n), '[]')
            from unnest(a.example_ids) with ordinality i(id, n)
            left join uplift.few_shot_examples f on f.answer_id = i.id left join uplift.search_texts t on t.id = f.text_id),
        'photo', (select jsonb_build_object('id', a.photo_id, 'said', uplift.meal_text(d))
            from (select) one left join public.food_photo_training_data d on d.id = a.photo_id where a.photo_id is not null),
        'withheld', coalesce(to_jsonb(a.withheld), '[]'),
        'exposures', (select coalesce(jsonb_agg(x.value || jsonb_build_object('status', e.status) order by x.ordinality), '[]')
            from jsonb_array_elements(case jsonb_typeof(a.exposures) when 'array' then a.exposures else '[]' end) with ordinality x
            left join public.ai_experiments e on e.id::text = x.value ->> 'experiment_id'))
$$;

comment on function uplift.answer_context_json(public.coach_response_feedback) is 'What shaped an answer: memories, passages, sources, examples, the photo that was shown, experiments, each as it is now.';

create or replace function uplift.answer_training_json(a public.coach_response_feedback) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'review', r.review, 'note', r.note, 'reviewed_by', r.reviewed_by, 'reviewed_at', r.reviewed_at,
        'may_train', uplift.may_train(a.user_id),
        -- The queue is not in an order to look it up there.
        'is_waiting', coalesce(r.reviewed_at >= (
            select j.started_at from uplift.batch_jobs j
            where j.name = 'generate-training-data' and j.status = 'succeeded' order by j.id desc limit 1), r.reviewed_at is not null),
        'failure', (select f.reason from uplift.training_failures f where f.answer_id = a.id),
        'examples', (
            select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'dataset_id', e.dataset_id, 'dataset', d.dataset_name, 'split', e.split,
                'quality_score', e.quality_score, 'is_in_set', uplift.is_in_set(e.withdrawn_at, e.is_validated, e.review), 'review', e.review) order by d.dataset_name, e.id), '[]')
            from (select distinct s.example_id from uplift.training_example_sources s where s.answer_id = a.id) x
            join public.ai_training_examples e on e.id = x.example_id join public.ai_training_datasets d on d.id = e.dataset_id))
    from (select) one left join uplift.answer_reviews r on r.answer_id = a.id
$$;

comment on function uplift.answer_training_json(public.coach_response_feedback) is
    'What becomes of an answer in training: what an admin said of it, whether its user lets it (may_train), the examples made from it, and whether job generate-training-data is still to look at it.';

create or replace function uplift_batch.admin_get_answer(p_id uuid, p_arguments jsonb, p_who text, p_log uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    a public.coach_response_feedback := uplift.found_answer(p_id);
    v_prompt record;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select p.system_prompt, p.prompt_version_id into v_prompt from uplift.answer_prompts p where p.answer_id = p_id;
    -- Examples are other users' answers; where one is none any more, the prompt still has it.
    perform uplift.note_shown(p_log, array(
        select e.user_id from unnest(a.example_ids) i(id) join public.coach_response_feedback e on e.id = i.id and e.user_id <> a.user_id));
    return uplift.answer_summary(a, null) || uplift.answer_context_json(a) || jsonb_build_object(
        'user_message', a.user_message, 'ai_response', a.ai_response, 'feedback_text', a.feedback_text, 'feedback_given_at', a.feedback_given_at,
        'response_message', a.response_message, 'request_messages', a.request_messages, 'system_prompt', v_prompt.system_prompt,
        'prompt_version_id', v_prompt.prompt_version_id, 'history_turns', a.history_turns, 'protocol', a.protocol, 'streamed', a.streamed,
        'finish_reason', a.finish_reason, 'request_id', a.request_id, 'degraded', coalesce(a.degraded, false),
        'attempts', coalesce(a.attempts, '[]'), 'time_to_first_token_ms', a.time_to_first_token_ms,
        'prompt_tokens', a.prompt_tokens, 'cached_tokens', a.cached_tokens, 'completion_tokens', a.completion_tokens,
        'usage_estimated', coalesce(a.usage_estimated, false), 'saved_usd', a.saved_usd,
        'cache_source_id', coalesce(a.cache_source_id, (select s.source_answer_id from uplift.cache_sources s where s.answer_id = a.id)),
        'model_version', (select jsonb_build_object('id', v.id, 'model_name', v.model_name, 'version', v.version)
            from public.ai_model_versions v where v.model_id = a.model_used order by v.id desc limit 1),
        'regenerate_of', a.regenerate_of, 'replaced_by', (
            select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'created_at', r.created_at, 'helpful', r.helpful) order by r.created_at, r.id), '[]')
            from public.coach_response_feedback r where r.regenerate_of = a.id and r.user_id = a.user_id),
        'feedback', (
            select coalesce(jsonb_agg(jsonb_build_object('at', e.given_at, 'changes', e.changes, 'source', e.source) order by e.id), '[]')
            from (select x.* from uplift.feedback_events x where x.answer_id = a.id and x.user_id = a.user_id order by x.id desc limit 100) e),
        'prediction', (select jsonb_build_object('confidence', p.confidence_score, 'model_version', p.model_version, 'was_right', p.prediction_accuracy)
            from public.ai_predictions p where p.id = a.id),
        'training', uplift.answer_training_json(a));
end
$$;

comment on function uplift_batch.admin_get_answer(uuid, jsonb, text, uuid) is
    'An answer with its prompt as it was sent, what shaped it, its attempts, cost, feedback with its history (the last hundred), what it replaced and was replaced by, and what becomes of it in training. Whose answers were its examples is noted for p_log. UP404 answer_not_found.';

create or replace function uplift.review_answer(p_id uuid, p_review text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile
as $$
declare
    a public.coach_response_feedback := uplift.found_answer(p_id);
begin
    perform uplift.check_arguments(p_arguments, case when p_review is null then '{}' else '{note}' end::text[]);
    -- An erasure waits for this, and takes it along.
    perform pg_advisory_xact_lock_shared(uplift.erasure_lock(a.user_id));
    -- As it is now, and stays until this is committed. Who is about to make an example of it comes before this, or sees it.
    perform from public.coach_response_feedback x where x.id = p_id for share;
    a := uplift.found_answer(p_id);
    perform pg_advisory_xact_lock(uplift.few_shot_lock(a.user_id));
    if p_review = 'marked' and not uplift.may_train(a.user_id) then
        perform uplift.fail(409, 'no_training_consent', 'its user has not agreed that answers may train models; only they can');
    elsif p_review = 'marked' and not (uplift.is_whole_answer(a.outcome, a.finish_reason, a.response_message) and a.error_code is null
            and a.from_cache is not true and a.user_message ~ '\S' and a.ai_response ~ '\S') then
        perform uplift.fail(409, 'not_trainable', 'a model learns from whole answers of text that were made afresh, and this is none: it was cut, failed, calls tools, or came from the cache');
    end if;
    if p_review is null then
        delete from uplift.answer_reviews r where r.answer_id = p_id;
    else
        insert into uplift.answer_reviews as r (answer_id, review, note, reviewed_by)
        values (p_id, p_review, uplift.text_argument(p_arguments, 'note', 2000), p_who)
        on conflict (answer_id) do update set review = excluded.review, note = excluded.note, reviewed_by = excluded.reviewed_by, reviewed_at = now();
    end if;
    insert into uplift.training_queue (answer_id, lane) values (p_id, uplift.training_lane(a.user_id));
    if p_review = 'rejected' then
        perform uplift.drop_few_shot(p_id);
    else
        perform uplift.offer_few_shot(a);
        -- What was forgotten of its comment is read again.
        insert into uplift.playbook_users (user_id) select u.id from auth.users u where u.id = a.user_id and a.feedback_text <> '' on conflict do nothing;
    end if;
    return jsonb_build_object('object', 'answer_review', 'answer_id', p_id, 'training', uplift.answer_training_json(a));
end
$$;

comment on function uplift.review_answer(uuid, text, jsonb, text) is
    'Notes what an admin says of an answer for training (marked, rejected; null takes it back), and has its examples brought in step: one for prompts at once. UP404 answer_not_found; UP409 no_training_consent, not_trainable.';

create or replace function uplift_batch.admin_mark_answer(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$ select uplift.review_answer(p_id, 'marked', p_arguments, p_who) $$;

comment on function uplift_batch.admin_mark_answer(uuid, jsonb, text) is
    'An answer is one to learn from, whatever its feedback says (note): the next run of generate-training-data makes an example of it, while its user lets answers train models. UP400 invalid_note; UP404 answer_not_found; UP409 no_training_consent, not_trainable.';

create or replace function uplift_batch.admin_reject_answer(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$ select uplift.review_answer(p_id, 'rejected', p_arguments, p_who) $$;

comment on function uplift_batch.admin_reject_answer(uuid, jsonb, text) is
    'Nothing is to be learnt from an answer, neither for nor against it, whatever its feedback says (note): it is no example in prompts any more, and the next runs of generate-training-data and write-playbooks withdraw what was made of it. UP400 invalid_note; UP404 answer_not_found.';

create or replace function uplift_batch.admin_unreview_answer(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$ select uplift.review_answer(p_id, null, p_arguments, p_who) $$;

comment on function uplift_batch.admin_unreview_answer(uuid, jsonb, text) is
    'Takes back what an admin said of an answer: its feedback alone counts again. UP404 answer_not_found.';
