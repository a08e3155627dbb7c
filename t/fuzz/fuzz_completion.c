/* Fuzzes what the relay does with a provider's JSON: whatever comes, what goes on is valid JSON,
 * and what json_parse takes the scanner takes too. */
#include "chat/protocol/completion.h"
#include "chat/protocol/message.h"
#include "chat/protocol/native.h"
#include "chat/protocol/openai.h"
#include "chat/protocol/usage.h"
#include "chat/provider/failure.h"
#include "common/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct chat *make_chat(void)
{
    static const char id[] = "01890000-0000-7000-8000-00000000000a";
    struct chat *chat = chat_new(NULL);
    if (chat == NULL)
        abort();
    memcpy(chat->id_text, id, sizeof id);
    memcpy(chat->conversation_text, id, sizeof id);
    chat->model = strdup("m");
    return chat;
}

static void must_be_json(const char *text, size_t len)
{
    struct span value;
    if (!scan_check(text, len, &value))
        abort();
}

/* And what Postgres takes as jsonb. */
static void must_be_storable(const char *text, size_t len)
{
    struct json_error error;
    must_be_json(text, len);
    cJSON *tree = json_parse(text, len, &error);
    if (tree == NULL &&
        (strstr(error.message, "NUL") != NULL || strstr(error.message, "UTF-8") != NULL ||
         strstr(error.message, "surrogate") != NULL))
        abort();
    cJSON_Delete(tree);
}

static void pass_on(const struct completion *c, struct buf *out)
{
    static struct chat *chat;
    if (chat == NULL)
        chat = make_chat();
    struct message message;
    message_init(&message, 100000);
    message_add(&message, c->message);
    for (unsigned kind = 0; kind < 64; kind++) {
        const struct openai_form form = {.is_chunk = kind & 1,
                                         .parts = kind >> 1,
                                         .calls = kind % 3 == 0 ? &message : NULL,
                                         .model = kind % 5 == 0 ? "another" : NULL};
        buf_clear(out);
        if (!openai_completion(out, chat, c, &form) || memchr(out->data, '\n', out->len))
            abort();
        must_be_json(out->data, out->len);
    }
    message_release(&message);
}

static void gather(const struct completion *c, struct buf *out)
{
    struct message message;
    message_init(&message, 100000);
    message_add(&message, c->message);
    message_add(&message, c->message);
    buf_clear(out);
    if (message_json(&message, out)) {
        must_be_storable(out->data, out->len);
    }
    message_release(&message);
}

/* Figures and words. */
static void learn(const struct completion *c)
{
    struct usage usage = {0};
    struct failure failure;
    if (usage_read(c->usage, &usage) &&
        (usage.prompt < 0 || usage.completion < 0 || usage.prompt > USAGE_MAX ||
         usage.completion > USAGE_MAX || usage.cached > usage.prompt))
        abort();
    failure_of_object(c->error, &failure);
    if (failure.error.status < 400 || failure.error.status > 599)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct completion c;
    struct json_error error;
    struct buf out;
    char *text = malloc(size > 0 ? size : 1); /* so that a read past its end is noticed */
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    bool taken = completion_read(&c, text, size, size % 2 ? COMPLETION_CHUNK : COMPLETION_WHOLE);
    cJSON *tree = json_parse(text, size, &error);
    if (cJSON_IsObject(tree) && !taken)
        abort();
    cJSON_Delete(tree);
    buf_init(&out, 1 << 24);
    if (taken) {
        pass_on(&c, &out);
        gather(&c, &out);
        learn(&c);
    }
    buf_release(&out);
    free(text);
    return 0;
}
