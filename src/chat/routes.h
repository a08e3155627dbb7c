/* The table of routes: from method and path to a function. */
#ifndef UPLIFT_ROUTES_H
#define UPLIFT_ROUTES_H

#include "route.h"

/* Finds the route of the request, authenticates where the route asks for it, runs it. The request
 * is always ended or handed on. */
void routes_dispatch(struct route_context *c);

/* Names of all routes, "POST /v1/chat", by request.endpoint; the last is "other". */
const char *const *routes_names(int *count);

#endif
