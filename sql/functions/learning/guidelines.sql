-- What a guideline of a playbook may say, and when two say the same.

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

create or replace function uplift.theme_of(p_words text, p_is_up boolean) returns text
language sql immutable parallel safe
as $$
    select case when p_is_up then 'Go on as you do when it comes to: ' else 'Take more care when it comes to: ' end || p_words || '.'
$$;

comment on function uplift.theme_of(text, boolean) is 'The guideline for something that several users liked, or did not.';

create or replace function uplift.is_topic(p_text text) returns boolean
language sql immutable parallel safe
as $$
    select p_text like any (array['Do not bring up unless the user does: %', 'Focus on: %', uplift.theme_of('%', true), uplift.theme_of('%', false)])
$$;

comment on function uplift.is_topic(text) is
    'Whether a guideline names what it is about in words that are its users'': one of uplift.guideline_of_wish() about a topic, or of uplift.theme_of().';

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
            uplift.is_topic(p_one) and uplift.is_topic(p_other) and left(p_one, 5) <> left(p_other, 5)
                -- To focus on something goes with care, and with going on.
                and (not starts_with(p_one, 'Focus') and not starts_with(p_other, 'Focus') or starts_with(p_one, 'Do not') or starts_with(p_other, 'Do not'))
                and uplift.topic_words(p_one) = uplift.topic_words(p_other)
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

create or replace function uplift.forbidden_subject(p_text text) returns text
language plpgsql immutable parallel safe
as $$
begin
    return case
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
        when p_text ~* '\m(lie|lies|deceiv\w+|insult\w*|mock\w*|ridicul\w+|humiliat\w+|swear\w*|worthless|stupid|slurs?|hate|racis\w+|sexis\w+|sexual\w*|nude|porn\w*)\M' then 'is indecent' end;
end
$$;

comment on function uplift.forbidden_subject(text) is
    'Why users may not say in guidelines what a text is about, by its words, in English; null where they may.';

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
        when uplift.forbidden_subject(p_text) is not null then uplift.forbidden_subject(p_text)
        -- A name, whosever it is: models write it with a capital, also where the comment did not.
        when p_text ~ '[^.!?:] ["(“‘]?(?!Markdown|English)[A-Z][a-z]' then 'names somebody or something'
        when exists (select from unnest(p_comments) c where uplift.shares_words(p_text, c)) then 'repeats a comment word by word' end;
end
$$;

comment on function uplift.guideline_problem(text, boolean, text[], text[]) is
    'Why a text can be no guideline, in words; null where it can. Of one that an admin wrote only its form, personal data and instructions are looked at. p_names: of users, which count as personal; p_comments: those that it must not repeat.';
