/* Postgres does the work, with the functions that chats use; see eval_memory.h. */
#include "eval_memory.h"

#include "common/json.h"
#include "common/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (256L * 1024 * 1024)

struct sums {
    double questions, recall_5, recall_10, ms;
};

/* The whole file, NUL-terminated; NULL with the reason printed. The caller's to free. */
static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long size;
    if (file == NULL) {
        fprintf(stderr, "fcgi-batch: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
        fprintf(stderr, "fcgi-batch: %s: is no file that can be read from its beginning\n", path);
    else if (size > FILE_MAX_BYTES)
        fprintf(stderr, "fcgi-batch: %s: has more than 256 MiB\n", path);
    else if ((text = malloc((size_t)size + 1)) == NULL)
        fputs("fcgi-batch: out of memory\n", stderr);
    if (text != NULL) {
        *len = fread(text, 1, (size_t)size, file);
        text[*len] = '\0';
    }
    fclose(file);
    return text;
}

static void add(struct sums *sums, const cJSON *question)
{
    sums->questions++;
    sums->recall_5 += json_number(question, "recall_5", 0);
    sums->recall_10 += json_number(question, "recall_10", 0);
    sums->ms += json_number(question, "ms", 0);
}

static void put(cJSON *object, const struct sums *sums)
{
    double n = sums->questions > 0 ? sums->questions : 1;
    cJSON_AddNumberToObject(object, "questions", sums->questions);
    cJSON_AddNumberToObject(object, "recall@5", sums->recall_5 / n);
    cJSON_AddNumberToObject(object, "recall@10", sums->recall_10 / n);
    cJSON_AddNumberToObject(object, "mean_ms", sums->ms / n);
}

/* What Postgres says of one sample; NULL with the reason printed. */
static cJSON *ask_sample(struct pg *pg, const cJSON *sample, int number)
{
    static const struct pg_statement statement = {
        .name = "eval_memory", .sql = "select uplift_batch.eval_memory($1)", .params = 1};
    PGresult *result = NULL;
    cJSON *found = NULL;
    char *text = cJSON_PrintUnformatted(sample);
    if (text == NULL) {
        fputs("fcgi-batch: out of memory\n", stderr);
        return NULL;
    }
    if (pg_call(pg, &statement, (const char *[]){text}, &result) != PG_DONE)
        fprintf(stderr, "fcgi-batch: sample %d: %s\n", number, pg_message(pg));
    else if ((found = cJSON_Parse(PQgetvalue(result, 0, 0))) == NULL)
        fputs("fcgi-batch: out of memory\n", stderr);
    PQclear(result);
    cJSON_free(text);
    return found;
}

/* The categories, by name, are members of an object; each has its questions. */
static void sort_question(cJSON *categories, cJSON *question)
{
    const char *name = json_string(question, "category");
    cJSON *list = cJSON_GetObjectItemCaseSensitive(categories, name != NULL ? name : "");
    if (list == NULL)
        list = cJSON_AddArrayToObject(categories, name != NULL ? name : "");
    cJSON_AddItemToArray(list, question);
}

static void print_figures(cJSON *categories, int samples, double turns)
{
    struct sums all = {0};
    cJSON *out = cJSON_CreateObject(), *by = cJSON_CreateObject(), *list, *question;
    cJSON_ArrayForEach (list, categories) {
        struct sums part = {0};
        cJSON_ArrayForEach (question, list) {
            add(&part, question);
            add(&all, question);
        }
        put(cJSON_AddObjectToObject(by, list->string), &part);
    }
    cJSON_AddNumberToObject(out, "samples", samples);
    cJSON_AddNumberToObject(out, "turns", turns);
    put(out, &all);
    cJSON_AddItemToObject(out, "by_category", by);
    char *text = cJSON_Print(out);
    puts(text != NULL ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(out);
}

static bool ask_all(struct pg *pg, const cJSON *samples, cJSON *categories)
{
    const cJSON *sample;
    int number = 0;
    double turns = 0;
    cJSON_ArrayForEach (sample, samples) {
        cJSON *found = ask_sample(pg, sample, ++number);
        if (found == NULL)
            return false;
        turns += json_number(found, "turns", 0);
        cJSON *questions = cJSON_GetObjectItemCaseSensitive(found, "questions");
        for (cJSON *q; (q = cJSON_DetachItemFromArray(questions, 0)) != NULL;)
            sort_question(categories, q);
        cJSON_Delete(found);
        fprintf(stderr, "%d samples\n", number);
    }
    print_figures(categories, number, turns);
    return true;
}

int eval_memory(struct pg *pg, int count, char **words)
{
    struct json_error reason;
    size_t len = 0;
    if (count != 1 || strncmp(words[0], "--", 2) == 0) {
        fputs("fcgi-batch: run eval-retrieval --memory takes a file\n", stderr);
        return EXIT_USAGE;
    }
    char *text = read_file(words[0], &len);
    if (text == NULL)
        return EXIT_FAILURE;
    cJSON *samples = json_parse(text, len, &reason);
    free(text);
    if (samples == NULL) {
        fprintf(stderr, "fcgi-batch: %s: %s\n", words[0], reason.message);
        return EXIT_FAILURE;
    }
    if (!cJSON_IsArray(samples)) {
        cJSON *one = samples;
        samples = cJSON_CreateArray();
        cJSON_AddItemToArray(samples, one);
    }
    cJSON *categories = cJSON_CreateObject();
    bool good = ask_all(pg, samples, categories);
    cJSON_Delete(categories);
    cJSON_Delete(samples);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
