-- Where model versions come from and what became of them, as a graph.

create or replace function uplift.lineage_nodes(p_versions uuid[]) returns table (node jsonb, edges jsonb)
language sql stable
as $$
    with versions as (
        select v.* from public.ai_model_versions v where v.id = any (p_versions)
    ), jobs as (
        select j.* from public.ai_finetuning_jobs j where j.id in (select v.finetuning_job_id from versions v)
    ), datasets as (
        select d.*, t.dataset_name from uplift.dataset_versions d join public.ai_training_datasets t on t.id = d.dataset_id
        where d.id in (select v.dataset_version_id from versions v union select j.dataset_version_id from jobs j)
    ), tests as (
        select e.*, r.id as rollout_id, r.name as rollout_name, r.status as rollout_status, x.version_id
        from public.ai_experiments e
        left join uplift.rollouts r on r.experiment_id = e.id
        cross join lateral (
            select distinct v.id as version_id from unnest(array_prepend(e.control_variant, e.test_variants)) a
            join versions v on v.id::text = a ->> 'model_version_id' or v.model_id = a ->> 'model') x
    )
    select jsonb_build_object('id', 'base:' || b.model, 'kind', 'base_model', 'name', b.model), jsonb '[]'
    from (select distinct v.base_model as model from versions v where v.base_model is not null) b
    union all
    select jsonb_build_object('id', d.id, 'kind', 'dataset_version', 'name', format('%s, version %s', d.dataset_name, d.version),
        'dataset_id', d.dataset_id, 'examples', d.total_examples, 'at', d.created_at), '[]'
    from datasets d
    union all
    select jsonb_build_object('id', j.id, 'kind', 'finetuning_job', 'name', j.job_name, 'status', j.status, 'at', j.created_at),
        (select coalesce(jsonb_agg(jsonb_build_object('from', f.id, 'to', j.id, 'kind', f.kind)), '[]')
            from (values (j.dataset_version_id::text, 'trained_on'), ('base:' || j.base_model, 'made_of')) f(id, kind) where f.id is not null)
    from jobs j
    union all
    select jsonb_build_object('id', v.id, 'kind', 'model_version', 'name', concat_ws(' ', v.model_name, v.version), 'at', v.created_at,
        'status', case when v.is_deployed then 'deployed' when v.rollback_reason is not null then 'rolled_back' else 'idle' end,
        'environment', case when v.is_deployed then v.deployment_environment end, 'coach_id', v.coach_id),
        (select coalesce(jsonb_agg(jsonb_build_object('from', f.id, 'to', v.id, 'kind', f.kind)), '[]')
            from (values (v.finetuning_job_id::text, 'made_by'),
                (case when v.finetuning_job_id is null then 'base:' || v.base_model end, 'made_of'),
                (case when v.previous_version_id = any (p_versions) then v.previous_version_id::text end, 'replaced_by')) f(id, kind) where f.id is not null)
    from versions v
    union all
    select jsonb_build_object('id', coalesce(t.rollout_id, t.id), 'kind', case when t.rollout_id is null then 'experiment' else 'rollout' end,
        'name', coalesce(t.rollout_name, t.experiment_name), 'status', coalesce(t.rollout_status, t.status), 'at', t.created_at),
        jsonb_build_array(jsonb_build_object('from', t.version_id, 'to', coalesce(t.rollout_id, t.id), 'kind', 'tried_in'))
    from tests t
$$;

comment on function uplift.lineage_nodes(uuid[]) is
    'What model versions come from (base models, dataset versions, fine-tuning jobs), they themselves, and what tried them (experiments, rollouts), each with the edges that lead to it. A test of several versions comes with each of them.';

create or replace function uplift_batch.admin_model_lineage(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_versions uuid[];
    v_nodes jsonb;
    v_edges jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    v_versions := array(
        select v.id from public.ai_model_versions v where v_after is null or v.id < v_after order by v.id desc limit v_limit + 1);
    with found as materialized (select n.node, n.edges from uplift.lineage_nodes(v_versions[:v_limit]) n)
    select coalesce(jsonb_agg(distinct f.node), '[]'), (
        -- A test may be of a base model that no version here was made of: an edge has both its ends.
        select coalesce(jsonb_agg(distinct e), '[]') from found n cross join lateral jsonb_array_elements(n.edges) e
        where e ->> 'from' in (select o.node ->> 'id' from found o))
    into v_nodes, v_edges from found f;
    return jsonb_build_object('object', 'model_lineage', 'nodes', v_nodes, 'edges', v_edges,
        'has_more', cardinality(v_versions) > v_limit, 'next_after', case when cardinality(v_versions) > v_limit then v_versions[v_limit] end);
end
$$;

comment on function uplift_batch.admin_model_lineage(uuid, jsonb, text) is
    'The graph of the newest model versions: limit, after (an id of one). UP400 invalid_limit, invalid_after, unknown_argument.';
