-- Routing: which providers there are, and which of them answer for a model. Workers read it whole
-- (uplift.routing()) and again when its revision grows.

create or replace function uplift.continues_json(p_continues text) returns jsonb
language sql immutable parallel safe
as $$
    select case when p_continues in ('true', 'false') then p_continues::jsonb else to_jsonb(p_continues) end
$$;

comment on function uplift.continues_json(text) is 'providers.continues as it is in JSON: true, false or a name.';

create or replace function uplift.provider_json(p_provider uplift.providers) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'provider', 'name', p_provider.name, 'base_url', p_provider.base_url,
        'api_key', p_provider.api_key, 'key_header', p_provider.key_header, 'is_enabled', p_provider.is_enabled,
        'connect_timeout_ms', p_provider.connect_timeout_ms, 'first_byte_timeout_ms', p_provider.first_byte_timeout_ms,
        'first_token_timeout_ms', p_provider.first_token_timeout_ms, 'idle_timeout_ms', p_provider.idle_timeout_ms,
        'total_timeout_ms', p_provider.total_timeout_ms, 'max_open', p_provider.max_open,
        'continues', uplift.continues_json(p_provider.continues), 'note', p_provider.note,
        'created_at', p_provider.created_at, 'updated_at', p_provider.updated_at, 'updated_by', p_provider.updated_by,
        'models', (select coalesce(jsonb_agg(distinct r.model), '[]') from uplift.model_routes r
            where r.provider = p_provider.name))
$$;

comment on function uplift.provider_json(uplift.providers) is 'A provider as admins see it, with the models that have a route to it.';

create or replace function uplift.model_json(p_model uplift.gateway_models) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'model', 'name', p_model.name, 'fallbacks', p_model.fallbacks,
        'is_listed', p_model.is_listed, 'note', p_model.note, 'updated_at', p_model.updated_at,
        'updated_by', p_model.updated_by,
        'routes', (select coalesce(jsonb_agg(jsonb_build_object('position', r.position, 'provider', r.provider,
                'model', r.provider_model, 'weight', r.weight, 'context_tokens', r.context_tokens)
                order by r.position, r.weight desc, r.id), '[]')
            from uplift.model_routes r where r.model = p_model.name))
$$;

comment on function uplift.model_json(uplift.gateway_models) is 'A model as admins see it, with its routes in order.';

create or replace function uplift.routing() returns jsonb
language sql stable
as $$
    select jsonb_build_object('revision', s.revision,
        'providers', (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', p.name, 'base_url', p.base_url,
                'api_key', p.api_key, 'key_header', p.key_header, 'is_enabled', p.is_enabled,
                'connect_timeout_ms', p.connect_timeout_ms, 'first_byte_timeout_ms', p.first_byte_timeout_ms,
                'first_token_timeout_ms', p.first_token_timeout_ms, 'idle_timeout_ms', p.idle_timeout_ms,
                'total_timeout_ms', p.total_timeout_ms, 'max_open', p.max_open,
                'continues', uplift.continues_json(p.continues))) order by p.name), '[]')
            from uplift.providers p),
        'models', (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', m.name,
                'fallbacks', m.fallbacks, 'is_listed', m.is_listed,
                'routes', (select coalesce(jsonb_agg(jsonb_build_object('position', r.position, 'provider', r.provider,
                        'model', r.provider_model, 'weight', r.weight, 'context_tokens', r.context_tokens)
                        order by r.position, r.id), '[]')
                    from uplift.model_routes r where r.model = m.name))) order by m.name), '[]')
            from uplift.gateway_models m))
    from uplift.routing_state s
$$;

comment on function uplift.routing() is
    'All providers and models with their routes, in the form of UPLIFT_ROUTING, and the revision of it all.';

create or replace function uplift.routing_changed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    update uplift.routing_state s set revision = s.revision + 1;
    return null;
end
$$;

comment on function uplift.routing_changed() is 'Trigger of what uplift.routing() is made of: workers are to read it again.';

do $$
declare
    v_table text;
begin
    foreach v_table in array array['providers', 'gateway_models', 'model_routes'] loop
        if not exists (select from pg_trigger
                where tgrelid = format('uplift.%I', v_table)::regclass and tgname = 'uplift_routing') then
            execute format('create trigger uplift_routing after insert or update or delete or truncate on uplift.%I
                for each statement execute function uplift.routing_changed()', v_table);
        end if;
    end loop;
end
$$;

-- --- providers ---

create or replace function uplift_batch.admin_list_providers(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return jsonb_build_object('object', 'list', 'has_more', false, 'data', (
        select coalesce(jsonb_agg(uplift.provider_json(p) order by p.name), '[]') from uplift.providers p));
end
$$;

comment on function uplift_batch.admin_list_providers(uuid, jsonb, text) is 'All providers beside the configured one.';

create or replace function uplift.found_provider(p_name text) returns uplift.providers
language plpgsql stable
as $$
declare
    v_provider uplift.providers;
begin
    select p.* into v_provider from uplift.providers p where p.name = p_name;
    if not found then
        perform uplift.fail(404, 'provider_not_found', 'there is no such provider');
    end if;
    return v_provider;
end
$$;

comment on function uplift.found_provider(text) is 'The provider of that name. UP404 provider_not_found.';

create or replace function uplift_batch.admin_get_provider(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.provider_json(uplift.found_provider(p_name));
end
$$;

comment on function uplift_batch.admin_get_provider(text, jsonb, text) is 'One provider. UP404 provider_not_found.';

create or replace function uplift_batch.provider_to_test(p_name text, p_arguments jsonb) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_model text := uplift.model_argument(p_arguments, 'model');
    v_provider jsonb := jsonb_build_object('name', 'default');
begin
    perform uplift.check_arguments(p_arguments, '{model}');
    if p_name <> 'default' then
        v_provider := uplift.provider_json(uplift.found_provider(p_name));
    end if;
    return v_provider || jsonb_build_object('test_model', coalesce(v_model, (
        select coalesce(r.provider_model, nullif(r.model, '*')) from uplift.model_routes r
        where r.provider = p_name and p_name <> 'default' and (r.provider_model is not null or r.model <> '*')
        order by r.position, r.weight desc, r.id limit 1)));
end
$$;

comment on function uplift_batch.provider_to_test(text, jsonb) is
    'A provider with what to ask of it: test_model, the model that the arguments name, else that of a route that leads to it, else null. Of default, the configured one, no more is known here. UP400 invalid_model, unknown_argument; UP404 provider_not_found.';

create or replace function uplift.checked_provider(p_provider uplift.providers, p_arguments jsonb) returns uplift.providers
language plpgsql stable
as $$
declare
    v_url text := uplift.text_argument(p_arguments, 'base_url', 2000);
    v_key text := uplift.text_argument(p_arguments, 'api_key', 200);
    v_header text := uplift.text_argument(p_arguments, 'key_header', 100);
begin
    if p_arguments ? 'base_url' then
        -- No user and password in it, for they would be a key that is no reference.
        if coalesce(v_url, '') !~ '^https?://[^\s/?#@]+(/[^\s?#]*)?$' then
            perform uplift.fail(400, 'invalid_base_url',
                'base_url must be a http or https URL without query, user or password, as in https://api.openai.com/v1', 'base_url');
        end if;
        p_provider.base_url := rtrim(v_url, '/');
    end if;
    if v_key !~ '^(env:(?!UPLIFT_)[A-Z][A-Z0-9_]*_API_KEY|file:[A-Za-z0-9][A-Za-z0-9._-]*)$' then
        perform uplift.fail(400, 'invalid_api_key',
            'api_key says where the key is, not what it is: env:NAME_API_KEY or file:NAME, and none of uplift''s own', 'api_key');
    end if;
    if v_header !~ '^[A-Za-z0-9-]+$' then
        perform uplift.fail(400, 'invalid_key_header', 'key_header must be the name of a header', 'key_header');
    end if;
    if p_arguments ? 'api_key' then
        p_provider.api_key := v_key;
    end if;
    p_provider.key_header := coalesce(v_header, p_provider.key_header, 'Authorization');
    p_provider.is_enabled := coalesce(uplift.flag_argument(p_arguments, 'is_enabled'), p_provider.is_enabled, true);
    if p_arguments ? 'connect_timeout_ms' then
        p_provider.connect_timeout_ms := uplift.whole_argument(p_arguments, 'connect_timeout_ms', 10, 3600000);
    end if;
    if p_arguments ? 'first_byte_timeout_ms' then
        p_provider.first_byte_timeout_ms := uplift.whole_argument(p_arguments, 'first_byte_timeout_ms', 10, 3600000);
    end if;
    if p_arguments ? 'first_token_timeout_ms' then
        p_provider.first_token_timeout_ms := uplift.whole_argument(p_arguments, 'first_token_timeout_ms', 10, 3600000);
    end if;
    if p_arguments ? 'idle_timeout_ms' then
        p_provider.idle_timeout_ms := uplift.whole_argument(p_arguments, 'idle_timeout_ms', 10, 3600000);
    end if;
    if p_arguments ? 'total_timeout_ms' then
        p_provider.total_timeout_ms := uplift.whole_argument(p_arguments, 'total_timeout_ms', 10, 86400000);
    end if;
    if p_arguments ? 'max_open' then
        p_provider.max_open := uplift.whole_argument(p_arguments, 'max_open', 1, 1000000);
    end if;
    if p_arguments ? 'continues' then
        p_provider.continues := coalesce(p_arguments ->> 'continues', 'false');
        if p_arguments -> 'continues' not in ('true', 'false', 'null', '"prefix"', '"partial"', '"continue_final_message"') then
            perform uplift.fail(400, 'invalid_continues',
                'continues must be true, false, "prefix", "partial" or "continue_final_message"', 'continues');
        end if;
    end if;
    p_provider.continues := coalesce(p_provider.continues, 'false');
    if p_arguments ? 'note' then
        p_provider.note := uplift.text_argument(p_arguments, 'note', 2000);
    end if;
    return p_provider;
end
$$;

comment on function uplift.checked_provider(uplift.providers, jsonb) is
    'A provider with what is named of it changed. UP400 invalid_NAME of what cannot be.';

create or replace function uplift_batch.admin_put_provider(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_provider uplift.providers;
begin
    perform uplift.check_arguments(p_arguments, '{base_url,api_key,key_header,is_enabled,connect_timeout_ms,first_byte_timeout_ms,first_token_timeout_ms,idle_timeout_ms,total_timeout_ms,max_open,continues,note}');
    if p_name !~ '^[a-z0-9][a-z0-9._-]{0,62}$' or p_name = 'default' then
        perform uplift.fail(400, 'invalid_name',
            'a provider''s name has 1 to 63 small letters, digits, dots, hyphens and underscores, and is not default, which is the configured one', 'name');
    end if;
    select p.* into v_provider from uplift.providers p where p.name = p_name for update;
    if not found and not p_arguments ? 'base_url' then
        perform uplift.fail(400, 'missing_base_url', 'there is no such provider; a new one needs a base_url', 'base_url');
    end if;
    v_provider := uplift.checked_provider(v_provider, p_arguments);
    insert into uplift.providers as p (name, base_url, api_key, key_header, is_enabled, connect_timeout_ms,
        first_byte_timeout_ms, first_token_timeout_ms, idle_timeout_ms, total_timeout_ms, max_open, continues, note, updated_by)
    values (p_name, v_provider.base_url, v_provider.api_key, v_provider.key_header, v_provider.is_enabled,
        v_provider.connect_timeout_ms, v_provider.first_byte_timeout_ms, v_provider.first_token_timeout_ms,
        v_provider.idle_timeout_ms, v_provider.total_timeout_ms, v_provider.max_open, v_provider.continues,
        v_provider.note, p_who)
    on conflict (name) do update set base_url = excluded.base_url, api_key = excluded.api_key,
        key_header = excluded.key_header, is_enabled = excluded.is_enabled,
        connect_timeout_ms = excluded.connect_timeout_ms, first_byte_timeout_ms = excluded.first_byte_timeout_ms,
        first_token_timeout_ms = excluded.first_token_timeout_ms, idle_timeout_ms = excluded.idle_timeout_ms,
        total_timeout_ms = excluded.total_timeout_ms, max_open = excluded.max_open, continues = excluded.continues,
        note = excluded.note, updated_at = now(), updated_by = excluded.updated_by
    returning p.* into v_provider;
    return uplift.provider_json(v_provider);
end
$$;

comment on function uplift_batch.admin_put_provider(text, jsonb, text) is
    'Changes what is named of a provider, or makes one. UP400 invalid_name, missing_base_url, invalid_NAME of what cannot be.';

create or replace function uplift_batch.admin_delete_provider(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_provider uplift.providers;
    v_used text;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    v_provider := uplift.found_provider(p_name);
    select string_agg(distinct r.model, ', ') into v_used from uplift.model_routes r where r.provider = p_name;
    if v_used is not null then
        perform uplift.fail(409, 'provider_in_use', 'these models have routes to it: ' || v_used);
    end if;
    delete from uplift.providers p where p.name = p_name;
    return uplift.provider_json(v_provider);
end
$$;

comment on function uplift_batch.admin_delete_provider(text, jsonb, text) is
    'Deletes a provider that no route leads to, and returns what it was. UP404 provider_not_found, UP409 provider_in_use.';

-- --- models ---

create or replace function uplift_batch.admin_list_models(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{name}');
    return jsonb_build_object('object', 'list', 'has_more', false, 'data', (
        select coalesce(jsonb_agg(uplift.model_json(m) order by m.name), '[]') from uplift.gateway_models m
        where not p_arguments ? 'name' or m.name = p_arguments ->> 'name'));
end
$$;

comment on function uplift_batch.admin_list_models(uuid, jsonb, text) is 'Models with routes of their own; name picks one.';

create or replace function uplift.put_routes(p_model text, p_routes jsonb) returns void
language plpgsql volatile
as $$
declare
    v_route jsonb;
    v_number int := 0;
    v_provider text;
begin
    if jsonb_typeof(p_routes) is distinct from 'array' or jsonb_array_length(p_routes) > 8 then
        perform uplift.fail(400, 'invalid_routes', 'routes must be a list of at most 8', 'routes');
    end if;
    delete from uplift.model_routes r where r.model = p_model;
    for v_route in select r.value from jsonb_array_elements(p_routes) r loop
        v_number := v_number + 1;
        if jsonb_typeof(v_route) <> 'object' then
            perform uplift.fail(400, 'invalid_routes', format('route %s is not an object', v_number), 'routes');
        end if;
        perform uplift.check_arguments(v_route, '{position,provider,model,weight,context_tokens}');
        v_provider := uplift.text_argument(v_route, 'provider', 63);
        if v_provider is null or v_provider <> 'default'
                and not exists (select from uplift.providers p where p.name = v_provider) then
            perform uplift.fail(400, 'unknown_provider',
                format('route %s: there is no provider %s', v_number, coalesce(v_provider, '(none named)')), 'routes');
        end if;
        begin
            insert into uplift.model_routes (model, position, provider, provider_model, weight, context_tokens)
            values (p_model, coalesce(uplift.whole_argument(v_route, 'position', 1, 8), v_number), v_provider,
                uplift.model_argument(v_route, 'model'), coalesce(uplift.whole_argument(v_route, 'weight', 1, 1000), 1),
                uplift.whole_argument(v_route, 'context_tokens', 1, 1000000000));
        exception when unique_violation then
            perform uplift.fail(400, 'invalid_routes', format('route %s is there twice', v_number), 'routes');
        end;
    end loop;
end
$$;

comment on function uplift.put_routes(text, jsonb) is
    'Replaces the routes of a model: [{position, provider, model, weight, context_tokens}]; without position they are tried in order. UP400 invalid_routes, unknown_provider, invalid_NAME.';

create or replace function uplift.check_fallbacks(p_model text) returns void
language plpgsql stable
as $$
declare
    v_found record;
begin
    select m.name, f.name as fallback into v_found
    from uplift.gateway_models m cross join lateral unnest(m.fallbacks) as f(name)
    where not exists (select from uplift.gateway_models x where x.name = f.name) limit 1;
    if found then
        perform uplift.fail(400, 'unknown_fallback', format('%s falls back to %s, which has no routes', v_found.name, v_found.fallback), 'fallbacks');
    end if;
    with recursive reached as (
        select f.name, array[p_model, f.name] as way
        from uplift.gateway_models m cross join lateral unnest(m.fallbacks) as f(name)
        where m.name = p_model
        union all
        select f.name, r.way || f.name
        from reached r join uplift.gateway_models m on m.name = r.name cross join lateral unnest(m.fallbacks) as f(name)
        where r.name <> p_model and cardinality(r.way) < 20
    )
    select array_to_string(r.way, ' -> ') as way into v_found from reached r where r.name = p_model limit 1;
    if found then
        perform uplift.fail(400, 'fallback_loop', 'the fallbacks go round in a circle: ' || v_found.way, 'fallbacks');
    end if;
    if exists (select from uplift.gateway_models m where m.name = p_model and m.fallbacks = '{}'
            and not exists (select from uplift.model_routes r where r.model = m.name)) then
        perform uplift.fail(400, 'no_route', 'a model needs a route, or another model to fall back to', 'routes');
    end if;
end
$$;

comment on function uplift.check_fallbacks(text) is
    'Returns when a model leads somewhere. UP400 unknown_fallback, fallback_loop, no_route.';

create or replace function uplift_batch.admin_put_model(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := uplift.model_argument(p_arguments, 'name');
    v_listed boolean := uplift.flag_argument(p_arguments, 'is_listed');
    v_note text := uplift.text_argument(p_arguments, 'note', 2000);
    v_fallbacks text[];
    v_model uplift.gateway_models;
begin
    perform uplift.check_arguments(p_arguments, '{name,routes,fallbacks,is_listed,note}');
    if v_name is null then
        perform uplift.fail(400, 'missing_name', 'name is missing', 'name');
    end if;
    if p_arguments ? 'fallbacks' then
        if jsonb_typeof(p_arguments -> 'fallbacks') <> 'array' or jsonb_array_length(p_arguments -> 'fallbacks') > 8
                or exists (select from jsonb_array_elements(p_arguments -> 'fallbacks') f where jsonb_typeof(f.value) <> 'string') then
            perform uplift.fail(400, 'invalid_fallbacks', 'fallbacks must be a list of at most 8 names of models', 'fallbacks');
        end if;
        v_fallbacks := array(select f.value from jsonb_array_elements_text(p_arguments -> 'fallbacks') f);
    end if;
    -- One change at a time: two that are good alone may make a loop together.
    perform from uplift.routing_state s for update;
    insert into uplift.gateway_models as m (name, fallbacks, is_listed, note, updated_by)
    values (v_name, coalesce(v_fallbacks, '{}'), coalesce(v_listed, true), v_note, p_who)
    on conflict (name) do update set fallbacks = coalesce(v_fallbacks, m.fallbacks),
        is_listed = coalesce(v_listed, m.is_listed),
        note = case when p_arguments ? 'note' then v_note else m.note end, updated_at = now(), updated_by = p_who
    returning m.* into v_model;
    if p_arguments ? 'routes' then
        perform uplift.put_routes(v_name, p_arguments -> 'routes');
    end if;
    perform uplift.check_fallbacks(v_name);
    return uplift.model_json(v_model);
end
$$;

comment on function uplift_batch.admin_put_model(uuid, jsonb, text) is
    'Makes or changes the model of that name: routes, fallbacks, is_listed, note, only what is given. UP400 missing_name, invalid_fallbacks, unknown_fallback, fallback_loop, no_route, and as uplift.put_routes.';

create or replace function uplift_batch.admin_delete_model(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_model uplift.gateway_models;
    v_json jsonb;
    v_used text;
begin
    perform uplift.check_arguments(p_arguments, '{name}');
    perform from uplift.routing_state s for update;
    select m.* into v_model from uplift.gateway_models m where m.name = p_arguments ->> 'name';
    if not found then
        perform uplift.fail(404, 'model_not_found', 'there is no such model with routes of its own', 'name');
    end if;
    select string_agg(m.name, ', ') into v_used from uplift.gateway_models m where v_model.name = any (m.fallbacks);
    if v_used is not null then
        perform uplift.fail(409, 'model_in_use', 'these models fall back to it: ' || v_used);
    end if;
    v_json := uplift.model_json(v_model);
    delete from uplift.model_routes r where r.model = v_model.name;
    delete from uplift.gateway_models m where m.name = v_model.name;
    return v_json;
end
$$;

comment on function uplift_batch.admin_delete_model(uuid, jsonb, text) is
    'Deletes the routes of a model (?name=), which then goes to the configured provider, and returns what it was. UP404 model_not_found, UP409 model_in_use.';
