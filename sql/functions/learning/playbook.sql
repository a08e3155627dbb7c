-- Playbooks: short guidelines for a coach, from what its users wrote with their thumbs (job write-playbooks).
--
-- A comment is read once, and again when it changes. What the rules of coach/wishes.sql understand of it is a cluster
-- already, whose guideline is in our own words; the rest waits for a model, or is grouped by the words that several
-- share (playbook_themes.sql). A guideline is a row of its own: it is made,
-- merged and retired by itself, and no text is ever rewritten as a whole, in which what was known would get lost. The
-- playbook is put together of those that stand, and goes out as an experiment on the guidelines of a prompt, which an
-- admin starts.

-- --- ratings ---

create or replace function uplift.has_playbook(p_suffix text, p_text text) returns boolean
language sql immutable parallel safe
as $$ select p_suffix = p_text or right(p_suffix, length(p_text) + 2) = e'\n\n' || p_text $$;

comment on function uplift.has_playbook(text, text) is
    'Whether what is added to the end of a prompt (uplift.prompt_versions) ends with a version of a playbook; before it there may be other words.';

create or replace function uplift.playbook_in_production(p_coach_id text, p_at timestamptz) returns uuid
language plpgsql stable
as $$
declare
    v_guidelines text := (
        select c.changes ->> 'guidelines' from uplift.production_changes c
        where (c.coach_id is null or c.coach_id = p_coach_id) and c.changes ? 'guidelines'
            and c.began_at <= p_at and (c.ended_at is null or c.ended_at > p_at)
        order by c.coach_id is null, c.id desc limit 1);
begin
    return (select v.id from uplift.playbook_versions v where v.coach_id = p_coach_id and v.text = v_guidelines);
end
$$;

comment on function uplift.playbook_in_production(text, timestamptz) is
    'The version of a coach''s playbook that a rollout had made production at a time (uplift.production_changes); null for none.';

-- By its text, so that rollouts count, and experiments that an admin has cloned or renamed.
create or replace view uplift.playbook_arms with (security_invoker = true) as
select v.coach_id, v.id as version_id, v.guideline_ids, e.id as experiment_id, e.start_date, t.variant ->> 'variant_name' as variant,
    e.control_variant ->> 'variant_name' as control,
    coalesce((select c.guideline_ids from uplift.playbook_versions c
        where c.coach_id = v.coach_id and case when e.control_variant ? 'guidelines' then c.text = e.control_variant ->> 'guidelines'
            else c.id = uplift.playbook_in_production(v.coach_id, e.start_date) end limit 1), '{}') as control_ids,
    case when r.status = 'promoted' or e.winner_variant = t.variant ->> 'variant_name' then 'won'
        when r.status = 'rolled_back' or e.winner_variant = e.control_variant ->> 'variant_name' then 'lost' end as result
from uplift.playbook_versions v
join public.ai_experiments e on e.start_date is not null and (e.targeting -> 'coaches' is null or e.targeting -> 'coaches' ? v.coach_id)
left join uplift.rollouts r on r.experiment_id = e.id
cross join lateral unnest(e.test_variants) as t(variant)
where t.variant ->> 'guidelines' = v.text;

comment on view uplift.playbook_arms is
    'The variants of experiments and rollouts that have begun which add a version of a playbook to prompts, with the guidelines in it, those that control had, and the result: won (better, or promoted), lost (worse, or rolled back), or null.';

create or replace function uplift.playbook_thumbs_in_production(p_coach_id text)
returns table (guideline_id uuid, thumbs double precision, up double precision)
language plpgsql stable
as $$
declare
    c_days constant int := 90;
    c_most constant int := 50000; -- thumbs of all coaches that are looked at
    -- Where it was tried it is counted beside control.
    v_arms text[] := array(select a.experiment_id || ' ' || a.variant from uplift.playbook_arms a where a.coach_id = p_coach_id);
    v_prompts jsonb := (
        select jsonb_object_agg(s.id, v.guideline_ids)
        from uplift.playbook_versions v
        join uplift.prompt_versions w on uplift.has_playbook(w.prompt_suffix, v.text)
        join uplift.system_prompts s on s.version_id = w.id
        where v.coach_id = p_coach_id
            -- Most versions never get so far.
            and exists (select from uplift.production_changes c
                where (c.coach_id is null or c.coach_id = p_coach_id) and c.changes ->> 'guidelines' = v.text));
begin
    if v_prompts is null then
        return;
    end if;
    return query
    with by_user as (
        select g.id::uuid as guideline_id, a.user_id, count(*)::float8 as n, count(*) filter (where a.helpful)::float8 as up
        from (
            select s.answer_id from uplift.feedback_said s
            where s.field = 'helpful' and s.answer_id > uplift.first_id_of(now() - c_days * interval '24 hours')
            order by s.answer_id desc limit c_most) s
        join public.coach_response_feedback a on a.id = s.answer_id
        cross join lateral jsonb_array_elements_text(v_prompts -> a.system_prompt_id::text) g(id)
        where a.coach_id = p_coach_id and a.helpful is not null and not exists (
            select from jsonb_array_elements(case jsonb_typeof(a.exposures) when 'array' then a.exposures end) e
            where concat_ws(' ', e ->> 'experiment_id', e ->> 'variant') = any (v_arms))
        group by 1, 2
    )
    -- One user is one voice, however many thumbs.
    select x.guideline_id, x.n, x.n * x.rate
    from (
        select u.guideline_id, sum(u.up) / sum(u.n) as rate,
            case when count(*) = 1 then 1 else uplift.effective_count(array_agg(u.n), array_agg(u.up)) end as n
        from by_user u group by u.guideline_id) x;
end
$$;

comment on function uplift.playbook_thumbs_in_production(text) is
    'Thumbs of the last 90 days (the latest 50,000 of all coaches) on a coach''s answers whose prompt had a version of its playbook that a rollout had made production, by guideline, as many as independent users would give; without those of variants that add a version (uplift.playbook_arms), which are counted beside control.';

create or replace function uplift.count_playbook_ratings(p_coach_id text) returns int
language plpgsql volatile
as $$
declare
    c_weight constant float8 := 10; -- thumbs that the rate without it is worth
    v_least float8 := greatest(uplift.setting_number('playbook.min_ratings', 30), 5);
    v_retired int;
begin
    with counted as materialized (
        select u.experiment_id, u.variant, sum(u.thumbs_up)::float8 / sum(u.thumbs) as rate,
            -- One user is one voice, however many thumbs.
            case when count(*) = 1 then 1 else uplift.effective_count(array_agg(u.thumbs::float8), array_agg(u.thumbs_up::float8)) end as n
        from uplift.experiment_users u
        where u.thumbs > 0 and u.experiment_id in (select a.experiment_id from uplift.playbook_arms a where a.coach_id = p_coach_id)
        group by u.experiment_id, u.variant
    ), rated as (
        select g.id, g.state in ('proposed', 'active') and g.decided_by is null as is_ours,
            coalesce(sum(w.n), 0) as n, coalesce(sum(w.n * w.rate), 0) as up,
            coalesce(sum(o.n), 0) as n_without, coalesce(sum(o.n * o.rate), 0) as up_without
        from uplift.playbook_guidelines g
        left join uplift.playbook_arms a on a.coach_id = g.coach_id and g.id = any (a.guideline_ids)
        left join counted w on w.experiment_id = a.experiment_id and w.variant = a.variant
        left join counted o on o.experiment_id = a.experiment_id and o.variant = a.control and g.id <> all (a.control_ids)
        where g.coach_id = p_coach_id
        group by g.id
    ), shrunk as (
        select r.*, (r.up + c_weight * p.without) / (r.n + c_weight) as rate, p.without
        from rated r cross join lateral (select case when r.n_without > 0 then r.up_without / r.n_without else 0.5 end as without) p
    ), judged as (
        -- Where most are disliked anyhow, that most are disliked with it says nothing against it.
        select s.*, s.is_ours and s.n >= v_least and case when s.n_without >= v_least
            then (uplift.newcombe(s.without, greatest(s.n_without, 1), s.rate, greatest(s.n, 1))).high < 0
            else (uplift.wilson(s.rate, greatest(s.n, 1))).high < 0.5 end as is_harmful
        from shrunk s
    ), told as (
        -- Those in production have nothing beside them to be judged by: they are only counted.
        select j.id, j.is_harmful, x.n, (j.up + coalesce(t.up, 0) + c_weight * j.without) / (x.n + c_weight) as rate
        from judged j
        left join uplift.playbook_thumbs_in_production(p_coach_id) t on t.guideline_id = j.id
        cross join lateral (select j.n + coalesce(t.thumbs, 0) as n) x
    ), changed as (
        update uplift.playbook_guidelines g set helpful = t.n * t.rate, harmful = t.n * (1 - t.rate),
            state = case when t.is_harmful then 'retired' else g.state end, reason = case when t.is_harmful then 'harmful' else g.reason end,
            updated_at = now()
        from told t
        where g.id = t.id and (t.is_harmful or (g.helpful, g.harmful) is distinct from (t.n * t.rate, t.n * (1 - t.rate)))
        returning t.is_harmful
    )
    select count(*) filter (where c.is_harmful) into v_retired from changed c;
    return v_retired;
end
$$;

comment on function uplift.count_playbook_ratings(text) is
    'Counts the thumbs on answers that had each guideline of a coach, from uplift.experiment_users and uplift.playbook_thumbs_in_production(): n of them, as many as independent users would give (uplift.effective_count), and their rate (up + 10 p) / (n + 10), p being the rate of answers without it. By those of experiments and rollouts alone it retires, with playbook.min_ratings thumbs or more, what has fewer thumbs up than answers without it (the upper end of Newcombe''s interval is below 0), and where these have fewer than playbook.min_ratings, what has more thumbs down than up (that of Wilson''s is below a half). Returns how many were retired.';

create or replace function uplift.take_playbook_results(p_coach_id text) returns int
language plpgsql volatile
as $$
declare
    v_live uuid[] := (select v.guideline_ids from uplift.playbook_versions v where v.id = uplift.playbook_in_production(p_coach_id, now()));
    v_retired int;
begin
    with results as (
        -- What was tried last decides.
        select distinct on (g.id) g.id, g.state, g.decided_by, coalesce(g.id = any (v_live), false) as is_live,
            case when a.result = 'won' then 'won' when a.result = 'lost' and g.id <> all (a.control_ids) then 'lost' end as result
        from uplift.playbook_guidelines g
        left join uplift.playbook_arms a on a.coach_id = g.coach_id and g.id = any (a.guideline_ids) and a.result is not null
        where g.coach_id = p_coach_id and g.state in ('proposed', 'active')
        order by g.id, a.start_date desc nulls last, a.experiment_id desc
    ), changed as (
        update uplift.playbook_guidelines g set updated_at = now(),
            state = case when r.is_live then 'active' when r.result = 'lost' and r.decided_by is null then 'retired' else 'proposed' end,
            reason = case when r.decided_by is not null then g.reason when r.is_live then 'promoted' else r.result end
        from results r
        where g.id = r.id and (r.is_live <> (r.state = 'active')
            or r.decided_by is null and not r.is_live and r.result is not null and g.reason is distinct from r.result)
        returning g.state
    )
    select count(*) filter (where c.state = 'retired') into v_retired from changed c;
    return v_retired;
end
$$;

comment on function uplift.take_playbook_results(text) is
    'What became of a coach''s guidelines: those of the version that a rollout made production are active, those that were new in one that lost its experiment or was rolled back are retired, unless they won, or an admin decided, since. Returns how many were retired.';

-- --- merged, proposed, retired ---

create or replace view uplift.playbook_standing with (security_invoker = true) as
select g.*, coalesce(e.users, 0) as users, coalesce(e.comments, 0) as comments
from uplift.playbook_guidelines g
left join lateral (
    select count(distinct x.user_id) as users, count(*) as comments from uplift.playbook_evidence x where x.guideline_id = g.id) e on true;

comment on view uplift.playbook_standing is 'Guidelines with how many comments of how many users they rest on.';

create or replace function uplift.merge_guidelines(p_coach_id text) returns int
language plpgsql volatile
as $$
declare
    v record;
    v_count int := 0;
begin
    for v in
        select distinct on (b.id) b.id, a.id as into_id
        from uplift.playbook_guidelines a
        -- Of topics only those with the same words are compared: each pair of thousands would take hours.
        join uplift.playbook_guidelines b on b.coach_id = a.coach_id and b.id <> a.id and b.decided_by is null
            and case when uplift.is_topic(a.text) then uplift.topic_words(a.text) else '{}' end
                = case when uplift.is_topic(b.text) then uplift.topic_words(b.text) else '{}' end
            and uplift.guidelines_alike(a.text, b.text)
            and (a.decided_by is not null, a.state = 'active', a.made_by = 'rules', -extract(epoch from a.created_at), b.id)
                > (false, b.state = 'active', b.made_by = 'rules', -extract(epoch from b.created_at), a.id)
        where a.coach_id = p_coach_id and a.state not in ('retired', 'merged') and b.state not in ('retired', 'merged')
        order by b.id, a.decided_by is not null desc, a.state = 'active' desc, a.made_by = 'rules' desc, a.created_at, a.id
    loop
        -- Its own target may be merged in this round; the next one follows.
        continue when not exists (select from uplift.playbook_guidelines g where g.id = v.into_id and g.state <> 'merged');
        insert into uplift.playbook_evidence (guideline_id, answer_id, user_id, said_at)
        select v.into_id, e.answer_id, e.user_id, e.said_at from uplift.playbook_evidence e where e.guideline_id = v.id
        on conflict do nothing;
        delete from uplift.playbook_evidence e where e.guideline_id = v.id;
        -- A topic that no prompt had is in the words of users, who may leave.
        delete from uplift.playbook_guidelines g
        where g.id = v.id and g.state = 'gathering' and uplift.is_topic(g.text)
            and not exists (select from uplift.playbook_guidelines m where m.merged_into = g.id);
        if not found then
            update uplift.playbook_guidelines g set state = 'merged', merged_into = v.into_id, reason = null, updated_at = now() where g.id = v.id;
        end if;
        v_count := v_count + 1;
    end loop;
    return v_count;
end
$$;

comment on function uplift.merge_guidelines(text) is
    'Merges guidelines of a coach that say the same (uplift.guidelines_alike) into the one that an admin decided on, is active, is by rules, or came first, with their evidence; topics that no prompt had are deleted. Returns how many went.';

create or replace function uplift.playbook_room() returns int
language sql stable
as $$ select least(greatest(uplift.setting_number('playbook.max_guidelines', 12), 0), 50)::int $$;

comment on function uplift.playbook_room() is 'How many guidelines a playbook may have: the setting playbook.max_guidelines, at most 50.';

create or replace function uplift.settle_guidelines(p_coach_id text) returns jsonb
language plpgsql volatile
as $$
declare
    v_margin float8 := greatest(uplift.setting_number('playbook.margin', 2), 1);
    v_least int := greatest(uplift.setting_number('playbook.min_users', 3), 1)::int;
    v_room int := uplift.playbook_room() - (
        select count(*) from uplift.playbook_guidelines g
        where g.coach_id = p_coach_id and g.decided_by is not null and g.state in ('proposed', 'active'));
    v_result jsonb;
begin
    with standing as materialized (
        select s.id, s.text, s.state, s.users, s.decided_by, s.reason from uplift.playbook_standing s
        where s.coach_id = p_coach_id and s.state <> 'merged'
    ), fit as (
        select s.*, case
            when s.users < v_least then 'few_users'
            when exists (
                select from standing o
                where o.id <> s.id and uplift.guidelines_contradict(o.text, s.text)
                    and (o.decided_by is not null and o.state in ('proposed', 'active')
                        or o.users > 0 and s.users < v_margin * o.users
                            and (o.state <> 'retired' or o.reason in ('few_users', 'contradicted', 'crowded')))) then 'contradicted'
            when uplift.guideline_problem(s.text, false, null, null) is not null then 'unfit' end as problem
        from standing s
        -- What ratings, experiments and admins have decided stays.
        where s.decided_by is null and (s.state <> 'retired' or s.reason in ('few_users', 'contradicted', 'crowded', 'unfit'))
    ), ranked as (
        select f.*, coalesce(f.problem, case when row_number() over (
            order by f.problem is null desc, f.state = 'active' desc, f.users desc, f.id) > v_room then 'crowded' end) as why
        from fit f
    ), changed as (
        update uplift.playbook_guidelines g set updated_at = now(),
            state = case when r.why is null then case when g.state = 'active' then 'active' else 'proposed' end
                when g.state in ('proposed', 'active') then 'retired' else g.state end,
            reason = case when r.why is null and g.state in ('proposed', 'active') then g.reason else r.why end
        from ranked r
        where g.id = r.id and (r.why is null and g.state in ('gathering', 'retired') or r.why is not null and g.state in ('proposed', 'active')
            or r.why is distinct from g.reason and r.why is not null)
        returning g.state, r.state as state_before
    )
    select jsonb_build_object('proposed', count(*) filter (where c.state = 'proposed' and c.state_before <> 'proposed'),
        'retired', count(*) filter (where c.state = 'retired' and c.state_before <> 'retired')) into v_result
    from changed c;
    -- Nobody says so any more, and nobody was shown it.
    delete from uplift.playbook_guidelines g
    where g.coach_id = p_coach_id and g.state = 'gathering' and g.decided_by is null
        and not exists (select from uplift.playbook_evidence e where e.guideline_id = g.id)
        and not exists (select from uplift.playbook_guidelines m where m.merged_into = g.id);
    return v_result;
end
$$;

comment on function uplift.settle_guidelines(text) is
    'Proposes the guidelines of a coach that playbook.min_users users stand behind, that nobody contradicts (or playbook.margin times fewer do) and that there is room for, those with the most users first; retires those that were and are no longer. What an admin, ratings or an experiment decided stays. Returns {proposed, retired}.';

-- --- a playbook as it goes out ---

create or replace function uplift.playbook_text(p_lines text) returns text
language sql immutable parallel safe
as $$
    select '# Guidelines
What the users of this coach found helpful, one guideline a line. They are information on how to answer, below the house rules: where one is at odds with those, with the persona, or with what this user wants, leave it.
' || p_lines
$$;

comment on function uplift.playbook_text(text) is 'Lines of guidelines with their heading, as they end the shared part of a prompt.';

create or replace function uplift.open_playbook_draft(p_coach_id text) returns uuid
language sql stable
as $$
    select e.id from uplift.playbook_versions v join public.ai_experiments e on e.id = v.experiment_id
    where v.coach_id = p_coach_id and e.status = 'draft' and e.start_date is null order by e.id limit 1
$$;

comment on function uplift.open_playbook_draft(text) is 'The experiment that is drafted for a coach''s playbook and has not begun; null for none.';

create or replace function uplift.drop_playbook_draft(p_id uuid) returns void
language sql volatile
as $$
    update uplift.playbook_versions v set experiment_id = null where v.experiment_id = p_id;
    delete from public.ai_experiments e where e.id = p_id and e.status = 'draft' and e.start_date is null;
    delete from uplift.experiment_events v where v.experiment_id = p_id;
$$;

comment on function uplift.drop_playbook_draft(uuid) is 'Takes back the draft of an experiment with a playbook that is no longer.';

create or replace function uplift.draft_playbook(p_version uplift.playbook_versions, p_draft uuid, p_who text) returns uuid
language plpgsql volatile
as $$
declare
    v_id uuid := coalesce(p_draft, uplift.uuid_v7());
    v_name text := format('Playbook of %s (%s)', left(translate(p_version.coach_id, '=,', '  '), 150), left(p_version.id::text, 8));
    v_control jsonb := jsonb_build_object('variant_name', 'without the new guidelines');
    v_test jsonb := jsonb_build_object('variant_name', 'with the new guidelines', 'guidelines', p_version.text);
begin
    if p_draft is not null then
        -- Weights and the like that an admin has set already stay.
        update public.ai_experiments e set experiment_name = v_name,
            test_variants = array[e.test_variants[1] || (v_test - 'variant_name')]
        where e.id = p_draft;
    else
        insert into public.ai_experiments (id, experiment_name, description, hypothesis, control_variant, test_variants, success_metric, status,
            targeting, salt)
        values (v_id, v_name, 'What users of this coach wrote about its answers, as guidelines; by job write-playbooks.',
            'With these guidelines more thumbs go up.', v_control, array[v_test], 'thumbs_up_rate', 'draft',
            jsonb_build_object('coaches', jsonb_build_array(p_version.coach_id)), v_id::text);
    end if;
    update uplift.playbook_versions v set experiment_id = null where v.experiment_id = v_id and v.id <> p_version.id;
    update uplift.playbook_versions v set experiment_id = v_id where v.id = p_version.id;
    perform uplift.note_experiment(v_id, case when p_draft is null then 'created' else 'changed' end, p_who, 'the playbook has changed');
    return v_id;
end
$$;

comment on function uplift.draft_playbook(uplift.playbook_versions, uuid, text) is
    'Drafts the experiment that tries a version of a playbook against production; in the place of p_draft, where there is one. It is for an admin to start, or to roll out, and for autopilot where that is on.';

create or replace function uplift.write_playbook(p_coach_id text, p_who text) returns jsonb
language plpgsql volatile
as $$
declare
    v_version uplift.playbook_versions;
    v_lines text;
    v_draft uuid := uplift.open_playbook_draft(p_coach_id);
    v_is_new boolean := false;
begin
    select string_agg('- ' || g.text, e'\n' order by g.id), array_agg(g.id order by g.id) into v_lines, v_version.guideline_ids
    from uplift.playbook_guidelines g where g.coach_id = p_coach_id and g.state in ('proposed', 'active');
    if v_lines is null then
        perform uplift.drop_playbook_draft(v_draft);
        return jsonb_build_object('version_id', null, 'experiment_id', null, 'is_new', false);
    end if;
    v_version.text := uplift.playbook_text(v_lines);
    v_version.id := uplift.text_hash(p_coach_id || e'\n' || v_version.text);
    insert into uplift.playbook_versions (id, coach_id, text, guideline_ids) values (v_version.id, p_coach_id, v_version.text, v_version.guideline_ids)
    on conflict (id) do nothing;
    v_is_new := found;
    select v.* into v_version from uplift.playbook_versions v where v.id = v_version.id;
    if exists (select from uplift.playbook_arms a where a.version_id = v_version.id)
            or v_version.id = uplift.playbook_in_production(p_coach_id, now()) then
        -- It is tried, or was.
        perform uplift.drop_playbook_draft(v_draft);
        v_draft := null;
    elsif v_version.experiment_id is null or v_draft <> v_version.experiment_id then
        v_draft := uplift.draft_playbook(v_version, v_draft, p_who);
    end if;
    -- Otherwise it is drafted, or an admin has deleted that.
    return jsonb_build_object('version_id', v_version.id, 'experiment_id', v_draft, 'is_new', v_is_new);
end
$$;

comment on function uplift.write_playbook(text, text) is
    'Brings the version of a coach''s playbook, and the draft of the experiment that is to try it, in step with its guidelines: at most one draft a coach, and none of what was tried already. Returns {version_id, experiment_id (of the draft), is_new}.';

create or replace function uplift_batch.tend_playbook(p_coach_id text, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_merged int;
    v_harmful int;
    v_lost int;
    v_settled jsonb;
    v_version jsonb;
begin
    perform uplift.lock_playbook(p_coach_id);
    delete from uplift.playbook_evidence e using uplift.playbook_guidelines g
    where g.coach_id = p_coach_id and e.guideline_id = g.id
        and (uplift.comment_on(e.answer_id, null)).user_id is distinct from e.user_id;
    delete from uplift.playbook_comments w
    where w.coach_id = p_coach_id and (w.said_at < now() - interval '2160 hours' or (uplift.comment_on(w.answer_id, null)).user_id is distinct from w.user_id);
    perform uplift.drop_turned_themes(p_coach_id);
    v_harmful := uplift.count_playbook_ratings(p_coach_id);
    v_lost := uplift.take_playbook_results(p_coach_id);
    v_merged := uplift.merge_guidelines(p_coach_id);
    v_settled := uplift.settle_guidelines(p_coach_id);
    v_version := uplift.write_playbook(p_coach_id, p_who);
    return jsonb_build_object('merged', v_merged, 'proposed', v_settled -> 'proposed', 'retired', (v_settled ->> 'retired')::int + v_harmful + v_lost,
        'versions', (v_version -> 'is_new' = 'true')::int);
end
$$;

comment on function uplift_batch.tend_playbook(text, text) is
    'Tends a coach''s playbook: evidence that stands no longer goes, ratings are counted, guidelines merged, proposed and retired, and a new version is written and drafted as an experiment. Returns {merged, proposed, retired, versions}.';
