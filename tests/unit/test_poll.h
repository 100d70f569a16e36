/* SPDX-License-Identifier: MIT
 * What the tests of the backends share: a core of their own, which counts what it is asked and can
 * make every call fail, and one backend at a time, reached through its descriptor only. */
#ifndef TESTS_UNIT_TEST_POLL_H
#define TESTS_UNIT_TEST_POLL_H

#include "core/poll/poll.h"
#include "tests/unit/unit.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define LOOK INT64_MIN
#define LONG_WAIT (10 * SECOND) /* what a wait takes that is never woken */
#define MUCH_LESS (8 * SECOND)  /* and what one does not take that was, on any machine */
#define WATCHES 2048
#define TOKEN(number) (UINT64_C(0xabcd00000000) + (uint64_t)(number))

typedef struct unit_watch {
    _Alignas(8) unsigned char bytes[64];
} unit_watch;

static const weft_backend *backend; /* the one under test */
static const weft_backend_ops *ops; /* its members */
static void *be;                    /* what its open() gave */
static unit_watch watches[WATCHES]; /* watch n has TOKEN(n) */

static long asked;            /* what core->fault() and core->alloc() were asked */
static long fault_at = -1;    /* which of the questions is answered with a failure */
static int fault_error = 0;   /* with this one */
static long live_blocks;      /* allocated and not freed */
static long clock_reads;      /* calls of core->now() */
static char last_detail[256]; /* words of core->detail() */

static int64_t core_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    clock_reads++;
    return now.tv_sec * SECOND + now.tv_nsec;
}

static int core_fault(void)
{
    return asked++ == fault_at ? fault_error : 0;
}

static void *core_alloc(void *old, size_t size)
{
    if (size == 0) {
        live_blocks -= old != NULL;
        free(old);
        return NULL;
    }
    if (core_fault() < 0) {
        return NULL;
    }
    void *memory = realloc(old, size);
    live_blocks += memory != NULL && old == NULL;
    return memory;
}

static void core_detail(const char *format, ...) WEFT_PRINTF(1, 2);
static void core_detail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_detail, sizeof(last_detail), format, arguments);
    va_end(arguments);
}

static const weft_backend_core test_core = {
    .size = sizeof(weft_backend_core),
    .abi = WEFT_BACKEND_ABI,
    .now = core_now,
    .alloc = core_alloc,
    .detail = core_detail,
    .fault = core_fault,
};

/* open() of the backend under test, with the options that followed its name. */
static inline int open_with(const char *options, void **ret_be)
{
    const weft_backend_request request = {
        .size = sizeof(request),
        .mode = WEFT_BACKEND_MODE_DIRECT,
        .options = options,
    };
    return backend->ops->open(&test_core, &request, ret_be);
}

/* CU_ASSERT with the name of the backend in front of what was claimed. */
#define CHECK(claim) check((claim), #claim, __FILE__, __LINE__)

static inline bool check(bool holds, const char *claim, const char *file, unsigned line)
{
    char words[300];
    snprintf(words, sizeof(words), "%s: %s", backend ? backend->name : "?", claim);
    return CU_assertImplementation(holds, line, words, file, "", CU_FALSE);
}

static inline int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 4 * WATCHES; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static inline int64_t clock_now(void)
{
    return ops->now ? ops->now(be) : core_now();
}

static inline int watch(int number, int fd, uint32_t events)
{
    memset(&watches[number], 0, sizeof(watches[number]));
    return ops->watch(be, &watches[number], fd, events, TOKEN(number));
}

static inline int rewatch(int number, uint32_t events)
{
    return ops->rewatch(be, &watches[number], events);
}

static inline int unwatch(int number)
{
    return ops->unwatch(be, &watches[number]);
}

/* What is ready for the watch `number` now, looking once; other watches do not count. */
static inline uint32_t ready_now(int number)
{
    weft_backend_event events[64];
    int n = ops->wait(be, LOOK, events, 64);
    uint32_t ready = 0;
    CHECK(n >= 0 && n <= 64);
    for (int i = 0; i < n; i++) {
        ready |= events[i].token == TOKEN(number) ? events[i].ready : 0;
    }
    return ready;
}

/* Waits for the next event of any watch for a long time; its number, or -1 when none came. */
static inline int next_event(uint32_t *ret_ready)
{
    weft_backend_event event = { 0 };
    int n = ops->wait(be, clock_now() + LONG_WAIT, &event, 1);
    *ret_ready = event.ready;
    return n == 1 ? (int)(event.token - TOKEN(0)) : -1;
}

/* Runs `claim` on every backend that watches real things, each time on a fresh poller, and
 * checks that nothing is left of it. */
static inline void on_each_real(void (*claim)(void))
{
    for (int i = 0; weft__backends_builtin[i] != NULL; i++) {
        backend = weft__backends_builtin[i];
        ops = backend->ops;
        if (ops->caps & WEFT_BACKEND_VIRTUAL) {
            continue;
        }
        int before = open_descriptors();
        if (CHECK(open_with("", &be) == 0)) {
            claim();
            ops->close(be);
        }
        CHECK(open_descriptors() == before);
        CHECK(live_blocks == 0);
    }
}

/* A test of CUnit, named like the claim, that runs claim_NAME on each of them. */
#define ON_EACH_REAL(name)          \
    static void claim_##name(void); \
    static void name(void)          \
    {                               \
        on_each_real(claim_##name); \
    }                               \
    static void claim_##name(void)

#endif
