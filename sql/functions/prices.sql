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

create or replace function uplift.price_of(p_model text, p_provider text, p_at timestamptz) returns uplift.model_prices
language sql stable
as $$
    -- Providers answer with the name of a snapshot: gpt-4.1-mini-2025-04-14.
    select p from uplift.model_prices p
    where p.model in (p_model, case when p_model like '%-20__-__-__' then left(p_model, -11) end)
        and p.provider in ('', p_provider) and p.valid_from <= p_at and p_at < p.valid_until
    order by length(p.model) desc, p.provider desc limit 1
$$;

comment on function uplift.price_of(text, text, timestamptz) is
    'The price of a model at a provider and a time: of the snapshot before the model''s, and the provider''s own before that of any.';

create or replace function uplift.price_json(p_price uplift.model_prices) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'price', 'model', p_price.model, 'provider', nullif(p_price.provider, ''),
        'valid_from', nullif(p_price.valid_from, '-infinity'), 'valid_until', nullif(p_price.valid_until, 'infinity'),
        'input_per_million', p_price.input_per_million, 'cached_input_per_million', p_price.cached_input_per_million,
        'output_per_million', p_price.output_per_million, 'updated_at', p_price.updated_at, 'updated_by', p_price.updated_by)
$$;

comment on function uplift.price_json(uplift.model_prices) is 'A price as admins see it; null for any provider, ever before, ever after.';

create or replace function uplift.admin_list_prices(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
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

comment on function uplift.admin_list_prices(uuid, jsonb, text) is
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

create or replace function uplift.admin_put_price(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_model text := uplift.text_argument(p_arguments, 'model', 256);
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

comment on function uplift.admin_put_price(uuid, jsonb, text) is
    'Sets the price of a model from a time on (now), which ends the one before: model, provider, valid_from, valid_until, input_per_million, cached_input_per_million, output_per_million. UP400 incomplete_price, invalid_NAME, UP409 overlapping_price.';

create or replace function uplift.admin_delete_price(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
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

comment on function uplift.admin_delete_price(uuid, jsonb, text) is
    'Deletes a price (?model=&provider=&valid_from=) and returns what it was; answers keep what they cost. UP404 price_not_found.';
