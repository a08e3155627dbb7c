-- What a worker asks for every second, beside its chats: what has changed since.

create or replace function uplift_chat.worker_sync(p_known jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_news jsonb := jsonb_build_object();
    v_prices jsonb;
    v_mark text;
begin
    if (select s.revision from uplift.routing_state s) is distinct from (p_known ->> 'routing')::bigint then
        v_news := v_news || jsonb_build_object('routing', uplift.routing());
    end if;
    if (select s.access_revision from uplift.routing_state s) is distinct from (p_known ->> 'access')::bigint then
        v_news := v_news || jsonb_build_object('access', uplift.model_access());
    end if;
    v_mark := uplift.used_up_mark();
    if v_mark is distinct from p_known ->> 'budgets' then
        v_news := v_news || jsonb_build_object('budgets_mark', v_mark,
            'budgets', (select coalesce(jsonb_agg(to_jsonb(u)), '[]') from uplift.used_up_budgets() u));
    end if;
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('model', p.model, 'provider', p.provider, 'input', p.input_per_million,
        'cached', p.cached_input_per_million, 'output', p.output_per_million)) order by p.model, p.provider) into v_prices
    from uplift.model_prices p where p.valid_from <= now() and now() < p.valid_until;
    v_mark := md5(coalesce(v_prices::text, ''));
    if v_mark is distinct from p_known ->> 'prices' then
        v_news := v_news || jsonb_build_object('prices', v_prices, 'prices_mark', v_mark);
    end if;
    if p_known ? 'experiments' then
        -- Before what it is of, so that what changes between the two is told the next time.
        v_mark := uplift.experiments_mark();
        if v_mark is distinct from p_known ->> 'experiments' then
            v_news := v_news || jsonb_build_object('experiments', uplift.known_experiments(), 'experiments_mark', v_mark);
        end if;
    end if;
    if p_known ? 'gauges' then
        v_news := v_news || jsonb_build_object('gauges', jsonb_build_object('budgets', uplift.budget_gauges(),
            'unpriced_models', uplift.unpriced_models(), 'predictions', uplift.prediction_gauges(),
            'experiments', uplift.experiment_gauges(), 'rollouts', uplift.rollout_gauges(), 'autopilot', uplift.autopilot_gauges(), 'queues',
            jsonb_build_object(
                'batch_jobs', (select count(*) from uplift.batch_jobs j where j.status = 'queued'),
                'photos', (select count(*) from (select from uplift.food_photos f where f.status = 'pending' limit 10000) x),
                'rejected_answers', (select count(*) from (select from uplift.rejected_answers r where r.replayed_at is null limit 10000) x),
                -- Counted no further: it can have a million.
                'training', (select count(*) from (select from uplift.training_queue q limit 10000) x))));
    end if;
    if p_known ? 'embeddings' then
        v_news := v_news || jsonb_build_object('embeddings',
            uplift.embeddings_of(p_known #>> '{embeddings,model}', (p_known #>> '{embeddings,dimensions}')::int));
    end if;
    if p_known ? 'tokens' then
        perform uplift.settle_limits(p_known -> 'tokens');
    end if;
    if p_known ? 'breakers' then
        perform uplift.note_breakers(p_known #>> '{breakers,host}', p_known #> '{breakers,all}');
    end if;
    v_news := v_news || jsonb_build_object('limits', (
        select coalesce(jsonb_agg(jsonb_build_object('scope', l.scope, 'key', l.key, 'rpm', l.requests_per_minute,
            'tpm', l.tokens_per_minute, 'burst', l.burst, 'feedback', l.feedback_per_minute)), '[]')
        from (select * from uplift.rate_limits x order by x.key limit 1000) l));
    return v_news;
end
$$;

comment on function uplift_chat.worker_sync(jsonb) is
    'What a worker does not know yet. p_known: routing and access, the revisions it has. tokens, what chats took beyond what they were charged (uplift.settle_limits). breakers, {host, all}, the breakers of its host (uplift.note_breakers). Returns limits, the rate limits (at most 1000), and routing, as uplift.routing(), and access, as uplift.model_access(), where those are others; the budgets that are used up (uplift.used_up_budgets) and their budgets_mark, where that is not the one known (budgets); the prices of now and their prices_mark, where that is not the one known (prices); with experiments in p_known, the mark of those known, uplift.known_experiments() and their experiments_mark (uplift.experiments_mark) where it is another; with embeddings in p_known, {model, dimensions or none}, embeddings, as uplift.embeddings_of(); with gauges in p_known, gauges, for metrics: budgets (uplift.budget_gauges), unpriced_models, predictions (uplift.prediction_gauges), experiments (uplift.experiment_gauges), rollouts (uplift.rollout_gauges), autopilot (uplift.autopilot_gauges), and queues, what waits, up to 10000 of each.';
