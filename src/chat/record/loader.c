/* Looking after what the recorder could not do at once; see loader.h. */
#include "loader.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "group.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000
#define PERSONAS_MS 30000
#define SCAN_MS 2000
#define SCAN_MAX_MS 30000 /* while rows stay locked or Postgres refuses them */
#define GROUP_ROOM 128
#define LEVEL_MAX 4 /* each level: a quarter of the answers a call, twice the time for it */
#define STRIKES_MAX                                                                                \
    3 /* an answer that times out alone this often, between good probes, is set aside */

struct loader {
    const struct config *config;
    struct pg_breaker *breaker;
    struct personas *personas;
    struct metrics *metrics;
    struct spool *spool;
    struct pg *pg;      /* for probes and personas */
    struct pg *load_pg; /* for loading, with the time limit of the level; NULL while there is
                           nothing to load */
    struct group group;
    int level;
    int strikes;
    int64_t personas_due_ms, scan_due_ms, scan_wait_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
};

enum load { LOAD_ALL, LOAD_LATER, LOAD_AWAY };

static const struct pg_statement probe_statement = {
    .name = "probe", .sql = "select 1", .params = 0};
static const struct pg_statement give_feedback = {
    .name = "give_feedback",
    .sql =
        "select pending from uplift_chat.give_feedback($1::uuid, $2::uuid, $3::jsonb, $4::boolean, "
        "$5::timestamptz, $6::uuid)",
    .params = 6};

static bool stopping(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    bool yes = l->stopping;
    pthread_mutex_unlock(&l->lock);
    return yes;
}

/* Asks Postgres for a sign of life and tells the breaker. */
static bool probe(struct loader *l)
{
    PGresult *result = NULL;
    enum pg_outcome outcome = pg_call(l->pg, &probe_statement, NULL, &result);
    if (outcome == PG_DONE)
        PQclear(result);
    else if (outcome == PG_REFUSED && (group_classify(pg_sqlstate(l->pg)) == GROUP_ERROR_AWAY ||
                                       group_classify(pg_sqlstate(l->pg)) == GROUP_ERROR_SLOW))
        outcome = PG_AWAY; /* so little takes no time */
    pg_breaker_report(l->breaker, outcome);
    return outcome != PG_AWAY;
}

static void set_level(struct loader *l, int level)
{
    if (level == l->level)
        return;
    l->level = level;
    pg_free(l->load_pg);
    l->load_pg = NULL;
}

static int64_t time_limit_ms(const struct loader *l)
{
    return l->config->db_timeout_ms << l->level;
}

static bool connect_for_loading(struct loader *l)
{
    if (l->load_pg == NULL)
        l->load_pg = pg_new(l->config->database_url, "uplift loader", time_limit_ms(l),
                            l->config->db_lock_timeout_ms);
    return l->load_pg != NULL;
}

/*
 * A call for loading had no answer in time. When Postgres answers a probe, the call was too much
 * for its time limit: the next try is smaller and has longer. True when the one answer in the group
 * has had every chance and must be set aside.
 */
static bool timed_out(struct loader *l)
{
    if (!probe(l))
        return false;
    if (l->level < LEVEL_MAX) {
        set_level(l, l->level + 1);
        log_warn("loader", "no answer in time; loading fewer answers at once (level %d)", l->level);
        return false;
    }
    return l->group.count == 1 && ++l->strikes >= STRIKES_MAX;
}

/* Writes the gathered answers. LATER: some must be tried again another time. */
static enum load flush(struct loader *l, struct spool_file *f)
{
    struct group *g = &l->group;
    enum load load = LOAD_ALL;
    if (g->count == 0)
        return LOAD_ALL;
    if (!connect_for_loading(l))
        return LOAD_LATER;
    int64_t began_ms = clock_ms();
    enum pg_outcome outcome =
        group_store(g, l->load_pg, 4 * l->config->db_lock_timeout_ms, NULL, NULL);
    if (outcome != PG_DONE) {
        load = LOAD_AWAY;
        bool in_vain = outcome == PG_REFUSED || clock_ms() - began_ms >= time_limit_ms(l);
        if (in_vain && timed_out(l) && spool_set_aside(f, group_text(g, 0), g->items[0].len)) {
            log_error("loader",
                      "an answer of %zu bytes in %s never gets written in time; kept in %s.corrupt",
                      g->items[0].len, spool_file_name(f), spool_file_name(f));
            l->strikes = 0;
            load = LOAD_ALL;
        }
    } else {
        for (size_t i = 0; i < g->count; i++)
            if (g->items[i].state == GROUP_BUSY)
                load = LOAD_LATER;
    }
    metrics_count(l->metrics, M_REJECTED, group_rejected(g));
    group_clear(g);
    return load;
}

static enum load load_answers(struct loader *l, struct spool_file *f, size_t *answers,
                              size_t *thumbs)
{
    enum load all = LOAD_ALL;
    size_t room = GROUP_ROOM >> (2 * l->level);
    if (room == 0)
        room = 1;
    group_clear(&l->group);
    for (;;) {
        struct spool_line line;
        enum spool_read what = spool_next(f, &line);
        if (what == SPOOL_READ_FAILED)
            return LOAD_LATER;
        if (what == SPOOL_READ_LINE && line.kind == SPOOL_FEEDBACK) {
            (*thumbs)++;
            continue;
        }
        if (what == SPOOL_READ_LINE) {
            (*answers)++;
            if (!group_add_text(&l->group, line.json, line.len)) {
                log_error("loader", "no memory for an answer of %zu bytes", line.len);
                all = LOAD_LATER;
            }
        }
        if (what == SPOOL_READ_END || l->group.count >= room || group_full(&l->group)) {
            enum load load = flush(l, f);
            if (load == LOAD_AWAY || stopping(l))
                return LOAD_AWAY;
            if (load == LOAD_LATER)
                all = LOAD_LATER;
        }
        if (what == SPOOL_READ_END)
            return all;
    }
}

/* What the client would have been told as 4xx cannot be told any more. */
static enum load refuse_thumb(struct spool_file *f, const struct spool_line *line,
                              const char *answer_id, const char *reason, const char *message)
{
    log_error("loader", "feedback on %s was refused and is kept in %s.corrupt: %s: %s",
              answer_id != NULL ? answer_id : "?", spool_file_name(f), reason, message);
    return spool_set_aside(f, line->json, line->len) ? LOAD_ALL : LOAD_LATER;
}

/* Gives one thumb to Postgres. values: those of give_feedback. */
static enum load give_thumb(struct loader *l, struct spool_file *f, const struct spool_line *line,
                            const char *const *values)
{
    PGresult *result = NULL;
    switch (pg_call(l->load_pg, &give_feedback, values, &result)) {
    case PG_DONE:
        PQclear(result);
        return LOAD_ALL;
    case PG_AWAY:
        return LOAD_AWAY;
    case PG_REFUSED:
        break;
    }
    switch (group_classify(pg_sqlstate(l->load_pg))) {
    case GROUP_ERROR_AWAY:
        return LOAD_AWAY;
    case GROUP_ERROR_DATA:
        return refuse_thumb(f, line, values[1], pg_sqlstate(l->load_pg),
                            pg_message_to_log(l->load_pg));
    case GROUP_ERROR_LOCK:
    case GROUP_ERROR_SLOW:
    case GROUP_ERROR_BUSY:
        break;
    }
    return LOAD_LATER;
}

static enum load load_thumb(struct loader *l, struct spool_file *f, const struct spool_line *line)
{
    struct json_error error = {"", ""};
    cJSON *o = json_parse(line->json, line->len, &error);
    cJSON *changes = cJSON_GetObjectItemCaseSensitive(o, "changes");
    char *changes_text = cJSON_IsObject(changes) ? cJSON_PrintUnformatted(changes) : NULL;
    const char *values[] = {json_string(o, "user_id"),
                            json_string(o, "answer_id"),
                            changes_text,
                            json_bool(o, "issued", false) ? "true" : "false",
                            json_string(o, "given_at"),
                            json_string(o, "event_id")};
    bool whole = true;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        whole = whole && values[i] != NULL;
    enum load load = whole
                         ? give_thumb(l, f, line, values)
                         : refuse_thumb(f, line, values[1], "not what was written", error.message);
    free(changes_text);
    cJSON_Delete(o);
    return load;
}

static enum load load_thumbs(struct loader *l, struct spool_file *f)
{
    enum load all = LOAD_ALL;
    spool_rewind(f);
    for (;;) {
        struct spool_line line;
        enum spool_read what = spool_next(f, &line);
        if (what == SPOOL_READ_END)
            return all;
        if (what == SPOOL_READ_FAILED)
            return LOAD_LATER;
        if (line.kind != SPOOL_FEEDBACK)
            continue;
        if (!connect_for_loading(l))
            return LOAD_LATER;
        enum load load = load_thumb(l, f, &line);
        if (load == LOAD_AWAY || stopping(l))
            return LOAD_AWAY;
        if (load == LOAD_LATER)
            all = LOAD_LATER;
    }
}

/* Loads a whole file: its answers, then the thumbs on them. Takes f. */
static enum load load_file(struct loader *l, struct spool_file *f)
{
    size_t answers = 0, thumbs = 0;
    enum load load = load_answers(l, f, &answers, &thumbs);
    if (load == LOAD_ALL && thumbs > 0)
        load = load_thumbs(l, f);
    if (load != LOAD_ALL) {
        log_warn("loader", "%s stays for another time", spool_file_name(f));
        spool_give_back(f);
        return load;
    }
    if (answers + thumbs > 0)
        log_info("loader", "loaded %s: %zu answers, %zu feedback", spool_file_name(f), answers,
                 thumbs);
    return spool_remove(f) ? LOAD_ALL : LOAD_LATER;
}

static enum load load_spool(struct loader *l)
{
    enum load all = LOAD_ALL;
    struct spool_names names;
    spool_rotate(l->spool);
    if (!spool_scan(l->spool, &names))
        return LOAD_LATER;
    for (size_t i = 0; i < names.count && all != LOAD_AWAY && !stopping(l); i++) {
        struct spool_file *f = spool_take(l->spool, names.names[i]);
        enum load load = f != NULL ? load_file(l, f) : LOAD_ALL;
        if (load != LOAD_ALL)
            all = load;
    }
    if (names.count > 0 && all == LOAD_ALL) {
        struct spool_names left; /* only to count what waits */
        if (spool_scan(l->spool, &left))
            spool_names_release(&left);
        set_level(l, 0);
        l->strikes = 0;
    }
    spool_names_release(&names);
    if (all != LOAD_AWAY) { /* an idle connection is not kept */
        pg_free(l->load_pg);
        l->load_pg = NULL;
    }
    return all;
}

static void refresh_personas(struct loader *l, int64_t now)
{
    enum pg_outcome outcome = personas_refresh(l->personas, l->pg);
    pg_breaker_report(l->breaker, outcome);
    l->personas_due_ms = now + (outcome == PG_DONE ? PERSONAS_MS : TICK_MS * 5);
}

static void tick(struct loader *l)
{
    int64_t now = clock_ms();
    if (pg_breaker_open(l->breaker)) {
        if (!pg_breaker_allows(l->breaker) || !probe(l))
            return;
        l->personas_due_ms = l->scan_due_ms = 0;
        l->scan_wait_ms = SCAN_MS;
    }
    if (l->personas != NULL && now >= l->personas_due_ms) {
        refresh_personas(l, now);
        if (pg_breaker_open(l->breaker))
            return;
    }
    if (now >= l->scan_due_ms) {
        switch (load_spool(l)) {
        case LOAD_ALL:
            l->scan_wait_ms = SCAN_MS;
            break;
        case LOAD_LATER:
            l->scan_wait_ms = l->scan_wait_ms * 2 < SCAN_MAX_MS ? l->scan_wait_ms * 2 : SCAN_MAX_MS;
            break;
        case LOAD_AWAY:
            if (!stopping(l))
                probe(l);
            l->scan_wait_ms = TICK_MS;
            break;
        }
        l->scan_due_ms = clock_ms() + l->scan_wait_ms;
    }
}

static void *loader_main(void *arg)
{
    struct loader *l = arg;
    while (!stopping(l)) {
        tick(l);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += TICK_MS / 1000;
        pthread_mutex_lock(&l->lock);
        int wait = 0;
        while (!l->stopping && wait != ETIMEDOUT)
            wait = pthread_cond_timedwait(&l->wake, &l->lock, &until);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

static void loader_free(struct loader *l)
{
    pg_free(l->load_pg);
    pg_free(l->pg);
    group_release(&l->group);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

struct loader *loader_start(const struct config *config, struct pg_breaker *breaker,
                            struct personas *personas, struct metrics *metrics, struct spool *spool)
{
    struct loader *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->config = config;
    l->breaker = breaker;
    l->personas = personas;
    l->metrics = metrics;
    l->spool = spool;
    l->scan_wait_ms = SCAN_MS;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
    l->pg = pg_new(config->database_url, "uplift loader", config->db_timeout_ms,
                   config->db_lock_timeout_ms);

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool good = group_init(&l->group, GROUP_ROOM) && l->pg != NULL &&
                pthread_create(&l->thread, NULL, loader_main, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!good) {
        log_error("loader", "cannot start: no memory or no thread");
        loader_free(l);
        return NULL;
    }
    return l;
}

void loader_stop(struct loader *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    loader_free(l);
}
