-- Versions of prompts, by content. A prompt is taken apart once, when an answer first has it, so that no
-- chat pays for it.

create or replace function uplift.prompt_version_id(p_name text, p_personality text, p_suffix text) returns uuid
language sql immutable parallel safe
as $$ select uplift.text_hash(concat_ws(e'\u0001', p_name, p_personality, coalesce(p_suffix, ''))) $$;

comment on function uplift.prompt_version_id(text, text, text) is 'What the wording of a coach''s prompt is known by.';

create or replace function uplift.parts_of_prompt(p_prompt text, out name text, out personality text, out suffix text)
language plpgsql immutable strict
as $$
declare
    c_persona constant text := e', a personal coach in a chat. Stay in character throughout.\n\n# Persona\n';
    c_rules constant text := e'\n\n# House rules\n';
    v_at int := strpos(p_prompt, c_persona);
    v_rest text;
    v_severity text;
    v_mode text;
    v_shared text;
begin
    if v_at = 0 or not starts_with(p_prompt, 'You are ') then
        return;
    end if;
    name := substr(p_prompt, 9, v_at - 9);
    v_rest := substr(p_prompt, v_at + length(c_persona));
    -- A personality may have such a heading itself: the first place from which on all is as it should be is the one.
    v_at := 0;
    loop
        exit when strpos(substr(v_rest, v_at + 1), c_rules) = 0;
        v_at := v_at + strpos(substr(v_rest, v_at + 1), c_rules);
        personality := substr(v_rest, 1, v_at - 1);
        v_severity := substring(substr(v_rest, v_at) from '# Tone: severity ([1-6]\.[0-9]) of 6\.0, ');
        foreach v_mode in array '{roast,default}'::text[] loop
            v_shared := uplift.shared_prompt(name, personality, v_severity::numeric, v_mode);
            if starts_with(p_prompt, v_shared) then
                suffix := ltrim(substr(p_prompt, length(v_shared) + 1), e'\n');
                return;
            end if;
        end loop;
    end loop;
    name := null;
    personality := null;
end
$$;

comment on function uplift.parts_of_prompt(text, out text, out text, out text) is
    'What uplift.shared_prompt() and an experiment made a prompt of; nulls for one that they did not make, such as of an earlier uplift.';

create or replace function uplift.note_prompt_version(p_prompt text) returns uuid
language plpgsql volatile
as $$
declare
    v_parts record;
    v_id uuid;
begin
    select x.* into v_parts from uplift.parts_of_prompt(p_prompt) x;
    if v_parts.name is null then
        return null;
    end if;
    v_id := uplift.prompt_version_id(v_parts.name, v_parts.personality, v_parts.suffix);
    insert into uplift.prompt_versions (id, name, personality, prompt_suffix)
    values (v_id, v_parts.name, v_parts.personality, v_parts.suffix) on conflict (id) do nothing;
    return v_id;
end
$$;

comment on function uplift.note_prompt_version(text) is 'The version that a prompt is of, which is there afterwards; null where that cannot be told.';

create or replace function uplift.prompt_version_json(p_version uplift.prompt_versions) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'prompt_version', 'id', p_version.id, 'name', p_version.name, 'personality', p_version.personality,
        'prompt_suffix', p_version.prompt_suffix, 'created_at', p_version.created_at, 'coaches', (
            select coalesce(jsonb_agg(c.id order by c.id), '[]') from uplift.coaches c
            where c.name = p_version.name and uplift.prompt_version_id(c.name,
                coalesce(uplift.changes_in_production(c.id) ->> 'personality', c.personality),
                ltrim(uplift.prompt_end(uplift.changes_in_production(c.id)), e'\n')) = p_version.id))
$$;

comment on function uplift.prompt_version_json(uplift.prompt_versions) is
    'A version of a prompt as admins see it; coaches are those whose answers have it now, experiments aside.';

create or replace function uplift_batch.admin_list_prompt_versions(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,name}');
    select array_agg(uplift.prompt_version_json(x.version) order by x.created_at desc, x.id desc) into v_rows from (
        select v as version, v.created_at, v.id from uplift.prompt_versions v
        where (v_after is null or (v.created_at, v.id) < (select y.created_at, y.id from uplift.prompt_versions y where y.id = v_after))
            and (not p_arguments ? 'name' or v.name = p_arguments ->> 'name')
        order by v.created_at desc, v.id desc limit v_limit + 1) x;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_prompt_versions(uuid, jsonb, text) is
    'Versions of prompts, the newest first: limit, after, name (the display name of a coach).';

create or replace function uplift_batch.admin_get_prompt_version(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_json jsonb;
begin
    perform uplift.check_arguments(p_arguments, '{}');
    select uplift.prompt_version_json(v) into v_json from uplift.prompt_versions v where v.id = p_id;
    if v_json is null then
        perform uplift.fail(404, 'prompt_version_not_found', 'there is no such version of a prompt');
    end if;
    return v_json || jsonb_build_object('days', 7) || (
        select jsonb_build_object('answers', count(*), 'users', count(distinct a.user_id), 'thumbs', count(a.helpful),
            'thumbs_up_rate', round(count(*) filter (where a.helpful)::numeric / nullif(count(a.helpful), 0), 4))
        from public.coach_response_feedback a
        where a.id >= uplift.first_id_of(now() - interval '168 hours')
            and a.system_prompt_id in (select s.id from uplift.system_prompts s where s.version_id = p_id));
end
$$;

comment on function uplift_batch.admin_get_prompt_version(uuid, jsonb, text) is
    'A version of a prompt, with how it did in the last seven days: answers, users, thumbs, thumbs_up_rate. UP404 prompt_version_not_found.';
