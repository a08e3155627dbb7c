#include "thumbs.h"

#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_SEEN                                                                                \
    255 /* of a category that are counted; what comes when there are so many is not */
#define LEVEL_LEAST 20 /* answers of a level that has a feature */
#define PROBABILITY_LEAST 0.001
#define FIRST_ROWS 1024

static const char *const categories[THUMB_CATEGORIES] = {
    [THUMB_COACH] = "coach", [THUMB_MODE] = "mode", [THUMB_MODEL] = "model"};
static const char *const numbers[THUMB_NUMBERS] = {[THUMB_SEVERITY] = "severity",
                                                   [THUMB_SEVERITY_MISSING] = "severity_missing",
                                                   [THUMB_LENGTH] = "length",
                                                   [THUMB_LATENCY] = "latency",
                                                   [THUMB_LATENCY_MISSING] = "latency_missing",
                                                   [THUMB_OWN_RATE] = "own_rate",
                                                   [THUMB_OWN_COUNT] = "own_count"};

/* As far as it is kept; longer ones that begin alike are the same. */
static bool same_level(const char *kept, const char *name)
{
    return strncmp(kept, name, THUMBS_NAME) == 0;
}

bool thumb_answer_read(const cJSON *row, struct thumb_answer *answer)
{
    if (!cJSON_IsObject(row))
        return false;
    for (int c = 0; c < THUMB_CATEGORIES; c++)
        answer->levels[c] = json_string(row, categories[c]);
    answer->severity = json_number(row, "severity", -1);
    answer->length = json_number(row, "length", 0);
    answer->latency_ms = json_number(row, "latency_ms", -1);
    answer->earlier = json_number(row, "earlier", 0);
    answer->earlier_up = json_number(row, "earlier_up", 0);
    answer->part = (int)json_number(row, "part", -1);
    answer->is_up = json_bool(row, "helpful", false);
    return answer->part >= 0 && answer->part <= 9 && answer->length >= 0 &&
           answer->earlier_up >= 0 && answer->earlier >= answer->earlier_up;
}

/* --- features --- */

/* Numbers as they are before they are scaled. */
static void measure(const struct thumb_answer *a, double prior_rate, double out[THUMB_NUMBERS])
{
    double own = (a->earlier_up + THUMBS_PRIOR * prior_rate) / (a->earlier + THUMBS_PRIOR);
    out[THUMB_SEVERITY] = a->severity >= 0 ? a->severity : 0;
    out[THUMB_SEVERITY_MISSING] = a->severity < 0;
    out[THUMB_LENGTH] = log1p(a->length);
    out[THUMB_LATENCY] = a->latency_ms >= 0 ? log1p(a->latency_ms) : 0;
    out[THUMB_LATENCY_MISSING] = a->latency_ms < 0;
    out[THUMB_OWN_RATE] = logit_odds(own) - logit_odds(prior_rate);
    out[THUMB_OWN_COUNT] = log1p(a->earlier);
}

/* What is not known is at the mean, beside a feature of its own that says so. */
static bool is_missing(const struct thumb_answer *a, int number)
{
    return (number == THUMB_SEVERITY && a->severity < 0) ||
           (number == THUMB_LATENCY && a->latency_ms < 0);
}

static size_t feature_count(const struct thumb_model *m)
{
    size_t count = THUMB_NUMBERS;
    for (int c = 0; c < THUMB_CATEGORIES; c++)
        count += m->level_counts[c];
    return count;
}

/* Which level of a category it is; the count of them: none of those. */
static size_t find_level(const struct thumb_model *m, int category, const char *name)
{
    size_t i = 0;
    while (i < m->level_counts[category] &&
           (name == NULL || !same_level(m->levels[category][i], name)))
        i++;
    return i;
}

static void put_numbers(const struct thumb_model *m, const struct thumb_answer *a, double *x)
{
    double raw[THUMB_NUMBERS];
    measure(a, m->prior_rate, raw);
    for (int k = 0; k < THUMB_NUMBERS; k++)
        x[k] = is_missing(a, k) ? 0 : (raw[k] - m->mean[k]) / m->scale[k];
}

static double calibrated(const struct thumb_model *m, double odds)
{
    double p = logit_probability(m->slope * odds + m->offset);
    return fmin(fmax(p, PROBABILITY_LEAST), 1 - PROBABILITY_LEAST);
}

/* The odds, as a logarithm, before they are calibrated. */
static double odds_of(const struct thumb_model *m, const double *x)
{
    double odds = m->weights[0];
    for (size_t j = 0; j < feature_count(m); j++)
        odds += m->weights[j + 1] * x[j];
    return odds;
}

double thumb_model_probability(const struct thumb_model *m, const struct thumb_answer *a)
{
    double x[LOGIT_FEATURES_MAX] = {0};
    size_t at = THUMB_NUMBERS;
    put_numbers(m, a, x);
    for (int c = 0; c < THUMB_CATEGORIES; at += m->level_counts[c], c++) {
        size_t level = find_level(m, c, a->levels[c]);
        if (level < m->level_counts[c])
            x[at + level] = 1;
    }
    return calibrated(m, odds_of(m, x));
}

/* --- as JSON --- */

static void add_weight(cJSON *list, const char *feature, const char *level, double weight,
                       double mean, double scale)
{
    cJSON *one = cJSON_CreateObject();
    cJSON_AddStringToObject(one, "feature", feature);
    cJSON_AddStringToObject(one, "level", level);
    cJSON_AddNumberToObject(one, "weight", weight);
    cJSON_AddNumberToObject(one, "mean", mean);
    cJSON_AddNumberToObject(one, "scale", scale);
    cJSON_AddItemToArray(list, one);
}

cJSON *thumb_model_write(const struct thumb_model *m)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(json, "weights");
    size_t at = 1;
    if (list == NULL) {
        cJSON_Delete(json);
        return NULL;
    }
    cJSON_AddNumberToObject(json, "intercept", m->weights[0]);
    cJSON_AddNumberToObject(json, "prior_rate", m->prior_rate);
    cJSON_AddNumberToObject(json, "slope", m->slope);
    cJSON_AddNumberToObject(json, "offset", m->offset);
    for (int k = 0; k < THUMB_NUMBERS; k++)
        add_weight(list, numbers[k], "", m->weights[at++], m->mean[k], m->scale[k]);
    for (int c = 0; c < THUMB_CATEGORIES; c++)
        for (size_t i = 0; i < m->level_counts[c]; i++)
            add_weight(list, categories[c], m->levels[c][i], m->weights[at++], 0, 1);
    return json;
}

static int find_name(const char *const *names, int count, const char *name)
{
    int i = 0;
    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* Weights as they are read: levels come in any order. */
struct reading {
    double numbers[THUMB_NUMBERS], levels[THUMB_CATEGORIES][THUMB_LEVELS];
};

static bool read_weight(const cJSON *one, struct thumb_model *m, struct reading *r)
{
    const char *feature = json_string(one, "feature"), *level = json_string(one, "level");
    double weight = json_number(one, "weight", NAN), scale = json_number(one, "scale", 1);
    if (feature == NULL || level == NULL || !isfinite(weight) || !(scale > 0))
        return false;
    int number = find_name(numbers, THUMB_NUMBERS, feature);
    int category = find_name(categories, THUMB_CATEGORIES, feature);
    if (number < THUMB_NUMBERS) {
        r->numbers[number] = weight;
        m->mean[number] = json_number(one, "mean", 0);
        m->scale[number] = scale;
        return true;
    }
    if (category == THUMB_CATEGORIES || m->level_counts[category] == THUMB_LEVELS)
        return false;
    size_t at = m->level_counts[category]++;
    snprintf(m->levels[category][at], sizeof m->levels[category][at], "%s", level);
    r->levels[category][at] = weight;
    return true;
}

bool thumb_model_read(const cJSON *json, struct thumb_model *m)
{
    struct reading r = {0};
    const cJSON *one;
    size_t at = 1;
    *m = (struct thumb_model){.version = (int)json_number(json, "version", 0)};
    for (int k = 0; k < THUMB_NUMBERS; k++)
        m->scale[k] = 1;
    m->weights[0] = json_number(json, "intercept", NAN);
    m->prior_rate = json_number(json, "prior_rate", NAN);
    m->slope = json_number(json, "slope", NAN);
    m->offset = json_number(json, "offset", NAN);
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(json, "weights"))
        if (!read_weight(one, m, &r))
            return false;
    for (int k = 0; k < THUMB_NUMBERS; k++)
        m->weights[at++] = r.numbers[k];
    for (int c = 0; c < THUMB_CATEGORIES; c++)
        for (size_t i = 0; i < m->level_counts[c]; i++)
            m->weights[at++] = r.levels[c][i];
    return isfinite(m->weights[0]) && isfinite(m->slope) && isfinite(m->offset) &&
           m->prior_rate > 0 && m->prior_rate < 1;
}

/* --- rated answers --- */

struct thumb_row {
    float severity, length, latency_ms, earlier, earlier_up;
    uint8_t levels[THUMB_CATEGORIES]; /* into the set's names; LEVELS_SEEN: none */
    uint8_t part;
    bool is_up;
};

struct thumb_set {
    struct thumb_row *rows;
    size_t count, room, max;
    char names[THUMB_CATEGORIES][LEVELS_SEEN][THUMBS_NAME + 1];
    size_t name_counts[THUMB_CATEGORIES];
};

struct thumb_set *thumb_set_new(size_t max)
{
    struct thumb_set *set = calloc(1, sizeof *set);
    if (set != NULL)
        set->max = max;
    return set;
}

void thumb_set_free(struct thumb_set *set)
{
    if (set == NULL)
        return;
    free(set->rows);
    free(set);
}

size_t thumb_set_count(const struct thumb_set *set)
{
    return set->count;
}

static uint8_t name_at(struct thumb_set *set, int category, const char *name)
{
    size_t i = 0, count = set->name_counts[category];
    if (name == NULL)
        return LEVELS_SEEN;
    while (i < count && !same_level(set->names[category][i], name))
        i++;
    if (i == count && count < LEVELS_SEEN) {
        snprintf(set->names[category][i], sizeof set->names[category][i], "%s", name);
        set->name_counts[category]++;
    }
    return (uint8_t)i; /* LEVELS_SEEN where there was no room */
}

static bool make_room(struct thumb_set *set)
{
    size_t room = set->room == 0 ? FIRST_ROWS : 2 * set->room;
    if (room > set->max)
        room = set->max;
    struct thumb_row *rows = realloc(set->rows, room * sizeof *rows);
    if (rows == NULL)
        return false;
    set->rows = rows;
    set->room = room;
    return true;
}

bool thumb_set_add(struct thumb_set *set, const struct thumb_answer *a)
{
    if (set->count == set->max || (set->count == set->room && !make_room(set)))
        return false;
    struct thumb_row *row = &set->rows[set->count++];
    *row = (struct thumb_row){.severity = (float)a->severity,
                              .length = (float)a->length,
                              .latency_ms = (float)a->latency_ms,
                              .earlier = (float)a->earlier,
                              .earlier_up = (float)a->earlier_up,
                              .part = (uint8_t)a->part,
                              .is_up = a->is_up};
    for (int c = 0; c < THUMB_CATEGORIES; c++)
        row->levels[c] = name_at(set, c, a->levels[c]);
    return true;
}

static enum thumb_use use_of(const struct thumb_row *row)
{
    return row->part < 6 ? THUMB_TRAIN : row->part < 8 ? THUMB_CALIBRATE : THUMB_VALIDATE;
}

/* --- training --- */

struct trainee {
    const struct thumb_set *set;
    struct thumb_model *model;
    uint8_t level_of[THUMB_CATEGORIES][LEVELS_SEEN + 1]; /* THUMB_LEVELS: no feature */
    uint32_t *order; /* rows by use; those of a use begin at first[use] */
    size_t first[THUMB_USES + 1];
    enum thumb_use use; /* of the fit under way */
    double targets[2];  /* of Platt's fit: what a thumb down and one up are aimed at */
};

static struct thumb_answer answer_of(const struct thumb_row *row)
{
    return (struct thumb_answer){.severity = (double)row->severity,
                                 .length = (double)row->length,
                                 .latency_ms = (double)row->latency_ms,
                                 .earlier = (double)row->earlier,
                                 .earlier_up = (double)row->earlier_up};
}

static void put_features(const struct trainee *t, const struct thumb_row *row, double *x)
{
    struct thumb_answer answer = answer_of(row);
    size_t at = THUMB_NUMBERS, count = feature_count(t->model);
    put_numbers(t->model, &answer, x);
    memset(x + at, 0, (count - at) * sizeof *x);
    for (int c = 0; c < THUMB_CATEGORIES; at += t->model->level_counts[c], c++) {
        uint8_t level = t->level_of[c][row->levels[c]];
        if (level < THUMB_LEVELS)
            x[at + level] = 1;
    }
}

static const struct thumb_row *row_of(const struct trainee *t, enum thumb_use use, size_t i)
{
    return &t->set->rows[t->order[t->first[use] + i]];
}

static size_t rows_of(const struct trainee *t, enum thumb_use use)
{
    return t->first[use + 1] - t->first[use];
}

static void training_row(const void *arg, size_t i, double *x, double *y)
{
    const struct trainee *t = arg;
    const struct thumb_row *row = row_of(t, t->use, i);
    put_features(t, row, x);
    *y = row->is_up;
}

static void calibration_row(const void *arg, size_t i, double *x, double *y)
{
    const struct trainee *t = arg;
    const struct thumb_row *row = row_of(t, t->use, i);
    double features[LOGIT_FEATURES_MAX];
    put_features(t, row, features);
    x[0] = odds_of(t->model, features);
    *y = t->targets[row->is_up];
}

static void sort_by_use(struct trainee *t, struct thumb_training *training)
{
    size_t next[THUMB_USES];
    for (size_t i = 0; i < t->set->count; i++) {
        enum thumb_use use = use_of(&t->set->rows[i]);
        training->rows[use]++;
        training->up[use] += t->set->rows[i].is_up;
    }
    for (int u = 0; u < THUMB_USES; u++) {
        next[u] = t->first[u];
        t->first[u + 1] = t->first[u] + training->rows[u];
    }
    for (size_t i = 0; i < t->set->count; i++)
        t->order[next[use_of(&t->set->rows[i])]++] = (uint32_t)i;
}

/* The most frequent levels of a category among the rows to train on. */
static void choose_levels(struct trainee *t, int category)
{
    struct thumb_model *m = t->model;
    size_t counts[LEVELS_SEEN + 1] = {0};
    for (size_t i = 0; i < rows_of(t, THUMB_TRAIN); i++)
        counts[row_of(t, THUMB_TRAIN, i)->levels[category]]++;
    memset(t->level_of[category], THUMB_LEVELS, sizeof t->level_of[category]);
    while (m->level_counts[category] < THUMB_LEVELS) {
        size_t best = 0;
        for (size_t i = 1; i < LEVELS_SEEN; i++)
            if (counts[i] > counts[best])
                best = i;
        if (counts[best] < LEVEL_LEAST)
            break;
        size_t at = m->level_counts[category]++;
        memcpy(m->levels[category][at], t->set->names[category][best], THUMBS_NAME + 1);
        t->level_of[category][best] = (uint8_t)at;
        counts[best] = 0;
    }
}

/* Mean and deviation of the numbers, of those that are known. */
static void choose_scales(struct trainee *t)
{
    struct thumb_model *m = t->model;
    double n[THUMB_NUMBERS] = {0}, squares[THUMB_NUMBERS] = {0}, raw[THUMB_NUMBERS];
    for (size_t i = 0; i < rows_of(t, THUMB_TRAIN); i++) {
        struct thumb_answer answer = answer_of(row_of(t, THUMB_TRAIN, i));
        measure(&answer, m->prior_rate, raw);
        for (int k = 0; k < THUMB_NUMBERS; k++) {
            if (is_missing(&answer, k))
                continue;
            /* Welford 1962. */
            double before = raw[k] - m->mean[k];
            m->mean[k] += before / ++n[k];
            squares[k] += before * (raw[k] - m->mean[k]);
        }
    }
    for (int k = 0; k < THUMB_NUMBERS; k++) {
        double deviation = n[k] > 1 ? sqrt(squares[k] / (n[k] - 1)) : 0;
        m->scale[k] = deviation > 1e-9 ? deviation : 1;
    }
}

/* Platt (1999): a logistic regression on the odds, aimed a little short of 0 and 1. */
static enum logit_end calibrate(struct trainee *t, const struct thumb_training *training)
{
    struct logit_data data = {rows_of(t, THUMB_CALIBRATE), 1, calibration_row, t};
    double up = (double)training->up[THUMB_CALIBRATE];
    double down = (double)training->rows[THUMB_CALIBRATE] - up, weights[2];
    t->use = THUMB_CALIBRATE;
    t->targets[1] = (up + 1) / (up + 2);
    t->targets[0] = 1 / (down + 2);
    enum logit_end end = logit_fit(&data, 1e-3, weights, NULL);
    if (end == LOGIT_FITTED) {
        t->model->offset = weights[0];
        t->model->slope = weights[1];
    }
    return end;
}

static bool judge(const struct trainee *t, struct thumb_training *training)
{
    size_t n = rows_of(t, THUMB_VALIDATE);
    double *given = calloc(n, sizeof *given), x[LOGIT_FEATURES_MAX];
    bool *came = calloc(n, sizeof *came);
    bool good = given != NULL && came != NULL;
    for (size_t i = 0; good && i < n; i++) {
        const struct thumb_row *row = row_of(t, THUMB_VALIDATE, i);
        put_features(t, row, x);
        given[i] = calibrated(t->model, odds_of(t->model, x));
        came[i] = row->is_up;
    }
    good = good && logit_judge(given, came, n, t->model->prior_rate, &training->scores);
    free(given);
    free(came);
    return good;
}

static const char *fit(struct trainee *t, struct thumb_training *training)
{
    static const char no_memory[] = "the runner is out of memory";
    static const char no_end[] = "the regression did not converge";
    struct thumb_model *m = t->model;
    m->prior_rate = (double)training->up[THUMB_TRAIN] / (double)training->rows[THUMB_TRAIN];
    for (int c = 0; c < THUMB_CATEGORIES; c++)
        choose_levels(t, c);
    choose_scales(t);
    struct logit_data data = {rows_of(t, THUMB_TRAIN), feature_count(m), training_row, t};
    t->use = THUMB_TRAIN;
    enum logit_end end = logit_fit(&data, THUMBS_L2, m->weights, &training->iterations);
    if (end == LOGIT_FITTED)
        end = calibrate(t, training);
    if (end != LOGIT_FITTED)
        return end == LOGIT_NO_MEMORY ? no_memory : no_end;
    return judge(t, training) ? NULL : no_memory;
}

const char *thumb_train(const struct thumb_set *set, struct thumb_model *model,
                        struct thumb_training *training)
{
    static const char too_few[] =
        "each of the three parts of users (train, calibrate, validate) needs 10 thumbs up and 10 "
        "down at least";
    struct trainee t = {.set = set, .model = model};
    *model = (struct thumb_model){0};
    *training = (struct thumb_training){0};
    t.order = calloc(set->count + 1, sizeof *t.order);
    if (t.order == NULL)
        return "the runner is out of memory";
    const char *wrong = NULL;
    sort_by_use(&t, training);
    for (int u = 0; u < THUMB_USES; u++)
        if (training->up[u] < THUMBS_EACH_MIN ||
            training->rows[u] - training->up[u] < THUMBS_EACH_MIN)
            wrong = too_few;
    if (wrong == NULL)
        wrong = fit(&t, training);
    free(t.order);
    return wrong;
}
