/* Requests to other servers; see outbound.h. */
#include "outbound.h"

#include "address.h"

static bool set_limits(CURL *curl, const char *ca_bundle, const struct config *allowed)
{
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           (ca_bundle == NULL || curl_easy_setopt(curl, CURLOPT_CAINFO, ca_bundle) == CURLE_OK) &&
           (allowed == NULL ||
            (curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, address_open_socket) == CURLE_OK &&
             curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, allowed) == CURLE_OK));
}

CURL *outbound_new(const char *ca_bundle, const struct config *allowed)
{
    CURL *curl = curl_easy_init();
    if (curl == NULL || set_limits(curl, ca_bundle, allowed))
        return curl;
    curl_easy_cleanup(curl);
    return NULL;
}
