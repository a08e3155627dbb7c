-- Installs uplift's schema: psql -X -f sql/install.sql [connection]
--
-- On an empty Postgres 15 or later, on Supabase, or over tables that are there already. It only
-- adds; run again it changes nothing. Everything happens in one transaction: what cannot be mended
-- without losing data is listed, all of it, and nothing is changed. sql/README.md has the details.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
begin;
set local client_min_messages = warning;
set local lock_timeout = '10s';
set local check_function_bodies = on;
select pg_advisory_xact_lock(hashtextextended('uplift install', 0)) \g /dev/null

\ir merge/begin.sql
\ir roles.sql
\ir auth.sql
\ir tables/uuid_v7.sql

-- The tables as they should be, in two scratch schemas. What is missing is moved from there to its
-- place; what is there already is compared with it. See merge/compare.sql.
set local search_path = uplift_want_public;
\ir tables/answers.sql
\ir tables/training.sql
\ir tables/memory.sql
\ir tables/experiments.sql
\ir tables/knowledge.sql
\ir tables/predictions.sql
\ir tables/coaches.sql
set local search_path = uplift_want_uplift;
\ir tables/internal.sql
\ir tables/running.sql
\ir tables/rollouts.sql
\ir tables/autopilot.sql
\ir tables/playbook.sql
\ir tables/recall.sql
\ir tables/batch.sql
\ir tables/models.sql
\ir tables/examples.sql
\ir tables/gateway.sql
\ir tables/money.sql
\ir tables/limits.sql
\ir tables/api_keys.sql
\ir tables/cache.sql
\ir tables/search.sql
\ir tables/knowledge_use.sql
\ir tables/few_shot.sql
\ir tables/chunks.sql
\ir tables/embeddings.sql
\ir tables/forecasts.sql
\ir tables/privacy.sql
\ir tables/admin.sql
\ir tables/coach_versions.sql
\ir tables/photos.sql
reset search_path;

\ir merge/known.sql
\ir merge/names.sql
\ir merge/compare.sql
\ir merge/apply.sql
\ir merge/in_step.sql
\ir tables/keys.sql
\ir tables/storage.sql
\ir tables/views.sql
\ir tables/rows.sql
\ir policies.sql
\ir functions/functions.sql
\ir rights.sql
\ir merge/trial.sql
\ir merge/end.sql
commit;
