-- What the other functions stand on: the schema's version, errors for clients, users on first sight.

create or replace function uplift.schema_version() returns int
language sql immutable parallel safe
as $$ select 1 $$;

comment on function uplift.schema_version() is
    'Version of the functions'' contract with the programs; a program that expects another one does not start.';

create or replace function uplift_chat.ready() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_missing text;
begin
    if pg_catalog.pg_is_in_recovery() or pg_catalog.current_setting('transaction_read_only')::boolean then
        return 'this server is read only';
    end if;
    select string_agg(t.name, ', ' order by t.name) into v_missing
    from unnest(array['auth.users', 'public.coach_response_feedback', 'public.brand_assets',
            'public.user_coach_preferences', 'public.user_traits', 'public.ai_episodic_memory', 'uplift.conversations',
            'uplift.feedback_events', 'uplift.feedback_said', 'uplift.training_queue', 'uplift.rejected_answers', 'uplift.model_prices',
            'uplift.settings']) as t(name)
    where to_regclass(t.name) is null;
    if v_missing is not null then
        return 'missing: ' || v_missing;
    end if;
    return 'ok';
end
$$;

comment on function uplift_chat.ready() is
    'ok when chats can be prepared and recorded here; otherwise the reason, in words.';

-- One way to say no: SQLSTATE UPnnn is HTTP status nnn, detail the error code, hint the parameter.
create or replace function uplift.fail(p_status int, p_code text, p_message text, p_param text default null)
returns void
language plpgsql
as $$
begin
    if p_param is null then
        raise exception '%', p_message using errcode = 'UP' || p_status, detail = p_code;
    end if;
    raise exception '%', p_message using errcode = 'UP' || p_status, detail = p_code, hint = p_param;
end
$$;

comment on function uplift.fail(int, text, text, text) is
    'Raises an error for the client: SQLSTATE UP and the HTTP status, detail the error''s code, hint the parameter at fault.';

-- The same where it concerns one of several, and the others go on.
create or replace function uplift.refusal(p_status int, p_code text, p_message text, p_param text) returns jsonb
language plpgsql immutable parallel safe
as $$
begin
    return jsonb_build_object('status', p_status, 'code', p_code, 'message', p_message, 'param', p_param);
end
$$;

comment on function uplift.refusal(int, text, text, text) is
    'An error for the client as a value, {status, code, message, param}; as uplift.fail() has it.';

-- Numbers that somebody else counted, and times that a clock gave, are believed as far as they can be.
create or replace function uplift.clamped(p_number numeric, p_most int) returns int
language sql immutable parallel safe
as $$ select case when p_number >= p_most then p_most when p_number < 0 then 0 else trunc(p_number)::int end $$;

comment on function uplift.clamped(numeric, int) is 'A number as a whole one from 0 to p_most; null for null.';

create or replace function uplift.at_most(p_number bigint, p_most int) returns int
language sql immutable parallel safe
as $$ select case when p_number > p_most then p_most else p_number::int end $$;

comment on function uplift.at_most(bigint, int) is 'The lesser of two; null for a null in p_number, unlike least().';

create or replace function uplift.counted(p_number numeric) returns bigint
language sql immutable parallel safe
as $$ select case when p_number is not null then trunc(least(greatest(p_number, 0), 1000000000000))::bigint end $$;

comment on function uplift.counted(numeric) is 'A number that somebody counted as a whole one from 0 to a million millions; null for null.';

create or replace function uplift.setting_number(p_key text, p_default numeric) returns numeric
language plpgsql stable
as $$
begin
    return coalesce((
        select (s.value #>> '{}')::numeric from uplift.settings s
        where s.key = p_key and jsonb_typeof(s.value) = 'number'), p_default);
end
$$;

comment on function uplift.setting_number(text, numeric) is 'A number of uplift.settings, or the default.';

create or replace function uplift.setting_text(p_key text) returns text
language sql stable
as $$ select s.value #>> '{}' from uplift.settings s where s.key = p_key and jsonb_typeof(s.value) = 'string' $$;

comment on function uplift.setting_text(text) is 'A text of uplift.settings, or null.';

-- A number outside its limits, which only SQL can have put there, is none: what needs a bound then does not start.
create or replace function uplift.setting_within(p_key text, p_least numeric, p_most numeric) returns numeric
language sql stable
as $$ select x.n from uplift.setting_number(p_key, null) x(n) where x.n between p_least and p_most $$;

comment on function uplift.setting_within(text, numeric, numeric) is 'A number of uplift.settings that is within limits, or null.';

create or replace function uplift.put_setting(p_key text, p_value jsonb) returns void
language sql volatile
as $$
    insert into uplift.settings as s (key, value) values (p_key, p_value)
    on conflict (key) do update set value = excluded.value, updated_at = now() where s.value <> excluded.value
$$;

comment on function uplift.put_setting(text, jsonb) is 'Sets a row of uplift.settings.';

-- Postgres writes both nearly alike, and to read a list row by row costs ten times as much.
create or replace function uplift.json_list(p_list jsonb) returns text
language sql immutable parallel safe
as $$ select translate(p_list #>> '{}', '[]"', '{}') $$;

comment on function uplift.json_list(jsonb) is 'The text of an array, to be cast to one, for a list of numbers or UUIDs in JSON, or for a string that has such a list, which is read several times as fast. Null for null; of anything else the cast fails.';

create or replace function uplift.text_hash(p_text text) returns uuid
language plpgsql immutable parallel safe
as $$
begin
    return left(encode(sha256(convert_to(p_text, 'UTF8')), 'hex'), 32)::uuid;
end
$$;

comment on function uplift.text_hash(text) is 'The first 128 bits of a text''s SHA-256.';

-- One bad row must not keep the rest of a job's rows from being done. What concerns the server or other
-- sessions (no room, no memory, a lock, a shutdown) is not a row's fault.
create or replace function uplift.is_bad_row(p_sqlstate text) returns boolean
language sql immutable parallel safe
as $$ select left(p_sqlstate, 2) <> all ('{08,25,40,53,55,57,58}') $$;

comment on function uplift.is_bad_row(text) is 'Whether an error may be the fault of a row, so that other rows may be done without it.';

create or replace function uplift.do_rows(p_statement text, p_ids uuid[], out done bigint, out failed bigint, out reason text)
language plpgsql volatile
as $$
declare
    v_half int := cardinality(p_ids) / 2;
    v_rest record;
begin
    failed := 0;
    begin
        execute p_statement using p_ids;
        get diagnostics done = row_count;
        return;
    exception when others then
        if not uplift.is_bad_row(sqlstate) then
            raise;
        end if;
        reason := sqlerrm;
    end;
    done := 0;
    if v_half = 0 then
        failed := 1;
        return;
    end if;
    select r.* into done, failed, reason from uplift.do_rows(p_statement, p_ids[:v_half]) r;
    select r.* into v_rest from uplift.do_rows(p_statement, p_ids[v_half + 1:]) r;
    done := done + v_rest.done;
    failed := failed + v_rest.failed;
    reason := coalesce(reason, v_rest.reason);
end
$$;

comment on function uplift.do_rows(text, uuid[]) is
    'Runs a statement of ours whose $1 are the ids of rows; where it fails, for each half of them by itself, down to the bad rows, which are left as they are. How many rows were done, how many ids failed, and why the first did.';

create or replace function uplift.make_user(p_user_id uuid) returns jsonb
language plpgsql
as $$
begin
    if (select s.value = 'true'::jsonb from uplift.settings s where s.key = 'auth.makes_users') then
        insert into auth.users (id) values (p_user_id) on conflict (id) do nothing;
        return null;
    end if;
    return uplift.refusal(403, 'unknown_user', 'this user does not exist', null);
end
$$;

comment on function uplift.make_user(uuid) is
    'Makes a user on first sight where auth.users is ours, and returns null; elsewhere the refusal: 403 unknown_user.';

create or replace function uplift.see_user(p_user_id uuid) returns void
language plpgsql
as $$
declare
    v_refusal jsonb;
begin
    if not exists (select from auth.users u where u.id = p_user_id) then
        v_refusal := uplift.make_user(p_user_id);
        if v_refusal is not null then
            perform uplift.fail((v_refusal ->> 'status')::int, v_refusal ->> 'code', v_refusal ->> 'message');
        end if;
    end if;
end
$$;

comment on function uplift.see_user(uuid) is 'Returns when the user exists, making it on first sight as uplift.make_user does. UP403 unknown_user.';

create or replace function uplift.is_uuid(p_text text) returns boolean
language sql immutable parallel safe
as $$ select p_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' $$;

comment on function uplift.is_uuid(text) is 'Whether a text is a UUID as Postgres writes it, or in capitals; null of null.';

create or replace function uplift.is_uuid_key(p_text text) returns boolean
language sql immutable parallel safe
as $$ select uplift.is_uuid(p_text) and p_text = lower(p_text) $$;

comment on function uplift.is_uuid_key(text) is 'Whether a text is a UUID in small letters, as keys of users are compared; null of null.';

create or replace function uplift.first_id_of(p_time timestamptz) returns uuid
language sql immutable parallel safe
as $$
    select (lpad(to_hex(floor(extract(epoch from p_time) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

comment on function uplift.first_id_of(timestamptz) is
    'The least UUID of version 7 that can have been made at a time: what came since has greater ones.';

create or replace function uplift.time_of(p_id uuid) returns timestamptz
language sql immutable parallel safe
as $$
    select to_timestamp(('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;

comment on function uplift.time_of(uuid) is 'When a UUID of version 7 was made, to the millisecond, rounded down.';
