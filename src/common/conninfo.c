/* Connection strings; see conninfo.h. */
#include "conninfo.h"

#include "config_value.h"

#include <ctype.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Keywords whose values libpq checks only when it connects. */
static const struct {
    const char *keyword, *choices, *wrong;
} words[] = {
    {"sslmode", "disable|allow|prefer|require|verify-ca|verify-full",
     "its sslmode must be disable, allow, prefer, require, verify-ca or verify-full"},
    {"target_session_attrs", "any|read-write|read-only|primary|standby|prefer-standby",
     "its target_session_attrs must be any, read-write, read-only, primary, standby or "
     "prefer-standby"},
};

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
        if (strcmp(o->keyword, keyword) == 0 && o->val != NULL && *o->val != '\0')
            return o->val;
    return NULL;
}

static int count_items(const char *list)
{
    int count = 1;
    for (const char *p = list; *p != '\0'; p++)
        count += *p == ',';
    return count;
}

/* A list of whole numbers, each from least to most or left out. */
static bool are_numbers(const char *list, long least, long most)
{
    for (const char *p = list; p != NULL; p = strchr(p, ',')) {
        char *end;
        p += *p == ',';
        if (*p == ',' || *p == '\0')
            continue;
        errno = 0;
        long number = isdigit((unsigned char)*p) ? strtol(p, &end, 10) : -1;
        if (number < least || number > most || errno != 0 || (*end != ',' && *end != '\0'))
            return false;
    }
    return true;
}

static const char *check_options(const PQconninfoOption *options)
{
    const char *host = value_of(options, "host"), *hostaddr = value_of(options, "hostaddr");
    const char *port = value_of(options, "port"), *password = value_of(options, "password");
    const char *timeout = value_of(options, "connect_timeout");
    int hosts = hostaddr != NULL ? count_items(hostaddr) : host != NULL ? count_items(host) : 1;
    if (host != NULL && hostaddr != NULL && count_items(host) != hosts)
        return "it has not as many hosts as addresses of them";
    if (port != NULL && !are_numbers(port, 1, 65535))
        return "its port must be a number from 1 to 65535";
    if (port != NULL && count_items(port) != 1 && count_items(port) != hosts)
        return "it has not as many ports as hosts";
    if (timeout != NULL && (count_items(timeout) > 1 || !are_numbers(timeout, 0, 2147483)))
        return "its connect_timeout must be a number of seconds";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *word = value_of(options, words[i].keyword);
        if (word != NULL && config_value_choice(words[i].choices, word) < 0)
            return words[i].wrong;
    }
    if (password != NULL && config_value_is_placeholder(password))
        return "its password is a placeholder: put your own in its place";
    return NULL;
}

const char *conninfo_wrong(const char *text)
{
    PQconninfoOption *options = PQconninfoParse(text, NULL); /* its reason may hold the password */
    if (options == NULL)
        return "not a connection string or URL that libpq understands";
    const char *wrong = check_options(options);
    PQconninfoFree(options);
    return wrong;
}
