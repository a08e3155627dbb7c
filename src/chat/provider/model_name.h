/*
 * The names that a model may have a price under: its own, and those of what it is a snapshot of.
 *
 * Providers answer with names such as gpt-4.1-mini-2025-04-14, claude-opus-4-1@20250805,
 * us.anthropic.claude-3-5-sonnet-20241022-v2:0 or openai/gpt-4o:nitro, and people set prices for
 * gpt-4.1-mini, claude-opus-4-1, claude-3-5-sonnet and gpt-4o. uplift.model_names() does the same
 * in SQL, and has the list of forms; t/sql/model_names.py compares the two.
 */
#ifndef UPLIFT_MODEL_NAME_H
#define UPLIFT_MODEL_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define MODEL_NAMES 64

struct model_name {
    const char *at; /* borrowed from the model's name; not NUL-terminated */
    size_t len;
    bool is_tuned; /* "ft:" goes before it */
};

/* Puts the names into out, best first: those of a fine-tuned model before its base model's, then
 * the longer before the shorter. Returns how many there are. */
size_t model_names(const char *model, struct model_name out[MODEL_NAMES]);
/* strcmp() of such a name and a text. */
int model_name_compare(const struct model_name *name, const char *text);

#endif
