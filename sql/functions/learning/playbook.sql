-- Playbooks: short guidelines for a coach, from what its users wrote with their thumbs (job write-playbooks).
--
-- A comment is read once, and again when it changes. What the rules of coach/wishes.sql understand of it is a cluster
-- already, whose guideline is in our own words; the rest waits for a model. A guideline is a row of its own: it is made,
-- merged and retired by itself, and no text is ever rewritten as a whole, in which what was known would get lost. The
-- playbook is put together of those that stand, and goes out as an experiment, which an admin starts.

-- --- what a guideline may say ---

create or replace function uplift.guideline_of_wish(p_wish text, out guideline text, out kind text)
language sql immutable parallel safe
as $$
    -- What only its user can want for themselves is for everyone the thing behind it.
    select case
            when p_wish like 'Answer in %' then 'Answer in the language that the user writes in.'
            when p_wish in ('Use metric units.', 'Use imperial units.') then 'Use the units of measurement that the user uses.'
            when p_wish like 'Do not bring up: %' then replace(p_wish, 'Do not bring up: ', 'Do not bring up unless the user does: ')
            else p_wish end,
        case when p_wish like 'Do not bring up: %' or p_wish like 'Focus on: %' then 'content' else 'manner' end
$$;

comment on function uplift.guideline_of_wish(text, out text, out text) is
    'The guideline for everyone that a wish (uplift.wishes_in) is evidence for, and its kind, manner or content.';

create or replace function uplift.is_negated(p_text text) returns boolean
language sql immutable parallel safe
as $$ select p_text ~* '\m(no|not|never|without|avoid|stop|less|fewer|skip|omit|don''t|don’t)\M' $$;

comment on function uplift.is_negated(text) is 'Whether a guideline says what not to do, or to do less of.';

create or replace function uplift.guideline_words(p_text text) returns text[]
language sql immutable parallel safe
as $$
    select array(
        select w from unnest(tsvector_to_array(to_tsvector('pg_catalog.english', p_text))) w
        where w <> all ('{never,without,avoid,stop,less,fewer,skip,omit}'))
$$;

comment on function uplift.guideline_words(text) is 'The stems of a guideline''s words, but for those by which uplift.is_negated() goes.';

create or replace function uplift.is_topic(p_text text) returns boolean
language sql immutable parallel safe
as $$ select p_text like any ('{Do not bring up unless the user does: %,Focus on: %}') $$;

comment on function uplift.is_topic(text) is 'Whether a guideline names what to talk about, or not to, in words that are its users'': one of uplift.guideline_of_wish() about a topic.';

create or replace function uplift.topic_words(p_text text) returns text[]
language sql immutable parallel safe
as $$
    -- Of "him" and "us" the dictionary leaves nothing, and they are not the same.
    select coalesce(nullif(tsvector_to_array(to_tsvector('pg_catalog.english', x.topic)), '{}'), array[lower(x.topic)])
    from (select substr(p_text, strpos(p_text, ': ') + 2)) x(topic)
$$;

comment on function uplift.topic_words(text) is 'The stems of what a guideline about a topic (uplift.is_topic) names, in order.';

create or replace function uplift.guideline_stance(p_text text) returns text[]
language sql immutable parallel safe
as $$
    select array(
        select x.axis || case when (p_text ~* x.more) <> uplift.is_negated(p_text) then '+' else '-' end
        from (values
            ('length', '\m(long|longer|details?|detailed|depth|thorough|thoroughly|elaborate|explain more)\M',
                '\m(short|shorter|brief|briefer|briefly|concise|concisely|to the point)\M'),
            ('tone', '\m(direct|directly|blunt|bluntly|tough|tougher|strict|stricter|harsh|harsher)\M',
                '\m(gentle|gentler|gently|kind|kinder|soft|softer|supportive|warm|warmer)\M'),
            ('lists', '\m(lists?|bullets?|bullet points?)\M', '\m(paragraphs?|prose)\M')) as x(axis, more, less)
        where (p_text ~* x.more) <> (p_text ~* x.less)
            -- "Do not bring up long walks" is not about the length of answers.
            and not uplift.is_topic(p_text)
        order by x.axis)
$$;

comment on function uplift.guideline_stance(text) is
    'Where a guideline stands in what others may want the opposite of: a list of length+ (longer), length- (shorter), tone+ (more direct), tone- (gentler), lists+, lists-.';

create or replace function uplift.guidelines_alike(p_one text, p_other text) returns boolean
language sql immutable parallel safe
as $$
    select p_one = p_other or case
        -- Nearly the same topic is another one, or has a word that only one of its users wrote.
        when uplift.is_topic(p_one) or uplift.is_topic(p_other) then
            uplift.is_topic(p_one) and uplift.is_topic(p_other) and left(p_one, 5) = left(p_other, 5) and uplift.topic_words(p_one) = uplift.topic_words(p_other)
        else uplift.is_negated(p_one) = uplift.is_negated(p_other)
            and uplift.guideline_stance(p_one) = uplift.guideline_stance(p_other)
            and uplift.overlap(uplift.guideline_words(p_one), uplift.guideline_words(p_other)) >= 0.7 end
$$;

comment on function uplift.guidelines_alike(text, text) is
    'Whether two guidelines say the same: they share seven tenths of their words, and stand on the same side; of topics (uplift.is_topic) all words.';

create or replace function uplift.guidelines_contradict(p_one text, p_other text) returns boolean
language sql immutable parallel safe
as $$
    select case
        when uplift.is_topic(p_one) or uplift.is_topic(p_other) then
            uplift.is_topic(p_one) and uplift.is_topic(p_other) and left(p_one, 5) <> left(p_other, 5) and uplift.topic_words(p_one) = uplift.topic_words(p_other)
        else exists (
                select from unnest(uplift.guideline_stance(p_one)) a
                where translate(a, '+-', '-+') = any (uplift.guideline_stance(p_other)))
            or uplift.is_negated(p_one) <> uplift.is_negated(p_other)
                and uplift.overlap(uplift.guideline_words(p_one), uplift.guideline_words(p_other)) >= 0.7 end
$$;

comment on function uplift.guidelines_contradict(text, text) is
    'Whether two guidelines cannot both be followed: one wants more, one less of the same (uplift.guideline_stance), or one is the other denied.';

create or replace function uplift.shares_words(p_text text, p_comment text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    c_run constant int := 5;
    v_words text[] := uplift.words(p_text);
    v_comment text := ' ' || array_to_string(uplift.words(left(p_comment, 10000)), ' ') || ' ';
begin
    -- Four words or fewer may be the only way to say it.
    for v_at in 1 .. cardinality(v_words) - c_run + 1 loop
        if strpos(v_comment, ' ' || array_to_string(v_words[v_at:v_at + c_run - 1], ' ') || ' ') > 0 then
            return true;
        end if;
    end loop;
    return false;
end
$$;

comment on function uplift.shares_words(text, text) is 'Whether a guideline has five words in a row from a comment.';

create or replace function uplift.guideline_problem(p_text text, p_is_admins boolean, p_names text[], p_comments text[]) returns text
language plpgsql stable
as $$
begin
    return case
        when p_text is null or length(p_text) not between 8 and 200 or p_text <> btrim(p_text) then 'must be a sentence of 8 to 200 characters'
        when uplift.as_data(p_text, 200) <> p_text or p_text ~ '[[:cntrl:]]|^[-#*>]' then 'must be one line of plain text'
        when uplift.looks_like_injection(p_text) then 'reads as an instruction against the house rules'
        when uplift.redact(p_text, p_names) is distinct from p_text then 'has personal data in it'
        when p_is_admins then null
        -- What nobody here can read, no rule can judge.
        when p_text ~ '[^ -~‘’“”–—]' then 'is not in English'
        -- What the coach is, may and must not is not for its users to say, nor what could harm them or sell them something.
        when p_text ~* ('\m(rules?|instructions?|prompts?|guidelines?|personas?|polic(y|ies)|restrictions?|filters?|moderation|disclaimers?|warnings?'
            || '|systems?|developers?|admins?|passwords?|tokens?|secrets?|api|keys?)\M') then 'is about what only the house rules say'
        when p_text ~* ('\m(ignor\w+|disregard\w*|overrid\w+|bypass\w*|pretend\w*|role ?play\w*|obey\w*|refus\w+|reveal\w*|always agree|do anything'
            || '|unfiltered|uncensored|no limits?)\M') then 'is about what only the house rules say'
        when p_text ~* ('\m(diagnos\w+|prescri\w+|medic\w+|drugs?|doses?|dosages?|pills?|suicid\w+|self.?harm\w*|kill\w*|crisis|emergenc\w+'
            || '|dangers?|dangerous|hotlines?|helplines?|professionals?|therap\w+|doctors?|despair\w*|hopeless\w*|starv\w+|purg\w+|laxatives?|fasting'
            || '|(skip\w*|miss\w*|without|no|fewer) (a |any )?(meals?|food|breakfasts?|lunch\w*|dinners?)|(stop|avoid|not|never|without) (to )?eat\w*|calor\w+)\M')
            then 'is about health or danger'
        when p_text ~* ('\m(buy\w*|sponsor\w*|brands?|discounts?|promo\w*|coupons?|subscri\w+|affiliate|invest\w*|crypto\w*|bitcoin)\M'
            || '|https?:|www\.|\w@\w') then 'is an advertisement'
        when p_text ~* '\m(lie|lies|deceiv\w+|insult\w*|mock\w*|ridicul\w+|humiliat\w+|swear\w*|worthless|stupid|slurs?|hate|racis\w+|sexis\w+|sexual\w*|nude|porn\w*)\M' then 'is indecent'
        -- A name, whosever it is: models write it with a capital, also where the comment did not.
        when p_text ~ '[^.!?:] ["(“‘]?(?!Markdown|English)[A-Z][a-z]' then 'names somebody or something'
        when exists (select from unnest(p_comments) c where uplift.shares_words(p_text, c)) then 'repeats a comment word by word' end;
end
$$;

comment on function uplift.guideline_problem(text, boolean, text[], text[]) is
    'Why a text can be no guideline, in words; null where it can. Of one that an admin wrote only its form, personal data and instructions are looked at. p_names: of users, which count as personal; p_comments: those that it must not repeat.';

-- --- comments ---

create or replace function uplift.lock_playbook(p_coach_id text) returns void
language sql volatile
as $$ select pg_advisory_xact_lock(hashtextextended('uplift playbook ' || p_coach_id, 0)) $$;

comment on function uplift.lock_playbook(text) is 'Only one at a time changes a coach''s playbook.';

create or replace function uplift.comment_on(p_answer_id uuid, p_guest uuid, out user_id uuid, out coach_id text, out words text)
language plpgsql stable
as $$
begin
    select a.user_id, a.coach_id, left(a.feedback_text, 4000) into user_id, coach_id, words
    from public.coach_response_feedback a
    join auth.users u on u.id = a.user_id
    left join uplift.conversations c on c.id = a.conversation_id
    where a.id = p_answer_id and a.coach_id is not null and btrim(a.feedback_text) <> '' and a.user_id is distinct from p_guest
        and c.deleted_at is null
        -- Who said no to training is asked for nothing.
        and not exists (select from public.user_coach_preferences p where p.user_id = a.user_id and p.training_consent is false);
    if uplift.looks_like_injection(words) then
        user_id := null;
        coach_id := null;
        words := null;
    end if;
end
$$;

comment on function uplift.comment_on(uuid, uuid, out uuid, out text, out text) is
    'The comment on an answer, as far as playbooks may learn from it, its first 4,000 characters; nulls where there is none, its conversation was deleted, its user is p_guest or refused training, or it tries to be an instruction to the system.';

create or replace function uplift.guideline_for(p_coach_id text, p_text text, p_kind text, p_made_by text) returns uuid
language plpgsql volatile
as $$
declare
    v_found record;
begin
    select g.id, g.merged_into into v_found from uplift.playbook_guidelines g where g.coach_id = p_coach_id and g.text = p_text;
    if not found then
        select g.id, g.merged_into into v_found
        from uplift.playbook_guidelines g
        where g.coach_id = p_coach_id and uplift.is_topic(g.text) = uplift.is_topic(p_text)
            -- Topics are as many as users think of: those that gather wait for uplift.merge_guidelines().
            and (g.state <> 'gathering' or not uplift.is_topic(p_text)) and uplift.guidelines_alike(g.text, p_text)
        order by g.state = 'merged', g.id limit 1;
    end if;
    if not found then
        insert into uplift.playbook_guidelines (coach_id, text, kind, made_by, reason)
        values (p_coach_id, p_text, p_kind, p_made_by, 'few_users') returning id, merged_into into v_found;
    end if;
    -- What was merged may be merged again.
    for v_hop in 1 .. 10 loop
        exit when v_found.merged_into is null;
        select g.id, g.merged_into into v_found from uplift.playbook_guidelines g where g.id = v_found.merged_into;
    end loop;
    return v_found.id;
end
$$;

comment on function uplift.guideline_for(text, text, text, text) is
    'The guideline of a coach that says this, whatever its state, or the one that it was merged into; made, to gather evidence, where there is none.';

create or replace function uplift.add_evidence(p_guideline_id uuid, p_answer_id uuid, p_user_id uuid, p_said_at timestamptz) returns void
language plpgsql volatile
as $$
declare
    v_this uplift.playbook_guidelines;
    v_others uuid[];
    v_last timestamptz;
begin
    select g.* into v_this from uplift.playbook_guidelines g where g.id = p_guideline_id;
    -- Of two that cannot both be so a user's last word counts.
    v_others := array(
        select g.id from uplift.playbook_guidelines g
        where g.coach_id = v_this.coach_id and g.state <> 'merged' and uplift.is_topic(g.text) = uplift.is_topic(v_this.text)
            and uplift.guidelines_contradict(g.text, v_this.text));
    select max(e.said_at) into v_last
    from uplift.playbook_evidence e where e.user_id = p_user_id and e.guideline_id = any (v_others) and e.answer_id <> p_answer_id;
    if v_last > p_said_at then
        return;
    end if;
    delete from uplift.playbook_evidence e where e.user_id = p_user_id and e.guideline_id = any (v_others) and e.answer_id <> p_answer_id;
    insert into uplift.playbook_evidence (guideline_id, answer_id, user_id, said_at)
    values (p_guideline_id, p_answer_id, p_user_id, p_said_at) on conflict do nothing;
end
$$;

comment on function uplift.add_evidence(uuid, uuid, uuid, timestamptz) is
    'Notes that the comment on an answer is evidence for a guideline, in the place of what its user wrote before to the contrary; not where that was written later.';

create or replace function uplift.read_comment(p_answer_id uuid, p_said_at timestamptz, p_guest uuid) returns text
language plpgsql volatile
as $$
declare
    v_comment record;
    v_wish text;
    v_guideline record;
    v_is_understood boolean := false;
begin
    -- The end of the list is read twice.
    if exists (select from uplift.playbook_evidence e where e.answer_id = p_answer_id and e.said_at >= p_said_at)
            or exists (select from uplift.playbook_comments c where c.answer_id = p_answer_id and c.said_at >= p_said_at) then
        return 'known';
    end if;
    -- It has changed, or was taken back.
    delete from uplift.playbook_evidence e where e.answer_id = p_answer_id;
    delete from uplift.playbook_comments c where c.answer_id = p_answer_id;
    v_comment := uplift.comment_on(p_answer_id, p_guest);
    if v_comment.words is null then
        return 'none';
    end if;
    perform uplift.lock_playbook(v_comment.coach_id);
    for v_wish in select w.wish from uplift.wishes_in(v_comment.words) w loop
        v_guideline := uplift.guideline_of_wish(v_wish);
        v_is_understood := true;
        -- A topic is in its user's words.
        continue when v_guideline.kind = 'content'
            and uplift.guideline_problem(v_guideline.guideline, false, uplift.profile_names(v_comment.user_id), null) is not null;
        perform uplift.add_evidence(uplift.guideline_for(v_comment.coach_id, v_guideline.guideline, v_guideline.kind, 'rules'),
            p_answer_id, v_comment.user_id, p_said_at);
    end loop;
    if v_is_understood then
        return 'understood';
    elsif length(btrim(v_comment.words)) < 8 then
        return 'none';
    end if;
    insert into uplift.playbook_comments (answer_id, user_id, coach_id, said_at)
    values (p_answer_id, v_comment.user_id, v_comment.coach_id, p_said_at);
    return 'waiting';
end
$$;

comment on function uplift.read_comment(uuid, timestamptz, uuid) is
    'Brings playbooks in step with the comment on an answer, last changed at p_said_at: known (it was read before), none (nothing to learn), understood (by rules), or waiting for a model.';

create or replace function uplift.read_comments(p_answer_ids uuid[], p_said_at timestamptz[], p_guest uuid) returns jsonb
language plpgsql volatile
as $$
declare
    v record;
    v_what text;
    v_count jsonb := jsonb_build_object('comments', 0, 'understood', 0, 'waiting', 0, 'failed', 0);
begin
    for v in select a.id, a.said_at from unnest(p_answer_ids, p_said_at) a(id, said_at) loop
        begin
            v_what := uplift.read_comment(v.id, v.said_at, p_guest);
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            v_what := 'failed';
        end;
        if v_what in ('understood', 'waiting', 'failed') then
            v_count := v_count || jsonb_build_object(v_what, (v_count ->> v_what)::int + 1, 'comments', (v_count ->> 'comments')::int + 1);
        end if;
    end loop;
    return v_count;
end
$$;

comment on function uplift.read_comments(uuid[], timestamptz[], uuid) is
    'uplift.read_comment() of several answers: {comments, understood, waiting, failed}, failed being those that could not be read.';

create or replace function uplift_batch.read_playbook_comments(p_after bigint, p_most int, p_guest uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_from bigint := coalesce(p_after, (select c.event_id from uplift.playbook_cursor c), 0);
    v_events bigint[];
    v_settled bigint;
    v_count jsonb;
begin
    -- What was recorded a moment ago may have come before something that is not committed yet.
    select array_agg(e.id order by e.id), max(e.id) filter (where e.recorded_at < now() - interval '10 minutes') into v_events, v_settled
    from (select f.id, f.recorded_at from uplift.feedback_events f where f.id > v_from order by f.id limit p_most) e;
    select uplift.read_comments(array_agg(x.answer_id order by x.answer_id), array_agg(x.given_at order by x.answer_id), p_guest) into v_count
    from (
        select distinct on (f.answer_id) f.answer_id, f.given_at
        from unnest(v_events) i(id) join uplift.feedback_events f on f.id = i.id
        where f.changes ? 'feedback_text' order by f.answer_id, f.id desc) x;
    if v_settled is not null then
        insert into uplift.playbook_cursor (event_id) values (v_settled)
        on conflict (is_only) do update set event_id = greatest(uplift.playbook_cursor.event_id, excluded.event_id);
    end if;
    return v_count || jsonb_build_object('after', coalesce(v_events[cardinality(v_events)], v_from)::text,
        'goes_on', coalesce(cardinality(v_events), 0) = p_most);
end
$$;

comment on function uplift_batch.read_playbook_comments(bigint, int, uuid) is
    'Reads the comments among the p_most events of feedback after p_after, or after what earlier jobs have read: {after, goes_on, comments, understood, waiting, failed}. What was read is read again only where it has changed.';

create or replace function uplift_batch.read_all_playbook_comments(p_after uuid, p_most int, p_guest uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v_ids uuid[];
    v_said_at timestamptz[];
    v_last uuid;
    v_looked_at int;
begin
    select array_agg(a.id order by a.id) filter (where a.has_comment), array_agg(a.said_at order by a.id) filter (where a.has_comment),
        (array_agg(a.id order by a.id desc))[1], count(*)
    into v_ids, v_said_at, v_last, v_looked_at
    from (
        -- What was read before is left to its events, which tell when it changed: here a later thumb looks the same.
        select x.id, coalesce(x.feedback_given_at, x.created_at) as said_at, x.feedback_text is not null
            and not exists (select from uplift.playbook_evidence e where e.answer_id = x.id)
            and not exists (select from uplift.playbook_comments w where w.answer_id = x.id) as has_comment
        from public.coach_response_feedback x where p_after is null or x.id > p_after order by x.id limit p_most) a;
    return uplift.read_comments(v_ids, v_said_at, p_guest) || jsonb_build_object('after', v_last, 'goes_on', v_looked_at = p_most);
end
$$;

comment on function uplift_batch.read_all_playbook_comments(uuid, int, uuid) is
    'Reads the comments on the p_most answers after p_after (null: from the first), whenever they were written, also before there were events of feedback: as uplift_batch.read_playbook_comments().';

-- --- what a model may find in those that rules do not understand ---

create or replace function uplift_batch.playbook_coaches() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(c.id order by c.id), '[]') from uplift.coaches c
    where exists (select from uplift.playbook_guidelines g where g.coach_id = c.id)
        or exists (select from uplift.playbook_comments w where w.coach_id = c.id)
$$;

comment on function uplift_batch.playbook_coaches() is 'The coaches on offer of whom there is something for a playbook: a list of ids.';

create or replace function uplift_batch.comments_to_distil(p_coach_id text, p_most int) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    v record;
    v_ids uuid[] := array[]::uuid[];
    v_users uuid[] := array[]::uuid[];
    v_lines text[] := array[]::text[];
    v_words text[];
    v_stems jsonb[] := array[]::jsonb[];
    v_group int[] := array[]::int[];
    v_is_news boolean := false;
    v_order int[];
begin
    for v in
        select w.answer_id, w.user_id, w.read_at, c.words
        from (
            select x.*, row_number() over (partition by x.user_id order by x.answer_id desc) as nth
            from uplift.playbook_comments x where x.coach_id = p_coach_id) w
        cross join lateral uplift.comment_on(w.answer_id, null) c
        -- However much one writes.
        where w.nth <= 3 and c.user_id = w.user_id
        order by w.read_at is null desc, w.answer_id desc limit p_most
    loop
        v_ids := v_ids || v.answer_id;
        v_users := v_users || v.user_id;
        v_is_news := v_is_news or v.read_at is null;
        v_lines := v_lines || uplift.as_data(uplift.redact(left(v.words, 1000), uplift.profile_names(v.user_id)), 300);
        v_words := tsvector_to_array(to_tsvector('pg_catalog.english', v_lines[cardinality(v_lines)]));
        -- Beside the first that has a quarter of its words.
        v_group := v_group || coalesce((
            select v_group[s.n] from unnest(v_stems) with ordinality s(stems, n)
            where uplift.overlap(array(select jsonb_array_elements_text(s.stems)), v_words) >= 0.25 order by s.n limit 1), cardinality(v_ids));
        v_stems := v_stems || to_jsonb(v_words);
    end loop;
    if not v_is_news or (select count(distinct u) from unnest(v_users) u) < uplift.setting_number('playbook.min_users', 3) then
        return jsonb_build_object('answer_ids', '[]'::jsonb);
    end if;
    select array_agg(g.n order by g.root, g.n) into v_order from unnest(v_group) with ordinality g(root, n);
    return jsonb_build_object('answer_ids', (select to_jsonb(array_agg(v_ids[o.n] order by o.place)) from unnest(v_order) with ordinality o(n, place)),
        'data', '<guidelines>' || coalesce((
            select string_agg(e'\n- ' || g.text, '' order by g.id) from uplift.playbook_guidelines g
            where g.coach_id = p_coach_id and g.state <> 'merged' and (g.state <> 'gathering' or g.made_by = 'model')), '') || e'\n</guidelines>\n<comments>'
            || (select string_agg(case when o.place > 1 and v_group[o.n] <> v_group[v_order[o.place - 1]] then e'\n' else '' end
                || format(e'\n[%s] %s', o.place, v_lines[o.n]), '' order by o.place) from unnest(v_order) with ordinality o(n, place))
            || e'\n</comments>');
end
$$;

comment on function uplift_batch.comments_to_distil(text, int) is
    'What a model is to find guidelines in: p_most comments on a coach''s answers that rules do not understand, those that it did not see first, then the latest, of a user the latest three, redacted, one line of at most 300 characters each, and those together that have words in common. {answer_ids, data}, answer_ids in the order of their numbers from 1; an empty list where there is nothing new, or too few users said it.';

create or replace function uplift_batch.keep_guidelines(p_coach_id text, p_answer_ids uuid[], p_found jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    c_most constant int := 5; -- of one reading
    v_comments text[];
    v_names text[];
    v_found record;
    v_answers uuid[];
    v_users uuid[];
    v_guideline uuid;
    v_count int := 0;
    v_dropped int := 0;
    v_failed int := 0;
begin
    perform uplift.lock_playbook(p_coach_id);
    -- What was changed meanwhile waits to be read again.
    select array_agg(c.words), array_agg(distinct n.name) filter (where n.name is not null) into v_comments, v_names
    from uplift.playbook_comments w
    cross join lateral uplift.comment_on(w.answer_id, null) c
    left join lateral unnest(uplift.profile_names(w.user_id)) n(name) on true
    where w.answer_id = any (p_answer_ids) and w.coach_id = p_coach_id;
    for v_found in
        select btrim(regexp_replace(f.x ->> 'guideline', '\s+', ' ', 'g')) as text, f.x ->> 'kind' as kind, f.x -> 'comments' as numbers
        from jsonb_array_elements(p_found) with ordinality f(x, n) order by f.n limit 20
    loop
        select array_agg(w.answer_id), array_agg(distinct w.user_id) into v_answers, v_users
        from uplift.playbook_comments w
        where w.coach_id = p_coach_id and w.answer_id in (
            select p_answer_ids[n::int] from jsonb_array_elements_text(v_found.numbers) n);
        if coalesce(cardinality(v_users), 0) < uplift.setting_number('playbook.min_users', 3) or v_count >= c_most
                or uplift.guideline_problem(v_found.text, false, v_names, v_comments) is not null then
            v_dropped := v_dropped + 1;
            continue;
        end if;
        begin
            v_guideline := uplift.guideline_for(p_coach_id, v_found.text, v_found.kind, 'model');
            perform uplift.add_evidence(v_guideline, w.answer_id, w.user_id, w.said_at)
            from uplift.playbook_comments w where w.answer_id = any (v_answers);
            v_count := v_count + 1;
        exception when others then
            if not uplift.is_bad_row(sqlstate) then
                raise;
            end if;
            v_failed := v_failed + 1;
        end;
    end loop;
    update uplift.playbook_comments w set read_at = now() where w.answer_id = any (p_answer_ids) and w.coach_id = p_coach_id;
    return jsonb_build_object('found', v_count, 'dropped', v_dropped, 'failed', v_failed);
end
$$;

comment on function uplift_batch.keep_guidelines(text, uuid[], jsonb) is
    'Keeps what a model found in the comments that uplift_batch.comments_to_distil() gave it, {guideline, kind, comments (numbers from 1)} each, at most five: where enough users are behind it and it may be a guideline (uplift.guideline_problem), as evidence for the one that says it already, or as a new one. Returns {found, dropped, failed}.';

-- --- ratings ---

create or replace function uplift.has_playbook(p_suffix text, p_text text) returns boolean
language sql immutable parallel safe
as $$ select p_suffix = p_text or right(p_suffix, length(p_text) + 2) = e'\n\n' || p_text $$;

comment on function uplift.has_playbook(text, text) is
    'Whether what a variant, or production, adds to prompts ends with a version of a playbook; before it there may be words of an admin''s.';

create or replace function uplift.playbook_in_production(p_coach_id text, p_at timestamptz) returns uuid
language plpgsql stable
as $$
declare
    v_suffix text := (
        select c.changes ->> 'prompt_suffix' from uplift.production_changes c
        where (c.coach_id is null or c.coach_id = p_coach_id) and c.changes ? 'prompt_suffix'
            and c.began_at <= p_at and (c.ended_at is null or c.ended_at > p_at)
        order by c.coach_id is null, c.id desc limit 1);
begin
    return (select v.id from uplift.playbook_versions v where v.coach_id = p_coach_id and uplift.has_playbook(v_suffix, v.text) limit 1);
end
$$;

comment on function uplift.playbook_in_production(text, timestamptz) is
    'The version of a coach''s playbook that a rollout had made production at a time (uplift.production_changes); null for none.';

-- By what is added to prompts, so that rollouts count, and experiments that an admin has cloned or renamed.
create or replace view uplift.playbook_arms with (security_invoker = true) as
select v.coach_id, v.id as version_id, v.guideline_ids, e.id as experiment_id, e.start_date, t.variant ->> 'variant_name' as variant,
    e.control_variant ->> 'variant_name' as control,
    coalesce((select c.guideline_ids from uplift.playbook_versions c
        where c.coach_id = v.coach_id and case when e.control_variant ? 'prompt_suffix' then uplift.has_playbook(e.control_variant ->> 'prompt_suffix', c.text)
            else c.id = uplift.playbook_in_production(v.coach_id, e.start_date) end limit 1), '{}') as control_ids,
    case when r.status = 'promoted' or e.winner_variant = t.variant ->> 'variant_name' then 'won'
        when r.status = 'rolled_back' or e.winner_variant = e.control_variant ->> 'variant_name' then 'lost' end as result
from uplift.playbook_versions v
join public.ai_experiments e on e.start_date is not null and (e.targeting -> 'coaches' is null or e.targeting -> 'coaches' ? v.coach_id)
left join uplift.rollouts r on r.experiment_id = e.id
cross join lateral unnest(e.test_variants) as t(variant)
where uplift.has_playbook(t.variant ->> 'prompt_suffix', v.text);

comment on view uplift.playbook_arms is
    'The variants of experiments and rollouts that have begun which add a version of a playbook to prompts, with the guidelines in it, those that control had, and the result: won (better, or promoted), lost (worse, or rolled back), or null.';

create or replace function uplift.count_playbook_ratings(p_coach_id text) returns int
language plpgsql volatile
as $$
declare
    c_weight constant float8 := 10; -- thumbs that the rate without it is worth
    v_least float8 := greatest(uplift.setting_number('playbook.min_ratings', 30), 5);
    v_retired int;
begin
    with counted as materialized (
        select u.experiment_id, u.variant, sum(u.thumbs_up)::float8 / sum(u.thumbs) as rate,
            -- One user is one voice, however many thumbs.
            case when count(*) = 1 then 1 else uplift.effective_count(array_agg(u.thumbs::float8), array_agg(u.thumbs_up::float8)) end as n
        from uplift.experiment_users u
        where u.thumbs > 0 and u.experiment_id in (select a.experiment_id from uplift.playbook_arms a where a.coach_id = p_coach_id)
        group by u.experiment_id, u.variant
    ), rated as (
        select g.id, g.state in ('proposed', 'active') and g.decided_by is null as is_ours,
            coalesce(sum(w.n), 0) as n, coalesce(sum(w.n * w.rate), 0) as up,
            coalesce(sum(o.n), 0) as n_without, coalesce(sum(o.n * o.rate), 0) as up_without
        from uplift.playbook_guidelines g
        left join uplift.playbook_arms a on a.coach_id = g.coach_id and g.id = any (a.guideline_ids)
        left join counted w on w.experiment_id = a.experiment_id and w.variant = a.variant
        left join counted o on o.experiment_id = a.experiment_id and o.variant = a.control and g.id <> all (a.control_ids)
        where g.coach_id = p_coach_id
        group by g.id
    ), shrunk as (
        select r.*, (r.up + c_weight * p.without) / (r.n + c_weight) as rate, p.without
        from rated r cross join lateral (select case when r.n_without > 0 then r.up_without / r.n_without else 0.5 end as without) p
    ), judged as (
        select s.*, s.is_ours and s.n >= v_least and ((uplift.wilson(s.rate, greatest(s.n, 1))).high < 0.5
            or s.n_without >= v_least and (uplift.newcombe(s.without, greatest(s.n_without, 1), s.rate, greatest(s.n, 1))).high < 0) as is_harmful
        from shrunk s
    ), changed as (
        update uplift.playbook_guidelines g set helpful = j.n * j.rate, harmful = j.n * (1 - j.rate),
            state = case when j.is_harmful then 'retired' else g.state end, reason = case when j.is_harmful then 'harmful' else g.reason end,
            updated_at = now()
        from judged j
        where g.id = j.id and (j.is_harmful or (g.helpful, g.harmful) is distinct from (j.n * j.rate, j.n * (1 - j.rate)))
        returning j.is_harmful
    )
    select count(*) filter (where c.is_harmful) into v_retired from changed c;
    return v_retired;
end
$$;

comment on function uplift.count_playbook_ratings(text) is
    'Counts the thumbs on answers that had each guideline of a coach, from uplift.experiment_users: n of them, as many as independent users would give (uplift.effective_count), and their rate (up + 10 p) / (n + 10), p being the rate of answers without it. Retires, with playbook.min_ratings thumbs or more, what has more thumbs down than up (the upper end of Wilson''s interval is below a half), or fewer up than answers without it (the upper end of Newcombe''s is below 0). Returns how many were retired.';

create or replace function uplift.take_playbook_results(p_coach_id text) returns int
language plpgsql volatile
as $$
declare
    v_live uuid[] := (select v.guideline_ids from uplift.playbook_versions v where v.id = uplift.playbook_in_production(p_coach_id, now()));
    v_retired int;
begin
    with results as (
        -- What was tried last decides.
        select distinct on (g.id) g.id, g.state, g.decided_by, coalesce(g.id = any (v_live), false) as is_live,
            case when a.result = 'won' then 'won' when a.result = 'lost' and g.id <> all (a.control_ids) then 'lost' end as result
        from uplift.playbook_guidelines g
        left join uplift.playbook_arms a on a.coach_id = g.coach_id and g.id = any (a.guideline_ids) and a.result is not null
        where g.coach_id = p_coach_id and g.state in ('proposed', 'active')
        order by g.id, a.start_date desc nulls last, a.experiment_id desc
    ), changed as (
        update uplift.playbook_guidelines g set updated_at = now(),
            state = case when r.is_live then 'active' when r.result = 'lost' and r.decided_by is null then 'retired' else 'proposed' end,
            reason = case when r.decided_by is not null then g.reason when r.is_live then 'promoted' else r.result end
        from results r
        where g.id = r.id and (r.is_live <> (r.state = 'active')
            or r.decided_by is null and not r.is_live and r.result is not null and g.reason is distinct from r.result)
        returning g.state
    )
    select count(*) filter (where c.state = 'retired') into v_retired from changed c;
    return v_retired;
end
$$;

comment on function uplift.take_playbook_results(text) is
    'What became of a coach''s guidelines: those of the version that a rollout made production are active, those that were new in one that lost its experiment or was rolled back are retired, unless they won, or an admin decided, since. Returns how many were retired.';

-- --- merged, proposed, retired ---

create or replace view uplift.playbook_standing with (security_invoker = true) as
select g.*, coalesce(e.users, 0) as users, coalesce(e.comments, 0) as comments
from uplift.playbook_guidelines g
left join lateral (
    select count(distinct x.user_id) as users, count(*) as comments from uplift.playbook_evidence x where x.guideline_id = g.id) e on true;

comment on view uplift.playbook_standing is 'Guidelines with how many comments of how many users they rest on.';

create or replace function uplift.merge_guidelines(p_coach_id text) returns int
language plpgsql volatile
as $$
declare
    v record;
    v_count int := 0;
begin
    for v in
        select distinct on (b.id) b.id, a.id as into_id
        from uplift.playbook_guidelines a
        -- Of topics only those with the same words are compared: each pair of thousands would take hours.
        join uplift.playbook_guidelines b on b.coach_id = a.coach_id and b.id <> a.id and b.decided_by is null
            and case when uplift.is_topic(a.text) then uplift.topic_words(a.text) else '{}' end
                = case when uplift.is_topic(b.text) then uplift.topic_words(b.text) else '{}' end
            and uplift.guidelines_alike(a.text, b.text)
            and (a.decided_by is not null, a.state = 'active', a.made_by = 'rules', -extract(epoch from a.created_at), b.id)
                > (false, b.state = 'active', b.made_by = 'rules', -extract(epoch from b.created_at), a.id)
        where a.coach_id = p_coach_id and a.state not in ('retired', 'merged') and b.state not in ('retired', 'merged')
        order by b.id, a.decided_by is not null desc, a.state = 'active' desc, a.made_by = 'rules' desc, a.created_at, a.id
    loop
        -- Its own target may be merged in this round; the next one follows.
        continue when not exists (select from uplift.playbook_guidelines g where g.id = v.into_id and g.state <> 'merged');
        insert into uplift.playbook_evidence (guideline_id, answer_id, user_id, said_at)
        select v.into_id, e.answer_id, e.user_id, e.said_at from uplift.playbook_evidence e where e.guideline_id = v.id
        on conflict do nothing;
        delete from uplift.playbook_evidence e where e.guideline_id = v.id;
        -- A topic that no prompt had is in the words of users, who may leave.
        delete from uplift.playbook_guidelines g
        where g.id = v.id and g.state = 'gathering' and uplift.is_topic(g.text)
            and not exists (select from uplift.playbook_guidelines m where m.merged_into = g.id);
        if not found then
            update uplift.playbook_guidelines g set state = 'merged', merged_into = v.into_id, reason = null, updated_at = now() where g.id = v.id;
        end if;
        v_count := v_count + 1;
    end loop;
    return v_count;
end
$$;

comment on function uplift.merge_guidelines(text) is
    'Merges guidelines of a coach that say the same (uplift.guidelines_alike) into the one that an admin decided on, is active, is by rules, or came first, with their evidence; topics that no prompt had are deleted. Returns how many went.';

create or replace function uplift.playbook_room() returns int
language sql stable
as $$ select least(greatest(uplift.setting_number('playbook.max_guidelines', 12), 0), 50)::int $$;

comment on function uplift.playbook_room() is 'How many guidelines a playbook may have: the setting playbook.max_guidelines, at most 50.';

create or replace function uplift.settle_guidelines(p_coach_id text) returns jsonb
language plpgsql volatile
as $$
declare
    v_margin float8 := greatest(uplift.setting_number('playbook.margin', 2), 1);
    v_least int := greatest(uplift.setting_number('playbook.min_users', 3), 1)::int;
    v_room int := uplift.playbook_room() - (
        select count(*) from uplift.playbook_guidelines g
        where g.coach_id = p_coach_id and g.decided_by is not null and g.state in ('proposed', 'active'));
    v_result jsonb;
begin
    with standing as materialized (
        select s.id, s.text, s.state, s.users, s.decided_by, s.reason from uplift.playbook_standing s
        where s.coach_id = p_coach_id and s.state <> 'merged'
    ), fit as (
        select s.*, case
            when s.users < v_least then 'few_users'
            when exists (
                select from standing o
                where o.id <> s.id and uplift.guidelines_contradict(o.text, s.text)
                    and (o.decided_by is not null and o.state in ('proposed', 'active')
                        or o.users > 0 and s.users < v_margin * o.users
                            and (o.state <> 'retired' or o.reason in ('few_users', 'contradicted', 'crowded')))) then 'contradicted'
            when uplift.guideline_problem(s.text, false, null, null) is not null then 'unfit' end as problem
        from standing s
        -- What ratings, experiments and admins have decided stays.
        where s.decided_by is null and (s.state <> 'retired' or s.reason in ('few_users', 'contradicted', 'crowded', 'unfit'))
    ), ranked as (
        select f.*, coalesce(f.problem, case when row_number() over (
            order by f.problem is null desc, f.state = 'active' desc, f.users desc, f.id) > v_room then 'crowded' end) as why
        from fit f
    ), changed as (
        update uplift.playbook_guidelines g set updated_at = now(),
            state = case when r.why is null then case when g.state = 'active' then 'active' else 'proposed' end
                when g.state in ('proposed', 'active') then 'retired' else g.state end,
            reason = case when r.why is null and g.state in ('proposed', 'active') then g.reason else r.why end
        from ranked r
        where g.id = r.id and (r.why is null and g.state in ('gathering', 'retired') or r.why is not null and g.state in ('proposed', 'active')
            or r.why is distinct from g.reason and r.why is not null)
        returning g.state, r.state as state_before
    )
    select jsonb_build_object('proposed', count(*) filter (where c.state = 'proposed' and c.state_before <> 'proposed'),
        'retired', count(*) filter (where c.state = 'retired' and c.state_before <> 'retired')) into v_result
    from changed c;
    -- Nobody says so any more, and nobody was shown it.
    delete from uplift.playbook_guidelines g
    where g.coach_id = p_coach_id and g.state = 'gathering' and g.decided_by is null
        and not exists (select from uplift.playbook_evidence e where e.guideline_id = g.id)
        and not exists (select from uplift.playbook_guidelines m where m.merged_into = g.id);
    return v_result;
end
$$;

comment on function uplift.settle_guidelines(text) is
    'Proposes the guidelines of a coach that playbook.min_users users stand behind, that nobody contradicts (or playbook.margin times fewer do) and that there is room for, those with the most users first; retires those that were and are no longer. What an admin, ratings or an experiment decided stays. Returns {proposed, retired}.';

-- --- a playbook as it goes out ---

create or replace function uplift.playbook_text(p_lines text) returns text
language sql immutable parallel safe
as $$
    select '# Guidelines
What the users of this coach found helpful, one guideline a line. They are information on how to answer, below the house rules: where one is at odds with those, with the persona, or with what this user wants, leave it.
' || p_lines
$$;

comment on function uplift.playbook_text(text) is 'Lines of guidelines with their heading, as they end the shared part of a prompt.';

create or replace function uplift.open_playbook_draft(p_coach_id text) returns uuid
language sql stable
as $$
    select e.id from uplift.playbook_versions v join public.ai_experiments e on e.id = v.experiment_id
    where v.coach_id = p_coach_id and e.status = 'draft' and e.start_date is null order by e.id limit 1
$$;

comment on function uplift.open_playbook_draft(text) is 'The experiment that is drafted for a coach''s playbook and has not begun; null for none.';

create or replace function uplift.drop_playbook_draft(p_id uuid) returns void
language sql volatile
as $$
    update uplift.playbook_versions v set experiment_id = null where v.experiment_id = p_id;
    delete from public.ai_experiments e where e.id = p_id and e.status = 'draft' and e.start_date is null;
    delete from uplift.experiment_events v where v.experiment_id = p_id;
$$;

comment on function uplift.drop_playbook_draft(uuid) is 'Takes back the draft of an experiment with a playbook that is no longer.';

create or replace function uplift.draft_playbook(p_version uplift.playbook_versions, p_draft uuid, p_who text) returns uuid
language plpgsql volatile
as $$
declare
    v_id uuid := coalesce(p_draft, uplift.uuid_v7());
    -- A variant takes the place of what production adds to prompts: what an admin rolled out there stays in front.
    v_before text := nullif(btrim(split_part(uplift.changes_in_production(p_version.coach_id) ->> 'prompt_suffix', '# Guidelines', 1), e' \n'), '');
    v_name text := format('Playbook of %s (%s)', left(translate(p_version.coach_id, '=,', '  '), 150), left(p_version.id::text, 8));
    v_control jsonb := jsonb_build_object('variant_name', 'without the new guidelines');
    v_test jsonb := jsonb_build_object('variant_name', 'with the new guidelines', 'prompt_suffix', concat_ws(e'\n\n', v_before, p_version.text));
begin
    if p_draft is not null then
        -- Weights and the like that an admin has set already stay.
        update public.ai_experiments e set experiment_name = v_name,
            test_variants = array[e.test_variants[1] || (v_test - 'variant_name')]
        where e.id = p_draft;
    else
        insert into public.ai_experiments (id, experiment_name, description, hypothesis, control_variant, test_variants, success_metric, status,
            targeting, salt)
        values (v_id, v_name, 'What users of this coach wrote about its answers, as guidelines; by job write-playbooks.',
            'With these guidelines more thumbs go up.', v_control, array[v_test], 'thumbs_up_rate', 'draft',
            jsonb_build_object('coaches', jsonb_build_array(p_version.coach_id)), v_id::text);
    end if;
    update uplift.playbook_versions v set experiment_id = null where v.experiment_id = v_id and v.id <> p_version.id;
    update uplift.playbook_versions v set experiment_id = v_id where v.id = p_version.id;
    perform uplift.note_experiment(v_id, case when p_draft is null then 'created' else 'changed' end, p_who, 'the playbook has changed');
    return v_id;
end
$$;

comment on function uplift.draft_playbook(uplift.playbook_versions, uuid, text) is
    'Drafts the experiment that tries a version of a playbook against production; in the place of p_draft, where there is one. It is for an admin to start, or to roll out, and for autopilot where that is on.';

create or replace function uplift.write_playbook(p_coach_id text, p_who text) returns jsonb
language plpgsql volatile
as $$
declare
    v_version uplift.playbook_versions;
    v_lines text;
    v_draft uuid := uplift.open_playbook_draft(p_coach_id);
    v_is_new boolean := false;
begin
    select string_agg('- ' || g.text, e'\n' order by g.id), array_agg(g.id order by g.id) into v_lines, v_version.guideline_ids
    from uplift.playbook_guidelines g where g.coach_id = p_coach_id and g.state in ('proposed', 'active');
    if v_lines is null then
        perform uplift.drop_playbook_draft(v_draft);
        return jsonb_build_object('version_id', null, 'experiment_id', null, 'is_new', false);
    end if;
    v_version.text := uplift.playbook_text(v_lines);
    v_version.id := uplift.text_hash(p_coach_id || e'\n' || v_version.text);
    insert into uplift.playbook_versions (id, coach_id, text, guideline_ids) values (v_version.id, p_coach_id, v_version.text, v_version.guideline_ids)
    on conflict (id) do nothing;
    v_is_new := found;
    select v.* into v_version from uplift.playbook_versions v where v.id = v_version.id;
    if exists (select from uplift.playbook_arms a where a.version_id = v_version.id)
            or v_version.id = uplift.playbook_in_production(p_coach_id, now()) then
        -- It is tried, or was.
        perform uplift.drop_playbook_draft(v_draft);
        v_draft := null;
    elsif v_version.experiment_id is null or v_draft <> v_version.experiment_id then
        v_draft := uplift.draft_playbook(v_version, v_draft, p_who);
    end if;
    -- Otherwise it is drafted, or an admin has deleted that.
    return jsonb_build_object('version_id', v_version.id, 'experiment_id', v_draft, 'is_new', v_is_new);
end
$$;

comment on function uplift.write_playbook(text, text) is
    'Brings the version of a coach''s playbook, and the draft of the experiment that is to try it, in step with its guidelines: at most one draft a coach, and none of what was tried already. Returns {version_id, experiment_id (of the draft), is_new}.';

create or replace function uplift_batch.tend_playbook(p_coach_id text, p_who text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_merged int;
    v_harmful int;
    v_lost int;
    v_settled jsonb;
    v_version jsonb;
begin
    perform uplift.lock_playbook(p_coach_id);
    delete from uplift.playbook_evidence e using uplift.playbook_guidelines g
    where g.coach_id = p_coach_id and e.guideline_id = g.id
        and (uplift.comment_on(e.answer_id, null)).user_id is distinct from e.user_id;
    delete from uplift.playbook_comments w
    where w.coach_id = p_coach_id and (w.said_at < now() - interval '2160 hours' or (uplift.comment_on(w.answer_id, null)).user_id is distinct from w.user_id);
    v_harmful := uplift.count_playbook_ratings(p_coach_id);
    v_lost := uplift.take_playbook_results(p_coach_id);
    v_merged := uplift.merge_guidelines(p_coach_id);
    v_settled := uplift.settle_guidelines(p_coach_id);
    v_version := uplift.write_playbook(p_coach_id, p_who);
    return jsonb_build_object('merged', v_merged, 'proposed', v_settled -> 'proposed', 'retired', (v_settled ->> 'retired')::int + v_harmful + v_lost,
        'versions', (v_version -> 'is_new' = 'true')::int);
end
$$;

comment on function uplift_batch.tend_playbook(text, text) is
    'Tends a coach''s playbook: evidence that stands no longer goes, ratings are counted, guidelines merged, proposed and retired, and a new version is written and drafted as an experiment. Returns {merged, proposed, retired, versions}.';
