/* Values that fit a JSON schema, roughly. */
#include "schema.h"

#include "common/json.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX 12
#define ITEMS_MAX 50

struct maker {
    const cJSON *root;
    const struct prompt *prompt;
    const char *text;
    struct dice *dice;
};

static cJSON *value(struct maker *m, const cJSON *schema, const char *name, int depth);

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* Follows "#/a/b" from the root; NULL when it leads nowhere. */
static const cJSON *follow(const struct maker *m, const char *ref)
{
    const cJSON *at = m->root;
    if (*ref++ != '#')
        return NULL;
    while (at && *ref == '/') {
        char part[128];
        size_t len = strcspn(++ref, "/");
        if (len >= sizeof part)
            return NULL;
        memcpy(part, ref, len);
        part[len] = '\0';
        at = member(at, part);
        ref += len;
    }
    return at;
}

static const char *type_of(const cJSON *schema)
{
    const cJSON *type = member(schema, "type");
    if (cJSON_IsString(type))
        return type->valuestring;
    if (cJSON_IsArray(type) && cJSON_IsString(type->child))
        return type->child->valuestring; /* ["string", "null"] */
    if (member(schema, "properties"))
        return "object";
    return member(schema, "items") ? "array" : "string";
}

static cJSON *make_object(struct maker *m, const cJSON *schema, int depth)
{
    cJSON *object = cJSON_CreateObject();
    const cJSON *property;
    cJSON_ArrayForEach (property, member(schema, "properties")) {
        cJSON *v = value(m, property, property->string, depth + 1);
        if (v)
            cJSON_AddItemToObject(object, property->string, v);
    }
    return object;
}

static cJSON *make_array(struct maker *m, const cJSON *schema, const char *name, int depth)
{
    cJSON *array = cJSON_CreateArray();
    double least = json_number(schema, "minItems", 2), most = json_number(schema, "maxItems", 2);
    double n = fmin(fmax(least, fmin(2, most)), ITEMS_MAX);
    for (int i = 0; i < n; i++) {
        cJSON *v = value(m, member(schema, "items"), name, depth + 1);
        if (v)
            cJSON_AddItemToArray(array, v);
    }
    return array;
}

static cJSON *make_number(struct maker *m, const cJSON *schema, bool whole)
{
    double low = json_number(schema, "minimum", json_number(schema, "exclusiveMinimum", 0) + 1);
    double high = json_number(schema, "maximum", fmax(low, 10));
    double x = low + (double)dice_roll(m->dice, 11) / 10 * (high - low);
    return cJSON_CreateNumber(whole ? fmax(ceil(low), floor(x)) : x);
}

/* The capitalised word after "in", "for" or "at": most arguments of tools are places. */
static bool put_place(struct buf *out, struct piece message)
{
    static const char *const before[] = {" in ", " for ", " at ", " to "};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        const char *at =
            message.len ? memmem(message.text, message.len, before[i], strlen(before[i])) : NULL;
        const char *end = message.text + message.len;
        if (at == NULL || at + strlen(before[i]) >= end)
            continue;
        at += strlen(before[i]);
        size_t len = 0;
        if (!isupper((unsigned char)*at))
            continue;
        while (at + len < end && !strchr(".,;!?\n", at[len]) &&
               (at[len] != ' ' || (at + len + 1 < end && isupper((unsigned char)at[len + 1]))))
            len++;
        return buf_append(out, at, len);
    }
    return false;
}

static cJSON *make_string(struct maker *m, const cJSON *schema, const char *name)
{
    const char *format = json_string(schema, "format");
    if (format && strcmp(format, "date-time") == 0)
        return cJSON_CreateString("2026-01-01T08:00:00Z");
    if (format && strcmp(format, "date") == 0)
        return cJSON_CreateString("2026-01-01");
    if (format && strcmp(format, "uuid") == 0)
        return cJSON_CreateString("00000000-0000-4000-8000-000000000000");
    struct buf b;
    cJSON *v = NULL;
    buf_init(&b, 4096);
    if (name &&
        (strcasestr(name, "location") || strcasestr(name, "city") || strcasestr(name, "place")))
        put_place(&b, m->prompt->message);
    else if (name && (strcasestr(name, "answer") || strcasestr(name, "text") ||
                      strcasestr(name, "content") || strcasestr(name, "explanation")))
        buf_puts(&b, m->text);
    else if (name && (strcasestr(name, "topic") || strcasestr(name, "category")))
        buf_puts(&b, answer_topic(m->prompt->message));
    if (b.len == 0)
        answer_quote(&b, m->prompt->message, 60);
    while (!b.failed && b.len < json_number(schema, "minLength", 1))
        buf_puts(&b, "simulated ");
    if (!b.failed)
        v = cJSON_CreateString(b.data);
    buf_release(&b);
    return v;
}

static cJSON *value(struct maker *m, const cJSON *schema, const char *name, int depth)
{
    const char *ref = json_string(schema, "$ref");
    if (depth > DEPTH_MAX)
        return cJSON_CreateNull();
    if (ref)
        return value(m, follow(m, ref), name, depth + 1);
    static const char *const choices[] = {"anyOf", "oneOf", "allOf"};
    for (size_t i = 0; i < 3; i++)
        if (cJSON_GetArraySize(member(schema, choices[i])) > 0)
            return value(m, member(schema, choices[i])->child, name, depth + 1);
    const cJSON *fixed = member(schema, "const");
    if (fixed)
        return cJSON_Duplicate(fixed, true);
    int n = cJSON_GetArraySize(member(schema, "enum"));
    if (n > 0)
        return cJSON_Duplicate(
            cJSON_GetArrayItem(member(schema, "enum"), (int)dice_roll(m->dice, (size_t)n)), true);
    const char *type = type_of(schema);
    if (strcmp(type, "object") == 0)
        return make_object(m, schema, depth);
    if (strcmp(type, "array") == 0)
        return make_array(m, schema, name, depth);
    if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
        return make_number(m, schema, type[0] == 'i');
    if (strcmp(type, "boolean") == 0)
        return cJSON_CreateBool(dice_roll(m->dice, 2) == 0);
    if (strcmp(type, "null") == 0)
        return cJSON_CreateNull();
    return make_string(m, schema, name);
}

cJSON *schema_value(const cJSON *schema, const struct prompt *p, const char *text, struct dice *d)
{
    struct maker m = {schema, p, text, d};
    if (cJSON_IsObject(schema))
        return value(&m, schema, NULL, 0);
    cJSON *object = cJSON_CreateObject();
    if (p->name.len) {
        char name[64];
        size_t len = p->name.len < sizeof name ? p->name.len : sizeof name - 1;
        memcpy(name, p->name.text, len);
        name[len] = '\0';
        cJSON_AddStringToObject(object, "coach", name);
    }
    cJSON_AddStringToObject(object, "topic", answer_topic(p->message));
    cJSON_AddStringToObject(object, "answer", text);
    cJSON_AddTrueToObject(object, "simulated");
    return object;
}
