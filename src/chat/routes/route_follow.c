/*
 * Answers that are under way, beside the request that asked for them: GET /v1/chat lists a user's,
 * GET /v1/chat/{id}/events follows one, POST /v1/chat/{id}/stop stops it.
 *
 * Which worker of this host has an answer is told by shared memory (open_answers.h); its relay is
 * handed the connection. One that has ended is read from Postgres. One that is neither here nor
 * there may be under way on another host, or wait in a spool: the client is told to ask again.
 */
#include "chat/protocol/native.h"
#include "chat/protocol/position.h"
#include "chat/shared/open_answers.h"
#include "chat/shared/worker_slots.h"
#include "common/clock.h"
#include "route.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTED_MAX 100
#define LIST_BYTES 65536
#define ASK_AGAIN_MS 1000
#define STREAM_HEADERS "X-Accel-Buffering: no\r\n"

/* --- GET /v1/chat --- */

static void put_open(struct buf *out, const struct open_answer *a)
{
    static const struct uuid none;
    char id[UUID_TEXT + 1], conversation[UUID_TEXT + 1], request[UUID_TEXT + 1];
    uuid_format(&a->id, id);
    uuid_format(&a->conversation, conversation);
    uuid_format(&a->client_request, request);
    buf_printf(out, "{\"id\":\"%s\",\"object\":\"answer\",\"conversation_id\":\"%s\",", id,
               conversation);
    if (uuid_equal(&a->client_request, &none))
        buf_puts(out, "\"client_request_id\":null");
    else
        buf_printf(out, "\"client_request_id\":\"%s\"", request);
    buf_printf(out, ",\"created_at\":%lld}", (long long)(a->created_us / 1000000));
}

void route_open_answers(struct route_context *c)
{
    struct open_answer *found = calloc(LISTED_MAX, sizeof *found);
    struct api_error error;
    struct buf body;
    if (found == NULL) {
        api_error_no_memory(&error);
        request_fail(c->request, &error, NULL);
        return;
    }
    size_t count = open_answers_of(&c->services->shared->open_answers, &c->request->who.user, found,
                                   LISTED_MAX);
    buf_init(&body, LIST_BYTES);
    buf_puts(&body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < count; i++) {
        buf_puts(&body, i > 0 ? "," : "");
        put_open(&body, &found[i]);
    }
    buf_puts(&body, "]}");
    request_reply(c->request, 200, "application/json", NULL, body.data, body.len);
    buf_release(&body);
    free(found);
}

/* --- GET /v1/chat/{id}/events --- */

static bool find_open(struct route_context *c, struct open_answer *out)
{
    struct uuid name;
    return uuid_parse(c->id, &name) &&
           open_answers_find(&c->services->shared->open_answers, &c->request->who.user, &name, out);
}

/* Where the client says it is; the beginning when it says nothing that can be read. */
static struct position read_position(const struct request *r)
{
    struct position at = {0};
    const char *text = request_param(r, "HTTP_LAST_EVENT_ID");
    if (text != NULL)
        position_parse(text, &at);
    return at;
}

/*
 * Sends the response head and hands the connection to the worker that has the answer. Where that
 * fails after the head, the client sees a stream without an end, and asks again.
 */
static void hand_over(struct route_context *c, const struct open_answer *a)
{
    struct request *r = c->request;
    struct position at = read_position(r);
    struct mail mail = {.kind = MAIL_FOLLOW,
                        .answer = a->id,
                        .user = a->user,
                        .offset = at.bytes,
                        .checksum = at.sum,
                        .fcgi_id = r->fcgi.requestId,
                        .keeps = request_can_keep(r)};
    snprintf(mail.request_id, sizeof mail.request_id, "%s", r->request_id);
    if (!request_begin_stream(r, STREAM_HEADERS) ||
        !worker_slots_send(&c->services->shared->slots, a->slot, &mail, r->fcgi.ipcFd)) {
        request_finish(r);
        return;
    }
    close(r->fcgi.ipcFd); /* the other worker has a descriptor of its own */
    request_forget(r);
}

static void put_started(struct buf *out, const cJSON *result, const char *message)
{
    static const char *const members[] = {"feedbackId", "conversation_id", "coach_id", "severity",
                                          "mode"};
    buf_puts(out, "data: {\"started\":true");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(result, members[i]);
        char *text = item != NULL ? cJSON_PrintUnformatted(item) : NULL;
        if (text != NULL)
            buf_printf(out, ",\"%s\":%s", members[i], text);
        free(text);
    }
    buf_puts(out, ",\"message\":");
    buf_json_string(out, message, strlen(message));
    buf_puts(out, "}\n\n");
}

static void put_text(struct buf *out, const struct request *r, const char *text)
{
    struct position at = read_position(r);
    size_t len = strlen(text), from = at.bytes;
    if (!position_fits(&at, text, len)) {
        buf_puts(out, "data: {\"restart\":true}\n\n");
        from = 0;
    }
    if (from == len)
        return;
    at = (struct position){0};
    position_advance(&at, text, len);
    native_text(out, &at, text + from, len - from);
}

/* The end, as the client of the chat itself had it. */
static void put_end(struct buf *out, const cJSON *answer, const cJSON *result, const char *id)
{
    const char *outcome = json_string(answer, "outcome"), *code = json_string(answer, "error_code");
    if (outcome == NULL || strcmp(outcome, "complete") == 0) {
        char *text = cJSON_PrintUnformatted(result);
        buf_puts(out, "data: {\"done\":true,");
        buf_puts(out, text != NULL ? text + 1 : "}");
        buf_puts(out, "\n\n");
        free(text);
        return;
    }
    struct api_error error;
    int status = strcmp(outcome, "cancelled") == 0 ? 499 : 502;
    api_error(&error, status, code != NULL ? code : "incomplete_answer", "",
              "the answer did not become whole");
    buf_puts(out, "data: ");
    api_error_json(out, &error);
    out->len -= out->len > 0; /* the closing brace: one member more */
    buf_printf(out, ",\"feedbackId\":\"%s\"}\n\n", id);
}

/* An answer that has ended, as uplift_chat.get_answer() tells it. */
static void reply_recorded(struct route_context *c, const char *json)
{
    cJSON *answer = cJSON_Parse(json);
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(answer, "result");
    const char *text = json_string(answer, "message"), *asked = json_string(answer, "user_message");
    struct buf body;
    struct api_error error;
    buf_init(&body, (size_t)c->services->config->max_answer_bytes * 6 + LIST_BYTES +
                        (asked != NULL ? strlen(asked) * 6 : 0));
    put_started(&body, result, asked != NULL ? asked : "");
    put_text(&body, c->request, text != NULL ? text : "");
    put_end(&body, answer, result, c->id);
    cJSON_Delete(answer);
    if (body.failed) {
        api_error_no_memory(&error);
        request_fail(c->request, &error, NULL);
    } else {
        request_reply(c->request, 200, "text/event-stream", NULL, body.data, body.len);
    }
    buf_release(&body);
}

/* Whether an answer of this id may still be recorded: it may be under way, as UUIDs of version 7
 * begin with their time, or wait in a spool. */
static bool may_come(const struct route_context *c, const struct uuid *id)
{
    int64_t made_ms = 0;
    for (int i = 0; i < 6; i++)
        made_ms = made_ms << 8 | id->bytes[i];
    int64_t age_ms = clock_wall_us() / 1000 - made_ms;
    return age_ms < c->services->config->total_timeout_ms + c->services->config->db_timeout_ms ||
           recorder_has_spooled(c->services->recorder);
}

static void reply_not_yet(struct request *r)
{
    static const char body[] = "{\"status\":\"in_progress\"}\n";
    request_reply(r, 202, "application/json", "Retry-After: 1\r\nretry-after-ms: 1000\r\n", body,
                  sizeof body - 1);
}

static void fail_not_found(struct request *r)
{
    struct api_error error;
    api_error(&error, 404, "answer_not_found", "id", "there is no such answer of this user");
    request_fail(r, &error, NULL);
}

void route_follow(struct route_context *c)
{
    static const struct pg_statement get_answer = {
        .name = "get_answer", .sql = "select uplift_chat.get_answer($1, $2)", .params = 2};
    const char *values[2] = {c->request->who.user_text, c->id};
    struct open_answer open;
    struct api_error error;
    struct uuid id;
    PGresult *result;
    if (find_open(c, &open)) {
        hand_over(c, &open);
        return;
    }
    if (!uuid_parse(c->id, &id) ||
        !answer_id_issued(c->services->signer, &c->request->who.user, &id)) {
        fail_not_found(c->request);
        return;
    }
    /* Before Postgres is asked, which then has what is loaded meanwhile. */
    bool is_to_come = may_come(c, &id);
    if (!route_query(c, &get_answer, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    if (!PQgetisnull(result, 0, 0))
        reply_recorded(c, PQgetvalue(result, 0, 0));
    else if (is_to_come)
        reply_not_yet(c->request);
    else
        fail_not_found(c->request);
    PQclear(result);
}

/* --- POST /v1/chat/{id}/stop --- */

void route_stop(struct route_context *c)
{
    struct open_answer open;
    struct mail mail = {.kind = MAIL_STOP};
    if (!find_open(c, &open)) {
        fail_not_found(c->request);
        return;
    }
    mail.answer = open.id;
    mail.user = open.user;
    if (worker_slots_send(&c->services->shared->slots, open.slot, &mail, -1)) {
        request_reply(c->request, 204, NULL, NULL, NULL, 0);
        return;
    }
    struct api_error error;
    api_error(&error, 503, "overloaded", "", "the answer cannot be stopped at the moment");
    error.retry_after_ms = ASK_AGAIN_MS;
    request_fail(c->request, &error, NULL);
}
