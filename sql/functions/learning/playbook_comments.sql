-- What users wrote, as evidence for the guidelines of playbooks: by rules, and for a model what those do not understand.

-- --- comments ---

create or replace function uplift.lock_playbook(p_coach_id text) returns void
language sql volatile
as $$ select pg_advisory_xact_lock(hashtextextended('uplift playbook ' || p_coach_id, 0)) $$;

comment on function uplift.lock_playbook(text) is 'Only one at a time changes a coach''s playbook.';

create or replace function uplift.comment_on(p_answer_id uuid, p_guest uuid, out user_id uuid, out coach_id text, out words text)
language plpgsql stable
as $$
begin
    select a.user_id, a.coach_id, left(a.feedback_text, 4000) into user_id, coach_id, words
    from public.coach_response_feedback a
    join auth.users u on u.id = a.user_id
    left join uplift.conversations c on c.id = a.conversation_id
    where a.id = p_answer_id and a.coach_id is not null and btrim(a.feedback_text) <> '' and a.user_id is distinct from p_guest
        and c.deleted_at is null
        -- As training does: what several write is learnt, and goes to everyone.
        and uplift.may_train(a.user_id)
        and not exists (select from uplift.answer_reviews r where r.answer_id = a.id and r.review = 'rejected');
    if uplift.looks_like_injection(words) then
        user_id := null;
        coach_id := null;
        words := null;
    end if;
end
$$;

comment on function uplift.comment_on(uuid, uuid, out uuid, out text, out text) is
    'The comment on an answer, as far as playbooks may learn from it, its first 4,000 characters; nulls where there is none, its conversation was deleted, its user is p_guest or does not let answers train models (uplift.may_train), an admin rejected the answer, or it tries to be an instruction to the system.';

create or replace function uplift.guideline_for(p_coach_id text, p_text text, p_kind text, p_made_by text) returns uuid
language plpgsql volatile
as $$
declare
    v_found record;
begin
    select g.id, g.merged_into into v_found from uplift.playbook_guidelines g where g.coach_id = p_coach_id and g.text = p_text;
    if not found then
        select g.id, g.merged_into into v_found
        from uplift.playbook_guidelines g
        where g.coach_id = p_coach_id and uplift.is_topic(g.text) = uplift.is_topic(p_text)
            -- Topics are as many as users think of: those that gather wait for uplift.merge_guidelines().
            and (g.state <> 'gathering' or not uplift.is_topic(p_text)) and uplift.guidelines_alike(g.text, p_text)
        order by g.state = 'merged', g.id limit 1;
    end if;
    if not found then
        insert into uplift.playbook_guidelines (coach_id, text, kind, made_by, reason)
        values (p_coach_id, p_text, p_kind, p_made_by, 'few_users') returning id, merged_into into v_found;
    end if;
    -- What was merged may be merged again.
    for v_hop in 1 .. 10 loop
        exit when v_found.merged_into is null;
        select g.id, g.merged_into into v_found from uplift.playbook_guidelines g where g.id = v_found.merged_into;
    end loop;
    return v_found.id;
end
$$;

comment on function uplift.guideline_for(text, text, text, text) is
    'The guideline of a coach that says this, whatever its state, or the one that it was merged into; made, to gather evidence, where there is none.';

create or replace function uplift.opposed_guidelines(p_guideline_id uuid) returns uuid[]
language sql stable
as $$
    select array(
        select g.id from uplift.playbook_guidelines g
        where g.coach_id = t.coach_id and g.state <> 'merged' and uplift.is_topic(g.text) = uplift.is_topic(t.text)
            and uplift.guidelines_contradict(g.text, t.text))
    from uplift.playbook_guidelines t where t.id = p_guideline_id
$$;

comment on function uplift.opposed_guidelines(uuid) is 'The guidelines of its coach that contradict one.';

create or replace function uplift.add_evidence(p_guideline_id uuid, p_opposed uuid[], p_answer_id uuid, p_user_id uuid, p_said_at timestamptz) returns void
language plpgsql volatile
as $$
declare
    v_last timestamptz;
begin
    -- Of two that cannot both be so a user's last word counts.
    select max(e.said_at) into v_last
    from uplift.playbook_evidence e where e.user_id = p_user_id and e.guideline_id = any (p_opposed) and e.answer_id <> p_answer_id;
    if v_last > p_said_at then
        return;
    end if;
    delete from uplift.playbook_evidence e where e.user_id = p_user_id and e.guideline_id = any (p_opposed) and e.answer_id <> p_answer_id;
    insert into uplift.playbook_evidence (guideline_id, answer_id, user_id, said_at)
    values (p_guideline_id, p_answer_id, p_user_id, p_said_at) on conflict do nothing;
end
$$;

comment on function uplift.add_evidence(uuid, uuid[], uuid, uuid, timestamptz) is
    'Notes that the comment on an answer is evidence for a guideline, in the place of what its user wrote before to the contrary (for uplift.opposed_guidelines() of it); not where that was written later.';

create or replace function uplift.note_guideline(p_coach_id text, p_text text, p_kind text, p_made_by text, p_answer_ids uuid[]) returns void
language plpgsql volatile
as $$
declare
    v_guideline uuid := uplift.guideline_for(p_coach_id, p_text, p_kind, p_made_by);
    v_opposed uuid[] := uplift.opposed_guidelines(v_guideline);
begin
    perform uplift.add_evidence(v_guideline, v_opposed, w.answer_id, w.user_id, w.said_at)
    from uplift.playbook_comments w where w.answer_id = any (p_answer_ids);
end
$$;

comment on function uplift.note_guideline(text, text, text, text, uuid[]) is
    'Notes that the comments on answers, of those that rules do not understand, are evidence for a guideline of a coach (uplift.guideline_for).';

create or replace function uplift.read_comment(p_answer_id uuid, p_said_at timestamptz, p_guest uuid) returns text
language plpgsql volatile
as $$
declare
    v_comment record;
    v_wish text;
    v_guideline record;
    v_guideline_id uuid;
    v_is_understood boolean := false;
begin
    -- The end of the list is read twice.
    if exists (select from uplift.playbook_evidence e where e.answer_id = p_answer_id and e.said_at >= p_said_at)
            or exists (select from uplift.playbook_comments c where c.answer_id = p_answer_id and c.said_at >= p_said_at) then
        return 'known';
    end if;
    -- It has changed, or was taken back.
    delete from uplift.playbook_evidence e where e.answer_id = p_answer_id;
    delete from uplift.playbook_comments c where c.answer_id = p_answer_id;
    v_comment := uplift.comment_on(p_answer_id, p_guest);
    if v_comment.words is null then
        return 'none';
    end if;
    perform uplift.lock_playbook(v_comment.coach_id);
    for v_wish in select w.wish from uplift.wishes_in(v_comment.words) w loop
        v_guideline := uplift.guideline_of_wish(v_wish);
        v_is_understood := true;
        -- A topic is in its user's words.
        continue when v_guideline.kind = 'content'
            and uplift.guideline_problem(v_guideline.guideline, false, uplift.profile_names(v_comment.user_id), null) is not null;
        v_guideline_id := uplift.guideline_for(v_comment.coach_id, v_guideline.guideline, v_guideline.kind, 'rules');
        perform uplift.add_evidence(v_guideline_id, uplift.opposed_guidelines(v_guideline_id), p_answer_id, v_comment.user_id, p_said_at);
    end loop;
    if v_is_understood then
        return 'understood';
    elsif length(btrim(v_comment.words)) < 8 then
        return 'none';
    end if;
    insert into uplift.playbook_comments (answer_id, user_id, coach_id, said_at)
    values (p_answer_id, v_comment.user_id, v_comment.coach_id, p_said_at);
    return 'waiting';
end
$$;

comment on function uplift.read_comment(uuid, timestamptz, uuid) is
    'Brings playbooks in step with the comment on an answer, last changed at p_said_at: known (it was read before), none (nothing to learn), understood (by rules), or waiting for a model.';

create or replace function uplift.read_comments(p_answer_ids uuid[], p_said_at timestamptz[], p_guest uuid) returns jsonb
language plpgsql volatile
as $$
declare
    v record;
    v_what text;
    v_count jsonb := jsonb_build_object('comments', 0, 'understood', 0, 'waiting', 0, 'failed', 0);
begin
    for v in select a.id, a.said_at from unnest(p_answer_ids, p_said_at) a(id, said_at) loop
        begin
            v_what := uplift.read_comment(v.id, v.said_at, p_guest);
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            v_what := 'failed';
        end;
        if v_what in ('understood', 'waiting', 'failed') then
            v_count := v_count || jsonb_build_object(v_what, (v_count ->> v_what)::int + 1, 'comments', (v_count ->> 'comments')::int + 1);
        end if;
    end loop;
    return v_count;
end
$$;

comment on function uplift.read_comments(uuid[], timestamptz[], uuid) is
    'uplift.read_comment() of several answers: {comments, understood, waiting, failed}, failed being those that could not be read.';

create or replace function uplift.read_comments_again(p_most int, p_guest uuid) returns jsonb
language plpgsql volatile
as $$
declare
    v_users uuid[];
    v_ids uuid[];
    v_said_at timestamptz[];
begin
    with taken as (
        delete from uplift.playbook_users u
        where u.user_id in (select x.user_id from uplift.playbook_users x order by x.user_id limit p_most for update skip locked)
        returning u.user_id
    )
    select array_agg(t.user_id) into v_users from taken t;
    select array_agg(a.id order by a.id), array_agg(coalesce(a.feedback_given_at, a.created_at) order by a.id) into v_ids, v_said_at
    from unnest(v_users) u(id) join public.coach_response_feedback a on a.user_id = u.id and a.feedback_text is not null;
    return uplift.read_comments(v_ids, v_said_at, p_guest) || jsonb_build_object('goes_on', coalesce(cardinality(v_users), 0) = p_most);
end
$$;

comment on function uplift.read_comments_again(int, uuid) is
    'Reads all comments of p_most users of uplift.playbook_users, who are taken out of it: as uplift.read_comments(), and goes_on, whether there may be more of them.';

create or replace function uplift_batch.read_playbook_comments(p_after bigint, p_most int, p_guest uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_from bigint := coalesce(p_after, (select c.event_id from uplift.playbook_cursor c), 0);
    v_events bigint[];
    v_settled bigint;
    v_count jsonb;
    v_again jsonb := uplift.read_comments_again(p_most / 10 + 1, p_guest);
begin
    -- What was recorded a moment ago may have come before something that is not committed yet.
    select array_agg(e.id order by e.id), max(e.id) filter (where e.recorded_at < now() - interval '10 minutes') into v_events, v_settled
    from (select f.id, f.recorded_at from uplift.feedback_events f where f.id > v_from order by f.id limit p_most) e;
    select uplift.read_comments(array_agg(x.answer_id order by x.answer_id), array_agg(x.given_at order by x.answer_id), p_guest) into v_count
    from (
        select distinct on (f.answer_id) f.answer_id, f.given_at
        from unnest(v_events) i(id) join uplift.feedback_events f on f.id = i.id
        where f.changes ? 'feedback_text' order by f.answer_id, f.id desc) x;
    if v_settled is not null then
        insert into uplift.playbook_cursor (event_id) values (v_settled)
        on conflict (is_only) do update set event_id = greatest(uplift.playbook_cursor.event_id, excluded.event_id);
    end if;
    return (select jsonb_object_agg(c.key, c.value::int + (v_again ->> c.key)::int) from jsonb_each_text(v_count) c)
        || jsonb_build_object('after', coalesce(v_events[cardinality(v_events)], v_from)::text,
            'goes_on', coalesce(cardinality(v_events), 0) = p_most or (v_again ->> 'goes_on')::boolean);
end
$$;

comment on function uplift_batch.read_playbook_comments(bigint, int, uuid) is
    'Reads the comments among the p_most events of feedback after p_after, or after what earlier jobs have read: {after, goes_on, comments, understood, waiting, failed}. What was read is read again only where it has changed. Before them all comments of some of those users whose consent to training, or an admin''s, came since (uplift.read_comments_again).';

create or replace function uplift_batch.read_all_playbook_comments(p_after uuid, p_most int, p_guest uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_ids uuid[];
    v_said_at timestamptz[];
    v_last uuid;
    v_looked_at int;
begin
    select array_agg(a.id order by a.id) filter (where a.has_comment), array_agg(a.said_at order by a.id) filter (where a.has_comment),
        (array_agg(a.id order by a.id desc))[1], count(*)
    into v_ids, v_said_at, v_last, v_looked_at
    from (
        -- What was read before is left to its events, which tell when it changed: here a later thumb looks the same.
        select x.id, coalesce(x.feedback_given_at, x.created_at) as said_at, x.feedback_text is not null
            and not exists (select from uplift.playbook_evidence e where e.answer_id = x.id)
            and not exists (select from uplift.playbook_comments w where w.answer_id = x.id) as has_comment
        from public.coach_response_feedback x where p_after is null or x.id > p_after order by x.id limit p_most) a;
    return uplift.read_comments(v_ids, v_said_at, p_guest) || jsonb_build_object('after', v_last, 'goes_on', v_looked_at = p_most);
end
$$;

comment on function uplift_batch.read_all_playbook_comments(uuid, int, uuid) is
    'Reads the comments on the p_most answers after p_after (null: from the first), whenever they were written, also before there were events of feedback: as uplift_batch.read_playbook_comments().';

-- --- consent ---

create or replace function uplift.playbook_consent() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if uplift.may_train(coalesce(new.user_id, old.user_id)) then
        insert into uplift.playbook_users (user_id) select u.id from auth.users u where u.id = coalesce(new.user_id, old.user_id) on conflict do nothing;
    end if;
    return null;
end
$$;

comment on function uplift.playbook_consent() is
    'Trigger of user_coach_preferences, when training_consent changes: has the comments read of a user who did not let answers train models before. What those wrote who take it back, uplift_batch.tend_playbook() forgets.';

create or replace function uplift.playbook_undecided() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if uplift.trains_by_default() and (tg_op <> 'UPDATE' or new.value <> old.value) then
        insert into uplift.playbook_users (user_id)
        select u.id from auth.users u
        where not exists (select from public.user_coach_preferences p where p.user_id = u.id and p.training_consent is not null)
        on conflict do nothing;
    end if;
    return null;
end
$$;

comment on function uplift.playbook_undecided() is
    'Trigger of uplift.settings, when training.consent_default changes: has the comments read of all who neither agreed nor refused, where these may be used from now on.';

do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.name, t.table_name, t.definition
        from (values
            ('uplift_playbook_consent', 'public.user_coach_preferences',
                'after update on %s for each row when (old.training_consent is distinct from new.training_consent) execute function uplift.playbook_consent()'),
            ('uplift_playbook_answer', 'public.user_coach_preferences',
                'after insert on %s for each row when (new.training_consent is not null) execute function uplift.playbook_consent()'),
            ('uplift_playbook_answer_gone', 'public.user_coach_preferences',
                'after delete on %s for each row when (old.training_consent is not null) execute function uplift.playbook_consent()'),
            ('uplift_playbook_default', 'uplift.settings',
                'after insert or update on %s for each row when (new.key = ''training.consent_default'') execute function uplift.playbook_undecided()'),
            ('uplift_playbook_default_gone', 'uplift.settings',
                'after delete on %s for each row when (old.key = ''training.consent_default'') execute function uplift.playbook_undecided()'))
            as t(name, table_name, definition)
        where not exists (select from pg_trigger p where p.tgrelid = to_regclass(t.table_name) and p.tgname = t.name)
    loop
        execute format('create trigger %I ', v_trigger.name) || format(v_trigger.definition, v_trigger.table_name);
    end loop;
end
$$;

-- --- what a model may find in those that rules do not understand ---

create or replace function uplift_batch.playbook_coaches() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(c.id order by c.id), '[]') from uplift.coaches c
    where exists (select from uplift.playbook_guidelines g where g.coach_id = c.id)
        or exists (select from uplift.playbook_comments w where w.coach_id = c.id)
$$;

comment on function uplift_batch.playbook_coaches() is 'The coaches on offer of whom there is something for a playbook: a list of ids.';

create or replace function uplift_batch.comments_to_distil(p_coach_id text, p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v record;
    v_ids uuid[] := array[]::uuid[];
    v_users uuid[] := array[]::uuid[];
    v_lines text[] := array[]::text[];
    v_words text[];
    v_stems jsonb[] := array[]::jsonb[];
    v_group int[] := array[]::int[];
    v_is_news boolean := false;
    v_order int[];
begin
    for v in
        select w.answer_id, w.user_id, w.read_at, c.words
        from (
            select x.*, row_number() over (partition by x.user_id order by x.answer_id desc) as nth
            from uplift.playbook_comments x where x.coach_id = p_coach_id) w
        cross join lateral uplift.comment_on(w.answer_id, null) c
        -- However much one writes.
        where w.nth <= 3 and c.user_id = w.user_id
        order by w.read_at is null desc, w.answer_id desc limit p_most
    loop
        v_ids := v_ids || v.answer_id;
        v_users := v_users || v.user_id;
        v_is_news := v_is_news or v.read_at is null;
        v_lines := v_lines || uplift.as_data(uplift.redact(left(v.words, 1000), uplift.profile_names(v.user_id)), 300);
        v_words := tsvector_to_array(to_tsvector('pg_catalog.english', v_lines[cardinality(v_lines)]));
        -- Beside the first that has a quarter of its words.
        v_group := v_group || coalesce((
            select v_group[s.n] from unnest(v_stems) with ordinality s(stems, n)
            where uplift.overlap(array(select jsonb_array_elements_text(s.stems)), v_words) >= 0.25 order by s.n limit 1), cardinality(v_ids));
        v_stems := v_stems || to_jsonb(v_words);
    end loop;
    if not v_is_news or (select count(distinct u) from unnest(v_users) u) < uplift.setting_number('playbook.min_users', 3) then
        return jsonb_build_object('answer_ids', '[]'::jsonb);
    end if;
    select array_agg(g.n order by g.root, g.n) into v_order from unnest(v_group) with ordinality g(root, n);
    return jsonb_build_object('answer_ids', (select to_jsonb(array_agg(v_ids[o.n] order by o.place)) from unnest(v_order) with ordinality o(n, place)),
        'data', '<guidelines>' || coalesce((
            select string_agg(e'\n- ' || g.text, '' order by g.id) from uplift.playbook_guidelines g
            where g.coach_id = p_coach_id and g.state <> 'merged' and (g.state <> 'gathering' or g.made_by = 'model')), '') || e'\n</guidelines>\n<comments>'
            || (select string_agg(case when o.place > 1 and v_group[o.n] <> v_group[v_order[o.place - 1]] then e'\n' else '' end
                || format(e'\n[%s] %s', o.place, v_lines[o.n]), '' order by o.place) from unnest(v_order) with ordinality o(n, place))
            || e'\n</comments>');
end
$$;

comment on function uplift_batch.comments_to_distil(text, int) is
    'What a model is to find guidelines in: p_most comments on a coach''s answers that rules do not understand, those that it did not see first, then the latest, of a user the latest three, redacted, one line of at most 300 characters each, and those together that have words in common. {answer_ids, data}, answer_ids in the order of their numbers from 1; an empty list where there is nothing new, or too few users said it.';

create or replace function uplift_batch.keep_guidelines(p_coach_id text, p_answer_ids uuid[], p_found jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    c_most constant int := 5; -- of one reading
    v_comments text[];
    v_names text[];
    v_found record;
    v_answers uuid[];
    v_users uuid[];
    v_count int := 0;
    v_dropped int := 0;
    v_failed int := 0;
begin
    perform uplift.lock_playbook(p_coach_id);
    -- What was changed meanwhile waits to be read again.
    select array_agg(c.words), array_agg(distinct n.name) filter (where n.name is not null) into v_comments, v_names
    from uplift.playbook_comments w
    cross join lateral uplift.comment_on(w.answer_id, null) c
    left join lateral unnest(uplift.profile_names(w.user_id)) n(name) on true
    where w.answer_id = any (p_answer_ids) and w.coach_id = p_coach_id;
    for v_found in
        select btrim(regexp_replace(f.x ->> 'guideline', '\s+', ' ', 'g')) as text, f.x ->> 'kind' as kind, f.x -> 'comments' as numbers
        from jsonb_array_elements(p_found) with ordinality f(x, n) order by f.n limit 20
    loop
        select array_agg(w.answer_id), array_agg(distinct w.user_id) into v_answers, v_users
        from uplift.playbook_comments w
        where w.coach_id = p_coach_id and w.answer_id in (
            select p_answer_ids[n::int] from jsonb_array_elements_text(v_found.numbers) n);
        if coalesce(cardinality(v_users), 0) < uplift.setting_number('playbook.min_users', 3) or v_count >= c_most
                or uplift.guideline_problem(v_found.text, false, v_names, v_comments) is not null then
            v_dropped := v_dropped + 1;
            continue;
        end if;
        begin
            perform uplift.note_guideline(p_coach_id, v_found.text, v_found.kind, 'model', v_answers);
            v_count := v_count + 1;
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            v_failed := v_failed + 1;
        end;
    end loop;
    update uplift.playbook_comments w set read_at = now() where w.answer_id = any (p_answer_ids) and w.coach_id = p_coach_id;
    return jsonb_build_object('found', v_count, 'dropped', v_dropped, 'failed', v_failed);
end
$$;

comment on function uplift_batch.keep_guidelines(text, uuid[], jsonb) is
    'Keeps what a model found in the comments that uplift_batch.comments_to_distil() gave it, {guideline, kind, comments (numbers from 1)} each, at most five: where enough users are behind it and it may be a guideline (uplift.guideline_problem), as evidence for the one that says it already, or as a new one. Returns {found, dropped, failed}.';
