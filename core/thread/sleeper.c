/* SPDX-License-Identifier: MIT
 * Waiting for another thread. */
#include "core/thread/sleeper.h"

#include "core/sched/misuse.h"

#include <math.h>

/* The post of a task's sleeper, on the loop's thread. */
static void arrive(void *arg)
{
    struct weft__sleeper *sleeper = arg;
    struct weft__task *task = sleeper->task;

    if (task->loop->closing) {
        if (sleeper->lost) {
            sleeper->lost(sleeper->of);
        }
        return; /* the task is abandoned, and its frame stays for ever */
    }
    sleeper->arrived = true;
    if (task->waiting && task->target == sleeper) {
        weft__timers_remove(&task->loop->timers, &task->item);
        weft__wake(task, 0);
    }
}

int weft__sleeper_init_thread(struct weft__sleeper *sleeper, int64_t deadline)
{
    sleeper->task = NULL;
    sleeper->called = false;
    sleeper->lost = NULL;
    sleeper->deadline = deadline;
    return weft__cond_init(&sleeper->cond);
}

int weft__sleeper_init(struct weft__sleeper *sleeper, double timeout)
{
    struct weft__loop *loop = weft__running;
    int64_t ns = 0;
    int r = timeout > 0 ? weft__seconds_to_ns(timeout, &ns) : isnan(timeout) ? -EINVAL : 0;

    if (r < 0) {
        return r;
    }
    if (!loop || loop->epoch != *weft__fork_word) {
        return weft__sleeper_init_thread(sleeper, weft__time_after(weft__clock_now(), ns));
    }
    if (!loop->current) {
        return weft__misuse(-EPERM);
    }
    sleeper->task = loop->current;
    sleeper->loop = weft__loop_handle(loop);
    sleeper->post.callback = arrive;
    sleeper->post.arg = sleeper;
    sleeper->deadline = isinf(timeout) ? WEFT__NEVER : weft__time_after(weft__loop_now(loop), ns);
    sleeper->called = sleeper->arrived = false;
    sleeper->lost = NULL;
    return 0;
}

void weft__sleeper_fini(struct weft__sleeper *sleeper)
{
    if (!sleeper->task) {
        pthread_cond_destroy(&sleeper->cond);
    }
}

bool weft__sleeper_cancelled(struct weft__sleeper *sleeper)
{
    if (!sleeper->task || !sleeper->task->cancelled) {
        return false;
    }
    weft__task_yield(sleeper->task);
    return true;
}

static void interrupt(struct weft__task *task)
{
    weft__timers_remove(&task->loop->timers, &task->item);
    weft__wake(task, -ECANCELED);
}

/* It is on its way already. */
static void let_it_come(struct weft__task *task)
{
    (void)task;
}

static const struct weft__wait wait_thread = { "another thread", interrupt };
static const struct weft__wait wait_post = { "another thread's post", let_it_come };

/* Parks the task; the lock is free. */
static int park(struct weft__sleeper *sleeper)
{
    struct weft__task *task = sleeper->task;
    int r;

    task->loop->expected++;
    r = weft__task_park(task, &wait_thread, sleeper);
    task->loop->expected--;
    weft__timers_remove(&task->loop->timers, &task->item);
    return r < 0 ? r : sleeper->arrived ? 0 : -ETIMEDOUT;
}

static int sleep_task(struct weft__sleeper *sleeper, struct weft__list *list, pthread_mutex_t *lock)
{
    struct weft__task *task = sleeper->task;
    int r = 0;

    if (sleeper->deadline != WEFT__NEVER) {
        task->item.when = sleeper->deadline;
        r = weft__timers_add(&task->loop->timers, &task->item);
    }
    if (r < 0) {
        return r;
    }
    weft__list_push(list, &sleeper->link);
    pthread_mutex_unlock(lock);
    r = park(sleeper);
    pthread_mutex_lock(lock);
    if (!sleeper->called) {
        weft__list_remove(&sleeper->link);
        return r;
    }
    if (!sleeper->arrived) { /* called just before it would have given up */
        pthread_mutex_unlock(lock);
        task->loop->expected++;
        (void)weft__task_park(task, &wait_post, sleeper);
        task->loop->expected--;
        pthread_mutex_lock(lock);
    }
    return 0;
}

int weft__sleeper_sleep(struct weft__sleeper *sleeper, struct weft__list *list,
                        pthread_mutex_t *lock)
{
    int r = 0;

    sleeper->called = sleeper->arrived = false;
    if (sleeper->task) {
        return sleep_task(sleeper, list, lock);
    }
    weft__list_push(list, &sleeper->link);
    while (!sleeper->called && r == 0) {
        r = weft__cond_wait(&sleeper->cond, lock, sleeper->deadline);
    }
    if (!sleeper->called) {
        weft__list_remove(&sleeper->link);
        return r;
    }
    return 0;
}

void weft__sleeper_call(struct weft__list *list, struct weft__list *called)
{
    struct weft__list *link = weft__list_pop(list);
    struct weft__sleeper *sleeper = (struct weft__sleeper *)(void *)link;

    if (!link) {
        return;
    }
    sleeper->called = true;
    if (sleeper->task) {
        weft__list_push(called, link);
    } else {
        pthread_cond_signal(&sleeper->cond); /* under the lock: then its frame goes */
    }
}

void weft__sleepers_post(struct weft__list *called)
{
    struct weft__list *link;

    while ((link = weft__list_pop(called))) {
        struct weft__sleeper *sleeper = (struct weft__sleeper *)(void *)link;
        void (*lost)(void *) = sleeper->lost;
        void *of = sleeper->of;

        if (weft__inbox_post(sleeper->loop, &sleeper->post) < 0 && lost) {
            lost(of);
        }
    }
}
