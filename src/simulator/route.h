/* Which request is for whom. */
#ifndef UPLIFT_SIMULATOR_ROUTE_H
#define UPLIFT_SIMULATOR_ROUTE_H

#include "fastcgi.h"

struct simulator {
    int64_t pace_ms;  /* between two tokens */
    int64_t job_ms;   /* a fine-tuning job's whole life */
    bool require_key; /* 401 without an Authorization header */
};

/* Answers one request; arg is the struct simulator. */
void route(struct fastcgi_request *r, void *arg);

#endif
