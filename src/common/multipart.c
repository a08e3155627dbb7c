/* Parts of a multipart/form-data body (RFC 7578). */
#include "multipart.h"

#include "json.h"

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

/* The next delimiter line at or after at: one that begins a line and that CRLF or "--" follows. */
static const char *next_delimiter(struct span body, const char *at, const char *delimiter)
{
    size_t len = strlen(delimiter);
    const char *end = body.at + body.len;
    for (; at < end; at++) {
        at = memmem(at, (size_t)(end - at), delimiter, len);
        if (at == NULL || (size_t)(end - at) < len + 2)
            return NULL;
        bool begins = at == body.at || (at - body.at >= 2 && memcmp(at - 2, "\r\n", 2) == 0);
        if (begins && (memcmp(at + len, "\r\n", 2) == 0 || memcmp(at + len, "--", 2) == 0))
            return at;
    }
    return NULL;
}

bool multipart_find(const char *content_type, struct span body, const char *name, struct part *out)
{
    char delimiter[BOUNDARY_MAX + 3], part_name[64];
    if (body.len == 0 || !read_boundary(content_type, delimiter))
        return false;
    const char *at = next_delimiter(body, body.at, delimiter);
    while (at) {
        at += strlen(delimiter);
        if (memcmp(at, "--", 2) == 0) /* there are two bytes */
            return false;             /* the closing delimiter */
        const char *blank = memmem(at, (size_t)(body.at + body.len - at), "\r\n\r\n", 4);
        const char *content = blank ? blank + 4 : NULL;
        /* Without content, the blank line's second CRLF is the one before the delimiter. */
        const char *next = blank ? next_delimiter(body, content, delimiter) : NULL;
        if (next == NULL)
            return false;
        read_headers(at, (size_t)(blank - at), part_name, out->filename);
        if (strcmp(part_name, name) == 0) {
            out->bytes = content;
            out->len = next - content >= 2 ? (size_t)(next - 2 - content) : 0;
            return true;
        }
        at = next;
    }
    return false;
}
