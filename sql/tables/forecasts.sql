-- Beside ai_predictions: how good predictions are, and the model that foretells thumbs.
create table prediction_queue (
    id bigint generated always as identity primary key,
    day date not null
);

create index on prediction_queue (day);

comment on table prediction_queue is
    'Days (UTC, of created_at) of which predictions are new, changed or gone: appended to by triggers, so that nobody waits for anybody; worked on by uplift_batch.measure_predictions().';

create table prediction_figures (
    day date not null,
    prediction_type text not null,
    model_name text not null,
    model_version text not null,
    n bigint not null,
    n_outcome bigint not null,
    n_accuracy bigint not null,
    accuracy_sum double precision not null,
    n_judged bigint not null,
    squared_sum double precision not null,
    log_loss_sum double precision not null,
    bin_n bigint[] not null,
    bin_confidence double precision[] not null,
    bin_true bigint[] not null,
    n_numbers bigint not null,
    absolute_sum double precision not null,
    n_percent bigint not null,
    percent_sum double precision not null,
    accuracy double precision,
    brier double precision,
    reliability double precision,
    resolution double precision,
    uncertainty double precision,
    within_bin double precision,
    ece double precision,
    log_loss double precision,
    mae double precision,
    mape double precision,
    measured_at timestamptz not null default now(),
    primary key (day, prediction_type, model_name, model_version)
);

comment on table prediction_figures is
    'How good the predictions of a day (UTC, of created_at) are, by type, model and version, by the job measure-predictions: counts and sums, which can be added up over days, and the figures that are made of them (uplift.figures_of).';
comment on column prediction_figures.n_outcome is 'Those of which an outcome is known; n_accuracy: how right they were, n_judged: whether they came true, and their confidence.';
comment on column prediction_figures.squared_sum is 'Over those judged: the square of confidence less what came (1 or 0); log_loss_sum: the negative logarithm of what was given to it.';
comment on column prediction_figures.bin_n is
    'Of ten equal bins of confidence how many were judged; bin_confidence: the sum of their confidence; bin_true: how many of them came true.';
comment on column prediction_figures.n_numbers is
    'Numbers foretold that came; absolute_sum: of their errors; n_percent: those of which not 0 came, and percent_sum their relative errors.';
comment on column prediction_figures.reliability is
    'Murphy''s decomposition over the ten bins: brier = reliability - resolution + uncertainty + within_bin, the last being what the bins hide.';

create table prediction_watch (
    prediction_type text not null,
    model_name text not null,
    model_version text not null,
    n bigint not null,
    brier double precision not null,
    ece double precision not null,
    reference text check (reference in ('version', 'model')),
    reference_n bigint,
    reference_brier double precision,
    reference_ece double precision,
    exceeds text[] not null default '{}',
    since timestamptz,
    looked_at timestamptz not null default now(),
    primary key (prediction_type, model_name, model_version)
);

comment on table prediction_watch is
    'How predictions of the last days do beside those of before, by the job measure-predictions: the hundred types, models and versions with most outcomes, and all that are worse.';
comment on column prediction_watch.n is 'Of the last days: n judged, brier, ece.';
comment on column prediction_watch.reference is
    'What they are compared with: the same version in the days before, or where it has too few outcomes there, all versions of the model; with reference_n, reference_brier, reference_ece.';
comment on column prediction_watch.exceeds is 'Which of brier and ece are worse than the reference by more than the bound, since when.';

create table thumb_model (
    version int generated always as identity primary key,
    trained_at timestamptz not null default now(),
    trained_until timestamptz not null,
    intercept double precision not null,
    prior_rate double precision not null check (prior_rate > 0 and prior_rate < 1),
    slope double precision not null,
    "offset" double precision not null,
    n_train int not null,
    n_calibrate int not null,
    n_validate int not null,
    iterations int not null,
    rate double precision not null,
    log_loss double precision not null,
    base_log_loss double precision not null,
    brier double precision not null,
    ece double precision not null,
    auc double precision not null
);

comment on table thumb_model is
    'Models of what thumb an answer will get, by the job train-thumb-model; the newest foretells (job score-answers). Their weights are in uplift.thumb_weights.';
comment on column thumb_model.trained_until is 'It was trained on answers of before that, and foretells those of after.';
comment on column thumb_model.prior_rate is 'The share of thumbs up that it was trained on.';
comment on column thumb_model.slope is 'Its calibration: slope and offset of the logarithm of the odds (Platt 1999).';
comment on column thumb_model.n_train is 'Rated answers it was trained on, of six tenths of the users; n_calibrate and n_validate of two tenths each.';
comment on column thumb_model.rate is
    'On the part to validate with: the share of thumbs up, log_loss, what that were without any feature (base_log_loss), Brier score, expected calibration error, area under the ROC curve.';

create table thumb_weights (
    version int not null,
    feature text not null,
    level text not null default '',
    weight double precision not null,
    mean double precision not null default 0,
    scale double precision not null default 1,
    primary key (version, feature, level)
);

comment on table thumb_weights is
    'Weights of uplift.thumb_model: of a number, which counts as (value - mean) / scale, or of a level of coach, mode or model.';

create table thumb_state (
    only_row boolean primary key default true check (only_row),
    scored_to uuid not null
);

comment on table thumb_state is 'The last answer that the job score-answers has looked at.';

create table thumb_queue (
    id bigint generated always as identity primary key,
    answer_id uuid not null
);

comment on table thumb_queue is
    'Answers whose thumb or stars changed, or that are gone: appended to by triggers, so that feedback waits for nothing; worked on by uplift_batch.fill_outcomes().';
