/* TLS to Redis, where hiredis has it (1.0 and newer). */
#ifndef STORE_REDIS_TLS_H
#define STORE_REDIS_TLS_H

#include "base/error.h"

struct redisContext;
struct redis_tls;

/* Trusts the system's certificate authorities, or those of SSL_CERT_FILE, and only a certificate for host (a
 * name or an address). NULL when this build or machine cannot do that. */
struct redis_tls *redis_tls_new(const char *host, struct error *err);
void redis_tls_free(struct redis_tls *tls); /* NULL is allowed */

/* Shake hands on a new connection; when false, context->errstr says why. */
MUST_CHECK bool redis_tls_start(const struct redis_tls *tls, struct redisContext *context);

#endif
