/*
 * load: sends chats to a server, at a fixed rate or so many open at once, and prints what came back
 * as one JSON object. Each second it prints how many are open, as JSON, too.
 *
 *   load --url URL --body FILE [--header "Name: value"]... [--turns FILE] --expect TEXT
 *        (--rate PER_SECOND | --open CHATS --ramp SECONDS) --seconds SECONDS
 *
 * --rate starts a chat at each tick of a clock, whether or not those before are answered, and
 * counts from the tick: a server that falls behind cannot hide it. --open starts so many, spread
 * over the ramp, and starts each anew when it ends. A chat is whole when its status is 200 and its
 * body has TEXT near its end. The file of --turns has a header a line, which chats have in turn
 * besides the others.
 *
 * Times of tokens: a provider that writes "SECONDS.MILLIS " into each token (nginx's $msec) lets
 * the difference to the clock here be the token's way through everything in between.
 */
#include "chat/provider/multi.h"
#include "common/clock.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 64
#define STAMP 14 /* 10 digits, a point, 3 digits */
#define LINGER_MS 15000

struct series {
    double *values;
    size_t count, cap;
};

struct chat {
    CURL *easy;
    int64_t due_us; /* when it was to start */
    char tail[2 * TAIL];
    size_t tail_len;
    bool has_begun, has_expected;
    struct chat *next; /* among the idle */
};

static struct {
    const char *url, *expect;
    char *body;
    size_t body_len;
    struct curl_slist *headers;
    struct curl_slist **turns; /* the headers, and one that takes turns with others */
    long turn_count;
    double rate, seconds, ramp;
    long open;
} asked;

static struct multi multi;
static uv_loop_t loop;
static uv_timer_t ticker, reporter;
static struct chat *idle;
static int64_t began_us;
static long started, ended, whole, tokens;
static struct series first, total, lag;
static char first_error[256];

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static void add(struct series *s, double value)
{
    if (s->count == s->cap) {
        s->cap = s->cap > 0 ? 2 * s->cap : 4096;
        s->values = realloc(s->values, s->cap * sizeof *s->values);
        if (s->values == NULL)
            die("out of memory");
    }
    s->values[s->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorted by print_series: the nearest rank. */
static double quantile(const struct series *s, double q)
{
    if (s->count == 0)
        return 0;
    size_t rank = (size_t)ceil(q * (double)s->count);
    return s->values[rank > 0 ? rank - 1 : 0];
}

static void print_series(const char *name, struct series *s)
{
    qsort(s->values, s->count, sizeof *s->values, by_value);
    printf(",\"%s\":{\"count\":%zu,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name, s->count,
           quantile(s, 0.5), quantile(s, 0.99), quantile(s, 1));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The tokens of a piece of an answer. One whose stamp two pieces share is not counted. */
static void read_tokens(const char *data, size_t len)
{
    double now = (double)clock_wall_us() / 1e6;
    for (size_t i = 10; i + 4 < len; i++) {
        if (data[i] != '.' || data[i + 4] != ' ' || !is_digit(data[i - 1]) ||
            !is_digit(data[i + 1]))
            continue;
        char stamp[STAMP + 1];
        memcpy(stamp, data + i - 10, STAMP);
        stamp[STAMP] = '\0';
        char *end;
        double sent = strtod(stamp, &end);
        if (*end != '\0' || sent < 1e9)
            continue;
        tokens++;
        add(&lag, (now - sent) * 1000);
    }
}

static void look_for_end(struct chat *c, const char *data, size_t len)
{
    size_t kept = c->tail_len < TAIL ? c->tail_len : TAIL;
    size_t more = len < TAIL ? len : TAIL;
    char seam[2 * TAIL];
    if (asked.expect == NULL || c->has_expected)
        return;
    memcpy(seam, c->tail, kept);
    memcpy(seam + kept, data, more);
    c->has_expected = memmem(seam, kept + more, asked.expect, strlen(asked.expect)) != NULL ||
                      memmem(data, len, asked.expect, strlen(asked.expect)) != NULL;
    if (len >= TAIL) {
        memcpy(c->tail, data + len - TAIL, TAIL);
        c->tail_len = TAIL;
    } else {
        size_t keep = kept + more < TAIL ? kept + more : TAIL;
        memmove(c->tail, seam + kept + more - keep, keep);
        c->tail_len = keep;
    }
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct chat *c = arg;
    size_t len = size * count;
    if (!c->has_begun) {
        c->has_begun = true;
        add(&first, (double)(now_us() - c->due_us) / 1000);
    }
    read_tokens(data, len);
    look_for_end(c, data, len);
    return len;
}

static struct chat *new_chat(void)
{
    struct chat *c = calloc(1, sizeof *c);
    CURL *e = curl_easy_init();
    if (c == NULL || e == NULL || !multi_prepare(&multi, e))
        die("out of memory");
    c->easy = e;
    curl_easy_setopt(e, CURLOPT_URL, asked.url);
    curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, asked.headers);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, asked.body);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)asked.body_len);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    return c;
}

static void start(int64_t due_us)
{
    struct chat *c = idle != NULL ? idle : new_chat();
    if (c == idle)
        idle = c->next;
    c->due_us = due_us;
    c->tail_len = 0;
    c->has_begun = c->has_expected = false;
    if (asked.turn_count > 0)
        curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, asked.turns[started % asked.turn_count]);
    if (!multi_add(&multi, c->easy))
        die("cannot start a transfer");
    started++;
}

static bool time_is_over(void)
{
    return now_us() - began_us >= (int64_t)(asked.seconds * 1e6);
}

static void on_done(void *arg, CURL *easy, CURLcode code)
{
    struct chat *c;
    long status = 0;
    (void)arg;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &c);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    ended++;
    if (code == CURLE_OK && status == 200 && (asked.expect == NULL || c->has_expected)) {
        whole++;
        add(&total, (double)(now_us() - c->due_us) / 1000);
    } else if (first_error[0] == '\0') {
        snprintf(first_error, sizeof first_error, "status %ld, %s%s", status,
                 curl_easy_strerror(code), c->has_expected ? "" : ", no end");
    }
    c->next = idle;
    idle = c;
    if (asked.open > 0 && !time_is_over())
        start(now_us());
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    double elapsed = (double)(now_us() - began_us) / 1e6;
    double per_second = asked.open > 0 ? (double)asked.open / asked.ramp : asked.rate;
    double wanted = fmin(elapsed, asked.seconds) * per_second;
    if (asked.open > 0) {
        static long begun;
        for (; begun < asked.open && begun < (long)wanted + 1; begun++)
            start(now_us());
    } else {
        for (; (double)started < wanted;)
            start(began_us + (int64_t)((double)started / per_second * 1e6));
    }
    bool late = elapsed * 1000 > asked.seconds * 1000 + LINGER_MS;
    if (time_is_over() && (ended == started || late))
        uv_stop(&loop);
}

static void on_report(uv_timer_t *timer)
{
    (void)timer;
    printf("{\"open\":%ld,\"tokens\":%ld}\n", started - ended, tokens);
    fflush(stdout);
}

static void read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    asked.body = malloc(1 << 20);
    if (file == NULL || asked.body == NULL)
        die("cannot read the body");
    asked.body_len = fread(asked.body, 1, 1 << 20, file);
    fclose(file);
}

/* After all other options. */
static void read_turns(const char *name)
{
    char line[4096];
    FILE *file = fopen(name, "r");
    if (file == NULL)
        die("cannot read the headers that take turns");
    while (fgets(line, sizeof line, file) != NULL) {
        struct curl_slist *list = NULL, *more;
        line[strcspn(line, "\n")] = '\0';
        for (more = asked.headers; more != NULL; more = more->next)
            list = curl_slist_append(list, more->data);
        asked.turns = realloc(asked.turns, (size_t)(asked.turn_count + 1) * sizeof *asked.turns);
        if (asked.turns == NULL || (list = curl_slist_append(list, line)) == NULL)
            die("out of memory");
        asked.turns[asked.turn_count++] = list;
    }
    fclose(file);
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},     {"body", required_argument, NULL, 'b'},
        {"header", required_argument, NULL, 'h'},  {"turns", required_argument, NULL, 't'},
        {"expect", required_argument, NULL, 'e'},  {"rate", required_argument, NULL, 'r'},
        {"open", required_argument, NULL, 'o'},    {"ramp", required_argument, NULL, 'p'},
        {"seconds", required_argument, NULL, 's'}, {NULL, 0, NULL, 0},
    };
    const char *turns = NULL;
    asked.ramp = 1;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'u':
            asked.url = optarg;
            break;
        case 'b':
            read_file(optarg);
            break;
        case 'h':
            asked.headers = curl_slist_append(asked.headers, optarg);
            break;
        case 't':
            turns = optarg;
            break;
        case 'e':
            asked.expect = optarg;
            break;
        case 'r':
            asked.rate = strtod(optarg, NULL);
            break;
        case 'o':
            asked.open = strtol(optarg, NULL, 10);
            break;
        case 'p':
            asked.ramp = strtod(optarg, NULL);
            break;
        case 's':
            asked.seconds = strtod(optarg, NULL);
            break;
        default:
            exit(2);
        }
    }
    if (turns != NULL)
        read_turns(turns);
    if (asked.url == NULL || asked.body == NULL || asked.seconds <= 0 || asked.ramp <= 0 ||
        (asked.rate > 0) == (asked.open > 0))
        die("wanted: --url, --body, --seconds, and --rate or --open; see the top of load.c");
}

int main(int argc, char **argv)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    read_options(argc, argv);
    uv_loop_init(&loop);
    if (!multi_open(&multi, &(const struct config){.allow_addresses = NULL}, &loop, 20000, on_done,
                    NULL))
        return 1;
    uv_timer_init(&loop, &ticker);
    uv_timer_init(&loop, &reporter);
    began_us = now_us();
    uv_timer_start(&ticker, on_tick, 0, 1);
    uv_timer_start(&reporter, on_report, 1000, 1000);
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("{\"started\":%ld,\"whole\":%ld,\"failed\":%ld,\"unfinished\":%ld,\"tokens\":%ld,"
           "\"seconds\":%.3f,\"error\":\"%s\"",
           started, whole, ended - whole, started - ended, tokens,
           (double)(now_us() - began_us) / 1e6, first_error);
    print_series("first_ms", &first);
    print_series("total_ms", &total);
    print_series("lag_ms", &lag);
    puts("}");
    return 0; /* the kernel takes back connections and memory */
}
