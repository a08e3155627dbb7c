-- What workers tell of breakers, and what admins see of it.
\ir common.psql
select plan(8);

create function pg_temp.seen() returns jsonb language sql as $$ select uplift_batch.admin_list_breakers(null, '{}', 'ann') -> 'data' $$;

delete from uplift.breaker_hosts;
select is(pg_temp.seen(), '[]', 'nobody has told anything');
select uplift_chat.worker_sync('{"breakers": {"host": "one", "all": [{"provider": "far", "model": "m", "state": "open", "failures": 5, "open_until": 1796083200},
    {"provider": "far", "state": "closed", "failures": 2}]}}') \g /dev/null
select is((pg_temp.seen() #>> '{0,host}', pg_temp.seen() #>> '{0,is_current}')::text, '(one,true)', 'a host tells');
select is(jsonb_path_query_array(pg_temp.seen(), '$[0].breakers[*].model'), '[null, "m"]', 'the provider as a whole comes first');
select is((pg_temp.seen() #>> '{0,breakers,1,open_until}')::timestamptz, timestamptz '2026-12-01 00:00Z', 'and when it is tried again is a time');
select uplift_chat.worker_sync('{"breakers": {"host": "one", "all": []}}') \g /dev/null
select is((pg_temp.seen() #> '{0,breakers}')::text, '[]', 'what is at rest is gone');
update uplift.breaker_hosts set told_at = now() - interval '1 minute';
select is(pg_temp.seen() #>> '{0,is_current}', 'false', 'who was silent for a minute is not current');
update uplift.breaker_hosts set told_at = now() - interval '25 hours';
select uplift_chat.worker_sync('{"breakers": {"host": "two", "all": []}}') \g /dev/null
select is(jsonb_path_query_array(pg_temp.seen(), '$[*].host'), '["two"]', 'and is forgotten after a day');
select is(pg_temp.refused($$ select uplift_batch.admin_list_breakers(null, '{"host": "one"}', 'ann') $$), 'UP400 unknown_argument host', 'it takes no arguments');
select * from finish();
rollback;
