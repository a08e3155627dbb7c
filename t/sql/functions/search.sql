-- Texts that are searched: their words, the log of what changed, what a chat finds, and what the builder of copies reads.
\ir common.psql
select plan(48);

create function pg_temp.add(p_body text, p_title text default null, p_shelf text default 'knowledge') returns bigint language sql as $$
    insert into uplift.search_texts (shelf, ref, title, body) values (p_shelf, gen_random_uuid(), p_title, p_body) returning id
$$;
-- What a worker says, with a copy as of transaction p_horizon.
create function pg_temp.search(p_horizon text, p_words text[], p_idf float8[], p_hits jsonb default '[]', p_shelf text default 'knowledge') returns jsonb language sql as $$
    select jsonb_build_object('words', p_words, 'language', 'en', p_shelf,
        jsonb_build_object('origin', (select o.origin from uplift.search_origin o), 'horizon', p_horizon, 'mean', 10, 'idf', p_idf,
            'ids', (select coalesce(jsonb_agg(h -> 0 order by h -> 1 desc), '[]') from jsonb_array_elements(p_hits) h),
            'scores', (select coalesce(jsonb_agg(h -> 1 order by h -> 1 desc), '[]') from jsonb_array_elements(p_hits) h)))
$$;
create function pg_temp.bodies(p_search jsonb, p_shelf text default 'knowledge') returns text language sql as $$
    select coalesce(string_agg(t.body, ' | ' order by x.n), '')
    from uplift.search_hits(p_shelf, p_search) h, unnest(h.ids) with ordinality x(id, n), uplift.search_texts t
    where t.id = x.id
$$;
select uplift_search.start() \g /dev/null
delete from uplift.search_texts;
delete from uplift.search_log;

-- Words.
select is(uplift.text_words('How do I start running? The runner''s cafés aren''t open!', null), '{start,run,runner,cafe,open}', 'words: stemmed, without accents and stop words');
select is(uplift.text_words('Was trinken die Läufer?', null), uplift.text_words('Was trinken die Läufer?', 'de'), 'words: by their language');
select is(uplift.text_words('running running', 'en'), '{run,run}', 'words: each as often as it is there');
select is(uplift.text_words('减肥茶', null), '{减肥,肥茶}', 'words: pairs of characters where nothing parts them');
select is(uplift.text_words('', null), '{}', 'words: none of nothing');
select is(uplift.text_words(null, null), '{}', 'words: nor of null');
select is(cardinality(uplift.text_words(repeat('word ', 100000), 'en')), 20000, 'words: of long texts the beginning');
select is(uplift.search_words('Good sleep', 'Sleep well.', 'en'), '{good,sleep,good,sleep,good,sleep,sleep,well}', 'words: those of a title count three times');
select is(uplift.text_language('zzz'), 'en', 'language: English where nothing shows it');
select is(uplift.tokens_language('{zzz}', 'fr'), 'fr', 'language: or what is given');
select is(uplift.text_language(null), 'en', 'language: also of null');

-- The log.
select pg_temp.add('Sleep eight hours.', 'Rest') as rest \gset
select results_eq($$select text_id, shelf, words, tx from uplift.search_log$$,
    format($$values (%s::bigint, 'knowledge'::text, '{"": 6, "rest": 3, "sleep": 1, "eight": 1, "hour": 1}'::jsonb, pg_current_xact_id())$$, :rest), 'log: a new text, with its words');
update uplift.search_texts set part = 3 where id = :rest;
select is((select count(*) from uplift.search_log), 1::bigint, 'log: nothing where nothing counts otherwise');
update uplift.search_texts set weight = 2 where id = :rest;
select is((select count(*) from uplift.search_log where words is not null), 2::bigint, 'log: another weight');
update uplift.search_texts set is_active = false where id = :rest;
select is((select count(*) from uplift.search_log where words is null), 1::bigint, 'log: a withdrawal, without words');
delete from uplift.search_texts where id = :rest;
select is((select count(*) from uplift.search_log where words is null), 2::bigint, 'log: a deletion');
insert into uplift.search_texts (shelf, ref, body) select 'examples', gen_random_uuid(), 'many ' || i from generate_series(1, 201) i;
select is((select count(*) filter (where words is null) from uplift.search_log where shelf = 'examples'), 201::bigint, 'log: of many at once without words');
insert into uplift.search_texts (shelf, ref, body, is_active) values ('examples', gen_random_uuid(), 'asleep', false);
select is((select words from uplift.search_log order by text_id desc limit 1), null, 'log: of one that is not active yet without words');
select throws_ok($$insert into uplift.search_texts (shelf, ref, body) values ('attic', gen_random_uuid(), 'x')$$, '23514', null, 'there are two shelves');
delete from uplift.search_texts;
delete from uplift.search_log;

-- What a chat finds.
select is(pg_temp.bodies('{}'), '', 'found: nothing without search');
select is((select cardinality(h.ids) from uplift.search_hits('knowledge', null) h), null, 'found: nothing of null');
select is(pg_temp.bodies(pg_temp.search('1', '{a}', '{1}'), 'examples'), '', 'found: nothing of a shelf without a copy');
select pg_temp.add('Runners sleep eight hours.') as a, pg_temp.add('Protein helps runners.') as b, pg_temp.add('Tea', p_shelf => 'examples') as c \gset
select (pg_current_xact_id()::text::bigint + 1)::text as later, pg_current_xact_id()::text as now \gset
select format('[[%s, 3.5], [%s, 9], [77, 11]]', :a, :b) as hits \gset
select is(pg_temp.bodies(pg_temp.search(:'later', '{runner}', '{1}', :'hits')), 'Protein helps runners. | Runners sleep eight hours.', 'found: the copy''s hits, best first');
select is((select h.ids from uplift.search_hits('knowledge', jsonb_set(pg_temp.search(:'later', '{runner}', '{1}', :'hits'), '{knowledge,origin}', '"another/1"')) h), null, 'found: nothing of a copy of another database');
select is((select h.ids from uplift.search_hits('knowledge', pg_temp.search(:'now', '{sleep}', '{2}', :'hits') #- '{knowledge,origin}') h), null, 'found: nor of one that does not say of which');
select is((select h.scores from uplift.search_hits('knowledge', pg_temp.search(:'later', '{runner}', '{1}', :'hits')) h), '{11,9,3.5}', 'found: with their scores');
select is(pg_temp.bodies(pg_temp.search(:'now', '{sleep}', '{2}', :'hits')), 'Runners sleep eight hours.', 'found: what is newer than the copy is scored anew, and its old score does not count');
-- tf 1, length 4, mean 10: 2 * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 0.4)); a word that is there twice counts more.
select is((select round(h.scores[1]::numeric, 5) from uplift.search_hits('knowledge', pg_temp.search(:'now', '{sleep}', '{2}', '[]')) h), round(2 * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 0.4)), 5), 'found: by BM25');
select is(pg_temp.bodies(pg_temp.search(:'now', '{runner,protein}', '{1,1}')), 'Protein helps runners. | Runners sleep eight hours.', 'found: all words count');
select is(pg_temp.bodies(pg_temp.search(:'now', '{}', '{}')), '', 'found: nothing without words');
update uplift.search_texts set weight = 50 where id = :a;
select is(pg_temp.bodies(pg_temp.search(:'now', '{runner,protein}', '{1,1}')), 'Runners sleep eight hours. | Protein helps runners.', 'found: by weight, too');
update uplift.search_texts set is_active = false where id = :a;
delete from uplift.search_log;
select is(pg_temp.bodies(pg_temp.search(:'now', '{runner}', '{1}', :'hits')), 'Protein helps runners. | Runners sleep eight hours.', 'found: without a log the copy''s');
insert into uplift.search_texts (shelf, ref, body) select 'knowledge', gen_random_uuid(), 'swim ' || i from generate_series(1, 50) i;
select is((select cardinality(h.ids) from uplift.search_hits('knowledge', pg_temp.search(:'now', '{swim}', '{1}')) h), 40, 'found: forty at most');
insert into uplift.search_log (tx, text_id, shelf, words) select ('9' || i)::xid8, :b, 'knowledge', '{"": 1, "float": 1}' from generate_series(10000000000, 10000000249) i;
select is(pg_temp.bodies(pg_temp.search(:'now', '{swim}', '{1}')), '', 'found: the newest 200 of the log are looked at');
delete from uplift.search_log;
insert into uplift.search_log (tx, text_id, shelf) values ('90000000000', :b, 'knowledge');
select is(pg_temp.bodies(pg_temp.search('1', '{protein}', '{1}', :'hits')), 'Protein helps runners. | Runners sleep eight hours.', 'found: what is newer, but has no words, as the copy has it');

-- The builder.
delete from uplift.search_log;
update uplift.search_texts set is_active = true where id = :a;
select set_config('role', 'uplift_search', true) \g /dev/null
select is(uplift_search.start() ~ '^\d+/\d+$', true, 'builder: told which database it is');
select results_eq($$select horizon::bigint <= pg_current_xact_id()::text::bigint, tx, text_id from uplift_search.read_log('knowledge', '1', null, null, 10)$$,
    format('values (true, %L, %s::bigint)', :'now', :a), 'builder: reads the log, with the horizon');
select results_eq($$select tx, text_id from uplift_search.read_log('knowledge', '1', null, null, 0)$$, $$values (null::text, null::bigint)$$, 'builder: which is there also when there is no row');
select is((select count(text_id) from uplift_search.read_log('knowledge', '1', :'now', :a, 10)), 0::bigint, 'builder: pages through it');
select is((select count(text_id) from uplift_search.read_log('knowledge', :'later', null, null, 10)), 0::bigint, 'builder: from a horizon on');
select is((select array_agg(id) from uplift_search.read_texts('knowledge', 0, 2)), array[:a, :b]::bigint[], 'builder: reads texts by pages');
select is((select count(*) from uplift_search.read_texts('knowledge', :a, 100)), 51::bigint, 'builder: those after one');
select is((select array_agg(id) from uplift_search.read_changed('knowledge', array[:a, :c, 77])), array[:a]::bigint[], 'builder: reads those that changed and are to be found');
select throws_ok('select count(*) from uplift.search_texts', '42501', null, 'builder: reads no table');
reset role;
select is(uplift_search.trim_log(), 0::bigint, 'trim: what is new stays');
insert into uplift.search_marks (horizon, marked_at) values (:'later', now() - interval '73 hours');
select is(uplift_search.trim_log(), 1::bigint, 'trim: what was over three days ago goes');
insert into uplift.search_log (tx, text_id, shelf) values ('3', :a, 'knowledge');
insert into uplift.search_marks (horizon, marked_at) values ('4', now() - interval '73 hours');
select set_config('role', 'uplift_batch', true) \g /dev/null
select is(uplift_batch.trim_search_log(), 1::bigint, 'trim: a job does so, too');
reset role;
insert into uplift.search_log (text_id, shelf) values (:a, 'knowledge');
update uplift.search_origin set origin = 'another/1';
select uplift_search.start() \g /dev/null
select is((select count(*) from uplift.search_log), 0::bigint, 'restore: the log of another database is emptied');

select * from finish();
rollback;
