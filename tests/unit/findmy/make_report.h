/* Encrypts location reports the way a finder does, for tests and benchmarks. */
#ifndef TESTS_FINDMY_MAKE_REPORT_H
#define TESTS_FINDMY_MAKE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "findmy/report.h"

struct plain_report {
    uint32_t seconds; /* since 2001 */
    uint8_t confidence;
    int32_t lat_e7, lon_e7;
    uint8_t accuracy, status;
};

/* Encrypt to the tag with this private key; form is REPORT_SHORT or REPORT_LONG. Ends the program on failure.
 */
void make_report(const uint8_t private_key[FINDMY_PRIVATE_SIZE], const struct plain_report *plain,
                 size_t form, uint8_t payload[REPORT_LONG]);

#endif
