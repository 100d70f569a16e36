/* SPDX-License-Identifier: MIT
 * Worlds: runs in which everything is chosen by chance, each the same whenever it is run.
 *
 *     static void torture(void) { ... weft_sleep(0.001 * chance(5)); ... }
 *
 *     IN_TASK(nothing_is_left)
 *     {
 *         in_worlds(100, torture);
 *     }
 *
 * The first world in which a claim fails is printed, and is the last. */
#ifndef TESTS_TASK_WORLDS_H
#define TESTS_TASK_WORLDS_H

#include "tests/task/task.h"

#include <stdio.h>

static uint32_t world; /* what is chosen by chance follows from this */

/* One of 0 ... below - 1. */
static inline uint32_t chance(uint32_t below)
{
    world = world * 1664525u + 1013904223u;
    return (world >> 16) % below;
}

static inline void in_worlds(int count, void (*happens)(void))
{
    for (int i = 0; i < many(count); i++) {
        int failed = claims_failed();

        world = (uint32_t)i;
        happens();
        if (claims_failed() > failed) {
            fprintf(stderr, "    in world %d\n", i);
            break;
        }
    }
}

#endif
