/* Lines of GeoNames' dumps (cities500.txt, a country's or allCountries.txt; admin1CodesASCII.txt), as rows
 * for COPY.
 *
 * The formats are GeoNames' own: UTF-8, fields separated by tabs, no header and no quoting. See
 * https://download.geonames.org/export/dump/readme.txt. Nothing here keeps a line: a dump of 12 million of
 * them streams through. */
#ifndef GEOCODE_GEONAMES_H
#define GEOCODE_GEONAMES_H

#include "base/buf.h"
#include "base/error.h"

/* The longest line is a metropolis with all its names, some 12 KB. */
#define GEONAMES_MAX_LINE (64u * 1024)

enum geonames_line {
    GEONAMES_ROW,     /* appended to out */
    GEONAMES_SKIPPED, /* a mountain, an abandoned village, a line without a country: nothing to name places by
                       */
    GEONAMES_BAD,     /* err says what is wrong with it; code "geonames" */
};

/* One line of a gazetteer, without its line break. It is cut into fields in place. The row has the columns
 * GEONAMES_PLACE_COLUMNS. */
#define GEONAMES_PLACE_COLUMNS                                                                               \
    "id, name, ascii_name, other_names, latitude, longitude, is_section, region_code, country_code, "        \
    "population"
enum geonames_line geonames_place(char *line, size_t len, struct buf *out, struct error *err);

/* One line of admin1CodesASCII.txt; columns code ("DE.04") and name. */
enum geonames_line geonames_region(char *line, size_t len, struct buf *out, struct error *err);

#endif
