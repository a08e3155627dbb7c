-- What sources are worth: how often they were offered, and the thumbs for and against them. An answer's thumb counts for the
-- sources that it cites, not for those that it was offered and did not use.

create or replace function uplift.note_knowledge_use() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into uplift.knowledge_queue (answer_id, source_ids) values (new.id, new.source_ids);
    end if;
    if tg_op <> 'INSERT' or new.helpful is not null then
        insert into uplift.knowledge_queue (answer_id) values (case when tg_op = 'DELETE' then old.id else new.id end);
    end if;
    return null;
end
$$;

comment on function uplift.note_knowledge_use() is
    'Triggers of coach_response_feedback: notes in uplift.knowledge_queue that an answer was offered sources, or that the thumb on one that cites some has changed.';

-- Only when they are missing, because making them waits for everyone who writes answers.
do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.* from (values
            ('uplift_knowledge_offered', 'insert', 'new.source_ids is not null'),
            ('uplift_knowledge_rated', 'update', 'old.citations is not null or new.citations is not null) and ((old.helpful, old.citations) is distinct from (new.helpful, new.citations)'),
            ('uplift_knowledge_unrated', 'delete', 'old.citations is not null and old.helpful is not null')) as t(name, event, condition)
        where not exists (select from pg_trigger g where g.tgrelid = 'public.coach_response_feedback'::regclass and g.tgname = t.name)
    loop
        execute format('create trigger %I after %s on public.coach_response_feedback for each row when (%s) execute function uplift.note_knowledge_use()',
            v_trigger.name, v_trigger.event, '(' || v_trigger.condition || ')');
    end loop;
end
$$;

create or replace function uplift.cited_sources(p_citations jsonb) returns uuid[]
language sql immutable parallel safe
as $$
    select coalesce(array_agg(distinct (c ->> 'source_id')::uuid), '{}')
    from jsonb_array_elements(case jsonb_typeof(p_citations) when 'array' then p_citations end) c
    where uplift.is_uuid(c ->> 'source_id')
$$;

comment on function uplift.cited_sources(jsonb) is 'The sources that citations name, each once.';

create or replace function uplift.take_knowledge_queue(p_most int) returns bigint
language plpgsql volatile
as $$
declare
    v_taken bigint;
begin
    with taken as materialized (
        delete from uplift.knowledge_queue q
        where q.id in (select k.id from uplift.knowledge_queue k order by k.id limit p_most)
        returning q.answer_id, q.source_ids
    ), votes as materialized (
        -- What stands now, and what is counted of it; a thumb that comes meanwhile is in the queue again.
        select t.answer_id, v.source_ids as old_sources, v.helpful as old_helpful,
            case when a.helpful is not null then uplift.cited_sources(a.citations) end as new_sources, a.helpful as new_helpful
        from (select distinct k.answer_id from taken k where k.source_ids is null) t
        left join lateral (select k.source_ids, k.helpful from uplift.knowledge_votes k where k.answer_id = t.answer_id limit 1) v on true
        left join lateral (
            select f.helpful, f.citations from public.coach_response_feedback f where f.id = t.answer_id limit 1) a on true
    ), forgotten as (
        delete from uplift.knowledge_votes k using votes v where k.answer_id = v.answer_id and coalesce(v.new_sources, '{}') = '{}'
    ), remembered as (
        insert into uplift.knowledge_votes as k (answer_id, source_ids, helpful)
        select v.answer_id, v.new_sources, v.new_helpful from votes v where v.new_sources <> '{}' order by v.answer_id
        on conflict (answer_id) do update set source_ids = excluded.source_ids, helpful = excluded.helpful
    ), changes as (
        select s.id, 1 as referenced, 0 as helpful, 0 as not_helpful from taken t, unnest(t.source_ids) s(id)
        union all
        select s.id, 0, -v.old_helpful::int, -(not v.old_helpful)::int from votes v, unnest(v.old_sources) s(id)
        union all
        select s.id, 0, v.new_helpful::int, (not v.new_helpful)::int from votes v, unnest(v.new_sources) s(id)
    ), counted as (
        insert into uplift.knowledge_counts as c (source_id, referenced, helpful, not_helpful)
        select x.id, sum(x.referenced), sum(x.helpful), sum(x.not_helpful) from changes x group by x.id order by x.id
        on conflict (source_id) do update set referenced = c.referenced + excluded.referenced, helpful = c.helpful + excluded.helpful,
            not_helpful = c.not_helpful + excluded.not_helpful
    )
    select count(*) into v_taken from taken;
    return v_taken;
end
$$;

comment on function uplift.take_knowledge_queue(int) is
    'Takes up to so many rows out of uplift.knowledge_queue into uplift.knowledge_votes and uplift.knowledge_counts; how many there were.';

create or replace function uplift_batch.count_knowledge_use(p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_taken bigint;
    v_added record;
begin
    perform pg_advisory_xact_lock(hashtextextended('uplift.knowledge_use', 0));
    v_taken := uplift.take_knowledge_queue(p_most);
    -- A row that cannot be changed keeps what it is owed, and holds up no other.
    select r.* into v_added from uplift.do_rows($s$
        with counted as (
            delete from uplift.knowledge_counts k where k.source_id = any ($1) returning k.*
        )
        update public.ai_knowledge_sources s set times_referenced = least(coalesce(s.times_referenced, 0) + c.referenced, 2147483647),
            helpful_votes = least(greatest(coalesce(s.helpful_votes, 0) + c.helpful, 0), 2147483647),
            not_helpful_votes = least(greatest(coalesce(s.not_helpful_votes, 0) + c.not_helpful, 0), 2147483647)
        from (
            select k.id, n.referenced, n.helpful, n.not_helpful
            from counted n join public.ai_knowledge_sources k on k.id = n.source_id
            order by k.id for no key update of k) c
        where s.id = c.id$s$, array(select k.source_id from uplift.knowledge_counts k order by 1)) r;
    return jsonb_build_object('changes', v_taken, 'sources', v_added.done, 'failed', v_added.failed,
        'goes_on', v_taken = p_most);
end
$$;

comment on function uplift_batch.count_knowledge_use(int) is
    'Brings times_referenced, helpful_votes and not_helpful_votes of ai_knowledge_sources in step with answers and their thumbs, by up to so many notes of uplift.knowledge_queue: {changes: notes taken, sources: rows changed, failed: rows that could not be, which is tried again with each call, goes_on: whether there may be more}. Exact whatever the order and number of changes: a thumb is compared with what is counted of it.';
