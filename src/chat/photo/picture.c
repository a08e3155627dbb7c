/* Pictures by libvips; see picture.h. */
#include "picture.h"

#include "common/child.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_S 20
#define WALL_S 30
#define MEMORY_BYTES ((size_t)1536 << 20)
#define HEADER_MAX 65536
#define JPEG_MAX ((size_t)8 << 20) /* of at most PICTURE_SIDE_MAX each way */

enum picture_kind picture_kind(const char *data, size_t len)
{
    static const char *const brands[] = {"heic", "heix", "heim", "heis", "mif1"};
    if (len >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0)
        return PICTURE_JPEG;
    if (len >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return PICTURE_PNG;
    if (len >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return PICTURE_WEBP;
    if (len >= 12 && memcmp(data + 4, "ftyp", 4) == 0)
        for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++)
            if (memcmp(data + 8, brands[i], 4) == 0)
                return PICTURE_HEIC;
    return PICTURE_NONE;
}

/* The value of a line "name: value"; NULL: there is none. */
static const char *field(const char *header, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = header; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0)
            return line + len + 2;
    }
    return NULL;
}

static long number(const char *header, const char *name, long fallback)
{
    const char *value = field(header, name);
    return value != NULL ? strtol(value, NULL, 10) : fallback;
}

bool picture_check_header(enum picture_kind kind, const char *header, struct api_error *error)
{
    static const char *const loaders[] = {[PICTURE_NONE] = "none",
                                          [PICTURE_JPEG] = "jpegload",
                                          [PICTURE_PNG] = "pngload",
                                          [PICTURE_WEBP] = "webpload",
                                          [PICTURE_HEIC] = "heifload"};
    const char *loader = field(header, "vips-loader");
    long width = number(header, "width", 0), height = number(header, "height", 0);
    /* Within one file: frames of WebP, and of HEIC pictures, of which the first is the one. */
    long pages = number(header, "n-pages", 1);
    if (loader == NULL || strncmp(loader, loaders[kind], strlen(loaders[kind])) != 0 || width < 1 ||
        height < 1)
        return api_error(error, 400, "invalid_image", "photo", "the photo cannot be read");
    if (width > PICTURE_LONGEST || height > PICTURE_LONGEST || width * height > PICTURE_PIXELS_MAX)
        return api_error(error, 400, "image_too_large", "photo",
                         "the photo has %ld by %ld pixels; at most %d million are taken", width,
                         height, PICTURE_PIXELS_MAX / 1000000);
    if (pages > 1 && kind != PICTURE_HEIC)
        return api_error(error, 400, "image_moves", "photo",
                         "the photo is an animation; send a single picture");
    return true;
}

bool picture_jpeg_size(const char *data, size_t len, int *width, int *height)
{
    const unsigned char *p = (const unsigned char *)data;
    size_t at = 2;
    if (len < 4 || p[0] != 0xff || p[1] != 0xd8)
        return false;
    while (at + 9 <= len && p[at] == 0xff) {
        unsigned marker = p[at + 1];
        size_t segment = (size_t)p[at + 2] << 8 | p[at + 3];
        bool is_frame =
            marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
        if (is_frame) {
            *height = p[at + 5] << 8 | p[at + 6];
            *width = p[at + 7] << 8 | p[at + 8];
            return *width > 0 && *height > 0;
        }
        at += 2 + segment;
    }
    return false;
}

/* What became of a child, as the client is told. */
static bool judge(enum child_outcome outcome, const struct child_end *end, const char *program,
                  struct api_error *error)
{
    switch (outcome) {
    case CHILD_DONE:
        return true;
    case CHILD_MISSING:
    case CHILD_NOT_BEGUN:
        log_error("photo", "%s cannot be run: %.200s", program,
                  outcome == CHILD_MISSING ? "there is no such program; install libvips-tools"
                                           : end->complaint);
        return api_error(error, 503, "image_reader_unavailable", "",
                         "photos cannot be read at the moment");
    case CHILD_TOO_LONG:
    case CHILD_KILLED:
        return api_error(error, 400, "invalid_image", "photo", "the photo takes too much to read");
    default:
        return api_error(error, 400, "invalid_image", "photo",
                         "the photo cannot be read: it is damaged, or not whole");
    }
}

/* Runs one of libvips's programs, which are in a directory together. */
static bool run(const struct config *config, const char *name, char *const *arguments,
                const char *data, size_t len, struct buf *out, struct api_error *error)
{
    /* One thread, no code made at run time, and of all that it reads nothing that is not made to
     * read what strangers send. */
    static char threads[] = "VIPS_CONCURRENCY=1", vector[] = "VIPS_NOVECTOR=1",
                untrusted[] = "VIPS_BLOCK_UNTRUSTED=1", quiet[] = "VIPS_WARNING=0",
                type[] = "G_SLICE=always-malloc";
    static char *const environment[] = {threads, vector, untrusted, quiet, type, NULL};
    char program[512];
    struct child_end end;
    snprintf(program, sizeof program, "%s/%s", config->vips_dir, name);
    const struct child child = {.program = program,
                                .arguments = arguments,
                                .environment = environment,
                                .memory_bytes = MEMORY_BYTES,
                                .cpu_s = CPU_S,
                                .wall_s = WALL_S};
    return judge(child_run(&child, data, len, out, &end), &end, program, error);
}

static bool look(const struct config *config, enum picture_kind kind, const char *data, size_t len,
                 struct api_error *error)
{
    static char name[] = "vipsheader", all[] = "-a", input[] = "stdin";
    static char *const arguments[] = {name, all, input, NULL};
    struct buf header;
    buf_init(&header, HEADER_MAX);
    /* What a camera writes into its pictures may be long: the sizes come before it. */
    bool good = run(config, name, arguments, data, len, &header, error) &&
                picture_check_header(kind, header.data != NULL ? header.data : "", error);
    buf_release(&header);
    return good;
}

static bool convert(struct picture *p, const struct config *config, const char *data, size_t len,
                    struct api_error *error)
{
    static char name[] = "vipsthumbnail", input[] = "stdin[fail_on=error]", size_option[] = "-s",
                size[] = "2048x2048>", profile_option[] = "--export-profile", profile[] = "srgb",
                output_option[] = "-o", output[] = ".jpg[Q=85,strip,background=255]";
    static char *const arguments[] = {name,    input,         size_option, size, profile_option,
                                      profile, output_option, output,      NULL};
    _Static_assert(PICTURE_SIDE_MAX == 2048, "as in size");
    if (!run(config, name, arguments, data, len, &p->jpeg, error))
        return false;
    return (p->jpeg.data != NULL &&
            picture_jpeg_size(p->jpeg.data, p->jpeg.len, &p->width, &p->height)) ||
           api_error(error, 400, "invalid_image", "photo", "the photo cannot be read");
}

bool picture_make(struct picture *p, const struct config *config, const char *data, size_t len,
                  struct api_error *error)
{
    enum picture_kind kind = picture_kind(data, len);
    *p = (struct picture){.width = 0};
    buf_init(&p->jpeg, JPEG_MAX);
    if (kind == PICTURE_NONE)
        return api_error(error, 415, "unsupported_image", "photo",
                         "a photo must be a JPEG, PNG, WebP or HEIC");
    return look(config, kind, data, len, error) && convert(p, config, data, len, error);
}

void picture_release(struct picture *p)
{
    buf_release(&p->jpeg);
}
