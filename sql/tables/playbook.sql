-- Playbooks: what is learnt from the comments on a coach's answers, for everyone who has that coach.
create table playbook_guidelines (
    id uuid primary key default uplift.uuid_v7(),
    coach_id text not null,
    text text not null,
    kind text not null check (kind in ('manner', 'content')),
    state text not null default 'gathering' check (state in ('gathering', 'proposed', 'active', 'retired', 'merged')),
    merged_into uuid,
    helpful float8 not null default 0,
    harmful float8 not null default 0,
    made_by text not null check (made_by in ('rules', 'model', 'admin')),
    reason text,
    decided_by text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (coach_id, text)
);

comment on table playbook_guidelines is
    'How a coach should answer, a short sentence each, in words that are no user''s: ours, a model''s, an admin''s, or, about a topic, of several users. Made of comments by job write-playbooks, or by an admin.';
comment on column playbook_guidelines.kind is 'manner: how something is said; content: what is said.';
comment on column playbook_guidelines.state is
    'gathering: too few users yet, or others want the opposite; proposed: in the playbook, to be tried; active: in it, and in production by a rollout; retired; merged into another one (merged_into).';
comment on column playbook_guidelines.helpful is
    'Thumbs up and down (helpful, harmful) on answers that had it, as many as those of independent users would be, and shrunk towards the rate of answers without it (uplift.count_playbook_ratings).';
comment on column playbook_guidelines.reason is 'Why it is in this state: few_users, contradicted, crowded, unfit, harmful, lost, won (in an experiment), promoted (by a rollout), or an admin''s words.';
comment on column playbook_guidelines.decided_by is 'The admin who retired, restored or added it: rules then leave its state alone; null for rules.';

create table playbook_evidence (
    guideline_id uuid not null,
    answer_id uuid not null,
    user_id uuid not null,
    said_at timestamptz not null,
    primary key (guideline_id, answer_id)
);

create index on playbook_evidence (answer_id);
create index on playbook_evidence (user_id);

comment on table playbook_evidence is
    'Which comments a guideline rests on: those on these answers. Rows go with their user, with the comment, and with consent; how many users there are is counted from them.';

create table playbook_comments (
    answer_id uuid primary key,
    user_id uuid not null,
    coach_id text not null,
    said_at timestamptz not null,
    read_at timestamptz
);

create index on playbook_comments (coach_id, answer_id);
create index on playbook_comments (user_id);

comment on table playbook_comments is
    'Answers with a comment that rules do not understand, for a model to find guidelines in, or, without one, for uplift_batch.keep_themes(), for 90 days; read_at: when a model last saw it.';

create table playbook_versions (
    id uuid primary key,
    coach_id text not null,
    text text not null,
    guideline_ids uuid[] not null,
    experiment_id uuid,
    created_at timestamptz not null default now()
);

create index on playbook_versions (coach_id, created_at);

comment on table playbook_versions is
    'Each playbook that there was, whole, as it ends the shared part of prompts where it is tried or in production: its guidelines proposed or active at the time.';
comment on column playbook_versions.id is 'uplift.text_hash() of coach_id, a line break, and text.';
comment on column playbook_versions.experiment_id is
    'The draft that was made to try it. Which experiments tried it says the view uplift.playbook_arms, by the guidelines of their variants.';

create table playbook_users (
    user_id uuid primary key
);

comment on table playbook_users is
    'Users whose comments are to be read once more for playbooks, whenever they were written: those whose consent to training came since.';

create table playbook_cursor (
    is_only boolean primary key default true check (is_only),
    event_id bigint not null
);

comment on table playbook_cursor is 'Up to which of uplift.feedback_events comments were read for playbooks.';
