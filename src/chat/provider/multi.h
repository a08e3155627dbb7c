/* libcurl's multi interface on a libuv loop: transfers are added, and told of when they are over.
 */
#ifndef UPLIFT_MULTI_H
#define UPLIFT_MULTI_H

#include "common/config.h"
#include "common/must_check.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct multi_socket;

struct multi {
    const struct config *config;
    uv_loop_t *loop;
    CURLM *curl;
    uv_timer_t timer;
    struct multi_socket **sockets; /* by file descriptor; owned */
    size_t socket_cap;
    void (*done)(void *arg, CURL *easy, CURLcode code);
    void *arg;
};

/* done is called outside of all libcurl callbacks, so that it may add and remove transfers; the
 * transfer has already been taken out. Borrows config, which says what addresses are refused. False
 * with a logged reason. */
MUST_CHECK bool multi_open(struct multi *m, const struct config *config, uv_loop_t *loop,
                           long max_idle_connections,
                           void (*done)(void *arg, CURL *easy, CURLcode code), void *arg);
/* Sets what every easy handle of this multi needs. */
bool multi_prepare(struct multi *m, CURL *easy);
/* Starts a transfer in the loop's next turn. */
MUST_CHECK bool multi_add(struct multi *m, CURL *easy);
/* Takes a transfer out; not from inside its own libcurl callbacks. done is not called. */
void multi_remove(struct multi *m, CURL *easy);
/* Ends everything; all transfers were taken out. Handles are gone once the loop has run again. */
void multi_close(struct multi *m);
/* After that: frees what is left. */
void multi_free(struct multi *m);

#endif
