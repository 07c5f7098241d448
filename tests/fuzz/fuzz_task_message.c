/* Task messages: whatever comes in, it is refused with a reason or a message that survives being sent on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tasks/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct task_message message, again;
    struct error err = { "", "" };
    struct buf out = { 0 };
    if (!message_read(arena, (const char *)data, size, &message, &err)) {
        if (err.code[0] == '\0')
            abort();
    } else {
        message_write(&out, &message);
        if (!message_read(arena, buf_text(&out), out.len, &again, &err) ||
            strcmp(again.id, message.id) != 0 || strcmp(again.name, message.name) != 0)
            abort();
    }
    buf_free(&out);
    arena_free(arena);
    return 0;
}
