/* What went wrong, for a person: a stable code and one sentence.
 *
 * Doctrine of the whole code base: a function that can fail returns bool (true: done) or a pointer (NULL:
 * failed), is marked MUST_CHECK, and fills the struct error the caller passed when the caller needs the
 * reason. A function that failed has released what it took and left its out-parameters untouched unless its
 * header says otherwise. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

struct error {
    const char *code;  /* static string in snake_case, stable for callers and tests; "" when nothing failed */
    char message[512]; /* one sentence without secrets, cut at this length */
};

/* Fill *err (NULL is allowed) and return false, so that a failing path reads `return error_set(err, …);`. */
bool error_set(struct error *err, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Put context in front of the message that is already there ("reading keys.json: …"). Returns false. */
bool error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* True when err holds exactly this code. */
bool error_is(const struct error *err, const char *code);

#endif
