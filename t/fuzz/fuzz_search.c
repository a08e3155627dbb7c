/* A copy file of any bytes is refused or can be searched, also one whose checksums are right; and
 * any text has words. */
#include "search/find.h"
#include "search/words.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With checksums put right, so that what is behind them is reached. */
static void search_in(const uint8_t *data, size_t size, bool mend)
{
    struct copy copy;
    char reason[200];
    void *bytes = aligned_alloc(8, copy_padded(size + 1));
    struct copy_header *h = bytes;
    if (bytes == NULL)
        return;
    memcpy(bytes, data, size);
    if (mend && size >= sizeof *h) {
        memcpy(h->magic, COPY_MAGIC, sizeof h->magic);
        h->version = COPY_VERSION;
        h->byte_order = COPY_BYTE_ORDER;
        h->size = size;
        h->checksum =
            (uint32_t)crc32(crc32(0, NULL, 0), data + sizeof *h, (uInt)(size - sizeof *h));
        h->header_checksum = (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)h,
                                             (uInt)offsetof(struct copy_header, header_checksum));
    }
    if (copy_check(&copy, bytes, size, reason, sizeof reason)) {
        struct find_word words[2] = {{"run", 3, 1, 0}, {"", 0, 3, 0}};
        struct find_hit hits[5];
        struct find_copies both = {.base = &copy, .recent = &copy};
        uint64_t *gone = find_gone_bits(&copy, &copy);
        both.gone = gone;
        find_hits(&both, words, 2, 5, hits);
        (void)copy_doc(&copy, 1);
        free(gone);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const languages[] = {NULL, "en", "de", "el", "tr", "ar", "hi", "ru", "sr"};
    static struct word_finder *finder;
    const struct word *words;
    size_t count, total = 0;
    if (finder == NULL)
        finder = word_finder_new();
    if (finder == NULL || size == 0)
        return 0;
    search_in(data, size, false);
    search_in(data, size, true);
    const char *language = languages[data[0] % (sizeof languages / sizeof languages[0])];
    if (words_find(finder, (const char *)data + 1, size - 1, language, "en", &words, &count))
        for (size_t i = 0; i < count; i++)
            for (uint32_t at = 0; at < words[i].len; at++)
                total += (unsigned char)words[i].at[at];
    if (words_of_question(finder, (const char *)data, size, "en", &words, &count))
        total += count;
    return total == SIZE_MAX;
}
