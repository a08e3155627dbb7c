-- What is remembered of users at all, as admins see it, set it, and try it out.

create or replace function uplift.memory_policy() returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'memory_policy') || coalesce(jsonb_object_agg(substr(s.key, 8), s.value), '{}')
    from uplift.settings s
    where s.key in ('memory.credentials', 'memory.health', 'memory.minors', 'memory.names', 'memory.max_per_user', 'memory.max_tokens', 'memory.passage_tokens')
$$;

comment on function uplift.memory_policy() is
    'What becomes of what is sensitive (credentials, health, minors, names: keep, mask or refuse), and how much is kept of a user and goes into a prompt (max_per_user, max_tokens, passage_tokens).';

create or replace function uplift.put_memory_policy(p_arguments jsonb) returns void
language plpgsql volatile
as $$
declare
    v record;
    v_problem text;
begin
    for v in
        select a.key as name, a.value, k.* from jsonb_each(p_arguments) a join uplift.known_settings() k on k.key = 'memory.' || a.key order by a.key
    loop
        v_problem := uplift.setting_problem(v.kind, v.value, v.at_least, v.at_most, v.words);
        if v_problem is not null and v.kind = 'word' then
            perform uplift.fail(400, 'invalid_policy', format('%s must be %s', v.name, v_problem), v.name);
        elsif v_problem is not null then
            perform uplift.fail(400, 'invalid_' || v.name, format('%s must be %s', v.name, v_problem), v.name);
        end if;
        perform uplift.put_setting(v.key, v.value);
    end loop;
end
$$;

comment on function uplift.put_memory_policy(jsonb) is
    'Sets what is named of uplift.memory_policy(), to what uplift.known_settings() allows. UP400 invalid_policy, invalid_max_per_user, invalid_max_tokens, invalid_passage_tokens.';

create or replace function uplift_batch.admin_memory_policy(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.memory_policy();
end
$$;

comment on function uplift_batch.admin_memory_policy(uuid, jsonb, text) is 'What is remembered of users (uplift.memory_policy).';

create or replace function uplift_batch.admin_edit_memory_policy(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{credentials,health,minors,names,max_per_user,max_tokens,passage_tokens}');
    perform uplift.put_memory_policy(p_arguments);
    return uplift.memory_policy();
end
$$;

comment on function uplift_batch.admin_edit_memory_policy(uuid, jsonb, text) is
    'Changes what is named of what is remembered of users, from what they say next on; what is remembered stays as it is. UP400 as uplift.put_memory_policy, unknown_argument.';

create or replace function uplift_batch.admin_try_memory_policy(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_text text := uplift.text_argument(p_arguments, 'text', 2000);
    v_found jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{text,credentials,health,minors,names}');
    if v_text is null then
        perform uplift.fail(400, 'missing_text', 'text is what a user might say', 'text');
    end if;
    -- By another policy, where one is named, for as long as this takes.
    begin
        perform uplift.put_memory_policy(p_arguments - 'text');
        select coalesce(jsonb_agg(jsonb_build_object('type', f.memory_type, 'subject', f.subject, 'said', f.memory_text,
            'kept', case when not i.is_one then k.text end,
            'left_out', case when i.is_one then 'instruction' when k.text is null then 'refused' end) order by f.n), '[]') into v_found
        from (select x.* from uplift.find_memories(v_text) x order by x.n limit 10) f
        cross join lateral (select uplift.memory_as_kept(f.memory_text)) k(text)
        cross join lateral (select uplift.looks_like_injection(f.memory_text)) i(is_one);
        raise exception using errcode = 'UPDRY', message = 'what was done to see what would be done';
    exception when sqlstate 'UPDRY' then
        null;
    end;
    return jsonb_build_object('object', 'list', 'data', v_found, 'has_more', false);
end
$$;

comment on function uplift_batch.admin_try_memory_policy(uuid, jsonb, text) is
    'What would be remembered of a text, by rules: text, and a policy to try, in place of the one that holds; nothing is kept. UP400 missing_text, invalid_text, invalid_policy, unknown_argument.';
