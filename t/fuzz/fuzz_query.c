/* Fuzzes the query string: what is taken is terminated, valid and within the limits. */
#include "common/json.h"
#include "common/query.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct query q;
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (query_parse(&q, text)) {
        if (q.count > QUERY_MAX_PAIRS)
            abort();
        for (size_t i = 0; i < q.count; i++) {
            const char *name = q.pairs[i].name, *value = q.pairs[i].value;
            if (!json_utf8_valid(name, strlen(name)) || !json_utf8_valid(value, strlen(value)) ||
                query_get(&q, name) == NULL)
                abort();
        }
        query_release(&q);
    }
    free(text);
    return 0;
}
