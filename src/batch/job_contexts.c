/* refresh-contexts and refresh-examples: what prompts are made of is made ready for the next chats.
 */
#include "kinds.h"
#include "steps.h"

#define USERS_A_STEP "50"
#define ANSWERS_A_STEP "50" /* which a step holds, so that no thumb waits for long */
#define DAYS_DEFAULT 7

const struct job_argument refresh_contexts_arguments[] = {
    {"days", ARG_INTEGER, false, NULL, "of users who chatted in so many days, 1 to 3650 (7)"},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

enum job_outcome job_refresh_contexts(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "refresh_contexts",
        .sql = "select uplift_batch.refresh_contexts($1,$2,$3,$4)",
        .params = 4};
    char days[STEP_NUMBER];
    enum job_outcome outcome;
    if (!step_days(j, DAYS_DEFAULT, days, &outcome))
        return outcome;
    const char *values[4] = {days, NULL, USERS_A_STEP, j->config->guest_user};
    return job_by_steps(j, &statement, values, 1, "users", "contexts");
}

enum job_outcome job_refresh_examples(struct job *j)
{
    static const struct pg_statement statement = {.name = "refresh_examples",
                                                  .sql =
                                                      "select uplift_batch.refresh_examples($1,$2)",
                                                  .params = 2};
    const char *values[2] = {NULL, ANSWERS_A_STEP};
    return job_by_steps(j, &statement, values, 0, "answers", "made");
}
