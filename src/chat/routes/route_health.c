/* GET /healthz and /readyz, for those who watch over the server. */
#include "common/clock.h"
#include "route.h"

#include <stdatomic.h>
#include <string.h>

#define BODY_MAX (1024 * 1024) /* every breaker's name, escaped */

void route_health(struct route_context *c)
{
    static const char body[] = "{\"status\":\"ok\"}\n";
    request_reply(c->request, 200, "application/json", NULL, body, sizeof body - 1);
}

/* Appends ,"providers":["..."] or ,"models":[{"provider","model"}] of the breakers that are open.
 * How many those are. */
static int put_open(const struct shared *shared, bool of_models, struct buf *body)
{
    const struct breaker *b;
    enum breaker_state state;
    int64_t now = clock_ms();
    int open = 0;
    for (int at = 0; (b = breakers_next(&shared->breakers, now, &at, &state)) != NULL;) {
        if ((b->model[0] != '\0') != of_models || state != BREAKER_OPEN)
            continue;
        buf_puts(body, open++ > 0 ? "," : of_models ? ",\"models\":[" : ",\"providers\":[");
        buf_puts(body, of_models ? "{\"provider\":" : "");
        buf_json_string(body, b->provider, strlen(b->provider));
        if (of_models) {
            buf_puts(body, ",\"model\":");
            buf_json_string(body, b->model, strlen(b->model));
            buf_putc(body, '}');
        }
    }
    buf_puts(body, open > 0 ? "]" : "");
    return open;
}

/* Appends {"status", "reason"} of a worker that Postgres is there for: ready, or degraded because
 * it refuses answers, or because breakers of providers or their models are open. */
static void put_ready(const struct shared *shared, const char *rejected, struct buf *body)
{
    struct buf open;
    bool refuses = strcmp(rejected, "0") != 0;
    buf_init(&open, BODY_MAX);
    int count = put_open(shared, false, &open) + put_open(shared, true, &open);
    if (!refuses && count == 0)
        buf_puts(body, "{\"status\":\"ready\"");
    else
        buf_printf(body, "{\"status\":\"degraded\",\"reason\":\"%s\"",
                   refuses ? "rejected_answers" : "provider");
    if (refuses)
        buf_printf(body, ",\"rejected_answers\":%s", rejected);
    buf_append(body, open.data, open.len);
    buf_release(&open);
}

static void put_state(struct services *w, struct buf *body)
{
    const char *search = search_trouble(w->search);
    if (search != NULL)
        buf_printf(body, ",\"search\":\"%s\"", search);
    buf_printf(body, ",\"open_chats\":%lld,\"spool_bytes\":%lld}\n",
               (long long)relay_open(w->relay), (long long)recorder_spool_bytes(w->recorder));
}

/* Ready means that all is well; "degraded" that chats are answered, but without Postgres, or that
 * it refuses what is to be recorded, or by other providers than they would be. */
void route_ready(struct route_context *c)
{
    static const struct pg_statement ready = {
        .name = "ready",
        .sql = "select uplift_chat.ready(), uplift_chat.rejected_lately()",
        .params = 0};
    struct services *w = c->services;
    struct api_error error;
    PGresult *result = NULL;
    bool away;
    struct buf body;
    buf_init(&body, BODY_MAX);
    int status = 200;
    if (atomic_load(&w->draining)) {
        status = 503;
        buf_puts(&body, "{\"status\":\"draining\"}\n");
    } else if (route_query(c, &ready, NULL, &result, &error, &away)) {
        const char *state = PQgetvalue(result, 0, 0);
        if (strcmp(state, "ok") == 0) {
            put_ready(w->shared, PQgetvalue(result, 0, 1), &body);
        } else {
            status = 503;
            buf_puts(&body, "{\"status\":\"not_ready\",\"reason\":");
            buf_json_string(&body, state, strlen(state));
        }
        put_state(w, &body);
        PQclear(result);
    } else if (away) {
        buf_puts(&body, "{\"status\":\"degraded\",\"reason\":\"database\"");
        put_state(w, &body);
    } else {
        status = 503;
        buf_puts(&body, "{\"status\":\"not_ready\",\"reason\":");
        buf_json_string(&body, error.message, strlen(error.message));
        buf_puts(&body, "}\n");
    }
    request_reply(c->request, status, "application/json", NULL, body.data, body.len);
    buf_release(&body);
}
