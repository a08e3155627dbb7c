/* A growing byte buffer with a maximum, the one way text is built in both programs. */
#ifndef UPLIFT_BUF_H
#define UPLIFT_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * data is NUL-terminated after every successful append (the NUL is not counted in len) and NULL
 * while nothing was ever appended. Once an append would pass max, or memory runs out, failed is set
 * and every later append fails too, so that a caller may build a whole text and check once.
 */
struct buf {
    char *data; /* owned */
    size_t len; /* bytes used */
    size_t cap; /* bytes allocated */
    size_t max; /* len never passes this */
    bool failed;
};

/* Makes an empty buffer that will never hold more than max bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Frees the memory and leaves an empty buffer with the same maximum. */
void buf_release(struct buf *b);
/* Forgets the content and a failure, and keeps the memory. */
void buf_clear(struct buf *b);
/* Gives the memory away (NUL-terminated, to be freed by the caller) and leaves an empty buffer.
 * Never NULL unless the buffer failed or memory ran out. */
char *buf_steal(struct buf *b);
/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Drops what is behind the first len bytes (len <= b->len); a failure stays. */
void buf_cut(struct buf *b, size_t len);
/* Makes room for at least n more bytes, so that appending them needs no allocation. */
bool buf_reserve(struct buf *b, size_t n);

bool buf_append(struct buf *b, const void *data, size_t len);
bool buf_puts(struct buf *b, const char *text);
bool buf_putc(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends text as a JSON string with its quotes. Control characters are escaped; bytes that are not
 * valid UTF-8, and NUL, become U+FFFD, so that the result is always valid JSON that Postgres
 * accepts. */
bool buf_json_string(struct buf *b, const char *text, size_t len);
/* Appends text as Postgres takes it: bytes that are not valid UTF-8, and NUL, become U+FFFD. */
bool buf_utf8(struct buf *b, const char *text, size_t len);
/* As buf_json_string, without the quotes around it. */
bool buf_json_escaped(struct buf *b, const char *text, size_t len);

#endif
