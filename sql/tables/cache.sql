-- Beside ai_response_cache: what changes too often for its rows, and what keeps an answer out of it.
create table cache_hits (
    id bigint generated always as identity primary key,
    source_answer_id uuid not null,
    hits int not null,
    saved_usd numeric,
    last_hit_at timestamptz not null
);

comment on table cache_hits is
    'Hits that are not yet in ai_response_cache''s counts: one row an answer that was given again and a group of recorded answers, so that two who record never wait for each other; counted up by uplift.count_cache_hits().';

create table cache_dislikes (
    source_answer_id uuid not null,
    answer_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (source_answer_id, answer_id)
);

comment on table cache_dislikes is
    'Answers rated badly whose text is in the cache: while one stands, the entry is not given again.';
comment on column cache_dislikes.source_answer_id is 'The answer the text was first.';
comment on column cache_dislikes.answer_id is 'The one that was rated: that answer itself, or one given from the cache.';

create table cache_sources (
    answer_id uuid primary key,
    source_answer_id uuid not null
);
create index cache_sources_source_idx on cache_sources (source_answer_id);

comment on table cache_sources is
    'Answers given from the cache whose text was first another user''s: which that was, so long as it is in the cache. Their own rows, which their users can read, do not name it.';
