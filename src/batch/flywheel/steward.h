/* The admin of a simulated uplift: prepares it, starts its jobs at their times, and writes down
 * what autopilot did. All by admin URLs. */
#ifndef UPLIFT_BATCH_FLYWHEEL_STEWARD_H
#define UPLIFT_BATCH_FLYWHEEL_STEWARD_H

#include "diary.h"
#include "site.h"

#include <pthread.h>

#define STEWARD_JOBS 12

/* What is told to autopilot in days is a few seconds here. */
struct pace {
    double day_s;                                         /* how long a simulated day lasts */
    double stage_days, test_days, retry_days, train_days; /* simulated ones */
};

struct steward {
    struct caller caller;
    const char *const *coaches, *const *plain_coaches; /* WORLD_COACHES of each; borrowed */
    const char *model, *base_model; /* what answers at first, and what is trained */
    int min_users;
    struct pace pace;
    double last_decision; /* its id */
    bool may_train;       /* the last training was long enough ago */
    bool has_trained;     /* since that was last asked */
    /* The jobs of a day, which go on while users talk. */
    pthread_t thread;
    bool is_at_work, has_failed;
    const char *jobs[STEWARD_JOBS];
    size_t job_count;
    double job_s; /* how long all jobs took so far */
};

/*
 * False with a reason in the caller's: it does not answer, the tokens are not taken, one of the
 * coaches is missing, a provider that is not the simulated one answers chats or trains models, or
 * may, or there are answers already (unless anyway). upstream and trainer are where the configured
 * ones are.
 */
MUST_CHECK bool steward_check(struct steward *s, const char *upstream, const char *trainer,
                              bool anyway);
/* Sets prices, takes away limits of rates, stops autopilot, and gives the plain coaches production
 * of their own, in which nothing is switched on. False with a reason. */
MUST_CHECK bool steward_prepare(struct steward *s, const struct prices *p);
/* Switches autopilot on, or tells it how long days are now. False with a reason. */
MUST_CHECK bool steward_start(struct steward *s);
/* Does these jobs, one after another, while others go on. */
MUST_CHECK bool steward_begin_jobs(struct steward *s, const char *const *jobs, size_t count);
/* Awaits them. False with a reason: one failed. */
MUST_CHECK bool steward_end_jobs(struct steward *s);
/* Writes down what autopilot has decided since, and which tests there are to be asked about. */
MUST_CHECK bool steward_note(struct steward *s, struct diary *d, int week);

#endif
