/* A private Postgres cluster for one test program: its own directory, reached by a Unix socket
 * only. */
#ifndef UPLIFT_TEST_CLUSTER_H
#define UPLIFT_TEST_CLUSTER_H

#include <libpq-fe.h>
#include <stdbool.h>

struct cluster {
    char dir[64];
    char conninfo[192]; /* superuser, database postgres */
};

/* Makes and starts one, as user postgres when this is root. False when that failed, with the log's
 * path printed. */
bool cluster_start(struct cluster *c);
/* pg_ctl stop in "fast" or "immediate" mode; starting it again. */
bool cluster_stop(struct cluster *c, const char *mode);
bool cluster_restart(struct cluster *c);
/* Sends a signal to the postmaster and all its children, for SIGSTOP and SIGCONT. */
void cluster_signal(struct cluster *c, int number);
/* Stops it and removes its directory. */
void cluster_remove(struct cluster *c);

/* A connection for the test itself. Fails the test when there is none. */
PGconn *cluster_connect(const struct cluster *c);
/* Runs sql and fails the test on an error. */
void cluster_run(PGconn *conn, const char *sql);
/* The first value of a query as a number. */
long cluster_count(PGconn *conn, const char *sql);

#endif
