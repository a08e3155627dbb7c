/* Fuzzes the reader of embeddings: what is taken has one vector a text, each with as many numbers
 * as it says, and of them not all zero. */
#include "common/embedding.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_vector(const char *text, int dimensions)
{
    bool is_zero = true;
    for (int i = 0; i < dimensions; i++) {
        char *end;
        if (*text != (i == 0 ? '[' : ','))
            abort();
        float number = strtof(text + 1, &end);
        if (end == text + 1 || !isfinite(number))
            abort();
        is_zero &= number == 0;
        text = end;
    }
    if (strcmp(text, "]") != 0 || is_zero)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct embeddings e;
    char why[EMBEDDING_REASON] = "";
    if (size == 0)
        return 0;
    size_t count = data[0] % EMBEDDING_TEXTS_MAX + 1;
    /* With a NUL behind it, as what comes from a server has. */
    char *text = malloc(size);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (embeddings_read(text, size - 1, count, &e, why)) {
        if (e.count != count || e.dimensions < 1 || e.dimensions > EMBEDDING_DIMENSIONS_MAX)
            abort();
        for (size_t i = 0; i < count; i++)
            check_vector(e.vectors[i], e.dimensions);
        embeddings_release(&e);
    } else if (*why == '\0') {
        abort();
    }
    free(text);
    return 0;
}
