/* Writers of the four forms. */
#include "cli/report_export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/timeutil.h"

const char *const export_format_names[] = { "json", "geojson", "gpx", "csv", NULL };

/* ---- order ---- */

static int by_time(const void *left, const void *right)
{
    const struct export_row *a = left, *b = right;
    if (a->report.time != b->report.time)
        return a->report.time < b->report.time ? -1 : 1;
    return strcmp(a->id, b->id);
}

static const char *track_of(const struct export_row *row)
{
    return row->name != NULL ? row->name : row->id;
}

static int by_track(const void *left, const void *right)
{
    int order = strcmp(track_of(left), track_of(right));
    return order != 0 ? order : by_time(left, right);
}

void export_sort(enum export_format format, struct export_row *rows, size_t count)
{
    if (count > 0)
        qsort(rows, count, sizeof(*rows), format == EXPORT_GPX ? by_track : by_time);
}

/* ---- JSON ---- */

static void put_properties(struct json *json, const struct export_row *row, bool position)
{
    const struct report *report = &row->report;
    json_put_text(json, "name", row->name);
    json_put_text(json, "hashed_advertisement_key", row->id);
    json_put_time(json, "timestamp", report->time);
    if (position) {
        json_put_double(json, "latitude", report->lat_e7 / 1e7);
        json_put_double(json, "longitude", report->lon_e7 / 1e7);
    }
    json_put_int(json, "horizontal_accuracy", report->accuracy);
    json_put_int(json, "confidence", report->confidence);
    json_put_int(json, "status", report->status);
    json_put_text(json, "battery", battery_name(report_battery(report->status)));
    if (row->published == INT64_MIN)
        json_put_null(json, "published_at");
    else
        json_put_time(json, "published_at", row->published);
}

static void write_json(const struct export_row *rows, size_t count, struct buf *out)
{
    struct json json;
    json_begin(&json, out);
    json_start_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_start_object(&json);
        put_properties(&json, &rows[i], true);
        json_end_object(&json);
    }
    json_end_array(&json);
    buf_putc(out, '\n');
}

/* RFC 7946: longitude first */
static void write_geojson(const struct export_row *rows, size_t count, struct buf *out)
{
    struct json json;
    json_begin(&json, out);
    json_start_object(&json);
    json_put_text(&json, "type", "FeatureCollection");
    json_key(&json, "features");
    json_start_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_start_object(&json);
        json_put_text(&json, "type", "Feature");
        json_key(&json, "geometry");
        json_start_object(&json);
        json_put_text(&json, "type", "Point");
        json_key(&json, "coordinates");
        json_start_array(&json);
        json_double(&json, rows[i].report.lon_e7 / 1e7);
        json_double(&json, rows[i].report.lat_e7 / 1e7);
        json_end_array(&json);
        json_end_object(&json);
        json_key(&json, "properties");
        json_start_object(&json);
        put_properties(&json, &rows[i], false);
        json_end_object(&json);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    buf_putc(out, '\n');
}

/* ---- GPX ---- */

/* Characters that XML 1.0 cannot hold at all are left out. */
static void put_xml(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '&')
            buf_puts(out, "&amp;");
        else if (*p == '<')
            buf_puts(out, "&lt;");
        else if (*p == '>')
            buf_puts(out, "&gt;");
        else if ((unsigned char)*p >= ' ' || *p == '\t')
            buf_putc(out, *p);
    }
}

/* Degrees from integers, so that no digit is made up. */
static void put_degrees(struct buf *out, int32_t e7)
{
    int64_t value = e7 < 0 ? -(int64_t)e7 : e7;
    buf_printf(out, "%s%" PRId64 ".%07" PRId64, e7 < 0 ? "-" : "", value / 10000000, value % 10000000);
}

static void write_gpx(const struct export_row *rows, size_t count, struct buf *out)
{
    char time[RFC3339_SIZE];
    buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<gpx version=\"1.1\" creator=\"trackerd\" xmlns=\"http://www.topografix.com/GPX/1/1\">\n");
    for (size_t i = 0; i < count; i++) {
        bool first = i == 0 || strcmp(track_of(&rows[i - 1]), track_of(&rows[i])) != 0;
        bool last = i + 1 == count || strcmp(track_of(&rows[i + 1]), track_of(&rows[i])) != 0;
        if (first) {
            buf_puts(out, "<trk><name>");
            put_xml(out, track_of(&rows[i]));
            buf_puts(out, "</name><trkseg>\n");
        }
        buf_puts(out, "<trkpt lat=\"");
        put_degrees(out, rows[i].report.lat_e7);
        buf_puts(out, "\" lon=\"");
        put_degrees(out, rows[i].report.lon_e7);
        buf_printf(out, "\"><time>%s</time></trkpt>\n", time_format(rows[i].report.time, time));
        if (last)
            buf_puts(out, "</trkseg></trk>\n");
    }
    buf_puts(out, "</gpx>\n");
}

/* ---- CSV (RFC 4180) ---- */

/* A name that a spreadsheet would take for a formula is made plain text by a leading apostrophe. */
static void put_csv(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    if (text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL)
        buf_putc(out, '\'');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"')
            buf_putc(out, '"');
        buf_putc(out, *p);
    }
    buf_putc(out, '"');
}

static void write_csv(const struct export_row *rows, size_t count, struct buf *out)
{
    char time[RFC3339_SIZE];
    buf_puts(
        out,
        "name,hashed_advertisement_key,timestamp,latitude,longitude,horizontal_accuracy,confidence,status,"
        "battery,published_at\r\n");
    for (size_t i = 0; i < count; i++) {
        const struct report *report = &rows[i].report;
        put_csv(out, rows[i].name != NULL ? rows[i].name : "");
        buf_printf(out, ",%s,%s,", rows[i].id, time_format(report->time, time));
        put_degrees(out, report->lat_e7);
        buf_putc(out, ',');
        put_degrees(out, report->lon_e7);
        buf_printf(out, ",%u,%u,%u,%s,%s\r\n", report->accuracy, report->confidence, report->status,
                   battery_name(report_battery(report->status)),
                   rows[i].published == INT64_MIN ? "" : time_format(rows[i].published, time));
    }
}

void export_write(enum export_format format, const struct export_row *rows, size_t count, struct buf *out)
{
    static void (*const writers[])(const struct export_row *, size_t, struct buf *) = {
        [EXPORT_JSON] = write_json,
        [EXPORT_GEOJSON] = write_geojson,
        [EXPORT_GPX] = write_gpx,
        [EXPORT_CSV] = write_csv,
    };
    writers[format](rows, count, out);
}
