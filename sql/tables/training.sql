-- From feedback to better models: datasets, their examples, fine-tuning jobs, model versions.
create table ai_training_datasets (
    id uuid primary key default uplift.uuid_v7(),
    dataset_name text not null unique,
    description text,
    model_target text,
    dataset_type text,
    total_examples int default 0,
    train_examples int default 0,
    validation_examples int default 0,
    test_examples int default 0,
    average_quality_score numeric,
    contains_user_feedback boolean default false,
    status text default 'collecting' check (status in ('collecting', 'ready', 'training', 'completed')),
    collection_started_at timestamptz default now(),
    collection_completed_at timestamptz,
    created_at timestamptz default now(),
    quality_sum numeric,
    scored_examples int,
    total_tokens bigint,
    revision bigint
);

comment on table ai_training_datasets is 'Named sets of training examples.';
comment on column ai_training_datasets.model_target is 'The model the set is meant to train.';
comment on column ai_training_datasets.dataset_type is
    'What the examples look like. conversation: messages is all of it. preference: messages is the prompt, completion the better answer, rejected the worse. unpaired: messages is the prompt, completion the answer, label whether it was liked.';
comment on column ai_training_datasets.total_examples is
    'Examples in the set: not withdrawn, validated, not rejected by a person. Kept by triggers: total_examples, train_examples, validation_examples, test_examples, average_quality_score, quality_sum, scored_examples, total_tokens, revision.';
comment on column ai_training_datasets.quality_sum is
    'What average_quality_score is worked out from: the sum of quality_score over scored_examples examples.';
comment on column ai_training_datasets.total_tokens is 'Estimate: a token for 4 bytes, 4 more for each message.';
comment on column ai_training_datasets.revision is
    'Goes up with every change of an example; null until the triggers have counted the set for the first time.';
comment on column ai_training_datasets.contains_user_feedback is 'True when users'' feedback chose the examples.';
comment on column ai_training_datasets.status is
    'collecting, ready, training or completed; with collection_started_at and collection_completed_at.';

create table ai_training_examples (
    id uuid primary key default uplift.uuid_v7(),
    dataset_id uuid not null,
    messages jsonb not null,
    quality_score numeric check (quality_score between 0 and 10),
    user_satisfaction numeric,
    is_validated boolean default false,
    source_type text default 'user_conversation'
        check (source_type in ('user_conversation', 'expert_labeled', 'synthetic')),
    source_id uuid,
    conversation_turns int,
    contains_correction boolean default false,
    split text check (split in ('train', 'validation', 'test')),
    created_at timestamptz default now(),
    completion jsonb,
    rejected jsonb,
    label boolean,
    content_hash bytea,
    likeness uuid,
    bands bigint[],
    prompt_hash uuid,
    tokens int,
    tags text[],
    coach_id text,
    model_used text,
    model_version_id uuid,
    withdrawn_at timestamptz,
    review text check (review in ('validated', 'rejected')),
    reviewed_by text,
    reviewed_at timestamptz,
    review_note text,
    edited_at timestamptz
);

create index on ai_training_examples (source_id);
-- A set in the order of lists and exports, with what they ask for: most of it needs no row.
create index on ai_training_examples (dataset_id, id) include (split, quality_score, tokens, is_validated, review)
    where withdrawn_at is null;
create index on ai_training_examples (dataset_id, review, id) where review is not null;
create index on ai_training_examples (likeness) where likeness is not null;
-- The answers to a prompt, the best of those that were liked and of those that were not first.
create index on ai_training_examples (prompt_hash, label, quality_score desc, source_id) where prompt_hash is not null;

comment on table ai_training_examples is
    'One conversation each, as a model is to learn it. In its set while withdrawn_at is null, is_validated, and review is not rejected.';
comment on column ai_training_examples.messages is 'The conversation in OpenAI''s message form.';
comment on column ai_training_examples.quality_score is
    '1 to 10; a star counts two. Worth: quality_score, user_satisfaction, is_validated, contains_correction.';
comment on column ai_training_examples.source_type is
    'user_conversation, expert_labeled or synthetic; source_id then names the first answer it was made from, uplift.training_example_sources all of them.';
comment on column ai_training_examples.split is 'train, validation or test: by user, so that nobody is on two sides.';
comment on column ai_training_examples.completion is
    'Messages that answer those in messages, where the set keeps them apart; of a preference the better ones, and rejected the worse.';
comment on column ai_training_examples.label is 'Whether the completion was liked, in unpaired sets.';
comment on column ai_training_examples.content_hash is
    'sha256 of messages, completion, rejected and label as text, as dataset versions have it; null where it is worked out when it is needed (uplift.content_hash)';
comment on column ai_training_examples.likeness is 'Hash of the normalised words said: two examples of a set with the same one are duplicates.';
comment on column ai_training_examples.bands is 'uplift.sketch() of the text, where the set is searched for near duplicates.';
comment on column ai_training_examples.prompt_hash is
    'In unpaired sets: hash of coach, severity, mode, history and question. Answers with the same one can be compared; null for one that was given anew and liked then. Of a pair by prompt: that prompt.';
comment on column ai_training_examples.tokens is 'Estimate: a token for 4 bytes, 4 more for each message.';
comment on column ai_training_examples.tags is 'coach:ID, model:NAME, arm:EXPERIMENT/VARIANT, pair:regeneration or pair:prompt, and what people add.';
comment on column ai_training_examples.model_version_id is 'The ai_model_versions row of the model that answered, where it has one.';
comment on column ai_training_examples.withdrawn_at is
    'When it left its set; the row stays only because a dataset version names it.';
comment on column ai_training_examples.review is
    'validated or rejected by a person, null for neither: review, reviewed_by, reviewed_at, review_note. edited_at: when a person changed the text, which then stays.';

create table ai_finetuning_jobs (
    id uuid primary key default uplift.uuid_v7(),
    dataset_id uuid,
    job_name text not null,
    base_model text,
    provider text default 'openai',
    external_job_id text,
    model_id text,
    hyperparameters jsonb,
    status text default 'pending' check (status in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    progress_percentage numeric,
    training_loss numeric,
    validation_loss numeric,
    final_metrics jsonb,
    started_at timestamptz,
    completed_at timestamptz,
    estimated_cost numeric,
    actual_cost numeric,
    created_at timestamptz default now(),
    dataset_version_id uuid,
    batch_job_id uuid,
    method text check (method in ('supervised', 'dpo', 'kto')),
    suffix text,
    seed int,
    is_forced boolean default false,
    requested_by text,
    idempotency_key text,
    request jsonb,
    estimated_tokens bigint,
    trained_tokens bigint,
    training_file_id text,
    validation_file_id text,
    external_status text,
    error jsonb,
    last_polled_at timestamptz
);

create unique index on ai_finetuning_jobs (batch_job_id) where batch_job_id is not null;
create unique index on ai_finetuning_jobs (idempotency_key) where idempotency_key is not null;

comment on table ai_finetuning_jobs is 'Runs of a trainer over a dataset.';
comment on column ai_finetuning_jobs.provider is 'The trainer: openai (any server with its routes) or command.';
comment on column ai_finetuning_jobs.external_job_id is
    'The job at the provider. What runs where: base_model, provider, external_job_id, model_id, hyperparameters, method, suffix, seed, training_file_id, validation_file_id.';
comment on column ai_finetuning_jobs.status is
    'pending, running, succeeded, failed or cancelled; with progress_percentage, started_at, completed_at. external_status is the trainer''s own word, as of last_polled_at.';
comment on column ai_finetuning_jobs.training_loss is 'Outcome: training_loss, validation_loss, final_metrics.';
comment on column ai_finetuning_jobs.estimated_cost is
    'US dollars, before, from estimated_tokens (of one pass) and uplift.training_prices; actual_cost after, from trained_tokens. Null where no price is known.';
comment on column ai_finetuning_jobs.dataset_version_id is 'The frozen version that it is trained on.';
comment on column ai_finetuning_jobs.batch_job_id is 'The batch job that sees to it.';
comment on column ai_finetuning_jobs.is_forced is 'True when the readiness check was skipped. Asked for as: request, requested_by, idempotency_key.';
comment on column ai_finetuning_jobs.error is '{"code", "message", "param", "advice"} of one that failed.';

create table ai_model_versions (
    id uuid primary key default uplift.uuid_v7(),
    finetuning_job_id uuid,
    model_name text not null,
    version text not null,
    model_id text,
    benchmark_scores jsonb,
    production_metrics jsonb,
    is_deployed boolean default false,
    deployment_environment text default 'staging'
        check (deployment_environment in ('staging', 'production', 'experimental')),
    deployed_at timestamptz,
    deprecated_at timestamptz,
    previous_version_id uuid,
    rollback_reason text,
    created_at timestamptz default now(),
    base_model text,
    dataset_version_id uuid,
    coach_id text,
    unique (model_name, version)
);

create unique index on ai_model_versions (finetuning_job_id) where finetuning_job_id is not null;
create index on ai_model_versions (model_id);

comment on table ai_model_versions is 'Models that can answer, each with the job that made it and where it serves.';
comment on column ai_model_versions.model_id is 'The name the provider knows it by.';
comment on column ai_model_versions.benchmark_scores is 'Evidence: benchmark_scores before, production_metrics after.';
comment on column ai_model_versions.is_deployed is
    'Rollout: is_deployed, deployment_environment, deployed_at, deprecated_at, previous_version_id, rollback_reason. coach_id: the one coach it serves in production, null for all.';
comment on column ai_model_versions.base_model is 'Lineage: base_model and dataset_version_id of its job.';
