/* Where a provider's key may go; see provider_key.h. */
#include "provider_key.h"

#include "config_value.h"
#include "json.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ORIGIN_MAX 512
#define NAME_MAX_LEN 128 /* of a variable or file */
#define KEY_ROOM (NAME_MAX_LEN + sizeof "file:")
#define HEADER_MAX 100

/* Ours: they hold passwords of the database and what tokens are signed with. */
static bool is_our_own(const char *variable)
{
    return strncmp(variable, "UPLIFT_", 7) == 0 || strncmp(variable, "DATABASE_URL", 12) == 0;
}

bool provider_key_is_name(const char *key)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    if (strncmp(key, "env:", 4) == 0) {
        const char *name = key + 4;
        size_t len = strlen(name);
        return len > 0 && len <= NAME_MAX_LEN && !isdigit((unsigned char)*name) &&
               strspn(name, letters) == len && !is_our_own(name);
    }
    if (strncmp(key, "file:", 5) != 0)
        return false;
    size_t len = strlen(key + 5), good = 0;
    while (isalnum((unsigned char)key[5 + good]) ||
           (good > 0 && key[5 + good] != '\0' && strchr("._-", key[5 + good]) != NULL))
        good++;
    return len > 0 && len <= NAME_MAX_LEN && good == len;
}

/* Scheme, host and port of a URL, in the one form in which they are compared. */
static bool read_origin(const char *url, char out[ORIGIN_MAX])
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *parts = curl_url();
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                snprintf(out, ORIGIN_MAX, "%s://%s:%s", scheme, host, port) < ORIGIN_MAX;
    for (char *p = out; good && *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return good;
}

static bool same_origin(const char *url, const char *other)
{
    char one[ORIGIN_MAX], two[ORIGIN_MAX];
    return read_origin(url, one) && read_origin(other, two) && strcmp(one, two) == 0;
}

/* One item of the list: the key, and the origin behind the @. False when it is not of that form. */
static bool read_binding(const char *item, size_t len, char key[KEY_ROOM], char origin[ORIGIN_MAX])
{
    const char *at = memchr(item, '@', len);
    size_t key_len = at != NULL ? (size_t)(at - item) : 0;
    if (key_len == 0 || key_len >= KEY_ROOM || len - key_len - 1 >= ORIGIN_MAX)
        return false;
    memcpy(key, item, key_len);
    key[key_len] = '\0';
    memcpy(origin, at + 1, len - key_len - 1);
    origin[len - key_len - 1] = '\0';
    return true;
}

/* Whether it is scheme, host and port and nothing else. */
static bool is_origin(const char *url)
{
    char origin[ORIGIN_MAX];
    size_t start = strncasecmp(url, "https://", 8) == 0  ? 8
                   : strncasecmp(url, "http://", 7) == 0 ? 7
                                                         : 0;
    return start > 0 && url[start + strcspn(url + start, "/?#@ ")] == '\0' &&
           read_origin(url, origin);
}

const char *provider_key_check_list(const char *list)
{
    char key[KEY_ROOM], url[ORIGIN_MAX];
    for (const char *p = list; *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (!read_binding(p, len, key, url) || !is_origin(url))
            return "must be KEY@ORIGIN, such as env:BACKUP_API_KEY@https://api.example.com, "
                   "separated by commas";
        if (!provider_key_is_name(key))
            return "a key is env:NAME, and no variable of uplift's own, or file:NAME, a plain name";
        p += len + (p[len] == ',');
    }
    return NULL;
}

static bool is_in_list(const char *list, const char *key, const char *url)
{
    char name[KEY_ROOM], origin[ORIGIN_MAX];
    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (read_binding(p, len, name, origin) && strcmp(name, key) == 0 &&
            same_origin(origin, url))
            return true;
        p += len + (p[len] == ',');
    }
    return false;
}

bool provider_key_is_bound(const struct config *config, const cJSON *routing, const char *key,
                           const char *url)
{
    const cJSON *provider;
    if (is_in_list(config->provider_keys, key, url))
        return true;
    cJSON_ArrayForEach (provider, cJSON_GetObjectItemCaseSensitive(routing, "providers")) {
        const char *its_key = json_string(provider, "api_key");
        const char *its_url = json_string(provider, "base_url");
        if (its_key != NULL && its_url != NULL && strcmp(its_key, key) == 0 &&
            same_origin(its_url, url))
            return true;
    }
    return false;
}

static bool lacks(char why[PROVIDER_KEY_WHY], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool lacks(char why[PROVIDER_KEY_WHY], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, PROVIDER_KEY_WHY, format, args);
    va_end(args);
    return false;
}

static bool fetch_variable(const char *name, char out[PROVIDER_KEY_MAX], char why[PROVIDER_KEY_WHY])
{
    const char *value = getenv(name);
    if (value == NULL || strlen(value) >= PROVIDER_KEY_MAX)
        return lacks(why, "%s is not set", name);
    memcpy(out, value, strlen(value) + 1);
    return true;
}

static bool fetch_file(const struct config *config, const char *name, char out[PROVIDER_KEY_MAX],
                       char why[PROVIDER_KEY_WHY])
{
    char path[PATH_MAX];
    if (config->key_dir == NULL ||
        snprintf(path, sizeof path, "%s/%s", config->key_dir, name) >= (int)sizeof path)
        return lacks(why, "there is no UPLIFT_KEY_DIR");
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return lacks(why, "cannot read %.300s: %s", path, strerror(errno));
    bool good = fgets(out, PROVIDER_KEY_MAX, f) != NULL;
    fclose(f);
    if (!good)
        return lacks(why, "cannot read %.300s: it is empty", path);
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

/* What would end the header. */
static bool has_control(const char *key)
{
    for (; *key != '\0'; key++)
        if (iscntrl((unsigned char)*key))
            return true;
    return false;
}

bool provider_key_fetch(const struct config *config, const char *key, char out[PROVIDER_KEY_MAX],
                        char why[PROVIDER_KEY_WHY])
{
    if (strncmp(key, "env:", 4) == 0 ? !fetch_variable(key + 4, out, why)
                                     : !fetch_file(config, key + 5, out, why))
        return false;
    if (has_control(out))
        return lacks(why, "%s holds a control character", key);
    return !config_value_is_placeholder(out) || lacks(why, "its key is a placeholder");
}

bool provider_key_header_fits(const char *header)
{
    static const char *const known[] = {"Authorization", "api-key", "apikey",
                                        "Ocp-Apim-Subscription-Key"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(header, known[i]) == 0)
            return true;
    size_t len = strlen(header);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)header[i]) && header[i] != '-')
            return false;
    /* What begins with X- and ends so is neither for the connection nor for the length of a body.
     */
    return len >= 5 && len <= HEADER_MAX && strncasecmp(header, "X-", 2) == 0 &&
           (strcasecmp(header + len - 4, "-Key") == 0 ||
            (len > 7 && strcasecmp(header + len - 6, "-Token") == 0));
}
