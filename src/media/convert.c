/* Decodes with libvips, by the loader of the type that was found and no other; writes WebP. */
#include "media/convert.h"

#include <pthread.h>
#include <string.h>
#include <vips/vips.h>

#include "base/log.h"

#define QUALITY 82 /* WebP; no difference to be seen beside the JPEG of a phone */

const char *const image_size_names[] = { "320", "1280", "original", NULL };
const int image_size_sides[IMAGE_SIZES] = { 320, 1280, 4096 };

/* ---- types ---- */

/* HEIC is an ISO base media file (ISO/IEC 14496-12) whose first box names one of these brands. */
static const char *const heic_brands[] = { "heic", "heix", "heim", "heis", "mif1", "msf1" };

static bool is_heic(const char *data, size_t len)
{
    if (len < 12 || memcmp(data + 4, "ftyp", 4) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(heic_brands); i++)
        if (memcmp(data + 8, heic_brands[i], 4) == 0)
            return true;
    return false;
}

const char *image_type(const void *bytes, size_t len)
{
    const char *data = bytes;
    if (len >= 3 && memcmp(data, "\xFF\xD8\xFF", 3) == 0)
        return "image/jpeg";
    if (len >= 8 && memcmp(data, "\x89PNG\r\n\x1A\n", 8) == 0)
        return "image/png";
    if (len >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return "image/webp";
    return is_heic(data, len) ? "image/heic" : NULL;
}

/* ---- libvips ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool started;

static void ignore(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
    (void)domain, (void)level, (void)message, (void)data;
}

static void start(void)
{
    /* Its warnings would go to standard error, line by line for a broken file; failures are told by
     * functions. */
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO, ignore, NULL);
    if (VIPS_INIT("trackerd") != 0) {
        LOG_ERROR("libvips does not start", LOG_TEXT("reason", vips_error_buffer()));
        vips_error_clear();
        return;
    }
    /* Loaders that their makers do not call fit for input from outside are not used, whatever a file claims
     * to be. */
    vips_block_untrusted_set(TRUE);
    vips_concurrency_set(1); /* the handlers are the threads */
    vips_cache_set_max(0);   /* no picture is read twice */
    started = true;
}

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static bool broken(struct error *err)
{
    char reason[200];
    /* libvips' texts are for the log; they may end in a line break and name its internals. */
    snprintf(reason, sizeof(reason), "%.*s", (int)strcspn(vips_error_buffer(), "\n"), vips_error_buffer());
    vips_error_clear();
    return error_set(err, "image_broken", "the picture cannot be read: %s", reason);
}

/* Header first: its dimensions are looked at before anything is decoded. Then all of it, once, so that a
 * picture that is cut off is known before a file is made of it: vips_thumbnail_buffer() would fill the rest
 * with grey. */
static VipsImage *decode(const void *data, size_t len, struct image *image, struct error *err)
{
    if (vips_foreign_find_load_buffer(data, len) == NULL) {
        vips_error_clear();
        error_set(err, "image_type", "this machine cannot read %s", image->content_type);
        return NULL;
    }
    VipsImage *lazy = vips_image_new_from_buffer(data, len, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                                 VIPS_FAIL_ON_TRUNCATED, NULL);
    if (lazy == NULL) {
        broken(err);
        return NULL;
    }
    int64_t width = vips_image_get_width(lazy), height = vips_image_get_height(lazy);
    bool turned = vips_image_get_orientation_swap(lazy);
    image->width = (int)(turned ? height : width);
    image->height = (int)(turned ? width : height);
    VipsImage *whole = NULL;
    if (width * height > IMAGE_MAX_PIXELS) {
        error_set(err, "image_too_large", "it has more than %lld million pixels",
                  (long long)(IMAGE_MAX_PIXELS / 1000000));
    } else {
        whole = vips_image_copy_memory(lazy);
        if (whole == NULL)
            broken(err);
    }
    g_object_unref(lazy);
    return whole;
}

/* What a file may say besides its picture. The profile goes too: the picture has been brought to sRGB. */
static const char *const metadata[] = { "exif-",      "xmp-",        "iptc-", "icc-",
                                        "photoshop-", "png-comment", "heif-", "orientation" };

static bool is_metadata(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(metadata); i++)
        if (strncmp(name, metadata[i], strlen(metadata[i])) == 0)
            return true;
    return false;
}

/* Taken out here and not left to an option of the writer, which some versions of libvips do not follow. */
static void strip(VipsImage *image)
{
    char **names = vips_image_get_fields(image);
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        if (is_metadata(names[i]))
            vips_image_remove(image, names[i]);
    g_strfreev(names);
}

/* One size, turned upright, in sRGB. */
static bool make_file(VipsImage *whole, int side, struct image_file *file, struct arena *arena,
                      struct error *err)
{
    VipsImage *small = NULL, *bare = NULL;
    void *webp = NULL;
    size_t size = 0;
    bool good = vips_thumbnail_image(whole, &small, side, "height", side, "size", VIPS_SIZE_DOWN,
                                     "export_profile", "srgb", NULL) == 0 &&
                vips_copy(small, &bare, NULL) == 0; /* a copy is ours alone to change */
    if (good) {
        strip(bare);
        good = vips_webpsave_buffer(bare, &webp, &size, "Q", QUALITY, NULL) == 0;
    }
    if (good) {
        *file = (struct image_file){ .data = arena_memdup(arena, webp, size),
                                     .len = size,
                                     .width = vips_image_get_width(bare),
                                     .height = vips_image_get_height(bare) };
        g_free(webp);
    }
    if (bare != NULL)
        g_object_unref(bare);
    if (small != NULL)
        g_object_unref(small);
    return good || broken(err);
}

bool image_convert(const void *data, size_t len, struct image *image, struct arena *arena, struct error *err)
{
    *image = (struct image){ .content_type = image_type(data, len) };
    if (image->content_type == NULL)
        return error_set(err, "image_type", "only JPEG, PNG, WebP and HEIC pictures are taken");
    pthread_once(&once, start);
    if (!started)
        return error_set(err, "image_type", "this machine cannot read pictures");

    pthread_mutex_lock(&one_at_a_time);
    VipsImage *whole = decode(data, len, image, err);
    bool good = whole != NULL;
    for (int i = 0; good && i < IMAGE_SIZES; i++)
        good = make_file(whole, image_size_sides[i], &image->files[i], arena, err);
    if (whole != NULL)
        g_object_unref(whole);
    pthread_mutex_unlock(&one_at_a_time);
    vips_thread_shutdown(); /* what libvips keeps for each thread */
    return good;
}
