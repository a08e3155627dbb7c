-- Tries out what was installed: one of each thing that programs and clients do, in a subtransaction that is
-- rolled back. What fails, or is not stored as it was given, because of a constraint, a trigger or a policy
-- of the deployment, is listed as a conflict: otherwise every answer would be refused, and nobody told.

\ir trial_steps.sql

-- A thing that stood in a step's way, and the command that takes it away for the rest of the trial.
create type uplift_install.finding as (object text, problem text, remedy text, cure text);

-- What may stand in the way beside what an error names: in this order it is found out which.
create view uplift_install.suspects as
-- Whoever writes, a trigger's function looks for its tables along the search path of whoever writes.
select 1 as rank, t.tgrelid as table_id, format('trigger %I of table %s', t.tgname, t.tgrelid::regclass) as object,
    format('alter function %s set search_path = %I', p.oid::regprocedure, n.nspname) as cure, '' as otherwise
from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
where not t.tgisinternal and t.tgenabled <> 'D' and p.pronamespace not in ('uplift'::regnamespace, 'pg_catalog'::regnamespace)
    and pg_has_role(p.proowner, 'usage')
    and not exists (select from unnest(p.proconfig) g where g like 'search_path=%')
union all
select 2, t.tgrelid, format('trigger %I of table %s', t.tgname, t.tgrelid::regclass),
    format('alter table %s disable trigger %I', t.tgrelid::regclass, t.tgname), ', or have it leave alone what uplift writes'
from pg_trigger t join pg_proc p on p.oid = t.tgfoid
where not t.tgisinternal and t.tgenabled <> 'D' and p.pronamespace <> 'uplift'::regnamespace
union all
select 3, r.ev_class, format('rule %I of table %s', r.rulename, r.ev_class::regclass),
    format('drop rule %I on %s', r.rulename, r.ev_class::regclass), ''
from pg_rewrite r join pg_class c on c.oid = r.ev_class and c.relkind in ('r', 'p')
union all
select 4, p.polrelid, format('policy %I of table %s', p.polname, p.polrelid::regclass),
    format('drop policy %I on %s', p.polname, p.polrelid::regclass), ''
from pg_policy p where not p.polpermissive
union all
-- Where rows are too long for it; no name comes with that.
select 5, i.indrelid, case when c.conname is null then format('index %s', i.indexrelid::regclass)
        else format('table %s, constraint %I', i.indrelid::regclass, c.conname) end,
    case when c.conname is null then format('drop index %s', i.indexrelid::regclass)
        else format('alter table %s drop constraint %I', i.indrelid::regclass, c.conname) end, ''
from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
where not i.indisprimary;

-- The constraint, index or column that an error names.
create function uplift_install.named_by_error(p_table regclass, p_constraint text, p_column text) returns uplift_install.finding
language plpgsql as $$
declare
    v_index regclass := (select c.oid from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = p_table and c.relname = p_constraint);
    v_found uplift_install.finding;
begin
    if exists (select from pg_constraint c where c.conrelid = p_table and c.conname = p_constraint) then
        v_found.object := format('table %s, constraint %I', p_table, p_constraint);
        v_found.cure := format('alter table %s drop constraint %I', p_table, p_constraint);
    elsif v_index is not null then
        v_found.object := format('table %s, index %I', p_table, p_constraint);
        v_found.cure := format('drop index %s', v_index);
    elsif p_column <> '' then
        v_found.object := format('table %s, column %I', p_table, p_column);
        v_found.cure := format('alter table %s alter column %I drop not null', p_table, p_column);
    end if;
    v_found.remedy := v_found.cure;
    return v_found;
end
$$;

-- What is wrong after a step, null when nothing is; an error is raised on.
create function uplift_install.do_step(p_step uplift_install.trial_steps, p_user uuid) returns text
language plpgsql as $$
declare
    v_me constant name := current_user;
    v_result text;
    v_problem text;
begin
    -- As PostgREST says who asks, today and formerly.
    perform set_config('request.jwt.claims', case when p_step.role = 'authenticated'
            then json_build_object('sub', p_user, 'role', p_step.role, 'aud', 'authenticated')::text else '' end, true),
        set_config('request.jwt.claim.sub', case when p_step.role = 'authenticated' then p_user::text else '' end, true);
    execute format('set local role %I', p_step.role);
    execute p_step.command into v_result using p_user;
    execute format('set local role %I', v_me);
    set constraints all immediate; -- those that would speak up at the commit
    if p_step.verify is not null then
        execute p_step.verify into v_problem using p_user, v_result;
    end if;
    return v_problem;
end
$$;

-- As do_step, after the cure, and back again; an error is one more thing that is wrong.
create function uplift_install.do_step_without(p_step uplift_install.trial_steps, p_user uuid, p_cure text) returns text
language plpgsql as $$
declare
    v_problem text;
begin
    execute p_cure;
    v_problem := uplift_install.do_step(p_step, p_user);
    raise exception using errcode = 'UPTRY';
exception
    when sqlstate 'UPTRY' then
        return v_problem;
    when others then
        return sqlerrm;
end
$$;

-- Does all steps, up to the first that fails: what stands in its way. Null when all is well.
create function uplift_install.try_out(p_user uuid, p_roles name[]) returns uplift_install.finding
language plpgsql as $$
declare
    v_step uplift_install.trial_steps;
    v_suspect record;
    v_found uplift_install.finding;
    v_problem text;
    v_state text;
    v_schema text;
    v_table text;
    v_constraint text;
    v_column text;
begin
    for v_step in select * from uplift_install.trial_steps order by id loop
        continue when not v_step.role = any (p_roles);
        begin
            v_state := null;
            v_table := null;
            v_problem := uplift_install.do_step(v_step, p_user);
            continue when v_problem is null;
            raise exception using errcode = 'UPTRY';
        exception
            when sqlstate 'UPTRY' then
                null;
            when others then
                get stacked diagnostics v_problem = message_text, v_state = returned_sqlstate, v_schema = schema_name,
                    v_table = table_name, v_constraint = constraint_name, v_column = column_name;
        end;
        v_found.problem := format('stands in the way of %s: %s', v_step.what, v_problem);
        if v_state in ('55P03', '40P01') then
            v_found.object := 'somebody who holds a lock';
            v_found.remedy := 'install again when that is done';
            return v_found;
        end if;
        for v_suspect in
            select s.* from unnest(v_step.tables || 'auth.users'::text) t
            join uplift_install.suspects s on s.table_id = to_regclass(t) and (s.rank < 5 or v_state = '54000')
            order by s.rank, s.object
        loop
            -- Without the culprit all is well, or the next thing goes wrong.
            if uplift_install.do_step_without(v_step, p_user, v_suspect.cure) is distinct from v_problem then
                v_found.object := v_suspect.object;
                v_found.remedy := v_suspect.cure || v_suspect.otherwise;
                v_found.cure := v_suspect.cure;
                return v_found;
            end if;
        end loop;
        if v_table <> '' then
            v_problem := v_found.problem;
            v_found := uplift_install.named_by_error(to_regclass(format('%I.%I', v_schema, v_table)), v_constraint, v_column);
            v_found.problem := v_problem;
        end if;
        v_found.object := coalesce(v_found.object, 'table ' || (select string_agg(to_regclass(t)::text, ', ') from unnest(v_step.tables) t));
        return v_found;
    end loop;
    return null;
end
$$;

-- Whom the trial is for: somebody who has answers; else whom the answers' table refers to, which may be a table of
-- the deployment's own; else a new user where uplift or its owner can make one. Best in lane 1 of the training queue,
-- where nothing else has to be done first. Null for nobody.
create function uplift_install.trial_user() returns uuid
language plpgsql as $$
declare
    v_new constant uuid := 'c0ffee00-0000-4000-8000-000000000001';
    v_makes_users constant boolean := coalesce((select s.value = 'true' from uplift.settings s where s.key = 'auth.makes_users'), false);
    v_people regclass;
    v_id name;
    v_source text;
    v_user uuid;
begin
    select c.confrelid::regclass, f.attname into v_people, v_id
    from pg_constraint c
    join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum] and a.attname = 'user_id'
    join pg_attribute f on f.attrelid = c.confrelid and c.confkey = array[f.attnum]
    where c.conrelid = 'public.coach_response_feedback'::regclass and c.contype = 'f'
    order by c.confrelid = 'auth.users'::regclass limit 1;
    v_people := coalesce(v_people, 'auth.users'::regclass);
    foreach v_source in array array['select user_id as id from public.coach_response_feedback',
            format('select %I as id from %s', coalesce(v_id, 'id'), v_people)] loop
        execute format('select u.id from (%s limit 1000) u where u.id is not null
                and ($1 or exists (select from auth.users x where x.id = u.id)) order by uplift.training_lane(u.id) desc limit 1', v_source)
            into v_user using v_makes_users;
        if v_user is not null then
            return v_user;
        end if;
    end loop;
    if v_people <> 'auth.users'::regclass then
        return null;
    elsif not v_makes_users then
        insert into auth.users (id) values (v_new);
    end if;
    return v_new;
exception when insufficient_privilege or integrity_constraint_violation then
    return null;
end
$$;

-- Those of the roles that this session can take; itself at any rate.
create function uplift_install.trial_roles() returns name[]
language plpgsql as $$
declare
    v_me constant name := current_user;
    v_role name;
    v_roles name[] := array[v_me];
begin
    foreach v_role in array '{uplift_app,uplift_batch,authenticated}'::name[] loop
        begin
            begin
                execute format('set local role %I', v_role);
            exception when insufficient_privilege then
                execute format('grant %I to %I', v_role, v_me); -- whoever made the role may
                execute format('set local role %I', v_role);
            end;
            execute format('set local role %I', v_me);
            v_roles := v_roles || v_role;
        exception when others then
            null;
        end;
    end loop;
    return v_roles;
end
$$;

-- So that numbers that are used up come back with the rest: a sequence that starts anew is rolled back, others
-- are not. One that somebody uses right now is left.
create function uplift_install.hold_sequences() returns void
language plpgsql as $$
declare
    v_sequence record;
    v_next bigint;
begin
    perform set_config('lock_timeout', '100ms', true);
    for v_sequence in
        select c.oid::regclass as id, s.seqincrement, s.seqmin, s.seqmax
        from pg_class c join pg_sequence s on s.seqrelid = c.oid
        where c.relnamespace in ('public'::regnamespace, 'uplift'::regnamespace) and pg_has_role(c.relowner, 'usage')
        order by c.oid
    loop
        begin
            execute format('select last_value + case when is_called then %s else 0 end from %s', v_sequence.seqincrement, v_sequence.id)
                into v_next;
            if v_next between v_sequence.seqmin and v_sequence.seqmax then
                execute format('alter sequence %s restart with %s', v_sequence.id, v_next);
            end if;
        exception when lock_not_available then
            null;
        end;
    end loop;
end
$$;

do $$
declare
    v_me constant name := current_user;
    v_found uplift_install.finding;
    v_findings uplift_install.finding[] := '{}';
    v_user uuid;
    v_roles name[];
begin
    begin
        v_user := uplift_install.trial_user();
        if v_user is null then
            raise warning 'could not try out the recording of answers: there is no user yet; install again once there is one';
            raise exception using errcode = 'UPTRY';
        end if;
        v_roles := uplift_install.trial_roles();
        -- What cannot be tried as the programs' own role is tried as the owner, as whom their functions run.
        update uplift_install.trial_steps set role = v_me where role like 'uplift%' and not role = any (v_roles);
        -- While another makes training examples it is clear that they can be made; and what waits for that
        -- is not for the trial.
        if not pg_try_advisory_xact_lock(uplift.training_lock()) then
            delete from uplift_install.trial_steps where 'public.ai_training_examples' = any (tables);
        end if;
        perform set_config('uplift.training_queue_after_' || lane, (select coalesce(max(id), 0) from uplift.training_queue)::text, true)
        from generate_series(0, 1) lane;
        perform uplift_install.hold_sequences();
        perform set_config('lock_timeout', '2s', true);
        -- As the functions that the batch program calls: compiling would take longer than the work.
        perform set_config('jit', 'off', true);
        -- What it makes up costs nobody anything. A budget that somebody changes right now is left.
        update uplift.budgets b set is_enabled = false
        where b.id in (select x.id from uplift.budgets x where x.is_enabled for update skip locked);

        -- Memories are tried as of a user who wants them and has room for more. Where the table refuses this, so does the step "preferences".
        begin
            update public.user_coach_preferences p set memory_enabled = true, memory_since = null where p.user_id = v_user;
        exception when others then
            null;
        end;
        update uplift.settings s set value = '100000'
        where s.key in (select x.key from uplift.settings x where x.key = 'memory.max_per_user' for update skip locked);

        for v_try in 1 .. 50 loop
            begin
                v_found := uplift_install.try_out(v_user, v_roles);
                raise exception using errcode = 'UPTRY'; -- and back
            exception when sqlstate 'UPTRY' then
                null;
            end;
            exit when v_found is null;
            v_findings := v_findings || v_found;
            -- Go on without it, to find all.
            exit when v_found.cure is null;
            begin
                execute v_found.cure;
            exception when others then
                exit;
            end;
        end loop;
        raise exception using errcode = 'UPTRY'; -- and back
    exception when sqlstate 'UPTRY' then
        null;
    end;
    perform uplift_install.conflict(f.object, f.problem, f.remedy) from unnest(v_findings) f;
end
$$;

select uplift_install.stop_at_conflicts() \g /dev/null
