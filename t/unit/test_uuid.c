/* UUIDs: the canonical form, version 7, and ids that prove to whom they were issued. */
#include "common/clock.h"
#include "common/uuid.h"
#include "unit.h"

#include <string.h>
#include <time.h>

static void text_and_back(void **state)
{
    (void)state;
    struct uuid id, again;
    char text[UUID_TEXT + 1];
    assert_true(uuid_parse("00112233-4455-6677-8899-aAbBcCdDeEfF", &id));
    uuid_format(&id, text);
    assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
    assert_true(uuid_parse(text, &again));
    assert_true(uuid_equal(&id, &again));
    again.bytes[15] ^= 1;
    assert_false(uuid_equal(&id, &again));
}

static void refuses_anything_else(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddeeff ",
        " 0112233-4455-6677-8899-aabbccddeeff",
        "00112233445566778899aabbccddeeff",
        "{00112233-4455-6677-8899-aabbccddeef}",
        "0011223-34455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeefg",
        "00112233-4455-6677-8899_aabbccddeeff",
    };
    struct uuid id;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(uuid_parse(bad[i], &id));
    assert_false(uuid_parse(NULL, &id));
}

static void version_7_carries_the_time(void **state)
{
    (void)state;
    struct uuid a, b;
    int64_t before = clock_wall_us(); /* time() may lag behind it by a tick */
    uuid_v7(&a);
    uuid_v7(&b);
    int64_t after = clock_wall_us();
    assert_false(uuid_equal(&a, &b));
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | a.bytes[i];
    assert_in_range(ms, before / 1000, after / 1000);
    assert_int_equal(a.bytes[6] >> 4, 7);
    assert_int_equal(a.bytes[8] >> 6, 2);
    assert_true(memcmp(a.bytes, b.bytes, 6) <= 0);
}

/* The example of RFC 9562, A.4, in the namespace of domain names. */
static void version_5_is_that_of_the_rfc(void **state)
{
    struct uuid id;
    char text[UUID_TEXT + 1];
    (void)state;
    assert_true(uuid_parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8", &id));
    assert_true(uuid_v5(&id, "www.example.com", &id));
    uuid_format(&id, text);
    assert_string_equal(text, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    uuid_format(&uuid_of_urls, text);
    assert_string_equal(text, "6ba7b811-9dad-11d1-80b4-00c04fd430c8");
}

static struct answer_signer *signer_of(const char *secret)
{
    struct answer_key key;
    answer_key_derive(secret, strlen(secret), &key);
    struct answer_signer *signer = answer_signer_new(&key);
    assert_non_null(signer);
    return signer;
}

static void issued_ids_are_known_again(void **state)
{
    (void)state;
    struct answer_signer *signer = signer_of("a secret"), *other = signer_of("another secret");
    struct uuid user, other_user, id, changed;
    uuid_v7(&user);
    uuid_v7(&other_user);
    for (int i = 0; i < 100; i++) {
        answer_id_make(signer, &user, &id);
        assert_int_equal(id.bytes[6] >> 4, 7);
        assert_int_equal(id.bytes[8] >> 6, 2);
        assert_true(answer_id_issued(signer, &user, &id));
        assert_false(answer_id_issued(signer, &other_user, &id));
        assert_false(answer_id_issued(other, &user, &id));
    }
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        changed = id;
        changed.bytes[i] ^= 0x10;
        assert_false(answer_id_issued(signer, &user, &changed));
    }
    uuid_v7(&id);
    assert_false(answer_id_issued(signer, &user, &id));
    answer_signer_free(signer);
    answer_signer_free(other);
}

/* Workers on other hosts, and later versions, must derive the same key and tag. */
static void the_tag_never_changes(void **state)
{
    (void)state;
    struct answer_signer *signer = signer_of("a secret");
    struct uuid user, id;
    assert_true(uuid_parse("00000000-0000-7000-8000-000000000001", &user));
    assert_true(uuid_parse("0193a000-0000-7abc-8def-0123d6caa35d", &id));
    assert_true(answer_id_issued(signer, &user, &id));
    answer_signer_free(signer);
}

static const struct CMUnitTest uuid_tests[] = {
    cmocka_unit_test(text_and_back),
    cmocka_unit_test(refuses_anything_else),
    cmocka_unit_test(version_7_carries_the_time),
    cmocka_unit_test(version_5_is_that_of_the_rfc),
    cmocka_unit_test(issued_ids_are_known_again),
    cmocka_unit_test(the_tag_never_changes),
};
UNIT_MAIN(uuid_tests)
