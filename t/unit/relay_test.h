/* What the tests of the relay share: a provider's words, and one relay and client for each test. */
#ifndef UPLIFT_RELAY_TEST_H
#define UPLIFT_RELAY_TEST_H

#include "relay_rig.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK(choice)                                                                              \
    "data: {\"id\":\"chatcmpl-theirs\",\"object\":\"chat.completion.chunk\",\"created\":1,"        \
    "\"model\":\"a-model-1\",\"choices\":[{\"index\":0," choice "}],\"usage\":null}\n\n"
#define ROLE CHUNK("\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null")
#define TEXT(text) CHUNK("\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null")
#define STOP CHUNK("\"delta\":{},\"finish_reason\":\"stop\"")
#define USAGE                                                                                      \
    "data: {\"id\":\"chatcmpl-theirs\",\"object\":\"chat.completion.chunk\",\"created\":1,"        \
    "\"model\":\"a-model-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":" \
    "2,"                                                                                           \
    "\"total_tokens\":11,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"
#define DONE "data: [DONE]\n\n"
#define ANSWER ROLE TEXT("Hel") TEXT("lo") STOP USAGE DONE

#define WHOLE(body)                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define COMPLETION                                                                                 \
    "{\"id\":\"chatcmpl-theirs\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"a-"      \
    "model-1\","                                                                                   \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello\","         \
    "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"                  \
    "{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}"

static struct rig rig;
static struct guest guest;

static inline int start(void **state)
{
    (void)state;
    rig_start(&rig, NULL);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    guest_leave(&guest);
    rig_stop(&rig);
    return 0;
}

static inline void assert_has(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text != NULL ? text : "(nothing)");
}

static inline void assert_has_not(const char *text, const char *part)
{
    if (text != NULL && strstr(text, part) != NULL)
        fail_msg("\"%s\" is in:\n%s", part, text);
}

static inline const struct kept *ends_as(enum chat_outcome outcome)
{
    const struct kept *k = rig_kept(guest.id);
    assert_non_null(k);
    if (k->outcome != outcome)
        fail_msg("outcome %s: %s", chat_outcome_name(k->outcome), k->line);
    return k;
}

#define TEST_WITH(f, setup) cmocka_unit_test_setup_teardown(f, setup, stop)
#define TEST(f) TEST_WITH(f, start)

#endif
