-- Rows that the functions need. What an admin has changed since stays as it is.
insert into uplift.settings (key, value, description)
select 'auth.makes_users',
    to_jsonb(pg_has_role(relowner, 'member') and relowner::regrole::text <> 'supabase_auth_admin'
        and to_regclass('auth.identities') is null
        -- An id is all that is known of a user then.
        and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and a.attnotnull and not a.atthasdef and a.attidentity = '' and a.attname <> 'id')),
    'Whether a user unknown to auth.users is made on first sight: true on plain Postgres, false on Supabase.'
from pg_class c where c.oid = 'auth.users'::regclass
on conflict (key) do nothing;

insert into uplift.model_prices (model, input_per_million, cached_input_per_million, output_per_million)
select v.* from (values
    ('gpt-4.1', 2.00, 0.50, 8.00),
    ('gpt-4.1-mini', 0.40, 0.10, 1.60),
    ('gpt-4.1-nano', 0.10, 0.025, 0.40),
    ('gpt-4o', 2.50, 1.25, 10.00),
    ('gpt-4o-mini', 0.15, 0.075, 0.60)) as v(model, input, cached, output)
where not exists (select from uplift.model_prices p where p.model = v.model);

-- Conversations that were held before uplift came, of users who are still there.
insert into uplift.conversations (id, user_id, coach_id, title, created_at, updated_at)
select distinct on (a.conversation_id) a.conversation_id, a.user_id, a.coach_id, left(a.user_message, 80),
    coalesce(a.created_at, now()), coalesce(max(a.created_at) over (partition by a.conversation_id), now())
from public.coach_response_feedback a
join auth.users u on u.id = a.user_id
where a.conversation_id is not null
    and exists (select 1 from uplift_install.tables
        where target_schema = 'uplift' and target_name = 'conversations' and existing is null)
order by a.conversation_id, a.created_at
on conflict (id) do nothing;

insert into uplift.batch_kinds (name, description, max_attempts, time_limit, one_at_a_time) values
    ('generate-training-data', 'Brings the training examples in step with feedback.', 5, '6 hours', true),
    ('export-dataset', 'Writes a dataset into the export directory, in a trainer''s format.', 5, '6 hours', false),
    ('fine-tune', 'Trains a model on a dataset, and makes it a model version in staging.', 20, '14 days', false),
    ('refresh-model-metrics', 'Works out how each model version does in production.', 5, '1 hour', true),
    ('check-models', 'Asks when base models in use will be shut down.', 5, '1 hour', true)
on conflict (name) do nothing;

insert into uplift.batch_schedules (name, job, arguments, cron, is_enabled, description) values
    ('generate-training-data', 'generate-training-data', '{}', '0 2 * * *', true, 'Training data, daily.'),
    ('export-dataset', 'export-dataset',
        '{"dataset": "User Feedback - Positive Responses", "format": "openai", "min_quality": 6, "if_possible": true}',
        '0 3 * * 0', true, 'An export, weekly.'),
    ('fine-tune', 'fine-tune',
        '{"dataset": "User Feedback - Positive Responses", "if_ready": true, "submit": false}', '0 4 1 * *', true,
        'Whether there is enough to fine-tune, monthly; with "submit": true and a "base_model" it is submitted when there is.'),
    ('refresh-model-metrics', 'refresh-model-metrics', '{}', '7 * * * *', true, 'Figures of model versions, hourly.'),
    ('check-models', 'check-models', '{}', '30 5 * * *', true, 'Shutdown dates of base models, daily.')
on conflict (name) do nothing;

-- US dollars for a million tokens, as published for the models that could be trained in 2026.
insert into uplift.training_prices (model, per_million_tokens) values
    ('gpt-4.1', 25), ('gpt-4.1-mini', 5), ('gpt-4.1-nano', 1.5), ('gpt-4o', 25), ('gpt-4o-mini', 3)
on conflict (model) do nothing;

-- From OpenAI's page of deprecations, as of November 2026.
-- Where the table was there before, others may read its column.
insert into uplift.settings (key, value, description)
select 'answers.whole_prompts', to_jsonb(t.existing is not null),
    'Whether each answer has its whole system prompt in the column system_prompt, besides the part that it shares with others in uplift.system_prompts: true costs space and time.'
from uplift_install.tables t where t.target_schema = 'public' and t.target_name = 'coach_response_feedback'
on conflict (key) do nothing;

insert into uplift.base_models (model, shutdown_date, is_trainable, note) values
    ('gpt-4o-2024-08-06', '2027-01-14', true, 'with every model made of it'),
    ('gpt-4o-2024-11-20', '2027-01-14', true, 'with every model made of it'),
    ('gpt-4o-mini-2024-07-18', '2027-01-14', true, 'with every model made of it'),
    ('gpt-4.1-2025-04-14', '2027-01-14', true, 'with every model made of it'),
    ('gpt-4.1-mini-2025-04-14', '2027-01-14', true, 'with every model made of it'),
    ('gpt-4.1-nano-2025-04-14', '2026-10-23', true, 'with every model made of it'),
    ('gpt-3.5-turbo', '2026-10-23', true, 'with every model made of it')
on conflict (model) do nothing;

insert into uplift.settings (key, value, description) values
    ('training.consent_default', 'false', 'Whether answers of users who did not say (training_consent null) may train models: true or false.'),
    ('training.min_new_examples', '100', 'New examples, since the last run, that a fine-tuning run needs.'),
    ('training.min_days', '30', 'Days since the last fine-tuning run of a dataset.'),
    ('training.min_quality', '6', 'The least quality of an example that goes into a fine-tuning run.'),
    ('budgets.unpriced', '"refuse"', 'What becomes of a chat that falls under a budget and would be answered by a model without a price: refuse, or allow.'),
    ('cache.block_days', '90', 'Days that a question stays out of the cache because its answer was rated badly.'),
    ('memory.max_per_user', '200', 'Memories of one user that are kept: beyond that the weakest go.'),
    ('memory.max_tokens', '300', 'Tokens (of 4 bytes) of the memories in a prompt, beside those that are pinned.'),
    ('memory.passage_tokens', '300', 'Tokens (of 4 bytes) of the passages of earlier conversations in a prompt; 0 for none.'),
    ('memory.credentials', '"refuse"', 'What becomes of passwords, keys, card and account numbers, addresses and numbers to reach somebody in what is remembered: keep, mask or refuse.'),
    ('memory.health', '"keep"', 'What becomes of illnesses and medicines in what is remembered: keep, mask or refuse.'),
    ('memory.minors', '"mask"', 'What becomes of the ages and names of children in what is remembered: keep, mask or refuse.'),
    ('memory.names', '"mask"', 'What becomes of other people''s names in what is remembered: keep, mask or refuse.'),
    ('context.withheld_share', '0.05', 'Share of chats, 0 to 0.5, from which memories, passages, knowledge or examples are kept back, each by itself, to measure what they are worth; a fifth of it of what is known to help.'),
    ('examples.question', '"gist"', 'What is shown of the question when a liked answer serves as an example: gist (a few of its words) or none.'),
    ('examples.max_tokens', '400', 'Room for examples in a prompt; a token is taken for 4 bytes.'),
    ('examples.min_score', '0.5', 'How much of what a message''s six rarest words weigh an example must have to be shown.'),
    ('knowledge.max_tokens', '800', 'Tokens of knowledge in one prompt, at most (four bytes are taken for one).'),
    ('knowledge.min_score', '0.4', 'Knowledge that fits a question less than this is left out: 1 is a passage that has each of the question''s six rarest words once.'),
    ('knowledge.min_similarity', '0.3', 'Knowledge that is found by its embedding is left out where it is less similar to the question than this: the cosine of the angle between the two, 1 for the same.'),
    ('experiments.consent_default', 'true', 'Whether users who did not say (experiments_enabled null) take part in experiments and rollouts: true or false.'),
    ('playbook.min_users', '3', 'Users whose comments say the same before it becomes a guideline of a coach''s playbook.'),
    ('playbook.max_guidelines', '12', 'Guidelines of one playbook, at most 50.'),
    ('playbook.margin', '2', 'Of two guidelines that contradict each other the one counts that has so many times the users of the other; else neither.'),
    ('playbook.min_ratings', '30', 'Thumbs on answers with a guideline, as independent users would give them, before it may be retired for them.'),
    ('playbook.themes', 'true', 'Whether comments that rules do not understand, where no model reads them, become guidelines by words that several users and the coach have in common.'),
    ('experiments.holdout_share', '0', 'Share of users, 0 to 1, that takes part in no experiment, to compare with.'),
    ('autopilot.enabled', 'false', 'Whether autopilot is on; POST /admin/autopilot/start and /stop set it.'),
    ('autopilot.max_usd_per_day', 'null', 'US dollars a day, UTC, that autopilot may spend; without it, it does nothing.'),
    ('autopilot.max_usd_per_month', 'null', 'US dollars a month that autopilot may spend; without it, it does nothing.'),
    ('autopilot.max_share', 'null', 'Share of users, 0.001 to 1, that its tests may have in all; without it, it does nothing.'),
    ('autopilot.max_at_once', 'null', 'Experiments and rollouts that it may run at once, 1 to 20; without it, it does nothing.'),
    ('autopilot.quiet_from', 'null', 'Hour, UTC, from which autopilot does nothing; with autopilot.quiet_to.'),
    ('autopilot.quiet_to', 'null', 'Hour, UTC, before which it does nothing.'),
    ('autopilot.fine_tunes', 'false', 'Whether autopilot may have models trained.'),
    ('autopilot.dataset', '"User Feedback - Positive Responses"', 'What it has models trained on.'),
    ('autopilot.base_model', 'null', 'The model that it has trained; needs a price in uplift.training_prices.'),
    ('autopilot.trainer', 'null', 'openai or command; null for the one that is configured.'),
    ('autopilot.model_prompts', 'false', 'Whether autopilot asks a model for words to try, from liked and disliked answers of users whose answers may train models.'),
    ('autopilot.coaches', 'null', 'Coaches that it tries things on, one by one; null for all at once.'),
    ('autopilot.success_metric', '"thumbs_up_rate"', 'What decides its experiments and rollouts.'),
    ('autopilot.min_users', '100', 'Users of each variant that a conclusion of it takes.'),
    ('autopilot.min_stage_hours', '24', 'Hours that each stage of its rollouts lasts at least.'),
    ('autopilot.max_test_days', '28', 'Days after which it stops an experiment without a winner.'),
    ('autopilot.min_chance', '0.05', 'It stops a test whose chance to prove a gain by the end of its time is below this; 0 for never.'),
    ('autopilot.max_held_days', '7', 'Days after which a winner that cannot be rolled out makes room for the next test.'),
    ('autopilot.retry_days', '90', 'Days for which it does not try the same again on a coach.'),
    ('predictions.right_at', '0.8', 'From which accuracy on a prediction that nobody accepted or refused came true.'),
    ('predictions.watch_days', '7', 'Days of predictions that are compared with those before, to warn when they get worse.'),
    ('predictions.reference_days', '28', 'Days before those, with which they are compared.'),
    ('predictions.min_outcomes', '500', 'Outcomes, of the last days and of those before, that it takes to compare them.'),
    ('predictions.max_brier_rise', '0.05', 'By how much the Brier score may rise without a warning.'),
    ('predictions.max_ece_rise', '0.05', 'By how much the expected calibration error may rise without a warning.'),
    ('predictions.max_per_day', '2000', 'Predictions of one user that /v1/predictions takes in 24 hours.'),
    ('photos.max_per_day', '100', 'Photos of one user that /v1/food-photos takes in 24 hours.'),
    ('erasures.finish_after_minutes', '15', 'Minutes after an erasure of a user until job finish-erasures looks for what was written in the same moment.'),
    ('errors.keep_days', '90', 'Days that failures of providers are kept, for /admin/errors.')
on conflict (key) do nothing;

insert into uplift.routing_state (revision) values (1) on conflict do nothing;

insert into uplift.batch_kinds (name, description, max_attempts, time_limit, one_at_a_time) values
    ('roll-up-usage', 'Counts the answers of each hour and day: requests, users, tokens, cost, latency, feedback.', 5, '6 hours', true),
    ('trim-cache', 'Counts hits of the response cache, and keeps it within its size.', 5, '1 hour', true),
    ('extract-memories', 'Finds what is worth remembering in what users said.', 5, '6 hours', true),
    ('refresh-examples', 'Looks again which liked answers may be shown as examples.', 5, '6 hours', true),
    ('refresh-contexts', 'Makes ready what is known of users, for their next chats.', 5, '6 hours', true),
    ('read-feedback', 'Has a model read what people wrote in feedback and rules do not understand.', 5, '6 hours', true),
    ('summarise-conversations', 'Summarises what of long conversations does not go along any more.', 5, '6 hours', true),
    ('count-knowledge-use', 'Counts how often sources of knowledge were offered, and the thumbs for and against them.', 5, '1 hour', true),
    ('measure-context', 'Compares ratings of answers with memories, passages, knowledge and examples, and without.', 5, '1 hour', true),
    ('import-knowledge', 'Takes files and pages of the web into what coaches know.', 5, '1 day', true),
    ('embed-knowledge', 'Makes embeddings of knowledge, so that it is found by what it means.', 5, '1 day', true),
    ('measure-experiments', 'Counts what users of experiments did, and judges it.', 5, '6 hours', true),
    ('autopilot', 'Takes the next steps of autopilot, where it is on.', 5, '1 hour', true),
    ('watch-rollouts', 'Measures rollouts, and takes the step that their evidence calls for.', 5, '1 hour', true),
    ('write-playbooks', 'Makes guidelines for coaches of what users wrote about answers.', 5, '6 hours', true),
    ('enforce-retention', 'Deletes what is kept for some days only and is older.', 5, '6 hours', true),
    ('finish-erasures', 'Deletes files with texts of users who had everything erased.', 5, '1 hour', true),
    ('trim-errors', 'Forgets failures of long ago.', 5, '1 hour', true)
on conflict (name) do nothing;

insert into uplift.batch_schedules (name, job, arguments, cron, is_enabled, description) values
    ('roll-up-usage', 'roll-up-usage', '{}', '*/10 * * * *', true, 'Use by the hour and the day, for costs and figures.'),
    ('trim-cache', 'trim-cache', '{}', '40 * * * *', true, 'The response cache, hourly.'),
    ('refresh-examples', 'refresh-examples', '{}', '30 3 * * 0', true, 'Which liked answers may be shown as examples, weekly.'),
    ('refresh-contexts', 'refresh-contexts', '{}', '50 4 * * *', true, 'What is known of users, made ready for their next chats, daily.'),
    ('extract-memories', 'extract-memories', '{}', '20 4 * * *', true, 'Memories that workers did not come to, and those that a model finds, daily.'),
    ('read-feedback', 'read-feedback', '{}', '15 * * * *', true, 'Feedback that rules do not understand, hourly.'),
    ('summarise-conversations', 'summarise-conversations', '{}', '10 5 * * *', true, 'Summaries of long conversations, daily.'),
    ('count-knowledge-use', 'count-knowledge-use', '{}', '25 * * * *', true, 'What sources of knowledge are worth, hourly.'),
    ('embed-knowledge', 'embed-knowledge', '{}', '35 * * * *', true, 'Embeddings of new knowledge, hourly; nothing where none are configured.'),
    ('measure-context', 'measure-context', '{}', '10 5 * * *', true, 'What context does to ratings, daily.'),
    ('measure-experiments', 'measure-experiments', '{}', '5 * * * *', true, 'Figures of experiments, hourly.'),
    ('autopilot', 'autopilot', '{}', '20 * * * *', true, 'The next steps of autopilot, hourly; nothing while it is off.'),
    ('watch-rollouts', 'watch-rollouts', '{}', '*/5 * * * *', true, 'Rollouts, every five minutes.'),
    ('write-playbooks', 'write-playbooks', '{}', '40 5 * * *', true, 'Guidelines for coaches of what users wrote, daily.'),
    ('enforce-retention', 'enforce-retention', '{}', '10 2 * * *', true, 'What is kept for some days only, daily; nothing where no settings retention.NAME_days are.'),
    ('finish-erasures', 'finish-erasures', '{}', '55 * * * *', true, 'What erasures of users leave to be done, hourly.'),
    ('trim-errors', 'trim-errors', '{}', '50 3 * * *', true, 'Failures of long ago, daily.')
on conflict (name) do nothing;

insert into uplift.batch_kinds (name, description, max_attempts, time_limit, one_at_a_time) values
    ('measure-predictions', 'Measures how good predictions are, by day, and whether that gets worse.', 5, '6 hours', true),
    ('train-thumb-model', 'Trains the model of what thumb an answer will get.', 5, '6 hours', true),
    ('score-answers', 'Foretells the thumbs of new answers, and takes down those that came.', 5, '6 hours', true)
on conflict (name) do nothing;

insert into uplift.batch_schedules (name, job, arguments, cron, is_enabled, description) values
    ('train-thumb-model', 'train-thumb-model', '{"if_possible": true}', '20 1 * * 1', true, 'The model of thumbs, weekly, where there are enough.'),
    ('score-answers', 'score-answers', '{}', '5-59/10 * * * *', true, 'Thumbs foretold, and those that came, each ten minutes.'),
    ('score-late-answers', 'score-answers', '{"days": 7}', '25 2 * * *', true, 'Thumbs foretold of answers that came late, from a spool, daily.'),
    ('measure-predictions', 'measure-predictions', '{}', '45 * * * *', true, 'How good predictions are, hourly.')
on conflict (name) do nothing;

-- What was foretold before uplift came is measured, too.
insert into uplift.prediction_queue (day)
select distinct (p.created_at at time zone 'UTC')::date from public.ai_predictions p
where isfinite(p.created_at) and exists (select from uplift_install.tables t
    where t.target_schema = 'uplift' and t.target_name = 'prediction_queue' and t.existing is null);

-- Once: who took a limit away wants none.
insert into uplift.rate_limits (scope, requests_per_minute, tokens_per_minute, feedback_per_minute)
select v.* from (values ('user', 120, 200000, 60), ('address', 600, null, 600)) as v(scope, rpm, tpm, feedback)
where not exists (select from uplift.settings s where s.key = 'limits.made');
insert into uplift.settings (key, value, description) values
    ('limits.made', 'true', 'The rate limits that uplift comes with were made, and are not made again.')
on conflict (key) do nothing;
