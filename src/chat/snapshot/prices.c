/* What models cost; see prices.h. */
#include "prices.h"

#include "chat/provider/model_name.h"
#include "common/json.h"
#include "common/utf8.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct price {
    char model[257], provider[64]; /* provider "": any */
    double input, cached, output; /* US dollars for a million tokens, which is millionths for one */
};

struct prices {
    pthread_mutex_t lock;
    struct price *list; /* NULL: nothing was told */
    size_t count;
};

struct prices *prices_new(void)
{
    struct prices *p = calloc(1, sizeof *p);
    if (p != NULL)
        pthread_mutex_init(&p->lock, NULL);
    return p;
}

void prices_free(struct prices *p)
{
    if (p == NULL)
        return;
    free(p->list);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void copy_text(char *out, size_t size, const cJSON *item, const char *key)
{
    utf8_copy(out, size, json_string(item, key));
}

static int by_model(const void *a, const void *b)
{
    const struct price *x = a, *y = b;
    int order = strcmp(x->model, y->model);
    return order != 0 ? order : strcmp(x->provider, y->provider);
}

void prices_take(struct prices *p, const cJSON *list)
{
    size_t count = 0;
    struct price *made = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *made);
    const cJSON *item;
    if (made == NULL)
        return;
    cJSON_ArrayForEach (item, list) {
        struct price *one = &made[count++];
        copy_text(one->model, sizeof one->model, item, "model");
        copy_text(one->provider, sizeof one->provider, item, "provider");
        one->input = json_number(item, "input", 0);
        one->cached = json_number(item, "cached", one->input);
        one->output = json_number(item, "output", 0);
    }
    qsort(made, count, sizeof *made, by_model);
    pthread_mutex_lock(&p->lock);
    struct price *before = p->list;
    p->list = made;
    p->count = count;
    pthread_mutex_unlock(&p->lock);
    free(before);
}

static int name_and_price(const void *name, const void *price)
{
    return model_name_compare(name, ((const struct price *)price)->model);
}

/* The price under one name: the provider's own, else that of any. The lock is held. */
static const struct price *price_under(const struct prices *p, const struct model_name *name,
                                       const char *provider)
{
    const struct price *found = bsearch(name, p->list, p->count, sizeof *p->list, name_and_price);
    const struct price *any = NULL;
    if (found == NULL)
        return NULL;
    while (found > p->list && strcmp(found[-1].model, found->model) == 0)
        found--;
    for (const struct price *one = found;
         one < p->list + p->count && strcmp(one->model, found->model) == 0; one++) {
        if (strcmp(one->provider, provider) == 0)
            return one;
        if (*one->provider == '\0')
            any = one;
    }
    return any;
}

/* As uplift.price_of(). The lock is held. */
static const struct price *find_price(const struct prices *p, const char *model,
                                      const char *provider)
{
    struct model_name names[MODEL_NAMES];
    const struct price *found = NULL;
    size_t count = p->count > 0 ? model_names(model, names) : 0;
    for (size_t i = 0; i < count && found == NULL; i++)
        found = price_under(p, &names[i], provider);
    return found;
}

bool prices_have(struct prices *p, const char *model, const char *provider)
{
    pthread_mutex_lock(&p->lock);
    bool have = p->list == NULL || find_price(p, model, provider) != NULL;
    pthread_mutex_unlock(&p->lock);
    return have;
}

bool prices_cost(struct prices *p, const char *model, const char *provider,
                 const struct token_counts *tokens, double *usd)
{
    pthread_mutex_lock(&p->lock);
    const struct price *price = find_price(p, model, provider);
    bool have = price != NULL;
    if (have)
        *usd =
            ((double)(tokens->prompt - tokens->cached) * price->input +
             (double)tokens->cached * price->cached + (double)tokens->completion * price->output) /
            1e6;
    pthread_mutex_unlock(&p->lock);
    return have;
}
