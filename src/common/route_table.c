#include "route_table.h"

#include "api_key.h"

#include <string.h>

static const struct route_key *route_at(const struct route_table *table, size_t i)
{
    return (const struct route_key *)((const char *)table->routes + i * table->size);
}

static bool method_matches(const struct route_key *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* Whether the path is the route's; notes what stands for its variable. */
static bool path_matches(const struct route_key *route, const char *path, struct route_match *match)
{
    const char *brace = strchr(route->path, '{');
    match->variable = NULL;
    match->variable_len = 0;
    match->is_bad_id = false;
    match->id[0] = '\0';
    if (brace == NULL)
        return strcmp(route->path, path) == 0;
    const char *behind = strchr(brace, '}') + 1;
    size_t before = (size_t)(brace - route->path), after = strlen(behind), len = strlen(path);
    if (len <= before + after || strncmp(path, route->path, before) != 0 ||
        strcmp(path + len - after, behind) != 0)
        return false;
    match->variable = path + before;
    match->variable_len = len - before - after;
    if (brace[1] != '+' && memchr(match->variable, '/', match->variable_len) != NULL)
        return false;
    if (strncmp(brace, "{id}", 4) == 0) {
        struct uuid id;
        snprintf(match->id, sizeof match->id, "%.*s",
                 (int)(match->variable_len < sizeof match->id ? match->variable_len : 0),
                 match->variable);
        match->is_bad_id = !uuid_parse(match->id, &id);
        if (match->is_bad_id)
            match->id[0] = '\0';
        else
            uuid_format(&id, match->id);
    }
    return true;
}

void route_find(const struct route_table *table, const struct request *r, struct route_match *match)
{
    match->allowed[0] = '\0';
    for (match->index = 0; match->index < table->count; match->index++) {
        const struct route_key *route = route_at(table, match->index);
        if (!path_matches(route, r->path, match))
            continue;
        if (method_matches(route, r->method))
            return;
        size_t used = strlen(match->allowed);
        snprintf(match->allowed + used, sizeof match->allowed - used, "%s%s", used > 0 ? ", " : "",
                 route->method);
    }
}

const char *route_unknown(const struct request *r, const struct route_match *match,
                          const char *advice, struct api_error *error,
                          char room[ROUTE_ALLOWED + 16])
{
    if (match->allowed[0] == '\0') {
        api_error(error, 404, "unknown_url", "", "there is no %.16s %.200s here; %s", r->method,
                  r->path, advice != NULL ? advice : "the API reference lists what there is");
        return NULL;
    }
    api_error(error, 405, "method_not_allowed", "", "%.200s takes %s, not %.16s", r->path,
              match->allowed, r->method);
    snprintf(room, ROUTE_ALLOWED + 16, "Allow: %s\r\n", match->allowed);
    return room;
}

bool route_bad_id(const struct route_match *match, struct api_error *error)
{
    return api_error(error, 400, "invalid_id", "id", "\"%.*s\" is not a UUID",
                     (int)(match->variable_len < 60 ? match->variable_len : 60), match->variable);
}

void route_print(FILE *out, const struct route_key *route, const char *who, unsigned scopes)
{
    fprintf(out, "%s %s %s ", route->method, route->path, who);
    api_key_print_scopes(out, scopes);
    fputc('\n', out);
}
