-- Does what compare.sql found to do. What fails, because of what is in the tables or around them, is listed
-- with all else that fails.

-- Runs a command; when it fails, that becomes a conflict.
create function uplift_install.attempt(p_command text) returns void
language plpgsql as $$
begin
    execute p_command;
exception when others then
    perform uplift_install.conflict(p_command, 'failed: ' || sqlerrm);
end
$$;

do $$
declare
    v_table record;
    v_index record;
    v_name name;
    v_step record;
begin
    for v_table in select * from uplift_install.tables where existing is null order by target_schema, target_name loop
        -- An index has the name it was given, unless some other table's has it.
        for v_index in
            select c.oid::regclass as id, c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
            where i.indrelid = v_table.wanted
        loop
            v_name := v_index.relname;
            for v_number in 1 .. 1000 loop
                exit when to_regclass(format('%I.%I', v_table.target_schema, v_name)) is null;
                v_name := left(v_index.relname, 55) || '_' || v_number;
            end loop;
            if v_name <> v_index.relname then
                execute format('alter index %s rename to %I', v_index.id, v_name);
            end if;
        end loop;
        execute format('alter table %s set schema %I', v_table.wanted, v_table.target_schema);
    end loop;
    for v_step in select * from uplift_install.steps order by id loop
        perform uplift_install.attempt(v_step.command);
    end loop;
end
$$;

select uplift_install.stop_at_conflicts() \g /dev/null
