/* What is kept of an answer; see cached_answer.h. */
#include "cached_answer.h"

#include "common/json.h"
#include "common/json_scan.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* Whether what had to be copied was. */
static struct cached_answer *checked(struct cached_answer *c, bool has_model, bool has_message)
{
    if (c->text != NULL && (c->model != NULL) == has_model && (c->message != NULL) == has_message)
        return c;
    cached_free(c);
    return NULL;
}

struct cached_answer *cached_read(const char *json)
{
    struct json_error wrong;
    struct cached_answer *c = calloc(1, sizeof *c);
    cJSON *object = c != NULL ? json_parse(json, strlen(json), &wrong) : NULL;
    const char *id = json_string(object, "source_answer_id");
    const char *model = json_string(object, "model_used");
    const char *provider = json_string(object, "provider");
    const char *finish_reason = json_string(object, "finish_reason");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(object, "response_message");
    if (id == NULL) {
        cJSON_Delete(object);
        free(c);
        return NULL;
    }
    snprintf(c->source_id, sizeof c->source_id, "%s", id);
    utf8_copy(c->provider, sizeof c->provider, provider);
    utf8_copy(c->finish_reason, sizeof c->finish_reason,
              finish_reason != NULL ? finish_reason : "stop");
    c->text = copy(json_string(object, "text"));
    c->model = copy(model);
    c->message = cJSON_IsObject(message) ? cJSON_PrintUnformatted(message) : NULL;
    c->prompt_tokens = (int64_t)json_number(object, "prompt_tokens", 0);
    c->completion_tokens = (int64_t)json_number(object, "completion_tokens", 0);
    c->cached_tokens = (int64_t)json_number(object, "cached_tokens", 0);
    c = checked(c, model != NULL, cJSON_IsObject(message));
    cJSON_Delete(object);
    return c;
}

bool cached_fits(const struct chat *chat)
{
    static const char *const more[] = {"tool_calls", "function_call", "audio", "refusal"};
    struct span message;
    if (chat->outcome != CHAT_COMPLETE || chat->recorded == CHAT_NOT_RECORDED ||
        chat->error.status != 0 || chat->degraded || chat->text.len == 0 ||
        strcmp(chat->finish_reason, "stop") != 0)
        return false;
    if (chat->response_message == NULL ||
        !scan_check(chat->response_message, strlen(chat->response_message), &message))
        return true;
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (scan_member(message, more[i]).at != NULL)
            return false;
    return true;
}

struct cached_answer *cached_copy(const struct chat *chat)
{
    struct cached_answer *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    memcpy(c->source_id, chat->id_text, sizeof c->source_id);
    memcpy(c->provider, chat->provider, sizeof c->provider);
    memcpy(c->finish_reason, chat->finish_reason, sizeof c->finish_reason);
    c->text = copy(chat->text.data != NULL ? chat->text.data : "");
    c->model = copy(chat->model_used);
    c->message = copy(chat->response_message);
    c->prompt_tokens = chat->prompt_tokens;
    c->completion_tokens = chat->completion_tokens;
    c->cached_tokens = chat->cached_tokens;
    return checked(c, chat->model_used != NULL, chat->response_message != NULL);
}

void cached_free(struct cached_answer *c)
{
    if (c == NULL)
        return;
    free(c->text);
    free(c->model);
    free(c->message);
    free(c);
}
