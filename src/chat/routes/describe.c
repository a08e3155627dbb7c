/* What Postgres is told of a chat; see describe.h. */
#include "describe.h"

#include "common/log.h"

#include <string.h>

#define MODEL_ROOM 257

static const struct pg_statement question_statement = {
    .name = "question_of", .sql = "select uplift_chat.question_of($1,$2,$3)", .params = 3};

struct limit_who describe_limited(const struct route_context *c)
{
    return (struct limit_who){.user = c->request->who.user_text,
                              .api_key = c->request->who.key_id,
                              .address = request_param(c->request, "REMOTE_ADDR")};
}

static void put_more(struct buf *more, const char *key, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    buf_puts(more, more->len == 0 ? "{\"" : ",\"");
    buf_puts(more, key);
    buf_puts(more, "\":");
    buf_json_string(more, value, strlen(value));
}

static void describe_cache(const struct config *config, const struct cache_wish *wish,
                           struct buf *more)
{
    put_more(more, "parameters", wish->parameters);
    buf_printf(more, "%s\"cache\":{\"mode\":\"%s\",\"max_age_s\":%lld,\"model\":",
               more->len == 0 ? "{" : ",", cache_mode_name(wish->mode), (long long)wish->max_age_s);
    buf_json_string(more, config->model, strlen(config->model));
    buf_putc(more, '}');
}

const char *describe_message(const struct chat_wish *wish)
{
    bool is_wanted = wish->cache.mode != CACHE_OFF && !wish->cache.has_question;
    return wish->message == NULL || is_wanted ? wish->message : "";
}

/* Whether Postgres will refuse the chat, as far as this worker knows. */
static bool is_refused(const struct route_context *c, const char *coach_id)
{
    struct services *w = c->services;
    struct limit_who who = describe_limited(c);
    struct api_error error;
    char cheaper[MODEL_ROOM];
    return limits_is_refused(w->limits, &who) ||
           !budgets_allow(w->budgets, who.user, coach_id, cheaper, sizeof cheaper, &error);
}

/* What the message means goes beside its words, where there is something to compare it with. Before
 * Postgres is asked, which is once; not where it does not answer anyway, nor for who will be
 * refused. search is an object that is being built. */
static void describe_embedding(const struct route_context *c, const struct chat_wish *wish,
                               const char *question, struct buf *search)
{
    static const enum metric counts[] = {
        [EMBEDDED] = M_EMBEDDED,
        [EMBEDDED_KEPT] = M_EMBEDDED_KEPT,
        [EMBEDDED_LATE] = M_EMBEDDED_LATE,
        [EMBEDDED_FAILED] = M_EMBEDDED_FAILED,
        [EMBEDDED_RESTING] = M_EMBEDDED_RESTING,
        [EMBEDDED_BUSY] = M_EMBEDDED_BUSY,
    };
    struct services *w = c->services;
    if (pg_breaker_open(w->breaker) || is_refused(c, wish->coach_id))
        return;
    enum embedded embedded = embedder_describe(w->embedder, question, search);
    if (embedded == EMBEDDED_OFF)
        return;
    metrics_count(w->metrics, counts[embedded], 1);
    /* While it is left alone, which was logged, not for each chat. */
    if (embedded == EMBEDDED_LATE || embedded == EMBEDDED_FAILED)
        log_traced(LOG_INFO, c->request->request_id, c->request->trace_id,
                   "its knowledge is found by words alone: no embedding%s",
                   embedded == EMBEDDED_LATE ? " in time" : "");
}

/* What the answer was given to that is to be given anew, where the client does not say it again;
 * the caller's. NULL where it does, and where there is none such, which Postgres says later. */
static char *question_again(struct route_context *c, const struct chat_wish *wish)
{
    const char *values[] = {c->request->who.user_text, wish->regenerate_of,
                            wish->conversation_id[0] != '\0' ? wish->conversation_id : NULL};
    struct services *w = c->services;
    struct api_error error;
    PGresult *result;
    char *question = NULL;
    if (wish->message != NULL || wish->regenerate_of[0] == '\0' || w->search == NULL ||
        pg_breaker_open(w->breaker) || is_refused(c, wish->coach_id) ||
        !route_query(c, &question_statement, values, &result, &error, NULL))
        return NULL;
    if (PQntuples(result) == 1 && !PQgetisnull(result, 0, 0))
        question = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return question;
}

/* What the question is about, where a coach answers: what uplift knows of that goes into the
 * prompt.
 */
static void describe_search(const struct route_context *c, enum chat_protocol protocol,
                            const struct chat_wish *wish, const char *question, struct buf *more)
{
    struct services *w = c->services;
    if (question == NULL || (protocol != CHAT_NATIVE && wish->coach_id == NULL))
        return;
    if (!search_describe(w->search, question, strlen(question), more))
        return;
    if (search_has_copies(w->search))
        metrics_count(w->metrics, M_SEARCHES, 1);
    buf_cut(more, more->len - 1); /* its last brace */
    describe_embedding(c, wish, question, more);
    buf_putc(more, '}');
}

void describe_chat(struct route_context *c, enum chat_protocol protocol,
                   const struct chat_wish *wish, struct buf *more)
{
    char *again = question_again(c, wish);
    const char *sent = describe_message(wish);
    size_t bytes = wish->bytes;
    if (sent != NULL && *sent == '\0')
        bytes += strlen(wish->message);

    put_more(more, "model", wish->model);
    put_more(more, "address", request_param(c->request, "REMOTE_ADDR"));
    put_more(more, "api_key", c->request->who.key_id);
    put_more(more, "variant", request_param(c->request, "HTTP_X_UPLIFT_VARIANT"));
    put_more(more, "photo_id", wish->photo_id);
    if (wish->cache.mode != CACHE_OFF)
        describe_cache(c->services->config, &wish->cache, more);
    if (bytes > 0)
        buf_printf(more, "%s\"bytes\":%zu", more->len == 0 ? "{" : ",", bytes);
    if (c->request->who.is_guest)
        buf_printf(more, "%s\"is_guest\":true", more->len == 0 ? "{" : ",");
    if (wish->asked != NULL)
        buf_printf(more, "%s\"asked\":%s", more->len == 0 ? "{" : ",", wish->asked);
    if (!wish->goes_on)
        describe_search(c, protocol, wish, again != NULL ? again : wish->message, more);
    if (more->len > 0)
        buf_putc(more, '}');
    free(again);
}
