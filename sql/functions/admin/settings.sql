-- The settings as admins see and change them: what each may be, and what it is at first. sql/README.md tells what comes of them.

create or replace function uplift.known_settings()
returns table (place int, key text, kind text, at_least numeric, at_most numeric, words text[], at_first jsonb)
language sql immutable parallel safe
as $$
    -- Those of autopilot are checked where it is started (uplift.put_autopilot_settings). read-only: set by install.sql, or by a switch of its own.
    select s.* from (values
        (10, 'training.consent_default', 'flag', null::numeric, null::numeric, null::text[], 'false'::jsonb),
        (11, 'training.min_quality', 'number', 0, 10, null, '6'),
        (12, 'training.min_new_examples', 'whole', 0, 1000000, null, '100'),
        (13, 'training.min_days', 'number', 0, 10000, null, '30'),
        (20, 'experiments.consent_default', 'flag', null, null, null, 'true'),
        (21, 'experiments.holdout_share', 'number', 0, 1, null, '0'),
        (30, 'memory.credentials', 'word', null, null, '{keep,mask,refuse}', '"refuse"'),
        (31, 'memory.health', 'word', null, null, '{keep,mask,refuse}', '"keep"'),
        (32, 'memory.minors', 'word', null, null, '{keep,mask,refuse}', '"mask"'),
        (33, 'memory.names', 'word', null, null, '{keep,mask,refuse}', '"mask"'),
        (34, 'memory.max_per_user', 'whole', 1, 1000000, null, '200'),
        (35, 'memory.max_tokens', 'whole', 0, 100000, null, '300'),
        (36, 'memory.passage_tokens', 'whole', 0, 100000, null, '300'),
        (40, 'knowledge.max_tokens', 'whole', 0, 100000, null, '800'),
        (41, 'knowledge.min_score', 'number', 0, 100, null, '0.4'),
        (42, 'knowledge.min_similarity', 'number', 0, 1, null, '0.3'),
        (50, 'examples.max_tokens', 'whole', 0, 100000, null, '400'),
        (51, 'examples.min_score', 'number', 0, 100, null, '0.5'),
        (52, 'examples.question', 'word', null, null, '{gist,none}', '"gist"'),
        (53, 'context.withheld_share', 'number', 0, 0.5, null, '0.05'),
        (60, 'playbook.min_users', 'whole', 1, 1000000, null, '3'),
        (61, 'playbook.max_guidelines', 'whole', 0, 50, null, '12'),
        (62, 'playbook.margin', 'number', 1, 1000, null, '2'),
        (63, 'playbook.min_ratings', 'whole', 5, 1000000, null, '30'),
        (64, 'playbook.themes', 'flag', null, null, null, 'true'),
        (70, 'predictions.max_per_day', 'whole', 0, 1000000, null, '2000'),
        (71, 'predictions.right_at', 'number', 0, 1, null, '0.8'),
        (72, 'predictions.watch_days', 'whole', 1, 1000, null, '7'),
        (73, 'predictions.reference_days', 'whole', 1, 1000, null, '28'),
        (74, 'predictions.min_outcomes', 'whole', 1, 1000000, null, '500'),
        (75, 'predictions.max_brier_rise', 'number', 0, 1, null, '0.05'),
        (76, 'predictions.max_ece_rise', 'number', 0, 1, null, '0.05'),
        (77, 'photos.max_per_day', 'whole', 0, 1000000, null, '100'),
        (80, 'budgets.unpriced', 'word', null, null, '{refuse,allow}', '"refuse"'),
        (81, 'cache.block_days', 'whole', 0, 10000, null, '90'),
        (82, 'errors.keep_days', 'whole', 1, 10000, null, '90'),
        (83, 'erasures.finish_after_minutes', 'number', 0, 100000, null, '15'),
        (84, 'answers.whole_prompts', 'flag', null, null, null, 'false'),
        (85, 'auth.makes_users', 'read-only', null, null, null, null),
        (86, 'limits.made', 'read-only', null, null, null, null),
        (87, 'autopilot.enabled', 'read-only', null, null, null, 'false'),
        (101, 'autopilot.max_usd_per_day', 'autopilot', 0, 1000000, null, 'null'),
        (102, 'autopilot.max_usd_per_month', 'autopilot', 0, 1000000, null, 'null'),
        (103, 'autopilot.max_share', 'autopilot', 0.001, 1, null, 'null'),
        (104, 'autopilot.max_at_once', 'autopilot', 1, 20, null, 'null'),
        (105, 'autopilot.quiet_from', 'autopilot', 0, 23, null, 'null'),
        (106, 'autopilot.quiet_to', 'autopilot', 0, 23, null, 'null'),
        (107, 'autopilot.fine_tunes', 'autopilot', null, null, '{true,false}', 'false'),
        (108, 'autopilot.dataset', 'autopilot', null, null, null, '"User Feedback - Positive Responses"'),
        (109, 'autopilot.base_model', 'autopilot', null, null, null, 'null'),
        (110, 'autopilot.trainer', 'autopilot', null, null, '{openai,command}', 'null'),
        (111, 'autopilot.model_prompts', 'autopilot', null, null, '{true,false}', 'false'),
        (112, 'autopilot.coaches', 'autopilot', null, null, null, 'null'),
        (113, 'autopilot.success_metric', 'autopilot', null, null, '{thumbs_up_rate,avg_rating,engagement_time,cost_per_answer,latency,regenerations,retention}', '"thumbs_up_rate"'),
        (114, 'autopilot.min_users', 'autopilot', 2, 10000000, null, '100'),
        (115, 'autopilot.min_stage_hours', 'autopilot', 0, 10000, null, '24'),
        (116, 'autopilot.max_test_days', 'autopilot', 0.00001, 1000, null, '28'),
        (117, 'autopilot.min_chance', 'autopilot', 0, 0.5, null, '0.05'),
        (118, 'autopilot.max_held_days', 'autopilot', 0, 1000, null, '7'),
        (119, 'autopilot.retry_days', 'autopilot', 0, 10000, null, '90')) s
    union all
    select 90 + row_number() over (order by d.place)::int - 1, 'retention.' || d.name || '_days', 'number', 1, 100000, null, null from uplift.retained_data() d
$$;

comment on function uplift.known_settings() is
    'The settings that there are: kind (number, whole, flag, word, autopilot, read-only), the least and most, or the words, that a value may be, and what it is at first (SQL null: there is no row, and nothing is done).';

create or replace function uplift.setting_text_of(p_key text) returns text
language sql stable
as $$
    select coalesce((select s.description from uplift.settings s where s.key = p_key), (
        select format('Days for which %s are kept; what is older is deleted by job enforce-retention. Without a value they are kept for good.', replace(d.name, '_', ' '))
        from uplift.retained_data() d where p_key = 'retention.' || d.name || '_days'))
$$;

comment on function uplift.setting_text_of(text) is 'What a setting does, in words.';

create or replace function uplift.settings_json() returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'list', 'has_more', false, 'data', coalesce(jsonb_agg(jsonb_build_object('object', 'setting', 'name', x.key,
        'value', coalesce(x.value, 'null'), 'default', coalesce(x.at_first, 'null'), 'is_default', coalesce(x.value, 'null') = coalesce(x.at_first, 'null') or x.kind = 'read-only',
        'kind', x.kind, 'least', x.at_least, 'most', x.at_most, 'words', to_jsonb(x.words), 'description', uplift.setting_text_of(x.key), 'updated_at', x.updated_at)
        order by x.place, x.key), '[]'))
    from (
        select k.key, k.kind, k.at_least, k.at_most, k.words, k.at_first, k.place, s.value, s.updated_at
        from uplift.known_settings() k left join uplift.settings s on s.key = k.key
        union all
        -- A deployment's own.
        select s.key, 'read-only', null, null, null, null, 1000, s.value, s.updated_at from uplift.settings s
        where not exists (select from uplift.known_settings() k where k.key = s.key)) x
$$;

comment on function uplift.settings_json() is 'All settings as admins see them.';

create or replace function uplift_batch.admin_list_settings(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.settings_json();
end
$$;

comment on function uplift_batch.admin_list_settings(uuid, jsonb, text) is
    'The settings: name, value, default, is_default, what it may be (kind, least, most, words), description, updated_at.';

create or replace function uplift.setting_problem(p_kind text, p_value jsonb, p_least numeric, p_most numeric, p_words text[]) returns text
language sql immutable parallel safe
as $$
    select case p_kind
        when 'flag' then case when jsonb_typeof(p_value) <> 'boolean' then 'true or false' end
        when 'word' then case when jsonb_typeof(p_value) <> 'string' or p_value #>> '{}' <> all (p_words) then array_to_string(p_words, ', ') end
        when 'number' then case when not uplift.is_between(p_value, p_least, p_most) then format('a number from %s to %s', p_least, p_most) end
        when 'whole' then case when not uplift.is_between(p_value, p_least, p_most) or (p_value #>> '{}')::numeric <> trunc((p_value #>> '{}')::numeric)
            then format('a whole number from %s to %s', p_least, p_most) end end
$$;

comment on function uplift.setting_problem(text, jsonb, numeric, numeric, text[]) is 'What a value that cannot be a setting''s would have to be; null where it can.';

create or replace function uplift_batch.admin_change_settings(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v record;
    v_problem text;
    v_autopilot jsonb := jsonb '{}';
begin
    if p_arguments = '{}' then
        perform uplift.fail(400, 'nothing_to_change', 'name the settings that are to change');
    end if;
    for v in
        select a.key as name, a.value, k.* from jsonb_each(p_arguments) a left join uplift.known_settings() k on k.key = a.key order by a.key
    loop
        if v.kind is null then
            perform uplift.fail(400, 'unknown_setting', format('there is no setting %s; GET /admin/settings lists them', left(v.name, 64)), left(v.name, 64));
        elsif v.kind = 'read-only' then
            perform uplift.fail(409, 'setting_not_yours', case v.name when 'autopilot.enabled' then 'autopilot is switched by POST /admin/autopilot/start and /stop'
                else v.name || ' is set by install.sql, and changed by SQL only' end, v.name);
        elsif v.kind = 'autopilot' then
            v_autopilot := v_autopilot || jsonb_build_object(substr(v.name, 11), case when v.value = 'null' then v.at_first else v.value end);
            continue;
        end if;
        v_problem := case when v.value <> 'null' then uplift.setting_problem(v.kind, v.value, v.at_least, v.at_most, v.words) end;
        if v_problem is not null then
            perform uplift.fail(400, 'invalid_setting', format('%s must be %s, or null for what it is at first', v.name, v_problem), v.name);
        elsif v.value = 'null' and v.at_first is null then
            delete from uplift.settings s where s.key = v.name;
        else
            insert into uplift.settings as s (key, value, description)
            values (v.name, case when v.value = 'null' then v.at_first else v.value end, uplift.setting_text_of(v.name))
            on conflict (key) do update set value = excluded.value, updated_at = now() where s.value <> excluded.value;
        end if;
    end loop;
    if v_autopilot <> '{}' then
        perform uplift.lock_autopilot();
        perform uplift.put_autopilot_settings(v_autopilot);
    end if;
    return uplift.settings_json();
end
$$;

comment on function uplift_batch.admin_change_settings(uuid, jsonb, text) is
    'Sets what the body names, null for what it is at first, all or nothing; all settings as they are then. UP400 unknown_setting, invalid_setting, nothing_to_change, invalid_NAME (of autopilot''s); UP409 setting_not_yours.';
