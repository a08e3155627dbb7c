/* Parts of a multipart/form-data body (RFC 7578). */
#include "multipart.h"

#include "common/json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70 /* characters (RFC 2046, 5.1.1) */

/* Writes "--boundary" of a content type. */
static bool read_boundary(const char *type, char out[BOUNDARY_MAX + 3])
{
    if (type == NULL || strncasecmp(type, "multipart/form-data", 19) != 0)
        return false;
    const char *at = strcasestr(type, "boundary=");
    if (at == NULL)
        return false;
    at += strlen("boundary=");
    size_t len = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
    if (len == 0 || len > BOUNDARY_MAX)
        return false;
    snprintf(out, BOUNDARY_MAX + 3, "--%.*s", (int)len, at);
    return true;
}

/* The value of a parameter such as name="..." within a header line. */
static bool read_parameter(const char *line, size_t len, const char *name, char *out, size_t size)
{
    size_t name_len = strlen(name);
    for (size_t i = 0; i + name_len + 2 < len; i++) {
        if (!strchr("; \t", line[i]) || strncasecmp(line + i + 1, name, name_len) != 0 ||
            strncmp(line + i + 1 + name_len, "=\"", 2) != 0)
            continue;
        const char *value = line + i + name_len + 3;
        const char *end = memchr(value, '"', (size_t)(line + len - value));
        if (end == NULL || (size_t)(end - value) >= size)
            return false;
        memcpy(out, value, (size_t)(end - value));
        out[end - value] = '\0';
        return json_utf8_valid(out, (size_t)(end - value));
    }
    return false;
}

/* Reads name and filename from a part's headers. */
static void read_headers(const char *headers, size_t len, char name[64], char filename[256])
{
    name[0] = filename[0] = '\0';
    while (len > 0) {
        const char *end = memmem(headers, len, "\r\n", 2);
        size_t line = end ? (size_t)(end - headers) : len;
        if (line > 20 && strncasecmp(headers, "Content-Disposition:", 20) == 0) {
            if (!read_parameter(headers, line, "name", name, 64))
                name[0] = '\0';
            if (!read_parameter(headers, line, "filename", filename, 256))
                filename[0] = '\0';
        }
        size_t skip = end ? line + 2 : len;
        headers += skip;
        len -= skip;
    }
    const char *slash = strrchr(filename, '/');
    if (slash)
        memmove(filename, slash + 1, strlen(slash));
}

bool multipart_find(const char *content_type, const struct buf *body, const char *name,
                    struct part *out)
{
    char delimiter[BOUNDARY_MAX + 3], part_name[64];
    if (body->len == 0 || !read_boundary(content_type, delimiter))
        return false;
    size_t delimiter_len = strlen(delimiter);
    const char *end = body->data + body->len;
    const char *at = memmem(body->data, body->len, delimiter, delimiter_len);
    while (at) {
        at += delimiter_len;
        if (end - at < 4 || strncmp(at, "--", 2) == 0)
            return false; /* the closing delimiter */
        const char *blank = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (blank == NULL)
            return false;
        const char *content = blank + 4;
        const char *next =
            memmem(content - 2, (size_t)(end - content) + 2, delimiter, delimiter_len);
        if (next == NULL || next - content < 2)
            return false;
        read_headers(at, (size_t)(blank - at), part_name, out->filename);
        if (strcmp(part_name, name) == 0) {
            out->bytes = content;
            out->len = (size_t)(next - 2 - content);
            return true;
        }
        at = next;
    }
    return false;
}
