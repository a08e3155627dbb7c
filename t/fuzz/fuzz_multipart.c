/* Forms: parts lie within the body, whatever it and its content type are. */
#include "common/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The first line is the content type. */
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *line = memchr(text, '\n', size);
    if (line != NULL) {
        struct part part;
        *line = '\0';
        const struct span body = {line + 1, (size_t)(text + size - line - 1)};
        if (multipart_find(text, body, "photo", &part) &&
            (part.bytes < body.at || part.bytes + part.len > body.at + body.len))
            abort();
    }
    free(text);
    return 0;
}
