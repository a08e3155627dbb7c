/* Pages of the web, for knowledge; see fetch.h. */
#include "fetch.h"

#include "common/address.h"
#include "common/clock.h"
#include "common/outbound.h"
#include "common/utf8.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define URL_MAX 2000
#define CONNECT_MS 10000L
#define TOTAL_MS 60000

/* One page on its way. */
struct fetch {
    struct page_fetched *page;
    struct job *job;
    bool is_private; /* an address was refused */
};

static bool fail(struct page_fetched *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(struct page_fetched *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    utf8_vprint(p->reason, sizeof p->reason, format, args);
    va_end(args);
    return false;
}

bool fetch_is_url(const char *url)
{
    char *host = NULL, *user = NULL;
    if (strlen(url) > URL_MAX ||
        (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0))
        return false;
    CURLU *parts = curl_url();
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && *host != '\0' &&
                curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_NO_USER;
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(parts);
    return good;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *f = arg;
    (void)purpose;
    if (!address_is_public(&address->addr, f->job->config->knowledge_addresses)) {
        f->is_private = true;
        errno = EACCES;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    return buf_append(&f->page->body, data, size * count) ? size * count : 0;
}

static int look_at_job(void *arg, curl_off_t dt, curl_off_t d, curl_off_t ut, curl_off_t u)
{
    struct fetch *f = arg;
    (void)dt, (void)d, (void)ut, (void)u;
    return job_goes_on(f->job, 0) ? 0 : 1;
}

static bool prepare(CURL *curl, struct fetch *f, int64_t left_ms)
{
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {{CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS},
                   {CURLOPT_TIMEOUT_MS, (long)left_ms},
                   {CURLOPT_NOPROGRESS, 0},
                   {CURLOPT_FRESH_CONNECT, 1}};
    bool good = curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, f) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)DOCUMENT_FILE_MAX) ==
                    CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_WRITEDATA, f) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_at_job) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_XFERINFODATA, f) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_USERAGENT, "uplift/" UPLIFT_VERSION) == CURLE_OK;
    for (size_t i = 0; good && i < sizeof numbers / sizeof numbers[0]; i++)
        good = curl_easy_setopt(curl, numbers[i].option, numbers[i].value) == CURLE_OK;
    return good;
}

static bool told(struct fetch *f, CURLcode code, const char *reason)
{
    if (f->is_private)
        return fail(f->page, "its address is not public");
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return fail(f->page, "stopped");
    if (f->page->body.failed || code == CURLE_FILESIZE_EXCEEDED)
        return fail(f->page, "it is larger than %zu MB", DOCUMENT_FILE_MAX >> 20);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return fail(f->page, "it did not come in time");
    return fail(f->page, "it could not be fetched: %.120s",
                *reason != '\0' ? reason : curl_easy_strerror(code));
}

/* The format of an answer that is the page; false for any other. */
static bool judge(struct page_fetched *p, CURL *curl, long status)
{
    char *type = NULL;
    if (status != 200)
        return fail(p, "its server answered with status %ld", status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    p->format = document_format_of_type(type != NULL ? type : "");
    if (p->format == DOCUMENT_UNKNOWN)
        return fail(p, "it is neither text nor HTML nor PDF: its type is %.60s",
                    type != NULL ? type : "not told");
    return true;
}

bool fetch_page(struct page_fetched *p, const char *url, struct job *job)
{
    struct fetch f = {.page = p, .job = job};
    char next[URL_MAX + 1], reason[CURL_ERROR_SIZE];
    int64_t until = clock_ms() + TOTAL_MS;
    bool good = false;
    *p = (struct page_fetched){.format = DOCUMENT_UNKNOWN};
    buf_init(&p->body, DOCUMENT_FILE_MAX);
    if (!fetch_is_url(url))
        return fail(p, "it is no address of a page: http:// or https://, without a password");
    utf8_copy(next, sizeof next, url);
    for (int hop = 0;; hop++) {
        long status = 0;
        char *location = NULL;
        CURL *curl = outbound_new(NULL, NULL);
        *reason = '\0';
        buf_clear(&p->body);
        if (curl == NULL || !prepare(curl, &f, until - clock_ms() > 1 ? until - clock_ms() : 1) ||
            curl_easy_setopt(curl, CURLOPT_URL, next) != CURLE_OK) {
            curl_easy_cleanup(curl);
            return fail(p, "out of memory");
        }
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
        CURLcode code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
        bool goes_on = false;
        if (code != CURLE_OK)
            good = told(&f, code, reason);
        else if (location == NULL)
            good = judge(p, curl, status);
        else if (hop == FETCH_REDIRECTS_MAX)
            good = fail(p, "it is redirected more than %d times", FETCH_REDIRECTS_MAX);
        else if (!fetch_is_url(location))
            good = fail(p, "it is redirected to what is no page of the web");
        else
            goes_on = true;
        if (goes_on)
            utf8_copy(next, sizeof next, location);
        curl_easy_cleanup(curl);
        if (!goes_on)
            return good;
    }
}

void fetch_release(struct page_fetched *p)
{
    buf_release(&p->body);
}
