/* Mapping and checking a copy file. After copy_check() every number in it may be relied on: the
 * search itself checks nothing. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

_Static_assert(sizeof(struct copy_header) % 8 == 0, "sections begin at multiples of 8");
_Static_assert(sizeof(struct copy_term) == 16, "no holes in a file");

uint32_t copy_hash(const char *word, size_t len)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)word[i]) * 1099511628211u;
    return (uint32_t)(h ^ h >> 32);
}

size_t copy_padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static bool refuse(char *reason, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(char *reason, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, size, format, args);
    va_end(args);
    return false;
}

/* Takes the next section of so many items; NULL when the file has no room for them. */
static const void *section(const char *bytes, uint64_t size, uint64_t *at, uint64_t count,
                           uint64_t item)
{
    uint64_t start = *at;
    if (count > (size - start) / item)
        return NULL;
    uint64_t next = start + copy_padded((size_t)(count * item));
    *at = next < size ? next : size;
    return bytes + start;
}

static bool is_terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool check_header(const struct copy_header *h, size_t size, char *reason, size_t reason_size)
{
    if (size < sizeof *h || memcmp(h->magic, COPY_MAGIC, sizeof h->magic) != 0)
        return refuse(reason, reason_size, "it is no copy file");
    if (h->version != COPY_VERSION)
        return refuse(reason, reason_size, "it is of version %u, not %u", h->version, COPY_VERSION);
    if (h->byte_order != COPY_BYTE_ORDER)
        return refuse(reason, reason_size, "it is from a machine of another byte order");
    if (crc32_z(0, (const Bytef *)h, offsetof(struct copy_header, header_checksum)) !=
        h->header_checksum)
        return refuse(reason, reason_size, "its header is damaged");
    if (h->size != size)
        return refuse(reason, reason_size, "it has %zu bytes of %llu", size,
                      (unsigned long long)h->size);
    if (!is_terminated(h->shelf, sizeof h->shelf) || !is_terminated(h->origin, sizeof h->origin) ||
        !is_terminated(h->language, sizeof h->language) || h->doc_count > COPY_DOCS_MAX ||
        h->gone_count > COPY_DOCS_MAX || (h->slot_count & (h->slot_count - 1)) != 0 ||
        h->slot_count < h->term_count || (h->slot_count > 0 && h->slot_count == h->term_count) ||
        !(h->weight_max >= 0 && h->weight_max <= 1e6f))
        return refuse(reason, reason_size, "its header makes no sense");
    return true;
}

static bool check_terms(const struct copy *c)
{
    const struct copy_header *h = c->header;
    uint64_t first = 0, text = 0;
    for (uint32_t i = 0; i < h->term_count; i++) {
        const struct copy_term *t = &c->terms[i];
        if (t->first != first || t->text_at != text)
            return false;
        first += t->count;
        text += t->text_len;
        if (first > h->posting_count || text > h->text_size)
            return false;
        for (uint32_t p = t->first, last = 0; p < t->first + t->count; p++) {
            uint32_t doc = c->postings[p] >> 8;
            if (doc >= h->doc_count || (p > t->first && doc <= last))
                return false;
            last = doc;
        }
    }
    return first == h->posting_count && text == h->text_size;
}

/* Each term is in one slot, so that some are free, and looking for a word that is in none ends. */
static bool check_slots(const struct copy *c)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < c->header->slot_count; i++) {
        if (c->slots[i] == COPY_NO_TERM)
            continue;
        if (c->slots[i] >= c->header->term_count)
            return false;
        used++;
    }
    return used == c->header->term_count;
}

static bool check_docs(const struct copy *c)
{
    for (uint32_t i = 0; i < c->header->doc_count; i++) {
        if (!(c->weights[i] >= 0 && c->weights[i] <= c->header->weight_max))
            return false;
        if (i > 0 && c->ids[i] <= c->ids[i - 1])
            return false;
    }
    for (uint32_t i = 1; i < c->header->gone_count; i++)
        if (c->gone[i] <= c->gone[i - 1])
            return false;
    return true;
}

bool copy_check(struct copy *copy, const void *bytes, size_t size, char *reason, size_t reason_size)
{
    const char *at = bytes;
    *copy = (struct copy){.header = bytes};
    const struct copy_header *h = bytes;
    if (!check_header(h, size, reason, reason_size))
        return false;
    if (crc32_z(0, (const Bytef *)at + sizeof *h, size - sizeof *h) != h->checksum)
        return refuse(reason, reason_size, "it is damaged");
    uint64_t next = sizeof *h;
    copy->ids = section(at, size, &next, h->doc_count, sizeof *copy->ids);
    copy->weights = section(at, size, &next, h->doc_count, sizeof *copy->weights);
    copy->terms = section(at, size, &next, h->term_count, sizeof *copy->terms);
    copy->slots = section(at, size, &next, h->slot_count, sizeof *copy->slots);
    copy->postings = section(at, size, &next, h->posting_count, sizeof *copy->postings);
    copy->gone = section(at, size, &next, h->gone_count, sizeof *copy->gone);
    copy->text = section(at, size, &next, h->text_size, 1);
    if (copy->ids == NULL || copy->weights == NULL || copy->terms == NULL || copy->slots == NULL ||
        copy->postings == NULL || copy->gone == NULL || copy->text == NULL || next != size ||
        h->posting_count > UINT32_MAX || h->text_size > UINT32_MAX)
        return refuse(reason, reason_size, "its sections do not fit into it");
    if (!check_terms(copy) || !check_slots(copy) || !check_docs(copy))
        return refuse(reason, reason_size, "its index makes no sense");
    return true;
}

bool copy_open(struct copy *copy, const char *path, char *reason, size_t reason_size,
               enum copy_fault *fault)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *copy = (struct copy){0};
    *fault = fd < 0 && errno == ENOENT ? COPY_MISSING : COPY_CLOSED;
    if (fd < 0)
        return refuse(reason, reason_size, "%s", strerror(errno));
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    void *map = MAP_FAILED;
    if (good)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    int failure = errno;
    close(fd);
    if (!good) {
        *fault = COPY_BAD;
        return refuse(reason, reason_size, "it is empty");
    }
    if (map == MAP_FAILED)
        return refuse(reason, reason_size, "%s", strerror(failure));
    if (!copy_check(copy, map, (size_t)st.st_size, reason, reason_size)) {
        munmap(map, (size_t)st.st_size);
        *copy = (struct copy){0};
        *fault = COPY_BAD;
        return false;
    }
    copy->map = map;
    copy->map_size = (size_t)st.st_size;
    return true;
}

void copy_close(struct copy *copy)
{
    if (copy->map != NULL)
        munmap(copy->map, copy->map_size);
    *copy = (struct copy){0};
}

const struct copy_term *copy_term(const struct copy *copy, const char *word, size_t len)
{
    uint32_t slots = copy->header->slot_count;
    if (slots == 0)
        return NULL;
    for (uint32_t at = copy_hash(word, len) & (slots - 1);; at = (at + 1) & (slots - 1)) {
        uint32_t number = copy->slots[at];
        if (number == COPY_NO_TERM)
            return NULL;
        const struct copy_term *t = &copy->terms[number];
        if (t->text_len == len && memcmp(copy->text + t->text_at, word, len) == 0)
            return t;
    }
}

int64_t copy_doc(const struct copy *copy, int64_t id)
{
    uint32_t low = 0, high = copy->header->doc_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (copy->ids[middle] == id)
            return middle;
        if (copy->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
