-- What several users comment on in words that no rule knows, where there is no model to read them: comments are grouped
-- by a word, or two that stand together, which they share with each other and with the answers that they are about, and a
-- guideline is made of those words by a template. Whether it does any good, its experiment says.
--
-- The words are the coach's: they stand in lower case in the answers of all these users. So a guideline names nobody, and
-- swears at nobody, whatever a comment says, and nobody can put a word of their own into it.

create or replace function uplift.phrases(p_text text) returns table (stems text, words text)
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
        select x.n, x.m[2] as word, (ts_lexize('pg_catalog.english_stem', x.m[2]))[1] as stem, x.m[1] as before
        from regexp_matches(p_text, '([^[:alnum:]]*)([[:alnum:]][[:alnum:]''’]*)', 'g') with ordinality x(m, n)
    ), saying as (
        -- What was taken out leaves its kind in brackets.
        select t.n, t.word, t.stem, t.before from tokens t
        where t.word ~ '^[a-z]{3,30}$' and t.stem is not null and t.stem <> all (c_says_nothing) and t.before !~ '\[$'
    ), pairs as (
        select s.stem, s.word, s.n, lead(s.stem) over side as next_stem, lead(s.word) over side as next_word, lead(s.n) over side as next_n,
            lead(s.before) over side as between_them
        from saying s window side as (order by s.n)
    )
    select p.stem, p.word from pairs p
    union
    select least(p.stem collate "C", p.next_stem) || ' ' || greatest(p.stem collate "C", p.next_stem), p.word || ' ' || p.next_word
    from pairs p where p.next_n = p.n + 1 and p.between_them in (' ', '-') and p.next_stem <> p.stem;
end
$$;

comment on function uplift.phrases(text) is
    'The English words in lower case, and pairs of them side by side, that say what a text is about: their stems, in alphabetical order, and as they are written.';

create or replace function uplift.comments_with_a_thumb(p_coach_id text, p_most int)
returns table (answer_id uuid, user_id uuid, is_up boolean, comment text, answer text)
language sql stable
as $$
    select w.answer_id, w.user_id, uplift.is_liked(a.helpful, a.rating) is true, x.comment, left(a.ai_response, 4000)
    from (
        select y.*, row_number() over (partition by y.user_id order by y.answer_id desc) as nth
        -- Only so many are looked at at all.
        from (select z.* from uplift.playbook_comments z where z.coach_id = p_coach_id order by z.answer_id desc limit 3 * p_most) y) w
    cross join lateral (select b.* from public.coach_response_feedback b where b.id = w.answer_id offset 0) a
    cross join lateral uplift.comment_on(w.answer_id, null) c
    cross join lateral (select uplift.redact(left(c.words, 1000), uplift.profile_names(w.user_id)) as comment offset 0) x
    -- However much one writes.
    where w.nth <= 3 and c.user_id = w.user_id and (uplift.is_liked(a.helpful, a.rating) or uplift.is_disliked(a.helpful, a.rating))
        -- Who says that they hate something may.
        and coalesce(uplift.forbidden_subject(left(c.words, 1000)), 'is indecent') = 'is indecent' and uplift.text_language(left(c.words, 1000)) = 'en'
    order by w.answer_id desc limit p_most
$$;

comment on function uplift.comments_with_a_thumb(text, int) is
    'The latest comments in English on a coach''s answers that rules do not understand, of a user the latest three, redacted, with the answer''s first 4,000 characters and whether it was liked (uplift.is_liked) or disliked. Not those that are about what no guideline may be (uplift.forbidden_subject), but for words of anger.';

create or replace function uplift.drop_turned_themes(p_coach_id text) returns void
language sql volatile
as $$
    delete from uplift.playbook_evidence e using uplift.playbook_guidelines g, public.coach_response_feedback a
    where g.coach_id = p_coach_id and g.kind = 'content' and e.guideline_id = g.id and a.id = e.answer_id
        and (g.text like uplift.theme_of('%', true) and uplift.is_liked(a.helpful, a.rating) is not true
            or g.text like uplift.theme_of('%', false) and uplift.is_disliked(a.helpful, a.rating) is not true)
$$;

comment on function uplift.drop_turned_themes(text) is 'Takes out of the evidence for what users liked, or did not, answers whose thumb says otherwise by now.';

create or replace function uplift.themes_of(p_coach_id text) returns table (words text, stems text)
language sql stable
as $$
    select distinct on (x.stems) x.words, x.stems
    from (
        select g.id, w.words, array_to_string(array(select t from unnest(uplift.topic_words(g.text)) t order by t collate "C"), ' ') as stems
        from uplift.playbook_guidelines g cross join lateral (select rtrim(substr(g.text, strpos(g.text, ': ') + 2), '.') as words) w
        where g.coach_id = p_coach_id and g.state <> 'merged' and g.text in (uplift.theme_of(w.words, true), uplift.theme_of(w.words, false))) x
    order by x.stems, x.id
$$;

comment on function uplift.themes_of(text) is 'What those guidelines of a coach are about that are themes (uplift.theme_of), with the stems, as uplift.phrases() has them.';

create or replace function uplift_batch.keep_themes(p_coach_id text) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    c_comments constant int := 1000;
    c_most constant int := 5; -- new themes, of one reading
    v_least int := greatest(uplift.setting_number('playbook.min_users', 3), 1)::int;
    v_margin float8 := greatest(uplift.setting_number('playbook.margin', 2), 1);
    -- One element for each phrase of a comment and its answer, of those that enough users share.
    v_answers uuid[];
    v_users uuid[];
    v_is_up boolean[];
    v_stems text[];
    v_words text[];
    v_tried text[] := array[]::text[];
    v_taken uuid[];
    v_theme record;
    v_found int := 0;
    v_dropped int := 0;
begin
    if exists (select from uplift.settings s where s.key = 'playbook.themes' and s.value = 'false') then
        return jsonb_build_object('found', 0, 'dropped', 0);
    end if;
    perform uplift.lock_playbook(p_coach_id);
    with said as materialized (
        select c.answer_id, c.user_id, c.is_up, a.stems, a.words
        from uplift.comments_with_a_thumb(p_coach_id, c_comments) c
        cross join lateral (select array_agg(distinct p.stems) as stems from uplift.phrases(lower(c.comment)) p) p
        cross join lateral uplift.phrases(c.answer) a
        where a.stems = any (p.stems)
    ), counted as (
        select s.stems, count(distinct s.user_id) filter (where s.is_up) as up, count(distinct s.user_id) filter (where not s.is_up) as down
        from said s group by s.stems
    )
    select array_agg(s.answer_id), array_agg(s.user_id), array_agg(s.is_up), array_agg(s.stems), array_agg(s.words)
    into v_answers, v_users, v_is_up, v_stems, v_words
    from said s join counted c on c.stems = s.stems
    where case when s.is_up then c.up >= greatest(v_least, v_margin * c.down) else c.down >= greatest(v_least, v_margin * c.up) end
        or s.stems in (select t.stems from uplift.themes_of(p_coach_id) t);
    -- What is a theme already: both thumbs, of which settle_guidelines() takes the one that many more give.
    for v_theme in
        select t.words, p.is_up, array_agg(distinct p.answer_id) as answers
        from uplift.themes_of(p_coach_id) t
        join unnest(v_answers, v_is_up, v_stems) as p(answer_id, is_up, stems) on p.stems = t.stems
        where not exists (select from uplift.playbook_evidence e where e.answer_id = p.answer_id)
        group by t.words, p.is_up order by t.words, p.is_up
    loop
        perform uplift.note_guideline(p_coach_id, uplift.theme_of(v_theme.words, v_theme.is_up), 'content', 'rules', v_theme.answers);
    end loop;
    v_taken := array(select distinct e.answer_id from unnest(v_answers) a(id) join uplift.playbook_evidence e on e.answer_id = a.id);
    -- Then, again and again, what most of the others share.
    for v_round in 1 .. 4 * c_most loop
        exit when v_found = c_most;
        select p.stems, p.is_up, uplift.theme_of(mode() within group (order by p.words), p.is_up) as text, array_agg(distinct p.answer_id) as answers
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
        perform uplift.note_guideline(p_coach_id, v_theme.text, 'content', 'rules', v_theme.answers);
        v_taken := v_taken || v_theme.answers;
        v_found := v_found + 1;
    end loop;
    return jsonb_build_object('found', v_found, 'dropped', v_dropped);
end
$$;

comment on function uplift_batch.keep_themes(text) is
    'Where no model reads them, and playbook.themes is not false: groups the comments of uplift.comments_with_a_thumb() (1,000) by the word, or two side by side, that most of their users share, and the answers have as well, the largest group first, at most five new ones, and keeps each as evidence for uplift.theme_of() of it, in the words of the answers. At least playbook.min_users users stand behind one, and playbook.margin times as many as say it with the other thumb. Returns {found, dropped}, dropped being those that may be no guideline.';
