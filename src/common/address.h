/*
 * Addresses that no provider is: link-local ones, and those where clouds tell a machine its
 * secrets. A name may lead to one, too, so that every connection is looked at as it is made.
 */
#ifndef UPLIFT_ADDRESS_H
#define UPLIFT_ADDRESS_H

#include "config.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Whether nothing may be sent there: link-local or metadata, also as IPv4 within IPv6, and not
 * allowed by UPLIFT_ALLOW_ADDRESSES. */
bool address_is_refused(const struct sockaddr *address, const struct config *config);
/* The same of a host as it stands in a URL: an address, with or without brackets; false for a name.
 */
bool address_host_is_refused(const char *host, const struct config *config);
/*
 * Whether an address is one of the public Internet: none of the special-purpose ones of IANA's
 * registries (RFC 6890): private, shared, loopback, link-local, for documentation and tests,
 * multicast, reserved; nor one where clouds tell a machine its secrets; nor an IPv6 address that
 * leads to such a one of IPv4 (mapped, NAT64, 6to4, Teredo). allowed is a comma list of addresses
 * and networks that will do all the same, or NULL.
 */
bool address_is_public(const struct sockaddr *address, const char *allowed);
/* What is wrong with a comma list of addresses and networks (10.0.0.0/8); NULL: nothing. Static. */
const char *address_check_list(const char *list);

/* A socket for a connection that libcurl is about to make; CURL_SOCKET_BAD, which is logged, for an
 * address that is refused. */
curl_socket_t address_socket(const struct config *config, const struct curl_sockaddr *address);
/* The same for CURLOPT_OPENSOCKETFUNCTION, with a struct config as its data. */
curl_socket_t address_open_socket(void *config, curlsocktype purpose,
                                  struct curl_sockaddr *address);

#endif
