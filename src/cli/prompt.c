/* Asking a person for a secret, or taking it from a pipe. */
#include "cli/prompt.h"

#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

bool prompt_is_interactive(void)
{
    return isatty(STDIN_FILENO) == 1;
}

bool prompt_secret(const char *prompt, char *text, size_t max, struct error *err)
{
    struct termios before, silent;
    bool terminal = prompt_is_interactive() && tcgetattr(STDIN_FILENO, &before) == 0;
    size_t len = 0;
    ssize_t got;
    char c;
    if (terminal) {
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH,
                  &silent); /* before the prompt: what is typed after it must not be lost */
        fprintf(stderr, "%s: ", prompt);
    }
    /* Byte by byte, so that no buffer of the C library keeps a copy. */
    bool ended = false, fits = true;
    while (!ended && ((got = read(STDIN_FILENO, &c, 1)) == 1 || (got < 0 && errno == EINTR))) {
        if (got < 0)
            continue;
        ended = c == '\n';
        if (!ended && (fits = len < max))
            text[len++] = c;
        if (!fits)
            break;
    }
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (len > 0 && text[len - 1] == '\r')
        len--;
    text[len] = '\0';
    c = 0;
    if (!fits)
        return error_set(err, "input", "the input is too long");
    return len > 0 || error_set(err, "input", "no %s was given", prompt);
}
