/* A chat's client, written to without blocking; see client.h. */
#include "client.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE_MAX 32768 /* content of one record; nginx reads up to 65535 */

static void update_watch(struct client *c);

void client_init(struct client *c, uv_loop_t *loop, struct request *request, size_t limit)
{
    *c = (struct client){.loop = loop, .request = request, .limit = limit};
    c->progress_ms = clock_ms();
    c->can_keep = request_can_keep(request);
    buf_init(&c->waiting, SIZE_MAX);
    FCGX_FreeStream(&request->fcgi.in);
    FCGX_FreeStream(&request->fcgi.out);
    FCGX_FreeStream(&request->fcgi.err);
}

size_t client_waiting(const struct client *c)
{
    return c->waiting.len - c->sent;
}

static FCGI_Header record_header(const struct client *c, int type, size_t len)
{
    int id = c->request->fcgi.requestId;
    return (FCGI_Header){.version = FCGI_VERSION_1,
                         .type = (unsigned char)type,
                         .requestIdB1 = (unsigned char)(id >> 8),
                         .requestIdB0 = (unsigned char)id,
                         .contentLengthB1 = (unsigned char)(len >> 8),
                         .contentLengthB0 = (unsigned char)len};
}

/* What ends a request: the end of its output, and the word that it was answered (status 0). */
struct trailer {
    FCGI_Header end_of_output;
    FCGI_EndRequestRecord end;
};

static struct trailer make_trailer(const struct client *c)
{
    struct trailer t = {.end_of_output = record_header(c, FCGI_STDOUT, 0)};
    t.end.header = record_header(c, FCGI_END_REQUEST, sizeof t.end.body);
    t.end.body.protocolStatus = FCGI_REQUEST_COMPLETE;
    return t;
}

/* Bytes that the socket took at once; none when it would block or failed. */
static size_t try_send(struct client *c, const struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    ssize_t n;
    if (c->is_gone)
        return 0;
    do
        n = sendmsg(c->request->fcgi.ipcFd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        c->progress_ms = clock_ms();
    else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        c->is_gone = true;
    return n > 0 ? (size_t)n : 0;
}

/* Keeps what is left of the parts after the first n bytes. */
static void keep(struct client *c, const struct iovec *parts, size_t count, size_t n)
{
    for (size_t i = 0; i < count; i++) {
        size_t skip = n < parts[i].iov_len ? n : parts[i].iov_len;
        n -= skip;
        if (!buf_append(&c->waiting, (const char *)parts[i].iov_base + skip,
                        parts[i].iov_len - skip))
            c->is_stalled = true; /* out of memory */
    }
}

static void send_piece(struct client *c, const void *data, size_t len, bool is_last)
{
    FCGI_Header header = record_header(c, FCGI_STDOUT, len);
    struct trailer trailer;
    struct iovec parts[3];
    size_t count = 0, total = 0, sent = 0;
    if (len > 0) {
        parts[count++] = (struct iovec){&header, sizeof header};
        parts[count++] = (struct iovec){(void *)data, len};
    }
    if (is_last) {
        trailer = make_trailer(c);
        parts[count++] = (struct iovec){&trailer, sizeof trailer};
    }
    for (size_t i = 0; i < count; i++)
        total += parts[i].iov_len;
    if (client_waiting(c) == 0)
        sent = try_send(c, parts, count);
    if (sent < total && !c->is_gone)
        keep(c, parts, count, sent);
}

static void send_all(struct client *c, const char *data, size_t len, bool is_last)
{
    do {
        size_t n = len < PIECE_MAX ? len : PIECE_MAX;
        len -= n;
        send_piece(c, data, n, is_last && len == 0);
        data += n;
    } while (len > 0 && !c->is_gone);
}

bool client_send(struct client *c, const void *data, size_t len)
{
    if (c->is_gone || c->is_stalled || c->is_ending || len == 0)
        return !c->is_gone && !c->is_stalled;
    if (client_waiting(c) > 0 && client_waiting(c) + len > c->limit) {
        c->is_stalled = true;
        return false;
    }
    send_all(c, data, len, false);
    if (client_waiting(c) > 0)
        update_watch(c);
    return !c->is_gone && !c->is_stalled;
}

/* --- the end --- */

/*
 * Closes a connection that is not kept. libfcgi would wait, by default for 2 s, for nginx to close
 * it first. What nginx sent last (the end of the request's body) is read, because a close with
 * bytes unread resets a TCP connection, and the answer's tail with it.
 */
static void hang_up(struct client *c)
{
    char rest[4096];
    int fd = c->request->fcgi.ipcFd;
    c->request->fcgi.keepConnection = 0;
    for (int i = 0; i < 16 && recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0; i++)
        ;
    close(fd);
    c->request->fcgi.ipcFd = -1;
}

/* As intake reads; libuv has made it non-blocking. */
static void set_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static void finish(struct client *c)
{
    /* After anything but a whole answer its end is that of the connection. */
    if (!c->can_keep || !c->is_answered || c->is_gone || client_waiting(c) > 0)
        hang_up(c);
    else if (c->has_poll)
        set_blocking(c->request->fcgi.ipcFd);
    request_finish(c->request);
    c->request = NULL;
    buf_release(&c->waiting);
    if (c->on_end != NULL)
        c->on_end(c->arg);
}

static void on_poll_closed(uv_handle_t *handle)
{
    finish(handle->data);
}

/* The loop owns the poll handle, and with it the descriptor, until its close callback. */
static void close_client(struct client *c)
{
    c->is_ending = true;
    if (!c->has_poll)
        finish(c);
    else if (!uv_is_closing((uv_handle_t *)&c->poll))
        uv_close((uv_handle_t *)&c->poll, on_poll_closed);
}

void client_end(struct client *c, const void *data, size_t len)
{
    if (c->is_ending)
        return;
    if (!c->is_gone && !c->is_stalled) {
        send_all(c, data, len, true);
        c->is_answered = !c->is_stalled;
    }
    c->is_ending = true;
    if (c->is_gone || c->is_stalled || client_waiting(c) == 0)
        close_client(c);
    else
        update_watch(c);
}

void client_drop(struct client *c)
{
    close_client(c);
}

/* --- waiting for the socket --- */

static void flush_waiting(struct client *c)
{
    while (client_waiting(c) > 0) {
        struct iovec part = {c->waiting.data + c->sent, client_waiting(c)};
        size_t n = try_send(c, &part, 1);
        if (n == 0)
            return;
        c->sent += n;
    }
    buf_release(&c->waiting);
    c->sent = 0;
}

/* Sends what waits; what was sent is dropped once it is the larger part, so that a slow reader's
 * buffer does not grow for ever. */
static void flush(struct client *c)
{
    flush_waiting(c);
    if (c->sent > PIECE_MAX && c->sent > c->waiting.len / 2) {
        buf_consume(&c->waiting, c->sent);
        c->sent = 0;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct client *c = poll->data;
    if (status < 0 || events & UV_DISCONNECT)
        c->is_gone = true;
    else if (events & UV_WRITABLE)
        flush(c);
    if (c->is_gone) {
        uv_poll_stop(poll); /* it would be told again and again */
        if (c->is_ending)
            close_client(c);
        else if (c->on_gone != NULL)
            c->on_gone(c->arg);
    } else if (client_waiting(c) == 0) {
        if (c->is_ending)
            close_client(c);
        else
            update_watch(c);
    }
}

static void update_watch(struct client *c)
{
    int events = UV_DISCONNECT | (client_waiting(c) > 0 ? UV_WRITABLE : 0);
    if (c->is_gone || (c->has_poll && uv_is_closing((uv_handle_t *)&c->poll)))
        return;
    if (!c->has_poll) {
        if (uv_poll_init(c->loop, &c->poll, c->request->fcgi.ipcFd) != 0) {
            log_traced(LOG_WARN, c->request->request_id, c->request->trace_id,
                       "cannot watch the client's socket");
            c->is_gone = true;
            return;
        }
        c->poll.data = c;
        c->has_poll = true;
    }
    if (events != c->events)
        uv_poll_start(&c->poll, events, on_poll);
    c->events = events;
}

void client_watch(struct client *c)
{
    if (c->events == 0)
        update_watch(c);
}
