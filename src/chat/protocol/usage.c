/* The figures of what an answer took; see usage.h. */
#include "usage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ABSENT INT64_C(-1)
#define ABSURD INT64_C(-2)

/* As it is told; ABSENT where it is not. */
struct told {
    int64_t prompt, completion, total, reasoning;
    int64_t cached, cache_hit, cache_miss; /* parts of prompt */
    int64_t cache_read, cache_written;     /* Anthropic's, beside its input_tokens */
    bool is_input;                         /* prompt was called input_tokens */
};

/* A figure: some write 12.0. */
static int64_t figure(struct span value)
{
    char text[32], *end;
    if (value.at == NULL || value.len >= sizeof text || *value.at == 'n')
        return ABSENT;
    memcpy(text, value.at, value.len);
    text[value.len] = '\0';
    double number = strtod(text, &end);
    if (end == text || *end != '\0')
        return ABSENT;
    return number >= 0 && number <= (double)(2 * USAGE_MAX) ? (int64_t)floor(number) : ABSURD;
}

static void read_details(struct span details, struct told *t)
{
    struct scan s = scan_open(details);
    struct span key, value;
    while (s.in_object && scan_next(&s, &key, &value)) {
        if (scan_equals(key, "cached_tokens"))
            t->cached = figure(value);
        else if (scan_equals(key, "reasoning_tokens"))
            t->reasoning = figure(value);
    }
}

static void read_member(struct span key, struct span value, struct told *t)
{
    const struct {
        const char *name;
        int64_t *out;
    } names[] = {
        {"prompt_tokens", &t->prompt},
        {"completion_tokens", &t->completion},
        {"output_tokens", &t->completion},
        {"total_tokens", &t->total},
        {"reasoning_tokens", &t->reasoning},
        {"cached_tokens", &t->cached},
        {"num_cached_tokens", &t->cached},
        {"prompt_cache_hit_tokens", &t->cache_hit},
        {"prompt_cache_miss_tokens", &t->cache_miss},
        {"cache_read_input_tokens", &t->cache_read},
        {"cache_creation_input_tokens", &t->cache_written},
    };
    static const char *const details[] = {"prompt_tokens_details", "completion_tokens_details",
                                          "input_tokens_details", "output_tokens_details"};
    if (scan_equals(key, "input_tokens") && t->prompt == ABSENT) {
        t->prompt = figure(value);
        t->is_input = true;
        return;
    }
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++)
        if (scan_equals(key, details[i]))
            read_details(value, t);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (scan_equals(key, names[i].name) && figure(value) != ABSENT) {
            *names[i].out = figure(value);
            t->is_input = t->is_input && names[i].out != &t->prompt;
        }
}

static int64_t or_zero(int64_t figure)
{
    return figure > 0 ? figure : 0;
}

/* Puts parts of the prompt that are told beside it into it, and finds what was read from a cache.
 */
static void settle_prompt(struct told *t)
{
    int64_t beside = or_zero(t->cache_read) + or_zero(t->cache_written);
    if (t->prompt == ABSENT && (t->cache_hit >= 0 || t->cache_miss >= 0))
        t->prompt = or_zero(t->cache_hit) + or_zero(t->cache_miss);
    if (t->prompt >= 0 && beside > 0 &&
        (t->is_input || t->total == t->prompt + or_zero(t->completion) + beside))
        t->prompt += beside;
    if (t->cached < 0)
        t->cached = t->cache_hit >= 0 ? t->cache_hit : t->cache_read;
}

/* Puts reasoning that is told beside the output into it. */
static void settle_completion(struct told *t)
{
    int64_t told = or_zero(t->completion);
    if (t->prompt >= 0 && t->total > t->prompt + told)
        t->completion = t->total - t->prompt;
    else if (t->reasoning > told)
        t->completion = told + t->reasoning;
    if (t->prompt == ABSENT && t->completion >= 0 && t->total >= t->completion)
        t->prompt = t->total - t->completion;
}

bool usage_read(struct span object, struct usage *usage)
{
    struct told t = {.prompt = ABSENT,
                     .completion = ABSENT,
                     .total = ABSENT,
                     .reasoning = ABSENT,
                     .cached = ABSENT,
                     .cache_hit = ABSENT,
                     .cache_miss = ABSENT,
                     .cache_read = ABSENT,
                     .cache_written = ABSENT};
    struct scan s = scan_open(object);
    struct span key, value;
    while (s.in_object && scan_next(&s, &key, &value))
        read_member(key, value, &t);
    settle_prompt(&t);
    settle_completion(&t);
    if (t.prompt == ABSURD || t.completion == ABSURD || t.prompt > USAGE_MAX ||
        t.completion > USAGE_MAX || or_zero(t.prompt) + usage->prompt == 0)
        return false;
    if (t.prompt > 0)
        usage->prompt = t.prompt;
    if (t.completion > 0)
        usage->completion = t.completion;
    if (t.cached > 0)
        usage->cached = t.cached;
    if (usage->cached > usage->prompt)
        usage->cached = usage->prompt;
    return true;
}
