/* Reading a routing into a snapshot; see routing_read.h. */
#include "routing_read.h"

#include "common/buf.h"
#include "common/json.h"
#include "common/log.h"
#include "common/provider_key.h"
#include "common/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MODELS_MAX 1000
#define PROVIDERS_MAX 100
#define POSITION_MAX 8
#define WEIGHT_MAX 1000

/* One reading: what it is made of, and the first thing that is wrong. */
struct reading {
    const struct config *config;
    const cJSON *configured; /* UPLIFT_ROUTING; NULL: none */
    struct breakers *breakers;
    struct routing *out;
    char *wrong;
};

static bool complain(struct reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool complain(struct reading *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    utf8_vprint(r->wrong, ROUTING_WRONG_MAX, format, args);
    va_end(args);
    return false;
}

/* A whole number, or the fallback where it is absent or null. False with a complaint. */
static bool read_number(struct reading *r, const cJSON *object, const char *owner, const char *key,
                        int64_t least, int64_t most, int64_t fallback, int64_t *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    *out = fallback;
    if (item == NULL || cJSON_IsNull(item))
        return true;
    if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble) ||
        item->valuedouble < (double)least || item->valuedouble > (double)most)
        return complain(r, "routing: %.80s: %s must be a whole number from %lld to %lld", owner,
                        key, (long long)least, (long long)most);
    *out = (int64_t)item->valuedouble;
    return true;
}

/* --- providers --- */

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    struct buf line;
    buf_init(&line, 16384);
    buf_printf(&line, "%s%s", name, value);
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*list, line.data);
    if (line.data != NULL)
        explicit_bzero(line.data, line.len);
    buf_release(&line);
    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

static bool add_key(struct provider *p, const char *header, const char *key)
{
    char name[128];
    if (*key == '\0')
        return true;
    bool bearer = header == NULL || strcasecmp(header, "Authorization") == 0;
    snprintf(name, sizeof name, "%.100s: %s", bearer ? "Authorization" : header,
             bearer ? "Bearer " : "");
    return add_header(&p->headers, name, key);
}

/* The key that a provider names, for its server alone. False when it cannot be had, which is
 * logged. */
static bool read_key(const struct reading *r, const cJSON *object, const char *provider,
                     const char *url, char out[PROVIDER_KEY_MAX])
{
    const char *reference = json_string(object, "api_key"),
               *header = json_string(object, "key_header");
    *out = '\0';
    if (header != NULL && !provider_key_header_fits(header)) {
        log_error("routing", "provider %s cannot be used: no key goes in the header %s", provider,
                  header);
        return false;
    }
    if (reference == NULL)
        return true;
    if (!provider_key_is_name(reference)) {
        log_error("routing", "provider %s cannot be used: %s is no name of a key", provider,
                  reference);
        return false;
    }
    if (!provider_key_is_bound(r->config, r->configured, reference, url)) {
        log_error(
            "routing",
            "provider %s cannot be used: UPLIFT_PROVIDER_KEYS does not have %s for its server",
            provider, reference);
        return false;
    }
    char why[PROVIDER_KEY_WHY];
    if (!provider_key_fetch(r->config, reference, out, why)) {
        log_error("routing", "provider %s cannot be used: %s", provider, why);
        return false;
    }
    return true;
}

static int64_t next_serial(void)
{
    static atomic_int_fast64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}

/* Everything of a provider but its limits. */
static bool open_provider(struct reading *r, struct provider *p, const char *name,
                          const char *base_url)
{
    struct buf url;
    CURLU *parts = curl_url();
    char *host = NULL;
    buf_init(&url, 8192);
    buf_printf(&url, "%s/chat/completions", base_url);
    bool good =
        !url.failed && parts != NULL &&
        curl_url_set(parts, CURLUPART_URL, url.data, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        (strncasecmp(base_url, "http://", 7) == 0 || strncasecmp(base_url, "https://", 8) == 0);
    p->name = strdup(name);
    p->label = strdup(strcmp(name, ROUTING_DEFAULT) == 0 && good ? host : name);
    p->is_plain = strncasecmp(base_url, "http:", 5) == 0;
    p->url = buf_steal(&url);
    p->serial = next_serial();
    p->breaker = r->breakers != NULL ? breaker_of_provider(r->breakers, name) : NULL;
    curl_free(host);
    curl_url_cleanup(parts);
    if (!good)
        return complain(r, "routing: provider %.80s: its URL cannot be used", name);
    good = p->name != NULL && p->label != NULL && p->url != NULL &&
           add_header(&p->headers, "Content-Type: ", "application/json") &&
           add_header(&p->headers, "Accept: ", "text/event-stream, application/json") &&
           add_header(&p->headers, "Accept-Encoding: ", "identity") &&
           add_header(&p->headers, "User-Agent: ", "uplift/" UPLIFT_VERSION) &&
           add_header(&p->headers, "Expect:", "");
    return good || complain(r, "routing: out of memory");
}

static bool read_limits(struct reading *r, struct provider *p, const cJSON *object)
{
    const struct config *c = r->config;
    const struct {
        const char *key;
        int64_t most, fallback, *out;
    } limits[] = {
        {"connect_timeout_ms", 3600000, c->connect_timeout_ms, &p->connect_timeout_ms},
        {"first_byte_timeout_ms", 3600000, c->first_byte_timeout_ms, &p->first_byte_timeout_ms},
        {"first_token_timeout_ms", 3600000, c->first_token_timeout_ms, &p->first_token_timeout_ms},
        {"idle_timeout_ms", 3600000, c->idle_timeout_ms, &p->idle_timeout_ms},
        {"total_timeout_ms", 86400000, c->total_timeout_ms, &p->total_timeout_ms},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (!read_number(r, object, p->name, limits[i].key, 10, limits[i].most, limits[i].fallback,
                         limits[i].out))
            return false;
    return read_number(r, object, p->name, "max_open", 1, 1000000, 0, &p->max_open);
}

/* true, or by what else it is asked for: see enum continues. */
static bool read_continues(struct reading *r, struct provider *p, const cJSON *object)
{
    static const struct {
        const char *name;
        enum continues how;
    } ways[] = {{"prefix", CONTINUES_PREFIX},
                {"partial", CONTINUES_PARTIAL},
                {"continue_final_message", CONTINUES_FINAL}};
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "continues");
    if (item == NULL || cJSON_IsNull(item) || cJSON_IsBool(item)) {
        p->continues = cJSON_IsTrue(item) ? CONTINUES : CONTINUES_NOT;
        return true;
    }
    for (size_t i = 0; cJSON_IsString(item) && i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(item->valuestring, ways[i].name) == 0) {
            p->continues = ways[i].how;
            return true;
        }
    return complain(r,
                    "routing: provider %.80s: continues must be true, false, \"prefix\", "
                    "\"partial\" or \"continue_final_message\"",
                    p->name);
}

static struct provider *find_provider(const struct routing *r, const char *name)
{
    for (size_t i = 0; i < r->provider_count; i++)
        if (strcmp(r->providers[i].name, name) == 0)
            return &r->providers[i];
    return NULL;
}

static void free_provider(struct provider *p)
{
    for (struct curl_slist *line = p->headers; line != NULL; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(p->headers);
    free(p->name);
    free(p->label);
    free(p->url);
}

static bool read_provider(struct reading *r, const cJSON *object)
{
    const char *name = json_string(object, "name"), *url = json_string(object, "base_url");
    const char *header = json_string(object, "key_header");
    char key[PROVIDER_KEY_MAX];
    if (name == NULL || *name == '\0' || strlen(name) > 63 || url == NULL)
        return complain(r, "routing: each provider needs a name (at most 63 bytes) and a base_url");
    if (strcmp(name, ROUTING_DEFAULT) == 0)
        return complain(r, "routing: default is the configured provider: choose another name");
    if (find_provider(r->out, name) != NULL)
        return complain(r, "routing: provider %.80s is there twice", name);
    if (r->out->provider_count > PROVIDERS_MAX)
        return complain(r, "routing: more than %d providers", PROVIDERS_MAX);
    struct provider *p = &r->out->providers[r->out->provider_count++];
    if (!open_provider(r, p, name, url) || !read_limits(r, p, object) ||
        !read_continues(r, p, object))
        return false;
    p->is_usable = json_bool(object, "is_enabled", true) && read_key(r, object, name, url, key);
    bool good = !p->is_usable || add_key(p, header, key);
    explicit_bzero(key, sizeof key);
    return good || complain(r, "routing: out of memory");
}

static bool read_default_provider(struct reading *r)
{
    const struct config *c = r->config;
    struct provider *p = &r->out->providers[r->out->provider_count++];
    if (!open_provider(r, p, ROUTING_DEFAULT, c->upstream_url) || !read_limits(r, p, NULL))
        return false;
    p->is_usable = true;
    r->out->default_route = (struct route){.provider = p, .position = 1, .weight = 1};
    return c->openai_api_key == NULL || add_key(p, NULL, c->openai_api_key) ||
           complain(r, "routing: out of memory");
}

/* --- models --- */

static bool read_route(struct reading *r, struct routed_model *m, const cJSON *object, int number)
{
    const char *provider = json_string(object, "provider"), *model = json_string(object, "model");
    struct route *route = &m->own[m->own_count];
    int64_t position, weight;
    if (provider == NULL || (route->provider = find_provider(r->out, provider)) == NULL)
        return complain(r, "routing: model %.80s: route %d: there is no provider %.80s", m->name,
                        number, provider != NULL ? provider : "(none named)");
    if (!read_number(r, object, m->name, "position", 1, POSITION_MAX, number, &position) ||
        !read_number(r, object, m->name, "weight", 1, WEIGHT_MAX, 1, &weight) ||
        !read_number(r, object, m->name, "context_tokens", 1, 1000000000, 0,
                     &route->context_tokens))
        return false;
    route->of = m->name;
    route->position = (int)position;
    route->weight = (int)weight;
    m->own_count++;
    if (model == NULL)
        return true;
    char *copy = strdup(model);
    route->model = copy;
    return copy != NULL || complain(r, "routing: out of memory");
}

static int by_position(const void *a, const void *b)
{
    const struct route *x = a, *y = b;
    return (x->position > y->position) - (x->position < y->position);
}

static bool read_routes(struct reading *r, struct routed_model *m, const cJSON *routes)
{
    const cJSON *object;
    int count = cJSON_GetArraySize(routes), number = 0;
    if ((routes != NULL && !cJSON_IsArray(routes)) || count > ROUTES_MAX)
        return complain(r, "routing: model %.80s: routes must be a list of at most %d", m->name,
                        ROUTES_MAX);
    m->own = calloc((size_t)count + 1, sizeof *m->own);
    if (m->own == NULL)
        return complain(r, "routing: out of memory");
    cJSON_ArrayForEach (object, routes)
        if (!read_route(r, m, object, ++number))
            return false;
    /* Of few, and almost sorted: qsort keeps the order of equal ones here by luck only, and need
     * not. */
    qsort(m->own, m->own_count, sizeof *m->own, by_position);
    return true;
}

static bool read_fallbacks(struct reading *r, struct routed_model *m, const cJSON *fallbacks)
{
    const cJSON *name;
    int count = cJSON_GetArraySize(fallbacks);
    if ((fallbacks != NULL && !cJSON_IsArray(fallbacks)) || count > ROUTES_MAX)
        return complain(r, "routing: model %.80s: fallbacks must be a list of at most %d models",
                        m->name, ROUTES_MAX);
    m->fallbacks = calloc((size_t)count + 1, sizeof *m->fallbacks);
    if (m->fallbacks == NULL)
        return complain(r, "routing: out of memory");
    cJSON_ArrayForEach (name, fallbacks) {
        if (!cJSON_IsString(name))
            return complain(r, "routing: model %.80s: a fallback is the name of a model", m->name);
        if ((m->fallbacks[m->fallback_count] = strdup(name->valuestring)) == NULL)
            return complain(r, "routing: out of memory");
        m->fallback_count++;
    }
    return true;
}

static bool read_model(struct reading *r, const cJSON *object)
{
    const char *name = json_string(object, "name");
    if (name == NULL || *name == '\0' || strlen(name) > 256)
        return complain(r, "routing: each model needs a name of at most 256 bytes");
    for (size_t i = 0; i < r->out->model_count; i++)
        if (strcmp(r->out->models[i].name, name) == 0)
            return complain(r, "routing: model %.80s is there twice", name);
    struct routed_model *m = &r->out->models[r->out->model_count];
    m->name = strdup(name);
    if (m->name == NULL)
        return complain(r, "routing: out of memory");
    r->out->model_count++;
    m->is_listed = json_bool(object, "is_listed", true);
    return read_routes(r, m, cJSON_GetObjectItemCaseSensitive(object, "routes")) &&
           read_fallbacks(r, m, cJSON_GetObjectItemCaseSensitive(object, "fallbacks"));
}

/* --- plans --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct routed_model *)a)->name, ((const struct routed_model *)b)->name);
}

static struct routed_model *find_exactly(const struct routing *r, const char *name)
{
    struct routed_model key = {.name = (char *)(uintptr_t)name};
    if (r->model_count == 0)
        return NULL;
    return bsearch(&key, r->models, r->model_count, sizeof key, by_name);
}

const struct routed_model *routing_find(const struct routing *r, const char *name)
{
    const struct routed_model *found = find_exactly(r, name);
    return found != NULL ? found : find_exactly(r, "*");
}

bool routing_has(const struct routing *r, const char *model)
{
    return strcmp(model, "*") != 0 && find_exactly(r, model) != NULL;
}

bool routing_lists(const struct routing *r, const char *model)
{
    return routing_has(r, model) && find_exactly(r, model)->is_listed;
}

/* Whether the same provider and model come earlier in the plan. */
static bool is_planned(const struct routed_model *m, const struct route *route)
{
    for (size_t i = 0; i < m->plan_count; i++) {
        const struct route *p = &m->plan[i];
        if (p->provider == route->provider &&
            (p->model == route->model ||
             (p->model != NULL && route->model != NULL && strcmp(p->model, route->model) == 0)))
            return true;
    }
    return false;
}

/* Appends routes behind those that are there. Those that name no model are asked for as; NULL: for
 * what the client asks. */
static void append(struct routed_model *m, const struct route *routes, size_t count, const char *as)
{
    int base = m->plan_count > 0 ? m->plan[m->plan_count - 1].position : 0;
    for (size_t i = 0; i < count && m->plan_count < ROUTES_MAX; i++) {
        struct route route = routes[i];
        if (route.model == NULL)
            route.model = as;
        if (is_planned(m, &route))
            continue;
        route.position += base;
        m->plan[m->plan_count++] = route;
    }
}

static bool plan_model(struct reading *r, struct routed_model *m)
{
    if (m->depth == 2)
        return true;
    if (m->depth == 1)
        return complain(r, "routing: the fallbacks of model %.80s go round in a circle", m->name);
    m->depth = 1;
    m->plan = calloc(ROUTES_MAX, sizeof *m->plan);
    if (m->plan == NULL)
        return complain(r, "routing: out of memory");
    append(m, m->own, m->own_count, NULL);
    for (size_t i = 0; i < m->fallback_count; i++) {
        struct routed_model *next = find_exactly(r->out, m->fallbacks[i]);
        if (next == NULL)
            return complain(r, "routing: model %.80s falls back to %.80s, which has no routes",
                            m->name, m->fallbacks[i]);
        if (!plan_model(r, next))
            return false;
        /* It is another model that is asked then, unless it stands for any. */
        append(m, next->plan, next->plan_count, strcmp(next->name, "*") != 0 ? next->name : NULL);
    }
    m->depth = 2;
    return m->plan_count > 0 ||
           complain(r, "routing: model %.80s has neither routes nor fallbacks", m->name);
}

/* --- all of it --- */

static bool is_named(const cJSON *list, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach (item, list) {
        const char *other = json_string(item, "name");
        if (other != NULL && name != NULL && strcmp(other, name) == 0)
            return true;
    }
    return false;
}

/* Reads a list of each layer; what a later layer names takes the earlier one's place. */
static bool read_lists(struct reading *r, const cJSON *first, const cJSON *second, const char *key,
                       bool (*read_one)(struct reading *r, const cJSON *object))
{
    const cJSON *lists[] = {cJSON_GetObjectItemCaseSensitive(first, key),
                            cJSON_GetObjectItemCaseSensitive(second, key)};
    for (int i = 0; i < 2; i++) {
        const cJSON *object;
        if (lists[i] != NULL && !cJSON_IsArray(lists[i]))
            return complain(r, "routing: %s must be a list", key);
        cJSON_ArrayForEach (object, lists[i]) {
            if (i == 0 && is_named(lists[1], json_string(object, "name")))
                continue;
            if (!read_one(r, object))
                return false;
        }
    }
    return true;
}

static size_t count_of(const cJSON *first, const cJSON *second, const char *key)
{
    return (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(first, key)) +
           (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(second, key));
}

static bool read_all(struct reading *r, const cJSON *configured, const cJSON *from_database)
{
    size_t providers = count_of(configured, from_database, "providers");
    size_t models = count_of(configured, from_database, "models");
    if (models > MODELS_MAX)
        return complain(r, "routing: more than %d models", MODELS_MAX);
    r->out->providers = calloc(providers + 1, sizeof *r->out->providers);
    r->out->models = calloc(models + 1, sizeof *r->out->models);
    if (r->out->providers == NULL || r->out->models == NULL)
        return complain(r, "routing: out of memory");
    if (!read_default_provider(r) ||
        !read_lists(r, configured, from_database, "providers", read_provider) ||
        !read_lists(r, configured, from_database, "models", read_model))
        return false;
    qsort(r->out->models, r->out->model_count, sizeof *r->out->models, by_name);
    for (size_t i = 0; i < r->out->model_count; i++)
        if (!plan_model(r, &r->out->models[i]))
            return false;
    return true;
}

struct routing *routing_read(const struct config *config, struct breakers *breakers,
                             const cJSON *configured, const cJSON *from_database,
                             char wrong[ROUTING_WRONG_MAX])
{
    struct reading r = {
        .config = config, .configured = configured, .breakers = breakers, .wrong = wrong};
    *wrong = '\0';
    if (configured != NULL && !cJSON_IsObject(configured)) {
        complain(&r, "routing: not an object with providers and models");
        return NULL;
    }
    r.out = calloc(1, sizeof *r.out);
    if (r.out == NULL) {
        complain(&r, "routing: out of memory");
        return NULL;
    }
    atomic_init(&r.out->users, 1);
    r.out->breakers = breakers;
    if (read_all(&r, configured, from_database))
        return r.out;
    routing_free(r.out);
    return NULL;
}

static void free_model(struct routed_model *m)
{
    for (size_t i = 0; i < m->own_count; i++)
        free((char *)(uintptr_t)m->own[i].model);
    for (size_t i = 0; i < m->fallback_count; i++)
        free(m->fallbacks[i]);
    free(m->own);
    free(m->fallbacks);
    free(m->plan);
    free(m->name);
}

void routing_free(struct routing *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->provider_count; i++)
        free_provider(&r->providers[i]);
    for (size_t i = 0; i < r->model_count; i++)
        free_model(&r->models[i]);
    free(r->providers);
    free(r->models);
    free(r);
}
