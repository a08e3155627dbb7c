/* The table of admin routes, and its dispatch. */
#include "routes.h"

#include "common/json.h"
#include "common/query.h"
#include "common/route_table.h"

#include <stdio.h>
#include <string.h>

struct admin_route {
    struct route_key key;
    void (*run)(struct admin_call *c);
    /* Of route_sql: select uplift.F($1 key, $2 arguments, $3 who), and $4, the Idempotency-Key. */
    const struct pg_statement *statement;
    int status;
};

static void route_sql(struct admin_call *c);
/* With the line of the log that notes the request as $4. */
static void route_sql_noted(struct admin_call *c);

#define SQL(function)                                                                              \
    &(const struct pg_statement)                                                                   \
    {                                                                                              \
        .name = #function, .sql = "select uplift_batch." #function "($1, $2, $3)", .params = 3     \
    }
#define SQL_ONCE(function)                                                                         \
    &(const struct pg_statement)                                                                   \
    {                                                                                              \
        .name = #function, .sql = "select uplift_batch." #function "($1, $2, $3, $4)", .params = 4 \
    }

static const struct admin_route routes[] = {
    {{"GET", "/admin/job-kinds"}, route_sql, SQL(admin_list_kinds), 200},
    {{"GET", "/admin/jobs"}, route_sql, SQL(admin_list_jobs), 200},
    {{"POST", "/admin/jobs/{name}"}, route_submit_job, NULL, 202},
    {{"GET", "/admin/jobs/{id}"}, route_sql, SQL(admin_job_history), 200},
    {{"GET", "/admin/jobs/{id}/events"}, route_watch_job, NULL, 200},
    {{"POST", "/admin/jobs/{id}/cancel"}, route_sql, SQL(admin_cancel_job), 202},

    {{"GET", "/admin/datasets"}, route_sql, SQL(admin_list_datasets), 200},
    {{"POST", "/admin/datasets"}, route_sql, SQL(admin_create_dataset), 201},
    {{"GET", "/admin/datasets/{id}"}, route_sql, SQL(admin_get_dataset), 200},
    {{"GET", "/admin/datasets/{id}/export"}, route_export, NULL, 200},
    {{"GET", "/admin/datasets/{id}/examples"}, route_sql, SQL(admin_list_examples), 200},
    {{"POST", "/admin/datasets/{id}/examples"}, route_sql, SQL(admin_create_example), 201},
    {{"GET", "/admin/datasets/{id}/versions"}, route_sql, SQL(admin_list_versions), 200},
    {{"POST", "/admin/datasets/{id}/versions"}, route_sql, SQL(admin_create_version), 201},
    {{"GET", "/admin/dataset-versions/{id}"}, route_sql, SQL(admin_get_version), 200},
    {{"GET", "/admin/dataset-versions/{id}/users"}, route_sql, SQL(admin_version_users), 200},
    {{"GET", "/admin/examples/{id}"}, route_sql, SQL(admin_get_example), 200},
    {{"PATCH", "/admin/examples/{id}"}, route_sql, SQL(admin_edit_example), 200},
    {{"DELETE", "/admin/examples/{id}"}, route_sql, SQL(admin_delete_example), 200},
    {{"POST", "/admin/examples/{id}/validate"}, route_sql, SQL(admin_validate_example), 200},
    {{"POST", "/admin/examples/{id}/reject"}, route_sql, SQL(admin_reject_example), 200},
    {{"POST", "/admin/users/{id}/erase-training-data"}, route_sql, SQL(admin_erase_user), 200},
    {{"DELETE", "/admin/users/{id}"}, route_sql, SQL(admin_erase_everything), 200},
    {{"GET", "/admin/users"}, route_sql_noted, SQL_ONCE(admin_list_users), 200},
    {{"GET", "/admin/users/{id}"}, route_sql, SQL(admin_get_user), 200},
    {{"GET", "/admin/users/{id}/conversations"}, route_sql, SQL(admin_user_conversations), 200},
    {{"GET", "/admin/users/{id}/memories"}, route_sql, SQL(admin_user_memories), 200},
    {{"PATCH", "/admin/users/{id}/consent"}, route_sql, SQL(admin_withdraw_consent), 200},
    {{"GET", "/admin/users/{id}/export"}, route_export_user, NULL, 200},
    {{"GET", "/admin/privacy"}, route_sql, SQL(admin_privacy), 200},
    {{"GET", "/admin/log"}, route_sql, SQL(admin_log), 200},
    {{"GET", "/admin/erasures"}, route_sql, SQL(admin_list_erasures), 200},

    {{"GET", "/admin/answers"}, route_sql_noted, SQL_ONCE(admin_list_answers), 200},
    {{"GET", "/admin/answers/export"}, route_export_answers, NULL, 200},
    {{"GET", "/admin/answers/{id}"}, route_sql_noted, SQL_ONCE(admin_get_answer), 200},
    {{"POST", "/admin/answers/{id}/mark"}, route_sql, SQL(admin_mark_answer), 200},
    {{"POST", "/admin/answers/{id}/reject"}, route_sql, SQL(admin_reject_answer), 200},
    {{"DELETE", "/admin/answers/{id}/review"}, route_sql, SQL(admin_unreview_answer), 200},

    {{"GET", "/admin/settings"}, route_sql, SQL(admin_list_settings), 200},
    {{"PATCH", "/admin/settings"}, route_sql, SQL(admin_change_settings), 200},

    {{"POST", "/admin/finetuning-jobs"}, route_sql, SQL_ONCE(admin_create_finetuning), 202},
    {{"GET", "/admin/finetuning-jobs"}, route_sql, SQL(admin_list_finetuning), 200},
    {{"GET", "/admin/finetuning-jobs/{id}"}, route_sql, SQL(admin_get_finetuning), 200},
    {{"GET", "/admin/finetuning-jobs/{id}/events"}, route_sql, SQL(admin_finetuning_events), 200},
    {{"POST", "/admin/finetuning-jobs/{id}/cancel"}, route_sql, SQL(admin_cancel_finetuning), 202},

    {{"GET", "/admin/model-versions"}, route_sql, SQL(admin_list_model_versions), 200},
    {{"GET", "/admin/model-versions/{id}"}, route_sql, SQL(admin_get_model_version), 200},
    {{"GET", "/admin/model-versions/{id}/deploy-plan"}, route_sql, SQL(admin_plan_deploy), 200},
    {{"GET", "/admin/model-versions/{id}/rollback-plan"}, route_sql, SQL(admin_plan_rollback), 200},
    {{"POST", "/admin/model-versions/{id}/deploy"}, route_sql, SQL(admin_deploy_model), 200},
    {{"POST", "/admin/model-versions/{id}/rollback"}, route_sql, SQL(admin_rollback_model), 200},

    {{"GET", "/admin/model-lineage"}, route_sql, SQL(admin_model_lineage), 200},

    {{"GET", "/admin/experiments"}, route_sql, SQL(admin_list_experiments), 200},
    {{"POST", "/admin/experiments"}, route_sql, SQL(admin_create_experiment), 201},
    {{"GET", "/admin/experiments/{id}"}, route_sql, SQL(admin_get_experiment), 200},
    {{"PATCH", "/admin/experiments/{id}"}, route_sql, SQL(admin_edit_experiment), 200},
    {{"DELETE", "/admin/experiments/{id}"}, route_sql, SQL(admin_delete_experiment), 200},
    {{"GET", "/admin/experiments/{id}/check"}, route_sql, SQL(admin_check_experiment), 200},
    {{"POST", "/admin/experiments/{id}/start"}, route_sql, SQL(admin_start_experiment), 200},
    {{"POST", "/admin/experiments/{id}/pause"}, route_sql, SQL(admin_pause_experiment), 200},
    {{"POST", "/admin/experiments/{id}/stop"}, route_sql, SQL(admin_stop_experiment), 200},
    {{"POST", "/admin/experiments/{id}/clone"}, route_sql, SQL(admin_clone_experiment), 201},
    {{"GET", "/admin/experiments/{id}/preview"}, route_sql, SQL(admin_preview_experiment), 200},
    {{"GET", "/admin/experiments/{id}/results"}, route_sql, SQL(admin_experiment_results), 200},

    {{"GET", "/admin/experiment-plan"}, route_experiment_plan, NULL, 200},

    {{"GET", "/admin/prompt-versions"}, route_sql, SQL(admin_list_prompt_versions), 200},
    {{"GET", "/admin/prompt-versions/{id}"}, route_sql, SQL(admin_get_prompt_version), 200},

    {{"GET", "/admin/rollouts"}, route_sql, SQL(admin_list_rollouts), 200},
    {{"POST", "/admin/rollouts"}, route_sql, SQL(admin_create_rollout), 201},
    {{"GET", "/admin/rollouts/{id}"}, route_sql, SQL(admin_get_rollout), 200},
    {{"POST", "/admin/rollouts/{id}/advance"}, route_sql, SQL(admin_advance_rollout), 200},
    {{"POST", "/admin/rollouts/{id}/promote"}, route_sql, SQL(admin_promote_rollout), 200},
    {{"POST", "/admin/rollouts/{id}/rollback"}, route_sql, SQL(admin_roll_back), 200},

    {{"GET", "/admin/autopilot"}, route_sql, SQL(admin_autopilot), 200},
    {{"GET", "/admin/autopilot/report"}, route_sql, SQL(admin_autopilot_report), 200},
    {{"POST", "/admin/autopilot/start"}, route_sql, SQL(admin_start_autopilot), 200},
    {{"POST", "/admin/autopilot/stop"}, route_sql, SQL(admin_stop_autopilot), 200},
    {{"POST", "/admin/autopilot/dry-run"}, route_sql, SQL(admin_rehearse_autopilot), 200},

    {{"GET", "/admin/coaches"}, route_sql, SQL(admin_list_coaches), 200},
    {{"GET", "/admin/coaches/{name}"}, route_sql, SQL(admin_get_coach), 200},
    {{"PUT", "/admin/coaches/{name}"}, route_sql, SQL(admin_put_coach), 200},
    {{"DELETE", "/admin/coaches/{name}"}, route_sql, SQL(admin_retire_coach), 200},
    {{"GET", "/admin/coaches/{name}/versions"}, route_sql, SQL(admin_list_coach_versions), 200},
    {{"POST", "/admin/coaches/{name}/preview"}, route_sql, SQL(admin_preview_coach), 200},

    {{"GET", "/admin/playbooks"}, route_sql, SQL(admin_list_playbooks), 200},
    {{"GET", "/admin/playbooks/{name}"}, route_sql_noted, SQL_ONCE(admin_get_playbook), 200},
    {{"POST", "/admin/playbooks/{name}/guidelines"}, route_sql, SQL(admin_add_guideline), 201},
    {{"POST", "/admin/playbook-guidelines/{id}/retire"},
     route_sql,
     SQL(admin_retire_guideline),
     200},
    {{"POST", "/admin/playbook-guidelines/{id}/restore"},
     route_sql,
     SQL(admin_restore_guideline),
     200},

    {{"GET", "/admin/providers"}, route_sql, SQL(admin_list_providers), 200},
    {{"GET", "/admin/providers/{name}"}, route_sql, SQL(admin_get_provider), 200},
    {{"PUT", "/admin/providers/{name}"}, route_put_provider, NULL, 200},
    {{"DELETE", "/admin/providers/{name}"}, route_sql, SQL(admin_delete_provider), 200},
    {{"POST", "/admin/providers/{name}/test"}, route_test_provider, NULL, 200},
    {{"GET", "/admin/breakers"}, route_sql, SQL(admin_list_breakers), 200},
    {{"GET", "/admin/models"}, route_sql, SQL(admin_list_models), 200},
    {{"PUT", "/admin/models"}, route_sql, SQL(admin_put_model), 200},
    {{"DELETE", "/admin/models"}, route_sql, SQL(admin_delete_model), 200},
    {{"GET", "/admin/model-rules"}, route_sql, SQL(admin_list_model_rules), 200},
    {{"PUT", "/admin/model-rules"}, route_sql, SQL(admin_put_model_rule), 200},
    {{"DELETE", "/admin/model-rules"}, route_sql, SQL(admin_delete_model_rule), 200},

    {{"GET", "/admin/rate-limits"}, route_sql, SQL(admin_list_rate_limits), 200},
    {{"PUT", "/admin/rate-limits"}, route_sql, SQL(admin_put_rate_limit), 200},
    {{"DELETE", "/admin/rate-limits"}, route_sql, SQL(admin_delete_rate_limit), 200},

    {{"GET", "/admin/prices"}, route_sql, SQL(admin_list_prices), 200},
    {{"PUT", "/admin/prices"}, route_sql, SQL(admin_put_price), 200},
    {{"DELETE", "/admin/prices"}, route_sql, SQL(admin_delete_price), 200},
    {{"GET", "/admin/budgets"}, route_sql, SQL(admin_list_budgets), 200},
    {{"POST", "/admin/budgets"}, route_sql, SQL(admin_create_budget), 201},
    {{"GET", "/admin/budgets/{id}"}, route_sql, SQL(admin_get_budget), 200},
    {{"PATCH", "/admin/budgets/{id}"}, route_sql, SQL(admin_edit_budget), 200},
    {{"DELETE", "/admin/budgets/{id}"}, route_sql, SQL(admin_delete_budget), 200},
    {{"GET", "/admin/api-keys"}, route_sql, SQL(admin_list_api_keys), 200},
    {{"POST", "/admin/api-keys"}, route_sql, SQL(admin_create_api_key), 201},
    {{"GET", "/admin/api-keys/{id}"}, route_sql, SQL(admin_get_api_key), 200},
    {{"PATCH", "/admin/api-keys/{id}"}, route_sql, SQL(admin_edit_api_key), 200},
    {{"POST", "/admin/api-keys/{id}/revoke"}, route_sql, SQL(admin_revoke_api_key), 200},
    {{"GET", "/admin/errors"}, route_sql, SQL(admin_list_errors), 200},
    {{"GET", "/admin/errors/{name}"}, route_sql, SQL(admin_get_error), 200},
    {{"POST", "/admin/errors/{name}/resolve"}, route_sql, SQL(admin_resolve_error), 200},
    {{"POST", "/admin/errors/{name}/reopen"}, route_sql, SQL(admin_reopen_error), 200},
    {{"GET", "/admin/costs"}, route_sql, SQL(admin_costs), 200},
    {{"GET", "/admin/stats"}, route_sql, SQL(admin_stats), 200},
    {{"GET", "/admin/overview"}, route_sql, SQL(admin_overview), 200},
    {{"GET", "/admin/changes"}, route_sql, SQL(admin_changes), 200},
    {{"GET", "/admin/worth"}, route_sql, SQL(admin_worth), 200},

    {{"GET", "/admin/predictions"}, route_sql, SQL(admin_list_predictions), 200},
    {{"GET", "/admin/predictions/figures"}, route_sql, SQL(admin_prediction_figures), 200},
    {{"GET", "/admin/predictions/calibration"}, route_sql, SQL(admin_calibration), 200},
    {{"GET", "/admin/predictions/drift"}, route_sql, SQL(admin_drift), 200},

    {{"GET", "/admin/food-photos/accuracy"}, route_sql, SQL(admin_photo_accuracy), 200},
    {{"GET", "/admin/food-photos/export"}, route_photo_export, NULL, 200},
    {{"GET", "/admin/food-photos/{id}"}, route_sql, SQL(admin_get_photo), 200},
    {{"GET", "/admin/food-photos/{id}/image"}, route_photo_image, NULL, 200},

    {{"GET", "/admin/knowledge"}, route_sql, SQL(admin_list_knowledge), 200},
    {{"POST", "/admin/knowledge"}, route_post_knowledge, NULL, 201},
    {{"POST", "/admin/knowledge/search"}, route_sql, SQL(admin_search_knowledge), 200},
    {{"GET", "/admin/knowledge/{id}"}, route_sql, SQL(admin_get_knowledge), 200},
    {{"PATCH", "/admin/knowledge/{id}"}, route_sql, SQL(admin_edit_knowledge), 200},
    {{"DELETE", "/admin/knowledge/{id}"}, route_sql, SQL(admin_delete_knowledge), 200},
    {{"GET", "/admin/knowledge/{id}/chunks"}, route_sql, SQL(admin_list_chunks), 200},

    {{"GET", "/admin/memory-policy"}, route_sql, SQL(admin_memory_policy), 200},
    {{"PATCH", "/admin/memory-policy"}, route_sql, SQL(admin_edit_memory_policy), 200},
    {{"POST", "/admin/memory-policy/try"}, route_sql, SQL(admin_try_memory_policy), 200},

    {{"GET", "/admin/schedules"}, route_sql, SQL(admin_list_schedules), 200},
    {{"PUT", "/admin/schedules/{name}"}, route_sql, SQL(admin_put_schedule), 200},
    {{"POST", "/admin/schedules/{name}/run"}, route_sql, SQL(admin_run_schedule), 202},

    {{"GET", "/healthz"}, route_batch_alive, NULL, 200},
    {{"GET", "/readyz"}, route_batch_health, NULL, 200},
};
#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

static const struct route_table table = {routes, ROUTE_COUNT, sizeof routes[0]};

#define SMALL_BODY_BYTES 65536 /* a provider, a job's arguments, a note */

/* Examples are written by hand, too, and may be whole conversations; knowledge may be a book. */
static int64_t max_body(const struct config *config, const char *path)
{
    static const char *const large[] = {"/admin/datasets/{id}/examples", "/admin/examples/{id}",
                                        "/admin/knowledge"};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
        if (strcmp(path, large[i]) == 0)
            return config->max_body_bytes;
    return SMALL_BODY_BYTES < config->max_body_bytes ? SMALL_BODY_BYTES : config->max_body_bytes;
}

/* What is not below /admin/ is for those who watch over the server, and tells nothing. */
static bool is_open(const struct admin_route *route)
{
    return strncmp(route->key.path, "/admin/", strlen("/admin/")) != 0;
}

bool admin_query(struct admin_call *c, const struct pg_statement *statement,
                 const char *const *values, PGresult **result, struct api_error *error)
{
    return pg_pool_ask(c->admin->pool, c->admin->breaker, statement, values, result, error, NULL);
}

void admin_reply_query(struct admin_call *c, const struct pg_statement *statement,
                       const char *const *values, int status)
{
    struct api_error error;
    PGresult *result;
    if (!admin_query(c, statement, values, &result, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    request_reply(c->request, status, "application/json", NULL, PQgetvalue(result, 0, 0),
                  (size_t)PQgetlength(result, 0, 0));
    PQclear(result);
}

static char *query_as_json(const char *text, struct api_error *error)
{
    struct query query;
    if (!query_parse(&query, text)) {
        api_error(error, 400, "invalid_query", "", "the query string cannot be read");
        return NULL;
    }
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < query.count; i++)
        if (!cJSON_HasObjectItem(object, query.pairs[i].name)) /* the first one counts */
            cJSON_AddStringToObject(object, query.pairs[i].name, query.pairs[i].value);
    query_release(&query);
    char *out = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (out == NULL)
        api_error_no_memory(error);
    return out;
}

char *admin_arguments(struct admin_call *c, struct api_error *error)
{
    struct request *r = c->request;
    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0 ||
        strcmp(r->method, "DELETE") == 0)
        return query_as_json(r->query, error);
    if (r->body == NULL)
        return query_as_json("", error);
    struct span body;
    if (!request_json(r, false, &body, error))
        return NULL;
    char *out = cJSON_malloc(body.len + 1);
    if (out == NULL) {
        api_error_no_memory(error);
        return NULL;
    }
    memcpy(out, body.at, body.len);
    out[body.len] = '\0';
    return out;
}

static void reply_sql(struct admin_call *c, const char *last)
{
    struct api_error error;
    char *arguments = admin_arguments(c, &error);
    if (arguments == NULL) {
        request_fail(c->request, &error, NULL);
        return;
    }
    const char *values[] = {*c->key != '\0' ? c->key : NULL, arguments, c->who, last};
    admin_reply_query(c, c->route->statement, values, c->route->status);
    cJSON_free(arguments);
}

static void route_sql(struct admin_call *c)
{
    reply_sql(c, request_param(c->request, "HTTP_IDEMPOTENCY_KEY"));
}

static void route_sql_noted(struct admin_call *c)
{
    reply_sql(c, c->log_line);
}

/* True when an admin sends this. */
static bool authorize(struct admin_call *c, struct api_error *error)
{
    struct request *r = c->request;
    if (!auth_check(c->admin->auth, request_param(r, "HTTP_AUTHORIZATION"),
                    request_param(r, "HTTP_APIKEY"), &r->who, error))
        return false;
    if (!r->who.is_admin)
        return api_error(error, 403, "admin_required", "",
                         "only admins may do this: tokens with role service_role, or with the "
                         "role that UPLIFT_JWT_ROLE_CLAIM and UPLIFT_JWT_ADMIN_ROLES name");
    snprintf(c->who, sizeof c->who, "%s", r->who.has_user ? r->who.user_text : "admin");
    return true;
}

/* Whether it shows what users said, or who they are. */
static bool shows_texts(const struct admin_route *route)
{
    static const char *const paths[] = {
        "/admin/datasets/{id}/examples",
        "/admin/datasets/{id}/export",
        "/admin/examples/{id}",
        "/admin/dataset-versions/{id}/users",
        "/admin/playbooks/{name}",
        "/admin/errors/{name}",
        "/admin/experiments/{id}/preview",
        "/admin/food-photos/export",
        "/admin/food-photos/{id}",
        "/admin/food-photos/{id}/image",
        "/admin/answers",
        "/admin/answers/export",
        "/admin/answers/{id}",
        "/admin/users",
        "/admin/users/{id}",
        "/admin/users/{id}/conversations",
        "/admin/users/{id}/memories",
        "/admin/users/{id}/export",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(route->key.path, paths[i]) == 0)
            return true;
    return false;
}

/* Notes what an admin is about to do or to read. False with *error: then it must not be done. */
static bool note(struct admin_call *c, struct api_error *error)
{
    static const struct pg_statement statement = {
        .name = "note_admin",
        .sql = "select uplift_batch.note_admin($1, $2, $3, $4, $5, $6)",
        .params = 6};
    struct api_error unreadable;
    const char *method = c->request->method;
    bool is_read = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    PGresult *result;
    if (is_open(c->route) || (is_read && !shows_texts(c->route)))
        return true;
    /* What cannot be read is refused by the route, which says why. */
    char *arguments = admin_arguments(c, &unreadable);
    const char *values[] = {c->who,
                            method,
                            c->route->key.path,
                            *c->key != '\0' ? c->key : NULL,
                            arguments,
                            c->request->request_id};
    bool good = admin_query(c, &statement, values, &result, error);
    cJSON_free(arguments);
    if (good) {
        snprintf(c->log_line, sizeof c->log_line, "%s", PQgetvalue(result, 0, 0));
        PQclear(result);
    }
    return good;
}

static void run(struct admin_call *c, const struct route_match *match)
{
    struct api_error error;
    if (!is_open(c->route) && !authorize(c, &error)) {
        request_fail(c->request, &error,
                     error.status == 401 ? "WWW-Authenticate: Bearer\r\n" : NULL);
    } else if ((match->is_bad_id && !route_bad_id(match, &error)) ||
               !request_read_body(c->request, max_body(c->admin->config, c->route->key.path),
                                  &error) ||
               !note(c, &error)) {
        request_fail(c->request, &error, NULL);
    } else {
        c->route->run(c);
    }
}

void admin_dispatch(struct admin *admin, struct request *r)
{
    struct admin_call call = {.admin = admin, .request = r};
    struct route_match match;
    struct api_error error;
    char room[ROUTE_ALLOWED + 16];
    if (strcmp(r->method, "OPTIONS") == 0) {
        request_reply(r, 204, NULL, NULL, NULL, 0);
        return;
    }
    route_find(&table, r, &match);
    if (match.index == ROUTE_COUNT || match.variable_len > ROUTE_KEY_MAX) {
        const char *header = route_unknown(r, &match, NULL, &error, room);
        request_fail(r, &error, header);
        return;
    }
    call.route = &routes[match.index];
    r->route = call.route->key.path;
    snprintf(call.key, sizeof call.key, "%.*s", (int)match.variable_len,
             match.id[0] != '\0'      ? match.id
             : match.variable != NULL ? match.variable
                                      : "");
    run(&call, &match);
}

void routes_print(FILE *out)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        route_print(out, &routes[i].key, is_open(&routes[i]) ? "open" : "admin",
                    is_open(&routes[i]) ? 0 : SCOPE_ADMIN);
}
