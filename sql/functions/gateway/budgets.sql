-- Budgets: what was spent of them, and what happens when one is used up.

create or replace function uplift.period_start(p_period text, p_at timestamptz) returns date
language sql immutable parallel safe
as $$ select date_trunc(p_period, p_at at time zone 'UTC')::date $$;

comment on function uplift.period_start(text, timestamptz) is 'The first day of the day or month (UTC) that a time is in.';

create or replace function uplift.period_end(p_period text, p_at timestamptz) returns timestamptz
language sql immutable parallel safe
as $$
    select (uplift.period_start(p_period, p_at) + case p_period when 'day' then interval '1 day' else interval '1 month' end)
        at time zone 'UTC'
$$;

comment on function uplift.period_end(text, timestamptz) is 'When the day or month (UTC) that a time is in is over.';

create or replace function uplift.spent(p_budget_id uuid, p_key text, p_period text, p_at timestamptz) returns numeric
language sql stable
as $$
    select coalesce(sum(s.cost_usd), 0) from uplift.budget_spend s
    where s.budget_id = p_budget_id and s.key = p_key and s.period_start = uplift.period_start(p_period, p_at)
$$;

comment on function uplift.spent(uuid, text, text, timestamptz) is
    'US dollars spent of a budget, by one coach or user (empty: the total), in the period of a time.';

create or replace function uplift.spend(p_user_ids uuid[], p_coach_ids text[], p_times timestamptz[], p_costs numeric[]) returns void
language plpgsql
as $$
begin
    -- In the order of keys, so that two recorders cannot wait for each other; and each in shards of
    -- its own, so that mostly none waits at all.
    with spent as (
        insert into uplift.budget_spend as s (budget_id, key, period_start, shard, cost_usd)
        select b.id, k.key, uplift.period_start(b.period, a.created_at), pg_backend_pid() % 16, sum(a.cost_usd)
        from unnest(p_user_ids, p_coach_ids, p_times, p_costs) as a(user_id, coach_id, created_at, cost_usd)
        join uplift.budgets b on b.is_enabled
        cross join lateral (
            select case b.scope when 'total' then '' when 'coach' then a.coach_id else a.user_id::text end as key) k
        where a.cost_usd > 0 and k.key is not null and b.key in ('', k.key)
        group by 1, 2, 3
        order by 1, 2, 3
        on conflict (budget_id, key, period_start, shard) do update set cost_usd = s.cost_usd + excluded.cost_usd
        returning s.budget_id, s.key, s.period_start, s.shard, s.cost_usd
    )
    insert into uplift.budgets_used_up (budget_id, key, period_start)
    select n.budget_id, n.key, n.period_start
    from spent n join uplift.budgets b on b.id = n.budget_id
    -- What this shard has now, and what the others had.
    where n.cost_usd + coalesce((select sum(o.cost_usd) from uplift.budget_spend o where o.budget_id = n.budget_id and o.key = n.key
            and o.period_start = n.period_start and o.shard <> n.shard), 0) >= b.limit_usd
        and not exists (select from uplift.budgets_used_up u
            where u.budget_id = n.budget_id and u.key = n.key and u.period_start = n.period_start)
    order by 1, 2, 3
    on conflict do nothing;
end
$$;

comment on function uplift.spend(uuid[], text[], timestamptz[], numeric[]) is
    'Counts against budgets what something cost: arrays side by side, an element for each cost, of a user, a coach (null: none) and a time.';

create or replace function uplift.spend_budgets(p_new uuid[]) returns void
language plpgsql
as $$
begin
    if not exists (select from uplift.budgets b where b.is_enabled) then
        return;
    end if;
    perform uplift.spend(array_agg(a.user_id), array_agg(a.coach_id), array_agg(a.created_at), array_agg(a.cost_usd))
    from unnest(p_new) as n(id)
    -- By the key, one by one: a plan that was made while the table was small might read it whole.
    cross join lateral (select * from public.coach_response_feedback f where f.id = n.id limit 1) a;
end
$$;

comment on function uplift.spend_budgets(uuid[]) is 'Counts what answers just recorded cost against the budgets they fall under.';

create or replace function uplift.check_budgets(p_user_id uuid, p_coach_id text, out refusal jsonb, out cheaper_model text)
language plpgsql stable
as $$
declare
    v_budget record;
begin
    for v_budget in
        select b.scope, b.key, b.period, b.limit_usd, b.action, b.cheaper_model
        from uplift.budgets b
        cross join lateral (
            select case b.scope when 'total' then '' when 'coach' then p_coach_id else p_user_id::text end as key) k
        where b.is_enabled and k.key is not null and b.key in ('', k.key)
            -- As uplift.spent() has it, which would be planned for each chat.
            and coalesce((select sum(s.cost_usd) from uplift.budget_spend s where s.budget_id = b.id and s.key = k.key
                and s.period_start = date_trunc(b.period, now() at time zone 'UTC')::date), 0) >= b.limit_usd
        order by b.action desc, b.limit_usd -- refuse before cheaper
    loop
        if v_budget.action = 'refuse' then
            refusal := jsonb_build_object('status', 429, 'code', 'budget_exceeded',
                'message', format('the budget of this %s for %s is used up',
                    v_budget.period, case v_budget.scope when 'total' then 'all chats' else 'this ' || v_budget.scope end),
                'retry_after_ms',
                    ceil(extract(epoch from uplift.period_end(v_budget.period, now()) - now()) * 1000)::bigint);
            return;
        end if;
        cheaper_model := coalesce(cheaper_model, v_budget.cheaper_model);
    end loop;
end
$$;

comment on function uplift.check_budgets(uuid, text) is
    'What budgets that are used up demand of a chat: a refusal (as of uplift_chat.prepare_chats), or a cheaper model in place of the one it would have; null, null for nothing.';

create or replace function uplift.used_up_budgets()
returns table (scope text, key text, period text, action text, cheaper_model text, ends_at bigint)
language sql stable
as $$
    -- At most so many coaches or users, whoever many there are: not from what each has spent.
    select b.scope, u.key, b.period, b.action, b.cheaper_model,
        floor(extract(epoch from uplift.period_end(b.period, now())))::bigint
    from uplift.budgets b
    cross join unnest(array[uplift.period_start(b.period, now()), 'infinity']) as p(start)
    cross join lateral (
        select x.key from uplift.budgets_used_up x
        where x.budget_id = b.id and x.period_start = p.start order by x.key limit 1000) u
    where b.is_enabled
    order by b.action desc, b.id, u.key limit 1000
$$;

comment on function uplift.used_up_budgets() is
    'The budgets that are used up now, for workers, while Postgres is away: key is a coach or a user, empty for all; ends_at is Unix time.';

create or replace function uplift.used_up_mark() returns text
language sql stable
as $$ select md5(concat_ws(' ', count(*), sum(hashtextextended(u::text, 0)))) from uplift.used_up_budgets() u $$;

comment on function uplift.used_up_mark() is 'Another one whenever uplift.used_up_budgets() gives something else.';

create or replace function uplift.budget_state(p_budget uplift.budgets, p_spent numeric) returns text
language sql immutable parallel safe
as $$
    select case when p_spent >= p_budget.limit_usd then 'exhausted'
        when p_spent >= p_budget.limit_usd * p_budget.warn_at then 'warning' else 'ok' end
$$;

comment on function uplift.budget_state(uplift.budgets, numeric) is 'ok, warning or exhausted, when so many US dollars are spent.';

create or replace function uplift.budget_json(p_budget uplift.budgets) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'budget', 'id', p_budget.id, 'scope', p_budget.scope, 'key', nullif(p_budget.key, ''),
        'period', p_budget.period, 'limit_usd', p_budget.limit_usd, 'warn_at', p_budget.warn_at, 'action', p_budget.action,
        'cheaper_model', p_budget.cheaper_model, 'is_enabled', p_budget.is_enabled, 'note', p_budget.note,
        'created_at', p_budget.created_at, 'updated_at', p_budget.updated_at, 'updated_by', p_budget.updated_by,
        'period_start', uplift.period_start(p_budget.period, now()), 'period_end', uplift.period_end(p_budget.period, now()),
        -- Those who spent most; of a budget for one or all there is just one.
        'spent', (select coalesce(jsonb_agg(jsonb_build_object('key', nullif(x.key, ''), 'spent_usd', round(x.spent, 8),
                'share', round(x.spent / nullif(p_budget.limit_usd, 0), 4), 'state', uplift.budget_state(p_budget, x.spent))
                order by x.spent desc), '[]')
            from (select s.key, sum(s.cost_usd) as spent from uplift.budget_spend s
                where s.budget_id = p_budget.id and s.period_start = uplift.period_start(p_budget.period, now())
                group by s.key order by sum(s.cost_usd) desc limit 20) x))
$$;

comment on function uplift.budget_json(uplift.budgets) is
    'A budget as admins see it, with the 20 keys that spent most of it in the period under way.';

create or replace function uplift.budget_gauges() returns jsonb
language sql stable
as $$
    -- Of users, who may be a million, only those are counted who came to the limit.
    select coalesce(jsonb_agg(jsonb_build_object('scope', x.scope, 'key', x.key, 'period', x.period, 'limit_usd', x.limit_usd,
        'spent_usd', round(x.spent, 6), 'state', x.state, 'used_up', x.used_up)), '[]')
    from (
        select b.scope, b.period, b.limit_usd, coalesce(s.key, b.key) as key, s.spent, uplift.budget_state(b, s.spent) as state,
            case when b.scope <> 'total' and b.key = '' then (
                select count(*) from (select from uplift.budgets_used_up u
                    where u.budget_id = b.id and u.period_start = p.start limit 10000) y) end as used_up
        from uplift.budgets b
        cross join lateral (select uplift.period_start(b.period, now()) as start) p
        left join lateral (
            select w.key, coalesce(sum(w.cost_usd), 0) as spent from uplift.budget_spend w
            where w.budget_id = b.id and w.period_start = p.start and b.scope = 'coach' and b.key = ''
            group by w.key
            union all
            select b.key, (select coalesce(sum(w.cost_usd), 0) from uplift.budget_spend w
                where w.budget_id = b.id and w.period_start = p.start and w.key = b.key)
            where b.scope = 'total' or b.key <> '') s on true
        where b.is_enabled
        order by s.spent / nullif(b.limit_usd, 0) desc nulls first limit 50) x
$$;

comment on function uplift.budget_gauges() is
    'For metrics: the 50 budgets of which most is spent, with their state; used_up: how many coaches or users have used theirs up, of a budget of each.';

create or replace function uplift_batch.trim_spent(p_most int) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_spent bigint;
    v_used_up bigint;
    v_now bigint;
    v_photos bigint;
begin
    -- By period, so that the planner goes by the key: where none is over, nothing more is read.
    delete from uplift.budget_spend s where s.ctid = any (array(
        select x.ctid from uplift.budgets b cross join lateral (
            select y.ctid from uplift.budget_spend y
            where y.budget_id = b.id and y.period_start < uplift.period_start(b.period, now())
            order by y.period_start limit p_most) x limit p_most));
    get diagnostics v_spent = row_count;
    delete from uplift.budgets_used_up u where u.ctid = any (array(
        select x.ctid from uplift.budgets b cross join lateral (
            select y.ctid from uplift.budgets_used_up y
            where y.budget_id = b.id and y.period_start < uplift.period_start(b.period, now())
            order by y.period_start limit p_most) x limit p_most));
    get diagnostics v_used_up = row_count;
    -- Buckets of rate limits that nobody took from for a day are full, and one that is not there is full, too.
    delete from uplift.rate_buckets r where r.ctid = any (array(
        select x.ctid from uplift.rate_buckets x where x.filled_at < now() - interval '24 hours' limit p_most for update skip locked));
    get diagnostics v_now = row_count;
    delete from uplift.photos_taken t where t.ctid = any (array(
        select x.ctid from uplift.photos_taken x where x.hour < now() - interval '48 hours' limit p_most));
    get diagnostics v_photos = row_count;
    return greatest(v_spent, v_used_up, v_now, v_photos);
end
$$;

comment on function uplift_batch.trim_spent(int) is
    'Forgets what was spent of budgets in periods that are over, rate limits'' buckets of long ago, and how many photos were taken then: up to p_most rows of each table. Returns how many of the one with most.';

create or replace function uplift.begin_budget(p_budget uplift.budgets) returns void
language plpgsql
as $$
declare
    v_start timestamptz := uplift.period_start(p_budget.period, now())::timestamp at time zone 'UTC';
begin
    delete from uplift.budget_spend s where s.budget_id = p_budget.id;
    -- By ids, which are in the order of time. A group that is recorded just now may be missed.
    insert into uplift.budget_spend (budget_id, key, period_start, shard, cost_usd)
    select p_budget.id, k.key, v_start at time zone 'UTC', 0, sum(a.cost_usd)
    from public.coach_response_feedback a
    cross join lateral (
        select case p_budget.scope when 'total' then '' when 'coach' then a.coach_id else a.user_id::text end as key) k
    where a.id >= uplift.first_id_of(v_start) and a.created_at >= v_start and a.cost_usd > 0
        and k.key is not null and p_budget.key in ('', k.key)
    group by k.key;
    insert into uplift.budget_spend as s (budget_id, key, period_start, shard, cost_usd)
    select p_budget.id, p.key, v_start at time zone 'UTC', 0, sum(p.cost_usd)
    from (
        select '' as key, h.cost_usd from uplift.vision_hourly h where p_budget.scope = 'total' and h.hour >= v_start
        union all
        select f.user_id::text, f.cost_usd from uplift.food_photos f where p_budget.scope = 'user' and f.id >= uplift.first_id_of(v_start)) p
    where p.cost_usd > 0 and p_budget.key in ('', p.key)
    group by p.key
    on conflict (budget_id, key, period_start, shard) do update set cost_usd = s.cost_usd + excluded.cost_usd;
    delete from uplift.budgets_used_up u where u.budget_id = p_budget.id;
    insert into uplift.budgets_used_up (budget_id, key, period_start)
    select p_budget.id, s.key, s.period_start from uplift.budget_spend s
    where p_budget.is_enabled and s.budget_id = p_budget.id
    group by s.key, s.period_start having sum(s.cost_usd) >= p_budget.limit_usd
    union
    -- Of nothing, nothing can be spent.
    select p_budget.id, p_budget.key, date 'infinity' where p_budget.is_enabled and p_budget.limit_usd = 0;
end
$$;

comment on function uplift.begin_budget(uplift.budgets) is
    'What was already spent in the period under way, from the answers and, of a user, the photos that are there: for a budget that is new, or for something else than before.';

create or replace function uplift_batch.admin_list_budgets(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return jsonb_build_object('object', 'list', 'has_more', false, 'data', (
        select coalesce(jsonb_agg(uplift.budget_json(b) order by b.scope, b.key, b.period), '[]') from uplift.budgets b));
end
$$;

comment on function uplift_batch.admin_list_budgets(uuid, jsonb, text) is 'All budgets, and what is spent of them.';

create or replace function uplift.found_budget(p_id uuid) returns uplift.budgets
language plpgsql volatile
as $$
declare
    v_budget uplift.budgets;
begin
    select b.* into v_budget from uplift.budgets b where b.id = p_id for update;
    if not found then
        perform uplift.fail(404, 'budget_not_found', 'there is no such budget');
    end if;
    return v_budget;
end
$$;

comment on function uplift.found_budget(uuid) is 'A budget, locked. UP404 budget_not_found.';

create or replace function uplift_batch.admin_get_budget(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.budget_json(uplift.found_budget(p_id));
end
$$;

comment on function uplift_batch.admin_get_budget(uuid, jsonb, text) is 'One budget. UP404 budget_not_found.';

create or replace function uplift.checked_budget(p_budget uplift.budgets, p_arguments jsonb) returns uplift.budgets
language plpgsql stable
as $$
begin
    perform uplift.check_arguments(p_arguments, '{scope,key,period,limit_usd,warn_at,action,cheaper_model,is_enabled,note}');
    p_budget.scope := coalesce(uplift.text_argument(p_arguments, 'scope', 20), p_budget.scope);
    p_budget.period := coalesce(uplift.text_argument(p_arguments, 'period', 20), p_budget.period);
    p_budget.action := coalesce(uplift.text_argument(p_arguments, 'action', 20), p_budget.action, 'refuse');
    p_budget.limit_usd := coalesce(uplift.decimal_argument(p_arguments, 'limit_usd', 0, 1000000000), p_budget.limit_usd);
    p_budget.warn_at := coalesce(uplift.decimal_argument(p_arguments, 'warn_at', 0.01, 1), p_budget.warn_at, 0.8);
    p_budget.is_enabled := coalesce(uplift.flag_argument(p_arguments, 'is_enabled'), p_budget.is_enabled, true);
    if p_arguments ? 'key' then
        p_budget.key := uplift.text_argument(p_arguments, 'key', 256);
    end if;
    if p_arguments ? 'cheaper_model' then
        p_budget.cheaper_model := uplift.model_argument(p_arguments, 'cheaper_model');
    end if;
    if p_arguments ? 'note' then
        p_budget.note := uplift.text_argument(p_arguments, 'note', 2000);
    end if;
    p_budget.key := coalesce(p_budget.key, '');
    if p_budget.scope is null or p_budget.scope not in ('total', 'coach', 'user') then
        perform uplift.fail(400, 'invalid_scope', 'scope must be total, coach or user', 'scope');
    elsif p_budget.period is null or p_budget.period not in ('day', 'month') then
        perform uplift.fail(400, 'invalid_period', 'period must be day or month', 'period');
    elsif p_budget.limit_usd is null then
        perform uplift.fail(400, 'invalid_limit_usd', 'limit_usd is missing', 'limit_usd');
    elsif p_budget.action not in ('refuse', 'cheaper') then
        perform uplift.fail(400, 'invalid_action', 'action must be refuse or cheaper', 'action');
    elsif p_budget.scope = 'total' and p_budget.key <> '' then
        perform uplift.fail(400, 'invalid_key', 'the total has no key', 'key');
    elsif p_budget.scope = 'user' and p_budget.key <> '' and not uplift.is_uuid_key(p_budget.key) then
        perform uplift.fail(400, 'invalid_key', 'the key of a user is their UUID, in small letters', 'key');
    elsif (p_budget.action = 'cheaper') <> (p_budget.cheaper_model is not null) then
        perform uplift.fail(400, 'invalid_cheaper_model', 'action cheaper needs a cheaper_model, and refuse has none', 'cheaper_model');
    end if;
    return p_budget;
end
$$;

comment on function uplift.checked_budget(uplift.budgets, jsonb) is
    'A budget with what is named of it changed. UP400 invalid_scope, invalid_key, invalid_period, invalid_limit_usd, invalid_warn_at, invalid_action, invalid_cheaper_model, invalid_is_enabled, invalid_note.';

-- A budget falls under the same scope, key and period only once; the total, the coach's and the
-- user's hold side by side, and the first that is used up decides.
create or replace function uplift.store_budget(p_budget uplift.budgets, p_who text) returns jsonb
language plpgsql volatile
as $$
declare
    v_budget uplift.budgets;
begin
    insert into uplift.budgets as b (id, scope, key, period, limit_usd, warn_at, action, cheaper_model, is_enabled, note, updated_by)
    values (p_budget.id, p_budget.scope, p_budget.key, p_budget.period, p_budget.limit_usd, p_budget.warn_at, p_budget.action,
        p_budget.cheaper_model, p_budget.is_enabled, p_budget.note, p_who)
    on conflict (id) do update set scope = excluded.scope, key = excluded.key, period = excluded.period,
        limit_usd = excluded.limit_usd, warn_at = excluded.warn_at, action = excluded.action,
        cheaper_model = excluded.cheaper_model, is_enabled = excluded.is_enabled, note = excluded.note,
        updated_at = now(), updated_by = excluded.updated_by
    returning b.* into v_budget;
    perform uplift.begin_budget(v_budget);
    return uplift.budget_json(v_budget);
exception when unique_violation then
    perform uplift.fail(409, 'overlapping_budget', 'there is a budget for the same scope, key and period; change that one');
    return null;
end
$$;

comment on function uplift.store_budget(uplift.budgets, text) is
    'Writes a budget, and counts what is already spent of it. UP409 overlapping_budget.';

create or replace function uplift_batch.admin_create_budget(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_budget uplift.budgets;
begin
    v_budget := uplift.checked_budget(v_budget, p_arguments);
    v_budget.id := uplift.uuid_v7();
    return uplift.store_budget(v_budget, p_who);
end
$$;

comment on function uplift_batch.admin_create_budget(uuid, jsonb, text) is
    'Makes a budget: scope, key, period, limit_usd, warn_at, action, cheaper_model, is_enabled, note. UP400 as uplift.checked_budget, UP409 overlapping_budget.';

create or replace function uplift_batch.admin_edit_budget(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    return uplift.store_budget(uplift.checked_budget(uplift.found_budget(p_id), p_arguments), p_who);
end
$$;

comment on function uplift_batch.admin_edit_budget(uuid, jsonb, text) is
    'Changes what is named of a budget. UP400 as uplift.checked_budget, UP404 budget_not_found, UP409 overlapping_budget.';

create or replace function uplift_batch.admin_delete_budget(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_budget uplift.budgets := uplift.found_budget(p_id);
    v_json jsonb := uplift.budget_json(v_budget);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    delete from uplift.budget_spend s where s.budget_id = p_id;
    delete from uplift.budgets b where b.id = p_id;
    return v_json;
end
$$;

comment on function uplift_batch.admin_delete_budget(uuid, jsonb, text) is 'Deletes a budget and returns what it was. UP404 budget_not_found.';
