-- The functions, in the order they need each other; paths are relative to this file.
create schema if not exists uplift_chat;
comment on schema uplift_chat is 'What fcgi-chat calls, as role uplift_app. Its functions see what concerns the user they are asked for.';
create schema if not exists uplift_batch;
comment on schema uplift_batch is
    'What fcgi-batch calls, as role uplift_batch: jobs, and what admins do. It sees what all users said, so it has a role of its own.';
create schema if not exists uplift_search;
comment on schema uplift_search is
    'What the builder of copies for searching calls, as role uplift_search: it reads the texts that are searched, and nothing else.';

\ir basics.sql
\ir arguments.sql
\ir jobs/jobs.sql
\ir jobs/schedules.sql
\ir coach/search_words.sql
\ir coach/search.sql
\ir coach/demotions.sql
\ir coach/embeddings.sql
\ir coach/coaches.sql
\ir coach/prompt.sql
\ir coach/variants.sql
\ir coach/personas.sql
\ir coach/coaches_admin.sql
\ir gateway/cache.sql
\ir gateway/prices.sql
\ir gateway/usage.sql
\ir gateway/budgets.sql
\ir gateway/errors.sql
\ir coach/citations.sql
\ir coach/knowledge_search.sql
\ir coach/knowledge_use.sql
\ir coach/versions.sql
\ir coach/chat.sql
\ir gateway/limits.sql
\ir privacy/personal_data.sql
\ir privacy/late.sql
\ir coach/feedback.sql
\ir coach/answers.sql
\ir coach/conversations.sql
\ir coach/preferences.sql
\ir coach/rest.sql
\ir coach/memory_rules.sql
\ir coach/memory.sql
\ir coach/wishes.sql
\ir coach/recall.sql
\ir coach/conversation_search.sql
\ir coach/rest_memories.sql
\ir coach/effects.sql
\ir gateway/usage_daily.sql
\ir coach/eval_memory.sql
\ir coach/context.sql
\ir coach/memory_model.sql
\ir coach/summaries.sql
\ir coach/chunks.sql
\ir coach/knowledge.sql
\ir learning/redaction.sql
\ir learning/redaction_ids.sql
\ir learning/redaction_numbers.sql
\ir learning/redaction_secrets.sql
\ir learning/redaction_addresses.sql
\ir learning/redaction_names.sql
\ir learning/injection.sql
\ir coach/memory_policy.sql
\ir coach/few_shot.sql
\ir learning/duplicates.sql
\ir learning/datasets.sql
\ir learning/queue.sql
\ir learning/turns.sql
\ir learning/examples.sql
\ir learning/pairs.sql
\ir learning/training.sql
\ir learning/curation.sql
\ir privacy/erasure.sql
\ir privacy/admin_log.sql
\ir privacy/retention.sql
\ir learning/export.sql
\ir learning/finetuning.sql
\ir learning/models.sql
\ir learning/experiment_checks.sql
\ir learning/experiments.sql
\ir learning/results.sql
\ir learning/production.sql
\ir learning/rollouts.sql
\ir learning/deployment_plan.sql
\ir learning/lineage.sql
\ir learning/worth.sql
\ir learning/prompt_versions.sql
\ir learning/autopilot_bounds.sql
\ir learning/autopilot_catalogue.sql
\ir learning/autopilot_decisions.sql
\ir learning/autopilot.sql
\ir learning/autopilot_switch.sql
\ir learning/predictions.sql
\ir learning/prediction_figures.sql
\ir learning/thumbs.sql
\ir photos/analysis.sql
\ir photos/corrections.sql
\ir photos/photos.sql
\ir photos/figures.sql
\ir photos/export.sql
\ir learning/guidelines.sql
\ir learning/playbook_comments.sql
\ir learning/playbook_themes.sql
\ir learning/playbook.sql
\ir learning/playbook_admin.sql
\ir gateway/api_keys.sql
\ir gateway/routing.sql
\ir gateway/access.sql
\ir gateway/breakers.sql
\ir gateway/sync.sql
\ir admin/answers.sql
\ir admin/answer.sql
\ir admin/people.sql
\ir admin/settings.sql
\ir admin/privacy.sql

-- What both programs call. The rest of what they may do is in schemas of its own, and nothing else is.
grant execute on function uplift.schema_version(), uplift.find_api_key(text) to uplift_app, uplift_batch;
grant execute on function uplift.schema_version() to uplift_search;
grant execute on all functions in schema uplift_chat to uplift_app;
grant execute on all functions in schema uplift_batch to uplift_batch;
grant execute on all functions in schema uplift_search to uplift_search;
