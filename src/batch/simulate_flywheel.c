/*
 * A learning loop over weeks. Each simulated day users talk, and rate what they are answered, while
 * the jobs of the day before are done; then new tests are asked about, so that it is known what is
 * true of them. How long a day lasts is measured, and told to autopilot in its settings.
 */
#include "simulate_flywheel.h"

#include "common/clock.h"
#include "common/program.h"
#include "flywheel/diary.h"
#include "flywheel/outcome.h"
#include "flywheel/steward.h"
#include "flywheel/talk.h"
#include "flywheel/world.h"
#include "progress.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_A_WEEK 7
#define FIRST_TEST_DAY 1 /* from 0; autopilot is switched on then */
#define SAME_PACE 0.15   /* days are told to be of another length from this difference on */
#define STAGE_DAYS 1
#define TEST_DAYS 14
#define RETRY_DAYS 42
#define TRAIN_DAYS 28 /* from one training to the next */
#define MIN_USERS 40
#define THUMB_SHARE 0.9
#define COMMENT_SHARE 0.25
#define ASKED_USERS 120 /* are asked about each test */
#define ASKED_TRIES 1000
#define INTERRUPTED 130

static volatile sig_atomic_t stop;

struct flywheel {
    long seed, weeks, users, plain;
    bool is_quick, is_json, anyway;
    const char *url, *ca, *report;
    const char *coaches[WORLD_COACHES], *plain_coaches[WORLD_COACHES];
    const struct config *config;
    struct site site;
    struct world world;
    struct diary diary;
    struct steward steward;
    struct talk talk;
    struct chat *chats; /* of a day; owned; as many as users */
    gsl_rng *random;    /* owned */
    long trains_from;   /* day from which it may train again */
    int64_t began_ms;
    int64_t ends_ms[DAYS_A_WEEK + 1]; /* of the last days: day n is over at n modulo that many */
};

static bool complain(const char *what)
{
    fprintf(stderr, "fcgi-batch: %s\n", what);
    return false;
}

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* --- a day --- */

static void plan_chat(struct flywheel *f, struct chat *c, struct person *p)
{
    *c = (struct chat){.person = p,
                       .thumb = gsl_rng_uniform(f->random),
                       .like = gsl_rng_uniform(f->random),
                       .write = gsl_rng_uniform(f->random),
                       .turn = gsl_rng_uniform(f->random)};
    world_message(f->random, p, c->message);
}

static size_t plan_day(struct flywheel *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->world.count; i++) {
        struct person *p = &f->world.people[i];
        if (gsl_rng_uniform(f->random) < p->chats_a_week / DAYS_A_WEEK)
            plan_chat(f, &f->chats[count++], p);
    }
    return count;
}

/* With which coaches users go on, by what they were answered on a day; one chat of each at most. */
static void choose_coaches(struct flywheel *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct chat *c = &f->chats[i];
        struct person *p = &f->world.people[c->person - f->world.people];
        if (c->is_answered)
            p->coach = world_next_coach(p, c->is_liked, c->turn);
    }
}

/* One of those for whom all is switched on and whom a version is for. NULL: there was none among so
 * many. */
static struct person *draw_asked(struct flywheel *f, const struct version *v)
{
    for (int tries = 0; tries < ASKED_TRIES; tries++) {
        struct person *p = &f->world.people[gsl_rng_uniform_int(f->random, f->world.learning)];
        if (v->coach[0] == '\0' || strcmp(f->coaches[p->coach], v->coach) == 0)
            return p;
    }
    return NULL;
}

/* The same users with the same messages, with what is and with what is tried. */
static bool ask_about(struct flywheel *f, struct version *v)
{
    size_t count = 0;
    for (size_t i = 0; i < ASKED_USERS && count + 2 <= f->world.count; i++, count += 2) {
        struct chat *c = &f->chats[count];
        struct person *p = draw_asked(f, v);
        if (p == NULL)
            break;
        plan_chat(f, c, p);
        c[1] = c[0];
        snprintf(c[0].variant, TALK_VARIANT, "%s=%s", v->experiment, v->control);
        snprintf(c[1].variant, TALK_VARIANT, "%s=%s", v->experiment, v->candidate);
    }
    v->is_asked = false;
    if (!talk_run(&f->talk, f->chats, count))
        return false;
    diary_measure(v, f->chats, count);
    return true;
}

static bool ask_about_new(struct flywheel *f)
{
    for (size_t i = 0; i < f->diary.version_count && !stop; i++)
        if (f->diary.versions[i].is_asked && !ask_about(f, &f->diary.versions[i]))
            return complain(f->talk.reason);
    return true;
}

static bool begin_jobs(struct flywheel *f, long day)
{
    static const char *const daily[] = {"measure-experiments", "watch-rollouts", "autopilot"};
    static const char *const weekly[] = {"measure-context",        "write-playbooks",
                                         "generate-training-data", "measure-experiments",
                                         "watch-rollouts",         "autopilot"};
    bool ends_week = day % DAYS_A_WEEK == DAYS_A_WEEK - 1;
    return ends_week ? steward_begin_jobs(&f->steward, weekly, sizeof weekly / sizeof weekly[0])
                     : steward_begin_jobs(&f->steward, daily, sizeof daily / sizeof daily[0]);
}

/* Switches autopilot on after the first days. Days are as long as the last ones turned out to be;
 * where that is something else than was said, it is said anew. */
static bool keep_pace(struct flywheel *f, long days_over)
{
    long days = days_over < DAYS_A_WEEK ? days_over : DAYS_A_WEEK;
    int64_t *since = &f->ends_ms[(days_over - days) % (DAYS_A_WEEK + 1)];
    f->ends_ms[days_over % (DAYS_A_WEEK + 1)] = clock_ms();
    double day_s = (double)(clock_ms() - *since) / 1000 / (double)days;
    double told = f->steward.pace.day_s;
    bool may_train = f->steward.has_trained ? false : days_over >= f->trains_from;
    if (f->steward.has_trained)
        f->trains_from = days_over + TRAIN_DAYS;
    f->steward.has_trained = false;
    bool is_same =
        may_train == f->steward.may_train && told > 0 && fabs(day_s / told - 1) < SAME_PACE;
    if (days_over <= FIRST_TEST_DAY || is_same)
        return true;
    f->steward.may_train = may_train;
    f->steward.pace.day_s = day_s;
    return steward_start(&f->steward) || complain(f->steward.caller.reason);
}

static bool live_day(struct flywheel *f, long day)
{
    int week = (int)(day / DAYS_A_WEEK) + 1;
    size_t count = plan_day(f);
    if (day == f->weeks * DAYS_A_WEEK / 2)
        world_turn(&f->world);
    bool talked = talk_run(&f->talk, f->chats, count);
    diary_add(&f->diary, week, &f->world.leaning, f->chats, count);
    choose_coaches(f, count);
    if (!talked)
        return complain(f->talk.reason);
    if (!steward_end_jobs(&f->steward) || !steward_note(&f->steward, &f->diary, week))
        return complain(f->steward.caller.reason);
    if (!keep_pace(f, day + 1))
        return false;
    return ask_about_new(f) && (begin_jobs(f, day) || complain(f->steward.caller.reason));
}

static void show(struct progress *p, const struct flywheel *f, long day, const char *status)
{
    char message[100];
    int week = f->diary.week_count;
    const struct tally *t = &f->diary.weeks[week > 0 ? week - 1 : 0].learning;
    cJSON *job = cJSON_CreateObject();
    snprintf(message, sizeof message, "days; week %d: %.0f %% thumbs up", week,
             t->thumbs > 0 ? 100 * t->up / t->thumbs : 0);
    cJSON_AddStringToObject(job, "status", status);
    cJSON_AddNumberToObject(job, "done", (double)day);
    cJSON_AddNumberToObject(job, "total", (double)(f->weeks * DAYS_A_WEEK));
    cJSON_AddStringToObject(job, "message", message);
    progress_show(p, job);
    cJSON_Delete(job);
}

static bool live(struct flywheel *f)
{
    struct progress progress;
    long day = 0, days = f->weeks * DAYS_A_WEEK;
    bool ok = true;
    f->ends_ms[0] = clock_ms();
    progress_init(&progress, stderr);
    while (ok && !stop && day < days) {
        show(&progress, f, day, "running");
        ok = live_day(f, day++);
    }
    if (!steward_end_jobs(&f->steward) && ok && !stop)
        ok = complain(f->steward.caller.reason);
    if (ok && !steward_note(&f->steward, &f->diary, f->diary.week_count))
        ok = complain(f->steward.caller.reason);
    show(&progress, f, day, "completed");
    progress_end(&progress);
    return ok;
}

/* --- before and after --- */

static const char *preferences_of(const struct person *p)
{
    if (p->is_plain)
        return "{\"experiments_enabled\":false,\"training_consent\":false,\"memory_enabled\":"
               "false}";
    return p->may_train ? "{\"training_consent\":true}" : "{\"training_consent\":null}";
}

static bool prepare(struct flywheel *f)
{
    const struct config *c = f->config;
    struct steward *s = &f->steward;
    struct uuid admin;
    char id[UUID_TEXT + 1];
    if (c->jwt_secret == NULL || c->upstream_url == NULL)
        return complain("the configuration has no UPLIFT_JWT_SECRET, by which made-up users could "
                        "sign in; give --config FILE that of the installation");
    if (c->routing != NULL || c->trainer != TRAINER_OPENAI || c->trainer_url == NULL)
        return complain("UPLIFT_ROUTING or UPLIFT_TRAINER leads beyond the simulated provider, and "
                        "made-up chats may cost money there");
    f->site = (struct site){f->url, f->ca, c->jwt_secret, c->jwt_issuer, c->jwt_audience};
    f->diary.prices =
        (struct prices){.input = 2, .output = 8, .tuned_input = 0.6, .tuned_output = 2.4};
    snprintf(f->diary.prices.model, sizeof f->diary.prices.model, "%s", c->model);
    snprintf(f->diary.prices.tuned, sizeof f->diary.prices.tuned, "ft:sim-1-mini");
    f->talk = (struct talk){.site = &f->site,
                            .leaning = &f->world.leaning,
                            .coaches = f->coaches,
                            .plain_coaches = f->plain_coaches,
                            .thumb_share = THUMB_SHARE,
                            .comment_share = COMMENT_SHARE,
                            .stop = &stop};
    s->coaches = f->coaches;
    s->plain_coaches = f->plain_coaches;
    s->model = c->model;
    s->base_model = "sim-1-mini";
    s->min_users = MIN_USERS;
    s->pace = (struct pace){0, STAGE_DAYS, TEST_DAYS, RETRY_DAYS, TRAIN_DAYS};
    uuid_v7(&admin);
    uuid_format(&admin, id);
    if (!caller_open(&s->caller, &f->site, id, true))
        return complain("out of memory");
    if (!steward_check(s, c->upstream_url, c->trainer_url, f->anyway) ||
        !steward_prepare(s, &f->diary.prices))
        return complain(s->caller.reason);
    return talk_prefer(&f->talk, f->world.people, f->world.count, preferences_of) ||
           complain(f->talk.reason);
}

static bool write_report(const struct flywheel *f, const cJSON *json)
{
    FILE *file = fopen(f->report, "w");
    char *text = cJSON_Print(json);
    bool ok = file != NULL && text != NULL && fputs(text, file) >= 0 && fputc('\n', file) >= 0;
    ok = (file == NULL || fclose(file) == 0) && ok;
    if (!ok)
        fprintf(stderr, "fcgi-batch: could not write %s: %s\n", f->report, strerror(errno));
    cJSON_free(text);
    return ok;
}

static bool tell(const struct flywheel *f, bool is_whole)
{
    struct outcome_plan plan = {f->seed,
                                f->weeks,
                                f->users,
                                f->plain,
                                f->is_quick,
                                !is_whole,
                                (double)(clock_ms() - f->began_ms) / 1000,
                                &f->world.leaning,
                                f->coaches};
    struct outcome outcome;
    struct report goals = {.count = 0};
    outcome_of(&f->diary, &outcome);
    outcome_goals(&outcome, &plan, &goals);
    if (!f->is_json)
        outcome_print(&f->diary, &outcome, &plan, &f->steward.pace, &goals, stdout);
    fflush(stdout);
    bool is_good = report_tell_missed(&goals, stderr);
    cJSON *json = outcome_json(&f->diary, &outcome, &plan, &f->steward.pace, &goals, is_good);
    char *text = f->is_json ? cJSON_Print(json) : NULL;
    if (text != NULL)
        puts(text);
    cJSON_free(text);
    is_good = (f->report == NULL || write_report(f, json)) && is_good;
    cJSON_Delete(json);
    return is_good;
}

/* --- words --- */

static bool read_words(struct flywheel *f, int count, char **words)
{
    const struct {
        const char *name;
        long *value, least, most, usual, quick;
    } numbers[] = {
        {"--weeks", &f->weeks, 1, DIARY_WEEKS, 12, 3},
        {"--users", &f->users, 20, 20000, 1500, 500},
        {"--plain-users", &f->plain, 10, 20000, 150, 80},
        {"--seed", &f->seed, 0, 2147483647, 1, 1},
    };
    const struct {
        const char *name;
        const char **value;
    } texts[] = {{"--url", &f->url},
                 {"--ca", &f->ca},
                 {"--coach", &f->coaches[0]},
                 {"--other-coach", &f->coaches[1]},
                 {"--plain-coach", &f->plain_coaches[0]},
                 {"--other-plain-coach", &f->plain_coaches[1]},
                 {"--report", &f->report}};
    const struct {
        const char *name;
        bool *value;
    } switches[] = {{"--quick", &f->is_quick}, {"--json", &f->is_json}, {"--anyway", &f->anyway}};
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
        *numbers[k].value = -1;
    for (int i = 0; i < count; i++) {
        bool found = false, has_value = i + 1 < count;
        for (size_t k = 0; !found && k < sizeof switches / sizeof switches[0]; k++)
            if (strcmp(words[i], switches[k].name) == 0)
                *switches[k].value = found = true;
        for (size_t k = 0; !found && has_value && k < sizeof texts / sizeof texts[0]; k++)
            if (strcmp(words[i], texts[k].name) == 0) {
                *texts[k].value = words[++i];
                found = true;
            }
        for (size_t k = 0; !found && has_value && k < sizeof numbers / sizeof numbers[0]; k++)
            if (strcmp(words[i], numbers[k].name) == 0) {
                found = true;
                if (!program_read_number("fcgi-batch", words[i], words[i + 1], numbers[k].least,
                                         numbers[k].most, numbers[k].value))
                    return false;
                i++;
            }
        if (!found) {
            fprintf(
                stderr,
                "fcgi-batch: simulate-flywheel takes --url URL, --ca FILE, --seed N, --weeks N, "
                "--users N, --plain-users N, --coach ID, --other-coach ID, --plain-coach ID, "
                "--other-plain-coach ID, --report FILE, --quick, --json and --anyway, not %.100s\n",
                words[i]);
            return false;
        }
    }
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
        if (*numbers[k].value == -1)
            *numbers[k].value = f->is_quick ? numbers[k].quick : numbers[k].usual;
    if (f->url == NULL)
        return complain(
            "simulate-flywheel takes --url URL, where uplift is; ./dev flywheel sets one "
            "up for it");
    return true;
}

static bool make(struct flywheel *f)
{
    f->random = gsl_rng_alloc(gsl_rng_mt19937);
    f->chats = calloc((size_t)(f->users + f->plain), sizeof *f->chats);
    if (f->random == NULL || f->chats == NULL ||
        !world_make(&f->world, f->seed, (size_t)f->users, (size_t)f->plain))
        return complain("out of memory");
    gsl_rng_set(f->random, (unsigned long)f->seed + 1);
    return true;
}

int simulate_flywheel(const struct config *config, int count, char **words)
{
    struct flywheel *f = calloc(1, sizeof *f);
    int status = EXIT_FAILURE;
    if (f == NULL)
        return status;
    f->config = config;
    f->coaches[0] = "coach_decibel_avatar";
    f->coaches[1] = "coach_maple_avatar";
    f->plain_coaches[0] = "coach_plain_avatar";
    f->plain_coaches[1] = "coach_plain_maple_avatar";
    f->began_ms = clock_ms();
    if (!read_words(f, count, words)) {
        free(f);
        return EXIT_USAGE;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    if (make(f) && prepare(f)) {
        bool lived = live(f);
        bool is_good = tell(f, lived && !stop);
        status = stop ? INTERRUPTED : lived && is_good ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    caller_close(&f->steward.caller);
    world_release(&f->world);
    free(f->chats);
    if (f->random != NULL)
        gsl_rng_free(f->random);
    free(f);
    return status;
}
