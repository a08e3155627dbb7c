-- Autopilot: tries one thing after another within bounds, keeps what wins, and says why.
--
-- Each step is one transaction under one lock and follows from what the tables say, so a runner that
-- dies half-way did nothing, and the next one decides the same anew. What it may not do is a decision,
-- too. What it began is told by who: 'autopilot', which no admin is called.

-- --- what it may do ---

create or replace function uplift.setting_text(p_key text) returns text
language sql stable
as $$ select s.value #>> '{}' from uplift.settings s where s.key = p_key and jsonb_typeof(s.value) = 'string' $$;

comment on function uplift.setting_text(text) is 'A text of uplift.settings, or null.';

-- A number outside its limits, which only SQL can have put there, is none: what is a bound then keeps it from starting.
create or replace function uplift.setting_within(p_key text, p_least numeric, p_most numeric) returns numeric
language sql stable
as $$ select x.n from uplift.setting_number(p_key, null) x(n) where x.n between p_least and p_most $$;

comment on function uplift.setting_within(text, numeric, numeric) is 'A number of uplift.settings that is within limits, or null.';

create or replace function uplift.autopilot_settings(out is_enabled boolean, out max_usd_per_day numeric, out max_usd_per_month numeric,
    out max_share numeric, out max_at_once int, out quiet_from int, out quiet_to int, out fine_tunes boolean, out dataset text,
    out base_model text, out trainer text, out model_prompts boolean, out coaches text[], out success_metric text, out min_users int, out min_stage_hours numeric,
    out max_test_days numeric, out retry_days numeric)
language sql stable
as $$
    select coalesce((select s.value = 'true' from uplift.settings s where s.key = 'autopilot.enabled'), false),
        uplift.setting_within('autopilot.max_usd_per_day', 0, 1000000), uplift.setting_within('autopilot.max_usd_per_month', 0, 1000000),
        uplift.setting_within('autopilot.max_share', 0.001, 1), trunc(uplift.setting_within('autopilot.max_at_once', 1, 20))::int,
        trunc(uplift.setting_within('autopilot.quiet_from', 0, 23))::int, trunc(uplift.setting_within('autopilot.quiet_to', 0, 23))::int,
        coalesce((select s.value = 'true' from uplift.settings s where s.key = 'autopilot.fine_tunes'), false),
        coalesce(uplift.setting_text('autopilot.dataset'), 'User Feedback - Positive Responses'),
        uplift.setting_text('autopilot.base_model'), uplift.setting_text('autopilot.trainer'),
        coalesce((select s.value = 'true' from uplift.settings s where s.key = 'autopilot.model_prompts'), false),
        -- By its position: null is all coaches at once.
        coalesce((select array(select jsonb_array_elements_text(s.value)) from uplift.settings s
            where s.key = 'autopilot.coaches' and jsonb_typeof(s.value) = 'array' and s.value <> '[]'), array[null]::text[]),
        coalesce((select m.metric from uplift.metrics() m where m.metric = uplift.setting_text('autopilot.success_metric') and m.metric <> 'errors'), 'thumbs_up_rate'),
        trunc(coalesce(uplift.setting_within('autopilot.min_users', 2, 10000000), 100))::int,
        coalesce(uplift.setting_within('autopilot.min_stage_hours', 0, 10000), 24),
        coalesce(uplift.setting_within('autopilot.max_test_days', 0.01, 1000), 28),
        coalesce(uplift.setting_within('autopilot.retry_days', 0, 10000), 90)
$$;

comment on function uplift.autopilot_settings(out boolean, out numeric, out numeric, out numeric, out int, out int, out int, out boolean, out text, out text,
    out text, out boolean, out text[], out text, out int, out numeric, out numeric, out numeric) is
    'The settings autopilot.*, with what holds where they are not set; null for a bound without a value that makes sense.';

create or replace function uplift.autopilot_missing_bounds() returns text
language sql stable
as $$
    select string_agg(v.name, ', ') from uplift.autopilot_settings() s
    cross join lateral (values ('max_usd_per_day', s.max_usd_per_day), ('max_usd_per_month', s.max_usd_per_month),
        ('max_share', s.max_share), ('max_at_once', s.max_at_once::numeric)) v(name, value)
    where v.value is null
$$;

comment on function uplift.autopilot_missing_bounds() is 'The bounds that autopilot needs and that are not set, by name; null for none.';

create or replace function uplift.is_in_hours(p_at timestamptz, p_from int, p_to int) returns boolean
language sql immutable parallel safe
as $$
    select coalesce(case when p_from < p_to then h >= p_from and h < p_to when p_from > p_to then h >= p_from or h < p_to else false end, false)
    from (select extract(hour from p_at at time zone 'UTC')) x(h)
$$;

comment on function uplift.is_in_hours(timestamptz, int, int) is
    'Whether a time is in the hours, UTC, from one to before another, over midnight too; no time is where one of them is null, or both are the same.';

create or replace function uplift.autopilot_rests() returns text
language sql stable
as $$
    select case when not s.is_enabled then 'autopilot is off'
        when uplift.is_in_hours(now(), s.quiet_from, s.quiet_to)
            then format('these are quiet hours, %s:00 to %s:00 UTC (autopilot.quiet_from, autopilot.quiet_to)', s.quiet_from, s.quiet_to) end
    from uplift.autopilot_settings() s
$$;

comment on function uplift.autopilot_rests() is 'Why nothing of autopilot goes on now, in words; null where it does.';

-- --- what it began, and what that costs ---

create or replace function uplift.autopilot_tests() returns table (experiment_id uuid, rollout_id uuid, name text, coach_id text, status text,
    is_running boolean, share numeric, began_at timestamptz)
language sql stable
as $$
    select e.id, null::uuid, e.experiment_name, e.targeting #>> '{coaches,0}', e.status, e.status in ('running', 'paused'),
        coalesce(e.traffic_share, 1), e.start_date
    from public.ai_experiments e
    where exists (select from uplift.experiment_events v where v.experiment_id = e.id and v.event = 'started' and v.who = 'autopilot')
        and not exists (select from uplift.rollouts r where r.experiment_id = e.id)
    union all
    -- The share that it may come to.
    select r.experiment_id, r.id, r.name, r.coach_id, r.status, r.status = 'running', (2 * r.stages[cardinality(r.stages)])::numeric, r.created_at
    from uplift.rollouts r where r.created_by = 'autopilot'
$$;

comment on function uplift.autopilot_tests() is
    'The experiments and rollouts that autopilot began; share: of users who take part, of a rollout at its last stage, those that it is compared with among them.';

create or replace function uplift.autopilot_note_spending() returns void
language sql volatile
as $$
    insert into uplift.autopilot_spending as s (subject_id, day, usd)
    select c.id, (now() at time zone 'UTC')::date, c.usd - c.noted
    from (
        select x.id, round(greatest(x.usd, 0), 6) as usd, coalesce((select sum(s.usd) from uplift.autopilot_spending s where s.subject_id = x.id), 0) as noted
        from (
            -- Of a test what it cost more than as many answers of control.
            select u.experiment_id as id, (sum(u.cost_usd) filter (where u.variant <> c.name)
                - coalesce(sum(u.answers) filter (where u.variant <> c.name), 0)
                    * sum(u.cost_usd) filter (where u.variant = c.name) / nullif(sum(u.answers) filter (where u.variant = c.name), 0))::numeric as usd
            from uplift.autopilot_tests() t
            join public.ai_experiments e on e.id = t.experiment_id
            cross join lateral (select e.control_variant ->> 'variant_name' as name) c
            join uplift.experiment_users u on u.experiment_id = e.id
            -- As long as it is measured (uplift_batch.experiments_to_measure), and a day more.
            where t.is_running or e.end_date is null or e.end_date + make_interval(hours => 24 * (coalesce(e.feedback_days, 7) + 2)::int) > now()
            group by u.experiment_id
            union all
            -- Of training what it cost, or may.
            select j.id, case when j.actual_cost is not null then j.actual_cost
                when j.status in ('failed', 'cancelled') and j.external_job_id is null then 0 else j.estimated_cost end
            from public.ai_finetuning_jobs j where j.requested_by = 'autopilot') x) c
    where c.usd <> c.noted
    on conflict (subject_id, day) do update set usd = s.usd + excluded.usd
$$;

comment on function uplift.autopilot_note_spending() is
    'Notes for today what has changed in what autopilot''s tests and trainings cost: of tests, at the last count of their users, what treatments cost more than as many answers of control, 0 at least; of fine-tuning jobs the actual cost, before it is known the estimate.';

create or replace function uplift.autopilot_spent(p_day date default (now() at time zone 'UTC')::date, out usd_of_day numeric, out usd_of_month numeric)
language sql stable
as $$
    -- What turned out cheaper than was thought gives back what it took from this day or month, and nothing that was taken from another.
    select coalesce(sum(greatest(x.day_usd, 0)), 0), coalesce(sum(greatest(x.month_usd, 0)), 0)
    from (
        select sum(s.usd) filter (where s.day = p_day) as day_usd, sum(s.usd) as month_usd
        from uplift.autopilot_spending s where s.day >= date_trunc('month', p_day::timestamp)::date and s.day <= p_day group by s.subject_id) x
$$;

comment on function uplift.autopilot_spent(date, out numeric, out numeric) is
    'What autopilot spent on a day (today), and in its month until then, UTC, in US dollars; of no test or training less than nothing.';

create or replace function uplift.is_out_of_money() returns boolean
language sql stable
as $$
    select m.usd_of_day > 0 and m.usd_of_day >= s.max_usd_per_day or m.usd_of_month > 0 and m.usd_of_month >= s.max_usd_per_month
    from uplift.autopilot_settings() s cross join uplift.autopilot_spent() m
$$;

comment on function uplift.is_out_of_money() is 'Whether the day''s or the month''s money of autopilot is used up.';

create or replace function uplift.autopilot_use() returns jsonb
language sql stable
as $$
    select jsonb_build_object('usd_today', trim_scale(m.usd_of_day), 'max_usd_per_day', s.max_usd_per_day, 'usd_this_month', trim_scale(m.usd_of_month),
        'max_usd_per_month', s.max_usd_per_month, 'share', trim_scale(t.share), 'max_share', s.max_share, 'at_once', t.at_once, 'max_at_once', s.max_at_once)
    from uplift.autopilot_settings() s cross join uplift.autopilot_spent() m
    cross join lateral (
        select coalesce(sum(x.share), 0) as share, count(*) as at_once from uplift.autopilot_tests() x where x.is_running) t
$$;

comment on function uplift.autopilot_use() is 'How much of its bounds autopilot uses: money, share of users in tests, tests at once.';

create or replace function uplift.autopilot_figures(p_experiment_id uuid) returns jsonb
language sql stable
as $$
    select jsonb_build_object('metric', e.success_metric, 'users', (
            select l.figures -> 'users' from uplift.experiment_looks l
            where l.experiment_id = e.id and l.metric = 'users' order by l.id desc limit 1),
        'variants', (
            select coalesce(jsonb_object_agg(w.name, (
                -- A p of 1e-80 has as many digits in jsonb.
                select jsonb_object_agg(f.key, trim_scale(round(f.value::numeric, 6)))
                from (values ('value', l.figures ->> 'value'), ('difference', l.figures ->> 'difference'),
                    ('p', coalesce(l.figures #>> '{always_valid,adjusted_p}', l.figures #>> '{always_valid,p}')),
                    ('lower', l.figures #>> '{always_valid,lower}'), ('upper', l.figures #>> '{always_valid,upper}')) f(key, value)
                where f.value is not null)), '{}')
            from (select v ->> 'variant_name' as name from unnest(uplift.variants_of(e)) v) w
            cross join lateral (
                select k.figures from uplift.experiment_looks k
                where k.experiment_id = e.id and k.metric = e.success_metric and k.variant = w.name order by k.id desc limit 1) l))
    from public.ai_experiments e where e.id = p_experiment_id
$$;

comment on function uplift.autopilot_figures(uuid) is
    'What the last look at an experiment said of the metric that decides: {metric, users, variants: {name: {value, difference, p, lower, upper}}}.';

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
    select 10 + s.n, 'severity ' || s.severity, jsonb_build_object('severity', s.severity),
        format('Severity %s is liked better than %s.', s.severity, p.severity)
    from now_serves p cross join lateral (values (1, round(p.severity - 0.5, 1)), (2, round(p.severity + 0.5, 1))) s(n, severity)
    where s.severity between 1 and 6
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

create or replace function uplift.autopilot_roll_out(p_name text, p_coach_id text, p_candidate jsonb, p_metric text) returns uuid
language sql volatile
as $$
    select (uplift_batch.admin_create_rollout(null, jsonb_strip_nulls(jsonb_build_object('name', left(p_name, 150), 'coach_id', p_coach_id,
        'success_metric', coalesce(p_metric, s.success_metric), 'stages', uplift.autopilot_stages(s.max_share / s.max_at_once), 'min_users', s.min_users,
        'min_stage_hours', s.min_stage_hours)) || p_candidate, 'autopilot') ->> 'id')::uuid
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
        -- What people thought of first.
        select e.experiment_name as name, e.targeting #>> '{coaches,0}' as coach_id, e.id, null::jsonb as changes, coalesce(e.hypothesis, e.description) as hypothesis,
            0 as place, e.created_at
        from public.ai_experiments e
        where e.status = 'draft' and e.start_date is null
            and (e.description ilike 'playbook%' or exists (select from uplift.playbook_versions v where v.experiment_id = e.id))
        union all
        select c.name, w.coach_id, null, c.changes, c.hypothesis, c.place, null
        from unnest(v_settings.coaches) w(coach_id) cross join lateral uplift.autopilot_catalogue(w.coach_id) c
        where not exists (
            select from uplift.autopilot_decisions d
            where d.kind = 'candidate' and d.name = c.name and d.coach_id is not distinct from w.coach_id and d.decision = 'begun' and not d.is_dry_run
                and d.at > now() - v_settings.retry_days * interval '24 hours')
        order by place, created_at, coach_id nulls first, name
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
                    'targeting', case when v_candidate.coach_id is not null then jsonb_build_object('coaches', jsonb_build_array(v_candidate.coach_id)) end)),
                    'autopilot') ->> 'id')::uuid;
            else
                update public.ai_experiments e set traffic_share = least(coalesce(e.traffic_share, 1), v_share),
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
    'Begins the next candidate, where a test fits within the bounds: drafts of playbooks (uplift.playbook_versions) and those whose description begins with "playbook" first, then uplift.autopilot_catalogue(), not what was tried in the last autopilot.retry_days. Its decisions.';

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

-- --- the switch ---

create or replace function uplift.put_setting(p_key text, p_value jsonb) returns void
language sql volatile
as $$
    insert into uplift.settings as s (key, value) values (p_key, p_value)
    on conflict (key) do update set value = excluded.value where s.value <> excluded.value
$$;

comment on function uplift.put_setting(text, jsonb) is 'Sets a row of uplift.settings.';

create or replace function uplift.put_autopilot_settings(p_arguments jsonb) returns text
language plpgsql volatile
as $$
declare
    v record;
    v_wrong text;
    v_names constant text[] := string_to_array('max_usd_per_day,max_usd_per_month,max_share,max_at_once,quiet_from,quiet_to,fine_tunes,dataset,base_model,trainer,model_prompts,coaches,success_metric,min_users,min_stage_hours,max_test_days,retry_days', ',');
begin
    perform uplift.check_arguments(p_arguments, v_names);
    for v in select a.key, a.value from jsonb_each(p_arguments) a order by array_position(v_names, a.key) loop
        v_wrong := case
            when v.value = 'null' then null
            when v.key in ('max_usd_per_day', 'max_usd_per_month') then case when not uplift.is_between(v.value, 0, 1000000) then 'a number from 0 to 1000000' end
            when v.key = 'max_share' then case when not uplift.is_between(v.value, 0.001, 1) then 'a number from 0.001 to 1' end
            when v.key = 'min_stage_hours' then case when not uplift.is_between(v.value, 0, 10000) then 'a number from 0 to 10000' end
            when v.key = 'max_test_days' then case when not uplift.is_between(v.value, 0.01, 1000) then 'a number from 0.01 to 1000' end
            when v.key = 'retry_days' then case when not uplift.is_between(v.value, 0, 10000) then 'a number from 0 to 10000' end
            when v.key in ('fine_tunes', 'model_prompts') then case when jsonb_typeof(v.value) <> 'boolean' then 'true or false' end
            when v.key in ('dataset', 'base_model') then
                case when jsonb_typeof(v.value) <> 'string' or length(v.value #>> '{}') not between 1 and 200 then 'a text of 1 to 200 characters' end
            when v.key = 'trainer' then case when v.value not in ('"openai"', '"command"') then 'openai or command' end
            when v.key = 'success_metric' then case when jsonb_typeof(v.value) <> 'string' or not exists (
                    select from uplift.metrics() m where m.metric = v.value #>> '{}' and m.metric <> 'errors')
                then (select string_agg(m.metric, ', ') from uplift.metrics() m where m.metric <> 'errors') end
            when v.key = 'coaches' then case when jsonb_typeof(v.value) <> 'array' or jsonb_array_length(v.value) not between 1 and 100 or exists (
                    select from jsonb_array_elements(v.value) c where not exists (select from uplift.coaches k where to_jsonb(k.id) = c))
                then 'a list of coaches that are offered' end end;
        if v.key in ('max_at_once', 'quiet_from', 'quiet_to', 'min_users') then
            perform uplift.whole_argument(p_arguments, v.key, case v.key when 'max_at_once' then 1 when 'min_users' then 2 else 0 end,
                case v.key when 'max_at_once' then 20 when 'min_users' then 10000000 else 23 end);
        elsif v_wrong is not null then
            perform uplift.fail(400, 'invalid_' || v.key, format('%s must be %s', v.key, v_wrong), v.key);
        end if;
        perform uplift.put_setting('autopilot.' || v.key, v.value);
    end loop;
    if (select (s.quiet_from is null) <> (s.quiet_to is null) from uplift.autopilot_settings() s) then
        perform uplift.fail(400, 'invalid_quiet_to', 'quiet_from and quiet_to are hours that go together', 'quiet_to');
    end if;
    return (select string_agg(k, ', ' order by array_position(v_names, k)) from jsonb_object_keys(p_arguments) k);
end
$$;

comment on function uplift.put_autopilot_settings(jsonb) is 'Sets autopilot.* by the arguments, null for what holds without one; their names. UP400 unknown_argument, invalid_NAME.';

create or replace function uplift.autopilot_json() returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'autopilot', 'enabled', s.is_enabled, 'rests', uplift.autopilot_rests(),
        'began_at', st.began_at, 'began_by', st.began_by,
        'settings', to_jsonb(s) - 'is_enabled' || jsonb_build_object('coaches', case when s.coaches[1] is not null then to_jsonb(s.coaches) end),
        'bounds', uplift.autopilot_use(),
        'running', (
            select coalesce(jsonb_agg(jsonb_build_object('experiment_id', t.experiment_id, 'rollout_id', t.rollout_id, 'name', t.name, 'coach_id', t.coach_id,
                'status', t.status, 'share', trim_scale(t.share), 'began_at', t.began_at, 'figures', uplift.autopilot_figures(t.experiment_id)) order by t.began_at, t.name), '[]')
            from uplift.autopilot_tests() t where t.is_running),
        'training', (
            select coalesce(jsonb_agg(uplift.finetuning_json(j) order by j.id), '[]') from public.ai_finetuning_jobs j
            where j.requested_by = 'autopilot' and j.status in ('pending', 'running')),
        'hand_made', case when st.is_only then jsonb_build_object('production', st.production, 'deployments', st.deployments) end)
    from uplift.autopilot_settings() s left join uplift.autopilot_state st on true
$$;

comment on function uplift.autopilot_json() is 'Autopilot as admins see it, without its decisions.';

create or replace function uplift.decision_json(p_decision uplift.autopilot_decisions) returns jsonb
language sql stable
as $$
    select jsonb_build_object('id', p_decision.id, 'at', p_decision.at, 'kind', p_decision.kind, 'subject_id', p_decision.subject_id, 'name', p_decision.name,
        'coach_id', p_decision.coach_id, 'decision', p_decision.decision, 'reason', p_decision.reason, 'numbers', p_decision.numbers, 'who', p_decision.who,
        'is_dry_run', p_decision.is_dry_run)
$$;

comment on function uplift.decision_json(uplift.autopilot_decisions) is 'A decision of autopilot as admins see it.';

create or replace function uplift_batch.admin_autopilot(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
begin
    perform uplift.check_arguments(p_arguments, '{limit}');
    return uplift.autopilot_json() || jsonb_build_object('decisions', (
        select coalesce(jsonb_agg(uplift.decision_json(d) order by d.id desc), '[]')
        from (select x.* from uplift.autopilot_decisions x order by x.id desc limit v_limit) d));
end
$$;

comment on function uplift_batch.admin_autopilot(uuid, jsonb, text) is
    'Whether autopilot is on, its settings, what of its bounds is used, what runs, and its last decisions (limit), the newest first.';

create or replace function uplift_batch.admin_start_autopilot(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_changed text;
    v_missing text;
    v_settings record;
begin
    perform uplift.lock_autopilot();
    v_changed := uplift.put_autopilot_settings(p_arguments);
    v_missing := uplift.autopilot_missing_bounds();
    select s.* into v_settings from uplift.autopilot_settings() s;
    if v_missing is not null then
        perform uplift.fail(409, 'bounds_missing', format('autopilot is not switched on without bounds; name in the body %s', v_missing), split_part(v_missing, ', ', 1));
    elsif v_settings.max_share < 0.0002 * v_settings.max_at_once then
        -- A rollout begins with a share of 0.0001, and as many users that they are compared with.
        perform uplift.fail(400, 'invalid_max_share', 'max_share must be 0.0002 at least for each of max_at_once', 'max_share');
    elsif v_settings.is_enabled then
        if v_changed is not null then
            perform uplift.autopilot_note('switch', null, 'autopilot', null, 'changed', 'its settings were changed: ' || v_changed, p_arguments, p_who);
        end if;
        return uplift.autopilot_json();
    end if;
    perform uplift.put_setting('autopilot.enabled', 'true');
    -- Nobody changes production, or deploys, while it is looked at.
    perform uplift.production_now(null);
    insert into uplift.autopilot_state as s (began_at, began_by, last_change_id, production, deployments)
    select now(), p_who, coalesce((select max(c.id) from uplift.production_changes c), 0), (
            select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'coach_id', c.coach_id, 'changes', c.changes) order by c.id), '[]')
            from uplift.production_changes c where c.ended_at is null),
        (select coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'coach_id', d.coach_id, 'model_version_id', d.model_version_id, 'model_id', d.model_id) order by d.id), '[]')
            from uplift.model_deployments d where d.environment = 'production' and d.ended_at is null)
    on conflict (is_only) do update set began_at = excluded.began_at, began_by = excluded.began_by,
        last_change_id = excluded.last_change_id, production = excluded.production, deployments = excluded.deployments;
    perform uplift.autopilot_note('switch', null, 'autopilot', null, 'started', 'it was switched on', p_arguments || uplift.autopilot_use(), p_who);
    return uplift.autopilot_json();
end
$$;

comment on function uplift_batch.admin_start_autopilot(uuid, jsonb, text) is
    'Sets what is named of autopilot''s settings, and switches it on, with what is production now as what its switch brings back. On already, only the settings change. UP400 unknown_argument, invalid_NAME; UP409 bounds_missing.';

create or replace function uplift.restore_models(p_who text, p_reason text) returns jsonb
language plpgsql volatile
as $$
declare
    v_kept jsonb := coalesce((select jsonb_agg(d -> 'id') from uplift.autopilot_state s cross join lateral jsonb_array_elements(s.deployments) d), '[]');
    v_restored jsonb := jsonb '[]';
    v_now uplift.model_deployments;
    v_back uplift.model_deployments;
begin
    perform pg_advisory_xact_lock(hashtextextended('uplift deployments', 0));
    for v_now in
        select d.* from uplift.model_deployments d where d.environment = 'production' and d.ended_at is null order by d.id
    loop
        v_back := v_now;
        while v_back.began_by = 'autopilot' and not v_kept @> to_jsonb(v_back.id) loop
            select d.* into v_back from uplift.model_deployments d
            where d.environment = 'production' and d.coach_id is not distinct from v_now.coach_id and d.model_version_id = v_back.previous_version_id and d.id < v_back.id
            order by d.id desc limit 1;
        end loop;
        continue when v_back.id = v_now.id;
        perform uplift.end_deployment('production', v_now.coach_id, p_who, p_reason);
        -- What was shut down meanwhile would not answer any more: the configured model does then.
        if v_back.id is not null and (select (uplift.base_model_state(v.base_model) ->> 'is_shut_down')::boolean is not true
                from public.ai_model_versions v where v.id = v_back.model_version_id) then
            perform uplift.begin_deployment(v_back.model_version_id, 'production', v_now.coach_id, p_who, v_back.previous_version_id);
        else
            v_back := null;
        end if;
        v_restored := v_restored || jsonb_build_object('coach_id', v_now.coach_id, 'from', v_now.model_id, 'to', v_back.model_id);
    end loop;
    return v_restored;
end
$$;

comment on function uplift.restore_models(text, text) is
    'Puts the model that a person deployed last in the place of each that autopilot brought to production since it was switched on; null for the configured model: [{coach_id, from, to}].';

create or replace function uplift.hand_made_changes(p_coach_id text, out changes jsonb, out last_id bigint)
language plpgsql stable
as $$
declare
    v_from bigint := coalesce((select s.last_change_id from uplift.autopilot_state s), 0);
    v_before uplift.production_changes;
    v_row uplift.production_changes;
    v_promoted jsonb;
    v_key text;
begin
    select c.* into v_before
    from uplift.autopilot_state s cross join lateral jsonb_array_elements(s.production) k join uplift.production_changes c on c.id = (k ->> 'id')::bigint
    where coalesce(c.coach_id, '') = coalesce(p_coach_id, '');
    changes := coalesce(v_before.changes, '{}');
    last_id := v_before.id;
    for v_row in
        select c.* from uplift.production_changes c where c.id > v_from and coalesce(c.coach_id, '') = coalesce(p_coach_id, '') order by c.id
    loop
        -- Each row ends the one before in its own transaction; else somebody had ended all.
        if v_before.ended_at is distinct from v_row.began_at then
            v_before.changes := '{}';
            changes := '{}';
            last_id := null;
        end if;
        if v_row.began_by is distinct from 'autopilot' then
            -- Rolling back what came later brings back what autopilot had promoted, which is its own still.
            v_promoted := (
                select c.changes from uplift.production_changes c
                where c.rollout_id = v_row.rollout_id and c.id > v_from and c.id < v_row.id and c.began_by = 'autopilot' order by c.id limit 1);
            for v_key in select k from jsonb_object_keys(v_before.changes || v_row.changes) k loop
                continue when v_row.changes -> v_key is not distinct from v_before.changes -> v_key
                    or v_promoted is not null and v_row.changes -> v_key is not distinct from v_promoted -> v_key;
                changes := case when v_row.changes ? v_key then changes || jsonb_build_object(v_key, v_row.changes -> v_key) else changes - v_key end;
            end loop;
            last_id := v_row.id;
        end if;
        v_before := v_row;
    end loop;
end
$$;

comment on function uplift.hand_made_changes(text, out jsonb, out bigint) is
    'What people made production for a coach (null: for all), were it not for autopilot: that which was there when it was switched on, and each change that a person made since; and the last row of production_changes with one.';

create or replace function uplift.restore_changes(p_who text, p_reason text) returns jsonb
language plpgsql volatile
as $$
declare
    v_restored jsonb := jsonb '[]';
    v_now uplift.production_changes;
    v_back record;
    v_last uplift.production_changes;
    v_previous uplift.production_changes;
begin
    for v_now in
        select c.* from uplift.production_changes c where c.ended_at is null order by c.id for update
    loop
        select h.* into v_back from uplift.hand_made_changes(v_now.coach_id) h;
        -- A model version that was deployed since stays.
        if v_back.changes ? 'model' and not v_now.changes ? 'model' and exists (
                select from uplift.model_deployments d
                where d.environment = 'production' and coalesce(d.coach_id, '') = coalesce(v_now.coach_id, '') and d.ended_at is null) then
            v_back.changes := v_back.changes - 'model';
        end if;
        continue when v_back.changes = v_now.changes;
        select c.* into v_last from uplift.production_changes c where c.id = v_back.last_id;
        -- Nor does rolling back later bring back what was autopilot's.
        v_previous.id := v_last.previous_id;
        loop
            select c.* into v_previous from uplift.production_changes c where c.id = v_previous.id;
            exit when v_previous.id is null or v_previous.began_by is distinct from 'autopilot';
            v_previous.id := v_previous.previous_id;
        end loop;
        perform uplift.change_production(v_now.coach_id, nullif(v_back.changes, '{}'), v_last.rollout_id, v_previous.id, p_who, p_reason);
        v_restored := v_restored || jsonb_build_object('coach_id', v_now.coach_id, 'from', v_now.changes, 'to', nullif(v_back.changes, '{}'));
    end loop;
    return v_restored;
end
$$;

comment on function uplift.restore_changes(text, text) is
    'Takes out of production what autopilot changed since it was switched on, and leaves what people made it (uplift.hand_made_changes); null for nothing: [{coach_id, from, to}].';

create or replace function uplift_batch.admin_stop_autopilot(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_reason text := uplift.reason_argument(p_arguments);
    v_because text := 'autopilot was stopped: ' || v_reason;
    v_was_enabled boolean;
    v_models jsonb;
    v_changes jsonb;
    v_tests jsonb[] := array[]::jsonb[];
    v_jobs jsonb := jsonb '[]';
    v_test record;
    v_job record;
begin
    perform uplift.lock_autopilot();
    -- All that is waited for first, in the order in which others take it: rollouts, experiments, deployments, production.
    perform r.id from uplift.rollouts r where r.created_by = 'autopilot' and r.status = 'running' order by r.id for update;
    perform e.id from public.ai_experiments e
    where e.id in (select t.experiment_id from uplift.autopilot_tests() t where t.is_running) order by e.id for update;
    v_was_enabled := (select s.is_enabled from uplift.autopilot_settings() s);
    perform uplift.put_setting('autopilot.enabled', 'false');
    v_models := uplift.restore_models(p_who, v_because);
    v_changes := uplift.restore_changes(p_who, v_because);
    for v_test in select t.* from uplift.autopilot_tests() t where t.is_running order by t.experiment_id loop
        perform uplift.autopilot_stop_test(v_test.experiment_id, v_test.rollout_id, v_because, p_who);
        perform uplift.autopilot_note(case when v_test.rollout_id is null then 'experiment' else 'rollout' end, coalesce(v_test.rollout_id, v_test.experiment_id),
            v_test.name, v_test.coach_id, case when v_test.rollout_id is null then 'stopped' else 'discarded' end, v_because,
            uplift.autopilot_figures(v_test.experiment_id), p_who);
        v_tests := v_tests || jsonb_build_object('experiment_id', v_test.experiment_id, 'rollout_id', v_test.rollout_id, 'name', v_test.name);
    end loop;
    for v_job in
        select j.id, j.batch_job_id from public.ai_finetuning_jobs j where j.requested_by = 'autopilot' and j.status in ('pending', 'running') order by j.id
    loop
        begin
            perform uplift_batch.admin_cancel_finetuning(v_job.id, '{}', p_who);
        exception when others then
            if sqlstate not like 'UP%' then
                raise;
            end if;
            -- It has ended meanwhile, or what saw to it is gone; all else stops all the same.
            update public.ai_finetuning_jobs j set status = 'cancelled', completed_at = now() where j.id = v_job.id and j.status in ('pending', 'running');
            continue when not found;
        end;
        v_jobs := v_jobs || to_jsonb(v_job.id);
    end loop;
    if v_was_enabled or v_tests <> '{}' or v_jobs <> '[]' or v_models <> '[]' or v_changes <> '[]' then
        perform uplift.autopilot_note('switch', null, 'autopilot', null, 'stopped', v_because, jsonb_build_object('tests_stopped', cardinality(v_tests),
            'trainings_cancelled', jsonb_array_length(v_jobs), 'models_restored', v_models, 'production_restored', v_changes), p_who);
    end if;
    return uplift.autopilot_json() || jsonb_build_object('stopped', to_jsonb(v_tests), 'cancelled', v_jobs, 'models_restored', v_models, 'production_restored', v_changes);
end
$$;

comment on function uplift_batch.admin_stop_autopilot(uuid, jsonb, text) is
    'The one switch: switches autopilot off, stops its experiments, rolls its rollouts back, cancels its trainings, and puts production back to what people made it last, all at once or not at all; reason. Again it does nothing. UP400 invalid_reason.';

create or replace function uplift_batch.admin_rehearse_autopilot(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object('object', 'autopilot_dry_run', 'enabled', (select s.is_enabled from uplift.autopilot_settings() s),
        'decisions', to_jsonb(uplift.autopilot_rehearsal(p_arguments)));
end
$$;

comment on function uplift_batch.admin_rehearse_autopilot(uuid, jsonb, text) is
    'What autopilot would do now, on or not, with reasons, and with what is named of its settings changed for as long; nothing is changed, and nothing kept. UP400 unknown_argument, invalid_NAME.';

-- --- the report ---

create or replace function uplift.markdown_cell(p_text text) returns text
language sql immutable parallel safe
as $$ select replace(regexp_replace(coalesce(p_text, ''), '[[:cntrl:]]+', ' ', 'g'), '|', '\|') $$;

comment on function uplift.markdown_cell(text) is 'A text in one line, as a cell of a table in Markdown.';

create or replace function uplift.numbers_text(p_numbers jsonb) returns text
language sql stable
as $$
    select concat_ws(', ', (
            select string_agg(n.key || ' ' || (n.value #>> '{}'), ', ' order by n.key) from jsonb_each(p_numbers) n
            where jsonb_typeof(n.value) = 'number' or n.key = 'metric'),
        (select string_agg(format('%s: %s', v.key, concat_ws(', ', round((v.value ->> 'value')::numeric, 4), 'difference ' || round((v.value ->> 'difference')::numeric, 4),
            'p ' || (v.value ->> 'p'))), '; ' order by v.key)
            from jsonb_each(case jsonb_typeof(p_numbers -> 'variants') when 'object' then p_numbers -> 'variants' else '{}' end) v))
$$;

comment on function uplift.numbers_text(jsonb) is 'The numbers of a decision in a line.';

create or replace function uplift_batch.admin_autopilot_report(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_day date := (now() at time zone 'UTC')::date;
    v_from timestamptz;
    v_json jsonb := uplift.autopilot_json();
    v_decisions uplift.autopilot_decisions[];
    v_usd numeric;
    v_month numeric;
    v_markdown text;
begin
    perform uplift.check_arguments(p_arguments, '{day}');
    if p_arguments ? 'day' then
        begin
            if p_arguments ->> 'day' !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
                raise sqlstate '22007';
            end if;
            v_day := (p_arguments ->> 'day')::date;
        exception when sqlstate '22007' or sqlstate '22008' then
            perform uplift.fail(400, 'invalid_day', 'day must be a day such as 2026-12-31', 'day');
        end;
    end if;
    v_from := v_day::timestamp at time zone 'UTC';
    v_decisions := array(
        select d from uplift.autopilot_decisions d where d.at >= v_from and d.at < v_from + interval '24 hours' order by d.id limit 1000);
    select m.usd_of_day, m.usd_of_month into v_usd, v_month from uplift.autopilot_spent(v_day) m;
    v_markdown := format(e'# Autopilot, %s\n\n', v_day)
        || format(e'It is %s now. Spent: %s of %s US dollars on the day, %s of %s in the month until then.\n\n## Decisions\n\n',
            case when (v_json ->> 'enabled')::boolean then 'on' else 'off' end, trim_scale(v_usd), coalesce(v_json #>> '{bounds,max_usd_per_day}', 'no bound'),
            trim_scale(v_month), coalesce(v_json #>> '{bounds,max_usd_per_month}', 'no bound'))
        || case when v_decisions = '{}' then e'None.\n' else e'| UTC | what | decision | why | numbers |\n|---|---|---|---|---|\n' || (
            select string_agg(format(e'| %s | %s | %s | %s | %s |\n', to_char(d.at at time zone 'UTC', 'HH24:MI'),
                uplift.markdown_cell(concat_ws(' ', replace(d.kind, '_', '-'), d.name, case when d.coach_id is not null then '(' || d.coach_id || ')' end)),
                replace(d.decision, '_', ' ') || case when d.is_dry_run then ' (dry run)' else '' end, uplift.markdown_cell(d.reason),
                uplift.markdown_cell(uplift.numbers_text(d.numbers))), '' order by d.id) from unnest(v_decisions) d) end
        || e'\n## Running now\n\n'
        || case when v_json -> 'running' = '[]' and v_json -> 'training' = '[]' then e'Nothing.\n' else '' end
        || coalesce((select string_agg(format(e'- %s %s, %s %% of users, since %s: %s\n', case when t ->> 'rollout_id' is null then 'experiment' else 'rollout' end,
                uplift.markdown_cell(t ->> 'name'), trim_scale(round((t ->> 'share')::numeric * 100, 2)), left(t ->> 'began_at', 10),
                coalesce(nullif(uplift.markdown_cell(uplift.numbers_text(t -> 'figures')), ''), 'nothing measured yet')), '') from jsonb_array_elements(v_json -> 'running') t), '')
        || coalesce((select string_agg(format(e'- training %s, %s\n', uplift.markdown_cell(j ->> 'job_name'), j ->> 'status'), '') from jsonb_array_elements(v_json -> 'training') j), '');
    return jsonb_build_object('object', 'autopilot_report', 'day', v_day, 'enabled', v_json -> 'enabled', 'usd', trim_scale(v_usd), 'usd_of_month', trim_scale(v_month),
        'bounds', v_json -> 'bounds', 'decisions', (select coalesce(jsonb_agg(uplift.decision_json(d) order by d.id), '[]') from unnest(v_decisions) d),
        'running', v_json -> 'running', 'training', v_json -> 'training', 'markdown', v_markdown);
end
$$;

comment on function uplift_batch.admin_autopilot_report(uuid, jsonb, text) is
    'What autopilot decided on a day (day, UTC; today) with reasons and numbers, at most 1000 decisions, what it spent, and what runs now; the same as Markdown. UP400 invalid_day.';
