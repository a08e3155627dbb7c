-- What a worker asks for every second, beside its chats: what has changed since.

create or replace function uplift.worker_sync(p_known jsonb) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_news jsonb := jsonb_build_object();
begin
    if (select s.revision from uplift.routing_state s) is distinct from (p_known ->> 'routing')::bigint then
        v_news := v_news || jsonb_build_object('routing', uplift.routing());
    end if;
    if exists (select from uplift.budgets b where b.is_enabled) then
        v_news := v_news || jsonb_build_object('budgets', uplift.exhausted_budgets(), 'budget_gauges', uplift.budget_gauges());
    end if;
    if p_known ? 'tokens' then
        perform uplift.settle_limits(p_known -> 'tokens');
    end if;
    v_news := v_news || jsonb_build_object('limits', (
        select coalesce(jsonb_agg(jsonb_build_object('scope', l.scope, 'key', l.key, 'rpm', l.requests_per_minute,
            'tpm', l.tokens_per_minute, 'burst', l.burst)), '[]')
        from (select * from uplift.rate_limits x order by x.key limit 1000) l));
    return v_news;
end
$$;

comment on function uplift.worker_sync(jsonb) is
    'What a worker does not know yet. p_known: routing, the revision it has. tokens, what chats took beyond what they were charged (uplift.settle_limits). Returns limits, the rate limits (at most 1000), and routing, as uplift.routing(), where that is another; where there are budgets, budgets, those used up, and budget_gauges.';
