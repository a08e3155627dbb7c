/* A relay under test; see relay_rig.h. */
#include "relay_rig.h"

#include "chat/record/recorder.h"
#include "common/clock.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fastcgi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_MAX 8192
#define PATIENCE_MS 20000

/* --- the provider --- */

static int listen_fd = -1;
static pthread_t accepter;
static atomic_int requests, connections, players;

static bool send_whole(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static void wait_for_close(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

/* Plays a script. False when the connection is over. */
static bool play(int fd, const char *script)
{
    bool by_byte = false;
    while (*script != '\0') {
        size_t plain = strcspn(script, "\x01\x02\x03\x04\x05\x06\x07");
        if (by_byte && plain > 1)
            plain = 1;
        if (plain > 0 && !send_whole(fd, script, plain))
            return false;
        script += plain;
        if (plain > 0)
            continue;
        switch (*script++) {
        case 1:
            usleep(30000);
            break;
        case 2:
            return false;
        case 3: {
            struct linger now = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            return false;
        }
        case 4:
            wait_for_close(fd);
            return false;
        case 5:
            by_byte = true;
            break;
        case 6:
            return true;
        case 7: {
            size_t len = strcspn(script, "\x07");
            for (int i = 0; i < 20000; i++)
                if (!send_whole(fd, script, len))
                    return false;
            script += len + 1;
            break;
        }
        }
    }
    return true;
}

/* Tries of each chat so far, by the first characters of its id's tail. */
static int count_try(const char *id)
{
    static struct {
        char id[UUID_TEXT + 1];
        int tries;
    } seen[KEPT_MAX];
    static int count;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int tries = 0;
    pthread_mutex_lock(&lock);
    int i = 0;
    while (i < count && memcmp(seen[i].id, id, UUID_TEXT) != 0)
        i++;
    if (i < KEPT_MAX) {
        if (i == count)
            memcpy(seen[count++].id, id, UUID_TEXT);
        tries = seen[i].tries++;
    }
    pthread_mutex_unlock(&lock);
    return tries;
}

/* Reads one request's head and body. The body, to be freed; NULL when the connection ended. */
static char *read_request(int fd, char id[UUID_TEXT + 1])
{
    struct buf in;
    char bytes[4096];
    char *body = NULL;
    buf_init(&in, 64 * 1024 * 1024);
    for (;;) {
        char *end = in.data != NULL ? strstr(in.data, "\r\n\r\n") : NULL;
        if (end != NULL) {
            const char *length = strcasestr(in.data, "\r\nContent-Length:");
            const char *tag = strcasestr(in.data, "\r\nX-Client-Request-Id: ");
            size_t want = length != NULL ? strtoul(length + 17, NULL, 10) : 0;
            size_t have = in.len - (size_t)(end + 4 - in.data);
            if (have >= want) {
                body = strndup(end + 4, want);
                snprintf(id, UUID_TEXT + 1, "%.36s", tag != NULL ? tag + 23 : "");
                break;
            }
        }
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0 || !buf_append(&in, bytes, (size_t)n))
            break;
    }
    buf_release(&in);
    return body;
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char id[UUID_TEXT + 1];
    char *body;
    while ((body = read_request(fd, id)) != NULL) {
        atomic_fetch_add(&requests, 1);
        const char *script = body;
        for (int tries = count_try(id); tries > 0 && script != NULL; tries--) {
            const char *next = strchr(script, *PLAY_AGAIN);
            script = next != NULL ? next + 1 : script;
        }
        bool go_on = play(fd, script) && strstr(body, "Connection: close") == NULL;
        free(body);
        if (!go_on)
            break;
    }
    close(fd);
    atomic_fetch_sub(&players, 1);
    return NULL;
}

static void *accept_all(void *arg)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    (void)arg;
    for (;;) {
        int fd = accept(listen_fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        pthread_t thread;
        atomic_fetch_add(&connections, 1);
        atomic_fetch_add(&players, 1);
        if (pthread_create(&thread, &attributes, serve, (void *)(intptr_t)fd) != 0) {
            atomic_fetch_sub(&players, 1);
            close(fd);
        }
    }
}

static uint16_t start_provider(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listen_fd, (struct sockaddr *)&address, len) != 0 || listen(listen_fd, 4096) != 0 ||
        getsockname(listen_fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    pthread_create(&accepter, NULL, accept_all, NULL);
    return ntohs(address.sin_port);
}

int rig_requests(void)
{
    return atomic_load(&requests);
}

int rig_connections(void)
{
    return atomic_load(&connections);
}

/* --- the recorder --- */

static struct kept kept[KEPT_MAX];
static int kept_count;
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t kept_more = PTHREAD_COND_INITIALIZER;
static struct chat *queue;
static bool recorder_stops;
static pthread_t recorder_thread;
static struct relay *relay_of_recorder;
static atomic_int record_as = CHAT_COMMITTED;
static atomic_bool record_full;

void rig_record_as(enum chat_recorded recorded)
{
    atomic_store(&record_as, recorded);
}

void rig_record_full(bool full)
{
    atomic_store(&record_full, full);
}

bool recorder_submit(struct recorder *r, struct chat *c)
{
    (void)r;
    if (atomic_load(&record_full))
        return false;
    pthread_mutex_lock(&kept_lock);
    c->next = queue;
    queue = c;
    pthread_cond_broadcast(&kept_more);
    pthread_mutex_unlock(&kept_lock);
    return true;
}

static void keep_chat(struct chat *c)
{
    struct buf line;
    buf_init(&line, 64 * 1024 * 1024);
    if (!chat_to_json(c, &line) || kept_count == KEPT_MAX)
        abort();
    struct kept *k = &kept[kept_count++];
    memcpy(k->id, c->id_text, sizeof k->id);
    k->outcome = c->outcome;
    k->line = buf_steal(&line);
    c->recorded = (enum chat_recorded)atomic_load(&record_as);
}

static void *record(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&kept_lock);
    while (!recorder_stops) {
        struct chat *list = queue;
        if (list == NULL) {
            pthread_cond_wait(&kept_more, &kept_lock);
            continue;
        }
        queue = NULL;
        for (struct chat *c = list; c != NULL; c = c->next)
            keep_chat(c);
        pthread_cond_broadcast(&kept_more);
        pthread_mutex_unlock(&kept_lock);
        relay_recorded(relay_of_recorder, list);
        pthread_mutex_lock(&kept_lock);
    }
    pthread_mutex_unlock(&kept_lock);
    return NULL;
}

const struct kept *rig_kept(const char *id)
{
    struct timespec until;
    const struct kept *found = NULL;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    pthread_mutex_lock(&kept_lock);
    for (int i = 0; found == NULL;) {
        for (; i < kept_count && found == NULL; i++)
            if (strcmp(kept[i].id, id) == 0)
                found = &kept[i];
        if (found == NULL && pthread_cond_timedwait(&kept_more, &kept_lock, &until) != 0)
            break;
    }
    pthread_mutex_unlock(&kept_lock);
    return found;
}

/* --- the relay --- */

void rig_start(struct rig *rig, void (*change)(struct config *config))
{
    static char url[64];
    static char key[] = "sk-the-key", nowhere[] = "/nonexistent", model[] = "a-model";
    signal(SIGPIPE, SIG_IGN);
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    log_open("test", -1, LOG_ERROR);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    *rig = (struct rig){.port = start_provider()};
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v1", rig->port);
    rig->config = (struct config){
        .upstream_url = url,
        .openai_api_key = key,
        .max_chats = 8000,
        .connect_timeout_ms = 1000,
        .first_byte_timeout_ms = 400,
        .idle_timeout_ms = 400,
        .total_timeout_ms = 20000,
        .heartbeat_ms = 10000,
        .client_buffer_bytes = 1024 * 1024,
        .max_answer_bytes = 4 * 1024 * 1024,
        .retries = 1,
        .first_token_timeout_ms = 400,
        .spool_dir = nowhere,
        .model = model,
    };
    if (change != NULL)
        change(&rig->config);
    atomic_store(&requests, 0);
    atomic_store(&connections, 0);
    recorder_stops = false;
    rig_record_as(CHAT_COMMITTED);
    rig_record_full(false);
    rig->routings = routings_new(&rig->config, NULL);
    if (rig->routings == NULL)
        abort();
    rig->relay =
        relay_start(&(struct relay_options){.config = &rig->config, .routings = rig->routings});
    if (rig->relay == NULL)
        abort();
    relay_of_recorder = rig->relay;
    pthread_create(&recorder_thread, NULL, record, NULL);
}

void rig_stop(struct rig *rig)
{
    if (rig->relay != NULL)
        relay_stop(rig->relay, 2000);
    routings_free(rig->routings);
    pthread_mutex_lock(&kept_lock);
    recorder_stops = true;
    pthread_cond_broadcast(&kept_more);
    pthread_mutex_unlock(&kept_lock);
    pthread_join(recorder_thread, NULL);
    for (int i = 0; i < kept_count; i++)
        free(kept[i].line);
    kept_count = 0;
    shutdown(listen_fd, SHUT_RDWR);
    pthread_join(accepter, NULL);
    close(listen_fd);
    for (int i = 0; i < PATIENCE_MS / 10 && atomic_load(&players) > 0; i++)
        usleep(10000);
}

/* --- clients --- */

bool guest_start_with(struct guest *g, struct rig *rig, enum chat_protocol protocol, bool stream,
                      const char *script, void (*change)(struct chat *chat))
{
    int pair[2];
    struct request *request = calloc(1, sizeof *request);
    *g = (struct guest){.fd = -1};
    buf_init(&g->output, 64 * 1024 * 1024);
    if (request == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    g->fd = pair[0];
    request->fcgi.ipcFd = pair[1];
    request->fcgi.requestId = 1;
    request->method = "POST";
    request->path = "/v1/chat";
    request->query = "";
    request->accepted_ms = clock_ms();
    request->config = &rig->config;
    snprintf(request->request_id, sizeof request->request_id, "request-of-test");
    struct chat *chat = chat_new(request);
    if (chat == NULL)
        abort();
    uuid_v7(&chat->id);
    uuid_format(&chat->id, chat->id_text);
    memcpy(g->id, chat->id_text, sizeof g->id);
    snprintf(chat->user_text, sizeof chat->user_text, "00000000-0000-7000-8000-000000000001");
    snprintf(chat->conversation_text, sizeof chat->conversation_text,
             "00000000-0000-7000-8000-00000000000c");
    chat->protocol = protocol;
    chat->stream = stream;
    chat->coach_id = strdup("coach_decibel_avatar");
    chat->severity = strdup("3.5");
    chat->mode = strdup("coach");
    chat->user_message = strdup("hello");
    chat->model = strdup("a-model");
    chat->upstream_body = strdup(script);
    chat->upstream_body_len = strlen(script);
    chat->created_us = clock_wall_us();
    if (change != NULL)
        change(chat);
    if (relay_submit(rig->relay, chat))
        return true;
    request_finish(request);
    chat_free(chat);
    return false;
}

bool guest_start(struct guest *g, struct rig *rig, enum chat_protocol protocol, bool stream,
                 const char *script)
{
    return guest_start_with(g, rig, protocol, stream, script, NULL);
}

static bool read_exactly(struct guest *g, void *data, size_t len, int64_t deadline_ms)
{
    for (char *p = data; len > 0;) {
        struct pollfd ready = {.fd = g->fd, .events = POLLIN};
        int64_t left = deadline_ms - clock_ms();
        if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
            return false;
        ssize_t n = recv(g->fd, p, len, 0);
        if (n <= 0) {
            g->is_closed = true;
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_record(struct guest *g, int64_t deadline_ms)
{
    FCGI_Header header;
    char content[65536];
    if (g->is_closed || !read_exactly(g, &header, sizeof header, deadline_ms))
        return false;
    size_t len = (size_t)header.contentLengthB1 << 8 | header.contentLengthB0;
    if (header.version != 1 || header.requestIdB0 != 1 || g->has_ended)
        abort();
    if (!read_exactly(g, content, len + header.paddingLength, deadline_ms))
        return false;
    if (header.type == FCGI_END_REQUEST)
        g->has_ended = true;
    else if (header.type != FCGI_STDOUT)
        abort();
    else
        buf_append(&g->output, content, len);
    return true;
}

bool guest_reads(struct guest *g, const char *text)
{
    int64_t deadline = clock_ms() + PATIENCE_MS;
    while (g->output.data == NULL || strstr(g->output.data, text) == NULL)
        if (!read_record(g, deadline))
            return false;
    return true;
}

bool guest_reads_all(struct guest *g)
{
    int64_t deadline = clock_ms() + PATIENCE_MS;
    while (read_record(g, deadline))
        ;
    return g->is_closed;
}

void guest_leave(struct guest *g)
{
    if (g->fd >= 0)
        close(g->fd);
    g->fd = -1;
    buf_release(&g->output);
}

const char *guest_body(const struct guest *g)
{
    const char *end = g->output.data != NULL ? strstr(g->output.data, "\r\n\r\n") : NULL;
    return end != NULL ? end + 4 : "";
}
