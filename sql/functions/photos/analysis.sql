-- The analysis of photos by a model: who does it next, what came of it, and what that foretells.

create or replace function uplift_chat.take_photo(p_lease_ms int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    c_most constant int := 5;
    v_taken jsonb;
begin
    update uplift.food_photos f set attempts = f.attempts + 1, next_at = now() + p_lease_ms * interval '1 millisecond'
    where f.id = (select x.id from uplift.food_photos x
        where x.id in (
            -- Who sends many at once leaves room for others.
            select y.id from (select z.* from uplift.food_photos z where z.status = 'pending' and z.next_at <= now() order by z.next_at limit 200) y
            where y.attempts < c_most)
            and x.status = 'pending' and x.next_at <= now()
        order by exists (select from uplift.food_photos o where o.user_id = x.user_id and o.status = 'pending' and o.attempts > 0 and o.next_at > now()), x.next_at
        limit 1 for update skip locked)
    returning jsonb_build_object('id', f.id, 'attempt', f.attempts, 'user_id', f.user_id) into v_taken;
    -- Whoever began it did not come to an end, again and again.
    update uplift.food_photos f set status = 'failed', error_code = 'analysis_interrupted'
    where f.id in (select x.id from uplift.food_photos x
        where x.status = 'pending' and x.next_at <= now() and x.attempts >= c_most limit 10 for update skip locked);
    return v_taken;
end
$$;

comment on function uplift_chat.take_photo(int) is
    'The photo that has waited longest for its analysis, before it those of users of whom none is under way, {id, attempt, user_id}, which is the caller''s for so long; null for none. What was begun five times and never ended has failed.';

create or replace function uplift.photo_total(p_portions jsonb, p_name text) returns numeric
language sql immutable parallel safe
as $$
    select case when count(*) = count(p ->> p_name) then coalesce(sum((p ->> p_name)::numeric), 0) end
    from jsonb_array_elements(p_portions) p
$$;

comment on function uplift.photo_total(jsonb, text) is 'The sum of a number over portions; null where one of them has none.';

create or replace function uplift.photo_macros(p_portions jsonb) returns jsonb
language sql immutable parallel safe
as $$
    select case when num_nulls(x.protein, x.carbohydrate, x.fat) = 0
        then jsonb_build_object('protein_g', x.protein, 'carbohydrate_g', x.carbohydrate, 'fat_g', x.fat) end
    from (select uplift.photo_total(p_portions, 'protein_g') as protein, uplift.photo_total(p_portions, 'carbohydrate_g') as carbohydrate,
        uplift.photo_total(p_portions, 'fat_g') as fat) x
$$;

comment on function uplift.photo_macros(jsonb) is 'The macronutrients of portions together, {protein_g, carbohydrate_g, fat_g}; null where they are not known of each.';

create or replace function uplift.food_key(p_name text) returns text
language sql immutable parallel safe
as $$ select lower(btrim(regexp_replace(p_name, '\s+', ' ', 'g'))) $$;

comment on function uplift.food_key(text) is 'A food''s name as names are compared: without regard to case and space around it.';

create or replace function uplift.food_keys(p_foods jsonb) returns jsonb
language sql immutable parallel safe
as $$
    select coalesce(jsonb_agg(distinct uplift.food_key(f ->> 'name')), '[]')
    from jsonb_array_elements(case jsonb_typeof(p_foods) when 'array' then p_foods else '[]' end) f where f ->> 'name' is not null
$$;

comment on function uplift.food_keys(jsonb) is 'The names of foods, [{"name"}], as they are compared, each once.';

create or replace function uplift.food_grams(p_portions jsonb) returns jsonb
language sql immutable parallel safe
as $$
    select coalesce(jsonb_object_agg(x.food, x.grams), '{}') from (
        select uplift.food_key(p ->> 'name') as food, sum((p ->> 'grams')::numeric) as grams
        from jsonb_array_elements(case jsonb_typeof(p_portions) when 'array' then p_portions else '[]' end) p
        where p ->> 'grams' is not null and p ->> 'name' is not null group by 1) x
$$;

comment on function uplift.food_grams(jsonb) is 'How many grams of which food portions are, {name as it is compared: grams}.';

create or replace function uplift.foretell_meal(p_photo uplift.food_photos, p_data public.food_photo_training_data) returns uuid[]
language plpgsql volatile
as $$
declare
    v_confidence numeric := (select round(avg((f ->> 'confidence')::numeric), 4) from jsonb_array_elements(p_data.ai_detected_foods) f);
    v_ids uuid[];
begin
    with made as (
        insert into public.ai_predictions (user_id, prediction_type, model_name, model_version, input_data, predicted_output, confidence_score)
        select p_photo.user_id, x.kind, 'uplift-food-photo', left(p_data.model_version, 100), jsonb_build_object('photo_id', p_photo.id), x.output, v_confidence
        from (values
            ('food_classification', uplift.food_keys(p_data.ai_detected_foods)),
            ('portion_size', nullif(uplift.food_grams(p_data.ai_estimated_portions), '{}')),
            ('calorie_estimate', to_jsonb(p_data.ai_estimated_calories)),
            ('macro_breakdown', p_data.ai_estimated_macros)) x(kind, output)
        where x.output is not null
        returning id
    )
    select array_agg(m.id) into v_ids from made m;
    return v_ids;
end
$$;

comment on function uplift.foretell_meal(uplift.food_photos, public.food_photo_training_data) is
    'Records what a model made of a photo as predictions of uplift''s own: which foods, grams of each, calories, macronutrients; their ids.';

create or replace function uplift.count_vision(p_id uuid, p_user_id uuid, p_result jsonb) returns void
language plpgsql volatile
as $$
declare
    v_provider text := coalesce(p_result ->> 'provider', '');
    v_model text := coalesce(p_result ->> 'model', '');
    v_prompt bigint := coalesce((p_result ->> 'prompt_tokens')::bigint, 0);
    v_completion bigint := coalesce((p_result ->> 'completion_tokens')::bigint, 0);
    v_cost numeric := uplift_batch.cost_of_calls(v_model, v_provider, v_prompt, 0, v_completion);
begin
    if not p_result ? 'prompt_tokens' then
        return;
    end if;
    update uplift.food_photos f set prompt_tokens = coalesce(f.prompt_tokens, 0) + v_prompt,
        completion_tokens = coalesce(f.completion_tokens, 0) + v_completion,
        cost_usd = case when v_cost is not null or f.cost_usd is not null then coalesce(f.cost_usd, 0) + coalesce(v_cost, 0) end
    where f.id = p_id;
    insert into uplift.vision_hourly as h (hour, provider, model, calls, prompt_tokens, completion_tokens, cost_usd, unpriced)
    values (date_trunc('hour', now(), 'UTC'), v_provider, v_model, 1, v_prompt, v_completion, coalesce(v_cost, 0), (v_cost is null and v_prompt + v_completion > 0)::int)
    on conflict (hour, provider, model) do update set calls = h.calls + 1, prompt_tokens = h.prompt_tokens + excluded.prompt_tokens,
        completion_tokens = h.completion_tokens + excluded.completion_tokens, cost_usd = h.cost_usd + excluded.cost_usd,
        unpriced = h.unpriced + excluded.unpriced;
    -- Also of who deleted the photo meanwhile; but not of who is gone.
    perform uplift.spend(array[(select u.id from auth.users u where u.id = p_user_id)], array[null::text], array[now()], array[v_cost]);
end
$$;

comment on function uplift.count_vision(uuid, uuid, jsonb) is
    'Counts what a model''s answer about a photo took, {model, provider, prompt_tokens, completion_tokens}, whatever it was good for: with the photo, if that is still there, by the hour, and against the budgets of its user, who may have deleted it, and of all. Without prompt_tokens there was none.';

create or replace function uplift.vision_usage(p_from timestamptz, p_to timestamptz) returns setof uplift.usage_hourly
language sql stable
as $$
    select h.hour, '', h.provider, h.model, 0, 0, 0, 0, 0, 0, 0, h.prompt_tokens, 0, h.completion_tokens, h.cost_usd, 0, 0, h.unpriced, 0, 0, 0, 0,
        '{}'::bigint[], '{}'::bigint[]
    from uplift.vision_hourly h where h.hour >= p_from and h.hour < p_to
$$;

comment on function uplift.vision_usage(timestamptz, timestamptz) is 'What the analysis of photos took from one full hour to another, as use without answers.';

create or replace function uplift_chat.photo_analysed(p_id uuid, p_attempt int, p_user_id uuid, p_result jsonb) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_photo uplift.food_photos;
    v_data public.food_photo_training_data;
    v_foods jsonb := p_result #> '{answer,foods}';
begin
    update uplift.food_photos f set status = 'analysed', analysed_at = clock_timestamp(), error_code = null, provider = p_result ->> 'provider'
    where f.id = p_id and f.attempts = p_attempt and f.status = 'pending'
    returning f.* into v_photo;
    if not found then
        perform uplift.count_vision(p_id, p_user_id, p_result);
        return false;
    end if;
    update public.food_photo_training_data d set
        model_version = p_result ->> 'model',
        ai_detected_foods = (select coalesce(jsonb_agg(jsonb_build_object('name', f -> 'name', 'confidence', f -> 'confidence') order by n), '[]')
            from jsonb_array_elements(v_foods) with ordinality x(f, n)),
        ai_estimated_portions = (select coalesce(jsonb_agg(f - 'confidence' order by n), '[]') from jsonb_array_elements(v_foods) with ordinality x(f, n)),
        ai_estimated_calories = uplift.photo_total(v_foods, 'calories'),
        ai_estimated_macros = uplift.photo_macros(v_foods),
        analysis_time_ms = (p_result ->> 'analysis_time_ms')::int,
        lighting_quality = p_result #>> '{answer,lighting_quality}', image_angle = p_result #>> '{answer,image_angle}',
        background_complexity = p_result #>> '{answer,background_complexity}'
    where d.id = p_id
    returning d.* into v_data;
    update uplift.food_photos f set prediction_ids = uplift.foretell_meal(v_photo, v_data) where f.id = p_id;
    -- Who was quicker than the model has said what came.
    perform uplift.judge_meal(p_id);
    perform uplift.tell_of_meals(v_photo.user_id);
    perform uplift.count_vision(p_id, p_user_id, p_result);
    return true;
end
$$;

comment on function uplift_chat.photo_analysed(uuid, int, uuid, jsonb) is
    'What a model said of a photo, taken of a user: {model, provider, prompt_tokens, completion_tokens, analysis_time_ms, answer: {foods: [{name, confidence, amount, unit, grams, calories, protein_g, carbohydrate_g, fat_g}], lighting_quality, image_angle, background_complexity}}. False where it is not the attempt''s any more.';

create or replace function uplift_chat.photo_failed(p_id uuid, p_attempt int, p_user_id uuid, p_failure jsonb) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    c_tries constant int := 3;
    v_again boolean := (p_failure ->> 'may_pass')::boolean and p_attempt < c_tries;
    v_type text := uplift.error_word(p_failure ->> 'reason');
    v_status int := (p_failure ->> 'http_status')::int;
    v_photo uplift.food_photos;
begin
    update uplift.food_photos f set status = case when v_again then f.status else 'failed' end,
        error_code = case when not v_again then p_failure ->> 'code' end,
        next_at = now() + greatest(coalesce((p_failure ->> 'retry_after_ms')::numeric, 0), 2000 * 4 ^ (p_attempt - 1)) * interval '1 millisecond'
    where f.id = p_id and f.attempts = p_attempt and f.status = 'pending'
    returning f.* into v_photo;
    if not found then
        perform uplift.count_vision(p_id, p_user_id, p_failure);
        return false;
    end if;
    insert into public.ai_errors (user_id, error_type, model_name, provider, attempt, http_status, error_code, fingerprint, user_visible,
        auto_recovered, manual_intervention_required, duration_ms, input_data)
    values (v_photo.user_id, v_type, left(p_failure ->> 'model', 256), left(p_failure ->> 'provider', 256), p_attempt, v_status,
        case when not v_again then p_failure ->> 'code' end, uplift.error_fingerprint(v_type, left(p_failure ->> 'provider', 256), left(p_failure ->> 'model', 256), v_status),
        not v_again, v_again, coalesce(v_status in (401, 403), false), (p_failure ->> 'duration_ms')::int, jsonb_build_object('photo_id', p_id));
    perform uplift.count_vision(p_id, p_user_id, p_failure);
    return true;
end
$$;

comment on function uplift_chat.photo_failed(uuid, int, uuid, jsonb) is
    'No model said what is on a photo, taken of a user: {reason, code, model, provider, http_status, duration_ms, may_pass, retry_after_ms}, and, of an answer of no use, prompt_tokens and completion_tokens. Where it may pass it is tried again, three times in all. Noted in ai_errors. False where it is not the attempt''s any more.';

create or replace function uplift_chat.give_back_photo(p_id uuid, p_attempt int) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
    update uplift.food_photos f set attempts = f.attempts - 1, next_at = now()
    where f.id = p_id and f.attempts = p_attempt and f.status = 'pending'
$$;

comment on function uplift_chat.give_back_photo(uuid, int) is 'Whoever began a photo''s analysis has to end: another begins at once.';
