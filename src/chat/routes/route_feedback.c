/* /v1/feedback/{id}: a thumb, stars and a comment on an answer. */
#include "route_feedback.h"

#include "chat/record/spool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT_MAX 10000 /* characters */

enum { F_ID, F_HELPFUL, F_RATING, F_TEXT, F_GIVEN_AT, F_PENDING, F_REFUSAL };

#define COLUMNS                                                                                    \
    "select id, helpful, rating, feedback_text, to_json(feedback_given_at) #>> '{}', pending"

static const struct pg_statement take_statement = {
    .name = "take_feedback",
    .sql = COLUMNS ", refusal from uplift_chat.take_feedback($1,$2,$3,$4,$5,$6,$7,$8)",
    .params = FEEDBACK_PARAMS};
static const struct pg_statement get_statement = {
    .name = "get_feedback", .sql = COLUMNS " from uplift_chat.get_feedback($1,$2,$3)", .params = 3};

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static bool check_member(const cJSON *item, struct api_error *error)
{
    if (strcmp(item->string, "helpful") == 0)
        return cJSON_IsBool(item) || cJSON_IsNull(item) ||
               api_error(error, 400, "invalid_helpful", "helpful",
                         "helpful must be true, false or null");
    if (strcmp(item->string, "rating") == 0) {
        double stars = item->valuedouble;
        return cJSON_IsNull(item) ||
               (cJSON_IsNumber(item) && stars >= 1 && stars <= 5 && floor(stars) == stars) ||
               api_error(error, 400, "invalid_rating", "rating",
                         "rating must be a whole number from 1 to 5, or null");
    }
    if (strcmp(item->string, "feedback_text") == 0) {
        if (!cJSON_IsString(item) && !cJSON_IsNull(item))
            return api_error(error, 400, "invalid_feedback_text", "feedback_text",
                             "feedback_text must be a text or null");
        return cJSON_IsNull(item) || characters(item->valuestring) <= COMMENT_MAX ||
               api_error(error, 400, "invalid_feedback_text", "feedback_text",
                         "feedback_text may have at most %d characters", COMMENT_MAX);
    }
    return api_error(error, 400, "unknown_parameter", item->string,
                     "unknown parameter \"%.60s\"; helpful, rating and feedback_text are taken",
                     item->string);
}

bool feedback_check(const cJSON *changes, struct api_error *error)
{
    const cJSON *item;
    if (changes->child == NULL)
        return api_error(error, 400, "nothing_to_change", "",
                         "send at least one of helpful, rating and feedback_text");
    cJSON_ArrayForEach (item, changes) {
        if (!check_member(item, error))
            return false;
    }
    return true;
}

static bool is_issued(const struct route_context *c, const struct uuid *answer)
{
    return answer_id_issued(c->services->signer, &c->request->who.user, answer);
}

static void add_text(cJSON *row, const char *name, const PGresult *result, int column)
{
    if (PQgetisnull(result, 0, column))
        cJSON_AddNullToObject(row, name);
    else
        cJSON_AddStringToObject(row, name, PQgetvalue(result, 0, column));
}

/* What stands, as feedback_give() returned it: id, helpful, rating, feedback_text and
 * feedback_given_at. The caller's to delete. */
static cJSON *feedback_row(const PGresult *result)
{
    cJSON *row = cJSON_CreateObject();
    add_text(row, "id", result, F_ID);
    if (PQgetisnull(result, 0, F_HELPFUL))
        cJSON_AddNullToObject(row, "helpful");
    else
        cJSON_AddBoolToObject(row, "helpful", *PQgetvalue(result, 0, F_HELPFUL) == 't');
    if (PQgetisnull(result, 0, F_RATING))
        cJSON_AddNullToObject(row, "rating");
    else
        cJSON_AddNumberToObject(row, "rating", strtod(PQgetvalue(result, 0, F_RATING), NULL));
    add_text(row, "feedback_text", result, F_TEXT);
    add_text(row, "feedback_given_at", result, F_GIVEN_AT);
    return row;
}

/* Who may give feedback and not read is told of its own words alone. */
static void forget_unsaid(cJSON *row, const cJSON *said)
{
    static const char *const words[] = {"helpful", "rating", "feedback_text"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!cJSON_HasObjectItem(said, words[i]))
            cJSON_DeleteItemFromObjectCaseSensitive(row, words[i]);
}

static void reply_with_row(struct route_context *c, const PGresult *result, const cJSON *said)
{
    struct api_error error;
    cJSON *row = feedback_row(result);
    if ((c->request->who.scopes & SCOPE_READ) == 0)
        forget_unsaid(row, said);
    cJSON_AddBoolToObject(row, "pending", *PQgetvalue(result, 0, F_PENDING) == 't');
    char *text = cJSON_PrintUnformatted(row);
    cJSON_Delete(row);
    if (text != NULL) {
        request_reply(c->request, 200, "application/json", NULL, text, strlen(text));
    } else {
        api_error_no_memory(&error);
        request_fail(c->request, &error, NULL);
    }
    free(text);
}

void feedback_accept(const struct route_context *c, const struct uuid *answer, const char *changes,
                     struct feedback *f)
{
    struct uuid event;
    f->given_us = clock_wall_us();
    clock_text(f->given_us, f->given_at);
    uuid_v7(&event);
    uuid_format(&event, f->event_id);
    uuid_format(answer, f->answer_id);
    f->issued = is_issued(c, answer);
    f->changes = changes;
}

/* What was taken back is no word. */
void feedback_count(const struct route_context *c, const struct feedback *f)
{
    cJSON *said = cJSON_Parse(f->changes);
    const cJSON *thumb = cJSON_GetObjectItemCaseSensitive(said, "helpful");
    struct metrics *m = c->services->metrics;
    metrics_count(m, M_THUMBS_UP, cJSON_IsTrue(thumb));
    metrics_count(m, M_THUMBS_DOWN, cJSON_IsFalse(thumb));
    metrics_count(m, M_RATINGS, cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(said, "rating")));
    metrics_count(m, M_COMMENTS, json_string(said, "feedback_text") != NULL);
    cJSON_Delete(said);
}

bool feedback_refused(const struct route_context *c, const char *refusal_json,
                      struct api_error *error)
{
    route_refused(refusal_json, error);
    metrics_count(c->services->metrics, M_REFUSED_RATE, error->status == 429);
    return false;
}

bool feedback_spool(struct route_context *c, const struct feedback *f, struct api_error *error)
{
    const struct limit_who who = {.user = c->request->who.user_text,
                                  .api_key = c->request->who.key_id,
                                  .address = request_param(c->request, "REMOTE_ADDR")};
    struct api_error refusal;
    struct buf line;
    if (error->status != 503)
        return false;
    if (!limits_allow_feedback(c->services->limits, &who, &refusal)) {
        metrics_count(c->services->metrics, M_REFUSED_RATE, 1);
        *error = refusal;
        return false;
    }
    buf_init(&line, 1024 * 1024);
    bool good = spool_feedback_line(&line, f->event_id, who.user, f->answer_id, f->changes,
                                    f->issued, f->given_us) &&
                recorder_spool_feedback(c->services->recorder, line.data);
    buf_release(&line);
    if (good)
        feedback_count(c, f);
    return good;
}

void feedback_values(const struct route_context *c, const struct feedback *f,
                     const char *values[FEEDBACK_PARAMS])
{
    const struct request *r = c->request;
    values[0] = r->who.user_text;
    values[1] = f->answer_id;
    values[2] = f->changes;
    values[3] = f->issued ? "t" : "f";
    values[4] = f->given_at;
    values[5] = f->event_id;
    values[6] = request_param(r, "REMOTE_ADDR");
    values[7] = r->who.key_id[0] != '\0' ? r->who.key_id : NULL;
}

enum feedback_outcome {
    FEEDBACK_GIVEN,   /* *result has the row and is the caller's to PQclear */
    FEEDBACK_SPOOLED, /* Postgres is away, or has no time for it; it is safe on disk */
    FEEDBACK_REFUSED, /* *error says why */
};

/* Gives feedback whose changes feedback_check passed. *result is NULL unless GIVEN. */
static enum feedback_outcome feedback_give(struct route_context *c, const struct feedback *f,
                                           PGresult **result, struct api_error *error)
{
    const char *values[FEEDBACK_PARAMS];
    *result = NULL;
    feedback_values(c, f, values);
    if (!route_query(c, &take_statement, values, result, error, NULL))
        return feedback_spool(c, f, error) ? FEEDBACK_SPOOLED : FEEDBACK_REFUSED;
    if (!PQgetisnull(*result, 0, F_REFUSAL)) {
        feedback_refused(c, PQgetvalue(*result, 0, F_REFUSAL), error);
        PQclear(*result);
        *result = NULL;
        return FEEDBACK_REFUSED;
    }
    feedback_count(c, f);
    return FEEDBACK_GIVEN;
}

static void reply_spooled(struct route_context *c)
{
    struct buf body;
    buf_init(&body, 1024);
    buf_printf(&body, "{\"id\":\"%s\",\"pending\":true}", c->id);
    request_reply(c->request, 202, "application/json", "X-Uplift-Degraded: database\r\n", body.data,
                  body.len);
    buf_release(&body);
}

void route_feedback_put(struct route_context *c)
{
    struct api_error error;
    struct feedback feedback;
    struct uuid answer;
    PGresult *result = NULL;
    cJSON *body = request_json_body(c->request, &error);
    if (body == NULL || !feedback_check(body, &error)) {
        cJSON_Delete(body);
        request_fail(c->request, &error, NULL);
        return;
    }
    char *changes = cJSON_PrintUnformatted(body);
    if (changes == NULL) {
        cJSON_Delete(body);
        api_error_no_memory(&error);
        request_fail(c->request, &error, NULL);
        return;
    }
    uuid_parse(c->id, &answer); /* the route's table has checked it */
    feedback_accept(c, &answer, changes, &feedback);
    switch (feedback_give(c, &feedback, &result, &error)) {
    case FEEDBACK_GIVEN:
        reply_with_row(c, result, body);
        break;
    case FEEDBACK_SPOOLED:
        reply_spooled(c);
        break;
    case FEEDBACK_REFUSED:
        request_fail(c->request, &error, NULL);
        break;
    }
    PQclear(result);
    free(changes);
    cJSON_Delete(body);
}

void route_feedback_get(struct route_context *c)
{
    struct api_error error;
    struct uuid answer;
    PGresult *result;
    bool issued = uuid_parse(c->id, &answer) && is_issued(c, &answer);
    const char *values[3] = {c->request->who.user_text, c->id, issued ? "t" : "f"};
    if (!route_query(c, &get_statement, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    reply_with_row(c, result, NULL);
    PQclear(result);
}
