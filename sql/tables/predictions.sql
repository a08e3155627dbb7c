-- What models foretold and how it turned out; what went wrong.
create table ai_predictions (
    id uuid primary key default uplift.uuid_v7(),
    user_id uuid not null,
    prediction_type text not null check (prediction_type in ('food_suggestion', 'portion_size', 'meal_plan',
        'calorie_estimate', 'macro_breakdown', 'food_classification', 'coaching_response')),
    model_name text not null,
    model_version text not null,
    input_data jsonb,
    predicted_output jsonb,
    confidence_score numeric check (confidence_score between 0 and 1),
    actual_user_choice jsonb,
    user_accepted boolean,
    user_satisfaction_rating int check (user_satisfaction_rating between 1 and 5),
    prediction_accuracy numeric,
    feedback_delay_seconds int,
    feedback_received_at timestamptz,
    created_at timestamptz default now()
);

create index on ai_predictions (user_id, created_at);
create index on ai_predictions (created_at);

comment on table ai_predictions is 'Predictions shown to users, and what the users then did.';
comment on column ai_predictions.model_name is
    'Prediction: prediction_type, model_name, model_version, input_data, predicted_output, confidence_score.';
comment on column ai_predictions.confidence_score is
    'How likely it was held to be that the user accepts it, or, of what is neither accepted nor refused, that it is right: 0 to 1.';
comment on column ai_predictions.actual_user_choice is
    'What came: actual_user_choice, user_accepted, user_satisfaction_rating, prediction_accuracy, feedback_delay_seconds, feedback_received_at.';
comment on column ai_predictions.prediction_accuracy is
    'From 0 to 1, by uplift.prediction_accuracy() unless whoever wrote the outcome says otherwise; feedback_delay_seconds and feedback_received_at are likewise filled by a trigger.';

create table ai_errors (
    id uuid primary key default uplift.uuid_v7(),
    user_id uuid,
    error_type text not null,
    model_name text,
    model_version text,
    input_data jsonb,
    error_message text,
    stack_trace text,
    user_visible boolean default false,
    user_retry_count int default 0,
    auto_recovered boolean default false,
    manual_intervention_required boolean default false,
    resolved_at timestamptz,
    created_at timestamptz default now(),

    provider text,
    attempt int,
    http_status int,
    error_code text,
    duration_ms int,
    answer_id uuid,
    request_id text,
    fingerprint text,
    recorded_at timestamptz default now()
);

create index on ai_errors (user_id);
create index on ai_errors (created_at);
create index on ai_errors (fingerprint, created_at, id);

comment on table ai_errors is 'Failures of models and providers.';
comment on column ai_errors.error_type is
    'Failure: error_type, model_name, model_version, input_data, error_message, stack_trace.';
comment on column ai_errors.attempt is
    'Which call of the answer it was, from 1; 0: it failed without one. Route: provider, model_name, attempt, http_status, duration_ms.';
comment on column ai_errors.answer_id is 'The answer it happened to; request_id is in the logs.';
comment on column ai_errors.error_code is 'What the client was told, where this was the last failure.';
comment on column ai_errors.fingerprint is 'What failures that are alike have in common (uplift.error_fingerprint).';
comment on column ai_errors.user_visible is
    'Effect: user_visible, user_retry_count, auto_recovered, manual_intervention_required, resolved_at.';

create table food_photo_training_data (
    id uuid primary key default uplift.uuid_v7(),
    user_id uuid not null,
    food_entry_id uuid,
    photo_url text not null,
    photo_hash text,
    model_version text not null,
    ai_detected_foods jsonb not null,
    ai_estimated_portions jsonb,
    ai_estimated_calories numeric,
    ai_estimated_macros jsonb,
    analysis_time_ms int,
    user_confirmed_foods jsonb,
    user_confirmed_portions jsonb,
    user_confirmed_calories numeric,
    user_confirmed_macros jsonb,
    correction_severity text check (correction_severity in ('none', 'minor', 'major', 'completely_wrong')),
    user_correction_time_seconds int,
    lighting_quality text,
    image_angle text,
    background_complexity text,
    corrected_at timestamptz,
    created_at timestamptz default now()
);

create index on food_photo_training_data (user_id, created_at);

comment on table food_photo_training_data is 'Photos of meals: what the model saw in them and what the user said it was.';
comment on column food_photo_training_data.ai_detected_foods is
    'Seen, as [{"name","confidence"}]; with ai_estimated_portions, ai_estimated_calories, ai_estimated_macros, analysis_time_ms.';
comment on column food_photo_training_data.user_confirmed_foods is
    'Said: user_confirmed_foods, user_confirmed_portions, user_confirmed_calories, user_confirmed_macros, corrected_at.';
comment on column food_photo_training_data.correction_severity is
    'How wrong it was: none, minor, major or completely_wrong; with user_correction_time_seconds.';
comment on column food_photo_training_data.lighting_quality is 'Picture: lighting_quality, image_angle, background_complexity.';
