/* What a made-up user sees in an answer. */
#include "reading.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Words by which an answer sounds so hard; the first that is found counts. */
static const struct {
    const char *words;
    int tone;
} tones[] = {
    {"if it feels easy", TONE_SOFTEST}, {"You can do this", TONE_GENTLE},
    {"Maybe try this", TONE_GENTLE},    {"One order:", TONE_HARDEST},
    {"challenge:", TONE_INTENSE},       {"No maybe.", TONE_DIRECT},
    {"**What:**", TONE_DIRECT},
};

/* A line that quotes others. */
static bool quotes_others(const char *line)
{
    static const char *const begin[] = {"What has helped others: \"", "From what I have read: \""};
    for (size_t i = 0; i < sizeof begin / sizeof begin[0]; i++)
        if (strncmp(line, begin[i], strlen(begin[i])) == 0)
            return true;
    return false;
}

static size_t count_words(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += isalnum((unsigned char)text[i]) &&
             (i == 0 || isspace((unsigned char)text[i - 1]) || strchr("\"*(", text[i - 1]) != NULL);
    return n;
}

/* The answer's own words; words counts those that it quotes as well, which have to be read, too. */
static char *own_words(const char *answer, double *words)
{
    const char *remark = strstr(answer, "\n\n*(");
    size_t len = remark != NULL ? (size_t)(remark - answer) : strlen(answer), used = 0;
    char *own = malloc(len + 1);
    *words = (double)count_words(answer, len);
    for (size_t at = 0; own != NULL && at < len;) {
        const char *end = memchr(answer + at, '\n', len - at);
        size_t line = end != NULL ? (size_t)(end - answer) + 1 - at : len - at;
        if (!quotes_others(answer + at)) {
            memcpy(own + used, answer + at, line);
            used += line;
        }
        at += line;
    }
    if (own != NULL)
        own[used] = '\0';
    return own;
}

static bool ends_with_question(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    return len > 0 && text[len - 1] == '?';
}

void reading_of(const char *answer, const char *message, const char *goal, struct reading *out)
{
    *out = (struct reading){.tone = TONE_BALANCED, .coach = -1};
    char *own = own_words(answer, &out->words);
    if (own == NULL)
        return;
    for (size_t i = 0; i < sizeof tones / sizeof tones[0]; i++)
        if (strstr(own, tones[i].words) != NULL) {
            out->tone = tones[i].tone;
            break;
        }
    out->has_example = strstr(own, "For example") != NULL;
    out->has_reason = strstr(own, "Why it works") != NULL;
    out->has_praise = strstr(own, "doing well") != NULL;
    out->has_question = ends_with_question(own);
    out->has_goal = goal != NULL && strstr(own, goal) != NULL && strstr(message, goal) == NULL;
    free(own);
}
