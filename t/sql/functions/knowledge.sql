-- Knowledge: how texts become pieces, that what is searched follows the table whoever writes, and versions of documents.
\ir common.psql
select plan(90);
delete from public.ai_knowledge_sources; -- the demo's

create function pg_temp.pieces(p_content text, p_title text default null) returns text language sql as $$
    select coalesce(string_agg(concat_ws('=', c.title, replace(c.body, e'\n', '/')), ' || ' order by c.part), '') from uplift.text_chunks(p_title, p_content) c
$$;

-- Pieces by headings.
select is(pg_temp.pieces('One.

Two.'), '=One.//Two.', 'paragraphs are packed');
select is(pg_temp.pieces('# Sleep

Intro.

## Naps
Short.
### When
Noon.
## Nights
Long.', 'Guide'), 'Guide > Sleep=Intro. || Guide > Sleep > Naps=Short. || Guide > Sleep > Naps > When=Noon. || Guide > Sleep > Nights=Long.',
    'sections are parted, each with the headings above it');
select is(pg_temp.pieces('# Guide
x', 'Guide'), 'Guide=x', 'a heading that repeats the title is there once');
select is(pg_temp.pieces('### Deep
x
# Top
y', 'T'), 'T > Deep=x || T > Top=y', 'levels that are left out');
select is(pg_temp.pieces('Sleep
=====
a

Naps
----
b'), 'Sleep=a || Sleep > Naps=b', 'headings that are underlined');
select is(pg_temp.pieces('a

---

b'), '=a//b', 'a line between paragraphs is no heading');
select is(pg_temp.pieces('# A
# B
b
# C'), 'A=A || B=b || C=C', 'headings with nothing below are not lost');
select is(pg_temp.pieces('#hashtag
#
####### seven'), '=#hashtag/#/####### seven', 'what only looks like a heading');
select is(pg_temp.pieces('# A ##
x'), 'A=x', 'number signs after a heading');
select is(pg_temp.pieces('x
```
# no heading

y
```
z'), '=x//```/# no heading//y/```//z', 'within a fence nothing is a heading, and blank lines stay');
select is(pg_temp.pieces('```
# A
x'), '=``` || A=x', 'a fence that never ends is none');
select is(pg_temp.pieces(E'a\r\n\r\n# B\r\nc\r\n'), '=a || B=c', 'ends of lines of Windows');
select is(pg_temp.pieces(e' \n\t\n'), '', 'nothing of blanks');
select is(pg_temp.pieces(''), '', 'nor of nothing');
select is(pg_temp.pieces(null), '', 'nor of null');

-- Sizes.
select is((select array_agg(length(c.body) order by c.part) from uplift.text_chunks('T', repeat(repeat('word ', 99) || e'word.\n\n', 5)) c), array[1002, 1002, 500],
    'paragraphs stay whole');
select is((select bool_and(c.body ~ '\.$') from uplift.text_chunks('T', repeat('A sentence of some words that goes on. ', 200)) c), true, 'a long paragraph is parted after sentences');
select is((select count(*) from uplift.text_chunks('T', repeat('これは文です。', 400)) c where c.body !~ '。$' or length(c.body) > 1200), 0::bigint, 'also where no spaces are');
select is((select string_agg(c.body, ' ' order by c.part) from uplift.text_chunks('T', rtrim(repeat('word ', 1000))) c), rtrim(repeat('word ', 1000)), 'without sentences it is parted between words');
select is((select string_agg(c.body, '' order by c.part) from uplift.text_chunks('T', repeat('äöü', 40000)) c), repeat('äöü', 40000), 'without words anywhere, and nothing is lost');
select is((select max(length(c.body)) from uplift.text_chunks('T', repeat('a', 5000) || ' b ' || repeat('c. ', 3000)) c), 1200, 'none is longer than 1,200 characters');
select is((select count(*) from uplift.text_chunks('T', '- one
' || repeat('- an item of this list
', 30)) c), 1::bigint, 'a list that fits is one piece');
select is((select count(*) from uplift.text_chunks('T', repeat('- an item of this list
', 100)) c where c.body !~ '^(- an item of this list\n?)+$'), 0::bigint, 'one that does not is parted between items');
select is((select count(*) from uplift.text_chunks('T', '| food | g |
| --- | --- |
' || repeat('| oats | 13 |
', 300)) c where c.body !~ '^\| food \| g \|\n\| --- \| --- \|\n(\| oats \| 13 \|\n?)+$'), 0::bigint, 'a table keeps its head in each piece');
select is((select sum(regexp_count(c.body, 'oats')) from uplift.text_chunks('T', '| food | g |
| --- | --- |
' || repeat('| oats | 13 |
', 300)) c), 300::bigint, 'and all its rows');
select is((select max(length(c.title)) from uplift.text_chunks(repeat('T', 1000), repeat('# ' || repeat('h', 1000) || e'\nx\n', 2)) c), 300, 'titles have an end');
select cmp_ok((select count(*) from uplift.text_chunks('T', repeat(e'# a\nb\n', 100000)) c), '<', 12000::bigint, 'a hundred thousand tiny sections are not as many pieces');
select is((select c.body from uplift.text_chunks('T', '<script>ignore all</script> ' || chr(1) || 'x') c), '<script>ignore all</script> x', 'text is text');

-- The table, whoever writes.
create function pg_temp.add(n int, p_content text, p_more jsonb default '{}') returns uuid language sql as $$
    insert into public.ai_knowledge_sources (id, source_name, title, content, reliability_score, coach_ids, is_active)
    values (pg_temp.id(n), 'source ' || n, p_more ->> 'title', p_content, (p_more ->> 'reliability')::numeric,
        string_to_array(p_more ->> 'coaches', ','), coalesce((p_more ->> 'active')::boolean, true))
    returning id
$$;
create function pg_temp.searched() returns text language sql as $$
    select coalesce(string_agg(concat_ws(':', right(t.ref::text, 1), t.part, t.body), ' ' order by t.ref, t.part), '')
    from uplift.search_texts t where t.shelf = 'knowledge' and t.is_active
$$;
select pg_temp.add(1, 'oats') \g /dev/null
select is(pg_temp.searched(), '1:0:oats', 'a row that is written is searched');
select is((select t.title from uplift.search_texts t where t.ref = pg_temp.id(1)), 'source 1', 'under its name where it has no title');
select is((select t.weight from uplift.search_texts t where t.ref = pg_temp.id(1)), 1::real, 'and counts once where its reliability is unknown');
update public.ai_knowledge_sources set reliability_score = 10, title = 'Oats' where id = pg_temp.id(1);
select is((select array_agg(concat_ws(' ', t.title, t.weight)) from uplift.search_texts t where t.ref = pg_temp.id(1)), array['Oats 1.5'], 'title and reliability follow');
update public.ai_knowledge_sources set reliability_score = 0 where id = pg_temp.id(1);
select is((select array_agg(t.weight) from uplift.search_texts t where t.ref = pg_temp.id(1)), array[.5::real], 'reliability alone changes the weight');
select t.id as id_before from uplift.search_texts t where t.ref = pg_temp.id(1) \gset
update public.ai_knowledge_sources set times_referenced = 7, helpful_votes = 3 where id = pg_temp.id(1);
select is((select t.id from uplift.search_texts t where t.ref = pg_temp.id(1)), :id_before::bigint, 'counters change nothing');
update public.ai_knowledge_sources set content = e'# A\nrye\n# B\noats' where id = pg_temp.id(1);
select is(pg_temp.searched(), '1:0:rye 1:1:oats', 'content follows');
select isnt((select min(t.id) from uplift.search_texts t where t.ref = pg_temp.id(1)), :id_before::bigint, 'in rows of their own');
update public.ai_knowledge_sources set is_active = false where id = pg_temp.id(1);
select is(pg_temp.searched(), '', 'what is withdrawn is not searched');
update public.ai_knowledge_sources set is_active = true where id = pg_temp.id(1);
select is(pg_temp.searched(), '1:0:rye 1:1:oats', 'until it is in effect again');
update public.ai_knowledge_sources set is_active = null where id = pg_temp.id(1);
select is(pg_temp.searched(), '1:0:rye 1:1:oats', 'which it also is where nobody says');
select is((select k.chunks from uplift.knowledge_texts k where k.source_id = pg_temp.id(1)), 2, 'its pieces are counted');

-- The same pieces.
select pg_temp.add(2, e'# X\nOats \n# Y\nbran') \g /dev/null
select is(pg_temp.searched(), '1:0:rye 1:1:oats 2:1:bran', 'what another source says already is searched once');
delete from public.ai_knowledge_sources where id = pg_temp.id(1);
select is(pg_temp.searched(), '2:0:Oats 2:1:bran', 'and still, when that one is gone');
select pg_temp.add(3, 'oats') \g /dev/null
update public.ai_knowledge_sources set is_active = false where id = pg_temp.id(2);
select is(pg_temp.searched(), '3:0:oats', 'or withdrawn');
update public.ai_knowledge_sources set is_active = true where id = pg_temp.id(2);
select is(pg_temp.searched(), '2:1:bran 3:0:oats', 'it does not come twice when it is back');
update public.ai_knowledge_sources set content = 'millet' where id = pg_temp.id(3);
select is(pg_temp.searched(), '2:0:Oats 2:1:bran 3:0:millet', 'nor is it lost when the other says something else');
select pg_temp.add(4, 'millet', '{"coaches": "coach_a"}') \g /dev/null
select is(pg_temp.searched(), '2:0:Oats 2:1:bran 3:0:millet 4:0:millet', 'for other coaches it is another');
update public.ai_knowledge_sources set coach_ids = null where id = pg_temp.id(4);
select is(pg_temp.searched(), '2:0:Oats 2:1:bran 3:0:millet', 'as long as it is for others');
select pg_temp.add(5, e'# A\nsame\n# B\nsame') \g /dev/null
select is(pg_temp.searched(), '2:0:Oats 2:1:bran 3:0:millet 5:0:same', 'within a source as well');
select is((select count(*) from uplift.knowledge_chunks c where not exists (select from uplift.search_texts t where t.id = c.text_id)), 0::bigint, 'nothing is left behind');
select pg_temp.add(6, 'asleep', '{"active": false}') \g /dev/null
select is(pg_temp.searched(), '2:0:Oats 2:1:bran 3:0:millet 5:0:same', 'a row that is written withdrawn is not searched');
truncate public.ai_knowledge_sources cascade;
select is((select count(*) from uplift.search_texts) + (select count(*) from uplift.knowledge_texts) + (select count(*) from uplift.knowledge_chunks), 0::bigint, 'all at once');

-- Versions.
create function pg_temp.take(p_content text, p_more jsonb default '{}') returns text language sql as $$
    select uplift_batch.take_knowledge(jsonb_build_object('name', 'docs/a.md', 'collection', 'docs') || p_more, p_content) ->> 'outcome'
$$;
create function pg_temp.documents() returns text language sql as $$
    select string_agg(concat_ws(' ', s.content, case when s.is_active then 'on' else 'off' end, case when s.deprecated_by is not null then 'old' end), ', ' order by s.id)
    from public.ai_knowledge_sources s
$$;
select is(pg_temp.take('one', '{"topics": ["b", "a", "a"], "reliability": 7, "coach_ids": ["coach_a"], "audience": "beginners", "file_hash": "00000000-0000-0000-0000-000000000001"}'), 'added', 'a document is taken');
select is(pg_temp.take('one'), 'unchanged', 'and not again');
select is(pg_temp.documents(), 'one on', 'as it is the same');
select is(pg_temp.take('two', '{"file_hash": "00000000-0000-0000-0000-000000000002"}'), 'changed', 'changed it is another version');
select is(pg_temp.documents(), 'one off old, two on', 'which takes the place of the old one');
select results_eq($$select topic_tags, reliability_score, coach_ids, target_audience from public.ai_knowledge_sources where is_active$$,
    $$values (array['a', 'b'], 7::numeric, array['coach_a'], 'beginners')$$, 'and has its metadata');
select is(pg_temp.searched(), (select right(id::text, 1) from public.ai_knowledge_sources where is_active) || ':0:two', 'which alone is searched');
select is(uplift_batch.has_knowledge(null, 'docs/a.md', '00000000-0000-0000-0000-000000000002'), true, 'the file is known');
select is(uplift_batch.has_knowledge(null, 'docs/a.md', '00000000-0000-0000-0000-000000000001'), false, 'the older one is not');
select is(uplift_batch.take_knowledge('{"url": "https://x.example/a"}', 'two') ->> 'outcome', 'duplicate', 'what another document says is not taken twice');
select is(uplift_batch.take_knowledge('{"url": "https://x.example/a"}', 'three') ->> 'outcome', 'added', 'else it is');
select is(pg_temp.take('three'), 'duplicate', 'a version that says what another document does');
select is(pg_temp.documents(), 'one off old, two off old, three on', 'is withdrawn for that');
select is(pg_temp.take('three'), 'duplicate', 'as often as it comes');
select is(pg_temp.take('four'), 'changed', 'with something else to say it is in effect again');
select is(pg_temp.documents(), 'one off old, two off old, three on, four on', 'in a version of its own');
select is(pg_temp.take('three'), 'duplicate', 'it says the same as the other again');
delete from public.ai_knowledge_sources where content = 'three';
select is(pg_temp.take('four'), 'restored', 'what it said last is in effect again, in its row');
select is(pg_temp.documents(), 'one off old, two off old, four on', 'which no other takes the place of');
select is(pg_temp.take('four', '{"title": "IV", "topics": ["c"], "reliability": 2}'), 'changed', 'the same with other metadata');
select results_eq($$select title, topic_tags, reliability_score, coach_ids, content from public.ai_knowledge_sources where is_active$$,
    $$values ('IV', array['c'], 2::numeric, array['coach_a'], 'four')$$, 'has it in place, and keeps what is not given');
select is((select min(t.weight) from uplift.search_texts t), (select uplift.knowledge_weight(s) from public.ai_knowledge_sources s where s.is_active), 'and is weighed by it');
select is(pg_temp.take('four', '{"title": "IV", "topics": ["c"]}'), 'unchanged', 'once');
delete from public.ai_knowledge_sources;
select is(pg_temp.take('one'), 'added', 'gone: taken');
select is((select array_agg(l.name) from uplift_batch.list_collection('docs', null) l), array['docs/a.md'], 'gone: listed');
select is(uplift_batch.prune_knowledge(array(select l.id from uplift_batch.list_collection('docs', null) l)), 1, 'gone: withdrawn');
select is(pg_temp.take('one', '{"audience": "all"}'), 'restored', 'gone: it is back');
select is((select target_audience from public.ai_knowledge_sources where is_active), 'all', 'gone: with what is said of it now');
-- The same words for others.
create function pg_temp.taken(p_url text, p_more jsonb) returns text language sql as $$
    select uplift_batch.take_knowledge(jsonb_build_object('url', p_url) || p_more, 'Rest on Sundays.') ->> 'outcome'
$$;
select is(pg_temp.taken('https://x.example/maple', '{"coach_ids": ["coach_maple_avatar"]}'), 'added', 'a text for one coach');
select is(pg_temp.taken('https://x.example/same', '{"coach_ids": ["coach_maple_avatar"]}'), 'duplicate', 'is not taken twice for that one');
select is(pg_temp.taken('https://x.example/decibel', '{"coach_ids": ["coach_decibel_avatar"]}'), 'added', 'but for another one, who would not know it');
select is(pg_temp.taken('https://x.example/young', '{"coach_ids": ["coach_maple_avatar"], "audience": "beginners"}'), 'duplicate', 'what is for everybody is for an audience, too');
select is(pg_temp.taken('https://x.example/both', '{"coach_ids": ["coach_maple_avatar", "coach_decibel_avatar"]}'), 'added', 'and for two, of whom no document is');
select is(pg_temp.taken('https://x.example/last', '{"coach_ids": ["coach_decibel_avatar"], "audience": "runners"}'), 'duplicate', 'after which those two have it');
select is(pg_temp.taken('https://x.example/others', '{}'), 'duplicate', 'where nobody says for whom it is, one document will do');
update public.ai_knowledge_sources set is_active = false;
select is(pg_temp.take('two'), 'withdrawn', 'what somebody withdrew stays so');
select throws_ok($$select uplift_batch.take_knowledge('{"name": "x"}', repeat('x', 5000001))$$, 'UP400', null, 'too much is refused');
select throws_ok($$select uplift_batch.take_knowledge('{"name": "x", "topics": "a"}', 'x')$$, 'UP400', null, 'and what is no list');
select throws_ok($$select uplift_batch.take_knowledge('{"name": "x", "source_type": "gossip"}', 'x')$$, 'UP400', null, 'or no source');

select * from finish();
rollback;
