#include "cluster.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs a shell command as the user that may run Postgres. */
static bool as_postgres(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool as_postgres(const char *format, ...)
{
    char command[1024], whole[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    snprintf(whole, sizeof whole,
             geteuid() == 0 ? "cd / && runuser -u postgres -- sh -c '%s' >/dev/null 2>&1"
                            : "sh -c '%s' >/dev/null 2>&1",
             command);
    return system(whole) == 0;
}

static const char *programs(void)
{
    static char dir[256];
    FILE *p = popen("pg_config --bindir", "r");
    if (p == NULL || fgets(dir, sizeof dir, p) == NULL)
        strcpy(dir, "/usr/lib/postgresql/15/bin");
    if (p != NULL)
        pclose(p);
    dir[strcspn(dir, "\n")] = '\0';
    return dir;
}

bool cluster_restart(struct cluster *c)
{
    return as_postgres(
        "%s/pg_ctl -w -D %s/data -l %s/log -o \"-k %s -c listen_addresses= -c fsync=off "
        "-c logging_collector=off\" start",
        programs(), c->dir, c->dir, c->dir);
}

bool cluster_start(struct cluster *c)
{
    strcpy(c->dir, "/tmp/uplift-pg-XXXXXX");
    if (mkdtemp(c->dir) == NULL || chmod(c->dir, 0777) != 0)
        return false;
    snprintf(c->conninfo, sizeof c->conninfo, "host=%s user=tester dbname=postgres", c->dir);
    if (as_postgres("%s/initdb -A trust -U tester -N -D %s/data", programs(), c->dir) &&
        cluster_restart(c))
        return true;
    print_error("cannot start Postgres, see %s/log\n", c->dir);
    return false;
}

bool cluster_stop(struct cluster *c, const char *mode)
{
    return as_postgres("%s/pg_ctl -w -D %s/data -m %s stop", programs(), c->dir, mode);
}

static long postmaster(const struct cluster *c)
{
    char path[128];
    long pid = 0;
    snprintf(path, sizeof path, "%s/data/postmaster.pid", c->dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld", &pid), 1);
    fclose(f);
    return pid;
}

void cluster_signal(struct cluster *c, int number)
{
    long parent = postmaster(c);
    DIR *d = opendir("/proc");
    assert_non_null(d);
    kill((pid_t)parent, number);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[300], line[512];
        long pid = strtol(e->d_name, NULL, 10), its_parent = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *f = pid > 0 ? fopen(path, "r") : NULL;
        if (f == NULL)
            continue;
        char *after = fgets(line, sizeof line, f) != NULL ? strrchr(line, ')') : NULL;
        if (after != NULL && sscanf(after + 1, " %*c %ld", &its_parent) == 1 &&
            its_parent == parent)
            kill((pid_t)pid, number);
        fclose(f);
    }
    closedir(d);
}

void cluster_remove(struct cluster *c)
{
    char command[128];
    cluster_stop(c, "immediate");
    snprintf(command, sizeof command, "rm -rf %s", c->dir);
    if (system(command) != 0)
        print_error("%s stays\n", c->dir);
}

PGconn *cluster_connect(const struct cluster *c)
{
    PGconn *conn = PQconnectdb(c->conninfo);
    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    return conn;
}

void cluster_run(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s\n%s", sql, PQerrorMessage(conn));
}

long cluster_count(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) < 1)
        fail_msg("%s\n%s", sql, PQerrorMessage(conn));
    long value = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}
