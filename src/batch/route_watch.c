/*
 * GET /admin/jobs/{id}/events: a job's progress as server-sent events.
 *
 * Each "event: progress" has the whole job as its data; the one of a job that has ended is the
 * last.
 */
#include "apart.h"

#include "common/clock.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WATCHERS_MAX 64
#define LOOK_MS 500
#define KEEP_ALIVE_MS 15000
#define EVENT_BYTES ((size_t)1 << 20)

static const struct pg_statement get_job = {
    .name = "admin_get_job", .sql = "select uplift_batch.admin_get_job($1)", .params = 1};

static bool send_text(struct request *r, const char *text, size_t len)
{
    return FCGX_PutStr(text, (int)len, r->fcgi.out) == (int)len && FCGX_FFlush(r->fcgi.out) == 0;
}

static bool send_event(struct request *r, const char *job)
{
    struct buf event;
    buf_init(&event, EVENT_BYTES);
    buf_printf(&event, "event: progress\ndata: %s\n\n", job);
    bool good = !event.failed && send_text(r, event.data, event.len);
    buf_release(&event);
    return good;
}

static bool has_ended(const char *job)
{
    struct json_error reason;
    cJSON *object = json_parse(job, strlen(job), &reason);
    const char *status = json_string(object, "status");
    bool ended = status != NULL && strcmp(status, "queued") != 0 && strcmp(status, "running") != 0;
    cJSON_Delete(object);
    return ended;
}

/* What a watcher was told last, and when. */
struct told {
    char *job;
    int64_t at_ms;
};

/* Tells the watcher what is new, if anything is. False: the stream has ended. */
static bool tell(struct admin_call *c, struct told *told)
{
    struct api_error error;
    PGresult *result;
    if (!admin_query(c, &get_job, (const char *[]){c->key}, &result, &error))
        return true; /* Postgres may come back */
    const char *job = PQgetvalue(result, 0, 0);
    bool goes_on = true;
    if (told->job == NULL || strcmp(job, told->job) != 0) {
        free(told->job);
        told->job = strdup(job);
        told->at_ms = clock_ms();
        goes_on = send_event(c->request, job) && !has_ended(job);
    }
    PQclear(result);
    return goes_on;
}

static void watch(struct admin_call *c)
{
    static const char keep_alive[] = ": still there\n\n";
    struct told told = {.at_ms = clock_ms()};
    while (!atomic_load(&c->admin->draining) && tell(c, &told)) {
        usleep(LOOK_MS * 1000);
        if (clock_ms() - told.at_ms < KEEP_ALIVE_MS)
            continue;
        told.at_ms = clock_ms();
        if (!send_text(c->request, keep_alive, sizeof keep_alive - 1))
            break;
    }
    free(told.job);
}

static void stream(struct admin_call *c)
{
    struct buf head;
    buf_init(&head, 16384);
    if (request_head(c->request, &head, 200, "text/event-stream", "X-Accel-Buffering: no\r\n") &&
        send_text(c->request, head.data, head.len))
        watch(c);
    buf_release(&head);
    request_finish(c->request);
}

void route_watch_job(struct admin_call *c)
{
    struct api_error error;
    PGresult *result;
    if (!admin_query(c, &get_job, (const char *[]){c->key}, &result, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    PQclear(result);
    if (apart_run(c, &c->admin->watchers, WATCHERS_MAX, stream))
        return;
    api_error(&error, 503, "too_many_watchers", "",
              "too many streams of progress are open; ask GET /admin/jobs/%s now and then instead",
              c->key);
    error.retry_after_ms = 5000;
    request_fail(c->request, &error, NULL);
}
