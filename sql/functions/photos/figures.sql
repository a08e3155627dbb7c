-- How good the analysis of photos is, by the model that made it, by what users say was on their plates.

create or replace function uplift.photo_findings(p_since timestamptz, p_until timestamptz)
returns table (id uuid, model_version text, row_data public.food_photo_training_data, cost numeric)
language sql stable
as $$
    select f.id, d.model_version, d, f.cost_usd
    from uplift.food_photos f join public.food_photo_training_data d on d.id = f.id
    where f.id >= uplift.first_id_of(p_since) and f.id < uplift.first_id_of(p_until) and f.status = 'analysed'
$$;

comment on function uplift.photo_findings(timestamptz, timestamptz) is 'The photos of a time that a model has analysed.';

create or replace function uplift.photo_figures(p_since timestamptz, p_until timestamptz)
returns table (model_version text, photos bigint, corrected bigint, severities jsonb, foods jsonb, portions jsonb, calories jsonb, macros jsonb, calibration jsonb,
    median_correction_seconds double precision, median_analysis_ms double precision, cost_usd numeric)
language sql stable
as $$
    with photos as materialized (
        select x.model_version, x.row_data as d, x.cost, uplift.has_correction(x.row_data) as is_said from uplift.photo_findings(p_since, p_until) x
    ), foods as materialized (
        -- A food that both name is right; the model's others are wrong, and the user's others were missed.
        select p.model_version, p.d, k.food, k.confidence, k.is_seen, k.is_there
        from photos p
        cross join lateral (
            select coalesce(s.food, t.food) as food, s.confidence, s.food is not null as is_seen, t.food is not null as is_there
            from (select uplift.food_key(f ->> 'name') as food, max((f ->> 'confidence')::numeric) as confidence
                from jsonb_array_elements((p.d).ai_detected_foods) f group by 1) s
            full join (select f as food from jsonb_array_elements_text(uplift.food_keys((p.d).user_confirmed_foods)) f) t on t.food = s.food) k
        where p.is_said and (p.d).user_confirmed_foods is not null
    ), food_figures as (
        select f.model_version, count(*) filter (where f.is_seen and f.is_there) as hits, count(*) filter (where f.is_seen) as seen, count(*) filter (where f.is_there) as there
        from foods f group by 1
    ), bins as (
        select f.model_version, uplift.confidence_bin(f.confidence::float8) as bin, count(*) as n, avg(f.confidence)::float8 as confidence,
            avg(f.is_there::int)::float8 as rate, sum((f.confidence - f.is_there::int) ^ 2)::float8 as squares
        from foods f where f.confidence is not null group by 1, 2
    ), calibrations as (
        select b.model_version, jsonb_build_object('n', sum(b.n), 'brier', round((sum(b.squares) / sum(b.n))::numeric, 4),
            'ece', round((sum(b.n * abs(b.confidence - b.rate)) / sum(b.n))::numeric, 4),
            'bins', jsonb_agg(jsonb_build_object('from', b.bin / 10.0, 'n', b.n, 'confidence', round(b.confidence::numeric, 4), 'right', round(b.rate::numeric, 4)) order by b.bin)) as said
        from bins b group by 1
    ), numbers as (
        select p.model_version, 'calories' as kind, null as name, (p.d).ai_estimated_calories as predicted, (p.d).user_confirmed_calories as actual
        from photos p where p.is_said and (p.d).ai_estimated_calories is not null and (p.d).user_confirmed_calories is not null
        union all
        select p.model_version, 'portions', null, n.predicted, n.actual
        from photos p cross join lateral uplift.number_pairs(uplift.food_grams((p.d).ai_estimated_portions), uplift.food_grams((p.d).user_confirmed_portions)) n where p.is_said
        union all
        select p.model_version, 'macros', m.name, uplift.foretold_number((p.d).ai_estimated_macros -> m.name), uplift.foretold_number((p.d).user_confirmed_macros -> m.name)
        from photos p cross join unnest('{protein_g,carbohydrate_g,fat_g}'::text[]) m(name)
        where p.is_said and (p.d).ai_estimated_macros ? m.name and (p.d).user_confirmed_macros ? m.name
    ), errors as (
        select n.model_version, n.kind, n.name, jsonb_build_object('n', count(*), 'mae', round(avg(abs(n.predicted - n.actual)), 2),
            'mape', round(avg(abs(n.predicted - n.actual) / n.actual) filter (where n.actual > 0), 4)) as said
        from numbers n group by 1, 2, 3
    ), whole as (
        select p.model_version, count(*) as photos, count(*) filter (where p.is_said) as corrected,
            percentile_cont(0.5) within group (order by (p.d).user_correction_time_seconds) as seconds,
            percentile_cont(0.5) within group (order by (p.d).analysis_time_ms) as ms, sum(p.cost) as cost
        from photos p group by 1
    )
    select w.model_version, w.photos, w.corrected,
        (select coalesce(jsonb_object_agg(s.severity, s.n), '{}') from (select (p.d).correction_severity as severity, count(*) as n
            from photos p where p.model_version = w.model_version and (p.d).correction_severity is not null group by 1) s),
        (select jsonb_build_object('n', f.there, 'precision', round(f.hits::numeric / nullif(f.seen, 0), 4), 'recall', round(f.hits::numeric / nullif(f.there, 0), 4),
            'f1', round(2.0 * f.hits / nullif(f.seen + f.there, 0), 4)) from food_figures f where f.model_version = w.model_version),
        (select e.said from errors e where e.model_version = w.model_version and e.kind = 'portions'),
        (select e.said from errors e where e.model_version = w.model_version and e.kind = 'calories'),
        (select jsonb_object_agg(e.name, e.said) from errors e where e.model_version = w.model_version and e.kind = 'macros'),
        (select c.said from calibrations c where c.model_version = w.model_version), w.seconds, w.ms, w.cost
    from whole w
$$;

comment on function uplift.photo_figures(timestamptz, timestamptz) is
    'How good the analysis of the photos of a time is, by model version, over those of which the user has said what was there: foods over all photos together (a food that both name is right), portions in grams of foods that both name, calories and macronutrients of meals, and how often foods are there that were seen with a confidence; and what all photos cost, null where no price is known.';

create or replace function uplift_batch.admin_photo_accuracy(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
declare
    v_since timestamptz := coalesce(uplift.time_argument(p_arguments, 'since'), now() - interval '2160 hours');
    v_until timestamptz := coalesce(uplift.time_argument(p_arguments, 'until'), now() + interval '24 hours');
    v_model text := uplift.model_argument(p_arguments, 'model_version');
begin
    perform uplift.check_arguments(p_arguments, '{since,until,model_version}');
    return jsonb_build_object('object', 'photo_accuracy', 'since', v_since, 'until', v_until, 'data', (
        select coalesce(jsonb_agg(to_jsonb(x) order by x.photos desc, x.model_version), '[]') from uplift.photo_figures(v_since, v_until) x
        where v_model is null or x.model_version = v_model));
end
$$;

comment on function uplift_batch.admin_photo_accuracy(uuid, jsonb, text) is
    'uplift.photo_figures() of a time: since (90 days ago), until, model_version. UP400 invalid_since, invalid_until, invalid_model_version, unknown_argument.';
