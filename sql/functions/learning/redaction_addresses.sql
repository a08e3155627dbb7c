-- Street addresses: a street and a number, in the ways that some twenty countries write them. Without a number, a street
-- is no address; and "20 minute street workout" is none either.
--
-- Patterns here find what may be one by its capitals and digits; which words are streets is looked up afterwards.

create or replace function uplift.street_words(p_language text) returns text[]
language sql immutable parallel safe
as $$
    select case p_language
        -- Streets, whatever stands around.
        when 'english' then ('{street,st,road,rd,avenue,ave,lane,ln,drive,dr,boulevard,blvd,court,ct,place,pl,terrace,crescent,cres,close,gardens,'
            'gdns,grove,parade,parkway,pkwy,'
            'highway,hwy,circle,cir,mews,alley,turnpike,loop,square,sq}')::text[]
        -- The United States Postal Service's other words for streets, which are much else, too.
        when 'american' then ('{esplanade,promenade,strand,chase,link,ring,ground,reserve,reach,glade,grange,outlook,boardwalk,byway,'
            'approach,arcade,beach,bend,bluff,bluffs,bottom,branch,bridge,brook,brooks,burg,burgs,bypass,camp,canyon,cape,causeway,center,centers,'
            'circles,circuit,cliff,cliffs,club,'
            'common,corner,corners,course,courts,cove,creek,crest,crossing,crossroad,curve,dale,dam,divide,drives,estate,estates,extension,'
            'extensions,fall,falls,'
            'ferry,field,fields,flat,flats,ford,fords,forest,forge,forges,fork,forks,fort,freeway,garden,gateway,glen,glens,green,greens,groves,'
            'harbor,harbors,'
            'haven,heights,hill,hills,hollow,inlet,island,islands,isle,junction,junctions,key,keys,knoll,knolls,lake,lakes,land,landing,light,'
            'lights,loaf,lock,'
            'locks,lodge,mall,manor,manors,meadow,meadows,mill,mills,mission,motorway,mount,mountain,mountains,neck,orchard,oval,overpass,park,'
            'parks,parkways,pass,'
            'passage,path,pike,pine,pines,plain,plains,plaza,point,points,port,ports,prairie,quay,radial,ramp,ranch,rapid,rapids,rest,ridge,ridges,'
            'rise,river,'
            'roads,route,row,rue,run,shoal,shoals,shore,shores,skyway,spring,springs,spur,spurs,squares,station,stravenue,stream,streets,summit,'
            'throughway,trace,'
            'track,trafficway,trail,tunnel,underpass,union,unions,vale,valley,valleys,viaduct,view,views,village,villages,ville,vista,walk,walks,'
            'way,well,wells,'
            'wharf,yard}')::text[]
        -- Ends of words, as patterns for LIKE.
        when 'germanic' then ('{%straße,%strasse,%str.,%str,%gasse,%weg,%allee,%platz,%ring,%damm,%ufer,%steig,%stieg,%graben,%promenade,%chaussee,'
            '%pfad,%kai,%gässchen,%stiege,'
            '%markt,%straat,%laan,%gracht,%plein,%kade,%singel,%dijk,%dreef,%steeg,%hof,%plantsoen,%boulevard,%baan,%pad,%park,%gatan,%vägen,'
            '%gränd,%torget,%allén,'
            '%stigen,%backen,%gata,%väg,%leden,%gården,%gate,%gaten,%veien,%vei,%vegen,%bakken,%stien,%svingen,%gade,%vej,%allé,%alle,%stræde,'
            '%plads,%torv,%vænge,'
            '%katu,%tie,%kuja,%polku,%raitti,%kaari,%ranta,%väylä,%aukio,%bulevardi,%plassen,%plass,%ekra,%haugen,%tori,%rinne,%linden,'
            '%berg}')::text[]
        -- Before the name: Calle Mayor 12.
        when 'romance' then ('{viaduto,ladeira,vila,viela,vereda,parque,jardim,quadra,loteamento,condomínio,conjunto,fazenda,sítio,chácara,campo,'
            'setor,trecho,colônia,distrito,esplanada,estação,feira,lagoa,morro,núcleo,passarela,pátio,recanto,residencial,trevo,favela,'
            'calle,avda,av,avenida,paseo,pº,plaza,pza,carrera,cra,eje,camino,carretera,ctra,ronda,travesía,travesia,callejón,callejon,pasaje,'
            'pasadizo,glorieta,cuesta,'
            'vial,urbanización,alameda,acceso,cañada,rambla,privada,circuito,calzada,boulevard,diagonal,prolongación,retorno,viaducto,corredor,'
            'continuación,'
            'peatonal,periférico,ampliación,andador,cerrada,carrer,via,viale,v.le,piazza,p.za,piazzale,corso,c.so,largo,vicolo,lungomare,'
            'lungotevere,strada,'
            'contrada,stretto,rotonda,incrocio,borgo,canale,rua,travessa,praça,estrada,rodovia,beco,aleja,ul,ulica,al,os,pl,plac,rue,avenue}')::text[]
    end
$$;

comment on function uplift.street_words(text) is 'Words for streets, in lower case, of the languages that write addresses alike.';

create or replace function uplift.is_english_street(p_words text[], p_before text, p_after text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_last text := rtrim(p_words[cardinality(p_words)], '.,');
    v_first text := lower(rtrim(p_words[1], '.,'));
begin
    if cardinality(p_words) < 2 or v_first = any ('{minute,minutes,min,mins,hour,hours,hr,hrs,day,days,week,weeks,month,months,year,years,mile,'
        'miles,mi,km,kms,k,m,step,steps,star,stars,rep,reps,set,sets,round,rounds,'
            'meter,meters,metre,metres,feet,foot,square,sq,way,ways,point,points,dr,lap,laps,length,lengths,kg,lb,lbs,x,and,or,of,in,on,at,to,is,'
            'block,blocks,time,times,cal,kcal,gram,grams,percent,people,good,best,different,more,new,busy,quiet,lane,a,the more}')
            and p_words[1] <> 'The' then
        return false;
    end if;
    if v_last = lower(v_last) then
        -- As written in haste: only what is hardly anything else.
        return v_last = any ('{street,st,avenue,ave,road,rd,boulevard,blvd}') and cardinality(p_words) <= 3 and v_first <> all ('{main road,road}')
            and p_after !~ '^ (?:race|races|run|runs|workouts?|food|fair|trip|bikes?|rides?|cycling|and|in)\M';
    end if;
    return lower(v_last) = any (uplift.street_words('english')) and left(v_last, 1) <> lower(left(v_last, 1))
            and p_after !~ '^ (?:[Rr]ace|[Rr]un|[Ww]orkouts?|[Ff]itness|[Ff]ood)\M'
        -- The United States Postal Service's other words for streets are much else, too.
        or lower(v_last) = any (uplift.street_words('american')) and left(v_last, 1) <> lower(left(v_last, 1))
            and (p_before ~ '(?:\m(?:at|to|in|is|on|from|live|lives|address)|[:,]) {1,2}$' or p_after ~ '^,? is (?:my|our|the) (?:\w+ )?(?:address|'
            'place|home|house|flat|studio|gym)\M');
end
$$;

comment on function uplift.is_english_street(text[], text, text) is
    'Whether the words after a house''s number are a street: the last is a word for one, the first is not what is counted, and a word that is much else stands where an address is told.';

create or replace function uplift.cover_english_addresses(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '(?<![-./])\m\d{1,5}[A-Za-z]?(?:[-/]\d+[A-Za-z]?)?,? +(?:[A-Z][A-Za-z.''\u2019\u00c0-\u024f-]*|[nsew]|\d+(?:st|nd|'
        'rd|th)|[a-z]+)(?: [A-Z][A-Za-z.''\u2019\u00c0-\u024f-]*| \d+(?:st|nd|rd|th)| [a-z]+){1,4}';
    v_pieces text[] := regexp_split_to_array(p_text, v_pattern);
    v_found text[] := array(select m[1] from regexp_matches(p_text, v_pattern, 'g') m);
    v_out text[] := v_pieces[1:1];
    v_words text[];
    v_street text;
    v_after text;
    v_rest text;
    v_before text;
    v_flat text;
    v_length int;
begin
    for v_n in 1 .. cardinality(v_found) loop
        v_words := string_to_array(substring(v_found[v_n] from '^\d{1,5}[A-Za-z]?(?:[-/]\d+[A-Za-z]?)?,? +([A-Za-z].*|\d+(?:st|nd|rd|th) .*)$'), ' ');
        v_street := null;
        v_flat := substring(v_pieces[v_n] from '\m(?:Flat|Studio|Apt\.?|Apartment|Unit|Suite) #?(?:\w+, )?$');
        v_before := case when v_flat is null then uplift.before(v_pieces[v_n], 30) else 'at ' end;
        for v_last in reverse coalesce(cardinality(v_words), 0) .. 2 loop
            v_street := left(v_found[v_n], length(v_found[v_n]) - length(array_to_string(v_words[v_last + 1:], ' ')) - (v_last < cardinality(v_words))::int);
            v_after := substr(v_found[v_n], length(v_street) + 1) || v_pieces[v_n + 1] || coalesce(v_found[v_n + 1], '');
            exit when uplift.is_english_street(v_words[:v_last], v_before, v_after);
            v_street := null;
        end loop;
        if v_street is null then
            v_out := v_out || (v_found[v_n] || v_pieces[v_n + 1]);
            continue;
        end if;
        -- Where on that street, and in which town.
        v_rest := substring(v_after from '^(?:\.?(?: (?:[NSEW]|NE|NW|SE|SW|North|South|East|West)\M\.?)?(?:,? (?:Apt|Apartment|Unit|Suite|Ste|Flat|'
            'Floor|Room|#)\.? ?#?\w+)?'
            || '(?:,? [A-Z][A-Za-z.''-]+(?: [A-Z][A-Za-z.''-]+)*,? [A-Z]{2,3} \d{4,5}(?:-\d{4})?\M|'
            ',? (?:[A-Z][A-Za-z.''-]+,? )*[A-Z]{1,2}\d[A-Z0-9]? \d[A-Z]{2}\M)?)');
        if v_rest = '.' then
            v_rest := ''; -- of the sentence
        end if;
        if v_flat is not null and right(v_out[cardinality(v_out)], length(v_flat)) = v_flat then
            v_out[cardinality(v_out)] := left(v_out[cardinality(v_out)], -length(v_flat));
            v_street := v_flat || v_street;
        end if;
        v_out := v_out || uplift.covered(v_street || v_rest, 'address');
        -- It may reach into what looked like the next one: Unit 5.
        v_length := length(v_found[v_n]) + length(v_pieces[v_n + 1]) - length(v_street) + coalesce(length(v_flat), 0);
        if length(v_rest) <= v_length then
            v_out := v_out || left(substr(v_after, length(v_rest) + 1), v_length - length(v_rest));
        else
            v_found[v_n + 1] := substr(v_found[v_n + 1], length(v_rest) - v_length + 1);
        end if;
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_english_addresses(text) is 'Text with addresses covered as the United States, Britain and Australia write them.';

create or replace function uplift.cover_germanic_addresses(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '\m(?:(?:[A-Z\u00c0-\u024f][[:alpha:].''-]*|von|van|der|den|de|des|zum|'
        'zur)[ -])*[A-Z\u00c0-\u024f]?[[:alpha:].''-]+ {1,2}\d{1,3}(?: ?[a-zA-Z]\M)?(?: ?[-/] ?\d+[a-z]?\M)?(?!\d|[.,:]\d)';
    v_pieces text[] := regexp_split_to_array(p_text, v_pattern);
    v_found text[] := array(select m[1] from regexp_matches(p_text, v_pattern, 'g') m);
    v_out text[] := v_pieces[1:1];
    v_street text;
    v_way text;
    v_rest text;
begin
    for v_n in 1 .. cardinality(v_found) loop
        v_street := v_found[v_n];
        -- Words before the street's own that only begin a sentence.
        while split_part(translate(v_street, '-', ' '), ' ', 1) = any ('{Ich,Wir,Er,Sie,Es,Und,Oder,Adresse,Mein,Meine,Dein,Der,Die,Das,Den,Dem,'
            'Ein,Eine,Einen,Vom,Bei,Nach,Seit,Bitte,Jetzt,Jeg,Jag,Ik,Op,De,Het,På,Det,Min,Asun,Adres,Lieferung,Wohne,Bor}')
                or split_part(translate(v_street, '-', ' '), ' ', 1) ~ '^[a-z]+$' loop
            v_street := substr(v_street, length(split_part(translate(v_street, '-', ' '), ' ', 1)) + 2);
        end loop;
        v_way := lower(substring(v_street from '([[:alpha:].]+) {1,2}\d'));
        if (v_way like any (uplift.street_words('germanic'))
                    and v_way <> all ('{heimweg,arbeitsweg,hinweg,rückweg,umweg,schulweg,laufweg,parkplatz,sportplatz,spielplatz,studienplatz,'
                    'fußballplatz,tennisplatz,startplatz,sitzplatz,schlafplatz,stellplatz,stehplatz,trainingsplatz,arbeitsplatz,bolzplatz,'
                    'campingplatz,spring,hering,training,monitoring,catering,bring,string,during,partie,sortie,bikepark,alle,during,kilometerstr}')
                    and left(v_street, 1) <> lower(left(v_street, 1))
                    -- By itself it is a rank, a way, a yard.
                    and (v_way <> all ('{weg,platz,ring,park,hof,tie,pad,gate,vei,vej,markt,baan,str,alle,allé,allee,tori,gasse,kai,'
                    'damm}') or v_street ~ '^[A-ZÀ-Þ\u0100-\u024f][[:alpha:].''-]+[ -][[:alpha:]]')
                or v_way = any ('{linden,berg}') and v_street ~ '^(?:Unter|Am|An|Auf|Im|Zum|Zur|Hinter|Vor)[ -]')
                and v_street || left(v_pieces[v_n + 1], 12) !~ '\d ?(?:km|m|min|minuten|minutes|minuter|kg|g|%|x|Uhr|uhr|mal|Mal|Stunden|Runden|'
                'Jahre|Tage|Wochen|von|av|of|tot|til|Schritte|Euro|€|Mann|Leute|sets?|reps?|times?|kcal)\M' then
            v_rest := coalesce(substring(v_pieces[v_n + 1] from '^(?: bis\M| hs\M|(?: [A-Z])? \d+\M|(?: [A-Z])\M(?! [a-z]))?(?:, \d\.? ?(?:tv|th|'
            'mf|sal)\M\.?)?(?:,? (?:[A-Z]{1,2}-)?\d{4,5}(?: [A-Z]{2})? [A-Z\u00c0-\u024f][[:alpha:]-]+(?: (?:am|an der|im|'
            'ob der) [A-Z][[:alpha:]]+)?)?'), '');
            v_out := v_out || (left(v_found[v_n], length(v_found[v_n]) - length(v_street)) || uplift.covered(v_street || v_rest, 'address') || substr(v_pieces[v_n + 1], length(v_rest) + 1));
        else
            v_out := v_out || (v_found[v_n] || v_pieces[v_n + 1]);
        end if;
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_germanic_addresses(text) is 'Text with addresses covered as German, Dutch, Scandinavian and Finnish write them: the street''s kind at its end, and the number after it.';

create or replace function uplift.cover_french_addresses(p_text text) returns text
language sql immutable parallel safe
as $$
    -- 12 rue de la Paix, 75002 Paris
    select uplift.cover(p_text, '()(\m\d{1,4}(?: ?(?:bis|ter|quater|[A-D]))?,? (?:rue|avenue|av\.|boulevard|bd\.?|blvd|place|chemin|allée|impasse|'
        'quai|route|passage|square|sentier|faubourg|villa|cité|rond-point|esplanade|voie) '
        || '(?:(?:de|du|des|de la|la|le|les) |(?:de )?[dl][''’])*[A-ZÀ-Þ][[:alpha:].''’-]*(?:[ -](?:(?:de|du|des|de la|la|le|les) |'
            '(?:de )?[dl][''’])*[A-ZÀ-Þ][[:alpha:].''’-]*)*(?:,? \d{5} [A-ZÀ-Þ][[:alpha:].''’-]*(?:[ -][A-ZÀ-Þ][[:alpha:].''’-]*)*)?)', 'address')
$$;

comment on function uplift.cover_french_addresses(text) is 'Text with addresses covered that begin with a number, as French writes them.';

create or replace function uplift.cover_romance_addresses(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_of constant text := '(?:(?:de|del|de la|de las|de los|da|do|dos|das|dei|della|delle|degli|di|du|des|la|le|les|el|los|las|san|santa|e|y) |'
        '(?:de )?[dl](?:ell)?[''\u2019])*';
    v_name constant text := '[A-ZÀ-Þ\u0100-\u024f][[:alpha:].''\u2019-]*';
    v_pattern text := '(?:\m[[:alpha:].º]+ |[Cc]/ ?)(?:' || v_of || v_name || '[ ,]*)+(?:(?:n[º°.o]?|nº|num\.?|número|No[:.]?|'
        '#)? ?)\d{1,5}(?: ?/ ?\w{1,4}| ?-\d{1,4}| [A-Z]\M(?!/)|[a-zA-Z]\M)?(?!\d|[.,:]\d)';
    v_pieces text[];
    v_found text[];
    v_out text[];
    v_words text[];
    v_first int;
    v_street text;
    v_rest text;
    v_text text := p_text;
begin
    -- Calle Mayor 12, Via Roma 12, Rua Augusta, 100, ul. Marszałkowska 10/5
    v_pieces := regexp_split_to_array(v_text, v_pattern);
    v_found := array(select m[1] from regexp_matches(v_text, v_pattern, 'g') m);
    v_out := v_pieces[1:1];
    for v_n in 1 .. cardinality(v_found) loop
        v_words := string_to_array(v_found[v_n], ' ');
        select min(x.n) into v_first from unnest(v_words) with ordinality x(word, n)
        where lower(x.word) like 'c/%' or x.word = 'C.' or rtrim(lower(x.word), '.') = any (uplift.street_words('romance'));
        v_street := array_to_string(v_words[v_first:], ' ');
        if v_street is null
                or (uplift.words(v_street))[2] = any ('{zoom,whatsapp,strava,skype,teams,telegram,bluetooth,app,instagram,facebook,email,paypal,'
                'usb,garmin,google,apple,youtube,wifi,sms}')
                -- In English, via is no street.
                or v_street like 'via %' and v_first = 1 and right(v_pieces[v_n], 1) = ' ' and right(rtrim(v_pieces[v_n]), 1) not in ('', '.', ',', ':', ';')
                    and coalesce((uplift.words(v_pieces[v_n]))[cardinality(uplift.words(v_pieces[v_n]))], '') <> all ('{abito,abita,vivo,sto,indirizzo,casa,'
                    'spedire,in,a,di,è,la}')
                or v_pieces[v_n + 1] ~ '^ ?(?:km|m|min|minutos|minuti|kg|g|%|x|veces|volte|vezes|horas|ore|fois|times|di|de|dias|días|giorni|'
                'semanas|settimane|anos|años)\M'
                or cardinality(v_words) - v_first < 1 then
            v_out := v_out || (v_found[v_n] || v_pieces[v_n + 1]);
            continue;
        end if;
        v_rest := substring(v_pieces[v_n + 1] from '^(?: ?,? (?:Piso|Puerta|Apto?\.?|Interior|Int\.?|Edif\.|Piano|Appartamento|Depto\.?|Esc\.?|'
            'Bloco|lok\.?|m\.) ?\w{1,5})*(?:, \d{1,2}[º°ª](?: ?[A-Z]\M)?)?(?:,? \d{4,5}(?:-\d{3})? [A-ZÀ-Þ][[:alpha:]-]+)?');
        v_out := v_out || (left(v_found[v_n], length(v_found[v_n]) - length(v_street)) || uplift.covered(v_street || v_rest, 'address') || substr(v_pieces[v_n + 1], length(v_rest) + 1));
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_romance_addresses(text) is 'Text with addresses covered as Spanish, Italian, Portuguese and Polish write them: the street''s kind, its name, the number.';

create or replace function uplift.cover_other_addresses(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_han constant text := '(?:(?![在是到住我的于您你他])[\u4e00-\u9fff])';
begin
    if v_text ~ '[\u0400-\u04ff]' then
        -- ул. Ленина, д. 5, кв. 12; Невский проспект, 28
        v_text := uplift.cover(v_text, '()((?:\m(?:(?:ул|пр|просп|пер|бул|наб|пл|ш|алл)\.|(?:улица|улице|проспект|проспекте|пр-т|переулок|бульвар|'
            'шоссе|набережная|площадь|аллея)) (?:[А-ЯЁ][а-яёА-ЯЁ.-]* ?)+|\m[А-ЯЁ][а-яё-]+(?:ая|ий|ый|ой) (?:улица|проспект|переулок|бульвар)),? ?'
            || '(?:д\.|дом|№)? ?\d{1,4}[а-я]?(?:/\d+)?(?:,? ?(?:к|корп|стр|кв|квартира)\.? ?\d+(?:/\d+)?)*)', 'address');
    end if;
    if v_text ~ '(?:Cad|Sok|Bulv|Mah|Cd\.|Sk\.)' then
        -- Atatürk Caddesi No: 5
        v_text := uplift.cover(v_text, '()((?:[A-ZÇĞİÖŞÜ][[:alpha:]]* )+(?:Caddesi|Cad\.|Cd\.|Sokak|Sokağı|Sok\.|Sk\.|Bulvarı|Bulv\.|Mahallesi|'
            'Mah\.),? ?(?:No ?[:.]? ?)?\d{1,4}(?:/\d{1,4})?(?: ?(?:D|Daire)[:.]? ?\d+)?)', 'address');
    end if;
    if v_text ~ '[\u3040-\u9fff]\d' then
        -- 北京市朝阳区建国路88号
        v_text := uplift.cover(v_text, '()((?:' || v_han || '{2,3}省)?(?:' || v_han || '{2,4}市)?(?:' || v_han || '{1,3}[区县镇])?' || v_han || '{1,6}(?:路|街|大道|巷|胡同|弄|道)\d{1,5}(?:号|弄|號)(?:\d{1,5}(?:室|楼|单元|栋|座))*)', 'address');
        -- 東京都千代田区丸の内1-9-1
        v_text := uplift.cover(v_text, '()([\u4e00-\u9fff\u30a1-\u30f6々ヶ]+(?:都|道|府|県|市|区|町|村|'
            '郡)[\u3041-\u3096\u4e00-\u9fff\u30a1-\u30f6々ヶー]*\d{1,4}(?:(?:丁目|番地?|号|の|-)\d*)*(?:号室)?)', 'address');
    end if;
    if v_text ~ '[로길] ?\d' then
        -- 서울특별시 강남구 테헤란로 152
        v_text := uplift.cover(v_text, '()((?:[\uac00-\ud7af]+(?:특별시|광역시|특별자치시|도|시|군|구) )+[\uac00-\ud7af0-9]+(?:로|'
            '길) ?\d{1,4}(?:-\d{1,4})?)', 'address');
    end if;
    return v_text;
end
$$;

comment on function uplift.cover_other_addresses(text) is 'Text with Russian, Turkish, Japanese, Chinese and Korean addresses covered.';

create or replace function uplift.cover_addresses(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_names text[];
    v_named constant text := '([A-ZÀ-Þ\u0100-\u024f][[:alpha:].''’-]*(?: (?:gate|gata|gatan|vei|väg|katu|tie|'
        'bulevardi))?),? {1,2}(?:[nN#][º°.o:]{0,2} ?)?\d';
begin
    -- A number before words with capitals, or before rue.
    if v_text ~ ('\d[A-Za-z]?,? (?:[A-Z\d][\w.''’-]* [A-Z]|(?:[a-z]+|[nsew]? ?\d+[a-z]+) (?:[a-z]+ )?(?:st|ave|rd|street|avenue|road|blvd|'
        'boulevard)\M|(?:bis|ter|quater)?,? ?'
            || '(?:rue|avenue|av\.|boulevard|bd\.?|blvd|place|chemin|allée|impasse|quai|route|passage|square|sentier|faubourg|villa|cité|'
            'rond-point|esplanade|voie) )|(?:[Bb][Oo][Xx]|[Pp]ostfach|[Pp]ostbus|[Aa]partado|postale?|BP) \d') then
        v_text := uplift.cover_french_addresses(uplift.cover_english_addresses(uplift.cover(v_text,
            '()(\m(?:(?:[Pp]\.? ?[Oo]\.? ?[Bb][Oo][Xx]|[Pp]ostfach|[Pp]ostbus|[Aa]partado(?: de correos)?|[Cc]asella postale|'
            '[Cc]aixa postal) {1,2}\d{1,6}(?: \d\d)?\M|BP \d{2,5},? \d{5} [A-Z][a-z-]+))', 'address')));
    end if;
    -- A number after a word with a capital, which may be a street's name, or end in a word for one.
    if v_text ~ v_named then
        v_names := array(select lower(m[1]) from regexp_matches(v_text, v_named, 'g') m);
        v_names := array(select n from unnest(v_names) n where n <> all ('{day,days,week,weeks,month,set,sets,zone,phase,level,round,rounds,step,'
            'part,chapter,page,top,version,vitamin,omega,stage,session,workout,lap,interval,block,exercise,option,meal,no,rep,reps,'
            'tag,woche,satz,runde,stufe,etappe,teil,jour,semaine,série,étape,día,semana,serie,jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec,'
            'january,february,march,april,june,july,august,september,october,november,december,mo,tu,we,th,fr,sa,su,mon,tue,wed,thu,fri,sat,sun,'
            'monday,tuesday,wednesday,thursday,friday,saturday,sunday,do,run,walk,rest,eat,swim,add,in,at,for,about,from,aim,after,over,under,only,'
            'just,around,every,by,on,sleep,drink,hold,repeat,take,i,try,start,with,to,of,and,or,b,c,d,x}'));
        if v_names <> '{}' and exists (select from unnest(v_names) n where n like any (uplift.street_words('germanic'))) then
            v_text := uplift.cover_germanic_addresses(v_text);
        end if;
        if v_names <> '{}' and (uplift.words(v_text) && uplift.street_words('romance') or v_text like any ('{%C/%,%c/%}')) then
            v_text := uplift.cover_romance_addresses(v_text);
        end if;
    end if;
    if octet_length(v_text) <> length(v_text) and v_text ~ '[\u0400-\u04ff\u3040-\u9fff\uac00-\ud7af] ?,? ?\d|д\.|дом|Cad|Sok|Bulv|Mah|Cd\.|Sk\.' then
        v_text := uplift.cover_other_addresses(v_text);
    end if;
    return v_text;
end
$$;

comment on function uplift.cover_addresses(text) is 'Text with street addresses and post office boxes covered.';
