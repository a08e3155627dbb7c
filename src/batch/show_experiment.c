/* Drawing experiments; see show_experiment.h. */
#include "show_experiment.h"

#include "common/json.h"

#include <math.h>
#include <string.h>

#define WIDTH 41 /* columns of a drawn interval */

void experiment_print(FILE *out, const cJSON *experiment)
{
    const char *winner = json_string(experiment, "winner_variant");
    fprintf(out, "%s  %.10s  %-9s %s", json_text(experiment, "id"),
            json_text(experiment, "created_at"), json_text(experiment, "status"),
            json_text(experiment, "experiment_name"));
    if (winner != NULL)
        fprintf(out, ": \"%s\"", winner);
    fputc('\n', out);
}

static const cJSON *always_valid(const cJSON *variant)
{
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(variant, "figures"),
                                            "always_valid");
}

/* What all intervals of a metric lie in, with 0; false for no intervals. */
static bool scale_of(const cJSON *variants, double *least, double *most)
{
    const cJSON *variant;
    bool found = false;
    *least = *most = 0;
    cJSON_ArrayForEach (variant, variants) {
        const cJSON *valid = always_valid(variant);
        if (valid == NULL)
            continue;
        *least = fmin(*least, json_number(valid, "lower", 0));
        *most = fmax(*most, json_number(valid, "upper", 0));
        found = true;
    }
    return found && *most > *least;
}

static int column_of(double value, double least, double most)
{
    int column = (int)lround((value - least) / (most - least) * (WIDTH - 1));
    return column < 0 ? 0 : column >= WIDTH ? WIDTH - 1 : column;
}

/* An interval, where the difference is, and where none is. */
static void draw_interval(FILE *out, const cJSON *valid, double difference, double least,
                          double most)
{
    int zero = column_of(0, least, most);
    int from = column_of(json_number(valid, "lower", 0), least, most);
    int to = column_of(json_number(valid, "upper", 0), least, most);
    int at = column_of(difference, least, most);
    for (int i = 0; i < WIDTH; i++)
        fputs(i == at ? "●" : i == zero ? "│" : i >= from && i <= to ? "─" : " ", out);
}

static void show_variant(FILE *out, const cJSON *variant, bool drawn, double least, double most)
{
    const cJSON *figures = cJSON_GetObjectItemCaseSensitive(variant, "figures");
    const cJSON *valid = always_valid(variant);
    const char *reason = json_string(figures, "reason");
    fprintf(out, "  %-28.28s %8.0f", json_text(variant, "variant"),
            json_number(figures, "users", 0));
    if (cJSON_HasObjectItem(figures, "value"))
        fprintf(out, " %11.5g", json_number(figures, "value", 0));
    else
        fprintf(out, " %11s", "-");
    if (valid != NULL && cJSON_HasObjectItem(figures, "difference")) {
        double difference = json_number(figures, "difference", 0);
        fprintf(out, " %+11.4g %8.2g  ", difference,
                json_number(valid, "adjusted_p", json_number(valid, "p", 1)));
        if (drawn)
            draw_interval(out, valid, difference, least, most);
    } else if (reason != NULL) {
        fprintf(out, "  (%s)", reason);
    }
    fputc('\n', out);
}

static void show_metric(FILE *out, const cJSON *metric)
{
    double least, most;
    const cJSON *variant, *variants = cJSON_GetObjectItemCaseSensitive(metric, "variants");
    bool drawn = scale_of(variants, &least, &most);
    fprintf(out, "\n%s: %s; %s is better%s\n", json_text(metric, "metric"),
            json_text(metric, "meaning"), json_text(metric, "better"),
            json_bool(metric, "decides", false) ? ". This decides" : "");
    fprintf(out, "  %-28s %8s %11s %11s %8s", "", "users", "", "difference", "p");
    if (drawn)
        fprintf(out, "  %-*.4g%*.4g", WIDTH / 2, least, WIDTH - WIDTH / 2, most);
    fputc('\n', out);
    cJSON_ArrayForEach (variant, variants)
        show_variant(out, variant, drawn, least, most);
}

static bool says_something(const cJSON *metric)
{
    const cJSON *variant;
    cJSON_ArrayForEach (variant, cJSON_GetObjectItemCaseSensitive(metric, "variants"))
        if (always_valid(variant) != NULL)
            return true;
    return false;
}

void experiment_show(FILE *out, const cJSON *results, bool all)
{
    const cJSON *experiment = cJSON_GetObjectItemCaseSensitive(results, "experiment");
    const cJSON *ratio = cJSON_GetObjectItemCaseSensitive(results, "sample_ratio");
    const char *reason = json_string(experiment, "status_reason"),
               *next = json_string(results, "next"),
               *winner = json_string(experiment, "winner_variant");
    const cJSON *metric;
    experiment_print(out, experiment);
    if (reason != NULL)
        fprintf(out, "  %s\n", reason);
    if (next != NULL) {
        fprintf(out, "  %s\n", next);
        return;
    }
    cJSON_ArrayForEach (metric, cJSON_GetObjectItemCaseSensitive(results, "metrics"))
        if (json_bool(metric, "decides", false) || (all && says_something(metric)))
            show_metric(out, metric);
    fputc('\n', out);
    if (json_bool(ratio, "is_mismatch", false))
        fputs("Users came to the variants in other shares than they should have: believe no "
              "difference before you know why.\n",
              out);
    else if (winner != NULL)
        fprintf(out, "\"%s\" wins, with a confidence of %.4g that holds however often one looks.\n",
                winner, json_number(experiment, "confidence_level", 0));
    else
        fprintf(
            out,
            "There is no winner yet. The interval of a difference has to leave 0, with %.0f users "
            "or more in each variant.\n",
            json_number(experiment, "min_users", 100));
}
