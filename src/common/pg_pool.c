#include "pg_pool.h"

#include "buf.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOGETHER_BYTES ((size_t)64 * 1024 * 1024)
#define RETRY_AFTER_MS 1000 /* what a client is told while Postgres is away */

/*
 * A call and the thread that makes it, on that thread's stack. The thread sleeps on a semaphore,
 * which others post when they have given it a connection, and when they have made its call; so it
 * wakes up with its answer without having to take the lock. It leaves only when all posts have
 * come, for until then somebody may still hold on to the call.
 */
struct call {
    const struct pg_statement *statement;
    const char *const *values;
    PGresult *result;
    enum pg_outcome outcome;
    sem_t posted;
    /* These change under the pool's lock, and no more once the call was taken. */
    struct pg *pg;  /* the connection it was given, to run its own call on and others' */
    unsigned given; /* how often another thread gave it one: as many posts */
    bool taken;     /* off the queue: whoever took it makes the call, and posts */
    struct call *next;
};

struct pg_pool {
    pthread_mutex_t lock; /* guards all below */
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
    free(pool);
}

/* Takes the oldest call off the queue, and those that may go with it. The lock is held. */
static size_t take(struct pg_pool *pool, struct call *batch[PG_POOL_TOGETHER])
{
    size_t n = 0;
    struct call **at = &pool->head;
    while (*at != NULL && n < PG_POOL_TOGETHER) {
        struct call *c = *at;
        if (n > 0 && (c->statement->many == NULL || c->statement != batch[0]->statement)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        c->taken = true;
        batch[n++] = c;
        if (c->statement->many == NULL)
            break;
    }
    while (*at != NULL)
        at = &(*at)->next;
    pool->tail = at;
    return n;
}

static bool put_calls(struct buf *b, struct call *const *batch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s{\"n\":%zu", i == 0 ? "[" : ",", i);
        for (int p = 0; p < batch[i]->statement->params; p++) {
            const char *value = batch[i]->values[p];
            if (value == NULL)
                continue; /* as good as null */
            buf_printf(b, ",\"p%d\":", p + 1);
            buf_json_string(b, value, strlen(value));
        }
        buf_putc(b, '}');
    }
    return buf_putc(b, ']');
}

/* The row as a result of its own, without the last column; NULL when memory ran out. */
static PGresult *copy_row(const PGresult *rows, int row)
{
    PGresult *copy = PQcopyResult(rows, PG_COPYRES_ATTRS);
    int columns = PQnfields(rows) - 1;
    for (int i = 0; i < columns && copy != NULL; i++) {
        bool is_null = PQgetisnull(rows, row, i);
        if (!PQsetvalue(copy, 0, i, is_null ? NULL : PQgetvalue(rows, row, i),
                        is_null ? -1 : PQgetlength(rows, row, i))) {
            PQclear(copy);
            copy = NULL;
        }
    }
    return copy;
}

/* Gives each call its row. False when there is not one for each, or memory ran out. */
static bool share_out(const PGresult *rows, struct call *const *batch, size_t n)
{
    int last = PQnfields(rows) - 1;
    bool good = PQntuples(rows) == (int)n && last >= 0;
    for (int row = 0; row < (int)n && good; row++) {
        size_t i = strtoul(PQgetvalue(rows, row, last), NULL, 10);
        good =
            i < n && batch[i]->result == NULL && (batch[i]->result = copy_row(rows, row)) != NULL;
    }
    for (size_t i = 0; i < n && !good; i++) {
        PQclear(batch[i]->result);
        batch[i]->result = NULL;
    }
    return good;
}

/* All in one statement. PG_REFUSED when that could not be: they are then to be run alone. */
static enum pg_outcome run_together(struct pg *pg, struct call *const *batch, size_t n)
{
    enum pg_outcome outcome = PG_REFUSED;
    PGresult *rows = NULL;
    struct buf calls;
    buf_init(&calls, TOGETHER_BYTES);
    if (put_calls(&calls, batch, n)) {
        const char *values[] = {calls.data};
        outcome = pg_call(pg, batch[0]->statement->many, values, &rows);
    }
    buf_release(&calls);
    if (outcome == PG_DONE && !share_out(rows, batch, n))
        outcome = PG_REFUSED;
    PQclear(rows);
    for (size_t i = 0; i < n; i++)
        batch[i]->outcome = outcome;
    return outcome;
}

static void run_alone(struct pg *pg, struct call *c)
{
    c->outcome = pg_call(pg, c->statement, c->values, &c->result);
    if (c->outcome == PG_REFUSED)
        c->result = pg_take_refusal(pg);
}

static void run(struct pg *pg, struct call *const *batch, size_t n)
{
    enum pg_outcome outcome = n > 1 ? run_together(pg, batch, n) : PG_REFUSED;
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

/* A connection that nobody runs calls on goes to who has waited longest. The lock is held. Returns
 * who is to be posted once it is not, or NULL; self needs no post. */
static struct call *pass_on(struct pg_pool *pool, struct pg *pg, const struct call *self)
{
    for (struct call *c = pool->head; c != NULL; c = c->next) {
        if (c->pg != NULL)
            continue;
        c->pg = pg;
        if (c == self)
            return NULL;
        c->given++;
        return c;
    }
    pool->free[pool->free_count++] = pg;
    return NULL;
}

/* All who wait are told that Postgres is away: they would only wait for the same, one by one. The
 * lock is held. Returns them. */
static struct call *give_up(struct pg_pool *pool)
{
    struct call *list = pool->head;
    for (struct call *c = list; c != NULL; c = c->next) {
        c->outcome = PG_AWAY;
        c->taken = true;
    }
    pool->head = NULL;
    pool->tail = &pool->head;
    return list;
}

/* Runs what waits, on the connection that self was given, and passes that on. True when self's call
 * was among it. Called and left with the lock held, which is free meanwhile. */
static bool lead(struct pg_pool *pool, struct call *self)
{
    struct call *batch[PG_POOL_TOGETHER], *given_up = NULL;
    struct pg *pg = self->pg;
    size_t n = take(pool, batch);
    bool away = false, own = false;
    pthread_mutex_unlock(&pool->lock);
    run(pg, batch, n);
    for (size_t i = 0; i < n; i++)
        away = away || batch[i]->outcome == PG_AWAY;
    pthread_mutex_lock(&pool->lock);
    self->pg = NULL;
    if (away)
        given_up = give_up(pool);
    struct call *next = pass_on(pool, pg, self);
    pthread_mutex_unlock(&pool->lock);

    /* From its last post on a call is no more. */
    if (next != NULL)
        sem_post(&next->posted);
    for (size_t i = 0; i < n; i++) {
        own = own || batch[i] == self;
        if (batch[i] != self)
            sem_post(&batch[i]->posted);
    }
    for (struct call *c = given_up, *after; c != NULL; c = after) {
        after = c->next;
        own = own || c == self;
        if (c != self)
            sem_post(&c->posted);
    }
    pthread_mutex_lock(&pool->lock);
    return own;
}

static void wait_for_post(struct call *self)
{
    while (sem_wait(&self->posted) != 0)
        continue; /* a signal */
}

/* False when nobody has posted within PG_POOL_GATHER_MS. */
static bool wait_shortly(struct call *self)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PG_POOL_GATHER_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int error;
    do {
        error = sem_clockwait(&self->posted, CLOCK_MONOTONIC, &until) == 0 ? 0 : errno;
    } while (error == EINTR);
    return error == 0;
}

/* Until the call has been made, by this thread or another. The lock is held when it is called, and
 * not when it returns. */
static void see_through(struct pg_pool *pool, struct call *self)
{
    /* Whether it would rather wait for a connection on its way than take a free one. */
    bool gathers = self->statement->many != NULL;
    bool made = false; /* by this thread */
    unsigned posts = 0;
    for (;;) {
        bool free_one = pool->free_count > 0;
        if (!self->taken && self->pg == NULL && free_one &&
            (!gathers || pool->free_count == pool->count))
            self->pg = pool->free[--pool->free_count];
        if (self->pg != NULL && !self->taken) {
            made = lead(pool, self);
            continue;
        }
        struct call *next = NULL;
        if (self->pg != NULL) { /* another one was quicker */
            next = pass_on(pool, self->pg, self);
            self->pg = NULL;
        }
        unsigned wanted = self->given + !made;
        bool taken = self->taken;
        pthread_mutex_unlock(&pool->lock);
        if (next != NULL)
            sem_post(&next->posted);
        if (taken) {
            for (; posts < wanted; posts++)
                wait_for_post(self);
            return;
        }
        bool posted = true;
        if (gathers && free_one)
            posted = gathers = wait_shortly(self);
        else
            wait_for_post(self);
        posts += posted;
        if (posted && self->given == 0)
            return; /* so that was not for a connection */
        pthread_mutex_lock(&pool->lock);
    }
}

enum pg_outcome pg_pool_call(struct pg_pool *pool, const struct pg_statement *statement,
                             const char *const *values, PGresult **result)
{
    struct call self = {.statement = statement, .values = values};
    sem_init(&self.posted, 0, 0);
    pthread_mutex_lock(&pool->lock);
    *pool->tail = &self;
    /* cppcheck-suppress autoVariables; it is off the queue before this function returns */
    pool->tail = &self.next;
    see_through(pool, &self);
    sem_destroy(&self.posted);
    *result = self.result;
    return self.outcome;
}

bool pg_pool_ask(struct pg_pool *pool, struct pg_breaker *breaker,
                 const struct pg_statement *statement, const char *const *values, PGresult **result,
                 struct api_error *error, bool *away)
{
    enum pg_outcome outcome = PG_AWAY;
    if (pg_breaker_allows(breaker)) {
        outcome = pg_pool_call(pool, statement, values, result);
        pg_breaker_report(breaker, outcome);
    }
    if (away != NULL)
        *away = outcome == PG_AWAY;
    if (outcome == PG_DONE)
        return true;
    if (outcome == PG_REFUSED) {
        pg_api_error(*result, statement->name, error);
        PQclear(*result);
        *result = NULL;
        return false;
    }
    api_error(error, 503, "database_unavailable", "",
              "the database does not answer at the moment; try again shortly");
    error->retry_after_ms = RETRY_AFTER_MS;
    return false;
}
