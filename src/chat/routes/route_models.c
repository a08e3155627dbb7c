/* GET /v1/models and /v1/models/{id}: the models that the caller may name, and each coach as one.
 */
#include "route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATED 1762214400 /* 2025-11-04: neither models nor coaches say when they were made */

static cJSON *add_model(cJSON *list, const char *id, size_t len, const char *owner)
{
    char name[257];
    if (len == 0 || len >= sizeof name)
        return NULL;
    memcpy(name, id, len);
    name[len] = '\0';
    cJSON *model = cJSON_CreateObject();
    cJSON_AddStringToObject(model, "id", name);
    cJSON_AddStringToObject(model, "object", "model");
    cJSON_AddNumberToObject(model, "created", CREATED);
    cJSON_AddStringToObject(model, "owned_by", owner);
    cJSON_AddItemToArray(list, model);
    return model;
}

/* Each coach. One whose id does not say that it is one is listed under the name that
 * does. */
static void add_coaches(struct route_context *c, cJSON *list)
{
    struct api_error error;
    bool degraded;
    char *json = route_list_coaches(c, &degraded, &error); /* without them there are still models */
    cJSON *coaches = json != NULL ? cJSON_Parse(json) : NULL;
    const cJSON *coach;
    cJSON_ArrayForEach (coach, cJSON_GetObjectItemCaseSensitive(coaches, "data")) {
        const char *id = json_string(coach, "id");
        char name[257];
        if (id == NULL || strlen(id) > 200)
            continue;
        int n =
            snprintf(name, sizeof name, "%s%s", strncmp(id, "coach_", 6) == 0 ? "" : "uplift/", id);
        add_model(list, name, (size_t)n, "uplift");
    }
    cJSON_Delete(coaches);
    free(json);
}

static void add_provided(void *list, const char *name)
{
    add_model(list, name, strlen(name), "provider");
}

static cJSON *list_models(struct route_context *c)
{
    cJSON *list = cJSON_CreateArray();
    const struct model_asker who = {.user = c->request->who.user_text,
                                    .api_key = c->request->who.key_id};
    model_access_each(c->services->access, &who, add_provided, list);
    add_coaches(c, list);
    return list;
}

static void reply(struct route_context *c, const cJSON *value)
{
    struct api_error error;
    char *text = cJSON_PrintUnformatted(value);
    if (text != NULL) {
        request_reply(c->request, 200, "application/json", NULL, text, strlen(text));
    } else {
        api_error_no_memory(&error);
        request_fail(c->request, &error, NULL);
    }
    free(text);
}

void route_models(struct route_context *c)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddStringToObject(answer, "object", "list");
    cJSON_AddItemToObject(answer, "data", list_models(c));
    reply(c, answer);
    cJSON_Delete(answer);
}

void route_model(struct route_context *c)
{
    cJSON *list = list_models(c);
    const cJSON *model;
    cJSON_ArrayForEach (model, list) {
        const char *id = json_string(model, "id");
        if (id != NULL && strcmp(id, c->name) == 0) { /* NULL: memory ran out */
            reply(c, model);
            cJSON_Delete(list);
            return;
        }
    }
    cJSON_Delete(list);
    struct api_error error;
    api_error(&error, 404, "model_not_found", "model",
              "The model '%.200s' does not exist or you do not have access to it.", c->name);
    error.type = "invalid_request_error";
    request_fail(c->request, &error, NULL);
}
