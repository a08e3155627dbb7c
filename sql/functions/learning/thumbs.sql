-- What thumb an answer will get: what a model is trained on and foretells from, and what came. The model itself is
-- src/batch/thumbs.c; of an answer it gets what was known when it ended.

create or replace function uplift.note_thumb() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    -- Until there is a model nothing was foretold.
    insert into uplift.thumb_queue (answer_id) select old.id from uplift.thumb_state;
    return null;
end
$$;

comment on function uplift.note_thumb() is
    'Triggers of coach_response_feedback: note in uplift.thumb_queue that the thumb or stars of an answer changed, or that it is gone, once there is a model.';

-- Only when they are missing, because making them waits for everyone who writes answers.
do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.* from (values
            ('uplift_thumb_changed', 'update', 'when ((old.helpful, old.rating) is distinct from (new.helpful, new.rating))'),
            ('uplift_thumb_gone', 'delete', '')) as t(name, event, condition)
        where not exists (select from pg_trigger g where g.tgrelid = 'public.coach_response_feedback'::regclass and g.tgname = t.name)
    loop
        execute format('create trigger %I after %s on public.coach_response_feedback for each row %s execute function uplift.note_thumb()',
            v_trigger.name, v_trigger.event, v_trigger.condition);
    end loop;
end
$$;

-- What is said of an earlier answer after this one was asked for is not known yet.
create or replace function uplift.earlier_thumbs(p_user_id uuid, p_created_at timestamptz, out n bigint, out up bigint)
language sql stable
as $$
    select count(*), count(*) filter (where e.helpful)
    from (
        select a.helpful, a.feedback_given_at from public.coach_response_feedback a
        where a.user_id = p_user_id and a.created_at < p_created_at
        order by a.created_at desc limit 100) e
    where e.helpful is not null and coalesce(e.feedback_given_at, '-infinity') < p_created_at
$$;

comment on function uplift.earlier_thumbs(uuid, timestamptz) is
    'The thumbs that a user had given by a time on the hundred answers before it, and those of them that are up. Feedback without a time is from before there were such times.';

create or replace function uplift.user_part(p_user_id uuid) returns int
language sql immutable parallel safe
as $$ select (uuid_hash_extended(p_user_id, 7) & 1048575)::int % 10 $$;

comment on function uplift.user_part(uuid) is 'Which tenth of the users somebody is in, 0 to 9, for good.';

create or replace function uplift.thumb_row(a public.coach_response_feedback) returns jsonb
language sql stable
as $$
    select jsonb_build_object('id', a.id, 'part', uplift.user_part(a.user_id), 'helpful', a.helpful, 'coach', a.coach_id, 'mode', a.mode,
        'model', a.model_used, 'severity', a.severity, 'length', length(a.ai_response),
        'latency_ms', case when a.response_time_ms >= 0 then a.response_time_ms end, 'earlier', e.n, 'earlier_up', e.up)
    from uplift.earlier_thumbs(a.user_id, a.created_at) e
$$;

comment on function uplift.thumb_row(public.coach_response_feedback) is 'What a model of thumbs is told of an answer, and in helpful what thumb it got.';

-- --- training ---

create or replace function uplift_batch.rated_answers(p_until timestamptz, p_days int, p_before uuid, p_most int) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_ids uuid[];
begin
    -- By the key, which grows with time; ids that are no UUID of version 7 are of before uplift came.
    v_ids := array(
        select a.id from public.coach_response_feedback a
        where a.id < coalesce(p_before, uplift.first_id_of(p_until)) and a.id >= uplift.first_id_of(p_until - p_days * interval '24 hours')
        order by a.id desc limit p_most);
    return jsonb_build_object('after', v_ids[cardinality(v_ids)], 'goes_on', cardinality(v_ids) = p_most, 'looked_at', cardinality(v_ids), 'rows', (
        select coalesce(jsonb_agg(uplift.thumb_row(a) order by a.id desc), '[]')
        from public.coach_response_feedback a where a.id = any (v_ids) and a.helpful is not null and a.ai_response <> ''));
end
$$;

comment on function uplift_batch.rated_answers(timestamptz, int, uuid, int) is
    'A page of what job train-thumb-model trains on: looks through p_most answers of the p_days days before p_until, the newest first, from the one before p_before (after of the page before, null at first), and returns those with a thumb (rows, as uplift.thumb_row), after, looked_at, and whether there may be more (goes_on).';

create or replace function uplift_batch.keep_thumb_model(p_model jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_version int;
begin
    insert into uplift.thumb_model (trained_until, intercept, prior_rate, slope, "offset", n_train, n_calibrate, n_validate, iterations, rate, log_loss,
        base_log_loss, brier, ece, auc)
    select m.trained_until, m.intercept, m.prior_rate, m.slope, m."offset", m.n_train, m.n_calibrate, m.n_validate, m.iterations, m.rate, m.log_loss,
        m.base_log_loss, m.brier, m.ece, m.auc
    from jsonb_populate_record(null::uplift.thumb_model, p_model) m
    returning version into v_version;
    insert into uplift.thumb_weights (version, feature, level, weight, mean, scale)
    select v_version, w.feature, w.level, w.weight, w.mean, w.scale
    from jsonb_populate_recordset(null::uplift.thumb_weights, p_model -> 'weights') w;
    insert into uplift.thumb_state (scored_to)
    select uplift.first_id_of(m.trained_until) from uplift.thumb_model m where m.version = v_version
    on conflict do nothing;
    return jsonb_build_object('version', v_version);
end
$$;

comment on function uplift_batch.keep_thumb_model(jsonb) is 'Keeps a model of thumbs and its weights: members as the columns of uplift.thumb_model, and weights. Returns its version.';

create or replace function uplift_batch.thumb_model() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce((
        select to_jsonb(m) || jsonb_build_object('weights', (select jsonb_agg(to_jsonb(w) - 'version') from uplift.thumb_weights w where w.version = m.version))
        from uplift.thumb_model m order by m.version desc limit 1), '{}')
$$;

comment on function uplift_batch.thumb_model() is 'The newest model of thumbs, as uplift_batch.keep_thumb_model() took it, with its version; {} where there is none.';

-- --- foretelling ---

create or replace function uplift_batch.answers_to_score(p_version int, p_days int, p_after uuid, p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    -- Not what it was trained on, which it would know too well.
    v_from uuid := (select uplift.first_id_of(m.trained_until) from uplift.thumb_model m where m.version = p_version);
    v_ids uuid[];
begin
    v_from := greatest(v_from, coalesce(p_after, case when p_days is not null then uplift.first_id_of(now() - p_days * interval '24 hours')
        else (select s.scored_to from uplift.thumb_state s) end));
    -- An answer's id is made when it is asked for, and its row comes when it ends.
    v_ids := array(
        select a.id from public.coach_response_feedback a
        where a.id > v_from and a.id < uplift.first_id_of(now() - interval '15 minutes') order by a.id limit p_most);
    -- Outcomes that missed the queue, as of a thumb that was on its way while the first model was kept.
    if p_days is not null then
        insert into uplift.thumb_queue (answer_id)
        select a.id from public.coach_response_feedback a join public.ai_predictions p on p.id = a.id and p.model_name = 'uplift-thumbs'
        where a.id = any (v_ids) and (a.helpful, a.rating) is distinct from (p.user_accepted, p.user_satisfaction_rating);
    end if;
    return jsonb_build_object('after', coalesce(v_ids[cardinality(v_ids)], v_from), 'goes_on', cardinality(v_ids) = p_most, 'looked_at', cardinality(v_ids), 'rows', (
        select coalesce(jsonb_agg(uplift.thumb_row(a) - 'helpful' order by a.id), '[]')
        from public.coach_response_feedback a
        where a.id = any (v_ids) and a.outcome = 'complete' and a.ai_response <> ''
            and not exists (select from public.ai_predictions p where p.id = a.id)));
end
$$;

comment on function uplift_batch.answers_to_score(int, int, uuid, int) is
    'A page of what job score-answers is to foretell the thumb of, by a version of the model: looks through p_most answers from 15 minutes ago on backwards to the model''s trained_until that come after p_after, or where that is null after the last that was looked at ever, or with p_days of so many days again. Returns those without a prediction (rows, as uplift.thumb_row), after, looked_at, goes_on. With p_days it also looks whether outcomes are missing.';

create or replace function uplift.insert_scores(p_version int, p_rows jsonb) returns bigint
language plpgsql volatile
as $$
declare
    v_count bigint;
begin
    -- The prediction of an answer has its id.
    insert into public.ai_predictions (id, user_id, prediction_type, model_name, model_version, input_data, predicted_output, confidence_score,
        user_accepted, user_satisfaction_rating, feedback_received_at, created_at)
    select a.id, a.user_id, 'coaching_response', 'uplift-thumbs', p_version::text, r.row - '{id,part,p,helpful}'::text[],
        to_jsonb(x.p >= 0.5), x.p, a.helpful, a.rating, case when num_nonnulls(a.helpful, a.rating) > 0 then a.feedback_given_at end, a.created_at
    from jsonb_array_elements(p_rows) r(row)
    join public.coach_response_feedback a on a.id = (r.row ->> 'id')::uuid
    cross join lateral (select round((r.row ->> 'p')::numeric, 4) as p) x
    order by a.id
    on conflict (id) do nothing;
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

comment on function uplift.insert_scores(int, jsonb) is
    'Records what a version of the model foretells of answers, rows as uplift.thumb_row() with the probability of a thumb up, p; with the thumb, where there is one already. Again it does nothing.';

create or replace function uplift_batch.keep_scores(p_version int, p_after uuid, p_rows jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_row jsonb;
    v_count bigint := 0;
    v_failed bigint := 0;
begin
    begin
        v_count := uplift.insert_scores(p_version, p_rows);
    exception when others then
        if not uplift.is_bad_row(sqlstate) then
            raise;
        end if;
        -- One bad row keeps no other from being recorded.
        for v_row in select r from jsonb_array_elements(p_rows) r loop
            begin
                v_count := v_count + uplift.insert_scores(p_version, jsonb_build_array(v_row));
            exception when others then
                if not uplift.is_bad_row(sqlstate) then
                    raise;
                end if;
                v_failed := v_failed + 1;
            end;
        end loop;
    end;
    update uplift.thumb_state s set scored_to = greatest(s.scored_to, p_after);
    return jsonb_build_object('scored', v_count, 'failed', v_failed);
end
$$;

comment on function uplift_batch.keep_scores(int, uuid, jsonb) is
    'Records a page of what was foretold (uplift.insert_scores), and how far that is: {scored, failed}, failed being rows that cannot be recorded, whatever a deployment has against them.';

create or replace function uplift_batch.fill_outcomes(p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_ids uuid[];
    v_taken bigint;
    v_changed bigint := 0;
    v_gone bigint := 0;
    v_failed bigint := 0;
    v_gone_failed bigint := 0;
begin
    with taken as (
        delete from uplift.thumb_queue q where q.id in (select k.id from uplift.thumb_queue k order by k.id limit p_most) returning q.answer_id
    )
    select count(*), array_agg(distinct t.answer_id) into v_taken, v_ids from taken t;
    if v_taken > 0 then
        select r.done, r.failed into v_changed, v_failed from uplift.do_rows($s$
            update public.ai_predictions p set user_accepted = a.helpful, user_satisfaction_rating = a.rating,
                feedback_received_at = case when num_nonnulls(a.helpful, a.rating) > 0 then a.feedback_given_at end
            from public.coach_response_feedback a
            where p.id = any ($1) and p.model_name = 'uplift-thumbs' and a.id = p.id
                and (p.user_accepted, p.user_satisfaction_rating) is distinct from (a.helpful, a.rating)$s$, v_ids) r;
        select r.done, r.failed into v_gone, v_gone_failed from uplift.do_rows($s$
            delete from public.ai_predictions p
            where p.id = any ($1) and p.model_name = 'uplift-thumbs' and not exists (select from public.coach_response_feedback a where a.id = p.id)$s$,
            v_ids) r;
    end if;
    return jsonb_build_object('outcomes', v_changed, 'gone', v_gone, 'failed', v_failed + v_gone_failed, 'goes_on', v_taken = p_most);
end
$$;

comment on function uplift_batch.fill_outcomes(int) is
    'Takes up to so many rows out of uplift.thumb_queue: thumbs and stars that came, changed or were taken back become the outcomes of what was foretold of their answers, and predictions of answers that are gone go, too. Returns {outcomes, gone, failed, goes_on}.';
