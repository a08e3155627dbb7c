/* The running uplift that made-up users and an admin talk to over HTTP, as anybody does. */
#ifndef UPLIFT_BATCH_FLYWHEEL_SITE_H
#define UPLIFT_BATCH_FLYWHEEL_SITE_H

#include "common/must_check.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <stdbool.h>

#define SITE_REASON 400
#define SITE_TOKEN 1024

/* Where it is, and what its tokens are signed with. All borrowed. */
struct site {
    const char *url;                        /* without a slash at its end */
    const char *ca;                         /* a file; NULL: the system's authorities */
    const char *secret, *issuer, *audience; /* issuer and audience may be NULL */
};

/* Writes a token of a user, an admin's where is_admin, that holds for a day. False: no memory, or
 * the issuer is too long. */
MUST_CHECK bool site_token(const struct site *s, const char *user, bool is_admin,
                           char out[SITE_TOKEN]);

/* One who asks, one thing after another; not for several threads. */
struct caller {
    const struct site *site;    /* borrowed */
    CURL *curl;                 /* owned */
    struct curl_slist *headers; /* owned */
    long status;                /* of the last answer; 0: there was none */
    char reason[SITE_REASON];   /* why the last call failed */
};

/* Of a user, or an admin. False: no memory. caller_close in any case. */
MUST_CHECK bool caller_open(struct caller *c, const struct site *s, const char *user,
                            bool is_admin);
void caller_close(struct caller *c);
/*
 * Asks, with a JSON body or NULL, and returns the answer, the caller's; NULL with a reason where
 * there was none, or its status is no 2xx. Waits, and asks again, where the server says to come
 * later.
 */
cJSON *caller_ask(struct caller *c, const char *method, const char *path, const char *body);
/* The same, with a body as printf; at most 4 kB of it. */
cJSON *caller_askf(struct caller *c, const char *method, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
