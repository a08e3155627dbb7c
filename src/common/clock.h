/* The two clocks: one for durations and deadlines, one for what is written down. */
#ifndef UPLIFT_CLOCK_H
#define UPLIFT_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of a clock that never jumps; for durations and deadlines only. */
static inline int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Microseconds since 1970 in UTC. */
static inline int64_t clock_wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#endif
