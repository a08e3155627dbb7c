-- Predictions: what a model foretold of a user, with how much confidence, and what came.
--
-- Whoever writes the outcome, a trigger works out how right the prediction was and how late that is known, and notes the
-- day it is of, whose figures are then measured anew (prediction_figures.sql).

create or replace function uplift.foretold_number(p_value jsonb) returns numeric
language sql immutable parallel safe
as $$
    select case when jsonb_typeof(p_value) = 'number' and abs((p_value #>> '{}')::numeric) < 1e15 then round((p_value #>> '{}')::numeric, 6) end
$$;

comment on function uplift.foretold_number(jsonb) is
    'A number of JSON, to six places; null for anything else, and for numbers of 1e15 and more, by which no figure is worked out.';

create or replace function uplift.number_pairs(p_predicted jsonb, p_actual jsonb) returns table (predicted numeric, actual numeric)
language plpgsql immutable
as $$
#variable_conflict use_column
begin
    if jsonb_typeof(p_predicted) = 'number' and jsonb_typeof(p_actual) = 'number' then
        return query select x.p, x.a from (select uplift.foretold_number(p_predicted) as p, uplift.foretold_number(p_actual) as a) x
            where x.p is not null and x.a is not null;
    elsif jsonb_typeof(p_predicted) = 'object' and jsonb_typeof(p_actual) = 'object' then
        return query select x.p, x.a
            from jsonb_each(p_predicted) e
            cross join lateral (select uplift.foretold_number(e.value) as p, uplift.foretold_number(p_actual -> e.key) as a) x
            where x.p is not null and x.a is not null limit 100;
    end if;
end
$$;

comment on function uplift.number_pairs(jsonb, jsonb) is
    'The numbers that were foretold and came: a number each, or the members of two objects of the same name that are numbers, at most 100.';

create or replace function uplift.number_accuracy(p_predicted numeric, p_actual numeric) returns numeric
language sql immutable parallel safe
as $$
    select case when p_predicted is null or p_actual is null then 0 when p_predicted = p_actual then 1 when p_actual = 0 then 0
        else greatest(1 - abs(p_predicted - p_actual) / abs(p_actual), 0) end
$$;

comment on function uplift.number_accuracy(numeric, numeric) is
    '1 less the relative error, at least 0; of a 0 that came 1 if it was foretold. A number without the other: 0.';

create or replace function uplift.set_accuracy(p_predicted jsonb, p_actual jsonb) returns numeric
language sql immutable parallel safe
as $$
    select case when p.n + a.n = 0 then 1 else 2.0 * (
            select count(*) from (select distinct e from jsonb_array_elements(p_predicted) e intersect select e from jsonb_array_elements(p_actual) e) x)
        / (p.n + a.n) end
    from (select count(distinct e) as n from jsonb_array_elements(p_predicted) e) p,
        (select count(distinct e) as n from jsonb_array_elements(p_actual) e) a
$$;

comment on function uplift.set_accuracy(jsonb, jsonb) is
    'How much two lists are the same, taken as sets: F1, twice what is in both by what is in either one, counted; two empty ones: 1.';

create or replace function uplift.is_all_numbers(p_object jsonb) returns boolean
language sql immutable parallel safe
as $$ select count(*) > 0 and bool_and(uplift.foretold_number(e.value) is not null) from jsonb_each(case jsonb_typeof(p_object) when 'object' then p_object end) e $$;

comment on function uplift.is_all_numbers(jsonb) is 'Whether an object has members, and all are numbers by which figures are worked out.';

-- What is a number, or a yes or no, is compared before anybody is asked whether it was accepted: who accepts an estimate of 500 and
-- then eats 400 was foretold 400 to a quarter.
create or replace function uplift.prediction_accuracy(p_predicted jsonb, p_actual jsonb, p_accepted boolean) returns numeric
language plpgsql immutable
as $$
declare
    v_kinds text := jsonb_typeof(p_predicted) || ' ' || jsonb_typeof(p_actual);
    v_came boolean;
begin
    if uplift.foretold_number(p_predicted) is not null and uplift.foretold_number(p_actual) is not null then
        return round(uplift.number_accuracy(uplift.foretold_number(p_predicted), uplift.foretold_number(p_actual)), 4);
    elsif v_kinds = 'object object' and uplift.is_all_numbers(p_predicted) and uplift.is_all_numbers(p_actual) then
        return (select round(avg(uplift.number_accuracy(uplift.foretold_number(p.value), uplift.foretold_number(a.value))), 4)
            from jsonb_each(p_predicted) p full join jsonb_each(p_actual) a on a.key = p.key);
    elsif jsonb_typeof(p_predicted) = 'boolean' then
        v_came := case when jsonb_typeof(p_actual) = 'boolean' then (p_actual #>> '{}')::boolean else p_accepted end;
        return ((p_predicted #>> '{}')::boolean = v_came)::int;
    elsif p_accepted is not null then
        return p_accepted::int;
    elsif v_kinds = 'array array' then
        return round(uplift.set_accuracy(p_predicted, p_actual), 4);
    end if;
    return (p_predicted = p_actual)::int;
end
$$;

comment on function uplift.prediction_accuracy(jsonb, jsonb, boolean) is
    'How right a prediction was, 0 to 1, by the first of these that applies. Two numbers: 1 less the relative error, at least 0. Two objects of numbers: the mean of that over all members, 0 for one that only one of them has. A prediction of true or false: whether that came, as the choice or the acceptance has it. Accepted or not: 1 or 0. Two lists: F1 of them as sets. Else whether both are the same. Null where nothing is known that says.';

create or replace function uplift.prediction_outcome() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_has boolean := num_nonnulls(new.actual_user_choice, new.user_accepted, new.user_satisfaction_rating) > 0;
    v_is_new boolean := tg_op = 'INSERT';
begin
    if not v_has then
        -- What is taken back was never said.
        if not v_is_new then
            new.prediction_accuracy := null;
            new.feedback_received_at := null;
            new.feedback_delay_seconds := null;
        end if;
        return new;
    end if;
    if new.prediction_accuracy is null or not v_is_new and new.prediction_accuracy is not distinct from old.prediction_accuracy then
        new.prediction_accuracy := uplift.prediction_accuracy(new.predicted_output, new.actual_user_choice, new.user_accepted);
    end if;
    if new.feedback_received_at is null or not v_is_new and new.feedback_received_at is not distinct from old.feedback_received_at then
        new.feedback_received_at := statement_timestamp();
    end if;
    if new.feedback_delay_seconds is null or not v_is_new and new.feedback_delay_seconds is not distinct from old.feedback_delay_seconds then
        new.feedback_delay_seconds := uplift.clamped(trunc(extract(epoch from new.feedback_received_at - new.created_at)), 2147483647);
    end if;
    return new;
end
$$;

comment on function uplift.prediction_outcome() is
    'Trigger of ai_predictions: when the outcome is written or changes, fills in prediction_accuracy, feedback_received_at and feedback_delay_seconds, but for those that are given with it; when it is taken back, empties them.';

create or replace function uplift.prediction_added() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.prediction_queue (day)
    select distinct (n.created_at at time zone 'UTC')::date from new_rows n where isfinite(n.created_at);
    return null;
end
$$;

comment on function uplift.prediction_added() is
    'Trigger of ai_predictions: notes in uplift.prediction_queue of which days predictions are new, each once a statement.';

create or replace function uplift.prediction_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.prediction_queue (day)
    select distinct (c.at at time zone 'UTC')::date
    from old_rows o full join new_rows n on n.id = o.id
    cross join lateral (values (o.created_at), (n.created_at)) c(at)
    where isfinite(c.at)
        and (o.prediction_type, o.model_name, o.model_version, o.predicted_output, o.confidence_score, o.actual_user_choice, o.user_accepted,
            o.user_satisfaction_rating is null, o.prediction_accuracy, o.created_at)
        is distinct from (n.prediction_type, n.model_name, n.model_version, n.predicted_output, n.confidence_score, n.actual_user_choice,
            n.user_accepted, n.user_satisfaction_rating is null, n.prediction_accuracy, n.created_at);
    return null;
end
$$;

comment on function uplift.prediction_changed() is
    'Trigger of ai_predictions: notes in uplift.prediction_queue of which days something changed that a figure shows.';

create or replace function uplift.prediction_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into uplift.prediction_queue (day)
    select distinct (o.created_at at time zone 'UTC')::date from old_rows o where isfinite(o.created_at);
    return null;
end
$$;

comment on function uplift.prediction_deleted() is
    'Trigger of ai_predictions: notes in uplift.prediction_queue of which days predictions are gone.';

-- --- by users' own tokens ---

create or replace function uplift.refuse_prediction(p_user_id uuid, p_model_name text, p_input jsonb, p_output jsonb) returns void
language plpgsql stable
as $$
declare
    v_most bigint := uplift.setting_number('predictions.max_per_day', 2000);
begin
    if p_model_name like 'uplift-%' then
        perform uplift.fail(400, 'invalid_model_name', 'names that begin with uplift- are for predictions of uplift''s own', 'model_name');
    elsif coalesce(octet_length(p_input::text), 0) + coalesce(octet_length(p_output::text), 0) > 65536 then
        perform uplift.fail(413, 'request_too_large', 'input_data and predicted_output may have 64 KiB together');
    elsif (select count(*) from (select from public.ai_predictions p
            where p.user_id = p_user_id and p.created_at > now() - interval '24 hours' limit v_most) x) >= v_most then
        perform uplift.fail(429, 'too_many_predictions', format('at most %s predictions of a user are taken in 24 hours', v_most));
    end if;
end
$$;

comment on function uplift.refuse_prediction(uuid, text, jsonb, jsonb) is
    'Returns when a user may record such a prediction. UP400 invalid_model_name; UP413 request_too_large; UP429 too_many_predictions.';

create or replace function uplift.prediction_by_user() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'UPDATE' then
        if old.model_name like 'uplift-%' then
            perform uplift.fail(409, 'outcome_by_feedback', 'this prediction is uplift''s own: feedback on the answer is its outcome');
        elsif octet_length(new.actual_user_choice::text) > 65536 then
            perform uplift.fail(413, 'request_too_large', 'actual_user_choice may have 64 KiB');
        end if;
    -- Another's row is for row level security to refuse, which looks at it after this.
    elsif (select auth.uid()) is not distinct from new.user_id then
        perform uplift.refuse_prediction(new.user_id, new.model_name, new.input_data, new.predicted_output);
    end if;
    return new;
exception when sqlstate 'UP400' or sqlstate 'UP409' or sqlstate 'UP413' or sqlstate 'UP429' then
    -- As PostgREST's clients know it.
    perform uplift.rest_fail(right(sqlstate, 3)::int, 'P0001', sqlerrm);
    return null; -- not reached
end
$$;

comment on function uplift.prediction_by_user() is
    'Trigger of ai_predictions, for what a user''s own token writes: with the limits of /v1/predictions, but for 64 KiB of input_data and predicted_output. PT400, PT409, PT413, PT429 P0001.';

do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.* from (values
            -- Functions of ours write as their owner, and other programs as service_role.
            ('uplift_prediction_by_user', 'before insert or update', '', 'for each row when (current_user = ''authenticated'')', 'by_user'),
            ('uplift_prediction_made', 'before insert', '', 'for each row', 'outcome'),
            ('uplift_prediction_outcome', 'before update', '',
                'for each row when ((old.predicted_output, old.actual_user_choice, old.user_accepted, old.user_satisfaction_rating)
                    is distinct from (new.predicted_output, new.actual_user_choice, new.user_accepted, new.user_satisfaction_rating))', 'outcome'),
            ('uplift_prediction_added', 'after insert', 'referencing new table as new_rows', 'for each statement', 'added'),
            ('uplift_prediction_changed', 'after update', 'referencing old table as old_rows new table as new_rows', 'for each statement', 'changed'),
            ('uplift_prediction_deleted', 'after delete', 'referencing old table as old_rows', 'for each statement', 'deleted'))
            as t(name, event, tables, each, action)
        where not exists (select from pg_trigger g where g.tgrelid = 'public.ai_predictions'::regclass and g.tgname = t.name)
    loop
        execute format('create trigger %I %s on public.ai_predictions %s %s execute function uplift.prediction_%s()',
            v_trigger.name, v_trigger.event, v_trigger.tables, v_trigger.each, v_trigger.action);
    end loop;
end
$$;

-- --- by the routes ---

create or replace function uplift.prediction_json(p public.ai_predictions) returns json
language sql stable
as $$
    select json_build_object('object', 'prediction', 'id', p.id, 'prediction_type', p.prediction_type, 'model_name', p.model_name,
        'model_version', p.model_version, 'input_data', p.input_data, 'predicted_output', p.predicted_output,
        'confidence_score', p.confidence_score, 'actual_user_choice', p.actual_user_choice, 'user_accepted', p.user_accepted,
        'user_satisfaction_rating', p.user_satisfaction_rating, 'prediction_accuracy', p.prediction_accuracy,
        'feedback_delay_seconds', p.feedback_delay_seconds, 'feedback_received_at', p.feedback_received_at, 'created_at', p.created_at)
$$;

comment on function uplift.prediction_json(public.ai_predictions) is 'A prediction as its user sees it.';

create or replace function uplift.prediction_types() returns text[]
language sql immutable parallel safe
as $$
    select '{food_suggestion,portion_size,meal_plan,calorie_estimate,macro_breakdown,food_classification,coaching_response}'::text[]
$$;

comment on function uplift.prediction_types() is 'What may be foretold, as the check of ai_predictions has it.';

create or replace function uplift.check_prediction_type(p_type text) returns void
language plpgsql immutable
as $$
begin
    if p_type <> all (uplift.prediction_types()) then
        perform uplift.fail(400, 'invalid_prediction_type',
            'prediction_type must be one of ' || array_to_string(uplift.prediction_types(), ', '), 'prediction_type');
    end if;
end
$$;

comment on function uplift.check_prediction_type(text) is 'Returns when this is a type of predictions, or null. UP400 invalid_prediction_type.';

create or replace function uplift.json_or_null(p_body jsonb, p_name text) returns jsonb
language sql immutable parallel safe
as $$ select nullif(p_body -> p_name, 'null') $$;

comment on function uplift.json_or_null(jsonb, text) is 'A member of an object; null where it is absent, or null.';

create or replace function uplift_chat.add_prediction(p_user_id uuid, p_body jsonb) returns json
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_name text;
    v_prediction public.ai_predictions;
begin
    if jsonb_typeof(p_body) is distinct from 'object' then
        perform uplift.fail(400, 'invalid_prediction', 'a prediction must be an object');
    end if;
    perform uplift.check_members(p_body, '{prediction_type,model_name,model_version,input_data,predicted_output,confidence_score}');
    foreach v_name in array '{prediction_type,model_name,model_version}'::text[] loop
        if uplift.text_argument(p_body, v_name, 100) is null then
            perform uplift.fail(400, 'missing_' || v_name, v_name || ' is missing', v_name);
        end if;
    end loop;
    perform uplift.check_prediction_type(p_body ->> 'prediction_type');
    perform uplift.decimal_argument(p_body, 'confidence_score', 0, 1);
    perform uplift.see_user(p_user_id);
    perform uplift.refuse_prediction(p_user_id, p_body ->> 'model_name', p_body -> 'input_data', p_body -> 'predicted_output');
    insert into public.ai_predictions as p (user_id, prediction_type, model_name, model_version, input_data, predicted_output, confidence_score)
    values (p_user_id, p_body ->> 'prediction_type', p_body ->> 'model_name', p_body ->> 'model_version',
        uplift.json_or_null(p_body, 'input_data'), uplift.json_or_null(p_body, 'predicted_output'),
        (p_body ->> 'confidence_score')::numeric)
    returning p.* into v_prediction;
    return uplift.prediction_json(v_prediction);
end
$$;

comment on function uplift_chat.add_prediction(uuid, jsonb) is
    'Records a prediction about a user: {prediction_type, model_name, model_version (texts of 1 to 100 characters), input_data, predicted_output (any JSON), confidence_score (0 to 1)}, and returns it. UP400 invalid_prediction, unknown_parameter, missing_NAME, invalid_NAME; UP429 too_many_predictions.';

create or replace function uplift_chat.give_outcome(p_user_id uuid, p_id uuid, p_body jsonb) returns json
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_prediction public.ai_predictions;
begin
    if jsonb_typeof(p_body) is distinct from 'object' then
        perform uplift.fail(400, 'invalid_outcome', 'an outcome must be an object');
    end if;
    perform uplift.check_members(p_body, '{actual_user_choice,user_accepted,user_satisfaction_rating}');
    perform uplift.flag_argument(p_body, 'user_accepted');
    perform uplift.whole_argument(p_body, 'user_satisfaction_rating', 1, 5);
    select p.* into v_prediction from public.ai_predictions p where p.id = p_id and p.user_id = p_user_id for no key update;
    if not found then
        perform uplift.fail(404, 'prediction_not_found', 'there is no such prediction');
    elsif v_prediction.model_name like 'uplift-%' then
        perform uplift.fail(409, 'outcome_by_feedback', 'this prediction is uplift''s own: feedback on the answer is its outcome');
    end if;
    update public.ai_predictions p set
        actual_user_choice = case when p_body ? 'actual_user_choice' then uplift.json_or_null(p_body, 'actual_user_choice') else p.actual_user_choice end,
        user_accepted = case when p_body ? 'user_accepted' then (p_body ->> 'user_accepted')::boolean else p.user_accepted end,
        user_satisfaction_rating = case when p_body ? 'user_satisfaction_rating' then (p_body ->> 'user_satisfaction_rating')::numeric::int
            else p.user_satisfaction_rating end
    where p.id = p_id
    returning p.* into v_prediction;
    return uplift.prediction_json(v_prediction);
end
$$;

comment on function uplift_chat.give_outcome(uuid, uuid, jsonb) is
    'What came of a prediction about a user: {actual_user_choice (any JSON), user_accepted, user_satisfaction_rating (1 to 5)}; each takes the place of what was said before, null takes it back, the same again changes nothing. Returns the prediction. UP400 invalid_outcome, unknown_parameter, invalid_NAME; UP404 prediction_not_found, the same for none and another user''s; UP409 outcome_by_feedback.';

create or replace function uplift_chat.get_prediction(p_user_id uuid, p_id uuid) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_prediction public.ai_predictions;
begin
    select p.* into v_prediction from public.ai_predictions p where p.id = p_id and p.user_id = p_user_id;
    if not found then
        perform uplift.fail(404, 'prediction_not_found', 'there is no such prediction');
    end if;
    return uplift.prediction_json(v_prediction);
end
$$;

comment on function uplift_chat.get_prediction(uuid, uuid) is 'A prediction about a user. UP404 prediction_not_found.';

create or replace function uplift_chat.list_predictions(p_user_id uuid, p_limit int, p_before uuid, p_type text, p_model text) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_before timestamptz;
    v_rows json[];
begin
    perform uplift.check_prediction_type(p_type);
    if p_before is not null then
        select p.created_at into v_before from public.ai_predictions p where p.id = p_before and p.user_id = p_user_id;
        if not found then
            perform uplift.fail(404, 'prediction_not_found', 'there is no such prediction', 'before');
        end if;
    end if;
    select array_agg(uplift.prediction_json(x.prediction) order by (x.prediction).created_at desc, (x.prediction).id desc) into v_rows
    from (
        select p as prediction from public.ai_predictions p
        where p.user_id = p_user_id
            and (p_before is null or (p.created_at, p.id) < (v_before, p_before))
            and (p_type is null or p.prediction_type = p_type)
            and (p_model is null or p.model_name = p_model)
        order by p.created_at desc, p.id desc limit p_limit + 1) x;
    return json_build_object('object', 'list', 'data', array_to_json(coalesce(v_rows[:p_limit], '{}')),
        'has_more', coalesce(cardinality(v_rows), 0) > p_limit);
end
$$;

comment on function uplift_chat.list_predictions(uuid, int, uuid, text, text) is
    'The predictions about a user, newest first: {object, data, has_more}; those before the one with the id p_before, of a type, of a model, where these are not null. UP400 invalid_prediction_type; UP404 prediction_not_found.';

-- --- /rest/v1/ai_predictions ---

create or replace function uplift.rest_write_predictions(p_user_id uuid, p_method text, p_query jsonb, p_body jsonb) returns uuid[]
language plpgsql volatile
as $$
declare
    v_table constant regclass := 'public.ai_predictions';
    v_ids uuid[];
    v_body jsonb;
begin
    if p_method = 'POST' then
        foreach v_body in array uplift.rest_new_rows(p_body) loop
            v_ids := v_ids || (uplift_chat.add_prediction(p_user_id, uplift.rest_row(p_user_id, v_table,
                '{prediction_type,model_name,model_version,input_data,predicted_output,confidence_score}', v_body)) ->> 'id')::uuid;
        end loop;
        return coalesce(v_ids, '{}');
    end if;
    v_body := uplift.rest_row(p_user_id, v_table, '{actual_user_choice,user_accepted,user_satisfaction_rating}', p_body);
    v_ids := uplift.rest_changed_ids(p_user_id, p_query, v_table);
    perform uplift_chat.give_outcome(p_user_id, i, v_body) from unnest(v_ids) i;
    return v_ids;
exception when sqlstate 'UP400' or sqlstate 'UP403' or sqlstate 'UP404' or sqlstate 'UP409' or sqlstate 'UP413' or sqlstate 'UP429' then
    perform uplift.rest_refused(sqlstate, sqlerrm);
    return null; -- not reached
end
$$;

comment on function uplift.rest_write_predictions(uuid, text, jsonb, jsonb) is
    'Records predictions (POST), or the outcome of those that filters name (PATCH), and returns their ids, at most 100. Refusals in PostgREST''s form.';

create or replace function uplift_chat.rest_predictions(p_user_id uuid, p_method text, p_query jsonb, p_body jsonb)
returns table (rows text, row_count bigint, total bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_table constant regclass := 'public.ai_predictions';
    v_ids uuid[];
begin
    if p_method in ('GET', 'HEAD') then
        return query select s.* from uplift.rest_select(p_user_id, p_query, v_table) s;
        return;
    end if;
    v_ids := uplift.rest_write_predictions(p_user_id, p_method, p_query, p_body);
    select r.rows, r.row_count into rows, row_count from uplift.rest_rows(p_user_id, p_query,
        format('select %s from public.ai_predictions a where a.user_id = $1 and a.id = any (%L) order by %s',
            uplift.rest_list(p_query -> 'select', v_table), v_ids, uplift.rest_order(p_query -> 'order', v_table))) r;
    return next;
exception when others then
    if uplift.rest_status(sqlstate) is null then
        raise;
    end if;
    perform uplift.rest_fail(uplift.rest_status(sqlstate), sqlstate, sqlerrm);
end
$$;

comment on function uplift_chat.rest_predictions(uuid, text, jsonb, jsonb) is
    'What PostgREST does with a user''s own rows of ai_predictions, with the limits of /v1/predictions: GET and HEAD as uplift_chat.rest_select_feedback(), POST p_body (an object or up to 100), PATCH of the outcome of those that filters name, at most 100. Returned are the rows written. Errors as there; PT400 23514, PGRST102, PGRST124, PGRST204, 21000; PT403 42501; PT409 and PT429 P0001.';
