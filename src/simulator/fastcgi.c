/*
 * A small FastCGI responder on libuv.
 *
 * A connection is reading (its request is not whole yet), answering (the handler owns it), ending
 * (only its last write is under way) or closing (libuv owns the handles); end_request is the only
 * way out of answering, and close_connection the only way to closing.
 */
#include "fastcgi.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BEGIN_REQUEST = 1, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT };

#define HEADER_LEN 8
#define RECORD_MAX 65528 /* content bytes of one record, a multiple of 8 below 65536 */
#define PARAMS_MAX ((size_t)256 << 10)
#define CUT_DELAY_MS 20

enum phase { READING, ANSWERING, ENDING, CLOSING };

struct connection {
    struct fastcgi_request request; /* first, so that one can be had from the other */
    union {
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } socket;
    uv_timer_t timer;
    struct fastcgi_server *server;
    struct connection *next, **link; /* list of the server's connections */
    struct buf input;                /* bytes of records that are not whole yet */
    struct buf pairs;                /* the PARAMS stream as it comes */
    enum phase phase;
    uint16_t id;
    bool begun;
    int open_handles;
};

struct fastcgi_server {
    union {
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } socket;
    bool is_unix;
    fastcgi_handler handler;
    void *arg;
    struct connection *connections;
    char chunk[65536]; /* what a read goes into; copied on before the next one */
};

struct write {
    uv_write_t request;
    bool last; /* the connection ends with it */
    char bytes[];
};

static struct connection *connection_of(const struct fastcgi_request *r)
{
    return (struct connection *)(uintptr_t)r;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    if (--c->open_handles > 0)
        return;
    buf_release(&c->request.params);
    buf_release(&c->request.body);
    buf_release(&c->input);
    buf_release(&c->pairs);
    free(c);
}

/* The request is over for its handler: nothing of it is used after this. */
static void end_request(struct connection *c)
{
    if (c->phase == ANSWERING && c->request.over)
        c->request.over(&c->request);
    if (c->phase < ENDING)
        c->phase = ENDING;
}

static void close_connection(struct connection *c)
{
    if (c->phase == CLOSING)
        return;
    end_request(c);
    c->phase = CLOSING;
    if (c->next)
        c->next->link = c->link;
    *c->link = c->next;
    uv_close((uv_handle_t *)&c->socket.stream, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void on_written(uv_write_t *request, int status)
{
    struct write *w = request->data;
    struct connection *c = request->handle->data;
    if (status < 0 || w->last)
        close_connection(c);
    free(w);
}

/* Writes bytes now or as soon as the peer takes them. False: the connection was closed. */
static bool write_bytes(struct connection *c, const char *bytes, size_t len, bool last)
{
    if (uv_stream_get_write_queue_size(&c->socket.stream) == 0) {
        uv_buf_t now = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
        int n = len ? uv_try_write(&c->socket.stream, &now, 1) : 0;
        if (n < 0 && n != UV_EAGAIN) {
            close_connection(c);
            return false;
        }
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
        if (len == 0) {
            if (last)
                close_connection(c);
            return true;
        }
    }
    struct write *w = malloc(sizeof *w + len);
    if (w == NULL) {
        close_connection(c);
        return false;
    }
    if (len)
        memcpy(w->bytes, bytes, len);
    w->last = last;
    w->request.data = w;
    uv_buf_t later = uv_buf_init(w->bytes, (unsigned)len);
    if (uv_write(&w->request, &c->socket.stream, &later, 1, on_written) != 0) {
        free(w);
        close_connection(c);
        return false;
    }
    return true;
}

static void put_header(char *out, int type, uint16_t id, size_t len)
{
    out[0] = 1; /* version */
    out[1] = (char)type;
    out[2] = (char)(id >> 8);
    out[3] = (char)id;
    out[4] = (char)(len >> 8);
    out[5] = (char)len;
    out[6] = out[7] = 0; /* padding, reserved */
}

bool fastcgi_send(struct fastcgi_request *r, const void *data, size_t len)
{
    struct connection *c = connection_of(r);
    struct buf out;
    bool ok = true;
    if (c->phase != ANSWERING)
        return false;
    if (len == 0)
        return true;
    buf_init(&out, SIZE_MAX);
    for (size_t at = 0; at < len;) {
        char header[HEADER_LEN];
        size_t part = len - at < RECORD_MAX ? len - at : RECORD_MAX;
        put_header(header, STDOUT, c->id, part);
        buf_append(&out, header, HEADER_LEN);
        buf_append(&out, (const char *)data + at, part);
        at += part;
    }
    if (out.failed) {
        close_connection(c);
        ok = false;
    } else {
        ok = write_bytes(c, out.data, out.len, false);
    }
    buf_release(&out);
    return ok;
}

size_t fastcgi_queued(const struct fastcgi_request *r)
{
    return uv_stream_get_write_queue_size(&connection_of(r)->socket.stream);
}

static void on_timer(uv_timer_t *timer)
{
    struct connection *c = timer->data;
    if (c->phase == ANSWERING)
        c->request.timer_fn(&c->request);
}

void fastcgi_after(struct fastcgi_request *r, uint64_t ms, void (*fn)(struct fastcgi_request *r))
{
    struct connection *c = connection_of(r);
    r->timer_fn = fn;
    if (c->phase == ANSWERING)
        uv_timer_start(&c->timer, on_timer, ms, 0);
}

void fastcgi_end(struct fastcgi_request *r)
{
    struct connection *c = connection_of(r);
    char end[2 * HEADER_LEN + 8] = {0};
    if (c->phase != ANSWERING)
        return;
    end_request(c);
    put_header(end, STDOUT, c->id, 0);
    put_header(end + HEADER_LEN, END_REQUEST, c->id, 8);
    write_bytes(c, end, sizeof end, true);
}

static void break_off(struct fastcgi_request *r)
{
    struct connection *c = connection_of(r);
    end_request(c);
    /* When a FastCGI connection merely closes, nginx ends the client's answer as if it were whole.
     * A record that breaks the protocol makes it cut the client off too. */
    static const char broken[HEADER_LEN] = {99};
    write_bytes(c, broken, sizeof broken, true);
}

void fastcgi_cut(struct fastcgi_request *r)
{
    /* nginx would drop what it reads together with the broken record. */
    fastcgi_after(r, CUT_DELAY_MS, break_off);
}

/* Reads one length of a name-value pair. */
static bool read_length(const unsigned char **at, const unsigned char *end, size_t *out)
{
    if (*at == end)
        return false;
    if (**at < 0x80) {
        *out = *(*at)++;
        return true;
    }
    if (end - *at < 4)
        return false;
    const unsigned char *p = *at;
    *out = (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    *at += 4;
    return true;
}

static bool read_pairs(struct connection *c)
{
    const unsigned char *at = (const unsigned char *)c->pairs.data, *end = at + c->pairs.len;
    struct buf *out = &c->request.params;
    while (at < end) {
        size_t name, value;
        if (!read_length(&at, end, &name) || !read_length(&at, end, &value) ||
            name > (size_t)(end - at) || value > (size_t)(end - at) - name)
            return false;
        buf_append(out, at, name);
        buf_putc(out, '\0');
        buf_append(out, at + name, value);
        if (!buf_putc(out, '\0'))
            return false;
        at += name + value;
    }
    buf_clear(&c->pairs);
    return true;
}

const char *fastcgi_param(const struct fastcgi_request *r, const char *name)
{
    const char *at = r->params.data, *end = at + r->params.len;
    while (at && at < end) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

/* Takes one record; false when the peer breaks the protocol. */
static bool take_record(struct connection *c, int type, uint16_t id, const char *content,
                        size_t len)
{
    if (c->phase != READING)
        return type != ABORT_REQUEST;
    if (type == BEGIN_REQUEST && !c->begun) {
        c->begun = true;
        c->id = id;
        return len >= 8;
    }
    if (!c->begun || id != c->id)
        return false;
    if (type == PARAMS)
        return len > 0 ? buf_append(&c->pairs, content, len) : read_pairs(c);
    if (type != STDIN)
        return type != ABORT_REQUEST;
    if (len > 0) {
        /* A body that is too long is read to its end, so that the peer hears why. */
        if (!c->request.body_too_long && !buf_append(&c->request.body, content, len))
            c->request.body_too_long = true;
        return true;
    }
    c->phase = ANSWERING;
    c->server->handler(&c->request, c->server->arg);
    return true;
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct connection *c = handle->data;
    (void)suggested;
    *out = uv_buf_init(c->server->chunk, sizeof c->server->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *chunk)
{
    struct connection *c = stream->data;
    if (n == 0)
        return;
    if (n < 0 || !buf_append(&c->input, chunk->base, (size_t)n)) {
        /* A peer that hangs up while its last bytes are under way may still take them. */
        if (c->phase != ENDING)
            close_connection(c);
        else
            uv_read_stop(stream);
        return;
    }
    size_t at = 0;
    while (c->phase != CLOSING && c->input.len - at >= HEADER_LEN) {
        const unsigned char *h = (const unsigned char *)c->input.data + at;
        size_t len = (size_t)h[4] << 8 | h[5], whole = HEADER_LEN + len + h[6];
        if (c->input.len - at < whole)
            break;
        if (h[0] != 1 || !take_record(c, h[1], (uint16_t)(h[2] << 8 | h[3]),
                                      (const char *)h + HEADER_LEN, len)) {
            close_connection(c);
            break;
        }
        at += whole;
    }
    buf_consume(&c->input, at);
}

static int open_socket(uv_loop_t *loop, uv_stream_t *stream, bool is_unix)
{
    return is_unix ? uv_pipe_init(loop, (uv_pipe_t *)stream, 0)
                   : uv_tcp_init(loop, (uv_tcp_t *)stream);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fastcgi_server *s = listener->data;
    struct connection *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    if (c == NULL)
        return;
    c->server = s;
    buf_init(&c->request.params, PARAMS_MAX + 4096);
    buf_init(&c->request.body, FASTCGI_BODY_MAX);
    buf_init(&c->pairs, PARAMS_MAX);
    buf_init(&c->input, 256 << 10);
    open_socket(listener->loop, &c->socket.stream, s->is_unix);
    uv_timer_init(listener->loop, &c->timer);
    c->socket.stream.data = c->timer.data = c;
    c->open_handles = 2;
    c->next = s->connections;
    c->link = &s->connections;
    if (c->next)
        c->next->link = &c->next;
    s->connections = c;
    if (uv_accept(listener, &c->socket.stream) != 0 ||
        uv_read_start(&c->socket.stream, on_allocate, on_read) != 0)
        close_connection(c);
}

struct fastcgi_server *fastcgi_serve(uv_loop_t *loop, int fd, fastcgi_handler handler, void *arg)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    struct fastcgi_server *s = calloc(1, sizeof *s);
    if (s == NULL || getsockname(fd, (struct sockaddr *)&name, &len) != 0)
        goto fail;
    s->is_unix = name.ss_family == AF_UNIX;
    s->handler = handler;
    s->arg = arg;
    int own = dup(fd);
    if (own < 0 || open_socket(loop, &s->socket.stream, s->is_unix) != 0)
        goto fail;
    s->socket.stream.data = s;
    int error = s->is_unix ? uv_pipe_open(&s->socket.pipe, own) : uv_tcp_open(&s->socket.tcp, own);
    if (error == 0)
        error = uv_listen(&s->socket.stream, 4096, on_connection);
    if (error == 0)
        return s;
fail:
    free(s);
    return NULL;
}

void fastcgi_stop(struct fastcgi_server *s)
{
    while (s->connections)
        close_connection(s->connections);
    uv_close((uv_handle_t *)&s->socket.stream, NULL);
}

void fastcgi_free(struct fastcgi_server *s)
{
    free(s);
}
