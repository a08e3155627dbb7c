-- Fine-tuning and model versions: what trainers said, what training costs, where models serve.
create table finetuning_events (
    id bigint generated always as identity primary key,
    finetuning_job_id uuid not null,
    external_id text not null,
    at timestamptz not null,
    level text,
    message text,
    step int,
    training_loss numeric,
    validation_loss numeric,
    unique (finetuning_job_id, external_id)
);

comment on table finetuning_events is 'What a trainer said of a fine-tuning job, each once; with step and losses the loss curve.';
comment on column finetuning_events.external_id is 'The trainer''s id of the event, or its number.';

create table training_prices (
    model text primary key,
    per_million_tokens numeric not null check (per_million_tokens >= 0),
    updated_at timestamptz not null default now()
);

comment on table training_prices is 'US dollars for a million trained tokens, by base model; edit freely.';

create table base_models (
    model text primary key,
    shutdown_date date,
    is_trainable boolean,
    note text,
    checked_at timestamptz
);

comment on table base_models is 'What is known of base models: when they are shut down, and whether they can be fine-tuned. job check-models keeps it.';
comment on column base_models.shutdown_date is 'From then on it, and every model made of it, does not answer any more; null: not known.';

create table model_deployments (
    id bigint generated always as identity primary key,
    model_version_id uuid not null,
    model_id text not null,
    environment text not null check (environment in ('staging', 'production', 'experimental')),
    coach_id text,
    began_at timestamptz not null default now(),
    began_by text,
    ended_at timestamptz,
    ended_by text,
    reason text,
    previous_version_id uuid
);

-- One model a coach, and one for all others, in each environment. Production's is looked up with
-- every chat.
create unique index on model_deployments (environment, coalesce(coach_id, '')) where ended_at is null;
create index on model_deployments (model_version_id);

comment on table model_deployments is 'Where each model version served, from when until when; ended_at null: it still does.';
comment on column model_deployments.coach_id is 'The one coach it answers for; null for all that have none of their own.';
comment on column model_deployments.previous_version_id is
    'What served there before, and does again after a rollback; null: the configured model.';
comment on column model_deployments.reason is 'Why it ended: replaced by another, or rolled back for a reason.';
