-- Columns that mean the same under two names are kept in step by one trigger a table, written here
-- for just the columns that are there. The new column takes its values from the old one once, when
-- it is added. Trigger names begin with 0 to come before all others.

-- jsonb, an array or an object by variant name, as jsonb[].
create function uplift_install.variants_in(p_ours text, p_theirs text) returns text
language sql immutable as $$
    select format($f$case jsonb_typeof(%2$s)
            when 'array' then array(select v from jsonb_array_elements(%2$s) v)
            when 'object' then array(select case jsonb_typeof(v) when 'object'
                    then jsonb_build_object('variant_name', k) || v
                    else jsonb_build_object('variant_name', k, 'value', v) end
                from jsonb_each(%2$s) as e(k, v) order by k)
            end$f$, p_ours, p_theirs)
$$;

do $$
declare
    t record;
    p record;
    v_insert text;
    v_update text;
    v_backfill text;
    v_function text;
begin
    for t in
        select r.target_name, r.existing
        from uplift_install.tables r
        where r.existing is not null and exists (
            select 1 from uplift_install.known_pairs k
            join pg_attribute a on a.attrelid = r.existing and a.attname = k.theirs and not a.attisdropped
            where k.table_name = r.target_name)
        order by r.target_name
    loop
        v_insert := '';
        v_update := '';
        v_backfill := '';
        v_function := format('uplift.%I', t.target_name || '_in_step');
        for p in
            select k.*, c.is_there,
                -- ours from theirs, theirs from ours
                case k.how
                    when 'inverse' then format('new.%I is not true', k.theirs)
                    when 'status' then format($f$case when new.%I then 'running' else 'paused' end$f$, k.theirs)
                    when 'variants' then uplift_install.variants_in('new.' || k.ours, 'new.' || k.theirs)
                    else format('new.%I', k.theirs) end as to_ours,
                case k.how
                    when 'inverse' then format('new.%I is not true', k.ours)
                    when 'status' then format($f$new.%I = 'running'$f$, k.ours)
                    when 'variants' then format('to_jsonb(new.%I)', k.ours)
                    else format('new.%I', k.ours) end as to_theirs
            from uplift_install.known_pairs k
            join pg_attribute a on a.attrelid = t.existing and a.attname = k.theirs and not a.attisdropped
            join lateral (select exists (select 1 from uplift_install.steps
                where command like format('alter table %s add column %I %%', t.existing, k.ours)) as is_added) s on true
            cross join lateral (select not s.is_added as is_there) c
            where k.table_name = t.target_name
            order by k.ours, k.theirs
        loop
            if p.how = 'filled' then
                v_insert := v_insert || format(E'        new.%1$I := coalesce(new.%1$I, new.%2$I, now());\n', p.theirs, p.ours);
                continue;
            end if;
            v_insert := v_insert || format(
                E'        if new.%1$I is not null then\n            new.%2$I := %4$s;\n        else\n            new.%1$I := %3$s;\n        end if;\n',
                p.ours, p.theirs, p.to_ours, p.to_theirs);
            v_update := v_update || format(
                E'        if new.%1$I is distinct from old.%1$I then\n            new.%2$I := %4$s;\n        elsif new.%2$I is distinct from old.%2$I then\n            new.%1$I := %3$s;\n        end if;\n',
                p.ours, p.theirs, p.to_ours, p.to_theirs);
            if not p.is_there then
                v_backfill := v_backfill || format(', alter column %I type %s using %s', p.ours,
                    (select format_type(atttypid, atttypmod) from pg_attribute where attrelid = t.existing and attname = p.ours),
                    replace(p.to_ours, 'new.', ''));
            end if;
        end loop;

        -- Rewrites the table rather than updating its rows: no trigger of theirs must take this
        -- for a change by a user.
        if v_backfill <> '' then
            execute format('alter table %s %s', t.existing, substr(v_backfill, 3));
        end if;
        execute format(E'create or replace function %s() returns trigger\nlanguage plpgsql set search_path = ''''\nas %L', v_function,
            E'\nbegin\n    if tg_op = ''INSERT'' then\n' || v_insert || E'    else\n' ||
            case v_update when '' then E'        null;\n' else v_update end || E'    end if;\n    return new;\nend\n');
        execute format('comment on function %s() is %L', v_function,
            format('Keeps columns of %s that have two names in step.', t.target_name));
        if not exists (select 1 from pg_trigger where tgrelid = t.existing and tgname = '0_uplift_in_step') then
            execute format('create trigger "0_uplift_in_step" before insert or update on %s for each row execute function %s()',
                t.existing, v_function);
        end if;
    end loop;
end
$$;
