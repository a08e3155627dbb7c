-- Rollouts: from a candidate to production by stages, each on evidence, each undone by one call.
--
-- A rollout is an experiment of two variants, production and candidate. Both get the same share of
-- users, so that they are compared with their like, and the share grows: who has the candidate keeps it.
-- Every change locks the rollout first and looks at where it is: two runners, or an admin and a runner,
-- do one step, and what fails half-way did none.

create or replace function uplift.rollout_json(p_rollout uplift.rollouts) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'rollout', 'id', p_rollout.id, 'name', p_rollout.name, 'coach_id', p_rollout.coach_id,
        'changes', p_rollout.changes,
        'coaches_of_their_own', case when p_rollout.coach_id is null then uplift.coaches_of_their_own(uplift.touches_of(array[p_rollout.changes]), null) else '[]' end,
        'success_metric', p_rollout.success_metric, 'margin', p_rollout.margin, 'guardrails', p_rollout.guardrails,
        'stages', to_jsonb(p_rollout.stages), 'stage', p_rollout.stage, 'share', p_rollout.stages[p_rollout.stage],
        'stage_began_at', p_rollout.stage_began_at, 'min_stage_hours', p_rollout.min_stage_hours, 'min_users', p_rollout.min_users,
        'max_days', p_rollout.max_days, 'status', p_rollout.status, 'reason', p_rollout.reason, 'experiment_id', p_rollout.experiment_id,
        'created_by', p_rollout.created_by, 'created_at', p_rollout.created_at, 'ended_at', p_rollout.ended_at)
$$;

comment on function uplift.rollout_json(uplift.rollouts) is 'A rollout as admins see it.';

create or replace function uplift.rollout_evidence(p_rollout uplift.rollouts) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'users', (select l.figures from uplift.experiment_looks l
            where l.experiment_id = p_rollout.experiment_id and l.metric = 'users' order by l.id desc limit 1),
        'metrics', (
            select coalesce(jsonb_object_agg(m.metric, l.figures), '{}') from uplift.metrics() m
            cross join lateral (
                select k.figures from uplift.experiment_looks k
                where k.experiment_id = p_rollout.experiment_id and k.metric = m.metric and k.variant = 'candidate' order by k.id desc limit 1) l),
        'production', (
            select coalesce(jsonb_object_agg(m.metric, l.figures -> 'value'), '{}') from uplift.metrics() m
            cross join lateral (
                select k.figures from uplift.experiment_looks k
                where k.experiment_id = p_rollout.experiment_id and k.metric = m.metric and k.variant = 'production' order by k.id desc limit 1) l))
$$;

comment on function uplift.rollout_evidence(uplift.rollouts) is
    'What is known of a rollout''s candidate at the last look: {users, metrics: {name: figures}, production: {name: value}}.';

create or replace function uplift.note_step(p_rollout uplift.rollouts, p_step text, p_who text, p_reason text) returns void
language sql volatile
as $$
    insert into uplift.rollout_steps (rollout_id, step, stage, who, reason, evidence)
    values (p_rollout.id, p_step, p_rollout.stage, p_who, left(p_reason, 2000), uplift.rollout_evidence(p_rollout))
$$;

comment on function uplift.note_step(uplift.rollouts, text, text, text) is 'Adds a step of a rollout with its evidence.';

create or replace function uplift.find_rollout(p_id uuid) returns uplift.rollouts
language plpgsql volatile
as $$
declare
    v_rollout uplift.rollouts;
begin
    select r.* into v_rollout from uplift.rollouts r where r.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'rollout_not_found', 'there is no such rollout');
    end if;
    return v_rollout;
end
$$;

comment on function uplift.find_rollout(uuid) is 'A rollout, locked. UP404 rollout_not_found.';

create or replace function uplift.end_rollout(p_rollout uplift.rollouts, p_status text, p_who text, p_reason text) returns uplift.rollouts
language plpgsql volatile
as $$
begin
    update public.ai_experiments e set status = 'completed', status_reason = null where e.id = p_rollout.experiment_id and e.status <> 'completed';
    update uplift.rollouts r set status = p_status, reason = left(p_reason, 2000), ended_at = now() where r.id = p_rollout.id returning r.* into p_rollout;
    perform uplift.note_step(p_rollout, p_status, p_who, p_reason);
    return p_rollout;
end
$$;

comment on function uplift.end_rollout(uplift.rollouts, text, text, text) is 'Ends a locked rollout and its experiment, for a reason.';

create or replace function uplift.promote_rollout(p_rollout uplift.rollouts, p_who text, p_reason text) returns uplift.rollouts
language plpgsql volatile
as $$
declare
    v_rest jsonb := p_rollout.changes - 'model_version_id';
    v_now uplift.production_changes := uplift.production_now(p_rollout.coach_id);
    v_kept jsonb := coalesce(v_now.changes, '{}');
begin
    if p_rollout.coach_id is not null and not exists (select from public.brand_assets b where b.asset_name = p_rollout.coach_id) then
        perform uplift.fail(409, 'coach_not_found', format('its coach %s is no longer there: roll it back', p_rollout.coach_id));
    end if;
    -- First, so that rolling back brings back a model that an earlier rollout named.
    if p_rollout.changes ? 'model_version_id' then
        v_kept := v_kept - 'model';
    end if;
    -- The coach before had these; the other one was tried with its own (uplift.put_changes).
    if v_rest ? 'coach_id' then
        v_kept := v_kept - '{personality,guidelines}'::text[];
    end if;
    if v_rest <> '{}' or v_kept <> v_now.changes then
        perform uplift.change_production(p_rollout.coach_id, v_kept || v_rest, p_rollout.id, v_now.id, p_who, 'replaced by rollout ' || p_rollout.name);
    end if;
    if p_rollout.changes ? 'model_version_id' then
        perform uplift_batch.admin_deploy_model((p_rollout.changes ->> 'model_version_id')::uuid,
            jsonb_strip_nulls(jsonb_build_object('environment', 'production', 'coach_id', p_rollout.coach_id)), p_who);
    end if;
    return uplift.end_rollout(p_rollout, 'promoted', p_who, p_reason);
end
$$;

comment on function uplift.promote_rollout(uplift.rollouts, text, text) is
    'Makes the candidate of a locked rollout production: its model version is deployed, its other changes are for all users of the coach from the next chat on. UP409 coach_not_found, and as uplift_batch.admin_deploy_model().';

-- --- what admins do ---

create or replace function uplift.default_guardrails(p_success_metric text) returns jsonb
language sql immutable parallel safe
as $$
    select jsonb_agg(g) from jsonb_array_elements('[{"metric": "errors", "max_worse": 0.5}, {"metric": "latency", "max_worse": 0.3},
        {"metric": "cost_per_answer", "max_worse": 0.5}, {"metric": "thumbs_up_rate", "max_worse": 0.1}]') g
    where g ->> 'metric' <> p_success_metric
$$;

comment on function uplift.default_guardrails(text) is 'What a rollout watches, beside what decides it, where nothing else was said.';

create or replace function uplift.recent_users(p_coach_id text, p_touches text[]) returns bigint
language plpgsql stable
as $$
declare
    v_without text[] := uplift.coaches_not_reached(p_coach_id, p_touches);
begin
    return (select count(distinct c.user_id) from uplift.conversations c
        where c.updated_at >= now() - interval '672 hours' and (p_coach_id is null or c.coach_id = p_coach_id) and (c.coach_id = any (v_without)) is not true);
end
$$;

comment on function uplift.recent_users(text, text[]) is
    'How many users talked in the last 28 days with a coach; of null with any that what is tried (uplift.touches_of) for all coaches would reach.';

create or replace function uplift.tuning_users_for(p_coach_id text, p_touches text[], p_share numeric) returns int
language sql stable
as $$
    select case when r.users < 100 then 5000 else least(greatest(round(r.users * p_share), 100), 5000)::int end
    from uplift.recent_users(p_coach_id, p_touches) r(users)
$$;

comment on function uplift.tuning_users_for(text, text[], numeric) is
    'At how many users the intervals of a test of this (uplift.touches_of) are to be narrowest (tuning_users of an experiment), which has such a share of the users of a coach (null: of all): as many as it may come to by those of the last 28 days, 100 to 5000; 5000 where that is not known.';

create or replace function uplift.stages_argument(p_arguments jsonb) returns float8[]
language plpgsql immutable
as $$
declare
    v_stages float8[] := '{0.05,0.25,0.5}'::float8[];
begin
    if p_arguments ? 'stages' then
        if jsonb_typeof(p_arguments -> 'stages') <> 'array' or jsonb_array_length(p_arguments -> 'stages') not between 1 and 10
                or exists (select from jsonb_array_elements(p_arguments -> 'stages') s where not uplift.is_between(s, 0.0001, 0.5)) then
            perform uplift.fail(400, 'invalid_stages', 'stages must be a list of 1 to 10 shares of users, each from 0.0001 to 0.5', 'stages');
        end if;
        v_stages := array(select (s.value #>> '{}')::float8 from jsonb_array_elements(p_arguments -> 'stages') with ordinality s order by s.ordinality);
        if v_stages <> array(select s from unnest(v_stages) s order by s) then
            perform uplift.fail(400, 'invalid_stages', 'stages must grow: who has the candidate keeps it', 'stages');
        end if;
    end if;
    return v_stages;
end
$$;

comment on function uplift.stages_argument(jsonb) is 'The stages of a rollout, or 5, 25, 50 %. UP400 invalid_stages.';

create or replace function uplift.changes_to_prompt_version(p_version_id uuid, p_coach_id text) returns jsonb
language plpgsql stable
as $$
declare
    v_version uplift.prompt_versions;
    v_now jsonb := uplift.changes_in_production(p_coach_id);
    v_guidelines text;
    v_words text;
begin
    select v.* into v_version from uplift.prompt_versions v where v.id = p_version_id;
    if v_version.id is null then
        perform uplift.fail(404, 'prompt_version_not_found', 'there is no such version of a prompt', 'prompt_version_id');
    elsif p_coach_id is null then
        perform uplift.fail(400, 'invalid_candidate', 'a version of a prompt is of one coach: name it by coach_id', 'coach_id');
    end if;
    -- What it ends with may be a playbook, which is known by its text.
    select g.text into v_guidelines
    from (select v.text from uplift.playbook_versions v where v.coach_id = p_coach_id union all select v_now ->> 'guidelines') g(text)
    where uplift.has_playbook(v_version.prompt_suffix, g.text) order by length(g.text) desc limit 1;
    v_words := nullif(regexp_replace(left(v_version.prompt_suffix, length(v_version.prompt_suffix) - coalesce(length(v_guidelines), 0)),
        case when v_guidelines is not null then e'\n\n$' else '$' end, ''), '');
    if v_words is null and v_now ? 'prompt_suffix' or v_guidelines is null and v_now ? 'guidelines' then
        perform uplift.fail(409, 'keeps_prompt_suffix', 'production adds words or guidelines to the prompt of this coach, which that version has not, and a rollout takes none away: roll those back first', 'prompt_version_id');
    end if;
    -- What production has already would become this coach's own, which what is promoted for all coaches does not change.
    return jsonb_strip_nulls(jsonb_build_object('personality', v_version.personality, 'prompt_suffix', nullif(v_words, v_now ->> 'prompt_suffix'),
        'guidelines', nullif(v_guidelines, v_now ->> 'guidelines')));
end
$$;

comment on function uplift.changes_to_prompt_version(uuid, text) is
    'What has to change for a coach''s prompt to be worded as in a version (uplift.prompt_versions). UP404 prompt_version_not_found, UP400 invalid_candidate without a coach, UP409 keeps_prompt_suffix.';

create or replace function uplift.candidate_argument(p_arguments jsonb) returns jsonb
language plpgsql stable
as $$
declare
    v_changes jsonb := p_arguments -> 'changes';
    v_from uuid := uplift.uuid_argument(p_arguments, 'experiment_id');
    v_version uuid := uplift.uuid_argument(p_arguments, 'model_version_id');
    v_prompt uuid := uplift.uuid_argument(p_arguments, 'prompt_version_id');
begin
    if num_nonnulls(v_changes, v_from, v_version, v_prompt) <> 1 or v_from is not null and nullif(p_arguments ->> 'variant', '') is null then
        perform uplift.fail(400, 'invalid_candidate', 'a rollout needs one of changes, model_version_id, prompt_version_id, or experiment_id with variant', 'changes');
    elsif v_version is not null then
        if exists (select from public.ai_model_versions m where m.id = v_version and (uplift.base_model_state(m.base_model) ->> 'is_shut_down')::boolean) then
            perform uplift.fail(409, 'model_shut_down', 'its base model is shut down, and so was this one; train another base model', 'model_version_id');
        end if;
        return jsonb_build_object('model_version_id', v_version);
    elsif v_prompt is not null then
        return uplift.changes_to_prompt_version(v_prompt, p_arguments ->> 'coach_id');
    elsif v_from is not null then
        select v - '{variant_name,description,weight}'::text[] into v_changes
        from public.ai_experiments e cross join lateral unnest(uplift.variants_of(e)) v
        where e.id = v_from and v ->> 'variant_name' = p_arguments ->> 'variant';
        if v_changes is null then
            perform uplift.fail(404, 'variant_not_found', 'there is no such experiment with such a variant', 'variant');
        end if;
    elsif jsonb_typeof(v_changes) <> 'object' then
        perform uplift.fail(400, 'invalid_changes', 'changes must be an object, as a variant of an experiment has them', 'changes');
    end if;
    if v_changes - '{variant_name,description,weight}'::text[] = '{}' then
        perform uplift.fail(400, 'invalid_changes', 'the candidate changes nothing', 'changes');
    end if;
    return v_changes - '{variant_name,description,weight}'::text[];
end
$$;

comment on function uplift.candidate_argument(jsonb) is
    'What a rollout is to bring: changes as of a variant, a model_version_id, a prompt_version_id, or the variant of an experiment_id. UP400 invalid_candidate, invalid_changes; UP404 variant_not_found; UP409 model_shut_down; as uplift.changes_to_prompt_version().';

create or replace function uplift.rollout_problems(p_problems jsonb[], p_arguments jsonb) returns jsonb[]
language sql immutable
as $$
    select coalesce(array_agg(jsonb_build_object('message', p -> 'message', 'param', case
        when p ->> 'param' like 'test_variants%' then
            case when p_arguments ->> 'model_version_id' is not null then 'model_version_id'
                when p_arguments ->> 'prompt_version_id' is not null then 'prompt_version_id'
                when p_arguments ->> 'experiment_id' is not null then 'variant'
                else 'changes' || regexp_replace(p ->> 'param', '^test_variants(\[0\])?', '') end
        when p ->> 'param' like 'targeting%' then 'coach_id'
        when p ->> 'param' = 'experiment_name' then 'name'
        when p ->> 'param' = 'traffic_share' then 'stages'
        else p ->> 'param' end) order by n), '{}')
    from unnest(p_problems) with ordinality x(p, n)
$$;

comment on function uplift.rollout_problems(jsonb[], jsonb) is
    'What is wrong with the experiment of a rollout (uplift.problem), by what the arguments of the rollout call it.';

create or replace function uplift_batch.admin_create_rollout(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_new uplift.rollouts;
    v_experiment public.ai_experiments;
    v_problems jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{name,coach_id,changes,model_version_id,prompt_version_id,experiment_id,variant,success_metric,margin,guardrails,stages,min_stage_hours,min_users,max_days}');
    v_new.id := uplift.uuid_v7();
    v_new.name := uplift.text_argument(p_arguments, 'name', 150);
    v_new.coach_id := uplift.text_argument(p_arguments, 'coach_id', 200);
    v_new.changes := uplift.candidate_argument(p_arguments);
    v_new.success_metric := coalesce(uplift.text_argument(p_arguments, 'success_metric', 100), 'thumbs_up_rate');
    v_new.margin := coalesce(uplift.decimal_argument(p_arguments, 'margin', 0, 0.5), 0);
    v_new.guardrails := coalesce(nullif(p_arguments -> 'guardrails', 'null'), uplift.default_guardrails(v_new.success_metric));
    v_new.stages := uplift.stages_argument(p_arguments);
    v_new.min_stage_hours := coalesce(uplift.decimal_argument(p_arguments, 'min_stage_hours', 0, 10000), 24);
    v_new.min_users := coalesce(uplift.whole_argument(p_arguments, 'min_users', 2, 10000000), 100);
    v_new.max_days := coalesce(uplift.decimal_argument(p_arguments, 'max_days', 0.00001, 1000), 60);
    if v_new.name is null then
        perform uplift.fail(400, 'missing_name', 'name is missing', 'name');
    elsif v_new.coach_id is not null and not exists (select from uplift.coaches c where c.id = v_new.coach_id) then
        perform uplift.fail(404, 'coach_not_found', 'there is no such coach', 'coach_id');
    end if;
    v_experiment.id := uplift.uuid_v7();
    v_experiment.experiment_name := 'rollout ' || v_new.name || ' ' || to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS');
    v_experiment.control_variant := '{"variant_name": "production"}';
    v_experiment.test_variants := array[v_new.changes || '{"variant_name": "candidate"}'];
    v_experiment.success_metric := v_new.success_metric;
    v_experiment.guardrails := v_new.guardrails;
    v_experiment.targeting := case when v_new.coach_id is not null then jsonb_build_object('coaches', jsonb_build_array(v_new.coach_id)) end;
    v_experiment.traffic_share := 2 * v_new.stages[1];
    v_experiment.share_salt := case when p_who = 'autopilot' then uplift.autopilot_salt() end;
    v_experiment.min_users := v_new.min_users;
    -- By the names of the arguments here; the trigger would tell those of the experiment's. Under its lock.
    perform pg_advisory_xact_lock(hashtextextended('uplift experiments', 0));
    v_problems := uplift.experiment_problems(v_experiment);
    if cardinality(v_problems) = 0 then
        v_problems := uplift.experiment_clashes(v_experiment, 'stop that one first, or take it to another coach (coach_id)');
    end if;
    perform uplift.refuse_problems(uplift.rollout_problems(v_problems, p_arguments));
    insert into public.ai_experiments (id, experiment_name, description, control_variant, test_variants, success_metric, status, guardrails,
        targeting, share_salt, traffic_share, min_users, tuning_users)
    values (v_experiment.id, v_experiment.experiment_name, 'The experiment of rollout ' || v_new.id, v_experiment.control_variant, v_experiment.test_variants,
        v_experiment.success_metric, 'running', v_experiment.guardrails, v_experiment.targeting, v_experiment.share_salt, v_experiment.traffic_share, v_experiment.min_users,
        uplift.tuning_users_for(v_new.coach_id, uplift.touches_of(v_experiment.test_variants), (2 * v_new.stages[cardinality(v_new.stages)])::numeric))
    returning * into v_experiment;
    perform uplift.note_experiment(v_experiment.id, 'started', p_who, 'rollout ' || v_new.id);
    insert into uplift.rollouts (id, name, coach_id, changes, success_metric, margin, guardrails, stages, min_stage_hours, min_users, max_days,
        experiment_id, created_by)
    values (v_new.id, v_new.name, v_new.coach_id, v_new.changes, v_new.success_metric, v_new.margin, v_new.guardrails, v_new.stages,
        v_new.min_stage_hours, v_new.min_users, v_new.max_days, v_experiment.id, p_who)
    returning * into v_new;
    perform uplift.note_step(v_new, 'started', p_who, format('%s %% of users get the candidate', v_new.stages[1] * 100));
    return uplift.rollout_json(v_new);
end
$$;

comment on function uplift_batch.admin_create_rollout(uuid, jsonb, text) is
    'Begins a rollout: name; changes, model_version_id, prompt_version_id, or experiment_id with variant; coach_id, success_metric (thumbs_up_rate), margin (0), guardrails (uplift.default_guardrails), stages (0.05, 0.25, 0.5), min_stage_hours (24), min_users (100), max_days (60). UP400 missing_name, invalid_candidate, invalid_changes, invalid_stages, invalid_experiment and invalid_NAME; UP404 coach_not_found, variant_not_found, prompt_version_not_found; UP409 model_shut_down, keeps_prompt_suffix.';

create or replace function uplift_batch.admin_list_rollouts(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,status}');
    if p_arguments ->> 'status' not in ('running', 'promoted', 'rolled_back') then
        perform uplift.fail(400, 'invalid_status', 'status must be running, promoted or rolled_back', 'status');
    end if;
    select array_agg(uplift.rollout_json(x.rollout) order by x.id desc) into v_rows from (
        select r as rollout, r.id from uplift.rollouts r
        where (v_after is null or r.id < v_after) and (not p_arguments ? 'status' or r.status = p_arguments ->> 'status')
        order by r.id desc limit v_limit + 1) x;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_rollouts(uuid, jsonb, text) is 'Rollouts, the newest first: limit, after, status.';

create or replace function uplift_batch.admin_get_rollout(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_json jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select uplift.rollout_json(r) || jsonb_build_object('evidence', uplift.rollout_evidence(r), 'steps', (
        select coalesce(jsonb_agg(jsonb_build_object('at', s.at, 'step', s.step, 'stage', s.stage, 'who', s.who, 'reason', s.reason,
            'evidence', s.evidence) order by s.id), '[]')
        from uplift.rollout_steps s where s.rollout_id = p_id)) into v_json
    from uplift.rollouts r where r.id = p_id;
    if v_json is null then
        perform uplift.fail(404, 'rollout_not_found', 'there is no such rollout');
    end if;
    return v_json;
end
$$;

comment on function uplift_batch.admin_get_rollout(uuid, jsonb, text) is 'A rollout with every step and its evidence. UP404 rollout_not_found.';

create or replace function uplift.reason_argument(p_arguments jsonb) returns text
language plpgsql immutable
as $$
declare
    v_reason text := uplift.text_argument(p_arguments, 'reason', 1000);
begin
    perform uplift.check_arguments(p_arguments, '{reason}');
    if v_reason is null then
        perform uplift.fail(400, 'invalid_reason', 'reason must say why, in 1 to 1000 characters', 'reason');
    end if;
    return v_reason;
end
$$;

comment on function uplift.reason_argument(jsonb) is 'Why somebody does something, and nothing else. UP400 invalid_reason, unknown_argument.';

create or replace function uplift.running_rollout(p_id uuid) returns uplift.rollouts
language plpgsql volatile
as $$
declare
    v_rollout uplift.rollouts := uplift.find_rollout(p_id);
begin
    if v_rollout.status <> 'running' then
        perform uplift.fail(409, 'wrong_status', format('the rollout is %s', replace(v_rollout.status, '_', ' ')));
    end if;
    return v_rollout;
end
$$;

comment on function uplift.running_rollout(uuid) is 'A rollout that runs, locked. UP404 rollout_not_found, UP409 wrong_status.';

create or replace function uplift.advance_stage(p_rollout uplift.rollouts, p_who text, p_reason text) returns uplift.rollouts
language plpgsql volatile
as $$
begin
    update uplift.rollouts r set stage = r.stage + 1, stage_began_at = now() where r.id = p_rollout.id returning r.* into p_rollout;
    update public.ai_experiments e set traffic_share = 2 * p_rollout.stages[p_rollout.stage] where e.id = p_rollout.experiment_id;
    perform uplift.note_step(p_rollout, 'advanced', p_who, p_reason);
    return p_rollout;
end
$$;

comment on function uplift.advance_stage(uplift.rollouts, text, text) is 'Brings a locked rollout to its next stage, for a reason.';

create or replace function uplift_batch.admin_advance_rollout(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_reason text := uplift.reason_argument(p_arguments);
    v_rollout uplift.rollouts := uplift.running_rollout(p_id);
begin
    if v_rollout.stage = cardinality(v_rollout.stages) then
        perform uplift.fail(409, 'last_stage', 'it is at its last stage; promote it, or roll it back');
    end if;
    return uplift.rollout_json(uplift.advance_stage(v_rollout, p_who, v_reason));
end
$$;

comment on function uplift_batch.admin_advance_rollout(uuid, jsonb, text) is
    'Brings a rollout to its next stage by hand: reason. UP404 rollout_not_found, UP409 wrong_status, last_stage.';

create or replace function uplift_batch.admin_promote_rollout(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_reason text := uplift.reason_argument(p_arguments);
begin
    return uplift.rollout_json(uplift.promote_rollout(uplift.running_rollout(p_id), p_who, v_reason));
end
$$;

comment on function uplift_batch.admin_promote_rollout(uuid, jsonb, text) is
    'Makes the candidate production by hand: reason. UP404 rollout_not_found, UP409 wrong_status, coach_not_found and what uplift_batch.admin_deploy_model() refuses.';

create or replace function uplift_batch.admin_roll_back(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_reason text := uplift.reason_argument(p_arguments);
    v_rollout uplift.rollouts := uplift.find_rollout(p_id);
    v_now uplift.production_changes;
    v_before uplift.production_changes;
begin
    if v_rollout.status = 'rolled_back' then
        return uplift.rollout_json(v_rollout);
    elsif v_rollout.status = 'promoted' then
        if v_rollout.changes ? 'model_version_id' then
            perform uplift_batch.admin_rollback_model((v_rollout.changes ->> 'model_version_id')::uuid,
                jsonb_build_object('environment', 'production', 'coach_id', v_rollout.coach_id, 'reason', v_reason), p_who);
        end if;
        if exists (select from uplift.production_changes c where c.rollout_id = p_id) then
            v_now := uplift.production_now(v_rollout.coach_id);
            if v_now.rollout_id is distinct from p_id then
                perform uplift.fail(409, 'not_in_production', 'another rollout took its place since; roll that one back');
            end if;
            select c.* into v_before from uplift.production_changes c where c.id = v_now.previous_id;
            -- A model that gave way to a deployment meanwhile stays away.
            if not v_now.changes ? 'model' and not v_rollout.changes ?| '{model,model_version_id}' then
                v_before.changes := v_before.changes - 'model';
            end if;
            perform uplift.change_production(v_rollout.coach_id, v_before.changes, v_before.rollout_id, v_before.previous_id, p_who,
                'rolled back: ' || v_reason);
        end if;
    end if;
    return uplift.rollout_json(uplift.end_rollout(v_rollout, 'rolled_back', p_who, v_reason));
end
$$;

comment on function uplift_batch.admin_roll_back(uuid, jsonb, text) is
    'Takes a candidate back, for a reason: from its users while the rollout runs, from all when it was promoted; what was there before serves again. Again it does nothing. UP404 rollout_not_found, UP409 not_in_production.';

-- --- what the job does ---

create or replace function uplift_batch.rollouts_to_watch() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(jsonb_build_object('id', r.experiment_id, 'rollout_id', r.id, 'name', r.name, 'users', (
        select count(*) from public.experiment_assignments a where a.experiment_id = r.experiment_id)) order by r.id), '[]')
    from uplift.rollouts r where r.status = 'running'
$$;

comment on function uplift_batch.rollouts_to_watch() is 'The rollouts that run, as uplift_batch.experiments_to_measure() has experiments, with their rollout_id.';

create or replace function uplift.rollout_verdict(p_rollout uplift.rollouts, p_evidence jsonb, out step text, out reason text)
language plpgsql stable
as $$
declare
    v_figures jsonb := p_evidence -> 'metrics' -> p_rollout.success_metric;
    v_sign int := (select m.better from uplift.metrics() m where m.metric = p_rollout.success_metric);
    v_value float8 := (p_evidence -> 'production' ->> p_rollout.success_metric)::float8;
    -- The bounds by which the candidate is better, at least and at most.
    v_least float8 := case when v_sign > 0 then (v_figures #>> '{always_valid,lower}')::float8 else -(v_figures #>> '{always_valid,upper}')::float8 end;
    v_most float8 := case when v_sign > 0 then (v_figures #>> '{always_valid,upper}')::float8 else -(v_figures #>> '{always_valid,lower}')::float8 end;
    v_allowed float8 := -p_rollout.margin * abs(coalesce(v_value, 0));
    -- A margin of a person's is what they accept; autopilot's is for what an experiment found to be better, which is then proven to be worse.
    v_worst float8 := case when p_rollout.created_by = 'autopilot' then 0 else v_allowed end;
    v_least_users float8 := (select min(u::float8) from jsonb_array_elements_text(p_evidence #> '{users,users}') u);
    v_experiment text := (select e.status from public.ai_experiments e where e.id = p_rollout.experiment_id);
    v_crossed text := (select string_agg(f.key, ', ' order by f.key) from jsonb_each(p_evidence -> 'metrics') f where f.value ->> 'guardrail' = 'crossed');
begin
    if v_crossed is not null then
        step := 'rolled_back';
        reason := format('the guardrail is crossed for %s', v_crossed);
    elsif v_most < v_worst then
        step := 'rolled_back';
        reason := format('%s is worse than production''s %s by at least %s', p_rollout.success_metric, round(v_value::numeric, 4), round((-v_most)::numeric, 4));
    elsif p_rollout.created_at + p_rollout.max_days * interval '24 hours' < now() then
        step := 'rolled_back';
        reason := format('no evidence that it is better came in %s days', p_rollout.max_days);
    elsif v_experiment is distinct from 'running' then
        step := 'held';
        reason := format('its experiment is %s, so that nobody gets the candidate: %s', coalesce(v_experiment, 'gone'),
            case v_experiment when 'paused' then 'start it again, or roll back' else 'promote it by hand, or roll back' end);
    elsif (p_evidence #> '{users,is_mismatch}') = 'true' then
        step := 'held';
        reason := 'users came to the two variants in other shares than they should have (sample ratio mismatch)';
    elsif coalesce(v_least_users, 0) < p_rollout.min_users then
        step := 'held';
        reason := format('there are not %s users of each yet', p_rollout.min_users);
    elsif p_rollout.stage_began_at + p_rollout.min_stage_hours * interval '1 hour' > now() then
        step := 'held';
        reason := format('this stage lasts %s hours at least', p_rollout.min_stage_hours);
    elsif p_rollout.stage < cardinality(p_rollout.stages) then
        step := 'advanced';
        reason := format('no guardrail is crossed: %s %% of users get the candidate', p_rollout.stages[p_rollout.stage + 1] * 100);
    elsif v_least > v_allowed then
        step := 'promoted';
        reason := case when v_least > 0
            then format('%s is better than production''s %s by %s at least', p_rollout.success_metric, round(v_value::numeric, 4), round(v_least::numeric, 4))
            else format('%s is worse than production''s %s by %s at most, which the margin of %s allows', p_rollout.success_metric, round(v_value::numeric, 4),
                round((-v_least)::numeric, 4), p_rollout.margin) end;
    else
        step := 'held';
        reason := format('%s is not known to be better yet: %s to %s of difference', p_rollout.success_metric,
            coalesce(round(v_least::numeric, 4)::text, '?'), coalesce(round(v_most::numeric, 4)::text, '?'));
    end if;
end
$$;

comment on function uplift.rollout_verdict(uplift.rollouts, jsonb, out text, out text) is
    'What is to become of a rollout by its evidence (uplift.rollout_evidence): rolled_back where a guardrail is crossed, where the interval that is valid at any time says it is worse by more than the margin (one of autopilot''s: worse at all), or after max_days; held while its experiment does not run, without min_users of each, before min_stage_hours, or with a sample ratio mismatch; else advanced, and at the last stage promoted when the interval''s bound clears the margin.';

create or replace function uplift_batch.decide_rollout(p_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_rollout uplift.rollouts := uplift.find_rollout(p_id);
    v_verdict record;
    -- What autopilot brought to production is told from what people did.
    v_who text := case v_rollout.created_by when 'autopilot' then 'autopilot' else 'uplift' end;
    v_rests text := case v_rollout.created_by when 'autopilot' then uplift.autopilot_rests() end;
begin
    -- Somebody else has ended it.
    if v_rollout.status <> 'running' then
        return jsonb_build_object('step', 'none');
    end if;
    select v.* into v_verdict from uplift.rollout_verdict(v_rollout, uplift.rollout_evidence(v_rollout)) v;
    if v_verdict.step in ('advanced', 'promoted') and v_rests is not null then
        v_verdict.step := 'held';
        v_verdict.reason := v_rests;
    end if;
    if v_verdict.step = 'rolled_back' then
        perform uplift.end_rollout(v_rollout, 'rolled_back', v_who, v_verdict.reason);
    elsif v_verdict.step = 'promoted' then
        begin
            perform uplift.promote_rollout(v_rollout, v_who, v_verdict.reason);
        exception when others then
            -- Such as a model that has no price: an admin has to look.
            if sqlstate not like 'UP%' then
                raise;
            end if;
            v_verdict.step := 'held';
            v_verdict.reason := 'it cannot be promoted: ' || sqlerrm;
        end;
    elsif v_verdict.step = 'advanced' then
        perform uplift.advance_stage(v_rollout, v_who, v_verdict.reason);
    end if;
    -- The same reason again is no news.
    if v_verdict.step = 'held' and v_verdict.reason is distinct from (
            select s.reason from uplift.rollout_steps s where s.rollout_id = p_id order by s.id desc limit 1) then
        perform uplift.note_step(v_rollout, 'held', v_who, v_verdict.reason);
    end if;
    return jsonb_build_object('step', v_verdict.step, 'reason', v_verdict.reason);
end
$$;

comment on function uplift_batch.decide_rollout(uuid) is
    'Takes the step of a rollout that its evidence calls for (uplift.rollout_verdict): {step, reason}; none where it does not run any more; one of autopilot''s goes on only when that does (uplift.autopilot_rests). UP404 rollout_not_found.';

-- --- for metrics ---

create or replace function uplift.rollout_gauges() returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'status', (select jsonb_object_agg(x.status, (select count(*) from uplift.rollouts r where r.status = x.status))
            from unnest('{running,promoted,rolled_back}'::text[]) x(status)),
        'stages', (select coalesce(jsonb_object_agg(x.stage, x.count), '{}')
            from (select r.stage, count(*) from uplift.rollouts r where r.status = 'running' group by r.stage) x))
$$;

comment on function uplift.rollout_gauges() is 'Rollouts for metrics: how many of each status, and of those that run at which stage, {status, stages}.';
