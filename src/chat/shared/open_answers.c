/* The answers that are under way on this host; see open_answers.h. */
#include "open_answers.h"

#include <string.h>

#define PROBES 64 /* places that an id may have */

/* An id ends in random bits. */
static size_t first_place(const struct uuid *id)
{
    uint32_t hash;
    memcpy(&hash, id->bytes + sizeof id->bytes - sizeof hash, sizeof hash);
    return hash % OPEN_ANSWERS_MAX;
}

static void write_entry(struct open_answer_entry *e, const struct open_answer *answer)
{
    uint64_t words[OPEN_ANSWER_WORDS] = {0};
    memcpy(words, answer, sizeof *answer);
    atomic_fetch_add_explicit(&e->version, 1, memory_order_acq_rel);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < OPEN_ANSWER_WORDS; i++)
        atomic_store_explicit(&e->words[i], words[i], memory_order_relaxed);
    atomic_fetch_add_explicit(&e->version, 1, memory_order_release);
}

/* False when the entry is free, or was written meanwhile: then it is another one. */
static bool read_entry(struct open_answer_entry *e, struct open_answer *out)
{
    if (atomic_load_explicit(&e->owner, memory_order_acquire) == 0)
        return false;
    unsigned version = atomic_load_explicit(&e->version, memory_order_acquire);
    if (version % 2 != 0)
        return false;
    uint64_t words[OPEN_ANSWER_WORDS] = {0};
    for (size_t i = 0; i < OPEN_ANSWER_WORDS; i++)
        words[i] = atomic_load_explicit(&e->words[i], memory_order_relaxed);
    memcpy(out, words, sizeof *out);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&e->version, memory_order_relaxed) == version &&
           atomic_load_explicit(&e->owner, memory_order_relaxed) != 0;
}

int open_answers_add(struct open_answers *all, const struct open_answer *answer)
{
    size_t first = first_place(&answer->id);
    if (answer->slot < 0)
        return -1;
    for (size_t i = 0; i < PROBES; i++) {
        size_t place = (first + i) % OPEN_ANSWERS_MAX;
        struct open_answer_entry *e = &all->entries[place];
        int nobody = 0;
        if (!atomic_compare_exchange_strong(&e->owner, &nobody, answer->slot + 1))
            continue;
        write_entry(e, answer);
        return (int)place;
    }
    return -1;
}

void open_answers_remove(struct open_answers *all, int place)
{
    static const struct open_answer none;
    if (place < 0)
        return;
    write_entry(&all->entries[place], &none);
    atomic_store_explicit(&all->entries[place].owner, 0, memory_order_release);
}

static bool is_zero(const struct uuid *id)
{
    static const struct uuid zero;
    return uuid_equal(id, &zero);
}

bool open_answers_find(struct open_answers *all, const struct uuid *user, const struct uuid *name,
                       struct open_answer *out)
{
    size_t first = first_place(name);
    if (is_zero(name))
        return false;
    for (size_t i = 0; i < PROBES; i++)
        if (read_entry(&all->entries[(first + i) % OPEN_ANSWERS_MAX], out) &&
            uuid_equal(&out->id, name) && uuid_equal(&out->user, user))
            return true;
    /* Clients' own names are seldom asked for, and not hashed. */
    for (size_t i = 0; i < OPEN_ANSWERS_MAX; i++)
        if (read_entry(&all->entries[i], out) && uuid_equal(&out->client_request, name) &&
            uuid_equal(&out->user, user))
            return true;
    return false;
}

size_t open_answers_of(struct open_answers *all, const struct uuid *user, struct open_answer *out,
                       size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < OPEN_ANSWERS_MAX && count < max; i++)
        if (read_entry(&all->entries[i], &out[count]) && uuid_equal(&out[count].user, user))
            count++;
    return count;
}

void open_answers_forget(struct open_answers *all, int slot)
{
    for (size_t i = 0; slot >= 0 && i < OPEN_ANSWERS_MAX; i++) {
        struct open_answer_entry *e = &all->entries[i];
        if (atomic_load(&e->owner) != slot + 1)
            continue;
        if (atomic_load(&e->version) % 2 != 0) /* it died while it wrote */
            atomic_fetch_add(&e->version, 1);
        open_answers_remove(all, (int)i);
    }
}
