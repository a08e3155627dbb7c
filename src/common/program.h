/* What the programs' mains have in common: their options. */
#ifndef UPLIFT_PROGRAM_H
#define UPLIFT_PROGRAM_H

#include "config.h"
#include "must_check.h"

#include <stdbool.h>

#define EXIT_USAGE 2

struct program {
    const char *name;
    void (*print_help)(void); /* up to the configuration, which is printed after it */
    void (*print_routes)(FILE *out);
    bool takes_words; /* what follows the options; else it is refused */
    /* What else of a configuration can be wrong: false with a text. NULL: nothing. */
    bool (*check)(const struct config *config, char *wrong, size_t size);

    /* Filled in by program_start. */
    const char *config_path; /* of --config, or NULL */
    int first_word;          /* index in argv of what follows the options */
};

/*
 * Reads --config, --check, --help, --routes and --version, and the configuration. True: go on, with
 * *config, to be released. False: end with *status; all was said.
 */
MUST_CHECK bool program_start(struct program *p, int argc, char **argv, struct config *config,
                              int *status);

/* A whole number of the command line, within limits. False after it was said what the option, of
 * that name, takes. */
MUST_CHECK bool program_read_number(const char *program, const char *option, const char *text,
                                    long least, long most, long *out);

/* Has the C library give large pieces of memory back to the system as soon as they are freed. Once,
 * at the start. */
void program_keep_memory_low(void);

#endif
