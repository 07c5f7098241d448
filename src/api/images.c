/* Images of clients, brands, runs, trackers and locations: described here, uploaded, shown, deleted. */
#include "api/images.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "api/access.h"
#include "api/app.h"
#include "api/conditions.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "api/image_links.h"
#include "api/reading.h"
#include "api/resources.h"
#include "api/tracker_import.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "media/convert.h"
#include "media/files.h"

/* A gallery is looked through by people. */
#define IMAGES_PER_OWNER 200
#define CAPTION_MAX      500

/* Files never change: another picture is another image. */
#define FILE_CACHING "private, max-age=86400, immutable"

/* ---- the description ---- */

static const char *const owner_kinds[] = { "client", "brand", "production_run", "tracker", "location", NULL };
static const char *const owner_tables[] = { "clients", "brands", "production_runs", "trackers", "locations" };

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "client_id", FIELD_REF, .ref = "clients", .computed = true, .filter = true },
    { "owner_kind", FIELD_ENUM, "What it is an image of.", .words = owner_kinds, .computed = true,
      .filter = true },
    { "owner_id", FIELD_INT, "Id of that row.", .computed = true, .filter = true },
    { "position", FIELD_INT, "Place in the gallery of its owner; equal ones by id.", .min = -1000000,
      .max = 1000000, .fallback = "0", .sort = true },
    { "caption", FIELD_TEXT, .max = CAPTION_MAX, .fallback = "\"\"" },
    { "content_type", FIELD_TEXT, "Of the upload. The files are WebP.", .max = 100, .computed = true },
    { "width", FIELD_INT, "Of the upload, upright.", .computed = true },
    { "height", FIELD_INT, .computed = true },
    { "bytes", FIELD_INT, "Of the upload.", .computed = true },
    { "sizes", FIELD_OBJECT, "The files: name, width, height, bytes.", .computed = true,
      .schema = "ImageSizes" },
    { "created_by", FIELD_REF, .ref = "users", .computed = true, .nullable = true },
    FIELD_CREATED,
    FIELD_UPDATED,
};

/* urls: for <img>, which cannot send a token of its own. */
static void put_urls(struct request *req, const struct rows *rows, size_t row, struct json *json)
{
    const char *token = image_token(req, rows_int(rows, row, 1));
    json_start_object(json);
    for (int i = 0; i < IMAGE_SIZES; i++)
        json_put_text(json, image_size_names[i],
                      arena_printf(req->arena, "/api/v1/images/%" PRId64 "/%s?token=%s",
                                   rows_int(rows, row, 0), image_size_names[i], token));
    json_end_object(json);
}

const struct resource images_resource = {
    .name = "images",
    .table = "images",
    .singular = "Image",
    .plural = "Images",
    .label = "image",
    .about = "Images of clients, brands, production runs, trackers and locations.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_MANAGER,
    .flags = RESOURCE_NO_CREATE | RESOURCE_NO_DELETE | RESOURCE_NO_ARCHIVE | RESOURCE_DERIVED,
    .tenant = "client_id",
    .default_sort = "position",
    .more_name = "urls",
    .more_schema = "ImageUrls",
    .more = put_urls,
};

/* Now, when that works; else the duty images.clean does it. The row must be gone. */
static void delete_files(struct request *req, const char *key)
{
    struct error err;
    if (media_delete_image(req->app->config, key, req->arena, &err))
        (void)!rows_ok(db_query(req->db, "SELECT forget_image_waste($1)", "s", key));
    else
        LOG_WARN("files of an image are deleted later", LOG_TEXT("key", key),
                 LOG_TEXT("reason", err.message));
}

/* ---- upload ---- */

struct order {
    struct upload upload;
    int owner_kind;
    int64_t owner_id, client_id, position;
    const char *caption;
};

static void take_number(struct request *req, const struct upload *upload, const char *name, int64_t min,
                        int64_t max, int64_t *value)
{
    const char *text = upload_option(req, upload, name);
    if (text != NULL && !parse_i64_range(text, min, max, value))
        problem_field(req, name, "out_of_range", "must be a whole number from %" PRId64 " to %" PRId64, min,
                      max);
}

/* The upload with its options; each problem of them at once. False: answered. */
static bool take_order(struct request *req, struct order *order)
{
    *order = (struct order){ 0 };
    if (!route_parameters_known(req) || !upload_open(req, &order->upload))
        return false;
    const char *kind = upload_option(req, &order->upload, "owner_kind");
    order->owner_kind = kind != NULL ? word_index(owner_kinds, kind) : -1;
    if (order->owner_kind < 0)
        problem_field(req, "owner_kind", kind == NULL ? "required" : "unknown_value",
                      "must be client, brand, production_run, tracker or location");
    take_number(req, &order->upload, "owner_id", 1, INT64_MAX, &order->owner_id);
    if (order->owner_id == 0 && upload_option(req, &order->upload, "owner_id") == NULL)
        problem_field(req, "owner_id", "required", "is required");
    take_number(req, &order->upload, "position", -1000000, 1000000, &order->position);
    order->caption = upload_option(req, &order->upload, "caption");
    if (order->caption == NULL)
        order->caption = "";
    if (!utf8_valid(order->caption, strlen(order->caption)) ||
        utf8_length(order->caption, strlen(order->caption)) > CAPTION_MAX)
        problem_field(req, "caption", "too_long", "must be text of at most %d characters", CAPTION_MAX);
    if (problem_pending(req) || order->owner_kind < 0) {
        reply_invalid(req);
        return false;
    }
    if ((int64_t)order->upload.file.len <= req->app->config->image_max_bytes)
        return true;
    reply_problem(req, 413, "body_too_large", "An image has at most %" PRId64 " bytes.",
                  req->app->config->image_max_bytes);
    return false;
}

/* The owner exists, is the caller's, and has room. False: answered. */
static bool find_owner(struct request *req, struct order *order)
{
    const char *client = order->owner_kind == 0 ? "o.id" : "o.client_id";
    const char *sql = arena_printf(
        req->arena,
        "SELECT %s, (SELECT count(*) FROM images i WHERE i.owner_kind = $2 AND i.owner_id = $1) FROM %s o WHERE o.id = $1",
        client, owner_tables[order->owner_kind]);
    struct rows *rows = db_query(req->db, sql, "is", order->owner_id, owner_kinds[order->owner_kind]);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    if (rows_count(rows) == 0)
        problem_field(req, "owner_id", "not_found", "no such row");
    else if (rows_int(rows, 0, 1) >= IMAGES_PER_OWNER)
        problem_field(req, "owner_id", "too_many", "has %d images already", IMAGES_PER_OWNER);
    if (problem_pending(req)) {
        reply_invalid(req);
        return false;
    }
    order->client_id = rows_int(rows, 0, 0);
    return true;
}

static void reply_unreadable(struct request *req, const struct error *err)
{
    if (error_is(err, "image_type"))
        reply_problem(req, 415, "unsupported_image", "This is no picture that can be taken: %s.",
                      err->message);
    else if (error_is(err, "image_too_large"))
        reply_problem(req, 413, "image_too_large", "The picture is too large: %s.", err->message);
    else
        reply_problem(req, 422, "broken_image", "The picture cannot be read whole.");
}

/* "ab/abcdef…": two letters of folder keep folders small. */
static const char *new_key(struct arena *arena)
{
    uint8_t random[16];
    char hex[HEX_SIZE(sizeof(random))];
    randombytes_buf(random, sizeof(random));
    hex_encode(random, sizeof(random), hex);
    return arena_printf(arena, "%.2s/%s", hex, hex);
}

/* False: answered, and nothing stays behind. Files of an upload that breaks off are deleted by images.clean;
 * not so when a crash ends one with an Idempotency-Key, which is one transaction as a whole. */
static bool store_files(struct request *req, const struct image *image, const char *key)
{
    struct error err;
    struct rows *rows = db_query(req->db, "SELECT expect_image($1)", "s", key);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    for (int i = 0; i < IMAGE_SIZES; i++) {
        const struct image_file *file = &image->files[i];
        if (media_put(req->app->config, media_image_name(req->arena, key, (enum image_size)i), file->data,
                      file->len, req->arena, &err))
            continue;
        LOG_ERROR("image not stored", LOG_TEXT("reason", err.message));
        delete_files(req, key);
        reply_unavailable(req, "media_unavailable", 5, "Images cannot be stored at the moment.");
        return false;
    }
    return true;
}

static const char *sizes_json(struct arena *arena, const struct image *image)
{
    struct buf text = { 0 };
    struct json json;
    json_begin(&json, &text);
    json_start_array(&json);
    for (int i = 0; i < IMAGE_SIZES; i++) {
        json_start_object(&json);
        json_put_text(&json, "name", image_size_names[i]);
        json_put_int(&json, "width", image->files[i].width);
        json_put_int(&json, "height", image->files[i].height);
        json_put_int(&json, "bytes", (int64_t)image->files[i].len);
        json_end_object(&json);
    }
    json_end_array(&json);
    const char *copy = arena_strdup(arena, buf_text(&text));
    buf_free(&text);
    return copy;
}

static const char insert_sql[] =
    "WITH new AS (INSERT INTO images (client_id, owner_kind, owner_id, position, caption, content_type, width, height, "
    "bytes, checksum, storage_key, sizes) VALUES ($1, $2, $3, $4::integer, $5, $6, $7::integer, $8::integer, $9, $10, "
    "$11, $12::jsonb) RETURNING *), "
    "log AS (INSERT INTO audit_log (client_id, user_id, api_key_id, request_id, address, action, resource, resource_id, "
    "after) SELECT new.client_id, $13, $14, $15, $16::inet, 'create', 'images', new.id, jsonb_build_object('owner_kind', "
    "new.owner_kind, 'owner_id', new.owner_id, 'caption', new.caption, 'position', new.position, 'bytes', new.bytes) "
    "FROM new) "
    "SELECT new.id, (SELECT max(g.generation) FROM bump_generations(ARRAY[new.client_id]) g) FROM new";

static struct rows *insert_row(struct request *req, const struct order *order, const struct image *image,
                               const char *key)
{
    struct writer writer = request_writer(req);
    const struct principal *principal = writer.principal;
    uint8_t checksum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(checksum, (const uint8_t *)order->upload.file.data, order->upload.file.len);
    return db_query(req->db, insert_sql, "isiissiiixssiIss", order->client_id, owner_kinds[order->owner_kind],
                    order->owner_id, order->position, order->caption, image->content_type,
                    (int64_t)image->width, (int64_t)image->height, (int64_t)order->upload.file.len, checksum,
                    sizeof(checksum), key, sizes_json(req->arena, image), principal->user_id,
                    principal->kind == PRINCIPAL_API_KEY ? &principal->api_key_id : NULL, writer.request_id,
                    writer.address);
}

static void create_image(struct request *req)
{
    struct order order;
    struct image image;
    struct error err;
    if (!take_order(req, &order) || !find_owner(req, &order))
        return;
    if (!image_convert(order.upload.file.data, order.upload.file.len, &image, req->arena, &err)) {
        reply_unreadable(req, &err);
        return;
    }
    const char *key = new_key(req->arena);
    if (!store_files(req, &image, key))
        return;
    struct rows *rows = insert_row(req, &order, &image, key);
    if (!rows_ok(rows)) {
        delete_files(req, key);
        reply_write_problem(req, &images_resource, rows);
        return;
    }
    note_write(req);
    resource_reply(req, &images_resource, 201, rows_int(rows, 0, 0));
}

/* POST /images */
static void post_image(struct request *req)
{
    idempotent(req, create_image);
}

/* ---- files ---- */

/* Who may see it: whoever has a token for its client, or asks with credentials. False: answered. */
static bool may_see(struct request *req)
{
    const char *token = request_query(req, "token");
    if (token != NULL) {
        const struct db_context *context = image_token_context(req, token);
        if (context == NULL) {
            reply_problem(req, 403, "token_invalid",
                          "The token of this address is not valid, or not any more; read the "
                          "image again for a new one.");
            return false;
        }
        db_set_context(req->db, context);
        return true;
    }
    return access_required(req);
}

/* GET /images/{id}/{size} */
static void get_file(struct request *req)
{
    int64_t id;
    if (!param_id(req, "id", &id) || !route_parameters_known(req) || !may_see(req))
        return;
    int size = word_index(image_size_names, request_param(req, "size"));
    struct rows *rows = db_query(req->db, "SELECT storage_key FROM images WHERE id = $1", "i", id);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    if (size < 0 || rows_count(rows) == 0) {
        reply_not_found(req, "image");
        return;
    }
    const char *key = rows_text(rows, 0, 0);
    reply_header(req, "Cache-Control", FILE_CACHING);
    if (!reply_unless_unchanged(req, arena_printf(req->arena, "\"%s-%s\"", key + 3, image_size_names[size])))
        return;
    struct error err;
    int fd;
    const void *data;
    size_t len;
    if (!media_get(req->app->config, media_image_name(req->arena, key, (enum image_size)size), &fd, &data,
                   &len, req->arena, &err)) {
        LOG_ERROR("file of an image cannot be read", LOG_NUM("image", id), LOG_TEXT("reason", err.message));
        reply_unavailable(req, "media_unavailable", 5, "The file cannot be read at the moment.");
    } else if (fd >= 0) {
        reply_file(req, 200, "image/webp", fd);
    } else {
        reply_text(req, 200, "image/webp", data, len);
    }
}

/* ---- deleting ---- */

/* DELETE /images/{id} - the row first: a file without a row is waste, a row without its files a broken image.
 */
static void delete_image(struct request *req)
{
    int64_t id;
    if (!param_id(req, "id", &id))
        return;
    struct rows *rows = db_query(req->db, "SELECT storage_key, version FROM images WHERE id = $1", "i", id);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    if (rows_count(rows) == 0) {
        reply_not_found(req, "image");
        return;
    }
    const char *key = rows_text(rows, 0, 0);
    struct condition condition = condition_read(req);
    struct writer writer = request_writer(req);
    struct statement statement = sql_delete(&images_resource, id, condition.array, &writer, req->arena);
    struct rows *gone = write_rows(req, &statement);
    size_t changed = sql_column_count(&images_resource) + HELPER_CHANGED;
    if (!rows_ok(gone)) {
        reply_write_problem(req, &images_resource, gone);
    } else if (rows_count(gone) == 0) {
        reply_not_found(req, "image");
    } else if (!rows_bool(gone, 0, changed)) {
        reply_problem(req, 412, "stale", "The image has changed since; read it again.");
    } else {
        note_write(req);
        delete_files(req, key);
        reply_empty(req, 204);
    }
}

/* ---- routes and schemas ---- */

static const struct parameter post_parameters[] = {
    { .name = "owner_kind",
      .type = VALUE_ENUM,
      .words = owner_kinds,
      .about = "Required, here or in the form." },
    { .name = "owner_id", .type = VALUE_ID, .about = "Required, here or in the form." },
    { .name = "caption", .type = VALUE_TEXT, .max = CAPTION_MAX },
    { .name = "position", .type = VALUE_INT, .min = -1000000, .max = 1000000, .about = "0 when left out." },
    { .name = "Idempotency-Key",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "Makes repetitions harmless: they get the first answer, for 24 hours." },
};
static const struct answer post_answers[] = {
    { 201, "Image", "Stored, in all sizes." },
    { 400, "Problem", "No body, or a form that is not whole.", "application/problem+json" },
    { 409, "Problem", "The first request with this key still runs.", "application/problem+json" },
    { 413, "Problem", "Too many bytes or pixels.", "application/problem+json" },
    { 415, "Problem", "Not a JPEG, PNG, WebP or HEIC picture.", "application/problem+json" },
    { 422, "Problem", "An option is not valid, or the picture is broken.", "application/problem+json" },
    { 503, "Problem", "Images cannot be stored at the moment.", "application/problem+json" },
};
static const struct parameter file_parameters[] = {
    { .name = "id", .type = VALUE_ID, .in = "path", .required = true },
    { .name = "size", .type = VALUE_ENUM, .words = image_size_names, .in = "path", .required = true },
    { .name = "token",
      .type = VALUE_TEXT,
      .about = "Of the addresses in `urls`; without it send credentials." },
    { .name = "If-None-Match",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "Answer 304 while this is the ETag." },
};
static const struct answer file_answers[] = {
    { 200, "Binary", "The picture.", "image/webp" },
    { 304, NULL, "Not changed." },
    { 401, "Problem", "Neither a token nor credentials.", "application/problem+json" },
    { 403, "Problem", "The token is not valid, or not any more.", "application/problem+json" },
    { 404, "Problem", "No such image, or not yours.", "application/problem+json" },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
    { 503, "Problem", "The file cannot be read at the moment.", "application/problem+json" },
};
static const struct parameter delete_parameters[] = {
    { .name = "id", .type = VALUE_ID, .in = "path", .required = true },
    { .name = "If-Match", .type = VALUE_TEXT, .in = "header", .about = "Write only this version: its ETag." },
};
static const struct answer delete_answers[] = {
    { 204, NULL, "Deleted, with its files." },
    { 404, "Problem", "No such image, or not yours.", "application/problem+json" },
    { 412, "Problem", "It has another version.", "application/problem+json" },
};

const struct route image_routes[] = {
    { .method = HTTP_POST,
      .path = "/api/v1/images",
      .handle = post_image,
      .access = ACCESS_MANAGER,
      .flags = ROUTE_UPLOAD,
      .tag = "images",
      .summary = "Upload an image",
      .about =
          "The file is the body, or the part `file` of a form (multipart/form-data) that may also hold the options. "
          "Its type is found by its content. It is kept as WebP in three sizes, upright, without metadata.",
      .operation_id = "createImage",
      .parameters = post_parameters,
      .parameter_count = ARRAY_LEN(post_parameters),
      .body_schema = "Binary",
      .body_content_type = "image/*",
      .answers = post_answers,
      .answer_count = ARRAY_LEN(post_answers) },
    { .method = HTTP_GET,
      .path = "/api/v1/images/{id}/{size}",
      .handle = get_file,
      .access = ACCESS_PUBLIC,
      .tag = "images",
      .summary = "The picture in one size",
      .about =
          "With credentials, or with the token of an address in `urls`, which any member of the client gets and which "
          "ends after some hours.",
      .operation_id = "getImageFile",
      .parameters = file_parameters,
      .parameter_count = ARRAY_LEN(file_parameters),
      .answers = file_answers,
      .answer_count = ARRAY_LEN(file_answers) },
    { .method = HTTP_DELETE,
      .path = "/api/v1/images/{id}",
      .handle = delete_image,
      .access = ACCESS_MANAGER,
      .tag = "images",
      .summary = "Delete: image",
      .operation_id = "deleteImage",
      .parameters = delete_parameters,
      .parameter_count = ARRAY_LEN(delete_parameters),
      .answers = delete_answers,
      .answer_count = ARRAY_LEN(delete_answers) },
};
const size_t image_route_count = ARRAY_LEN(image_routes);

#define URL "{\"type\":\"string\",\"format\":\"uri-reference\"}"

void image_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "ImageSizes",
        "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"enum\":[\"320\","
        "\"1280\",\"original\"]},\"width\":{\"type\":\"integer\"},\"height\":{\"type\":\"integer\"},\"bytes\":{\"type\":"
        "\"integer\"}},\"required\":[\"name\",\"width\",\"height\",\"bytes\"]}}");
    add(to, "ImageUrls",
        "{\"type\":\"object\",\"description\":\"Addresses for an <img>, without credentials; they end after some hours.\","
        "\"properties\":{\"320\":" URL ",\"1280\":" URL ",\"original\":" URL
        "},\"required\":[\"320\",\"1280\",\"original\"]}");
}
