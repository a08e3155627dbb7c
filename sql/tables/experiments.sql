-- Experiments: what is tried, who is in which arm, what came of it.
create table ai_experiments (
    id uuid primary key default uplift.uuid_v7(),
    experiment_name text not null,
    description text,
    control_variant jsonb not null,
    test_variants jsonb[] not null,
    success_metric text not null,
    status text default 'draft',
    start_date timestamptz,
    end_date timestamptz,
    winner_variant text,
    confidence_level numeric,
    created_at timestamptz default now(),

    hypothesis text,
    salt text,
    share_salt text,
    traffic_share numeric default 1,
    layer text,
    layer_from numeric,
    targeting jsonb,
    guardrails jsonb,
    min_users int default 100,
    tuning_users int default 5000,
    alpha numeric default 0.05,
    feedback_days int default 7,
    keeps_assignments boolean default false,
    status_reason text,
    updated_at timestamptz default now()
);

comment on table ai_experiments is 'Variants of coaching compared on users. Rows are checked and prepared by a trigger (uplift.experiment_changes).';
comment on column ai_experiments.control_variant is
    'What is compared: control_variant, test_variants, each {variant_name, weight?, and what it changes}; see uplift.variant_problems().';
comment on column ai_experiments.success_metric is
    'What decides: thumbs_up_rate, avg_rating, engagement_time, cost_per_answer, latency, regenerations or retention.';
comment on column ai_experiments.status is 'draft, running, paused or completed; with start_date and end_date, and status_reason where it was not an admin''s wish.';
comment on column ai_experiments.winner_variant is 'Result: winner_variant, confidence_level (1 less the p-value that is valid at any time).';
comment on column ai_experiments.salt is 'What users are assigned by, with their ids (uplift.bucket); its id, unless another was given.';
comment on column ai_experiments.share_salt is 'What decides, with a user''s id, who takes part: tests with the same have the same users, as far as their traffic_share goes. Of autopilot''s tests; otherwise null: salt and " share".';
comment on column ai_experiments.traffic_share is 'The share of users that takes part, over 0 to 1.';
comment on column ai_experiments.layer is 'Experiments of one layer never have the same user; each has traffic_share of the layer, from layer_from on.';
comment on column ai_experiments.targeting is 'Who takes part: {coaches?, locales?, traits?, new_users?}; see uplift.targeting_problems().';
comment on column ai_experiments.guardrails is 'What must not become worse: [{metric, max_worse}]; see uplift.guardrail_problems().';
comment on column ai_experiments.min_users is 'No conclusion before each variant has so many users.';
comment on column ai_experiments.tuning_users is 'At so many users of two variants the interval of their difference is narrowest for what is known.';
comment on column ai_experiments.alpha is 'The chance of a false winner that is accepted.';
comment on column ai_experiments.feedback_days is 'Feedback that comes so many days after the end is still counted.';
comment on column ai_experiments.keeps_assignments is 'True when weights changed after the start: who was assigned before stays (experiment_assignments).';

create table experiment_assignments (
    id uuid primary key default uplift.uuid_v7(),
    experiment_id uuid not null,
    user_id uuid not null,
    variant text not null,
    assigned_at timestamptz default now(),
    created_at timestamptz default now(),
    unique (experiment_id, user_id)
);

create index on experiment_assignments (user_id);

comment on table experiment_assignments is 'Which arm of an experiment a user is in.';

create table experiment_outcomes (
    id uuid primary key default uplift.uuid_v7(),
    experiment_id uuid not null,
    user_id uuid not null,
    metric_name text not null,
    metric_value numeric,
    measured_at timestamptz default now(),
    created_at timestamptz default now(),
    measured_by text,
    unique (experiment_id, user_id, metric_name, measured_by)
);

create index on experiment_outcomes (user_id);
create index on experiment_outcomes (experiment_id, metric_name);

comment on table experiment_outcomes is 'What was measured of a user in an experiment, by each of uplift.metrics(); what it is made of is in uplift.experiment_users.';
comment on column experiment_outcomes.measured_by is 'uplift for rows of the job measure-experiments, which keeps them in step; else they are another program''s, and left alone.';
