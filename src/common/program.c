/* The options of a program. */
#include "program.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_CHECK = 256, OPTION_ROUTES };

#define LARGE_PIECE_BYTES (256 * 1024)

static bool end(int *status, int how)
{
    *status = how;
    return false;
}

static bool refuse(const struct program *p, int *status)
{
    fprintf(stderr, "Try %s --help.\n", p->name);
    return end(status, EXIT_USAGE);
}

/* False when the program ends with *status. */
static bool read_options(struct program *p, int argc, char **argv, bool *check, int *status)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, OPTION_CHECK},
        {"help", no_argument, NULL, 'h'},         {"routes", no_argument, NULL, OPTION_ROUTES},
        {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
    };
    int option;
    /* The plus leaves what follows the first word to it. */
    while ((option = getopt_long(argc, argv, "+c:hV", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            p->config_path = optarg;
            break;
        case OPTION_CHECK:
            *check = true;
            break;
        case 'h':
            p->print_help();
            config_print_help(stdout);
            return end(status, EXIT_SUCCESS);
        case OPTION_ROUTES:
            p->print_routes(stdout);
            return end(status, EXIT_SUCCESS);
        case 'V':
            printf("%s %s\n", p->name, UPLIFT_VERSION);
            return end(status, EXIT_SUCCESS);
        default:
            return refuse(p, status);
        }
    }
    p->first_word = optind;
    if (optind < argc && !p->takes_words) {
        fprintf(stderr, "%s: unexpected argument: %s\n", p->name, argv[optind]);
        return refuse(p, status);
    }
    return true;
}

bool program_start(struct program *p, int argc, char **argv, struct config *config, int *status)
{
    bool check = false;
    char wrong[512];
    if (!read_options(p, argc, argv, &check, status))
        return false;
    if (!config_read(config, p->config_path, stderr))
        return end(status, EXIT_FAILURE);
    if (p->check != NULL && !p->check(config, wrong, sizeof wrong)) {
        fprintf(stderr, "%s\n", wrong);
        config_release(config);
        return end(status, EXIT_FAILURE);
    }
    if (!check)
        return true;
    config_print(config, stdout);
    config_release(config);
    return end(status, EXIT_SUCCESS);
}

void program_keep_memory_low(void)
{
    /* By default it raises the size from which on a piece has pages of its own, up to 32 MB, when
     * the first large one is freed; those below it stay with the arena of the thread that had them.
     */
    mallopt(M_MMAP_THRESHOLD, LARGE_PIECE_BYTES);
}

bool program_read_number(const char *program, const char *option, const char *text, long least,
                         long most, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out >= least && *out <= most)
        return true;
    fprintf(stderr, "%s: %s takes a whole number from %ld to %ld, not %.100s\n", program, option,
            least, most, text);
    return false;
}
