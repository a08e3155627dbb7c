/* Values against a JSON schema. */
#include "schema_check.h"

#include "json.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8 /* of schemas, which are ours */

struct place {
    char *wrong;
    size_t room;
};

static bool check(const cJSON *schema, const cJSON *value, const char *name, int depth,
                  const struct place *p);

static bool complain(const struct place *p, const char *name, const char *what)
{
    utf8_print(p->wrong, p->room, "%.60s %s", name, what);
    return false;
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool check_object(const cJSON *schema, const cJSON *value, const char *name, int depth,
                         const struct place *p)
{
    const cJSON *properties = member(schema, "properties"), *item;
    if (!cJSON_IsObject(value))
        return complain(p, name, "is no object");
    cJSON_ArrayForEach (item, value)
        if (member(properties, item->string) == NULL)
            return complain(p, item->string, "is not asked for");
    cJSON_ArrayForEach (item, properties) {
        const cJSON *its = member(value, item->string);
        if (its == NULL)
            return complain(p, item->string, "is missing");
        if (!check(item, its, item->string, depth + 1, p))
            return false;
    }
    return true;
}

static bool check_array(const cJSON *schema, const cJSON *value, const char *name, int depth,
                        const struct place *p)
{
    const cJSON *item;
    if (!cJSON_IsArray(value))
        return complain(p, name, "is no list");
    if (cJSON_GetArraySize(value) > json_number(schema, "maxItems", 1000))
        return complain(p, name, "has too many items");
    cJSON_ArrayForEach (item, value)
        if (!check(member(schema, "items"), item, name, depth + 1, p))
            return false;
    return true;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static bool check_string(const cJSON *schema, const cJSON *value, const char *name,
                         const struct place *p)
{
    const cJSON *choices = member(schema, "enum"), *choice;
    if (!cJSON_IsString(value))
        return complain(p, name, "is no text");
    if ((double)characters(value->valuestring) > json_number(schema, "maxLength", 10000))
        return complain(p, name, "is too long");
    if (choices == NULL)
        return true;
    cJSON_ArrayForEach (choice, choices)
        if (strcmp(choice->valuestring, value->valuestring) == 0)
            return true;
    return complain(p, name, "is none of its choices");
}

static bool check_number(const cJSON *schema, const cJSON *value, const char *name, bool whole,
                         const struct place *p)
{
    if (!cJSON_IsNumber(value) || (whole && value->valuedouble != floor(value->valuedouble)))
        return complain(p, name, whole ? "is no whole number" : "is no number");
    if (value->valuedouble < json_number(schema, "minimum", -1e15) ||
        value->valuedouble > json_number(schema, "maximum", 1e15))
        return complain(p, name, "is out of range");
    return true;
}

static bool check(const cJSON *schema, const cJSON *value, const char *name, int depth,
                  const struct place *p)
{
    const char *type = json_string(schema, "type");
    if (type == NULL || depth > DEPTH_MAX)
        return complain(p, name, "has no schema");
    if (strcmp(type, "object") == 0)
        return check_object(schema, value, name, depth, p);
    if (strcmp(type, "array") == 0)
        return check_array(schema, value, name, depth, p);
    if (strcmp(type, "string") == 0)
        return check_string(schema, value, name, p);
    if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
        return check_number(schema, value, name, *type == 'i', p);
    if (strcmp(type, "boolean") == 0)
        return cJSON_IsBool(value) || complain(p, name, "is neither true nor false");
    return complain(p, name, "has no schema");
}

bool schema_check(const cJSON *schema, const cJSON *value, char *wrong, size_t room)
{
    const struct place p = {wrong, room};
    return check(schema, value, "the answer", 0, &p);
}

/* Adds to a schema of an object what the strict form wants said. */
static void say_strictly(cJSON *schema)
{
    static const char *const ours[] = {"maxLength", "maxItems", "minimum", "maximum"};
    const cJSON *properties = member(schema, "properties"), *property;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(schema, ours[i]);
    if (properties != NULL) {
        cJSON *required = cJSON_AddArrayToObject(schema, "required");
        cJSON_ArrayForEach (property, properties)
            cJSON_AddItemToArray(required, cJSON_CreateString(property->string));
        cJSON_AddFalseToObject(schema, "additionalProperties");
    }
}

static void say_all_strictly(cJSON *schema, int depth)
{
    if (!cJSON_IsObject(schema) || depth > DEPTH_MAX)
        return;
    say_strictly(schema);
    cJSON *items = cJSON_GetObjectItemCaseSensitive(schema, "items");
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties"), *property;
    say_all_strictly(items, depth + 1);
    cJSON_ArrayForEach (property, properties)
        say_all_strictly(property, depth + 1);
}

cJSON *schema_to_send(const cJSON *schema)
{
    cJSON *copy = cJSON_Duplicate(schema, true);
    say_all_strictly(copy, 0);
    return copy;
}
