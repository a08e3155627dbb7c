/* Threads take one made-up experiment after another; what came out of each is kept by its number,
 * and its random numbers depend on that and the seed alone. */
#include "simulate_experiments.h"

#include "common/clock.h"
#include "common/program.h"
#include "progress.h"
#include "simulation/population.h"
#include "simulation/report.h"
#include "simulation/trial.h"
#include "statistics/arm_sums.h"
#include "statistics/power.h"
#include "statistics/srm.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define LOOK_MS 100
#define ROUNDS 20
/* A goal is missed by more than so many standard errors of what was counted. */
#define STANDARD_ERRORS 3
/* What a calculator promised may be off by so much, or by those standard errors if that is more. */
#define POWER_TOLERANCE 0.03
#define REDUCTION_TOLERANCE 0.02
/* Of winners: those lost by stopping for futility, of a difference that is found in half of all
 * experiments. */
#define FUTILITY_LOSS 0.1

enum kind { KIND_SAME, KIND_LIFTED, KIND_SHARES, KIND_CUPED, KIND_SRM, KIND_COUNT };

struct outcome {
    struct trial same, lifted;
    struct share_trial shares;
    struct cuped_trial cuped;
    struct srm_trial srm;
};

struct simulation {
    long experiments, days, users, threads, seed;
    bool is_quick, is_json;
    struct trial_plan same, lifted;
    double difference;    /* that the calculator says is found with TRIAL_POWER */
    unsigned share_users; /* per arm, by the calculator */
    struct outcome *outcomes;
    atomic_long next, done;
    atomic_bool has_failed;
    pthread_t workers[THREADS_MAX];
    int64_t began_ms;
};

static bool complain(const char *what)
{
    fprintf(stderr, "fcgi-batch: %s\n", what);
    return false;
}

/* --- random numbers --- */

/* Steele, Lea and Flood's mix of the 64 bits of a seed (SplitMix64), so that seeds next to one
 * another have nothing in common. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* GSL takes 32 bits: numbers times something odd are all different there. */
static void begin_random(gsl_rng *random, const struct simulation *s, long number)
{
    uint64_t seed = mix((uint64_t)s->seed) + (uint64_t)number * 0x9e3779b1;
    gsl_rng_set(random, seed & 0xffffffff);
}

/* --- running --- */

static bool run_one(gsl_rng *random, struct simulation *s, long number)
{
    struct outcome *o = &s->outcomes[number / KIND_COUNT];
    begin_random(random, s, number);
    switch ((enum kind)(number % KIND_COUNT)) {
    case KIND_SAME:
        return trial_run(random, &s->same, &o->same);
    case KIND_LIFTED:
        return trial_run(random, &s->lifted, &o->lifted);
    case KIND_SHARES:
        share_trial_run(random, s->share_users, &o->shares);
        return true;
    case KIND_CUPED:
        cuped_trial_run(random, &o->cuped);
        return true;
    case KIND_SRM:
        srm_trial_run(random, &s->same, &o->srm);
        return true;
    case KIND_COUNT:
        break;
    }
    return false;
}

static void *work(void *of)
{
    struct simulation *s = of;
    gsl_rng *random = gsl_rng_alloc(gsl_rng_mt19937);
    long number, total = s->experiments * KIND_COUNT;
    if (random == NULL)
        atomic_store(&s->has_failed, true);
    while (!atomic_load(&s->has_failed) && (number = atomic_fetch_add(&s->next, 1)) < total) {
        if (!run_one(random, s, number))
            atomic_store(&s->has_failed, true);
        atomic_fetch_add(&s->done, 1);
    }
    if (random != NULL)
        gsl_rng_free(random);
    return NULL;
}

static void show(struct progress *p, const struct simulation *s, const char *status)
{
    cJSON *job = cJSON_CreateObject();
    cJSON_AddStringToObject(job, "status", status);
    cJSON_AddNumberToObject(job, "done", (double)atomic_load(&s->done));
    cJSON_AddNumberToObject(job, "total", (double)(s->experiments * KIND_COUNT));
    cJSON_AddStringToObject(job, "message", "experiments");
    progress_show(p, job);
    cJSON_Delete(job);
}

static bool run_all(struct simulation *s)
{
    struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    struct progress progress;
    long started = 0, total = s->experiments * KIND_COUNT;
    s->outcomes = calloc((size_t)s->experiments, sizeof *s->outcomes);
    if (s->outcomes == NULL)
        return complain("out of memory");
    while (started < s->threads && pthread_create(&s->workers[started], NULL, work, s) == 0)
        started++;
    if (started == 0)
        return complain("could not start a thread");
    progress_init(&progress, stderr);
    while (!atomic_load(&s->has_failed) && atomic_load(&s->done) < total) {
        show(&progress, s, "running");
        nanosleep(&pause, NULL);
    }
    for (long i = 0; i < started; i++)
        pthread_join(s->workers[i], NULL);
    show(&progress, s, "completed");
    progress_end(&progress);
    return !atomic_load(&s->has_failed) || complain("out of memory");
}

/* Has the calculators say what the experiments are to find. A lift changes the variance of its arm,
 * and so what can be found: after a few rounds that has settled. */
static bool plan(struct simulation *s)
{
    struct power_goal goal = {.alpha = TRIAL_ALPHA, .power = TRIAL_POWER};
    double users;
    int days = (int)s->days;
    s->same = s->lifted = (struct trial_plan){.days = days, .users = (int)s->users};
    for (int round = 0; round < ROUNDS; round++) {
        double variance = population_user_variance(days, 0) / 2 +
                          population_user_variance(days, s->lifted.lift) / 2;
        if (power_detectable_difference(variance, (double)s->users / 2, goal, &s->difference) !=
            REASON_NONE)
            return complain("there is no such experiment");
        s->lifted.lift = s->difference / population_ratio();
        if (!population_can_lift(s->lifted.lift))
            return complain("so few users, on so few days, find no difference that is possible; "
                            "give it more --users");
    }
    if (power_share_users(TRIAL_SHARE, TRIAL_SHARE_LIFTED, goal, &users) != REASON_NONE)
        return complain("there is no such experiment");
    s->share_users = (unsigned)ceil(users);
    return true;
}

/* --- figures --- */

static double standard_error(double p, const struct simulation *s)
{
    return STANDARD_ERRORS * sqrt(p * (1 - p) / (double)s->experiments);
}

static struct goal at_most(double p, const struct simulation *s)
{
    return (struct goal){GOAL_AT_MOST, p, standard_error(p, s)};
}

static struct goal at_least(double p, const struct simulation *s)
{
    return (struct goal){GOAL_AT_LEAST, p, standard_error(p, s)};
}

static struct goal promised_power(const struct simulation *s)
{
    return (struct goal){GOAL_WITHIN, TRIAL_POWER,
                         fmax(POWER_TOLERANCE, standard_error(TRIAL_POWER, s))};
}

static const struct goal none = {.kind = GOAL_NONE};

/* The share of experiments for which a member of their outcome is true. */
#define SHARE(s, member) share_of((s), offsetof(struct outcome, member))

static double share_of(const struct simulation *s, size_t offset)
{
    long count = 0;
    for (long i = 0; i < s->experiments; i++) {
        bool is_true;
        memcpy(&is_true, (const char *)&s->outcomes[i] + offset, sizeof is_true);
        count += is_true;
    }
    return (double)count / (double)s->experiments;
}

static void report_same(const struct simulation *s, struct report *r)
{
    struct goal false_winners = at_most(TRIAL_ALPHA, s), shown = false_winners;
    shown.kind = GOAL_ABOVE;
    r->section = "A/A, no difference: false winners";
    report_add(r, "aa_always_valid_each_day", "always-valid, a look each day",
               SHARE(s, same.always_valid.on_any_day), false_winners);
    report_add(r, "aa_fixed_at_end", "fixed-horizon, one look at the end",
               SHARE(s, same.fixed.at_end), false_winners);
    report_add(r, "aa_fixed_each_day", "fixed-horizon, a look each day",
               SHARE(s, same.fixed.on_any_day), none);
    report_add(r, "aa_naive_at_end", "answers as independent, one look at the end",
               SHARE(s, same.naive.at_end), none);
    report_add(r, "aa_naive_each_day", "answers as independent, a look each day",
               SHARE(s, same.naive.on_any_day), shown);
    r->section = "Sample ratio, half of the users to each arm: alarms";
    report_add(r, "srm_sequential", "sequential, a look each day", SHARE(s, same.srm_alarm),
               at_most(SRM_SEQUENCE_THRESHOLD, s));
    report_add(r, "srm_chi_square_each_day", "chi square, a look each day",
               SHARE(s, same.srm_daily_alarm), none);
    report_add(r, "srm_found", "sequential, an arm loses 20 % of its users", SHARE(s, srm.is_found),
               none);
    report_add(r, "srm_found_at_end", "chi square at the end, an arm loses 20 %",
               SHARE(s, srm.is_found_at_end), none);
}

static void report_lifted(const struct simulation *s, struct report *r)
{
    double nominal = 1 - TRIAL_ALPHA;
    r->section = "A/B, the difference that the calculator says is found in 80 %: power";
    report_add(r, "ab_fixed_at_end", "fixed-horizon, one look at the end",
               SHARE(s, lifted.fixed.at_end), promised_power(s));
    report_add(r, "ab_always_valid", "always-valid, by the end",
               SHARE(s, lifted.always_valid.on_any_day), none);
    report_add(r, "ab_shares", "shares of users, 12 and 15 %, users by formula",
               SHARE(s, shares.wins), promised_power(s));
    r->section = "A/B: intervals that have the true difference in them";
    report_add(r, "coverage_always_valid", "always-valid, all days' intervals",
               SHARE(s, lifted.always_valid_covers), at_least(nominal, s));
    report_add(r, "coverage_always_valid_relative", "of the relative difference, all days'",
               SHARE(s, lifted.always_valid_relative_covers), at_least(nominal, s));
    report_add(r, "coverage_fixed", "fixed-horizon, at the end", SHARE(s, lifted.fixed_covers),
               at_least(nominal, s));
    report_add(r, "coverage_relative", "of the relative difference, at the end",
               SHARE(s, lifted.relative_covers), at_least(nominal, s));
    report_add(r, "coverage_shares", "of shares of users (Newcombe)", SHARE(s, shares.covers),
               at_least(nominal, s));
    report_add(r, "coverage_cuped", "with CUPED", SHARE(s, cuped.covers), at_least(nominal, s));
}

/* Of what was estimated over all experiments. */
static double variance_of(const struct simulation *s, size_t offset)
{
    double mean = 0, squares = 0;
    for (long i = 0; i < s->experiments; i++) {
        double value, off;
        memcpy(&value, (const char *)&s->outcomes[i] + offset, sizeof value);
        off = value - mean;
        mean += off / (double)(i + 1);
        squares += off * (value - mean);
    }
    return squares / (double)(s->experiments - 1);
}

static void report_cuped(const struct simulation *s, struct report *r)
{
    double promised = TRIAL_CUPED_RHO * TRIAL_CUPED_RHO * TRIAL_CUPED_KNOWN, reported = 0;
    double measured = 1 - variance_of(s, offsetof(struct outcome, cuped.difference)) /
                              variance_of(s, offsetof(struct outcome, cuped.unadjusted));
    for (long i = 0; i < s->experiments; i++)
        reported += s->outcomes[i].cuped.variance_reduction / (double)s->experiments;
    /* ln of the ratio of the variances of two estimates with correlation r has a variance of
     * 4 (1 - r²) / n, and theirs is r² = 1 - promised. */
    double error = STANDARD_ERRORS * (1 - promised) * sqrt(4 * promised / (double)s->experiments);
    r->section = "CUPED, rho 0.6, 75 % of users with a value from before: variance removed";
    report_add(r, "cuped_measured", "of the estimates, measured", fmax(0, measured),
               (struct goal){GOAL_WITHIN, promised, error});
    report_add(r, "cuped_reported", "as reported, in the mean", reported,
               (struct goal){GOAL_WITHIN, promised, REDUCTION_TOLERANCE});
}

/* Of the lifted ones, how many are stopped, would win, and both. */
static void count_futile(const struct simulation *s, double *stopped, double *won, double *both)
{
    *stopped = *won = *both = 0;
    for (long i = 0; i < s->experiments; i++) {
        const struct trial *t = &s->outcomes[i].lifted;
        *stopped += t->futile_day > 0;
        *won += t->first_day > 0;
        *both += t->futile_day > 0 && t->first_day > 0;
    }
}

/* What it gains to stop an experiment in which nothing is likely to be proven, and what it loses.
 */
static void report_futility(const struct simulation *s, struct report *r)
{
    double days = 0, ended = 0, stopped, won, both, runs = (double)s->experiments;
    for (long i = 0; i < s->experiments; i++) {
        const struct trial *t = &s->outcomes[i].same;
        ended += t->futile_day > 0;
        days += t->futile_day > 0 ? t->futile_day : t->first_day > 0 ? t->first_day : (int)s->days;
    }
    count_futile(s, &stopped, &won, &both);
    r->section = "Stopped when the chance to prove a gain in time is below 5 %";
    report_add(r, "futility_same", "A/A that are", ended / runs, none);
    report_add(r, "futility_same_days", "A/A, days that they take, of those planned",
               days / runs / (double)s->days, none);
    report_add(r, "futility_stopped", "A/B that are", stopped / runs, none);
    report_add(r, "futility_lost", "A/B, always-valid winners that are lost",
               won > 0 ? both / won : 0,
               (struct goal){GOAL_AT_MOST, FUTILITY_LOSS, standard_error(FUTILITY_LOSS, s)});
}

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The median of the days on which the always-valid winners were found; 0: there are none. */
static int median_day(const struct simulation *s)
{
    int *days = calloc((size_t)s->experiments, sizeof *days), median = 0;
    long count = 0;
    if (days == NULL)
        return 0;
    for (long i = 0; i < s->experiments; i++)
        if (s->outcomes[i].lifted.first_day > 0)
            days[count++] = s->outcomes[i].lifted.first_day;
    if (count > 0) {
        qsort(days, (size_t)count, sizeof *days, by_value);
        median = days[count / 2];
    }
    free(days);
    return median;
}

static void print_table(const struct simulation *s, const struct report *r)
{
    int median = median_day(s);
    printf("%ld experiments of each kind, %ld days, %ld users, seed %ld: %.1f s\n"
           "The difference of the A/B experiments: %.2f points (%.1f %%) of %.1f %%.\n",
           s->experiments, s->days, s->users, s->seed, (double)(clock_ms() - s->began_ms) / 1000,
           100 * s->difference, 100 * s->lifted.lift, 100 * population_ratio());
    if (median > 0)
        printf(
            "The always-valid test found it on day %d of %ld, in the median of those it found.\n",
            median, s->days);
    report_print(r, stdout);
}

static bool print_json(const struct simulation *s, const struct report *r, bool is_good)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "experiments", (double)s->experiments);
    cJSON_AddNumberToObject(object, "days", (double)s->days);
    cJSON_AddNumberToObject(object, "users", (double)s->users);
    cJSON_AddNumberToObject(object, "seed", (double)s->seed);
    cJSON_AddNumberToObject(object, "ratio", population_ratio());
    cJSON_AddNumberToObject(object, "difference", s->difference);
    cJSON_AddNumberToObject(object, "share_users", s->share_users);
    cJSON_AddNumberToObject(object, "always_valid_median_day", median_day(s));
    cJSON_AddBoolToObject(object, "goals_met", is_good);
    cJSON_AddItemToObject(object, "rows", report_json(r));
    char *text = cJSON_Print(object);
    if (text != NULL)
        puts(text);
    cJSON_free(text);
    cJSON_Delete(object);
    return text != NULL || complain("out of memory");
}

/* --- words --- */

static bool read_words(struct simulation *s, int count, char **words)
{
    const struct {
        const char *name;
        long *value, least, most, usual, quick;
    } numbers[] = {
        {"--experiments", &s->experiments, 20, 100000, 2000, 400},
        {"--days", &s->days, 2, 365, 28, 14},
        {"--users", &s->users, 100, 100000, 8000, 2000},
        {"--seed", &s->seed, 0, 2147483647, 1, 1},
        {"--threads", &s->threads, 1, THREADS_MAX, 0, 0},
    };
    const size_t kinds = sizeof numbers / sizeof numbers[0];
    for (size_t k = 0; k < kinds; k++)
        *numbers[k].value = -1;
    for (int i = 0; i < count; i++) {
        size_t k = 0;
        while (k < kinds && strcmp(words[i], numbers[k].name) != 0)
            k++;
        if (k < kinds && i + 1 < count) {
            if (!program_read_number("fcgi-batch", words[i], words[i + 1], numbers[k].least,
                                     numbers[k].most, numbers[k].value))
                return false;
            i++;
        } else if (strcmp(words[i], "--quick") == 0) {
            s->is_quick = true;
        } else if (strcmp(words[i], "--json") == 0) {
            s->is_json = true;
        } else {
            fprintf(stderr,
                    "fcgi-batch: simulate-experiments takes --experiments N, --days N, --users N, "
                    "--seed N, --threads N, --quick and --json, not %.100s\n",
                    words[i]);
            return false;
        }
    }
    for (size_t k = 0; k < kinds; k++)
        if (*numbers[k].value == -1)
            *numbers[k].value = s->is_quick ? numbers[k].quick : numbers[k].usual;
    if (s->threads == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        s->threads = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : processors;
    }
    return true;
}

int simulate_experiments(int count, char **words)
{
    struct simulation s = {.began_ms = clock_ms()};
    struct report report = {.count = 0};
    if (!read_words(&s, count, words))
        return EXIT_USAGE;
    bool is_good = plan(&s) && run_all(&s);
    if (is_good) {
        report_same(&s, &report);
        report_lifted(&s, &report);
        report_cuped(&s, &report);
        report_futility(&s, &report);
        if (!s.is_json)
            print_table(&s, &report);
        fflush(stdout);
        is_good = report_tell_missed(&report, stderr);
        if (s.is_json)
            is_good = print_json(&s, &report, is_good) && is_good;
    }
    free(s.outcomes);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
