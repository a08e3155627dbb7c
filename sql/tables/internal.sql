-- Schema uplift: what only our own functions touch.
create table conversations (
    id uuid primary key,
    user_id uuid not null,
    coach_id text,
    title text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
) with (
    -- Every answer moves updated_at, which no index holds: with room on the page that is a HOT
    -- update and touches no index.
    fillfactor = 80
);

create index on conversations (user_id);

comment on table conversations is 'One row a conversation; its messages are answers (coach_response_feedback).';
comment on column conversations.title is 'The first message, cut.';
comment on column conversations.updated_at is 'Last answer.';
comment on column conversations.deleted_at is 'When the user deleted it: out of lists, reads and history; its answers stay.';

create table feedback_events (
    id bigint generated always as identity primary key,
    event_id uuid,
    answer_id uuid not null,
    user_id uuid not null,
    changes jsonb not null,
    state text not null default 'applied' check (state in ('applied', 'pending', 'refused')),
    source text,
    given_at timestamptz not null default now(),
    repeated jsonb,
    recorded_at timestamptz not null default clock_timestamp()
);

create unique index on feedback_events (event_id) where event_id is not null;
create index on feedback_events (answer_id);

comment on table feedback_events is
    'Every word of feedback in the order it came: history of answers, and what waits for its answer''s row. No foreign key, because it may come first.';
comment on column feedback_events.event_id is 'Makes feedback from a spool count once.';
comment on column feedback_events.changes is 'helpful, rating, feedback_text: only what was said, null for taken back.';
comment on column feedback_events.state is
    'applied; pending while the answer has no row yet; refused when it proved to be another user''s.';
comment on column feedback_events.repeated is
    'By key, when the user last said the same again, which is no new event but a later word.';
comment on column feedback_events.source is 'Which way it came: route, sql.';
comment on column feedback_events.given_at is 'When the user said it; recorded_at is when it got here.';

create table rejected_answers (
    id bigint generated always as identity primary key,
    answer text not null,
    reason text not null,
    rejected_at timestamptz not null default now(),
    replayed_at timestamptz
);

comment on table rejected_answers is
    'Answers that could not be recorded, whole, as they came, to be replayed by uplift.replay_rejected_answers().';
comment on column rejected_answers.answer is 'The JSON as text, since what is wrong with it may be the JSON.';

create table model_prices (
    model text not null,
    provider text not null default '',
    valid_from timestamptz not null default '-infinity',
    valid_until timestamptz not null default 'infinity',
    input_per_million numeric not null check (input_per_million >= 0),
    cached_input_per_million numeric check (cached_input_per_million >= 0),
    output_per_million numeric not null check (output_per_million >= 0),
    updated_at timestamptz not null default now(),
    updated_by text,
    primary key (model, provider, valid_from),
    check (valid_from < valid_until)
);

comment on table model_prices is
    'US dollars for a million tokens, by model and time; edit freely, answers keep the price of their time.';
comment on column model_prices.provider is
    'Whose price it is, as in the answers'' provider; empty for any that has none of its own.';
comment on column model_prices.valid_until is 'The first moment it is no longer valid.';
comment on column model_prices.cached_input_per_million is 'For prompt tokens the provider had cached; null means as input.';

create table settings (
    key text primary key,
    value jsonb not null,
    description text,
    updated_at timestamptz not null default now()
);

comment on table settings is 'Switches of the functions, read and changed in SQL.';

create table error_groups (
    fingerprint text primary key,
    resolved_at timestamptz,
    resolved_by text,
    note text
);

comment on table error_groups is
    'What admins said of failures that are alike (ai_errors.fingerprint); how many there are is counted from the rows.';
