-- What a coach remembers of a user: deployments' functions, mended.

create or replace function public.get_user_memory_context(p_user_id uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(e'\n' || uplift.memory_section(string_agg(uplift.memory_line(m.memory_type, m.memory_text), ''
        order by m.importance_score desc nulls last, m.last_accessed desc nulls last, m.id)) || e'\n', '')
    from (
        select e.* from public.ai_episodic_memory e
        where e.user_id = p_user_id and e.is_active and (e.expires_at is null or e.expires_at > now())
            and e.memory_text <> ''
        order by e.importance_score desc nulls last, e.last_accessed desc nulls last, e.id
        limit 5) m
$$;

comment on function public.get_user_memory_context(uuid) is
    'The five most important memories of a user as a section of a prompt; empty when there are none. Forgotten and expired ones are left out.';

-- One sentence, one memory. The sketch stored everything a user ever said as one memory, again on
-- each run; its LIMIT stood behind an aggregate and limited nothing.
create or replace function public.extract_user_memories(p_user_id uuid, p_conversation_id uuid) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    -- Two runs at once would both find a memory missing.
    perform pg_advisory_xact_lock(hashtextextended('uplift memories ' || p_user_id, 0));
    insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score, related_conversation_id)
    select distinct on (k.type, lower(s.sentence)) p_user_id, k.type, s.sentence, k.importance, p_conversation_id
    from (
        select m.content, m.created_at from uplift.conversation_messages m
        where m.user_id = p_user_id and m.conversation_id = p_conversation_id and m.message_type = 'user'
        order by m.created_at desc limit 10) recent
    cross join lateral regexp_split_to_table(replace(recent.content, e'\u2019', ''''), '[.!?]+(\s+|$)|[\r\n]+') as part
    cross join lateral (select left(btrim(regexp_replace(part, '\s+', ' ', 'g')), 300) as sentence) s
    join (values
        ('goal', 8.0, '\m(i|we)(''d| would)? (want|like|plan|hope|need) to\M|\mmy goals?\M'),
        ('preference', 7.0, '\m(i|we) (really )?(don''t|do not|didn''t) (really )?like\M|\mi(''d)? (would )?prefer\M'),
        ('achievement', 9.0, '\m(i|we)( have|''ve)? (finally )?achieved\M|\mlost\M.{1,40}\m(pounds?|lbs?|kg|kilos?)\M'))
        as k(type, importance, pattern) on s.sentence ~* k.pattern
    -- One that the user had us forget does not come back, either.
    where not exists (select from public.ai_episodic_memory e
        where e.user_id = p_user_id and e.memory_type = k.type and lower(e.memory_text) = lower(s.sentence))
    order by k.type, lower(s.sentence), recent.created_at;
end
$$;

comment on function public.extract_user_memories(uuid, uuid) is
    'Finds goals, preferences and achievements by keywords in the last ten messages of a user''s own conversation, and keeps each sentence once as a memory. Run again it adds nothing.';
