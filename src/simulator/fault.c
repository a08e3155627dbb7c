/* Faults on demand: reading what is asked for, and counting those that pass by themselves. */
#include "fault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "sim-fault-"
#define FLAP_KEYS 1024
#define STATUS_NAME "status-"

static const struct fault_name {
    const char *name;
    enum fault_kind kind;
    const char *help;
} names[] = {
    {"reset", FAULT_RESET, "closes the connection before any byte of the answer"},
    {"silence", FAULT_SILENCE, "accepts the request and never answers"},
    {"slow-first-token", FAULT_SLOW_FIRST_TOKEN, "head at once, first token after ;ms=3000"},
    {"stall", FAULT_STALL, "stops after ;after=5 tokens and stays silent"},
    {"cut", FAULT_CUT, "closes the connection after ;after=5 tokens"},
    {"end", FAULT_END, "ends the body after ;after=5 tokens without finish_reason or [DONE]"},
    {"error", FAULT_ERROR, "an error event after ;after=5 tokens"},
    {"malformed-chunk", FAULT_MALFORMED, "a chunk that is not JSON after ;after=5 tokens"},
    {"no-done", FAULT_NO_DONE, "the whole answer, but no [DONE]"},
    {"context-length", FAULT_STATUS, "400 context_length_exceeded"},
    {"content-filter", FAULT_CONTENT_FILTER,
     "finish_reason content_filter after ;after=5 tokens, or with ;status=400 that error"},
    {"flap", FAULT_STATUS,
     "fails ;times=2 times with ;status=503, then works; counted by the header X-Sim-Flap-Key, "
     "else by the last message"},
    {"long", FAULT_LONG, "an answer of ;bytes=4194304"},
    {"short-vectors", FAULT_SHORT_VECTORS, "embeddings of one number less than they should have"},
    {"fewer-vectors", FAULT_FEWER_VECTORS, "one embedding less than there are texts"},
};

void fault_help(FILE *out)
{
    fprintf(out, "  %-18s %s\n", "status-NNN",
            "that status, with ;retry-after=SECONDS and ;code=CODE");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        fprintf(out, "  %-18s %s\n", names[i].name, names[i].help);
    fprintf(out, "  %-18s %s\n", "any of them", "takes ;pace=MS between tokens");
}

/* The number after ";name=" in parameters, else the fallback. */
static double number(const char *parameters, const char *name, double fallback)
{
    size_t len = strlen(name);
    for (const char *p = strchr(parameters, ';'); p; p = strchr(p, ';')) {
        p++;
        if (strncmp(p, name, len) == 0 && p[len] == '=') {
            char *end;
            double value = strtod(p + len + 1, &end);
            return end > p + len + 1 && value >= 0 && value < 1e12 ? value : fallback;
        }
    }
    return fallback;
}

static void text(const char *parameters, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);
    for (const char *p = strchr(parameters, ';'); p; p = strchr(p, ';')) {
        p++;
        if (strncmp(p, name, len) == 0 && p[len] == '=') {
            p += len + 1;
            snprintf(out, size, "%.*s", (int)strcspn(p, ";"), p);
            return;
        }
    }
}

static const char *default_code(int status)
{
    switch (status) {
    case 401:
        return "invalid_api_key";
    case 404:
        return "model_not_found";
    case 429:
        return "rate_limit_exceeded";
    case 503:
        return "server_is_overloaded";
    default:
        return "";
    }
}

static void simulated_error(struct fault *f, const char *parameters, int status, const char *code)
{
    api_error(&f->error, status, code, NULL, "simulated fault: %s",
              code[0] ? code : api_status_text(status));
    text(parameters, "code", f->error.code, sizeof f->error.code);
    if (strcmp(f->error.code, "insufficient_quota") == 0)
        f->error.type = "insufficient_quota";
    f->error.retry_after_ms = (int64_t)(number(parameters, "retry-after", 0) * 1000);
}

bool fault_read(const char *model, const char *header, struct fault *out, struct api_error *error)
{
    const char *spec = header;
    *out = (struct fault){.pace_ms = -1};
    if (spec == NULL && model && strncmp(model, PREFIX, strlen(PREFIX)) == 0)
        spec = model + strlen(PREFIX);
    if (spec == NULL)
        return true;
    size_t len = strcspn(spec, ";");
    const char *parameters = spec + len;
    out->after = (int64_t)number(parameters, "after", 5);
    out->ms = (int64_t)number(parameters, "ms", 3000);
    out->bytes = (int64_t)number(parameters, "bytes", 4 << 20);
    out->times = (int64_t)number(parameters, "times", 2);
    out->pace_ms = (int64_t)number(parameters, "pace", -1);
    if (strncmp(spec, STATUS_NAME, strlen(STATUS_NAME)) == 0) {
        int status = (int)strtol(spec + strlen(STATUS_NAME), NULL, 10);
        if (status >= 400 && status <= 599) {
            out->kind = FAULT_STATUS;
            simulated_error(out, parameters, status, default_code(status));
            return true;
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) != len || strncmp(spec, names[i].name, len) != 0)
            continue;
        out->kind = names[i].kind;
        out->flaps = strncmp(spec, "flap", len) == 0;
        int status = (int)number(parameters, "status", out->flaps ? 503 : 0);
        if (strncmp(spec, "context-length", len) == 0) {
            simulated_error(out, parameters, 400, "context_length_exceeded");
            snprintf(out->error.param, sizeof out->error.param, "messages");
        } else if (status >= 400 && status <= 599) {
            bool filter = out->kind == FAULT_CONTENT_FILTER;
            simulated_error(out, parameters, status,
                            filter ? "content_filter" : default_code(status));
            out->kind = FAULT_STATUS;
        } else if (out->kind == FAULT_ERROR) {
            simulated_error(out, parameters, 500, "server_error");
        }
        return true;
    }
    return api_error(error, 400, "unknown_fault", header ? "X-Sim-Fault" : "model",
                     "there is no simulated fault \"%.*s\"; fcgi-simulator --help lists them",
                     (int)len, spec);
}

bool fault_flap_fails(const char *key, int64_t times)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        uint64_t hash;
        int64_t calls;
    } counts[FLAP_KEYS];
    static size_t used;
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const char *p = key; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < used && counts[i].hash != hash)
        i++;
    if (i == used && used < FLAP_KEYS)
        counts[used++].hash = hash;
    bool fails = i < FLAP_KEYS && counts[i].calls++ < times;
    pthread_mutex_unlock(&lock);
    return fails;
}
