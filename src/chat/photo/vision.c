/* One call of a vision model; see vision.h. */
#include "vision.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/meal_form.h"
#include "common/outbound.h"
#include "common/schema_check.h"
#include "common/utf8.h"

#include <curl/curl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define REQUEST_MAX ((size_t)24 << 20)
#define ANSWER_MAX ((size_t)1 << 20)
#define CONTENT_MAX ((size_t)64 << 10)
#define ANSWER_TOKENS 2000
#define TOKENS_MAX 1e9
#define RETRY_AFTER_MAX_S 3600
#define MODEL_MAX 256 /* bytes of its name */

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

/* As rows of answers and prices call it: the host of its URL. */
static void name_provider(const struct config *config, char *out, size_t room)
{
    char *host = NULL;
    CURLU *parts = curl_url();
    *out = '\0';
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, base_url(config), 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        utf8_copy(out, room, host);
    curl_free(host);
    curl_url_cleanup(parts);
}

/* --- the request --- */

/* One call on its way. */
struct call {
    const struct config *config;
    const atomic_bool *stopping;
    struct buf request, answer;
    struct curl_slist *headers;
    CURL *curl;
    CURLcode code;
    long status;
    curl_off_t retry_after_s;
    int64_t begun_ms, ms;
};

static bool write_request(struct call *c, const void *jpeg, size_t len)
{
    const char *model = vision_model(c->config);
    cJSON *plain = meal_schema();
    cJSON *schema = plain != NULL ? schema_to_send(plain) : NULL;
    char *text = schema != NULL ? cJSON_PrintUnformatted(schema) : NULL;
    struct buf *b = &c->request;
    if (text != NULL) {
        buf_puts(b, "{\"model\":");
        buf_json_string(b, model, strlen(model));
        buf_puts(b, ",\"messages\":[");
        bool good = meal_put_messages(b, jpeg, len);
        buf_printf(b,
                   "],\"max_completion_tokens\":%d,\"response_format\":{\"type\":\"json_schema\",",
                   ANSWER_TOKENS);
        buf_printf(b,
                   "\"json_schema\":{\"name\":\"%s\",\"strict\":true,\"schema\":", MEAL_FORM_NAME);
        buf_puts(b, text);
        b->failed |= !good || !buf_puts(b, "}}}");
    }
    bool is_written = text != NULL && !b->failed;
    cJSON_free(text);
    cJSON_Delete(schema);
    cJSON_Delete(plain);
    return is_written;
}

static size_t take_answer(char *data, size_t size, size_t count, void *arg)
{
    struct buf *answer = arg;
    return buf_append(answer, data, size * count) ? size * count : 0;
}

static int look(void *arg, curl_off_t dt, curl_off_t d, curl_off_t ut, curl_off_t u)
{
    const struct call *c = arg;
    (void)dt, (void)d, (void)ut, (void)u;
    return atomic_load(c->stopping); /* other than 0 ends the transfer */
}

static struct curl_slist *make_headers(const struct config *config)
{
    struct buf line;
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    struct curl_slist *longer = list;
    const char *key = key_of(config);
    if (list == NULL || key == NULL)
        return list;
    buf_init(&line, 16384);
    if (buf_printf(&line, "Authorization: Bearer %s", key))
        longer = curl_slist_append(list, line.data);
    if (line.data != NULL)
        explicit_bzero(line.data, line.len);
    buf_release(&line);
    if (longer == NULL)
        curl_slist_free_all(list);
    return longer;
}

static void perform(struct call *c)
{
    char url[2048];
    snprintf(url, sizeof url, "%s/chat/completions", base_url(c->config));
    c->curl = outbound_new(c->config->ca_bundle, c->config);
    c->headers = make_headers(c->config);
    c->begun_ms = clock_ms();
    if (c->curl == NULL || c->headers == NULL) {
        c->code = CURLE_OUT_OF_MEMORY;
        return;
    }
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "uplift/" UPLIFT_VERSION);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)c->config->connect_timeout_ms);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)c->config->vision_timeout_ms);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, look);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->answer);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->request.data);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->request.len);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
    c->code = curl_easy_perform(c->curl);
    c->ms = clock_ms() - c->begun_ms;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
    curl_easy_getinfo(c->curl, CURLINFO_RETRY_AFTER, &c->retry_after_s);
}

static void release(struct call *c)
{
    curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    buf_release(&c->request);
    buf_release(&c->answer);
}

/* --- what comes back --- */

static bool was_cut(const char *finish)
{
    static const char *const words[] = {"length", "max_tokens", "content_filter", "tool_calls"};
    for (size_t i = 0; finish != NULL && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(finish, words[i]) == 0)
            return true;
    return false;
}

/* The text of an answer; NULL, with the reason, where it has none of use. */
static const char *text_of(const cJSON *response, const char **code)
{
    const cJSON *choices = cJSON_GetObjectItemCaseSensitive(response, "choices");
    const cJSON *choice = cJSON_IsArray(choices) ? choices->child : NULL;
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(choice, "message");
    const char *content = json_string(message, "content");
    const char *refusal = json_string(message, "refusal");
    *code = "vision_answer_unusable";
    if (refusal != NULL && *refusal != '\0')
        *code = "vision_refused";
    else if (was_cut(json_string(choice, "finish_reason")))
        *code = "vision_answer_cut";
    else if (content != NULL && strlen(content) <= CONTENT_MAX)
        return content;
    return NULL;
}

bool vision_read(const cJSON *response, cJSON **meal, const char **code)
{
    char wrong[160];
    struct json_error error;
    const char *text = text_of(response, code);
    *meal = text != NULL ? json_parse(text, strlen(text), &error) : NULL;
    if (*meal == NULL)
        return false;
    cJSON *schema = meal_schema();
    bool good = schema != NULL && schema_check(schema, *meal, wrong, sizeof wrong);
    cJSON_Delete(schema);
    if (!good) {
        cJSON_Delete(*meal);
        *meal = NULL;
    }
    return good;
}

static double counted(const cJSON *usage, const char *name)
{
    double n = json_number(usage, name, 0);
    return n > 0 && n <= TOKENS_MAX ? floor(n) : 0;
}

static cJSON *describe(const struct call *c, const char *model)
{
    char provider[256];
    cJSON *told = cJSON_CreateObject();
    name_provider(c->config, provider, sizeof provider);
    cJSON_AddStringToObject(told, "model", model);
    cJSON_AddStringToObject(told, "provider", provider);
    return told;
}

/* Takes the meal. */
static cJSON *tell_answer(const struct call *c, const cJSON *response, cJSON *meal)
{
    const cJSON *usage = cJSON_GetObjectItemCaseSensitive(response, "usage");
    const char *said = json_string(response, "model");
    bool is_named = said != NULL && *said != '\0' && strlen(said) <= MODEL_MAX;
    cJSON *told = describe(c, is_named ? said : vision_model(c->config));
    cJSON_AddNumberToObject(told, "prompt_tokens", counted(usage, "prompt_tokens"));
    cJSON_AddNumberToObject(told, "completion_tokens", counted(usage, "completion_tokens"));
    cJSON_AddNumberToObject(told, "analysis_time_ms", (double)c->ms);
    cJSON_AddItemToObject(told, "answer", meal);
    return told;
}

static cJSON *tell_failure(const struct call *c, const char *reason, const char *code,
                           bool may_pass)
{
    cJSON *told = describe(c, vision_model(c->config));
    int64_t wait_s = c->retry_after_s < RETRY_AFTER_MAX_S ? c->retry_after_s : RETRY_AFTER_MAX_S;
    cJSON_AddStringToObject(told, "reason", reason);
    cJSON_AddStringToObject(told, "code", code);
    cJSON_AddBoolToObject(told, "may_pass", may_pass);
    cJSON_AddNumberToObject(told, "duration_ms", (double)c->ms);
    cJSON_AddNumberToObject(told, "retry_after_ms", (double)wait_s * 1000);
    if (c->status > 0)
        cJSON_AddNumberToObject(told, "http_status", (double)c->status);
    return told;
}

static cJSON *judge(const struct call *c, enum vision_outcome *outcome)
{
    char reason[32];
    const char *code = "vision_answer_unusable";
    struct json_error error;
    cJSON *meal = NULL;
    *outcome = VISION_FAILED;
    if (c->code != CURLE_OK) {
        bool is_late = c->code == CURLE_OPERATION_TIMEDOUT;
        return tell_failure(c, is_late ? "timeout_total" : "connection_failed",
                            "vision_unreachable", true);
    }
    if (c->status < 200 || c->status > 299) {
        /* Busy, or in trouble; what it says of this request it would say again. */
        bool may_pass = c->status == 408 || c->status == 429 || c->status >= 500;
        snprintf(reason, sizeof reason, "status_%ld", c->status);
        return tell_failure(c, reason, "vision_refused", may_pass);
    }
    cJSON *response = c->answer.len > 0 ? json_parse(c->answer.data, c->answer.len, &error) : NULL;
    cJSON *told;
    if (vision_read(response, &meal, &code)) {
        *outcome = VISION_ANSWERED;
        told = tell_answer(c, response, meal);
    } else {
        told = tell_failure(c, "bad_answer", code, strcmp(code, "vision_refused") != 0);
    }
    cJSON_Delete(response);
    return told;
}

enum vision_outcome vision_ask(const struct config *config, const void *jpeg, size_t len,
                               const atomic_bool *stopping, char **told)
{
    struct call c = {.config = config, .stopping = stopping};
    enum vision_outcome outcome = VISION_FAILED;
    cJSON *about = NULL;
    *told = NULL;
    buf_init(&c.request, REQUEST_MAX);
    buf_init(&c.answer, ANSWER_MAX);
    if (write_request(&c, jpeg, len)) {
        perform(&c);
        if (atomic_load(stopping) && c.code != CURLE_OK)
            outcome = VISION_STOPPED;
        else
            about = judge(&c, &outcome);
    } else {
        about = tell_failure(&c, "no_memory", "vision_unreachable", true);
    }
    release(&c);
    *told = about != NULL ? cJSON_PrintUnformatted(about) : NULL;
    cJSON_Delete(about);
    return outcome;
}
