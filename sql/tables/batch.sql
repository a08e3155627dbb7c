-- Batch jobs: what there is to run, what ran, and when it is to run by itself.
create table batch_kinds (
    name text primary key,
    description text not null,
    max_attempts int not null default 5 check (max_attempts between 1 and 100),
    time_limit interval not null default '1 hour' check (time_limit > interval '0'),
    one_at_a_time boolean not null default false
);

comment on table batch_kinds is 'The kinds of jobs fcgi-batch can run, and the limits of each; the limits may be edited.';
comment on column batch_kinds.max_attempts is 'How often a job is begun before it has failed for good.';
comment on column batch_kinds.time_limit is 'How long a job may take since it was first begun, pauses and retries included.';
comment on column batch_kinds.one_at_a_time is 'Whether a job waits while another of its kind runs.';

create table batch_jobs (
    id uuid primary key default uplift.uuid_v7(),
    name text not null,
    arguments jsonb not null default '{}',
    status text not null default 'queued' check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    requested_by text,
    idempotency_key text,
    done bigint not null default 0,
    total bigint not null default 0,
    message text,
    state jsonb not null default '{}',
    result jsonb,
    error jsonb,
    attempts int not null default 0,
    max_attempts int not null,
    time_limit interval not null,
    alone text,
    host text,
    run_after timestamptz not null default now(),
    runner text,
    lease bigint not null default 0,
    lease_until timestamptz,
    is_parked boolean not null default false,
    cancel_requested_at timestamptz,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz not null default now()
) with (fillfactor = 70);

create unique index on batch_jobs (idempotency_key) where idempotency_key is not null;
-- What keeps two of a kind from running at once, whoever claims them.
create unique index on batch_jobs (alone) where status = 'running' and alone is not null;
create index on batch_jobs (run_after, id) where status in ('queued', 'running');
create index on batch_jobs (name, id);

comment on table batch_jobs is 'Every batch job: who asked for what, how far it is, what became of it.';
comment on column batch_jobs.arguments is 'What was asked for, as checked by the program.';
comment on column batch_jobs.status is 'queued, running, succeeded, failed or cancelled.';
comment on column batch_jobs.requested_by is 'An admin''s user id, "schedule NAME", or "command line".';
comment on column batch_jobs.idempotency_key is 'Makes the same request, sent again, the same job.';
comment on column batch_jobs.done is 'Progress: done of total (0: not known), and message in words.';
comment on column batch_jobs.state is 'What the job keeps to go on from, when its runner dies or it waits.';
comment on column batch_jobs.error is 'Of a failed job, or of the last attempt: {"code", "message"}.';
comment on column batch_jobs.attempts is 'How often it was begun; with max_attempts and time_limit as its kind had them.';
comment on column batch_jobs.alone is 'Of running jobs, no two have the same; null for those that may run side by side.';
comment on column batch_jobs.host is 'The only host that may go on with it, for jobs with a program running there.';
comment on column batch_jobs.run_after is 'Not begun before; retries are put off by it.';
comment on column batch_jobs.lease is
    'Counts claims: whoever holds an older number has lost the job. With runner, and lease_until, which heartbeats move.';
comment on column batch_jobs.is_parked is 'Running, but waiting for its next look until lease_until, without a runner.';

create table batch_job_events (
    id bigint generated always as identity primary key,
    job_id uuid not null,
    at timestamptz not null default clock_timestamp(),
    event text not null,
    message text,
    runner text,
    attempt int
);

create index on batch_job_events (job_id, id);

comment on table batch_job_events is 'The history of each job: every change of its status, and what it said on the way.';
comment on column batch_job_events.event is
    'queued, started, resumed, lost, log, retry, released, cancel_requested, succeeded, failed, cancelled.';

create table batch_schedules (
    name text primary key,
    job text not null,
    arguments jsonb not null default '{}',
    cron text not null,
    is_enabled boolean not null default true,
    description text,
    last_job_id uuid,
    last_run_at timestamptz,
    updated_at timestamptz not null default now()
);

comment on table batch_schedules is
    'What runs by itself: pg_cron calls uplift.run_schedule(name), or, without it, a timer the URL that does.';
comment on column batch_schedules.job is 'The kind of job (batch_kinds.name); arguments are its arguments.';
comment on column batch_schedules.cron is 'Minute, hour, day of month, month, day of week, in UTC where the server runs in UTC.';
comment on column batch_schedules.last_job_id is 'The job it made last, at last_run_at.';
