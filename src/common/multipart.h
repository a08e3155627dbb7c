/*
 * Parts of a multipart/form-data body (RFC 7578), found without copying them. By hand, because the
 * libraries that Debian has for this (libmicrohttpd, libapreq2) read it from a server of their own,
 * and GMime copies each part.
 */
#ifndef UPLIFT_MULTIPART_H
#define UPLIFT_MULTIPART_H

#include "json_scan.h"

struct part {
    const char *bytes; /* in the body */
    size_t len;
    char filename[256]; /* its last path component; "" when none was given */
};

/* The first part of that name. False when there is none or the body is not well formed.
 * content_type is the request's and may be NULL. */
bool multipart_find(const char *content_type, struct span body, const char *name, struct part *out);

#endif
