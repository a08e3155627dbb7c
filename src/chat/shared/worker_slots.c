/* Slots and mailboxes of workers; see worker_slots.h. */
#include "worker_slots.h"

#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void worker_slots_init(struct worker_slots *slots)
{
    for (int i = 0; i < WORKER_SLOTS; i++) {
        int pair[2];
        slots->send_fds[i] = slots->receive_fds[i] = -1;
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
            log_warn("master", "could not make the mailbox of a worker: %s", strerror(errno));
            continue;
        }
        slots->send_fds[i] = pair[0];
        slots->receive_fds[i] = pair[1];
    }
}

static bool is_alive(int pid)
{
    return pid != 0 && (kill(pid, 0) == 0 || errno != ESRCH);
}

int worker_slots_claim(struct worker_slots *slots)
{
    for (int i = 0; i < WORKER_SLOTS; i++) {
        int pid = atomic_load(&slots->pids[i]);
        if (slots->send_fds[i] >= 0 && !is_alive(pid) &&
            atomic_compare_exchange_strong(&slots->pids[i], &pid, getpid()))
            return i;
    }
    return -1;
}

void worker_slots_leave(struct worker_slots *slots, int slot)
{
    if (slot >= 0)
        atomic_store(&slots->pids[slot], 0);
}

/* Room for one descriptor beside a message. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

bool worker_slots_send(struct worker_slots *slots, int slot, const struct mail *mail, int fd)
{
    union control control;
    struct iovec part = {(void *)mail, sizeof *mail};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (slot < 0 || slot >= WORKER_SLOTS || !is_alive(atomic_load(&slots->pids[slot])))
        return false;
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control.room;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    ssize_t n;
    do
        n = sendmsg(slots->send_fds[slot], &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof *mail;
}

bool worker_slots_receive(struct worker_slots *slots, int slot, struct mail *mail, int *fd)
{
    union control control;
    struct iovec part = {mail, sizeof *mail};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.room};
    ssize_t n;
    *fd = -1;
    if (slot < 0)
        return false;
    do
        n = recvmsg(slots->receive_fds[slot], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h != NULL; h = CMSG_NXTHDR(&message, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
            memcpy(fd, CMSG_DATA(h), sizeof *fd);
    mail->request_id[REQUEST_ID_MAX] = '\0';
    return n == (ssize_t)sizeof *mail; /* datagrams come whole */
}
