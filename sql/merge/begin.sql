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
