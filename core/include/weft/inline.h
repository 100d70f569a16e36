/* SPDX-License-Identifier: MIT
 * What the short ways of a few calls see of the task that runs.  Not for programs; part of the ABI
 * nevertheless, for it is compiled into them.
 *
 * To call into a shared library costs more than to take a free lock.  So such a call is there
 * twice: as a function, and as a macro of the same name that does the common case in place and
 * calls the function for the rest. */
#ifndef WEFT_INLINE_H
#define WEFT_INLINE_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/* How a task begins. */
struct weft_inline_task {
    weft_task *handle;
    uint32_t cancelled; /* where it is now new waits fail */
};

/* How a loop begins. */
struct weft_inline_loop {
    void *hidden[2];
    const struct weft_inline_task *current; /* whose turn it is; NULL: no task's */
    void *ready[2];
    int32_t budget; /* turns until others and the world get theirs */
};

/* OpenBSD's compiler emulates thread-local words, in a way of its own for each library: there a
 * program cannot see one of another's. */
#if defined(__GNUC__) && !defined(__OpenBSD__)
#define WEFT_INLINE_CALLS 1
/* The loop that runs in this thread, or NULL. */
extern WEFT_API __thread struct weft_inline_loop *weft_inline_running
    __attribute__((tls_model("initial-exec")));
#endif

WEFT_END_DECLS

/* What the macros are made of that take something for the rest of a block: `verbs`_enter() gives
 * what `verbs`_leave() gives back, or NULL. */
#define WEFT__ENTER_SCOPE(type, verbs, object, r, n) WEFT__ENTER_SCOPE_(type, verbs, object, r, n)
#define WEFT__ENTER_SCOPE_(type, verbs, object, r, n)                        \
    int r;                                                                   \
    type *weft__held_##n __attribute__((cleanup(verbs##_leave))) WEFT_UNUSED = \
        verbs##_enter((object), &(r))

#endif
