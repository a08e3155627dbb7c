#include "rows.h"

#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the statement's parameters. */
enum column {
    ID,
    USER,
    CONVERSATION,
    CREATED,
    COACH,
    SEVERITY,
    MODE,
    PROMPT,
    PERSONAL_PROMPT,
    MESSAGE,
    RESPONSE,
    OUTCOME,
    MODEL,
    PROVIDER,
    PROTOCOL,
    STREAMED,
    FINISH_REASON,
    PROMPT_TOKENS,
    COMPLETION_TOKENS,
    CACHED_TOKENS,
    USAGE_ESTIMATED,
    FIRST_TOKEN,
    RESPONSE_TIME,
    ATTEMPTS,
    REQUEST,
    TRACE,
    MORE,
    COLUMNS,
    SHARED_PROMPTS = COLUMNS, /* not one for each answer */
    PARAMS,
};

const struct pg_statement rows_statement = {
    .name = "record_chats",
    .sql = "select cardinality(uplift_chat.record_chats(p_ids => $1::text[]::uuid[], "
           "p_user_ids => $2::text[]::uuid[], p_conversation_ids => $3::text[]::uuid[], "
           "p_created_at => $4::text[]::timestamptz[], p_coach_ids => $5, "
           "p_severities => $6::text[]::numeric[], p_modes => $7, "
           "p_prompt_ids => $8::text[]::uuid[], p_personal_prompts => $9, p_user_messages => $10, "
           "p_ai_responses => $11, p_outcomes => $12, p_models => $13, p_providers => $14, "
           "p_protocols => $15, p_streamed => $16::text[]::boolean[], p_finish_reasons => $17, "
           "p_prompt_tokens => $18::text[]::bigint[], "
           "p_completion_tokens => $19::text[]::bigint[], "
           "p_cached_tokens => $20::text[]::bigint[], "
           "p_usage_estimated => $21::text[]::boolean[], "
           "p_first_token_ms => $22::text[]::bigint[], "
           "p_response_time_ms => $23::text[]::bigint[], p_attempts => $24::text[]::jsonb[], "
           "p_request_ids => $25, p_traces => $26::text[]::jsonb[], "
           "p_more => $27::text[]::jsonb[], p_shared_prompts => $28))",
    .params = PARAMS,
};

void rows_init(struct rows *r, size_t max)
{
    pg_arrays_init(&r->arrays, max);
    buf_init(&r->json, max);
    rows_forget(r);
}

void rows_release(struct rows *r)
{
    buf_release(&r->arrays.data);
    buf_release(&r->json);
}

void rows_clear(struct rows *r, size_t keep)
{
    pg_arrays_clear(&r->arrays, keep);
    if (r->json.cap > keep)
        buf_release(&r->json);
}

/* What is empty is null. */
static void put_name(struct rows *r, const char *text)
{
    bool is_there = text != NULL && *text != '\0';
    pg_arrays_put(&r->arrays, is_there ? text : NULL, is_there ? strlen(text) : 0);
}

static void put_text(struct rows *r, const char *text)
{
    pg_arrays_put(&r->arrays, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

/* What is less than nothing is null. */
static void put_number(struct rows *r, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);
    pg_arrays_put(&r->arrays, number >= 0 ? text : NULL, (size_t)len);
}

static void put_bool(struct rows *r, bool value)
{
    pg_arrays_put(&r->arrays, value ? "t" : "f", 1);
}

static void put_json(struct rows *r, void (*put)(const struct chat *, struct buf *),
                     const struct chat *c)
{
    buf_clear(&r->json);
    put(c, &r->json);
    r->arrays.data.failed |= r->json.failed;
    pg_arrays_put(&r->arrays, r->json.len > 0 ? r->json.data : NULL, r->json.len);
}

/* An answer from the cache took none. */
static int64_t tokens(const struct chat *c, int64_t count)
{
    return c->cache.source_id[0] != '\0' || count < 0 ? 0 : count;
}

static void put_column(struct rows *r, enum column column, const struct chat *c)
{
    char time[CLOCK_TEXT];
    switch (column) {
    case ID:
        put_name(r, c->id_text);
        break;
    case USER:
        put_name(r, c->user_text);
        break;
    case CONVERSATION:
        put_name(r, c->conversation_text);
        break;
    case CREATED:
        put_name(r, clock_text(c->created_us, time) ? time : NULL);
        break;
    case COACH:
        put_name(r, c->coach_id);
        break;
    case SEVERITY:
        put_name(r, c->severity);
        break;
    case MODE:
        put_name(r, c->mode);
        break;
    case PROMPT:
        put_name(r, c->shared_prompt_id);
        break;
    case PERSONAL_PROMPT:
        put_name(r, c->shared_prompt_len > 0 ? c->system_prompt + c->shared_prompt_len : NULL);
        break;
    case MESSAGE:
        put_text(r, c->user_message);
        break;
    case RESPONSE:
        pg_arrays_put(&r->arrays, c->text.len > 0 ? c->text.data : "", c->text.len);
        break;
    case OUTCOME:
        put_name(r, chat_outcome_name(c->outcome));
        break;
    case MODEL:
        put_name(r, c->model_used != NULL ? c->model_used : c->model);
        break;
    case PROVIDER:
        put_name(r, c->provider);
        break;
    case PROTOCOL:
        put_name(r, chat_protocol_name(c->protocol));
        break;
    case STREAMED:
        put_bool(r, c->stream);
        break;
    case FINISH_REASON:
        put_name(r, c->finish_reason);
        break;
    case PROMPT_TOKENS:
        put_number(r, tokens(c, c->prompt_tokens));
        break;
    case COMPLETION_TOKENS:
        put_number(r, tokens(c, c->completion_tokens));
        break;
    case CACHED_TOKENS:
        put_number(r, tokens(c, c->cached_tokens));
        break;
    case USAGE_ESTIMATED:
        put_bool(r, !c->has_usage);
        break;
    case FIRST_TOKEN:
        put_number(r, c->time_to_first_token_ms);
        break;
    case RESPONSE_TIME:
        put_number(r, c->response_time_ms);
        break;
    case ATTEMPTS:
        put_json(r, chat_put_attempts, c);
        break;
    case REQUEST:
        put_name(r, c->request != NULL ? c->request->request_id : NULL);
        break;
    case TRACE:
        put_name(r, c->trace);
        break;
    case MORE:
        put_json(r, chat_put_more, c);
        break;
    case COLUMNS:
    case PARAMS:
        break;
    }
}

/* --- shared prompts --- */

static char *place_of(struct rows *r, const char *id)
{
    char start[4] = {id[0], id[1], id[2], '\0'}; /* of a hash */
    return r->stored[strtoul(start, NULL, 16) % ROWS_PROMPTS];
}

static bool is_missing(struct rows *r, const struct chat *c)
{
    return c->shared_prompt_len > 0 &&
           strcmp(place_of(r, c->shared_prompt_id), c->shared_prompt_id) != 0;
}

/* Whether an earlier one of these has it, too. */
static bool is_repeated(const struct chat *const *chats, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(chats[k]->shared_prompt_id, chats[i]->shared_prompt_id) == 0)
            return true;
    return false;
}

static void put_shared_prompts(struct rows *r, const struct chat *const *chats, size_t count)
{
    size_t missing = 0;
    for (size_t i = 0; i < count; i++)
        missing += is_missing(r, chats[i]) && !is_repeated(chats, i);
    pg_arrays_begin(&r->arrays, missing);
    for (size_t i = 0; i < count && missing > 0; i++)
        if (is_missing(r, chats[i]) && !is_repeated(chats, i))
            pg_arrays_put(&r->arrays, chats[i]->system_prompt, chats[i]->shared_prompt_len);
}

bool rows_make(struct rows *r, const struct chat *const *chats, size_t count)
{
    pg_arrays_clear(&r->arrays, (size_t)-1);
    for (int column = 0; column < COLUMNS; column++) {
        pg_arrays_begin(&r->arrays, count);
        for (size_t i = 0; i < count; i++)
            put_column(r, column, chats[i]);
    }
    put_shared_prompts(r, chats, count);
    return pg_arrays_end(&r->arrays);
}

void rows_stored(struct rows *r, const struct chat *const *chats, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_missing(r, chats[i]))
            memcpy(place_of(r, chats[i]->shared_prompt_id), chats[i]->shared_prompt_id,
                   UUID_TEXT + 1);
}

void rows_forget(struct rows *r)
{
    memset(r->stored, 0, sizeof r->stored);
}
