-- Prices by model, provider and time; what answers cost; budgets; use by the hour and the reports made of it.
\ir common.psql
select plan(88);

-- An answer with an id of its time, asked so long ago.
create function pg_temp.answer(p_ago interval, p_user uuid, p_more jsonb default '{}') returns uuid language plpgsql as $$
declare
    v_at timestamptz := now() - p_ago;
    v_id uuid := (left(uplift.first_id_of(v_at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid;
begin
    perform uplift_chat.record_answers(jsonb_build_array(jsonb_build_object('id', v_id, 'user_id', p_user, 'user_message', 'q',
        'ai_response', 'a', 'coach_id', 'coach_maple_avatar', 'outcome', 'complete', 'protocol', 'chat', 'created_at', v_at,
        'model_used', 'm', 'provider', 'p', 'prompt_tokens', 1000000, 'cached_tokens', 0, 'completion_tokens', 1000000,
        'usage_estimated', false, 'response_time_ms', 1000, 'time_to_first_token_ms', 100) || p_more)::json);
    return v_id;
end
$$;
create function pg_temp.cost(p_id uuid) returns numeric language sql as $$
    select cost_usd from public.coach_response_feedback where id = p_id
$$;
create function pg_temp.price(p_more jsonb) returns jsonb language sql as $$
    select uplift_batch.admin_put_price(null, '{"model": "m", "input_per_million": 1, "output_per_million": 2}' || p_more, 'tester')
$$;
create function pg_temp.refusal(p_user uuid, p_coach text default null) returns jsonb language sql as $$
    select p.refusal from uplift.prepare_chat(p_user, 'chat', p_coach, null, null, null, null, 'q', 4000) p
$$;
create function pg_temp.budget(p_more jsonb) returns uuid language sql as $$
    select (uplift_batch.admin_create_budget(null, '{"scope": "total", "period": "day", "limit_usd": 10}' || p_more, 'tester') ->> 'id')::uuid
$$;

-- Prices.
select is(pg_temp.cost(pg_temp.answer('0', :ann)), null, 'a model without a price: the cost is not known');
select pg_temp.price('{"valid_from": "2026-01-01"}') \g /dev/null
select is(pg_temp.cost(pg_temp.answer('0', :ann)), 3::numeric(12, 8), 'input and output, by the million');
select is(pg_temp.cost(pg_temp.answer('0', :ann, '{"cached_tokens": 400000}')), 3::numeric(12, 8), 'cached tokens cost as input without a price of their own');
select pg_temp.price('{"valid_from": "2026-02-01", "cached_input_per_million": 0.1}') \g /dev/null
select is(pg_temp.cost(pg_temp.answer('0', :ann, '{"cached_tokens": 400000}')), 2.64::numeric(12, 8), 'and less with one');
select is((select count(*) from uplift.model_prices where model = 'm'), 2::bigint, 'a price ends where the next begins');
select is((select valid_until from uplift.model_prices where model = 'm' and valid_from = '2026-01-01Z'), timestamptz '2026-02-01Z', 'to the moment');
select is((uplift.price_of('m', 'p', '2026-01-31 23:59:59Z')).cached_input_per_million, null, 'at its time the earlier one counts');
select is((uplift.price_of('m-2026-01-01', 'p', now())).input_per_million, 1::numeric, 'a snapshot has the price of its model');
select pg_temp.price('{"model": "m-2026-01-01", "input_per_million": 7, "valid_from": "2026-01-01"}') \g /dev/null
select is((uplift.price_of('m-2026-01-01', 'p', now())).input_per_million, 7::numeric, 'or one of its own');
select pg_temp.price('{"provider": "p", "input_per_million": 5, "valid_from": "2026-01-01"}') \g /dev/null
select is((uplift.price_of('m', 'p', now())).input_per_million, 5::numeric, 'a provider''s own price beats the price of any');
select is((uplift.price_of('m', 'q', now())).input_per_million, 1::numeric, 'for that provider');
select is(uplift.price_of('m', 'q', '2025-12-31Z'), null, 'before the first one there is none');
select is(pg_temp.refused($$select pg_temp.price('{"input_per_million": -1}')$$), 'UP400 invalid_input_per_million input_per_million', 'no negative prices');
select is(pg_temp.refused($$select pg_temp.price('{"output_per_million": "2"}')$$), 'UP400 invalid_output_per_million output_per_million', 'nor text');
select is(pg_temp.refused($$select pg_temp.price('{"model": null}')$$), 'UP400 incomplete_price', 'nor for no model');
select is(pg_temp.refused($$select pg_temp.price('{"valid_from": "soon"}')$$), 'UP400 invalid_valid_from valid_from', 'nor from no time');
select is(pg_temp.refused($$select pg_temp.price('{"valid_from": "2026-03-01", "valid_until": "2026-02-01"}')$$), 'UP400 invalid_valid_until valid_until', 'nor back in time');
select is(pg_temp.refused($$select pg_temp.price('{"valid_from": "2025-12-01", "valid_until": "2026-01-15"}')$$), 'UP409 overlapping_price valid_from', 'nor two at a time');
select is(pg_temp.refused($$insert into uplift.model_prices (model, input_per_million, output_per_million) values ('m', 1, 1)$$), 'UP409 overlapping_price valid_from', 'not even in SQL');
select is(pg_temp.refused($$insert into uplift.model_prices (model, input_per_million, output_per_million) values ('n', -1, 1)$$), '23514', 'nor negative ones');
select is(uplift_batch.admin_delete_price(null, '{"model": "m", "provider": "p", "valid_from": "2026-01-01"}', 'x') ->> 'provider', 'p', 'a price can be deleted');
select is(pg_temp.refused($$select uplift_batch.admin_delete_price(null, '{"model": "m", "provider": "p"}', 'x')$$), 'UP404 price_not_found', 'once');

-- Budgets.
select is(pg_temp.refusal(:ann), null, 'without budgets nobody is refused');
select pg_temp.budget('{"limit_usd": 100}') as total \gset
select is((uplift_batch.admin_get_budget(:'total', '{}', 'x') -> 'spent' -> 0 ->> 'spent_usd')::numeric > 0, true, 'a new budget begins with what was spent before it');
select set_config('test.before', uplift.spent(:'total', '', 'day', now())::text, true) \g /dev/null
select pg_temp.answer('0', :ann) \g /dev/null
select is(uplift.spent(:'total', '', 'day', now()) - current_setting('test.before')::numeric, 3.0::numeric, 'and grows with each answer');
select is(uplift_batch.admin_edit_budget(:'total', '{"limit_usd": 1}', 'x') -> 'spent' -> 0 ->> 'state', 'exhausted', 'beyond its limit it is used up');
select is(pg_temp.refusal(:bob) ->> 'code', 'budget_exceeded', 'then everybody is refused');
select is((pg_temp.refusal(:bob) ->> 'status')::int, 429, 'with 429');
select ok((pg_temp.refusal(:bob) ->> 'retry_after_ms')::bigint between 1 and 86400000, 'until the day is over');
select is((select scope from uplift.used_up_budgets()), 'total', 'workers are told, for when Postgres is away');
select uplift_batch.admin_edit_budget(:'total', '{"action": "cheaper", "cheaper_model": "tiny"}', 'x') \g /dev/null
select is((select p.model || p.budget_model from uplift.prepare_chat(:bob, 'chat', null, null, null, null, null, 'q', 4000) p), 'tinytiny', 'or a cheaper model answers');
select uplift_batch.admin_edit_budget(:'total', '{"is_enabled": false}', 'x') \g /dev/null
select is(pg_temp.refusal(:bob), null, 'one that is switched off counts for nothing');
select pg_temp.budget('{"scope": "user", "limit_usd": 1, "period": "month"}') as users \gset
select is(pg_temp.refusal(:ann) ->> 'code', 'budget_exceeded', 'of each user by itself: who spent it is refused');
select is(pg_temp.refusal(:bob), null, 'who did not is not');
select uplift_batch.admin_delete_budget(:'users', '{}', 'x') \g /dev/null
select pg_temp.budget('{"scope": "user", "key": "00000000-0000-4000-8000-00000000000b", "limit_usd": 0}') as none \gset
select is(pg_temp.refusal(:bob) ->> 'code', 'budget_exceeded', 'of a budget of nothing nothing can be spent');
select uplift_batch.admin_delete_budget(:'none', '{}', 'x') \g /dev/null
select pg_temp.budget('{"scope": "coach", "key": "coach_maple_avatar", "limit_usd": 3.5}') as coach \gset
select is(pg_temp.refusal(:bob, 'coach_maple_avatar') ->> 'code', 'budget_exceeded', 'of one coach');
select is(pg_temp.refusal(:bob, 'coach_ledger_avatar'), null, 'and no other');
select uplift_batch.admin_edit_budget(:'coach', '{"limit_usd": 1000000}', 'x') \g /dev/null
update uplift.budgets set limit_usd = uplift.spent(id, 'coach_maple_avatar', 'day', now()) + 1 where id = :'coach';
select pg_temp.answer('0', :ann) \g /dev/null
select is(pg_temp.refusal(:bob, 'coach_maple_avatar') ->> 'code', 'budget_exceeded', 'the answer that comes to the limit uses it up');
select is(uplift_batch.admin_edit_budget(:'coach', '{"limit_usd": 100, "warn_at": 0.01}', 'x') -> 'spent' -> 0 ->> 'state', 'warning', 'near the limit there is a warning');
select is(uplift.budget_gauges() -> 0 ->> 'state', 'warning', 'in the metrics, too');
select is(pg_temp.refused(b), r, d) from (values
    ($$select pg_temp.budget('{"scope": "coach", "key": "coach_maple_avatar"}')$$, 'UP409 overlapping_budget', 'two for the same'),
    ($$select pg_temp.budget('{"limit_usd": -1, "period": "month"}')$$, 'UP400 invalid_limit_usd limit_usd', 'less than nothing'),
    ($$select pg_temp.budget('{"limit_usd": null, "period": "month"}')$$, 'UP400 invalid_limit_usd limit_usd', 'no limit'),
    ($$select pg_temp.budget('{"scope": "world"}')$$, 'UP400 invalid_scope scope', 'another scope'),
    ($$select pg_temp.budget('{"period": "year"}')$$, 'UP400 invalid_period period', 'another period'),
    ($$select pg_temp.budget('{"action": "beg"}')$$, 'UP400 invalid_action action', 'another action'),
    ($$select pg_temp.budget('{"key": "x"}')$$, 'UP400 invalid_key key', 'a total of somebody'),
    ($$select pg_temp.budget('{"scope": "user", "key": "Ann"}')$$, 'UP400 invalid_key key', 'a user who is no UUID'),
    ($$select pg_temp.budget('{"action": "cheaper"}')$$, 'UP400 invalid_cheaper_model cheaper_model', 'a cheaper model that is none'),
    ($$select pg_temp.budget('{"warn_at": 2}')$$, 'UP400 invalid_warn_at warn_at', 'a warning after the end'),
    ($$select pg_temp.budget('{"colour": 1}')$$, 'UP400 unknown_argument colour', 'a misspelt name')) as x(b, r, d);
select is(pg_temp.refused($$select uplift_batch.admin_get_budget(pg_temp.id(1), '{}', 'x')$$), 'UP404 budget_not_found', 'none of that id');

-- What workers are told of used-up budgets, and when.
create function pg_temp.sync(p_known jsonb) returns jsonb language sql as $$ select uplift_chat.worker_sync(p_known) $$;
delete from uplift.budgets;
select pg_temp.sync('{}') ->> 'budgets_mark' as none \gset
select is(pg_temp.sync('{}') -> 'budgets', '[]', 'without budgets none is used up');
select is(pg_temp.sync(jsonb_build_object('budgets', :'none')) ? 'budgets', false, 'what a worker knows it is not told again');
select pg_temp.budget('{"scope": "user", "limit_usd": 1}') as each \gset
select pg_temp.budget('{"scope": "coach", "key": "coach_ledger_avatar", "limit_usd": 0, "action": "cheaper", "cheaper_model": "tiny"}') as zero \gset
select results_eq($$select u ->> 'scope', u ->> 'key', u ->> 'action', u ->> 'cheaper_model' from jsonb_array_elements(pg_temp.sync('{}') -> 'budgets') u$$,
    $$values ('user', '00000000-0000-4000-8000-00000000000a', 'refuse', null), ('coach', 'coach_ledger_avatar', 'cheaper', 'tiny')$$,
    'who has used up theirs, refusals first, and what nothing may be spent of');
select pg_temp.sync('{}') ->> 'budgets_mark' as some \gset
select isnt(:'some'::text, :'none'::text, 'the mark is another one then');
select is(pg_temp.sync(jsonb_build_object('budgets', :'some')) ? 'budgets', false, 'and stays as long as they do');
select pg_temp.answer('0', :bob) \g /dev/null
select is(jsonb_array_length(pg_temp.sync(jsonb_build_object('budgets', :'some')) -> 'budgets'), 3, 'one more, and workers are told of all');
select is(jsonb_path_query_array(uplift.budget_gauges(), '$[*] ? (@.scope == "user")') #> '{0,used_up}', '2', 'metrics say how many');
select is(jsonb_path_query_array(uplift.budget_gauges(), '$[*] ? (@.scope == "user")') #> '{0,spent_usd}', 'null', 'and not who');
select uplift_batch.admin_edit_budget(:'each', '{"limit_usd": 1000000}', 'x') \g /dev/null
select is(jsonb_array_length(pg_temp.sync(jsonb_build_object('budgets', :'some')) -> 'budgets'), 1, 'with more to spend they are not used up any more');

-- Periods that are over.
update uplift.budget_spend set period_start = period_start - 1;
insert into uplift.budgets_used_up (budget_id, key, period_start) values (:'each', 'x', current_date - 1), (:'each', 'x', current_date + 1);
select pg_temp.answer('0', :bob) \g /dev/null
delete from uplift.rate_buckets;
insert into uplift.rate_buckets (key, requests, tokens, filled_at, rpm, tpm, took, took_tokens)
    select 'user:' || n, 1, 1, now() - n * interval '1 hour', 1, 0, 1, 1 from generate_series(20, 30) n;
select is(uplift_batch.trim_spent(3), 3::bigint, 'what is over is forgotten, in steps');
select ok(uplift_batch.trim_spent(1000) between 1 and 999, 'to the end');
select is(uplift_batch.trim_spent(1000), 0::bigint, 'and then nothing is left');
select is((select array_agg(distinct period_start) from uplift.budget_spend), array[(now() at time zone 'UTC')::date], 'of spending but what is of today');
select is((select max(period_start)::text || count(*) filter (where period_start <> 'infinity') from uplift.budgets_used_up), 'infinity1', 'what is used up from now on stays so');
select is((select count(*) from uplift.rate_buckets), 5::bigint, 'so do buckets that somebody took from not long ago');
delete from uplift.budgets;

-- Use by the hour.
select is(uplift.histogram_percentile('{0,0,10,0,0,0,0,0,0,0,0,0}', 0.5), 150, 'a percentile lies within its bucket');
select is(uplift.histogram_percentile('{0,0,0,0,0,0,0,0,0,0,0,5}', 0.99), 51200, 'of the longest only the lower bound is known');
select is(uplift.histogram_percentile('{0,0,0,0,0,0,0,0,0,0,0,0}', 0.5), null, 'of none there is none');
select pg_temp.answer('2 hours', :bob) \g /dev/null
create temp table before as select sum(requests) as requests, sum(cost_usd) as cost from uplift.usage('-infinity', date_trunc('hour', now(), 'UTC') + interval '1 hour');
select uplift_batch.roll_up_usage(24) \g /dev/null
select results_eq($$select sum(requests), sum(cost_usd) from uplift.usage('-infinity', date_trunc('hour', now(), 'UTC') + interval '1 hour')$$,
    'select requests, cost from before', 'counted or not, the use is the same');
select ok((select sum(requests) from uplift.usage_hourly) > 0, 'what is over is counted');
update uplift.usage_state set began_at = began_at - interval '9 hours';
select pg_temp.answer('3 hours', :ann, '{"outcome": "failed"}') as late \gset
select is((select count(*) from uplift.usage_dirty), 1::bigint, 'an answer that comes late makes its hour count again');
select uplift_batch.roll_up_usage(24) \g /dev/null
select is((select sum(failed) from uplift.usage_hourly where hour = date_trunc('hour', now() - interval '3 hours', 'UTC')), 1::numeric, 'and then it is there');
select uplift_chat.give_feedback(:ann, :'late', '{"helpful": false}', true) \g /dev/null
select is((select count(*) from uplift.usage_dirty), 1::bigint, 'so does a thumb');
select uplift_batch.roll_up_usage(24) \g /dev/null
select is((select sum(thumbs_down) from uplift.usage_hourly where hour = date_trunc('hour', now() - interval '3 hours', 'UTC')), 1::numeric, 'and then it counts');
select is((select count(*) from jsonb_array_elements(uplift_batch.admin_stats(null, '{"step": "hour"}', 'x') -> 'data')), 24::bigint, 'a series has a point for each step');
select is((select sum((e ->> 'requests')::int) from jsonb_array_elements(uplift_batch.admin_stats(null, '{"group_by": "coach"}', 'x') -> 'data') e),
    (uplift_batch.admin_stats(null, '{}', 'x') #>> '{total,requests}')::bigint, 'by coach it adds up to the total');
select is((select sum(cost_usd) from public.get_daily_cost_report()), (select sum((d ->> 'cost_usd')::numeric)
    from jsonb_array_elements(uplift_batch.admin_costs(null, '{}', 'x') -> 'by_day') d where d ->> 'day' = (now() at time zone 'UTC')::date::text),
    'the report of a day is what the costs say of it');
select is(uplift.unpriced_models(), 0::bigint, 'all models have prices');
select pg_temp.answer('2 hours', :bob, '{"model_used": "strange-2025-09-30", "prompt_tokens": 5, "completion_tokens": 7}') \g /dev/null
select pg_temp.answer('0', :bob, '{"model_used": "strange-2025-09-30", "prompt_tokens": 5, "completion_tokens": 7}') \g /dev/null
select uplift_batch.roll_up_usage(24) \g /dev/null
select is(uplift.unpriced_models(), 1::bigint, 'one that has none is counted');
select is(pg_temp.sync('{"gauges": true}') #> '{gauges,unpriced_models}', '1', 'for metrics');
select is(uplift_batch.admin_costs(null, jsonb_build_object('from', now() - interval '5 hours'), 'x') #> '{unpriced_models,0}',
    '{"model": "strange-2025-09-30", "provider": "p", "answers": 2, "has_price_now": false}', 'and told');
select pg_temp.price('{"model": "strange"}') \g /dev/null
select is(uplift.unpriced_models(), 0::bigint, 'until its model has a price');
select is(uplift_batch.admin_costs(null, jsonb_build_object('from', now() - interval '5 hours'), 'x') #> '{unpriced_models,0,has_price_now}', 'true', 'what it answered before stays without');
select pg_temp.budget('{"scope": "total", "limit_usd": 1}') \g /dev/null
select pg_temp.answer('0', :bob, '{"model_used": "strange-2025-09-30"}') \g /dev/null
select is(pg_temp.refusal(:bob) ->> 'code', 'budget_exceeded', 'a snapshot counts against budgets, too');
select is(pg_temp.refused($$select uplift_batch.admin_stats(null, '{"step": "year"}', 'x')$$), 'UP400 invalid_step step', 'no other steps');
select is(pg_temp.refused($$select uplift_batch.admin_stats(null, '{"from": "2020-01-01", "to": "2026-01-01"}', 'x')$$), 'UP400 invalid_from from', 'nor endless series');

select finish();
rollback;
