-- What of a user's memories and earlier conversations has which words: see functions/coach/recall.sql.
create table memory_words (
    key bigint not null,
    memory_id uuid not null,
    w real not null,
    primary key (key, memory_id) include (w)
);

create index on memory_words (memory_id);

comment on table memory_words is
    'Which memories have which words, of those that count: a row for each distinct word of a memory. Kept in step by triggers of ai_episodic_memory.';
comment on column memory_words.key is 'uplift.word_key() of the user and the word, so that one user''s words lie apart from another''s.';
comment on column memory_words.w is 'What the word is worth in it, by BM25 without idf.';

create table passages (
    user_id uuid not null,
    pos int not null,
    answer_id uuid not null unique,
    conversation_id uuid not null,
    said_at timestamptz not null,
    nth int not null,
    mean_length real not null,
    keys bigint[] not null,
    primary key (user_id, pos)
);

create index on passages (conversation_id);

comment on table passages is
    'The turns of users'' conversations (an answer and its question) that may be looked for in later ones. Written after the answer, off its path; gone with the answer or its conversation.';
comment on column passages.pos is 'Where it stands: 1000 times the number of the conversation among the user''s, and which turn of it. A conversation with more than 1000 turns goes on under another number.';
comment on column passages.nth is 'How many turns of the user there were, with this one, and mean_length, how many words they have on average: those of the last one are good enough for what words are worth.';
comment on column passages.keys is 'Keys of its words in passage_words, to take them out again.';

create table passage_words (
    key bigint not null,
    pos int not null,
    w real not null,
    primary key (key, pos) include (w)
);

comment on table passage_words is 'Which turns have which words, as memory_words.';

create table context_effects (
    kind text not null check (kind in ('memories', 'passages', 'knowledge', 'examples')),
    item uuid not null default '00000000-0000-0000-0000-000000000000',
    measured_at timestamptz not null default now(),
    n_with int not null,
    users_with int not null,
    rate_with double precision not null,
    n_without int not null,
    users_without int not null,
    rate_without double precision not null,
    difference double precision not null,
    low double precision not null,
    high double precision not null,
    shrunk double precision,
    shrunk_high double precision,
    demoted_at timestamptz,
    demoted_n int,
    primary key (kind, item)
);

create table demotions (
    kind text not null check (kind in ('passages', 'knowledge', 'examples')),
    hash uuid not null,
    factor real not null check (factor >= 0 and factor <= 1),
    demoted_at timestamptz not null default now(),
    primary key (kind, hash)
);

comment on table demotions is
    'What was demoted by the job measure-context for having hurt, and counts less as long as it says the same, in whichever row it is. Memories are not here: theirs is their importance.';
comment on column demotions.hash is
    'uplift.piece_hash() of a piece of knowledge, uplift.example_hash() of an example; of a passage the answer''s id.';
comment on column demotions.factor is 'What its weight in search_texts is multiplied by; 0 for a passage, which is not looked for any more.';

comment on table context_effects is
    'What memories, passages of earlier conversations, knowledge and examples do to ratings: shares of thumbs up of answers that were made with them and without, by the job measure-context.';
comment on column context_effects.item is
    'One memory, source, or answer (passage, example); zeros for all of the kind, compared with the answers from which it was withheld.';
comment on column context_effects.n_with is 'Thumbs, of users_with people, of which rate_with are up; and without.';
comment on column context_effects.difference is 'rate_with less rate_without, and its interval of 95 %.';
comment on column context_effects.shrunk is 'The difference of one item, shrunk to the mean of its kind, and the upper end of its interval.';
comment on column context_effects.demoted_at is 'When it was last demoted, having hurt, at demoted_n thumbs.';
