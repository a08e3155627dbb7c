-- What a coach remembers of a user: what is said is found by rules (memory_rules.sql), and kept once.

create or replace function uplift.is_remembered(p_user_id uuid, p_said_at timestamptz default 'infinity') returns boolean
-- In PL/pgSQL, which keeps its plan.
language plpgsql stable
as $$
begin
    return coalesce((select p.memory_enabled and (p.memory_since is null or p.memory_since <= p_said_at)
        from public.user_coach_preferences p where p.user_id = p_user_id), true);
end
$$;

comment on function uplift.is_remembered(uuid, timestamptz) is
    'Whether a user lets coaches remember, and what was said at a time: not what was said before it was last turned on again.';

create or replace function public.get_user_memory_context(p_user_id uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(e'\n' || uplift.memory_section(string_agg(uplift.memory_line(m.memory_type, m.memory_text), ''
        order by m.importance_score desc nulls last, m.last_accessed desc nulls last, m.id)) || e'\n', '')
    from (
        select e.* from public.ai_episodic_memory e
        where e.user_id = p_user_id and e.is_active and (e.expires_at is null or e.expires_at > now())
            and e.memory_text <> '' and e.source <> 'feedback' and uplift.is_remembered(p_user_id)
        order by e.importance_score desc nulls last, e.last_accessed desc nulls last, e.id
        limit 5) m
$$;

comment on function public.get_user_memory_context(uuid) is
    'The five most important memories of a user as a section of a prompt; empty when there are none, or the user turned memory off. Forgotten and expired ones are left out.';

-- --- what is kept, and how ---

create or replace function uplift.memory_as_kept(p_text text) returns text
language plpgsql stable
as $$
declare
    c_illness constant text := '\m(?:type [12] )?(?:diabet[a-z]+|depress(?:ion|ed)|bipolar|schizo[a-z]+|anorexi[a-z]+|bulimi[a-z]+|eating disorder|cancers?|tumou?rs?|leuk[a-z]+mia|hiv|aids|hepatitis|epilep[a-z]+|asthma|copd|arthritis|crohn''?s(?: disease)?|colitis|ibs|pcos|endometriosis|thyroid[a-z]*|hypothyroidism|adhd|autis[a-z]+|ptsd|ocd|anxiety disorder|panic disorder|dementia|alzheimer''?s|parkinson''?s|multiple sclerosis|lupus|fibromyalgia|migraines?|high blood pressure|hypertension|heart (?:disease|attack|condition)|stroke|miscarriage|abortion|ivf|pregnant|pregnancy|chemo(?:therapy)?|dialysis|antidepressants?|insulin|metformin|ozempic|ssris?|lithium|ritalin|adderall|xanax|alcoholi[a-z]+|addict(?:ed|ion)|rehab|suicid[a-z]+|self-?harm[a-z]*|std|sti|herpes|celiac|coeliac)\M';
    c_child constant text := '\m(?:sons?|daughters?|kids?|child|children|baby|toddler|teenager|nieces?|nephews?|grandsons?|granddaughters?|grandchild(?:ren)?|stepson|stepdaughter)\M';
    c_age constant text := '(?:\m(?:is |are |turned |turning |turns |aged? )?(?:1[0-7]|[1-9])(?:[- ]?(?:years?|months?|weeks?)[- ]?old)\M|\m(?:turned|turning|turns|aged?) (?:1[0-7]|[1-9])\M)';
    c_name constant text := '(\m[Mm]y (?:[a-z]+ ){0,2}(?:sister|brother|mother|mom|mum|father|dad|husband|wife|partner|girlfriend|boyfriend|fianc[eé]e?|spouse|friend|boss|manager|colleague|coworker|roommate|teacher|trainer|therapist|neighbou?r|aunt|uncle|cousin|grandmother|grandma|grandfather|grandpa|ex)(?:,| is called| named| called)?|\m(?:named|called)) [A-Z][[:alpha:]]+(?: [A-Z][[:alpha:]]+)?';
    v_policies jsonb;
    v_policy text;
    v_text text := p_text;
    v_masked text;
    v_kind text;
begin
    select coalesce(jsonb_object_agg(substr(s.key, 8), s.value), '{}') into v_policies
    from uplift.settings s where s.key in ('memory.credentials', 'memory.health', 'memory.minors', 'memory.names');
    foreach v_kind in array '{credentials,health,minors,names}'::text[] loop
        -- Masked where nobody said anything.
        v_policy := coalesce(v_policies ->> v_kind, 'mask');
        continue when v_policy = 'keep' or v_text is null;
        v_masked := case v_kind
            when 'credentials' then uplift.redact(v_text, null)
            when 'health' then regexp_replace(v_text, c_illness, '[health]', 'gi')
            when 'minors' then case when v_text ~* (c_child || '|' || c_age) then
                regexp_replace(regexp_replace(v_text, c_age, '[age]', 'gi'),
                    '(' || c_child || '(?:,| is| named| called| is called| is named)*) [A-Z][[:alpha:]]+', '\1 [name]', 'g') else v_text end
            else regexp_replace(v_text, c_name, '\1 [name]', 'g') end;
        v_text := case when v_masked = v_text or v_policy = 'mask' then v_masked end;
    end loop;
    return v_text;
end
$$;

comment on function uplift.memory_as_kept(text) is
    'A sentence as it may be remembered, with what is sensitive in it kept, masked or, null, refused, as the settings memory.credentials, memory.health, memory.minors and memory.names say.';

create or replace function uplift.memory_words(p_form text) returns text[]
language plpgsql immutable parallel safe
as $$
begin
    return (
        select coalesce(array_agg(distinct w order by w), '{}')
        from unnest(tsvector_to_array(to_tsvector('pg_catalog.english', (
            -- Forms of one verb that a stemmer does not bring together.
            select string_agg(coalesce(v.base, p.word), ' ')
            from regexp_split_to_table(p_form, '[^[:alnum:]]+') as p(word)
            left join (values ('ran', 'run'), ('lost', 'lose'), ('won', 'win'), ('swam', 'swim'), ('wrote', 'write'), ('bought', 'buy'), ('ate', 'eat'),
                ('slept', 'sleep'), ('went', 'go'), ('did', 'do'), ('made', 'make'), ('began', 'begin'), ('broke', 'break'), ('gave', 'give'), ('given', 'give'),
                ('stuck', 'stick'), ('kept', 'keep'), ('taught', 'teach'), ('learnt', 'learn'), ('spoke', 'speak'), ('rode', 'ride'), ('drank', 'drink')) as v(form, base)
                on v.form = p.word)))) as w
        where w <> all ('{i,want,like,love,hate,enjoy,prefer,dislik,adore,detest,loath,tri,goal,aim,plan,hope,need,would,realli,final,alway,never,usual,still,struggl,also,stand,can,go,get,got,start,manag,year,month,week,day,last,next,today,yesterday,tomorrow,now,everi,since,becaus,much,lot,bit,decid,intend,work,someth,thing,just,is,am,are,was,were,be,no,not,more,less,achiev,reach,finish,complet}'));
end
$$;

comment on function uplift.memory_words(text) is
    'What a sentence in the form of uplift.memory_form() is about: the stems of its words, each once and in order, without those that only say how somebody stands to it.';

create or replace function uplift.memory_denies(p_form text) returns boolean
language sql immutable parallel safe
as $$
    select p_form ~ '\m(not|never|no longer|hates?|dislikes?|detests?|loathes?|avoids?|despises?|stopped|quit|gave up|given up|without|no more)\M'
$$;

comment on function uplift.memory_denies(text) is 'Whether a sentence in the form of uplift.memory_form() says of something that it is not so, or not liked.';

create or replace function uplift.memory_fingerprint(p_type text, p_subject text, p_words text[], p_negative boolean) returns uuid
language sql immutable parallel safe
as $$
    select uplift.text_hash(concat_ws(' ', p_type, p_negative, p_subject, array_to_string(p_words, ' ')))
$$;

comment on function uplift.memory_fingerprint(text, text, text[], boolean) is
    'What a memory is known by when it has been forgotten: the same for the same thing in slightly other words.';

create or replace function uplift.overlap(a text[], b text[]) returns double precision
language sql immutable parallel safe
as $$
    select case when cardinality(a) = 0 or cardinality(b) = 0 then 0::float8
        else (select count(*) from unnest(a) x where x = any (b))::float8
            / (cardinality(a) + cardinality(b) - (select count(*) from unnest(a) x where x = any (b))) end
$$;

comment on function uplift.overlap(text[], text[]) is 'How much of two sets of words is in both: Jaccard''s index, 0 to 1.';

create or replace function uplift.without_numbers(p_words text[]) returns text[]
language sql immutable parallel safe
as $$ select coalesce(array_agg(w), '{}') from unnest(p_words) w where w !~ '\d' $$;

comment on function uplift.without_numbers(text[]) is 'Words without those that have digits.';

-- What a way of eating rules out.
create or replace function uplift.food_ruled_out(p_form text) returns text
language sql immutable parallel safe
as $$
    select case when p_form ~ 'vegan|vegetarian|plant|eat|drink|drunk|smok|dairy|milk|cheese|sober|teetotal|lactose|alcohol|meat' then nullif(concat_ws('|',
        case when p_form ~ '\m(went|am|is|being|become|became|gone|going|turned|now|stay|staying|^i) (a |an |strict |strictly |fully |now |completely )*(vegan|vegetarian|plant.based)\M|\m(stopped eating|gave up|given up|quit|do not eat|does not eat|no longer eat|never eats?|cut out) (all |any |red )?(meat|animal)' then 'meat|steak|beef|pork|chicken|bacon|ham|sausages?|burgers?|lamb|turkey|veal|salami|ribs|barbecue|bbq|duck' end,
        case when p_form ~ '\m(vegan|plant.based|vegetarian)\M|\m(stopped eating|gave up|given up|do not eat|does not eat|no longer eat|never eats?) fish' and p_form !~ 'pescatarian|eats? fish' then 'fish|salmon|tuna|sushi|shrimps?|prawns|seafood|cod' end,
        case when p_form ~ '\m(vegan|plant.based)\M|\m(stopped eating|gave up|given up|do not eat|does not eat|no longer eat|lactose|cut out|avoids?) ?(all |any )?(intolerant|dairy|cheese|milk)' then 'cheese|milk|yogh?urt|butter|cream|dairy|ice cream|mozzarella|feta' end,
        case when p_form ~ '\mvegan\M' then 'eggs?|omelettes?|honey' end,
        case when p_form ~ '\m(quit|stopped|gave up|given up|do not|does not|no longer|never) (drinks?|drinking|alcohol)\M|\m(sober|teetotal)' then 'wine|beers?|whisk(?:e)?y|gin|cocktails?|alcohol|drinking|vodka|rum' end,
        case when p_form ~ '\m(quit|stopped|gave up|given up|do not|does not|no longer) (smoke|smokes|smoking|cigarettes)\M' then 'smoke|smoking|cigarettes?|cigars?' end), '') end
$$;

comment on function uplift.food_ruled_out(text) is 'The words, parted by bars, of what somebody who says this does not eat, drink or smoke (any more); null for none.';

create or replace function uplift.memory_filled() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_form text;
begin
    if tg_op = 'UPDATE' and new.memory_text is distinct from old.memory_text or new.words is null or new.is_negative is null then
        v_form := uplift.memory_form((uplift.memory_subject(new.memory_text)).sentence);
        new.words := uplift.memory_words(v_form);
        new.is_negative := uplift.memory_denies(v_form);
    end if;
    return new;
end
$$;

comment on function uplift.memory_filled() is 'Keeps words and is_negative of a memory in step with its text, whoever writes it.';

do $$
begin
    if not exists (select from pg_trigger where tgrelid = 'public.ai_episodic_memory'::regclass and tgname = 'uplift_memory_filled') then
        create trigger uplift_memory_filled before insert or update on public.ai_episodic_memory
            for each row execute function uplift.memory_filled();
    end if;
end
$$;

create or replace function uplift.memory_replaces(p_type text, p_words text[], p_negative boolean, p_rules_out text,
    p_old_type text, p_old_text text, p_old_words text[], p_old_negative boolean) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_turned boolean := p_negative <> p_old_negative;
begin
    -- Who went vegan loves no steak.
    if p_rules_out is not null and p_old_type = 'preference' and p_type in ('preference', 'achievement') and not p_old_negative
            and p_old_text ~* ('\m(' || p_rules_out || ')\M') then
        return true;
    -- What was wanted is done.
    elsif p_type = 'achievement' then
        return p_old_type = 'goal' and cardinality(p_old_words) > 0 and p_old_words <@ p_words;
    elsif p_type not in ('preference', 'goal') or p_old_type not in ('preference', 'goal') or not p_words && p_old_words then
        return false;
    end if;
    -- Another mind: liked, not liked; wanted, not wanted. Or another number for the same goal.
    return v_turned and uplift.overlap(uplift.without_numbers(p_words), uplift.without_numbers(p_old_words)) >= 0.6
        or p_type = 'goal' and p_old_type = 'goal' and not v_turned and p_words <> p_old_words
            and array_to_string(p_words, ' ') ~ '\d' and array_to_string(p_old_words, ' ') ~ '\d'
            and uplift.overlap(uplift.without_numbers(p_words), uplift.without_numbers(p_old_words)) >= 0.75;
end
$$;

comment on function uplift.memory_replaces(text, text[], boolean, text, text, text, text[], boolean) is
    'Whether what is so now (kind, words, whether it denies them, uplift.food_ruled_out) takes the place of what was so before (kind, sentence, words, whether it denies them): a preference or goal turned round, the same goal with another number, a goal that was reached, a food that a way of eating rules out.';

create or replace function uplift.memory_expiry(p_type text, p_text text, p_said_at timestamptz) returns timestamptz
language sql immutable parallel safe
as $$
    select p_said_at + case
        when p_type in ('goal', 'struggle', 'preference') and p_text ilike any ('{%today%,%tonight%,%tomorrow%,%this morning%,%this afternoon%,%this evening%,%this week%}') then interval '336 hours'
        when p_type in ('goal', 'struggle') and p_text ilike '%this month%' then interval '1080 hours'
        when p_type = 'struggle' then interval '8766 hours'
        when p_type in ('achievement', 'milestone') then interval '26298 hours' end
$$;

comment on function uplift.memory_expiry(text, text, timestamptz) is 'When a memory of this kind fades: what is of today or this week after 14 days, of this month after 45, a struggle after a year, what was reached or happened after three; null: it does not.';

-- One sentence, one memory: said again it grows stronger, and what has changed takes the place of what was.
create or replace function uplift.remember(p_user_id uuid, p_conversation_id uuid, p_type text, p_text text, p_subject text,
    p_importance numeric, p_source text, p_said_at timestamptz) returns uuid
language plpgsql volatile
as $$
declare
    v_text text := uplift.memory_as_kept(p_text);
    v_form text := uplift.memory_form((uplift.memory_subject(v_text)).sentence);
    v_words text[] := uplift.memory_words(v_form);
    v_negative boolean := uplift.memory_denies(v_form);
    v_rules_out text := case when p_type in ('preference', 'achievement') then uplift.food_ruled_out(v_form) end;
    v_same public.ai_episodic_memory;
    v_id uuid;
begin
    if v_text is null or uplift.is_erased(p_user_id, p_said_at) or exists (select from uplift.forgotten_memories f
            where f.user_id = p_user_id and f.fingerprint = uplift.memory_fingerprint(p_type, p_subject, v_words, v_negative)) then
        return null;
    end if;
    select e.* into v_same
    from public.ai_episodic_memory e
    where e.user_id = p_user_id and e.memory_type = p_type and e.subject is not distinct from p_subject
        and (lower(e.memory_text) = lower(v_text)
            or e.words && v_words and e.is_negative = v_negative and uplift.overlap(e.words, v_words) >= 0.75)
        -- What changed since may change back.
        and (e.superseded_by is null or exists (
            select from public.ai_episodic_memory n where n.id = e.superseded_by and n.last_said_at >= p_said_at))
    order by e.is_active desc, e.id limit 1;
    if found then
        update public.ai_episodic_memory m set
            said_count = m.said_count + 1, last_said_at = greatest(p_said_at, m.last_said_at),
            importance_score = least(m.importance_score + 0.5, 10),
            expires_at = case when m.expires_at is not null then greatest(m.expires_at, uplift.memory_expiry(p_type, v_text, p_said_at)) end
        where m.id = v_same.id and m.is_active and (m.last_said_at is null or m.last_said_at < p_said_at)
        returning m.id into v_id;
        return v_id;
    end if;
    insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score, related_conversation_id, extracted_at, expires_at,
        subject, source, last_said_at, words, is_negative)
    values (p_user_id, p_type, v_text, p_importance, p_conversation_id, now(), uplift.memory_expiry(p_type, v_text, p_said_at),
        p_subject, p_source, p_said_at, v_words, v_negative)
    returning id into v_id;
    update public.ai_episodic_memory m set is_active = false, superseded_by = v_id
    where m.user_id = p_user_id and m.is_active and m.id <> v_id and m.subject is not distinct from p_subject
        and (m.last_said_at is null or m.last_said_at <= p_said_at)
        and uplift.memory_replaces(p_type, v_words, v_negative, v_rules_out, m.memory_type, m.memory_text, m.words, m.is_negative);
    return v_id;
end
$$;

comment on function uplift.remember(uuid, uuid, text, text, text, numeric, text, timestamptz) is
    'Keeps what a user said at a time as a memory, as the policies have it, and returns its id: a new one, which retires those that it takes the place of (uplift.memory_replaces), or the one that says the same, which grows stronger; null when nothing is kept, because it is refused, was forgotten, was said before an erasure, or was counted before.';

create or replace function uplift.memory_strength(p_importance numeric, p_said_at timestamptz, p_uses bigint, p_pinned boolean) returns double precision
language sql stable
as $$
    -- Half as strong after half a year, and stronger by a tenth with each doubling of its uses.
    select case when p_pinned then 100 else
        coalesce(p_importance, 5)::float8 * power(0.5::float8, least(greatest(date_part('epoch', now() - p_said_at), 0) / (180 * 86400), 500))
            * (1 + 0.1::float8 * ln(1 + coalesce(p_uses, 0)::float8) / ln(2::float8)) end
$$;

comment on function uplift.memory_strength(numeric, timestamptz, bigint, boolean) is
    'What a memory is worth now: its importance, halved with each 180 days since it was last said, times 1 + 0.1 log2(1 + uses); 100 when it is pinned.';

create or replace function uplift.tend_memories(p_user_id uuid) returns int
language plpgsql volatile
as $$
declare
    v_count int;
begin
    -- What has faded goes for good after another half a year; what was superseded, too.
    with ranked as (
        select m.id, row_number() over (order by m.is_active desc,
            uplift.memory_strength(m.importance_score, coalesce(m.last_said_at, m.created_at), m.access_count, m.is_pinned) desc, m.id) as place
        from public.ai_episodic_memory m where m.user_id = p_user_id
    )
    delete from public.ai_episodic_memory m using ranked r
    where r.id = m.id and not m.is_pinned and (
        r.place > (select coalesce(nullif(uplift.clamped(uplift.setting_number('memory.max_per_user', 200), 1000000), 0), 200))
        or m.expires_at < now() - interval '4320 hours');
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

comment on function uplift.tend_memories(uuid) is
    'Deletes those of a user''s memories that are beyond memory.max_per_user, the weakest (uplift.memory_strength) first, or expired half a year ago, and returns how many. Pinned ones stay.';

create or replace function uplift.memory_lock(p_user_id uuid) returns bigint
language sql immutable parallel safe
as $$ select uuid_hash_extended(p_user_id, 5128846603197745) $$;

comment on function uplift.memory_lock(uuid) is 'The key of the advisory lock on a user''s memories.';

create or replace function uplift.lock_memories(p_user_id uuid) returns void
language sql volatile
-- Two who learn at once would both find a memory missing.
as $$ select pg_advisory_xact_lock(uplift.memory_lock(p_user_id)) $$;

comment on function uplift.lock_memories(uuid) is 'Waits until nobody else changes this user''s memories, until the end of the transaction.';

create or replace function uplift.learn_from(p_user_ids uuid[], p_conversation_ids uuid[], p_texts text[], p_said_at timestamptz[]) returns int
language plpgsql volatile
as $$
declare
    v record;
    v_user_id uuid;
    v_count int := 0;
begin
    for v in
        -- All is looked through before anything is kept, because a session keeps only so many patterns that
        -- it has worked out; in the order of users, which is the order of locks.
        select a.user_id, a.conversation_id, a.said_at, f.*
        from unnest(p_user_ids, p_conversation_ids, p_texts, p_said_at) with ordinality as a(user_id, conversation_id, text, said_at, place)
        cross join lateral (select x.* from uplift.find_memories(a.text) x order by x.n limit 10) f
        where not uplift.looks_like_injection(f.memory_text)
        order by a.user_id, a.said_at, a.place, f.n
    loop
        continue when not uplift.is_remembered(v.user_id, v.said_at);
        if v.user_id is distinct from v_user_id then
            perform uplift.tend_memories(v_user_id) where v_user_id is not null;
            perform uplift.lock_memories(v.user_id);
            v_user_id := v.user_id;
        end if;
        begin
            if uplift.remember(v.user_id, v.conversation_id, v.memory_type, v.memory_text, v.subject, v.importance, 'rules', v.said_at) is not null then
                v_count := v_count + 1;
            end if;
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            raise warning 'a memory of user % could not be kept: %', v.user_id, sqlerrm;
        end;
    end loop;
    perform uplift.tend_memories(v_user_id) where v_user_id is not null;
    return v_count;
end
$$;

comment on function uplift.learn_from(uuid[], uuid[], text[], timestamptz[]) is
    'Finds what is worth remembering in what users said, side by side who, where, what and when, and keeps it, unless they had memory turned off; returns how many memories are new or stronger. At most ten of one text. One that cannot be kept, whatever a deployment has against it, keeps no other from it. Again it does nothing.';

create or replace function public.extract_user_memories(p_user_id uuid, p_conversation_id uuid) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform uplift.learn_from(array_agg(p_user_id), array_agg(p_conversation_id), array_agg(m.content), array_agg(m.created_at))
    from (
        select x.content, x.created_at from uplift.conversation_messages x
        where x.user_id = p_user_id and x.conversation_id = p_conversation_id and x.message_type = 'user'
        order by x.created_at desc limit 10) m;
end
$$;

comment on function public.extract_user_memories(uuid, uuid) is
    'Finds goals, preferences, achievements, struggles and milestones in the last ten messages of a user''s own conversation, by rules for English, and keeps each once, unless the user turned memory off. Run again it adds nothing.';

-- --- what users see and do of it ---

create or replace function uplift.memory_json(m public.ai_episodic_memory) returns json
language sql stable
as $$
    select json_build_object('object', 'memory', 'id', m.id, 'type', m.memory_type, 'text', m.memory_text, 'subject', m.subject,
        'importance', m.importance_score, 'source', m.source, 'answer_id', m.answer_id, 'coach_id', m.coach_id, 'said_count', m.said_count, 'is_pinned', m.is_pinned, 'is_active', m.is_active,
        'superseded_by', m.superseded_by, 'conversation_id', m.related_conversation_id, 'created_at', m.created_at,
        'last_said_at', m.last_said_at, 'expires_at', m.expires_at)
$$;

comment on function uplift.memory_json(public.ai_episodic_memory) is 'A memory as its user sees it.';

create or replace function uplift_chat.list_memories(p_user_id uuid, p_limit int, p_before uuid, p_type text, p_search text) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_before timestamptz;
    v_rows json[];
begin
    if p_before is not null then
        select m.created_at into v_before from public.ai_episodic_memory m where m.id = p_before and m.user_id = p_user_id;
        if not found then
            perform uplift.fail(404, 'memory_not_found', 'there is no such memory', 'before');
        end if;
    end if;
    if p_type is not null and p_type not in ('goal', 'preference', 'achievement', 'struggle', 'milestone') then
        perform uplift.fail(400, 'invalid_type', 'type must be goal, preference, achievement, struggle or milestone', 'type');
    end if;
    select array_agg(uplift.memory_json(x.memory) order by (x.memory).created_at desc, (x.memory).id desc) into v_rows
    from (
        select m as memory from public.ai_episodic_memory m
        where m.user_id = p_user_id and m.is_active and (m.expires_at is null or m.expires_at > now())
            and (p_before is null or (m.created_at, m.id) < (v_before, p_before))
            and (p_type is null or m.memory_type = p_type)
            and (p_search is null or strpos(lower(m.memory_text), lower(p_search)) > 0
                or to_tsvector('pg_catalog.english', m.memory_text) @@ websearch_to_tsquery('pg_catalog.english', p_search))
        order by m.created_at desc, m.id desc limit p_limit + 1) x;
    return json_build_object('object', 'list', 'data', array_to_json(coalesce(v_rows[:p_limit], '{}')),
        'has_more', coalesce(cardinality(v_rows), 0) > p_limit, 'memory_enabled', uplift.is_remembered(p_user_id));
end
$$;

comment on function uplift_chat.list_memories(uuid, int, uuid, text, text) is
    'A user''s memories that count now, newest first: {object, data, has_more, memory_enabled}; those before the one with the id p_before, of a type, with words or a part of the text, where these are not null. UP400 invalid_type; UP404 memory_not_found.';

create or replace function uplift.check_memory(p_body jsonb) returns void
language plpgsql immutable
as $$
begin
    if jsonb_typeof(p_body) is distinct from 'object' then
        perform uplift.fail(400, 'invalid_memory', 'a memory must be an object');
    end if;
    perform uplift.check_members(p_body, '{text,type,is_pinned}');
    if p_body ? 'text' and (jsonb_typeof(p_body -> 'text') <> 'string' or btrim(p_body ->> 'text', e' \t\r\n') = '') then
        perform uplift.fail(400, 'invalid_text', 'text must be a text that is not empty', 'text');
    elsif length(p_body ->> 'text') > 500 then
        perform uplift.fail(400, 'text_too_long', format('text has %s characters; at most 500 are taken', length(p_body ->> 'text')), 'text');
    elsif p_body ? 'type' and coalesce(p_body ->> 'type', '') <> all ('{goal,preference,achievement,struggle,milestone}') then
        perform uplift.fail(400, 'invalid_type', 'type must be goal, preference, achievement, struggle or milestone', 'type');
    elsif p_body ? 'is_pinned' and jsonb_typeof(p_body -> 'is_pinned') <> 'boolean' then
        perform uplift.fail(400, 'invalid_is_pinned', 'is_pinned must be true or false', 'is_pinned');
    end if;
end
$$;

comment on function uplift.check_memory(jsonb) is
    'Returns when these are members of a memory that may be set. UP400 invalid_memory, unknown_parameter, invalid_text, text_too_long, invalid_type, invalid_is_pinned.';

create or replace function uplift.memory_text_of(p_text text) returns text
language sql immutable parallel safe
as $$ select btrim(regexp_replace(p_text, '\s+', ' ', 'g')) $$;

comment on function uplift.memory_text_of(text) is 'What a user typed as a memory, on one line.';

create or replace function uplift_chat.add_memory(p_user_id uuid, p_body jsonb) returns json
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_text text;
    v_kept text;
    v_about record;
    v_type text;
    v_form text;
    v_said_at timestamptz;
    v_id uuid;
    v_memory public.ai_episodic_memory;
begin
    perform uplift.check_memory(p_body);
    perform uplift.see_user(p_user_id);
    perform uplift.lock_memories(p_user_id);
    v_text := uplift.memory_text_of(p_body ->> 'text');
    if v_text is null then
        perform uplift.fail(400, 'missing_text', 'text is missing', 'text');
    elsif not uplift.is_remembered(p_user_id) then
        perform uplift.fail(409, 'memory_disabled', 'memory is turned off (memory_enabled in the preferences)');
    end if;
    v_kept := uplift.memory_as_kept(v_text);
    if v_kept is null then
        perform uplift.fail(400, 'memory_refused', 'this server keeps no such things: passwords, keys, account numbers and the like', 'text');
    end if;
    v_about := uplift.memory_subject(v_kept);
    v_form := uplift.memory_form(v_about.sentence);
    v_type := coalesce(p_body ->> 'type', uplift.memory_kind(v_form), 'preference');
    -- Whoever says it now takes back that it be forgotten, or was put away.
    delete from uplift.forgotten_memories f
    where f.user_id = p_user_id
        and f.fingerprint = uplift.memory_fingerprint(v_type, v_about.subject, uplift.memory_words(v_form), uplift.memory_denies(v_form));
    delete from public.ai_episodic_memory m
    where m.user_id = p_user_id and m.memory_type = v_type and not m.is_active
        and m.words = uplift.memory_words(v_form) and m.is_negative = uplift.memory_denies(v_form);
    -- Later than anything said, whatever a clock says.
    select greatest(clock_timestamp(), max(m.last_said_at) + interval '1 microsecond') into v_said_at
    from public.ai_episodic_memory m where m.user_id = p_user_id;
    v_id := uplift.remember(p_user_id, null, v_type, v_text, v_about.subject, 9.0, 'user', v_said_at);
    if v_id is null then -- much like one that is put away
        insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score, subject, source, last_said_at)
        values (p_user_id, v_type, v_kept, 9.0, v_about.subject, 'user', v_said_at) returning id into v_id;
    end if;
    update public.ai_episodic_memory m set source = 'user', is_pinned = coalesce((p_body ->> 'is_pinned')::boolean, m.is_pinned), expires_at = null
    where m.id = v_id returning m.* into v_memory;
    perform uplift.tend_memories(p_user_id);
    return uplift.memory_json(v_memory);
end
$$;

comment on function uplift_chat.add_memory(uuid, jsonb) is
    'Keeps what a user wants to be remembered: {text, type (else by the rules, else preference), is_pinned}, and returns the memory, also where it was there before. UP400 as uplift.check_memory, missing_text, memory_refused; UP409 memory_disabled.';

create or replace function uplift.rewritten_importance(p_importance numeric, p_old text, p_new text) returns numeric
language sql immutable parallel safe
as $$
    -- What was known of the old text, such as that it hurt, is not known of another.
    select case when lower(uplift.memory_text_of(p_old)) = lower(uplift.memory_text_of(p_new)) then p_importance
        else greatest(p_importance, 9.0) end
$$;

comment on function uplift.rewritten_importance(numeric, text, text) is
    'How important a memory is that its user writes anew: as one that a user adds, where the words are others; as before, where only blanks and case are.';

create or replace function uplift_chat.change_memory(p_user_id uuid, p_id uuid, p_changes jsonb) returns json
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_memory public.ai_episodic_memory;
    v_text text;
begin
    perform uplift.check_memory(p_changes);
    perform uplift.lock_memories(p_user_id);
    if p_changes ? 'text' then
        v_text := uplift.memory_as_kept(uplift.memory_text_of(p_changes ->> 'text'));
        if v_text is null then
            perform uplift.fail(400, 'memory_refused', 'this server keeps no such things: passwords, keys, account numbers and the like', 'text');
        end if;
    end if;
    update public.ai_episodic_memory m set
        memory_text = coalesce(v_text, m.memory_text), memory_type = coalesce(p_changes ->> 'type', m.memory_type),
        subject = case when v_text is null then m.subject else (uplift.memory_subject(v_text)).subject end,
        is_pinned = coalesce((p_changes ->> 'is_pinned')::boolean, m.is_pinned),
        importance_score = case when v_text is null then m.importance_score
            else uplift.rewritten_importance(m.importance_score, m.memory_text, v_text) end,
        source = case when v_text is null then m.source else 'user' end
    where m.id = p_id and m.user_id = p_user_id and m.is_active
    returning m.* into v_memory;
    if not found then
        perform uplift.fail(404, 'memory_not_found', 'there is no such memory');
    end if;
    return uplift.memory_json(v_memory);
end
$$;

comment on function uplift_chat.change_memory(uuid, uuid, jsonb) is
    'Changes an own memory: {text, type, is_pinned}, and returns it. UP400 as uplift.check_memory, memory_refused; UP404 memory_not_found.';

create or replace function uplift_chat.forget_memories(p_user_id uuid, p_id uuid) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_count int;
begin
    perform uplift.lock_memories(p_user_id);
    with gone as (
        delete from public.ai_episodic_memory m where m.user_id = p_user_id and (p_id is null or m.id = p_id)
        returning m.memory_type, m.subject, m.words, m.is_negative
    ), noted as (
        insert into uplift.forgotten_memories (user_id, fingerprint)
        select distinct p_user_id, uplift.memory_fingerprint(g.memory_type, g.subject, coalesce(g.words, '{}'), g.is_negative) from gone g
        on conflict do nothing
    )
    select count(*) into v_count from gone;
    if p_id is not null and v_count = 0 then
        perform uplift.fail(404, 'memory_not_found', 'there is no such memory');
    end if;
    return v_count;
end
$$;

comment on function uplift_chat.forget_memories(uuid, uuid) is
    'Forgets an own memory, or with p_id null all of them, for good, and returns how many: the words are deleted, and what was said is not learnt again. UP404 memory_not_found.';

create or replace function uplift.unlearn(p_user_id uuid, p_conversation_id uuid, p_said_at timestamptz) returns void
language plpgsql volatile
as $$
declare
    v_ids uuid[];
begin
    perform uplift.lock_memories(p_user_id);
    select array_agg(m.id) into v_ids from public.ai_episodic_memory m
    where m.user_id = p_user_id and m.related_conversation_id = p_conversation_id and m.last_said_at = p_said_at
        and m.source in ('rules', 'model') and m.said_count <= 1 and not m.is_pinned;
    -- What it had taken the place of holds again, unless that had been replaced once more. Before it goes, because
    -- what it replaced is not known after.
    update public.ai_episodic_memory m set is_active = g.replaced_by is null, superseded_by = g.replaced_by
    from (
        select x.id, case when x.superseded_by <> all (v_ids) then x.superseded_by end as replaced_by
        from public.ai_episodic_memory x where x.id = any (v_ids)) g
    where m.superseded_by = g.id and m.id <> all (v_ids);
    delete from public.ai_episodic_memory m where m.id = any (v_ids);
end
$$;

comment on function uplift.unlearn(uuid, uuid, timestamptz) is
    'Takes back what was learnt of a message, and said only there, because its user edited it. It may be learnt again.';

create or replace function uplift_chat.learn_memories(p_answer_ids uuid[]) returns int
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_edited jsonb;
begin
    select jsonb_agg(jsonb_build_array(a.user_id, r.conversation_id, r.created_at) order by a.user_id, r.created_at) into v_edited
    from unnest(p_answer_ids) i(id)
    join public.coach_response_feedback a on a.id = i.id
    join public.coach_response_feedback r on r.id = a.regenerate_of and r.user_id = a.user_id
    where a.ai_response <> '' and a.user_message is distinct from r.user_message;
    if v_edited is not null then
        -- All users at once and in order, because what is learnt comes after and goes through them once more.
        perform uplift.lock_memories(x.user_id) from (
            select distinct a.user_id from unnest(p_answer_ids) i(id)
            join public.coach_response_feedback a on a.id = i.id order by 1) x;
        perform uplift.unlearn((e ->> 0)::uuid, (e ->> 1)::uuid, (e ->> 2)::timestamptz) from jsonb_array_elements(v_edited) e;
    end if;
    return (
        select uplift.learn_from(array_agg(a.user_id), array_agg(a.conversation_id), array_agg(a.user_message), array_agg(a.created_at))
        from unnest(p_answer_ids) i
        join public.coach_response_feedback a on a.id = i
        -- Of a question that was answered again once, and of one that was edited as it is now.
        where (a.regenerate_of is null or uplift.is_reworded(a.regenerate_of, a.user_id, a.user_message)) and a.user_message <> ''
            and not uplift.was_reworded(a.id, a.user_id, a.user_message)
            and not exists (select from uplift.conversations c where c.id = a.conversation_id and c.deleted_at is not null));
end
$$;

comment on function uplift_chat.learn_memories(uuid[]) is
    'Keeps what is worth remembering of what users said when they were given these answers, unless they turned memory off; returns how many memories are new or stronger. What only the words before an edit said is taken back. Again it does nothing.';

create or replace function uplift_batch.extract_memories(p_days int, p_user_id uuid, p_after uuid, p_most int, p_guest uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_ids uuid[];
    v_said uuid[]; -- those of them that are a user's own words to a coach
begin
    -- By the key, which grows with time: there is no index of times by themselves.
    select array_agg(x.id order by x.id) into v_ids
    from (
        select a.id from public.coach_response_feedback a
        where a.id > coalesce(p_after, uplift.first_id_of(now() - p_days * interval '24 hours'))
            and (p_user_id is null or a.user_id = p_user_id)
        order by a.id limit p_most) x;
    if v_ids is null then
        return jsonb_build_object('answers', 0, 'memories', 0, 'passages', 0, 'after', p_after, 'goes_on', false);
    end if;
    -- Without a coach a message may be a program's.
    v_said := array(
        select a.id from public.coach_response_feedback a where a.id = any (v_ids) and a.coach_id is not null and a.user_id is distinct from p_guest);
    -- All at once and in order, so that none waits for another in a circle.
    perform uplift.lock_memories(x.user_id) from (
        select distinct a.user_id from public.coach_response_feedback a where a.id = any (v_said) order by 1) x;
    return jsonb_build_object('answers', cardinality(v_ids), 'memories', uplift_chat.learn_memories(v_said),
        'passages', uplift_chat.index_answers(v_said),
        'after', v_ids[cardinality(v_ids)], 'goes_on', cardinality(v_ids) = p_most);
end
$$;

comment on function uplift_batch.extract_memories(int, uuid, uuid, int, uuid) is
    'A step of the job extract-memories: looks through at most p_most answers of the last p_days days, of one user or (null) all, that come after the one that the last step ended with (after, null at first), and returns how many, how many memories are new or stronger, how many turns are newly to be found (uplift_chat.index_answers), after, and whether there may be more. Of p_guest, who is many people, nothing is remembered. Answers whose ids are not of version 7, of before uplift came, are not looked at.';
