/* SPDX-License-Identifier: MIT
 * What the tests of descriptors and streams share. */
#ifndef TESTS_TASK_NET_H
#define TESTS_TASK_NET_H

#include "tests/task/task.h"

/* IN_TASK, on the backends that have descriptors. */
#define ON_REAL(name)               \
    static void name##__real(void); \
    IN_TASK(name)                   \
    {                               \
        if (!is_virtual()) {        \
            name##__real();         \
        }                           \
    }                               \
    static void name##__real(void)

#endif
