-- Photos of meals: kept, shown and deleted. Their files are fcgi-chat's to write and delete; what is said here is which.

create or replace function uplift.photo_json(p_id uuid) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'food_photo', 'id', f.id, 'status', f.status, 'error_code', f.error_code, 'photo_url', d.photo_url,
        'width', f.width, 'height', f.height, 'bytes', f.bytes, 'model_version', case when f.status = 'analysed' then d.model_version end,
        'ai_detected_foods', d.ai_detected_foods, 'ai_estimated_portions', d.ai_estimated_portions,
        'ai_estimated_calories', d.ai_estimated_calories, 'ai_estimated_macros', d.ai_estimated_macros, 'analysis_time_ms', d.analysis_time_ms,
        'user_confirmed_foods', d.user_confirmed_foods, 'user_confirmed_portions', d.user_confirmed_portions,
        'user_confirmed_calories', d.user_confirmed_calories, 'user_confirmed_macros', d.user_confirmed_macros,
        'correction_severity', d.correction_severity, 'user_correction_time_seconds', d.user_correction_time_seconds,
        'lighting_quality', d.lighting_quality, 'image_angle', d.image_angle, 'background_complexity', d.background_complexity,
        'analysed_at', f.analysed_at, 'corrected_at', d.corrected_at, 'created_at', f.created_at)
    from uplift.food_photos f join public.food_photo_training_data d on d.id = f.id where f.id = p_id
$$;

comment on function uplift.photo_json(uuid) is 'A photo as its user sees it; null for one that is not there.';

create or replace function uplift.photo_of(p_user_id uuid, p_id uuid) returns uplift.food_photos
language plpgsql stable
as $$
declare
    v_photo uplift.food_photos;
begin
    select f.* into v_photo from uplift.food_photos f where f.id = p_id and f.user_id = p_user_id;
    if not found then
        perform uplift.fail(404, 'photo_not_found', 'there is no such photo');
    end if;
    return v_photo;
end
$$;

comment on function uplift.photo_of(uuid, uuid) is 'A photo of a user. UP404 photo_not_found, the same for none and another user''s.';

create or replace function uplift_chat.begin_photo(p_user_id uuid, p_id uuid, p_hash text, p_address text, p_api_key text, p_model text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_most bigint := uplift.setting_number('photos.max_per_day', 100);
    v_known uuid;
    v_refusal jsonb;
begin
    -- Before anything is decoded, also where that will be in vain.
    select l.refusal into v_refusal from uplift.charge_limits(array[1], array[p_user_id::text], array[p_address], array[p_api_key], array[0]) l;
    if v_refusal is not null then
        return jsonb_build_object('refusal', v_refusal);
    end if;
    select f.id into v_known from uplift.food_photos f where f.user_id = p_user_id and f.photo_hash = decode(p_hash, 'hex');
    if found then
        return jsonb_build_object('photo', uplift.photo_json(v_known));
    end if;
    -- Nothing is cheaper here: a model that answers chats for less need not see.
    if p_model is not null then
        select b.refusal into v_refusal from uplift.check_budgets(p_user_id, null) b;
        if v_refusal is null and uplift.lacks_price(p_model) and exists (
                select from uplift.budgets b where b.is_enabled and (b.scope = 'total' or b.scope = 'user' and b.key in ('', p_user_id::text))) then
            v_refusal := uplift.refusal(403, 'model_not_priced', format('the model %s, which would look at the photo, has no price, and so cannot be used under a budget; the server''s operator can set one', p_model), null);
        end if;
        if v_refusal is not null then
            return jsonb_build_object('refusal', v_refusal);
        end if;
    end if;
    perform uplift.see_user(p_user_id);
    if (select coalesce(sum(t.photos), 0) from uplift.photos_taken t where t.user_id = p_user_id and t.hour > now() - interval '24 hours') >= v_most then
        perform uplift.fail(429, 'too_many_photos', format('at most %s photos of a user are taken in 24 hours', v_most));
    end if;
    -- Whatever becomes of the file that is written now, somebody knows of it.
    insert into uplift.photo_removals (photo_id, due_at) values (p_id, now() + interval '1 hour');
    return null;
end
$$;

comment on function uplift_chat.begin_photo(uuid, uuid, text, text, text, text) is
    'Before a photo''s file is written under the id: {photo} where the user has sent it before (SHA-256 in hexadecimal digits), {refusal} where a rate limit, which is charged as for a chat, or a budget refuses it, also for want of the model''s price (403 model_not_priced), else null. Without a model that will look at it (null) it costs nothing. UP403 unknown_user; UP429 too_many_photos (setting photos.max_per_day).';

create or replace function uplift_chat.add_photo(p_user_id uuid, p_id uuid, p_hash text, p_width int, p_height int, p_bytes int, p_model text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_known uuid;
begin
    -- An erasure that is under way would not see its rows.
    perform pg_advisory_xact_lock_shared(uplift.erasure_lock(p_user_id));
    perform uplift.see_user(p_user_id);
    insert into public.food_photo_training_data (id, user_id, photo_url, photo_hash, model_version, ai_detected_foods)
    values (p_id, p_user_id, '/v1/food-photos/' || p_id || '/image', p_hash, coalesce(p_model, 'none'), '[]');
    begin
        insert into uplift.food_photos (id, user_id, photo_hash, status, width, height, bytes)
        values (p_id, p_user_id, decode(p_hash, 'hex'), case when p_model is null then 'off' else 'pending' end, p_width, p_height, p_bytes);
    exception when unique_violation then
        -- Sent twice at once: the other one was quicker.
        select f.id into v_known from uplift.food_photos f where f.user_id = p_user_id and f.photo_hash = decode(p_hash, 'hex');
        if not found then
            perform uplift.fail(409, 'photo_deleted', 'the photo was deleted at this moment; send it again');
        end if;
        delete from public.food_photo_training_data d where d.id = p_id;
        update uplift.photo_removals r set due_at = now() where r.photo_id = p_id;
        return jsonb_build_object('is_new', false, 'photo', uplift.photo_json(v_known));
    end;
    insert into uplift.photos_taken as t (user_id, hour, photos) values (p_user_id, date_trunc('hour', now(), 'UTC'), 1)
    on conflict (user_id, hour) do update set photos = t.photos + 1;
    delete from uplift.photo_removals r where r.photo_id = p_id;
    return jsonb_build_object('is_new', true, 'photo', uplift.photo_json(p_id));
end
$$;

comment on function uplift_chat.add_photo(uuid, uuid, text, int, int, int, text) is
    'A photo whose file is there, with the hash of what was sent, its size as it is kept, and the model that will analyse it (null: none does): {is_new, photo}. UP403 unknown_user; UP409 photo_deleted.';

create or replace function uplift_chat.get_photo(p_user_id uuid, p_id uuid) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    return uplift.photo_json((uplift.photo_of(p_user_id, p_id)).id);
end
$$;

comment on function uplift_chat.get_photo(uuid, uuid) is 'A photo of a user. UP404 photo_not_found.';

create or replace function uplift_chat.list_photos(p_user_id uuid, p_limit int, p_before uuid) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_before timestamptz;
    v_rows jsonb[];
begin
    if p_before is not null then
        v_before := (uplift.photo_of(p_user_id, p_before)).created_at;
    end if;
    select array_agg(uplift.photo_json(x.id) order by x.created_at desc, x.id desc) into v_rows
    from (
        select f.id, f.created_at from uplift.food_photos f
        where f.user_id = p_user_id and (p_before is null or (f.created_at, f.id) < (v_before, p_before))
        order by f.created_at desc, f.id desc limit p_limit + 1) x;
    return uplift.list_page(v_rows, p_limit);
end
$$;

comment on function uplift_chat.list_photos(uuid, int, uuid) is
    'The photos of a user, newest first: {object, data, has_more}; those before the one with the id p_before, where that is not null. UP404 photo_not_found.';

create or replace function uplift_chat.delete_photo(p_user_id uuid, p_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_photo uplift.food_photos;
begin
    -- In the order in which photo_analysed() takes them, and with the predictions that it made until now.
    select f.* into v_photo from uplift.food_photos f where f.id = p_id and f.user_id = p_user_id for update;
    if not found then
        perform uplift.fail(404, 'photo_not_found', 'there is no such photo');
    end if;
    delete from public.ai_predictions p where p.id = any (v_photo.prediction_ids) and p.user_id = p_user_id;
    delete from public.food_photo_training_data d where d.id = p_id;
    perform uplift.tell_of_meals(p_user_id);
    return jsonb_build_object('object', 'food_photo.deleted', 'id', p_id, 'deleted', true);
end
$$;

comment on function uplift_chat.delete_photo(uuid, uuid) is
    'Deletes a photo of a user, with what was foretold and said of it; its file follows within seconds. UP404 photo_not_found.';

create or replace function uplift_chat.photo_files(p_user_id uuid, p_after uuid) returns table (id uuid, created_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
    select f.id, f.created_at from uplift.food_photos f
    where f.user_id = p_user_id and (p_after is null or f.id > p_after) order by f.id limit 500
$$;

comment on function uplift_chat.photo_files(uuid, uuid) is 'The photos of a user for an archive of all of them: 500, those after one.';

-- --- files that are to go ---

create or replace function uplift.photos_gone() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.photo_removals (photo_id, due_at) select g.id, clock_timestamp() from gone_rows g
    on conflict (photo_id) do update set due_at = excluded.due_at;
    return null;
end
$$;

comment on function uplift.photos_gone() is 'Trigger of uplift.food_photos: the files of rows that are deleted, by whomever, are to be deleted.';

do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'uplift.food_photos'::regclass and tgname = 'uplift_photos_gone') then
        create trigger uplift_photos_gone after delete on uplift.food_photos referencing old table as gone_rows
            for each statement execute function uplift.photos_gone();
    end if;
end
$$;

create or replace function uplift_chat.due_photo_removals() returns table (photo_id uuid)
language sql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
    select r.photo_id from uplift.photo_removals r
    where r.due_at <= clock_timestamp() and not exists (select from uplift.food_photos f where f.id = r.photo_id)
    order by r.due_at limit 200
$$;

comment on function uplift_chat.due_photo_removals() is 'Photos whose files are to be deleted now, at most 200.';

create or replace function uplift_chat.photos_removed(p_ids uuid[]) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_count int;
begin
    delete from uplift.photo_removals r where r.photo_id = any (p_ids);
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

comment on function uplift_chat.photos_removed(uuid[]) is 'The files of these photos are deleted; how many of them were to be.';

create or replace function uplift_batch.admin_get_photo(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_photo jsonb := uplift.photo_json(p_id);
begin
    perform uplift.check_arguments(p_arguments, '{}');
    if v_photo is null then
        perform uplift.fail(404, 'photo_not_found', 'there is no such photo');
    end if;
    return v_photo || jsonb_build_object('user_id', (select f.user_id from uplift.food_photos f where f.id = p_id),
        'photo_url', format('/admin/food-photos/%s/image', p_id));
end
$$;

comment on function uplift_batch.admin_get_photo(uuid, jsonb, text) is 'A photo of whichever user, with user_id. UP404 photo_not_found.';
