/* Intake threads: accept, name, dispatch. */
#include "intake.h"

#include "clock.h"
#include "listener.h"
#include "log.h"
#include "uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LAST_WAIT_MS 20    /* between looks whether all is over, once no more is accepted */
#define FULL_WAIT_US 10000 /* for memory or descriptors, which come back as requests end */

struct intake_thread {
    struct intake *intake;
    pthread_t thread;
    bool running;
};

struct intake {
    struct intake_options options;
    atomic_bool stopping; /* the threads are to end, perhaps to be started again */
    atomic_bool is_over;  /* and not to be started again */
    int epoll_fd;         /* of new and kept connections and stop_fd, for all threads */
    int stop_fd;          /* readable once accepting is to end */
    bool is_last;         /* only kept connections are served; no thread runs while this changes */
    atomic_int kept;      /* connections that wait, or whose request a thread has in hand */
    size_t count;
    struct intake_thread threads[];
};

/* The id nginx gave, when it is one that may be logged and sent back; else a new one. */
static void name_request(struct request *r)
{
    const char *given = request_param(r, "UPLIFT_REQUEST_ID");
    size_t len = given == NULL ? 0 : strlen(given);
    bool clean = len > 0 && len <= REQUEST_ID_MAX;
    for (size_t i = 0; clean && i < len; i++)
        clean = (given[i] >= '0' && given[i] <= '9') || (given[i] >= 'a' && given[i] <= 'z') ||
                (given[i] >= 'A' && given[i] <= 'Z') || given[i] == '-' || given[i] == '_';
    if (clean) {
        memcpy(r->request_id, given, len + 1);
    } else {
        struct uuid id;
        uuid_v7(&id);
        uuid_format(&id, r->request_id);
    }
}

static void serve(struct intake *in, struct request *r)
{
    const char *method = request_param(r, "REQUEST_METHOD");
    const char *path = request_param(r, "DOCUMENT_URI");
    const char *query = request_param(r, "QUERY_STRING");
    r->method = method != NULL ? method : "GET";
    r->path = path != NULL ? path : "/";
    r->query = query != NULL ? query : "";
    r->origin = request_param(r, "HTTP_ORIGIN");
    r->accepted_ms = clock_ms();
    name_request(r);
    request_read_trace(r, request_param(r, "HTTP_TRACEPARENT"));
    in->options.serve(in->options.arg, r);
}

/* --- connections --- */

static bool watch(const struct intake *in, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(in->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void intake_keep(struct intake *in, int fd)
{
    /* Told once, to one thread, which has it until it comes back here. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.fd = fd};
    if (atomic_load(&in->is_over)) { /* nobody would ever read from it */
        close(fd);
        return;
    }
    atomic_fetch_add(&in->kept, 1);
    if (epoll_ctl(in->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
        (errno == ENOENT && epoll_ctl(in->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0))
        return;
    log_warn("intake", "a connection could not be kept: %s", strerror(errno));
    close(fd);
    atomic_fetch_sub(&in->kept, 1);
}

static void keep(void *in, int fd)
{
    intake_keep(in, fd);
}

/* A connection that has a request or was closed, or the listening socket; -1 at the end. */
static int wait_for_connection(struct intake *in)
{
    struct epoll_event event;
    while (!atomic_load(&in->stopping)) {
        int n = epoll_wait(in->epoll_fd, &event, 1, in->is_last ? LAST_WAIT_MS : -1);
        if (n == 1 && event.data.fd != in->stop_fd)
            return event.data.fd;
    }
    return -1;
}

static struct request *new_request(struct intake *in, int fd)
{
    bool is_kept = fd != in->options.listen_fd;
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->config = in->options.config;
    r->memory = in->options.memory;
    r->keep = keep;
    r->keep_arg = in;
    /* libfcgi would accept another connection where a kept one was closed. */
    FCGX_InitRequest(&r->fcgi, is_kept ? -1 : in->options.listen_fd, 0);
    if (is_kept) {
        r->fcgi.ipcFd = fd;
        r->fcgi.keepConnection = 1;
    }
    return r;
}

/* The next request of a connection, or of one that is accepted; NULL when there is none. */
static struct request *take_request(struct intake *in, int fd)
{
    bool is_kept = fd != in->options.listen_fd;
    struct request *r = new_request(in, fd);
    if (r == NULL) {
        log_error("intake", "out of memory");
        usleep(FULL_WAIT_US);
        if (is_kept) /* its request is still to be read */
            intake_keep(in, fd);
        return NULL;
    }
    int accepted = FCGX_Accept_r(&r->fcgi);
    if (accepted == 0)
        return r;
    free(r);
    /* The socket is non-blocking: another thread was quicker, or there is nothing. A kept
     * connection was closed. */
    if (accepted != -EAGAIN && accepted != -EINTR && !is_kept && !atomic_load(&in->stopping)) {
        log_warn("intake", "accept: %s", accepted > -9000 ? strerror(-accepted) : "protocol error");
        if (accepted == -EMFILE || accepted == -ENFILE)
            usleep(FULL_WAIT_US);
    }
    return NULL;
}

static bool serve_connection(struct intake *in, int fd)
{
    struct request *r = take_request(in, fd);
    if (r != NULL)
        serve(in, r);
    if (fd != in->options.listen_fd)
        atomic_fetch_sub(&in->kept, 1);
    return r != NULL;
}

static void *intake_main(void *arg)
{
    struct intake *in = ((struct intake_thread *)arg)->intake;
    int listen_fd = in->options.listen_fd, fd;
    while ((fd = wait_for_connection(in)) >= 0)
        serve_connection(in, fd);
    /* This thread may be the one that the kernel woke for a connection. And when all is to end, all
     * who wait to be accepted are served: nobody else will. */
    while (!in->is_last && serve_connection(in, listen_fd) && listener_refuses(listen_fd))
        continue;
    return NULL;
}

/* --- starting and ending --- */

struct intake *intake_new(const struct intake_options *options)
{
    size_t count = options->threads;
    struct intake *in = calloc(1, sizeof *in + count * sizeof in->threads[0]);
    if (in == NULL)
        return NULL;
    in->options = *options;
    in->count = count;
    for (size_t i = 0; i < count; i++)
        in->threads[i].intake = in;
    in->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    in->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    /* Exclusive: one connection wakes one process, not all of them. */
    if (in->stop_fd < 0 || in->epoll_fd < 0 || !watch(in, in->stop_fd, EPOLLIN) ||
        !watch(in, options->listen_fd, EPOLLIN | EPOLLEXCLUSIVE)) {
        log_error("intake", "cannot start: %s", strerror(errno));
        intake_free(in);
        return NULL;
    }
    return in;
}

bool intake_start(struct intake *in)
{
    for (size_t i = 0; i < in->count; i++) {
        struct intake_thread *t = &in->threads[i];
        int error = pthread_create(&t->thread, NULL, intake_main, t);
        t->running = error == 0;
        if (error != 0) {
            log_error("intake", "cannot start thread %zu: %s", i, strerror(error));
            return false;
        }
    }
    return true;
}

static void join(struct intake *in)
{
    atomic_store(&in->stopping, true);
    /* Never read, so that it stays readable for every thread. */
    if (in->stop_fd >= 0 && eventfd_write(in->stop_fd, 1) != 0)
        log_error("intake", "eventfd: %s", strerror(errno));
    for (size_t i = 0; i < in->count; i++) {
        if (in->threads[i].running)
            pthread_join(in->threads[i].thread, NULL);
        in->threads[i].running = false;
    }
}

void intake_drain(struct intake *in)
{
    join(in);
    epoll_ctl(in->epoll_fd, EPOLL_CTL_DEL, in->stop_fd, NULL);
    epoll_ctl(in->epoll_fd, EPOLL_CTL_DEL, in->options.listen_fd, NULL);
    in->is_last = true;
    in->options.listen_fd = -1; /* it may be closed from now on */
    atomic_store(&in->stopping, false);
    if (!intake_start(in))
        log_warn("intake", "requests on connections that were kept may wait in vain");
}

void intake_stop(struct intake *in)
{
    atomic_store(&in->is_over, true);
    join(in);
}

bool intake_is_empty(const struct intake *in)
{
    return atomic_load(&in->kept) == 0;
}

void intake_free(struct intake *in)
{
    if (in == NULL)
        return;
    if (in->epoll_fd >= 0)
        close(in->epoll_fd);
    if (in->stop_fd >= 0)
        close(in->stop_fd);
    free(in);
}
