/* What GSL does at an error of its own. */
#ifndef UPLIFT_STATISTICS_GSL_ERRORS_H
#define UPLIFT_STATISTICS_GSL_ERRORS_H

/* Has GSL return its errors instead of ending the process; to be called, by any thread and as often
 * as one likes, before each call of GSL that can fail. */
void gsl_errors_return(void);

#endif
