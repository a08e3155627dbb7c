/* Which request is for whom. */
#include "route.h"

#include "completion.h"
#include "embeddings.h"
#include "files.h"
#include "jobs.h"
#include "models.h"
#include "page.h"
#include "reply.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_LEN 512

/* A path's parts: "/v1/files/ID/content" is files, ID, content. */
struct parts {
    char text[PATH_MAX_LEN];
    const char *part[5];
    size_t count;
};

/* Copies the path, without /v1 and the query string, and takes it apart. */
static bool take_apart(const char *uri, struct parts *out)
{
    size_t len = strcspn(uri, "?");
    if (strncmp(uri, "/v1/", 4) == 0) {
        uri += 3;
        len -= 3;
    }
    if (len >= sizeof out->text)
        return false;
    memcpy(out->text, uri, len);
    out->text[len] = '\0';
    out->count = 0;
    char *rest = out->text, *part;
    while ((part = strsep(&rest, "/")))
        if (part[0] != '\0') {
            if (out->count == sizeof out->part / sizeof out->part[0])
                return false;
            out->part[out->count++] = part;
        }
    return true;
}

static bool is(const struct parts *p, size_t i, const char *word)
{
    return i < p->count && strcmp(p->part[i], word) == 0;
}

static bool check_key(struct fastcgi_request *r, const struct simulator *s)
{
    const char *key = fastcgi_param(r, "HTTP_AUTHORIZATION");
    if (key && strcmp(key, "Bearer sim-invalid-key") == 0) {
        reply_fail(r, 401, "invalid_api_key", NULL, "incorrect API key provided");
        return false;
    }
    if (s->require_key && (key == NULL || strncmp(key, "Bearer ", 7) != 0 || key[7] == '\0')) {
        reply_fail(r, 401, "invalid_api_key", NULL,
                   "you didn't provide an API key: send Authorization: Bearer KEY");
        return false;
    }
    return true;
}

static bool route_files(struct fastcgi_request *r, const struct parts *p, const char *method,
                        const char *query)
{
    bool get = strcmp(method, "GET") == 0;
    if (p->count == 1 && strcmp(method, "POST") == 0)
        files_post(r);
    else if (p->count == 1 && get)
        files_list(r, query);
    else if (p->count == 2 && get)
        files_get(r, p->part[1]);
    else if (p->count == 2 && strcmp(method, "DELETE") == 0)
        files_delete(r, p->part[1]);
    else if (p->count == 3 && get && is(p, 2, "content"))
        files_content(r, p->part[1]);
    else
        return false;
    return true;
}

static bool route_jobs(struct fastcgi_request *r, const struct parts *p, const char *method,
                       const char *query, const struct simulator *s)
{
    bool get = strcmp(method, "GET") == 0, post = strcmp(method, "POST") == 0;
    if (!is(p, 1, "jobs"))
        return false;
    if (p->count == 2 && post)
        jobs_post(r, s->job_ms);
    else if (p->count == 2 && get)
        jobs_list(r, query);
    else if (p->count == 3 && get)
        jobs_get(r, p->part[2]);
    else if (p->count == 4 && post && is(p, 3, "cancel"))
        jobs_cancel(r, p->part[2]);
    else if (p->count == 4 && get && is(p, 3, "events"))
        jobs_events(r, p->part[2], query);
    else if (p->count == 4 && get && is(p, 3, "checkpoints"))
        jobs_checkpoints(r, p->part[2], query);
    else
        return false;
    return true;
}

/* True when the request was answered (or will be). */
static bool route_api(struct fastcgi_request *r, const struct parts *p, const char *method,
                      const char *query, const struct simulator *s)
{
    bool get = strcmp(method, "GET") == 0, post = strcmp(method, "POST") == 0;
    if (post && p->count == 2 && is(p, 0, "chat") && is(p, 1, "completions"))
        completion_post(r, s->pace_ms);
    else if (post && p->count == 1 && is(p, 0, "embeddings"))
        embeddings_post(r);
    else if (get && p->count == 1 && is(p, 0, "models"))
        models_list(r);
    else if (get && p->count == 2 && is(p, 0, "models"))
        models_get(r, p->part[1]);
    else if (is(p, 0, "files"))
        return route_files(r, p, method, query);
    else if (is(p, 0, "fine_tuning"))
        return route_jobs(r, p, method, query, s);
    else
        return false;
    return true;
}

void route(struct fastcgi_request *r, void *arg)
{
    const struct simulator *s = arg;
    const char *method = fastcgi_param(r, "REQUEST_METHOD");
    const char *uri = fastcgi_param(r, "REQUEST_URI"), *query = fastcgi_param(r, "QUERY_STRING");
    struct parts p;
    if (method == NULL || uri == NULL) {
        reply_fail(r, 400, NULL, NULL, "the web server must pass REQUEST_METHOD and REQUEST_URI");
        return;
    }
    if (!take_apart(uri, &p)) {
        reply_fail(r, 404, NULL, NULL, "unknown path");
        return;
    }
    if (p.count == 0) {
        page_get(r);
        return;
    }
    if (r->body_too_long) {
        reply_fail(r, 413, NULL, NULL, "the body is longer than %zu bytes", FASTCGI_BODY_MAX);
        return;
    }
    if (!check_key(r, s))
        return;
    if (!route_api(r, &p, method, query ? query : "", s))
        reply_fail(r, 404, "unknown_url", NULL, "unknown request URL: %.20s %.200s", method, uri);
}
