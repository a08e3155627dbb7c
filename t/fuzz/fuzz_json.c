/*
 * Fuzzes the reading of request bodies: what is taken can be written again and read to the same
 * tree, but for numbers beyond 2^53, and whatever text comes, our JSON strings can be read back.
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
    /* What came as 9.999000199077136e16 is written with all its digits, which are not taken. */
    bool is_beyond = same == NULL && again && strstr(error.message, "beyond 2^53") != NULL;
    if (!is_beyond && (same == NULL || !cJSON_Compare(tree, same, true)))
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

/* Walks all of a value that was checked. Returns how many values there are. */
static size_t walk(struct span value, struct buf *scratch)
{
    struct scan s = scan_open(value);
    struct span key = {0}, item;
    size_t count = 1;
    if (scan_is_string(value)) {
        buf_clear(scratch);
        if (!scan_text(value, scratch, NULL) || !json_utf8_valid(scratch->data, scratch->len))
            abort();
        if (strlen(scratch->data) == scratch->len && strchr(scratch->data, '\\') == NULL &&
            !scan_equals(value, scratch->data))
            abort();
    }
    while (scan_next(&s, &key, &item)) {
        if (s.in_object && !scan_is_string(key))
            abort();
        count += walk(item, scratch);
    }
    return count;
}

/* What is walked is what was checked, and a rule that allows more refuses nothing. */
static void check_walk(const char *text, size_t len)
{
    static const char *const names[] = {"message", "messages", "model", "a", "", NULL};
    struct json_rules rules = {.any_number = true};
    struct json_error error;
    struct span value;
    struct buf scratch;
    cJSON *tree = json_parse(text, len, &error);
    bool good = json_check(text, len, &rules, &value, &error);
    if (tree != NULL && !good)
        abort();
    /* The strict check, which says what is wrong and where, and the quick one for providers' events
     * have one grammar: the strict one only refuses more. */
    struct span quick;
    if (good && (!scan_check(text, len, &quick) || quick.at != value.at || quick.len != value.len))
        abort();
    if (!good && strstr(error.message, "expected") != NULL && scan_check(text, len, &quick))
        abort();
    cJSON_Delete(tree);
    if (!good)
        return;
    buf_init(&scratch, len + 1);
    if (!buf_reserve(&scratch, 0))
        abort();
    rules.max_values = walk(value, &scratch);
    if (!json_check(text, len, &rules, &value, &error))
        abort();
    if (rules.max_values > 1 && (rules.max_values--, json_check(text, len, &rules, &value, &error)))
        abort();
    buf_release(&scratch);
    cJSON_Delete(json_pick(value, names, 64));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_walk((const char *)data, size);
    check_tree((const char *)data, size);
    check_string((const char *)data, size);
    return 0;
}
