/* A curve drawn in a terminal. */
#include "curve.h"

static double mean(const double *values, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to; i++)
        sum += values[i];
    return sum / (double)(to - from);
}

/* Writes the means of each column; returns how many columns there are. */
static int make_columns(const double *values, size_t count, int width, double *columns)
{
    int used = count < (size_t)width ? (int)count : width;
    for (int i = 0; i < used; i++)
        columns[i] =
            mean(values, count * (size_t)i / (size_t)used, count * (size_t)(i + 1) / (size_t)used);
    return used;
}

void curve_draw(FILE *out, const double *values, size_t count, int width, int height)
{
    static const char *const eighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double columns[CURVE_WIDTH_MAX] = {0};
    if (count == 0)
        return;
    int used = make_columns(values, count, width, columns);
    double most = columns[0], least = columns[0];
    for (int i = 1; i < used; i++) {
        most = columns[i] > most ? columns[i] : most;
        least = columns[i] < least ? columns[i] : least;
    }
    /* From a little below the least, so that it can be seen, too. */
    double range = most > least ? most - least : 1, bottom = least - range / (8 * height);
    for (int line = height - 1; line >= 0; line--) {
        if (line == height - 1)
            fprintf(out, "%9.4g ┤", most);
        else if (line == 0)
            fprintf(out, "%9.4g ┤", least);
        else
            fprintf(out, "%9s │", "");
        for (int i = 0; i < used; i++) {
            int filled = (int)((columns[i] - bottom) / (most - bottom) * height * 8) - line * 8;
            fputs(eighths[filled > 8 ? 8 : filled < 0 ? 0 : filled], out);
        }
        fputc('\n', out);
    }
}
