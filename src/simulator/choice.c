/* One choice of a completion: the text or tool call that a request gets, and why it ends. */
#include "choice.h"

#include "answer.h"
#include "common/json.h"
#include "meal.h"
#include "reply.h"
#include "schema.h"
#include "tokens.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)64 << 20)
#define LONG_TOKEN 1000 /* bytes a token in the answers of FAULT_LONG */

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* The tool to call: the one that tool_choice names, the first when one is required, one that the
 * message speaks of, or NULL. */
static const cJSON *tool_to_call(const cJSON *request, const struct prompt *p)
{
    const cJSON *choice = member(request, "tool_choice"), *tool;
    const char *mode = cJSON_GetStringValue(choice);
    const char *name = json_string(member(choice, "function"), "name");
    if (mode && strcmp(mode, "none") == 0)
        return NULL;
    bool required = mode && strcmp(mode, "required") == 0;
    cJSON_ArrayForEach (tool, member(request, "tools")) {
        const cJSON *function = member(tool, "function");
        const char *tool_name = json_string(function, "name");
        if (tool_name == NULL)
            continue;
        if (required || (name && strcmp(name, tool_name) == 0))
            return function;
        if (name || p->tool_result.len)
            continue; /* another one is asked for, or the tool has answered already */
        char words[64];
        snprintf(words, sizeof words, "%s", tool_name);
        for (char *word = words; *word;) {
            size_t len = strcspn(word, "_-. ");
            bool last = word[len] == '\0';
            word[len] = '\0';
            if (len >= 4 && piece_has(p->message, word))
                return function;
            word += len + !last;
        }
        if (piece_has(p->message, "use the tool") || piece_has(p->message, "call the tool"))
            return function;
    }
    return NULL;
}

static bool call_tool(struct choice *out, const cJSON *function, const struct prompt *p,
                      struct dice *d)
{
    cJSON *arguments = schema_value(member(function, "parameters"), p, "", d);
    if (member(function, "parameters") == NULL) {
        cJSON_Delete(arguments);
        arguments = cJSON_CreateObject();
    }
    out->tool = strdup(json_string(function, "name"));
    out->arguments = cJSON_PrintUnformatted(arguments);
    cJSON_Delete(arguments);
    snprintf(out->tool_id, sizeof out->tool_id, "call_sim_%016llx%04x",
             (unsigned long long)dice_roll(d, SIZE_MAX), (unsigned)dice_roll(d, 0x10000));
    out->finish_reason = "tool_calls";
    if (out->tool == NULL || out->arguments == NULL)
        return false;
    out->len = strlen(out->arguments);
    out->tokens = token_count(out->arguments, out->len);
    return true;
}

/* Turns the answer into JSON when response_format asks for it. */
static bool format_answer(struct buf *text, const cJSON *request, const struct prompt *p,
                          struct dice *d)
{
    const cJSON *format = member(request, "response_format");
    const char *type = json_string(format, "type");
    if (type == NULL || strcmp(type, "text") == 0)
        return true;
    const cJSON *schema = member(member(format, "json_schema"), "schema");
    cJSON *value =
        meal_is_asked(request) ? meal_value(request) : schema_value(schema, p, text->data, d);
    char *json = cJSON_PrintUnformatted(value);
    cJSON_Delete(value);
    buf_clear(text);
    bool ok = json && buf_puts(text, json);
    cJSON_free(json);
    return ok;
}

static bool write_long(struct buf *text, int64_t bytes)
{
    static const char line[] = "This is a long simulated answer, and this line comes again. ";
    while (!text->failed && text->len < (size_t)bytes)
        buf_puts(text, line);
    if (!text->failed && text->len > (size_t)bytes) {
        text->len = (size_t)bytes;
        text->data[text->len] = '\0';
    }
    return !text->failed;
}

/* Cuts at the first stop sequence. */
static void apply_stop(struct buf *text, const cJSON *stop)
{
    const cJSON *one;
    const char *first = NULL, *found;
    if (cJSON_IsString(stop) && stop->valuestring[0]) {
        first = strstr(text->data, stop->valuestring);
    } else {
        cJSON_ArrayForEach (one, stop) {
            found = cJSON_IsString(one) && one->valuestring[0]
                        ? strstr(text->data, one->valuestring)
                        : NULL;
            if (found && (first == NULL || found < first))
                first = found;
        }
    }
    if (first) {
        text->len = (size_t)(first - text->data);
        text->data[text->len] = '\0';
    }
}

size_t choice_token(const struct choice *c, size_t at)
{
    size_t left = c->len - at;
    if (c->token_max)
        return left < c->token_max ? left : c->token_max;
    return token_len((c->tool ? c->arguments : c->text) + at, left);
}

/* Counts tokens, and cuts where max_tokens ends the answer. */
static void apply_limit(struct choice *c, double max)
{
    size_t at = 0;
    while (at < c->len && (double)c->tokens < max) {
        at += choice_token(c, at);
        c->tokens++;
    }
    if (at < c->len) {
        c->len = at;
        c->text[at] = '\0';
        c->finish_reason = "length";
    }
}

bool choice_make(struct choice *out, const cJSON *request, const struct prompt *p, size_t index,
                 const struct fault *fault)
{
    *out = (struct choice){.finish_reason = "stop"};
    struct dice d = dice_make(p, (uint64_t)(int64_t)json_number(request, "seed", 0) + index);
    const cJSON *function = tool_to_call(request, p);
    if (function)
        return call_tool(out, function, p, &d);
    struct buf text;
    buf_init(&text, ANSWER_MAX);
    bool ok = fault->kind == FAULT_LONG
                  ? write_long(&text, fault->bytes)
                  : answer_write(&text, p, &d) && format_answer(&text, request, p, &d);
    if (ok && buf_reserve(&text, 0)) {
        if (fault->kind == FAULT_LONG)
            out->token_max = LONG_TOKEN;
        apply_stop(&text, member(request, "stop"));
        out->len = text.len;
        out->text = buf_steal(&text);
    }
    buf_release(&text);
    if (out->text == NULL)
        return false;
    apply_limit(out, json_number(request, "max_completion_tokens",
                                 json_number(request, "max_tokens", INFINITY)));
    return true;
}

void choice_release(struct choice *c)
{
    free(c->text);
    free(c->tool);
    cJSON_free(c->arguments);
}
