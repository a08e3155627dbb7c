-- What keeps out what comes late, of users who had everything erased: see erasure.sql.

create or replace function uplift.erasure_lock(p_user_id uuid) returns bigint
language sql immutable parallel safe
as $$ select uuid_hash_extended(p_user_id, 6007284550149101) $$;

comment on function uplift.erasure_lock(uuid) is
    'Key of the advisory lock that those who record what users said share, and an erasure of the user takes alone.';

create or replace function uplift.user_hash(p_user_id uuid) returns bytea
language sql immutable parallel safe
as $$ select sha256(convert_to(p_user_id::text, 'UTF8')) $$;

comment on function uplift.user_hash(uuid) is 'What a user who was erased is known by in uplift.erasures.';

create or replace function uplift.is_erased(p_user_id uuid, p_said_at timestamptz) returns boolean
language plpgsql stable
as $$
begin
    -- Mostly nobody ever was.
    return exists (select from uplift.erasures) and exists (
        select from uplift.erasures e where e.user_hash = uplift.user_hash(p_user_id) and e.erased_at >= p_said_at);
end
$$;

comment on function uplift.is_erased(uuid, timestamptz) is 'Whether what a user said at a time was erased since, and must not come back. Behind uplift.erasure_lock().';
