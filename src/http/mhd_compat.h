/* What differs between the versions of libmicrohttpd of Debian 12 (0.9.75) and 13 (1.0). */
#ifndef HTTP_MHD_COMPAT_H
#define HTTP_MHD_COMPAT_H

#include <microhttpd.h>

#include "http/request_private.h"

/* 1.0 can be told to be strict. 0.9.75 cannot (its checks are few, and one is inverted): there we look at
 * the bytes ourselves, with layout_is_strict. */
#if MHD_VERSION >= 0x00097701
#define MHD_STRICT_OPTION MHD_OPTION_CLIENT_DISCIPLINE_LVL, (int)1
#else
#define MHD_STRICT_OPTION MHD_OPTION_STRICT_FOR_CLIENT, (int)0
#endif

/* Was the head of the request written in the one strict form: single spaces in the request line, every line
 * ended by CRLF, no continued lines, no NUL? Parsing left the head in place with its separators overwritten
 * by NUL, so the positions of names and values tell. target is the raw request target in place. */
bool layout_is_strict(struct MHD_Connection *connection, const char *method, const char *target,
                      size_t target_len, const char *version);

#endif
