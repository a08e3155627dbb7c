-- Failures of providers and of answers, as they are recorded with the answers, and what admins see of
-- them. Nothing of what was said is in them: types, codes, names and ids only.

create or replace function uplift.error_fingerprint(p_type text, p_provider text, p_model text, p_status int) returns text
language sql immutable parallel safe
as $$
    select left(md5(concat_ws('|', p_type, coalesce(p_provider, ''), coalesce(p_model, ''), coalesce(p_status, 0))), 16)
$$;

comment on function uplift.error_fingerprint(text, text, text, int) is
    'What failures that are alike have in common: type, provider, model and HTTP status, as 16 digits.';

-- A word of the programs' own (status_503, timeout_idle, ...); anything else that came this way could
-- hold what was said.
create or replace function uplift.error_word(p_text text) returns text
language sql immutable parallel safe
as $$ select case when p_text ~ '^[a-z][a-z0-9_]{0,47}$' then p_text else 'unknown' end $$;

comment on function uplift.error_word(text) is 'The reason of a failed attempt, or unknown where it is no word.';

create or replace function uplift.note_errors(p_new uuid[]) returns void
language plpgsql
as $$
begin
    insert into public.ai_errors (user_id, error_type, model_name, provider, attempt, http_status, answer_id, request_id,
        error_code, fingerprint, user_visible, auto_recovered, manual_intervention_required, duration_ms, created_at)
    select a.user_id, x.type, x.model, x.provider, x.attempt, x.status, a.id, a.request_id,
        case when x.is_last then a.error_code end,
        uplift.error_fingerprint(x.type, x.provider, x.model, x.status),
        a.outcome in ('failed', 'partial') and x.is_last, a.outcome = 'complete',
        x.status in (401, 403) or a.error_code in ('provider_auth', 'insufficient_quota') and x.is_last,
        x.duration, a.created_at
    from unnest(p_new) as n(id)
    cross join lateral (select * from public.coach_response_feedback f where f.id = n.id limit 1) a
    cross join lateral (
        -- Each call that failed; and what failed without one.
        select uplift.error_word(t.value ->> 'reason') as type, left(t.value ->> 'model', 256) as model,
            left(t.value ->> 'provider', 256) as provider, t.number::int as attempt,
            nullif(uplift.clamped((t.value ->> 'http_status')::numeric, 999), 0) as status,
            uplift.clamped((t.value ->> 'duration_ms')::numeric, 2147483647) as duration,
            t.number = jsonb_array_length(a.attempts) as is_last
        from jsonb_array_elements(a.attempts) with ordinality as t(value, number)
        where t.value ? 'reason' and t.value ->> 'reason' not in ('client_closed', 'client_stalled')
        union all
        select uplift.error_word(a.error_code), a.model_used, nullif(a.provider, ''), 0, null, null, true
        where a.outcome in ('failed', 'partial') and coalesce(a.attempts, '[]') = '[]'
    ) x
    where (a.outcome in ('failed', 'partial') or jsonb_array_length(a.attempts) > 1);
end
$$;

comment on function uplift.note_errors(uuid[]) is
    'One row of ai_errors for each call of a provider that failed for these answers, and for each answer that failed without one.';

create or replace function uplift.error_groups_of(p_arguments jsonb)
returns table (fingerprint text, error_type text, provider text, model text, http_status int, count bigint, users bigint,
    user_visible bigint, recovered bigint, needs_attention boolean, first_seen timestamptz, last_seen timestamptz,
    resolved_at timestamptz, resolved_by text, note text, is_resolved boolean)
language sql stable
as $$
    select e.fingerprint, min(e.error_type), min(e.provider), min(e.model_name), min(e.http_status), count(*),
        count(distinct e.user_id), count(*) filter (where e.user_visible), count(*) filter (where e.auto_recovered),
        bool_or(e.manual_intervention_required), min(e.created_at), max(e.created_at), g.resolved_at, g.resolved_by, g.note,
        -- What comes again after it was resolved is not.
        coalesce(g.resolved_at >= max(e.recorded_at), false)
    from public.ai_errors e
    left join uplift.error_groups g on g.fingerprint = e.fingerprint
    where e.fingerprint is not null
        and e.created_at >= coalesce(uplift.time_argument(p_arguments, 'since'), now() - interval '168 hours')
        and e.created_at < coalesce(uplift.time_argument(p_arguments, 'until'), 'infinity')
        and (not p_arguments ? 'type' or e.error_type = p_arguments ->> 'type')
        and (not p_arguments ? 'provider' or e.provider = p_arguments ->> 'provider')
        and (not p_arguments ? 'model' or e.model_name = p_arguments ->> 'model')
        and (not p_arguments ? 'q' or concat_ws(' ', e.error_type, e.error_code, e.provider, e.model_name, e.http_status,
            e.request_id, e.answer_id, e.fingerprint) ilike '%' || regexp_replace(p_arguments ->> 'q', '([\\%_])', '\\\1', 'g') || '%')
    group by e.fingerprint, g.fingerprint
$$;

comment on function uplift.error_groups_of(jsonb) is
    'Failures by fingerprint, of the time, type, provider and model that arguments name; the last seven days unless they say.';

create or replace function uplift.latest_errors(p_fingerprint text, p_limit int, p_before timestamptz default 'infinity', p_before_id uuid default null)
returns uuid[]
language sql stable
as $$
    -- From the index alone, and then the rows: by a look-up of its time the planner would rather read
    -- failures of all kinds.
    select array(
        select e.id from public.ai_errors e
        where e.fingerprint = p_fingerprint and (e.created_at, e.id) < (p_before, coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
        order by e.created_at desc, e.id desc limit p_limit)
$$;

comment on function uplift.latest_errors(text, int, timestamptz, uuid) is
    'The ids of the last failures of a fingerprint, those before a time and id, the latest first.';

create or replace function uplift.error_group_json(p_fingerprint text) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'error_group', 'fingerprint', p_fingerprint, 'error_type', min(e.error_type), 'provider', min(e.provider),
        'model', min(e.model_name), 'http_status', min(e.http_status), 'count', count(*), 'is_counted_whole', count(*) < 10000,
        'users', count(distinct e.user_id), 'user_visible', count(*) filter (where e.user_visible),
        'recovered', count(*) filter (where e.auto_recovered), 'needs_attention', bool_or(e.manual_intervention_required),
        'first_seen', (select min(f.created_at) from public.ai_errors f where f.fingerprint = p_fingerprint),
        'last_seen', max(e.created_at), 'resolved_at', min(g.resolved_at), 'resolved_by', min(g.resolved_by), 'note', min(g.note),
        'is_resolved', coalesce(min(g.resolved_at) >= max(e.recorded_at), false))
    -- A provider that was away for a day leaves a million.
    from unnest(uplift.latest_errors(p_fingerprint, 10000)) l(id)
    join public.ai_errors e on e.id = l.id
    left join uplift.error_groups g on g.fingerprint = e.fingerprint
    having count(*) > 0
$$;

comment on function uplift.error_group_json(text) is
    'The failures of a fingerprint as uplift.error_groups_of() has them, of all times; counted are the last 10,000. Null for none.';

create or replace function uplift.micros_of(p_at timestamptz) returns bigint
language sql immutable
as $$ select (extract(epoch from p_at) * 1000000)::bigint $$;

comment on function uplift.micros_of(timestamptz) is 'A time as microseconds since 1970, as exact as it is stored.';

create or replace function uplift_batch.admin_list_errors(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_resolved text := p_arguments ->> 'resolved';
    v_after text[] := regexp_match(p_arguments ->> 'after', '^(\d{1,17})-(\w{1,64})$');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,since,until,type,provider,model,resolved,q}');
    if v_resolved not in ('true', 'false') then
        perform uplift.fail(400, 'invalid_resolved', 'resolved must be true or false', 'resolved');
    elsif length(p_arguments ->> 'q') not between 1 and 200 then
        perform uplift.fail(400, 'invalid_q', 'q must have 1 to 200 characters', 'q');
    elsif p_arguments ? 'after' and v_after is null then
        perform uplift.fail(400, 'invalid_after', 'after must be the next_after of the page before', 'after');
    end if;
    select array_agg(jsonb_build_object('object', 'error_group') || to_jsonb(x) order by x.last_seen desc, x.fingerprint) into v_rows
    from (select * from uplift.error_groups_of(p_arguments) g
        where (v_resolved is null or g.is_resolved = v_resolved::boolean)
            and (v_after is null or (uplift.micros_of(g.last_seen), v_after[2]) < (v_after[1]::bigint, g.fingerprint))
        order by g.last_seen desc, g.fingerprint limit v_limit + 1) x;
    return uplift.list_page(v_rows, v_limit) || jsonb_build_object('next_after', case when cardinality(v_rows) > v_limit then
        uplift.micros_of((v_rows[v_limit] ->> 'last_seen')::timestamptz) || '-' || (v_rows[v_limit] ->> 'fingerprint') end);
end
$$;

comment on function uplift_batch.admin_list_errors(uuid, jsonb, text) is
    'Failures that are alike, the last seen first: limit, after (the next_after of the page before), since, until, type, provider, model, resolved, q (a part of a type, code, name or id). UP400 invalid_limit, invalid_after, invalid_since, invalid_until, invalid_resolved, invalid_q.';

create or replace function uplift_batch.admin_get_error(p_fingerprint text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_group jsonb;
    v_from record;
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    select y.created_at, y.id into v_from from public.ai_errors y where y.id = v_after;
    v_group := uplift.error_group_json(p_fingerprint);
    if v_group is null then
        perform uplift.fail(404, 'error_not_found', 'there is no failure of this fingerprint');
    end if;
    select array_agg(to_jsonb(x) order by x.created_at desc, x.id desc) into v_rows
    from (select e.id, e.created_at, e.attempt, e.http_status, e.error_code, e.duration_ms, e.request_id, e.answer_id,
            e.user_id, e.user_visible, e.auto_recovered
        from unnest(uplift.latest_errors(p_fingerprint, v_limit + 1, coalesce(v_from.created_at, 'infinity'), v_from.id)) l(id)
        join public.ai_errors e on e.id = l.id) x;
    return v_group || jsonb_build_object('occurrences', uplift.list_page(v_rows, v_limit));
end
$$;

comment on function uplift_batch.admin_get_error(text, jsonb, text) is
    'The failures of a fingerprint, the latest first: limit, after. UP404 error_not_found.';

create or replace function uplift.mark_error(p_fingerprint text, p_arguments jsonb, p_who text, p_resolved_at timestamptz) returns jsonb
language plpgsql volatile
as $$
declare
    v_note text := uplift.text_argument(p_arguments, 'note', 2000);
begin
    perform uplift.check_arguments(p_arguments, '{note}');
    if not exists (select from public.ai_errors e where e.fingerprint = p_fingerprint) then
        perform uplift.fail(404, 'error_not_found', 'there is no failure of this fingerprint');
    end if;
    insert into uplift.error_groups as g (fingerprint, resolved_at, resolved_by, note)
    values (p_fingerprint, p_resolved_at, p_who, v_note)
    on conflict (fingerprint) do update set resolved_at = excluded.resolved_at, resolved_by = excluded.resolved_by,
        note = coalesce(excluded.note, g.note);
    -- The column that deployments look at.
    update public.ai_errors e set resolved_at = p_resolved_at
    where e.fingerprint = p_fingerprint and e.resolved_at is distinct from p_resolved_at
        and (p_resolved_at is null or e.resolved_at is null);
    return uplift.error_group_json(p_fingerprint);
end
$$;

comment on function uplift.mark_error(text, jsonb, text, timestamptz) is
    'Notes that the failures of a fingerprint are resolved, or (null) are not.';

create or replace function uplift_batch.admin_resolve_error(p_fingerprint text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return uplift.mark_error(p_fingerprint, p_arguments, p_who, clock_timestamp());
end
$$;

comment on function uplift_batch.admin_resolve_error(text, jsonb, text) is
    'The cause of these failures is mended (note): they count as resolved until one comes again. UP404 error_not_found.';

create or replace function uplift_batch.admin_reopen_error(p_fingerprint text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return uplift.mark_error(p_fingerprint, p_arguments, p_who, null);
end
$$;

comment on function uplift_batch.admin_reopen_error(text, jsonb, text) is 'They are not resolved after all. UP404 error_not_found.';

create or replace function uplift_batch.trim_errors(p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_before timestamptz := now() - make_interval(hours => 24 * uplift.setting_number('errors.keep_days', 90)::int);
    v_ids uuid[];
    v_deleted record;
begin
    -- Rows without a fingerprint are a deployment's own.
    v_ids := array(select o.id from public.ai_errors o
        where o.created_at < v_before and o.fingerprint is not null
        order by o.created_at limit p_most for update skip locked);
    select r.* into v_deleted from uplift.do_rows('delete from public.ai_errors e where e.id = any ($1)', v_ids) r;
    delete from uplift.error_groups g
    where g.resolved_at < v_before
        and not exists (select from public.ai_errors e where e.fingerprint = g.fingerprint);
    return jsonb_build_object('deleted', v_deleted.done, 'failed', v_deleted.failed,
        'goes_on', cardinality(v_ids) = p_most and v_deleted.done > 0);
end
$$;

comment on function uplift_batch.trim_errors(int) is
    'Deletes failures older than the setting errors.keep_days, the oldest p_most of them, and what admins said of kinds that are no more. How many, how many could not be deleted and stay (failed), and whether there may be more (goes_on). The attempts stay with their answers.';
