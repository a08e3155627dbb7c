/* fcgi-batch run simulate-experiments: whether what experiments are judged by keeps its promises,
 * on made-up users. Needs neither a database nor a configuration. */
#ifndef UPLIFT_SIMULATE_EXPERIMENTS_H
#define UPLIFT_SIMULATE_EXPERIMENTS_H

/*
 * words: --experiments N of each kind, --days N, --users N (both arms together), --seed N,
 * --threads N,
 * --quick for fewer of all, --json. The same seed and numbers give the same figures, with any
 * number of threads. Prints the table, or JSON; progress, errors and goals that were missed on
 * stderr. The exit status: 1 when one was missed.
 */
int simulate_experiments(int count, char **words);

#endif
