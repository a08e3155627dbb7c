/* /v1/feedback/{id}: a thumb, stars and a comment on an answer. */
#include "route_feedback.h"

#include "../common/clock.h"
#include "spool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT_MAX 10000 /* characters */

enum { F_ID, F_HELPFUL, F_RATING, F_TEXT, F_GIVEN_AT, F_PENDING };

static const struct pg_statement give_statement = {
    .name = "give_feedback",
    .sql =
        "select id, helpful, rating, feedback_text, to_json(feedback_given_at) #>> '{}', pending "
        "from uplift.give_feedback($1,$2,$3,$4,p_event_id=>$5)",
    .params = 5};
static const struct pg_statement get_statement = {
    .name = "get_feedback",
    .sql =
        "select id, helpful, rating, feedback_text, to_json(feedback_given_at) #>> '{}', pending "
        "from uplift.get_feedback($1,$2,$3)",
    .params = 3};

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

bool feedback_issued(const struct route_context *c, const struct uuid *answer)
{
    return answer_id_issued(c->worker->signer, &c->request->who.user, answer);
}

static void add_text(cJSON *row, const char *name, const PGresult *result, int column)
{
    if (PQgetisnull(result, 0, column))
        cJSON_AddNullToObject(row, name);
    else
        cJSON_AddStringToObject(row, name, PQgetvalue(result, 0, column));
}

cJSON *feedback_row(const PGresult *result)
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

static void reply_with_row(struct route_context *c, const PGresult *result)
{
    struct api_error error;
    cJSON *row = feedback_row(result);
    cJSON_AddBoolToObject(row, "pending", *PQgetvalue(result, 0, F_PENDING) == 't');
    char *text = cJSON_PrintUnformatted(row);
    cJSON_Delete(row);
    if (text != NULL) {
        request_reply(c->request, 200, "application/json", NULL, text, strlen(text));
    } else {
        api_error(&error, 503, "out_of_memory", "", "the server is out of memory; try again");
        request_fail(c->request, &error, NULL);
    }
    free(text);
}

/* What was taken back is no word. */
static void count_feedback(const struct route_context *c, const char *changes)
{
    cJSON *said = cJSON_Parse(changes);
    const cJSON *thumb = cJSON_GetObjectItemCaseSensitive(said, "helpful");
    struct metrics *m = c->worker->metrics;
    metrics_count(m, M_THUMBS_UP, cJSON_IsTrue(thumb));
    metrics_count(m, M_THUMBS_DOWN, cJSON_IsFalse(thumb));
    metrics_count(m, M_RATINGS, cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(said, "rating")));
    metrics_count(m, M_COMMENTS, json_string(said, "feedback_text") != NULL);
    cJSON_Delete(said);
}

enum feedback_outcome feedback_give(struct route_context *c, const char *answer_id,
                                    const char *changes, PGresult **result, struct api_error *error)
{
    struct uuid answer, event;
    char event_id[UUID_TEXT + 1];
    bool away;
    *result = NULL;
    if (!uuid_parse(answer_id, &answer)) {
        api_error(error, 400, "invalid_id", "id", "\"%.60s\" is not a UUID", answer_id);
        return FEEDBACK_REFUSED;
    }
    bool issued = feedback_issued(c, &answer);
    /* Made before the call: one that was committed, and whose end nobody heard, must not count
     * again from the spool. */
    uuid_v7(&event);
    uuid_format(&event, event_id);
    const char *values[5] = {c->request->who.user_text, answer_id, changes, issued ? "t" : "f",
                             event_id};
    if (route_query(c, &give_statement, values, result, error, &away)) {
        count_feedback(c, changes);
        return FEEDBACK_GIVEN;
    }
    /* Postgres may also have no time for it, or somebody hold a lock, as of answers being written.
     */
    if (!away && error->status != 503)
        return FEEDBACK_REFUSED;

    /* Said when it was asked for: while Postgres was waited for, a later word may have got in. */
    int64_t given_us = clock_wall_us() - (clock_ms() - c->request->accepted_ms) * 1000;
    struct buf line;
    buf_init(&line, 1024 * 1024);
    bool spooled = spool_feedback_line(&line, event_id, c->request->who.user_text, answer_id,
                                       changes, issued, given_us) &&
                   recorder_spool_feedback(c->worker->recorder, line.data);
    buf_release(&line);
    if (spooled)
        count_feedback(c, changes);
    return spooled ? FEEDBACK_SPOOLED : FEEDBACK_REFUSED;
}

void route_feedback_put(struct route_context *c)
{
    struct api_error error;
    PGresult *result = NULL;
    cJSON *body = request_json_body(c->request, &error);
    if (body == NULL || !feedback_check(body, &error)) {
        cJSON_Delete(body);
        request_fail(c->request, &error, NULL);
        return;
    }
    char *changes = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    if (changes == NULL) {
        api_error(&error, 503, "out_of_memory", "", "the server is out of memory; try again");
        request_fail(c->request, &error, NULL);
        return;
    }
    switch (feedback_give(c, c->id, changes, &result, &error)) {
    case FEEDBACK_GIVEN:
        reply_with_row(c, result);
        break;
    case FEEDBACK_SPOOLED: {
        struct buf answer;
        buf_init(&answer, 1024);
        buf_printf(&answer, "{\"id\":\"%s\",\"pending\":true}", c->id);
        request_reply(c->request, 202, "application/json", "X-Uplift-Degraded: database\r\n",
                      answer.data, answer.len);
        buf_release(&answer);
        break;
    }
    case FEEDBACK_REFUSED:
        request_fail(c->request, &error, NULL);
        break;
    }
    PQclear(result);
    free(changes);
}

void route_feedback_get(struct route_context *c)
{
    struct api_error error;
    struct uuid answer;
    PGresult *result;
    bool issued = uuid_parse(c->id, &answer) && feedback_issued(c, &answer);
    const char *values[3] = {c->request->who.user_text, c->id, issued ? "t" : "f"};
    if (!route_query(c, &get_statement, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    reply_with_row(c, result);
    PQclear(result);
}
