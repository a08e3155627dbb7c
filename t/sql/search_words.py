#!/usr/bin/python3
"""The words of a text are the same in C (src/search/words.c) and in SQL (uplift.text_words): in every language that has a
stemmer, in scripts of all kinds, and in whatever else may come."""

import json
import os
import random
import subprocess
import sys
import unicodedata

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from build import program  # noqa: E402
from cluster import Cluster  # noqa: E402
from tap import done, equal, ok  # noqa: E402

# (the language that is found, text). Two sentences each, with what is hard in a language: accents, elisions, compounds.
TEXTS = [
    ("en", "How do I start running when my knees hurt? The runner's coaches weren't happily re-organising fitness classes."),
    ("de", "Wie fange ich mit dem Laufen an, wenn meine Knie schmerzen? Die Übungen für Füße und Rücken heißen Straßenläufe."),
    ("fr", "Comment est-ce que je commence à courir ? L'entraîneur n'a pas dit aujourd'hui qu'il fallait manger des œufs."),
    ("es", "¿Cómo empiezo a correr por las mañanas? Los corredores comían más de lo que debían, según el médico español."),
    ("it", "Come faccio a iniziare a correre? L'allenatore dell'anno scorso non c'è più, perché è andato all'estero."),
    ("pt", "Como é que eu começo a correr? As refeições não são muito saudáveis, mas os corações dos atletas estão bem."),
    ("nl", "Hoe begin ik met hardlopen als mijn knieën pijn doen? De hardloopschoenen zijn niet van de winkel op de hoek."),
    ("sv", "Hur börjar jag springa när det är kallt? Löparna åt inte sina äpplen på morgonen, men de var nöjda ändå."),
    ("da", "Hvordan begynder jeg at løbe, når det er koldt? Løberne spiste ikke deres æbler, men hvad var det de åd?"),
    ("no", "Hvordan begynner jeg å løpe når det er kaldt? Løperne ble ikke glade for eplene, og noen av dem hadde vondt."),
    ("fi", "Kuinka aloitan juoksemisen, kun on kylmä? Juoksijat eivät syöneet omenoitaan, mutta he olivat tyytyväisiä."),
    ("hu", "Hogyan kezdjek el futni, ha hideg van? A futók nem ették meg az almáikat, de nagyon elégedettek voltak."),
    ("ro", "Cum încep să alerg dacă mă dor genunchii? Alergătorii nu și-au mâncat merele, dar au fost mulțumiți și așa."),
    ("ca", "Com començo a córrer si em fan mal els genolls? Els corredors no s'han menjat les pomes, però ells són feliços."),
    ("tr", "Koşmaya nasıl başlarım, çünkü hava çok soğuk ve İstanbul'da kış var? Bu elmalar için değil, ama daha iyi."),
    ("id", "Bagaimana saya mulai berlari jika lutut saya sakit? Para pelari tidak memakan apel yang ada di dalam tas itu."),
    ("lt", "Kaip man pradėti bėgioti, kai yra šalta? Bėgikai dar ne suvalgė savo obuolių, bet jie buvo labai patenkinti."),
    ("ga", "Conas a thosaím ag rith nuair atá sé fuar? Níl na húlla ag an bhfear, ach tá an t-arán agus an bainne leis."),
    ("eu", "Nola hasi naiteke korrika egiten hotza denean? Korrikalariek ez dute sagarrik jan, baina pozik daude eta bizi dira."),
    ("sr", "Kako da počnem da trčim kada je hladno? Trkači nisu pojeli jabuke, ali su bili zadovoljni što je tako."),
    ("sr", "Како да почнем да трчим када је хладно? Тркачи нису појели јабуке, али су били задовољни што је тако."),
    ("ru", "Как начать бегать по утрам, если ещё холодно? Бегуны не съели своих яблок, но были очень довольны этим днём."),
    ("uk", "Як почати бігати, коли ще холодно? Бігуни не з'їли своїх яблук, але вони були дуже задоволені цим днем."),
    ("el", "Πώς αρχίζω να τρέχω όταν κάνει κρύο; Οι δρομείς δεν έφαγαν τα μήλα τους, ΑΛΛΑ ΗΤΑΝ ΕΥΧΑΡΙΣΤΗΜΕΝΟΙ ο ίδιος."),
    ("ar", "كيف أبدأ الجري عندما يكون الجو باردًا؟ لم يأكل العدّاؤون تفاحهم، لكنهم كانوا سعداء جدًّا (بالرّياضة)."),
    ("hi", "मैं दौड़ना कैसे शुरू करूँ जब ठंड हो? धावकों ने अपने सेब नहीं खाए, लेकिन वे बहुत खुश थे।"),
    ("hy", "Ինչպե՞ս սկսեմ վազել, երբ ցուրտ է։ Վազորդները չկերան իրենց խնձորները, բայց շատ գոհ էին։"),
    ("ta", "குளிராக இருக்கும்போது நான் எப்படி ஓடத் தொடங்குவது? ஓட்டப்பந்தய வீரர்கள் ஆப்பிள்களை உண்ணவில்லை, மேல்."),
    ("pl", "Jak zacząć biegać, gdy jest zimno? Biegacze nie zjedli jabłek, ale byli bardzo zadowoleni, że to już koniec."),
    ("cs", "Jak začít běhat, když je zima? Běžci nesnědli svá jablka, ale byli velmi spokojení, že už je konec dne."),
    ("vi", "Làm thế nào để tôi bắt đầu chạy bộ khi trời lạnh? Những người chạy không ăn táo của họ, nhưng đã rất vui."),
    ("he", "איך אני מתחיל לרוץ כשקר? הרצים לא אכלו את התפוחים שלהם, אבל היו מרוצים מאוד. שָׁלוֹם"),
    ("fa", "چگونه وقتی هوا سرد است دویدن را شروع کنم؟ دونده‌ها سیب‌های خود را نخوردند، اما خیلی خوشحال بودند."),
    ("zh", "天气冷的时候，我怎么开始跑步？跑步的人没有吃苹果，但他们很高兴。"),
    ("ja", "寒いときにランニングを始めるにはどうすればいいですか？ﾗﾝﾅｰはリンゴを食べませんでした。"),
    ("ko", "추울 때 달리기를 어떻게 시작하나요? 달리는 사람들은 사과를 먹지 않았지만 매우 만족했습니다."),
    ("th", "ฉันจะเริ่มวิ่งได้อย่างไรเมื่ออากาศหนาว? นักวิ่งไม่ได้กินแอปเปิล แต่พวกเขามีความสุขมาก"),
    ("lo", "ຂ້ອຍຈະເລີ່ມແລ່ນໄດ້ແນວໃດເມື່ອອາກາດໜາວ?"),
    ("my", "အေးတဲ့အခါ ကျွန်တော် ဘယ်လို စပြေးရမလဲ။"),
    ("km", "តើខ្ញុំចាប់ផ្តើមរត់ដោយរបៀបណានៅពេលត្រជាក់?"),
    ("en", ""), ("en", " \t\n"), ("en", "12345 67,890.12"), ("en", "👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ run🏃ner"), ("en", "a\u0001b \u0001 東京"), ("zh", "\u0001東京"),
    ("en", "ﬁtness oﬃce ½ ² ™ Ⅷ ℃ ｆｕｌｌ ｗｉｄｔｈ"), ("en", "soft\u00adhyphen non\u00a0breaking zero\u200bwidth\u200djoiner\ufeff"),
    ("en", "e\u0301 é é\u0301 \u0301 a\u0301\u0302\u0303b"), ("en", "İ I ı i İSTANBUL ΣΑΣ Σ ς"), ("en", "x" * 64 + " " + "y" * 65 + " é" + "z" * 64),
    ("en", "the THE the 東京the东京 thé"), ("en", "mixed English text mit ein paar Worten, and the rest is in English again. Привет!"),
    ("en", "\u202eright to left override\u202c שלום english and the words of it"), ("ja", "東京タワーは高い。Tokyo Tower"),
    ("en", "\U0001d400\U0001d401\U0001d402 \U0001f170 \U000e0041 \U00010330\U00010331"), ("en", "http://example.com/a_b?c=d&e#f user@example.com 10:30"),
]
STEMMED = "ar hy eu ca da nl en fi fr de el hi hu id ga it lt ne no pt ro ru sr es sv ta tr yi".split()


def made_up(chance):
    """Texts of any characters there are, in runs of one block as scripts are."""
    points = [c for c in range(1, 0x30000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    for _ in range(1500):
        text = ""
        for _ in range(chance.randint(1, 30)):
            start = chance.randrange(len(points))
            if chance.random() < .4:
                start = chance.randrange(1000)
            text += "".join(chr(points[min(start + chance.randrange(40), len(points) - 1)]) for _ in range(chance.randint(1, 6)))
            text += chance.choice(["", " ", "\u0301", "-", "’"])
        yield text


def in_c(pairs):
    result = subprocess.run([program("t/unit/words_of")], input="".join(json.dumps(pair) + "\n" for pair in pairs),
                            capture_output=True, text=True)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    equal((result.returncode, len(found)), (0, len(pairs)), "C reads all texts")
    return [(one["language"], one["words"]) for one in found]


def in_sql(cursor, pairs):
    cursor.execute("""select coalesce(u.l, uplift.tokens_language(uplift.search_tokens(u.t))), uplift.text_words(u.t, u.l)
        from unnest(%s::text[], %s::text[]) with ordinality u(t, l, o) order by u.o""", ([p[0] for p in pairs], [p[1] for p in pairs]))
    return cursor.fetchall()


def same(cursor, pairs, name):
    different = ["%r: %s, in SQL %s" % (pair, c, sql) for pair, c, sql in zip(pairs, in_c(pairs), in_sql(cursor, pairs)) if c != sql]
    ok(not different, name, "%d of %d\n" % (len(different), len(pairs)) + "\n".join(different[:5]))


def main():
    cluster = Cluster()
    cluster.start()
    cluster.createdb("words")
    result = cluster.psql("words", file=ROOT + "/sql/install.sql")
    equal((result.returncode, result.stderr), (0, ""), "install.sql is installed")
    connection = psycopg2.connect(cluster.conninfo("words"))
    cursor = connection.cursor()

    stops = subprocess.run([program("t/unit/words_of"), "--stops"], capture_output=True, text=True).stdout.splitlines()
    cursor.execute("""select l || ' ' || string_agg(w, ' ' order by w collate "C") from (
        select s.key as w, string_to_table(s.value, ' ') as l from jsonb_each_text(uplift.stop_words()) s) x group by l order by l collate "C" """)
    equal([line for line, in cursor.fetchall()], stops, "the stop words are the same")

    equal([language for language, _ in in_c([(text, None) for _, text in TEXTS[:40]])], [language for language, _ in TEXTS[:40]],
          "the language of each text is found")
    same(cursor, [(text, None) for _, text in TEXTS], "texts of many languages: the same words")
    same(cursor, [(text, language) for _, text in TEXTS for language in STEMMED + ["pl", "nb", "nn", "xx"]],
         "the same texts, taken for any language: the same words")
    chance = random.Random(11)
    texts = list(made_up(chance))
    same(cursor, [(text, None) for text in texts], "texts of any characters: the same words")
    same(cursor, [(text, chance.choice(STEMMED)) for text in texts], "and taken for any language")
    long = "\n".join(text for _, text in TEXTS)
    same(cursor, [(long * 40, None), (long[:5000] * 50, "de"), ("x " * 70000, None), ("é " * 70000, None), ("東" * 150000, None)],
         "long texts: the same words, of the same part of them")
    connection.close()
    cluster.stop()
    done()


main()
