/* The figures a provider reports of what an answer took, whatever it calls them. */
#ifndef UPLIFT_USAGE_H
#define UPLIFT_USAGE_H

#include "common/json_scan.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stdint.h>

/* More tokens than any model takes in or gives out; what reports more is not believed. */
#define USAGE_MAX INT64_C(100000000)

/* Tokens; cached ones are part of prompt, and reasoning is part of completion. */
struct usage {
    int64_t prompt, completion, cached;
};

/*
 * Takes over the figures of a usage object: those it lacks, or reports as 0, stay as they are.
 * False, with nothing taken, when it is no object, or reports no tokens in, now or before, or ones
 * that cannot be: below 0, or above USAGE_MAX. After a true cached is at most prompt.
 *
 * Names that are known: OpenAI's, of chat completions (prompt_tokens, completion_tokens and their
 * _details) and of responses (input_tokens, output_tokens); DeepSeek's prompt_cache_hit_tokens and
 * prompt_cache_miss_tokens; cached_tokens beside the others (Moonshot) and num_cached_tokens;
 * Anthropic's cache_read_input_tokens and cache_creation_input_tokens, which its input_tokens do
 * not include. xAI, and Gemini's endpoint for OpenAI's clients, leave reasoning out of
 * completion_tokens and put it into total_tokens: what the total has beyond prompt and completion
 * is output.
 */
MUST_CHECK bool usage_read(struct span object, struct usage *usage);

#endif
