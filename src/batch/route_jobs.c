/* POST /admin/jobs/{name}, and whether all is well. */
#include "kinds.h"
#include "routes.h"

#include "common/json.h"

#include <stdio.h>
#include <string.h>

/* The body as arguments of that kind, as JSON text; NULL with *error filled in. */
static char *checked_arguments(struct admin_call *c, struct api_error *error)
{
    struct json_error reason;
    char *text = NULL;
    const struct job_kind *kind = job_kind_find(c->key);
    if (kind == NULL) {
        api_error(error, 404, "unknown_job", "name",
                  "there is no job \"%.80s\"; GET /admin/job-kinds lists those there are", c->key);
        return NULL;
    }
    text = admin_arguments(c, error);
    if (text == NULL)
        return NULL;
    cJSON *arguments = json_parse(text, strlen(text), &reason);
    if (arguments != NULL && !job_kind_check(kind, arguments, error)) {
        cJSON_free(text);
        text = NULL;
    }
    cJSON_Delete(arguments);
    return text;
}

void route_submit_job(struct admin_call *c)
{
    static const struct pg_statement submit = {
        .name = "submit_job", .sql = "select uplift_batch.submit_job($1, $2, $3, $4)", .params = 4};
    struct api_error error;
    PGresult *result;
    char *arguments = checked_arguments(c, &error);
    const char *values[] = {c->key, arguments, c->who,
                            request_param(c->request, "HTTP_IDEMPOTENCY_KEY")};
    if (arguments == NULL || !admin_query(c, &submit, values, &result, &error)) {
        cJSON_free(arguments);
        request_fail(c->request, &error, NULL);
        return;
    }
    runners_wake(c->admin->runners);
    struct json_error reason;
    char location[96] = "";
    const char *text = PQgetvalue(result, 0, 0);
    cJSON *job = json_parse(text, strlen(text), &reason);
    const char *id = json_string(job, "job_id");
    if (id != NULL)
        snprintf(location, sizeof location, "Location: /admin/jobs/%s\r\n", id);
    cJSON_Delete(job);
    request_reply(c->request, 202, "application/json", location, text, strlen(text));
    PQclear(result);
    cJSON_free(arguments);
}

void route_batch_alive(struct admin_call *c)
{
    static const char alive[] = "{\"status\":\"ok\"}\n";
    request_reply(c->request, 200, "application/json", NULL, alive, sizeof alive - 1);
}

void route_batch_health(struct admin_call *c)
{
    static const struct pg_statement version = {
        .name = "version", .sql = "select uplift.schema_version()", .params = 0};
    struct api_error error;
    PGresult *result;
    if (atomic_load(&c->admin->draining)) {
        static const char body[] = "{\"status\":\"draining\"}\n";
        request_reply(c->request, 503, "application/json", NULL, body, sizeof body - 1);
    } else if (admin_query(c, &version, NULL, &result, &error)) {
        char body[80];
        int len = snprintf(body, sizeof body, "{\"status\":\"ready\",\"running_jobs\":%zu}\n",
                           runners_busy(c->admin->runners));
        PQclear(result);
        request_reply(c->request, 200, "application/json", NULL, body, (size_t)len);
    } else {
        request_fail(c->request, &error, NULL);
    }
}
