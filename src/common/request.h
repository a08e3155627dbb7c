/* One FastCGI request: what came in, and the one way to answer it and end it. */
#ifndef UPLIFT_REQUEST_H
#define UPLIFT_REQUEST_H

#include "auth.h"
#include "buf.h"
#include "error.h"
#include "json.h"
#include "must_check.h"

#include <fcgiapp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_ID_MAX 64
#define TRACE_ID_TEXT 32
#define REQUEST_VALUES_MAX 100000 /* of JSON in a body */

/* Memory that requests with large bodies hold in a process, which all its threads share: what is
 * read into it is bounded by this, not by how many clients send at once. */
struct request_memory {
    atomic_size_t held; /* bytes */
    size_t max;
};

/* What is known of how a request was answered, beside its status. */
struct request_facts {
    char code[64];                 /* of the error it was answered with, "" for none */
    char answer_id[UUID_TEXT + 1]; /* of a chat, "" for none, as for all below */
    const char *outcome;           /* how its answer ended; static text */
    int64_t provider_ms;           /* of the whole, waited for providers */
    int64_t prompt_tokens, completion_tokens;
};

/*
 * Owned by exactly one stage at a time. An intake thread makes it; the route reads its body and
 * either answers and ends it there or, for a chat, hands it on to the relay inside a struct chat;
 * whoever owns it then ends it with request_finish.
 */
struct request {
    FCGX_Request fcgi;
    const char *method; /* borrowed from the FastCGI parameters, like path and query */
    const char *path;   /* decoded path without the query string */
    const char *query;  /* raw, "" when absent */
    const char *origin; /* Origin header, or NULL */
    char *body;         /* owned, NUL-terminated; NULL when none, or not read yet */
    size_t body_len;
    struct request_memory *memory;       /* borrowed; it outlives the request */
    size_t held;                         /* of it; 0: a small one, which holds none */
    char request_id[REQUEST_ID_MAX + 1]; /* nginx's $request_id, or made here */
    char trace_id[TRACE_ID_TEXT + 1];    /* of a W3C traceparent header, "" where none came */
    char trace_flags[3];                 /* its last two digits */
    int64_t accepted_ms;                 /* clock_ms() */
    struct identity who;                 /* filled in once authenticated */
    const struct config *config;         /* borrowed: for CORS */
    const char *route;                   /* its path in the table of routes; NULL: none */
    struct request_facts facts;          /* for the access log */
    int endpoint;                        /* which route it is, for those who count; -1: none */
    int status;                          /* of the answer, once there is a head */
    void (*on_finish)(void *arg, const struct request *r); /* just before it ends, or NULL */
    void *on_finish_arg;
    /* Has the connection from now on, which ended this request in order and may bring another;
     * NULL: it is closed. */
    void (*keep)(void *arg, int fd);
    void *keep_arg;
};

/* Reads a W3C traceparent (trace-id and flags); what is none leaves both empty, as the
 * specification has it. */
void request_read_trace(struct request *r, const char *traceparent);
/* The value of a request header given as its CGI name, e.g. "HTTP_AUTHORIZATION"; NULL when absent.
 * Borrowed. */
const char *request_param(const struct request *r, const char *name);

/*
 * Reads the announced body whole into r->body. False with *error when it is larger than max bytes,
 * cut, announced in nonsense, or when there is no memory for it among other large ones (503 with
 * Retry-After). A body that is not read so is read and thrown away when the request is answered.
 */
MUST_CHECK bool request_read_body(struct request *r, int64_t max, struct api_error *error);
/* What a request with a large body holds from now on, where that is less than it did: of its body,
 * or of what was made of it. */
void request_hold_less(struct request *r, size_t bytes);

/*
 * Appends a CGI response head: Status, Content-Type, X-Request-Id, CORS headers for a configured
 * origin, Cache-Control: no-store, then the lines of extra (each "Name: value\r\n", or NULL), then
 * the blank line.
 */
bool request_head(struct request *r, struct buf *out, int status, const char *content_type,
                  const char *extra);

/* Answers with a whole body and ends the request (frees it). Blocks while nginx takes the bytes;
 * for intake only. */
void request_reply(struct request *r, int status, const char *content_type, const char *extra,
                   const char *body, size_t len);
/* Begins an answer that is written piece by piece (request_put), and then ended with
 * request_finish or request_abort: its head, as request_head has it. False when the client is gone.
 * Blocks, as request_put does: for threads that nobody waits for. */
MUST_CHECK bool request_begin(struct request *r, const char *content_type, const char *extra);
/* The next bytes of such an answer. False when the client is gone. */
MUST_CHECK bool request_put(struct request *r, const void *data, size_t len);
/* Sends the head of an event stream, whose events come by whoever the connection is handed to.
 * False when the client is gone; nothing more can be sent then. For intake only. */
bool request_begin_stream(struct request *r, const char *extra);
/* Whether nginx keeps the connection, and nothing of this request is still to be read from it. */
bool request_can_keep(const struct request *r);
/* Frees a request whose connection somebody else has now. */
void request_forget(struct request *r);
/* Answers with an error in OpenAI's shape (and Retry-After) and ends the request. extra may be
 * NULL. */
void request_fail(struct request *r, const struct api_error *error, const char *extra);
/*
 * The body, checked to be a JSON object of at most REQUEST_VALUES_MAX values, to be walked where it
 * lies; false with *error filled in (400). any_number: as in struct json_rules.
 */
MUST_CHECK bool request_json(const struct request *r, bool any_number, struct span *object,
                             struct api_error *error);
/* The same as a tree, for routes whose bodies are small; NULL with *error filled in. The caller's
 * to free. */
cJSON *request_json_body(const struct request *r, struct api_error *error);
/* Breaks off an answer whose head is out: the connection is cut, so that what was sent cannot pass
 * for the whole. Ends the request. */
void request_abort(struct request *r);
/* Ends the request: finishes it at libfcgi and frees it. The connection is kept where nginx asked
 * for that and the body was read to its end. Anything not yet written is lost. */
void request_finish(struct request *r);

#endif
