/* GET /: a page that says what this is. */
#ifndef UPLIFT_SIMULATOR_PAGE_H
#define UPLIFT_SIMULATOR_PAGE_H

#include "fastcgi.h"

void page_get(struct fastcgi_request *r);

#endif
