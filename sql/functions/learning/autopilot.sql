-- Autopilot: tries one thing after another within bounds, keeps what wins, and says why.
--
-- Each step is one transaction under one lock and follows from what the tables say, so a runner that
-- dies half-way did nothing, and the next one decides the same anew. What it may not do is a decision,
-- too. What it began is told by who: 'autopilot', which no admin is called.

-- --- what it can try ---

create or replace function uplift.prompt_templates() returns table (name text, words text)
language sql immutable parallel safe
as $$
    values ('shorter', 'Keep answers short: say what matters in a few sentences, and go into detail only when asked to.'),
        ('more concrete', 'Be concrete: name the next step, with numbers, times and an example that fit what the user said.'),
        ('one question', 'End with one short question that helps the user go on, and never with more than one.'),
        ('more encouragement', 'Say first what the user is doing well, honestly and in particular, before you say what to change.')
$$;

comment on function uplift.prompt_templates() is 'Words that autopilot tries at the end of a coach''s prompt.';

create or replace function uplift.with_words(p_suffix text, p_words text) returns text
language sql immutable parallel safe
as $$
    -- A playbook stays at the end, by which it is known (uplift.has_playbook).
    select case when at > 0 then concat_ws(e'\n\n', nullif(btrim(left(p_suffix, at - 1), e' \n'), ''), p_words, substr(p_suffix, at))
        else concat_ws(e'\n', p_suffix, p_words) end
    from (select coalesce(position('# Guidelines' in p_suffix), 0)) x(at)
$$;

comment on function uplift.with_words(text, text) is 'What production adds to a prompt, with more words, which come before the guidelines of a playbook.';

create or replace function uplift.prompt_name(p_id bigint) returns text
language sql immutable parallel safe
as $$ select 'prompt: ' || p_id || ' by a model' $$;

comment on function uplift.prompt_name(bigint) is 'What a row of uplift.autopilot_prompts is called as a candidate.';

create or replace function uplift.autopilot_catalogue(p_coach_id text) returns table (place int, name text, changes jsonb, hypothesis text)
language sql stable
as $$
    with now_serves as (
        select c.changes, coalesce((c.changes ->> 'severity')::numeric, 3.0) as severity, c.changes ->> 'prompt_suffix' as suffix
        from uplift.changes_in_production(p_coach_id) c(changes)
    )
    select 10 + s.n, 'severity ' || round(s.severity, 1), jsonb_build_object('severity', round(s.severity, 1)),
        format('Severity %s is liked better than %s.', round(s.severity, 1), p.severity)
    from now_serves p
    -- As far as it takes to come to other words: within a band a model is told the same.
    cross join lateral (
        select 1, max(x) from generate_series(p.severity - 0.5, 1, -0.5) x where uplift.severity_band(x) <> uplift.severity_band(p.severity)
        union all
        select 2, min(x) from generate_series(p.severity + 0.5, 6, 0.5) x where uplift.severity_band(x) <> uplift.severity_band(p.severity)) s(n, severity)
    where s.severity is not null
    union all
    -- Beside what production adds already.
    select 20 + t.n::int, 'prompt: ' || t.name, jsonb_build_object('prompt_suffix', uplift.with_words(p.suffix, t.words)),
        format('Answers are liked better with the words "%s"', t.words)
    from now_serves p cross join lateral (select x.*, row_number() over () as n from uplift.prompt_templates() x) t
    where coalesce(position(t.words in p.suffix), 0) = 0 and length(uplift.with_words(p.suffix, t.words)) <= 20000
    union all
    select 25, uplift.prompt_name(w.id), jsonb_build_object('prompt_suffix', uplift.with_words(p.suffix, w.words)),
        format('Answers are liked better with the words "%s"', w.words)
    from now_serves p cross join uplift.autopilot_prompts w
    where w.coach_id is not distinct from p_coach_id and coalesce(position(w.words in p.suffix), 0) = 0
        and length(uplift.with_words(p.suffix, w.words)) <= 20000
    union all
    select 30 + r.n, r.name, jsonb_build_object(r.key, jsonb_build_object(r.member, r.value)), r.hypothesis
    from now_serves p cross join (
        select x.*, n.number as now_is, case when x.step < 1 then least(n.number + x.step, x.most) else trunc(least(n.number * x.step, x.most)) end as value
        from (values
            (1, 'examples: more', 'examples', 'max_tokens', 400, 2, 20000, 'Twice the room for examples of liked answers makes better ones.'),
            (2, 'examples: closer', 'examples', 'min_score', 0.5, 0.2, 10, 'Only examples that are closer to the question make better answers.'),
            (3, 'memory: more', 'memory', 'max_tokens', 300, 2, 20000, 'Twice the room for memories makes better answers.'),
            (4, 'memory: more of earlier conversations', 'memory', 'passage_tokens', 300, 2, 20000, 'Twice the room for earlier conversations makes better answers.'))
            x(n, name, key, member, first, step, most, hypothesis)
        cross join lateral (select uplift.setting_number(x.key || '.' || x.member, x.first) as number) n) r
    -- Where there is none, twice of it is none.
    where not p.changes ? r.key and r.value > r.now_is
$$;

comment on function uplift.autopilot_catalogue(text) is
    'What autopilot can try for a coach (null: for all) beside what is production now: steps of severity, uplift.prompt_templates(), words by a model (uplift.autopilot_prompts), policies of examples and memory.';

-- --- how it decides ---

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
        select t.*, (select sum(s.usd) from uplift.autopilot_spending s where s.subject_id = t.experiment_id) as usd
        from uplift.autopilot_tests() t where t.is_running order by t.experiment_id
    loop
        continue when coalesce(v_test.usd, 0) <= 0;
        perform uplift.autopilot_stop_test(v_test.experiment_id, v_test.rollout_id, 'it costs more than production, and the money ' || v_which, 'autopilot');
        v_decisions := v_decisions || uplift.autopilot_note(case when v_test.rollout_id is null then 'experiment' else 'rollout' end,
            coalesce(v_test.rollout_id, v_test.experiment_id), v_test.name, v_test.coach_id, case when v_test.rollout_id is null then 'stopped' else 'discarded' end,
            'it costs more than production, and the money ' || v_which, v_use || jsonb_build_object('usd', trim_scale(v_test.usd)));
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

create or replace function uplift.autopilot_roll_out(p_name text, p_coach_id text, p_candidate jsonb, p_metric text) returns uuid
language sql volatile
as $$
    select (uplift_batch.admin_create_rollout(null, jsonb_strip_nulls(jsonb_build_object('name', left(p_name, 150), 'coach_id', p_coach_id,
        'success_metric', coalesce(p_metric, s.success_metric), 'min_users', s.min_users, 'min_stage_hours', s.min_stage_hours, 'max_days', s.max_test_days,
        'stages', uplift.stages_with_users(uplift.autopilot_stages(s.max_share / s.max_at_once), uplift.recent_users(p_coach_id), s.min_users)))
        || p_candidate, 'autopilot') ->> 'id')::uuid
    from uplift.autopilot_settings() s
$$;

comment on function uplift.autopilot_roll_out(text, text, jsonb, text) is 'Begins a rollout of a candidate (as uplift.candidate_argument()) within the bounds; its id. Errors as uplift_batch.admin_create_rollout().';

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
    v_rollout uuid;
begin
    select s.* into v_settings from uplift.autopilot_settings() s;
    v_reason := case
        when p_experiment.status = 'paused' and p_experiment.status_reason is not null then 'it was paused: ' || p_experiment.status_reason
        -- By a person, who will go on with it or stop it.
        when p_experiment.status = 'paused' then null
        when v_winner = p_experiment.control_variant ->> 'variant_name' then 'as it is now is better than what was tried'
        when v_winner is not null and (p_experiment.targeting - 'coaches' <> '{}' or jsonb_array_length(p_experiment.targeting -> 'coaches') > 1)
            then format('"%s" wins, but it was tried on some users only: whether it is for others is for a person to say', v_winner)
        when v_winner is null and p_experiment.start_date + v_settings.max_test_days * interval '24 hours' <= now()
            then format('nothing proved to be better in %s days (autopilot.max_test_days)', v_settings.max_test_days) end;
    if v_reason is not null then
        perform uplift.autopilot_stop_test(p_experiment.id, null, v_reason, 'autopilot');
        return uplift.autopilot_note('experiment', p_experiment.id, p_experiment.experiment_name, v_coach, 'stopped', v_reason, v_figures);
    elsif v_winner is null or p_experiment.status <> 'running' then
        return null;
    end if;
    v_reason := format('"%s" wins: its %s is better than as it is now', v_winner, p_experiment.success_metric);
    if uplift.is_out_of_money() then
        return uplift.autopilot_note('experiment', p_experiment.id, p_experiment.experiment_name, v_coach, 'held',
            format('"%s" wins, and is not rolled out before there is money again', v_winner), v_figures);
    end if;
    begin
        perform uplift.autopilot_stop_test(p_experiment.id, null, v_reason, 'autopilot');
        v_rollout := uplift.autopilot_roll_out(p_experiment.experiment_name, v_coach,
            jsonb_build_object('experiment_id', p_experiment.id, 'variant', v_winner), p_experiment.success_metric);
    exception when others then
        if sqlstate not like 'UP%' then
            raise;
        end if;
        return uplift.autopilot_note('experiment', p_experiment.id, p_experiment.experiment_name, v_coach, 'held',
            format('"%s" wins, and cannot be rolled out: %s', v_winner, sqlerrm), v_figures);
    end;
    return uplift.autopilot_note('experiment', p_experiment.id, p_experiment.experiment_name, v_coach, 'rolled_out', v_reason,
        v_figures || jsonb_build_object('rollout_id', v_rollout));
end
$$;

comment on function uplift.autopilot_end_experiment(public.ai_experiments) is
    'What becomes of a locked experiment of autopilot''s that has not ended: a winner is rolled out in its place, by control''s win, by a pause for cause or after autopilot.max_test_days it is stopped. The decision; null for none yet.';

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
    'Says what became of autopilot''s rollouts, and does with the first of its experiments that is at its end what follows. Its decisions.';

create or replace function uplift.autopilot_room() returns text
language sql stable
as $$
    select case when (u ->> 'at_once')::int >= s.max_at_once then format('as many tests run as may at once, %s (autopilot.max_at_once)', s.max_at_once)
        when (u ->> 'share')::numeric + s.max_share / s.max_at_once > s.max_share + 0.000001
            then format('the share of users in tests would be more than %s (autopilot.max_share)', trim_scale(s.max_share)) end
    from uplift.autopilot_settings() s cross join uplift.autopilot_use() u
$$;

comment on function uplift.autopilot_room() is 'Why no further test fits within the bounds, in words; null where one does. Each may have max_share / max_at_once of users.';

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

create or replace function uplift.autopilot_begin_test() returns jsonb[]
language plpgsql volatile
as $$
declare
    v_decisions jsonb[] := array[]::jsonb[];
    v_settings record;
    v_full text := uplift.autopilot_room();
    v_share numeric;
    v_numbers jsonb;
    v_candidate record;
    v_id uuid;
begin
    select s.* into v_settings from uplift.autopilot_settings() s;
    if v_full is not null then
        return array[uplift.autopilot_note('bound', null, 'tests', null, 'refused', 'nothing is begun: ' || v_full, uplift.autopilot_use())];
    end if;
    v_share := trunc(v_settings.max_share / v_settings.max_at_once, 6);
    for v_candidate in
        -- What was never tried goes first, of that what people thought of, and then what was tried longest ago. A playbook that has
        -- changed is tried again: otherwise one that changes each week would keep all else from being tried.
        select e.experiment_name as name, e.targeting #>> '{coaches,0}' as coach_id, e.id, null::jsonb as changes, coalesce(e.hypothesis, e.description) as hypothesis,
            0 as place, e.created_at, (
                select max(a.start_date) from uplift.playbook_versions v join uplift.playbook_arms a on a.coach_id = v.coach_id
                where v.experiment_id = e.id) as tried_at
        from public.ai_experiments e
        where e.status = 'draft' and e.start_date is null
            and (e.description ilike 'playbook%' or exists (select from uplift.playbook_versions v where v.experiment_id = e.id))
        union all
        select c.name, w.coach_id, null, c.changes, c.hypothesis, c.place, null, t.at
        from unnest(v_settings.coaches) w(coach_id) cross join lateral uplift.autopilot_catalogue(w.coach_id) c
        cross join lateral (
            select max(d.at) as at from uplift.autopilot_decisions d
            where d.kind = 'candidate' and d.name = c.name and d.coach_id is not distinct from w.coach_id and d.decision = 'begun' and not d.is_dry_run) t
        where t.at is null or t.at <= now() - v_settings.retry_days * interval '24 hours'
        order by tried_at nulls first, place, created_at, coach_id nulls first, name
    loop
        v_id := v_candidate.id;
        begin
            if v_id is null then
                v_id := (uplift_batch.admin_create_experiment(null, jsonb_strip_nulls(jsonb_build_object(
                    'experiment_name', format('autopilot %s %s', translate(concat_ws(' ', v_candidate.name, v_candidate.coach_id), '=,', '  '),
                        to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')),
                    'description', 'Begun by autopilot', 'hypothesis', v_candidate.hypothesis, 'success_metric', v_settings.success_metric,
                    'control_variant', jsonb_build_object('variant_name', 'as it is'),
                    'test_variants', jsonb_build_array(jsonb_build_object('variant_name', v_candidate.name) || v_candidate.changes),
                    'guardrails', uplift.default_guardrails(v_settings.success_metric), 'traffic_share', v_share, 'min_users', v_settings.min_users,
                    'tuning_users', uplift.tuning_users_for(v_candidate.coach_id, v_share),
                    'targeting', case when v_candidate.coach_id is not null then jsonb_build_object('coaches', jsonb_build_array(v_candidate.coach_id)) end)),
                    'autopilot') ->> 'id')::uuid;
            else
                -- What it adds to may have changed since it was drafted: production keeps what it was given meanwhile.
                perform uplift.draft_playbook(v, v_id, 'autopilot') from uplift.playbook_versions v where v.experiment_id = v_id;
                update public.ai_experiments e set traffic_share = least(coalesce(e.traffic_share, 1), v_share),
                    tuning_users = least(e.tuning_users, uplift.tuning_users_for(v_candidate.coach_id, v_share)),
                    guardrails = coalesce(e.guardrails, uplift.default_guardrails(e.success_metric)) where e.id = v_id;
            end if;
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
        v_numbers := uplift.autopilot_use() || (select jsonb_build_object('experiment_share', trim_scale(e.traffic_share)) from public.ai_experiments e where e.id = v_id);
        return v_decisions || uplift.autopilot_note('candidate', v_id, v_candidate.name, v_candidate.coach_id, 'begun',
            case when v_candidate.id is not null then 'a draft of a playbook waits' else format('it was not tried in the last %s days (autopilot.retry_days)', v_settings.retry_days) end
                || coalesce(': ' || v_candidate.hypothesis, ''), v_numbers);
    end loop;
    return v_decisions || uplift.autopilot_note('bound', null, 'tests', null, 'held', 'nothing is left to try: all was tried not long ago (autopilot.retry_days), or cannot begin now', '{}');
end
$$;

comment on function uplift.autopilot_begin_test() is
    'Begins the next candidate, where a test fits within the bounds: drafts of playbooks (uplift.playbook_versions) and those whose description begins with "playbook" first, then uplift.autopilot_catalogue(), not what was tried in the last autopilot.retry_days; what was tried before (of a playbook, an earlier version) after what was not, and that longest ago first. Its decisions.';

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

comment on function uplift.autopilot_pass() is 'The next thing that autopilot does, one at most, and what it refuses before it. Its decisions (uplift.autopilot_note).';

create or replace function uplift.rated_words(p_coach_id text, p_is_liked boolean) returns text[]
language sql stable
as $$
    -- Redacted already. Who takes consent back is heard at once, before the job that withdraws examples has come.
    select coalesce(array_agg(x.words order by x.id desc), '{}') from (
        select e.id, uplift.as_data(e.completion #>> '{0,content}', 600) as words
        from (
            -- Where nobody dislikes a coach, all that there ever was would be looked through, each hour.
            select l.* from public.ai_training_examples l
            where l.dataset_id = (select d.id from public.ai_training_datasets d where d.dataset_name = 'User Feedback - Unpaired' order by d.created_at limit 1)
            order by l.id desc limit 20000) e
        where e.label = p_is_liked and e.withdrawn_at is null and e.review is distinct from 'rejected'
            and (p_coach_id is null or e.coach_id = p_coach_id) and e.completion #>> '{0,content}' <> ''
            and not exists (select from uplift.training_example_sources s where s.example_id = e.id and not uplift.may_train(s.user_id))
        order by e.id desc limit 15) x
$$;

comment on function uplift.rated_words(text, boolean) is 'The last 15 answers of a coach (null: of any) that were liked, or that were not, among the last 20,000 with a thumb, as training examples have them, of users who let their answers train models, at most 600 characters of each.';

create or replace function uplift_batch.autopilot_material() returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_settings record;
    v_coach text;
    v_liked text[];
    v_disliked text[];
begin
    select s.* into v_settings from uplift.autopilot_settings() s;
    if not v_settings.model_prompts or uplift.autopilot_rests() is not null or uplift.autopilot_missing_bounds() is not null or uplift.is_out_of_money() then
        return jsonb_build_object('is_on', v_settings.model_prompts and v_settings.is_enabled);
    end if;
    foreach v_coach in array v_settings.coaches loop
        -- Not as long as there are some to try, nor again and again.
        continue when exists (
            select from uplift.autopilot_prompts p where p.coach_id is not distinct from v_coach and not exists (
                select from uplift.autopilot_decisions d where d.kind = 'candidate' and d.name = uplift.prompt_name(p.id) and d.decision = 'begun' and not d.is_dry_run));
        continue when exists (
            select from uplift.autopilot_decisions d
            where d.kind = 'candidate' and d.decision = 'proposed' and d.coach_id is not distinct from v_coach and d.at > now() - interval '168 hours');
        v_liked := uplift.rated_words(v_coach, true);
        v_disliked := uplift.rated_words(v_coach, false);
        continue when cardinality(v_liked) < 5 or cardinality(v_disliked) < 5;
        return jsonb_build_object('is_on', true, 'coach_id', v_coach, 'data', format(e'<liked>\n%s\n</liked>\n<disliked>\n%s\n</disliked>',
            array_to_string(v_liked, e'\n'), array_to_string(v_disliked, e'\n')));
    end loop;
    return '{"is_on": true}'::jsonb;
end
$$;

comment on function uplift_batch.autopilot_material() is
    'What a model is to make words of that autopilot can try, {is_on, coach_id, data: liked and disliked answers of the coach}: where it may ask one (autopilot.model_prompts), is on, is within its hours and money, has none left to try for that coach, did not ask for it in the last 7 days, and there are five answers of each; else without data.';

create or replace function uplift_batch.keep_autopilot_prompts(p_coach_id text, p_found jsonb, p_model text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_answers text[] := uplift.rated_words(p_coach_id, true) || uplift.rated_words(p_coach_id, false);
    v_kept int;
    v_dropped int;
begin
    perform uplift.lock_autopilot();
    with found as (
        select distinct btrim(f.words) as words from jsonb_array_elements_text(p_found) f(words)
    ), kept as (
        insert into uplift.autopilot_prompts (coach_id, words, made_by)
        select p_coach_id, f.words, left(p_model, 256) from found f
        where uplift.guideline_problem(f.words, false, null, v_answers) is null and not exists (select from uplift.prompt_templates() t where t.words = f.words)
        order by f.words limit 3
        on conflict do nothing returning 1
    )
    select (select count(*) from kept), (select count(*) from found) - (select count(*) from kept) into v_kept, v_dropped;
    perform uplift.autopilot_note('candidate', null, 'words by a model', p_coach_id, 'proposed',
        format('%s was asked what liked answers have that disliked ones have not', left(p_model, 256)), jsonb_build_object('kept', v_kept, 'dropped', v_dropped));
    return jsonb_build_object('kept', v_kept, 'dropped', v_dropped);
end
$$;

comment on function uplift_batch.keep_autopilot_prompts(text, jsonb, text) is
    'Keeps words that a model made of uplift_batch.autopilot_material(), [text], three at most, as far as they may be a guideline (uplift.guideline_problem) and are new; a decision, also where there were none. {kept, dropped}.';

create or replace function uplift_batch.note_autopilot_cost(p_job_id uuid, p_usd numeric) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
    insert into uplift.autopilot_spending as s (subject_id, day, usd)
    select p_job_id, d.today, p_usd - coalesce((select sum(b.usd) from uplift.autopilot_spending b where b.subject_id = p_job_id and b.day < d.today), 0)
    from (select (now() at time zone 'UTC')::date as today) d where p_usd > 0
    on conflict (subject_id, day) do update set usd = excluded.usd
$$;

comment on function uplift_batch.note_autopilot_cost(uuid, numeric) is 'Notes what a batch job paid a model for autopilot, in US dollars in all; null where no price is known.';

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
    v_decisions := uplift.autopilot_pass();
    return jsonb_build_object('enabled', true, 'goes_on', uplift.did_something(v_decisions), 'decisions', (
        select coalesce(jsonb_agg(d - '{numbers,is_news}'::text[] order by n), '[]') from unnest(v_decisions) with ordinality x(d, n) where (d ->> 'is_news')::boolean));
end
$$;

comment on function uplift_batch.autopilot_step(boolean) is
    'One step of autopilot, {enabled, goes_on: whether there may be another one, decisions: those that are news}; nothing while it is off. With p_dry_run all that it would do now, kept as decisions of a dry run, and nothing else.';
