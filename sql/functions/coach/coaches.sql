-- The coaches on offer.

create or replace function uplift.is_coach(p_asset_name text, p_asset_type text, p_usage_notes text, p_is_active boolean)
returns boolean
language sql immutable parallel safe
as $$
    select p_is_active is not false and p_usage_notes <> ''
        and (p_asset_type = 'coach' or p_asset_name like 'coach\_%')
$$;

comment on function uplift.is_coach(text, text, text, boolean) is
    'Whether a brand asset is a coach on offer: it has a personality, and its type or its name says coach.';

-- Of assets with the same name the oldest counts.
create or replace view uplift.coaches as
select distinct on (b.asset_name)
    b.asset_name as id,
    coalesce(b.alt_text, b.asset_name) as name,
    b.description,
    b.usage_notes as personality,
    b.asset_name = 'coach_decibel_avatar' as is_default,
    b.created_at
from public.brand_assets b
where uplift.is_coach(b.asset_name, b.asset_type, b.usage_notes, b.is_active)
order by b.asset_name, b.created_at;

comment on view uplift.coaches is 'Coaches on offer, from brand_assets.';

create or replace function uplift_chat.list_coaches() returns json
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select json_build_object('object', 'list', 'data', coalesce(json_agg(json_build_object(
        'id', c.id, 'name', c.name, 'description', c.description, 'default', c.position = 1) order by c.position), '[]'))
    from (
        select c.*, row_number() over (order by c.is_default desc, c.created_at, c.id) as position from uplift.coaches c) c
$$;

comment on function uplift_chat.list_coaches() is
    'The coaches on offer as JSON: {"object":"list","data":[{id, name, description, default}]}, the default first.';
