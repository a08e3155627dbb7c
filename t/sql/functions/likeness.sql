-- Which texts say the same, in any script, and which of several examples that do is kept.
\ir common.psql
select plan(38);

select is(uplift.normalised(a), uplift.normalised(b), what) from (values
    ('Grüße, Zoë', U&'Gru\0308\00DFe, Zoe\0308', 'composed and decomposed accents are the same'),
    (U&'\1100\1161\11A8', U&'\AC01', 'so are Korean syllables'),
    ('STRASSE', 'straße', 'a sharp s is two'),
    ('ΟΔΥΣΣΕΥΣ', 'οδυσσευς', 'a sigma at a word''s end is one'),
    ('ПРИВЕТ, ЁЖИК', 'привет, ёжик', 'Cyrillic has capitals, too'),
    ('ԲԱՐԵՒ', 'բարեւ', 'and Armenian'),
    ('İSTANBUL IŞIK', 'istanbul ışık', 'Turkish i with and without a dot'),
    ('ﬁne ŉ', 'FINE ʼN', 'ligatures are their letters'),
    (U&'a\00A0b\2003\3000c\202Fd\0085e\2028f', e'a b\tc\r\nd\f\ve f ', 'blanks of all kinds are one'),
    (U&'a\200Bb \FEFFc', 'ab c', 'those without width are nothing'),
    (repeat(' ', 1000) || 'a' || repeat(e'\n', 17) || 'b', 'a b', 'however many')) x(a, b, what);
select isnt(uplift.normalised(a), uplift.normalised(b), what) from (values
    ('résumé', 'resume', 'accents count'), ('a b', 'ab', 'and where a word ends'), ('10 km', '10km', 'also in figures'),
    ('a.b', 'a b', 'and marks')) x(a, b, what);
select is(uplift.normalised('') || uplift.normalised(U&' \00A0 '), '', 'nothing is nothing');
select is(uplift.words_of(uplift.normalised('我要跑步! Run 5k')), '{我,要,跑,步,run,5k}', 'where words are not parted characters are');
select ok(uplift.similarity(jsonb_build_array(jsonb_build_object('role', 'user', 'content', a)), jsonb_build_array(jsonb_build_object('role', 'user', 'content', b))) = 1,
    'and so texts are compared') from (values ('ПРИВЕТ  всем', 'привет всем')) x(a, b);
select is(uplift.text_said('[{"role": "system", "content": "s"}, {"role": "user", "content": "old"}, {"role": "assistant", "content": "no", "weight": 0},
    {"role": "user", "content": "new"}, {"role": "assistant", "content": "yes"}]'), e'new\nyes', 'what is not learnt does not count');
select ok(uplift.sketch('{}') is null and uplift.sketch('{a}') is null and cardinality(uplift.sketch('{a,b}')) = 1, 'short texts have short sketches, or none');

create function pg_temp.generate() returns void language plpgsql as $$
begin
    while (select g.taken > 0 from uplift_batch.generate_training_examples(1000) g) loop end loop;
end $$;
create function pg_temp.words(p_seed text, n int) returns text language sql immutable as $$
    select string_agg(translate(left(md5(p_seed || i), 8), '0123456789', 'ghijklmnop'), ' ') from generate_series(1, n) i
$$;
create function pg_temp.say(n int, p_conversation int, p_user uuid, p_question text, p_answer text, p_stars int, p_more jsonb default '{}') returns void language sql as $$
    select pg_temp.record(n, p_user, pg_temp.id(p_conversation), p_question, p_answer, p_more);
    update public.coach_response_feedback set rating = p_stars where id = pg_temp.id(n)
$$;
create function pg_temp.rate(n int, p_stars int) returns void language sql as $$
    update public.coach_response_feedback set rating = p_stars where id = pg_temp.id(n)
$$;
create function pg_temp.examples(p_which text default 'Positive Responses') returns text language sql as $$
    select coalesce(string_agg(x.made_of, ' ' order by x.made_of collate "C"), '') from (
        select (select string_agg(ltrim(right(s.answer_id::text, 4), '0'), case when e.rejected is null then '+' else '>' end order by s.position)
            from uplift.training_example_sources s where s.example_id = e.id) as made_of
        from public.ai_training_examples e join public.ai_training_datasets d on d.id = e.dataset_id
        where d.dataset_name = 'User Feedback - ' || p_which and e.withdrawn_at is null) x
$$;

-- Two users like the same three turns; then one of them dislikes the first.
do $$ begin
    for n in 0 .. 2 loop
        perform pg_temp.say(10 + n, 110, pg_temp.ann(), 'Question ' || n, pg_temp.words('a' || n, 20), 5);
        perform pg_temp.say(20 + n, 120, pg_temp.bob(), 'Question ' || n, pg_temp.words('a' || n, 20), 4);
    end loop;
end $$;
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12', 'of two conversations that are the same the better rated one is kept');
select pg_temp.rate(20, 1) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 21 22', 'when the other one breaks up, the rest of it comes in');
select pg_temp.rate(20, 4) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12', 'and goes again');
-- Three say the same, and the one that was kept becomes another.
do $$ begin
    perform pg_temp.say(30, 130, pg_temp.ann(), 'Hi', 'Hello!', 5);
    perform pg_temp.say(40, 140, pg_temp.bob(), 'hi', 'hello!', 4);
    perform pg_temp.say(50, 150, pg_temp.eve(), 'HI', 'HELLO!', 4);
end $$;
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 30', 'of three that say the same the best rated one is kept');
select pg_temp.say(31, 130, pg_temp.ann(), 'And then?', pg_temp.words('then', 20), 5) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 30+31 40', 'when it becomes a part of more, the earliest of the others comes in');
select pg_temp.rate(40, 5) \g /dev/null
select pg_temp.rate(31, null) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 30', 'and of equals the earliest is kept');
select pg_temp.rate(30, 4) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 40', 'whoever falls behind gives way');

-- A chain: the second is near both the others, which are not near each other.
create temp table chain as select pg_temp.words('chain', 60) as middle;
do $$ declare v text := (select middle from chain); begin
    perform pg_temp.say(60, 160, pg_temp.ann(), 'Chain?', pg_temp.words('one', 9) || ' ' || v, 4);
    perform pg_temp.say(61, 161, pg_temp.ann(), 'Chain?', v, 5);
    perform pg_temp.say(62, 162, pg_temp.ann(), 'Chain?', v || ' ' || pg_temp.words('two', 9), 4);
end $$;
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 40 61', 'the one in the middle stands for both');
select pg_temp.rate(61, 3) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 40 60 62', 'without it both come in');
select pg_temp.rate(61, 4) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 40 60 62', 'and of equals it is the earlier ones that stay');

-- What a person said comes before all stars.
select uplift_batch.admin_reject_example(e.id, '{}', 'root') from public.ai_training_examples e where e.source_id = pg_temp.id(40) and e.label is null and e.rejected is null \g /dev/null
select pg_temp.rate(30, 5) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples(), '10+11+12 40 60 62', 'what was rejected keeps out what says the same, however rated');

-- Late, rewritten and deleted turns.
do $$ begin
    perform pg_temp.say(70, 170, pg_temp.ann(), 'One', pg_temp.words('o', 20), 5);
    perform pg_temp.say(72, 170, pg_temp.ann(), 'Three', pg_temp.words('t', 20), 5);
end $$;
select pg_temp.generate() \g /dev/null
select matches(pg_temp.examples(), '70\+72', 'two turns');
select pg_temp.record(71, :ann, pg_temp.id(170), 'Two', 'Came late, from a spool') \g /dev/null
select pg_temp.generate() \g /dev/null
select ok(pg_temp.examples() ~ '70 72', 'are two examples once another is known between them');
delete from public.coach_response_feedback where id = pg_temp.id(71);
select pg_temp.generate() \g /dev/null
select matches(pg_temp.examples(), '70\+72', 'and one without it');
update public.coach_response_feedback set ai_response = ai_response || ' indeed' where id = pg_temp.id(70);
select pg_temp.generate() \g /dev/null
select is((select e.messages #>> '{1,content}' from public.ai_training_examples e where e.source_id = pg_temp.id(70) and e.completion is null), pg_temp.words('o', 20) || ' indeed', 'a text that is put right is right in them');
delete from public.coach_response_feedback where id = pg_temp.id(70);
select pg_temp.generate() \g /dev/null
select matches(pg_temp.examples(), ' 72$', 'without its first turn the second is one by itself');

-- Pairs.
do $$ begin
    perform pg_temp.say(80, 180, pg_temp.ann(), 'Pair?', 'Grüße an ALLE', 1);
    perform pg_temp.say(81, 180, pg_temp.ann(), 'Pair?', U&'gru\0308\00DFe\00A0an alle', 5, jsonb_build_object('regenerate_of', pg_temp.id(80)));
end $$;
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples('Preference Pairs'), '', 'two versions that say the same are no pair');
select pg_temp.say(82, 180, pg_temp.ann(), 'Pair?', 'Etwas anderes', 4, jsonb_build_object('regenerate_of', pg_temp.id(80))) \g /dev/null
select pg_temp.generate() \g /dev/null
select is(pg_temp.examples('Preference Pairs'), '82>80', 'the best that says something else is the better one');

select * from finish();
rollback;
