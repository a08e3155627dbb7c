#include "breaker_write.h"

#include "common/json.h"

static void add_time(cJSON *object, const char *name, int64_t left_ms, int64_t unix_ms)
{
    if (left_ms > 0)
        cJSON_AddNumberToObject(object, name, (double)((unix_ms + left_ms) / 1000));
}

static cJSON *one(const struct breaker *b, enum breaker_state state, int64_t now_ms,
                  int64_t unix_ms)
{
    static const char *const states[] = {"closed", "probing", "open"};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "provider", b->provider);
    if (b->model[0] != '\0')
        cJSON_AddStringToObject(object, "model", b->model);
    cJSON_AddStringToObject(object, "state", states[state]);
    cJSON_AddNumberToObject(object, "failures", atomic_load(&b->failures));
    add_time(object, "open_until", (int64_t)atomic_load(&b->open_until_ms) - now_ms, unix_ms);
    add_time(object, "cool_until", breaker_cooling(b, now_ms), unix_ms);
    return object;
}

void breakers_write(const struct breakers *all, int64_t now_ms, int64_t unix_ms, struct buf *out)
{
    const struct breaker *b;
    enum breaker_state state;
    int written = 0;
    cJSON *list = cJSON_CreateArray();
    for (int at = 0;
         written < BREAKERS_WRITTEN && (b = breakers_next(all, now_ms, &at, &state)) != NULL;)
        if (state != BREAKER_CLOSED || atomic_load(&b->failures) > 0 ||
            breaker_cooling(b, now_ms) > 0) {
            cJSON_AddItemToArray(list, one(b, state, now_ms, unix_ms));
            written++;
        }
    char *text = cJSON_PrintUnformatted(list);
    buf_puts(out, text != NULL ? text : "[]");
    cJSON_free(text);
    cJSON_Delete(list);
}
