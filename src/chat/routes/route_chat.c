/* POST /v1/chat: our own, small protocol for web and mobile clients. */
#include "prepare.h"

#include <stdlib.h>
#include <string.h>

/* What the route takes; anything else is refused, so that a misspelt name is noticed. */
static const char *const known_members[] = {"message",         "coach_id",      "severity", "mode",
                                            "conversation_id", "regenerate_of", "stream",   "cache",
                                            "continue",        "photo_id",      NULL};
#define OPTIONS (known_members + 1) /* all of them but the message */
#define OPTION_MAX 4096             /* bytes */
#define WORD_MAX 40 /* bytes: what is longer is no word, or of a script without spaces */

static bool check_members(struct span body, struct api_error *error)
{
    struct scan s = scan_open(body);
    struct span key, value;
    while (scan_next(&s, &key, &value)) {
        size_t i = 0;
        while (known_members[i] != NULL && !scan_equals(key, known_members[i]))
            i++;
        if (known_members[i] != NULL)
            continue;
        char name[64];
        scan_copy(key, name, sizeof name);
        return api_error(error, 400, "unknown_parameter", name, "unknown parameter \"%s\"", name);
    }
    return true;
}

/* Its text goes to *text, which the wish then borrows. */
static bool read_message(struct chat_wish *wish, struct span item, const struct config *config,
                         struct buf *text, struct api_error *error)
{
    if (item.at == NULL || scan_is(item, "null")) {
        if (wish->regenerate_of[0] != '\0')
            return true;
        return api_error(error, 400, "missing_message", "message", "message is missing");
    }
    if (!scan_is_string(item))
        return api_error(error, 400, "invalid_message", "message", "message must be a text");
    if (!buf_reserve(text, 0) || !scan_text(item, text, NULL))
        return api_error_no_memory(error);
    if (text->data[strspn(text->data, " \t\r\n")] == '\0')
        return api_error(error, 400, "empty_message", "message", "message is empty");
    if (text->len > (size_t)config->max_message_bytes)
        return api_error(error, 400, "message_too_long", "message",
                         "message has %zu bytes; at most %lld are taken", text->len,
                         (long long)config->max_message_bytes);
    wish->message = text->data;
    cache_read_message(&wish->cache, text->data, text->len);
    return true;
}

static bool read_stream(const cJSON *body, bool *stream, struct api_error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "stream");
    if (item != NULL && !cJSON_IsBool(item) && !cJSON_IsNull(item))
        return api_error(error, 400, "invalid_stream", "stream", "stream must be true or false");
    *stream = cJSON_IsTrue(item);
    return true;
}

/* Whether to go on with the answer that is to be replaced, instead of giving another one. */
static bool read_continue(struct chat_wish *wish, const cJSON *body, struct api_error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "continue");
    wish->goes_on = cJSON_IsTrue(item);
    if (item != NULL && !cJSON_IsBool(item) && !cJSON_IsNull(item))
        return api_error(error, 400, "invalid_continue", "continue",
                         "continue must be true or false");
    if (wish->goes_on && (wish->regenerate_of[0] == '\0' || wish->message != NULL))
        return api_error(error, 400, "invalid_continue", "continue",
                         "continue goes with regenerate_of, which says what to go on with, and "
                         "without message");
    return true;
}

/* An answer that is to be gone on with: what was asked, what was said, and what that cites. */
struct begun {
    char *message, *text, *citations; /* owned; citations NULL when there are none */
};

static void begun_release(struct begun *b)
{
    free(b->message);
    free(b->text);
    free(b->citations);
}

static char *copy_value(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? NULL : strdup(PQgetvalue(result, 0, column));
}

/* Reads it, and has the wish ask the same again. */
static bool read_begun(struct route_context *c, struct chat_wish *wish, struct begun *begun,
                       struct api_error *error)
{
    static const struct pg_statement statement = {
        .name = "answer_to_continue",
        .sql = "select user_message, ai_response, citations "
               "from uplift_chat.answer_to_continue($1,$2,$3)",
        .params = 3};
    const char *values[3] = {c->request->who.user_text, wish->regenerate_of,
                             wish->conversation_id[0] != '\0' ? wish->conversation_id : NULL};
    PGresult *result;
    if (!wish->goes_on)
        return true;
    if (!route_query(c, &statement, values, &result, error, NULL))
        return false;
    begun->message = copy_value(result, 0);
    begun->text = copy_value(result, 1);
    begun->citations = copy_value(result, 2);
    bool has_all = begun->message != NULL && begun->text != NULL &&
                   (begun->citations != NULL || PQgetisnull(result, 0, 2));
    PQclear(result);
    wish->message = begun->message;
    return has_all || api_error_no_memory(error);
}

/* A cut mostly falls between words or within one, and the model cannot tell which: without its last
 * word, where words are, the text is gone on with at the beginning of one. */
static size_t whole_words(const char *text)
{
    size_t len = strlen(text), n = len;
    while (n > 0 && len - n < WORD_MAX && strchr(" \n\t", text[n - 1]) == NULL)
        n--;
    return n > 0 && strchr(" \n\t", text[n - 1]) != NULL ? n : len;
}

/* The answer begins with that text, and cites what it cites. */
static bool begin_with(struct chat *chat, const struct begun *begun)
{
    struct buf trace;
    if (begun->text == NULL)
        return true;
    if (!buf_append(&chat->text, begun->text, whole_words(begun->text)))
        return false;
    chat->goes_on_from = chat->text.len;
    if (begun->citations == NULL)
        return true;
    buf_init(&trace, strlen(begun->citations) + 64 + (chat->trace ? strlen(chat->trace) : 0));
    buf_printf(&trace, "{\"citations\":%s", begun->citations);
    if (chat->trace != NULL && strlen(chat->trace) > 2)
        buf_printf(&trace, ",%s", chat->trace + 1);
    else
        buf_putc(&trace, '}');
    char *text = trace.failed ? NULL : buf_steal(&trace);
    buf_release(&trace);
    if (text == NULL)
        return false;
    free(chat->trace);
    chat->trace = text;
    return true;
}

/* A provider that honours "seed" may give the same answer to the same question. Who asks for
 * another one gets another seed, from the end of the new answer's id. */
static void put_seed(struct buf *b, const struct uuid *id)
{
    uint32_t seed = 0;
    for (size_t i = sizeof id->bytes - 4; i < sizeof id->bytes; i++)
        seed = seed << 8 | id->bytes[i];
    buf_printf(b, ",\"seed\":%u", seed & 0x7fffffff);
}

/* The provider's request. A stream is asked for its usage, which otherwise is not sent. */
static bool build_upstream(struct chat *chat, const struct preparation *prepared,
                           const char *message, bool anew)
{
    struct buf b;
    const char *system = chat->system_prompt, *history = prepared->history;
    size_t system_len = system != NULL ? strlen(system) : 0;
    size_t history_len = history != NULL ? strlen(history) : 0;
    size_t message_len = strlen(message);
    chat->user_message = strdup(message);
    if (chat->cache.answer != NULL) /* no provider is asked */
        return chat->user_message != NULL;
    buf_init(&b, 64 * 1024 * 1024);
    /* What is escaped is seldom longer by more than an eighth. */
    buf_reserve(&b, (system_len + message_len) / 8 * 9 + history_len + 512);
    buf_puts(&b, "{\"model\":");
    buf_json_string(&b, chat->model, strlen(chat->model));
    chat->upstream_model_len = b.len;
    buf_puts(&b, ",\"messages\":[");
    if (system != NULL) {
        buf_puts(&b, "{\"role\":\"system\",\"content\":");
        buf_json_string(&b, system, system_len);
        buf_puts(&b, "},");
    }
    if (history_len > 0) {
        buf_append(&b, history, history_len);
        buf_putc(&b, ',');
    }
    buf_puts(&b, "{\"role\":\"user\",\"content\":");
    buf_json_string(&b, message, message_len);
    buf_puts(&b, "}]");
    if (anew)
        put_seed(&b, &chat->id);
    preparation_put_parameters(prepared, &b);
    buf_puts(&b,
             chat->stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}" : "}");
    chat->upstream_body_len = b.len;
    bool good = !b.failed && chat->user_message != NULL;
    chat->upstream_body = buf_steal(&b);
    buf_release(&b);
    return good && chat->upstream_body != NULL;
}

void route_native_chat(struct route_context *c)
{
    struct api_error error;
    struct chat_wish wish = {0};
    struct preparation prepared = {0};
    struct begun begun = {0};
    struct chat *chat = NULL;
    struct span body;
    struct buf text;
    cJSON *options = NULL;
    bool stream = false;
    buf_init(&text, c->request->body_len);
    if (!request_json(c->request, false, &body, &error) || !check_members(body, &error))
        goto out;
    options = json_pick(body, OPTIONS, OPTION_MAX);
    if (options == NULL) {
        api_error_no_memory(&error);
        goto out;
    }
    if (!wish_read(&wish, options, false, &error) ||
        !cache_read_wish(&wish.cache, options, c->services->config, &error) ||
        !read_message(&wish, scan_member(body, "message"), c->services->config, &text, &error) ||
        !read_stream(options, &stream, &error) || !read_continue(&wish, options, &error) ||
        !read_begun(c, &wish, &begun, &error))
        goto out;
    /* What it begins with is of no other answer. */
    if (wish.goes_on)
        wish.cache.mode = CACHE_OFF;
    chat = prepare_chat(c, CHAT_NATIVE, &wish, &prepared, &error);
    if (chat == NULL)
        goto out;
    chat->stream = stream;
    const char *message = wish.message != NULL ? wish.message : prepared.message;
    bool anew = wish.regenerate_of[0] != '\0';
    if (message == NULL || !begin_with(chat, &begun) ||
        !build_upstream(chat, &prepared, message, anew)) {
        api_error_no_memory(&error);
        chat_free(chat);
        chat = NULL;
    }
out:
    cJSON_Delete(options);
    begun_release(&begun);
    buf_release(&text);
    preparation_release(&prepared);
    if (chat != NULL)
        chat_hand_on(c, chat);
    else
        prepare_fail(c, &error, &prepared.left);
}
