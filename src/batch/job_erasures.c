/*
 * finish-erasures: what an erasure of a user leaves to be done outside of its transaction. Files at
 * the trainer and exports that hold texts of the user are deleted, and rows that were written in
 * the same moment; then who it was is forgotten.
 *
 * What cannot be deleted now stays noted, with the reason, and is tried again with each run.
 */
#include "kinds.h"

#include "common/http.h"
#include "common/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What a run has done so far. */
struct finishing {
    struct job *job;
    int finished, files, late, failed;
};

static void note_problem(cJSON *file, const char *problem)
{
    cJSON_DeleteItemFromObjectCaseSensitive(file, "problem");
    if (problem != NULL)
        cJSON_AddStringToObject(file, "problem", problem);
}

static void note_erased(cJSON *file)
{
    char at[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cJSON_AddStringToObject(file, "erased_at", at);
    note_problem(file, NULL);
}

/* A name that is one segment of a path as it is. */
static bool is_plain(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return len > 0 && name[len] == '\0' && len <= 200 && name[0] != '.';
}

/* A file at the trainer. False when the job is to stop. */
static bool delete_at_trainer(struct finishing *f, cJSON *file, const char *name)
{
    const struct config *config = f->job->config;
    const struct http_server server = {.config = config,
                                       .goes_on = job_is_wanted,
                                       .goes_on_arg = f->job,
                                       .base_url = config->trainer_url,
                                       .key = config->trainer_api_key,
                                       .key_header = config->trainer_key_header};
    struct http_answer answer;
    char path[256], problem[320];
    if (config->trainer != TRAINER_OPENAI || !is_plain(name)) {
        note_problem(file, "the trainer that has it is not configured");
        return true;
    }
    snprintf(path, sizeof path, "/files/%s", name);
    enum http_outcome outcome = http_delete(&server, path, &answer);
    if (outcome == HTTP_FAILED) {
        snprintf(problem, sizeof problem, "the trainer could not be reached: %s", answer.reason);
        note_problem(file, problem);
    } else if (outcome == HTTP_ANSWERED && answer.status != 404 &&
               (answer.status < 200 || answer.status > 299)) {
        snprintf(problem, sizeof problem, "the trainer answered %ld", answer.status);
        note_problem(file, problem);
    } else if (outcome == HTTP_ANSWERED) {
        note_erased(file);
    }
    http_release(&answer);
    return outcome != HTTP_STOPPED;
}

/* An export: the path of a file in the export directory. */
static void delete_export(struct finishing *f, cJSON *file, const char *path, double erased_at)
{
    const char *dir = f->job->config->export_dir;
    char problem[320];
    struct stat st;
    size_t len = strlen(dir);
    /* Nothing but what the job export-dataset writes, whatever a row says. */
    if (strncmp(path, dir, len) != 0 || path[len] != '/' || !is_plain(path + len + 1)) {
        note_problem(file, "it is not in the export directory of this host");
    } else if (stat(path, &st) == 0 && (double)st.st_mtim.tv_sec > erased_at) {
        note_erased(file); /* by an export of the same name since, which has nothing of the user */
    } else if (unlink(path) == 0 || errno == ENOENT) {
        note_erased(file);
    } else {
        snprintf(problem, sizeof problem, "it could not be deleted: %s", strerror(errno));
        note_problem(file, problem);
    }
}

/* False when the job is to stop; *left: a file is still there. */
static bool delete_files(struct finishing *f, cJSON *files, double erased_at, bool *left)
{
    cJSON *file;
    *left = false;
    cJSON_ArrayForEach (file, files) {
        const char *kind = json_string(file, "kind"), *name = json_string(file, "name");
        if (json_string(file, "erased_at") != NULL || kind == NULL || name == NULL)
            continue;
        if (strcmp(kind, "export") == 0)
            delete_export(f, file, name, erased_at);
        else if (!delete_at_trainer(f, file, name))
            return false;
        bool is_erased = json_string(file, "erased_at") != NULL;
        f->files += is_erased;
        f->failed += !is_erased;
        *left = *left || !is_erased;
    }
    return true;
}

/* One erasure; JOB_DONE to go on. */
static enum job_outcome finish(struct finishing *f, cJSON *erasure)
{
    static const struct pg_statement statement = {
        .name = "finish_erasure",
        .sql = "select uplift_batch.finish_erasure($1,$2,$3)",
        .params = 3};
    enum job_outcome outcome = JOB_DONE;
    const char *id = json_string(erasure, "id");
    cJSON *files = cJSON_GetObjectItemCaseSensitive(erasure, "files"), *came, *rows;
    bool left;
    if (id == NULL || !delete_files(f, files, json_number(erasure, "erased_at", 0), &left))
        return JOB_STOPPED;
    char *text = cJSON_PrintUnformatted(files);
    if (text == NULL)
        return job_retry(f->job, "no_memory", "out of memory");
    came =
        job_ask(f->job, &statement, (const char *[]){id, text, left ? "false" : "true"}, &outcome);
    cJSON_free(text);
    if (came == NULL)
        return outcome;
    cJSON_ArrayForEach (rows, cJSON_GetObjectItemCaseSensitive(came, "late"))
        f->late += (int)rows->valuedouble;
    cJSON_Delete(came);
    f->finished += !left;
    return JOB_DONE;
}

enum job_outcome job_finish_erasures(struct job *j)
{
    static const struct pg_statement statement = {.name = "erasures_to_finish",
                                                  .sql = "select uplift_batch.erasures_to_finish()",
                                                  .params = 0};
    struct finishing f = {.job = j};
    enum job_outcome outcome = JOB_DONE;
    cJSON *erasures = job_ask(j, &statement, NULL, &outcome), *erasure;
    int n = 0, count = cJSON_GetArraySize(erasures);
    if (erasures == NULL)
        return outcome;
    cJSON_ArrayForEach (erasure, erasures) {
        if (!job_progress(j, n, count, "%d of %d erasures", n, count))
            outcome = JOB_STOPPED;
        n++;
        if (outcome == JOB_DONE)
            outcome = finish(&f, erasure);
        if (outcome != JOB_DONE)
            break;
    }
    cJSON_Delete(erasures);
    if (outcome != JOB_DONE)
        return outcome;
    cJSON_AddNumberToObject(j->result, "finished", f.finished);
    cJSON_AddNumberToObject(j->result, "files", f.files);
    cJSON_AddNumberToObject(j->result, "files_left", f.failed);
    cJSON_AddNumberToObject(j->result, "late_rows", f.late);
    job_progress(j, count, count, "%d finished, %d files deleted, %d left", f.finished, f.files,
                 f.failed);
    return JOB_DONE;
}
