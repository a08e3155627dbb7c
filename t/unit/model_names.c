/* Prints the names that each model on standard input may have a price under, a line each, for
 * t/sql/model_names.py. */
#include "chat/provider/model_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    while ((len = getline(&line, &room, stdin)) > 0) {
        struct model_name names[MODEL_NAMES];
        line[strcspn(line, "\n")] = '\0';
        size_t count = model_names(line, names);
        for (size_t i = 0; i < count; i++)
            printf("%s%s%.*s", i > 0 ? "\t" : "", names[i].is_tuned ? "ft:" : "", (int)names[i].len,
                   names[i].at);
        putchar('\n');
    }
    free(line);
    return 0;
}
