/* The one shape in which anything refused or failed is told to a client: OpenAI's. */
#ifndef UPLIFT_ERROR_H
#define UPLIFT_ERROR_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>

struct api_error {
    int status;       /* HTTP status, 400..599 */
    const char *type; /* static text, e.g. "invalid_request_error"; derived from status when NULL */
    char code[64];    /* machine-readable, e.g. "invalid_severity"; "" is sent as null */
    char param[64];   /* the offending field; "" is sent as null */
    char message[512];      /* for people: what is wrong and what to do */
    int64_t retry_after_ms; /* 0: no Retry-After header */
};

/* Fills in an error and returns false, so that checks can say: return api_error(e, 400, "code",
 * "param", "..."); */
bool api_error(struct api_error *e, int status, const char *code, const char *param,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
/* 503 out_of_memory, to be tried again. Returns false. */
bool api_error_no_memory(struct api_error *e);
/* OpenAI's type for a status: invalid_request_error, authentication_error, permission_error,
 * not_found_error, rate_limit_error, server_error, ... */
const char *api_error_type(int status);
/* Appends {"error":{"message","type","param","code"}}. */
bool api_error_json(struct buf *out, const struct api_error *e);
/* Reason phrase of a status, "" when unknown. */
const char *api_status_text(int status);

#endif
