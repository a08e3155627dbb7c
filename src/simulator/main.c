/* fcgi-simulator: an OpenAI-compatible provider for demos, tests and benchmarks. */
#include "fault.h"
#include "job_fault.h"
#include "route.h"
#include "store.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define THREADS_MAX 64

struct options {
    const char *socket, *listen, *state;
    long threads, mode;
    struct simulator simulator;
};

/* One event loop in one thread. */
struct loop {
    pthread_t thread;
    uv_loop_t uv;
    uv_async_t stop;
    struct fastcgi_server *server;
};

static void print_help(FILE *out)
{
    fprintf(out,
            "Usage: fcgi-simulator --socket PATH | --listen HOST:PORT [options]\n"
            "\n"
            "An OpenAI-compatible provider over FastCGI whose answers are simulated.\n"
            "\n"
            "  --socket PATH     listen on a Unix socket\n"
            "  --mode OCTAL      mode of that socket (0660)\n"
            "  --listen ADDRESS  listen on HOST:PORT; port 0 is any, printed when ready\n"
            "  --threads N       event loops (1)\n"
            "  --state DIR       keep files and jobs there; without it there are none\n"
            "  --pace MS         between two tokens, 0 for at once (UPLIFT_SIM_PACE_MS, else 15)\n"
            "  --job-time S      from a fine-tuning job's creation to its end (10)\n"
            "  --require-key     refuse requests without an API key\n"
            "  --help            print this\n"
            "\n"
            "Faults, asked for with the model sim-fault-NAME or the header X-Sim-Fault: NAME;\n"
            "a pace is asked for with the model sim-pace-MS or the header X-Sim-Pace-Ms:\n");
    fault_help(out);
    fputs("\nFaults of fine-tuning, asked for with the base model sim-fault-NAME:\n", out);
    job_fault_help(out);
}

/* A number from low to high, or an exit with a complaint. */
static double number(const char *name, const char *text, double low, double high)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= low && value <= high)) {
        fprintf(stderr, "fcgi-simulator: %s must be a number from %g to %g, not \"%s\"\n", name,
                low, high, text);
        exit(2);
    }
    return value;
}

static void read_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'},   {"mode", required_argument, NULL, 'm'},
        {"listen", required_argument, NULL, 'l'},   {"threads", required_argument, NULL, 't'},
        {"state", required_argument, NULL, 'd'},    {"pace", required_argument, NULL, 'p'},
        {"job-time", required_argument, NULL, 'j'}, {"require-key", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    const char *pace = getenv("UPLIFT_SIM_PACE_MS");
    *o = (struct options){.threads = 1, .mode = 0660};
    o->simulator.job_ms = 10000;
    o->simulator.pace_ms =
        pace && pace[0] ? (int64_t)number("UPLIFT_SIM_PACE_MS", pace, 0, 3600000) : 15;
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 's':
            o->socket = optarg;
            break;
        case 'm':
            o->mode = strtol(optarg, NULL, 8);
            break;
        case 'l':
            o->listen = optarg;
            break;
        case 't':
            o->threads = (long)number("--threads", optarg, 1, THREADS_MAX);
            break;
        case 'd':
            o->state = optarg;
            break;
        case 'p':
            o->simulator.pace_ms = (int64_t)number("--pace", optarg, 0, 3600000);
            break;
        case 'j':
            o->simulator.job_ms = (int64_t)(number("--job-time", optarg, 0, 1e6) * 1000);
            break;
        case 'k':
            o->simulator.require_key = true;
            break;
        case 'h':
            print_help(stdout);
            exit(0);
        default:
            exit(2);
        }
    }
    if (optind != argc || (o->socket == NULL) == (o->listen == NULL)) {
        fprintf(stderr, "fcgi-simulator: one of --socket and --listen is needed; see --help\n");
        exit(2);
    }
}

static int listen_unix(const char *path, long mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat old;
    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode))
        unlink(path); /* left behind by one that was killed */
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
              chmod(path, (mode_t)mode) == 0 && listen(fd, 4096) == 0;
    if (!ok && fd >= 0)
        close(fd);
    return ok ? fd : -1;
}

static int listen_tcp(const char *text)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        errno = EINVAL;
        return -1;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    if (getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int on = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 4096) == 0;
    freeaddrinfo(found);
    struct sockaddr_in name;
    socklen_t len = sizeof name;
    if (ok && getsockname(fd, (struct sockaddr *)&name, &len) == 0) {
        printf("listening on port %d\n", ntohs(name.sin_port));
        fflush(stdout);
    }
    if (!ok && fd >= 0)
        close(fd);
    return ok ? fd : -1;
}

static void on_stop(uv_async_t *stop)
{
    struct loop *l = stop->data;
    fastcgi_stop(l->server);
    uv_close((uv_handle_t *)stop, NULL);
}

static void *run_loop(void *arg)
{
    struct loop *l = arg;
    uv_run(&l->uv, UV_RUN_DEFAULT);
    return NULL;
}

static bool start_loop(struct loop *l, int fd, struct simulator *s)
{
    if (uv_loop_init(&l->uv) != 0 || uv_async_init(&l->uv, &l->stop, on_stop) != 0)
        return false;
    l->stop.data = l;
    l->server = fastcgi_serve(&l->uv, fd, route, s);
    return l->server && pthread_create(&l->thread, NULL, run_loop, l) == 0;
}

/* As many open streams as the hard limit allows. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct options o;
    struct loop loops[THREADS_MAX];
    sigset_t signals;
    int signal_number, fd;
    read_options(argc, argv, &o);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* for all threads: main waits for them below */
    raise_limit();
    if (o.state && !store_open(o.state)) {
        fprintf(stderr, "fcgi-simulator: could not make %s: %s\n", o.state, strerror(errno));
        return 1;
    }
    fd = o.socket ? listen_unix(o.socket, o.mode) : listen_tcp(o.listen);
    if (fd < 0) {
        fprintf(stderr, "fcgi-simulator: could not listen on %s: %s\n",
                o.socket ? o.socket : o.listen, strerror(errno));
        return 1;
    }
    for (long i = 0; i < o.threads; i++) {
        if (!start_loop(&loops[i], fd, &o.simulator)) {
            fprintf(stderr, "fcgi-simulator: could not start an event loop\n");
            return 1;
        }
    }
    sigwait(&signals, &signal_number);
    for (long i = 0; i < o.threads; i++)
        uv_async_send(&loops[i].stop);
    for (long i = 0; i < o.threads; i++) {
        pthread_join(loops[i].thread, NULL);
        uv_loop_close(&loops[i].uv);
        fastcgi_free(loops[i].server);
    }
    if (o.socket)
        unlink(o.socket);
    close(fd);
    return 0;
}
