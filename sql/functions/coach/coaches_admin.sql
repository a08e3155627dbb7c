-- Coaches made, changed and retired by URL. They stay rows of brand_assets, where a deployment may write them by SQL as well.

create or replace function uplift.coach_asset(p_id text) returns public.brand_assets
language plpgsql stable
as $$
declare
    v_asset public.brand_assets;
begin
    -- As uplift.coaches has it: of assets with the same name the oldest counts, of those on offer first.
    select b.* into v_asset from public.brand_assets b
    where b.asset_name = p_id and (b.asset_type = 'coach' or b.asset_name like 'coach\_%')
    order by uplift.is_coach(b.asset_name, b.asset_type, b.usage_notes, b.is_active) desc, b.created_at limit 1;
    return v_asset;
end
$$;

comment on function uplift.coach_asset(text) is 'The row of a coach, on offer or not; nulls for none.';

create or replace function uplift.coach_json(b public.brand_assets) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'coach', 'id', b.asset_name, 'name', coalesce(b.alt_text, b.asset_name), 'description', b.description,
        'personality', b.usage_notes, 'avatar_url', b.asset_url,
        'is_offered', coalesce(uplift.is_coach(b.asset_name, b.asset_type, b.usage_notes, b.is_active), false),
        'is_default', b.asset_name = 'coach_decibel_avatar', 'created_at', b.created_at, 'updated_at', b.updated_at)
$$;

comment on function uplift.coach_json(public.brand_assets) is 'A coach as admins see it.';

create or replace function uplift.found_coach(p_id text) returns public.brand_assets
language plpgsql stable
as $$
declare
    v_asset public.brand_assets := uplift.coach_asset(p_id);
begin
    if v_asset.id is null then
        perform uplift.fail(404, 'coach_not_found', 'there is no such coach');
    end if;
    return v_asset;
end
$$;

comment on function uplift.found_coach(text) is 'uplift.coach_asset() of one that there is. UP404 coach_not_found.';

create or replace function uplift.note_coach_version(b public.brand_assets, p_who text) returns void
language sql volatile
as $$
    insert into uplift.coach_versions (coach_id, name, description, personality, avatar_url, is_offered, made_by)
    select b.asset_name, b.alt_text, b.description, b.usage_notes, b.asset_url,
        coalesce(uplift.is_coach(b.asset_name, b.asset_type, b.usage_notes, b.is_active), false), p_who
$$;

comment on function uplift.note_coach_version(public.brand_assets, text) is 'Keeps what a coach is like now (uplift.coach_versions).';

create or replace function uplift_batch.admin_list_coaches(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after text := uplift.text_argument(p_arguments, 'after', 128);
    v_offered text := p_arguments ->> 'is_offered';
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,is_offered}');
    if v_offered not in ('true', 'false') then
        perform uplift.fail(400, 'invalid_is_offered', 'is_offered must be true or false', 'is_offered');
    end if;
    select array_agg(x.coach order by x.name) into v_rows from (
        select n.name, uplift.coach_json(uplift.coach_asset(n.name)) as coach
        from (select distinct b.asset_name as name from public.brand_assets b where b.asset_type = 'coach' or b.asset_name like 'coach\_%') n
        where (v_after is null or n.name > v_after)
            and (v_offered is null or exists (select from uplift.coaches c where c.id = n.name) = v_offered::boolean)
        order by n.name limit v_limit + 1) x;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_coaches(uuid, jsonb, text) is
    'Coaches, by id: limit, after (an id), is_offered. UP400 invalid_limit, invalid_after, invalid_is_offered, unknown_argument.';

create or replace function uplift_batch.admin_get_coach(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.coach_json(uplift.found_coach(p_name));
end
$$;

comment on function uplift_batch.admin_get_coach(text, jsonb, text) is 'A coach, on offer or not. UP404 coach_not_found.';

create or replace function uplift.coach_argument(p_arguments jsonb, p_name text, p_max int) returns text
language plpgsql immutable
as $$
declare
    v_text text := uplift.text_argument(p_arguments, p_name, p_max);
begin
    if btrim(v_text) = '' then
        perform uplift.fail(400, 'invalid_' || p_name, p_name || ' must say something', p_name);
    end if;
    return v_text;
end
$$;

comment on function uplift.coach_argument(jsonb, text, int) is 'A text of a coach, at most p_max characters, null where it is not named. UP400 invalid_NAME for an empty one, too.';

create or replace function uplift_batch.admin_put_coach(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_before public.brand_assets;
    v_now public.brand_assets;
    v_version uplift.coach_versions;
    v_version_id uuid := uplift.uuid_argument(p_arguments, 'version_id');
    v_offered boolean := uplift.flag_argument(p_arguments, 'is_offered');
begin
    perform uplift.check_arguments(p_arguments, '{name,description,personality,avatar_url,is_offered,version_id}');
    if p_name !~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$' then
        perform uplift.fail(400, 'invalid_id', 'a coach''s id has 1 to 128 letters, digits, underscores, dots and hyphens, and begins with a letter or digit', 'id');
    end if;
    perform pg_advisory_xact_lock(hashtextextended('uplift coach ' || p_name, 0));
    v_before := uplift.coach_asset(p_name);
    if v_before.id is null and exists (select from public.brand_assets b where b.asset_name = p_name) then
        perform uplift.fail(409, 'name_taken', 'something that is no coach has this name in brand_assets: take another', 'id');
    end if;
    v_now := v_before;
    if v_version_id is not null then
        select v.* into v_version from uplift.coach_versions v where v.id = v_version_id and v.coach_id = p_name;
        if not found then
            perform uplift.fail(404, 'version_not_found', 'there is no such version of this coach', 'version_id');
        end if;
        v_now.alt_text := v_version.name;
        v_now.description := v_version.description;
        v_now.usage_notes := v_version.personality;
        v_now.asset_url := v_version.avatar_url;
    end if;
    v_now.alt_text := coalesce(uplift.coach_argument(p_arguments, 'name', 100), v_now.alt_text);
    v_now.usage_notes := coalesce(uplift.coach_argument(p_arguments, 'personality', 20000), v_now.usage_notes);
    -- These may be taken away.
    v_now.description := case when p_arguments ? 'description' then uplift.text_argument(p_arguments, 'description', 500) else v_now.description end;
    v_now.asset_url := case when p_arguments ? 'avatar_url' then uplift.text_argument(p_arguments, 'avatar_url', 2000) else v_now.asset_url end;
    if v_now.usage_notes is null or v_now.usage_notes = '' then
        perform uplift.fail(400, 'missing_personality', 'a coach needs a personality, which says in its prompt who it is', 'personality');
    elsif v_before.id is null and v_now.alt_text is null then
        perform uplift.fail(400, 'missing_name', 'a new coach needs a name', 'name');
    end if;
    v_offered := coalesce(v_offered, v_before.is_active, true);
    if v_before.id is null then
        insert into public.brand_assets (asset_name, asset_type, alt_text, description, usage_notes, asset_url, is_active)
        values (p_name, 'coach', v_now.alt_text, v_now.description, v_now.usage_notes, v_now.asset_url, v_offered)
        returning * into v_now;
    elsif (v_now.alt_text, v_now.description, v_now.usage_notes, v_now.asset_url, v_offered)
            is not distinct from (v_before.alt_text, v_before.description, v_before.usage_notes, v_before.asset_url, v_before.is_active) then
        return uplift.coach_json(v_before);
    else
        if not exists (select from uplift.coach_versions v where v.coach_id = p_name) then
            perform uplift.note_coach_version(v_before, null);
        end if;
        update public.brand_assets b set alt_text = v_now.alt_text, description = v_now.description, usage_notes = v_now.usage_notes,
            asset_url = v_now.asset_url, is_active = v_offered, asset_type = coalesce(b.asset_type, 'coach'), updated_at = now()
        where b.id = v_before.id
        returning * into v_now;
    end if;
    perform uplift.note_coach_version(v_now, p_who);
    return uplift.coach_json(v_now);
end
$$;

comment on function uplift_batch.admin_put_coach(text, jsonb, text) is
    'Changes what is named of a coach, or makes one: name, description, personality, avatar_url, is_offered; version_id brings back what it was like (uplift.coach_versions), under the others. What is there before is kept. UP400 invalid_id, missing_name, missing_personality, invalid_NAME, unknown_argument; UP404 version_not_found; UP409 name_taken.';

create or replace function uplift_batch.admin_retire_coach(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    perform uplift.found_coach(p_name);
    return uplift_batch.admin_put_coach(p_name, '{"is_offered": false}', p_who);
end
$$;

comment on function uplift_batch.admin_retire_coach(text, jsonb, text) is
    'Offers a coach no more; what was said with it stays, and is_offered true brings it back. UP404 coach_not_found.';

create or replace function uplift_batch.admin_list_coach_versions(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after}');
    perform uplift.found_coach(p_name);
    select array_agg(jsonb_build_object('object', 'coach_version', 'id', v.id, 'name', v.name, 'description', v.description, 'personality', v.personality,
        'avatar_url', v.avatar_url, 'is_offered', v.is_offered, 'made_by', v.made_by, 'made_at', v.made_at) order by v.made_at desc, v.id desc) into v_rows from (
        select x.* from uplift.coach_versions x
        where x.coach_id = p_name and (v_after is null or (x.made_at, x.id) < (select a.made_at, a.id from uplift.coach_versions a where a.id = v_after))
        order by x.made_at desc, x.id desc limit v_limit + 1) v;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_coach_versions(text, jsonb, text) is
    'What a coach was like, the latest first: limit, after. UP400 invalid_limit, invalid_after, unknown_argument; UP404 coach_not_found.';

create or replace function uplift_batch.admin_preview_coach(p_name text, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_asset public.brand_assets := uplift.coach_asset(p_name);
    v_changes jsonb := uplift.changes_in_production(p_name);
    v_name text := coalesce(uplift.coach_argument(p_arguments, 'name', 100), v_asset.alt_text, p_name);
    v_personality text := coalesce(uplift.coach_argument(p_arguments, 'personality', 20000), v_changes ->> 'personality', v_asset.usage_notes);
    v_severity numeric := coalesce(uplift.decimal_argument(p_arguments, 'severity', 1, 6), (v_changes ->> 'severity')::numeric, 3.0);
    v_mode text := coalesce(uplift.text_argument(p_arguments, 'mode', 20), 'default');
begin
    perform uplift.check_arguments(p_arguments, '{name,personality,severity,mode}');
    if v_mode not in ('default', 'roast') then
        perform uplift.fail(400, 'invalid_mode', 'mode must be default or roast', 'mode');
    elsif v_personality is null then
        perform uplift.fail(400, 'missing_personality', 'a coach needs a personality, which says in its prompt who it is', 'personality');
    end if;
    return jsonb_build_object('object', 'coach_preview', 'id', p_name,
        'system_prompt', uplift.shared_prompt(v_name, v_personality, v_severity, v_mode)
            || coalesce(uplift.prompt_end(v_changes), ''));
end
$$;

comment on function uplift_batch.admin_preview_coach(text, jsonb, text) is
    'The prompt that a coach would have, of whom there need not be one yet, without what is known of a user: name, personality, severity (else those of production), mode. UP400 missing_personality, invalid_NAME, unknown_argument.';
