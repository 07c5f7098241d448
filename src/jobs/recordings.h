/* Answers of Apple that workers keep, sealed, while RECORD_ANSWERS is on: to study what changed on Apple's
 * side.
 *
 * One row of provider_recordings for each request, sealed as "provider_recording:ID"; what is sealed are the
 * lines of findmy/record.h. `trackerd report recordings` reads them. */
#ifndef JOBS_RECORDINGS_H
#define JOBS_RECORDINGS_H

#include "base/buf.h"
#include "base/seal.h"
#include "findmy/provider.h"
#include "store/db.h"

/* The column's bound, the seal included. */
#define RECORDING_MAX (32u * 1024 * 1024)

/* Recordings that are kept whatever their age; one of a full request is about a megabyte. */
#define RECORDINGS_KEPT 500

struct recording {
    struct http_client *direct; /* NULL: nothing is recorded */
    struct buf lines;
};

/* From now on provider->http records. The recording lives until recording_keep. */
void recording_begin(struct recording *recording, struct provider *provider, struct arena *arena);

/* Put provider->http back and store what was recorded, in a transaction of its own. A recording that cannot
 * be kept is told in the log and harms nothing. */
void recording_keep(struct recording *recording, struct provider *provider, struct db *db,
                    const struct sealer *sealer, int64_t batch_id, struct arena *arena);

#endif
