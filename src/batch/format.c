/* The formats that trainers read, and the check of a line. */
#include "format.h"

#include "common/json.h"
#include "common/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TOKENS_A_MESSAGE 4
#define BYTES_A_TOKEN 4

static const char *const names[EXPORT_FORMATS] = {
    [EXPORT_OPENAI] = "openai",
    [EXPORT_OPENAI_DPO] = "openai-dpo",
    [EXPORT_TRL_DPO] = "trl-dpo",
    [EXPORT_TRL_KTO] = "trl-kto",
};

/* A line being checked. */
struct check {
    int64_t tokens;
    char *wrong;
    size_t room;
};

const char *format_name(enum export_format format)
{
    return names[format];
}

bool format_find(const char *name, enum export_format *out)
{
    for (int i = 0; i < EXPORT_FORMATS; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum export_format)i;
            return true;
        }
    }
    return false;
}

static bool refuse(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(struct check *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    utf8_vprint(c->wrong, c->room, format, args);
    va_end(args);
    return false;
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* Whether an object has no keys but those of a list that ends with NULL. */
static bool check_keys(struct check *c, const cJSON *object, const char *where,
                       const char *const *known)
{
    const cJSON *item;
    if (object != NULL && !cJSON_IsObject(object))
        return refuse(c, "%s is not an object", where);
    cJSON_ArrayForEach (item, object) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], item->string) != 0)
            i++;
        if (known[i] == NULL)
            return refuse(c, "%s has the unknown key %.40s", where, item->string);
    }
    return true;
}

static bool is_role(const char *role)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(role, roles[i]) == 0)
            return true;
    return false;
}

/* What a message holds: text, or, an assistant's, calls of tools. */
static bool check_content(struct check *c, const cJSON *message, const char *where, int at,
                          bool is_assistant)
{
    const cJSON *content = member(message, "content"), *calls = member(message, "tool_calls");
    c->tokens += TOKENS_A_MESSAGE;
    if (calls != NULL && (!is_assistant || !cJSON_IsArray(calls) || calls->child == NULL))
        return refuse(c, "%s[%d].tool_calls is not an assistant's list of calls", where, at);
    if (cJSON_IsString(content)) {
        if (content->valuestring[strspn(content->valuestring, " \t\r\n")] == '\0' && calls == NULL)
            return refuse(c, "%s[%d].content is blank", where, at);
        c->tokens += (int64_t)(strlen(content->valuestring) / BYTES_A_TOKEN);
        return true;
    }
    if (calls != NULL && (content == NULL || cJSON_IsNull(content)))
        return true;
    return refuse(c, "%s[%d].content is not text", where, at);
}

static bool check_weight(struct check *c, const cJSON *message, const char *where, int at,
                         bool is_assistant)
{
    const cJSON *weight = member(message, "weight");
    if (weight == NULL)
        return true;
    if (!is_assistant || !cJSON_IsNumber(weight) ||
        (weight->valuedouble != 0 && weight->valuedouble != 1))
        return refuse(c, "%s[%d].weight is not an assistant's 0 or 1", where, at);
    return true;
}

/* What a list of messages must be beside a list of messages. */
enum shape {
    CONVERSATION, /* ends with the assistant, and has something to learn */
    PROMPT,       /* ends before the assistant */
    COMPLETION,   /* the assistant alone; with tools' answers between, as OpenAI has it */
};

/* Chat templates know one system message, at the beginning, and a user who waits for an answer. */
static bool check_turn(struct check *c, const char *place, const char *role, const char *last_role)
{
    if (strcmp(role, "system") == 0 && *last_role != '\0')
        return refuse(c, "%s is a system message that is not the first", place);
    if (strcmp(role, "user") == 0 && strcmp(last_role, "user") == 0)
        return refuse(c, "%s follows another message of the user", place);
    return true;
}

static bool check_messages(struct check *c, const cJSON *messages, const char *where,
                           enum shape shape)
{
    static const char *const keys[] = {"role",       "content",      "name", "weight",
                                       "tool_calls", "tool_call_id", NULL};
    const cJSON *message;
    const char *role = "", *last_role = "";
    bool learns = false;
    int at = 0;
    if (!cJSON_IsArray(messages) || messages->child == NULL)
        return refuse(c, "%s is not a list of messages, or empty", where);
    cJSON_ArrayForEach (message, messages) {
        char place[80];
        snprintf(place, sizeof place, "%.40s[%d]", where, at);
        role = json_string(message, "role");
        if (role == NULL || !is_role(role))
            return refuse(c, "%s has no known role", place);
        bool is_assistant = strcmp(role, "assistant") == 0;
        if (!check_turn(c, place, role, last_role) || !check_keys(c, message, place, keys) ||
            !check_content(c, message, where, at, is_assistant) ||
            !check_weight(c, message, where, at, is_assistant))
            return false;
        if (shape != CONVERSATION && member(message, "weight") != NULL)
            return refuse(c, "%s has a weight, which only conversations have", place);
        if (shape == COMPLETION && !is_assistant && strcmp(role, "tool") != 0)
            return refuse(c, "%s is not the assistant's", place);
        learns = learns || (is_assistant && json_number(message, "weight", 1) == 1);
        last_role = role;
        at++;
    }
    bool ends_with_assistant = strcmp(role, "assistant") == 0;
    if (shape == PROMPT && (ends_with_assistant || strcmp(role, "system") == 0))
        return refuse(c, "%s ends with the %s", where, role);
    if (shape != PROMPT && !ends_with_assistant)
        return refuse(c, "%s does not end with the assistant", where);
    if (shape == CONVERSATION && !learns)
        return refuse(c, "%s has no answer to learn from", where);
    return true;
}

static bool check_conversation(struct check *c, const cJSON *line)
{
    static const char *const keys[] = {"messages", "tools", "parallel_tool_calls", NULL};
    return check_keys(c, line, "the line", keys) &&
           check_messages(c, member(line, "messages"), "messages", CONVERSATION);
}

/* Two answers to the same prompt, which must differ. */
static bool check_pair(struct check *c, const cJSON *line, const char *better, const char *worse)
{
    if (!check_messages(c, member(line, better), better, COMPLETION) ||
        !check_messages(c, member(line, worse), worse, COMPLETION))
        return false;
    if (cJSON_Compare(member(line, better), member(line, worse), true))
        return refuse(c, "%s and %s are the same", better, worse);
    return true;
}

static bool check_openai_dpo(struct check *c, const cJSON *line)
{
    static const char *const keys[] = {"input", "preferred_output", "non_preferred_output", NULL};
    static const char *const input_keys[] = {"messages", "tools", "parallel_tool_calls", NULL};
    const cJSON *input = member(line, "input");
    return check_keys(c, line, "the line", keys) && check_keys(c, input, "input", input_keys) &&
           check_messages(c, member(input, "messages"), "input.messages", PROMPT) &&
           check_pair(c, line, "preferred_output", "non_preferred_output");
}

static bool check_trl_dpo(struct check *c, const cJSON *line)
{
    static const char *const keys[] = {"prompt", "chosen", "rejected", NULL};
    return check_keys(c, line, "the line", keys) &&
           check_messages(c, member(line, "prompt"), "prompt", PROMPT) &&
           check_pair(c, line, "chosen", "rejected");
}

static bool check_trl_kto(struct check *c, const cJSON *line)
{
    static const char *const keys[] = {"prompt", "completion", "label", NULL};
    if (!check_keys(c, line, "the line", keys) ||
        !check_messages(c, member(line, "prompt"), "prompt", PROMPT) ||
        !check_messages(c, member(line, "completion"), "completion", COMPLETION))
        return false;
    if (!cJSON_IsBool(member(line, "label")))
        return refuse(c, "label is not true or false");
    return true;
}

bool format_check_line(enum export_format format, const char *line, size_t len, int64_t *tokens,
                       char *wrong, size_t room)
{
    static bool (*const checks[EXPORT_FORMATS])(struct check *, const cJSON *) = {
        [EXPORT_OPENAI] = check_conversation,
        [EXPORT_OPENAI_DPO] = check_openai_dpo,
        [EXPORT_TRL_DPO] = check_trl_dpo,
        [EXPORT_TRL_KTO] = check_trl_kto,
    };
    struct check c = {.wrong = wrong, .room = room};
    struct json_error reason;
    bool good;
    cJSON *object = json_parse(line, len, &reason);
    if (object == NULL)
        good = refuse(&c, "it is not valid JSON: %s", reason.message);
    else if (!cJSON_IsObject(object))
        good = refuse(&c, "it is not a JSON object");
    else
        good = checks[format](&c, object);
    if (good && c.tokens > FORMAT_EXAMPLE_TOKENS_MAX)
        good = refuse(&c, "it has about %lld tokens, more than the %d that a trainer reads",
                      (long long)c.tokens, FORMAT_EXAMPLE_TOKENS_MAX);
    cJSON_Delete(object);
    *tokens = c.tokens;
    return good;
}
