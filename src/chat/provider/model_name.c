/* Names of models and of what they are snapshots of; see model_name.h. */
#include "model_name.h"

#include <stdlib.h>
#include <string.h>

#define MARKS_MAX 4    /* that are taken off a name, one after the other */
#define PREFIXES_MAX 6 /* "a/b/c/" */
#define TUNED "ft:"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int two(const char *digits)
{
    return (digits[0] - '0') * 10 + digits[1] - '0';
}

static bool is_month(const char *digits)
{
    return two(digits) >= 1 && two(digits) <= 12;
}

static bool is_day(const char *digits)
{
    return two(digits) >= 1 && two(digits) <= 31;
}

/* Two digits of a year in which there were such names. */
static bool is_year(const char *digits)
{
    return two(digits) >= 23 && two(digits) <= 39;
}

/* A mark at the end of a name: # is a digit, m, d and y with a # after them a month, a day, a year.
 */
static const char *const marks[] = {
    /* OpenAI, Qwen; Anthropic, Tencent; Doubao, GLM; Cohere; OpenAI, xAI, DeepSeek; Mistral */
    "-20##-m#-d#", "-20##m#d#", "-y#m#d#", "-m#-20##", "-m#d#", "-y#m#",
    /* Gemini's stable versions, and Vertex's of what others make */
    "-0##", "@20##m#d#", "@###", "@default", "@latest", "-latest", ":latest",
    /* Bedrock's versions, with the room they have */
    "-v#:#", "-v#:#:##k", "-v#:#:###k",
    /* OpenRouter's ways to choose a provider; its other variants have prices of their own */
    ":nitro", ":floor", ":exacto", ":online"};

/* How much of a pattern's text one of its characters stands for. */
static bool matches(const char *pattern, const char *at)
{
    for (; *pattern != '\0'; pattern++, at++) {
        bool is_number = pattern[1] == '#' && strchr("mdy", *pattern) != NULL;
        if (is_number && !(is_digit(at[0]) && is_digit(at[1])))
            return false;
        if ((is_number && *pattern == 'm' && !is_month(at)) ||
            (is_number && *pattern == 'd' && !is_day(at)) ||
            (is_number && *pattern == 'y' && !is_year(at)))
            return false;
        if (!is_number && (*pattern == '#' ? !is_digit(*at) : *pattern != *at))
            return false;
    }
    return true;
}

static bool ends_with(const char *name, size_t len, const char *pattern)
{
    size_t n = strlen(pattern);
    return len > n && matches(pattern, name + len - n);
}

/* The length of a Gemini preview's name without its day: gemini-2.5-pro-preview-05-06. */
static size_t without_day(const char *name, size_t len)
{
    static const char *const kinds[] = {"-preview", "-exp"};
    size_t shorter = len > 6 ? len - 6 : 0;
    for (size_t i = 0; i < 2 && ends_with(name, len, "-m#-d#"); i++) {
        size_t n = strlen(kinds[i]);
        if (shorter >= n && memcmp(name + shorter - n, kinds[i], n) == 0)
            return shorter;
    }
    return len;
}

/* Without what follows a text: a deployment (Fireworks), a fine-tuning job (Azure). */
static size_t without_rest(const char *name, size_t len, const char *text)
{
    const char *at = memmem(name, len, text, strlen(text));
    return at != NULL && at > name ? (size_t)(at - name) : len;
}

/* The length of a name without the mark at its end; the same when there is none. */
static size_t without_mark(const char *name, size_t len, bool is_vertex)
{
    size_t shortest = without_day(name, len);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        size_t n = strlen(marks[i]);
        if (ends_with(name, len, marks[i]) && len - n < shortest)
            shortest = len - n;
    }
    if (is_vertex && ends_with(name, len, "-v#") && len - 3 < shortest)
        shortest = len - 3;
    if (shortest == len)
        shortest = without_rest(name, len, ".ft-");
    return shortest;
}

static bool is_tuned_name(const char *at, size_t len)
{
    return len >= strlen(TUNED) && memcmp(at, TUNED, strlen(TUNED)) == 0;
}

static size_t add(struct model_name *out, size_t count, const char *at, size_t len, bool is_tuned)
{
    if (!is_tuned && is_tuned_name(at, len)) {
        is_tuned = true;
        at += strlen(TUNED);
        len -= strlen(TUNED);
    }
    for (size_t i = 0; i < count; i++)
        if (out[i].len == len && out[i].is_tuned == is_tuned && memcmp(out[i].at, at, len) == 0)
            return count;
    if (count < MODEL_NAMES && len > 0)
        out[count++] = (struct model_name){.at = at, .len = len, .is_tuned = is_tuned};
    return count;
}

/* A name, and without each mark at its end. */
static size_t add_all(struct model_name *out, size_t count, const char *at, size_t len,
                      bool is_tuned)
{
    bool is_vertex = memchr(at, '@', len) != NULL;
    count = add(out, count, at, len, is_tuned);
    for (int i = 0; i < MARKS_MAX; i++) {
        size_t shorter = without_mark(at, len, is_vertex);
        if (shorter == len)
            break;
        len = shorter;
        count = add(out, count, at, len, is_tuned);
    }
    return count;
}

/* ft:BASE:organisation:suffix:id has the price of ft:BASE, or else of BASE. */
static size_t add_tuned(struct model_name *out, size_t count, const char *at, size_t len)
{
    const char *base = at + strlen(TUNED);
    const char *colon = memchr(base, ':', len - strlen(TUNED));
    size_t base_len = colon != NULL ? (size_t)(colon - base) : len - strlen(TUNED);
    count = add(out, count, base, len - strlen(TUNED), true);
    count = add_all(out, count, base, base_len, true);
    return add_all(out, count, base, base_len, false);
}

static size_t add_name(struct model_name *out, size_t count, const char *at, size_t len)
{
    if (is_tuned_name(at, len))
        return add_tuned(out, count, at, len);
    return add_all(out, count, at, len, false);
}

static int best_first(const void *a, const void *b)
{
    const struct model_name *x = a, *y = b;
    if (x->is_tuned != y->is_tuned)
        return x->is_tuned ? -1 : 1;
    return x->len > y->len ? -1 : x->len < y->len;
}

size_t model_names(const char *model, struct model_name out[MODEL_NAMES])
{
    size_t count = 0, len = without_rest(model, strlen(model), "#");
    const char *at = model, *end = model + len;
    if (model[len] != '\0')
        count = add(out, count, model, strlen(model), false);
    count = add_name(out, count, at, len);
    for (int i = 0; i < PREFIXES_MAX; i++) { /* of who runs it: openai/, models/ */
        const char *slash = memchr(at, '/', (size_t)(end - at));
        if (slash == NULL)
            break;
        at = slash + 1;
        count = add_name(out, count, at, (size_t)(end - at));
    }
    for (int i = 0; i < 2; i++) { /* Bedrock's region and vendor: us.anthropic. */
        size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789");
        if (i == 0 && n > 0 && at[n] == '-')
            n += 1 + strspn(at + n + 1, "abcdefghijklmnopqrstuvwxyz");
        if (n == 0 || at + n >= end || at[n] != '.')
            break;
        at += n + 1;
        count = add_name(out, count, at, (size_t)(end - at));
    }
    qsort(out, count, sizeof *out, best_first);
    return count;
}

int model_name_compare(const struct model_name *name, const char *text)
{
    if (name->is_tuned) {
        int order = strncmp(TUNED, text, strlen(TUNED));
        if (order != 0)
            return order;
        text += strlen(TUNED);
    }
    int order = strncmp(name->at, text, name->len);
    return order != 0 ? order : text[name->len] == '\0' ? 0 : -1;
}
