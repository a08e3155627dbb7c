/* The directory of answers under way, and the mailboxes by which workers hand connections on. */
#include "chat/shared/open_answers.h"
#include "chat/shared/worker_slots.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct open_answers *new_directory(void)
{
    struct open_answers *all = calloc(1, sizeof *all);
    assert_non_null(all);
    return all;
}

/* An answer whose id ends in these bits. */
static struct open_answer answer_of(uint32_t tail, uint8_t user, int slot)
{
    struct open_answer a = {.slot = slot, .created_us = tail};
    memcpy(a.id.bytes + 12, &tail, sizeof tail);
    a.id.bytes[0] = 1;
    a.user.bytes[0] = user;
    memcpy(a.client_request.bytes, a.id.bytes, 16);
    a.client_request.bytes[0] = 2;
    return a;
}

static void finds_by_id_and_by_the_clients_name(void **state)
{
    (void)state;
    struct open_answers *all = new_directory();
    struct open_answer a = answer_of(7, 1, 3), found;
    struct uuid other = {{9}}, zero = {{0}};
    int place = open_answers_add(all, &a);
    assert_true(place >= 0);
    assert_true(open_answers_find(all, &a.user, &a.id, &found));
    assert_int_equal(found.slot, 3);
    assert_int_equal(found.created_us, 7);
    assert_true(open_answers_find(all, &a.user, &a.client_request, &found));
    assert_true(uuid_equal(&found.id, &a.id));
    assert_false(open_answers_find(all, &other, &a.id, &found));
    assert_false(open_answers_find(all, &other, &a.client_request, &found));
    assert_false(open_answers_find(all, &a.user, &zero, &found));
    open_answers_remove(all, place);
    assert_false(open_answers_find(all, &a.user, &a.id, &found));
    open_answers_remove(all, -1);
    free(all);
}

static void lists_a_users_own(void **state)
{
    (void)state;
    struct open_answers *all = new_directory();
    struct open_answer found[4];
    for (uint32_t i = 1; i <= 10; i++) {
        struct open_answer a = answer_of(i * 1000, i % 2 == 0 ? 1 : 2, 0);
        assert_true(open_answers_add(all, &a) >= 0);
    }
    struct uuid first = {{1}}, nobody = {{3}};
    assert_int_equal(open_answers_of(all, &first, found, 4), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(found[i].user.bytes[0], 1);
    assert_int_equal(open_answers_of(all, &nobody, found, 4), 0);
    free(all);
}

static void ids_that_collide_have_places_until_there_are_none(void **state)
{
    (void)state;
    struct open_answers *all = new_directory();
    struct open_answer found;
    int places[200], kept = 0;
    for (uint32_t i = 0; i < 200; i++) {
        struct open_answer a = answer_of(5 + i * OPEN_ANSWERS_MAX, 1, 0);
        places[i] = open_answers_add(all, &a);
        kept += places[i] >= 0;
        assert_true(open_answers_find(all, &a.user, &a.id, &found) == (places[i] >= 0));
    }
    assert_true(kept >= 16 && kept < 200);
    for (uint32_t i = 0; i < 200; i++)
        open_answers_remove(all, places[i]);
    struct open_answer again = answer_of(5, 1, 0);
    assert_true(open_answers_add(all, &again) >= 0);
    free(all);
}

static void what_a_dead_worker_left_is_forgotten(void **state)
{
    (void)state;
    struct open_answers *all = new_directory();
    struct open_answer found;
    struct open_answer dead = answer_of(1, 1, 4), alive = answer_of(2, 1, 5);
    open_answers_add(all, &dead);
    open_answers_add(all, &alive);
    open_answers_forget(all, 4);
    assert_false(open_answers_find(all, &dead.user, &dead.id, &found));
    assert_true(open_answers_find(all, &alive.user, &alive.id, &found));
    /* One that it was writing when it died. */
    struct open_answer cut = answer_of(3, 1, 4), next = answer_of(3, 1, 5);
    int place = open_answers_add(all, &cut);
    atomic_fetch_add(&all->entries[place].version, 1);
    open_answers_forget(all, 4);
    assert_int_equal(open_answers_add(all, &next), place);
    assert_true(open_answers_find(all, &next.user, &next.id, &found));
    free(all);
}

static struct open_answers *shared;
static atomic_bool is_seen, is_over, had_no_place; /* asserts are for the main thread */

/* Until the reader has seen enough. */
static void *write_on(void *arg)
{
    uint32_t tail = *(uint32_t *)arg;
    for (uint32_t i = 0; !atomic_load(&is_seen); i++) {
        /* Two members tell the same number. */
        struct open_answer a = answer_of(tail, 1, (int)(i % 200));
        memset(a.conversation.bytes, (int)(i % 200), 16);
        int place = open_answers_add(shared, &a);
        if (place < 0)
            atomic_store(&had_no_place, true);
        open_answers_remove(shared, place);
    }
    atomic_store(&is_over, true);
    return NULL;
}

static void readers_never_see_half_an_entry(void **state)
{
    (void)state;
    uint32_t tail = 11;
    const struct open_answer written = answer_of(tail, 1, 0);
    int seen = 0;
    pthread_t writer;
    shared = new_directory();
    assert_int_equal(pthread_create(&writer, NULL, write_on, &tail), 0);
    while (!atomic_load(&is_over)) {
        struct open_answer found;
        if (open_answers_find(shared, &written.user, &written.id, &found)) {
            atomic_store(&is_seen, ++seen >= 1000);
            for (int i = 0; i < 16; i++)
                assert_int_equal(found.conversation.bytes[i], found.slot);
        }
    }
    pthread_join(writer, NULL);
    assert_false(atomic_load(&had_no_place));
    free(shared);
}

/* --- mailboxes --- */

static struct worker_slots *new_slots(void)
{
    const int flags = MAP_SHARED | MAP_ANONYMOUS;
    /* cppcheck-suppress invalidFunctionArg; -1 is what MAP_ANONYMOUS asks for */
    struct worker_slots *slots = mmap(NULL, sizeof *slots, PROT_READ | PROT_WRITE, flags, -1, 0);
    assert_true(slots != MAP_FAILED);
    worker_slots_init(slots);
    return slots;
}

static void free_slots(struct worker_slots *slots)
{
    for (int i = 0; i < WORKER_SLOTS; i++) {
        close(slots->send_fds[i]);
        close(slots->receive_fds[i]);
    }
    munmap(slots, sizeof *slots);
}

/* Runs a child that claims a slot and ends without leaving it; returns the slot. */
static int claim_and_die(struct worker_slots *slots)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(worker_slots_claim(slots));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void each_process_has_a_slot_and_a_dead_ones_is_free(void **state)
{
    (void)state;
    struct worker_slots *slots = new_slots();
    int first = worker_slots_claim(slots);
    assert_int_equal(first, 0);
    assert_int_equal(claim_and_die(slots), 1);
    assert_int_equal(claim_and_die(slots), 1);
    worker_slots_leave(slots, first);
    assert_int_equal(claim_and_die(slots), 0);
    for (int i = 0; i < WORKER_SLOTS; i++)
        assert_int_equal(worker_slots_claim(slots), i);
    assert_int_equal(worker_slots_claim(slots), -1);
    worker_slots_leave(slots, -1);
    free_slots(slots);
}

static void mail_brings_a_connection(void **state)
{
    (void)state;
    struct worker_slots *slots = new_slots();
    struct mail sent = {.kind = MAIL_FOLLOW, .offset = 42, .checksum = 7, .fcgi_id = 1}, got;
    int pair[2], fd, slot = worker_slots_claim(slots);
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(worker_slots_receive(slots, slot, &got, &fd));
    snprintf(sent.request_id, sizeof sent.request_id, "r1");
    assert_true(worker_slots_send(slots, slot, &sent, pair[0]));
    close(pair[0]);
    assert_true(worker_slots_receive(slots, slot, &got, &fd));
    assert_int_equal(got.kind, MAIL_FOLLOW);
    assert_int_equal(got.offset, 42);
    assert_string_equal(got.request_id, "r1");
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pair[1], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(fd);
    close(pair[1]);
    sent.kind = MAIL_STOP;
    assert_true(worker_slots_send(slots, slot, &sent, -1));
    assert_true(worker_slots_receive(slots, slot, &got, &fd));
    assert_int_equal(got.kind, MAIL_STOP);
    assert_int_equal(fd, -1);
    assert_false(worker_slots_receive(slots, -1, &got, &fd));
    free_slots(slots);
}

static void nothing_is_sent_to_nobody(void **state)
{
    (void)state;
    struct worker_slots *slots = new_slots();
    struct mail mail = {.kind = MAIL_STOP};
    int dead = claim_and_die(slots), mine = worker_slots_claim(slots), sent = 0, fd;
    assert_int_equal(dead, mine);
    assert_false(worker_slots_send(slots, 5, &mail, -1));
    assert_false(worker_slots_send(slots, -1, &mail, -1));
    assert_false(worker_slots_send(slots, WORKER_SLOTS, &mail, -1));
    /* A mailbox that nobody empties takes no more, and blocks nobody. */
    while (worker_slots_send(slots, mine, &mail, -1))
        sent++;
    assert_true(sent > 3);
    for (int i = 0; i < sent; i++)
        assert_true(worker_slots_receive(slots, mine, &mail, &fd));
    assert_false(worker_slots_receive(slots, mine, &mail, &fd));
    free_slots(slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_id_and_by_the_clients_name),
        cmocka_unit_test(lists_a_users_own),
        cmocka_unit_test(ids_that_collide_have_places_until_there_are_none),
        cmocka_unit_test(what_a_dead_worker_left_is_forgotten),
        cmocka_unit_test(readers_never_see_half_an_entry),
        cmocka_unit_test(each_process_has_a_slot_and_a_dead_ones_is_free),
        cmocka_unit_test(mail_brings_a_connection),
        cmocka_unit_test(nothing_is_sent_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
