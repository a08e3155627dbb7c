/*
 * Each worker process has a slot while it runs, and by it a mailbox: any worker of the host can
 * hand it a client's connection, with a word on what that client wants.
 *
 * The master makes the sockets before it forks, so that workers who start later and earlier reach
 * each other; their descriptors have the same numbers in all processes. While a reload goes on, old
 * and new workers run side by side, each in a slot of its own.
 */
#ifndef UPLIFT_WORKER_SLOTS_H
#define UPLIFT_WORKER_SLOTS_H

#include "common/request.h"
#include "common/uuid.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Two generations of UPLIFT_WORKERS, while a reload goes on. */
#define WORKER_SLOTS 256

struct worker_slots {
    atomic_int pids[WORKER_SLOTS]; /* 0: free */
    int send_fds[WORKER_SLOTS];    /* -1: could not be made */
    int receive_fds[WORKER_SLOTS];
};

enum mail_kind {
    MAIL_FOLLOW, /* the connection comes along, its response head is out: send the answer there */
    MAIL_STOP,   /* stop the answer */
};

struct mail {
    enum mail_kind kind;
    struct uuid answer;
    struct uuid user;  /* whose it must be */
    uint64_t offset;   /* bytes of the text that the client has ... */
    uint32_t checksum; /* ... and their CRC-32 */
    int fcgi_id;       /* of the request on its connection */
    bool keeps;        /* that serves others afterwards */
    char request_id[REQUEST_ID_MAX + 1];
};

/* Makes the mailboxes. In the master. */
void worker_slots_init(struct worker_slots *slots);
/* Takes a slot for this process; -1 when all are taken. What a dead worker had comes free again. */
int worker_slots_claim(struct worker_slots *slots);
void worker_slots_leave(struct worker_slots *slots, int slot);
/*
 * Sends mail, with a connection or -1, which stays the caller's to close. False when the worker is
 * gone or its mailbox is full. Thread-safe, never blocks.
 */
bool worker_slots_send(struct worker_slots *slots, int slot, const struct mail *mail, int fd);
/* The next mail of a slot; *fd is the connection, the caller's, or -1. False when there is none. */
bool worker_slots_receive(struct worker_slots *slots, int slot, struct mail *mail, int *fd);

#endif
