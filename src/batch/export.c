/* Datasets as files for trainers: the pages, their check, and what is handed out. */
#include "export.h"

#include "common/utf8.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES "1500000" /* of text, about: two pages wait at most */
#define NUMBER_TEXT 32

/* A page on its way from the thread that reads to the one that checks. */
struct reading {
    struct pg *pg;
    const struct export_request *request;
    const struct export_result *looked;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    PGresult *page; /* read and not yet taken; NULL: none */
    bool has_ended; /* no more will come; outcome says why */
    bool is_stopped;
    enum pg_outcome outcome;
    PGresult *refusal; /* owned */
};

static void quality_text(char out[NUMBER_TEXT], double quality)
{
    snprintf(out, NUMBER_TEXT, "%.10g", quality);
}

/* The error of a call that did not go well. */
static enum export_outcome fail(enum pg_outcome outcome, const PGresult *refusal, const char *what,
                                struct api_error *error)
{
    if (outcome == PG_REFUSED) {
        pg_api_error(refusal, what, error);
        return EXPORT_REFUSED;
    }
    api_error(error, 503, "database_unavailable", "",
              "the database does not answer at the moment; try again shortly");
    return EXPORT_AWAY;
}

enum export_outcome export_look(struct pg *pg, const struct export_request *request,
                                struct export_result *result, struct api_error *error)
{
    static const struct pg_statement statement = {
        .name = "export_head",
        .sql = "select dataset_id, version_id, etag, examples, tokens, left_out "
               "from uplift_batch.export_head($1, $2, $3, $4)",
        .params = 4};
    char quality[NUMBER_TEXT];
    PGresult *row = NULL;
    quality_text(quality, request->min_quality);
    memset(result, 0, sizeof *result);
    enum pg_outcome outcome = pg_call(
        pg, &statement,
        (const char *[]){request->target, format_name(request->format), request->split, quality},
        &row);
    if (outcome != PG_DONE) {
        PGresult *refusal = outcome == PG_REFUSED ? pg_take_refusal(pg) : NULL;
        enum export_outcome failed = fail(outcome, refusal, statement.name, error);
        PQclear(refusal);
        return failed;
    }
    snprintf(result->dataset, sizeof result->dataset, "%s", PQgetvalue(row, 0, 0));
    snprintf(result->version, sizeof result->version, "%s", PQgetvalue(row, 0, 1));
    snprintf(result->etag, sizeof result->etag, "%s", PQgetvalue(row, 0, 2));
    result->announced = strtoll(PQgetvalue(row, 0, 3), NULL, 10);
    result->announced_tokens = strtoll(PQgetvalue(row, 0, 4), NULL, 10);
    result->missing = strtoll(PQgetvalue(row, 0, 5), NULL, 10);
    PQclear(row);
    return EXPORT_DONE;
}

/* Columns of a page. */
enum { LINES, LINE_COUNT, LAST_ID };

/* --- the thread that reads --- */

/* Hands a page over once the one before was taken. False: nobody wants it. */
static bool hand_over(struct reading *r, PGresult *page)
{
    pthread_mutex_lock(&r->lock);
    while (r->page != NULL && !r->is_stopped)
        pthread_cond_wait(&r->changed, &r->lock);
    bool wanted = !r->is_stopped;
    if (wanted)
        r->page = page;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (!wanted)
        PQclear(page);
    return wanted;
}

static void *read_main(void *arg)
{
    static const struct pg_statement statement = {
        .name = "export_page",
        .sql = "select * from uplift_batch.export_page($1, $2, $3, $4, $5, $6, " PAGE_BYTES ")",
        .params = 6};
    struct reading *r = arg;
    char quality[NUMBER_TEXT], after[UUID_TEXT + 1] = "";
    enum pg_outcome outcome;
    bool goes_on = true;
    quality_text(quality, r->request->min_quality);
    while (goes_on) {
        PGresult *page = NULL;
        const char *values[] = {r->looked->dataset,
                                *r->looked->version != '\0' ? r->looked->version : NULL,
                                format_name(r->request->format),
                                r->request->split,
                                quality,
                                *after != '\0' ? after : NULL};
        outcome = pg_call(r->pg, &statement, values, &page);
        if (outcome != PG_DONE) {
            r->refusal = outcome == PG_REFUSED ? pg_take_refusal(r->pg) : NULL;
            break;
        }
        if (PQntuples(page) == 0) {
            PQclear(page);
            break;
        }
        snprintf(after, sizeof after, "%s", PQgetvalue(page, 0, LAST_ID));
        goes_on = hand_over(r, page);
    }
    pthread_mutex_lock(&r->lock);
    r->has_ended = true;
    r->outcome = outcome;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* --- the thread that checks --- */

static PGresult *next_page(struct reading *r)
{
    pthread_mutex_lock(&r->lock);
    while (r->page == NULL && !r->has_ended)
        pthread_cond_wait(&r->changed, &r->lock);
    PGresult *page = r->page;
    r->page = NULL;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return page;
}

static void leave_out(struct export_result *result, const char *why)
{
    if (result->left_out++ == 0)
        utf8_copy(result->why_left_out, sizeof result->why_left_out, why);
}

/*
 * Checks each line of a page and hands it out. Lines that the reader has already are counted
 * after the check, because those that broke the rules never reached it; *skip says how many are
 * left. False: the sink wants no more.
 */
static bool hand_out(enum export_format format, const PGresult *page, int64_t *skip,
                     export_sink sink, void *arg, struct export_result *result)
{
    const char *text = PQgetvalue(page, 0, LINES), *end = text + PQgetlength(page, 0, LINES);
    int64_t expected = strtoll(PQgetvalue(page, 0, LINE_COUNT), NULL, 10);
    char wrong[sizeof result->why_left_out];
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t line_len = (size_t)(stop - text); /* every line ends so: JSON has no bare \n */
        int64_t tokens;
        if (!format_check_line(format, text, line_len, &tokens, wrong, sizeof wrong)) {
            leave_out(result, wrong);
        } else if (*skip > 0) {
            (*skip)--;
        } else {
            if (!sink(arg, text, line_len + 1))
                return false;
            result->examples++;
            result->tokens += tokens;
            result->bytes += (int64_t)line_len + 1;
        }
        expected--;
        text = stop + 1;
    }
    while (expected-- > 0)
        leave_out(result, "a part of the example is missing");
    return true;
}

enum export_outcome export_lines(struct pg *pg, const struct export_request *request,
                                 export_sink sink, void *arg, struct export_result *result,
                                 struct api_error *error)
{
    const struct export_result looked = *result;
    struct reading r = {.pg = pg, .request = request, .looked = &looked};
    pthread_t thread;
    PGresult *page;
    bool wanted = true;
    int64_t skip = request->skip;
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.changed, NULL);
    if (pthread_create(&thread, NULL, read_main, &r) != 0) {
        api_error(error, 503, "out_of_memory", "", "the server is out of threads; try again");
        return EXPORT_AWAY;
    }
    while (wanted && (page = next_page(&r)) != NULL) {
        wanted = hand_out(request->format, page, &skip, sink, arg, result);
        PQclear(page);
    }
    pthread_mutex_lock(&r.lock);
    r.is_stopped = true;
    pthread_cond_broadcast(&r.changed);
    pthread_mutex_unlock(&r.lock);
    pthread_join(thread, NULL);
    enum export_outcome outcome = EXPORT_DONE;
    if (!wanted)
        outcome = EXPORT_STOPPED;
    else if (r.outcome != PG_DONE)
        outcome = fail(r.outcome, r.refusal, "export_page", error);
    PQclear(r.page);
    PQclear(r.refusal);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    return outcome;
}

enum export_outcome export_run(struct pg *pg, const struct export_request *request,
                               export_sink sink, void *arg, struct export_result *result,
                               struct api_error *error)
{
    enum export_outcome outcome = export_look(pg, request, result, error);
    return outcome == EXPORT_DONE ? export_lines(pg, request, sink, arg, result, error) : outcome;
}
