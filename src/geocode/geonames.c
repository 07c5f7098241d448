/* GeoNames' fields, checked, chosen and escaped. */
#include "geocode/geonames.h"

#include <inttypes.h>
#include <string.h>

#include "base/encode.h"
#include "base/parse.h"

/* Columns of a gazetteer, in its order. */
enum {
    ID,
    NAME,
    ASCII_NAME,
    ALTERNATE_NAMES,
    LATITUDE,
    LONGITUDE,
    FEATURE_CLASS,
    FEATURE_CODE,
    COUNTRY,
    OTHER_COUNTRIES,
    ADMIN1,
    ADMIN2,
    ADMIN3,
    ADMIN4,
    POPULATION,
    ELEVATION,
    DEM,
    TIMEZONE,
    MODIFIED,
    PLACE_FIELDS
};

/* Populated places that are no more, or are only ruins. */
static const char *const gone[] = { "PPLH", "PPLQ", "PPLW", "PPLCH", NULL };

/* As the database bounds them (characters). */
#define MAX_NAME  200
#define MAX_OTHER 10000

/* A line that COPY takes: UTF-8 without NUL and without a line break of whatever kind inside. */
static bool is_line(const char *line, size_t len)
{
    return utf8_valid(line, len) && memchr(line, '\r', len) == NULL && memchr(line, '\n', len) == NULL;
}

/* Cuts the line at its tabs. Returns how many fields there are, at most `max` of them in `fields`. */
static size_t split(char *line, size_t len, char **fields, size_t max)
{
    size_t count = 0;
    line[len] = '\0';
    for (char *rest = line; rest != NULL; count++) {
        char *field = strsep(&rest, "\t");
        if (count < max)
            fields[count] = field;
    }
    return count;
}

/* One value of COPY's text format. Tabs and line breaks cannot be in a field. */
static void put(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

static bool country_form(const char *text)
{
    return strlen(text) == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z';
}

static bool within(const char *text, double limit)
{
    double value;
    return parse_double(text, &value) && value >= -limit && value <= limit;
}

static enum geonames_line bad(struct error *err, const char *what)
{
    error_set(err, "geonames", "%s", what);
    return GEONAMES_BAD;
}

enum geonames_line geonames_place(char *line, size_t len, struct buf *out, struct error *err)
{
    char *f[PLACE_FIELDS];
    int64_t id, population = 0;
    if (!is_line(line, len))
        return bad(err, "is no line of UTF-8 text");
    if (split(line, len, f, PLACE_FIELDS) != PLACE_FIELDS)
        return bad(err, "does not have the 19 fields of a GeoNames gazetteer");
    if (!parse_i64_range(f[ID], 1, INT64_MAX, &id))
        return bad(err, "does not begin with a geonameid");
    if (!within(f[LATITUDE], 90) || !within(f[LONGITUDE], 180))
        return bad(err, "has no position on the globe");
    if (f[POPULATION][0] != '\0' && !parse_i64_range(f[POPULATION], 0, INT64_MAX, &population))
        return bad(err, "has a population that is no number");
    if (strcmp(f[FEATURE_CLASS], "P") != 0 || word_index(gone, f[FEATURE_CODE]) >= 0 ||
        !country_form(f[COUNTRY]) || f[NAME][0] == '\0')
        return GEONAMES_SKIPPED;
    /* bytes, of which there are never fewer than characters: what passes here fits there */
    if (strlen(f[NAME]) > MAX_NAME || strlen(f[ASCII_NAME]) > MAX_NAME)
        return GEONAMES_SKIPPED;
    if (strlen(f[ALTERNATE_NAMES]) > MAX_OTHER)
        f[ALTERNATE_NAMES][0] = '\0';

    bool section = strcmp(f[FEATURE_CODE], "PPLX") == 0;
    buf_printf(out, "%" PRId64 "\t", id);
    put(out, f[NAME]);
    buf_putc(out, '\t');
    put(out, f[ASCII_NAME]);
    buf_putc(out, '\t');
    put(out, f[ALTERNATE_NAMES]);
    buf_printf(out, "\t%s\t%s\t%c\t%s.", f[LATITUDE], f[LONGITUDE], section ? 't' : 'f', f[COUNTRY]);
    put(out, f[ADMIN1]);
    buf_printf(out, "\t%s\t%" PRId64 "\n", f[COUNTRY], population);
    return GEONAMES_ROW;
}

enum geonames_line geonames_region(char *line, size_t len, struct buf *out, struct error *err)
{
    /* GeoNames' own file has two more: an ASCII name and the geonameid. */
    char *f[4];
    if (!is_line(line, len))
        return bad(err, "is no line of UTF-8 text");
    size_t count = split(line, len, f, ARRAY_LEN(f));
    if (count != 2 && count != 4)
        return bad(err, "does not have the fields of admin1CodesASCII.txt");
    if (f[0][0] == '\0' || f[1][0] == '\0' || strlen(f[1]) > MAX_NAME)
        return GEONAMES_SKIPPED;
    put(out, f[0]);
    buf_putc(out, '\t');
    put(out, f[1]);
    buf_putc(out, '\n');
    return GEONAMES_ROW;
}
