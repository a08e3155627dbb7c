/* The two clocks: one for durations and deadlines, one for what is written down. */
#ifndef UPLIFT_CLOCK_H
#define UPLIFT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define CLOCK_TEXT 48 /* room for clock_text */

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

/* Such microseconds as RFC 3339 has them: 2026-01-31T12:00:00.000000Z. False when the year is out
 * of range. */
static inline bool clock_text(int64_t wall_us, char out[CLOCK_TEXT])
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm t;
    if (gmtime_r(&seconds, &t) == NULL || t.tm_year < 0 || t.tm_year > 8099)
        return false;
    size_t n = strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &t);
    return n > 0 && snprintf(out + n, CLOCK_TEXT - n, ".%06dZ", (int)(wall_us % 1000000)) > 0;
}

#endif
