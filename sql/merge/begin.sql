-- Scratch of one run, gone at its end: what stands in the way, what to do, what to tell.
do $$
declare
    v_owner name := (select nspowner::regrole from pg_namespace where nspname = 'uplift');
begin
    if current_setting('server_version_num')::int < 150000 then
        raise exception 'cannot install on Postgres %: 15 or later is needed', current_setting('server_version');
    end if;
    -- A superuser who installs again does so as the first time's owner: one owner has it all.
    if v_owner <> current_user then
        if not pg_has_role(v_owner, 'member') then
            raise exception 'cannot install as %: schema uplift belongs to %', current_user, v_owner;
        end if;
        execute format('set local role %I', v_owner);
    end if;
    if to_regnamespace('public') is null then
        raise exception 'cannot install without schema public, where uplift''s tables are'
            using hint = 'create schema public';
    end if;
    if not has_database_privilege(current_database(), 'create') then
        raise exception 'cannot install as %: it may not create schemas in database %',
            current_user, current_database()
            using hint = format('grant create on database %I to %I', current_database(), current_user);
    end if;
end
$$;

create schema uplift_install;
create schema uplift_want_public;
create schema uplift_want_uplift;

create table uplift_install.conflicts (
    id int generated always as identity,
    object text not null,
    problem text not null,
    remedy text
);

create table uplift_install.steps (
    id int generated always as identity,
    command text not null
);

-- Tables of ours that this run found or makes.
create table uplift_install.tables (
    wanted regclass not null,
    target_schema name not null,
    target_name name not null,
    existing regclass,
    primary key (target_schema, target_name)
);

create function uplift_install.conflict(p_object text, p_problem text, p_remedy text default null) returns void
language sql as $$
    insert into uplift_install.conflicts (object, problem, remedy) values ($1, $2, $3)
$$;

create function uplift_install.step(p_command text) returns void
language sql as $$
    insert into uplift_install.steps (command) values ($1)
$$;

create function uplift_install.policy(p_table text, p_name text, p_rule text) returns void
language plpgsql as $$
begin
    if not exists (select 1 from pg_policy where polrelid = p_table::regclass and polname = p_name) then
        execute format('create policy %I on %s %s', p_name, p_table, p_rule);
    end if;
end
$$;

-- Our functions run as their owner, who is no superuser and may not own the table.
create function uplift_install.let_functions_see(p_table text) returns void
language sql as $$
    select uplift_install.policy(p_table, 'uplift_functions', format('for all to %I using (true) with check (true)', current_user))
$$;

create function uplift_install.stop_at_conflicts() returns void
language plpgsql as $$
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

do $$
declare
    v_schema regnamespace;
begin
    if getdatabaseencoding() <> 'UTF8' then
        perform uplift_install.conflict(format('database %s', current_database()),
            format('is encoded as %s, and must take every character', getdatabaseencoding()),
            'create one with encoding ''UTF8'', and load what is in this one into it');
    end if;
    -- Ours has this function since ever; an empty one may have been made for us.
    for v_schema in select n.oid::regnamespace from pg_namespace n where n.nspname in ('uplift', 'uplift_chat', 'uplift_batch', 'uplift_search') order by n.nspname loop
        if to_regproc('uplift.schema_version') is null and exists (
                select from pg_class where relnamespace = v_schema
                union all select from pg_proc where pronamespace = v_schema
                union all select from pg_type where typnamespace = v_schema) then
            perform uplift_install.conflict(format('schema %s', v_schema), 'is there already, and is not uplift''s',
                format('alter schema %s rename to ...', v_schema));
        end if;
    end loop;
end
$$;
