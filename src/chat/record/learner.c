/* The learner's thread; see learner.h. */
#include "learner.h"

#include "common/clock.h"
#include "common/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TOGETHER 8 /* some 30 ms each, of the seconds that a call may take */
/* While more wait than it comes to, three quarters of the time belong to those who wait for an
 * answer. */
#define REST_SHARE 9 /* so that it takes a tenth of the time */
#define REST_MAX_MS 1000
#define ID_ROOM (UUID_TEXT + 1) /* with a comma or a brace */

struct learner {
    struct pg_pool *pool;
    struct pg_breaker *breaker;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    struct waiting {
        struct uuid id;
        bool may_say_something;
    } waiting[LEARNER_WAITING_MAX]; /* a ring */
    size_t first, count;
    bool stopping;
};

/* Whether a message may hold a statement: most are one question. */
static bool may_say_something(const char *message)
{
    size_t len = message != NULL ? strlen(message) : 0;
    return len > 0 && (message[len - 1] != '?' || strcspn(message, ".!\n;") < len);
}

static bool is_to_be_looked_at(const struct chat *c)
{
    return c->recorded == CHAT_COMMITTED && c->may_be_remembered;
}

static struct waiting waiting_for(const struct chat *c)
{
    /* The question of what is given anew may have been edited: what it said before is taken back.
     */
    return (struct waiting){.id = c->id,
                            .may_say_something =
                                c->regenerate_of[0] != '\0' || may_say_something(c->user_message)};
}

void learner_note(struct learner *l, const struct chat *list)
{
    bool is_new = false;
    for (const struct chat *c = list; c != NULL && !is_new; c = c->next)
        is_new = is_to_be_looked_at(c);
    if (!is_new)
        return;
    pthread_mutex_lock(&l->lock);
    for (const struct chat *c = list; c != NULL; c = c->next)
        if (is_to_be_looked_at(c) && l->count < LEARNER_WAITING_MAX)
            l->waiting[(l->first + l->count++) % LEARNER_WAITING_MAX] = waiting_for(c);
    pthread_cond_signal(&l->work);
    pthread_mutex_unlock(&l->lock);
}

/* Answers as an array of Postgres. */
struct id_list {
    size_t len;
    char text[TOGETHER * ID_ROOM + 2];
};

static void id_list_add(struct id_list *list, const struct uuid *id)
{
    list->text[list->len] = list->len == 0 ? '{' : ',';
    uuid_format(id, list->text + list->len + 1);
    list->len += ID_ROOM;
}

static void id_list_end(struct id_list *list)
{
    if (list->len > 0)
        memcpy(list->text + list->len, "}", 2);
}

/* After a call of so many ms: rests, when others wait that it would go on with at once. */
static void rest(struct learner *l, int64_t ms)
{
    struct timespec until;
    int64_t rest_ms = ms * REST_SHARE < REST_MAX_MS ? ms * REST_SHARE : REST_MAX_MS;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += rest_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&l->lock);
    while (l->count > 0 && !l->stopping &&
           pthread_cond_clockwait(&l->work, &l->lock, CLOCK_MONOTONIC, &until) == 0)
        continue;
    pthread_mutex_unlock(&l->lock);
}

/* Waits for some: all of them, and those that may say something. False when it is to stop. */
static bool take(struct learner *l, struct id_list *all, struct id_list *saying)
{
    all->len = saying->len = 0;
    pthread_mutex_lock(&l->lock);
    while (l->count == 0 && !l->stopping)
        pthread_cond_wait(&l->work, &l->lock);
    bool goes_on = !l->stopping;
    for (size_t i = 0; i < TOGETHER && l->count > 0; i++) {
        const struct waiting *w = &l->waiting[l->first];
        id_list_add(all, &w->id);
        if (w->may_say_something)
            id_list_add(saying, &w->id);
        l->first = (l->first + 1) % LEARNER_WAITING_MAX;
        l->count--;
    }
    pthread_mutex_unlock(&l->lock);
    id_list_end(all);
    id_list_end(saying);
    return goes_on;
}

static void ask(struct learner *l, const struct pg_statement *statement, const struct id_list *ids)
{
    const char *values[1] = {ids->text};
    struct api_error error;
    PGresult *result;
    bool away;
    if (ids->len == 0)
        return;
    if (pg_pool_ask(l->pool, l->breaker, statement, values, &result, &error, &away))
        PQclear(result);
    else if (!away)
        log_warn("learner", "%s: nothing came of some answers: %s", statement->name, error.message);
}

static void *learner_main(void *arg)
{
    static const struct pg_statement learn = {
        .name = "learn_memories", .sql = "select uplift_chat.learn_memories($1)", .params = 1};
    static const struct pg_statement index = {
        .name = "index_answers", .sql = "select uplift_chat.index_answers($1)", .params = 1};
    static const struct pg_statement refresh = {
        .name = "refresh_contexts", .sql = "select uplift_chat.refresh_contexts($1)", .params = 1};
    struct learner *l = arg;
    struct id_list all, saying;
    while (take(l, &all, &saying)) {
        int64_t begun = clock_ms();
        ask(l, &learn, &saying);
        ask(l, &index, &all);
        ask(l, &refresh, &all);
        rest(l, clock_ms() - begun);
    }
    return NULL;
}

struct learner *learner_start(struct pg_pool *pool, struct pg_breaker *breaker)
{
    struct learner *l = calloc(1, sizeof *l);
    if (l == NULL) {
        log_error("learner", "out of memory");
        return NULL;
    }
    l->pool = pool;
    l->breaker = breaker;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    int error = pthread_create(&l->thread, NULL, learner_main, l);
    if (error != 0) {
        log_error("learner", "cannot start its thread: %s", strerror(error));
        free(l);
        return NULL;
    }
    pthread_setname_np(l->thread, "learner");
    return l;
}

void learner_stop(struct learner *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->work);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    free(l);
}
