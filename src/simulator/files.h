/* /v1/files: upload, list, get, content, delete. */
#ifndef UPLIFT_SIMULATOR_FILES_H
#define UPLIFT_SIMULATOR_FILES_H

#include "fastcgi.h"

#include <cjson/cJSON.h>

void files_post(struct fastcgi_request *r);
/* query is the raw query string: purpose, limit, after, order. */
void files_list(struct fastcgi_request *r, const char *query);
void files_get(struct fastcgi_request *r, const char *id);
void files_content(struct fastcgi_request *r, const char *id);
void files_delete(struct fastcgi_request *r, const char *id);

/* The page of a list that query asks for with after and limit: {"object":"list","data","has_more",
 * ...}. Takes all. */
cJSON *list_page(cJSON *all, const char *query, int default_limit);

#endif
