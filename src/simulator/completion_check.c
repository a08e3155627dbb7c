/* Checks of a chat completion request, as strict as OpenAI's. */
#include "completion_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const cJSON *member(const cJSON *object, const char *key)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNull(m) ? NULL : m;
}

static bool check_number(const cJSON *request, const char *key, double low, double high, bool whole,
                         struct api_error *e)
{
    const cJSON *n = member(request, key);
    if (n == NULL)
        return true;
    if (!cJSON_IsNumber(n) || (whole && n->valuedouble != floor(n->valuedouble)))
        return api_error(e, 400, "invalid_type", key, "'%s' must be %s", key,
                         whole ? "an integer" : "a number");
    if (n->valuedouble < low)
        return api_error(e, 400, whole ? "integer_below_min_value" : "decimal_below_min_value", key,
                         "'%s' must be at least %g", key, low);
    if (n->valuedouble > high)
        return api_error(e, 400, whole ? "integer_above_max_value" : "decimal_above_max_value", key,
                         "'%s' must be at most %g", key, high);
    return true;
}

static bool check_bool(const cJSON *request, const char *key, struct api_error *e)
{
    const cJSON *b = member(request, key);
    if (b && !cJSON_IsBool(b))
        return api_error(e, 400, "invalid_type", key, "'%s' must be true or false", key);
    return true;
}

static bool check_content(const cJSON *content, int index, struct api_error *e)
{
    char param[48];
    const cJSON *part;
    snprintf(param, sizeof param, "messages.[%d].content", index);
    if (content == NULL || cJSON_IsString(content))
        return true;
    if (!cJSON_IsArray(content))
        return api_error(e, 400, "invalid_type", param,
                         "'%s' must be a string or an array of parts", param);
    cJSON_ArrayForEach (part, content) {
        if (!cJSON_IsString(member(part, "type")))
            return api_error(e, 400, "missing_required_parameter", param,
                             "every part of '%s' needs a type", param);
    }
    return true;
}

static bool check_message(const cJSON *message, int index, struct api_error *e)
{
    static const char *const roles[] = {"system",    "developer", "user",
                                        "assistant", "tool",      "function"};
    char param[48];
    const cJSON *role = member(message, "role");
    snprintf(param, sizeof param, "messages.[%d].role", index);
    if (!cJSON_IsObject(message))
        return api_error(e, 400, "invalid_type", "messages", "message %d is not an object", index);
    if (!cJSON_IsString(role))
        return api_error(e, 400, "missing_required_parameter", param,
                         "missing required parameter '%s'", param);
    size_t i = 0;
    while (i < sizeof roles / sizeof roles[0] && strcmp(roles[i], role->valuestring) != 0)
        i++;
    if (i == sizeof roles / sizeof roles[0])
        return api_error(e, 400, "invalid_value", param, "'%.40s' is not a role",
                         role->valuestring);
    const cJSON *content = member(message, "content");
    if (content == NULL && strcmp(role->valuestring, "assistant") != 0) {
        snprintf(param, sizeof param, "messages.[%d].content", index);
        return api_error(e, 400, "missing_required_parameter", param,
                         "missing required parameter '%s'", param);
    }
    if (strcmp(role->valuestring, "tool") == 0 && !cJSON_IsString(member(message, "tool_call_id")))
        return api_error(e, 400, "missing_required_parameter", "messages",
                         "message %d has role tool but no tool_call_id", index);
    return check_content(content, index, e);
}

static bool check_tools(const cJSON *request, struct api_error *e)
{
    const cJSON *tools = member(request, "tools"), *tool;
    if (tools == NULL)
        return member(request, "tool_choice") == NULL ||
               api_error(e, 400, NULL, "tool_choice",
                         "'tool_choice' is only allowed when 'tools' are specified");
    if (!cJSON_IsArray(tools) || tools->child == NULL)
        return api_error(e, 400, "empty_array", "tools", "'tools' must be an array of tools");
    cJSON_ArrayForEach (tool, tools) {
        if (!cJSON_IsString(member(member(tool, "function"), "name")))
            return api_error(e, 400, "missing_required_parameter", "tools",
                             "every tool needs a function with a name");
    }
    return true;
}

static bool check_stop(const cJSON *request, struct api_error *e)
{
    const cJSON *stop = member(request, "stop"), *one;
    if (stop == NULL || cJSON_IsString(stop))
        return true;
    if (!cJSON_IsArray(stop) || cJSON_GetArraySize(stop) > 4)
        return api_error(e, 400, "invalid_type", "stop",
                         "'stop' must be a string or an array of up to 4 strings");
    cJSON_ArrayForEach (one, stop) {
        if (!cJSON_IsString(one))
            return api_error(e, 400, "invalid_type", "stop", "'stop' must hold strings");
    }
    return true;
}

static bool check_format(const cJSON *request, struct api_error *e)
{
    const cJSON *format = member(request, "response_format"), *type = member(format, "type");
    if (format == NULL)
        return true;
    if (!cJSON_IsString(type) ||
        (strcmp(type->valuestring, "text") != 0 && strcmp(type->valuestring, "json_object") != 0 &&
         strcmp(type->valuestring, "json_schema") != 0))
        return api_error(e, 400, "invalid_value", "response_format.type",
                         "'response_format.type' must be text, json_object or json_schema");
    if (strcmp(type->valuestring, "json_schema") == 0 &&
        !cJSON_IsString(member(member(format, "json_schema"), "name")))
        return api_error(e, 400, "missing_required_parameter", "response_format.json_schema.name",
                         "missing required parameter 'response_format.json_schema.name'");
    return true;
}

bool completion_check(const cJSON *request, struct api_error *error)
{
    const cJSON *messages = member(request, "messages"), *message;
    const cJSON *model = member(request, "model");
    int index = 0;
    if (!cJSON_IsString(model) || model->valuestring[0] == '\0')
        return api_error(error, 400, NULL, "model", "you must provide a model parameter");
    if (messages == NULL)
        return api_error(error, 400, "missing_required_parameter", "messages",
                         "missing required parameter 'messages'");
    if (!cJSON_IsArray(messages))
        return api_error(error, 400, "invalid_type", "messages", "'messages' must be an array");
    if (messages->child == NULL)
        return api_error(error, 400, "empty_array", "messages",
                         "'messages' must have at least one element");
    cJSON_ArrayForEach (message, messages) {
        if (!check_message(message, index++, error))
            return false;
    }
    if (member(request, "max_tokens") && member(request, "max_completion_tokens"))
        return api_error(error, 400, "invalid_parameter_combination", "max_tokens",
                         "'max_tokens' and 'max_completion_tokens' cannot both be set");
    if (member(request, "stream_options") && !cJSON_IsTrue(member(request, "stream")))
        return api_error(error, 400, NULL, "stream_options",
                         "'stream_options' is only allowed when 'stream' is true");
    return check_bool(request, "stream", error) &&
           check_number(request, "n", 1, COMPLETION_CHOICES_MAX, true, error) &&
           check_number(request, "max_tokens", 1, 1e9, true, error) &&
           check_number(request, "max_completion_tokens", 1, 1e9, true, error) &&
           check_number(request, "temperature", 0, 2, false, error) &&
           check_number(request, "top_p", 0, 1, false, error) &&
           check_number(request, "presence_penalty", -2, 2, false, error) &&
           check_number(request, "frequency_penalty", -2, 2, false, error) &&
           check_number(request, "seed", -9007199254740992.0, 9007199254740992.0, true, error) &&
           check_stop(request, error) && check_tools(request, error) &&
           check_format(request, error);
}
