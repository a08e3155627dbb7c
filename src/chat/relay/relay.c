/* The relay's thread: what comes to it from the other stages, and what time brings; see relay.h. */
#include "relay.h"

#include "common/clock.h"
#include "common/log.h"
#include "relay_chat.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SWEEP_MS 50
#define OUT_MAX ((size_t)1 << 30) /* bounded by the limits of what goes in */
#define OUT_KEEP ((size_t)256 * 1024)

struct relay {
    struct relay_core core;
    pthread_t thread;
    uv_async_t wake;
    uv_timer_t sweep;
    uv_poll_t mail; /* from other workers; only with a slot */
    bool has_mail;
    bool is_sweeping;
    atomic_int_fast64_t open;
    pthread_mutex_t lock; /* guards from here ... */
    struct chat *submitted, **submitted_tail;
    struct chat *recorded, **recorded_tail;
    bool is_stopping; /* ... to here */
    int64_t stop_wait_ms;
    int64_t stop_deadline_ms; /* the thread's; 0 until it stops */
    bool is_closed;           /* every handle is being closed */
};

/* --- the other stages' side --- */

bool relay_submit(struct relay *r, struct chat *c)
{
    bool was_empty = false;
    pthread_mutex_lock(&r->lock);
    bool room = !r->is_stopping && atomic_load(&r->open) < r->core.config->max_chats;
    if (room) {
        was_empty = r->submitted == NULL;
        atomic_fetch_add(&r->open, 1);
        c->next = NULL;
        *r->submitted_tail = c;
        r->submitted_tail = &c->next;
    }
    pthread_mutex_unlock(&r->lock);
    if (was_empty)
        uv_async_send(&r->wake);
    return room;
}

void relay_recorded(struct relay *r, struct chat *list)
{
    if (list == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    bool was_empty = r->recorded == NULL;
    *r->recorded_tail = list;
    while (list->next != NULL)
        list = list->next;
    r->recorded_tail = &list->next;
    pthread_mutex_unlock(&r->lock);
    if (was_empty)
        uv_async_send(&r->wake);
}

int64_t relay_open(const struct relay *r)
{
    return atomic_load(&r->open);
}

/* --- the thread --- */

static void close_all(struct relay *r)
{
    if (r->is_closed)
        return;
    r->is_closed = true;
    upstreams_close(&r->core.upstreams);
    uv_close((uv_handle_t *)&r->sweep, NULL);
    uv_close((uv_handle_t *)&r->wake, NULL);
    if (r->has_mail)
        uv_close((uv_handle_t *)&r->mail, NULL);
}

/* A large answer's memory is not kept for ever. */
static void trim(struct buf *b)
{
    if (b->cap > OUT_KEEP)
        buf_release(b);
}

static void on_sweep(uv_timer_t *timer)
{
    struct relay *r = timer->data;
    int64_t now = clock_ms();
    for (struct relay_chat *rc = r->core.chats; rc != NULL; rc = rc->next)
        relay_chat_sweep(rc, now);
    followers_sweep(&r->core, now);
    upstreams_sweep(&r->core.upstreams, now);
    trim(&r->core.out);
    trim(&r->core.head);
    if (r->core.chats == NULL && r->core.followers == NULL && r->core.upstreams.lingering == NULL) {
        uv_timer_stop(timer);
        r->is_sweeping = false;
    }
    if (r->stop_deadline_ms != 0 && now >= r->stop_deadline_ms)
        uv_stop(&r->core.loop);
}

static void shut_down(struct relay *r)
{
    if (r->stop_deadline_ms == 0) {
        r->stop_deadline_ms = clock_ms() + r->stop_wait_ms;
        for (struct relay_chat *rc = r->core.chats; rc != NULL; rc = rc->next)
            relay_chat_shut_down(rc);
    }
}

static void keep_sweeping(struct relay *r)
{
    if (r->is_sweeping)
        return;
    uv_timer_start(&r->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    r->is_sweeping = true;
}

static void on_wake(uv_async_t *wake)
{
    struct relay *r = wake->data;
    pthread_mutex_lock(&r->lock);
    struct chat *submitted = r->submitted, *recorded = r->recorded;
    r->submitted = r->recorded = NULL;
    r->submitted_tail = &r->submitted;
    r->recorded_tail = &r->recorded;
    bool is_stopping = r->is_stopping;
    pthread_mutex_unlock(&r->lock);

    for (struct chat *c = recorded, *next; c != NULL; c = next) {
        next = c->next;
        relay_chat_recorded(c->relay);
    }
    for (struct chat *c = submitted, *next; c != NULL; c = next) {
        next = c->next;
        relay_chat_open(&r->core, c);
    }
    if (is_stopping)
        shut_down(r);
    if (r->core.chats != NULL || is_stopping)
        keep_sweeping(r);
}

static void take_mail(struct relay *r, const struct mail *mail, int fd)
{
    struct relay_chat *rc;
    if (mail->kind == MAIL_STOP) {
        rc = relay_chat_find(&r->core, &mail->answer, &mail->user);
        if (rc != NULL)
            relay_chat_stop(rc);
    } else if (fd >= 0) {
        followers_add(&r->core, mail, fd);
    }
}

static void on_mail(uv_poll_t *poll, int status, int events)
{
    struct relay *r = poll->data;
    struct mail mail;
    int fd;
    (void)status;
    (void)events;
    while (worker_slots_receive(r->core.options.slots, r->core.options.slot, &mail, &fd))
        take_mail(r, &mail, fd);
    if (r->core.followers != NULL)
        keep_sweeping(r);
}

/* False only when memory or descriptors ran out. */
static bool open_mailbox(struct relay *r)
{
    const struct relay_options *o = &r->core.options;
    if (o->slots == NULL || o->slot < 0)
        return true;
    if (uv_poll_init(&r->core.loop, &r->mail, o->slots->receive_fds[o->slot]) != 0)
        return false;
    r->has_mail = true;
    r->mail.data = r;
    return uv_poll_start(&r->mail, UV_READABLE, on_mail) == 0;
}

/* At the end of each turn. */
static void on_turn(uv_prepare_t *prepare)
{
    struct relay *r = prepare->data;
    relay_chats_free(&r->core);
    followers_free(&r->core);
    if (r->stop_deadline_ms != 0 && r->core.chats == NULL && r->core.followers == NULL) {
        close_all(r);
        uv_close((uv_handle_t *)prepare, NULL);
    }
}

static void *run(void *arg)
{
    struct relay *r = arg;
    uv_prepare_t turn;
    uv_prepare_init(&r->core.loop, &turn);
    turn.data = r;
    uv_prepare_start(&turn, on_turn);
    uv_run(&r->core.loop, UV_RUN_DEFAULT);
    relay_chats_free(&r->core);
    followers_free(&r->core);
    return NULL;
}

static void release(struct relay *r)
{
    upstreams_free(&r->core.upstreams);
    buf_release(&r->core.out);
    buf_release(&r->core.head);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct relay *relay_start(const struct relay_options *options)
{
    struct relay *r = calloc(1, sizeof *r);
    if (r == NULL || uv_loop_init(&r->core.loop) != 0) {
        log_error("relay", "cannot start: out of memory");
        free(r);
        return NULL;
    }
    r->core.options = *options;
    r->core.config = options->config;
    r->core.recorder = options->recorder;
    r->core.open = &r->open;
    r->core.random = (unsigned)clock_wall_us() | 1;
    buf_init(&r->core.out, OUT_MAX);
    buf_init(&r->core.head, OUT_MAX);
    r->submitted_tail = &r->submitted;
    r->recorded_tail = &r->recorded;
    pthread_mutex_init(&r->lock, NULL);
    if (uv_async_init(&r->core.loop, &r->wake, on_wake) != 0) {
        log_error("relay", "cannot start: no more file descriptors");
        uv_loop_close(&r->core.loop);
        free(r);
        return NULL;
    }
    r->wake.data = r;
    uv_timer_init(&r->core.loop, &r->sweep);
    r->sweep.data = r;
    bool good = upstreams_open(&r->core.upstreams, options->config, &r->core.loop);
    if (good && open_mailbox(r) && pthread_create(&r->thread, NULL, run, r) == 0) {
        pthread_setname_np(r->thread, "relay");
        return r;
    }
    if (good) {
        log_error("relay", "cannot start its thread");
        upstreams_close(&r->core.upstreams);
    }
    if (r->has_mail)
        uv_close((uv_handle_t *)&r->mail, NULL);
    uv_close((uv_handle_t *)&r->sweep, NULL);
    uv_close((uv_handle_t *)&r->wake, NULL);
    uv_run(&r->core.loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->core.loop);
    release(r);
    return NULL;
}

void relay_stop(struct relay *r, int64_t wait_ms)
{
    pthread_mutex_lock(&r->lock);
    r->is_stopping = true;
    r->stop_wait_ms = wait_ms;
    pthread_mutex_unlock(&r->lock);
    uv_async_send(&r->wake);
    pthread_join(r->thread, NULL);
    if (uv_loop_close(&r->core.loop) == 0) {
        release(r);
        return;
    }
    /* The recorder still has chats, and will give them back to this relay: it stays. */
    log_warn("relay", "stopped with %lld chats open", (long long)relay_open(r));
}
