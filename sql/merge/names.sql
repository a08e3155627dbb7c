-- What is there already under the names that uplift needs: schemas, tables, types, views and functions.
-- Writes conflicts, and which of our tables exist into uplift_install.tables. Changes nothing but that
-- row level security hides no row from what follows.

insert into uplift_install.tables
select c.oid, n.target, c.relname, to_regclass(format('%I.%I', n.target, c.relname))
from (values ('uplift_want_public'::name, 'public'::name), ('uplift_want_uplift', 'uplift')) n(wanted, target)
join pg_class c on c.relnamespace = to_regnamespace(n.wanted::text) and c.relkind = 'r';

do $$
declare
    t record;
begin
    if not has_schema_privilege('public', 'create') then
        perform uplift_install.conflict('schema public', format('%s may not create tables in it', current_user),
            format('grant create on schema public to %I', current_user));
    end if;
    for t in
        select r.*, c.relkind, c.relowner, c.relrowsecurity and c.relforcerowsecurity as hides_rows, pg_describe_object('pg_class'::regclass, c.oid, 0) as object
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
        elsif t.hides_rows then
            perform uplift_install.let_functions_see(t.existing::text);
        end if;
    end loop;
    -- A table makes a type of its name.
    for t in
        select format('%I.%I', r.target_schema, r.target_name) as name
        from uplift_install.tables r
        join pg_type y on y.typnamespace = to_regnamespace(r.target_schema::text) and y.typname = r.target_name and y.typrelid = 0
        order by 1
    loop
        perform uplift_install.conflict('type ' || t.name, 'has the name of a table that is needed',
            format('alter type %s rename to ...', t.name));
    end loop;
    for t in
        select pg_describe_object('pg_class'::regclass, c.oid, 0) as object, c.oid::regclass as name
        from unnest('{uplift.conversation_messages,uplift.coaches}'::text[]) v
        join pg_class c on c.oid = to_regclass(v) and c.relkind <> 'v'
    loop
        perform uplift_install.conflict(t.object, 'is not a view, and a view of this name is needed', 'rename it');
    end loop;
end
$$;

-- Functions of our names: one that takes and returns the same is replaced. Another one of the name stays
-- where it is told apart by the number of arguments; else a call would mean both, and fail, or change its
-- meaning without a word.
do $$
declare
    f record;
    v_rename text;
begin
    for f in
        select k.*, k.name || '(' || k.types || ')' as ours, p.oid::regprocedure as there, p.proowner, p.prokind,
            p.oid = to_regprocedure(format('public.%I(%s)', k.name, k.types)) is true as is_same,
            cardinality(regexp_split_to_array(nullif(k.types, ''), ',')) - k.required as defaults, p.pronargdefaults,
            pg_get_function_result(p.oid) as result_there,
            pg_get_function_identity_arguments(p.oid) as arguments_there,
            p.proargnames is null as is_unnamed
        from uplift_install.known_functions k
        join pg_proc p on p.proname = k.name and p.pronamespace = 'public'::regnamespace
        where int4range(p.pronargs - p.pronargdefaults, case when p.provariadic = 0 then p.pronargs end, '[]')
            && int4range(k.required, coalesce(cardinality(regexp_split_to_array(nullif(k.types, ''), ',')), 0), '[]')
        order by k.name, p.oid
    loop
        v_rename := format('alter routine %s rename to %I, and call it so', f.there, f.name || '_before_uplift');
        if not f.is_same then
            perform uplift_install.conflict(format('function %s', f.there),
                format('can be called with as many arguments as uplift''s %s, so that a call could mean either', f.ours), v_rename);
        elsif f.prokind <> 'f' or f.result_there is distinct from f.result
                or f.arguments_there <> f.arguments and not f.is_unnamed then
            perform uplift_install.conflict(format('function %s', f.there),
                format('is (%s) returns %s, and must be (%s) returns %s', f.arguments_there,
                    coalesce(f.result_there, 'nothing'), f.arguments, f.result), v_rename);
        elsif f.pronargdefaults > coalesce(f.defaults, 0) then
            perform uplift_install.conflict(format('function %s', f.there),
                format('can be called without all of its arguments, and uplift''s %s cannot', f.ours), v_rename);
        elsif not pg_has_role(f.proowner, 'usage') then
            perform uplift_install.conflict(format('function %s', f.there),
                format('belongs to %s, and %s may not replace it', f.proowner::regrole, current_user), v_rename);
        end if;
    end loop;
end
$$;
