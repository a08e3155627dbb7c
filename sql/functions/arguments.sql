-- What admin functions are asked with, and the pages they answer with.

create or replace function uplift.check_arguments(p_arguments jsonb, p_known text[]) returns void
language plpgsql immutable
as $$
declare
    v_unknown text;
begin
    select k into v_unknown from jsonb_object_keys(p_arguments) k where k <> all (p_known) order by k limit 1;
    if found then
        perform uplift.fail(400, 'unknown_argument',
            format('%s is not known here; there is %s', left(v_unknown, 64),
                coalesce(nullif(array_to_string(p_known, ', '), ''), 'no argument')), left(v_unknown, 64));
    end if;
end
$$;

comment on function uplift.check_arguments(jsonb, text[]) is 'Returns when an object has no keys but these. UP400 unknown_argument.';

-- The same in the words of users' routes.
create or replace function uplift.check_members(p_body jsonb, p_known text[]) returns void
language plpgsql immutable
as $$
declare
    v_key text;
begin
    select k into v_key from jsonb_object_keys(p_body) k where k <> all (p_known) order by k limit 1;
    if v_key is not null then
        perform uplift.fail(400, 'unknown_parameter', format('unknown parameter "%s"', left(v_key, 60)), left(v_key, 60));
    end if;
end
$$;

comment on function uplift.check_members(jsonb, text[]) is 'Returns when an object has no members but the known ones. UP400 unknown_parameter.';

create or replace function uplift.page_limit(p_arguments jsonb) returns int
language plpgsql immutable
as $$
begin
    if not p_arguments ? 'limit' then
        return 50;
    end if;
    if p_arguments ->> 'limit' !~ '^[0-9]{1,3}$' or (p_arguments ->> 'limit')::int not between 1 and 200 then
        perform uplift.fail(400, 'invalid_limit', 'limit must be a whole number from 1 to 200', 'limit');
    end if;
    return (p_arguments ->> 'limit')::int;
end
$$;

comment on function uplift.page_limit(jsonb) is 'How many a list shall have: "limit", or 50. UP400 invalid_limit.';

create or replace function uplift.list_page(p_rows jsonb[], p_limit int) returns jsonb
language sql immutable
as $$
    select jsonb_build_object('object', 'list', 'data', coalesce(to_jsonb(p_rows[:p_limit]), '[]'),
        'has_more', coalesce(cardinality(p_rows), 0) > p_limit)
$$;

comment on function uplift.list_page(jsonb[], int) is
    'A page of a list, from its rows and one more where there are more.';

create or replace function uplift.uuid_argument(p_arguments jsonb, p_name text) returns uuid
language plpgsql immutable
as $$
begin
    if not uplift.is_uuid(p_arguments ->> p_name) then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' must be a UUID', p_name);
    end if;
    return (p_arguments ->> p_name)::uuid;
end
$$;

comment on function uplift.uuid_argument(jsonb, text) is 'An argument that is a UUID, or null without it. UP400 invalid_NAME.';

create or replace function uplift.number_argument(p_arguments jsonb, p_name text, p_least numeric, p_most numeric) returns numeric
language plpgsql immutable
as $$
begin
    if p_arguments ->> p_name !~ '^[0-9]{1,9}(\.[0-9]{1,9})?$'
            or (p_arguments ->> p_name)::numeric not between p_least and p_most then
        perform uplift.fail(400, 'invalid_' || p_name, format('%s must be a number from %s to %s', p_name, p_least, p_most), p_name);
    end if;
    return (p_arguments ->> p_name)::numeric;
end
$$;

comment on function uplift.number_argument(jsonb, text, numeric, numeric) is
    'An argument that is a number within limits, also as text, or null without it. UP400 invalid_NAME.';

create or replace function uplift.text_argument(p_arguments jsonb, p_name text, p_most int) returns text
language plpgsql immutable
as $$
begin
    if jsonb_typeof(p_arguments -> p_name) not in ('string', 'null')
            or length(p_arguments ->> p_name) not between 1 and p_most then
        perform uplift.fail(400, 'invalid_' || p_name, format('%s must be a text of 1 to %s characters', p_name, p_most), p_name);
    end if;
    return p_arguments ->> p_name;
end
$$;

comment on function uplift.text_argument(jsonb, text, int) is 'An argument that is text; null where absent or null. UP400 invalid_NAME.';

-- In bytes, as fcgi-chat counts, which has room for so many.
create or replace function uplift.is_model_name(p_name text) returns boolean
language sql immutable parallel safe
as $$ select octet_length(p_name) between 1 and 256 $$;

comment on function uplift.is_model_name(text) is 'Whether a text is as long as the name of a model may be: 1 to 256 bytes.';

create or replace function uplift.model_argument(p_arguments jsonb, p_name text) returns text
language plpgsql immutable
as $$
begin
    if jsonb_typeof(p_arguments -> p_name) not in ('string', 'null') or not uplift.is_model_name(p_arguments ->> p_name) then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' must be a text of 1 to 256 bytes', p_name);
    end if;
    return p_arguments ->> p_name;
end
$$;

comment on function uplift.model_argument(jsonb, text) is 'An argument that is the name of a model; null where absent or null. UP400 invalid_NAME.';

create or replace function uplift.flag_argument(p_arguments jsonb, p_name text) returns boolean
language plpgsql immutable
as $$
begin
    if jsonb_typeof(p_arguments -> p_name) not in ('boolean', 'null') then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' must be true or false', p_name);
    end if;
    return (p_arguments ->> p_name)::boolean;
end
$$;

comment on function uplift.flag_argument(jsonb, text) is 'An argument that is true or false; null where absent or null. UP400 invalid_NAME.';

create or replace function uplift.whole_argument(p_arguments jsonb, p_name text, p_least bigint, p_most bigint) returns bigint
language plpgsql immutable
as $$
declare
    v_number numeric;
begin
    if jsonb_typeof(p_arguments -> p_name) = 'number' then
        v_number := (p_arguments ->> p_name)::numeric;
    end if;
    if jsonb_typeof(p_arguments -> p_name) not in ('number', 'null')
            or v_number not between p_least and p_most or v_number <> trunc(v_number) then
        perform uplift.fail(400, 'invalid_' || p_name,
            format('%s must be a whole number from %s to %s', p_name, p_least, p_most), p_name);
    end if;
    return v_number;
end
$$;

comment on function uplift.whole_argument(jsonb, text, bigint, bigint) is
    'An argument that is a whole number; null where absent or null. UP400 invalid_NAME.';

create or replace function uplift.time_argument(p_arguments jsonb, p_name text) returns timestamptz
language plpgsql stable
as $$
begin
    if jsonb_typeof(p_arguments -> p_name) not in ('string', 'null')
            or p_arguments ->> p_name !~ '^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$' then
        raise exception 'not a time' using errcode = '22007';
    end if;
    -- Without a zone it is UTC, whatever the session's is.
    return case when p_arguments ->> p_name ~ '(Z|[T ].*[+-]\d\d(:?\d\d)?)$' then (p_arguments ->> p_name)::timestamptz
        else (p_arguments ->> p_name)::timestamp at time zone 'UTC' end;
exception when data_exception then
    perform uplift.fail(400, 'invalid_' || p_name,
        p_name || ' must be a date or a time, as in 2026-11-24 or 2026-11-24T08:00:00Z', p_name);
    return null;
end
$$;

comment on function uplift.time_argument(jsonb, text) is
    'An argument that is a date or a time (UTC unless it says otherwise); null where absent or null. UP400 invalid_NAME.';

-- Casts of what is nearer to 0 fail, and do not give 0.
create or replace function uplift.is_float(p_number numeric) returns boolean
language sql immutable parallel safe
as $$ select p_number = 0 or abs(p_number) between 1e-300 and 1e300 $$;

comment on function uplift.is_float(numeric) is 'Whether a number can be cast to float8.';

create or replace function uplift.decimal_argument(p_arguments jsonb, p_name text, p_least numeric, p_most numeric) returns numeric
language plpgsql immutable
as $$
begin
    if jsonb_typeof(p_arguments -> p_name) not in ('number', 'null')
            or jsonb_typeof(p_arguments -> p_name) = 'number' and ((p_arguments ->> p_name)::numeric not between p_least and p_most
                or not uplift.is_float((p_arguments ->> p_name)::numeric)) then
        perform uplift.fail(400, 'invalid_' || p_name, format('%s must be a number from %s to %s', p_name, p_least, p_most), p_name);
    end if;
    return (p_arguments ->> p_name)::numeric;
end
$$;

comment on function uplift.decimal_argument(jsonb, text, numeric, numeric) is
    'An argument that is a number of JSON; null where absent or null. UP400 invalid_NAME.';
