-- Knowledge that answers draw on, and answers worth giving again.
create table ai_knowledge_sources (
    id uuid primary key default uplift.uuid_v7(),
    source_type text check (source_type in ('usda_api', 'nutrition_research', 'fitness_guidelines',
        'medical_database', 'recipe_database', 'faq', 'coaching_script', 'user_generated')),
    source_url text,
    source_name text not null,
    source_authority text,
    title text,
    content text not null,
    summary text,
    structured_data jsonb,
    reliability_score numeric check (reliability_score between 0 and 10),
    peer_reviewed boolean default false,
    last_verified timestamptz,
    verification_method text,
    topic_tags text[],
    target_audience text,
    coach_ids text[],
    times_referenced int default 0,
    helpful_votes int default 0,
    not_helpful_votes int default 0,
    is_active boolean default true,
    deprecated_by uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);

comment on table ai_knowledge_sources is 'Texts that answers may draw on.';
comment on column ai_knowledge_sources.source_type is 'Origin: source_type, source_url, source_name, source_authority.';
comment on column ai_knowledge_sources.content is 'Text: title, content, summary, structured_data, topic_tags, target_audience.';
comment on column ai_knowledge_sources.coach_ids is 'The coaches that may draw on it; null for all.';
comment on column ai_knowledge_sources.reliability_score is
    '0 to 10. Trust: reliability_score, peer_reviewed, last_verified, verification_method.';
comment on column ai_knowledge_sources.times_referenced is
    'Use, up to the last run of the job count-knowledge-use: answers whose prompt had it (times_referenced), and thumbs on answers that cite it (helpful_votes, not_helpful_votes).';
comment on column ai_knowledge_sources.coach_ids is 'The coaches that may draw on it; null for all.';
comment on column ai_knowledge_sources.target_audience is
    'For whom it is: null, general, everybody, everyone or all for all users, else those whose trait audience has one of these words, parted by commas.';
comment on column ai_knowledge_sources.is_active is 'False when withdrawn; deprecated_by names the successor.';

create table ai_response_cache (
    id uuid primary key default uplift.uuid_v7(),
    cache_key text unique,
    coach_id text,
    severity numeric(2, 1),
    mode text,
    model_used text,
    user_message text,
    ai_response text,
    source_answer_id uuid,
    hit_count int default 0,
    cost_saved_usd numeric default 0,
    last_hit_at timestamptz,
    expires_at timestamptz,
    is_active boolean default true,
    created_at timestamptz default now()
);

create index on ai_response_cache (source_answer_id);

comment on table ai_response_cache is 'Answers that may be given again to the same question.';
comment on column ai_response_cache.cache_key is
    'Hash of all that shapes the answer. For people to see: coach_id, severity, mode, model_used.';
comment on column ai_response_cache.ai_response is 'Not filled, as is user_message: the text stays in the row of source_answer_id, the answer it was first.';
comment on column ai_response_cache.hit_count is 'Use, up to the last run of uplift.count_cache_hits(): hit_count, cost_saved_usd, last_hit_at.';
comment on column ai_response_cache.expires_at is 'End: expires_at, or is_active false when feedback withdrew it.';
