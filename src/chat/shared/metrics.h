/*
 * Figures for Prometheus, counted in memory that all workers share and that outlives each of them.
 *
 * A worker counts in a block of its own, so that no two of them write to the same cache line, and
 * with relaxed atomics, because its threads do. Whoever is asked for GET /metrics adds up all
 * blocks. What the figures mean is told beside each in the text, and in API.md.
 */
#ifndef UPLIFT_METRICS_H
#define UPLIFT_METRICS_H

#include "chat/provider/breaker.h"
#include "chat/snapshot/prices.h"
#include "common/buf.h"
#include "search/search.h"

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define METRICS_WORKERS 64   /* blocks; beyond them workers share */
#define METRICS_ENDPOINTS 64 /* routes that are told apart */
#define METRICS_PLACES 64 /* providers with a model that are told apart; all others are "other" */
#define METRICS_OTHER BREAKER_OTHER
#define METRICS_BUCKETS 12

struct chat;

/* The counters that are plain numbers, in the order of their names in metrics.c. */
enum metric {
    M_CACHE_HITS,
    M_CACHE_MISSES,
    M_CACHE_SHARED,
    M_SAVED_TOKENS,
    M_THUMBS_UP,
    M_THUMBS_DOWN,
    M_RATINGS,
    M_COMMENTS,
    M_REFUSED_RATE,
    M_REFUSED_BUDGET,
    M_REFUSED_OVERLOAD,
    M_DEGRADED,
    M_SPOOLED,
    M_NOT_RECORDED,
    M_REJECTED,
    M_RESTARTS,
    M_CONTINUATIONS,
    M_SEARCHES,
    M_EMBEDDED,
    M_EMBEDDED_KEPT,
    M_EMBEDDED_LATE,
    M_EMBEDDED_FAILED,
    M_EMBEDDED_RESTING,
    M_EMBEDDED_BUSY,
    M_PHOTO_KEPT,
    M_PHOTO_KNOWN,
    M_PHOTO_REFUSED,
    M_PHOTO_ANALYSED,
    M_PHOTO_FAILED,
    METRIC_COUNT
};

/* Levels, which a worker sets each second. */
enum level {
    L_OPEN_CHATS,
    L_RECORDER_QUEUE,
    L_SPOOL_BYTES,
    L_DATABASE_AWAY,
    L_DRAINING,
    LEVEL_COUNT
};

enum histogram { H_RESPONSE, H_FIRST_TOKEN, H_OVERHEAD, HISTOGRAM_COUNT };

/* How calls of a provider end. */
enum attempt_end {
    A_OK,
    A_STATUS_429,
    A_STATUS_4XX,
    A_STATUS_5XX,
    A_TIMEOUT,
    A_CONNECT,
    A_RESET,
    A_CUT,
    A_OTHER,
    ATTEMPT_ENDS
};

struct metrics_histogram {
    atomic_uint_fast64_t counts[METRICS_BUCKETS + 1]; /* the last: beyond all bounds */
    atomic_uint_fast64_t sum_ms;
};

/* A provider and a model. */
struct metrics_place {
    atomic_int claim; /* as in struct breaker */
    char provider[64], model[128];
    atomic_uint_fast64_t attempts[ATTEMPT_ENDS];
    atomic_uint_fast64_t answers, prompt_tokens, cached_tokens, completion_tokens;
    atomic_uint_fast64_t cost_nano_usd; /* billionths of a US dollar */
    atomic_uint_fast64_t unpriced;
};

struct metrics {
    _Alignas(64) atomic_uint_fast64_t requests[METRICS_ENDPOINTS][6]; /* by status / 100 */
    atomic_uint_fast64_t answers[2][4]; /* by enum chat_protocol and chat_outcome */
    atomic_uint_fast64_t counts[METRIC_COUNT];
    atomic_uint_fast64_t levels[LEVEL_COUNT];
    struct metrics_histogram histograms[HISTOGRAM_COUNT];
    struct metrics_place places[METRICS_PLACES + 1]; /* the last is "other" */
};

static inline void metrics_count(struct metrics *m, enum metric what, uint64_t more)
{
    if (m != NULL)
        atomic_fetch_add_explicit(&m->counts[what], more, memory_order_relaxed);
}

static inline void metrics_level(struct metrics *m, enum level what, uint64_t now)
{
    if (m != NULL)
        atomic_store_explicit(&m->levels[what], now, memory_order_relaxed);
}

/* A request of a route (its place in the table of routes) was answered. */
void metrics_request(struct metrics *m, int endpoint, int status);

/* An answer has ended: its attempts, tokens, cost and times. waited_ms of it were for providers. */
void metrics_answer(struct metrics *m, struct prices *prices, const struct chat *chat);

/* What is the same for all workers, and only known to some. */
struct metrics_more {
    const char *const *endpoints; /* names of routes, endpoint_count of them */
    int endpoint_count;
    const struct breakers *breakers;
    int64_t now_ms;
    const cJSON *budgets;               /* uplift.budget_gauges(), or NULL */
    const cJSON *queues;                /* {name: number}, or NULL */
    const cJSON *unpriced;              /* uplift.unpriced_models(), or NULL */
    const cJSON *predictions;           /* uplift.prediction_gauges(), or NULL */
    const cJSON *experiments;           /* uplift.experiment_gauges(), or NULL */
    const cJSON *rollouts;              /* uplift.rollout_gauges(), or NULL */
    const cJSON *autopilot;             /* uplift.autopilot_gauges(), or NULL */
    const struct search_state *shelves; /* SHELVES of them; NULL: no retrieval */
};

/* Appends the figures of all blocks, in Prometheus' text format 0.0.4. */
void metrics_write(const struct metrics *all, const struct metrics_more *more, struct buf *out);

#endif
