/* The lists, and a table that finds a word in them. uplift.stop_words() has the same in SQL. */
#include "stop_words.h"

#include <pthread.h>
#include <string.h>

#define SLOTS 8192 /* a power of two, well above the number of words */

static const struct {
    char language[3];
    const char *words;
} lists[STOP_LANGUAGES] = {
    {"ar", "ألا أم أن أنا أنت أو أي أين إذا إلا إلى إن التي الذي الذين اما بعد بل بين تلك ثم حتى "
           "حيث ذلك على عن "
           "عند عندما غير فقط في فيه قبل قد كان كانت كل كم كما كنت كيف لأن لا لكن لم لماذا له لها "
           "لي ليس ما ماذا "
           "متى مع من منذ نحن هذا هذه هل هم هنا هناك هو هي و يا يكون"},
    {"ca", "a això al allò als amb aquest aquesta aquests ara bé com d de del dels des doncs el "
           "ell ella ells "
           "els em en ens entre era estan està ets fa fins ha han has havia he hem hi ho i jo l la "
           "les li meu "
           "meva molt més n ni no nosaltres o on per perquè però poc pot quan que qui què s sense "
           "ser seu seva "
           "si sobre sóc són ta tan te tinc tot tots tu té un una us va vaig vosaltres és"},
    {"cs", "a aby ale ani asi až bez bude by byl byla bylo být co což dnes do jak jako je jeho "
           "jejich její jen "
           "jsem jsi jsme jsou jste k kam kde kdo když ke která které který kteří ku ma mezi mi "
           "mne mnou moje "
           "máte mě můj může na nad ne nebo není než nám nás náš o od on ona oni po pod podle "
           "pokud pouze proto "
           "protože proč před při s se si sice svůj ta tak také tam tato te ten to tohle toto tu "
           "tuto ty tě už v "
           "ve vy vám vás váš více však všechno z za či že"},
    {"da", "af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din "
           "dine disse "
           "dit dog du efter eller en end er et for fra ham han hans har havde have hende hendes "
           "her hos hun "
           "hvad hvem hvis hvor hvordan hvorfor i ikke ind jeg jer jo kan kunne man mange med "
           "meget men mig min "
           "mine mit mod ned noget nogle nu når og også om op os over på selv sig sin sine sit "
           "skal skulle som "
           "sådan til ud under var ved vi vil ville vores være"},
    {"de", "aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei "
           "bin bis bist "
           "da damit dann das dass daß dein deine deinem deinen deiner dem den denn der des dessen "
           "dich die dies "
           "diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer "
           "eines er es "
           "etwas euch euer eure für gegen hab habe haben hat hatte hatten hier hin hinter ich ihm "
           "ihn ihnen ihr "
           "ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes kann kannst kein "
           "keine keinem "
           "keinen keiner können könnte machen man manche mein meine meinem meinen meiner mich mir "
           "mit muss "
           "musst müssen nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem seinen "
           "seiner seit "
           "sich sie sind so soll sollte sondern sonst um und uns unser unsere unter viel vom von "
           "vor war waren "
           "warum was weil welche welchem welchen welcher welches wenn werde werden wie wieder "
           "will wir wird "
           "wirst wo wollen wollte würde würden zu zum zur zwar zwischen über"},
    {"el", "ένα ένασ ή ήταν αλλά αν αντί από αυτά αυτή αυτό αυτόσ για γιατί δε δεν είμαι είναι εγώ "
           "εκείνο "
           "εκείνοσ ενώ επί εσύ η θα και κατά κι μασ με μετά μη μην μια μου να ο οι παρά πολύ που "
           "πού πρέπει "
           "προσ πωσ πώσ σασ σε σου στα στη στην στισ στο στον στουσ τα τη την τησ τι τισ το τον "
           "του τουσ των ωσ "
           "όμωσ όπωσ όταν ότι όχι"},
    {"en", "a about above after again against all am an and any are aren as at be because been "
           "before being "
           "below between both but by can could couldn d did didn do does doesn doing don down "
           "during each few "
           "for from further get gets got had hadn has hasn have haven having he her here hers "
           "herself him "
           "himself his how i if im in into is isn it its itself just let ll m may me might more "
           "most mustn my "
           "myself no nor not now of off on once only or other our ours ourselves out over own re "
           "s same shan "
           "she should shouldn so some such t than that the their theirs them themselves then "
           "there these they "
           "this those through to too under until up us ve very was wasn we were weren what when "
           "where which "
           "while who whom why will with won would wouldn y you your yours yourself yourselves"},
    {"es", "a al algo ante antes como con contra cual cuando cuál cuándo cómo de del desde donde "
           "durante dónde e "
           "el ella ellas ellos en entre era eran es esa ese eso esta este esto estos estoy está "
           "están fue "
           "fueron ha han has hasta hay he la las le les lo los me mi mis mucho muy más mí nada ni "
           "no nos "
           "nosotros nuestra nuestro o os otra otro para pero poco por porque que quien quién qué "
           "se sea ser si "
           "sin sobre son soy su sus sí también tanto te tengo ti tiene todo todos tu tus tú un "
           "una uno unos y "
           "ya yo él"},
    {"eu", "al anitz arabera asko baina bat batean batek batzuk bera beraiek berau bere berri "
           "bezala bi da daude "
           "dira ditu du dute edo egin ere eta eurak ez gara gehiago gu gure guztiak hainbat han "
           "hau hauek hemen "
           "hori horiek hura izan izango nahi naiz nire noiz nola non nor oso zara zein zen zer "
           "zergatik ziren "
           "zu zuen zure"},
    {"fi", "ei eivät emme en et ette että he heidän heille hän hänen häntä ja jo joka jos jotka "
           "kaikki kanssa "
           "keitä ken kenen koska kuin kuinka kuka kun me meidän meille mihin miksi mikä minua "
           "minulla minulle "
           "minun minä missä mitkä mitä mua mulla mutta myös ne niiden niin niitä no nuo nyt näitä "
           "nämä ole olen "
           "olet oli olisi olivat olla on ovat saa se sekä sen siellä siitä sillä sinun sinä sitä "
           "tai te teidän "
           "tuo tämä tämän tässä tätä vaan vai vaikka vain voi voin"},
    {"fr", "ai aie au aux avec avez avoir avons c car ce cela ces cet cette ceux chez comme "
           "comment d dans de "
           "des donc dont du elle elles en es est et eu eux faire fait il ils j je l la le les "
           "leur leurs lui m "
           "ma mais me mes moi mon même n ne ni nos notre nous on ont ou où par pas peu peut plus "
           "pour pourquoi "
           "qu quand que quel quelle quelles quels qui s sa sans se ses si son sont suis sur t ta "
           "te tes toi ton "
           "tous tout toute toutes tu un une vos votre vous y à étaient étais était été être"},
    {"ga", "ach ag agus an ann aon ar arna as atá b ba bhí bí cad chuig conas cá cé céard den dhá "
           "di do don faoi "
           "fhéin féin gach gan go idir is isteach leis lena mar mo muid mé na nach ní níl nó seo "
           "shin si siad "
           "sibh sin sinn sna sé sí thar tá tú um ó ón"},
    {"hi",
     "अपना अपनी अपने अब आप इन इस उन उस एक एवं ऐसे और कब कर करता करते करना करने कहा का कि किया किस की कुछ "
     "के कैसे को कोई कौन क्या क्यों गया जब जहाँ जा जो तक तब तो था थी थे दिया दो नहीं ने पर फिर बहुत भी "
     "मुझे मेरा मेरी मेरे मैं यदि यह यहाँ या ये लिए वह वहाँ वे सकता सकते साथ से हम ही हुआ हुई हूँ हूं है "
     "हैं हो होता होती होते होना"},
    {"hu", "a ahhoz ahogy aki ami amikor amíg arra arról az azok azonban azt azért be bár csak de "
           "e ebben ebből "
           "egy egyik el engem ennek ez ezek ezen ezt ezért fel ha hanem hogy hogyan igen ill is "
           "kell kellett ki "
           "le legyen lehet lenne lesz ma majd meg mert mi milyen mind minden mit mivel miért most "
           "már még "
           "nagyon ne nekem neki nem nincs olyan pedig s saját sem semmi szerint talán te tehát "
           "tud után vagy "
           "vagyok van vannak volna volt voltak én és így össze úgy ő ők"},
    {"id", "ada adalah agar akan aku anda antara apa apakah atau bagaimana bahwa banyak beberapa "
           "belum bisa "
           "boleh bukan dalam dan dapat dari dengan di dia hanya harus hingga ia ini itu jadi jika "
           "juga kalau "
           "kami kamu kapan karena ke kepada ketika kita lagi lebih mana masih mengapa mereka "
           "namun oleh pada "
           "paling para pernah saat saja sampai sangat saya sebagai sebuah sedang sejak semua "
           "seperti siapa "
           "sudah supaya tapi telah tentang tetapi tidak untuk yang"},
    {"it", "a ad agli ai al all alla alle allo anche avere c che chi ci col come con cui da dai "
           "dal dall dalla "
           "dalle degli dei del dell della delle dello di dove e ed era erano essere fra gli ha "
           "hai hanno ho i "
           "il in io l la le lei li lo loro lui ma mi mia mie miei mio ne nei nel nell nella nelle "
           "nello noi non "
           "nostra nostro o per perchè perché più quale quando quanto quella quelle quelli quello "
           "questa queste "
           "questi questo qui s sarà se sei si sia siamo sono sta sto su sua sue sugli sui sul "
           "sulla suo ti tra "
           "tu tua tuo tutti tutto un una uno vi voi vostro è"},
    {"lt",
     "apie ar arba aš bei bet bus buvo būti dabar dar dėl gali galima ir iš jau jei ji jie jis jo "
     "jos jų "
     "kad kai kaip kas kiek kodėl koks kur kurie kuris labai man mano mes mūsų ne nes nuo nėra o "
     "pagal per "
     "po prie prieš savo su tai taip tarp tas tavo tik to todėl tu turi už visi yra į ši šio šis"},
    {"nl", "aan al alles als altijd andere ben bij daar dan dat de der deze die dit doch doen door "
           "dus een en er "
           "ge geen geweest haar had heb hebben heeft hem het hier hij hoe hun iemand iets ik in "
           "is ja je jij "
           "jou jouw kan kunnen maar me meer men met mij mijn moet moeten na naar niet niets nog "
           "nu of om omdat "
           "ons onze ook op over te tegen toch toen tot u uit uw van veel voor waar waarom wanneer "
           "want waren "
           "was wat we wel werd wezen wie wij wil worden wordt zal ze zei zelf zich zij zijn zo "
           "zonder zou"},
    {"no", "alle at av bare begge ble blei bli blir da de deg dem den denne der dere deres det "
           "dette din disse "
           "ditt du eller en er et ett etter for fordi fra få før ha hadde han hans har hennes her "
           "hun hva hvem "
           "hver hvilken hvis hvor hvordan hvorfor i ikke ingen inn jeg kan kunne man mange med "
           "meg meget mellom "
           "men mer min mine mitt mot mye noe noen nå når og også om opp oss over på samme seg "
           "selv sin sine "
           "sitt skal skulle som så til um under ut uten var ved vi vil ville vår være vært"},
    {"pl",
     "a aby ale am ani bardzo bez bo być był była było były będzie ci co czy czyli dla dlaczego do "
     "gdy "
     "gdzie go i ich ile im inne iż ja jak jaki jako je jego jej jest jestem jeszcze jeśli już "
     "każdy kiedy "
     "kto która które którego który których lub ma mam mi mnie może można my mój na nad nam nas "
     "nic nie "
     "niech nim o od on ona one oni ono oraz po pod ponieważ przed przez przy się sobie swoje są "
     "ta tak "
     "także tam te tego tej ten to tu tutaj ty tylko tym w we więc wszystko z za zawsze ze że"},
    {"pt", "a ao aos aquela aquele aquilo as até com como da das de dela dele deles do dos e ela "
           "elas ele eles "
           "em entre era essa esse esta este está estão eu foi foram há isso isto já lhe mais mas "
           "me mesmo meu "
           "meus minha minhas muito na nas nem nos nossa nosso num numa não nós o os ou para pela "
           "pelas pelo "
           "pelos por porque qual quando que quem se sem ser seu seus sua suas são só também te "
           "tem tenho teu tu "
           "tua têm um uma você vocês vos à às é"},
    {"ro", "a acea aceasta această aceea acel acest aceste acestea ai al ale am ar are as asta "
           "atunci au avea aș "
           "ca care ce cea cei cel cine cu cum când cât că da dacă dar de deci decât din după ea "
           "ei el ele este "
           "eu eşti ești fi fie fost la le lor lui mai mea mei meu mi mine mult mă nici nimic noi "
           "nostru nu o "
           "ori pe pentru prin sa sale sau se spre sub sunt sînt să te tu un una unde unei unor "
           "unui voi vom vor "
           "vostru vă îi îl îmi în între şi și ție"},
    {"ru", "а без более бы был была были было быть в вам вас весь во вот все всего всех всё вы где "
           "да даже для "
           "до его ее если есть еще ещё её же за здесь и из или им их к как какая какой кем когда "
           "кто ли либо "
           "мне много может мой моя мы на надо наш не него нее ней нет ни них но ну о об один он "
           "она они оно от "
           "очень по под после потому почему при про с сам себе себя со так также такой там те "
           "тебе тебя тем то "
           "того тоже только том ты у уже хотя чего чей чем что чтобы чём эта эти это этого этой "
           "этом этот эту я"},
    {"sr", "ako ali bi bih bila bilo bio biti da do dok ga i ih ili iz ja je jer jesam jesi jeste "
           "joj još kad "
           "kada kako kao koja koje koji kroz li me mene meni mi mnogo moj moja može na nad nakon "
           "nam nas ne "
           "nego neka nema nije nisam nisu njega njegov njen njih o od on ona oni ono po pod pre "
           "pri sa sam se "
           "si smo ste su sve svi svoj ta taj tako te tebe ti to tu tvoj u uz vam vas vi za zašto "
           "šta što ако "
           "али би била било био бити бих вам вас ви га да до док за зашто и из или их кад када "
           "како као која "
           "које који кроз ли ме мене мени ми много може мој моја на над након нам нас не него "
           "нека нема нисам "
           "нису није о од он она они оно по под при са сам све сви свој се си смо сте су та тако "
           "тај твој те "
           "тебе ти то ту у уз шта што ја је јер јесам још његов њен њих"},
    {"sv",
     "alla allt att av blev bli blir de dem den denna deras dess det detta dig din dina ditt du "
     "där då "
     "efter ej eller en er era ert ett från för ha hade han hans har henne hennes hon honom hur "
     "här i icke "
     "ingen inom inte jag ju kan kunde man med mellan men mig min mina mitt mot mycket ni nu när "
     "någon "
     "något några och om oss på samma sedan sig sin sina sitt ska skall skulle som så sådan till "
     "under upp "
     "ut utan vad var vara varför vart vem vi vid vilka vilken vilket vår våra vårt än är åt över"},
    {"tr", "acaba ama ancak artık aslında az bana bazı belki ben beni benim bir biri birkaç birşey "
           "biz bize "
           "bizim bu bunu bunun da daha de değil diye dolayı en gibi göre hem hep hepsi her hiç "
           "ile ise için "
           "işte kadar kendi ki kim mi mu mü mı nasıl ne neden nerede niye niçin o olan olarak "
           "oldu olduğu "
           "olduğunu ona onlar onu onun sanki sen senin siz tüm var ve veya ya yani yok çok çünkü "
           "şey şu"},
    {"uk", "а або але без був була були було бути в вам вас весь вона вони воно все всі від він де "
           "для до з за "
           "зі й його ким коли куди мене мені ми моя мій на над нам нас наш не немає ні по при про "
           "під після сам "
           "себе та так також там те ти тим то того тому тут у хто це цей ця ці чи чим чому що щоб "
           "я як яка який "
           "які є і із їх її"},
    {"vi", "bạn bị bởi cho chúng chỉ các cái có cũng cần của gì hay hơn khi không là làm lên lúc "
           "lại muốn mà "
           "mình một như những nào này nó nếu phải qua ra rất rằng sao sẽ sự thì thế thể trong "
           "trên tôi tại từ "
           "và vào vì về với đang đã đó được đến để ở"},
};

struct slot {
    const char *word; /* NULL: free */
    size_t len;
    uint32_t languages;
};

static struct slot slots[SLOTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

const char stop_languages[STOP_LANGUAGES][3] = {
    "ar", "ca", "cs", "da", "de", "el", "en", "es", "eu", "fi", "fr", "ga", "hi", "hu",
    "id", "it", "lt", "nl", "no", "pl", "pt", "ro", "ru", "sr", "sv", "tr", "uk", "vi"};

/* FNV-1a. */
static uint32_t hash(const char *word, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)word[i]) * 16777619u;
    return h;
}

/* The slot that has the word, or the free one where it belongs. */
static struct slot *find(const char *word, size_t len)
{
    size_t at = hash(word, len) & (SLOTS - 1);
    while (slots[at].word != NULL &&
           (slots[at].len != len || memcmp(slots[at].word, word, len) != 0))
        at = (at + 1) & (SLOTS - 1);
    return &slots[at];
}

static void fill(void)
{
    for (int i = 0; i < STOP_LANGUAGES; i++) {
        for (const char *p = lists[i].words; *p != '\0';) {
            size_t len = strcspn(p, " ");
            struct slot *s = find(p, len);
            s->word = p;
            s->len = len;
            s->languages |= (uint32_t)1 << i;
            p += len + (p[len] == ' ');
        }
    }
}

int stop_language(const char *language)
{
    for (int i = 0; i < STOP_LANGUAGES; i++)
        if (strcmp(stop_languages[i], language) == 0)
            return i;
    return -1;
}

uint32_t stop_word(const char *word, size_t len)
{
    pthread_once(&once, fill);
    return find(word, len)->languages;
}

const char *stop_words_of(const char *language)
{
    int at = stop_language(language);
    return at < 0 ? NULL : lists[at].words;
}
