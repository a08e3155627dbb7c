/* What a provider's failure means; see failure.h. */
#include "failure.h"

#include <stdio.h>
#include <string.h>

/* api_error.type is static text: those of OpenAI's types that a client may know. */
static const char *known_type(struct span type)
{
    static const char *const types[] = {
        "invalid_request_error", "insufficient_quota", "rate_limit_error", "requests", "tokens",
        "server_error",          "not_found_error",    "content_filter"};
    char text[64];
    scan_copy(type, text, sizeof text);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i], text) == 0)
            return types[i];
    return NULL;
}

/* The error object of a body: {"error":{...}}, {"error":"text"}, or some servers' bare
 * {"message":...}. */
static struct span error_object(const char *text, size_t len)
{
    struct span whole, error;
    if (text == NULL || !scan_check(text, len, &whole))
        return (struct span){0};
    error = scan_member(whole, "error");
    if (scan_is_object(error) || scan_is_string(error))
        return error;
    return scan_is_string(scan_member(whole, "message")) ? whole : (struct span){0};
}

/* Takes over the provider's own words. False when there are none. */
static bool quote(struct span object, struct api_error *e)
{
    struct span message = scan_is_object(object) ? scan_member(object, "message") : object;
    char text[sizeof e->message];
    scan_copy(message, text, sizeof text);
    if (text[0] == '\0')
        return false;
    memcpy(e->message, text, sizeof text);
    if (!scan_is_object(object))
        return true;
    struct span code = scan_member(object, "code");
    e->type = known_type(scan_member(object, "type"));
    scan_copy(scan_member(object, "param"), e->param, sizeof e->param);
    if (scan_is_string(code) && code.len > 2)
        scan_copy(code, e->code, sizeof e->code);
    return true;
}

static void explain_status(const struct upstream_result *r, struct api_error *e)
{
    struct span object = error_object(r->body->data, r->body->len);
    int status = r->http_status;
    switch (status) {
    case 401:
    case 403:
        api_error(e, 502, "provider_auth", "",
                  "the model provider refused this server's credentials; tell its operator");
        return;
    case 429:
        api_error(e, 429, "rate_limit_exceeded", "", "the model provider is at its rate limit");
        quote(object, e);
        break;
    case 404:
        if (object.at == NULL) {
            api_error(e, 502, "provider_error", "",
                      "the model provider has no chat completions at the configured address");
            return;
        }
        /* fall through */
    case 400:
    case 413:
    case 422:
        api_error(e, status, status == 413 ? "request_too_large" : "provider_refused", "",
                  "the model provider refused the request");
        if (quote(object, e) && !scan_is_string(scan_member(object, "code")))
            e->code[0] = '\0';
        return;
    case 408:
    case 504:
        api_error(e, 504, "provider_timeout", "", "the model provider did not answer in time");
        break;
    case 503:
        api_error(e, 503, "provider_error", "", "the model provider is overloaded or down");
        break;
    default:
        api_error(e, 502, "provider_error", "", "the model provider failed with status %d", status);
        break;
    }
    if (r->retry_after_ms > 0)
        e->retry_after_ms = r->retry_after_ms;
}

void failure_explain(const struct upstream_result *r, struct api_error *e)
{
    struct span object;
    switch (r->end) {
    case UPSTREAM_REFUSED:
        explain_status(r, e);
        return;
    case UPSTREAM_UNREACHABLE:
        api_error(e, 502, "provider_unreachable", "", "the model provider cannot be reached");
        return;
    case UPSTREAM_CONNECT_SLOW:
        api_error(e, 504, "provider_unreachable", "",
                  "the model provider took too long to accept a connection");
        return;
    case UPSTREAM_RESET:
        api_error(e, 502, "provider_error", "",
                  "the model provider closed the connection without an answer");
        return;
    case UPSTREAM_CUT:
        api_error(e, 502, "provider_cut", "", "the model provider cut its answer off");
        return;
    case UPSTREAM_TOO_LARGE:
        api_error(e, 502, "answer_too_large", "",
                  "the model provider's answer is larger than this server takes");
        return;
    case UPSTREAM_NOT_EVENTS:
        object = error_object(r->body->data, r->body->len);
        if (object.at != NULL) {
            failure_explain_object(object, e);
            return;
        }
        /* fall through */
    case UPSTREAM_ANSWERED:
        api_error(e, 502, "provider_error", "",
                  "the model provider's answer is not a chat completion");
        return;
    }
}

static const struct {
    const char *code; /* or type */
    int status;
} known_codes[] = {
    {"context_length_exceeded", 400},  {"content_filter", 400},        {"invalid_prompt", 400},
    {"content_policy_violation", 400}, {"invalid_request_error", 400}, {"model_not_found", 404},
    {"rate_limit_exceeded", 429},      {"insufficient_quota", 429},
};

void failure_explain_object(struct span object, struct api_error *e)
{
    api_error(e, 502, "provider_error", "", "the model provider failed");
    char code[sizeof e->code];
    scan_copy(scan_is_object(object) ? scan_member(object, "code") : (struct span){0}, code,
              sizeof code);
    if (strstr(code, "api_key") != NULL || strstr(code, "auth") != NULL) {
        api_error(e, 502, "provider_auth", "",
                  "the model provider refused this server's credentials; tell its operator");
        return;
    }
    quote(object, e);
    for (size_t i = 0; i < sizeof known_codes / sizeof known_codes[0]; i++)
        if (strcmp(known_codes[i].code, code) == 0 ||
            (e->type != NULL && strcmp(known_codes[i].code, e->type) == 0))
            e->status = known_codes[i].status;
}

void failure_reason(const struct upstream_result *r, char *out, size_t size)
{
    switch (r->end) {
    case UPSTREAM_REFUSED:
        snprintf(out, size, "status_%d", r->http_status);
        return;
    case UPSTREAM_UNREACHABLE:
        snprintf(out, size, "connect");
        return;
    case UPSTREAM_CONNECT_SLOW:
        snprintf(out, size, "timeout_connect");
        return;
    case UPSTREAM_RESET:
        snprintf(out, size, "reset");
        return;
    case UPSTREAM_CUT:
        snprintf(out, size, "cut");
        return;
    case UPSTREAM_TOO_LARGE:
        snprintf(out, size, "too_large");
        return;
    case UPSTREAM_NOT_EVENTS:
    case UPSTREAM_ANSWERED:
        snprintf(out, size, "not_a_completion");
        return;
    }
}

static bool is_about(const struct api_error *e, const char *name)
{
    return strcmp(e->code, name) == 0 || (e->type != NULL && strcmp(e->type, name) == 0);
}

enum failure_kind failure_kind_of_error(const struct api_error *e)
{
    if (is_about(e, "context_length_exceeded"))
        return FAILURE_TOO_LONG;
    if (is_about(e, "insufficient_quota") || is_about(e, "provider_auth"))
        return FAILURE_DENIED;
    if (is_about(e, "model_not_found"))
        return FAILURE_NO_MODEL;
    if (e->status == 429)
        return FAILURE_BUSY;
    return e->status < 500 ? FAILURE_REFUSED : FAILURE_BROKEN;
}

enum failure_kind failure_kind_of(const struct upstream_result *r, const struct api_error *e)
{
    switch (r->end) {
    case UPSTREAM_UNREACHABLE:
    case UPSTREAM_RESET:
        return FAILURE_TRANSIENT;
    case UPSTREAM_CONNECT_SLOW:
        return FAILURE_SILENT;
    case UPSTREAM_CUT:
    case UPSTREAM_ANSWERED:
        return FAILURE_BROKEN;
    case UPSTREAM_TOO_LARGE:
        return FAILURE_REFUSED;
    case UPSTREAM_NOT_EVENTS:
    case UPSTREAM_REFUSED:
        break;
    }
    int status = r->end == UPSTREAM_REFUSED ? r->http_status : 0;
    if (status == 401 || status == 403)
        return FAILURE_DENIED;
    if (status == 404) /* the model, or the whole address */
        return FAILURE_NO_MODEL;
    if (status == 503 && r->retry_after_ms >= 0)
        return FAILURE_BUSY;
    return status >= 500 || status == 408 ? FAILURE_TRANSIENT : failure_kind_of_error(e);
}
