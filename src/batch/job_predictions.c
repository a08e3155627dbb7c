/* measure-predictions: how good predictions are, by day, and whether that gets worse. */
#include "kinds.h"
#include "steps.h"

enum job_outcome job_measure_predictions(struct job *j)
{
    static const struct pg_statement statement = {.name = "measure_predictions",
                                                  .sql =
                                                      "select uplift_batch.measure_predictions($1)",
                                                  .params = 1};
    const char *values[1] = {NULL};
    return job_by_steps(j, &statement, values, 0, "days", "predictions");
}
