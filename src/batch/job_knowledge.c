/*
 * import-knowledge: takes the files of a directory, a file, or pages of the web into knowledge.
 *
 * Each document is a transaction of its own: what is in is in, and a run after one that was stopped
 * finds it unchanged. Within a run it is kept which document was done last. A document that cannot
 * be read is named in the result, and the rest goes in.
 */
#include "kinds.h"

#include "common/json.h"
#include "common/utf8.h"
#include "knowledge/fetch.h"
#include "knowledge/files.h"
#include "knowledge/pdf.h"
#include "steps.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READING "1" /* raise it when files are read otherwise, so that they are read again */
#define KEEP_EVERY 50
#define PROBLEMS_MAX 100 /* that are named */
#define URLS_MAX 10000
#define NAME_BYTES 1000

const struct job_argument import_knowledge_arguments[] = {
    {"path", ARG_TEXT, false, NULL,
     "A directory or a file (.txt, .md, .html, .pdf), or one page: https://..."},
    {"urls", ARG_TEXT, false, NULL, "Or a file of pages, an address a line."},
    {"collection", ARG_TEXT, false, NULL,
     "What documents are imported as, and their names begin with; as the directory or the file of "
     "pages is called unless said."},
    {"source_type", ARG_TEXT, false,
     "usda_api|nutrition_research|fitness_guidelines|medical_database|recipe_database|faq|"
     "coaching_script|user_generated",
     "What they are."},
    {"coaches", ARG_TEXT, false, NULL, "Ids of coaches, separated by commas; all unless said."},
    {"topics", ARG_TEXT, false, NULL, "Topics, separated by commas."},
    {"audience", ARG_TEXT, false, NULL, "For whom they are."},
    {"reliability", ARG_NUMBER, false, NULL, "How far they are to be trusted, 0 to 10."},
    {"prune", ARG_BOOL, false, NULL,
     "Withdraw what was imported before and is not there any more."},
    {"host", ARG_TEXT, false, NULL,
     "The host that has the files; on the command line this one, else any."},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

/* What became of documents, as the result counts them. */
static const char *const outcomes[] = {"added",     "changed", "restored", "unchanged", "duplicate",
                                       "withdrawn", "failed",  "pruned",   "skipped"};

struct import {
    struct job *job;
    struct files files; /* of pages: their addresses, with root -1 */
    bool is_pages;
    char collection[202]; /* "" for none */
    cJSON *facts;         /* what all documents have */
    enum job_outcome outcome;
};

/* --- counting --- */

static void note_problem(struct import *im, const char *name, const char *reason)
{
    char text[NAME_BYTES + 1];
    cJSON *list = cJSON_GetObjectItemCaseSensitive(im->job->state, "problems");
    step_count(im->job->state, "failed", 1);
    if (list == NULL)
        list = cJSON_AddArrayToObject(im->job->state, "problems");
    if (cJSON_GetArraySize(list) >= PROBLEMS_MAX)
        return;
    cJSON *problem = cJSON_CreateObject();
    utf8_print(text, sizeof text, "%s", name);
    cJSON_AddStringToObject(problem, "name", text);
    utf8_print(text, sizeof text, "%s", reason);
    cJSON_AddStringToObject(problem, "reason", text);
    cJSON_AddItemToArray(list, problem);
}

/* --- what is asked for --- */

static cJSON *words_of(const char *text)
{
    cJSON *list = cJSON_CreateArray();
    for (const char *p = text; *p != '\0';) {
        char word[201];
        size_t n = strcspn(p, ","), from = strspn(p, " ");
        size_t end = n;
        while (end > from && p[end - 1] == ' ')
            end--;
        if (end > from && end - from < sizeof word) {
            utf8_print(word, sizeof word, "%.*s", (int)(end - from), p + from);
            cJSON_AddItemToArray(list, cJSON_CreateString(word));
        }
        p += n + (p[n] == ',');
    }
    return list;
}

static bool read_facts(struct import *im)
{
    static const char *const texts[] = {"source_type", "audience"};
    static const char *const lists[][2] = {{"coaches", "coach_ids"}, {"topics", "topics"}};
    const cJSON *arguments = im->job->arguments;
    double reliability = json_number(arguments, "reliability", -1);
    im->facts = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (json_string(arguments, texts[i]) != NULL)
            cJSON_AddStringToObject(im->facts, texts[i], json_string(arguments, texts[i]));
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (json_string(arguments, lists[i][0]) != NULL)
            cJSON_AddItemToObject(im->facts, lists[i][1],
                                  words_of(json_string(arguments, lists[i][0])));
    if (cJSON_HasObjectItem(arguments, "reliability")) {
        if (reliability < 0 || reliability > 10) {
            im->outcome = job_fail(im->job, "invalid_argument", "reliability must be 0 to 10");
            return false;
        }
        cJSON_AddNumberToObject(im->facts, "reliability", reliability);
    }
    return true;
}

/* Whether it was asked for on the command line, by who may read files anyway; else only what the
 * operator chose is read. */
static bool ask_who(struct import *im, bool *by_operator)
{
    static const struct pg_statement get = {
        .name = "admin_get_job", .sql = "select uplift_batch.admin_get_job($1)", .params = 1};
    cJSON *job = job_ask(im->job, &get, (const char *[]){im->job->id}, &im->outcome);
    const char *who = json_string(job, "requested_by");
    *by_operator = who != NULL && strcmp(who, "command line") == 0;
    bool good = job != NULL;
    cJSON_Delete(job);
    return good;
}

static bool open_files(struct import *im, struct files *files, const char *path)
{
    bool by_operator;
    const char *below = im->job->config->knowledge_dir;
    *files = (struct files){.root = -1};
    if (!ask_who(im, &by_operator))
        return false;
    if (!by_operator && below == NULL) {
        im->outcome = job_fail(im->job, "path_not_allowed",
                               "files are imported by URL only where UPLIFT_KNOWLEDGE_DIR is set, "
                               "and then from there");
        return false;
    }
    if (*path != '/')
        im->outcome = job_fail(im->job, "invalid_argument", "a path must begin with /");
    else if (!files_open(files, path, by_operator ? NULL : below))
        im->outcome = job_fail(im->job, "cannot_read", "%s", files->reason);
    else
        return true;
    return false;
}

static void name_collection(struct import *im, const char *path)
{
    const char *given = json_string(im->job->arguments, "collection");
    size_t len = strlen(path);
    if (given != NULL) {
        utf8_copy(im->collection, sizeof im->collection, given);
        return;
    }
    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t from = len;
    while (from > 0 && path[from - 1] != '/')
        from--;
    utf8_print(im->collection, sizeof im->collection, "%.*s", (int)(len - from), path + from);
}

/* The addresses of a list, each once, in order. */
static bool take_lines(struct import *im, char *text)
{
    struct files *pages = &im->files;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\r\n")) != NULL) {
        line += strspn(line, " \t");
        line[strcspn(line, " \t")] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        if (!json_utf8_valid(line, strlen(line))) {
            files_add_problem(pages, line, "it is not UTF-8");
            continue;
        }
        if (pages->count == URLS_MAX) {
            im->outcome = job_fail(im->job, "too_many_pages",
                                   "a list has at most %d addresses; part it", URLS_MAX);
            return false;
        }
        if (!files_add(pages, line)) {
            im->outcome = job_retry(im->job, "out_of_memory", "out of memory");
            return false;
        }
    }
    files_sort(pages);
    return true;
}

static bool read_list(struct import *im, const char *path)
{
    struct files list;
    struct buf text;
    char reason[200];
    buf_init(&text, (size_t)4 << 20);
    bool good = open_files(im, &list, path);
    if (good && (!list.is_single || !files_read(&list, 0, &text, reason))) {
        im->outcome = job_fail(im->job, "cannot_read", "%.200s: %s", path,
                               !list.is_single ? "it is no file" : reason);
        good = false;
    }
    good = good && take_lines(im, text.data);
    buf_release(&text);
    files_release(&list);
    return good;
}

/* A list of one. */
static bool read_page(struct import *im, const char *address)
{
    char *line = strdup(address);
    bool good = line != NULL && take_lines(im, line);
    if (line == NULL)
        im->outcome = job_retry(im->job, "out_of_memory", "out of memory");
    free(line);
    return good;
}

static bool find_documents(struct import *im)
{
    const char *path = json_string(im->job->arguments, "path");
    const char *urls = json_string(im->job->arguments, "urls");
    if ((path != NULL) == (urls != NULL)) {
        im->outcome = job_fail(im->job, "missing_argument", "one of path and urls is needed");
        return false;
    }
    bool is_page = path != NULL && strstr(path, "://") != NULL, good;
    im->is_pages = urls != NULL || is_page;
    if (is_page)
        good = read_page(im, path);
    else if (urls != NULL)
        good = read_list(im, urls);
    else
        good = open_files(im, &im->files, path);
    if (!good)
        return false;
    if (is_page || im->files.is_single)
        name_collection(im, "");
    else
        name_collection(im, urls != NULL ? urls : path);
    if (im->files.count > 0)
        return true;
    const struct files_problem *problem = im->files.problems;
    im->outcome =
        problem != NULL
            ? job_fail(im->job, "cannot_read", "%.100s: %s", problem->name, problem->reason)
            : job_fail(im->job, "nothing_found",
                       "there is nothing to import: text, Markdown, HTML and PDF are "
                       "taken (.txt, .md, .html, .pdf)");
    return false;
}

/* --- one document --- */

/* Of all that a document is made from: when it is the same, there is nothing to do. False when
 * memory ran out. */
static bool hash_of(const struct import *im, const struct buf *data, enum document_format format,
                    char out[33])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char kind[8];
    int len = snprintf(kind, sizeof kind, READING "%d", (int)format);
    char *facts = cJSON_PrintUnformatted(im->facts);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = facts != NULL && ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(ctx, kind, (size_t)len) == 1 &&
                EVP_DigestUpdate(ctx, facts, strlen(facts) + 1) == 1 &&
                EVP_DigestUpdate(ctx, data->data, data->len) == 1 &&
                EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    cJSON_free(facts);
    for (size_t i = 0; good && i < 16; i++) /* as many as a UUID has */
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return good;
}

/* A statement whose refusal is the document's fault; false when it was refused, or with an outcome
 * to end with. */
static bool ask(struct import *im, const struct pg_statement *statement, const char *const *values,
                PGresult **result, char reason[DOCUMENT_REASON_MAX + 1])
{
    struct pg *pg = im->job->pg;
    enum pg_outcome how = pg_call(pg, statement, values, result);
    if (how == PG_DONE)
        return true;
    if (how == PG_AWAY || pg_refused_for_now(pg))
        im->outcome = job_retry(im->job, "database_unavailable", "the database did not answer (%s)",
                                statement->name);
    else
        utf8_print(reason, DOCUMENT_REASON_MAX + 1, "the database refused it: %s",
                   pg_message_to_log(pg));
    return false;
}

/* The name without what comes before the last slash and after the last dot. */
static void title_of(const char *name, char *out, size_t room)
{
    const char *slash = strrchr(name, '/'), *from = slash != NULL ? slash + 1 : name;
    const char *dot = strrchr(from, '.');
    size_t len = dot != NULL && dot > from ? (size_t)(dot - from) : strlen(from);
    utf8_print(out, room, "%.*s", (int)len, from);
}

static char *describe(const struct import *im, const struct document *d, const char *name,
                      const char *hash)
{
    char title[DOCUMENT_TITLE_MAX + 1];
    cJSON *facts = cJSON_Duplicate(im->facts, true);
    cJSON_AddStringToObject(facts, im->is_pages ? "url" : "name", name);
    if (*d->title == '\0' && !im->is_pages)
        title_of(name, title, sizeof title);
    else
        utf8_copy(title, sizeof title, *d->title != '\0' ? d->title : name);
    cJSON_AddStringToObject(facts, "title", title);
    cJSON_AddStringToObject(facts, "file_hash", hash);
    if (*im->collection != '\0')
        cJSON_AddStringToObject(facts, "collection", im->collection);
    char *text = cJSON_PrintUnformatted(facts);
    cJSON_Delete(facts);
    return text;
}

static bool is_known(struct import *im, const char *name, const char *hash, bool *known,
                     char reason[DOCUMENT_REASON_MAX + 1])
{
    static const struct pg_statement has = {.name = "has_knowledge",
                                            .sql = "select uplift_batch.has_knowledge($1, $2, $3)",
                                            .params = 3};
    PGresult *result;
    const char *values[] = {im->is_pages ? name : NULL, im->is_pages ? NULL : name, hash};
    if (!ask(im, &has, values, &result, reason))
        return false;
    *known = *PQgetvalue(result, 0, 0) == 't';
    PQclear(result);
    return true;
}

static bool take(struct import *im, const struct document *d, const char *name, const char *hash,
                 char reason[DOCUMENT_REASON_MAX + 1])
{
    static const struct pg_statement statement = {
        .name = "take_knowledge",
        .sql = "select uplift_batch.take_knowledge($1, $2) ->> 'outcome'",
        .params = 2};
    PGresult *result;
    char *facts = describe(im, d, name, hash);
    bool good = facts != NULL &&
                ask(im, &statement, (const char *[]){facts, d->content.data}, &result, reason);
    cJSON_free(facts);
    if (!good)
        return false;
    step_count(im->job->state, PQgetvalue(result, 0, 0), 1);
    PQclear(result);
    return true;
}

/* Reads data, and takes what it says. False with the reason, or with an outcome to end with. */
static bool convert(struct import *im, const char *name, const struct buf *data,
                    enum document_format format, char reason[DOCUMENT_REASON_MAX + 1])
{
    struct document d;
    char hash[33];
    bool known = false, good;
    if (!hash_of(im, data, format, hash)) {
        im->outcome = job_retry(im->job, "out_of_memory", "out of memory");
        return false;
    }
    if (!is_known(im, name, hash, &known, reason))
        return false;
    if (known) {
        step_count(im->job->state, "unchanged", 1);
        return true;
    }
    document_init(&d);
    if (format == DOCUMENT_HTML)
        good = document_read_html(&d, data->data, data->len);
    else if (format == DOCUMENT_PDF)
        good = document_read_pdf(&d, data->data, data->len, im->job);
    else if (format == DOCUMENT_UNKNOWN)
        good = document_fail(&d, "text, Markdown, HTML and PDF are taken (.txt, .md, .html, .pdf)");
    else
        good = document_read_text(&d, data->data, data->len, format);
    if (!good)
        utf8_copy(reason, DOCUMENT_REASON_MAX + 1, d.reason);
    good = good && take(im, &d, name, hash, reason);
    document_release(&d);
    return good;
}

static bool take_page(struct import *im, const char *url, char reason[DOCUMENT_REASON_MAX + 1])
{
    struct page_fetched page;
    bool good = fetch_page(&page, url, im->job);
    if (!good)
        utf8_copy(reason, DOCUMENT_REASON_MAX + 1, page.reason);
    else if (page.body.len == 0)
        good = false, utf8_copy(reason, DOCUMENT_REASON_MAX + 1, "it is empty");
    else
        good = convert(im, url, &page.body, page.format, reason);
    fetch_release(&page);
    return good;
}

static bool take_file(struct import *im, size_t i, char reason[DOCUMENT_REASON_MAX + 1])
{
    struct buf data;
    char name[NAME_BYTES + 1], wrong[200];
    const char *file = im->files.names[i];
    buf_init(&data, DOCUMENT_FILE_MAX);
    utf8_print(name, sizeof name, "%s%s%s", im->collection, *im->collection != '\0' ? "/" : "",
               file);
    bool good = files_read(&im->files, i, &data, wrong);
    if (!good)
        utf8_copy(reason, DOCUMENT_REASON_MAX + 1, wrong);
    good = good && convert(im, name, &data, document_format_of_name(file), reason);
    buf_release(&data);
    return good;
}

/* --- all of them --- */

/* Counts what was left out when documents were looked for: once, however often the job goes on. */
static void note_left_out(struct import *im)
{
    const struct files *f = &im->files;
    size_t shown = f->problem_count < FILES_PROBLEMS_MAX ? f->problem_count : FILES_PROBLEMS_MAX;
    if (json_bool(im->job->state, "looked", false))
        return;
    cJSON_AddTrueToObject(im->job->state, "looked");
    for (size_t i = 0; f->problems != NULL && i < shown; i++)
        note_problem(im, f->problems[i].name, f->problems[i].reason);
    step_count(im->job->state, "failed",
               (double)(f->problem_count - (f->problems != NULL ? shown : 0)));
}

/* One document and what became of it, with its place in the state, so that whenever the state is
 * kept, both are. False, with the outcome, to end. */
static bool take_one(struct import *im, size_t i)
{
    struct job *j = im->job;
    char reason[DOCUMENT_REASON_MAX + 1] = "";
    const char *name = im->files.names[i];
    int64_t total = (int64_t)(im->files.count + im->files.problem_count);
    if (!job_progress(j, (int64_t)i, total, "%.200s", name)) {
        im->outcome = JOB_STOPPED;
        return false;
    }
    bool good = im->is_pages ? take_page(im, name, reason) : take_file(im, i, reason);
    if (im->outcome != JOB_DONE)
        return false;
    if (!good && !job_goes_on(j, 0)) { /* which may be why it was not read */
        im->outcome = JOB_STOPPED;
        return false;
    }
    if (!good)
        note_problem(im, name, *reason != '\0' ? reason : "out of memory");
    cJSON_DeleteItemFromObjectCaseSensitive(j->state, "after");
    cJSON_AddStringToObject(j->state, "after", name);
    return true;
}

static bool take_all(struct import *im)
{
    const char *kept = json_string(im->job->state, "after");
    char *after = kept != NULL ? strdup(kept) : NULL;
    size_t done = 0;
    im->outcome = JOB_DONE;
    if (kept != NULL && after == NULL)
        im->outcome = job_retry(im->job, "out_of_memory", "out of memory");
    note_left_out(im);
    for (size_t i = 0; im->outcome == JOB_DONE && i < im->files.count; i++) {
        if (after != NULL && strcmp(im->files.names[i], after) <= 0)
            continue;
        if (take_one(im, i) && ++done % KEEP_EVERY == 0 && !job_save(im->job))
            im->outcome = JOB_STOPPED;
    }
    free(after);
    return im->outcome == JOB_DONE;
}

/* Whether a document of the collection is among those found. */
static bool is_there(const struct import *im, const char *name, const char *url)
{
    size_t len = strlen(im->collection);
    if (im->is_pages)
        return files_have(&im->files, url);
    return strncmp(name, im->collection, len) == 0 && name[len] == '/' &&
           files_have(&im->files, name + len + 1);
}

static bool withdraw(struct import *im, struct buf *ids)
{
    static const struct pg_statement statement = {
        .name = "prune_knowledge", .sql = "select uplift_batch.prune_knowledge($1)", .params = 1};
    PGresult *result;
    if (!buf_putc(ids, '}')) {
        im->outcome = job_retry(im->job, "out_of_memory", "out of memory");
        return false;
    }
    if (!job_query(im->job, &statement, (const char *[]){ids->data}, &result, &im->outcome))
        return false;
    step_count(im->job->state, "pruned", strtod(PQgetvalue(result, 0, 0), NULL));
    PQclear(result);
    return true;
}

/* Before anything is taken, so that what was only renamed is not found to be there already. */
static bool prune(struct import *im)
{
    static const struct pg_statement list = {
        .name = "list_collection",
        .sql = "select id, name, url from uplift_batch.list_collection($1, $2)",
        .params = 2};
    char after[UUID_TEXT + 1] = "";
    if (!json_bool(im->job->arguments, "prune", false) ||
        json_string(im->job->state, "after") != NULL)
        return true;
    if (*im->collection == '\0') {
        im->outcome = job_fail(im->job, "invalid_argument",
                               "prune goes with a directory, a file of pages, or a collection");
        return false;
    }
    if (im->files.is_partial) {
        im->outcome =
            job_fail(im->job, "cannot_read",
                     "part of the directory cannot be read, so that what is gone is not known: "
                     "nothing is pruned, and nothing was imported");
        return false;
    }
    for (;;) {
        PGresult *rows;
        struct buf ids;
        const char *values[] = {im->collection, *after != '\0' ? after : NULL};
        if (!job_query(im->job, &list, values, &rows, &im->outcome))
            return false;
        int count = PQntuples(rows);
        buf_init(&ids, (size_t)64 * 1024);
        for (int i = 0; i < count; i++) {
            const char *url = PQgetisnull(rows, i, 2) ? "" : PQgetvalue(rows, i, 2);
            if (!is_there(im, PQgetvalue(rows, i, 1), url))
                buf_printf(&ids, "%c%s", ids.len == 0 ? '{' : ',', PQgetvalue(rows, i, 0));
            utf8_copy(after, sizeof after, PQgetvalue(rows, i, 0));
        }
        PQclear(rows);
        bool good = ids.len == 0 || withdraw(im, &ids);
        buf_release(&ids);
        if (!good || count == 0)
            return good;
    }
}

static void tell(struct import *im)
{
    struct job *j = im->job;
    size_t documents = im->files.count + im->files.problem_count;
    cJSON_AddNumberToObject(j->result, "documents", (double)documents);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        cJSON_AddNumberToObject(j->result, outcomes[i],
                                strcmp(outcomes[i], "skipped") == 0
                                    ? (double)im->files.skipped
                                    : json_number(j->state, outcomes[i], 0));
    cJSON *problems = cJSON_DetachItemFromObjectCaseSensitive(j->state, "problems");
    cJSON_AddItemToObject(j->result, "problems", problems != NULL ? problems : cJSON_CreateArray());
    job_progress(j, (int64_t)documents, (int64_t)documents, "%.0f could not be read",
                 json_number(j->state, "failed", 0));
}

/* Where nothing at all could be read, there is no result to look for it in. */
static enum job_outcome judge(struct import *im)
{
    const cJSON *problems = cJSON_GetObjectItemCaseSensitive(im->job->state, "problems");
    const cJSON *first = cJSON_GetArrayItem(problems, 0);
    if (im->files.count + im->files.problem_count != 1 || first == NULL) {
        tell(im);
        return JOB_DONE;
    }
    return job_fail(im->job, "cannot_read", "%.150s: %s", json_string(first, "name"),
                    json_string(first, "reason"));
}

enum job_outcome job_import_knowledge(struct job *j)
{
    struct import im = {.job = j, .files.root = -1, .outcome = JOB_DONE};
    const char *host = json_string(j->arguments, "host");
    if (host != NULL)
        utf8_copy(j->host, sizeof j->host, host);
    enum job_outcome outcome = read_facts(&im) && find_documents(&im) && prune(&im) && take_all(&im)
                                   ? judge(&im)
                                   : im.outcome;
    files_release(&im.files);
    cJSON_Delete(im.facts);
    return outcome;
}
