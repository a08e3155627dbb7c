/*
 * For t/http/retrieval.py and benchmarks: a worker's search, by itself. "describe DIR" reads JSON
 * strings, one a line, and prints what search_describe() says of each, {} for nothing; "describe
 * DIR
 * --count SHELF WORD" prints in how many texts of both files a word is, those not counted that are
 * gone; "describe DIR --time" reads all lines, describes each, and prints the mean and the 99th
 * percentile of CPU in milliseconds.
 */
#include "common/json.h"
#include "search/find.h"
#include "search/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool describe_line(struct search *s, const char *line, size_t len, struct buf *out)
{
    struct json_error error;
    cJSON *text = json_parse(line, len, &error);
    const char *message = cJSON_GetStringValue(text);
    if (message != NULL && !search_describe(s, message, strlen(message), out))
        buf_putc(out, '{');
    buf_putc(out, '}');
    cJSON_Delete(text);
    return message != NULL;
}

static int answer_lines(struct search *s)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    bool good = true;
    while (good && (len = getline(&line, &room, stdin)) > 0) {
        struct buf out;
        buf_init(&out, 1024 * 1024);
        good = describe_line(s, line, (size_t)len, &out);
        puts(out.data);
        fflush(stdout);
        buf_release(&out);
    }
    free(line);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int time_lines(struct search *s)
{
    char *line = NULL;
    size_t room = 0, count = 0;
    ssize_t len;
    double *times = calloc(100000, sizeof *times), sum = 0;
    struct buf out;
    buf_init(&out, 1024 * 1024);
    if (times == NULL)
        return EXIT_FAILURE;
    while (count < 100000 && (len = getline(&line, &room, stdin)) > 0) {
        struct json_error error;
        cJSON *text = json_parse(line, (size_t)len, &error);
        const char *message = cJSON_GetStringValue(text);
        buf_clear(&out);
        double before = cpu_ms();
        if (message != NULL && search_describe(s, message, strlen(message), &out))
            times[count++] = cpu_ms() - before;
        cJSON_Delete(text);
    }
    qsort(times, count, sizeof *times, by_time);
    for (size_t i = 0; i < count; i++)
        sum += times[i];
    if (count > 0)
        printf("{\"searches\":%zu,\"mean_ms\":%.5f,\"p99_ms\":%.5f}\n", count, sum / (double)count,
               times[count * 99 / 100]);
    free(times);
    free(line);
    buf_release(&out);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool open_file(struct copy *copy, const char *dir, const char *shelf, const char *ending)
{
    char path[4096], reason[200];
    enum copy_fault fault;
    snprintf(path, sizeof path, "%s/%s.%s", dir, shelf, ending);
    return copy_open(copy, path, reason, sizeof reason, &fault);
}

static int count_word(const char *dir, const char *shelf, const char *word)
{
    struct copy base, recent;
    bool has_base = open_file(&base, dir, shelf, "base");
    bool has_recent = has_base && open_file(&recent, dir, shelf, "recent") &&
                      recent.header->base == base.header->base;
    if (!has_recent) {
        if (has_base)
            copy_close(&base);
        return EXIT_FAILURE;
    }
    const struct copy_term *t = copy_term(&base, word, strlen(word));
    uint64_t *gone = find_gone_bits(&base, &recent);
    uint32_t count = 0;
    for (uint32_t p = 0; t != NULL && gone != NULL && p < t->count; p++) {
        uint32_t doc = base.postings[t->first + p] >> 8;
        count += (gone[doc / 64] >> doc % 64 & 1) == 0;
    }
    t = copy_term(&recent, word, strlen(word));
    printf("%u\n", count + (t != NULL ? t->count : 0));
    free(gone);
    copy_close(&base);
    copy_close(&recent);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[2], "--count") == 0)
        return count_word(argv[1], argv[3], argv[4]);
    struct search *s = argc > 1 ? search_start(argv[1]) : NULL;
    if (s == NULL)
        return EXIT_FAILURE;
    int status = argc > 2 ? time_lines(s) : answer_lines(s);
    search_stop(s);
    return status;
}
