/* GET /v1/models and /v1/models/{id}. */
#ifndef UPLIFT_SIMULATOR_MODELS_H
#define UPLIFT_SIMULATOR_MODELS_H

#include "fastcgi.h"

#define MODELS_OWNER "uplift-simulator"

/* The simulated models and those that finished jobs have made. */
void models_list(struct fastcgi_request *r);
/* 404 for a model that is not in the list; a fault or pace (sim-fault-*, sim-pace-*) is. */
void models_get(struct fastcgi_request *r, const char *id);

#endif
