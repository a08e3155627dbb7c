/* The table of routes: from method and path to a function. */
#ifndef UPLIFT_ROUTES_H
#define UPLIFT_ROUTES_H

#include "route.h"

#include <stdio.h>

/* Finds the route of the request, authenticates where the route asks for it, runs it. The request
 * is always ended or handed on. */
void routes_dispatch(struct route_context *c);

/* Names of all routes, "POST /v1/chat", by request.endpoint; the last is "other". */
const char *const *routes_names(int *count);

/* Prints the table, a route a line: method, path, who may call it (open: anybody; user; signed-in:
 * not the guest), and the scopes of which an API key needs one. */
void routes_print(FILE *out);

#endif
