/* One worker process: starts the stages in order, waits for a signal, and ends them in the order
 * that loses nothing. */
#include "worker.h"

#include "chat/routes/routes.h"
#include "common/access_log.h"
#include "common/clock.h"
#include "common/intake.h"
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

static void hand_back(void *relay, struct chat *list)
{
    relay_recorded(relay, list);
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

static bool start_stages(struct services *w, int listen_fd, const struct answer_key *key,
                         struct intake **intake)
{
    w->signer = answer_signer_new(key);
    w->breaker = pg_breaker_new(DATABASE_PROBE_MS);
    size_t connections = (size_t)w->config->db_connections;
    w->prepare_pool = pg_pool_new(w->config->database_url, "uplift prepare", (connections + 1) / 2,
                                  w->config->db_timeout_ms, w->config->db_lock_timeout_ms);
    w->pool = pg_pool_new(w->config->database_url, "uplift requests", connections / 2,
                          w->config->db_timeout_ms, w->config->db_lock_timeout_ms);
    w->auth = auth_new(w->config);
    w->keys = w->pool != NULL ? api_keys_new(w->pool, w->breaker) : NULL;
    if (w->auth != NULL)
        auth_take_keys(w->auth, w->keys);
    w->personas = personas_new(w->config->spool_dir);
    if (w->signer == NULL || w->breaker == NULL || w->prepare_pool == NULL || w->pool == NULL ||
        w->auth == NULL || w->keys == NULL || w->personas == NULL)
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
        .slots = &w->shared->slots,
        .slot = w->slot,
    });
    if (w->relay == NULL)
        return false;
    recorder_attach(w->recorder, hand_back, w->relay);
    w->sync = sync_start(&(struct sync_options){
        .config = w->config,
        .breaker = w->breaker,
        .routings = w->routings,
        .access = w->access,
        .prices = w->prices,
        .budgets = w->budgets,
        .limits = w->limits,
        .each_second = set_levels,
        .arg = w,
    });
    if (w->sync == NULL)
        return false;
    *intake = intake_start(&(struct intake_options){
        .config = w->config,
        .memory = &w->memory,
        .listen_fd = listen_fd,
        .threads = (size_t)w->config->intake_threads,
        .serve = serve,
        .arg = w,
    });
    return *intake != NULL;
}

/* Waits up to wait_ms for one of the set; 0 when none came. */
static int next_signal(const sigset_t *set, int64_t wait_ms)
{
    struct timespec t = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    int signal_number = sigtimedwait(set, NULL, &t);
    return signal_number > 0 ? signal_number : 0;
}

/* Until all chats have ended, the master has no more patience, or the deadline. */
static void drain(struct services *w, const sigset_t *set)
{
    int64_t deadline = clock_ms() + w->config->drain_ms;
    relay_drain(w->relay);
    log_info("worker", "draining %lld open chats", (long long)relay_open(w->relay));
    while (relay_open(w->relay) > 0 && clock_ms() < deadline)
        if (next_signal(set, 50) == WORKER_END_NOW)
            break;
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
    struct intake *intake = NULL;
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
    if (!start_stages(&w, listen_fd, answer_key, &intake)) {
        log_error("worker", "cannot start");
        goto out;
    }
    log_info("worker", "ready");
    master_worker_ready();
    int told;
    while ((told = next_signal(&set, 3600000)) == 0)
        ;
    atomic_store(&w.draining, true);
    intake_stop(intake);
    intake = NULL;
    close(listen_fd); /* so that a new master finds nobody listening, while this one drains */
    if (told == WORKER_DRAIN)
        drain(&w, &set);
    status = EXIT_SUCCESS;
out:
    if (intake != NULL)
        intake_stop(intake);
    sync_stop(w.sync);                            /* before those that it looks at */
    metrics_level(w.metrics, L_DATABASE_AWAY, 0); /* of a worker that is gone */
    if (w.relay != NULL)
        relay_stop(w.relay, LAST_WORDS_MS);
    if (w.recorder != NULL)
        recorder_stop(w.recorder);
    worker_slots_leave(&shared->slots, w.slot);
    model_access_free(w.access);
    prices_free(w.prices);
    limits_free(w.limits);
    budgets_free(w.budgets);
    routings_free(w.routings);
    personas_free(w.personas);
    auth_free(w.auth);
    api_keys_free(w.keys);
    pg_pool_free(w.pool);
    pg_pool_free(w.prepare_pool);
    pg_breaker_free(w.breaker);
    answer_signer_free(w.signer);
    curl_global_cleanup();
    log_info("worker", "stopped");
    return status;
}
