/* Addresses that are refused; see address.h. */
#include "address.h"

#include "log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_BYTES 16
#define V4_BITS 96 /* before an IPv4 address in the form that all are compared in */

/* An address or a network: IPv4 as ::ffff:a.b.c.d. */
struct network {
    uint8_t bytes[ADDRESS_BYTES];
    unsigned bits;
};

static const char refused_networks[] =
    "169.254.0.0/16,"     /* link-local: the metadata of most clouds */
    "100.100.100.200,"    /* Alibaba's */
    "192.0.0.192,"        /* Oracle's, of old */
    "168.63.129.16,"      /* Azure's wire server */
    "fe80::/10,"          /* link-local */
    "fd00:ec2::/32,"      /* Amazon's */
    "fd20:ce::254,"       /* Google's */
    "fd00:c1::a9fe:a9fe," /* Oracle's */
    "fd00:42::42";        /* Scaleway's */

/* By IANA's registries of special-purpose addresses. Of IPv6 only 2000::/3 is given out. */
static const char special_networks[] =
    "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,"
    "192.0.2.0/24,192.31.196.0/24,192.52.193.0/24,192.88.99.0/24,192.168.0.0/16,192.175.48.0/24,"
    "198.18.0.0/15,198.51.100.0/24,203.0.113.0/24,224.0.0.0/4,240.0.0.0/4,"
    "2001::/23,2001:db8::/32,3fff::/20";
static const char given_out[] = "2000::/3,64:ff9b::/96,::ffff:0.0.0.0/96";

static bool fits(const uint8_t bytes[ADDRESS_BYTES], const struct network *n)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    if (memcmp(bytes, n->bytes, whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ n->bytes[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

/* ::ffff: and the four bytes. */
static void map_v4(const void *v4, uint8_t out[ADDRESS_BYTES])
{
    memset(out, 0, 10);
    memset(out + 10, 0xff, 2);
    memcpy(out + 12, v4, 4);
}

/* One item of a list. False when it is neither an address nor a network. */
static bool read_network(const char *text, size_t len, struct network *out)
{
    char copy[INET6_ADDRSTRLEN + 4], *slash, *end;
    uint8_t v4[4];
    long bits = -1;
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
        bits = slash[1] >= '0' && slash[1] <= '9' ? strtol(slash + 1, &end, 10) : -1;
        if (bits < 0 || *end != '\0')
            return false;
    }
    bool is_v4 = inet_pton(AF_INET, copy, v4) == 1;
    if (is_v4)
        map_v4(v4, out->bytes);
    else if (inet_pton(AF_INET6, copy, out->bytes) != 1)
        return false;
    unsigned most = is_v4 ? 32 : 128;
    if (bits > (long)most)
        return false;
    out->bits = (slash != NULL ? (unsigned)bits : most) + (is_v4 ? V4_BITS : 0);
    return true;
}

static bool is_in_list(const uint8_t bytes[ADDRESS_BYTES], const char *list)
{
    struct network n;
    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (read_network(p, len, &n) && fits(bytes, &n))
            return true;
        p += len + (p[len] == ',');
    }
    return false;
}

const char *address_check_list(const char *list)
{
    struct network n;
    for (const char *p = list; *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (!read_network(p, len, &n))
            return "must be addresses, or networks such as 10.0.0.0/8, separated by commas";
        p += len + (p[len] == ',');
    }
    return NULL;
}

/* The IPv4 address that a machine on the way makes of an IPv6 one (NAT64, 6to4, or the old form
 * without ffff), mapped. False when it is none. */
static bool inner_v4(const uint8_t bytes[ADDRESS_BYTES], uint8_t out[ADDRESS_BYTES])
{
    static const uint8_t nat64[] = {0, 0x64, 0xff, 0x9b}, zeros[12];
    if (memcmp(bytes, zeros, sizeof zeros) == 0 || memcmp(bytes, nat64, sizeof nat64) == 0) {
        map_v4(bytes + 12, out);
        return true;
    }
    if (bytes[0] != 0x20 || bytes[1] != 0x02)
        return false;
    map_v4(bytes + 2, out);
    return true;
}

static bool are_refused(const uint8_t bytes[ADDRESS_BYTES], const struct config *config)
{
    uint8_t inner[ADDRESS_BYTES];
    bool is_bad = is_in_list(bytes, refused_networks) ||
                  (inner_v4(bytes, inner) && is_in_list(inner, refused_networks));
    return is_bad && !is_in_list(bytes, config->allow_addresses);
}

/* The bytes of an address; false for one of another family. */
static bool read_sockaddr(const struct sockaddr *address, uint8_t out[ADDRESS_BYTES])
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        map_v4(&v4.sin_addr, out);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(&v6, address, sizeof v6);
    memcpy(out, &v6.sin6_addr, ADDRESS_BYTES);
    return true;
}

bool address_is_refused(const struct sockaddr *address, const struct config *config)
{
    uint8_t bytes[ADDRESS_BYTES];
    return read_sockaddr(address, bytes) && are_refused(bytes, config);
}

bool address_is_public(const struct sockaddr *address, const char *allowed)
{
    uint8_t bytes[ADDRESS_BYTES], inner[ADDRESS_BYTES];
    if (!read_sockaddr(address, bytes))
        return false;
    if (is_in_list(bytes, allowed))
        return true;
    bool is_special = !is_in_list(bytes, given_out) || is_in_list(bytes, special_networks) ||
                      is_in_list(bytes, refused_networks);
    if (!is_special && inner_v4(bytes, inner))
        is_special = is_in_list(inner, special_networks) || is_in_list(inner, refused_networks);
    return !is_special;
}

bool address_host_is_refused(const char *host, const struct config *config)
{
    struct network n;
    size_t start = *host == '[', len = strcspn(host + start, "]%"); /* no zone */
    return memchr(host + start, '/', len) == NULL && read_network(host + start, len, &n) &&
           are_refused(n.bytes, config);
}

curl_socket_t address_socket(const struct config *config, const struct curl_sockaddr *address)
{
    if (address_is_refused(&address->addr, config)) {
        log_error("provider",
                  "nothing is sent to a link-local address or one of a cloud's metadata; "
                  "UPLIFT_ALLOW_ADDRESSES can allow it");
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

curl_socket_t address_open_socket(void *config, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    return address_socket(config, address);
}
