-- Model versions: where they serve, how they do there, and the way back.

create or replace function uplift.model_version_json(p_version public.ai_model_versions) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'model_version', 'id', p_version.id, 'model_name', p_version.model_name,
        'version', p_version.version, 'model_id', p_version.model_id, 'base_model', p_version.base_model,
        'finetuning_job_id', p_version.finetuning_job_id, 'dataset_version_id', p_version.dataset_version_id,
        'is_deployed', p_version.is_deployed, 'deployment_environment', p_version.deployment_environment,
        'coach_id', p_version.coach_id, 'deployed_at', p_version.deployed_at, 'deprecated_at', p_version.deprecated_at,
        'previous_version_id', p_version.previous_version_id, 'rollback_reason', p_version.rollback_reason,
        'benchmark_scores', p_version.benchmark_scores, 'production_metrics', p_version.production_metrics,
        'warning', uplift.base_model_state(p_version.base_model) ->> 'warning', 'created_at', p_version.created_at)
$$;

comment on function uplift.model_version_json(public.ai_model_versions) is 'A model version as admins see it.';

create or replace function uplift_batch.admin_list_model_versions(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,environment}');
    if p_arguments ->> 'environment' not in ('staging', 'production', 'experimental') then
        perform uplift.fail(400, 'invalid_environment', 'environment must be staging, production or experimental', 'environment');
    end if;
    select array_agg(uplift.model_version_json(v) order by v.id desc) into v_rows from (
        select m.* from public.ai_model_versions m
        where (v_after is null or m.id < v_after)
            and (not p_arguments ? 'environment' or m.deployment_environment = p_arguments ->> 'environment')
        order by m.id desc limit v_limit + 1) v;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_model_versions(uuid, jsonb, text) is
    'Model versions, the newest first: limit, after, environment.';

create or replace function uplift_batch.admin_get_model_version(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_version public.ai_model_versions;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select v.* into v_version from public.ai_model_versions v where v.id = p_id;
    if not found then
        perform uplift.fail(404, 'model_version_not_found', 'there is no such model version');
    end if;
    return uplift.model_version_json(v_version) || jsonb_build_object('deployments', (
        select coalesce(jsonb_agg(jsonb_build_object('environment', d.environment, 'coach_id', d.coach_id,
            'began_at', d.began_at, 'began_by', d.began_by, 'ended_at', d.ended_at, 'ended_by', d.ended_by,
            'reason', d.reason) order by d.id), '[]')
        from uplift.model_deployments d where d.model_version_id = p_id));
end
$$;

comment on function uplift_batch.admin_get_model_version(uuid, jsonb, text) is
    'A model version with where it served. UP404 model_version_not_found.';

-- The columns of a version tell where it serves foremost; uplift.model_deployments has it all.
create or replace function uplift.note_deployments(p_version_id uuid) returns void
language sql volatile
as $$
    update public.ai_model_versions v set is_deployed = d.id is not null,
        deployment_environment = coalesce(d.environment, v.deployment_environment),
        coach_id = d.coach_id, deployed_at = coalesce(d.began_at, v.deployed_at),
        deprecated_at = case when d.id is null then now() end
    from (select p_version_id as version_id) w
    left join lateral (
        select x.* from uplift.model_deployments x where x.model_version_id = w.version_id and x.ended_at is null
        order by array_position('{production,experimental,staging}', x.environment), x.coach_id nulls first limit 1) d on true
    where v.id = w.version_id
$$;

comment on function uplift.note_deployments(uuid) is
    'Brings is_deployed, deployment_environment, coach_id, deployed_at and deprecated_at of a model version in step with its deployments.';

-- Ends what serves there now; returns its version.
create or replace function uplift.end_deployment(p_environment text, p_coach_id text, p_who text, p_reason text) returns uuid
language plpgsql volatile
as $$
declare
    v_ended uuid;
begin
    update uplift.model_deployments d set ended_at = now(), ended_by = p_who, reason = p_reason
    where d.environment = p_environment and coalesce(d.coach_id, '') = coalesce(p_coach_id, '') and d.ended_at is null
    returning d.model_version_id into v_ended;
    perform uplift.note_deployments(v_ended);
    return v_ended;
end
$$;

comment on function uplift.end_deployment(text, text, text, text) is
    'Ends the deployment of an environment and a coach (null: of all without one of their own); returns its model version.';

create or replace function uplift.begin_deployment(p_version_id uuid, p_environment text, p_coach_id text, p_who text,
    p_previous_id uuid) returns void
language sql volatile
as $$
    insert into uplift.model_deployments (model_version_id, model_id, environment, coach_id, began_by, previous_version_id)
    select v.id, v.model_id, p_environment, p_coach_id, p_who, p_previous_id
    from public.ai_model_versions v where v.id = p_version_id;
    update public.ai_model_versions v set previous_version_id = p_previous_id where v.id = p_version_id;
    select uplift.note_deployments(p_version_id);
$$;

comment on function uplift.begin_deployment(uuid, text, text, text, uuid) is
    'Lets a model version serve where nothing serves, after a previous one.';

create or replace function uplift_batch.admin_deploy_model(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_version public.ai_model_versions;
    v_environment text := p_arguments ->> 'environment';
    v_coach text := p_arguments ->> 'coach_id';
    v_before uuid;
begin
    perform uplift.check_arguments(p_arguments, '{environment,coach_id}');
    if v_environment is null or v_environment not in ('staging', 'production', 'experimental') then
        perform uplift.fail(400, 'invalid_environment', 'environment must be staging, production or experimental', 'environment');
    elsif v_coach is not null and not exists (select from public.brand_assets b where b.asset_name = v_coach) then
        perform uplift.fail(404, 'coach_not_found', 'there is no such coach', 'coach_id');
    end if;
    -- One change at a time, so that each knows what it takes the place of.
    perform pg_advisory_xact_lock(hashtextextended('uplift deployments', 0));
    select v.* into v_version from public.ai_model_versions v where v.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'model_version_not_found', 'there is no such model version');
    elsif coalesce(v_version.model_id, '') = '' then
        perform uplift.fail(409, 'no_model', 'this version names no model of a provider (model_id)');
    elsif (uplift.base_model_state(v_version.base_model) ->> 'is_shut_down')::boolean then
        perform uplift.fail(409, 'model_shut_down', uplift.base_model_state(v_version.base_model) ->> 'warning'
            || ', and so was this one; train another base model');
    elsif v_environment = 'production' and uplift.lacks_price(v_version.model_id) then
        perform uplift.fail(409, 'model_not_priced', format('%s has no price, and there are budgets: set its price (PUT /admin/prices; 0 for a model that costs nothing), or the setting budgets.unpriced to allow', v_version.model_id));
    end if;
    if v_environment = 'production' then
        perform uplift.forget_production_model(v_coach, p_who);
    end if;
    if exists (select from uplift.model_deployments d where d.model_version_id = p_id and d.environment = v_environment
            and d.coach_id is not distinct from v_coach and d.ended_at is null) then
        return uplift.model_version_json(v_version);
    end if;
    v_before := uplift.end_deployment(v_environment, v_coach, p_who,
        format('replaced by %s %s', v_version.model_name, v_version.version));
    perform uplift.begin_deployment(p_id, v_environment, v_coach, p_who, v_before);
    update public.ai_model_versions v set rollback_reason = null where v.id = p_id
    returning v.* into v_version;
    return uplift.model_version_json(v_version);
end
$$;

comment on function uplift_batch.admin_deploy_model(uuid, jsonb, text) is
    'Lets a model version serve in an environment, for coach_id or for all coaches that have none of their own; what served there ends, and is its previous_version_id. Chats ask production''s from the next one on. UP400 invalid_environment, UP404 model_version_not_found, coach_not_found, UP409 no_model, model_shut_down, model_not_priced.';

create or replace function uplift_batch.admin_rollback_model(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_version public.ai_model_versions;
    v_served record;
    v_back public.ai_model_versions;
    v_reason text := p_arguments ->> 'reason';
begin
    perform uplift.check_arguments(p_arguments, '{reason,environment,coach_id}');
    if coalesce(length(v_reason), 0) not between 1 and 1000 then
        perform uplift.fail(400, 'invalid_reason', 'reason must say why, in 1 to 1000 characters', 'reason');
    end if;
    perform pg_advisory_xact_lock(hashtextextended('uplift deployments', 0));
    select v.* into v_version from public.ai_model_versions v where v.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'model_version_not_found', 'there is no such model version');
    end if;
    select d.* into v_served from uplift.model_deployments d
    where d.model_version_id = p_id and d.ended_at is null
        and (not p_arguments ? 'environment' or d.environment = p_arguments ->> 'environment')
        and (not p_arguments ? 'coach_id' or d.coach_id is not distinct from p_arguments ->> 'coach_id')
    order by d.environment = 'production' desc, d.id desc limit 1;
    if not found then
        perform uplift.fail(409, 'not_deployed', 'this version does not serve there, so there is nothing to roll back');
    end if;
    perform uplift.end_deployment(v_served.environment, v_served.coach_id, p_who, 'rolled back: ' || v_reason);
    update public.ai_model_versions v set rollback_reason = v_reason where v.id = p_id
    returning v.* into v_version;
    -- Back to what it took the place of there, unless that would not answer any more.
    select v.* into v_back from public.ai_model_versions v
    where v.id = v_served.previous_version_id and v.id <> p_id
        and (uplift.base_model_state(v.base_model) ->> 'is_shut_down')::boolean is not true;
    if found then
        perform uplift.begin_deployment(v_back.id, v_served.environment, v_served.coach_id, p_who, (
            select d.previous_version_id from uplift.model_deployments d
            where d.model_version_id = v_back.id and d.environment = v_served.environment
                and d.coach_id is not distinct from v_served.coach_id
            order by d.id desc limit 1));
        select v.* into v_back from public.ai_model_versions v where v.id = v_back.id;
    end if;
    return uplift.model_version_json(v_version) || jsonb_build_object(
        'serves_now', case when v_back.id is not null then uplift.model_version_json(v_back) end);
end
$$;

comment on function uplift_batch.admin_rollback_model(uuid, jsonb, text) is
    'Ends where a model version serves (the latest of production first, or the environment and coach_id that are named), for a reason; its previous version serves again, or, without one, the configured model (serves_now null). UP400 invalid_reason, UP404 model_version_not_found, UP409 not_deployed.';

create or replace function uplift_batch.refresh_model_metrics(p_days int default 7) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_version record;
    v_refreshed int := 0;
    v_failed int := 0;
begin
    for v_version in
        -- By ids, which are in the order of time: an index of created_at would cost every answer.
        with figures as (
            select a.model_used, count(*) as answers, count(*) filter (where a.outcome = 'failed') as errors,
                count(*) filter (where a.helpful) as thumbs_up, count(*) filter (where a.helpful is not null) as thumbs,
                round(avg(a.rating), 3) as rating, count(a.rating) as ratings,
                percentile_disc(0.5) within group (order by a.response_time_ms) as p50,
                percentile_disc(0.95) within group (order by a.response_time_ms) as p95,
                sum(a.cost_usd) as cost, min(a.created_at) as since
            from public.coach_response_feedback a
            where a.id >= uplift.first_id_of(now() - make_interval(hours => 24 * p_days)) and not coalesce(a.from_cache, false)
                and a.model_used in (select v.model_id from public.ai_model_versions v)
            group by a.model_used
        )
        select w.id, jsonb_build_object(
            'days', p_days, 'refreshed_at', now(), 'since', f.since, 'answers', coalesce(f.answers, 0),
            'thumbs_up_rate', round(f.thumbs_up::numeric / nullif(f.thumbs, 0), 4), 'thumbs', coalesce(f.thumbs, 0),
            'average_rating', f.rating, 'ratings', coalesce(f.ratings, 0),
            'latency_ms_p50', f.p50, 'latency_ms_p95', f.p95,
            'cost_usd', round(f.cost, 6), 'cost_usd_per_answer', round(f.cost / nullif(f.answers, 0), 8),
            'errors', coalesce(f.errors, 0), 'error_rate', round(f.errors::numeric / nullif(f.answers, 0), 4)) as metrics
        from public.ai_model_versions w left join figures f on f.model_used = w.model_id
        where w.model_id is not null and (w.is_deployed or f.answers is not null or w.production_metrics is null)
        order by w.id
    loop
        begin
            update public.ai_model_versions v set production_metrics = v_version.metrics where v.id = v_version.id;
            v_refreshed := v_refreshed + 1;
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            v_failed := v_failed + 1;
        end;
    end loop;
    return jsonb_build_object('refreshed', v_refreshed, 'failed', v_failed);
end
$$;

comment on function uplift_batch.refresh_model_metrics(int) is
    'Works out how each model version does in production over the last days: answers, thumbs-up rate, rating, latency in ms, cost in US dollars, errors. How many were refreshed, and how many could not be and stay as they are (failed).';
