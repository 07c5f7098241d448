/* Mails: composed safely, sent by a thread of their own through SMTP, or written to a folder when no server
 * is set. */
#ifndef AUTH_MAIL_H
#define AUTH_MAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"

struct mailer;

struct mail {
    const char *to;      /* one address, without a name */
    const char *subject; /* UTF-8 */
    const char *body;    /* UTF-8 text with \n line ends */
    const char *id; /* of the Message-ID, before the @: letters, digits, dots, dashes; NULL: a random one */
};

/* A plain address that can stand in a header and an SMTP command: one @, no controls, spaces, quotes, commas,
 * angle brackets. */
bool mail_address_valid(const char *address);

/* "Name <address>" or "address" into its parts (each with room for MAIL_ADDRESS_SIZE bytes); name may come
 * out empty. */
#define MAIL_ADDRESS_SIZE 320
MUST_CHECK bool mail_parse_from(const char *from, char *name, char *address);

/* The message as it goes over the wire (RFC 5322, CRLF). Anything that could end a header early is refused.
 * eight_bit: UTF-8 as it is instead of quoted-printable, for files that a person reads. */
MUST_CHECK bool mail_compose(const char *from, const struct mail *mail, bool eight_bit, struct buf *out,
                             struct error *err);

/* config is not copied. The thread starts with the first mail. */
struct mailer *mailer_new(const struct config *config);
void mailer_free(struct mailer *mailer); /* sends what is queued, within some seconds */

/* Queue a mail. False: refused (err says why), or too many are waiting. A mail that cannot be delivered is
 * tried again a few times and then logged without its body. */
MUST_CHECK bool mailer_send(struct mailer *mailer, const struct mail *mail, struct error *err);

/* Send now, on this thread (command line). */
MUST_CHECK bool mailer_deliver(const struct config *config, const struct mail *mail, struct error *err);

#endif
