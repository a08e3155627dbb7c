-- What must not get into training data: people's addresses, numbers and names, secrets in links; and
-- which questions are attempts to turn the model against its instructions.
--
-- Most texts have none of it, so every search is behind a test that costs a microsecond or two.
-- Where it cannot be told, a number that may be a phone's or a card's goes; dates, years, counts and
-- timestamps stay.

create or replace function uplift.passes_luhn(p_digits text) returns boolean
language sql immutable parallel safe
as $$
    select sum(case when (length(p_digits) - n) % 2 = 0 then d
        when d > 4 then d * 2 - 9 else d * 2 end) % 10 = 0 and p_digits ~ '[1-9]'
    from generate_series(1, length(p_digits)) n cross join lateral (select substr(p_digits, n, 1)::int as d) x
$$;

comment on function uplift.passes_luhn(text) is
    'Whether digits end in the check digit that card numbers have (ISO/IEC 7812-1, annex B).';

create or replace function uplift.has_card_number(p_candidate text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_groups text[] := regexp_split_to_array(p_candidate, '[ -]');
    v_digits text;
begin
    -- A number before or after a card's may run into it: try whole groups.
    for v_first in 1 .. least(cardinality(v_groups), 20) loop
        v_digits := '';
        for v_last in v_first .. cardinality(v_groups) loop
            v_digits := v_digits || v_groups[v_last];
            exit when length(v_digits) > 19;
            if length(v_digits) >= 13 and uplift.passes_luhn(v_digits) then
                return true;
            end if;
        end loop;
    end loop;
    return false;
end
$$;

comment on function uplift.has_card_number(text) is
    'Whether digits, in groups parted by blanks or hyphens, have a card number in them: 13 to 19 digits in whole groups, with a right check digit.';

create or replace function uplift.is_phone_number(p_candidate text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_digits text := regexp_replace(p_candidate, '\D', '', 'g');
    v_count int := length(v_digits);
begin
    if p_candidate ~ '^\+' then
        return v_count between 7 and 15;
    end if;
    if v_count not between 9 and 15
            or p_candidate ~ '(^|\D)(\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](19|20)\d\d)(\D|$)' then
        return false; -- too short to be sure, or a date, perhaps with a time or another number after it
    end if;
    return case
        when v_digits ~ '^00[1-9]' then v_count >= 10
        -- A trunk prefix: 030/1234567, 020 7946 0958, 06 12 34 56 78, 07911123456; not 0.123456789.
        when v_digits ~ '^0[1-9]' then v_count <= 12 and p_candidate !~ '^0\.\d+$'
        -- North America: (555) 123-4567, 555.123.4567, 1-555-123-4567, 5551234567.
        else p_candidate ~ '^(1[ .-]?)?\(?[2-9]\d\d\)?[ .-]?[2-9]\d\d[ .-]?\d{4}$'
            or p_candidate ~ '^(1[ .-])?\(?[2-9]\d\d\)?[ .-]{1,2}\d{3}[ .-]\d{4}$'
    end;
end
$$;

comment on function uplift.is_phone_number(text) is
    'Whether digits with separators are a phone number by their form: international (+ or 00), with a trunk prefix 0, or North American. Dates, years, thousands and timestamps are not. Numbers in other national forms are known only by the words before them; see uplift.redact().';

create or replace function uplift.redact_numbers(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_found text;
begin
    for v_found in
        select distinct m[1] from regexp_matches(p_text, '(?:^|[^[:alnum:]+])(\d(?:[ -]?\d){12,})(?![[:alnum:]])', 'g') m
    loop
        if uplift.has_card_number(v_found) then
            v_text := replace(v_text, v_found, '[card]');
        end if;
    end loop;
    -- After a word that announces one, any number of six digits or more that is no date.
    for v_found in
        select distinct m[1] from regexp_matches(v_text,
            '\m(?:tel|telephone|phone|mobile|cell|whatsapp|fax|sms|call me|text me|ring me|reach me|handy|telefon|telefono|téléphone)\M'
            || '[^\d\n+(]{0,16}([+(]?\d[\d ()./-]{4,}\d)', 'gi') m
    loop
        if length(regexp_replace(v_found, '\D', '', 'g')) between 6 and 15
                and v_found !~ '(^|\D)(\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})(\D|$)' then
            v_text := replace(v_text, v_found, '[phone]');
        end if;
    end loop;
    for v_found in
        select distinct m[1]
        from regexp_matches(v_text, '(?<![[:alnum:].,+/-])([+(]?\d[\d ()./-]{5,}\d)(?![[:alnum:]])', 'g') m
    loop
        if v_found ~ '^\([^)]*$' then
            v_found := substr(v_found, 2); -- a parenthesis around more than the area code
        end if;
        if uplift.is_phone_number(v_found) then
            v_text := replace(v_text, v_found, '[phone]');
        end if;
    end loop;
    return v_text;
end
$$;

comment on function uplift.redact_numbers(text) is 'Text with card numbers as [card] and phone numbers as [phone].';

create or replace function uplift.redact_urls(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_url text;
begin
    for v_url in
        select distinct m[1] from regexp_matches(p_text, '((?:[a-z][a-z0-9+.-]*://|\mwww\.)[^\s<>"''`]+)', 'gi') m
    loop
        v_url := rtrim(v_url, '.,;:!?)]}');
        if v_url ~ '://[^/?#\s]*@' -- user:password@
                or v_url ~* ('[?&#;/](access_?token|id_?token|refresh_?token|token|auth|authorization|api_?key|apikey|key|'
                    || 'secret|client_?secret|password|passwd|pwd|pass|pin|otp|sig|signature|x-amz-[a-z-]+|code|session|'
                    || 'session_?id|sid|jwt|ticket|credential|hash|invite|reset)=[^&#\s]')
                or v_url ~ '[?&#;][^=&#\s]*=[[:alnum:]_.~%+/-]{24,}' -- too long to be a word
                or v_url ~ '/(?=[^/?#]*\d)(?=[^/?#]*[a-z])(?=[^/?#]*[A-Z])[[:alnum:]_]{20,}(/|\?|#|$)' then
            v_text := replace(v_text, v_url, '[url]');
        end if;
    end loop;
    return v_text;
end
$$;

comment on function uplift.redact_urls(text) is
    'Text with links that have a secret in them as [url]: a password, a parameter such as token, key, code or signature, a long random value.';

create or replace function uplift.redact_name(p_text text, p_name text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_escaped text := regexp_replace(p_name, '([^[:alnum:][:space:]])', '\\\1', 'g');
begin
    -- Where words are not parted by blanks there is no end of a word to look for.
    if p_name ~ '[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]' then
        return replace(p_text, p_name, '[name]');
    end if;
    return regexp_replace(p_text, '(?<![[:alnum:]_])' || regexp_replace(v_escaped, '\s+', '\\s+', 'g') || '(?![[:alnum:]_])',
        '[name]', 'gi');
end
$$;

comment on function uplift.redact_name(text, text) is
    'Text with a name as [name] wherever it is a whole word, in any case; Chinese, Japanese, Korean and Thai names anywhere.';

create or replace function uplift.redact(p_text text, p_names text[]) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_lower text;
    v_name text;
begin
    if strpos(v_text, '://') > 0 or strpos(v_text, 'www.') > 0 then
        v_text := uplift.redact_urls(v_text);
    end if;
    if strpos(v_text, '@') > 0 then
        v_text := regexp_replace(v_text,
            '[[:alnum:]._%+''-]*[[:alnum:]_%+-]@[[:alnum:]]([[:alnum:]-]*[[:alnum:]])?(\.[[:alnum:]]([[:alnum:]-]*[[:alnum:]])?)*\.[[:alpha:]]{2,}',
            '[email]', 'g');
    end if;
    if v_text ~ '\d[\d ()./-]{4,}\d' then
        v_text := uplift.redact_numbers(v_text);
    end if;
    if p_names is not null then
        v_lower := lower(v_text);
        foreach v_name in array p_names loop
            -- Names of two words may have more blanks between them in the text than in the profile.
            if strpos(v_lower, split_part(lower(v_name), ' ', 1)) > 0 then
                v_text := uplift.redact_name(v_text, v_name);
            end if;
        end loop;
    end if;
    return v_text;
end
$$;

comment on function uplift.redact(text, text[]) is
    'Text as it may train a model: e-mail addresses as [email], phone numbers as [phone], card numbers as [card], links with secrets as [url], these names (of uplift.profile_names(), longest first) as [name].';

create or replace function uplift.profile_names(p_user_id uuid) returns text[]
language sql stable
as $$
    with given as (
        select btrim(regexp_replace(t.trait_value, '\s+', ' ', 'g')) as name
        from public.user_traits t
        where t.user_id = p_user_id and lower(t.trait_key) like '%name'
    )
    select array_agg(n.name order by length(n.name) desc, n.name)
    from (
        select g.name from given g
        union
        -- Each part of a full name, without the small words between.
        select p from given g cross join lateral regexp_split_to_table(g.name, '[ ,]+') p
        where strpos(g.name, ' ') > 0 and lower(p) <> all ('{van,von,den,der,del,della,the,and,und,bin,ibn,mrs,miss,prof,dos,das}')
            and (length(p) > 2 or p ~ '[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]')) n
    where length(n.name) between 2 and 100
$$;

comment on function uplift.profile_names(uuid) is
    'What a user may be called by: traits whose key ends in name (name, preferred_name, full_name, ...), and the parts of those of several words, longest first; null for none.';

create or replace function uplift.looks_like_injection(p_text text) returns boolean
language sql immutable parallel safe
as $$
    -- The first test has a part of every form below, and is several times faster than they are.
    select lower(p_text collate "C") like any ('{%ignor%,%disregard%,%forget%,%overrid%,%bypass%,%prompt%,%instruc%,%jailbreak%,'
            '%developer%,%anything now%,%restriction%,%without%,%free of%,%<|%,%inst]%,%sys>>%,%system%,%anweisung%}')
        and (
            -- Instructions that are to count no longer. "Ignore my previous diet" has no such object.
            p_text ~* ('\m(ignore|disregard|forget|override|bypass|do not follow|don''t follow|stop following)\M[^.!?\n]{0,40}'
                || '\m(previous|prior|above|earlier|preceding|initial|original|system|your|all|hidden)\M[^.!?\n]{0,20}'
                || '\m(instructions?|prompts?|programming|guidelines|directives?|system messages?|constraints|safety rules)\M')
            or p_text ~* '\m(ignorier|vergiss)\w*\M[^.!?\n]{0,40}\m(anweisung|instruktion|vorgabe)\w*'
            or p_text ~* '\m(ignora|ignore|olvida|oublie)\w*\M[^.!?\n]{0,30}\m(instruccion|instruction)\w*\M[^.!?\n]{0,20}\m(anterior|précédent|precedent|previa)'
            -- The instructions themselves, asked for.
            or p_text ~* ('\m(reveal|show|print|repeat|output|display|leak|expose|dump|give|tell|what is|what''s|what are|recite)\M[^.!?\n]{0,40}'
                || '\m(system|hidden|initial|secret|original|developer)\s+(prompts?|instructions?|messages?)\M')
            or p_text ~* '\m(repeat|print|output)\M[^.!?\n]{0,30}\m(everything|all|the text|the words)\M[^.!?\n]{0,20}\mabove\M[^.!?\n]{0,30}(prompt|instruc)'
            -- Another character, free of rules.
            or p_text ~* '\m(do anything now|jailbreak(ed|ing)?|developer mode (on|enabled|activated)|(enable|enter|activate) developer mode)\M'
            or p_text ~* '\m(act|pretend|behave|respond|roleplay|imagine)\M[^.!?\n]{0,60}\m(no|without( any)?|free of)\s+(restrictions|rules|guidelines|filters|limitations|instructions)\M'
            -- The marks by which models tell who speaks.
            or p_text ~* '<\|(im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id)\|?>|\[/?INST\]|<</?SYS>>'
            or p_text ~* '(^|\n)\s*(#{1,4}\s*)?(system|new instructions?|system prompt|developer)\s*:'
        )
$$;

comment on function uplift.looks_like_injection(text) is
    'Whether a question tries to make the model drop or tell its instructions, play a character without rules, or forge who speaks. By form only: it is meant to keep such questions out of training data, not to refuse them. Talk about ignoring a diet, forgetting rules of a sport or showing instructions for an exercise is none.';
