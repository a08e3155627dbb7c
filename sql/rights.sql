-- Who may do what. Supabase grants everything in schema public to anon and authenticated by default,
-- and Postgres lets everyone execute functions, so rights are taken from those by name. Nothing is
-- granted or revoked that is so already: a second run leaves the dump as it was, to the byte.

-- Takes from the role (0 is PUBLIC) what it has on a table or view beside the privileges to keep.
create function uplift_install.leave(p_table regclass, p_role oid, p_keep text[]) returns void
language plpgsql as $$
declare
    v_privilege text;
    v_column name;
    v_role text := case p_role when 0 then 'public' else quote_ident(p_role::regrole::text) end;
begin
    for v_privilege in
        select a.privilege_type from pg_class c cross join lateral aclexplode(c.relacl) a
        where c.oid = p_table and a.grantee = p_role and a.privilege_type <> all (p_keep)
    loop
        execute format('revoke %s on %s from %s', v_privilege, p_table, v_role);
    end loop;
    for v_privilege, v_column in
        select a.privilege_type, c.attname from pg_attribute c cross join lateral aclexplode(c.attacl) a
        where c.attrelid = p_table and a.grantee = p_role and a.privilege_type <> all (p_keep)
            and a.privilege_type || ' ' || c.attname <> all (p_keep)
    loop
        execute format('revoke %s (%I) on %s from %s', v_privilege, v_column, p_table, v_role);
    end loop;
end
$$;

create function uplift_install.give(p_table regclass, p_role name, p_privileges text[]) returns void
language plpgsql as $$
declare
    v_privilege text;
begin
    foreach v_privilege in array p_privileges loop
        if not has_table_privilege(p_role, p_table, v_privilege) then
            execute format('grant %s on %s to %I', v_privilege, p_table, p_role);
        end if;
    end loop;
end
$$;

-- Columns of a table that was there (null: it was not) which are not ours: its twin does not have them.
create function uplift_install.unknown_columns(p_table regclass, p_twin regclass) returns name[]
language sql as $$
    select coalesce(array_agg(a.attname order by a.attnum), '{}') from pg_attribute a
    where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped
        and not exists (select from pg_attribute k where k.attrelid = p_twin and k.attname = a.attname)
$$;

create function uplift_install.let_read(p_table regclass, p_role name, p_columns name[]) returns void
language plpgsql as $$
declare
    v_column name;
begin
    for v_column in
        select a.attname from pg_attribute a
        where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped and a.attname = any (p_columns)
            and not has_column_privilege(p_role, p_table, a.attnum, 'SELECT')
        order by a.attnum
    loop
        execute format('grant select (%I) on %s to %I', v_column, p_table, p_role);
    end loop;
end
$$;

create function uplift_install.give_usage(p_schema name, p_role name) returns void
language plpgsql as $$
begin
    if not has_schema_privilege(p_role, p_schema, 'usage') then
        execute format('grant usage on schema %I to %I', p_schema, p_role);
    end if;
end
$$;

-- Takes the right to execute from everyone but those named.
create function uplift_install.leave_function(p_function regprocedure, p_roles name[]) returns void
language plpgsql as $$
declare
    v_role text;
begin
    for v_role in
        select case a.grantee when 0 then 'public' else quote_ident(a.grantee::regrole::text) end
        from pg_proc p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        where p.oid = p_function and a.privilege_type = 'EXECUTE'
            and a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole)
            and (a.grantee = 0 or a.grantee::regrole::text <> all (p_roles))
    loop
        execute format('revoke execute on function %s from %s', p_function, v_role);
    end loop;
end
$$;

select uplift_install.give_usage(s, r)
from (values ('uplift', 'uplift_app'), ('uplift', 'authenticated'), ('uplift', 'service_role'),
    ('uplift', 'uplift_batch'), ('uplift_chat', 'uplift_app'), ('uplift_batch', 'uplift_batch'), ('uplift', 'uplift_search'), ('uplift_search', 'uplift_search'), ('public', 'authenticated'), ('public', 'service_role'), ('public', 'uplift_app'),
    ('public', 'uplift_batch'),
    ('auth', 'authenticated'), ('auth', 'service_role')) as g(s, r) \g /dev/null

do $$
declare
    t record;
    v_feedback text[] := (select array_agg('UPDATE ' || attname) from pg_attribute
        where attrelid = 'public.coach_response_feedback'::regclass and not attisdropped
            -- user_comment is the deployments' name of feedback_text, and kept in step with it.
            and attname in ('helpful', 'rating', 'feedback_text', 'user_comment'));
    v_memories constant text[] := '{DELETE,INSERT user_id,INSERT memory_text,INSERT memory_type,INSERT is_pinned,UPDATE memory_text,UPDATE memory_type,UPDATE is_pinned}';
    v_predictions constant text[] := '{INSERT user_id,INSERT prediction_type,INSERT model_name,INSERT model_version,INSERT input_data,INSERT predicted_output,INSERT confidence_score,UPDATE actual_user_choice,UPDATE user_accepted,UPDATE user_satisfaction_rating}';
    v_right text;
    v_columns text[];
begin
    for t in
        select to_regclass(format('%I.%I', r.target_schema, r.target_name)) as id, r.target_schema, r.target_name,
            r.existing is not null as was_there,
            exists (select 1 from pg_attribute a where a.attrelid = coalesce(r.existing, r.wanted)
                and a.attname = 'user_id' and not a.attisdropped) as is_personal,
            r.target_name in ('brand_assets', 'ai_knowledge_sources') as is_library,
            u.columns as own_columns,
            uplift_install.unknown_columns(r.existing, r.wanted) as unknown_columns,
            has_table_privilege('authenticated', to_regclass(format('%I.%I', r.target_schema, r.target_name)), 'SELECT') as could_read
        from uplift_install.tables r
        left join uplift_install.user_columns u on u.table_name = r.target_name and r.target_schema = 'public'
        order by 2, 3
    loop
        -- To be kept where they were granted one by one.
        v_columns := array(select 'SELECT ' || c from unnest(t.own_columns || t.unknown_columns) c);
        if t.target_name = 'coach_response_feedback' then
            perform uplift_install.leave(t.id, 0, '{}');
            perform uplift_install.leave(t.id, 'anon'::regrole, '{}');
            perform uplift_install.leave(t.id, 'authenticated'::regrole, v_feedback || v_columns);
            -- Answers are kept for good.
            perform uplift_install.leave(t.id, 'service_role'::regrole, '{SELECT,INSERT,UPDATE}');
        elsif t.is_library then
            -- What could be read stays so; nobody but trusted backends writes.
            perform uplift_install.leave(t.id, 0, '{SELECT}');
            perform uplift_install.leave(t.id, 'anon'::regrole, '{SELECT}');
            perform uplift_install.leave(t.id, 'authenticated'::regrole, '{SELECT}');
        else
            perform uplift_install.leave(t.id, 0, '{}');
            perform uplift_install.leave(t.id, 'anon'::regrole, '{}');
            -- A deployment's own clients go on writing users' rows, where row level security lets them.
            if not (t.is_personal and t.was_there and t.target_schema = 'public') then
                perform uplift_install.leave(t.id, 'authenticated'::regrole,
                    case when t.own_columns is not null then v_columns when t.is_personal then '{SELECT}' else '{}' end::text[]
                    || case t.target_name when 'ai_episodic_memory' then v_memories when 'ai_predictions' then v_predictions end);
            elsif t.target_name = 'ai_errors' then
                perform uplift_install.leave(t.id, 'authenticated'::regrole, v_columns || '{INSERT,UPDATE,DELETE}');
            end if;
        end if;

        if t.target_schema = 'public' then
            if t.own_columns is not null then
                -- What we do not know was for its clients to read, and stays so.
                perform uplift_install.let_read(t.id, 'authenticated',
                    t.own_columns || case when t.could_read then t.unknown_columns end);
            elsif t.is_personal or t.target_name = 'brand_assets' then
                perform uplift_install.give(t.id, 'authenticated', '{SELECT}');
            end if;
            perform uplift_install.give(t.id, 'service_role', '{SELECT,INSERT,UPDATE}');
            if t.target_name <> 'coach_response_feedback' then
                perform uplift_install.give(t.id, 'service_role', '{DELETE}');
            end if;
        end if;
    end loop;

    foreach v_right in array v_feedback loop
        if not has_column_privilege('authenticated', 'public.coach_response_feedback', split_part(v_right, ' ', 2), 'UPDATE') then
            execute format('grant update (%I) on public.coach_response_feedback to authenticated', split_part(v_right, ' ', 2));
        end if;
    end loop;

    foreach v_right in array v_memories loop
        if v_right = 'DELETE' then
            perform uplift_install.give('public.ai_episodic_memory', 'authenticated', '{DELETE}');
        elsif not has_column_privilege('authenticated', 'public.ai_episodic_memory', split_part(v_right, ' ', 2), split_part(v_right, ' ', 1)) then
            execute format('grant %s (%I) on public.ai_episodic_memory to authenticated', split_part(v_right, ' ', 1), split_part(v_right, ' ', 2));
        end if;
    end loop;

    -- On a table that was there its clients have the rights that they had.
    foreach v_right in array case when exists (
            select from uplift_install.tables r where r.target_schema = 'public' and r.target_name = 'ai_predictions' and r.existing is null)
        then v_predictions else '{}' end loop
        execute format('grant %s (%I) on public.ai_predictions to authenticated', split_part(v_right, ' ', 1), split_part(v_right, ' ', 2));
    end loop;

    -- The views read as who asks, so that one needs what they are made of.
    perform uplift_install.give('uplift.conversations', r, '{SELECT}')
        from unnest('{authenticated,service_role}'::name[]) r;
    perform uplift_install.give(v, 'service_role', '{SELECT}')
        from unnest('{uplift.answer_prompts,uplift.system_prompts}'::regclass[]) v;
    for t in
        select c.oid::regclass as id from pg_class c
        where c.oid = 'uplift.conversation_messages'::regclass
            or c.oid = 'public.conversations'::regclass and c.relkind = 'v' and exists (
                select 1 from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
                where w.ev_class = c.oid and d.refobjid = 'uplift.conversation_messages'::regclass)
    loop
        perform uplift_install.leave(t.id, 0, '{}');
        perform uplift_install.leave(t.id, 'anon'::regrole, '{}');
        perform uplift_install.leave(t.id, 'authenticated'::regrole, '{SELECT}');
        perform uplift_install.give(t.id, 'authenticated', '{SELECT}');
        perform uplift_install.give(t.id, 'service_role', '{SELECT}');
    end loop;

    -- Whoever may insert a row may have its key made.
    if not has_function_privilege('service_role', 'uplift.uuid_v7()', 'execute') or
            exists (select 1 from pg_proc where oid = 'uplift.uuid_v7()'::regprocedure and proacl is null) then
        grant execute on function uplift.uuid_v7() to service_role;
    end if;
    -- Users' own tokens insert memories.
    if not exists (select from pg_proc p cross join lateral aclexplode(p.proacl) a
            where p.oid = 'uplift.uuid_v7()'::regprocedure and a.grantee = 'authenticated'::regrole) then
        grant execute on function uplift.uuid_v7() to authenticated;
    end if;
    perform uplift_install.leave_function(p.oid::regprocedure, case when p.oid = 'uplift.uuid_v7()'::regprocedure then '{authenticated}' else '{}' end::text[]::name[])
        from pg_proc p where p.pronamespace = any ('{uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[]) and p.prokind in ('f', 'a') and pg_has_role(p.proowner, 'usage');
    perform uplift_install.leave_function(to_regprocedure(format('public.%I(%s)', f.name, f.types)), '{}')
        from uplift_install.known_functions f where to_regprocedure(format('public.%I(%s)', f.name, f.types)) is not null;
end
$$;

-- Temporary objects of a session are for whoever needs them, which is the owner of our functions
-- (uplift.make_training_scratch). Everyone may make them by default, and so put a type or table of their
-- own where a function that is careless of its search_path looks first. Only the database's owner can
-- take that away.
do $$
declare
    v_database pg_database := (select d from pg_database d where d.datname = current_database());
begin
    if not pg_has_role(v_database.datdba, 'usage') then
        return;
    end if;
    if v_database.datdba <> current_user::regrole and not exists (
            select from aclexplode(v_database.datacl) a
            where a.grantee = current_user::regrole and a.privilege_type = 'TEMPORARY') then
        execute format('grant temporary on database %I to %I', v_database.datname, current_user);
    end if;
    if exists (
            select from aclexplode(coalesce(v_database.datacl, acldefault('d', v_database.datdba))) a
            where a.grantee = 0 and a.privilege_type = 'TEMPORARY') then
        execute format('revoke temporary on database %I from public', v_database.datname);
    end if;
end
$$;
