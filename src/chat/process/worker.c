/* One worker process: starts the stages in order, waits for a signal, and ends them in the order
 * that loses nothing. */
#include "worker.h"

#include "chat/routes/routes.h"
#include "common/access_log.h"
#include "common/clock.h"
#include "common/intake.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/program.h"
#include "master.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcgiapp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATABASE_PROBE_MS 1000
/* For what goes through all that a user has: a million answers take over a minute. */
#define SLOW_CONNECTIONS 2
#define SLOW_TIMEOUT_MS (300 * 1000)
#define SLOW_LOCK_TIMEOUT_MS (10 * 1000)
#define LAST_WORDS_MS 5000 /* for what is still open when the drain's time is up */

static void note_request(void *services, const struct request *r)
{
    const struct services *w = services;
    metrics_request(w->metrics, r->endpoint, r->status);
    access_log(w->config, w->signer, r);
}

static void serve(void *services, struct request *r)
{
    struct route_context context = {.services = services, .request = r};
    r->on_finish = note_request;
    r->on_finish_arg = services;
    routes_dispatch(&context);
}

static void hand_back(void *services, struct chat *list)
{
    const struct services *w = services;
    learner_note(w->learner, list);
    relay_recorded(w->relay, list);
}

/* What /metrics tells of a worker as it is now. */
static void set_levels(void *arg)
{
    const struct services *w = arg;
    metrics_level(w->metrics, L_OPEN_CHATS, (uint64_t)relay_open(w->relay));
    metrics_level(w->metrics, L_RECORDER_QUEUE, (uint64_t)recorder_waiting(w->recorder));
    metrics_level(w->metrics, L_SPOOL_BYTES, (uint64_t)recorder_spool_bytes(w->recorder));
    metrics_level(w->metrics, L_DATABASE_AWAY, pg_breaker_open(w->breaker));
}

static bool start_stages(struct services *w, int listen_fd, const struct answer_key *key)
{
    w->intake = intake_new(&(struct intake_options){
        .config = w->config,
        .memory = &w->memory,
        .listen_fd = listen_fd,
        .threads = (size_t)w->config->intake_threads,
        .serve = serve,
        .arg = w,
    });
    if (w->intake == NULL)
        return false;
    w->signer = answer_signer_new(key);
    w->breaker = pg_breaker_new(DATABASE_PROBE_MS);
    size_t connections = (size_t)w->config->db_connections;
    w->prepare_pool = pg_pool_new(w->config->database_url, "uplift prepare", (connections + 1) / 2,
                                  w->config->db_timeout_ms, w->config->db_lock_timeout_ms);
    w->pool = pg_pool_new(w->config->database_url, "uplift requests", connections / 2,
                          w->config->db_timeout_ms, w->config->db_lock_timeout_ms);
    w->slow_pool = pg_pool_new(w->config->database_url, "uplift erasures", SLOW_CONNECTIONS,
                               SLOW_TIMEOUT_MS, SLOW_LOCK_TIMEOUT_MS);
    w->auth = auth_new(w->config);
    w->keys = w->pool != NULL ? api_keys_new(w->pool, w->breaker) : NULL;
    if (w->auth != NULL)
        auth_take_keys(w->auth, w->keys);
    w->personas = personas_new(w->config->spool_dir);
    w->experiments = experiments_new(w->config->spool_dir);
    if (w->signer == NULL || w->breaker == NULL || w->prepare_pool == NULL || w->pool == NULL ||
        w->slow_pool == NULL || w->auth == NULL || w->keys == NULL || w->personas == NULL ||
        w->experiments == NULL)
        return false;
    w->routings = routings_new(w->config, &w->shared->breakers);
    w->budgets = budgets_new();
    w->limits = limits_new();
    w->prices = prices_new();
    if (w->routings == NULL || w->budgets == NULL || w->limits == NULL || w->prices == NULL)
        return false;
    w->access = model_access_new(w->config, w->routings, w->prices);
    if (w->access == NULL)
        return false;
    w->search = search_start(w->config->search_database_url != NULL ? w->config->search_dir : NULL);
    if (w->search == NULL)
        return false;
    w->embedder = embedder_start(w->config);
    if (w->embedder == NULL)
        return false;
    w->recorder = recorder_start(w->config, w->breaker, w->personas, w->metrics);
    if (w->recorder == NULL)
        return false;
    w->relay = relay_start(&(struct relay_options){
        .config = w->config,
        .recorder = w->recorder,
        .routings = w->routings,
        .limits = w->limits,
        .metrics = w->metrics,
        .prices = w->prices,
        .open_answers = &w->shared->open_answers,
        .intake = w->intake,
        .slots = &w->shared->slots,
        .slot = w->slot,
    });
    if (w->relay == NULL)
        return false;
    w->learner = learner_start(w->pool, w->breaker);
    if (w->learner == NULL)
        return false;
    w->analyst = analyst_start(w->config, w->pool, w->breaker, w->metrics);
    if (w->analyst == NULL)
        return false;
    recorder_attach(w->recorder, hand_back, w);
    w->sync = sync_start(&(struct sync_options){
        .config = w->config,
        .breaker = w->breaker,
        .routings = w->routings,
        .access = w->access,
        .prices = w->prices,
        .budgets = w->budgets,
        .experiments = w->experiments,
        .limits = w->limits,
        .embedder = w->embedder,
        .breakers = &w->shared->breakers,
        .each_second = set_levels,
        .arg = w,
    });
    return w->sync != NULL && intake_start(w->intake);
}

/* Waits up to wait_ms for one of the set; 0 when none came. */
static int next_signal(const sigset_t *set, int64_t wait_ms)
{
    struct timespec t = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    int signal_number = sigtimedwait(set, NULL, &t);
    return signal_number > 0 ? signal_number : 0;
}

/* A chat that intake is just handing on is in neither of the two counts for a moment. */
static bool is_done(const struct services *w)
{
    return relay_open(w->relay) == 0 && intake_is_empty(w->intake);
}

/* Until all chats have ended and nginx has closed its connections, the master has no more patience,
 * or the deadlines. */
static void drain(struct services *w, const sigset_t *set)
{
    int64_t now = clock_ms(), deadline = now + w->config->drain_ms;
    int64_t kept_deadline = now + WORKER_KEPT_MS;
    bool was_done = false, is_told = false;
    log_info("worker", "draining %lld open chats", (long long)relay_open(w->relay));
    while (!is_told && (!was_done || !is_done(w))) {
        was_done = is_done(w);
        now = clock_ms();
        if (now >= deadline && (now >= kept_deadline || intake_is_empty(w->intake)))
            break;
        is_told = next_signal(set, 50) == WORKER_END_NOW;
    }
}

int worker_run(const struct config *config, int listen_fd, const struct answer_key *answer_key,
               struct shared *shared, int number)
{
    struct services w = {
        .config = config,
        .shared = shared,
        .memory.max = (size_t)config->request_memory_bytes,
        .metrics = &shared->metrics[(unsigned)number % METRICS_WORKERS],
    };
    int status = EXIT_FAILURE;
    log_open("fcgi-chat", number, (enum log_level)config->log_level);

    /* Blocked in every thread; this one takes them with sigtimedwait, so no write is ever
     * interrupted. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, WORKER_DRAIN);
    sigaddset(&set, WORKER_END_NOW);
    sigset_t blocked = set;
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);

    /* Without this libfcgi waits up to 2 s on each close for nginx to hang up first. */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    program_keep_memory_low();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || FCGX_Init() != 0) {
        log_error("worker", "cannot initialise libcurl or libfcgi");
        return EXIT_FAILURE;
    }
    /* All its threads wait their turn when they wake up, in place of stopping what runs just then.
     * What there is to do gathers meanwhile, and is done at once, which is worth a tenth of all
     * time when the machine is busy; when it is not, nobody waits. Where the system refuses, all
     * stays as it is. */
    struct sched_param none = {0};
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
    w.slot = worker_slots_claim(&shared->slots);
    open_answers_forget(&shared->open_answers, w.slot);
    if (!start_stages(&w, listen_fd, answer_key)) {
        log_error("worker", "cannot start");
        goto out;
    }
    log_info("worker", "ready");
    master_worker_ready();
    int told;
    while ((told = next_signal(&set, 3600000)) == 0)
        ;
    /* Unless others go on in its place, whom the same connection might ask. */
    atomic_store(&w.draining, listener_refuses(listen_fd));
    embedder_quit(w.embedder); /* what is prepared now has less time than that server may take */
    intake_drain(w.intake);
    close(listen_fd); /* so that a new master finds nobody listening, while this one drains */
    if (told == WORKER_DRAIN)
        drain(&w, &set);
    status = EXIT_SUCCESS;
out:
    if (w.intake != NULL)
        intake_stop(w.intake);
    sync_stop(w.sync);                            /* before those that it looks at */
    metrics_level(w.metrics, L_DATABASE_AWAY, 0); /* of a worker that is gone */
    if (w.relay != NULL)
        relay_stop(w.relay, LAST_WORDS_MS);
    if (w.recorder != NULL)
        recorder_stop(w.recorder);
    learner_stop(w.learner);
    analyst_stop(w.analyst);
    intake_free(w.intake);
    embedder_stop(w.embedder);
    search_stop(w.search);
    worker_slots_leave(&shared->slots, w.slot);
    model_access_free(w.access);
    prices_free(w.prices);
    limits_free(w.limits);
    budgets_free(w.budgets);
    routings_free(w.routings);
    experiments_free(w.experiments);
    personas_free(w.personas);
    auth_free(w.auth);
    api_keys_free(w.keys);
    pg_pool_free(w.pool);
    pg_pool_free(w.prepare_pool);
    pg_pool_free(w.slow_pool);
    pg_breaker_free(w.breaker);
    answer_signer_free(w.signer);
    curl_global_cleanup();
    log_info("worker", "stopped");
    return status;
}
