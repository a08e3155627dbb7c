#include "pg_pool.h"

#include "buf.h"
#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOGETHER_BYTES ((size_t)64 * 1024 * 1024)
#define GATHER_US 500       /* less than a round trip takes */
#define RETRY_AFTER_MS 1000 /* what a client is told while Postgres is away */

/* A connection, and whose call is on it, where it is one that does not go with others. */
struct connection {
    struct pg *pg;
    const char *owner;
    int64_t since_ms;
};

/*
 * A call and the thread that wants it, on that thread's stack. The thread sleeps on a semaphore,
 * which others post when they have given it a connection, and when they have made its call; so it
 * wakes up with its answer without having to take the lock. It leaves only when all posts have
 * come, for until then somebody may still hold on to the call.
 */
struct call {
    const struct pg_statement *statement;
    const char *const *values;
    PGresult *result;
    enum pg_outcome outcome;
    int64_t since_ms;
    sem_t posted;
    /* These change under the pool's lock, and no more once it is done. */
    struct connection *connection; /* given to it, to run its own call on and others' */
    atomic_uint given;             /* how often another thread gave it one: as many posts */
    bool taken;                    /* off the queue: whoever took it makes the call */
    bool done;                     /* it was made: whoever made it posts, but not itself */
    bool alone; /* it was refused together with others, and goes with none any more */
    struct call *next;
};

struct pg_pool {
    pthread_mutex_t lock; /* guards all below */
    struct call *head, **tail;
    pthread_cond_t gathered; /* there are as many calls as somebody waits for */
    size_t waiting;          /* calls on the queue */
    size_t gathering;        /* how many of them somebody waits for; 0 when nobody does */
    size_t last;             /* how many calls went together, the last time */
    size_t count, free_count;
    struct connection *all;
    struct connection **free; /* a stack: the one used last is the first to be used again */
    int64_t timeout_ms;
};

struct pg_pool *pg_pool_new(const char *conninfo, const char *name, size_t connections,
                            int64_t timeout_ms, int64_t lock_timeout_ms)
{
    struct pg_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->gathered, NULL);
    pool->tail = &pool->head;
    pool->timeout_ms = timeout_ms;
    pool->all = calloc(connections, sizeof *pool->all);
    pool->free = calloc(connections, sizeof *pool->free);
    while (pool->all != NULL && pool->free != NULL && pool->count < connections) {
        struct connection *connection = &pool->all[pool->count];
        connection->pg = pg_new(conninfo, name, timeout_ms, lock_timeout_ms);
        if (connection->pg == NULL)
            break;
        pool->count++;
        pool->free[pool->free_count++] = connection;
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
        pg_free(pool->all[i].pg);
    free(pool->all);
    free(pool->free);
    pthread_cond_destroy(&pool->gathered);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* --- whose turn it is; the lock is held --- */

static bool goes_with_others(const struct call *c)
{
    return c->statement->for_many && !c->alone;
}

/* Whose call it is; NULL: nobody's by itself. */
static const char *owner_of(const struct call *c)
{
    return goes_with_others(c) || c->statement->params == 0 ? NULL : c->values[0];
}

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether its owner leaves a connection to others. */
static bool may_run(const struct pg_pool *pool, const struct call *c)
{
    size_t running = 0;
    for (size_t i = 0; i < pool->count; i++)
        running += is_same(pool->all[i].owner, owner_of(c));
    return running == 0 || running + 1 < pool->count;
}

/* Whether a call of the same owner has been under way for long. */
static bool is_behind_a_slow_one(const struct pg_pool *pool, const struct call *c, int64_t now)
{
    for (size_t i = 0; i < pool->count; i++)
        if (is_same(pool->all[i].owner, owner_of(c)) &&
            now - pool->all[i].since_ms >= PG_POOL_SLOW_MS)
            return true;
    return false;
}

/* How many calls of the same owner wait, in front of this one if it waits itself. */
static size_t count_before(const struct pg_pool *pool, const struct call *c)
{
    size_t count = 0;
    for (const struct call *w = pool->head; w != NULL && w != c; w = w->next)
        count += is_same(owner_of(w), owner_of(c));
    return count;
}

/* Whether a call that waits, or is about to, is better told to come again. */
static bool is_hopeless(const struct pg_pool *pool, const struct call *c)
{
    int64_t now = clock_ms();
    /* Longer than it takes to find out that Postgres is away, which is another answer. */
    return now - c->since_ms >= 2 * pool->timeout_ms ||
           (is_behind_a_slow_one(pool, c, now) && count_before(pool, c) >= PG_POOL_PATIENCE);
}

static void leave_queue(struct pg_pool *pool, struct call *self)
{
    struct call **at = &pool->head;
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    if (self->next == NULL)
        pool->tail = at;
    pool->waiting--;
}

/*
 * Takes the calls off the queue that self's thread is to make: its own, or, where that goes with
 * others, the oldest of its kind. None that may be slow is made by a thread of another call, which
 * would have to wait for it.
 */
static size_t take(struct pg_pool *pool, struct call *self, struct call *batch[PG_POOL_TOGETHER])
{
    size_t n = 0;
    if (!goes_with_others(self)) {
        if (!may_run(pool, self))
            return 0;
        leave_queue(pool, self);
        self->taken = true;
        batch[0] = self;
        return 1;
    }
    struct call **at = &pool->head;
    while (*at != NULL && n < PG_POOL_TOGETHER) {
        struct call *c = *at;
        if (!goes_with_others(c) || c->statement != self->statement) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        c->taken = true;
        batch[n++] = c;
    }
    pool->waiting -= n;
    pool->last = n;
    while (*at != NULL)
        at = &(*at)->next;
    pool->tail = at;
    return n;
}

/* Puts calls that were refused together back at the head of the queue. */
static void put_back(struct pg_pool *pool, struct call *const *batch, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        batch[i]->taken = false;
        batch[i]->alone = true;
        batch[i]->next = pool->head;
        if (pool->head == NULL)
            pool->tail = &batch[i]->next;
        pool->head = batch[i];
    }
    pool->waiting += n;
}

/* --- making calls --- */

/* False when memory ran out or it is too much for one call. */
static bool put_calls(struct pg_arrays *a, struct call *const *batch, size_t n)
{
    for (int p = 0; p < batch[0]->statement->params; p++) {
        pg_arrays_begin(a, n);
        for (size_t i = 0; i < n; i++) {
            const char *value = batch[i]->values[p];
            pg_arrays_put(a, value, value != NULL ? strlen(value) : 0);
        }
    }
    return pg_arrays_end(a);
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
        size_t i = strtoul(PQgetvalue(rows, row, last), NULL, 10) - 1;
        good =
            i < n && batch[i]->result == NULL && (batch[i]->result = copy_row(rows, row)) != NULL;
    }
    for (size_t i = 0; i < n && !good; i++) {
        PQclear(batch[i]->result);
        batch[i]->result = NULL;
    }
    return good;
}

/* Makes calls of a statement for many at once. */
static enum pg_outcome call_many(struct pg *pg, struct call *const *batch, size_t n)
{
    enum pg_outcome outcome = PG_REFUSED;
    PGresult *rows = NULL;
    struct pg_arrays arrays;
    pg_arrays_init(&arrays, TOGETHER_BYTES);
    if (put_calls(&arrays, batch, n))
        outcome = pg_call_binary(pg, batch[0]->statement, arrays.values, arrays.lengths, &rows);
    buf_release(&arrays.data);
    if (outcome == PG_DONE && !share_out(rows, batch, n))
        outcome = PG_REFUSED;
    PQclear(rows);
    return outcome;
}

/* PG_REFUSED when that could not be: they are then to be run alone. */
static enum pg_outcome run_together(struct pg *pg, struct call *const *batch, size_t n)
{
    enum pg_outcome outcome = call_many(pg, batch, n);
    if (outcome == PG_AWAY && pg_only_slow(pg))
        outcome = PG_REFUSED;
    for (size_t i = 0; i < n; i++)
        batch[i]->outcome = outcome;
    return outcome;
}

static void run_alone(struct pg *pg, struct call *c)
{
    c->outcome = c->statement->for_many ? call_many(pg, &c, 1)
                                        : pg_call(pg, c->statement, c->values, &c->result);
    if (c->outcome == PG_REFUSED)
        c->result = pg_take_refusal(pg);
    else if (c->outcome == PG_AWAY && pg_only_slow(pg))
        c->outcome = PG_REFUSED;
}

/* A connection that nobody runs calls on goes to who has waited longest and may have it. The lock
 * is held. Returns who is to be posted once it is not, or NULL; self needs no post. */
static struct call *pass_on(struct pg_pool *pool, struct connection *connection,
                            const struct call *self)
{
    for (struct call *c = pool->head; c != NULL; c = c->next) {
        if (c->connection != NULL || !may_run(pool, c))
            continue;
        c->connection = connection;
        if (c == self)
            return NULL;
        c->given++;
        return c;
    }
    pool->free[pool->free_count++] = connection;
    return NULL;
}

/* All who wait are told that Postgres is away: they would only wait for the same, one by one. The
 * lock is held. Returns them. */
static struct call *give_up(struct pg_pool *pool)
{
    struct call *list = pool->head;
    for (struct call *c = list; c != NULL; c = c->next) {
        c->outcome = PG_AWAY;
        c->taken = c->done = true;
    }
    pool->head = NULL;
    pool->tail = &pool->head;
    pool->waiting = 0;
    return list;
}

/* The calls were made: none is touched after its post, except by its own thread. */
static void post_all(struct call *const *batch, size_t n, const struct call *self)
{
    for (size_t i = 0; i < n; i++)
        if (batch[i] != self)
            sem_post(&batch[i]->posted);
}

/* Under load, twice as many calls as the last time are waited for: see pg_pool.h. */
static void gather(struct pg_pool *pool, const struct call *self)
{
    struct timespec until;
    size_t wanted = pool->last * 2 < PG_POOL_TOGETHER ? pool->last * 2 : PG_POOL_TOGETHER;
    if (!goes_with_others(self) || pool->last < PG_POOL_LOAD || pool->gathering > 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GATHER_US * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pool->gathering = wanted;
    while (pool->waiting < wanted && !self->taken &&
           pthread_cond_clockwait(&pool->gathered, &pool->lock, CLOCK_MONOTONIC, &until) == 0)
        continue;
    pool->gathering = 0;
}

/* Runs what waits, on the connection that self was given, and passes that on. True when self's call
 * was among it. Called and left with the lock held, which is free meanwhile. */
static bool lead(struct pg_pool *pool, struct call *self)
{
    struct call *batch[PG_POOL_TOGETHER], *given_up = NULL, *next, *more = NULL;
    struct connection *connection = self->connection;
    gather(pool, self);
    if (self->taken)
        return false;
    size_t n = take(pool, self, batch);
    bool own = false;
    connection->owner = n == 1 ? owner_of(batch[0]) : NULL;
    connection->since_ms = clock_ms();
    pthread_mutex_unlock(&pool->lock);
    enum pg_outcome outcome = PG_DONE;
    if (n > 1)
        outcome = run_together(connection->pg, batch, n);
    else if (n == 1)
        run_alone(connection->pg, batch[0]);
    bool away = n > 0 && batch[0]->outcome == PG_AWAY;
    pthread_mutex_lock(&pool->lock);
    connection->owner = NULL;
    self->connection = NULL;
    bool is_refused = n > 1 && outcome == PG_REFUSED;
    if (is_refused) {
        put_back(pool, batch, n);
        n = 0;
    }
    if (away)
        given_up = give_up(pool);
    next = pass_on(pool, connection, self);
    if (is_refused && pool->free_count > 0) /* there is more to do than before */
        more = pass_on(pool, pool->free[--pool->free_count], self);
    for (size_t i = 0; i < n; i++) {
        batch[i]->done = true;
        own = own || batch[i] == self;
    }
    pthread_mutex_unlock(&pool->lock);

    /* From its last post on a call is no more. */
    if (next != NULL)
        sem_post(&next->posted);
    if (more != NULL)
        sem_post(&more->posted);
    post_all(batch, n, self);
    for (struct call *c = given_up, *after; c != NULL; c = after) {
        after = c->next;
        own = own || c == self;
        if (c != self)
            sem_post(&c->posted);
    }
    pthread_mutex_lock(&pool->lock);
    return own;
}

/* False when nobody has posted in so many milliseconds. */
static bool wait_for_post(struct call *self, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int error;
    do {
        error = sem_clockwait(&self->posted, CLOCK_MONOTONIC, &until) == 0 ? 0 : errno;
    } while (error == EINTR);
    return error == 0;
}

/* The posts that are still to come, after which nobody holds on to the call. */
static void await_posts(struct call *self, unsigned posts, unsigned wanted)
{
    while (posts < wanted)
        posts += wait_for_post(self, PG_POOL_SLOW_MS);
}

/* Gives a free connection to a call that may have it. The lock is held. */
static void take_free(struct pg_pool *pool, struct call *self, bool gathers)
{
    if (!self->taken && self->connection == NULL && pool->free_count > 0 && may_run(pool, self) &&
        (!gathers || pool->free_count == pool->count))
        self->connection = pool->free[--pool->free_count];
}

/* Until the call has been made, by this thread or another, or is given up. The lock is held when it
 * is called, and not when it returns. */
static void see_through(struct pg_pool *pool, struct call *self)
{
    /* Whether it would rather wait for a connection on its way than take a free one. */
    bool gathers = goes_with_others(self);
    bool made = false; /* by this thread */
    unsigned posts = 0;
    while (!self->done) {
        take_free(pool, self, gathers);
        if (self->connection != NULL && !self->taken) {
            made = lead(pool, self);
            continue;
        }
        struct call *next = NULL;
        if (self->connection != NULL) { /* another one was quicker */
            next = pass_on(pool, self->connection, self);
            self->connection = NULL;
        } else if (!self->taken && posts == self->given && is_hopeless(pool, self)) {
            leave_queue(pool, self);
            self->outcome = PG_REFUSED;
            pthread_mutex_unlock(&pool->lock);
            return;
        }
        bool is_short = gathers && pool->free_count > 0;
        pthread_mutex_unlock(&pool->lock);
        if (next != NULL)
            sem_post(&next->posted);
        bool posted = wait_for_post(self, is_short ? PG_POOL_GATHER_MS : PG_POOL_SLOW_MS);
        posts += posted;
        if (posted && self->given == 0)
            return; /* so that was not for a connection: the call is done */
        gathers = gathers && (posted || !is_short);
        pthread_mutex_lock(&pool->lock);
    }
    struct call *next = self->connection != NULL ? pass_on(pool, self->connection, self) : NULL;
    unsigned wanted = self->given + !made;
    pthread_mutex_unlock(&pool->lock);
    if (next != NULL)
        sem_post(&next->posted);
    await_posts(self, posts, wanted);
}

enum pg_outcome pg_pool_call(struct pg_pool *pool, const struct pg_statement *statement,
                             const char *const *values, PGresult **result)
{
    struct call self = {.statement = statement, .values = values, .since_ms = clock_ms()};
    sem_init(&self.posted, 0, 0);
    pthread_mutex_lock(&pool->lock);
    *pool->tail = &self;
    /* cppcheck-suppress autoVariables; it is off the queue before this function returns */
    pool->tail = &self.next;
    if (++pool->waiting == pool->gathering)
        pthread_cond_signal(&pool->gathered);
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
        /* Who had no turn knows nothing of Postgres. */
        bool knows = outcome != PG_REFUSED || *result != NULL;
        if (knows || pg_breaker_open(breaker))
            pg_breaker_report(breaker, knows ? outcome : PG_AWAY);
    }
    if (away != NULL)
        *away = outcome == PG_AWAY;
    if (outcome == PG_DONE)
        return true;
    if (outcome == PG_REFUSED && *result == NULL) {
        api_error(error, 503, "database_busy", "",
                  "the database has had no time for this: try again");
        error->retry_after_ms = RETRY_AFTER_MS;
        return false;
    }
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
