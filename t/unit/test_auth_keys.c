/* Who is asking: key sets that change, and servers of them that do not answer. */
#include "auth_test.h"
#include "common/jwks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
