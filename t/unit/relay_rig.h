/*
 * A relay under test: between a provider that plays a script, a recorder that keeps what it gets,
 * and clients that are one end of a socket pair.
 */
#ifndef UPLIFT_RELAY_RIG_H
#define UPLIFT_RELAY_RIG_H

#include "chat/chat.h"
#include "chat/provider/routing.h"
#include "chat/relay/relay.h"
#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The provider answers each request with the request's own body, played: these bytes in it are
 * commands, all others are sent as they are.
 */
#define PLAY_PAUSE "\x01"  /* wait 30 ms */
#define PLAY_CLOSE "\x02"  /* close the connection */
#define PLAY_RESET "\x03"  /* reset it */
#define PLAY_WAIT "\x04"   /* send nothing more until the other side closes */
#define PLAY_BYTES "\x05"  /* from here on send byte by byte */
#define PLAY_AGAIN "\x06"  /* what follows answers the next try of the same chat */
#define PLAY_REPEAT "\x07" /* send what comes before the next of these 20,000 times */

#define EVENTS "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

struct rig {
    struct config config;
    struct relay *relay;
    struct routings *routings;
    uint16_t port; /* the provider's */
};

/* What the recorder kept of one chat. */
struct kept {
    char id[UUID_TEXT + 1];
    enum chat_outcome outcome;
    char *line; /* chat_to_json */
};

/* Starts all with short limits; change is called on the configuration before. */
void rig_start(struct rig *rig, void (*change)(struct config *config));
void rig_stop(struct rig *rig);
/* How the recorder answers from now on. */
void rig_record_as(enum chat_recorded recorded);
/* Whether the recorder takes chats at all. */
void rig_record_full(bool full);
/* Requests the provider got, and connections on which they came. */
int rig_requests(void);
int rig_connections(void);
/* Waits until a chat was recorded; NULL after five seconds. Valid until rig_stop. */
const struct kept *rig_kept(const char *id);

/* A chat in progress, seen from nginx. */
struct guest {
    int fd;
    char id[UUID_TEXT + 1];
    struct buf output; /* the CGI response so far */
    bool has_ended;    /* END_REQUEST came */
    bool is_closed;
};

/* Submits a chat whose provider plays script (copied, owned NUL-terminated text). */
bool guest_start(struct guest *g, struct rig *rig, enum chat_protocol protocol, bool stream,
                 const char *script);
/* The same with a change to the chat before it is submitted. */
bool guest_start_with(struct guest *g, struct rig *rig, enum chat_protocol protocol, bool stream,
                      const char *script, void (*change)(struct chat *chat));
/* Reads until the output holds text. False at the end, or after five seconds. */
bool guest_reads(struct guest *g, const char *text);
/* Reads to the end. False after five seconds. */
bool guest_reads_all(struct guest *g);
/* Hangs up and forgets. */
void guest_leave(struct guest *g);
/* The output's body. */
const char *guest_body(const struct guest *g);

#endif
