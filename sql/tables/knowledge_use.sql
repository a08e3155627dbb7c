-- Beside ai_knowledge_sources: its counts, off the path of answers and of feedback.
create table knowledge_queue (
    id bigint generated always as identity primary key,
    answer_id uuid not null,
    source_ids uuid[]
);

comment on table knowledge_queue is
    'Answers by which counts of ai_knowledge_sources change: appended to by triggers, so that nobody waits for the row of a source that many rate; worked on by uplift_batch.count_knowledge_use().';
comment on column knowledge_queue.source_ids is 'Of a new answer what it was offered; null where feedback on it changed.';

create table knowledge_votes (
    answer_id uuid primary key,
    source_ids uuid[] not null,
    helpful boolean not null
);

comment on table knowledge_votes is 'Thumbs that are counted: on which answer, for or against which sources, so that one that changes is counted the other way, and no more than once.';

create table knowledge_counts (
    source_id uuid primary key,
    referenced bigint not null default 0,
    helpful bigint not null default 0,
    not_helpful bigint not null default 0
);

comment on table knowledge_counts is 'What is yet to be added to the counts of sources, the votes less than nothing where more were taken back than given.';
