-- Photos of which users have said what is on them, as data to train with: of users who let theirs be used, at the moment of the export.

create or replace function uplift.photo_label(d public.food_photo_training_data) returns jsonb
language sql stable
as $$
    -- As a model is asked to answer (src/common/meal_form.c).
    select jsonb_build_object('foods', coalesce(jsonb_agg(p || jsonb_build_object('confidence', 1) order by n), '[]'),
        'lighting_quality', coalesce(d.lighting_quality, 'good'), 'image_angle', coalesce(d.image_angle, 'oblique'),
        'background_complexity', coalesce(d.background_complexity, 'simple'))
    from jsonb_array_elements(coalesce(d.user_confirmed_portions, '[]')) with ordinality x(p, n)
$$;

comment on function uplift.photo_label(public.food_photo_training_data) is 'What a model should have said of a photo, in the form in which it is asked to.';

create or replace function uplift.is_whole_meal(d public.food_photo_training_data) returns boolean
language sql stable
as $$
    select uplift.food_keys(d.user_confirmed_portions) = uplift.food_keys(d.user_confirmed_foods)
        and not exists (select from jsonb_array_elements(d.user_confirmed_portions) p
            where not p ?& '{amount,unit,grams,calories,protein_g,carbohydrate_g,fat_g}'::text[])
$$;

comment on function uplift.is_whole_meal(public.food_photo_training_data) is 'Whether the user''s word on a photo has all that a model is asked for.';

create or replace function uplift_batch.export_photos(p_after uuid, p_split text, p_is_whole boolean, p_log uuid)
returns table (id uuid, after uuid, line text, label text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_user_id uuid;
    v_users uuid[];
begin
    for id, after, line, label, v_user_id in
        select case when x.is_to_go then x.id end, x.id,
            case when x.is_to_go then jsonb_build_object('file_name', 'images/' || x.id || '.jpg', 'split', uplift.training_split(x.user_id), 'width', x.width, 'height', x.height,
                'foods', (x.d).user_confirmed_foods, 'portions', (x.d).user_confirmed_portions, 'calories', (x.d).user_confirmed_calories,
                'macros', (x.d).user_confirmed_macros, 'model_version', (x.d).model_version, 'detected_foods', (x.d).ai_detected_foods,
                'correction_severity', (x.d).correction_severity)::text end,
            case when x.is_to_go then uplift.photo_label(x.d)::text end, case when x.is_to_go then x.user_id end
        from (
            select f.id, f.user_id, f.width, f.height, d, uplift.may_train(f.user_id)
                and (d).user_confirmed_foods is not null and (not p_is_whole or uplift.is_whole_meal(d))
                and (p_split is null or uplift.training_split(f.user_id) = p_split)
                -- Names of foods are the user's words.
                and not exists (select from jsonb_array_elements((d).user_confirmed_foods) e
                    where uplift.redact(e ->> 'name', uplift.profile_names(f.user_id)) <> e ->> 'name') as is_to_go
            from (select y.* from uplift.food_photos y where p_after is null or y.id > p_after order by y.id limit 200) f
            join public.food_photo_training_data d on d.id = f.id) x
        order by x.id
    loop
        v_users := v_users || v_user_id;
        return next;
    end loop;
    perform uplift.note_shown(p_log, v_users);
end
$$;

comment on function uplift_batch.export_photos(uuid, text, boolean, uuid) is
    'The next 200 photos after one: those that may be exported with a line about the file and the label (uplift.photo_label), all others with null in place of the id. May be: its user lets data be used now, has said what is on it (p_is_whole: all that a model is asked for), is of the split (null: any), and named no food by anything personal. p_log is the line of uplift.admin_log that says whose were shown.';
