/* What came of a simulated learning loop: figures and goals. */
#include "outcome.h"

#include <math.h>

#define WAY 0.9
#define SAVED 0.4
#define WORSE_PROMOTED 0.05
#define DRIFT 0.02
/* Answers of one user are alike: the variance of a rate is taken so many times. */
#define ALIKE 2.0

double tally_share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

double tally_rate(const struct tally *t)
{
    return tally_share(t->up, t->thumbs);
}

double tally_variance(const struct tally *t)
{
    double p = tally_rate(t);
    return tally_share(ALIKE * p * (1 - p), t->thumbs);
}

bool version_is_worse(const struct version *v)
{
    return v->is_measured && v->truth + 2 * v->error < 0 && v->truth < -OUTCOME_WORSE;
}

static void add(struct tally *to, const struct tally *t)
{
    to->chats += t->chats;
    to->hits += t->hits;
    to->thumbs += t->thumbs;
    to->up += t->up;
    to->liking += t->liking;
    to->best += t->best;
    to->usd += t->usd;
}

/* How the rate of those without anything changed from the first half to the second. */
static void drift_of(const struct diary *d, struct outcome *o)
{
    struct tally half[2] = {{0}};
    for (int i = 0; i < d->week_count; i++)
        add(&half[2 * i >= d->week_count], &d->weeks[i].plain);
    o->drift = tally_rate(&half[1]) - tally_rate(&half[0]);
    o->drift_error = sqrt(tally_variance(&half[0]) + tally_variance(&half[1]));
}

void outcome_of(const struct diary *d, struct outcome *o)
{
    struct tally plain = {0};
    *o = (struct outcome){.tried = 0};
    if (d->week_count == 0)
        return;
    const struct tally *last = &d->weeks[d->week_count - 1].learning;
    for (int i = 0; i < d->week_count; i++)
        add(&plain, &d->weeks[i].plain);
    o->plain = tally_rate(&plain);
    o->last = tally_rate(last);
    o->best = tally_share(last->best, last->chats);
    o->expected_plain = tally_share(plain.liking, plain.chats);
    o->expected_last = tally_share(last->liking, last->chats);
    o->way = tally_share(o->expected_last - o->expected_plain, o->best - o->expected_plain);
    o->cost_before = tally_share(plain.usd, plain.chats);
    o->cost_last = tally_share(last->usd, last->chats);
    o->saved = o->cost_before > 0 ? 1 - o->cost_last / o->cost_before : 0;
    drift_of(d, o);
    for (size_t i = 0; i < d->version_count; i++) {
        const struct version *v = &d->versions[i];
        o->tried++;
        o->promoted += v->is_promoted;
        o->worse += version_is_worse(v);
        o->worse_promoted += version_is_worse(v) && v->is_promoted;
    }
}

void outcome_goals(const struct outcome *o, const struct outcome_plan *p, struct report *r)
{
    struct goal way = {GOAL_AT_LEAST, WAY, 0}, saved = {GOAL_AT_LEAST, SAVED, 0};
    struct goal worse = {GOAL_AT_MOST, WORSE_PROMOTED, 0};
    struct goal flat = {GOAL_AT_MOST, DRIFT, 2 * o->drift_error};
    if (p->is_quick || p->is_interrupted)
        way.kind = saved.kind = worse.kind = flat.kind = GOAL_NONE;
    r->section = "Goals";
    report_add(r, "way_to_oracle", "the way from nothing to the oracle, last week", o->way, way);
    report_add(r, "cost_saved", "cost of an answer saved, last week", o->saved, saved);
    report_add(r, "worse_promoted", "worse versions that were promoted",
               tally_share((double)o->worse_promoted, (double)o->worse), worse);
    report_add(r, "plain_drift", "without anything: change from half to half", fabs(o->drift),
               flat);
}
