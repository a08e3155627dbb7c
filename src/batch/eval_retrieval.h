/* fcgi-batch run eval-retrieval: how well retrieval finds what it should, on any set that comes in
 * BEIR's layout. Needs no database. */
#ifndef UPLIFT_EVAL_RETRIEVAL_H
#define UPLIFT_EVAL_RETRIEVAL_H

#include "common/config.h"

/*
 * words: the directory with corpus.jsonl ({"_id", "title", "text"}), queries.jsonl ({"_id",
 * "text"}) and qrels/test.tsv (query, text and grade, after a line of headings), and --language
 * CODE for that of all texts; with --embeddings also what UPLIFT_EMBEDDINGS_URL finds, and both
 * ranked together, as chats have them but for what is left out of prompts as too far off. config
 * may be NULL without --embeddings. Prints the figures as JSON, progress and errors on stderr; the
 * exit status.
 */
int eval_retrieval(const struct config *config, int count, char **words);

#endif
