/*
 * What a provider says of a failure, wherever it says it. Besides OpenAI's
 * {"error":{"message","type","param","code"}}:
 *
 *   {"object":"error","message":"...","type","code":400}      vLLM, SGLang
 *   {"object":"error","message":{"detail":[{"loc","msg"}]}}   Mistral; also as JSON within the text
 *   {"detail":"..."}, {"detail":[{"loc":["body","x"],"msg"}]} FastAPI, and all that is built on it
 *   [{"error":{"code":400,"message","status"}}]               Gemini
 *   {"error":{"message":"Provider returned error","code","metadata":{"raw":"{...}"}}}  OpenRouter
 *   {"type":"error","error":{"type","message"}}               Anthropic
 *   {"error":"...","error_type":"validation"}                 TGI
 *   {"errors":[{"code","message"}],"success":false}           Cloudflare
 *   {"base_resp":{"status_code","status_msg"}}                MiniMax
 *   {"code":"...","message":"..."}, {"message":"..."}         DashScope, Cohere
 */
#ifndef UPLIFT_WORDS_H
#define UPLIFT_WORDS_H

#include "common/json_scan.h"

#include <stdbool.h>

struct words {
    char message[512]; /* "" when there is none */
    char type[64], code[64], param[64];
    int status; /* a code or status that is a HTTP status of an error; 0: none */
};

/* Finds the words in a value that was checked; in none, or a value without any, all are "". */
void words_read(struct span value, struct words *words);
/* The same of a body, which may be none, no JSON, or an event stream with one event. */
void words_read_body(const char *text, size_t len, struct words *words);
/* Whether the message has the phrase, which is in small letters, in whatever case. */
bool words_say(const struct words *words, const char *phrase);

#endif
