/* The access log, where whoever reads it is behind. */
#include "common/log.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int reader, real_stderr;

static void become_stderr(const int ends[2])
{
    reader = ends[0];
    real_stderr = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    log_open("test", -1, LOG_INFO);
}

static int begin(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    become_stderr(ends);
    return 0;
}

/* As systemd has it. */
static int begin_socket(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    become_stderr(ends);
    return 0;
}

static int end(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(reader);
    return 0;
}

/* What is in the pipe, as text. */
static const char *read_all(void)
{
    static char text[1024 * 1024];
    size_t len = 0;
    assert_int_equal(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
    for (ssize_t n; (n = read(reader, text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)n;
    text[len] = '\0';
    return text;
}

static void a_line_has_the_members_it_was_given(void **state)
{
    (void)state;
    log_access("request-1", "4bf92f3577b34da6a3ce929d0e0e4736", "\"status\":200");
    const char *text = read_all();
    assert_non_null(strstr(text, "\"level\":\"info\""));
    assert_non_null(strstr(text, ",\"object\":\"request-1\","
                                 "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                                 "\"status\":200}\n"));
}

static void nobody_waits_for_the_reader(void **state)
{
    (void)state;
    char members[2000];
    memset(members, ' ', sizeof members);
    memcpy(members, "\"n\":1", 5);
    members[sizeof members - 1] = '\0';
    for (int i = 0; i < 1000; i++) /* two megabytes, which no pipe holds */
        log_access("r", NULL, members);
    assert_null(strstr(read_all(), "left_out"));
    log_access("r", NULL, members);
    const char *left_out = strstr(read_all(), "\"left_out\":");
    assert_non_null(left_out);
    int missed = 0;
    assert_int_equal(sscanf(left_out, "\"left_out\":%d", &missed), 1);
    assert_in_range(missed, 1, 999);
    log_access("r", NULL, members);
    assert_null(strstr(read_all(), "left_out"));
}

static void warnings_only_are_without_it(void **state)
{
    (void)state;
    log_open("test", -1, LOG_WARN);
    log_access("r", NULL, "\"status\":200");
    assert_string_equal(read_all(), "");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_line_has_the_members_it_was_given, begin, end),
    cmocka_unit_test_setup_teardown(nobody_waits_for_the_reader, begin, end),
    cmocka_unit_test_setup_teardown(nobody_waits_for_the_reader, begin_socket, end),
    cmocka_unit_test_setup_teardown(warnings_only_are_without_it, begin, end),
};

UNIT_MAIN(tests)
