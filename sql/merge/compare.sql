-- Compares the tables that are there with the tables as they should be. Writes what is to do into
-- uplift_install.steps and what cannot be done into uplift_install.conflicts; changes nothing
-- itself, and stops the installation when there are conflicts.

insert into uplift_install.tables
select c.oid, n.target, c.relname, to_regclass(format('%I.%I', n.target, c.relname))
from (values ('uplift_want_public'::name, 'public'::name), ('uplift_want_uplift', 'uplift')) n(wanted, target)
join pg_class c on c.relnamespace = to_regnamespace(n.wanted::text) and c.relkind = 'r';

-- Columns of both sides, one row a column of either.
create view uplift_install.columns as
select coalesce((w).attname, (e).attname) as name,
    t.target_name as table_name, t.existing, t.wanted,
    (w).attnum is not null as is_wanted, (e).attnum is not null as is_there,
    (e).attnum, (e).attnotnull, (e).attgenerated, (e).atttypid, (e).atttypmod,
    format_type((e).atttypid, (e).atttypmod) as type_there,
    format_type((w).atttypid, (w).atttypmod) as type_wanted,
    (w).atttypid as wanted_typid, (w).atttypmod as wanted_typmod, (w).attnotnull as wanted_notnull,
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

-- What keeps a column's type from being changed: views, rules, policies, triggers; null for nothing.
create function uplift_install.held_by(p_table regclass, p_attnum int) returns text
language sql as $$
    select string_agg(distinct pg_describe_object(
            coalesce(r.classid, d.classid), coalesce(r.objid, d.objid), 0), ', ')
    from pg_depend d
    left join lateral (select 'pg_class'::regclass::oid as classid, w.ev_class as objid
        from pg_rewrite w where d.classid = 'pg_rewrite'::regclass and w.oid = d.objid) r on true
    where d.refclassid = 'pg_class'::regclass and d.refobjid = p_table and d.refobjsubid = p_attnum
        and d.classid in ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass)
$$;

-- Whether value, as text, can be stored in a column of this type.
create function uplift_install.type_takes(p_type text, p_value text) returns boolean
language plpgsql as $$
begin
    execute format('select cast(%L as %s)', p_value, p_type);
    return true;
exception when data_exception or program_limit_exceeded then
    return false;
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
exception when data_exception then
    return false;
end
$$;

create view uplift_install.checks as
select c.oid, c.conname, c.conrelid, col.table_name, col.name as column_name, col.type_there,
    pg_get_expr(c.conbin, c.conrelid) as expression
from uplift_install.columns col
join pg_constraint c on c.conrelid = col.existing and c.contype = 'c' and c.conkey = array[col.attnum]
where col.is_there;

-- Kind and owner of what has a name we need.
do $$
declare
    t record;
begin
    if not has_schema_privilege('public', 'create') then
        perform uplift_install.conflict('schema public', format('%s may not create tables in it', current_user),
            format('grant create on schema public to %I', current_user));
    end if;
    for t in
        select r.*, c.relkind, c.relowner, pg_describe_object('pg_class'::regclass, c.oid, 0) as object
        from uplift_install.tables r join pg_class c on c.oid = r.existing
        order by 2, 3
    loop
        if t.relkind not in ('r', 'p') then
            perform uplift_install.conflict(t.object, 'is not a table, and a table of this name is needed', 'rename it');
            update uplift_install.tables set existing = null
                where target_schema = t.target_schema and target_name = t.target_name;
        elsif not pg_has_role(t.relowner, 'usage') then
            perform uplift_install.conflict(format('table %s', t.existing),
                format('belongs to %s, and %s may not change it', t.relowner::regrole, current_user),
                format('install as %s, or: grant %s to %I', t.relowner::regrole, t.relowner::regrole, current_user));
        end if;
    end loop;
    if exists (select 1 from pg_class where oid = to_regclass('uplift.conversation_messages') and relkind <> 'v') then
        perform uplift_install.conflict('uplift.conversation_messages', 'is not a view', 'rename it');
    end if;
end
$$;

-- Columns: missing ones are added, narrow types widened, others refused.
do $$
declare
    c record;
    v_how text;
    v_held text;
begin
    for c in
        select w.*, exists (
            select 1 from uplift_install.known_pairs p
            join uplift_install.columns o on o.table_name = p.table_name and o.name = p.theirs and o.is_there
            where p.table_name = w.table_name and p.ours = w.name and p.how <> 'filled') as follows
        from uplift_install.columns w
        where is_wanted order by table_name, wanted_attnum
    loop
        if not c.is_there then
            if c.name = 'id' then
                perform uplift_install.conflict(format('table %s', c.existing),
                    format('has no column id, so it is another table than uplift''s %s', c.table_name), 'rename it');
                continue;
            end if;
            -- Rows may be there, so nothing is demanded of a new column; where an older column is
            -- kept in step with it, that one's default decides.
            perform uplift_install.step(format('alter table %s add column %I %s%s', c.existing, c.name, c.type_wanted,
                case when c.default_wanted is null or c.follows then ''
                    else ' default ' || c.default_wanted
                        || case when c.wanted_notnull then ' not null' else '' end end));
            continue;
        end if;

        if c.attgenerated <> '' then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
                'is generated, and must be written', null);
            continue;
        end if;
        v_how := case
            when c.atttypid = c.wanted_typid and c.atttypid <> 'numeric'::regtype then 'as it is'
            when c.atttypid = 'numeric'::regtype and c.wanted_typid = 'numeric'::regtype then 'as it is'
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
        if v_how = 'conflict' then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
                format('is %s, and must be %s', c.type_there, c.type_wanted),
                case
                    when c.type_there = 'timestamp without time zone' then
                        format('if its times are UTC: alter table %s alter column %I type timestamptz using %I at time zone ''UTC''', c.existing, c.name, c.name)
                    when c.type_there = 'json' and c.type_wanted = 'jsonb' then
                        format('alter table %s alter column %I type jsonb', c.existing, c.name)
                    else format('rename it: alter table %s rename column %I to %I', c.existing, c.name, c.name || '_before_uplift') end);
        elsif v_how = 'widen' and v_held is not null then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
                format('is %s, must be %s, and cannot be widened because of %s', c.type_there, c.type_wanted, v_held),
                'drop that, install, and make it again');
        elsif v_how = 'widen' then
            perform uplift_install.step(format('alter table %s alter column %I type %s', c.existing, c.name, c.type_wanted));
        end if;

        if c.follows then
            -- A default of ours would hide what a client said under the other name.
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
        if exists (select 1 from pg_index where indrelid = c.existing and indisprimary and c.attnum = any(indkey)) then
            perform uplift_install.conflict(format('table %s, column %s', c.existing, c.name),
                'is part of the primary key, and uplift has no value for it', null);
        else
            perform uplift_install.step(format('alter table %s alter column %I drop not null', c.existing, c.name));
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
            perform uplift_install.step(format('alter table %s add constraint %I check ((%s) or %I in (%s))',
                k.conrelid::regclass, k.conname, k.expression, k.column_name,
                (select string_agg(quote_literal(value), ', ') from unnest(k.needed) as n(value)
                 where not uplift_install.check_takes(k.oid, k.column_name, k.type_there, value))));
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
            substring(pg_get_indexdef(w.indexrelid) from ' USING .*$') as definition
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

-- Functions that are there under names of ours and cannot be replaced.
do $$
declare
    f record;
begin
    for f in
        select k.*, p.oid::regprocedure as there, p.proowner, p.prokind, p.pronargdefaults,
            pg_get_function_result(p.oid) as result_there,
            pg_get_function_identity_arguments(p.oid) as arguments_there
        from uplift_install.known_functions k
        join pg_proc p on p.oid = to_regprocedure(format('public.%I(%s)', k.name, k.types))
    loop
        if f.prokind <> 'f' or f.result_there is distinct from f.result or f.arguments_there <> f.arguments
                or f.pronargdefaults > (case f.name when 'build_coach_system_prompt' then 4 else 0 end) then
            perform uplift_install.conflict(format('function %s', f.there),
                format('is (%s) returns %s, and must be (%s) returns %s', f.arguments_there,
                    coalesce(f.result_there, 'nothing'), f.arguments, f.result),
                'rename it');
        elsif not pg_has_role(f.proowner, 'usage') then
            perform uplift_install.conflict(format('function %s', f.there),
                format('belongs to %s, and %s may not replace it', f.proowner::regrole, current_user), 'rename it');
        end if;
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

do $$
declare
    v_count int;
    v_list text;
begin
    select count(*), string_agg(format('%s: %s%s', object, problem, coalesce(' (' || remedy || ')', '')), E'\n' order by id)
    into v_count, v_list from uplift_install.conflicts;
    if v_count > 0 then
        raise exception 'cannot install uplift here: % conflict(s), nothing was changed', v_count
            using detail = v_list, errcode = 'UP409';
    end if;
end
$$;
