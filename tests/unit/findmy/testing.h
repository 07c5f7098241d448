/* cmocka with what it wants included first. */
#ifndef TESTS_FINDMY_TESTING_H
#define TESTS_FINDMY_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
