/*
 * Answers that take as long as their client reads, such as exports and streams of progress. libfcgi
 * blocks while it writes, so each has a thread of its own: a client that does not read holds up
 * nobody else. There is an end to how many there are of a kind.
 */
#ifndef UPLIFT_BATCH_APART_H
#define UPLIFT_BATCH_APART_H

#include "routes.h"

/*
 * Has run answer a copy of the call, and end its request, in a thread of its own. False, with the
 * request still the caller's, when max of them are open, which *open counts, or there is no thread
 * to be had.
 */
bool apart_run(struct admin_call *c, atomic_int *open, int max, void (*run)(struct admin_call *c));
/* The same for an export, of which there are 16 at once, of all kinds together: most have a
 * connection to Postgres. Of more, the request ends with 503 too_many_exports. */
void export_apart(struct admin_call *c, void (*run)(struct admin_call *c));

#endif
