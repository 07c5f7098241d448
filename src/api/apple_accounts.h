/* Apple accounts, provider profiles and the fetching of single trackers, beyond what resource tables give. */
#ifndef API_APPLE_ACCOUNTS_H
#define API_APPLE_ACCOUNTS_H

#include "http/route.h"

extern const struct route apple_account_routes[];
extern const size_t apple_account_route_count;
extern const struct route provider_profile_routes[];
extern const size_t provider_profile_route_count;
extern const struct route tracker_refresh_routes[];
extern const size_t tracker_refresh_route_count;

void apple_account_schemas(void (*add)(void *to, const char *name, const char *json), void *to);
void provider_profile_schemas(void (*add)(void *to, const char *name, const char *json), void *to);
void tracker_refresh_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
