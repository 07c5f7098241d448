/* What anisette.c and anisette_provision.c share. */
#ifndef FINDMY_ANISETTE_PRIVATE_H
#define FINDMY_ANISETTE_PRIVATE_H

#include "findmy/anisette.h"

#define ANISETTE_BAG 2 /* addresses kept from the lookup bag */

struct anisette_server {
    char url[ANISETTE_MAX_URL]; /* without a slash at the end */
    int failures;               /* in a row */
    int64_t not_before;         /* resting until then */
};

struct anisette {
    const struct profile *profile;
    struct http_client *http;
    struct websocket_client *websocket;
    const struct clock *clock;
    struct anisette_server servers[ANISETTE_MAX_SERVERS];
    size_t server_count;
    struct anisette_values cached;
    bool is_cached;
    uint8_t cached_for[ANISETTE_ID_SIZE];
    struct arena *arena; /* holds the bag */
    struct {
        const char *key, *url;
    } bag[ANISETTE_BAG];
    size_t bag_count;
};

/* Provision the machine through a v3 server: fills state->blob. False with "anisette_provisioning" when
 * Apple's side failed, other codes when the server did. */
MUST_CHECK bool anisette_provision(struct anisette *anisette, const struct anisette_server *server,
                                   struct anisette_state *state, struct error *err);

#endif
