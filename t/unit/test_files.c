/* Which files of a directory are taken, and what is left out of it. */
#include "batch/knowledge/files.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linked with --wrap for it. */
struct dirent *__real_readdir(DIR *d);
struct dirent *__wrap_readdir(DIR *d);

static int entries_left = -1; /* until reading fails; -1: it does not */

struct dirent *__wrap_readdir(DIR *d)
{
    if (entries_left < 0 || entries_left-- > 0)
        return __real_readdir(d);
    errno = EIO;
    return NULL;
}

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/test_files.XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static int drop_root(void **state)
{
    (void)state;
    entries_left = -1;
    return nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make(const char *name)
{
    assert_int_equal(mkdir(path_of(name), 0755), 0);
}

static void odd_names(void **state)
{
    (void)state;
    struct files f;
    put("caf\xe9.txt", "a");
    put("caf\xc3\xa9.txt", "b");
    put("caf.txt", "c");
    put("\xff.png", "d");
    make("d\xff");
    put("d\xff/x.txt", "e");
    assert_true(files_open(&f, root, NULL));
    assert_int_equal(f.count, 2);
    assert_string_equal(f.names[0], "caf.txt");
    assert_string_equal(f.names[1], "caf\xc3\xa9.txt");
    assert_int_equal(f.skipped, 1);
    assert_false(f.is_partial);
    assert_int_equal(f.problem_count, 2);
    size_t first = strcmp(f.problems[0].name, "d\\xff") == 0 ? 0 : 1;
    assert_string_equal(f.problems[first].name, "d\\xff");
    assert_string_equal(f.problems[1 - first].name, "caf\\xe9.txt");
    assert_non_null(strstr(f.problems[0].reason, "not UTF-8"));
    files_release(&f);
    assert_false(files_open(&f, path_of("caf\xe9.txt"), NULL));
    assert_non_null(strstr(f.reason, "not UTF-8"));
    files_release(&f);
}

static void many_problems(void **state)
{
    (void)state;
    struct files f;
    for (int i = 0; i < FILES_PROBLEMS_MAX + 1; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d\xe9.md", i);
        put(name, "x");
    }
    assert_true(files_open(&f, root, NULL));
    assert_int_equal(f.count, 0);
    assert_int_equal(f.problem_count, FILES_PROBLEMS_MAX + 1);
    files_release(&f);
    assert_null(f.problems);
}

/* Names as long as they may be, and longer ones that are cut. */
static void shown(void **state)
{
    (void)state;
    struct files f = {.root = -1};
    char name[1200];
    for (size_t len = FILES_SHOWN_MAX - 5; len < sizeof name; len++) {
        memset(name, 'x', len);
        name[len - 1] = '\xe9';
        name[len] = '\0';
        files_add_problem(&f, name, "it is so");
        assert_true(strlen(f.problems[0].name) <= FILES_SHOWN_MAX);
        assert_true(strlen(f.problems[0].name) >= FILES_SHOWN_MAX - 5);
        files_release(&f);
    }
}

static void too_far(void **state)
{
    (void)state;
    struct files f;
    char deep[2 * (FILES_DEPTH_MAX + 1) + 16] = "", name[FILES_NAME_MAX + 1] = "";
    put("a.txt", "a");
    for (int i = 0; i <= FILES_DEPTH_MAX; i++) {
        strcat(deep, i == 0 ? "d" : "/d");
        make(deep);
    }
    strcat(deep, "/x.txt");
    put(deep, "x");
    for (int i = 0; i < 4; i++) {
        memset(name + strlen(name), 'e', 220);
        make(name);
        strcat(name, "/");
    }
    char fits[FILES_NAME_MAX + 8], too_long[FILES_NAME_MAX + 8];
    snprintf(fits, sizeof fits, "%s%0*d.md", name, (int)(FILES_NAME_MAX - strlen(name) - 3), 1);
    snprintf(too_long, sizeof too_long, "%s%0*d.md", name, (int)(FILES_NAME_MAX - strlen(name) - 2),
             2);
    put(fits, "fits");
    put(too_long, "too long");
    assert_true(files_open(&f, root, NULL));
    assert_int_equal(f.count, 2);
    assert_true(files_have(&f, "a.txt"));
    assert_true(files_have(&f, fits));
    assert_int_equal(f.problem_count, 2);
    assert_true(f.is_partial);
    files_release(&f);
}

static void broken_directory(void **state)
{
    (void)state;
    struct files f;
    put("a.txt", "a");
    put("b.txt", "b");
    for (int n = 0; n < 4; n++) { /* ".", "..", and the two */
        entries_left = n;
        assert_true(files_open(&f, root, NULL));
        assert_true(f.is_partial);
        assert_int_equal(f.problem_count, 1);
        assert_string_equal(f.problems[0].name, ".");
        assert_string_equal(f.problems[0].reason, strerror(EIO));
        files_release(&f);
    }
    entries_left = -1;
    assert_true(files_open(&f, root, NULL));
    assert_false(f.is_partial);
    assert_int_equal(f.count, 2);
    files_release(&f);
}

static void broken_below(void **state)
{
    (void)state;
    struct files f;
    make("below");
    put("below/a.txt", "a");
    entries_left = 3; /* it is read before three entries of two directories are */
    assert_true(files_open(&f, root, NULL));
    assert_true(f.is_partial);
    assert_true(f.problem_count > 0);
    files_release(&f);
}

/* The file that was open is the one that is read, whatever has its name then. */
static void single(void **state)
{
    (void)state;
    struct files f;
    struct buf data;
    char reason[200], from[128];
    put("a.txt", "a");
    put("b.txt", "what is elsewhere");
    assert_true(files_open(&f, path_of("a.txt"), root));
    assert_true(f.is_single);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.names[0], "a.txt");
    snprintf(from, sizeof from, "%s/b.txt", root);
    assert_int_equal(rename(from, path_of("a.txt")), 0);
    for (int i = 0; i < 2; i++) { /* it can be read again */
        buf_init(&data, 1000);
        assert_true(files_read(&f, 0, &data, reason));
        assert_string_equal(data.data, "a");
        buf_release(&data);
    }
    files_release(&f);
    assert_int_equal(f.root, -1);
}

int main(void)
{
#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, drop_root)
    static const struct CMUnitTest tests[] = {
        IN_ROOT(odd_names),    IN_ROOT(many_problems), cmocka_unit_test(shown),   IN_ROOT(too_far),
        IN_ROOT(broken_below), IN_ROOT(single),        IN_ROOT(broken_directory),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
