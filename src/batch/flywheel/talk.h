/* Chats of made-up users: many at once over HTTP, each a message, its answer, and what is thought
 * of it. */
#ifndef UPLIFT_BATCH_FLYWHEEL_TALK_H
#define UPLIFT_BATCH_FLYWHEEL_TALK_H

#include "site.h"
#include "world.h"

#include <signal.h>

#define TALK_VARIANT 200

/* One chat. What is asked is set before, what came of it afterwards. */
struct chat {
    const struct person *person; /* borrowed, while it is talked */
    char message[WORLD_MESSAGE];
    char variant[TALK_VARIANT]; /* of a tester: EXPERIMENT=VARIANT, and no thumb; "": none */
    double thumb, like, write;  /* 0 to 1: below their chance, a thumb is given, it is up, a comment
                                   is  written */
    double turn;                /* as world_next_coach() has it */

    bool is_answered, is_hit; /* is_hit: from the cache */
    bool has_thumb, is_liked, has_comment;
    struct reading reading;
    double liking;                       /* how likely it was liked */
    double prompt_tokens, answer_tokens; /* 0 for a hit: it costs nothing */
    char model[128];
};

struct talk {
    const struct site *site;       /* borrowed */
    const struct leaning *leaning; /* borrowed */
    /* Of those for whom all is switched on, and of the others; borrowed, WORLD_COACHES of each. */
    const char *const *coaches, *const *plain_coaches;
    double thumb_share, comment_share;
    volatile sig_atomic_t *stop; /* not 0: ends early */
    long failures;               /* calls without a good answer, so far */
    char reason[SITE_REASON];    /* of the last one */
};

/* Has all these chats, in any order. False with a reason: none could be had. */
MUST_CHECK bool talk_run(struct talk *t, struct chat *chats, size_t count);

/* Sets a user's preferences, for each of count people; body is JSON for those that pick says. */
MUST_CHECK bool talk_prefer(struct talk *t, const struct person *people, size_t count,
                            const char *(*body)(const struct person *p));

#endif
