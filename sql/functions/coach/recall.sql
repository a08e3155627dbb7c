-- Finding again: which memories of a user, and which passages of earlier conversations, a message is about.
--
-- Words are kept as postings in Postgres, a row for each word of a memory or turn, under a key made of user and
-- word. What a word is worth in its text (BM25, k1 1.5, b .75) is worked out when it is written; how rare it is
-- among the user's own, when it is looked for. Whatever is read goes by an index.

create or replace function uplift.word_key(p_user_id uuid, p_word text) returns bigint
language sql immutable parallel safe
as $$ select hashtextextended(p_word, uuid_hash_extended(p_user_id, 0)) $$;

comment on function uplift.word_key(uuid, text) is 'What a word of a user is known by: a hash of both of 64 bits, by the functions by which Postgres parts tables.';

create or replace function uplift.word_worth(p_count double precision, p_length double precision, p_mean_length double precision) returns real
language sql immutable parallel safe
as $$ select (p_count * 2.5::float8 / (p_count + 1.5::float8 * (0.25::float8 + 0.75::float8 * p_length / p_mean_length)))::real $$;

comment on function uplift.word_worth(double precision, double precision, double precision) is
    'What a word is worth in a text that has it so often, of a length in words, by BM25 (Robertson and Zaragoza 2009, k1 1.5, b .75) without idf: 0 to 2.5.';

create or replace function uplift.word_rarity(p_texts double precision, p_with double precision) returns double precision
language sql immutable parallel safe
as $$ select ln(1 + greatest(p_texts - p_with + 0.5::float8, 0.5::float8) / (p_with + 0.5::float8)) $$;

comment on function uplift.word_rarity(double precision, double precision) is
    'How much a word says that so many of so many texts have: the idf of BM25, in Lucene''s form, which is never below 0.';

-- --- memories ---

create or replace function uplift.memory_is_recalled(m public.ai_episodic_memory) returns boolean
language sql immutable parallel safe
as $$ select coalesce(m.is_active and m.memory_text <> '' and m.source <> 'feedback', false) $$;

comment on function uplift.memory_is_recalled(public.ai_episodic_memory) is
    'Whether a memory may be found: it counts, and is no wish, which every prompt has anyway.';

create or replace function uplift.index_memory(m public.ai_episodic_memory) returns void
language plpgsql volatile
as $$
declare
    c_mean constant float8 := 6; -- words of a memory that say something
    v_words text[];
begin
    if not uplift.memory_is_recalled(m) then
        return;
    end if;
    -- Nobody keeps more than 500 characters, but what is written by SQL may be longer.
    v_words := (uplift.text_words(concat_ws(' ', left(m.memory_text, 2000), m.subject), null))[:200];
    insert into uplift.memory_words (key, memory_id, w)
    select uplift.word_key(m.user_id, w.word), m.id, uplift.word_worth(count(*), cardinality(v_words), c_mean)
    from unnest(v_words) w(word) group by w.word order by 1
    on conflict do nothing;
end
$$;

comment on function uplift.index_memory(public.ai_episodic_memory) is 'Writes the words of a memory down, when it may be found.';

create or replace function uplift.memory_indexed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op <> 'INSERT' and uplift.memory_is_recalled(old) then
        delete from uplift.memory_words x where x.memory_id = old.id;
    end if;
    if tg_op <> 'DELETE' then
        perform uplift.index_memory(new);
    end if;
    return null;
end
$$;

comment on function uplift.memory_indexed() is 'Trigger of ai_episodic_memory: its words are found as long as it counts, whoever writes it.';

do $$
declare
    v_memory public.ai_episodic_memory;
begin
    if not exists (select from pg_trigger where tgrelid = 'public.ai_episodic_memory'::regclass and tgname = 'uplift_memory_indexed') then
        create trigger uplift_memory_indexed after insert or delete on public.ai_episodic_memory
            for each row execute function uplift.memory_indexed();
        -- Not by a list of columns, of which a deployment may write others that are kept in step.
        create trigger uplift_memory_indexed_again after update on public.ai_episodic_memory
            for each row when ((old.id, old.user_id, old.memory_text, old.subject, old.is_active, old.source)
                is distinct from (new.id, new.user_id, new.memory_text, new.subject, new.is_active, new.source))
            execute function uplift.memory_indexed();
        for v_memory in select m.* from public.ai_episodic_memory m loop
            perform uplift.index_memory(v_memory);
        end loop;
    end if;
end
$$;

create or replace function uplift.memories_for(p_user_id uuid, p_coach_id text, p_words text[], p_known jsonb, p_bytes int,
    out lines text, out ids uuid[])
language plpgsql stable
as $$
declare
    c_texts constant float8 := 200; -- as if a user had so many memories: the order is the same
    v_room int := p_bytes;
    v_line text;
    v record;
begin
    for v in
        with related as (
            select x.memory_id as id, sum(x.w * uplift.word_rarity(c_texts, x.memories)) as worth
            from (select distinct uplift.word_key(p_user_id, w.word) as key from unnest(p_words[:64]) w(word)) k
            cross join lateral (
                select y.memory_id, y.w, count(*) over () as memories
                from (select p.memory_id, p.w from uplift.memory_words p where p.key = k.key limit 64) y) x
            group by x.memory_id order by worth desc limit 20
        ), chosen as (
            select c.id, sum(c.worth) as worth
            from (
                select r.id, r.worth from related r
                union all
                select i, 0::float8 from unnest(uplift.json_list(p_known -> 'memory_ids')::uuid[]) i
                union all
                select i, 0::float8 from unnest(uplift.json_list(p_known -> 'pinned_ids')::uuid[]) i) c
            group by c.id
        )
        select m.id, m.memory_type, m.memory_text, m.is_pinned, c.worth > 0 as is_related
        from chosen c
        -- Each by its key: the planner would read all that the user has.
        cross join lateral (
            select e.*, coalesce(e.last_said_at, e.created_at, now()) as said_at
            from public.ai_episodic_memory e where e.id = c.id offset 0) m
        where m.user_id = p_user_id and m.is_active and (m.expires_at is null or m.expires_at > now())
            and m.memory_text <> '' and m.source <> 'feedback' and (m.coach_id is null or m.coach_id = p_coach_id)
        order by m.is_pinned desc,
            -- Without words as get_user_memory_context() has them.
            case when cardinality(p_words) > 0 then c.worth / (c.worth + 4)
                + 0.03::float8 * uplift.memory_strength(m.importance_score, m.said_at, m.access_count, false)
                + 0.1::float8 * power(0.5::float8, least(greatest(date_part('epoch', now() - m.said_at) / (30 * 86400), 0), 500)) end desc nulls last,
            m.importance_score desc nulls last, m.last_accessed desc nulls last, m.id
    loop
        exit when cardinality(ids) >= 10;
        -- What is important and not what the message is about: a handful.
        continue when not v.is_pinned and not v.is_related and cardinality(ids) >= 5;
        v_line := uplift.memory_line(v.memory_type, v.memory_text);
        if not v.is_pinned then
            continue when octet_length(v_line) > v_room;
            v_room := v_room - octet_length(v_line);
        end if;
        lines := coalesce(lines, '') || v_line;
        ids := ids || v.id;
    end loop;
end
$$;

comment on function uplift.memories_for(uuid, text, text[], jsonb, int, out text, out uuid[]) is
    'The memories of a user, who lets coaches remember, that go along with a message, as lines of uplift.memory_line(), and their ids; nulls for none. p_known is uplift.user_context(), which says what is important and pinned. p_words are the stems of the message (uplift.text_words), of which the first 64 count. First those that are pinned; then by r / (r + 4) + .03 s + .1 t: r is what the words are worth in it (BM25, idf among the user''s own memories), s its strength (uplift.memory_strength), t how recently it was said, halved with each 30 days. Without words, by importance. At most ten; at most five in all where the rest have none of the words; and as many as fit into p_bytes, which those pinned do not count against.';

-- --- earlier conversations ---

create or replace function uplift.passage_words_of(p_said text, p_answered text, p_said_at timestamptz, out words text[], out counts double precision[],
    out length double precision)
language plpgsql stable
as $$
declare
    -- Long texts by their beginning: what is asked again later is mostly what they begin with.
    v_said text[] := (uplift.text_words(left(p_said, 4000), null))[:150];
    v_answered text[] := (uplift.text_words(left(p_answered, 600), null))[:60];
    v_date text[] := uplift.text_words(to_char(p_said_at at time zone 'UTC', 'FMDD FMmonth YYYY'), 'en');
begin
    -- The user's own words count twice as much as the coach's, which are more. And the date, which people ask by.
    select array_agg(x.word), array_agg(x.total) into words, counts
    from (
        select c.word, sum(c.one) as total
        from (
            select w as word, 1::float8 as one from unnest(v_said) w
            union all select w, 0.5::float8 from unnest(v_answered) w
            union all select w, 1::float8 from unnest(v_date) w) c
        group by c.word) x;
    length := 3 + cardinality(v_said) + 0.5::float8 * cardinality(v_answered);
end
$$;

comment on function uplift.passage_words_of(text, text, timestamptz, out text[], out double precision[], out double precision) is
    'The words by which a turn is found, how often each is in it, and how long it is: of what the user said (the first 150), of the answer (the first 60, each half), and of its date.';

create or replace function uplift.drop_passage(p_answer_id uuid) returns void
language sql volatile
as $$ delete from uplift.passages p where p.answer_id = p_answer_id $$;

comment on function uplift.drop_passage(uuid) is 'Takes a turn out of those that are looked for.';

create or replace function uplift.passage_dropped() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    delete from uplift.passage_words w where w.key = any (old.keys) and w.pos = old.pos;
    return null;
end
$$;

comment on function uplift.passage_dropped() is 'Trigger of uplift.passages: the words go with their turn.';

create or replace function uplift.answer_dropped() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.drop_passage(old.id);
    delete from uplift.demotions d where d.kind = 'passages' and d.hash = old.id;
    return null;
end
$$;

comment on function uplift.answer_dropped() is 'Trigger of coach_response_feedback: a turn is not found when it is gone, and nothing is known of it.';

create or replace function uplift.conversation_dropped() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    delete from uplift.passages p where p.conversation_id = old.id;
    return null;
end
$$;

comment on function uplift.conversation_dropped() is 'Trigger of uplift.conversations: nothing of a conversation is found when it is deleted.';

-- Only when they are missing, because making them waits for everyone who writes.
do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'uplift.passages'::regclass and tgname = 'uplift_passage_dropped') then
        create trigger uplift_passage_dropped after delete on uplift.passages
            for each row execute function uplift.passage_dropped();
    end if;
    if not exists (select from pg_trigger where tgrelid = 'public.coach_response_feedback'::regclass and tgname = 'uplift_answer_dropped') then
        create trigger uplift_answer_dropped after delete on public.coach_response_feedback
            for each row execute function uplift.answer_dropped();
    end if;
    if not exists (select from pg_trigger where tgrelid = 'uplift.conversations'::regclass and tgname = 'uplift_conversation_dropped') then
        create trigger uplift_conversation_dropped after update of deleted_at on uplift.conversations
            for each row when (old.deleted_at is null and new.deleted_at is not null)
            execute function uplift.conversation_dropped();
        create trigger uplift_conversation_gone after delete on uplift.conversations
            for each row execute function uplift.conversation_dropped();
    end if;
end
$$;

create or replace function uplift.next_passage(p_user_id uuid, p_conversation_id uuid, out pos int, out nth int, out mean_length real)
language plpgsql volatile
as $$
declare
    v_next int;
begin
    select max(p.pos) + 1 into v_next from uplift.passages p where p.conversation_id = p_conversation_id and p.user_id = p_user_id;
    select p.nth, p.mean_length, case when v_next % 1000 > 0 then v_next else (p.pos / 1000 + 1) * 1000 end
    into nth, mean_length, pos
    from uplift.passages p where p.user_id = p_user_id order by p.pos desc limit 1;
    -- At first as if there had been some of 40 words.
    pos := coalesce(pos, 0);
    nth := coalesce(nth, 0) + 1;
    mean_length := coalesce(mean_length, 40);
end
$$;

comment on function uplift.next_passage(uuid, uuid, out int, out int, out real) is
    'Where the next turn of a user''s conversation goes, which of the user''s turns it is, and how long those before it are on average. Under the lock of the user''s memories.';

create or replace function uplift.index_answer(a public.coach_response_feedback) returns void
language plpgsql volatile
as $$
declare
    v_has_results boolean := coalesce(a.answers_tools, false);
    v_words record;
    v_place record;
    v_keys bigint[];
begin
    -- The results of tools came with the question of the turn before once more.
    select * into v_words from uplift.passage_words_of(case when not v_has_results then a.user_message end, a.ai_response, a.created_at);
    select * into v_place from uplift.next_passage(a.user_id, a.conversation_id);
    select array_agg(uplift.word_key(a.user_id, w)) into v_keys from unnest(v_words.words) w;
    insert into uplift.passages (user_id, pos, answer_id, conversation_id, said_at, nth, mean_length, keys)
    values (a.user_id, v_place.pos, a.id, a.conversation_id, a.created_at, v_place.nth,
        v_place.mean_length + (v_words.length - v_place.mean_length) / least(v_place.nth + 20, 1000), v_keys);
    insert into uplift.passage_words (key, pos, w)
    select x.key, v_place.pos, uplift.word_worth(x.total, v_words.length, v_place.mean_length)
    from unnest(v_keys, v_words.counts) x(key, total) order by 1
    on conflict do nothing;
    -- What was in its prompt was used.
    if a.memory_ids is not null then
        update public.ai_episodic_memory m set access_count = coalesce(m.access_count, 0) + 1, last_accessed = greatest(m.last_accessed, a.created_at)
        where m.id = any (a.memory_ids) and m.user_id = a.user_id;
    end if;
end
$$;

comment on function uplift.index_answer(public.coach_response_feedback) is
    'Writes down the words of a turn, and that its memories were used. Under the lock of the user''s memories; once for each turn.';

create or replace function uplift_chat.index_answers(p_answer_ids uuid[]) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_answer public.coach_response_feedback;
    v_user_id uuid;
    v_replaced tstzmultirange;
    v_is_deleted boolean;
    v_count int := 0;
begin
    for v_answer in
        -- In the order of users, which is the order of locks, and of turns.
        select a.*
        from (select distinct x.id from unnest(p_answer_ids) x(id)) i
        cross join lateral (select x.* from public.coach_response_feedback x where x.id = i.id offset 0) a
        where a.conversation_id is not null and a.ai_response <> ''
            and (select p.answer_id from uplift.passages p where p.answer_id = a.id) is null
        order by a.user_id, a.created_at, a.id
    loop
        continue when not uplift.is_remembered(v_answer.user_id, v_answer.created_at);
        if v_answer.user_id is distinct from v_user_id then
            perform uplift.lock_memories(v_answer.user_id);
            v_user_id := v_answer.user_id;
        end if;
        select c.replaced, c.deleted_at is not null into v_replaced, v_is_deleted
        from uplift.conversations c where c.id = v_answer.conversation_id and c.user_id = v_answer.user_id;
        -- What a version replaced is not found any more, as it is not in uplift.conversation_messages.
        if v_answer.regenerate_of is not null then
            delete from uplift.passages p
            where p.conversation_id = v_answer.conversation_id and p.user_id = v_answer.user_id and uplift.is_replaced((
                    select a.created_at from public.coach_response_feedback a where a.id = p.answer_id), v_replaced);
        end if;
        continue when uplift.is_replaced(v_answer.created_at, v_replaced) or v_is_deleted
            or uplift.is_erased(v_answer.user_id, v_answer.created_at)
            -- It was looked for, and hurt.
            or exists (select from uplift.demotions d where d.kind = 'passages' and d.hash = v_answer.id)
            -- Another worker had it, too, and was first.
            or exists (select from uplift.passages p where p.answer_id = v_answer.id);
        begin
            perform uplift.index_answer(v_answer);
            v_count := v_count + 1;
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            raise warning 'answer % cannot be found in later conversations: %', v_answer.id, sqlerrm;
        end;
    end loop;
    -- Those of a conversation that was deleted meanwhile, whose trigger did not see them yet.
    delete from uplift.passages p using uplift.conversations c
    where p.answer_id = any (p_answer_ids) and c.id = p.conversation_id and c.deleted_at is not null;
    return v_count;
end
$$;

comment on function uplift_chat.index_answers(uuid[]) is
    'Lets turns be found in later conversations (uplift.passages_for), and notes which memories they used; returns how many are new. Not those of users who turned memory off, of deleted conversations, and answers that were given anew since. Again it does nothing. The caller leaves out guests, and chats without a coach.';

create or replace function uplift.find_passages(p_user_id uuid, p_conversation_id uuid, p_words text[], p_least int, p_most int)
returns table (answer_id uuid, said_at timestamptz, score double precision, is_close boolean)
language plpgsql stable rows 5
as $$
#variable_conflict use_column
declare
    -- Words that many messages have and that nobody is looking for.
    c_chatty constant text[] := '{today,tomorrow,yesterday,now,day,week,month,year,time,morn,night,last,next,day,want,need,like,love,know,think,feel,help,make,get,got,go,went,do,did,tell,told,talk,say,said,mention,rememb,remind,ask,good,great,well,thank,thanks,pleas,hello,hi,hey,ok,okay,yes,also,realli,much,mani,thing,something,anyth,someth,someon,would,could,should,can,still,one,let,see,new,way,use,start,tri,keep,work}'::text[];
    c_latest constant int := 40; -- turns of a word that are looked at
    v_texts float8;
    v_last int; -- conversation, by its number
    v_sessions int[] := array[]::int[];
    v_keys bigint[];
    v_saying int;
begin
    -- How much there is, which is most of what somebody without earlier conversations pays.
    select p.nth, p.pos / 1000 into v_texts, v_last from uplift.passages p where p.user_id = p_user_id order by p.pos desc limit 1;
    if v_texts is null then
        return;
    end if;
    -- Those that say something first.
    select array_agg(uplift.word_key(p_user_id, d.word) order by d.word = any (c_chatty)), count(*) filter (where d.word <> all (c_chatty))
    into v_keys, v_saying
    from (select distinct w as word from unnest(p_words[:64]) w where w is not null) d;
    if v_saying = 0 then
        return;
    elsif p_conversation_id is not null then
        v_sessions := array(
            select distinct p.pos / 1000 from uplift.passages p where p.conversation_id = p_conversation_id and p.user_id = p_user_id);
    end if;
    return query
    with found as (
        select x.pos / 1000 as session, x.pos, x.w * r.rarity as worth, case when x.is_first then r.rarity end as first,
            k.n <= v_saying as says_something
        from unnest(v_keys) with ordinality k(key, n)
        cross join lateral (
            select y.pos, y.w,
                -- Of a word that more have, as many as there would be if they were as dense before; but what they are all
                -- in one or two conversations for says nothing of others.
                case when count(*) over all_of_them < c_latest or v_last - min(y.pos) over all_of_them / 1000 < 2 then count(*) over all_of_them
                    else least(v_texts, c_latest * (v_last + 1) / (v_last - min(y.pos) over all_of_them / 1000 + 1)::float8) end as texts,
                lag(y.pos) over all_of_them / 1000 is distinct from y.pos / 1000 as is_first
            from (
                select p.pos, p.w from uplift.passage_words p
                where p.key = k.key and p.pos / 1000 <> all (v_sessions) order by p.pos desc limit c_latest) y
            window all_of_them as (order by y.pos desc rows between unbounded preceding and unbounded following)) x
        cross join lateral (select uplift.word_rarity(v_texts, x.texts) as rarity) r
    ), hits as (
        -- In the order of turns, so that one sort serves both the conversations' sums and the turns'.
        select x.pos, sum(x.worth) + 0.2::float8 * min(x.firsts) as worth
        from (
            select f.*, sum(f.first) over (partition by f.session order by f.pos rows between unbounded preceding and unbounded following) as firsts
            from found f) x
        group by x.session, x.pos
        having count(*) filter (where x.says_something) >= least(v_saying, p_least)
        order by 2 desc limit 40
    ), spread as (
        -- What was said next is often the answer to it.
        select h.pos + n.step as pos, sum(h.worth * n.share) as worth
        from hits h cross join (values (0, 1::float8), (1, 0.4::float8), (2, 0.2::float8)) n(step, share)
        where h.pos % 1000 + n.step < 1000
        -- Behind the last turn of a conversation there is none.
        group by 1 order by 2 desc limit p_most * 2
    )
    select p.answer_id, p.said_at, s.worth, s.worth >= uplift.word_rarity(v_texts, 1)
    from spread s
    -- Each by its key: what the planner expects of a user's turns is far off.
    cross join lateral (select y.answer_id, y.said_at from uplift.passages y where y.user_id = p_user_id and y.pos = s.pos limit 1) p
    order by s.worth desc limit p_most;
end
$$;

comment on function uplift.find_passages(uuid, uuid, text[], int, int) is
    'The turns of a user''s conversations, but the one with that id, that have the words of a message (stems, the first 64), at least p_least of those that say something or all there are, best first, at most p_most: BM25 with the idf among the user''s own (of a word the latest 40 turns are looked at; how many more have it is estimated by how far back they go, if that is more than two conversations), and .2 times the idf of the words that its conversation has anywhere; a turn also counts .4 for the next one and .2 for that after it. is_close: whether it scores as much as a word that the user said once.';

create or replace function uplift.ago(p_then timestamptz, p_now timestamptz) returns text
language plpgsql immutable parallel safe
as $$
declare
    d int := floor(extract(epoch from p_now - p_then)::float8 / 86400);
begin
    return case
        when d < 1 then 'today' when d < 2 then 'yesterday' when d < 14 then d || ' days ago' when d < 61 then d / 7 || ' weeks ago'
        when d < 730 then d / 30 || ' months ago' else d / 365 || ' years ago' end;
end
$$;

comment on function uplift.ago(timestamptz, timestamptz) is 'How long ago something was, in words: today (in the last 24 hours), yesterday, 5 days ago, 3 weeks ago, 4 months ago, 2 years ago.';

create or replace function uplift.without_accents(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_with text;
    v_without text;
begin
    if octet_length(p_text) = length(p_text) then
        return p_text;
    end if;
    select string_agg(x.c, ''), string_agg(left(x.parts, 1), '') into v_with, v_without
    from (
        select c.c, normalize(c.c, nfd) as parts
        from (select distinct m[1] as c from regexp_matches(p_text, '[^\u0001-\u007F]', 'g') m) c) x
    where x.parts ~ '^.[\u0300-\u036F]+$';
    return coalesce(translate(p_text, v_with, v_without), p_text);
end
$$;

comment on function uplift.without_accents(text) is 'A text without accents, sign by sign, so that each stays in its place.';

create or replace function uplift.searchable(p_text text) returns text
language sql immutable parallel safe
as $$ select uplift.without_accents(lower(translate(left(p_text, 20000), e'\n\r\t', '   '))) $$;

comment on function uplift.searchable(text) is
    'The first 20,000 characters of a text in lower case, without accents and line breaks, each sign in its place.';

create or replace function uplift.words_there(p_text text, p_words text[]) returns text[]
language plpgsql immutable parallel safe
as $$
declare
    v_word text;
    v_there text[] := array[]::text[];
begin
    foreach v_word in array coalesce(p_words[:64], '{}') loop
        -- Two letters among other words are in many; of scripts that do not part words two signs are one.
        continue when length(v_word) < 3 and octet_length(v_word) = length(v_word) and cardinality(p_words) > 1;
        v_word := uplift.without_accents(v_word);
        if strpos(p_text, v_word) > 0 then
            v_there := v_there || v_word;
        end if;
    end loop;
    return v_there;
end
$$;

comment on function uplift.words_there(text, text[]) is 'Those of these words (stems, which begin their words, mostly) that are in a text (uplift.searchable).';

create or replace function uplift.cut_around(p_text text, p_at int, p_max int) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_from int := greatest(least(coalesce(p_at, 1) - p_max / 4, length(p_text) - p_max + 1), 1);
    v_cut text := regexp_replace(substr(p_text, v_from, p_max), '\s+', ' ', 'g');
begin
    -- Whole words, where there are spaces.
    return case when v_from > 1 then '…' || regexp_replace(v_cut, '^\S{0,30} |^ ', '') else v_cut end
        || case when v_from + p_max <= length(p_text) then '…' else '' end;
end
$$;

comment on function uplift.cut_around(text, int, int) is 'About p_max characters of a longer text, on one line, around the sign at p_at (null: the beginning).';

create or replace function uplift.on_one_line(p_text text) returns text
language sql immutable parallel safe
as $$ select case when p_text ~ '[^\S ]|  ' then btrim(regexp_replace(p_text, '\s+', ' ', 'g')) else btrim(p_text) end $$;

comment on function uplift.on_one_line(text) is 'A text with one space for any.';

-- For prompts: each chat that has passages comes by here, up to twelve times.
create or replace function uplift.excerpt(p_text text, p_words text[], p_max int) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := left(p_text, 20000);
    v_lower text;
    v_at int;
    v_one int;
    v_word text;
begin
    if length(v_text) <= p_max then
        return uplift.on_one_line(v_text);
    end if;
    v_lower := lower(v_text);
    -- Stems begin their words, mostly.
    foreach v_word in array coalesce(p_words[:64], '{}') loop
        v_one := strpos(v_lower, v_word);
        if v_one > 0 and (v_at is null or v_one < v_at) and length(v_word) > 2 then
            v_at := v_one;
        end if;
    end loop;
    return uplift.cut_around(v_text, v_at, p_max);
end
$$;

comment on function uplift.excerpt(text, text[], int) is
    'A text on one line, cut to about p_max characters around the first of these words (stems) in it; of long ones only the first 20,000 characters are looked at.';

-- For people, who look for what they searched for.
create or replace function uplift.search_excerpt(p_text text, p_words text[], p_max int) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := left(p_text, 20000);
    v_searchable text;
    v_there text[];
    v_word text;
    v_one int;
    v_at int;
    v_count int;
    v_most int := 0;
begin
    if length(v_text) <= p_max then
        return uplift.on_one_line(v_text);
    end if;
    if cardinality(p_words) > 0 then
        v_searchable := uplift.searchable(v_text);
        v_there := uplift.words_there(v_searchable, p_words);
        -- Where most of them are, the first such place.
        foreach v_word in array v_there[:16] loop
            v_one := strpos(v_searchable, v_word);
            v_count := (select count(*) from unnest(v_there) o(word) where strpos(substr(v_searchable, greatest(v_one - p_max / 4, 1), p_max), o.word) > 0);
            if v_count > v_most or v_count = v_most and v_one < v_at then
                v_most := v_count;
                v_at := v_one;
            end if;
        end loop;
    end if;
    return uplift.cut_around(v_text, v_at, p_max);
end
$$;

comment on function uplift.search_excerpt(text, text[], int) is
    'As uplift.excerpt(), but around where most of these words (uplift.words_there) are close together.';

create or replace function uplift.passage_line(p_said_at timestamptz, p_said text, p_answered text, p_words text[]) returns text
language plpgsql stable
as $$
declare
    v_said text := uplift.excerpt(p_said, p_words, 200);
    v_answered text := uplift.excerpt(p_answered, p_words, 160);
begin
    return e'\n- ' || uplift.ago(p_said_at, now()) || ': ' || concat_ws('; ',
        'the user said: "' || nullif(uplift.as_data(v_said, 210), '') || '"',
        'you answered: "' || nullif(uplift.unnumbered(uplift.as_data(v_answered, 170)), '') || '"');
end
$$;

comment on function uplift.passage_line(timestamptz, text, text, text[]) is 'A turn of an earlier conversation as it stands in a prompt, a line break first.';

create or replace function uplift.passages_for(p_user_id uuid, p_conversation_id uuid, p_words text[], p_bytes int, out lines text, out ids uuid[])
language plpgsql stable
as $$
declare
    v record;
    v_line text;
    v_room int := p_bytes;
begin
    if cardinality(p_words) = 0 or v_room < 40 then
        return;
    end if;
    for v in
        select f.answer_id, f.said_at, a.user_message, a.ai_response
        -- One word in common may be chance, unless there are no more.
        from uplift.find_passages(p_user_id, p_conversation_id, p_words, 2, 6) f
        -- Each by its key: the planner would read all answers that the user ever got.
        cross join lateral (
            select x.user_id, x.user_message, x.ai_response, x.conversation_id
            from public.coach_response_feedback x where x.id = f.answer_id offset 0) a
        -- Written while its conversation was deleted it may still be there for a while.
        where f.is_close and a.user_id = p_user_id and (select c.deleted_at from uplift.conversations c where c.id = a.conversation_id) is null
        order by f.score desc
    loop
        v_line := uplift.passage_line(v.said_at, v.user_message, v.ai_response, p_words);
        continue when octet_length(v_line) > v_room;
        v_room := v_room - octet_length(v_line);
        lines := coalesce(lines, '') || v_line;
        ids := ids || v.answer_id;
        exit when cardinality(ids) = 3;
    end loop;
end
$$;

comment on function uplift.passages_for(uuid, uuid, text[], int, out text, out uuid[]) is
    'The best passages of the conversations of a user, who lets coaches remember, other than this one (null: any) for a message whose stems are p_words, as lines of uplift.passage_line(), and the ids of their answers: at most three, and as many as fit into p_bytes. Nulls where none is close enough (uplift.find_passages).';

-- --- what an answer used ---

create or replace function uplift_chat.get_answer_context(p_user_id uuid, p_id uuid) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_answer public.coach_response_feedback;
    v_memories json;
    v_passages json;
begin
    select a.* into v_answer from public.coach_response_feedback a where a.id = p_id and a.user_id = p_user_id
        and not exists (select from uplift.conversations c where c.id = a.conversation_id and c.deleted_at is not null);
    if not found then
        perform uplift.fail(404, 'answer_not_found', 'there is no such answer');
    end if;
    select json_agg(uplift.memory_json(m) order by i.place) into v_memories
    from unnest(v_answer.memory_ids) with ordinality i(id, place)
    join public.ai_episodic_memory m on m.id = i.id
    where m.user_id = p_user_id and m.is_active;
    select json_agg(json_build_object('answer_id', a.id, 'conversation_id', a.conversation_id, 'created_at', a.created_at,
        'user_message', uplift.excerpt(a.user_message, null, 300), 'message', uplift.excerpt(a.ai_response, null, 300)) order by i.place)
    into v_passages
    from unnest(v_answer.passage_ids) with ordinality i(id, place)
    join public.coach_response_feedback a on a.id = i.id
    where a.user_id = p_user_id
        and not exists (select from uplift.conversations c where c.id = a.conversation_id and c.deleted_at is not null);
    return json_build_object('object', 'context', 'id', p_id, 'memories', coalesce(v_memories, '[]'), 'passages', coalesce(v_passages, '[]'),
        'citations', coalesce(v_answer.citations, '[]'), 'examples_used', coalesce(cardinality(v_answer.example_ids), 0),
        'photo_id', v_answer.photo_id, 'reasoning_content', uplift.thoughts_of(v_answer.response_message));
end
$$;

comment on function uplift_chat.get_answer_context(uuid, uuid) is
    'What an own answer was made with, as far as it is still there: {object, id, memories: [as uplift.memory_json], passages: [{answer_id, conversation_id, created_at, user_message, message}, texts to about 300 characters], citations, as they were, examples_used: how many, photo_id: of a meal that was shown, also where it is gone, reasoning_content: what the model thought first, null where its provider did not tell}. UP404 answer_not_found.';
