/* What systemd is told (sd_notify(3)), without its library. */
#ifndef UPLIFT_NOTIFY_H
#define UPLIFT_NOTIFY_H

/* Takes NOTIFY_SOCKET out of the environment, so that workers do not inherit it. */
void notify_open(void);
/* Sends one message, such as "READY=1\nSTATUS=..."; does nothing where nobody listens. */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
