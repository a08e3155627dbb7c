-- What is kept for some days only.
\ir common.psql
select plan(23);

create function pg_temp.enforce(p_name text, p_most int default 2) returns jsonb language plpgsql as $$
declare
    v_step jsonb;
    v_after text;
    v_deleted int := 0;
    v_failed int := 0;
    v_steps int := 0;
begin
    loop
        v_step := uplift_batch.retain(p_name, v_after, p_most);
        v_deleted := v_deleted + (v_step ->> 'deleted')::int;
        v_failed := v_failed + (v_step ->> 'failed')::int;
        v_after := v_step ->> 'next';
        v_steps := v_steps + 1;
        exit when v_after is null or v_steps > 1000;
    end loop;
    return jsonb_build_object('deleted', v_deleted, 'failed', v_failed, 'ended', v_after is null);
end
$$;
create function pg_temp.keep(p_name text, p_days text) returns void language sql as $$
    insert into uplift.settings (key, value) values ('retention.' || p_name || '_days', p_days::jsonb)
    on conflict (key) do update set value = excluded.value
$$;
-- By ids that begin with their time, as uplift makes them, and by those that do not.
create function pg_temp.old(p_id uuid, n int, p_days int) returns void language plpgsql as $$
begin
    insert into public.coach_response_feedback (id, user_id, conversation_id, coach_id, user_message, ai_response, created_at)
    values (p_id, pg_temp.ann(), pg_temp.id(100 + n), 'coach_decibel_avatar', 'question ' || n, 'answer', now() - p_days * interval '24 hours');
    insert into uplift.conversations (id, user_id, created_at, updated_at)
    values (pg_temp.id(100 + n), pg_temp.ann(), now() - p_days * interval '24 hours', now() - p_days * interval '24 hours');
end
$$;
delete from public.coach_response_feedback;
delete from uplift.conversations;
select is(uplift_batch.retention(), '[]', 'at first all is kept for ever');
select pg_temp.old(uplift.first_id_of(now() - d * interval '24 hours'), d, d) from unnest('{1,5,29,31,40,41,42,43,44}'::int[]) d \g /dev/null
select pg_temp.old(('f0000000-0000-4000-8000-' || lpad(d::text, 12, '0'))::uuid, d, d) from unnest('{2,32}'::int[]) d \g /dev/null
select pg_temp.old(('00000000-0000-4000-8000-' || lpad(d::text, 12, '0'))::uuid, d, d) from unnest('{3,33}'::int[]) d \g /dev/null
select is(pg_temp.enforce('answers'), '{"deleted": 0, "failed": 0, "ended": true}', 'and nothing goes');
select pg_temp.keep('answers', '"x"'), pg_temp.keep('conversations', '0'), pg_temp.keep('feedback', '-1') \g /dev/null
select is(uplift_batch.retention(), '[]', 'a setting that is no number of days is none');
select is(pg_temp.enforce('answers'), '{"deleted": 0, "failed": 0, "ended": true}', 'and deletes nothing');
select pg_temp.keep('answers', '30'), pg_temp.keep('conversations', '30') \g /dev/null
select is(uplift_batch.retention(), '["answers", "conversations"]', 'what is to go, answers before their conversations');
insert into uplift.thumb_queue (answer_id) select a.id from public.coach_response_feedback a where a.created_at < now() - interval '24 hours' * 42.5;
select is(pg_temp.enforce('conversations'), '{"deleted": 0, "failed": 0, "ended": true}', 'a conversation stays as long as its answers');
select is(pg_temp.enforce('answers'), '{"deleted": 8, "failed": 0, "ended": true}', 'those older than 30 days go, in steps, whatever their ids');
select is((select string_agg(regexp_replace(user_message, '\D', '', 'g'), ' ' order by created_at desc) from public.coach_response_feedback), '1 2 3 5 29', 'the others stay');
select is((select count(*)::int from uplift.thumb_queue), 0, 'with what was made of them');
select is(pg_temp.enforce('answers'), '{"deleted": 0, "failed": 0, "ended": true}', 'again there is nothing to do');
select is(pg_temp.enforce('conversations'), '{"deleted": 8, "failed": 0, "ended": true}', 'then their conversations go');
select is((select count(*)::int from uplift.conversations), 5, 'and no others');
select is(pg_temp.enforce('answers', 1000), '{"deleted": 0, "failed": 0, "ended": true}', 'also in large steps');

-- By numbers: 10 comes behind 9.
select pg_temp.keep('feedback', '7') \g /dev/null
insert into uplift.feedback_events (answer_id, user_id, changes, recorded_at) select pg_temp.id(1), :ann, '{}', now() - d * interval '24 hours' from generate_series(20, 1, -1) d;
select is(pg_temp.enforce('feedback', 3), '{"deleted": 13, "failed": 0, "ended": true}', 'by numbers, too');
select pg_temp.keep('admin_log', '365') \g /dev/null
insert into uplift.admin_log (id, at, who, method, route) select uplift.first_id_of(now() - d * interval '24 hours'), now() - d * interval '24 hours', 'adam', 'PUT', '/x' from unnest('{1,364,366,900}'::int[]) d;
select is(pg_temp.enforce('admin_log'), '{"deleted": 2, "failed": 0, "ended": true}', 'the log of admins');
select is(uplift_batch.retain('secrets', null, 10), '{"deleted": 0, "failed": 0}', 'nothing of what is no such thing');

-- Training examples go with the next run.
select uplift_chat.put_preferences(:bob, '{"training_consent": true}') \g /dev/null
select pg_temp.record(900, :bob, pg_temp.id(901), 'My sister and I want to run a marathon', 'Then begin with ten minutes a day, together.') \g /dev/null
select uplift_chat.give_feedback(:bob, pg_temp.id(900), '{"helpful": true}', false) \g /dev/null
create function pg_temp.examples() returns int language plpgsql as $$
begin
    while exists (select from uplift.training_queue) loop
        perform uplift_batch.generate_training_examples(1000);
    end loop;
    return (select count(*) from public.ai_training_examples e where e.source_id = pg_temp.id(900) and e.withdrawn_at is null);
end
$$;
select cmp_ok(pg_temp.examples(), '>', 0, 'an answer of which there are training examples');
select pg_temp.enforce('answers', 1000) \g /dev/null
select is(pg_temp.examples(), 0, 'takes them along, at the next run');

-- What cannot go.
create function pg_temp.refuse() returns trigger language plpgsql as $$ begin raise exception 'kept for the court'; end $$;
create trigger refuse before delete on public.coach_response_feedback for each row when (old.user_message = 'question 29') execute function pg_temp.refuse();
select pg_temp.keep('answers', '4') \g /dev/null
select is(uplift_batch.retain('answers', null, 1000) - 'next', '{"deleted": 0, "failed": 2, "why": "kept for the court"}', 'what a deployment keeps stays, with the reason');
select is(pg_temp.enforce('answers', 1), '{"deleted": 1, "failed": 1, "ended": true}', 'and the rest goes');
select is((select count(*)::int from public.coach_response_feedback), 4, 'what stays is there');
select ok((select bool_and(not exists (select from uplift.personal_data() d where d.source = r.source) is not true or r.name = 'admin_log') from uplift.retained_data() r), 'all of it is in the list of what is kept of users, or of admins');
select ok((select bool_and(has_function_privilege('uplift_batch', f, 'execute')) from unnest('{uplift_batch.retain(text\,text\,int),uplift_batch.retention()}'::text[]) f), 'fcgi-batch may do it');
select * from finish();
rollback;
