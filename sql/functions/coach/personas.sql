-- The prompts for when Postgres is away.

create or replace function uplift_chat.list_personas()
returns table (coach_id text, name text, severity_band int, mode text, opening text, personality text, rules text, tone text)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select c.id, c.name, b.band, m.mode, uplift.prompt_opening(c.name), c.personality, uplift.prompt_rules(), uplift.prompt_tone(b.band, m.mode)
    from uplift.coaches c
    cross join generate_series(1, 6) as b(band)
    -- Consent cannot be looked up then, so there is no roast.
    cross join (values ('default')) as m(mode)
    order by c.is_default desc, c.created_at, c.id, b.band
$$;

comment on function uplift_chat.list_personas() is
    'The parts of the system prompts without anything personal, for every coach and severity band, in default mode: what a worker falls back on while Postgres is away. opening, personality (of the coach, or what is tried in its place), rules, the severity with one decimal, and tone, one behind the other, are uplift.shared_prompt(). The default coach comes first.';
