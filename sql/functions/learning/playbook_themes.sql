-- What several users comment on in words that no rule knows, where there is no model to read them: comments are grouped
-- by a word, or two that stand together, which they share, and a guideline is made of those words by a template. Whether
-- it does any good, its experiment says.

create or replace function uplift.theme_of(p_words text, p_is_up boolean) returns text
language sql immutable parallel safe
as $$
    select case when p_is_up then 'Go on as you do when it comes to: ' else 'Take more care when it comes to: ' end || p_words || '.'
$$;

comment on function uplift.theme_of(text, boolean) is 'The guideline for something that several users liked, or did not.';

create or replace function uplift.comment_phrases(p_text text) returns table (stems text, words text, is_name boolean)
language plpgsql immutable parallel safe
as $$
declare
    -- Words of praise and complaint, and of asking for things: they say that, not what about.
    c_says_nothing constant text[] := regexp_split_to_array('absolut actual again alway amaz answer anymor anyth app ask aw away awesom bad best better bit bore bot brilliant
        chat coach come comment could dear disappoint dislik done dont even ever everi everyth excel fantast feel felt fine
        first get give go good got great hate hello help hi horribl horrid idea incorrect instead keep kind know last let
        like littl long look lot love made make mani mayb mean mention miss much need never new nice noth ok okay onc one
        option part peopl perfect pleas point poor pretti problem put question quit rather read realli reason repli respons
        right sad said say second see seem send sens sentenc short shown simpli sinc someth sometim sorri still stop stuff
        stupid super sure take talk tell terribl thank that thing think thought time today tri twice two understand unhelp
        use useful useless user usual veri want wast way week well word work wors worst would wow write written wrong yes
        yet', '\s+');
begin
    return query
    with tokens as (
        -- Words as they are written, with what stands before them.
        select x.n, lower(x.m[2]) as word, (ts_lexize('pg_catalog.english_stem', lower(x.m[2])))[1] as stem, x.m[1] as before,
            x.m[2] ~ '^[A-Z]' and x.m[2] ~ '[a-z]' and x.n > 1 and x.m[1] !~ '[.!?:"(\n]' as is_name
        from regexp_matches(left(p_text, 1000), '([^[:alnum:]]*)([[:alnum:]][[:alnum:]''’]*)', 'g') with ordinality x(m, n)
    ), saying as (
        select t.n, t.word, t.stem, t.before, t.is_name from tokens t
        where t.word ~ '^[a-z]{3,30}$' and t.stem is not null and t.stem <> all (c_says_nothing)
            -- What was taken out leaves its kind in brackets.
            and t.before !~ '\[$'
    )
    select s.stem, s.word, s.is_name from saying s
    union
    select least(s.stem collate "C", o.stem) || ' ' || greatest(s.stem collate "C", o.stem), s.word || ' ' || o.word, s.is_name or o.is_name
    from saying s join saying o on o.n = s.n + 1 and o.before in (' ', '-') and o.stem <> s.stem;
end
$$;

comment on function uplift.comment_phrases(text) is
    'The words, and pairs of words side by side, of a comment that say what it is about, English ones: their stems, in alphabetical order, the words in lower case, and whether one is written as a name is. Its first 1,000 characters are looked at.';

create or replace function uplift.comments_with_a_thumb(p_coach_id text, p_most int)
returns table (answer_id uuid, user_id uuid, said_at timestamptz, is_up boolean, words text)
language sql stable
as $$
    select w.answer_id, w.user_id, w.said_at, coalesce(a.helpful, a.rating >= 3),
        uplift.redact(left(c.words, 1000), uplift.profile_names(w.user_id))
    from (
        select x.*, row_number() over (partition by x.user_id order by x.answer_id desc) as nth
        from uplift.playbook_comments x where x.coach_id = p_coach_id) w
    join public.coach_response_feedback a on a.id = w.answer_id
    cross join lateral uplift.comment_on(w.answer_id, null) c
    -- However much one writes; of three stars nobody knows.
    where w.nth <= 3 and c.user_id = w.user_id and (a.helpful is not null or a.rating <> 3)
        -- Who says that they hate something may.
        and coalesce(uplift.forbidden_subject(left(c.words, 1000)), 'is indecent') = 'is indecent'
    order by w.answer_id desc limit p_most
$$;

comment on function uplift.comments_with_a_thumb(text, int) is
    'The latest comments on a coach''s answers that rules do not understand, of a user the latest three, redacted, with whether the answer was liked: a thumb, or four stars and more. Not those that are about what no guideline may be (uplift.forbidden_subject), whichever of their words others share, but for words of anger.';

create or replace function uplift.drop_turned_themes(p_coach_id text) returns void
language sql volatile
as $$
    delete from uplift.playbook_evidence e using uplift.playbook_guidelines g, public.coach_response_feedback a
    where g.coach_id = p_coach_id and g.kind = 'content' and e.guideline_id = g.id and a.id = e.answer_id
        and (g.text like uplift.theme_of('%', true) and coalesce(a.helpful, a.rating > 3) is distinct from true
            or g.text like uplift.theme_of('%', false) and coalesce(a.helpful, a.rating >= 3) is distinct from false)
$$;

comment on function uplift.drop_turned_themes(text) is 'Takes out of the evidence for what users liked, or did not, answers whose thumb says otherwise by now.';

create or replace function uplift.themes_of(p_coach_id text) returns table (id uuid, is_up boolean, stems text)
language sql stable
as $$
    select g.id, g.text = uplift.theme_of(x.words, true), array_to_string(array(select w from unnest(uplift.topic_words(g.text)) w order by w collate "C"), ' ')
    from uplift.playbook_guidelines g cross join lateral (select rtrim(substr(g.text, strpos(g.text, ': ') + 2), '.') as words) x
    where g.coach_id = p_coach_id and g.state <> 'merged' and g.text in (uplift.theme_of(x.words, true), uplift.theme_of(x.words, false))
$$;

comment on function uplift.themes_of(text) is 'The guidelines of a coach that are themes (uplift.theme_of), and the stems of what they are about, as uplift.comment_phrases() has them.';

create or replace function uplift_batch.keep_themes(p_coach_id text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    c_most constant int := 5; -- new ones, of one reading
    v_least int := greatest(uplift.setting_number('playbook.min_users', 3), 1)::int;
    v_margin float8 := greatest(uplift.setting_number('playbook.margin', 2), 1);
    -- One element for each phrase of a comment, of those that enough users share.
    v_answers uuid[];
    v_users uuid[];
    v_said_at timestamptz[];
    v_is_up boolean[];
    v_stems text[];
    v_words text[];
    v_tried text[] := array[]::text[];
    v_taken uuid[];
    v_theme record;
    v_guideline uuid;
    v_found int := 0;
    v_dropped int := 0;
begin
    perform uplift.lock_playbook(p_coach_id);
    with said as materialized (
        select c.answer_id, c.user_id, c.said_at, c.is_up, p.stems, p.words, p.is_name
        from uplift.comments_with_a_thumb(p_coach_id, 2000) c cross join lateral uplift.comment_phrases(c.words) p
    ), counted as (
        select s.stems, count(distinct s.user_id) filter (where s.is_up) as up, count(distinct s.user_id) filter (where not s.is_up) as down
        from said s group by s.stems having avg(s.is_name::int) <= 0.5
    )
    select array_agg(s.answer_id), array_agg(s.user_id), array_agg(s.said_at), array_agg(s.is_up), array_agg(s.stems), array_agg(s.words)
    into v_answers, v_users, v_said_at, v_is_up, v_stems, v_words
    from said s join counted c on c.stems = s.stems
    where exists (select from uplift.themes_of(p_coach_id) t where t.stems = s.stems and t.is_up = s.is_up)
        or case when s.is_up then c.up >= greatest(v_least, v_margin * c.down) else c.down >= greatest(v_least, v_margin * c.up) end;
    -- What is a theme already.
    perform uplift.add_evidence(t.id, p.answer_id, p.user_id, p.said_at)
    from uplift.themes_of(p_coach_id) t
    join unnest(v_answers, v_users, v_said_at, v_is_up, v_stems) as p(answer_id, user_id, said_at, is_up, stems) on p.stems = t.stems and p.is_up = t.is_up
    where not exists (select from uplift.playbook_evidence e where e.answer_id = p.answer_id);
    v_taken := array(select distinct e.answer_id from unnest(v_answers) a(id) join uplift.playbook_evidence e on e.answer_id = a.id);
    -- Then, again and again, what most of the others share.
    for v_round in 1 .. 4 * c_most loop
        exit when v_found = c_most;
        select p.stems, p.is_up, uplift.theme_of(mode() within group (order by p.words), p.is_up) as text, count(distinct p.user_id) as users,
            array_agg(distinct p.answer_id) as answers
        into v_theme
        from unnest(v_answers, v_users, v_is_up, v_stems, v_words) as p(answer_id, user_id, is_up, stems, words)
        where p.is_up || p.stems <> all (v_tried) and not exists (select from unnest(v_taken) t(id) where t.id = p.answer_id)
        group by p.stems, p.is_up having count(distinct p.user_id) >= v_least
        -- Two words say more than one.
        order by count(distinct p.user_id) * case when p.stems like '% %' then 2 else 1 end desc, p.stems limit 1;
        exit when not found;
        v_tried := v_tried || (v_theme.is_up || v_theme.stems);
        if uplift.guideline_problem(v_theme.text, false, null, null) is not null then
            v_dropped := v_dropped + 1;
            continue;
        end if;
        v_guideline := uplift.guideline_for(p_coach_id, v_theme.text, 'content', 'rules');
        perform uplift.add_evidence(v_guideline, c.answer_id, c.user_id, c.said_at)
        from (select distinct x.* from unnest(v_answers, v_users, v_said_at) x(answer_id, user_id, said_at)) c where c.answer_id = any (v_theme.answers);
        v_taken := v_taken || v_theme.answers;
        v_found := v_found + 1;
    end loop;
    return jsonb_build_object('found', v_found, 'dropped', v_dropped);
end
$$;

comment on function uplift_batch.keep_themes(text) is
    'Where no model reads them: groups the comments of uplift.comments_with_a_thumb() (2,000) by the word, or two side by side, that most of their users share, the largest group first, at most five new ones, and keeps each as evidence for uplift.theme_of() of it. At least playbook.min_users users stand behind one, and playbook.margin times as many as say it with the other thumb. Returns {found, dropped}, dropped being those that may be no guideline.';
