-- The functions, in the order they need each other; paths are relative to this file.
\ir basics.sql
\ir arguments.sql
\ir jobs/jobs.sql
\ir jobs/schedules.sql
\ir coach/coaches.sql
\ir coach/prompt.sql
\ir coach/personas.sql
\ir gateway/cache.sql
\ir gateway/prices.sql
\ir gateway/usage.sql
\ir gateway/budgets.sql
\ir gateway/errors.sql
\ir coach/chat.sql
\ir gateway/limits.sql
\ir coach/feedback.sql
\ir coach/answers.sql
\ir coach/conversations.sql
\ir coach/preferences.sql
\ir coach/rest.sql
\ir coach/memory.sql
\ir learning/redaction.sql
\ir learning/redaction_ids.sql
\ir learning/redaction_numbers.sql
\ir learning/redaction_secrets.sql
\ir learning/redaction_addresses.sql
\ir learning/redaction_names.sql
\ir learning/injection.sql
\ir learning/duplicates.sql
\ir learning/datasets.sql
\ir learning/queue.sql
\ir learning/turns.sql
\ir learning/examples.sql
\ir learning/pairs.sql
\ir learning/training.sql
\ir learning/curation.sql
\ir learning/export.sql
\ir learning/finetuning.sql
\ir learning/models.sql
\ir gateway/api_keys.sql
\ir gateway/routing.sql
\ir gateway/access.sql
\ir gateway/sync.sql

-- All that the programs may do. What is not named here is for the functions themselves and admins.
grant execute on function
    uplift.schema_version(),
    uplift.ready(),
    uplift.list_coaches(),
    uplift.list_personas(),
    uplift.prepare_chats(uuid[], text[], text[], numeric[], text[], uuid[], uuid[], text[], int[], jsonb[]),
    uplift.record_chats(uuid[], uuid[], uuid[], timestamptz[], text[], numeric[], text[], uuid[], text[], text[], text[], text[], text[],
        text[], text[], boolean[], text[], bigint[], bigint[], bigint[], boolean[], bigint[], bigint[], jsonb[], text[], jsonb[], jsonb[],
        text[]),
    uplift.record_answers(json),
    uplift.reject_answer(text, text),
    uplift.rejected_lately(),
    uplift.give_feedback(uuid, uuid, jsonb, boolean, timestamptz, uuid, text),
    uplift.take_feedback(uuid, uuid, jsonb, boolean, timestamptz, uuid, text, text),
    uplift.get_feedback(uuid, uuid, boolean),
    uplift.list_conversations(uuid, int, timestamptz),
    uplift.get_conversation(uuid, uuid),
    uplift.get_answer(uuid, uuid),
    uplift.delete_conversation(uuid, uuid),
    uplift.get_preferences(uuid),
    uplift.put_preferences(uuid, jsonb),
    uplift.rest_select_feedback(uuid, jsonb),
    uplift.rest_update_feedback(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text, text),
    uplift.worker_sync(jsonb),
    uplift.find_api_key(text)
to uplift_app;

-- And what fcgi-batch may do. It sees what all users said, so it has a role of its own.
grant execute on function
    uplift.schema_version(),
    uplift.submit_job(text, jsonb, text, text),
    uplift.claim_job(text, text, text[], bigint, uuid),
    uplift.beat_jobs(jsonb, bigint),
    uplift.save_job(uuid, bigint, jsonb, text),
    uplift.log_job(uuid, text),
    uplift.end_job(uuid, bigint, text, jsonb, jsonb, bigint, bigint, text, bigint),
    uplift.admin_get_job(uuid),
    uplift.admin_job_history(uuid, jsonb, text),
    uplift.admin_list_jobs(uuid, jsonb, text),
    uplift.admin_cancel_job(uuid, jsonb, text),
    uplift.admin_list_kinds(uuid, jsonb, text),
    uplift.admin_list_schedules(text, jsonb, text),
    uplift.admin_put_schedule(text, jsonb, text),
    uplift.admin_run_schedule(text, jsonb, text),
    uplift.generate_training_examples(int),
    uplift.generate_training_lane(int, int),
    uplift.admin_list_datasets(uuid, jsonb, text),
    uplift.admin_get_dataset(uuid, jsonb, text),
    uplift.admin_create_dataset(uuid, jsonb, text),
    uplift.admin_list_examples(uuid, jsonb, text),
    uplift.admin_get_example(uuid, jsonb, text),
    uplift.admin_validate_example(uuid, jsonb, text),
    uplift.admin_reject_example(uuid, jsonb, text),
    uplift.admin_edit_example(uuid, jsonb, text),
    uplift.admin_create_example(uuid, jsonb, text),
    uplift.admin_delete_example(uuid, jsonb, text),
    uplift.admin_create_version(uuid, jsonb, text),
    uplift.admin_list_versions(uuid, jsonb, text),
    uplift.admin_get_version(uuid, jsonb, text),
    uplift.admin_version_users(uuid, jsonb, text),
    uplift.admin_erase_user(uuid, jsonb, text),
    uplift.export_head(uuid, text, text, numeric),
    uplift.export_page(uuid, uuid, text, text, numeric, uuid, int),
    uplift.export_target(uuid, text),
    uplift.admin_create_finetuning(uuid, jsonb, text, text),
    uplift.admin_get_finetuning(uuid, jsonb, text),
    uplift.admin_list_finetuning(uuid, jsonb, text),
    uplift.admin_finetuning_events(uuid, jsonb, text),
    uplift.admin_cancel_finetuning(uuid, jsonb, text),
    uplift.begin_finetuning(uuid, jsonb, text),
    uplift.note_finetuning(uuid, jsonb),
    uplift.add_finetuning_events(uuid, jsonb),
    uplift.finish_finetuning(uuid, text, bigint, jsonb),
    uplift.note_base_model(text, date, text),
    uplift.models_to_check(),
    uplift.base_model_warnings(),
    uplift.admin_list_model_versions(uuid, jsonb, text),
    uplift.admin_get_model_version(uuid, jsonb, text),
    uplift.admin_deploy_model(uuid, jsonb, text),
    uplift.admin_rollback_model(uuid, jsonb, text),
    uplift.refresh_model_metrics(int),
    uplift.admin_list_rate_limits(uuid, jsonb, text),
    uplift.admin_put_rate_limit(uuid, jsonb, text),
    uplift.admin_delete_rate_limit(uuid, jsonb, text),
    uplift.find_api_key(text),
    uplift.admin_list_api_keys(uuid, jsonb, text),
    uplift.admin_get_api_key(uuid, jsonb, text),
    uplift.admin_create_api_key(uuid, jsonb, text),
    uplift.admin_edit_api_key(uuid, jsonb, text),
    uplift.admin_revoke_api_key(uuid, jsonb, text),
    uplift.admin_list_errors(uuid, jsonb, text),
    uplift.admin_get_error(text, jsonb, text),
    uplift.admin_resolve_error(text, jsonb, text),
    uplift.admin_reopen_error(text, jsonb, text),
    uplift.admin_list_prices(uuid, jsonb, text),
    uplift.admin_put_price(uuid, jsonb, text),
    uplift.admin_delete_price(uuid, jsonb, text),
    uplift.admin_list_budgets(uuid, jsonb, text),
    uplift.admin_get_budget(uuid, jsonb, text),
    uplift.admin_create_budget(uuid, jsonb, text),
    uplift.admin_edit_budget(uuid, jsonb, text),
    uplift.admin_delete_budget(uuid, jsonb, text),
    uplift.roll_up_usage(int),
    uplift.trim_spent(int),
    uplift.trim_cache(int),
    uplift.trim_errors(int),
    uplift.admin_stats(uuid, jsonb, text),
    uplift.admin_costs(uuid, jsonb, text),
    uplift.admin_list_providers(uuid, jsonb, text),
    uplift.admin_get_provider(text, jsonb, text),
    uplift.admin_put_provider(text, jsonb, text),
    uplift.admin_delete_provider(text, jsonb, text),
    uplift.admin_list_models(uuid, jsonb, text),
    uplift.admin_put_model(uuid, jsonb, text),
    uplift.admin_delete_model(uuid, jsonb, text),
    uplift.admin_list_model_rules(uuid, jsonb, text),
    uplift.admin_put_model_rule(uuid, jsonb, text),
    uplift.admin_delete_model_rule(uuid, jsonb, text)
to uplift_batch;
