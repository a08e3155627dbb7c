/* The running uplift that made-up users and an admin talk to. */
#include "site.h"

#include "common/buf.h"
#include "common/json.h"
#include "common/outbound.h"

#include <cjose/cjose.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX ((size_t)16 << 20)
#define TOKEN_LIFE_S 86400
#define TIMEOUT_MS 120000L
#define TRIES 20

/* --- tokens --- */

/* The claims of Supabase's tokens, as far as uplift looks at them. */
static char *claims_of(const struct site *s, const char *user, bool is_admin)
{
    cJSON *claims = cJSON_CreateObject();
    double now = (double)time(NULL);
    if (s->issuer != NULL)
        cJSON_AddStringToObject(claims, "iss", s->issuer);
    cJSON_AddStringToObject(claims, "aud", s->audience != NULL ? s->audience : "authenticated");
    cJSON_AddStringToObject(claims, "sub", user);
    cJSON_AddStringToObject(claims, "role", "authenticated");
    cJSON_AddNumberToObject(claims, "iat", now);
    cJSON_AddNumberToObject(claims, "exp", now + TOKEN_LIFE_S);
    if (is_admin) {
        cJSON *app = cJSON_AddObjectToObject(claims, "app_metadata");
        cJSON_AddStringToObject(app, "role", "admin");
    }
    char *text = cJSON_PrintUnformatted(claims);
    cJSON_Delete(claims);
    return text;
}

/* Signs a text, and writes what comes of it in the compact form. */
static bool sign(const char *secret, const char *text, char *out, size_t room)
{
    const char *compact = NULL;
    cjose_jwk_t *key = cjose_jwk_create_oct_spec((const uint8_t *)secret, strlen(secret), NULL);
    cjose_header_t *header = cjose_header_new(NULL);
    cjose_jws_t *jws = NULL;
    if (key != NULL && header != NULL &&
        cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, NULL))
        jws = cjose_jws_sign(key, header, (const uint8_t *)text, strlen(text), NULL);
    bool ok = jws != NULL && cjose_jws_export(jws, &compact, NULL) && strlen(compact) < room;
    if (ok)
        memcpy(out, compact, strlen(compact) + 1);
    cjose_jws_release(jws);
    cjose_header_release(header);
    cjose_jwk_release(key);
    return ok;
}

bool site_token(const struct site *s, const char *user, bool is_admin, char out[SITE_TOKEN])
{
    char *claims = claims_of(s, user, is_admin);
    bool ok = claims != NULL && sign(s->secret, claims, out, SITE_TOKEN);
    cJSON_free(claims);
    return ok;
}

/* --- calls --- */

bool caller_open(struct caller *c, const struct site *s, const char *user, bool is_admin)
{
    char line[SITE_TOKEN + 32] = "Authorization: Bearer ", *token = line + strlen(line);
    *c = (struct caller){.site = s, .curl = outbound_new(s->ca, NULL)};
    if (c->curl == NULL || !site_token(s, user, is_admin, token))
        return false;
    c->headers = curl_slist_append(NULL, line);
    struct curl_slist *more = curl_slist_append(c->headers, "Content-Type: application/json");
    return more != NULL;
}

void caller_close(struct caller *c)
{
    if (c->curl != NULL)
        curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    *c = (struct caller){0};
}

static size_t take(char *data, size_t size, size_t count, void *to)
{
    return buf_append(to, data, size * count) ? size * count : 0;
}

/* Once. True: there was an answer, of any status. */
static bool call(struct caller *c, const char *method, const char *path, const char *body,
                 struct buf *answer)
{
    char url[1024];
    snprintf(url, sizeof url, "%s%s", c->site->url, path);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
    if (body != NULL)
        curl_easy_setopt(c->curl, CURLOPT_COPYPOSTFIELDS, body);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    CURLcode code = curl_easy_perform(c->curl);
    c->status = 0;
    if (code == CURLE_OK)
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
    else
        snprintf(c->reason, sizeof c->reason, "%s: %s", c->site->url, curl_easy_strerror(code));
    return code == CURLE_OK;
}

static bool comes_later(long status)
{
    return status == 429 || status == 502 || status == 503;
}

cJSON *caller_ask(struct caller *c, const char *method, const char *path, const char *body)
{
    struct buf answer;
    struct timespec pause = {.tv_nsec = 300000000L};
    struct json_error error;
    cJSON *json = NULL;
    buf_init(&answer, ANSWER_MAX);
    for (int i = 0; i < TRIES; i++) {
        buf_clear(&answer);
        if (!call(c, method, path, body, &answer) || !comes_later(c->status))
            break;
        nanosleep(&pause, NULL);
    }
    if (answer.len > 0)
        json = json_parse(answer.data, answer.len, &error);
    if (c->status != 0 && (c->status / 100 != 2 || json == NULL)) {
        const char *message =
            json_string(cJSON_GetObjectItemCaseSensitive(json, "error"), "message");
        snprintf(c->reason, sizeof c->reason, "%s %s: %ld %s", method, path, c->status,
                 message != NULL ? message : "");
    }
    if (c->status / 100 != 2) {
        cJSON_Delete(json);
        json = NULL;
    }
    buf_release(&answer);
    return json;
}

cJSON *caller_askf(struct caller *c, const char *method, const char *path, const char *format, ...)
{
    char body[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(body, sizeof body, format, list);
    va_end(list);
    return caller_ask(c, method, path, body);
}
