#include "eval_vectors.h"

#include "embedding_server.h"

#include "common/buf.h"
#include "common/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool out_of_memory(char why[256])
{
    snprintf(why, 256, "out of memory");
    return false;
}

static bool make_room(struct eval_vectors *v, size_t more)
{
    size_t room = v->room == 0 ? 1024 : v->room;
    while (room < v->count + more)
        room *= 2;
    if (room == v->room)
        return true;
    int64_t *numbers = realloc(v->numbers, room * sizeof *numbers);
    if (numbers != NULL)
        v->numbers = numbers;
    float *values = realloc(v->values, room * (size_t)v->dimensions * sizeof *values);
    if (values != NULL)
        v->values = values;
    if (numbers == NULL || values == NULL)
        return false;
    v->room = room;
    return true;
}

/* Appends a vector's text, as embedding.h has it. */
static void take_vector(struct eval_vectors *v, int64_t number, const char *text)
{
    float *out = v->values + v->count * (size_t)v->dimensions;
    double sum = 0;
    for (int i = 0; i < v->dimensions; i++) {
        char *end;
        out[i] = strtof(text + 1, &end); /* behind the bracket or the comma */
        sum += (double)out[i] * out[i];
        text = end;
    }
    for (int i = 0; i < v->dimensions; i++)
        out[i] = (float)(out[i] / sqrt(sum));
    v->numbers[v->count++] = number;
}

static bool take_all(struct eval_vectors *v, const struct embeddings *e, char why[256])
{
    if (v->dimensions == 0)
        v->dimensions = e->dimensions;
    if (v->dimensions != e->dimensions) {
        snprintf(why, 256, "one embedding has %d numbers, another %d", v->dimensions,
                 e->dimensions);
        return false;
    }
    if (!make_room(v, e->count))
        return out_of_memory(why);
    for (size_t i = 0; i < e->count; i++)
        take_vector(v, v->waiting_numbers[i], e->vectors[i]);
    return true;
}

static void forget_waiting(struct eval_vectors *v)
{
    for (size_t i = 0; i < v->waiting_count; i++)
        free(v->waiting[i]);
    v->waiting_count = 0;
}

bool eval_vectors_finish(struct eval_vectors *v, char why[256])
{
    struct embeddings e;
    struct embedding_call call;
    bool good = true;
    if (v->waiting_count > 0) {
        good = embedding_ask(v->config, NULL, (const char *const *)v->waiting, v->waiting_count, &e,
                             &call) == EMBEDDING_MADE;
        if (good) {
            good = take_all(v, &e, why);
            embeddings_release(&e);
        } else {
            utf8_copy(why, 256, call.reason);
        }
    }
    forget_waiting(v);
    return good;
}

bool eval_vectors_add(struct eval_vectors *v, int64_t number, const char *title, const char *body,
                      char why[256])
{
    bool has_title = title != NULL && title[strspn(title, " \t\r\n")] != '\0';
    struct buf text;
    if (!has_title && body[strspn(body, " \t\r\n")] == '\0')
        return true;
    buf_init(&text, EVAL_TEXT_MAX);
    if (has_title) {
        buf_append(&text, title, utf8_cut(title, EVAL_TEXT_MAX / 2));
        buf_putc(&text, '\n');
    }
    buf_append(&text, body, utf8_cut(body, EVAL_TEXT_MAX - text.len));
    if (text.failed || (v->waiting[v->waiting_count] = buf_steal(&text)) == NULL) {
        buf_release(&text);
        return out_of_memory(why);
    }
    v->waiting_numbers[v->waiting_count++] = number;
    return v->waiting_count < EMBEDDING_TEXTS_MAX || eval_vectors_finish(v, why);
}

const float *eval_vectors_of(const struct eval_vectors *v, int64_t number)
{
    size_t low = 0, high = v->count; /* numbers come in order */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->count && v->numbers[low] == number ? v->values + low * (size_t)v->dimensions
                                                       : NULL;
}

static int by_score(const void *a, const void *b)
{
    const struct find_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The best of a list, which is sorted, into hits. */
static int take_best(struct find_hit *list, size_t count, size_t wanted, struct find_hit *hits)
{
    size_t taken = count < wanted ? count : wanted;
    if (count > 0)
        qsort(list, count, sizeof *list, by_score);
    memcpy(hits, list, taken * sizeof *hits);
    return (int)taken;
}

int eval_vectors_nearest(const struct eval_vectors *v, const float *query, size_t wanted,
                         struct find_hit *hits)
{
    struct find_hit *all = calloc(v->count + 1, sizeof *all);
    if (all == NULL)
        return -1;
    for (size_t i = 0; i < v->count; i++) {
        const float *one = v->values + i * (size_t)v->dimensions;
        float sum = 0;
        for (int k = 0; k < v->dimensions; k++)
            sum += one[k] * query[k];
        all[i] = (struct find_hit){v->numbers[i], sum};
    }
    int taken = take_best(all, v->count, wanted, hits);
    free(all);
    return taken;
}

static int by_id(const void *a, const void *b)
{
    const struct find_hit *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

int eval_vectors_fuse(const struct find_hit *a, size_t a_count, const struct find_hit *b,
                      size_t b_count, size_t wanted, struct find_hit *hits)
{
    size_t count = 0, all_count = a_count + b_count;
    struct find_hit *all = calloc(all_count + 1, sizeof *all);
    if (all == NULL)
        return -1;
    for (size_t i = 0; i < all_count; i++) {
        size_t place = i < a_count ? i + 1 : i - a_count + 1;
        all[i].id = i < a_count ? a[i].id : b[i - a_count].id;
        all[i].score = 1.0F / (float)(EVAL_FUSION_K + place);
    }
    if (all_count > 0)
        qsort(all, all_count, sizeof *all, by_id);
    for (size_t i = 0; i < all_count; i++) {
        if (count > 0 && all[count - 1].id == all[i].id)
            all[count - 1].score += all[i].score;
        else
            all[count++] = all[i];
    }
    int taken = take_best(all, count, wanted, hits);
    free(all);
    return taken;
}

void eval_vectors_release(struct eval_vectors *v)
{
    forget_waiting(v);
    free(v->numbers);
    free(v->values);
    *v = (struct eval_vectors){0};
}
