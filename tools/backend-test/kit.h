/* SPDX-License-Identifier: MIT
 * weft-backend-test: what its cases share.
 *
 * A case is a function that makes claims about one backend, through its descriptor alone.  Each
 * runs in a process of its own, so that one that crashes or hangs is one that failed.  A host in
 * direct mode looks to the cases like a poller: kit_wait() runs it and collects what it reports. */
#ifndef WEFT_TOOLS_KIT_H
#define WEFT_TOOLS_KIT_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/backend.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define LOOK INT64_MIN
#define SOON (2 * SECOND)  /* what is there is reported within this, on any machine */
#define LONG_WAIT (4 * SECOND) /* a wait that somebody ends, */
#define MUCH_LESS (3 * SECOND) /* and what it then takes at the most */
#define WATCHES 10240      /* at once, at the most */
#define WATCH_SIZE_MAX 256 /* bytes of a watch that the kit has room for */
#define TOKEN(number) (UINT64_C(0xabcd00000000) + (uint64_t)(number))

/* What a case needs to make sense. */
enum kit_needs {
    KIT_ANY = 0,            /* only a descriptor */
    KIT_OPEN = 1u << 0,     /* an open one; it is closed after, and nothing may be left */
    KIT_WATCH = 1u << 1,    /* that watches descriptors: a poller, or a host in direct mode */
    KIT_TIME = 1u << 2,     /* that keeps deadlines, also virtual ones */
    KIT_GUEST = 1u << 3,    /* a host in guest mode */
    KIT_ADOPT = 1u << 4,    /* a host that takes a loop */
    KIT_REENTER = 1u << 5,  /* a host whose loop may be run within itself */
    KIT_COMPLETE = 1u << 6, /* one with completions */
    KIT_FILE = 1u << 7,     /* one that is a file */
    KIT_SELF = 1u << 8,     /* an open one, but the case opens and closes it itself */
    KIT_COLD = 1u << 9,     /* nobody opened one before; what is left is not counted */
};

struct kit_case {
    const char *name; /* a claim */
    void (*run)(void);
    uint32_t needs;
};

struct kit_group {
    const char *name;
    const struct kit_case *cases; /* a NULL name ends them */
};

/* The backend under test, and what happens around it. */
extern struct kit {
    const weft_backend *backend;
    const weft_backend_ops *ops;
    const char *path; /* its file; NULL: part of the library */
    uint32_t mode;    /* weft_backend_mode */
    bool host;
    void *be;         /* what open() gave; NULL: it is not open */
    void *adopt;      /* for the next kit_open() */
    const char *options;

    long asked;       /* what core->fault() and core->alloc() were asked */
    long fault_at;    /* which of the questions is answered with a failure; -1: none */
    int fault_error;  /* with this one */
    long blocks;      /* allocated and not freed */
    int pumps;        /* calls of core->pump() */
    int closed;       /* calls of core->closed() */
    char detail[256]; /* the last words */

    void (*on_ready)(uint64_t token, uint32_t ready); /* when a host reports; NULL: nothing */
    void (*on_pump)(void);
    void (*on_complete)(weft_backend_op *op);
    unsigned char *watches; /* WATCHES of WATCH_SIZE_MAX bytes */
} kit;

/* Claims.  What fails is told, and fails the case; the case goes on. */
#define CHECK(claim) kit_check((claim), #claim, __FILE__, __LINE__)
#define EQUAL(value, expected) \
    kit_equal((int64_t)(value), (int64_t)(expected), #value, #expected, __FILE__, __LINE__)
bool kit_check(bool holds, const char *claim, const char *file, int line);
bool kit_equal(int64_t value, int64_t expected, const char *words, const char *expected_words,
               const char *file, int line);

/* Ends the case as one that makes no sense here. */
void kit_skip(const char *why) __attribute__((noreturn));

/* Prints a line beside the results. */
void kit_note(const char *format, ...) WEFT_PRINTF(1, 2);

int kit_open(void); /* into kit.be */
int kit_close(void);
extern const weft_backend_core kit_core;
int64_t kit_now(void);   /* the backend's clock */
int64_t kit_clock(void); /* the real one */

/* Watch `number` has TOKEN(number) and its own bytes. */
int kit_watch(int number, int fd, uint32_t events);
int kit_rewatch(int number, uint32_t events);
int kit_unwatch(int number);

int kit_wait(int64_t deadline, weft_backend_event *ret_events, int max);

/* What is reported for the watch within SOON, or 0; other watches do not count. */
uint32_t kit_ready(int number);
/* Whether three looks report nothing for it. */
bool kit_quiet(int number);

/* The median lateness of one(length) is at most `bound`, or that of the system's own sleeps more,
 * and it is never early. */
void kit_keeps(int64_t length, int64_t bound, int64_t (*one)(int64_t length));

/* How many descriptors, and threads, this process has. */
int kit_descriptors(void);
int kit_threads(void);
bool kit_threads_are(int count); /* not more, in the end */

/* A sanitizer may start a thread of its own with the first: before they are counted. */
void kit_first_thread(void);

/* A socket pair, both ends non-blocking and closed on exec; the case fails without. */
void kit_pair(int fds[2]);
void kit_put(int fd, const char *text);
void kit_take(int fd); /* reads all that is there */

/* Waits `ms` of real time, and calls action(arg) in a thread; kit_join() ends it. */
void kit_later(int ms, void (*action)(void *), void *arg);
void kit_join(void);

extern const struct kit_case kit_handshake[], kit_life[], kit_kinds[], kit_level[], kit_files[],
    kit_numbers[], kit_unwatching[], kit_deadlines[], kit_waking[], kit_signals[], kit_forking[],
    kit_adoption[], kit_dispositions[], kit_nesting[], kit_faults[], kit_completion[],
    kit_loading[];

#endif
