-- How often, and how much, one user, address or API key may ask.
create table rate_limits (
    scope text collate "C" not null check (scope in ('user', 'address', 'api_key')),
    key text collate "C" not null default '',
    requests_per_minute int check (requests_per_minute > 0),
    tokens_per_minute int check (tokens_per_minute > 0),
    burst int check (burst > 0),
    feedback_per_minute int check (feedback_per_minute > 0),
    updated_at timestamptz not null default now(),
    updated_by text,
    primary key (scope, key)
);

comment on table rate_limits is 'Rates of chats and of feedback: of one user, address or API key, or of each that has none of its own.';
comment on column rate_limits.key is
    'A user''s id, an address (IPv6: its /64 network, as in 2001:db8::/64), an API key''s id; empty: each by itself.';
comment on column rate_limits.requests_per_minute is 'Null: no limit; tokens_per_minute alike.';
comment on column rate_limits.burst is 'Requests that may come at once; null: as many as in a minute.';
comment on column rate_limits.feedback_per_minute is
    'Calls that give feedback, a minute''s worth of which may come at once; null: as of each.';

-- What is in the buckets now is of no use after a crash, and is written with each chat: not logged,
-- so that no commit waits for the disk, and with room on each page so that no index is touched.
create unlogged table rate_buckets (
    key text collate "C" primary key, -- compared byte by byte, several times for each chat
    requests double precision not null,
    tokens double precision not null,
    filled_at timestamptz not null,
    rpm int not null,
    tpm int not null,
    took int not null,
    took_tokens int not null
) with (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

comment on table rate_buckets is
    'Token buckets: how many requests and tokens of the model may come at once. Filled at the rate of the limit, up to a minute''s worth.';
comment on column rate_buckets.rpm is 'Requests a minute that it is filled with, and tpm tokens; 0: no limit of them.';
comment on column rate_buckets.took is 'What the last round trip took of requests, and took_tokens of tokens: to give it back.';
