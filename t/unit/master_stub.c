/*
 * A worker without a chat, for master.py: the real main and master start it. It answers each
 * connection with "number pid model uid key" and, once the client has said something, with "bye".
 * UPLIFT_MODEL makes it misbehave: die (at its start), slow (to be ready), silent (never says that
 * it is ready), stubborn (needs to be told to end now), deaf (hears nothing).
 */
#include "chat/process/master.h"
#include "chat/process/worker.h"
#include "chat/provider/routing.h"
#include "chat/routes/routes.h"
#include "common/log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t is_draining, is_ending;
static atomic_int open_connections;
static char greeting[256];

static void take(int signo)
{
    is_draining = 1;
    if (signo == WORKER_END_NOW)
        is_ending = 1;
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char byte;
    if (write(fd, greeting, strlen(greeting)) > 0 && read(fd, &byte, 1) > 0)
        (void)!write(fd, "bye\n", 4);
    close(fd);
    atomic_fetch_sub(&open_connections, 1);
    return NULL;
}

static void accept_one(int listen_fd)
{
    pthread_t thread;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    atomic_fetch_add(&open_connections, 1);
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
        _exit(4);
    pthread_detach(thread);
}

/* The real ones need all of a worker. */
void routes_print(FILE *out)
{
    fputs("GET / open -\n", out);
}

bool routing_check(const struct config *config, char *wrong, size_t size)
{
    (void)config;
    (void)wrong;
    (void)size;
    return true;
}

int worker_run(const struct config *config, int listen_fd, const struct answer_key *answer_key,
               struct shared *shared, int number)
{
    (void)shared;
    const char *model = config->model;
    struct sigaction action = {.sa_handler = take, .sa_flags = SA_RESTART};
    bool is_deaf = strcmp(model, "deaf") == 0;
    bool is_stubborn = is_deaf || strcmp(model, "stubborn") == 0;
    sigaction(WORKER_DRAIN, &action, NULL);
    sigaction(WORKER_END_NOW, &action, NULL);
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, WORKER_DRAIN);
    sigaddset(&told, WORKER_END_NOW);
    sigprocmask(SIG_UNBLOCK, &told, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(model, "die") == 0)
        return 3;
    if (strcmp(model, "slow") == 0)
        poll(NULL, 0, 700);
    if (strcmp(model, "silent") != 0)
        master_worker_ready();
    snprintf(greeting, sizeof greeting, "%d %ld %s %d %02x%02x%02x%02x\n", number, (long)getpid(),
             model, (int)getuid(), answer_key->bytes[0], answer_key->bytes[1], answer_key->bytes[2],
             answer_key->bytes[3]);
    fcntl(listen_fd, F_SETFL, O_NONBLOCK); /* another worker may be faster */
    while (!is_draining) {
        struct pollfd p = {.fd = listen_fd, .events = POLLIN};
        if (poll(&p, 1, 100) > 0 && !is_draining)
            accept_one(listen_fd);
    }
    close(listen_fd); /* lest it look as if somebody answered on it */
    log_info("stub", "draining");
    while (is_deaf || (!is_ending && (is_stubborn || atomic_load(&open_connections) > 0)))
        poll(NULL, 0, 10);
    return 0;
}
