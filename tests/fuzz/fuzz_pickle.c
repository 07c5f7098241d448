/* Pickles: whatever comes in, it is refused or a plain value that survives being written and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "tasks/pickle.h"
#include "tasks/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { "", "" };
    json_t *value = pickle_read(data, size, &err);
    if (value == NULL) {
        if (err.code[0] == '\0')
            abort();
        return 0;
    }
    struct buf out = { 0 };
    pickle_write(&out, value);
    json_t *again = pickle_read(out.data, out.len, &err);
    if (again == NULL || value_too_deep(again))
        abort();
    buf_free(&out);
    json_decref(again);
    json_decref(value);
    return 0;
}
