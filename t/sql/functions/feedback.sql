-- Feedback: three ways in, one effect; the last word counts, whenever it comes; every word is kept.
\ir common.psql
select plan(98);

create function pg_temp.give(p_user uuid, n int, p_changes jsonb, p_issued boolean default false, p_at timestamptz default null, p_event uuid default null)
returns text language sql as $$
    select concat_ws('|', helpful::text, rating, feedback_text, case when pending then 'pending' end)
    from uplift_chat.give_feedback(p_user, pg_temp.id(n), p_changes, p_issued, coalesce(p_at, statement_timestamp()), p_event)
$$;
create function pg_temp.row(n int) returns text language sql as $$
    select concat_ws('|', helpful::text, rating, feedback_text) from public.coach_response_feedback where id = pg_temp.id(n)
$$;
create function pg_temp.events(n int) returns bigint language sql as $$ select count(*) from uplift.feedback_events where answer_id = pg_temp.id(n) $$;
create function pg_temp.at(n int) returns timestamptz language sql immutable as $$ select timestamptz '2026-01-01 12:00Z' + n * interval '1 minute' $$;

do $$ begin perform pg_temp.record(n, pg_temp.ann(), pg_temp.id(100), 'q', 'a') from generate_series(1, 30) n; end $$;

-- Our route.
select is(pg_temp.give(:ann, 1, '{"helpful": true}'), 'true', 'a thumb');
select is(pg_temp.row(1), 'true', 'is in the row');
select ok((select feedback_given_at between now() and clock_timestamp() from public.coach_response_feedback where id = pg_temp.id(1)), 'dated');
select results_eq($$select user_id, changes, source, given_at from uplift.feedback_events where answer_id = pg_temp.id(1)$$,
    $$select pg_temp.ann(), '{"helpful": true}'::jsonb, 'route', feedback_given_at from public.coach_response_feedback where id = pg_temp.id(1)$$, 'and in the history');
select is(pg_temp.give(:ann, 1, '{"helpful": true}'), 'true', 'the same again');
select is(pg_temp.events(1), 1::bigint, 'is no new event');
select is(pg_temp.give(:ann, 1, '{"rating": 5, "feedback_text": "good"}'), 'true|5|good', 'stars and words leave the thumb as it is');
select is(pg_temp.give(:ann, 1, '{"helpful": null}'), '5|good', 'null takes back');
select is(pg_temp.give(:ann, 1, '{"helpful": false, "rating": null, "feedback_text": null}'), 'false', 'all at once');
select results_eq($$select changes from uplift.feedback_events where answer_id = pg_temp.id(1) order by id$$,
    $$values ('{"helpful": true}'::jsonb), ('{"rating": 5, "feedback_text": "good"}'), ('{"helpful": null}'),
        ('{"helpful": false, "rating": null, "feedback_text": null}')$$, 'earlier words are kept');
select is(pg_temp.give(:ann, 1, '{}'), 'false', 'nothing said, nothing changed');
select is(pg_temp.give(:ann, 1, '{"rating": 4.0}'), 'false|4', 'a whole number, however written');
select is((select concat_ws('|', helpful::text, rating, pending) from uplift_chat.get_feedback(:ann, pg_temp.id(1), false)), 'false|4|f', 'reading it');

-- Refusals.
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '{"rating": 0}')$$), 'UP400 invalid_rating rating', 'no star');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '{"rating": 6}')$$), 'UP400 invalid_rating rating', 'six stars');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '{"rating": 2.5}')$$), 'UP400 invalid_rating rating', 'half a star');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '{"rating": 1e300}')$$), 'UP400 invalid_rating rating', 'all the stars');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '{"rating": "5"}')$$), 'UP400 invalid_rating rating', 'stars as text');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '{"helpful": "yes"}')$$), 'UP400 invalid_helpful helpful', 'a thumb as text');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '{"feedback_text": 1}')$$), 'UP400 invalid_feedback_text feedback_text', 'words as a number');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, jsonb_build_object('feedback_text', repeat('x', 10001)))$$), 'UP400 invalid_feedback_text feedback_text', 'too many words');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '{"cost_usd": 0}')$$), 'UP400 unknown_parameter cost_usd', 'something else');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 1, '[]')$$), 'UP400 invalid_feedback', 'no object');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.bob(), 1, '{"helpful": true}')$$), 'UP404 answer_not_found', 'another user''s answer');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.bob(), 1, '{"helpful": true}', true)$$), 'UP404 answer_not_found', 'though said to be issued');
select is(pg_temp.refused($$select pg_temp.give(pg_temp.ann(), 999, '{"helpful": true}')$$), 'UP404 answer_not_found', 'nobody''s answer is the same');
select is(pg_temp.refused($$select uplift_chat.get_feedback(pg_temp.bob(), pg_temp.id(1), true)$$), 'UP404 answer_not_found', 'nor can it be read');
select is(pg_temp.refused($$select uplift_chat.get_feedback(pg_temp.ann(), pg_temp.id(999), false)$$), 'UP404 answer_not_found', 'nor nobody''s');

-- As the user: PostgREST, or SQL.
set local role authenticated;
set local request.jwt.claims = '{"sub": "00000000-0000-4000-8000-00000000000a", "role": "authenticated"}';
update public.coach_response_feedback set helpful = true, rating = 5, feedback_text = 'fine' where id = '10000000-0000-4000-8000-000000000002';
update public.coach_response_feedback set helpful = true where id = '10000000-0000-4000-8000-000000000002';
update public.coach_response_feedback set rating = null where id = '10000000-0000-4000-8000-000000000002';
reset role;
create function pg_temp.patch(n int, p_changes jsonb, p_issued boolean default false, p_at timestamptz default statement_timestamp(), p_event uuid default null)
returns text language sql as $$
    select concat_ws('|', x ->> 'helpful', x ->> 'rating', x ->> 'feedback_text')
    from uplift_chat.rest_update_feedback(pg_temp.ann(), pg_temp.id(n)::text, '{}', p_changes, p_issued, p_at, p_event, null, null) r, json_array_elements(r.rows::json) x
$$;
select pg_temp.patch(3, '{"helpful": true, "rating": 5, "feedback_text": "fine"}') \g /dev/null
select pg_temp.patch(3, '{"helpful": true}') \g /dev/null
select pg_temp.patch(3, '{"rating": null}') \g /dev/null
select pg_temp.give(:ann, 4, '{"helpful": true, "rating": 5, "feedback_text": "fine"}') \g /dev/null
select pg_temp.give(:ann, 4, '{"helpful": true}') \g /dev/null
select pg_temp.give(:ann, 4, '{"rating": null}') \g /dev/null
select is(pg_temp.row(4), 'true|fine', 'by the route');
select is((select count(distinct (helpful, rating, feedback_text)) from public.coach_response_feedback where id in (pg_temp.id(2), pg_temp.id(3), pg_temp.id(4))),
    1::bigint, 'SQL as the user, supabase-js and the route make the same row');
select is((select count(distinct h) from (select jsonb_agg(jsonb_build_array(changes, user_id) order by id) h
        from uplift.feedback_events where answer_id in (pg_temp.id(2), pg_temp.id(3), pg_temp.id(4)) group by answer_id) x),
    1::bigint, 'and the same history');
select is((select array_agg(distinct source) from uplift.feedback_events where answer_id in (pg_temp.id(2), pg_temp.id(3), pg_temp.id(4))), '{rest,route,sql}', 'but for where it came from');
select throws_ok(format('update public.coach_response_feedback set feedback_text = repeat(''x'', 10001) where id = %L', pg_temp.id(2)), 'UP400', null, 'too many words by SQL');

-- Words that come late.
select is(pg_temp.give(:ann, 5, '{"helpful": false}', false, pg_temp.at(10)), 'false', 'the second word comes first');
select is(pg_temp.give(:ann, 5, '{"helpful": true, "rating": 3}', false, pg_temp.at(5), pg_temp.id(1005)), 'false|3', 'the first word comes late: the last one said stands');
select is((select feedback_given_at from public.coach_response_feedback where id = pg_temp.id(5)), pg_temp.at(10), 'so does its time');
select is(pg_temp.events(5), 2::bigint, 'both are in the history');
select is(pg_temp.give(:ann, 5, '{"rating": 4}', false, pg_temp.at(4)), 'false|3', 'and one from before that');
select is(pg_temp.give(:ann, 5, '{"rating": 1}', false, pg_temp.at(6)), 'false|1', 'each of thumb, stars and words for itself');
select pg_temp.give(:ann, 6, '{"helpful": true}', false, pg_temp.at(1)) \g /dev/null
select pg_temp.give(:ann, 6, '{"helpful": true}', false, pg_temp.at(3)) \g /dev/null
select is(pg_temp.give(:ann, 6, '{"helpful": false}', false, pg_temp.at(2)), 'true', 'up, up again, and a down from between: up');
select is(pg_temp.events(6), 2::bigint, 'the repeated one is no event');
select is(pg_temp.give(:ann, 7, '{"helpful": true}', false, now() + interval '1 year'), 'true', 'a clock that is ahead');
select ok((select feedback_given_at <= clock_timestamp() from public.coach_response_feedback where id = pg_temp.id(7)), 'is not believed');
update public.coach_response_feedback set helpful = false where id = pg_temp.id(7);
select is(pg_temp.row(7), 'false', 'and SQL has the last word over it');
alter table public.coach_response_feedback disable trigger uplift_feedback;
update public.coach_response_feedback set rating = 2, feedback_given_at = pg_temp.at(10) where id = pg_temp.id(8);
alter table public.coach_response_feedback enable trigger uplift_feedback;
select is(pg_temp.give(:ann, 8, '{"rating": 5, "helpful": true}', false, pg_temp.at(5)), 'true|2', 'feedback from before uplift has a time, too');

-- Exactly once.
select pg_temp.give(:ann, 9, '{"helpful": true}', true, pg_temp.at(1), pg_temp.id(1009)) \g /dev/null
select pg_temp.give(:ann, 9, '{"helpful": false}', true, pg_temp.at(2), pg_temp.id(1010)) \g /dev/null
select is(pg_temp.give(:ann, 9, '{"helpful": true}', true, pg_temp.at(1), pg_temp.id(1009)), 'false', 'an event that comes again');
select is(pg_temp.give(:ann, 9, '{"helpful": false}', true, pg_temp.at(2), pg_temp.id(1010)), 'false', 'and another');
select is(pg_temp.events(9), 2::bigint, 'count once');
update uplift.feedback_events set given_at = pg_temp.at(-100) where answer_id = pg_temp.id(9);
select is(pg_temp.give(:ann, 9, '{"helpful": true}', true, pg_temp.at(3), pg_temp.id(1009)), 'false', 'by their id alone');

-- Before the answer.
select is(pg_temp.give(:ann, 50, '{"helpful": true, "rating": 5}', true, pg_temp.at(1)), 'true|5|pending', 'a thumb for an answer that is not there yet waits');
select is(pg_temp.give(:ann, 50, '{"helpful": true}', true, pg_temp.at(2)), 'true|5|pending', 'the same again');
select is(pg_temp.events(50), 1::bigint, 'is no new event');
select is(pg_temp.give(:ann, 50, '{"rating": null, "feedback_text": "hm"}', true, pg_temp.at(3)), 'true|hm|pending', 'what was said so far');
select is(pg_temp.give(:ann, 50, '{"feedback_text": "hm!"}', true, pg_temp.at(4), pg_temp.id(1050)), 'true|hm!|pending', 'with an event''s id');
select is(pg_temp.give(:ann, 50, '{"feedback_text": "hm!"}', true, pg_temp.at(4), pg_temp.id(1050)), 'true|hm!|pending', 'that comes again');
select is(pg_temp.events(50), 3::bigint, 'counts once');
select is((select concat_ws('|', helpful::text, rating, feedback_text, pending) from uplift_chat.get_feedback(:ann, pg_temp.id(50), true)), 'true|hm!|t', 'it can be read');
select pg_temp.give(:bob, 50, '{"rating": 1}', true, pg_temp.at(5)) \g /dev/null
select is(pg_temp.record(50, :ann, pg_temp.id(100), 'q', 'a'), 'recorded', 'the answer comes');
select is(pg_temp.row(50), 'true|hm!', 'with the feedback of its user');
select is((select feedback_given_at from public.coach_response_feedback where id = pg_temp.id(50)), pg_temp.at(4), 'dated as it was said');
select results_eq($$select distinct user_id, waiting from uplift.feedback_said where answer_id = pg_temp.id(50)$$,
    $$values (pg_temp.ann(), null::jsonb)$$, 'what another user said of it is forgotten, and nothing waits');
select is(pg_temp.events(50), 4::bigint, 'nothing is in the history twice');
select pg_temp.give(:ann, 51, '{"helpful": true, "rating": 5}', true, pg_temp.at(1)) \g /dev/null
select pg_temp.give(:ann, 51, '{"rating": 4}', true, pg_temp.at(2)) \g /dev/null
select pg_temp.give(:ann, 51, '{"helpful": true}', true, pg_temp.at(4)) \g /dev/null
select is(pg_temp.give(:ann, 51, '{"helpful": false}', true, pg_temp.at(3)), 'true|4|pending', 'waiting words, too, count by when they were said');
select pg_temp.record(51, :ann, pg_temp.id(100), 'q', 'a') \g /dev/null
select is(pg_temp.row(51), 'true|4', 'and end as they should');
select pg_temp.give(:ann, 52, '{"helpful": null}', true) \g /dev/null
select pg_temp.record(52, :ann, pg_temp.id(100), 'q', 'a') \g /dev/null
select is((select waiting from uplift.feedback_said where answer_id = pg_temp.id(52)), null, 'a waiting word that changes nothing does not wait for ever');
select pg_temp.give(:ann, 53, '{"helpful": true}', true, pg_temp.at(5)) \g /dev/null
select pg_temp.record(53, :ann, pg_temp.id(100), 'q', 'a') \g /dev/null
select is(pg_temp.give(:ann, 53, '{"helpful": false}', true, pg_temp.at(4)), 'true', 'a word from before that comes after the row does not count');
select is(pg_temp.give(:ann, 53, '{"helpful": false}', true, pg_temp.at(6)), 'false', 'one from after it does');
select is(pg_temp.patch(54, '{"helpful": true, "rating": 3}', true, pg_temp.at(2)), 'true|3', 'PostgREST''s way waits, too');
select is(pg_temp.patch(54, '{"rating": 1}', true, pg_temp.at(1)), 'true|3', 'and is ordered by when it was accepted');
select is(pg_temp.patch(54, '{"rating": 1}', false, pg_temp.at(3)), null, 'of an id that was not issued there is no row');
select pg_temp.record(54, :ann, pg_temp.id(100), 'q', 'a') \g /dev/null
select is(pg_temp.row(54), 'true|3', 'and then it is there');
select is((select count(*) from uplift.feedback_said where waiting is not null), 0::bigint, 'nothing is left waiting');

-- However late a call runs that was given up, it is dated when it was accepted, by both routes.
select pg_temp.give(:ann, 20, '{"helpful": false}', true, pg_temp.at(2), pg_temp.id(2002)) \g /dev/null
select is(pg_temp.give(:ann, 20, '{"helpful": true}', true, pg_temp.at(1), pg_temp.id(2001)), 'false', 'up that was accepted before down, and runs after it');
select is(pg_temp.give(:ann, 20, '{"helpful": true}', true, pg_temp.at(1), pg_temp.id(2001)), 'false', 'and comes again from a spool');
select is(pg_temp.patch(20, '{"helpful": true}', true, pg_temp.at(1), pg_temp.id(2003)), 'false', 'and by PostgREST''s way');
select is(pg_temp.patch(20, '{"helpful": true}', true, pg_temp.at(3), pg_temp.id(2004)), 'true', 'which counts when it was accepted last');
select is(pg_temp.events(20), 4::bigint, 'each is in the history once');

-- The same again in SQL is a later word.
select pg_temp.give(:ann, 21, '{"rating": 2}', true, now() - interval '1 hour') \g /dev/null
set local role authenticated;
update public.coach_response_feedback set helpful = true where id = '10000000-0000-4000-8000-000000000021';
reset role;
select statement_timestamp() as between \gset
set local role authenticated;
update public.coach_response_feedback set helpful = true where id = '10000000-0000-4000-8000-000000000021';
reset role;
select is(pg_temp.give(:ann, 21, '{"helpful": false, "rating": 4}', true, :'between'), 'true|4', 'up in SQL, a down from between, up in SQL again: up, and the stars are of their own');
select is(pg_temp.events(21), 3::bigint, 'the repeated one is no event');
-- Nobody but our functions may say that the words are noted.
set local uplift.feedback = 'noted';
set local role authenticated;
update public.coach_response_feedback set helpful = false where id = '10000000-0000-4000-8000-000000000021';
reset role;
set local uplift.feedback = '';
select is(pg_temp.events(21), 4::bigint, 'a session that calls its words noted is not believed');

-- A rate limit of its own.
delete from uplift.rate_limits;
create function pg_temp.charge(p_user uuid, p_calls int default 1, p_address text default null, p_key text default null) returns text language sql as $$
    select r ->> 'message' from (select uplift.charge_feedback(p_user, p_address, p_key, p_calls) r) x
$$;
select is(pg_temp.charge(:ann, 1000000), null, 'without limits nobody is refused');
insert into uplift.rate_limits (scope, key, feedback_per_minute, requests_per_minute) values ('user', '', 3, 1000000),
    ('user', '00000000-0000-4000-8000-00000000000b', null, 5), ('address', '', 5, null), ('api_key', '', 2, null);
select is(array[pg_temp.charge(:ann), pg_temp.charge(:ann), pg_temp.charge(:ann)], array[null, null, null]::text[], 'as many calls as there are');
select is(pg_temp.charge(:ann), 'the limit of 3 feedback calls a minute for this user is reached; try again in 20 s', 'and no more');
select ok((select (r ->> 'retry_after_ms')::int between 15000 and 20000 and r ->> 'type' = 'requests' and r ->> 'code' = 'rate_limit_exceeded' and r ->> 'status' = '429'
    from uplift.charge_feedback(:ann, null, null, 1) r), 'as OpenAI says it, with the time to wait');
select is((select refusal ->> 'code' from uplift_chat.take_feedback(:ann, pg_temp.id(1), '{"helpful": true}', true, now(), null, null, null)), 'rate_limit_exceeded', 'our route is refused');
select is((select refusal ->> 'code' from uplift_chat.rest_update_feedback(:ann, pg_temp.id(1)::text, '{}', '{"helpful": true}', true, now(), null, null, null)), 'rate_limit_exceeded', 'and PostgREST''s');
select is(pg_temp.charge(:bob), null, 'another user is not');
select is(uplift.charge_feedback(:eve, null, null, 100), null, 'a call of more rows than a bucket holds takes all of it');
select ok((uplift.charge_feedback(:eve, null, null, 2) ->> 'retry_after_ms')::int between 35000 and 40000, 'and the next one is told to wait for as many as it needs');
select is(array[pg_temp.charge(:bob), pg_temp.charge(:bob), pg_temp.charge(:bob)], array[null, null, 'the limit of 3 feedback calls a minute for this user is reached; try again in 20 s'], 'an own limit of chats leaves that of feedback as it is');
update uplift.rate_buckets set filled_at = filled_at - interval '1 minute';
select is(pg_temp.charge(:bob, 3), null, 'a minute later there are as many again');
select is(pg_temp.charge(pg_temp.id(901), 1, '192.0.2.9', 'k') || pg_temp.charge(pg_temp.id(902), 1, '192.0.2.9', 'k'), null, 'addresses and API keys have limits, too');
select matches(pg_temp.charge(pg_temp.id(903), 1, '192.0.2.9', 'k'), '^the limit of 2 feedback calls a minute for this api key', 'of calls by different users');
select is((select requests::int from uplift.rate_buckets where key = 'feedback:address:192.0.2.9'), 3, 'what one refuses takes nothing from the others');
select is((select count(*) from uplift.rate_buckets where key like 'feedback:user:%03'), 0::bigint, 'nor makes any');
select pg_temp.charge(:ann, 3) \g /dev/null
select is(uplift_batch.admin_put_rate_limit(null, '{"scope": "user", "feedback_per_minute": 4}', 'x') ->> 'feedback_per_minute', '4', 'an admin sets the limit');
select is(pg_temp.charge(:ann, 4), null, 'which begins with full buckets');
select is(pg_temp.refused($$select uplift_batch.admin_put_rate_limit(null, '{"scope": "user", "feedback_per_minute": 0}', 'x')$$), 'UP400 invalid_feedback_per_minute feedback_per_minute', 'and not to nothing');

select * from finish();
rollback;
