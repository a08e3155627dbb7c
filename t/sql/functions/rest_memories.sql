-- What a user's own token does with memories: by PostgREST under row level security, and by fcgi-chat's /rest.
\ir common.psql
select plan(43);
select set_config('request.jwt.claims', json_build_object('sub', :ann, 'role', 'authenticated')::text, true) \g /dev/null
delete from public.ai_episodic_memory;

create function pg_temp.known(p_user uuid default pg_temp.ann()) returns text language sql as $$
    select coalesce(string_agg(concat_ws(' ', m.memory_type, m.subject, m.memory_text), '; ' order by m.memory_text collate "C"), '')
    from public.ai_episodic_memory m where m.user_id = p_user and m.is_active
$$;
-- As PostgREST runs it: how it was refused, or how many rows.
create function pg_temp.as_user(p_sql text) returns text language plpgsql as $$
declare
    v_count int;
    v_state text;
    v_detail text;
begin
    set local role authenticated;
    execute p_sql;
    get diagnostics v_count = row_count;
    reset role;
    return v_count;
exception when others then
    get stacked diagnostics v_state = returned_sqlstate, v_detail = pg_exception_detail;
    return btrim(v_state || ' ' || case when v_state like 'PT%' then v_detail else '' end);
end
$$;
create function pg_temp.add(p_text text, p_type text default 'preference', p_user uuid default pg_temp.ann()) returns text language sql as $$
    select pg_temp.as_user(format('insert into public.ai_episodic_memory (user_id, memory_type, memory_text) values (%L, %L, %L)', p_user, p_type, p_text))
$$;

-- PostgREST.
select is(pg_temp.add('I  want to' || e'\n' || 'swim', 'goal'), '1', 'added');
select results_eq($$select memory_text, source, importance_score, subject, is_active from public.ai_episodic_memory$$, $$values ('I want to swim', 'user', 9.0, null, true)$$, 'as a memory of its user');
select is((select lines from uplift.memories_for(:ann, null, '{swim}', uplift.user_context(:ann), 1200)), e'\n- [goal] I want to swim', 'and found');
select is(pg_temp.add('i want to  swim', 'goal'), '1', 'added again');
select results_eq($$select count(*), max(said_count) from public.ai_episodic_memory$$, $$values (1::bigint, 2)$$, 'it is one, and was said twice');
select is(pg_temp.add('My sister hates olives'), '1', 'of somebody else');
select is(pg_temp.known(), 'preference sister My sister hates olives; goal i want to swim', 'it is kept apart');
select is(pg_temp.add('I love steak') || pg_temp.add('I''m vegan now'), '11', 'what changes');
select doesnt_match(pg_temp.known(), 'steak', 'takes the place of what was so');
select is((select n.memory_text from public.ai_episodic_memory o join public.ai_episodic_memory n on n.id = o.superseded_by where o.memory_text = 'I love steak'), 'I''m vegan now', 'with a link');
select is(pg_temp.add(t), w, 'refused: ' || left(t, 30)) from (values ('', 'PT400 23514'), (repeat('x', 501), 'PT400 23514'), (repeat('x', 100000), 'PT400 23514'),
    ('My password is hunter2Secret!9', 'PT400 23514')) v(t, w);
select is(pg_temp.add(null), 'PT400 23514', 'refused: null');
select is(pg_temp.add('I like tea', p_user => :bob), '42501', 'refused: for another user');
select is(pg_temp.as_user(q), '42501', 'refused: ' || left(q, 60)) from (values
    ('insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score) values (pg_temp.ann(), ''goal'', ''x'', 10)'),
    ('update public.ai_episodic_memory set importance_score = 10'), ('update public.ai_episodic_memory set user_id = pg_temp.bob()'),
    ('update public.ai_episodic_memory set source = ''rules'''), ('truncate public.ai_episodic_memory')) v(q);
insert into public.ai_episodic_memory (user_id, memory_type, memory_text) values (:bob, 'goal', 'I want to fly');
select is(pg_temp.as_user('update public.ai_episodic_memory set memory_text = ''I want to sail'' where memory_text = ''i want to swim'''), '1', 'changed');
select is((select lines from uplift.memories_for(:ann, null, '{sail}', uplift.user_context(:ann), 1200)) ~ 'I want to sail', true, 'and found as that');
select is(pg_temp.as_user('update public.ai_episodic_memory set memory_text = ''My token is sk-abcdefghijklmnopqrstuvwx123456'''), 'PT400 23514', 'not to what is refused');
select is(pg_temp.as_user('update public.ai_episodic_memory set is_pinned = true where memory_type = ''goal'''), '1', 'pinned, and nobody else''s');
select is(pg_temp.as_user('delete from public.ai_episodic_memory where memory_type = ''goal'''), '1', 'deleted, and nobody else''s');
select is(uplift.learn_from(array[:ann], '{null}', '{I want to sail.}', array[now() + interval '1 day']), 0, 'it stays forgotten');
select is(pg_temp.add('I want to sail', 'goal') || ' ' || (pg_temp.known() ~ 'sail'), '1 true', 'until its user adds it again');
update uplift.settings set value = '3' where key = 'memory.max_per_user';
select is(pg_temp.add('I love music') || pg_temp.add('I love books'), '11', 'more than are kept');
select is((select count(*) from public.ai_episodic_memory where user_id = :ann), 3::bigint, 'the rest make room');
update uplift.settings set value = '200' where key = 'memory.max_per_user';
select uplift_chat.put_preferences(:ann, '{"memory_enabled": false}') \g /dev/null
select is(pg_temp.add('I love opera'), 'PT409 P0001', 'turned off: nothing is added');
select is(pg_temp.as_user('delete from public.ai_episodic_memory'), '3', 'turned off: all can go');
select uplift_chat.put_preferences(:ann, '{"memory_enabled": true}') \g /dev/null

-- fcgi-chat.
create function pg_temp.rest(p_method text, p_body text default null, p_query text default '{}', p_user uuid default pg_temp.ann()) returns text language plpgsql as $$
declare
    v record;
begin
    select * into v from uplift_chat.rest_memories(p_user, p_method, p_query::jsonb || '{"select": [{"column": "memory_text"}], "order": [{"column": "memory_text"}]}', p_body::jsonb);
    return v.row_count || ' ' || coalesce((select string_agg(r ->> 'memory_text', ', ' order by o) from json_array_elements(v.rows::json) with ordinality x(r, o)), '');
end
$$;
create function pg_temp.rest_refused(p_method text, p_body text default null, p_query text default '{}') returns text language sql as $$
    select pg_temp.refused(format('select pg_temp.rest(%L, %L, %L)', p_method, p_body, p_query))
$$;
select is(pg_temp.rest('POST', '[{"memory_text": "I love rye"}, {"memory_text": "I love figs", "memory_type": "preference", "is_pinned": true}]'), '2 I love figs, I love rye', 'rest: several are added');
select is(pg_temp.rest('POST', '{"memory_text": "I love figs!"}'), '1 I love figs', 'rest: what is there is the one that is there');
select is(pg_temp.rest('GET'), '2 I love figs, I love rye', 'rest: read');
select is(pg_temp.rest('GET', p_user => :bob), '1 I want to fly', 'rest: everybody their own');
select is(pg_temp.rest('PATCH', '{"memory_text": "I love oats"}', '{"where": [{"column": "memory_text", "op": "eq", "value": "I love rye"}]}'), '1 I love oats', 'rest: changed');
select is(pg_temp.rest_refused(m, b, q), w, 'rest, refused: ' || m || ' ' || coalesce(left(b, 50), q)) from (values
    ('POST', '{"memory_text": ""}', '{}', 'PT400 23514'), ('POST', '[1]', '{}', 'PT400 PGRST102'), ('POST', '{"memory_text": "x", "evil": 1}', '{}', 'PT400 PGRST204'),
    ('POST', '{"memory_text": "x", "importance_score": 10}', '{}', 'PT403 42501'), ('DELETE', null, '{}', 'PT400 21000')) v(m, b, q, w);
select is(pg_temp.rest('DELETE', null, '{"where": [{"column": "memory_text", "op": "like", "value": "I love*"}]}') || '; ' || pg_temp.rest('GET'), '2 I love figs, I love oats; 0 ', 'rest: deleted');
select * from finish();
rollback;
