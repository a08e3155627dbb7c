/* The report of a simulated learning loop, for people and programs. */
#include "batch/progress.h"
#include "outcome.h"

#include <math.h>
#include <string.h>

#define WEEK_COLUMNS 5
#define LINE_SHARE 0.05 /* of a line of the chart */
#define BAR 24

/* Half of the interval of 95 % of a rate. */
static double half_width(const struct tally *t)
{
    return 1.96 * sqrt(tally_variance(t));
}

/* --- drawn --- */

static int line_of(double value)
{
    return (int)lround(value / LINE_SHARE);
}

static void span(const struct diary *d, int *least, int *most)
{
    *least = line_of(1);
    *most = 0;
    for (int i = 0; i < d->week_count; i++) {
        const struct week *w = &d->weeks[i];
        double values[] = {tally_rate(&w->learning), tally_rate(&w->plain),
                           tally_share(w->learning.best, w->learning.chats)};
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            *least = line_of(values[k]) < *least ? line_of(values[k]) : *least;
            *most = line_of(values[k]) > *most ? line_of(values[k]) : *most;
        }
    }
}

static void draw_rates(const struct diary *d, FILE *out)
{
    int least, most;
    span(d, &least, &most);
    fputs("\nThumbs up, of all thumbs, week by week\n"
          "  ○ the best that there could be   ● with everything   · with nothing switched on\n\n",
          out);
    for (int line = most; line >= least; line--) {
        fprintf(out, "  %3d %% ┤", (int)lround(100 * line * LINE_SHARE));
        for (int i = 0; i < d->week_count; i++) {
            const struct week *w = &d->weeks[i];
            const char *mark = line == line_of(tally_rate(&w->learning)) ? "●"
                               : line == line_of(tally_share(w->learning.best, w->learning.chats))
                                   ? "○"
                               : line == line_of(tally_rate(&w->plain)) ? "·"
                                                                        : " ";
            fprintf(out, "  %s  ", mark);
        }
        fputc('\n', out);
    }
    fputs("        └", out);
    for (int i = 0; i < d->week_count; i++)
        fputs("─────", out);
    fputs("\n   week  ", out);
    for (int i = 0; i < d->week_count; i++)
        fprintf(out, "%3d  ", i + 1);
    fputc('\n', out);
}

static void print_weeks(const struct diary *d, FILE *out)
{
    fputs(
        "\n  week  answers  thumbs up          oracle  nothing on         $ per 1000 answers\n"
        "                                                              with all  nothing  cached\n",
        out);
    for (int i = 0; i < d->week_count; i++) {
        const struct tally *l = &d->weeks[i].learning, *p = &d->weeks[i].plain;
        fprintf(
            out,
            "  %4d  %7.0f  %5.1f %% ± %4.1f   %5.1f %%  %5.1f %% ± %4.1f   %8.3f %8.3f  %4.1f %%\n",
            i + 1, l->chats, 100 * tally_rate(l), 100 * half_width(l),
            100 * tally_share(l->best, l->chats), 100 * tally_rate(p), 100 * half_width(p),
            1000 * tally_share(l->usd, l->chats), 1000 * tally_share(p->usd, p->chats),
            100 * tally_share(l->hits, l->chats));
    }
}

/* What answers were like, which shows what was learnt and what was not. */
static void print_readings(const struct diary *d, FILE *out)
{
    fputs("\nWhat answers were like: how well tone and length fitted, how many had what, and how "
          "many the coach liked better gave\n"
          "  week    tone  length  example  reason  praise  question    goal   coach\n"
          "                                                       (if told)  (nothing on)\n",
          out);
    for (int i = 0; i < d->week_count; i++) {
        const struct tally *t = &d->weeks[i].learning, *p = &d->weeks[i].plain;
        fprintf(out,
                "  %4d  %4.0f %%  %4.0f %%   %4.0f %%  %4.0f %%  %4.0f %%    %4.0f %%  %4.0f %%  "
                "%4.0f %% (%.0f %%)\n",
                i + 1, 100 * tally_share(t->tone, t->chats), 100 * tally_share(t->words, t->chats),
                100 * tally_share(t->example, t->chats), 100 * tally_share(t->reason, t->chats),
                100 * tally_share(t->praise, t->chats), 100 * tally_share(t->question, t->chats),
                100 * tally_share(t->goal, t->goals), 100 * tally_share(t->coach, t->chats),
                100 * tally_share(p->coach, p->chats));
    }
}

static void draw_cost(const struct diary *d, const struct outcome *o, FILE *out)
{
    char bar[3 * BAR + 1];
    fputs("\nCost of an answer, of what it is with nothing switched on\n", out);
    for (int i = 0; i < d->week_count; i++) {
        const struct tally *l = &d->weeks[i].learning;
        double part = tally_share(tally_share(l->usd, l->chats), o->cost_before);
        progress_bar(bar, BAR, fmin(part, 1.5), 1.5);
        fprintf(out, "  week %2d ▕%s▏ %5.1f %%\n", i + 1, bar, 100 * part);
    }
}

/* "autopilot prompt: shorter 2026-01-01 00:00:00" without what is the same of all, and without its
 * time. */
static void print_name(FILE *out, const char *name)
{
    const char *at = strncmp(name, "autopilot ", 10) == 0 ? name + 10 : name;
    size_t len = strlen(at), time = strlen(" 2026-01-01 00:00:00");
    if (len > time && strspn(at + len - time, " 0123456789-:") == time)
        len -= time;
    fprintf(out, "%.*s", (int)len, at);
}

static void print_events(const struct diary *d, FILE *out)
{
    fputs("\nWhat autopilot did\n", out);
    for (size_t i = 0; i < d->event_count; i++) {
        const struct event *e = &d->events[i];
        fprintf(out, "  week %2d  %-10s %-11s ", e->week, e->kind, e->decision);
        print_name(out, e->name);
        if (strcmp(e->decision, "begun") != 0)
            fprintf(out, ": %.110s", e->reason);
        fputc('\n', out);
    }
}

static void print_versions(const struct diary *d, FILE *out)
{
    fputs("\nWhat was tried, and how much more it is liked in truth (of the same users, asked both "
          "ways)\n",
          out);
    for (size_t i = 0; i < d->version_count; i++) {
        const struct version *v = &d->versions[i];
        if (v->is_measured)
            fprintf(out, "  %+6.1f ± %4.1f points  %-9s ", 100 * v->truth, 196 * v->error,
                    v->is_promoted        ? "promoted"
                    : version_is_worse(v) ? "worse"
                                          : "");
        else
            fprintf(out, "  %-22s %-9s ", "not asked", v->is_promoted ? "promoted" : "");
        print_name(out, v->name);
        fputc('\n', out);
    }
}

/* What only the driver knows. */
static void print_leaning(const struct leaning *l, const char *const *coaches, FILE *out)
{
    static const char *const tones[] = {"",       "softest", "gentle", "balanced",
                                        "direct", "intense", "hardest"};
    fprintf(out,
            "Most like it %s (%.1f) and %.0f words long (%.1f); of examples %+.1f, reasons %+.1f, "
            "praise %+.1f, a question at the end %+.1f, their goal %+.1f.\n"
            "Most like %s better (%+.1f), and all begin with %s.\n",
            tones[l->tone], l->tone_weight, l->words, l->words_weight, l->example, l->reason,
            l->praise, l->question, l->goal, coaches[l->coach], l->coach_weight, coaches[0]);
}

static void print_words(const struct diary *d, const struct pace *pace, FILE *out)
{
    const struct prices *m = &d->prices;
    fprintf(
        out,
        "\nHow it was made\n"
        "  A day lasts %.1f s. So min_stage_hours is a day, max_test_days %.0f days and "
        "retry_days %.0f days of those;\n"
        "  a dollar is a dollar: %s costs $%g and $%g for a million tokens sent and answered, "
        "what is trained of %s\n"
        "  $%g and $%g, which is an assumption. The cost of training is in autopilot's money, "
        "and not in that of answers.\n"
        "  The oracle knows all tastes, and gives each user the answer that fits in all, by the "
        "coach liked better; what no\n"
        "  answer can say (a goal that was never told) it does not count. The way is by how likely "
        "answers were liked, which\n"
        "  the simulation knows, and not by the thumbs that were drawn of that. A version is worse "
        "when the same users, asked\n"
        "  both ways, like it less by more than a point and two standard errors.\n"
        "  Users without anything have coaches of their own, who are the same two, on the base "
        "model, without memory,\n"
        "  examples, cache, tests. All begin with one coach; who disliked an answer turns to the "
        "other one in %.0f %% of cases,\n"
        "  where the other is the one they like better, else in %.0f %%. Users without anything "
        "choose likewise.\n",
        pace->day_s, pace->test_days, pace->retry_days, m->model, m->input, m->output, m->tuned,
        m->tuned_input, m->tuned_output, 100 * WORLD_LEAVES, 100 * WORLD_STRAYS);
    fputs("\nWhat this does not show\n"
          "  How real people talk, what they like and whether they say so: these like by a curve, "
          "and most say it.\n"
          "  How real models follow a prompt, or what they learn: the simulated one follows each "
          "word that it knows, and a\n"
          "  trained one does what most of its examples do. That days are short: novelty, seasons, "
          "and users who come and\n"
          "  go. Thumbs have no second thoughts, and nobody plays false.\n",
          out);
}

void outcome_print(const struct diary *d, const struct outcome *o, const struct outcome_plan *p,
                   const struct pace *pace, const struct report *goals, FILE *out)
{
    fprintf(out,
            "%ld users with everything, %ld with nothing switched on, %d of %ld weeks, seed %ld: "
            "%.0f s\n",
            p->learning, p->plain, d->week_count, p->weeks, p->seed, p->seconds);
    if (p->is_interrupted)
        fputs("It was interrupted: this is what there is so far, and no goal is judged.\n", out);
    print_leaning(p->leaning, p->coaches, out);
    draw_rates(d, out);
    print_weeks(d, out);
    print_readings(d, out);
    draw_cost(d, o, out);
    print_events(d, out);
    print_versions(d, out);
    print_words(d, pace, out);
    report_print(goals, out);
    fprintf(out,
            "\n  %zu versions tried, %zu promoted; %zu were worse, of which %zu were promoted.\n",
            o->tried, o->promoted, o->worse, o->worse_promoted);
    if (p->is_quick && !p->is_interrupted)
        fputs("  A quick look: too short for goals, none is judged.\n", out);
}

/* --- JSON --- */

static cJSON *tally_json(const struct tally *t)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "answers", t->chats);
    cJSON_AddNumberToObject(object, "from_cache", t->hits);
    cJSON_AddNumberToObject(object, "thumbs", t->thumbs);
    cJSON_AddNumberToObject(object, "thumbs_up", t->up);
    cJSON_AddNumberToObject(object, "thumbs_up_rate", tally_rate(t));
    cJSON_AddNumberToObject(object, "half_width", half_width(t));
    cJSON_AddNumberToObject(object, "expected_rate", tally_share(t->liking, t->chats));
    cJSON_AddNumberToObject(object, "oracle_rate", tally_share(t->best, t->chats));
    cJSON_AddNumberToObject(object, "liked_coach_rate", tally_share(t->coach, t->chats));
    cJSON_AddNumberToObject(object, "cost_usd", t->usd);
    return object;
}

static cJSON *weeks_json(const struct diary *d)
{
    cJSON *weeks = cJSON_CreateArray();
    for (int i = 0; i < d->week_count; i++) {
        cJSON *week = cJSON_CreateObject();
        cJSON_AddNumberToObject(week, "week", i + 1);
        cJSON_AddItemToObject(week, "everything", tally_json(&d->weeks[i].learning));
        cJSON_AddItemToObject(week, "nothing", tally_json(&d->weeks[i].plain));
        cJSON_AddItemToArray(weeks, week);
    }
    return weeks;
}

static cJSON *events_json(const struct diary *d)
{
    cJSON *events = cJSON_CreateArray();
    for (size_t i = 0; i < d->event_count; i++) {
        cJSON *event = cJSON_CreateObject();
        cJSON_AddNumberToObject(event, "week", d->events[i].week);
        cJSON_AddStringToObject(event, "kind", d->events[i].kind);
        cJSON_AddStringToObject(event, "decision", d->events[i].decision);
        cJSON_AddStringToObject(event, "name", d->events[i].name);
        cJSON_AddStringToObject(event, "reason", d->events[i].reason);
        cJSON_AddItemToArray(events, event);
    }
    return events;
}

static cJSON *versions_json(const struct diary *d)
{
    cJSON *versions = cJSON_CreateArray();
    for (size_t i = 0; i < d->version_count; i++) {
        const struct version *v = &d->versions[i];
        cJSON *version = cJSON_CreateObject();
        cJSON_AddStringToObject(version, "name", v->name);
        cJSON_AddBoolToObject(version, "promoted", v->is_promoted);
        cJSON_AddBoolToObject(version, "worse", version_is_worse(v));
        if (v->is_measured) {
            cJSON_AddNumberToObject(version, "truth", v->truth);
            cJSON_AddNumberToObject(version, "standard_error", v->error);
            cJSON_AddNumberToObject(version, "users", v->users);
        }
        cJSON_AddItemToArray(versions, version);
    }
    return versions;
}

cJSON *outcome_json(const struct diary *d, const struct outcome *o, const struct outcome_plan *p,
                    const struct pace *pace, const struct report *goals, bool is_good)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "seed", (double)p->seed);
    cJSON_AddNumberToObject(object, "users", (double)p->learning);
    cJSON_AddNumberToObject(object, "plain_users", (double)p->plain);
    cJSON_AddNumberToObject(object, "weeks_planned", (double)p->weeks);
    cJSON_AddNumberToObject(object, "seconds", p->seconds);
    cJSON_AddNumberToObject(object, "seconds_a_day", pace->day_s);
    cJSON_AddBoolToObject(object, "quick", p->is_quick);
    cJSON_AddBoolToObject(object, "interrupted", p->is_interrupted);
    cJSON_AddNumberToObject(object, "start", o->plain);
    cJSON_AddNumberToObject(object, "last_week", o->last);
    cJSON_AddNumberToObject(object, "oracle", o->best);
    cJSON_AddNumberToObject(object, "expected_start", o->expected_plain);
    cJSON_AddNumberToObject(object, "expected_last_week", o->expected_last);
    cJSON_AddNumberToObject(object, "way_to_oracle", o->way);
    cJSON_AddNumberToObject(object, "cost_before_usd", o->cost_before);
    cJSON_AddNumberToObject(object, "cost_last_usd", o->cost_last);
    cJSON_AddNumberToObject(object, "cost_saved", o->saved);
    cJSON_AddNumberToObject(object, "plain_drift", o->drift);
    cJSON_AddNumberToObject(object, "versions_tried", (double)o->tried);
    cJSON_AddNumberToObject(object, "versions_promoted", (double)o->promoted);
    cJSON_AddNumberToObject(object, "versions_worse", (double)o->worse);
    cJSON_AddNumberToObject(object, "worse_promoted", (double)o->worse_promoted);
    cJSON_AddBoolToObject(object, "goals_met", is_good);
    cJSON *tastes = cJSON_AddObjectToObject(object, "most_like");
    cJSON_AddNumberToObject(tastes, "tone", p->leaning->tone);
    cJSON_AddNumberToObject(tastes, "words", p->leaning->words);
    cJSON_AddNumberToObject(tastes, "example", p->leaning->example);
    cJSON_AddNumberToObject(tastes, "reason", p->leaning->reason);
    cJSON_AddNumberToObject(tastes, "praise", p->leaning->praise);
    cJSON_AddNumberToObject(tastes, "question", p->leaning->question);
    cJSON_AddStringToObject(tastes, "coach", p->coaches[p->leaning->coach]);
    cJSON_AddNumberToObject(tastes, "coach_weight", p->leaning->coach_weight);
    cJSON_AddItemToObject(object, "weeks", weeks_json(d));
    cJSON_AddItemToObject(object, "events", events_json(d));
    cJSON_AddItemToObject(object, "versions", versions_json(d));
    cJSON_AddItemToObject(object, "rows", report_json(goals));
    return object;
}
