/* fcgi-batch on the command line. */
#include "command.h"

#include "common/json.h"
#include "common/log.h"
#include "common/pg.h"
#include "common/privileges.h"
#include "common/program.h"
#include "curve.h"
#include "eval_memory.h"
#include "kinds.h"
#include "progress.h"
#include "runner.h"
#include "show_experiment.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 200
#define STOP_MS 10000
#define CURVE_WIDTH 60
#define CURVE_HEIGHT 8

static volatile sig_atomic_t interrupts;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    interrupts++;
}

static struct pg *connect_as(const struct config *config)
{
    struct pg *pg = pg_new(config_batch_database(config), "uplift command",
                           config->batch_statement_timeout_ms, 0);
    if (pg == NULL)
        fputs("fcgi-batch: out of memory\n", stderr);
    return pg;
}

/* The JSON object that a statement gives; NULL with the reason printed. The caller's to free. */
static cJSON *ask(struct pg *pg, const struct pg_statement *statement, const char *const *values)
{
    PGresult *result = NULL;
    struct json_error reason;
    cJSON *object = NULL;
    switch (pg_call(pg, statement, values, &result)) {
    case PG_DONE:
        object = json_parse(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), &reason);
        if (object == NULL)
            fprintf(stderr, "fcgi-batch: Postgres answered something else: %s\n", reason.message);
        PQclear(result);
        break;
    case PG_REFUSED:
        fprintf(stderr, "fcgi-batch: %s\n", pg_message(pg));
        if (strcmp(pg_sqlstate(pg), "42501") == 0 || strcmp(pg_sqlstate(pg), "42883") == 0)
            fputs("Is UPLIFT_BATCH_DATABASE_URL for role uplift_batch, and sql/install.sql of this "
                  "version installed?\n",
                  stderr);
        break;
    case PG_AWAY:
        fputs(
            "fcgi-batch: Postgres does not answer; is UPLIFT_BATCH_DATABASE_URL (or DATABASE_URL) "
            "right?\n",
            stderr);
        break;
    }
    return object;
}

/* --- looking --- */

/* "2026-01-31 02:00:07" of an ISO time. */
static void print_time(const char *iso)
{
    if (strlen(iso) < 19)
        printf("%-19s", "");
    else
        printf("%.10s %.8s", iso, iso + 11);
}

static void print_job(const cJSON *job)
{
    int64_t done = (int64_t)json_number(job, "done", 0);
    int64_t total = (int64_t)json_number(job, "total", 0);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(job, "error");
    char bar[3 * 10 + 1];
    progress_bar(bar, 10, (double)done, (double)total);
    printf("%s  ", json_text(job, "job_id"));
    print_time(json_text(job, "created_at"));
    printf("  %-24s %-9s ▕%s▏ %s\n", json_text(job, "name"), json_text(job, "status"), bar,
           json_string(error, "message") != NULL ? json_string(error, "message")
                                                 : json_text(job, "message"));
}

static int show_list(struct pg *pg, const struct pg_statement *statement, const char *arguments,
                     void (*print)(const cJSON *))
{
    cJSON *list = ask(pg, statement, (const char *[]){NULL, arguments, "command line"});
    if (list == NULL)
        return EXIT_FAILURE;
    const cJSON *item;
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(list, "data"))
        print(item);
    if (json_string(list, "pg_cron") != NULL)
        printf("pg_cron: %s\n", json_string(list, "pg_cron"));
    if (json_bool(list, "has_more", false))
        puts("... and more, by URL");
    cJSON_Delete(list);
    return EXIT_SUCCESS;
}

static void print_schedule(const cJSON *s)
{
    printf("%-24s %-4s %-16s %-24s ", json_text(s, "name"),
           json_bool(s, "is_enabled", false) ? "on" : "off", json_text(s, "cron"),
           json_text(s, "job"));
    print_time(json_text(s, "last_run_at"));
    printf(" %s\n", json_text(s, "last_status"));
}

static int list_jobs(struct pg *pg, int count, char **words)
{
    static const struct pg_statement statement = {
        .name = "admin_list_jobs",
        .sql = "select uplift_batch.admin_list_jobs($1, $2, $3)",
        .params = 3};
    cJSON *arguments = cJSON_CreateObject();
    for (int i = 0; i < count; i += 2) {
        if (i + 1 == count || strncmp(words[i], "--", 2) != 0) {
            fputs("fcgi-batch: jobs takes --name NAME, --status STATUS, --limit N and --after ID\n",
                  stderr);
            cJSON_Delete(arguments);
            return EXIT_USAGE;
        }
        cJSON_AddStringToObject(arguments, words[i] + 2, words[i + 1]);
    }
    char *text = cJSON_PrintUnformatted(arguments);
    int status = show_list(pg, &statement, text, print_job);
    cJSON_free(text);
    cJSON_Delete(arguments);
    return status;
}

static int show_job(struct pg *pg, const char *id, bool cancel)
{
    static const struct pg_statement statements[] = {
        {.name = "admin_job_history",
         .sql = "select uplift_batch.admin_job_history($1, $2, $3)",
         .params = 3},
        {.name = "admin_cancel_job",
         .sql = "select uplift_batch.admin_cancel_job($1, $2, $3)",
         .params = 3}};
    cJSON *job = ask(pg, &statements[cancel], (const char *[]){id, "{}", "command line"});
    if (job == NULL)
        return EXIT_FAILURE;
    const cJSON *line;
    print_job(job);
    cJSON_ArrayForEach (line, cJSON_GetObjectItemCaseSensitive(job, "history")) {
        fputs("  ", stdout);
        print_time(json_text(line, "at"));
        printf("  %-16s %s\n", json_text(line, "event"), json_text(line, "message"));
    }
    char *result = cJSON_Print(cJSON_GetObjectItemCaseSensitive(job, "result"));
    if (result != NULL && strcmp(result, "null") != 0)
        puts(result);
    cJSON_free(result);
    cJSON_Delete(job);
    return EXIT_SUCCESS;
}

static void show_kind(const struct job_kind *k)
{
    printf("%s\n    %s\n", k->name, k->meaning);
    for (const struct job_argument *a = k->arguments; a != NULL && a->name != NULL; a++) {
        printf("    --");
        for (const char *p = a->name; *p != '\0'; p++)
            putchar(*p == '_' ? '-' : *p);
        printf("%s%s%s: %s\n", a->choices != NULL ? " " : "", a->choices != NULL ? a->choices : "",
               a->required ? " (required)" : "", a->meaning);
    }
}

static int list_kinds(void)
{
    for (const struct job_kind *k = job_kinds; k->name != NULL; k++)
        show_kind(k);
    return EXIT_SUCCESS;
}

/* What "run" and "run JOB" take, for who asks by --help; false: that is not asked. */
static bool show_help_of_run(int count, char **words)
{
    const struct job_kind *kind = count > 2 ? job_kind_find(words[1]) : NULL;
    if (strcmp(words[0], "run") != 0 || count < 2 || strcmp(words[count - 1], "--help") != 0 ||
        (count > 2 && kind == NULL))
        return false;
    if (kind != NULL)
        show_kind(kind);
    else
        list_kinds();
    return true;
}

/* --- fine-tuning --- */

static void print_tuning(const cJSON *job)
{
    double progress = json_number(job, "progress_percentage", 0);
    char bar[3 * 10 + 1];
    progress_bar(bar, 10, progress, 100);
    printf("%s  ", json_text(job, "id"));
    print_time(json_text(job, "created_at"));
    printf("  %-9s ▕%s▏ %s -> %s\n", json_text(job, "status"), bar, json_text(job, "base_model"),
           json_text(job, "model_id"));
}

static void print_money(const cJSON *job, const char *key, const char *words)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(job, key);
    if (cJSON_IsNumber(value))
        printf("  %s: $%.4f\n", words, value->valuedouble);
}

/* The losses, drawn. */
static void draw_losses(const cJSON *job, const char *key, const char *words)
{
    const cJSON *point, *points = cJSON_GetObjectItemCaseSensitive(job, "loss_curve");
    size_t count = 0;
    double *values = calloc((size_t)cJSON_GetArraySize(points) + 1, sizeof *values);
    cJSON_ArrayForEach (point, points) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(point, key);
        if (values != NULL && cJSON_IsNumber(value))
            values[count++] = value->valuedouble;
    }
    if (count > 1) {
        printf("  %s, %zu points\n", words, count);
        curve_draw(stdout, values, count, CURVE_WIDTH, CURVE_HEIGHT);
    }
    free(values);
}

static int show_tuning(struct pg *pg, const char *id)
{
    static const struct pg_statement statement = {
        .name = "admin_get_finetuning",
        .sql = "select uplift_batch.admin_get_finetuning($1, '{}', 'command line')",
        .params = 1};
    static const char *const lines[][2] = {{"external_status", "the trainer's word"},
                                           {"external_job_id", "the trainer's job"},
                                           {"trainer", "trainer"},
                                           {"method", "method"},
                                           {"dataset_version_id", "dataset version"},
                                           {"model_version_id", "model version"},
                                           {"warning", "warning"}};
    cJSON *job = ask(pg, &statement, (const char *[]){id});
    if (job == NULL)
        return EXIT_FAILURE;
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(job, "error");
    print_tuning(job);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (json_string(job, lines[i][0]) != NULL)
            printf("  %s: %s\n", lines[i][1], json_string(job, lines[i][0]));
    print_money(job, "estimated_cost", "estimated cost");
    print_money(job, "actual_cost", "actual cost");
    if (json_string(error, "message") != NULL)
        printf("  %s\n  %s\n", json_string(error, "message"), json_text(error, "advice"));
    draw_losses(job, "training_loss", "training loss");
    draw_losses(job, "validation_loss", "validation loss");
    cJSON_Delete(job);
    return EXIT_SUCCESS;
}

/* --- experiments --- */

static void print_experiment(const cJSON *experiment)
{
    experiment_print(stdout, experiment);
}

static int show_experiment(struct pg *pg, const char *id, bool all)
{
    static const struct pg_statement statement = {
        .name = "admin_experiment_results",
        .sql = "select uplift_batch.admin_experiment_results($1, '{}', 'command line')",
        .params = 1};
    cJSON *results = ask(pg, &statement, (const char *[]){id});
    if (results == NULL)
        return EXIT_FAILURE;
    experiment_show(stdout, results, all);
    cJSON_Delete(results);
    return EXIT_SUCCESS;
}

/* --- schedules --- */

/* Reads --cron, --on, --off, --arguments and --job into what admin_put_schedule takes. */
static cJSON *schedule_changes(int count, char **words, bool *run_now)
{
    cJSON *changes = cJSON_CreateObject();
    struct json_error reason;
    for (int i = 0; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : NULL;
        cJSON *parsed = NULL;
        if (strcmp(words[i], "--on") == 0 || strcmp(words[i], "--off") == 0) {
            cJSON_AddBoolToObject(changes, "is_enabled", words[i][3] == 'n');
        } else if (strcmp(words[i], "--run") == 0) {
            *run_now = true;
        } else if (value != NULL &&
                   (strcmp(words[i], "--cron") == 0 || strcmp(words[i], "--job") == 0)) {
            cJSON_AddStringToObject(changes, words[i] + 2, value);
            i++;
        } else if (value != NULL && strcmp(words[i], "--arguments") == 0 &&
                   (parsed = json_parse(value, strlen(value), &reason)) != NULL) {
            cJSON_AddItemToObject(changes, "arguments", parsed);
            i++;
        } else {
            fprintf(stderr,
                    "fcgi-batch: schedule takes --cron \"0 2 * * *\", --on, --off, --job JOB, "
                    "--arguments JSON and --run, not %s\n",
                    words[i]);
            cJSON_Delete(changes);
            return NULL;
        }
    }
    return changes;
}

static int change_schedule(struct pg *pg, const char *name, int count, char **words)
{
    static const struct pg_statement put = {
        .name = "admin_put_schedule",
        .sql = "select uplift_batch.admin_put_schedule($1, $2, $3)",
        .params = 3};
    static const struct pg_statement run = {
        .name = "admin_run_schedule",
        .sql = "select uplift_batch.admin_run_schedule($1, '{}', $2)",
        .params = 2};
    bool run_now = false;
    int status = EXIT_SUCCESS;
    cJSON *changes = schedule_changes(count, words, &run_now), *answer = NULL;
    if (changes == NULL)
        return EXIT_USAGE;
    if (changes->child != NULL || !run_now) {
        char *text = cJSON_PrintUnformatted(changes);
        answer = ask(pg, &put, (const char *[]){name, text, "command line"});
        cJSON_free(text);
        if (answer == NULL)
            status = EXIT_FAILURE;
        else
            print_schedule(answer);
        cJSON_Delete(answer);
    }
    if (run_now && status == EXIT_SUCCESS) {
        answer = ask(pg, &run, (const char *[]){name, "command line"});
        if (answer == NULL)
            status = EXIT_FAILURE;
        else
            print_job(answer);
        cJSON_Delete(answer);
    }
    cJSON_Delete(changes);
    return status;
}

/* --- running a job --- */

static const struct pg_statement get_job = {
    .name = "admin_get_job", .sql = "select uplift_batch.admin_get_job($1)", .params = 1};

static bool is_over(const cJSON *job)
{
    const char *status = json_text(job, "status");
    return strcmp(status, "queued") != 0 && strcmp(status, "running") != 0;
}

/* Shows the job until it has ended; the first interrupt cancels it, the second gives up watching.
 * NULL when it was given up, or Postgres cannot be asked. */
static cJSON *watch(struct pg *pg, const char *id)
{
    static const struct pg_statement cancel = {
        .name = "admin_cancel_job",
        .sql = "select uplift_batch.admin_cancel_job($1, '{}', 'command line')",
        .params = 1};
    struct progress progress;
    struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    bool cancelled = false;
    progress_init(&progress, stderr);
    for (;;) {
        cJSON *job = ask(pg, &get_job, (const char *[]){id});
        if (job == NULL)
            return NULL;
        progress_show(&progress, job);
        if (is_over(job)) {
            progress_end(&progress);
            return job;
        }
        cJSON_Delete(job);
        if (interrupts > 1) {
            progress_end(&progress);
            fprintf(stderr, "it goes on; fcgi-batch job %s\n", id);
            return NULL;
        }
        if (interrupts == 1 && !cancelled) {
            cJSON_Delete(ask(pg, &cancel, (const char *[]){id}));
            cancelled = true;
        }
        nanosleep(&pause, NULL);
    }
}

static int report(const cJSON *job)
{
    const char *status = json_text(job, "status");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(job, "error");
    if (strcmp(status, "succeeded") == 0) {
        char *result = cJSON_Print(cJSON_GetObjectItemCaseSensitive(job, "result"));
        puts(result != NULL ? result : "{}");
        cJSON_free(result);
        return EXIT_SUCCESS;
    }
    fprintf(stderr, "fcgi-batch: %s%s%s\n", status,
            json_string(error, "message") != NULL ? ": " : "", json_text(error, "message"));
    return EXIT_FAILURE;
}

/* Any runner may do it; one of ours sees to it that somebody does. */
static int run_here(const struct config *config, struct pg *pg, const char *id)
{
    struct sigaction on_interrupt = {.sa_handler = note_interrupt};
    sigaction(SIGINT, &on_interrupt, NULL);
    sigaction(SIGTERM, &on_interrupt, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return EXIT_FAILURE;
    struct runners *runners = runners_start(config, 1, id);
    if (runners == NULL)
        return EXIT_FAILURE;
    cJSON *job = watch(pg, id);
    int status = job != NULL ? report(job) : EXIT_FAILURE;
    cJSON_Delete(job);
    if (!runners_stop(runners, STOP_MS))
        _Exit(status);
    curl_global_cleanup();
    return status;
}

/* A path as it is from anywhere: the job may be done by the service. The caller's to free. */
static char *whole_path(const char *path)
{
    char *real = strstr(path, "://") == NULL ? realpath(path, NULL) : NULL;
    return real != NULL ? real : strdup(path);
}

/* Files are on this host, and where this shell is. */
static bool complete_paths(const struct job_kind *kind, cJSON *arguments)
{
    static const char *const names[] = {"path", "urls"};
    char host[65] = "";
    bool has_files = false;
    if (strcmp(kind->name, "import-knowledge") != 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = json_string(arguments, names[i]);
        char *whole = path != NULL ? whole_path(path) : NULL;
        if (path != NULL && whole == NULL)
            return false;
        if (path == NULL)
            continue;
        has_files = has_files || *whole == '/';
        cJSON_DeleteItemFromObjectCaseSensitive(arguments, names[i]);
        cJSON_AddStringToObject(arguments, names[i], whole);
        free(whole);
    }
    if (has_files && !cJSON_HasObjectItem(arguments, "host") &&
        gethostname(host, sizeof host - 1) == 0)
        cJSON_AddStringToObject(arguments, "host", host);
    return true;
}

/* The words as arguments of the kind, of which one by itself at the beginning is the first that
 * there is; NULL with the reason printed. */
static cJSON *read_arguments(const struct job_kind *kind, int count, char **words, bool *detach)
{
    struct api_error error = {.message = "arguments look like --name VALUE"};
    cJSON *arguments = cJSON_CreateObject();
    bool good = true;
    for (int i = 0; good && i < count; i++) {
        const char *name = words[i], *value = NULL;
        if (strcmp(name, "--detach") == 0) {
            *detach = true;
            continue;
        }
        if (i == 0 && strncmp(name, "--", 2) != 0 && kind->arguments != NULL) {
            good = job_kind_add_argument(kind, arguments, kind->arguments[0].name, name, &error);
            continue;
        }
        good = strncmp(name, "--", 2) == 0;
        if (good && i + 1 < count && strncmp(words[i + 1], "--", 2) != 0)
            value = words[++i];
        good = good && job_kind_add_argument(kind, arguments, name + 2, value, &error);
    }
    if (good && complete_paths(kind, arguments) && job_kind_check(kind, arguments, &error))
        return arguments;
    fprintf(stderr, "fcgi-batch: %s\n", error.message);
    cJSON_Delete(arguments);
    return NULL;
}

/* Shows a job that others do. */
static int watch_job(struct pg *pg, const char *id)
{
    cJSON *job = watch(pg, id);
    int status = job != NULL ? report(job) : EXIT_FAILURE;
    cJSON_Delete(job);
    return status;
}

static int run_job(const struct config *config, struct pg *pg, int count, char **words)
{
    static const struct pg_statement submit = {
        .name = "submit_job",
        .sql = "select uplift_batch.submit_job($1, $2, 'command line')",
        .params = 2};
    const struct job_kind *kind = count > 0 ? job_kind_find(words[0]) : NULL;
    bool detach = false;
    if (kind == NULL) {
        fprintf(stderr, "fcgi-batch: %s%s; fcgi-batch kinds lists those there are\n",
                count > 0 ? "there is no job " : "run takes a job", count > 0 ? words[0] : "");
        return EXIT_USAGE;
    }
    cJSON *arguments = read_arguments(kind, count - 1, words + 1, &detach);
    if (arguments == NULL)
        return EXIT_USAGE;
    char *text = cJSON_PrintUnformatted(arguments);
    cJSON *job = ask(pg, &submit, (const char *[]){kind->name, text});
    int status = EXIT_FAILURE;
    if (job != NULL && detach) {
        puts(json_text(job, "job_id"));
        status = EXIT_SUCCESS;
    } else if (job != NULL) {
        status = run_here(config, pg, json_text(job, "job_id"));
    }
    cJSON_Delete(job);
    cJSON_free(text);
    cJSON_Delete(arguments);
    return status;
}

void command_print_help(void)
{
    puts("Commands:\n"
         "  run JOB [VALUE] [--ARGUMENT VALUE]... [--detach]\n"
         "                     do a job here and show how far it is; --detach: only queue it. A "
         "value\n"
         "                     by itself is the first argument that kinds lists\n"
         "  run eval-retrieval DIRECTORY [--language CODE] [--embeddings]\n"
         "                     how well retrieval finds what it should, on a set in BEIR's layout\n"
         "  run eval-retrieval --memory FILE\n"
         "                     how well earlier conversations are found, on a set in LoCoMo's "
         "layout\n"
         "  run simulate-experiments [--quick] [--json] [--experiments N] [--days N] [--users N]\n"
         "      [--seed N] [--threads N]\n"
         "                     whether the statistics of experiments keep their promises, on "
         "made-up users\n"
         "  run simulate-flywheel --url URL [--ca FILE] [--quick] [--json] [--report FILE]\n"
         "      [--seed N] [--weeks N] [--users N] [--plain-users N] [--coach ID] [--other-coach "
         "ID]\n"
         "      [--plain-coach ID] [--other-plain-coach ID] [--anyway]\n"
         "                     whether the whole loop helps: made-up users with hidden tastes talk "
         "to "
         "a scratch\n"
         "                     installation for weeks; ./dev flywheel sets one up for it\n"
         "  run JOB --help     what it does, and its arguments\n"
         "  kinds              the jobs there are, and their arguments\n"
         "  jobs [--name NAME] [--status STATUS] [--limit N] [--after ID]\n"
         "                     jobs, the newest first\n"
         "  job ID             one job with its history and result\n"
         "  watch ID           show how far a job is until it has ended\n"
         "  cancel ID          cancel a job\n"
         "  finetuning [ID]    fine-tuning jobs, or one with its loss curve\n"
         "  experiments [ID [--all]]\n"
         "                     experiments, or what came of one by the metric that decides, or by "
         "all\n"
         "  schedules          what runs by itself, and when\n"
         "  schedule NAME [--cron \"0 2 * * *\"] [--on | --off] [--job JOB] [--arguments JSON] "
         "[--run]\n"
         "                     change a schedule, or run it now");
}

/* Whether a command that takes an id was given one; else says where ids are listed. */
static bool has_id(int count, char **words)
{
    static const char *const lists[][2] = {{"job", "jobs"},
                                           {"watch", "jobs"},
                                           {"cancel", "jobs"},
                                           {"finetuning", "finetuning"},
                                           {"experiments", "experiments"}};
    struct uuid id;
    for (size_t i = 0; count >= 2 && i < sizeof lists / sizeof lists[0]; i++)
        if (strcmp(words[0], lists[i][0]) == 0 && !uuid_parse(words[1], &id)) {
            fprintf(stderr, "fcgi-batch: %s takes an id, not %s; fcgi-batch %s lists them\n",
                    words[0], words[1], lists[i][1]);
            return false;
        }
    return true;
}

int command_run(const struct config *config, int count, char **words)
{
    static const struct pg_statement schedules = {
        .name = "admin_list_schedules",
        .sql = "select uplift_batch.admin_list_schedules($1, $2, $3)",
        .params = 3};
    static const struct pg_statement tunings = {
        .name = "admin_list_finetuning",
        .sql = "select uplift_batch.admin_list_finetuning($1, $2, $3)",
        .params = 3};
    static const struct pg_statement experiments = {
        .name = "admin_list_experiments",
        .sql = "select uplift_batch.admin_list_experiments($1, $2, $3)",
        .params = 3};
    const char *name = words[0];
    int status = EXIT_USAGE;
    log_open("fcgi-batch", 0, LOG_ERROR); /* what happens is shown, not logged */
    if (strcmp(name, "kinds") == 0 && count == 1)
        return list_kinds();
    if (show_help_of_run(count, words))
        return EXIT_SUCCESS;
    if (!has_id(count, words))
        return EXIT_USAGE;
    /* Files that a job writes are to be the service's own. */
    struct privileges privileges;
    if (geteuid() == 0 && config->run_as != NULL &&
        (!privileges_plan(&privileges, config->run_as) || !privileges_drop(&privileges)))
        return EXIT_FAILURE;
    struct pg *pg = connect_as(config);
    if (pg == NULL)
        return EXIT_FAILURE;
    if (strcmp(name, "run") == 0 && count > 2 && strcmp(words[1], "eval-retrieval") == 0 &&
        strcmp(words[2], "--memory") == 0)
        status = eval_memory(pg, count - 3, words + 3);
    else if (strcmp(name, "run") == 0)
        status = run_job(config, pg, count - 1, words + 1);
    else if (strcmp(name, "jobs") == 0)
        status = list_jobs(pg, count - 1, words + 1);
    else if ((strcmp(name, "job") == 0 || strcmp(name, "cancel") == 0) && count == 2)
        status = show_job(pg, words[1], *name == 'c');
    else if (strcmp(name, "watch") == 0 && count == 2)
        status = watch_job(pg, words[1]);
    else if (strcmp(name, "finetuning") == 0 && count == 2)
        status = show_tuning(pg, words[1]);
    else if (strcmp(name, "finetuning") == 0 && count == 1)
        status = show_list(pg, &tunings, "{}", print_tuning);
    else if (strcmp(name, "experiments") == 0 && count == 1)
        status = show_list(pg, &experiments, "{}", print_experiment);
    else if (strcmp(name, "experiments") == 0 &&
             (count == 2 || (count == 3 && strcmp(words[2], "--all") == 0)))
        status = show_experiment(pg, words[1], count == 3);
    else if (strcmp(name, "schedules") == 0 && count == 1)
        status = show_list(pg, &schedules, "{}", print_schedule);
    else if (strcmp(name, "schedule") == 0 && count >= 2)
        status = change_schedule(pg, words[1], count - 2, words + 2);
    else
        fprintf(stderr, "fcgi-batch: there is no command %s like this\nTry fcgi-batch --help.\n",
                name);
    pg_free(pg);
    return status;
}
