/* The spool on disk: what is acknowledged can be read again, and nothing else is. */
#include "chat/record/spool.h"
#include "common/clock.h"
#include "common/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

static char dir[64];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/uplift-spool-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    char path[512];
    DIR *d = opendir(dir);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
            unlink(path);
        }
    if (d != NULL)
        closedir(d);
    return rmdir(dir);
}

static int files_ending(const char *suffix)
{
    int count = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name), tail = strlen(suffix);
        count += len >= tail && strcmp(e->d_name + len - tail, suffix) == 0;
    }
    closedir(d);
    return count;
}

static void path_of(char *out, size_t size, const char *suffix)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    out[0] = '\0';
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name), tail = strlen(suffix);
        if (len >= tail && strcmp(e->d_name + len - tail, suffix) == 0)
            snprintf(out, size, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    assert_true(out[0] != '\0');
}

static struct spool *open_spool(int64_t rotate)
{
    struct spool *s = spool_open(dir, rotate);
    assert_non_null(s);
    return s;
}

static bool append_answer(struct spool *s, const char *json)
{
    struct buf object, b;
    buf_init(&object, 1 << 26);
    buf_init(&b, 1 << 26);
    assert_true(buf_printf(&object, "{\"kind\":\"answer\",\"answer\":%s}", json));
    assert_true(buf_printf(&b, "%08x %s\n",
                           (unsigned)crc32_z(0, (const Bytef *)object.data, object.len),
                           object.data));
    bool good = spool_append(s, b.data, b.len);
    buf_release(&object);
    buf_release(&b);
    return good;
}

static struct spool_file *take_only(struct spool *s)
{
    struct spool_names names;
    assert_true(spool_scan(s, &names));
    assert_int_equal(names.count, 1);
    struct spool_file *f = spool_take(s, names.names[0]);
    spool_names_release(&names);
    assert_non_null(f);
    return f;
}

static void assert_answer(struct spool_file *f, const char *json)
{
    struct spool_line line;
    assert_int_equal(spool_next(f, &line), SPOOL_READ_LINE);
    assert_int_equal(line.kind, SPOOL_ANSWER);
    assert_int_equal(line.len, strlen(json));
    assert_memory_equal(line.json, json, line.len + 1);
}

static void assert_end(struct spool_file *f)
{
    struct spool_line line;
    assert_int_equal(spool_next(f, &line), SPOOL_READ_END);
}

static void test_written_is_read_and_removed(void **state)
{
    (void)state;
    struct spool *s = open_spool(1 << 20);
    assert_true(append_answer(s, "{\"n\":1}"));
    assert_true(append_answer(s, "{\"n\":\"}}\"}"));
    assert_true(spool_bytes(s) > 0);
    spool_rotate(s);
    struct spool_file *f = take_only(s);
    assert_answer(f, "{\"n\":1}");
    assert_answer(f, "{\"n\":\"}}\"}");
    assert_end(f);
    spool_rewind(f);
    assert_answer(f, "{\"n\":1}");
    assert_true(spool_remove(f));
    assert_int_equal(files_ending(".spool"), 0);
    assert_int_equal(files_ending(".corrupt"), 0);
    struct spool_names names;
    assert_true(spool_scan(s, &names));
    assert_int_equal(names.count, 0);
    assert_int_equal(spool_bytes(s), 0);
    spool_close(s);
}

static void test_feedback_line(void **state)
{
    (void)state;
    struct spool *s = open_spool(1 << 20);
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_true(spool_feedback_line(
        &b, "0190b0a0-0000-7000-8000-00000000000e", "0190b0a0-0000-7000-8000-000000000001",
        "0190b0a0-0000-7000-8000-000000000002", "{\"helpful\":\ntrue,\"rating\":null}", true,
        1700000000000001));
    assert_true(spool_append(s, b.data, b.len));
    buf_release(&b);
    spool_rotate(s);
    struct spool_file *f = take_only(s);
    struct spool_line line;
    struct json_error error;
    assert_int_equal(spool_next(f, &line), SPOOL_READ_LINE);
    assert_int_equal(line.kind, SPOOL_FEEDBACK);
    cJSON *o = json_parse(line.json, line.len, &error);
    assert_non_null(o);
    assert_string_equal(json_string(o, "kind"), "feedback");
    assert_string_equal(json_string(o, "answer_id"), "0190b0a0-0000-7000-8000-000000000002");
    assert_string_equal(json_string(o, "given_at"), "2023-11-14T22:13:20.000001Z");
    assert_int_equal(strlen(json_string(o, "event_id")), 36);
    assert_true(json_bool(o, "issued", false));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetObjectItem(o, "changes"), "rating")));
    cJSON_Delete(o);
    assert_end(f);
    assert_true(spool_remove(f));
    spool_close(s);
}

static void test_directory_is_made_and_private(void **state)
{
    (void)state;
    char deep[128];
    struct stat st;
    snprintf(deep, sizeof deep, "%s/a/b", dir);
    struct spool *s = spool_open(deep, 1);
    assert_non_null(s);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    spool_close(s);
    rmdir(deep);
    snprintf(deep, sizeof deep, "%s/a", dir);
    rmdir(deep);
    assert_null(spool_open("/proc/nowhere/spool", 1));
}

static void test_a_living_owner_keeps_its_file(void **state)
{
    (void)state;
    struct spool *s = open_spool(1 << 20), *other = open_spool(1 << 20);
    assert_true(append_answer(s, "{\"n\":1}"));
    struct spool_names names;
    assert_true(spool_scan(other, &names));
    assert_int_equal(names.count, 1);
    assert_null(spool_take(other, names.names[0]));
    spool_rotate(s);
    struct spool_file *f = spool_take(other, names.names[0]);
    assert_non_null(f);
    assert_null(spool_take(s, names.names[0])); /* two loaders never have the same file */
    spool_give_back(f);
    f = spool_take(s, names.names[0]);
    assert_non_null(f);
    assert_true(spool_remove(f));
    assert_null(spool_take(other, names.names[0]));
    spool_names_release(&names);
    spool_close(s);
    spool_close(other);
}

static void test_rotation(void **state)
{
    (void)state;
    struct spool *s = open_spool(10);
    for (int i = 0; i < 3; i++)
        assert_true(append_answer(s, "{\"n\":1}"));
    assert_int_equal(files_ending(".spool"), 3);
    spool_close(s);
}

static void test_a_killed_owner_leaves_its_file(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct spool *s = spool_open(dir, 1 << 20);
        if (s != NULL && append_answer(s, "{\"n\":1}"))
            raise(SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    struct spool *s = open_spool(1 << 20);
    struct spool_file *f = take_only(s);
    assert_answer(f, "{\"n\":1}");
    assert_end(f);
    spool_give_back(f);
    spool_close(s);
}

/* Changes the only spool file with fn, then reads it all; returns how many good lines there are. */
static int damaged(void (*fn)(int fd, off_t size))
{
    struct spool *s = open_spool(1 << 20);
    assert_true(append_answer(s, "{\"n\":1}"));
    assert_true(append_answer(s, "{\"n\":2}"));
    assert_true(append_answer(s, "{\"n\":3}"));
    spool_rotate(s);
    char path[512];
    path_of(path, sizeof path, ".spool");
    int fd = open(path, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    fn(fd, st.st_size);
    close(fd);

    struct spool_file *f = take_only(s);
    struct spool_line line;
    int good = 0;
    while (spool_next(f, &line) == SPOOL_READ_LINE)
        good++;
    spool_rewind(f);
    int again = 0;
    while (spool_next(f, &line) == SPOOL_READ_LINE)
        again++;
    assert_int_equal(again, good);
    assert_true(spool_remove(f));
    assert_int_equal(files_ending(".spool"), 0);
    spool_close(s);
    return good;
}

static int64_t corrupt_size(void)
{
    char path[512];
    struct stat st;
    path_of(path, sizeof path, ".corrupt");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    return st.st_size;
}

static void tear(int fd, off_t size)
{
    assert_int_equal(ftruncate(fd, size - 5), 0);
}

static void flip(int fd, off_t size)
{
    assert_int_equal(pwrite(fd, "7", 1, size / 2), 1);
}

static void zeros(int fd, off_t size)
{
    char block[5000] = {0};
    assert_int_equal(pwrite(fd, block, sizeof block, size), sizeof block);
}

static void cut_newline(int fd, off_t size)
{
    assert_int_equal(ftruncate(fd, size - 1), 0);
}

static void all_garbage(int fd, off_t size)
{
    for (off_t i = 0; i < size; i++)
        assert_int_equal(pwrite(fd, "\n", 1, i), 1);
}

static void test_a_torn_line_is_kept_apart(void **state)
{
    (void)state;
    assert_int_equal(damaged(tear), 2);
    assert_true(corrupt_size() > 10);
}

static void test_a_line_that_lacks_only_its_newline_is_good(void **state)
{
    (void)state;
    assert_int_equal(damaged(cut_newline), 3);
}

static void test_a_corrupt_line_does_not_block_the_rest(void **state)
{
    (void)state;
    assert_int_equal(damaged(flip), 2);
    assert_true(corrupt_size() > 10);
}

static void test_zeros_at_the_end(void **state)
{
    (void)state;
    assert_int_equal(damaged(zeros), 3);
    assert_int_equal(corrupt_size(), 5001);
}

static void test_nothing_but_garbage(void **state)
{
    (void)state;
    assert_int_equal(damaged(all_garbage), 0);
}

static void test_long_lines_cross_read_chunks(void **state)
{
    (void)state;
    struct spool *s = open_spool(1 << 30);
    size_t len = 3 * 1024 * 1024 + 17;
    char *json = malloc(len + 1);
    assert_non_null(json);
    memset(json, 'x', len);
    memcpy(json, "{\"t\":\"", 6);
    memcpy(json + len - 2, "\"}", 3);
    for (int i = 0; i < 3; i++)
        assert_true(append_answer(s, i == 1 ? json : "{\"n\":1}"));
    spool_rotate(s);
    struct spool_file *f = take_only(s);
    assert_answer(f, "{\"n\":1}");
    assert_answer(f, json);
    assert_answer(f, "{\"n\":1}");
    assert_end(f);
    spool_give_back(f);
    free(json);
    spool_close(s);
}

/* A file-size limit stands for a full disk: the write is short, then fails. */
static void test_a_full_disk_leaves_no_half_line(void **state)
{
    (void)state;
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    struct spool *s = open_spool(1 << 20);
    assert_true(append_answer(s, "{\"n\":1}"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool refused =
        !append_answer(s, "{\"n\":\"a line that does not fit into a hundred bytes any more, "
                          "whatever else is there\"}");
    bool taken = append_answer(s, "{\"n\":2}");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(refused);
    assert_true(taken);
    assert_true(append_answer(s, "{\"n\":3}"));
    spool_rotate(s);
    struct spool_file *f = take_only(s);
    assert_answer(f, "{\"n\":1}");
    assert_answer(f, "{\"n\":2}");
    assert_answer(f, "{\"n\":3}");
    assert_end(f);
    spool_give_back(f);
    assert_int_equal(files_ending(".corrupt"), 0);
    spool_close(s);
}

int main(void)
{
#define spool_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        spool_test(test_written_is_read_and_removed),
        spool_test(test_feedback_line),
        spool_test(test_directory_is_made_and_private),
        spool_test(test_a_living_owner_keeps_its_file),
        spool_test(test_rotation),
        spool_test(test_a_killed_owner_leaves_its_file),
        spool_test(test_a_torn_line_is_kept_apart),
        spool_test(test_a_line_that_lacks_only_its_newline_is_good),
        spool_test(test_a_corrupt_line_does_not_block_the_rest),
        spool_test(test_zeros_at_the_end),
        spool_test(test_nothing_but_garbage),
        spool_test(test_long_lines_cross_read_chunks),
        spool_test(test_a_full_disk_leaves_no_half_line),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
