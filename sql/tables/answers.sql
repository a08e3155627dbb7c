-- One answer, one row: the message, the answer, what shaped it, what it cost, what was thought of it.
create table coach_response_feedback (
    id uuid primary key default uplift.uuid_v7(),
    user_id uuid not null,
    coach_id text,
    user_message text not null,
    ai_response text not null,
    system_prompt text,
    severity numeric(2, 1),
    mode text,
    helpful boolean,
    rating int check (rating between 1 and 5),
    feedback_text text,
    conversation_id uuid,
    response_time_ms int,
    tokens_used int,
    created_at timestamptz not null default now(),

    outcome text default 'complete' check (outcome in ('complete', 'partial', 'cancelled', 'failed')),
    error_code text,
    model_used text,
    provider text,
    protocol text check (protocol in ('chat', 'completions')),
    streamed boolean,
    finish_reason text,
    prompt_tokens int,
    completion_tokens int,
    cached_tokens int,
    usage_estimated boolean,
    cost_usd numeric,
    saved_usd numeric,
    time_to_first_token_ms int,
    attempts jsonb,
    request_messages jsonb,
    answers_tools boolean,
    response_message jsonb,
    request_id text,
    regenerate_of uuid,
    history_turns int,
    degraded boolean,
    from_cache boolean,
    cache_source_id uuid,
    exposures jsonb,
    memory_ids uuid[],
    source_ids uuid[],
    example_ids uuid[],
    passage_ids uuid[],
    photo_id uuid,
    citations jsonb,
    withheld text[],
    feedback_given_at timestamptz,
    system_prompt_id uuid,
    personal_prompt text
) with (
    -- Rows arrive once and change at most by a thumb: room on the page for that change, and a
    -- vacuum after a fixed number of rows, because a share of a hundred million comes too seldom.
    fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 500000,
    toast.autovacuum_vacuum_insert_scale_factor = 0, toast.autovacuum_vacuum_insert_threshold = 500000
);

create index on coach_response_feedback (conversation_id, created_at);
create index on coach_response_feedback (user_id, created_at);
-- Small, and touched by no answer but those given anew: what took an answer's place.
create index on coach_response_feedback (regenerate_of) where regenerate_of is not null;
create index on coach_response_feedback (conversation_id, created_at) where regenerate_of is not null;

comment on table coach_response_feedback is
    'Every answer a coach gave, one row each: what was asked and said, what shaped it, what it cost, and the user''s feedback.';
comment on column coach_response_feedback.id is
    'The answer''s id: UUID version 7, the feedback id that clients get, and the tail of the chatcmpl- id.';
comment on column coach_response_feedback.user_id is 'Who asked.';
comment on column coach_response_feedback.coach_id is
    'The persona (brand_assets.asset_name); null when the request named none.';
comment on column coach_response_feedback.user_message is
    'Text of the last user message. The conversation: user_message, ai_response, system_prompt, severity, mode.';
comment on column coach_response_feedback.ai_response is
    'Text of the answer, as far as it was said; empty when nothing was.';
comment on column coach_response_feedback.system_prompt is
    'The system prompt that was sent; null also where it is only in its parts (the setting answers.whole_prompts). The view uplift.answer_prompts has it of all.';
comment on column coach_response_feedback.system_prompt_id is
    'What of the system prompt others share: uplift.system_prompts. personal_prompt came after it.';
comment on column coach_response_feedback.personal_prompt is 'What of the system prompt is the user''s own: facts, memories.';
comment on column coach_response_feedback.severity is 'How hard the coach was to be, 1.0 to 6.0.';
comment on column coach_response_feedback.mode is 'default or roast.';
comment on column coach_response_feedback.helpful is
    'Thumb: true up, false down, null none. Feedback: helpful, rating, feedback_text; users may change these and no others.';
comment on column coach_response_feedback.rating is 'Stars, 1 to 5.';
comment on column coach_response_feedback.feedback_text is 'The user''s comment.';
comment on column coach_response_feedback.feedback_given_at is 'When feedback last changed.';
comment on column coach_response_feedback.conversation_id is 'The conversation (uplift.conversations) this answer belongs to.';
comment on column coach_response_feedback.response_time_ms is 'From the request''s arrival to the answer''s end.';
comment on column coach_response_feedback.time_to_first_token_ms is 'From the request''s arrival to the first text.';
comment on column coach_response_feedback.tokens_used is
    'prompt_tokens + completion_tokens. Use: prompt_tokens, completion_tokens, cached_tokens, usage_estimated, cost_usd.';
comment on column coach_response_feedback.prompt_tokens is 'Tokens sent, as the provider counted them, at most 100 million.';
comment on column coach_response_feedback.completion_tokens is 'Tokens answered, as the provider counted them, at most 100 million.';
comment on column coach_response_feedback.cached_tokens is 'Of prompt_tokens, those the provider had cached.';
comment on column coach_response_feedback.usage_estimated is
    'True when the provider sent no counts, or none that can be, and they were estimated.';
comment on column coach_response_feedback.cost_usd is
    'US dollars by uplift.model_prices at the time; null when the model has no price there.';
comment on column coach_response_feedback.saved_usd is
    'Of an answer from the cache: what the answer it came from had cost.';
comment on column coach_response_feedback.created_at is 'When the answer was recorded as ended.';
comment on column coach_response_feedback.outcome is
    'complete, partial (cut by the provider), cancelled (the client left) or failed. How it went: outcome, error_code, finish_reason, attempts.';
comment on column coach_response_feedback.error_code is 'Why an answer is not complete, in the codes clients see.';
comment on column coach_response_feedback.finish_reason is 'The provider''s finish_reason.';
comment on column coach_response_feedback.attempts is 'Calls to providers made for this answer, failed ones too.';
comment on column coach_response_feedback.model_used is
    'The model that answered. Route: model_used, provider, protocol, streamed, request_id.';
comment on column coach_response_feedback.provider is 'Who runs the model.';
comment on column coach_response_feedback.protocol is 'chat (/v1/chat) or completions (/v1/chat/completions).';
comment on column coach_response_feedback.streamed is 'True when the client asked for a stream.';
comment on column coach_response_feedback.request_id is 'X-Request-Id of the request, as in the logs.';
comment on column coach_response_feedback.request_messages is
    'The messages of a completions request beside the last user message; images as hash and size. user_message_at is there when others follow it: how many come before it.';
comment on column coach_response_feedback.answers_tools is
    'True when the request ended with the results of tools: its user_message is then that of the turn before.';
comment on column coach_response_feedback.response_message is 'Tool calls and refusals of the answer.';
comment on column coach_response_feedback.regenerate_of is
    'The answer this one takes the place of, with what came after that one (uplift.replaced_times). What shaped it: regenerate_of, degraded, from_cache, cache_source_id, exposures, memory_ids, passage_ids, photo_id, source_ids, citations, example_ids, withheld.';
comment on column coach_response_feedback.history_turns is
    'How many turns of the conversation went along, where that was not all of them.';
comment on column coach_response_feedback.degraded is 'True when made without the database: last known persona, no memory.';
comment on column coach_response_feedback.from_cache is 'True when the text came from an earlier answer.';
comment on column coach_response_feedback.cache_source_id is 'That earlier answer, where it is the same user''s; of others see uplift.cache_sources.';
comment on column coach_response_feedback.exposures is 'Experiments and variants this answer was made under.';
comment on column coach_response_feedback.memory_ids is 'Memories (ai_episodic_memory) that were in the prompt.';
comment on column coach_response_feedback.source_ids is 'Knowledge (ai_knowledge_sources) that was in the prompt.';
comment on column coach_response_feedback.example_ids is 'Well-rated answers that were in the prompt as examples.';
comment on column coach_response_feedback.passage_ids is 'Answers of the user''s other conversations that the prompt quoted.';
comment on column coach_response_feedback.photo_id is
    'The photo of a meal (uplift.food_photos) that was shown: with the message, or with that of the answer it takes the place of.';
comment on column coach_response_feedback.citations is
    'What the numbers in the answer stand for: [{"number", "source_id", "part", "title", "url"}] of ai_knowledge_sources.';
comment on column coach_response_feedback.withheld is
    'What there was and was kept back, to measure what it is worth: memories, passages, knowledge, examples.';
