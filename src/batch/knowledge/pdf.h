/* PDF files as documents, by pdftotext of poppler. */
#ifndef UPLIFT_BATCH_PDF_H
#define UPLIFT_BATCH_PDF_H

#include "batch/job.h"
#include "document.h"

/*
 * Reads a PDF by the program UPLIFT_PDFTOTEXT, as a child that has limits of its own: 30 seconds of
 * CPU, 60 in all, 1 GB of memory, no files that it may write, and as much text as a document may
 * have. So whatever a file makes of it harms nothing else. False, with the reason, where the file
 * is encrypted, damaged, or too much, or the program is not there; and when the job is to stop.
 */
MUST_CHECK bool document_read_pdf(struct document *d, const char *data, size_t len,
                                  struct job *job);

#endif
