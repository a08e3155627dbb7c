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
        end if;
    end loop;
end
$$;

comment on function uplift.rest_columns(text) is
    'Returns when all of a list of columns, joined by commas, are there. PT400 42703.';

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
        select json_agg(to_json(a)) into v_rows from (
            select * from public.coach_response_feedback a
            where a.id = v_id and a.user_id = p_user_id and v_user = p_user_id
                and (v_conversation is null or a.conversation_id = v_conversation)
            limit v_limit offset v_offset) a;
    elsif v_order like '%.desc%' then
        select json_agg(to_json(a)) into v_rows from (
            select * from public.coach_response_feedback a
            where a.user_id = p_user_id and v_user = p_user_id
                and (v_conversation is null or a.conversation_id = v_conversation)
            order by a.created_at desc limit v_limit offset v_offset) a;
    else
        select json_agg(to_json(a)) into v_rows from (
            select * from public.coach_response_feedback a
            where a.user_id = p_user_id and v_user = p_user_id
                and (v_conversation is null or a.conversation_id = v_conversation)
            order by a.created_at limit v_limit offset v_offset) a;
    end if;
    return coalesce(v_rows, '[]');
end
$$;

comment on function uplift.rest_select_feedback(uuid, jsonb) is
    'A user''s own answers with all columns, as a JSON array. p_query: id, conversation_id, user_id (to equal), order (created_at.asc or .desc, the default), limit (at most 1000), offset, select (columns, joined by commas: that they are there is checked, all are returned). PT400 PGRST100, 22P02, 42703; PT416 PGRST103.';

create or replace function uplift.rest_update_feedback(p_user_id uuid, p_id uuid, p_changes jsonb, p_issued boolean,
    p_given_at timestamptz, p_event_id uuid, p_address text, p_api_key text)
returns table (rows json, refusal jsonb)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
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

    rows := json '[]';
    refusal := uplift.charge_feedback(p_user_id, p_address, p_api_key, 1);
    if refusal is not null then
        return next;
        return;
    end if;
    if v_changes <> '{}' then
        begin
            perform uplift.give_feedback(p_user_id, p_id, v_changes, p_issued, p_given_at, p_event_id, 'rest');
        exception when sqlstate 'UP404' then
            -- Nobody's answer and another user's are the same: no row.
            return next;
            return;
        end;
    end if;
    select json_agg(to_json(a)) into rows
    from public.coach_response_feedback a where a.id = p_id and a.user_id = p_user_id;
    if rows is null then
        -- Of an answer whose row is still to come there is what was said.
        select coalesce(json_agg(json_build_object('id', f.id, 'helpful', f.helpful, 'rating', f.rating,
            'feedback_text', f.feedback_text, 'feedback_given_at', f.feedback_given_at)), '[]') into rows
        from uplift.get_feedback(p_user_id, p_id, true) f where p_issued;
    end if;
    return next;
end
$$;

comment on function uplift.rest_update_feedback(uuid, uuid, jsonb, boolean, timestamptz, uuid, text, text) is
    'Changes helpful, rating, feedback_text of an own answer, as uplift.take_feedback() does, and returns the changed rows with all columns, as a JSON array; none when there is no such answer. PT400 PGRST102, PGRST204, 22P02, 23514; PT403 42501.';
