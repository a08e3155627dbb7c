/* What happened week by week. */
#include "diary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double diary_cost(const struct prices *p, const struct chat *c)
{
    bool is_tuned = strncmp(c->model, "ft:", 3) == 0;
    return (c->prompt_tokens * (is_tuned ? p->tuned_input : p->input) +
            c->answer_tokens * (is_tuned ? p->tuned_output : p->output)) /
           1e6;
}

static void add_reading(struct tally *t, const struct chat *c)
{
    t->tone += world_fit_of_tone(&c->person->taste, c->reading.tone);
    t->words += world_fit_of_words(&c->person->taste, c->reading.words);
    t->example += c->reading.has_example;
    t->reason += c->reading.has_reason;
    t->praise += c->reading.has_praise;
    t->question += c->reading.has_question;
    t->goal += c->reading.has_goal;
    t->goals += c->person->goal != NULL;
    t->coach += c->reading.coach == c->person->taste.coach;
}

void diary_add(struct diary *d, int week, const struct leaning *l, const struct chat *chats,
               size_t count)
{
    if (week < 1 || week > DIARY_WEEKS)
        return;
    if (week > d->week_count)
        d->week_count = week;
    for (size_t i = 0; i < count; i++) {
        const struct chat *c = &chats[i];
        struct week *w = &d->weeks[week - 1];
        struct tally *t = c->person->is_plain ? &w->plain : &w->learning;
        if (!c->is_answered)
            continue;
        t->chats++;
        t->hits += c->is_hit;
        t->thumbs += c->has_thumb;
        t->up += c->has_thumb && c->is_liked;
        t->liking += c->liking;
        t->best += world_best(l, &c->person->taste);
        t->usd += diary_cost(&d->prices, c);
        add_reading(t, c);
    }
}

void diary_event(struct diary *d, int week, const char *kind, const char *decision,
                 const char *name, const char *reason)
{
    if (d->event_count == DIARY_EVENTS)
        return;
    struct event *e = &d->events[d->event_count++];
    *e = (struct event){.week = week};
    snprintf(e->kind, sizeof e->kind, "%s", kind);
    snprintf(e->decision, sizeof e->decision, "%s", decision);
    snprintf(e->name, sizeof e->name, "%s", name);
    snprintf(e->reason, sizeof e->reason, "%s", reason);
}

struct version *diary_version(struct diary *d, const char *name)
{
    for (size_t i = 0; i < d->version_count; i++)
        if (strcmp(d->versions[i].name, name) == 0)
            return &d->versions[i];
    if (d->version_count == DIARY_VERSIONS)
        return NULL;
    struct version *v = &d->versions[d->version_count++];
    *v = (struct version){.is_asked = false};
    snprintf(v->name, sizeof v->name, "%s", name);
    return v;
}

void diary_measure(struct version *v, const struct chat *chats, size_t count)
{
    double n = 0, mean = 0, squares = 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        if (!chats[i].is_answered || !chats[i + 1].is_answered)
            continue;
        double difference = chats[i + 1].liking - chats[i].liking, off = difference - mean;
        n++;
        mean += off / n;
        squares += off * (difference - mean);
    }
    if (n < 2)
        return;
    v->is_measured = true;
    v->users = n;
    v->truth = mean;
    v->error = sqrt(squares / (n - 1) / n);
}
