-- What context does to ratings: intervals, what is compared with what, and what is demoted.
\ir common.psql
select plan(26);

-- The intervals, against published figures (Newcombe 1998; scipy).
create function pg_temp.close(a double precision, b double precision) returns boolean language sql as $$ select abs(a - b) < 1e-9 $$;
select ok(pg_temp.close(w.low, 0.10129926060130913) and pg_temp.close(w.high, 0.14160907584771276), 'Wilson: 120 of 1000') from uplift.wilson(0.12, 1000) w;
select ok(pg_temp.close(w.low, 0) and pg_temp.close(w.high, 0.2775327998628892), 'Wilson: 0 of 10') from uplift.wilson(0, 10) w;
select ok(abs(n.low - 1.3782434204e-05) < 1e-12 and pg_temp.close(n.high, 0.060008258570126566), 'Newcombe: 120 of 1000, 150 of 1000') from uplift.newcombe(0.12, 1000, 0.15, 1000) n;
select ok(pg_temp.close(n.low, 0.052431472402365) and pg_temp.close(n.high, 0.333872654036906), 'Newcombe: 48 of 80, 56 of 70') from uplift.newcombe(0.6, 80, 0.8, 70) n;
select ok(pg_temp.close(n.low, 0.03776544556663) and pg_temp.close(n.high, 0.46870087761874), 'Newcombe: 0 of 20, 5 of 20') from uplift.newcombe(0, 20, 0.25, 20) n;
select is(round(uplift.effective_count(array_fill(1::float8, array[100]), array(select (n % 2)::float8 from generate_series(1, 100) n))::numeric), 99::numeric, 'worth: thumbs of 100 people are some 100');
select is(round(uplift.effective_count(array_fill(10::float8, array[10]), array(select 10.0::float8 * (n % 2) from generate_series(1, 10) n))::numeric), 9::numeric, 'worth: 100 thumbs of 10 people who always say the same are some 10');
select is(uplift.effective_count('{40}', '{13}'), 40::float8, 'worth: of one user all');
select is(uplift.effective_count('{5,5,5}', '{5,5,5}'), 3::float8, 'worth: of some who all say the same as many as they are');

-- 60 users; with a kind 80 % are up, without 40 %. One memory and one source hurt.
create function pg_temp.user(n int) returns uuid language sql as $$ select ('40000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
insert into auth.users (id) select pg_temp.user(n) from generate_series(1, 60) n;
create function pg_temp.thumb(p_user uuid, p_up boolean, p_column text, p_ids uuid[], p_withheld text[]) returns void language plpgsql as $$
declare
    v_id uuid := uplift.uuid_v7();
begin
    insert into public.coach_response_feedback (id, user_id, user_message, ai_response, withheld) values (v_id, p_user, 'q', 'a', p_withheld);
    if p_column is not null then
        execute format('update public.coach_response_feedback set %I = $1 where id = $2', p_column) using p_ids, v_id;
    end if;
    update public.coach_response_feedback set helpful = p_up where id = v_id;
end
$$;
select is(uplift_batch.measure_context(90, 30) - 'x', '{"measured": 0, "demoted": 0}', 'nothing is made of nothing');
do $$ begin
    perform pg_temp.thumb(pg_temp.user(u), k % 5 > 0, 'source_ids', array[pg_temp.id(1 + k % 3)], null) from generate_series(1, 60) u, generate_series(1, 5) k;
    perform pg_temp.thumb(pg_temp.user(u), u % 5 < 2, null, null, '{knowledge}') from generate_series(1, 60) u;
    -- A source that hurts, and one about which three people said so.
    perform pg_temp.thumb(pg_temp.user(u), u % 10 = 0, 'source_ids', array[pg_temp.id(9)], null) from generate_series(1, 40) u;
    perform pg_temp.thumb(pg_temp.user(u), false, 'source_ids', array[pg_temp.id(10)], null) from generate_series(1, 3) u;
    -- Without anything to compare it with.
    perform pg_temp.thumb(pg_temp.user(u), true, 'example_ids', array[pg_temp.id(20)], null) from generate_series(1, 40) u;
end $$;
insert into uplift.search_texts (shelf, ref, body) select 'knowledge', pg_temp.id(n), 'text' from unnest('{1,9,10}'::int[]) n;
insert into public.ai_episodic_memory (id, user_id, memory_type, memory_text, importance_score) values
    (pg_temp.id(50), pg_temp.user(1), 'preference', 'I like long answers', 8), (pg_temp.id(51), pg_temp.user(1), 'preference', 'I like short answers', 8);
do $$ begin
    perform pg_temp.thumb(pg_temp.user(1), false, 'memory_ids', array[pg_temp.id(50)], null) from generate_series(1, 30) k;
    perform pg_temp.thumb(pg_temp.user(1), true, 'memory_ids', array[pg_temp.id(51)], null) from generate_series(1, 40) k;
    perform pg_temp.thumb(pg_temp.user(2), true, null, null, '{memories}') from generate_series(1, 10) k;
end $$;
select is(uplift_batch.measure_context(90, 30) ->> 'demoted', '2', 'what hurts is demoted');
select results_eq($$select n_with, users_with, n_without, users_without, round(rate_without::numeric, 2) from uplift.context_effects where kind = 'knowledge' and item::text ~ '^0{8}'$$,
    $$values (343, 60, 60, 60, 0.40)$$, 'of a kind: those that had it, those from whom it was withheld');
select ok(low > 0.1 and difference between 0.2 and 0.5 and high < 0.6, 'of a kind: it helps') from uplift.context_effects where kind = 'knowledge' and item::text ~ '^0{8}';
select is((select count(*) from uplift.context_effects where kind = 'examples'), 0::bigint, 'of a kind that was never withheld nothing is known');
select is((select weight from uplift.search_texts where ref = pg_temp.id(9)), 0.5::real, 'a source that hurts counts half');
select is((select weight from uplift.search_texts where ref = pg_temp.id(1)), 1::real, 'the others as before');
select is((select weight from uplift.search_texts where ref = pg_temp.id(10)), 1::real, 'nothing is decided on three thumbs');
select is((select count(*) from uplift.context_effects where item = pg_temp.id(10)), 0::bigint, 'nor told');
select ok(shrunk > difference and shrunk < 0 and shrunk_high < 0, 'shrunk towards the others') from uplift.context_effects where item = pg_temp.id(9);
select results_eq($$select memory_text, importance_score from public.ai_episodic_memory where user_id = pg_temp.user(1) order by 1$$,
    $$values ('I like long answers', 6::numeric), ('I like short answers', 8)$$, 'a memory that hurts is less important');
update uplift.context_effects set measured_at = now() - interval '1 hour';
select is(uplift_batch.measure_context(90, 30) ->> 'demoted', '0', 'not twice for the same thumbs');
do $$ begin perform pg_temp.thumb(pg_temp.user(u), false, 'source_ids', array[pg_temp.id(9)], null) from generate_series(1, 40) u; end $$;
update uplift.context_effects set measured_at = now() - interval '1 hour';
select is(uplift_batch.measure_context(90, 30) ->> 'demoted', '1', 'again for others');
select is((select weight from uplift.search_texts where ref = pg_temp.id(9)), 0.25::real, 'by half again');
select is(uplift_batch.measure_context(90, 1) ->> 'measured' = uplift_batch.measure_context(90, 20) ->> 'measured', true, 'never on fewer than 20');
select is(s ->> 'kind' || ' ' || (s #>> '{with,thumbs}') || ' ' || (s ? 'low') || ' ' || (s ? 'item'), 'knowledge 383 true false', 'told to admins')
from jsonb_array_elements(uplift_batch.admin_stats(null, '{}', 'x') -> 'context') s where s ->> 'kind' = 'knowledge' and not s ? 'item';
select ok(exists (select from jsonb_array_elements(uplift_batch.admin_stats(null, '{}', 'x') -> 'context') s where s ->> 'item' = pg_temp.id(9)::text and s ? 'demoted_at'), 'and what was demoted');
select * from finish();
rollback;
