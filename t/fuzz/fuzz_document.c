/* Fuzzes the reading of documents: whatever comes in, what comes out is text that Postgres takes.
 */
#include "batch/knowledge/document.h"
#include "common/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct document d;
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    document_init(&d);
    bool good = data[0] % 4 != 0
                    ? document_read_html(&d, text, size - 1)
                    : document_read_text(&d, text, size - 1,
                                         data[0] % 8 != 0 ? DOCUMENT_MARKDOWN : DOCUMENT_TEXT);
    if (good) {
        if (d.content.len == 0 || d.content.len > DOCUMENT_CONTENT_MAX ||
            !json_utf8_valid(d.content.data, d.content.len))
            abort();
    } else if (*d.reason == '\0') {
        abort();
    }
    if (!json_utf8_valid(d.title, strlen(d.title)))
        abort();
    document_release(&d);
    return 0;
}
