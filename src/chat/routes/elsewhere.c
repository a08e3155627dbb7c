/* What to call in place of paths that are not here; see elsewhere.h. */
#include "elsewhere.h"

#include <stddef.h>
#include <string.h>

#define CHATS "POST /v1/chat/completions"
#define BASE_URL "the base URL of an OpenAI client is this server's address and /v1"

/* The first one that the path begins with, up to a slash or its end, counts. */
static const struct {
    const char *path;
    const char *advice;
} table[] = {
    {"/v1/responses",
     "use " CHATS ": client.chat.completions in OpenAI's SDKs, openai.chat(model) or "
     "@ai-sdk/openai-compatible in the AI SDK"},
    {"/v1/completions", "use " CHATS ", with messages in place of prompt"},
    {"/v1/engines", "use " CHATS ", which names the model in its body"},
    {"/v1/embeddings", "this server makes no embeddings: ask a provider of them directly"},
    {"/v1/assistants", "use " CHATS ", with coach_id for a coach"},
    {"/v1/threads", "use " CHATS ", or POST /v1/chat, which keeps the conversation by its "
                    "conversation_id"},
    {"/v1/messages", "this is OpenAI's API and not Anthropic's: use " CHATS},
    {"/v1/complete", "this is OpenAI's API and not Anthropic's: use " CHATS},
    {"/v1/generate", "use " CHATS},
    {"/v1/moderations", "this server moderates nothing: ask a provider directly"},
    {"/v1/audio", "this server speaks text alone: ask a provider directly"},
    {"/v1/images", "this server makes no images: ask a provider directly"},
    {"/v1/videos", "this server makes no videos: ask a provider directly"},
    {"/v1/realtime", "use " CHATS " with \"stream\": true"},
    {"/v1/files", "training files are made of feedback: see POST /admin/finetuning-jobs"},
    {"/v1/uploads", "training files are made of feedback: see POST /admin/finetuning-jobs"},
    {"/v1/fine_tuning", "admins train models by POST /admin/finetuning-jobs"},
    {"/v1/fine-tunes", "admins train models by POST /admin/finetuning-jobs"},
    {"/v1/batches", "use " CHATS " for each request"},
    {"/v1/vector_stores", "this server searches no files: use " CHATS},
    {"/v1/containers", "this server runs no code: use " CHATS},
    {"/v1/evals", "admins see how models do by GET /admin/model-versions"},
    {"/v1/organization", "admins see use and costs by GET /admin/stats and /admin/costs"},
    {"/v1/v1", "the base URL has /v1 twice: leave one out"},
    {"/v1/chat/completions", "leave out what follows /v1/chat/completions"},
    {"/v1beta", "this is OpenAI's API and not Google's: use " CHATS},
    {"/openai", "this is no Azure: use OpenAI's own client; " BASE_URL},
    {"/api", "this is OpenAI's API and not Ollama's: use " CHATS},
    {"/chat/completions", BASE_URL},
    {"/completions", BASE_URL},
    {"/embeddings", BASE_URL},
    {"/models", BASE_URL},
    {"/responses", BASE_URL},
};

const char *elsewhere_advice(const char *path)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t len = strlen(table[i].path);
        if (strncmp(path, table[i].path, len) == 0 && (path[len] == '\0' || path[len] == '/'))
            return table[i].advice;
    }
    return NULL;
}
