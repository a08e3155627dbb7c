/* A text is brought to lower case and cut into tokens, whose language is found, and which then are
 * stemmed. Everything here is mirrored by sql/functions/coach/search_words.sql. */
#include "words.h"

#include "common/buf.h"
#include "common/utf8.h"
#include "stop_words.h"

#include <libstemmer.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define LANGUAGE_TOKENS 300 /* by which the language is found */
#define LANGUAGE_TEXT 4000  /* characters, for text_language() */
#define BYTES_MAX (64 * 1024 * 1024)

struct range {
    int32_t from, to;
};

/* What is in no word, beside what is not a letter, a digit or a mark in ASCII. */
static const struct range separators[] = {
    {0x0000, 0x002f},   {0x003a, 0x0040},   {0x005b, 0x0060},   {0x007b, 0x00a9}, {0x00ab, 0x00b4},
    {0x00b6, 0x00b9},   {0x00bb, 0x00bf},   {0x00d7, 0x00d7},   {0x00f7, 0x00f7}, {0x02c2, 0x02c5},
    {0x02d2, 0x02df},   {0x02e5, 0x02eb},   {0x02ed, 0x02ed},   {0x02ef, 0x02ff}, {0x0375, 0x0375},
    {0x037e, 0x037e},   {0x0384, 0x0385},   {0x0387, 0x0387},   {0x03f6, 0x03f6}, {0x0482, 0x0482},
    {0x055a, 0x055f},   {0x0589, 0x058f},   {0x05be, 0x05be},   {0x05c0, 0x05c0}, {0x05c3, 0x05c3},
    {0x05c6, 0x05c6},   {0x05f3, 0x05f4},   {0x0600, 0x060f},   {0x061b, 0x061f}, {0x066a, 0x066d},
    {0x06d4, 0x06d4},   {0x06dd, 0x06de},   {0x06e9, 0x06e9},   {0x06fd, 0x06fe}, {0x0700, 0x070f},
    {0x0964, 0x0965},   {0x0970, 0x0970},   {0x0e3f, 0x0e3f},   {0x0e4f, 0x0e4f}, {0x0e5a, 0x0e5b},
    {0x0f01, 0x0f17},   {0x0f3a, 0x0f3d},   {0x104a, 0x104f},   {0x10fb, 0x10fb}, {0x1360, 0x1368},
    {0x17d4, 0x17db},   {0x1800, 0x180e},   {0x2000, 0x206f},   {0x207a, 0x207e}, {0x208a, 0x208e},
    {0x20a0, 0x20cf},   {0x2100, 0x214f},   {0x2190, 0x2bff},   {0x2e00, 0x2e7f}, {0x2ff0, 0x3004},
    {0x3008, 0x3020},   {0x3030, 0x3030},   {0x3036, 0x3037},   {0x303d, 0x303f}, {0x30a0, 0x30a0},
    {0x30fb, 0x30fb},   {0x3200, 0x33ff},   {0xd800, 0xf8ff},   {0xfd3e, 0xfd3f}, {0xfe00, 0xfe6f},
    {0xfeff, 0xfeff},   {0xff00, 0xff20},   {0xff3b, 0xff40},   {0xff5b, 0xff65}, {0xffe0, 0xffff},
    {0x1d000, 0x1d3ff}, {0x1f000, 0x1faff}, {0xe0000, 0x10ffff}};

/* Scripts that do not part words. */
static const struct range unparted[] = {
    {0x0e01, 0x0e3a}, {0x0e40, 0x0e4e},  {0x0e50, 0x0e59}, {0x0e80, 0x0eff}, {0x1000, 0x1049},
    {0x1780, 0x17d3}, {0x17dc, 0x17e9},  {0x2e80, 0x2fdf}, {0x3005, 0x3007}, {0x3021, 0x302f},
    {0x3031, 0x3035}, {0x3038, 0x303c},  {0x3041, 0x309f}, {0x30a1, 0x30fa}, {0x30fc, 0x30ff},
    {0x3100, 0x312f}, {0x31a0, 0x31bf},  {0x31f0, 0x31ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff},
    {0xf900, 0xfaff}, {0x20000, 0x3ffff}};

static const struct {
    char language[3];
    const char *algorithm;
} stemmers[] = {
    {"ar", "arabic"},     {"ca", "catalan"},  {"da", "danish"},     {"de", "german"},
    {"el", "greek"},      {"en", "english"},  {"es", "spanish"},    {"eu", "basque"},
    {"fi", "finnish"},    {"fr", "french"},   {"ga", "irish"},      {"hi", "hindi"},
    {"hu", "hungarian"},  {"hy", "armenian"}, {"id", "indonesian"}, {"it", "italian"},
    {"lt", "lithuanian"}, {"ne", "nepali"},   {"nl", "dutch"},      {"no", "norwegian"},
    {"pt", "portuguese"}, {"ro", "romanian"}, {"ru", "russian"},    {"sr", "serbian"},
    {"sv", "swedish"},    {"ta", "tamil"},    {"tr", "turkish"},    {"yi", "yiddish"},
};
#define STEMMER_COUNT (sizeof stemmers / sizeof stemmers[0])

struct list {
    struct word *items;
    size_t count, room;
};

struct word_finder {
    struct sb_stemmer *stemmers[STEMMER_COUNT]; /* NULL: not needed yet */
    struct buf clean, lower, folded;            /* what tokens and words are in */
    struct list tokens, words;
    char language[LANGUAGE_SIZE];
};

struct word_finder *word_finder_new(void)
{
    struct word_finder *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    buf_init(&f->clean, BYTES_MAX);
    buf_init(&f->lower, BYTES_MAX);
    buf_init(&f->folded, BYTES_MAX);
    return f;
}

void word_finder_free(struct word_finder *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < STEMMER_COUNT; i++)
        sb_stemmer_delete(f->stemmers[i]);
    buf_release(&f->clean);
    buf_release(&f->lower);
    buf_release(&f->folded);
    free(f->tokens.items);
    free(f->words.items);
    free(f);
}

static bool list_add(struct list *l, const char *at, size_t len)
{
    if (l->count == l->room) {
        size_t room = l->room == 0 ? 256 : l->room * 2;
        struct word *items = realloc(l->items, room * sizeof *items);
        if (items == NULL)
            return false;
        l->items = items;
        l->room = room;
    }
    l->items[l->count++] = (struct word){.at = at, .len = (uint32_t)len};
    return true;
}

static bool is_in(const struct range *ranges, size_t count, int32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > ranges[middle].to)
            low = middle + 1;
        else if (c < ranges[middle].from)
            high = middle;
        else
            return true;
    }
    return false;
}

enum class { SEPARATOR, PART, UNPARTED };

static enum class class_of(int32_t c) {
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? PART : SEPARATOR;
    if (is_in(separators, sizeof separators / sizeof separators[0], c)) return SEPARATOR;
    return is_in(unparted, sizeof unparted / sizeof unparted[0], c) ? UNPARTED : PART;
}

static int32_t lower(int32_t c)
{
    if (c == 0x130) /* the dotted capital I */
        return 'i';
    c = utf8proc_tolower(c);
    return c == 0x3c2 ? 0x3c3 : c; /* a sigma at the end of a word is a sigma */
}

/* --- tokens --- */

static bool tokens_of_ascii(struct word_finder *f, const char *text, size_t len)
{
    if (!buf_reserve(&f->lower, len + 1))
        return false;
    char *out = f->lower.data;
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        char c = i < len ? text[i] : ' ';
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        out[i] = c;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            continue;
        if (i > start && i - start <= WORD_MAX && !list_add(&f->tokens, out + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

/* A run of characters that part no words, as its pairs; at are its bytes. */
static bool add_pairs(struct word_finder *f, const char *at, size_t len)
{
    size_t first = utf8_sequence(at, len);
    if (first >= len)
        return list_add(&f->tokens, at, len);
    while (len > first) {
        size_t second = utf8_sequence(at + first, len - first);
        if (!list_add(&f->tokens, at, first + second))
            return false;
        at += first;
        len -= first;
        first = second;
    }
    return true;
}

/* The token that ended, of so many characters. */
static bool add_token(struct word_finder *f, enum class of, const char *at, size_t len,
                      size_t characters)
{
    if (of == UNPARTED)
        return add_pairs(f, at, len);
    return of == SEPARATOR || characters > WORD_MAX || list_add(&f->tokens, at, len);
}

/* text is valid UTF-8 in NFKC. */
static bool tokens_of_unicode(struct word_finder *f, const utf8proc_uint8_t *text, size_t len)
{
    enum class now = SEPARATOR;
    size_t start = 0, characters = 0;
    /* No character takes more than half as much again in lower case, so that nothing moves. */
    if (!buf_reserve(&f->lower, len + len / 2 + 16))
        return false;
    char *out = f->lower.data;
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(text + i, (utf8proc_ssize_t)(len - i), &c);
        if (n < 1)
            return false;
        i += (size_t)n;
        if (c == 0xad) /* a soft hyphen is no part of its word */
            continue;
        c = lower(c);
        enum class next = class_of(c);
        if (next != now) {
            if (!add_token(f, now, out + start, used - start, characters))
                return false;
            now = next;
            start = used;
            characters = 0;
        }
        if (next != SEPARATOR) {
            used += utf8_encode((unsigned)c, out + used);
            characters++;
        }
    }
    return add_token(f, now, out + start, used - start, characters);
}

static bool is_ascii(const char *text, size_t len)
{
    unsigned char all = 0;
    for (size_t i = 0; i < len; i++)
        all |= (unsigned char)text[i];
    return all < 0x80;
}

/* Bytes of the first so many characters of valid UTF-8. */
static size_t first_characters(const char *text, size_t len, size_t characters)
{
    size_t at = 0;
    while (at < len && characters-- > 0)
        at += (unsigned char)text[at] < 0x80 ? 1 : utf8_sequence(text + at, len - at);
    return at;
}

static bool find_tokens(struct word_finder *f, const char *text, size_t len, size_t characters)
{
    buf_clear(&f->lower);
    f->tokens.count = 0;
    if (len > 4 * characters)
        len = 4 * characters;
    if (is_ascii(text, len))
        return tokens_of_ascii(f, text, len < characters ? len : characters);
    buf_clear(&f->clean);
    if (!buf_utf8(&f->clean, text, len))
        return false;
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)f->clean.data,
                     (utf8proc_ssize_t)first_characters(f->clean.data, f->clean.len, characters),
                     &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    bool good = n >= 0 && tokens_of_unicode(f, composed, (size_t)n);
    free(composed);
    return good;
}

/* --- language --- */

/* Of what script a word is, by its first character: "latin", "cyrillic", or the language that is
 * written in it; NULL: does not matter. In the order of the code points. */
static const char *script_of(int32_t c)
{
    static const struct {
        int32_t below;
        const char *script;
    } scripts[] = {
        {'a', NULL},    {0x2b0, "latin"}, {0x370, NULL},   {0x400, "el"},   {0x530, "cyrillic"},
        {0x590, "hy"},  {0x600, "he"},    {0x700, "ar"},   {0x750, NULL},   {0x780, "ar"},
        {0x900, NULL},  {0x980, "hi"},    {0xb80, NULL},   {0xc00, "ta"},   {0xe00, NULL},
        {0xe80, "th"},  {0xf00, "lo"},    {0x1000, NULL},  {0x10a0, "my"},  {0x1100, NULL},
        {0x1200, "ko"}, {0x1780, NULL},   {0x1800, "km"},  {0x1e00, NULL},  {0x1f00, "latin"},
        {0x2000, "el"}, {0x2e80, NULL},   {0xa000, "zh"},  {0xac00, NULL},  {0xd7b0, "ko"},
        {0xf900, NULL}, {0xfb00, "zh"},   {0x20000, NULL}, {0x40000, "zh"},
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (c < scripts[i].below)
            return scripts[i].script;
    return NULL;
}

static int32_t first_of(struct word w)
{
    utf8proc_int32_t c = 0;
    utf8proc_iterate((const utf8proc_uint8_t *)w.at, (utf8proc_ssize_t)w.len, &c);
    return c;
}

static bool has_between(const struct list *tokens, size_t count, int32_t from, int32_t to)
{
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < tokens->items[i].len;) {
            utf8proc_int32_t c = 0;
            at += (size_t)utf8proc_iterate((const utf8proc_uint8_t *)tokens->items[i].at + at,
                                           (utf8proc_ssize_t)(tokens->items[i].len - at), &c);
            if (c >= from && c <= to)
                return true;
        }
    return false;
}

/* The script of most tokens; of those with the same number the first in the alphabet. */
static const char *main_script(const struct list *tokens, size_t count)
{
    const char *found[16] = {NULL};
    int counts[16] = {0}, kinds = 0, best = -1;
    for (size_t i = 0; i < count; i++) {
        const char *script = script_of(first_of(tokens->items[i]));
        int k = 0;
        if (script == NULL)
            continue;
        while (k < kinds && strcmp(found[k], script) != 0)
            k++;
        if (k == kinds) {
            if (kinds == 16)
                continue;
            found[kinds++] = script;
        }
        counts[k]++;
    }
    for (int k = 0; k < kinds; k++)
        if (best < 0 || counts[k] > counts[best] ||
            (counts[k] == counts[best] && strcmp(found[k], found[best]) < 0))
            best = k;
    return best < 0 ? NULL : found[best];
}

/* Whether a stop word of a language counts for a text of the script. */
static bool counts_for(const char *language, const char *word, bool is_cyrillic)
{
    if (strcmp(language, "el") == 0 || strcmp(language, "ar") == 0 || strcmp(language, "hi") == 0)
        return false;
    bool cyrillic = strcmp(language, "ru") == 0 || strcmp(language, "uk") == 0 ||
                    (strcmp(language, "sr") == 0 && (unsigned char)*word >= 0xd0);
    return cyrillic == is_cyrillic;
}

/* The language with the most stop words among the tokens; NULL: none has any. */
static const char *language_by_stop_words(const struct list *tokens, size_t count, bool is_cyrillic,
                                          const char *fallback)
{
    int votes[STOP_LANGUAGES] = {0}, best = -1;
    int first = stop_language(fallback), second = stop_language("en");
    for (size_t i = 0; i < count; i++) {
        uint32_t set = stop_word(tokens->items[i].at, tokens->items[i].len);
        for (int l = 0; set != 0; l++, set >>= 1)
            if ((set & 1) && counts_for(stop_languages[l], tokens->items[i].at, is_cyrillic))
                votes[l]++;
    }
    for (int l = 0; l < STOP_LANGUAGES; l++) {
        if (votes[l] == 0)
            continue;
        bool is_preferred = l == first || (l == second && best != first);
        if (best < 0 || votes[l] > votes[best] || (votes[l] == votes[best] && is_preferred))
            best = l;
    }
    return best < 0 ? NULL : stop_languages[best];
}

static const char *find_language(const struct word_finder *f, const char *fallback)
{
    const struct list *tokens = &f->tokens;
    size_t count = tokens->count < LANGUAGE_TOKENS ? tokens->count : LANGUAGE_TOKENS;
    bool is_plain = true;
    for (size_t i = 0; i < count && is_plain; i++)
        is_plain = is_ascii(tokens->items[i].at, tokens->items[i].len);
    const char *script = is_plain ? "latin" : main_script(tokens, count);
    if (script == NULL)
        return fallback;
    if (strcmp(script, "zh") == 0)
        return has_between(tokens, count, 0x3041, 0x30ff) ? "ja" : "zh";
    if (strcmp(script, "ar") == 0) {
        bool persian =
            has_between(tokens, count, 0x67e, 0x67e) || has_between(tokens, count, 0x686, 0x686) ||
            has_between(tokens, count, 0x698, 0x698) || has_between(tokens, count, 0x6af, 0x6af);
        return persian ? "fa" : "ar";
    }
    bool is_cyrillic = strcmp(script, "cyrillic") == 0;
    if (!is_cyrillic && strcmp(script, "latin") != 0)
        return script;
    const char *found = language_by_stop_words(tokens, count, is_cyrillic, fallback);
    return found != NULL ? found : is_cyrillic ? "ru" : fallback;
}

/* --- words --- */

/* A new stemmer, or the one from before; *stemmer NULL where the language has none. */
static bool stemmer_of(struct word_finder *f, const char *language, struct sb_stemmer **stemmer)
{
    *stemmer = NULL;
    for (size_t i = 0; i < STEMMER_COUNT; i++) {
        if (strcmp(stemmers[i].language, language) != 0)
            continue;
        if (f->stemmers[i] == NULL)
            f->stemmers[i] = sb_stemmer_new(stemmers[i].algorithm, "UTF_8");
        *stemmer = f->stemmers[i];
        return *stemmer != NULL;
    }
    return true;
}

/* What a letter that has no accent, but stands for plain ones, becomes; NULL: itself. */
static const char *plain_letters(int32_t c)
{
    switch (c) {
    case 0xdf:
        return "ss";
    case 0xe6:
        return "ae";
    case 0x153:
        return "oe";
    case 0xfe:
        return "th";
    case 0xf8:
        return "o";
    case 0x142:
        return "l";
    case 0x111:
    case 0xf0:
        return "d";
    case 0x131:
        return "i";
    default:
        return NULL;
    }
}

/* Appends a word without accents to f->folded. Few words get here. */
static bool put_folded(struct word_finder *f, const char *word, size_t len)
{
    utf8proc_uint8_t *parts = NULL, *whole = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)word, (utf8proc_ssize_t)len, &parts,
                                      UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    size_t kept = 0;
    if (n < 0)
        return false;
    for (utf8proc_ssize_t i = 0; i < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t bytes = utf8proc_iterate(parts + i, n - i, &c);
        if (bytes < 1)
            break;
        if (c < 0x300 || c > 0x36f) {
            memmove(parts + kept, parts + i, (size_t)bytes);
            kept += (size_t)bytes;
        }
        i += bytes;
    }
    n = utf8proc_map(parts, (utf8proc_ssize_t)kept, &whole, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    free(parts);
    for (utf8proc_ssize_t i = 0; i < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t bytes = utf8proc_iterate(whole + i, n - i, &c);
        if (bytes < 1)
            break;
        const char *plain = plain_letters(c);
        if (plain != NULL)
            buf_puts(&f->folded, plain);
        else
            buf_append(&f->folded, whole + i, (size_t)bytes);
        i += bytes;
    }
    free(whole);
    return n >= 0 && !f->folded.failed;
}

/* Words are put with their offset in f->folded, which may move until all are there. */
static bool put_word(struct word_finder *f, const char *word, size_t len)
{
    size_t at = f->folded.len;
    bool good = is_ascii(word, len) ? buf_append(&f->folded, word, len) : put_folded(f, word, len);
    if (!good)
        return false;
    return f->folded.len == at ||
           list_add(&f->words, (const char *)(uintptr_t)at, f->folded.len - at);
}

static bool stem_tokens(struct word_finder *f)
{
    struct sb_stemmer *stemmer;
    const char *language = f->language;
    if (strcmp(language, "nb") == 0 || strcmp(language, "nn") == 0)
        language = "no";
    int stop_at = stop_language(language);
    uint32_t stop = stop_at < 0 ? 0 : (uint32_t)1 << stop_at;
    f->words.count = 0;
    buf_clear(&f->folded);
    if (!stemmer_of(f, language, &stemmer))
        return false;
    for (size_t i = 0; i < f->tokens.count; i++) {
        struct word w = f->tokens.items[i];
        if (stop != 0 && (stop_word(w.at, w.len) & stop) != 0)
            continue;
        if (stemmer != NULL) {
            const sb_symbol *stem = sb_stemmer_stem(stemmer, (const sb_symbol *)w.at, (int)w.len);
            if (stem == NULL)
                return false;
            /* A stemmer may leave nothing of a word that is all ending. */
            if (sb_stemmer_length(stemmer) > 0)
                w = (struct word){(const char *)stem, (uint32_t)sb_stemmer_length(stemmer)};
        }
        if (!put_word(f, w.at, w.len))
            return false;
    }
    for (size_t i = 0; i < f->words.count; i++)
        f->words.items[i].at = f->folded.data + (uintptr_t)f->words.items[i].at;
    return true;
}

static void set_language(struct word_finder *f, const char *language)
{
    utf8_copy(f->language, sizeof f->language, language);
}

bool words_find(struct word_finder *f, const char *text, size_t len, const char *language,
                const char *fallback, const struct word **words, size_t *count)
{
    if (!find_tokens(f, text, len, WORDS_TEXT_MAX))
        return false;
    set_language(f, language != NULL ? language : find_language(f, fallback));
    if (!stem_tokens(f))
        return false;
    *words = f->words.items;
    *count = f->words.count;
    return true;
}

/* Where the last so many characters of a text begin that may be any bytes. */
static size_t last_characters(const char *text, size_t len, size_t characters)
{
    while (len > 0 && characters > 0) {
        len--;
        characters -= ((unsigned char)text[len] & 0xc0) != 0x80;
    }
    return len;
}

bool words_of_question(struct word_finder *f, const char *text, size_t len, const char *fallback,
                       const struct word **words, size_t *count)
{
    struct buf both;
    size_t half = WORDS_QUESTION_MAX / 2;
    size_t tail = last_characters(text, len, half);
    if (len <= WORDS_QUESTION_MAX)
        return words_find(f, text, len, NULL, fallback, words, count);
    size_t head = 0;
    for (size_t left = half; head < len && left > 0; left--)
        do
            head++;
        while (head < len && ((unsigned char)text[head] & 0xc0) == 0x80);
    if (head >= tail)
        return words_find(f, text, len, NULL, fallback, words, count);
    buf_init(&both, BYTES_MAX);
    buf_append(&both, text, head);
    buf_putc(&both, ' ');
    bool good = buf_append(&both, text + tail, len - tail) &&
                words_find(f, both.data, both.len, NULL, fallback, words, count);
    buf_release(&both);
    return good;
}

const char *words_language(const struct word_finder *f)
{
    return f->language;
}

const char *text_language(struct word_finder *f, const char *text, size_t len, const char *fallback)
{
    if (!find_tokens(f, text, len, LANGUAGE_TEXT))
        return fallback;
    return find_language(f, fallback);
}
