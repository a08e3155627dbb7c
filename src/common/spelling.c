/* How far two names are apart; see spelling.h. */
#include "spelling.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

int spelling_distance(const char *a, const char *b)
{
    int rows[3][SPELLING_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);
    if (la > SPELLING_MAX || lb > SPELLING_MAX)
        return INT_MAX;
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= lb; j++)
        last[j] = (int)j;
    for (size_t i = 1; i <= la; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= lb; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        int *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[lb];
}
