-- Rollouts: a candidate against production, to more and more users, on evidence; and what serves since.
create table production_changes (
    id bigint generated always as identity primary key,
    coach_id text,
    changes jsonb not null,
    rollout_id uuid,
    previous_id bigint,
    began_at timestamptz not null default now(),
    began_by text,
    ended_at timestamptz,
    ended_by text,
    reason text
);

create unique index on production_changes ((coalesce(coach_id, ''))) where ended_at is null;

comment on table production_changes is
    'What rollouts changed for all users of a coach (null: of all coaches), as variants of experiments do; the row without ended_at holds.';
comment on column production_changes.previous_id is 'What held before, and does again when this is rolled back; null for nothing.';
comment on column production_changes.changes is 'As in a variant (uplift.variant_problems): severity, prompt_suffix, guidelines, personality, memory, ...';

create table rollouts (
    id uuid primary key default uplift.uuid_v7(),
    name text not null,
    coach_id text,
    changes jsonb not null,
    success_metric text not null,
    margin float8 not null,
    guardrails jsonb not null,
    stages float8[] not null,
    stage int not null default 1,
    stage_began_at timestamptz not null default now(),
    min_stage_hours float8 not null,
    min_users int not null,
    max_days float8 not null,
    status text not null default 'running' check (status in ('running', 'promoted', 'rolled_back')),
    reason text,
    experiment_id uuid not null,
    created_by text,
    created_at timestamptz not null default now(),
    ended_at timestamptz
);

create index on rollouts (status) where status = 'running';

comment on table rollouts is 'Candidates on their way to production: each is an experiment whose share of users grows by stages.';
comment on column rollouts.margin is
    'How much worse than production it may be, as a share of production''s figure: 0 wants it better, 0.02 takes what is at most 2 % worse.';
comment on column rollouts.stages is 'Shares of users that get the candidate, one after another; as many again are compared with them.';
comment on column rollouts.max_days is 'So long without the evidence to promote it, and it is rolled back.';

create table rollout_steps (
    id bigint generated always as identity primary key,
    rollout_id uuid not null,
    at timestamptz not null default clock_timestamp(),
    step text not null,
    stage int not null,
    who text not null,
    reason text not null,
    evidence jsonb
);

create index on rollout_steps (rollout_id, id);

comment on table rollout_steps is
    'Every step of a rollout with its evidence: started, advanced, held, promoted, rolled_back.';
comment on column rollout_steps.evidence is 'The figures of the candidate at that moment, by metric (uplift.experiment_looks).';
