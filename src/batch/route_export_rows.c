/*
 * GET /admin/answers/export, GET /admin/users/{id}/export: rows as an admin found them, and all
 * that is kept of a user, page by page as their client reads, in constant memory. When something
 * fails on the way, the connection is cut.
 */
#include "apart.h"

#include "common/json.h"
#include "common/log.h"
#include "common/pg.h"
#include "common/user_export.h"

#include <stdio.h>
#include <string.h>

enum { LINES, COUNT, AFTER };

static void fail_call(struct pg *pg, enum pg_outcome outcome, const char *what,
                      struct api_error *error)
{
    PGresult *refusal = outcome == PG_REFUSED ? pg_take_refusal(pg) : NULL;
    if (outcome == PG_REFUSED)
        pg_api_error(refusal, what, error);
    else
        api_error(error, 503, "database_unavailable", "",
                  "the database does not answer at the moment; try again shortly");
    PQclear(refusal);
}

static bool ask(void *arg, const struct pg_statement *statement, const char *const *values,
                PGresult **result, struct api_error *error)
{
    enum pg_outcome outcome = pg_call(arg, statement, values, result);
    if (outcome != PG_DONE)
        fail_call(arg, outcome, statement->name, error);
    return outcome == PG_DONE;
}

static struct pg *connect_apart(struct admin_call *c)
{
    return pg_new(config_batch_database(c->admin->config), "uplift export",
                  c->admin->config->batch_statement_timeout_ms, 0);
}

static bool begin_answers(struct admin_call *c, bool is_csv)
{
    char extra[128];
    snprintf(extra, sizeof extra, "Content-Disposition: attachment; filename=\"answers.%s\"\r\n",
             is_csv ? "csv" : "jsonl");
    return request_begin(c->request, is_csv ? "text/csv; charset=utf-8" : "application/x-ndjson",
                         extra);
}

/* The pages behind the first. False: it must not pass for the whole. */
static bool write_pages(struct admin_call *c, struct pg *pg, const struct pg_statement *statement,
                        const char *arguments, PGresult *page)
{
    char after[UUID_TEXT + 1];
    struct api_error error;
    for (;;) {
        bool is_last = PQgetisnull(page, 0, AFTER);
        bool good = request_put(c->request, PQgetvalue(page, 0, LINES),
                                (size_t)PQgetlength(page, 0, LINES));
        snprintf(after, sizeof after, "%s", PQgetvalue(page, 0, AFTER));
        PQclear(page);
        if (!good || is_last)
            return good;
        if (atomic_load(&c->admin->draining)) /* a slow reader must not keep us from ending */
            return false;
        const char *values[] = {arguments, after, c->log_line};
        if (!ask(pg, statement, values, &page, &error)) {
            log_traced(LOG_WARN, c->request->request_id, c->request->trace_id,
                       "export of answers broken off: %s", error.message);
            return false;
        }
    }
}

static bool asks_for_csv(const char *arguments)
{
    cJSON *object = cJSON_Parse(arguments);
    const char *format = json_string(object, "format");
    bool is_csv = format != NULL && strcmp(format, "csv") == 0;
    cJSON_Delete(object);
    return is_csv;
}

static void export_answers(struct admin_call *c)
{
    static const struct pg_statement statement = {
        .name = "export_answers",
        .sql = "select lines, count, after from uplift_batch.export_answers($1, $2, $3)",
        .params = 3};
    struct api_error error;
    PGresult *page;
    struct pg *pg = NULL;
    char *arguments = admin_arguments(c, &error);
    const char *values[] = {arguments, NULL, c->log_line};
    bool good = arguments != NULL;
    if (good) {
        pg = connect_apart(c);
        good = pg != NULL || api_error_no_memory(&error);
    }
    /* The first page before the head: what is wrong with the request is told by it. */
    if (!good || !ask(pg, &statement, values, &page, &error)) {
        request_fail(c->request, &error, NULL);
    } else if (!begin_answers(c, asks_for_csv(arguments))) {
        PQclear(page);
        request_abort(c->request);
    } else if (strcmp(c->request->method, "HEAD") == 0) {
        PQclear(page);
        request_finish(c->request);
    } else if (write_pages(c, pg, &statement, arguments, page)) {
        request_finish(c->request);
    } else {
        request_abort(c->request);
    }
    pg_free(pg);
    cJSON_free(arguments);
}

static void export_user(struct admin_call *c)
{
    static const struct pg_statement sections = {
        .name = "export_sections",
        .sql = "select name from uplift_batch.export_sections($1)",
        .params = 1};
    static const struct pg_statement rows = {
        .name = "export_rows",
        .sql = "select rows, count, after from uplift_batch.export_rows($1, $2, $3)",
        .params = 3};
    struct api_error error;
    struct pg *pg = connect_apart(c);
    if (pg == NULL) {
        api_error_no_memory(&error);
        request_fail(c->request, &error, NULL);
        return;
    }
    struct user_export export = {.request = c->request,
                                 .user_id = c->key,
                                 .sections = &sections,
                                 .rows = &rows,
                                 .ask = ask,
                                 .arg = pg,
                                 .draining = &c->admin->draining};
    user_export_run(&export);
    pg_free(pg);
}

void route_export_answers(struct admin_call *c)
{
    export_apart(c, export_answers);
}

void route_export_user(struct admin_call *c)
{
    export_apart(c, export_user);
}
