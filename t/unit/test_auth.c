/* Who is asking: every way a token can be wrong, and key sets that change. */
#include "common/auth.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/jwks.h"
#include "common/log.h"
#include "unit.h"

#include <arpa/inet.h>
#include <cjose/cjose.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECRET "a secret of more than thirty-two bytes"
#define USER "11111111-2222-4333-8444-555555555555"
#define GUEST "00000000-0000-7000-8000-00000000000a"
#define ISSUER "https://example.supabase.co/auth/v1"

static cjose_jwk_t *secret_key, *rsa_key, *rsa_other, *ec_key, *ec_other;

/* --- tokens --- */

static char *sign_with(cjose_jwk_t *key, const char *alg, const char *kid, const char *payload)
{
    cjose_header_t *header = cjose_header_new(NULL);
    const char *text = NULL;
    assert_true(cjose_header_set(header, "alg", alg, NULL));
    if (kid != NULL)
        assert_true(cjose_header_set(header, "kid", kid, NULL));
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)payload, strlen(payload), NULL);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &text, NULL));
    char *copy = strdup(text);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return copy;
}

static char *sign(const char *payload)
{
    return sign_with(secret_key, "HS256", NULL, payload);
}

static int64_t now_s(void)
{
    return clock_wall_us() / 1000000;
}

/* Claims of an ordinary user that end in_s seconds from now, with more (",..." or "") after them.
 */
static const char *claims(int in_s, const char *more)
{
    static char text[16384];
    snprintf(text, sizeof text,
             "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "\",\"aud\":\"authenticated\","
             "\"role\":\"authenticated\",\"exp\":%lld%s}",
             (long long)now_s() + in_s, more);
    return text;
}

/* The same from whole cloth: %lld is replaced by an exp an hour ahead. */
static const char *later(const char *format)
{
    static char text[1024];
    const char *at = strstr(format, "EXP");
    snprintf(text, sizeof text, "%.*s%lld%s", (int)(at - format), format, (long long)now_s() + 3600,
             at + 3);
    return text;
}

/* --- checking --- */

struct answer {
    bool good;
    struct identity who;
    struct api_error error;
};

static struct answer ask_key(struct auth *a, const char *token, const char *apikey)
{
    struct answer answer;
    char *header = NULL;
    memset(&answer, 0, sizeof answer);
    if (token != NULL)
        assert_true(asprintf(&header, "Bearer %s", token) > 0);
    answer.good = auth_check(a, header, apikey, &answer.who, &answer.error);
    free(header);
    return answer;
}

/* Asks with a token, which it frees. */
static struct answer ask(struct auth *a, char *token)
{
    struct answer answer = ask_key(a, token, NULL);
    free(token);
    return answer;
}

static void assert_refused(struct answer answer, int status, const char *code)
{
    assert_false(answer.good);
    assert_int_equal(answer.error.status, status);
    assert_string_equal(answer.error.code, code);
}

static struct config config = {.jwt_secret = (char *)SECRET,
                               .jwt_audience = (char *)"authenticated",
                               .jwt_issuer = (char *)ISSUER,
                               .jwt_skew_s = 30};
static struct auth *by_secret;

static int set_up(void **state)
{
    static const uint8_t exponent[] = {1, 0, 1};
    (void)state;
    log_open("test", -1, LOG_ERROR);
    /* Links json.c, whose json_string has a namesake in jansson that cjose must go on finding. */
    if (!json_utf8_valid("x", 1))
        return -1;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    secret_key = cjose_jwk_create_oct_spec((const uint8_t *)SECRET, strlen(SECRET), NULL);
    rsa_key = cjose_jwk_create_RSA_random(2048, exponent, 3, NULL);
    rsa_other = cjose_jwk_create_RSA_random(2048, exponent, 3, NULL);
    ec_key = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    ec_other = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    by_secret = auth_new(&config);
    return secret_key && rsa_key && rsa_other && ec_key && ec_other && by_secret ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    auth_free(by_secret);
    cjose_jwk_release(secret_key);
    cjose_jwk_release(rsa_key);
    cjose_jwk_release(rsa_other);
    cjose_jwk_release(ec_key);
    cjose_jwk_release(ec_other);
    curl_global_cleanup();
    return 0;
}

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

    static const char *const not_admin[] = {
        ",\"user_metadata\":{\"role\":\"admin\"}",
        ",\"app_metadata\":{\"role\":[\"admin\"]}",
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

/* --- key sets --- */

/* A server of one document over HTTP. */
struct server {
    int fd;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    char body[16384];
    const char *head;
    atomic_int asked;
    atomic_bool silent, stop;
};

static void serve_one(struct server *s, int fd)
{
    char request[2048];
    (void)!read(fd, request, sizeof request);
    atomic_fetch_add(&s->asked, 1);
    while (atomic_load(&s->silent) && !atomic_load(&s->stop))
        poll(NULL, 0, 10);
    pthread_mutex_lock(&s->lock);
    dprintf(fd, "HTTP/1.1 %sContent-Length: %zu\r\nConnection: close\r\n\r\n%s", s->head,
            strlen(s->body), s->body);
    pthread_mutex_unlock(&s->lock);
    close(fd);
}

static void *serve(void *arg)
{
    struct server *s = arg;
    while (!atomic_load(&s->stop)) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        if (poll(&p, 1, 20) > 0)
            serve_one(s, accept(s->fd, NULL, NULL));
    }
    return NULL;
}

#define HEAD_OK "200 OK\r\nCache-Control: public, max-age=600\r\n"

static struct server *server_new(const char *body)
{
    struct server *s = calloc(1, sizeof *s);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->fd, 16), 0);
    getsockname(s->fd, (struct sockaddr *)&address, &len);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/jwks.json", ntohs(address.sin_port));
    snprintf(s->body, sizeof s->body, "%s", body);
    s->head = HEAD_OK;
    pthread_mutex_init(&s->lock, NULL);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    return s;
}

static void server_say(struct server *s, const char *head, const char *body)
{
    pthread_mutex_lock(&s->lock);
    s->head = head;
    snprintf(s->body, sizeof s->body, "%s", body);
    pthread_mutex_unlock(&s->lock);
}

static void server_free(struct server *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* A set with the given keys under the given kids. */
static const char *set_of(cjose_jwk_t *a, const char *a_kid, cjose_jwk_t *b, const char *b_kid)
{
    static char text[16384];
    cjose_jwk_t *keys[] = {a, b};
    const char *kids[] = {a_kid, b_kid};
    int len = snprintf(text, sizeof text, "{\"keys\":[");
    for (int i = 0; i < 2 && keys[i] != NULL; i++) {
        char *json = cjose_jwk_to_json(keys[i], false, NULL);
        len +=
            snprintf(text + len, sizeof text - (size_t)len, "%s{\"kid\":\"%s\",\"use\":\"sig\",%s",
                     i > 0 ? "," : "", kids[i], json + 1);
        free(json);
    }
    snprintf(text + len, sizeof text - (size_t)len, "]}");
    return text;
}

static struct auth *with_patience(struct server *s, struct config *c, int64_t refresh_min_ms,
                                  int64_t timeout_ms)
{
    struct jwks_options limits = {
        .refresh_min_ms = refresh_min_ms, .timeout_ms = timeout_ms, .wait_ms = 30000};
    *c = config;
    c->jwks_url = s->url;
    struct auth *a = auth_new_with(c, &limits);
    assert_non_null(a);
    return a;
}

static struct auth *with_keys(struct server *s, struct config *c, int64_t refresh_min_ms)
{
    return with_patience(s, c, refresh_min_ms, 20000);
}

static void keys_are_chosen_by_kid(void **state)
{
    (void)state;
    struct config c;
    struct server *s = server_new(set_of(rsa_key, "r", ec_key, "e"));
    struct auth *a = with_keys(s, &c, 60000);
    assert_true(ask(a, sign_with(rsa_key, "RS256", "r", claims(60, ""))).good);
    assert_true(ask(a, sign_with(ec_key, "ES256", "e", claims(60, ""))).good);
    assert_true(ask(a, sign_with(secret_key, "HS256", "legacy", claims(60, ""))).good);
    assert_refused(ask(a, sign_with(rsa_other, "RS256", "r", claims(60, ""))), 401,
                   "invalid_token");
    assert_refused(ask(a, sign_with(ec_other, "ES256", "e", claims(60, ""))), 401, "invalid_token");
    /* without kid there is no telling which of two */
    assert_refused(ask(a, sign_with(ec_key, "ES256", NULL, claims(60, ""))), 401, "invalid_token");
    /* another algorithm for the right key */
    assert_refused(ask(a, sign_with(rsa_key, "PS256", "r", claims(60, ""))), 401, "invalid_token");
    assert_refused(ask(a, sign_with(rsa_key, "RS512", "r", claims(60, ""))), 401, "invalid_token");
    assert_refused(ask(a, sign_with(ec_key, "ES256", "r", claims(60, ""))), 401, "invalid_token");
    assert_int_equal(atomic_load(&s->asked), 1);
    auth_free(a);
    server_free(s);
}

/* RFC 7517, 4.5: keys of one kid that are equivalent to whoever made them. */
static void all_keys_of_a_kid_are_tried(void **state)
{
    (void)state;
    struct config c;
    struct server *s = server_new(set_of(ec_other, "same", ec_key, "same"));
    struct auth *a = with_keys(s, &c, 60000);
    assert_true(ask(a, sign_with(ec_key, "ES256", "same", claims(60, ""))).good);
    assert_true(ask(a, sign_with(ec_other, "ES256", "same", claims(60, ""))).good);
    cjose_jwk_t *stranger = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    assert_refused(ask(a, sign_with(stranger, "ES256", "same", claims(60, ""))), 401,
                   "invalid_token");
    assert_refused(ask(a, sign_with(ec_key, "ES256", NULL, claims(60, ""))), 401, "invalid_token");
    cjose_jwk_release(stranger);
    auth_free(a);
    server_free(s);

    s = server_new(set_of(rsa_key, "same", ec_key, "same"));
    a = with_keys(s, &c, 60000);
    assert_true(ask(a, sign_with(ec_key, "ES256", "same", claims(60, ""))).good);
    assert_true(ask(a, sign_with(rsa_key, "RS256", "same", claims(60, ""))).good);
    assert_refused(ask(a, sign_with(rsa_other, "RS256", "same", claims(60, ""))), 401,
                   "invalid_token");
    auth_free(a);
    server_free(s);
}

/* The public key as it stands in the set is no secret: not its text, not its modulus. */
static void a_public_key_is_not_a_secret(void **state)
{
    (void)state;
    struct config c;
    struct server *s = server_new(set_of(rsa_key, "r", NULL, NULL));
    struct auth *a = with_keys(s, &c, 60000);
    char *json = cjose_jwk_to_json(rsa_key, false, NULL);
    cjose_jwk_t *fake = cjose_jwk_create_oct_spec((const uint8_t *)json, strlen(json), NULL);
    assert_refused(ask(a, sign_with(fake, "HS256", "r", claims(60, ""))), 401, "invalid_token");
    cjose_jwk_release(fake);
    fake = cjose_jwk_create_oct_spec((const uint8_t *)s->body, strlen(s->body), NULL);
    assert_refused(ask(a, sign_with(fake, "HS256", "r", claims(60, ""))), 401, "invalid_token");
    cjose_jwk_release(fake);
    free(json);
    auth_free(a);
    server_free(s);
}

static void a_single_key_needs_no_kid(void **state)
{
    (void)state;
    struct config c;
    struct server *s = server_new(set_of(ec_key, "e", NULL, NULL));
    struct auth *a = with_keys(s, &c, 60000);
    assert_true(ask(a, sign_with(ec_key, "ES256", NULL, claims(60, ""))).good);
    auth_free(a);
    server_free(s);
}

static void keys_rotate(void **state)
{
    (void)state;
    struct config c;
    struct server *s = server_new(set_of(ec_key, "one", NULL, NULL));
    struct auth *a = with_keys(s, &c, 0);
    char *old = sign_with(ec_key, "ES256", "one", claims(60, ""));
    assert_true(ask_key(a, old, NULL).good);
    assert_true(ask_key(a, old, NULL).good);
    server_say(s, HEAD_OK, set_of(ec_key, "one", ec_other, "two"));
    assert_true(ask(a, sign_with(ec_other, "ES256", "two", claims(60, ""))).good);
    assert_true(ask_key(a, old, NULL).good);
    server_say(s, HEAD_OK, set_of(ec_other, "two", NULL, NULL));
    assert_refused(ask(a, sign_with(ec_key, "ES256", "three", claims(60, ""))), 401,
                   "invalid_token");
    /* the key has gone, and with it what the cache knew by it */
    assert_refused(ask_key(a, old, NULL), 401, "invalid_token");
    free(old);
    auth_free(a);
    server_free(s);
}

static void unknown_keys_do_not_hammer_the_server(void **state)
{
    (void)state;
    struct config c;
    struct server *s = server_new(set_of(ec_key, "one", NULL, NULL));
    struct auth *a = with_keys(s, &c, 60000);
    for (int i = 0; i < 20; i++) {
        char kid[16];
        snprintf(kid, sizeof kid, "k%d", i);
        assert_refused(ask(a, sign_with(ec_other, "ES256", kid, claims(60, ""))), 401,
                       "invalid_token");
    }
    assert_int_equal(atomic_load(&s->asked), 1);
    auth_free(a);
    server_free(s);
}

static void without_keys_the_answer_is_try_again(void **state)
{
    static const char *const heads[] = {"500 Oops\r\n", "302 Found\r\nLocation: /jwks.json\r\n",
                                        HEAD_OK, HEAD_OK};
    static const char *const bodies[] = {"{\"keys\":[]}", "{\"keys\":[]}", "nonsense",
                                         "{\"keys\":{}}"};
    (void)state;
    log_open("test", -1, LOG_ERROR);
    for (size_t i = 0; i < 4; i++) {
        struct config c;
        struct server *s = server_new("");
        server_say(s, heads[i], bodies[i]);
        struct auth *a = with_keys(s, &c, 60000);
        struct answer answer = ask(a, sign_with(ec_key, "ES256", "e", claims(60, "")));
        assert_refused(answer, 503, "keys_unavailable");
        assert_true(answer.error.retry_after_ms > 0);
        assert_true(ask(a, sign(claims(60, ""))).good); /* the secret needs no keys */
        auth_free(a);
        server_free(s);
    }
}

static void a_silent_server_costs_one_time_limit(void **state)
{
    (void)state;
    struct config c;
    struct server *s = server_new("");
    atomic_store(&s->silent, true);
    struct auth *a = with_patience(s, &c, 60000, 300);
    for (int i = 0; i < 2; i++)
        assert_refused(ask(a, sign_with(ec_key, "ES256", "e", claims(60, ""))), 503,
                       "keys_unavailable");
    assert_int_equal(atomic_load(&s->asked), 1);
    auth_free(a);
    server_free(s);
}

static void old_keys_count_while_the_server_is_away(void **state)
{
    (void)state;
    struct config c;
    struct server *s = server_new(set_of(ec_key, "one", NULL, NULL));
    struct auth *a = with_keys(s, &c, 0);
    assert_true(ask(a, sign_with(ec_key, "ES256", "one", claims(60, ""))).good);
    server_say(s, "500 Oops\r\n", "");
    assert_refused(ask(a, sign_with(ec_other, "ES256", "two", claims(60, ""))), 503,
                   "keys_unavailable");
    assert_true(ask(a, sign_with(ec_key, "ES256", "one", claims(61, ""))).good);
    auth_free(a);
    server_free(s);
}

static void stopping_does_not_wait_for_a_fetch(void **state)
{
    (void)state;
    struct server *s = server_new("");
    struct jwks_options options = {
        .url = s->url, .refresh_min_ms = 0, .timeout_ms = 60000, .wait_ms = 10};
    atomic_store(&s->silent, true);
    struct jwks *j = jwks_new(&options);
    while (atomic_load(&s->asked) == 0)
        poll(NULL, 0, 5);
    int64_t start = clock_ms();
    jwks_free(j);
    assert_true(clock_ms() - start < 5000);
    server_free(s);
}

static void sets_are_imported_key_by_key(void **state)
{
    char text[16384];
    (void)state;
    char *ec = cjose_jwk_to_json(ec_key, true, NULL),
         *rsa = cjose_jwk_to_json(rsa_key, false, NULL);
    cjose_jwk_t *p384 = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_384, NULL);
    static const uint8_t exponent[] = {1, 0, 1};
    cjose_jwk_t *weak = cjose_jwk_create_RSA_random(1024, exponent, 3, NULL);
    char *ec384 = cjose_jwk_to_json(p384, false, NULL);
    char *short_rsa =
        weak != NULL ? cjose_jwk_to_json(weak, false, NULL) : strdup("{\"kty\":\"x\"}");
    snprintf(text, sizeof text,
             "{\"keys\":[7,null,{},{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"o\"},"
             "{\"kid\":\"bad\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"},"
             "{\"kid\":\"enc\",\"use\":\"enc\",%s,{\"kid\":\"alg\",\"alg\":\"PS256\",%s,"
             "{\"kid\":\"ops\",\"key_ops\":[\"encrypt\"],%s,{\"kid\":\"p384\",%s,"
             "{\"kid\":\"weak\",%s,"
             "{\"kid\":\"pad\",\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"A=\\u0001/AB\"},"
             "{\"kid\":\"e\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"],%s,{\"kid\":\"r\",%s]}",
             ec + 1, rsa + 1, rsa + 1, ec384 + 1, short_rsa + 1, ec + 1, rsa + 1);
    struct key_set *set = key_set_parse(text, strlen(text));
    assert_non_null(set);
    assert_int_equal(key_set_size(set), 2);
    assert_string_equal(key_set_alg(set, "e"), "ES256");
    assert_string_equal(key_set_alg(set, "r"), "RS256");
    assert_null(key_set_alg(set, "weak"));
    assert_null(key_set_alg(set, "o"));
    key_set_release(set);
    assert_null(key_set_parse("[]", 2));
    assert_null(key_set_parse("", 0));
    free(ec);
    free(rsa);
    free(ec384);
    free(short_rsa);
    cjose_jwk_release(p384);
    cjose_jwk_release(weak);
}

static void ages_are_kept_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(jwks_max_age_s(NULL), 600);
    assert_int_equal(jwks_max_age_s("public, max-age=900"), 900);
    assert_int_equal(jwks_max_age_s("MAX-AGE=900,public"), 900);
    assert_int_equal(jwks_max_age_s("max-age=0"), 60);
    assert_int_equal(jwks_max_age_s("no-store, max-age=900"), 60);
    assert_int_equal(jwks_max_age_s("max-age=99999999999999999999"), 24 * 3600);
    assert_int_equal(jwks_max_age_s("max-age=x"), 600);
    assert_int_equal(jwks_max_age_s(""), 600);
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
        cmocka_unit_test(the_token_does_not_choose_the_algorithm),
        cmocka_unit_test(another_secret_is_refused),
        cmocka_unit_test(a_changed_token_is_refused),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(a_token_may_be_big),
        cmocka_unit_test(headers_are_read_as_they_come),
        cmocka_unit_test(no_guest_no_anonymous),
        cmocka_unit_test(the_public_key_is_the_guest),
        cmocka_unit_test(keys_are_chosen_by_kid),
        cmocka_unit_test(all_keys_of_a_kid_are_tried),
        cmocka_unit_test(a_public_key_is_not_a_secret),
        cmocka_unit_test(a_single_key_needs_no_kid),
        cmocka_unit_test(keys_rotate),
        cmocka_unit_test(unknown_keys_do_not_hammer_the_server),
        cmocka_unit_test(without_keys_the_answer_is_try_again),
        cmocka_unit_test(a_silent_server_costs_one_time_limit),
        cmocka_unit_test(old_keys_count_while_the_server_is_away),
        cmocka_unit_test(stopping_does_not_wait_for_a_fetch),
        cmocka_unit_test(sets_are_imported_key_by_key),
        cmocka_unit_test(ages_are_kept_within_bounds),
        cmocka_unit_test(threads_share_the_cache),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
