/* From a checked request to a chat the relay can run. */
#include "prepare.h"

#include "chat/cached_answer.h"
#include "common/clock.h"
#include "describe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COACH_ID_MAX 128 /* bytes */
#define MODE_MAX 32
#define VARIANT_MAX 1000 /* bytes */
#define MODEL_ROOM 257
#define HEADERS_ROOM 1024
#define RETRY_AFTER_OVERLOAD_MS 1000

/* Columns of uplift_chat.prepare_chats' rows. */
enum prepared {
    P_CONVERSATION,
    P_COACH,
    P_SEVERITY,
    P_MODE,
    P_SHARED_PROMPT,
    P_PERSONAL_PROMPT,
    P_MESSAGES,
    P_USER_MESSAGE,
    P_MODEL,
    P_TRACE,
    P_REFUSAL,
    P_CACHED,
    P_CACHE_KEY,
    P_BUDGET_MODEL,
    P_LIMITS,
    P_PARAMETERS,
};

#define PARAMS 10

static const struct pg_statement prepare_statement = {
    .name = "prepare_chats",
    .sql = "select p.conversation_id, p.coach_id, p.severity, p.mode, p.shared_prompt, "
           "p.personal_prompt, p.messages, "
           "p.user_message, p.model, p.trace, p.refusal, p.cached, p.cache_key, p.budget_model, "
           "p.limits, p.parameters, p.n from uplift_chat.prepare_chats(p_user_ids => "
           "$1::text[]::uuid[], "
           "p_protocols => $2, p_coach_ids => $3, p_severities => $4::text[]::numeric[], "
           "p_modes => $5, p_conversation_ids => $6::text[]::uuid[], "
           "p_regenerate_of => $7::text[]::uuid[], p_messages => $8, "
           "p_history_tokens => $9::text[]::int[], p_more => $10::text[]::jsonb[]) p",
    .params = PARAMS,
    .for_many = true,
};

static bool read_text(const cJSON *object, const char *key, size_t max, const char **out,
                      struct api_error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (item == NULL || cJSON_IsNull(item) || *out != NULL)
        return true;
    char code[64];
    snprintf(code, sizeof code, "invalid_%s", key);
    if (!cJSON_IsString(item) || item->valuestring[0] == '\0' || strlen(item->valuestring) > max)
        return api_error(error, 400, code, key, "%s must be a text of 1 to %zu bytes", key, max);
    *out = item->valuestring;
    return true;
}

static bool read_uuid(const cJSON *object, const char *key, char out[UUID_TEXT + 1],
                      struct api_error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    struct uuid id;
    if (item == NULL || cJSON_IsNull(item) || *out != '\0')
        return true;
    char code[64];
    snprintf(code, sizeof code, "invalid_%s", key);
    if (!cJSON_IsString(item) || !uuid_parse(item->valuestring, &id))
        return api_error(error, 400, code, key, "%s must be a UUID", key);
    uuid_format(&id, out);
    return true;
}

static bool read_severity(const cJSON *object, bool text_numbers, char out[8],
                          struct api_error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "severity");
    double value = NAN;
    if (item == NULL || cJSON_IsNull(item) || *out != '\0')
        return true;
    if (cJSON_IsNumber(item)) {
        value = item->valuedouble;
    } else if (text_numbers && cJSON_IsString(item)) {
        const char *text = item->valuestring;
        if (*text != '\0' && text[strspn(text, "0123456789.")] == '\0') {
            char *end;
            value = strtod(text, &end);
            if (*end != '\0')
                value = NAN;
        }
    }
    if (!(value >= 1.0 && value <= 6.0))
        return api_error(error, 400, "invalid_severity", "severity",
                         "severity must be a number from 1.0 (ultra gentle) to 6.0 (savage)");
    snprintf(out, 8, "%.1f", value);
    return true;
}

bool wish_read(struct chat_wish *wish, const cJSON *object, bool text_numbers,
               struct api_error *error)
{
    return read_text(object, "coach_id", COACH_ID_MAX, &wish->coach_id, error) &&
           read_text(object, "mode", MODE_MAX, &wish->mode, error) &&
           read_severity(object, text_numbers, wish->severity, error) &&
           read_uuid(object, "conversation_id", wish->conversation_id, error) &&
           read_uuid(object, "regenerate_of", wish->regenerate_of, error) &&
           read_uuid(object, "photo_id", wish->photo_id, error);
}

void preparation_release(struct preparation *p)
{
    free(p->history);
    free(p->message);
    free(p->parameters);
    p->history = p->message = p->parameters = NULL;
}

void preparation_put_parameters(const struct preparation *p, struct buf *out)
{
    size_t len = p->parameters != NULL ? strlen(p->parameters) : 0;
    if (len <= 2) /* {} */
        return;
    buf_putc(out, ',');
    buf_append(out, p->parameters + 1, len - 2); /* without its braces */
}

/* A copy of a column; NULL for SQL null. Sets *failed when memory ran out. */
static char *copy_column(const PGresult *result, int column, bool *failed)
{
    if (PQgetisnull(result, 0, column))
        return NULL;
    char *copy = strdup(PQgetvalue(result, 0, column));
    *failed |= copy == NULL;
    return copy;
}

static char *copy_text(const char *text, bool *failed)
{
    if (text == NULL)
        return NULL;
    char *copy = strdup(text);
    *failed |= copy == NULL;
    return copy;
}

/* What the cache has for this chat. An answer that cannot be taken from it is none. */
static void take_cached(struct chat *chat, const PGresult *result)
{
    if (chat->cache.mode == CACHE_OFF || PQgetisnull(result, 0, P_CACHE_KEY))
        return;
    snprintf(chat->cache.key, sizeof chat->cache.key, "%s", PQgetvalue(result, 0, P_CACHE_KEY));
    if (!cache_reads(chat->cache.mode) || chat->regenerate_of[0] != '\0')
        return;
    chat->cache.may_share = chat->cache.max_age_s > 0;
    if (!PQgetisnull(result, 0, P_CACHED))
        chat->cache.answer = cached_read(PQgetvalue(result, 0, P_CACHED));
    chat->cache.result = chat->cache.answer != NULL ? CACHE_HIT : CACHE_MISS;
}

static void begin_conversation(struct chat *chat)
{
    struct uuid conversation;
    uuid_v7(&conversation);
    uuid_format(&conversation, chat->conversation_text);
}

/* NULL for SQL null. */
static const char *column_text(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? NULL : PQgetvalue(result, 0, column);
}

/* The answer is not what an experiment wanted it to be, which a budget says. */
static void forget_exposures(struct chat *chat)
{
    struct json_error wrong;
    if (chat->trace == NULL || strstr(chat->trace, "\"exposures\"") == NULL)
        return;
    cJSON *trace = json_parse(chat->trace, strlen(chat->trace), &wrong);
    cJSON_DeleteItemFromObjectCaseSensitive(trace, "exposures");
    char *text = trace != NULL ? cJSON_PrintUnformatted(trace) : NULL;
    cJSON_Delete(trace);
    /* Without memory for it the rest of the trace is not told either. */
    free(chat->trace);
    chat->trace = text;
}

/*
 * Which model is asked: the cheaper one of a budget that is used up, else the one the client names,
 * else the one that serves in production (NULL: none does), else the configured one. What the
 * server chose and is closed to who asks gives way to the configured one.
 */
static bool decide_model(struct route_context *c, struct chat *chat, const struct chat_wish *wish,
                         const char *cheaper, const char *serves, struct api_error *error)
{
    struct model_access *access = c->services->access;
    const char *configured = c->services->config->model;
    bool is_named = cheaper == NULL && wish->model != NULL;
    const char *model = cheaper != NULL  ? cheaper
                        : is_named       ? wish->model
                        : serves != NULL ? serves
                                         : configured;
    const struct model_asker who = {
        .user = chat->user_text, .coach_id = chat->coach_id, .api_key = c->request->who.key_id};
    if (cheaper == NULL && !is_named && !model_access_allows(access, &who, model, false, error)) {
        /* An answer of the cache comes without the prompt that another model would need. */
        if (chat->cache.answer != NULL || strcmp(model, configured) == 0 ||
            !model_access_allows(access, &who, configured, false, error))
            return false;
        /* Exposures stay: others are compared with all users of the variant, and in production it
         * would be answered like this, too. */
        model = configured;
        chat->cache.key[0] = '\0'; /* it is of the other model */
        chat->cache.may_share = false;
        chat->cache.result = CACHE_UNUSED;
    }
    chat->is_model_known = !is_named || model_access_knows(access, model);
    chat->model = strdup(model);
    return chat->model != NULL || api_error_no_memory(error);
}

/* Why Postgres refuses, which is remembered of rate limits. */
static bool take_refusal(struct route_context *c, const char *refusal, struct api_error *error)
{
    struct limit_who who = describe_limited(c);
    bool good = route_refused(refusal, error);
    if (strcmp(error->code, "rate_limit_exceeded") == 0)
        limits_note_refused(c->services->limits, &who, error->retry_after_ms);
    return good;
}

static bool take_prepared(struct route_context *c, struct chat *chat, const struct chat_wish *wish,
                          const PGresult *result, struct preparation *out, struct api_error *error)
{
    bool failed = false;
    if (PQntuples(result) != 1)
        return api_error(error, 500, "internal_error", "", "the chat could not be prepared");
    if (!PQgetisnull(result, 0, P_LIMITS))
        limit_left_read(&out->left, PQgetvalue(result, 0, P_LIMITS));
    if (!PQgetisnull(result, 0, P_REFUSAL))
        return take_refusal(c, PQgetvalue(result, 0, P_REFUSAL), error);
    if (PQgetisnull(result, 0, P_CONVERSATION))
        begin_conversation(chat);
    else
        snprintf(chat->conversation_text, sizeof chat->conversation_text, "%s",
                 PQgetvalue(result, 0, P_CONVERSATION));
    chat->coach_id = copy_column(result, P_COACH, &failed);
    chat->severity = copy_column(result, P_SEVERITY, &failed);
    chat->mode = copy_column(result, P_MODE, &failed);
    if (!PQgetisnull(result, 0, P_SHARED_PROMPT) &&
        !chat_set_prompt(chat, PQgetvalue(result, 0, P_SHARED_PROMPT),
                         PQgetvalue(result, 0, P_PERSONAL_PROMPT)))
        return api_error_no_memory(error);
    out->history = copy_column(result, P_MESSAGES, &failed);
    out->message = copy_column(result, P_USER_MESSAGE, &failed);
    chat->trace = copy_column(result, P_TRACE, &failed);
    out->parameters = copy_column(result, P_PARAMETERS, &failed);
    take_cached(chat, result);
    if (failed)
        return api_error_no_memory(error);
    return decide_model(c, chat, wish, column_text(result, P_BUDGET_MODEL),
                        column_text(result, P_MODEL), error);
}

/* The prompt with more at its end, as uplift.prompt_end() has it; takes prompt. NULL when memory
 * ran out. */
static char *add_to_prompt(char *prompt, const char *more)
{
    if (prompt == NULL || more == NULL)
        return prompt;
    struct buf whole;
    buf_init(&whole, strlen(prompt) + strlen(more) + 3);
    buf_printf(&whole, "%s\n\n%s", prompt, more);
    free(prompt);
    char *longer = whole.failed ? NULL : buf_steal(&whole);
    buf_release(&whole);
    return longer;
}

/* The coach, tone and prompt that are known without Postgres, as experiments change them. */
static bool take_persona(struct route_context *c, struct chat *chat, const struct chat_wish *wish,
                         const cJSON *changes, struct api_error *error)
{
    bool failed = false;
    char tried[8] = "";
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(changes, "severity");
    if (cJSON_IsNumber(number)) /* halves go up, as in Postgres */
        snprintf(tried, sizeof tried, "%.1f", round(number->valuedouble * 10) / 10);
    const char *severity = wish->severity[0] != '\0' ? wish->severity
                           : tried[0] != '\0'        ? tried
                                                     : "3.0";
    struct persona_wish wanted = {
        .coach_id = wish->coach_id != NULL ? wish->coach_id : json_string(changes, "coach_id"),
        .severity = severity,
        .mode = wish->mode != NULL ? wish->mode : json_string(changes, "mode"),
        .personality = json_string(changes, "personality"),
    };
    struct persona_found found;
    bool is_there = personas_find(c->services->personas, &wanted, &found);
    if (!is_there && wish->coach_id == NULL) { /* one that was tried is no longer offered */
        wanted.coach_id = NULL;
        is_there = personas_find(c->services->personas, &wanted, &found);
    }
    if (!is_there)
        return api_error(error, 404, "coach_not_found", "coach_id", "there is no coach \"%.100s\"",
                         wanted.coach_id != NULL ? wanted.coach_id : "");
    chat->coach_id = found.coach_id;
    chat->mode = found.mode;
    chat->severity = copy_text(severity, &failed);
    char *prompt = add_to_prompt(found.prompt, json_string(changes, "prompt_suffix"));
    prompt = add_to_prompt(prompt, json_string(changes, "guidelines"));
    if (!found.is_known) /* whose persona and tone nothing changes */
        forget_exposures(chat);
    failed |= prompt == NULL || !chat_set_prompt(chat, prompt, NULL);
    free(prompt);
    return !failed || api_error_no_memory(error);
}

/* Of what experiments change, the parameters for the provider; a JSON object. */
static char *parameters_of(const cJSON *changes)
{
    static const char *const names[] = {"temperature", "top_p", "max_tokens", "presence_penalty",
                                        "frequency_penalty"};
    cJSON *parameters = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof names / sizeof names[0] && parameters != NULL; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(changes, names[i]);
        if (cJSON_IsNumber(value))
            cJSON_AddNumberToObject(parameters, names[i], value->valuedouble);
    }
    char *text = parameters != NULL ? cJSON_PrintUnformatted(parameters) : NULL;
    cJSON_Delete(parameters);
    return text;
}

/* Which variants of the last known experiments the chat gets. */
static bool take_variants(struct route_context *c, struct chat *chat, const struct chat_wish *wish,
                          struct preparation *out, struct experiment_changes *changes,
                          struct api_error *error)
{
    *changes = (struct experiment_changes){0};
    const char *variant = request_param(c->request, "HTTP_X_UPLIFT_VARIANT");
    if (variant != NULL && *variant != '\0') {
        api_error(error, 503, "database_unavailable", "X-Uplift-Variant",
                  "the database does not answer at the moment, and without it no variant can be "
                  "asked for");
        error->retry_after_ms = RETRY_AFTER_OVERLOAD_MS;
        return false;
    }
    if (chat->protocol != CHAT_NATIVE && wish->coach_id == NULL)
        return true;
    const struct experiment_asker who = {
        .user = chat->user_text,
        .is_guest = c->request->who.is_guest,
        .coach_id = wish->coach_id,
        .severity = wish->severity[0] != '\0' ? wish->severity : NULL,
        .mode = wish->mode,
        .model = wish->model,
        .asked = wish->asked,
    };
    if (!experiments_assign(c->services->experiments, &who, changes))
        return api_error_no_memory(error);
    if (changes->exposures != NULL) {
        struct buf trace;
        buf_init(&trace, strlen(changes->exposures) + 32);
        buf_printf(&trace, "{\"exposures\":%s}", changes->exposures);
        chat->trace = trace.failed ? NULL : buf_steal(&trace);
        buf_release(&trace);
        if (chat->trace == NULL)
            return api_error_no_memory(error);
    }
    if (changes->all == NULL)
        return true;
    out->parameters = parameters_of(changes->all);
    return out->parameters != NULL || api_error_no_memory(error);
}

/* What can be done with Postgres away: the last known persona, no memory, no history. */
static bool take_degraded(struct route_context *c, struct chat *chat, const struct chat_wish *wish,
                          struct preparation *out, struct api_error *error)
{
    struct experiment_changes changes = {0};
    bool good = false;
    chat->degraded = true;
    if (*wish->photo_id != '\0') {
        api_error(
            error, 503, "database_unavailable", "photo_id",
            "the database does not answer at the moment, and without it no photo can be shown");
        error->retry_after_ms = RETRY_AFTER_OVERLOAD_MS;
        return false;
    }
    if (wish->message == NULL) {
        api_error(error, 503, "database_unavailable", "message",
                  "the database does not answer at the moment, and without it an answer can only "
                  "be regenerated when "
                  "the message is sent again");
        error->retry_after_ms = RETRY_AFTER_OVERLOAD_MS;
        return false;
    }
    if (wish->conversation_id[0] != '\0') {
        snprintf(chat->conversation_text, sizeof chat->conversation_text, "%s",
                 wish->conversation_id);
    } else {
        begin_conversation(chat);
    }
    char cheaper[MODEL_ROOM];
    if (!take_variants(c, chat, wish, out, &changes, error))
        goto out;
    if ((chat->protocol == CHAT_NATIVE || wish->coach_id != NULL) &&
        !take_persona(c, chat, wish, changes.all, error))
        goto out;
    if (!budgets_allow(c->services->budgets, chat->user_text, chat->coach_id, cheaper,
                       sizeof cheaper, error))
        goto out;
    /* Of any variant, which one says a model and which one does not. */
    if (*cheaper != '\0')
        forget_exposures(chat);
    struct limit_who who = describe_limited(c);
    if (!limits_allow(c->services->limits, &who, (int64_t)(wish->bytes + strlen(wish->message)) / 4,
                      &out->left, error))
        goto out;
    good = decide_model(c, chat, wish, *cheaper != '\0' ? cheaper : NULL,
                        json_string(changes.all, "model"), error);
out:
    experiment_changes_release(&changes);
    return good;
}

/* Who tries a variant of an experiment by name has to be one who tests them. */
static bool may_ask_for_variant(const struct request *r, struct api_error *error)
{
    const char *variant = request_param(r, "HTTP_X_UPLIFT_VARIANT");
    if (variant == NULL || *variant == '\0')
        return true;
    if (!r->who.is_tester)
        return api_error(error, 403, "variant_not_allowed", "X-Uplift-Variant",
                         "only testers and admins may name a variant");
    return strlen(variant) <= VARIANT_MAX ||
           api_error(error, 400, "invalid_variant", "X-Uplift-Variant",
                     "X-Uplift-Variant must be a text of at most %d bytes", VARIANT_MAX);
}

struct chat *prepare_chat(struct route_context *c, enum chat_protocol protocol,
                          const struct chat_wish *wish, struct preparation *out,
                          struct api_error *error)
{
    struct services *w = c->services;
    struct request *r = c->request;
    if (relay_open(w->relay) >= w->config->max_chats) {
        api_error(error, 503, "overloaded", "", "too many chats are open; try again shortly");
        error->retry_after_ms = RETRY_AFTER_OVERLOAD_MS;
        return NULL;
    }
    if (!may_ask_for_variant(r, error))
        return NULL;
    struct chat *chat = chat_new(r);
    if (chat == NULL) {
        api_error_no_memory(error);
        return NULL;
    }
    chat->protocol = protocol;
    /* A guest is many people, and without a coach a message may be a program's. */
    chat->may_be_remembered =
        !r->who.is_guest && (protocol == CHAT_NATIVE || wish->coach_id != NULL);
    const char *client_request = request_param(r, "HTTP_X_CLIENT_REQUEST_ID");
    if (client_request != NULL && !uuid_parse(client_request, &chat->client_request))
        chat->client_request = (struct uuid){{0}}; /* a name of another form is for logs only */
    chat->created_us = clock_wall_us();
    answer_id_make(w->signer, &r->who.user, &chat->id);
    uuid_format(&chat->id, chat->id_text);
    snprintf(chat->user_text, sizeof chat->user_text, "%s", r->who.user_text);
    snprintf(chat->regenerate_of, sizeof chat->regenerate_of, "%s", wish->regenerate_of);
    chat->cache.mode = wish->cache.mode;
    chat->cache.max_age_s = wish->cache.max_age_s;
    chat->cache.ttl_s = w->config->cache_ttl_s;

    char history[24];
    snprintf(history, sizeof history, "%lld", (long long)w->config->history_tokens);
    struct buf more;
    buf_init(&more, DESCRIBE_MAX);
    describe_chat(c, protocol, wish, &more);
    const char *values[PARAMS] = {
        /* in the order of prepare_statement's parameters */
        r->who.user_text,
        chat_protocol_name(protocol),
        wish->coach_id,
        wish->severity[0] != '\0' ? wish->severity : NULL,
        wish->mode,
        wish->conversation_id[0] != '\0' ? wish->conversation_id : NULL,
        wish->regenerate_of[0] != '\0' ? wish->regenerate_of : NULL,
        describe_message(wish),
        history,
        more.failed ? NULL : more.data,
    };
    PGresult *result;
    bool away, good;
    if (route_query(c, &prepare_statement, values, &result, error, &away)) {
        good = take_prepared(c, chat, wish, result, out, error);
        PQclear(result);
    } else {
        good = away && take_degraded(c, chat, wish, out, error);
    }
    buf_release(&more);
    if (!good) {
        chat_free(chat);
        preparation_release(out);
        return NULL;
    }
    chat->left = out->left;
    return chat;
}

void prepare_fail(struct route_context *c, const struct api_error *error,
                  const struct limit_left *left)
{
    struct metrics *m = c->services->metrics;
    struct buf headers;
    buf_init(&headers, HEADERS_ROOM);
    if (error->status == 429)
        metrics_count(
            m, strcmp(error->code, "budget_exceeded") == 0 ? M_REFUSED_BUDGET : M_REFUSED_RATE, 1);
    else if (strcmp(error->code, "overloaded") == 0)
        metrics_count(m, M_REFUSED_OVERLOAD, 1);
    limit_left_headers(left, &headers);
    request_fail(c->request, error, headers.data);
    buf_release(&headers);
}

void chat_hand_on(struct route_context *c, struct chat *chat)
{
    chat_hold_less(chat);
    if (relay_submit(c->services->relay, chat))
        return;
    struct request *r = chat->request;
    struct api_error error;
    chat_free(chat);
    api_error(&error, 503, "overloaded", "", "too many chats are open; try again shortly");
    error.retry_after_ms = RETRY_AFTER_OVERLOAD_MS;
    request_fail(r, &error, NULL);
}
