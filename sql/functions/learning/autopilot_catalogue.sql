-- What autopilot can try: steps from what production has, templates, and words that a model makes of what was liked.

-- --- what there is to try ---

create or replace function uplift.prompt_templates() returns table (name text, words text, opposite text)
language sql immutable parallel safe
as $$
    values ('shorter', 'Keep answers short: say what matters in a few sentences, and go into detail only when asked to.', 'more detail'),
        ('more concrete', 'Be concrete: name the next step, with numbers, times and an example that fit what the user said.', null),
        ('one question', 'End with one short question that helps the user go on, and never with more than one.', 'no closing question'),
        ('more encouragement', 'Say first what the user is doing well, honestly and in particular, before you say what to change.', null),
        ('more detail', 'Go into detail: explain why, name what to watch for, and say how to do it step by step.', 'shorter'),
        ('no closing question', 'End with the next step or with what matters most, and not with a question.', 'one question')
$$;

comment on function uplift.prompt_templates() is 'Words that autopilot tries at the end of a coach''s prompt, and the name of those that they contradict.';

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
    select 20 + t.n::int, 'prompt: ' || t.name, jsonb_build_object('prompt_suffix', concat_ws(e'\n', p.suffix, t.words)),
        format('Answers are liked better with the words "%s"', t.words)
    from now_serves p cross join lateral (select x.*, row_number() over () as n from uplift.prompt_templates() x) t
    left join uplift.prompt_templates() o on o.name = t.opposite
    where coalesce(position(t.words in p.suffix), 0) = 0 and coalesce(position(o.words in p.suffix), 0) = 0
        and length(concat_ws(e'\n', p.suffix, t.words)) <= 20000
    union all
    select 27, uplift.prompt_name(w.id), jsonb_build_object('prompt_suffix', concat_ws(e'\n', p.suffix, w.words)),
        format('Answers are liked better with the words "%s"', w.words)
    from now_serves p cross join uplift.autopilot_prompts w
    where w.coach_id is not distinct from p_coach_id and coalesce(position(w.words in p.suffix), 0) = 0
        and length(concat_ws(e'\n', p.suffix, w.words)) <= 20000
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

-- --- words by a model ---

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
