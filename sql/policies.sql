-- Row level security, in Supabase's form. Policies only add to those that are there.
do $$
declare
    t record;
    v_own constant text := '((select auth.uid()) = user_id)';
    v_service_bypasses constant boolean := (select rolbypassrls or rolsuper from pg_roles where rolname = 'service_role');
begin
    for t in
        select format('%I.%I', r.target_schema, r.target_name) as name, r.target_schema, r.target_name,
            r.existing is not null as was_there, c.relrowsecurity,
            exists (select 1 from pg_attribute a
                where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped) as is_personal
        from uplift_install.tables r
        join pg_class c on c.oid = to_regclass(format('%I.%I', r.target_schema, r.target_name))
        order by 1
    loop
        -- A shared table that was there without row level security has readers we do not know.
        if not t.is_personal and t.was_there and not t.relrowsecurity then
            continue;
        end if;
        if not t.relrowsecurity then
            execute format('alter table %s enable row level security', t.name);
            -- Users could write their rows here before, so far as they were granted it; they still can.
            if t.was_there and t.target_name <> 'coach_response_feedback' then
                perform uplift_install.policy(t.name, 'uplift_own_writes',
                    format('for all to authenticated using (%1$s) with check (%1$s)', v_own));
            end if;
        end if;

        perform uplift_install.let_functions_see(t.name);
        if not v_service_bypasses and t.target_schema = 'public' then
            perform uplift_install.policy(t.name, 'uplift_service', 'for all to service_role using (true) with check (true)');
        end if;
        if t.is_personal then
            perform uplift_install.policy(t.name, 'uplift_own_rows', format('for select to authenticated using (%s)', v_own));
        end if;
    end loop;

    -- For the view uplift.answer_prompts.
    if not v_service_bypasses then
        perform uplift_install.policy('uplift.system_prompts', 'uplift_service', 'for select to service_role using (true)');
    end if;
    perform uplift_install.policy('public.coach_response_feedback', 'uplift_own_feedback',
        format('for update to authenticated using (%1$s) with check (%1$s)', v_own));
    -- What they may write of it says rights.sql, and what becomes of it the triggers of functions/coach/rest_memories.sql.
    perform uplift_install.policy('public.ai_episodic_memory', 'uplift_own_memories',
        format('for all to authenticated using (%1$s) with check (%1$s)', v_own));
    -- On a table that was there its clients write what they wrote.
    if exists (select from uplift_install.tables r where r.target_schema = 'public' and r.target_name = 'ai_predictions' and r.existing is null) then
        perform uplift_install.policy('public.ai_predictions', 'uplift_own_predictions', format('for insert to authenticated with check (%s)', v_own));
        perform uplift_install.policy('public.ai_predictions', 'uplift_own_outcomes',
            format('for update to authenticated using (%1$s) with check (%1$s)', v_own));
    end if;
    if (select relrowsecurity from pg_class where oid = 'public.brand_assets'::regclass) then
        perform uplift_install.policy('public.brand_assets', 'uplift_coaches', 'for select to authenticated using (is_active)');
    end if;
end
$$;
