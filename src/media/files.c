/* Files in a folder, written aside and renamed; or objects of a bucket, signed by libcurl (AWS Signature 4).
 */
#include "media/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "net/httpc.h"

/* ---- folder ---- */

static bool failed(struct error *err, const char *what, const char *path)
{
    return error_set(err, errno == ENOENT ? "media_missing" : "media_unavailable", "%s %s: %s", what, path,
                     strerror(errno));
}

/* The folders above path. */
static bool make_folders(const char *path, struct arena *arena, struct error *err)
{
    char *folder = arena_strdup(arena, path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
            error_set(err, "media_unavailable", "making %s: %s", folder, strerror(errno));
            return false;
        }
        *slash = '/';
    }
    return true;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0;
}

static bool folder_put(const char *path, const void *data, size_t len, struct arena *arena, struct error *err)
{
    uint8_t random[8];
    char hex[HEX_SIZE(sizeof(random))];
    randombytes_buf(random, sizeof(random));
    hex_encode(random, sizeof(random), hex);
    const char *aside = arena_printf(arena, "%s.%s.part", path, hex);
    if (!make_folders(path, arena, err))
        return false;
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return failed(err, "writing", aside);
    int reason = write_all(fd, data, len) ? 0 : errno; /* closing what is broken may end well */
    if (close(fd) != 0 && reason == 0)
        reason = errno;
    if (reason == 0 && rename(aside, path) == 0)
        return true;
    if (reason != 0)
        errno = reason;
    failed(err, "writing", path);
    unlink(aside);
    return false;
}

/* ---- bucket ---- */

static bool s3_request(const struct config *config, const char *method, const char *name, const void *data,
                       size_t len, struct http_in *answer, struct arena *arena, struct error *err)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[HEX_SIZE(sizeof(hash))];
    crypto_hash_sha256(hash, data, len);
    hex_encode(hash, sizeof(hash), hex);
    const struct httpc_header headers[] = {
        { "x-amz-content-sha256", hex },
        { "Content-Type", "image/webp" },
    };
    size_t base = strlen(config->s3_url);
    while (base > 0 && config->s3_url[base - 1] == '/')
        base--;
    const struct http_out request = {
        .method = method,
        .url = arena_printf(arena, "%.*s/%s/%s", (int)base, config->s3_url, config->s3_bucket, name),
        .headers = headers,
        .header_count = data != NULL ? 2 : 1,
        .body = data,
        .body_len = len,
        .max_body = (size_t)config->image_max_bytes,
        .aws_sigv4 = arena_printf(arena, "aws:amz:%s:s3", config->s3_region),
        .aws_key = config->s3_key,
        .aws_secret = config->s3_secret,
    };
    const struct httpc_options options = { .proxy = config->http_proxy_url, .ca_file = config->http_ca_file };
    struct error reason;
    struct http_client *client = httpc_curl_new(&options, &reason);
    bool good = client != NULL && httpc_request(client, &request, answer, arena, &reason);
    httpc_close(client);
    if (!good)
        return error_set(err, "media_unavailable", "the object store: %s", reason.message);
    if (answer->status == 404)
        return error_set(err, "media_missing", "the object store has no %s", name);
    if (answer->status < 200 || answer->status > 299)
        return error_set(err, "media_unavailable", "the object store answers %s with %d", method,
                         answer->status);
    return true;
}

/* ---- either ---- */

static bool in_bucket(const struct config *config)
{
    return config->s3_bucket[0] != '\0';
}

static const char *path_of(const struct config *config, const char *name, struct arena *arena)
{
    return arena_printf(arena, "%s/%s", config->media_folder, name);
}

bool media_put(const struct config *config, const char *name, const void *data, size_t len,
               struct arena *arena, struct error *err)
{
    struct http_in answer;
    if (in_bucket(config))
        return s3_request(config, "PUT", name, data, len, &answer, arena, err);
    return folder_put(path_of(config, name, arena), data, len, arena, err);
}

bool media_get(const struct config *config, const char *name, int *fd, const void **data, size_t *len,
               struct arena *arena, struct error *err)
{
    *fd = -1;
    *data = NULL;
    *len = 0;
    if (in_bucket(config)) {
        struct http_in answer;
        if (!s3_request(config, "GET", name, NULL, 0, &answer, arena, err))
            return false;
        *data = answer.body;
        *len = answer.body_len;
        return true;
    }
    const char *path = path_of(config, name, arena);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    return *fd >= 0 || failed(err, "reading", path);
}

bool media_delete(const struct config *config, const char *name, struct arena *arena, struct error *err)
{
    if (in_bucket(config)) {
        struct http_in answer;
        return s3_request(config, "DELETE", name, NULL, 0, &answer, arena, err) ||
               error_is(err, "media_missing");
    }
    const char *path = path_of(config, name, arena);
    if (unlink(path) == 0)
        return true;
    bool gone = errno == ENOENT && access(config->media_folder, F_OK) == 0;
    return gone || failed(err, "deleting", path);
}

const char *media_image_name(struct arena *arena, const char *key, enum image_size size)
{
    return arena_printf(arena, "%s-%s.webp", key, image_size_names[size]);
}

bool media_delete_image(const struct config *config, const char *key, struct arena *arena, struct error *err)
{
    for (int size = 0; size < IMAGE_SIZES; size++)
        if (!media_delete(config, media_image_name(arena, key, (enum image_size)size), arena, err))
            return false;
    return true;
}
