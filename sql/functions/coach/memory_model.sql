-- What a model finds worth remembering in what users said (job extract-memories), after the rules have looked: it
-- sees their words alone, and what it finds counts only as far as those words bear it out. So it can neither
-- invent, nor be made to plant, what nobody said.

create or replace function uplift_batch.messages_to_read(p_days int, p_user_id uuid, p_after uuid, p_to uuid, p_guest uuid) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    return (
        select coalesce(jsonb_agg(jsonb_build_object('user_id', g.user_id, 'conversation_id', g.conversation_id, 'answer_ids', g.ids,
            'data', '<messages>' || g.lines || e'\n</messages>') order by g.ids[1]), '[]')
        from (
            select x.user_id, x.conversation_id, array_agg(x.id order by x.place) as ids,
                string_agg(format(e'\n[%s] %s', x.place % 10 + 1, uplift.as_data(x.user_message, 2000)), '' order by x.place) as lines
            from (
                select a.id, a.user_id, a.conversation_id, a.user_message,
                    row_number() over (partition by a.conversation_id order by a.id) - 1 as place
                from public.coach_response_feedback a
                left join uplift.conversations c on c.id = a.conversation_id
                where a.id > coalesce(p_after, uplift.first_id_of(now() - p_days * interval '24 hours')) and a.id <= p_to
                    and (p_user_id is null or a.user_id = p_user_id) and a.user_id is distinct from p_guest
                    -- Without a coach a message may be a program's.
                    and a.coach_id is not null and a.conversation_id is not null
                    and (a.regenerate_of is null or uplift.is_reworded(a.regenerate_of, a.user_id, a.user_message))
                    and not uplift.was_reworded(a.id, a.user_id, a.user_message) and a.answers_tools is not true and a.user_message <> ''
                    and c.deleted_at is null and (c.read_to is null or a.id > c.read_to)
                    and uplift.is_remembered(a.user_id, a.created_at) and not uplift.looks_like_injection(a.user_message)) x
            group by x.user_id, x.conversation_id, x.place / 10) g);
end
$$;

comment on function uplift_batch.messages_to_read(int, uuid, uuid, uuid, uuid) is
    'What a model is to look at of the answers after p_after (null: of the last p_days days) up to p_to, of one user or (null) all but p_guest: an array of {user_id, conversation_id, answer_ids, data}, at most ten messages of a conversation each, that it has not looked at before. data is what it is sent: the messages, numbered, between tags, each on a line of at most 2,000 characters.';

create or replace function uplift.sentence_behind(p_memory text, p_type text, p_message text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_words text[] := tsvector_to_array(to_tsvector('pg_catalog.english', p_memory));
    -- How somebody stands to it may be told in other words, which the kind has.
    v_more text[] := string_to_array(case p_type when 'goal' then 'want goal aim plan' when 'preference' then 'like prefer'
        when 'struggle' then 'struggl' when 'achievement' then 'achiev' else '' end, ' ');
    v_denies boolean := uplift.memory_denies(uplift.memory_form((uplift.memory_subject(p_memory)).sentence));
    v_said text[];
    v_sentence text;
begin
    for v_sentence in select s.sentence from uplift.sentences(p_message) s order by s.n loop
        v_said := tsvector_to_array(to_tsvector('pg_catalog.english', v_sentence));
        if v_denies = uplift.memory_denies(uplift.memory_form((uplift.memory_subject(v_sentence)).sentence))
                -- A few words picked from a long sentence may say anything.
                and (v_words <@ (v_said || v_more) and not v_words <@ v_more and 3 * cardinality(v_words) >= cardinality(v_said)
                    or strpos(lower(v_sentence), lower(p_memory)) > 0)
                -- What is asked or supposed is not said; but a question may follow on what is.
                and not uplift.is_about_the_talk(uplift.memory_form(rtrim(v_sentence, '?!."'') ')))
                and (v_sentence !~ '\?["'')]*$' or strpos(lower(v_sentence), lower(p_memory)) = 1) then
            return v_sentence;
        end if;
    end loop;
    return null;
end
$$;

comment on function uplift.sentence_behind(text, text, text) is
    'The sentence of a message that bears out a memory of a kind: one that has all of its words (stems), but for those that only say the kind, of which it is a third at least, that denies what it denies, and is no question, command or the like; null where there is none.';

create or replace function uplift.found_memory(p_found jsonb, p_message text, out type text, out text text, out subject text)
language plpgsql immutable parallel safe
as $$
declare
    v_behind text;
    v_form text;
    v_claimed text := nullif(p_found ->> 'about', 'user');
begin
    text := rtrim(left(btrim(regexp_replace(p_found ->> 'text', '\s+', ' ', 'g')), 300), ' .!…');
    v_behind := uplift.sentence_behind(text, p_found ->> 'kind', p_message);
    if v_behind is null or length(text) < 4 or uplift.looks_like_injection(text) then
        return;
    end if;
    -- Who it is about is as the sentence has it; behind "she" it is somebody whom the message names.
    subject := (uplift.memory_subject(v_behind)).subject;
    if subject is distinct from (uplift.memory_subject(text)).subject then
        return;
    elsif subject is null and v_claimed is not null then
        if not to_tsvector('pg_catalog.english', p_message) @@ plainto_tsquery('pg_catalog.english', v_claimed) then
            return;
        end if;
        subject := v_claimed;
    end if;
    v_form := uplift.memory_form((uplift.memory_subject(text)).sentence);
    if uplift.is_about_the_talk(v_form) or subject is null and v_form ~ '^(he|she|they|it|his|her|their|its)\M' then
        return;
    end if;
    type := p_found ->> 'kind';
end
$$;

comment on function uplift.found_memory(jsonb, text, out text, out text, out text) is
    'What a model found in a message, {kind, text, about (user, or a word of kinship)}, as it may be remembered; type is null where the message does not bear it out, or it is a question, a command, a remark on the conversation, or an instruction.';

create or replace function uplift.is_known_memory(p_user_id uuid, p_text text, p_subject text, p_said_at timestamptz) returns boolean
language plpgsql stable
as $$
declare
    v_form text := uplift.memory_form((uplift.memory_subject(uplift.memory_as_kept(p_text))).sentence);
    v_words text[] := uplift.memory_words(v_form);
    v_negative boolean := uplift.memory_denies(v_form);
begin
    return exists (
            select from uplift.forgotten_memories f
            where f.user_id = p_user_id and f.fingerprint in (
                select uplift.memory_fingerprint(t, p_subject, v_words, v_negative)
                from unnest('{goal,preference,achievement,struggle,milestone}'::text[]) t))
        or exists (
            select from public.ai_episodic_memory m
            where m.user_id = p_user_id and m.subject is not distinct from p_subject and m.last_said_at >= p_said_at
                and m.is_negative = v_negative and m.words && v_words
                and (m.words <@ v_words or v_words <@ m.words or uplift.overlap(m.words, v_words) >= 0.6));
end
$$;

comment on function uplift.is_known_memory(uuid, text, text, timestamptz) is
    'Whether what a user said at a time, whatever kind it is taken for, is remembered already from then or later, or was forgotten: much the same words, of whom p_subject says.';

create or replace function uplift_batch.keep_memories(p_user_id uuid, p_conversation_id uuid, p_answer_ids uuid[], p_found jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v record;
    v_memory record;
    v_count int := 0;
    v_dropped int := 0;
    v_failed int := 0;
begin
    perform uplift.lock_memories(p_user_id);
    for v in
        select f.found, a.user_message, a.created_at
        from jsonb_array_elements(p_found) with ordinality as f(found, place)
        left join public.coach_response_feedback a on a.id = p_answer_ids[(f.found ->> 'message')::int]
            and a.user_id = p_user_id and a.conversation_id = p_conversation_id
            and uplift.is_remembered(p_user_id, a.created_at)
            and not exists (select from uplift.conversations c where c.id = a.conversation_id and c.deleted_at is not null)
        order by a.id, f.place limit 20
    loop
        v_memory := uplift.found_memory(v.found, v.user_message);
        if v_memory.type is null then
            v_dropped := v_dropped + 1;
            continue;
        end if;
        begin
            if not uplift.is_known_memory(p_user_id, v_memory.text, v_memory.subject, v.created_at)
                    and uplift.remember(p_user_id, p_conversation_id, v_memory.type, v_memory.text, v_memory.subject,
                        least((v.found ->> 'importance')::numeric, 9), 'model', v.created_at) is not null then
                v_count := v_count + 1;
            end if;
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            v_failed := v_failed + 1;
        end;
    end loop;
    update uplift.conversations c set read_to = greatest(c.read_to, p_answer_ids[cardinality(p_answer_ids)])
    where c.id = p_conversation_id;
    perform uplift.tend_memories(p_user_id);
    return jsonb_build_object('memories', v_count, 'dropped', v_dropped, 'failed', v_failed);
end
$$;

comment on function uplift_batch.keep_memories(uuid, uuid, uuid[], jsonb) is
    'Keeps what a model found in messages that uplift_batch.messages_to_read gave it, {message (from 1), kind, text, about, importance} each, where they bear it out (uplift.found_memory) and it is not known (uplift.is_known_memory), and notes that it has looked at them. Returns how many memories are new or stronger, how many were dropped, and how many could not be kept.';

create or replace function uplift_batch.cost_of_calls(p_model text, p_provider text, p_prompt_tokens bigint, p_cached_tokens bigint,
    p_completion_tokens bigint) returns numeric
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select round(uplift.cost_at(uplift.price_of(p_model, p_provider, now()), p_prompt_tokens, p_cached_tokens, p_completion_tokens), 8)
$$;

comment on function uplift_batch.cost_of_calls(text, text, bigint, bigint, bigint) is
    'What calls of a model cost now, in US dollars; null where it has no price.';
