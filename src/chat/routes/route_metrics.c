/* GET /metrics: the figures of all workers, for Prometheus. nginx lets only near networks ask. */
#include "route.h"

#include "common/clock.h"
#include "routes.h"

#include <string.h>

#define TEXT_MAX ((size_t)16 * 1024 * 1024)

void route_metrics(struct route_context *c)
{
    struct services *w = c->services;
    struct buf text;
    struct api_error error;
    cJSON *gauges = sync_gauges(w->sync);
    struct metrics_more more = {
        .breakers = &w->shared->breakers,
        .now_ms = clock_ms(),
        .budgets = cJSON_GetObjectItemCaseSensitive(gauges, "budgets"),
        .unpriced = cJSON_GetObjectItemCaseSensitive(gauges, "unpriced_models"),
        .predictions = cJSON_GetObjectItemCaseSensitive(gauges, "predictions"),
        .experiments = cJSON_GetObjectItemCaseSensitive(gauges, "experiments"),
        .rollouts = cJSON_GetObjectItemCaseSensitive(gauges, "rollouts"),
        .autopilot = cJSON_GetObjectItemCaseSensitive(gauges, "autopilot"),
        .queues = cJSON_GetObjectItemCaseSensitive(gauges, "queues"),
    };
    struct search_state shelves[SHELVES];
    if (search_has_copies(w->search)) {
        search_state(w->search, shelves);
        more.shelves = shelves;
    }
    more.endpoints = routes_names(&more.endpoint_count);
    buf_init(&text, TEXT_MAX);
    metrics_write(w->shared->metrics, &more, &text);
    cJSON_Delete(gauges);
    if (!text.failed) {
        request_reply(c->request, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, text.data,
                      text.len);
    } else {
        api_error_no_memory(&error);
        request_fail(c->request, &error, NULL);
    }
    buf_release(&text);
}
