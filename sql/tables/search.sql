-- Texts that are searched for each chat, and what changed of them lately. The search itself is in a copy that each host
-- keeps (src/search/): here is the truth, by which its hits are checked.
create table search_texts (
    id bigint generated always as identity primary key,
    shelf text not null check (shelf in ('knowledge', 'examples')),
    ref uuid not null,
    part int not null default 0,
    language text,
    title text,
    body text not null,
    weight real not null default 1 check (weight >= 0 and weight <= 100),
    is_active boolean not null default true,
    created_at timestamptz not null default now()
);

create index on search_texts (ref);
create index on search_texts (shelf, id) where is_active;

comment on table search_texts is
    'What is searched: chunks of knowledge, and answers as examples. A changed text gets a new row, the old one is made inactive or deleted.';
comment on column search_texts.ref is 'Whose text it is: a row of ai_knowledge_sources, or an answer; part is its place there.';
comment on column search_texts.language is 'ISO 639-1; null: as uplift.text_language() finds it from the body.';
comment on column search_texts.title is 'Headings above the body: their words count three times.';
comment on column search_texts.weight is 'What the score is multiplied by.';
comment on column search_texts.is_active is 'False at once takes it out of every search.';

create table search_log (
    tx xid8 not null default pg_current_xact_id(),
    text_id bigint not null,
    shelf text not null,
    words jsonb
);

create index on search_log (shelf, tx, text_id);

comment on table search_log is
    'Which texts changed, by transaction: what copies are kept up to date with, and where chats find what their copy has not yet. Written by a trigger.';
comment on column search_log.words is
    'The text''s words with how often each is there, uplift.word_counts() of uplift.search_words(); null when it was withdrawn, or changed with many others in one statement: those wait for the copy.';

create table search_marks (
    horizon xid8 primary key,
    marked_at timestamptz not null default now()
);

comment on table search_marks is
    'Up to which transaction everything was done when: what the log is trimmed by (uplift.trim_search_log).';

create table search_origin (
    is_row boolean primary key default true check (is_row),
    origin text not null
);

comment on table search_origin is
    'The database whose transactions the log counts: numbers of another one, of which this is a restored dump, mean nothing here.';
