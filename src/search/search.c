/* The copies in use are counted: a search holds on to those that it began with, and the last to let
 * go of one unmaps it. */
#include "search.h"

#include "common/clock.h"
#include "common/log.h"
#include "find.h"
#include "words.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOOK_MS 200
#define MORE_MAX ((size_t)24 * 1024)

/* A file that is mapped. */
struct mapped {
    int users;
    struct copy copy;
    struct stat file; /* which it is */
};

/* A base, and the recent file of it. */
struct pair {
    int users;
    struct mapped *base, *recent; /* recent NULL: none that belongs to it */
    uint64_t *gone;
};

/* What one search needs; kept for the next. */
struct asker {
    struct word_finder *finder;
    struct asker *next;
};

/* What became of a file, so that it is not mapped, or logged, again and again. */
struct looked_at {
    struct stat refused;   /* its contents are of no use */
    struct stat warned_of; /* it could not be opened, and that was logged */
    struct stat foreign;   /* a recent file that is of another base than foreign_to */
    uint64_t foreign_to;
};

struct search {
    char dir[4096]; /* "": there are no copies, and no thread */
    pthread_t thread;
    struct looked_at looked_at[SHELVES][2]; /* of recent and of base; the thread's alone */
    pthread_mutex_t lock;                   /* guards the rest, and all counts of users */
    pthread_cond_t stop_told;
    bool stopping;
    struct pair *pairs[SHELVES]; /* NULL: no copy */
    int64_t alive_ms;            /* since 1970; 0: never */
    struct asker *askers;        /* those that do nothing */
};

/* --- who uses what; with the lock held --- */

static void let_go_of_mapped(struct mapped *m)
{
    if (m == NULL || --m->users > 0)
        return;
    copy_close(&m->copy);
    free(m);
}

static void let_go(struct pair *p)
{
    if (p == NULL || --p->users > 0)
        return;
    let_go_of_mapped(p->base);
    let_go_of_mapped(p->recent);
    free(p->gone);
    free(p);
}

/* --- new copies; in the thread, which alone changes pairs --- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A file that cannot be opened now, for want of descriptors or memory, is tried at each look. */
static void note_fault(const char *path, const struct stat *file, enum copy_fault fault,
                       const char *reason, struct looked_at *before)
{
    if (fault == COPY_BAD) {
        log_warn("search", "the copy %s is of no use: %s", path, reason);
        before->refused = *file;
    } else if (fault == COPY_CLOSED && !is_same(file, &before->warned_of)) {
        log_warn("search", "could not open the copy %s: %s", path, reason);
        before->warned_of = *file;
    }
}

/* Maps a file; NULL when it is not there, cannot be opened, or is no good, which is logged once. */
static struct mapped *map_file(const char *path, const char *shelf, const struct stat *file,
                               struct looked_at *before)
{
    char reason[200];
    enum copy_fault fault;
    struct mapped *m = is_same(file, &before->refused) ? NULL : calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->users = 1;
    m->file = *file;
    bool good = copy_open(&m->copy, path, reason, sizeof reason, &fault);
    if (good && strcmp(m->copy.header->shelf, shelf) != 0) {
        snprintf(reason, sizeof reason, "it is of another shelf");
        copy_close(&m->copy);
        fault = COPY_BAD;
        good = false;
    }
    if (good)
        return m;
    note_fault(path, file, fault, reason, before);
    free(m);
    return NULL;
}

/* The file as it is now: the one that is mapped already, or a new one. base: NULL for the base
 * itself, else that which a recent file must belong to. */
static struct mapped *current_file(struct search *s, int shelf, const struct mapped *base,
                                   struct mapped *known)
{
    bool is_base = base == NULL;
    struct looked_at *before = &s->looked_at[shelf][is_base];
    char path[4200];
    struct stat file;
    snprintf(path, sizeof path, "%s/%s.%s", s->dir, shelf_names[shelf],
             is_base ? "base" : "recent");
    if (stat(path, &file) != 0)
        return NULL;
    if (known != NULL && is_same(&file, &known->file)) {
        pthread_mutex_lock(&s->lock);
        known->users++;
        pthread_mutex_unlock(&s->lock);
        return known;
    }
    if (!is_base && is_same(&file, &before->foreign) &&
        base->copy.header->base == before->foreign_to)
        return NULL;
    struct mapped *m = map_file(path, shelf_names[shelf], &file, before);
    if (m != NULL && !is_base && m->copy.header->base != base->copy.header->base) {
        before->foreign = file;
        before->foreign_to = base->copy.header->base;
        copy_close(&m->copy);
        free(m);
        return NULL;
    }
    return m;
}

/* A pair of the two, which it takes over; NULL when there is no base, or no memory. */
static struct pair *make_pair(struct search *s, struct mapped *base, struct mapped *recent)
{
    struct pair *p = base == NULL ? NULL : calloc(1, sizeof *p);
    bool belongs =
        base != NULL && recent != NULL && recent->copy.header->base == base->copy.header->base;
    uint64_t *gone = belongs && p != NULL ? find_gone_bits(&base->copy, &recent->copy) : NULL;
    if (p != NULL && (!belongs || gone != NULL)) {
        *p = (struct pair){.users = 1, .base = base, .gone = gone};
        base = NULL;
        if (belongs) {
            p->recent = recent;
            recent = NULL;
        }
    } else {
        free(p);
        p = NULL;
    }
    pthread_mutex_lock(&s->lock);
    let_go_of_mapped(base);
    let_go_of_mapped(recent);
    pthread_mutex_unlock(&s->lock);
    return p;
}

/* What is in use stays so while there is nothing better. */
static void look_at_shelf(struct search *s, int shelf)
{
    struct pair *old = s->pairs[shelf];
    struct mapped *base = current_file(s, shelf, NULL, old != NULL ? old->base : NULL);
    struct mapped *recent =
        base != NULL ? current_file(s, shelf, base, old != NULL ? old->recent : NULL) : NULL;
    bool is_new = base != NULL && (old == NULL || base != old->base || recent != old->recent);
    if (is_new && old != NULL && base == old->base && recent == NULL && old->recent != NULL)
        is_new = false;
    struct pair *p = is_new ? make_pair(s, base, recent) : NULL;
    pthread_mutex_lock(&s->lock);
    if (p != NULL) {
        s->pairs[shelf] = p;
        let_go(old);
    } else if (!is_new) {
        let_go_of_mapped(base);
        let_go_of_mapped(recent);
    }
    pthread_mutex_unlock(&s->lock);
}

static void look(struct search *s)
{
    char path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/" BUILDER_ALIVE, s->dir);
    int64_t alive =
        stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 : 0;
    for (int i = 0; i < SHELVES; i++)
        look_at_shelf(s, i);
    pthread_mutex_lock(&s->lock);
    s->alive_ms = alive;
    pthread_mutex_unlock(&s->lock);
}

static void *run(void *arg)
{
    struct search *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->stop_told, &s->lock, &until);
        if (s->stopping)
            break;
        pthread_mutex_unlock(&s->lock);
        look(s);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

bool search_has_copies(const struct search *s)
{
    return s->dir[0] != '\0';
}

struct search *search_start(const char *dir)
{
    pthread_condattr_t attributes;
    struct search *s = calloc(1, sizeof *s);
    if (s == NULL ||
        (dir != NULL && snprintf(s->dir, sizeof s->dir, "%s", dir) >= (int)sizeof s->dir)) {
        log_error("search", "cannot look for copies in %.200s", dir != NULL ? dir : "memory");
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->stop_told, &attributes);
    pthread_condattr_destroy(&attributes);
    if (dir == NULL)
        return s;
    look(s);
    int failure = pthread_create(&s->thread, NULL, run, s);
    if (failure == 0)
        return s;
    log_error("search", "cannot start a thread: %s", strerror(failure));
    for (int i = 0; i < SHELVES; i++)
        let_go(s->pairs[i]);
    pthread_cond_destroy(&s->stop_told);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

void search_stop(struct search *s)
{
    if (s == NULL)
        return;
    if (search_has_copies(s)) {
        pthread_mutex_lock(&s->lock);
        s->stopping = true;
        pthread_cond_signal(&s->stop_told);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    for (int i = 0; i < SHELVES; i++)
        let_go(s->pairs[i]);
    for (struct asker *a = s->askers, *next; a != NULL; a = next) {
        next = a->next;
        word_finder_free(a->finder);
        free(a);
    }
    pthread_cond_destroy(&s->stop_told);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* --- searching --- */

/* Takes what there is to search with; *a NULL: no memory. Copies that are too old are left out. */
static void begin(struct search *s, struct pair *pairs[SHELVES], struct asker **a)
{
    pthread_mutex_lock(&s->lock);
    bool is_usable = clock_wall_us() / 1000 - s->alive_ms < SEARCH_AGE_MAX_MS;
    for (int i = 0; i < SHELVES; i++) {
        pairs[i] = is_usable ? s->pairs[i] : NULL;
        if (pairs[i] != NULL)
            pairs[i]->users++;
    }
    *a = s->askers;
    if (*a != NULL)
        s->askers = (*a)->next;
    pthread_mutex_unlock(&s->lock);
    if (*a == NULL && (*a = calloc(1, sizeof **a)) != NULL) {
        (*a)->finder = word_finder_new();
        if ((*a)->finder == NULL) {
            free(*a);
            *a = NULL;
        }
    }
}

static void end(struct search *s, struct pair *pairs[SHELVES], struct asker *a)
{
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < SHELVES; i++)
        let_go(pairs[i]);
    if (a != NULL) {
        a->next = s->askers;
        s->askers = a;
    }
    pthread_mutex_unlock(&s->lock);
}

static void put_words(const struct find_word *words, size_t count, const char *language,
                      struct buf *out)
{
    buf_puts(out, "\"search\":{\"words\":[");
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        buf_json_string(out, words[i].at, words[i].len);
    }
    buf_puts(out, "],\"language\":");
    buf_json_string(out, language, strlen(language));
}

static void put_shelf(const char *name, const struct pair *p, struct find_word *words, size_t count,
                      struct buf *out)
{
    struct find_copies copies = {.base = &p->base->copy,
                                 .recent = p->recent != NULL ? &p->recent->copy : NULL,
                                 .gone = p->gone};
    uint64_t texts;
    double mean = find_mean(&copies, &texts);
    struct find_hit found[SEARCH_HITS];
    size_t hits = find_hits(&copies, words, count, SEARCH_HITS, found);
    const struct copy *last = copies.recent != NULL ? copies.recent : copies.base;
    const char *origin = last->header->origin;
    buf_printf(out, ",\"%s\":{\"origin\":", name);
    buf_json_string(out, origin, strlen(origin));
    buf_printf(out, ",\"horizon\":\"%llu\",\"mean\":%.4g,\"idf\":\"[",
               (unsigned long long)last->header->horizon, mean);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%.4g", i > 0 ? "," : "", (double)words[i].idf);
    buf_puts(out, "]\",\"ids\":\"[");
    for (size_t i = 0; i < hits; i++)
        buf_printf(out, "%s%lld", i > 0 ? "," : "", (long long)found[i].id);
    buf_puts(out, "]\",\"scores\":\"[");
    for (size_t i = 0; i < hits; i++)
        buf_printf(out, "%s%.5g", i > 0 ? "," : "", (double)found[i].score);
    buf_puts(out, "]\"}");
}

static bool describe(struct pair *const pairs[SHELVES], struct asker *a, const char *message,
                     size_t len, struct buf *out)
{
    struct find_word words[FIND_WORDS_MAX];
    const struct word *all;
    const char *fallback = "en";
    size_t count;
    for (int i = SHELVES - 1; i >= 0; i--)
        if (pairs[i] != NULL)
            fallback = pairs[i]->base->copy.header->language;
    if (!words_of_question(a->finder, message, len, fallback, &all, &count) || count == 0)
        return false;
    count = find_distinct(all, count, words);
    put_words(words, count, words_language(a->finder), out);
    for (int i = 0; i < SHELVES; i++)
        if (pairs[i] != NULL)
            put_shelf(shelf_names[i], pairs[i], words, count, out);
    return buf_putc(out, '}');
}

bool search_describe(struct search *s, const char *message, size_t len, struct buf *more)
{
    struct pair *pairs[SHELVES];
    struct asker *a;
    struct buf out;
    if (s == NULL || message == NULL)
        return false;
    buf_init(&out, MORE_MAX);
    begin(s, pairs, &a);
    bool found = a != NULL && describe(pairs, a, message, len, &out);
    end(s, pairs, a);
    if (found) {
        buf_puts(more, more->len == 0 ? "{" : ",");
        buf_append(more, out.data, out.len);
    }
    buf_release(&out);
    return found && !more->failed;
}

void search_state(struct search *s, struct search_state states[SHELVES])
{
    int64_t now = clock_wall_us() / 1000;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < SHELVES; i++) {
        const struct pair *p = s->pairs[i];
        int64_t age = now - s->alive_ms;
        states[i] = (struct search_state){.shelf = shelf_names[i],
                                          .is_there = p != NULL,
                                          .age_ms = s->alive_ms == 0 ? INT64_MAX
                                                    : age < 0        ? 0
                                                                     : age};
        if (p != NULL)
            states[i].texts = p->base->copy.header->doc_count +
                              (p->recent != NULL ? p->recent->copy.header->doc_count : 0);
    }
    pthread_mutex_unlock(&s->lock);
}

const char *search_trouble(struct search *s)
{
    struct search_state states[SHELVES];
    if (!search_has_copies(s))
        return NULL;
    search_state(s, states);
    for (int i = 0; i < SHELVES; i++)
        if (!states[i].is_there)
            return "missing";
    return states[0].age_ms > SEARCH_STALE_MS ? "stale" : NULL;
}
