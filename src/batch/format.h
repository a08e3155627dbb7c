/*
 * The formats that trainers read, and the check that a line of such a file keeps its rules.
 *
 * - openai: {"messages": [...]}, for supervised fine-tuning. OpenAI's guide to it, and what TRL,
 *   Axolotl, LLaMA-Factory, Together and Fireworks read as well.
 * - openai-dpo: {"input": {"messages"}, "preferred_output", "non_preferred_output"}. OpenAI's guide
 *   to direct preference optimization; Together and Fireworks take it, too.
 * - trl-dpo: {"prompt", "chosen", "rejected"}. TRL's dataset formats, conversational preference.
 * - trl-kto: {"prompt", "completion", "label"}. TRL's dataset formats, unpaired preference.
 */
#ifndef UPLIFT_BATCH_FORMAT_H
#define UPLIFT_BATCH_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum export_format { EXPORT_OPENAI, EXPORT_OPENAI_DPO, EXPORT_TRL_DPO, EXPORT_TRL_KTO };
#define EXPORT_FORMATS 4
#define FORMAT_NAMES "openai|openai-dpo|trl-dpo|trl-kto"

/* What a trainer's context takes of one example (OpenAI's for gpt-4o and gpt-4.1); longer ones are
 * cut there, so that the model would learn to break off. */
#define FORMAT_EXAMPLE_TOKENS_MAX 65536
/* The least that OpenAI trains on; nobody should try with less elsewhere. */
#define FORMAT_EXAMPLES_MIN 10
/* OpenAI's limit of a file. */
#define FORMAT_OPENAI_FILE_BYTES_MAX (512LL * 1024 * 1024)

const char *format_name(enum export_format format);
/* False when there is no format of that name. */
bool format_find(const char *name, enum export_format *out);

/*
 * Checks one line, without its end, against the format's rules. *tokens is its size as a trainer
 * counts, estimated: four bytes of text a token, and four tokens a message. False with what is
 * wrong, in words that name the place.
 */
bool format_check_line(enum export_format format, const char *line, size_t len, int64_t *tokens,
                       char *wrong, size_t room);

#endif
