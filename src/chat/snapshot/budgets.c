/* The budgets that are used up; see budgets.h. */
#include "budgets.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/utf8.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct budgets {
    pthread_mutex_t lock;
    cJSON *list; /* in the order that they count in */
};

struct budgets *budgets_new(void)
{
    struct budgets *b = calloc(1, sizeof *b);
    if (b != NULL)
        pthread_mutex_init(&b->lock, NULL);
    return b;
}

void budgets_free(struct budgets *b)
{
    if (b == NULL)
        return;
    cJSON_Delete(b->list);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void budgets_take(struct budgets *b, const cJSON *list)
{
    cJSON *copy = list != NULL ? cJSON_Duplicate(list, true) : NULL;
    pthread_mutex_lock(&b->lock);
    cJSON *before = b->list;
    b->list = copy;
    pthread_mutex_unlock(&b->lock);
    cJSON_Delete(before);
}

static bool applies(const cJSON *budget, const char *user, const char *coach_id)
{
    const char *scope = json_string(budget, "scope"), *key = json_string(budget, "key");
    if (scope == NULL || key == NULL ||
        json_number(budget, "ends_at", 0) <= (double)(clock_wall_us() / 1000000))
        return false;
    if (strcmp(scope, "total") == 0)
        return true;
    const char *own = strcmp(scope, "user") == 0 ? user : coach_id;
    return own != NULL && (*key == '\0' || strcmp(key, own) == 0);
}

static bool tell_used_up(const cJSON *budget, struct api_error *error)
{
    const char *scope = json_string(budget, "scope"), *period = json_string(budget, "period");
    bool is_total = strcmp(scope, "total") == 0;
    api_error(error, 429, "budget_exceeded", "", "the budget of this %s for %s%s is used up",
              period != NULL ? period : "period", is_total ? "all chats" : "this ",
              is_total ? "" : scope);
    error->retry_after_ms =
        (int64_t)(json_number(budget, "ends_at", 0) * 1000) - clock_wall_us() / 1000;
    return false;
}

bool budgets_allow(struct budgets *b, const char *user, const char *coach_id, char *model,
                   size_t size, struct api_error *error)
{
    const cJSON *budget;
    bool allowed = true;
    *model = '\0';
    pthread_mutex_lock(&b->lock);
    cJSON_ArrayForEach (budget, b->list) {
        if (!allowed || !applies(budget, user, coach_id))
            continue;
        const char *cheaper = json_string(budget, "cheaper_model"),
                   *action = json_string(budget, "action");
        if (action != NULL && strcmp(action, "refuse") == 0)
            allowed = tell_used_up(budget, error);
        else if (cheaper != NULL && *model == '\0')
            utf8_copy(model, size, cheaper);
    }
    pthread_mutex_unlock(&b->lock);
    return allowed;
}
