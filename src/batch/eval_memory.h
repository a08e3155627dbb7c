/* fcgi-batch run eval-retrieval --memory: how well passages of earlier conversations are found, on
 * any set in LoCoMo's layout. */
#ifndef UPLIFT_EVAL_MEMORY_H
#define UPLIFT_EVAL_MEMORY_H

#include "common/pg.h"

/*
 * words: the file, a JSON array of samples (or one):
 *
 *   {"conversation": {"session_1_date_time": "1:56 pm on 8 May, 2023",
 *                     "session_1": [{"speaker", "dia_id", "text"}, ...], "session_2": ...},
 *    "qa": [{"question", "evidence": ["D1:3"], "category"}]}
 *
 * Each sample is one user, each session a conversation, each turn of it what the user said. Prints
 * the mean share of the evidence among the first 5 and 10 turns found, as JSON, and by category;
 * errors on stderr. What is written is rolled back. The exit status.
 */
int eval_memory(struct pg *pg, int count, char **words);

#endif
