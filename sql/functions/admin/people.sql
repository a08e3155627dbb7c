-- People: found by id, address or name, and what is kept of one of them.

create or replace function uplift.has_column(p_table regclass, p_column text) returns boolean
language sql stable
as $$ select exists (select from pg_attribute a where a.attrelid = p_table and a.attname = p_column and a.attnum > 0 and not a.attisdropped) $$;

comment on function uplift.has_column(regclass, text) is 'Whether a table has a column: that of users is not always ours.';

create or replace function uplift.user_json(p_id uuid, p_user jsonb) returns jsonb
language sql stable
as $$
    -- Whoever keeps no rows of users elsewhere has their id alone.
    select jsonb_build_object('object', 'user', 'id', p_id, 'email', p_user ->> 'email', 'phone', nullif(p_user ->> 'phone', ''),
        'name', coalesce(p_user -> 'raw_user_meta_data' ->> 'full_name', p_user -> 'raw_user_meta_data' ->> 'name', (uplift.profile_names(p_id))[1]),
        'is_anonymous', coalesce((p_user ->> 'is_anonymous')::boolean, false), 'created_at', p_user ->> 'created_at',
        'last_sign_in_at', p_user ->> 'last_sign_in_at', 'last_answer_at', (
            select a.created_at from public.coach_response_feedback a where a.user_id = p_id order by a.created_at desc limit 1))
$$;

comment on function uplift.user_json(uuid, jsonb) is 'A user as a line of a list; p_user is the row of auth.users, null where there is none.';

create or replace function uplift.users_like(p_part text, p_after uuid, p_most int, p_ms int, out ids uuid[], out next_after uuid)
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
declare
    c_until constant timestamptz := clock_timestamp() + p_ms * interval '1 millisecond';
    c_chunk constant int := 1000;
    v_part text := lower(p_part);
    v_last uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
    v_seen uuid[];
    v_found uuid[];
begin
    ids := '{}';
    loop
        -- In the order of ids, which is no order to people but one that a page can go on in.
        select array_agg(x.id order by x.id), array_agg(x.id order by x.id) filter (where strpos(lower(x.row ->> 'email'), v_part) > 0
                or strpos(lower(coalesce(x.row -> 'raw_user_meta_data' ->> 'full_name', x.row -> 'raw_user_meta_data' ->> 'name')), v_part) > 0
                or exists (select from public.user_traits t where t.user_id = x.id and lower(t.trait_key) like '%name' and strpos(lower(t.trait_value), v_part) > 0))
        into v_seen, v_found
        from (select u.id, to_jsonb(u) as row from auth.users u where u.id > v_last order by u.id limit c_chunk) x;
        ids := ids || coalesce(v_found, '{}');
        if cardinality(ids) >= p_most then
            ids := ids[:p_most];
            next_after := ids[p_most];
            return;
        end if;
        exit when coalesce(cardinality(v_seen), 0) < c_chunk;
        v_last := v_seen[c_chunk];
        if clock_timestamp() >= c_until then
            next_after := v_last;
            return;
        end if;
    end loop;
end
$$;

comment on function uplift.users_like(text, uuid, int, int, out uuid[], out uuid) is
    'The next p_most users, behind one, who have these words in their e-mail address or name, as far as p_ms milliseconds of looking come: next_after is where to go on, null at the end.';

create or replace function uplift.user_with_email(p_email text) returns uuid
language plpgsql stable
as $$
declare
    v_id uuid;
begin
    if uplift.has_column('auth.users', 'email') then
        -- As it is kept where it is signed in with, in small letters.
        execute format('select u.id from auth.users u where u.%I = $1 limit 1', 'email') into v_id using lower(p_email);
    end if;
    return v_id;
end
$$;

comment on function uplift.user_with_email(text) is 'The user with this e-mail address; null for none, or where users have no addresses.';

create or replace function uplift.latest_users(p_after uuid, p_most int, out ids uuid[], out next_after uuid)
language plpgsql stable
as $$
declare
    v_lasts uuid[];
begin
    select array_agg(x.user_id order by x.n), array_agg(x.last order by x.n) into ids, v_lasts
    from (
        select u.user_id, u.last, row_number() over (order by u.n) as n from (
            select distinct on (a.user_id) a.user_id, a.id as last, a.n from (
                select y.user_id, y.id, row_number() over (order by y.id desc) as n from public.coach_response_feedback y
                where y.id < uplift.first_id_of(now() + interval '24 hours') order by y.id desc limit 2000) a
            order by a.user_id, a.n) u
        where p_after is null or u.last < p_after
        order by u.n limit p_most + 1) x;
    if cardinality(ids) > p_most then
        ids := ids[:p_most];
        next_after := v_lasts[p_most];
    end if;
end
$$;

comment on function uplift.latest_users(uuid, int, out uuid[], out uuid) is
    'Those who had the last 2,000 answers, the latest first, p_most of them: all whose last answer came before p_after. next_after is where to go on, null at the end.';

create or replace function uplift_batch.admin_list_users(p_id uuid, p_arguments jsonb, p_who text, p_log uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_q text := btrim(uplift.text_argument(p_arguments, 'q', 200));
    v_ids uuid[];
    v_exact uuid;
    v_next uuid;
    v_rows jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,q}');
    if coalesce(v_q, '') = '' then
        select x.ids, x.next_after into v_ids, v_next from uplift.latest_users(v_after, v_limit) x;
    elsif uplift.is_uuid(v_q) then
        v_ids := case when exists (select from auth.users u where u.id = v_q::uuid)
            or exists (select from public.coach_response_feedback a where a.user_id = v_q::uuid) then array[v_q::uuid] else '{}' end;
    else
        v_exact := case when v_after is null and v_q ~ '@' then uplift.user_with_email(v_q) end;
        if v_exact is not null then
            v_ids := array[v_exact];
        else
            select x.ids, x.next_after into v_ids, v_next from uplift.users_like(v_q, v_after, v_limit, 150) x;
        end if;
    end if;
    select coalesce(jsonb_agg(uplift.user_json(i.id, u.row) order by i.n), '[]') into v_rows
    from unnest(v_ids) with ordinality i(id, n)
    left join lateral (select to_jsonb(x) as row from auth.users x where x.id = i.id) u on true;
    perform uplift.note_shown(p_log, v_ids);
    return jsonb_build_object('object', 'list', 'data', v_rows, 'has_more', v_next is not null, 'next_after', v_next);
end
$$;

comment on function uplift_batch.admin_list_users(uuid, jsonb, text, uuid) is
    'Users by q: an id, an e-mail address, or a part of one or of a name; without it those who had the last 2,000 answers, the latest first. limit, after. It looks for about a fifth of a second: has_more says that there may be others, which next_after as after goes on with. UP400 invalid_limit, invalid_after, invalid_q, unknown_argument.';

create or replace function uplift.check_user(p_id uuid) returns void
language plpgsql stable
as $$
begin
    if not exists (select from auth.users u where u.id = p_id) and not exists (select from public.coach_response_feedback a where a.user_id = p_id)
            and not exists (select from public.user_coach_preferences p where p.user_id = p_id) then
        perform uplift.fail(404, 'user_not_found', 'nothing is known of such a user');
    end if;
end
$$;

comment on function uplift.check_user(uuid) is 'Returns when something is known of a user. UP404 user_not_found.';

create or replace function uplift.user_spend(p_user_id uuid) returns jsonb
language plpgsql stable set enable_seqscan = off set jit = off
as $$
declare
    c_most constant int := 20000;
    v record;
begin
    -- Whoever asks a great deal is counted as far as that is quick.
    select count(*) as answers, coalesce(sum(x.cost_usd), 0) as cost, count(*) filter (where x.helpful) as up, count(*) filter (where not x.helpful) as down,
        count(*) filter (where x.cost_usd is null and x.tokens_used > 0) as unpriced, min(x.created_at) as since into v
    from (
        select a.cost_usd, a.helpful, a.tokens_used, a.created_at from public.coach_response_feedback a
        where a.user_id = p_user_id and a.created_at >= date_trunc('month', now() at time zone 'UTC') at time zone 'UTC'
        order by a.created_at desc limit c_most) x;
    return jsonb_build_object('answers', v.answers, 'cost_usd', round(v.cost, 8), 'unpriced', v.unpriced, 'thumbs_up', v.up, 'thumbs_down', v.down,
        'since', v.since, 'is_counted_whole', v.answers < c_most);
end
$$;

comment on function uplift.user_spend(uuid) is 'What a user''s answers of this month (UTC) cost, and their thumbs: the last 20,000 of them (is_counted_whole).';

create or replace function uplift_batch.admin_get_user(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    perform uplift.check_user(p_id);
    return uplift.user_json(p_id, (select to_jsonb(u) from auth.users u where u.id = p_id)) || jsonb_build_object(
        'preferences', uplift_chat.get_preferences(p_id)::jsonb,
        'traits', (select coalesce(jsonb_agg(jsonb_build_object('key', t.trait_key, 'value', t.trait_value) order by t.trait_key, t.id), '[]')
            from (select x.* from public.user_traits x where x.user_id = p_id order by x.trait_key, x.id limit 100) t),
        'this_month', uplift.user_spend(p_id),
        -- A part of what is counted in full by an export.
        'memories', (select count(*) from (select from public.ai_episodic_memory m where m.user_id = p_id and m.is_active limit 1000) x),
        'conversations', (select count(*) from (select from uplift.conversations c where c.user_id = p_id and c.deleted_at is null limit 1000) x),
        'api_keys', (select coalesce(jsonb_agg(uplift.api_key_json(k) order by k.id), '[]') from (
            select x.* from uplift.api_keys x where x.user_id = p_id order by x.id limit 100) k),
        'rate_limit', (select uplift.rate_limit_json(l) from uplift.rate_limits l where l.scope = 'user' and l.key in ('', p_id::text) order by l.key desc limit 1),
        'model_rule', (select uplift.model_rule_json(r) from uplift.model_rules r where r.scope = 'user' and r.key in ('', p_id::text) order by r.key desc limit 1),
        'budgets', (select coalesce(jsonb_agg(jsonb_build_object('id', b.id, 'period', b.period, 'limit_usd', b.limit_usd, 'action', b.action,
                'is_enabled', b.is_enabled, 'is_own', b.key <> '', 'spent_usd', round(s.spent, 8), 'state', uplift.budget_state(b, s.spent)) order by b.period, b.key), '[]')
            from uplift.budgets b cross join lateral (
                select coalesce(sum(x.cost_usd), 0) as spent from uplift.budget_spend x
                where x.budget_id = b.id and x.key = p_id::text and x.period_start = uplift.period_start(b.period, now())) s
            where b.scope = 'user' and b.key in ('', p_id::text)),
        'experiments', (select coalesce(jsonb_agg(jsonb_build_object('experiment_id', s.experiment_id, 'experiment', e.experiment_name, 'status', e.status,
                'variant', s.variant, 'assigned_at', s.assigned_at) order by s.assigned_at desc), '[]')
            from (select x.* from public.experiment_assignments x where x.user_id = p_id order by x.assigned_at desc limit 50) s
            left join public.ai_experiments e on e.id = s.experiment_id),
        'model_versions', to_jsonb(uplift.models_with(p_id)));
end
$$;

comment on function uplift_batch.admin_get_user(uuid, jsonb, text) is
    'A user: preferences and consent, traits, what this month cost, how many memories and conversations there are (up to 1,000), keys, limits, budgets, rule of models, experiments, and the model versions trained with something of theirs. UP404 user_not_found.';

create or replace function uplift_batch.admin_user_conversations(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    perform uplift.check_user(p_id);
    -- In the order of their beginning, which the index has.
    select array_agg(jsonb_build_object('object', 'conversation', 'id', c.id, 'title', c.title, 'coach_id', c.coach_id, 'created_at', c.created_at,
        'updated_at', c.updated_at, 'deleted_at', c.deleted_at) order by c.id desc) into v_rows
    from (select x.* from uplift.conversations x where x.user_id = p_id and (v_after is null or x.id < v_after) order by x.id desc limit v_limit + 1) c;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_user_conversations(uuid, jsonb, text) is
    'A user''s conversations, deleted ones too, those begun last first: limit, after. UP400 invalid_limit, invalid_after, unknown_argument; UP404 user_not_found.';

create or replace function uplift_batch.admin_user_memories(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    perform uplift.check_user(p_id);
    select array_agg(uplift.memory_json(m)::jsonb || jsonb_build_object('is_active', coalesce(m.is_active, true) and coalesce(m.expires_at > now(), true))
        order by m.created_at desc, m.id desc) into v_rows
    from (select x.* from public.ai_episodic_memory x
        where x.user_id = p_id and (v_after is null or (x.created_at, x.id) < (
            select y.created_at, y.id from public.ai_episodic_memory y where y.id = v_after and y.user_id = p_id))
        order by x.created_at desc, x.id desc limit v_limit + 1) m;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_user_memories(uuid, jsonb, text) is
    'What is remembered of a user, the newest first, with what is no longer used: limit, after. UP400 invalid_limit, invalid_after, unknown_argument; UP404 user_not_found.';

create or replace function uplift_batch.admin_withdraw_consent(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_name text;
begin
    perform uplift.check_arguments(p_arguments, '{training_consent,memory_enabled,experiments_enabled,roast_consent}');
    perform uplift.check_user(p_id);
    if p_arguments = '{}' then
        perform uplift.fail(400, 'nothing_to_change', 'name what is to be withdrawn: training_consent, memory_enabled, experiments_enabled, roast_consent');
    end if;
    select a.key into v_name from jsonb_each(p_arguments) a where a.value <> 'false' order by a.key limit 1;
    if v_name is not null then
        perform uplift.fail(400, 'invalid_' || v_name, format('%s can only be withdrawn (false) here: what users agree to is theirs to say', v_name), v_name);
    end if;
    return uplift_chat.put_preferences(p_id, p_arguments)::jsonb;
end
$$;

comment on function uplift_batch.admin_withdraw_consent(uuid, jsonb, text) is
    'Withdraws, in a user''s place, what is named (false) of training_consent, memory_enabled, experiments_enabled, roast_consent; returns the preferences. Nobody agrees in another''s place. UP400 invalid_NAME, nothing_to_change, unknown_argument; UP404 user_not_found.';

create or replace function uplift_batch.export_sections(p_user_id uuid) returns table (name text)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$ select s.name from uplift_chat.export_sections(p_user_id) s $$;

comment on function uplift_batch.export_sections(uuid) is 'As uplift_chat.export_sections(), for an admin who exports in a user''s place.';

create or replace function uplift_batch.export_rows(p_user_id uuid, p_section text, p_after jsonb)
returns table (rows text, count int, after jsonb)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$ select r.rows, r.count, r.after from uplift_chat.export_rows(p_user_id, p_section, p_after) r $$;

comment on function uplift_batch.export_rows(uuid, text, jsonb) is 'As uplift_chat.export_rows(), for an admin who exports in a user''s place.';
