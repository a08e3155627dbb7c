-- Beside ai_predictions: how good predictions are, and the model that foretells thumbs.
create table prediction_queue (
    id bigint generated always as identity primary key,
    day date not null
);

create index on prediction_queue (day);

comment on table prediction_queue is
    'Days (UTC, of created_at) of which predictions are new, changed or gone: appended to by triggers, so that nobody waits for anybody; worked on by uplift_batch.measure_predictions().';
