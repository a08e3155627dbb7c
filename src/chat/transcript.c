/* What is recorded of an OpenAI-style request. */
#include "transcript.h"

#include "../common/buf.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

static const cJSON *last_user_message(const cJSON *messages)
{
    const cJSON *found = NULL, *message;
    cJSON_ArrayForEach (message, messages) {
        const cJSON *role = cJSON_GetObjectItemCaseSensitive(message, "role");
        if (cJSON_IsString(role) && strcmp(role->valuestring, "user") == 0)
            found = message;
    }
    return found;
}

static bool is_text_part(const cJSON *part)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(part, "type");
    return cJSON_IsString(type) && strcmp(type->valuestring, "text") == 0;
}

/* The text of a content that is a string or a list of parts. */
static char *content_text(const cJSON *content)
{
    if (cJSON_IsString(content))
        return strdup(content->valuestring);
    struct buf text;
    buf_init(&text, TEXT_MAX);
    const cJSON *part;
    cJSON_ArrayForEach (part, content) {
        const cJSON *piece = cJSON_GetObjectItemCaseSensitive(part, "text");
        if (!is_text_part(part) || !cJSON_IsString(piece))
            continue;
        if (text.len > 0)
            buf_putc(&text, '\n');
        buf_puts(&text, piece->valuestring);
    }
    char *result = text.len == 0 ? strdup("") : buf_steal(&text);
    buf_release(&text);
    return result;
}

/* Whether a message holds nothing but the text that content_text takes from it. */
static bool only_text(const cJSON *message)
{
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(message, "content"), *part;
    if (cJSON_GetArraySize(message) > 2) /* more than role and content, such as a name */
        return false;
    cJSON_ArrayForEach (part, content) {
        if (!is_text_part(part))
            return false;
    }
    return true;
}

/* {"type","sha256","bytes"} of base64 text; what is no base64 is hashed as it stands. */
static cJSON *digest(const char *type, const char *base64)
{
    size_t len = strlen(base64);
    unsigned char hash[32];
    char hex[65];
    unsigned char *bytes = malloc(len / 4 * 3 + 4);
    if (bytes == NULL)
        return NULL;
    int n = len <= INT32_MAX ? EVP_DecodeBlock(bytes, (const unsigned char *)base64, (int)len) : -1;
    size_t size = len;
    if (n >= 0) {
        size = (size_t)n;
        for (size_t i = len; i > 0 && base64[i - 1] == '=' && size > 0 && len - i < 2; i--)
            size--;
    }
    int hashed = EVP_Digest(n >= 0 ? (const void *)bytes : (const void *)base64, size, hash, NULL,
                            EVP_sha256(), NULL);
    free(bytes);
    if (hashed != 1)
        return NULL;
    for (size_t i = 0; i < sizeof hash; i++) {
        hex[2 * i] = "0123456789abcdef"[hash[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
    }
    hex[64] = '\0';
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "type", type);
    cJSON_AddStringToObject(object, "sha256", hex);
    cJSON_AddNumberToObject(object, "bytes", (double)size);
    return object;
}

/* The base64 text inside a part, or NULL for a part without inline bytes. */
static const char *inline_bytes(const cJSON *part)
{
    const cJSON *image = cJSON_GetObjectItemCaseSensitive(part, "image_url");
    const cJSON *url =
        cJSON_IsObject(image) ? cJSON_GetObjectItemCaseSensitive(image, "url") : image;
    if (cJSON_IsString(url) && strncmp(url->valuestring, "data:", 5) == 0) {
        const char *comma = strchr(url->valuestring, ',');
        return comma != NULL ? comma + 1 : url->valuestring;
    }
    const cJSON *audio = cJSON_GetObjectItemCaseSensitive(part, "input_audio");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(audio, "data");
    if (cJSON_IsString(data))
        return data->valuestring;
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(part, "file");
    const cJSON *file_data = cJSON_GetObjectItemCaseSensitive(file, "file_data");
    if (cJSON_IsString(file_data)) {
        const char *comma = strchr(file_data->valuestring, ',');
        return comma != NULL ? comma + 1 : file_data->valuestring;
    }
    return NULL;
}

/* Puts digests in the place of inline bytes. */
static bool strip_bytes(cJSON *message)
{
    cJSON *content = cJSON_GetObjectItemCaseSensitive(message, "content");
    if (!cJSON_IsArray(content))
        return true;
    for (cJSON *part = content->child, *next; part != NULL; part = next) {
        next = part->next;
        const char *bytes = inline_bytes(part);
        if (bytes == NULL)
            continue;
        const cJSON *type = cJSON_GetObjectItemCaseSensitive(part, "type");
        cJSON *instead = digest(cJSON_IsString(type) ? type->valuestring : "file", bytes);
        if (instead == NULL || !cJSON_ReplaceItemViaPointer(content, part, instead)) {
            cJSON_Delete(instead);
            return false;
        }
    }
    return true;
}

static bool add_copy(cJSON *to, const cJSON *request, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request, key);
    if (item == NULL)
        return true;
    cJSON *copy = cJSON_Duplicate(item, true);
    return copy != NULL && cJSON_AddItemToObject(to, key, copy);
}

/* Adds all messages but the last of the user, whose place is *user_at, where it is kept as text. */
static bool add_messages(cJSON *kept, const cJSON *messages, const cJSON *user, int *user_at)
{
    const cJSON *message;
    int at = 0;
    *user_at = -1;
    cJSON_ArrayForEach (message, messages) {
        if (message == user && only_text(message)) {
            *user_at = at;
            continue;
        }
        at++;
        cJSON *copy = cJSON_Duplicate(message, true);
        if (copy == NULL || !cJSON_AddItemToArray(kept, copy)) {
            cJSON_Delete(copy);
            return false;
        }
        if (!strip_bytes(copy))
            return false;
    }
    return true;
}

bool transcript_read(const cJSON *request, char **user_message, char **rest)
{
    const cJSON *messages = cJSON_GetObjectItemCaseSensitive(request, "messages");
    const cJSON *user = last_user_message(messages);
    *rest = NULL;
    *user_message =
        content_text(user != NULL ? cJSON_GetObjectItemCaseSensitive(user, "content") : NULL);
    cJSON *object = cJSON_CreateObject();
    cJSON *kept = cJSON_AddArrayToObject(object, "messages");
    int user_at = -1;
    bool good = *user_message != NULL && kept != NULL &&
                add_messages(kept, messages, user, &user_at) &&
                add_copy(object, request, "tools") && add_copy(object, request, "tool_choice") &&
                add_copy(object, request, "response_format");
    if (good && user_at >= 0 && user_at < cJSON_GetArraySize(kept))
        good = cJSON_AddNumberToObject(object, "user_message_at", user_at) != NULL;
    if (good && (kept->child != NULL || kept->next != NULL)) {
        *rest = cJSON_PrintUnformatted(object);
        good = *rest != NULL;
    }
    cJSON_Delete(object);
    if (!good) {
        free(*user_message);
        *user_message = NULL;
    }
    return good;
}
