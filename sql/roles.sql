-- Roles, as Supabase has them and three of ours. Made where missing, if we may; else listed.
do $$
declare
    v_role record;
    v_may_create boolean := (select rolcreaterole or rolsuper from pg_roles where rolname = current_user);
    v_super boolean := (select rolsuper from pg_roles where rolname = current_user);
begin
    for v_role in
        select * from (values
            ('anon', 'nologin noinherit', 'requests of nobody in particular'),
            ('authenticated', 'nologin noinherit', 'requests with a user''s token'),
            ('service_role', 'nologin noinherit bypassrls', 'trusted backends'),
            ('uplift_app', 'login noinherit', 'fcgi-chat: may execute the functions granted to it, nothing else'),
            ('uplift_batch', 'login noinherit', 'fcgi-batch: may execute the functions granted to it, nothing else'),
            ('uplift_search', 'login noinherit', 'fcgi-chat''s builder of copies for searching: may execute the functions granted to it, nothing else')
        ) as r(name, options, purpose)
        where not exists (select 1 from pg_roles where rolname = r.name)
    loop
        if v_may_create then
            -- Only a superuser can give away bypassrls; policies.sql makes up for its lack.
            begin
                execute format('create role %I %s', v_role.name,
                    case when v_super then v_role.options else replace(v_role.options, ' bypassrls', '') end);
                execute format('comment on role %I is %L', v_role.name, v_role.purpose);
            exception when duplicate_object or unique_violation then
                null; -- made by an installation in another database of this server meanwhile
            end;
        else
            perform uplift_install.conflict('role ' || v_role.name,
                format('is missing, and %s may not create roles', current_user),
                format('as a superuser: create role %I %s', v_role.name, v_role.options));
        end if;
    end loop;
end
$$;
