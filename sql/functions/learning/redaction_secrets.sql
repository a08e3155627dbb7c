-- E-mail addresses, links that open something, keys and passwords.

create or replace function uplift.cover_placeholders(p_text text) returns text
language sql immutable parallel safe
as $$
    -- So that text redacted before stays as it is, whatever its user's name.
    select string_agg(x.piece || coalesce(uplift.covered(x.found[1], substr(x.found[1], 2, length(x.found[1]) - 2)), ''), '' order by x.n)
    from (select '\[(?:' || array_to_string(uplift.placeholders(), '|') || ')\]' as pattern) p
    cross join lateral rows from (
        regexp_split_to_table(p_text, p.pattern), regexp_matches(p_text, p.pattern, 'g')) with ordinality x(piece, found, n)
$$;

comment on function uplift.cover_placeholders(text) is 'Text with the placeholders that it has covered, each as what it stands for.';

create or replace function uplift.looks_random(p_token text) returns boolean
language sql immutable parallel safe
as $$
    -- Among random letters and digits nearly every second neighbour is of another kind (hexadecimal digits: 0.47, base64:
    -- 0.62); in words, dates and names of files it is seldom one in ten, and in namesLikeThis one in five.
    select length(p_token) >= 16 and x.changes >= greatest(4, case when x.digits > 1 then 0.2 else 0.33 end * (length(p_token) - 1))
    from (select regexp_count(p_token, '[0-9](?=[A-Za-z])|[a-z](?=[0-9A-Z])|[A-Z](?=[0-9])') as changes, regexp_count(p_token, '[0-9]') as digits) x
$$;

comment on function uplift.looks_random(text) is
    'Whether 16 letters and digits or more look drawn and not written, by how often the kind of character changes.';

create or replace function uplift.is_secret_url(p_url text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
    v_url text := case when strpos(p_url, '%') > 0 then regexp_replace(p_url, '%[0-9A-Fa-f]{2}', '', 'g') else p_url end;
    v_host text := split_part(substr(v_url, case when strpos(v_url, '://') > 0 then strpos(v_url, '://') + 3 else 1 end), '/', 1);
    v_before text := '';
    v_part text;
begin
    if strpos(v_host, '@') > 0 or v_host = any ('{wa.me,api.whatsapp.com,t.me}') and v_url ~ '\d{7}' then -- user:password@; a phone number
        return true;
    end if;
    -- Parts of path and query, each with the one before it, which says what it is.
    foreach v_part in array (string_to_array(translate(substr(v_url, strpos(v_url, v_host) + length(v_host)), '/?&#;', '     '), ' '))[:100] loop
        continue when v_part = '';
        if strpos(v_part, '=') > 1 then
            v_before := lower(translate(split_part(v_part, '=', 1), '_-', ''));
            v_part := substr(v_part, strpos(v_part, '=') + 1);
            if v_part <> '' and (v_before = any ('{accesstoken,idtoken,refreshtoken,token,auth,authorization,apikey,key,secret,clientsecret,'
            'password,passwd,pwd,pass,passcode,pin,otp,sig,signature,code,session,sessionid,jsessionid,phpsessid,sid,jwt,'
                    'ticket,credential,hash,invite,reset,email,mail,phone,tel,mobile}') or v_before like 'xamz%') then
                return true;
            end if;
        elsif v_before = any ('{reset,setpassword,resetpassword,passwordreset,password,verify,verification,confirm,confirmation,activate,'
            'activation,invite,invites,invitation,join,magic,magiclink,login,signin,sso,auth,token,unsubscribe,optout,share,'
                'shared,s,t,d,webhook,webhooks,hook,hooks,services,session,key,secret,private,recover,recovery,accept,access,otp,verifyemail,'
                'emailverification,callback}') then
            -- Not a number with words, nor words with hyphens.
            if v_part ~ '^[[:alnum:]_~-]{6,}$' and v_part ~ '\d' and v_part !~ '^\d+(?:-[a-z]+)+$|^(?:[a-z]+-){2,}\w+$' or v_part ~ '^[A-Za-z]*[a-z][A-Z][A-Za-z]*$' and length(v_part) >= 8 then
                return true;
            end if;
        end if;
        if v_part like 'bot%:%' or v_part like 'eyJ%.%' or uplift.looks_random(v_part) and v_before <> all ('{playlist,track,album,artist,episode,'
            'show,watch,v,shorts,p,reel,reels,video,videos,status,item,product,products,dp,activities,questions,doi}') then
            return true;
        end if;
        v_before := lower(translate(v_part, '_-', ''));
    end loop;
    return false;
end
$$;

comment on function uplift.is_secret_url(text) is
    'Whether a link opens something or names somebody: it has a password, a parameter such as token, key or code, a token in its path, a long random value, or an address or phone number as parameter.';

create or replace function uplift.cover_urls(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '(?:[a-z][a-z0-9+.-]*://|\mwww\.|\m[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/)[^\s<>"''`\u3000-\u9fff\uac00-\ud7af]*';
    v_pieces text[] := regexp_split_to_array(p_text, v_pattern, 'i');
    v_urls text[] := array(select m[1] from regexp_matches(p_text, v_pattern, 'gi') m);
    v_url text;
    v_host int; -- where it ends
    v_out text[] := v_pieces[1:1];
begin
    for v_n in 1 .. cardinality(v_urls) loop
        v_url := rtrim(v_urls[v_n], '.,;:!?)]}*_…»”’');
        v_host := length(split_part(v_url, '://', 1)) + case when strpos(v_url, '://') > 0 then 3 + length(split_part(split_part(v_url, '://', 2), '/', 1)) else 0 end;
        v_out := v_out || case
            when v_url = '' then ''
            when uplift.is_secret_url(v_url) then uplift.covered(v_url, 'url')
            -- Numbers of articles and pictures are nobody's; what may be an address of a host stays to be seen.
            else left(v_url, v_host) || translate(substr(v_url, v_host + 1), '0123456789', repeat(u&'\E00F', 10))
            end || substr(v_urls[v_n], length(v_url) + 1) || v_pieces[v_n + 1];
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_urls(text) is 'Text with links that have a secret in them covered, and the digits in the paths of others hidden.';

create or replace function uplift.cover_emails(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
begin
    -- Letters of scripts that part words by blanks: elsewhere an address may stand right in a sentence.
    if strpos(v_text, '@') > 0 then
        v_text := uplift.cover(v_text,
            '()((?:"[^"\s@][^"\n@]{0,60}"|[A-Za-z0-9_\u00c0-\u0dff%+-](?:[A-Za-z0-9_.%+''\u2019\u00c0-\u0dff-]*[A-Za-z0-9_%+\u00c0-\u0dff-])?)@'
            || '(?:\[?\d{1,3}(?:\.\d{1,3}){3}\]?|(?:[A-Za-z0-9\u00c0-\u0dff][A-Za-z0-9\u00c0-\u0dff-]*\.)+[A-Za-z\u00c0-\u0dff]{2,}))',
            'email');
    end if;
    if (strpos(v_text, '[') > 0 or strpos(v_text, '(') > 0 or strpos(v_text, '{') > 0) and v_text ~ '[\[({] ?(?:at|AT|At|@)[ \])}]'
            or strpos(v_text, ' dot ') > 0 or strpos(v_text, ' punkt ') > 0 then
        v_text := uplift.cover(v_text,
            '()([\w.%+-]+ ?[\[({] ?(?:at|@) ?[\])}] ?[\w-]+(?:(?: ?[\[({] ?(?:dot|\.|punkt) ?[\])}] ?|\.| (?:dot|punkt) )[\w-]{2,})+)',
            'email', 'gi');
        v_text := uplift.cover(v_text,
            '()(\m(?!(?:looks?|looking|see|seen|found|it|us|them|available|is|me|was|are|online|visit|find|buy|bought|sold|read|check|stuff|out|'
            || 'sign|work|here|up|eat|shop)\M)[\w.+-]{2,} at [\w-]{2,}(?: (?:dot|punkt) [\w-]+)* (?:dot|punkt) '
            || '(?:com|org|net|edu|gov|io|co|me|info|uk|us|ca|de|at|ch|fr|es|it|nl|be|pl|se|no|dk|fi|pt|br|in|au|nz|ie|jp|cz|eu)\M)',
            'email', 'gi');
    end if;
    return v_text;
end
$$;

comment on function uplift.cover_emails(text) is 'Text with e-mail addresses covered, also those written as ann (at) example.com or ann at example dot com.';

create or replace function uplift.is_secret_token(p_token text, p_before text) returns boolean
language sql immutable parallel safe
as $$
    select case
        -- The forms that issuers of keys document, most as gitleaks' rules have them.
        when p_token like any ('{sk-%,sk\\_live\\_%,sk\\_test\\_%,pk\\_live\\_%,pk\\_test\\_%,rk\\_live\\_%,rk\\_test\\_%,ghp\\_%,gho\\_%,ghu\\_%,'
            'ghs\\_%,ghr\\_%,github\\_pat\\_%,glpat-%,gldt-%,glrt-%,glft-%,glsoat-%,glptt-%,glcbt-%,xox_-%,xapp-%,xwfp-%,AKIA%,ASIA%,'
            'AGPA%,AIDA%,AROA%,AIPA%,ANPA%,ANVA%,ABIA%,ACCA%,AIza%,ya29.%,1//%,SG.%,whsec\\_%,hf\\_%,npm\\_%,pypi-%,dop\\_v1\\_%,doo\\_v1\\_%,'
            'dor\\_v1\\_%,shpat\\_%,shpca\\_%,shppa\\_%,shpss\\_%,gsk\\_%,r8\\_%,sbp\\_%,sb\\_secret\\_%,sb\\_publishable\\_%,EAA%,key-%,'
            'eyJ%.%,AGE-SECRET-KEY-%,glsa\\_%,glc\\_%,lin\\_api\\_%,hvs.%,hvb.%,hvr.%,dckr\\_pat\\_%,sntrys\\_%,sntryu\\_%,sq0___-%,rubygems\\_%,PMAK-%,dapi%,ntn\\_%,secret\\_%,figd\\_%,tskey-%,NRAK-%,xai-%,pplx-%,fw\\_%,tgp\\_%,nvapi-%,CFPAT-%,LTAI%,rpa\\_%,phc\\_%,'
            'phx\\_%,FLWSECK%,rzp\\_%}') then p_token ~ '\d|[a-z][A-Z]'
        when translate(p_token, '0123456789', '') = p_token then false -- no words
        when p_token ~ '^(?:\d{8,10}:AA|[0-9a-f]{32}-us\d|(?:SK|AC)[0-9a-f]{32})' then true
        when uplift.is_uuid(p_token) then false
        -- A checksum is nobody's secret.
        when p_token !~ '[^0-9a-fA-F]' and (uplift.words(p_before))[cardinality(uplift.words(p_before)) - 1:] &&
            '{commit,sha,sha1,sha256,sha512,md5,checksum,hash,digest,revision,rev,etag,build,blob,tree}' then false
        else uplift.looks_random(p_token)
    end
$$;

comment on function uplift.is_secret_token(text, text) is
    'Whether 20 characters or more without a blank are a key: of a form that is known, or random. Ids and checksums are not; what stands before tells.';

create or replace function uplift.cover_tokens(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '[A-Za-z0-9_][A-Za-z0-9_.:+/=~-]{18,}[A-Za-z0-9_=/+-]';
    v_pieces text[] := regexp_split_to_array(p_text, v_pattern);
    v_tokens text[] := array(select m[1] from regexp_matches(p_text, v_pattern, 'g') m);
    v_out text[] := v_pieces[1:1];
    v_name text; -- what is assigned to, in name=value
    v_token text;
begin
    for v_n in 1 .. cardinality(v_tokens) loop
        if translate(v_tokens[v_n], '0123456789', '') = v_tokens[v_n] and strpos(v_tokens[v_n], '_') = 0 then
            v_out := v_out || (v_tokens[v_n] || v_pieces[v_n + 1]); -- words
            continue;
        end if;
        v_name := coalesce(substring(v_tokens[v_n] from '^(?:[A-Za-z0-9_.-]{1,40}=|[A-Za-z_.-]{1,40}:)+(?=.{12})'), '');
        if v_tokens[v_n] ~ '^\d{8,10}:AA' then
            v_name := '';
        end if;
        v_token := substr(v_tokens[v_n], length(v_name) + 1);
        v_out := v_out || v_name || case
            when uplift.is_secret_token(v_token, uplift.before(v_pieces[v_n], 20) || v_name) then uplift.covered(v_token, 'secret')
            else v_token end || v_pieces[v_n + 1];
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_tokens(text) is 'Text with keys and tokens covered that are known by their own form.';

create or replace function uplift.cover_assigned(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_pattern constant text := '[A-Za-z_][\w.-]*["'']?\s?(?:=>?|:=?)\s?["'']?(?:[Bb]earer |'
        '[Bb]asic )?[^\s"'',;&<>{}$*\ue000-\ue00f][^\s"'',;<>\ue000-\ue00f]{5,}';
    v_pieces text[] := regexp_split_to_array(p_text, v_pattern);
    v_found text[] := array(select m[1] from regexp_matches(p_text, v_pattern, 'g') m);
    v_out text[] := v_pieces[1:1];
    v_name text;
    v_value text;
begin
    for v_n in 1 .. cardinality(v_found) loop
        v_name := substring(v_found[v_n] from '^[A-Za-z_][\w.-]*["'']?\s?(?:=>?|:=?)\s?["'']?(?:[Bb]earer |[Bb]asic )?');
        v_value := substr(v_found[v_n], length(v_name) + 1);
        if strpos(v_name, '=') > 0 and strpos(v_value, '&') > 6 then
            v_value := split_part(v_value, '&', 1); -- a form
        end if;
        v_out := v_out || v_name || case
            when lower(translate(v_name, '_-. ', '')) like any ('{%password%,%passwd%,%passphrase%,%passcode%,%passwort%,pass:%,pass=%,%pwd%,pw:%,'
            'pw=%,%secret%,%token%,%apikey%,%accesskey%,%accountkey%,%privatekey%,%authkey%,%credential%,%sessionid%,auth=%,%authorization%}')
                -- After a colon only what is no word: it has a digit or a sign in it.
                and (v_name ~ '=' and v_name !~ ':' or v_value ~ '[A-Za-z0-9_+/.~-]{20}' or v_value ~ '[[:alpha:]]' and v_value ~ '\d|[!#$%&*+@^~?][^\s]|=$')
            then uplift.covered(v_value, 'secret') else v_value end || substr(v_found[v_n], length(v_name || v_value) + 1) || v_pieces[v_n + 1];
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_assigned(text) is 'Text with the values covered that are assigned to passwords, keys and tokens, in code, JSON or a header.';

create or replace function uplift.cover_told_passwords(p_text text) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_words constant text := 'passw(?:ord|ort)|passcode|passphrase|\mpw\M|\mpass\M|kennwort|mot de passe|contraseña|\mclave\M|\msenha\M|wachtwoord|'
        'hasło|lösenord|salasana|heslo|\mparola\M|şifrem?\M|пароль|密码|密碼|パスワード|비밀번호';
    v_pieces text[] := regexp_split_to_array(p_text, v_words, 'i');
    v_found text[];
    v_out text[];
    v_told text[];
begin
    if cardinality(v_pieces) = 1 then
        return p_text;
    end if;
    v_found := array(select m[1] from regexp_matches(p_text, v_words, 'gi') m);
    v_out := v_pieces[1:1];
    for v_n in 1 .. cardinality(v_found) loop
        v_told := regexp_match(left(v_pieces[v_n + 1], 200), '^((?:et)?(?: (?:for|für|du|de|del|of|to) [\w''-]+)*(?:\s(?:is|ist|lautet|est|es|è|é|'
            'to|är|er|on|jest|je|=|—|-)|:|是|は|는|은|：)?\s?["''„“]?)([^\s"'',;“”<>\ue000-\ue00f]{6,})');
        v_told[2] := rtrim(v_told[2], '.)');
        v_out := v_out || v_found[v_n] || case
            -- No word: it has a digit or a sign in it.
            when v_told[2] ~ '[[:alpha:]]' and v_told[2] ~ '\d|[!#$%&*+@^~?].' and length(v_told[2]) >= 6
            then v_told[1] || uplift.covered(v_told[2], 'secret') || substr(v_pieces[v_n + 1], length(v_told[1] || v_told[2]) + 1)
            else v_pieces[v_n + 1] end;
    end loop;
    return array_to_string(v_out, '');
end
$$;

comment on function uplift.cover_told_passwords(text) is 'Text with passwords covered that a sentence tells, in some twenty languages.';

create or replace function uplift.cover_secrets(p_text text, p_has_digits boolean) returns text
language plpgsql immutable parallel safe
as $$
declare
    v_text text := p_text;
    v_lower text collate "C"; -- to search which is several times faster
begin
    if strpos(v_text, '-----BEGIN') > 0 then
        v_text := uplift.cover(v_text,
            '()(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:(?:[\sA-Za-z0-9+/=,:\\]|-(?=[A-Za-z]))*-----END [A-Z0-9 ]*-----|'
            '(?:\s*[A-Za-z0-9+/=]{16,})*))', 'secret');
    end if;
    -- Letters alone are words.
    if (p_has_digits or strpos(v_text, '_') > 0) and v_text ~ '[[:alnum:]_/+=.:-]{20}' then
        v_text := uplift.cover_tokens(v_text);
    end if;
    if not p_has_digits and strpos(v_text, '=') = 0 and strpos(v_text, 'phrase') = 0 then
        return v_text; -- what follows a colon, or is told, has a digit
    end if;
    v_lower := lower(v_text collate "C");
    if (strpos(v_text, ':') > 0 or strpos(v_text, '=') > 0) and v_lower like any ('{%pass%,%pwd%,%pw%,%secret%,%token%,%key%,%credential%,'
        '%session%,%auth%}') then
        v_text := uplift.cover_assigned(v_text);
    end if;
    if v_lower like any ('{%bearer %,%basic %}') then
        v_text := uplift.cover(v_text, '(\m(?:[Bb]earer|[Bb]asic)\s)((?=[A-Za-z+/._~-]*[0-9=])[A-Za-z0-9+/=._~-]{16,})', 'secret');
    end if;
    if v_lower like any ('{%pass%,% pw%,%contrase%,%senha%,%clave%,%wachtw%,%kennw%,%salas%,%heslo%,%parola%}')
            or octet_length(v_text) <> length(v_text) and v_lower like any ('{%hasło%,%lösen%,%şifre%,%парол%,%密码%,%密碼%,%パスワ%,%비밀번%}') then
        v_text := uplift.cover_told_passwords(v_text);
    end if;
    if v_lower like any ('{%pin %,%pin:%,%pin=%,%pin-code%,%geheimzahl%}') then
        v_text := uplift.cover(v_text, '(\m(?:pin|pin[- ]code|geheimzahl)(?: (?:is|ist|est|es|è|'
            'é))?[\s:=]{1,2})(\d{4,8}(?![\d.,:]))', 'secret', 'gi');
    end if;
    if strpos(v_lower, 'phrase') = 0 then
        return v_text;
    end if;
    if v_lower ~ '(?:seed|recovery|mnemonic|backup|secret)\s(?:phrase|word)' then
        v_text := uplift.cover(v_text, '(\m(?:seed|recovery|mnemonic|backup|secret)\s(?:phrase|'
            'words?)(?:\sis)?\W{1,3})((?:[a-z]+\s){11,23}[a-z]+\M)', 'secret', 'gi');
    end if;
    return v_text;
end
$$;

comment on function uplift.cover_secrets(text, boolean) is
    'Text with private keys, tokens, and the values of passwords and keys covered, whether assigned in code or told in a sentence.';
