/* GET /: a page that says what this is. */
#include "page.h"

#include "reply.h"

static const char page[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>Simulated provider</title>\n"
    "<h1>This is a simulated model provider</h1>\n"
    "<p>It speaks the OpenAI API for demos, tests and benchmarks of uplift. No language model is\n"
    "behind it: answers are put together from the text of the request, always the same for the\n"
    "same text. Do not take them for advice.</p>\n"
    "<ul>\n"
    "<li><code>POST /v1/chat/completions</code> - any model name works; <code>sim-1</code>\n"
    "answers</li>\n"
    "<li><code>GET /v1/models</code>, <code>POST /v1/embeddings</code></li>\n"
    "<li><code>/v1/files</code>, <code>/v1/fine_tuning/jobs</code></li>\n"
    "</ul>\n"
    "<p>The model names <code>sim-fault-NAME</code> and <code>sim-pace-MS</code> ask for faults\n"
    "and another pace; <code>fcgi-simulator --help</code> lists them. Every answer has the header\n"
    "<code>X-Simulated: 1</code>.</p>\n"
    "</html>\n";

void page_get(struct fastcgi_request *r)
{
    reply_bytes(r, 200, "text/html; charset=utf-8",
                "Content-Security-Policy: default-src 'none'\r\n", page, sizeof page - 1);
}
