/* Training files: JSON lines in OpenAI's formats for supervised fine-tuning and for DPO. */
#include "training.h"

#include "common/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool refuse(struct training *t, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct training *t, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(t->message, sizeof t->message, format, args);
    va_end(args);
    snprintf(t->code, sizeof t->code, "%s", code);
    return false;
}

/* A non-empty array of messages; with an assistant's among them when that is asked for. */
static const char *check_messages(const cJSON *messages, bool needs_assistant)
{
    static const char *const roles[] = {"system",    "developer", "user",
                                        "assistant", "tool",      "function"};
    const cJSON *message;
    bool has_assistant = false;
    if (!cJSON_IsArray(messages) || messages->child == NULL)
        return "must be a non-empty array of messages";
    cJSON_ArrayForEach (message, messages) {
        const char *role = json_string(message, "role");
        const cJSON *content = member(message, "content"), *weight = member(message, "weight");
        size_t i = 0;
        while (role && i < sizeof roles / sizeof roles[0] && strcmp(role, roles[i]) != 0)
            i++;
        if (role == NULL || i == sizeof roles / sizeof roles[0])
            return "has a message without a known role";
        bool assistant = strcmp(role, "assistant") == 0;
        has_assistant = has_assistant || assistant;
        if (!cJSON_IsString(content) && !cJSON_IsArray(content) &&
            !(assistant && member(message, "tool_calls")))
            return "has a message without content";
        if (weight && !(assistant && cJSON_IsNumber(weight) &&
                        (weight->valueint == 0 || weight->valueint == 1)))
            return "has a weight that is not 0 or 1 on an assistant's message";
    }
    return needs_assistant && !has_assistant ? "has no message of the assistant" : NULL;
}

static bool check_example(const cJSON *example, bool dpo, size_t line, struct training *t)
{
    const char *wrong;
    if (!cJSON_IsObject(example))
        return refuse(t, "invalid_file_format", "Line %zu is not a JSON object", line);
    if (!dpo) {
        wrong = check_messages(member(example, "messages"), true);
        return wrong == NULL ||
               refuse(t, "invalid_file_format", "Line %zu: messages %s", line, wrong);
    }
    wrong = check_messages(member(member(example, "input"), "messages"), false);
    if (wrong)
        return refuse(t, "invalid_file_format", "Line %zu: input.messages %s", line, wrong);
    static const char *const outputs[] = {"preferred_output", "non_preferred_output"};
    for (size_t i = 0; i < 2; i++) {
        wrong = check_messages(member(example, outputs[i]), true);
        if (wrong)
            return refuse(t, "invalid_file_format", "Line %zu: %s %s", line, outputs[i], wrong);
    }
    return true;
}

bool training_read(const struct buf *file, bool dpo, struct training *out)
{
    const char *at = file->data, *end = at + file->len;
    *out = (struct training){.examples = 0};
    for (size_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        if (len > 0 && !(len == 1 && at[0] == '\r')) {
            struct json_error error;
            cJSON *example = json_parse(at, len, &error);
            if (example == NULL)
                return refuse(out, "invalid_file_format", "Line %zu is not valid JSON: %s", line,
                              error.message);
            bool ok = check_example(example, dpo, line, out);
            cJSON_Delete(example);
            if (!ok)
                return false;
            out->examples++;
            out->tokens += (len + 3) / 4;
        }
        at += len + (stop != NULL);
    }
    if (out->examples < TRAINING_EXAMPLES_MIN)
        return refuse(out, "invalid_n_examples",
                      "Training file has %zu example(s), but must have at least %d examples",
                      out->examples, TRAINING_EXAMPLES_MIN);
    return true;
}
