-- Experiments: what may be tried, who gets which variant, and what is counted of them.
\ir common.psql
select plan(189);

-- The hash, as anybody can compute it: EXPERIMENTS.md has the same vectors.
select is(uplift.bucket(s, u::uuid)::text, b, 'bucket of ' || s) from (values
    ('salt', '00000000-0000-4000-8000-00000000000a', '0.7754329933800632'),
    ('uplift holdout', '00000000-0000-4000-8000-00000000000b', '0.2791046856246373'),
    ('größe', 'ffffffff-ffff-4fff-bfff-ffffffffffff', '0.5454257531761244')) as v(s, u, b);

create function pg_temp.user(n int) returns uuid language sql immutable as $$ select ('50000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
insert into auth.users (id) select pg_temp.user(n) from generate_series(1, 400) n;
create function pg_temp.prepare(p_user uuid, p_more jsonb default '{}', p_coach text default null, p_severity numeric default null,
    p_mode text default null, p_protocol text default 'chat') returns jsonb language sql as $$
    select to_jsonb(p) from uplift.prepare_chat(p_user, p_protocol, p_coach, p_severity, p_mode, null, null, 'hello', 4000, p_more) p
$$;
create function pg_temp.variant(p_user uuid, p_more jsonb default '{}', p_coach text default null, p_severity numeric default null) returns text language sql as $$
    select pg_temp.prepare(p_user, p_more, p_coach, p_severity) #>> '{trace,exposures,0,variant}'
$$;
create function pg_temp.try(p_name text, p_control jsonb, p_tests jsonb[], p_status text default 'running', p_more jsonb default '{}') returns uuid language sql as $$
    insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric, status, layer, traffic_share, targeting, guardrails)
    values (p_name, '{"variant_name": "control"}' || p_control, p_tests, coalesce(p_more ->> 'success_metric', 'thumbs_up_rate'), p_status, p_more ->> 'layer',
        coalesce((p_more ->> 'traffic_share')::numeric, 1), p_more -> 'targeting', p_more -> 'guardrails')
    returning id
$$;

select is(pg_temp.prepare(:ann) -> 'trace', 'null', 'nothing is tried at first');

-- The seed's own statement.
INSERT INTO ai_experiments (
  experiment_name,
  description,
  control_variant,
  test_variants,
  success_metric,
  status
) VALUES (
  'Default Severity Optimization',
  'Test whether 2.5 or 3.5 severity leads to better user satisfaction',
  '{"variant_name": "Control (3.0)", "severity": 3.0}',
  ARRAY[
    '{"variant_name": "Gentler (2.5)", "severity": 2.5}',
    '{"variant_name": "More Direct (3.5)", "severity": 3.5}'
  ]::JSONB[],
  'thumbs_up_rate',
  'running'
);
select results_eq($$select name, variants, touches from uplift.running_experiments$$,
    $$values ('Default Severity Optimization', array['Control (3.0)', 'Gentler (2.5)', 'More Direct (3.5)'], array['severity'])$$, 'the seed''s experiment runs');
select ok(start_date is not null and salt = id::text, 'with a start and a salt') from public.ai_experiments;
select is(count(*) filter (where (p ->> 'severity')::numeric <> case p #>> '{trace,exposures,0,variant}'
    when 'Control (3.0)' then 3.0 when 'Gentler (2.5)' then 2.5 when 'More Direct (3.5)' then 3.5 end), 0::bigint, 'each gets what the variant says')
from (select pg_temp.prepare(pg_temp.user(n)) as p from generate_series(1, 100) n) x;
-- 400 users, a third each: within four standard deviations.
select ok(abs(count(*) - 400 / 3.0) < 38, 'about a third has ' || v)
from (select pg_temp.variant(pg_temp.user(n)) as v from generate_series(1, 400) n) x group by v order by v;
select is(count(distinct v), 1::bigint, 'the same user always has the same')
from (select pg_temp.variant(pg_temp.user(7)) as v from generate_series(1, 5) n) x;
select is(pg_temp.variant(:ann, p_severity => 5), null, 'who asks for a severity is not in it');
select is((pg_temp.prepare(:ann, p_severity => 5) ->> 'severity')::numeric, 5.0, 'and gets it');
select isnt(pg_temp.variant(:ann, p_coach => 'coach_maple_avatar'), null, 'who asks for a coach is');
select is(pg_temp.variant(:ann, '{"is_guest": true}'), null, 'guests, who share a user, are not');
insert into public.user_coach_preferences (user_id) values (:bob);
select isnt(pg_temp.variant(:bob), null, 'preferences as by default are no choice');
update public.user_coach_preferences set severity = 5 where user_id = :bob;
select is(pg_temp.variant(:bob), null, 'others are');
select is(pg_temp.prepare(:eve, p_protocol => 'completions') -> 'trace', 'null', 'without a coach nothing is tried');
select is(pg_temp.prepare(:eve, '{"variant": "Default Severity Optimization=Gentler (2.5)"}') -> 'trace' -> 'exposures' -> 0 -> 'override', 'true', 'a tester names a variant');
select is((pg_temp.prepare(:eve, '{"variant": "Default Severity Optimization = Gentler (2.5)"}') ->> 'severity')::numeric, 2.5, 'and gets it');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.eve(), '{"variant": "nope=x"}')$$), 'UP400 invalid_variant X-Uplift-Variant', 'of no unknown experiment');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.eve(), '{"variant": "Default Severity Optimization=x"}')$$), 'UP400 invalid_variant X-Uplift-Variant', 'and no unknown variant');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.eve(), '{"variant": "=,=,"}')$$), 'UP400 invalid_variant X-Uplift-Variant', 'nor of nonsense');
insert into uplift.settings (key, value) values ('experiments.holdout_share', '1') on conflict (key) do update set value = '1';
select is(pg_temp.variant(:ann), null, 'nobody of the holdout is in it');
update uplift.settings set value = '0' where key = 'experiments.holdout_share';

-- Who says no is in none.
select isnt(pg_temp.variant(pg_temp.user(390)), null, 'who said nothing is in it');
select uplift_chat.put_preferences(pg_temp.user(390), '{"experiments_enabled": false}') \g /dev/null
select is(pg_temp.prepare(pg_temp.user(390)) -> 'trace', 'null', 'who said no is not');
select is((pg_temp.prepare(pg_temp.user(390)) ->> 'severity')::numeric, 3.0, 'and gets what everybody gets');
select is(uplift_batch.admin_preview_experiment(id, jsonb_build_object('user_id', pg_temp.user(390)), 'ann') ->> 'reason',
    'the user takes part in no experiments (experiments_enabled)', 'which is told') from public.ai_experiments where status = 'running';
select pg_temp.record(390, pg_temp.user(390), pg_temp.id(5390), 'Hello', 'Hi', jsonb_build_object('degraded', true, 'trace', pg_temp.prepare(:ann) -> 'trace')) \g /dev/null
select is((select count(*) from public.experiment_assignments where user_id = pg_temp.user(390)), 0::bigint, 'nor counted, though without Postgres that was not known');
select is(jsonb_array_length(uplift.known_experiments() -> 'running'), 1, 'workers know it');
update uplift.settings set value = 'false' where key = 'experiments.consent_default';
select is(pg_temp.variant(:ann), null, 'where consent is asked for, nobody is in it who said nothing');
select is(uplift.known_experiments() -> 'running', '[]', 'also without Postgres');
select uplift_chat.put_preferences(pg_temp.user(390), '{"experiments_enabled": true}') \g /dev/null
select isnt(pg_temp.variant(pg_temp.user(390)), null, 'but who said yes');
select uplift_chat.put_preferences(pg_temp.user(390), '{"experiments_enabled": null}') \g /dev/null
select is(pg_temp.variant(pg_temp.user(390)), null, 'and takes it back');
update uplift.settings set value = 'true' where key = 'experiments.consent_default';

-- Exposures are the answer's, and users are assigned when it is recorded.
create function pg_temp.answer(n int, p_user uuid, p_more jsonb default '{}') returns text language sql as $$
    select pg_temp.record(n, p_user, pg_temp.id(n + 5000), 'Hello', 'Hi', jsonb_build_object('trace', pg_temp.prepare(p_user) -> 'trace') || p_more)
$$;
select pg_temp.answer(n, pg_temp.user(n)) from generate_series(1, 60) n \g /dev/null
select is((select count(*) from public.experiment_assignments), 60::bigint, 'who got an answer is assigned');
select is((select count(*) from public.experiment_assignments s join public.coach_response_feedback a on a.user_id = s.user_id
    where a.exposures #>> '{0,variant}' = s.variant and a.created_at = s.assigned_at), 60::bigint, 'to what the answer had, since then');
select pg_temp.answer(61, :eve, jsonb_build_object('trace', pg_temp.prepare(:eve, '{"variant": "Default Severity Optimization=Gentler (2.5)"}') -> 'trace')) \g /dev/null
select is((select count(*) from public.experiment_assignments where user_id = :eve), 0::bigint, 'a tester is not');
select pg_temp.answer(62, :bob, jsonb_build_object('degraded', true, 'trace', pg_temp.prepare(:ann) -> 'trace')) \g /dev/null
select is((select count(*) from public.experiment_assignments where user_id = :bob), 0::bigint, 'nor who had chosen, though without Postgres that was not known');
select pg_temp.answer(64, :ann, '{"degraded": true}') \g /dev/null
select pg_temp.answer(63, :ann) \g /dev/null
select is((select assigned_at from public.experiment_assignments where user_id = :ann), timestamptz '2026-01-01 01:03Z', 'what waited in a spool counts from when it was said');

-- Weights.
create temp table before as select n, pg_temp.variant(pg_temp.user(n)) as variant from generate_series(1, 200) n;
update public.ai_experiments set test_variants = array[test_variants[1] || '{"weight": 8}', test_variants[2]];
select is((select count(*) from before b where b.n <= 60 and b.variant <> pg_temp.variant(pg_temp.user(b.n))), 0::bigint, 'weights change: who was assigned stays');
select ok((select count(*) from before b where b.n > 60 and b.variant <> pg_temp.variant(pg_temp.user(b.n))) > 20, 'others come as they say now');
select is(uplift.known_experiments() -> 'running', '[]', 'and without Postgres, which knows who was, nobody is');
select is(pg_temp.refused($$update public.ai_experiments set test_variants = test_variants[1:1]$$), 'UP409 experiment_running', 'variants of what runs stay');
select is(pg_temp.refused($$update public.ai_experiments set success_metric = 'latency'$$), 'UP409 experiment_running', 'and the metric');
select is(pg_temp.refused($$update public.ai_experiments set salt = 'other'$$), 'UP409 experiment_running', 'and the salt');
select is(pg_temp.refused($$select pg_temp.try('again', '{}', '{"{\"variant_name\": \"b\", \"severity\": 4}"}')$$), 'UP400 invalid_experiment test_variants', 'no two change the same at once');
update public.ai_experiments set status = 'completed';
select ok((select end_date is not null from public.ai_experiments) and pg_temp.variant(:ann) is null, 'what is over is over');

-- What variants change.
select isnt(pg_temp.try('words', '{}', '{"{\"variant_name\": \"b\", \"prompt_suffix\": \"Rhyme.\", \"weight\": 1000000}"}'), null, 'an experiment on words');
select matches(p ->> 'system_prompt', E'Be friendly and honest in equal measure[^#]*\n\nRhyme\\.$', 'its words end the prompt')
from (select pg_temp.prepare(:eve) as p) x;
select isnt(pg_temp.try('persona', '{}', '{"{\"variant_name\": \"b\", \"personality\": \"You are a pirate.\", \"weight\": 1000000}"}'), null, 'beside one on personas');
select matches(pg_temp.prepare(:eve) ->> 'system_prompt', 'You are Decibel.*# Persona\nYou are a pirate\.\n.*Rhyme\.', 'both at once');
select is(jsonb_array_length(pg_temp.prepare(:eve) #> '{trace,exposures}'), 2, 'and both are told');
select isnt(pg_temp.try('model', '{}', '{"{\"variant_name\": \"b\", \"model\": \"sim-2\", \"temperature\": 0.2, \"max_tokens\": 50, \"weight\": 1000000}"}'), null, 'and one on models');
select is(pg_temp.prepare(:eve) ->> 'model', 'sim-2', 'the model');
select is(pg_temp.prepare(:eve) -> 'parameters', '{"temperature": 0.2, "max_tokens": 50}', 'the parameters');
select is(pg_temp.prepare(:eve, '{"model": "gpt-4o"}') ->> 'parameters', null, 'not for who names a model');
select is(pg_temp.prepare(:eve, '{"asked": ["temperature"]}') ->> 'model', null, 'or a parameter that it changes');
select is(jsonb_array_length(pg_temp.prepare(:eve, '{"asked": ["top_p"]}') #> '{trace,exposures}'), 3, 'of another one it does not matter');
select is(jsonb_array_length(uplift.without_model_exposures(pg_temp.prepare(:eve) -> 'trace') -> 'exposures'), 2, 'a budget''s model is not the experiment''s');
select isnt(pg_temp.prepare(:eve, '{"cache": {"mode": "on", "max_age_s": 60, "model": "m"}}') ->> 'cache_key',
    pg_temp.prepare(:eve, '{"cache": {"mode": "on", "max_age_s": 60, "model": "sim-2"}, "asked": ["temperature"]}') ->> 'cache_key', 'answers are kept apart by parameters');
update public.ai_experiments set status = 'completed' where status = 'running';

select isnt(pg_temp.try('memory', '{}', '{"{\"variant_name\": \"b\", \"memory\": \"off\", \"weight\": 1000000}"}'), null, 'one without memory');
insert into public.ai_episodic_memory (user_id, memory_type, memory_text, is_active) values (:ann, 'goal', 'wants to run 10 km', true), (:bob, 'goal', 'wants to run 10 km', true);
select doesnt_match(pg_temp.prepare(:ann) ->> 'system_prompt', 'run 10 km', 'memory is left out');
select matches(public.build_coach_system_prompt(:ann), 'run 10 km', 'where nothing is tried it is there');
update public.user_coach_preferences set memory_enabled = false where user_id = :bob;
select is(pg_temp.variant(:bob), null, 'who turned memory off is not in it');
update public.ai_experiments set status = 'completed' where status = 'running';

-- Policies that need a search, where there was none.
select isnt(pg_temp.try('examples', '{}', '{"{\"variant_name\": \"b\", \"examples\": \"off\"}"}'), null, 'one on examples');
select is(count(*), 0::bigint, 'a chat that nothing was searched for is no exposure, of control neither')
from generate_series(1, 20) n where pg_temp.variant(pg_temp.user(n)) is not null or pg_temp.variant(pg_temp.user(n), '{"search": {"words": ["run"], "knowledge": {}}}') is not null;
select is(array_agg(distinct pg_temp.variant(pg_temp.user(n), '{"search": {"words": ["run"], "examples": {}}}')), '{b,control}', 'one that examples were searched for is one')
from generate_series(1, 20) n;
update public.ai_experiments set status = 'completed' where status = 'running';
select is(uplift.is_felt(s::jsonb, p::jsonb), f, coalesce(p, 'nothing') || ' searched for ' || s) from (values
    ('[{}, {"severity": 2, "examples": "off"}]', null, true), ('[{}, {"severity": 2}, {"examples": "off"}]', null, false),
    ('[{"memory": "on"}, {"memory": "off"}]', null, true), ('[{}, {"memory": {"max_tokens": 100}}]', null, false),
    ('[{}, {"memory": {"max_tokens": 100}}]', '{"words": []}', true), ('[{}, {"knowledge": "off"}]', '{"embedding": [1]}', true)) v(s, p, f);

-- Words for all coaches leave a coach the guidelines of its playbook; what a coach has of its own, what is tried on all does not change.
savepoint before_own;
select uplift.change_production('coach_maple_avatar', '{"guidelines": "# Guidelines", "severity": 2}', null, null, 'ann', '') \g /dev/null
select isnt(pg_temp.try('words for all', '{}', '{"{\"variant_name\": \"b\", \"prompt_suffix\": \"Rhyme.\", \"weight\": 1000000}"}'), null, 'words for all coaches');
select matches(pg_temp.prepare(:eve, p_coach => 'coach_maple_avatar') ->> 'system_prompt', E'\n\nRhyme\\.\n\n# Guidelines$', 'are in front of a coach''s guidelines');
select uplift.change_production(null, '{"prompt_suffix": "Sing."}', null, null, 'ann', '') \g /dev/null
update public.ai_experiments set status = 'completed' where status = 'running';
select matches(pg_temp.prepare(:eve, p_coach => 'coach_maple_avatar') ->> 'system_prompt', E'\n\nSing\\.\n\n# Guidelines$', 'those that won, too');
select isnt(pg_temp.try('severity for all', '{}', '{"{\"variant_name\": \"b\", \"severity\": 5}"}'), null, 'a severity for all coaches');
select is(array_agg(pg_temp.variant(pg_temp.user(n), p_coach => 'coach_maple_avatar')), array_fill(null::text, array[8]), 'is not tried on a coach that has its own') from generate_series(1, 8) n;
select ok(bool_and(pg_temp.variant(pg_temp.user(n)) is not null), 'but on others') from generate_series(1, 8) n;
select is((uplift_batch.admin_preview_experiment((select id from public.ai_experiments where status = 'running'),
    jsonb_build_object('user_id', pg_temp.user(5), 'coach_id', 'coach_maple_avatar'), 'ann') ->> 'reason'),
    'production has what the experiment changes for this coach alone, which what is promoted for all coaches does not change', 'as a preview says');
select is(uplift_batch.admin_check_experiment((select id from public.ai_experiments where status = 'running'), '{}', 'ann') -> 'coaches_of_their_own', '["coach_maple_avatar"]', 'and a check');
update public.ai_experiments set status = 'completed' where status = 'running';
-- Of several changes the others are tried, as they would be promoted; not where a variant would change nothing.
select isnt(pg_temp.try('both for all', '{}', '{"{\"variant_name\": \"b\", \"severity\": 5, \"top_p\": 0.5, \"weight\": 1000000}"}'), null, 'a severity and a parameter for all coaches');
select is((pg_temp.variant(:eve, p_coach => 'coach_maple_avatar'), (p ->> 'severity')::numeric, p -> 'parameters')::text, '(b,2.0,"{""top_p"": 0.5}")', 'the parameter is tried, and the coach''s severity stays')
from pg_temp.prepare(:eve, p_coach => 'coach_maple_avatar') p;
select is(uplift_batch.admin_preview_experiment((select id from public.ai_experiments where status = 'running'), jsonb_build_object('user_id', :eve, 'coach_id', 'coach_maple_avatar'), 'ann') -> 'changes',
    '{"top_p": 0.5}', 'as a preview says');
update public.ai_experiments set status = 'completed' where status = 'running';
select isnt(pg_temp.try('each for all', '{}', '{"{\"variant_name\": \"b\", \"severity\": 5}", "{\"variant_name\": \"c\", \"top_p\": 0.5, \"weight\": 1000000}"}'), null, 'each by itself');
select is(pg_temp.variant(:eve, p_coach => 'coach_maple_avatar'), null, 'where one would change nothing, the others are not tried either');
-- What a coach comes to have of its own meanwhile ends it there, for all variants, and what was counted stays.
select pg_temp.answer(700, :eve, jsonb_build_object('trace', pg_temp.prepare(:eve) -> 'trace')) \g /dev/null
select uplift.change_production('coach_decibel_avatar', '{"top_p": 0.3, "severity": 2}', null, null, 'ann', '') \g /dev/null
select is(pg_temp.variant(:eve), null, 'a coach that comes to have it of its own is out');
select uplift.change_production('coach_decibel_avatar', null, null, null, 'ann', '') \g /dev/null
select is(pg_temp.variant(:eve), 'c', 'and in again without');
select is((select s.variant from public.experiment_assignments s join public.ai_experiments e on e.id = s.experiment_id where e.experiment_name = 'each for all' and s.user_id = :eve), 'c', 'with what was counted');
update public.ai_experiments set status = 'completed' where status = 'running';
-- Another coach brings a playbook of its own.
select isnt(pg_temp.try('coaches', '{}', '{"{\"variant_name\": \"b\", \"coach_id\": \"coach_maple_avatar\", \"weight\": 1000000}"}'), null, 'an experiment on coaches');
select uplift.change_production('coach_decibel_avatar', '{"guidelines": "Decibel''s.", "personality": "D"}', null, null, 'ann', '') \g /dev/null
select matches(pg_temp.prepare(:eve) ->> 'system_prompt', E'^You are Maple(?!.*\nD\n).*\n\nSing\\.\n\n# Guidelines$', 'has the other coach''s playbook, and not the persona of the first');
select isnt(pg_temp.try('personas', '{}', '{"{\"variant_name\": \"b\", \"personality\": \"P\", \"weight\": 1000000}"}', 'running', '{"targeting": {"coaches": ["coach_decibel_avatar"]}}'), null, 'beside one on personas');
select matches(pg_temp.prepare(:eve) ->> 'system_prompt', E'^You are Maple.*\n# Persona\nP\n.*\n\nSing\\.\n\n# Guidelines$', 'which holds over it');
update public.ai_experiments set status = 'completed' where status = 'running';
select uplift.change_production(null, '{"coach_id": "coach_maple_avatar"}', null, null, 'ann', '') \g /dev/null
select matches(pg_temp.prepare(:eve) ->> 'system_prompt', E'^You are Maple(?!.*\nD\n).*\n\n# Guidelines$', 'also one who answers for all coaches');
select matches(pg_temp.prepare(:eve, p_coach => 'coach_decibel_avatar') ->> 'system_prompt', E'^You are Decibel.*\n# Persona\nD\n.*\n\nDecibel''s\\.$', 'not for who asks for the first');
select isnt(pg_temp.try('severity for maple', '{}', '{"{\"variant_name\": \"b\", \"severity\": 5}"}', 'running', '{"targeting": {"coaches": ["coach_maple_avatar"]}}'), null, 'one that names the coach');
select ok(bool_and(pg_temp.variant(pg_temp.user(n), p_coach => 'coach_maple_avatar') is not null), 'is') from generate_series(1, 8) n;
update public.ai_experiments set status = 'completed' where status = 'running';
insert into public.ai_model_versions (id, model_name, version, model_id) values (pg_temp.id(990), 'tuned', '1', 'ft:tuned');
select uplift.begin_deployment(pg_temp.id(990), 'production', 'coach_maple_avatar', 'ann', null) \g /dev/null
select isnt(pg_temp.try('model for all', '{}', '{"{\"variant_name\": \"b\", \"model\": \"sim-2\", \"weight\": 1000000}"}'), null, 'a model for all coaches');
select is(pg_temp.variant(:eve, p_coach => 'coach_maple_avatar'), null, 'is not for one with a model of its own');
select is(pg_temp.variant(:eve), 'b', 'and for others');
rollback to before_own;

-- Whom it is for.
select isnt(pg_temp.try('some', '{}', '{"{\"variant_name\": \"b\", \"severity\": 4}"}', 'running',
    '{"targeting": {"coaches": ["coach_maple_avatar"], "locales": ["de"], "traits": {"diet_type": ["vegan", "vegetarian"]}}}'), null, 'an experiment for some');
insert into public.user_traits (user_id, trait_key, trait_value) values (pg_temp.user(1), 'diet_type', 'vegan'), (pg_temp.user(1), 'locale', 'de_AT'),
    (pg_temp.user(2), 'diet_type', 'vegan'), (pg_temp.user(2), 'locale', 'den'), (pg_temp.user(3), 'diet_type', 'all'), (pg_temp.user(3), 'locale', 'de');
select isnt(pg_temp.variant(pg_temp.user(1), p_coach => 'coach_maple_avatar'), null, 'those are in it');
select is(pg_temp.variant(pg_temp.user(1)), null, 'not with another coach');
select is(pg_temp.variant(pg_temp.user(2), p_coach => 'coach_maple_avatar'), null, 'not with another language');
select is(pg_temp.variant(pg_temp.user(3), p_coach => 'coach_maple_avatar'), null, 'not with another trait');
update public.ai_experiments set status = 'completed' where status = 'running';
select isnt(pg_temp.try('new', '{}', '{"{\"variant_name\": \"b\", \"severity\": 4}"}', 'running', '{"targeting": {"new_users": true}}'), null, 'an experiment for new users');
update auth.users set created_at = now() - interval '1 hour' where id = pg_temp.user(4);
select is((pg_temp.variant(pg_temp.user(4)) is null, pg_temp.variant(pg_temp.user(5)) is null)::text, '(t,f)', 'is for those who came since');
update public.ai_experiments set status = 'completed' where status = 'running';

-- Layers.
select isnt(pg_temp.try('one', '{}', '{"{\"variant_name\": \"b\", \"severity\": 4}"}', 'running', '{"layer": "tone", "traffic_share": 0.5}'), null, 'half of a layer');
select isnt(pg_temp.try('two', '{}', '{"{\"variant_name\": \"b\", \"severity\": 2}"}', 'running', '{"layer": "tone", "traffic_share": 0.4}'), null, 'and the most of the other half');
select is(pg_temp.refused($$select pg_temp.try('three', '{}', '{"{\"variant_name\": \"b\", \"severity\": 2}"}', 'running', '{"layer": "tone", "traffic_share": 0.2}')$$),
    'UP400 invalid_experiment layer', 'there is no room for more');
select is((select max(jsonb_array_length(pg_temp.prepare(pg_temp.user(n)) #> '{trace,exposures}')) from generate_series(1, 100) n), 1, 'nobody is in both');
select is((select array_agg(distinct pg_temp.prepare(pg_temp.user(n)) #>> '{trace,exposures,0,experiment}') from generate_series(1, 100) n), '{one,two,NULL}', 'all three happen');
update public.ai_experiments set status = 'completed' where experiment_name = 'one';
select isnt(pg_temp.try('four', '{}', '{"{\"variant_name\": \"b\", \"severity\": 2}"}', 'running', '{"layer": "tone", "traffic_share": 0.5}'), null, 'what is free is taken again');
update public.ai_experiments set status = 'completed' where status = 'running';

-- Shares that no float8 is: 0.1 + 0.2 is more than 0.3 there.
select pg_temp.try('part ' || s, '{}', '{"{\"variant_name\": \"b\", \"severity\": 2}"}', 'running', jsonb_build_object('layer', 'parts', 'traffic_share', s))
from unnest('{0.1,0.2,0.7}'::numeric[]) s \g /dev/null
select is(pg_temp.refused($$update public.ai_experiments set winner_variant = 'b' where layer = 'parts'$$), 'not at all', 'neighbours of a layer do not overlap');
update public.ai_experiments set status = 'completed' where status = 'running';

-- As many problems are told as there is room for.
create function pg_temp.told(p_many int, p_length int) returns text language plpgsql as $$
begin
    perform uplift.refuse_problems(array(select uplift.problem('p' || n, repeat('x', p_length)) from generate_series(1, p_many) n));
    return null;
exception when sqlstate 'UP400' then
    return sqlerrm;
end
$$;
select is(pg_temp.told(3, 100), concat_ws('; ', 'p1 ' || repeat('x', 100), 'p2 ' || repeat('x', 100), 'p3 ' || repeat('x', 100)), 'all problems, where they have room');
select is(pg_temp.told(9, 200), concat_ws('; ', 'p1 ' || repeat('x', 200), 'p2 ' || repeat('x', 200), 'and 7 more'), 'else the first ones, and how many more there are');
select is(pg_temp.told(0, 1), null, 'none is no problem');

-- What is counted of a user.
select is((select engagement_s from uplift.counts_of(pg_temp.user(299), '-infinity', 'infinity', null, 'infinity')), 0::float8, 'who said nothing spent no time');
select pg_temp.record(n, pg_temp.user(299), pg_temp.id(5000 + c), 'Hello', 'Hi', jsonb_build_object('created_at', timestamptz '2026-01-01 12:00Z' + s * interval '1 second'))
from (values (90, 1, 0), (91, 1, 20), (92, 1, 1020), (93, 2, 30), (94, 3, 2000)) v(n, c, s) \g /dev/null
select is((select engagement_s from uplift.counts_of(pg_temp.user(299), '-infinity', 'infinity', null, 'infinity')), 320::float8,
    'the time between answers of a conversation counts, of each at most 300 s; the first one of a conversation has nothing before it');
select pg_temp.try('counted', '{}', '{"{\"variant_name\": \"b\", \"severity\": 2}"}') as counted \gset
select pg_temp.answer(100, pg_temp.user(300), '{"trace": null}'), pg_temp.answer(101, pg_temp.user(300), '{"trace": null}') \g /dev/null
update public.coach_response_feedback set helpful = true where id in (pg_temp.id(100), pg_temp.id(101));
update public.coach_response_feedback set feedback_given_at = created_at where id = pg_temp.id(100);
select pg_temp.answer(102, pg_temp.user(300)) \g /dev/null
select pg_temp.answer(103, pg_temp.user(300), jsonb_build_object('trace', pg_temp.prepare(pg_temp.user(300),
    jsonb_build_object('variant', 'counted=' || pg_temp.variant(pg_temp.user(300)))) -> 'trace')) \g /dev/null
select is(uplift_batch.measure_experiment_users(:'counted', null, 200) ->> 'measured', '1', 'a user is counted');
select is((select answers from uplift.experiment_users where experiment_id = :'counted'), 1, 'not what they asked for as a tester, though it is the same variant');
select is((select before ->> 'answers' from uplift.experiment_users where experiment_id = :'counted'), '2', 'what they did before');
create function pg_temp.outcomes() returns text language sql as $$
    select string_agg(o.metric_name || ' ' || trim_scale(o.metric_value), ', ' order by o.metric_name) from public.experiment_outcomes o where o.measured_by = 'uplift'
$$;
select is(pg_temp.outcomes(), 'cost_per_answer 0, engagement_time 0, errors 0, regenerations 0, retention 0', 'each figure of theirs is an outcome');
insert into public.experiment_outcomes (experiment_id, user_id, metric_name, metric_value) values (:'counted', pg_temp.user(300), 'thumbs_up_rate', 0.5), (:'counted', pg_temp.user(300), 'mood', 7);
update public.coach_response_feedback set helpful = true where id = pg_temp.id(102);
update public.experiment_outcomes set measured_at = '2026-01-01Z' where measured_by = 'uplift';
select uplift_batch.measure_experiment_users(:'counted', null, 200) \g /dev/null
select is(pg_temp.outcomes(), 'cost_per_answer 0, engagement_time 0, errors 0, regenerations 0, retention 0, thumbs_up_rate 1', 'and comes with the next count');
select is((select string_agg(metric_name, ',') from public.experiment_outcomes where measured_at > '2026-01-01Z' and measured_by = 'uplift'), 'thumbs_up_rate', 'only what is new is written');
select is((select string_agg(metric_name || ' ' || metric_value, ', ' order by metric_name) from public.experiment_outcomes where measured_by is null), 'mood 7, thumbs_up_rate 0.5', 'those of other programs stay');
update public.coach_response_feedback set helpful = null where id = pg_temp.id(102);
alter table public.experiment_outcomes add constraint theirs check (metric_name <> 'avg_rating');
update public.coach_response_feedback set rating = 4 where id = pg_temp.id(102);
set local client_min_messages = error;
select is(uplift_batch.measure_experiment_users(:'counted', null, 200) ->> 'measured', '1', 'a table that takes no such rows keeps nothing from being counted');
set local client_min_messages = warning;
alter table public.experiment_outcomes drop constraint theirs;
update public.coach_response_feedback set rating = null where id = pg_temp.id(102);
select uplift_batch.measure_experiment_users(:'counted', null, 200) \g /dev/null
select is(pg_temp.outcomes(), 'cost_per_answer 0, engagement_time 0, errors 0, regenerations 0, retention 0', 'what is taken back goes');
select is((select before ->> 'thumbs' from uplift.experiment_users where experiment_id = :'counted'), '1', 'without what they said of it after they were exposed');
update public.ai_experiments set status = 'completed', end_date = now() + interval '1 day' where id = :'counted';
select ok((select end_date <= now() from public.ai_experiments where id = :'counted'), 'what is ended before its time ends now');
select pg_temp.record(104, pg_temp.user(301), pg_temp.id(5104), 'Hello', 'Hi', jsonb_build_object('degraded', true, 'created_at', now() + d,
    'trace', jsonb_build_object('exposures', jsonb_build_array(jsonb_build_object('experiment_id', :'counted', 'experiment', 'counted', 'variant', 'b')))))
from (values (interval '1 minute')) v(d) \g /dev/null
select is((select count(*) from public.experiment_assignments where user_id = pg_temp.user(301)), 0::bigint, 'who comes after the end, by a worker that did not know of it, is not in it');
select pg_temp.record(105, pg_temp.user(301), pg_temp.id(5104), 'Hello', 'Hi', jsonb_build_object('degraded', true, 'created_at', now() - interval '1 minute',
    'trace', jsonb_build_object('exposures', jsonb_build_array(jsonb_build_object('experiment_id', :'counted', 'experiment', 'counted', 'variant', 'b'))))) \g /dev/null
select is((select count(*) from public.experiment_assignments where user_id = pg_temp.user(301)), 1::bigint, 'who came before is');
select is(pg_temp.refused(format($$update public.ai_experiments set status = 'stopped' where id = %L$$, :'counted')), 'UP400 invalid_status status', 'there is no such status');
update public.ai_experiments set status = 'running' where id = :'counted';
select is((select end_date from public.ai_experiments where id = :'counted'), null, 'what runs again has no end');
update public.ai_experiments set status = 'completed' where status = 'running';

-- What workers know for when Postgres is away.
create function pg_temp.known() returns text language sql as $$
    select string_agg(r ->> 'name', ', ' order by r ->> 'name') from jsonb_array_elements(uplift.known_experiments() -> 'running') r
$$;
create function pg_temp.away(p_name text, p_test jsonb) returns uuid language sql as $$
    select pg_temp.try(p_name, '{}', array['{"variant_name": "b"}' || p_test], 'running', '{"layer": "away", "traffic_share": 0.1}')
$$;
select pg_temp.away('persona', '{"personality": "You are a pirate."}') as persona, pg_temp.away('plain', '{"mode": "default"}') as plain,
    pg_temp.away('roasts', '{"mode": "roast"}') as roasts, pg_temp.away('memories', '{"memory": "off", "severity": 2}') as memories,
    pg_temp.away('sources', '{"knowledge": {"max_tokens": 9}}') as sources, pg_temp.away('manners', '{"examples": "off"}') as manners \gset
select is(pg_temp.known(), 'manners, memories, persona, plain, sources', 'workers know experiments whatever they change, but none that takes consent');
select is(r -> 'settings', '[{}, {"memory": "off", "severity": 2}]', 'with all that they change')
from jsonb_array_elements(uplift.known_experiments() -> 'running') r where r ->> 'name' = 'memories';
create temp table marks as select uplift.experiments_mark() as mark;
select is(uplift.experiments_mark(), (select mark from marks), 'what they know has a mark');
select is(uplift_chat.worker_sync(jsonb_build_object('experiments', (select mark from marks))) ? 'experiments', false, 'and who has it is told nothing');
savepoint later; -- which is seen as another transaction
update public.ai_experiments set test_variants = array[test_variants[1] || '{"weight": 3}'] where id = :'persona';
release savepoint later;
select isnt(uplift.experiments_mark(), (select mark from marks), 'a change gives it another one');
select is(uplift_chat.worker_sync(jsonb_build_object('experiments', (select mark from marks))) #> '{experiments,running}', uplift.known_experiments() -> 'running', 'with which they are told all');
select is(pg_temp.known(), 'manners, memories, plain, sources', 'and what was assigned before is for those to know who can look');
update marks set mark = uplift.experiments_mark();
insert into uplift.production_changes (coach_id, changes) values ('coach_maple_avatar', '{"mode": "roast", "personality": "You are a cat."}');
select isnt(uplift.experiments_mark(), (select mark from marks), 'so does another production');
select is(uplift.known_experiments() -> 'production', '[{"coach_id": "coach_maple_avatar", "changes": {"mode": "roast", "personality": "You are a cat."}}]', 'which they know whole');
update marks set mark = uplift.experiments_mark();
insert into public.ai_model_versions (id, model_name, version, model_id) values (pg_temp.id(991), 'tuned', '1', 'ft:tuned');
select uplift.begin_deployment(pg_temp.id(991), 'production', 'coach_maple_avatar', 'ann', null) \g /dev/null
select isnt(uplift.experiments_mark(), (select mark from marks), 'and a model that is a coach''s own');
select is(uplift.known_experiments() -> 'deployed', '[{"coach_id": "coach_maple_avatar", "model": "ft:tuned"}]', 'of which they know whose');
update marks set mark = uplift.experiments_mark();
savepoint measured;
update public.ai_experiments set confidence_level = 0.5 where status = 'running';
release savepoint measured;
select is(uplift.experiments_mark(), (select mark from marks), 'what is measured changes nothing for them');
update marks set mark = uplift.experiments_mark();
update uplift.settings set value = '0.5' where key = 'experiments.holdout_share';
select isnt(uplift.experiments_mark(), (select mark from marks), 'and another holdout');
update uplift.settings set value = '0' where key = 'experiments.holdout_share';
update uplift.production_changes set ended_at = now() where ended_at is null;

-- And what is counted of it, once it is known who they were.
create function pg_temp.exposed(n int, p_experiment uuid, p_degraded boolean default true) returns boolean language plpgsql as $$
begin
    perform pg_temp.record(n, pg_temp.user(n), pg_temp.id(n + 5000), 'Hello', 'Hi', jsonb_build_object('degraded', p_degraded, 'created_at', now(),
        'trace', jsonb_build_object('exposures', jsonb_build_array(jsonb_build_object('experiment_id', p_experiment, 'experiment', 'x', 'variant', 'b')))));
    return exists (select from public.experiment_assignments a where a.experiment_id = p_experiment and a.user_id = pg_temp.user(n));
end
$$;
insert into public.user_coach_preferences (user_id, memory_enabled, active_coach_mode, roast_consent) values
    (pg_temp.user(311), false, 'default', false), (pg_temp.user(312), true, 'default', false), (pg_temp.user(313), true, 'roast', true), (pg_temp.user(314), true, 'roast', false);
insert into public.user_coach_preferences (user_id, memory_enabled, active_coach_mode, roast_consent)
select pg_temp.user(n + 10), p.memory_enabled, p.active_coach_mode, p.roast_consent
from generate_series(311, 314) n join public.user_coach_preferences p on p.user_id = pg_temp.user(n);
select is(array_agg(pg_temp.exposed(n, :'memories') order by n), '{f,t,t,t}', 'of memory, not who turned it off') from generate_series(311, 314) n;
select is(pg_temp.exposed(315, :'memories'), true, 'who has no preferences is');
select is(array_agg(pg_temp.exposed(n, :'plain') order by n), '{t,t,f,f}', 'of a mode, not who chose one') from generate_series(321, 324) n;
select is(array_agg(pg_temp.exposed(n, :'persona') order by n), '{t,t}', 'of a persona, whoever it was') from generate_series(325, 326) n;
select is(array_agg(pg_temp.exposed(n, :'roasts') order by n), '{f,f}', 'of roast nobody who did not agree') from generate_series(327, 328) n;
update public.ai_experiments set status = 'completed' where status = 'running';

-- The longest texts that there may be, four bytes for each character, in as many variants as there may be.
create function pg_temp.long(n int) returns uuid language sql as $$
    insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric, status, layer, traffic_share)
    select 'long ' || n, jsonb_build_object('variant_name', 'v0', 'personality', t.text, 'prompt_suffix', t.text),
        array(select jsonb_build_object('variant_name', 'v' || k, 'personality', t.text, 'prompt_suffix', t.text) from generate_series(1, 10) k),
        'latency', 'running', 'long', 0.1
    from (select repeat(U&'\+01F600', 20000) as text) t
    returning id
$$;
select pg_temp.long(n) from generate_series(1, 7) n \g /dev/null
select isnt(pg_temp.try('short', '{}', '{"{\"variant_name\": \"b\", \"severity\": 2}"}'), null, 'a short one after long ones');
select is(jsonb_build_array(jsonb_array_length(k -> 'running'), k -> 'left_out', pg_temp.known() ~ 'short', octet_length(k::text) between 6500000 and 8001000),
    '[5, 3, true, true]', 'is known, and as many others as there is room for') from (select uplift.known_experiments() as k) x;
update public.ai_experiments set status = 'completed' where status = 'running';

-- What goes away.
select isnt(pg_temp.try('coach', '{}', '{"{\"variant_name\": \"b\", \"coach_id\": \"coach_maple_avatar\", \"weight\": 1000000}"}'), null, 'another coach');
select is(pg_temp.prepare(:eve) ->> 'coach_id', 'coach_maple_avatar', 'answers');
update public.brand_assets set is_active = false where asset_name = 'coach_maple_avatar';
select results_eq($$select status, status_reason from public.ai_experiments where experiment_name = 'coach'$$,
    $$values ('paused', 'test_variants[0].coach_id must be a coach that is offered')$$, 'one that is gone pauses the experiment');
select is(pg_temp.prepare(:eve) ->> 'coach_id', 'coach_decibel_avatar', 'for all of its users');
update public.brand_assets set is_active = true where asset_name = 'coach_maple_avatar';

-- Testers.
select pg_temp.try('draft', '{}', '{"{\"variant_name\": \"b\", \"temperature\": 0.2, \"max_tokens\": 50}"}', 'draft') as draft \gset
select is(pg_temp.prepare(:eve, '{"variant": "draft=b", "asked": ["temperature"]}') -> 'parameters', '{"max_tokens": 50}', 'what a tester''s request says itself is not said twice');
insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric) values
    ('odd', '{"variant_name": "a", "weight": "x"}', '{"{\"variant_name\": \"b\", \"memory\": {\"max_tokens\": \"x\"}}"}', 'latency'), ('scalar', '5', '{7}', 'latency');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.eve(), '{"variant": "odd=b"}')$$), 'UP400 invalid_variant X-Uplift-Variant', 'a draft that could not run is not tested either');
select is(pg_temp.refused($$select pg_temp.prepare(pg_temp.eve(), '{"variant": "scalar=b"}')$$), 'UP400 invalid_variant X-Uplift-Variant', 'whatever it is made of');

select pg_temp.try('listed', '{}', '{"{\"variant_name\": \"b, c\", \"top_p\": 0.2}"}', 'draft') as listed \gset
select is(pg_temp.prepare(:eve, '{"variant": "listed=b, c"}') -> 'parameters', '{"top_p": 0.2}', 'a variant may have a comma in its name');
select is(pg_temp.prepare(:eve, '{"variant": "listed=b, c, draft=b"}') -> 'parameters', '{"top_p": 0.2, "temperature": 0.2, "max_tokens": 50}', 'also before another one');

-- Names are for one each.
create function pg_temp.create(p_name text) returns jsonb language sql as $$
    select uplift_batch.admin_create_experiment(null, jsonb_build_object('experiment_name', p_name, 'control_variant', '{"variant_name": "a"}'::jsonb,
        'test_variants', '[{"variant_name": "b", "severity": 2}]'::jsonb, 'success_metric', 'latency'), 'ann')
$$;
select is(pg_temp.create('mine') ->> 'status', 'draft', 'a new name');
select pg_temp.create('other') ->> 'id' as other \gset
select is(pg_temp.refused($$select pg_temp.create('mine')$$), 'UP409 experiment_exists experiment_name', 'is taken then');
select is(pg_temp.refused(format($$select uplift_batch.admin_edit_experiment(%L, '{"experiment_name": "mine"}', 'ann')$$, :'other')), 'UP409 experiment_exists experiment_name', 'to give another one, too');
select is(pg_temp.refused(format($$select uplift_batch.admin_edit_experiment(%L, '{"experiment_name": "other", "alpha": 0.1}', 'ann')$$, :'other')), 'not at all', 'its own it may keep');
select is(pg_temp.refused(format($$select uplift_batch.admin_clone_experiment(%L, '{"experiment_name": "mine"}', 'ann')$$, :'other')), 'UP409 experiment_exists experiment_name', 'and for a copy');

-- Models without a price.
select pg_temp.try('priced', '{}', '{"{\"variant_name\": \"b\", \"model\": \"sim-2\"}"}') as priced \gset
select is(pg_temp.refused(format($$select uplift_batch.admin_stop_experiment(%L, '{}', 'ann')$$, :'priced')), 'not at all', 'without budgets no model needs a price');
insert into uplift.budgets (scope, key, period, limit_usd, action) values ('total', '', 'day', 10, 'refuse');
select is(pg_temp.refused($$select pg_temp.try('unpriced', '{}', '{"{\"variant_name\": \"b\", \"model\": \"nobody-knows\"}"}')$$), 'UP400 invalid_experiment test_variants[0].model',
    'with budgets, a model without a price would answer nobody');
delete from uplift.budgets;
select pg_temp.try('unpriced', '{}', '{"{\"variant_name\": \"b\", \"model\": \"nobody-knows\"}"}') as unpriced \gset
insert into uplift.budgets (scope, key, period, limit_usd, action) values ('total', '', 'day', 10, 'refuse');
select is(pg_temp.refused(format($$select uplift_batch.record_look(%L, '{"looks": [], "conclusion": {"winner": "b", "confidence": 0.99, "text": "b"}}')$$, :'unpriced')), 'not at all',
    'what came of one that runs is kept, whatever changed around it');
select is((select winner_variant from public.ai_experiments where id = :'unpriced'), 'b', 'all of it');
select ok(exists (select from uplift.running_experiments where id = :'unpriced'), 'and it runs on');
delete from uplift.budgets;
update public.ai_experiments set status = 'completed' where status = 'running';

-- Numbers of JSON.
select is((select (l.memory_bytes, l.passage_bytes)::text from uplift.limits_under(null, '{"memory": {"max_tokens": 300.0, "passage_tokens": 1e2}}') l), '(1200,400)', 'a whole number is one however it is written');

-- Everything that is wrong is told at once.
create function pg_temp.wrong(p jsonb) returns text language plpgsql as $$
declare
    v public.ai_experiments;
begin
    v := jsonb_populate_record(null::public.ai_experiments, '{"id": "00000000-0000-4000-8000-000000000001", "experiment_name": "x", "success_metric": "latency",
        "control_variant": {"variant_name": "a"}, "test_variants": [{"variant_name": "b", "severity": 2}]}' || p);
    return coalesce((select string_agg(x ->> 'param', ' ') from unnest(uplift.experiment_problems(v)) x), '');
end
$$;
select is(pg_temp.wrong(p::jsonb), w, 'wrong: ' || p) from (values
    ('{}', ''),
    ('{"experiment_name": "", "success_metric": "fun", "test_variants": []}', 'experiment_name success_metric test_variants'),
    ('{"test_variants": [{"variant_name": "a"}, 5, {"variant_name": "b", "severity": 9, "mood": 1}]}',
        'test_variants[0].variant_name test_variants[1] test_variants[2].mood test_variants[2].severity'),
    ('{"layer_from": -0.5}', 'layer_from'),
    ('{"control_variant": {"variant_name": "a", "weight": -1}}', 'control_variant.weight weight'),
    ('{"control_variant": {"variant_name": "a", "weight": 0.5}, "test_variants": [{"variant_name": "b", "weight": 0.3}]}', 'weight'),
    ('{"control_variant": {"variant_name": "a", "weight": 0}}', 'control_variant.weight'),
    ('{"test_variants": [{"variant_name": "b", "temperature": "hot", "model": "", "memory": {"max_tokens": -1}, "knowledge": {"x": 1}, "examples": 3}]}',
        'test_variants[0].model test_variants[0].memory test_variants[0].examples test_variants[0].knowledge test_variants[0].temperature'),
    ('{"test_variants": [{"variant_name": "b", "coach_id": "nobody", "model_version_id": "x", "mode": "evil", "prompt_suffix": ""}]}',
        'test_variants[0].mode test_variants[0].coach_id test_variants[0].prompt_suffix test_variants[0].model_version_id'),
    ('{"control_variant": {"variant_name": "a", "weight": 1e-400}, "test_variants": [{"variant_name": "b", "knowledge": {"min_score": 1e-400}}]}',
        'control_variant.weight test_variants[0].knowledge'),
    ('{"test_variants": [{"variant_name": "b", "memory": {"max_tokens": 300.0, "passage_tokens": 1e2}}]}', ''),
    ('{"targeting": {"coaches": [], "moon": 1}, "guardrails": [{"metric": "fun"}, {"metric": "latency", "max_worse": 1}], "traffic_share": 0, "alpha": 0.9}',
        'targeting.moon targeting.coaches guardrails[0].metric guardrails[1].metric traffic_share alpha')) as v(p, w);

-- Looks: figures that are the same are no new row.
create function pg_temp.look(p_value int) returns bigint language sql as $$
    select uplift_batch.record_look(e.id, jsonb_build_object('looks', jsonb_build_array(jsonb_build_object('metric', 'latency', 'variant', 'x',
        'figures', jsonb_build_object('value', p_value))), 'conclusion', '{}'::jsonb)) from public.ai_experiments e where e.experiment_name = 'new';
    select count(*) from uplift.experiment_looks l join public.ai_experiments e on e.id = l.experiment_id where e.experiment_name = 'new'
$$;
select is(pg_temp.look(1), 1::bigint, 'a look is kept');
select is(pg_temp.look(1), 1::bigint, 'the same again is the same');
select is(pg_temp.look(2), 2::bigint, 'what changed is another one');
