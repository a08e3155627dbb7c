-- Rate limits: buckets, what they refuse, and how a batch shares them.
\ir common.psql
select plan(47);
delete from uplift.rate_limits;

create function pg_temp.charge(p_calls jsonb) returns setof record language sql as $$
    select c.n, jsonb_object('{limit_requests,remaining_requests,reset_requests_ms,limit_tokens,remaining_tokens,reset_tokens_ms,charged_tokens}',
        string_to_array(c.limits, ' ')), c.refusal
    from (select array_agg(x.n) as n, array_agg(x.user_id) as users, array_agg(x.address) as addresses, array_agg(x.api_key) as keys,
        array_agg(x.tokens) as tokens from jsonb_to_recordset(p_calls) as x(n int, user_id text, address text, api_key text, tokens int)) a
    cross join lateral uplift.charge_limits(a.n, a.users, a.addresses, a.keys, a.tokens) c order by c.n
$$;
create function pg_temp.left_of(p_call jsonb, p_name text) returns numeric language sql as $$
    select (l ->> p_name)::numeric from pg_temp.charge(jsonb_build_array('{"n": 1}' || p_call)) as c(n int, l jsonb, r jsonb)
$$;
create function pg_temp.refusal(p_call jsonb) returns jsonb language sql as $$
    select r from pg_temp.charge(jsonb_build_array('{"n": 1}' || p_call)) as c(n int, l jsonb, r jsonb)
$$;
create function pg_temp.put(p_more jsonb) returns jsonb language sql as $$ select uplift_batch.admin_put_rate_limit(null, p_more, 'tester') $$;
create function pg_temp.turn_back(p_by interval) returns void language sql as $$ update uplift.rate_buckets set filled_at = filled_at - p_by $$;

select is_empty($$select * from uplift.charge_limits('{1}', '{u}', '{null}', '{null}', '{0}')$$, 'without limits nothing is charged');
select pg_temp.put('{"scope": "user", "requests_per_minute": 3}') \g /dev/null
select is(pg_temp.left_of('{"user_id": "u"}', 'remaining_requests'), 2::numeric, 'a full bucket has a minute''s worth');
select is(pg_temp.left_of('{"user_id": "u"}', 'limit_requests'), 3::numeric, 'the limit is told');
select is(pg_temp.refusal('{"user_id": "u"}'), null, 'the last one goes through');
select is(pg_temp.refusal('{"user_id": "u"}') ->> 'code', 'rate_limit_exceeded', 'the next does not');
select ok((pg_temp.refusal('{"user_id": "u"}') ->> 'retry_after_ms')::int between 19000 and 20000, 'for a third of a minute');
select is(pg_temp.refusal('{"user_id": "v"}'), null, 'another user is another bucket');
select pg_temp.turn_back('20 seconds') \g /dev/null
select is(pg_temp.refusal('{"user_id": "u"}'), null, 'after that time one goes through');
select is(pg_temp.refusal('{"user_id": "u"}') ->> 'status', '429', 'and no more');
select pg_temp.turn_back('1 hour') \g /dev/null
select is(pg_temp.left_of('{"user_id": "u"}', 'remaining_requests'), 2::numeric, 'it never holds more than a minute''s worth');
select pg_temp.put('{"scope": "user", "requests_per_minute": 60, "burst": 2}') \g /dev/null
select is(pg_temp.left_of('{"user_id": "u"}', 'remaining_requests'), 1::numeric, 'nor more than the burst');
select pg_temp.put('{"scope": "user", "key": "00000000-0000-4000-8000-00000000000a", "requests_per_minute": 1000}') \g /dev/null
select is(pg_temp.left_of('{"user_id": "00000000-0000-4000-8000-00000000000a"}', 'limit_requests'), 1000::numeric, 'a user''s own limit counts');

-- Tokens.
select pg_temp.put('{"scope": "user", "tokens_per_minute": 600}') \g /dev/null
select is(pg_temp.left_of('{"user_id": "t", "tokens": 500}', 'remaining_tokens'), 100::numeric, 'tokens are taken as they are estimated');
select is(pg_temp.refusal('{"user_id": "t", "tokens": 500}'), null, 'what is left lets one more through, however large');
select is(pg_temp.refusal('{"user_id": "t"}') ->> 'type', 'tokens', 'then there are none');
select ok((pg_temp.refusal('{"user_id": "t"}') ->> 'retry_after_ms')::int between 39000 and 40200, 'until what was taken too much is back');
select uplift.settle_limits('{"user:t": -401, "user:nobody": 5}') \g /dev/null
select is(pg_temp.refusal('{"user_id": "t"}'), null, 'what was charged and not used is given back');
select is((select count(*) from uplift.rate_buckets where key = 'user:nobody'), 0::bigint, 'settling makes no buckets');

-- Addresses.
select pg_temp.put('{"scope": "address", "requests_per_minute": 1}') \g /dev/null
select is(pg_temp.refusal('{"user_id": "a", "address": "192.0.2.1"}'), null, 'an address has a bucket, too');
select is(pg_temp.refusal('{"user_id": "b", "address": "192.0.2.1"}') ->> 'message', 'the limit of 1 requests a minute for this address is reached; try again in 60 s', 'whoever asks from it');
select is(pg_temp.refusal('{"address": "2001:db8::1"}'), null, 'IPv6');
select is(pg_temp.refusal('{"address": "2001:db8::2"}') ->> 'status', '429', 'is limited by its network');
select is(pg_temp.refusal('{"address": "unix:"}'), null, 'what is no address is not limited');
select pg_temp.put('{"scope": "address", "tokens_per_minute": 600}') \g /dev/null
select is(pg_temp.left_of('{"address": "2001:db8::1", "tokens": 100}', 'remaining_tokens'), 500::numeric, 'its tokens are taken');
select uplift.settle_limits('{"address:2001:db8::1": 60, "address:2001:db8::2": 40, "address:unix:": 5}') \g /dev/null
select is((select tokens from uplift.rate_buckets where key = 'address:2001:db8::/64'), 400::double precision, 'and settled, of all who share them');
select pg_temp.put('{"scope": "address", "requests_per_minute": 1}') \g /dev/null
select is((select tokens from uplift.rate_buckets where key = 'user:b'), 600::double precision, 'who is refused by one bucket takes nothing from the other');

-- Together.
select pg_temp.put('{"scope": "user", "requests_per_minute": 2}') \g /dev/null
select results_eq($$select n, r is null from pg_temp.charge('[{"n": 2, "user_id": "x"}, {"n": 1, "user_id": "x"}, {"n": 3, "user_id": "x"}, {"n": 4, "user_id": "y"}]') as c(n int, l jsonb, r jsonb)$$,
    $$values (1, true), (2, true), (3, false), (4, true)$$, 'of those that come together the first go through');

-- Whole chats.
create function pg_temp.prepare(p_calls jsonb) returns table (n int, messages text, refusal jsonb) language sql as $$
    select p.n, p.messages, p.refusal
    from (
        select array_agg((c ->> 'user_id')::uuid order by o) as users, array_agg(coalesce(c ->> 'protocol', 'chat') order by o) as protocols,
            array_agg(c ->> 'coach_id' order by o) as coaches, array_agg(''::text) as messages, array_agg(4000) as tokens,
            array_agg(c -> 'more' order by o) as more, array_fill(null::text, array[count(*)::int]) as nulls
        from jsonb_array_elements(p_calls) with ordinality as x(c, o)) a
    cross join lateral uplift_chat.prepare_chats(a.users, a.protocols, a.coaches, a.nulls::numeric[], a.nulls, a.nulls::uuid[], a.nulls::uuid[],
        a.messages, a.tokens, a.more) p
$$;
select is((select count(*) filter (where p.refusal is null) from pg_temp.prepare(jsonb_build_array(
    jsonb_build_object('user_id', :ann), jsonb_build_object('user_id', :bob), jsonb_build_object('user_id', :bob),
    jsonb_build_object('user_id', :bob))) p), 3::bigint, 'chats of one round trip');

-- Before it costs: who has nothing left is refused before anything is looked up, or made, for them.
select pg_temp.put('{"scope": "user", "requests_per_minute": 2}') \g /dev/null
select pg_temp.put('{"scope": "address", "requests_per_minute": 1}') \g /dev/null
create function pg_temp.call(p_user uuid, p_address text, p_more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('user_id', p_user, 'more', jsonb_build_object('address', p_address, 'bytes', 400)) || p_more
$$;
create function pg_temp.ask(p_calls jsonb) returns table (n int, code text, param text, is_prepared boolean) language sql as $$
    select p.n, p.refusal ->> 'code', p.refusal ->> 'param', p.messages is not null from pg_temp.prepare(p_calls) p order by p.n
$$;
create function pg_temp.ask_alone(p_user uuid, p_address text, p_coach text default null, p_protocol text default 'chat')
returns table (code text, param text, is_prepared boolean) language sql as $$
    select a.code, a.param, a.is_prepared
    from pg_temp.ask(jsonb_build_array(pg_temp.call(p_user, p_address, jsonb_build_object('coach_id', p_coach, 'protocol', p_protocol)))) a
$$;
select results_eq($$select code, is_prepared from pg_temp.ask_alone(pg_temp.id(71), '192.0.2.7')$$, $$values (null, true)$$,
    'the first from an address goes through');
select results_eq($$select code, is_prepared from pg_temp.ask_alone(pg_temp.id(72), '192.0.2.7')$$, $$values ('rate_limit_exceeded', false)$$,
    'the next does not');
select is((select count(*) from auth.users where id in (pg_temp.id(71), pg_temp.id(72))), 1::bigint, 'and nothing was made for it');
select results_eq($$select n, code, is_prepared from pg_temp.ask(jsonb_build_array(pg_temp.call(pg_temp.id(73), '192.0.2.7'), pg_temp.call(pg_temp.id(74), '192.0.2.8')))$$,
    $$values (1, 'rate_limit_exceeded', false), (2, null, true)$$, 'of two that come together only who may goes through');
select is((select count(*) from auth.users where id in (pg_temp.id(73), pg_temp.id(74))), 1::bigint, 'and nothing was made for the other');
select pg_temp.turn_back('1 minute') \g /dev/null
select results_eq($$select code from pg_temp.ask_alone(pg_temp.id(73), '192.0.2.7')$$, $$values (null::text)$$, 'a minute later there is one again');

-- What is asked for in vain counts, too.
select results_eq($$select code, param from pg_temp.ask_alone(pg_temp.id(75), '192.0.2.9', 'coach_nobody')$$,
    $$values ('coach_not_found', 'coach_id')$$, 'a chat alone is refused by its error');
select is((select requests from uplift.rate_buckets where key = 'user:' || pg_temp.id(75)), 1::double precision, 'and is charged');
select results_eq($$select code from pg_temp.ask_alone(pg_temp.id(75), '192.0.2.9', 'coach_nobody')$$, $$values ('rate_limit_exceeded')$$,
    'until there is nothing left');
select results_eq($$select n, code, is_prepared from pg_temp.ask(jsonb_build_array(pg_temp.call(pg_temp.id(76), 'x', '{"coach_id": "coach_nobody"}'),
    pg_temp.call(pg_temp.id(78), 'x')))$$, $$values (1, 'coach_not_found', false), (2, null, true)$$, 'of several only the one is refused that is wrong');
select pg_temp.put('{"scope": "user", "tokens_per_minute": 250}') \g /dev/null
select results_eq($$select code from pg_temp.ask_alone(pg_temp.id(77), 'x', null, 'completions')$$, $$values (null::text)$$, 'what the client has sent is charged');
select is((select round(tokens) from uplift.rate_buckets where key = 'user:' || pg_temp.id(77)), 150::double precision, 'by its bytes, whose text does not come along');

-- Bad input.
select is(pg_temp.refused(b), r, d) from (values
    ($$select pg_temp.put('{"requests_per_minute": 1}')$$, 'UP400 invalid_scope scope', 'no scope'),
    ($$select pg_temp.put('{"scope": "user", "key": "ann"}')$$, 'UP400 invalid_key key', 'a user who is no UUID'),
    ($$select pg_temp.put('{"scope": "address", "key": "home"}')$$, 'UP400 invalid_key key', 'an address that is none'),
    ($$select pg_temp.put('{"scope": "user", "requests_per_minute": 0}')$$, 'UP400 invalid_requests_per_minute requests_per_minute', 'no requests'),
    ($$select pg_temp.put('{"scope": "user", "burst": 1.5}')$$, 'UP400 invalid_burst burst', 'half a request'),
    ($$select uplift_batch.admin_delete_rate_limit(null, '{"scope": "api_key"}', 'x')$$, 'UP404 rate_limit_not_found', 'none of that scope')) as x(b, r, d);
select is(pg_temp.put('{"scope": "address", "key": "2001:db8::5", "requests_per_minute": 5}') ->> 'key', '2001:db8::/64', 'an address is kept as it is limited');

select finish();
rollback;
