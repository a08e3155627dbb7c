/* GET /v1/models and /v1/models/{id}. */
#include "models.h"

#include "job_fault.h"
#include "jobs.h"
#include "reply.h"

#include <string.h>

#define CREATED 1767225600 /* 2026-01-01, as good as any */

static const char *const names[] = {"sim-1", "sim-1-mini", "sim-embedding-1"};

static cJSON *model(const char *id, double created)
{
    cJSON *m = cJSON_CreateObject();
    cJSON_AddStringToObject(m, "id", id);
    cJSON_AddStringToObject(m, "object", "model");
    cJSON_AddNumberToObject(m, "created", created);
    cJSON_AddStringToObject(m, "owned_by", MODELS_OWNER);
    return m;
}

/* One that is there as soon as it is asked for. */
static cJSON *made_up(const char *id)
{
    cJSON *m = model(id, CREATED);
    if (job_fault_of(id) == JOB_FAULT_SHUT_DOWN)
        cJSON_AddStringToObject(m, "shutdown_date", "2026-01-31");
    return m;
}

static cJSON *all_models(void)
{
    cJSON *data = jobs_models();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cJSON_AddItemToArray(data, model(names[i], CREATED));
    return data;
}

void models_list(struct fastcgi_request *r)
{
    cJSON *list = cJSON_CreateObject();
    cJSON_AddStringToObject(list, "object", "list");
    cJSON_AddItemToObject(list, "data", all_models());
    reply_json(r, 200, list);
}

void models_get(struct fastcgi_request *r, const char *id)
{
    cJSON *data = all_models(), *m, *found = NULL;
    cJSON_ArrayForEach (m, data) {
        if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(m, "id")), id) == 0)
            found = m;
    }
    if (found)
        reply_json(r, 200, cJSON_DetachItemViaPointer(data, found));
    else if (strncmp(id, "sim-fault-", 10) == 0 || strncmp(id, "sim-pace-", 9) == 0)
        reply_json(r, 200, made_up(id));
    else
        reply_fail(r, 404, "model_not_found", "model", "the model '%.100s' does not exist", id);
    cJSON_Delete(data);
}
