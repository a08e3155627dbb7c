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

comment on table budgets is 'What may be spent in a day or month (UTC) on answers and on the analysis of photos: in all, by a coach, or by a user.';
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
    rolled_until timestamptz not null,
    days_counted_at timestamptz,
    today_took interval,
    users_key uuid not null default gen_random_uuid()
);

comment on table usage_state is 'How far usage_hourly is: to before rolled_until. Later answers are counted when they are asked about.';
comment on column usage_state.began_at is
    'Since when ids of answers are in the order of time: when counting began, or from the beginning of that day.';
comment on column usage_state.days_counted_at is 'When usage_daily was last brought up to date; answers since are not in it.';
comment on column usage_state.today_took is 'How long it took to count today; what takes long is done less often.';
comment on column usage_state.users_key is
    'Goes into the sketches of usage_daily_users: without it nobody can be looked for in them. It is no secret from whoever reads this table, who can tell that a user is not, or very likely is, in a sketch.';

create table usage_daily (
    day date not null,
    coach_id text not null,
    provider text not null,
    model text not null,
    mode text not null,
    severity smallint not null,
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
    thumb_sums bigint[] not null,
    rating_sums bigint[] not null,
    response_ms bigint[] not null,
    first_token_ms bigint[] not null,
    primary key (day, coach_id, provider, model, mode, severity)
);

comment on table usage_daily is
    'Answers by the day (UTC), coach, provider, model, mode and severity, counted by job roll-up-usage for the dashboard; empty text, and severity 0, where an answer has none.';
comment on column usage_daily.severity is 'Whole: 3 is from 3.0 to 3.9.';
comment on column usage_daily.thumb_sums is
    'What an interval of the thumbs-up rate needs, because thumbs of one user are alike: with n thumbs of each user (and day), up of them up: how many users, and the sums of n * n, up * up and n * up.';
comment on column usage_daily.rating_sums is 'The same of stars, whose sum of each user stands for up.';
comment on column usage_daily.estimated is 'As in usage_hourly; so are unpriced, response_ms and first_token_ms.';

create table usage_daily_users (
    day date not null,
    "by" text not null,
    part text not null,
    users bigint not null,
    sketch bit(32768) not null,
    primary key (day, "by", part)
);

comment on table usage_daily_users is
    'How many users answers of a day are for, in all ("by" empty) and by coach, provider, model, mode and severity; with sketches, by which those of several days are told (uplift.users_of). Of days of which a user erased answers they are counted anew.';
comment on column usage_daily_users.sketch is
    'A multiresolution bitmap (Estan, Varghese, Fisk 2003): sixteen levels of 2048 bits, of which each user has one; a user is on level k with a chance of 2^-(k+1).';

create table usage_days_dirty (
    day date primary key,
    since timestamptz not null default now(),
    of_users boolean not null default false,
    failed_at timestamptz,
    reason text
);

comment on table usage_days_dirty is 'Days of usage_daily, some hour of which was counted anew since, or some user of which was erased.';
comment on column usage_days_dirty.since is 'Since when: days that are over wait for an hour, so that what comes late is counted together; -infinity: until now the day was not over.';
comment on column usage_days_dirty.of_users is 'Only users are counted anew (usage_daily_users): what their answers cost was spent.';
comment on column usage_days_dirty.failed_at is 'When it was tried to count it, and why that failed: reason. It is tried again later.';
