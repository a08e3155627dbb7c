/*
 * POST /admin/providers/{name}/test: whether a provider answers, by a question of a few tokens,
 * asked as chats ask it: of its server alone, with its key, which nobody gets to see.
 *
 * What goes wrong there is the result of the test, told by the codes that clients of chats get.
 */
#include "routes.h"

#include "common/clock.h"
#include "common/http.h"
#include "common/json.h"
#include "common/provider_key.h"
#include "common/refusal.h"
#include "common/utf8.h"

#include <stdarg.h>
#include <string.h>

#define LIMIT_MS 15000
#define TOKENS_MAX 16
#define ANSWER_SHOWN 200

struct test {
    const struct config *config;
    const char *base_url, *model, *key_header;
    char key[PROVIDER_KEY_MAX];
    int64_t limit_ms, took_ms;
    long status;                             /* of the provider's answer; 0: there is none */
    char code[40], message[HTTP_REASON_MAX]; /* what went wrong; "": nothing */
    char answer[ANSWER_SHOWN + 1], answered_by[257]; /* what it said, and which model says it did */
};

static bool fail(struct test *t, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct test *t, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    utf8_vprint(t->message, sizeof t->message, format, args);
    va_end(args);
    snprintf(t->code, sizeof t->code, "%s", code);
    return false;
}

/* --- what is asked --- */

/* The caller's to cJSON_free; NULL when memory ran out. */
static char *write_question(const struct test *t, bool is_limited)
{
    cJSON *r = cJSON_CreateObject();
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(r, "model", t->model);
    cJSON_AddStringToObject(message, "role", "user");
    cJSON_AddStringToObject(message, "content", "Answer with the one word: ready");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(r, "messages"), message);
    if (is_limited)
        cJSON_AddNumberToObject(r, "max_tokens", TOKENS_MAX);
    char *text = cJSON_PrintUnformatted(r);
    cJSON_Delete(r);
    return text;
}

/* The key of a provider of the database, by the rules that workers hold to. */
static bool find_key(struct test *t, const cJSON *provider)
{
    const char *reference = json_string(provider, "api_key");
    char why[PROVIDER_KEY_WHY];
    if (reference == NULL)
        return true;
    cJSON *routing = t->config->routing != NULL ? cJSON_Parse(t->config->routing) : NULL;
    bool is_bound = provider_key_is_name(reference) && provider_key_header_fits(t->key_header) &&
                    provider_key_is_bound(t->config, routing, reference, t->base_url);
    cJSON_Delete(routing);
    if (!is_bound)
        return fail(t, "key_not_bound", "%.150s may not go to this server", reference);
    return provider_key_fetch(t->config, reference, t->key, why) ||
           fail(t, "key_not_found", "fcgi-batch cannot have its key: %.200s", why);
}

static bool find_server(struct test *t, const cJSON *provider, const char *name)
{
    t->key_header = "Authorization";
    if (strcmp(name, "default") != 0) {
        t->base_url = json_text(provider, "base_url");
        t->key_header = json_text(provider, "key_header");
        return find_key(t, provider);
    }
    t->base_url = t->config->upstream_url;
    if (t->config->openai_api_key != NULL)
        snprintf(t->key, sizeof t->key, "%s", t->config->openai_api_key);
    return true;
}

/* --- what comes back --- */

/* Nothing where the key is in it: there are servers that say it back. */
static const char *shown(const struct test *t, const char *text)
{
    return *t->key != '\0' && strstr(text, t->key) != NULL ? "" : text;
}

static void read_answer(struct test *t, const struct http_answer *answer)
{
    const cJSON *choices = cJSON_GetObjectItemCaseSensitive(answer->json, "choices");
    const cJSON *choice = cJSON_IsArray(choices) ? choices->child : NULL;
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(choice, "message");
    if (!cJSON_IsObject(message)) {
        (void)fail(t, "provider_error", "the model provider's answer is no chat completion");
        return;
    }
    utf8_copy(t->answer, sizeof t->answer, shown(t, json_text(message, "content")));
    utf8_copy(t->answered_by, sizeof t->answered_by, shown(t, json_text(answer->json, "model")));
}

static void read_refusal(struct test *t, const struct http_answer *answer)
{
    const char *words = refusal_words_to_show(answer, *t->key != '\0' ? t->key : NULL);
    const char *code = refusal_lacks_credit(answer)                     ? "insufficient_quota"
                       : answer->status == 401 || answer->status == 403 ? "provider_auth"
                       : answer->status == 404                          ? "model_not_found"
                       : answer->status == 429                          ? "rate_limit_exceeded"
                       : refusal_is_of_request(answer)                  ? "provider_refused"
                       : answer->status == 408 || answer->status == 504 ? "provider_timeout"
                                                                        : "provider_error";
    (void)fail(t, code, "the model provider answered %ld%s%.150s", answer->status,
               *words != '\0' ? ": " : "", words);
}

static void read_outcome(struct test *t, enum http_outcome how, const struct http_answer *answer)
{
    t->status = answer->status;
    if (how != HTTP_ANSWERED)
        (void)fail(t, t->took_ms >= t->limit_ms ? "provider_timeout" : "provider_unreachable",
                   "the model provider does not answer: %.180s", shown(t, answer->reason));
    else if (answer->status >= 200 && answer->status < 300)
        read_answer(t, answer);
    else
        read_refusal(t, answer);
}

/* Some models know the limit of tokens by another name, and do without it as well. */
static bool wants_no_limit(enum http_outcome how, const struct http_answer *answer)
{
    return how == HTTP_ANSWERED && refusal_is_about(answer, "max_tokens");
}

static void ask(struct test *t)
{
    int64_t began = clock_ms(), limit_ms = t->limit_ms;
    for (int number = 1; number <= 2; number++) {
        const struct http_server server = {.config = t->config,
                                           .base_url = t->base_url,
                                           .key = *t->key != '\0' ? t->key : NULL,
                                           .key_header = t->key_header,
                                           .timeout_ms = limit_ms - (clock_ms() - began)};
        struct http_answer answer;
        char *body = write_question(t, number == 1);
        if (body == NULL) {
            (void)fail(t, "out_of_memory", "out of memory");
            return;
        }
        enum http_outcome how = http_call(&server, "/chat/completions", body, NULL, &answer);
        bool is_again =
            number == 1 && wants_no_limit(how, &answer) && clock_ms() - began < limit_ms;
        t->took_ms = clock_ms() - began;
        if (!is_again)
            read_outcome(t, how, &answer);
        http_release(&answer);
        cJSON_free(body);
        if (!is_again)
            return;
    }
}

/* --- the route --- */

static void add_text(cJSON *object, const char *name, const char *text)
{
    if (*text != '\0')
        cJSON_AddStringToObject(object, name, text);
    else
        cJSON_AddNullToObject(object, name);
}

static char *write_result(const struct test *t, const char *provider)
{
    cJSON *r = cJSON_CreateObject();
    bool is_good = *t->code == '\0';
    cJSON_AddStringToObject(r, "object", "provider_test");
    cJSON_AddStringToObject(r, "provider", provider);
    cJSON_AddStringToObject(r, "model", t->model);
    cJSON_AddBoolToObject(r, "is_good", is_good);
    if (t->status > 0)
        cJSON_AddNumberToObject(r, "http_status", (double)t->status);
    else
        cJSON_AddNullToObject(r, "http_status");
    cJSON_AddNumberToObject(r, "duration_ms", (double)t->took_ms);
    add_text(r, "answer", t->answer);
    add_text(r, "answered_by", t->answered_by);
    cJSON *error =
        is_good ? cJSON_AddNullToObject(r, "error") : cJSON_AddObjectToObject(r, "error");
    if (!is_good) {
        cJSON_AddStringToObject(error, "code", t->code);
        cJSON_AddStringToObject(error, "message", t->message);
    }
    char *text = cJSON_PrintUnformatted(r);
    cJSON_Delete(r);
    return text;
}

void route_test_provider(struct admin_call *c)
{
    static const struct pg_statement find = {.name = "provider_to_test",
                                             .sql = "select uplift_batch.provider_to_test($1, $2)",
                                             .params = 2};
    const struct config *config = c->admin->config;
    struct test test = {.config = config,
                        .limit_ms = config->total_timeout_ms < LIMIT_MS ? config->total_timeout_ms
                                                                        : LIMIT_MS};
    struct api_error error;
    PGresult *row = NULL;
    cJSON *provider = NULL;
    char *text = NULL, *arguments = admin_arguments(c, &error);
    bool good = arguments != NULL &&
                admin_query(c, &find, (const char *[]){c->key, arguments}, &row, &error);
    if (good) {
        provider = cJSON_Parse(PQgetvalue(row, 0, 0));
        test.model = json_string(provider, "test_model");
        if (test.model == NULL)
            test.model = config->model;
        if (provider != NULL && find_server(&test, provider, c->key))
            ask(&test);
        text = provider != NULL ? write_result(&test, c->key) : NULL;
        good = text != NULL || api_error_no_memory(&error);
    }
    if (good)
        request_reply(c->request, 200, "application/json", NULL, text, strlen(text));
    else
        request_fail(c->request, &error, NULL);
    explicit_bzero(test.key, sizeof test.key);
    cJSON_free(text);
    cJSON_free(arguments);
    cJSON_Delete(provider);
    PQclear(row);
}
