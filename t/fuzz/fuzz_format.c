/* Fuzzes the check of lines of training data: what is taken is JSON that reads the same written
 * out again. */
#include "batch/format.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char wrong[100] = "", again[100] = "";
    int64_t tokens, tokens_again;
    if (size == 0)
        return 0;
    enum export_format format = (enum export_format)(data[0] % EXPORT_FORMATS);
    if (!format_check_line(format, (const char *)data + 1, size - 1, &tokens, wrong,
                           sizeof wrong)) {
        if (*wrong == '\0')
            abort();
        return 0;
    }
    struct json_error error;
    cJSON *line = json_parse((const char *)data + 1, size - 1, &error);
    char *text = line != NULL ? cJSON_PrintUnformatted(line) : NULL;
    if (text == NULL || tokens < 0 || tokens > FORMAT_EXAMPLE_TOKENS_MAX ||
        !format_check_line(format, text, strlen(text), &tokens_again, again, sizeof again) ||
        tokens != tokens_again)
        abort();
    cJSON_free(text);
    cJSON_Delete(line);
    return 0;
}
