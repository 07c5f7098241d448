/* Import of trackers: CSV row by row here, the other files in tracker_keyfile.c. All or nothing. */
#include "api/tracker_import.h"

#include <inttypes.h>
#include <string.h>

#include "api/app.h"
#include "base/csv.h"
#include "base/encode.h"
#include "base/parse.h"
#include "findmy/keys.h"

static const char *const formats[] = { "csv", "json", "keys", "plist", NULL };
enum format { FORMAT_CSV, FORMAT_JSON, FORMAT_KEYS, FORMAT_PLIST };

#define CSV_HEADER "ID/Name,Advertisement Key,Private Key,Hashed Adv Key,MAC Address\r\n"

/* A row is a name of 200 characters and four short texts. */
#define MAX_CSV_ROW 4096

/* ---- CSV ---- */

enum column { NAME, ADVERTISEMENT, PRIVATE, HASH, MAC, COLUMNS };

/* Headings without case, with blanks for underscores; the second forms are those of `trackerd keys generate`.
 */
static const struct {
    const char *heading;
    enum column column;
} headings[] = {
    { "id/name", NAME },
    { "name", NAME },
    { "id", NAME },
    { "advertisement key", ADVERTISEMENT },
    { "private key", PRIVATE },
    { "hashed adv key", HASH },
    { "hashed advertisement key", HASH },
    { "mac address", MAC },
};

/* As they are called in errors. */
static const char *const column_names[] = { "name", "advertisement_key", "private_key",
                                            "hashed_advertisement_key", "mac_address" };

struct csv_import {
    struct load *load;
    bool headed;   /* the header was read */
    bool answered; /* the database failed */
    size_t columns;
    int at[COLUMNS]; /* position in the row, -1: not in the file */
};

struct cell {
    const char *text;
    size_t len;
};

static struct cell trimmed(const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    return (struct cell){ text, len };
}

static int heading_of(struct cell cell)
{
    char text[32];
    if (cell.len >= sizeof(text))
        return -1;
    for (size_t i = 0; i < cell.len; i++) {
        char c = cell.text[i];
        text[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c == '_' ? ' ' : c;
    }
    text[cell.len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(headings); i++)
        if (strcmp(text, headings[i].heading) == 0)
            return (int)headings[i].column;
    return -1;
}

/* What stands in the header is not repeated: without a header it would be a key. */
static bool take_header(struct csv_import *import, const struct csv_row *row, struct error *err)
{
    for (int c = 0; c < COLUMNS; c++)
        import->at[c] = -1;
    for (size_t i = 0; i < row->count; i++) {
        int column = heading_of(trimmed(row->fields[i], row->lengths[i]));
        if (column < 0)
            return error_set(err, "unknown_column",
                             "column %zu of the header has no known name; take the template", i + 1);
        if (import->at[column] >= 0)
            return error_set(err, "duplicate_column", "column %zu of the header is there twice", i + 1);
        import->at[column] = (int)i;
    }
    if (import->at[NAME] < 0 || import->at[PRIVATE] < 0)
        return error_set(err, "missing_column", "the header lacks ID/Name or Private Key");
    import->columns = row->count;
    import->headed = true;
    return true;
}

static struct cell cell_of(const struct csv_import *import, const struct csv_row *row, enum column column)
{
    int at = import->at[column];
    return at >= 0 ? trimmed(row->fields[at], row->lengths[at]) : (struct cell){ "", 0 };
}

/* Base64 or hex of exactly size bytes. */
static bool decode(struct cell cell, uint8_t *out, size_t size)
{
    size_t len;
    if (cell.len == 2 * size)
        return hex_decode(cell.text, cell.len, out, size, &len) && len == size;
    return base64_decode(cell.text, cell.len, out, size, &len) && len == size;
}

static bool decode_mac(struct cell cell, uint8_t mac[FINDMY_MAC_SIZE])
{
    char digits[2 * FINDMY_MAC_SIZE];
    size_t n = 0, len;
    for (size_t i = 0; i < cell.len; i++) {
        if (cell.text[i] == ':' || cell.text[i] == '-')
            continue;
        if (n == sizeof(digits))
            return false;
        digits[n++] = cell.text[i];
    }
    return n == sizeof(digits) && hex_decode(digits, n, mac, FINDMY_MAC_SIZE, &len);
}

/* A stated value must be what follows from the private key. */
static bool stated_right(struct csv_import *import, const struct csv_row *row, enum column column,
                         const uint8_t *expected, size_t size)
{
    uint8_t stated[FINDMY_HASH_SIZE];
    struct cell cell = cell_of(import, row, column);
    if (cell.len == 0)
        return true;
    if (!(column == MAC ? decode_mac(cell, stated) : decode(cell, stated, size)))
        load_error(import->load, row->line, column_names[column], "invalid",
                   column == MAC ? "is not an address" : "is not base64 or hex of %zu bytes", size);
    else if (memcmp(stated, expected, size) != 0)
        load_error(import->load, row->line, column_names[column], "mismatch",
                   "does not belong to the private key");
    else
        return true;
    return false;
}

static bool all_right(struct csv_import *import, const struct csv_row *row, const struct findmy_public *key)
{
    uint8_t mac[FINDMY_MAC_SIZE];
    findmy_mac(key->adv, mac);
    bool advertisement = stated_right(import, row, ADVERTISEMENT, key->adv, sizeof(key->adv));
    bool hash = stated_right(import, row, HASH, key->hash, sizeof(key->hash));
    return stated_right(import, row, MAC, mac, sizeof(mac)) && advertisement && hash;
}

static bool read_private(struct csv_import *import, const struct csv_row *row,
                         uint8_t private_key[FINDMY_PRIVATE_SIZE], struct findmy_public *public_key)
{
    struct error err;
    struct cell cell = cell_of(import, row, PRIVATE);
    if (cell.len == 0)
        load_error(import->load, row->line, "private_key", "required", "is empty");
    else if (!findmy_private_parse(cell.text, cell.len, private_key, &err) ||
             !findmy_derive(private_key, public_key, &err))
        load_error(import->load, row->line, "private_key", "invalid", "%s", err.message);
    else
        return true;
    return false;
}

/* Rows that spreadsheets leave behind: separators and nothing else. */
static bool row_empty(const struct csv_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        if (trimmed(row->fields[i], row->lengths[i]).len > 0)
            return false;
    return true;
}

static bool take_row(void *to, const struct csv_row *row, struct error *err)
{
    struct csv_import *import = to;
    if (!import->headed)
        return take_header(import, row, err);
    if (row_empty(row))
        return true;
    if (load_counts(import->load).rows == LOAD_MAX_ITEMS)
        return error_set(err, "too_many", "the file has more than %d rows", LOAD_MAX_ITEMS);
    if (row->count != import->columns) {
        load_error(import->load, row->line, "", "columns", "has %zu columns, the header has %zu", row->count,
                   import->columns);
        load_skip(import->load);
        return true;
    }
    struct load_item item = { .row = row->line };
    struct cell name = cell_of(import, row, NAME);
    char name_text[MAX_CSV_ROW + 1];
    memcpy(name_text, name.text, name.len);
    name_text[name.len] = '\0';
    uint8_t private_key[FINDMY_PRIVATE_SIZE] = { 0 };
    item.name = name_text;
    item.private_key = private_key;
    if (!read_private(import, row, private_key, &item.public_key) ||
        !all_right(import, row, &item.public_key))
        load_skip(import->load);
    else
        import->answered = !load_add(import->load, &item);
    wipe(private_key, sizeof(private_key));
    return !import->answered || error_set(err, "answered", "the database failed");
}

/* Excel writes semicolons where the comma stands in numbers. */
static char separator_of(struct upload_part file)
{
    for (size_t i = 0; i < file.len && file.data[i] != '\n'; i++)
        if (file.data[i] == ',' || file.data[i] == ';' || file.data[i] == '\t')
            return file.data[i];
    return ',';
}

static bool import_csv(struct load *load, struct upload_part file)
{
    struct error err = { "", "" };
    struct csv_import import = { .load = load };
    struct csv *csv = csv_new(separator_of(file), MAX_CSV_ROW, take_row, &import);
    bool read = csv_feed(csv, file.data, file.len, &err) && csv_finish(csv, &err);
    csv_free(csv);
    if (import.answered)
        return false;
    if (!read)
        load_error(load, 0, "", err.code, "%s", err.message);
    else if (!import.headed)
        load_error(load, 0, "", "missing_column", "the file is empty");
    return true;
}

/* ---- the request ---- */

struct options {
    int64_t client_id, run_id;
    bool dry_run;
    enum format format;
};

static void take_id(struct request *req, const struct upload *upload, const char *name, bool required,
                    int64_t *id)
{
    const char *text = upload_option(req, upload, name);
    *id = 0;
    if (text == NULL || text[0] == '\0') {
        if (required)
            problem_field(req, name, "required", "is required");
        return;
    }
    if (!parse_i64_range(text, 1, INT64_MAX, id))
        problem_field(req, name, "invalid", "must be an id");
}

static bool starts_with(struct upload_part file, size_t at, const char *text)
{
    size_t len = strlen(text);
    return file.len - at >= len && memcmp(file.data + at, text, len) == 0;
}

/* By the option, the media type, or the look of it. */
static enum format format_of(struct request *req, const struct upload *upload)
{
    const char *text = upload_option(req, upload, "format");
    if (text != NULL) {
        int index = word_index(formats, text);
        if (index < 0)
            problem_field(req, "format", "invalid", "must be csv, json, keys or plist");
        return index < 0 ? FORMAT_CSV : (enum format)index;
    }
    if (strcmp(upload->type, "text/csv") == 0)
        return FORMAT_CSV;
    if (strcmp(upload->type, "application/json") == 0)
        return FORMAT_JSON;
    size_t line = 0, at = 0;
    while (at < upload->file.len && strchr(" \t\r\n", upload->file.data[at]) != NULL)
        at++;
    if (at < upload->file.len && (upload->file.data[at] == '[' || upload->file.data[at] == '{'))
        return FORMAT_JSON;
    if (starts_with(upload->file, at, "<") || starts_with(upload->file, at, "bplist"))
        return FORMAT_PLIST;
    while (line < upload->file.len && upload->file.data[line] != '\n')
        line++;
    return line > 0 && memchr(upload->file.data, ',', line) != NULL ? FORMAT_CSV : FORMAT_KEYS;
}

static bool take_options(struct request *req, const struct upload *upload, struct options *options)
{
    take_id(req, upload, "client_id", true, &options->client_id);
    take_id(req, upload, "production_run_id", false, &options->run_id);
    const char *dry = upload_option(req, upload, "dry_run");
    if (dry != NULL && !parse_bool(dry, &options->dry_run))
        problem_field(req, "dry_run", "invalid", "must be true or false");
    options->format = format_of(req, upload);
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

static void write_result(struct json *json, const struct load *load, const struct options *options)
{
    struct load_counts counts = load_counts(load);
    json_put_bool(json, "dry_run", options->dry_run);
    json_put_text(json, "format", formats[options->format]);
    json_put_int(json, "rows", counts.rows);
    json_put_int(json, "trackers", counts.trackers);
    json_put_int(json, "keys", counts.keys);
    json_put_int(json, "failed", counts.failed);
    json_put_int(json, "error_count", counts.errors);
    json_key(json, "errors");
    json_start_array(json);
    load_write_errors(load, json);
    json_end_array(json);
    json_end_object(json);
}

static void reply_result(struct request *req, const struct load *load, const struct options *options)
{
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    write_result(&json, load, options);
    reply_json(req, 200, &body);
}

/* A problem with the result's members besides its own. */
static void reply_refused(struct request *req, const struct load *load, const struct options *options)
{
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_text(&json, "type", "about:blank");
    json_put_text(&json, "title", "Import refused");
    json_put_int(&json, "status", 422);
    json_put_text(&json, "code", "import_refused");
    json_put_text(&json, "detail", "The file has errors, so nothing of it was taken.");
    write_result(&json, load, options);
    req->error_code = "import_refused";
    reply_text(req, 422, "application/problem+json", body.data, body.len);
    buf_free(&body);
}

/* In a transaction. True: it may be committed. Otherwise answered, or the load has errors. */
static bool run_import(struct request *req, struct load *load, const struct upload *upload,
                       const struct options *options)
{
    bool read = options->format == FORMAT_CSV ? import_csv(load, upload->file)
                                              : tracker_keyfile_load(req, load, upload->file);
    if (!read || !load_finish(load) || load_counts(load).errors > 0 || options->dry_run)
        return false;
    return load_conclude(load, "import");
}

/* POST /trackers/import. A dry run does all the work and takes it back: what it says is what would happen. */
static void import_trackers(struct request *req)
{
    struct upload upload;
    struct options options = { 0 };
    struct error err;
    if (!upload_open(req, &upload) || !take_options(req, &upload, &options) ||
        !load_target_valid(req, options.client_id, options.run_id))
        return;
    if (!db_begin(req->db, &err)) {
        reply_unavailable(req, "database_unavailable", 2, "The database is away; try again in a moment.");
        return;
    }
    struct load *load = load_new(req, options.client_id, options.run_id);
    if (!run_import(req, load, &upload, &options)) {
        db_rollback(req->db);
        if (req->status != 0)
            return;
        if (options.dry_run)
            reply_result(req, load, &options);
        else
            reply_refused(req, load, &options);
        return;
    }
    if (!db_commit(req->db, &err)) {
        reply_unavailable(req, "database_unavailable", 2,
                          "The database went away; look whether the import took place.");
        return;
    }
    note_write(req);
    reply_result(req, load, &options);
}

/* GET /trackers/import/template */
static void import_template(struct request *req)
{
    reply_header(req, "Content-Disposition", "attachment; filename=\"trackers.csv\"");
    reply_text(req, 200, "text/csv", CSV_HEADER, strlen(CSV_HEADER));
}

/* ---- routes ---- */

static const struct parameter import_parameters[] = {
    { .name = "client_id",
      .type = VALUE_ID,
      .about = "The client of the new trackers; here or in the form." },
    { .name = "production_run_id", .type = VALUE_ID, .about = "A run of the client for all of them." },
    { .name = "dry_run",
      .type = VALUE_BOOL,
      .about = "Check everything, also against the database, and keep nothing." },
    { .name = "format", .type = VALUE_ENUM, .words = formats, .about = "Left out: told by type or content." },
};
static const struct answer import_answers[] = {
    { 200, "ImportResult", "What was taken, or with dry_run would be, and the errors." },
    { 400, "Problem", "No body, or a form that is not whole.", "application/problem+json" },
    { 422, "ImportRefused", "An option is not valid, or the file has errors: nothing was taken.",
      "application/problem+json" },
    { 503, "Problem", "The database is away, or there is no master key.", "application/problem+json" },
};
static const struct answer template_answers[] = {
    { 200, "Text", "The header of the CSV form.", "text/csv" },
};

const struct route tracker_import_routes[] = {
    { .method = HTTP_POST,
      .path = "/api/v1/trackers/import",
      .handle = import_trackers,
      .access = ACCESS_MANAGER,
      .flags = ROUTE_UPLOAD | ROUTE_NO_BODY_LOG,
      .tag = "trackers",
      .summary = "Import trackers from a file of keys",
      .about =
          "CSV by the template, accessory lists of OpenHaystack and macless-haystack (JSON), .keys files, or an "
          "accessory with rolling keys (FindMy.py JSON, property list of macOS); as the part `file` of a form or "
          "as the whole body. All or nothing: every row must have a private key "
          "to which the other columns belong, and name, address and key that no other tracker has. Up to "
          "200,000 rows of CSV, 20,000 keys of the other forms. The first 1,000 errors are listed by row: the "
          "line of a CSV file, the number of the key in others.",
      .operation_id = "importTrackers",
      .parameters = import_parameters,
      .parameter_count = ARRAY_LEN(import_parameters),
      .body_schema = "ImportForm",
      .body_content_type = "multipart/form-data",
      .answers = import_answers,
      .answer_count = ARRAY_LEN(import_answers) },
    { .method = HTTP_GET,
      .path = "/api/v1/trackers/import/template",
      .handle = import_template,
      .access = ACCESS_MANAGER,
      .tag = "trackers",
      .summary = "The CSV form of an import, empty",
      .operation_id = "getImportTemplate",
      .answers = template_answers,
      .answer_count = ARRAY_LEN(template_answers) },
};
const size_t tracker_import_route_count = ARRAY_LEN(tracker_import_routes);
