/* GSL's errors, which end the process unless it is told otherwise. */
#include "gsl_errors.h"

#include <gsl/gsl_errno.h>
#include <pthread.h>

static void turn_handler_off(void)
{
    gsl_set_error_handler_off();
}

void gsl_errors_return(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, turn_handler_off);
}
