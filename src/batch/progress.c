/* How far a job is, for people. */
#include "progress.h"

#include "common/clock.h"
#include "common/json.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_WIDTH 24
#define LINE_EVERY_MS 5000

void progress_init(struct progress *p, FILE *out)
{
    *p = (struct progress){.out = out, .is_terminal = isatty(fileno(out)) == 1};
}

void progress_bar(char *out, int width, double done, double total)
{
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    double share = total > 0 ? done / total : 0;
    int filled = (int)((share > 1 ? 1 : share < 0 ? 0 : share) * width * 8);
    *out = '\0';
    for (int i = 0; i < width; i++) {
        int here = filled - i * 8;
        const char *cell = eighths[here > 8 ? 8 : here < 0 ? 0 : here];
        size_t len = strlen(cell);
        memcpy(out, cell, len + 1);
        out += len;
    }
}

/* "1 h 02 min", "3 min 20 s", "7 s". */
static void write_duration(char *out, size_t room, int64_t seconds)
{
    if (seconds >= 3600)
        snprintf(out, room, "%lld h %02lld min", (long long)(seconds / 3600),
                 (long long)(seconds / 60 % 60));
    else if (seconds >= 60)
        snprintf(out, room, "%lld min %02lld s", (long long)(seconds / 60),
                 (long long)(seconds % 60));
    else
        snprintf(out, room, "%lld s", (long long)seconds);
}

/* How long it will go on at the pace so far; "" when that cannot be said. */
static void write_left(struct progress *p, char *out, size_t room, int64_t done, int64_t total)
{
    int64_t spent = clock_ms() - p->began_ms;
    char left[32];
    *out = '\0';
    if (total <= 0 || done <= p->began_done || done >= total || spent < 1000)
        return;
    write_duration(
        left, sizeof left,
        (int64_t)((double)spent / (double)(done - p->began_done) * (double)(total - done) / 1000) +
            1);
    snprintf(out, room, ", %s left", left);
}

/* As wide as the terminal at most: a line that wraps could not be written over. */
static void write_over(struct progress *p, const char *bar, const char *rest)
{
    struct winsize size = {.ws_col = 0};
    int columns =
        ioctl(fileno(p->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    int room = columns - 1 - (*bar != '\0' ? BAR_WIDTH + 3 : 0);
    fprintf(p->out, "\r%s%s%s%.*s\033[K", *bar != '\0' ? "▕" : "", bar, *bar != '\0' ? "▏ " : "",
            room > 0 ? room : 0, rest);
    fflush(p->out);
}

void progress_show(struct progress *p, const cJSON *job)
{
    int64_t done = (int64_t)json_number(job, "done", 0);
    int64_t total = (int64_t)json_number(job, "total", 0);
    const char *status = json_string(job, "status"), *message = json_string(job, "message");
    char bar[3 * BAR_WIDTH + 1] = "", left[64], rest[400];
    bool is_running = status != NULL && strcmp(status, "running") == 0;
    bool is_over = !is_running && status != NULL && strcmp(status, "queued") != 0;
    if (p->began_ms == 0 && is_running) {
        p->began_ms = clock_ms();
        p->began_done = done;
    }
    write_left(p, left, sizeof left, done, total);
    if (total > 0) {
        progress_bar(bar, BAR_WIDTH, (double)done, (double)total);
        snprintf(rest, sizeof rest, "%3.0f %%  %lld of %lld%s%s%s",
                 100.0 * (double)done / (double)total, (long long)done, (long long)total, left,
                 message != NULL ? "  " : "", message != NULL ? message : "");
    } else {
        snprintf(rest, sizeof rest, "%s%s%s", status != NULL ? status : "",
                 message != NULL ? ": " : "", message != NULL ? message : "");
    }
    if (p->is_terminal) {
        write_over(p, bar, rest);
    } else if (strcmp(rest, p->said) != 0 &&
               (p->said_ms == 0 || is_over || clock_ms() - p->said_ms >= LINE_EVERY_MS)) {
        fprintf(p->out, "%s\n", rest);
        fflush(p->out);
        p->said_ms = clock_ms();
        memcpy(p->said, rest, sizeof p->said);
    }
}

void progress_end(struct progress *p)
{
    if (p->is_terminal)
        fputc('\n', p->out);
    fflush(p->out);
}
