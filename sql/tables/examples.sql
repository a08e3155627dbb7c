-- What stands behind training examples: where each came from, what there is to look at again, which
-- were dropped for which, and frozen versions of datasets.
create table training_example_sources (
    example_id uuid not null,
    position int not null,
    answer_id uuid not null,
    user_id uuid not null,
    primary key (example_id, position)
);

create index on training_example_sources (answer_id);
create index on training_example_sources (user_id);

comment on table training_example_sources is
    'All answers an example was made from, in their order; of a preference pair the better one first. Without foreign keys, which would cost more than the rows; triggers keep it.';

create table training_queue (
    id bigint generated always as identity primary key,
    answer_id uuid,
    conversation_id uuid,
    user_id uuid,
    lane smallint,
    check (num_nonnulls(answer_id, conversation_id, user_id) = 1)
) with (
    -- Rows come and go: vacuum soon, so that the beginning of the index stays short.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000
);

create index on training_queue (lane, id) where lane is not null;
-- What is to become such.
create index on training_queue (id) where lane is null;

comment on table training_queue is
    'What training examples are to be brought in step with: an answer, or all of a conversation or of a user. Whoever gives feedback only appends, and so never waits for who reads; the same thing may be in it several times.';
comment on column training_queue.lane is 'uplift.training_lane() of the answer''s user; null until that is looked up.';

create table training_duplicates (
    dataset_id uuid not null,
    answer_id uuid not null,
    rejected_id uuid,
    turns int not null default 1,
    example_id uuid,
    is_exact boolean not null,
    dropped_at timestamptz not null default now(),
    unique nulls not distinct (answer_id, dataset_id, rejected_id)
);

create index on training_duplicates (example_id);
create index on training_duplicates (rejected_id) where rejected_id is not null;

comment on table training_duplicates is
    'Examples that were not made, or were taken back, because another says the same: answer_id is the first answer it would be made from, example_id the one that was kept; null when that is gone or changed, and this one is in the queue to be looked at again.';
comment on column training_duplicates.rejected_id is 'Of a pair, the worse answer.';
comment on column training_duplicates.turns is 'Of how many turns of its conversation it would be.';
comment on column training_duplicates.is_exact is 'True for the same words, false for nearly the same.';

create table training_bands (
    band bigint not null,
    precedence int not null,
    source_id uuid not null,
    primary key (band, precedence, source_id)
);

comment on table training_bands is
    'Hashes of parts of an example''s sketch (ai_training_examples.bands), by its precedence and first answer: examples that share one may be near duplicates.';

create table dataset_versions (
    id uuid primary key default uplift.uuid_v7(),
    dataset_id uuid not null,
    version int not null check (version > 0),
    min_quality numeric not null,
    total_examples int not null,
    train_examples int not null,
    validation_examples int not null,
    test_examples int not null,
    tokens bigint not null,
    content_hash text not null,
    created_at timestamptz not null default now(),
    created_by text,
    note text,
    unique (dataset_id, version)
);

comment on table dataset_versions is
    'Datasets as they were at a time, so that what a model was trained on can be named and made again. Counts are those of then.';
comment on column dataset_versions.min_quality is 'The least quality_score that was taken.';
comment on column dataset_versions.content_hash is
    'sha256, in hex, of all lines "example id, split, content hash" in the order of ids: two versions with the same one are the same.';

create table dataset_version_examples (
    version_id uuid not null,
    example_id uuid not null,
    content_hash bytea,
    split text,
    primary key (version_id, example_id)
);

create index on dataset_version_examples (example_id);

comment on table dataset_version_examples is
    'The examples of a version. A row whose example is gone is one of a person who was erased.';

-- Counts that lists and exports begin with. Triggers keep them: see uplift.change_counts().
create table dataset_cells (
    dataset_id uuid not null,
    split text,
    quality numeric,
    examples bigint not null,
    tokens bigint not null,
    unique nulls not distinct (dataset_id, split, quality)
);

comment on table dataset_cells is 'How many examples of a split and a quality_score there are in a set, and their tokens.';

create table dataset_tags (
    dataset_id uuid not null,
    tag text not null,
    examples bigint not null,
    primary key (dataset_id, tag)
);

comment on table dataset_tags is 'How many examples of a set have a tag.';

create table dataset_version_cells (
    version_id uuid not null,
    split text,
    quality numeric,
    examples bigint not null,
    tokens bigint not null,
    unique nulls not distinct (version_id, split, quality)
);

comment on table dataset_version_cells is
    'As dataset_cells, of a version: those of its examples that are there and the same as they were.';

create table training_failures (
    answer_id uuid primary key,
    reason text not null,
    failed_at timestamptz not null default now()
);

comment on table training_failures is
    'Answers whose training examples could not be brought in step, and why; the next feedback on one tries again.';

-- What the temporary tables of uplift.make_training_scratch() are like; these here stay empty. Most
-- rows of theirs are to stay in one piece.
create table training_turns (
    answer_id uuid primary key,
    user_id uuid not null,
    conversation_id uuid,
    turn_id uuid not null,
    turn int,
    is_shown boolean not null,
    verdict boolean,
    quality numeric,
    history uuid[],
    history_hash uuid,
    goes_on boolean not null,
    style text not null,
    request jsonb,
    prompt_key bigint,
    coach_id text,
    model_used text,
    tags text[]
);

create index on training_turns (conversation_id, turn);
create index on training_turns (turn_id);

comment on table training_turns is 'Scratch: the answers that are looked at.';
comment on column training_turns.turn_id is 'The answer given first; versions of one turn share it.';
comment on column training_turns.turn is 'Place among the first turns of the conversation, from 1; null for later ones.';
comment on column training_turns.is_shown is 'Whether this is the version of the turn that counts.';
comment on column training_turns.verdict is 'True liked, false disliked; null for neither, and for what may not train models.';
comment on column training_turns.history is
    'The answers that went along as history, in their order; null where the client sent its own. history_hash: of what was said in them.';
comment on column training_turns.goes_on is
    'Whether what went along as history are just the turns before this one, as they count.';
comment on column training_turns.request is 'uplift.read_request() of what the client sent beside the question; null for nothing.';
comment on column training_turns.prompt_key is 'The same for the same system prompt.';
create table training_users (
    user_id uuid primary key,
    names text[]
);

comment on table training_users is 'Scratch: whose answers these are, and what they are called (uplift.profile_names).';

create table training_texts (
    answer_id uuid primary key,
    question jsonb,
    answer jsonb not null,
    question_tokens int not null,
    answer_tokens int not null,
    is_fit boolean not null,
    answers_tools boolean not null,
    said text,
    question_hash uuid,
    answer_hash uuid
);

comment on table training_texts is 'Scratch: questions and answers, redacted, as messages.';
comment on column training_texts.question is 'Null for none.';
comment on column training_texts.is_fit is 'Whether the question is no attempt at injection.';
comment on column training_texts.answers_tools is 'Whether it was asked with the results of tools, after the question of the turn before.';
comment on column training_texts.said is 'Question and answer, normalised; question_hash and answer_hash of each. Null for those that are history alone.';

create table training_inputs (
    answer_id uuid primary key,
    system jsonb,
    history jsonb[],
    tokens int not null
);

comment on table training_inputs is
    'Scratch: what was sent to the model for each answer that has a verdict and may train models: the system message and those of the history, null for none, redacted; tokens of both and of the question.';

create table training_found (
    example_id uuid primary key,
    dataset_id uuid not null,
    source_id uuid,
    rejected_id uuid,
    sources uuid[] not null,
    is_frozen boolean not null,
    is_edited boolean not null,
    is_by_person boolean not null,
    is_repeated boolean not null
);

create index on training_found (rejected_id) where rejected_id is not null;

comment on table training_found is 'Scratch: the examples there are of what is looked at.';
comment on column training_found.is_repeated is 'Whether an older example has the same source: the first sketch made them so.';

create table training_wanted (
    id uuid not null default uplift.uuid_v7(),
    dataset_id uuid not null,
    source_id uuid not null,
    rejected_id uuid,
    sources uuid[] not null,
    user_id uuid not null,
    messages jsonb not null,
    completion jsonb,
    rejected jsonb,
    label boolean,
    likeness uuid not null,
    bands bigint[],
    prompt_hash uuid,
    quality numeric not null,
    precedence int not null,
    is_by_person boolean not null default false,
    tokens int not null,
    turns int not null,
    tags text[] not null,
    coach_id text,
    model_used text,
    example_id uuid,
    replaces uuid,
    is_fresh boolean not null default true,
    duplicate_of uuid,
    is_exact boolean
);

create index on training_wanted (dataset_id, source_id);
create index on training_wanted (id);
create index on training_wanted (example_id) where example_id is not null;
create index on training_wanted (duplicate_of) where duplicate_of is not null;

comment on table training_wanted is 'Scratch: the examples that there should be of what is looked at.';
comment on column training_wanted.precedence is 'uplift.example_precedence() of it; is_by_person: edited or reviewed.';
comment on column training_wanted.example_id is
    'The example that is there already, when there is one; replaces: that one too, or the one that a version names, and whose place this one takes.';
comment on column training_wanted.is_fresh is 'Whether its text was not there before.';
comment on column training_wanted.duplicate_of is 'The example that says the same and is kept; is_exact: word for word.';

create table training_prompts (
    prompt_hash uuid primary key
);

comment on table training_prompts is 'Scratch: prompts whose pairs are to be made anew, because their answers changed.';
