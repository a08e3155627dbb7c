/* Requests to other servers: providers, trainers, key sets. */
#ifndef UPLIFT_OUTBOUND_H
#define UPLIFT_OUTBOUND_H

#include "config.h"
#include "must_check.h"

#include <curl/curl.h>

/*
 * A curl handle with what holds for all of them: HTTP and HTTPS alone, no redirects, because a key
 * would go along, no signals, and certificates by the authorities in ca_bundle (NULL: the
 * system's). With allowed only to addresses that UPLIFT_ALLOW_ADDRESSES allows (address.h); it is
 * borrowed. NULL when memory ran out or curl refused a limit: nothing is asked without them. The
 * caller's to curl_easy_cleanup.
 */
MUST_CHECK CURL *outbound_new(const char *ca_bundle, const struct config *allowed);

#endif
