-- Compares the tables that are there with the tables as they should be. Writes what is to do into
-- uplift_install.steps and what cannot be done into uplift_install.conflicts; changes nothing
-- itself, and stops the installation when there are conflicts, these and those of names.sql.

-- Columns of both sides, one row a column of either.
create view uplift_install.columns as
select coalesce((w).attname, (e).attname) as name,
    t.target_name as table_name, t.existing, t.wanted,
    (w).attnum is not null as is_wanted, (e).attnum is not null as is_there,
    (e).attnum, (e).attnotnull, (e).attgenerated, (e).attidentity, (e).atttypid, (e).atttypmod,
    format_type((e).atttypid, (e).atttypmod) as type_there,
    format_type((w).atttypid, (w).atttypmod) as type_wanted,
    (w).atttypid as wanted_typid, (w).atttypmod as wanted_typmod, (w).attnotnull as wanted_notnull,
    (w).attidentity as wanted_identity,
    (select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = t.existing and adnum = (e).attnum) as default_there,
    (select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = t.wanted and adnum = (w).attnum) as default_wanted,
    col_description(t.existing, (e).attnum) as comment_there,
    col_description(t.wanted, (w).attnum) as comment_wanted,
    (w).attnum as wanted_attnum
from uplift_install.tables t
cross join lateral (
    select w, e
    from (select * from pg_attribute where attrelid = t.wanted and attnum > 0 and not attisdropped) w
    full join (select * from pg_attribute where attrelid = t.existing and attnum > 0 and not attisdropped) e
        on w.attname = e.attname) as sides
where t.existing is not null;

-- The columns an index is on, null for expressions.
create function uplift_install.index_columns(p_index regclass) returns name[]
language sql as $$
    select array_agg(a.attname order by k.position)
    from pg_index i
    cross join lateral unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality k(attnum, position)
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indexrelid = p_index
$$;

-- What keeps a column's type from being changed: views, rules, policies, triggers, generated columns,
-- being a partition key, inheritance; null for nothing.
create function uplift_install.held_by(p_table regclass, p_attnum int) returns text
language sql as $$
    select string_agg(distinct h.what, ', ')
    from (
        select pg_describe_object(coalesce(r.classid, d.classid), coalesce(r.objid, d.objid), coalesce(r.objsubid, 0)) as what
        from pg_depend d
        left join lateral (
            select 'pg_class'::regclass::oid as classid, w.ev_class as objid, 0 as objsubid
            from pg_rewrite w where d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
            union all
            select 'pg_class'::regclass, f.adrelid, f.adnum
            from pg_attrdef f where d.classid = 'pg_attrdef'::regclass and f.oid = d.objid) r on true
        where d.refclassid = 'pg_class'::regclass and d.refobjid = p_table and d.refobjsubid = p_attnum
            and d.classid in ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_attrdef'::regclass,
                'pg_publication_rel'::regclass)
            -- A column's own default is replaced with its type.
            and (d.classid, r.objid, r.objsubid) is distinct from ('pg_attrdef'::regclass, p_table::oid, p_attnum)
        union all
        select format('the partition key of %s', p_table) from pg_partitioned_table
        where partrelid = p_table and p_attnum = any (partattrs)
        union all
        select format('the table that %s inherits from', p_table) from pg_attribute
        where attrelid = p_table and attnum = p_attnum and attinhcount > 0) h
$$;

-- Whether a value, as text, can be stored in a column of this type; a number as it is, and not rounded.
create function uplift_install.type_takes(p_type text, p_value text) returns boolean
language plpgsql as $$
declare
    v_takes boolean;
begin
    execute case
        when p_type ~ '^(numeric|smallint|integer|bigint)' then format('select cast(%L as %s) = cast(%1$L as numeric)', p_value, p_type)
        else format('select cast(%L as %s) is not null', p_value, p_type) end into v_takes;
    return v_takes;
exception when data_exception or program_limit_exceeded then
    return false;
end
$$;

-- Whether values of one numeric type, given by their modifiers, fit into the other.
create function uplift_install.numeric_covers(p_wide int, p_narrow int) returns boolean
language sql as $$
    select p_wide = -1 or p_narrow <> -1 and m.wide_scale >= m.narrow_scale
        and m.wide_precision - m.wide_scale >= m.narrow_precision - m.narrow_scale
    from (select (p_wide - 4) >> 16, (p_wide - 4) & 2047, (p_narrow - 4) >> 16, (p_narrow - 4) & 2047)
        as m(wide_precision, wide_scale, narrow_precision, narrow_scale)
$$;

-- The type that takes what is in a column of numbers, and what is wanted.
create function uplift_install.numeric_for(c uplift_install.columns) returns text
language plpgsql as $$
declare
    v_is_too_large boolean := false;
begin
    if c.wanted_typmod = -1 then
        return 'numeric';
    elsif c.atttypid = 'numeric'::regtype then
        v_is_too_large := not uplift_install.numeric_covers(c.wanted_typmod, c.atttypmod);
    else
        execute format('select exists (select from %s where abs(%I::numeric) >= 10::numeric ^ %s)', c.existing, c.name,
            ((c.wanted_typmod - 4) >> 16) - ((c.wanted_typmod - 4) & 2047)) into v_is_too_large;
    end if;
    return case when v_is_too_large then 'numeric' else c.type_wanted end;
end
$$;

-- Whether a check on this one column lets the value pass.
create function uplift_install.check_takes(p_check oid, p_column name, p_type text, p_value text) returns boolean
language plpgsql as $$
declare
    v_passes boolean;
begin
    execute format('select %s from (select cast(%L as %s) as %I) as x',
        (select pg_get_expr(conbin, conrelid) from pg_constraint where oid = p_check), p_value, p_type, p_column)
        into v_passes;
    return coalesce(v_passes, true);
exception
    when data_exception then
        return false;
    when others then
        return true; -- not by itself, at least: the trial at the end will show
end
$$;

create view uplift_install.checks as
select c.oid, c.conname, c.conrelid, col.table_name, col.name as column_name, col.type_there,
    pg_get_expr(c.conbin, c.conrelid) as expression, c.convalidated
from uplift_install.columns col
join pg_constraint c on c.conrelid = col.existing and c.contype = 'c' and c.conkey = array[col.attnum]
where col.is_there;

-- Columns: missing ones are added, narrow types widened, others refused.
do $$
declare
    c uplift_install.columns;
    v_follows boolean; -- another column, which it is kept in step with
    v_how text;
    v_held text;
    v_type text;
begin
    for c in select * from uplift_install.columns where is_wanted order by table_name, wanted_attnum loop
        v_follows := exists (
            select 1 from uplift_install.known_pairs p
            join uplift_install.columns o on o.table_name = p.table_name and o.name = p.theirs and o.is_there
            where p.table_name = c.table_name and p.ours = c.name and p.how <> 'filled');
        if not c.is_there then
            if c.name = 'id' then
                perform uplift_install.conflict(format('table %s', c.existing),
                    format('has no column id, so it is another table than uplift''s %s', c.table_name), 'rename it');
                continue;
            end if;
            -- Rows may be there, so nothing is demanded of a new column; where an older column is
            -- kept in step with it, that one's default decides.
            perform uplift_install.step(format('alter table %s add column %I %s%s', c.existing, c.name, c.type_wanted,
                case when c.default_wanted is null or v_follows then ''
                    else ' default ' || c.default_wanted
                        || case when c.wanted_notnull then ' not null' else '' end end));
            continue;
        end if;

        if c.attgenerated <> '' then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name), 'is generated, and must be written',
                format('alter table %s alter column %I drop expression', c.existing, c.name));
            continue;
        elsif c.wanted_identity = '' and (c.attidentity = 'a' or c.attidentity = 'd' and not c.wanted_notnull) then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
                'is an identity column, and must be written',
                format('alter table %s alter column %I drop identity', c.existing, c.name));
            continue;
        end if;
        v_how := case
            when c.atttypid = 'numeric'::regtype and c.wanted_typid = 'numeric'::regtype then
                case when c.wanted_typmod = -1 or uplift_install.numeric_covers(c.atttypmod, c.wanted_typmod) then 'as it is'
                    else 'widen' end
            -- Times that are cut to seconds would put answers out of their order.
            when c.atttypid = c.wanted_typid then
                case when c.atttypmod <> -1 and c.wanted_typmod = -1 then 'widen' else 'as it is' end
            when c.wanted_typid = 'text'::regtype and c.atttypid in ('varchar'::regtype, 'bpchar'::regtype) then 'widen'
            when c.wanted_typid = 'text[]'::regtype and c.atttypid = 'varchar[]'::regtype then 'widen'
            when c.wanted_typid = 'int'::regtype and c.atttypid = 'smallint'::regtype then 'widen'
            when c.wanted_typid = 'int'::regtype and c.atttypid = 'bigint'::regtype then 'as it is'
            when c.wanted_typid = 'numeric'::regtype and c.atttypid in ('smallint'::regtype, 'int'::regtype, 'bigint'::regtype) then 'widen'
            else 'conflict' end;
        -- A type of too few digits or characters for a value we know must fit.
        if v_how = 'as it is' and exists (
                select 1 from uplift_install.known_values v, unnest(v.needed) as n(value)
                where v.table_name = c.table_name and v.column_name = c.name
                    and not uplift_install.type_takes(c.type_there, n.value)) then
            v_how := 'widen';
        end if;
        v_held := uplift_install.held_by(c.existing, c.attnum);
        v_type := case when v_how = 'widen' and c.wanted_typid = 'numeric'::regtype
            then uplift_install.numeric_for(c) else c.type_wanted end;
        if v_how = 'conflict' then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
                format('is %s, and must be %s', c.type_there, c.type_wanted),
                case
                    when c.type_there = 'timestamp without time zone' then
                        format('if its times are UTC: alter table %s alter column %I type timestamptz using %I at time zone ''UTC''', c.existing, c.name, c.name)
                    when c.type_there = 'json' and c.type_wanted = 'jsonb' then
                        format('alter table %s alter column %I type jsonb', c.existing, c.name)
                    when c.type_wanted = 'text' then
                        format('alter table %s alter column %I type text using %I::text', c.existing, c.name, c.name)
                    when c.type_there in ('text', 'character varying') then
                        format('where every value is one: alter table %s alter column %I type %s using %I::%s',
                            c.existing, c.name, c.type_wanted, c.name, c.type_wanted)
                    else format('rename it: alter table %s rename column %I to %I', c.existing, c.name, c.name || '_before_uplift') end);
        elsif v_how = 'widen' and v_held is not null then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
                format('is %s, must be %s, and cannot be widened because of %s', c.type_there, v_type, v_held),
                'drop that, install, and make it again');
        elsif v_how = 'widen' then
            perform uplift_install.step(format('alter table %s alter column %I type %s', c.existing, c.name, v_type));
        end if;

        if v_follows or c.table_name = 'coach_response_feedback' and c.name in ('helpful', 'rating', 'feedback_text') then
            -- An answer that nobody rated has none of these; and a default of ours would hide what a client said under the other name.
            if c.default_there is not null then
                perform uplift_install.step(format('alter table %s alter column %I drop default', c.existing, c.name));
            end if;
        elsif c.default_there is null and c.default_wanted is not null then
            perform uplift_install.step(format('alter table %s alter column %I set default %s', c.existing, c.name, c.default_wanted));
        end if;
    end loop;
end
$$;

-- Columns that must have a value and may get none from us: not ours and without a default, or ours
-- and optional, since we then write a null.
do $$
declare
    c record;
begin
    for c in
        select col.* from uplift_install.columns col
        where is_there and attnotnull and attgenerated = ''
            and case when is_wanted then not wanted_notnull else default_there is null end
            and not exists (select 1 from pg_attribute a where a.attrelid = existing and a.attnum = col.attnum and a.attidentity <> '')
            and not exists (select 1 from uplift_install.known_pairs p
                where p.table_name = col.table_name and p.theirs = col.name)
        order by table_name, attnum
    loop
        if not exists (select 1 from pg_index where indrelid = c.existing and indisprimary and c.attnum = any(indkey)) then
            perform uplift_install.step(format('alter table %s alter column %I drop not null', c.existing, c.name));
        elsif c.default_wanted is null then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
                'is part of the primary key, and uplift has no value for it',
                format('alter table %s alter column %I set default ...', c.existing, c.name));
        end if;
    end loop;
end
$$;

-- The same of domains, which are not ours to change.
do $$
declare
    c record;
begin
    for c in
        with recursive domains(oid, not_null) as (
            select oid, typnotnull from pg_type where typtype = 'd' and typnotnull
            union all
            select t.oid, true from pg_type t join domains d on t.typbasetype = d.oid and t.typtype = 'd'
        )
        select col.* from uplift_install.columns col
        where not is_wanted and attgenerated = '' and default_there is null
            and exists (select from domains d join pg_type t on t.oid = d.oid
                where d.oid = col.atttypid and t.typdefault is null)
        order by table_name, attnum
    loop
        perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
            format('is %s, which may not be null, and uplift has no value for it', c.type_there),
            format('alter table %s alter column %I set default ...', c.existing, c.name));
    end loop;
end
$$;

-- What a table as a whole may be.
do $$
declare
    t record;
begin
    for t in
        select r.existing, r.target_name,
            c.relpersistence = 'u' and (select relpersistence from pg_class where oid = r.wanted) = 'p' as is_lost_in_crashes,
            (select string_agg(inhrelid::regclass::text, ', ' order by inhrelid::regclass::text) from pg_inherits
             where inhparent = c.oid and c.relkind = 'r') as children
        from uplift_install.tables r join pg_class c on c.oid = r.existing
        order by r.target_name
    loop
        if t.children is not null then
            perform uplift_install.conflict(format('table %s', t.existing),
                format('has tables that inherit from it, where its keys and triggers do not reach: %s', t.children),
                format('alter table ... no inherit %s', t.existing));
        end if;
        -- What was acknowledged must outlive a crash; caches may go.
        if t.is_lost_in_crashes and t.target_name not in ('ai_response_cache', 'ai_context_cache') then
            perform uplift_install.step(format('alter table %s set logged', t.existing));
        end if;
    end loop;
end
$$;

-- Checks that refuse what must be stored.
do $$
declare
    k record;
begin
    for k in
        select c.*, v.is_words, v.needed
        from uplift_install.checks c
        join uplift_install.known_values v using (table_name, column_name)
        where exists (select 1 from unnest(v.needed) as n(value)
            where uplift_install.type_takes(c.type_there, n.value)
                and not uplift_install.check_takes(c.oid, c.column_name, c.type_there, n.value))
        order by c.table_name, c.conname
    loop
        perform uplift_install.step(format('alter table %s drop constraint %I', k.conrelid::regclass, k.conname));
        if k.is_words then
            perform uplift_install.step(format('alter table %s add constraint %I check ((%s) or %I in (%s))%s',
                k.conrelid::regclass, k.conname, k.expression, k.column_name,
                (select string_agg(quote_literal(value), ', ') from unnest(k.needed) as n(value)
                 where not uplift_install.check_takes(k.oid, k.column_name, k.type_there, value)),
                case when k.convalidated then '' else ' not valid' end));
        end if;
    end loop;
end
$$;

-- Importance from 0..1 to 0..10. Only where it is sure: the type has no room for 10, a check
-- refuses 10 and takes 1, or the default is 1 or less and no row has more. None of that is so any
-- more afterwards, so nothing is scaled twice.
do $$
declare
    c record;
    v_default numeric;
    v_max numeric;
    v_sure boolean;
    k record;
begin
    select * into c from uplift_install.columns
    where table_name = 'ai_episodic_memory' and name = 'importance_score' and is_there and atttypid = 'numeric'::regtype;
    if not found then
        return;
    end if;
    if c.default_there is not null then
        execute 'select ' || c.default_there into v_default;
    end if;
    v_sure := not uplift_install.type_takes(c.type_there, '10');
    for k in select * from uplift_install.checks where conrelid = c.existing and column_name = c.name loop
        v_sure := v_sure or not uplift_install.check_takes(k.oid, c.name, 'numeric', '10')
            and uplift_install.check_takes(k.oid, c.name, 'numeric', '1');
    end loop;
    if not v_sure and v_default <= 1 then
        execute format('select max(importance_score) from %s', c.existing) into v_max;
        v_sure := v_max is null or v_max <= 1;
    end if;
    if not v_sure then
        return;
    end if;
    if uplift_install.held_by(c.existing, c.attnum) is not null then
        perform uplift_install.conflict(format('table %s, column importance_score', c.existing),
            format('is on a scale of 0 to 1, must be 0 to 10, and cannot be changed because of %s',
                uplift_install.held_by(c.existing, c.attnum)),
            'drop that, install, and make it again');
        return;
    end if;
    for k in select * from uplift_install.checks where conrelid = c.existing and column_name = c.name loop
        perform uplift_install.step(format('alter table %s drop constraint %I', c.existing, k.conname));
    end loop;
    perform uplift_install.step(format('alter table %s alter column importance_score drop default, '
        'alter column importance_score type numeric using importance_score * 10, '
        'alter column importance_score set default %s, '
        'add constraint %I check (importance_score >= 0 and importance_score <= 10)',
        c.existing, trim_scale(coalesce(v_default, 0.5) * 10),
        c.table_name || '_importance_score_check'));
end
$$;

-- Indexes: one on the same columns in the same order serves as well, whatever its name.
do $$
declare
    i record;
    v_there name[];
    v_groups bigint;
begin
    for i in
        select t.existing, t.target_name, w.indexrelid::regclass as wanted, w.indisunique,
            uplift_install.index_columns(w.indexrelid) as columns,
            pg_get_expr(w.indpred, w.indrelid) as predicate,
            substring(pg_get_indexdef(w.indexrelid) from ' USING .*$') as definition,
            (select array_agg(a.attname order by k.position)
             from pg_partitioned_table p
             cross join lateral unnest(p.partattrs) with ordinality k(attnum, position)
             left join pg_attribute a on a.attrelid = p.partrelid and a.attnum = k.attnum
             where p.partrelid = t.existing) as partition_key
        from uplift_install.tables t join pg_index w on w.indrelid = t.wanted
        where t.existing is not null
            and not exists (
                select 1 from pg_index e
                where e.indrelid = t.existing and e.indisvalid and (e.indisunique or not w.indisunique)
                    and (select amname from pg_am m join pg_class x on x.relam = m.oid where x.oid = e.indexrelid) = 'btree'
                    and (e.indpred is null or pg_get_expr(e.indpred, e.indrelid) = pg_get_expr(w.indpred, w.indrelid))
                    and uplift_install.index_columns(e.indexrelid) = uplift_install.index_columns(w.indexrelid))
        order by t.target_name, 3
    loop
        if i.indisunique and i.partition_key is not null and not i.columns @> i.partition_key then
            perform uplift_install.conflict(format('table %s', i.existing),
                format('is partitioned by %s, so that (%s) cannot be unique, and it must be',
                    array_to_string(i.partition_key, ', ', 'an expression'), array_to_string(i.columns, ', ')),
                'rename it, install, and copy its rows');
            continue;
        end if;
        select array_agg(name) into v_there from uplift_install.columns
        where existing = i.existing and is_there and name = any(i.columns);
        if i.indisunique and v_there @> i.columns then
            execute format('select count(*) from (select from %s where (%s) is not null %s group by %s having count(*) > 1) d',
                i.existing, (select 'row(' || string_agg(quote_ident(c), ', ') || ')' from unnest(i.columns) c),
                coalesce('and ' || i.predicate, ''),
                (select string_agg(quote_ident(c), ', ') from unnest(i.columns) c)) into v_groups;
            if v_groups > 0 then
                perform uplift_install.conflict(format('table %s', i.existing),
                    format('has %s values of (%s) more than once, and they must be unique',
                        v_groups, array_to_string(i.columns, ', ')),
                    format('keep one row of each: select %1$s, count(*) from %2$s group by %1$s having count(*) > 1',
                        array_to_string(i.columns, ', '), i.existing));
                continue;
            end if;
        end if;
        perform uplift_install.step(format('create %sindex on %s%s',
            case when i.indisunique then 'unique ' else '' end, i.existing, i.definition));
    end loop;
end
$$;

-- Who records an answer that may be there already relies on a key that is checked at once.
do $$
declare
    k record;
begin
    for k in
        select distinct t.existing, c.conname, uplift_install.index_columns(e.indexrelid) as columns, pg_get_constraintdef(c.oid) as definition
        from uplift_install.tables t
        join pg_index w on w.indrelid = t.wanted and w.indisunique
        join pg_index e on e.indrelid = t.existing and e.indisunique and not e.indimmediate
        join pg_constraint c on c.conindid = e.indexrelid and c.conrelid = e.indrelid
        where uplift_install.index_columns(e.indexrelid) = uplift_install.index_columns(w.indexrelid)
        order by 1, 2
    loop
        perform uplift_install.conflict(format('table %s, constraint %I', k.existing, k.conname),
            format('is deferrable, and (%s) must be unique at once', array_to_string(k.columns, ', ')),
            format('alter table %s drop constraint %I, add constraint %I %s', k.existing, k.conname, k.conname,
                regexp_replace(k.definition, ' DEFERRABLE.*', '')));
    end loop;
end
$$;

-- Storage parameters and comments, where none are set.
do $$
declare
    o record;
begin
    for o in
        select t.existing, w.prefix || split_part(opt, '=', 1) as name, split_part(opt, '=', 2) as value
        from uplift_install.tables t
        join pg_class wc on wc.oid = t.wanted
        join pg_class ec on ec.oid = t.existing and ec.relkind = 'r'
        cross join lateral (
            select '' as prefix, wc.reloptions as wanted, ec.reloptions as there
            union all
            select 'toast.', (select reloptions from pg_class where oid = wc.reltoastrelid),
                (select reloptions from pg_class where oid = ec.reltoastrelid)) w
        cross join lateral unnest(w.wanted) opt
        where not exists (select 1 from unnest(w.there) e where split_part(e, '=', 1) = split_part(opt, '=', 1))
        order by t.target_name, 2
    loop
        perform uplift_install.step(format('alter table %s set (%s = %s)', o.existing, o.name, o.value));
    end loop;
    for o in
        select existing, obj_description(wanted, 'pg_class') as comment from uplift_install.tables
        where existing is not null and obj_description(existing, 'pg_class') is null
        order by target_name
    loop
        perform uplift_install.step(format('comment on table %s is %L', o.existing, o.comment));
    end loop;
    for o in
        select * from uplift_install.columns
        where is_wanted and comment_there is null and comment_wanted is not null order by table_name, wanted_attnum
    loop
        perform uplift_install.step(format('comment on column %s.%I is %L', o.existing, o.name, o.comment_wanted));
    end loop;
end
$$;

-- Pairs of names for one thing whose types do not go together.
do $$
declare
    p record;
begin
    for p in
        select k.*, c.existing, c.type_there, w.type_wanted
        from uplift_install.known_pairs k
        join uplift_install.columns c on c.table_name = k.table_name and c.name = k.theirs and c.is_there
        join uplift_install.columns w on w.table_name = k.table_name and w.name = k.ours
        where case k.how
            when 'variants' then c.atttypid <> 'jsonb'::regtype
            when 'status' then c.atttypid <> 'bool'::regtype
            else not (c.atttypid = w.wanted_typid
                or w.wanted_typid = 'text'::regtype and c.atttypid = 'varchar'::regtype) end
    loop
        perform uplift_install.conflict(format('table %s, column %s', p.existing, p.theirs),
            format('is %s, and cannot be kept in step with %s %s', p.type_there, p.ours, p.type_wanted),
            format('rename it, or change its type'));
    end loop;
end
$$;

select uplift_install.stop_at_conflicts() \g /dev/null
