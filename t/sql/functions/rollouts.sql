-- Rollouts: stages, what each step wants for evidence, promotion and the way back.
\ir common.psql
select plan(116);

create function pg_temp.roll(p_name text, p_more jsonb) returns uuid language sql as $$
    select (uplift_batch.admin_create_rollout(null, jsonb_build_object('name', p_name, 'min_stage_hours', 0, 'min_users', 50) || p_more, 'ann') ->> 'id')::uuid
$$;
create function pg_temp.prepare(p_user uuid, p_coach text default null, p_severity numeric default null) returns jsonb language sql as $$
    select to_jsonb(p) from uplift.prepare_chat(p_user, 'chat', p_coach, p_severity, null, null, null, 'hello', 4000, '{}') p
$$;
-- What a look finds of the candidate: the bounds of the difference, users, a guardrail.
create function pg_temp.look(p_id uuid, p_lower float8, p_upper float8, p_users int default 100, p_guardrail text default 'ok', p_mismatch boolean default false) returns text language plpgsql as $$
declare
    v_experiment uuid := (select r.experiment_id from uplift.rollouts r where r.id = p_id);
begin
    insert into uplift.experiment_looks (experiment_id, metric, variant, figures) values
        (v_experiment, 'users', '', jsonb_build_object('users', array[p_users, p_users], 'is_mismatch', p_mismatch)),
        (v_experiment, 'thumbs_up_rate', 'production', '{"value": 0.5}'),
        (v_experiment, 'thumbs_up_rate', 'candidate', jsonb_build_object('value', 0.5 + (p_lower + p_upper) / 2, 'always_valid', jsonb_build_object('lower', p_lower, 'upper', p_upper))),
        (v_experiment, 'latency', 'candidate', jsonb_build_object('guardrail', p_guardrail));
    return uplift_batch.decide_rollout(p_id) ->> 'step';
end
$$;
create function pg_temp.steps(p_id uuid) returns text language sql as $$
    select string_agg(s.step || case when s.who = 'uplift' then '' else '!' end, ' ' order by s.id) from uplift.rollout_steps s where s.rollout_id = p_id
$$;

-- What one may say.
select is(pg_temp.refused($$select pg_temp.roll('x', '{}')$$), 'UP400 invalid_candidate changes', 'nothing to roll out');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"experiment_id": "10000000-0000-4000-8000-000000000001"}')$$), 'UP400 invalid_candidate changes', 'an experiment without one of its variants');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {}}')$$), 'UP400 invalid_changes changes', 'what changes nothing');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": 5}')$$), 'UP400 invalid_changes changes', 'what is no object');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {"severity": 9}}')$$), 'UP400 invalid_experiment changes.severity', 'what no variant may be');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {"severity": 2}, "stages": [0.5, 0.1]}')$$), 'UP400 invalid_stages stages', 'stages that shrink');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {"severity": 2}, "stages": [0.1, 1]}')$$), 'UP400 invalid_stages stages', 'stages with nobody left to compare with');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {"severity": 2}, "stages": []}')$$), 'UP400 invalid_stages stages', 'no stages');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {"severity": 2}, "margin": -1}')$$), 'UP400 invalid_margin margin', 'a margin below 0');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {"severity": 2}, "guardrails": [{"metric": "fun", "max_worse": 1}]}')$$), 'UP400 invalid_experiment guardrails[0].metric', 'a guardrail of nothing');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {"severity": 2}, "coach_id": "nobody"}')$$), 'UP404 coach_not_found coach_id', 'no such coach');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"model_version_id": "10000000-0000-4000-8000-000000000001"}')$$), 'UP400 invalid_experiment model_version_id', 'no such model version');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"experiment_id": "10000000-0000-4000-8000-000000000001", "variant": "b"}')$$), 'UP404 variant_not_found variant', 'no such variant');
select is(pg_temp.refused($$select uplift_batch.admin_get_rollout(pg_temp.id(1), '{}', 'ann')$$), 'UP404 rollout_not_found', 'no such rollout');

-- A version of a prompt, by what its wording takes.
savepoint before_wordings;
insert into uplift.prompt_versions (id, name, personality, prompt_suffix) values (pg_temp.id(710), 'Decibel', 'You are Decibel, and quiet.', 'Rhyme.'), (pg_temp.id(711), 'Decibel', 'You are Decibel, and loud.', '');
select is(pg_temp.refused($$select pg_temp.roll('x', jsonb_build_object('prompt_version_id', pg_temp.id(710)))$$), 'UP400 invalid_candidate coach_id', 'a version of a prompt wants a coach');
select is(pg_temp.refused($$select pg_temp.roll('x', jsonb_build_object('prompt_version_id', pg_temp.id(712), 'coach_id', 'coach_decibel_avatar'))$$), 'UP404 prompt_version_not_found prompt_version_id', 'no such version');
select is(pg_temp.refused($$select pg_temp.roll('x', jsonb_build_object('prompt_version_id', pg_temp.id(710), 'changes', '{"severity": 2}'::jsonb))$$), 'UP400 invalid_candidate changes', 'one candidate at a time');
select pg_temp.roll('quiet', jsonb_build_object('prompt_version_id', pg_temp.id(710), 'coach_id', 'coach_decibel_avatar')) \g /dev/null
select is((select changes from uplift.rollouts where name = 'quiet'),
    '{"personality": "You are Decibel, and quiet.", "prompt_suffix": "Rhyme."}', 'the wording is the candidate');
select uplift.promote_rollout(r, 'ann', 'to see') from uplift.rollouts r where r.name = 'quiet' and r.status = 'running' \g /dev/null
select is(uplift.note_prompt_version(pg_temp.prepare(:ann, 'coach_decibel_avatar') ->> 'system_prompt'), uplift.prompt_version_id((select c.name from uplift.coaches c where c.id = 'coach_decibel_avatar'), 'You are Decibel, and quiet.', 'Rhyme.'), 'and what chats have then');
select is(pg_temp.refused($$select pg_temp.roll('x', jsonb_build_object('prompt_version_id', pg_temp.id(711), 'coach_id', 'coach_decibel_avatar'))$$), 'UP409 keeps_prompt_suffix prompt_version_id', 'words at the end are not taken away');
-- What ends with a playbook is words and guidelines.
insert into uplift.playbook_versions (id, coach_id, text, guideline_ids) values (pg_temp.id(730), 'coach_decibel_avatar', uplift.playbook_text('- Be brief.'), '{}');
insert into uplift.prompt_versions (id, name, personality, prompt_suffix) values (pg_temp.id(713), 'Decibel', 'P', E'Sing.\n\n' || uplift.playbook_text('- Be brief.')),
    (pg_temp.id(714), 'Decibel', 'P', uplift.playbook_text('- Be brief.')), (pg_temp.id(715), 'Decibel', 'P', E'Sing.\n\nLike this.');
select is(uplift.changes_to_prompt_version(pg_temp.id(n), 'coach_decibel_avatar'), w, 'the wording of ' || n) from (values
    (713, jsonb_build_object('personality', 'P', 'prompt_suffix', 'Sing.', 'guidelines', uplift.playbook_text('- Be brief.'))),
    (715, jsonb_build_object('personality', 'P', 'prompt_suffix', E'Sing.\n\nLike this.'))) v(n, w);
select is(pg_temp.refused($$select uplift.changes_to_prompt_version(pg_temp.id(714), 'coach_decibel_avatar')$$), 'UP409 keeps_prompt_suffix prompt_version_id', 'guidelines alone do not take words away');
select uplift.change_production('coach_decibel_avatar', '{"guidelines": "By hand."}', null, null, 'ann', '') \g /dev/null
select is(pg_temp.refused($$select uplift.changes_to_prompt_version(pg_temp.id(715), 'coach_decibel_avatar')$$), 'UP409 keeps_prompt_suffix prompt_version_id', 'nor words guidelines');
select is(uplift.changes_to_prompt_version(pg_temp.id(714), 'coach_decibel_avatar'), jsonb_build_object('personality', 'P', 'guidelines', uplift.playbook_text('- Be brief.')), 'others take their place');
update uplift.prompt_versions set prompt_suffix = E'Sing.\n\nBy hand.' where id = pg_temp.id(715);
select is(uplift.changes_to_prompt_version(pg_temp.id(715), 'coach_decibel_avatar'), '{"personality": "P", "prompt_suffix": "Sing."}', 'also those that an admin wrote; what production has already is none of the coach''s own');
update uplift.prompt_versions set prompt_suffix = E'Sing.\n\n\nBy hand.' where id = pg_temp.id(715);
select is(uplift.changes_to_prompt_version(pg_temp.id(715), 'coach_decibel_avatar') ->> 'prompt_suffix', E'Sing.\n', 'and words stay as they were, to the last line break');
select is(uplift_batch.admin_preview_coach('coach_decibel_avatar', '{"personality": "P"}', 'ann') ->> 'system_prompt',
    (select uplift.shared_prompt(c.name, 'P', 3.0, 'default') || E'\n\nBy hand.' from uplift.coaches c where c.id = 'coach_decibel_avatar'), 'a preview has the guidelines');
select is(uplift.prompt_version_json(v) -> 'coaches', '["coach_decibel_avatar"]', 'and so has the version that is in production') from (
    select x.* from uplift.note_prompt_version(pg_temp.prepare(:ann, 'coach_decibel_avatar') ->> 'system_prompt') i join uplift.prompt_versions x on x.id = i) v;
-- Another coach in the place of one comes with its own persona and playbook.
select uplift.change_production('coach_decibel_avatar', '{"guidelines": "Decibel''s.", "personality": "D", "severity": 2}', null, null, 'ann', '') \g /dev/null
select uplift.change_production('coach_maple_avatar', '{"guidelines": "Maple''s.", "severity": 5}', null, null, 'ann', '') \g /dev/null
select pg_temp.roll('maple', '{"changes": {"coach_id": "coach_maple_avatar"}, "coach_id": "coach_decibel_avatar"}') \g /dev/null
select uplift.promote_rollout(r, 'ann', 'to see') from uplift.rollouts r where r.name = 'maple' and r.status = 'running' \g /dev/null
select is((uplift.production_now('coach_decibel_avatar')).changes, '{"coach_id": "coach_maple_avatar", "severity": 2}', 'what is the first coach''s alone goes with it');
select is(p ->> 'system_prompt', (select uplift.shared_prompt(c.name, c.personality, 2.0, 'default') || E'\n\nMaple''s.' from uplift.coaches c where c.id = 'coach_maple_avatar'),
    'and the other one has its own') from pg_temp.prepare(:ann) p;
rollback to before_wordings;

-- A model version that nobody serves any more; one that is deleted while it is tried.
savepoint before_models;
insert into public.ai_model_versions (id, model_name, version, model_id, base_model) values (pg_temp.id(720), 'tuned', '1', 'ft:tuned', 'gone-base');
insert into uplift.base_models (model, shutdown_date) values ('gone-base', current_date - 1);
select is(pg_temp.refused($$select pg_temp.roll('x', jsonb_build_object('model_version_id', pg_temp.id(720)))$$), 'UP409 model_shut_down model_version_id', 'a model version whose base is shut down');
update uplift.base_models set shutdown_date = null where model = 'gone-base';
select pg_temp.roll('tuned', jsonb_build_object('model_version_id', pg_temp.id(720))) \g /dev/null
delete from public.ai_model_versions where id = pg_temp.id(720);
select is((select e.status || ': ' || e.status_reason from public.ai_experiments e join uplift.rollouts r on r.experiment_id = e.id where r.name = 'tuned'),
    'paused: test_variants[0].model_version_id must be the id of a model version with a model', 'a model version that is deleted while it is tried');
rollback to before_models;

-- What clashes with what runs is told by what the caller sent.
savepoint before_a_clash;
insert into public.ai_experiments (id, experiment_name, control_variant, test_variants, success_metric, status, targeting)
values (pg_temp.id(700), 'Severities', '{"variant_name": "a"}', '{"{\"variant_name\": \"b\", \"severity\": 4}"}', 'thumbs_up_rate', 'running', '{"coaches": ["coach_decibel_avatar"]}');
select is(pg_temp.refused($$select pg_temp.roll('x', '{"changes": {"severity": 2}}')$$), 'UP400 invalid_experiment changes', 'changes that clash');
select is(pg_temp.refused($$select pg_temp.roll('x', jsonb_build_object('experiment_id', pg_temp.id(700), 'variant', 'b'))$$), 'UP400 invalid_experiment variant', 'a variant that clashes');
select throws_like($$select pg_temp.roll('x', '{"changes": {"severity": 2}}')$$, 'changes would change severity, as "Severities" does, which is running: stop that one first, or take it to another coach%', 'in words that a rollout can follow');
insert into public.ai_model_versions (id, model_name, version, model_id) values (pg_temp.id(701), 'tuned', '1', 'ft:tuned');
update public.ai_experiments set status = 'completed' where status = 'running';
insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric, status)
values ('Models', '{"variant_name": "a"}', '{"{\"variant_name\": \"b\", \"model\": \"m\"}"}', 'thumbs_up_rate', 'running');
select is(pg_temp.refused($$select pg_temp.roll('x', jsonb_build_object('model_version_id', pg_temp.id(701)))$$), 'UP400 invalid_experiment model_version_id', 'a model that clashes');
select is(pg_temp.refused($$select pg_temp.roll('a=b', '{"changes": {"severity": 2}}')$$), 'UP400 invalid_experiment name', 'a name that no experiment may have');
select isnt(pg_temp.roll('beside', '{"changes": {"severity": 2}}'), null, 'what does not clash begins');
rollback to before_a_clash;

-- Its experiment belongs to it.
savepoint before_it_is_changed;
select pg_temp.roll('kept', '{"changes": {"severity": 2}, "stages": [0.1, 0.5]}') as kept \gset
create temporary table owned as select experiment_id as id from uplift.rollouts where id = :'kept';
select is(pg_temp.refused(format('update public.ai_experiments set %s where id = (select id from owned)', s)), 'UP409 belongs_to_rollout ' || p, 'its ' || p || ' stays')
from (values ('traffic_share = 0.9', 'traffic_share'), ('test_variants = array[test_variants[1] || ''{"weight": 5}'']', 'test_variants'),
    ('control_variant = control_variant || ''{"weight": 5}''', 'control_variant'), ('guardrails = ''[]''', 'guardrails'), ('min_users = 2', 'min_users'),
    ('alpha = 0.5', 'alpha'), ('targeting = ''{"new_users": true}''', 'targeting'), ('success_metric = ''latency''', 'success_metric')) v(s, p);
select is(pg_temp.refused($$select uplift_batch.admin_edit_experiment((select id from owned), '{"traffic_share": 0.9}', 'ann')$$), 'UP409 belongs_to_rollout traffic_share', 'by route, too');
select throws_like($$select uplift_batch.admin_edit_experiment((select id from owned), '{"traffic_share": 0.9}', 'ann')$$, '%rollout "kept"%advance that rollout, promote it or roll it back%pause the experiment%', 'and what to do is said');
select is(pg_temp.refused($$select uplift_batch.admin_edit_experiment((select id from owned), '{"description": "mine", "feedback_days": 3}', 'ann')$$), 'not at all', 'words may change');
select uplift_batch.admin_pause_experiment((select id from owned), '{}', 'ann') \g /dev/null
select uplift_batch.admin_start_experiment((select id from owned), '{}', 'ann') \g /dev/null
select uplift_batch.admin_advance_rollout(:'kept', '{"reason": "x"}', 'ann') \g /dev/null
select is((select trim_scale(e.traffic_share) from public.ai_experiments e join owned o on o.id = e.id where e.status = 'running'), 1::numeric, 'its own steps go on');
select uplift_batch.admin_roll_back(:'kept', '{"reason": "x"}', 'ann') \g /dev/null
select is(pg_temp.refused($$update public.ai_experiments set status = 'running' where id = (select id from owned)$$), 'UP409 belongs_to_rollout status', 'and when it is over nobody gets the candidate again');
select pg_temp.roll('for maple', '{"changes": {"severity": 2}, "coach_id": "coach_maple_avatar"}') as maple \gset
update public.brand_assets set asset_name = 'coach_gone' where asset_name = 'coach_maple_avatar';
select is(pg_temp.refused(format('select uplift_batch.admin_promote_rollout(%L, %L, %L)', :'maple', '{"reason": "x"}', 'ann')), 'UP409 coach_not_found', 'nothing is promoted for a coach that is gone');
rollback to before_it_is_changed;

-- The whole way.
select pg_temp.roll('warm', '{"changes": {"prompt_suffix": "Be warm.", "severity": 2.0}, "stages": [0.1, 0.5]}') as warm \gset
select is((select traffic_share from public.ai_experiments where status = 'running'), 0.2, 'a tenth has it, and a tenth is compared');
select is(pg_temp.look(:'warm', 0.01, 0.3, 49), 'held', 'not before there are enough');
select is(pg_temp.look(:'warm', 0.01, 0.3, 49), 'held', 'still not');
select is(pg_temp.steps(:'warm'), 'started! held', 'which is no news');
select is(pg_temp.look(:'warm', 0.01, 0.3, p_mismatch => true), 'held', 'not with a sample ratio mismatch');
select is(pg_temp.look(:'warm', -0.2, 0.3), 'advanced', 'on to half of the users');
select is((select traffic_share from public.ai_experiments where status = 'running'), 1.0, 'all are compared now');
select is(pg_temp.look(:'warm', -0.05, 0.3), 'held', 'it is not known to be better yet');
select is(pg_temp.look(:'warm', 0.01, 0.3), 'promoted', 'now it is');
select is(pg_temp.look(:'warm', -0.9, -0.8), 'none', 'what is over stays over');
select is(pg_temp.steps(:'warm'), 'started! held held advanced held promoted', 'every step is told');
select is((select s.evidence #>> '{metrics,thumbs_up_rate,always_valid,lower}' from uplift.rollout_steps s where s.rollout_id = :'warm' and step = 'promoted'), '0.01', 'with its evidence');
select is((select status from public.ai_experiments where id = (select experiment_id from uplift.rollouts where id = :'warm')), 'completed', 'its experiment is over');
select matches(pg_temp.prepare(:ann) ->> 'system_prompt', E'supportive\n.*\n\nBe warm\\.$', 'everybody has it');
select is((pg_temp.prepare(:ann) ->> 'severity')::numeric, 2.0, 'all of it');
select is(pg_temp.prepare(:ann) -> 'trace', 'null', 'and nobody is exposed to anything');
select is((pg_temp.prepare(:ann, p_severity => 5) ->> 'severity')::numeric, 5.0, 'what the request says wins');
insert into public.user_coach_preferences (user_id, severity) values (:bob, 6);
select is((pg_temp.prepare(:bob) ->> 'severity')::numeric, 6.0, 'and what the user chose');
select is(uplift.known_experiments() -> 'production', '[{"coach_id": null, "changes": {"severity": 2.0, "prompt_suffix": "Be warm."}}]', 'workers know it for when Postgres is away');

-- Over it, for one coach.
select pg_temp.roll('maple', '{"changes": {"prompt_suffix": "Rhyme."}, "coach_id": "coach_maple_avatar", "stages": [0.5], "margin": 0.1}') as maple \gset
select is(pg_temp.look(:'maple', -0.06, 0.1), 'held', 'worse than the margin allows, maybe');
select is(pg_temp.look(:'maple', -0.04, 0.1), 'promoted', 'within the margin');
select matches(pg_temp.prepare(:ann, 'coach_maple_avatar') ->> 'system_prompt', E'\n\nRhyme\\.$', 'this coach has it');
select is((pg_temp.prepare(:ann, 'coach_maple_avatar') ->> 'severity')::numeric, 2.0, 'over what all have');
select matches(pg_temp.prepare(:ann) ->> 'system_prompt', E'\n\nBe warm\\.$', 'others have not');
select is(pg_temp.refused(format('select uplift_batch.admin_roll_back(%L, ''{}'', ''ann'')', :'maple')), 'UP400 invalid_reason reason', 'to roll back wants a reason');
select is(uplift_batch.admin_roll_back(:'maple', '{"reason": "too much"}', 'ann') ->> 'status', 'rolled_back', 'rolled back by hand');
select is(uplift_batch.admin_roll_back(:'maple', '{"reason": "again"}', 'ann') ->> 'reason', 'too much', 'once');
select matches(pg_temp.prepare(:ann, 'coach_maple_avatar') ->> 'system_prompt', E'\n\nBe warm\\.$', 'what was before serves again');

-- One after another, and back.
select pg_temp.roll('colder', '{"changes": {"severity": 4.0}, "stages": [0.5]}') as colder \gset
select is(pg_temp.look(:'colder', 0.1, 0.2), 'promoted', 'a second one for all');
select is((pg_temp.prepare(:ann) ->> 'severity')::numeric, 4.0, 'over the first');
select matches(pg_temp.prepare(:ann) ->> 'system_prompt', E'\n\nBe warm\\.$', 'of which the rest stays');
select is(pg_temp.refused(format('select uplift_batch.admin_roll_back(%L, ''{"reason": "x"}'', ''ann'')', :'warm')), 'UP409 not_in_production', 'the last one goes first');
select is(uplift_batch.admin_roll_back(:'colder', '{"reason": "no"}', 'ann') ->> 'status', 'rolled_back', 'it goes');
select is((pg_temp.prepare(:ann) ->> 'severity')::numeric, 2.0, 'the first one serves again');
select is(uplift_batch.admin_roll_back(:'warm', '{"reason": "no"}', 'ann') ->> 'status', 'rolled_back', 'and can go now');
select is((pg_temp.prepare(:ann) ->> 'severity')::numeric, 3.0, 'as it was at first');

-- By itself, back.
select pg_temp.roll('slow', '{"changes": {"severity": 4.0}}') as slow \gset
select is(pg_temp.look(:'slow', 0.1, 0.2, p_guardrail => 'crossed'), 'rolled_back', 'a guardrail is crossed');
select is((select reason from uplift.rollouts where id = :'slow'), 'the guardrail is crossed for latency', 'which is the reason');
select pg_temp.roll('bad', '{"changes": {"severity": 4.0}}') as bad \gset
select is(pg_temp.look(:'bad', -0.2, -0.01), 'rolled_back', 'what is worse goes, at any stage');
select pg_temp.roll('old', '{"changes": {"severity": 4.0}, "max_days": 0.01}') as old \gset
update uplift.rollouts set created_at = now() - interval '1 hour' where id = :'old';
select is(pg_temp.look(:'old', -0.1, 0.3), 'rolled_back', 'and what proves nothing in time');
select is((pg_temp.prepare(:ann) ->> 'severity')::numeric, 3.0, 'production never saw them');
select pg_temp.roll('patient', '{"changes": {"severity": 4.0}, "min_stage_hours": 24}') as patient \gset
select is(pg_temp.look(:'patient', 0.1, 0.2), 'held', 'a stage has its time');
select is(uplift_batch.admin_advance_rollout(:'patient', '{"reason": "hurry"}', 'ann') ->> 'stage', '2', 'unless an admin says so');
select is(uplift_batch.admin_promote_rollout(:'patient', '{"reason": "hurry"}', 'ann') ->> 'status', 'promoted', 'who may also promote it');
select is(pg_temp.refused(format('select uplift_batch.admin_advance_rollout(%L, ''{"reason": "x"}'', ''ann'')', :'patient')), 'UP409 wrong_status', 'what is over does not advance');

-- Whose experiment somebody stopped.
select pg_temp.roll('stopped', '{"changes": {"severity": 4.0}, "stages": [0.1, 0.5]}') as stopped \gset
select uplift_batch.admin_pause_experiment((select experiment_id from uplift.rollouts where id = :'stopped'), '{}', 'ann') \g /dev/null
select is(pg_temp.look(:'stopped', 0.1, 0.2), 'held', 'while its experiment is paused nobody gets it, and it stays where it is');
select uplift_batch.admin_start_experiment((select experiment_id from uplift.rollouts where id = :'stopped'), '{}', 'ann') \g /dev/null
select is(pg_temp.look(:'stopped', 0.1, 0.2), 'advanced', 'then it goes on');
select uplift_batch.admin_stop_experiment((select experiment_id from uplift.rollouts where id = :'stopped'), '{}', 'ann') \g /dev/null
select is(pg_temp.look(:'stopped', 0.1, 0.2), 'held', 'stopped, it is not promoted by what was measured before');
select matches((select reason from uplift.rollout_steps where rollout_id = :'stopped' order by id desc limit 1), '^its experiment is completed', 'which is told');
select uplift_batch.admin_roll_back(:'stopped', '{"reason": "x"}', 'ann') \g /dev/null

-- Models by name, beside model versions.
insert into public.ai_model_versions (id, model_name, version, model_id) values (pg_temp.id(910), 'named', '1', 'ft:named');
create function pg_temp.promote(p_name text, p_more jsonb) returns uuid language sql as $$
    select (uplift_batch.admin_promote_rollout(pg_temp.roll(p_name, p_more), '{"reason": "x"}', 'ann') ->> 'id')::uuid
$$;
select pg_temp.promote('plain', '{"changes": {"model": "plain", "prompt_suffix": "Sing."}}') as plain \gset
select is(pg_temp.prepare(:ann) ->> 'model', 'plain', 'a model by its name');
select pg_temp.promote('over', jsonb_build_object('model_version_id', pg_temp.id(910))) as over \gset
select is(pg_temp.prepare(:ann) ->> 'model', 'ft:named', 'a model version that is promoted over it serves');
select matches(pg_temp.prepare(:ann) ->> 'system_prompt', E'\n\nSing\\.$', 'and the rest stays');
select is(pg_temp.refused(format('select uplift_batch.admin_roll_back(%L, ''{"reason": "x"}'', ''ann'')', :'plain')), 'UP409 not_in_production', 'the last one goes first');
select uplift_batch.admin_roll_back(:'over', '{"reason": "x"}', 'ann') \g /dev/null
select is(pg_temp.prepare(:ann) ->> 'model', 'plain', 'rolled back, the name serves again');
select uplift_batch.admin_deploy_model(pg_temp.id(910), '{"environment": "production", "coach_id": "coach_maple_avatar"}', 'ann') \g /dev/null
select is(pg_temp.prepare(:ann, 'coach_maple_avatar') ->> 'model', 'ft:named', 'what is deployed for a coach serves there');
select is(pg_temp.prepare(:ann) ->> 'model', 'plain', 'and nowhere else');
select uplift_batch.admin_deploy_model(pg_temp.id(910), '{"environment": "production"}', 'ann') \g /dev/null
select is(pg_temp.prepare(:ann) ->> 'model', 'ft:named', 'what is deployed by hand serves, too');
select pg_temp.promote('plain too', '{"changes": {"model": "plain"}}') as again \gset
select is(pg_temp.prepare(:ann) ->> 'model', 'plain', 'the last one wins');
select pg_temp.promote('louder', '{"changes": {"prompt_suffix": "Shout."}}') as louder \gset
select uplift_batch.admin_deploy_model(pg_temp.id(910), '{"environment": "production"}', 'ann') \g /dev/null
select uplift_batch.admin_roll_back(:'louder', '{"reason": "x"}', 'ann') \g /dev/null
select is(pg_temp.prepare(:ann) ->> 'model', 'ft:named', 'to roll back words brings no model back');
select uplift_batch.admin_roll_back(:'again', '{"reason": "x"}', 'ann'), uplift_batch.admin_roll_back(:'plain', '{"reason": "x"}', 'ann') \g /dev/null
select is(pg_temp.prepare(:ann) ->> 'model', 'ft:named', 'and still when the rollout is rolled back');
select uplift_batch.admin_rollback_model(pg_temp.id(910), '{"reason": "x"}', 'ann') from generate_series(1, 2) \g /dev/null

-- Model versions.
insert into public.ai_model_versions (id, model_name, version, model_id) values (pg_temp.id(900), 'tuned', '1', 'ft:tuned'), (pg_temp.id(901), 'tuned', '2', '');
select pg_temp.roll('tuned', jsonb_build_object('model_version_id', pg_temp.id(900), 'stages', array[0.5])) as tuned \gset
select is((select count(distinct pg_temp.prepare(('51000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid) ->> 'model') from (
    select n, uplift.make_user(('51000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid) from generate_series(1, 20) n offset 0) x), 1::bigint, 'some are answered by the candidate, others by the configured model');
select is(pg_temp.look(:'tuned', 0.1, 0.2), 'promoted', 'it is better');
select is((select deployment_environment from public.ai_model_versions where id = pg_temp.id(900)), 'production', 'and is deployed');
select uplift_batch.admin_roll_back(:'tuned', '{"reason": "no"}', 'ann') \g /dev/null
select is((select is_deployed from public.ai_model_versions where id = pg_temp.id(900)), false, 'and is taken back');
