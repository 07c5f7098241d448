/* Passwords: policy, Argon2id hashes, and a bound on how many are computed at once. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include <stddef.h>

#include "base/error.h"

/* Characters (not bytes). The lower bound is NIST SP 800-63B's with a margin; the upper one bounds hashing.
 */
#define PASSWORD_MIN 10
#define PASSWORD_MAX 200

#define PASSWORD_HASH_SIZE 128 /* of a PHC string with its NUL (crypto_pwhash_STRBYTES) */

struct password_hasher;

/* memory in bytes for each hash. At most `slots` hashes are computed at a time and at most `waiting` callers
 * wait for one; more are refused, so that a flood of sign-ins cannot take every thread. The hash takes
 * about 1.5 ms for each MiB. */
struct password_hasher *password_hasher_new(size_t memory, unsigned slots, unsigned waiting);
void password_hasher_free(struct password_hasher *hasher);

/* Refuses what is too short, too long, not UTF-8, the e-mail address or a part of it, of very few different
 * characters, or among the commonest. The reason is for the user to read; codes: too_short, too_long,
 * too_common, invalid. */
MUST_CHECK bool password_acceptable(const char *password, const char *email, struct error *err);

/* Fails when too many are waiting, or the memory is not there. */
MUST_CHECK bool password_hash(struct password_hasher *hasher, const char *password,
                              char out[PASSWORD_HASH_SIZE]);

enum password_verdict { PASSWORD_RIGHT, PASSWORD_WRONG, PASSWORD_BUSY /* too many are waiting */ };

/* Does the password belong to the hash? hash NULL (unknown user, or no password chosen yet): takes as long,
 * then WRONG. *stale (NULL is allowed): the hash was made with other parameters and should be made anew. */
enum password_verdict password_verify(struct password_hasher *hasher, const char *password, const char *hash,
                                      bool *stale);

#endif
