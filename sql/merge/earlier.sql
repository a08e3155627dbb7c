-- What earlier versions of uplift made in another way, so that the comparison finds only what is
-- missing. Keys are made anew by it; no row changes.
do $$
begin
    if exists (select from pg_constraint c where c.conrelid = to_regclass('uplift.model_prices')
            and c.contype = 'p' and cardinality(c.conkey) = 1) then
        alter table uplift.model_prices drop constraint model_prices_pkey;
    end if;
end
$$;
