/* Asking a person for a secret, or taking it from a pipe: never from an argument, which all users of a
 * machine can see. */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A line from the terminal without echo, or from standard input when that is no terminal: without its line
 * end, at most max bytes. False with "input" when there is none. text has max + 1 bytes and is a secret. */
MUST_CHECK bool prompt_secret(const char *prompt, char *text, size_t max, struct error *err);
bool prompt_is_interactive(void);

#endif
