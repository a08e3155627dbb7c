/*
 * generate-training-data: brings the training examples in step with feedback, chunk by chunk.
 *
 * Two connections work at once, each on the users of its lane: a thread of this job has lane 1.
 * Each chunk takes what it did out of the queue, so there is nothing to keep, and a chunk that
 * fails in the thread is done again at the end, by the job's own connection, which then tells why.
 */
#include "kinds.h"

#include "common/json.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_ANSWERS 5000 /* a second of work or less: as long as a cancelled job may go on */
#define CHUNK_MAX 1000000
#define LOOK_MS 100 /* while lane 1 is still at work */

const struct job_argument generate_training_data_arguments[] = {
    {"chunk", ARG_INTEGER, false, NULL, "Answers that are looked at in one transaction."},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

/* Columns of a chunk's answer, in order. */
static const char *const counts[] = {"taken",     "remaining",  "added", "changed",
                                     "withdrawn", "duplicates", "failed"};
enum { TAKEN, REMAINING, ADDED, COUNTS = 7 };

static const struct pg_statement of_lane[] = {
    {.name = "generate_training_lane_0",
     .sql = "select * from uplift_batch.generate_training_lane($1, 0)",
     .params = 1},
    {.name = "generate_training_lane_1",
     .sql = "select * from uplift_batch.generate_training_lane($1, 1)",
     .params = 1},
};
static const struct pg_statement of_all = {
    .name = "generate_training_examples",
    .sql = "select * from uplift_batch.generate_training_examples($1)",
    .params = 1};

/* What both connections did. The job owns it, and joins the thread before it ends. */
struct generation {
    struct pg *pg; /* lane 1's */
    char chunk[24];
    _Atomic int64_t sums[COUNTS];
    _Atomic int64_t remaining[2]; /* by lane */
    atomic_bool stop;             /* for lane 1: do not begin another chunk */
    atomic_bool ended;            /* by lane 1 */
};

/* Adds what a chunk says; takes result over. Returns how many answers it took. */
static int64_t add_chunk(struct generation *g, int lane, PGresult *result)
{
    int64_t taken = strtoll(PQgetvalue(result, 0, TAKEN), NULL, 10);
    for (int i = 0; i < COUNTS; i++) {
        int64_t n = strtoll(PQgetvalue(result, 0, i), NULL, 10);
        if (i == REMAINING)
            atomic_store(&g->remaining[lane], n);
        else
            atomic_fetch_add(&g->sums[i], n);
    }
    PQclear(result);
    return taken;
}

static void *run_lane(void *arg)
{
    struct generation *g = arg;
    PGresult *result;
    while (!atomic_load(&g->stop)) {
        if (pg_call(g->pg, &of_lane[1], (const char *[]){g->chunk}, &result) != PG_DONE)
            break;
        if (add_chunk(g, 1, result) == 0)
            break;
    }
    atomic_store(&g->remaining[1], 0);
    atomic_store(&g->ended, true);
    return NULL;
}

static bool say(struct job *j, struct generation *g)
{
    int64_t taken = atomic_load(&g->sums[TAKEN]);
    return job_progress(j, taken,
                        taken + atomic_load(&g->remaining[0]) + atomic_load(&g->remaining[1]),
                        "%lld examples added", (long long)atomic_load(&g->sums[ADDED]));
}

/* Chunk after chunk on the job's own connection, until there is none. */
static bool run_chunks(struct job *j, struct generation *g, const struct pg_statement *statement,
                       enum job_outcome *outcome)
{
    PGresult *result;
    do {
        *outcome = JOB_STOPPED;
        if (!say(j, g))
            return false;
        if (!job_query(j, statement, (const char *[]){g->chunk}, &result, outcome))
            return false;
    } while (add_chunk(g, 0, result) > 0);
    return true;
}

/* Both lanes; without a thread the rest is left to the run after this one. */
static bool run_lanes(struct job *j, struct generation *g, enum job_outcome *outcome)
{
    pthread_t thread;
    bool has_thread = g->pg != NULL && pthread_create(&thread, NULL, run_lane, g) == 0;
    bool good = run_chunks(j, g, &of_lane[0], outcome);
    while (good && has_thread && !atomic_load(&g->ended)) {
        *outcome = JOB_STOPPED;
        good = say(j, g) && job_goes_on(j, LOOK_MS);
    }
    atomic_store(&g->stop, true);
    if (has_thread)
        pthread_join(thread, NULL);
    return good;
}

enum job_outcome job_generate_training_data(struct job *j)
{
    struct generation g = {0};
    enum job_outcome outcome = JOB_DONE;
    double chunk = json_number(j->arguments, "chunk", CHUNK_ANSWERS);
    if (chunk < 1 || chunk > CHUNK_MAX)
        return job_fail(j, "invalid_argument", "chunk must be 1 to %d", CHUNK_MAX);
    snprintf(g.chunk, sizeof g.chunk, "%.0f", chunk);
    g.pg = pg_new(config_batch_database(j->config), "uplift job",
                  j->config->batch_statement_timeout_ms, 0);
    bool good = run_lanes(j, &g, &outcome);
    pg_free(g.pg);
    if (!good || !run_chunks(j, &g, &of_all, &outcome))
        return outcome;
    for (int i = 0; i < COUNTS; i++)
        if (i != REMAINING)
            cJSON_AddNumberToObject(j->result, counts[i], (double)atomic_load(&g.sums[i]));
    say(j, &g);
    return JOB_DONE;
}
