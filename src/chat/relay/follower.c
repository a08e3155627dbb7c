/* Followers of answers; see follower.h. */
#include "follower.h"

#include "chat/protocol/message.h"
#include "chat/protocol/native.h"
#include "common/clock.h"
#include "common/intake.h"
#include "common/log.h"
#include "relay_chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct follower {
    struct relay_core *core;
    struct relay_chat *chat; /* NULL once it ended, for the follower or altogether */
    struct client client;
    size_t sent; /* bytes of the answer's text */
    int64_t sent_ms;
    bool has_ended;
    struct follower *next_of_chat;
    struct follower *next, **link; /* of all followers in the relay; next stays when it has ended */
    struct follower *next_ended;
};

static void leave_chat(struct follower *f)
{
    if (f->chat == NULL)
        return;
    struct follower **at = &f->chat->followers;
    while (*at != f)
        at = &(*at)->next_of_chat;
    *at = f->next_of_chat;
    f->chat->follower_count--;
    f->chat = NULL;
}

static void on_end(void *arg)
{
    struct follower *f = arg;
    leave_chat(f);
    *f->link = f->next;
    if (f->next != NULL)
        f->next->link = f->link;
    f->has_ended = true;
    f->next_ended = f->core->ended_followers;
    f->core->ended_followers = f;
}

void followers_free(struct relay_core *core)
{
    while (core->ended_followers != NULL) {
        struct follower *f = core->ended_followers;
        core->ended_followers = f->next_ended;
        free(f);
    }
}

static void on_gone(void *arg)
{
    struct follower *f = arg;
    client_drop(&f->client);
}

static void keep(void *intake, int fd)
{
    intake_keep(intake, fd);
}

/* A request as libfcgi has them, for a connection that another worker accepted. */
static struct request *adopt(struct relay_core *core, const struct mail *mail, int fd)
{
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->fcgi.ipcFd = fd;
    r->fcgi.requestId = mail->fcgi_id;
    r->fcgi.keepConnection = mail->keeps;
    r->keep = core->options.intake != NULL ? keep : NULL;
    r->keep_arg = core->options.intake;
    r->config = core->config;
    r->accepted_ms = clock_ms();
    r->endpoint = -1; /* counted where it was accepted */
    snprintf(r->request_id, sizeof r->request_id, "%s", mail->request_id);
    return r;
}

static struct follower *new_follower(struct relay_core *core, const struct mail *mail, int fd)
{
    struct follower *f = calloc(1, sizeof *f);
    struct request *r = f != NULL ? adopt(core, mail, fd) : NULL;
    if (r == NULL) {
        log_error(mail->request_id, "out of memory: an answer cannot be followed");
        free(f);
        close(fd);
        return NULL;
    }
    f->core = core;
    client_init(&f->client, &core->loop, r, (size_t)core->config->client_buffer_bytes);
    f->client.on_gone = on_gone;
    f->client.on_end = on_end;
    f->client.arg = f;
    f->next = core->followers;
    f->link = &core->followers;
    if (f->next != NULL)
        f->next->link = &f->next;
    core->followers = f;
    return f;
}

/* Sends core->head. */
static void send_head(struct follower *f)
{
    struct buf *out = &f->core->head;
    f->sent_ms = clock_ms();
    if (out->failed || !client_send(&f->client, out->data, out->len))
        client_drop(&f->client);
    buf_clear(out);
}

/* Appends the text that the follower does not have. */
static void put_text(struct follower *f, struct buf *out)
{
    const struct buf *text = &f->chat->chat->text;
    struct position *at = &f->chat->answer.position;
    if (text->len <= f->sent)
        return;
    position_advance(at, text->data, text->len);
    native_text(out, at, text->data + f->sent, text->len - f->sent);
    f->sent = text->len;
}

void followers_add(struct relay_core *core, const struct mail *mail, int fd)
{
    struct relay_chat *rc = relay_chat_find(core, &mail->answer, &mail->user);
    struct follower *f = new_follower(core, mail, fd);
    if (f == NULL)
        return;
    if (rc == NULL || rc->state == RELAY_ENDING || rc->follower_count == FOLLOWERS_MAX) {
        client_end(&f->client, "", 0);
        return;
    }
    f->chat = rc;
    f->next_of_chat = rc->followers;
    rc->followers = f;
    rc->follower_count++;
    client_watch(&f->client);
    buf_clear(&core->head);
    const struct chat *chat = rc->chat; /* the recorder only reads it, and so do we */
    const struct position has = {.bytes = (size_t)mail->offset, .sum = mail->checksum};
    native_started(&core->head, chat);
    if (position_fits(&has, chat->text.data, chat->text.len))
        f->sent = has.bytes;
    else
        native_restart(&core->head);
    put_text(f, &core->head);
    send_head(f);
}

void followers_update(struct relay_chat *rc)
{
    for (struct follower *f = rc->followers; f != NULL; f = f->next_of_chat) {
        buf_clear(&rc->core->head);
        put_text(f, &rc->core->head);
        if (rc->core->head.len > 0)
            send_head(f);
    }
}

void followers_restart(struct relay_chat *rc)
{
    for (struct follower *f = rc->followers; f != NULL; f = f->next_of_chat) {
        if (f->sent == 0)
            continue;
        f->sent = 0;
        buf_clear(&rc->core->head);
        native_restart(&rc->core->head);
        send_head(f);
    }
}

void followers_end(struct relay_chat *rc)
{
    struct buf *out = &rc->core->head;
    while (rc->followers != NULL) {
        struct follower *f = rc->followers;
        buf_clear(out);
        put_text(f, out);
        if (f->sent == 0)
            native_refusal(out, rc->chat);
        if (rc->chat->error.status != 0)
            native_error(out, rc->chat);
        else
            native_done(out, rc->chat);
        leave_chat(f);
        f->sent_ms = clock_ms();
        if (out->failed)
            client_drop(&f->client);
        else
            client_end(&f->client, out->data, out->len);
    }
    buf_clear(out);
}

void followers_sweep(struct relay_core *core, int64_t now_ms)
{
    static const char comment[] = ": keep-alive\n\n";
    for (struct follower *f = core->followers; f != NULL; f = f->next) {
        if (f->has_ended)
            continue;
        if (client_waiting(&f->client) > 0 &&
            now_ms >= f->client.progress_ms + core->config->idle_timeout_ms) {
            client_drop(&f->client);
        } else if (f->chat != NULL && now_ms >= f->sent_ms + core->config->heartbeat_ms) {
            buf_clear(&core->head);
            buf_puts(&core->head, comment);
            send_head(f);
        }
    }
}
