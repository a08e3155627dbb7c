/* Words, copies and finding in them. */
#include "search/find.h"
#include "search/index.h"
#include "search/search.h"
#include "search/words.h"
#include "unit.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/uplift-search.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* --- words --- */

/* The words of a text with blanks between them, in a static array. */
static const char *said(struct word_finder *f, const char *text, const char *language)
{
    static char out[8192];
    const struct word *words;
    size_t count, used = 0;
    assert_true(words_find(f, text, strlen(text), language, "en", &words, &count));
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%.*s", i > 0 ? " " : "",
                                 (int)words[i].len, words[i].at);
    return out;
}

static void words_are_stemmed(void **state)
{
    static const struct {
        const char *text, *language, *words, *found;
    } cases[] = {
        {"How do I start running? I'm not a runner!", NULL, "start run runner", "en"},
        {"", NULL, "", "en"},
        {"?!... \t\n", NULL, "", "en"},
        {"Was ist das beste Frühstück für Läufer?", NULL, "best fruhstuck lauf", "de"},
        {"¿Cómo empiezo a correr por las mañanas?", NULL, "empiez corr manan", "es"},
        {"Как начать бегать по утрам?", NULL, "нача бега утр", "ru"},
        {"我想减肥", NULL, "我想 想减 减肥", "zh"},
        {"東京で走る", NULL, "東京 京で で走 走る", "ja"},
        {"水", NULL, "水", "zh"},
        {"iPhone用 case", "en", "iphon 用 case", "en"},
        {"caf\xc3\xa9 cafe\xcc\x81 CAF\xc3\x89 cafe", "en", "cafe cafe cafe cafe", "en"},
        {"\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd run\xf0\x9f\x8f\x83ner", "en", "run ner", "en"},
        {"Stra\xc3\x9f"
         "e \xc3\x98l na\xc3\xafve",
         "pl", "strasse ol naive", "pl"},
        {"bad \xff\xfe bytes\xe2\x82", "en", "bad byte", "en"},
        {"soft\xc2\xadhyphen", "pl", "softhyphen", "pl"},
    };
    struct word_finder *f = word_finder_new();
    (void)state;
    assert_non_null(f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(said(f, cases[i].text, cases[i].language), cases[i].words);
        assert_string_equal(words_language(f), cases[i].found);
    }
    word_finder_free(f);
}

/* In doubt it is the language of the texts that are searched. */
static void fallback_decides_between_languages(void **state)
{
    struct word_finder *f = word_finder_new();
    const struct word *words;
    size_t count;
    (void)state;
    assert_true(words_find(f, "protein", 7, NULL, "sv", &words, &count));
    assert_string_equal(words_language(f), "sv");
    /* "in" is a word of German and of English. */
    assert_string_equal(text_language(f, "in", 2, "de"), "de");
    assert_string_equal(text_language(f, "in", 2, "sv"), "en");
    word_finder_free(f);
}

static void limits_hold(void **state)
{
    struct word_finder *f = word_finder_new();
    const struct word *words;
    size_t count, len = 1000000;
    char *text = malloc(len);
    (void)state;
    memset(text, 'x', len);
    assert_true(words_find(f, text, WORD_MAX + 1, "pl", "en", &words, &count));
    assert_int_equal(count, 0);
    assert_true(words_find(f, text, WORD_MAX, "pl", "en", &words, &count));
    assert_int_equal(count, 1);
    for (size_t i = 0; i < len; i += 2)
        text[i] = ' ';
    assert_true(words_find(f, text, len, "pl", "en", &words, &count));
    assert_int_equal(count, WORDS_TEXT_MAX / 2);
    free(text);
    word_finder_free(f);
}

/* Of a long question the first and the last thousand characters are words. */
static void long_questions_are_cut(void **state)
{
    struct word_finder *f = word_finder_new();
    const struct word *words;
    char text[8000];
    size_t count, len = 0;
    (void)state;
    for (int i = 0; i < 1000; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "w%03d ", i);
    assert_int_equal(len, 5000);
    assert_true(words_of_question(f, text, len, "pl", &words, &count));
    assert_int_equal(count, 400);
    assert_memory_equal(words[199].at, "w199", 4);
    assert_memory_equal(words[200].at, "w800", 4);
    assert_memory_equal(words[399].at, "w999", 4);
    /* Characters, not bytes: these are 1998 of them. */
    len = 0;
    for (int i = 0; i < 666; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "\xd1\x84%d ", i % 10);
    assert_true(words_of_question(f, text, len, "pl", &words, &count));
    assert_int_equal(count, 666);
    word_finder_free(f);
}

/* --- copies --- */

/* A random text of words w0 ... w<kinds>, the first of which are the most common. */
static size_t some_words(unsigned *seed, unsigned kinds, struct word *words, char (*names)[8],
                         size_t most)
{
    size_t count = 1 + (size_t)rand_r(seed) % most;
    for (size_t i = 0; i < count; i++) {
        double r = (double)rand_r(seed) / RAND_MAX;
        snprintf(names[i], sizeof names[i], "w%u", (unsigned)(kinds * r * r * r));
        words[i] = (struct word){names[i], (uint32_t)strlen(names[i])};
    }
    return count;
}

#define TEXTS 3000
#define KINDS 400
#define LONGEST 60

/* What was indexed, for working scores out by hand. */
static unsigned char often[2 * TEXTS][KINDS + 1];
static unsigned lengths[2 * TEXTS];
static float weights[2 * TEXTS];

/* Texts from first on, with ids of three times their number and three. */
static struct index *some_index(unsigned *seed, size_t first, size_t count)
{
    struct index *x = index_new();
    struct word words[LONGEST];
    char names[LONGEST][8];
    assert_non_null(x);
    for (size_t t = first; t < first + count; t++) {
        size_t n = some_words(seed, KINDS, words, names, LONGEST);
        memset(often[t], 0, sizeof often[t]);
        lengths[t] = (unsigned)n;
        weights[t] = t % 7 == 0 ? .5f : 1;
        for (size_t i = 0; i < n; i++)
            often[t][atoi(names[i] + 1)]++;
        struct index_text meta = {.id = (int64_t)t * 3 + 3, .weight = weights[t], .language = "de"};
        assert_true(index_begin(x, &meta));
        assert_true(index_add(x, words, n, 1));
    }
    assert_int_equal(index_count(x), count);
    return x;
}

static struct copy written(const struct index *x, const struct index_options *options)
{
    struct copy copy;
    char reason[200];
    enum copy_fault fault;
    assert_true(index_write(x, path_of(options->shelf), options));
    assert_true(copy_open(&copy, path_of(options->shelf), reason, sizeof reason, &fault));
    return copy;
}

static double score_of(size_t text, const char *const *asked, size_t asked_count, size_t count,
                       double mean)
{
    double score = 0;
    for (size_t i = 0; i < asked_count; i++) {
        int word = atoi(asked[i] + 1);
        double df = 0, tf = often[text][word];
        for (size_t t = 0; t < count; t++)
            df += often[t][word] > 0;
        double of = count < FIND_TEXTS_LEAST ? FIND_TEXTS_LEAST : (double)count;
        score += log(1 + (of - df + .5) / (df + .5)) * 2.5 * tf /
                 (tf + 1.5 * (.25 + .75 * lengths[text] / mean));
    }
    return score * (double)weights[text];
}

static double mean_of(size_t count)
{
    double sum = 0;
    for (size_t t = 0; t < count; t++)
        sum += lengths[t];
    return sum / (double)count;
}

/* The hits are those with the highest scores as the formula has them, within what 8 bits lose. */
static void check_hits(const struct find_copies *copies, size_t count, const bool *is_gone)
{
    static const char *const asked[] = {"w3", "w17", "w120", "w399", "w1"};
    struct find_word words[5];
    struct find_hit hits[20];
    double mean = mean_of(count), last = 0, best_left = 0;
    bool is_hit[2 * TEXTS] = {false};
    for (size_t i = 0; i < 5; i++)
        words[i] = (struct find_word){asked[i], (uint32_t)strlen(asked[i]), 1, 0};
    assert_int_equal(find_hits(copies, words, 5, 20, hits), 20);
    for (int i = 0; i < 20; i++) {
        size_t t = (size_t)(hits[i].id / 3 - 1);
        double score = score_of(t, asked, 5, count, mean);
        assert_false(is_gone[t]);
        assert_true(fabs(score - (double)hits[i].score) < .02 * score);
        is_hit[t] = true;
        last = score;
    }
    for (size_t t = 0; t < count; t++)
        if (!is_hit[t] && !is_gone[t] && score_of(t, asked, 5, count, mean) > best_left)
            best_left = score_of(t, asked, 5, count, mean);
    assert_true(best_left < last * 1.02);
}

static void finds_what_the_formula_says(void **state)
{
    unsigned seed = 7;
    static bool is_gone[2 * TEXTS];
    struct index *x = some_index(&seed, 0, TEXTS);
    struct copy base = written(
        x, &(struct index_options){.shelf = "base", .origin = "here/1", .horizon = 77, .base = 5});
    (void)state;
    assert_string_equal(base.header->language, "de");
    assert_string_equal(base.header->origin, "here/1");
    assert_int_equal(base.header->horizon, 77);
    assert_int_equal(copy_doc(&base, 3), 0);
    assert_int_equal(copy_doc(&base, TEXTS * 3), TEXTS - 1);
    assert_int_equal(copy_doc(&base, 4), -1);
    check_hits(&(struct find_copies){.base = &base}, TEXTS, is_gone);
    index_free(x);
    copy_close(&base);
}

static void finds_in_both_copies(void **state)
{
    unsigned seed = 11;
    static bool is_gone[2 * TEXTS];
    uint32_t gone[TEXTS / 10];
    struct index *x = some_index(&seed, 0, TEXTS), *y = some_index(&seed, TEXTS, TEXTS);
    (void)state;
    for (uint32_t i = 0; i < TEXTS / 10; i++) {
        gone[i] = i * 10;
        is_gone[i * 10] = true;
    }
    struct copy base =
        written(x, &(struct index_options){.shelf = "base", .origin = "", .base = 5});
    struct copy recent = written(y, &(struct index_options){.shelf = "recent",
                                                            .origin = "",
                                                            .base = 5,
                                                            .gone = gone,
                                                            .gone_count = TEXTS / 10,
                                                            .base_docs = TEXTS,
                                                            .base_words = base.header->word_total});
    uint64_t *bits = find_gone_bits(&base, &recent);
    check_hits(&(struct find_copies){.base = &base, .recent = &recent, .gone = bits}, 2 * TEXTS,
               is_gone);
    free(bits);
    index_free(x);
    index_free(y);
    copy_close(&base);
    copy_close(&recent);
}

static void few_hits_are_in_order(void **state)
{
    struct index *x = index_new();
    struct find_hit hits[20];
    struct word tea = {"tea", 3}, milk = {"milk", 4};
    (void)state;
    for (int64_t id = 1; id <= 3; id++) {
        assert_true(index_begin(x, &(struct index_text){.id = id, .weight = 1, .language = "en"}));
        assert_true(index_add(x, &tea, 1, 1));
        assert_true(index_add(x, &milk, 1, id == 2 ? 3 : 1));
    }
    struct copy base = written(x, &(struct index_options){.shelf = "few", .origin = ""});
    struct find_copies copies = {.base = &base};
    struct find_word asked[] = {{"tea", 3, 1, 0}, {"water", 5, 1, 0}};
    assert_int_equal(find_hits(&copies, asked, 2, 20, hits), 3);
    assert_int_equal(hits[0].id, 1); /* of the same score the first */
    assert_int_equal(hits[1].id, 3);
    assert_int_equal(hits[2].id, 2); /* the longest */
    assert_true(fabsf(asked[0].idf - (float)log(1 + 997.5 / 3.5)) < 1e-6f);
    assert_true(fabsf(asked[1].idf - (float)log(1 + 1000.5 / .5)) < 1e-6f);
    assert_int_equal(find_hits(&copies, asked + 1, 1, 20, hits), 0);
    assert_int_equal(find_hits(&copies, asked, 0, 20, hits), 0);
    assert_int_equal(find_hits(&copies, asked, 1, 2, hits), 2);
    index_free(x);
    copy_close(&base);
}

static void empty_copy_has_nothing(void **state)
{
    struct index *x = index_new();
    struct find_hit hits[20];
    struct find_word asked[] = {{"tea", 3, 1, 0}};
    struct copy base = written(x, &(struct index_options){.shelf = "empty", .origin = ""});
    uint64_t docs = 1;
    (void)state;
    assert_int_equal(find_hits(&(struct find_copies){.base = &base}, asked, 1, 20, hits), 0);
    assert_true(find_mean(&(struct find_copies){.base = &base}, &docs) == FIND_MEAN_OF_NONE);
    assert_int_equal(docs, 0);
    index_free(x);
    copy_close(&base);
}

/* --- bad copies --- */

static char *bytes_of(const char *name, size_t *size)
{
    FILE *file = fopen(path_of(name), "rb");
    struct stat st;
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);
    *size = (size_t)st.st_size;
    char *bytes = malloc(*size);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void refuses_bad_files(void **state)
{
    unsigned seed = 3;
    char reason[200];
    struct copy copy;
    size_t size;
    enum copy_fault fault;
    struct index *x = some_index(&seed, 0, 50);
    struct copy good = written(x, &(struct index_options){.shelf = "good", .origin = ""});
    char *bytes = bytes_of("good", &size);
    (void)state;
    copy_close(&good);
    index_free(x);
    /* Every truncated one. */
    for (size_t len = 0; len < size; len++)
        assert_false(copy_check(&copy, bytes, len, reason, sizeof reason));
    /* Every byte another. */
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(bytes[i] ^ 0x41);
        assert_false(copy_check(&copy, bytes, size, reason, sizeof reason));
        bytes[i] = (char)(bytes[i] ^ 0x41);
    }
    assert_true(copy_check(&copy, bytes, size, reason, sizeof reason));
    ((struct copy_header *)bytes)->version = 9;
    assert_false(copy_check(&copy, bytes, size, reason, sizeof reason));
    assert_string_equal(reason, "it is of version 9, not 1");
    ((struct copy_header *)bytes)->version = COPY_VERSION;
    assert_false(copy_check(&copy, bytes, size - 8, reason, sizeof reason));
    assert_non_null(strstr(reason, "bytes of"));
    free(bytes);
    assert_false(copy_open(&copy, path_of("nowhere"), reason, sizeof reason, &fault));
    assert_int_equal(fault, COPY_MISSING);
    assert_false(copy_open(&copy, dir, reason, sizeof reason, &fault));
    assert_int_equal(fault, COPY_BAD);
    FILE *file = fopen(path_of("zero"), "wb");
    fclose(file);
    assert_false(copy_open(&copy, path_of("zero"), reason, sizeof reason, &fault));
    assert_string_equal(reason, "it is empty");
}

static void keeps_the_old_file_when_it_cannot_write(void **state)
{
    struct index *x = index_new();
    struct copy copy = written(x, &(struct index_options){.shelf = "kept", .origin = ""});
    char reason[200];
    enum copy_fault fault;
    (void)state;
    copy_close(&copy);
    assert_int_equal(mkdir(path_of("kept.new"), 0700), 0); /* in the way */
    assert_false(
        index_write(x, path_of("kept"), &(struct index_options){.shelf = "kept", .origin = ""}));
    assert_true(copy_open(&copy, path_of("kept"), reason, sizeof reason, &fault));
    copy_close(&copy);
    index_free(x);
}

/* --- a worker's search --- */

#define ASKERS 4
#define SWAPS 60

static atomic_bool is_over;

/* Writes a file of a shelf with the word "tea" in texts from..to, of this base. */
static void write_file(const char *shelf, const char *ending, int64_t from, int64_t to,
                       uint64_t base, uint32_t gone_count)
{
    char name[64];
    uint32_t gone[64];
    struct word tea = {"tea", 3};
    struct index *x = index_new();
    for (int64_t id = from; id <= to; id++) {
        assert_true(index_begin(x, &(struct index_text){.id = id, .weight = 1, .language = "en"}));
        assert_true(index_add(x, &tea, 1, 1));
    }
    for (uint32_t i = 0; i < gone_count; i++)
        gone[i] = i;
    snprintf(name, sizeof name, "%s.%s", shelf, ending);
    assert_true(index_write(x, path_of(name),
                            &(struct index_options){.shelf = shelf,
                                                    .origin = "here/1",
                                                    .base = base,
                                                    .horizon = base,
                                                    .gone = gone,
                                                    .gone_count = gone_count}));
    index_free(x);
}

static void *ask_again_and_again(void *arg)
{
    struct buf out;
    buf_init(&out, 65536);
    uintptr_t found = 0;
    while (!atomic_load(&is_over)) {
        buf_clear(&out);
        if (search_describe(arg, "A cup of tea, please", 20, &out))
            found++;
    }
    buf_release(&out);
    return (void *)found;
}

/* Whether a description of "tea" has this in it, before long. */
static bool comes_to_say(struct search *s, const char *part)
{
    struct timespec pause = {.tv_nsec = 5000000};
    struct buf out;
    bool found = false;
    buf_init(&out, 65536);
    for (int i = 0; i < 4000 && !found; i++) {
        buf_clear(&out);
        found = search_describe(s, "tea", 3, &out) && strstr(out.data, part) != NULL;
        if (!found)
            nanosleep(&pause, NULL);
    }
    buf_release(&out);
    return found;
}

static void copies_are_swapped_under_searches(void **state)
{
    pthread_t threads[ASKERS];
    void *found;
    struct search_state states[SHELVES];
    struct buf out;
    (void)state;
    buf_init(&out, 65536);
    struct search *s = search_start(dir);
    assert_non_null(s);
    assert_string_equal(search_trouble(s), "missing");
    assert_true(search_describe(s, "tea", 3, &out)); /* the words alone */
    assert_string_equal(out.data, "{\"search\":{\"words\":[\"tea\"],\"language\":\"en\"}");
    buf_clear(&out);
    write_file("knowledge", "base", 1, 40, 1, 0);
    FILE *alive = fopen(path_of("alive"), "wb");
    fclose(alive);
    assert_true(comes_to_say(s,
                             "{\"search\":{\"words\":[\"tea\"],\"language\":\"en\",\"knowledge\":{"
                             "\"origin\":\"here/1\",\"horizon\":\"1\",\"mean\":1,\"idf\":\"["));
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_again_and_again, s), 0);
    for (uint64_t swap = 2; swap <= SWAPS; swap++) {
        char horizon[40];
        uint64_t base = swap / 3 * 3 + 1; /* each base has three recent files */
        if (swap % 3 == 0)
            write_file("knowledge", "base", 1, 40, base, 0);
        write_file("knowledge", "recent", 41, 40 + (int64_t)(swap % 5), base, (uint32_t)(swap % 7));
        snprintf(horizon, sizeof horizon, "\"horizon\":\"%llu\"", (unsigned long long)base);
        assert_true(comes_to_say(s, horizon));
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_join(threads[i], &found), 0);
        assert_true((uintptr_t)found > 0);
    }
    assert_string_equal(search_trouble(s), "missing"); /* the other shelf */
    search_state(s, states);
    assert_true(states[0].is_there);
    assert_false(states[1].is_there);
    write_file("examples", "base", 1, 3, 1, 0);
    assert_true(comes_to_say(s, "\"examples\":{\"origin\":\"here/1\",\"horizon\":\"1\""));
    assert_null(search_trouble(s));
    assert_false(search_describe(s, "the of and", 10, &out)); /* no words */
    assert_false(search_describe(NULL, "tea", 3, &out));
    assert_false(search_describe(s, NULL, 0, &out));
    assert_int_equal(out.len, 0);
    buf_puts(&out, "{\"model\":\"m\"");
    assert_true(search_describe(s, "tea", 3, &out));
    assert_ptr_equal(strstr(out.data, "{\"model\":\"m\",\"search\":{"), out.data);
    buf_release(&out);
    search_stop(s);
    search_stop(NULL);
}

/* Moves the time of the builder's life, and waits until a look has noticed. */
static void await_look(struct search *s)
{
    static int64_t hours;
    struct timespec pause = {.tv_nsec = 5000000}, times[2];
    struct search_state states[SHELVES];
    int64_t age_ms = ++hours * 3600000;
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= hours * 3600;
    times[1] = times[0];
    fclose(fopen(path_of("alive"), "ab"));
    assert_int_equal(utimensat(AT_FDCWD, path_of("alive"), times, 0), 0);
    for (int i = 0; i < 4000; i++) {
        search_state(s, states);
        if (states[0].age_ms >= age_ms && states[0].age_ms < age_ms + 1800000)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("no look was taken");
}

/* As when there are too many files open: that passes. */
static void a_copy_that_cannot_be_opened_is_tried_again(void **state)
{
    struct rlimit limit, none;
    struct search_state states[SHELVES];
    (void)state;
    write_file("knowledge", "base", 1, 40, 500, 0);
    write_file("knowledge", "recent", 41, 42, 500, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct search *s = search_start(dir);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_non_null(s);
    await_look(s);
    await_look(s);
    search_state(s, states);
    assert_true(states[0].is_there);
    assert_int_equal(states[0].texts, 42);
    search_stop(s);
}

/* How often the recent file was opened in some looks. */
static int opened(void)
{
    union {
        struct inotify_event event;
        char bytes[4096];
    } read_in;
    int count = 0, fd = inotify_init1(IN_NONBLOCK);
    ssize_t got;
    assert_true(fd >= 0);
    assert_true(inotify_add_watch(fd, path_of("knowledge.recent"), IN_OPEN) >= 0);
    struct search *s = search_start(dir);
    assert_non_null(s);
    for (int i = 0; i < 3; i++)
        await_look(s);
    search_stop(s);
    while ((got = read(fd, read_in.bytes, sizeof read_in.bytes)) > 0)
        count += (int)((size_t)got / sizeof read_in.event); /* one file's events have no name */
    close(fd);
    return count;
}

static void a_recent_file_is_mapped_only_for_its_base(void **state)
{
    (void)state;
    write_file("knowledge", "base", 1, 40, 600, 0);
    write_file("knowledge", "recent", 41, 42, 600, 0);
    assert_int_equal(opened(), 1);
    write_file("knowledge", "base", 1, 40, 601, 0);
    assert_int_equal(opened(), 1);
    assert_int_equal(unlink(path_of("knowledge.base")), 0);
    assert_int_equal(opened(), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(words_are_stemmed),
    cmocka_unit_test(fallback_decides_between_languages),
    cmocka_unit_test(limits_hold),
    cmocka_unit_test(long_questions_are_cut),
    cmocka_unit_test(finds_what_the_formula_says),
    cmocka_unit_test(finds_in_both_copies),
    cmocka_unit_test(few_hits_are_in_order),
    cmocka_unit_test(empty_copy_has_nothing),
    cmocka_unit_test(refuses_bad_files),
    cmocka_unit_test(keeps_the_old_file_when_it_cannot_write),
    cmocka_unit_test(copies_are_swapped_under_searches),
    cmocka_unit_test(a_copy_that_cannot_be_opened_is_tried_again),
    cmocka_unit_test(a_recent_file_is_mapped_only_for_its_base),
};

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
