/*
 * What a request to /rest/v1 asks for, in PostgREST's form: filters, select, order, limit, offset,
 * and the headers Accept, Prefer and Range. It is read here and told to Postgres as JSON, which
 * uplift_chat.rest_select_feedback() and uplift_chat.rest_update_feedback() make a query of:
 *
 *   {"select": [{"column", "as", "cast"}], "where": [condition], "order": [{"column", "desc",
 * "nulls"}], "limit", "offset", "count", "strip", "one", "head"}
 *
 * where a condition is {"column", "op", "any": "any" or "all", "value" or "values"} or {"and" or
 * "or": [condition]}, each with "not": true for its contrary. Members that were not asked for are
 * left out. Columns and values are as they came: Postgres quotes them.
 */
#ifndef UPLIFT_REST_QUERY_H
#define UPLIFT_REST_QUERY_H

#include "common/buf.h"
#include "common/error.h"
#include "common/must_check.h"
#include "common/query.h"
#include "common/request.h"

#include <stdbool.h>

#define REST_CONDITIONS_MAX 100 /* of a request, also within one another, and values of in */
#define REST_DEPTH_MAX 8        /* of and() and or() */

enum rest_count { REST_NO_COUNT, REST_EXACT, REST_PLANNED, REST_ESTIMATED };

struct rest_query {
    struct query query;
    struct buf json; /* as told above */
    enum rest_count count;
    bool one;            /* exactly one object instead of a list */
    bool strip;          /* without nulls */
    bool representation; /* of a PATCH: the rows */
    bool is_minimal;     /* it was said so */
    long long most;      /* of a PATCH: how many rows it may change; -1: not said */
};

/* Reads a request. False with *error, in PostgREST's codes, and nothing to release. */
MUST_CHECK bool rest_query_read(struct rest_query *q, const struct request *r,
                                struct api_error *error);
void rest_query_release(struct rest_query *q);

/* The value of the only filter, when that is id=eq.VALUE, beside perhaps the user's own user_id=eq.
 * Borrowed; NULL otherwise. */
const char *rest_query_only_id(const struct rest_query *q, const char *user);
/* Appends what was applied of Prefer, as a header line; nothing when nothing was. */
void rest_query_applied(const struct rest_query *q, struct buf *headers);

#endif
