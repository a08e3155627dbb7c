/* The one shape in which anything refused or failed is told to a client: OpenAI's. */
#include "error.h"

#include "utf8.h"

#include <stdarg.h>
#include <string.h>

#define RETRY_AFTER_MS 1000

bool api_error(struct api_error *e, int status, const char *code, const char *param,
               const char *format, ...)
{
    e->status = status;
    e->type = NULL;
    e->retry_after_ms = 0;
    utf8_copy(e->code, sizeof e->code, code);
    utf8_copy(e->param, sizeof e->param, param);
    va_list args;
    va_start(args, format);
    utf8_vprint(e->message, sizeof e->message, format, args);
    va_end(args);
    return false;
}

bool api_error_no_memory(struct api_error *e)
{
    api_error(e, 503, "out_of_memory", "", "the server is out of memory; try again");
    e->retry_after_ms = RETRY_AFTER_MS;
    return false;
}

const char *api_error_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 409:
        return "conflict_error";
    case 429:
        return "rate_limit_error";
    default:
        return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

static bool string_or_null(struct buf *out, const char *text)
{
    return text[0] ? buf_json_string(out, text, strlen(text)) : buf_puts(out, "null");
}

bool api_error_json(struct buf *out, const struct api_error *e)
{
    const char *type = e->type ? e->type : api_error_type(e->status);
    buf_puts(out, "{\"error\":{\"message\":");
    buf_json_string(out, e->message, strlen(e->message));
    buf_puts(out, ",\"type\":");
    buf_json_string(out, type, strlen(type));
    buf_puts(out, ",\"param\":");
    string_or_null(out, e->param);
    buf_puts(out, ",\"code\":");
    string_or_null(out, e->code);
    return buf_puts(out, "}}");
}

const char *api_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
        {529, "Overloaded"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].status == status)
            return table[i].text;
    return "";
}
