/* SPDX-License-Identifier: MIT
 * The system's words for an errno rarely fit what it means here ("No such process" for a handle
 * that is spent), so the calls in which beginners meet them leave better ones in
 * weft_error_detail(). */
#include "core/sched/misuse.h"

#include "core/base/error.h"
#include "core/sched/loop.h"

#include <errno.h>

static const struct {
    int error;
    const char *words;
} table[] = {
    { -ESRCH,
      "the handle is spent: it was awaited, detached, given back or closed before, and each hold "
      "lasts for one of these; weft_task_ref() adds a hold" },
    { -EPERM,
      "no loop runs in this thread, or this is a callback and only a task may wait: begin with "
      "weft_run(), or make a task with weft_create_task(); from a thread name the loop and use "
      "weft_loop_call_soon_threadsafe()" },
    { -EXDEV,
      "it belongs to another loop, or to one that runs in another thread: go through "
      "weft_loop_call_soon_threadsafe(); a weft_thread_queue or a _threadsafe form is for "
      "threads" },
    { -EDEADLK, "a task cannot await itself" },
    { -EBUSY, "a loop runs in this thread already: await the coroutine, or make a task of it" },
    { -EBADF, "the loop is closed" },
    { -ESHUTDOWN, "the executor was shut down: it takes no more jobs" },
    { -ECHILD, "the process forked: this loop is the parent's; make one of your own, or exec" },
    { -EALREADY, "it has its result already: it was set or cancelled before" },
};

WEFT__COLD int weft__misuse(int error)
{
    for (size_t i = 0; i < WEFT__COUNT(table); i++) {
        if (table[i].error == error) {
            return weft__words(error, table[i].words);
        }
    }
    return error;
}

WEFT__COLD int weft__misuse_of(int error, const void *handle)
{
    struct weft__loop *loop = weft__running;

    if (error == -ESRCH && loop && loop->observer) {
        weft__hooks.stale(loop, handle);
    }
    return weft__misuse(error);
}
