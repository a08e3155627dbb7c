/*
 * The response cache, as far as a request is concerned: what the client and the configuration want
 * of it, and what a completions request is told apart by. Looking up and storing is done in SQL
 * (uplift_chat.prepare_chats, uplift_chat.record_chats).
 */
#ifndef UPLIFT_CACHE_H
#define UPLIFT_CACHE_H

#include "common/config.h"
#include "common/error.h"
#include "common/json_scan.h"
#include "common/must_check.h"
#include "common/uuid.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define SHA256_HEX 64

/* In the order of UPLIFT_CACHE's words. */
enum cache_mode { CACHE_OFF, CACHE_ON, CACHE_READ_ONLY, CACHE_WRITE_ONLY };

/* What became of it: the header X-Uplift-Cache. */
enum cache_result {
    CACHE_UNUSED, /* nothing was looked up */
    CACHE_MISS,
    CACHE_HIT,    /* an earlier answer was given */
    CACHE_SHARED, /* the answer to another request, which was under way, was given */
};

struct cache_wish {
    enum cache_mode mode;
    int64_t max_age_s;               /* older answers will not do */
    char parameters[SHA256_HEX + 1]; /* of a completions request, or a long message, else "" */
    bool has_question; /* parameters are of the question, too: Postgres need not see its text */
};

struct cached_answer;

/* The same in a chat. */
struct cache_use {
    enum cache_mode mode;
    enum cache_result result;
    char key[SHA256_HEX + 1]; /* "" where this chat cannot be cached */
    int64_t max_age_s;
    bool may_share;                /* it takes the answer to another request under way */
    int64_t ttl_s;                 /* how long its answer may be given again */
    struct cached_answer *answer;  /* owned; what is to be given, NULL: a provider is asked */
    char source_id[UUID_TEXT + 1]; /* whose answer was given, "" for a provider's */
};

const char *cache_mode_name(enum cache_mode mode);
bool cache_reads(enum cache_mode mode);
bool cache_writes(enum cache_mode mode);
/* hit, miss or off. */
const char *cache_result_name(enum cache_result result);
/* Reads body's member "cache", {"mode","max_age_s"}; what it leaves out is as configured. False
 * with *error. */
MUST_CHECK bool cache_read_wish(struct cache_wish *wish, const cJSON *body,
                                const struct config *config, struct api_error *error);
/*
 * Fills in parameters from a checked request of /v1/chat/completions, whatever the order of its
 * members, without those that do not shape the answer, without the model, and, where it is short,
 * without the text of the message that is answered: those two are known apart. Where the answer
 * would be more than a text, as with logprobs, or memory ran out, mode becomes off.
 */
void cache_read_parameters(struct cache_wish *wish, struct span body);
/* The same for a message of /v1/chat, which has none unless it is long. */
void cache_read_message(struct cache_wish *wish, const char *message, size_t len);

#endif
