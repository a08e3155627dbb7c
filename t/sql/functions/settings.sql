-- Settings as admins see and change them, and what is stored where.
\ir common.psql
select plan(38);

update uplift.settings set value = 'false' where key = 'training.consent_default'; -- as it comes

-- --- the list is the truth ---

select is((select coalesce(string_agg(s.key, ', ' order by s.key), '') from uplift.settings s where not exists (select from uplift.known_settings() k where k.key = s.key)), '',
    'each setting that install.sql makes is listed');
select is((select coalesce(string_agg(k.key, ', ' order by k.key), '') from uplift.known_settings() k left join uplift.settings s on s.key = k.key
    where s.value is distinct from k.at_first and k.kind <> 'read-only'), '', 'with what it is at first');
select is((select coalesce(string_agg(k.key, ', '), '') from uplift.known_settings() k
    where k.kind not in ('autopilot', 'read-only') and k.at_first is not null and uplift.setting_problem(k.kind, k.at_first, k.at_least, k.at_most, k.words) is not null), '', 'which it may be');
select is((select coalesce(string_agg(k.key, ', '), '') from uplift.known_settings() k where coalesce(uplift.setting_text_of(k.key), '') = ''), '', 'and what it does');
select is((select count(*)::int from uplift.known_settings()), (select count(distinct place)::int from uplift.known_settings()), 'each at a place of its own');

-- --- changed ---

create function pg_temp.change(p_body jsonb) returns text language sql as $$
    select string_agg(d ->> 'value' || case when (d ->> 'is_default')::boolean then '*' else '' end, '|' order by d ->> 'name')
    from jsonb_array_elements(uplift_batch.admin_change_settings(null, p_body, 'admin') -> 'data') d where p_body ? (d ->> 'name')
$$;
select is(pg_temp.change(v.body::jsonb), v.expected, v.body) from (values
    ('{"memory.health": "refuse"}', 'refuse'), ('{"training.consent_default": true}', 'true'), ('{"knowledge.min_score": 0.25}', '0.25'),
    ('{"memory.max_per_user": 50, "retention.answers_days": 365}', '50|365'), ('{"memory.health": null, "memory.max_per_user": null}', 'keep*|200*'),
    ('{"autopilot.max_usd_per_day": 5, "autopilot.min_users": 50}', '5|50'), ('{"autopilot.min_users": null}', '100*')) v(body, expected);
select is(uplift.retention_days('answers'), 365::numeric, 'what is set holds');
select pg_temp.change('{"retention.answers_days": null}') \g /dev/null
select is(uplift.retention_days('answers'), null, 'until it is taken away');
select is(pg_temp.refused(format('select uplift_batch.admin_change_settings(null, %L, ''admin'')', v.body)), v.refused, v.body) from (values
    ('{}', 'UP400 nothing_to_change'), ('{"colour": 1}', 'UP400 unknown_setting colour'), ('{"memory.health": "maybe"}', 'UP400 invalid_setting memory.health'), ('{"memory.health": 1}', 'UP400 invalid_setting memory.health'),
    ('{"training.consent_default": "true"}', 'UP400 invalid_setting training.consent_default'), ('{"memory.max_per_user": 1.5}', 'UP400 invalid_setting memory.max_per_user'),
    ('{"memory.max_per_user": -1}', 'UP400 invalid_setting memory.max_per_user'), ('{"memory.max_per_user": [1]}', 'UP400 invalid_setting memory.max_per_user'), ('{"retention.answers_days": 0}', 'UP400 invalid_setting retention.answers_days'),
    ('{"experiments.holdout_share": 1e-400}', 'UP400 invalid_setting experiments.holdout_share'), ('{"autopilot.max_share": 2}', 'UP400 invalid_max_share max_share'),
    ('{"autopilot.enabled": true}', 'UP409 setting_not_yours autopilot.enabled'), ('{"auth.makes_users": false}', 'UP409 setting_not_yours auth.makes_users'),
    ('{"memory.names": "keep", "zzz": 1}', 'UP400 unknown_setting zzz')) v(body, refused);
select is((select value #>> '{}' from uplift.settings where key = 'memory.names'), 'mask', 'where something is wrong nothing changes');
insert into uplift.settings (key, value) values ('our.own', '1');
select is((select d ->> 'kind' from jsonb_array_elements(uplift_batch.admin_list_settings(null, '{}', 'admin') -> 'data') d where d ->> 'name' = 'our.own'), 'read-only', 'a deployment''s own is listed, and left alone');

-- --- what is stored where ---

select pg_temp.record(1, :ann, pg_temp.id(101), 'A question', 'An answer') \g /dev/null
select pg_temp.change('{"retention.answers_days": 30}') \g /dev/null
create temp table privacy as select uplift_batch.admin_privacy(null, '{}', 'admin') as p;
create function pg_temp.store(p_table text) returns jsonb language sql as $$ select d from privacy, jsonb_array_elements(p -> 'stores') d where (d ->> 'table')::regclass = p_table::regclass $$;
select is(pg_temp.store('public.coach_response_feedback') #>> '{retention,days}', '30', 'answers, and how long they are kept');
select is(pg_temp.store('public.coach_response_feedback') ->> 'kind', 'personal', 'which are exported');
select is(pg_temp.store('uplift.passages') ->> 'kind', 'derived', 'what is made of them');
select is(pg_temp.store('uplift.erasures') ->> 'kind', 'record', 'and what stays');
select is((select coalesce(string_agg(distinct d.source, ', '), '') from (select source from uplift.personal_data() union select source from uplift.derived_data()) d
    where pg_temp.store(uplift.table_of(d.source)::text) is null), '', 'everything that is erased is listed');
select is((select coalesce(string_agg(d ->> 'name', ', '), '') from privacy, jsonb_array_elements(p -> 'stores') d where coalesce(d ->> 'what', '') = ''), '', 'with what it holds');
select is((select p #>> '{consent,training_default}' from privacy), 'true', 'and what holds for who did not say');
select uplift.erase_user(:ann, 'admin') \g /dev/null
select is((select (p ->> 'erasures_open') || (p #>> '{erasures_last,0,asked_by}') from uplift_batch.admin_privacy(null, '{}', 'admin') p), '1admin', 'erasures, and those that are to be finished');
select * from finish();
rollback;
