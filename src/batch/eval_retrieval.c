/* The corpus becomes a copy file as the builder writes it, and is searched as a worker does it.
 * Figures are those of trec_eval: gains are grades, MAP is over the first thousand. */
#include "eval_retrieval.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/program.h"
#include "eval_vectors.h"
#include "search/find.h"
#include "search/index.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64 * 1024 * 1024)
#define GRADE_MAX 1000000
#define DEPTH 1000 /* hits that figures are worked out of */
#define SHOWN 10   /* hits that a chat asks for, and that are timed */
#define CUT 10
#define TELL_EVERY_MS 1000

/* A text or a query; both lists are sorted by id once they are read. */
struct entry {
    char *id;       /* owned */
    char *text;     /* owned; of a query */
    int64_t number; /* in the order of the file, from 1 */
};

struct entries {
    struct entry *items;
    size_t count, room;
};

struct judgement {
    size_t query;   /* in the sorted list */
    int64_t number; /* of the text; 0: not in the corpus */
    int grade;
};

/* How good some hits were: sums over all queries. */
struct figures {
    double ndcg, recall_10, recall_100, map;
};

struct eval {
    const struct config *config;
    const char *dir, *language;
    bool has_vectors;
    struct eval_vectors text_vectors, query_vectors; /* of queries by their place when sorted */
    struct entries texts, queries;
    struct judgement *judgements;
    size_t judgement_count, judgement_room, unknown;
    struct word_finder *finder;
    struct index *index;
    struct copy copy;
    struct find_hit hits[DEPTH + 1], near[DEPTH + 1], fused[DEPTH + 1];
    double build_ms;
    double *times_ms; /* of each query that was asked */
    size_t asked;
    struct figures by_words, by_vectors, by_both;
    int64_t told_ms;
};

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("fcgi-batch: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

static void tell(struct eval *e, const char *what, size_t count)
{
    int64_t now = clock_ms();
    if (now - e->told_ms < TELL_EVERY_MS)
        return;
    e->told_ms = now;
    fprintf(stderr, "%zu %s\n", count, what);
}

/* --- lists --- */

/* Takes the entry over in every case. */
static bool entries_add(struct entries *list, struct entry *entry)
{
    bool good = entry->id != NULL;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 1024 : list->room * 2;
        struct entry *items = realloc(list->items, room * sizeof *items);
        if (items != NULL) {
            list->items = items;
            list->room = room;
        }
    }
    good = good && list->count < list->room;
    if (good) {
        list->items[list->count++] = *entry;
    } else {
        free(entry->id);
        free(entry->text);
    }
    return good;
}

static void entries_release(struct entries *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].id);
        free(list->items[i].text);
    }
    free(list->items);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

static const struct entry *entries_find(const struct entries *list, char *id)
{
    struct entry key = {.id = id};
    return list->count == 0 ? NULL : bsearch(&key, list->items, list->count, sizeof key, by_id);
}

/* Sorts by id; false, with a complaint, when one is there twice. */
static bool entries_sort(struct entries *list, const char *file)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, by_id);
    for (size_t i = 1; i < list->count; i++)
        if (by_id(&list->items[i - 1], &list->items[i]) == 0)
            return complain("%s: _id %.100s is there twice", file, list->items[i].id);
    return list->count > 0 || complain("%s: is empty", file);
}

/* --- reading --- */

/* Calls take for each line of a file, without its end; an empty one is passed over. */
static bool read_lines(struct eval *e, const char *name,
                       bool (*take)(struct eval *, const char *where, char *line, size_t len,
                                    size_t number))
{
    char path[4096], where[4200];
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t len;
    bool good = snprintf(path, sizeof path, "%s/%s", e->dir, name) < (int)sizeof path;
    FILE *file = good ? fopen(path, "re") : NULL;
    if (file == NULL)
        return complain("could not open %s: %s", path, good ? strerror(errno) : "name too long");
    while (good && (len = getline(&line, &room, file)) >= 0) {
        snprintf(where, sizeof where, "%s, line %zu", path, ++number);
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        if (len > LINE_MAX_BYTES)
            good = complain("%s: is longer than %d bytes", where, LINE_MAX_BYTES);
        else if (len > 0)
            good = take(e, where, line, (size_t)len, number);
    }
    if (good && ferror(file))
        good = complain("could not read %s: %s", path, strerror(errno));
    free(line);
    fclose(file);
    return good;
}

/* The object of a line with an _id and a text, which are copied; NULL with a complaint. */
static cJSON *read_object(const char *where, const char *line, size_t len, struct entry *entry)
{
    struct json_error error;
    cJSON *object = json_parse(line, len, &error);
    if (object == NULL) {
        complain("%s: %s", where, error.message);
        return NULL;
    }
    const char *id = json_string(object, "_id"), *text = json_string(object, "text");
    if (id == NULL || text == NULL) {
        complain("%s: has no _id, or no text, that is a string", where);
        cJSON_Delete(object);
        return NULL;
    }
    *entry = (struct entry){.id = strdup(id)};
    return object;
}

static bool add_words(struct eval *e, const char *text, const char *language, unsigned times)
{
    const struct word *words;
    size_t count;
    return words_find(e->finder, text, strlen(text), language, "en", &words, &count) &&
           index_add(e->index, words, count, times);
}

static bool take_text(struct eval *e, const char *where, char *line, size_t len, size_t number)
{
    struct entry entry;
    cJSON *object = read_object(where, line, len, &entry);
    if (object == NULL)
        return false;
    const char *title = json_string(object, "title"), *text = json_string(object, "text");
    entry.number = (int64_t)number;
    struct index_text meta = {.id = entry.number, .weight = 1};
    snprintf(meta.language, sizeof meta.language, "%s",
             e->language != NULL ? e->language
                                 : text_language(e->finder, text, strlen(text), "en"));
    char why[256] = "out of memory";
    bool good =
        entries_add(&e->texts, &entry) && index_begin(e->index, &meta) &&
        (title == NULL || add_words(e, title, meta.language, 3)) &&
        add_words(e, text, meta.language, 1) &&
        (!e->has_vectors || eval_vectors_add(&e->text_vectors, entry.number, title, text, why));
    cJSON_Delete(object);
    tell(e, "texts read", number);
    return good || complain("%s: %s", where, why);
}

static bool take_query(struct eval *e, const char *where, char *line, size_t len, size_t number)
{
    struct entry entry;
    cJSON *object = read_object(where, line, len, &entry);
    if (object == NULL)
        return false;
    entry.number = (int64_t)number;
    entry.text = strdup(json_string(object, "text"));
    cJSON_Delete(object);
    bool has_text = entry.text != NULL;
    /* cppcheck-suppress memleak; the list has it, or it was freed */
    return (entries_add(&e->queries, &entry) && has_text) || complain("%s: out of memory", where);
}

static bool add_judgement(struct eval *e, struct judgement j)
{
    if (e->judgement_count == e->judgement_room) {
        size_t room = e->judgement_room == 0 ? 1024 : e->judgement_room * 2;
        struct judgement *more = realloc(e->judgements, room * sizeof *more);
        if (more == NULL)
            return false;
        e->judgements = more;
        e->judgement_room = room;
    }
    e->judgements[e->judgement_count++] = j;
    return true;
}

static bool take_judgement(struct eval *e, const char *where, char *line, size_t len, size_t number)
{
    char *rest = line, *end;
    char *query = strsep(&rest, "\t"), *text = strsep(&rest, "\t"), *grade = strsep(&rest, "\t");
    (void)len;
    if (grade == NULL)
        return complain("%s: is not query, text and grade with tabs between them", where);
    errno = 0;
    long value = strtol(grade, &end, 10);
    if (end == grade || *end != '\0' || errno != 0 || value < -GRADE_MAX || value > GRADE_MAX)
        return number == 1 || complain("%s: the grade %.40s is not a whole number", where, grade);
    const struct entry *q = entries_find(&e->queries, query);
    const struct entry *t = entries_find(&e->texts, text);
    if (q == NULL)
        return complain("%s: there is no query %.100s", where, query);
    e->unknown += t == NULL;
    return add_judgement(e, (struct judgement){.query = (size_t)(q - e->queries.items),
                                               .number = t != NULL ? t->number : 0,
                                               .grade = (int)value}) ||
           complain("%s: out of memory", where);
}

static int by_query(const void *a, const void *b)
{
    const struct judgement *x = a, *y = b;
    if (x->query != y->query)
        return x->query < y->query ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_grade(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

/* --- the index --- */

static bool make_copy(struct eval *e)
{
    const char *tmp = getenv("TMPDIR");
    char dir[4096], path[4200], reason[200];
    enum copy_fault fault;
    snprintf(dir, sizeof dir, "%.4000s/uplift-eval.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return complain("could not make the directory %s: %s", dir, strerror(errno));
    snprintf(path, sizeof path, "%s/eval.base", dir);
    bool good = index_write(e->index, path, &(struct index_options){.shelf = "eval", .origin = ""});
    if (good && !copy_open(&e->copy, path, reason, sizeof reason, &fault))
        good = complain("could not read the index: %s", reason);
    unlink(path);
    rmdir(dir);
    return good;
}

static bool read_corpus(struct eval *e)
{
    double before = cpu_ms();
    e->finder = word_finder_new();
    e->index = index_new();
    if (e->finder == NULL || e->index == NULL)
        return complain("out of memory");
    char why[256];
    if (!read_lines(e, "corpus.jsonl", take_text) || !make_copy(e))
        return false;
    if (!eval_vectors_finish(&e->text_vectors, why))
        return complain("corpus.jsonl: %s", why);
    e->build_ms = cpu_ms() - before;
    index_free(e->index);
    e->index = NULL;
    return entries_sort(&e->texts, "corpus.jsonl");
}

/* --- figures --- */

/* Asks for so many hits, as a worker does; how many there are, -1: no memory. */
static int ask(struct eval *e, const char *text, size_t wanted)
{
    const struct word *words;
    struct find_word asked[FIND_WORDS_MAX];
    struct find_copies copies = {.base = &e->copy};
    size_t count;
    if (!words_of_question(e->finder, text, strlen(text), e->copy.header->language, &words, &count))
        return -1;
    count = find_distinct(words, count, asked);
    return (int)find_hits(&copies, asked, count, wanted, e->hits);
}

static int grade_of(const struct judgement *j, size_t count, int64_t number)
{
    for (size_t i = 0; i < count; i++)
        if (j[i].number == number)
            return j[i].grade > 0 ? j[i].grade : 0;
    return 0;
}

/* What is known of a query: its judgements, and the grades of the texts that are relevant, the best
 * first. */
struct wanted {
    const struct judgement *judgements;
    size_t count;
    const int *ideal;
    size_t relevant;
    int64_t own; /* the text that has the query's own id does not count, as BEIR has it */
};

static void add_figures(struct figures *f, const struct wanted *w, const struct find_hit *hits,
                        int hit_count)
{
    double dcg = 0, best = 0, precision = 0;
    size_t found = 0, rank = 0, found_10 = 0, found_100 = 0;
    for (int i = 0; i < hit_count; i++) {
        if (hits[i].id == w->own)
            continue;
        int grade = grade_of(w->judgements, w->count, hits[i].id);
        rank++;
        if (grade == 0)
            continue;
        found++;
        precision += (double)found / (double)rank;
        if (rank <= CUT)
            dcg += grade / log2((double)rank + 1);
        found_10 += rank <= CUT;
        found_100 += rank <= 100;
    }
    for (size_t i = 0; i < w->relevant && i < CUT; i++)
        best += w->ideal[i] / log2((double)i + 2);
    f->ndcg += dcg / best;
    f->recall_10 += (double)found_10 / (double)w->relevant;
    f->recall_100 += (double)found_100 / (double)w->relevant;
    f->map += precision / (double)w->relevant;
}

/* What embeddings find, and what both do. A query without one finds what words do. */
static bool add_vector_figures(struct eval *e, const struct wanted *w, size_t query, int hits)
{
    const float *vector = eval_vectors_of(&e->query_vectors, (int64_t)query);
    int near =
        vector != NULL ? eval_vectors_nearest(&e->text_vectors, vector, DEPTH + 1, e->near) : 0;
    int fused = near < 0 ? -1
                         : eval_vectors_fuse(e->hits, (size_t)hits, e->near, (size_t)near,
                                             DEPTH + 1, e->fused);
    if (fused < 0)
        return false;
    add_figures(&e->by_vectors, w, e->near, near);
    add_figures(&e->by_both, w, e->fused, fused);
    return true;
}

/* A query with its judgements; one without any relevant text is passed over. */
static bool evaluate(struct eval *e, const struct judgement *j, size_t count)
{
    const struct entry *query = &e->queries.items[j->query];
    const struct entry *own = entries_find(&e->texts, query->id);
    int *ideal = malloc(count * sizeof *ideal);
    size_t relevant = 0;
    int hits = 0;
    if (ideal == NULL)
        return complain("out of memory");
    for (size_t i = 0; i < count; i++)
        if (j[i].grade > 0)
            ideal[relevant++] = j[i].grade;
    if (relevant > 0) {
        qsort(ideal, relevant, sizeof *ideal, by_grade);
        double before = cpu_ms();
        hits = ask(e, query->text, SHOWN);
        e->times_ms[e->asked] = cpu_ms() - before;
        if (hits >= 0)
            hits = ask(e, query->text, DEPTH + 1);
        if (hits >= 0) {
            const struct wanted w = {.judgements = j,
                                     .count = count,
                                     .ideal = ideal,
                                     .relevant = relevant,
                                     .own = own != NULL ? own->number : -1};
            e->asked++;
            add_figures(&e->by_words, &w, e->hits, hits);
            if (e->has_vectors && !add_vector_figures(e, &w, j->query, hits))
                hits = -1;
        }
    }
    free(ideal);
    tell(e, "queries asked", e->asked);
    return hits >= 0 || complain("out of memory");
}

/* By their place, in which judgements know them. */
static bool embed_queries(struct eval *e)
{
    char why[256];
    for (size_t i = 0; i < e->queries.count; i++) {
        if (!eval_vectors_add(&e->query_vectors, (int64_t)i, NULL, e->queries.items[i].text, why))
            return complain("queries.jsonl: %s", why);
        tell(e, "queries embedded", i);
    }
    if (!eval_vectors_finish(&e->query_vectors, why))
        return complain("queries.jsonl: %s", why);
    return e->query_vectors.dimensions == e->text_vectors.dimensions ||
           complain("embeddings of queries have %d numbers, those of texts %d",
                    e->query_vectors.dimensions, e->text_vectors.dimensions);
}

static bool evaluate_all(struct eval *e)
{
    if (e->has_vectors && !embed_queries(e))
        return false;
    e->times_ms = calloc(e->queries.count + 1, sizeof *e->times_ms);
    if (e->times_ms == NULL)
        return complain("out of memory");
    if (e->judgement_count > 0)
        qsort(e->judgements, e->judgement_count, sizeof *e->judgements, by_query);
    for (size_t at = 0, next; at < e->judgement_count; at = next) {
        for (next = at + 1;
             next < e->judgement_count && e->judgements[next].query == e->judgements[at].query;)
            next++;
        if (!evaluate(e, &e->judgements[at], next - at))
            return false;
    }
    return e->asked > 0 || complain("no query has a relevant text in qrels/test.tsv");
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_quality(const char *indent, const struct figures *f, double n, const char *end)
{
    printf("%s\"ndcg_at_10\":\t%.4f,\n%s\"recall_at_10\":\t%.4f,\n"
           "%s\"recall_at_100\":\t%.4f,\n%s\"map\":\t%.4f%s\n",
           indent, f->ndcg / n, indent, f->recall_10 / n, indent, f->recall_100 / n, indent,
           f->map / n, end);
}

static void print_vectors(const struct eval *e, double n)
{
    printf("\t\"dimensions\":\t%d,\n\t\"embeddings\":\t{\n", e->text_vectors.dimensions);
    print_quality("\t\t", &e->by_vectors, n, "");
    printf("\t},\n\t\"hybrid\":\t{\n");
    print_quality("\t\t", &e->by_both, n, "");
    printf("\t},\n");
}

/* Those of words are beside the others, which are in objects of their own. */
static void print_figures(const struct eval *e)
{
    double n = (double)e->asked, sum = 0;
    size_t last = e->asked * 99 / 100;
    qsort(e->times_ms, e->asked, sizeof *e->times_ms, by_time);
    for (size_t i = 0; i < e->asked; i++)
        sum += e->times_ms[i];
    printf("{\n"
           "\t\"texts\":\t%u,\n\t\"words\":\t%llu,\n\t\"postings\":\t%llu,\n"
           "\t\"queries\":\t%zu,\n\t\"unknown_texts\":\t%zu,\n",
           e->copy.header->doc_count, (unsigned long long)e->copy.header->word_total,
           (unsigned long long)e->copy.header->posting_count, e->asked, e->unknown);
    print_quality("\t", &e->by_words, n, ",");
    if (e->has_vectors)
        print_vectors(e, n);
    printf("\t\"build_cpu_ms\":\t%.1f,\n\t\"bytes\":\t%zu,\n"
           "\t\"search_cpu_ms_mean\":\t%.4f,\n\t\"search_cpu_ms_p99\":\t%.4f\n}\n",
           e->build_ms, e->copy.map_size, sum / n,
           e->times_ms[last < e->asked ? last : e->asked - 1]);
}

static bool read_words(struct eval *e, int count, char **words)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "--language") == 0 && i + 1 < count)
            e->language = words[++i];
        else if (strcmp(words[i], "--embeddings") == 0)
            e->has_vectors = true;
        else if (words[i][0] != '-' && e->dir == NULL)
            e->dir = words[i];
        else
            return complain("eval-retrieval takes DIRECTORY, --language CODE and --embeddings, not "
                            "%.100s",
                            words[i]);
    }
    if (e->dir == NULL)
        return complain("eval-retrieval takes a directory with corpus.jsonl, queries.jsonl and "
                        "qrels/test.tsv");
    if (e->has_vectors && (e->config == NULL || e->config->embeddings_url == NULL))
        return complain("--embeddings needs UPLIFT_EMBEDDINGS_URL in the configuration");
    return e->language == NULL || strlen(e->language) == 2 ||
           complain("--language takes two letters, such as en, not %.100s", e->language);
}

int eval_retrieval(const struct config *config, int count, char **words)
{
    struct eval e = {.config = config,
                     .text_vectors.config = config,
                     .query_vectors.config = config,
                     .told_ms = clock_ms()};
    if (!read_words(&e, count, words))
        return EXIT_USAGE;
    bool good = read_corpus(&e) && read_lines(&e, "queries.jsonl", take_query) &&
                entries_sort(&e.queries, "queries.jsonl") &&
                read_lines(&e, "qrels/test.tsv", take_judgement) && evaluate_all(&e);
    if (good)
        print_figures(&e);
    eval_vectors_release(&e.text_vectors);
    eval_vectors_release(&e.query_vectors);
    copy_close(&e.copy);
    index_free(e.index);
    word_finder_free(e.finder);
    entries_release(&e.texts);
    entries_release(&e.queries);
    free(e.judgements);
    free(e.times_ms);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
