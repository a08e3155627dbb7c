/* The simulator's files and jobs, as files of a directory. */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OBJECT_MAX ((size_t)1 << 20)

static char root[PATH_MAX / 2];

static bool make_directory(const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s%s", root, name[0] ? "/" : "", name);
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool store_open(const char *directory)
{
    if (strlen(directory) >= sizeof root) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(root, sizeof root, "%s", directory);
    return make_directory("") && make_directory("files") && make_directory("jobs");
}

static bool is_id(const char *id)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = strspn(id, allowed);
    return len > 0 && len < 100 && id[len] == '\0';
}

static bool path_of(char path[PATH_MAX], const char *kind, const char *id, const char *ending)
{
    int n = snprintf(path, PATH_MAX, "%s/%s/%s%s", root, kind, id, ending);
    return root[0] && is_id(id) && n > 0 && n < PATH_MAX;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
}

static bool write_file(const char *path, const char *bytes, size_t len)
{
    char temporary[PATH_MAX + 16];
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int fd = mkstemp(temporary);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, bytes, len);
    ok = close(fd) == 0 && ok && rename(temporary, path) == 0;
    if (!ok)
        unlink(temporary);
    return ok;
}

static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = 1;
    while (n > 0 && buf_reserve(out, 65536)) {
        n = read(fd, out->data + out->len, 65536);
        if (n > 0)
            out->len += (size_t)n;
    }
    close(fd);
    if (out->data)
        out->data[out->len] = '\0';
    return n == 0 && !out->failed;
}

bool store_put(const char *kind, const char *id, const cJSON *object)
{
    char path[PATH_MAX];
    char *text = cJSON_PrintUnformatted(object);
    bool ok = text && path_of(path, kind, id, ".json") && write_file(path, text, strlen(text));
    cJSON_free(text);
    return ok;
}

cJSON *store_get(const char *kind, const char *id)
{
    char path[PATH_MAX];
    struct buf text;
    cJSON *object = NULL;
    buf_init(&text, OBJECT_MAX);
    if (path_of(path, kind, id, ".json") && read_file(path, &text))
        object = cJSON_ParseWithLength(text.data, text.len);
    buf_release(&text);
    return object;
}

bool store_delete(const char *kind, const char *id)
{
    char path[PATH_MAX];
    if (!path_of(path, kind, id, ".json") || unlink(path) != 0)
        return false;
    if (path_of(path, kind, id, ".data"))
        unlink(path);
    return true;
}

static double created_at(const cJSON *object)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, "created_at"));
}

static int newer_first(const void *left, const void *right)
{
    const cJSON *a = *(cJSON *const *)left, *b = *(cJSON *const *)right;
    if (created_at(a) != created_at(b))
        return created_at(a) > created_at(b) ? -1 : 1;
    return strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(b, "id")),
                  cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(a, "id")));
}

/* Moves the objects of an array into another one in order. */
static cJSON *sorted(cJSON *array)
{
    size_t n = (size_t)cJSON_GetArraySize(array), i = 0;
    cJSON **all = calloc(n + 1, sizeof(cJSON *)), *out = cJSON_CreateArray();
    while (all && array->child)
        all[i++] = cJSON_DetachItemFromArray(array, 0);
    cJSON_Delete(array);
    if (all)
        qsort(all, n, sizeof(cJSON *), newer_first);
    for (i = 0; all && i < n; i++)
        cJSON_AddItemToArray(out, all[i]);
    free(all);
    return out;
}

cJSON *store_list(const char *kind)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, kind);
    cJSON *array = cJSON_CreateArray();
    DIR *directory = root[0] ? opendir(path) : NULL;
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        char id[100];
        size_t len = strlen(entry->d_name);
        if (len <= 5 || len - 5 >= sizeof id || strcmp(entry->d_name + len - 5, ".json") != 0)
            continue;
        memcpy(id, entry->d_name, len - 5);
        id[len - 5] = '\0';
        cJSON *object = store_get(kind, id);
        if (cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "id")))
            cJSON_AddItemToArray(array, object);
        else
            cJSON_Delete(object);
    }
    if (directory)
        closedir(directory);
    return array ? sorted(array) : NULL;
}

bool store_put_data(const char *id, const char *bytes, size_t len)
{
    char path[PATH_MAX];
    return path_of(path, "files", id, ".data") && write_file(path, bytes, len);
}

bool store_get_data(const char *id, struct buf *out)
{
    char path[PATH_MAX];
    return path_of(path, "files", id, ".data") && read_file(path, out);
}
