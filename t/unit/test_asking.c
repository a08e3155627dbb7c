/* The body of a request to a provider: what a call changes in the chat's. */
#include "chat/relay/asking.h"
#include "common/json.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct chat *chat;

static void use(const char *body)
{
    free(chat->upstream_body);
    chat->upstream_body = strdup(body);
    chat->upstream_body_len = strlen(body);
}

static int start(void **state)
{
    (void)state;
    chat = chat_new(NULL);
    assert_non_null(chat);
    chat->model = strdup("m");
    chat->stream = true;
    chat->upstream_model_len = strlen("{\"model\":\"m\"");
    use("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"seed\":7,"
        "\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    chat_free(chat);
    return 0;
}

static void assert_body(const struct asking *asking, const char *wanted)
{
    char *made;
    size_t len = 0;
    assert_true(asking_body(chat, asking, &made, &len));
    if (wanted == NULL) {
        assert_null(made);
        return;
    }
    assert_non_null(made);
    assert_int_equal(len, strlen(made));
    assert_string_equal(made, wanted);
    free(made);
}

static void as_it_is(void **state)
{
    (void)state;
    assert_body(&(struct asking){.model = NULL}, NULL);
    assert_body(&(struct asking){.model = "m"}, NULL);
}

static void another_model(void **state)
{
    (void)state;
    assert_body(&(struct asking){.model = "other \"one\""},
                "{\"model\":\"other \\\"one\\\"\",\"messages\":[{\"role\":\"user\",\"content\":"
                "\"hi\"}],\"seed\":7,\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    chat->upstream_model_len = 0; /* it does not begin with its model */
    assert_body(&(struct asking){.model = "other"}, NULL);
}

static void without_what_is_ours(void **state)
{
    (void)state;
    assert_body(&(struct asking){.without = ADDED_SEED},
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                "\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    assert_body(&(struct asking){.without = ADDED_SEED | ADDED_USAGE, .model = "n"},
                "{\"model\":\"n\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                "\"stream\":true}");
    use("{\"stream_options\":{\"a\":[1],\"include_usage\":true,\"b\":2},\"x\":{\"seed\":1}}");
    assert_body(&(struct asking){.without = ADDED_SEED | ADDED_USAGE},
                "{\"stream_options\":{\"a\":[1],\"b\":2},\"x\":{\"seed\":1}}");
    use("not JSON");
    assert_body(&(struct asking){.without = ADDED_SEED}, NULL);
}

static void what_is_ours(void **state)
{
    (void)state;
    chat->protocol = CHAT_OPENAI;
    assert_int_equal(asking_added(chat), ADDED_USAGE);
    chat->client_wants_usage = true;
    assert_int_equal(asking_added(chat), 0);
    chat->client_wants_usage = chat->stream = false;
    assert_int_equal(asking_added(chat), 0);
    chat->protocol = CHAT_NATIVE;
    snprintf(chat->regenerate_of, sizeof chat->regenerate_of, "%s", "x");
    assert_int_equal(asking_added(chat), ADDED_SEED);
}

static void what_a_refusal_names(void **state)
{
    static const struct {
        const char *refusal;
        unsigned named;
    } cases[] = {
        {"Unrecognized request argument supplied: stream_options", ADDED_USAGE},
        {"{\"loc\":[\"body\",\"stream_options\",\"include_usage\"]}", ADDED_USAGE},
        {"include_usage", ADDED_USAGE},
        {"Unknown name \\\"seed\\\": Cannot find field.", ADDED_SEED},
        {"seed and stream_options", ADDED_SEED | ADDED_USAGE},
        {"seeds, unseeded, random_seed, seed_1, my_stream_options", 0},
        {"", 0},
    };
    (void)state;
    snprintf(chat->regenerate_of, sizeof chat->regenerate_of, "%s", "x");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(asking_named(chat, cases[i].refusal, strlen(cases[i].refusal)),
                         cases[i].named);
    chat->regenerate_of[0] = '\0'; /* a seed is the client's then */
    assert_int_equal(asking_named(chat, "seed", 4), 0);
}

#define GOES_ON(how)                                                                               \
    {                                                                                              \
        .goes_on = how, .text = "so \"far\"", .len = 8, .spent = 40                                \
    }

static void going_on(void **state)
{
    static const struct {
        enum continues how;
        const char *in_message, *in_request;
    } ways[] = {
        {CONTINUES, "", ""},
        {CONTINUES_PREFIX, ",\"prefix\":true", ""},
        {CONTINUES_PARTIAL, ",\"partial\":true", ""},
        {CONTINUES_FINAL, "", ",\"continue_final_message\":true,\"add_generation_prompt\":false"},
    };
    (void)state;
    use("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":100}");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char wanted[400];
        snprintf(wanted, sizeof wanted,
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\","
                 "\"content\":\"so \\\"far\\\"\"%s}],\"max_tokens\":60%s}",
                 ways[i].in_message, ways[i].in_request);
        assert_body(&(struct asking)GOES_ON(ways[i].how), wanted);
    }
    use("{\"messages\":[{\"role\":\"assistant\",\"name\":\"x\",\"content\":\"And \"}],"
        "\"max_completion_tokens\":30}");
    assert_body(&(struct asking)GOES_ON(CONTINUES),
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"And so \\\"far\\\"\"}],"
                "\"max_completion_tokens\":1}");
    use("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    assert_body(&(struct asking){.in_words = true, .text = "so far", .len = 6},
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\","
                "\"content\":\"so far\"},{\"role\":\"user\",\"content\":\"Your last message was "
                "cut off. Go on "
                "exactly where it stopped, in the same language: do not repeat any of it, and say "
                "nothing about this.\"}]}");
    use("{\"messages\":[]}");
    assert_body(&(struct asking)GOES_ON(CONTINUES),
                "{\"messages\":[{\"role\":\"assistant\",\"content\":\"so \\\"far\\\"\"}]}");
    assert_body(&(struct asking){.goes_on = CONTINUES_FINAL, .text = "", .len = 0},
                "{\"messages\":[]}");
}

static void what_can_be_gone_on_with(void **state)
{
    static const struct {
        const char *body;
        bool may;
    } cases[] = {
        {"{}", true},
        {"{\"response_format\":{\"type\":\"text\"}}", true},
        {"{\"response_format\":null}", true},
        {"{\"response_format\":{\"type\":\"json_object\"}}", false},
        {"{\"response_format\":{\"type\":\"json_schema\"}}", false},
        {"not JSON", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use(cases[i].body);
        assert_int_equal(asking_may_go_on(chat), cases[i].may);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

static const struct CMUnitTest tests[] = {
    TEST(as_it_is),
    TEST(another_model),
    TEST(without_what_is_ours),
    TEST(what_is_ours),
    TEST(what_a_refusal_names),
    TEST(going_on),
    TEST(what_can_be_gone_on_with),
};

UNIT_MAIN(tests)
