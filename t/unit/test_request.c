/* Requests: however one ends, the memory that it holds is given back. */
#include "common/request.h"
#include "unit.h"

#include <stdlib.h>

#define HELD 100

static void ends_by(void (*end)(struct request *r))
{
    struct request_memory memory = {.held = HELD, .max = HELD};
    struct request *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->fcgi.ipcFd = -1;
    r->memory = &memory;
    r->held = HELD;
    end(r);
    assert_int_equal(atomic_load(&memory.held), 0);
}

static void finished(void **state)
{
    (void)state;
    ends_by(request_finish);
}

static void aborted(void **state)
{
    (void)state;
    ends_by(request_abort);
}

static void forgotten(void **state)
{
    (void)state;
    ends_by(request_forget);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(finished),
    cmocka_unit_test(aborted),
    cmocka_unit_test(forgotten),
};

UNIT_MAIN(tests)
