/* The form of a routing; see routing_form.h. */
#include "routing_form.h"

#include "config_value.h"
#include "json.h"
#include "provider_key.h"
#include "spelling.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum form_kind {
    TEXTUAL,
    WEB_ADDRESS,
    KEY_PLACE,
    KEY_HEADER,
    NUMERIC,
    BOOLEAN,
    CONTINUING,
    OBJECTS,
    TEXTS
};

struct member {
    const char *name;
    enum form_kind kind;
    const struct member *members; /* of each of OBJECTS */
};

static const struct member route_members[] = {
    {"position", NUMERIC, NULL}, {"provider", TEXTUAL, NULL},       {"model", TEXTUAL, NULL},
    {"weight", NUMERIC, NULL},   {"context_tokens", NUMERIC, NULL}, {NULL, TEXTUAL, NULL},
};
static const struct member provider_members[] = {
    {"name", TEXTUAL, NULL},
    {"base_url", WEB_ADDRESS, NULL},
    {"api_key", KEY_PLACE, NULL},
    {"key_header", KEY_HEADER, NULL},
    {"is_enabled", BOOLEAN, NULL},
    {"connect_timeout_ms", NUMERIC, NULL},
    {"first_byte_timeout_ms", NUMERIC, NULL},
    {"first_token_timeout_ms", NUMERIC, NULL},
    {"idle_timeout_ms", NUMERIC, NULL},
    {"total_timeout_ms", NUMERIC, NULL},
    {"max_open", NUMERIC, NULL},
    {"continues", CONTINUING, NULL},
    {NULL, TEXTUAL, NULL},
};
static const struct member model_members[] = {
    {"name", TEXTUAL, NULL},    {"routes", OBJECTS, route_members},
    {"fallbacks", TEXTS, NULL}, {"is_listed", BOOLEAN, NULL},
    {NULL, TEXTUAL, NULL},
};
static const struct member routing_members[] = {
    {"providers", OBJECTS, provider_members},
    {"models", OBJECTS, model_members},
    {NULL, TEXTUAL, NULL},
};

struct form_check {
    char *wrong;
    size_t size;
};

/* Says what is wrong with a member of what is at where. */
static bool complain(struct form_check *c, const char *where, const char *name, const char *problem)
{
    snprintf(c->wrong, c->size, "routing: %s%s%.64s %s", where, *where != '\0' ? ": " : "", name,
             problem);
    return false;
}

static const struct member *find_member(const struct member *members, const char *name)
{
    for (; members->name != NULL; members++)
        if (strcmp(members->name, name) == 0)
            return members;
    return NULL;
}

static bool complain_of_unknown(struct form_check *c, const struct member *members,
                                const char *where, const char *name)
{
    char problem[160];
    const char *nearest = NULL;
    int least = INT_MAX;
    for (; members->name != NULL; members++) {
        int distance = spelling_distance(name, members->name);
        if (distance < least) {
            least = distance;
            nearest = members->name;
        }
    }
    if (nearest != NULL && least <= 4)
        snprintf(problem, sizeof problem, "is no member that is known: did you mean %s?", nearest);
    else
        snprintf(problem, sizeof problem, "is no member that is known");
    return complain(c, where, name, problem);
}

static bool check_object(struct form_check *c, const cJSON *object, const struct member *members,
                         const char *where);

/* Checks each of a list. Objects are told by their name, or by their number from 0. */
static bool check_list(struct form_check *c, const cJSON *list, const struct member *member,
                       const char *where)
{
    const cJSON *item;
    int number = 0;
    if (!cJSON_IsArray(list))
        return complain(c, where, member->name, "must be a list");
    cJSON_ArrayForEach (item, list) {
        char place[256];
        const char *name = json_string(item, "name");
        if (member->kind == TEXTS ? !cJSON_IsString(item) : !cJSON_IsObject(item))
            return complain(c, where, member->name,
                            member->kind == TEXTS ? "must be a list of names"
                                                  : "must be a list of objects");
        /* "provider x", of "providers" */
        if (name != NULL)
            snprintf(place, sizeof place, "%.*s %.80s", (int)strlen(member->name) - 1, member->name,
                     name);
        else
            snprintf(place, sizeof place, "%.120s%s%s[%d]", where, *where != '\0' ? ": " : "",
                     member->name, number);
        if (member->kind == OBJECTS && !check_object(c, item, member->members, place))
            return false;
        number++;
    }
    return true;
}

/* Whether it names a way in which a request says that an answer is to be gone on with. */
static bool continues_how(const char *text)
{
    return strcmp(text, "prefix") == 0 || strcmp(text, "partial") == 0 ||
           strcmp(text, "continue_final_message") == 0;
}

static bool check_member(struct form_check *c, const cJSON *item, const struct member *member,
                         const char *where)
{
    const char *text = cJSON_GetStringValue(item), *problem = NULL;
    if (cJSON_IsNull(item)) /* as if it were not there */
        return true;
    switch (member->kind) {
    case TEXTUAL:
        problem = text == NULL ? "must be a text" : NULL;
        break;
    case WEB_ADDRESS:
        problem = text == NULL ? "must be a text" : config_value_url(text);
        break;
    case KEY_PLACE:
        problem = text == NULL || !provider_key_is_name(text)
                      ? "must be env:NAME or file:NAME, never the key itself, and no variable of "
                        "uplift's own"
                      : NULL;
        break;
    case KEY_HEADER:
        problem = text == NULL || !provider_key_header_fits(text)
                      ? "must be Authorization, or a header that providers take keys in: api-key, "
                        "X-...-Key"
                      : NULL;
        break;
    case NUMERIC:
        problem = cJSON_IsNumber(item) ? NULL : "must be a whole number";
        break;
    case BOOLEAN:
        problem = cJSON_IsBool(item) ? NULL : "must be true or false";
        break;
    case CONTINUING:
        problem = cJSON_IsBool(item) || (text != NULL && continues_how(text))
                      ? NULL
                      : "must be true, false, \"prefix\", \"partial\" or "
                        "\"continue_final_message\"";
        break;
    case OBJECTS:
    case TEXTS:
        return check_list(c, item, member, where);
    }
    return problem == NULL || complain(c, where, member->name, problem);
}

static bool check_object(struct form_check *c, const cJSON *object, const struct member *members,
                         const char *where)
{
    const cJSON *item;
    cJSON_ArrayForEach (item, object) {
        const struct member *member = find_member(members, item->string);
        if (member == NULL)
            return complain_of_unknown(c, members, where, item->string);
        if (!check_member(c, item, member, where))
            return false;
    }
    return true;
}

bool routing_form_check(const char *text, char *wrong, size_t size)
{
    struct form_check c = {.wrong = wrong, .size = size};
    struct json_error error;
    cJSON *routing = json_parse(text, strlen(text), &error);
    bool good = cJSON_IsObject(routing);
    if (good)
        good = check_object(&c, routing, routing_members, "");
    else
        snprintf(wrong, size, "not a JSON object%s%s", routing == NULL ? ": " : "",
                 routing == NULL ? error.message : "");
    cJSON_Delete(routing);
    return good;
}
