/* A user's own data, all of it, as it is handed to them. */
#include "user_export.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void user_export_name(char line[USER_EXPORT_LINE], const char *what, const char *ending)
{
    char day[16];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(day, sizeof day, "%Y-%m-%d", &utc);
    snprintf(line, USER_EXPORT_LINE,
             "Content-Disposition: attachment; filename=\"uplift-%s-%s.%s\"\r\n", what, day,
             ending);
}

static bool put(const struct user_export *e, const char *text, size_t len)
{
    return request_put(e->request, text, len);
}

static bool begin(const struct user_export *e)
{
    char at[32], line[USER_EXPORT_LINE], beginning[160 + UUID_TEXT];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    user_export_name(line, "export", "json");
    int len = snprintf(beginning, sizeof beginning,
                       "{\"object\":\"user_export\",\"version\":1,\"user_id\":\"%s\","
                       "\"exported_at\":\"%s\",\"sections\":{",
                       e->user_id, at);
    return request_begin(e->request, "application/json", line) &&
           (strcmp(e->request->method, "HEAD") == 0 || put(e, beginning, (size_t)len));
}

/* Why an export cannot go on, in *error, whose status is 0 where it is the reader who left. */
static bool write_section(const struct user_export *e, const char *name, bool is_first,
                          struct api_error *error)
{
    PGresult *result = NULL;
    char *after = NULL, title[128];
    bool good, has_rows = false;
    snprintf(title, sizeof title, "%s\n\"%s\":[", is_first ? "" : ",", name);
    good = put(e, title, strlen(title));
    error->status = 0;
    while (good) {
        const char *values[3] = {e->user_id, name, after};
        if (atomic_load(e->draining))
            good = false;
        else
            good = e->ask(e->arg, e->rows, values, &result, error);
        if (!good || strcmp(PQgetvalue(result, 0, 1), "0") == 0)
            break;
        good = put(e, has_rows ? ",\n" : "\n", has_rows ? 2 : 1) &&
               put(e, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
        has_rows = true;
        free(after);
        after = strdup(PQgetvalue(result, 0, 2));
        good = good && after != NULL;
        PQclear(result);
        result = NULL;
    }
    PQclear(result);
    free(after);
    return good && put(e, "]", 1);
}

static void write_export(const struct user_export *e, const PGresult *sections)
{
    static const char end[] = "\n},\"complete\":true}\n";
    struct api_error error = {.status = 0};
    int count = PQntuples(sections);
    bool good = begin(e);
    if (good && strcmp(e->request->method, "HEAD") == 0) {
        request_finish(e->request);
        return;
    }
    for (int i = 0; good && i < count; i++)
        good = write_section(e, PQgetvalue(sections, i, 0), i == 0, &error);
    if (good && put(e, end, sizeof end - 1)) {
        request_finish(e->request);
        return;
    }
    if (error.status != 0)
        log_traced(LOG_WARN, e->request->request_id, e->request->trace_id,
                   "export of a user's data broken off: %s", error.message);
    request_abort(e->request);
}

void user_export_run(const struct user_export *e)
{
    struct api_error error;
    PGresult *sections;
    const char *values[1] = {e->user_id};
    if (e->ask(e->arg, e->sections, values, &sections, &error)) {
        write_export(e, sections);
        PQclear(sections);
    } else {
        request_fail(e->request, &error, NULL);
    }
}
