-- The arrows between tables, for tables this run made: on tables that were there already, rows may
-- point nowhere, and their own keys stay as they are.
do $$
declare
    v_key record;
begin
    for v_key in
        select k.*, t.target_schema
        from (values
            ('public', 'coach_response_feedback', 'user_id', 'auth.users', ''),
            ('public', 'ai_training_examples', 'dataset_id', 'public.ai_training_datasets', 'on delete cascade'),
            ('public', 'ai_finetuning_jobs', 'dataset_id', 'public.ai_training_datasets', ''),
            ('public', 'ai_model_versions', 'finetuning_job_id', 'public.ai_finetuning_jobs', ''),
            ('public', 'ai_model_versions', 'previous_version_id', 'public.ai_model_versions', ''),
            ('public', 'ai_context_cache', 'user_id', 'auth.users', 'on delete cascade'),
            ('public', 'ai_episodic_memory', 'user_id', 'auth.users', 'on delete cascade'),
            ('public', 'ai_episodic_memory', 'superseded_by', 'public.ai_episodic_memory', 'on delete set null'),
            ('public', 'ai_predictions', 'user_id', 'auth.users', 'on delete cascade'),
            ('public', 'ai_errors', 'user_id', 'auth.users', 'on delete set null'),
            ('public', 'food_photo_training_data', 'user_id', 'auth.users', 'on delete cascade'),
            ('public', 'experiment_assignments', 'experiment_id', 'public.ai_experiments', 'on delete cascade'),
            ('public', 'experiment_assignments', 'user_id', 'auth.users', 'on delete cascade'),
            ('public', 'experiment_outcomes', 'experiment_id', 'public.ai_experiments', 'on delete cascade'),
            ('public', 'experiment_outcomes', 'user_id', 'auth.users', 'on delete cascade'),
            ('public', 'ai_knowledge_sources', 'deprecated_by', 'public.ai_knowledge_sources', 'on delete set null'),
            ('public', 'user_coach_preferences', 'user_id', 'auth.users', 'on delete cascade'),
            ('public', 'user_traits', 'user_id', 'auth.users', 'on delete cascade'),
            ('public', 'ai_finetuning_jobs', 'dataset_version_id', 'uplift.dataset_versions', ''),
            ('public', 'ai_model_versions', 'dataset_version_id', 'uplift.dataset_versions', ''),
            ('uplift', 'finetuning_events', 'finetuning_job_id', 'public.ai_finetuning_jobs', 'on delete cascade'),
            ('uplift', 'model_deployments', 'model_version_id', 'public.ai_model_versions', ''),
            ('uplift', 'batch_job_events', 'job_id', 'uplift.batch_jobs', 'on delete cascade'),
            ('uplift', 'dataset_versions', 'dataset_id', 'public.ai_training_datasets', 'on delete cascade'),
            ('uplift', 'dataset_version_examples', 'version_id', 'uplift.dataset_versions', 'on delete cascade'),
            ('uplift', 'dataset_version_cells', 'version_id', 'uplift.dataset_versions', 'on delete cascade'),
            ('uplift', 'dataset_cells', 'dataset_id', 'public.ai_training_datasets', 'on delete cascade'),
            ('uplift', 'dataset_tags', 'dataset_id', 'public.ai_training_datasets', 'on delete cascade'),
            ('uplift', 'api_keys', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'budgets_used_up', 'budget_id', 'uplift.budgets', 'on delete cascade'),
            ('uplift', 'budget_spend', 'budget_id', 'uplift.budgets', 'on delete cascade'),
            ('uplift', 'model_routes', 'model', 'uplift.gateway_models (name)', 'on delete cascade'),
            ('uplift', 'conversations', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'forgotten_memories', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'passages', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'conversation_summaries', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'conversation_summaries', 'conversation_id', 'uplift.conversations', 'on delete cascade'),
            ('uplift', 'knowledge_embeddings', 'text_id', 'uplift.search_texts', 'on delete cascade'),
            ('uplift', 'experiment_users', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'embedding_refusals', 'text_id', 'uplift.search_texts', 'on delete cascade'),
            ('uplift', 'thumb_weights', 'version', 'uplift.thumb_model (version)', 'on delete cascade'),
            ('uplift', 'playbook_evidence', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'playbook_users', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'playbook_evidence', 'guideline_id', 'uplift.playbook_guidelines', 'on delete cascade'),
            ('uplift', 'playbook_comments', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'playbook_guidelines', 'merged_into', 'uplift.playbook_guidelines', 'on delete set null'),
            ('uplift', 'admin_log_users', 'log_id', 'uplift.admin_log', 'on delete cascade'),
            ('uplift', 'feedback_to_read', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'photos_taken', 'user_id', 'auth.users', 'on delete cascade'),
            ('uplift', 'food_photos', 'id', 'public.food_photo_training_data', 'on delete cascade')
        ) as k(schema_name, table_name, column_name, refers_to, on_delete)
        join uplift_install.tables t
            on t.target_schema = k.schema_name and t.target_name = k.table_name and t.existing is null
    loop
        execute format('alter table %I.%I add foreign key (%I) references %s %s',
            v_key.schema_name, v_key.table_name, v_key.column_name,
            v_key.refers_to || case when v_key.refers_to like '%(%' then '' else ' (id)' end, v_key.on_delete);
    end loop;
end
$$;
