/*
 * libcurl's multi interface on a libuv loop.
 *
 * A kept-alive connection is used by one transfer after another, and between two of them libcurl
 * wants its socket unwatched. Taking it out of epoll and putting it in again would be two system
 * calls a chat, so it stays in until something happens on it while nobody wants to know (the
 * provider hung up, most likely).
 */
#include "multi.h"

#include "common/address.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct multi_socket {
    uv_poll_t poll;
    struct multi *multi;
    curl_socket_t fd;
    bool is_connection; /* told of its end by close_socket; not so libcurl's own, for look-ups */
    int wanted;         /* uv_poll_event bits libcurl asked for */
    int watched;        /* those libuv watches */
};

static void free_socket(uv_handle_t *handle)
{
    free(handle->data);
}

static struct multi_socket *socket_at(struct multi *m, curl_socket_t fd)
{
    return fd >= 0 && (size_t)fd < m->socket_cap ? m->sockets[fd] : NULL;
}

/* Forgets a socket that is about to be closed; takes it out of epoll at once. */
static void forget_socket(struct multi *m, struct multi_socket *s)
{
    m->sockets[s->fd] = NULL;
    uv_close((uv_handle_t *)&s->poll, free_socket);
}

static void read_messages(struct multi *m)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(m->curl, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        curl_multi_remove_handle(m->curl, easy);
        m->done(m->arg, easy, code);
    }
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct multi_socket *s = poll->data;
    struct multi *m = s->multi;
    int flags = 0, running;
    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    if (s->wanted == 0) {
        uv_poll_stop(&s->poll);
        s->watched = 0;
        return;
    }
    curl_multi_socket_action(m->curl, s->fd, flags, &running);
    read_messages(m);
}

static void on_timer(uv_timer_t *timer)
{
    struct multi *m = timer->data;
    int running;
    curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    read_messages(m);
}

static int set_timer(CURLM *curl, long timeout_ms, void *arg)
{
    struct multi *m = arg;
    (void)curl;
    if (timeout_ms < 0)
        uv_timer_stop(&m->timer);
    else
        uv_timer_start(&m->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static struct multi_socket *new_socket(struct multi *m, curl_socket_t fd)
{
    if ((size_t)fd >= m->socket_cap) {
        size_t cap = m->socket_cap ? m->socket_cap : 64;
        while (cap <= (size_t)fd)
            cap *= 2;
        struct multi_socket **table = realloc(m->sockets, cap * sizeof(struct multi_socket *));
        if (table == NULL)
            return NULL;
        memset(table + m->socket_cap, 0, (cap - m->socket_cap) * sizeof(struct multi_socket *));
        m->sockets = table;
        m->socket_cap = cap;
    }
    struct multi_socket *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->multi = m;
    s->fd = fd;
    if (uv_poll_init_socket(m->loop, &s->poll, fd) != 0) {
        free(s);
        return NULL;
    }
    s->poll.data = s;
    m->sockets[fd] = s;
    return s;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct multi *m = arg;
    struct multi_socket *s = socket_at(m, fd);
    (void)easy;
    (void)socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL && s->is_connection)
            s->wanted = 0;
        else if (s != NULL)
            forget_socket(m, s);
        return 0;
    }
    if (s == NULL && (s = new_socket(m, fd)) == NULL) {
        log_error("relay", "cannot watch a provider's socket: out of memory");
        return -1;
    }
    s->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (s->wanted != s->watched && uv_poll_start(&s->poll, s->wanted, on_socket) != 0) {
        log_error("relay", "cannot watch a provider's socket");
        return -1;
    }
    s->watched = s->wanted;
    return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct multi *m = arg;
    (void)purpose;
    int fd = address_socket(m->config, address);
    if (fd == CURL_SOCKET_BAD)
        return CURL_SOCKET_BAD;
    struct multi_socket *s = new_socket(m, fd);
    if (s == NULL) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    s->is_connection = true;
    return fd;
}

static int close_socket(void *arg, curl_socket_t fd)
{
    struct multi *m = arg;
    struct multi_socket *s = socket_at(m, fd);
    if (s != NULL)
        forget_socket(m, s);
    return close(fd);
}

bool multi_open(struct multi *m, const struct config *config, uv_loop_t *loop,
                long max_idle_connections, void (*done)(void *arg, CURL *easy, CURLcode code),
                void *arg)
{
    *m = (struct multi){.config = config, .loop = loop, .done = done, .arg = arg};
    m->curl = curl_multi_init();
    if (m->curl == NULL) {
        log_error("relay", "cannot start libcurl");
        return false;
    }
    uv_timer_init(loop, &m->timer);
    m->timer.data = m;
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
    curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, max_idle_connections);
    curl_multi_setopt(m->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    return true;
}

bool multi_prepare(struct multi *m, CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, m) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, m) == CURLE_OK;
}

bool multi_add(struct multi *m, CURL *easy)
{
    return curl_multi_add_handle(m->curl, easy) == CURLM_OK;
}

void multi_remove(struct multi *m, CURL *easy)
{
    curl_multi_remove_handle(m->curl, easy);
}

void multi_close(struct multi *m)
{
    curl_multi_cleanup(m->curl);
    m->curl = NULL;
    for (size_t fd = 0; fd < m->socket_cap; fd++)
        if (m->sockets[fd] != NULL)
            forget_socket(m, m->sockets[fd]);
    uv_close((uv_handle_t *)&m->timer, NULL);
}

void multi_free(struct multi *m)
{
    free(m->sockets);
    m->sockets = NULL;
}
