#include "config_value.h"

#include "address.h"
#include "conninfo.h"
#include "json.h"
#include "provider_key.h"
#include "routing_form.h"
#include "uuid.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *config_value_trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"", 1},    {"k", KiB},   {"K", KiB},   {"KiB", KiB},
                                         {"m", MiB}, {"M", MiB},   {"MiB", MiB}, {"g", GiB},
                                         {"G", GiB}, {"GiB", GiB}, {NULL, 0}};
static const struct unit ms_units[] = {{"", 1},     {"ms", 1}, {"s", SECOND}, {"min", 60 * SECOND},
                                       {"h", HOUR}, {NULL, 0}};
static const struct unit s_units[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {NULL, 0}};

static const struct unit *units_of(enum config_kind kind)
{
    switch (kind) {
    case SIZE:
        return size_units;
    case DURATION:
        return ms_units;
    case SECONDS:
        return s_units;
    default:
        return no_units;
    }
}

static const char *unit_text(enum config_kind kind)
{
    switch (kind) {
    case SIZE:
        return " bytes";
    case DURATION:
        return " ms";
    case SECONDS:
        return " s";
    default:
        return "";
    }
}

bool config_value_number(const struct config_option *o, const char *text, int64_t *out, char *wrong,
                         size_t room)
{
    char *end;
    if (!isdigit((unsigned char)*text)) {
        snprintf(wrong, room, "not a number");
        return false;
    }
    errno = 0;
    long long n = strtoll(text, &end, o->kind == OCTAL ? 8 : 10);
    const struct unit *u = units_of(o->kind);
    while (isspace((unsigned char)*end))
        end++;
    while (u->name != NULL && strcmp(u->name, end) != 0)
        u++;
    if (u->name == NULL) {
        snprintf(wrong, room, "%s",
                 o->kind == SIZE       ? "the unit is none (bytes), k, M or G"
                 : o->kind == DURATION ? "the unit is none (ms), ms, s, min or h"
                 : o->kind == SECONDS  ? "the unit is none (s), s, min or h"
                 : o->kind == OCTAL    ? "not an octal number"
                                       : "not a whole number");
        return false;
    }
    if (errno == ERANGE || n > INT64_MAX / u->factor || n * u->factor < o->min ||
        n * u->factor > o->max) {
        if (o->kind == OCTAL)
            snprintf(wrong, room, "out of range: 0 to %#llo", (unsigned long long)o->max);
        else
            snprintf(wrong, room, "out of range: %lld to %lld%s", (long long)o->min,
                     (long long)o->max, unit_text(o->kind));
        return false;
    }
    *out = n * u->factor;
    return true;
}

/* The index of text among choices separated by |, or -1. */
int config_value_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    int index = 0;
    for (const char *p = choices;; index++) {
        size_t n = strcspn(p, "|");
        if (n == len && strncasecmp(p, text, n) == 0)
            return index;
        if (p[n] == '\0')
            return -1;
        p += n + 1;
    }
}

void config_value_choice_name(const char *choices, int index, char *out, size_t room)
{
    const char *p = choices;
    while (index-- > 0)
        p += strcspn(p, "|") + 1;
    snprintf(out, room, "%.*s", (int)strcspn(p, "|"), p);
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if (iscntrl((unsigned char)*text))
            return true;
    }
    return false;
}

/* Checks scheme://host[:port], which may go on when rest is true. */
static const char *check_url(const char *url, bool rest)
{
    const char *host = strncasecmp(url, "https://", 8) == 0  ? url + 8
                       : strncasecmp(url, "http://", 7) == 0 ? url + 7
                                                             : NULL;
    if (host == NULL)
        return "must begin with http:// or https://";
    size_t len = strcspn(host, "/?#");
    if (len == 0 || *host == ':')
        return "has no host";
    if (memchr(host, '@', len) != NULL)
        return "must not hold a user or password";
    for (const char *p = url; *p != '\0'; p++) {
        if (isspace((unsigned char)*p))
            return "must not hold spaces";
    }
    if (!rest && host[len] != '\0')
        return "is an origin: nothing may follow host and port, not even a slash";
    CURLU *parts = curl_url();
    CURLUcode code =
        parts != NULL ? curl_url_set(parts, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    curl_url_cleanup(parts);
    return code == CURLUE_OK                ? NULL
           : code == CURLUE_BAD_PORT_NUMBER ? "its port must be a number from 1 to 65535"
                                            : "is not a URL that can be used";
}

const char *config_value_url(const char *url)
{
    return check_url(url, true);
}

static const char *check_address(const char *text)
{
    if (strncmp(text, "unix:", 5) == 0) {
        if (text[5] != '/')
            return "unix: needs an absolute path";
        return strlen(text + 5) < 108 ? NULL : "a socket's path is at most 107 bytes";
    }
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return "must be unix:PATH or HOST:PORT";
    if (memchr(text, ':', (size_t)(colon - text)) != NULL && (*text != '[' || colon[-1] != ']'))
        return "an IPv6 address needs brackets: [::1]:9000";
    char *end;
    errno = 0;
    long port = isdigit((unsigned char)colon[1]) ? strtol(colon + 1, &end, 10) : -1;
    if (port < 0 || *end != '\0' || errno == ERANGE || port > 65535)
        return "the port must be a number from 0 to 65535";
    return NULL;
}

/* Takes the spaces around the items of a comma list away, and empty items; in place. */
static void tidy_list(char *text)
{
    char *out = text;
    for (char *p = text; *p != '\0';) {
        size_t n = strcspn(p, ",");
        bool last = p[n] == '\0';
        p[n] = '\0';
        char *item = config_value_trimmed(p);
        size_t len = strlen(item);
        if (len > 0) {
            if (out != text)
                *out++ = ',';
            memmove(out, item, len);
            out += len;
        }
        p += last ? n : n + 1;
    }
    *out = '\0';
}

static const char *check_origins(char *list)
{
    if (strcmp(list, "*") == 0)
        return NULL;
    for (char *p = list; *p != '\0';) {
        size_t n = strcspn(p, ",");
        char after = p[n];
        p[n] = '\0';
        const char *wrong = check_url(p, false);
        p[n] = after;
        if (wrong != NULL)
            return wrong;
        p += after == '\0' ? n : n + 1;
    }
    return NULL;
}

/* --- secrets --- */

/* Letters and digits of text alone, in lower case. */
static void simplify(const char *text, char *out, size_t room)
{
    size_t len = 0;
    for (; *text != '\0' && len + 1 < room; text++)
        if (isalnum((unsigned char)*text))
            out[len++] = (char)tolower((unsigned char)*text);
    out[len] = '\0';
}

bool config_value_is_placeholder(const char *secret)
{
    static const char *const words[] = {"changeme",    "changethis",  "changeit",   "replaceme",
                                        "replacethis", "placeholder", "insertyour", "enteryour"};
    static const char *const yours[] = {"secret", "password", "key", "token", "jwt", "256bit"};
    char simple[256];
    size_t len = strlen(secret);
    simplify(secret, simple, sizeof simple);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(simple, words[i]) != NULL)
            return true;
    const char *your = strstr(simple, "your");
    for (size_t i = 0; your != NULL && i < sizeof yours / sizeof yours[0]; i++)
        if (strstr(your, yours[i]) != NULL)
            return true;
    return len > 1 && secret[0] == '<' && secret[len - 1] == '>';
}

bool config_value_is_guessable(const char *secret)
{
    /* Of supabase start. */
    static const char known[] = "supersecretjwttokenwithatleast32characterslong";
    char simple[256];
    bool seen[256] = {false};
    int different = 0;
    for (const char *p = secret; *p != '\0'; p++) {
        different += !seen[(unsigned char)*p];
        seen[(unsigned char)*p] = true;
    }
    simplify(secret, simple, sizeof simple);
    return different < 8 || strcmp(simple, known) == 0;
}

/* --- texts --- */

/* Line ends and tabs can only stand between the tokens of JSON. */
static const char *check_routing(char *text, char *room, size_t size)
{
    bool good = routing_form_check(text, room, size);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n' || *p == '\r' || *p == '\t')
            *p = ' ';
    return good ? NULL : room;
}

const char *config_value_text(const struct config_option *o, char *text, char *room, size_t size)
{
    struct uuid id;
    if (o->kind == ROUTING)
        return check_routing(text, room, size);
    if (has_control(text))
        return "must not hold control characters";
    switch (o->kind) {
    case CONNINFO:
        return conninfo_wrong(text);
    case SECRET:
        return config_value_is_placeholder(text) ? "a placeholder: put your own in its place"
                                                 : NULL;
    case UUID:
        if (!uuid_parse(text, &id))
            return "not a UUID";
        uuid_format(&id, text);
        return NULL;
    case URL: {
        const char *wrong = check_url(text, true);
        for (size_t len = strlen(text); len > 0 && text[len - 1] == '/'; len--)
            text[len - 1] = '\0';
        return wrong;
    }
    case ADDRESS:
        return check_address(text);
    case PATH:
        return *text == '/' ? NULL : "must be an absolute path";
    case LIST:
        tidy_list(text);
        return NULL;
    case ORIGINS:
        tidy_list(text);
        return check_origins(text);
    case NETWORKS:
        tidy_list(text);
        return address_check_list(text);
    case KEYS:
        tidy_list(text);
        return provider_key_check_list(text);
    default:
        return NULL;
    }
}
