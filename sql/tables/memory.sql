-- What is known of a user across conversations.
create table ai_episodic_memory (
    id uuid primary key default uplift.uuid_v7(),
    user_id uuid not null,
    memory_type text not null,
    memory_text text not null,
    importance_score numeric default 5.0 check (importance_score >= 0 and importance_score <= 10),
    related_conversation_id uuid,
    extracted_at timestamptz default now(),
    last_accessed timestamptz,
    access_count int default 0,
    is_active boolean default true,
    expires_at timestamptz,
    subject text,
    source text not null default 'deployment' check (source in ('rules', 'model', 'user', 'feedback', 'deployment')),
    said_count int not null default 1,
    last_said_at timestamptz,
    is_pinned boolean not null default false,
    superseded_by uuid,
    words text[],
    is_negative boolean,
    answer_id uuid,
    coach_id text,
    created_at timestamptz default now()
);

create index on ai_episodic_memory (user_id, importance_score desc nulls last);
create index on ai_episodic_memory (user_id) where source = 'feedback' and is_active;
create index on ai_episodic_memory (user_id) where is_pinned;
create index on ai_episodic_memory (superseded_by) where superseded_by is not null;

comment on table ai_episodic_memory is 'Facts about a user that a coach may remember.';
comment on column ai_episodic_memory.memory_type is 'goal, preference, achievement, struggle, milestone and the like.';
comment on column ai_episodic_memory.memory_text is 'The fact, as it goes into the prompt.';
comment on column ai_episodic_memory.importance_score is '0 to 10; the most important go into the prompt first.';
comment on column ai_episodic_memory.related_conversation_id is 'Where it was said; with extracted_at.';
comment on column ai_episodic_memory.last_accessed is 'Last use in a prompt; with access_count.';
comment on column ai_episodic_memory.subject is 'Whom it is about, as a word of kinship or the like; null: the user.';
comment on column ai_episodic_memory.source is 'Where it is from: what the user said, by rules or a model; the user; a wish in their feedback; or something else of the deployment.';
comment on column ai_episodic_memory.said_count is 'How often it was said; with last_said_at.';
comment on column ai_episodic_memory.is_pinned is 'True when the user wants it always to be remembered: it neither fades nor makes room.';
comment on column ai_episodic_memory.superseded_by is 'The memory that came in its place, when what is so has changed.';
comment on column ai_episodic_memory.words is 'What it is about, to find what says the same: words and is_negative, kept in step with the text.';
comment on column ai_episodic_memory.answer_id is 'The answer whose feedback it comes from, and coach_id whom a wish in it is for; null: all coaches.';
comment on column ai_episodic_memory.is_active is 'False when forgotten; with expires_at, when it fades.';

create table ai_context_cache (
    id uuid primary key default uplift.uuid_v7(),
    user_id uuid not null,
    context_type text not null check (context_type in ('user_summary', 'recent_foods', 'current_goals',
        'conversation_history', 'preferences', 'nutrition_knowledge', 'behavioral_patterns', 'chat_context')),
    context_data jsonb not null,
    context_text text,
    context_version int default 1,
    data_sources text[],
    expires_at timestamptz,
    last_accessed timestamptz,
    last_refreshed timestamptz default now(),
    access_count int default 0,
    cache_hit_rate numeric,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    unique (user_id, context_type)
);

comment on table ai_context_cache is 'Prepared context of a user, one row a kind.';
comment on column ai_context_cache.context_type is
    'chat_context is what uplift itself makes of traits, memories and the other rows, to prepare chats with (uplift.user_context); the others are the deployment''s.';
comment on column ai_context_cache.context_data is 'Content: context_data, and context_text as it goes into a prompt.';
comment on column ai_context_cache.context_version is 'Origin: context_version, data_sources, last_refreshed.';
comment on column ai_context_cache.expires_at is 'Use: expires_at, last_accessed, access_count, cache_hit_rate.';
