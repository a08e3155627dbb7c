-- From feedback to examples: what comes in, what goes, what stays out, and the sketch's mistakes.
\ir common.psql
select plan(17);

create function pg_temp.dataset(p_which text) returns uuid language sql as $$
    select id from public.ai_training_datasets where dataset_name = 'User Feedback - ' || p_which
$$;
-- The examples of a dataset as the numbers of their answers: 1+2 is one example of two.
create function pg_temp.examples(p_which text default 'Positive Responses') returns text language sql as $$
    select coalesce(string_agg(x.made_of, ' ' order by x.made_of collate "C"), '') from (
        select string_agg(ltrim(right(s.answer_id::text, 4), '0'), case when e.rejected is null then '+' else '>' end order by s.position)
            || case when e.label then ':up' when not e.label then ':down' else '' end as made_of
        from public.ai_training_examples e left join uplift.training_example_sources s on s.example_id = e.id
        where e.dataset_id = pg_temp.dataset(p_which) and e.withdrawn_at is null and e.source_type = 'user_conversation'
        group by e.id) x
$$;
create function pg_temp.generate() returns text language plpgsql as $$
declare v record; v_sums int[] := '{0,0,0,0}';
begin
    loop
        select * into v from uplift.generate_training_examples(1000);
        v_sums := array[v_sums[1] + v.added, v_sums[2] + v.changed, v_sums[3] + v.withdrawn, v_sums[4] + v.duplicates];
        exit when v.taken = 0;
    end loop;
    return array_to_string(v_sums, ' ');
end $$;
-- Texts that no two answers share.
create function pg_temp.words(p_seed text, n int) returns text language sql immutable as $$
    select string_agg(translate(left(md5(p_seed || i), 8), '0123456789', 'ghijklmnop'), ' ') from generate_series(1, n) i
$$;
create function pg_temp.say(n int, p_conversation int, p_user uuid default pg_temp.ann(), p_more jsonb default '{}') returns void language sql as $$
    select pg_temp.record(n, p_user, case when p_conversation is not null then pg_temp.id(p_conversation) end,
        pg_temp.words('q' || n, 8), pg_temp.words('a' || n, 30), p_more)
$$;
create function pg_temp.thumb(p_helpful boolean, p_rating int, variadic n int[]) returns void language sql as $$
    update public.coach_response_feedback set helpful = p_helpful, rating = p_rating where id = any (array(select pg_temp.id(i) from unnest(n) i))
$$;
create function pg_temp.example(n int, p_which text default 'Positive Responses') returns public.ai_training_examples language sql as $$
    select e.* from public.ai_training_examples e
    where e.source_id = pg_temp.id(n) and e.dataset_id = pg_temp.dataset(p_which) and e.withdrawn_at is null
$$;
-- Counts as the triggers keep them, and as they are.
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

-- One answer a conversation.
do $$ begin
    perform pg_temp.say(n, 100 + n, pg_temp.ann(), '{"system_prompt": "be kind"}') from generate_series(1, 12) n;
    perform pg_temp.say(13, null);
    perform pg_temp.say(14, 114, pg_temp.ann(), '{"outcome": "partial"}');
    perform pg_temp.say(15, 115, pg_temp.bob());
    perform pg_temp.thumb(true, null, 1, 13, 14, 15);
    perform pg_temp.thumb(null, 4, 2);
    perform pg_temp.thumb(true, 5, 3);
    perform pg_temp.thumb(false, 4, 4);
    perform pg_temp.thumb(null, 3, 5);
    perform pg_temp.thumb(true, 2, 6);
    perform pg_temp.thumb(false, null, 7);
end $$;
insert into public.user_coach_preferences (user_id, training_consent) values (:bob, false);
select public.generate_training_examples_from_feedback() \g /dev/null
select is(pg_temp.examples(), '1 13 2 3', 'liked answers, and no others: a thumb down wins over stars, stars over a thumb up');
select is(array[(pg_temp.example(1)).quality_score, (pg_temp.example(2)).quality_score, (pg_temp.example(3)).quality_score], '{7.0,8,10}', 'a star counts two, a thumb alone seven');
create temp table before as select * from public.ai_training_examples;
select public.generate_training_examples_from_feedback() \g /dev/null
select set_eq('select * from public.ai_training_examples', 'select * from before', 'run again, nothing comes in twice and nothing moves');
insert into uplift.training_queue (answer_id) select id from public.coach_response_feedback;
select is(pg_temp.generate(), '0 0 0 0', 'nor when all is looked at again');
select set_eq('select * from public.ai_training_examples', 'select * from before', 'which leaves every row as it was');
select is((select count(*) from public.ai_training_datasets where dataset_name like 'User Feedback%'), 3::bigint, 'three datasets');
select results_eq($$select total_examples, train_examples + validation_examples + test_examples, average_quality_score, contains_user_feedback
    from public.ai_training_datasets where id = pg_temp.dataset('Positive Responses')$$, 'values (4, 4, 8.00, true)', 'with their counts');
select ok(pg_temp.counts_are_true(), 'which are true');
select is((pg_temp.example(1)).messages, jsonb_build_array('{"role": "system", "content": "be kind"}'::jsonb,
    jsonb_build_object('role', 'user', 'content', pg_temp.words('q1', 8)), jsonb_build_object('role', 'assistant', 'content', pg_temp.words('a1', 30))), 'an example');
select is(jsonb_array_length((pg_temp.example(13)).messages), 2, 'without a system prompt there is no system message');
select is(pg_temp.examples('Unpaired'), '13:up 1:up 2:up 3:up 4:down 6:down 7:down', 'liked and not, each by itself');
select is((pg_temp.example(7, 'Unpaired')).completion, jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', pg_temp.words('a7', 30))), 'with prompt and completion apart');

do $$ begin
    perform pg_temp.thumb(null, null, 1);
    perform pg_temp.thumb(false, null, 2);
    perform pg_temp.thumb(true, 4, 3);
end $$;
select is(pg_temp.generate(), '0 3 3 0', 'feedback that changed is all that is looked at') ;
select is(pg_temp.examples(), '13 3', 'feedback taken back takes its example back');
select is((pg_temp.example(3)).quality_score, 8.0, 'feedback changed changes it');
select is((pg_temp.example(3)).id, (select b.id from before b where b.source_id = pg_temp.id(3) and b.label is null), 'in its place');
select is(pg_temp.examples('Unpaired'), '13:up 2:down 3:up 4:down 6:down 7:down', 'and the label');

select * from finish();
rollback;
