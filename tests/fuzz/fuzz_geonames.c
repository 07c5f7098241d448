/* Lines of GeoNames files: a row that is taken is one line of COPY with the promised number of columns. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "geocode/geonames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(enum geonames_line kind, const struct buf *out, size_t columns)
{
    size_t tabs = 0, breaks = 0;
    for (size_t i = 0; i < out->len; i++) {
        tabs += out->data[i] == '\t';
        breaks += out->data[i] == '\n';
    }
    if (kind == GEONAMES_ROW ? tabs != columns - 1 || breaks != 1 || out->data[out->len - 1] != '\n'
                             : out->len != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);
    if (line == NULL)
        return 0;
    struct buf place = { 0 }, region = { 0 };
    struct error err;
    memcpy(line, data, size);
    check(geonames_place(line, size, &place, &err), &place, 10);
    memcpy(line, data, size);
    check(geonames_region(line, size, &region, &err), &region, 2);
    buf_free(&place);
    buf_free(&region);
    free(line);
    return 0;
}
