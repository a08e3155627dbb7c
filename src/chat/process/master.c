/*
 * One generation is one configuration and the workers that run with it. A reload makes a second
 * one on trial: when all its workers are ready it becomes the current one and the old drains; when
 * one of them dies before, the trial is over and the old goes on. All fork before any library is
 * initialised, so that each worker initialises its own.
 */
#include "master.h"

#include "chat/shared/worker_slots.h"
#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/privileges.h"
#include "search/builder.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "fcgi-chat"
#define RESTART_FIRST_MS 100
#define RESTART_MAX_MS 10000 /* also: a worker that lived longer starts the delay anew */
#define READY_MS 5000        /* alive this long is ready, where the worker does not say */
#define GRACE_MS 2000        /* beyond drain_ms, for workers to end by themselves */
#define KILL_MS 8000         /* for a worker's last words, from END_NOW to KILL */
#define FILES_PER_CHAT 2     /* the connections to nginx and to the provider */
#define FILES_BESIDES (64 + 2 * WORKER_SLOTS) /* Postgres, spool, sockets, pipes; mailboxes */

struct generation {
    struct config config;
    struct listener listener; /* fd -1: shares that of the generation before */
    int number;
    int64_t children;
};

struct child {
    pid_t pid; /* 0: dead, to be started at due_ms */
    int number;
    struct generation *generation;
    bool builds; /* the copies that are searched (search/builder.h); else it is a worker */
    bool ready;  /* which a builder always is: chats do not wait for it */
    int terms;   /* TERMs sent; above 0 it drains */
    int deaths;  /* in a row */
    int64_t started_ms;
    int64_t due_ms; /* when to start it, count it as ready, or send the next signal; 0: never */
    struct child *next;
};

struct master {
    const char *config_path;
    struct generation *current;
    struct generation *trial; /* NULL: no reload under way */
    struct listener listener;
    struct child *children;
    struct shared *shared;        /* by all workers */
    struct answer_key random_key; /* for when UPLIFT_ID_KEY is not set */
    int signal_fd;
    int ready_fds[2]; /* workers write their pid here */
    int generations;
    bool announced; /* systemd knows that we are ready */
    bool stopping;
    bool reload_again; /* HUP came during a trial */
};

static int worker_ready_fd = -1;

void master_worker_ready(void)
{
    pid_t pid = getpid();
    if (worker_ready_fd < 0)
        return;
    if (write(worker_ready_fd, &pid, sizeof pid) != (ssize_t)sizeof pid)
        log_warn("worker", "could not tell the master: %s", strerror(errno));
    close(worker_ready_fd);
    worker_ready_fd = -1;
}

/* --- children --- */

/* "worker 3", or "the builder of copies", for logs; in a static array. */
static const char *name_of(const struct child *c)
{
    static char name[32];
    if (c->builds)
        return "the builder of copies";
    snprintf(name, sizeof name, "worker %d", c->number);
    return name;
}

static int listen_fd_of(const struct master *m, const struct generation *g)
{
    return g->listener.fd >= 0 ? g->listener.fd : m->listener.fd;
}

/* Builds copies until told to end. What it must not keep open is closed: the sockets, lest clients
 * wait in a queue that nobody takes them from, and the pipe, in which it has nothing to say. */
static _Noreturn void run_builder(struct master *m, const struct config *config)
{
    listener_close(&m->listener, false);
    listener_close(&m->current->listener, false);
    if (m->trial != NULL)
        listener_close(&m->trial->listener, false);
    close(m->ready_fds[1]);
    exit(builder_run(config->search_database_url, config->search_dir));
}

/* The life of a worker process, from fork to its end. */
static _Noreturn void run_child(struct master *m, const struct child *c, pid_t master_pid)
{
    struct answer_key key = m->random_key;
    const struct config *config = &c->generation->config;
    sigset_t told;
    prctl(PR_SET_PDEATHSIG, WORKER_DRAIN); /* a worker without a master drains */
    if (getppid() != master_pid)
        _exit(0);
    /* What a terminal sends to the whole group is the master's to pass on. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    /* Until the worker is ready to hear these, they wait. */
    sigemptyset(&told);
    sigaddset(&told, WORKER_DRAIN);
    sigaddset(&told, WORKER_END_NOW);
    sigprocmask(SIG_SETMASK, &told, NULL);
    close(m->signal_fd);
    close(m->ready_fds[0]);
    log_open(PROGRAM, c->number, (enum log_level)config->log_level);
    if (c->builds)
        run_builder(m, config);
    worker_ready_fd = m->ready_fds[1];
    if (config->id_key != NULL)
        answer_key_derive(config->id_key, strlen(config->id_key), &key);
    exit(worker_run(config, listen_fd_of(m, c->generation), &key, m->shared, c->number));
}

static void restart_later(struct child *c)
{
    int64_t delay = c->deaths < 7 ? RESTART_FIRST_MS << c->deaths : RESTART_MAX_MS;
    c->pid = 0;
    c->ready = c->builds;
    c->deaths++;
    c->due_ms = clock_ms() + (delay < RESTART_MAX_MS ? delay : RESTART_MAX_MS);
}

static void start_child(struct master *m, struct child *c)
{
    pid_t master_pid = getpid();
    pid_t pid = fork();
    if (pid == 0)
        run_child(m, c, master_pid);
    if (pid < 0) {
        log_error("master", "could not start %s: %s", name_of(c), strerror(errno));
        restart_later(c);
        return;
    }
    c->pid = pid;
    c->ready = c->builds;
    c->started_ms = clock_ms();
    c->due_ms = c->builds ? 0 : c->started_ms + READY_MS;
    log_info("master", "started %s, pid %ld", name_of(c), (long)pid);
}

/* A worker keeps more than one core busy, and the fewer workers there are the more chats share a
 * call of Postgres. */
static int64_t worker_count(const struct config *config)
{
    cpu_set_t set;
    if (config->workers > 0)
        return config->workers;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        cores = CPU_COUNT(&set);
    return cores > 0 ? (cores + 1) / 2 : 1;
}

/* For its workers, which inherit it: as many open files as the system lets us have. */
static bool raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    if (limit.rlim_max < FILES_BESIDES + FILES_PER_CHAT) {
        log_error(
            "master",
            "a process may have only %llu files open, and %d are needed: raise the hard limit "
            "(LimitNOFILE of systemd)",
            (unsigned long long)limit.rlim_max, FILES_BESIDES + FILES_PER_CHAT);
        return false;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            log_warn("master", "could not raise the limit of open files: %s", strerror(errno));
    }
    return true;
}

static void warn_of_file_limit(const struct config *config)
{
    rlim_t wanted = (rlim_t)config->max_chats * FILES_PER_CHAT + FILES_BESIDES;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted)
        log_warn("master",
                 "a worker may have only %llu files open, but UPLIFT_MAX_CHATS=%lld takes %llu: "
                 "raise the hard limit (LimitNOFILE of systemd), or lower the setting",
                 (unsigned long long)limit.rlim_cur, (long long)config->max_chats,
                 (unsigned long long)wanted);
}

static bool add_child(struct master *m, struct generation *g, int number, bool builds)
{
    struct child *c = calloc(1, sizeof *c);
    if (c == NULL)
        return false;
    c->number = number;
    c->builds = builds;
    c->generation = g;
    g->children++;
    c->next = m->children;
    m->children = c;
    start_child(m, c);
    return true;
}

static bool start_generation(struct master *m, struct generation *g)
{
    int64_t count = worker_count(&g->config);
    warn_of_file_limit(&g->config);
    for (int64_t i = 0; i < count; i++)
        if (!add_child(m, g, (int)i, false))
            return false;
    return g->config.search_database_url == NULL || add_child(m, g, -1, true);
}

static void signal_child(struct child *c, int signo)
{
    if (c->pid > 0 && kill(c->pid, signo) != 0 && errno != ESRCH)
        log_error("master", "could not signal %s: %s", name_of(c), strerror(errno));
}

/* The next step in ending a worker. */
static void end_child(struct child *c)
{
    int64_t now = clock_ms();
    c->terms++;
    if (c->terms == 1) {
        signal_child(c, WORKER_DRAIN);
        int64_t drain_ms = c->generation->config.drain_ms;
        c->due_ms = now + (drain_ms > WORKER_KEPT_MS ? drain_ms : WORKER_KEPT_MS) + GRACE_MS;
    } else if (c->terms == 2) {
        signal_child(c, WORKER_END_NOW);
        c->due_ms = now + KILL_MS;
    } else {
        log_warn("master", "killing %s, pid %ld: it does not end", name_of(c), (long)c->pid);
        signal_child(c, SIGKILL);
        c->due_ms = now + KILL_MS;
    }
}

static void drain_generation(struct master *m, const struct generation *g)
{
    for (struct child *c = m->children; c != NULL; c = c->next) {
        if (c->generation == g && c->terms == 0)
            end_child(c);
    }
}

static void free_generation(struct master *m, struct generation *g)
{
    listener_close(&g->listener, true);
    config_release(&g->config);
    if (m->current == g)
        m->current = NULL;
    free(g);
}

/* Forgets children that have ended, and generations without any. */
static void sweep(struct master *m)
{
    for (struct child **link = &m->children; *link != NULL;) {
        struct child *c = *link;
        if (c->pid != 0 || c->terms == 0) {
            link = &c->next;
            continue;
        }
        struct generation *g = c->generation;
        *link = c->next;
        free(c);
        if (--g->children == 0 && g != m->current && g != m->trial)
            free_generation(m, g);
    }
}

/* --- reload --- */

static void announce(struct master *m)
{
    int64_t ready = 0, workers = 0;
    for (const struct child *c = m->children; c != NULL; c = c->next) {
        if (c->generation == m->current && !c->builds) {
            ready += c->ready;
            workers++;
        }
    }
    if (!m->announced && ready == workers) {
        m->announced = true;
        log_info("master", "ready: %lld workers", (long long)ready);
        notify_send("READY=1\nSTATUS=%lld workers\nMAINPID=%ld", (long long)ready, (long)getpid());
    }
}

static void log_complaints(const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        log_error("config", "%.*s", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

/* Reads the configuration again; NULL, with every complaint logged, when it is no good. */
static struct generation *read_generation(struct master *m)
{
    struct generation *g = calloc(1, sizeof *g);
    char *text = NULL;
    size_t size = 0;
    FILE *complaints = open_memstream(&text, &size);
    bool good = g != NULL && complaints != NULL &&
                config_read_again(&g->config, &m->current->config, m->config_path, complaints);
    if (complaints != NULL)
        fclose(complaints);
    if (text != NULL)
        log_complaints(text);
    free(text);
    if (!good) {
        free(g);
        return NULL;
    }
    g->listener.fd = -1;
    g->number = ++m->generations;
    return g;
}

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void reload(struct master *m)
{
    if (m->trial != NULL) {
        m->reload_again = true;
        return;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    notify_send("RELOADING=1\nMONOTONIC_USEC=%lld",
                (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    m->announced = false;
    struct generation *g = read_generation(m);
    if (g == NULL) {
        log_error("master", "reload: the configuration is bad: nothing changes");
        announce(m);
        return;
    }
    const struct config *old = &m->current->config;
    if (!text_equal(old->run_as, g->config.run_as))
        log_warn("master", "reload: UPLIFT_RUN_AS changes only at a restart");
    if ((strcmp(old->listen, g->config.listen) != 0 || old->listen_mode != g->config.listen_mode) &&
        !listener_open(&g->listener, g->config.listen, (mode_t)g->config.listen_mode, (uid_t)-1,
                       (gid_t)-1)) {
        log_error("master", "reload: could not make the socket: nothing changes");
        free_generation(m, g);
        announce(m);
        return;
    }
    m->trial = g;
    if (!start_generation(m, g))
        log_error("master", "reload: out of memory");
}

static void trial_passed(struct master *m)
{
    struct generation *old = m->current;
    m->current = m->trial;
    m->trial = NULL;
    if (m->current->listener.fd >= 0) {
        listener_close(&m->listener, true);
        m->listener = m->current->listener;
        m->current->listener = (struct listener){.fd = -1};
    }
    log_open(PROGRAM, -1, (enum log_level)m->current->config.log_level);
    log_info("master", "reloaded: new workers are up, the old ones drain");
    drain_generation(m, old);
    announce(m);
}

static void trial_failed(struct master *m)
{
    struct generation *g = m->trial;
    log_error("master", "reload: a new worker died at its start: nothing changes");
    m->trial = NULL;
    drain_generation(m, g);
    announce(m);
}

static void judge_trial(struct master *m)
{
    for (const struct child *c = m->children; c != NULL && m->trial != NULL; c = c->next) {
        if (c->generation == m->trial && !c->ready)
            return;
    }
    if (m->trial != NULL)
        trial_passed(m);
}

/* --- events --- */

static void log_death(const struct child *c, int status)
{
    int64_t lived = clock_ms() - c->started_ms;
    if (WIFSIGNALED(status))
        log_write(c->terms > 0 ? LOG_WARN : LOG_ERROR, "master",
                  "%s, pid %ld, was ended by signal %d (%s) after %lld ms", name_of(c),
                  (long)c->pid, WTERMSIG(status), strsignal(WTERMSIG(status)), (long long)lived);
    else if (c->terms > 0 && WEXITSTATUS(status) == 0)
        log_info("master", c->builds ? "%s, pid %ld, has ended" : "%s, pid %ld, has drained",
                 name_of(c), (long)c->pid);
    else
        log_error("master", "%s, pid %ld, ended with status %d after %lld ms", name_of(c),
                  (long)c->pid, WEXITSTATUS(status), (long long)lived);
}

static void child_died(struct master *m, struct child *c, int status)
{
    log_death(c, status);
    if (c->terms > 0) {
        c->pid = 0;
        return;
    }
    if (clock_ms() - c->started_ms >= RESTART_MAX_MS)
        c->deaths = 0;
    bool was_ready = c->ready;
    restart_later(c);
    if (c->generation == m->trial && !was_ready)
        trial_failed(m);
}

static void reap(struct master *m)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *c = m->children;
        while (c != NULL && c->pid != pid)
            c = c->next;
        if (c != NULL)
            child_died(m, c, status);
    }
}

static void stop(struct master *m)
{
    if (!m->stopping) {
        log_info("master", "stopping: workers drain");
        notify_send("STOPPING=1\nSTATUS=draining");
        listener_refuse(&m->listener);
        if (m->trial != NULL)
            listener_refuse(&m->trial->listener);
    } else {
        log_warn("master", "stopping at once");
    }
    for (struct child *c = m->children; c != NULL; c = c->next) {
        if (c->terms == 0 || (m->stopping && c->terms == 1))
            end_child(c);
    }
    m->stopping = true;
    m->trial = NULL;
}

static void take_signals(struct master *m)
{
    struct signalfd_siginfo info;
    while (read(m->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            reap(m);
            break;
        case SIGHUP:
            if (!m->stopping)
                reload(m);
            break;
        default:
            stop(m);
        }
    }
}

static void child_ready(struct master *m, struct child *c)
{
    if (c->terms > 0 || c->ready)
        return;
    c->ready = true;
    c->due_ms = 0;
    if (m->trial == NULL)
        announce(m);
}

static void take_ready(struct master *m)
{
    pid_t pid;
    while (read(m->ready_fds[0], &pid, sizeof pid) == (ssize_t)sizeof pid) {
        for (struct child *c = m->children; c != NULL; c = c->next) {
            if (c->pid == pid)
                child_ready(m, c);
        }
    }
}

static void take_due(struct master *m)
{
    int64_t now = clock_ms();
    for (struct child *c = m->children; c != NULL; c = c->next) {
        if (c->due_ms == 0 || c->due_ms > now)
            continue;
        if (c->terms > 0)
            end_child(c);
        else if (c->pid == 0)
            start_child(m, c);
        else
            child_ready(m, c);
    }
}

/* Milliseconds until the next thing that is due; -1: none. */
static int time_left(const struct master *m)
{
    int64_t next = INT64_MAX;
    for (const struct child *c = m->children; c != NULL; c = c->next) {
        if (c->due_ms != 0 && c->due_ms < next)
            next = c->due_ms;
    }
    if (next == INT64_MAX)
        return -1;
    int64_t left = next - clock_ms();
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void watch(struct master *m)
{
    while (!m->stopping || m->children != NULL) {
        struct pollfd polls[] = {{.fd = m->signal_fd, .events = POLLIN},
                                 {.fd = m->ready_fds[0], .events = POLLIN}};
        if (poll(polls, 2, time_left(m)) < 0 && errno != EINTR)
            log_error("master", "could not wait: %s", strerror(errno));
        take_ready(m); /* first: one that was ready and then died was ready */
        take_signals(m);
        take_due(m);
        judge_trial(m);
        sweep(m);
        if (m->reload_again && m->trial == NULL && !m->stopping) {
            m->reload_again = false;
            reload(m);
        }
    }
}

/* --- start --- */

static bool open_signals(struct master *m)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    signal(SIGPIPE, SIG_IGN); /* a log reader that goes away must not end us */
    sigset_t blocked = set;
    sigaddset(&blocked, WORKER_END_NOW); /* for a child, from its first moment */
    if (sigprocmask(SIG_BLOCK, &blocked, NULL) != 0)
        return false;
    m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return m->signal_fd >= 0 && pipe2(m->ready_fds, O_CLOEXEC | O_NONBLOCK) == 0;
}

static bool make_random_key(struct master *m)
{
    size_t size = sizeof m->random_key.bytes;
    if (m->current->config.id_key == NULL)
        log_info("master", "UPLIFT_ID_KEY is not set: answer ids are marked with a random key, "
                           "which other hosts and the next start do not know");
    return getrandom(m->random_key.bytes, size, 0) == (ssize_t)size;
}

static bool start(struct master *m)
{
    struct privileges privileges;
    const struct config *config = &m->current->config;
    if (!privileges_plan(&privileges, config->run_as) ||
        !listener_open(&m->listener, config->listen, (mode_t)config->listen_mode, privileges.uid,
                       privileges.gid))
        return false;
    if (!make_random_key(m) || !open_signals(m)) {
        log_error("master", "could not start: %s", strerror(errno));
        return false;
    }
    return privileges_drop(&privileges) && start_generation(m, m->current);
}

int master_run(struct config *config, const char *config_path)
{
    struct master m = {
        .config_path = config_path, .listener = {.fd = -1}, .signal_fd = -1, .ready_fds = {-1, -1}};
    int status = 1;
    log_open(PROGRAM, -1, (enum log_level)config->log_level);
    m.current = calloc(1, sizeof *m.current);
    if (m.current == NULL) {
        config_release(config);
        log_error("master", "out of memory");
        return 1;
    }
    m.current->config = *config;
    m.current->listener.fd = -1;
    memset(config, 0, sizeof *config);
    notify_open();
    if (raise_file_limit()) /* before the mailboxes, which are many */
        m.shared = shared_new();
    if (m.shared != NULL && start(&m)) {
        watch(&m);
        log_info("master", "stopped");
        status = 0;
    }
    listener_close(&m.listener, true);
    if (m.current != NULL)
        free_generation(&m, m.current);
    if (m.signal_fd >= 0)
        close(m.signal_fd);
    for (int i = 0; i < 2; i++) {
        if (m.ready_fds[i] >= 0)
            close(m.ready_fds[i]);
    }
    explicit_bzero(&m.random_key, sizeof m.random_key);
    return status;
}
