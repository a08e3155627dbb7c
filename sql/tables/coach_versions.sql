-- What coaches were like: each wording that an admin gave one by URL, and what was there before.
create table coach_versions (
    id uuid primary key default uplift.uuid_v7(),
    coach_id text not null,
    name text,
    description text,
    personality text,
    avatar_url text,
    is_offered boolean not null,
    made_by text,
    made_at timestamptz not null default clock_timestamp()
);

create index on coach_versions (coach_id, made_at desc, id desc);

comment on table coach_versions is
    'Each state that a coach was put into by /admin/coaches, and the one that was there before the first change: to see who changed what, and to bring one back.';
comment on column coach_versions.made_by is 'The admin; null for what was there before.';
