/*
 * PUT /admin/providers/{name}: what only the configuration can tell is looked at here, and the rest
 * by Postgres. Workers look again, each time that they read what is there: this is for the admin to
 * be told.
 */
#include "routes.h"

#include "common/address.h"
#include "common/json.h"
#include "common/provider_key.h"

#include <curl/curl.h>
#include <string.h>

/* The text of a member, as it is to be: asked for, else as it was. NULL for none. */
static const char *wanted(const cJSON *asked, const cJSON *before, const char *key)
{
    return json_string(cJSON_GetObjectItemCaseSensitive(asked, key) != NULL ? asked : before, key);
}

static bool check_address(const struct config *config, const char *url, struct api_error *error)
{
    char *host = NULL;
    CURLU *parts = curl_url();
    bool is_refused = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                      address_host_is_refused(host, config);
    curl_free(host);
    curl_url_cleanup(parts);
    return !is_refused ||
           api_error(error, 400, "invalid_base_url", "base_url",
                     "a provider's address is not link-local, nor where a cloud tells its secrets; "
                     "the operator can allow it by UPLIFT_ALLOW_ADDRESSES");
}

static bool check_key(const struct config *config, const char *key, const char *url,
                      struct api_error *error)
{
    cJSON *routing = config->routing != NULL ? cJSON_Parse(config->routing) : NULL;
    bool good = provider_key_is_bound(config, routing, key, url);
    cJSON_Delete(routing);
    return good || api_error(error, 400, "key_not_bound", "api_key",
                             "%.150s may not go to this server; the operator can allow it by "
                             "UPLIFT_PROVIDER_KEYS",
                             key);
}

/* before is the provider as it is, NULL for a new one. What is no text is for Postgres to refuse.
 */
static bool check_provider(const struct config *config, const cJSON *asked, const cJSON *before,
                           struct api_error *error)
{
    const char *url = wanted(asked, before, "base_url"), *key = wanted(asked, before, "api_key");
    const char *header = wanted(asked, before, "key_header");
    if (url != NULL && !check_address(config, url, error))
        return false;
    if (key != NULL && !provider_key_is_name(key))
        return api_error(error, 400, "invalid_api_key", "api_key",
                         "api_key says where the key is, not what it is: env:NAME_API_KEY or "
                         "file:NAME, and none of uplift's own");
    if (header != NULL && !provider_key_header_fits(header))
        return api_error(error, 400, "invalid_key_header", "key_header",
                         "key_header is Authorization, api-key, or another header for keys, such "
                         "as X-Api-Key");
    return key == NULL || url == NULL || check_key(config, key, url, error);
}

/* The provider as it is. True with NULL where there is none, false with *error. */
static bool find_provider(struct admin_call *c, cJSON **out, struct api_error *error)
{
    static const struct pg_statement get = {
        .name = "get_provider",
        .sql = "select uplift_batch.admin_get_provider($1, '{}', '')",
        .params = 1};
    PGresult *result;
    *out = NULL;
    if (!admin_query(c, &get, (const char *[]){c->key}, &result, error))
        return error->status == 404;
    *out = cJSON_Parse(PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

void route_put_provider(struct admin_call *c)
{
    static const struct pg_statement put = {
        .name = "put_provider",
        .sql = "select uplift_batch.admin_put_provider($1, $2, $3)",
        .params = 3};
    struct api_error error;
    cJSON *before = NULL;
    char *text = admin_arguments(c, &error);
    cJSON *asked = text != NULL ? cJSON_Parse(text) : NULL;
    if (text != NULL && asked == NULL)
        api_error_no_memory(&error);
    if (asked != NULL && find_provider(c, &before, &error) &&
        check_provider(c->admin->config, asked, before, &error))
        admin_reply_query(c, &put, (const char *[]){c->key, text, c->who}, 200);
    else
        request_fail(c->request, &error, NULL);
    cJSON_Delete(before);
    cJSON_Delete(asked);
    cJSON_free(text);
}
