-- What supabase-js does with rows of a user, as the user: PostgREST's part of it. What
-- is asked for comes as JSON, as src/chat/routes/rest_query.h tells, and a query is made of it here: columns
-- that the role authenticated may read, operators from a list, and every value quoted. Errors are
-- SQLSTATE PTnnn, nnn the HTTP status, detail PostgREST's code, hint its details.

create or replace function uplift.rest_fail(p_status int, p_code text, p_message text, p_details text default null) returns void
language plpgsql
as $$
begin
    raise exception '%', p_message using errcode = 'PT' || p_status, detail = p_code, hint = coalesce(p_details, '');
end
$$;

comment on function uplift.rest_fail(int, text, text, text) is
    'Raises an error in PostgREST''s form: SQLSTATE PT and the HTTP status, detail PostgREST''s code, hint its details.';

-- What Postgres itself says of a query is the client's mistake, or ours.
create or replace function uplift.rest_status(p_sqlstate text) returns int
language sql immutable parallel safe
as $$
    select case when p_sqlstate = '42883' then 404 when p_sqlstate = '42501' then 403
        when left(p_sqlstate, 2) in ('0A', '21', '22', '42') then 400 end
$$;

comment on function uplift.rest_status(text) is 'The HTTP status that PostgREST gives an error of a query; null for one that is not the client''s.';

create or replace function uplift.rest_name(p_table regclass) returns text
language sql stable
as $$ select c.relname::text from pg_catalog.pg_class c where c.oid = p_table $$;

comment on function uplift.rest_name(regclass) is 'A table''s name as clients know it, without its schema.';

create or replace function uplift.rest_column(p_name text, p_table regclass) returns text
language plpgsql stable
as $$
begin
    if not exists (select from pg_catalog.pg_attribute t
            where t.attrelid = p_table and t.attname::text = p_name
                and t.attnum > 0 and not t.attisdropped) then
        perform uplift.rest_fail(400, '42703', format('column %s.%s does not exist', uplift.rest_name(p_table), left(p_name, 100)));
    elsif not has_column_privilege('authenticated', p_table, p_name, 'select') then
        perform uplift.rest_fail(403, '42501', 'permission denied for table ' || uplift.rest_name(p_table));
    end if;
    return format('a.%I', p_name);
end
$$;

comment on function uplift.rest_column(text, regclass) is
    'A column of a table that users see rows of, quoted. PT400 42703 for none, PT403 42501 for one that users may not read.';

create or replace function uplift.rest_list(p_select jsonb, p_table regclass) returns text
language plpgsql stable
as $$
begin
    if p_select is null then
        return (select string_agg(format('a.%I', t.attname), ', ' order by t.attnum) from pg_catalog.pg_attribute t
            where t.attrelid = p_table and t.attnum > 0 and not t.attisdropped
                and has_column_privilege('authenticated', t.attrelid, t.attnum, 'select'));
    end if;
    return (select string_agg(case when s.value ->> 'column' = '*' then uplift.rest_list(null, p_table) else
            uplift.rest_column(s.value ->> 'column', p_table)
            || case when s.value ->> 'cast' = any ('{text,int,integer,bigint,numeric,float8,boolean,date,json,jsonb}')
                then '::' || (s.value ->> 'cast') else '' end
            || ' as ' || quote_ident(coalesce(s.value ->> 'as', s.value ->> 'column')) end, ', ' order by s.n)
        from jsonb_array_elements(p_select) with ordinality s(value, n));
end
$$;

comment on function uplift.rest_list(jsonb, regclass) is
    'The columns of a select, as SQL; null for all that users may read. PT400 42703, PT403 42501.';

create or replace function uplift.rest_condition(p_condition jsonb, p_table regclass) returns text
language plpgsql stable
as $$
declare
    v_op text := p_condition ->> 'op';
    v_value text := p_condition ->> 'value';
    v_column text;
    v_sql text;
begin
    if p_condition ?| '{and,or}' then
        select '(' || string_agg(uplift.rest_condition(c.value, p_table), case when p_condition ? 'and' then ' and ' else ' or ' end order by c.n) || ')'
        into v_sql
        from jsonb_array_elements(coalesce(p_condition -> 'and', p_condition -> 'or')) with ordinality c(value, n);
    else
        v_column := uplift.rest_column(p_condition ->> 'column', p_table);
        if v_op in ('like', 'ilike') then
            v_value := replace(v_value, '*', '%');
        end if;
        if v_op = 'is' then
            if lower(v_value) not in ('null', 'not_null', 'true', 'false', 'unknown') then
                perform uplift.rest_fail(400, 'PGRST100', format('failed to parse filter (is.%s)', left(v_value, 60)));
            end if;
            v_sql := v_column || ' is ' || replace(lower(v_value), '_', ' ');
        elsif v_op = 'in' then
            select v_column || ' in (' || string_agg(quote_literal(v.value), ', ') || ')' into v_sql
            from jsonb_array_elements_text(p_condition -> 'values') v;
            v_sql := coalesce(v_sql, 'false'); -- of nothing
        else
            v_sql := v_column || ' ' || case v_op when 'eq' then '=' when 'neq' then '<>' when 'gt' then '>' when 'gte' then '>='
                    when 'lt' then '<' when 'lte' then '<=' when 'like' then 'like' when 'ilike' then 'ilike'
                    when 'isdistinct' then 'is distinct from' when 'cs' then '@>' when 'cd' then '<@' when 'ov' then '&&' end
                || ' ' || case p_condition ->> 'any' when 'any' then 'any (' || quote_literal(v_value) || ')'
                    when 'all' then 'all (' || quote_literal(v_value) || ')' else quote_literal(v_value) end;
        end if;
        if v_sql is null then
            perform uplift.rest_fail(400, 'PGRST100', 'failed to parse filter');
        end if;
    end if;
    return case when p_condition -> 'not' = 'true' then 'not (' || v_sql || ')' else v_sql end;
end
$$;

comment on function uplift.rest_condition(jsonb, regclass) is
    'A condition, as src/chat/routes/rest_query.h tells of it, as SQL. PT400 42703, PGRST100; PT403 42501.';

create or replace function uplift.rest_from(p_query jsonb, p_table regclass) returns text
language sql stable
as $$
    select format(' from public.%I a where a.user_id = $1', uplift.rest_name(p_table))
        || coalesce((select string_agg(' and ' || uplift.rest_condition(c.value, p_table), '' order by c.n)
            from jsonb_array_elements(p_query -> 'where') with ordinality c(value, n)), '')
$$;

comment on function uplift.rest_from(jsonb, regclass) is 'The own rows that a query is of, as SQL; $1 is the user.';

create or replace function uplift.rest_order(p_order jsonb, p_table regclass) returns text
language sql stable
as $$
    select coalesce(string_agg(uplift.rest_column(o.value ->> 'column', p_table) || case when o.value -> 'desc' = 'true' then ' desc' else '' end
        || case o.value ->> 'nulls' when 'first' then ' nulls first' when 'last' then ' nulls last' else '' end, ', ' order by o.n),
        'a.created_at desc')
    from jsonb_array_elements(p_order) with ordinality o(value, n)
$$;

comment on function uplift.rest_order(jsonb, regclass) is 'An order, as SQL; the latest first without one. PT400 42703, PT403 42501.';

create or replace function uplift.rest_planned(p_user_id uuid, p_from text) returns bigint
language plpgsql volatile
as $$
declare
    v_plan json;
begin
    execute 'explain (format json) select ' || p_from into v_plan using p_user_id;
    return (v_plan #>> '{0,Plan,Plan Rows}')::bigint;
end
$$;

comment on function uplift.rest_planned(uuid, text) is 'How many rows the planner expects of what uplift.rest_from() made.';

create or replace function uplift.rest_total(p_user_id uuid, p_from text, p_count text) returns bigint
language plpgsql volatile
as $$
declare
    v_most constant int := 1000; -- up to which an estimate is exact
    v_total bigint;
begin
    if p_count = 'exact' then
        execute 'select count(*)' || p_from into v_total using p_user_id;
    elsif p_count = 'planned' then
        return uplift.rest_planned(p_user_id, p_from);
    elsif p_count = 'estimated' then
        execute format('select count(*) from (select %s limit %s) x', p_from, v_most + 1) into v_total using p_user_id;
        if v_total > v_most then
            v_total := greatest(v_total, uplift.rest_planned(p_user_id, p_from));
        end if;
    end if;
    return v_total;
end
$$;

comment on function uplift.rest_total(uuid, text, text) is
    'How many rows there are in all: exact, planned (the planner''s guess), estimated (exact up to 1000); null for no count.';

create or replace function uplift.rest_rows(p_user_id uuid, p_query jsonb, p_rows text, out rows text, out row_count bigint)
language plpgsql volatile
as $$
declare
    v_rows text := case when p_query -> 'strip' = 'true' then 'json_strip_nulls(json_agg(q))' else 'json_agg(q)' end;
begin
    if p_query -> 'head' = 'true' then
        execute format('select count(*) from (%s) q', p_rows) into row_count using p_user_id;
    else
        execute format('select %s, count(*) from (%s) q', v_rows, p_rows) into rows, row_count using p_user_id;
    end if;
    if p_query -> 'one' = 'true' then
        if row_count <> 1 then
            perform uplift.rest_fail(406, 'PGRST116', 'Cannot coerce the result to a single JSON object',
                format('The result contains %s rows', row_count));
        end if;
        rows := rows::json ->> 0;
    end if;
    rows := coalesce(rows, '[]');
end
$$;

comment on function uplift.rest_rows(uuid, jsonb, text) is
    'The rows of a query as a JSON array, or as the one object that was asked for; empty for HEAD. PT406 PGRST116.';

create or replace function uplift.rest_select(p_user_id uuid, p_query jsonb, p_table regclass)
returns table (rows text, row_count bigint, total bigint)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    v_from text := uplift.rest_from(p_query, p_table);
    v_offset bigint := coalesce((p_query ->> 'offset')::bigint, 0);
begin
    total := uplift.rest_total(p_user_id, v_from, p_query ->> 'count');
    if p_query ->> 'count' = 'exact' and v_offset > total then
        perform uplift.rest_fail(416, 'PGRST103', 'Requested range not satisfiable',
            format('An offset of %s was requested, but there are only %s rows.', v_offset, total));
    end if;
    select r.rows, r.row_count into rows, row_count from uplift.rest_rows(p_user_id, p_query,
        format('select %s %s order by %s limit %s offset %s', uplift.rest_list(p_query -> 'select', p_table), v_from,
            uplift.rest_order(p_query -> 'order', p_table), least(coalesce((p_query ->> 'limit')::bigint, 1000), 1000), v_offset)) r;
    return next;
exception when others then
    if uplift.rest_status(sqlstate) is null then
        raise;
    end if;
    perform uplift.rest_fail(uplift.rest_status(sqlstate), sqlstate, sqlerrm);
end
$$;

comment on function uplift.rest_select(uuid, jsonb, regclass) is
    'A user''s own rows of a table, at most 1000 of them, as JSON, how many they are, and of a count how many there are in all. p_query is as src/chat/routes/rest_query.h tells. PT400 42703, 22P02, PGRST100 and what Postgres says of a query; PT403 42501; PT404 42883; PT406 PGRST116; PT416 PGRST103.';

create or replace function uplift_chat.rest_select_feedback(p_user_id uuid, p_query jsonb)
returns table (rows text, row_count bigint, total bigint)
language sql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$ select s.* from uplift.rest_select(p_user_id, p_query, 'public.coach_response_feedback'::regclass) s $$;

comment on function uplift_chat.rest_select_feedback(uuid, jsonb) is
    'A user''s own answers, at most 1000 of them, as JSON, how many they are, and of a count how many there are in all. p_query is as src/chat/routes/rest_query.h tells. PT400 42703, 22P02, PGRST100 and what Postgres says of a query; PT403 42501; PT404 42883; PT406 PGRST116; PT416 PGRST103.';

create or replace function uplift.rest_changes(p_changes jsonb) returns jsonb
language plpgsql stable
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
                and t.attname::text = v_key and t.attnum > 0 and not t.attisdropped) then
            perform uplift.rest_fail(400, 'PGRST204',
                format('Could not find the ''%s'' column of ''coach_response_feedback'' in the schema cache', left(v_key, 100)));
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
    return v_changes;
end
$$;

comment on function uplift.rest_changes(jsonb) is
    'Changes of a row as feedback. PT400 PGRST102, PGRST204, 22P02, 23514; PT403 42501.';

create or replace function uplift.rest_refused(p_sqlstate text, p_message text) returns void
language plpgsql
as $$
begin
    perform uplift.rest_fail(right(p_sqlstate, 3)::int, case p_sqlstate when 'UP400' then '23514' else 'P0001' end, p_message);
end
$$;

comment on function uplift.rest_refused(text, text) is 'Raises a refusal of ours (UPnnn) in PostgREST''s form.';

create or replace function uplift.rest_row(p_user_id uuid, p_table regclass, p_columns text[], p_body jsonb) returns jsonb
language plpgsql stable
as $$
declare
    v_name name := (select c.relname from pg_catalog.pg_class c where c.oid = p_table);
    v_key text;
begin
    if jsonb_typeof(p_body) is distinct from 'object' then
        perform uplift.rest_fail(400, 'PGRST102', 'the body must be an object, or an array of objects to insert several');
    end if;
    for v_key in select jsonb_object_keys(p_body) loop
        if not exists (select from pg_catalog.pg_attribute t where t.attrelid = p_table
                and t.attname::text = v_key and t.attnum > 0 and not t.attisdropped) then
            perform uplift.rest_fail(400, 'PGRST204', format('Could not find the ''%s'' column of ''%s'' in the schema cache', left(v_key, 100), v_name));
        elsif v_key <> 'user_id' and v_key <> all (p_columns) then
            perform uplift.rest_fail(403, '42501', 'permission denied for table ' || v_name);
        end if;
    end loop;
    if p_body ? 'user_id' and (p_body ->> 'user_id') is distinct from p_user_id::text then
        perform uplift.rest_fail(403, '42501', format('new row violates row-level security policy for table "%s"', v_name));
    end if;
    return p_body - 'user_id';
end
$$;

comment on function uplift.rest_row(uuid, regclass, text[], jsonb) is
    'A row of a table as a user may write it, with none but these columns and, where it is named, their own user_id; returned without that. PT400 PGRST102, PGRST204; PT403 42501.';

create or replace function uplift.rest_new_rows(p_body jsonb) returns jsonb[]
language plpgsql immutable
as $$
declare
    v_most constant int := 100; -- of one call
begin
    if jsonb_typeof(p_body) is distinct from 'array' then
        return array[p_body];
    elsif jsonb_array_length(p_body) > v_most then
        perform uplift.rest_fail(400, 'PGRST124', format('at most %s rows are taken at once', v_most));
    end if;
    return array(select b.value from jsonb_array_elements(p_body) with ordinality b order by b.ordinality);
end
$$;

comment on function uplift.rest_new_rows(jsonb) is 'The rows that a POST brings, one or an array of at most 100. PT400 PGRST124.';

create or replace function uplift.rest_changed_ids(p_user_id uuid, p_query jsonb, p_table regclass) returns uuid[]
language plpgsql volatile
as $$
declare
    v_most constant int := 100; -- of one call
    v_limit bigint := least(coalesce((p_query ->> 'most')::bigint, v_most), v_most);
    v_ids uuid[];
begin
    if coalesce(p_query -> 'where', '[]') = '[]' then
        perform uplift.rest_fail(400, '21000', 'UPDATE requires a WHERE clause: say by filters which rows');
    end if;
    -- In the order of ids, so that two updates cannot wait for each other.
    execute format('select array_agg(x.id order by x.id) from (select a.id %s limit %s) x', uplift.rest_from(p_query, p_table), v_most + 1)
    into v_ids using p_user_id;
    if cardinality(v_ids) > v_limit then
        perform uplift.rest_fail(400, 'PGRST124', 'Query result exceeds max-affected preference constraint',
            format('The query affects more than %s rows', v_limit));
    end if;
    return coalesce(v_ids, '{}');
end
$$;

comment on function uplift.rest_changed_ids(uuid, jsonb, regclass) is
    'The own rows that an update is of. PT400 21000 without filters, PGRST124 for more than 100, or than were allowed (most).';

create or replace function uplift_chat.rest_update_feedback(p_user_id uuid, p_id text, p_query jsonb, p_changes jsonb, p_issued boolean,
    p_given_at timestamptz, p_event_id uuid, p_address text, p_api_key text)
returns table (rows text, row_count bigint, refusal jsonb)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_changes jsonb;
    v_list text;
    v_order text;
    v_ids uuid[];
    v_id uuid;
    v_calls int := 1;
    v_found text;
    v_is_issued boolean := p_issued and p_id is not null;
    v_message text;
    v_code text;
    v_details text;
begin
    v_changes := uplift.rest_changes(p_changes);
    v_list := uplift.rest_list(p_query -> 'select', 'public.coach_response_feedback'::regclass);
    v_order := uplift.rest_order(p_query -> 'order', 'public.coach_response_feedback'::regclass);
    if p_id is not null then
        v_ids := array[p_id::uuid];
    else
        v_ids := uplift.rest_changed_ids(p_user_id, p_query, 'public.coach_response_feedback'::regclass);
    end if;
    v_calls := greatest(cardinality(v_ids), 1);
    refusal := uplift.charge_feedback(p_user_id, p_address, p_api_key, v_calls);
    if refusal is not null then
        return next;
        return;
    end if;
    if v_changes <> '{}' then
        foreach v_id in array v_ids loop
            begin
                -- One event a row, the same one however often the call comes.
                perform uplift_chat.give_feedback(p_user_id, v_id, v_changes, v_is_issued, p_given_at,
                    case when p_id is not null then p_event_id else md5(p_event_id::text || v_id)::uuid end, 'rest');
            exception when sqlstate 'UP404' then
                null; -- nobody's answer and another user's are the same: no row
            end;
        end loop;
    end if;
    v_found := format('select %s from public.coach_response_feedback a where a.user_id = $1 and a.id = any (%L) order by %s',
        v_list, v_ids, v_order);
    if v_is_issued and not exists (select from public.coach_response_feedback a where a.id = v_ids[1]) then
        -- Of an answer whose row is still to come there is what was said.
        v_found := format('select %s from jsonb_populate_record(null::public.coach_response_feedback, %L) a where $1 is not null',
            v_list, (select to_jsonb(f) || jsonb_build_object('user_id', p_user_id, 'user_comment', f.feedback_text)
                from uplift_chat.get_feedback(p_user_id, v_ids[1], true) f));
    end if;
    select r.rows, r.row_count into rows, row_count from uplift.rest_rows(p_user_id, p_query, v_found) r;
    return next;
exception when others then
    get stacked diagnostics v_message = message_text, v_code = pg_exception_detail, v_details = pg_exception_hint;
    if sqlstate !~ '^PT4' then
        if uplift.rest_status(sqlstate) is null then
            raise;
        end if;
        v_code := sqlstate;
        v_details := '';
    end if;
    -- The charge was undone with the rest, but what is asked for in vain costs as much.
    refusal := coalesce(uplift.charge_feedback(p_user_id, p_address, p_api_key, v_calls), jsonb_build_object(
        'status', coalesce(uplift.rest_status(sqlstate), right(sqlstate, 3)::int), 'code', v_code, 'message', v_message, 'param', v_details));
    return next;
end
$$;

comment on function uplift_chat.rest_update_feedback(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text, text) is
    'Changes helpful, rating, feedback_text of own answers, as uplift_chat.take_feedback() does, and returns the changed rows as uplift_chat.rest_select_feedback() does. p_id is the answer, where id=eq. is the only filter, and null otherwise; p_query and what it may refuse are as there, and 400 PGRST102, PGRST204, 21000, 23514, PGRST124: nothing of that is raised, for it is charged as well, but is the refusal, {status, code, message, param}.';
