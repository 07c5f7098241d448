/* Recording of answers, sealed, and replaying them: to study a change on Apple's side away from Apple.
 *
 * Both are HTTP clients like any other. A recording holds method, address, status, headers and body of each
 * answer, one sealed frame after another; requests are not recorded. */
#ifndef FINDMY_RECORD_H
#define FINDMY_RECORD_H

#include "base/buf.h"
#include "base/error.h"
#include "base/seal.h"
#include "base/timeutil.h"
#include "net/httpc.h"

/* One frame: a full report answer of HTTPC_MAX_BODY in base64 with its headers. */
#define RECORD_MAX_FRAME (HTTPC_MAX_BODY / 3 * 4 + 256u * 1024)

/* A client that asks `inner` and appends its answers to a file (created with mode 0600). Failed requests are
 * recorded too. inner stays the caller's; everything is borrowed until close. A frame that cannot be written
 * is a failure of the request ("record_write"): half a recording is worth nothing. NULL with "record_open".
 */
MUST_CHECK struct http_client *record_new(struct http_client *inner, const char *path,
                                          const struct sealer *sealer, const struct clock *clock,
                                          struct error *err);

/* A client that answers from a file: each request gets the next frame with its method and address. Fails with
 * "record_end" when there is none. NULL with "record_open" or "record_damaged". */
MUST_CHECK struct http_client *replay_new(const char *path, const struct sealer *sealer, struct error *err);

/* ---- in memory, for a worker, which keeps recordings in the database ---- */

/* A client that asks `inner` and appends its answers to *lines, one JSON object a line; lines->max bounds
 * them, and what does not fit shows as lines->overflow. Unlike a file it never makes a request fail. It lives
 * in the arena; what it was given is borrowed for as long. */
struct http_client *record_lines_new(struct arena *arena, struct http_client *inner, struct buf *lines,
                                     const struct clock *clock);

/* Such lines as a new file for replay_new. Errors "record_open" (also when the file exists), "record_write".
 */
MUST_CHECK bool record_write_file(const char *path, const char *lines, size_t len,
                                  const struct sealer *sealer, struct error *err);

#endif
