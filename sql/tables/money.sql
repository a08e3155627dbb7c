-- Money: budgets and what was spent of them; use by the hour.
create table budgets (
    id uuid primary key default uplift.uuid_v7(),
    scope text not null check (scope in ('total', 'coach', 'user')),
    key text not null default '' check (scope <> 'total' or key = ''),
    period text not null check (period in ('day', 'month')),
    limit_usd numeric not null check (limit_usd >= 0),
    warn_at numeric not null default 0.8 check (warn_at > 0 and warn_at <= 1),
    action text not null default 'refuse' check (action in ('refuse', 'cheaper')),
    cheaper_model text,
    is_enabled boolean not null default true,
    note text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    updated_by text,
    unique (scope, key, period),
    check ((action = 'cheaper') = (cheaper_model is not null))
);

comment on table budgets is 'What may be spent in a day or month (UTC): in all, by a coach, or by a user.';
comment on column budgets.key is 'The coach or the user; empty: each coach, or each user, by itself.';
comment on column budgets.warn_at is 'The share of the limit from which on it is a warning.';
comment on column budgets.action is
    'At the limit: refuse, or let the cheaper_model answer from then on. Answers under way end.';

create table budget_spend (
    budget_id uuid not null,
    key text not null,
    period_start date not null,
    shard int not null,
    cost_usd numeric not null,
    primary key (budget_id, period_start, key, shard)
) with (
    -- Grows with every group of answers; with room on the page no index is touched.
    fillfactor = 50
);

comment on table budget_spend is
    'What was spent of a budget: by coach or user (empty for the total) and period, in shards, so that two who record do not wait for each other.';
comment on column budget_spend.period_start is
    'Its first day (UTC). Job roll-up-usage takes away what is of a period that is over.';
comment on column budget_spend.shard is 'By the backend that records; the sum of all is what was spent.';

create table budgets_used_up (
    budget_id uuid not null,
    key text not null,
    period_start date not null,
    primary key (budget_id, period_start, key)
);

comment on table budgets_used_up is
    'Budgets that came to their limit: while it is empty, as it mostly is, no chat has to look any further.';

create table usage_hourly (
    hour timestamptz not null,
    coach_id text not null,
    provider text not null,
    model text not null,
    requests bigint not null,
    complete bigint not null,
    partial bigint not null,
    cancelled bigint not null,
    failed bigint not null,
    cache_hits bigint not null,
    degraded bigint not null,
    prompt_tokens bigint not null,
    cached_tokens bigint not null,
    completion_tokens bigint not null,
    cost_usd numeric not null,
    saved_usd numeric not null,
    estimated bigint not null,
    unpriced bigint not null,
    thumbs_up bigint not null,
    thumbs_down bigint not null,
    ratings bigint not null,
    rating_sum bigint not null,
    response_ms bigint[] not null,
    first_token_ms bigint[] not null,
    primary key (hour, coach_id, provider, model)
);

comment on table usage_hourly is
    'Answers by the hour (UTC) they were asked for, coach, provider and model, counted by job roll-up-usage; empty text where an answer has none.';
comment on column usage_hourly.estimated is 'Answers whose tokens, and so their cost, are estimated.';
comment on column usage_hourly.unpriced is 'Answers with tokens whose model has no price: their cost is not known, and not counted.';
comment on column usage_hourly.response_ms is
    'A histogram: answers that took less than 50, 100, 200, ... 51200 ms (each bound twice the one before), and longer. first_token_ms is the same of the first text.';

create table usage_dirty (
    hour timestamptz primary key,
    failed_at timestamptz,
    reason text
);

comment on table usage_dirty is 'Hours of usage_hourly whose answers or feedback have changed since they were counted.';
comment on column usage_dirty.failed_at is 'When it was tried to count it, and why that failed: reason. It is tried again later.';

create table usage_state (
    only_one boolean primary key default true check (only_one),
    began_at timestamptz not null,
    rolled_until timestamptz not null
);

comment on table usage_state is 'How far usage_hourly is: to before rolled_until. Later answers are counted when they are asked about.';
comment on column usage_state.began_at is
    'When counting began. Ids of answers before may not be in the order of time.';
