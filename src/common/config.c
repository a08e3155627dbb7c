#include "config.h"

#include "config_value.h"
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

#define AT(member) offsetof(struct config, member)

/* The one table. --help, --check, the man page (by a test) and every check below follow it. */
static const struct config_option options[] = {
    {"DATABASE_URL", CONNINFO, AT(database_url), NULL, 0, 0, NULL,
     "Postgres: a libpq connection string or URL; several hosts are tried in turn. Required."},
    {"UPLIFT_LISTEN", ADDRESS, AT(listen), "unix:/run/uplift/chat.sock", 0, 0, NULL,
     "Where nginx finds the workers: unix:PATH, or HOST:PORT for nginx on another host (keep it on "
     "a private network: FastCGI has no passwords)."},
    {"UPLIFT_LISTEN_MODE", OCTAL, AT(listen_mode), "0660", 0, 0777, NULL,
     "File mode of the Unix socket."},
    {"UPLIFT_WORKERS", INTEGER, AT(workers), "0", 0, 128, NULL,
     "Worker processes, of several threads each, at most 128; 0 is one for every two cores."},
    {"UPLIFT_INTAKE_THREADS", INTEGER, AT(intake_threads), "32", 1, 256, NULL,
     "Threads of each worker that take requests in, and wait for Postgres meanwhile."},
    {"UPLIFT_DB_CONNECTIONS", INTEGER, AT(db_connections), "4", 2, 256, NULL,
     "Connections of each worker to Postgres that requests share: one half for chats, the other "
     "for all else. Four more are for recording and for what changes beside the chats."},
    {"UPLIFT_RUN_AS", TEXT, AT(run_as), NULL, 0, 0, NULL,
     "User to become once the socket is made; needed when started as root."},
    {"UPLIFT_UPSTREAM_URL", URL, AT(upstream_url), "https://api.openai.com/v1", 0, 0, NULL,
     "Base URL of the provider: OpenAI's, or any server that speaks its API."},
    {"OPENAI_API_KEY", SECRET, AT(openai_api_key), NULL, 0, 0, NULL,
     "Key for the provider; local servers often need none."},
    {"UPLIFT_CA_BUNDLE", PATH, AT(ca_bundle), NULL, 0, 0, NULL,
     "File with the certificates (PEM) of the authorities to trust instead of the system's, for "
     "the provider and the public keys."},
    {"UPLIFT_MODEL", TEXT, AT(model), "gpt-4.1-mini", 0, 0, NULL,
     "Model that answers when a chat names none."},
    {"UPLIFT_MODELS", LIST, AT(models), NULL, 0, 0, NULL,
     "More models that clients may name, separated by commas; beside them those with routes of "
     "their own, those deployed in production, and what rules allow."},
    {"UPLIFT_ROUTING", ROUTING, AT(routing), NULL, 0, 0, NULL,
     "More providers, and which of them answer for a model, as JSON (API.md, \"Routing\"); "
     "mostly given as UPLIFT_ROUTING_FILE. What admins set by URL takes the place of the same name "
     "here."},
    {"UPLIFT_KEY_DIR", PATH, AT(key_dir), "/etc/uplift/keys", 0, 0, NULL,
     "Directory of the providers' keys that are named file:NAME, a file each."},
    {"UPLIFT_PROVIDER_KEYS", KEYS, AT(provider_keys), NULL, 0, 0, NULL,
     "Which key may go to which server, for providers that admins set by URL: KEY@ORIGIN, such as "
     "env:BACKUP_API_KEY@https://api.example.com or file:backup@https://api.example.com, separated "
     "by commas. The same for both programs."},
    {"UPLIFT_ALLOW_ADDRESSES", NETWORKS, AT(allow_addresses), NULL, 0, 0, NULL,
     "Addresses and networks, separated by commas, that a provider may have although they are "
     "link-local or where clouds tell a machine its secrets; all others are connected to anyway."},
    {"UPLIFT_JWT_SECRET", SECRET, AT(jwt_secret), NULL, 0, 0, NULL,
     "Shared secret of HS256 tokens, at least 32 bytes. This or UPLIFT_JWKS_URL is required."},
    {"UPLIFT_JWKS_URL", URL, AT(jwks_url), NULL, 0, 0, NULL,
     "Where the public keys of ES256 and RS256 tokens are found."},
    {"UPLIFT_JWT_AUDIENCE", TEXT, AT(jwt_audience), "authenticated", 0, 0, NULL,
     "The aud that a user's token must have."},
    {"UPLIFT_JWT_ISSUER", TEXT, AT(jwt_issuer), NULL, 0, 0, NULL,
     "The iss that a user's token must have; unset: any."},
    {"UPLIFT_JWT_SKEW_S", SECONDS, AT(jwt_skew_s), "30", 0, 600, NULL,
     "By how much clocks may differ when exp and nbf are checked."},
    {"UPLIFT_ANON_KEY", SECRET, AT(anon_key), NULL, 0, 0, NULL,
     "The public apikey of clients without a user. Unset: any apikey will do."},
    {"UPLIFT_GUEST_USER", UUID, AT(guest_user), NULL, 0, 0, NULL,
     "The user that requests without a user belong to; unset: they are refused."},
    {"UPLIFT_CORS_ORIGINS", ORIGINS, AT(cors_origins), NULL, 0, 0, NULL,
     "Origins whose pages may call the API, separated by commas, or * for all."},
    {"UPLIFT_MAX_CHATS", INTEGER, AT(max_chats), "4096", 1, 1000000, NULL,
     "Chats that one worker has open at once; beyond them 503."},
    {"UPLIFT_MAX_BODY_BYTES", SIZE, AT(max_body_bytes), "8M", KiB, 256 * MiB, NULL,
     "Largest request body; beyond it 413."},
    {"UPLIFT_MAX_MESSAGE_BYTES", SIZE, AT(max_message_bytes), "256k", 1, 64 * MiB, NULL,
     "Longest text of one message, on both chat routes."},
    {"UPLIFT_REQUEST_MEMORY_BYTES", SIZE, AT(request_memory_bytes), "256M", MiB, 64 * GiB, NULL,
     "Memory that large requests may hold at once in one process: a body four times its size while "
     "it is read, then what is sent to a provider, until it is not needed for another try, and "
     "what "
     "is recorded, until the answer has ended; beyond it 503."},
    {"UPLIFT_CONNECT_TIMEOUT_MS", DURATION, AT(connect_timeout_ms), "5s", 10, HOUR, NULL,
     "How long connecting to the provider may take."},
    {"UPLIFT_FIRST_BYTE_TIMEOUT_MS", DURATION, AT(first_byte_timeout_ms), "60s", 10, HOUR, NULL,
     "How long the provider may be silent before its answer begins; a comment is a sign of life."},
    {"UPLIFT_FIRST_TOKEN_TIMEOUT_MS", DURATION, AT(first_token_timeout_ms), "12s", 10, HOUR, NULL,
     "How long a stream may go without a first token before the next route is tried, where there "
     "is one."},
    {"UPLIFT_IDLE_TIMEOUT_MS", DURATION, AT(idle_timeout_ms), "60s", 10, HOUR, NULL,
     "How long the provider may be silent within an answer."},
    {"UPLIFT_TOTAL_TIMEOUT_MS", DURATION, AT(total_timeout_ms), "10min", 10, 24 * HOUR, NULL,
     "How long an answer may take in all; nginx's fastcgi_read_timeout must be longer."},
    {"UPLIFT_HEARTBEAT_MS", DURATION, AT(heartbeat_ms), "15s", 10, HOUR, NULL,
     "How often a silent stream sends its client a comment."},
    {"UPLIFT_CLIENT_BUFFER_BYTES", SIZE, AT(client_buffer_bytes), "1M", 16 * KiB, GiB, NULL,
     "What may wait for a client that does not read, before it is given up."},
    {"UPLIFT_MAX_ANSWER_BYTES", SIZE, AT(max_answer_bytes), "4M", KiB, GiB, NULL,
     "Longest answer; a longer one is cut and recorded as partial."},
    {"UPLIFT_RETRIES", INTEGER, AT(retries), "1", 0, 1, NULL,
     "How often a call that failed before its first byte is tried again on the same route."},
    {"UPLIFT_BREAKER_FAILURES", INTEGER, AT(breaker_failures), "5", 0, 1000, NULL,
     "After so many failures in a row, of more than one user, a provider's model is left alone for "
     "a while; of the provider as a whole (no connection, 401, no credit), all of it; 0: never."},
    {"UPLIFT_BREAKER_OPEN_MS", DURATION, AT(breaker_open_ms), "2s", 10, HOUR, NULL,
     "For how long; doubled, up to 16 times that, each time that one chat sent to try it fails."},
    {"UPLIFT_ON_HANGUP", FLAG, AT(finish_on_hangup), "cancel", 0, 0, "cancel|finish",
     "What becomes of an answer on /v1/chat/completions whose client has gone: cancel, or finish "
     "it "
     "unheard. On /v1/chat it is always finished."},
    {"UPLIFT_HISTORY_TOKENS", INTEGER, AT(history_tokens), "4000", 0, 1000000, NULL,
     "How much of the conversation goes along with a message, in tokens."},
    {"UPLIFT_CACHE", CHOICE, AT(cache), "off", 0, 0, "off|on|read-only|write-only",
     "Whether the same question gets the answer it got before: what counts for requests that do "
     "not say."},
    {"UPLIFT_CACHE_TTL_S", SECONDS, AT(cache_ttl_s), "24h", 1, 10000 * HOUR / SECOND, NULL,
     "How long an answer may be given again."},
    {"UPLIFT_CACHE_MAX_ENTRIES", INTEGER, AT(cache_max_entries), "100000", 0, 100000000, NULL,
     "How many answers the job trim-cache leaves to be given again."},
    {"UPLIFT_SPOOL_DIR", PATH, AT(spool_dir), "/var/lib/uplift/spool", 0, 0, NULL,
     "Directory for answers and feedback that wait while Postgres is away."},
    {"UPLIFT_SEARCH_DATABASE_URL", CONNINFO, AT(search_database_url), NULL, 0, 0, NULL,
     "Postgres for retrieval, as role uplift_search: knowledge and well-rated answers are read by "
     "it, and found for each chat. Unset: there is no retrieval."},
    {"UPLIFT_SEARCH_DIR", PATH, AT(search_dir), "/var/lib/uplift/search", 0, 0, NULL,
     "Directory for the copies that are searched, on a local disk; each takes some 300 bytes for a "
     "text."},
    {"UPLIFT_EMBEDDINGS_URL", URL, AT(embeddings_url), NULL, 0, 0, NULL,
     "Base URL of a server with OpenAI's /embeddings: with it, and with pgvector in the database, "
     "knowledge is found by what it means besides by its words, and each question to a coach is "
     "sent there. Unset: by words alone."},
    {"UPLIFT_EMBEDDINGS_MODEL", TEXT, AT(embeddings_model), "text-embedding-3-small", 0, 0, NULL,
     "Model that makes embeddings. After a change the job embed-knowledge makes all anew."},
    {"UPLIFT_EMBEDDINGS_KEY", SECRET, AT(embeddings_key), NULL, 0, 0, NULL,
     "Key for that server; local ones often need none."},
    {"UPLIFT_EMBEDDINGS_DIMENSIONS", INTEGER, AT(embeddings_dimensions), "0", 0, 4096, NULL,
     "How many numbers an embedding is to have, for models that let one choose; 0: as many as the "
     "model gives, at most 4096."},
    {"UPLIFT_EMBEDDINGS_TIMEOUT_MS", DURATION, AT(embeddings_timeout_ms), "200ms", 10, 60 * SECOND,
     NULL,
     "How long a chat waits for its question's embedding before it goes on with words alone."},
    {"UPLIFT_DB_TIMEOUT_MS", DURATION, AT(db_timeout_ms), "2s", 10, HOUR, NULL,
     "How long a call of Postgres may take, connecting included."},
    {"UPLIFT_DB_LOCK_TIMEOUT_MS", DURATION, AT(db_lock_timeout_ms), "500ms", 1, HOUR, NULL,
     "How long a call may wait for a lock; less than UPLIFT_DB_TIMEOUT_MS."},
    {"UPLIFT_GROUP_MAX", INTEGER, AT(group_max), "256", 1, 10000, NULL,
     "Most answers written in one transaction. Each takes one of Postgres's locks until it is "
     "committed."},
    {"UPLIFT_RECORD_QUEUE_MAX", INTEGER, AT(record_queue_max), "8192", 1, 1000000, NULL,
     "Most finished answers of one worker that wait to be written; at least UPLIFT_GROUP_MAX."},
    {"UPLIFT_ID_KEY", SECRET, AT(id_key), NULL, 0, 0, NULL,
     "Secret that marks answer ids with their user; the same on all hosts. Unset: made at random "
     "at each start."},
    {"UPLIFT_LOG_LEVEL", CHOICE, AT(log_level), "info", 0, 0, "debug|info|warn|error",
     "Least level that is logged; debug shows text of chats."},
    {"UPLIFT_ACCESS_LOG", CHOICE, AT(access_log), "hashed", 0, 0, "off|anonymous|hashed",
     "Whether each request is logged when it ends, at level info: with its user as a hash by "
     "UPLIFT_ID_KEY, or without. Health checks and /metrics only at level debug."},
    {"UPLIFT_DRAIN_MS", DURATION, AT(drain_ms), "30s", 0, 24 * HOUR, NULL,
     "How long open chats may go on after a stop or a reload."},
    {"UPLIFT_BATCH_DATABASE_URL", CONNINFO, AT(batch_database_url), NULL, 0, 0, NULL,
     "Postgres for fcgi-batch, as role uplift_batch, which alone may see what everybody said; "
     "unset: as DATABASE_URL."},
    {"UPLIFT_BATCH_LISTEN", ADDRESS, AT(batch_listen), "unix:/run/uplift/batch.sock", 0, 0, NULL,
     "Where nginx finds fcgi-batch: unix:PATH, or HOST:PORT. Its file has UPLIFT_LISTEN_MODE."},
    {"UPLIFT_BATCH_THREADS", INTEGER, AT(batch_threads), "16", 1, 256, NULL,
     "Requests of admins that fcgi-batch answers at once; up to 16 exports and 64 streams of "
     "progress come on top."},
    {"UPLIFT_BATCH_RUNNERS", INTEGER, AT(batch_runners), "2", 0, 64, NULL,
     "Batch jobs that one fcgi-batch runs at once; 0: none, only URLs."},
    {"UPLIFT_BATCH_POLL_MS", DURATION, AT(batch_poll_ms), "2s", 10, HOUR, NULL,
     "How often an idle runner looks for a job."},
    {"UPLIFT_BATCH_LEASE_MS", DURATION, AT(batch_lease_ms), "30s", 200, HOUR, NULL,
     "How long a runner that is not heard of keeps its job; then another goes on with it."},
    {"UPLIFT_BATCH_STATEMENT_TIMEOUT_MS", DURATION, AT(batch_statement_timeout_ms), "10min", 100,
     24 * HOUR, NULL, "How long one statement of a batch job may take."},
    {"UPLIFT_BATCH_DIR", PATH, AT(batch_dir), "/var/lib/uplift/batch", 0, 0, NULL,
     "Directory for work files of batch jobs."},
    {"UPLIFT_EXPORT_DIR", PATH, AT(export_dir), "/var/lib/uplift/exports", 0, 0, NULL,
     "Directory that exported datasets are written to."},
    {"UPLIFT_BATCH_MODEL", TEXT, AT(batch_model), NULL, 0, 0, NULL,
     "Model of UPLIFT_UPSTREAM_URL that batch jobs ask about memories, feedback and summaries; "
     "unset: UPLIFT_MODEL; none: no model is asked, and rules do what they can."},
    {"UPLIFT_KNOWLEDGE_DIR", PATH, AT(knowledge_dir), NULL, 0, 0, NULL,
     "Directory whose files admins may have imported as knowledge by URL and by schedules; unset: "
     "none. On the command line any directory can be imported."},
    {"UPLIFT_KNOWLEDGE_ADDRESSES", NETWORKS, AT(knowledge_addresses), NULL, 0, 0, NULL,
     "Addresses and networks, separated by commas, that pages of knowledge are fetched from "
     "although they are private, such as that of a wiki of your own; all others are refused "
     "unless they are public."},
    {"UPLIFT_PDFTOTEXT", PATH, AT(pdftotext), "/usr/bin/pdftotext", 0, 0, NULL,
     "Program of poppler that PDF files are read with."},
    {"UPLIFT_TRAINER", CHOICE, AT(trainer), "openai", 0, 0, "openai|command|none",
     "What trains models: openai is a server with OpenAI's routes for files and fine-tuning, "
     "command a program on this host."},
    {"UPLIFT_TRAINER_URL", URL, AT(trainer_url), "https://api.openai.com/v1", 0, 0, NULL,
     "Base URL of the trainer openai."},
    {"UPLIFT_TRAINER_API_KEY", SECRET, AT(trainer_api_key), NULL, 0, 0, NULL,
     "Key for the trainer openai."},
    {"UPLIFT_TRAINER_KEY_HEADER", TEXT, AT(trainer_key_header), "Authorization", 0, 0, NULL,
     "Header that takes the key: Authorization (as Bearer), or another, which takes it bare, "
     "such as api-key for Azure."},
    {"UPLIFT_TRAINER_COMMAND", PATH, AT(trainer_command), NULL, 0, 0, NULL,
     "Program of the trainer command."},
    {"UPLIFT_TRAINER_POLL_MS", DURATION, AT(trainer_poll_ms), "30s", 10, HOUR, NULL,
     "How often a fine-tuning job is looked at."},
    {"UPLIFT_TRAINER_TIMEOUT_MS", DURATION, AT(trainer_timeout_ms), "2min", 10, HOUR, NULL,
     "How long one call of the trainer may take; an upload as long as bytes move."},
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

/* Where a value came from: later sources win, and a NAME_FILE of a later source beats an earlier
 * NAME. */
struct source {
    const char *where; /* for complaints; NULL: not given */
    char *text;        /* owned */
    bool is_file;      /* text is a path to read */
};

struct reading {
    struct source sources[OPTION_COUNT];
    const struct config *before; /* for what can no longer be read, or NULL */
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
    const char *nearest = options[0].name;
    *how_far = INT_MAX;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        int d = spelling_distance(name, options[i].name);
        if (d < *how_far) {
            *how_far = d;
            nearest = options[i].name;
        }
    }
    return nearest;
}

/* The option that name (or NAME_FILE) sets, or NULL. */
static const struct config_option *find_option(const char *name, size_t len, bool *is_file)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        size_t known = strlen(options[i].name);
        if (len < known || memcmp(name, options[i].name, known) != 0)
            continue;
        if (len == known) {
            *is_file = false;
            return &options[i];
        }
        if (len == known + 5 && memcmp(name + known, "_FILE", 5) == 0) {
            *is_file = true;
            return &options[i];
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
    struct source *s = &r->sources[o - options];
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
    for (size_t i = 0; i < OPTION_COUNT; i++) {
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
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *o = &options[i];
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
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!is_text_kind(options[i].kind))
            continue;
        char **text = text_at(c, &options[i]);
        if (*text != NULL && is_secret_kind(options[i].kind))
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
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *o = &options[i];
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
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *o = &options[i];
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
