-- What is left of users who had everything of theirs erased: that it was done, and how much.
create table erasures (
    id uuid primary key default uplift.uuid_v7(),
    user_hash bytea not null,
    user_id uuid,
    erased_at timestamptz not null,
    asked_by text not null check (asked_by in ('user', 'admin')),
    rows jsonb not null,
    model_versions uuid[] not null,
    files jsonb not null default '[]',
    finished_at timestamptz
);

create index on erasures (user_hash, erased_at);
create index on erasures (erased_at) where finished_at is null;

comment on table erasures is
    'Erasures of users, as proof without personal data: how many rows of what went, and which model versions had been trained with some of it. Answers and feedback from before one that come later (from a spool, or under way) are not recorded.';
comment on column erasures.user_hash is 'SHA-256 of the user''s id, by which what comes late is known.';
comment on column erasures.user_id is 'Only until job finish-erasures is done with it (finished_at): to look once more for rows that were written in the same moment.';
comment on column erasures.files is
    'What may hold texts of the user outside the database, [{kind: export | training_file, name, provider?, erased_at?, problem?}]: job finish-erasures deletes them.';

-- Who looked at what, and changed what.
create table admin_log (
    id uuid primary key default uplift.uuid_v7(),
    at timestamptz not null default clock_timestamp(),
    who text not null,
    method text not null,
    route text not null,
    subject text,
    about text,
    user_id uuid,
    named text[] not null default '{}',
    request_id text
);

create index on admin_log (at desc, id desc);
create index on admin_log (user_id, at desc) where user_id is not null;
create index on admin_log (subject, at desc) where subject is not null;
create index on admin_log (about, at desc) where about is not null;

comment on table admin_log is
    'Each request of an admin that changes something, or shows what users said, noted before it is done. Nothing that programs may call changes or deletes a row, but that an erasure takes the user out.';
comment on column admin_log.route is 'As in the API reference, with {id} for what subject says; named: the arguments that came, without their values.';
comment on column admin_log.about is 'The dataset, or version of one, that the arguments name: of jobs that export it or train on it.';
comment on column admin_log.user_id is 'Whose data it was about, where the request names somebody.';
