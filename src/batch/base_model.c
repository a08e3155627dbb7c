/* What the trainer's server says of a base model. */
#include "base_model.h"

#include "common/http.h"
#include "common/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Whether text is a date as OpenAI writes it, one that there is. */
static bool is_date(const char *text)
{
    struct tm date = {0};
    const char *end = strptime(text, "%Y-%m-%d", &date);
    if (strlen(text) != 10 || end == NULL || *end != '\0' || date.tm_year < 0)
        return false;
    int day = date.tm_mday;
    return timegm(&date) != -1 && date.tm_mday == day; /* not the 31st of February */
}

/* A name as part of a URL's path. */
static void write_escaped(char *out, size_t room, const char *name)
{
    size_t len = 0;
    for (; *name != '\0' && len + 4 < room; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~:", c) != NULL;
        len += (size_t)(plain ? snprintf(out + len, room - len, "%c", c)
                              : snprintf(out + len, room - len, "%%%02X", c));
    }
    out[len] = '\0';
}

/* Keeps it. False with the outcome: the job ends. */
static bool note(struct job *j, const char *model, const struct base_model *found,
                 enum job_outcome *outcome)
{
    static const struct pg_statement statement = {
        .name = "note_base_model",
        .sql = "select uplift_batch.note_base_model($1, $2, $3)",
        .params = 3};
    PGresult *row;
    if (!job_query(j, &statement,
                   (const char *[]){model,
                                    *found->shutdown_date != '\0' ? found->shutdown_date : NULL,
                                    found->is_known ? NULL : "the trainer does not list it"},
                   &row, outcome))
        return false;
    PQclear(row);
    return true;
}

bool base_model_ask(struct job *j, const char *model, struct base_model *found,
                    enum job_outcome *outcome)
{
    char name[700], path[720], today[16];
    struct http_answer answer;
    const struct http_server server = {.config = j->config,
                                       .goes_on = job_is_wanted,
                                       .goes_on_arg = j,
                                       .base_url = j->config->trainer_url,
                                       .key = j->config->trainer_api_key,
                                       .key_header = j->config->trainer_key_header};
    *found = (struct base_model){.is_known = false};
    write_escaped(name, sizeof name, model);
    snprintf(path, sizeof path, "/models/%s", name);
    enum http_outcome how = http_call(&server, path, NULL, NULL, &answer);
    bool good = how != HTTP_STOPPED;
    if (!good) {
        *outcome = JOB_STOPPED;
    } else if (how == HTTP_ANSWERED && cJSON_IsObject(answer.json) &&
               (answer.status == 200 || answer.status == 404)) {
        const char *date = json_string(answer.json, "shutdown_date");
        found->was_asked = true;
        found->is_known = answer.status == 200;
        if (date != NULL && is_date(date))
            snprintf(found->shutdown_date, sizeof found->shutdown_date, "%s", date);
        time_t now = time(NULL);
        struct tm utc;
        strftime(today, sizeof today, "%Y-%m-%d", gmtime_r(&now, &utc));
        found->is_shut_down =
            *found->shutdown_date != '\0' && strcmp(found->shutdown_date, today) <= 0;
        good = note(j, model, found, outcome);
    } else {
        job_log(j, "could not ask about %s: %s", model,
                *answer.reason != '\0' ? answer.reason : "the trainer answered something else");
    }
    http_release(&answer);
    return good;
}
