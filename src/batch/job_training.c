/* generate-training-data: brings the training examples in step with feedback, chunk by chunk. */
#include "kinds.h"

#include "../common/json.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK_ANSWERS 5000 /* a second of work or less: as long as a cancelled job may go on */

const struct job_argument generate_training_data_arguments[] = {
    {"chunk", ARG_INTEGER, false, NULL, "Answers that are looked at in one transaction."},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

/* Columns of a chunk's answer, in order. */
static const char *const counts[] = {"taken",   "remaining", "added",
                                     "changed", "withdrawn", "duplicates"};
enum { TAKEN, REMAINING, ADDED, COUNTS = 6 };

enum job_outcome job_generate_training_data(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "generate_training_examples",
        .sql = "select * from uplift.generate_training_examples($1)",
        .params = 1};
    int64_t sums[COUNTS] = {0};
    char chunk[24];
    enum job_outcome outcome;
    snprintf(chunk, sizeof chunk, "%lld",
             (long long)json_number(j->arguments, "chunk", CHUNK_ANSWERS));
    /* Each chunk takes what it did out of the queue, so there is nothing to keep. */
    for (;;) {
        PGresult *result;
        if (!job_progress(j, sums[TAKEN], sums[TAKEN] + sums[REMAINING], "%lld examples added",
                          (long long)sums[ADDED]))
            return JOB_STOPPED;
        if (!job_query(j, &statement, (const char *[]){chunk}, &result, &outcome))
            return outcome;
        int64_t taken = strtoll(PQgetvalue(result, 0, TAKEN), NULL, 10);
        for (int i = 0; i < COUNTS; i++) {
            int64_t n = strtoll(PQgetvalue(result, 0, i), NULL, 10);
            sums[i] = i == REMAINING ? n : sums[i] + n;
        }
        PQclear(result);
        if (taken == 0)
            break;
    }
    for (int i = 0; i < COUNTS; i++)
        if (i != REMAINING)
            cJSON_AddNumberToObject(j->result, counts[i], (double)sums[i]);
    job_progress(j, sums[TAKEN], sums[TAKEN], "%lld examples added", (long long)sums[ADDED]);
    return JOB_DONE;
}
