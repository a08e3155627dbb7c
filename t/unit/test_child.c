/* Programs of others, with limits: each way in which one can end. */
#include "common/child.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What becomes of a line of shell that gets the input. */
static enum child_outcome run(const char *line, const char *input, size_t most, struct buf *out,
                              struct child_end *end)
{
    static char shell[] = "sh", option[] = "-c", set[] = "GREETING=hello";
    char text[256];
    snprintf(text, sizeof text, "%s", line);
    char *const arguments[] = {shell, option, text, NULL}, *const environment[] = {set, NULL};
    const struct child child = {.program = "/bin/sh",
                                .arguments = arguments,
                                .environment = environment,
                                .memory_bytes = (size_t)256 << 20,
                                .cpu_s = 1,
                                .wall_s = 2};
    buf_init(out, most);
    return child_run(&child, input, strlen(input), out, end);
}

static void reads_and_writes(void **state)
{
    struct buf out;
    struct child_end end;
    (void)state;
    assert_int_equal(run("cat; echo $GREETING; echo oh >&2", "abc ", 100, &out, &end), CHILD_DONE);
    assert_string_equal(out.data, "abc hello\n");
    assert_string_equal(end.complaint, "oh\n");
    buf_release(&out);
    /* It may look at its input again. */
    assert_int_equal(run("cat; cat /dev/stdin", "abc", 100, &out, &end), CHILD_DONE);
    assert_string_equal(out.data, "abcabc");
    buf_release(&out);
}

static void knows_nothing_of_us(void **state)
{
    struct buf out;
    struct child_end end;
    (void)state;
    setenv("SECRET_OF_OURS", "x", 1);
    assert_int_equal(run("echo \"$SECRET_OF_OURS\"; ls /proc/self/fd | wc -l", "", 100, &out, &end),
                     CHILD_DONE);
    /* Its three, and that of the directory. */
    assert_string_equal(out.data, "\n4\n");
    buf_release(&out);
}

static void ends_in_many_ways(void **state)
{
    static const struct {
        const char *line;
        enum child_outcome outcome;
        int status;
    } cases[] = {
        {"exit 3", CHILD_REFUSED, 3},
        {"kill -SEGV $$", CHILD_KILLED, 0},
        {"while :; do :; done", CHILD_TOO_LONG, 0},
        {"exec sleep 60", CHILD_TOO_LONG, 0},
        /* What it leaves behind is ended, too, and waited for by nobody. */
        {"sleep 60 & exit 0", CHILD_TOO_LONG, 0},
        {"exec 1>&- 2>&-; exec sleep 60", CHILD_TOO_LONG, 0},
        {"while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", CHILD_TOO_MUCH, 0},
        {"echo x >/tmp/uplift_child_test", CHILD_KILLED, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        struct child_end end;
        enum child_outcome outcome = run(cases[i].line, "", 1000, &out, &end);
        if (outcome != cases[i].outcome || end.status != cases[i].status)
            fail_msg("\"%s\" ended with %d, status %d", cases[i].line, outcome, end.status);
        buf_release(&out);
    }
    unlink("/tmp/uplift_child_test"); /* which it could make, and not fill */
}

static bool unwanted(void *arg)
{
    return ++*(int *)arg < 3;
}

static void is_stopped_or_missing(void **state)
{
    static char name[] = "sleep", time[] = "60";
    static char *const arguments[] = {name, time, NULL};
    int asked = 0;
    struct child child = {.program = "/bin/sleep",
                          .arguments = arguments,
                          .memory_bytes = (size_t)256 << 20,
                          .cpu_s = 1,
                          .wall_s = 30,
                          .goes_on = unwanted,
                          .arg = &asked};
    struct child_end end;
    struct buf out;
    (void)state;
    buf_init(&out, 10);
    assert_int_equal(child_run(&child, "", 0, &out, &end), CHILD_UNWANTED);
    child.program = "/nonexistent/program";
    child.goes_on = NULL;
    assert_int_equal(child_run(&child, "", 0, &out, &end), CHILD_MISSING);
    buf_release(&out);
}

static const struct CMUnitTest child_tests[] = {
    cmocka_unit_test(reads_and_writes),
    cmocka_unit_test(knows_nothing_of_us),
    cmocka_unit_test(ends_in_many_ways),
    cmocka_unit_test(is_stopped_or_missing),
};

UNIT_MAIN(child_tests)
