-- Answers searched by admins, a page at a time. There is no index for most of what may be asked, which would cost every chat: the
-- newest are looked through, for as long as a page may take, and whoever asks is told how far that came and where to go on.

create or replace function uplift.note_shown(p_log uuid, p_users uuid[]) returns void
language sql volatile
as $$
    insert into uplift.admin_log_users (user_id, log_id)
    select distinct u.id, p_log from unnest(p_users) u(id) where p_log is not null and u.id is not null order by 1
    on conflict do nothing
$$;

comment on function uplift.note_shown(uuid, uuid[]) is 'Notes whose texts a line of uplift.admin_log showed; nothing without one.';

create or replace function uplift.word_argument(p_arguments jsonb, p_name text, p_words text[]) returns text
language plpgsql immutable
as $$
begin
    if p_arguments ->> p_name <> all (p_words) then
        perform uplift.fail(400, 'invalid_' || p_name, format('%s must be %s', p_name, array_to_string(p_words, ', ')), p_name);
    end if;
    return p_arguments ->> p_name;
end
$$;

comment on function uplift.word_argument(jsonb, text, text[]) is 'An argument that is one of a few words; null without it. UP400 invalid_NAME.';

do $$
begin
    if to_regtype('uplift.answer_filter') is null then
        create type uplift.answer_filter as (
            words text, coach_id text, model text, provider text, mode text, min_severity numeric, max_severity numeric, helpful text,
            rating text, has_comment boolean, outcome text, error_code text, from_cache boolean, user_id uuid, conversation_id uuid,
            exposure jsonb, prompts uuid[], tuned text[], source_id uuid, cites jsonb, review text, since timestamptz, before timestamptz);
        comment on type uplift.answer_filter is 'What answers are searched by: uplift.read_answer_filter().';
    end if;
end
$$;

create or replace function uplift.read_answer_filter(p_arguments jsonb) returns uplift.answer_filter
language plpgsql stable
as $$
declare
    f uplift.answer_filter;
    v_experiment uuid := uplift.uuid_argument(p_arguments, 'experiment_id');
    v_variant text := uplift.text_argument(p_arguments, 'variant', 200);
    v_version uuid := uplift.uuid_argument(p_arguments, 'model_version_id');
    v_prompt uuid := uplift.uuid_argument(p_arguments, 'prompt_version_id');
    v_cited uuid := uplift.uuid_argument(p_arguments, 'cited_source_id');
    v_began record;
begin
    perform uplift.check_arguments(p_arguments,
        '{limit,after,text,coach_id,model,provider,mode,min_severity,max_severity,helpful,rating,comment,outcome,error_code,from_cache,user_id,conversation_id,model_version_id,tuned,prompt_version_id,source_id,cited_source_id,experiment_id,variant,review,from,to,format}');
    f.words := uplift.text_argument(p_arguments, 'text', 200);
    f.coach_id := uplift.text_argument(p_arguments, 'coach_id', 128);
    f.model := uplift.model_argument(p_arguments, 'model');
    f.provider := uplift.text_argument(p_arguments, 'provider', 256);
    f.mode := uplift.word_argument(p_arguments, 'mode', '{default,roast}');
    f.min_severity := uplift.number_argument(p_arguments, 'min_severity', 1, 6);
    f.max_severity := uplift.number_argument(p_arguments, 'max_severity', 1, 6);
    f.helpful := uplift.word_argument(p_arguments, 'helpful', '{true,false,any,none}');
    f.rating := uplift.word_argument(p_arguments, 'rating', '{1,2,3,4,5,any,none}');
    f.has_comment := uplift.word_argument(p_arguments, 'comment', '{any,none}') = 'any';
    f.outcome := uplift.word_argument(p_arguments, 'outcome', '{complete,partial,cancelled,failed,wrong}');
    f.error_code := uplift.text_argument(p_arguments, 'error_code', 100);
    f.from_cache := uplift.word_argument(p_arguments, 'from_cache', '{true,false}') = 'true';
    f.user_id := uplift.uuid_argument(p_arguments, 'user_id');
    f.conversation_id := uplift.uuid_argument(p_arguments, 'conversation_id');
    f.review := uplift.word_argument(p_arguments, 'review', '{marked,rejected}');
    f.source_id := uplift.uuid_argument(p_arguments, 'source_id');
    f.cites := case when v_cited is not null then jsonb_build_array(jsonb_build_object('source_id', v_cited)) end;
    -- As uplift.tuned_days() has them.
    f.tuned := case when uplift.word_argument(p_arguments, 'tuned', '{true}') is not null then array(
        select v.model_id from public.ai_model_versions v where v.finetuning_job_id is not null and v.model_id is not null) end;
    f.since := coalesce(uplift.time_argument(p_arguments, 'from'), '-infinity');
    f.before := coalesce(uplift.time_argument(p_arguments, 'to'), 'infinity');
    if v_version is not null then
        select coalesce(v.model_id, '') into f.model from public.ai_model_versions v
        where v.id = v_version and (f.model is null or v.model_id = f.model);
        if not found then
            perform uplift.fail(404, 'model_version_not_found', 'there is no such model version, or it is of another model', 'model_version_id');
        end if;
    end if;
    if v_prompt is not null then
        f.prompts := array(select s.id from uplift.system_prompts s where s.version_id = v_prompt);
    end if;
    if v_variant is not null and v_experiment is null then
        perform uplift.fail(400, 'missing_experiment_id', 'variant is one of an experiment: name its experiment_id as well', 'experiment_id');
    elsif v_experiment is not null then
        f.exposure := jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('experiment_id', v_experiment, 'variant', v_variant)));
        select e.start_date, e.end_date into v_began from public.ai_experiments e where e.id = v_experiment;
        if not found then
            perform uplift.fail(404, 'experiment_not_found', 'there is no such experiment', 'experiment_id');
        end if;
        -- None was exposed before; and after its end only those that were under way, or asked for as testers.
        f.since := greatest(f.since, coalesce(v_began.start_date, '-infinity'));
        f.before := least(f.before, coalesce(v_began.end_date + interval '1 hour', 'infinity'));
    end if;
    return f;
end
$$;

comment on function uplift.read_answer_filter(jsonb) is
    'What the arguments of a search of answers ask for. UP400 unknown_argument, invalid_NAME, missing_experiment_id; UP404 model_version_not_found, experiment_not_found.';

create or replace function uplift.review_of(p_answer_id uuid) returns text
language sql stable
as $$ select r.review from uplift.answer_reviews r where r.answer_id = p_answer_id $$;

comment on function uplift.review_of(uuid) is 'What an admin said of an answer: marked, rejected; null for nothing.';

-- One expression, so that it becomes part of the query, and reads no text that it does not need.
create or replace function uplift.is_found(a public.coach_response_feedback, f uplift.answer_filter) returns boolean
language sql stable
as $$
    select (f.user_id is null or a.user_id = f.user_id) and (f.conversation_id is null or a.conversation_id = f.conversation_id)
        and (f.coach_id is null or a.coach_id = f.coach_id) and (f.model is null or a.model_used = f.model)
        and (f.provider is null or a.provider = f.provider) and (f.mode is null or a.mode = f.mode)
        and (f.min_severity is null or a.severity >= f.min_severity) and (f.max_severity is null or a.severity <= f.max_severity)
        and (f.outcome is null or coalesce(a.outcome, 'complete') = f.outcome or f.outcome = 'wrong' and a.outcome in ('failed', 'partial')) and (f.error_code is null or a.error_code = f.error_code)
        and (f.from_cache is null or coalesce(a.from_cache, false) = f.from_cache)
        and (f.helpful is null or case f.helpful when 'none' then a.helpful is null when 'any' then a.helpful is not null else a.helpful = (f.helpful = 'true') end)
        and (f.rating is null or case f.rating when 'none' then a.rating is null when 'any' then a.rating is not null else a.rating = f.rating::int end)
        and (f.has_comment is null or (coalesce(a.feedback_text, '') <> '') = f.has_comment)
        and (f.prompts is null or a.system_prompt_id = any (f.prompts))
        and (f.exposure is null or a.exposures @> f.exposure)
        and (f.tuned is null or a.model_used = any (f.tuned))
        and (f.source_id is null or f.source_id = any (a.source_ids)) and (f.cites is null or a.citations @> f.cites)
        and a.created_at >= f.since and a.created_at < f.before
        and (f.review is null or uplift.review_of(a.id) = f.review)
        -- Texts last: they are read for what is left alone.
        and (f.words is null or strpos(lower(a.user_message), lower(f.words)) > 0 or strpos(lower(a.ai_response), lower(f.words)) > 0
            or strpos(lower(a.feedback_text), lower(f.words)) > 0)
$$;

comment on function uplift.is_found(public.coach_response_feedback, uplift.answer_filter) is 'Whether an answer is one that is searched for.';

create or replace function uplift.is_counted_by(u uplift.usage_hourly, f uplift.answer_filter) returns boolean
language sql immutable
as $$
    select (f.coach_id is null or u.coach_id = f.coach_id) and (f.model is null or u.model = f.model) and (f.provider is null or u.provider = f.provider)
        and (f.tuned is null or u.model = any (f.tuned))
        and case f.outcome when 'complete' then u.complete > 0 when 'partial' then u.partial > 0 when 'cancelled' then u.cancelled > 0
            when 'failed' then u.failed > 0 when 'wrong' then u.failed + u.partial > 0 else true end
        and (f.from_cache is not true or u.cache_hits > 0)
        and case f.helpful when 'true' then u.thumbs_up > 0 when 'false' then u.thumbs_down > 0 when 'any' then u.thumbs_up + u.thumbs_down > 0 else true end
        and (f.rating is null or f.rating = 'none' or u.ratings > 0)
$$;

comment on function uplift.is_counted_by(uplift.usage_hourly, uplift.answer_filter) is
    'Whether an hour of uplift.usage_hourly may have answers that are searched for, of its coach, provider and model.';

create or replace function uplift.is_counted(f uplift.answer_filter) returns boolean
language sql immutable
as $$
    select num_nonnulls(f.coach_id, f.model, f.provider, f.outcome, f.tuned) > 0 or coalesce(f.from_cache, false)
        or coalesce(f.helpful, 'none') <> 'none' or coalesce(f.rating, 'none') <> 'none'
$$;

comment on function uplift.is_counted(uplift.answer_filter) is 'Whether uplift.usage_hourly tells of some hours that they have no answer which is searched for.';

create or replace function uplift.id_within(f uplift.answer_filter, p_at uuid, p_state uplift.usage_state) returns uuid
language plpgsql stable
as $$
declare
    v_at timestamptz := least(uplift.time_of(p_at), now() + interval '1 hour');
    v_hour timestamptz;
begin
    -- Hours that are counted, and have none, are passed over.
    if p_state.rolled_until is null or v_at <= p_state.began_at or not uplift.is_counted(f) then
        return p_at;
    end if;
    v_hour := date_trunc('hour', v_at, 'UTC');
    if v_hour >= p_state.rolled_until then
        return p_at;
    end if;
    select greatest(p_state.began_at,
        (select u.hour from uplift.usage_hourly u
            where u.hour <= v_hour and u.hour >= p_state.began_at and u.hour >= f.since - interval '1 hour' and uplift.is_counted_by(u, f)
            order by u.hour desc limit 1),
        (select d.hour from uplift.usage_dirty d where d.hour <= v_hour order by d.hour desc limit 1)) into v_hour;
    -- An id is made a moment after the time that is written down.
    return least(p_at, uplift.first_id_of(v_hour + interval '61 minutes'));
end
$$;

comment on function uplift.id_within(uplift.answer_filter, uuid, uplift.usage_state) is
    'The id below which the search for answers goes on, when all from p_at on are looked at: less than p_at where the hours in between have none.';

create or replace function uplift.find_answers(f uplift.answer_filter, p_after uuid, p_most int, p_ms int,
    out ids uuid[], out looked_at int, out next_after uuid)
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
declare
    c_until constant timestamptz := clock_timestamp() + p_ms * interval '1 millisecond';
    -- Ids of version 7 tell their time; others, of rows from before uplift came, come behind them.
    c_low constant uuid := uplift.first_id_of('2015-01-01 00:00Z');
    c_high constant uuid := uplift.first_id_of(now() + interval '24 hours');
    v_state uplift.usage_state;
    v_is_own constant boolean := f.user_id is not null or f.conversation_id is not null;
    v_is_plain constant boolean := f is not distinct from row(null, null, null, null, null, null, null, null, null, null, null, null, null,
        f.user_id, f.conversation_id, null, null, null, null, null, null, '-infinity'::timestamptz, 'infinity'::timestamptz)::uplift.answer_filter;
    v_chunk int := case when v_is_plain then p_most else 500 end;
    v_floor uuid;
    v_zone int := 1;
    v_before uuid;
    v_at timestamptz;
    v_seen uuid[];
    v_found uuid[];
    v_last uuid;
begin
    ids := '{}';
    looked_at := 0;
    select s.* into v_state from uplift.usage_state s;
    if v_is_own then
        -- By the indexes of users and conversations, which are in the order of time.
        v_before := coalesce(p_after, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
        select a.created_at into v_at from public.coach_response_feedback a where a.id = p_after;
        if not found and p_after between c_low and c_high then
            v_at := uplift.time_of(p_after);
        elsif not found and p_after is not null then
            perform uplift.fail(400, 'invalid_after', 'the answer named by after is gone, and its id tells no time: begin anew', 'after');
        end if;
        v_at := least(f.before, v_at); -- which passes over nulls
    else
        v_zone := case when p_after is null or p_after between c_low and c_high then 1 when p_after > c_high then 2 else 3 end;
        v_before := coalesce(p_after, c_high);
        if v_zone = 1 and f.before < now() then
            v_before := least(v_before, uplift.first_id_of(f.before + interval '1 minute'));
        end if;
    end if;
    loop
        if v_is_own and f.conversation_id is not null then
            select array_agg(x.id order by x.created_at desc, x.id desc), array_agg(x.id order by x.created_at desc, x.id desc) filter (where x.fits)
            into v_seen, v_found from (
                select a.id, a.created_at, uplift.is_found(a, f) as fits from public.coach_response_feedback a
                where a.conversation_id = f.conversation_id and (a.created_at, a.id) < (v_at, v_before)
                order by a.created_at desc, a.id desc limit v_chunk) x;
        elsif v_is_own then
            select array_agg(x.id order by x.created_at desc, x.id desc), array_agg(x.id order by x.created_at desc, x.id desc) filter (where x.fits)
            into v_seen, v_found from (
                select a.id, a.created_at, uplift.is_found(a, f) as fits from public.coach_response_feedback a
                where a.user_id = f.user_id and (a.created_at, a.id) < (v_at, v_before) and a.created_at >= f.since
                order by a.created_at desc, a.id desc limit v_chunk) x;
        else
            v_floor := case v_zone when 1 then case when isfinite(f.since) then greatest(c_low, uplift.first_id_of(f.since)) else c_low end
                when 2 then c_high else '00000000-0000-0000-0000-000000000000' end;
            if v_zone = 1 then
                v_before := uplift.id_within(f, v_before, v_state);
            end if;
            select array_agg(x.id order by x.id desc), array_agg(x.id order by x.id desc) filter (where x.fits) into v_seen, v_found from (
                select a.id, uplift.is_found(a, f) as fits from public.coach_response_feedback a
                where a.id < v_before and a.id >= v_floor order by a.id desc limit v_chunk) x;
        end if;
        looked_at := looked_at + coalesce(cardinality(v_seen), 0);
        ids := ids || coalesce(v_found, '{}');
        if cardinality(ids) >= p_most then
            ids := ids[:p_most];
            next_after := ids[p_most];
            return;
        end if;
        if coalesce(cardinality(v_seen), 0) < v_chunk then
            -- None is left here.
            exit when v_is_own or v_zone = 3;
            -- Where all that is asked for is younger than counting by ids, none of the others can be it.
            exit when f.since >= v_state.began_at;
            v_zone := v_zone + 1;
            v_before := case v_zone when 2 then 'ffffffff-ffff-ffff-ffff-ffffffffffff' else c_low end;
        else
            v_last := v_seen[v_chunk];
            v_before := v_last;
            if v_is_own then
                select a.created_at into v_at from public.coach_response_feedback a where a.id = v_last;
            end if;
            if clock_timestamp() >= c_until then
                next_after := v_last;
                return;
            end if;
            -- Where hours are passed over, not much further than one of them.
            v_chunk := case when v_is_own or not uplift.is_counted(f) then least(v_chunk * 2, 2000) else 500 end;
        end if;
    end loop;
end
$$;

comment on function uplift.find_answers(uplift.answer_filter, uuid, int, int, out uuid[], out int, out uuid) is
    'The next p_most answers that are searched for, the newest first, behind the answer p_after (null: from the newest on). It looks for p_ms milliseconds at most, and so may find fewer, or none: next_after is where to go on, null at the end.';

create or replace function uplift.answer_summary(a public.coach_response_feedback, p_words text[]) returns jsonb
language sql stable
as $$
    select jsonb_build_object('object', 'answer', 'id', a.id, 'created_at', a.created_at, 'user_id', a.user_id, 'conversation_id', a.conversation_id,
        'coach_id', a.coach_id, 'severity', a.severity, 'mode', a.mode, 'model', a.model_used, 'provider', nullif(a.provider, ''),
        'outcome', coalesce(a.outcome, 'complete'), 'error_code', a.error_code, 'helpful', a.helpful, 'rating', a.rating,
        'feedback_text', uplift.search_excerpt(a.feedback_text, p_words, 300), 'user_message', uplift.search_excerpt(a.user_message, p_words, 300),
        'ai_response', uplift.search_excerpt(uplift.words_said(a.ai_response, a.response_message), p_words, 300), 'cost_usd', a.cost_usd,
        'response_time_ms', a.response_time_ms, 'from_cache', coalesce(a.from_cache, false),
        'review', uplift.review_of(a.id))
$$;

comment on function uplift.answer_summary(public.coach_response_feedback, text[]) is 'An answer as a line of a list, its texts in excerpts that have the words which were searched for.';

create or replace function uplift_batch.admin_list_answers(p_id uuid, p_arguments jsonb, p_who text, p_log uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit int := uplift.page_limit(p_arguments);
    v_after uuid := uplift.uuid_argument(p_arguments, 'after');
    f uplift.answer_filter := uplift.read_answer_filter(p_arguments - '{format}'::text[]);
    v_found record;
    v_rows jsonb;
    v_users uuid[];
begin
    if p_arguments ? 'format' then
        perform uplift.fail(400, 'unknown_argument', 'format is of GET /admin/answers/export', 'format');
    end if;
    select * into v_found from uplift.find_answers(f, v_after, v_limit, 150);
    select coalesce(jsonb_agg(uplift.answer_summary(a, array[lower(f.words)]) order by i.n), '[]'), array_agg(a.user_id) into v_rows, v_users
    from unnest(v_found.ids) with ordinality i(id, n)
    cross join lateral (select x.* from public.coach_response_feedback x where x.id = i.id offset 0) a;
    perform uplift.note_shown(p_log, v_users);
    return jsonb_build_object('object', 'list', 'data', v_rows, 'has_more', v_found.next_after is not null, 'next_after', v_found.next_after,
        'looked_at', v_found.looked_at, 'searched_to', case when v_found.next_after is not null then (
            select a.created_at from public.coach_response_feedback a where a.id = v_found.next_after) end);
end
$$;

comment on function uplift_batch.admin_list_answers(uuid, jsonb, text, uuid) is
    'Answers, the newest first, as uplift.read_answer_filter() has it, with limit and after. A page looks for about a fifth of a second: has_more says that there are others, found or to be looked at, which next_after as after goes on with; searched_to is how far it came, looked_at how many that were.';

-- A text that a spreadsheet would take for a formula must not be one.
create or replace function uplift.csv_field(p_text text) returns text
language sql immutable parallel safe
as $$
    select case when x.t ~ '[",\r\n]' then '"' || replace(x.t, '"', '""') || '"' else coalesce(x.t, '') end
    from (select case when p_text ~ '^[=+@\t\r-]' and p_text !~ '^-?[0-9.]+$' then '''' || p_text else p_text end) x(t)
$$;

comment on function uplift.csv_field(text) is 'A field of a CSV (RFC 4180): in quotes where it must be, and with an apostrophe before what a spreadsheet would run as a formula.';

create or replace function uplift.answer_line(a public.coach_response_feedback, p_format text) returns text
language sql stable
as $$
    select case p_format when 'csv' then concat_ws(',', a.id, to_char(a.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), a.user_id, coalesce(a.conversation_id::text, ''),
            uplift.csv_field(a.coach_id), coalesce(a.severity::text, ''), uplift.csv_field(a.mode), uplift.csv_field(a.model_used), uplift.csv_field(a.provider),
            coalesce(a.outcome, 'complete'), uplift.csv_field(a.error_code), uplift.csv_field(a.user_message), uplift.csv_field(a.ai_response),
            coalesce(a.helpful::text, ''), coalesce(a.rating::text, ''), uplift.csv_field(a.feedback_text), coalesce(a.prompt_tokens::text, ''),
            coalesce(a.completion_tokens::text, ''), coalesce(a.cost_usd::text, ''), coalesce(a.response_time_ms::text, ''),
            coalesce(a.time_to_first_token_ms::text, ''), coalesce(a.from_cache, false), coalesce(a.regenerate_of::text, '')) || e'\r\n'
        else (jsonb_build_object('id', a.id, 'created_at', a.created_at, 'user_id', a.user_id, 'conversation_id', a.conversation_id,
            'coach_id', a.coach_id, 'severity', a.severity, 'mode', a.mode, 'model', a.model_used, 'provider', nullif(a.provider, ''),
            'outcome', coalesce(a.outcome, 'complete'), 'error_code', a.error_code, 'user_message', a.user_message, 'ai_response', a.ai_response,
            'response_message', a.response_message, 'helpful', a.helpful, 'rating', a.rating, 'feedback_text', a.feedback_text,
            'feedback_given_at', a.feedback_given_at, 'prompt_tokens', a.prompt_tokens, 'completion_tokens', a.completion_tokens,
            'cost_usd', a.cost_usd, 'response_time_ms', a.response_time_ms, 'time_to_first_token_ms', a.time_to_first_token_ms,
            'from_cache', coalesce(a.from_cache, false), 'regenerate_of', a.regenerate_of, 'exposures', coalesce(a.exposures, '[]'),
            'memory_ids', a.memory_ids, 'source_ids', a.source_ids, 'example_ids', a.example_ids, 'passage_ids', a.passage_ids, 'photo_id', a.photo_id))::text || e'\n' end
$$;

comment on function uplift.answer_line(public.coach_response_feedback, text) is 'A line of an export of answers, as jsonl or csv.';

create or replace function uplift_batch.export_answers(p_arguments jsonb, p_after uuid, p_log uuid)
returns table (lines text, count int, after uuid)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    c_bytes constant int := 1000000;
    c_most constant int := 500;
    f uplift.answer_filter := uplift.read_answer_filter(p_arguments);
    v_format text := coalesce(uplift.word_argument(p_arguments, 'format', '{jsonl,csv}'), 'jsonl');
    v_found record;
    v_line record;
    v_lines text[] := array[]::text[];
    v_users uuid[] := array[]::uuid[];
    v_size int := 0;
    v_last uuid;
begin
    if p_arguments ?| '{limit,after}' then
        perform uplift.fail(400, 'unknown_argument', 'an export is of all that is found: limit and after are of GET /admin/answers',
            case when p_arguments ? 'limit' then 'limit' else 'after' end);
    end if;
    select * into v_found from uplift.find_answers(f, p_after, c_most, 1000);
    after := v_found.next_after;
    -- Few are fetched at a time, so that memory does not depend on how long they are.
    for v_line in
        select i.id, a.user_id, uplift.answer_line(a, v_format) as text from unnest(v_found.ids) with ordinality i(id, n)
        cross join lateral (select x.* from public.coach_response_feedback x where x.id = i.id offset 0) a order by i.n
    loop
        exit when v_size + octet_length(v_line.text) > c_bytes and v_size > 0;
        v_size := v_size + octet_length(v_line.text);
        v_lines := v_lines || v_line.text;
        v_users := v_users || v_line.user_id;
        v_last := v_line.id;
    end loop;
    count := cardinality(v_lines);
    if v_line.id is distinct from v_last then
        after := v_last;
    end if;
    perform uplift.note_shown(p_log, v_users);
    lines := case when p_after is null and v_format = 'csv' then 'id,created_at,user_id,conversation_id,coach_id,severity,mode,model,provider,outcome,error_code,'
        'user_message,ai_response,helpful,rating,feedback_text,prompt_tokens,completion_tokens,cost_usd,response_time_ms,time_to_first_token_ms,from_cache,regenerate_of' || e'\r\n'
        else '' end || array_to_string(v_lines, '');
    return next;
end
$$;

comment on function uplift_batch.export_answers(jsonb, uuid, uuid) is
    'A page of an export of the answers that are searched for (format jsonl, csv, and the arguments of uplift.read_answer_filter()), behind the answer p_after: lines, about a megabyte and at least one where there is any, how many, and after, to ask for the next page with; null at the end. UP400 as uplift_batch.admin_list_answers().';
