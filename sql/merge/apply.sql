-- Does what compare.sql found to do.
do $$
declare
    v_table record;
    v_step record;
begin
    for v_table in select * from uplift_install.tables where existing is null order by target_schema, target_name loop
        execute format('alter table %s set schema %I', v_table.wanted, v_table.target_schema);
    end loop;
    for v_step in select * from uplift_install.steps order by id loop
        begin
            execute v_step.command;
        exception when others then
            raise exception 'cannot install uplift here, nothing was changed: %', sqlerrm
                using detail = v_step.command, errcode = sqlstate;
        end;
    end loop;
end
$$;
