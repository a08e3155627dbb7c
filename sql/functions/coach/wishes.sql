-- What people write in their feedback: how they want to be answered is a wish that the next prompt has, and what
-- we had wrong about them is remembered as it is. By rules for English, and German and Spanish where it is about
-- the language. A wish is in our own words, so that no feedback can become an instruction of its own.

-- Each wish, whether it is for all coaches (how long and in which form somebody likes to read is theirs, with whichever coach; how a coach
-- is, is the coach's), and, in small letters, what says so and what only looks like it.
create or replace function uplift.known_wishes() returns table (wish text, is_general boolean, pattern text, not_pattern text, hints text[])
language sql immutable parallel safe rows 20
as $$
    values
        ('Keep answers short.', true, '\m(too|so|very|way too) (long|wordy|verbose|much text|many words)\M|\m(be|keep it|keep (your |the )?(answers?|replies)|make it|much|a bit|answer|reply) (more )?(short|shorter|brief|briefer|concise)\M|\mtl;?dr\M|\mwalls? of text\M|\mget to the point\M|\mshorter (answers?|please|replies)\M|^shorter\M', '\mnot too long\M|\mtoo short\M', '{long,word,verbose,text,short,brief,concise,tl,point}'::text[]),
        ('Give more detail.', true, '\mtoo (short|brief|vague|general|superficial|generic)\M|\m(more|some) (detail|details|depth|explanation|examples|specifics)\M|\mbe more (specific|detailed|concrete)\M|\mgo deeper\M|\m(longer|more detailed) answers?\M', '\mtoo (much|many) detail|\mless detail', '{short,brief,vague,general,superficial,generic,detail,depth,explanation,example,specific,concrete,deeper,longer}'),
        ('Use simple words.', true, '\mtoo (complicated|technical|complex|academic|difficult to (read|understand))\M|\m(simpler|plain|easier) (words|language|english|terms)\M|\mtoo much jargon\M|\mexplain (it )?(more )?simply\M|\m(did not|didn''t|don''t|do not) understand (the|half|all|these|those|most)\M', null, '{complicated,technical,complex,academic,difficult,simpl,plain,easier,jargon,understand}'),
        ('Be gentler.', false, '\mtoo (harsh|mean|rude|aggressive|strict|tough|blunt|direct|pushy|hard on me|severe|cold)\M|\m(be|a bit|more) (kinder|gentler|nicer|softer|friendlier|gentle)\M|\m(hurt|hurtful|felt attacked|made me (cry|feel bad))\M', '\mnot too (harsh|mean|rude|tough|direct)\M|\mharsher\M', '{harsh,mean,rude,aggressive,strict,tough,blunt,direct,pushy,hard,severe,cold,kinder,gentle,nicer,softer,friendlier,hurt,attacked,made me}'),
        ('Be more direct.', false, '\mtoo (soft|nice|gentle|polite|lenient|kind|positive|cheerful|vague about)\M|\m(stop|don''t|do not|no) sugar ?coat|\mbe (more )?(direct|honest|blunt|tougher|stricter|harsher)\M|\m(harder|tougher) on me\M', '\mtoo (harsh|direct|blunt)\M', '{soft,nice,gentle,polite,lenient,kind,positive,cheerful,vague,sugar,direct,honest,blunt,tougher,stricter,harsher,harder}'),
        ('Be less formal.', false, '\mtoo (formal|stiff|robotic|corporate)\M|\m(sounds?|feels?) (like a )?(robot|robotic|machine|template)\M|\mmore (casual|relaxed|human|natural)\M', null, '{formal,stiff,robot,corporate,machine,template,casual,relaxed,human,natural}'),
        ('Make no jokes.', false, '\m(stop|no|fewer|less|without|enough of) (the |your )?(jok(es?|ing)|humou?r|puns?)\M|\mnot funny\M|\mtoo (silly|jokey|funny|many jokes)\M', null, '{jok,humo,pun,funny,silly}'),
        ('Do not talk down to the user.', false, '\m(condescending|patroni[sz]ing|talks? down to me|lectur(e|es|ing)|preachy|moraliz|moralis)', null, '{condescending,patroni,talk,lectur,preachy,morali}'),
        ('Use no emojis.', true, '\m(no|stop|without|less|fewer|too many|drop|skip) (the |using |with the |those )*emojis?\M|\memojis? (are|is) (annoying|childish|unnecessary)', null, '{emoji}'),
        ('Use lists.', true, '\m(use|prefer|want|as|in|with|give me) (a )?(bullet points?|bullets|lists?|numbered lists?|steps)\M|\mmore (structure|structured)\M', '\m(no|too many|without|stop|fewer|less) (bullet|lists?)', '{bullet,list,step,structure}'),
        ('Use no lists.', true, '\m(no|too many|without|stop( with)?( the)?|fewer|less) (bullet points?|bullets|lists?)\M', null, '{bullet,list}'),
        ('Use no Markdown.', true, '\m(no|without|stop|drop) (the )?(markdown|bold|asterisks|formatting)\M|\mplain text\M|\masterisks everywhere\M', null, '{markdown,bold,asterisk,formatting,plain}'),
        ('Use metric units.', true, '\m(use|in|with|prefer) (the )?(metric|kilos?|kilograms?|kg|kilomet(er|re)s?|km|celsius|centimet(er|re)s)\M', '\mnot (in )?(kg|metric|km)', '{metric,kilo,kg,km,celsius,centimet}'),
        ('Use imperial units.', true, '\m(use|in|with|prefer) (the )?(imperial|pounds|lbs|miles|fahrenheit|feet)\M|\m(i''m|i am) american\M', '\mnot (in )?(pounds|lbs|miles|imperial)', '{imperial,pound,lbs,mile,fahrenheit,feet,american}'),
        ('Answer in English.', true, '\m(in|speak|use|write|answer|reply) (in )?english\M|\mauf englisch\M|\men ingl[eé]s\M', null, '{engl,ingl}'),
        ('Answer in German.', true, '\m(in|speak|use|write|answer|reply) (in )?german\M|\mauf deutsch\M|\men alem[aá]n\M', null, '{german,deutsch,alem}'),
        ('Answer in Spanish.', true, '\m(in|speak|use|write|answer|reply) (in )?spanish\M|\mauf spanisch\M|\men espa[nñ]ol\M', null, '{spanis,espa}'),
        ('Answer in French.', true, '\m(in|speak|use|write|answer|reply) (in )?french\M|\men fran[cç]ais\M|\mauf franz[oö]sisch\M', null, '{french,fran}'),
        ('Ask fewer questions.', true, '\m(too many|stop (asking|with the)( me)?( so many| all these| these)?|fewer|less) questions\M|\mstop asking me\M[.!]*\s*$|\m(answer instead of asking|always ask(s|ing)? (me )?(something|questions?))\M', null, '{question,ask}'),
        ('Do not repeat what was said.', false, '\mrepeat(s|ing|ed)? (yourself|itself|the same|what i|everything)\M|\malready (told|said|know)\M|\msame (answer|thing|advice) (again|every time|over and over)\M', null, '{repeat,already,same}'),
        ('Do not call the user by pet names.', true, '\m(stop|do not|don''t) call(ing)? me (buddy|champ|dear|honey|darling|sweetie|mate|bro|friend|love)\M', null, '{call}')
$$;

comment on function uplift.known_wishes() is
    'The wishes that feedback can be, in our own words: whether they are for all coaches, the patterns by which uplift.wishes_in() finds them, and hints, of which one occurs in every text that the pattern finds: a session keeps 32 patterns that it has worked out, and with all of these each comment would have them worked out anew, which takes some hundred times as long as to search. Beside them there are those that name a topic (uplift.topic_wish).';

create or replace function uplift.tone_wishes() returns text[]
language sql immutable parallel safe
as $$ select array['Be gentler.', 'Be more direct.', 'Be neither harsh nor soft.'] $$;

comment on function uplift.tone_wishes() is 'Wishes about how harsh a coach is, of which somebody has one for a coach at most.';

create or replace function uplift.is_for_all_coaches(p_text text) returns boolean
language sql immutable parallel safe
as $$ select lower(p_text) ~ '\m(all|every|any) (the |your |my )?coach(es)?\M' $$;

comment on function uplift.is_for_all_coaches(text) is 'Whether feedback says that it is for all coaches.';

create or replace function uplift.topic_wish(p_kind text, p_topic text) returns text
language plpgsql immutable parallel safe
as $$
begin
    if p_kind in ('Do not bring up', 'Focus on') and btrim(p_topic) <> '' and length(p_topic) <= 40 and not uplift.looks_like_injection(p_topic)
            and p_topic !~* '\m(rules?|instructions?|prompts?|help|danger|safety|suicid|doctor)' then
        return p_kind || ': ' || btrim(uplift.as_data(p_topic, 40)) || '.';
    end if;
    return null;
end
$$;

comment on function uplift.topic_wish(text, text) is
    'A wish about a topic, of at most 40 characters: "Do not bring up: ..." or "Focus on: ..."; null where it is no topic, or one that no user can have us keep from.';

create or replace function uplift.wishes_in(p_text text) returns table (wish text, is_general boolean)
language plpgsql immutable parallel safe
as $$
declare
    v text := lower(translate(left(p_text, 4000), u&'\2019\2018\201C\201D', '''''""'));
    v_is_for_all constant boolean := uplift.is_for_all_coaches(v);
    v_topic text;
begin
    return query
    select w.wish, w.is_general or v_is_for_all
    from uplift.known_wishes() w
    where case when exists (select from unnest(w.hints) h(words) where position(h.words in v) > 0)
        then v ~ w.pattern and (w.not_pattern is null or v !~ w.not_pattern) end;
    -- One that names what it is about.
    v_topic := (regexp_match(v, '\m(?:stop asking(?: me)? about|do not ask(?: me)? about|don''t ask(?: me)? about|stop (?:talking|going on|bringing up)(?: about)?|do not mention|don''t mention|stop mentioning|never mention) (my |the |our )?([a-z0-9][a-z0-9 ''-]{1,40}?)(?: again| any ?more| all the time| every time| please|[.,!?;\n]|$)'))[2];
    wish := uplift.topic_wish('Do not bring up', v_topic);
    if wish is not null then
        is_general := v_is_for_all;
        return next;
    end if;
end
$$;

comment on function uplift.wishes_in(text) is
    'How somebody who writes this as feedback wants to be answered, each wish in our own words, and whether it is for all coaches; none where it says nothing of the kind.';

create or replace function uplift.wishes_contradict(p_one text, p_other text) returns boolean
language sql immutable parallel safe
as $$
    select exists (
            select from (values ('Keep answers short.', 'Give more detail.'), ('Be gentler.', 'Be more direct.'), ('Use lists.', 'Use no lists.'),
                ('Use metric units.', 'Use imperial units.'), ('Be neither harsh nor soft.', 'Be gentler.'), ('Be neither harsh nor soft.', 'Be more direct.')) as o(a, b)
            where (p_one, p_other) in ((o.a, o.b), (o.b, o.a)))
        or p_one like 'Answer in %' and p_other like 'Answer in %' and p_one <> p_other
$$;

comment on function uplift.wishes_contradict(text, text) is 'Whether two wishes of uplift.known_wishes() cannot both be so.';

create or replace function uplift.facts_in_feedback(p_text text) returns text
language sql immutable parallel safe
as $$
    -- "You forgot that I'm vegetarian" says what "I'm vegetarian" says.
    select regexp_replace(p_text, '\m(?:but |and |because )?you (?:keep forgetting|forgot|forget|ignored?|missed|overlooked|(?:do not|don''t|didn''t|did not) (?:remember|know|consider))(?: again)?(?: the fact)?(?: that)? (?=i\M|my\M|we\M)', '. ', 'gi')
$$;

comment on function uplift.facts_in_feedback(text) is 'Feedback with what it says that we forgot as sentences of their own, for uplift.find_memories.';

create or replace function uplift.keep_wish(p_user_id uuid, p_answer_id uuid, p_coach_id text, p_wish text, p_is_general boolean,
    p_said_at timestamptz) returns void
language plpgsql volatile
as $$
declare
    v_others uuid[];
    v_last timestamptz;
    v_was_too_much boolean;
begin
    -- The last word counts of two that cannot both be so. Of tones, too much of what was wished for is something between.
    select array_agg(m.id), max(m.last_said_at), bool_or((m.memory_text, p_wish) in (('Be gentler.', 'Be more direct.'), ('Be more direct.', 'Be gentler.')))
    into v_others, v_last, v_was_too_much
    from public.ai_episodic_memory m
    where m.user_id = p_user_id and m.source = 'feedback' and (m.coach_id is null or p_is_general or m.coach_id is not distinct from p_coach_id)
        and (m.memory_text = p_wish or uplift.wishes_contradict(m.memory_text, p_wish));
    if v_last > p_said_at then
        return;
    end if;
    if v_others is null and p_wish = any (uplift.tone_wishes()) then
        -- The one that was brought along from another coach (uplift.wish_lines) stays there.
        select (m.memory_text, p_wish) in (('Be gentler.', 'Be more direct.'), ('Be more direct.', 'Be gentler.')) into v_was_too_much
        from public.ai_episodic_memory m
        where m.user_id = p_user_id and m.source = 'feedback' and m.is_active and m.memory_text = any (uplift.tone_wishes()) and m.last_said_at <= p_said_at
        order by m.last_said_at desc, m.id limit 1;
    end if;
    delete from public.ai_episodic_memory m where m.id = any (v_others);
    insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score, source, answer_id, coach_id, last_said_at)
    values (p_user_id, 'preference', case when v_was_too_much then 'Be neither harsh nor soft.' else p_wish end, 9.0, 'feedback', p_answer_id, case when not p_is_general then p_coach_id end, p_said_at);
end
$$;

comment on function uplift.keep_wish(uuid, uuid, text, text, boolean, timestamptz) is
    'Keeps a wish from the feedback on an answer, for its coach or all, in the place of the same one, and of those that cannot be so with it; unless they were said later.';

create or replace function uplift.forget_feedback(p_user_id uuid, p_answer_id uuid) returns void
language plpgsql volatile
as $$
begin
    -- Not waited for: feedback is also applied where answers are recorded, which waits for nobody.
    perform pg_try_advisory_xact_lock(uplift.memory_lock(p_user_id));
    delete from public.ai_episodic_memory m
    where m.user_id = p_user_id and m.answer_id = p_answer_id and m.source in ('feedback', 'rules') and m.said_count = 1;
    delete from uplift.feedback_to_read f where f.answer_id = p_answer_id;
end
$$;

comment on function uplift.forget_feedback(uuid, uuid) is 'What a user''s feedback on an answer said before it says no longer.';

create or replace function uplift.obey_feedback(p_user_id uuid, p_answer_id uuid, p_coach_id text, p_text text, p_said_at timestamptz) returns void
language plpgsql volatile
as $$
declare
    v record;
    v_id uuid;
    v_is_understood boolean := false;
begin
    if coalesce(btrim(p_text), '') = '' or not uplift.is_remembered(p_user_id) or uplift.looks_like_injection(p_text) then
        return;
    end if;
    for v in select * from uplift.wishes_in(p_text) loop
        perform uplift.keep_wish(p_user_id, p_answer_id, p_coach_id, v.wish, v.is_general, p_said_at);
        v_is_understood := true;
    end loop;
    -- What is understood, and speaks neither of "I" nor of "my", has no facts, which are ten times as costly to look for.
    for v in
        select f.* from uplift.find_memories(case when not v_is_understood or p_text ~* '\m(i|we|my|our)\M' then uplift.facts_in_feedback(p_text) end) f
        order by f.n limit 5
    loop
        v_id := uplift.remember(p_user_id, null, v.memory_type, v.memory_text, v.subject, v.importance, 'rules', p_said_at);
        update public.ai_episodic_memory m set answer_id = p_answer_id where m.id = v_id and m.said_count = 1;
        v_is_understood := true;
    end loop;
    if not v_is_understood and length(btrim(p_text)) >= 8 then
        insert into uplift.feedback_to_read (answer_id, user_id) values (p_answer_id, p_user_id) on conflict do nothing;
    end if;
end
$$;

comment on function uplift.obey_feedback(uuid, uuid, text, text, timestamptz) is
    'Makes wishes and memories of what a user wrote as feedback on an answer, once uplift.forget_feedback() has taken out those that came from it before; nothing while the user has memory turned off, or where it tries to be an instruction to the system (uplift.looks_like_injection). What it does not understand is noted for a model (uplift.feedback_to_read).';

create or replace function uplift.feedback_text_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    -- What is taken back is gone, or the whole fails.
    perform uplift.forget_feedback(new.user_id, new.id);
    begin
        perform uplift.obey_feedback(new.user_id, new.id, new.coach_id, new.feedback_text, coalesce(new.feedback_given_at, now()));
    exception when others then
        -- What had to wait for too long is tried again with the whole. For another error the feedback itself, or the answer
        -- that comes with it, is not lost.
        if not uplift.is_bad_row(sqlstate) then
            raise;
        end if;
        raise warning 'feedback on answer % could not be obeyed: %', new.id, sqlerrm;
    end;
    return null;
end
$$;

comment on function uplift.feedback_text_changed() is 'Trigger of coach_response_feedback: what is written as feedback is obeyed at once (uplift.obey_feedback).';

-- Only when it is missing, because making it waits for everyone who writes answers.
do $$
begin
    if not exists (select from pg_trigger
            where tgrelid = 'public.coach_response_feedback'::regclass and tgname = 'uplift_feedback_text') then
        create trigger uplift_feedback_text after update on public.coach_response_feedback
        for each row when (old.feedback_text is distinct from new.feedback_text)
        execute function uplift.feedback_text_changed();
    end if;
end
$$;

-- --- what the rules do not understand: a model chooses of the same wishes (job read-feedback) ---

create or replace function uplift_batch.list_feedback_to_read(p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
begin
    -- Where no model reads them they do not pile up.
    delete from uplift.feedback_to_read f where f.noted_at < now() - interval '720 hours';
    return jsonb_build_object(
        'wishes', (select jsonb_agg(w.wish) from uplift.known_wishes() w) || '["Do not bring up", "Focus on"]',
        'feedback', (
            select coalesce(jsonb_agg(jsonb_build_object('answer_id', x.answer_id, 'seen', md5(coalesce(x.feedback_text, '')),
                'data', e'<feedback>\n' || uplift.as_data(x.feedback_text, 2000) || e'\n</feedback>') order by x.noted_at, x.answer_id), '[]')
            from (
                select f.answer_id, f.noted_at, a.feedback_text
                from uplift.feedback_to_read f
                left join public.coach_response_feedback a on a.id = f.answer_id and a.user_id = f.user_id
                order by f.noted_at, f.answer_id limit p_most) x));
end
$$;

comment on function uplift_batch.list_feedback_to_read(int) is
    'Feedback that a model is to read, the oldest first, at most p_most: {wishes: those it may choose of, feedback: [{answer_id, seen, data}]}; data is what it is sent, one line of at most 2,000 characters between tags. What was noted 30 days ago and not read is given up.';

create or replace function uplift.chosen_wish(p_chosen jsonb, p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := regexp_replace(lower(p_text), '\s+', ' ', 'g');
    v_quote text := btrim(regexp_replace(lower(p_chosen ->> 'quote_text'), '\s+', ' ', 'g'), ' "''.');
    v_wish text;
begin
    if length(v_quote) < 3 or strpos(v_text, v_quote) = 0 then
        return null;
    end if;
    select w.wish into v_wish from uplift.known_wishes() w where w.wish = p_chosen ->> 'wish';
    if not found and tsvector_to_array(to_tsvector('pg_catalog.english', p_chosen ->> 'topic'))
            <@ tsvector_to_array(to_tsvector('pg_catalog.english', p_text)) then
        v_wish := uplift.topic_wish(p_chosen ->> 'wish', p_chosen ->> 'topic');
    end if;
    return v_wish;
end
$$;

comment on function uplift.chosen_wish(jsonb, text) is
    'A wish that a model found in feedback, {wish, topic, quote_text}: one of uplift.known_wishes(), or about a topic whose words are in the feedback; null where it is neither, or quote_text, the words that say so, does not occur there.';

create or replace function uplift_batch.keep_wishes(p_answer_id uuid, p_seen text, p_found jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_noted uplift.feedback_to_read;
    v_answer record;
    v_chosen jsonb;
    v_wish text;
    v_count int := 0;
    v_dropped int := 0;
    v_failed int := 0;
begin
    select f.* into v_noted from uplift.feedback_to_read f where f.answer_id = p_answer_id;
    if not found then -- taken back, or understood since
        return jsonb_build_object('wishes', 0, 'dropped', 0, 'failed', 0);
    end if;
    perform uplift.lock_memories(v_noted.user_id);
    -- Nor may it be changed at this moment.
    select a.coach_id, a.feedback_text, coalesce(a.feedback_given_at, now()) as said_at into v_answer
    from public.coach_response_feedback a where a.id = p_answer_id and a.user_id = v_noted.user_id for share;
    if found and md5(coalesce(v_answer.feedback_text, '')) <> p_seen then
        return jsonb_build_object('wishes', 0, 'dropped', 0, 'failed', 0);
    end if;
    delete from uplift.feedback_to_read f where f.answer_id = p_answer_id;
    if v_answer.feedback_text is null or not uplift.is_remembered(v_noted.user_id) or uplift.looks_like_injection(v_answer.feedback_text) then
        return jsonb_build_object('wishes', 0, 'dropped', 0, 'failed', 0);
    end if;
    for v_chosen in select x from jsonb_array_elements(p_found) with ordinality as e(x, n) order by e.n limit 5 loop
        v_wish := uplift.chosen_wish(v_chosen, v_answer.feedback_text);
        if v_wish is null then
            v_dropped := v_dropped + 1;
            continue;
        end if;
        begin
            perform uplift.keep_wish(v_noted.user_id, p_answer_id, v_answer.coach_id, v_wish, uplift.is_for_all_coaches(v_answer.feedback_text)
                or coalesce((select w.is_general from uplift.known_wishes() w where w.wish = v_wish), false), v_answer.said_at);
            v_count := v_count + 1;
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            v_failed := v_failed + 1;
        end;
    end loop;
    return jsonb_build_object('wishes', v_count, 'dropped', v_dropped, 'failed', v_failed);
end
$$;

comment on function uplift_batch.keep_wishes(uuid, text, jsonb) is
    'Keeps what a model chose for feedback that uplift_batch.list_feedback_to_read told of as p_seen: an array of {wish, topic, quote_text}; those that the feedback does not bear out (uplift.chosen_wish) are dropped. Of feedback that has changed since nothing is kept, and it is read again. Returns {wishes, dropped, failed}, failed being those that could not be kept.';
