/* Pages of the web, for knowledge: from public addresses alone. */
#ifndef UPLIFT_BATCH_FETCH_H
#define UPLIFT_BATCH_FETCH_H

#include "batch/job.h"
#include "document.h"

#define FETCH_REDIRECTS_MAX 5

struct page_fetched {
    struct buf body;             /* at most DOCUMENT_FILE_MAX bytes */
    enum document_format format; /* by its Content-Type */
    char reason[DOCUMENT_REASON_MAX + 1];
};

/* Whether it looks like what can be fetched: http:// or https://, with a host, without a password,
 * at most 2,000 bytes. */
bool fetch_is_url(const char *url);

/*
 * Fetches a page, and follows at most FETCH_REDIRECTS_MAX redirects. Each connection is made to an
 * address that was looked at as it is made (address_is_public, UPLIFT_KNOWLEDGE_ADDRESSES), so that
 * neither a redirect nor a name that leads elsewhere the second time reaches what is private. No
 * proxy of the environment is used, which would look names up by itself. Certificates are checked
 * by the system's authorities. A minute in all. False, with the reason, for anything but 200 with
 * text, Markdown, HTML or PDF, and when the job is to stop. *p is to be released by fetch_release
 * in any case.
 */
MUST_CHECK bool fetch_page(struct page_fetched *p, const char *url, struct job *job);
void fetch_release(struct page_fetched *p);

#endif
