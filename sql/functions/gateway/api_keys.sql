-- Keys for servers. They are as long as a hash, and drawn at random, so that a plain SHA-256 keeps them:
-- there is nothing to guess.

create or replace function uplift.find_api_key(p_hash text) returns table (id uuid, user_id uuid, scopes text, expires_at bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_key uplift.api_keys;
begin
    select k.* into v_key from uplift.api_keys k
    where k.key_hash = decode(p_hash, 'hex') and k.revoked_at is null and (k.expires_at is null or k.expires_at > now());
    if not found then
        return;
    end if;
    if v_key.last_used_at is null or v_key.last_used_at < now() - interval '1 minute' then
        -- Whoever else notes it just now will do.
        update uplift.api_keys k set last_used_at = now()
        where k.id = (select x.id from uplift.api_keys x where x.id = v_key.id for update skip locked);
    end if;
    return query select v_key.id, v_key.user_id, array_to_string(v_key.scopes, ','),
        coalesce(ceil(extract(epoch from v_key.expires_at)), 0)::bigint;
end
$$;

comment on function uplift.find_api_key(text) is
    'The key with this SHA-256 (hex): its id, service user, scopes joined by commas, and the Unix time it ends, 0 for never. No row where there is none, or it has ended or was revoked.';

create or replace function uplift.api_key_json(p_key uplift.api_keys) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'api_key', 'id', p_key.id, 'name', p_key.name, 'prefix', p_key.prefix,
        'user_id', p_key.user_id, 'scopes', p_key.scopes, 'expires_at', p_key.expires_at, 'revoked_at', p_key.revoked_at,
        'revoked_by', p_key.revoked_by, 'last_used_at', p_key.last_used_at, 'created_at', p_key.created_at,
        'created_by', p_key.created_by, 'state', case when p_key.revoked_at is not null then 'revoked'
            when p_key.expires_at <= now() then 'expired' else 'active' end)
$$;

comment on function uplift.api_key_json(uplift.api_keys) is 'A key as admins see it; never the key itself.';

create or replace function uplift.scopes_argument(p_arguments jsonb) returns text[]
language plpgsql immutable
as $$
declare
    v_scopes text[];
begin
    if jsonb_typeof(p_arguments -> 'scopes') = 'array' then
        v_scopes := array(select distinct s.value from jsonb_array_elements_text(p_arguments -> 'scopes') s order by 1);
    end if;
    if coalesce(cardinality(v_scopes), 0) = 0 or not v_scopes <@ '{chat,feedback,read,act,admin}' then
        perform uplift.fail(400, 'invalid_scopes', 'scopes must be a list of at least one of chat, feedback, read, act, admin', 'scopes');
    end if;
    return v_scopes;
end
$$;

comment on function uplift.scopes_argument(jsonb) is 'What a key may do. UP400 invalid_scopes.';

create or replace function uplift.expiry_argument(p_arguments jsonb) returns timestamptz
language plpgsql stable
as $$
declare
    v_at timestamptz := uplift.time_argument(p_arguments, 'expires_at');
begin
    if v_at <= now() then
        perform uplift.fail(400, 'invalid_expires_at', 'expires_at must be a time to come', 'expires_at');
    end if;
    return v_at;
end
$$;

comment on function uplift.expiry_argument(jsonb) is 'When a key ends; null for never. UP400 invalid_expires_at.';

create or replace function uplift_batch.admin_create_api_key(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := uplift.text_argument(p_arguments, 'name', 100);
    v_user uuid := coalesce(uplift.uuid_argument(p_arguments, 'user_id'), uplift.uuid_v7());
    v_secret text := 'upl_' || rtrim(translate(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        || uuid_send(gen_random_uuid())), 'base64'), '+/', '-_'), '=');
    v_key uplift.api_keys;
begin
    perform uplift.check_arguments(p_arguments, '{name,user_id,scopes,expires_at}');
    if v_name is null then
        perform uplift.fail(400, 'missing_name', 'name is missing: say what the key is for', 'name');
    end if;
    perform uplift.see_user(v_user);
    insert into uplift.api_keys as k (name, prefix, key_hash, user_id, scopes, expires_at, created_by)
    values (v_name, left(v_secret, 12), sha256(convert_to(v_secret, 'UTF8')), v_user, uplift.scopes_argument(p_arguments),
        uplift.expiry_argument(p_arguments), p_who)
    returning k.* into v_key;
    return uplift.api_key_json(v_key) || jsonb_build_object('key', v_secret);
end
$$;

comment on function uplift_batch.admin_create_api_key(uuid, jsonb, text) is
    'Makes a key: name, scopes, user_id (its service user; a new one where there is none, which on Supabase there must be), expires_at. The answer has key, this once. UP400 missing_name, invalid_scopes, invalid_expires_at, invalid_user_id, UP403 unknown_user.';

create or replace function uplift.found_api_key(p_id uuid) returns uplift.api_keys
language plpgsql volatile
as $$
declare
    v_key uplift.api_keys;
begin
    select k.* into v_key from uplift.api_keys k where k.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'api_key_not_found', 'there is no such key');
    end if;
    return v_key;
end
$$;

comment on function uplift.found_api_key(uuid) is 'A key, locked. UP404 api_key_not_found.';

create or replace function uplift_batch.admin_list_api_keys(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    select array_agg(uplift.api_key_json(k) order by k.id) into v_rows from (
        select t.* from uplift.api_keys t where v_after is null or t.id > v_after order by t.id limit v_limit + 1) k;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_api_keys(uuid, jsonb, text) is 'Keys, also those that ended, oldest first: limit, after (an id). UP400 invalid_limit, invalid_after.';

create or replace function uplift_batch.admin_get_api_key(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.api_key_json(uplift.found_api_key(p_id));
end
$$;

comment on function uplift_batch.admin_get_api_key(uuid, jsonb, text) is 'One key. UP404 api_key_not_found.';

create or replace function uplift_batch.admin_edit_api_key(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_key uplift.api_keys := uplift.found_api_key(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{name,scopes,expires_at}');
    if v_key.revoked_at is not null then
        perform uplift.fail(409, 'api_key_revoked', 'this key was revoked, for good: make a new one');
    end if;
    update uplift.api_keys k set
        name = coalesce(uplift.text_argument(p_arguments, 'name', 100), k.name),
        scopes = case when p_arguments ? 'scopes' then uplift.scopes_argument(p_arguments) else k.scopes end,
        expires_at = case when p_arguments ? 'expires_at' then uplift.expiry_argument(p_arguments) else k.expires_at end
    where k.id = p_id returning k.* into v_key;
    return uplift.api_key_json(v_key);
end
$$;

comment on function uplift_batch.admin_edit_api_key(uuid, jsonb, text) is
    'Changes what is named of a key: name, scopes, expires_at. UP400 as uplift_batch.admin_create_api_key, UP404 api_key_not_found, UP409 api_key_revoked.';

create or replace function uplift_batch.admin_revoke_api_key(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_key uplift.api_keys := uplift.found_api_key(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    update uplift.api_keys k set revoked_at = coalesce(k.revoked_at, now()), revoked_by = coalesce(k.revoked_by, p_who)
    where k.id = p_id returning k.* into v_key;
    return uplift.api_key_json(v_key);
end
$$;

comment on function uplift_batch.admin_revoke_api_key(uuid, jsonb, text) is
    'Ends a key for good; workers that know it take it for five seconds more. UP404 api_key_not_found.';
