-- Who is asking. Supabase has schema auth already; elsewhere this makes as much of it as we use.
do $$
declare
    v_function record;
begin
    if to_regnamespace('auth') is null then
        create schema auth;
        comment on schema auth is 'Users and the identity of a request, in Supabase''s form.';
        grant usage on schema auth to public;
    end if;
    if to_regclass('auth.users') is null then
        if not has_schema_privilege('auth', 'create') then
            perform uplift_install.conflict('table auth.users',
                format('is missing, and %s may not create it in schema auth', current_user),
                format('grant create on schema auth to %I', current_user));
        else
            create table auth.users (
                id uuid primary key default gen_random_uuid(),
                aud varchar(255) default 'authenticated',
                role varchar(255) default 'authenticated',
                email varchar(255),
                phone text,
                raw_app_meta_data jsonb,
                raw_user_meta_data jsonb,
                is_anonymous boolean not null default false,
                last_sign_in_at timestamptz,
                banned_until timestamptz,
                deleted_at timestamptz,
                created_at timestamptz default now(),
                updated_at timestamptz default now()
            );
            comment on table auth.users is
                'Users, made on first sight of a valid token. This is uplift''s minimal table, not Supabase''s.';
            alter table auth.users enable row level security;
        end if;
    elsif not exists (select from pg_class where oid = 'auth.users'::regclass and relkind in ('r', 'p')) then
        perform uplift_install.conflict('auth.users', 'is not a table, and must be one that others can refer to');
    elsif not exists (select 1 from pg_attribute
            where attrelid = 'auth.users'::regclass and attname = 'id' and atttypid = 'uuid'::regtype) then
        perform uplift_install.conflict('table auth.users', 'has no column id of type uuid');
    elsif not exists (select 1 from pg_index where indrelid = 'auth.users'::regclass and indisunique
            and indpred is null and indkey::text = (select attnum::text from pg_attribute
                where attrelid = 'auth.users'::regclass and attname = 'id')) then
        perform uplift_install.conflict('table auth.users', 'its column id is not unique',
            'alter table auth.users add primary key (id)');
    elsif not has_table_privilege('auth.users', 'references') or not has_table_privilege('auth.users', 'select') then
        perform uplift_install.conflict('table auth.users',
            format('%s may not select from it or refer to it', current_user),
            format('as its owner: grant select, references on auth.users to %I', current_user));
    elsif row_security_active('auth.users') and not exists (select from pg_policy p
            where p.polrelid = 'auth.users'::regclass and p.polpermissive and p.polcmd in ('r', '*')
                and exists (select from unnest(p.polroles) r where r = 0 or pg_has_role(r, 'usage'))) then
        perform uplift_install.conflict('table auth.users', format('hides all users from %s', current_user),
            format('as its owner: create policy uplift_functions on auth.users for select to %I using (true)', current_user));
    end if;

    for v_function in
        select * from (values
            ('uid', 'uuid', $f$select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid$f$,
             'The user a request is made for, from its token; null for nobody.'),
            ('jwt', 'jsonb', $f$select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), ''))::jsonb$f$,
             'The claims of the request''s token.'),
            ('role', 'text', $f$select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')$f$,
             'The role claim of the request''s token.')
        ) as f(name, type, body, purpose)
    loop
        if to_regprocedure(format('auth.%s()', v_function.name)) is not null then
            if pg_get_function_result(to_regprocedure(format('auth.%s()', v_function.name))) <> v_function.type then
                perform uplift_install.conflict(format('function auth.%s()', v_function.name),
                    format('returns %s, and must return %s',
                        pg_get_function_result(to_regprocedure(format('auth.%s()', v_function.name))), v_function.type));
            end if;
        elsif has_schema_privilege('auth', 'create') then
            execute format('create function auth.%I() returns %s language sql stable as %L',
                v_function.name, v_function.type, v_function.body);
            execute format('comment on function auth.%I() is %L', v_function.name, v_function.purpose);
        else
            perform uplift_install.conflict(format('function auth.%s()', v_function.name),
                format('is missing, and %s may not create it in schema auth', current_user),
                format('grant create on schema auth to %I', current_user));
        end if;
    end loop;
end
$$;
