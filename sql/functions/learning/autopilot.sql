-- Autopilot: tries one thing after another within bounds, keeps what wins, and says why.
--
-- Each step is one transaction under one lock and follows from what the tables say, so a runner that
-- dies half-way did nothing, and the next one decides the same anew. What it may not do is a decision,
-- too. What it began is told by who: 'autopilot', which no admin is called.

-- --- what it begins ---

create or replace function uplift.autopilot_room() returns text
language sql stable
as $$
    select case when (u ->> 'at_once')::int >= s.max_at_once then format('as many tests run as may at once, %s (autopilot.max_at_once)', s.max_at_once)
        when (u ->> 'share')::numeric > s.max_share + 0.000001
            then format('the share of users in tests is more than %s (autopilot.max_share)', trim_scale(s.max_share)) end
    from uplift.autopilot_settings() s cross join uplift.autopilot_use() u
$$;

comment on function uplift.autopilot_room() is 'Why no further test fits within the bounds, in words; null where one does. All have the same users (uplift.autopilot_salt), so that each may have max_share of them.';

create or replace function uplift.autopilot_try_model() returns jsonb[]
language plpgsql volatile
as $$
declare
    v_version public.ai_model_versions;
    v_name text;
    v_rollout uuid;
    v_full text := uplift.autopilot_room();
begin
    select v.* into v_version
    from public.ai_model_versions v join public.ai_finetuning_jobs j on j.id = v.finetuning_job_id
    where j.requested_by = 'autopilot' and v.deployment_environment = 'staging' and v.model_id <> '' and v.deprecated_at is null
        and not exists (select from uplift.rollouts r where r.changes ->> 'model_version_id' = v.id::text)
    order by v.created_at desc, v.id desc limit 1;
    if v_version.id is null then
        return array[]::jsonb[];
    end if;
    v_name := format('%s %s', v_version.model_name, v_version.version);
    if v_full is not null then
        return array[uplift.autopilot_note('model', v_version.id, v_name, null, 'refused', 'it waits in staging: ' || v_full, uplift.autopilot_use())];
    elsif (uplift.base_model_state(v_version.base_model) ->> 'is_shut_down')::boolean then
        return array[uplift.autopilot_note('model', v_version.id, v_name, null, 'refused', uplift.base_model_state(v_version.base_model) ->> 'warning', '{}')];
    end if;
    begin
        v_rollout := uplift.autopilot_roll_out(v_name, null, jsonb_build_object('model_version_id', v_version.id), null);
    exception when others then
        if sqlstate not like 'UP%' then
            raise;
        end if;
        return array[uplift.autopilot_note('model', v_version.id, v_name, null, 'refused', 'it cannot be rolled out: ' || sqlerrm, '{}')];
    end;
    return array[uplift.autopilot_note('model', v_version.id, v_name, null, 'rolled_out', 'it is trained and in staging, and was not tried on users yet',
        jsonb_build_object('rollout_id', v_rollout, 'model_id', v_version.model_id, 'finetuning_job_id', v_version.finetuning_job_id))];
end
$$;

comment on function uplift.autopilot_try_model() is 'Begins a rollout of the newest model version in staging that autopilot had trained and that had none. Its decisions.';

create or replace function uplift.autopilot_fine_tune() returns jsonb[]
language plpgsql volatile
as $$
declare
    v_settings record;
    v_money record;
    v_dataset uuid;
    v_ready jsonb;
    v_job public.ai_finetuning_jobs;
    v_numbers jsonb := jsonb '{}';
    v_wrong text;
begin
    select s.* into v_settings from uplift.autopilot_settings() s;
    -- One after another: the second would learn the same.
    if not v_settings.fine_tunes or exists (
            select from public.ai_finetuning_jobs j where j.requested_by = 'autopilot' and j.status in ('pending', 'running')) then
        return array[]::jsonb[];
    end if;
    select d.id into v_dataset from public.ai_training_datasets d where d.dataset_name = v_settings.dataset order by d.created_at limit 1;
    v_ready := case when v_dataset is not null then uplift.finetuning_readiness(v_dataset, uplift.setting_number('training.min_quality', 6)) end;
    v_wrong := case when v_settings.base_model is null then 'no base model is set (autopilot.base_model)'
        when v_dataset is null then format('there is no dataset named "%s" (autopilot.dataset)', v_settings.dataset)
        when not (v_ready ->> 'ready')::boolean then format('"%s" has not enough that is new, or was trained on not long ago', v_settings.dataset) end;
    if v_wrong is not null then
        return array[uplift.autopilot_note('fine_tune', null, v_settings.dataset, null, 'refused', v_wrong, coalesce(v_ready, '{}'))];
    end if;
    select m.* into v_money from uplift.autopilot_spent() m;
    -- What it will cost is known when the examples are frozen; where it is too much, they are not.
    begin
        v_job := uplift.start_finetuning(jsonb_strip_nulls(jsonb_build_object('dataset_id', v_dataset, 'base_model', v_settings.base_model,
            'trainer', v_settings.trainer)), 'autopilot', null, null);
        v_numbers := v_ready || uplift.autopilot_use() || jsonb_build_object('estimated_usd', v_job.estimated_cost, 'estimated_tokens', v_job.estimated_tokens);
        if v_job.estimated_cost is null then
            perform uplift.fail(409, 'no_price', format('what training %s costs is not known (uplift.training_prices)', v_settings.base_model));
        elsif v_money.usd_of_day + v_job.estimated_cost > v_settings.max_usd_per_day then
            perform uplift.fail(409, 'over_money', 'training would cost more than is left of the day''s money (autopilot.max_usd_per_day)');
        elsif v_money.usd_of_month + v_job.estimated_cost > v_settings.max_usd_per_month then
            perform uplift.fail(409, 'over_money', 'training would cost more than is left of the month''s money (autopilot.max_usd_per_month)');
        end if;
    exception when others then
        if sqlstate not like 'UP%' then
            raise;
        end if;
        return array[uplift.autopilot_note('fine_tune', null, v_settings.dataset, null, 'refused', sqlerrm, v_numbers)];
    end;
    return array[uplift.autopilot_note('fine_tune', v_job.id, v_settings.dataset, null, 'submitted', format('there is enough that is new, and %s can be trained on it within the money',
        v_settings.base_model), v_numbers)];
end
$$;

comment on function uplift.autopilot_fine_tune() is
    'Where autopilot may train (autopilot.fine_tunes), there is enough that is new (uplift.finetuning_readiness) and the estimate is within the money: submits a fine-tuning job. Its decisions.';

create or replace function uplift.serves_since(p_coach_id text) returns timestamptz
language sql stable
as $$
    -- What is put back holds since it was given first: what was tried beside it then was tried beside it.
    select greatest((
            select max((select min(o.began_at) from uplift.production_changes o where o.coach_id is not distinct from c.coach_id and o.changes = c.changes))
            from uplift.production_changes c where c.ended_at is null and (c.coach_id is null or c.coach_id = p_coach_id)), (
            select max((select min(o.began_at) from uplift.model_deployments o
                where o.environment = 'production' and o.coach_id is not distinct from d.coach_id and o.model_id = d.model_id))
            from uplift.model_deployments d
            where d.environment = 'production' and d.ended_at is null and (d.coach_id is null or d.coach_id = p_coach_id)))
$$;

comment on function uplift.serves_since(text) is
    'When what a coach (null: all) answers with now first came into production, as far as changes and models go; null where it has none.';

create or replace function uplift.looked_worse(p_experiment_id uuid) returns boolean
language sql stable
as $$
    -- By what it looked like: nothing is concluded from it but what is tried before.
    select coalesce((
        select (l.figures ->> 'difference')::float8 * m.better < 0
        from public.ai_experiments e join uplift.metrics() m on m.metric = e.success_metric
        join uplift.experiment_looks l on l.experiment_id = e.id and l.metric = e.success_metric
            and l.variant = e.test_variants[1] ->> 'variant_name'
        where e.id = p_experiment_id order by l.id desc limit 1), false)
$$;

comment on function uplift.looked_worse(uuid) is
    'Whether the first variant of an experiment had a worse figure than control at the last look.';

create or replace function uplift.autopilot_next_share(out share numeric, out won bigint, out ended bigint)
language sql stable
as $$
    -- Laplace's rule of succession, (won + 1) / (ended + 2), is how likely the next one wins: at a quarter and more all users that
    -- there may be are worth it. Whoever is in a test is on average worse off, until one wins.
    select trunc(s.max_share * least(1, 4.0 * (x.won + 1) / (x.ended + 2)), 6), x.won, x.ended
    from uplift.autopilot_settings() s
    cross join lateral (
        -- A winner that could not be rolled out won, too.
        select count(*) filter (where l.decision = 'rolled_out' or l.numbers ? 'winner') as won, count(*) as ended
        from (
            select d.decision, d.numbers from uplift.autopilot_decisions d
            where d.kind = 'experiment' and d.decision in ('rolled_out', 'stopped') and not d.is_dry_run
                -- Not those that the switch or a lack of money ended, of which nothing follows (uplift.autopilot_end_experiment).
                and d.numbers ? 'days'
            order by d.id desc limit 10) l) x
$$;

comment on function uplift.autopilot_next_share(out numeric, out bigint, out bigint) is
    'The share of users that the next test of what is in uplift.autopilot_catalogue() has: autopilot.max_share where of the last ten that ended by what they showed a fifth won or there were few, and less the fewer did, down to a third of it; and of how many that ended how many won.';

create or replace function uplift.autopilot_begin_test() returns jsonb[]
language plpgsql volatile
as $$
declare
    v_decisions jsonb[] := array[]::jsonb[];
    v_settings record;
    v_full text := uplift.autopilot_room();
    v_next record;
    v_share numeric;
    v_numbers jsonb;
    v_candidate record;
    v_id uuid;
begin
    select s.* into v_settings from uplift.autopilot_settings() s;
    if v_full is not null then
        return array[uplift.autopilot_note('bound', null, 'tests', null, 'refused', 'nothing is begun: ' || v_full, uplift.autopilot_use())];
    end if;
    select n.* into v_next from uplift.autopilot_next_share() n;
    for v_candidate in
        -- What was never tried goes first, of that what people thought of, and then what was tried longest ago. A playbook that has
        -- changed is tried again: otherwise one that changes each week would keep all else from being tried.
        select e.experiment_name as name, e.targeting #>> '{coaches,0}' as coach_id, e.id, null::jsonb as changes, coalesce(e.hypothesis, e.description) as hypothesis,
            0 as place, e.created_at, e.layer, (
                select max(a.start_date) from uplift.playbook_versions v join uplift.playbook_arms a on a.coach_id = v.coach_id
                where v.experiment_id = e.id) as tried_at
        from public.ai_experiments e
        where e.status = 'draft' and e.start_date is null
            and (e.description ilike 'playbook%' or exists (select from uplift.playbook_versions v where v.experiment_id = e.id))
        union all
        select c.name, w.coach_id, null, c.changes, c.hypothesis, c.place, null, null, t.at
        from unnest(v_settings.coaches) w(coach_id) cross join lateral uplift.autopilot_catalogue(w.coach_id) c
        cross join lateral (
            select max(d.at) as at, (array_agg(d.subject_id order by d.id desc))[1] as experiment_id from uplift.autopilot_decisions d
            where d.kind = 'candidate' and d.name = c.name and d.coach_id is not distinct from w.coach_id and d.decision = 'begun' and not d.is_dry_run) t
        cross join lateral (select uplift.looked_worse(t.experiment_id) as is_worse) h
        -- What every coach has of its own would have no users.
        cross join lateral (
            select count(*) > 0 and count(*) = cardinality(uplift.coaches_not_reached(w.coach_id, uplift.touches_of(array[c.changes]))) as are_all
            from uplift.coaches) k
        -- What did rather harm waits twice as long: whoever is in a test of it is rather worse off.
        where not k.are_all and (t.at is null or t.at <= now() - v_settings.retry_days * case when h.is_worse then 2 else 1 end * interval '24 hours'
            -- It was compared with other answers than those of now: what is no gain by itself may be one beside what came since, what did harm hardly.
            or t.at < uplift.serves_since(w.coach_id) and not h.is_worse)
        order by tried_at nulls first, place, created_at, coach_id nulls first, name
    loop
        if v_candidate.layer is not null then
            v_decisions := v_decisions || uplift.autopilot_note('candidate', v_candidate.id, v_candidate.name, v_candidate.coach_id, 'refused',
                'it is in a layer, whose users would come to those of autopilot''s tests (autopilot.max_share)', '{}');
            continue;
        end if;
        v_id := v_candidate.id;
        -- What people thought of, or users asked for, is no step at random.
        v_share := case when v_id is null then v_next.share else trunc(v_settings.max_share, 6) end;
        begin
            if v_id is null then
                v_id := (uplift_batch.admin_create_experiment(null, jsonb_strip_nulls(jsonb_build_object(
                    'experiment_name', format('autopilot %s %s', translate(concat_ws(' ', v_candidate.name, v_candidate.coach_id), '=,', '  '),
                        to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')),
                    'description', 'Begun by autopilot', 'hypothesis', v_candidate.hypothesis, 'success_metric', v_settings.success_metric,
                    'control_variant', jsonb_build_object('variant_name', 'as it is'),
                    'test_variants', jsonb_build_array(jsonb_build_object('variant_name', v_candidate.name) || v_candidate.changes),
                    -- It acts on gains alone: a false one has a chance of half of that. Then it is no better, and does no harm; a gain that is missed does.
                    'alpha', 0.2, 'min_users', v_settings.min_users,
                    'targeting', case when v_candidate.coach_id is not null then jsonb_build_object('coaches', jsonb_build_array(v_candidate.coach_id)) end)),
                    'autopilot') ->> 'id')::uuid;
            end if;
            update public.ai_experiments e set share_salt = uplift.autopilot_salt(), traffic_share = least(coalesce(e.traffic_share, 1), v_share),
                tuning_users = least(e.tuning_users, uplift.tuning_users_for(v_candidate.coach_id, uplift.touches_of(e.test_variants), v_share)),
                guardrails = coalesce(e.guardrails, uplift.default_guardrails(e.success_metric)) where e.id = v_id;
            perform uplift_batch.admin_start_experiment(v_id, '{}', 'autopilot');
            -- On tables of older deployments what does not fit is left out, not refused.
            if not exists (select from uplift.running_experiments r where r.id = v_id) then
                perform uplift.fail(409, 'does_not_run', (select coalesce(e.status_reason, 'it does not run') from public.ai_experiments e where e.id = v_id));
            end if;
        exception when others then
            if sqlstate not like 'UP%' then
                raise;
            end if;
            v_decisions := v_decisions || uplift.autopilot_note('candidate', v_candidate.id, v_candidate.name, v_candidate.coach_id, 'refused',
                'it cannot begin: ' || sqlerrm, '{}');
            continue;
        end;
        v_numbers := uplift.autopilot_use() || (
            select jsonb_build_object('experiment_share', trim_scale(e.traffic_share), 'won_lately', v_next.won, 'ended_lately', v_next.ended)
            from public.ai_experiments e where e.id = v_id);
        return v_decisions || uplift.autopilot_note('candidate', v_id, v_candidate.name, v_candidate.coach_id, 'begun',
            case when v_candidate.id is not null then 'a draft of a playbook waits' else format('it was not tried in the last %s days (autopilot.retry_days), or not beside what is in production now', v_settings.retry_days) end
                || coalesce(': ' || v_candidate.hypothesis, ''), v_numbers);
    end loop;
    return v_decisions || uplift.autopilot_note('bound', null, 'tests', null, 'held', 'nothing is left to try: all was tried not long ago (autopilot.retry_days) beside what is in production now, or cannot begin now', '{}');
end
$$;

comment on function uplift.autopilot_begin_test() is
    'Begins the next candidate, where a test fits within the bounds: on autopilot.max_share of users drafts of playbooks (uplift.playbook_versions) and those whose description begins with "playbook" first, then on uplift.autopilot_next_share() of them uplift.autopilot_catalogue(), not what every coach has of its own already (uplift.coaches_not_reached), what was tried in the last autopilot.retry_days beside what is in production now (uplift.serves_since), nor in twice as many what looked worse (uplift.looked_worse); what was tried before (of a playbook, an earlier version) after what was not, and that longest ago first. Its decisions.';

create or replace function uplift.autopilot_pass() returns jsonb[]
language plpgsql volatile
as $$
declare
    v_decisions jsonb[] := array[]::jsonb[];
    v_settings record;
    v_missing text := uplift.autopilot_missing_bounds();
    v_has_money boolean;
begin
    select s.* into v_settings from uplift.autopilot_settings() s;
    if v_missing is not null then
        return array[uplift.autopilot_note('bound', null, 'bounds', null, 'refused', 'nothing is done without bounds: ' || v_missing || ' are missing', '{}')];
    end if;
    perform uplift.autopilot_note_spending();
    v_decisions := uplift.autopilot_keep_to_money();
    v_has_money := v_decisions = '{}';
    if uplift.did_something(v_decisions) then
        return v_decisions;
    elsif uplift.is_in_hours(now(), v_settings.quiet_from, v_settings.quiet_to) then
        return v_decisions || uplift.autopilot_note('bound', null, 'quiet hours', null, 'refused',
            format('nothing is done in quiet hours, %s:00 to %s:00 UTC (autopilot.quiet_from, autopilot.quiet_to)', v_settings.quiet_from, v_settings.quiet_to),
            jsonb_build_object('hour', extract(hour from now() at time zone 'UTC')));
    end if;
    v_decisions := v_decisions || uplift.autopilot_end_tests();
    if v_has_money and not uplift.did_something(v_decisions) then
        v_decisions := v_decisions || uplift.autopilot_try_model();
    end if;
    if v_has_money and not uplift.did_something(v_decisions) then
        v_decisions := v_decisions || uplift.autopilot_fine_tune();
    end if;
    if v_has_money and not uplift.did_something(v_decisions) then
        v_decisions := v_decisions || uplift.autopilot_begin_test();
    end if;
    return v_decisions;
end
$$;

comment on function uplift.autopilot_pass() is 'The next thing that autopilot does, and what it refuses before it; at most one, but for rollouts that are over. Its decisions (uplift.autopilot_note).';

create or replace function uplift.lock_autopilot() returns void
language sql volatile
as $$ select pg_advisory_xact_lock(hashtextextended('uplift autopilot', 0)) $$;

comment on function uplift.lock_autopilot() is 'Keeps the steps of autopilot and its switch one after another, until the transaction ends.';

create or replace function uplift.autopilot_rehearsal(p_settings jsonb) returns jsonb[]
language plpgsql volatile
as $$
declare
    v_decisions jsonb[] := array[]::jsonb[];
    v_some jsonb[];
begin
    perform uplift.lock_autopilot();
    -- The very same steps, of which nothing stays but what they said.
    begin
        perform uplift.put_autopilot_settings(p_settings);
        for v_step in 1 .. 20 loop
            v_some := uplift.autopilot_pass();
            v_decisions := v_decisions || array(select d from unnest(v_some) d where not d - 'is_news' = any (array(select x - 'is_news' from unnest(v_decisions) x)));
            exit when not uplift.did_something(v_some);
        end loop;
        raise exception using errcode = 'UPDRY', message = 'what was done to see what would be done';
    exception when sqlstate 'UPDRY' then
        null;
    end;
    return array(
        select d - 'is_news' || case when d ->> 'decision' = 'begun' and not exists (
            select from public.ai_experiments e where e.id = (d ->> 'subject_id')::uuid) or d ->> 'decision' = 'submitted' then '{"subject_id": null}' else '{}'::jsonb end
        from unnest(v_decisions) with ordinality x(d, n) order by x.n);
end
$$;

comment on function uplift.autopilot_rehearsal(jsonb) is
    'What autopilot would do now with these settings changed, whether it is on or not: does it, tells its decisions, and undoes it all. UP400 unknown_argument, invalid_NAME.';

create or replace function uplift_batch.autopilot_step(p_dry_run boolean) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_decisions jsonb[];
    v_news jsonb[];
begin
    if p_dry_run then
        v_decisions := uplift.autopilot_rehearsal('{}');
        v_news := array(
            select d from unnest(v_decisions) d where not exists (
                select from (
                    select k.decision, k.reason from uplift.autopilot_decisions k
                    where k.is_dry_run and k.kind = d ->> 'kind' and k.name is not distinct from d ->> 'name' and k.coach_id is not distinct from d ->> 'coach_id'
                    order by k.id desc limit 1) l
                where l.decision = d ->> 'decision' and l.reason = d ->> 'reason'));
        insert into uplift.autopilot_decisions (kind, subject_id, name, coach_id, decision, reason, numbers, who, is_dry_run)
        select d ->> 'kind', (d ->> 'subject_id')::uuid, d ->> 'name', d ->> 'coach_id', d ->> 'decision', d ->> 'reason', d -> 'numbers', 'autopilot', true
        from unnest(v_news) with ordinality x(d, n) order by x.n;
        return jsonb_build_object('enabled', (select s.is_enabled from uplift.autopilot_settings() s), 'goes_on', false, 'decisions', (
            select coalesce(jsonb_agg(d - 'numbers' order by n), '[]') from unnest(v_news) with ordinality x(d, n)));
    end if;
    perform uplift.lock_autopilot();
    -- Looked at behind the lock: whoever switched it off has done so by now.
    if not (select s.is_enabled from uplift.autopilot_settings() s) then
        return jsonb '{"enabled": false, "goes_on": false, "decisions": []}';
    end if;
    insert into uplift.autopilot_looks (looked_at) values (now()) on conflict (is_only) do update set looked_at = excluded.looked_at;
    v_decisions := uplift.autopilot_pass();
    return jsonb_build_object('enabled', true, 'goes_on', uplift.did_something(v_decisions), 'decisions', (
        select coalesce(jsonb_agg(d - '{numbers,is_news}'::text[] order by n), '[]') from unnest(v_decisions) with ordinality x(d, n) where (d ->> 'is_news')::boolean));
end
$$;

comment on function uplift_batch.autopilot_step(boolean) is
    'One step of autopilot, {enabled, goes_on: whether there may be another one, decisions: those that are news}; nothing while it is off. With p_dry_run all that it would do now, kept as decisions of a dry run, and nothing else.';
