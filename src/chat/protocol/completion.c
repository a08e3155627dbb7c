/* Reads a provider's chat completion; see completion.h. */
#include "completion.h"

#include <string.h>
#include <strings.h>

/* --- finish_reason --- */

/* What others call OpenAI's reasons; those that mean a failure are mapped to "error". */
static const struct {
    const char *theirs, *name;
} finish_names[] = {
    {"stop", "stop"},
    {"length", "length"},
    {"tool_calls", "tool_calls"},
    {"content_filter", "content_filter"},
    {"eos", "stop"}, /* Together, TGI */
    {"eos_token", "stop"},
    {"end_turn", "stop"}, /* Anthropic */
    {"stop_sequence", "stop"},
    {"complete", "stop"}, /* Cohere */
    {"completed", "stop"},
    {"max_tokens", "length"},
    {"model_length", "length"}, /* Mistral */
    {"model_context_window_exceeded", "length"},
    {"tool_use", "tool_calls"},
    {"tool-calls", "tool_calls"},
    {"tool_call", "tool_calls"},
    {"content-filter", "content_filter"},
    {"safety", "content_filter"}, /* Gemini */
    {"recitation", "content_filter"},
    {"prohibited_content", "content_filter"},
    {"blocklist", "content_filter"},
    {"sensitive", "content_filter"},           /* Zhipu */
    {"refusal", "content_filter"},             /* Anthropic */
    {"error", "error"},                        /* OpenRouter, Mistral */
    {"network_error", "error"},                /* Zhipu */
    {"insufficient_system_resource", "error"}, /* DeepSeek */
    {"engine_overloaded", "error"},
    {"failed", "error"},
    {"abort", "error"}, /* vLLM, SGLang */
    {"null", ""},       /* DashScope, before the end */
};

/* True when it can stay as it is: a name that OpenAI has or that is not known, or null. */
static bool read_finish(struct completion *c, struct span value)
{
    if (!scan_is_string(value) || value.len <= 2)
        return value.at == NULL || scan_is(value, "null");
    scan_copy(value, c->finish, sizeof c->finish);
    for (size_t i = 0; i < sizeof finish_names / sizeof finish_names[0]; i++) {
        if (strcasecmp(finish_names[i].theirs, c->finish) != 0)
            continue;
        bool is_same = strcmp(finish_names[i].name, c->finish) == 0;
        memcpy(c->finish, finish_names[i].name, strlen(finish_names[i].name) + 1);
        return is_same;
    }
    return true;
}

/* --- messages --- */

static void read_content(struct completion *c, struct span value)
{
    struct content pieces = content_open(value);
    enum content_kind kind;
    struct span piece;
    c->content = value;
    c->is_plain = scan_is_string(value) || !scan_says_something(value);
    while (content_next(&pieces, &kind, &piece)) {
        if (kind == CONTENT_TEXT)
            c->says_text = true;
        else
            c->says_more = true;
    }
}

static void read_message(struct completion *c, struct span message)
{
    struct scan s = scan_open(message);
    struct span key, value;
    c->message = message;
    c->content = c->refusal = (struct span){0};
    c->says_text = c->says_more = false;
    c->is_plain = true;
    while (s.in_object && scan_next(&s, &key, &value)) {
        if (scan_equals(key, "role") || !scan_says_something(value))
            continue;
        if (scan_equals(key, "content")) {
            read_content(c, value);
            continue;
        }
        if (scan_equals(key, "refusal") && scan_is_string(value))
            c->refusal = value;
        /* Flags and numbers are about the message. */
        c->says_more |= scan_is_string(value) || scan_is_object(value) || scan_is_array(value);
    }
}

/* What a choice has, by its keys. */
struct choice_members {
    struct span index, delta, message, text, finish, usage, error;
};

static struct choice_members choice_members(struct span choice)
{
    struct choice_members m = {.index = {0}};
    struct scan s = scan_open(choice);
    struct span key, value;
    while (s.in_object && scan_next(&s, &key, &value)) {
        if (scan_equals(key, "index"))
            m.index = value;
        else if (scan_equals(key, "delta"))
            m.delta = value;
        else if (scan_equals(key, "message"))
            m.message = value;
        else if (scan_equals(key, "finish_reason"))
            m.finish = value;
        else if (scan_equals(key, "text"))
            m.text = value;
        else if (scan_equals(key, "usage"))
            m.usage = value;
        else if (scan_equals(key, "error"))
            m.error = value;
    }
    return m;
}

/* Takes the choice's words from where they are. True when that is where OpenAI has them. */
static bool read_words(struct completion *c, const struct choice_members *m,
                       enum completion_form form)
{
    bool is_chunk = form == COMPLETION_CHUNK;
    struct span first = is_chunk ? m->delta : m->message;
    struct span second = is_chunk ? m->message : m->delta;
    read_message(c, first);
    if (c->says_text || c->says_more)
        return c->is_plain && second.at == NULL;
    if (scan_is_object(second)) {
        read_message(c, second);
        if (c->says_text || c->says_more) {
            c->is_snapshot = is_chunk;
            return false;
        }
    }
    read_message(c, scan_is_object(first) ? first : (struct span){0});
    if (scan_is_string(m->text) && m->text.len > 2) { /* completions of the older API */
        read_content(c, m->text);
        return false;
    }
    return c->is_plain && scan_is_object(first) && second.at == NULL;
}

/* Whether a value is an object with a member that says something, a text, or true. */
static bool is_error(struct span value)
{
    struct scan s = scan_open(value);
    struct span member;
    if (scan_is_string(value))
        return value.len > 2;
    if (scan_is_array(value))
        return scan_says_something(value);
    while (scan_next(&s, NULL, &member))
        if (scan_says_something(member) && !scan_is(member, "0") && !scan_is(member, "false"))
            return true;
    return scan_is(value, "true");
}

/* Whether the choice has what is required of it. */
static bool read_choice(struct completion *c, struct span choice, enum completion_form form)
{
    if (!scan_is_object(choice))
        return false;
    struct choice_members m = choice_members(choice);
    bool is_sound = scan_is(m.index, "0") && m.finish.at != NULL;
    c->choice = choice;
    is_sound = read_words(c, &m, form) && is_sound;
    is_sound = read_finish(c, m.finish) && is_sound;
    if (scan_is_object(m.usage) && c->usage.at == NULL)
        c->usage = m.usage;
    if (is_error(m.error) && c->error.at == NULL)
        c->error = m.error;
    return is_sound;
}

/* --- the whole --- */

/* Words where an answer should be: {"detail": ...}, {"code": ..., "msg": ...}, ... */
static bool has_words_only(struct span whole, struct span choices)
{
    static const char *const names[] = {"detail", "errors", "msg", "error_msg", "error_message"};
    if (scan_says_something(choices))
        return false;
    if (scan_is_string(scan_member(whole, "message")))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (scan_says_something(scan_member(whole, names[i])))
            return true;
    return false;
}

/* MiniMax answers 200 with {"base_resp":{"status_code":1008,"status_msg":"..."}}. */
static bool is_bad_status(struct span base_resp)
{
    struct span code = scan_member(base_resp, "status_code");
    return code.at != NULL && !scan_is(code, "0") && !scan_is(code, "null");
}

struct top_members {
    struct span choices, error, object, base_resp, usage, x_groq;
    int required; /* of OpenAI's schema */
};

static struct top_members read_top(struct completion *c)
{
    struct top_members t = {.required = 0};
    struct scan s = scan_open(c->whole);
    struct span key, value;
    while (scan_next(&s, &key, &value)) {
        if (scan_equals(key, "choices") && scan_is_array(value)) {
            t.choices = value;
            t.required++;
        } else if (scan_equals(key, "model") && scan_is_string(value)) {
            c->model = value;
            t.required++;
        } else if (scan_equals(key, "object") && scan_is_string(value)) {
            t.object = value;
            t.required++;
        } else if (scan_equals(key, "created") && !scan_is(value, "null")) {
            t.required++;
        } else if (scan_equals(key, "usage") && scan_is_object(value)) {
            t.usage = value;
        } else if (scan_equals(key, "error")) {
            t.error = value;
        } else if (scan_equals(key, "base_resp")) {
            t.base_resp = value;
        } else if (scan_equals(key, "x_groq")) {
            t.x_groq = value;
        }
    }
    return t;
}

static void find_error(struct completion *c, const struct top_members *t)
{
    if (scan_is(t->error, "true"))
        c->error = c->whole;
    else if (is_error(t->error))
        c->error = t->error;
    else if (scan_is(t->object, "\"error\"") || scan_is(t->object, "\"Error\"") ||
             has_words_only(c->whole, t->choices))
        c->error = c->whole;
    else if (is_bad_status(t->base_resp) && !c->says_text && !c->says_more)
        c->error = t->base_resp;
    c->has_failed = c->error.at != NULL || strcmp(c->finish, "error") == 0;
}

/* The first choice with index 0 or none; where there is none, the first. */
static struct span find_choice(struct completion *c, struct span choices)
{
    struct scan s = scan_open(choices);
    struct span choice, found = {0};
    while (scan_next(&s, NULL, &choice)) {
        c->choices++;
        if (found.at == NULL || (scan_count(scan_member(found, "index"), 0) != 0 &&
                                 scan_count(scan_member(choice, "index"), 0) == 0))
            found = choice;
    }
    return found;
}

bool completion_read(struct completion *c, const char *text, size_t len, enum completion_form form)
{
    *c = (struct completion){.form = form, .is_plain = true};
    if (!scan_check(text, len, &c->whole) || !scan_is_object(c->whole))
        return false;
    struct top_members t = read_top(c);
    c->usage = t.usage;
    c->is_sound = t.required == 4;
    struct span choice = find_choice(c, t.choices);
    if (c->choices > 0)
        c->is_sound = read_choice(c, choice, form) && c->is_sound && c->choices == 1;
    if (c->usage.at == NULL && scan_is_object(scan_member(t.x_groq, "usage")))
        c->usage = scan_member(t.x_groq, "usage");
    find_error(c, &t);
    return true;
}
