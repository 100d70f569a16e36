/* SPDX-License-Identifier: MIT
 * What the tests of descriptors and streams share. */
#ifndef TESTS_TASK_NET_H
#define TESTS_TASK_NET_H

#include "tests/task/task.h"

#include <string.h>

/* Whether the backend watches descriptors: all do but `sim`, which does with `fds=1`. */
static inline bool has_descriptors(void)
{
    return !is_virtual() || strstr(backend(), "fds=1") != NULL;
}

/* IN_TASK, on the backends that have descriptors. */
#define ON_REAL(name)               \
    static void name##__real(void); \
    IN_TASK(name)                   \
    {                               \
        if (has_descriptors()) {    \
            name##__real();         \
        }                           \
    }                               \
    static void name##__real(void)

#endif
