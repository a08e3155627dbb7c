/* Which models a request may name; see model_access.h. */
#include "model_access.h"

#include "common/json.h"
#include "common/kept_file.h"
#include "common/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ACCESS_FILE "access.json"
#define MODEL_ROOM 257

struct rule {
    const char *scope, *key; /* in the document */
    const cJSON *allow;      /* NULL: what is listed */
    const cJSON *deny;       /* NULL: nothing */
};

/* By scope and key. */
struct table {
    struct rule *rules;
    size_t count;
};

/* What was told, and where what is looked for stands in it. */
struct known {
    cJSON *document;
    struct table rules, budgets; /* of budgets there are but scopes and keys */
    const cJSON *served;
    bool takes_unpriced;
};

struct model_access {
    const struct config *config;
    struct routings *routings;
    struct prices *prices;
    pthread_mutex_t lock; /* guards the rest */
    struct known known;
    int64_t revision;
};

/* --- what is known --- */

static int by_scope_and_key(const void *a, const void *b)
{
    const struct rule *x = a, *y = b;
    int order = strcmp(x->scope, y->scope);
    return order != 0 ? order : strcmp(x->key, y->key);
}

static void forget(struct known *k)
{
    cJSON_Delete(k->document);
    free(k->rules.rules);
    free(k->budgets.rules);
    *k = (struct known){.document = NULL};
}

/* False when memory ran out. */
static bool index_list(struct table *t, const cJSON *list)
{
    const cJSON *item;
    t->rules = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *t->rules);
    if (t->rules == NULL)
        return false;
    cJSON_ArrayForEach (item, list) {
        struct rule *r = &t->rules[t->count];
        *r = (struct rule){.scope = json_string(item, "scope"),
                           .key = json_string(item, "key"),
                           .allow = cJSON_GetObjectItemCaseSensitive(item, "allow"),
                           .deny = cJSON_GetObjectItemCaseSensitive(item, "deny")};
        t->count += r->scope != NULL && r->key != NULL;
    }
    qsort(t->rules, t->count, sizeof *t->rules, by_scope_and_key);
    return true;
}

/* Takes the document; NULL is none. False when memory ran out. */
static bool index_document(struct known *k, cJSON *document)
{
    const char *unpriced = json_string(document, "unpriced");
    *k = (struct known){
        .document = document,
        .served = cJSON_GetObjectItemCaseSensitive(document, "served"),
        .takes_unpriced = unpriced != NULL && strcmp(unpriced, "allow") == 0,
    };
    if (document != NULL &&
        index_list(&k->rules, cJSON_GetObjectItemCaseSensitive(document, "rules")) &&
        index_list(&k->budgets, cJSON_GetObjectItemCaseSensitive(document, "budgets")))
        return true;
    forget(k);
    return false;
}

void model_access_take(struct model_access *a, const cJSON *access)
{
    struct known made, before;
    char *text = cJSON_PrintUnformatted(access);
    if (text == NULL || !index_document(&made, cJSON_Duplicate(access, true))) {
        log_error("access", "stays as it is: out of memory");
        cJSON_free(text);
        return;
    }
    pthread_mutex_lock(&a->lock);
    before = a->known;
    a->known = made;
    a->revision = (int64_t)json_number(access, "revision", 0);
    pthread_mutex_unlock(&a->lock);
    forget(&before);
    kept_file_write(a->config->spool_dir, ACCESS_FILE, text);
    log_info("access", "follows change %.0f", json_number(access, "revision", 0));
    cJSON_free(text);
}

int64_t model_access_revision(struct model_access *a)
{
    pthread_mutex_lock(&a->lock);
    int64_t revision = a->revision;
    pthread_mutex_unlock(&a->lock);
    return revision;
}

struct model_access *model_access_new(const struct config *config, struct routings *routings,
                                      struct prices *prices)
{
    struct model_access *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    pthread_mutex_init(&a->lock, NULL);
    a->config = config;
    a->routings = routings;
    a->prices = prices;
    a->revision = -1;
    char *kept = kept_file_read(config->spool_dir, ACCESS_FILE);
    if (kept != NULL)
        index_document(&a->known, cJSON_Parse(kept));
    free(kept);
    return a;
}

void model_access_free(struct model_access *a)
{
    if (a == NULL)
        return;
    forget(&a->known);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* --- rules --- */

/* Whether the list has the name, or a beginning of it that ends in *. */
static bool has_model(const cJSON *list, const char *model)
{
    const cJSON *item;
    cJSON_ArrayForEach (item, list) {
        const char *name = cJSON_GetStringValue(item);
        size_t len = name != NULL ? strlen(name) : 0;
        if (len == 0)
            continue;
        if (name[len - 1] == '*' ? strncmp(name, model, len - 1) == 0 : strcmp(name, model) == 0)
            return true;
    }
    return false;
}

/* That for one of a scope, else that for each; NULL: none. */
static const struct rule *find(const struct table *t, const char *scope, const char *key)
{
    struct rule wanted = {.scope = scope, .key = key};
    if (t->count == 0 || key == NULL || *key == '\0')
        return NULL;
    const struct rule *found =
        bsearch(&wanted, t->rules, t->count, sizeof wanted, by_scope_and_key);
    wanted.key = "";
    return found != NULL ? found
                         : bsearch(&wanted, t->rules, t->count, sizeof wanted, by_scope_and_key);
}

#define RULES_MOST 3

/* The rules that apply, RULES_MOST at most. */
static size_t find_rules(const struct known *k, const struct model_asker *who,
                         const struct rule *out[RULES_MOST])
{
    const struct rule *found[RULES_MOST] = {find(&k->rules, "user", who->user),
                                            find(&k->rules, "coach", who->coach_id),
                                            find(&k->rules, "api_key", who->api_key)};
    size_t count = 0;
    for (size_t i = 0; i < RULES_MOST; i++)
        if (found[i] != NULL)
            out[count++] = found[i];
    return count;
}

/* Whether all rules agree. Where none says more, a model has to be listed. */
static bool rules_allow(const struct known *k, const struct model_asker *who, const char *model,
                        bool is_listed)
{
    const struct rule *rules[RULES_MOST];
    size_t count = find_rules(k, who, rules);
    for (size_t i = 0; i < count; i++)
        if (has_model(rules[i]->deny, model) ||
            !(rules[i]->allow != NULL ? has_model(rules[i]->allow, model) : is_listed))
            return false;
    return count > 0 || is_listed;
}

/* --- what is listed --- */

/* Calls each with every model of a comma list. */
static void each_of_list(const char *list, void (*each)(void *arg, const char *model), void *arg)
{
    char name[MODEL_ROOM];
    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (len > 0 && len < sizeof name) {
            memcpy(name, p, len);
            name[len] = '\0';
            each(arg, name);
        }
        p += len + (p[len] == ',');
    }
}

static void each_listed(const struct model_access *a, const struct routing *routing,
                        void (*each)(void *arg, const char *model), void *arg)
{
    const cJSON *served;
    each(arg, a->config->model);
    each_of_list(a->config->models, each, arg);
    routing_each_model(routing, each, arg);
    cJSON_ArrayForEach (served, a->known.served)
        if (cJSON_IsString(served))
            each(arg, served->valuestring);
}

static bool is_in_list(const char *list, const char *model)
{
    size_t len = strlen(model);
    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        if (n == len && strncmp(p, model, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static bool is_listed(const struct model_access *a, const struct routing *routing,
                      const char *model)
{
    const cJSON *served;
    if (strcmp(a->config->model, model) == 0 || is_in_list(a->config->models, model) ||
        routing_lists(routing, model))
        return true;
    cJSON_ArrayForEach (served, a->known.served)
        if (cJSON_IsString(served) && strcmp(served->valuestring, model) == 0)
            return true;
    return false;
}

bool model_access_knows(struct model_access *a, const char *model)
{
    struct routing *routing = routings_current(a->routings);
    pthread_mutex_lock(&a->lock);
    bool is_known = is_listed(a, routing, model) || routing_has(routing, model);
    pthread_mutex_unlock(&a->lock);
    routing_release(routing);
    return is_known;
}

/* --- prices --- */

static bool is_budgeted(const struct table *budgets, const struct model_asker *who)
{
    return find(budgets, "total", "all") != NULL || find(budgets, "user", who->user) != NULL ||
           find(budgets, "coach", who->coach_id) != NULL;
}

static bool has_price(void *prices, const char *model, const char *provider)
{
    return prices_have(prices, model, provider);
}

/* Whether an answer by any of the model's routes could be charged to the budgets it falls under. */
static bool can_be_charged(const struct model_access *a, const struct routing *routing,
                           const struct model_asker *who, const char *model)
{
    return a->known.takes_unpriced || !is_budgeted(&a->known.budgets, who) ||
           routing_all_routes(routing, model, has_price, a->prices);
}

/* --- both --- */

static bool judge(const struct model_access *a, const struct routing *routing,
                  const struct model_asker *who, const char *model, bool is_named,
                  struct api_error *error)
{
    if (!rules_allow(&a->known, who, model, !is_named || is_listed(a, routing, model))) {
        if (!is_named)
            return api_error(
                error, 403, "model_not_allowed", "",
                "no model that is open to you answers here; tell the server's operator");
        api_error(error, 404, "model_not_found", "model",
                  "The model '%.200s' does not exist or you do not have access to it.", model);
        error->type = "invalid_request_error";
        return false;
    }
    return can_be_charged(a, routing, who, model) ||
           api_error(error, 403, "model_not_priced", "model",
                     "the model '%.200s' has no price, and so cannot be used under a budget; the "
                     "server's operator can set one",
                     model);
}

bool model_access_allows(struct model_access *a, const struct model_asker *who, const char *model,
                         bool is_named, struct api_error *error)
{
    struct routing *routing = routings_current(a->routings);
    pthread_mutex_lock(&a->lock);
    bool allowed = judge(a, routing, who, model, is_named, error);
    pthread_mutex_unlock(&a->lock);
    routing_release(routing);
    return allowed;
}

struct listing {
    const struct model_access *access;
    const struct routing *routing;
    const struct model_asker *who;
    cJSON *told; /* names */
    void (*each)(void *arg, const char *model);
    void *arg;
};

static void list_one(void *arg, const char *model)
{
    struct listing *l = arg;
    struct api_error error;
    if (has_model(l->told, model) || !judge(l->access, l->routing, l->who, model, true, &error))
        return;
    cJSON_AddItemToArray(l->told, cJSON_CreateString(model));
    l->each(l->arg, model);
}

void model_access_each(struct model_access *a, const struct model_asker *who,
                       void (*each)(void *arg, const char *model), void *arg)
{
    const struct rule *rules[RULES_MOST];
    struct routing *routing = routings_current(a->routings);
    struct listing l = {.access = a, .routing = routing, .who = who, .each = each, .arg = arg};
    l.told = cJSON_CreateArray();
    pthread_mutex_lock(&a->lock);
    each_listed(a, routing, list_one, &l);
    for (size_t i = 0, count = find_rules(&a->known, who, rules); i < count; i++) {
        const cJSON *name;
        cJSON_ArrayForEach (name, rules[i]->allow)
            if (cJSON_IsString(name) && strchr(name->valuestring, '*') == NULL)
                list_one(&l, name->valuestring);
    }
    pthread_mutex_unlock(&a->lock);
    cJSON_Delete(l.told);
    routing_release(routing);
}
