/* The listening socket of all workers: Unix or TCP. */
#ifndef UPLIFT_LISTENER_H
#define UPLIFT_LISTENER_H

#include "must_check.h"

#include <stdbool.h>
#include <sys/types.h>

struct listener {
    int fd;     /* -1: none */
    char *path; /* of a Unix socket, owned, else NULL */
    dev_t device;
    ino_t inode; /* of the socket we made, so that nobody else's is ever removed */
};

/*
 * Makes the socket at address ("unix:PATH" or "HOST:PORT", as the configuration checked it). A Unix
 * socket's file that nobody answers on any more is
 * replaced, one that somebody answers on is left alone and refused; so is anything that is no
 * socket. The file gets mode, and belongs to uid and gid where these are not -1. False with
 * a logged reason.
 */
MUST_CHECK bool listener_open(struct listener *l, const char *address, mode_t mode, uid_t uid,
                              gid_t gid);
/* From now on connections are refused, whoever has the socket open; those that wait in its queue
 * can still be accepted. */
void listener_refuse(const struct listener *l);
/* Whether that was done, by any process. */
bool listener_refuses(int fd);
/* Closes the socket; with unlink_path, also removes its file if it is still the one we made. */
void listener_close(struct listener *l, bool unlink_path);

#endif
