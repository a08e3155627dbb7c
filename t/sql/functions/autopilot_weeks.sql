-- Autopilot over weeks: what it tries leads on, small installations come to an end, and what was promoted stays.
\ir common.psql
select plan(48);

create function pg_temp.step() returns text language sql as $$
    select string_agg(concat_ws(' ', d ->> 'kind', d ->> 'decision', d ->> 'name'), ', ')
    from jsonb_array_elements(uplift_batch.autopilot_step(false) -> 'decisions') d
$$;

-- The next severity is one that says other words to a model: half a step within a band is none.
create function pg_temp.next(p_severity numeric) returns text language plpgsql as $$
begin
    perform uplift.change_production(null, jsonb_build_object('severity', p_severity), null, null, 'ann', 'to see');
    return (select string_agg(c.changes ->> 'severity', ',' order by c.place) from uplift.autopilot_catalogue(null) c where c.name like 'severity %');
end
$$;
select is(pg_temp.next(s), w, 'from severity ' || s) from (values (3.0, '2.5,4.0'), (2.5, '1.5,3.0'), (4.0, '3.5,5.0'), (1.0, '2.0'), (6.0, '5.5'), (3.3, '2.3,3.8')) v(s, w);
select is((select bool_and(uplift.severity_band((c.changes ->> 'severity')::numeric) <> uplift.severity_band(3.3)) from uplift.autopilot_catalogue(null) c where c.name like 'severity %'),
    true, 'each is in another band');
select uplift.change_production(null, null, null, null, 'ann', 'seen') \g /dev/null

-- Nor words beside their opposite.
select uplift.change_production(null, jsonb_build_object('prompt_suffix', (select t.words from uplift.prompt_templates() t where t.name = 'more detail')), null, null, 'ann', 'to see') \g /dev/null
select is((select string_agg(c.name, ', ' order by c.place) from uplift.autopilot_catalogue(null) c where c.name like 'prompt: %'),
    'prompt: more concrete, prompt: one question, prompt: more encouragement, prompt: no closing question', 'neither shorter nor more detail beside more detail');
select uplift.change_production(null, null, null, null, 'ann', 'seen') \g /dev/null

-- Stages that no installation of this size would ever come through are left out; where none would, all stay.
select is(uplift.stages_with_users('[0.005, 0.025, 0.05]', u, 100), w, format('%s users', u))
from (values (100000::bigint, '[0.005, 0.025, 0.05]'::jsonb), (8000, '[0.025, 0.05]'), (7999, '[0.05]'), (2000, '[0.05]'), (1999, '[0.005, 0.025, 0.05]'), (0, '[0.005, 0.025, 0.05]')) v(u, w);

-- Those that as many users had already are left out as well, but the last one never.
select is(uplift.stages_from('[0.005, 0.025, 0.05]', s), w, 'from ' || s) from (values (0.0::float8, '[0.005, 0.025, 0.05]'::jsonb), (0.025, '[0.025, 0.05]'), (0.03, '[0.05]'), (0.5, '[0.05]')) v(s, w);

-- Intervals are narrowest at as many users as a test may come to.
select is(uplift.tuning_users_for(null, '{severity}', 0.5), 5000, 'of how many is not known at first');
insert into auth.users (id) select pg_temp.id(10000 + n) from generate_series(1, 1200) n;
insert into uplift.conversations (id, user_id, coach_id, created_at, updated_at)
select pg_temp.id(20000 + n), pg_temp.id(10000 + n), 'coach_decibel_avatar', now(), now() - case when n > 1000 then interval '673 hours' else interval '0' end
from generate_series(1, 1200) n;
select is(uplift.recent_users(c, '{severity}'), u, 'users of the last 28 days') from (values (null, 1000::bigint), ('coach_decibel_avatar', 1000), ('coach_maple_avatar', 0)) v(c, u);
select is(uplift.tuning_users_for('coach_decibel_avatar', '{severity}', s), w, 'a share of ' || s) from (values (0.5, 500), (0.01, 100)) v(s, w);

-- What every coach has of its own already would have no users; and they do not count for such a test.
savepoint before_own;
select uplift_batch.admin_start_autopilot(null, '{"max_usd_per_day": 5, "max_usd_per_month": 50, "max_share": 0.2, "max_at_once": 2, "min_users": 40}', 'ann') \g /dev/null
select matches(pg_temp.step(), 'candidate begun severity 2.5$', 'a severity for all coaches');
update public.ai_experiments set status = 'completed' where status = 'running';
delete from public.ai_experiments;
delete from uplift.autopilot_decisions where kind = 'candidate';
select uplift.change_production(c.id, '{"severity": 2}', null, null, 'ann', '') from uplift.coaches c where c.id <> 'coach_decibel_avatar' \g /dev/null
select is(uplift.recent_users(null, t), u, 'users for ' || t::text) from (values ('{severity}'::text[], 1000::bigint), ('{severity,top_p}', 1000)) v(t, u);
select matches(pg_temp.step(), 'candidate begun severity 2.5$', 'also where some have their own');
update public.ai_experiments set status = 'completed' where status = 'running';
delete from public.ai_experiments;
delete from uplift.autopilot_decisions where kind = 'candidate';
select uplift.change_production('coach_decibel_avatar', '{"severity": 2}', null, null, 'ann', '') \g /dev/null
select is(uplift.recent_users(null, t), u, 'then users for ' || t::text) from (values ('{severity}'::text[], 0::bigint), ('{severity,top_p}', 1000)) v(t, u);
select matches(pg_temp.step(), 'candidate begun prompt: shorter$', 'what they all have is left out');
rollback to before_own;

-- A rollout ends when tests do, and begins at a stage that it can come through.
select uplift_batch.admin_start_autopilot(null, '{"max_usd_per_day": 5, "max_usd_per_month": 50, "max_share": 0.2, "max_at_once": 2, "min_users": 40, "max_test_days": 10, "coaches": ["coach_decibel_avatar"]}', 'ann') \g /dev/null
select uplift.autopilot_roll_out('concrete', 'coach_decibel_avatar', '{"changes": {"prompt_suffix": "Be concrete."}}', null) \g /dev/null
select is((select concat_ws(' ', r.stages, r.max_days, e.tuning_users) from uplift.rollouts r join public.ai_experiments e on e.id = r.experiment_id
    where r.name = 'concrete'), '{0.1} 10 200', 'a rollout for so many users');

-- The draft of a playbook waits while words are promoted, and is tried beside them.
insert into uplift.playbook_versions (id, coach_id, text, guideline_ids) values (pg_temp.id(900), 'coach_decibel_avatar', uplift.playbook_text('- Keep answers short.'), '{}');
select uplift.draft_playbook(v, null, 'uplift') from uplift.playbook_versions v where v.id = pg_temp.id(900) \g /dev/null
select uplift.promote_rollout(r, 'autopilot', 'it is better') from uplift.rollouts r where r.name = 'concrete' \g /dev/null
select is(pg_temp.step(), 'rollout promoted concrete', 'words are promoted meanwhile');
select is(pg_temp.step(), 'candidate begun ' || (select experiment_name from public.ai_experiments e join uplift.playbook_versions v on v.experiment_id = e.id), 'the draft begins');
select is((select test_variants[1] - 'variant_name' from public.ai_experiments e join uplift.playbook_versions v on v.experiment_id = e.id),
    jsonb_build_object('guidelines', uplift.playbook_text('- Keep answers short.')), 'as its guidelines, which leave words as they are');
select is((select tuning_users from public.ai_experiments e join uplift.playbook_versions v on v.experiment_id = e.id), 200, 'for as many users as there are');
select is((select v ->> 'prompt_suffix' from uplift.changes_in_production('coach_decibel_avatar') v), 'Be concrete.', 'beside production as it is');

-- What was never tried goes before what may be tried again, and a playbook that has changed is tried again.
update public.ai_experiments set status = 'completed' where status = 'running';
insert into uplift.autopilot_decisions (kind, name, coach_id, decision, reason, numbers, who, at)
select 'candidate', n, 'coach_decibel_avatar', 'begun', 'tried', '{}', 'autopilot', now() - interval '200 days' from unnest('{severity 2.5,severity 4.0,prompt: shorter}'::text[]) n;
insert into uplift.playbook_versions (id, coach_id, text, guideline_ids) values (pg_temp.id(901), 'coach_decibel_avatar', uplift.playbook_text('- Use lists.'), '{}');
select uplift.draft_playbook(v, null, 'uplift') from uplift.playbook_versions v where v.id = pg_temp.id(901) \g /dev/null
select matches(pg_temp.step(), 'candidate begun prompt: more concrete$', 'what was never tried is tried first');
update public.ai_experiments set status = 'completed' where status = 'running';
update uplift.autopilot_decisions set at = now() - interval '199 days' where decision = 'begun' and name like 'prompt: %';
insert into uplift.autopilot_decisions (kind, name, coach_id, decision, reason, numbers, who, at)
select 'candidate', c.name, 'coach_decibel_avatar', 'begun', 'tried', '{}', 'autopilot', now() - interval '1 day' from uplift.autopilot_catalogue('coach_decibel_avatar') c where c.place > 22;
select matches(pg_temp.step(), 'candidate begun severity 2.5$', 'then what was tried longest ago');
update uplift.autopilot_decisions set at = now() where decision = 'begun';
select matches(pg_temp.step(), 'candidate begun Playbook of coach_decibel_avatar', 'and a playbook in its turn');

-- What was compared with other answers than those of now may be tried again; what was tried beside them is not.
update public.ai_experiments set status = 'completed' where status = 'running';
insert into uplift.autopilot_decisions (kind, name, coach_id, decision, reason, numbers, who, at)
select 'candidate', c.name, 'coach_decibel_avatar', 'begun', 'tried', '{}', 'autopilot', now() from uplift.autopilot_catalogue('coach_decibel_avatar') c;
update uplift.autopilot_decisions set at = now() - interval '2 hours' where decision = 'begun';
update uplift.production_changes set began_at = now() - interval '3 hours' where ended_at is null;
select matches(pg_temp.step(), '^bound held tests$', 'nothing is tried again beside what it was tried beside');
update uplift.production_changes set began_at = now() - interval '1 hour' where ended_at is null;
select matches(pg_temp.step(), 'candidate begun severity', 'but after production was given something');
update uplift.production_changes set began_at = now() - interval '6 hours' where ended_at is null;
select uplift.change_production('coach_decibel_avatar', '{"severity": 5}', null, null, 'ann', 'to see') \g /dev/null
select uplift.change_production('coach_decibel_avatar', '{"prompt_suffix": "Be concrete."}', null, null, 'ann', 'back') \g /dev/null
select is(uplift.serves_since('coach_decibel_avatar'), now() - interval '6 hours', 'what was there before, and was put back, counts since then');

-- But not what looked worse, before twice its days are over.
select uplift.change_production('coach_decibel_avatar', '{"severity": 3.5}', null, null, 'ann', 'to see') \g /dev/null
update uplift.production_changes set began_at = now() - interval '1 hour' where ended_at is null;
update uplift.autopilot_decisions set at = now() - interval '2 hours', subject_id = uplift.uuid_v7() where decision = 'begun';
update public.ai_experiments set status = 'completed' where status = 'running';
insert into public.ai_experiments (id, experiment_name, control_variant, test_variants, success_metric, status)
select d.subject_id, d.name || d.id, '{"variant_name": "as it is"}', array[jsonb_build_object('variant_name', 'it')], 'thumbs_up_rate', 'completed' from uplift.autopilot_decisions d where d.decision = 'begun';
insert into uplift.experiment_looks (experiment_id, metric, variant, figures)
select d.subject_id, 'thumbs_up_rate', 'it', case when d.name = 'prompt: one question' then '{"difference": 0.01, "se": 0.06}' else '{"difference": -0.01, "se": 0.04}'::jsonb end
from uplift.autopilot_decisions d where d.decision = 'begun';
delete from public.ai_experiments where status = 'draft';
select is((select string_agg(w, ' ') from (select pg_temp.step() as w from generate_series(1, 2)) x), 'candidate begun prompt: one question', 'what looked worse is not tried again when production changes');
update public.ai_experiments set success_metric = 'latency' where status = 'completed' and test_variants[1] ->> 'variant_name' = 'it';
update uplift.experiment_looks set metric = 'latency' where variant = 'it';
select ok(bool_and(uplift.looked_worse(d.subject_id) = (d.name = 'prompt: one question')), 'less is better of what takes time') from uplift.autopilot_decisions d join uplift.experiment_looks l on l.experiment_id = d.subject_id and l.variant = 'it' where d.decision = 'begun';
update public.ai_experiments set success_metric = 'thumbs_up_rate' where status = 'completed' and test_variants[1] ->> 'variant_name' = 'it';
update uplift.experiment_looks set metric = 'thumbs_up_rate' where variant = 'it';
update public.ai_experiments set status = 'completed', experiment_name = id::text where status = 'running';
update uplift.autopilot_decisions set at = now() - interval '91 days' where decision = 'begun';
select is((select string_agg(w, ' ') from (select pg_temp.step() as w from generate_series(1, 2)) x), 'candidate begun prompt: one question', 'nor when its days are over');
update public.ai_experiments set status = 'completed', experiment_name = id::text where status = 'running';
update uplift.autopilot_decisions set at = now() - interval '181 days' where decision = 'begun' and name <> 'prompt: one question';
select matches(pg_temp.step(), 'candidate begun prompt: shorter', 'but after twice as many');

-- Bounds of less than a day.
select is((select max_test_days from uplift.autopilot_settings()), 10::numeric, 'days of a test');
select * from finish();
