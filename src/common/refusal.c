#include "refusal.h"

#include "json.h"

#include <string.h>

const cJSON *refusal_error(const struct http_answer *answer)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer->json, "error");
    return cJSON_IsObject(error) ? error : answer->json;
}

const char *refusal_words(const struct http_answer *answer)
{
    const char *words = json_string(refusal_error(answer), "message");
    if (words == NULL)
        words = json_string(answer->json, "error");
    return words != NULL ? words : "";
}

const char *refusal_words_to_show(const struct http_answer *answer, const char *key)
{
    const char *words = refusal_words(answer);
    return key != NULL && strstr(words, key) != NULL ? "" : words;
}

bool refusal_is_about(const struct http_answer *answer, const char *parameter)
{
    const char *param = json_string(refusal_error(answer), "param");
    return (answer->status == 400 || answer->status == 422) &&
           ((param != NULL && strcmp(param, parameter) == 0) ||
            strstr(refusal_words(answer), parameter) != NULL);
}

bool refusal_lacks_credit(const struct http_answer *answer)
{
    const char *code = json_string(refusal_error(answer), "code");
    const char *type = json_string(refusal_error(answer), "type");
    return (code != NULL && strcmp(code, "insufficient_quota") == 0) ||
           (type != NULL && strcmp(type, "insufficient_quota") == 0);
}

bool refusal_may_pass(const struct http_answer *answer)
{
    return !refusal_lacks_credit(answer) && (answer->status == 408 || answer->status == 425 ||
                                             answer->status == 429 || answer->status >= 500);
}

bool refusal_is_of_request(const struct http_answer *answer)
{
    return !refusal_lacks_credit(answer) &&
           (answer->status == 400 || answer->status == 413 || answer->status == 422);
}
