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
