/* The admin routes: which path leads where, and what they share. */
#ifndef UPLIFT_BATCH_ROUTES_H
#define UPLIFT_BATCH_ROUTES_H

#include "common/auth.h"
#include "common/config.h"
#include "common/must_check.h"
#include "common/pg_pool.h"
#include "common/request.h"
#include "runner.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#define ROUTE_KEY_MAX 128

/* What all requests share. */
struct admin {
    const struct config *config;
    struct pg_pool *pool;
    struct pg_breaker *breaker;
    struct auth *auth;
    struct api_keys *keys;
    struct runners *runners;
    struct request_memory memory;
    atomic_bool draining;
    atomic_int watchers; /* streams of progress that are open */
    atomic_int exports;  /* likewise */
};

struct admin_route;

/* One request on its way: a handler must end it. */
struct admin_call {
    struct admin *admin;
    struct request *request;
    const struct admin_route *route;
    char key[ROUTE_KEY_MAX + 1];  /* the {id} (a UUID in lower case) or {name} of the path, or "" */
    char log_line[UUID_TEXT + 1]; /* of uplift.admin_log, where the request was noted, or "" */
    char who[UUID_TEXT + 1];      /* the admin: a user's id, or "admin" for a token without one */
};

/* Finds the route of a request, checks that an admin sends it, and answers it. Ends the request. */
void admin_dispatch(struct admin *admin, struct request *r);

/* Prints the table, a route a line: method, path, who may call it (admin; open: anybody), and the
 * scope that an API key needs. */
void routes_print(FILE *out);

/* Asks Postgres; false with *error filled in. */
MUST_CHECK bool admin_query(struct admin_call *c, const struct pg_statement *statement,
                            const char *const *values, PGresult **result, struct api_error *error);
/* Answers with the JSON text of a statement's single value, or with the error. Ends the request. */
void admin_reply_query(struct admin_call *c, const struct pg_statement *statement,
                       const char *const *values, int status);
/* What the request asks for, as JSON text for Postgres: the pairs of the query of a GET or DELETE,
 * with text values, else the body, {} when there is none. NULL with *error filled in; the caller's
 * to cJSON_free. */
char *admin_arguments(struct admin_call *c, struct api_error *error);

/* --- the routes that are more than a statement, each in the file named --- */

void route_submit_job(struct admin_call *c);     /* route_jobs.c */
void route_watch_job(struct admin_call *c);      /* route_watch.c */
void route_export(struct admin_call *c);         /* route_export.c */
void route_export_answers(struct admin_call *c); /* route_export_rows.c */
void route_export_user(struct admin_call *c);
void route_photo_export(struct admin_call *c); /* route_photos.c */
void route_photo_image(struct admin_call *c);
void route_put_provider(struct admin_call *c);    /* route_providers.c */
void route_test_provider(struct admin_call *c);   /* route_provider_test.c */
void route_post_knowledge(struct admin_call *c);  /* route_knowledge.c */
void route_experiment_plan(struct admin_call *c); /* route_plan.c */
void route_batch_alive(struct admin_call *c);     /* route_jobs.c */
void route_batch_health(struct admin_call *c);

#endif
