/* What happened week by week, what was tried, and what of it was true. */
#ifndef UPLIFT_BATCH_FLYWHEEL_DIARY_H
#define UPLIFT_BATCH_FLYWHEEL_DIARY_H

#include "common/uuid.h"
#include "talk.h"

#include <stddef.h>

#define DIARY_WEEKS 52
#define DIARY_EVENTS 400
#define DIARY_VERSIONS 100
#define DIARY_NAME 200

/* Of one kind of users in one week. */
struct tally {
    double chats, hits, thumbs, up;
    double liking; /* sum of how likely the answers were liked */
    double best;   /* sum of what the best answers would have been */
    double usd;
    double tone, words;                             /* sums of how well these fitted, */
    double example, reason, praise, question, goal; /* and how many had these */
    double coach;                                   /* and came from the coach liked better */
    double goals;                                   /* of users who told one */
};

struct week {
    struct tally learning, plain;
};

struct event {
    int week; /* from 1 */
    char kind[24], decision[24];
    char name[DIARY_NAME], reason[DIARY_NAME];
};

/* Something that autopilot tried on users, from its experiment to what became of it. */
struct version {
    char name[DIARY_NAME];
    char experiment[UUID_TEXT + 1];    /* that tries it now, or did last */
    char control[100], candidate[100]; /* variants of that */
    char coach[DIARY_NAME];            /* whose users it is for; "": all coaches' */
    bool is_rollout, is_promoted;
    bool is_asked, is_measured;
    double truth, error; /* how much more it is liked, and the standard error of that */
    double users;        /* by whom that was measured */
};

struct prices {
    char model[128]; /* of these, and of what is trained of it */
    char tuned[128];
    double input, output, tuned_input, tuned_output; /* US dollars for a million tokens */
};

struct diary {
    struct week weeks[DIARY_WEEKS];
    int week_count; /* that have begun */
    struct event events[DIARY_EVENTS];
    size_t event_count;
    struct version versions[DIARY_VERSIONS];
    size_t version_count;
    struct prices prices;
};

/* Counts the chats of a day of the week, from 1. */
void diary_add(struct diary *d, int week, const struct leaning *l, const struct chat *chats,
               size_t count);
void diary_event(struct diary *d, int week, const char *kind, const char *decision,
                 const char *name, const char *reason);
/* The version of that name, made where there is none; NULL: there is no room. */
struct version *diary_version(struct diary *d, const char *name);
/* What one chat cost, in US dollars. */
double diary_cost(const struct prices *p, const struct chat *c);
/* Takes down by how much a candidate is liked more, by chats of the same users with both: control
 * and candidate alternate. */
void diary_measure(struct version *v, const struct chat *chats, size_t count);

#endif
