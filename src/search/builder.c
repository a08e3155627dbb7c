/* The builder's process: waits for the lock, and goes round the shelves each second. */
#include "builder.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/pg.h"
#include "shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUND_MS 1000
#define PAUSE_MS 5000 /* after what will not be better at once */
#define CALL_MS 30000
#define ROWS_A_ROUND                                                                               \
    2000 /* of the log that are read again and again: more rarely if there are more */
#define ROUND_MAX_MS 30000
#define TRIM_EVERY_MS 3600000
#define ASK_EVERY 10 /* rounds of waiting for another builder: which database it is of */
#define NICE 10      /* chats go first */

const char *const shelf_names[SHELVES] = {"knowledge", "examples"};

static bool is_told; /* to end */

/* Waits so many ms for a signal to end; whether it has come. */
static bool wait_told(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR2);
    if (!is_told && sigtimedwait(&set, NULL, &t) > 0)
        is_told = true;
    return is_told;
}

static bool must_stop(void)
{
    return wait_told(0);
}

static bool make_dir(const char *dir)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s", dir) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char *p = path + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Moves the time of the file that workers see how old copies are by. */
static void show_life(const char *dir)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/" BUILDER_ALIVE, dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || futimens(fd, NULL) != 0)
        log_warn("search", "could not touch %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

struct builder {
    const char *dir;
    int lock; /* the file that is locked, and says of which database the copies are */
    struct shelf_tools tools;
    struct shelf shelves[SHELVES];
    bool
        is_elsewhere; /* the builder that has the lock is of another database, and that is logged */
    bool is_begun;    /* Postgres has told its origin since it was away */
    enum shelf_outcome last;
    int64_t trim_ms;
};

/* Asks which database this is. */
static enum shelf_outcome ask_origin(struct builder *b, char origin[ORIGIN_SIZE])
{
    static const struct pg_statement start = {
        .name = "search_start", .sql = "select uplift_search.start()", .params = 0};
    PGresult *result = NULL;
    switch (pg_call(b->tools.pg, &start, NULL, &result)) {
    case PG_AWAY:
        return SHELF_AWAY;
    case PG_REFUSED:
        log_error("search",
                  "Postgres refused the builder of copies: %s; is "
                  "UPLIFT_SEARCH_DATABASE_URL for role uplift_search, and sql/install.sql "
                  "of this version installed?",
                  pg_message_to_log(b->tools.pg));
        return SHELF_REFUSED;
    case PG_DONE:
        break;
    }
    snprintf(origin, ORIGIN_SIZE, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return SHELF_DONE;
}

/* Tells builders that wait for the lock which database the copies are of. */
static void show_origin(const struct builder *b)
{
    ssize_t len = (ssize_t)strlen(b->tools.origin);
    if (ftruncate(b->lock, 0) != 0 || pwrite(b->lock, b->tools.origin, (size_t)len, 0) != len)
        log_warn("search", "could not write into %s/lock: %s", b->dir, strerror(errno));
}

/* Copies of another database, or of one that was restored, are built anew. */
static enum shelf_outcome begin(struct builder *b)
{
    char origin[ORIGIN_SIZE];
    enum shelf_outcome outcome = ask_origin(b, origin);
    if (outcome != SHELF_DONE)
        return outcome;
    b->is_begun = true;
    if (strcmp(origin, b->tools.origin) == 0)
        return SHELF_DONE;
    memcpy(b->tools.origin, origin, sizeof origin);
    show_origin(b);
    for (int i = 0; i < SHELVES; i++) {
        shelf_release(&b->shelves[i]);
        shelf_init(&b->shelves[i], shelf_names[i], b->dir);
        shelf_open(&b->shelves[i], &b->tools);
    }
    return SHELF_DONE;
}

/* While another builder has the lock: whether its copies are of another database than ours. */
static bool is_elsewhere(struct builder *b)
{
    char ours[ORIGIN_SIZE], theirs[ORIGIN_SIZE];
    ssize_t len = pread(b->lock, theirs, sizeof theirs - 1, 0);
    if (len <= 0 || ask_origin(b, ours) != SHELF_DONE)
        return false; /* it has not begun, or that cannot be told */
    theirs[len] = '\0';
    return strcmp(ours, theirs) != 0;
}

/* Said at first, and once more where the other one's copies will be of no use to our workers. */
static void say_what_it_waits_for(struct builder *b, int waited)
{
    if (waited == 0)
        log_info("search", "another builder is at work in %s: waiting for it to end", b->dir);
    if (waited % ASK_EVERY == 0 && !b->is_elsewhere && is_elsewhere(b)) {
        log_warn("search",
                 "the builder at work in %s is that of another database: nothing is found for "
                 "chats here; each deployment needs a UPLIFT_SEARCH_DIR of its own",
                 b->dir);
        b->is_elsewhere = true;
    }
}

/* Opens the file and locks it once no other builder has it; false when told to end meanwhile, or it
 * cannot be. */
static bool take_lock(struct builder *b)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/lock", b->dir);
    b->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (b->lock < 0) {
        log_error("search", "could not open %s: %s", path, strerror(errno));
        return false;
    }
    for (int waited = 0; flock(b->lock, LOCK_EX | LOCK_NB) != 0; waited++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            log_error("search", "could not lock %s: %s", path, strerror(errno));
            return false;
        }
        say_what_it_waits_for(b, waited);
        if (wait_told(ROUND_MS))
            return false;
    }
    return true;
}

static void trim(struct builder *b)
{
    static const struct pg_statement trim_log = {
        .name = "search_trim", .sql = "select uplift_search.trim_log()", .params = 0};
    PGresult *result = NULL;
    if (clock_ms() < b->trim_ms)
        return;
    b->trim_ms = clock_ms() + TRIM_EVERY_MS;
    if (pg_call(b->tools.pg, &trim_log, NULL, &result) == PG_DONE)
        PQclear(result);
}

/* What is wrong with one shelf does not keep the others back. */
static enum shelf_outcome follow_all(struct builder *b)
{
    enum shelf_outcome worst = SHELF_DONE;
    for (int i = 0; i < SHELVES; i++) {
        enum shelf_outcome outcome = shelf_follow(&b->shelves[i], &b->tools);
        if (outcome == SHELF_AWAY || outcome == SHELF_STOPPED)
            return outcome;
        if (outcome != SHELF_DONE)
            worst = outcome;
    }
    return worst;
}

/* Only when all shelves are up to date are the copies as young as that: chats do not use those that
 * are older than the log goes back. */
static enum shelf_outcome go_round(struct builder *b)
{
    enum shelf_outcome outcome = b->is_begun ? SHELF_DONE : begin(b);
    if (outcome == SHELF_DONE)
        outcome = follow_all(b);
    if (outcome == SHELF_DONE) {
        show_life(b->dir);
        trim(b);
    }
    return outcome;
}

static void note(struct builder *b, enum shelf_outcome outcome)
{
    if (outcome == SHELF_AWAY) {
        b->is_begun = false;
        if (b->last != SHELF_AWAY)
            log_warn("search", "Postgres is away: copies stay as they are");
    } else if (outcome == SHELF_DONE && b->last == SHELF_AWAY) {
        log_info("search", "Postgres is back: copies are kept up to date again");
    }
    b->last = outcome;
}

/* A transaction that lasts holds the horizon back, and all since is read in each round. */
static int64_t round_ms(const struct builder *b)
{
    size_t seen = 0;
    for (int i = 0; i < SHELVES; i++)
        seen += b->shelves[i].seen_count;
    int64_t ms = ROUND_MS * (1 + (int64_t)seen / ROWS_A_ROUND);
    return ms < ROUND_MAX_MS ? ms : ROUND_MAX_MS;
}

static void work(struct builder *b)
{
    while (!must_stop()) {
        enum shelf_outcome outcome = go_round(b);
        note(b, outcome);
        bool will_pass = outcome == SHELF_DONE || outcome == SHELF_AWAY;
        (void)wait_told(will_pass ? round_ms(b) : PAUSE_MS);
    }
}

int builder_run(const char *database, const char *dir)
{
    struct builder b = {.dir = dir, .lock = -1, .tools.must_stop = must_stop};
    int status = EXIT_FAILURE;
    if (!make_dir(dir)) {
        log_error("search", "could not make %s: %s", dir, strerror(errno));
        return status;
    }
    (void)setpriority(PRIO_PROCESS, 0, NICE);
    for (int i = 0; i < SHELVES; i++)
        shelf_init(&b.shelves[i], shelf_names[i], dir);
    b.tools.pg = pg_new(database, "uplift search", CALL_MS, 0);
    b.tools.finder = word_finder_new();
    if (b.tools.pg == NULL || b.tools.finder == NULL) {
        log_error("search", "out of memory");
    } else if (take_lock(&b)) {
        log_info("search", "building copies in %s", dir);
        work(&b);
        status = EXIT_SUCCESS;
    } else if (is_told) {
        status = EXIT_SUCCESS;
    }
    for (int i = 0; i < SHELVES; i++)
        shelf_release(&b.shelves[i]);
    word_finder_free(b.tools.finder);
    pg_free(b.tools.pg);
    if (b.lock >= 0)
        close(b.lock);
    return status;
}
