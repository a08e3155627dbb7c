-- What the trial does (trial.sql), step by step: what programs and clients do, as the roles that do it.

-- command is run as role, with the user as $1; then verify, with the user as $1 and the first column of
-- what the command returned as $2: it gives null, or what is wrong.
create table uplift_install.trial_steps (
    id int generated always as identity,
    what text not null,
    role name not null,
    tables text[] not null,
    command text not null,
    verify text
);

create function uplift_install.trial_id(p_number int) returns uuid
language sql as $$
    select format('7e57ab1e-0000-7000-8000-%s', lpad(p_number::text, 12, '0'))::uuid
$$;

-- Text that no compression makes short.
create function uplift_install.noise(p_words int) returns text
language sql as $$
    select string_agg(md5(i::text), ' ' order by i) from generate_series(1, p_words) i
$$;

-- Which members of an answer are not stored as they were given; null for none.
create function uplift_install.difference(p_answer jsonb) returns text
language plpgsql as $$
declare
    v_row jsonb;
    v_others text;
begin
    select to_jsonb(a) into v_row from public.coach_response_feedback a where a.id = (p_answer ->> 'id')::uuid;
    if not found then
        return 'it was not stored';
    end if;
    -- And what nobody said of it is not there.
    select string_agg(g.key, ', ' order by g.key) into v_others
    from jsonb_each(jsonb_build_object('helpful', null, 'rating', null, 'feedback_text', null) || p_answer) g
    where v_row ? g.key and v_row -> g.key is distinct from g.value;
    return v_others || ' was stored otherwise than given';
end
$$;

-- An answer for the trial to record; p_more adds to what most have, null takes away.
create function uplift_install.try_answer(p_what text, p_number int, p_more jsonb, p_tables text[] default '{public.coach_response_feedback}')
returns void
language plpgsql as $$
declare
    v_answer jsonb := jsonb_build_object('id', uplift_install.trial_id(p_number),
        'conversation_id', uplift_install.trial_id(100),
        'coach_id', (select c.id from uplift.coaches c order by c.is_default desc, c.created_at limit 1),
        'user_message', format('How do I learn to cook soup number %s? ☕', p_number),
        'ai_response', format('Begin with onions, and taste as you go; the recipe on page %s is a good one.', p_number),
        'system_prompt', 'You are a coach.', 'severity', 3.5, 'mode', 'default', 'response_time_ms', 1200,
        'time_to_first_token_ms', 300, 'prompt_tokens', 50, 'completion_tokens', 20, 'cached_tokens', 0, 'tokens_used', 70,
        'usage_estimated', false, 'created_at', now() + p_number * interval '1 millisecond', 'outcome', 'complete',
        'model_used', 'gpt-4.1-mini', 'provider', 'api.openai.com', 'protocol', 'chat', 'streamed', true,
        'finish_reason', 'stop', 'attempts', '[{"model": "gpt-4.1-mini", "provider": "api.openai.com", "http_status": 200}]'::jsonb,
        'request_id', format('trial-%s', p_number)) || p_more;
begin
    insert into uplift_install.trial_steps (what, role, tables, command, verify) values (p_what, 'uplift_app', p_tables,
        format('select count(*) from uplift_chat.record_answers(json_build_array(%L::jsonb || jsonb_build_object(''user_id'', $1)))',
            jsonb_strip_nulls(v_answer)),
        format('select uplift_install.difference(%L::jsonb || jsonb_build_object(''user_id'', $1))', jsonb_strip_nulls(v_answer)));
end
$$;

create function uplift_install.try_step(p_what text, p_role name, p_table text, p_command text, p_verify text default null) returns void
language sql as $$
    insert into uplift_install.trial_steps (what, role, tables, command, verify)
    values (p_what, p_role, array[p_table], p_command, p_verify)
$$;

do $$
declare
    v_first uuid := uplift_install.trial_id(1);
    v_third uuid := uplift_install.trial_id(3);
    v_talk uuid := uplift_install.trial_id(100);
    v_job uuid := uplift_install.trial_id(200);
    v_answers constant text := 'public.coach_response_feedback';
    v_feedback constant text := 'select case when (a.helpful, a.rating, a.feedback_text) is distinct from (%L::boolean, %L::int, %L::text)
        then ''it was stored otherwise than given'' end from public.coach_response_feedback a where a.id = %L';
begin
    perform uplift_install.try_step('preferences', 'uplift_app', 'public.user_coach_preferences',
        $q$select uplift_chat.put_preferences($1, '{"training_consent": true, "severity": 3.5, "mode": "default"}')$q$,
        $q$select case when not exists (select from public.user_coach_preferences p where p.user_id = $1 and p.training_consent
            and p.severity = 3.5 and p.active_coach_mode = 'default') then 'they were stored otherwise than given' end$q$);
    perform uplift_install.try_step('a chat', 'uplift_app', v_answers,
        $q$select p.messages from uplift_chat.prepare_chats(array[$1], '{chat}', '{null}', '{null}', '{null}', '{null}', '{null}',
            '{Hello}', '{4000}', '{null}') p$q$,
        $q$select case when $2 is null then 'it is refused' end$q$);

    perform uplift_install.try_answer('an answer', 1, jsonb_build_object('cache_key', 'trial', 'cache_ttl_s', 3600),
        array[v_answers, 'public.ai_response_cache']);
    perform uplift_install.try_answer('a second answer of a conversation', 2, '{"user_message": "I want to run ten miles."}');
    -- Of before that one, which would go with the first otherwise.
    perform uplift_install.try_answer('an answer given anew', 3, jsonb_build_object('regenerate_of', v_first, 'created_at', now() + interval '1500 microseconds',
        'user_message', 'How do I learn to cook soup number 1? ☕', 'ai_response', 'Buy a good pot first, and read about stock.'));
    perform uplift_install.try_answer('an answer that failed', 4, '{"ai_response": "", "outcome": "failed",
        "error_code": "upstream_timeout", "model_used": null, "finish_reason": null, "time_to_first_token_ms": null,
        "prompt_tokens": null, "completion_tokens": null, "tokens_used": null, "cached_tokens": null, "usage_estimated": null,
        "attempts": [{"model": "gpt-4.1-mini", "provider": "api.openai.com", "http_status": 0, "reason": "timeout_idle"}]}',
        array[v_answers, 'public.ai_errors']);
    perform uplift_install.try_answer('an answer that was cut', 5, '{"outcome": "partial", "finish_reason": "length"}');
    perform uplift_install.try_answer('an answer without a conversation and a coach', 6, '{"conversation_id": null, "coach_id": null,
        "severity": null, "mode": null, "system_prompt": null, "protocol": "completions", "streamed": false,
        "request_messages": {"messages": [{"role": "system", "content": "Be brief."}]},
        "response_message": {"role": "assistant", "content": "Hello", "tool_calls": []}}');
    perform uplift_install.try_answer('an answer in roast mode', 7, '{"mode": "roast", "severity": 6.0}');
    perform uplift_install.try_answer('an answer from the cache', 8, jsonb_build_object('from_cache', true, 'cache_source_id', v_first));
    perform uplift_install.try_answer('an answer made without Postgres', 9, '{"degraded": true, "system_prompt": null}');
    perform uplift_install.try_answer('a very long answer', 10, jsonb_build_object(
        'conversation_id', uplift_install.trial_id(101), 'user_message', uplift_install.noise(7900),
        'ai_response', uplift_install.noise(31000), 'response_time_ms', 3600000, 'prompt_tokens', 1000000,
        'completion_tokens', 1000000, 'tokens_used', 2000000));

    perform uplift_install.try_step('a chat that goes on', 'uplift_app', v_answers, format(
        $q$select p.messages from uplift_chat.prepare_chats(array[$1], '{chat}', '{null}', '{null}', '{null}', array[%L::uuid], '{null}',
            '{Hello}', '{4000}', '{null}') p$q$, v_talk),
        $q$select case when ($2 ~ 'ten miles') is not true then 'what was said before is not seen' end$q$);
    perform uplift_install.try_step('feedback', 'uplift_app', v_answers, format(
        $q$select pending from uplift_chat.give_feedback($1, %L, '{"helpful": true, "rating": 5, "feedback_text": "Good soup"}', true)$q$, v_first),
        format(v_feedback, true, 5, 'Good soup', v_first));
    perform uplift_install.try_step('feedback through supabase-js', 'authenticated', v_answers, format(
        $q$with changed as (update public.coach_response_feedback set helpful = false, rating = 1, feedback_text = 'No'
            where id = %L returning 1) select count(*) from changed$q$, v_third),
        format(v_feedback, false, 1, 'No', v_third));
    perform uplift_install.try_step('feedback through /rest/v1', 'uplift_app', v_answers, format(
        $q$select u.rows from uplift_chat.rest_update_feedback($1, %L, '{}', '{"helpful": false, "rating": 2, "feedback_text": "Not at all"}',
            true, statement_timestamp(), gen_random_uuid(), null, null) u$q$, v_third),
        format(v_feedback, false, 2, 'Not at all', v_third));
    perform uplift_install.try_step('feedback that is taken back', 'uplift_app', v_answers, format(
        $q$select pending from uplift_chat.give_feedback($1, %L, '{"rating": null}', true)$q$, v_third),
        format(v_feedback, false, null, 'Not at all', v_third));
    perform uplift_install.try_step('a user''s reading of own answers', 'authenticated', v_answers, format(
        $q$select count(*) from public.coach_response_feedback where id = %L$q$, v_first),
        $q$select case when $2 <> '1' then 'they are not seen' end$q$);
    perform uplift_install.try_step('the reading of a conversation', 'uplift_app', v_answers, format(
        $q$select uplift_chat.get_conversation($1, %L)$q$, v_talk),
        $q$select case when $2 !~ 'ten miles' then 'what was said is not seen' end$q$);

    -- As the owner, as whom the batch program's function runs: that one sets aside what cannot be done.
    perform uplift_install.try_step('the making of training examples', current_user, 'public.ai_training_examples',
        $q$select c.taken from uplift.generate_training_chunk(1000, uplift.training_lane($1)) c$q$, format(
        $q$select case when not exists (select from public.ai_training_examples e where e.source_id = %L)
            then 'a liked answer became none' end$q$, v_first));
    perform uplift_install.try_step('the export of training examples', current_user, 'public.ai_training_examples',
        $q$select count(x.training_data) from public.ai_training_datasets d
            cross join lateral public.export_training_dataset_openai_format(d.id) x
            where d.dataset_name = 'User Feedback - Positive Responses'$q$);
    perform uplift_install.try_step('the making of memories', current_user, 'public.ai_episodic_memory', format(
        $q$select public.extract_user_memories($1, %L)$q$, v_talk),
        $q$select case when public.get_user_memory_context($1) = '' or not exists (
            select from public.ai_episodic_memory m join uplift.memory_words w on w.memory_id = m.id
            where m.user_id = $1 and m.memory_text ~ 'ten miles') then 'one is not seen' end$q$);
    perform uplift_install.try_step('finding what was said', 'uplift_app', 'public.coach_response_feedback', format(
        $q$select uplift_chat.index_answers('{%s}')$q$, uplift_install.trial_id(2)));
    perform uplift_install.try_step('a fine-tuning job', current_user, 'public.ai_finetuning_jobs', format(
        $q$insert into public.ai_finetuning_jobs (id, job_name, base_model, provider, method, status)
            values (%L, 'trial', 'gpt-4.1-mini', 'openai', 'supervised', 'running') returning id$q$, v_job));
    perform uplift_install.try_step('the progress of a fine-tuning job', 'uplift_batch', 'public.ai_finetuning_jobs', format(
        $q$select uplift_batch.note_finetuning(%L, '{"progress": 50, "external_status": "running"}')$q$, v_job));
    perform uplift_install.try_step('a model version', 'uplift_batch', 'public.ai_model_versions', format(
        $q$select uplift_batch.finish_finetuning(%L, 'ft:trial', 1000000, '{"loss": 0.5}')$q$, v_job),
        $q$select case when not exists (select from public.ai_model_versions v where v.id::text = $2) then 'it was not stored' end$q$);
    perform uplift_install.try_step('the deletion of a conversation', 'uplift_app', v_answers, format(
        $q$select uplift_chat.delete_conversation($1, %L)$q$, v_talk));
    perform uplift_install.try_step('what workers ask for', 'uplift_app', v_answers,
        $q$select uplift_chat.worker_sync('{"gauges": true}')$q$);
end
$$;
