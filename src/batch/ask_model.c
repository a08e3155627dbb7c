/* Asking a model for JSON; see ask_model.h. */
#include "ask_model.h"

#include "steps.h"

#include "common/http.h"
#include "common/json.h"
#include "common/model_answer.h"
#include "common/refusal.h"
#include "common/schema_check.h"
#include "common/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 4
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 300000 /* who wants more is asked in another run */
#define CALL_MS 120000
#define BAD_MAX 3 /* answers in a row that are not as asked for, before it is left alone */

static cJSON *counts(struct ask_model *m)
{
    cJSON *kept = cJSON_GetObjectItemCaseSensitive(m->job->state, "model");
    return kept != NULL ? kept : cJSON_AddObjectToObject(m->job->state, "model");
}

static void count(struct ask_model *m, const char *name, double more)
{
    step_count(counts(m), name, more);
}

static void keep_text(struct ask_model *m, const char *name, const char *text)
{
    cJSON *kept = counts(m);
    cJSON_DeleteItemFromObjectCaseSensitive(kept, name);
    cJSON_AddStringToObject(kept, name, text);
}

static enum ask_outcome turn_off(struct ask_model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum ask_outcome turn_off(struct ask_model *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    utf8_vprint(m->off, sizeof m->off, format, args);
    va_end(args);
    job_log(m->job, "%s is not asked: %s", m->model, m->off);
    return ASK_OFF;
}

void ask_model_init(struct ask_model *m, struct job *j, int64_t most_calls)
{
    const struct config *config = j->config;
    const char *model = config->batch_model != NULL ? config->batch_model : config->model;
    *m = (struct ask_model){.job = j, .model = model, .most_calls = most_calls};
    if (strcmp(model, "none") == 0)
        snprintf(m->off, sizeof m->off, "UPLIFT_BATCH_MODEL is none");
    else if (config->openai_api_key == NULL &&
             strncmp(config->upstream_url, "https://api.openai.com", 22) == 0)
        snprintf(m->off, sizeof m->off, "OPENAI_API_KEY is not set");
}

bool ask_model_most_calls(struct job *j, int64_t fallback, int64_t *most, enum job_outcome *outcome)
{
    double calls = json_number(j->arguments, "max_calls", (double)fallback);
    if (calls < 0 || calls > 100000) {
        *outcome = job_fail(j, "invalid_argument", "max_calls must be from 0 to 100000");
        return false;
    }
    *most = (int64_t)calls;
    return true;
}

/* --- the request --- */

static void add_message(cJSON *messages, const char *role, const char *text)
{
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "role", role);
    cJSON_AddStringToObject(message, "content", text);
    cJSON_AddItemToArray(messages, message);
}

/* The caller's to cJSON_free; NULL when memory ran out. */
static char *write_request(const struct ask_model *m, const struct ask_form *form, const char *data)
{
    cJSON *r = cJSON_CreateObject();
    cJSON_AddStringToObject(r, "model", m->model);
    cJSON *messages = cJSON_AddArrayToObject(r, "messages");
    add_message(messages, "system", form->instructions);
    add_message(messages, "user", data);
    if (!m->omits_temperature)
        cJSON_AddNumberToObject(r, "temperature", 0);
    cJSON_AddNumberToObject(r, m->names_completion_tokens ? "max_completion_tokens" : "max_tokens",
                            form->most_tokens);
    cJSON *format = cJSON_AddObjectToObject(r, "response_format");
    cJSON_AddStringToObject(format, "type", "json_schema");
    cJSON *schema = cJSON_AddObjectToObject(format, "json_schema");
    cJSON_AddStringToObject(schema, "name", form->name);
    cJSON_AddTrueToObject(schema, "strict");
    cJSON_AddItemToObject(schema, "schema", schema_to_send(form->schema));
    char *text = cJSON_PrintUnformatted(r);
    cJSON_Delete(r);
    return text;
}

/* --- what goes wrong --- */

/* Some models take no temperature, and some know the limit of tokens by its younger name. True when
 * another request may do. */
static bool adapt(struct ask_model *m, const struct http_answer *answer)
{
    if (!m->names_completion_tokens && refusal_is_about(answer, "max_tokens"))
        return m->names_completion_tokens = true;
    if (!m->omits_temperature && refusal_is_about(answer, "temperature"))
        return m->omits_temperature = true;
    return false;
}

static enum ask_outcome give_up(struct ask_model *m, const struct http_answer *answer)
{
    if (answer->status == 0 || *answer->reason != '\0')
        return turn_off(m, "the provider does not answer: %s", answer->reason);
    const char *words = refusal_words_to_show(answer, m->job->config->openai_api_key);
    return turn_off(m, "the provider answered %ld%s%.150s", answer->status,
                    *words != '\0' ? ": " : "", words);
}

/* --- what comes back --- */

static enum ask_outcome bad(struct ask_model *m, const char *why)
{
    count(m, "bad_answers", 1);
    keep_text(m, "bad_answer", why);
    if (++m->bad_in_a_row >= BAD_MAX)
        (void)turn_off(m, "%d answers in a row were not as asked for; the last: %s", BAD_MAX, why);
    return ASK_BAD;
}

static enum ask_outcome refused(struct ask_model *m, const struct http_answer *answer)
{
    char why[ASK_REASON_MAX];
    const char *words = refusal_words_to_show(answer, m->job->config->openai_api_key);
    utf8_print(why, sizeof why, "the provider refused it with %ld%s%.150s", answer->status,
               *words != '\0' ? ": " : "", words);
    return bad(m, why);
}

static void count_usage(struct ask_model *m, const cJSON *response)
{
    const struct model_usage usage = model_answer_usage(response);
    count(m, "prompt_tokens", usage.prompt_tokens);
    count(m, "cached_tokens", usage.cached_tokens);
    count(m, "completion_tokens", usage.completion_tokens);
    keep_text(m, "name", model_answer_model(response, m->model));
}

static enum ask_outcome read_answer(struct ask_model *m, const struct ask_form *form,
                                    const cJSON *response, cJSON **out)
{
    char why[MODEL_ANSWER_WHY];
    if (cJSON_IsObject(response))
        count_usage(m, response);
    if (model_answer_read(response, form->schema, out, why) != MODEL_ANSWERED)
        return bad(m, why);
    m->bad_in_a_row = 0;
    return ASK_ANSWERED;
}

/* --- a call --- */

static struct http_server server_of(const struct ask_model *m)
{
    const struct config *config = m->job->config;
    return (struct http_server){
        .config = config,
        .goes_on = job_is_wanted,
        .goes_on_arg = m->job,
        .base_url = config->upstream_url,
        .key = config->openai_api_key,
        .key_header = "Authorization",
        .timeout_ms = config->total_timeout_ms < CALL_MS ? config->total_timeout_ms : CALL_MS};
}

/* One try. True: *outcome is the end of it; false: after *pause_ms again. */
static bool try_once(struct ask_model *m, const struct ask_form *form, const char *data, int number,
                     enum ask_outcome *outcome, int64_t *pause_ms, cJSON **out)
{
    const struct http_server server = server_of(m);
    struct http_answer answer;
    char *body = write_request(m, form, data);
    if (body == NULL) {
        *outcome = turn_off(m, "out of memory");
        return true;
    }
    enum http_outcome how = http_call(&server, "/chat/completions", body, NULL, &answer);
    bool good = how == HTTP_ANSWERED && answer.status >= 200 && answer.status < 300;
    bool is_over = true;
    *pause_ms = 0;
    if (how == HTTP_STOPPED) {
        *outcome = ASK_STOPPED;
    } else if (good) {
        *outcome = read_answer(m, form, answer.json, out);
    } else if (how == HTTP_ANSWERED && adapt(m, &answer)) {
        is_over = false;
    } else if (how == HTTP_ANSWERED && refusal_is_of_request(&answer)) {
        *outcome = refused(m, &answer);
    } else if ((how == HTTP_ANSWERED && !refusal_may_pass(&answer)) || number >= TRIES ||
               answer.retry_after_ms > PAUSE_MAX_MS) {
        *outcome = give_up(m, &answer);
    } else {
        *pause_ms = answer.retry_after_ms > 0 ? answer.retry_after_ms : PAUSE_MS << (number - 1);
        is_over = false;
    }
    http_release(&answer);
    cJSON_free(body);
    return is_over;
}

enum ask_outcome ask_model(struct ask_model *m, const struct ask_form *form, const char *data,
                           cJSON **answer)
{
    enum ask_outcome outcome = ASK_OFF;
    int64_t pause_ms;
    int number = 1;
    *answer = NULL;
    if (*m->off != '\0')
        return ASK_OFF;
    if ((int64_t)json_number(counts(m), "calls", 0) >= m->most_calls)
        return turn_off(m, "max_calls, %lld, is reached", (long long)m->most_calls);
    count(m, "calls", 1);
    while (!try_once(m, form, data, number, &outcome, &pause_ms, answer)) {
        number += pause_ms > 0; /* a request that was adapted is no new try */
        if (!job_goes_on(m->job, pause_ms))
            return ASK_STOPPED;
    }
    return outcome;
}

/* --- the report --- */

/* US dollars; NaN: no price is known. */
static double price_of(struct ask_model *m, const char *model)
{
    static const struct pg_statement statement = {
        .name = "cost_of_calls",
        .sql = "select uplift_batch.cost_of_calls($1,$2,$3,$4,$5)",
        .params = 5};
    static const char *const names[] = {"prompt_tokens", "cached_tokens", "completion_tokens"};
    char provider[256], tokens[3][24];
    double cost = NAN;
    PGresult *row;
    model_provider_name(m->job->config->upstream_url, provider, sizeof provider);
    for (size_t i = 0; i < 3; i++)
        snprintf(tokens[i], sizeof tokens[i], "%.0f", json_number(counts(m), names[i], 0));
    if (pg_call(m->job->pg, &statement,
                (const char *[]){model, provider, tokens[0], tokens[1], tokens[2]},
                &row) != PG_DONE)
        return cost;
    if (!PQgetisnull(row, 0, 0))
        cost = strtod(PQgetvalue(row, 0, 0), NULL);
    PQclear(row);
    return cost;
}

void ask_model_report(struct ask_model *m)
{
    static const char *const numbers[] = {"calls", "bad_answers", "prompt_tokens",
                                          "completion_tokens"};
    const cJSON *kept = counts(m);
    const char *name = json_string(kept, "name"), *why = json_string(kept, "bad_answer");
    if (name == NULL)
        name = m->model;
    cJSON *report = cJSON_AddObjectToObject(m->job->result, "model");
    cJSON_AddStringToObject(report, "name", name);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        cJSON_AddNumberToObject(report, numbers[i], json_number(kept, numbers[i], 0));
    if (why != NULL)
        cJSON_AddStringToObject(report, "bad_answer", why);
    double cost = price_of(m, name);
    if (isnan(cost))
        cJSON_AddNullToObject(report, "cost_usd");
    else
        cJSON_AddNumberToObject(report, "cost_usd", cost);
    if (*m->off != '\0')
        cJSON_AddStringToObject(report, "not_asked", m->off);
}
