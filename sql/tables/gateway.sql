-- The gateway: providers, and which of them answer for a model.
create table providers (
    name text primary key check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$' and name <> 'default'),
    base_url text not null,
    api_key text check (api_key ~ '^(env:(?!UPLIFT_)[A-Z][A-Z0-9_]*_API_KEY|file:[A-Za-z0-9][A-Za-z0-9._-]*)$'),
    key_header text not null default 'Authorization',
    is_enabled boolean not null default true,
    connect_timeout_ms int check (connect_timeout_ms between 10 and 3600000),
    first_byte_timeout_ms int check (first_byte_timeout_ms between 10 and 3600000),
    first_token_timeout_ms int check (first_token_timeout_ms between 10 and 3600000),
    idle_timeout_ms int check (idle_timeout_ms between 10 and 3600000),
    total_timeout_ms int check (total_timeout_ms between 10 and 86400000),
    max_open int check (max_open > 0),
    continues text not null default 'false'
        check (continues in ('false', 'true', 'prefix', 'partial', 'continue_final_message')),
    note text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    updated_by text
);

comment on table providers is
    'Servers with OpenAI''s API beside the configured one, which is called default.';
comment on column providers.api_key is
    'Where the key is, never the key: env:NAME_API_KEY, a variable of fcgi-chat''s environment, or file:NAME, a file of UPLIFT_KEY_DIR; workers send it only where UPLIFT_PROVIDER_KEYS lets them. Null: none is needed.';
comment on column providers.key_header is
    'The header that takes the key: Authorization (as Bearer), or another one for keys, which takes it bare.';
comment on column providers.connect_timeout_ms is
    'Limits of its own, null as configured: connect_, first_byte_, first_token_, idle_, total_timeout_ms.';
comment on column providers.continues is
    'Whether it goes on with an answer that broke off, whose text is sent as the last message; and what says so besides: "prefix" or "partial" in that message, continue_final_message in the request.';
comment on column providers.max_open is 'Chats that one worker has open there at once; null: no limit but the worker''s.';

create table gateway_models (
    name text primary key check (length(name) between 1 and 256),
    fallbacks text[] not null default '{}',
    is_listed boolean not null default true,
    note text,
    updated_at timestamptz not null default now(),
    updated_by text
);

comment on table gateway_models is
    'Models that have routes of their own: by the name clients, coaches and settings use. * is for every model not named here.';
comment on column gateway_models.fallbacks is 'Models whose routes are tried, in this order, when its own have failed.';
comment on column gateway_models.is_listed is 'Whether GET /v1/models shows it.';

create table model_routes (
    id bigint generated always as identity primary key,
    model text not null,
    position int not null check (position between 1 and 8),
    provider text not null,
    provider_model text check (length(provider_model) between 1 and 256),
    weight int not null default 1 check (weight between 1 and 1000),
    context_tokens int check (context_tokens > 0)
);

create unique index on model_routes (model, position, provider, coalesce(provider_model, ''));
create index on model_routes (provider);

comment on table model_routes is
    'Who answers for a model. Routes of the first position share its chats by weight; those of the next are for when the first have failed.';
comment on column model_routes.provider is 'A provider, or default, the configured one.';
comment on column model_routes.provider_model is 'What the provider calls the model; null: as asked.';
comment on column model_routes.context_tokens is
    'Tokens it takes in: a request that is too long for one route goes to a larger one. Null: not known.';

create table routing_state (
    only_one boolean primary key default true check (only_one),
    revision bigint not null,
    access_revision bigint not null default 1
);

comment on table routing_state is 'Grows with each change of providers, models and routes, so that workers notice.';
comment on column routing_state.access_revision is 'The same of what uplift.model_access() is made of.';

create table model_rules (
    id uuid primary key default uplift.uuid_v7(),
    scope text not null check (scope in ('user', 'coach', 'api_key')),
    key text not null default '',
    allow text[],
    deny text[] not null default '{}',
    note text,
    updated_at timestamptz not null default now(),
    updated_by text,
    unique (scope, key),
    check (allow is not null or cardinality(deny) > 0)
);

comment on table model_rules is 'Which models may be named by a user, with a coach, or with an API key. All rules that apply must allow it.';
comment on column model_rules.key is 'The user''s, coach''s or API key''s id; empty: each that has no rule of its own.';
comment on column model_rules.allow is 'Names of models, or beginnings that end in *; null: those that are listed. Not deny.';

create table breaker_hosts (
    host text primary key,
    breakers jsonb not null,
    told_at timestamptz not null default now()
);

comment on table breaker_hosts is 'The circuit breakers of each host of workers, as these last told; a host that tells nothing for a day is forgotten.';
comment on column breaker_hosts.breakers is
    '[{provider, model (none: the provider as a whole), state (closed, probing, open), failures in a row, open_until and cool_until in Unix seconds}] of those that are not at rest.';
