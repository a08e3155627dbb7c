-- Beside food_photo_training_data: the photos that came by POST /v1/food-photos, whose files uplift keeps.
create table food_photos (
    id uuid primary key,
    user_id uuid not null,
    photo_hash bytea not null,
    status text not null check (status in ('pending', 'analysed', 'failed', 'off')),
    width int not null,
    height int not null,
    bytes int not null,
    attempts int not null default 0,
    next_at timestamptz not null default now(),
    analysed_at timestamptz,
    error_code text,
    provider text,
    prompt_tokens bigint,
    completion_tokens bigint,
    cost_usd numeric,
    prediction_ids uuid[] not null default '{}',
    created_at timestamptz not null default now(),
    unique (user_id, photo_hash)
);

create index on food_photos (user_id, created_at);
create index on food_photos (next_at) where status = 'pending';

comment on table food_photos is
    'Photos of meals whose files uplift keeps, each beside its row of food_photo_training_data, with which it goes; and how far their analysis is.';
comment on column food_photos.photo_hash is 'SHA-256 of what was sent: the same photo of a user is kept once.';
comment on column food_photos.status is 'pending: a model is still to be asked; analysed; failed: none could say (error_code); off: there is no model for it.';
comment on column food_photos.width is 'Of the picture as it is kept: width, height, bytes.';
comment on column food_photos.attempts is
    'How often the analysis was begun; next_at: when it is to be tried, or, while somebody is at it, when that one is given up.';
comment on column food_photos.provider is 'Who analysed it, and what that took, with all tries that were answered: provider, prompt_tokens, completion_tokens, cost_usd (null: no price is known).';
comment on column food_photos.prediction_ids is 'Its rows of ai_predictions.';

-- What a deletion takes nothing from.
create table photos_taken (
    user_id uuid not null,
    hour timestamptz not null,
    photos int not null,
    primary key (user_id, hour)
);

create index on photos_taken (hour);

comment on table photos_taken is
    'How many photos of a user were taken in an hour, those that are gone since among them: for photos.max_per_day. Job roll-up-usage takes away what is older than two days.';

create table vision_hourly (
    hour timestamptz not null,
    provider text not null,
    model text not null,
    calls bigint not null,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    cost_usd numeric not null,
    unpriced bigint not null,
    primary key (hour, provider, model)
);

comment on table vision_hourly is
    'Answers of models that were asked what is on photos, by the hour (UTC) in which they came: counted when they come, and kept when photos go.';
comment on column vision_hourly.unpriced is 'Answers with tokens whose model has no price: their cost is not known, and not counted.';

create table photo_removals (
    photo_id uuid primary key,
    due_at timestamptz not null,
    erasure_id uuid
);

create index on photo_removals (due_at);
create index on photo_removals (erasure_id) where erasure_id is not null;

comment on table photo_removals is
    'Files of photos that are to be deleted, by a worker of fcgi-chat: those whose row is gone, and, an hour late, those whose row never came.';
comment on column photo_removals.erasure_id is 'The erasure that is not finished before.';
