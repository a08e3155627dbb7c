/* Answers in threads of their own; see apart.h. */
#include "apart.h"

#include <pthread.h>
#include <stdlib.h>

#define EXPORTS_MAX 16

struct task {
    struct admin_call call;
    atomic_int *open;
    void (*run)(struct admin_call *c);
};

static void *task_main(void *arg)
{
    struct task *t = arg;
    atomic_int *open = t->open;
    t->run(&t->call);
    free(t);
    atomic_fetch_sub(open, 1); /* from here on what all of them use may be freed */
    return NULL;
}

bool apart_run(struct admin_call *c, atomic_int *open, int max, void (*run)(struct admin_call *c))
{
    pthread_t thread;
    struct task *t = malloc(sizeof *t);
    if (t == NULL)
        return false;
    *t = (struct task){.call = *c, .open = open, .run = run};
    if (atomic_fetch_add(open, 1) < max && pthread_create(&thread, NULL, task_main, t) == 0) {
        pthread_detach(thread);
        return true;
    }
    atomic_fetch_sub(open, 1);
    free(t);
    return false;
}

void export_apart(struct admin_call *c, void (*run)(struct admin_call *c))
{
    struct api_error error;
    if (apart_run(c, &c->admin->exports, EXPORTS_MAX, run))
        return;
    api_error(&error, 503, "too_many_exports", "",
              "too many exports are under way; try again when one has ended");
    error.retry_after_ms = 5000;
    request_fail(c->request, &error, NULL);
}
