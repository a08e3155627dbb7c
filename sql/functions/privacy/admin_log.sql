-- What admins did and looked at: noted by fcgi-batch before it does it, and read by admins and by the users whose data it was.

create or replace function uplift_batch.note_admin(p_who text, p_method text, p_route text, p_subject text, p_arguments jsonb, p_request_id text) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_is_object constant boolean := coalesce(jsonb_typeof(p_arguments) = 'object', false);
    v_user text := case when p_route like '/admin/users/%' then p_subject
        when p_route like '/admin/food-photos/{id}%' and uplift.is_uuid(p_subject) then (
            select f.user_id::text from uplift.food_photos f where f.id = p_subject::uuid)
        when p_route like '/admin/answers/{id}%' and uplift.is_uuid(p_subject) then (
            select a.user_id::text from public.coach_response_feedback a where a.id = p_subject::uuid)
        when v_is_object then p_arguments ->> 'user_id' end;
    v_about text := case when v_is_object then coalesce(p_arguments ->> 'dataset_version_id', p_arguments ->> 'dataset_id', (
        select d.id::text from public.ai_training_datasets d where d.dataset_name = p_arguments ->> 'dataset' limit 1)) end;
    v_id uuid;
begin
    insert into uplift.admin_log (who, method, route, subject, about, user_id, named, request_id)
    values (p_who, p_method, p_route, left(p_subject, 200), left(lower(v_about), 200), case when uplift.is_uuid(v_user) then v_user::uuid end,
        case when v_is_object then array(select left(k, 100) from jsonb_object_keys(p_arguments) k order by k limit 50) else array[]::text[] end,
        left(p_request_id, 100))
    returning id into v_id;
    return v_id;
end
$$;

comment on function uplift_batch.note_admin(text, text, text, text, jsonb, text) is
    'Notes a request of an admin: who, method, route as in the API reference, what stands for its {id} or {name} (null: none), the arguments, of which only the names are kept, and the request''s id. The line''s id.';

create or replace function uplift.admin_log_json(l uplift.admin_log) returns jsonb
language sql immutable
as $$
    select jsonb_build_object('object', 'admin_action', 'id', l.id, 'at', l.at, 'who', l.who, 'method', l.method, 'route', l.route, 'subject', l.subject, 'about', l.about,
        'user_id', l.user_id, 'named', to_jsonb(l.named), 'request_id', l.request_id)
$$;

comment on function uplift.admin_log_json(uplift.admin_log) is 'A row of uplift.admin_log as admins see it.';

create or replace function uplift.log_about(p_user_id uuid) returns setof uuid
language sql stable
as $$
    select l.id from uplift.admin_log l where l.user_id = p_user_id
    union
    select s.log_id from uplift.admin_log_users s where s.user_id = p_user_id
$$;

comment on function uplift.log_about(uuid) is 'The lines of uplift.admin_log that name a user, or showed texts of theirs among others''.';

create or replace function uplift_batch.admin_log(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
-- By what is asked for: the lines of one user are few.
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_user uuid := uplift.uuid_argument(p_arguments, 'user_id');
    v_by text := uplift.text_argument(p_arguments, 'who', 100);
    v_method text := upper(uplift.text_argument(p_arguments, 'method', 10));
    v_route text := uplift.text_argument(p_arguments, 'route', 200);
    v_subject text := uplift.text_argument(p_arguments, 'subject', 200);
    v_since timestamptz := coalesce(uplift.time_argument(p_arguments, 'since'), '-infinity');
    v_until timestamptz := coalesce(uplift.time_argument(p_arguments, 'until'), 'infinity');
    v_about uuid[] := case when v_user is not null then array(select uplift.log_about(v_user)) end;
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,user_id,who,method,route,subject,since,until}');
    select array_agg(uplift.admin_log_json(l) order by l.at desc, l.id desc) into v_rows from (
        select x.* from uplift.admin_log x
        where (v_after is null or (x.at, x.id) < (select a.at, a.id from uplift.admin_log a where a.id = v_after))
            and (v_about is null or x.id = any (v_about)) and (v_by is null or x.who = v_by) and (v_method is null or x.method = v_method)
            and (v_route is null or starts_with(x.route, v_route)) and (v_subject is null or x.subject = v_subject)
            and x.at >= v_since and x.at < v_until
        order by x.at desc, x.id desc limit v_limit + 1) l;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_log(uuid, jsonb, text) is
    'What admins did, the latest first: limit, after, who, user_id (whose data), method, route (what it begins with), subject, since, until. UP400 invalid_limit, invalid_after, invalid_user_id, invalid_since, invalid_until, unknown_argument.';

create or replace function uplift_chat.my_access_log(p_user_id uuid, p_limit int, p_before uuid) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_rows jsonb[];
begin
    select array_agg(jsonb_build_object('object', 'access', 'id', l.id, 'at', l.at, 'who', l.who, 'action', l.method || ' ' || l.route) order by l.at desc, l.id desc)
    into v_rows from (
        select x.* from (
            select d.* from uplift.log_about(p_user_id) l(id) join uplift.admin_log d on d.id = l.id
            union
            -- Sets and examples that have something of the user: who reads or exports them reads that.
            select d.* from uplift.training_example_sources s
            join public.ai_training_examples e on e.id = s.example_id
            cross join lateral (values (e.id::text), (e.dataset_id::text)) k(subject)
            join uplift.admin_log d on k.subject in (d.subject, d.about) and d.at >= e.created_at
            where s.user_id = p_user_id
            union
            select d.* from uplift.training_example_sources s
            join uplift.dataset_version_examples v on v.example_id = s.example_id
            join uplift.admin_log d on v.version_id::text in (d.subject, d.about)
            where s.user_id = p_user_id) x
        where p_before is null or (x.at, x.id) < (select a.at, a.id from uplift.admin_log a where a.id = p_before)
        order by x.at desc, x.id desc limit p_limit + 1) l;
    return uplift.list_page(v_rows, p_limit)::json;
end
$$;

comment on function uplift_chat.my_access_log(uuid, int, uuid) is
    'What admins did with a user''s data, the latest first, at most p_limit before the one of that id: {object: list, data: [{object: access, id, at, who, action}], has_more}. What named the user, searches that showed an answer of theirs, and what showed or exported sets, versions and examples with something of theirs.';
