/* Tables of routes: which of them a request is for, and what to say when it is none. */
#ifndef UPLIFT_ROUTE_TABLE_H
#define UPLIFT_ROUTE_TABLE_H

#include "error.h"
#include "must_check.h"
#include "request.h"
#include "uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * The first member of a program's own struct for a route. path may have one variable, as in RFC
 * 6570: {id} is a segment that is a UUID, {name} any segment, {+name}, at the end, one or more
 * segments.
 */
struct route_key {
    const char *method;
    const char *path;
};

/* An array of such structs. */
struct route_table {
    const void *routes;
    size_t count, size; /* of one of them, in bytes */
};

#define ROUTE_ALLOWED 64 /* bytes of a list of methods */

struct route_match {
    size_t index; /* of the route; table's count when there is none */
    char id[UUID_TEXT + 1];
    const char *variable; /* what stands for it, raw and in the request's path; NULL for none */
    size_t variable_len;
    bool is_bad_id;              /* the variable is {id}, and this is no UUID */
    char allowed[ROUTE_ALLOWED]; /* "GET, PUT" where only the method is wrong, else "" */
};

/* The route of a request; HEAD goes where GET does. The first that fits is it. */
void route_find(const struct route_table *table, const struct request *r,
                struct route_match *match);
/* Why there is no route, 404 or 405; advice (NULL: to look it up) ends the message of a 404.
 * Returns the header to send with it, made in room, or NULL. */
const char *route_unknown(const struct request *r, const struct route_match *match,
                          const char *advice, struct api_error *error,
                          char room[ROUTE_ALLOWED + 16]);
/* The error for is_bad_id. Returns false. */
bool route_bad_id(const struct route_match *match, struct api_error *error);
/* One line of a listing: method, path, who may call it, the scopes of API keys that do. */
void route_print(FILE *out, const struct route_key *route, const char *who, unsigned scopes);

#endif
