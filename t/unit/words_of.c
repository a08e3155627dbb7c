/* For t/sql/search.py: reads texts as JSON strings, one a line, and prints what words they have, as
 * {"language", "words"}; with --stops the stop words of each language. */
#include "common/json.h"
#include "search/stop_words.h"
#include "search/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_stops(void)
{
    for (int i = 0; i < STOP_LANGUAGES; i++)
        printf("%s %s\n", stop_languages[i], stop_words_of(stop_languages[i]));
}

static bool print_words(struct word_finder *finder, const char *line, size_t len)
{
    struct json_error error;
    const struct word *words;
    struct buf out;
    size_t count;
    /* [text, language or null] */
    cJSON *pair = json_parse(line, len, &error);
    const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 0));
    const char *language = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1));
    if (text == NULL || !words_find(finder, text, strlen(text), language, "en", &words, &count)) {
        cJSON_Delete(pair);
        return false;
    }
    buf_init(&out, 64 * 1024 * 1024);
    buf_printf(&out, "{\"language\":\"%s\",\"words\":[", words_language(finder));
    for (size_t i = 0; i < count; i++) {
        buf_puts(&out, i > 0 ? "," : "");
        buf_json_string(&out, words[i].at, words[i].len);
    }
    buf_puts(&out, "]}");
    puts(out.data);
    buf_release(&out);
    cJSON_Delete(pair);
    return true;
}

int main(int argc, char **argv)
{
    struct word_finder *finder = word_finder_new();
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    bool good = finder != NULL;
    if (argc > 1 && strcmp(argv[1], "--stops") == 0) {
        print_stops();
    } else {
        while (good && (len = getline(&line, &room, stdin)) > 0)
            good = print_words(finder, line, (size_t)len);
    }
    free(line);
    word_finder_free(finder);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
