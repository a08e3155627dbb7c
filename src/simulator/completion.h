/* POST /v1/chat/completions, streamed at a pace and not, with faults on demand. */
#ifndef UPLIFT_SIMULATOR_COMPLETION_H
#define UPLIFT_SIMULATOR_COMPLETION_H

#include "fastcgi.h"

/* Answers the request; pace_ms lies between two tokens unless the request asks for another. */
void completion_post(struct fastcgi_request *r, int64_t pace_ms);

#endif
