/*
 * embed-knowledge: makes embeddings of the pieces of knowledge that have none of the configured
 * model, by UPLIFT_EMBEDDINGS_URL.
 *
 * A step is a request of up to EMBEDDING_TEXTS_MAX pieces, and what it brought is in the database
 * before the next one: a run that was stopped is gone on with, and none is paid for twice. Where
 * the server does not take a request, its halves are tried, and a piece that it does not take alone
 * is left out, and left alone for longer and longer. Once all others have an embedding, those of
 * other models go.
 */
#include "embedding_server.h"
#include "kinds.h"
#include "steps.h"

#include "common/embedding.h"
#include "common/json.h"

#include <stdio.h>
#include <string.h>

#define REFUSED_MAX 3  /* pieces in a row, before it is looked whether any text will do */
#define LOGGED_MAX 100 /* pieces left out that the job's history names */
#define ANY_TEXT "knowledge"
#define REFUSED_ROOM ((size_t)EMBEDDING_TEXTS_MAX * 2048)
#define KEEP_ROOM                                                                                  \
    ((size_t)EMBEDDING_TEXTS_MAX * ((size_t)EMBEDDING_DIMENSIONS_MAX * EMBEDDING_NUMBER_MAX + 64))

struct embedding_run {
    struct job *job;
    int dimensions;          /* of the embeddings there are; 0: there are none */
    char asked[STEP_NUMBER]; /* how many numbers they are to have; "": as many as the model gives */
    char set[STEP_NUMBER];   /* "": there is none */
    int64_t missing;         /* pieces, when it began */
    bool takes_some;         /* the server took a text since */
    int refused_in_a_row;    /* pieces */
    int left_out;            /* of the pieces of this step */
    struct buf refused;      /* those, as uplift_batch.refuse_embeddings() reads them */
    enum job_outcome outcome; /* once it does not go on */
};

/* A piece of knowledge. */
struct piece {
    double id;
    const char *text;
};

static bool end_with(struct embedding_run *run, enum job_outcome outcome)
{
    run->outcome = outcome;
    return false;
}

static const char *or_null(const char *text)
{
    return *text != '\0' ? text : NULL;
}

/* --- asking --- */

/* Whether vectors of this length belong to those there are, and are what was asked for. */
static bool check_dimensions(struct embedding_run *run, int dimensions)
{
    int wanted = (int)run->job->config->embeddings_dimensions;
    if (wanted != 0 && dimensions != wanted)
        return end_with(run, job_fail(run->job, "wrong_dimensions",
                                      "%s made embeddings of %d numbers, and "
                                      "UPLIFT_EMBEDDINGS_DIMENSIONS is %d",
                                      run->job->config->embeddings_model, dimensions, wanted));
    if (run->dimensions != 0 && dimensions != run->dimensions)
        return end_with(
            run,
            job_fail(run->job, "wrong_dimensions",
                     "%s made embeddings of %d numbers, and those there are have %d: with "
                     "UPLIFT_EMBEDDINGS_DIMENSIONS=%d all are made anew",
                     run->job->config->embeddings_model, dimensions, run->dimensions, dimensions));
    run->dimensions = dimensions;
    return true;
}

static enum embedding_outcome ask_counted(struct embedding_run *run, const char *const *texts,
                                          size_t count, struct embeddings *out,
                                          struct embedding_call *call)
{
    struct job *j = run->job;
    enum embedding_outcome outcome = embedding_ask(j->config, j, texts, count, out, call);
    step_count(j->state, "requests", call->requests);
    step_count(j->state, "tokens", call->tokens);
    return outcome;
}

/* A text that no server has a reason to refuse. Nothing of what it brings is of use. */
static enum embedding_outcome ask_any(struct embedding_run *run, struct embedding_call *call)
{
    struct embeddings embeddings;
    enum embedding_outcome outcome =
        ask_counted(run, (const char *const[]){ANY_TEXT}, 1, &embeddings, call);
    if (outcome == EMBEDDING_MADE) {
        embeddings_release(&embeddings);
        run->takes_some = true;
    }
    return outcome;
}

/* Asks for the embeddings of some pieces, which are the caller's on EMBEDDING_MADE. On
 * EMBEDDING_REFUSED call says why; all else ends the turn. */
static enum embedding_outcome ask(struct embedding_run *run, const struct piece *pieces,
                                  size_t count, struct embeddings *out, struct embedding_call *call)
{
    struct job *j = run->job;
    const char *texts[EMBEDDING_TEXTS_MAX];
    for (size_t i = 0; i < count; i++)
        texts[i] = pieces[i].text;
    enum embedding_outcome outcome = ask_counted(run, texts, count, out, call);
    if (outcome == EMBEDDING_AWAY && call->may_be_texts) {
        struct embedding_call other;
        if (ask_any(run, &other) == EMBEDDING_MADE)
            outcome = EMBEDDING_REFUSED;
    }
    if (outcome == EMBEDDING_STOPPED)
        run->outcome = JOB_STOPPED;
    else if (outcome == EMBEDDING_DENIED)
        run->outcome = job_fail(j, call->code, "%s", call->reason);
    else if (outcome == EMBEDDING_AWAY)
        run->outcome = job_retry(j, call->code, "%s", call->reason);
    j->delay_ms = outcome == EMBEDDING_AWAY ? call->retry_after_ms : 0;
    return outcome;
}

/* --- keeping --- */

static bool keep(struct embedding_run *run, const struct piece *pieces, const struct embeddings *e)
{
    static const struct pg_statement statement = {
        .name = "keep_embeddings",
        .sql = "select uplift_batch.keep_embeddings($1,$2,$3)",
        .params = 3};
    char dimensions[STEP_NUMBER];
    struct buf vectors;
    cJSON *kept = NULL;
    buf_init(&vectors, KEEP_ROOM);
    for (size_t i = 0; i < e->count; i++)
        buf_printf(&vectors, "%s[%.0f,\"%s\"]", i == 0 ? "[" : ",", pieces[i].id, e->vectors[i]);
    snprintf(dimensions, sizeof dimensions, "%d", e->dimensions);
    if (buf_putc(&vectors, ']'))
        kept =
            job_ask(run->job, &statement,
                    (const char *[]){run->job->config->embeddings_model, dimensions, vectors.data},
                    &run->outcome);
    else
        run->outcome = job_retry(run->job, "out_of_memory", "the runner is out of memory");
    buf_release(&vectors);
    if (kept == NULL)
        return false;
    snprintf(run->set, sizeof run->set, "%.0f", json_number(kept, "set", 0));
    step_count(run->job->state, "embedded", json_number(kept, "kept", 0));
    cJSON_Delete(kept);
    return true;
}

/* Whether it is the pieces that are refused, and not whatever is asked. */
static bool takes_any(struct embedding_run *run)
{
    struct embedding_call call;
    enum embedding_outcome outcome = ask_any(run, &call);
    run->refused_in_a_row = 0;
    if (outcome == EMBEDDING_MADE)
        return true;
    if (outcome == EMBEDDING_STOPPED)
        return end_with(run, JOB_STOPPED);
    if (outcome == EMBEDDING_AWAY)
        return end_with(run, job_retry(run->job, call.code, "%s", call.reason));
    return end_with(run, job_fail(run->job, "embeddings_refused", "%s", call.reason));
}

/* A piece that the server does not take. */
static bool leave_out(struct embedding_run *run, const struct piece *piece, const char *why)
{
    if (++run->refused_in_a_row >= REFUSED_MAX && !takes_any(run))
        return false;
    buf_printf(&run->refused, "%s[%.0f,", run->left_out == 0 ? "[" : ",", piece->id);
    buf_json_string(&run->refused, why, strlen(why));
    buf_putc(&run->refused, ']');
    if (json_number(run->job->state, "failed", 0) + run->left_out++ < LOGGED_MAX)
        job_log(run->job, "piece %.0f is left out: %s", piece->id, why);
    return true;
}

/* Once it is known that other texts are taken. */
static bool note_refused(struct embedding_run *run)
{
    static const struct pg_statement statement = {
        .name = "refuse_embeddings",
        .sql = "select uplift_batch.refuse_embeddings($1,$2,$3)",
        .params = 3};
    if (run->left_out == 0)
        return true;
    if (!run->takes_some && !takes_any(run))
        return false;
    if (!buf_putc(&run->refused, ']'))
        return end_with(run, job_retry(run->job, "out_of_memory", "the runner is out of memory"));
    cJSON *noted = job_ask(run->job, &statement,
                           (const char *[]){run->job->config->embeddings_model, or_null(run->asked),
                                            run->refused.data},
                           &run->outcome);
    cJSON_Delete(noted);
    return noted != NULL;
}

/* Embeds some pieces, in halves where they are refused as they are. */
static bool embed(struct embedding_run *run, const struct piece *pieces, size_t count)
{
    struct embeddings embeddings;
    struct embedding_call call;
    enum embedding_outcome outcome = ask(run, pieces, count, &embeddings, &call);
    if (outcome == EMBEDDING_REFUSED && count > 1)
        return embed(run, pieces, count / 2) && embed(run, pieces + count / 2, count - count / 2);
    if (outcome == EMBEDDING_REFUSED)
        return leave_out(run, pieces, call.reason);
    if (outcome != EMBEDDING_MADE)
        return false;
    run->refused_in_a_row = 0;
    run->takes_some = true;
    bool good = check_dimensions(run, embeddings.dimensions) && keep(run, pieces, &embeddings);
    embeddings_release(&embeddings);
    return good;
}

/* --- steps --- */

/* Whether pieces that were refused are asked for before their time. */
static const char *with_refused(const struct embedding_run *run)
{
    return json_bool(run->job->arguments, "retry_refused", false) ? "true" : "false";
}

/* Where pgvector was updated, and can have an index now: what is there goes into a set with one. */
static bool copy_set(struct embedding_run *run, double from)
{
    static const struct pg_statement statement = {
        .name = "copy_embeddings",
        .sql = "select uplift_batch.copy_embeddings($1,$2,$3,$4)",
        .params = 4};
    char source[STEP_NUMBER], after[STEP_NUMBER] = "0", most[STEP_NUMBER];
    bool goes_on = true;
    snprintf(source, sizeof source, "%.0f", from);
    snprintf(most, sizeof most, "%d", EMBEDDING_TEXTS_MAX);
    while (goes_on) {
        if (!job_goes_on(run->job, 0))
            return end_with(run, JOB_STOPPED);
        cJSON *copied = job_ask(run->job, &statement,
                                (const char *[]){source, run->set, after, most}, &run->outcome);
        if (copied == NULL)
            return false;
        goes_on = json_number(copied, "copied", 0) > 0;
        snprintf(after, sizeof after, "%.0f", json_number(copied, "after", 0));
        cJSON_Delete(copied);
    }
    return true;
}

/* What is there already, and how much is missing. *off says why nothing is to be done. */
static bool begin(struct embedding_run *run, const char **off)
{
    static const struct pg_statement statement = {
        .name = "start_embedding",
        .sql = "select uplift_batch.start_embedding($1,$2,$3)",
        .params = 3};
    const struct config *config = run->job->config;
    if (config->embeddings_url == NULL) {
        *off = "UPLIFT_EMBEDDINGS_URL is not set";
        return true;
    }
    if (config->embeddings_dimensions != 0)
        snprintf(run->asked, sizeof run->asked, "%d", (int)config->embeddings_dimensions);
    cJSON *start =
        job_ask(run->job, &statement,
                (const char *[]){config->embeddings_model, or_null(run->asked), with_refused(run)},
                &run->outcome);
    if (start == NULL)
        return false;
    run->dimensions = (int)json_number(start, "dimensions", 0);
    run->missing = (int64_t)json_number(start, "missing", 0);
    if (run->dimensions != 0)
        snprintf(run->set, sizeof run->set, "%.0f", json_number(start, "set", 0));
    if (!json_bool(start, "pgvector", false))
        *off = "pgvector is not there, or was not when sql/install.sql was run";
    double from = json_number(start, "copied_from", 0);
    cJSON_Delete(start);
    return from == 0 || copy_set(run, from);
}

/* The next pieces; *done where there are none. */
static bool step(struct embedding_run *run, bool *done)
{
    static const struct pg_statement statement = {
        .name = "texts_to_embed",
        .sql = "select uplift_batch.texts_to_embed($1,$2,$3,$4,$5,$6)",
        .params = 6};
    struct job *j = run->job;
    struct piece pieces[EMBEDDING_TEXTS_MAX];
    size_t count = 0;
    char after[STEP_NUMBER], most[STEP_NUMBER];
    const cJSON *item;
    snprintf(after, sizeof after, "%.0f", json_number(j->state, "after", 0));
    snprintf(most, sizeof most, "%d", EMBEDDING_TEXTS_MAX);
    cJSON *texts =
        job_ask(j, &statement,
                (const char *[]){or_null(run->set), after, most, j->config->embeddings_model,
                                 or_null(run->asked), with_refused(run)},
                &run->outcome);
    if (texts == NULL)
        return false;
    cJSON_ArrayForEach (item, texts) {
        struct piece piece = {json_number(item, "id", 0), json_string(item, "text")};
        if (piece.text != NULL && count < EMBEDDING_TEXTS_MAX)
            pieces[count++] = piece;
    }
    *done = count == 0;
    run->left_out = 0;
    buf_clear(&run->refused);
    bool good = *done || (embed(run, pieces, count) && note_refused(run));
    if (good && !*done) {
        /* Not before: where it does not go on, they are tried again. */
        step_count(j->state, "failed", run->left_out);
        cJSON_DeleteItemFromObjectCaseSensitive(j->state, "after");
        cJSON_AddNumberToObject(j->state, "after", pieces[count - 1].id);
    }
    cJSON_Delete(texts);
    return good;
}

static bool finish(struct embedding_run *run)
{
    static const struct pg_statement statement = {
        .name = "finish_embedding", .sql = "select uplift_batch.finish_embedding($1)", .params = 1};
    if (*run->set == '\0')
        return true;
    cJSON *finished = job_ask(run->job, &statement, (const char *[]){run->set}, &run->outcome);
    if (finished == NULL)
        return false;
    step_count(run->job->state, "removed", json_number(finished, "removed", 0));
    cJSON_Delete(finished);
    return true;
}

/* Where a run was stopped and another model or length is configured since, it begins anew. */
static void keep_aim(struct embedding_run *run)
{
    cJSON *state = run->job->state;
    const struct config *config = run->job->config;
    const char *model = json_string(state, "model");
    if (model != NULL && strcmp(model, config->embeddings_model) == 0 &&
        json_number(state, "dimensions", 0) == (double)config->embeddings_dimensions)
        return;
    static const char *const names[] = {"model", "dimensions", "all",
                                        "after", "embedded",   "failed"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(state, names[i]);
    cJSON_AddStringToObject(state, "model", config->embeddings_model);
    cJSON_AddNumberToObject(state, "dimensions", (double)config->embeddings_dimensions);
    cJSON_AddNumberToObject(state, "all", (double)run->missing);
}

static bool go_through(struct embedding_run *run)
{
    struct job *j = run->job;
    for (bool done = false; !done;) {
        if (!step(run, &done))
            return false;
        double embedded = json_number(j->state, "embedded", 0);
        double failed = json_number(j->state, "failed", 0);
        if (!job_save(j) ||
            !job_progress(j, (int64_t)(embedded + failed), (int64_t)json_number(j->state, "all", 0),
                          "%.0f pieces embedded", embedded))
            return end_with(run, JOB_STOPPED);
    }
    return finish(run);
}

/* How many pieces the server does not take, and why. */
static bool tell_refused(struct embedding_run *run)
{
    static const struct pg_statement statement = {
        .name = "refused_embeddings",
        .sql = "select uplift_batch.refused_embeddings($1,$2)",
        .params = 2};
    static const char *const names[] = {"refused", "refusals"};
    const struct config *config = run->job->config;
    cJSON *told =
        job_ask(run->job, &statement,
                (const char *[]){config->embeddings_model, or_null(run->asked)}, &run->outcome);
    if (told == NULL)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cJSON_AddItemToObject(run->job->result, names[i],
                              cJSON_DetachItemFromObjectCaseSensitive(told, names[i]));
    cJSON_Delete(told);
    return true;
}

static enum job_outcome embed_all(struct embedding_run *run)
{
    static const char *const numbers[] = {"embedded", "failed", "removed", "requests", "tokens"};
    struct job *j = run->job;
    const char *off = NULL;
    if (!begin(run, &off))
        return run->outcome;
    if (off != NULL) {
        cJSON_AddStringToObject(j->result, "not_asked", off);
        return JOB_DONE;
    }
    keep_aim(run);
    if (!go_through(run) || !tell_refused(run))
        return run->outcome;
    cJSON_AddStringToObject(j->result, "model", j->config->embeddings_model);
    cJSON_AddNumberToObject(j->result, "dimensions", run->dimensions);
    step_results(j, numbers, sizeof numbers / sizeof numbers[0]);
    return JOB_DONE;
}

const struct job_argument embed_knowledge_arguments[] = {
    {"retry_refused", ARG_BOOL, false, NULL, "try pieces that were refused before their time, too"},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

enum job_outcome job_embed_knowledge(struct job *j)
{
    struct embedding_run run = {.job = j};
    buf_init(&run.refused, REFUSED_ROOM);
    enum job_outcome outcome = embed_all(&run);
    buf_release(&run.refused);
    return outcome;
}
