/* /rest/v1: as much of PostgREST as supabase-js needs for answers, memories and predictions. */
#ifndef UPLIFT_ROUTE_REST_H
#define UPLIFT_ROUTE_REST_H

#include "common/request.h"

#include <stdbool.h>

/* Whether errors on this path have PostgREST's shape. */
bool rest_path(const char *path);
/* Answers {"code","details","hint","message"} and ends the request. The code is error->code, or
 * PostgREST's for a status where that is not one of its own. extra: more lines of the head, NULL
 * for none. */
void rest_fail(struct request *r, const struct api_error *error, const char *extra);

#endif
