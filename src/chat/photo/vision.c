/* One call of a vision model; see vision.h. */
#include "vision.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/meal_form.h"
#include "common/model_answer.h"
#include "common/refusal.h"
#include "common/schema_check.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_MAX ((size_t)24 << 20)
#define ANSWER_TOKENS 4000 /* of as many foods as its form has */

const char *vision_model(const struct config *config)
{
    const char *model = config->vision_model != NULL ? config->vision_model : config->model;
    return strcmp(model, "none") == 0 ? NULL : model;
}

static const char *base_url(const struct config *config)
{
    return config->vision_url != NULL ? config->vision_url : config->upstream_url;
}

/* The provider's own key is sent to nobody else. */
static const char *key_of(const struct config *config)
{
    if (config->vision_key != NULL)
        return config->vision_key;
    return config->vision_url == NULL ? config->openai_api_key : NULL;
}

/* --- the request --- */

/* Writes it up to the limit of tokens, whose name depends on who is asked. */
static bool write_request(const struct config *config, const void *jpeg, size_t len,
                          struct buf *out)
{
    const char *model = vision_model(config);
    cJSON *plain = meal_schema();
    cJSON *schema = plain != NULL ? schema_to_send(plain) : NULL;
    char *text = schema != NULL ? cJSON_PrintUnformatted(schema) : NULL;
    bool good = text != NULL && buf_puts(out, "{\"model\":") &&
                buf_json_string(out, model, strlen(model)) && buf_puts(out, ",\"messages\":[") &&
                meal_put_messages(out, jpeg, len) &&
                buf_printf(out,
                           "],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
                           "{\"name\":\"%s\",\"strict\":true,\"schema\":",
                           MEAL_FORM_NAME) &&
                buf_puts(out, text) && buf_puts(out, "}}");
    cJSON_free(text);
    cJSON_Delete(schema);
    cJSON_Delete(plain);
    return good;
}

static bool is_wanted(void *arg)
{
    return !atomic_load((const atomic_bool *)arg);
}

/* One call of what is written. The limit of tokens has a younger and an older name. */
static enum http_outcome call(const struct vision *v, struct buf *request, bool is_older,
                              struct http_answer *answer)
{
    const struct http_server server = {.config = v->config,
                                       .goes_on = is_wanted,
                                       .goes_on_arg = (void *)v->stopping,
                                       .base_url = base_url(v->config),
                                       .key = key_of(v->config),
                                       .key_header = "Authorization",
                                       .timeout_ms = v->config->vision_timeout_ms};
    size_t len = request->len;
    if (!buf_printf(request, ",\"%s\":%d}", is_older ? "max_tokens" : "max_completion_tokens",
                    ANSWER_TOKENS)) {
        memset(answer, 0, sizeof *answer);
        return HTTP_FAILED;
    }
    enum http_outcome how = http_call(&server, "/chat/completions", request->data, NULL, answer);
    buf_cut(request, len);
    return how;
}

static bool is_good(enum http_outcome how, const struct http_answer *answer)
{
    return how == HTTP_ANSWERED && answer->status >= 200 && answer->status <= 299;
}

/* Asks, by the other name where the one is not taken, which is remembered. */
static enum http_outcome ask(struct vision *v, struct buf *request, struct http_answer *answer)
{
    bool is_older = atomic_load(&v->names_max_tokens);
    enum http_outcome how = call(v, request, is_older, answer);
    if (how != HTTP_ANSWERED ||
        !refusal_is_about(answer, is_older ? "max_tokens" : "max_completion_tokens"))
        return how;
    http_release(answer);
    how = call(v, request, !is_older, answer);
    if (is_good(how, answer))
        atomic_store(&v->names_max_tokens, !is_older);
    return how;
}

/* --- what comes back --- */

static const char *code_of(enum model_answer how)
{
    switch (how) {
    case MODEL_REFUSED:
        return "vision_refused";
    case MODEL_CUT:
        return "vision_answer_cut";
    default:
        return "vision_answer_unusable";
    }
}

bool vision_read(const cJSON *response, cJSON **meal, const char **code)
{
    char why[MODEL_ANSWER_WHY];
    cJSON *schema = meal_schema();
    *meal = NULL;
    enum model_answer how = MODEL_UNUSABLE;
    if (schema != NULL)
        how = model_answer_read(response, schema, meal, why);
    cJSON_Delete(schema);
    *code = code_of(how);
    return how == MODEL_ANSWERED;
}

static cJSON *describe(const struct vision *v, const char *model)
{
    char provider[256];
    cJSON *told = cJSON_CreateObject();
    model_provider_name(base_url(v->config), provider, sizeof provider);
    cJSON_AddStringToObject(told, "model", model);
    cJSON_AddStringToObject(told, "provider", provider);
    return told;
}

static void add_usage(cJSON *told, const cJSON *response)
{
    const struct model_usage usage = model_answer_usage(response);
    cJSON_AddNumberToObject(told, "prompt_tokens", usage.prompt_tokens);
    cJSON_AddNumberToObject(told, "completion_tokens", usage.completion_tokens);
}

/* Takes the meal. */
static cJSON *tell_answer(const struct vision *v, const cJSON *response, cJSON *meal, int64_t ms)
{
    cJSON *told = describe(v, model_answer_model(response, vision_model(v->config)));
    add_usage(told, response);
    cJSON_AddNumberToObject(told, "analysis_time_ms", (double)ms);
    cJSON_AddItemToObject(told, "answer", meal);
    return told;
}

static cJSON *tell_failure(const struct vision *v, const struct http_answer *answer,
                           const char *reason, const char *code, bool may_pass)
{
    bool is_whole = cJSON_IsObject(answer->json) && answer->status >= 200 && answer->status <= 299;
    cJSON *told =
        describe(v, model_answer_model(is_whole ? answer->json : NULL, vision_model(v->config)));
    cJSON_AddStringToObject(told, "reason", reason);
    cJSON_AddStringToObject(told, "code", code);
    cJSON_AddBoolToObject(told, "may_pass", may_pass);
    cJSON_AddNumberToObject(told, "retry_after_ms", (double)answer->retry_after_ms);
    if (answer->status > 0)
        cJSON_AddNumberToObject(told, "http_status", (double)answer->status);
    if (is_whole) /* it is paid for all the same */
        add_usage(told, answer->json);
    return told;
}

static cJSON *judge(const struct vision *v, enum http_outcome how, const struct http_answer *answer,
                    int64_t ms, enum vision_outcome *outcome)
{
    char reason[32];
    const char *code;
    cJSON *meal, *told;
    *outcome = VISION_FAILED;
    if (how != HTTP_ANSWERED) {
        told = tell_failure(v, answer, answer->is_late ? "timeout_total" : "connection_failed",
                            "vision_unreachable", true);
    } else if (!is_good(how, answer)) {
        /* What it says of this request it would say again. */
        bool may_pass = refusal_may_pass(answer);
        snprintf(reason, sizeof reason, "status_%ld", answer->status);
        told = tell_failure(v, answer, reason, may_pass ? "vision_unreachable" : "vision_refused",
                            may_pass);
    } else if (vision_read(answer->json, &meal, &code)) {
        *outcome = VISION_ANSWERED;
        return tell_answer(v, answer->json, meal, ms);
    } else {
        told = tell_failure(v, answer, "bad_answer", code, strcmp(code, "vision_refused") != 0);
    }
    cJSON_AddNumberToObject(told, "duration_ms", (double)ms);
    return told;
}

enum vision_outcome vision_ask(struct vision *v, const void *jpeg, size_t len, char **told)
{
    struct http_answer answer = {0};
    struct buf request;
    enum vision_outcome outcome = VISION_FAILED;
    cJSON *about = NULL;
    *told = NULL;
    buf_init(&request, REQUEST_MAX);
    if (write_request(v->config, jpeg, len, &request)) {
        int64_t begun_ms = clock_ms();
        enum http_outcome how = ask(v, &request, &answer);
        if (how == HTTP_STOPPED)
            outcome = VISION_STOPPED;
        else
            about = judge(v, how, &answer, clock_ms() - begun_ms, &outcome);
        http_release(&answer);
    } else {
        about = tell_failure(v, &answer, "no_memory", "vision_unreachable", true);
    }
    buf_release(&request);
    *told = about != NULL ? cJSON_PrintUnformatted(about) : NULL;
    cJSON_Delete(about);
    return outcome;
}
