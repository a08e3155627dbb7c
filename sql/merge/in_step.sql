-- Columns that mean the same under two names are kept in step by one trigger a table, written here
-- for just the columns that are there. The new column takes its values from the old one once, when
-- it is added. The trigger comes before all others, by its name, so that they see one change under
-- both names; and once more after them, because they may have changed our column again.

do $$
begin
    if not exists (select 1 from pg_attribute
            where attrelid = 'public.ai_experiments'::regclass and attname = 'variant_configs' and not attisdropped) then
        return;
    end if;
    create or replace function uplift.variants_array(p_variants jsonb) returns jsonb[]
    language sql immutable set search_path = pg_catalog, pg_temp as $f$
        select case jsonb_typeof(p_variants)
            when 'array' then array(select v from jsonb_array_elements(p_variants) v)
            when 'object' then array(
                select case jsonb_typeof(v)
                    when 'object' then jsonb_build_object('variant_name', k) || v
                    else jsonb_build_object('variant_name', k, 'value', v) end
                from jsonb_each(p_variants) as e(k, v) order by k)
            end
    $f$;
    comment on function uplift.variants_array(jsonb) is
        'Variants of an experiment, from an array or an object by name, as the array of test_variants.';

    create or replace function uplift.variants_json(p_variants jsonb[], p_like jsonb) returns jsonb
    language sql immutable set search_path = pg_catalog, pg_temp as $f$
        select case jsonb_typeof(p_like)
            when 'object' then (
                select jsonb_object_agg(coalesce(v ->> 'variant_name', 'variant_' || n), v)
                from unnest(p_variants) with ordinality as u(v, n))
            else to_jsonb(p_variants) end
    $f$;
    comment on function uplift.variants_json(jsonb[], jsonb) is
        'Variants of an experiment as variant_configs has them, an object by name where it was one.';
end
$$;

-- How each column of a pair follows from the other. when_added is the first value of a column that
-- was not there.
create view uplift_install.in_step as
select r.target_name as table_name, r.existing, k.ours, k.theirs, k.how,
    not exists (select 1 from uplift_install.steps
        where command like format('alter table %s add column %I %%', r.existing, k.ours)) as was_there,
    case k.how
        when 'inverse' then format('new.%I is not true', k.theirs)
        when 'status' then format($f$case when new.%I then 'running' else 'draft' end$f$, k.theirs)
        when 'variants' then format('uplift.variants_array(new.%I)', k.theirs)
        else format('new.%I', k.theirs) end as inserted_ours,
    case k.how
        when 'inverse' then format('new.%I is not true', k.theirs)
        when 'status' then format($f$case when new.%I then 'running' else 'paused' end$f$, k.theirs)
        when 'variants' then format('uplift.variants_array(new.%I)', k.theirs)
        else format('new.%I', k.theirs) end as updated_ours,
    case k.how
        when 'inverse' then format('new.%I is not true', k.ours)
        when 'status' then format($f$coalesce(new.%I = 'running', false)$f$, k.ours)
        when 'variants' then format('uplift.variants_json(new.%I, new.%I)', k.ours, k.theirs)
        else format('new.%I', k.ours) end as new_theirs,
    case k.how
        when 'inverse' then format('%I is not true', k.theirs)
        when 'filled' then format('coalesce(%I, now())', k.theirs)
        when 'status' then format('case when %I then ''running''%s%s else ''draft'' end', k.theirs,
            (select format(' when %I is not null then ''completed''', attname) from pg_attribute
             where attrelid = r.existing and attname = 'ended_at'),
            (select format(' when %I is not null then ''paused''', attname) from pg_attribute
             where attrelid = r.existing and attname = 'started_at'))
        when 'variants' then format('uplift.variants_array(%I)', k.theirs)
        else format('%I', k.theirs) end as when_added
from uplift_install.tables r
join uplift_install.known_pairs k on k.table_name = r.target_name
join pg_attribute a on a.attrelid = r.existing and a.attname = k.theirs and not a.attisdropped;

do $$
declare
    t record;
    v_name text;
    v_insert text;
    v_update text;
    v_after text;
    v_added text;
begin
    for t in select distinct table_name, existing from uplift_install.in_step order by 1 loop
        v_name := format('uplift.%I', t.table_name || '_in_step');
        select coalesce(string_agg(case how
                when 'filled' then format('
        new.%1$I := coalesce(new.%1$I, new.%2$I, now());', theirs, ours)
                else format('
        if new.%1$I is not null then
            new.%2$I := %3$s;
        else
            new.%1$I := %4$s;
        end if;', ours, theirs, new_theirs, inserted_ours) end, '' order by ours), ''),
            coalesce(string_agg(format('
        if new.%1$I is distinct from old.%1$I then
            new.%2$I := %3$s;
        elsif new.%2$I is distinct from old.%2$I then
            new.%1$I := %4$s;
        end if;', ours, theirs, new_theirs, updated_ours), '' order by ours) filter (where how <> 'filled'), ''),
            coalesce(string_agg(format('
        new.%1$I := %2$s;', theirs, new_theirs), '' order by ours) filter (where how <> 'filled'), ''),
            string_agg(format('alter column %I type %s using %s', ours,
                (select format_type(atttypid, atttypmod) from pg_attribute where attrelid = existing and attname = ours),
                when_added), ', ' order by ours) filter (where not was_there)
        into v_insert, v_update, v_after, v_added
        from uplift_install.in_step where table_name = t.table_name;

        -- Rewrites the table rather than updating its rows: no trigger of theirs must take this
        -- for a change by a user.
        if v_added is not null then
            perform uplift_install.attempt(format('alter table %s %s', t.existing, v_added));
        end if;
        execute format('create or replace function %s() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as %L', v_name,
            format('
begin
    if tg_nargs > 0 then -- after other triggers%s
    elsif tg_op = ''INSERT'' then%s
    else%s
    end if;
    return new;
end
', v_after, v_insert, v_update));
        execute format('comment on function %s() is %L', v_name,
            format('Keeps columns of %s that have two names in step.', t.table_name));
        if not exists (select 1 from pg_trigger where tgrelid = t.existing and tgname = '0_uplift_in_step') then
            execute format('create trigger "0_uplift_in_step" before insert or update on %s
                for each row execute function %s()', t.existing, v_name);
            execute format('create trigger "zz_uplift_in_step" before insert or update on %s
                for each row execute function %s(''after'')', t.existing, v_name);
        end if;
    end loop;
end
$$;

select uplift_install.stop_at_conflicts() \g /dev/null
