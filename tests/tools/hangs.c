/* SPDX-License-Identifier: MIT
 * A program that hangs in known ways, for those who look at it from outside.
 *
 *     hangs BACKEND [circle | loops | churn | blocks | deep]
 *
 * Prints "ready" when it does, and lives until it is killed, its standard input ends, or for ten
 * minutes. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

static const char *backend;
static weft_lock first = WEFT_LOCK_INIT, second = WEFT_LOCK_INIT;
static weft_event never = WEFT_EVENT_INIT;
static weft_queue *full, *empty, *met;
static int silent[2];

static void check(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "hangs: %s: %s\n", what, weft_strerror(r));
        exit(1);
    }
}

/* In a thread: with it a virtual clock goes as the real one does. */
static int until_input_ends(void *arg)
{
    char c;

    (void)arg;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0) {}
    exit(0);
}

static weft_task *start(weft_coro *coro, const char *name)
{
    weft_task_options options = { .name = name };
    weft_task *task = weft_create_task(coro, &options);

    check(weft_task_detach(weft_task_ref(task)), name);
    return task;
}

WEFT_ASYNC(keeps)
{
    check(weft_lock_acquire(&first), "lock");
    return weft_event_wait(&never);
}

WEFT_ASYNC(wants)
{
    return weft_lock_acquire(&first);
}

WEFT_ASYNC(inner_awaits, (weft_task *, task))
{
    return weft_await_task(task);
}

WEFT_ASYNC(awaits, (weft_task *, task))
{
    return weft_await(inner_awaits(task));
}

WEFT_ASYNC(sleeps)
{
    weft_timeout limit;

    check(weft_timeout_enter(&limit, 7200), "timeout");
    return weft_timeout_exit(&limit, weft_sleep(3600));
}

WEFT_ASYNC(reads)
{
    char c;

    return (int)weft_read(silent[0], &c, 1);
}

WEFT_ASYNC(puts_one)
{
    return weft_queue_put(full, &full);
}

WEFT_ASYNC(gets_one)
{
    void *item;

    return weft_queue_get(empty, &item);
}

WEFT_ASYNC(meets)
{
    return weft_queue_put(met, &met);
}

WEFT_ASYNC(joins)
{
    return weft_queue_join(full);
}

WEFT_ASYNC(selects, (double, timeout))
{
    void *item;

    return weft_select(NULL, timeout, WEFT_ON_GET(empty, &item), WEFT_ON_PUT(met, &met));
}

WEFT_ASYNC(has_job)
{
    return weft_to_thread(until_input_ends, NULL);
}

WEFT_ASYNC(idles)
{
    return weft_event_wait(&never);
}

WEFT_ASYNC(gathers)
{
    return weft_gather(NULL, sleeps(), idles(), idles());
}

WEFT_ASYNC(crosses, (weft_lock *, one), (weft_lock *, other))
{
    check(weft_lock_acquire(one), "lock");
    weft_sleep(0);
    return weft_lock_acquire(other);
}

WEFT_ASYNC(blocks)
{
    puts("ready");
    fflush(stdout);
    sleep(3600); /* the whole loop hangs */
    return 0;
}

WEFT_ASYNC(churns, (int, depth))
{
    weft_sleep(0);
    return depth ? weft_await(churns(depth - 1)) : 0;
}

/* A task that makes a task for ever. */
WEFT_ASYNC(goes_on)
{
    for (;;) {
        weft_await_task(weft_create_task(churns(3), NULL));
    }
    return 0;
}

WEFT_ASYNC(deep, (int, depth))
{
    return depth ? weft_await(deep(depth - 1)) : weft_event_wait(&never);
}

/* A task for each kind of wait that is looked for. */
static void start_each_kind(void)
{
    weft_task *task;

    start(keeps(), "keeper");
    weft_sleep(0);
    task = start(wants(), "wants");
    start(awaits(task), "awaiter");
    start(sleeps(), "sleeper");
    if (strcmp(backend, "sim") != 0) {
        start(reads(), "reader");
    }
    weft_queue_put_nowait(full, &full);
    start(puts_one(), "putter");
    start(gathers(), "gatherer");
    start(gets_one(), "getter");
    start(gets_one(), "second getter"); /* by the short way: the queue has a loop by then */
    start(meets(), "meets");
    start(joins(), "joiner");
    start(selects(INFINITY), "selects");
    start(selects(1800), "selects in time");
}

WEFT_ASYNC(amain, (const char *, mode))
{
    weft_task_options named = { .name = "child" };
    weft_task_group group;
    weft_task *task;

    check(weft_task_group_enter(&group), "group");
    if (strcmp(mode, "circle") == 0) {
        start(crosses(&first, &second), "one");
        start(crosses(&second, &first), "other");
    } else if (strcmp(mode, "churn") == 0) {
        for (int i = 0; i < 10000; i++) {
            start(goes_on(), "churner");
        }
    } else if (strcmp(mode, "deep") == 0) {
        task = start(deep(100), "bottom");
        for (int i = 0; i < 2000; i++) {
            task = start(inner_awaits(task), "link");
        }
    } else {
        start_each_kind();
    }
    weft_task_group_create_task(&group, idles(), &named);
    if (strcmp(mode, "blocks") == 0) {
        start(blocks(), "blocker");
    }
    start(has_job(), "job");
    return weft_task_group_exit(&group, 0);
}

/* One more loop, in a thread. */
WEFT_ASYNC(elsewhere)
{
    weft_event mine = WEFT_EVENT_INIT;

    return weft_event_wait(&mine);
}

static void *run_elsewhere(void *arg)
{
    weft_run_options options = { .backend = "poll" };

    (void)arg;
    check(weft_run(elsewhere(), &options), "run");
    return NULL;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[2] : "";
    weft_run_options options = { .backend = backend = argc > 1 ? argv[1] : "epoll" };
    weft_queue_options rendezvous = { .rendezvous = true };
    pthread_t thread;

    alarm(600);
    check(pipe2(silent, O_NONBLOCK | O_CLOEXEC), "pipe");
    check(weft_queue_new(1, &full), "queue");
    check(weft_queue_new(0, &empty), "queue");
    check(weft_queue_new_with(&rendezvous, &met), "queue");
    for (int i = 0; i < 2 && strcmp(mode, "loops") == 0; i++) {
        pthread_create(&thread, NULL, run_elsewhere, NULL);
    }
    check(weft_run(amain(mode), &options), "run");
    return 0;
}
