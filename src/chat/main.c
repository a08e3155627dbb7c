/*
 * fcgi-chat: the chat backend behind nginx. Reads its configuration and hands over to the master.
 */
#include "../common/config.h"
#include "../common/log.h"
#include "master.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

static void print_help(void)
{
    puts(
        "Usage: fcgi-chat [--config FILE] [--check | --help | --version]\n"
        "\n"
        "Answers chats as a FastCGI program behind nginx, and records every answer in Postgres.\n"
        "\n"
        "  -c, --config FILE  read the configuration from FILE, too\n"
        "      --check        check the configuration, print it without its secrets, and exit\n"
        "  -h, --help         print this help and exit\n"
        "  -V, --version      print the version and exit\n"
        "\n"
        "Signals: TERM drains and stops, a second TERM stops at once, HUP reads the configuration\n"
        "again.\n"
        "\n"
        "Configuration: from the environment, or else from FILE, which holds NAME=VALUE lines. "
        "For\n"
        "each NAME, NAME_FILE names a file to read the value from. Sizes take k, M and G; "
        "durations\n"
        "are milliseconds, or take ms, s, min and h.\n");
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
    while ((option = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1) {
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
            puts("fcgi-chat " UPLIFT_VERSION);
            return EXIT_SUCCESS;
        default:
            fputs("Try fcgi-chat --help.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "fcgi-chat: unexpected argument: %s\nTry fcgi-chat --help.\n",
                argv[optind]);
        return EXIT_USAGE;
    }

    struct config config;
    if (!config_read(&config, path, stderr))
        return EXIT_FAILURE;
    if (check) {
        config_print(&config, stdout);
        config_release(&config);
        return EXIT_SUCCESS;
    }
    return master_run(&config, path);
}
