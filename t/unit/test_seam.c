/* Where an answer is gone on with: the same text, however what comes is cut into pieces. */
#include "chat/relay/seam.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* Takes what comes in two pieces, cut at each place, and byte by byte. */
static void check(const char *before, const char *comes, const char *wanted)
{
    size_t len = strlen(comes);
    for (size_t cut = 0; cut <= len + 1; cut++) {
        struct seam s = {0};
        struct buf whole;
        buf_init(&whole, 1000);
        buf_puts(&whole, before);
        seam_open(&s, before, strlen(before));
        assert_int_equal(s.len, seam_length(before, strlen(before)));
        for (size_t at = 0; at < len;) {
            size_t n = cut > len ? 1 : at == 0 && cut > 0 ? cut : len - at;
            struct buf fresh;
            buf_init(&fresh, 1000);
            assert_true(seam_take(&s, before, comes + at, n, &fresh));
            buf_append(&whole, fresh.data, fresh.len);
            buf_release(&fresh);
            at += n;
        }
        assert_true(seam_end(&s, before, &whole));
        assert_string_equal(whole.data, wanted);
        seam_release(&s);
        buf_release(&whole);
    }
}

static void white_space(void **state)
{
    (void)state;
    check("Hello", " world", "Hello world");
    check("Hello ", "world", "Hello world");
    check("Hello ", " world", "Hello world");
    check("Hello ", "  world", "Hello  world");
    check("Hello \n", "\nworld", "Hello \n\nworld");
    check("One.\n\n", "\n\nTwo.", "One.\n\nTwo.");
    check("One.\n\n", "\nTwo.", "One.\n\nTwo.");
    check("One.\n\n", "Two.", "One.\n\nTwo.");
    check("Hel", "lo", "Hello");
    check("", "Hello", "Hello");
    check("  ", "Hello", "  Hello");
    check("Hello", "", "Hello");
}

static void said_again(void **state)
{
    (void)state;
    check("The capital of", "The capital of France", "The capital of France");
    check("The capital of ", "The capital of France", "The capital of France");
    check("The capital of", " The capital of France", "The capital of France");
    check(" The capital of\n", "The capital of\nFrance", " The capital of\nFrance");
    check("The capital of", "The capital of", "The capital of");
}

static void begun_alike(void **state)
{
    (void)state;
    check("The capital of", "The capital city", "The capital ofThe capital city");
    check("The capital of", "The", "The capital ofThe");
    check("The capital of", " the capital of", "The capital of the capital of");
    check("Ha", "Ha", "HaHa"); /* too short to tell */
    check("caf\xc3\xa9s", "caf\xc3\xa8s", "caf\xc3\xa9scaf\xc3\xa8s");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(white_space),
    cmocka_unit_test(said_again),
    cmocka_unit_test(begun_alike),
};

UNIT_MAIN(tests)
