/* The configuration: where values come from, what is refused, and what is never printed. */
#include "common/config.h"
#include "common/log.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET "0123456789abcdef0123456789abcdef"

static char directory[] = "/tmp/uplift.config.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

/* An environment with nothing but what a start needs. */
static int clean(void **state)
{
    (void)state;
    clearenv();
    setenv("DATABASE_URL", "host=/tmp dbname=x", 1);
    setenv("UPLIFT_JWT_SECRET", SECRET, 1);
    return 0;
}

/* Writes a file into the test's directory; the path is good until the next call but one. */
static const char *write_file(const char *name, const char *text)
{
    static char paths[2][128];
    static int turn;
    char *path = paths[turn++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

/* Reads and gives the complaints back ("" when it was good). */
static char *read_config(struct config *c, const char *path)
{
    char *text = NULL;
    size_t size;
    FILE *complaints = open_memstream(&text, &size);
    bool good = config_read(c, path, complaints);
    fclose(complaints);
    assert_int_equal(good, *text == '\0');
    return text;
}

static void assert_good(struct config *c, const char *path)
{
    char *text = read_config(c, path);
    if (*text != '\0')
        fail_msg("%s", text);
    free(text);
}

static void assert_complaint(const char *path, const char *wanted)
{
    struct config c;
    char *text = read_config(&c, path);
    if (strstr(text, wanted) == NULL)
        fail_msg("looked for: %s\nin: %s", wanted, text);
    assert_null(c.database_url);
    free(text);
}

static void defaults_are_those_of_the_table(void **state)
{
    struct config c;
    (void)state;
    assert_good(&c, NULL);
    assert_string_equal(c.listen, "unix:/run/uplift/chat.sock");
    assert_int_equal(c.listen_mode, 0660);
    assert_int_equal(c.workers, 0);
    assert_string_equal(c.upstream_url, "https://api.openai.com/v1");
    assert_null(c.openai_api_key);
    assert_string_equal(c.model, "gpt-4.1-mini");
    assert_int_equal(c.max_body_bytes, 8388608);
    assert_int_equal(c.max_message_bytes, 262144);
    assert_int_equal(c.first_byte_timeout_ms, 60000);
    assert_int_equal(c.first_token_timeout_ms, 12000);
    assert_int_equal(c.total_timeout_ms, 600000);
    assert_int_equal(c.client_buffer_bytes, 1048576);
    assert_int_equal(c.max_answer_bytes, 4194304);
    assert_int_equal(c.db_timeout_ms, 2000);
    assert_int_equal(c.db_lock_timeout_ms, 500);
    assert_int_equal(c.jwt_skew_s, 30);
    assert_false(c.jwt_any_sub);
    assert_string_equal(c.jwt_role_claim, "app_metadata.role");
    assert_int_equal(c.log_level, LOG_INFO);
    assert_false(c.finish_on_hangup);
    assert_null(c.guest_user);
    config_release(&c);
    assert_null(c.listen);
}

static void the_environment_beats_the_file(void **state)
{
    struct config c;
    (void)state;
    const char *path = write_file("a.conf", "# a comment\n"
                                            "; another\n"
                                            "\n"
                                            "UPLIFT_MODEL=file\n"
                                            "  UPLIFT_MODELS = \"a, b ,,c\"  \n"
                                            "UPLIFT_RETRIES='0'\n"
                                            "TZ=UTC\n"
                                            "UPLIFT_SPOOL_DIR=/a b\n"
                                            "UPLIFT_JWT_AUDIENCE=\"a\\\"b\"\n"
                                            "UPLIFT_JWT_ISSUER=\n"
                                            "UPLIFT_ON_HANGUP=finish");
    setenv("UPLIFT_MODEL", "environment", 1);
    assert_good(&c, path);
    assert_string_equal(c.model, "environment");
    assert_string_equal(c.models, "a,b,c");
    assert_int_equal(c.retries, 0);
    assert_string_equal(c.spool_dir, "/a b");
    assert_string_equal(c.jwt_audience, "a\"b");
    assert_null(c.jwt_issuer);
    assert_true(c.finish_on_hangup);
    config_release(&c);

    setenv("UPLIFT_MODEL", "", 1); /* empty is as good as unset */
    assert_good(&c, path);
    assert_string_equal(c.model, "file");
    config_release(&c);
}

static void values_may_come_from_files(void **state)
{
    struct config c;
    (void)state;
    setenv("OPENAI_API_KEY_FILE", write_file("key", "sk-1\r\n\n"), 1);
    setenv("UPLIFT_RETRIES_FILE", write_file("retries", "1\n"), 1);
    assert_good(&c, NULL);
    assert_string_equal(c.openai_api_key, "sk-1");
    assert_int_equal(c.retries, 1);
    config_release(&c);

    /* the environment's file beats the file's value */
    assert_good(&c, write_file("b.conf", "UPLIFT_RETRIES=0\n"));
    assert_int_equal(c.retries, 1);
    config_release(&c);

    setenv("UPLIFT_RETRIES", "1", 1);
    assert_complaint(NULL, "UPLIFT_RETRIES and UPLIFT_RETRIES_FILE are both set");
    unsetenv("UPLIFT_RETRIES");
    setenv("UPLIFT_RETRIES_FILE", "/nonexistent", 1);
    assert_complaint(NULL, "UPLIFT_RETRIES_FILE: could not open /nonexistent: No such file");
    setenv("UPLIFT_RETRIES_FILE", write_file("empty", "\n"), 1);
    assert_complaint(NULL, "is empty");
}

static void a_file_that_root_read_is_kept(void **state)
{
    struct config before, after;
    (void)state;
    const char *path = write_file("root", "sk-root\n");
    setenv("OPENAI_API_KEY_FILE", path, 1);
    assert_good(&before, NULL);
    if (geteuid() == 0) {
        chmod(path, 0600);
        assert_int_equal(seteuid(65534), 0);
    } else {
        chmod(path, 0);
    }
    assert_false(config_read(&after, NULL, NULL));
    assert_true(config_read_again(&after, &before, NULL, NULL));
    assert_string_equal(after.openai_api_key, "sk-root");
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    config_release(&after);
    config_release(&before);
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    setenv("UPLIFT_MODLE", "x", 1);
    assert_complaint(NULL, "unknown name UPLIFT_MODLE: did you mean UPLIFT_MODEL?");
    unsetenv("UPLIFT_MODLE");
    setenv("UPLIFT_SOMETHING_ELSE_ALTOGETHER", "x", 1);
    assert_complaint(NULL, "unknown name UPLIFT_SOMETHING_ELSE_ALTOGETHER: --help");
    unsetenv("UPLIFT_SOMETHING_ELSE_ALTOGETHER");
    assert_complaint(write_file("c.conf", "\nDATABSE_URL=x\n"),
                     "c.conf:2: unknown name DATABSE_URL: did you mean DATABASE_URL?");
    assert_complaint(write_file("d.conf", "UPLFIT_MODEL=x\n"), "did you mean UPLIFT_MODEL?");
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    assert_complaint("/nonexistent.conf", "/nonexistent.conf: could not open");
    assert_complaint(write_file("e.conf", "UPLIFT_MODEL\n"), "e.conf:1: not a NAME=value line");
    assert_complaint(write_file("f.conf", "=x\n"), "f.conf:1: not a NAME=value line");
    assert_complaint(write_file("g.conf", "export UPLIFT_MODEL=x\n"), "g.conf:1: not a NAME=value");
    assert_complaint(write_file("h.conf", "UPLIFT_MODEL=\"x\n"), "do not match up");
    assert_complaint(write_file("i.conf", "UPLIFT_MODEL=\"x\"y\n"), "do not match up");
}

static void bad_values_are_refused(void **state)
{
    static const char *const bad[][3] = {
        {"UPLIFT_RETRIES", "x", "UPLIFT_RETRIES=x: not a number"},
        {"UPLIFT_RETRIES", "-1", "not a number"},
        {"UPLIFT_RETRIES", "1.5", "not a whole number"},
        {"UPLIFT_RETRIES", "2", "out of range: 0 to 1"},
        {"UPLIFT_RETRIES", "99999999999999999999", "out of range"},
        {"UPLIFT_MAX_BODY_BYTES", "8X", "the unit is"},
        {"UPLIFT_MAX_BODY_BYTES", "9223372036854775807G", "out of range"},
        {"UPLIFT_MAX_BODY_BYTES", "12", "out of range: 1024 to 268435456 bytes"},
        {"UPLIFT_IDLE_TIMEOUT_MS", "5d", "the unit is none (ms), ms, s, min or h"},
        {"UPLIFT_IDLE_TIMEOUT_MS", "0", "out of range: 10 to 3600000 ms"},
        {"UPLIFT_LISTEN_MODE", "0999", "not an octal number"},
        {"UPLIFT_LISTEN_MODE", "7777", "out of range: 0 to 0777"},
        {"UPLIFT_ON_HANGUP", "maybe", "must be one of cancel|finish"},
        {"UPLIFT_LOG_LEVEL", "loud", "must be one of debug|info|warn|error"},
        {"UPLIFT_GUEST_USER", "me", "not a UUID"},
        {"UPLIFT_UPSTREAM_URL", "ftp://x", "must begin with http"},
        {"UPLIFT_UPSTREAM_URL", "https://", "has no host"},
        {"UPLIFT_UPSTREAM_URL", "https://u:p@x/", "must not hold a user"},
        {"UPLIFT_UPSTREAM_URL", "https://x/a b", "must not hold spaces"},
        {"UPLIFT_CORS_ORIGINS", "https://a,https://b/", "nothing may follow"},
        {"UPLIFT_CORS_ORIGINS", "example.com", "must begin with http"},
        {"UPLIFT_LISTEN", "unix:chat.sock", "absolute path"},
        {"UPLIFT_LISTEN", "9000", "must be unix:PATH or HOST:PORT"},
        {"UPLIFT_LISTEN", "localhost:x", "the port must be a number"},
        {"UPLIFT_LISTEN", "localhost:70000", "the port must be a number"},
        {"UPLIFT_LISTEN", "::1:9000", "needs brackets"},
        {"UPLIFT_SPOOL_DIR", "spool", "must be an absolute path"},
        {"UPLIFT_MODEL", "a\nb", "control characters"},
        {"UPLIFT_JWT_SECRET", "short", "shorter than 32 bytes"},
        {"UPLIFT_ANON_KEY", SECRET, "the same as UPLIFT_JWT_SECRET"},
        {"UPLIFT_ID_KEY", "short", "shorter than 16 bytes"},
        {"UPLIFT_DB_LOCK_TIMEOUT_MS", "2s", "must be less than UPLIFT_DB_TIMEOUT_MS"},
        {"UPLIFT_MAX_MESSAGE_BYTES", "9M", "more than UPLIFT_MAX_BODY_BYTES"},
        {"UPLIFT_GROUP_MAX", "9000", "more than UPLIFT_RECORD_QUEUE_MAX"},
        {"UPLIFT_UPSTREAM_URL", "https://x:99999/", "its port must be a number from 1 to 65535"},
        {"UPLIFT_UPSTREAM_URL", "https://x:http/", "its port must be a number from 1 to 65535"},
        {"UPLIFT_JWKS_URL", "https://[::1/keys", "is not a URL that can be used"},
        {"UPLIFT_CORS_ORIGINS", "https://a:0x", "its port must be a number"},
        {"DATABASE_URL", "postgresql://x?nonsense=1", "DATABASE_URL: not a connection string"},
        {"DATABASE_URL", "postgres://:::", "DATABASE_URL: its port must be a number"},
        {"DATABASE_URL", "host=a port=70000", "DATABASE_URL: its port must be a number"},
        {"DATABASE_URL", "host=a,b port=1,2,3", "DATABASE_URL: it has not as many ports as hosts"},
        {"DATABASE_URL", "host=a,b hostaddr=127.0.0.1", "it has not as many hosts as addresses"},
        {"DATABASE_URL", "host=a sslmode=requier", "DATABASE_URL: its sslmode must be"},
        {"DATABASE_URL", "host=a connect_timeout=soon", "DATABASE_URL: its connect_timeout must"},
        {"DATABASE_URL", "postgresql://u@a/x?target_session_attrs=rw",
         "DATABASE_URL: its target_session_attrs must be"},
        {"DATABASE_URL", "postgresql://u:CHANGE_ME@a/x", "DATABASE_URL: its password is a place"},
        {"UPLIFT_BATCH_DATABASE_URL", "host=a port=x", "UPLIFT_BATCH_DATABASE_URL: its port must"},
        {"UPLIFT_JWT_SUB", "any", "UPLIFT_JWT_SUB=any: UPLIFT_JWT_ISSUER is not set"},
        {"UPLIFT_JWT_ROLE_CLAIM", "user_metadata.role", "UPLIFT_JWT_ROLE_CLAIM: user_metadata is"},
        {"UPLIFT_CA_BUNDLE", "/nonexistent.pem", "UPLIFT_CA_BUNDLE: could not open /nonexistent"},
        {"UPLIFT_CA_BUNDLE", "/etc/passwd", "/etc/passwd holds no certificate"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        clean(state);
        setenv(bad[i][0], bad[i][1], 1);
        assert_complaint(NULL, bad[i][2]);
    }
}

/* As they stand in examples, in this one's and in others'. */
static void placeholders_are_no_secrets(void **state)
{
    static const char *const bad[][3] = {
        {"UPLIFT_JWT_SECRET", "CHANGE_ME_TO_AT_LEAST_32_RANDOM_BYTES", "a placeholder"},
        {"UPLIFT_JWT_SECRET", "change-me-change-me-change-me-change-me", "a placeholder"},
        {"UPLIFT_JWT_SECRET", "your-super-secret-jwt-token-with-at-least-32-characters-long",
         "a placeholder"},
        {"UPLIFT_JWT_SECRET", "super-secret-jwt-token-with-at-least-32-characters-long",
         "known to everybody"},
        {"UPLIFT_JWT_SECRET", "<at least 32 random bytes, kept secret>", "a placeholder"},
        {"UPLIFT_JWT_SECRET", "replace me with 32 bytes or more!!", "a placeholder"},
        {"UPLIFT_JWT_SECRET", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "too much of the same"},
        {"UPLIFT_JWT_SECRET", "01010101010101010101010101010101", "too much of the same"},
        {"UPLIFT_ID_KEY", "changeme-changeme", "UPLIFT_ID_KEY: a placeholder"},
        {"UPLIFT_ID_KEY", "aaaaaaaaaaaaaaaa", "UPLIFT_ID_KEY: too much of the same"},
        {"OPENAI_API_KEY", "CHANGE_ME", "OPENAI_API_KEY: a placeholder"},
        {"OPENAI_API_KEY", "your_openai_api_key", "OPENAI_API_KEY: a placeholder"},
        {"OPENAI_API_KEY", "sk-your-key-here", "OPENAI_API_KEY: a placeholder"},
        {"UPLIFT_TRAINER_API_KEY", "<api key>", "UPLIFT_TRAINER_API_KEY: a placeholder"},
        {"UPLIFT_ANON_KEY", "your-anon-key", "UPLIFT_ANON_KEY: a placeholder"},
    };
    /* What local servers are given, keys as they are made, and a name that only looks like one. */
    static const char *const good[][2] = {
        {"OPENAI_API_KEY", "EMPTY"},
        {"OPENAI_API_KEY", "ollama"},
        {"OPENAI_API_KEY", "sk-no-key-required"},
        {"OPENAI_API_KEY", "sk-proj-Zx81kP0dY4ourQ2vT7"},
        {"UPLIFT_ID_KEY", "9f86d081884c7d659a2feaa0c55ad015"},
        {"DATABASE_URL", "postgresql://u:Tr0ub4dor@db.yourcompany.example/tokens"},
        {"DATABASE_URL", "postgresql://u@a:5432,b:5433/x?target_session_attrs=read-write"},
        {"DATABASE_URL", "host=a,b,c port=5432 sslmode=verify-full connect_timeout=5"},
        {"DATABASE_URL", "host=a,b port=,5433"},
        {"DATABASE_URL", "postgresql:///x?host=/run/postgresql"},
    };
    struct config c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        clean(state);
        setenv(bad[i][0], bad[i][1], 1);
        assert_complaint(NULL, bad[i][2]);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        clean(state);
        setenv(good[i][0], good[i][1], 1);
        assert_good(&c, NULL);
        config_release(&c);
    }
}

/* A slip in a routing is found, and what was meant is named. */
static void the_form_of_a_routing_is_checked(void **state)
{
    static const char *const bad[][2] = {
        {"{\"provider\":[]}", "provider is no member that is known: did you mean providers?"},
        {"{\"providers\":{}}", "providers must be a list"},
        {"{\"providers\":[\"x\"]}", "providers must be a list of objects"},
        {"{\"providers\":[{\"name\":\"p\",\"base_ulr\":\"http://x\"}]}",
         "provider p: base_ulr is no member that is known: did you mean base_url?"},
        {"{\"providers\":[{\"base_url\":\"http://x:y\"}]}",
         "providers[0]: base_url its port must be"},
        {"{\"providers\":[{\"name\":\"p\",\"api_key\":\"sk-hunter2\"}]}",
         "provider p: api_key must be env:NAME or file:NAME"},
        {"{\"providers\":[{\"name\":\"p\",\"api_key\":\"env:\"}]}",
         "provider p: api_key must be env:NAME or file:NAME"},
        {"{\"providers\":[{\"name\":\"p\",\"api_key\":\"env:MY-KEY\"}]}",
         "provider p: api_key must be env:NAME or file:NAME"},
        {"{\"providers\":[{\"name\":\"p\",\"api_key\":\"env:UPLIFT_JWT_SECRET\"}]}",
         "provider p: api_key must be env:NAME or file:NAME"},
        {"{\"providers\":[{\"name\":\"p\",\"api_key\":\"file:../a\"}]}",
         "provider p: api_key must be env:NAME or file:NAME"},
        {"{\"providers\":[{\"name\":\"p\",\"key_header\":\"Host\"}]}",
         "provider p: key_header must be Authorization"},
        {"{\"providers\":[{\"name\":\"p\",\"is_enabled\":\"no\"}]}",
         "provider p: is_enabled must be true or false"},
        {"{\"providers\":[{\"name\":\"p\",\"max_open\":\"3\"}]}",
         "max_open must be a whole number"},
        {"{\"providers\":[{\"name\":7}]}", "providers[0]: name must be a text"},
        {"{\"models\":[{\"name\":\"m\",\"route\":[]}]}",
         "model m: route is no member that is known: did you mean routes?"},
        {"{\"models\":[{\"name\":\"m\",\"routes\":[{},{\"wieght\":1}]}]}",
         "model m: routes[1]: wieght is no member that is known: did you mean weight?"},
        {"{\"models\":[{\"name\":\"m\",\"fallbacks\":[1]}]}", "fallbacks must be a list of names"},
        {"{\"models\":[],\"nonsense\":1}", "routing: nonsense is no member that is known"},
        {"{\"models\":[", "not a JSON object: "},
    };
    struct config c;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("UPLIFT_ROUTING", bad[i][0], 1);
        assert_complaint(NULL, bad[i][1]);
        char *text = read_config(&c, NULL);
        assert_null(strstr(text, "hunter2"));
        free(text);
    }
    setenv(
        "UPLIFT_ROUTING",
        "{\"providers\":[{\"name\":\"p\",\"base_url\":\"http://x:1/v1\",\"api_key\":\"env:P_KEY\","
        "\"key_header\":null,\"max_open\":3}],\n\"models\":[{\"name\":\"m\",\"is_listed\":false,"
        "\"routes\":[{\"provider\":\"p\",\"weight\":2}],\"fallbacks\":[\"m\"]}]}",
        1);
    assert_good(&c, NULL);
    assert_null(strchr(c.routing, '\n'));
    config_release(&c);
}

static void every_complaint_is_told_at_once(void **state)
{
    struct config c;
    (void)state;
    setenv("UPLIFT_RETRIES", "x", 1);
    setenv("UPLIFT_LOG_LEVEL", "x", 1);
    char *text = read_config(&c, NULL);
    assert_non_null(strstr(text, "UPLIFT_RETRIES"));
    assert_non_null(strstr(text, "UPLIFT_LOG_LEVEL"));
    free(text);
    unsetenv("UPLIFT_RETRIES");
    unsetenv("UPLIFT_LOG_LEVEL");
    unsetenv("DATABASE_URL");
    unsetenv("UPLIFT_JWT_SECRET");
    text = read_config(&c, NULL);
    assert_non_null(strstr(text, "DATABASE_URL: not set"));
    assert_non_null(strstr(text, "UPLIFT_JWT_SECRET, UPLIFT_JWKS_URL: neither is set"));
    free(text);
}

static void units_and_forms_are_understood(void **state)
{
    struct config c;
    (void)state;
    setenv("UPLIFT_MAX_BODY_BYTES", "1 MiB", 1);
    setenv("UPLIFT_MAX_ANSWER_BYTES", "64k", 1);
    setenv("UPLIFT_IDLE_TIMEOUT_MS", "1500", 1);
    setenv("UPLIFT_TOTAL_TIMEOUT_MS", "2h", 1);
    setenv("UPLIFT_DRAIN_MS", "1min", 1);
    setenv("UPLIFT_JWT_SKEW_S", "1min", 1);
    setenv("UPLIFT_LISTEN_MODE", "666", 1);
    setenv("UPLIFT_LOG_LEVEL", "DEBUG", 1);
    setenv("UPLIFT_GUEST_USER", "00000000-0000-7000-8000-00000000000A", 1);
    setenv("UPLIFT_UPSTREAM_URL", "http://127.0.0.1:11434/v1//", 1);
    setenv("UPLIFT_LISTEN", "[::1]:9000", 1);
    setenv("UPLIFT_CORS_ORIGINS", "https://a.example, http://localhost:3000", 1);
    assert_good(&c, NULL);
    assert_int_equal(c.max_body_bytes, 1048576);
    assert_int_equal(c.max_answer_bytes, 65536);
    assert_int_equal(c.idle_timeout_ms, 1500);
    assert_int_equal(c.total_timeout_ms, 7200000);
    assert_int_equal(c.drain_ms, 60000);
    assert_int_equal(c.jwt_skew_s, 60);
    assert_int_equal(c.listen_mode, 0666);
    assert_int_equal(c.log_level, LOG_DEBUG);
    assert_string_equal(c.guest_user, "00000000-0000-7000-8000-00000000000a");
    assert_string_equal(c.upstream_url, "http://127.0.0.1:11434/v1");
    assert_string_equal(c.cors_origins, "https://a.example,http://localhost:3000");
    config_release(&c);
}

/* No secret in what --check prints or in a complaint. */
static void secrets_are_never_printed(void **state)
{
    struct config c;
    char *text = NULL;
    size_t size;
    (void)state;
    setenv("DATABASE_URL", "postgresql://u:hunter2@db/x", 1);
    setenv("OPENAI_API_KEY", "hunter2", 1);
    setenv("UPLIFT_ANON_KEY", "hunter2", 1);
    assert_good(&c, NULL);
    FILE *out = open_memstream(&text, &size);
    config_print(&c, out);
    fclose(out);
    assert_null(strstr(text, "hunter2"));
    assert_null(strstr(text, SECRET));
    assert_non_null(strstr(text, "DATABASE_URL=(set)\n"));
    assert_non_null(strstr(text, "UPLIFT_ID_KEY=(not set)\n"));
    assert_non_null(strstr(text, "UPLIFT_LISTEN_MODE=0660\n"));
    assert_non_null(strstr(text, "UPLIFT_ON_HANGUP=cancel\n"));
    free(text);
    config_release(&c);
    setenv("OPENAI_API_KEY", "hunter2\n", 1);
    setenv("DATABASE_URL", "postgresql://u:hunter2@db/x?hunter2", 1);
    text = read_config(&c, NULL);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "OPENAI_API_KEY"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_are_those_of_the_table, clean),
        cmocka_unit_test_setup(the_environment_beats_the_file, clean),
        cmocka_unit_test_setup(values_may_come_from_files, clean),
        cmocka_unit_test_setup(a_file_that_root_read_is_kept, clean),
        cmocka_unit_test_setup(unknown_names_are_refused, clean),
        cmocka_unit_test_setup(broken_files_are_refused, clean),
        cmocka_unit_test_setup(bad_values_are_refused, clean),
        cmocka_unit_test_setup(placeholders_are_no_secrets, clean),
        cmocka_unit_test_setup(the_form_of_a_routing_is_checked, clean),
        cmocka_unit_test_setup(every_complaint_is_told_at_once, clean),
        cmocka_unit_test_setup(units_and_forms_are_understood, clean),
        cmocka_unit_test_setup(secrets_are_never_printed, clean),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
