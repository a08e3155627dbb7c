-- Erasing all that is kept of a user, in one transaction, and keeping out what comes late.
--
-- Who records answers shares a lock of their users with others who do, and looks for an erasure behind
-- it; an erasure takes that lock alone. So an answer is either there to be erased, or is found to be
-- from before the erasure and is not recorded. What is written without the lock, of texts that were read
-- before (memories, passages), is looked for once more by job finish-erasures.

create or replace function uplift.models_with(p_user_id uuid) returns uuid[]
language sql stable
as $$
    select array(
        select distinct m.id
        from uplift.training_example_sources s
        join uplift.dataset_version_examples x on x.example_id = s.example_id
        join public.ai_model_versions m on m.dataset_version_id = x.version_id
        where s.user_id = p_user_id order by 1)
$$;

comment on function uplift.models_with(uuid) is 'The model versions that were trained with something of a user.';

create or replace function uplift.files_with(p_user_id uuid) returns jsonb
language sql stable
as $$
    with examples as materialized (
        select e.id, e.dataset_id from uplift.training_example_sources s
        join public.ai_training_examples e on e.id = s.example_id where s.user_id = p_user_id
    ), versions as materialized (
        select distinct x.version_id from uplift.dataset_version_examples x join examples e on e.id = x.example_id
    )
    select coalesce(jsonb_agg(f.file order by f.file ->> 'name'), '[]')
    from (
        select distinct jsonb_build_object('kind', 'training_file', 'name', n.name, 'provider', j.provider, 'finetuning_job_id', j.id) as file
        from versions v join public.ai_finetuning_jobs j on j.dataset_version_id = v.version_id
        cross join lateral (values (j.training_file_id), (j.validation_file_id)) n(name)
        where n.name is not null
        union
        -- Whether it was there when the set was exported is not known; the file can be made again.
        select distinct jsonb_build_object('kind', 'export', 'name', j.result ->> 'path')
        from uplift.batch_jobs j
        where j.name = 'export-dataset' and j.result ? 'path' and exists (
            select from examples e join public.ai_training_datasets d on d.id = e.dataset_id
            where d.id::text = j.arguments ->> 'dataset_id' or d.dataset_name = j.arguments ->> 'dataset'
            union all
            select from versions v where v.version_id::text = j.arguments ->> 'dataset_version_id')) f
$$;

comment on function uplift.files_with(uuid) is
    'The files outside the database that may have something of a user, for uplift.erasures: those that trainers were given, and exports.';

create or replace function uplift.erase_rows(p_user_id uuid) returns jsonb
language plpgsql volatile
as $$
declare
    v record;
    v_count bigint;
    v_rows jsonb := jsonb '{}';
begin
    perform uplift.recount_users_of(p_user_id);
    for v in
        select d.source, coalesce(d.condition, format('t.%I in (select a.id from public.coach_response_feedback a where a.user_id = $1)', d.answer_column)) as condition
        from uplift.derived_data() d order by d.place
    loop
        execute format('delete from %s t where %s', v.source, v.condition) using p_user_id;
    end loop;
    for v in
        select d.name, d.source, d.condition from uplift.personal_data() d
        where d.source not like '(%' order by d.place
    loop
        execute format('delete from %s t where %s', v.source, v.condition) using p_user_id;
        get diagnostics v_count = row_count;
        v_rows := v_rows || jsonb_build_object(v.name, v_count);
    end loop;
    return v_rows;
end
$$;

comment on function uplift.erase_rows(uuid) is
    'Deletes all rows of a user but training examples (uplift.erase_from_training) and the user; how many of each section of uplift.personal_data().';

create or replace function uplift.erase_user(p_user_id uuid, p_asked_by text) returns uplift.erasures
language plpgsql volatile
as $$
declare
    v_erasure uplift.erasures;
    v_examples int;
    v_few_shots int;
    v_photos uuid[];
begin
    perform pg_advisory_xact_lock(uplift.erasure_lock(p_user_id));
    perform uplift.lock_memories(p_user_id);
    perform pg_advisory_xact_lock(uplift.few_shot_lock(p_user_id));
    v_erasure.id := uplift.uuid_v7();
    v_erasure.user_hash := uplift.user_hash(p_user_id);
    v_erasure.user_id := p_user_id;
    v_erasure.asked_by := p_asked_by;
    -- Before what tells is gone.
    v_erasure.model_versions := uplift.models_with(p_user_id);
    v_erasure.files := uplift.files_with(p_user_id);
    v_examples := uplift.erase_from_training(p_user_id);
    select count(*) into v_few_shots from uplift.few_shot_examples f where f.user_id = p_user_id;
    v_photos := array(select f.id from uplift.food_photos f where f.user_id = p_user_id);
    v_erasure.rows := uplift.erase_rows(p_user_id) || jsonb_build_object('training_examples', v_examples, 'examples', v_few_shots);
    -- Whose rows are gone, so that their files are noted there.
    update uplift.photo_removals r set erasure_id = v_erasure.id where r.photo_id = any (v_photos);
    -- What admins did stays, and does not say any more to whom.
    update uplift.admin_log l set user_id = null, subject = case when l.subject = p_user_id::text then null else l.subject end where l.user_id = p_user_id;
    -- Triggers of what went have put new work into the queue.
    delete from uplift.training_queue q where q.user_id = p_user_id;
    if (select s.value = 'true' from uplift.settings s where s.key = 'auth.makes_users') then
        delete from auth.users u where u.id = p_user_id;
    end if;
    -- At its end: what began before it is over.
    v_erasure.erased_at := clock_timestamp();
    insert into uplift.erasures select v_erasure.*;
    return v_erasure;
end
$$;

comment on function uplift.erase_user(uuid, text) is
    'Erases all that is kept of a user, and keeps the proof (uplift.erasures). Again it erases what has come since. The user''s row in auth.users goes where that table is ours.';

create or replace function uplift.erasure_json(e uplift.erasures) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'erasure', 'id', e.id, 'erased_at', e.erased_at, 'asked_by', e.asked_by, 'rows', e.rows,
        'model_versions', to_jsonb(e.model_versions), 'files', (
            select coalesce(jsonb_agg(f - '{finetuning_job_id}'::text[] order by n), '[]') from jsonb_array_elements(e.files) with ordinality x(f, n)),
        'finished_at', e.finished_at)
$$;

comment on function uplift.erasure_json(uplift.erasures) is 'An erasure as users and admins see it: without the user.';

create or replace function uplift_chat.erase_me(p_user_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    return uplift.erasure_json(uplift.erase_user(p_user_id, 'user'));
end
$$;

comment on function uplift_chat.erase_me(uuid) is 'Erases all that is kept of a user who asks for it: the proof, as uplift.erasure_json().';

-- --- for admins, and for the job that finishes ---

create or replace function uplift_batch.admin_erase_everything(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    perform uplift.check_arguments(p_arguments, '{}');
    return uplift.erasure_json(uplift.erase_user(p_id, 'admin'));
end
$$;

comment on function uplift_batch.admin_erase_everything(uuid, jsonb, text) is
    'Erases all that is kept of a user, whom nobody need have seen before: the proof, as uplift.erasure_json().';

create or replace function uplift_batch.admin_list_erasures(p_id uuid, p_arguments jsonb, p_who text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    v_user uuid := uplift.uuid_argument(p_arguments, 'user_id');
    v_rows jsonb[];
begin
    perform uplift.check_arguments(p_arguments, '{limit,after,user_id}');
    select array_agg(uplift.erasure_json(e) order by e.id desc) into v_rows from (
        select x.* from uplift.erasures x
        where (v_after is null or x.id < v_after) and (v_user is null or x.user_hash = uplift.user_hash(v_user))
        order by x.id desc limit v_limit + 1) e;
    return uplift.list_page(v_rows, v_limit);
end
$$;

comment on function uplift_batch.admin_list_erasures(uuid, jsonb, text) is
    'Erasures, the newest first: limit, after, user_id (of those of one user). UP400 invalid_limit, invalid_after, invalid_user_id, unknown_argument.';

create or replace function uplift_batch.erasures_to_finish() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    -- Whatever was under way when they were erased is over by then.
    select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'files', e.files, 'erased_at', extract(epoch from e.erased_at)) order by e.id), '[]')
    from (
        select x.* from uplift.erasures x
        where x.finished_at is null and x.erased_at < now() - uplift.setting_number('erasures.finish_after_minutes', 15) * interval '1 minute'
        order by x.erased_at limit 1000) e
$$;

comment on function uplift_batch.erasures_to_finish() is
    'Erasures whose files may still be there, and whose user''s rows are to be looked for once more, [{id, files, erased_at: seconds since 1970}]: those from erasures.finish_after_minutes (15) ago on.';

create or replace function uplift_batch.finish_erasure(p_id uuid, p_files jsonb, p_is_done boolean) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_erasure uplift.erasures;
    v_late jsonb := jsonb '{}';
    v_is_done boolean;
begin
    select e.* into v_erasure from uplift.erasures e where e.id = p_id and e.finished_at is null for update;
    if not found then
        return jsonb_build_object('late', v_late);
    end if;
    perform pg_advisory_xact_lock(uplift.erasure_lock(v_erasure.user_id));
    -- Whoever has come back has rows that are to stay.
    if not exists (select from public.coach_response_feedback a where a.user_id = v_erasure.user_id)
            and not exists (select from uplift.conversations c where c.user_id = v_erasure.user_id)
            and not exists (select from public.user_coach_preferences p where p.user_id = v_erasure.user_id) then
        select coalesce(jsonb_object_agg(r.key, r.value), '{}') into v_late
        from jsonb_each(uplift.erase_rows(v_erasure.user_id)) r where r.value <> '0';
    end if;
    -- Photos' files that workers of fcgi-chat have not deleted yet.
    v_is_done := p_is_done and not exists (select from uplift.photo_removals r where r.erasure_id = p_id);
    update uplift.erasures e set files = p_files, user_id = case when not v_is_done then e.user_id end,
        finished_at = case when v_is_done then now() end
    where e.id = p_id;
    return jsonb_build_object('late', v_late);
end
$$;

comment on function uplift_batch.finish_erasure(uuid, jsonb, boolean) is
    'Erases what was written of the user in the moment of the erasure, unless the user has come back, and notes what became of its files; p_is_done: there is nothing left to do, and who it was is forgotten. {late: how many rows of what}.';
