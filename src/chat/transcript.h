/* What is recorded of an OpenAI-style request: the text of the last user message, and all the rest
 * without the bytes of images, audio and files. */
#ifndef UPLIFT_TRANSCRIPT_H
#define UPLIFT_TRANSCRIPT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/*
 * Reads a checked "messages" array. *user_message is the text of the last user message ("" when it
 * has none or there is no such message); *rest a JSON object {"messages":[...],"tools"?,
 * "tool_choice"?,"response_format"?,"user_message_at"?} of everything else in request, or NULL when
 * there is nothing else. user_message_at is how many of these messages came before the user's,
 * there only when others follow it, such as the beginning of an answer. In it an inline image,
 * audio or file is {"type","sha256","bytes"}: the SHA-256 and size of the decoded bytes. Both are
 * the caller's to free. False when memory ran out.
 */
bool transcript_read(const cJSON *request, char **user_message, char **rest);

#endif
