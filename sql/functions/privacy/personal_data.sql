-- What is kept of a user: one list, by which it is exported and erased.

create or replace function uplift.personal_data() returns table (place int, name text, source text, condition text, keys text[], hidden text[])
language sql immutable parallel safe
as $$
    -- Rows that others point to come behind them. Of answers what the user sees of them, too: not the house's own words.
    values
        (10, 'training_examples', '(select x.*, s.user_id as of_user, s.position from uplift.training_example_sources s join public.ai_training_examples x on x.id = s.example_id)',
            't.of_user = $1', '{id uuid,position int}'::text[], '{of_user,position,embedding,likeness,prompt_hash,bands}'::text[]),
        (20, 'examples', '(select f.user_id, f.answer_id, f.coach_id, f.gist, x.body as text from uplift.few_shot_examples f join uplift.search_texts x on x.id = f.text_id)',
            't.user_id = $1', '{answer_id uuid}', '{}'),
        (30, 'feedback', 'uplift.feedback_events', 't.user_id = $1', '{id bigint}', '{}'),
        (40, 'memories', 'public.ai_episodic_memory', 't.user_id = $1', '{id uuid}', '{words,is_negative}'),
        (50, 'context', 'public.ai_context_cache', 't.user_id = $1', '{id uuid}', '{}'),
        (60, 'summaries', 'uplift.conversation_summaries', 't.user_id = $1', '{conversation_id uuid}', '{}'),
        (70, 'predictions', 'public.ai_predictions', 't.user_id = $1', '{created_at timestamptz,id uuid}', '{}'),
        (80, 'errors', 'public.ai_errors', 't.user_id = $1', '{id uuid}', '{stack_trace,fingerprint}'),
        (90, 'photos', 'public.food_photo_training_data', 't.user_id = $1', '{id uuid}', '{}'),
        (100, 'experiments', 'public.experiment_assignments', 't.user_id = $1', '{id uuid}', '{}'),
        (110, 'experiment_outcomes', 'public.experiment_outcomes', 't.user_id = $1', '{id uuid}', '{}'),
        (120, 'experiment_figures', 'uplift.experiment_users', 't.user_id = $1', '{experiment_id uuid}', '{}'),
        (130, 'unrecorded_answers', 'uplift.rejected_answers', 'position($1::text in t.answer) > 0', '{id bigint}', '{}'),
        (140, 'answers', 'public.coach_response_feedback', 't.user_id = $1', '{created_at timestamptz,id uuid}',
            '{system_prompt,system_prompt_id,personal_prompt,attempts}'),
        (150, 'conversations', 'uplift.conversations', 't.user_id = $1', '{id uuid}', '{}'),
        (160, 'traits', 'public.user_traits', 't.user_id = $1', '{id uuid}', '{}'),
        (170, 'api_keys', 'uplift.api_keys', 't.user_id = $1', '{id uuid}', '{key_hash}'),
        (180, 'preferences', 'public.user_coach_preferences', 't.user_id = $1', '{id uuid}', '{}')
$$;

comment on function uplift.personal_data() is
    'The sections of what is kept of a user, in the order in which they are erased: name, source (a table, or a query in brackets) as t, the condition on it for the user $1, the columns (with types) by which its rows are numbered, and columns that are not the user''s to see. What is made of these, and goes with them, is in uplift.derived_data().';

create or replace function uplift.derived_data() returns table (place int, source text, condition text, answer_column text)
language sql immutable parallel safe
as $$
    values
        (1, 'public.ai_response_cache', null::text, 'source_answer_id'),
        (2, 'uplift.cache_hits', null, 'source_answer_id'),
        (3, 'uplift.cache_dislikes', null, 'source_answer_id'),
        (4, 'uplift.cache_dislikes', null, 'answer_id'),
        (5, 'uplift.cache_sources', null, 'source_answer_id'),
        (6, 'uplift.cache_sources', null, 'answer_id'),
        (7, 'uplift.training_queue', 't.user_id = $1', null),
        (8, 'uplift.training_queue', null, 'answer_id'),
        (9, 'uplift.training_queue', 't.conversation_id in (select c.id from uplift.conversations c where c.user_id = $1)', null),
        (10, 'uplift.training_failures', null, 'answer_id'),
        (11, 'uplift.training_duplicates', null, 'answer_id'),
        (12, 'uplift.training_example_sources', 't.user_id = $1', null),
        (13, 'uplift.knowledge_queue', null, 'answer_id'),
        (14, 'uplift.knowledge_votes', null, 'answer_id'),
        (15, 'uplift.thumb_queue', null, 'answer_id'),
        (16, 'uplift.playbook_evidence', 't.user_id = $1', null),
        (17, 'uplift.playbook_comments', 't.user_id = $1', null),
        (18, 'uplift.feedback_to_read', 't.user_id = $1', null),
        (19, 'uplift.feedback_said', 't.user_id = $1 and t.waiting is not null', null),
        (31, 'uplift.feedback_said', null, 'answer_id'),
        (33, 'uplift.food_photos', 't.user_id = $1', null),
        (35, 'uplift.photos_taken', 't.user_id = $1', null),
        (32, 'uplift.playbook_users', 't.user_id = $1', null),
        (33, 'uplift.answer_reviews', null, 'answer_id'),
        (34, 'uplift.admin_log_users', 't.user_id = $1', null),
        (20, 'uplift.context_effects', 't.item in (select m.id from public.ai_episodic_memory m where m.user_id = $1)', null),
        (21, 'uplift.context_effects', null, 'item'),
        (22, 'uplift.search_texts', 't.id in (select f.text_id from uplift.few_shot_examples f where f.user_id = $1)', null),
        (23, 'uplift.few_shot_examples', 't.user_id = $1', null),
        (24, 'uplift.passages', 't.user_id = $1', null),
        (25, 'uplift.forgotten_memories', 't.user_id = $1', null),
        (26, 'uplift.rate_buckets', $w$t.key = 'user:' || $1$w$, null),
        (27, 'uplift.rate_limits', $w$t.scope = 'user' and t.key = $1::text$w$, null),
        (28, 'uplift.budget_spend', 't.key = $1::text', null),
        (29, 'uplift.budgets_used_up', 't.key = $1::text', null),
        (30, 'uplift.budgets', $w$t.scope = 'user' and t.key = $1::text$w$, null)
$$;

comment on function uplift.derived_data() is
    'Rows that are made of a user''s data (uplift.personal_data) or set for the user, and are erased before it, in this order: the table as t, and the condition for the user $1, or the column by which it is of an answer. Sketches of users (uplift.usage_daily_users) are made anew instead, by uplift.recount_users_of().';

create or replace function uplift_chat.export_sections(p_user_id uuid) returns table (name text)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    -- The latest first, as a person would look for it.
    select d.name from uplift.personal_data() d where p_user_id is not null order by d.place desc
$$;

comment on function uplift_chat.export_sections(uuid) is 'The sections of an export of a user''s data (uplift_chat.export_rows), in their order.';

create or replace function uplift_chat.export_rows(p_user_id uuid, p_section text, p_after jsonb)
returns table (rows text, count int, after jsonb)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
declare
    c_bytes constant int := 1000000;
    v record;
    v_columns text;
    v_after text;
    v_size int := 0;
    v_rows text[] := array[]::text[];
    v_said text;
    v_key jsonb;
begin
    select d.* into v from uplift.personal_data() d where d.name = p_section;
    if not found then
        perform uplift.fail(400, 'invalid_section', 'there is no such section of an export', 'section');
    end if;
    select string_agg('t.' || split_part(k, ' ', 1), ', ' order by n), string_agg(format('($2 ->> %s)::%s', n - 1, split_part(k, ' ', 2)), ', ' order by n)
    into v_columns, v_after from unnest(v.keys) with ordinality x(k, n);
    -- JSON is made of the rows of the page alone. Few at a time are fetched, so that memory does not depend on how long they are.
    for v_said, v_key in execute format('select (to_jsonb(t) - $3)::text as said, jsonb_build_array(%1$s) as key'
            ' from (select t.* from %2$s t where %3$s%4$s order by %1$s limit 500) t order by %1$s',
        v_columns, v.source, v.condition, case when p_after is not null then format(' and (%s) > (%s)', v_columns, v_after) end)
        using p_user_id, p_after, v.hidden
    loop
        exit when v_size + octet_length(v_said) > c_bytes and v_size > 0;
        v_size := v_size + octet_length(v_said);
        v_rows := v_rows || v_said;
        after := v_key;
    end loop;
    rows := array_to_string(v_rows, e',\n');
    count := cardinality(v_rows);
    return next;
end
$$;

comment on function uplift_chat.export_rows(uuid, text, jsonb) is
    'A page of a section of what is kept of a user (uplift.personal_data): JSON objects joined by commas, how many (0: there are no more), and after, to ask for the next page with (null: the first). About a megabyte, and at least one. UP400 invalid_section.';
