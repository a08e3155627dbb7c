-- Failures: a row of ai_errors for each, grouped by what they have in common.
\ir common.psql
select plan(21);

create function pg_temp.failures(p_arguments jsonb default '{}') returns jsonb language sql as $$
    select uplift_batch.admin_list_errors(null, '{"since": "2026-01-01"}' || p_arguments, 'root') -> 'data'
$$;

select is(pg_temp.record(1, :ann, null, 'secret words', 'hi', '{"model_used": "m", "provider": "b", "attempts": [
    {"provider": "a", "model": "m", "http_status": 503, "duration_ms": 7, "reason": "status_503"},
    {"provider": "b", "model": "m", "http_status": 200, "duration_ms": 9}]}'), 'recorded', 'an answer that another provider saved');
select results_eq($$select error_type, provider, model_name, http_status, attempt, user_visible, auto_recovered, answer_id
    from public.ai_errors where answer_id = pg_temp.id(1)$$,
    $$values ('status_503', 'a', 'm', 503, 1, false, true, pg_temp.id(1))$$, 'leaves a failure that nobody saw');
select is(pg_temp.record(2, :bob, null, 'secret words', '', '{"outcome": "failed", "attempts": [
    {"provider": "a", "model": "m", "http_status": 503, "duration_ms": 7, "reason": "status_503"}]}'), 'recorded', 'one that none did');
select is(pg_temp.record(2, :bob, null, 'secret words', '', '{"outcome": "failed", "attempts": [
    {"provider": "a", "model": "m", "http_status": 503, "duration_ms": 7, "reason": "status_503"}]}'), 'duplicate', 'recorded again');
select is(pg_temp.failures() -> 0 -> 'count', '2', 'both are of a kind, and counted once');
select is(jsonb_array_length(pg_temp.failures()), 1, 'which is all');
select is(pg_temp.failures() -> 0 -> 'user_visible', '1', 'one was seen');
select is(pg_temp.record(3, :ann, null, 'q', '', '{"outcome": "failed", "attempts": [
    {"provider": "a", "model": "m", "http_status": 400, "duration_ms": 7, "reason": "Your message was: secret words"}]}'), 'recorded', 'a reason that is no word');
select is(jsonb_array_length(pg_temp.failures('{"type": "unknown"}')), 1, 'is unknown');
select is((select count(*) from public.ai_errors e where e::text ilike '%secret words%'), 0::bigint, 'and no row holds what was said');
select is(jsonb_array_length(pg_temp.failures('{"q": "_"}')), 1, 'a search takes wildcards for what they are');

create function pg_temp.page(p_arguments jsonb) returns jsonb language sql as $$ select uplift_batch.admin_list_errors(null, '{"since": "2026-01-01"}' || p_arguments, 'root') $$;
select is((select array_agg(g ->> 'error_type') from pg_temp.page('{"limit": 1}') one,
        pg_temp.page(jsonb_build_object('limit', 1, 'after', one -> 'next_after')) two, jsonb_array_elements((one -> 'data') || (two -> 'data')) g),
    (select array_agg(g ->> 'error_type') from jsonb_array_elements(pg_temp.failures()) g), 'page by page they are the same');
select is((select pg_temp.page(jsonb_build_object('limit', 1, 'after', one -> 'next_after')) ->> 'next_after' from pg_temp.page('{"limit": 1}') one), null, 'to the last');
select throws_ok($$select pg_temp.page('{"after": "yesterday"}')$$, 'UP400', null, 'after what no page said is refused');

select is(uplift_batch.admin_resolve_error(uplift.error_fingerprint('status_503', 'a', 'm', 503), '{}', 'root') -> 'is_resolved', 'true', 'resolved');
select is(uplift_batch.admin_reopen_error(uplift.error_fingerprint('status_503', 'a', 'm', 503), '{}', 'root') -> 'is_resolved', 'false', 'and reopened');

update public.ai_errors set created_at = now() - interval '91 days' where answer_id in (pg_temp.id(1), pg_temp.id(2));
update public.ai_errors set created_at = now() - interval '89 days' where answer_id = pg_temp.id(3);
update uplift.error_groups set resolved_at = now() - interval '91 days';
insert into public.ai_errors (error_type, created_at) values ('of the deployment', now() - interval '200 days');
select is(uplift_batch.trim_errors(1), '{"deleted": 1, "failed": 0, "goes_on": true}', 'what is older than 90 days is forgotten, a step at a time');
select is((select count(*) from uplift.error_groups), 1::bigint, 'with what was said of it only once the last is gone');
select is(uplift_batch.trim_errors(10), '{"deleted": 1, "failed": 0, "goes_on": false}', 'to the last');
select is((select count(*) from uplift.error_groups), 0::bigint, 'and then that too');
select results_eq('select error_type from public.ai_errors order by 1', $$values ('of the deployment'), ('unknown')$$,
    'what is younger stays, and what is not of uplift');

select finish();
rollback;
