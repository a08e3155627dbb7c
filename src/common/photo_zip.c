/* Archives by libarchive. */
#include "photo_zip.h"

#include "log.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 65536

struct photo_zip {
    struct archive *archive;
    photo_zip_put put;
    void *arg;
    bool is_broken; /* nothing more is put */
};

static la_ssize_t take(struct archive *a, void *arg, const void *data, size_t len)
{
    struct photo_zip *z = arg;
    if (!z->is_broken && z->put(z->arg, data, len))
        return (la_ssize_t)len;
    z->is_broken = true;
    archive_set_error(a, EPIPE, "nobody takes it");
    return -1;
}

struct photo_zip *photo_zip_new(photo_zip_put put, void *arg)
{
    struct photo_zip *z = calloc(1, sizeof *z);
    if (z == NULL)
        return NULL;
    z->put = put;
    z->arg = arg;
    z->archive = archive_write_new();
    if (z->archive != NULL && archive_write_set_format_zip(z->archive) == ARCHIVE_OK &&
        archive_write_zip_set_compression_store(z->archive) == ARCHIVE_OK &&
        archive_write_set_bytes_per_block(z->archive, BLOCK_BYTES) == ARCHIVE_OK &&
        archive_write_set_bytes_in_last_block(z->archive, 1) == ARCHIVE_OK &&
        archive_write_open2(z->archive, z, NULL, take, NULL, NULL) == ARCHIVE_OK)
        return z;
    photo_zip_free(z);
    return NULL;
}

static bool good(const struct photo_zip *z, la_ssize_t result)
{
    if (result < ARCHIVE_WARN && !z->is_broken)
        log_warn("zip", "%s", archive_error_string(z->archive));
    return result >= ARCHIVE_WARN;
}

static bool begin(struct photo_zip *z, const char *name, int64_t at, int64_t size)
{
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL)
        return false;
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, size);
    archive_entry_set_mtime(entry, (time_t)at, 0);
    bool begun = good(z, archive_write_header(z->archive, entry));
    archive_entry_free(entry);
    return begun;
}

bool photo_zip_add(struct photo_zip *z, const char *name, int64_t at, const void *data, size_t len)
{
    return begin(z, name, at, (int64_t)len) &&
           archive_write_data(z->archive, data, len) == (la_ssize_t)len &&
           good(z, archive_write_finish_entry(z->archive));
}

bool photo_zip_add_file(struct photo_zip *z, const char *name, int64_t at, int fd)
{
    char chunk[BLOCK_BYTES];
    struct stat st;
    off_t from = 0;
    ssize_t n;
    if (fstat(fd, &st) != 0 || !begin(z, name, at, st.st_size))
        return false;
    while ((n = pread(fd, chunk, sizeof chunk, from)) > 0) {
        if (archive_write_data(z->archive, chunk, (size_t)n) != n)
            return false;
        from += n;
    }
    return n == 0 && good(z, archive_write_finish_entry(z->archive));
}

bool photo_zip_end(struct photo_zip *z)
{
    return good(z, archive_write_close(z->archive));
}

void photo_zip_free(struct photo_zip *z)
{
    if (z == NULL)
        return;
    z->is_broken = true; /* what libarchive writes as it closes is nobody's */
    if (z->archive != NULL)
        archive_write_free(z->archive);
    free(z);
}
