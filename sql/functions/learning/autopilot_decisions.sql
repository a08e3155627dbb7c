-- What autopilot decides is kept with its reason; and how what it began comes to its end.

create or replace function uplift.autopilot_note(p_kind text, p_subject_id uuid, p_name text, p_coach_id text, p_decision text, p_reason text,
    p_numbers jsonb, p_who text default 'autopilot') returns jsonb
language plpgsql volatile
as $$
declare
    v_is_news boolean := p_decision not in ('refused', 'held') or not exists (
        select from (
            select d.decision, d.reason from uplift.autopilot_decisions d
            where d.kind = p_kind and not d.is_dry_run and d.name is not distinct from p_name
                and d.subject_id is not distinct from p_subject_id and d.coach_id is not distinct from p_coach_id
            order by d.id desc limit 1) l
        where l.decision = p_decision and l.reason = left(p_reason, 2000));
begin
    if v_is_news then
        insert into uplift.autopilot_decisions (kind, subject_id, name, coach_id, decision, reason, numbers, who)
        values (p_kind, p_subject_id, left(p_name, 300), p_coach_id, p_decision, left(p_reason, 2000), coalesce(p_numbers, '{}'), p_who);
    end if;
    return jsonb_build_object('kind', p_kind, 'subject_id', p_subject_id, 'name', left(p_name, 300), 'coach_id', p_coach_id, 'decision', p_decision,
        'reason', left(p_reason, 2000), 'numbers', coalesce(p_numbers, '{}'), 'is_news', v_is_news);
end
$$;

comment on function uplift.autopilot_note(text, uuid, text, text, text, text, jsonb, text) is
    'Keeps a decision, and returns it; what was refused or held for the same reason the last time is no news (is_news false), and not kept again.';

create or replace function uplift.autopilot_decided() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.autopilot_tally as t (kind, decision, count, last_at) values (new.kind, new.decision, 1, new.at)
    on conflict (kind, decision) do update set count = t.count + 1, last_at = greatest(t.last_at, excluded.last_at);
    return null;
end
$$;

comment on function uplift.autopilot_decided() is 'Trigger on autopilot_decisions: counts them in uplift.autopilot_tally.';

do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'uplift.autopilot_decisions'::regclass and tgname = 'uplift_autopilot_decided') then
        create trigger uplift_autopilot_decided after insert on uplift.autopilot_decisions
        for each row when (not new.is_dry_run) execute function uplift.autopilot_decided();
    end if;
end
$$;

create or replace function uplift.did_something(p_decisions jsonb[]) returns boolean
language sql immutable parallel safe
as $$ select exists (select from unnest(p_decisions) d where d ->> 'decision' not in ('refused', 'held')) $$;

comment on function uplift.did_something(jsonb[]) is 'Whether one of these decisions is more than a refusal.';

create or replace function uplift.autopilot_stop_test(p_experiment_id uuid, p_rollout_id uuid, p_reason text, p_who text) returns void
language plpgsql volatile
as $$
declare
    v_rollout uplift.rollouts;
begin
    if p_rollout_id is not null then
        v_rollout := uplift.find_rollout(p_rollout_id);
        if v_rollout.status = 'running' then
            perform uplift.end_rollout(v_rollout, 'rolled_back', p_who, p_reason);
        end if;
    else
        update public.ai_experiments e set status = 'completed', status_reason = null where e.id = p_experiment_id and e.status in ('running', 'paused');
        if found then
            perform uplift.note_experiment(p_experiment_id, 'stopped', p_who, p_reason);
        end if;
    end if;
end
$$;

comment on function uplift.autopilot_stop_test(uuid, uuid, text, text) is 'Ends an experiment, or a rollout by rolling it back, where it has not ended yet.';

create or replace function uplift.autopilot_keep_to_money() returns jsonb[]
language plpgsql volatile
as $$
declare
    v_decisions jsonb[] := array[]::jsonb[];
    v_use jsonb := uplift.autopilot_use();
    v_settings record;
    v_money record;
    v_test record;
    v_which text;
begin
    select s.* into v_settings from uplift.autopilot_settings() s;
    select m.* into v_money from uplift.autopilot_spent() m;
    v_which := case when v_money.usd_of_day > 0 and v_money.usd_of_day >= v_settings.max_usd_per_day then 'of the day is used up (autopilot.max_usd_per_day)'
        when v_money.usd_of_month > 0 and v_money.usd_of_month >= v_settings.max_usd_per_month then 'of the month is used up (autopilot.max_usd_per_month)' end;
    if v_which is null then
        return v_decisions;
    end if;
    for v_test in
        select t.*, (select sum(s.usd) from uplift.autopilot_spending s where s.subject_id = t.experiment_id) as usd,
            nullif(e.winner_variant, e.control_variant ->> 'variant_name') as winner
        from uplift.autopilot_tests() t left join public.ai_experiments e on e.id = t.experiment_id and t.rollout_id is null
        where t.is_running order by t.experiment_id
    loop
        continue when coalesce(v_test.usd, 0) <= 0;
        perform uplift.autopilot_stop_test(v_test.experiment_id, v_test.rollout_id, 'it costs more than production, and the money ' || v_which, 'autopilot');
        v_decisions := v_decisions || uplift.autopilot_note(case when v_test.rollout_id is null then 'experiment' else 'rollout' end,
            coalesce(v_test.rollout_id, v_test.experiment_id), v_test.name, v_test.coach_id, case when v_test.rollout_id is null then 'stopped' else 'discarded' end,
            'it costs more than production, and the money ' || v_which, v_use || jsonb_strip_nulls(jsonb_build_object('usd', trim_scale(v_test.usd), 'winner', v_test.winner)));
    end loop;
    return v_decisions || uplift.autopilot_note('bound', null, 'money', null, 'refused', 'nothing is begun: the money ' || v_which, v_use);
end
$$;

comment on function uplift.autopilot_keep_to_money() is
    'Where the money of the day or month is used up: ends autopilot''s tests that cost more than production, and says so. Its decisions; empty where there is money.';

create or replace function uplift.autopilot_stages(p_share numeric) returns jsonb
language sql immutable parallel safe
as $$
    -- As many again are compared with them.
    select jsonb_agg(distinct greatest(trunc(least(p_share / 2, 0.5) * s, 4), 0.0001)) from unnest('{0.1,0.5,1}'::numeric[]) s
$$;

comment on function uplift.autopilot_stages(numeric) is 'The stages of a rollout that may have so large a share of users in all: a tenth, half and all of it.';

create or replace function uplift.stages_with_users(p_stages jsonb, p_users bigint, p_min_users int) returns jsonb
language sql immutable parallel safe
as $$
    -- Twice as many, since some do not take part, or do not come in time. Where even the last one has too few, all stay: users may come.
    select case when l.share * p_users < p_min_users then p_stages else (
        select jsonb_agg(s.share order by s.share) from jsonb_array_elements_text(p_stages) x cross join lateral (select x.value::numeric) s(share)
        where s.share = l.share or s.share * p_users >= 2 * p_min_users) end
    from (select max(x.value::numeric) from jsonb_array_elements_text(p_stages) x) l(share)
$$;

comment on function uplift.stages_with_users(jsonb, bigint, int) is
    'Of the stages of a rollout the last, and those before to which so many users surely bring the least number that each needs: one with fewer would be waited in until the rollout is over.';

create or replace function uplift.stages_from(p_stages jsonb, p_share float8) returns jsonb
language sql immutable parallel safe
as $$
    select jsonb_agg(s.share order by s.share)
    from (select x.value::float8 as share, max(x.value::float8) over () as most from jsonb_array_elements_text(p_stages) x) s
    where s.share >= least(p_share, s.most)
$$;

comment on function uplift.stages_from(jsonb, float8) is
    'Of the stages of a rollout those that are as large as the share of users who had the candidate already, and the last one in any case: what so many had needs no trial on fewer.';

create or replace function uplift.autopilot_roll_out(p_name text, p_coach_id text, p_candidate jsonb, p_metric text, p_had_share float8 default 0) returns uuid
language sql volatile
as $$
    select (uplift_batch.admin_create_rollout(null, jsonb_strip_nulls(jsonb_build_object('name', left(p_name, 150), 'coach_id', p_coach_id,
        'success_metric', coalesce(p_metric, s.success_metric), 'min_users', s.min_users, 'min_stage_hours', s.min_stage_hours, 'max_days', s.max_test_days,
        'stages', uplift.stages_from(
            uplift.stages_with_users(uplift.autopilot_stages(s.max_share), uplift.recent_users(p_coach_id, uplift.touches_of(array[uplift.candidate_argument(p_candidate)])), s.min_users), p_had_share)))
        || p_candidate, 'autopilot') ->> 'id')::uuid
    from uplift.autopilot_settings() s
$$;

comment on function uplift.autopilot_roll_out(text, text, jsonb, text, float8) is
    'Begins a rollout of a candidate (as uplift.candidate_argument(), and its margin) within the bounds, which such a share of users had in an experiment; its id. Errors as uplift_batch.admin_create_rollout().';

create or replace function uplift.roll_out_winner(p_experiment public.ai_experiments, p_winner text) returns uuid
language sql volatile
as $$
    -- That it is better is proven, unless that changes with time. What is left to see is that it goes on like that.
    select uplift.autopilot_roll_out(p_experiment.experiment_name, p_experiment.targeting #>> '{coaches,0}',
        jsonb_build_object('experiment_id', p_experiment.id, 'variant', p_winner, 'margin', case when coalesce((
            select (l.figures #>> '{always_valid,has_drifted}')::boolean from uplift.experiment_looks l
            where l.experiment_id = p_experiment.id and l.metric = p_experiment.success_metric and l.variant = p_winner order by l.id desc limit 1), false)
            then 0 else 0.05 end), p_experiment.success_metric,
        -- 0 for a variant that there is not: what that is called is said by the call.
        coalesce((
            select coalesce(p_experiment.traffic_share, 1)::float8 * w.weight / w.sum
            from (
                select v ->> 'variant_name' as name, coalesce((v ->> 'weight')::float8, 1) as weight, sum(coalesce((v ->> 'weight')::float8, 1)) over () as sum
                from unnest(uplift.variants_of(p_experiment)) v) w
            where w.name = p_winner), 0))
$$;

comment on function uplift.roll_out_winner(public.ai_experiments, text) is
    'Begins the rollout of the variant that won one of autopilot''s experiments; its id. It begins with as many users as had it, and is promoted at its last stage where it is not worse by more than a twentieth of what production has; where the difference changed with time, where it is better. Errors as uplift_batch.admin_create_rollout().';

create or replace function uplift.autopilot_gives_way(p_experiment public.ai_experiments, p_is_money boolean) returns boolean
language sql stable
as $$
    select min(d.at) + s.max_held_days * interval '24 hours' <= now()
        -- The money of a month comes back with the next one, and until then nothing else could begin.
        and (not p_is_money or min(d.at) < date_trunc('month', now() at time zone 'UTC') at time zone 'UTC')
    from uplift.autopilot_settings() s join uplift.autopilot_decisions d on d.kind = 'experiment' and d.subject_id = p_experiment.id
        and d.decision = 'held' and not d.is_dry_run
    group by s.max_held_days
$$;

comment on function uplift.autopilot_gives_way(public.ai_experiments, boolean) is
    'Whether a winner has been held for autopilot.max_held_days, so that it is to make room: for lack of money, when a new month has not brought any either. Null for one that was not held yet.';

create or replace function uplift.autopilot_make_room(p_experiment public.ai_experiments, p_coach_id text, p_reason text, p_numbers jsonb) returns jsonb
language plpgsql volatile
as $$
begin
    perform uplift.autopilot_stop_test(p_experiment.id, null, p_reason, 'autopilot');
    return uplift.autopilot_note('experiment', p_experiment.id, p_experiment.experiment_name, p_coach_id, 'stopped', p_reason, p_numbers);
end
$$;

comment on function uplift.autopilot_make_room(public.ai_experiments, text, text, jsonb) is 'Stops an experiment of autopilot''s for a reason; the decision.';

create or replace function uplift.why_futile(p_experiment public.ai_experiments, p_figures jsonb) returns text
language sql stable
as $$
    select format('its chance to prove a gain in the time that is left is %s %% (autopilot.min_chance)', trim_scale(round(100 * max(x.chance), 2)))
    from uplift.autopilot_settings() s cross join uplift.metrics() m
    cross join lateral unnest(p_experiment.test_variants) v
    cross join lateral (select p_figures #> array['variants', v ->> 'variant_name'] as figures) f
    cross join lateral (
        select (f.figures ->> 'chance_to_prove')::numeric as chance, (f.figures ->> 'elapsed')::float8 as elapsed,
            coalesce((case when m.better > 0 then f.figures ->> 'lower' else f.figures ->> 'upper' end)::numeric * m.better > 0, false) as is_proven) x
    where m.metric = p_experiment.success_metric
        and (select min(u.value::float8) from jsonb_array_elements_text(nullif(p_figures -> 'users', 'null')) u) >= coalesce(p_experiment.min_users, 100)
    group by s.min_chance
    -- Each look is a chance to be wrong, and the first ones know least. What was proven waits for something else. Of a look of long ago nothing follows.
    having count(x.chance) = count(*) and max(x.chance) < s.min_chance and min(x.elapsed) >= 0.2 and not bool_or(x.is_proven)
        and abs(uplift.elapsed_of_test(p_experiment) - min(x.elapsed)) <= 0.1
$$;

comment on function uplift.why_futile(public.ai_experiments, jsonb) is
    'Why an experiment is not worth its time any more, by uplift.autopilot_figures(), in words; null where it is, or where that cannot be said: in the first fifth of its time (uplift.elapsed_of_test), by a look that is older than a tenth of it, with few users, or where a gain was proven.';

create or replace function uplift.autopilot_end_rollout(p_rollout uplift.rollouts) returns jsonb
language plpgsql volatile
as $$
declare
    v_experiment public.ai_experiments;
    v_figures jsonb := uplift.autopilot_figures(p_rollout.experiment_id);
    v_reason text;
begin
    select e.* into v_experiment from public.ai_experiments e where e.id = p_rollout.experiment_id;
    v_reason := case when p_rollout.margin = 0 then uplift.why_futile(v_experiment, v_figures) end;
    if v_reason is null then
        return null;
    end if;
    perform uplift.autopilot_stop_test(v_experiment.id, p_rollout.id, v_reason, 'autopilot');
    return uplift.autopilot_note('rollout', p_rollout.id, p_rollout.name, p_rollout.coach_id, 'discarded', v_reason, v_figures);
end
$$;

comment on function uplift.autopilot_end_rollout(uplift.rollouts) is
    'Takes back one of autopilot''s rollouts that is unlikely to be proven better (uplift.why_futile); the decision, null where it goes on.';

create or replace function uplift.autopilot_end_experiment(p_experiment public.ai_experiments) returns jsonb
language plpgsql volatile
as $$
declare
    v_settings record;
    v_winner text := p_experiment.winner_variant;
    v_coach text := p_experiment.targeting #>> '{coaches,0}';
    v_figures jsonb := uplift.autopilot_figures(p_experiment.id) || jsonb_build_object('confidence', trim_scale(round(p_experiment.confidence_level, 6)),
        'days', round((extract(epoch from now() - p_experiment.start_date) / 86400)::numeric, 1));
    v_reason text;
    v_code text;
    v_rollout uuid;
begin
    select s.* into v_settings from uplift.autopilot_settings() s;
    -- By which it is found when it is not rolled out (uplift.autopilot_winners_left).
    if v_winner <> p_experiment.control_variant ->> 'variant_name' then
        v_figures := v_figures || jsonb_build_object('winner', v_winner);
    end if;
    v_reason := case
        when p_experiment.status = 'paused' and p_experiment.status_reason is not null then 'it was paused: ' || p_experiment.status_reason
        -- By a person, who will go on with it or stop it.
        when p_experiment.status = 'paused' then null
        when v_winner = p_experiment.control_variant ->> 'variant_name' then 'as it is now is better than what was tried'
        when v_winner is not null and (p_experiment.targeting - 'coaches' <> '{}' or jsonb_array_length(p_experiment.targeting -> 'coaches') > 1)
            then format('"%s" wins, but it was tried on some users only: whether it is for others is for a person to say', v_winner)
        when v_winner is null and p_experiment.start_date + v_settings.max_test_days * interval '24 hours' <= now()
            then format('nothing proved to be better in %s days (autopilot.max_test_days)', v_settings.max_test_days)
        when v_winner is null then uplift.why_futile(p_experiment, v_figures) end;
    if v_reason is not null then
        return uplift.autopilot_make_room(p_experiment, v_coach, v_reason, v_figures);
    elsif v_winner is null or p_experiment.status <> 'running' then
        return null;
    end if;
    v_reason := format('"%s" wins: its %s is better than as it is now', v_winner, p_experiment.success_metric);
    if uplift.is_out_of_money() then
        if uplift.autopilot_gives_way(p_experiment, true) then
            return uplift.autopilot_make_room(p_experiment, v_coach, format('"%s" wins, and there was no money to roll it out in %s days (autopilot.max_held_days)',
                v_winner, v_settings.max_held_days), v_figures);
        end if;
        return uplift.autopilot_note('experiment', p_experiment.id, p_experiment.experiment_name, v_coach, 'held',
            format('"%s" wins, and is not rolled out before there is money again', v_winner), v_figures);
    end if;
    begin
        perform uplift.autopilot_stop_test(p_experiment.id, null, v_reason, 'autopilot');
        v_rollout := uplift.roll_out_winner(p_experiment, v_winner);
    exception when others then
        if sqlstate not like 'UP%' then
            raise;
        end if;
        get stacked diagnostics v_code = pg_exception_detail;
        v_reason := sqlerrm;
    end;
    if v_rollout is null then
        -- A coach or model that is gone does not come back; others end, and a price may be set.
        if v_code in ('coach_not_found', 'variant_not_found', 'invalid_changes') or cardinality(uplift.experiment_problems(p_experiment)) > 0 then
            return uplift.autopilot_make_room(p_experiment, v_coach, format('"%s" wins, and can never be rolled out: %s', v_winner, v_reason), v_figures);
        elsif uplift.autopilot_gives_way(p_experiment, false) then
            return uplift.autopilot_make_room(p_experiment, v_coach, format('"%s" wins, and could not be rolled out in %s days (autopilot.max_held_days): %s',
                v_winner, v_settings.max_held_days, v_reason), v_figures);
        end if;
        return uplift.autopilot_note('experiment', p_experiment.id, p_experiment.experiment_name, v_coach, 'held',
            format('"%s" wins, and cannot be rolled out: %s', v_winner, v_reason), v_figures);
    end if;
    return uplift.autopilot_note('experiment', p_experiment.id, p_experiment.experiment_name, v_coach, 'rolled_out', v_reason,
        v_figures || jsonb_build_object('rollout_id', v_rollout));
end
$$;

comment on function uplift.autopilot_end_experiment(public.ai_experiments) is
    'What becomes of a locked experiment of autopilot''s that has not ended: a winner is rolled out in its place, and makes room where that can never be or could not for autopilot.max_held_days; by control''s win, by a pause for cause, for want of a chance (uplift.why_futile) or after autopilot.max_test_days it is stopped. The decision; null for none yet.';

create or replace function uplift.autopilot_end_tests() returns jsonb[]
language plpgsql volatile
as $$
declare
    v_decisions jsonb[] := array[]::jsonb[];
    v_experiment public.ai_experiments;
    v_rollout uplift.rollouts;
    v_decision jsonb;
begin
    -- What watch-rollouts did is told here, too.
    for v_rollout in
        select r.* from uplift.rollouts r
        where r.created_by = 'autopilot' and r.status <> 'running' and not exists (
            select from uplift.autopilot_decisions d
            where d.kind = 'rollout' and d.subject_id = r.id and d.decision in ('promoted', 'discarded') and not d.is_dry_run)
        order by r.id
    loop
        v_decisions := v_decisions || uplift.autopilot_note('rollout', v_rollout.id, v_rollout.name, v_rollout.coach_id,
            case v_rollout.status when 'promoted' then 'promoted' else 'discarded' end, v_rollout.reason, uplift.autopilot_figures(v_rollout.experiment_id));
    end loop;
    -- All before the first is ended: the next lock is that of experiments.
    perform from uplift.rollouts r where r.created_by = 'autopilot' and r.status = 'running' order by r.id for update;
    for v_rollout in select r.* from uplift.rollouts r where r.created_by = 'autopilot' and r.status = 'running' order by r.id loop
        v_decision := uplift.autopilot_end_rollout(v_rollout);
        v_decisions := case when v_decision is not null then v_decisions || v_decision else v_decisions end;
    end loop;
    for v_experiment in
        select e.* from public.ai_experiments e join uplift.autopilot_tests() t on t.experiment_id = e.id and t.rollout_id is null
        where e.status in ('running', 'paused') order by e.id for update of e
    loop
        v_decision := uplift.autopilot_end_experiment(v_experiment);
        v_decisions := case when v_decision is not null then v_decisions || v_decision else v_decisions end;
        exit when uplift.did_something(v_decisions);
    end loop;
    return v_decisions;
end
$$;

comment on function uplift.autopilot_end_tests() is
    'Says what became of autopilot''s rollouts, takes back those that are unlikely to be proven better, and does with the first of its experiments that is at its end what follows. Its decisions.';
