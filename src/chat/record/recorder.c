/* Making answers durable, in groups; see recorder.h. */
#include "recorder.h"

#include "chat/snapshot/persona.h"
#include "common/clock.h"
#include "common/log.h"
#include "group.h"
#include "loader.h"
#include "spool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SPOOL_ROTATE_BYTES ((int64_t)64 * 1024 * 1024)
#define LARGE_BYTES ((size_t)512 * 1024) /* an answer this large goes alone */
/* A larger one takes Postgres a tenth of a second: not while others wait. */
#define STRAIGHT_TO_SPOOL_BYTES ((size_t)2 * 1024 * 1024)
#define GATHER_MS 2 /* how long a group waits to become larger */
/* Under load, which is when so many answers came together last time, twice as many are waited for:
 * what a group costs, however small it is, is then shared by more. From a size on that gains
 * nothing. */
#define GATHER_FROM 4
#define GATHER_MOST 32
#define HOLD_MS                                                                                    \
    1000 /* how long nothing is tried after a group of which every row was locked or refused for   \
            now */

/* A feedback line that an intake thread waits for, on that thread's stack. */
struct thumb {
    const char *line;
    bool done, good; /* under the recorder's lock */
    struct thumb *next;
};

struct recorder {
    const struct config *config;
    struct pg_breaker *breaker;
    struct metrics *metrics;
    recorder_done *done; /* takes chats back */
    void *done_arg;
    struct spool *spool;
    struct loader *loader;
    pthread_t thread;
    pthread_mutex_t lock; /* guards from here ... */
    pthread_cond_t work;  /* there is something to do */
    pthread_cond_t thumbs_done;
    struct chat *head, **tail;
    int64_t waiting;   /* chats in that queue */
    int64_t gathering; /* how many of them the thread waits for; 0 when it does not */
    struct thumb *thumbs, **thumbs_tail;
    bool stopping; /* ... to here */

    /* the thread's own */
    struct pg *pg;
    struct group group;
    int64_t taken;    /* chats, the last time */
    struct buf lines; /* for the spool */
    int64_t hold_until_ms;
};

/* --- the other stages' side --- */

bool recorder_submit(struct recorder *r, struct chat *c)
{
    pthread_mutex_lock(&r->lock);
    bool room = r->waiting < r->config->record_queue_max;
    if (room) {
        c->next = NULL;
        *r->tail = c;
        r->tail = &c->next;
        if (r->waiting++ == 0 || r->waiting == r->gathering)
            pthread_cond_signal(&r->work);
    }
    pthread_mutex_unlock(&r->lock);
    return room;
}

bool recorder_spool_feedback(struct recorder *r, const char *json_line)
{
    struct thumb thumb = {.line = json_line};
    pthread_mutex_lock(&r->lock);
    *r->thumbs_tail = &thumb;
    /* cppcheck-suppress autoVariables; the thread takes it off before it is done */
    r->thumbs_tail = &thumb.next;
    pthread_cond_signal(&r->work);
    while (!thumb.done)
        pthread_cond_wait(&r->thumbs_done, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return thumb.good;
}

int64_t recorder_waiting(struct recorder *r)
{
    pthread_mutex_lock(&r->lock);
    int64_t waiting = r->waiting;
    pthread_mutex_unlock(&r->lock);
    return waiting;
}

bool recorder_has_spooled(struct recorder *r)
{
    struct spool_names names;
    if (spool_scan(r->spool, &names))
        spool_names_release(&names);
    return spool_bytes(r->spool) > 0;
}

int64_t recorder_spool_bytes(const struct recorder *r)
{
    return spool_bytes(r->spool);
}

void recorder_attach(struct recorder *r, recorder_done *done, void *arg)
{
    r->done = done;
    r->done_arg = arg;
}

/* --- the thread --- */

/* Hands back every chat of the group whose fate is decided. The chat is the relay's from then on.
 */
static void hand_back(struct recorder *r)
{
    struct chat *list = NULL, **tail = &list;
    for (size_t i = 0; i < r->group.count; i++) {
        struct group_item *item = &r->group.items[i];
        if (item->chat == NULL || (item->state != GROUP_COMMITTED && item->state != GROUP_REJECTED))
            continue;
        item->chat->recorded = CHAT_COMMITTED;
        item->chat->next = NULL;
        *tail = item->chat;
        tail = &item->chat->next;
        item->chat = NULL;
    }
    if (list != NULL)
        r->done(r->done_arg, list);
}

static void hand_back_progress(void *arg)
{
    hand_back(arg);
}

static void hand_back_spooled(struct recorder *r, struct group_item *item, bool good)
{
    item->chat->recorded = good ? CHAT_SPOOLED : CHAT_NOT_RECORDED;
    if (!good)
        log_traced(LOG_ERROR, item->chat->id_text, chat_trace(item->chat),
                   "answer could not be recorded: Postgres is away and the spool is full");
    item->chat->next = NULL;
    r->done(r->done_arg, item->chat);
    item->chat = NULL;
}

static void thumbs_finish(struct recorder *r, struct thumb *thumbs, bool good)
{
    if (thumbs == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    for (struct thumb *t = thumbs, *next; t != NULL; t = next) {
        next = t->next; /* once done is set its thread may go on and the stack under t is gone */
        t->good = good;
        t->done = true;
    }
    pthread_cond_broadcast(&r->thumbs_done);
    pthread_mutex_unlock(&r->lock);
}

static bool add_thumbs(struct recorder *r, const struct thumb *thumbs)
{
    for (const struct thumb *t = thumbs; t != NULL; t = t->next)
        buf_puts(&r->lines, t->line);
    return !r->lines.failed;
}

static bool add_answer(struct recorder *r, size_t i)
{
    return spool_answer_line(&r->lines, r->group.items[i].chat);
}

/* Spools every chat of the group that is still here, and the thumbs with them, behind one fsync.
 * When the disk refuses them together each gets its own try, so that a large one does not take the
 * small with it. */
static void spool_rest(struct recorder *r, struct thumb *thumbs)
{
    struct group *g = &r->group;
    struct chat *list = NULL, **tail = &list;
    bool good = add_thumbs(r, thumbs);
    for (size_t i = 0; i < g->count && good; i++)
        if (g->items[i].chat != NULL)
            good = add_answer(r, i);
    good = good && (r->lines.len == 0 || spool_append(r->spool, r->lines.data, r->lines.len));
    buf_clear(&r->lines);
    if (good) {
        thumbs_finish(r, thumbs, true);
        for (size_t i = 0; i < g->count; i++) {
            if (g->items[i].chat == NULL)
                continue;
            g->items[i].chat->recorded = CHAT_SPOOLED;
            g->items[i].chat->next = NULL;
            *tail = g->items[i].chat;
            tail = &g->items[i].chat->next;
            g->items[i].chat = NULL;
        }
        if (list != NULL)
            r->done(r->done_arg, list);
        return;
    }

    good = add_thumbs(r, thumbs) && r->lines.len > 0 &&
           spool_append(r->spool, r->lines.data, r->lines.len);
    buf_clear(&r->lines);
    thumbs_finish(r, thumbs, good);
    for (size_t i = 0; i < g->count; i++) {
        if (g->items[i].chat == NULL)
            continue;
        good = add_answer(r, i) && spool_append(r->spool, r->lines.data, r->lines.len);
        buf_clear(&r->lines);
        hand_back_spooled(r, &g->items[i], good);
    }
}

static bool database_usable(const struct recorder *r)
{
    return !pg_breaker_open(r->breaker) && clock_ms() >= r->hold_until_ms;
}

/* Makes the gathered group durable, one way or the other, and hands all of it back. */
static void record_group(struct recorder *r, struct thumb *thumbs)
{
    struct group *g = &r->group;
    bool large = g->count == 1 && g->items[0].bytes > STRAIGHT_TO_SPOOL_BYTES;
    if (g->count > 0 && !large && database_usable(r)) {
        enum pg_outcome outcome =
            group_store(g, r->pg, 2 * r->config->db_lock_timeout_ms, hand_back_progress, r);
        pg_breaker_report(r->breaker, outcome);
        metrics_count(r->metrics, M_REJECTED, group_rejected(g));
        bool any = outcome == PG_AWAY;
        for (size_t i = 0; i < g->count; i++)
            any =
                any || g->items[i].state == GROUP_COMMITTED || g->items[i].state == GROUP_REJECTED;
        if (!any)
            r->hold_until_ms = clock_ms() + HOLD_MS;
        hand_back(r);
    }
    spool_rest(r, thumbs);
    group_clear(g);
}

/* The oldest chat of the list goes into the group. False when it must wait for the next group. */
static bool gather(struct recorder *r, struct chat *c)
{
    struct group *g = &r->group;
    bool alone = chat_weight(c) > LARGE_BYTES;
    if (group_full(g) || (alone && g->count > 0) ||
        (g->count == 1 && g->items[0].bytes > LARGE_BYTES))
        return false;
    if (!group_add_chat(g, c)) {
        log_traced(LOG_ERROR, c->id_text, chat_trace(c),
                   "answer of about %zu bytes is too large to be recorded", chat_weight(c));
        c->recorded = CHAT_NOT_RECORDED;
        c->next = NULL;
        r->done(r->done_arg, c);
    }
    return true;
}

/* Waits for more: see recorder.h. An answer that comes by itself, as the last one did, is not kept.
 * The lock is held. */
static void gather_shortly(struct recorder *r)
{
    struct timespec until;
    if (r->head == NULL || (r->head->cache.answer == NULL && r->taken < GATHER_FROM))
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GATHER_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    r->gathering = r->taken >= GATHER_FROM ? 2 * r->taken : r->taken;
    if (r->gathering > GATHER_MOST)
        r->gathering = GATHER_MOST;
    while (r->waiting < r->gathering && r->thumbs == NULL && !r->stopping &&
           pthread_cond_clockwait(&r->work, &r->lock, CLOCK_MONOTONIC, &until) == 0)
        continue;
    r->gathering = 0;
}

/* Waits for work and takes it. False when there is none left and the recorder is stopping. */
static bool take_work(struct recorder *r, struct chat **chats, struct thumb **thumbs)
{
    pthread_mutex_lock(&r->lock);
    while (r->head == NULL && r->thumbs == NULL && !r->stopping)
        pthread_cond_wait(&r->work, &r->lock);
    gather_shortly(r);
    *thumbs = r->thumbs;
    r->thumbs = NULL;
    r->thumbs_tail = &r->thumbs;

    *chats = r->head;
    struct chat **last = &r->head;
    for (r->taken = 0; r->taken < r->config->group_max && *last != NULL; r->taken++)
        last = &(*last)->next;
    r->waiting -= r->taken;
    r->head = *last;
    *last = NULL;
    if (r->head == NULL)
        r->tail = &r->head;
    pthread_mutex_unlock(&r->lock);
    return *chats != NULL || *thumbs != NULL;
}

static void *recorder_main(void *arg)
{
    struct recorder *r = arg;
    struct chat *chats;
    struct thumb *thumbs;
    while (take_work(r, &chats, &thumbs)) {
        /* A thumb must not wait for Postgres behind the group, but shares the spool's fsync with
         * it. */
        if (thumbs != NULL && (chats == NULL || database_usable(r))) {
            record_group(r, thumbs);
            thumbs = NULL;
        }
        while (chats != NULL) {
            struct chat *c = chats, *rest = c->next; /* gather may give it away */
            if (gather(r, c)) {
                chats = rest;
                continue;
            }
            record_group(r, thumbs);
            thumbs = NULL;
        }
        if (r->group.count > 0 || thumbs != NULL)
            record_group(r, thumbs);
    }
    return NULL;
}

/* --- life --- */

static void recorder_free(struct recorder *r)
{
    spool_close(r->spool);
    pg_free(r->pg);
    group_release(&r->group);
    buf_release(&r->lines);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->thumbs_done);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct recorder *recorder_start(const struct config *config, struct pg_breaker *breaker,
                                struct personas *personas, struct metrics *metrics)
{
    struct recorder *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->config = config;
    r->breaker = breaker;
    r->metrics = metrics;
    r->tail = &r->head;
    r->thumbs_tail = &r->thumbs;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->thumbs_done, NULL);
    buf_init(&r->lines, SPOOL_LINE_MAX + (size_t)16 * 1024 * 1024);
    r->spool = spool_open(config->spool_dir, SPOOL_ROTATE_BYTES);
    if (r->spool == NULL)
        goto fail;
    r->pg = pg_new(config->database_url, "uplift recorder", config->db_timeout_ms,
                   config->db_lock_timeout_ms);
    if (r->pg == NULL || !group_init(&r->group, (size_t)config->group_max)) {
        log_error("recorder", "cannot start: no memory");
        goto fail;
    }
    r->loader = loader_start(config, breaker, personas, metrics, r->spool);
    if (r->loader == NULL)
        goto fail;

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&r->thread, NULL, recorder_main, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return r;
    log_error("recorder", "cannot start a thread: %s", strerror(error));
    loader_stop(r->loader);
fail:
    recorder_free(r);
    return NULL;
}

void recorder_stop(struct recorder *r)
{
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    loader_stop(r->loader);
    recorder_free(r);
}
