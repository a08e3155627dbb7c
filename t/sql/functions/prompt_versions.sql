-- Versions of prompts: what a prompt was made of is found again.
\ir common.psql
select plan(21);

-- Whatever it was made of.
select is((x.name, x.personality, x.suffix)::text, (n, p, s)::text, format('taken apart: %s, severity %s, %s', left(p, 20), v, m))
from (values ('Ann', 'Kind.', ''), ('Bo, a personal coach', e'Dry.\n\n# House rules\nNone.', e'Rhyme.\n\nTwice.'), ('C', e'a\n\n# Persona\nb', 'x'),
    ('D', e'# Tone: severity 2.0 of 6.0, supportive', '')) as c(n, p, s)
cross join (values (1.0, 'default'), (3.5, 'roast')) as t(v, m)
cross join lateral uplift.parts_of_prompt(uplift.shared_prompt(n, p, v, m) || case s when '' then '' else e'\n\n' || s end) x;
select is((x.name, x.personality, x.suffix)::text, '(,,)', 'not of uplift: ' || coalesce(left(p, 20), 'nothing'))
from unnest(array[null, '', 'You are nobody.', 'You are A, a personal coach in a chat. Stay in character throughout.', repeat(e'\n\n# House rules\n', 100)]) p cross join lateral uplift.parts_of_prompt(p) x;

select pg_temp.record(1, :ann, pg_temp.id(100), 'Hello', 'Hi', jsonb_build_object('shared_prompt', public.build_coach_system_prompt(:eve))) \g /dev/null
select pg_temp.record(2, :ann, pg_temp.id(100), 'Hello', 'Hi', jsonb_build_object('shared_prompt', public.build_coach_system_prompt(:eve, null, 5.0))) \g /dev/null
select pg_temp.record(3, :ann, pg_temp.id(100), 'Hello', 'Hi', jsonb_build_object('shared_prompt', public.build_coach_system_prompt(:eve) || e'\n\nRhyme.')) \g /dev/null
select pg_temp.record(4, :ann, pg_temp.id(100), 'Hello', 'Hi', '{"shared_prompt": "You are nobody."}') \g /dev/null
select results_eq($$select name, prompt_suffix from uplift.prompt_versions order by prompt_suffix$$, $$values ('Decibel', ''), ('Decibel', 'Rhyme.')$$, 'one version a wording');
select is((select count(distinct prompt_version_id) from uplift.answer_prompts where answer_id in (pg_temp.id(1), pg_temp.id(2))), 1::bigint, 'whatever the severity');
select is((select prompt_version_id from uplift.answer_prompts where answer_id = pg_temp.id(4)), null, 'none that we did not make');
select is(j -> 'data' -> 0 ->> 'object', 'prompt_version', 'versions are listed') from (select uplift_batch.admin_list_prompt_versions(null, '{"name": "Decibel"}', 'ann') as j) x;
select is((select jsonb_agg(v -> 'coaches') from (select v from jsonb_array_elements(uplift_batch.admin_list_prompt_versions(null, '{}', 'ann') -> 'data') v order by v ->> 'prompt_suffix') x),
    '[["coach_decibel_avatar"], []]', 'and who has them now');
select uplift.change_production('coach_decibel_avatar', '{"prompt_suffix": "Rhyme."}', null, null, 'ann', '') \g /dev/null
select is((select jsonb_agg(v -> 'coaches') from (select v from jsonb_array_elements(uplift_batch.admin_list_prompt_versions(null, '{}', 'ann') -> 'data') v order by v ->> 'prompt_suffix') x),
    '[[], ["coach_decibel_avatar"]]', 'also by a rollout');
select is(uplift_batch.admin_get_prompt_version((select version_id from uplift.system_prompts where prompt like '%Rhyme.'), '{}', 'ann') ->> 'days', '7', 'one with its figures');
select is(pg_temp.refused($$select uplift_batch.admin_get_prompt_version(pg_temp.id(1), '{}', 'ann')$$), 'UP404 prompt_version_not_found', 'of those there are');
