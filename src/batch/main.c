/*
 * fcgi-batch: admin URLs and batch jobs, as a service behind nginx or on the command line.
 */
#include "command.h"
#include "common/program.h"
#include "eval_retrieval.h"
#include "routes.h"
#include "service.h"
#include "simulate_experiments.h"
#include "simulate_flywheel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_help(void)
{
    puts("Usage: fcgi-batch [--config FILE] [--check | --help | --routes | --version]\n"
         "       fcgi-batch [--config FILE] COMMAND [ARGUMENTS]\n"
         "\n"
         "Without a command: serves the admin URLs as a FastCGI program behind nginx, and runs "
         "batch "
         "jobs.\n"
         "\n"
         "  -c, --config FILE  read the configuration from FILE, too\n"
         "      --check        check the configuration, print it without its secrets, and exit\n"
         "  -h, --help         print this help and exit\n"
         "      --routes       print the routes, with who may call each, and exit\n"
         "  -V, --version      print the version and exit\n");
    command_print_help();
    puts(
        "\n"
        "Signals: TERM and INT tell jobs to stop, give them back to be gone on with, and end.\n"
        "\n"
        "Configuration: from the environment, or else from FILE, which holds NAME=VALUE lines; one "
        "file\n"
        "will do for fcgi-chat and fcgi-batch. For each NAME, NAME_FILE names a file to read the "
        "value\n"
        "from.\n");
}

static bool check(const struct config *config, char *wrong, size_t size)
{
    if (config->trainer != TRAINER_COMMAND || access(config->trainer_command, X_OK) == 0)
        return true;
    snprintf(wrong, size, "UPLIFT_TRAINER_COMMAND: could not run %.300s: %s",
             config->trainer_command, strerror(errno));
    return false;
}

static bool runs(int count, char **words, const char *name)
{
    return count > 1 && strcmp(words[0], "run") == 0 && strcmp(words[1], name) == 0;
}

/* Whether these words are run eval-retrieval DIRECTORY; its kind that asks the database (--memory)
 * is a command like others. */
static bool evaluates_files(int count, char **words)
{
    return runs(count, words, "eval-retrieval") &&
           (count == 2 || strncmp(words[2], "--memory", strlen("--memory")) != 0);
}

/* Whether that needs no configuration either. */
static bool evaluates_words_alone(int count, char **words)
{
    for (int i = 2; i < count; i++)
        if (strcmp(words[i], "--embeddings") == 0 ||
            strncmp(words[i], "--memory", strlen("--memory")) == 0)
            return false;
    return evaluates_files(count, words);
}

int main(int argc, char **argv)
{
    struct program program = {
        .name = "fcgi-batch",
        .print_help = print_help,
        .print_routes = routes_print,
        .takes_words = true,
        .check = check,
    };
    struct config config;
    int status, first;
    if (runs(argc - 1, argv + 1, "simulate-experiments"))
        return simulate_experiments(argc - 3, argv + 3);
    if (evaluates_words_alone(argc - 1, argv + 1))
        return eval_retrieval(NULL, argc - 3, argv + 3);
    if (!program_start(&program, argc, argv, &config, &status))
        return status;
    first = program.first_word;
    if (evaluates_files(argc - first, argv + first))
        status = eval_retrieval(&config, argc - first - 2, argv + first + 2);
    else if (runs(argc - first, argv + first, "simulate-experiments"))
        status = simulate_experiments(argc - first - 2, argv + first + 2);
    else if (runs(argc - first, argv + first, "simulate-flywheel"))
        status = simulate_flywheel(&config, argc - first - 2, argv + first + 2);
    else
        status =
            first < argc ? command_run(&config, argc - first, argv + first) : service_run(&config);
    config_release(&config);
    return status;
}
