/* Addresses that nothing is sent to, however they are written, and whatever name leads to them. */
#include "common/address.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const bad[] = {
    "169.254.0.1",      "169.254.169.254",        "169.254.255.255",   "100.100.100.200",
    "192.0.0.192",      "168.63.129.16",          "fe80::1",           "febf:ffff::1",
    "fd00:ec2::254",    "fd00:ec2::23",           "fd20:ce::254",      "fd00:c1::a9fe:a9fe",
    "fd00:42::42",      "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1"};
static const char *const good[] = {
    "169.253.255.255", "169.255.0.0",      "127.0.0.1",      "10.0.0.1",
    "192.168.1.1",     "100.100.100.201",  "8.8.8.8",        "::1",
    "fec0::1",         "fd00:ec3::254",    "fd20:ce::253",   "::ffff:169.255.0.1",
    "2001:db8::1",     "64:ff9b::8.8.8.8", "2002:808:808::1"};

/* The address as libcurl has it. */
static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage out;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    memset(&out, 0, sizeof out);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&out, &v4, sizeof v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&out, &v6, sizeof v6);
    }
    return out;
}

static bool is_refused(const char *text, const char *allowed)
{
    const struct config config = {.allow_addresses = (char *)(uintptr_t)allowed};
    struct sockaddr_storage address = address_of(text);
    bool refused = address_is_refused((const struct sockaddr *)&address, &config);
    char bracketed[80];
    snprintf(bracketed, sizeof bracketed, "[%s]", text);
    assert_int_equal(address_host_is_refused(text, &config), refused);
    assert_int_equal(address_host_is_refused(bracketed, &config), refused);
    return refused;
}

static void link_local_and_metadata_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!is_refused(bad[i], NULL))
            fail_msg("%s is taken", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (is_refused(good[i], NULL))
            fail_msg("%s is refused", good[i]);
}

static void the_operator_allows_some(void **state)
{
    (void)state;
    assert_false(is_refused("169.254.169.254", "169.254.169.254"));
    assert_false(is_refused("169.254.169.254", "10.0.0.0/8,169.254.128.0/17"));
    assert_true(is_refused("169.254.127.1", "10.0.0.0/8,169.254.128.0/17"));
    assert_false(is_refused("fe80::5", "fe80::/64"));
    assert_true(is_refused("fe80:0:0:1::5", "fe80::/64"));
    assert_false(is_refused("fd00:ec2::254", "::/0"));
}

static void names_are_no_addresses(void **state)
{
    (void)state;
    const struct config config = {.allow_addresses = NULL};
    assert_false(address_host_is_refused("metadata.google.internal", &config));
    assert_false(address_host_is_refused("", &config));
    assert_false(address_host_is_refused("169.254.169.254/16", &config));
}

static void lists_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"x",      "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                                        "::/129", "10.0.0.0/8x", "1.2.3",     "[::1]"};
    assert_null(address_check_list("10.0.0.0/8,fe80::/10,1.2.3.4,::1"));
    assert_null(address_check_list("0.0.0.0/0"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (address_check_list(wrong[i]) == NULL)
            fail_msg("%s is taken", wrong[i]);
}

static int refused_sockets;

static curl_socket_t count_refused(void *config, curlsocktype purpose,
                                   struct curl_sockaddr *address)
{
    curl_socket_t fd = address_open_socket(config, purpose, address);
    refused_sockets += fd == CURL_SOCKET_BAD;
    return fd;
}

/* What libcurl comes to when the name of a URL leads to that address. */
static CURLcode connect_by_name(const char *address, struct config *config)
{
    char entry[160];
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    snprintf(entry, sizeof entry, "metadata.test:9:%s", address);
    struct curl_slist *resolved = curl_slist_append(NULL, entry);
    curl_easy_setopt(curl, CURLOPT_URL, "http://metadata.test:9/");
    curl_easy_setopt(curl, CURLOPT_RESOLVE, resolved);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, count_refused);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, config);
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(resolved);
    curl_easy_cleanup(curl);
    return code;
}

/* Where a name leads is seen as the connection is made, whoever answers the look-up. */
static void names_that_lead_there_are_refused(void **state)
{
    (void)state;
    struct config config = {.allow_addresses = NULL};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct curl_sockaddr wanted = {.family = AF_INET, .socktype = SOCK_STREAM};
    struct sockaddr_storage address = address_of("169.254.169.254");
    memcpy(&wanted.addr, &address, sizeof wanted.addr);
    assert_int_equal(address_socket(&config, &wanted), CURL_SOCKET_BAD);
    assert_int_equal(connect_by_name("169.254.169.254", &config), CURLE_COULDNT_CONNECT);
    assert_int_equal(refused_sockets, 1);
    assert_int_equal(connect_by_name("169.254.169.254,169.254.170.2", &config),
                     CURLE_COULDNT_CONNECT);
    assert_int_equal(refused_sockets, 3);

    /* And others get their socket. */
    memcpy(&wanted.addr, &here, sizeof wanted.addr);
    curl_socket_t fd = address_socket(&config, &wanted);
    assert_int_not_equal(fd, CURL_SOCKET_BAD);
    close(fd);
}

/* Of IANA's registries, an address of each, at its edges too, and the neighbours. */
static const char *const special[] = {"0.0.0.0",
                                      "10.0.0.1",
                                      "10.255.255.255",
                                      "100.64.0.0",
                                      "100.127.255.255",
                                      "127.0.0.1",
                                      "127.255.0.1",
                                      "169.254.169.254",
                                      "172.16.0.1",
                                      "172.31.255.255",
                                      "192.0.0.8",
                                      "192.0.2.1",
                                      "192.88.99.1",
                                      "192.168.0.1",
                                      "198.18.0.1",
                                      "198.19.255.255",
                                      "198.51.100.7",
                                      "203.0.113.7",
                                      "224.0.0.1",
                                      "239.255.255.250",
                                      "240.0.0.1",
                                      "255.255.255.255",
                                      "168.63.129.16",
                                      "100.100.100.200",
                                      "::",
                                      "::1",
                                      "::ffff:10.0.0.1",
                                      "::ffff:127.0.0.1",
                                      "::127.0.0.1",
                                      "::8.8.8.8",
                                      "64:ff9b::a00:1",
                                      "64:ff9b:1::1",
                                      "100::1",
                                      "2001::1",
                                      "2001:db8::1",
                                      "2002:a00:1::1",
                                      "2002:7f00:1::",
                                      "3fff::1",
                                      "4000::1",
                                      "fc00::1",
                                      "fd12:3456::1",
                                      "fe80::1",
                                      "fec0::1",
                                      "ff02::1"};
static const char *const open_to_all[] = {
    "1.1.1.1",      "8.8.8.8",        "9.255.255.255",    "11.0.0.0",        "100.63.255.255",
    "100.128.0.0",  "126.0.0.1",      "128.0.0.1",        "172.15.255.255",  "172.32.0.0",
    "192.169.0.1",  "198.17.0.1",     "198.20.0.1",       "223.255.255.255", "2606:4700::1111",
    "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"};

static bool is_public(const char *text, const char *allowed)
{
    struct sockaddr_storage address = address_of(text);
    return address_is_public((const struct sockaddr *)&address, allowed);
}

static void public_addresses(void **state)
{
    (void)state;
    struct sockaddr local = {.sa_family = AF_UNIX};
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (is_public(special[i], NULL))
            fail_msg("%s is taken for public", special[i]);
    for (size_t i = 0; i < sizeof open_to_all / sizeof open_to_all[0]; i++)
        if (!is_public(open_to_all[i], NULL))
            fail_msg("%s is not taken for public", open_to_all[i]);
    assert_false(address_is_public(&local, "0.0.0.0/0,::/0"));
    assert_true(is_public("127.0.0.2", "127.0.0.2"));
    assert_true(is_public("::ffff:127.0.0.2", "127.0.0.2"));
    assert_false(is_public("127.0.0.1", "127.0.0.2"));
    assert_true(is_public("fd00::5", "10.0.0.0/8,fd00::/64"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(link_local_and_metadata_are_refused),
    cmocka_unit_test(the_operator_allows_some),
    cmocka_unit_test(names_are_no_addresses),
    cmocka_unit_test(lists_are_checked),
    cmocka_unit_test(names_that_lead_there_are_refused),
    cmocka_unit_test(public_addresses),
};

UNIT_MAIN(tests)
