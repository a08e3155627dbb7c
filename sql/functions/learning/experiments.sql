-- Experiments: what becomes of their rows, and what admins do. What they may say is in experiment_checks.sql, which
-- variant a chat gets in coach/variants.sql, what came of it in results.sql.

-- Both columns of an older deployment are kept in step by a trigger that comes before this one.
create or replace function uplift.experiment_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_problems jsonb[];
    v_before public.ai_experiments;
    v_results constant text[] := array['winner_variant', 'confidence_level', 'updated_at'];
    v_is_older boolean := to_jsonb(new) ?| '{variant_configs,control_config,is_active,started_at,ended_at}';
begin
    if tg_op = 'UPDATE' then
        v_before := old;
    end if;
    -- Two that begin at once must see each other.
    if new.status = 'running' or v_before.status = 'running' then
        perform pg_advisory_xact_lock(hashtextextended('uplift experiments', 0));
    end if;
    -- Else a misspelt one would end it without an end, and without figures from then on.
    if not v_is_older and new.status is distinct from v_before.status and new.status not in ('draft', 'running', 'paused', 'completed') then
        perform uplift.fail(400, 'invalid_status', format('status must be draft, running, paused or completed, not %s', left(new.status, 100)), 'status');
    end if;
    new.updated_at := now();
    new.salt := coalesce(new.salt, new.id::text);
    perform uplift.keep_to_rollout(v_before, new);
    -- Rows of programs that were there before mean something else, maybe: those are left out, not refused.
    if not v_is_older and v_before.start_date is not null and v_before.status in ('running', 'paused')
            and uplift.without_weights(new) is distinct from uplift.without_weights(v_before) then
        perform uplift.fail(409, 'experiment_running', 'once begun, an experiment keeps its variants, its metric, its layer, its alpha and whom it is for: only weights, traffic_share, guardrails, min_users and words may change; stop it and clone it to try others');
    elsif v_before.start_date is not null and uplift.variants_of(new) is distinct from uplift.variants_of(v_before) then
        new.keeps_assignments := true;
    end if;
    -- Not where a winner is noted of one that runs, which may have got a problem since.
    if new.status = 'running' and (v_before.status is distinct from 'running'
            or (to_jsonb(new) - v_results) is distinct from (to_jsonb(v_before) - v_results)) then
        v_problems := uplift.experiment_problems(new);
        if cardinality(v_problems) = 0 then
            v_problems := uplift.experiment_clashes(new);
        end if;
        if cardinality(v_problems) > 0 then
            if not v_is_older then
                perform uplift.refuse_problems(v_problems);
            end if;
            new.status_reason := left('does not run: ' || uplift.problems_text(v_problems), 2000);
            return new;
        end if;
        new.status_reason := null;
        new.start_date := coalesce(new.start_date, now());
        -- One that goes on is not over: what is said from now on counts.
        if new.end_date <= now() then
            new.end_date := null;
        end if;
        if new.layer is not null and new.layer_from is null then
            new.layer_from := uplift.free_layer_share(new.layer, coalesce(new.traffic_share, 1), new.id);
        end if;
    elsif new.status = 'completed' and v_before.status is distinct from 'completed' then
        new.end_date := least(new.end_date, now());
    end if;
    return new;
end
$$;

comment on function uplift.experiment_changes() is
    'Trigger on ai_experiments: what is to run is checked (SQLSTATE UP400 invalid_status, or invalid_experiment with all that is wrong; on tables with the columns of older deployments it only stays out of chats, with status_reason), what has begun keeps its variants but for weights (UP409 experiment_running), what belongs to a rollout all that the rollout says (uplift.keep_to_rollout), and gets salt, layer_from, start_date and end_date.';

create or replace function uplift.keep_to_rollout(p_before public.ai_experiments, p_after public.ai_experiments) returns void
language plpgsql volatile
as $$
declare
    v_rollout uplift.rollouts;
    v_param text;
begin
    select r.* into v_rollout from uplift.rollouts r where r.experiment_id = p_before.id order by r.status = 'running' desc limit 1;
    if v_rollout.id is null then
        return;
    elsif v_rollout.status <> 'running' then
        if p_after.status = 'running' and p_before.status <> 'running' then
            perform uplift.fail(409, 'belongs_to_rollout', format('rollout "%s" of this experiment is %s, and over: begin another one (POST /admin/rollouts)',
                v_rollout.name, replace(v_rollout.status, '_', ' ')), 'status');
        end if;
        return;
    end if;
    -- Its own steps change the rollout first.
    v_param := case
        when uplift.variants_of(p_after) is distinct from uplift.variants_of(p_before) then
            case when p_after.control_variant is distinct from p_before.control_variant then 'control_variant' else 'test_variants' end
        when p_after.traffic_share is distinct from p_before.traffic_share
            and p_after.traffic_share is distinct from (2 * v_rollout.stages[v_rollout.stage])::numeric then 'traffic_share'
        when p_after.guardrails is distinct from p_before.guardrails then 'guardrails'
        when p_after.min_users is distinct from p_before.min_users then 'min_users'
        when p_after.success_metric is distinct from p_before.success_metric then 'success_metric'
        when p_after.targeting is distinct from p_before.targeting then 'targeting'
        when (p_after.layer, p_after.layer_from) is distinct from (p_before.layer, p_before.layer_from) then 'layer'
        when (p_after.salt, p_after.share_salt) is distinct from (p_before.salt, p_before.share_salt) then 'salt'
        when p_after.alpha is distinct from p_before.alpha then 'alpha'
        when p_after.tuning_users is distinct from p_before.tuning_users then 'tuning_users' end;
    if v_param is not null then
        perform uplift.fail(409, 'belongs_to_rollout', format('%s of this experiment belongs to rollout "%s", which would be out of step: advance that rollout, promote it or roll it back (POST /admin/rollouts/%s/advance, /promote, /rollback), or pause the experiment meanwhile',
            v_param, v_rollout.name, v_rollout.id), v_param);
    end if;
end
$$;

comment on function uplift.keep_to_rollout(public.ai_experiments, public.ai_experiments) is
    'Returns when an experiment may change so: of that of a rollout which runs only words, status, dates, results and feedback_days, and traffic_share to that of the stage; that of one which is over runs no more. UP409 belongs_to_rollout.';

create or replace function uplift.without_weights(p_experiment public.ai_experiments) returns jsonb
language sql immutable
as $$
    select jsonb_build_array(array(select v - '{weight,description}'::text[] from unnest(uplift.variants_of(p_experiment)) v),
        p_experiment.success_metric, p_experiment.salt, p_experiment.share_salt, p_experiment.layer, p_experiment.targeting, p_experiment.alpha, p_experiment.tuning_users)
$$;

comment on function uplift.without_weights(public.ai_experiments) is 'What of an experiment may not change while it runs.';

create or replace function uplift.experiment_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_running uplift.running_experiments;
begin
    if tg_op <> 'DELETE' then
        if new.status = 'running' and new.status_reason is null then
            v_running := uplift.prepared_experiment(new);
            -- What is measured of it is noted there, too, which must not have workers fetch all texts anew.
            if new.id = old.id and exists (select from uplift.running_experiments r where r.id = new.id and r is not distinct from v_running) then
                return null;
            end if;
        end if;
    end if;
    delete from uplift.running_experiments r where r.id = old.id;
    if v_running.id is not null then
        insert into uplift.running_experiments select v_running.* on conflict do nothing;
    end if;
    return null;
end
$$;

comment on function uplift.experiment_changed() is 'Trigger on ai_experiments: brings uplift.running_experiments in step.';

do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'public.ai_experiments'::regclass and tgname = 'uplift_experiment') then
        create trigger uplift_experiment before insert or update on public.ai_experiments
        for each row execute function uplift.experiment_changes();
    end if;
    if not exists (select from pg_trigger where tgrelid = 'public.ai_experiments'::regclass and tgname = 'uplift_experiment_changed') then
        create trigger uplift_experiment_changed after insert or update or delete on public.ai_experiments
        for each row execute function uplift.experiment_changed();
    end if;
end
$$;

create or replace function uplift.note_experiment(p_id uuid, p_event text, p_who text, p_reason text) returns void
language sql volatile
as $$ insert into uplift.experiment_events (experiment_id, event, who, reason) values (p_id, p_event, p_who, left(p_reason, 2000)) $$;

comment on function uplift.note_experiment(uuid, text, text, text) is 'Adds to the history of an experiment.';

-- Its variants need coaches and models that may go.
create or replace function uplift.pause_broken_experiments() returns int
language plpgsql volatile
as $$
declare
    v_experiment public.ai_experiments;
    v_problems jsonb[];
    v_count int := 0;
begin
    for v_experiment in
        select e.* from public.ai_experiments e join uplift.running_experiments r on r.id = e.id
        where r.touches && '{coach_id,model}' order by e.id for update of e
    loop
        v_problems := uplift.experiment_problems(v_experiment);
        continue when cardinality(v_problems) = 0;
        update public.ai_experiments e set status = 'paused', status_reason = uplift.problems_text(v_problems) where e.id = v_experiment.id;
        perform uplift.note_experiment(v_experiment.id, 'paused', 'uplift', uplift.problems_text(v_problems));
        v_count := v_count + 1;
    end loop;
    return v_count;
end
$$;

comment on function uplift.pause_broken_experiments() is
    'Pauses experiments that run with a variant whose coach or model version is gone, for all of their users, so that the others are not compared with too few; how many.';

create or replace function uplift.variant_source_gone() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from uplift.running_experiments) then
        perform uplift.pause_broken_experiments();
    end if;
    return null;
end
$$;

comment on function uplift.variant_source_gone() is 'Trigger on brand_assets and ai_model_versions: uplift.pause_broken_experiments().';

do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'public.brand_assets'::regclass and tgname = 'uplift_coach_gone') then
        create trigger uplift_coach_gone after update or delete on public.brand_assets
        for each statement execute function uplift.variant_source_gone();
    end if;
    if not exists (select from pg_trigger where tgrelid = 'public.ai_model_versions'::regclass and tgname = 'uplift_model_version_gone') then
        create trigger uplift_model_version_gone after delete on public.ai_model_versions
        for each statement execute function uplift.variant_source_gone();
    end if;
end
$$;

-- --- what admins do ---

create or replace function uplift.experiment_json(p_experiment public.ai_experiments) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'experiment', 'id', p_experiment.id, 'experiment_name', p_experiment.experiment_name,
        'description', p_experiment.description, 'hypothesis', p_experiment.hypothesis, 'status', p_experiment.status,
        'status_reason', p_experiment.status_reason, 'control_variant', p_experiment.control_variant,
        'test_variants', to_jsonb(p_experiment.test_variants), 'success_metric', p_experiment.success_metric,
        'guardrails', coalesce(p_experiment.guardrails, '[]'), 'targeting', coalesce(p_experiment.targeting, '{}'),
        'traffic_share', p_experiment.traffic_share, 'layer', p_experiment.layer, 'layer_from', p_experiment.layer_from,
        'salt', p_experiment.salt, 'share_salt', p_experiment.share_salt, 'alpha', p_experiment.alpha, 'min_users', p_experiment.min_users, 'tuning_users', p_experiment.tuning_users,
        'feedback_days', p_experiment.feedback_days, 'start_date', p_experiment.start_date, 'end_date', p_experiment.end_date,
        'winner_variant', p_experiment.winner_variant, 'confidence_level', p_experiment.confidence_level,
        'created_at', p_experiment.created_at, 'updated_at', p_experiment.updated_at)
$$;

comment on function uplift.experiment_json(public.ai_experiments) is 'An experiment as admins see it.';

create or replace function uplift.find_experiment(p_id uuid) returns public.ai_experiments
language plpgsql volatile
as $$
declare
    v_experiment public.ai_experiments;
begin
    select e.* into v_experiment from public.ai_experiments e where e.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'experiment_not_found', 'there is no such experiment');
    end if;
    return v_experiment;
end
$$;

comment on function uplift.find_experiment(uuid) is 'An experiment, locked. UP404 experiment_not_found.';

create or replace function uplift_batch.admin_list_experiments(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,status}');
    if p_arguments ->> 'status' not in ('draft', 'running', 'paused', 'completed') then
        perform uplift.fail(400, 'invalid_status', 'status must be draft, running, paused or completed', 'status');
    end if;
    select array_agg(uplift.experiment_json(e.experiment) order by e.created_at desc nulls last, e.id desc) into v_rows from (
        select x as experiment, x.created_at, x.id from public.ai_experiments x
        where (v_after is null or (coalesce(x.created_at, '-infinity'), x.id) < (
                select coalesce(y.created_at, '-infinity'), y.id from public.ai_experiments y where y.id = v_after))
            and (not p_arguments ? 'status' or x.status = p_arguments ->> 'status')
        order by x.created_at desc nulls last, x.id desc limit v_limit + 1) e;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_experiments(uuid, jsonb, text) is 'Experiments, the newest first: limit, after, status.';

create or replace function uplift_batch.admin_get_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_json jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select uplift.experiment_json(e) || jsonb_build_object('events', (
        select coalesce(jsonb_agg(jsonb_build_object('at', v.at, 'event', v.event, 'who', v.who, 'reason', v.reason) order by v.id), '[]')
        from (select * from uplift.experiment_events x where x.experiment_id = p_id order by x.id desc limit 200) v)) into v_json
    from public.ai_experiments e where e.id = p_id;
    if v_json is null then
        perform uplift.fail(404, 'experiment_not_found', 'there is no such experiment');
    end if;
    return v_json;
end
$$;

comment on function uplift_batch.admin_get_experiment(uuid, jsonb, text) is
    'An experiment, with what was done to it (events, the last 200). UP404 experiment_not_found.';

-- What an experiment is made of, as the body of a request has it, over what it was before.
create or replace function uplift.experiment_from(p_before public.ai_experiments, p_arguments jsonb) returns public.ai_experiments
language plpgsql stable
as $$
declare
    v public.ai_experiments := p_before;
begin
    perform uplift.check_arguments(p_arguments, '{experiment_name,description,hypothesis,control_variant,test_variants,success_metric,guardrails,targeting,traffic_share,layer,salt,alpha,min_users,tuning_users,feedback_days}');
    if p_arguments ? 'test_variants' then
        if jsonb_typeof(p_arguments -> 'test_variants') <> 'array' then
            perform uplift.fail(400, 'invalid_test_variants', 'test_variants must be a list', 'test_variants');
        end if;
        v.test_variants := array(select x from jsonb_array_elements(p_arguments -> 'test_variants') with ordinality t(x, n) order by t.n);
    end if;
    if p_arguments ? 'experiment_name' then
        v.experiment_name := uplift.text_argument(p_arguments, 'experiment_name', 200);
    end if;
    if p_arguments ? 'description' then
        v.description := uplift.text_argument(p_arguments, 'description', 5000);
    end if;
    if p_arguments ? 'hypothesis' then
        v.hypothesis := uplift.text_argument(p_arguments, 'hypothesis', 5000);
    end if;
    if p_arguments ? 'success_metric' then
        v.success_metric := uplift.text_argument(p_arguments, 'success_metric', 100);
    end if;
    if p_arguments ? 'layer' then
        v.layer := uplift.text_argument(p_arguments, 'layer', 100);
        v.layer_from := null;
    end if;
    if p_arguments ? 'salt' then
        v.salt := uplift.text_argument(p_arguments, 'salt', 200);
    end if;
    if p_arguments ? 'control_variant' then
        v.control_variant := p_arguments -> 'control_variant';
    end if;
    if p_arguments ? 'guardrails' then
        v.guardrails := nullif(p_arguments -> 'guardrails', 'null');
    end if;
    if p_arguments ? 'targeting' then
        v.targeting := nullif(p_arguments -> 'targeting', 'null');
    end if;
    v.traffic_share := coalesce(uplift.decimal_argument(p_arguments, 'traffic_share', 0, 1), v.traffic_share, 1);
    v.alpha := coalesce(uplift.decimal_argument(p_arguments, 'alpha', 0.0001, 0.5), v.alpha, 0.05);
    v.min_users := coalesce(uplift.whole_argument(p_arguments, 'min_users', 2, 10000000), v.min_users, 100);
    v.tuning_users := coalesce(uplift.whole_argument(p_arguments, 'tuning_users', 100, 100000000), v.tuning_users, 5000);
    v.feedback_days := coalesce(uplift.whole_argument(p_arguments, 'feedback_days', 0, 365), v.feedback_days, 7);
    if v.experiment_name is null or v.control_variant is null or v.test_variants is null or v.success_metric is null then
        perform uplift.fail(400, 'missing_argument', 'an experiment needs experiment_name, control_variant, test_variants and success_metric',
            case when v.experiment_name is null then 'experiment_name' when v.control_variant is null then 'control_variant'
                when v.test_variants is null then 'test_variants' else 'success_metric' end);
    end if;
    return v;
end
$$;

comment on function uplift.experiment_from(public.ai_experiments, jsonb) is
    'An experiment with what the body of a request says of it. UP400 missing_argument, unknown_argument, invalid_NAME.';

-- Programs that insert rows may use a name again, as they did before.
create or replace function uplift.check_experiment_name(p_id uuid, p_name text) returns void
language plpgsql volatile
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('uplift experiment names', 0));
    if exists (select from public.ai_experiments e where e.experiment_name = p_name and e.id <> p_id) then
        perform uplift.fail(409, 'experiment_exists', 'there is an experiment of that name', 'experiment_name');
    end if;
end
$$;

comment on function uplift.check_experiment_name(uuid, text) is
    'Returns when no other experiment has a name, and nobody can give it to one until this transaction ends. UP409 experiment_exists.';

create or replace function uplift_batch.admin_create_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_new public.ai_experiments;
begin
    v_new := uplift.experiment_from(null, p_arguments);
    v_new.id := uplift.uuid_v7();
    v_new.salt := coalesce(v_new.salt, v_new.id::text);
    perform uplift.refuse_problems(uplift.experiment_problems(v_new));
    perform uplift.check_experiment_name(v_new.id, v_new.experiment_name);
    insert into public.ai_experiments (id, experiment_name, description, hypothesis, control_variant, test_variants, success_metric, status,
        guardrails, targeting, traffic_share, layer, salt, alpha, min_users, tuning_users, feedback_days)
    values (v_new.id, v_new.experiment_name, v_new.description, v_new.hypothesis, v_new.control_variant, v_new.test_variants, v_new.success_metric,
        'draft', v_new.guardrails, v_new.targeting, v_new.traffic_share, v_new.layer, v_new.salt, v_new.alpha, v_new.min_users, v_new.tuning_users, v_new.feedback_days)
    returning * into v_new;
    perform uplift.note_experiment(v_new.id, 'created', p_who, null);
    return uplift.experiment_json(v_new);
end
$$;

comment on function uplift_batch.admin_create_experiment(uuid, jsonb, text) is
    'Makes an experiment, as a draft: experiment_name, control_variant, test_variants, success_metric, and what else uplift.experiment_from() takes. UP400 invalid_experiment with everything that is wrong, missing_argument, unknown_argument; UP409 experiment_exists.';

create or replace function uplift_batch.admin_edit_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_before public.ai_experiments := uplift.find_experiment(p_id);
    v_new public.ai_experiments := uplift.experiment_from(v_before, p_arguments);
begin
    if v_before.status = 'completed' and p_arguments - '{description,hypothesis,feedback_days}'::text[] <> '{}' then
        perform uplift.fail(409, 'experiment_completed', 'a completed experiment stays as it was; clone it to try again');
    end if;
    perform uplift.keep_to_rollout(v_before, v_new);
    if v_before.start_date is not null and uplift.without_weights(v_new) is distinct from uplift.without_weights(v_before) then
        perform uplift.fail(409, 'experiment_running', 'once begun, an experiment keeps its variants, its metric, its layer, its alpha and whom it is for: only weights, traffic_share, guardrails, min_users and words may change; stop it and clone it to try others');
    end if;
    perform uplift.refuse_problems(uplift.experiment_problems(v_new));
    if v_new.experiment_name <> v_before.experiment_name then
        perform uplift.check_experiment_name(p_id, v_new.experiment_name);
    end if;
    update public.ai_experiments e set experiment_name = v_new.experiment_name, description = v_new.description, hypothesis = v_new.hypothesis,
        control_variant = v_new.control_variant, test_variants = v_new.test_variants, success_metric = v_new.success_metric,
        guardrails = v_new.guardrails, targeting = v_new.targeting, traffic_share = v_new.traffic_share, layer = v_new.layer,
        layer_from = v_new.layer_from, salt = v_new.salt, alpha = v_new.alpha, min_users = v_new.min_users, tuning_users = v_new.tuning_users, feedback_days = v_new.feedback_days
    where e.id = p_id returning e.* into v_new;
    perform uplift.note_experiment(p_id, 'changed', p_who, (select string_agg(k, ', ' order by k) from jsonb_object_keys(p_arguments) k));
    return uplift.experiment_json(v_new);
end
$$;

comment on function uplift_batch.admin_edit_experiment(uuid, jsonb, text) is
    'Changes an experiment: a draft in all, one that has begun only in weights, traffic_share, guardrails, min_users, feedback_days and words. Who was assigned stays. UP404 experiment_not_found; UP400 as uplift_batch.admin_create_experiment(); UP409 experiment_running, experiment_completed, experiment_exists, belongs_to_rollout.';

create or replace function uplift_batch.admin_check_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments := uplift.find_experiment(p_id);
    v_problems jsonb[] := uplift.experiment_problems(v_experiment);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    if cardinality(v_problems) = 0 then
        v_problems := uplift.experiment_clashes(v_experiment);
    end if;
    return jsonb_build_object('object', 'experiment_check', 'id', p_id, 'can_start', cardinality(v_problems) = 0, 'problems', to_jsonb(v_problems),
        'coaches_of_their_own', uplift.coaches_of_their_own(uplift.touches_of(uplift.variants_of(v_experiment)), v_experiment.targeting));
end
$$;

comment on function uplift_batch.admin_check_experiment(uuid, jsonb, text) is
    'Whether an experiment can start now, and everything that keeps it from that: {can_start, problems: [{param, message}]}, and coaches_of_their_own (uplift.coaches_of_their_own). UP404 experiment_not_found.';

create or replace function uplift.change_experiment_status(p_id uuid, p_from text[], p_to text, p_event text, p_who text, p_reason text) returns jsonb
language plpgsql volatile
as $$
declare
    v_experiment public.ai_experiments := uplift.find_experiment(p_id);
begin
    -- Again it changes nothing.
    if v_experiment.status = p_to and v_experiment.status_reason is null
            -- One that was there before uplift came says that it runs, and does not.
            and (p_to <> 'running' or exists (select from uplift.running_experiments r where r.id = p_id)) then
        return uplift.experiment_json(v_experiment);
    elsif v_experiment.status <> all (p_from) then
        perform uplift.fail(409, 'wrong_status', case when v_experiment.status = 'completed' then 'the experiment is over, and stays so: clone it to try the same again'
            else format('the experiment is %s; it must be %s for this', v_experiment.status, array_to_string(p_from, ' or ')) end);
    end if;
    update public.ai_experiments e set status = p_to, status_reason = null where e.id = p_id returning e.* into v_experiment;
    perform uplift.note_experiment(p_id, p_event, p_who, p_reason);
    return uplift.experiment_json(v_experiment);
end
$$;

comment on function uplift.change_experiment_status(uuid, text[], text, text, text, text) is
    'Brings an experiment from one of some statuses to another one; one that has it stays as it is. UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_start_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.change_experiment_status(p_id, '{draft,paused,running}', 'running', 'started', p_who, null);
end
$$;

comment on function uplift_batch.admin_start_experiment(uuid, jsonb, text) is
    'Starts a draft, or goes on with one that is paused: from the next chats on. UP400 invalid_experiment with everything that is wrong, UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_pause_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{reason}');
    return uplift.change_experiment_status(p_id, '{running,paused}', 'paused', 'paused', p_who, uplift.text_argument(p_arguments, 'reason', 1000));
end
$$;

comment on function uplift_batch.admin_pause_experiment(uuid, jsonb, text) is
    'Lets an experiment rest: nobody is exposed meanwhile. reason. UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_stop_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{reason}');
    return uplift.change_experiment_status(p_id, '{running,paused}', 'completed', 'stopped', p_who, uplift.text_argument(p_arguments, 'reason', 1000));
end
$$;

comment on function uplift_batch.admin_stop_experiment(uuid, jsonb, text) is
    'Ends an experiment for good; feedback of feedback_days more is still counted. reason. UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_delete_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments := uplift.find_experiment(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    if v_experiment.start_date is not null then
        perform uplift.fail(409, 'wrong_status', 'this experiment has begun, and stays for what came of it');
    end if;
    delete from public.ai_experiments e where e.id = p_id;
    delete from uplift.experiment_events v where v.experiment_id = p_id;
    return jsonb_build_object('object', 'experiment', 'id', p_id, 'deleted', true);
end
$$;

comment on function uplift_batch.admin_delete_experiment(uuid, jsonb, text) is
    'Deletes an experiment that never began. UP404 experiment_not_found, UP409 wrong_status.';

create or replace function uplift_batch.admin_clone_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_before public.ai_experiments := uplift.find_experiment(p_id);
    v_name text := coalesce(uplift.text_argument(p_arguments, 'experiment_name', 200), left(v_before.experiment_name, 180) || ' (copy)');
    v_new public.ai_experiments;
begin
    perform uplift.check_arguments(p_arguments, '{experiment_name}');
    v_new.id := uplift.uuid_v7();
    perform uplift.check_experiment_name(v_new.id, v_name);
    -- A new salt: who was in a variant before is as likely in any of them.
    insert into public.ai_experiments (id, experiment_name, description, hypothesis, control_variant, test_variants, success_metric, status,
        guardrails, targeting, traffic_share, layer, alpha, min_users, tuning_users, feedback_days)
    values (v_new.id, v_name, v_before.description, v_before.hypothesis, v_before.control_variant, v_before.test_variants,
        v_before.success_metric, 'draft', v_before.guardrails, v_before.targeting, v_before.traffic_share, v_before.layer, v_before.alpha,
        v_before.min_users, v_before.tuning_users, v_before.feedback_days)
    returning * into v_new;
    perform uplift.note_experiment(v_new.id, 'created', p_who, 'a copy of ' || p_id);
    return uplift.experiment_json(v_new);
end
$$;

comment on function uplift_batch.admin_clone_experiment(uuid, jsonb, text) is
    'A draft like an experiment, with a salt of its own: experiment_name. UP404 experiment_not_found, UP409 experiment_exists.';

create or replace function uplift_batch.admin_preview_experiment(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_experiment public.ai_experiments := uplift.find_experiment(p_id);
    v_user uuid := uplift.uuid_argument(p_arguments, 'user_id');
    v_coach text := uplift.text_argument(p_arguments, 'coach_id', 200);
    v_chosen public.user_coach_preferences;
    v_running uplift.running_experiments;
    v_answers text; -- the coach without experiments
    v_settings jsonb;
    v_place int;
    v_reason text;
begin
    perform uplift.check_arguments(p_arguments, '{user_id,coach_id}');
    if v_user is null then
        perform uplift.fail(400, 'missing_user_id', 'user_id is missing', 'user_id');
    end if;
    perform uplift.refuse_problems(uplift.experiment_problems(v_experiment));
    v_running := uplift.prepared_experiment(v_experiment);
    v_place := uplift.variant_of(v_running, v_user);
    select p.* into v_chosen from public.user_coach_preferences p where p.user_id = v_user;
    v_answers := coalesce(v_coach, v_chosen.active_coach_id, 'coach_decibel_avatar');
    v_settings := case when v_running.targeting ? 'coaches' then v_running.settings
        else uplift.settings_beside(v_running.settings, uplift.own_in_production(v_answers)) end;
    v_reason := case
        when v_experiment.status <> 'running' then format('the experiment is %s', v_experiment.status)
        when v_experiment.status_reason is not null then v_experiment.status_reason
        when uplift.bucket('uplift holdout', v_user) < uplift.setting_number('experiments.holdout_share', 0) then 'the user is in the holdout'
        when not coalesce(v_chosen.experiments_enabled, uplift.experiments_by_default()) then 'the user takes part in no experiments (experiments_enabled)'
        when v_place is null then 'the user is outside the share of users that takes part'
        when not uplift.is_targeted(v_running.targeting, v_running.started_at, v_user, v_answers) then 'the experiment is for others (targeting)'
        when v_settings is null then
            'production has what the experiment changes for this coach alone, which what is promoted for all coaches does not change'
        when uplift.has_own_choice(v_running.touches, v_coach, null, null, null, v_chosen.active_coach_id, v_chosen.severity,
            v_chosen.active_coach_mode, v_chosen.roast_consent, v_chosen.memory_enabled) then 'the user chose for themselves what it changes'
        end;
    return jsonb_build_object('object', 'experiment_preview', 'id', p_id, 'user_id', v_user,
        'is_exposed', v_reason is null, 'reason', v_reason,
        'variant', v_running.variants[v_place], 'changes', coalesce(v_settings, v_running.settings) -> (v_place - 1),
        'share_bucket', uplift.bucket(v_running.share_salt, v_user), 'bucket', uplift.bucket(v_running.salt, v_user),
        'assigned', (select jsonb_build_object('variant', a.variant, 'assigned_at', a.assigned_at)
            from public.experiment_assignments a where a.experiment_id = p_id and a.user_id = v_user limit 1));
end
$$;

comment on function uplift_batch.admin_preview_experiment(uuid, jsonb, text) is
    'What a user (user_id; coach_id: with this coach) would get: {is_exposed, reason, variant, changes, share_bucket, bucket, assigned}. UP404 experiment_not_found, UP400 missing_user_id, invalid_user_id, invalid_experiment.';
