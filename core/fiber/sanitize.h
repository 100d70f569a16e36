/* SPDX-License-Identifier: MIT
 * What the sanitizers and valgrind have to be told about stacks.  Without them this is nothing at
 * all: empty structures, empty functions.
 *
 * The address sanitizer wants to know where the stack that comes next lies, before the switch and
 * after it; the thread sanitizer keeps a thread's state of its own for each stack; valgrind must
 * not take a switch for a large push or pop. */
#ifndef WEFT_CORE_SANITIZE_H
#define WEFT_CORE_SANITIZE_H

#include "core/base/base.h"

#if defined(__has_feature)
#define WEFT__HAS_FEATURE(x) __has_feature(x)
#else
#define WEFT__HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || WEFT__HAS_FEATURE(address_sanitizer)
#define WEFT__ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#else
#define WEFT__ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || WEFT__HAS_FEATURE(thread_sanitizer)
#define WEFT__TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define WEFT__TSAN 0
#endif

#if !defined(WEFT_NO_VALGRIND) && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#define WEFT__VALGRIND 1
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef WEFT__VALGRIND
#define WEFT__VALGRIND 0
#endif

/* For functions in which one fiber's bookkeeping is entered and another's left: the compiler must
 * put no calls of its own at their beginning and end.  Each weft__fiber_entry is one. */
#if WEFT__ASAN || WEFT__TSAN
#ifdef __clang__
#define WEFT__SANITIZE_NOT __attribute__((disable_sanitizer_instrumentation))
#else
#define WEFT__SANITIZE_NOT __attribute__((no_sanitize_address, no_sanitize_thread))
#endif
#else
#define WEFT__SANITIZE_NOT
#endif

/* Whether this is valgrind, to which newer system calls are unknown. */
static inline bool weft__valgrind(void)
{
#if WEFT__VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* Memory of a stack that is laid out for another use: what lay there before was below the stack
 * pointer, and valgrind takes writes there for errors. */
static inline void weft__sanitize_lay_out(void *low, size_t size)
{
    (void)low, (void)size;
#if WEFT__VALGRIND
    (void)VALGRIND_MAKE_MEM_UNDEFINED(low, size);
#endif
}

/* A fiber's part. */
__extension__ struct weft__fiber_sanitize {
#if WEFT__ASAN
    void *fake;      /* its frames that were moved to the heap, while it does not run */
    const void *low; /* its stack, */
    size_t size;     /* 0: not known yet */
    struct weft__fiber_sanitize *from; /* who switched to it last, if that one will go on */
#endif
#if WEFT__TSAN
    void *state; /* of __tsan_create_fiber() */
#endif
};

/* A slot's part: what the fibers that live in it one after the other share. */
__extension__ struct weft__slot_sanitize {
#if WEFT__TSAN
    void *state; /* made at first use, then kept: a program may have about 8,000 */
#endif
};

/* Describes a new stack: `size` bytes from `low`.  May run on any stack, at any time before the
 * first switch to it. */
static inline void weft__sanitize_init(struct weft__fiber_sanitize *watch,
                                       struct weft__slot_sanitize *slot, void *low, size_t size)
{
    (void)watch, (void)slot, (void)low, (void)size;
#if WEFT__ASAN
    __asan_unpoison_memory_region(low, size); /* what the last user's frames left */
    *watch = (struct weft__fiber_sanitize){ .low = low, .size = size };
#endif
#if WEFT__TSAN
    if (!slot->state) {
        slot->state = __tsan_create_fiber(0);
    }
    watch->state = slot->state;
#endif
}

/* Describes the stack that is running now and that weft did not make: the loop's own.  To be called
 * each time the loop begins to run, for it may do so in another thread or in somebody else's
 * coroutine. */
static inline void weft__sanitize_thread(struct weft__fiber_sanitize *watch)
{
    (void)watch;
#if WEFT__ASAN
    *watch = (struct weft__fiber_sanitize){ .size = 0 }; /* the first switch tells the rest */
#endif
#if WEFT__TSAN
    watch->state = __tsan_get_current_fiber();
#endif
}

/* Forgets what a slot's fibers shared.  None of them runs or will. */
static inline void weft__sanitize_fini(struct weft__slot_sanitize *slot)
{
    (void)slot;
#if WEFT__TSAN
    if (slot->state) {
        __tsan_destroy_fiber(slot->state);
        slot->state = NULL;
    }
#endif
}

/* Right before a switch. */
WEFT__SANITIZE_NOT static inline void weft__sanitize_leave(struct weft__fiber_sanitize *from,
                                                           struct weft__fiber_sanitize *to)
{
    (void)from, (void)to;
#if WEFT__ASAN
    to->from = from;
    __sanitizer_start_switch_fiber(&from->fake, to->low, to->size);
#endif
#if WEFT__TSAN
    __tsan_switch_to_fiber(to->state, 0); /* 0: what happened before the switch happened before */
#endif
}

/* Right after a switch, on the stack that goes on. */
WEFT__SANITIZE_NOT static inline void weft__sanitize_arrive(struct weft__fiber_sanitize *self)
{
    (void)self;
#if WEFT__ASAN
    const void *low;
    size_t size;

    __sanitizer_finish_switch_fiber(self->fake, &low, &size);
    if (self->from && !self->from->size) {
        self->from->low = low;
        self->from->size = size;
    }
#endif
}

/* The first thing that an entry does. */
WEFT__SANITIZE_NOT static inline void weft__sanitize_begin(struct weft__fiber_sanitize *self)
{
    weft__sanitize_arrive(self);
}

/* The last thing that an entry does before it returns the fiber of `to`. */
WEFT__SANITIZE_NOT static inline void weft__sanitize_end(struct weft__fiber_sanitize *self,
                                                         struct weft__fiber_sanitize *to)
{
    (void)self, (void)to;
#if WEFT__ASAN
    to->from = NULL;
    __sanitizer_start_switch_fiber(NULL, to->low, to->size); /* NULL: nothing of `self` is kept */
#endif
#if WEFT__TSAN
    __tsan_switch_to_fiber(to->state, 0);
#endif
}

/* A stack is mapped.  It is never taken back: later registrations of the place win. */
static inline void weft__sanitize_carve(void *low, void *top)
{
    (void)low, (void)top;
#if WEFT__VALGRIND
    (void)VALGRIND_STACK_REGISTER(low, (char *)top - 1);
#endif
}

/* A stack is leaked on purpose: what it points to is no leak either. */
static inline void weft__sanitize_abandon(void *low, void *top)
{
    (void)low, (void)top;
#if WEFT__ASAN
    __lsan_register_root_region(low, (size_t)((char *)top - (char *)low));
#endif
}

#endif
