/* Whole answers of the simulator: JSON, errors in OpenAI's shape, and the heads they begin with. */
#ifndef UPLIFT_SIMULATOR_REPLY_H
#define UPLIFT_SIMULATOR_REPLY_H

#include "common/error.h"
#include "fastcgi.h"

#include <cjson/cJSON.h>

/* Appends a CGI head: Status, Content-Type, X-Simulated: 1, X-Request-Id, then extra (lines that
 * end in CRLF, or NULL) and the blank line. */
bool reply_head(struct buf *out, int status, const char *content_type, const char *extra);
/* Each of these sends a whole answer and ends the request: touch it no more. */
void reply_bytes(struct fastcgi_request *r, int status, const char *content_type, const char *extra,
                 const char *body, size_t len);
/* Takes the tree; NULL (no memory) is answered with 500. */
void reply_json(struct fastcgi_request *r, int status, cJSON *body);
void reply_error(struct fastcgi_request *r, const struct api_error *error);
/* Shorthand for an error without Retry-After. */
void reply_fail(struct fastcgi_request *r, int status, const char *code, const char *param,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Closes the client's connection before any byte of an answer. */
void reply_reset(struct fastcgi_request *r);

/* The request body as a JSON object (the caller's, cJSON_Delete), or NULL after answering 400. */
cJSON *reply_read_object(struct fastcgi_request *r);

/* Fills out with n - 1 random letters and digits and a NUL: the tail of an id. */
void random_id(char *out, size_t n);

#endif
