-- The words of a text, as src/search/words.c makes them in C: both must find the same, which t/sql/search.py compares.

-- Stemmers by language, in Postgres's own dictionaries without stop words: those are ours.
do $$
declare
    v_stemmer record;
begin
    for v_stemmer in
        select * from (values ('ar', 'arabic'), ('hy', 'armenian'), ('eu', 'basque'), ('ca', 'catalan'), ('da', 'danish'), ('nl', 'dutch'),
            ('en', 'english'), ('fi', 'finnish'), ('fr', 'french'), ('de', 'german'), ('el', 'greek'), ('hi', 'hindi'), ('hu', 'hungarian'),
            ('id', 'indonesian'), ('ga', 'irish'), ('it', 'italian'), ('lt', 'lithuanian'), ('ne', 'nepali'), ('no', 'norwegian'),
            ('pt', 'portuguese'), ('ro', 'romanian'), ('ru', 'russian'), ('sr', 'serbian'), ('es', 'spanish'), ('sv', 'swedish'),
            ('ta', 'tamil'), ('tr', 'turkish'), ('yi', 'yiddish')) as s(language, name)
        where not exists (select from pg_ts_dict d where d.dictname = 'stem_' || s.language and d.dictnamespace = 'uplift'::regnamespace)
    loop
        execute format('create text search dictionary uplift.stem_%s (template = pg_catalog.snowball, language = %s)', v_stemmer.language, v_stemmer.name);
    end loop;
end
$$;

create or replace function uplift.stop_words() returns jsonb
language plpgsql immutable parallel safe
as $$
begin
    return '
    {"a": "ca cs en es hu it pl pt ro", "aan": "nl", "aber": "de", "about": "en", "above": "en", "aby": "cs pl",
    "acaba": "tr", "acea": "ro", "aceasta": "ro", "această": "ro", "aceea": "ro", "acel": "ro", "acest": "ro",
    "aceste": "ro", "acestea": "ro", "ach": "ga", "ad": "it", "ada": "id", "adalah": "id", "af": "da", "after": "en",
    "ag": "ga", "again": "en", "against": "en", "agar": "id", "agli": "it", "agus": "ga", "ahhoz": "hu",
    "ahogy": "hu", "ai": "fr it ro", "aie": "fr", "això": "ca", "akan": "id", "aki": "hu", "ako": "sr", "aku": "id",
    "al": "ca es eu it nl ro", "ale": "cs pl ro", "algo": "es", "ali": "sr", "all": "en it", "alla": "it sv",
    "alle": "da de it no", "allem": "de", "allen": "de", "aller": "de", "alles": "de nl", "allo": "it", "allt": "sv",
    "allò": "ca", "als": "ca de nl", "also": "de", "alt": "da", "altijd": "nl", "am": "de en pl ro", "ama": "tr",
    "amb": "ca", "ami": "hu", "amikor": "hu", "amíg": "hu", "an": "de en ga", "ancak": "tr", "anche": "it",
    "and": "en", "anda": "id", "anden": "da", "ander": "de", "andere": "de nl", "anderen": "de", "ani": "cs pl",
    "anitz": "eu", "ann": "ga", "antara": "id", "ante": "es", "antes": "es", "any": "en", "ao": "pt", "aon": "ga",
    "aos": "pt", "apa": "id", "apakah": "id", "apie": "lt", "aquela": "pt", "aquele": "pt", "aquest": "ca",
    "aquesta": "ca", "aquests": "ca", "aquilo": "pt", "ar": "ga lt ro", "ara": "ca", "arabera": "eu", "arba": "lt",
    "are": "en ro", "aren": "en", "arna": "ga", "arra": "hu", "arról": "hu", "artık": "tr", "as": "en ga pt ro",
    "asi": "cs", "asko": "eu", "aslında": "tr", "asta": "ro", "at": "da en no", "atau": "id", "att": "sv",
    "atunci": "ro", "atá": "ga", "até": "pt", "au": "fr ro", "auch": "de", "auf": "de", "aus": "de", "aux": "fr",
    "av": "no sv", "avea": "ro", "avec": "fr", "avere": "it", "avez": "fr", "avoir": "fr", "avons": "fr",
    "az": "hu tr", "azok": "hu", "azonban": "hu", "azt": "hu", "azért": "hu", "aš": "lt", "až": "cs", "aș": "ro",
    "b": "ga", "ba": "ga", "bagaimana": "id", "bahwa": "id", "baina": "eu", "bana": "tr", "banyak": "id",
    "bardzo": "pl", "bare": "no", "bat": "eu", "batean": "eu", "batek": "eu", "batzuk": "eu", "bazı": "tr",
    "be": "en hu", "beberapa": "id", "because": "en", "been": "en", "before": "en", "begge": "no", "bei": "de lt",
    "being": "en", "belki": "tr", "below": "en", "belum": "id", "ben": "nl tr", "beni": "tr", "benim": "tr",
    "bera": "eu", "beraiek": "eu", "berau": "eu", "bere": "eu", "berri": "eu", "bet": "lt", "between": "en",
    "bez": "cs pl", "bezala": "eu", "bhí": "ga", "bi": "eu sr", "bih": "sr", "bij": "nl", "bila": "sr", "bilo": "sr",
    "bin": "de", "bio": "sr", "bir": "tr", "biri": "tr", "birkaç": "tr", "birşey": "tr", "bis": "de", "bisa": "id",
    "bist": "de", "biti": "sr", "biz": "tr", "bize": "tr", "bizim": "tr", "ble": "no", "blei": "no", "blev": "da sv",
    "bli": "no sv", "blir": "no sv", "blive": "da", "bliver": "da", "bo": "pl", "boleh": "id", "both": "en",
    "bu": "tr", "bude": "cs", "bukan": "id", "bunu": "tr", "bunun": "tr", "bus": "lt", "but": "en", "buvo": "lt",
    "by": "cs en", "byl": "cs", "byla": "cs", "bylo": "cs", "być": "pl", "był": "pl", "była": "pl", "było": "pl",
    "były": "pl", "bár": "hu", "bé": "ca", "bí": "ga", "být": "cs", "będzie": "pl", "būti": "lt", "bạn": "vi",
    "bị": "vi", "bởi": "vi", "c": "fr it", "ca": "ro", "cad": "ga", "can": "en", "car": "fr", "care": "ro",
    "ce": "fr ro", "cea": "ro", "cei": "ro", "cel": "ro", "cela": "fr", "ces": "fr", "cet": "fr", "cette": "fr",
    "ceux": "fr", "che": "it", "chez": "fr", "chi": "it", "cho": "vi", "chuig": "ga", "chúng": "vi", "chỉ": "vi",
    "ci": "it pl", "cine": "ro", "co": "cs pl", "col": "it", "com": "ca pt", "come": "it", "comme": "fr",
    "comment": "fr", "como": "es pt", "con": "es it", "conas": "ga", "contra": "es", "could": "en", "couldn": "en",
    "což": "cs", "csak": "hu", "cu": "ro", "cual": "es", "cuando": "es", "cui": "it", "cum": "ro", "cuál": "es",
    "cuándo": "es", "czy": "pl", "czyli": "pl", "cá": "ga", "các": "vi", "cái": "vi", "când": "ro", "cât": "ro",
    "cé": "ga", "céard": "ga", "có": "vi", "cómo": "es", "că": "ro", "cũng": "vi", "cần": "vi", "của": "vi",
    "d": "ca en fr", "da": "da de eu it no pt ro sr tr", "daar": "nl", "dabar": "lt", "dacă": "ro", "daha": "tr",
    "dai": "it", "dal": "it", "dalam": "id", "dall": "it", "dalla": "it", "dalle": "it", "damit": "de",
    "dan": "id nl", "dann": "de", "dans": "fr", "dapat": "id", "dar": "lt ro", "dari": "id", "das": "de pt",
    "dass": "de", "dat": "nl", "daude": "eu", "daß": "de", "de": "ca da es fr hu nl no pt ro sv tr", "deci": "ro",
    "decât": "ro", "deg": "no", "degli": "it", "dei": "it", "dein": "de", "deine": "de", "deinem": "de",
    "deinen": "de", "deiner": "de", "del": "ca es it", "dela": "pt", "dele": "pt", "deles": "pt", "dell": "it",
    "della": "it", "delle": "it", "dello": "it", "dels": "ca", "dem": "da de no sv", "den": "da de ga no sv",
    "dengan": "id", "denn": "de", "denna": "sv", "denne": "da no", "der": "da de nl no", "deras": "sv", "dere": "no",
    "deres": "da no", "des": "ca de fr", "desde": "es", "dess": "sv", "dessen": "de", "det": "da no sv",
    "detta": "sv", "dette": "da no", "deze": "nl", "değil": "tr", "dhá": "ga", "di": "ga id it", "dia": "id",
    "dich": "de", "did": "en", "didn": "en", "die": "de nl", "dies": "de", "diese": "de", "diesem": "de",
    "diesen": "de", "dieser": "de", "dieses": "de", "dig": "da sv", "din": "da no ro sv", "dina": "sv", "dine": "da",
    "dir": "de", "dira": "eu", "disse": "da no", "dit": "da nl", "ditt": "no sv", "ditu": "eu", "diye": "tr",
    "dla": "pl", "dlaczego": "pl", "dnes": "cs", "do": "cs en ga pl pt sr", "doch": "de nl", "doen": "nl",
    "does": "en", "doesn": "en", "dog": "da", "doing": "en", "dok": "sr", "dolayı": "tr", "don": "en ga",
    "donc": "fr", "doncs": "ca", "donde": "es", "dont": "fr", "door": "nl", "dort": "de", "dos": "pt", "dove": "it",
    "down": "en", "du": "da de eu fr no sv", "după": "ro", "durante": "es", "durch": "de", "during": "en",
    "dus": "nl", "dute": "eu", "där": "sv", "då": "sv", "dónde": "es", "dėl": "lt", "e": "es hu it pt", "ea": "ro",
    "each": "en", "ebben": "hu", "ebből": "hu", "ed": "it", "edo": "eu", "een": "nl", "efter": "da sv", "egin": "eu",
    "egy": "hu", "egyik": "hu", "ei": "fi ro", "ein": "de", "eine": "de", "einem": "de", "einen": "de",
    "einer": "de", "eines": "de", "eivät": "fi", "ej": "sv", "el": "ca es hu ro", "ela": "pt", "elas": "pt",
    "ele": "pt ro", "eles": "pt", "ell": "ca", "ella": "ca es", "ellas": "es", "elle": "fr", "eller": "da no sv",
    "elles": "fr", "ellos": "es", "ells": "ca", "els": "ca", "em": "ca pt", "emme": "fi",
    "en": "ca da es fi fr nl no sv tr", "end": "da", "engem": "hu", "ennek": "hu", "ens": "ca", "entre": "ca es pt",
    "er": "da de nl no sv", "era": "ca es it pt sv", "eran": "es", "erano": "it", "ere": "eu", "ert": "sv",
    "es": "de es fr", "esa": "es", "ese": "es", "eso": "es", "essa": "pt", "esse": "pt", "essere": "it", "est": "fr",
    "esta": "es pt", "estan": "ca", "este": "es pt ro", "esto": "es", "estos": "es", "estoy": "es", "està": "ca",
    "está": "es pt", "están": "es", "estão": "pt", "et": "da fi fr no", "eta": "eu", "ets": "ca", "ett": "no sv",
    "ette": "fi", "etter": "no", "että": "fi", "etwas": "de", "eu": "fr pt ro", "euch": "de", "euer": "de",
    "eurak": "eu", "eure": "de", "eux": "fr", "ez": "eu hu", "ezek": "hu", "ezen": "hu", "ezt": "hu", "ezért": "hu",
    "eşti": "ro", "ești": "ro", "fa": "ca", "faire": "fr", "fait": "fr", "faoi": "ga", "fel": "hu", "few": "en",
    "fhéin": "ga", "fi": "ro", "fie": "ro", "fins": "ca", "foi": "pt", "for": "da en no", "foram": "pt",
    "fordi": "no", "fost": "ro", "fra": "da it no", "from": "en", "från": "sv", "fue": "es", "fueron": "es",
    "further": "en", "få": "no", "féin": "ga", "för": "sv", "før": "no", "für": "de", "ga": "sr", "gach": "ga",
    "gali": "lt", "galima": "lt", "gan": "ga", "gara": "eu", "gdy": "pl", "gdzie": "pl", "ge": "nl", "geen": "nl",
    "gegen": "de", "gehiago": "eu", "get": "en", "gets": "en", "geweest": "nl", "gibi": "tr", "gli": "it",
    "go": "ga pl", "got": "en", "gu": "eu", "gure": "eu", "guztiak": "eu", "gì": "vi", "göre": "tr",
    "ha": "ca es hu it no sv", "haar": "nl", "hab": "de", "habe": "de", "haben": "de", "had": "en nl", "hadde": "no",
    "hade": "sv", "hadn": "en", "hai": "it", "hainbat": "eu", "ham": "da", "han": "ca da es eu no sv", "hanem": "hu",
    "hanno": "it", "hans": "da no sv", "hanya": "id", "har": "da no sv", "harus": "id", "has": "ca en es",
    "hasn": "en", "hasta": "es", "hat": "de", "hatte": "de", "hatten": "de", "hau": "eu", "hauek": "eu",
    "havde": "da", "have": "da en", "haven": "en", "havia": "ca", "having": "en", "hay": "es vi",
    "he": "ca en es fi", "heb": "nl", "hebben": "nl", "heeft": "nl", "heidän": "fi", "heille": "fi",
    "hem": "ca nl tr", "hemen": "eu", "hende": "da", "hendes": "da", "henne": "sv", "hennes": "no sv", "hep": "tr",
    "hepsi": "tr", "her": "da en no tr", "here": "en", "hers": "en", "herself": "en", "het": "nl", "hi": "ca",
    "hier": "de nl", "hij": "nl", "him": "en", "himself": "en", "hin": "de", "hingga": "id", "hinter": "de",
    "his": "en", "hiç": "tr", "ho": "ca it", "hoe": "nl", "hogy": "hu", "hogyan": "hu", "hon": "sv", "honom": "sv",
    "hori": "eu", "horiek": "eu", "hos": "da", "how": "en", "hun": "da nl no", "hur": "sv", "hura": "eu",
    "hva": "no", "hvad": "da", "hvem": "da no", "hver": "no", "hvilken": "no", "hvis": "da no", "hvor": "da no",
    "hvordan": "da no", "hvorfor": "da no", "há": "pt", "hän": "fi", "hänen": "fi", "häntä": "fi", "här": "sv",
    "hơn": "vi", "i": "ca da en it no pl sr sv", "ia": "id", "ich": "de pl", "icke": "sv", "idir": "ga",
    "iemand": "nl", "iets": "nl", "if": "en", "igen": "hu", "ih": "sr", "ihm": "de", "ihn": "de", "ihnen": "de",
    "ihr": "de", "ihre": "de", "ihrem": "de", "ihren": "de", "ihrer": "de", "ik": "nl", "ikke": "da no",
    "il": "fr it", "ile": "pl tr", "ili": "sr", "ill": "hu", "ils": "fr", "im": "de en pl", "in": "de en it nl",
    "ind": "da", "ingen": "no sv", "ini": "id", "inn": "no", "inne": "pl", "inom": "sv", "ins": "de", "inte": "sv",
    "into": "en", "io": "it", "ir": "lt", "is": "en ga hu nl", "ise": "tr", "isn": "en", "isso": "pt", "ist": "de",
    "isteach": "ga", "isto": "pt", "it": "en", "its": "en", "itself": "en", "itu": "id", "iz": "sr", "izan": "eu",
    "izango": "eu", "için": "tr", "işte": "tr", "iš": "lt", "iż": "pl", "j": "fr", "ja": "de fi nl pl sr",
    "jadi": "id", "jag": "sv", "jak": "cs pl", "jaki": "pl", "jako": "cs pl", "jau": "lt", "je": "cs fr nl pl sr",
    "jede": "de", "jedem": "de", "jeden": "de", "jeder": "de", "jedes": "de", "jeg": "da no", "jego": "pl",
    "jeho": "cs", "jei": "lt", "jej": "pl", "jejich": "cs", "její": "cs", "jen": "cs", "jer": "da sr", "jesam": "sr",
    "jesi": "sr", "jest": "pl", "jeste": "sr", "jestem": "pl", "jeszcze": "pl", "jeśli": "pl", "ji": "lt",
    "jie": "lt", "jij": "nl", "jika": "id", "jis": "lt", "jo": "ca da fi lt", "joj": "sr", "joka": "fi",
    "jos": "fi lt", "jotka": "fi", "jou": "nl", "jouw": "nl", "još": "sr", "jsem": "cs", "jsi": "cs", "jsme": "cs",
    "jsou": "cs", "jste": "cs", "ju": "sv", "juga": "id", "just": "en", "już": "pl", "já": "pt", "jų": "lt",
    "k": "cs", "kad": "lt sr", "kada": "sr", "kadar": "tr", "kai": "lt", "kaikki": "fi", "kaip": "lt", "kako": "sr",
    "kalau": "id", "kam": "cs", "kami": "id", "kamu": "id", "kan": "da nl no sv", "kann": "de", "kannst": "de",
    "kanssa": "fi", "kao": "sr", "kapan": "id", "karena": "id", "kas": "lt", "każdy": "pl", "kde": "cs", "kdo": "cs",
    "když": "cs", "ke": "cs id", "kein": "de", "keine": "de", "keinem": "de", "keinen": "de", "keiner": "de",
    "keitä": "fi", "kell": "hu", "kellett": "hu", "ken": "fi", "kendi": "tr", "kenen": "fi", "kepada": "id",
    "ketika": "id", "khi": "vi", "không": "vi", "ki": "hu tr", "kiedy": "pl", "kiek": "lt", "kim": "tr",
    "kita": "id", "kodėl": "lt", "koja": "sr", "koje": "sr", "koji": "sr", "koks": "lt", "koska": "fi", "kroz": "sr",
    "která": "cs", "které": "cs", "který": "cs", "kteří": "cs", "kto": "pl", "która": "pl", "które": "pl",
    "którego": "pl", "który": "pl", "których": "pl", "ku": "cs", "kuin": "fi", "kuinka": "fi", "kuka": "fi",
    "kun": "fi", "kunde": "sv", "kunne": "da no", "kunnen": "nl", "kur": "lt", "kurie": "lt", "kuris": "lt",
    "können": "de", "könnte": "de", "l": "ca fr it", "la": "ca es fr it ro", "labai": "lt", "lagi": "id",
    "las": "es", "le": "es fr hu it ro", "lebih": "id", "legyen": "hu", "lehet": "hu", "lei": "it", "leis": "ga",
    "lena": "ga", "lenne": "hu", "les": "ca es fr", "lesz": "hu", "let": "en", "leur": "fr", "leurs": "fr",
    "lhe": "pt", "li": "ca it sr", "ll": "en", "lo": "es it", "lor": "ro", "loro": "it", "los": "es", "lub": "pl",
    "lui": "fr it ro", "là": "vi", "làm": "vi", "lên": "vi", "lúc": "vi", "lại": "vi", "m": "en fr",
    "ma": "cs fr hu it pl", "maar": "nl", "machen": "de", "mai": "ro", "mais": "fr pt", "majd": "hu", "mam": "pl",
    "man": "da de lt no sv", "mana": "id", "manche": "de", "mange": "da no", "mano": "lt", "mar": "ga", "mas": "pt",
    "masih": "id", "may": "en", "me": "en es fi fr nl pt sr", "mea": "ro", "med": "da no sv", "meer": "nl",
    "meg": "hu no", "meget": "da no", "mei": "ro", "meidän": "fi", "meille": "fi", "mein": "de", "meine": "de",
    "meinem": "de", "meinen": "de", "meiner": "de", "mellan": "sv", "mellom": "no", "men": "da nl no sv",
    "mene": "sr", "mengapa": "id", "meni": "sr", "mer": "no", "mereka": "id", "mert": "hu", "mes": "fr lt",
    "mesmo": "pt", "met": "nl", "meu": "ca pt ro", "meus": "pt", "meva": "ca", "mezi": "cs",
    "mi": "cs es hu it pl ro sr tr", "mia": "it", "mich": "de", "mie": "it", "miei": "it", "mig": "da sv",
    "might": "en", "mihin": "fi", "mij": "nl", "mijn": "nl", "miksi": "fi", "mikä": "fi", "milyen": "hu",
    "min": "da no sv", "mina": "sv", "mind": "hu", "minden": "hu", "mine": "da no ro", "minha": "pt", "minhas": "pt",
    "minua": "fi", "minulla": "fi", "minulle": "fi", "minun": "fi", "minä": "fi", "mio": "it", "mir": "de",
    "mis": "es", "missä": "fi", "mit": "da de hu", "mitkä": "fi", "mitt": "no sv", "mitä": "fi", "mivel": "hu",
    "miért": "hu", "mne": "cs", "mnie": "pl", "mnogo": "sr", "mnou": "cs", "mo": "ga", "mod": "da", "moet": "nl",
    "moeten": "nl", "moi": "fr", "moj": "sr", "moja": "sr", "moje": "cs", "molt": "ca", "mon": "fr", "more": "en",
    "most": "en hu", "mot": "no sv", "może": "pl", "można": "pl", "može": "sr", "mu": "tr", "mua": "fi",
    "mucho": "es", "muid": "ga", "muito": "pt", "mulla": "fi", "mult": "ro", "muss": "de", "musst": "de",
    "mustn": "en", "mutta": "fi", "muy": "es", "muốn": "vi", "my": "en pl", "mycket": "sv", "mye": "no",
    "myself": "en", "myös": "fi", "mà": "vi", "már": "hu", "más": "es", "máte": "cs", "mé": "ga", "még": "hu",
    "més": "ca", "même": "fr", "mình": "vi", "mí": "es", "mój": "pl", "mü": "tr", "müssen": "de", "mă": "ro",
    "mě": "cs", "mı": "tr", "mūsų": "lt", "můj": "cs", "může": "cs", "một": "vi", "n": "ca fr",
    "na": "cs ga nl pl pt sr", "naar": "nl", "nach": "de ga", "nad": "cs pl sr", "nada": "es", "nagyon": "hu",
    "nahi": "eu", "naiz": "eu", "nakon": "sr", "nam": "pl sr", "namun": "id", "nas": "pl pt sr", "nasıl": "tr",
    "ne": "cs fi fr hu it lt sr tr", "nebo": "cs", "ned": "da", "neden": "tr", "nego": "sr", "nei": "it",
    "neka": "sr", "nekem": "hu", "neki": "hu", "nel": "it", "nell": "it", "nella": "it", "nelle": "it",
    "nello": "it", "nem": "hu pt", "nema": "sr", "není": "cs", "nerede": "tr", "nes": "lt", "než": "cs", "như": "vi",
    "những": "vi", "ni": "ca es fr sv", "nic": "pl", "nicht": "de", "nichts": "de", "nici": "ro", "nie": "pl",
    "niech": "pl", "niet": "nl", "niets": "nl", "niiden": "fi", "niin": "fi", "niitä": "fi", "nije": "sr",
    "nim": "pl", "nimic": "ro", "nincs": "hu", "nire": "eu", "nisam": "sr", "nisu": "sr", "niye": "tr",
    "niçin": "tr", "njega": "sr", "njegov": "sr", "njen": "sr", "njih": "sr", "no": "ca en es fi", "noch": "de",
    "noe": "no", "noen": "no", "nog": "nl", "noget": "da", "nogle": "da", "noi": "it ro", "noiz": "eu", "nola": "eu",
    "non": "eu it", "nor": "en eu", "nos": "es fr pt", "nosaltres": "ca", "nosotros": "es", "nossa": "pt",
    "nosso": "pt", "nostra": "it", "nostro": "it", "nostru": "ro", "not": "en", "notre": "fr", "nous": "fr",
    "now": "en", "nu": "da nl ro sv", "nuestra": "es", "nuestro": "es", "num": "pt", "numa": "pt", "nun": "de",
    "nuo": "fi lt", "nur": "de", "nyt": "fi", "nào": "vi", "này": "vi", "nám": "cs", "nás": "cs", "náš": "cs",
    "não": "pt", "näitä": "fi", "nämä": "fi", "när": "sv", "nå": "no", "någon": "sv", "något": "sv", "några": "sv",
    "når": "da no", "ní": "ga", "níl": "ga", "nó": "ga vi", "nós": "pt", "nėra": "lt", "nếu": "vi",
    "o": "ca cs es it lt pl pt ro sr tr", "ob": "de", "och": "sv", "od": "cs pl sr", "oder": "de", "of": "en nl",
    "off": "en", "og": "da no", "også": "da no", "ohne": "de", "olan": "tr", "olarak": "tr", "oldu": "tr",
    "olduğu": "tr", "olduğunu": "tr", "ole": "fi", "oleh": "id", "olen": "fi", "olet": "fi", "oli": "fi",
    "olisi": "fi", "olivat": "fi", "olla": "fi", "olyan": "hu", "om": "da nl no sv", "omdat": "nl",
    "on": "ca cs en fi fr pl sr", "ona": "cs pl sr tr", "once": "en", "one": "pl", "oni": "cs pl sr", "onlar": "tr",
    "only": "en", "ono": "pl sr", "ons": "nl", "ont": "fr", "onu": "tr", "onun": "tr", "onze": "nl", "ook": "nl",
    "op": "da nl", "opp": "no", "or": "en", "oraz": "pl", "ori": "ro", "os": "da es pt", "oso": "eu", "oss": "no sv",
    "other": "en", "otra": "es", "otro": "es", "ou": "fr pt", "our": "en", "ours": "en", "ourselves": "en",
    "out": "en", "ovat": "fi", "over": "da en nl no", "own": "en", "où": "fr", "pada": "id", "pagal": "lt",
    "paling": "id", "par": "fr", "para": "es id pt", "pas": "fr", "pe": "ro", "pedig": "hu", "pela": "pt",
    "pelas": "pt", "pelo": "pt", "pelos": "pt", "pentru": "ro", "per": "ca it lt", "perchè": "it", "perché": "it",
    "pernah": "id", "pero": "es", "perquè": "ca", "però": "ca", "peu": "fr", "peut": "fr", "phải": "vi", "più": "it",
    "plus": "fr", "po": "cs lt pl sr", "poc": "ca", "poco": "es", "pod": "cs pl sr", "podle": "cs", "pokud": "cs",
    "ponieważ": "pl", "por": "es pt", "porque": "es pt", "pot": "ca", "pour": "fr", "pourquoi": "fr", "pouze": "cs",
    "pre": "sr", "pri": "sr", "prie": "lt", "prieš": "lt", "prin": "ro", "proto": "cs", "protože": "cs",
    "proč": "cs", "przed": "pl", "przez": "pl", "przy": "pl", "på": "da no sv", "před": "cs", "při": "cs",
    "qu": "fr", "qua": "vi", "qual": "pt", "quale": "it", "quan": "ca", "quand": "fr", "quando": "it pt",
    "quanto": "it", "que": "ca es fr pt", "quel": "fr", "quella": "it", "quelle": "fr it", "quelles": "fr",
    "quelli": "it", "quello": "it", "quels": "fr", "quem": "pt", "questa": "it", "queste": "it", "questi": "it",
    "questo": "it", "qui": "ca fr it", "quien": "es", "quién": "es", "què": "ca", "qué": "es", "ra": "vi",
    "re": "en", "rất": "vi", "rằng": "vi", "s": "ca cs en fr hu it", "sa": "fr ro sr", "saa": "fi", "saat": "id",
    "saja": "id", "saját": "hu", "sale": "ro", "sam": "sr", "same": "en", "samma": "sv", "samme": "no",
    "sampai": "id", "sangat": "id", "sanki": "tr", "sans": "fr", "sao": "vi", "sarà": "it", "sau": "ro",
    "savo": "lt", "saya": "id", "se": "cs es fi fr it pt ro sr", "sea": "es", "sebagai": "id", "sebuah": "id",
    "sedan": "sv", "sedang": "id", "seg": "no", "sehr": "de", "sei": "it", "sein": "de", "seine": "de",
    "seinem": "de", "seinen": "de", "seiner": "de", "seit": "de", "sejak": "id", "sekä": "fi", "selv": "da no",
    "sem": "hu pt", "semmi": "hu", "semua": "id", "sen": "fi tr", "senin": "tr", "sense": "ca", "seo": "ga",
    "seperti": "id", "ser": "ca es pt", "ses": "fr", "seu": "ca pt", "seus": "pt", "seva": "ca", "shan": "en",
    "she": "en", "shin": "ga", "should": "en", "shouldn": "en", "si": "ca cs es fr ga it sr", "sia": "it",
    "siad": "ga", "siamo": "it", "siapa": "id", "sibh": "ga", "sice": "cs", "sich": "de", "sie": "de",
    "siellä": "fi", "sig": "da sv", "siitä": "fi", "sillä": "fi", "sin": "da es ga no sv", "sina": "sv",
    "sind": "de", "sine": "da no", "sinn": "ga", "sinun": "fi", "sinä": "fi", "sit": "da", "sitt": "no sv",
    "sitä": "fi", "siz": "tr", "się": "pl", "ska": "sv", "skal": "da no", "skall": "sv", "skulle": "da no sv",
    "smo": "sr", "sna": "ga", "so": "de en", "sobie": "pl", "sobre": "ca es", "soll": "de", "sollte": "de",
    "som": "da no sv", "some": "en", "son": "es fr", "sondern": "de", "sono": "it", "sonst": "de", "sont": "fr",
    "soy": "es", "spre": "ro", "sta": "it", "ste": "sr", "sto": "it", "su": "es it lt sr", "sua": "it pt",
    "suas": "pt", "sub": "ro", "such": "en", "sudah": "id", "sue": "it", "sugli": "it", "sui": "it", "suis": "fr",
    "sul": "it", "sulla": "it", "sunt": "ro", "suo": "it", "supaya": "id", "sur": "fr", "sus": "es", "sve": "sr",
    "svi": "sr", "svoj": "sr", "svůj": "cs", "swoje": "pl", "szerint": "hu", "são": "pt", "så": "no sv",
    "sådan": "da sv", "sé": "ga", "sí": "es ga", "sînt": "ro", "só": "pt", "sóc": "ca", "són": "ca", "să": "ro",
    "są": "pl", "sẽ": "vi", "sự": "vi", "t": "en fr", "ta": "ca cs fr pl sr", "tai": "fi lt", "taip": "lt",
    "taj": "sr", "tak": "cs pl", "tako": "sr", "také": "cs", "także": "pl", "talán": "hu", "tam": "cs pl",
    "también": "es", "também": "pt", "tan": "ca", "tanto": "es", "tapi": "id", "tarp": "lt", "tas": "lt",
    "tato": "cs", "tavo": "lt", "te": "ca cs es fi fr hu nl pl pt ro sr", "tebe": "sr", "tegen": "nl", "tego": "pl",
    "tehát": "hu", "teidän": "fi", "tej": "pl", "telah": "id", "tem": "pt", "ten": "cs pl", "tengo": "es",
    "tenho": "pt", "tentang": "id", "tes": "fr", "tetapi": "id", "teu": "pt", "than": "en", "thar": "ga",
    "that": "en", "the": "en", "their": "en", "theirs": "en", "them": "en", "themselves": "en", "then": "en",
    "there": "en", "these": "en", "they": "en", "this": "en", "those": "en", "through": "en", "thì": "vi",
    "thế": "vi", "thể": "vi", "ti": "es it sr", "tidak": "id", "tiene": "es", "tik": "lt", "til": "da no",
    "till": "sv", "tinc": "ca", "to": "cs en lt pl sr", "toch": "nl", "todo": "es", "todos": "es", "todėl": "lt",
    "toen": "nl", "tohle": "cs", "toi": "fr", "ton": "fr", "too": "en", "tot": "ca nl", "toto": "cs", "tots": "ca",
    "tous": "fr", "tout": "fr", "toute": "fr", "toutes": "fr", "tra": "it", "trong": "vi", "trên": "vi",
    "tu": "ca cs es fr it lt pl pt ro sr", "tua": "it pt", "tud": "hu", "tuo": "fi it", "turi": "lt", "tus": "es",
    "tutaj": "pl", "tuto": "cs", "tutti": "it", "tutto": "it", "tvoj": "sr", "ty": "cs pl", "tylko": "pl",
    "tym": "pl", "tá": "ga", "tämä": "fi", "tämän": "fi", "tässä": "fi", "tätä": "fi", "té": "ca", "têm": "pt",
    "tôi": "vi", "tú": "es ga", "tüm": "tr", "tě": "cs", "tại": "vi", "từ": "vi", "u": "nl sr", "ud": "da",
    "uit": "nl", "um": "de ga no pt", "uma": "pt", "un": "ca es fr it ro", "una": "ca es it ro", "und": "de",
    "unde": "ro", "under": "da en no sv", "une": "fr", "unei": "ro", "uno": "es it", "unor": "ro", "unos": "es",
    "uns": "de", "unser": "de", "unsere": "de", "unter": "de", "until": "en", "untuk": "id", "unui": "ro",
    "up": "en", "upp": "sv", "us": "ca en", "ut": "no sv", "utan": "sv", "uten": "no", "után": "hu", "uw": "nl",
    "uz": "sr", "už": "cs lt", "v": "cs", "va": "ca", "vaan": "fi", "vad": "sv", "vagy": "hu", "vagyok": "hu",
    "vai": "fi", "vaig": "ca", "vaikka": "fi", "vain": "fi", "vam": "sr", "van": "hu nl", "vannak": "hu",
    "var": "da no sv tr", "vara": "sv", "varför": "sv", "vart": "sv", "vas": "sr", "ve": "cs en tr", "ved": "da no",
    "veel": "nl", "vem": "sv", "very": "en", "veya": "tr", "vi": "da it no sr sv", "vid": "sv", "viel": "de",
    "vil": "da no", "vilka": "sv", "vilken": "sv", "vilket": "sv", "ville": "da no", "visi": "lt", "você": "pt",
    "vocês": "pt", "voi": "fi it ro", "voin": "fi", "volna": "hu", "volt": "hu", "voltak": "hu", "vom": "de ro",
    "von": "de", "voor": "nl", "vor": "de ro", "vores": "da", "vos": "fr pt", "vosaltres": "ca", "vostro": "it",
    "vostru": "ro", "votre": "fr", "vous": "fr", "vy": "cs", "và": "vi", "vào": "vi", "vám": "cs", "vás": "cs",
    "váš": "cs", "vår": "no sv", "våra": "sv", "vårt": "sv", "være": "da no", "vært": "no", "vì": "vi", "více": "cs",
    "vă": "ro", "však": "cs", "všechno": "cs", "về": "vi", "với": "vi", "w": "pl", "waar": "nl", "waarom": "nl",
    "wanneer": "nl", "want": "nl", "war": "de", "waren": "de nl", "warum": "de", "was": "de en nl", "wasn": "en",
    "wat": "nl", "we": "en nl pl", "weil": "de", "wel": "nl", "welche": "de", "welchem": "de", "welchen": "de",
    "welcher": "de", "welches": "de", "wenn": "de", "werd": "nl", "werde": "de", "werden": "de", "were": "en",
    "weren": "en", "wezen": "nl", "what": "en", "when": "en", "where": "en", "which": "en", "while": "en",
    "who": "en", "whom": "en", "why": "en", "wie": "de nl", "wieder": "de", "wij": "nl", "wil": "nl",
    "will": "de en", "wir": "de", "wird": "de", "wirst": "de", "with": "en", "więc": "pl", "wo": "de",
    "wollen": "de", "wollte": "de", "won": "en", "worden": "nl", "wordt": "nl", "would": "en", "wouldn": "en",
    "wszystko": "pl", "würde": "de", "würden": "de", "y": "en es fr", "ya": "es tr", "yang": "id", "yani": "tr",
    "yo": "es", "yok": "tr", "you": "en", "your": "en", "yours": "en", "yourself": "en", "yourselves": "en",
    "yra": "lt", "z": "cs pl", "za": "cs pl sr", "zal": "nl", "zara": "eu", "zawsze": "pl", "zašto": "sr",
    "ze": "nl pl", "zei": "nl", "zein": "eu", "zelf": "nl", "zen": "eu", "zer": "eu", "zergatik": "eu", "zich": "nl",
    "zij": "nl", "zijn": "nl", "ziren": "eu", "zo": "nl", "zonder": "nl", "zou": "nl", "zu": "de eu", "zuen": "eu",
    "zum": "de", "zur": "de", "zure": "eu", "zwar": "de", "zwischen": "de", "à": "fr pt", "às": "pt", "än": "sv",
    "är": "sv", "åt": "sv", "çok": "tr", "çünkü": "tr", "è": "it", "é": "pt", "él": "es", "én": "hu", "és": "ca hu",
    "étaient": "fr", "étais": "fr", "était": "fr", "été": "fr", "être": "fr", "így": "hu", "îi": "ro", "îl": "ro",
    "îmi": "ro", "în": "ro", "între": "ro", "ó": "ga", "ón": "ga", "össze": "hu", "över": "sv", "úgy": "hu",
    "über": "de", "či": "cs", "đang": "vi", "đã": "vi", "đó": "vi", "được": "vi", "đến": "vi", "để": "vi", "į": "lt",
    "ő": "hu", "ők": "hu", "şey": "tr", "şi": "ro", "şu": "tr", "ši": "lt", "šio": "lt", "šis": "lt", "šta": "sr",
    "što": "sr", "że": "pl", "že": "cs", "și": "ro", "ție": "ro", "ένα": "el", "ένασ": "el", "ή": "el", "ήταν": "el",
    "αλλά": "el", "αν": "el", "αντί": "el", "από": "el", "αυτά": "el", "αυτή": "el", "αυτό": "el", "αυτόσ": "el",
    "για": "el", "γιατί": "el", "δε": "el", "δεν": "el", "είμαι": "el", "είναι": "el", "εγώ": "el", "εκείνο": "el",
    "εκείνοσ": "el", "ενώ": "el", "επί": "el", "εσύ": "el", "η": "el", "θα": "el", "και": "el", "κατά": "el",
    "κι": "el", "μασ": "el", "με": "el", "μετά": "el", "μη": "el", "μην": "el", "μια": "el", "μου": "el", "να": "el",
    "ο": "el", "οι": "el", "παρά": "el", "πολύ": "el", "που": "el", "πού": "el", "πρέπει": "el", "προσ": "el",
    "πωσ": "el", "πώσ": "el", "σασ": "el", "σε": "el", "σου": "el", "στα": "el", "στη": "el", "στην": "el",
    "στισ": "el", "στο": "el", "στον": "el", "στουσ": "el", "τα": "el", "τη": "el", "την": "el", "τησ": "el",
    "τι": "el", "τισ": "el", "το": "el", "τον": "el", "του": "el", "τουσ": "el", "των": "el", "ωσ": "el",
    "όμωσ": "el", "όπωσ": "el", "όταν": "el", "ότι": "el", "όχι": "el", "а": "ru uk", "або": "uk", "ако": "sr",
    "але": "uk", "али": "sr", "без": "ru uk", "би": "sr", "била": "sr", "било": "sr", "био": "sr", "бити": "sr",
    "бих": "sr", "более": "ru", "був": "uk", "була": "uk", "були": "uk", "було": "uk", "бути": "uk", "бы": "ru",
    "был": "ru", "была": "ru", "были": "ru", "было": "ru", "быть": "ru", "в": "ru uk", "вам": "ru sr uk",
    "вас": "ru sr uk", "весь": "ru uk", "ви": "sr", "во": "ru", "вона": "uk", "вони": "uk", "воно": "uk",
    "вот": "ru", "все": "ru uk", "всего": "ru", "всех": "ru", "всё": "ru", "всі": "uk", "вы": "ru", "від": "uk",
    "він": "uk", "га": "sr", "где": "ru", "да": "ru sr", "даже": "ru", "де": "uk", "для": "ru uk", "до": "ru sr uk",
    "док": "sr", "его": "ru", "ее": "ru", "если": "ru", "есть": "ru", "еще": "ru", "ещё": "ru", "её": "ru",
    "же": "ru", "з": "uk", "за": "ru sr uk", "зашто": "sr", "здесь": "ru", "зі": "uk", "и": "ru sr", "из": "ru sr",
    "или": "ru sr", "им": "ru", "их": "ru sr", "й": "uk", "його": "uk", "к": "ru", "кад": "sr", "када": "sr",
    "как": "ru", "какая": "ru", "како": "sr", "какой": "ru", "као": "sr", "кем": "ru", "ким": "uk", "когда": "ru",
    "коли": "uk", "која": "sr", "које": "sr", "који": "sr", "кроз": "sr", "кто": "ru", "куди": "uk", "ли": "ru sr",
    "либо": "ru", "ме": "sr", "мене": "sr uk", "мени": "sr", "мені": "uk", "ми": "sr uk", "мне": "ru",
    "много": "ru sr", "може": "sr", "может": "ru", "мой": "ru", "моя": "ru uk", "мој": "sr", "моја": "sr",
    "мы": "ru", "мій": "uk", "на": "ru sr uk", "над": "sr uk", "надо": "ru", "након": "sr", "нам": "sr uk",
    "нас": "sr uk", "наш": "ru uk", "не": "ru sr uk", "него": "ru sr", "нее": "ru", "ней": "ru", "нека": "sr",
    "нема": "sr", "немає": "uk", "нет": "ru", "ни": "ru", "нисам": "sr", "нису": "sr", "них": "ru", "није": "sr",
    "но": "ru", "ну": "ru", "ні": "uk", "о": "ru sr", "об": "ru", "од": "sr", "один": "ru", "он": "ru sr",
    "она": "ru sr", "они": "ru sr", "оно": "ru sr", "от": "ru", "очень": "ru", "по": "ru sr uk", "под": "ru sr",
    "после": "ru", "потому": "ru", "почему": "ru", "при": "ru sr uk", "про": "ru uk", "під": "uk", "після": "uk",
    "с": "ru", "са": "sr", "сам": "ru sr uk", "све": "sr", "сви": "sr", "свој": "sr", "се": "sr", "себе": "ru uk",
    "себя": "ru", "си": "sr", "смо": "sr", "со": "ru", "сте": "sr", "су": "sr", "та": "sr uk", "так": "ru uk",
    "также": "ru", "тако": "sr", "також": "uk", "такой": "ru", "там": "ru uk", "тај": "sr", "твој": "sr",
    "те": "ru sr uk", "тебе": "ru sr", "тебя": "ru", "тем": "ru", "ти": "sr uk", "тим": "uk", "то": "ru sr uk",
    "того": "ru uk", "тоже": "ru", "только": "ru", "том": "ru", "тому": "uk", "ту": "sr", "тут": "uk", "ты": "ru",
    "у": "ru sr uk", "уже": "ru", "уз": "sr", "хотя": "ru", "хто": "uk", "це": "uk", "цей": "uk", "ця": "uk",
    "ці": "uk", "чего": "ru", "чей": "ru", "чем": "ru", "чи": "uk", "чим": "uk", "чому": "uk", "что": "ru",
    "чтобы": "ru", "чём": "ru", "шта": "sr", "што": "sr", "що": "uk", "щоб": "uk", "эта": "ru", "эти": "ru",
    "это": "ru", "этого": "ru", "этой": "ru", "этом": "ru", "этот": "ru", "эту": "ru", "я": "ru uk", "як": "uk",
    "яка": "uk", "який": "uk", "які": "uk", "є": "uk", "і": "uk", "із": "uk", "їх": "uk", "її": "uk", "ја": "sr",
    "је": "sr", "јер": "sr", "јесам": "sr", "још": "sr", "његов": "sr", "њен": "sr", "њих": "sr", "ألا": "ar",
    "أم": "ar", "أن": "ar", "أنا": "ar", "أنت": "ar", "أو": "ar", "أي": "ar", "أين": "ar", "إذا": "ar", "إلا": "ar",
    "إلى": "ar", "إن": "ar", "التي": "ar", "الذي": "ar", "الذين": "ar", "اما": "ar", "بعد": "ar", "بل": "ar",
    "بين": "ar", "تلك": "ar", "ثم": "ar", "حتى": "ar", "حيث": "ar", "ذلك": "ar", "على": "ar", "عن": "ar",
    "عند": "ar", "عندما": "ar", "غير": "ar", "فقط": "ar", "في": "ar", "فيه": "ar", "قبل": "ar", "قد": "ar",
    "كان": "ar", "كانت": "ar", "كل": "ar", "كم": "ar", "كما": "ar", "كنت": "ar", "كيف": "ar", "لأن": "ar",
    "لا": "ar", "لكن": "ar", "لم": "ar", "لماذا": "ar", "له": "ar", "لها": "ar", "لي": "ar", "ليس": "ar", "ما": "ar",
    "ماذا": "ar", "متى": "ar", "مع": "ar", "من": "ar", "منذ": "ar", "نحن": "ar", "هذا": "ar", "هذه": "ar",
    "هل": "ar", "هم": "ar", "هنا": "ar", "هناك": "ar", "هو": "ar", "هي": "ar", "و": "ar", "يا": "ar", "يكون": "ar",
    "अपना": "hi", "अपनी": "hi", "अपने": "hi", "अब": "hi", "आप": "hi", "इन": "hi", "इस": "hi", "उन": "hi", "उस": "hi",
    "एक": "hi", "एवं": "hi", "ऐसे": "hi", "और": "hi", "कब": "hi", "कर": "hi", "करता": "hi", "करते": "hi",
    "करना": "hi", "करने": "hi", "कहा": "hi", "का": "hi", "कि": "hi", "किया": "hi", "किस": "hi", "की": "hi",
    "कुछ": "hi", "के": "hi", "कैसे": "hi", "को": "hi", "कोई": "hi", "कौन": "hi", "क्या": "hi", "क्यों": "hi",
    "गया": "hi", "जब": "hi", "जहाँ": "hi", "जा": "hi", "जो": "hi", "तक": "hi", "तब": "hi", "तो": "hi", "था": "hi",
    "थी": "hi", "थे": "hi", "दिया": "hi", "दो": "hi", "नहीं": "hi", "ने": "hi", "पर": "hi", "फिर": "hi",
    "बहुत": "hi", "भी": "hi", "मुझे": "hi", "मेरा": "hi", "मेरी": "hi", "मेरे": "hi", "मैं": "hi", "यदि": "hi",
    "यह": "hi", "यहाँ": "hi", "या": "hi", "ये": "hi", "लिए": "hi", "वह": "hi", "वहाँ": "hi", "वे": "hi",
    "सकता": "hi", "सकते": "hi", "साथ": "hi", "से": "hi", "हम": "hi", "ही": "hi", "हुआ": "hi", "हुई": "hi",
    "हूँ": "hi", "हूं": "hi", "है": "hi", "हैं": "hi", "हो": "hi", "होता": "hi", "होती": "hi", "होते": "hi",
    "होना": "hi", "ở": "vi"}
'::jsonb;
end
$$;

comment on function uplift.stop_words() is
    'Words too common to be searched for, each with the languages in which it is one (ISO 639-1, separated by blanks). By them the language of a text is found, too.';

create or replace function uplift.search_tokens(p_text text) returns text[]
language plpgsql immutable parallel safe
as $$
declare
    v_text text := left(p_text, 100000);
begin
    if octet_length(v_text) = length(v_text) then
        return array(select t.w from regexp_split_to_table(lower(v_text collate "C"), '[^a-z0-9]+') with ordinality as t(w, o)
            where t.w <> '' and length(t.w) <= 64 order by t.o);
    end if;
    -- A soft hyphen is no part of its word, and lower() makes of the dotted capital I more than one character.
    v_text := translate(normalize(v_text, nfkc), U&'\0130\0001\00AD', 'i ');
    v_text := replace(lower(v_text collate "und-x-icu"), 'ς', 'σ');
    if v_text ~ '[\u0E01-\u0E3A\u0E40-\u0E4E\u0E50-\u0E59\u0E80-\u0EFF\u1000-\u1049\u1780-\u17D3\u17DC-\u17E9\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u3035\u3038-\u303C\u3041-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3100-\u312F\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF]' then
        v_text := regexp_replace(v_text, '([\u0E01-\u0E3A\u0E40-\u0E4E\u0E50-\u0E59\u0E80-\u0EFF\u1000-\u1049\u1780-\u17D3\u17DC-\u17E9\u2E80-\u2FDF\u3005-\u3007\u3021-\u302F\u3031-\u3035\u3038-\u303C\u3041-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3100-\u312F\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF]+)', E' \u0001\\1 ', 'g');
        -- The mark is a separator of words, and so in none of them.
        return array(
            select g.w from unnest(string_to_array(regexp_replace(v_text, '[\u0002-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u02C2-\u02C5\u02D2-\u02DF\u02E5-\u02EB\u02ED\u02EF-\u02FF\u0375\u037E\u0384-\u0385\u0387\u03F6\u0482\u055A-\u055F\u0589-\u058F\u05BE\u05C0\u05C3\u05C6\u05F3-\u05F4\u0600-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u06DD-\u06DE\u06E9\u06FD-\u06FE\u0700-\u070F\u0964-\u0965\u0970\u0E3F\u0E4F\u0E5A-\u0E5B\u0F01-\u0F17\u0F3A-\u0F3D\u104A-\u104F\u10FB\u1360-\u1368\u17D4-\u17DB\u1800-\u180E\u2000-\u206F\u207A-\u207E\u208A-\u208E\u20A0-\u20CF\u2100-\u214F\u2190-\u2BFF\u2E00-\u2E7F\u2FF0-\u3004\u3008-\u3020\u3030\u3036-\u3037\u303D-\u303F\u30A0\u30FB\u3200-\u33FF\uE000-\uF8FF\uFD3E-\uFD3F\uFE00-\uFE6F\uFEFF\uFF00-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFE0-\uFFFF\U0001D000-\U0001D3FF\U0001F000-\U0001FAFF\U000E0000-\U0010FFFF]+', ' ', 'g'), ' ')) with ordinality as t(w, o)
            cross join lateral (
                select t.w, 0 where left(t.w, 1) <> E'\u0001' and length(t.w) between 1 and 64
                union all
                select coalesce(x.pair, x.c), x.i
                from (select c.c, c.i, c.c || lead(c.c) over (order by c.i) as pair, count(*) over () as n
                    from string_to_table(substr(t.w, 2), null) with ordinality c(c, i)) x
                where left(t.w, 1) = E'\u0001' and (x.pair is not null or x.n = 1)) g(w, i)
            order by t.o, g.i);
    end if;
    return array(select t.w from regexp_split_to_table(v_text, '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u02C2-\u02C5\u02D2-\u02DF\u02E5-\u02EB\u02ED\u02EF-\u02FF\u0375\u037E\u0384-\u0385\u0387\u03F6\u0482\u055A-\u055F\u0589-\u058F\u05BE\u05C0\u05C3\u05C6\u05F3-\u05F4\u0600-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u06DD-\u06DE\u06E9\u06FD-\u06FE\u0700-\u070F\u0964-\u0965\u0970\u0E3F\u0E4F\u0E5A-\u0E5B\u0F01-\u0F17\u0F3A-\u0F3D\u104A-\u104F\u10FB\u1360-\u1368\u17D4-\u17DB\u1800-\u180E\u2000-\u206F\u207A-\u207E\u208A-\u208E\u20A0-\u20CF\u2100-\u214F\u2190-\u2BFF\u2E00-\u2E7F\u2FF0-\u3004\u3008-\u3020\u3030\u3036-\u3037\u303D-\u303F\u30A0\u30FB\u3200-\u33FF\uE000-\uF8FF\uFD3E-\uFD3F\uFE00-\uFE6F\uFEFF\uFF00-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFE0-\uFFFF\U0001D000-\U0001D3FF\U0001F000-\U0001FAFF\U000E0000-\U0010FFFF]+') with ordinality as t(w, o)
        where t.w <> '' and length(t.w) <= 64 order by t.o);
end
$$;

comment on function uplift.search_tokens(text) is
    'The words of the first 100000 characters of a text as they are, in lower case (NFKC), and pairs of characters of scripts that do not part words (Chinese, Japanese, Thai, Lao, Khmer, Burmese). Words of more than 64 characters are left out.';

create or replace function uplift.tokens_language(p_tokens text[], p_default text default 'en') returns text
language plpgsql immutable parallel safe
as $$
declare
    v_tokens text[] := p_tokens[:300];
    v_stops jsonb := uplift.stop_words();
    v_text text := array_to_string(v_tokens, ' ');
    v_script text := 'latin';
    v_language text;
begin
    if octet_length(v_text) > length(v_text) then
        select s.script into v_script
        from (select case when t.w < '0' then null when t.w < 'a' then null when t.w < U&'\02B0' then 'latin' when t.w < U&'\0370' then null
                when t.w < U&'\0400' then 'el' when t.w < U&'\0530' then 'cyrillic' when t.w < U&'\0590' then 'hy' when t.w < U&'\0600' then 'he'
                when t.w < U&'\0700' then 'ar' when t.w < U&'\0750' then null when t.w < U&'\0780' then 'ar' when t.w < U&'\0900' then null
                when t.w < U&'\0980' then 'hi' when t.w < U&'\0B80' then null when t.w < U&'\0C00' then 'ta' when t.w < U&'\0E00' then null
                when t.w < U&'\0E80' then 'th' when t.w < U&'\0F00' then 'lo' when t.w < U&'\1000' then null when t.w < U&'\10A0' then 'my'
                when t.w < U&'\1100' then null when t.w < U&'\1200' then 'ko' when t.w < U&'\1780' then null when t.w < U&'\1800' then 'km'
                when t.w < U&'\1E00' then null when t.w < U&'\1F00' then 'latin' when t.w < U&'\2000' then 'el' when t.w < U&'\2E80' then null
                when t.w < U&'\A000' then 'zh' when t.w < U&'\AC00' then null when t.w < U&'\D7B0' then 'ko' when t.w < U&'\F900' then null
                when t.w < U&'\FB00' then 'zh' when t.w < U&'\+020000' then null when t.w < U&'\+040000' then 'zh' end as script
            from (select u.w collate "C" as w from unnest(v_tokens) u(w)) t) s
        where s.script is not null group by s.script order by count(*) desc, s.script collate "C" limit 1;
    end if;
    if v_script = 'zh' then
        return case when v_text ~ '[\u3041-\u30FF]' then 'ja' else 'zh' end;
    elsif v_script = 'ar' then
        return case when v_text ~ '[\u067E\u0686\u0698\u06AF]' then 'fa' else 'ar' end;
    elsif v_script not in ('latin', 'cyrillic') then
        return v_script;
    end if;
    select l.language into v_language
    from unnest(v_tokens) t(w) cross join lateral string_to_table(v_stops ->> t.w, ' ') l(language)
    where (l.language in ('ru', 'uk') or l.language = 'sr' and t.w collate "C" >= U&'\0400') = (v_script = 'cyrillic')
        and l.language not in ('el', 'ar', 'hi')
    group by l.language order by count(*) desc, l.language <> p_default, l.language <> 'en', l.language collate "C" limit 1;
    return coalesce(v_language, case when v_script = 'cyrillic' then 'ru' else p_default end);
end
$$;

comment on function uplift.tokens_language(text[], text) is
    'The language of a text''s tokens (uplift.search_tokens), ISO 639-1, by script and stop words of the first 300; p_default where they do not show it.';

create or replace function uplift.text_language(p_text text) returns text
language plpgsql immutable parallel safe
as $$
begin
    return uplift.tokens_language(uplift.search_tokens(left(p_text, 4000)));
end
$$;

comment on function uplift.text_language(text) is
    'The language of a text, ISO 639-1, by script and stop words of its first 4000 characters; en where those do not show it.';

create or replace function uplift.text_words(p_text text, p_language text) returns text[]
language plpgsql immutable parallel safe
as $$
declare
    v_tokens text[] := uplift.search_tokens(p_text);
    v_language text := coalesce(p_language, uplift.tokens_language(v_tokens));
    v_stops jsonb := uplift.stop_words();
    v_stemmer regdictionary;
    v_words text[];
    v_text text;
begin
    if v_language = any ('{nb,nn}') then
        v_language := 'no';
    end if;
    if v_language = any ('{ar,hy,eu,ca,da,nl,en,fi,fr,de,el,hi,hu,id,ga,it,lt,ne,no,pt,ro,ru,sr,es,sv,ta,tr,yi}') then
        v_stemmer := ('uplift.stem_' || v_language)::regdictionary;
        v_words := array(select (ts_lexize(v_stemmer, t.w))[1] from unnest(v_tokens) with ordinality as t(w, o)
            where position(v_language in coalesce(v_stops ->> t.w, '')) = 0 order by t.o);
    else
        v_words := array(select t.w from unnest(v_tokens) with ordinality as t(w, o)
            where position(v_language in coalesce(v_stops ->> t.w, '')) = 0 order by t.o);
    end if;
    v_text := array_to_string(v_words, ' ');
    if octet_length(v_text) > length(v_text) then
        -- Without accents, which people leave out.
        v_text := normalize(regexp_replace(normalize(v_text, nfd), '[\u0300-\u036F]+', '', 'g'), nfc);
        v_text := translate(replace(replace(replace(replace(v_text, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'), 'øłđðıς', 'olddiσ');
        v_words := string_to_array(v_text, ' ');
    end if;
    return array_remove(v_words, '');
end
$$;

comment on function uplift.text_words(text, text) is
    'What a text is found by: its words in order, each as often as it is there, stemmed and without accents, stop words left out; p_language (ISO 639-1) null: as uplift.tokens_language() finds it. Words of languages without a stemmer stay whole; scripts that do not part words give pairs of characters. Never null.';

create or replace function uplift.search_words(p_title text, p_body text, p_language text) returns text[]
language plpgsql immutable parallel safe
as $$
declare
    v_language text := coalesce(p_language, uplift.text_language(p_body));
    v_title text[];
begin
    if p_title is null then
        return uplift.text_words(p_body, v_language);
    end if;
    v_title := uplift.text_words(p_title, v_language);
    return v_title || v_title || v_title || uplift.text_words(p_body, v_language);
end
$$;

comment on function uplift.search_words(text, text, text) is
    'The words that one of uplift.search_texts is found by: those of its title three times.';
