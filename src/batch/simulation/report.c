/* What came out of many made-up experiments, beside what was to come out. */
#include "report.h"

#include "batch/progress.h"

#include <math.h>
#include <string.h>

#define BAR_WIDTH 20
#define NAME_WIDTH 46

static bool is_met(double value, const struct goal *g)
{
    switch (g->kind) {
    case GOAL_AT_MOST:
        return value <= g->bound + g->tolerance;
    case GOAL_AT_LEAST:
        return value >= g->bound - g->tolerance;
    case GOAL_ABOVE:
        return value > g->bound + g->tolerance;
    case GOAL_WITHIN:
        return fabs(value - g->bound) <= g->tolerance;
    case GOAL_NONE:
        break;
    }
    return true;
}

void report_add(struct report *r, const char *key, const char *name, double value, struct goal goal)
{
    if (r->count < REPORT_ROWS_MAX)
        r->rows[r->count++] = (struct row){.section = r->section,
                                           .name = name,
                                           .key = key,
                                           .value = value,
                                           .goal = goal,
                                           .is_met = is_met(value, &goal)};
}

/* "at most 5.0 + 1.5 %", "80.0 ± 3.0 %". */
static void write_goal(char *out, size_t room, const struct goal *g)
{
    double bound = 100 * g->bound, tolerance = 100 * g->tolerance;
    switch (g->kind) {
    case GOAL_AT_MOST:
        snprintf(out, room, "at most %.1f + %.1f %%", bound, tolerance);
        break;
    case GOAL_AT_LEAST:
        snprintf(out, room, "at least %.1f - %.1f %%", bound, tolerance);
        break;
    case GOAL_ABOVE:
        snprintf(out, room, "above %.1f + %.1f %%", bound, tolerance);
        break;
    case GOAL_WITHIN:
        snprintf(out, room, "%.1f ± %.1f %%", bound, tolerance);
        break;
    case GOAL_NONE:
        *out = '\0';
        break;
    }
}

void report_print(const struct report *r, FILE *out)
{
    char bar[3 * BAR_WIDTH + 1], goal[64];
    for (size_t i = 0; i < r->count; i++) {
        const struct row *row = &r->rows[i];
        if (i == 0 || strcmp(row->section, r->rows[i - 1].section) != 0)
            fprintf(out, "\n%s\n", row->section);
        progress_bar(bar, BAR_WIDTH, row->value, 1);
        write_goal(goal, sizeof goal, &row->goal);
        fprintf(out, "  %-*s ▕%s▏ %5.1f %%", NAME_WIDTH, row->name, bar, 100 * row->value);
        if (row->goal.kind != GOAL_NONE)
            fprintf(out, "  %s %s", row->is_met ? "✓" : "✗", goal);
        fputc('\n', out);
    }
}

cJSON *report_json(const struct report *r)
{
    static const char *const kinds[] = {NULL, "at_most", "at_least", "above", "within"};
    cJSON *rows = cJSON_CreateArray();
    for (size_t i = 0; i < r->count; i++) {
        const struct row *row = &r->rows[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", row->key);
        cJSON_AddNumberToObject(object, "value", row->value);
        if (row->goal.kind != GOAL_NONE) {
            cJSON *goal = cJSON_AddObjectToObject(object, "goal");
            cJSON_AddStringToObject(goal, "kind", kinds[row->goal.kind]);
            cJSON_AddNumberToObject(goal, "bound", row->goal.bound);
            cJSON_AddNumberToObject(goal, "tolerance", row->goal.tolerance);
            cJSON_AddBoolToObject(object, "met", row->is_met);
        }
        cJSON_AddItemToArray(rows, object);
    }
    return rows;
}

bool report_tell_missed(const struct report *r, FILE *out)
{
    bool has_missed = false;
    char goal[64];
    for (size_t i = 0; i < r->count; i++) {
        const struct row *row = &r->rows[i];
        if (row->is_met)
            continue;
        write_goal(goal, sizeof goal, &row->goal);
        fprintf(out, "fcgi-batch: goal missed: %s: %s: %.1f %%, %s\n", row->section, row->name,
                100 * row->value, goal);
        has_missed = true;
    }
    return !has_missed;
}
