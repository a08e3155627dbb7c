-- Keys for servers, beside users' tokens.
create table api_keys (
    id uuid primary key default uplift.uuid_v7(),
    name text not null,
    prefix text not null,
    key_hash bytea not null unique,
    user_id uuid not null,
    scopes text[] not null check (cardinality(scopes) > 0 and scopes <@ '{chat,feedback,read,act,admin}'),
    expires_at timestamptz,
    revoked_at timestamptz,
    revoked_by text,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by text
);

comment on table api_keys is 'Keys for servers. A key is shown once, when it is made; here is its SHA-256.';
comment on column api_keys.prefix is 'How it begins, to tell it by.';
comment on column api_keys.user_id is 'Its service user, whose the chats are where it names no other.';
comment on column api_keys.scopes is
    'What it may do: chat, feedback, read (the user''s own), act (for the user that X-Uplift-User names), admin (the admin API).';
comment on column api_keys.last_used_at is 'To within a minute.';
