-- The prompts for when Postgres is away.

create or replace function uplift_chat.list_personas()
returns table (coach_id text, name text, severity_band int, mode text, system_prompt text)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select c.id, c.name, b.band, m.mode, uplift.shared_prompt(c.name, c.personality, b.severity, m.mode)
    from uplift.coaches c
    cross join (values (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, 6.0)) as b(band, severity)
    -- Consent cannot be looked up then, so there is no roast.
    cross join (values ('default')) as m(mode)
    order by c.is_default desc, c.created_at, c.id, b.band
$$;

comment on function uplift_chat.list_personas() is
    'The system prompts without anything personal, for every coach and severity band, in default mode: what a worker falls back on while Postgres is away. The default coach comes first.';
