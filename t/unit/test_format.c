/* The formats of training data: lines that keep their rules, and lines that break one each. */
#include "batch/format.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    enum export_format format;
    const char *text;
    const char *wrong; /* part of the complaint, or NULL: it is good */
};

#define SYSTEM "{\"role\":\"system\",\"content\":\"be kind\"}"
#define USER "{\"role\":\"user\",\"content\":\"hello\"}"
#define GOOD "{\"role\":\"assistant\",\"content\":\"hi\"}"
#define BAD "{\"role\":\"assistant\",\"content\":\"no\"}"

static const struct line lines[] = {
    {EXPORT_OPENAI, "{\"messages\":[" SYSTEM "," USER "," GOOD "]}", NULL},
    {EXPORT_OPENAI, "{\"messages\":[" USER "," GOOD "," USER "," GOOD "]}", NULL},
    {EXPORT_OPENAI,
     "{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"x\",\"weight\":0}," USER
     "," GOOD "]}",
     NULL},
    {EXPORT_OPENAI,
     "{\"messages\":[" USER
     ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\"}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"4\"}," GOOD "],\"tools\":[]}",
     NULL},
    {EXPORT_OPENAI, "{\"messages\":[]}", "not a list of messages"},
    {EXPORT_OPENAI, "{\"messages\":{}}", "not a list of messages"},
    {EXPORT_OPENAI, "{}", "not a list of messages"},
    {EXPORT_OPENAI, "[]", "not a JSON object"},
    {EXPORT_OPENAI, "{", "not valid JSON"},
    {EXPORT_OPENAI, "", "not valid JSON"},
    {EXPORT_OPENAI, "{\"messages\":[" USER "," GOOD "]}\n{}", "not valid JSON"},
    {EXPORT_OPENAI, "{\"messages\":[" USER "]}", "does not end with the assistant"},
    {EXPORT_OPENAI, "{\"messages\":[" USER "," GOOD "," USER "]}",
     "does not end with the assistant"},
    {EXPORT_OPENAI, "{\"messages\":[" USER "," GOOD "],\"id\":1}", "unknown key id"},
    {EXPORT_OPENAI, "{\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}," GOOD "]}",
     "no known role"},
    {EXPORT_OPENAI, "{\"messages\":[{\"content\":\"x\"}," GOOD "]}", "no known role"},
    {EXPORT_OPENAI, "{\"messages\":[7," GOOD "]}", "no known role"},
    {EXPORT_OPENAI, "{\"messages\":[{\"role\":\"system\",\"content\":null}," USER "," GOOD "]}",
     "messages[0].content is not text"},
    {EXPORT_OPENAI, "{\"messages\":[{\"role\":\"user\"}," GOOD "]}", "content is not text"},
    {EXPORT_OPENAI, "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}," GOOD "]}",
     "content is blank"},
    {EXPORT_OPENAI, "{\"messages\":[{\"role\":\"user\",\"content\":\" \\n\"}," GOOD "]}",
     "content is blank"},
    {EXPORT_OPENAI, "{\"messages\":[{\"role\":\"developer\",\"content\":\"x\"}," USER "," GOOD "]}",
     "no known role"},
    {EXPORT_OPENAI, "{\"messages\":[" USER "," GOOD "," SYSTEM "," USER "," GOOD "]}",
     "messages[2] is a system message that is not the first"},
    {EXPORT_OPENAI, "{\"messages\":[" SYSTEM "," SYSTEM "," USER "," GOOD "]}",
     "messages[1] is a system message"},
    {EXPORT_OPENAI, "{\"messages\":[" USER "," USER "," GOOD "]}",
     "messages[1] follows another message of the user"},
    {EXPORT_TRL_KTO, "{\"prompt\":[" SYSTEM "],\"completion\":[" GOOD "],\"label\":true}",
     "prompt ends with the system"},
    {EXPORT_OPENAI, "{\"messages\":[{\"role\":\"user\",\"content\":[]}," GOOD "]}",
     "content is not text"},
    {EXPORT_OPENAI, "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"weight\":1}," GOOD "]}",
     "weight is not"},
    {EXPORT_OPENAI,
     "{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"x\",\"weight\":0.5}]}",
     "weight is not"},
    {EXPORT_OPENAI,
     "{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"x\",\"weight\":0}]}",
     "no answer to learn from"},
    {EXPORT_OPENAI, "{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"x\",\"id\":1}]}",
     "unknown key id"},
    {EXPORT_OPENAI,
     "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[1]}," GOOD "]}",
     "not an assistant's list"},
    {EXPORT_OPENAI_DPO,
     "{\"input\":{\"messages\":[" SYSTEM "," USER "]},\"preferred_output\":[" GOOD
     "],\"non_preferred_output\":[" BAD "]}",
     NULL},
    {EXPORT_OPENAI_DPO,
     "{\"input\":{\"messages\":[" USER "]},\"preferred_output\":[" GOOD
     "],\"non_preferred_output\":[" GOOD "]}",
     "are the same"},
    {EXPORT_OPENAI_DPO,
     "{\"input\":{\"messages\":[" USER "," GOOD "]},\"preferred_output\":[" GOOD
     "],\"non_preferred_output\":[" BAD "]}",
     "ends with the assistant"},
    {EXPORT_OPENAI_DPO,
     "{\"input\":{\"messages\":[" USER "]},\"preferred_output\":[" USER
     "],\"non_preferred_output\":[" BAD "]}",
     "is not the assistant's"},
    {EXPORT_OPENAI_DPO,
     "{\"input\":[" USER "],\"preferred_output\":[" GOOD "],\"non_preferred_output\":[" BAD "]}",
     "input is not an object"},
    {EXPORT_OPENAI_DPO, "{\"messages\":[" USER "," GOOD "]}", "unknown key messages"},
    {EXPORT_OPENAI_DPO, "{\"preferred_output\":[" GOOD "],\"non_preferred_output\":[" BAD "]}",
     "input.messages is not"},
    {EXPORT_TRL_DPO, "{\"prompt\":[" USER "],\"chosen\":[" GOOD "],\"rejected\":[" BAD "]}", NULL},
    {EXPORT_TRL_DPO, "{\"prompt\":[" USER "],\"chosen\":[" GOOD "]}", "rejected is not"},
    {EXPORT_TRL_DPO, "{\"prompt\":\"hello\",\"chosen\":[" GOOD "],\"rejected\":[" BAD "]}",
     "prompt is not"},
    {EXPORT_TRL_DPO,
     "{\"prompt\":[" USER "],\"chosen\":[{\"role\":\"assistant\",\"content\":\"x\",\"weight\":1}],"
     "\"rejected\":[" BAD "]}",
     "only conversations have"},
    {EXPORT_TRL_KTO, "{\"prompt\":[" USER "],\"completion\":[" GOOD "],\"label\":true}", NULL},
    {EXPORT_TRL_KTO, "{\"prompt\":[" USER "],\"completion\":[" BAD "],\"label\":false}", NULL},
    {EXPORT_TRL_KTO, "{\"prompt\":[" USER "],\"completion\":[" GOOD "],\"label\":1}",
     "label is not true or false"},
    {EXPORT_TRL_KTO, "{\"prompt\":[" USER "],\"completion\":[" GOOD "]}", "label is not"},
    {EXPORT_TRL_KTO, "{\"prompt\":[" USER "],\"completion\":[],\"label\":true}",
     "completion is not"},
};

static void lines_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char wrong[200] = "";
        int64_t tokens;
        bool good = format_check_line(lines[i].format, lines[i].text, strlen(lines[i].text),
                                      &tokens, wrong, sizeof wrong);
        bool as_wanted = good ? lines[i].wrong == NULL
                              : lines[i].wrong != NULL && strstr(wrong, lines[i].wrong) != NULL;
        if (!as_wanted)
            fail_msg("%s: %s: \"%s\"", format_name(lines[i].format), lines[i].text, wrong);
    }
}

static void tokens_are_estimated(void **state)
{
    (void)state;
    const char *line = lines[0].text; /* 7, 5 and 2 bytes of text: 1, 1 and 0 tokens */
    char wrong[200];
    int64_t tokens;
    assert_true(format_check_line(EXPORT_OPENAI, line, strlen(line), &tokens, wrong, sizeof wrong));
    assert_int_equal(tokens, 14);
}

/* A conversation whose user says so many bytes; the caller's to free. */
static char *long_line(size_t bytes)
{
    static const char head[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"";
    static const char tail[] = "\"}," GOOD "]}";
    char *line = malloc(sizeof head + bytes + sizeof tail);
    assert_non_null(line);
    memcpy(line, head, sizeof head - 1);
    memset(line + sizeof head - 1, 'x', bytes);
    memcpy(line + sizeof head - 1 + bytes, tail, sizeof tail);
    return line;
}

static void examples_have_a_limit(void **state)
{
    (void)state;
    char wrong[200];
    int64_t tokens;
    size_t most = ((size_t)FORMAT_EXAMPLE_TOKENS_MAX - 8) * 4; /* two messages take four each */
    char *line = long_line(most);
    assert_true(format_check_line(EXPORT_OPENAI, line, strlen(line), &tokens, wrong, sizeof wrong));
    assert_int_equal(tokens, FORMAT_EXAMPLE_TOKENS_MAX);
    free(line);
    line = long_line(most + 4);
    assert_false(
        format_check_line(EXPORT_OPENAI, line, strlen(line), &tokens, wrong, sizeof wrong));
    assert_non_null(strstr(wrong, "65537 tokens"));
    free(line);
}

static void names_are_found(void **state)
{
    (void)state;
    enum export_format format;
    char all[100] = "";
    for (int i = 0; i < EXPORT_FORMATS; i++) {
        assert_true(format_find(format_name((enum export_format)i), &format));
        assert_int_equal(format, i);
        strcat(strcat(all, i > 0 ? "|" : ""), format_name(format));
    }
    assert_string_equal(all, FORMAT_NAMES);
    assert_false(format_find("csv", &format));
    assert_false(format_find("", &format));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_judged),
        cmocka_unit_test(tokens_are_estimated),
        cmocka_unit_test(examples_have_a_limit),
        cmocka_unit_test(names_are_found),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
