/* SPDX-License-Identifier: MIT
 * Waiting for the end of a process, and bringing it about. */
#include "core/proc/process.h"

#include <math.h>
#include <weft/scope.h>

static const struct weft__wait wait_process = {
    "process", weft__waitq_interrupt, NULL,
    { WEFT__SEES_BESIDE(WEFT__SEES_PID, struct weft_process, ended, pid) }
};

int weft_process_wait(weft_process *process)
{
    int r = -EINVAL;
    struct weft__task *task = process ? weft__self(&r) : NULL;
    weft_waiter waiter;

    if (!task) {
        return weft__misuse(r);
    }
    r = weft__process_check(process);
    if (r < 0) {
        return r;
    }
    if (process->status != -EINPROGRESS) {
        weft__task_spend_turn(task);
        return process->status;
    }
    if (process->loop != task->loop) {
        return weft__misuse(-EXDEV);
    }
    waiter.gave_up = NULL;
    process->pins++;
    r = weft__waitq_park(task, &process->ended, &waiter, &wait_process);
    process->pins--;
    weft__process_release(process);
    return r;
}

int weft_process_returncode(const weft_process *process)
{
    return process ? process->status : -EINVAL;
}

/* Waits for `seconds` at most. */
static int wait_for(weft_process *process, double seconds)
{
    weft_timeout limit;
    int r = weft_timeout_enter(&limit, seconds);

    return r < 0 ? r : weft_timeout_exit(&limit, weft_process_wait(process));
}

/* Asks it to end and waits for that: how it ended, -ETIMEDOUT or -ECANCELED it has not, or an
 * error. */
static int ask(weft_process *process, double grace)
{
    int r = weft_process_terminate(process);

    return r < 0 ? r : wait_for(process, grace);
}

int weft_process_stop(weft_process *process, double grace)
{
    int r = weft__process_check(process), killed;

    if (r < 0 || isnan(grace)) {
        return r < 0 ? r : -EINVAL;
    }
    if (!weft__self(&r)) {
        return weft__misuse(r); /* before anybody is asked */
    }
    if (process->status != -EINPROGRESS) {
        return weft_process_wait(process);
    }
    r = grace > 0 ? ask(process, grace) : -ETIMEDOUT;
    if (r != -ETIMEDOUT && r != -ECANCELED) {
        return r;
    }
    killed = weft_process_kill(process); /* -ESRCH: it has just ended */
    if (r == -ECANCELED || (killed < 0 && killed != -ESRCH)) {
        return r == -ECANCELED ? r : killed;
    }
    return weft_process_wait(process);
}
