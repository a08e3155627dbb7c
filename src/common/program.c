/* The options of a program. */
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_CHECK = 256, OPTION_ROUTES };

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
