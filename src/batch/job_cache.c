/* trim-cache: counts the hits of the response cache, and keeps it within its size. */
#include "kinds.h"

#include "../common/json.h"

#include <stdio.h>

enum job_outcome job_trim_cache(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "trim_cache", .sql = "select uplift.trim_cache($1)", .params = 1};
    char most[24];
    PGresult *row;
    enum job_outcome outcome;
    struct json_error wrong;
    snprintf(most, sizeof most, "%lld", (long long)j->config->cache_max_entries);
    if (!job_progress(j, 0, 1, "at most %s entries are to stay", most))
        return JOB_STOPPED;
    if (!job_query(j, &statement, (const char *[]){most}, &row, &outcome))
        return outcome;
    cJSON *came = json_parse(PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0), &wrong);
    PQclear(row);
    if (came == NULL)
        return job_fail(j, "database_error", "trim_cache: %s", wrong.message);
    cJSON_Delete(j->result);
    j->result = came;
    job_progress(j, 1, 1, "%.0f entries", json_number(came, "entries", 0));
    return JOB_DONE;
}
