-- Schema uplift: what only our own functions touch.
create table conversations (
    id uuid primary key,
    user_id uuid not null,
    coach_id text,
    title text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    read_to uuid,
    is_renamed boolean not null default false,
    replaced tstzmultirange
) with (
    -- Every answer moves updated_at, which no index holds: with room on the page that is a HOT
    -- update and touches no index.
    fillfactor = 80
);

create index on conversations (user_id, id);

comment on table conversations is 'One row a conversation; its messages are answers (coach_response_feedback).';
comment on column conversations.title is 'The first message, cut; or what its user calls it (is_renamed).';
comment on column conversations.replaced is
    'Times whose answers drop out (uplift.replaced_times): they were given anew, or their question was edited, or they came after such a one. Null for none.';
comment on column conversations.updated_at is 'Last answer.';
comment on column conversations.read_to is 'The last answer whose question a model has looked at for memories (job extract-memories).';
comment on column conversations.deleted_at is 'When the user deleted it: out of lists, reads and history; its answers stay.';

-- What is no longer sent along of a long conversation, in short.
create table conversation_summaries (
    conversation_id uuid primary key,
    user_id uuid not null,
    summary text not null,
    first_answer_id uuid not null,
    last_answer_id uuid not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    turns int not null,
    made_by text not null check (made_by in ('model', 'rules')),
    made_at timestamptz not null default now(),
    is_valid boolean not null default true
);

create index on conversation_summaries (user_id);
create index on conversation_summaries (conversation_id) where not is_valid;

comment on table conversation_summaries is
    'What was said in long conversations before the messages that still go along with a chat, in short: made by job summarise-conversations.';
comment on column conversation_summaries.first_answer_id is
    'The turns it covers: from this answer, of first_at, to last_answer_id, of last_at, so many turns.';
comment on column conversation_summaries.made_by is 'Who made it, or added the last of it: a model, or rules.';
comment on column conversation_summaries.is_valid is 'False when one of its turns was deleted, changed or given anew: it is not used, and made again.';

-- Feedback whose text the rules do not understand, for the job read-feedback.
create table feedback_to_read (
    answer_id uuid primary key,
    user_id uuid not null,
    noted_at timestamptz not null default now()
);

create index on feedback_to_read (user_id);

comment on table feedback_to_read is 'Answers whose feedback_text says nothing that the rules understand: a model is to read it, once.';

create table system_prompts (
    id uuid primary key,
    prompt text not null,
    version_id uuid,
    created_at timestamptz not null default now()
);

comment on table system_prompts is
    'System prompts as far as they are not a user''s own (persona, rules, tone), each once, whatever number of answers were made with it. Nothing is ever deleted here: workers remember what there is.';
comment on column system_prompts.id is 'uplift.prompt_id(prompt).';
comment on column system_prompts.version_id is 'Which of prompt_versions it was made from; null where that cannot be told.';

create table prompt_versions (
    id uuid primary key,
    name text not null,
    personality text not null,
    prompt_suffix text not null,
    created_at timestamptz not null default now()
);

comment on table prompt_versions is
    'Each wording of a coach''s prompt that answers were given with, whatever severity and mode: what an admin wrote, and what experiments and rollouts made of it.';
comment on column prompt_versions.id is 'By content: uplift.prompt_version_id(name, personality, prompt_suffix).';
comment on column prompt_versions.prompt_suffix is 'All that was added to its end (uplift.prompt_end): prompt_suffix, and guidelines behind it.';
comment on column prompt_versions.created_at is 'When an answer first had it.';

create table feedback_events (
    id bigint generated always as identity primary key,
    event_id uuid not null unique default uplift.uuid_v7(),
    answer_id uuid not null,
    user_id uuid not null,
    changes jsonb not null,
    source text,
    given_at timestamptz not null default now(),
    recorded_at timestamptz not null default clock_timestamp()
);

create index on feedback_events (answer_id);
create index on feedback_events (user_id, id);

comment on table feedback_events is
    'Every word of feedback in the order it got here: history, which says what stood when. Nothing on the way of a chat reads it. No foreign key, because feedback may come before its answer.';
comment on column feedback_events.event_id is 'Made when the feedback was accepted, so that it counts once.';
comment on column feedback_events.changes is
    'helpful, rating, feedback_text: only what was news when it got here, null for taken back.';
comment on column feedback_events.source is 'Which way it came: route, rest, sql.';
comment on column feedback_events.given_at is 'When the feedback was accepted; recorded_at is when it got here.';

create table feedback_said (
    answer_id uuid not null,
    user_id uuid not null,
    field text not null check (field in ('helpful', 'rating', 'feedback_text')),
    said_at timestamptz not null,
    waiting jsonb,
    primary key (answer_id, user_id, field)
) with (
    -- A later word only moves said_at, which no index holds: with room on the page no index is touched.
    fillfactor = 80
);

create index on feedback_said (answer_id) where waiting is not null;
create index on feedback_said (user_id) where waiting is not null;

comment on table feedback_said is
    'The last word on each field of an answer''s feedback: when it was said, so that one from before that comes late does not count.';
comment on column feedback_said.waiting is
    'What was said of an answer that has no row yet (a JSON null takes back); null when it is in the row.';

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

-- What a user had us forget is not learnt again. The words themselves are gone.
create table forgotten_memories (
    user_id uuid not null,
    fingerprint uuid not null,
    forgotten_at timestamptz not null default now(),
    primary key (user_id, fingerprint)
);

comment on table forgotten_memories is 'What users had us forget, so that it is not learnt again.';
comment on column forgotten_memories.fingerprint is 'The first 128 bits of the SHA-256 of its kind and words (uplift.memory_fingerprint).';
