/* The cryptography around the SRP exchange (facts 7.4); the public parts are in gsa.h. */
#ifndef FINDMY_GSA_CRYPTO_H
#define FINDMY_GSA_CRYPTO_H

#include "findmy/srp.h"

/* True when np authenticates the negotiation: the forms that we offered, the one chosen, spd and sc. */
MUST_CHECK bool gsa_check_negotiation(const struct srp *srp, const char *form, const uint8_t *spd,
                                      size_t spd_len, const uint8_t *sc, size_t sc_len, const uint8_t *np,
                                      size_t np_len);

/* Decrypt spd; plain has spd_len bytes of room. */
MUST_CHECK bool gsa_open_spd(const struct srp *srp, const uint8_t *spd, size_t spd_len, uint8_t *plain,
                             size_t *plain_len);

#endif
