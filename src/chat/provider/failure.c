/* What a provider's failure means; see failure.h. */
#include "failure.h"

#include "words.h"

#include <stdio.h>
#include <string.h>

enum meaning {
    M_FAILED,
    M_DOWN,
    M_TIMEOUT,
    M_KEY,       /* our key is not good */
    M_FORBIDDEN, /* our key may not do this */
    M_CREDIT,    /* our account has no credit left */
    M_BUSY,
    M_NO_MODEL,
    M_TOO_LONG,
    M_TOO_LARGE,
    M_REFUSED,
    M_STRANGE, /* a status that says nothing */
};

/* --- names: codes and types --- */

static const struct name {
    const char *name;
    enum meaning meaning;
    bool is_vague; /* the words may say more */
} names[] = {
    {"context_length_exceeded", M_TOO_LONG, false},       /* OpenAI, Groq */
    {"exceed_context_size_error", M_TOO_LONG, false},     /* llama.cpp */
    {"model_context_window_exceeded", M_TOO_LONG, false}, /* Zhipu */
    {"ContextWindowExceededError", M_TOO_LONG, false},    /* LiteLLM */
    {"content_filter", M_REFUSED, false},
    {"content_policy_violation", M_REFUSED, false},
    {"invalid_prompt", M_REFUSED, false},
    {"data_inspection_failed", M_REFUSED, false}, /* DashScope */
    {"DataInspectionFailed", M_REFUSED, false},
    {"model_not_found", M_NO_MODEL, false},
    {"invalid_model", M_NO_MODEL, false}, /* Mistral */
    {"model_decommissioned", M_NO_MODEL, false},
    {"DeploymentNotFound", M_NO_MODEL, false}, /* Azure */
    {"insufficient_quota", M_CREDIT, false},
    {"billing_hard_limit_reached", M_CREDIT, false},
    {"billing_not_active", M_CREDIT, false},
    {"billing_error", M_CREDIT, false}, /* Anthropic */
    {"insufficient_balance", M_CREDIT, false},
    {"insufficient_user_quota", M_CREDIT, false},      /* One API */
    {"exceeded_current_quota_error", M_CREDIT, false}, /* Moonshot */
    {"Arrearage", M_CREDIT, false},                    /* DashScope */
    {"invalid_api_key", M_KEY, false},
    {"InvalidApiKey", M_KEY, false},
    {"account_deactivated", M_KEY, false},
    {"authentication_error", M_KEY, false},
    {"invalid_authentication_error", M_KEY, false},
    {"AuthenticationError", M_KEY, false},
    {"UNAUTHENTICATED", M_KEY, false},
    {"rate_limit_exceeded", M_BUSY, false},
    {"rate_limit_error", M_BUSY, false},
    {"rate_limit_reached_error", M_BUSY, false}, /* Moonshot */
    {"RateLimitError", M_BUSY, false},
    {"RESOURCE_EXHAUSTED", M_BUSY, false}, /* Gemini */
    {"too_many_requests", M_BUSY, false},
    {"Throttling", M_BUSY, false}, /* DashScope */
    {"requests", M_BUSY, false},   /* types of OpenAI's rate limits */
    {"tokens", M_BUSY, false},
    {"invalid_request_error", M_REFUSED, true},
    {"bad_request_error", M_REFUSED, true},
    {"BadRequestError", M_REFUSED, true},
    {"INVALID_ARGUMENT", M_REFUSED, true},
    {"not_found_error", M_NO_MODEL, true},
    {"NotFoundError", M_NO_MODEL, true},
    {"NOT_FOUND", M_NO_MODEL, true},
};

static const struct name *find_name(const char *text, bool is_vague)
{
    for (size_t i = 0; *text != '\0' && i < sizeof names / sizeof names[0]; i++)
        if (names[i].is_vague == is_vague && strcmp(names[i].name, text) == 0)
            return &names[i];
    return NULL;
}

static const struct name *named(const struct words *w, bool is_vague)
{
    const struct name *found = find_name(w->code, is_vague);
    return found != NULL ? found : find_name(w->type, is_vague);
}

/* --- phrases --- */

static bool says_any(const struct words *w, const char *const *phrases)
{
    for (; *phrases != NULL; phrases++)
        if (words_say(w, *phrases))
            return true;
    return false;
}

/* As the servers have them in their sources or were seen to answer; OpenAI has a code besides. */
static bool says_too_long(const struct words *w)
{
    static const char *const limits[] = {"rate limit", "too many requests", "per minute", "per min",
                                         "(tpm)",      "please wait",       NULL};
    static const char *const phrases[] = {
        "maximum context length",       /* OpenAI, vLLM, DeepSeek, Mistral, OpenRouter, SGLang */
        "exceeds the context window",   /* OpenAI */
        "context window exceeds limit", /* MiniMax */
        "context window limit",         /* Cloudflare */
        "context length exceeded",      /* and with underscores: gateways */
        "context_length_exceeded",
        "exceeds the available context",          /* llama.cpp */
        "greater than the context length",        /* LM Studio */
        "longer than the model's context length", /* Together, SGLang */
        "exceeded max context length",            /* Ollama */
        "exceeds context length",
        "exceeds max_seq_len",
        "maximum prompt length",                    /* xAI */
        "prompt is too long",                       /* Anthropic, Fireworks */
        "prompt too long",                          /* Ollama */
        "exceed context limit",                     /* Anthropic, with max_tokens */
        "input is too long for requested model",    /* Bedrock */
        "input token count",                        /* Gemini */
        "prompt token count",                       /* GitHub */
        "exceeds the maximum number of tokens",     /* Gemini */
        "exceeds the maximum allowed input length", /* Poolside */
        "exceeded model token limit",               /* Moonshot */
        "reduce the length of the messages",        /* Groq */
        "tokens + `max_new_tokens` must be",        /* TGI */
        "`inputs` must have less than",             /* TGI */
        "range of input length should be",          /* DashScope */
        "too many tokens",                          /* Cohere */
        NULL};
    return says_any(w, phrases) && !says_any(w, limits);
}

static bool says_no_credit(const struct words *w)
{
    static const char *const phrases[] = {"credit balance is too low",  /* Anthropic */
                                          "insufficient balance",       /* DeepSeek, MiniMax */
                                          "insufficient credits",       /* OpenRouter */
                                          "used all available credits", /* xAI */
                                          NULL};
    return says_any(w, phrases);
}

static bool says_bad_key(const struct words *w)
{
    static const char *const wrong[] = {"not valid", "invalid", "incorrect", "expired", NULL};
    return words_say(w, "api key") && says_any(w, wrong); /* Gemini and xAI, with a 400 */
}

static bool says_no_model(const struct words *w)
{
    static const char *const missing[] = {"not exist" /* DeepSeek, vLLM */,
                                          "not found",
                                          "not a valid model" /* OpenRouter */,
                                          "invalid model" /* LiteLLM, Mistral */,
                                          "unknown model",
                                          "decommissioned" /* Groq */,
                                          NULL};
    return words_say(w, "model") && says_any(w, missing);
}

static bool says_flagged(const struct words *w)
{
    static const char *const phrases[] = {"flagged", "moderation", "content policy", NULL};
    return says_any(w, phrases); /* OpenRouter, with a 403 */
}

/* --- from words and status to the meaning --- */

/* What the words say where the status only blames the request, or is not known. */
static enum meaning meaning_of_words(const struct words *w, enum meaning otherwise)
{
    static const char *const busy[] = {"rate limit", "too many requests", NULL};
    if (says_too_long(w))
        return M_TOO_LONG;
    if (says_no_credit(w))
        return M_CREDIT;
    if (says_bad_key(w))
        return M_KEY;
    if (says_any(w, busy))
        return M_BUSY;
    if (says_no_model(w))
        return M_NO_MODEL;
    const struct name *vague = named(w, true);
    return vague != NULL ? vague->meaning : otherwise;
}

static enum meaning meaning_of_status(int status, const struct words *w)
{
    switch (status) {
    case 400:
    case 422:
        return meaning_of_words(w, M_REFUSED);
    case 413:
        return meaning_of_words(w, M_TOO_LARGE);
    case 402:
        return M_CREDIT;
    case 403:
        if (says_no_credit(w))
            return M_CREDIT;
        return says_flagged(w) ? M_REFUSED : M_FORBIDDEN;
    case 404:
        return M_NO_MODEL;
    case 408:
    case 504:
        return M_TIMEOUT;
    case 429:
    case 498: /* Groq: no capacity */
        return M_BUSY;
    case 503:
        return M_DOWN;
    case 409:
    case 425:
        return M_FAILED;
    default:
        break;
    }
    if (status >= 500)
        return says_too_long(w) ? M_TOO_LONG : M_FAILED;
    return status == 0 ? meaning_of_words(w, M_FAILED) : M_STRANGE;
}

static enum meaning meaning_of(int status, const struct words *w)
{
    const struct name *name = named(w, false);
    if (status == 401)
        return M_KEY;
    return name != NULL ? name->meaning : meaning_of_status(status, w);
}

/* What a provider told: by a status, or in an event (0 where its words have none). */
struct told {
    bool is_event;
    int status;
    const struct words *words;
};

/* --- from the meaning to the failure --- */

/* api_error.type is static text: those of OpenAI's types that a client may know. */
static const char *known_type(const char *type)
{
    static const char *const types[] = {
        "invalid_request_error", "insufficient_quota", "rate_limit_error", "requests", "tokens",
        "server_error",          "not_found_error",    "content_filter"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i], type) == 0)
            return types[i];
    return NULL;
}

/* Tells the client in the provider's own words, where there are any, under our code. */
static void quote_words(const struct words *w, struct api_error *e)
{
    if (w->message[0] == '\0')
        return;
    memcpy(e->message, w->message, sizeof e->message);
    memcpy(e->param, w->param, sizeof e->param);
    e->type = known_type(w->type);
}

/* The same under the provider's code, where it has one. */
static void quote(const struct words *w, struct api_error *e)
{
    quote_words(w, e);
    if (w->message[0] != '\0' && w->code[0] != '\0')
        memcpy(e->code, w->code, sizeof e->code);
}

static void set(struct failure *f, enum failure_kind kind, enum failure_blame blame)
{
    f->kind = kind;
    f->blame = blame;
}

/* What is the client's to mend. */
static void explain_request(enum meaning meaning, const struct told *t, struct failure *f)
{
    struct api_error *e = &f->error;
    const struct words *w = t->words;
    set(f, FAILURE_REFUSED, BLAME_NOBODY);
    if (meaning == M_TOO_LONG) {
        f->kind = FAILURE_TOO_LONG;
        api_error(e, 400, "context_length_exceeded", "",
                  "the request has more tokens than the model takes in");
        quote_words(w, e);
    } else if (meaning == M_TOO_LARGE) {
        api_error(e, 413, "request_too_large", "", "the model provider refused the request");
        quote(w, e);
    } else if (meaning == M_NO_MODEL) {
        f->kind = FAILURE_NO_MODEL;
        api_error(e, 404, "model_not_found", "", "the model provider does not know the model");
        quote(w, e);
        if (t->status == 404 && w->message[0] == '\0')
            api_error(e, 502, "provider_error", "",
                      "the model provider has no chat completions at the configured address");
    } else {
        api_error(e, t->status == 422 ? 422 : 400, w->message[0] == '\0' ? "provider_refused" : "",
                  "", "the model provider refused the request");
        quote(w, e);
    }
}

/* What is between uplift and the provider. Where only the words say so, a client may be quoted in
 * them: that is reason enough to go elsewhere, but not to keep others from going there. */
static void explain_account(enum meaning meaning, const struct told *t, struct failure *f)
{
    bool is_certain = t->status == 401 || t->status == 402 || named(t->words, false) != NULL;
    set(f, FAILURE_DENIED,
        is_certain         ? BLAME_PROVIDER
        : t->status == 403 ? BLAME_ROUTE
                           : BLAME_NOBODY);
    if (meaning == M_CREDIT) {
        api_error(&f->error, 429, "insufficient_quota", "",
                  "this server's account at the model provider has no credit left; tell its "
                  "operator");
        f->error.type = "insufficient_quota";
        return;
    }
    api_error(&f->error, 502, "provider_auth", "",
              "the model provider refused this server's credentials; tell its operator");
}

static void explain_busy(const struct told *t, struct failure *f)
{
    set(f, FAILURE_BUSY, BLAME_NOBODY);
    f->is_of_size = t->status == 413 || words_say(t->words, "request too large");
    api_error(&f->error, 429, "rate_limit_exceeded", "", "the model provider is at its rate limit");
    quote_words(t->words, &f->error);
}

/* What is the provider's. */
static void explain_provider(enum meaning meaning, const struct told *t, struct failure *f)
{
    struct api_error *e = &f->error;
    set(f, t->is_event || meaning == M_STRANGE ? FAILURE_BROKEN : FAILURE_TRANSIENT, BLAME_ROUTE);
    if (meaning == M_TIMEOUT) {
        api_error(e, 504, "provider_timeout", "", "the model provider did not answer in time");
    } else if (meaning == M_DOWN) {
        api_error(e, 503, "provider_error", "", "the model provider is overloaded or down");
        if (f->retry_after_ms >= 0)
            set(f, FAILURE_BUSY, BLAME_NOBODY);
    } else if (t->is_event) {
        api_error(e, 502, "provider_error", "", "the model provider failed");
        quote(t->words, e);
    } else {
        api_error(e, 502, "provider_error", "", "the model provider failed with status %d",
                  t->status);
    }
}

static void explain(const struct told *t, struct failure *f)
{
    enum meaning meaning = meaning_of(t->status, t->words);
    switch (meaning) {
    case M_TOO_LONG:
    case M_TOO_LARGE:
    case M_NO_MODEL:
    case M_REFUSED:
        explain_request(meaning, t, f);
        return;
    case M_KEY:
    case M_FORBIDDEN:
    case M_CREDIT:
        explain_account(meaning, t, f);
        return;
    case M_BUSY:
        explain_busy(t, f);
        break;
    case M_FAILED:
    case M_DOWN:
    case M_TIMEOUT:
    case M_STRANGE:
        explain_provider(meaning, t, f);
        break;
    }
    if (f->retry_after_ms > 0)
        f->error.retry_after_ms = f->retry_after_ms;
}

/* --- what failed --- */

static void begin(struct failure *f, enum failure_kind kind, enum failure_blame blame,
                  const char *reason)
{
    *f = (struct failure){.kind = kind, .blame = blame, .retry_after_ms = -1};
    snprintf(f->reason, sizeof f->reason, "%s", reason);
}

static void explain_refusal(const struct upstream_result *r, struct failure *f)
{
    struct words words;
    words_read_body(r->body->data, r->body->len, &words);
    begin(f, FAILURE_TRANSIENT, BLAME_ROUTE, "");
    f->was_answered = true;
    snprintf(f->reason, sizeof f->reason, "status_%d", r->http_status);
    f->retry_after_ms = r->retry_after_ms;
    explain(&(struct told){.status = r->http_status, .words = &words}, f);
}

void failure_of_call(const struct upstream_result *r, struct failure *f)
{
    switch (r->end) {
    case UPSTREAM_REFUSED:
        explain_refusal(r, f);
        return;
    case UPSTREAM_UNREACHABLE:
        begin(f, FAILURE_TRANSIENT, BLAME_PROVIDER, "connect");
        api_error(&f->error, 502, "provider_unreachable", "",
                  "the model provider cannot be reached");
        return;
    case UPSTREAM_CONNECT_SLOW:
        begin(f, FAILURE_SILENT, BLAME_PROVIDER, "timeout_connect");
        api_error(&f->error, 504, "provider_unreachable", "",
                  "the model provider took too long to accept a connection");
        return;
    case UPSTREAM_RESET:
        begin(f, FAILURE_TRANSIENT, BLAME_ROUTE, "reset");
        api_error(&f->error, 502, "provider_error", "",
                  "the model provider closed the connection without an answer");
        return;
    case UPSTREAM_CUT:
        begin(f, FAILURE_BROKEN, BLAME_ROUTE, "cut");
        f->was_answered = true;
        api_error(&f->error, 502, "provider_cut", "", "the model provider cut its answer off");
        return;
    case UPSTREAM_TOO_LARGE:
        begin(f, FAILURE_REFUSED, BLAME_NOBODY, "too_large");
        f->was_answered = true;
        api_error(&f->error, 502, "answer_too_large", "",
                  "the model provider's answer is larger than this server takes");
        return;
    case UPSTREAM_ANSWERED:
        failure_of_nonsense(f);
        return;
    }
}

void failure_of_object(struct span object, struct failure *f)
{
    struct words words;
    words_read(object, &words);
    begin(f, FAILURE_BROKEN, BLAME_ROUTE, "error_event");
    f->was_answered = true;
    explain(&(struct told){.is_event = true, .status = words.status, .words = &words}, f);
}

void failure_of_nonsense(struct failure *f)
{
    begin(f, FAILURE_BROKEN, BLAME_ROUTE, "not_a_completion");
    f->was_answered = true;
    api_error(&f->error, 502, "provider_error", "",
              "the model provider's answer is not a chat completion");
}

void failure_of_nothing(struct failure *f)
{
    begin(f, FAILURE_BROKEN, BLAME_ROUTE, "empty");
    f->was_answered = true;
    api_error(&f->error, 502, "provider_error", "", "the model provider's answer is empty");
}

void failure_of_patience(enum failure_kind kind, const char *reason, const char *message,
                         struct failure *f)
{
    begin(f, kind, kind == FAILURE_SLOW ? BLAME_NOBODY : BLAME_ROUTE, reason);
    api_error(&f->error, 504, "provider_timeout", "", "%s", message);
}
