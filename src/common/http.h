/* Calls of a trainer's or a provider's HTTP API: one at a time, with limits on everything. They
 * block, and are for threads that nobody waits for. */
#ifndef UPLIFT_HTTP_H
#define UPLIFT_HTTP_H

#include "buf.h"
#include "config.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define HTTP_REASON_MAX 256

/* Where calls go. All borrowed. */
struct http_server {
    const struct config *config;
    bool (*goes_on)(void *arg); /* asked all the while; false: calls end. NULL: they go on */
    void *goes_on_arg;
    const char *base_url; /* without a slash at its end */
    const char *key;      /* or NULL */
    const char *key_header;
    int64_t timeout_ms; /* of a call; 0: trainer_timeout_ms */
};

/* A file to send as multipart/form-data, with OpenAI's field purpose. */
struct http_upload {
    const char *path, *name, *purpose;
};

struct http_answer {
    long status;
    struct buf body;              /* released by http_release */
    cJSON *json;                  /* the body, where it is JSON; owned; NULL: it is not */
    int64_t retry_after_ms;       /* 0: the server named none */
    char reason[HTTP_REASON_MAX]; /* why there was no answer */
    bool is_late;                 /* there was none in time */
};

enum http_outcome {
    HTTP_ANSWERED, /* with any status */
    HTTP_FAILED,  /* no answer, or no whole one: reason; the server may have done it all the same */
    HTTP_STOPPED, /* it is not to go on */
};

/*
 * GET (body and upload NULL) or POST, with a JSON body or an upload. A call may take the server's
 * timeout_ms, an upload as long as bytes move. Bodies of more than 8 MB are a failure.
 * *answer is filled in, also on failure; release it.
 */
enum http_outcome http_call(const struct http_server *server, const char *path, const char *body,
                            const struct http_upload *upload, struct http_answer *answer);
/* DELETE, the same. */
enum http_outcome http_delete(const struct http_server *server, const char *path,
                              struct http_answer *answer);
void http_release(struct http_answer *answer);

#endif
