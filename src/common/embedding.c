#include "embedding.h"

#include "json_scan.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool embedding_request(const char *model, int dimensions, const char *const *texts, size_t count,
                       struct buf *out)
{
    buf_puts(out, "{\"model\":");
    buf_json_string(out, model, strlen(model));
    if (dimensions > 0)
        buf_printf(out, ",\"dimensions\":%d", dimensions);
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, i == 0 ? ",\"input\":[" : ",");
        buf_json_string(out, texts[i], strlen(texts[i]));
    }
    return buf_puts(out, "]}");
}

static bool wrong(char why[EMBEDDING_REASON], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool wrong(char why[EMBEDDING_REASON], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, EMBEDDING_REASON, format, args);
    va_end(args);
    return false;
}

/* pgvector adds up squares as floats, and where that comes to 0 or to infinity takes any text for
 * the nearest there is. */
static bool check_length(int count, double squares, char why[EMBEDDING_REASON])
{
    if (count == 0)
        return wrong(why, "an embedding is empty");
    if (squares < (double)FLT_MIN)
        return wrong(why, squares == 0 ? "an embedding is all zeros"
                                       : "the numbers of an embedding are too small");
    if (squares > (double)FLT_MAX)
        return wrong(why, "the numbers of an embedding are too large");
    return true;
}

/* A vector as pgvector's text, with the digits that a float needs to be as near as it matters. */
static char *read_vector(struct span list, int *dimensions, char why[EMBEDDING_REASON])
{
    struct buf text;
    struct span item;
    struct scan s = scan_open(list);
    bool is_good = scan_is_array(list);
    double squares = 0;
    int count = 0;
    if (!is_good)
        (void)wrong(why, "an embedding is not a list of numbers");
    buf_init(&text, 2 + (size_t)EMBEDDING_DIMENSIONS_MAX * EMBEDDING_NUMBER_MAX);
    while (is_good && scan_next(&s, NULL, &item)) {
        /* Behind the number is a comma or the list's end. */
        double number = scan_is_number(item) ? strtod(item.at, NULL) : NAN;
        if (!(fabs(number) <= (double)FLT_MAX))
            is_good = wrong(why, "an embedding has something else than a finite number");
        else if (++count > EMBEDDING_DIMENSIONS_MAX)
            is_good = wrong(why, "an embedding has more than %d numbers", EMBEDDING_DIMENSIONS_MAX);
        squares += (double)(float)number * (double)(float)number;
        buf_printf(&text, "%c%.7g", count == 1 ? '[' : ',', (double)(float)number);
    }
    if (is_good)
        is_good = check_length(count, squares, why);
    if (is_good && !buf_putc(&text, ']'))
        is_good = wrong(why, "out of memory");
    char *vector = is_good ? buf_steal(&text) : NULL;
    buf_release(&text);
    *dimensions = count;
    return vector;
}

static bool take_embedding(struct embeddings *e, struct span object, size_t place,
                           char why[EMBEDDING_REASON])
{
    struct span index = scan_member(object, "index");
    int dimensions;
    if (index.at != NULL) {
        int64_t at = scan_count(index, -1);
        if (at < 0 || (size_t)at >= e->count)
            return wrong(why, "an embedding is for no text that was sent");
        place = (size_t)at;
    }
    if (e->vectors[place] != NULL)
        return wrong(why, "text %zu has two embeddings", place);
    char *vector = read_vector(scan_member(object, "embedding"), &dimensions, why);
    if (vector == NULL)
        return false;
    e->vectors[place] = vector;
    if (e->dimensions != 0 && e->dimensions != dimensions)
        return wrong(why, "one embedding has %d numbers, another %d", e->dimensions, dimensions);
    e->dimensions = dimensions;
    return true;
}

bool embeddings_read(const char *text, size_t len, size_t count, struct embeddings *out,
                     char why[EMBEDDING_REASON])
{
    struct span answer, item;
    size_t place = 0;
    *out = (struct embeddings){.count = count};
    if (text == NULL || !scan_check(text, len, &answer))
        return wrong(why, "the answer is not JSON");
    struct span data = scan_member(answer, "data");
    if (!scan_is_array(data))
        return wrong(why, "the answer has no list of data");
    struct scan s = scan_open(data);
    bool is_good = true;
    while (is_good && scan_next(&s, NULL, &item)) {
        if (place >= count)
            is_good = wrong(why, "there are more embeddings than the %zu texts", count);
        else
            is_good = take_embedding(out, item, place++, why);
    }
    if (is_good && place < count)
        is_good = wrong(why, "there are %zu embeddings for %zu texts", place, count);
    if (!is_good)
        embeddings_release(out);
    return is_good;
}

void embeddings_release(struct embeddings *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->vectors[i]);
    *e = (struct embeddings){0};
}
