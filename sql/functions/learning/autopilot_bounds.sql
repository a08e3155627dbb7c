-- What autopilot may do (its settings), what it began, and what that costs.

-- --- what it may do ---

create or replace function uplift.autopilot_settings(out is_enabled boolean, out max_usd_per_day numeric, out max_usd_per_month numeric,
    out max_share numeric, out max_at_once int, out quiet_from int, out quiet_to int, out fine_tunes boolean, out dataset text,
    out base_model text, out trainer text, out model_prompts boolean, out coaches text[], out success_metric text, out min_users int, out min_stage_hours numeric,
    out max_test_days numeric, out min_chance numeric, out max_held_days numeric, out retry_days numeric)
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
        coalesce(uplift.setting_within('autopilot.max_test_days', 0.00001, 1000), 28),
        coalesce(uplift.setting_within('autopilot.min_chance', 0, 0.5), 0.05),
        coalesce(uplift.setting_within('autopilot.max_held_days', 0, 1000), 7),
        coalesce(uplift.setting_within('autopilot.retry_days', 0, 10000), 90)
$$;

comment on function uplift.autopilot_settings(out boolean, out numeric, out numeric, out numeric, out int, out int, out int, out boolean, out text, out text,
    out text, out boolean, out text[], out text, out int, out numeric, out numeric, out numeric, out numeric, out numeric) is
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

create or replace function uplift.autopilot_salt() returns text
language sql immutable parallel safe
as $$ select 'uplift autopilot share'::text $$;

comment on function uplift.autopilot_salt() is
    'What decides who is in autopilot''s tests (share_salt of ai_experiments): in all the same users, to whom each test gives its variants by a salt of its own. So its share of users is that of the largest test, and none has fewer users because there are others.';

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

create or replace function uplift.elapsed_of_test(p_experiment public.ai_experiments) returns float8
language sql stable
as $$
    select least(extract(epoch from now() - p.began) / extract(epoch from p.ends - p.began), 1)::float8
    from (
        -- Before its last stage a rollout learns so little that its time tells nothing of what it will know. With a margin it need not prove a gain.
        select r.stage_began_at as began, r.created_at + r.max_days * interval '24 hours' as ends
        from uplift.rollouts r where r.experiment_id = p_experiment.id and r.status = 'running' and r.margin = 0 and r.stage = cardinality(r.stages)
        union all
        select t.began_at, t.began_at + s.max_test_days * interval '24 hours'
        from uplift.autopilot_settings() s join uplift.autopilot_tests() t on t.experiment_id = p_experiment.id and t.rollout_id is null) p
    where p.ends > p.began and p_experiment.status = 'running'
        -- Its first users' second week says nothing of how many are still to be known.
        and p_experiment.success_metric <> 'retention'
        -- Less was learnt in its time than in what is left of it, or more.
        and not exists (
            select from uplift.experiment_events v where v.experiment_id = p_experiment.id and v.at > p.began and v.event in ('paused', 'changed'))
$$;

comment on function uplift.elapsed_of_test(public.ai_experiments) is
    'Which share is over of the time in which an experiment that runs may prove a gain, 0 to 1: of autopilot''s autopilot.max_test_days, of the last stage of a rollout that has to be better what it had left of max_days. Null where no end is planned, or where time does not tell how much is learnt: of retention, or when it was paused or changed on the way.';

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
            select j.id, uplift.training_cost(j)
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
        select coalesce(max(x.share), 0) as share, count(*) as at_once from uplift.autopilot_tests() x where x.is_running) t
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
                    ('lower', l.figures #>> '{always_valid,lower}'), ('upper', l.figures #>> '{always_valid,upper}'),
                    ('chance_to_prove', l.figures ->> 'chance_to_prove'), ('elapsed', l.figures ->> 'elapsed')) f(key, value)
                where f.value is not null)), '{}')
            from (select v ->> 'variant_name' as name from unnest(uplift.variants_of(e)) v) w
            cross join lateral (
                select k.figures from uplift.experiment_looks k
                where k.experiment_id = e.id and k.metric = e.success_metric and k.variant = w.name order by k.id desc limit 1) l))
    from public.ai_experiments e where e.id = p_experiment_id
$$;

comment on function uplift.autopilot_figures(uuid) is
    'What the last look at an experiment said of the metric that decides: {metric, users, variants: {name: {value, difference, p, lower, upper, chance_to_prove, elapsed}}}.';
