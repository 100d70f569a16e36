/* SPDX-License-Identifier: MIT
 * The few macros that every file of the core may use. */
#ifndef WEFT_CORE_BASE_H
#define WEFT_CORE_BASE_H

#include <weft/common.h>

#define WEFT__COLD __attribute__((cold, noinline))
/* For what a hot call is made of: distributions build with -O2, which would leave calls in it. */
#define WEFT__INLINE __attribute__((always_inline)) inline
/* For its rare half: what it needs is then not saved by the hot one. */
#define WEFT__NOINLINE __attribute__((noinline))
#define WEFT__HIDDEN __attribute__((visibility("hidden")))
#define WEFT__COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The object of `type` whose `member` `pointer` points to. */
#define WEFT__CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* A proven invariant: checked in debug and test builds, a promise to the compiler in none. */
#ifdef NDEBUG
#define WEFT_ASSERT(x) ((void)sizeof(x))
#else
#include <assert.h>
#define WEFT_ASSERT(x) assert(x)
#endif

/* The hot thread-local words are reached by one offset from the thread pointer, in the shared
 * library too.  Their sum is small, so that a program may load the library late. */
#define WEFT__THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))

#endif
