/* SPDX-License-Identifier: MIT
 * What the tests of transports share: connected pairs, a protocol that notes what it is called, and
 * waiting until something is so. */
#ifndef TESTS_TASK_TRANSPORT_H
#define TESTS_TASK_TRANSPORT_H

#include "tests/task/task.h"

/* Whether this backend watches descriptors: sim does with fds=1. */
bool watches(void);

/* A connected pair of stream sockets: [0] is ours, non-blocking both. */
enum pair_kind { PAIR_UNIX, PAIR_TCP, PAIR_KINDS };
void open_pair(enum pair_kind kind, int fds[2]);

/* What a protocol has seen. */
struct seen {
    weft_transport *transport;
    char got[4096]; /* what came, as much as fits */
    size_t count;   /* how much came */
    int made, eofs, pauses, resumes, lost, error;
    bool stays;     /* what eof_received() returns */
    bool quiet;     /* notes nothing */
};

/* Notes "made", "data", "eof", "pause", "resume", "lost"; `self` is a struct seen. */
extern const weft_protocol noting;

/* Makes a transport with `noting` for fds[0]. */
weft_transport *transport_for(int fd, struct seen *seen);

/* Lets the loop run until `*what` >= `least`; fails after five seconds. */
#define UNTIL(what, least) until(&(what), least, #what, __FILE__, __LINE__)
void until(const int *what, int least, const char *claim, const char *file, unsigned line);

/* Reads all that is there from a non-blocking descriptor; how much, and whether the end came. */
size_t drink(int fd, void *room, size_t size, bool *ret_end);

/* IN_TASK, where descriptors are watched. */
#define WATCHED(name)               \
    static void name##__body(void); \
    IN_TASK(name)                   \
    {                               \
        if (watches()) {            \
            name##__body();         \
        }                           \
    }                               \
    static void name##__body(void)

/* A test for each kind of pair, with `fds` and `seen`, where descriptors are watched. */
#define ON_PAIRS(name)                                              \
    static void name##__on(enum pair_kind kind);                    \
    IN_TASK(name)                                                   \
    {                                                               \
        for (int k = 0; watches() && k < PAIR_KINDS; k++) {         \
            name##__on((enum pair_kind)k);                          \
        }                                                           \
    }                                                               \
    static void name##__on(enum pair_kind kind WEFT_UNUSED)

#endif
