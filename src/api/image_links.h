/* Addresses of image files that need no credentials: a signed token that says for which client, and until
 * when. */
#ifndef API_IMAGE_LINKS_H
#define API_IMAGE_LINKS_H

#include "http/request.h"
#include "store/db.h"

/* The token for the images of a client; the same for an hour, so that browsers keep what they have loaded. */
const char *image_token(const struct request *req, int64_t client_id);

/* The eyes of whoever has the token; NULL when it is forged or has ended. */
const struct db_context *image_token_context(struct request *req, const char *token);

#endif
