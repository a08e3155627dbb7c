/* A line for each request; see access_log.h. */
#include "access_log.h"

#include "buf.h"
#include "clock.h"
#include "log.h"

#include <string.h>

#define MEMBERS_MAX 1024

static bool is_any(const char *text, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

/* What a client made up is none: it would be as long and odd as the client likes. */
static const char *known_method(const char *method)
{
    static const char *const known[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", NULL};
    return is_any(method, known) ? method : "other";
}

static void put_int(struct buf *b, const char *key, int64_t value)
{
    buf_printf(b, ",\"%s\":%lld", key, (long long)value);
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    if (text == NULL || *text == '\0')
        return;
    buf_printf(b, ",\"%s\":", key);
    buf_json_string(b, text, strlen(text));
}

void access_log(const struct config *config, const struct answer_signer *signer,
                const struct request *r)
{
    static const char *const probes[] = {"/healthz", "/readyz", "/metrics", NULL};
    const struct request_facts *facts = &r->facts;
    const char *route = r->route != NULL ? r->route : "other";
    struct buf b;
    if (config->access_log == ACCESS_LOG_OFF ||
        log_threshold() > (is_any(route, probes) ? LOG_DEBUG : LOG_INFO))
        return;
    buf_init(&b, MEMBERS_MAX);
    buf_printf(&b, "\"method\":\"%s\"", known_method(r->method));
    put_text(&b, "route", route);
    put_int(&b, "status", r->status);
    put_text(&b, "code", facts->code);
    put_int(&b, "ms", clock_ms() - r->accepted_ms);
    if (facts->answer_id[0] != '\0') {
        put_text(&b, "answer", facts->answer_id);
        put_text(&b, "outcome", facts->outcome);
        put_int(&b, "provider_ms", facts->provider_ms);
        put_int(&b, "prompt_tokens", facts->prompt_tokens);
        put_int(&b, "completion_tokens", facts->completion_tokens);
    }
    if (config->access_log == ACCESS_LOG_HASHED && signer != NULL && r->who.has_user) {
        char alias[17];
        user_alias(signer, &r->who.user, alias);
        put_text(&b, "user", alias);
    }
    if (!b.failed)
        log_access(r->request_id, r->trace_id, b.data);
    buf_release(&b);
}
