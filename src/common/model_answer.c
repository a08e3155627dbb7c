#include "model_answer.h"

#include "json.h"
#include "schema_check.h"
#include "utf8.h"

#include <curl/curl.h>
#include <math.h>
#include <string.h>

#define CONTENT_MAX ((size_t)64 << 10)
#define TOKENS_MAX 1e8 /* of one call; more is no count */
#define MODEL_MAX 256  /* bytes of its name */

static bool was_cut(const char *finish)
{
    static const char *const words[] = {"length", "max_tokens", "content_filter", "tool_calls"};
    for (size_t i = 0; finish != NULL && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(finish, words[i]) == 0)
            return true;
    return false;
}

static enum model_answer bad(enum model_answer how, const char *reason, char why[MODEL_ANSWER_WHY])
{
    utf8_copy(why, MODEL_ANSWER_WHY, reason);
    return how;
}

/* The text that an answer has, in *text, borrowed. */
static enum model_answer find_text(const cJSON *response, const char **text,
                                   char why[MODEL_ANSWER_WHY])
{
    const cJSON *choices = cJSON_GetObjectItemCaseSensitive(response, "choices");
    const cJSON *choice = cJSON_IsArray(choices) ? choices->child : NULL;
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(choice, "message");
    const char *refusal = json_string(message, "refusal");
    *text = json_string(message, "content");
    if (!cJSON_IsObject(response))
        return bad(MODEL_UNUSABLE, "the provider's answer is not JSON", why);
    if (refusal != NULL && *refusal != '\0')
        return bad(MODEL_REFUSED, "the model refused", why);
    if (was_cut(json_string(choice, "finish_reason")))
        return bad(MODEL_CUT, "the answer was cut off", why);
    if (*text == NULL || **text == '\0')
        return bad(MODEL_UNUSABLE, "the answer has no text", why);
    if (strlen(*text) > CONTENT_MAX)
        return bad(MODEL_UNUSABLE, "the answer is too long", why);
    return MODEL_ANSWERED;
}

enum model_answer model_answer_read(const cJSON *response, const cJSON *schema, cJSON **value,
                                    char why[MODEL_ANSWER_WHY])
{
    struct json_error error;
    const char *text;
    *value = NULL;
    enum model_answer how = find_text(response, &text, why);
    if (how != MODEL_ANSWERED)
        return how;
    *value = json_parse(text, strlen(text), &error);
    if (*value == NULL)
        return bad(MODEL_UNUSABLE, error.message, why);
    if (schema_check(schema, *value, why, MODEL_ANSWER_WHY))
        return MODEL_ANSWERED;
    cJSON_Delete(*value);
    *value = NULL;
    return MODEL_UNUSABLE;
}

static double counted(const cJSON *usage, const char *name)
{
    double n = json_number(usage, name, 0);
    return n > 0 && n <= TOKENS_MAX ? floor(n) : 0;
}

struct model_usage model_answer_usage(const cJSON *response)
{
    const cJSON *said = cJSON_GetObjectItemCaseSensitive(response, "usage");
    const cJSON *details = cJSON_GetObjectItemCaseSensitive(said, "prompt_tokens_details");
    struct model_usage usage = {.prompt_tokens = counted(said, "prompt_tokens"),
                                .cached_tokens = counted(details, "cached_tokens"),
                                .completion_tokens = counted(said, "completion_tokens")};
    usage.cached_tokens = fmin(usage.cached_tokens, usage.prompt_tokens);
    return usage;
}

const char *model_answer_model(const cJSON *response, const char *fallback)
{
    const char *name = json_string(response, "model");
    return name != NULL && *name != '\0' && strlen(name) <= MODEL_MAX ? name : fallback;
}

void model_provider_name(const char *url, char *out, size_t room)
{
    char *host = NULL;
    CURLU *parts = curl_url();
    *out = '\0';
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        utf8_copy(out, room, host);
    curl_free(host);
    curl_url_cleanup(parts);
}
