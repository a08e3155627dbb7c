-- Playbooks as admins see and change them. What they decide of a guideline rules leave alone.

create or replace function uplift.playbook_json(p_coach_id text) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'playbook', 'coach_id', p_coach_id,
        'proposed', count(*) filter (where g.state = 'proposed'), 'active', count(*) filter (where g.state = 'active'),
        'gathering', count(*) filter (where g.state = 'gathering'), 'retired', count(*) filter (where g.state = 'retired'),
        'merged', count(*) filter (where g.state = 'merged'),
        'comments_waiting', (select count(*) from uplift.playbook_comments w where w.coach_id = p_coach_id),
        'experiment_id', uplift.open_playbook_draft(p_coach_id), 'production_version_id', uplift.playbook_in_production(p_coach_id, now()))
    from uplift.playbook_guidelines g where g.coach_id = p_coach_id
$$;

comment on function uplift.playbook_json(text) is 'A coach''s playbook as admins see it in a list; experiment_id is the draft that is to try it, production_version_id what a rollout made production.';

create or replace function uplift_batch.admin_list_playbooks(p_key text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after text := uplift.text_argument(p_arguments, 'after', 200);
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    select array_agg(uplift.playbook_json(x.coach_id) order by x.coach_id) into v_rows
    from (
        select c.coach_id from (
            select k.id as coach_id from uplift.coaches k
            union select g.coach_id from uplift.playbook_guidelines g) c
        where v_after is null or c.coach_id > v_after
        order by c.coach_id limit v_limit + 1) x;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_playbooks(text, jsonb, text) is
    'The playbooks of all coaches on offer, and of others that had one, with how many guidelines of each state there are: limit, after (a coach_id).';

create or replace function uplift.guideline_json(p_guideline uplift.playbook_standing) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'playbook_guideline', 'id', p_guideline.id, 'coach_id', p_guideline.coach_id, 'text', p_guideline.text,
        'kind', p_guideline.kind, 'state', p_guideline.state, 'merged_into', p_guideline.merged_into, 'reason', p_guideline.reason,
        'made_by', p_guideline.made_by, 'decided_by', p_guideline.decided_by, 'users', p_guideline.users, 'comments', p_guideline.comments,
        'helpful', round(p_guideline.helpful::numeric, 1), 'harmful', round(p_guideline.harmful::numeric, 1),
        'created_at', p_guideline.created_at, 'updated_at', p_guideline.updated_at)
$$;

comment on function uplift.guideline_json(uplift.playbook_standing) is 'A guideline as admins see it.';

create or replace function uplift.guideline_evidence(p_guideline_id uuid, p_most int) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(jsonb_build_object('answer_id', e.answer_id, 'said_at', e.said_at,
        'comment', uplift.redact(left(e.feedback_text, 500), uplift.profile_names(e.user_id))) order by e.said_at desc, e.answer_id), '[]')
    from (
        select x.answer_id, x.said_at, a.user_id, a.feedback_text
        from uplift.playbook_evidence x
        join public.coach_response_feedback a on a.id = x.answer_id and a.user_id = x.user_id and a.feedback_text is not null
        where x.guideline_id = p_guideline_id
        order by x.said_at desc, x.answer_id limit p_most) e
$$;

comment on function uplift.guideline_evidence(uuid, int) is
    'The latest comments that a guideline rests on, redacted, their first 500 characters: [{answer_id, said_at, comment}].';

create or replace function uplift.check_playbook_coach(p_coach_id text) returns void
language plpgsql stable
as $$
begin
    if not exists (select from uplift.coaches c where c.id = p_coach_id)
            and not exists (select from uplift.playbook_guidelines g where g.coach_id = p_coach_id) then
        perform uplift.fail(404, 'coach_not_found', 'there is no such coach');
    end if;
end
$$;

comment on function uplift.check_playbook_coach(text) is 'Returns when a coach is on offer, or had a playbook. UP404 coach_not_found.';

create or replace function uplift_batch.admin_get_playbook(p_key text, p_arguments jsonb, p_who text, p_log uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_playbook jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    perform uplift.check_playbook_coach(p_key);
    v_playbook := uplift.playbook_json(p_key) || jsonb_build_object(
        'guidelines', (
            select coalesce(jsonb_agg(uplift.guideline_json(s) || jsonb_build_object('evidence', uplift.guideline_evidence(s.id, 10))
                order by array_position('{active,proposed,gathering,retired,merged}', s.state), s.users desc, s.id), '[]')
            from (
                select x.* from uplift.playbook_standing x where x.coach_id = p_key
                order by array_position('{active,proposed,gathering,retired,merged}', x.state), x.users desc, x.id limit 200) s),
        'versions', (
            select coalesce(jsonb_agg(jsonb_build_object('id', v.id, 'created_at', v.created_at, 'guideline_ids', v.guideline_ids, 'text', v.text,
                'experiments', (
                    select coalesce(jsonb_agg(jsonb_build_object('experiment_id', e.id, 'rollout_id', r.id, 'status', coalesce(r.status, e.status),
                        'winner_variant', e.winner_variant) order by e.id), '[]')
                    from public.ai_experiments e left join uplift.rollouts r on r.experiment_id = e.id
                    where e.id = v.experiment_id or e.id in (select a.experiment_id from uplift.playbook_arms a where a.version_id = v.id)))
                order by v.created_at desc, v.id), '[]')
            from (select x.* from uplift.playbook_versions x where x.coach_id = p_key order by x.created_at desc, x.id limit 20) v));
    perform uplift.note_shown(p_log, array(
        select a.user_id from jsonb_path_query(v_playbook, '$.guidelines[*].evidence[*].answer_id') e
        join public.coach_response_feedback a on a.id = (e #>> '{}')::uuid));
    return v_playbook;
end
$$;

comment on function uplift_batch.admin_get_playbook(text, jsonb, text, uuid) is
    'A coach''s playbook: its guidelines (200 at most) with the comments and the number of users they rest on, and its latest 20 versions with the experiments and rollouts that try them. Whose comments they are is noted for p_log. UP404 coach_not_found.';

create or replace function uplift.find_guideline(p_id uuid) returns uplift.playbook_guidelines
language plpgsql volatile
as $$
declare
    v_guideline uplift.playbook_guidelines;
begin
    perform uplift.lock_playbook(g.coach_id) from uplift.playbook_guidelines g where g.id = p_id;
    select g.* into v_guideline from uplift.playbook_guidelines g where g.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'guideline_not_found', 'there is no such guideline');
    end if;
    return v_guideline;
end
$$;

comment on function uplift.find_guideline(uuid) is 'A guideline, and its playbook, locked. UP404 guideline_not_found.';

create or replace function uplift.decide_guideline(p_id uuid, p_state text, p_who text, p_reason text) returns jsonb
language plpgsql volatile
as $$
declare
    v_coach text;
begin
    update uplift.playbook_guidelines g set state = p_state, merged_into = null, decided_by = p_who, reason = p_reason, updated_at = now()
    where g.id = p_id returning g.coach_id into v_coach;
    perform uplift.settle_guidelines(v_coach);
    perform uplift.write_playbook(v_coach, p_who);
    return (select uplift.guideline_json(s) from uplift.playbook_standing s where s.id = p_id);
end
$$;

comment on function uplift.decide_guideline(uuid, text, text, text) is 'What an admin decides of a guideline, with what follows for the others and for the draft.';

create or replace function uplift.check_playbook_room(p_coach_id text) returns void
language plpgsql stable
as $$
begin
    if (select count(*) from uplift.playbook_guidelines g
            where g.coach_id = p_coach_id and g.decided_by is not null and g.state in ('proposed', 'active')) >= uplift.playbook_room() then
        perform uplift.fail(409, 'playbook_full', format('this playbook has %s guidelines that admins chose, as many as playbook.max_guidelines allows: retire one first', uplift.playbook_room()));
    end if;
end
$$;

comment on function uplift.check_playbook_room(text) is 'Returns when a playbook has room for one more that an admin chooses. UP409 playbook_full.';

create or replace function uplift_batch.admin_retire_guideline(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_reason text := uplift.text_argument(p_arguments, 'reason', 1000);
begin
    perform uplift.check_arguments(p_arguments, '{reason}');
    perform uplift.find_guideline(p_id);
    return uplift.decide_guideline(p_id, 'retired', p_who, v_reason);
end
$$;

comment on function uplift_batch.admin_retire_guideline(uuid, jsonb, text) is
    'Takes a guideline out of its playbook for good, whatever comes to be said for it: reason. UP404 guideline_not_found.';

create or replace function uplift_batch.admin_restore_guideline(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_reason text := uplift.text_argument(p_arguments, 'reason', 1000);
    v_guideline uplift.playbook_guidelines := uplift.find_guideline(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{reason}');
    if v_guideline.decided_by is null or v_guideline.state not in ('proposed', 'active') then
        perform uplift.check_playbook_room(v_guideline.coach_id);
    end if;
    return uplift.decide_guideline(p_id, case when v_guideline.state = 'active' then 'active' else 'proposed' end, p_who, v_reason);
end
$$;

comment on function uplift_batch.admin_restore_guideline(uuid, jsonb, text) is
    'Puts a guideline that was retired, merged or is still gathering into its playbook, where it stays: reason. UP404 guideline_not_found, UP409 playbook_full.';

create or replace function uplift_batch.admin_add_guideline(p_key text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_text text := btrim(uplift.text_argument(p_arguments, 'text', 1000));
    v_kind text := coalesce(uplift.text_argument(p_arguments, 'kind', 20), 'manner');
    v_reason text := uplift.text_argument(p_arguments, 'reason', 1000);
    v_problem text := uplift.guideline_problem(v_text, true, null, null);
    v_id uuid;
begin
    perform uplift.check_arguments(p_arguments, '{text,kind,reason}');
    perform uplift.check_playbook_coach(p_key);
    if v_text is null then
        perform uplift.fail(400, 'missing_argument', 'text is missing', 'text');
    elsif v_kind not in ('manner', 'content') then
        perform uplift.fail(400, 'invalid_kind', 'kind must be manner or content', 'kind');
    elsif v_problem is not null then
        perform uplift.fail(400, 'invalid_text', 'text ' || v_problem, 'text');
    end if;
    perform uplift.lock_playbook(p_key);
    if exists (select from uplift.playbook_guidelines g where g.coach_id = p_key and g.text = v_text) then
        perform uplift.fail(409, 'guideline_exists', 'there is such a guideline: restore it', 'text');
    end if;
    perform uplift.check_playbook_room(p_key);
    insert into uplift.playbook_guidelines (coach_id, text, kind, made_by) values (p_key, v_text, v_kind, 'admin') returning id into v_id;
    return uplift.decide_guideline(v_id, 'proposed', p_who, v_reason);
end
$$;

comment on function uplift_batch.admin_add_guideline(text, jsonb, text) is
    'Adds a guideline to a coach''s playbook by hand: text, kind (manner or content), reason. UP404 coach_not_found; UP400 missing_argument, invalid_text, invalid_kind, unknown_argument; UP409 guideline_exists, playbook_full.';
