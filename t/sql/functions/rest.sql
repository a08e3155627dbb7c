-- What supabase-js does: GET of own rows by filters, and PATCH.
\ir common.psql
select plan(106);
delete from uplift.rate_limits;

do $$ begin
    perform pg_temp.record(n, pg_temp.ann(), pg_temp.id(100 + n % 2), 'q' || n, 'a' || n, jsonb_build_object('prompt_tokens', n, 'completion_tokens', 1)) from generate_series(1, 4) n;
    perform pg_temp.record(5, pg_temp.bob(), pg_temp.id(200), 'q5', 'a5');
    perform uplift_chat.give_feedback(pg_temp.ann(), pg_temp.id(1), '{"helpful": true, "rating": 5, "feedback_text": "100% \"good\", (really)"}', true);
    perform uplift_chat.give_feedback(pg_temp.ann(), pg_temp.id(2), '{"helpful": false, "rating": 2}', true);
    perform uplift_chat.give_feedback(pg_temp.ann(), pg_temp.id(3), '{"rating": 4}', true);
end $$;
create function pg_temp.get(p_query jsonb) returns text language sql as $$
    select coalesce(string_agg(e.r ->> 'user_message', ' ' order by e.o), '') from uplift_chat.rest_select_feedback(pg_temp.ann(), p_query) s,
        json_array_elements(s.rows::json) with ordinality e(r, o)
$$;
-- The rows of one condition, in the order they came.
create function pg_temp.where(p_condition jsonb) returns text language sql as $$
    select pg_temp.get(jsonb_build_object('where', jsonb_build_array(p_condition), 'order', '[{"column": "created_at"}]'::jsonb))
$$;
create function pg_temp.is(p_column text, p_op text, p_value anyelement, p_more jsonb default '{}') returns text language sql as $$
    select pg_temp.where(jsonb_build_object('column', p_column, 'op', p_op, 'value', p_value) || p_more)
$$;

select is(pg_temp.get('{}'), 'q4 q3 q2 q1', 'own rows, the latest first');
select is(pg_temp.get('{"order": [{"column": "created_at"}]}'), 'q1 q2 q3 q4', 'or the earliest');
select is(pg_temp.get('{"order": [{"column": "rating", "desc": true, "nulls": "last"}]}'), 'q1 q3 q2 q4', 'by another column, nulls last');
select is(pg_temp.get('{"order": [{"column": "rating", "desc": true}]}'), 'q4 q1 q3 q2', 'which come first where it descends');
select is(pg_temp.get('{"order": [{"column": "rating", "nulls": "first"}]}'), 'q4 q2 q3 q1', 'or where it is said');
select is(pg_temp.get('{"order": [{"column": "conversation_id"}, {"column": "created_at", "desc": true}]}'), 'q4 q2 q3 q1', 'by two columns');
select is(pg_temp.get('{"limit": 2, "offset": 1}'), 'q3 q2', 'a page');
select is(pg_temp.get('{"limit": 0}'), '', 'of nothing');

-- Filters.
select is(pg_temp.is('id', 'eq', pg_temp.id(2)), 'q2', 'eq');
select is(pg_temp.is('id', 'eq', pg_temp.id(5)), '', 'not another user''s');
select is(pg_temp.is('user_id', 'eq', :bob), '', 'whatever is asked');
select is(pg_temp.where(jsonb_build_object('or', jsonb_build_array(jsonb_build_object('column', 'user_id', 'op', 'eq', 'value', :bob), jsonb_build_object('column', 'id', 'op', 'eq', 'value', pg_temp.id(5))))), '', 'also by or');
select is(pg_temp.where(jsonb_build_object('column', 'user_id', 'op', 'eq', 'value', :ann, 'not', true)), '', 'and by not');
select is(pg_temp.is('rating', 'neq', 5), 'q2 q3', 'neq leaves nulls out');
select is(pg_temp.is('rating', 'gt', 4), 'q1', 'gt');
select is(pg_temp.is('rating', 'gte', 4), 'q1 q3', 'gte');
select is(pg_temp.is('rating', 'lt', 4), 'q2', 'lt');
select is(pg_temp.is('rating', 'lte', 4), 'q2 q3', 'lte');
select is(pg_temp.is('created_at', 'gt', '2026-01-01T00:02:00Z'::text), 'q3 q4', 'of times');
select is(pg_temp.is('rating', 'is', 'null'::text), 'q4', 'is.null');
select is(pg_temp.is('rating', 'is', 'null'::text, '{"not": true}'), 'q1 q2 q3', 'not.is.null');
select is(pg_temp.is('rating', 'is', 'not_null'::text), 'q1 q2 q3', 'is.not_null');
select is(pg_temp.is('helpful', 'is', 'TRUE'::text), 'q1', 'is.true');
select is(pg_temp.is('helpful', 'is', 'false'::text), 'q2', 'is.false');
select is(pg_temp.is('helpful', 'is', 'unknown'::text), 'q3 q4', 'is.unknown');
select is(pg_temp.is('rating', 'isdistinct', 5), 'q2 q3 q4', 'isdistinct takes nulls in');
select is(pg_temp.where('{"column": "rating", "op": "in", "values": ["2", "4"]}'), 'q2 q3', 'in');
select is(pg_temp.where('{"column": "rating", "op": "in", "values": ["2", "4"], "not": true}'), 'q1', 'not.in');
select is(pg_temp.where('{"column": "rating", "op": "in", "values": []}'), '', 'in nothing');
select is(pg_temp.where('{"column": "feedback_text", "op": "in", "values": ["100% \"good\", (really)", "'' or true --"]}'), 'q1', 'whatever characters there are');
select is(pg_temp.is('user_message', 'like', 'q*'::text), 'q1 q2 q3 q4', 'like, with * for %');
select is(pg_temp.is('user_message', 'like', 'Q%'::text), '', 'which looks at case');
select is(pg_temp.is('user_message', 'ilike', 'Q_'::text), 'q1 q2 q3 q4', 'as ilike does not');
select is(pg_temp.is('user_message', 'like', '{q1,*3}'::text, '{"any": "any"}'), 'q1 q3', 'like(any)');
select is(pg_temp.is('user_message', 'like', '{q*,*3}'::text, '{"any": "all"}'), 'q3', 'like(all)');
select is(pg_temp.is('rating', 'eq', '{2,5}'::text, '{"any": "any"}'), 'q1 q2', 'eq(any)');
select is(pg_temp.where('{"or": [{"column": "rating", "op": "eq", "value": "5"}, {"and": [{"column": "rating", "op": "is", "value": "null"}, {"column": "helpful", "op": "is", "value": "null"}]}]}'), 'q1 q4', 'or, and and in it');
select is(pg_temp.where('{"not": true, "or": [{"column": "rating", "op": "eq", "value": "5"}, {"column": "rating", "op": "eq", "value": "2"}]}'), 'q3', 'not.or');
select is(pg_temp.get('{"where": [{"column": "rating", "op": "gt", "value": "2"}, {"column": "helpful", "op": "is", "value": "null"}]}'), 'q3', 'two filters are and');
-- Arrays and JSON, which users may not read, but for those of a deployment's own.
grant select (memory_ids, attempts) on public.coach_response_feedback to authenticated;
update public.coach_response_feedback set memory_ids = array[pg_temp.id(901), pg_temp.id(902)], attempts = '[{"model": "m"}]' where id = pg_temp.id(2);
select is(pg_temp.is('memory_ids', 'cs', '{10000000-0000-4000-8000-000000000901}'::text), 'q2', 'cs of an array');
select is(pg_temp.is('memory_ids', 'ov', '{10000000-0000-4000-8000-000000000902,10000000-0000-4000-8000-000000000903}'::text), 'q2', 'ov');
select is(pg_temp.is('attempts', 'cs', '[{"model": "m"}]'::text), 'q2', 'cs of JSON');
select is(pg_temp.is('attempts', 'cd', '[{"model": "m"}, 1]'::text), 'q2', 'cd');

-- Columns.
create function pg_temp.one(p_more jsonb) returns jsonb language sql as $$
    select s.rows::jsonb from uplift_chat.rest_select_feedback(pg_temp.ann(), jsonb_build_object('one', true, 'where',
        jsonb_build_array(jsonb_build_object('column', 'id', 'op', 'eq', 'value', pg_temp.id(1)))) || p_more) s
$$;
select ok(pg_temp.one('{}') ?& array['id', 'user_id', 'ai_response', 'helpful', 'created_at'], 'all columns');
select is(pg_temp.one('{"select": [{"column": "rating"}, {"column": "helpful", "as": "thumb up"}]}'), '{"rating": 5, "thumb up": true}', 'or some, under other names');
select is(pg_temp.one('{"select": [{"column": "rating", "cast": "text"}, {"column": "mode", "cast": "pg_temp.evil"}]}'), '{"rating": "5", "mode": "default"}', 'as another type, of those there are');
select is(pg_temp.one('{"select": [{"column": "rating"}, {"column": "regenerate_of"}], "strip": true}'), '{"rating": 5}', 'without nulls');
select is((select rows from uplift_chat.rest_select_feedback(:eve, '{}')), '[]', 'an empty array for nothing');
select is((select row_count from uplift_chat.rest_select_feedback(:ann, '{"head": true}')), 4::bigint, 'HEAD counts the rows');
select is((select rows from uplift_chat.rest_select_feedback(:ann, '{"head": true}')), '[]', 'and has none');
-- What the users' role may not read nobody gets.
create function pg_temp.without(p_query jsonb) returns text language plpgsql as $$
declare v text;
begin
    revoke select on public.coach_response_feedback from authenticated;
    grant select (id, user_id, rating, created_at) on public.coach_response_feedback to authenticated;
    v := pg_temp.refused(format('select * from uplift_chat.rest_select_feedback(%L, %L)', pg_temp.ann(), p_query));
    if v = 'not at all' then
        v := (select string_agg(k, ' ' order by k) from jsonb_object_keys((select s.rows::jsonb -> 0 from uplift_chat.rest_select_feedback(pg_temp.ann(), p_query) s)) k);
    end if;
    raise exception 'undone' using errcode = 'P0002', detail = v;
exception when no_data_found then
    get stacked diagnostics v = pg_exception_detail;
    return v;
end $$;
select is(pg_temp.without('{}'), 'created_at id rating user_id', 'where users may read some columns, all means those');
select is(pg_temp.without('{"select": [{"column": "system_prompt"}]}'), 'PT403 42501', 'others cannot be selected');
select is(pg_temp.without('{"where": [{"column": "system_prompt", "op": "like", "value": "*"}]}'), 'PT403 42501', 'nor filtered by');
select is(pg_temp.without('{"order": [{"column": "system_prompt"}]}'), 'PT403 42501', 'nor ordered by');

-- How many there are.
create function pg_temp.total(p_more jsonb) returns bigint language sql as $$ select total from uplift_chat.rest_select_feedback(pg_temp.ann(), p_more) $$;
select is(pg_temp.total('{"limit": 1}'), null, 'nobody asked');
select is(pg_temp.total('{"limit": 1, "count": "exact"}'), 4::bigint, 'exactly');
select is(pg_temp.total('{"limit": 1, "count": "exact", "where": [{"column": "rating", "op": "gt", "value": "3"}]}'), 2::bigint, 'of those that are filtered');
select is(pg_temp.total('{"limit": 1, "count": "estimated"}'), 4::bigint, 'an estimate of few is exact');
select ok(pg_temp.total('{"limit": 1, "count": "planned"}') > 0, 'what the planner thinks');
select is((select row_count || ' of ' || total from uplift_chat.rest_select_feedback(:ann, '{"count": "exact", "offset": 3}')), '1 of 4', 'the last page');
select is((select row_count || ' of ' || total from uplift_chat.rest_select_feedback(:ann, '{"count": "exact", "offset": 4}')), '0 of 4', 'just behind it');

-- Refusals.
create function pg_temp.wrong(p_query jsonb) returns text language sql as $$ select pg_temp.refused(format('select pg_temp.get(%L)', p_query)) $$;
select is(pg_temp.wrong(q::jsonb), r, d) from (values
    ('{"select": [{"column": "nonsense"}]}', 'PT400 42703', 'no such column'),
    ('{"select": [{"column": "id\" from pg_shadow --"}]}', 'PT400 42703', 'nor SQL'),
    ('{"order": [{"column": "ai_response; drop table x"}]}', 'PT400 42703', 'not in an order'),
    ('{"where": [{"column": "tableoid", "op": "eq", "value": "1"}]}', 'PT400 42703', 'no column of the system''s'),
    ('{"where": [{"column": "nonsense", "op": "eq", "value": "1"}]}', 'PT400 42703', 'no such column in a filter'),
    ('{"where": [{"column": "id", "op": "eq", "value": "x"}]}', 'PT400 22P02', 'no UUID'),
    ('{"where": [{"column": "rating", "op": "gt", "value": "many"}]}', 'PT400 22P02', 'no number'),
    ('{"where": [{"column": "rating", "op": "gt", "value": "99999999999999"}]}', 'PT400 22003', 'too large a number'),
    ('{"where": [{"column": "created_at", "op": "gt", "value": "yesterday or so"}]}', 'PT400 22007', 'no time'),
    ('{"where": [{"column": "rating", "op": "like", "value": "5*"}]}', 'PT404 42883', 'a pattern of numbers'),
    ('{"where": [{"column": "rating", "op": "is", "value": "true"}]}', 'PT400 42804', 'a number that is true'),
    ('{"where": [{"column": "rating", "op": "is", "value": "5"}]}', 'PT400 PGRST100', 'is of a value'),
    ('{"where": [{"column": "rating", "op": "= 5 or true or rating", "value": "5"}]}', 'PT400 PGRST100', 'an operator that is none'),
    ('{"where": [{"column": "rating", "op": "eq", "value": "{1,", "any": "any"}]}', 'PT400 22P02', 'half an array'),
    ('{"where": [{"column": "user_message", "op": "cs", "value": "{a}"}]}', 'PT404 42883', 'contents of a text'),
    ('{"one": true}', 'PT406 PGRST116 The result contains 4 rows', 'one object of four'),
    ('{"count": "exact", "offset": 5}', 'PT416 PGRST103 An offset of 5 was requested, but there are only 4 rows.', 'behind the end')) as w(q, r, d);

-- PATCH by id.
create function pg_temp.told(p_refusal jsonb) returns text language sql as $$
    select rtrim(format('PT%s %s %s', p_refusal ->> 'status', p_refusal ->> 'code', p_refusal ->> 'param'))
$$;
create function pg_temp.patch_refused(n int, p_changes jsonb, p_more jsonb) returns text language sql as $$
    select pg_temp.told(refusal) from uplift_chat.rest_update_feedback(pg_temp.ann(), pg_temp.id(n)::text, p_more, p_changes, false, statement_timestamp(), null, null, null)
$$;
create function pg_temp.patch(n int, p_changes jsonb, p_more jsonb default '{}') returns jsonb language sql as $$
    select rows::jsonb from uplift_chat.rest_update_feedback(pg_temp.ann(), pg_temp.id(n)::text, p_more, p_changes, false, statement_timestamp(), null, null, null)
$$;
select is(pg_temp.patch(1, '{"helpful": true}') #>> '{0,helpful}', 'true', 'a thumb, and the changed row');
select is(pg_temp.patch(1, '{"rating": 5, "feedback_text": "x"}') #>> '{0,feedback_text}', 'x', 'stars and words');
select is(pg_temp.patch(1, '{"helpful": null}') #> '{0,helpful}', 'null', 'null takes back');
select is(pg_temp.patch(1, '{}') #>> '{0,rating}', '5', 'nothing said');
select is(pg_temp.patch(1, '{"rating": 3}', '{"one": true, "select": [{"column": "rating", "as": "stars"}]}'), '{"stars": 3}', 'as one object, of some columns');
select is(pg_temp.patch(5, '{"helpful": true}'), '[]', 'another user''s row is no row');
select is((select helpful from public.coach_response_feedback where id = pg_temp.id(5)), null, 'and stays as it is');
select is(pg_temp.patch(999, '{"helpful": true}'), '[]', 'nor is nobody''s');
select is(pg_temp.patch_refused(999, '{"helpful": true}', '{"one": true}'), 'PT406 PGRST116 The result contains 0 rows', 'which is no object');
select is(pg_temp.patch_refused(1, b::jsonb, m::jsonb), r, d) from (values
    ('{"colour": 1}', '{}', 'PT400 PGRST204', 'no such column'), ('{"ai_response": "x"}', '{}', 'PT403 42501', 'a column that is not theirs'),
    ('{"helpful": true, "user_id": "x"}', '{}', 'PT403 42501', 'among others'), ('{"rating": 6}', '{}', 'PT400 23514', 'six stars'),
    ('{"helpful": "maybe"}', '{}', 'PT400 22P02', 'a thumb as text'), ('[]', '{}', 'PT400 PGRST102', 'no object'),
    ('{"rating": 1}', '{"select": [{"column": "nonsense"}]}', 'PT400 42703', 'an unknown column to be shown')) as w(b, m, r, d);
select is((select rating from public.coach_response_feedback where id = pg_temp.id(1)), 3, 'nothing of that was done');
select is((select array_agg(distinct source order by source) from uplift.feedback_events where answer_id = pg_temp.id(1)), '{rest,route}', 'all in the history');

-- PATCH by filters.
create function pg_temp.change_refused(p_query jsonb, p_changes jsonb) returns text language sql as $$
    select pg_temp.told(refusal) from uplift_chat.rest_update_feedback(pg_temp.ann(), null, p_query, p_changes, true, statement_timestamp(), null, null, null)
$$;
create function pg_temp.change(p_query jsonb, p_changes jsonb, p_event uuid default null) returns bigint language sql as $$
    select row_count from uplift_chat.rest_update_feedback(pg_temp.ann(), null, p_query, p_changes, true, statement_timestamp(), p_event, null, null)
$$;
select is(pg_temp.change('{"where": [{"column": "rating", "op": "is", "value": "null"}]}', '{"rating": 1}'), 1::bigint, 'those that have no stars');
select is(pg_temp.change('{"where": [{"column": "user_message", "op": "in", "values": ["q2", "q3", "q5"]}]}', '{"rating": 1}', pg_temp.id(700)), 2::bigint, 'a list, and nobody else''s');
select is((select rating from public.coach_response_feedback where id = pg_temp.id(5)), null, 'whose row stays as it is');
select pg_temp.change('{"where": [{"column": "user_message", "op": "in", "values": ["q2", "q3"]}]}', '{"rating": 3}', pg_temp.id(700)) \g /dev/null
select is((select array_agg(rating order by id) from public.coach_response_feedback where id in (pg_temp.id(2), pg_temp.id(3))), '{1,1}', 'once for each event');
select is(pg_temp.change_refused('{}', '{"rating": 2}'), 'PT400 21000', 'not all there are');
select is(pg_temp.change_refused('{"most": 1, "where": [{"column": "rating", "op": "gt", "value": "0"}]}', '{"rating": 2}'),
    'PT400 PGRST124 The query affects more than 1 rows', 'nor more than were allowed');
select is(pg_temp.change_refused('{"one": true, "where": [{"column": "rating", "op": "eq", "value": "1"}]}', '{"rating": 5}'),
    'PT406 PGRST116 The result contains 3 rows', 'nor three where one object was asked for');
select is((select count(*) from public.coach_response_feedback where rating = 5), 0::bigint, 'which changes none');
insert into uplift.rate_limits (scope, feedback_per_minute) values ('user', 5);
select is((select refusal ->> 'code' from uplift_chat.rest_update_feedback(:ann, null, '{"where": [{"column": "id", "op": "is", "value": "not_null"}]}', '{"rating": 2}', true, now(), null, null, null) r), null, 'four rows are four calls');
select is((select refusal ->> 'code' from uplift_chat.rest_update_feedback(:ann, null, '{"where": [{"column": "id", "op": "is", "value": "not_null"}]}', '{"rating": 2}', true, now(), null, null, null) r), 'rate_limit_exceeded', 'of those that are allowed');

select * from finish();
rollback;
