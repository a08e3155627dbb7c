/* Reading completions where they lie, and what becomes of them: held against cJSON's trees. */
#include "chat/protocol/completion.h"
#include "chat/protocol/native.h"
#include "chat/protocol/openai.h"
#include "chat/protocol/usage.h"
#include "chat/relay/answer.h"
#include "common/json.h"
#include "common/json_scan.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "01890000-0000-7000-8000-00000000000a"
#define CONVERSATION "01890000-0000-7000-8000-00000000000c"

static struct chat *chat;

static int start(void **state)
{
    (void)state;
    chat = chat_new(NULL);
    assert_non_null(chat);
    memcpy(chat->id_text, ID, sizeof ID);
    memcpy(chat->conversation_text, CONVERSATION, sizeof CONVERSATION);
    chat->model = strdup("asked-for");
    chat->created_us = 5000000;
    chat->protocol = CHAT_OPENAI;
    chat->stream = true;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    chat_free(chat);
    return 0;
}

/* --- scan --- */

static void grammar(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " \t\r\n{ } ",
        "0",
        "-0.5e+10",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00eF\"",
        "[[],{},[{}]]",
        "{\"a\":[1,2,{\"b\":null}],\"c\":true,\"d\":false}",
        "[ 1 , 2 ]",
        "{ \"a\" : 1 , \"b\" : \"}]\" }",
        "\"\xff\"",
    };
    static const char *const bad[] = {
        "",       " ",       "{",        "}",           "[1,]",      "[,1]",    "{\"a\":1,}",
        "{1:2}",  "{\"a\"}", "{\"a\":}", "01",          "1.",        ".5",      "1e",
        "+1",     "-",       "nul",      "truee",       "\"",        "\"\\x\"", "\"\\u12g4\"",
        "\"\n\"", "[1 2]",   "{} {}",    "[1}",         "{\"a\":1]", "'a'",     "\"\\",
        "\"\\u1", "NaN",     "[[1]",     "\"a\" \"b\"",
    };
    struct span value;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!scan_check(good[i], strlen(good[i]), &value))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (scan_check(bad[i], strlen(bad[i]), &value))
            fail_msg("taken: %s", bad[i]);
    assert_false(scan_check("{\"a\":1\0}", 8, &value));
}

static void depth(void **state)
{
    char text[2 * (JSON_MAX_DEPTH + 1)];
    struct span value;
    (void)state;
    memset(text, '[', JSON_MAX_DEPTH + 1);
    memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    assert_false(scan_check(text, sizeof text, &value));
    assert_true(scan_check(text + 1, sizeof text - 2, &value));
}

static void walking(void **state)
{
    static const char text[] =
        " { \"a\" : [ 1 , \"x,]\\\"}\" ,{\"b\":2} ] , \"c\":-1.5e3,\"\":null } ";
    struct span whole, key, value;
    (void)state;
    assert_true(scan_check(text, strlen(text), &whole));
    struct scan s = scan_open(whole);
    assert_true(scan_next(&s, &key, &value));
    assert_true(scan_is(key, "\"a\""));
    struct scan items = scan_open(value);
    assert_true(scan_next(&items, NULL, &value));
    assert_true(scan_is(value, "1"));
    assert_true(scan_next(&items, NULL, &value));
    assert_true(scan_is(value, "\"x,]\\\"}\""));
    assert_true(scan_next(&items, NULL, &value));
    assert_int_equal(scan_count(scan_member(value, "b"), -1), 2);
    assert_false(scan_next(&items, NULL, &value));
    assert_true(scan_is(scan_member(whole, "c"), "-1.5e3"));
    assert_null(scan_member(whole, "d").at);
    assert_true(scan_is(scan_member(whole, ""), "null"));
}

static void counts(void **state)
{
    (void)state;
    assert_int_equal(scan_count((struct span){"9007199254740991", 16}, -1), 9007199254740991);
    assert_int_equal(scan_count((struct span){"9007199254740992", 16}, -1), -1);
    assert_int_equal(scan_count((struct span){"-1", 2}, -7), -7);
    assert_int_equal(scan_count((struct span){"1.0", 3}, -7), -7);
    assert_int_equal(scan_count((struct span){0}, -7), -7);
}

static void assert_text(const char *json, const char *expected)
{
    struct buf out;
    buf_init(&out, 1000);
    assert_true(scan_text((struct span){json, strlen(json)}, &out, NULL));
    assert_string_equal(out.data != NULL ? out.data : "", expected);
    buf_release(&out);
}

static void strings(void **state)
{
    char small[4];
    (void)state;
    assert_text("\"\"", "");
    assert_text("\"plain text of some length\"", "plain text of some length");
    assert_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    assert_text("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_text("\"a\\u0000b\"", "a\xef\xbf\xbd"
                                 "b");
    assert_text("\"\\ud83dx\"", "\xef\xbf\xbdx");
    assert_text("\"\\ud83d\\n\"", "\xef\xbf\xbd\n");
    assert_text("\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80");
    assert_text("\"\\ude00\"", "\xef\xbf\xbd");
    scan_copy((struct span){"\"ab\\u20ac\"", 10}, small, sizeof small);
    assert_string_equal(small, "ab");
    scan_copy((struct span){"12", 2}, small, sizeof small);
    assert_string_equal(small, "");
}

static void cleaning(void **state)
{
    static const char text[] = "{\"a\":\"\\u0000\\ud800x\\ud83d\\ude00\xff\xc3\xa9\\n\",\n\"b\":1}";
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    assert_true(scan_clean((struct span){text, strlen(text)}, &out));
    assert_string_equal(
        out.data, "{\"a\":\"\\ufffd\\ufffdx\\ud83d\\ude00\xef\xbf\xbd\xc3\xa9\\n\", \"b\":1}");
    buf_release(&out);
}

/* --- completions --- */

static const struct openai_form chunk_form = {.is_chunk = true, .parts = OPENAI_ALL};

static const char usual[] =
    "{\"id\":\"chatcmpl-x\",\"object\":\"chat.completion.chunk\",\"created\":1694268190,"
    "\"model\":\"gpt\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp\",\"choices\":"
    "[{\"index\":0,\"delta\":{\"content\":\"He\\\"llo\"},\"logprobs\":null,\"finish_reason\":null}]"
    ","
    "\"usage\":null,\"obfuscation\":\"abc\"}";

static void usual_chunk(void **state)
{
    struct completion c;
    (void)state;
    assert_true(completion_read(&c, usual, strlen(usual), COMPLETION_CHUNK));
    assert_true(c.is_sound);
    assert_false(c.says_more);
    assert_int_equal(c.choices, 1);
    assert_true(scan_is(c.content, "\"He\\\"llo\""));
    assert_true(scan_is(c.model, "\"gpt\""));
    assert_null(c.usage.at);
    assert_string_equal(c.finish, "");
}

static void usual_chunk_passed_on(void **state)
{
    struct completion c;
    struct buf out;
    (void)state;
    buf_init(&out, 10000);
    assert_true(completion_read(&c, usual, strlen(usual), COMPLETION_CHUNK));
    assert_true(openai_chunk(&out, chat, &c, &chunk_form));
    assert_string_equal(
        out.data,
        "data: {\"id\":\"chatcmpl-" ID "\",\"feedback_id\":\"" ID
        "\",\"conversation_id\":\"" CONVERSATION
        "\",\"object\":\"chat.completion.chunk\",\"created\":1694268190,\"model\":\"gpt\","
        "\"service_tier\":\"default\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"content\":\"He\\\"llo\"},\"logprobs\":null,\"finish_reason\":null}],"
        "\"obfuscation\":\"abc\"}\n\n");
    buf_release(&out);
}

static void bare_chunk_mended(void **state)
{
    static const char bare[] = "{\n\"choices\":[{\"finish_reason\":\"stop\",\"x\":\r\n1}]}";
    struct completion c;
    struct buf out;
    (void)state;
    buf_init(&out, 10000);
    assert_true(completion_read(&c, bare, strlen(bare), COMPLETION_CHUNK));
    assert_false(c.is_sound);
    assert_true(openai_chunk(&out, chat, &c, &chunk_form));
    assert_string_equal(
        out.data,
        "data: {\"id\":\"chatcmpl-" ID "\",\"feedback_id\":\"" ID
        "\",\"conversation_id\":\"" CONVERSATION
        "\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"asked-for\","
        "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",\"x\":1}]}\n\n");
    buf_release(&out);
}

/* --- held against cJSON, on many made-up chunks --- */

static unsigned seed = 1;

static unsigned pick(unsigned of)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 10) % of;
}

static void put_space(struct buf *out)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\r\n", "\t"};
    buf_puts(out, spaces[pick(7)]);
}

static void put_string(struct buf *out)
{
    static const char *const pieces[] = {"a",       "Hello",    " world, how are you today?",
                                         "\\n",     "\\\"",     "\\\\",
                                         "\\u00e9", "\xc3\xa9", "\\ud83d\\ude00",
                                         "}],{[",   ": ,",      "\xf0\x9f\x98\x80"};
    buf_putc(out, '"');
    for (unsigned n = pick(6); n > 0; n--)
        buf_puts(out, pieces[pick(12)]);
    buf_putc(out, '"');
}

static void put_value(struct buf *out, unsigned levels)
{
    static const char *const words[] = {"null", "true", "false", "0", "-1.5", "42", "1e3"};
    unsigned kind = pick(levels > 0 ? 10 : 8);
    put_space(out);
    if (kind < 6)
        buf_puts(out, words[pick(7)]);
    else if (kind < 8)
        put_string(out);
    else {
        bool is_object = kind == 8;
        buf_putc(out, is_object ? '{' : '[');
        for (unsigned i = 0, n = pick(4); i < n; i++) {
            buf_puts(out, i > 0 ? "," : "");
            if (is_object)
                buf_printf(out, "\"k%u\":", i);
            put_value(out, levels - 1);
        }
        put_space(out);
        buf_putc(out, is_object ? '}' : ']');
    }
    put_space(out);
}

static void put_choice(struct buf *out)
{
    const char *comma = "";
    buf_putc(out, '{');
    if (pick(8)) {
        buf_puts(out, "\"index\": 0");
        comma = ",";
    }
    if (pick(8)) {
        buf_printf(out, "%s\"delta\":{", comma);
        if (pick(2))
            buf_puts(out, "\"role\":\"assistant\",");
        if (pick(3)) {
            buf_puts(out, "\"refusal\":null,");
        }
        buf_puts(out, "\"content\" : ");
        if (pick(6))
            put_string(out);
        else
            buf_puts(out, "null");
        buf_putc(out, '}');
        comma = ",";
    }
    if (pick(8))
        buf_printf(out, "%s\"finish_reason\":%s", comma, pick(3) ? "null" : "\"stop\"");
    buf_putc(out, '}');
}

static void put_chunk(struct buf *out)
{
    static const char *const names[] = {"id",    "object", "created",     "model",
                                        "usage", "extra",  "feedback_id", "system_fingerprint"};
    unsigned choices_at = pick(8);
    const char *comma = "";
    put_space(out);
    buf_putc(out, '{');
    for (unsigned i = 0; i < 8; i++) {
        if (i == choices_at) {
            buf_printf(out, "%s\"choices\":[", comma);
            unsigned n = pick(10);
            if (n > 0)
                put_choice(out);
            buf_putc(out, ']');
            comma = ",";
        }
        if (pick(7) == 0)
            continue;
        put_space(out);
        buf_printf(out, "%s\"%s\":", comma, names[i]);
        if (i == 1 || i == 3)
            put_string(out);
        else if (i == 4 && pick(2))
            buf_puts(out, "{\"prompt_tokens\":7,\"completion_tokens\":5}");
        else
            put_value(out, 3);
        comma = ",";
    }
    buf_putc(out, '}');
    put_space(out);
}

static const cJSON *first_choice(const cJSON *tree)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(tree, "choices"), 0);
}

/* What openai_completion should make of the tree. */
static void change_tree(cJSON *tree, bool with_usage, bool is_sound)
{
    static const char *const ours[] = {"id", "feedback_id", "conversation_id"};
    for (int i = 0; i < 3; i++) {
        cJSON_DeleteItemFromObjectCaseSensitive(tree, ours[i]);
        cJSON_AddStringToObject(tree, ours[i],
                                i == 0   ? "chatcmpl-" ID
                                : i == 1 ? ID
                                         : CONVERSATION);
    }
    if (!with_usage)
        cJSON_DeleteItemFromObjectCaseSensitive(tree, "usage");
    if (!is_sound)
        cJSON_DeleteItemFromObjectCaseSensitive(tree, "object");
    if (!cJSON_HasObjectItem(tree, "object"))
        cJSON_AddStringToObject(tree, "object", "chat.completion.chunk");
    if (!cJSON_HasObjectItem(tree, "model"))
        cJSON_AddStringToObject(tree, "model", "asked-for");
    if (cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(tree, "created")))
        cJSON_DeleteItemFromObjectCaseSensitive(tree, "created");
    if (!cJSON_HasObjectItem(tree, "created"))
        cJSON_AddNumberToObject(tree, "created", 5);
    cJSON *choice = (cJSON *)first_choice(tree);
    if (choice == NULL)
        return;
    if (!cJSON_HasObjectItem(choice, "index"))
        cJSON_AddNumberToObject(choice, "index", 0);
    if (!cJSON_HasObjectItem(choice, "delta"))
        cJSON_AddObjectToObject(choice, "delta");
    if (!cJSON_HasObjectItem(choice, "finish_reason"))
        cJSON_AddNullToObject(choice, "finish_reason");
}

static void check_one(const struct buf *text)
{
    struct completion c;
    struct buf content, out;
    cJSON *tree = cJSON_ParseWithLength(text->data, text->len);
    buf_init(&content, 100000);
    buf_init(&out, 100000);
    assert_non_null(tree);
    assert_true(completion_read(&c, text->data, text->len, COMPLETION_CHUNK));

    const cJSON *delta = cJSON_GetObjectItemCaseSensitive(first_choice(tree), "delta");
    const char *expected = json_string(delta, "content");
    assert_true(scan_text(c.content, &content, NULL));
    assert_string_equal(content.data != NULL ? content.data : "", expected != NULL ? expected : "");
    assert_int_equal(c.finish[0] != '\0', json_string(first_choice(tree), "finish_reason") != NULL);
    struct usage figures = {0};
    const cJSON *usage = cJSON_GetObjectItemCaseSensitive(tree, "usage");
    assert_int_equal(usage_read(c.usage, &figures), cJSON_HasObjectItem(usage, "prompt_tokens"));
    assert_int_equal(figures.prompt, (int64_t)json_number(usage, "prompt_tokens", 0));

    bool with_usage = pick(2);
    struct openai_form form = chunk_form;
    form.parts |= with_usage ? OPENAI_USAGE : 0;
    assert_true(openai_completion(&out, chat, &c, &form));
    assert_null(strpbrk(out.data, "\r\n"));
    change_tree(tree, with_usage, c.is_sound);
    struct json_error error;
    cJSON *made = json_parse(out.data, out.len, &error);
    if (made == NULL || !cJSON_Compare(tree, made, true))
        fail_msg("%s\nbecame\n%s\n%s", text->data, out.data, error.message);
    cJSON_Delete(made);
    cJSON_Delete(tree);
    buf_release(&content);
    buf_release(&out);
}

static void same_as_cjson(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 100000);
    for (int i = 0; i < 20000; i++) {
        buf_clear(&text);
        put_chunk(&text);
        check_one(&text);
    }
    buf_release(&text);
}

/* Every beginning of a chunk, and every byte of it changed, is refused or as cJSON has it. */
static void damaged_chunks(void **state)
{
    size_t len = strlen(usual);
    char *copy = malloc(len);
    struct completion c;
    (void)state;
    assert_non_null(copy);
    for (size_t i = 0; i < len; i++) {
        char *cut = malloc(i + 1); /* so that a read past its end is noticed */
        assert_non_null(cut);
        memcpy(cut, usual, i);
        assert_false(completion_read(&c, cut, i, COMPLETION_CHUNK));
        free(cut);
        for (unsigned byte = 0; byte < 256; byte += 7) {
            memcpy(copy, usual, len);
            copy[i] = (char)byte;
            struct json_error error;
            cJSON *tree = json_parse(copy, len, &error);
            if (tree != NULL && !completion_read(&c, copy, len, COMPLETION_CHUNK))
                fail_msg("refused with byte %u at %zu", byte, i);
            cJSON_Delete(tree);
        }
    }
    free(copy);
}

/* --- answers --- */

static void message_in_parts(void **state)
{
    static const char *const deltas[] = {
        "{\"role\":\"assistant\",\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"type\":\"function\","
        "\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]}",
        "{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{"
        "\"}},"
        "{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"[\\ud83d\"}}]}",
        "{\"content\":\"left "
        "out\",\"refusal\":null,\"audio\":{\"id\":\"x\",\"transcript\":\"la\"}}",
        "{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"\\ude00]\"}},"
        "{\"index\":0,\"function\":{\"arguments\":\"}\"}}],\"audio\":{\"transcript\":\"la\","
        "\"expires_at\":5}}",
        "{\"annotations\":[{\"url\":\"u\"}],\"empty\":[],\"none\":{}}",
        "{\"annotations\":[{\"url\":\"v\"}]}",
    };
    struct message m;
    struct buf out;
    (void)state;
    message_init(&m, 10000);
    buf_init(&out, 10000);
    assert_false(message_json(&m, &out));
    for (size_t i = 0; i < sizeof deltas / sizeof deltas[0]; i++) {
        struct span value;
        assert_true(scan_check(deltas[i], strlen(deltas[i]), &value));
        assert_true(message_add(&m, value));
    }
    assert_true(message_json(&m, &out));
    assert_string_equal(
        out.data,
        "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"b\",\"type\":\"function\",\"function\":"
        "{\"name\":\"g\",\"arguments\":\"[\xf0\x9f\x98\x80]\"}},{\"id\":\"a\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"{}\"}}],\"audio\":{\"id\":\"x\",\"transcript\":\"lala\","
        "\"expires_at\":5},\"annotations\":[{\"url\":\"u\"},{\"url\":\"v\"}]}");
    buf_release(&out);
    message_release(&m);
}

/* Members have keys and items have none: the later kind takes the place of the earlier. */
static void message_kinds(void **state)
{
    static const char *const deltas[] = {
        "{\"audio\":[{\"a\":0},1],\"call\":{\"id\":\"y\"},\"text\":\"left\",\"n\":[7]}",
        "{\"audio\":{\"id\":\"x\"},\"call\":[{\"a\":0}],\"text\":{\"b\":2},\"n\":8}",
        "{\"audio\":{\"id\":\"z\"},\"call\":[1],\"text\":\"right\",\"n\":9}",
    };
    struct message m;
    struct buf out;
    (void)state;
    message_init(&m, 10000);
    buf_init(&out, 10000);
    for (size_t i = 0; i < sizeof deltas / sizeof deltas[0]; i++) {
        struct span value;
        assert_true(scan_check(deltas[i], strlen(deltas[i]), &value));
        assert_true(message_add(&m, value));
    }
    assert_true(message_json(&m, &out));
    assert_string_equal(out.data,
                        "{\"role\":\"assistant\",\"audio\":{\"id\":\"z\"},\"call\":[{\"a\":0},1],"
                        "\"text\":\"right\",\"n\":9}");
    buf_release(&out);
    message_release(&m);
}

static void message_limit(void **state)
{
    static const char delta[] =
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"0123456789\"}}]}";
    struct message m;
    struct span value;
    int taken = 0;
    (void)state;
    message_init(&m, 2000);
    assert_true(scan_check(delta, strlen(delta), &value));
    while (taken < 1000 && message_add(&m, value))
        taken++;
    assert_in_range(taken, 10, 200);
    message_release(&m);
}

static void native_events(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 10000);
    chat->coach_id = strdup("coach \"x\"");
    chat->severity = strdup("4.5");
    chat->mode = strdup("roast");
    chat->degraded = true;
    chat->prompt_tokens = 3;
    chat->completion_tokens = 4;
    chat->response_time_ms = 17;
    snprintf(chat->finish_reason, sizeof chat->finish_reason, "length");
    assert_true(native_done(&out, chat));
    assert_string_equal(
        out.data, "data: {\"done\":true,\"feedbackId\":\"" ID
                  "\",\"conversation_id\":\"" CONVERSATION "\",\"coach_id\":\"coach "
                  "\\\"x\\\"\",\"severity\":4.5,\"mode\":\"roast\",\"model\":\"asked-for\","
                  "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7},"
                  "\"response_time_ms\":17,\"finish_reason\":\"length\",\"degraded\":true}\n\n");
    buf_clear(&out);
    api_error(&chat->error, 502, "provider_cut", "", "cut \"off\"");
    assert_true(native_error(&out, chat));
    assert_string_equal(
        out.data, "data: {\"error\":{\"message\":\"cut \\\"off\\\"\",\"type\":\"server_error\","
                  "\"param\":null,\"code\":\"provider_cut\"},\"feedbackId\":\"" ID "\"}\n\n");
    buf_release(&out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

static const struct CMUnitTest tests[] = {
    TEST(grammar),           TEST(depth),         TEST(walking),        TEST(counts),
    TEST(strings),           TEST(cleaning),      TEST(usual_chunk),    TEST(usual_chunk_passed_on),
    TEST(bare_chunk_mended), TEST(same_as_cjson), TEST(damaged_chunks), TEST(message_in_parts),
    TEST(message_kinds),     TEST(message_limit), TEST(native_events),
};

UNIT_MAIN(tests)
