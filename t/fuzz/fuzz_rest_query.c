/* Fuzzes PostgREST's query strings: what is taken is told to Postgres as JSON, within the limits.
 */
#include "chat/routes/rest_query.h"
#include "common/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *none[] = {NULL};
    struct json_error wrong;
    struct api_error error;
    struct rest_query q;
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct request r = {.method = "GET", .query = text, .fcgi = {.envp = none}};
    if (rest_query_read(&q, &r, &error)) {
        cJSON *asked = json_parse(q.json.data, q.json.len, &wrong);
        if (asked == NULL || !cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(asked, "where")))
            abort();
        const char *id = rest_query_only_id(&q, "u");
        if (id != NULL && cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(asked, "where")) > 2)
            abort();
        cJSON_Delete(asked);
        rest_query_release(&q);
    } else if (error.status < 400) {
        abort();
    }
    free(text);
    return 0;
}
