/* Pictures from outside as WebP in a few sizes, without anything but the picture: what was taken where, with
 * which device, is left behind. */
#ifndef MEDIA_CONVERT_H
#define MEDIA_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* More is refused: decoded, a picture takes three or four bytes for each, and 400 MB is what one upload may
 * cost. */
#define IMAGE_MAX_PIXELS INT64_C(100000000)

enum image_size { IMAGE_320, IMAGE_1280, IMAGE_ORIGINAL, IMAGE_SIZES };
extern const char *const image_size_names[]; /* "320", "1280", "original", NULL */

/* Longest side; smaller pictures stay as they are. That of `original` keeps a screen sharp at any zoom and an
 * upload of a 200-megapixel phone within reason. */
extern const int image_size_sides[IMAGE_SIZES];

struct image_file {
    const void *data; /* WebP, in the arena */
    size_t len;
    int width, height;
};

struct image {
    const char *content_type; /* of the upload, by its content: "image/jpeg" */
    int width, height;        /* of the upload, upright */
    struct image_file files[IMAGE_SIZES];
};

/* "image/jpeg", "image/png", "image/webp" or "image/heic" by the first bytes, whatever was said about them;
 * NULL for anything else. */
const char *image_type(const void *data, size_t len);

/* False: err->code is "image_type" (not one of the types above, or one that this machine's libvips cannot
 * read), "image_too_large" or "image_broken". Safe from any thread; one picture at a time is decoded in a
 * process, so that several uploads do not need several times the memory. */
MUST_CHECK bool image_convert(const void *data, size_t len, struct image *image, struct arena *arena,
                              struct error *err);

#endif
