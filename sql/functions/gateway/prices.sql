-- Prices of models, and what an answer cost.

create or replace function uplift.check_price() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from uplift.model_prices p
            where p.model = new.model and p.provider = new.provider
                and (p.valid_from, p.valid_until) overlaps (new.valid_from, new.valid_until)
                -- The same key is for the primary key to refuse, or for "on conflict".
                and p.valid_from <> case tg_op when 'INSERT' then new.valid_from else old.valid_from end) then
        perform uplift.fail(409, 'overlapping_price',
            format('%s has another price in a part of that time', new.model), 'valid_from');
    end if;
    return new;
end
$$;

comment on function uplift.check_price() is
    'Trigger of uplift.model_prices: a model has one price at a time at a provider. UP409 overlapping_price.';

do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'uplift.model_prices'::regclass and tgname = 'uplift_price') then
        create trigger uplift_price before insert or update on uplift.model_prices
        for each row execute function uplift.check_price();
    end if;
end
$$;

-- Providers answer with the name of a snapshot, and prices are mostly those of models:
--   OpenAI, Qwen, Mistral:     gpt-4.1-mini-2025-04-14, gpt-4-0613, mistral-large-2411, gpt-4o-latest
--   Anthropic, Vertex:         claude-opus-4-1-20250805, claude-opus-4-1@20250805, claude-3-5-sonnet-v2@20241022
--   Google:                    gemini-1.5-pro-002, gemini-2.5-pro-preview-05-06, models/gemini-flash-latest
--   Bedrock:                   us.anthropic.claude-3-5-sonnet-20241022-v2:0, amazon.nova-pro-v1:0
--   Cohere, Doubao, GLM:       command-r-08-2024, doubao-1-5-pro-32k-250115
--   fine-tuned, also Azure's:  ft:gpt-4o-mini-2024-07-18:org:suffix:id, gpt-4o-2024-08-06.ft-0123
--   OpenRouter, Fireworks:     openai/gpt-4o:nitro, accounts/x/models/y#accounts/x/deployments/z
-- OpenRouter's :free, :thinking and :extended are models with prices of their own. src/chat/provider/model_name.c
-- does the same in workers.
create or replace function uplift.model_names(p_model text) returns text[]
language plpgsql immutable strict parallel safe
as $$
declare
    -- Written out, because to put it together would take longer than to use it.
    v_marks constant text :=
        '(?:-20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|-20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])'
        '|-(?:2[3-9]|3\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|-(?:0[1-9]|1[0-2])-20\d\d'
        '|-(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|-(?:2[3-9]|3\d)(?:0[1-9]|1[0-2])|-0\d\d'
        '|@20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|@\d{3}|@default|@latest|-latest|:latest'
        '|-v\d:\d(?::\d{2,3}k)?|:nitro|:floor|:exacto|:online)$';
    v_rest text := case when strpos(p_model, '#') > 1 then split_part(p_model, '#', 1) else p_model end;
    v_starts text[] := array[v_rest];
    v_names text[] := array[p_model];
    v_vendor text;
    v_start text;
    v_name text;
    v_shorter text;
    v_is_vertex boolean;
begin
    for v_count in 1 .. 6 loop
        exit when strpos(v_rest, '/') = 0;
        v_rest := substr(v_rest, strpos(v_rest, '/') + 1);
        v_starts := v_starts || v_rest;
    end loop;
    for v_count in 1 .. 2 loop
        v_vendor := substring(v_rest from case v_count when 1 then '^[a-z0-9]+(?:-[a-z]*)?\.' else '^[a-z0-9]+\.' end);
        exit when v_vendor is null or v_vendor = v_rest;
        v_rest := substr(v_rest, length(v_vendor) + 1);
        v_starts := v_starts || v_rest;
    end loop;
    foreach v_start in array v_starts loop
        v_names := v_names || v_start;
        v_name := case when v_start like 'ft:_%' then split_part(v_start, ':', 2) else v_start end;
        v_is_vertex := strpos(v_name, '@') > 0;
        for v_count in 0 .. 4 loop
            v_names := v_names || case when v_start like 'ft:_%' then array['ft:' || v_name, v_name] else array[v_name] end;
            v_shorter := case when v_name ~ '[\dktroe]$' then regexp_replace(v_name, v_marks, '') else v_name end;
            if v_shorter = v_name and v_name like '%-__-__' then
                v_shorter := regexp_replace(v_name, '(-preview|-exp)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$', '\1');
            end if;
            if v_shorter = v_name and v_is_vertex then
                v_shorter := regexp_replace(v_name, '-v\d$', '');
            end if;
            if v_shorter = v_name and strpos(v_name, '.ft-') > 1 then
                v_shorter := split_part(v_name, '.ft-', 1);
            end if;
            exit when v_shorter in ('', v_name);
            v_name := v_shorter;
        end loop;
    end loop;
    return array(select n from unnest(v_names) n where n not in ('', 'ft:') group by n order by n like 'ft:%' desc, length(n) desc, n);
end
$$;

comment on function uplift.model_names(text) is
    'The names that a model may have a price under, best first: its own, and those of what it is a snapshot of. Those of a fine-tuned model come before its base model''s, and the longer before the shorter.';

create or replace function uplift.price_of(p_model text, p_provider text, p_at timestamptz) returns uplift.model_prices
language sql stable
as $$
    select p from (select uplift.model_names(p_model) as names) n
    cross join lateral unnest(n.names) with ordinality as m(name, place)
    join uplift.model_prices p on p.model = m.name
    where p.provider in ('', p_provider) and p.valid_from <= p_at and p_at < p.valid_until
    order by m.place, p.provider desc limit 1
$$;

comment on function uplift.price_of(text, text, timestamptz) is
    'The price of a model at a provider and a time: of its own name before that of what it is a snapshot of (uplift.model_names), and the provider''s own before that of any.';

create or replace function uplift.cost_at(p_price uplift.model_prices, p_prompt numeric, p_cached numeric, p_completion numeric) returns numeric
language sql immutable
as $$
    select ((p_prompt - p_cached) * p_price.input_per_million + p_cached * coalesce(p_price.cached_input_per_million, p_price.input_per_million)
        + p_completion * p_price.output_per_million) / 1000000
$$;

comment on function uplift.cost_at(uplift.model_prices, numeric, numeric, numeric) is
    'What so many tokens cost in US dollars by a price: sent, of them those the provider had cached, answered. Null without a price.';

create or replace function uplift.unpriced_models() returns bigint
language sql stable
as $$
    select count(*) from (
        select distinct u.model, u.provider from uplift.usage_hourly u
        where u.hour >= now() - interval '24 hours' and u.unpriced > 0) x
    where (uplift.price_of(x.model, x.provider, now())).model is null
$$;

comment on function uplift.unpriced_models() is
    'How many models (of a provider) answered in the hours of the last day that are counted, and have no price now: what they cost is in no figure and no budget.';

create or replace function uplift.price_json(p_price uplift.model_prices) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'price', 'model', p_price.model, 'provider', nullif(p_price.provider, ''),
        'valid_from', nullif(p_price.valid_from, '-infinity'), 'valid_until', nullif(p_price.valid_until, 'infinity'),
        'input_per_million', p_price.input_per_million, 'cached_input_per_million', p_price.cached_input_per_million,
        'output_per_million', p_price.output_per_million, 'updated_at', p_price.updated_at, 'updated_by', p_price.updated_by)
$$;

comment on function uplift.price_json(uplift.model_prices) is 'A price as admins see it; null for any provider, ever before, ever after.';

create or replace function uplift_batch.admin_list_prices(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{model,provider,current}');
    return jsonb_build_object('object', 'list', 'has_more', false, 'data', (
        select coalesce(jsonb_agg(uplift.price_json(p) order by p.model, p.provider, p.valid_from), '[]')
        from uplift.model_prices p
        where (not p_arguments ? 'model' or p.model = p_arguments ->> 'model')
            and (not p_arguments ? 'provider' or p.provider = p_arguments ->> 'provider')
            and (p_arguments ->> 'current' is distinct from 'true' or now() >= p.valid_from and now() < p.valid_until)));
end
$$;

comment on function uplift_batch.admin_list_prices(uuid, jsonb, text) is
    'Prices by model and time: model, provider, current (true: only those of now).';

create or replace function uplift.price_argument(p_arguments jsonb, p_name text) returns numeric
language plpgsql immutable
as $$
begin
    if jsonb_typeof(p_arguments -> p_name) not in ('number', 'null')
            or jsonb_typeof(p_arguments -> p_name) = 'number' and (p_arguments ->> p_name)::numeric not between 0 and 1000000 then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' must be US dollars for a million tokens, from 0 to 1000000', p_name);
    end if;
    return (p_arguments ->> p_name)::numeric;
end
$$;

comment on function uplift.price_argument(jsonb, text) is 'An argument that is a price; null where absent or null. UP400 invalid_NAME.';

create or replace function uplift_batch.admin_put_price(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_model text := uplift.model_argument(p_arguments, 'model');
    v_provider text := coalesce(uplift.text_argument(p_arguments, 'provider', 253), '');
    v_from timestamptz := coalesce(uplift.time_argument(p_arguments, 'valid_from'), now());
    v_until timestamptz := uplift.time_argument(p_arguments, 'valid_until');
    v_input numeric := uplift.price_argument(p_arguments, 'input_per_million');
    v_output numeric := uplift.price_argument(p_arguments, 'output_per_million');
    v_price uplift.model_prices;
begin
    perform uplift.check_arguments(p_arguments,
        '{model,provider,valid_from,valid_until,input_per_million,cached_input_per_million,output_per_million}');
    if v_model is null or v_input is null or v_output is null then
        perform uplift.fail(400, 'incomplete_price', 'a price needs model, input_per_million and output_per_million');
    end if;
    perform pg_advisory_xact_lock(hashtextextended('uplift.model_prices ' || v_model, 0));
    -- The price that was valid ends where the next begins.
    select p.* into v_price from uplift.model_prices p
    where p.model = v_model and p.provider = v_provider and p.valid_from < v_from and v_from < p.valid_until;
    if found then
        v_until := coalesce(v_until, v_price.valid_until);
        update uplift.model_prices p set valid_until = v_from, updated_at = now(), updated_by = p_who
        where (p.model, p.provider, p.valid_from) = (v_price.model, v_price.provider, v_price.valid_from);
    end if;
    -- One that is to come stays.
    v_until := coalesce(v_until, (select min(p.valid_from) from uplift.model_prices p
        where p.model = v_model and p.provider = v_provider and p.valid_from > v_from), 'infinity');
    if v_until <= v_from then
        perform uplift.fail(400, 'invalid_valid_until', 'valid_until must be after valid_from', 'valid_until');
    end if;
    delete from uplift.model_prices p
    where p.model = v_model and p.provider = v_provider and p.valid_from = v_from;
    insert into uplift.model_prices as p (model, provider, valid_from, valid_until, input_per_million,
        cached_input_per_million, output_per_million, updated_by)
    values (v_model, v_provider, v_from, v_until, v_input,
        uplift.price_argument(p_arguments, 'cached_input_per_million'), v_output, p_who)
    returning p.* into v_price;
    return uplift.price_json(v_price);
end
$$;

comment on function uplift_batch.admin_put_price(uuid, jsonb, text) is
    'Sets the price of a model from a time on (now), which ends the one before: model, provider, valid_from, valid_until, input_per_million, cached_input_per_million, output_per_million. UP400 incomplete_price, invalid_NAME, UP409 overlapping_price.';

create or replace function uplift_batch.admin_delete_price(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_from timestamptz := coalesce(uplift.time_argument(p_arguments, 'valid_from'), '-infinity');
    v_price uplift.model_prices;
begin
    perform uplift.check_arguments(p_arguments, '{model,provider,valid_from}');
    delete from uplift.model_prices p
    where p.model = p_arguments ->> 'model' and p.provider = coalesce(p_arguments ->> 'provider', '') and p.valid_from = v_from
    returning p.* into v_price;
    if not found then
        perform uplift.fail(404, 'price_not_found', 'there is no such price; model, provider and valid_from name one');
    end if;
    return uplift.price_json(v_price);
end
$$;

comment on function uplift_batch.admin_delete_price(uuid, jsonb, text) is
    'Deletes a price (?model=&provider=&valid_from=) and returns what it was; answers keep what they cost. UP404 price_not_found.';
