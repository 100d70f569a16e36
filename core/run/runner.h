/* SPDX-License-Identifier: MIT
 * Runners, inside. */
#ifndef WEFT_CORE_RUNNER_H
#define WEFT_CORE_RUNNER_H

#include "core/sched/loop.h"

#include <weft/context.h>
#include <weft/run.h>

/* What the public struct is made of.  All zero: closed. */
struct weft__runner {
    weft_loop *loop;
    int64_t shutdown_ns;  /* for tasks at the end; WEFT__NEVER: as long as they need */
    int64_t executor_ns;  /* then for jobs in threads */
    weft_context *context; /* in which all mains run; NULL: each in a copy of its caller's */
    int32_t signum;       /* that ended the last run, or 0 */
    bool sigint, sigterm; /* to be taken over while a main task runs */
    bool overflow;        /* a stack overflow is to be told by name */
    bool ended;           /* the last main came to its end by itself, and did not fail */
};

_Static_assert(sizeof(struct weft__runner) <= sizeof(weft_runner), "the public size");

/* weft_runner_open() for one run: without a context to share. */
int weft__runner_open(weft_runner *runner, const weft_run_options *options);

/* Cancels the tasks that are left, and awaits them for at most `limit_ns`.  Returns 0, or
 * -ETIMEDOUT when some are left then, whom the loop's close reports. */
int weft__run_shutdown(struct weft__loop *loop, int64_t limit_ns);

#endif
