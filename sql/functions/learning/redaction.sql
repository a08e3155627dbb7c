-- What must not get into training data, and how it is taken out.
--
-- Each kind is looked for in a copy of the text, in which what was found is covered: by one private character that says
-- what it was, and by filling up to the same length. So what was found before is in nobody's way, places in the copy
-- are places in the text, and the text is put together once, at the end, as its user wrote it.
--
-- Most texts have none of it, so every search is behind a test that costs a microsecond or two. Patterns are few and
-- small, and words are looked up in arrays: Postgres keeps the last 32 patterns of a session compiled, and one with a
-- hundred words in it takes longer to compile than a thousand texts take to search.

create or replace function uplift.placeholders() returns text[]
language sql immutable parallel safe
as $$
    select '{email,phone,card,iban,id,ip,mac,address,secret,url,name}'::text[]
$$;

comment on function uplift.placeholders() is
    'What may stand in a text in the place of something personal, each in brackets. A training set that was made depends on these words: add to them, do not change them.';

create or replace function uplift.covered(p_found text, p_kind text) returns text
language sql immutable parallel safe
as $$
    select chr(57344 + array_position(uplift.placeholders(), p_kind)) || repeat(u&'\E000', length(p_found) - 1)
$$;

comment on function uplift.covered(text, text) is
    'What covers a piece of text of this kind: U+E000 and the kind''s number, then U+E000 to the same length.';

create or replace function uplift.cover(p_text text, p_pattern text, p_kind text, p_flags text default 'g') returns text
language sql immutable parallel safe
as $$
    select string_agg(x.piece || coalesce(x.found[1] || uplift.covered(x.found[2], p_kind), ''), '' order by x.n)
    from rows from (
        regexp_split_to_table(p_text, p_pattern, replace(p_flags, 'g', '')),
        regexp_matches(p_text, p_pattern, p_flags)) with ordinality x(piece, found, n)
$$;

comment on function uplift.cover(text, text, text, text) is
    'Text with whatever matches a pattern covered. The pattern has two groups: what stands before, which stays, and what goes.';

create or replace function uplift.uncovered(p_covered text, p_text text, p_is_copy boolean) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '[\ue001-\ue00e]\ue000*';
    v_pieces text[] := regexp_split_to_array(p_covered, v_pattern);
    v_found text[] := array(select m[1] from regexp_matches(p_covered, v_pattern, 'g') m);
    v_out text[] := array[]::text[];
    v_at int := 1;
begin
    for v_n in 1 .. cardinality(v_pieces) loop
        v_out := v_out || case when p_is_copy then v_pieces[v_n] else substr(p_text, v_at, length(v_pieces[v_n])) end;
        v_at := v_at + length(v_pieces[v_n]);
        if v_n <= cardinality(v_found) then
            v_out := v_out || ('[' || (uplift.placeholders())[ascii(v_found[v_n]) - 57344] || ']');
            v_at := v_at + length(v_found[v_n]);
        end if;
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.uncovered(text, text, boolean) is
    'The text that a covered copy was made of, with a placeholder wherever the copy is covered. Faster when the rest of the copy is the text''s, character by character.';

create or replace function uplift.before(p_text text, p_length int) returns text
language sql immutable parallel safe
as $$
    select case when strpos(right(p_text, p_length), u&'\E000') = 0 then right(p_text, p_length)
        else u&'\E001' || reverse(split_part(reverse(right(p_text, p_length)), u&'\E000', 1)) end
$$;

comment on function uplift.before(text, int) is
    'The last so many characters of what stands before something. What is covered, and all before it, is one character: whether a placeholder has taken its place already makes no difference then.';

create or replace function uplift.after(p_text text, p_length int) returns text
language sql immutable parallel safe
as $$
    select case when strpos(x.text, u&'\E001') = 0 then x.text else split_part(x.text, u&'\E001', 1) || u&'\E001' end
    from (select translate(left(p_text, p_length), u&'\E002\E003\E004\E005\E006\E007\E008\E009\E00A\E00B', repeat(u&'\E001', 10)) as text) x
$$;

comment on function uplift.after(text, int) is 'The first so many characters of what stands after something, as uplift.before() has those before it.';

create or replace function uplift.words(p_text text) returns text[]
language sql immutable parallel safe
as $$
    select array_remove(regexp_split_to_array(lower(p_text), '[^[:alnum:]]+'), '')
$$;

comment on function uplift.words(text) is 'The words of a text in lower case, without what parts them.';

create or replace function uplift.plain_characters(p_text text) returns text
language sql immutable parallel safe
as $$
    select case when octet_length(p_text) = length(p_text) then p_text
        -- Digits and separators of other scripts and of typographers, where it matters: in numbers.
        when p_text ~ ('[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\uff10-\uff19\uff20\ue000-\ue00f]'
            || '|[0-9)][\u00a0\u00ad\u2000-\u2015\u202f\u205f-\u2060\u2212\u3000\ufeff][ ]?[-+(0-9]')
        then translate(p_text,
            u&'\00A0\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\200B\202F\205F\2060\3000\FEFF'
            || u&'\00AD\2010\2011\2012\2013\2014\2015\2212\FF0D\FF20\FF0B\FF08\FF09\FF0E\FF0F'
            || u&'\FF10\FF11\FF12\FF13\FF14\FF15\FF16\FF17\FF18\FF19'
            || u&'\0660\0661\0662\0663\0664\0665\0666\0667\0668\0669\06F0\06F1\06F2\06F3\06F4\06F5\06F6\06F7\06F8\06F9'
            || u&'\0966\0967\0968\0969\096A\096B\096C\096D\096E\096F'
            || u&'\E000\E001\E002\E003\E004\E005\E006\E007\E008\E009\E00A\E00B\E00C\E00D\E00E\E00F',
            repeat(' ', 18) || repeat('-', 9) || '@+()./'
            || repeat('0123456789', 4) || repeat('?', 16))
        else p_text end
$$;

comment on function uplift.plain_characters(text) is
    'Text, character by character, with plain blanks, hyphens and digits in the place of others that stand for them.';

create or replace function uplift.redact(p_text text, p_names text[]) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_plain text := uplift.plain_characters(p_text);
    v_text text := v_plain;
    v_has_digits boolean;
begin
    if p_text is null then
        return null;
    end if;
    -- A part of everything that is looked for but names: most texts have none.
    if v_plain ~ '[\d@_=/[({]|www\.| (?:dot|punkt) |phrase|-----BEGIN' then
        v_has_digits := v_plain ~ '\d';
        if strpos(v_text, '[') > 0 and v_text like any ('{%[email]%,%[phone]%,%[card]%,%[iban]%,%[id]%,%[ip]%,%[mac]%,%[address]%,%[secret]%,'
            '%[url]%,%[name]%}') then
            v_text := uplift.cover_placeholders(v_text);
        end if;
        if (strpos(v_text, '/') > 0 or strpos(v_text, 'www.') > 0) and v_text ~ '://|\mwww\.|[a-z]\.[a-z]+/' then
            v_text := uplift.cover_urls(v_text);
        end if;
        v_text := uplift.cover_emails(v_text);
        if v_has_digits then
            v_text := uplift.cover_network_addresses(v_text);
            v_text := uplift.cover_written_ids(v_text);
        end if;
        v_text := uplift.cover_secrets(v_text, v_has_digits);
        if v_has_digits then
            v_text := uplift.cover_addresses(v_text);
            v_text := uplift.cover_numbers(v_text);
        end if;
    end if;
    if p_names is not null then
        v_text := uplift.cover_names(v_text, p_names);
    end if;
    if v_text = v_plain then
        return p_text;
    end if;
    return uplift.uncovered(v_text, p_text, v_plain = p_text and strpos(v_text, u&'\E00F') = 0); -- not with hidden digits of links
end
$$;

comment on function uplift.redact(text, text[]) is
    'Text as it may train a model: what uplift.placeholders() lists is replaced by its word in brackets, names being those given (of uplift.profile_names()). A text in which nothing is found comes back as it is, and redacting again changes nothing.';
