/*
 * Fuzzes the reading of request bodies: what is taken can be written again and read to the same
 * tree, and whatever text comes, our JSON strings can be read back.
 */
#include "common/buf.h"
#include "common/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tree(const char *text, size_t len)
{
    struct json_error error;
    cJSON *tree = json_parse(text, len, &error);
    if (tree == NULL) {
        if (error.message[0] == '\0' || strlen(error.param) >= sizeof error.param)
            abort();
        return;
    }
    if (!json_utf8_valid(text, len))
        abort();
    char *again = cJSON_PrintUnformatted(tree);
    cJSON *same = again ? json_parse(again, strlen(again), &error) : NULL;
    if (same == NULL || !cJSON_Compare(tree, same, true))
        abort();
    cJSON_Delete(same);
    cJSON_Delete(tree);
    cJSON_free(again);
}

static void check_string(const char *text, size_t len)
{
    struct json_error error;
    struct buf b;
    buf_init(&b, 8 * len + 2);
    if (!buf_json_string(&b, text, len))
        abort();
    cJSON *tree = json_parse(b.data, b.len, &error);
    if (!cJSON_IsString(tree))
        abort();
    if (json_utf8_valid(text, len) &&
        (strlen(tree->valuestring) != len || memcmp(tree->valuestring, text, len) != 0))
        abort();
    cJSON_Delete(tree);
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_tree((const char *)data, size);
    check_string((const char *)data, size);
    return 0;
}
