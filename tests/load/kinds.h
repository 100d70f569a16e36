/* SPDX-License-Identifier: MIT
 * What the plugins of kinds.c leave for the test to see: their objects. */
#ifndef TESTS_LOAD_KINDS_H
#define TESTS_LOAD_KINDS_H

struct sink_self {
    int reports, swallow; /* how many came; whether nobody else gets them */
    char last[64];        /* the message of the last */
};

struct instrument_self {
    int opened, closed, waits, woke;
};

#endif
