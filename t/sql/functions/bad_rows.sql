-- What others count is believed as far as it can be, and one bad row of a job keeps no other from being done.
\ir common.psql
select plan(46);
delete from uplift.rate_limits;

create function pg_temp.answer(n int) returns public.coach_response_feedback language sql as $$
    select a from public.coach_response_feedback a where a.id = pg_temp.id(n)
$$;

-- Numbers that cannot be, from a provider or a clock.
select uplift_batch.admin_put_price(null, '{"model": "m", "valid_from": "2025-01-01", "input_per_million": 1000000, "output_per_million": 1000000}', 'x') \g /dev/null
select is(pg_temp.record(1, :ann, pg_temp.id(100), 'q', 'a', '{"model_used": "m", "prompt_tokens": 3000000000, "completion_tokens": 12, "cached_tokens": 1e30,
    "tokens_used": 3000000012, "usage_estimated": false, "response_time_ms": 1e15, "time_to_first_token_ms": -5,
    "attempts": [{"http_status": 1e9, "duration_ms": 1e15, "reason": "status_503"}, {"http_status": 200, "duration_ms": 3}]}'), 'recorded', 'three billion tokens, and a row all the same');
select results_eq($$select prompt_tokens, completion_tokens, cached_tokens, tokens_used, usage_estimated, response_time_ms, time_to_first_token_ms from pg_temp.answer(1)$$,
    $$values (100000000, 12, 100000000, 100000012, true, 2147483647, 0)$$, 'as far as they can be');
select is((select cost_usd from pg_temp.answer(1)), 100000012.0, 'which costs what it costs');
select results_eq($$select http_status, duration_ms from public.ai_errors where answer_id = pg_temp.id(1)$$, $$values (999, 2147483647)$$, 'calls that failed, too');
select pg_temp.record(2, :ann, pg_temp.id(100), 'q', 'a', '{"model_used": "m", "prompt_tokens": -7, "completion_tokens": 1.9, "cached_tokens": -1, "usage_estimated": false}') \g /dev/null
select results_eq($$select prompt_tokens, completion_tokens, cached_tokens, tokens_used, usage_estimated, cost_usd from pg_temp.answer(2)$$,
    $$values (0, 1, 0, 1, false, 1.0)$$, 'less than nothing is nothing');
select pg_temp.record(3, :ann, pg_temp.id(100), 'q', 'a', '{"model_used": "m", "prompt_tokens": 5, "completion_tokens": 1, "cached_tokens": 9, "usage_estimated": false}') \g /dev/null
select is((select cached_tokens from pg_temp.answer(3)), 5, 'no more can be cached than was sent');
select pg_temp.record(4, :ann, pg_temp.id(100), 'q', 'a') \g /dev/null
select results_eq($$select prompt_tokens, tokens_used, usage_estimated from pg_temp.answer(4)$$, $$values (null::int, null::int, null::boolean)$$, 'what nobody counted stays unknown');
select pg_temp.record(5, :ann, pg_temp.id(100), 'q', 'a', jsonb_build_object('model_used', 'm', 'from_cache', true, 'cache_source_id', pg_temp.id(1), 'prompt_tokens', 0, 'completion_tokens', 0)) \g /dev/null
select is((select saved_usd from pg_temp.answer(5)), 100000012.0, 'an answer given again saves as much');
select is((select count(*) from uplift.rejected_answers), 0::bigint, 'none was rejected');

-- Down to the bad ones.
create temp table good (id uuid primary key, n int check (n <> 7));
grant all on good to public;
insert into good select pg_temp.id(n), 0 from generate_series(1, 100) n;
create function pg_temp.bad() returns trigger language plpgsql as $$ begin
    if new.id in (pg_temp.id(13), pg_temp.id(14), pg_temp.id(77)) then
        raise exception '% is bad', new.id using errcode = current_setting('test.state', true);
    end if;
    return new;
end $$;
create trigger bad before update on good for each row execute function pg_temp.bad();
set local test.state = '22000';
select results_eq($$select done, failed from uplift.do_rows('update pg_temp.good set n = 1 where id = any ($1)', array(select id from good))$$, $$values (97::bigint, 3::bigint)$$, 'all rows are done but those that cannot be');
select is((select count(*) from good where n = 0), 3::bigint, 'which stay as they are');
select is((select reason from uplift.do_rows('update pg_temp.good set n = 1 where id = any ($1)', array[pg_temp.id(77)])), pg_temp.id(77) || ' is bad', 'with the reason');
select results_eq($$select done, failed from uplift.do_rows('update pg_temp.good set n = 2 where id = any ($1)', '{}')$$, $$values (0::bigint, 0::bigint)$$, 'of none there is none');
set local test.state = '53100';
select is(pg_temp.refused($$select * from uplift.do_rows('update pg_temp.good set n = 3 where id = any ($1)', array(select id from good))$$), '53100', 'a full disk is not the fault of a row');
select is(uplift.is_bad_row(s), b, s) from (values ('22003', true), ('23514', true), ('P0001', true), ('XX001', true), ('UP400', true),
    ('40P01', false), ('55P03', false), ('57014', false), ('53200', false), ('08006', false)) as v(s, b);

-- The response cache, where a row of a deployment's makes trouble.
insert into public.ai_response_cache (cache_key, source_answer_id, expires_at, created_at) select 'k' || n, pg_temp.id(n), now() + interval '1 hour', now() from generate_series(1, 3) n;
insert into uplift.cache_hits (source_answer_id, hits, saved_usd, last_hit_at) select pg_temp.id(n), 2, 6000, now() from generate_series(1, 3) n, generate_series(1, 2);
select is(uplift_batch.trim_cache(10), '{"hits_counted": 13, "expired": 0, "least_useful": 0, "entries": 3, "failed": 0}', 'one entry may save more than $10,000');
select is((select cost_saved_usd from public.ai_response_cache where cache_key = 'k2'), 12000.0, 'and says so');
update public.ai_response_cache set hit_count = 2147483640 where cache_key = 'k1';
insert into uplift.cache_hits (source_answer_id, hits, saved_usd, last_hit_at) select pg_temp.id(n), 9, 1, now() from generate_series(1, 3) n;
create function pg_temp.stubborn() returns trigger language plpgsql as $$ begin
    if old.cache_key = 'k2' then
        raise exception 'no';
    end if;
    return coalesce(new, old);
end $$;
create trigger stubborn before update or delete on public.ai_response_cache for each row execute function pg_temp.stubborn();
select is(uplift_batch.trim_cache(10), '{"hits_counted": 18, "expired": 0, "least_useful": 0, "entries": 3, "failed": 1}', 'an entry that cannot be changed keeps none from being counted');
select results_eq('select cache_key, hit_count from public.ai_response_cache order by 1', $$values ('k1', 2147483647), ('k2', 4), ('k3', 13)$$, 'as far as there is room');
select is((select sum(hits) from uplift.cache_hits), 9::bigint, 'its hits wait');
alter table public.ai_response_cache disable trigger stubborn;
update public.ai_response_cache set expires_at = now() - interval '1 minute';
alter table public.ai_response_cache enable trigger stubborn;
select is(uplift_batch.trim_cache(10) - 'hits_counted', '{"expired": 2, "least_useful": 0, "entries": 1, "failed": 2}', 'one that cannot be deleted keeps none from being deleted');
drop trigger stubborn on public.ai_response_cache;

-- Failures of long ago, one of which something of the deployment's refers to.
delete from public.ai_errors;
insert into public.ai_errors (id, error_type, fingerprint, created_at) select pg_temp.id(n), 'x', 'f', now() - interval '1 year' + n * interval '1 minute' from generate_series(1, 9) n;
create function pg_temp.referred() returns trigger language plpgsql as $$ begin
    if old.id = pg_temp.id(1) then
        raise exception 'is referred to' using errcode = 'foreign_key_violation';
    end if;
    return old;
end $$;
create trigger referred before delete on public.ai_errors for each row execute function pg_temp.referred();
select is(uplift_batch.trim_errors(4), '{"deleted": 3, "failed": 1, "goes_on": true}', 'a failure that cannot be deleted');
select is(uplift_batch.trim_errors(4), '{"deleted": 3, "failed": 1, "goes_on": true}', 'holds up no other');
select is(uplift_batch.trim_errors(4), '{"deleted": 2, "failed": 1, "goes_on": false}', 'to the end');

-- Use by the hour.
delete from uplift.usage_state;
insert into uplift.usage_state (began_at, rolled_until) values ('2026-02-01', '2026-01-01T06:00Z');
insert into uplift.usage_dirty (hour) select timestamptz '2026-01-01T00:00Z' + n * interval '1 hour' from generate_series(0, 4) n;
create function pg_temp.no_such_hour() returns trigger language plpgsql as $$ begin
    if new.hour = '2026-01-01T00:00Z' then
        raise exception 'this hour never was';
    end if;
    return new;
end $$;
create trigger no_such_hour before insert on uplift.usage_hourly for each row execute function pg_temp.no_such_hour();
select uplift_batch.roll_up_usage(3) as rolled \gset
select results_eq(format($$select (%L::jsonb ->> 'hours')::int, (%1$L::jsonb ->> 'failed')::int$$, :'rolled'), 'values (2, 1)', 'an hour that cannot be counted');
select results_eq('select hour, reason from uplift.usage_dirty where failed_at is not null', $$values (timestamptz '2026-01-01T00:00Z', 'this hour never was')$$, 'waits, with the reason');
select uplift_batch.roll_up_usage(2) as rolled \gset
select is((:'rolled'::jsonb ->> 'hours')::int, 2, 'and holds up no other');
drop trigger no_such_hour on uplift.usage_hourly;
update uplift.usage_dirty set failed_at = failed_at - interval '31 minutes';
select uplift_batch.roll_up_usage(1) \g /dev/null
select ok((select sum(requests) from uplift.usage_hourly where hour = '2026-01-01T00:00Z') > 0, 'later it is tried again');

-- How models do.
insert into public.ai_model_versions (id, model_name, version, model_id, is_deployed) select pg_temp.id(n), 'v', n, 'm' || n, true from generate_series(1, 3) n;
create function pg_temp.frozen() returns trigger language plpgsql as $$ begin
    if new.model_id = 'm2' then
        raise exception 'is frozen';
    end if;
    return new;
end $$;
create trigger frozen before update on public.ai_model_versions for each row execute function pg_temp.frozen();
select ok((r ->> 'refreshed')::int >= 2 and r ->> 'failed' = '1', 'a version that cannot be changed') from uplift_batch.refresh_model_metrics(7) r;
select results_eq($$select production_metrics is not null from public.ai_model_versions where model_name = 'v' order by model_id$$, 'values (true), (false), (true)', 'keeps none from being refreshed');

-- Training examples.
create function pg_temp.words(n int) returns text[] language sql as $$
    select (string_to_array('rowing baking chess walking sleep soup spelling gardens kites rivers lamps trains violins carpets bridges candles '
        'whales maps clocks cheese sailing poems winter mirrors pencils tents drums forests bread glaciers letters spoons owls harbours '
        'buttons tunnels jam castles swings ladders cellos moss planets ropes', ' '))[1 + 4 * n:4 + 4 * n]
$$;
select pg_temp.record(n, :ann, null, format('What about %s and %s?', w[1], w[2]), format('Think of %s, then %s.', w[3], w[4]))
    from generate_series(10, 20) n, pg_temp.words(n - 10) w \g /dev/null
select count(*) from uplift_chat.give_feedback(:ann, pg_temp.id(10), '{"helpful": true}', true) \g /dev/null
select uplift_chat.give_feedback(:ann, pg_temp.id(n), '{"helpful": true}', true) from generate_series(11, 20) n \g /dev/null
create function pg_temp.picky() returns trigger language plpgsql as $$ begin
    if new.source_id = pg_temp.id(14) then
        raise exception 'is not to be learnt' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger picky before insert or update on public.ai_training_examples for each row execute function pg_temp.picky();
create function pg_temp.generate() returns int language plpgsql as $$
declare v record; v_failed int := 0;
begin
    loop
        select * into v from uplift_batch.generate_training_examples(1000);
        v_failed := v_failed + v.failed;
        exit when v.taken = 0;
    end loop;
    return v_failed;
end $$;
select is(pg_temp.generate(), 1, 'an answer that no example can be made of');
select is((select count(distinct source_id) from public.ai_training_examples where source_id between pg_temp.id(10) and pg_temp.id(20)), 10::bigint, 'keeps none from being made');
select results_eq('select answer_id, reason from uplift.training_failures', $$values (pg_temp.id(14), 'is not to be learnt')$$, 'it is set aside, with the reason');
select is(pg_temp.generate(), 0, 'and is not tried again and again');
drop trigger picky on public.ai_training_examples;
select uplift_chat.give_feedback(:ann, pg_temp.id(14), '{"rating": 5}', true) \g /dev/null
select is(pg_temp.generate(), 0, 'but with the next word on it');
select is((select count(*) from uplift.training_failures), 0::bigint, 'and then it comes in');
insert into public.ai_training_examples (dataset_id, messages, tokens, is_validated, split)
    select dataset_id, '{"role": "assistant", "content": "not a list"}', 1, true, 'train' from public.ai_training_examples where source_id = pg_temp.id(14) limit 1;
select ok((select jsonb_array_length(training_data) > 0 from public.export_training_dataset_openai_format(
    (select dataset_id from public.ai_training_examples where source_id = pg_temp.id(14) limit 1))), 'an example that is none keeps no other from being exported');

select * from finish();
rollback;
