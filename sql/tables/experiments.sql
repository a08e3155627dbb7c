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
    created_at timestamptz default now()
);

comment on table ai_experiments is 'Variants of coaching compared on users.';
comment on column ai_experiments.control_variant is 'What is compared: control_variant, test_variants; keys are settings of an answer.';
comment on column ai_experiments.success_metric is 'thumbs_up_rate, avg_rating, engagement_time.';
comment on column ai_experiments.status is 'draft, running, paused or completed; with start_date and end_date.';
comment on column ai_experiments.winner_variant is 'Result: winner_variant, confidence_level.';

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
    created_at timestamptz default now()
);

create index on experiment_outcomes (user_id);
create index on experiment_outcomes (experiment_id, metric_name);

comment on table experiment_outcomes is 'What was measured of a user in an experiment.';
