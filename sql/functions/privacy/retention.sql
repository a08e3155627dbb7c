-- What is kept for so many days and no longer, where the operator says so (settings retention.NAME_days): deleted in small steps by job
-- enforce-retention.

create or replace function uplift.retained_data() returns table (place int, name text, source text, time_column text, key_type text, condition text)
language sql immutable parallel safe
as $$
    values
        (10, 'answers', 'public.coach_response_feedback', 'created_at', 'uuid', 'true'),
        -- Behind their answers.
        (20, 'conversations', 'uplift.conversations', 'updated_at', 'uuid',
            'not exists (select from public.coach_response_feedback a where a.conversation_id = t.id)'),
        (30, 'feedback', 'uplift.feedback_events', 'recorded_at', 'bigint', 'true'),
        (40, 'predictions', 'public.ai_predictions', 'created_at', 'uuid', 'true'),
        (50, 'photos', 'public.food_photo_training_data', 'created_at', 'uuid', 'true'),
        (60, 'unrecorded_answers', 'uplift.rejected_answers', 'rejected_at', 'bigint', 'true'),
        (70, 'admin_log', 'uplift.admin_log', 'at', 'uuid', 'true')
$$;

comment on function uplift.retained_data() is
    'What may be kept for some days only: name (of the setting retention.NAME_days), table as t, the column that says how old a row is, the type of its id, and which rows may go.';

create or replace function uplift.retention_days(p_name text) returns numeric
language sql stable
as $$ select uplift.setting_within('retention.' || p_name || '_days', 1, 100000) $$;

comment on function uplift.retention_days(text) is 'For how many days rows of uplift.retained_data() are kept; null: for ever.';

create or replace function uplift.counted_again_from() returns timestamptz
language sql stable
as $$
    select coalesce(now() - uplift.retention_days('answers') * interval '24 hours', '-infinity')
$$;

comment on function uplift.counted_again_from() is
    'Since when use may be counted anew: of what is older, answers are gone because they are kept for some days only, and the figures stay as they are.';

create or replace function uplift_batch.retention() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(d.name order by d.place), '[]') from uplift.retained_data() d where uplift.retention_days(d.name) is not null
$$;

comment on function uplift_batch.retention() is 'The names of what is kept for some days only, in the order in which it goes.';

create or replace function uplift_batch.retain(p_name text, p_after text, p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v record;
    v_derived record;
    v_before timestamptz;
    v_last text;
    v_seen int;
    v_old text[];
    v_deleted bigint := 0;
    v_failed int := 0;
    v_why text;
begin
    select d.* into v from uplift.retained_data() d where d.name = p_name and uplift.retention_days(d.name) is not null;
    if not found then
        return jsonb_build_object('deleted', 0, 'failed', 0);
    end if;
    v_before := now() - uplift.retention_days(p_name) * interval '24 hours';
    -- Through the ids in their order, whatever indexes there are. Of ids that begin with their time those that are too young are passed over.
    execute format('select count(*), max(x.id::text collate "C"), array_agg(x.id::text) filter (where x.is_old)'
            ' from (select t.id, t.%I < $1 and %s as is_old from %s t where $2 is null or t.id > $2::%s order by t.id limit $3) x',
        v.time_column, v.condition, v.source, v.key_type)
        into v_seen, v_last, v_old using v_before, p_after, p_most;
    if v.key_type = 'bigint' then
        execute format('select max(x.id)::text from (select t.id from %s t where $1 is null or t.id > $1::bigint order by t.id limit $2) x', v.source)
            into v_last using p_after, p_most;
    end if;
    begin
        if v.name = 'answers' then
            for v_derived in select d.source, d.answer_column from uplift.derived_data() d where d.answer_column is not null order by d.place loop
                execute format('delete from %s t where t.%I = any ($1::uuid[])', v_derived.source, v_derived.answer_column) using v_old;
            end loop;
        end if;
        execute format('delete from %s t where t.id = any ($1::%s[])', v.source, v.key_type) using v_old;
        get diagnostics v_deleted = row_count;
    exception when others then
        -- What a deployment has against it stays, and does not keep the rest from going.
        if not uplift.is_bad_row(sqlstate) then
            raise;
        end if;
        v_failed := cardinality(v_old);
        v_why := sqlerrm;
    end;
    if v.key_type = 'uuid' and v_last >= uplift.first_id_of(v_before)::text and v_last < uplift.first_id_of(now() + interval '24 hours')::text then
        v_last := uplift.first_id_of(now() + interval '24 hours')::text;
        v_seen := p_most;
    end if;
    return jsonb_strip_nulls(jsonb_build_object('deleted', v_deleted, 'failed', v_failed, 'why', v_why, 'next', case when v_seen = p_most then v_last end));
end
$$;

comment on function uplift_batch.retain(text, text, int) is
    'Looks at the next p_most rows of what is kept for some days only, behind the id p_after (null: from the first on), and deletes those that are too old: {deleted, failed, why, next}. next: where to go on, absent at the end. With an answer goes what was made of it; its training examples are withdrawn by the next run of generate-training-data.';
