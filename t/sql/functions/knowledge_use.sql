-- What sources are worth: how often they were offered, and thumbs for and against them, exact whatever happens.
\ir common.psql
select plan(27);
insert into public.ai_knowledge_sources (id, source_name, content) select pg_temp.id(n), 'Guide ' || n, 'x' from generate_series(1, 3) n;

create function pg_temp.answer(n int, p_offered int[], p_cited int[], p_user uuid default pg_temp.ann()) returns text language sql as $$
    select pg_temp.record(n, p_user, pg_temp.id(900), 'q', 'a', jsonb_build_object('trace', jsonb_strip_nulls(jsonb_build_object(
        'source_ids', (select jsonb_agg(pg_temp.id(i)) from unnest(p_offered) i),
        'citations', (select jsonb_agg(jsonb_build_object('number', i, 'source_id', pg_temp.id(i))) from unnest(p_cited) i)))))
$$;
-- Of the three sources: offered, up, down.
create function pg_temp.counts() returns text language sql as $$
    select string_agg(concat_ws('/', s.times_referenced, s.helpful_votes, s.not_helpful_votes), ' ' order by s.id)
    from public.ai_knowledge_sources s where s.id in (pg_temp.id(1), pg_temp.id(2), pg_temp.id(3))
$$;
create function pg_temp.counted(p_most int default 1000) returns text language plpgsql volatile as $$
begin
    perform uplift_batch.count_knowledge_use(p_most);
    return pg_temp.counts();
end
$$;

delete from uplift.knowledge_queue;
select is(pg_temp.counted(), '0/0/0 0/0/0 0/0/0', 'at first there is nothing');
select pg_temp.answer(1, '{1,2}', '{1}'), pg_temp.answer(2, '{1}', null), pg_temp.answer(3, null, null) \g /dev/null
select is((select count(*) from uplift.knowledge_queue), 2::bigint, 'an answer that was offered nothing is not noted');
select is(uplift_batch.count_knowledge_use(1), '{"changes": 1, "sources": 2, "failed": 0, "goes_on": true}', 'counted in steps');
select is(pg_temp.counted(), '2/0/0 1/0/0 0/0/0', 'those that were offered');
select is(pg_temp.counted(), '2/0/0 1/0/0 0/0/0', 'each once');
select is(uplift_batch.count_knowledge_use(10), '{"changes": 0, "sources": 0, "failed": 0, "goes_on": false}', 'again it does nothing');

-- Thumbs.
update public.coach_response_feedback set helpful = true where id in (pg_temp.id(1), pg_temp.id(2), pg_temp.id(3));
select is((select array_agg(answer_id) from uplift.knowledge_queue), array[pg_temp.id(1)], 'a thumb on an answer that cites nothing is not noted');
select is(pg_temp.counted(), '2/1/0 1/0/0 0/0/0', 'up: for what the answer cites');
update public.coach_response_feedback set helpful = false where id = pg_temp.id(1);
select is(pg_temp.counted(), '2/0/1 1/0/0 0/0/0', 'changed');
update public.coach_response_feedback set helpful = null where id = pg_temp.id(1);
select is(pg_temp.counted(), '2/0/0 1/0/0 0/0/0', 'taken back');
select is((select count(*) from uplift.knowledge_votes), 0::bigint, 'and forgotten');
update public.coach_response_feedback set helpful = true where id = pg_temp.id(1);
update public.coach_response_feedback set helpful = false where id = pg_temp.id(1);
update public.coach_response_feedback set helpful = true where id = pg_temp.id(1);
select is(pg_temp.counted(1), '2/1/0 1/0/0 0/0/0', 'to and fro before it is counted: as it stands');
select is(pg_temp.counted(1), '2/1/0 1/0/0 0/0/0', 'a note that is left over counts nothing more');
select is(pg_temp.counted(), '2/1/0 1/0/0 0/0/0', 'nor the next');
update public.coach_response_feedback set rating = 1, feedback_text = 'x' where id = pg_temp.id(1);
select is((select count(*) from uplift.knowledge_queue), 0::bigint, 'stars and comments are no thumbs');
update public.coach_response_feedback set citations = jsonb_build_array(jsonb_build_object('source_id', pg_temp.id(3))) where id = pg_temp.id(1);
select is(pg_temp.counted(), '2/0/0 1/0/0 0/1/0', 'other citations: it is another''s');
delete from public.coach_response_feedback where id = pg_temp.id(1);
select is(pg_temp.counted(), '2/0/0 1/0/0 0/0/0', 'an answer that is deleted takes its thumb along');
select pg_temp.answer(4, '{2,3}', '{2,3}'), pg_temp.answer(5, '{3}', '{3}', :bob) \g /dev/null
update public.coach_response_feedback set helpful = true where id = pg_temp.id(4);
update public.coach_response_feedback set helpful = false where id = pg_temp.id(5);
select is(pg_temp.counted(), '2/0/0 2/1/0 2/1/1', 'several answers, several sources');
insert into public.coach_response_feedback (id, user_id, user_message, ai_response, helpful, source_ids, citations)
values (pg_temp.id(6), :ann, 'q', 'a', true, array[pg_temp.id(1)], jsonb_build_array(jsonb_build_object('source_id', pg_temp.id(1))));
select is(pg_temp.counted(), '3/1/0 2/1/0 2/1/1', 'one that comes with its thumb');
select is(uplift.cited_sources('[{"source_id": "x"}, 1, null, {"source_id": "10000000-0000-4000-8000-000000000001"}, {"source_id": "10000000-0000-4000-8000-000000000001"}]'),
    array[pg_temp.id(1)], 'citations that are none');
select is(uplift.cited_sources(c), '{}', 'nor these') from unnest('{NULL,"{}","1"}'::jsonb[]) c;

-- What cannot be changed waits.
create function pg_temp.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
create trigger refuse before update on public.ai_knowledge_sources for each row when (old.id = '10000000-0000-4000-8000-000000000002') execute function pg_temp.refuse();
update public.coach_response_feedback set helpful = false where id = pg_temp.id(4);
select is(uplift_batch.count_knowledge_use(10), '{"changes": 1, "sources": 1, "failed": 1, "goes_on": false}', 'a source that cannot be changed');
select is(pg_temp.counts(), '3/1/0 2/1/0 2/0/2', 'holds up no other');
drop trigger refuse on public.ai_knowledge_sources;
select is(pg_temp.counted(), '3/1/0 2/0/1 2/0/2', 'and loses nothing');
delete from public.ai_knowledge_sources where id = pg_temp.id(3);
update public.coach_response_feedback set helpful = true where id = pg_temp.id(5);
select is(pg_temp.counted(), '3/1/0 2/0/1', 'one that is gone');
select * from finish();
rollback;
