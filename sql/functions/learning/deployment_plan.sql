-- What deploying or rolling back a model version would do, for whoever is to confirm it.

create or replace function uplift.serving_json(p_version_id uuid) returns jsonb
language sql stable
as $$
    select jsonb_build_object('id', v.id, 'model_name', v.model_name, 'version', v.version, 'model_id', v.model_id)
    from public.ai_model_versions v where v.id = p_version_id
$$;

comment on function uplift.serving_json(uuid) is 'A model version in as few words as tell which it is; null for none.';

create or replace function uplift.serving_now() returns jsonb
language sql stable
as $$
    select coalesce(jsonb_object_agg(x.place, x.what), '{}') from (
        select jsonb_build_array(d.environment, d.coach_id, 'version')::text as place, to_jsonb(d.model_version_id) as what
        from uplift.model_deployments d where d.ended_at is null
        union all
        select jsonb_build_array('production', c.coach_id, 'named')::text, c.changes -> 'model'
        from uplift.production_changes c where c.ended_at is null and c.changes ? 'model') x
$$;

comment on function uplift.serving_now() is
    'What serves where: by [environment, coach_id or null, "version"] the id of a model version, and by [.., "named"] the model that a rollout named.';

create or replace function uplift.serving_changes(p_before jsonb, p_after jsonb) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(jsonb_build_object('environment', p.place ->> 0, 'coach_id', p.place -> 1,
        'before', case p.place ->> 2 when 'version' then uplift.serving_json((p_before ->> k.key)::uuid) else jsonb_build_object('model_id', p_before -> k.key) end,
        'after', case p.place ->> 2 when 'version' then uplift.serving_json((p_after ->> k.key)::uuid) end) order by k.key), '[]')
    from (select jsonb_object_keys(p_before) union select jsonb_object_keys(p_after)) k(key)
    cross join lateral (select k.key::jsonb as place) p
    where p_before -> k.key is distinct from p_after -> k.key
$$;

comment on function uplift.serving_changes(jsonb, jsonb) is 'Where what serves is another after than before (uplift.serving_now).';

create or replace function uplift.tests_of_models(p_coach_id text, p_is_own boolean, p_will_be_own boolean) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'name', e.experiment_name, 'rollout_id', (
        select r.id from uplift.rollouts r where r.experiment_id = e.id), 'loses_coach', p_will_be_own and not x.is_named) order by e.id), '[]')
    from public.ai_experiments e
    cross join lateral (select p_coach_id is not null and coalesce(e.targeting -> 'coaches' ? p_coach_id, false) as is_named) x
    where e.status = 'running' and (x.is_named or not (p_is_own and p_will_be_own))
        and exists (select from unnest(array_prepend(e.control_variant, e.test_variants)) v where v ?| '{model,model_version_id}')
        and (p_coach_id is null or jsonb_typeof(e.targeting -> 'coaches') is distinct from 'array' or e.targeting -> 'coaches' ? p_coach_id)
$$;

comment on function uplift.tests_of_models(text, boolean, boolean) is
    'Experiments and rollouts that run, also for the chats of a coach (null: of any), and say themselves which model answers. A coach with a model of its own, which it has or will have, is in none for all coaches: loses_coach says that a test loses it.';

create or replace function uplift.deployment_plan(p_id uuid, p_arguments jsonb, p_who text, p_is_rollback boolean) returns jsonb
language plpgsql volatile
as $$
declare
    v_before jsonb;
    v_changes jsonb;
    v_environment text;
    v_coach text;
    v_others jsonb;
    -- A query string has no null: empty is all coaches.
    v_arguments jsonb := p_arguments || case when p_arguments ->> 'coach_id' = '' then jsonb '{"coach_id": null}' else '{}' end;
begin
    -- The very same steps, of which nothing stays.
    begin
        v_before := uplift.serving_now();
        if p_is_rollback then
            perform uplift_batch.admin_rollback_model(p_id, v_arguments || jsonb '{"reason": "to see what it would do"}', p_who);
        else
            perform uplift_batch.admin_deploy_model(p_id, v_arguments, p_who);
        end if;
        v_changes := uplift.serving_changes(v_before, uplift.serving_now());
        raise exception using errcode = 'UPDRY', message = 'what was done to see what would be done';
    exception when sqlstate 'UPDRY' then
        null;
    end;
    v_environment := coalesce(v_changes #>> '{0,environment}', v_arguments ->> 'environment');
    v_coach := coalesce(v_changes #>> '{0,coach_id}', v_arguments ->> 'coach_id');
    select coalesce(jsonb_agg(d.coach_id order by d.coach_id), '[]') into v_others from uplift.model_deployments d
    where v_coach is null and d.environment = v_environment and d.coach_id is not null and d.ended_at is null;
    return jsonb_build_object('object', 'deployment_plan', 'action', case when p_is_rollback then 'rollback' else 'deploy' end,
        'version', uplift.serving_json(p_id), 'environment', v_environment, 'coach_id', v_coach, 'changes', v_changes,
        'coaches_of_their_own', v_others,
        'answers_of_last_day', (
            select coalesce(sum(u.requests), 0) from uplift.usage_hourly u
            where v_environment = 'production' and u.hour > now() - interval '24 hours'
                and (v_coach is null and not v_others ? u.coach_id or u.coach_id = v_coach)),
        'tests', case when v_environment = 'production' then uplift.tests_of_models(v_coach,
            v_coach is not null and v_changes #> '{0,before}' is distinct from 'null', v_coach is not null and v_changes #> '{0,after}' is distinct from 'null')
            else '[]' end);
end
$$;

comment on function uplift.deployment_plan(uuid, jsonb, text, boolean) is
    'What deploying a model version, or rolling it back, would change, by doing it and taking that back.';

create or replace function uplift_batch.admin_plan_deploy(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return uplift.deployment_plan(p_id, p_arguments, p_who, false);
end
$$;

comment on function uplift_batch.admin_plan_deploy(uuid, jsonb, text) is
    'What uplift_batch.admin_deploy_model would do with the same arguments, and what it would refuse; nothing stays of it.';

create or replace function uplift_batch.admin_plan_rollback(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{environment,coach_id}');
    return uplift.deployment_plan(p_id, p_arguments, p_who, true);
end
$$;

comment on function uplift_batch.admin_plan_rollback(uuid, jsonb, text) is
    'What uplift_batch.admin_rollback_model would do, and what it would refuse: environment, coach_id; nothing stays of it.';
