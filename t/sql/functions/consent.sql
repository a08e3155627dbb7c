-- Whose answers may train models: who agreed; and, as the operator chose, who did not say.
\ir common.psql
select plan(30);

update uplift.settings set value = 'false' where key = 'training.consent_default';
create function pg_temp.say(n int, p_user uuid) returns void language plpgsql as $$
begin
    perform pg_temp.record(n, p_user, pg_temp.id(100 + n), 'question of ' || repeat((array['apples', 'bread', 'chess'])[n] || ' ', 5),
        'answer about ' || repeat((array['trees', 'ovens', 'queens'])[n] || ' ', 9));
    perform uplift_chat.give_feedback(p_user, pg_temp.id(n), '{"helpful": true}', false);
end
$$;
-- The answers that are in the set, after a run.
create function pg_temp.trained() returns text language plpgsql as $$
begin
    while exists (select from uplift.training_queue) loop
        perform uplift_batch.generate_training_examples(1000);
    end loop;
    return coalesce((select string_agg(right(e.source_id::text, 1), ' ' order by e.source_id) from public.ai_training_examples e
        join public.ai_training_datasets d on d.id = e.dataset_id
        where d.dataset_name = 'User Feedback - Positive Responses' and e.withdrawn_at is null), '');
end
$$;
create function pg_temp.preference(p_user uuid, p_key text) returns text language sql as $$
    select uplift_chat.get_preferences(p_user)::jsonb ->> p_key
$$;

insert into auth.users (id) values (:eve);
select pg_temp.say(1, :ann), pg_temp.say(2, :bob), pg_temp.say(3, :eve) \g /dev/null
select is(uplift.trains_by_default(), false, 'the operator says no');
select is(pg_temp.preference(:ann, 'training_consent_default'), 'false', 'which users are told');
select is(pg_temp.trained(), '', 'who was not asked is not in');
select is(uplift_chat.put_preferences(:ann, '{"training_consent": true}') ->> 'training_consent', 'true', 'Ann agrees');
select is(pg_temp.trained(), '1', 'and is in');
select uplift_chat.put_preferences(:bob, '{"training_consent": false}') \g /dev/null
select is(pg_temp.trained(), '1', 'Bob refuses, and is not');
select uplift_chat.put_preferences(:ann, '{"training_consent": null}') \g /dev/null
select is(pg_temp.trained(), '', 'an answer taken back is none');

update uplift.settings set value = 'true' where key = 'training.consent_default';
select is(pg_temp.preference(:ann, 'training_consent_default'), 'true', 'the operator says yes');
select is(pg_temp.trained(), '1 3', 'then all are in who did not refuse');
select uplift_chat.put_preferences(:eve, '{"training_consent": true}') \g /dev/null
update uplift.settings set value = 'false' where key = 'training.consent_default';
select is(pg_temp.trained(), '3', 'and out again but for those who agreed');
insert into public.user_coach_preferences as p (user_id, training_consent) values (:ann, true)
    on conflict (user_id) do update set training_consent = true;
select is(pg_temp.trained(), '1 3', 'by whatever way they say so');
delete from public.user_coach_preferences where user_id = :ann;
select is(pg_temp.trained(), '3', 'and whatever way it goes');
insert into public.user_coach_preferences (user_id, training_consent) values (:ann, true);
select is(pg_temp.trained(), '1 3', 'a row that is new says so, too');

select uplift.erase_from_training(:ann) \g /dev/null
select is(pg_temp.preference(:ann, 'training_consent'), 'false', 'who is erased has refused');
select is(pg_temp.trained(), '3', 'and stays out');

-- What the setting may be.
delete from uplift.settings where key = 'training.consent_default';
select is(uplift.trains_by_default(), false, 'without the setting it is no');
select is(pg_temp.trained(), '3', 'also in a run');
insert into uplift.settings (key, value) values ('training.consent_default', '"true"');
select is(uplift.trains_by_default(), false, 'nor is any other value a yes');
update uplift.settings set value = 'null' where key = 'training.consent_default';
select is(uplift.trains_by_default(), false, 'not even none');
select count(*) as queued from uplift.training_queue \gset
update uplift.settings set value = 'null', updated_at = now() where key = 'training.consent_default';
select is((select count(*) from uplift.training_queue), :queued::bigint, 'what does not change it has nobody looked at again');

-- Whether a user was asked.
select is(pg_temp.preference('00000000-0000-4000-8000-0000000000ff', 'training_consent_asked'), 'false', 'nobody was asked yet');
delete from public.user_coach_preferences where user_id = :bob;
select uplift_chat.put_preferences(:bob, '{"severity": 2}') \g /dev/null
select is(pg_temp.preference(:bob, 'training_consent_asked'), 'false', 'nor by setting something else');
select is(uplift_chat.put_preferences(:bob, '{"training_consent_asked": true}') ->> 'training_consent_asked', 'true', 'a page that asked says so');
select is(pg_temp.preference(:bob, 'training_consent_asked') || coalesce(pg_temp.preference(:bob, 'training_consent'), ' without an answer'), 'true without an answer', 'where there was no answer');
select ok((select p.training_consent_asked_at is not null from public.user_coach_preferences p where p.user_id = :bob), 'with the time');
select is(pg_temp.trained(), '3', 'which is no yes');
select uplift_chat.put_preferences(:bob, '{"training_consent": false}') \g /dev/null
select uplift_chat.put_preferences(:bob, '{"training_consent": null}') \g /dev/null
select is(pg_temp.preference(:bob, 'training_consent_asked'), 'true', 'who answered was asked');
select is(uplift_chat.put_preferences(:bob, '{"training_consent_asked": false}') ->> 'training_consent_asked', 'false', 'and can be asked again');
select is(uplift_chat.put_preferences(:bob, '{"training_consent_default": true}') ->> 'training_consent_default', 'false', 'what null means is for the operator to say');
select is(pg_temp.refused($$select uplift_chat.put_preferences(pg_temp.bob(), '{"training_consent_asked": 1}')$$), 'UP400 invalid_training_consent_asked training_consent_asked', 'asked is yes or no');

select * from finish();
rollback;
