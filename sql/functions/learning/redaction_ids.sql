-- Numbers that name a person or an account: IBANs and national identity numbers, by their form and check digits, or by
-- the words before them. Forms and check digits are those of the issuers, as python-stdnum has them, which made the
-- examples of the tests.

create or replace function uplift.passes_luhn(p_digits text) returns boolean
language sql immutable parallel safe
as $$
    select sum(case when (length(p_digits) - n) % 2 = 0 then d
        when d > 4 then d * 2 - 9 else d * 2 end) % 10 = 0 and p_digits ~ '[1-9]'
    from generate_series(1, length(p_digits)) n cross join lateral (select substr(p_digits, n, 1)::int as d) x
$$;

comment on function uplift.passes_luhn(text) is
    'Whether digits end in the check digit that card numbers have (ISO/IEC 7812-1, annex B).';

create or replace function uplift.weighted(p_digits text, p_weights int[]) returns int
language sql immutable parallel safe
as $$
    select sum(substr(p_digits, n::int, 1)::int * w)::int from unnest(p_weights) with ordinality x(w, n)
$$;

comment on function uplift.weighted(text, int[]) is 'The sum of the first digits, each times its weight: what most check digits are made of.';

create or replace function uplift.is_iban(p_iban text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_iban text := upper(regexp_replace(p_iban, '[^A-Za-z0-9]', '', 'g'));
    v_turned text := substr(v_iban, 5) || left(v_iban, 4);
begin
    -- The register of ISO 13616: countries by length.
    if left(v_iban, 2) || length(v_iban) <> all (('{NO15,BE16,DK18,FI18,FO18,GL18,NL18,SD18,MK19,SI19,AT20,BA20,EE20,KZ20,LT20,LU20,XK20,MN20,'
            'CH21,HR21,LI21,LV21,BG22,BH22,CR22,DE22,GB22,GE22,IE22,ME22,RS22,AE23,GI23,IL23,IQ23,OM23,SO23,TL23,AD24,CZ24,ES24,MD24,PK24,RO24,'
            'SA24,SE24,SK24,TN24,VG24,LY25,PT25,ST25,IS26,TR26,BI27,DJ27,FR27,GR27,IT27,MC27,MR27,SM27,AL28,AZ28,BY28,CY28,DO28,GT28,HU28,LB28,'
            'NI28,PL28,BR29,EG29,PS29,QA29,UA29,JO30,KW30,MU30,YE30,MT31,SC31,LC32,RU33,FK18}')::text[]) then
        return false;
    end if;
    return (select string_agg(case when c between 'A' and 'Z' collate "C" then (ascii(c) - 55)::text else c end, '' order by n)::numeric % 97 = 1
        from regexp_split_to_table(v_turned, '') with ordinality x(c, n));
end
$$;

comment on function uplift.is_iban(text) is 'Whether this is an IBAN: a country of ISO 13616, its length, and right check digits.';

create or replace function uplift.cover_ibans(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '(?<![A-Za-z0-9])[A-Za-z]{2} ?\d{2}[ -]?[A-Za-z0-9]{4}[ -]?\d[A-Za-z0-9]{2,3}(?:[ -]?[A-Za-z0-9]){0,50}(?![A-Za-z0-9])';
    v_pieces text[] := regexp_split_to_array(p_text, v_pattern);
    v_found text[] := array(select m[1] from regexp_matches(p_text, v_pattern, 'g') m);
    v_out text[] := v_pieces[1:1];
    v_iban text;
    v_rest text;
begin
    for v_n in 1 .. cardinality(v_found) loop
        v_rest := v_found[v_n];
        while v_rest <> '' loop
            v_iban := '';
            if v_rest ~ '^[A-Za-z]{2} ?\d\d' then
                -- The words that follow it may look like groups of it.
                v_iban := left(v_rest, 44);
                while v_iban <> '' and not uplift.is_iban(v_iban) loop
                    v_iban := coalesce(substring(v_iban from '^(.*[A-Za-z0-9])[ -]+[A-Za-z0-9]*[ -]*$'), '');
                end loop;
            end if;
            if v_iban = '' and v_rest = v_found[v_n] and uplift.before(v_pieces[v_n], 20) ~* '\m(?:iban|konto|account)\W*(?:\w+\W+)?$' then
                v_iban := substring(v_rest from '^[A-Za-z]{2} ?\d\d(?:[ -]?[A-Z0-9]*\d[A-Z0-9]*)+'); -- mistyped
            end if;
            v_out := v_out || case when v_iban <> '' then uplift.covered(v_iban, 'iban') else substring(v_rest from '^[ -]*[A-Za-z0-9]*') end;
            v_rest := case when v_iban <> '' then substr(v_rest, length(v_iban) + 1) else substring(v_rest from '^[ -]*[A-Za-z0-9]*(.*)$') end;
            v_out := v_out || substring(v_rest from '^[ -]*');
            v_rest := ltrim(v_rest, ' -');
        end loop;
        v_out := v_out || v_pieces[v_n + 1];
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_ibans(text) is 'Text with IBANs covered, in groups or not; one that is announced as such with wrong check digits as well.';

create or replace function uplift.is_written_id(p_candidate text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_id text := regexp_replace(p_candidate, '[ .()-]', '', 'g');
    v_digits text := regexp_replace(v_id, '\D', '', 'g');
begin
    return case
        -- Spain: DNI, NIE.
        when v_id ~ '^\d{8}[A-Z]$' then right(v_id, 1) = substr('TRWAGMYFPDXBNJZSQVHLCKE', v_digits::int % 23 + 1, 1)
            or right(v_id, 1) = 'K' and uplift.weighted(v_digits, '{3,2,7,6,5,4,3,2}') % 11 = 1 -- or Chile
        when v_id ~ '^[XYZ]\d{7}[A-Z]$' then
            right(v_id, 1) = substr('TRWAGMYFPDXBNJZSQVHLCKE', (translate(left(v_id, 1), 'XYZ', '012') || v_digits)::int % 23 + 1, 1)
        -- China.
        when v_id ~ '^\d{17}[\dX]$' then substr(v_id, 11, 4) ~ '^(0[1-9]|1[0-2])[0-3]\d$'
            and right(v_id, 1) = substr('10X98765432', uplift.weighted(v_id, '{7,9,10,5,8,4,2,1,6,3,7,9,10,5,8,4,2}') % 11 + 1, 1)
        -- Finland.
        when p_candidate ~ '^\d{6}[-+A-FU-Y]\d{3}[0-9A-Z]$' then
            right(v_id, 1) = substr('0123456789ABCDEFHJKLMNPRSTUVWXY', left(v_digits, 9)::int % 31 + 1, 1)
        -- Singapore.
        when v_id ~ '^[A-Z]\d{7}[A-Z]$' then left(v_id, 1) in ('S', 'T', 'F', 'G', 'M')
        -- Taiwan.
        when v_id ~ '^[A-Z]\d{9}$' then substr(v_id, 2, 1) in ('1', '2')
        -- Chile.
        when p_candidate ~ '^\d{1,2}\.\d{3}\.\d{3}-[\dKk]$' then
            upper(right(v_id, 1)) = substr('0K987654321', uplift.weighted(lpad(left(v_id, -1), 8, '0'), '{3,2,7,6,5,4,3,2}') % 11 + 1, 1)
        -- India.
        when v_id ~ '^[A-Z]{5}\d{4}[A-Z]$' then substr(v_id, 4, 1) ~ '[ABCFGHLJPT]'
        -- Italy, United Kingdom, Hong Kong, Mexico, Corsica, Germany (pensions): no other words have these forms.
        else true end;
end
$$;

comment on function uplift.is_written_id(text) is 'Whether what has the form of an identity number with letters in it has the right check character, too.';

create or replace function uplift.cover_written_ids(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_before text;
    v_id text;
    v_pattern constant text := '\m[A-Za-z]{0,3}\d[A-Za-z0-9]{5,14}\M';
    v_pieces text[];
    v_found text[];
    v_out text[];
begin
    if v_text ~ ('[A-Za-z]{2} ?\d\d[ -]?[A-Za-z0-9]{4}[ -]?\d[A-Za-z0-9]{2}|[A-Z(][ -]?\d{6}|\d[ .-]?\d{3}[ -]?[A-Z]\M|\d{2}[A-Z]\d{2} ?[A-Z]\d|'
        '\d{17}|\d ?2[AB] ?\d{3}|\d-[Kk]\M|\d{6} ?[A-Z+-] ?\d{3}'
            || '|[A-Z]{5}\d{4}[A-Z]|[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-Z]') then
        loop -- what was taken for the end of one may begin another
            v_before := v_text;
            v_text := uplift.cover_ibans(v_text);
            exit when v_text = v_before;
        end loop;
        for v_id in
            select distinct m[1] from regexp_matches(v_text, '(?<![A-Za-z0-9])(?:\d{8}[ -]?[A-Z]|\d{2}\.\d{3}\.\d{3}-[A-Z]|'
            '[XYZ][ -]?\d{7}[ -]?[A-Z]|[A-Z]{3} ?[A-Z]{3} ?\d{2}[A-Z]\d{2} ?[A-Z]\d{3}[A-Z]'
                || '|[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]|[A-Z]{2} \d{2} \d{2} \d{2} [A-Z]|\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]|\d{17}[0-9X]|'
                '[A-Z]\d{7}[A-Z]|[A-Z]{1,2}\d{6}\([0-9A]\)|[A-Z]\d{9}|[A-Z]{5}\d{4}[A-Z]|[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d'
                || '|\d{2} ?\d{6} ?[A-Z] ?\d{3}|[12] ?\d\d ?\d\d ?2[AB] ?\d{3} ?\d{3} ?\d\d|\d{1,2}\.\d{3}\.\d{3}-[0-9Kk])(?![A-Za-z0-9-]|'
                '[.,]\d)', 'g') m
        loop
            if uplift.is_written_id(v_id) then
                v_text := replace(v_text, v_id, uplift.covered(v_id, 'id'));
            end if;
        end loop;
    end if;
    -- With letters in them, and no form that is known: of passports, licences, ...
    if v_text ~ '[A-Za-z]\d[A-Za-z0-9]{5}|\d{4}[A-Za-z]\M' and lower(v_text collate "C") like any ('{%passport%,%passeport%,%pasaporte%,'
        '%passaport%,%pass-nr%,%reisepass%,%ausweis%,%licen_e%,%hrerschein%,%permis%,%dni%,%nie%,%ssn%,%pps%,% id%}') then
        v_pieces := regexp_split_to_array(v_text, v_pattern);
        v_found := array(select m[1] from regexp_matches(v_text, v_pattern, 'g') m);
        v_out := v_pieces[1:1];
        for v_n in 1 .. cardinality(v_found) loop
            v_out := v_out || case
                when v_found[v_n] ~ '[A-Za-z]' and v_found[v_n] ~ '\d.*\d.*\d.*\d' and uplift.announces_id(uplift.before(v_pieces[v_n], 40), uplift.words(uplift.before(v_pieces[v_n], 40)))
                then uplift.covered(v_found[v_n], 'id') else v_found[v_n] end || v_pieces[v_n + 1];
        end loop;
        v_text := array_to_string(v_out, '');
    end if;
    return v_text;
end
$$;

comment on function uplift.cover_written_ids(text) is
    'Text with IBANs and with identity numbers that have letters in them covered.';

create or replace function uplift.is_national_id(p_number text, p_shape text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_digits text := translate(p_number, ' .-/', '');
begin
    if p_shape <> all ('{999-99-9999,999.999.999-99,99.999.999/9999-99,99-99999999-9,756.9999.9999.99,999.9999.9999.99,"999 9999 9999 99",'
        '99.99.99-999.99,99.99.99-999-99,999999-9999,99999999-9999,999999+9999,999999-9999999,999999-99-9999,'
            '999999/9999,999999/999,"9 99 99 99 999 999 99","9 99 99 99 999 99999","9 99 99 99 99999 99",999999999999999,999-999-999-99,"999-999-999 99","999999 9999 999"}') then
        return false;
    end if;
    return case
        -- United States.
        when p_number ~ '^(?!000|666)[0-8]\d\d-(?!00)\d\d-(?!0000)\d{4}$' then true
        -- Brazil: CPF, CNPJ.
        when p_number ~ '^\d{3}\.\d{3}\.\d{3}-\d\d$' then
            uplift.weighted(v_digits, '{10,9,8,7,6,5,4,3,2}') * 10 % 11 % 10 = substr(v_digits, 10, 1)::int
        when p_number ~ '^\d\d\.\d{3}\.\d{3}/\d{4}-\d\d$' then true
        -- Argentina.
        when p_number ~ '^(20|23|24|27|3[034])-\d{8}-\d$' then
            (11 - uplift.weighted(v_digits, '{5,4,3,2,7,6,5,4,3,2}') % 11) % 11 = right(v_digits, 1)::int
        -- Switzerland.
        when p_number ~ '^756[. ]\d{4}[. ]\d{4}[. ]\d\d$' then true
        -- Belgium.
        when p_number ~ '^\d\d\.\d\d\.\d\d-\d{3}[.-]\d\d$' then
            97 - left(v_digits, 9)::bigint % 97 = right(v_digits, 2)::int or 97 - ('2' || left(v_digits, 9))::bigint % 97 = right(v_digits, 2)::int
        -- Sweden, Denmark; Korea; Malaysia.
        when p_number ~ '^(19|20)?\d\d(0[1-9]|1[0-2])([0-2]\d|3[01]|[6-8]\d|9[01])[-+]\d{4}$' and uplift.passes_luhn(right(v_digits, 10)) then true
        when p_number ~ '^([0-2]\d|3[01])(0[1-9]|1[0-2])\d\d-\d{4}$' then true
        when p_number ~ '^\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])-[1-9]\d{6}$' then true
        when p_number ~ '^\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])-\d\d-\d{4}$' then true
        -- Czechia, Slovakia.
        when p_number ~ '^\d\d([0257][1-9]|[1368][0-2])([0-2]\d|3[01])/\d{3,4}$' then length(v_digits) = 9 or v_digits::bigint % 11 = 0
        -- France: 13 digits and 97 less their rest.
        when p_number ~ '^[12] ?\d\d ?(0[1-9]|1[0-2]|[2-9]\d) ?\d\d ?\d{3} ?\d{3} ?\d\d$' then 97 - left(v_digits, 13)::bigint % 97 = right(v_digits, 2)::int
        -- Russia.
        when p_number ~ '^\d{3}-\d{3}-\d{3}[ -]\d\d$' then uplift.weighted(v_digits, '{9,8,7,6,5,4,3,2,1}') % 101 % 100 = right(v_digits, 2)::int
        -- South Africa.
        when p_number ~ '^\d\d(0[1-9]|1[0-2])([0-2]\d|3[01]) \d{4} \d{3}$' then uplift.passes_luhn(v_digits)
        else false end;
end
$$;

comment on function uplift.is_national_id(text, text) is
    'Whether digits, given with all as nines, too, are an identity number by the way they are parted, their dates and check digits. Where they would not be parted, only the word before them tells; see uplift.announces_id().';
