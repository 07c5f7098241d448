/* TLS to Redis by OpenSSL: hiredis' own set-up would take any host's certificate. */
#include "store/redis_tls.h"

#include <stddef.h>

#ifdef HAVE_HIREDIS_SSL

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct redis_tls {
    SSL_CTX *context;
    const char *host; /* the caller's */
    bool address;     /* host is an IP address */
};

struct redis_tls *redis_tls_new(const char *host, struct error *err)
{
    unsigned char address[sizeof(struct in6_addr)];
    struct redis_tls *tls = calloc(1, sizeof(*tls));
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (tls == NULL || context == NULL || SSL_CTX_set_default_verify_paths(context) != 1 ||
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        free(tls);
        error_set(err, "redis_tls", "TLS to Redis cannot be set up");
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    tls->context = context;
    tls->host = host;
    tls->address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    return tls;
}

void redis_tls_free(struct redis_tls *tls)
{
    if (tls != NULL)
        SSL_CTX_free(tls->context);
    free(tls);
}

static bool expect_host(const struct redis_tls *tls, SSL *ssl)
{
    if (tls->address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), tls->host) == 1;
    return SSL_set1_host(ssl, tls->host) == 1 && SSL_set_tlsext_host_name(ssl, tls->host) == 1;
}

bool redis_tls_start(const struct redis_tls *tls, redisContext *context)
{
    SSL *ssl = SSL_new(tls->context);
    if (ssl != NULL && expect_host(tls, ssl) && redisInitiateSSL(context, ssl) == REDIS_OK)
        return true; /* the connection owns it now */
    SSL_free(ssl);
    return false;
}

#else

struct redis_tls *redis_tls_new(const char *host, struct error *err)
{
    (void)host;
    error_set(err, "redis_tls",
              "REDIS_URL asks for TLS (rediss://), but this build's hiredis is older than 1.0");
    return NULL;
}

void redis_tls_free(struct redis_tls *tls)
{
    (void)tls;
}

bool redis_tls_start(const struct redis_tls *tls, struct redisContext *context)
{
    (void)tls;
    (void)context;
    return false;
}

#endif
