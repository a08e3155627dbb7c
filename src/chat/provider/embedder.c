/*
 * A question is in one of two lists: open, from when it is first asked until its call is over, or
 * kept, the last one used first. Threads that wait for it are counted, and the last of them frees
 * one that is in neither list any more.
 */
#include "embedder.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/outbound.h"
#include "common/utf8.h"

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define URL_MAX 2048
#define ANSWER_MAX ((size_t)512 * 1024)
#define REQUEST_MAX ((size_t)64 * 1024)
#define IDLE_CONNECTIONS 16L
#define LOOK_MS 1000
#define POLL_FAILED_MS 100

enum state { ASKED, BEING_ASKED, ANSWERED, FAILED };

struct question {
    struct question *next;
    char *text; /* owned */
    size_t len;
    int64_t set; /* that its embedding is to be compared with */
    int dimensions;
    enum state state;
    bool is_listed;
    int users;    /* threads that look at it */
    bool is_late; /* one of them did not wait for its end, which was counted as a failure */
    char *vector; /* once answered; owned */
    CURL *curl;   /* the thread's, as are these */
    struct buf request, answer;
};

struct embedder {
    const struct config *config;
    char url[URL_MAX];
    struct curl_slist *headers;
    CURLM *multi; /* NULL: there is no server, and no thread */
    pthread_t thread;
    int waiting_max;

    pthread_mutex_t lock; /* guards the rest, and all questions but what is the thread's */
    pthread_cond_t told;  /* a question is answered, or will not be */
    bool stopping;
    int64_t set; /* 0: there is nothing to compare with */
    int dimensions;
    struct question *open, *kept;
    int open_count, kept_count, waiting;
    int failures; /* in a row */
    bool is_trying;
    int64_t rest_until_ms, rest_ms;
};

/* --- questions; with the lock held --- */

static void question_free(struct question *q)
{
    curl_easy_cleanup(q->curl);
    buf_release(&q->request);
    buf_release(&q->answer);
    free(q->vector);
    free(q->text);
    free(q);
}

static void let_go(struct question *q)
{
    if (q->users == 0 && !q->is_listed)
        question_free(q);
}

static void unlist(struct question **list, int *count, struct question *q)
{
    while (*list != q)
        list = &(*list)->next;
    *list = q->next;
    q->is_listed = false;
    --*count;
}

static void put_first(struct question **list, int *count, struct question *q)
{
    q->next = *list;
    *list = q;
    q->is_listed = true;
    ++*count;
}

static struct question *find(const struct embedder *e, struct question *list, const char *text,
                             size_t len)
{
    while (list != NULL &&
           (list->len != len || list->set != e->set || memcmp(list->text, text, len) != 0))
        list = list->next;
    return list;
}

static void keep(struct embedder *e, struct question *q)
{
    put_first(&e->kept, &e->kept_count, q);
    if (e->kept_count <= EMBEDDER_KEPT_MAX)
        return;
    struct question *last = e->kept;
    while (last->next != NULL)
        last = last->next;
    unlist(&e->kept, &e->kept_count, last);
    let_go(last);
}

static void forget_kept(struct embedder *e)
{
    while (e->kept != NULL) {
        struct question *q = e->kept;
        unlist(&e->kept, &e->kept_count, q);
        let_go(q);
    }
}

/* --- leaving it alone; with the lock held --- */

static bool may_ask(struct embedder *e)
{
    if (e->failures < EMBEDDER_FAILURES)
        return true;
    if (e->is_trying || clock_ms() < e->rest_until_ms)
        return false;
    e->is_trying = true;
    return true;
}

static void note_failure(struct embedder *e, const char *reason)
{
    int64_t now = clock_ms();
    e->is_trying = false;
    if (++e->failures < EMBEDDER_FAILURES || now < e->rest_until_ms)
        return; /* of those that were asked before it was left alone */
    e->rest_ms = e->rest_ms == 0                         ? EMBEDDER_REST_MS
                 : e->rest_ms * 2 > EMBEDDER_REST_MAX_MS ? EMBEDDER_REST_MAX_MS
                                                         : e->rest_ms * 2;
    e->rest_until_ms = now + e->rest_ms;
    log_warn("embedder", "the embeddings server is left alone for %lld ms: %s",
             (long long)e->rest_ms, reason);
}

static void note_success(struct embedder *e)
{
    if (e->failures >= EMBEDDER_FAILURES)
        log_info("embedder", "the embeddings server answers again");
    e->is_trying = false;
    e->failures = 0;
    e->rest_ms = e->rest_until_ms = 0;
}

/* --- calls; in the thread --- */

/* The call is over, with a vector, which is taken, or without one. failure says why the server is
 * to be blamed, NULL: it is not. */
static void finish(struct embedder *e, struct question *q, char *vector, const char *failure)
{
    pthread_mutex_lock(&e->lock);
    unlist(&e->open, &e->open_count, q);
    buf_release(&q->request);
    buf_release(&q->answer);
    q->vector = vector;
    q->state = vector != NULL ? ANSWERED : FAILED;
    if (failure == NULL)
        e->is_trying = false;
    else if (!q->is_late)
        note_failure(e, failure);
    if (vector != NULL && q->set == e->set)
        keep(e, q);
    pthread_cond_broadcast(&e->told);
    let_go(q);
    pthread_mutex_unlock(&e->lock);
}

static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
    struct question *q = arg;
    return buf_append(&q->answer, data, size * count) ? size * count : 0;
}

/* Whether a server may refuse one question so, and take the next: nobody's question is to keep
 * others from being asked. */
static bool refuses_question(long status)
{
    /* Some answer 500 to a text that is too long for them, or that their model makes nothing of. */
    return status == 400 || status == 413 || status == 422 || status == 500;
}

/* What an answer is worth: its vector, or NULL with the reason. */
static char *read_answer(const struct question *q, CURLcode code, long status,
                         char reason[EMBEDDING_REASON])
{
    struct embeddings found;
    char *vector = NULL;
    if (code != CURLE_OK)
        utf8_print(reason, EMBEDDING_REASON, "%s",
                   q->answer.failed ? "its answer is too large" : curl_easy_strerror(code));
    else if (status < 200 || status > 299)
        utf8_print(reason, EMBEDDING_REASON, "it answered %ld", status);
    else if (embeddings_read(q->answer.data, q->answer.len, 1, &found, reason)) {
        if (found.dimensions == q->dimensions) {
            vector = found.vectors[0];
            found.vectors[0] = NULL;
        } else {
            utf8_print(reason, EMBEDDING_REASON,
                       "its embedding has %d numbers, and those of knowledge have %d",
                       found.dimensions, q->dimensions);
        }
        embeddings_release(&found);
    }
    return vector;
}

static bool set_up(const struct embedder *e, struct question *q)
{
    const char *const texts[] = {q->text};
    const struct config *config = e->config;
    q->curl = outbound_new(config->ca_bundle, config);
    return q->curl != NULL &&
           embedding_request(config->embeddings_model, (int)config->embeddings_dimensions, texts, 1,
                             &q->request) &&
           curl_easy_setopt(q->curl, CURLOPT_URL, e->url) == CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_PRIVATE, q) == CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_HTTPHEADER, e->headers) == CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_POSTFIELDS, q->request.data) == CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_POSTFIELDSIZE, (long)q->request.len) == CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_WRITEDATA, q) == CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms) ==
               CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_TIMEOUT_MS,
                            (long)(config->embeddings_timeout_ms + EMBEDDER_LATE_MS)) == CURLE_OK &&
           /* A name that is still being looked up does not hold up the end. */
           curl_easy_setopt(q->curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(q->curl, CURLOPT_USERAGENT, "uplift/" UPLIFT_VERSION) == CURLE_OK;
}

/* One that was asked for and is not being asked yet; NULL: there is none. */
static struct question *next_asked(struct embedder *e, bool *stopping)
{
    pthread_mutex_lock(&e->lock);
    struct question *q = e->open;
    while (q != NULL && q->state != ASKED)
        q = q->next;
    if (q != NULL)
        q->state = BEING_ASKED;
    *stopping = e->stopping;
    pthread_mutex_unlock(&e->lock);
    return q;
}

static void end_calls(struct embedder *e)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(e->multi, &left)) != NULL) {
        struct question *q = NULL;
        char reason[EMBEDDING_REASON];
        CURLcode code = message->data.result;
        CURL *curl = message->easy_handle; /* the message goes with it */
        long status = 0;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&q);
        curl_multi_remove_handle(e->multi, curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        char *vector = read_answer(q, code, status, reason);
        curl_easy_cleanup(curl);
        q->curl = NULL;
        if (vector == NULL)
            log_debug("embedder", "no embedding: %s", reason);
        finish(e, q, vector, vector != NULL || refuses_question(status) ? NULL : reason);
    }
}

static void give_up_all(struct embedder *e)
{
    while (e->open != NULL) { /* nobody asks any more */
        struct question *q = e->open;
        if (q->curl != NULL)
            curl_multi_remove_handle(e->multi, q->curl);
        finish(e, q, NULL, NULL);
    }
}

static void *run(void *arg)
{
    struct embedder *e = arg;
    for (bool stopping = false; !stopping;) {
        int running;
        struct question *q;
        while ((q = next_asked(e, &stopping)) != NULL)
            if (!set_up(e, q) || curl_multi_add_handle(e->multi, q->curl) != CURLM_OK)
                finish(e, q, NULL, "out of memory");
        curl_multi_perform(e->multi, &running);
        end_calls(e);
        if (!stopping && curl_multi_poll(e->multi, NULL, 0, LOOK_MS, NULL) != CURLM_OK)
            (void)poll(NULL, 0, POLL_FAILED_MS); /* so that it does not spin */
    }
    give_up_all(e);
    return NULL;
}

/* --- asking --- */

/* A question that nobody asks at the moment; NULL: *why it is not asked. With the lock held. */
static struct question *begin(struct embedder *e, const char *text, size_t len, enum embedded *why)
{
    if (e->open_count >= EMBEDDER_OPEN_MAX) {
        *why = EMBEDDED_BUSY;
        return NULL;
    }
    if (!may_ask(e)) {
        *why = EMBEDDED_RESTING;
        return NULL;
    }
    struct question *q = calloc(1, sizeof *q);
    if (q == NULL || (q->text = strndup(text, len)) == NULL) {
        free(q);
        e->is_trying = false;
        *why = EMBEDDED_FAILED;
        return NULL;
    }
    q->len = len;
    q->set = e->set;
    q->dimensions = e->dimensions;
    buf_init(&q->request, REQUEST_MAX);
    buf_init(&q->answer, ANSWER_MAX);
    put_first(&e->open, &e->open_count, q);
    curl_multi_wakeup(e->multi);
    return q;
}

static struct timespec deadline_after(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void put_vector(const struct question *q, struct buf *search)
{
    buf_printf(search, ",\"embedding\":{\"set\":%lld,\"vector\":\"", (long long)q->set);
    buf_puts(search, q->vector);
    buf_puts(search, "\"}");
}

/* Waits for a question that is open. With the lock held, but for the waiting. */
static enum embedded await(struct embedder *e, struct question *q, struct buf *search)
{
    struct timespec until = deadline_after(e->config->embeddings_timeout_ms);
    enum embedded result = EMBEDDED_FAILED;
    q->users++;
    e->waiting++;
    while ((q->state == ASKED || q->state == BEING_ASKED) && !e->stopping &&
           pthread_cond_clockwait(&e->told, &e->lock, CLOCK_MONOTONIC, &until) == 0)
        continue;
    e->waiting--;
    q->users--;
    if (q->state == ANSWERED) {
        note_success(e);
        put_vector(q, search);
        result = EMBEDDED;
    } else if (q->state != FAILED && !e->stopping) {
        if (!q->is_late) /* one call is one failure, however many wait for it */
            note_failure(e, "it does not answer in time");
        q->is_late = true;
        result = EMBEDDED_LATE;
    }
    let_go(q);
    return result;
}

enum embedded embedder_describe(struct embedder *e, const char *message, struct buf *search)
{
    enum embedded result = EMBEDDED_OFF;
    size_t len = utf8_cut(message, EMBEDDER_TEXT_MAX);
    if (e->multi == NULL)
        return result;
    pthread_mutex_lock(&e->lock);
    bool may_find = e->set != 0 && !e->stopping;
    struct question *q = may_find ? find(e, e->kept, message, len) : NULL;
    if (q != NULL) {
        unlist(&e->kept, &e->kept_count, q);
        put_first(&e->kept, &e->kept_count, q);
        put_vector(q, search);
        result = EMBEDDED_KEPT;
    } else if (may_find) {
        result = EMBEDDED_BUSY;
        if (e->waiting < e->waiting_max && (q = find(e, e->open, message, len)) == NULL)
            q = begin(e, message, len, &result);
        if (q != NULL)
            result = q->is_late ? EMBEDDED_LATE : await(e, q, search);
    }
    pthread_mutex_unlock(&e->lock);
    return result;
}

/* --- what there is to compare with --- */

void embedder_put_wanted(const struct embedder *e, struct buf *out)
{
    const struct config *config = e->config;
    if (e->multi == NULL)
        return;
    buf_puts(out, ",\"embeddings\":{\"model\":");
    buf_json_string(out, config->embeddings_model, strlen(config->embeddings_model));
    if (config->embeddings_dimensions > 0)
        buf_printf(out, ",\"dimensions\":%d", (int)config->embeddings_dimensions);
    buf_putc(out, '}');
}

void embedder_take(struct embedder *e, const cJSON *set)
{
    int64_t id = (int64_t)json_number(set, "set", 0);
    int dimensions = (int)json_number(set, "dimensions", 0);
    pthread_mutex_lock(&e->lock);
    if (id != e->set || dimensions != e->dimensions) {
        e->set = id;
        e->dimensions = dimensions;
        forget_kept(e);
    }
    pthread_mutex_unlock(&e->lock);
}

/* --- start and end --- */

static bool add_header(struct embedder *e, const char *name, const char *value)
{
    struct curl_slist *longer = NULL;
    struct buf line;
    buf_init(&line, 16384);
    if (buf_printf(&line, "%s: %s", name, value))
        longer = curl_slist_append(e->headers, line.data);
    if (line.data != NULL)
        explicit_bzero(line.data, line.len);
    buf_release(&line);
    if (longer != NULL)
        e->headers = longer;
    return longer != NULL;
}

static bool open_server(struct embedder *e)
{
    const struct config *config = e->config;
    char bearer[16384];
    snprintf(e->url, sizeof e->url, "%s" EMBEDDING_PATH, config->embeddings_url);
    bool good = add_header(e, "Content-Type", "application/json") &&
                add_header(e, "Accept", "application/json");
    if (good && config->embeddings_key != NULL) {
        snprintf(bearer, sizeof bearer, "Bearer %s", config->embeddings_key);
        good = add_header(e, "Authorization", bearer);
        explicit_bzero(bearer, sizeof bearer);
    }
    e->multi = good ? curl_multi_init() : NULL;
    return e->multi != NULL &&
           curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS) == CURLM_OK;
}

static void release(struct embedder *e)
{
    forget_kept(e);
    curl_multi_cleanup(e->multi);
    curl_slist_free_all(e->headers);
    pthread_cond_destroy(&e->told);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

struct embedder *embedder_start(const struct config *config)
{
    struct embedder *e = calloc(1, sizeof *e);
    if (e == NULL) {
        log_error("embedder", "cannot start: out of memory");
        return NULL;
    }
    e->config = config;
    e->waiting_max = (int)((config->intake_threads + 1) / 2);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->told, NULL);
    if (config->embeddings_url == NULL)
        return e;
    if (!open_server(e) || pthread_create(&e->thread, NULL, run, e) != 0) {
        log_error("embedder", "cannot start");
        release(e);
        return NULL;
    }
    pthread_setname_np(e->thread, "embedder");
    return e;
}

void embedder_quit(struct embedder *e)
{
    if (e == NULL || e->multi == NULL)
        return;
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    pthread_cond_broadcast(&e->told);
    pthread_mutex_unlock(&e->lock);
    curl_multi_wakeup(e->multi);
}

void embedder_stop(struct embedder *e)
{
    if (e == NULL)
        return;
    embedder_quit(e);
    if (e->multi != NULL)
        pthread_join(e->thread, NULL);
    release(e);
}
