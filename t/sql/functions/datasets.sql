-- Duplicates, curation that survives, counts, frozen versions, and erasing a person.
\ir common.psql
select plan(52);

create function pg_temp.dataset(p_which text default 'Positive Responses') returns uuid language sql as $$
    select id from public.ai_training_datasets where dataset_name = 'User Feedback - ' || p_which
$$;
create function pg_temp.examples(p_which text default 'Positive Responses') returns text language sql as $$
    select coalesce(string_agg(ltrim(right(e.source_id::text, 4), '0'), ' ' order by e.source_id), '')
    from public.ai_training_examples e
    where e.dataset_id = pg_temp.dataset(p_which) and uplift.is_in_set(e.withdrawn_at, e.is_validated, e.review)
$$;
create function pg_temp.generate() returns text language plpgsql as $$
declare v record; v_sums int[] := '{0,0,0,0}';
begin
    loop
        select * into v from uplift_batch.generate_training_examples(1000);
        v_sums := array[v_sums[1] + v.added, v_sums[2] + v.changed, v_sums[3] + v.withdrawn, v_sums[4] + v.duplicates];
        exit when v.taken = 0;
    end loop;
    return array_to_string(v_sums, ' ');
end $$;
create function pg_temp.words(p_seed text, n int) returns text language sql immutable as $$
    select string_agg(translate(left(md5(p_seed || i), 8), '0123456789', 'ghijklmnop'), ' ') from generate_series(1, n) i
$$;
create function pg_temp.say(n int, p_question text, p_answer text, p_rating int, p_user uuid default pg_temp.ann()) returns void language plpgsql as $$
begin
    perform pg_temp.record(n, p_user, pg_temp.id(1000 + n), p_question, p_answer);
    update public.coach_response_feedback set rating = p_rating where id = pg_temp.id(n);
end $$;
create function pg_temp.rate(n int, p_rating int) returns void language sql as $$
    update public.coach_response_feedback set rating = p_rating where id = pg_temp.id(n)
$$;
create function pg_temp.example(n int, p_which text default 'Positive Responses') returns public.ai_training_examples language sql as $$
    select e.* from public.ai_training_examples e
    where e.source_id = pg_temp.id(n) and e.dataset_id = pg_temp.dataset(p_which) and e.withdrawn_at is null
$$;
create function pg_temp.counts_are_true() returns boolean language sql as $$
    select bool_and((d.total_examples, d.train_examples, d.validation_examples, d.test_examples, d.average_quality_score, d.total_tokens)
        is not distinct from (s.total::int, s.train::int, s.validation::int, s.test::int, s.quality, s.tokens))
    from public.ai_training_datasets d cross join lateral (
        select count(*) as total, count(*) filter (where split = 'train') as train, count(*) filter (where split = 'validation') as validation,
            count(*) filter (where split = 'test') as test, round(avg(quality_score), 2) as quality,
            coalesce(sum(coalesce(tokens, uplift.token_estimate(messages))), 0) as tokens
        from public.ai_training_examples e where e.dataset_id = d.id and e.withdrawn_at is null and e.is_validated
            and e.review is distinct from 'rejected') s
    where d.revision is not null
$$;

-- What lists and exports begin with, as the triggers keep it, and as it is.
create function pg_temp.cells_are_true() returns boolean language sql as $$
    select not exists (
        select c.dataset_id, c.split, c.quality, c.examples, c.tokens from uplift.dataset_cells c
        join public.ai_training_datasets d on d.id = c.dataset_id and d.revision is not null
        except
        select e.dataset_id, e.split, e.quality_score, count(*), sum(coalesce(e.tokens, uplift.token_estimate(e.messages))) from public.ai_training_examples e
        where uplift.is_in_set(e.withdrawn_at, e.is_validated, e.review) group by 1, 2, 3)
    and not exists (
        select e.dataset_id, g.tag, count(*) from public.ai_training_examples e cross join lateral unnest(e.tags) g(tag)
        where uplift.is_in_set(e.withdrawn_at, e.is_validated, e.review) group by 1, 2
        except select t.dataset_id, t.tag, t.examples from uplift.dataset_tags t)
$$;

-- Exact duplicates: case and spaces do not matter.
do $$ begin
    perform pg_temp.say(1, 'How far?', 'Run until the clock says thirty minutes and then walk home', 4);
    perform pg_temp.say(2, 'how  far?', e'Run until the clock says thirty minutes\nand then walk home', 5);
    perform pg_temp.say(3, 'How far?', 'Run until the clock says thirty minutes and then walk home', 4, pg_temp.bob());
end $$;
select is(pg_temp.generate(), '2 0 0 4', 'of three that say the same one comes in');
select is(pg_temp.examples(), '2', 'the better rated one');
select pg_temp.rate(2, null) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1', 'when it goes, the next one comes back');
select pg_temp.say(4, 'HOW FAR?', 'Run until the clock says thirty minutes and then walk home', 5) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '4', 'a better rated one takes the place');
select pg_temp.rate(4, 1) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1', 'and leaves it again');

-- Near duplicates.
do $$ declare v text := pg_temp.words('long', 80); begin
    perform pg_temp.say(10, 'What now?', v, 4);
    perform pg_temp.say(11, 'What now?', v || ' indeed', 5);
    perform pg_temp.say(12, 'What now?', v || ' ' || pg_temp.words('other', 60), 5);
    perform pg_temp.say(13, 'And then?', pg_temp.words('another', 80), 5);
end $$;
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1 11 12 13', 'nearly the same is dropped, half the same is not');
select is((select is_exact from uplift.training_duplicates where answer_id = pg_temp.id(10) and dataset_id = pg_temp.dataset()), false, 'which is remembered');
do $$ begin perform pg_temp.say(14, 'What now?', pg_temp.words('long', 80) || ' really', 4); end $$;
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1 11 12 13', 'also when the other one is there already');
select pg_temp.rate(11, 3) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1 10 12 13', 'and one of them comes back');
select pg_temp.rate(14, 5) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1 12 13 14', 'until a better one is there');
select ok(uplift.similarity('[{"role":"user","content":"a b c d"}]', '[{"role":"user","content":"A  b c d"}]') = 1
    and uplift.similarity('[{"role":"user","content":"a b c d"}]', '[{"role":"user","content":"e f g h i"}]') = 0, 'similarity goes from 0 to 1');
select ok(pg_temp.counts_are_true(), 'counts are true');

-- What people did stays.
update public.ai_training_examples set review = 'rejected' where id = (pg_temp.example(13)).id;
select is(pg_temp.examples(), '1 12 14', 'what a person rejected is out');
do $$ begin perform pg_temp.say(15, 'And then?', pg_temp.words('another', 80) || ' yes', 5); perform pg_temp.rate(13, 4); end $$;
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1 12 14', 'and stays out, with what says the same');
select is((pg_temp.example(13)).quality_score, 8.0, 'while its quality follows the stars');
update public.ai_training_examples set messages = jsonb_set(messages, '{1,content}', '"Edited."'), edited_at = now() where id = (pg_temp.example(12)).id;
update public.ai_training_examples set tags = tags || '{mine}' where id = (pg_temp.example(14)).id;
insert into uplift.training_queue (answer_id) select id from public.coach_response_feedback;
select pg_temp.generate() \g /dev/null
select is((pg_temp.example(12)).messages -> 1 ->> 'content', 'Edited.', 'what a person edited stays');
select ok('mine' = any ((pg_temp.example(14)).tags), 'and a tag');
select pg_temp.rate(10, null) \g /dev/null
select pg_temp.rate(14, 4) \g /dev/null
select pg_temp.generate() \g /dev/null
select ok('mine' = any ((pg_temp.example(14)).tags), 'also when stars change');
select pg_temp.rate(12, 2) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1 14', 'an edited one goes with its feedback');
select ok(pg_temp.counts_are_true(), 'counts are true');

-- Versions.
select is(pg_temp.refused($$select uplift.freeze_dataset(pg_temp.id(1), 0, 'me')$$), 'UP404 dataset_not_found dataset_id', 'no version of nothing');
select is(pg_temp.refused($$select uplift.freeze_dataset(pg_temp.dataset(), 11, 'me')$$), 'UP400 invalid_min_quality min_quality', 'nor of impossible quality');
do $$ begin perform pg_temp.say(20, 'Bob?', pg_temp.words('bob', 40), 5, pg_temp.bob()); end $$;
select pg_temp.generate() \g /dev/null
create temp table version as select uplift.freeze_dataset(pg_temp.dataset(), 8, 'me', 'first') as id;
select results_eq('select version, min_quality, total_examples, train_examples + validation_examples + test_examples, created_by, note from uplift.dataset_versions',
    $$values (1, 8::numeric, 3, 3, 'me', 'first')$$, 'a version');
select results_eq('select x.example_id from uplift.dataset_version_examples x order by 1',
    'select e.id from public.ai_training_examples e where e.dataset_id = pg_temp.dataset() and uplift.is_in_set(e.withdrawn_at, e.is_validated, e.review) order by 1', 'is the list of what is in the set');
select ok(bool_and(x.content_hash = uplift.content_hash(e.messages, e.completion, e.rejected, e.label)), 'with its hashes')
from uplift.dataset_version_examples x join public.ai_training_examples e on e.id = x.example_id;
select is(uplift.freeze_dataset(pg_temp.dataset(), 8, 'me') is not null, true, 'frozen again');
select is((select count(distinct content_hash) from uplift.dataset_versions), 1::bigint, 'the same has the same hash');
select is((select array_agg(user_id order by user_id) from uplift.dataset_version_users((select id from version))), array[:ann, :bob], 'whose data it is');
create temp table frozen as select * from public.ai_training_examples where source_id in (pg_temp.id(1), pg_temp.id(14), pg_temp.id(20)) and dataset_id = pg_temp.dataset();
-- Changed feedback, changed text, taken back.
select pg_temp.rate(1, 5) \g /dev/null
update public.coach_response_feedback set ai_response = pg_temp.words('bob, put better', 40) where id = pg_temp.id(20);
select pg_temp.rate(14, null) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1 20', 'the set moves on');
select is((pg_temp.example(1)).id, (select id from frozen where source_id = pg_temp.id(1)), 'stars do not touch the text: the same example');
select isnt((pg_temp.example(20)).id, (select id from frozen where source_id = pg_temp.id(20)), 'another text is another example');
select set_eq('select e.id, e.messages from public.ai_training_examples e join uplift.dataset_version_examples x on x.example_id = e.id where x.version_id = (select id from version)',
    'select id, messages from frozen', 'and the version has all of it as it was');
select is((select count(*) from public.ai_training_examples where withdrawn_at is not null), 2::bigint, 'out of the set');
select ok(pg_temp.counts_are_true(), 'which is not counted');

-- A person who wants to be forgotten.
select is(uplift.erase_from_training(:bob), 3, 'all of a person goes');
select is((select count(*) from uplift.dataset_version_examples x left join public.ai_training_examples e on e.id = x.example_id
    where x.version_id = (select id from version) and e.id is null), 1::bigint, 'out of versions, too, which know that it is missing');
select ok(not exists (select from uplift.training_example_sources where user_id = :bob), 'and who it was is nowhere');
insert into uplift.training_queue (answer_id) select id from public.coach_response_feedback;
select pg_temp.rate(10, 4) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '1 10', 'and does not come back, unlike what is liked again');
select ok(pg_temp.counts_are_true(), 'counts are true');

-- Counts, whatever is done to the table.
insert into public.ai_training_datasets (id, dataset_name) values (pg_temp.id(900), 'mine'), (pg_temp.id(901), 'other');
insert into public.ai_training_examples (id, dataset_id, messages, quality_score, split, is_validated)
select pg_temp.id(910 + n), pg_temp.id(900 + n % 2), '[{"role":"user","content":"xxxx"}]', case when n > 2 then n end, (array['train','validation','test'])[1 + n % 3], n <> 5
from generate_series(1, 9) n;
select results_eq('select total_examples, average_quality_score, total_tokens from public.ai_training_datasets where id in (pg_temp.id(900), pg_temp.id(901)) order by id',
    'values (4, 6.00, 20::bigint), (4, 6.33, 20::bigint)', 'counted as they come');
update public.ai_training_examples set dataset_id = pg_temp.id(900), split = 'train' where id in (pg_temp.id(911), pg_temp.id(913));
select ok(pg_temp.counts_are_true(), 'as they change');
update public.ai_training_examples set review = 'rejected', quality_score = 1 where id = pg_temp.id(914);
update public.ai_training_examples set withdrawn_at = now() where id = pg_temp.id(916);
select ok(pg_temp.counts_are_true(), 'as they leave the set');
select ok(pg_temp.cells_are_true(), 'and so by split and quality, and by tag');
create temp table revision as select revision from public.ai_training_datasets where id = pg_temp.id(900);
delete from public.ai_training_examples where dataset_id = pg_temp.id(900);
select ok(pg_temp.counts_are_true(), 'as they go');
select ok((select d.revision from public.ai_training_datasets d where d.id = pg_temp.id(900)) > (select revision from revision), 'each change has a number');
delete from uplift.dataset_cells where dataset_id = pg_temp.id(901);
update public.ai_training_datasets set total_examples = 77, revision = null where id = pg_temp.id(901);
select is((select sum(c.examples) from uplift.cells_of(pg_temp.id(901)) c), 2::numeric, 'one that was never counted is counted when somebody asks');
update public.ai_training_examples set quality_score = 9 where id = pg_temp.id(917);
select ok(pg_temp.counts_are_true(), 'a set that was never counted is counted whole');
delete from public.ai_training_datasets where id = pg_temp.id(901);
select ok(pg_temp.counts_are_true(), 'a dataset goes with its examples');

-- A page of a list looks at so many, and says where to go on.
insert into public.ai_training_datasets (id, dataset_name, revision) values (pg_temp.id(902), 'long', 0);
insert into public.ai_training_examples (id, dataset_id, messages, split, is_validated, tags, quality_score)
select ('20000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, pg_temp.id(902), '[{"role":"user","content":"xxxx"}]', 'train', true,
    case when n > 5990 then '{rare}'::text[] end, 5 from generate_series(1, 6000) n;
create temp table page as select uplift_batch.admin_list_examples(pg_temp.id(902), '{"tag": "rare", "limit": 4}', 'root') as p;
select results_eq($$select jsonb_array_length(p -> 'data'), p -> 'has_more', right(p ->> 'next_after', 4) from page$$, $$values (0, 'true'::jsonb, '5000')$$, 'nothing yet, and more to look at');
update page set p = uplift_batch.admin_list_examples(pg_temp.id(902), jsonb_build_object('tag', 'rare', 'limit', 4, 'after', p -> 'next_after'), 'root');
select results_eq($$select jsonb_array_length(p -> 'data'), p -> 'has_more', right(p ->> 'next_after', 4) from page$$, $$values (4, 'true'::jsonb, '5994')$$, 'some, and more');
update page set p = uplift_batch.admin_list_examples(pg_temp.id(902), jsonb_build_object('tag', 'rare', 'limit', 6, 'after', p -> 'next_after'), 'root');
select results_eq($$select jsonb_array_length(p -> 'data'), p -> 'has_more', p -> 'next_after' from page$$, $$values (6, 'false'::jsonb, 'null'::jsonb)$$, 'and the last');
select results_eq($$select d -> 'tags', d -> 'quality_histogram', d -> 'rejected_examples' from uplift_batch.admin_get_dataset(pg_temp.id(902), '{}', 'root') d$$,
    $$values ('[{"tag": "rare", "examples": 10}]'::jsonb, '[{"quality": 5, "examples": 6000}]'::jsonb, '0'::jsonb)$$, 'a dataset is described from counts');

select * from finish();
rollback;
