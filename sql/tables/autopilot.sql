-- What autopilot decided and why, what it spent, and what was production when it was switched on.
create table autopilot_decisions (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    kind text not null check (kind in ('switch', 'bound', 'candidate', 'experiment', 'rollout', 'model', 'fine_tune')),
    subject_id uuid,
    name text,
    coach_id text,
    decision text not null,
    reason text not null,
    numbers jsonb not null default '{}',
    who text not null,
    is_dry_run boolean not null default false
);

create index on autopilot_decisions (at);
create index on autopilot_decisions (kind, name, id);
create index on autopilot_decisions (id) where decision = 'stopped' and numbers ? 'winner';

comment on table autopilot_decisions is 'Every decision of autopilot, with its reason in words and in numbers.';
comment on column autopilot_decisions.subject_id is 'The experiment, rollout, model version or fine-tuning job that it is about.';
comment on column autopilot_decisions.name is 'What it is about, by name; of a candidate that in the catalogue (uplift.autopilot_catalogue).';
comment on column autopilot_decisions.decision is
    'begun, stopped, rolled_out, submitted, proposed (words by a model), promoted or discarded; refused and held where nothing was done, which are there once as long as the reason is the same; of the switch started, changed or stopped.';
comment on column autopilot_decisions.is_dry_run is 'True of what it would have done: nothing came of it.';

create table autopilot_tally (
    kind text,
    decision text,
    count bigint not null,
    last_at timestamptz not null,
    primary key (kind, decision)
);

comment on table autopilot_tally is 'How many of autopilot_decisions there are of each sort, but for those of dry runs, and when the last one was; for metrics.';

create table autopilot_looks (
    is_only boolean primary key default true check (is_only),
    looked_at timestamptz not null
);

comment on table autopilot_looks is 'When autopilot, being on, looked last; one row, none before the first time.';

create table autopilot_state (
    is_only boolean primary key default true check (is_only),
    began_at timestamptz not null,
    began_by text,
    production jsonb not null,
    last_change_id bigint not null,
    deployments jsonb not null
);

comment on table autopilot_state is 'When autopilot was switched on last, and what was production then; one row.';
comment on column autopilot_state.production is 'Rows of production_changes that held, [{id, coach_id, changes}].';
comment on column autopilot_state.last_change_id is 'The last row of production_changes that there was; 0 for none.';
comment on column autopilot_state.deployments is 'Rows of model_deployments of production that served, [{id, coach_id, model_version_id, model_id}].';

create table autopilot_spending (
    subject_id uuid not null,
    day date not null,
    usd numeric not null,
    primary key (subject_id, day)
);

create index on autopilot_spending (day);

comment on table autopilot_spending is
    'What autopilot''s experiments, rollouts (by their experiment) and fine-tuning jobs cost, by the UTC day on which it came to be known; see uplift.autopilot_note_spending().';

create table autopilot_prompts (
    id bigint generated always as identity primary key,
    coach_id text,
    words text not null,
    made_at timestamptz not null default now(),
    made_by text not null
);

create unique index on autopilot_prompts ((coalesce(coach_id, '')), words);

comment on table autopilot_prompts is 'Words for the end of a coach''s prompt (null: of all coaches) that a model made of liked and disliked answers, for autopilot to try.';
comment on column autopilot_prompts.made_by is 'The model.';
