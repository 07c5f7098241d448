/* Checks the layout of a parsed head where libmicrohttpd is too lenient to do it. */
#include "http/mhd_compat.h"

#include <string.h>

#if MHD_VERSION >= 0x00097701

bool layout_is_strict(struct MHD_Connection *connection, const char *method, const char *target,
                      size_t target_len, const char *version)
{
    (void)connection;
    (void)method;
    (void)target;
    (void)target_len;
    (void)version;
    return true; /* it has refused anything else */
}

#else

#define CRLF_LEN 2

struct layout {
    const char *next; /* where the next line must begin */
    bool strict;
};

/* "Name: value" CRLF; what is between name and value was ":" and then spaces. A continued line has been moved
 * elsewhere, a line that ended with a bare CR or LF is too short, one with a NUL in it too long. */
static enum MHD_Result check_line(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                  const char *value, size_t value_len)
{
    struct layout *layout = cls;
    (void)kind;
    if (name != layout->next || value == NULL || value <= name + name_len) {
        layout->strict = false;
        return MHD_NO;
    }
    for (const char *c = name + name_len + 1; c < value; c++)
        if (*c != ' ' && *c != '\t')
            layout->strict = false;
    layout->next = value + value_len + CRLF_LEN;
    return layout->strict ? MHD_YES : MHD_NO;
}

bool layout_is_strict(struct MHD_Connection *connection, const char *method, const char *target,
                      size_t target_len, const char *version)
{
    if (target != method + strlen(method) + 1 || version != target + target_len + 1)
        return false;
    struct layout layout = { .next = version + strlen(version) + CRLF_LEN, .strict = true };
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, check_line, &layout);
    const union MHD_ConnectionInfo *size = MHD_get_connection_info(connection,
                                                                   MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return layout.strict && size != NULL && method + size->header_size == layout.next + CRLF_LEN;
}

#endif
