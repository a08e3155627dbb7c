/* Who is asking: every way a token can be wrong. */
#include "auth_test.h"

#include <poll.h>
#include <pthread.h>

/* --- by shared secret --- */

static void a_user_is_let_in(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) { /* the second time from the cache */
        struct answer answer = ask(by_secret, sign(claims(60, "")));
        assert_true(answer.good);
        assert_true(answer.who.has_user);
        assert_string_equal(answer.who.user_text, USER);
        assert_false(answer.who.is_admin);
        assert_false(answer.who.is_anonymous);
    }
    struct answer answer = ask(by_secret, sign(claims(60, ",\"is_anonymous\":true")));
    assert_true(answer.good && answer.who.is_anonymous && answer.who.has_user);
}

static void an_audience_may_be_a_list(void **state)
{
    (void)state;
    assert_true(ask(by_secret, sign(later("{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
                                          "\",\"exp\":EXP,\"aud\":[\"x\",\"authenticated\"]}")))
                    .good);
    assert_refused(ask(by_secret, sign(later("{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
                                             "\",\"exp\":EXP,\"aud\":[\"x\",1]}"))),
                   401, "invalid_audience");
    assert_refused(ask(by_secret, sign(later("{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
                                             "\",\"exp\":EXP,\"aud\":\"x\"}"))),
                   401, "invalid_audience");
    assert_refused(
        ask(by_secret, sign(later("{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "\",\"exp\":EXP}"))),
        401, "invalid_audience");
}

static void the_issuer_must_fit(void **state)
{
    (void)state;
    assert_refused(ask(by_secret, sign(later("{\"iss\":\"https://evil.example\",\"sub\":\"" USER
                                             "\",\"aud\":\"authenticated\",\"exp\":EXP}"))),
                   401, "invalid_issuer");
    assert_refused(
        ask(by_secret, sign(later("{\"sub\":\"" USER "\",\"aud\":\"authenticated\",\"exp\":EXP}"))),
        401, "invalid_issuer");
}

static void times_count_with_the_skew(void **state)
{
    char more[64];
    (void)state;
    assert_true(ask(by_secret, sign(claims(-20, ""))).good);
    assert_refused(ask(by_secret, sign(claims(-31, ""))), 401, "token_expired");
    snprintf(more, sizeof more, ",\"nbf\":%lld", (long long)now_s() + 20);
    assert_true(ask(by_secret, sign(claims(60, more))).good);
    snprintf(more, sizeof more, ",\"nbf\":%lld", (long long)now_s() + 100);
    assert_refused(ask(by_secret, sign(claims(300, more))), 401, "token_not_yet_valid");
    snprintf(more, sizeof more, ",\"iat\":%lld", (long long)now_s() + 100);
    assert_refused(ask(by_secret, sign(claims(300, more))), 401, "token_not_yet_valid");
}

static void the_cache_does_not_outlive_the_token(void **state)
{
    (void)state;
    struct config strict = config;
    strict.jwt_skew_s = 0;
    struct auth *a = auth_new(&strict);
    int64_t ends = now_s() + 2;
    char *token = sign(claims(2, ""));
    assert_true(ask_key(a, token, NULL).good);
    while (now_s() < ends)
        poll(NULL, 0, 50);
    assert_refused(ask_key(a, token, NULL), 401, "token_expired");
    free(token);
    auth_free(a);
}

static void times_must_be_numbers(void **state)
{
    static const char *const bad[] = {
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "\",\"aud\":\"authenticated\"}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
        "\",\"aud\":\"authenticated\",\"exp\":\"9999999999\"}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "\",\"aud\":\"authenticated\",\"exp\":1e300}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "\",\"aud\":\"authenticated\",\"exp\":1e999}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
        "\",\"aud\":\"authenticated\",\"exp\":99999999999999999999999999999999999999}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
        "\",\"aud\":\"authenticated\",\"exp\":9223372036854775807}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "\",\"aud\":\"authenticated\",\"exp\":true}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "\",\"aud\":\"authenticated\",\"exp\":null}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
        "\",\"aud\":\"authenticated\",\"exp\":9999999999,\"nbf\":-1e300}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
        "\",\"aud\":\"authenticated\",\"exp\":9999999999,\"iat\":1e400}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER
        "\",\"aud\":\"authenticated\",\"exp\":9999999999,\"nbf\":\"x\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(ask(by_secret, sign(bad[i])), 401, "invalid_token");
}

static void sub_must_be_a_user(void **state)
{
    static const char *const bad[] = {
        "{\"iss\":\"" ISSUER "\",\"aud\":\"authenticated\",\"exp\":EXP}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"me\",\"aud\":\"authenticated\",\"exp\":EXP}",
        "{\"iss\":\"" ISSUER "\",\"sub\":7,\"aud\":\"authenticated\",\"exp\":EXP}",
        "{\"iss\":\"" ISSUER "\",\"sub\":null,\"aud\":\"authenticated\",\"exp\":EXP}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "0\",\"aud\":\"authenticated\",\"exp\":EXP}",
        "{\"iss\":\"" ISSUER "\",\"role\":\"authenticated\",\"aud\":\"authenticated\",\"exp\":EXP}",
        "{\"role\":\"service_role\",\"sub\":\"root\",\"iss\":\"" ISSUER
        "\",\"aud\":\"authenticated\",\"exp\":EXP}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(ask(by_secret, sign(later(bad[i]))), 401, "invalid_token");
}

static void only_the_auth_server_makes_admins(void **state)
{
    (void)state;
    struct answer answer =
        ask(by_secret, sign(later("{\"iss\":\"supabase\",\"role\":\"service_role\",\"exp\":EXP}")));
    assert_true(answer.good && answer.who.is_admin);
    assert_false(answer.who.has_user);
    answer = ask(by_secret, sign(claims(60, ",\"app_metadata\":{\"role\":\"admin\"}")));
    assert_true(answer.good && answer.who.is_admin && answer.who.has_user);

    answer = ask(by_secret,
                 sign(later("{\"role\":\"service_role\",\"sub\":\"" USER "\",\"iss\":\"" ISSUER
                            "\",\"aud\":\"authenticated\",\"exp\":EXP}")));
    assert_true(answer.good);
    assert_false(answer.who.is_admin); /* that is a key's */

    static const char *const not_admin[] = {
        ",\"user_metadata\":{\"role\":\"admin\"}",
        ",\"app_metadata\":{\"role\":[[\"admin\"],{\"admin\":1},\"Admin\",\"admin,tester\",\"\"]}",
        ",\"app_metadata\":{\"role\":{\"admin\":true}}",
        ",\"app_metadata\":[{\"role\":\"admin\"}]",
        ",\"app_metadata\":\"admin\"",
        ",\"admin\":true",
        ",\"app_metadata\":{\"Role\":\"admin\"}",
    };
    for (size_t i = 0; i < sizeof not_admin / sizeof not_admin[0]; i++) {
        answer = ask(by_secret, sign(claims(60, not_admin[i])));
        assert_true(answer.good);
        assert_false(answer.who.is_admin);
    }
}

static void roles_may_be_said_elsewhere(void **state)
{
    /* a path; a name that holds dots; a path through such a name */
    static const struct {
        const char *claim, *admin, *nobody;
    } cases[] = {
        {"realm_access.roles", ",\"realm_access\":{\"roles\":[\"offline_access\",\"coach-lead\"]}",
         ",\"roles\":[\"coach-lead\"],\"realm_access\":{\"roles\":[\"coach\"]}"},
        {"https://example.com/roles", ",\"https://example.com/roles\":\"coach-lead\"",
         ",\"https://example\":{\"com/roles\":\"coach-lea\"}"},
        {"resource_access.chat.example.com.roles",
         ",\"resource_access\":{\"chat\":{},\"chat.example.com\":{\"roles\":[\"root\"]}}",
         ",\"resource_access\":{\"chat.example.co\":{\"m.roles\":[\"root\"]}}"},
        {"groups", ",\"groups\":[\"/staff\",\"root\"]",
         ",\"groups\":[\"/root\"],\"app_metadata\":{\"role\":\"admin\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config c = config;
        c.jwt_role_claim = (char *)(uintptr_t)cases[i].claim;
        c.jwt_admin_roles = (char *)"coach-lead,root";
        struct auth *a = auth_new(&c);
        struct answer admin = ask(a, sign(claims(60, cases[i].admin))),
                      nobody = ask(a, sign(claims(60, cases[i].nobody)));
        assert_true(admin.good && admin.who.is_admin && admin.who.is_tester);
        assert_true(nobody.good && !nobody.who.is_admin && !nobody.who.is_tester);
        auth_free(a);
    }
}

static void users_may_have_other_names_than_ids(void **state)
{
    char text[1024], name[300];
    struct config c = config;
    (void)state;
    c.jwt_any_sub = true;
    struct auth *a = auth_new(&c);
    struct answer answer = ask(a, sign(later("{\"iss\":\"" ISSUER "\",\"sub\":\"auth0|5f7c\","
                                             "\"aud\":\"authenticated\",\"exp\":EXP}")));
    assert_true(answer.good && answer.who.has_user);
    /* Python: uuid5(uuid5(NAMESPACE_URL, ISSUER), "auth0|5f7c") */
    assert_string_equal(answer.who.user_text, "dd3842a2-34b1-529e-91b2-c2e0d763fb17");
    /* Who may choose the own sub is not taken for whom another's stands for. */
    answer = ask(
        a, sign(later("{\"iss\":\"" ISSUER "\",\"sub\":\"dd3842a2-34b1-529e-91b2-c2e0d763fb17\","
                      "\"aud\":\"authenticated\",\"exp\":EXP}")));
    assert_true(answer.good && answer.who.has_user);
    assert_string_equal(answer.who.user_text, "ad8780e3-d7f6-55eb-bd6e-ac7bf7b12b39");
    answer = ask(a, sign(claims(60, "")));
    assert_true(answer.good);
    assert_string_equal(answer.who.user_text, USER);
    memset(name, 'x', 256);
    name[256] = '\0';
    const char *const bad[] = {"\"\"", "7", "null", "[\"me\"]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text,
                 "{\"iss\":\"" ISSUER "\",\"sub\":%s,\"aud\":\"authenticated\",\"exp\":EXP}",
                 bad[i]);
        assert_refused(ask(a, sign(later(text))), 401, "invalid_token");
    }
    snprintf(text, sizeof text,
             "{\"iss\":\"" ISSUER "\",\"sub\":\"%s\",\"aud\":\"authenticated\",\"exp\":EXP}", name);
    assert_refused(ask(a, sign(later(text))), 401, "invalid_token");
    auth_free(a);
}

static void the_token_does_not_choose_the_algorithm(void **state)
{
    (void)state;
    /* {"alg":"none"} and an empty, and a made-up, signature */
    assert_refused(ask_key(by_secret,
                           "eyJhbGciOiJub25lIn0."
                           "eyJzdWIiOiIxMTExMTExMS0yMjIyLTQzMzMtODQ0NC01NTU1NTU1NTU1NTUifQ.",
                           NULL),
                   401, "invalid_token");
    assert_refused(ask_key(by_secret,
                           "eyJhbGciOiJub25lIn0."
                           "eyJzdWIiOiIxMTExMTExMS0yMjIyLTQzMzMtODQ0NC01NTU1NTU1NTU1NTUifQ.AAAA",
                           NULL),
                   401, "invalid_token");
    /* a stronger hash with the right secret is not what was configured */
    assert_refused(ask(by_secret, sign_with(secret_key, "HS512", NULL, claims(60, ""))), 401,
                   "invalid_token");
    assert_refused(ask(by_secret, sign_with(secret_key, "HS384", NULL, claims(60, ""))), 401,
                   "invalid_token");
    assert_refused(ask(by_secret, sign_with(rsa_key, "RS256", NULL, claims(60, ""))), 401,
                   "invalid_token");
    assert_refused(ask(by_secret, sign_with(ec_key, "ES256", NULL, claims(60, ""))), 401,
                   "invalid_token");
}

static void another_secret_is_refused(void **state)
{
    (void)state;
    static const char other[] = "another secret of thirty-two bytes..";
    cjose_jwk_t *key = cjose_jwk_create_oct_spec((const uint8_t *)other, strlen(other), NULL);
    assert_refused(ask(by_secret, sign_with(key, "HS256", NULL, claims(60, ""))), 401,
                   "invalid_token");
    cjose_jwk_release(key);
}

static void a_changed_token_is_refused(void **state)
{
    (void)state;
    char *token = sign(claims(60, ""));
    size_t len = strlen(token);
    assert_true(ask_key(by_secret, token, NULL).good);
    for (size_t i = 0; i + 4 < len; i += 7) { /* the last characters may hold unused bits */
        char before = token[i];
        token[i] = before == 'A' ? 'B' : 'A';
        assert_false(ask_key(by_secret, token, NULL).good);
        token[i] = before;
    }
    token[len - 1] = '\0';
    assert_false(ask_key(by_secret, token, NULL).good);
    free(token);
}

static void what_is_no_token_is_refused(void **state)
{
    static const char *const bad[] = {"x", "a.b.c", "..", "...", "eyJ.eyJ.x", "{}", "a.b.c.d.e",
                                      /* padding and other bytes, of which cjose would die */
                                      "eyJ=\x01/AB.eyJh.AAAA", "eyJh.A=\x01/AB.AAAA",
                                      "eyJh.eyJh.A=\x01/AB", "eyJhbGciOiJIUzI1NiJ9.e30=.AAAA"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(ask_key(by_secret, bad[i], NULL), 401, "invalid_token");
    size_t len = 1024 * 1024;
    char *huge = malloc(len + 1);
    memset(huge, 'a', len);
    huge[len] = '\0';
    assert_refused(ask_key(by_secret, huge, NULL), 401, "invalid_token");
    huge[16 * 1024] = '\0';
    assert_refused(ask_key(by_secret, huge, NULL), 401, "invalid_token");
    free(huge);
}

static void a_token_may_be_big(void **state)
{
    char more[8192];
    (void)state;
    int len = snprintf(more, sizeof more, ",\"user_metadata\":{\"about\":\"");
    memset(more + len, 'x', 700);
    snprintf(more + len + 700, sizeof more - (size_t)len - 700,
             "\",\"provider_id\":123456789012345678901234567890}");
    assert_true(ask(by_secret, sign(claims(60, more))).good);
}

static void headers_are_read_as_they_come(void **state)
{
    struct answer answer;
    char *token = sign(claims(60, "")), *header = NULL;
    static const char *const good[] = {"Bearer %s", "bearer %s", "  BEARER   %s  ", "Bearer\t%s"};
    static const char *const bad[] = {"Basic %s", "%s", "Bearer%s", "Bearer %s x", "Bearer, %s"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const char *at = strstr(good[i], "%s");
        assert_true(asprintf(&header, "%.*s%s%s", (int)(at - good[i]), good[i], token, at + 2) > 0);
        assert_true(auth_check(by_secret, header, NULL, &answer.who, &answer.error));
        free(header);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *at = strstr(bad[i], "%s");
        assert_true(asprintf(&header, "%.*s%s%s", (int)(at - bad[i]), bad[i], token, at + 2) > 0);
        answer.good = auth_check(by_secret, header, NULL, &answer.who, &answer.error);
        assert_refused(answer, 401, "invalid_token");
        free(header);
    }
    static const char *const empty[] = {NULL, "", "  ", "Bearer", "Bearer  "};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        answer.good = auth_check(by_secret, empty[i], NULL, &answer.who, &answer.error);
        assert_refused(answer, 401, "missing_token");
    }
    free(token);
}

/* --- without a user --- */

static void assert_guest(struct answer answer)
{
    assert_true(answer.good);
    assert_true(answer.who.has_user && answer.who.is_anonymous);
    assert_false(answer.who.is_admin);
    assert_string_equal(answer.who.user_text, GUEST);
}

static void no_guest_no_anonymous(void **state)
{
    (void)state;
    char *anon = sign(later("{\"iss\":\"supabase\",\"role\":\"anon\",\"exp\":EXP}"));
    assert_refused(ask_key(by_secret, anon, anon), 401, "sign_in_required");
    assert_refused(ask_key(by_secret, anon, NULL), 401, "sign_in_required");
    assert_refused(ask_key(by_secret, "sb_publishable_1", "sb_publishable_1"), 401,
                   "sign_in_required");
    assert_refused(ask_key(by_secret, NULL, "sb_publishable_1"), 401, "sign_in_required");
    free(anon);
}

static void the_public_key_is_the_guest(void **state)
{
    (void)state;
    struct config with = config;
    with.guest_user = (char *)GUEST;
    struct auth *any = auth_new(&with);
    with.anon_key = (char *)"sb_publishable_1";
    struct config one = with;
    struct auth *only = auth_new(&one);
    char *anon = sign(later("{\"iss\":\"supabase\",\"role\":\"anon\",\"exp\":EXP}"));
    char *service = sign(later("{\"iss\":\"supabase\",\"role\":\"service_role\",\"exp\":EXP}"));
    char *user = sign(claims(60, "")), *expired = sign(claims(-60, ""));
    with.anon_key = NULL;

    assert_guest(ask_key(any, "sb_publishable_2", "sb_publishable_2"));
    assert_guest(ask_key(any, NULL, "sb_publishable_2"));
    assert_guest(ask_key(any, anon, anon));
    assert_guest(ask_key(any, anon, "sb_publishable_2"));
    assert_refused(ask_key(any, NULL, NULL), 401, "missing_token");
    assert_refused(ask_key(any, "x", NULL), 401, "invalid_token");
    assert_refused(ask_key(any, expired, expired), 401, "token_expired");

    assert_guest(ask_key(only, "sb_publishable_1", "sb_publishable_1"));
    assert_guest(ask_key(only, "sb_publishable_1", NULL)); /* an OpenAI SDK */
    assert_guest(ask_key(only, NULL, "sb_publishable_1"));
    assert_guest(ask_key(only, anon, anon));
    assert_refused(ask_key(only, "sb_publishable_2", "sb_publishable_2"), 401, "invalid_token");
    assert_refused(ask_key(only, NULL, "sb_publishable_2"), 401, "invalid_token");

    struct answer answer = ask_key(only, service, service);
    assert_true(answer.good && answer.who.is_admin && !answer.who.has_user);
    answer = ask_key(only, user, "sb_publishable_1");
    assert_true(answer.good);
    assert_string_equal(answer.who.user_text, USER);
    free(anon);
    free(service);
    free(user);
    free(expired);
    auth_free(any);
    auth_free(only);
}

/* --- the cache under load --- */

struct asker {
    pthread_t thread;
    char **tokens;
    int wrong;
};

static void *ask_many(void *arg)
{
    struct asker *asker = arg;
    for (int i = 0; i < 2000; i++) {
        struct answer answer = ask_key(by_secret, asker->tokens[i % 50], NULL);
        asker->wrong += answer.good != (i % 50 != 0);
    }
    return NULL;
}

static void threads_share_the_cache(void **state)
{
    char *tokens[50];
    struct asker askers[4];
    (void)state;
    for (int i = 0; i < 50; i++)
        tokens[i] = sign(claims(i == 0 ? -100 : 60 + i, ""));
    for (int i = 0; i < 4; i++) {
        askers[i] = (struct asker){.tokens = tokens};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_many, &askers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].wrong, 0);
    }
    for (int i = 0; i < 50; i++)
        free(tokens[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_let_in),
        cmocka_unit_test(an_audience_may_be_a_list),
        cmocka_unit_test(the_issuer_must_fit),
        cmocka_unit_test(times_count_with_the_skew),
        cmocka_unit_test(the_cache_does_not_outlive_the_token),
        cmocka_unit_test(times_must_be_numbers),
        cmocka_unit_test(sub_must_be_a_user),
        cmocka_unit_test(only_the_auth_server_makes_admins),
        cmocka_unit_test(roles_may_be_said_elsewhere),
        cmocka_unit_test(users_may_have_other_names_than_ids),
        cmocka_unit_test(the_token_does_not_choose_the_algorithm),
        cmocka_unit_test(another_secret_is_refused),
        cmocka_unit_test(a_changed_token_is_refused),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(a_token_may_be_big),
        cmocka_unit_test(headers_are_read_as_they_come),
        cmocka_unit_test(no_guest_no_anonymous),
        cmocka_unit_test(the_public_key_is_the_guest),
        cmocka_unit_test(threads_share_the_cache),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
