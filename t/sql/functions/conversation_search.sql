-- Looking for conversations by what was said in them.
\ir common.psql
select plan(25);

do $$ begin
    perform pg_temp.record(101, pg_temp.ann(), pg_temp.id(100), 'How do I begin?', 'Run slowly, and keep a diary of your training.');
    perform pg_temp.record(102, pg_temp.ann(), pg_temp.id(100), 'And then?', 'Then faster.');
    perform pg_temp.record(103, pg_temp.ann(), pg_temp.id(200), 'I want a recipe for Kürbissuppe', 'Bake the pumpkin first.');
    perform pg_temp.record(104, pg_temp.ann(), pg_temp.id(300), '100% of my runs hurt', 'See a doctor.');
    perform pg_temp.record(105, pg_temp.bob(), pg_temp.id(400), 'A diary of mine', 'Yes.');
end $$;
select uplift_chat.index_answers(array[pg_temp.id(101), pg_temp.id(102), pg_temp.id(103), pg_temp.id(104), pg_temp.id(105)]) \g /dev/null
create function pg_temp.found(p_search text, p_user uuid default pg_temp.ann(), p_limit int default 10, p_before timestamptz default null) returns text language sql as $$
    select concat_ws(' ', (select string_agg(right(d ->> 'id', 3), ' ' order by o) from json_array_elements(l -> 'data') with ordinality e(d, o)), l ->> 'has_more')
    from uplift_chat.list_conversations(p_user, p_limit, p_before, p_search) l
$$;
select is(pg_temp.found('diary'), '100 false', 'by a word of an answer');
select is(pg_temp.found('training diaries'), '100 false', 'by words in other forms, all of which have to be there');
select is(pg_temp.found('diary pumpkin'), 'false', 'in one turn');
select is(pg_temp.found('KÜRBIS'), '200 false', 'by a part of a word, in whatever case');
select is(pg_temp.found('run'), '300 100 false', 'the latest first');
select is(pg_temp.found('run', p_limit => 1), '300 true', 'page by page');
select is(pg_temp.found('run', p_limit => 1, p_before => '2026-01-01 01:44Z'), '100 false', 'and the next');
select is(pg_temp.found('100%'), '300 false', 'signs are signs');
select is(pg_temp.found('xyzzy'), 'false', 'nothing is nothing');
select is(pg_temp.found('diary', pg_temp.bob()), '400 false', 'everybody their own');
select is(uplift_chat.list_conversations(:ann, 10, null, 'diary') #>> '{data,0,excerpt}', 'Run slowly, and keep a diary of your training.', 'with what was found');
-- Long turns.
do $$ begin
    perform pg_temp.record(n, pg_temp.bob(), pg_temp.id(500 + n), repeat('It was for all of us to see that this is so. ', 12) || x.question || repeat(' And what was it to you that we had them?', 12), repeat('It was for all of you to see that this is so. ', 5) || x.answer || repeat(' And what was it to them that we had you?', 12))
    from (values (111, 'Why is that?', 'Breathe easily on long hills.'), (112, 'Was ist mit Müsli und Joghurt?', 'Gut.'), (113, E'my left\nknee', 'Rest it.'), (114, 'And 5k?', 'Yes.'),
        (115, 'alpha bravo charlie delta echo foxtrot golf hotel india juliett', 'Fine.'), (116, 'alpha bravo charlie delta echo foxtrot golf hotel', 'Fine.'),
        (117, 'a hill ' || repeat('and more ', 30) || ' of hills and valleys', 'Fine.'), (118, '我今天吃了很多苹果和香蕉', '好')) x(n, question, answer);
    perform uplift_chat.index_answers(array(select pg_temp.id(n) from generate_series(111, 118) n));
end $$;
select matches(uplift_chat.list_conversations(:bob, 10, null, q) #>> '{data,0,excerpt}', w, 'an excerpt has what was looked for: ' || n) from (values
    ('breathing hill', 'Breathe easily on long hills', 'words of the answer'), ('musli joghurt', 'Müsli und Joghurt', 'without accents'), ('left knee', 'my left knee', 'over the end of a line'),
    ('5k', 'And 5k', 'a short one'), ('hill valley', 'hills and valleys', 'where all of it is'), ('苹果', '苹果', 'in Chinese')) v(q, w, n);
select is(pg_temp.found('alpha bravo charlie delta echo foxtrot golf hotel juliett', :bob), '615 false', 'of many words all count');
select is(pg_temp.found('juliett india hotel golf foxtrot echo delta charlie bravo alpha', :bob), '615 false', 'in any order');
select uplift_chat.rename_conversation(:ann, pg_temp.id(300), '{"title": "About my knee"}') \g /dev/null
select is(pg_temp.found('my KNEE'), '300 false', 'by the title');
select uplift_chat.index_answers(array[pg_temp.id(106)]) from (
    select pg_temp.record(106, :ann, pg_temp.id(100), 'How do I start?', 'With a walk.', jsonb_build_object('regenerate_of', pg_temp.id(101))) offset 0) x \g /dev/null
select is(pg_temp.found('diary'), 'false', 'not by what was replaced');
select uplift_chat.put_preferences(:ann, '{"memory_enabled": false}') \g /dev/null
select is(pg_temp.found('walk'), '100 false', 'also of who lets nobody remember');
select uplift_chat.delete_conversation(:ann, pg_temp.id(100)) \g /dev/null
select is(pg_temp.found('walk'), 'false', 'nor what was deleted');
select is(pg_temp.refused(format('select uplift_chat.list_conversations(pg_temp.ann(), 10, null, %L)', q)), 'UP400 invalid_q q', w) from (values
    (' ', 'an empty one is refused'), (repeat('x', 201), 'and one that is too long')) v(q, w);
select finish();
rollback;
