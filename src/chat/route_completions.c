/* POST /v1/chat/completions: OpenAI's shape, passed through but for what uplift adds. */
#include "prepare.h"
#include "transcript.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 4096
#define MODEL_MAX 256 /* bytes */

/* Our own fields, which no provider knows. */
static const char *const own_fields[] = {"coach_id",        "severity", "mode",
                                         "conversation_id", "cache",    "regenerate_of"};
#define OWN_FIELDS (sizeof own_fields / sizeof own_fields[0])

static bool check_messages(const cJSON *body, struct api_error *error)
{
    const cJSON *messages = cJSON_GetObjectItemCaseSensitive(body, "messages"), *message;
    int count = cJSON_GetArraySize(messages);
    if (!cJSON_IsArray(messages) || count == 0)
        return api_error(error, 400, "invalid_messages", "messages",
                         "messages must be a list with at least one message");
    if (count > MESSAGES_MAX)
        return api_error(error, 400, "too_many_messages", "messages",
                         "messages has %d entries; at most %d are taken", count, MESSAGES_MAX);
    cJSON_ArrayForEach (message, messages) {
        if (!cJSON_IsObject(message) || json_string(message, "role") == NULL)
            return api_error(error, 400, "invalid_messages", "messages",
                             "each message must be an object with a role");
        const cJSON *content = cJSON_GetObjectItemCaseSensitive(message, "content");
        if (content != NULL && !cJSON_IsNull(content) && !cJSON_IsString(content) &&
            !cJSON_IsArray(content))
            return api_error(error, 400, "invalid_messages", "messages",
                             "a message's content must be a text or a list of parts");
    }
    return true;
}

/* A model (NULL: none) that names a coach: "coach_..." as the coaches' ids go, or
 * "uplift/<any coach id>". */
static const char *coach_of_model(const char *model)
{
    if (model == NULL)
        return NULL;
    if (strncmp(model, "uplift/", 7) == 0 && model[7] != '\0')
        return model + 7;
    return strncmp(model, "coach_", 6) == 0 ? model : NULL;
}

static bool check_options(const cJSON *body, bool *stream, bool *usage, struct api_error *error)
{
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(body, "model");
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(body, "n");
    const cJSON *streaming = cJSON_GetObjectItemCaseSensitive(body, "stream");
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(body, "stream_options");
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(body, "metadata");
    if (model != NULL && !cJSON_IsNull(model) &&
        (!cJSON_IsString(model) || model->valuestring[0] == '\0' ||
         strlen(model->valuestring) > MODEL_MAX))
        return api_error(error, 400, "invalid_model", "model",
                         "model must be a text of 1 to %d bytes", MODEL_MAX);
    if (n != NULL && !cJSON_IsNull(n) && !(cJSON_IsNumber(n) && n->valuedouble == 1.0))
        return api_error(error, 400, "unsupported_n", "n",
                         "n must be 1: each answer is recorded and rated by itself");
    if (streaming != NULL && !cJSON_IsBool(streaming) && !cJSON_IsNull(streaming))
        return api_error(error, 400, "invalid_stream", "stream", "stream must be true or false");
    if (options != NULL && !cJSON_IsObject(options) && !cJSON_IsNull(options))
        return api_error(error, 400, "invalid_stream_options", "stream_options",
                         "stream_options must be an object");
    if (metadata != NULL && !cJSON_IsObject(metadata) && !cJSON_IsNull(metadata))
        return api_error(error, 400, "invalid_metadata", "metadata", "metadata must be an object");
    *stream = cJSON_IsTrue(streaming);
    *usage = json_bool(options, "include_usage", false);
    return true;
}

static void drop_own_fields(cJSON *body)
{
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(body, "metadata");
    for (size_t i = 0; i < OWN_FIELDS; i++) {
        cJSON_DeleteItemFromObjectCaseSensitive(body, own_fields[i]);
        cJSON_DeleteItemFromObjectCaseSensitive(metadata, own_fields[i]);
    }
    if (cJSON_IsObject(metadata) && metadata->child == NULL)
        cJSON_DeleteItemFromObjectCaseSensitive(body, "metadata");
}

/* Asks the provider for usage in a stream, whatever the client asked. */
static bool ask_for_usage(cJSON *body)
{
    cJSON *options = cJSON_GetObjectItemCaseSensitive(body, "stream_options");
    if (!cJSON_IsObject(options)) {
        cJSON_DeleteItemFromObjectCaseSensitive(body, "stream_options");
        options = cJSON_AddObjectToObject(body, "stream_options");
    }
    cJSON_DeleteItemFromObjectCaseSensitive(options, "include_usage");
    return cJSON_AddTrueToObject(options, "include_usage") != NULL;
}

/* The coach's prompt goes first, the client's messages follow unchanged. */
static bool put_in_front(cJSON *body, const char *system_prompt)
{
    if (system_prompt == NULL)
        return true;
    cJSON *message = cJSON_CreateObject();
    if (message != NULL && cJSON_AddStringToObject(message, "role", "system") != NULL &&
        cJSON_AddStringToObject(message, "content", system_prompt) != NULL &&
        cJSON_InsertItemInArray(cJSON_GetObjectItemCaseSensitive(body, "messages"), 0, message))
        return true;
    cJSON_Delete(message);
    return false;
}

/* The model goes first, where chat_ask_for finds it. */
static bool put_model_first(cJSON *body, struct chat *chat)
{
    cJSON *item = cJSON_CreateString(chat->model);
    char *printed = item != NULL ? cJSON_PrintUnformatted(item) : NULL;
    cJSON_DeleteItemFromObjectCaseSensitive(body, "model");
    if (printed == NULL || !cJSON_AddItemToObject(body, "model", item)) {
        cJSON_Delete(item);
        cJSON_free(printed);
        return false;
    }
    chat->upstream_model_len = strlen("{\"model\":") + strlen(printed);
    cJSON_free(printed);
    return cJSON_InsertItemInArray(body, 0, cJSON_DetachItemViaPointer(body, item));
}

static bool build_upstream(struct chat *chat, cJSON *body)
{
    drop_own_fields(body);
    if (!put_model_first(body, chat) || (chat->stream && !ask_for_usage(body)) ||
        !put_in_front(body, chat->system_prompt))
        return false;
    chat->upstream_body = cJSON_PrintUnformatted(body);
    if (chat->upstream_body == NULL)
        return false;
    chat->upstream_body_len = strlen(chat->upstream_body);
    return true;
}

/* The chat ready for the relay, or NULL with *error. */
static struct chat *make_chat(struct route_context *c, cJSON *body, struct limit_left *left,
                              struct api_error *error)
{
    struct chat_wish wish = {0};
    struct preparation prepared = {0};
    bool stream = false, usage = false;
    if (!check_options(body, &stream, &usage, error) || !check_messages(body, error) ||
        !wish_read(&wish, body, false, error) ||
        !wish_read(&wish, cJSON_GetObjectItemCaseSensitive(body, "metadata"), true, error) ||
        !cache_read_wish(&wish.cache, body, c->worker->config, error))
        return NULL;
    /* Without one, or by the name of a coach, it is for the server to choose. */
    const char *model = json_string(body, "model"), *coach = coach_of_model(model);
    if (wish.coach_id == NULL)
        wish.coach_id = coach;
    wish.model = coach == NULL ? model : NULL;
    const struct model_asker who = {.user = c->request->who.user_text,
                                    .coach_id = wish.coach_id,
                                    .api_key = c->request->who.key_id};
    if (wish.model != NULL &&
        !model_access_allows(c->worker->access, &who, wish.model, true, error))
        return NULL;

    char *user_message, *rest;
    if (!transcript_read(body, &user_message, &rest)) {
        api_error(error, 503, "out_of_memory", "", "the server is out of memory; try again");
        return NULL;
    }
    wish.message = user_message;
    wish.bytes = c->request->body_len - strlen(user_message); /* which it holds */
    cache_read_parameters(&wish.cache, body);
    struct chat *chat = prepare_chat(c, CHAT_OPENAI, &wish, &prepared, error);
    *left = prepared.left;
    if (chat == NULL) {
        free(user_message);
        free(rest);
        return NULL;
    }
    chat->user_message = user_message;
    chat->request_messages = rest;
    chat->stream = stream;
    chat->client_wants_usage = usage;
    bool good = true;
    if (wish.model != NULL && !prepared.is_model_fixed) {
        free(chat->model);
        chat->model = strdup(wish.model);
        good = chat->model != NULL;
    }
    good = good && (chat->cache.answer != NULL || build_upstream(chat, body));
    preparation_release(&prepared);
    if (!good) {
        api_error(error, 503, "out_of_memory", "", "the server is out of memory; try again");
        chat_free(chat);
        return NULL;
    }
    return chat;
}

void route_completions(struct route_context *c)
{
    struct api_error error;
    struct chat *chat = NULL;
    struct limit_left left = {0};
    cJSON *body = request_json_body(c->request, &error);
    if (body != NULL)
        chat = make_chat(c, body, &left, &error);
    cJSON_Delete(body);
    if (chat != NULL)
        chat_hand_on(c, chat);
    else
        prepare_fail(c, &error, &left);
}
