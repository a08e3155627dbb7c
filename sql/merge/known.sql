-- What is known of the tables deployments have: sql/README.md tells the same in words.

-- Columns that mean the same under two names. The second is kept in step with the first where it
-- exists. How: same; inverse (booleans); status (a word against a boolean); variants (jsonb[]
-- against jsonb); filled (the second is only given a value where it would be missing).
create table uplift_install.known_pairs (
    table_name name not null,
    ours name not null,
    theirs name not null,
    how text not null,
    primary key (table_name, ours, theirs)
);

insert into uplift_install.known_pairs values
    ('coach_response_feedback', 'mode', 'coach_mode', 'same'),
    ('coach_response_feedback', 'feedback_text', 'user_comment', 'same'),
    ('ai_episodic_memory', 'memory_text', 'memory_description', 'same'),
    ('ai_episodic_memory', 'last_accessed', 'last_accessed_at', 'same'),
    ('ai_episodic_memory', 'is_active', 'is_expired', 'inverse'),
    ('ai_episodic_memory', 'extracted_at', 'original_timestamp', 'filled'),
    ('ai_experiments', 'control_variant', 'control_config', 'same'),
    ('ai_experiments', 'test_variants', 'variant_configs', 'variants'),
    ('ai_experiments', 'start_date', 'started_at', 'same'),
    ('ai_experiments', 'end_date', 'ended_at', 'same'),
    ('ai_experiments', 'status', 'is_active', 'status');

-- Values a column must take. A list of words is added to a check that refuses one of them; any
-- other check that refuses a value here (a length, a range) is dropped.
create table uplift_install.known_values (
    table_name name not null,
    column_name name not null,
    is_words boolean not null,
    needed text[] not null,
    primary key (table_name, column_name)
);

insert into uplift_install.known_values values
    ('coach_response_feedback', 'mode', true, '{default,roast}'),
    ('coach_response_feedback', 'coach_mode', true, '{default,roast}'),
    ('coach_response_feedback', 'user_message', false, array['', 'x', repeat('x', 300000)]),
    ('coach_response_feedback', 'ai_response', false, array['', 'x', repeat('x', 300000)]),
    ('coach_response_feedback', 'system_prompt', false, array['', repeat('x', 300000)]),
    ('coach_response_feedback', 'feedback_text', false, array['', repeat('x', 10000)]),
    ('coach_response_feedback', 'user_comment', false, array['', repeat('x', 10000)]),
    ('coach_response_feedback', 'coach_id', false, '{coach_decibel_avatar}'),
    ('coach_response_feedback', 'severity', false, '{1.0,3.5,6.0}'),
    ('coach_response_feedback', 'rating', false, '{1,2,3,4,5}'),
    ('coach_response_feedback', 'response_time_ms', false, '{0,3600000}'),
    ('coach_response_feedback', 'tokens_used', false, '{0,200000000}'),
    ('coach_response_feedback', 'cost_usd', false, '{0,1000000000}'),
    ('coach_response_feedback', 'saved_usd', false, '{0,1000000000}'),
    ('ai_response_cache', 'cost_saved_usd', false, '{0,1000000000000}'),
    ('ai_response_cache', 'hit_count', false, '{0,2147483647}'),
    ('ai_training_datasets', 'status', true, '{collecting,ready,training,completed}'),
    ('ai_training_datasets', 'dataset_type', true, '{conversation,preference,unpaired}'),
    ('ai_training_datasets', 'average_quality_score', false, '{1.0,10.0}'),
    ('ai_training_examples', 'source_type', true, '{user_conversation,expert_labeled,synthetic}'),
    ('ai_training_examples', 'split', true, '{train,validation,test}'),
    ('ai_training_examples', 'quality_score', false, '{2,7.0,10}'),
    ('ai_training_examples', 'user_satisfaction', false, '{0.0,1.0}'),
    ('ai_finetuning_jobs', 'status', true, '{pending,running,succeeded,failed,cancelled}'),
    ('ai_model_versions', 'deployment_environment', true, '{staging,production,experimental}'),
    ('ai_context_cache', 'context_type', true, '{user_summary,recent_foods,current_goals,conversation_history,preferences,nutrition_knowledge,behavioral_patterns,chat_context}'),
    ('ai_episodic_memory', 'memory_type', true, '{goal,preference,achievement,struggle,milestone}'),
    ('ai_episodic_memory', 'source_type', true, '{conversation}'),
    ('ai_experiments', 'status', true, '{draft,running,paused,completed}'),
    ('ai_experiments', 'success_metric', true, '{thumbs_up_rate,avg_rating,engagement_time,cost_per_answer,latency,regenerations,retention}'),
    ('experiment_outcomes', 'metric_name', true, '{thumbs_up_rate,avg_rating,engagement_time,cost_per_answer,latency,regenerations,errors,retention}'),
    ('user_coach_preferences', 'severity', false, '{1.0,3.5,6.0}'),
    ('user_coach_preferences', 'active_coach_mode', true, '{default,roast}');

-- What concerns the user of tables that have more than that in a row: what a user's token may read. Of other
-- tables with a user_id it may read all, but for those of experiments, where it may read nothing.
create table uplift_install.user_columns (
    table_name name primary key,
    columns name[] not null
);

insert into uplift_install.user_columns values
    ('coach_response_feedback', '{id,user_id,coach_id,user_message,ai_response,severity,mode,coach_mode,helpful,rating,feedback_text,user_comment,feedback_given_at,conversation_id,response_time_ms,tokens_used,created_at,outcome,error_code,model_used,finish_reason,regenerate_of,from_cache,answers_tools,citations}'),
    ('ai_errors', '{id,user_id,error_type,error_code,user_visible,auto_recovered,resolved_at,answer_id,created_at}'),
    ('experiment_assignments', '{}'),
    ('experiment_outcomes', '{}');

-- The functions of schema public, and how many of their arguments a call must have.
create table uplift_install.known_functions (
    name name not null,
    types text not null,
    arguments text not null,
    result text not null,
    required int not null
);

insert into uplift_install.known_functions values
    ('generate_training_examples_from_feedback', '', '', 'void', 0),
    ('export_training_dataset_openai_format', 'uuid', 'p_dataset_id uuid', 'TABLE(training_data jsonb)', 1),
    ('extract_user_memories', 'uuid, uuid', 'p_user_id uuid, p_conversation_id uuid', 'void', 2),
    ('get_user_memory_context', 'uuid', 'p_user_id uuid', 'text', 1),
    ('build_coach_system_prompt', 'uuid, text, numeric, text, boolean',
        'p_user_id uuid, p_override_coach_id text, p_override_severity numeric, p_override_mode text, p_include_memory boolean',
        'text', 1);
