-- Does what compare.sql found to do.
do $$
declare
    v_table record;
begin
    for v_table in select * from uplift_install.tables where existing is null order by target_schema, target_name loop
        execute format('alter table %s set schema %I', v_table.wanted, v_table.target_schema);
    end loop;
end
$$;
