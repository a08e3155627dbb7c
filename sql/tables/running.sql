-- Experiments as chats need them, what was measured of them, and what was done to them.
create table running_experiments (
    id uuid primary key,
    name text not null,
    salt text not null,
    share_salt text not null,
    share_from float8 not null,
    share_to float8 not null,
    variants text[] not null,
    bounds float8[] not null,
    settings jsonb not null,
    touches text[] not null,
    targeting jsonb not null,
    started_at timestamptz not null,
    keeps_assignments boolean not null
);

comment on table running_experiments is
    'The running rows of ai_experiments, made ready for chats by its trigger (uplift.experiment_changes); mostly empty.';
comment on column running_experiments.share_salt is
    'Who takes part: users whose uplift.bucket() by it is from share_from to below share_to.';
comment on column running_experiments.bounds is
    'Whose bucket by salt is below the n-th, and no earlier one, has the n-th of variants; settings has what each changes.';
comment on column running_experiments.touches is
    'What its variants change, by name; roast where one has that mode.';

create table experiment_users (
    experiment_id uuid not null,
    user_id uuid not null,
    variant text not null,
    assigned_at timestamptz not null,
    answers int not null,
    failed int not null,
    thumbs_up int not null,
    thumbs int not null,
    rating_sum int not null,
    ratings int not null,
    engagement_s float8 not null,
    cost_usd float8 not null,
    latency_ms float8 not null,
    timed int not null,
    regenerations int not null,
    is_retained boolean,
    before jsonb not null,
    measured_at timestamptz not null default now(),
    primary key (experiment_id, user_id)
);

create index on experiment_users (user_id);

comment on table experiment_users is
    'What each user of an experiment did in it, as job measure-experiments counted last: the unit of all statistics is the user.';
comment on column experiment_users.engagement_s is 'Seconds in conversations (uplift.engagement_seconds).';
comment on column experiment_users.latency_ms is 'Sum of the response times of timed answers.';
comment on column experiment_users.is_retained is 'Whether the user came back in the second week after the first answer; null before that week is over.';
comment on column experiment_users.before is 'The same counts of the 28 days before the user was assigned, for CUPED.';

create table experiment_looks (
    id bigint generated always as identity primary key,
    experiment_id uuid not null,
    looked_at timestamptz not null default now(),
    metric text not null,
    variant text not null,
    figures jsonb not null
);

create index on experiment_looks (experiment_id, metric, variant, id);

comment on table experiment_looks is 'What came of looks at an experiment: figures of a variant against control, for one metric; a row for each change of them.';
comment on column experiment_looks.looked_at is 'When that was found last.';

create table experiment_events (
    id bigint generated always as identity primary key,
    experiment_id uuid not null,
    at timestamptz not null default clock_timestamp(),
    event text not null,
    who text,
    reason text
);

create index on experiment_events (experiment_id, id);

comment on table experiment_events is 'What was done to each experiment: created, changed, started, paused, stopped, concluded; by whom, and why.';
