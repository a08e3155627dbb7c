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

struct intake_thread {
    struct intake *intake;
    int epoll_fd;
    pthread_t thread;
    bool running;
};

struct intake {
    struct intake_options options;
    atomic_bool stopping;
    int stop_fd; /* readable once accepting is to end */
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

static void serve(struct intake_thread *t, struct request *r)
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
    t->intake->options.serve(t->intake->options.arg, r);
}

/* Waits for a connection or for the end. False at the end. */
static bool wait_for_connection(struct intake_thread *t)
{
    struct epoll_event event;
    int n = epoll_wait(t->epoll_fd, &event, 1, -1);
    return !(n == 1 && event.data.fd == t->intake->stop_fd);
}

static void *intake_main(void *arg)
{
    struct intake_thread *t = arg;
    struct intake *in = t->intake;
    const struct intake_options *o = &in->options;
    struct request *r = NULL;
    /* When all is to end, also those who wait to be accepted are served: nobody else will. */
    while (!atomic_load(&in->stopping) || listener_refuses(o->listen_fd)) {
        if (r == NULL) {
            r = calloc(1, sizeof *r);
            if (r == NULL) {
                log_error("intake", "out of memory");
                if (!wait_for_connection(t))
                    break;
                continue;
            }
            r->config = o->config;
            r->memory = o->memory;
            FCGX_InitRequest(&r->fcgi, o->listen_fd, 0);
        }
        int accepted = FCGX_Accept_r(&r->fcgi);
        if (accepted == 0) {
            serve(t, r);
            r = NULL;
            continue;
        }
        if (atomic_load(&in->stopping))
            break;
        /* The socket is non-blocking: another thread was quicker, or there is nothing. */
        if (accepted != -EAGAIN && accepted != -EINTR) {
            log_warn("intake", "accept: %s",
                     accepted > -9000 ? strerror(-accepted) : "protocol error");
            if (accepted == -EMFILE || accepted == -ENFILE)
                usleep(10000); /* nothing to wait on: descriptors come back as chats end */
        }
        if (!wait_for_connection(t))
            break;
    }
    free(r);
    return NULL;
}

static bool start_thread(struct intake_thread *t)
{
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (t->epoll_fd < 0)
        return false;
    /* Exclusive: one connection wakes one thread of all processes, not all of them. */
    int listen_fd = t->intake->options.listen_fd;
    struct epoll_event listening = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = listen_fd};
    struct epoll_event stopping = {.events = EPOLLIN, .data.fd = t->intake->stop_fd};
    if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening) < 0 ||
        epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->intake->stop_fd, &stopping) < 0)
        return false;
    t->running = pthread_create(&t->thread, NULL, intake_main, t) == 0;
    return t->running;
}

struct intake *intake_start(const struct intake_options *options)
{
    size_t count = options->threads;
    struct intake *in = calloc(1, sizeof *in + count * sizeof in->threads[0]);
    if (in == NULL)
        return NULL;
    in->options = *options;
    in->count = count;
    in->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < count; i++) {
        in->threads[i].intake = in;
        in->threads[i].epoll_fd = -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (in->stop_fd < 0 || !start_thread(&in->threads[i])) {
            log_error("intake", "cannot start thread %zu: %s", i, strerror(errno));
            intake_stop(in);
            return NULL;
        }
    }
    return in;
}

void intake_stop(struct intake *in)
{
    atomic_store(&in->stopping, true);
    /* Never read, so that it stays readable for every thread. */
    if (in->stop_fd >= 0 && eventfd_write(in->stop_fd, 1) != 0)
        log_error("intake", "eventfd: %s", strerror(errno));
    for (size_t i = 0; i < in->count; i++) {
        struct intake_thread *t = &in->threads[i];
        if (t->running)
            pthread_join(t->thread, NULL);
        if (t->epoll_fd >= 0)
            close(t->epoll_fd);
    }
    if (in->stop_fd >= 0)
        close(in->stop_fd);
    free(in);
}
