/*
 * A trainer that is a program on this host, for a GPU of the team's own: UPLIFT_TRAINER_COMMAND.
 *
 * It is started as "PROGRAM request.json" in a directory of its own and in a session of its own,
 * and outlives us. What it writes goes to files there: "output" (JSON lines, see look), "log" (its
 * standard error), and, by a few lines of shell around it, "pid" and "exit". So whichever runner of
 * this host looks next finds it as it is. The shell makes the directory "started" first, which only
 * one can: however often it is started, it runs once.
 */
#include "trainer.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)64 * 1024)
#define READ_BYTES ((size_t)1 << 20) /* of output, in one look */
#define TEXT_MAX ((size_t)400)       /* of a line that is no JSON */
#define EVENTS_MAX 5000              /* of one run that are kept */
#define PATH_BYTES 4200
#define START_WAIT_MS 5000
#define OUTPUT_MAX ((off_t)256 << 20) /* of output or log; a program that writes more is ended */

extern char **environ;

static const char shell[] = "mkdir started 2>/dev/null || exit 0\n"
                            /* The start time is the 20th of what follows the name. */
                            "read -r stat <\"/proc/$$/stat\"; set -- ${stat##*) }; shift 19\n"
                            "echo \"$$ $1\" >pid.part && mv pid.part pid\n"
                            "\"$PROGRAM\" request.json >output 2>log </dev/null\n"
                            "echo $? >exit.part && mv exit.part exit\n";

static void path_in(const struct trainer_run *run, const char *name, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/%s", run->directory, name);
}

static bool exists(const struct trainer_run *run, const char *name)
{
    char path[PATH_BYTES];
    path_in(run, name, path);
    return access(path, F_OK) == 0;
}

/* The end of a small file of the run, up to room - 1 bytes; "" when there is none. */
static void read_end(const struct trainer_run *run, const char *name, char *out, size_t room)
{
    char path[PATH_BYTES];
    struct stat st;
    ssize_t n = 0;
    path_in(run, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0)
        n = pread(fd, out, room - 1,
                  st.st_size > (off_t)room - 1 ? st.st_size - (off_t)room + 1 : 0);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == ' '))
        out[--n] = '\0';
}

/* --- is it alive --- */

/* The process of the run, from its file; 0 when there is none (yet). */
static pid_t recorded_process(const struct trainer_run *run, unsigned long long *started)
{
    char text[64], *end;
    read_end(run, "pid", text, sizeof text);
    long pid = strtol(text, &end, 10);
    *started = strtoull(end, NULL, 10);
    return pid > 1 ? (pid_t)pid : 0;
}

/* Whether that process still is the one that was started, and has not ended. */
static bool is_alive(const struct trainer_run *run)
{
    unsigned long long started, found = 0;
    char path[64], text[1024], state = 'X';
    pid_t pid = recorded_process(run, &started);
    if (pid == 0)
        return false;
    waitpid(pid, NULL, WNOHANG); /* where it is a child of ours; else it is init's */
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *rest = strrchr(text, ')'); /* a program's name may hold anything */
    return rest != NULL &&
           sscanf(
               rest + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &state, &found) == 2 &&
           found == started && state != 'Z' && state != 'X';
}

/* --- starting --- */

static cJSON *request_of(const struct trainer_run *run)
{
    cJSON *r = cJSON_CreateObject();
    cJSON_AddStringToObject(r, "id", run->id);
    cJSON_AddStringToObject(r, "base_model", run->base_model);
    cJSON_AddStringToObject(r, "method", run->method);
    cJSON_AddStringToObject(r, "training_file", run->training_file);
    if (run->validation_file != NULL)
        cJSON_AddStringToObject(r, "validation_file", run->validation_file);
    if (run->suffix != NULL)
        cJSON_AddStringToObject(r, "suffix", run->suffix);
    if (run->seed != NULL)
        cJSON_AddItemToObject(r, "seed", cJSON_Duplicate(run->seed, true));
    cJSON_AddItemToObject(r, "hyperparameters",
                          run->hyperparameters != NULL ? cJSON_Duplicate(run->hyperparameters, true)
                                                       : cJSON_CreateObject());
    return r;
}

static bool write_request(const struct trainer_run *run)
{
    char path[PATH_BYTES];
    cJSON *request = request_of(run);
    char *text = cJSON_Print(request);
    path_in(run, "request.json", path);
    FILE *f = text != NULL ? fopen(path, "we") : NULL;
    bool good = f != NULL && fputs(text, f) >= 0;
    if (f != NULL)
        good = fclose(f) == 0 && good;
    cJSON_free(text);
    cJSON_Delete(request);
    return good;
}

/* The environment without what is ours: it holds secrets. The caller's to free, not its strings. */
static char **environment_of(char *program)
{
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **out = calloc(count + 2, sizeof *out);
    for (size_t i = 0; out != NULL && i < count; i++)
        if (strncmp(environ[i], "UPLIFT_", 7) != 0 &&
            strncmp(environ[i], "DATABASE_URL", 12) != 0 &&
            strncmp(environ[i], "OPENAI_", 7) != 0 && strncmp(environ[i], "PG", 2) != 0)
            out[kept++] = environ[i];
    if (out != NULL)
        out[kept] = program;
    return out;
}

/* 0, or what went wrong. */
static int spawn(const struct trainer_run *run)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t pid;
    char program[PATH_BYTES];
    char *words[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)shell, NULL};
    snprintf(program, sizeof program, "PROGRAM=%s", run->job->config->trainer_command);
    char **environment = environment_of(program);
    if (environment == NULL)
        return ENOMEM;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, run->directory);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int wrong = posix_spawn(&pid, "/bin/sh", &actions, &attributes, words, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return wrong;
}

static bool bring(struct trainer_run *run, struct trainer_problem *p)
{
    const char *program = run->job->config->trainer_command;
    if (program == NULL)
        return trainer_problem(p, true, "no_trainer", "Set UPLIFT_TRAINER_COMMAND to the program.",
                               "UPLIFT_TRAINER_COMMAND is not set");
    if (access(program, X_OK) != 0)
        return trainer_problem(p, true, "trainer_not_found",
                               "Check UPLIFT_TRAINER_COMMAND and its rights.",
                               "%s cannot be run: %s", program, strerror(errno));
    return write_request(run) ||
           trainer_problem(p, false, "cannot_write", "Make room in UPLIFT_BATCH_DIR.",
                           "could not write to %s: %s", run->directory, strerror(errno));
}

static bool begin(struct trainer_run *run, struct trainer_problem *p)
{
    /* Only this host's runners can look at it. */
    if (gethostname(run->job->host, sizeof run->job->host - 1) != 0 || !job_save(run->job))
        return trainer_problem(p, false, "stopped", "", "starting: stopped");
    int wrong = exists(run, "pid") ? 0 : spawn(run);
    if (wrong != 0)
        return trainer_problem(p, false, "cannot_start", "", "could not start %s: %s",
                               run->job->config->trainer_command, strerror(wrong));
    int64_t until = clock_ms() + START_WAIT_MS;
    while (!exists(run, "pid") && clock_ms() < until)
        if (!job_goes_on(run->job, 20))
            return trainer_problem(p, false, "stopped", "", "starting: stopped");
    return exists(run, "pid") || trainer_problem(p, false, "cannot_start", "", "%s did not start",
                                                 run->job->config->trainer_command);
}

/* --- looking --- */

static void copy_number(cJSON *to, const char *as, const cJSON *from, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(from, *keys);
        if (cJSON_IsNumber(value)) {
            cJSON_AddNumberToObject(to, as, value->valuedouble);
            return;
        }
    }
}

/* A line that is no JSON object is a message; one that is, may tell of a step, of losses, of the
 * model that came of it. The names are those of trainers' own logs. */
static void take_line(struct trainer_run *run, struct trainer_report *report, const char *line,
                      size_t len, int number)
{
    static const char *const training[] = {"train_loss", "training_loss", "loss", NULL};
    static const char *const validation[] = {"valid_loss", "validation_loss", "eval_loss", NULL};
    static const char *const step_keys[] = {"step", "global_step", NULL};
    struct json_error wrong;
    char id[32], text[TEXT_MAX + 1];
    cJSON *said = json_parse(line, len, &wrong);
    cJSON *event = cJSON_CreateObject();
    snprintf(id, sizeof id, "line-%d", number);
    cJSON_AddStringToObject(event, "id", id);
    cJSON_AddStringToObject(event, "level", "info");
    if (cJSON_IsObject(said)) {
        const char *model = json_string(said, "model"), *message = json_string(said, "message");
        double progress = trainer_percent(json_number(said, step_keys[0], 0),
                                          json_number(said, "total_steps", 0));
        int64_t tokens = trainer_count(said, "trained_tokens");
        if (message != NULL)
            cJSON_AddStringToObject(event, "message", message);
        copy_number(event, "step", said, step_keys);
        copy_number(event, "training_loss", said, training);
        copy_number(event, "validation_loss", said, validation);
        if (model != NULL && *model != '\0' && strlen(model) < sizeof report->model) {
            cJSON_DeleteItemFromObjectCaseSensitive(run->kept, "model");
            cJSON_AddStringToObject(run->kept, "model", model);
        }
        if (progress >= 0) {
            cJSON_DeleteItemFromObjectCaseSensitive(run->kept, "progress");
            cJSON_AddNumberToObject(run->kept, "progress", progress);
        }
        if (tokens > 0) {
            cJSON_DeleteItemFromObjectCaseSensitive(run->kept, "tokens");
            cJSON_AddNumberToObject(run->kept, "tokens", (double)tokens);
        }
    } else {
        size_t shown = len < TEXT_MAX ? len : utf8_cut(line, TEXT_MAX);
        snprintf(text, sizeof text, "%.*s", (int)shown, line);
        cJSON_AddStringToObject(event, "message",
                                json_utf8_valid(text, strlen(text)) ? text : "(not text)");
    }
    cJSON_Delete(said);
    if (number <= EVENTS_MAX)
        cJSON_AddItemToArray(report->events, event);
    else
        cJSON_Delete(event);
}

/* Reads the lines that came since the last look. A line that never ends is cut. */
static void read_output(struct trainer_run *run, struct trainer_report *report)
{
    char path[PATH_BYTES];
    double offset = json_number(run->kept, "offset", 0);
    int number = (int)json_number(run->kept, "lines", 0);
    char *text = malloc(READ_BYTES);
    struct stat st;
    path_in(run, "output", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    /* Up to what is there now: one that writes without end is not followed without end. */
    off_t until = fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
    while (text != NULL && (off_t)offset < until &&
           (n = pread(fd, text, READ_BYTES, (off_t)offset)) > 0) {
        size_t used = 0;
        const char *stop;
        while ((stop = memchr(text + used, '\n', (size_t)n - used)) != NULL) {
            size_t len = (size_t)(stop - text) - used;
            if (len > 0)
                take_line(run, report, text + used, len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES,
                          ++number);
            used += len + 1;
        }
        if (used == 0 && (size_t)n < READ_BYTES)
            break; /* a line on its way */
        offset += used > 0 ? (double)used : (double)n;
        if ((size_t)n < READ_BYTES)
            break;
    }
    if (fd >= 0)
        close(fd);
    free(text);
    cJSON_DeleteItemFromObjectCaseSensitive(run->kept, "offset");
    cJSON_DeleteItemFromObjectCaseSensitive(run->kept, "lines");
    cJSON_AddNumberToObject(run->kept, "offset", offset);
    cJSON_AddNumberToObject(run->kept, "lines", number);
}

/* What its end means. */
static void judge(struct trainer_run *run, struct trainer_report *report)
{
    char code[16], log[300];
    const char *model = trainer_kept(run, "model");
    read_end(run, "exit", code, sizeof code);
    read_end(run, "log", log, sizeof log);
    report->status = TRAINER_FAILED;
    if (strcmp(code, "0") == 0 && model != NULL) {
        report->status = TRAINER_SUCCEEDED;
        report->progress = 100;
        utf8_copy(report->model, sizeof report->model, model);
    } else if (strcmp(code, "0") == 0) {
        trainer_problem(&report->problem, true, "no_model",
                        "Its last line must be {\"model\": \"NAME\"}, the name that your provider "
                        "knows the model by.",
                        "%s ended well, and named no model", run->job->config->trainer_command);
    } else if (*code == '\0') {
        trainer_problem(&report->problem, true, "trainer_died",
                        "Look at its log, and at the machine's memory; then ask for a new run.",
                        "%s ended without a word%s%s", run->job->config->trainer_command,
                        *log != '\0' ? "; its log ends with: " : "", log);
    } else {
        trainer_problem(&report->problem, true, "trainer_failed",
                        "Look at its log in UPLIFT_BATCH_DIR; then ask for a new run.",
                        "%s ended with %s%s%s", run->job->config->trainer_command, code,
                        *log != '\0' ? "; its log ends with: " : "", log);
    }
}

/* Ends the program and whom it started, who are in its group: they are asked, then told. The shell
 * around them may be gone first; nobody else gets its number while one of them is there. */
static void end_all(pid_t leader)
{
    int64_t until = clock_ms() + START_WAIT_MS;
    kill(-leader, SIGTERM);
    while (clock_ms() < until) {
        waitpid(leader, NULL, WNOHANG);
        if (kill(-leader, 0) != 0)
            return;
        usleep(50000);
    }
    kill(-leader, SIGKILL);
}

static bool cancel(struct trainer_run *run, struct trainer_problem *p)
{
    unsigned long long started;
    pid_t pid = recorded_process(run, &started);
    (void)p;
    if (pid != 0 && is_alive(run))
        end_all(pid);
    return true;
}

static bool writes_too_much(const struct trainer_run *run)
{
    static const char *const names[] = {"output", "log"};
    char path[PATH_BYTES];
    struct stat st;
    for (size_t i = 0; i < 2; i++) {
        path_in(run, names[i], path);
        if (stat(path, &st) == 0 && st.st_size > OUTPUT_MAX)
            return true;
    }
    return false;
}

static bool look(struct trainer_run *run, struct trainer_report *report, struct trainer_problem *p)
{
    trainer_report_init(report);
    if (writes_too_much(run)) {
        cancel(run, p);
        return trainer_problem(p, true, "too_much_output",
                               "Let it say less; its output and log are to be a few MB.",
                               "%s wrote more than %lld MB, and was ended",
                               run->job->config->trainer_command, (long long)(OUTPUT_MAX >> 20));
    }
    /* In this order: what it wrote before it ended is then there to be read. */
    bool has_ended = !is_alive(run);
    read_output(run, report);
    report->status = TRAINER_RUNNING;
    report->progress = json_number(run->kept, "progress", -1);
    report->tokens = (int64_t)json_number(run->kept, "tokens", 0);
    snprintf(report->word, sizeof report->word, "%s", has_ended ? "ended" : "running");
    if (has_ended)
        judge(run, report);
    return true;
}

const struct trainer trainer_command = {
    .name = "command", .bring = bring, .begin = begin, .look = look, .cancel = cancel};
