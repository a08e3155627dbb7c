/*
 * fcgi-chat: the chat backend behind nginx. Reads its configuration and hands over to the master.
 */
#include "chat/process/master.h"
#include "chat/provider/routing.h"
#include "chat/routes/routes.h"
#include "common/program.h"

#include <stdio.h>

static void print_help(void)
{
    puts(
        "Usage: fcgi-chat [--config FILE] [--check | --help | --routes | --version]\n"
        "\n"
        "Answers chats as a FastCGI program behind nginx, and records every answer in Postgres.\n"
        "\n"
        "  -c, --config FILE  read the configuration from FILE, too\n"
        "      --check        check the configuration, print it without its secrets, and exit\n"
        "  -h, --help         print this help and exit\n"
        "      --routes       print the routes, with who may call each, and exit\n"
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
}

int main(int argc, char **argv)
{
    struct program program = {
        .name = "fcgi-chat",
        .print_help = print_help,
        .print_routes = routes_print,
        .check = routing_check,
    };
    struct config config;
    int status;
    if (!program_start(&program, argc, argv, &config, &status))
        return status;
    return master_run(&config, program.config_path);
}
