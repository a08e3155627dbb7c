/*
 * A recorder without the rest of a worker, for t/fault/crash.py: a line on standard input for each
 * thing to be made durable, a line on standard output for each that is.
 *
 *   recorderd CONNINFO SPOOL_DIR
 *   answer ID USER CONVERSATION TEXT      ->  committed ID | spooled ID | lost ID
 *   thumb USER ID JSON                    ->  thumb ID | nothumb ID
 *
 * Ends in order at the end of the input.
 */
#include "chat/record/recorder.h"
#include "chat/record/spool.h"
#include "chat/relay/relay.h"
#include "chat/snapshot/persona.h"
#include "common/clock.h"
#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct recorder *recorder;

static void say(const char *what, const char *id)
{
    char line[80];
    int len = snprintf(line, sizeof line, "%s %s\n", what, id);
    if (write(STDOUT_FILENO, line, (size_t)len) != len)
        _exit(2);
}

/* The relay's part: what comes back here is what a client would see end. */
static void take_back(void *arg, struct chat *list)
{
    static const char *const names[] = {"lost", "committed", "spooled"};
    (void)arg;
    for (struct chat *c = list, *next; c != NULL; c = next) {
        next = c->next;
        say(names[c->recorded], c->id_text);
        chat_free(c);
    }
}

static void answer(const char *id, const char *user, const char *conversation, const char *text)
{
    struct chat *c = chat_new(NULL);
    if (c == NULL)
        _exit(2);
    snprintf(c->id_text, sizeof c->id_text, "%s", id);
    snprintf(c->user_text, sizeof c->user_text, "%s", user);
    snprintf(c->conversation_text, sizeof c->conversation_text, "%s", conversation);
    c->user_message = strdup("question");
    c->model = strdup("simulated");
    c->outcome = CHAT_COMPLETE;
    c->created_us = clock_wall_us();
    c->prompt_tokens = c->completion_tokens = 1;
    buf_puts(&c->text, text);
    if (!recorder_submit(recorder, c)) {
        say("lost", id);
        chat_free(c);
    }
}

struct thumb {
    char id[UUID_TEXT + 1];
    struct buf line;
};

static void *wait_for_thumb(void *arg)
{
    struct thumb *t = arg;
    say(recorder_spool_feedback(recorder, t->line.data) ? "thumb" : "nothumb", t->id);
    buf_release(&t->line);
    free(t);
    return NULL;
}

static void thumb(const char *user, const char *id, const char *changes)
{
    pthread_t thread;
    struct thumb *t = calloc(1, sizeof *t);
    struct uuid event;
    char event_text[UUID_TEXT + 1];
    if (t == NULL)
        _exit(2);
    uuid_v7(&event);
    uuid_format(&event, event_text);
    buf_init(&t->line, 65536);
    snprintf(t->id, sizeof t->id, "%s", id);
    if (!spool_feedback_line(&t->line, event_text, user, id, changes, true, clock_wall_us()) ||
        pthread_create(&thread, NULL, wait_for_thumb, t) != 0)
        _exit(2);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 64;
    log_open("recorderd", 0, LOG_INFO);
    struct config config = {.database_url = argv[1],
                            .spool_dir = argv[2],
                            .db_timeout_ms = 1000,
                            .db_lock_timeout_ms = 200,
                            .group_max = 256,
                            .record_queue_max = 4096};
    struct pg_breaker *breaker = pg_breaker_new(200);
    struct personas *personas = personas_new(argv[2]);
    recorder = recorder_start(&config, breaker, personas, NULL);
    if (recorder == NULL)
        return 1;
    recorder_attach(recorder, take_back, NULL);
    say("ready", "");

    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        char a[UUID_TEXT + 1], b[UUID_TEXT + 1], c[UUID_TEXT + 1];
        int rest = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "answer %36s %36s %36s %n", a, b, c, &rest) == 3 && rest > 0)
            answer(a, b, c, line + rest);
        else if (sscanf(line, "thumb %36s %36s %n", a, b, &rest) == 2 && rest > 0)
            thumb(a, b, line + rest);
    }
    free(line);
    recorder_stop(recorder);
    personas_free(personas);
    pg_breaker_free(breaker);
    return 0;
}
