-- What workers know of providers that fail, for admins to see: each host's breakers, told with uplift_chat.worker_sync().

create or replace function uplift.note_breakers(p_host text, p_breakers jsonb) returns void
language plpgsql volatile
as $$
begin
    -- All workers of a host tell the same, so one of them writes it down.
    update uplift.breaker_hosts h set breakers = p_breakers, told_at = now()
    where h.host = p_host and (h.breakers <> p_breakers or h.told_at < now() - interval '5 seconds');
    if not found then
        insert into uplift.breaker_hosts (host, breakers) values (p_host, p_breakers) on conflict (host) do nothing;
    end if;
    -- Where a new host tells of itself, another may have gone.
    if found then
        delete from uplift.breaker_hosts h where h.told_at < now() - interval '24 hours';
    end if;
end
$$;

comment on function uplift.note_breakers(text, jsonb) is
    'Notes the breakers of a host, as in uplift.breaker_hosts, and forgets hosts that told nothing for a day.';

create or replace function uplift_batch.admin_list_breakers(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return jsonb_build_object('object', 'list', 'has_more', false, 'data', (
        select coalesce(jsonb_agg(jsonb_build_object('object', 'breaker_host', 'host', h.host, 'told_at', h.told_at,
            'is_current', h.told_at > now() - interval '30 seconds', 'breakers', (
                select coalesce(jsonb_agg(jsonb_build_object('provider', b ->> 'provider', 'model', b ->> 'model', 'state', b ->> 'state',
                    'failures', b -> 'failures', 'open_until', to_timestamp((b ->> 'open_until')::float8),
                    'cool_until', to_timestamp((b ->> 'cool_until')::float8))
                    order by b ->> 'provider', b ->> 'model' nulls first), '[]')
                from jsonb_array_elements(h.breakers) b)) order by h.told_at desc, h.host), '[]')
        from (select * from uplift.breaker_hosts x order by x.told_at desc limit 200) h));
end
$$;

comment on function uplift_batch.admin_list_breakers(uuid, jsonb, text) is
    'The breakers of each host of workers that told of them within a day, the latest first, 200 at most.';
