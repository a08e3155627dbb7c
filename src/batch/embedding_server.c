#include "embedding_server.h"

#include "common/http.h"
#include "common/json.h"
#include "common/refusal.h"
#include "common/utf8.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>

#define TRIES 4
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 300000 /* who wants more is asked another time */
#define CALL_MS 120000
#define REQUEST_MAX ((size_t)16 << 20)
#define TOKENS_MAX 1e8 /* of one request; more is no count */

static bool pause_for(struct job *job, int64_t ms)
{
    if (job != NULL)
        return job_goes_on(job, ms);
    (void)poll(NULL, 0, (int)ms);
    return true;
}

static void count_request(struct embedding_call *call, const cJSON *answer)
{
    const cJSON *usage = cJSON_GetObjectItemCaseSensitive(answer, "usage");
    double tokens = json_number(usage, "total_tokens", 0);
    call->requests++;
    if (tokens > 0 && tokens <= TOKENS_MAX)
        call->tokens += floor(tokens);
}

/* Says why there are no embeddings. bad: what is wrong with those that came, "" for none. */
static void explain(struct embedding_call *call, const struct http_answer *answer, const char *bad,
                    const char *key)
{
    bool is_silent = answer->status == 0 || *answer->reason != '\0';
    const char *words = refusal_words_to_show(answer, key);
    call->code = *bad != '\0'                            ? "bad_answer"
                 : is_silent || refusal_may_pass(answer) ? "embeddings_unavailable"
                                                         : "embeddings_refused";
    call->retry_after_ms = answer->retry_after_ms;
    call->may_be_texts = *bad != '\0' || answer->status == 500 || answer->body.failed;
    if (*bad != '\0')
        utf8_print(call->reason, sizeof call->reason,
                   "the embeddings server answered something else: %s", bad);
    else if (is_silent)
        utf8_print(call->reason, sizeof call->reason, "the embeddings server does not answer: %s",
                   answer->reason);
    else
        utf8_print(call->reason, sizeof call->reason, "the embeddings server answered %ld%s%.150s",
                   answer->status, *words != '\0' ? ": " : "", words);
}

/* One try. */
static enum embedding_outcome try_once(const struct http_server *server, const char *body,
                                       size_t count, struct embeddings *out,
                                       struct embedding_call *call)
{
    struct http_answer answer;
    char bad[EMBEDDING_REASON] = "";
    enum embedding_outcome outcome = EMBEDDING_AWAY;
    enum http_outcome how = http_call(server, EMBEDDING_PATH, body, NULL, &answer);
    bool is_good = how == HTTP_ANSWERED && answer.status >= 200 && answer.status < 300;
    if (is_good)
        count_request(call, answer.json);
    if (how == HTTP_STOPPED)
        outcome = EMBEDDING_STOPPED;
    else if (is_good && embeddings_read(answer.body.data, answer.body.len, count, out, bad))
        outcome = EMBEDDING_MADE;
    else if (how == HTTP_ANSWERED && refusal_is_of_request(&answer))
        outcome = EMBEDDING_REFUSED;
    else if (how == HTTP_ANSWERED && !is_good && !refusal_may_pass(&answer))
        outcome = EMBEDDING_DENIED;
    if (outcome != EMBEDDING_MADE)
        explain(call, &answer, bad, server->key);
    http_release(&answer);
    return outcome;
}

enum embedding_outcome embedding_ask(const struct config *config, struct job *job,
                                     const char *const *texts, size_t count, struct embeddings *out,
                                     struct embedding_call *call)
{
    const struct http_server server = {.config = config,
                                       .goes_on = job_is_wanted,
                                       .goes_on_arg = job,
                                       .base_url = config->embeddings_url,
                                       .key = config->embeddings_key,
                                       .key_header = "Authorization",
                                       .timeout_ms = CALL_MS};
    enum embedding_outcome outcome = EMBEDDING_AWAY;
    struct buf body;
    *call = (struct embedding_call){.code = "out_of_memory"};
    snprintf(call->reason, sizeof call->reason, "out of memory");
    buf_init(&body, REQUEST_MAX);
    bool is_written = embedding_request(config->embeddings_model,
                                        (int)config->embeddings_dimensions, texts, count, &body);
    for (int number = 1; is_written; number++) {
        outcome = try_once(&server, body.data, count, out, call);
        if (outcome != EMBEDDING_AWAY || number >= TRIES || call->retry_after_ms > PAUSE_MAX_MS)
            break;
        if (!pause_for(job, call->retry_after_ms > 0 ? call->retry_after_ms
                                                     : PAUSE_MS << (number - 1))) {
            outcome = EMBEDDING_STOPPED;
            break;
        }
    }
    buf_release(&body);
    return outcome;
}
