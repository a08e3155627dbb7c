/* What is recorded of an OpenAI-style request: the text of the last user message, and all the rest
 * without the bytes of images, audio and files. */
#ifndef UPLIFT_TRANSCRIPT_H
#define UPLIFT_TRANSCRIPT_H

#include "common/json_scan.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads a checked request. *user_message is the text of the last user message ("" when it has none
 * or there is no such message); *rest a JSON object {"messages":[...],"tools"?,"tool_choice"?,
 * "response_format"?,"user_message_at"?} of everything else in it, as it came, or NULL when there
 * is nothing else. user_message_at is how many of these messages came before the user's, there only
 * when others follow it, such as the beginning of an answer. In it an inline image, audio or file
 * is {"type","sha256","bytes"}: the SHA-256 and size of the decoded bytes. Both are the caller's to
 * free. False when memory ran out.
 */
MUST_CHECK bool transcript_read(struct span request, char **user_message, char **rest);

/* The bytes of a message's text and of all else in it but what of images, audio and files is
 * replaced so. */
size_t transcript_bytes(struct span message);

#endif
