/* How the system treats a thread. */
#ifndef UPLIFT_THREAD_H
#define UPLIFT_THREAD_H

#include <pthread.h>
#include <sched.h>

/* Lets the calling thread wait its turn when it wakes up, in place of stopping what runs just then
 * (SCHED_BATCH): for threads whose work gathers meanwhile, so that they find more of it at once,
 * and not for those whom clients wait to hear a word from. Where the system refuses, all stays as
 * it is. */
static inline void thread_be_patient(void)
{
    struct sched_param none = {0};
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
}

#endif
