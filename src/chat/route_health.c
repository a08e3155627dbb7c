/* GET /healthz and /readyz, for those who watch over the server. */
#include "route.h"

#include <stdatomic.h>
#include <string.h>

void route_health(struct route_context *c)
{
    static const char body[] = "{\"status\":\"ok\"}\n";
    request_reply(c->request, 200, "application/json", NULL, body, sizeof body - 1);
}

/* Ready means that chats are answered; "degraded" that they are, but without Postgres. */
void route_ready(struct route_context *c)
{
    static const struct pg_statement ready = {
        .name = "ready", .sql = "select uplift.ready()", .params = 0};
    struct api_error error;
    PGresult *result = NULL;
    bool away;
    struct buf body;
    buf_init(&body, 4096);
    int status = 200;
    if (atomic_load(&c->worker->draining)) {
        status = 503;
        buf_puts(&body, "{\"status\":\"draining\"}\n");
    } else if (route_query(c, &ready, NULL, &result, &error, &away)) {
        const char *state = PQgetvalue(result, 0, 0);
        if (strcmp(state, "ok") == 0) {
            buf_puts(&body, "{\"status\":\"ready\"");
        } else {
            status = 503;
            buf_puts(&body, "{\"status\":\"not_ready\",\"reason\":");
            buf_json_string(&body, state, strlen(state));
        }
        buf_printf(&body, ",\"open_chats\":%lld,\"spool_bytes\":%lld}\n",
                   (long long)relay_open(c->worker->relay),
                   (long long)recorder_spool_bytes(c->worker->recorder));
        PQclear(result);
    } else if (away) {
        buf_printf(&body,
                   "{\"status\":\"degraded\",\"reason\":\"database\",\"open_chats\":%lld,\"spool_"
                   "bytes\":%lld}\n",
                   (long long)relay_open(c->worker->relay),
                   (long long)recorder_spool_bytes(c->worker->recorder));
    } else {
        status = 503;
        buf_puts(&body, "{\"status\":\"not_ready\",\"reason\":");
        buf_json_string(&body, error.message, strlen(error.message));
        buf_puts(&body, "}\n");
    }
    request_reply(c->request, status, "application/json", NULL, body.data, body.len);
    buf_release(&body);
}
