-- Well-rated answers as examples, at once: a thumb up puts an answer there in its own transaction, whatever takes that back
-- takes it out. Only of users whose answers may be used (uplift.may_train), and only what holds nothing personal.

create or replace function uplift.gist(p_question text) returns text
language plpgsql stable
as $$
declare
    v record;
    v_words text[] := array[]::text[];
begin
    if coalesce((select s.value #>> '{}' from uplift.settings s where s.key = 'examples.question'), 'gist') <> 'gist' then
        return null;
    end if;
    for v in
        select w.word, lower(w.word) as plain
        from regexp_split_to_table(left(regexp_replace(p_question, '\[[a-z]+\]|https?://\S+', ' ', 'g'), 2000), '[^[:alpha:]''’-]+') with ordinality as w(word, n)
        order by w.n
    loop
        -- Words that anybody may use: no names, which are written with capitals, as is what begins a sentence, no
        -- abbreviations, nothing strange.
        continue when v.word <> v.plain or length(v.plain) not between 3 and 20 or v.plain ~ '[^a-zäöüßáéíóúñàèìòùâêîôûç]'
            or ts_lexize('pg_catalog.english_stem', v.plain) = '{}' or v.plain = any (v_words)
            or v.plain = any ('{want,need,please,help,thanks,hello,like,know,think,just,really,get,make,give,tell,would,could,should,also,much,many,today,tomorrow,yesterday,now,still,going,got,feel,good}');
        v_words := v_words || v.plain;
        exit when cardinality(v_words) = 8;
    end loop;
    return nullif(array_to_string(v_words, ', '), '');
end
$$;

comment on function uplift.gist(text) is
    'What a redacted question is about, as at most eight of its words, parted by commas: common words of a language in Latin letters, without names, numbers and what holds a sentence together. Null for none, and where the setting examples.question is not "gist".';

create or replace function uplift.repeats_personal_things(p_user_id uuid, p_said text, p_answer text) returns boolean
language plpgsql stable
as $$
declare
    v_answer text := lower(p_answer);
    v_plain text := ' ' || array_to_string(uplift.words(p_answer), ' ') || ' ';
    v_said text[] := uplift.words(p_said);
    v_words text[];
begin
    -- Numbers and names that the user brought: "82 kg", "Peter".
    if exists (
            select from regexp_matches(p_said, '\m(?:\d[\d.,:]*\d|(?<=[a-z,;] )[[:upper:]][[:lower:]]+)\M', 'g') m
            where m[1] <> 'I' and strpos(p_answer, m[1]) > 0)
        -- Who belongs to the user, and what ails them.
        or v_answer ~ '\myour (\w+ ){0,1}(wife|husband|partner|spouse|girlfriend|boyfriend|son|daughter|kids?|child|children|baby|mother|father|mom|mum|dad|sister|brother|boss|therapist|diagnosis|condition|medication|diabetes|depression|cancer|pregnancy|divorce|salary)\M' then
        return true;
    end if;
    -- Names that the user said, wherever in a sentence.
    if exists (
            select from regexp_matches(p_answer, '(?<=[a-z,;] )[[:upper:]][[:lower:]]{2,}\M', 'g') m
            where lower(m[1]) = any (v_said)) then
        return true;
    end if;
    -- Five words in a row.
    if exists (
            select from generate_series(1, cardinality(v_said) - 4) n
            where strpos(v_plain, ' ' || array_to_string(v_said[n:n + 4], ' ') || ' ') > 0) then
        return true;
    end if;
    if exists (
            select from public.user_traits t
            where t.user_id = p_user_id and length(btrim(t.trait_value)) >= 3 and length(t.trait_value) <= 300
                and strpos(v_plain, ' ' || btrim(regexp_replace(lower(t.trait_value), '[^[:alnum:]]+', ' ', 'g')) || ' ') > 0) then
        return true;
    end if;
    v_words := uplift.memory_words(v_answer);
    return exists (
        select from public.ai_episodic_memory m
        where m.user_id = p_user_id and m.source <> 'feedback' and cardinality(m.words) >= 2
            and (select count(*) from unnest(m.words) w where w = any (v_words)) >= greatest(2, 0.6 * cardinality(m.words)));
end
$$;

comment on function uplift.repeats_personal_things(uuid, text, text) is
    'Whether an answer holds what is its user''s own: a number, a name or five words in a row of p_said, what the user had said (uplift.said_around); a relative or an illness, the value of a trait, or most words of a memory.';

create or replace function uplift.is_well_rated(p_helpful boolean, p_rating numeric) returns boolean
language sql immutable parallel safe
as $$ select coalesce(p_helpful, true) and coalesce(p_rating, 4) >= 4 and (p_helpful or p_rating >= 4) is true $$;

comment on function uplift.is_well_rated(boolean, numeric) is 'A thumb up or at least four stars, and neither a thumb down nor fewer.';

create or replace function uplift.drop_few_shot(p_answer_id uuid) returns void
language plpgsql volatile
as $$
begin
    delete from uplift.few_shot_examples f where f.answer_id = p_answer_id;
    if found then
        delete from uplift.search_texts t where t.ref = p_answer_id and t.shelf = 'examples';
    end if;
end
$$;

comment on function uplift.drop_few_shot(uuid) is 'An answer is no example any more.';

create or replace function uplift.few_shot_lock(p_user_id uuid) returns bigint
language sql immutable parallel safe
as $$ select uuid_hash_extended(p_user_id, 7310595023481640) $$;

comment on function uplift.few_shot_lock(uuid) is
    'The key of the advisory lock that those who make examples of a user''s answers share, and who changes whether they may takes alone.';

create or replace function uplift.said_around(a public.coach_response_feedback) returns text
language plpgsql stable
as $$
begin
    return concat_ws(' . ', left(a.user_message, 4000), left((a.request_messages -> 'messages')::text, 20000), left(uplift.user_facts(a.user_id), 10000), (
        select string_agg(x.said, ' . ') from (
            (select left(o.user_message, 2000) as said from public.coach_response_feedback o
            where o.conversation_id = a.conversation_id and o.user_id = a.user_id and o.created_at <= a.created_at and o.id <> a.id
            order by o.created_at desc limit 20)
            union all
            select left(o.user_message, 2000) from public.coach_response_feedback o where o.id = any (a.passage_ids) and o.user_id = a.user_id) x));
end
$$;

comment on function uplift.said_around(public.coach_response_feedback) is
    'What a user had said, and what was known of the user, when an answer was given: its question, the last 20 messages of its conversation, what came along with the request, the passages in its prompt, traits.';

create or replace function uplift.may_be_few_shot(a public.coach_response_feedback) returns boolean
language plpgsql volatile
as $$
begin
    if not uplift.is_well_rated(a.helpful, a.rating) or a.user_id is null or a.coach_id is null or a.outcome <> 'complete' or a.user_message = ''
            or length(a.ai_response) not between 20 and 4000 or a.response_message is not null or coalesce(a.answers_tools, false)
            -- Nobody else sees the photo.
            or a.photo_id is not null then
        return false;
    end if;
    -- Whoever takes back that answers may be used, or rejects this one, comes before this, or after it.
    perform pg_advisory_xact_lock_shared(uplift.few_shot_lock(a.user_id));
    return uplift.may_train(a.user_id)
        and not exists (select from uplift.answer_reviews r where r.answer_id = a.id and r.review = 'rejected')
        and not exists (select from uplift.conversations c where c.id = a.conversation_id and c.deleted_at is not null)
        and uplift.redact(a.ai_response, uplift.profile_names(a.user_id)) = a.ai_response and not uplift.looks_like_injection(a.ai_response)
        and not uplift.repeats_personal_things(a.user_id, uplift.said_around(a), a.ai_response);
end
$$;

comment on function uplift.may_be_few_shot(public.coach_response_feedback) is
    'Whether an answer may be an example: well rated, whole, of a coach, of 20 to 4,000 characters, of a conversation that was not deleted, of a user who lets answers be used, about no photo, and rejected by no admin; and it holds nothing personal.';

create or replace function uplift.offer_few_shot(a public.coach_response_feedback) returns boolean
language plpgsql volatile
as $$
declare
    v_question text;
    v_likeness uuid;
    v_text_id bigint;
begin
    if exists (select from uplift.few_shot_examples f where f.answer_id = a.id) or not uplift.may_be_few_shot(a) then
        return false;
    end if;
    v_question := uplift.redact(left(a.user_message, 2000), uplift.profile_names(a.user_id));
    v_likeness := md5(lower(regexp_replace(a.ai_response, '[^[:alnum:]]+', '', 'g')))::uuid;
    insert into uplift.search_texts (shelf, ref, title, body, weight)
    values ('examples', a.id, v_question, a.ai_response,
        uplift.kept_weight('examples', uplift.example_hash(a.coach_id, v_likeness), case when a.rating = 5 then 1.2 else 1 end))
    returning id into v_text_id;
    insert into uplift.few_shot_examples (text_id, answer_id, user_id, conversation_id, coach_id, gist, likeness)
    values (v_text_id, a.id, a.user_id, a.conversation_id, a.coach_id, uplift.gist(v_question), v_likeness);
    return true;
end
$$;

comment on function uplift.offer_few_shot(public.coach_response_feedback) is
    'Makes an answer an example, if it may be one (uplift.may_be_few_shot) and is none yet; whether it did.';

create or replace function uplift.few_shot_rated() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    -- Another text, or not so well rated any more: that it is gone is not left to chance.
    if tg_op = 'UPDATE' and ((old.user_id, old.coach_id, old.user_message, old.ai_response, old.outcome)
                is distinct from (new.user_id, new.coach_id, new.user_message, new.ai_response, new.outcome)
            or not uplift.is_well_rated(new.helpful, new.rating)) then
        perform uplift.drop_few_shot(new.id);
    end if;
    begin
        perform uplift.offer_few_shot(new);
    exception when others then
        -- The feedback itself is not lost for this.
        raise warning 'answer % could not be made an example: %', new.id, sqlerrm;
    end;
    return null;
end
$$;

comment on function uplift.few_shot_rated() is 'Trigger of coach_response_feedback: what is well rated is an example at once, and what is not any more, or has changed, is none.';

create or replace function uplift.few_shot_forgotten() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.drop_few_shot(f.answer_id) from uplift.few_shot_examples f where f.conversation_id = old.id;
    return null;
end
$$;

comment on function uplift.few_shot_forgotten() is 'Trigger of uplift.conversations: nothing of a conversation that is deleted is an example.';

create or replace function uplift.few_shot_undecided() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.drop_few_shot(f.answer_id) from uplift.few_shot_examples f where not uplift.may_train(f.user_id);
    return null;
end
$$;

comment on function uplift.few_shot_undecided() is
    'Trigger of uplift.settings: where answers of users who did not say may not be used any more (training.consent_default), they are no examples.';

create or replace function uplift.few_shot_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.drop_few_shot(old.id);
    return null;
end
$$;

comment on function uplift.few_shot_deleted() is 'Trigger of coach_response_feedback: an answer that is deleted is no example.';

create or replace function uplift.offer_few_shots_of(p_user_id uuid, p_most int) returns int
language plpgsql volatile
as $$
declare
    v_answer public.coach_response_feedback;
    v_count int := 0;
begin
    for v_answer in
        select a.* from public.coach_response_feedback a
        where a.user_id = p_user_id and (a.helpful or a.rating >= 4)
        order by a.created_at desc limit p_most
    loop
        v_count := v_count + uplift.offer_few_shot(v_answer)::int;
    end loop;
    return v_count;
end
$$;

comment on function uplift.offer_few_shots_of(uuid, int) is 'Makes examples of a user''s well-rated answers that are none yet, the latest so many looked at, and returns how many.';

create or replace function uplift.few_shot_consent() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := case when tg_op = 'DELETE' then old.user_id else new.user_id end;
begin
    perform pg_advisory_xact_lock(uplift.few_shot_lock(v_user_id));
    if not uplift.may_train(v_user_id) then
        delete from uplift.search_texts t using uplift.few_shot_examples f where f.user_id = v_user_id and t.id = f.text_id;
        delete from uplift.few_shot_examples f where f.user_id = v_user_id;
    else
        perform uplift.offer_few_shots_of(v_user_id, 50);
    end if;
    return null;
end
$$;

comment on function uplift.few_shot_consent() is
    'Trigger of user_coach_preferences: who takes back that answers may be used takes them out at once; who allows it brings the last 50 well-rated ones in.';

do $$
declare
    v record;
begin
    for v in
        select * from (values
            ('public.coach_response_feedback', 'uplift_few_shot', 'update', '(old.helpful, old.rating, old.user_id, old.coach_id, old.user_message, old.ai_response, old.outcome)
                is distinct from (new.helpful, new.rating, new.user_id, new.coach_id, new.user_message, new.ai_response, new.outcome)', 'few_shot_rated'),
            ('public.coach_response_feedback', 'uplift_few_shot_new', 'insert', 'new.helpful or new.rating >= 4', 'few_shot_rated'),
            ('public.coach_response_feedback', 'uplift_few_shot_gone', 'delete', 'old.helpful or old.rating >= 4', 'few_shot_deleted'),
            ('public.user_coach_preferences', 'uplift_few_shot_consent', 'update', 'old.training_consent is distinct from new.training_consent', 'few_shot_consent'),
            ('public.user_coach_preferences', 'uplift_few_shot_answer', 'insert', 'new.training_consent is not null', 'few_shot_consent'),
            ('public.user_coach_preferences', 'uplift_few_shot_unsaid', 'delete', 'old.training_consent is not null', 'few_shot_consent'),
            ('uplift.conversations', 'uplift_few_shot_forgotten', 'update', 'old.deleted_at is null and new.deleted_at is not null', 'few_shot_forgotten'),
            ('uplift.settings', 'uplift_few_shot_undecided', 'update', 'new.key = ''training.consent_default'' and old.value <> new.value', 'few_shot_undecided'))
            as t(table_name, name, event, condition, function)
    loop
        if not exists (select from pg_trigger where tgrelid = v.table_name::regclass and tgname = v.name) then
            execute format('create trigger %I after %s on %s for each row when (%s) execute function uplift.%I()',
                v.name, v.event, v.table_name, v.condition, v.function);
        end if;
    end loop;
end
$$;

create or replace function uplift.examples_for(p_coach_id text, p_search jsonb, p_bytes int, p_share float8, out lines text, out example_ids uuid[])
language plpgsql stable
as $$
declare
    v record;
    v_room int := p_bytes;
    v_floor float8 := uplift.search_floor(p_search -> 'examples' -> 'idf', p_share);
    v_hits record;
    v_seen uuid[] := array[]::uuid[];
    v_line text;
begin
    v_hits := uplift.search_hits('examples', p_search);
    for i in 1 .. coalesce(cardinality(v_hits.ids), 0) loop
        exit when cardinality(v_seen) = 3 or v_hits.scores[i] < v_floor;
        select f.answer_id, f.gist, f.likeness, t.body into v
        from uplift.few_shot_examples f
        cross join lateral (select x.* from uplift.search_texts x where x.id = f.text_id offset 0) t
        where f.text_id = v_hits.ids[i] and f.coach_id = p_coach_id and t.is_active;
        continue when not found or v.likeness = any (v_seen);
        v_line := '- ' || coalesce('Asked about ' || uplift.as_data(v.gist, 200) || ': ', '') || uplift.unnumbered(uplift.as_data(v.body, 800));
        continue when octet_length(v_line) + 1 > v_room;
        v_room := v_room - octet_length(v_line) - 1;
        v_seen := v_seen || v.likeness;
        lines := case when lines is null then v_line else lines || e'\n' || v_line end;
        example_ids := example_ids || v.answer_id;
    end loop;
end
$$;

comment on function uplift.examples_for(text, jsonb, int, float8, out text, out uuid[]) is
    'For a message, of what was found for it (uplift.search_hits), up to three answers of the same coach to similar ones that users liked, each as a line of a prompt, within p_bytes, and their ids; nulls for none. One counts as similar from uplift.search_floor() with p_share on.';

create or replace function uplift_batch.refresh_examples(p_after uuid, p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_answer public.coach_response_feedback;
    v_ids uuid[];
    v_id uuid;
    v_dropped int := 0;
    v_made int := 0;
begin
    select array_agg(x.id order by x.id) into v_ids
    from (select a.id from public.coach_response_feedback a
        where a.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000') order by a.id limit p_most) x;
    if v_ids is null then
        return jsonb_build_object('answers', 0, 'made', 0, 'dropped', 0, 'after', p_after, 'goes_on', false);
    end if;
    for v_id in
        select a.id from public.coach_response_feedback a
        where a.id = any (v_ids) and (a.helpful or a.rating >= 4
            or (select f.answer_id from uplift.few_shot_examples f where f.answer_id = a.id) is not null) order by a.id
    loop
        -- As it is now, and stays until this is committed.
        select a.* into v_answer from public.coach_response_feedback a where a.id = v_id for share;
        continue when not found;
        if not exists (select from uplift.few_shot_examples f where f.answer_id = v_id) then
            v_made := v_made + uplift.offer_few_shot(v_answer)::int;
        elsif not uplift.may_be_few_shot(v_answer) then
            -- What is known of the user, and how it is redacted, may have changed.
            perform uplift.drop_few_shot(v_id);
            v_dropped := v_dropped + 1;
        end if;
    end loop;
    return jsonb_build_object('answers', cardinality(v_ids), 'made', v_made, 'dropped', v_dropped,
        'after', v_ids[cardinality(v_ids)], 'goes_on', cardinality(v_ids) = p_most);
end
$$;

comment on function uplift_batch.refresh_examples(uuid, int) is
    'A step of the job refresh-examples: looks at the next p_most answers after p_after, by id, makes examples of those that may be and are none, and takes out those that may not be any more. Returns how many answers, how many were made and dropped, after, and whether there may be more.';
