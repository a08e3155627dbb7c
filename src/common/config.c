#include "config.h"

#include "config_options.h"
#include "provider_key.h"
#include "spelling.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

#define VALUE_MAX_BYTES (64 * 1024) /* of one value, also of a NAME_FILE */
#define NAME_MAX_BYTES SPELLING_MAX

/* Where a value came from: later sources win, and a NAME_FILE of a later source beats an earlier
 * NAME. */
struct source {
    const char *where; /* for complaints; NULL: not given */
    char *text;        /* owned */
    bool is_file;      /* text is a path to read */
};

struct reading {
    struct source sources[CONFIG_OPTIONS_MAX]; /* as config_options */
    const struct config *before;               /* for what can no longer be read, or NULL */
    FILE *complaints;
    bool failed;
};

static void complain(struct reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(struct reading *r, const char *format, ...)
{
    r->failed = true;
    if (r->complaints == NULL)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(r->complaints, format, args);
    va_end(args);
    fputc('\n', r->complaints);
}

static bool is_text_kind(enum config_kind kind)
{
    switch (kind) {
    case TEXT:
    case SECRET:
    case CONNINFO:
    case UUID:
    case LIST:
    case ORIGINS:
    case URL:
    case ADDRESS:
    case PATH:
    case ROUTING:
    case NETWORKS:
    case KEYS:
        return true;
    default:
        return false;
    }
}

/* Whether a value must never be printed. */
static bool is_secret_kind(enum config_kind kind)
{
    return kind == SECRET || kind == CONNINFO;
}

static char **text_at(const struct config *c, const struct config_option *o)
{
    return (char **)((uintptr_t)c + o->offset);
}

static int64_t *number_at(const struct config *c, const struct config_option *o)
{
    return (int64_t *)((uintptr_t)c + o->offset);
}

static bool *flag_at(const struct config *c, const struct config_option *o)
{
    return (bool *)((uintptr_t)c + o->offset);
}

/* --- names --- */

/* The declared name closest to name, and how far it is. */
static const char *nearest_name(const char *name, int *how_far)
{
    const char *nearest = config_options[0].name;
    *how_far = INT_MAX;
    for (size_t i = 0; i < config_option_count; i++) {
        int d = spelling_distance(name, config_options[i].name);
        if (d < *how_far) {
            *how_far = d;
            nearest = config_options[i].name;
        }
    }
    return nearest;
}

/* The option that name (or NAME_FILE) sets, or NULL. */
static const struct config_option *find_option(const char *name, size_t len, bool *is_file)
{
    for (size_t i = 0; i < config_option_count; i++) {
        size_t known = strlen(config_options[i].name);
        if (len < known || memcmp(name, config_options[i].name, known) != 0)
            continue;
        if (len == known) {
            *is_file = false;
            return &config_options[i];
        }
        if (len == known + 5 && memcmp(name + known, "_FILE", 5) == 0) {
            *is_file = true;
            return &config_options[i];
        }
    }
    return NULL;
}

/* --- sources --- */

/* Notes one NAME=value of a source. Names that are not ours are left alone, unless they look like
 * a slip. */
static void take(struct reading *r, const char *where, int line, const char *name, size_t name_len,
                 const char *value)
{
    bool is_file;
    char place[PATH_MAX + 32];
    if (line > 0)
        snprintf(place, sizeof place, "%s:%d", where, line);
    else
        snprintf(place, sizeof place, "%s", where);
    const struct config_option *o = find_option(name, name_len, &is_file);
    if (o == NULL) {
        char text[NAME_MAX_BYTES + 1];
        int how_far;
        snprintf(text, sizeof text, "%.*s", (int)(name_len < 200 ? name_len : 200), name);
        const char *nearest = nearest_name(text, &how_far);
        bool ours = strncmp(text, "UPLIFT_", 7) == 0;
        bool slip = line > 0 && how_far <= 2; /* the environment is full of others' names */
        if ((ours || slip) && how_far <= 4)
            complain(r, "%s: unknown name %s: did you mean %s?", place, text, nearest);
        else if (ours)
            complain(r, "%s: unknown name %s: --help lists all names", place, text);
        return;
    }
    if (*value == '\0')
        return; /* as if it were not there */
    struct source *s = &r->sources[o - config_options];
    if (s->text != NULL && s->where == where && s->is_file != is_file) {
        complain(r, "%s: %s and %s_FILE are both set: leave one out", place, o->name, o->name);
        return;
    }
    free(s->text);
    s->text = strdup(value);
    s->where = where;
    s->is_file = is_file;
    if (s->text == NULL)
        complain(r, "%s: out of memory", place);
}

static void read_environment(struct reading *r)
{
    static const char where[] = "environment";
    for (char **e = environ; e != NULL && *e != NULL; e++) {
        const char *equals = strchr(*e, '=');
        if (equals != NULL)
            take(r, where, 0, *e, (size_t)(equals - *e), equals + 1);
    }
}

/* Takes the quotes off a value in place, as systemd's EnvironmentFile= does. False when they do not
 * match up. */
static bool unquote(char *value)
{
    char quote = *value;
    if (quote != '"' && quote != '\'')
        return true;
    char *out = value;
    for (const char *in = value + 1; *in != '\0'; in++) {
        if (*in == quote) {
            *out = '\0';
            return in[1] == '\0';
        }
        if (quote == '"' && *in == '\\' && in[1] != '\0' && strchr("\"\\$`", in[1]) != NULL)
            in++;
        *out++ = *in;
    }
    return false;
}

static void take_line(struct reading *r, const char *path, int number, char *text)
{
    char *line = config_value_trimmed(text);
    if (*line == '\0' || *line == '#' || *line == ';')
        return;
    char *equals = strchr(line, '=');
    if (equals == NULL || equals == line) {
        complain(r, "%s:%d: not a NAME=value line", path, number);
        return;
    }
    *equals = '\0';
    char *name = config_value_trimmed(line);
    char *value = config_value_trimmed(equals + 1);
    for (const char *p = name; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && *p != '_') {
            complain(r, "%s:%d: not a NAME=value line", path, number);
            return;
        }
    }
    if (!unquote(value)) {
        complain(r, "%s:%d: the quotes around the value of %s do not match up", path, number, name);
        return;
    }
    take(r, path, number, name, strlen(name), value);
}

static void read_config_file(struct reading *r, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        complain(r, "%s: could not open: %s", path, strerror(errno));
        return;
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    for (int number = 1; (len = getline(&line, &room, f)) >= 0; number++) {
        if (len > VALUE_MAX_BYTES || memchr(line, '\0', (size_t)len) != NULL) {
            complain(r, "%s:%d: line too long, or not text", path, number);
            break;
        }
        take_line(r, path, number, line);
    }
    if (ferror(f))
        complain(r, "%s: could not read: %s", path, strerror(errno));
    if (line != NULL)
        explicit_bzero(line, room);
    free(line);
    fclose(f);
}

/* Replaces a NAME_FILE's path by what the file holds, without the line ends at its end. */
static bool read_value_file(struct reading *r, const struct config_option *o, struct source *s)
{
    bool done = false;
    char *value = calloc(1, VALUE_MAX_BYTES + 2);
    FILE *f = fopen(s->text, "re");
    const char *before = r->before != NULL && is_text_kind(o->kind) ? *text_at(r->before, o) : NULL;
    if (f == NULL && errno == EACCES && before != NULL) {
        char *kept = strdup(before);
        if (kept != NULL) {
            free(s->text);
            s->text = kept;
            done = true;
            goto out;
        }
    }
    if (value == NULL || f == NULL) {
        complain(r, "%s_FILE: could not open %s: %s", o->name, s->text, strerror(errno));
        goto out;
    }
    size_t len = fread(value, 1, VALUE_MAX_BYTES + 1, f);
    if (ferror(f)) {
        complain(r, "%s_FILE: could not read %s: %s", o->name, s->text, strerror(errno));
        goto out;
    }
    if (len > VALUE_MAX_BYTES || memchr(value, '\0', len) != NULL) {
        complain(r, "%s_FILE: %s is longer than 64 KiB or holds a NUL", o->name, s->text);
        goto out;
    }
    while (len > 0 && (value[len - 1] == '\n' || value[len - 1] == '\r'))
        value[--len] = '\0';
    if (len == 0) {
        complain(r, "%s_FILE: %s is empty", o->name, s->text);
        goto out;
    }
    free(s->text);
    s->text = value;
    value = NULL;
    done = true;
out:
    if (f != NULL)
        fclose(f);
    if (value != NULL)
        explicit_bzero(value, VALUE_MAX_BYTES + 2);
    free(value);
    return done;
}

/* --- values --- */

static void set_value(struct reading *r, struct config *c, const struct config_option *o,
                      char *text)
{
    const char *wrong = NULL;
    char reason[400];
    if (is_text_kind(o->kind)) {
        wrong = config_value_text(o, text, reason, sizeof reason);
        if (wrong == NULL && *text != '\0' && (*text_at(c, o) = strdup(text)) == NULL)
            wrong = "out of memory";
    } else if (o->kind == CHOICE || o->kind == FLAG) {
        int index = config_value_choice(o->choices, text);
        if (index < 0) {
            snprintf(reason, sizeof reason, "must be one of %s", o->choices);
            wrong = reason;
        } else if (o->kind == FLAG) {
            *flag_at(c, o) = index == 1;
        } else {
            *number_at(c, o) = index;
        }
    } else if (!config_value_number(o, text, number_at(c, o), reason, sizeof reason)) {
        wrong = reason;
    }
    if (wrong == NULL)
        return;
    /* It may be a secret pasted under the wrong name: never repeated. */
    if (is_secret_kind(o->kind) || o->kind == ROUTING)
        complain(r, "%s: %s", o->name, wrong);
    else
        complain(r, "%s=%.200s: %s", o->name, text, wrong);
}

static void set_default(struct reading *r, struct config *c, const struct config_option *o)
{
    if (o->initial == NULL)
        return;
    char text[128];
    snprintf(text, sizeof text, "%s", o->initial);
    set_value(r, c, o, text);
}

/* A key that signs or seals must not be one that can be guessed. */
static void check_strength(struct reading *r, const char *name, const char *key, size_t least)
{
    if (key == NULL)
        return;
    if (strlen(key) < least)
        complain(r, "%s: shorter than %zu bytes, so that it could be guessed", name, least);
    else if (config_value_is_guessable(key))
        complain(r, "%s: too much of the same, or known to everybody, so that it could be guessed",
                 name);
}

static void check_ca_bundle(struct reading *r, const char *path)
{
    char line[256];
    bool has_certificate = false;
    FILE *f = path != NULL ? fopen(path, "re") : NULL;
    if (path == NULL)
        return;
    if (f == NULL) {
        complain(r, "UPLIFT_CA_BUNDLE: could not open %s: %s", path, strerror(errno));
        return;
    }
    while (!has_certificate && fgets(line, sizeof line, f) != NULL)
        has_certificate =
            strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, "CERTIFICATE") != NULL;
    fclose(f);
    if (!has_certificate)
        complain(r, "UPLIFT_CA_BUNDLE: %s holds no certificate (PEM)", path);
}

/* What only two values together can get wrong. */
static void check_together(struct reading *r, const struct config *c)
{
    if (c->database_url == NULL)
        complain(r, "DATABASE_URL: not set");
    if (c->jwt_secret == NULL && c->jwks_url == NULL)
        complain(r, "UPLIFT_JWT_SECRET, UPLIFT_JWKS_URL: neither is set, so no token could ever be "
                    "checked");
    if (c->jwt_any_sub && c->jwt_issuer == NULL)
        complain(r, "UPLIFT_JWT_SUB=any: UPLIFT_JWT_ISSUER is not set, and two issuers may have "
                    "users of the same name");
    if (c->jwt_role_claim != NULL && strncmp(c->jwt_role_claim, "user_metadata", 13) == 0 &&
        strchr(".", c->jwt_role_claim[13]) != NULL)
        complain(r, "UPLIFT_JWT_ROLE_CLAIM: user_metadata is what users write about themselves");
    check_strength(r, "UPLIFT_JWT_SECRET", c->jwt_secret, 32);
    check_strength(r, "UPLIFT_ID_KEY", c->id_key, 16);
    check_ca_bundle(r, c->ca_bundle);
    if (c->jwt_secret != NULL && c->anon_key != NULL && strcmp(c->jwt_secret, c->anon_key) == 0)
        complain(r, "UPLIFT_ANON_KEY: the same as UPLIFT_JWT_SECRET, which must stay secret");
    if (c->trainer == TRAINER_COMMAND && c->trainer_command == NULL)
        complain(r, "UPLIFT_TRAINER=command: UPLIFT_TRAINER_COMMAND is not set");
    if (!provider_key_header_fits(c->trainer_key_header))
        complain(r,
                 "UPLIFT_TRAINER_KEY_HEADER: not a header that keys go in: Authorization, api-key, "
                 "or X-...-Key");
    if (c->max_message_bytes > c->max_body_bytes)
        complain(r, "UPLIFT_MAX_MESSAGE_BYTES: more than UPLIFT_MAX_BODY_BYTES allows");
    if (c->db_lock_timeout_ms >= c->db_timeout_ms)
        complain(r, "UPLIFT_DB_LOCK_TIMEOUT_MS: must be less than UPLIFT_DB_TIMEOUT_MS, or a held "
                    "lock would look like a dead server");
    if (c->group_max > c->record_queue_max)
        complain(r, "UPLIFT_GROUP_MAX: more than UPLIFT_RECORD_QUEUE_MAX");
}

static void free_sources(struct reading *r)
{
    for (size_t i = 0; i < config_option_count; i++) {
        char *text = r->sources[i].text;
        if (text != NULL)
            explicit_bzero(text, strlen(text));
        free(text);
    }
}

bool config_read(struct config *out, const char *path, FILE *complaints)
{
    return config_read_again(out, NULL, path, complaints);
}

bool config_read_again(struct config *out, const struct config *before, const char *path,
                       FILE *complaints)
{
    struct reading r = {.complaints = complaints, .before = before};
    memset(out, 0, sizeof *out);
    if (path != NULL)
        read_config_file(&r, path);
    read_environment(&r);
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];
        struct source *s = &r.sources[i];
        if (s->text == NULL)
            set_default(&r, out, o);
        else if (!s->is_file || read_value_file(&r, o, s))
            set_value(&r, out, o, s->text);
    }
    if (!r.failed) /* else the complaints would be about values nobody set */
        check_together(&r, out);
    free_sources(&r);
    if (r.failed)
        config_release(out);
    return !r.failed;
}

void config_release(struct config *c)
{
    for (size_t i = 0; i < config_option_count; i++) {
        if (!is_text_kind(config_options[i].kind))
            continue;
        char **text = text_at(c, &config_options[i]);
        if (*text != NULL && is_secret_kind(config_options[i].kind))
            explicit_bzero(*text, strlen(*text));
        free(*text);
    }
    memset(c, 0, sizeof *c);
}

/* Prints text in lines of at most 80 columns, each after indent spaces. */
static void print_wrapped(FILE *out, int indent, const char *text)
{
    int column = 0;
    while (*text != '\0') {
        int len = (int)strcspn(text, " ");
        if (column > 0 && indent + column + 1 + len > 80) {
            fputc('\n', out);
            column = 0;
        }
        fprintf(out, column == 0 ? "%*s%.*s" : "%*s%.*s", column == 0 ? indent : 1, "", len, text);
        column += len + (column > 0);
        text += len;
        while (*text == ' ')
            text++;
    }
    fputc('\n', out);
}

void config_print_help(FILE *out)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];
        fprintf(out, "  %s", o->name);
        if (o->initial != NULL)
            fprintf(out, "=%s", o->initial);
        if (is_secret_kind(o->kind))
            fputs(" (secret)", out);
        fputc('\n', out);
        print_wrapped(out, 8, o->meaning);
    }
}

void config_print(const struct config *c, FILE *out)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];
        char choice[32];
        fprintf(out, "%s=", o->name);
        if (is_secret_kind(o->kind)) {
            fputs(*text_at(c, o) != NULL ? "(set)" : "(not set)", out);
        } else if (is_text_kind(o->kind)) {
            fputs(*text_at(c, o) != NULL ? *text_at(c, o) : "", out);
        } else if (o->kind == CHOICE || o->kind == FLAG) {
            int index = o->kind == FLAG ? *flag_at(c, o) : (int)*number_at(c, o);
            config_value_choice_name(o->choices, index, choice, sizeof choice);
            fputs(choice, out);
        } else if (o->kind == OCTAL) {
            fprintf(out, "%04llo", (unsigned long long)*number_at(c, o));
        } else {
            fprintf(out, "%lld", (long long)*number_at(c, o));
        }
        fputc('\n', out);
    }
}
