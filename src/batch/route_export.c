/*
 * GET /admin/datasets/{id}/export: a dataset, or a frozen version, as lines of JSON.
 *
 * Written as its client reads. Whoever broke off goes on with skip=LINES and etag=ETAG. When
 * something fails on the way, the connection is cut.
 */
#include "apart.h"
#include "export.h"

#include "common/log.h"
#include "common/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES ((size_t)64 * 1024) /* gathered before it is written */

/* What a client asks for. */
struct asked {
    struct query query;
    struct export_request request;
    const char *etag; /* that the lines it has were of; NULL: it has none */
};

/* A number of the query, all of it; false with *error filled in. */
static bool read_number(const struct query *q, const char *name, double fallback, double *out,
                        struct api_error *error)
{
    const char *text = query_get(q, name);
    char *end;
    if (text == NULL) {
        *out = fallback;
        return true;
    }
    *out = strtod(text, &end);
    if (*text >= '0' && *text <= '9' && *end == '\0' && *out < 1e15)
        return true;
    char code[64];
    snprintf(code, sizeof code, "invalid_%s", name);
    return api_error(error, 400, code, name, "%s must be a number", name);
}

/* The tag in a header may be weak, because nginx has compressed what it was of. */
static const char *without_weakness(const char *etag)
{
    return etag != NULL && strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
}

static bool read_asked(struct admin_call *c, struct asked *a, struct api_error *error)
{
    static const char *const known[] = {"format", "split", "min_quality", "skip", "etag"};
    const char *format = query_get(&a->query, "format");
    double skip;
    for (size_t i = 0; i < a->query.count; i++) {
        size_t k = 0;
        while (k < sizeof known / sizeof known[0] && strcmp(known[k], a->query.pairs[i].name) != 0)
            k++;
        if (k == sizeof known / sizeof known[0])
            return api_error(error, 400, "unknown_argument", a->query.pairs[i].name,
                             "an export takes format, split, min_quality, skip and etag");
    }
    if (!format_find(format != NULL ? format : "openai", &a->request.format))
        return api_error(error, 400, "invalid_format", "format", "format must be one of %s",
                         FORMAT_NAMES);
    if (!read_number(&a->query, "min_quality", 0, &a->request.min_quality, error) ||
        !read_number(&a->query, "skip", 0, &skip, error))
        return false;
    a->request.skip = (int64_t)skip;
    a->request.split = query_get(&a->query, "split");
    a->etag = query_get(&a->query, "etag");
    if (a->etag == NULL)
        a->etag = request_param(c->request, "HTTP_IF_MATCH");
    a->etag = without_weakness(a->etag);
    if (a->request.skip > 0 && a->etag == NULL)
        return api_error(error, 400, "missing_etag", "etag",
                         "skip wants etag, the ETag of the export that the lines are of");
    snprintf(a->request.target, sizeof a->request.target, "%.36s", c->key); /* a UUID */
    return true;
}

static bool check_etag(const struct asked *a, const struct export_result *looked,
                       struct api_error *error)
{
    size_t len = strlen(looked->etag);
    /* With or without its quotes, which are hard to type. */
    if (a->etag == NULL || strcmp(a->etag, "*") == 0 || strcmp(a->etag, looked->etag) == 0 ||
        (strlen(a->etag) == len - 2 && strncmp(a->etag, looked->etag + 1, len - 2) == 0))
        return true;
    return api_error(error, 412, "export_changed", "etag",
                     "the examples have changed since; begin anew, or export a frozen version");
}

static bool write_head(struct admin_call *c, const struct asked *a,
                       const struct export_result *looked)
{
    char extra[600];
    snprintf(extra, sizeof extra,
             "ETag: %s\r\nX-Export-Examples: %lld\r\nX-Export-Tokens: %lld\r\n"
             "X-Export-Missing: %lld\r\n"
             "Content-Disposition: attachment; filename=\"%.8s-%s%s%s.jsonl\"\r\n",
             looked->etag, (long long)looked->announced, (long long)looked->announced_tokens,
             (long long)looked->missing, c->key, format_name(a->request.format),
             a->request.split != NULL ? "-" : "", a->request.split != NULL ? a->request.split : "");
    return request_begin(c->request, "application/x-ndjson", extra);
}

/* Where lines gather. */
struct sink {
    struct admin *admin;
    struct request *request;
    struct buf out;
};

static bool flush(struct sink *s)
{
    bool good = request_put(s->request, s->out.data, s->out.len);
    buf_clear(&s->out);
    return good;
}

static bool take_line(void *arg, const char *line, size_t len)
{
    struct sink *s = arg;
    if (atomic_load(&s->admin->draining)) /* a slow reader must not keep us from ending */
        return false;
    if (s->out.len + len > OUT_BYTES && !flush(s))
        return false;
    if (len > OUT_BYTES)
        return request_put(s->request, line, len);
    return buf_append(&s->out, line, len);
}

/* Ends the request one way or the other. */
static void stream(struct admin_call *c, struct pg *pg, const struct asked *a,
                   struct export_result *result)
{
    struct api_error error;
    struct sink sink = {.admin = c->admin, .request = c->request};
    if (!write_head(c, a, result)) {
        request_abort(c->request);
        return;
    }
    if (strcmp(c->request->method, "HEAD") == 0) {
        request_finish(c->request);
        return;
    }
    buf_init(&sink.out, OUT_BYTES);
    enum export_outcome outcome = export_lines(pg, &a->request, take_line, &sink, result, &error);
    if (result->left_out > 0)
        log_traced(LOG_WARN, c->request->request_id, c->request->trace_id,
                   "%lld lines were left out; the first, because %s", (long long)result->left_out,
                   result->why_left_out);
    if (outcome == EXPORT_DONE && flush(&sink)) {
        request_finish(c->request);
    } else {
        if (outcome == EXPORT_REFUSED || outcome == EXPORT_AWAY)
            log_traced(LOG_WARN, c->request->request_id, c->request->trace_id,
                       "export broken off: %s", error.message);
        request_abort(c->request);
    }
    buf_release(&sink.out);
}

static void export_whole(struct admin_call *c)
{
    struct api_error error;
    struct asked asked = {.etag = NULL};
    struct export_result result;
    const struct config *config = c->admin->config;
    struct pg *pg = NULL;
    if (!query_parse(&asked.query, c->request->query)) {
        api_error(&error, 400, "invalid_query", "", "the query string cannot be read");
        request_fail(c->request, &error, NULL);
        return;
    }
    bool good = read_asked(c, &asked, &error);
    if (good) {
        pg = pg_new(config_batch_database(config), "uplift export",
                    config->batch_statement_timeout_ms, 0);
        good = pg != NULL || api_error_no_memory(&error);
    }
    good = good && export_look(pg, &asked.request, &result, &error) == EXPORT_DONE &&
           check_etag(&asked, &result, &error);
    if (good)
        stream(c, pg, &asked, &result);
    else
        request_fail(c->request, &error, NULL);
    pg_free(pg);
    query_release(&asked.query);
}

void route_export(struct admin_call *c)
{
    export_apart(c, export_whole);
}
