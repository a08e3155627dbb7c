-- Numbers: of cards and phones, and addresses of hosts and devices. Phone numbers go by the forms that libphonenumber
-- has for the countries of the world (its national formats, and the codes of countries).
--
-- Where it cannot be told, a number that may be a phone's or a card's goes; dates, times, years, counts, weights and
-- repetitions stay.

create or replace function uplift.is_ipv6(p_candidate text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_address text := regexp_replace(regexp_replace(p_candidate, '[%/].*$', ''), ':\d{1,3}(\.\d{1,3}){3}$', ':0:0');
    v_groups text[] := array_remove(string_to_array(v_address, ':'), '');
begin
    if v_address ~ ':::|::.*::|[0-9a-fA-F]{5}|^:[^:]|[^:]:$' then
        return false;
    end if;
    if strpos(v_address, '::') = 0 then
        return cardinality(v_groups) = 8;
    end if;
    -- Of short ones: neither words (face::cafe) nor times with a colon too many.
    return cardinality(v_groups) <= 7 and (v_address = '::1' or v_address ~ '\d' and v_address ~ '[a-fA-F]|\d{3}' and cardinality(v_groups) >= 2);
end
$$;

comment on function uplift.is_ipv6(text) is 'Whether groups of hexadecimal digits and colons are an IPv6 address, perhaps with a zone or prefix length.';

create or replace function uplift.is_ipv4(p_address text, p_before text, p_after text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_before text[] := uplift.words(p_before);
    v_after text[] := (uplift.words(p_after))[:4];
    v_parts text[] := string_to_array(regexp_replace(p_address, '/.*', ''), '.');
begin
    if exists (select from unnest(v_parts) x where x::int > 255 or x like '0_%')
            -- Versions and chapters have four parts, too.
            or v_before[cardinality(v_before)] = any ('{v,ver,version,vers,release,rev,revision,build,firmware,fw,update,chapter,section,sec,'
            'kapitel,abschnitt,chapitre,capítulo,app,ios,android,watchos,windows,macos,os}')
            or right(rtrim(p_before), 1) = '§' or v_after && '{version,firmware,release,build,update}' then
        return false;
    end if;
    return p_address ~ '\d{3}|^10\.|/' or p_after ~ '^:\d{2,5}\M'
        or exists (select from unnest(v_parts) x where x::int > 29) and p_address ~ '\d\d\.\d\d'
        or (v_before || v_after) && '{ip,ipv4,address,adresse,host,server,router,ping,port,dns,log,logged,login,gateway,net,network,subnet,'
            'proxy,vpn}';
end
$$;

comment on function uplift.is_ipv4(text, text, text) is 'Whether four numbers with points between are an IPv4 address, by themselves and what stands around them.';

create or replace function uplift.cover_network_addresses(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_pattern constant text := '(?<![\w.-])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?:/\d{1,2})?(?![\w-]|\.\d)';
    v_pieces text[];
    v_found text[];
    v_out text[];
    v_address text;
begin
    if v_text !~ '\d\.\d{1,3}\.\d{1,3}\.\d|::|[0-9A-Fa-f][:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:|'
        '[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.|\m[0-9A-F]{12}\M' then
        return v_text;
    end if;
    if v_text ~ '[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.|\m[0-9A-F]{12}\M' then
        v_text := uplift.cover(v_text, '(?<![[:alnum:]:-])()((?![\d:-]{17})(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|'
            '(?![\d:-]{17})(?:[0-9a-f]{2}-){5}[0-9a-f]{2}'
            || '|(?![\d.]{14})[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![[:alnum:]:-])', 'mac', 'gi');
        v_text := uplift.cover(v_text, '(\m(?:mac|bluetooth|hardware|device|wi-?fi|wlan)\M[^\n.]{0,20}?)(\m(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\M|'
            '\m(?:[0-9a-f]{2}-){5}[0-9a-f]{2}\M|\m[0-9a-f]{12}\M)', 'mac', 'gi');
    end if;
    if strpos(v_text, '::') > 0 or v_text like '%:%:%:%:%:%:%:%' then
        for v_address in
            select distinct m[1] from regexp_matches(v_text,
                '(?<![[:alnum:]:.])([0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?:%\w{1,15})?(?:/\d{1,3})?)(?![[:alnum:]:])', 'gi') m
        loop
            if uplift.is_ipv6(v_address) then
                v_text := replace(v_text, v_address, uplift.covered(v_address, 'ip'));
            end if;
        end loop;
    end if;
    if v_text like '%.%.%.%' then
        v_pieces := regexp_split_to_array(v_text, v_pattern);
        v_found := array(select m[1] from regexp_matches(v_text, v_pattern, 'g') m);
        v_out := v_pieces[1:1];
        for v_n in 1 .. cardinality(v_found) loop
            v_out := v_out || case when uplift.is_ipv4(v_found[v_n], uplift.before(v_pieces[v_n], 40), uplift.after(v_pieces[v_n + 1], 40))
                then uplift.covered(v_found[v_n], 'ip') else v_found[v_n] end || v_pieces[v_n + 1];
        end loop;
        v_text := array_to_string(v_out, '');
    end if;
    return v_text;
end
$$;

comment on function uplift.cover_network_addresses(text) is 'Text with IPv4, IPv6 and MAC addresses covered.';

create or replace function uplift.is_card_number(p_candidate text) returns boolean
language sql immutable parallel safe
as $$
    -- The first digits of the networks, with the lengths and groups they print; ISO/IEC 7812.
    select translate(p_candidate, '0123456789._,/-', '9999999999     ') = any ('{9999 9999 9999 9999,9999999999999999,9999 999999 99999,'
        '999999999999999,9999 999999 9999,99999999999999,9999999999999,999999999999999999,9999999999999999999,9999 9999 9999 9999 999,'
            '999999999999,9999 9999 9999,9999 9999 9999 9}')
        and (p_candidate not like '____ ____ ____' and p_candidate not like '____.____.____')
        and x.digits ~ ('^(?:4\d{12}(?:\d{3}){0,2}|5[0-8]\d{14}|5[0678]\d{10,17}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|3[47]\d{13}|'
            '3(?:0[0-59]|[689]\d)\d{11,16}|35\d{14}|6\d{11,18}|220[0-4]\d{12,15}|81\d{14,17}|9792\d{12})$')
        and uplift.passes_luhn(x.digits)
    from (select translate(p_candidate, ' ._,/-', '') as digits) x
$$;

comment on function uplift.is_card_number(text) is 'Whether digits, together or in the groups that are printed on cards, are a card''s number: of a known network, with a right check digit.';

create or replace function uplift.cover_cards(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '(?<![[:alnum:].,+])(?:\d{4}[ ._,/-]\d{6}[ ._,/-]\d{4,5}|'
        '(?:\d{4} )?\d{4}[ ._,/-]\d{4}[ ._,/-]\d{4}[ ._,/-]\d{1,4}(?:[ -]\d{3})?|\d{4}-\d{4}-\d{4}|\d{12,19})(?!\d|[.,]\d|[A-Za-z])';
    v_pieces text[] := regexp_split_to_array(p_text, v_pattern);
    v_found text[] := array(select m[1] from regexp_matches(p_text, v_pattern, 'g') m);
    v_out text[] := v_pieces[1:1];
    v_before text[];
    v_after text[];
    v_number text;
begin
    for v_n in 1 .. cardinality(v_found) loop
        v_before := uplift.words(uplift.before(v_pieces[v_n], 40));
        v_after := uplift.words(uplift.after(v_pieces[v_n + 1], 40));
        v_number := v_found[v_n];
        if length(v_number) = 24 and not uplift.is_card_number(left(v_number, 19)) then
            v_number := substr(v_number, 6); -- another number before it
        end if;
        v_out := v_out || left(v_found[v_n], length(v_found[v_n]) - length(v_number)) || case
            when uplift.is_card_number(v_number)
                    and not v_before[cardinality(v_before) - 2:] || v_after[:4] && '{step,steps,schritte,pas,pasos,passi,stappen,kroków,kcal,'
                    'calories,kj}'
                    and not v_before[cardinality(v_before) - 3:] && '{ean,gtin,upc,barcode,strichcode,isbn,sku,parcel,paket,tracking,sendung}'
                -- One that is called a card's may be mistyped.
                or length(translate(v_number, ' ._,/-', '')) = 16
                    and v_before || v_after && '{credit,debit,kreditkarte,visa,mastercard,amex,card,carte,tarjeta,carta,cartão,kartennummer,cvv,cvc}'
            then uplift.covered(v_number, 'card') else v_number end || v_pieces[v_n + 1];
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_cards(text) is 'Text with card numbers covered.';

create or replace function uplift.is_phone_number(p_candidate text, p_is_announced boolean) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_groups text[] := array_remove(string_to_array(translate(p_candidate, ' ./()+', '------'), '-'), '');
    v_digits text := array_to_string(v_groups, '');
    v_count int := length(v_digits);
    -- Groups with one hyphen between, whatever there was: 555-234-5678.
    v_form text := array_to_string(v_groups, '-');
    v_longest int := (select max(length(g)) from unnest(v_groups) g);
    -- All in fives, as weights, macros and distances are.
    v_is_round boolean := (select count(*) > 2 and bool_and(right(g, 1) in ('0', '5')) or count(*) = 2 and bool_and(right(g, 1) = '0') from unnest(v_groups) g);
begin
    if ltrim(p_candidate, '(') like '+%' or v_digits like '00%' then
        -- The codes of countries, and the length that their numbers have.
        return v_digits ~ ('^(?:00)?(?:1[2-9]\d{9,13}|7\d{10}|(?:2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])\d{7,14}'
                || '|(?:2[1-689]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[0578]\d|9[679]\d)\d{5,13})$')
            and v_digits not like '%000000' and not (v_is_round and v_longest = 2);
    end if;
    -- Dates, decimals, times (08.30-16.30, 0830-1630), years.
    if v_count not between 6 and 15 or v_form like '%00000' or p_candidate like '%.%' and v_form like '%-%' and not p_is_announced and cardinality(v_groups) = 2 and strpos(p_candidate, ' ') = 0
            or p_candidate ~ ('(?:^|\D)(?:\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d)(?:\D|$)'
                || '|^(?:[01]?\d|2[0-3])\.[0-5]\d(?:\D+(?:[01]?\d|2[0-3])\.[0-5]\d)+$|^(?:(?:[01]\d|2[0-3])[0-5]\d\D+)+(?:[01]\d|2[0-3])[0-5]\d$|'
                '^(?:\d\d?\D+)?(?:(?:19|20)\d\d\D+)+(?:19|20)\d\d$') then
        return false;
    end if;
    if left(v_digits, 1) = '0' then
        -- With a trunk prefix: 030/1234567, 020 7946 0958, 06 12 34 56 78. Repetitions and days are in twos.
        return (v_count between 9 and 12 or v_count = 8 and (p_is_announced or cardinality(v_groups) > 1) or v_count > 12 and v_digits like '011%')
            and (v_longest > 2 or (v_count = 10 and cardinality(v_groups) = 5 or p_is_announced) and not uplift.is_series(v_groups))
            and not (v_is_round and v_longest <= 4 and not p_is_announced);
    end if;
    return case
        -- North America, 555-234-5678 and 1-555-234-5678; without a trunk prefix, in forms that nothing else has: China, India,
        -- Spain, Poland, Mexico, Brazil, Italy, Colombia, Russia, Chile.
        when v_form ~ ('^(?:(?:1-)?[2-9]\d\d-\d{3}-\d{4}|[6-9]\d{4}-\d{5}|[5-9]\d\d-\d\d-\d\d-\d\d|[1-9]\d-\d{3}-\d\d-\d\d|'
            '[1-9]\d-(?:15-)?9?\d{4}-\d{4}|3\d\d-\d{6,7}'
                || '|1?[2-9]\d\d-?[2-9]\d{6}|8-[34789]\d\d-?\d{3}-?\d\d-?\d\d|89\d{9}|1[3-9]\d-\d{4}-\d{4}|1[3-9]\d{9}|[6-9]\d{9}|3\d{9}|'
                '9-\d{4}-\d{4})$')
            then p_is_announced or not v_is_round and v_form not like '%0000'
        -- Parentheses around an area code: (11) 96123-4567, (601) 2345678.
        when p_candidate like '(%)%' and v_count >= 8 and v_longest >= 3 and length(v_groups[1]) <= 5 then true
        else p_is_announced and not uplift.is_series(v_groups) end;
end
$$;

comment on function uplift.is_phone_number(text, boolean) is
    'Whether digits with separators are a phone number by their form: international (+ or 00), with a trunk prefix 0, North American, or as other countries write theirs. One that words announce may have any form. Dates, times, years, series and round numbers are none.';

create or replace function uplift.is_series(p_groups text[]) returns boolean
language sql immutable parallel safe
as $$
    select cardinality(p_groups) > 3 and count(distinct x.step) = 1 and max(abs(x.step)) <= 20
    from (select g::bigint - lag(g::bigint) over (order by n) as step from unnest(p_groups) with ordinality u(g, n)) x
$$;

comment on function uplift.is_series(text[]) is 'Whether numbers, four at least, go up or down by the same few each, as sets and intervals do.';

create or replace function uplift.announces_phone(p_before text, p_words text[], p_next text) returns boolean
language sql immutable parallel safe
as $$
    select (p_words && ('{tel,telephone,telefone,telefoon,tlf,tfno,phone,phones,ph,mobile,mob,cell,cellphone,whatsapp,wapp,whats,zap,fax,sms,viber,'
        'telegram,signal,hp,dial,handy,festnetz,telefonnummer,telefonnr,handynummer,nummer,number,'
            'numéro,numero,número,numer,numărul,számom,teléfono,téléphone,telefono,telemóvel,móvil,movil,celular,cel,fono,fijo,portable,fixe,'
            'cellulare,fisso,mobiel,komórka,mobil,mobilen,puhelin,cep,telefon,telefonum,gsm,thoại,telepon,contact,kontakt,'
            'call,text,ring,reach,llama,llámame,llamame,ligue,liga,appelle,chiama,chiamami,zadzwoń,dzwoń,bel,zavolej,gọi,hubungi,ruf,rufe,rufen,'
            'erreichst,erreichbar,τηλ,τηλέφωνο,κινητό,тел,телефон,моб,номер,звони,позвони,звоните,'
            'هاتف,هاتفي,جوال,جوالي,رقم,رقمي,اتصل,موبايل,טלפון,נייד,फोन,फ़ोन,मोबाइल,नंबर,โทร,เบอร์}')::text[]
            or p_before like any ('{%電話%,%电话%,%手机%,%号码%,%號碼%,%携帯%,%番号%,%전화%,%번호%,%휴대폰%,%โทร%,%เบอร์%}'))
        -- A word right after it is what is counted, unless it goes on with the sentence; so is what is counted before it.
        and (p_next is null or p_next = any ('{and,or,if,when,after,before,until,from,on,at,in,to,for,but,is,pls,please,works,any,anytime,all,ask,'
            'only,thanks,thx,mate,so,as,now,today,tonight,tomorrow,x,und,oder,ab,nach,bis,von,am,im,wenn,bitte,ist,'
            'falls,et,ou,après,avant,si,est,svp,merci,y,o,e,en,por,después,antes,para,es,gracias,dopo,prima,grazie,a,of,na,voor,tot,maar,efter,lub,'
            'czy,и,или,после,bhai,par,sa,nhé,cuando,quando,quand,wanneer,depois,later,luego,mañana,demain,domani,amanhã,morgen,heute,hoy,oggi,hoje,'
            'esta,this,between,entre,zwischen,with,con,avec,mit,jutro,danke,tack,takk,tak,спасибо,while,ok,okay,then,dann,luego,d,des}'))
        and not p_words && '{steps,users,calories,people,reps,views,likes,kcal,schritte,pasos,copies,rows,followers,members,infinity}'
$$;

comment on function uplift.announces_phone(text, text[], text) is
    'Whether the words before a number say that it is a phone''s, in one of some twenty languages, and the word after it does not say what is counted.';

create or replace function uplift.is_counted(p_before text, p_words text[], p_next text, p_after text) returns boolean
language sql immutable parallel safe
as $$
    select coalesce(p_next, '') = any ('{step,steps,schritte,pas,pasos,passi,stappen,kroków,steg,шагов,kcal,cal,cals,calories,kalorien,kj,kg,g,mg,'
        'µg,iu,lb,lbs,oz,km,m,mi,miles,meter,meters,metres,cm,mm,rep,reps,set,sets,photo,photos,foto,fotos,people,user,users,'
            'view,views,likes,euro,euros,dollar,dollars,eur,usd,bpm,hz,khz,mhz,watt,watts,w,min,minutes,sec,seconds,hour,hours,day,days,year,years,'
            'times,rows,points,bytes,kb,mb,gb,per}')
        or left(ltrim(p_after), 1) = any ('{%,°,€,$,£,¥,₹}') or right(rtrim(p_before), 1) = any ('{$,€,£,¥,₹,#}')
        -- The number of an order, a book or a parcel.
        or (select x.word from unnest(p_words) with ordinality x(word, n) where x.word <> all ('{number,nummer,no,nr,n,id,code,is,was,ist,es,est,'
            'my,the,mein,meine}') order by x.n desc limit 1)
            = any ('{order,invoice,ticket,ref,reference,isbn,issn,tracking,booking,bestellung,bestellnummer,rechnung,rechnungsnummer,auftrag,'
            'auftragsnummer,commande,facture,pedido,factura,ordine,fattura,serial,account,konto,kontonummer,kundennummer,customer,'
            'member,membership,mitglied,mitgliedsnummer,item,article,artikel,artikelnummer,sku,ean,upc,gtin,barcode,doi,pmid,bib,row,case,claim,'
            'timestamp,version,lot,batch,seriennummer,model,sendungsnummer,paketnummer}'::text[])
$$;

comment on function uplift.is_counted(text, text[], text, text) is 'Whether what stands around a number makes it an amount, or the number of an order, a book or a parcel.';

create or replace function uplift.announces_id(p_before text, p_words text[]) returns boolean
language sql immutable parallel safe
as $$
    select p_words && ('{ssn,itin,social,sozialversicherungsnummer,rentenversicherungsnummer,versicherungsnummer,steuernummer,'
        'steueridentifikationsnummer,steuer,svnr,ahv,avs,insurance,nhs,personnummer,fødselsnummer,fodselsnummer,cpr,henkilötunnus,hetu,'
            'pesel,bsn,burgerservicenummer,rijksregisternummer,rijksregister,insee,sécu,sécurité,curp,cuit,cuil,cpf,cnpj,fiscale,oib,jmbg,egn,егн,'
            'αμκα,ppsn,aadhaar,aadhar,nric,hkid,kimlik,снилс,инн,паспорт,זהות,tfn,medicare,'
            'passport,reisepass,reisepassnummer,personalausweis,ausweisnummer,ausweis,passeport,pasaporte,passaporto,passaporte,license,licence,'
            'führerschein,führerscheinnummer,permis,isikukood,rodné}')::text[]
        or string_to_array(translate(right(p_before, 16), ':.,#-(', '      '), ' ') && '{SIN,PAN,RUT,NIR,TIN,NIN,ID,NIE,DNI,NIF,CNP,'
            'PPS,SV}' -- words, too, in small letters
        or lower(p_before) like any ('{%身份证%,%身分證%,%주민%,%マイナンバー%,%個人番号%,%tax file number%,%ni number%,%tax id%,%id number%,%id card%}')
$$;

comment on function uplift.announces_id(text, text[]) is 'Whether the words before a number say that it is an identity number, of a passport, a licence, a tax office, an insurance.';

create or replace function uplift.cover_number(p_run text, p_before text, p_after text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_shape text := translate(p_run, '0123456789', '9999999999');
    v_char text := right(p_before, 1);
    v_previous text := left(right(p_before, 2), 1);
    v_after text := translate(left(p_after, 4), '0123456789', '9999999999');
    v_words text[];
    v_code int;
    v_next text;
    v_is_international boolean := ltrim(p_run, '(') like '+%' or p_run like '00%';
    v_is_announced boolean;
    v_is_counted boolean;
    v_is_diet boolean; -- or of training
    v_parts text[];
    v_between text;
begin
    if v_shape = any ('{9999-99-99,99.99.9999,99/99/9999,9999/99/99,9.9.9999,9.99.9999,99.9.9999,9999.99.99,9/9/9999,9/99/9999,'
        '99/9/9999}') or length(p_run) > 100
            -- A part of something longer.
            or lower(v_char) <> upper(v_char) or v_char = any ('{_,$,€,£,¥,#}') or v_char in (':', ',') and v_previous between '0' and '9' collate "C" or v_char = '.' and v_previous in (' ', '.')
            or v_char in ('-', '/') and (v_previous between '0' and '9' collate "C" or lower(v_previous) <> upper(v_previous))
            or (lower(left(p_after, 1)) <> upper(left(p_after, 1)) or v_after like any ('{\\_%,:99%,.9%,",9%"}') and v_after not like ',999') and strpos(p_run, 'x') = 0 then
        return p_run;
    end if;
    if left(p_run, 1) = '(' and strpos(p_run, ')') = 0 then -- a parenthesis around more than the area code
        return '(' || uplift.cover_number(substr(p_run, 2), p_before, p_after);
    end if;
    v_parts := string_to_array(translate(p_before, e'!?;', e'\n\n\n'), e'\n');
    v_words := uplift.words(coalesce(v_parts[cardinality(v_parts)], ''));
    v_code := greatest(ascii(ltrim(p_after)), 32);
    if v_code = 57345 then
        v_next := 'something';
    elsif v_code between 1424 and 3583 or lower(chr(v_code)) <> upper(chr(v_code)) then -- where words are parted by blanks
        v_next := (uplift.words(p_after))[1];
    end if;
    v_is_counted := coalesce(uplift.is_counted(p_before, v_words, v_next, p_after), false);
    v_parts := string_to_array(replace(replace(p_before, e'\n', '. '), '; ', '. '), '. ');
    v_is_diet := uplift.words(coalesce(v_parts[cardinality(v_parts)], '') || ' ' || split_part(p_after, '. ', 1)) &&
        '{macro,macros,makros,protein,carb,carbs,fat,kcal,calories,steps,schritte,pasos,rep,reps,set,sets,wiederholungen,répétitions,series,'
            'weights,splits,watt,watts,bpm}';
    if v_is_counted and strpos(p_run, ' ') > 0 and length(p_run) > 9 and v_next is not null then -- the last group alone
        v_parts := regexp_match(p_run, '^(.*\d)( +\d{1,4})$');
        return case when left(v_parts[1], 1) = any ('{0,+,(}') or v_parts[1] ~ '\d{4}' then uplift.cover_number(v_parts[1], p_before, v_parts[2]) || v_parts[2] else p_run end;
    end if;
    if uplift.is_national_id(p_run, v_shape) and not (v_is_diet and v_shape = '999-99-9999') or not v_is_counted and length(translate(v_shape, ' ./()+-', '')) > 6 and uplift.announces_id(p_before, v_words[cardinality(v_words) - 5:]) then
        return uplift.covered(p_run, 'id');
    end if;
    -- Somebody who says nothing else than a number of eight digits or more was asked for it.
    v_is_announced := not v_is_international and not v_is_counted and (uplift.announces_phone(p_before, v_words, v_next)
        or p_before ~ '^\s*$' and p_after ~ '^[\s.!]*$' and length(translate(v_shape, ' ./()-', '')) > 7);
    -- Thousands have the form of short numbers.
    v_is_announced := v_is_announced and (v_shape <> all ('{999 999,999.999}') or v_words[cardinality(v_words) - 2:] &&
        '{tel,telefon,telephone,phone,téléphone,teléfono,telefono,telefone,telefoon,handy,mobil,mobile,fax,nummer,number,numéro,número,numero}');
    if (v_is_international or not v_is_counted)
            and (v_is_international or v_is_announced or left(p_run, 1) = any ('{0,(}') or not v_is_diet)
            and uplift.is_phone_number(case when strpos(p_run, 'x') > 0 then split_part(split_part(p_run, 'x', 1), 'e', 1) else p_run end, v_is_announced) then
        return uplift.covered(p_run, 'phone');
    end if;
    -- Two numbers with a stroke or dash between, or another number before or after it.
    foreach v_between in array array[' / ', ' - ', '  '] loop
        if strpos(p_run, v_between) > 0 and length(p_run) > 14 then
            return uplift.cover_number(split_part(p_run, v_between, 1), p_before, substr(p_run, strpos(p_run, v_between))) || v_between
                || uplift.cover_number(substr(p_run, strpos(p_run, v_between) + length(v_between)), p_before, p_after);
        end if;
    end loop;
    if v_shape not like '% %' or length(p_run) < 10 then
        return p_run;
    end if;
    v_parts := regexp_match(p_run, '^(.* )([+(]?[+0]\d.*)$');
    if length(v_parts[2]) > 8 then
        return uplift.cover_number(rtrim(v_parts[1]), p_before, ' ' || v_parts[2]) || right(v_parts[1], length(v_parts[1]) - length(rtrim(v_parts[1])))
            || uplift.cover_number(v_parts[2], right(p_before || v_parts[1], 60), p_after);
    end if;
    v_parts := regexp_match(p_run, '^([+(]{0,2}.*\d)( +\d{1,4})$');
    if left(v_parts[1], 1) = any ('{0,+,(}') or v_parts[1] ~ '\d{4}' then
        return uplift.cover_number(v_parts[1], p_before, v_parts[2]) || v_parts[2];
    end if;
    return p_run;
end
$$;

comment on function uplift.cover_number(text, text, text) is
    'A run of digits and separators, with what in it is a phone number or identity number covered; by its form, and by what stands before and after it.';

create or replace function uplift.cover_numbers(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '[+(]{0,2}\d(?:(?: {0,2}|\.| ?[/-] ?| ?\(|\) ?[/-]? ?)\d){5,}(?:,? ?(?:x|ext\.?|extension) ?\d{1,5}\M)?';
    v_text text := p_text;
    v_pieces text[];
    v_runs text[];
    v_before text;
    v_out text[];
begin
    if v_text !~ '\d(?:[ ._,/()-]{0,3}\d){5}' then
        return v_text;
    end if;
    if v_text ~ '\d(?:[ ._,/-]?\d){11}' then
        v_text := uplift.cover_cards(v_text);
    end if;
    v_pieces := regexp_split_to_array(v_text, v_pattern);
    v_runs := array(select m[1] from regexp_matches(v_text, v_pattern, 'g') m);
    v_out := v_pieces[1:1];
    v_before := uplift.before(v_pieces[1], 60);
    for v_n in 1 .. cardinality(v_runs) loop
        v_runs[v_n] := uplift.cover_number(v_runs[v_n], v_before, uplift.after(v_pieces[v_n + 1], 40));
        v_out := v_out || v_runs[v_n] || v_pieces[v_n + 1];
        v_before := uplift.before(v_before || v_runs[v_n] || v_pieces[v_n + 1], 60);
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_numbers(text) is 'Text with card numbers, phone numbers and identity numbers without letters covered.';
