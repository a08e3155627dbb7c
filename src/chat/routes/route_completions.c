/* POST /v1/chat/completions: OpenAI's shape, passed through but for what uplift adds. */
#include "prepare.h"
#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 4096
#define MODEL_MAX 256     /* bytes */
#define ASKED_ROOM 160    /* bytes of a list of parameters */
#define MEMBER_MAX 4096   /* bytes of any member that is looked at, messages aside */
#define HEAD_BYTES 262144 /* what goes before the client's own messages, beside a prompt */

/* Our own fields, which no provider knows. */
static const char *const own_fields[] = {"coach_id", "severity",      "mode", "conversation_id",
                                         "cache",    "regenerate_of", NULL};

static bool is_own(struct span key)
{
    for (size_t i = 0; own_fields[i] != NULL; i++)
        if (scan_equals(key, own_fields[i]))
            return true;
    return false;
}

/* What is looked at of a request; all else goes to the provider as it came. */
struct asked {
    struct span body, messages, metadata;
    cJSON *fields;      /* the small members; owned */
    cJSON *in_metadata; /* our own fields there; owned */
};

static bool read_asked(struct asked *a, struct span body)
{
    static const char *const names[] = {
        "model",    "n",    "stream",          "stream_options", "coach_id",
        "severity", "mode", "conversation_id", "cache",          "regenerate_of",
        NULL};
    *a = (struct asked){.body = body};
    a->messages = scan_member(body, "messages");
    a->metadata = scan_member(body, "metadata");
    a->fields = json_pick(body, names, MEMBER_MAX);
    a->in_metadata = json_pick(a->metadata, own_fields, MEMBER_MAX);
    return a->fields != NULL && a->in_metadata != NULL;
}

static void release_asked(struct asked *a)
{
    cJSON_Delete(a->fields);
    cJSON_Delete(a->in_metadata);
}

static bool check_message(struct span message, size_t at, const struct config *config,
                          struct api_error *error)
{
    if (!scan_is_object(message) || !scan_is_string(scan_member(message, "role")))
        return api_error(error, 400, "invalid_messages", "messages",
                         "each message must be an object with a role");
    struct span content = scan_member(message, "content");
    if (content.at != NULL && !scan_is(content, "null") && !scan_is_string(content) &&
        !scan_is_array(content))
        return api_error(error, 400, "invalid_messages", "messages",
                         "a message's content must be a text or a list of parts");
    size_t bytes = message.len <= (size_t)config->max_message_bytes ? 0 : transcript_bytes(message);
    return bytes <= (size_t)config->max_message_bytes ||
           api_error(error, 400, "message_too_long", "messages",
                     "messages[%zu] has %zu bytes without its images and files; at most %lld are "
                     "taken",
                     at, bytes, (long long)config->max_message_bytes);
}

static bool check_messages(struct span messages, const struct config *config,
                           struct api_error *error)
{
    struct scan s = scan_open(messages);
    struct span message;
    size_t count = 0;
    while (scan_is_array(messages) && scan_next(&s, NULL, &message))
        count++;
    if (count == 0)
        return api_error(error, 400, "invalid_messages", "messages",
                         "messages must be a list with at least one message");
    if (count > MESSAGES_MAX)
        return api_error(error, 400, "too_many_messages", "messages",
                         "messages has %zu entries; at most %d are taken", count, MESSAGES_MAX);
    s = scan_open(messages);
    for (size_t at = 0; scan_next(&s, NULL, &message); at++)
        if (!check_message(message, at, config, error))
            return false;
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

static bool check_options(const struct asked *a, bool *stream, bool *usage, struct api_error *error)
{
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(a->fields, "model");
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(a->fields, "n");
    const cJSON *streaming = cJSON_GetObjectItemCaseSensitive(a->fields, "stream");
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(a->fields, "stream_options");
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
                         "stream_options must be an object of at most %d bytes", MEMBER_MAX);
    if (a->metadata.at != NULL && !scan_is_object(a->metadata) && !scan_is(a->metadata, "null"))
        return api_error(error, 400, "invalid_metadata", "metadata", "metadata must be an object");
    *stream = cJSON_IsTrue(streaming);
    *usage = json_bool(options, "include_usage", false);
    return true;
}

/* --- what goes to the provider --- */

static void put_member(struct buf *b, struct span key, struct span value)
{
    buf_append(b, key.at, key.len);
    buf_putc(b, ':');
    buf_append(b, value.at, value.len);
}

/* Appends ,"metadata":{...} without our own fields; nothing when nothing else is there. */
static void put_metadata(struct buf *b, struct span metadata)
{
    struct scan s = scan_open(metadata);
    struct span key, value;
    const char *before = ",\"metadata\":{";
    if (!scan_is_object(metadata)) {
        buf_puts(b, ",\"metadata\":null");
        return;
    }
    while (scan_next(&s, &key, &value)) {
        if (is_own(key))
            continue;
        buf_puts(b, before);
        before = ",";
        put_member(b, key, value);
    }
    if (*before == ',' && before[1] == '\0')
        buf_putc(b, '}');
}

/* Asks the provider for usage in a stream, whatever the client asked. */
static void put_stream_options(struct buf *b, struct span options)
{
    struct scan s = scan_open(options);
    struct span key, value;
    buf_puts(b, ",\"stream_options\":{\"include_usage\":true");
    while (s.in_object && scan_next(&s, &key, &value)) {
        if (scan_equals(key, "include_usage"))
            continue;
        buf_putc(b, ',');
        put_member(b, key, value);
    }
    buf_putc(b, '}');
}

/* The coach's prompt goes first, the client's messages follow unchanged. */
static void put_messages(struct buf *b, struct span messages, const char *system_prompt)
{
    buf_puts(b, ",\"messages\":");
    if (system_prompt == NULL) {
        buf_append(b, messages.at, messages.len);
        return;
    }
    buf_puts(b, "[{\"role\":\"system\",\"content\":");
    buf_json_string(b, system_prompt, strlen(system_prompt));
    buf_puts(b, "},");
    buf_append(b, messages.at + 1, messages.len - 1);
}

/* The model goes first, where chat_ask_for finds it; what is not ours follows as it came. */
static bool build_upstream(struct chat *chat, const struct asked *a,
                           const struct preparation *prepared)
{
    struct scan s = scan_open(a->body);
    struct span key, value;
    const char *prompt = chat->system_prompt;
    size_t prompt_len = prompt != NULL ? strlen(prompt) : 0;
    struct buf b;
    buf_init(&b, a->body.len + 6 * prompt_len + HEAD_BYTES);
    buf_reserve(&b, a->body.len + prompt_len / 8 * 9 + 512);
    buf_puts(&b, "{\"model\":");
    buf_json_string(&b, chat->model, strlen(chat->model));
    chat->upstream_model_len = b.len;
    while (scan_next(&s, &key, &value)) {
        if (is_own(key) || scan_equals(key, "model") ||
            (chat->stream && scan_equals(key, "stream_options"))) {
            continue;
        } else if (scan_equals(key, "messages")) {
            put_messages(&b, value, prompt);
        } else if (scan_equals(key, "metadata")) {
            put_metadata(&b, value);
        } else {
            buf_putc(&b, ',');
            put_member(&b, key, value);
        }
    }
    preparation_put_parameters(prepared, &b);
    if (chat->stream)
        put_stream_options(&b, scan_member(a->body, "stream_options"));
    buf_putc(&b, '}');
    chat->upstream_body_len = b.len;
    chat->upstream_body = b.failed ? NULL : buf_steal(&b);
    buf_release(&b);
    return chat->upstream_body != NULL;
}

/* --- the whole --- */

/* What is asked for, without the text of the messages. */
static bool read_wish(struct chat_wish *wish, const struct asked *a, const struct config *config,
                      struct api_error *error)
{
    if (!wish_read(wish, a->fields, false, error) ||
        !wish_read(wish, a->in_metadata, true, error) ||
        !cache_read_wish(&wish->cache, a->fields, config, error))
        return false;
    /* Without one, or by the name of a coach, it is for the server to choose. */
    const char *model = json_string(a->fields, "model"), *coach = coach_of_model(model);
    if (wish->coach_id == NULL)
        wish->coach_id = coach;
    wish->model = coach == NULL ? model : NULL;
    wish->message = "";
    wish->bytes = a->body.len;
    return true;
}

/* Which of the parameters that an experiment may set the client sets itself; false for none. */
static bool list_asked(struct span body, char out[ASKED_ROOM])
{
    static const struct {
        const char *member, *name;
    } parameters[] = {
        {"temperature", "temperature"},
        {"top_p", "top_p"},
        {"max_tokens", "max_tokens"},
        {"max_completion_tokens", "max_tokens"},
        {"presence_penalty", "presence_penalty"},
        {"frequency_penalty", "frequency_penalty"},
    };
    size_t len = 0;
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        struct span value = scan_member(body, parameters[i].member);
        if (value.at != NULL)
            len += (size_t)snprintf(out + len, ASKED_ROOM - len, "%s\"%s\"", len == 0 ? "[" : ",",
                                    parameters[i].name);
    }
    if (len == 0)
        return false;
    snprintf(out + len, ASKED_ROOM - len, "]");
    return true;
}

/* Whether the model that is named, if one is, may be used by who asks. */
static bool may_ask_for(const struct route_context *c, const struct chat_wish *wish,
                        struct api_error *error)
{
    const struct model_asker who = {.user = c->request->who.user_text,
                                    .coach_id = wish->coach_id,
                                    .api_key = c->request->who.key_id};
    return wish->model == NULL ||
           model_access_allows(c->services->access, &who, wish->model, true, error);
}

/* Fills in what the relay needs beside what was prepared. */
static bool complete_chat(const struct asked *a, const struct preparation *prepared,
                          struct chat *chat)
{
    return (chat->user_message != NULL ||
            transcript_read(a->body, &chat->user_message, &chat->request_messages)) &&
           (chat->cache.answer != NULL || build_upstream(chat, a, prepared));
}

/*
 * The chat ready for the relay, or NULL with *error. The messages are read after it was prepared,
 * when it is known that it may go on, except where the cache, or the search for what a coach knows,
 * wants the question.
 */
static struct chat *make_chat(struct route_context *c, const struct asked *a,
                              struct limit_left *left, struct api_error *error)
{
    const struct config *config = c->services->config;
    struct chat_wish wish = {0};
    struct preparation prepared = {0};
    char *question = NULL, *rest = NULL;
    bool stream = false, usage = false;
    char asked[ASKED_ROOM];
    if (!check_options(a, &stream, &usage, error) || !check_messages(a->messages, config, error) ||
        !read_wish(&wish, a, config, error) || !may_ask_for(c, &wish, error))
        return NULL;
    if (wish.coach_id != NULL && list_asked(a->body, asked))
        wish.asked = asked;
    if (wish.cache.mode != CACHE_OFF || wish.coach_id != NULL) {
        if (!transcript_read(a->body, &question, &rest)) {
            api_error_no_memory(error);
            return NULL;
        }
        wish.message = question;
        wish.bytes -= strlen(question); /* which the body holds */
        if (wish.cache.mode != CACHE_OFF)
            cache_read_parameters(&wish.cache, a->body);
    }
    struct chat *chat = prepare_chat(c, CHAT_OPENAI, &wish, &prepared, error);
    *left = prepared.left;
    if (chat == NULL) {
        free(question);
        free(rest);
        return NULL;
    }
    chat->user_message = question;
    chat->request_messages = rest;
    chat->stream = stream;
    chat->client_wants_usage = usage;
    bool good = complete_chat(a, &prepared, chat);
    preparation_release(&prepared);
    if (!good) {
        api_error_no_memory(error);
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
    struct span body;
    if (request_json(c->request, true, &body, &error)) {
        struct asked asked;
        if (read_asked(&asked, body))
            chat = make_chat(c, &asked, &left, &error);
        else
            api_error_no_memory(&error);
        release_asked(&asked);
    }
    if (chat != NULL)
        chat_hand_on(c, chat);
    else
        prepare_fail(c, &error, &left);
}
