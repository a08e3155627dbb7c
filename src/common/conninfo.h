/* A connection string or URL of Postgres, looked at before anybody connects. */
#ifndef UPLIFT_CONNINFO_H
#define UPLIFT_CONNINFO_H

/* What is wrong with it, as libpq would find out when it connects at the latest; NULL when nothing
 * is. A static text, which repeats nothing of it: there may be a password in it. */
const char *conninfo_wrong(const char *text);

#endif
