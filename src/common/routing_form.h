/* The form of a routing in JSON: which members it may have, and of which types. What they mean to
 * fcgi-chat is checked where it is read (src/chat/provider/routing_read.h); a slip of the pen is
 * found here, by fcgi-batch, too. */
#ifndef UPLIFT_ROUTING_FORM_H
#define UPLIFT_ROUTING_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* False, with the first thing that is wrong, for what is not JSON, an unknown member (with the
 * nearest known name), a member of the wrong type, a URL that cannot be one, or a key in place of
 * where it is. */
bool routing_form_check(const char *text, char *wrong, size_t size);

#endif
