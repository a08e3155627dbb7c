#include "pg_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A call and the thread that makes it, on that thread's stack. */
struct call {
    struct pg_request request;
    PGresult *result;
    enum pg_outcome outcome;
    bool done;
    struct pg *pg; /* the connection it was given, to run its own call on and others' */
    pthread_cond_t changed;
    struct call *next;
};

struct pg_pool {
    pthread_condattr_t on_clock; /* what calls wait on goes by the monotonic clock */
    pthread_mutex_t lock;        /* guards all below, and done and pg of calls */
    struct call *head, **tail;
    size_t count, free_count;
    struct pg **all;
    struct pg **free; /* a stack: the one used last is the first to be used again */
};

struct pg_pool *pg_pool_new(const char *conninfo, const char *name, size_t connections,
                            int64_t timeout_ms, int64_t lock_timeout_ms)
{
    struct pg_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pthread_condattr_init(&pool->on_clock);
    pthread_condattr_setclock(&pool->on_clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pool->tail = &pool->head;
    pool->all = calloc(connections, sizeof *pool->all);
    pool->free = calloc(connections, sizeof *pool->free);
    while (pool->all != NULL && pool->free != NULL && pool->count < connections) {
        struct pg *pg = pg_new(conninfo, name, timeout_ms, lock_timeout_ms);
        if (pg == NULL)
            break;
        pool->all[pool->count++] = pg;
        pool->free[pool->free_count++] = pg;
    }
    if (pool->count == 0 || pool->count < connections) {
        pg_pool_free(pool);
        return NULL;
    }
    return pool;
}

void pg_pool_free(struct pg_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->count; i++)
        pg_free(pool->all[i]);
    free(pool->all);
    free(pool->free);
    pthread_mutex_destroy(&pool->lock);
    pthread_condattr_destroy(&pool->on_clock);
    free(pool);
}

/* Takes the oldest call off the queue, and those that may go with it. The lock is held. */
static size_t take(struct pg_pool *pool, struct call *batch[PG_POOL_TOGETHER])
{
    size_t n = 0;
    struct call **at = &pool->head;
    while (*at != NULL && n < PG_POOL_TOGETHER) {
        struct call *c = *at;
        if (n > 0 && !c->request.statement->joins) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        batch[n++] = c;
        if (!c->request.statement->joins)
            break;
    }
    while (*at != NULL)
        at = &(*at)->next;
    pool->tail = at;
    return n;
}

static void run_alone(struct pg *pg, struct call *c)
{
    c->outcome = pg_call(pg, c->request.statement, c->request.values, &c->result);
    if (c->outcome == PG_REFUSED)
        c->result = pg_take_refusal(pg);
}

static void run(struct pg *pg, struct call *const *batch, size_t n)
{
    enum pg_outcome outcome = PG_REFUSED;
    if (n > 1) {
        struct pg_request requests[PG_POOL_TOGETHER];
        PGresult *results[PG_POOL_TOGETHER];
        for (size_t i = 0; i < n; i++)
            requests[i] = batch[i]->request;
        outcome = pg_call_together(pg, requests, n, results);
        for (size_t i = 0; i < n; i++) {
            batch[i]->result = results[i];
            batch[i]->outcome = outcome;
        }
    }
    if (outcome != PG_REFUSED)
        return;
    outcome = PG_DONE;
    for (size_t i = 0; i < n; i++) {
        if (outcome != PG_AWAY)
            run_alone(pg, batch[i]);
        else
            batch[i]->outcome = PG_AWAY;
        outcome = batch[i]->outcome;
    }
}

static void finish(struct call *c)
{
    c->done = true; /* its thread may go on as soon as the lock is free, and c is gone then */
    pthread_cond_signal(&c->changed);
}

/* A connection that nobody runs calls on goes to who has waited longest. The lock is held. */
static void pass_on(struct pg_pool *pool, struct pg *pg)
{
    for (struct call *c = pool->head; c != NULL; c = c->next) {
        if (c->pg == NULL) {
            c->pg = pg;
            pthread_cond_signal(&c->changed);
            return;
        }
    }
    pool->free[pool->free_count++] = pg;
}

/* Runs what waits, on the connection that self was given, and passes that on. The lock is held, but
 * not while Postgres is waited for. */
static void lead(struct pg_pool *pool, struct call *self)
{
    struct call *batch[PG_POOL_TOGETHER];
    struct pg *pg = self->pg;
    size_t n = take(pool, batch);
    bool away = false;
    pthread_mutex_unlock(&pool->lock);
    run(pg, batch, n);
    pthread_mutex_lock(&pool->lock);
    self->pg = NULL;
    for (size_t i = 0; i < n; i++) {
        away = away || batch[i]->outcome == PG_AWAY;
        finish(batch[i]);
    }
    while (away && pool->head != NULL) { /* they would only wait for the same, one by one */
        struct call *c = pool->head;
        pool->head = c->next;
        c->outcome = PG_AWAY;
        finish(c);
    }
    if (pool->head == NULL)
        pool->tail = &pool->head;
    pass_on(pool, pg);
}

/* Waits for a change; false when PG_POOL_GATHER_MS have gone by without one. */
static bool wait_shortly(struct pg_pool *pool, struct call *self)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PG_POOL_GATHER_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(&self->changed, &pool->lock, &until) == 0;
}

enum pg_outcome pg_pool_call(struct pg_pool *pool, const struct pg_statement *statement,
                             const char *const *values, PGresult **result)
{
    struct call self = {.request = {.statement = statement, .values = values}};
    bool gathers = statement->joins; /* waits for a connection on its way, though another is free */
    pthread_cond_init(&self.changed, &pool->on_clock);
    pthread_mutex_lock(&pool->lock);
    *pool->tail = &self;
    /* cppcheck-suppress autoVariables; it is off the queue before this function returns */
    pool->tail = &self.next;
    while (!self.done) {
        if (self.pg == NULL && pool->free_count > 0 &&
            (!gathers || pool->free_count == pool->count))
            self.pg = pool->free[--pool->free_count];
        if (self.pg != NULL)
            lead(pool, &self);
        else if (gathers && pool->free_count > 0)
            gathers = wait_shortly(pool, &self);
        else
            pthread_cond_wait(&self.changed, &pool->lock);
    }
    if (self.pg != NULL) /* another one has run the call before this thread woke up */
        pass_on(pool, self.pg);
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&self.changed);
    *result = self.result;
    return self.outcome;
}
