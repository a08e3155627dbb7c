-- What supabase-js does with public.coach_response_feedback, as the user: PostgREST's part of it.
-- Errors are SQLSTATE PTnnn, nnn the HTTP status and detail PostgREST's code.

create or replace function uplift.rest_fail(p_status int, p_code text, p_message text) returns void
language plpgsql
as $$
begin
    raise exception '%', p_message using errcode = 'PT' || p_status, detail = p_code;
end
$$;

comment on function uplift.rest_fail(int, text, text) is
    'Raises an error in PostgREST''s form: SQLSTATE PT and the HTTP status, detail PostgREST''s code.';

create or replace function uplift.rest_uuid(p_text text) returns uuid
language plpgsql immutable
as $$
begin
    return p_text::uuid;
exception when invalid_text_representation then
    perform uplift.rest_fail(400, '22P02', format('invalid input syntax for type uuid: "%s"', p_text));
    return null;
end
$$;

comment on function uplift.rest_uuid(text) is 'Text as a UUID; PT400 22P02 for what is none.';

create or replace function uplift.rest_hidden() returns text[]
language sql stable
as $$
    select coalesce(array_agg(t.attname::text), '{}') from pg_catalog.pg_attribute t
    where t.attrelid = 'public.coach_response_feedback'::regclass and t.attnum > 0 and not t.attisdropped
        and not has_column_privilege('authenticated', t.attrelid, t.attnum, 'SELECT')
$$;

comment on function uplift.rest_hidden() is
    'The columns of an answer that its user is not shown: those that authenticated may not read, as PostgREST would have it.';

create or replace function uplift.rest_columns(p_select text) returns void
language plpgsql stable
as $$
declare
    v_column text;
begin
    foreach v_column in array string_to_array(translate(p_select, '" ', ''), ',') loop
        if v_column <> '*' and not exists (select from pg_catalog.pg_attribute t
                where t.attrelid = 'public.coach_response_feedback'::regclass
                    and t.attname = v_column and t.attnum > 0 and not t.attisdropped) then
            perform uplift.rest_fail(400, '42703', format('column coach_response_feedback.%s does not exist', v_column));
        elsif v_column = any (uplift.rest_hidden()) then
            perform uplift.rest_fail(403, '42501', 'permission denied for table coach_response_feedback');
        end if;
    end loop;
end
$$;

comment on function uplift.rest_columns(text) is
    'Returns when all of a list of columns, joined by commas, are there and for their user to read. PT400 42703, PT403 42501.';

create or replace function uplift.rest_number(p_text text, p_default int) returns int
language plpgsql immutable
as $$
begin
    if p_text !~ '^-?[0-9]{1,9}$' then
        perform uplift.rest_fail(400, 'PGRST100', format('limit and offset must be whole numbers, not "%s"', p_text));
    end if;
    return coalesce(p_text::int, p_default);
end
$$;

comment on function uplift.rest_number(text, int) is 'A limit or an offset; PT400 PGRST100 for what is no number.';

create or replace function uplift.rest_select_feedback(p_user_id uuid, p_query jsonb) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_unknown text;
    v_id uuid := uplift.rest_uuid(p_query ->> 'id');
    v_conversation uuid := uplift.rest_uuid(p_query ->> 'conversation_id');
    v_user uuid := coalesce(uplift.rest_uuid(p_query ->> 'user_id'), p_user_id);
    v_order text := coalesce(p_query ->> 'order', 'created_at.desc');
    v_limit int := least(uplift.rest_number(p_query ->> 'limit', 1000), 1000);
    v_offset int := uplift.rest_number(p_query ->> 'offset', 0);
    v_hidden constant text[] := uplift.rest_hidden();
    v_rows json;
begin
    select k into v_unknown from jsonb_object_keys(p_query) k
    where k not in ('id', 'conversation_id', 'user_id', 'order', 'limit', 'offset', 'select') limit 1;
    if found then
        perform uplift.rest_fail(400, 'PGRST100', format('cannot filter by %s here; id, conversation_id and user_id can be', v_unknown));
    end if;
    if v_order !~ '^created_at(\.(asc|desc))?(\.nulls(first|last))?$' then
        perform uplift.rest_fail(400, 'PGRST100', format('cannot order by %s here; created_at can be', v_order));
    end if;
    perform uplift.rest_columns(coalesce(p_query ->> 'select', '*'));
    if v_limit < 0 or v_offset < 0 then
        perform uplift.rest_fail(416, 'PGRST103', 'Requested range not satisfiable');
    end if;

    if v_id is not null then
        select json_agg(to_jsonb(a) - v_hidden) into v_rows from (
            select * from public.coach_response_feedback a
            where a.id = v_id and a.user_id = p_user_id and v_user = p_user_id
                and (v_conversation is null or a.conversation_id = v_conversation)
            limit v_limit offset v_offset) a;
    elsif v_order like '%.desc%' then
        select json_agg(to_jsonb(a) - v_hidden) into v_rows from (
            select * from public.coach_response_feedback a
            where a.user_id = p_user_id and v_user = p_user_id
                and (v_conversation is null or a.conversation_id = v_conversation)
            order by a.created_at desc limit v_limit offset v_offset) a;
    else
        select json_agg(to_jsonb(a) - v_hidden) into v_rows from (
            select * from public.coach_response_feedback a
            where a.user_id = p_user_id and v_user = p_user_id
                and (v_conversation is null or a.conversation_id = v_conversation)
            order by a.created_at limit v_limit offset v_offset) a;
    end if;
    return coalesce(v_rows, '[]');
end
$$;

comment on function uplift.rest_select_feedback(uuid, jsonb) is
    'A user''s own answers with all columns that are theirs to read (uplift.rest_hidden are not), as a JSON array. p_query: id, conversation_id, user_id (to equal), order (created_at.asc or .desc, the default), limit (at most 1000), offset, select (columns, joined by commas: that they may be read is checked, all are returned). PT400 PGRST100, 22P02, 42703; PT403 42501; PT416 PGRST103.';

create or replace function uplift.rest_update_feedback(p_user_id uuid, p_id uuid, p_changes jsonb) returns json
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_changes jsonb := p_changes;
    v_key text;
begin
    if jsonb_typeof(p_changes) is distinct from 'object' then
        perform uplift.rest_fail(400, 'PGRST102', 'the body must be an object');
    end if;
    for v_key in select jsonb_object_keys(p_changes) loop
        if not exists (select from pg_catalog.pg_attribute t where t.attrelid = 'public.coach_response_feedback'::regclass
                and t.attname = v_key and t.attnum > 0 and not t.attisdropped) then
            perform uplift.rest_fail(400, 'PGRST204',
                format('Could not find the ''%s'' column of ''coach_response_feedback'' in the schema cache', v_key));
        elsif v_key not in ('helpful', 'rating', 'feedback_text', 'user_comment') then
            perform uplift.rest_fail(403, '42501', 'permission denied for table coach_response_feedback');
        end if;
    end loop;
    -- The name deployments have for it.
    if v_changes ? 'user_comment' then
        v_changes := v_changes - 'user_comment' || case when v_changes ? 'feedback_text' then '{}'
            else jsonb_build_object('feedback_text', v_changes -> 'user_comment') end;
    end if;
    begin
        perform uplift.check_feedback(v_changes);
    exception when sqlstate 'UP400' then
        perform uplift.rest_fail(400, case
            when sqlerrm like 'rating %' and jsonb_typeof(v_changes -> 'rating') = 'number' then '23514'
            else '22P02' end, sqlerrm);
    end;

    -- Nobody's answer, another user's and one that is not there yet are all the same: no row.
    if not exists (select from public.coach_response_feedback a where a.id = p_id and a.user_id = p_user_id) then
        return json '[]';
    end if;
    if v_changes <> '{}' then
        perform uplift.give_feedback(p_user_id, p_id, v_changes, false);
    end if;
    return (select json_agg(to_jsonb(a) - uplift.rest_hidden()) from public.coach_response_feedback a where a.id = p_id);
end
$$;

comment on function uplift.rest_update_feedback(uuid, uuid, jsonb) is
    'Changes helpful, rating, feedback_text of an own answer and returns the changed rows with all columns that are theirs to read, as a JSON array; none when there is no such answer. PT400 PGRST102, PGRST204, 22P02, 23514; PT403 42501.';
