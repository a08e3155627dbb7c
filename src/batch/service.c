/* fcgi-batch as a service: starts its parts, waits for a signal, and ends them. */
#include "service.h"

#include "common/access_log.h"
#include "common/intake.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/privileges.h"
#include "common/program.h"
#include "routes.h"

#include <curl/curl.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define BREAKER_PROBE_MS 1000
#define POOL_CONNECTIONS 4
#define ADMIN_TIMEOUT_MS 60000 /* lists and counts of large tables take their time */
#define LAST_LOOK_MS 3000      /* for streams and exports to notice that we end */

struct service {
    struct admin admin;
    struct listener listener;
    struct intake *intake;
};

static void note_request(void *admin, const struct request *r)
{
    access_log(((const struct admin *)admin)->config, NULL, r);
}

static void serve(void *admin, struct request *r)
{
    r->on_finish = note_request;
    r->on_finish_arg = admin;
    admin_dispatch(admin, r);
}

/* What needs root, and then being root no longer. */
static bool open_socket(struct service *s)
{
    const struct config *config = s->admin.config;
    struct privileges privileges;
    return privileges_plan(&privileges, config->run_as) &&
           listener_open(&s->listener, config->batch_listen, (mode_t)config->listen_mode,
                         privileges.uid, privileges.gid) &&
           privileges_drop(&privileges);
}

static bool start(struct service *s)
{
    struct admin *a = &s->admin;
    const struct config *config = a->config;
    const char *database = config_batch_database(config);
    a->breaker = pg_breaker_new(BREAKER_PROBE_MS);
    a->pool = pg_pool_new(database, "uplift admin", POOL_CONNECTIONS, ADMIN_TIMEOUT_MS, 0);
    a->auth = auth_new(config);
    a->keys = a->pool != NULL ? api_keys_new(a->pool, a->breaker) : NULL;
    if (a->auth != NULL)
        auth_take_keys(a->auth, a->keys);
    a->runners = runners_start(config, (size_t)config->batch_runners, NULL);
    if (a->breaker == NULL || a->pool == NULL || a->auth == NULL || a->keys == NULL ||
        a->runners == NULL)
        return false;
    s->intake = intake_new(&(struct intake_options){
        .config = config,
        .memory = &a->memory,
        .listen_fd = s->listener.fd,
        .threads = (size_t)config->batch_threads,
        .serve = serve,
        .arg = a,
    });
    return s->intake != NULL && intake_start(s->intake);
}

/* Whether threads of their own still answer somebody. */
static bool has_streams(const struct admin *a)
{
    return atomic_load(&a->watchers) > 0 || atomic_load(&a->exports) > 0;
}

/* False when jobs or streams did not stop in time: then nothing may be freed. */
static bool stop(struct service *s)
{
    struct admin *a = &s->admin;
    atomic_store(&a->draining, true);
    if (s->intake != NULL) {
        listener_refuse(&s->listener);
        intake_stop(s->intake);
    }
    for (int waited = 0; has_streams(a) && waited < LAST_LOOK_MS; waited += 50)
        usleep(50000);
    bool stopped = a->runners == NULL || runners_stop(a->runners, a->config->drain_ms);
    if (!stopped)
        log_warn("service", "jobs did not stop in time; they go on when their leases have run out");
    return stopped && !has_streams(a);
}

int service_run(const struct config *config)
{
    struct service s = {
        .admin = {.config = config, .memory.max = (size_t)config->request_memory_bytes},
        .listener = {.fd = -1}};
    int status = EXIT_FAILURE, told;
    sigset_t set;
    log_open("fcgi-batch", 0, (enum log_level)config->log_level);
    notify_open();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigset_t blocked = set;
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!open_socket(&s))
        return EXIT_FAILURE;

    /* Without this libfcgi waits up to 2 s on each close for nginx to hang up first. */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    program_keep_memory_low();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || FCGX_Init() != 0) {
        log_error("service", "cannot initialise libcurl or libfcgi");
    } else if (start(&s)) {
        log_info("service", "ready");
        notify_send("READY=1");
        sigwait(&set, &told);
        notify_send("STOPPING=1");
        status = EXIT_SUCCESS;
    } else {
        log_error("service", "cannot start");
    }
    if (!stop(&s)) {
        listener_close(&s.listener, true);
        _exit(status);
    }
    listener_close(&s.listener, true);
    intake_free(s.intake);
    auth_free(s.admin.auth);
    api_keys_free(s.admin.keys);
    pg_pool_free(s.admin.pool);
    pg_breaker_free(s.admin.breaker);
    curl_global_cleanup();
    log_info("service", "stopped");
    return status;
}
