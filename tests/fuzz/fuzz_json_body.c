/* Fuzzes JSON bodies: what is read can be written, and then reads the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { .code = "" };
    json_t *value = json_read((const char *)data, size, &err);
    if (value == NULL) {
        if (!error_is(&err, "invalid_json") || !utf8_valid(err.message, strlen(err.message)))
            abort();
        return 0;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    json_t *again = text != NULL ? json_read(text, strlen(text), &err) : NULL;
    if (again == NULL || !json_equal(value, again))
        abort();
    json_decref(again);
    json_decref(value);
    free(text);
    return 0;
}
