/*
 * fcgi-batch: admin URLs and batch jobs, as a service behind nginx or on the command line.
 */
#include "../common/config.h"
#include "command.h"
#include "service.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

static void print_help(void)
{
    puts("Usage: fcgi-batch [--config FILE] [--check | --help | --version]\n"
         "       fcgi-batch [--config FILE] COMMAND [ARGUMENTS]\n"
         "\n"
         "Without a command: serves the admin URLs as a FastCGI program behind nginx, and runs "
         "batch "
         "jobs.\n"
         "\n"
         "  -c, --config FILE  read the configuration from FILE, too\n"
         "      --check        check the configuration, print it without its secrets, and exit\n"
         "  -h, --help         print this help and exit\n"
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
    config_print_help(stdout);
}

int main(int argc, char **argv)
{
    enum { OPTION_CHECK = 256 };
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const char *path = NULL;
    bool check = false;
    int option;
    while ((option = getopt_long(argc, argv, "+c:hV", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case OPTION_CHECK:
            check = true;
            break;
        case 'h':
            print_help();
            return EXIT_SUCCESS;
        case 'V':
            puts("fcgi-batch " UPLIFT_VERSION);
            return EXIT_SUCCESS;
        default:
            fputs("Try fcgi-batch --help.\n", stderr);
            return EXIT_USAGE;
        }
    }
    struct config config;
    if (!config_read(&config, path, stderr))
        return EXIT_FAILURE;
    int status = EXIT_SUCCESS;
    if (check)
        config_print(&config, stdout);
    else if (optind < argc)
        status = command_run(&config, argc - optind, argv + optind);
    else
        status = service_run(&config);
    config_release(&config);
    return status;
}
