/* The values of the configuration: what each kind of option takes, and what is wrong with it. */
#ifndef UPLIFT_CONFIG_VALUE_H
#define UPLIFT_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KiB 1024LL
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define SECOND 1000LL
#define HOUR (3600 * SECOND)

enum config_kind {
    TEXT,
    SECRET,   /* text that is never printed */
    CONNINFO, /* a connection string or URL of Postgres; secret, too */
    INTEGER,  /* min..max */
    OCTAL,    /* file mode */
    SIZE,     /* bytes; k, M, G are powers of 1024 */
    DURATION, /* milliseconds; ms, s, min, h */
    SECONDS,  /* s, min, h */
    CHOICE,   /* one of choices, kept as its index */
    FLAG,     /* one of two choices, kept as bool: the second is true */
    UUID,
    LIST,     /* comma list, kept as it is but for spaces */
    ORIGINS,  /* comma list of origins, or * */
    URL,      /* http or https, kept without a trailing slash */
    ADDRESS,  /* unix:PATH or HOST:PORT */
    PATH,     /* absolute */
    ROUTING,  /* a JSON object, brought to one line; see routing_form.h */
    NETWORKS, /* comma list of IP addresses and networks */
    KEYS,     /* comma list of providers' keys and where each may go; no secrets */
};

struct config_option {
    const char *name;
    enum config_kind kind;
    size_t offset;
    const char *initial; /* default, NULL: none */
    int64_t min, max;
    const char *choices; /* separated by | */
    const char *meaning;
};

/* A number of any kind, in the kind's own unit. False with the reason in wrong. */
bool config_value_number(const struct config_option *o, const char *text, int64_t *out, char *wrong,
                         size_t room);
/* The index of text among choices separated by |, in either case; -1 when it is none of them. */
int config_value_choice(const char *choices, const char *text);
/* Writes the name of a choice. */
void config_value_choice_name(const char *choices, int index, char *out, size_t room);
/* Checks a text value and brings it to its one form, in place. NULL, or what is wrong: a static
 * text, or one in room. */
const char *config_value_text(const struct config_option *o, char *text, char *room, size_t size);
/* What is wrong with an http or https URL, NULL when nothing is; static. */
const char *config_value_url(const char *url);
/* Whether a secret is one that stands in examples for that which is to be put there. */
bool config_value_is_placeholder(const char *secret);
/* Whether a secret holds hardly any different bytes, or is one that software is delivered with. */
bool config_value_is_guessable(const char *secret);
/* text without the spaces around it; cuts it in place. */
char *config_value_trimmed(char *text);

#endif
