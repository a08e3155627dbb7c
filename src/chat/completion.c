/* Reads a provider's chat completion; see completion.h. */
#include "completion.h"

#include <string.h>

static bool key_is(struct span key, const char *name)
{
    size_t len = strlen(name);
    return key.len == len + 2 && memcmp(key.at + 1, name, len) == 0;
}

static void read_message(struct completion *c, struct span message)
{
    struct scan s = scan_open(message);
    struct span key, value;
    if (!scan_is_object(message))
        return;
    c->message = message;
    while (scan_next(&s, &key, &value)) {
        if (key_is(key, "role"))
            continue;
        if (key_is(key, "content")) {
            if (scan_is_string(value))
                c->content = value;
            continue;
        }
        if (!scan_says_something(value))
            continue;
        if (key_is(key, "refusal") && scan_is_string(value))
            c->refusal = value;
        c->says_more = true;
    }
}

/* Whether the choice has what is required of it. The first with index 0 or none is taken. */
static bool read_choice(struct completion *c, struct span choice)
{
    struct scan s = scan_open(choice);
    struct span key, value, index = {0}, message = {0}, finish = {0};
    if (!scan_is_object(choice))
        return false;
    while (scan_next(&s, &key, &value)) {
        if (key_is(key, "index"))
            index = value;
        else if (key_is(key, "delta") || key_is(key, "message"))
            message = value;
        else if (key_is(key, "finish_reason"))
            finish = value;
    }
    if (c->choice.at == NULL && scan_count(index, 0) == 0) {
        c->choice = choice;
        read_message(c, message);
        if (scan_is_string(finish) && finish.len > 2)
            c->finish_reason = finish;
    }
    return scan_count(index, -1) >= 0 && scan_is_object(message) && finish.at != NULL;
}

bool completion_read(struct completion *c, const char *text, size_t len)
{
    struct span key, value, choices = {0};
    int required = 0;
    *c = (struct completion){0};
    if (!scan_check(text, len, &c->whole) || !scan_is_object(c->whole))
        return false;
    struct scan s = scan_open(c->whole);
    while (scan_next(&s, &key, &value)) {
        if (key_is(key, "choices") && scan_is_array(value)) {
            choices = value;
            required++;
        } else if (key_is(key, "model") && scan_is_string(value)) {
            c->model = value;
            required++;
        } else if (key_is(key, "usage") && scan_is_object(value)) {
            c->usage = value;
        } else if (key_is(key, "error") && scan_says_something(value)) {
            c->error = value;
        } else if ((key_is(key, "object") && scan_is_string(value)) ||
                   (key_is(key, "created") && !scan_is(value, "null"))) {
            required++;
        }
    }
    c->is_sound = required == 4;
    s = scan_open(choices);
    while (scan_next(&s, NULL, &value)) {
        c->choices++;
        c->is_sound = read_choice(c, value) && c->is_sound;
    }
    return true;
}

void completion_usage(struct span usage, int64_t *prompt, int64_t *completion, int64_t *cached)
{
    struct scan s = scan_open(usage);
    struct span key, value;
    while (s.in_object && scan_next(&s, &key, &value)) {
        if (key_is(key, "prompt_tokens"))
            *prompt = scan_count(value, *prompt);
        else if (key_is(key, "completion_tokens"))
            *completion = scan_count(value, *completion);
        else if (key_is(key, "prompt_tokens_details"))
            *cached = scan_count(scan_member(value, "cached_tokens"), *cached);
    }
}
