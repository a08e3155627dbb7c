-- What supabase-js does: GET of own rows and PATCH by id.
\ir common.psql
select plan(32);

do $$ begin
    perform pg_temp.record(n, pg_temp.ann(), pg_temp.id(100 + n % 2), 'q' || n, 'a' || n) from generate_series(1, 4) n;
    perform pg_temp.record(5, pg_temp.bob(), pg_temp.id(200), 'q5', 'a5');
end $$;
create function pg_temp.get(p_query jsonb) returns text language sql as $$
    select coalesce(string_agg(r ->> 'user_message', ' ' order by o), '') from json_array_elements(uplift.rest_select_feedback(pg_temp.ann(), p_query)) with ordinality e(r, o)
$$;

select is(pg_temp.get('{}'), 'q4 q3 q2 q1', 'own rows, the latest first');
select is(pg_temp.get('{"order": "created_at.asc"}'), 'q1 q2 q3 q4', 'or the earliest');
select is(pg_temp.get('{"order": "created_at"}'), 'q1 q2 q3 q4', 'which is what PostgREST does');
select is(pg_temp.get('{"order": "created_at.desc", "limit": 2, "offset": 1}'), 'q3 q2', 'a page');
select is(pg_temp.get('{"limit": 0}'), '', 'of nothing');
select is(pg_temp.get(jsonb_build_object('id', pg_temp.id(2))), 'q2', 'by id');
select is(pg_temp.get(jsonb_build_object('id', pg_temp.id(5))), '', 'not another user''s');
select is(pg_temp.get(jsonb_build_object('conversation_id', pg_temp.id(101))), 'q3 q1', 'by conversation');
select is(pg_temp.get(jsonb_build_object('id', pg_temp.id(2), 'conversation_id', pg_temp.id(101))), '', 'by both');
select is(pg_temp.get(jsonb_build_object('user_id', :ann)), 'q4 q3 q2 q1', 'by oneself');
select is(pg_temp.get(jsonb_build_object('user_id', :bob)), '', 'by somebody else');
select ok((uplift.rest_select_feedback(:ann, '{}') -> 0)::jsonb ?& array['id', 'user_id', 'ai_response', 'helpful', 'created_at', 'cost_usd'], 'with all columns');
select is(uplift.rest_select_feedback(:eve, '{}')::text, '[]', 'an empty array for nothing');
select is(pg_temp.refused($$select pg_temp.get('{"cost_usd": "1"}')$$), 'PT400 PGRST100', 'a filter we do not have');
select is(pg_temp.refused($$select pg_temp.get('{"order": "ai_response; drop table x"}')$$), 'PT400 PGRST100', 'an order we do not have');
select is(pg_temp.refused($$select pg_temp.get('{"id": "x"}')$$), 'PT400 22P02', 'a malformed id');
select is(pg_temp.refused($$select pg_temp.get('{"offset": -1}')$$), 'PT416 PGRST103', 'before the start');

create function pg_temp.patch(n int, p_changes jsonb) returns jsonb language sql as $$
    select rows::jsonb from uplift.rest_update_feedback(pg_temp.ann(), pg_temp.id(n), p_changes, false, statement_timestamp(), null, null, null)
$$;
select is(pg_temp.patch(1, '{"helpful": true}') #>> '{0,helpful}', 'true', 'a thumb, and the changed row');
select is(pg_temp.patch(1, '{"rating": 5, "feedback_text": "x"}') #>> '{0,feedback_text}', 'x', 'stars and words');
select is(pg_temp.patch(1, '{"helpful": null}') #> '{0,helpful}', 'null', 'null takes back');
select is(pg_temp.patch(1, '{}') #>> '{0,rating}', '5', 'nothing said');
select is(pg_temp.patch(5, '{"helpful": true}'), '[]', 'another user''s row is no row');
select is((select helpful from public.coach_response_feedback where id = pg_temp.id(5)), null, 'and stays as it is');
select is(pg_temp.patch(999, '{"helpful": true}'), '[]', 'nor is nobody''s');
select is(pg_temp.refused($$select pg_temp.patch(1, '{"colour": 1}')$$), 'PT400 PGRST204', 'no such column');
select is(pg_temp.refused($$select pg_temp.patch(1, '{"ai_response": "x"}')$$), 'PT403 42501', 'a column that is not theirs');
select is(pg_temp.refused($$select pg_temp.patch(1, '{"helpful": true, "user_id": "x"}')$$), 'PT403 42501', 'among others');
select is(pg_temp.refused($$select pg_temp.patch(5, '{"ai_response": "x"}')$$), 'PT403 42501', 'whoever''s row');
select is(pg_temp.refused($$select pg_temp.patch(1, '{"rating": 6}')$$), 'PT400 23514', 'six stars');
select is(pg_temp.refused($$select pg_temp.patch(1, '{"helpful": "maybe"}')$$), 'PT400 22P02', 'a thumb as text');
select is(pg_temp.refused($$select pg_temp.patch(1, '[]')$$), 'PT400 PGRST102', 'no object');
select is((select array_agg(distinct source) from uplift.feedback_events where answer_id = pg_temp.id(1)), '{rest}', 'all in the history');

select * from finish();
rollback;
