/* Where files of images are: a folder, or a bucket of an object store that speaks S3. */
#ifndef MEDIA_FILES_H
#define MEDIA_FILES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "media/convert.h"

/* Names are ours: "ab/abcdef….webp", letters, digits, slashes, dashes and dots. Each function opens what it
 * needs and closes it again; all are safe from any thread. False: err->code is "media_unavailable", or
 * "media_missing" when there is no such file. */

/* The file is there whole or not at all, also after a crash. */
MUST_CHECK bool media_put(const struct config *config, const char *name, const void *data, size_t len,
                          struct arena *arena, struct error *err);

/* Either *fd (>= 0, the caller's) or *data of *len bytes in the arena. */
MUST_CHECK bool media_get(const struct config *config, const char *name, int *fd, const void **data,
                          size_t *len, struct arena *arena, struct error *err);

/* A file that is not there is as good as deleted; a folder that is not there is another machine's. */
MUST_CHECK bool media_delete(const struct config *config, const char *name, struct arena *arena,
                             struct error *err);

/* ---- the files of an image: one a size, all of one key ("ab/abcdef…") ---- */

const char *media_image_name(struct arena *arena, const char *key, enum image_size size);

/* All of them, as far as they are there. */
MUST_CHECK bool media_delete_image(const struct config *config, const char *key, struct arena *arena,
                                   struct error *err);

#endif
