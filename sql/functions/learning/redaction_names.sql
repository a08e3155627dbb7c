-- Names of a user's profile: found with and without accents, apostrophes and hyphens, whole or in part; and where a name
-- is a word as well, only where it stands as a name.

create or replace function uplift.is_common_word(p_name text) returns boolean
language sql immutable parallel safe
as $$
    -- Given and family names that are words of English, German, French, Spanish, Italian, Dutch or Portuguese that people
    -- say to a coach. What is missing here is found in any case and place.
    select ascii(p_name) < 592 and (length(p_name) <= 2 or p_name = any ('{
        abad,abbey,able,abril,ace,aceto,adler,agua,aimé,alba,alegre,alegría,allegra,allegri,alma,alt,amada,amado,amato,
        amber,amico,amor,amour,and,ange,angel,ángel,ángeles,any,april,arch,archer,are,arena,armor,arrow,arroyo,art,ash,
        aspen,aster,august,aurora,autumn,azul,bach,baker,bakker,ball,banks,barber,barker,bass,bassi,basso,battaglia,
        bauer,baum,bay,beach,bean,bear,beau,bee,bel,bell,bella,belle,bello,bender,bene,bento,berg,bergmann,berry,best,
        bianca,bianchi,bianco,bien,bill,birch,bird,bishop,black,blanc,blanca,blanche,blanco,blaze,bliss,bloem,bloom,
        blue,blume,blunt,boer,bois,bom,bon,bond,bone,bonheur,bonnet,booth,bos,boucher,boulanger,bourgeois,bow,bowman,
        boy,branch,branco,brand,brandy,braun,brave,bravo,breit,bridge,bridges,bright,broek,brook,brooks,brouwer,brown,
        brun,bruna,buck,bud,buddy,buena,bueno,bull,burn,burns,busch,bush,but,butcher,butler,caballero,cabello,cabeza,
        calle,calvo,camino,campo,campos,can,candy,cannon,cano,cara,card,caridad,carneiro,caro,carol,carpenter,carrera,
        carter,casa,casado,casas,case,cash,castillo,cat,chance,chandler,charity,charm,charpentier,chase,che,cherry,
        chevalier,chiara,chiaro,chip,church,cielo,clair,claire,clay,clemente,cliff,clove,clover,coal,coelho,comfort,con,
        concepción,constance,constant,consuelo,conte,conti,cook,cooper,coral,cordero,corona,cortés,costa,cotton,court,
        cousin,coy,crane,cream,crespo,cross,crow,cruz,crystal,cuesta,curry,daisy,dale,das,dash,dawn,day,dean,decker,
        deed,deer,delgado,delight,dem,den,der,des,deschamps,désiré,diamond,dick,did,die,dieu,dijk,do,dolce,doll,dolores,
        don,donna,dores,dos,dove,downs,drake,drew,duke,dulce,earl,early,east,ebony,eichel,ein,elder,else,encarnación,
        engel,ernst,espada,esperanza,espinosa,espoir,est,estrella,étoile,eve,ever,fabbri,fabre,fair,faith,falk,faria,
        farmer,fe,fede,felice,felicidad,fern,ferrer,ferro,field,fields,finch,fink,fiore,fiori,fisch,fish,fisher,fleet,
        fleischer,fleur,flint,flor,flora,flower,flowers,fontaine,for,ford,forest,forêt,förster,fort,forte,fortuna,
        fortune,foster,fox,franc,france,franco,frank,free,freeman,frei,freitag,french,freund,friend,froh,fromm,frost,
        fry,fuchs,fuente,fuentes,gal,gale,gallego,gallo,gans,gar,garden,garland,gast,gates,gatti,gatto,gay,gelato,gem,
        gene,gentile,gentry,ger,gerber,gerste,get,gill,ginger,gioia,giusto,glass,glen,gloria,glory,glück,gold,golden,
        good,grace,grand,grandi,grant,gras,grasso,graves,gray,grazia,greco,green,grey,groen,groot,gros,groß,gross,grün,
        guerra,guerrero,gut,guy,haan,haas,had,hahn,hale,hall,ham,han,handy,happy,hardy,harmony,harp,hart,has,hase,haupt,
        haven,hawk,hay,hays,hazel,heart,heath,heather,heaven,hecht,heide,hell,her,herbst,hermoso,herr,herrero,hert,herz,
        heute,hidalgo,hierro,hill,hills,hirsch,hirte,his,hoch,hoe,hoffnung,holiday,holly,holz,hond,honey,honor,honour,
        hood,hook,hope,horn,house,how,huhn,huis,huisman,hull,hummel,hunt,hunter,hur,hut,ice,igel,iglesias,ihr,ill,
        infante,iris,iron,ivory,ivy,izquierdo,jack,jade,jäger,jardín,jasmine,jasper,jay,jean,jet,jeune,jewel,job,joie,
        jolie,jong,jonge,joy,judge,june,jung,junge,jurado,just,juste,justice,kaiser,kamm,kan,keen,kern,key,kick,kid,
        kind,king,kirsch,kit,kitty,klein,klug,knecht,knight,koch,kohl,kok,könig,koning,korn,kraft,kranich,kranz,kraus,
        krebs,kreuz,krieger,kugel,kühn,kuiper,kuipers,kunst,kurz,lago,lake,lamb,lance,land,lane,lang,lange,lark,las,
        lauf,laurel,laus,law,leaf,leal,leblanc,legrand,leicht,leitão,lemon,lent,león,leone,leroux,leroy,les,let,letizia,
        libertad,liberty,licht,lieb,lief,light,lily,lima,lime,linda,linde,link,lips,little,lobo,lock,long,lord,los,
        lotus,love,low,löwe,loyal,lucky,luna,lune,lupo,lust,luz,machado,macho,mae,maestro,maison,maître,major,mal,maler,
        man,mann,maple,mar,marble,march,marchand,mare,mares,marguerite,marin,marina,marine,marino,mark,marks,markt,
        marsh,mason,mat,mata,matos,maurer,max,may,maya,mayo,meadow,meadows,meer,mehl,meier,meister,mele,melo,melody,men,
        mercier,mercy,merino,merit,merry,mesa,metzger,meunier,michaud,milagros,miles,mills,min,mina,miner,mint,mir,
        misty,molen,mon,mond,monte,montes,monti,moody,moon,mora,morena,moreno,morgen,mori,moro,moss,moulin,mühle,mut,
        nada,nagel,nah,natividad,neri,nero,net,neu,neumann,neves,nice,nick,nieto,nieve,nieves,niño,noble,noël,nogueira,
        noir,noire,non,noon,north,not,nova,now,oak,ocean,ochs,ohm,oliva,olive,olmo,one,onore,onyx,opal,oro,oscuro,our,
        out,pabst,pace,pacífico,page,palma,paloma,palomo,parent,parfait,paris,park,parks,pastor,pat,patience,paw,paz,
        peace,peach,pearl,peck,peer,peg,pelletier,pena,peña,penny,pepper,peppers,per,perla,perle,pet,petit,petite,petty,
        pfeffer,piccolo,piedad,pierre,pilar,pilz,pimenta,pinheiro,pino,pinto,piper,pitt,plaisance,plata,plaza,plum,
        poirier,pomme,pont,poppy,por,porter,posey,post,potter,poulain,power,powers,prado,prata,premier,price,pride,
        priest,prieta,prieto,primo,prince,prins,pro,prudence,prudent,psalm,puente,puerta,pura,put,que,quest,qui,quick,
        quill,quintana,rabe,rad,rain,rama,ran,randy,rau,rauch,raven,ray,real,red,redondo,reed,reef,reich,reina,reine,
        reis,reiter,remedios,renard,rex,rey,riccio,rice,rich,richter,rico,rider,río,ríos,ritter,riva,river,rivers,
        rivière,rob,robin,robles,roca,rocca,rocha,roche,rocío,rocky,rod,roi,rojo,roos,rosa,rosado,rosario,rose,rosemary,
        rossa,rosso,rosy,rot,roth,roux,rowan,roy,royal,rubio,ruby,rueda,ruhe,ruiter,run,rush,rust,sage,sal,sala,salas,
        sales,salud,salvador,salvi,sand,sander,sandy,santa,santi,santo,sauer,sauvage,savage,savanna,savannah,schaf,
        schäfer,schatz,schlosser,schmied,schnell,schön,schreiber,schuster,schwan,schwarz,season,see,sen,serena,serenity,
        sereno,serrano,set,sharp,she,shepherd,shields,short,sie,sierra,silver,silvestri,sin,singer,sit,six,skip,sky,
        slager,slim,small,smart,smith,snow,sol,sola,sole,soledad,soleil,soler,sommer,son,song,sonne,sonntag,sorriso,
        soto,souto,sparks,spears,specht,speranza,spiegel,spring,stahl,star,stark,steel,stein,sterk,sterling,stern,stiel,
        stolz,stone,storch,storm,story,stout,strange,strauß,street,strong,stumpf,sue,suerte,summer,summers,sun,sunday,
        sunny,süß,swan,sweet,swift,tab,tag,tailleur,tan,tanner,temple,ten,testa,thal,the,thorn,tierra,tiger,timber,
        timmerman,tisch,tissier,ton,too,tor,toro,torre,tranquille,traum,treu,trigo,trinity,true,trust,turner,two,und,
        une,unger,use,vale,valente,valentino,valle,vallée,van,vaz,vega,vela,velvet,vento,vera,verde,verdi,verdugo,vert,
        victoire,victory,vida,vie,viento,villa,viña,vink,viola,violet,virtud,virtue,vis,visser,vita,vitale,vitória,
        vogel,vogt,vol,voll,von,vos,vrede,vriend,wade,wald,walker,wall,walls,ward,ware,warner,was,waters,watts,way,
        weaver,weeks,weiß,weise,weiss,wells,wer,west,wheeler,white,who,wie,wild,will,willow,wills,win,wind,wine,winter,
        winters,wirt,wirth,wise,wit,wohl,wolf,wonder,wood,woods,word,wren,wright,wunder,wurst,yard,yes,yet,you,young,
        zand,zee,zeit,zen,ziegler,zimmer,zimmermann,zon,zum,zur,zwart}'::text[]))
$$;

comment on function uplift.is_common_word(text) is
    'Whether a name, in lower case, is a word as well (Will, Mark, Rose, Klein, Luz), or so short that it may be one.';

create or replace function uplift.name_parts(p_names text[]) returns text[]
language plpgsql immutable parallel safe
as $$
begin
    return (
        select array_agg(n.name order by length(n.name) desc, n.name)
        from (
            select g as name from unnest(p_names) g
            union
            -- Lee, Ann
            select substring(g from '\S+$') || ', ' || substring(g from '^(.*\S)\s+\S+$') from unnest(p_names) g where g ~ '\S\s+\S' and strpos(g, ',') = 0
            union
            -- A family name with the small words before it: van den Berg.
            select substring(g from '\s((?:(?:van|von|de|den|der|del|della|di|da|dos|das|la|le|ten|ter|zu|bin|ibn|al|el|Van|Von|De|Del|Di|Da|La|'
                'Le)\s)+\S.*)$') from unnest(p_names) g
            union
            -- Each part of a full name, and of a double one, without titles and the small words between.
            select p from unnest(p_names) g cross join lateral (
                select regexp_split_to_table(g, '[\s,]+') union select regexp_split_to_table(g, '[\s,\u2010-\u2015-]+')) x(p)
            where g ~ '[\s,\u2010-\u2015-]'
                and rtrim(lower(p), '.') <> all ('{van,von,den,der,ter,ten,del,della,dalla,the,and,und,bin,ibn,bint,mr,mrs,ms,miss,dr,prof,sir,jr,sr,'
                'iii,dos,das,des,las,los,vom,zum,zur,san,coach,herr,frau,the,aka}')
                and (length(p) > 2 or p ~ '[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]')) n
        where length(n.name) between 2 and 100);
end
$$;

comment on function uplift.name_parts(text[]) is 'Names, and the parts of those of several words, longest first.';

create or replace function uplift.profile_names(p_user_id uuid) returns text[]
language plpgsql stable
as $$
begin
    return (
        select case
            when count(*) > 1 or max(btrim(t.trait_value)) ~ '[^[:alpha:]]' then uplift.name_parts(array_agg(btrim(regexp_replace(t.trait_value, '\s+', ' ', 'g'))))
            when length(max(btrim(t.trait_value))) between 2 and 100 then array[max(btrim(t.trait_value))] end -- one word
        from public.user_traits t
        where t.user_id = p_user_id and lower(t.trait_key) like '%name' and t.trait_value ~ '\S');
end
$$;

comment on function uplift.profile_names(uuid) is
    'What a user may be called by: traits whose key ends in name (name, preferred_name, full_name, ...), and the parts of those of several words, longest first; null for none.';

create or replace function uplift.name_pattern(p_name text, p_is_ascii boolean) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_name text := normalize(lower(p_name), nfc);
    v_is_parted boolean := not exists (select from string_to_table(p_name, null) x(c) where ascii(c) between 12352 and 55215);
    v_out text := '';
    v_char text;
    v_base text;
    v_next text;
    v_at int := 1;
begin
    while v_at <= length(v_name) loop
        v_char := substr(v_name, v_at, 1);
        v_next := substr(v_name, v_at + 1, 1);
        v_base := left(normalize(v_char, nfd), 1);
        v_at := v_at + 1;
        if v_char in ('a', 'o', 'u') and v_next = 'e' or v_char = 's' and v_next = 's' then
            v_out := v_out || case v_char when 'a' then '(?:ae|[äæ])' when 'o' then '(?:oe|[öøœ])' when 'u' then '(?:ue|ü)' else '(?:ss|ß)' end;
            v_at := v_at + 1;
            continue;
        end if;
        v_out := v_out || case
            when p_is_ascii and v_char between 'a' and 'z' collate "C" then v_char
            -- Letters that others write as two.
            when v_char in ('ä', 'æ') then '(?:[aàáâãäåāăą]\u0308?|ae|æ)'
            when v_char in ('ö', 'ø', 'œ') then '(?:[oòóôõöøōő]\u0308?|oe|[œø])'
            when v_char = 'ü' then '(?:[uùúûüūůűų]\u0308?|ue)'
            when v_char = 'å' then '(?:[aàáâãäåāăą]\u030a?|aa)'
            when v_char = 'ß' then '(?:ss|ß)'
            when v_char = 'þ' then '(?:th|þ)'
            when v_base = 'a' then '[aàáâãäåāăąǎạảấầẩẫậắằẳẵặ][\u0300-\u036f]*'
            when v_base = 'e' then '[eèéêëēĕėęěẹẻẽếềểễệ][\u0300-\u036f]*'
            when v_base in ('i', 'ı') then '[iìíîïĩīįıị][\u0300-\u036f]*'
            when v_base = 'o' then '[oòóôõöøōőơọỏốồổỗộớờởỡợ][\u0300-\u036f]*'
            when v_base = 'u' then '[uùúûüũūůűųưụủứừửữự][\u0300-\u036f]*'
            when v_base = 'y' then '[yýÿỳỵỷỹ][\u0300-\u036f]*'
            when v_base = 'c' then '[cçćĉċč][\u0300-\u036f]*'
            when v_base in ('d', 'ð', 'đ') then '[dďđð]'
            when v_base = 'g' then '[gğģĝġ][\u0300-\u036f]*'
            when v_base in ('l', 'ł') then '[lłľĺļ]'
            when v_base = 'n' then '[nñńňņ][\u0300-\u036f]*'
            when v_base = 'r' then '[rŕřŗ][\u0300-\u036f]*'
            when v_base = 's' then '[sśšşșŝ][\u0300-\u036f]*'
            when v_base = 't' then '[tťţț][\u0300-\u036f]*'
            when v_base = 'z' then '[zźžż][\u0300-\u036f]*'
            when v_base = 'α' then '[αά]' when v_base = 'ε' then '[εέ]' when v_base = 'η' then '[ηή]' when v_base = 'ι' then '[ιίϊΐ]'
            when v_base = 'ο' then '[οό]' when v_base = 'υ' then '[υύϋΰ]' when v_base = 'ω' then '[ωώ]' when v_base in ('σ', 'ς') then '[σς]'
            when v_base = 'е' then '[её]' -- Cyrillic
            when strpos('''`´‘’‛ʼ′', v_char) > 0 then '[''`´‘’‛ʼ′ ]?'
            when strpos('-‐‑‒–—―', v_char) > 0 then '[\s‐‑‒–—―-]*'
            when v_char in (' ', e'\t', e'\n') then '[\s‐‑‒–—―-]' || case when v_is_parted then '+' else '*' end
            when ascii(v_char) > 127 or v_char between 'a' and 'z' collate "C" or v_char between '0' and '9' collate "C" then v_char
            else '\' || v_char
        end;
    end loop;
    return v_out;
end
$$;

comment on function uplift.name_pattern(text, boolean) is
    'A pattern of the ways a name is written: with and without accents, ä as ae, apostrophes and hyphens of any kind or none. To be matched in lower case, or without regard to it. Shorter for a text that has ASCII characters alone.';

create or replace function uplift.name_endings(p_name text) returns text
language sql immutable parallel safe
as $$
    select case
        when strpos('аяАЯ', right(p_name, 1)) > 0 then '(?:[аяыиеуюАЯЫИЕУЮ]|[оеОЕ][йюЙЮ])' -- Анна, Анны, Анне, Анну, Анной
        when strpos('йьЙЬ', right(p_name, 1)) > 0 then '(?:[йьяюеиЙЬЯЮЕИ]|[еЕ][мМ])'
        when ascii(right(p_name, 1)) between 1024 and 1279 then '(?:[ауеыиАУЕЫИ]|[оеыОЕЫ][мМ]|[оО][йЙ])?'
        when length(p_name) > 2 and strpos('sxz', right(p_name, 1)) = 0 and lower(right(p_name, 1)) <> upper(right(p_name, 1)) and not uplift.is_common_word(lower(p_name)) then 's?' -- Annas Plan
        else '' end
$$;

comment on function uplift.name_endings(text) is 'The endings that a name may take: Russian cases, and the German genitive.';

create or replace function uplift.stands_as_name(p_found text, p_before text, p_after text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_is_capital boolean := left(p_found, 1) <> lower(left(p_found, 1));
    v_is_month boolean := lower(p_found) = any ('{january,february,march,april,may,june,july,august,summer,winter,autumn,spring,sunday,sommer,'
        'herbst,mayo,abril,morgen,sonntag,freitag,noël,easter}');
    v_shouts boolean := length(p_found) > 1 and v_is_capital and p_found = upper(p_found);
    v_ends boolean := p_after ~ '^\s*(?:[,.!?;:…)*"”]|$|\n|-\s)';
    v_begins boolean := p_before ~ '(?:^|[.!?…:;\n"„“(>-])\s*$';
    -- The words before in the same sentence, the last ones as they are joined; and the words after.
    v_words text[] := uplift.words(regexp_replace(replace(p_before, '’', ''''), '^.*(?:[!?\n;]|[[:alnum:]]{4}\.)', ''));
    v_count int := cardinality(v_words);
    v_last text := coalesce(v_words[v_count], '');
    v_two text := coalesce(v_words[v_count - 1] || ' ', '') || v_last;
    v_three text := coalesce(v_words[v_count - 2] || ' ', '') || v_two;
    v_next text := coalesce((uplift.words(p_after))[1], '');
    -- What is between the last word and this one.
    v_gap text := coalesce(substring(p_before from '[^[:alnum:]]*$'), '');
begin
    -- Who somebody says to be, and mentions.
    if v_two = any ('{name is,name s,i called,im called,am called,m called,is called,ich heiße,ich heisse,me llamo,mi chiamo,me chamo,ik heet,'
        'nazywam się,na imię,jag heter}')
            or v_three = any ('{my name is,mein name ist,je m appelle,mi nombre es,meu nome é}') or v_last = 'name' and strpos(v_gap, ':') > 0
            or right(v_gap, 1) = '@' then
        return v_is_capital or v_ends;
    end if;
    -- Hello, thanks and well done.
    if v_gap ~ '^[,!]?\s+["''*_]?$' then
        if v_last = any ('{hi,hello,hey,hiya,dear,thanks,thank,hallo,hola,ciao,salut,bonjour,bonsoir,merci,danke,gracias,grazie,morning,welcome,'
            'liebe,lieber,cher,chère,hej,hei,hoi,moin,servus,cheers,querida,querido,cara,caro,buongiorno,cześć,olá,oi,tack,'
                'bedankt,ok,okay,thx,yo,howdy,afternoon,tag,bravo,congrats,sorry}')
                or v_three = any ('{thanks so much,thanks a lot,thank you coach}') or v_two = any ('{thanks again,so much,very much,thank you,'
                'well done,good morning,good evening,good night,guten morgen,guten tag,guten abend,gute nacht,'
                'buenos días,buenas tardes,buenas noches,dank je}') then
            return v_ends and (v_is_capital or v_last = any ('{hi,hello,hey,thanks,hallo,hola,ciao,salut,danke,merci,gracias,dear,'
            'morning}')) and (not v_is_month or v_is_capital)
                or v_is_capital and not v_shouts and p_after like ' %'
                    and v_next <> all ('{i,you,we,he,she,they,it,this,that,there,your,the,my,a,an,is,be,have}');
        end if;
        if v_is_capital and v_ends and not v_is_month and (v_last = any ('{great,nice,perfect,awesome,please,yes,no,yep,yeah,sure,oh,so,go,night,'
            'evening,bye,goodbye,super,klasse,job,work,luck,going,one,up,you,on,obrigado,obrigada,effort,session,run,back,question}')
                and (v_count <= 4 or v_last = any ('{you,please}'))) then
            return v_last not in ('so', 'on', 'up', 'run', 'one', 'no') or v_count <= 3 and v_gap !~ '^ $' or v_two = any ('{keep going,come on,keep up,it up}');
        end if;
    end if;
    if v_two = any ('{call me,call him,call her}') or v_two = 'm called' or v_three = 'friends call me' or v_two = 'called me' then
        return v_is_capital and v_ends or v_is_capital and v_next = any ('{and,or,please,from}');
    end if;
    if not v_is_capital then
        return false;
    end if;
    if v_gap ~ '^[.,]? $' and (v_last = any ('{mr,mrs,ms,miss,dr,prof,sir,lady,lord,herr,herrn,frau,señor,señora,sr,sra,monsieur,madame,mme,signor,'
        'signora,sig,coach,trainer,uncle,aunt,auntie,onkel,tante,tío,tía,doctor,familie,opa,oma,grandma,grandpa}')
            or v_words[v_count - 1] = any ('{my,our,your,his,her,their,mein,meine,meinem,meiner,meinen,mon,ma,mi,mio,mia,meu,minha,mijn,min,'
            'best}') and v_last = any ('{husband,wife,son,daughter,friend,brother,sister,dad,mum,mom,mother,father,partner,boss,dog,cat,'
                'buddy,girlfriend,boyfriend,fiancé,fiancée,cousin,neighbor,neighbour,colleague,flatmate,roommate,twin,baby,kid,mann,sohn,tochter,'
                'freund,freundin,bruder,schwester,mari,femme,fils,fille,ami,amie,frère,sœur,marido,mujer,esposa,hijo,hija,'
                'amigo,amiga,hermano,hermana,figlio,figlia,amico,amica,filho,filha,man,vrouw,zoon,dochter,vriend}')) then
        return true;
    end if;
    -- "Herr von Berg": the small words of the name.
    if v_last = any ('{van,von,de,den,der,del,della,di,da,dos,la,le,ten,ter,zu}') and v_words && '{mr,mrs,ms,dr,herr,frau,señor,señora,meneer,'
        'mevrouw,monsieur,madame,signor,signora}' then
        return true;
    end if;
    -- I am, this is.
    if v_gap ~ '^\s$' and not v_shouts and (v_last = any ('{im,soy,sono,sou,hier}') or v_two = any ('{i m,i am,this is,it s,it is,ich bin,hier ist,'
        'hier spricht,je suis,c est,ik ben,jag är}'))
            and not (v_is_month and v_two in ('it s', 'it is'))
            and (p_after ~ '^\s*(?:[,.!?;)(]|$|\n)' or v_next = any ('{here,from,and,again,speaking,und,de,aus,van,with}')) then
        return true;
    end if;
    -- The end of a message.
    if p_after ~ '^[\s.]*$' and p_before ~ '\S' and (p_before ~ '(?:^|\n)\s*[-–—~]+\s*$|[.!?,]\s*\n\s*$|\s[-–—]\s?$'
            or v_gap ~ '^[,!.]?\s+$' and v_last = any ('{cheers,best,regards,wishes,love,thanks,thx,xo,xoxo,grüße,gruß,lg,vg,mfg,saludos,'
            'cordialement,bisous,baci,groetjes,hilsen}')) then
        return true;
    end if;
    -- Spoken to: "Mark, ...", "Yes, Mark, ...", "You can, Mark!"
    if v_begins and p_after like ',%' then
        return not v_is_month or v_next <> all ('{january,february,march,april,may,june,july,august,september,october,november,december,autumn,'
            'fall,winter,spring,summer}');
    end if;
    if p_before ~ '[[:alpha:]''’],\s$' and p_after ~ '^\s*(?:[.!?,]|$)' and not v_shouts then
        return not v_is_month or v_last <> all ('{january,february,march,april,may,june,july,august,september,october,november,december,autumn,'
            'fall,winter,spring,summer}');
    end if;
    -- The one whose turn it is.
    if p_before ~ '(?:^|\n)\s*$' and p_after like ': %' and v_next = any ('{i,im,my,me,what,how,why,when,where,can,could,is,are,do,did,should,hi,'
        'hello,ok,yes,no,thanks,you,we,this,that}') then
        return not v_is_month;
    end if;
    -- What somebody has, says or does.
    if p_after ~ '^[''’]s\M' and not v_shouts then
        return (v_begins or p_before ~ '[[:lower:],] $' and v_last <> all ('{the,a,an,this,that,of}'))
            and not (v_is_month and coalesce((uplift.words(p_after))[2], '') = any ('{a,an,the,not,so,too,very,my,going,been,weather,heat,end,'
            'beginning,start,first,last,challenge,goal,'
            'goals,plan,race,rain,sun,total,stats,numbers,over,here,almost,coming}'));
    end if;
    if v_begins and p_after like ' %' then
        return v_next = any ('{said,says,asked,told,thinks,wants,likes,loves,signed,here}')
            or not v_is_month and v_next = any ('{asks,tells,wanted,ran,runs,trains,trained,went,knows,knew,wrote,writes,joined,hier,sagt,sagte,'
            'meint,läuft,möchte,dit,dice,signe}')
            or p_after ~ '^ (?:and (?:I|me|my)\M|& |und ich\M|y yo\M|et moi\M)' or lower(p_found) = 'will' and v_next = any ('{is,was,has,had}');
    end if;
    -- Who does something: capitals in the middle of a sentence, in languages that have them for names alone.
    if not v_is_month and not v_shouts and v_gap = ' '
            and v_last = any ('{think,thinks,that,because,when,if,while,since,how,why,where,what,does,did,can,should,and,but,so,says,said,know,'
            'knows,hope,hopes,believe,guess,me,us,him,her}')
            and v_next = any ('{says,said,should,wants,wanted,needs,likes,loves,told,asked,thinks,runs,ran,went,goes,can,could,is,was,has,had,does,'
            'did,will,would,must,might,feels,felt,came,comes,gave,gets,got,eats,ate,lifts,trains,walks,swims,helped,helps}') then
        return true;
    end if;
    -- With somebody: capitals in the middle of a sentence, in languages that have them for names alone. German has them for all nouns.
    return not v_shouts and v_gap = ' ' and p_after !~ '^ [A-Z]'
        and v_next <> all ('{class,classes,school,gallery,museum,period,tea,oil,wine,water,juice,chip,chips}')
        and not v_words && '{der,die,das,ein,eine,und,ich,nicht,mit,auf,im,den,dem}'
        and (v_last = any ('{with,ask,asked,tell,told,meet,met,thank,join,joined,invite,than}')
            or not v_is_month and (v_last = any ('{from,visit,love,miss,help,con,avec,watch,watched,named,send}')
                or v_last = any ('{by,for,to,and,is,was,as,about,call,like,see,saw,give,gave,hear,heard,let}') and (v_ends
                    or v_next = any ('{and,or,who,said,says,to,is,was,runs,ran,at,on,in,about,asked,wants,tomorrow,today,yesterday,again,next,this,'
                    'because,but}'))));
end
$$;

comment on function uplift.stands_as_name(text, text, text) is
    'Whether a word that is also a name stands as one where it was found: after a greeting, a title or "my name is", spoken to, as who says something, ...; and not "will you", "in May", "a rose".';

create or replace function uplift.cover_name(p_text text, p_name text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_is_parted boolean := ascii(p_name) not between 3584 and 3839 and ascii(p_name) not between 12352 and 55215;
    -- Where words are not parted by blanks there is no end of a word to look for.
    v_pattern text := case when v_is_parted then '(?<![[:alnum:]])' else '' end
        || uplift.name_pattern(case when strpos('аяйьАЯЙЬ', right(p_name, 1)) > 0 then left(p_name, -1) else p_name end, octet_length(p_text) = length(p_text)) || uplift.name_endings(p_name)
        || case when v_is_parted then '(?![[:alnum:]])' else '' end;
    v_pieces text[];
    v_found text[];
    v_out text[];
    v_before text := '';
begin
    if not uplift.is_common_word(lower(p_name)) then
        return uplift.cover(p_text, '()(' || v_pattern || ')', 'name', 'gi');
    end if;
    v_pieces := regexp_split_to_array(p_text, v_pattern, 'i');
    v_found := array(select m[1] from regexp_matches(p_text, '(' || v_pattern || ')', 'gi') m);
    v_out := v_pieces[1:1];
    for v_n in 1 .. cardinality(v_found) loop
        v_before := uplift.before(v_before || v_pieces[v_n], 60);
        if (left(v_found[v_n], 1) <> lower(left(v_found[v_n], 1)) and (v_pieces[v_n] ~ '\ue00b\ue000*[ -]$' or v_pieces[v_n + 1] ~ '^[ -]\ue00b')) -- by the other part of it
                or uplift.stands_as_name(v_found[v_n], v_before, uplift.after(v_pieces[v_n + 1], 40)) then
            v_found[v_n] := uplift.covered(v_found[v_n], 'name');
        end if;
        v_out := v_out || v_found[v_n] || v_pieces[v_n + 1];
        v_before := v_before || v_found[v_n];
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_name(text, text) is
    'Text with a name covered wherever it is a whole word, in any case and spelling; one that is a word as well only where it stands as a name; Chinese, Japanese, Korean and Thai names anywhere.';

create or replace function uplift.cover_names(p_text text, p_names text[]) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_is_plain boolean := octet_length(p_text) = length(p_text);
    v_lower text := case when v_is_plain then lower(p_text collate "C") else lower(p_text) end;
    v_names text[] := p_names;
    v_all text := array_to_string(p_names, '');
    v_name text;
    v_is_there boolean;
begin
    if translate(v_all, ' -‐‑‒–—', '') <> v_all then
        v_names := uplift.name_parts(p_names);
    end if;
    for v_pass in 1 .. 2 loop
        foreach v_name in array v_names loop
            v_is_there := case
                when v_is_plain and translate(lower(v_name), 'abcdefghijklmnopqrstuvwxyz', '') = '' then strpos(v_lower, lower(v_name)) > 0
                when ascii(right(v_name, 1)) between 1024 and 1279 then strpos(v_lower, lower(left(v_name, -1))) > 0
                else v_lower ~ uplift.name_pattern(v_name, v_is_plain) end;
            if v_is_there then
                v_text := uplift.cover_name(v_text, v_name);
            end if;
        end loop;
        exit when v_text = p_text; -- a name may stand beside one that was found later
    end loop;
    -- Parts of a full name, with the small words between, are one name.
    return case when strpos(v_text, u&'\E00B') = 0 then v_text else uplift.cover(v_text,
        '()(\ue00b\ue000*(?:[ \n-]+(?:(?:van|von|de|den|der|del|della|di|da|dos|la|le|y|e|zu) )*\ue00b\ue000*)+)', 'name') end;
end
$$;

comment on function uplift.cover_names(text, text[]) is 'Text with these names covered, and the parts of those of several words.';
