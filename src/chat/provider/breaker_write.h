/* The breakers of a host as JSON, for those who only look. */
#ifndef UPLIFT_BREAKER_WRITE_H
#define UPLIFT_BREAKER_WRITE_H

#include "breaker.h"
#include "common/buf.h"

/* [{"provider", "model" (none: the provider as a whole), "state", "failures", "open_until",
 * "cool_until"}] of those that are not at rest, BREAKERS_WRITTEN at most, times in seconds: now_ms
 * is clock_ms(), and unix_ms the same moment by the calendar. */
#define BREAKERS_WRITTEN 200
void breakers_write(const struct breakers *all, int64_t now_ms, int64_t unix_ms, struct buf *out);

#endif
