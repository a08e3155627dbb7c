/* Reasons why there is no number. */
#include "statistics/reason.h"
#include "statistics_test.h"

#include <string.h>

/* Each has a word and a sentence of its own. */
static void reasons_have_words(void **state)
{
    (void)state;
    for (int i = 1; i < REASON_COUNT; i++) {
        assert_true(strlen(reason_name((enum reason)i)) > 5);
        assert_true(strlen(reason_text((enum reason)i)) > 20);
        for (int j = 1; j < i; j++)
            assert_string_not_equal(reason_name((enum reason)i), reason_name((enum reason)j));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reasons_have_words),
};

UNIT_MAIN(tests)
