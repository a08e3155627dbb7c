-- Which models a user, a coach or an API key may name. Workers read all of it (uplift.model_access())
-- and again when its revision grows, so that no chat asks Postgres, and it holds while that is away.

create or replace function uplift.model_access() returns jsonb
language sql stable
as $$
    select jsonb_build_object('revision', s.access_revision,
        'rules', (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('scope', r.scope, 'key', r.key,
                'allow', r.allow, 'deny', r.deny))), '[]') from uplift.model_rules r),
        'served', (select coalesce(jsonb_agg(distinct d.model_id), '[]') from uplift.model_deployments d
            where d.environment = 'production' and d.ended_at is null),
        'unpriced', coalesce((select x.value from uplift.settings x where x.key = 'budgets.unpriced'), '"refuse"'),
        'budgets', (select coalesce(jsonb_agg(distinct jsonb_build_object('scope', b.scope, 'key', b.key)), '[]')
            from uplift.budgets b where b.is_enabled))
    from uplift.routing_state s
$$;

comment on function uplift.model_access() is
    'What workers decide by: revision; rules, [{scope, key (empty: each), allow (absent: those listed), deny}]; served, the models deployed in production; unpriced, refuse or allow; budgets, [{scope, key}], those that chats may fall under.';

create or replace function uplift.access_changed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    update uplift.routing_state s set access_revision = coalesce(s.access_revision, 0) + 1;
    return null;
end
$$;

comment on function uplift.access_changed() is 'Trigger of what uplift.model_access() is made of: workers are to read it again.';

do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.* from (values
            ('model_rules', 'uplift_access', 'after insert or update or delete or truncate', 'statement'),
            ('model_deployments', 'uplift_access', 'after insert or update or delete or truncate', 'statement'),
            ('budgets', 'uplift_access', 'after insert or update or delete or truncate', 'statement'),
            ('settings', 'uplift_access', 'after insert or update', 'row when (new.key = ''budgets.unpriced'')'),
            ('settings', 'uplift_access_gone', 'after delete', 'row when (old.key = ''budgets.unpriced'')')
        ) as t(table_name, name, event, each)
        where not exists (select from pg_trigger p
            where p.tgrelid = format('uplift.%I', t.table_name)::regclass and p.tgname = t.name)
    loop
        execute format('create trigger %I %s on uplift.%I for each %s execute function uplift.access_changed()',
            v_trigger.name, v_trigger.event, v_trigger.table_name, v_trigger.each);
    end loop;
end
$$;

-- --- admins ---

create or replace function uplift.model_rule_json(p_rule uplift.model_rules) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'model_rule', 'id', p_rule.id, 'scope', p_rule.scope, 'key', nullif(p_rule.key, ''),
        'allow', p_rule.allow, 'deny', p_rule.deny, 'note', p_rule.note, 'updated_at', p_rule.updated_at,
        'updated_by', p_rule.updated_by)
$$;

comment on function uplift.model_rule_json(uplift.model_rules) is
    'A rule as admins see it; key null is each that has none of its own, allow null those that are listed.';

create or replace function uplift.model_rule_key(p_arguments jsonb) returns text
language plpgsql immutable
as $$
declare
    v_scope text := uplift.text_argument(p_arguments, 'scope', 20);
    v_key text := uplift.text_argument(p_arguments, 'key', 128);
begin
    if v_scope is null or v_scope not in ('user', 'coach', 'api_key') then
        perform uplift.fail(400, 'invalid_scope', 'scope must be user, coach or api_key', 'scope');
    elsif v_scope <> 'coach' and not uplift.is_uuid_key(v_key) then
        perform uplift.fail(400, 'invalid_key', 'the key of a user or API key is a UUID, in small letters', 'key');
    end if;
    return coalesce(v_key, '');
end
$$;

comment on function uplift.model_rule_key(jsonb) is 'The key of a rule as it is kept, checked. UP400 invalid_scope, invalid_key.';

create or replace function uplift.models_argument(p_arguments jsonb, p_name text) returns text[]
language plpgsql immutable
as $$
declare
    v_models text[];
begin
    if jsonb_typeof(p_arguments -> p_name) = 'null' or not p_arguments ? p_name then
        return null;
    end if;
    if jsonb_typeof(p_arguments -> p_name) = 'array' and jsonb_array_length(p_arguments -> p_name) <= 100
            and not exists (select from jsonb_array_elements(p_arguments -> p_name) m
                where jsonb_typeof(m.value) <> 'string' or not uplift.is_model_name(m.value #>> '{}')
                    or m.value #>> '{}' ~ '\*.') then
        v_models := array(select distinct m.value from jsonb_array_elements_text(p_arguments -> p_name) m order by 1);
    end if;
    if v_models is null then
        perform uplift.fail(400, 'invalid_' || p_name,
            p_name || ' must be a list of at most 100 names of models, each of 256 bytes at most; a * at the end stands for any', p_name);
    end if;
    return v_models;
end
$$;

comment on function uplift.models_argument(jsonb, text) is
    'An argument that is a list of models'' names, which may end in *; null where absent or null. UP400 invalid_NAME.';

create or replace function uplift_batch.admin_list_model_rules(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,scope,key}');
    select array_agg(uplift.model_rule_json(r) order by r.id) into v_rows from (
        select t.* from uplift.model_rules t
        where (v_after is null or t.id > v_after)
            and (not p_arguments ? 'scope' or t.scope = p_arguments ->> 'scope')
            and (not p_arguments ? 'key' or t.key = p_arguments ->> 'key')
        order by t.id limit v_limit + 1) r;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_model_rules(uuid, jsonb, text) is
    'Rules, the oldest first: scope, key, limit, after (an id). UP400 invalid_limit, invalid_after.';

create or replace function uplift_batch.admin_put_model_rule(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_most constant int := 10000; -- workers know them all
    v_key text := uplift.model_rule_key(p_arguments);
    v_allow text[] := uplift.models_argument(p_arguments, 'allow');
    v_deny text[] := uplift.models_argument(p_arguments, 'deny');
    v_rule uplift.model_rules;
begin
    perform uplift.check_arguments(p_arguments, '{scope,key,allow,deny,note}');
    if v_allow is null and coalesce(cardinality(v_deny), 0) = 0 then
        perform uplift.fail(400, 'incomplete_rule', 'a rule names models in allow, in deny, or in both');
    end if;
    if (select count(*) from uplift.model_rules) >= v_most and not exists (
            select from uplift.model_rules r where r.scope = p_arguments ->> 'scope' and r.key = v_key) then
        perform uplift.fail(409, 'too_many_rules', format('there are %s rules already; one with no key is for each that has none', v_most));
    end if;
    insert into uplift.model_rules as r (scope, key, allow, deny, note, updated_by)
    values (p_arguments ->> 'scope', v_key, v_allow, coalesce(v_deny, '{}'), uplift.text_argument(p_arguments, 'note', 2000), p_who)
    on conflict (scope, key) do update set allow = excluded.allow, deny = excluded.deny, note = excluded.note,
        updated_at = now(), updated_by = excluded.updated_by
    returning r.* into v_rule;
    return uplift.model_rule_json(v_rule);
end
$$;

comment on function uplift_batch.admin_put_model_rule(uuid, jsonb, text) is
    'Sets which models a user, coach or API key (key; without it each that has no rule of its own) may name: allow, deny, note. UP400 invalid_scope, invalid_key, invalid_allow, invalid_deny, incomplete_rule; UP409 too_many_rules.';

create or replace function uplift_batch.admin_delete_model_rule(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_rule uplift.model_rules;
begin
    perform uplift.check_arguments(p_arguments, '{scope,key}');
    delete from uplift.model_rules r where r.scope = p_arguments ->> 'scope' and r.key = uplift.model_rule_key(p_arguments)
    returning r.* into v_rule;
    if not found then
        perform uplift.fail(404, 'model_rule_not_found', 'there is no such rule; scope and key name one');
    end if;
    return uplift.model_rule_json(v_rule);
end
$$;

comment on function uplift_batch.admin_delete_model_rule(uuid, jsonb, text) is
    'Deletes a rule (?scope=&key=) and returns what it was. UP404 model_rule_not_found.';

create or replace function uplift.lacks_price(p_model text) returns boolean
language sql stable
as $$
    select exists (select from uplift.budgets b where b.is_enabled)
        and coalesce((select s.value from uplift.settings s where s.key = 'budgets.unpriced'), '"refuse"') <> '"allow"'
        and not exists (select from (select distinct p.provider from uplift.model_prices p) x
            where (uplift.price_of(p_model, x.provider, now())).model is not null)
$$;

comment on function uplift.lacks_price(text) is
    'Whether a model would be refused to chats that fall under a budget, because it has no price at any provider.';
