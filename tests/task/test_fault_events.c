/* SPDX-License-Identifier: MIT
 * Futures, callbacks, descriptors and runs, while each allocation and system call fails once. */
#include "tests/task/fault.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Futures. */

static void future_done(weft_future *future, void *arg)
{
    weft_future_status(future);
    called(arg);
}

WEFT_ASYNC(uses_futures)
{
    for (int i = 0; i < 80; i++) {
        weft_future *future = NULL;
        weft_task *task;

        if (tried(weft_future_new(NULL, &future)) < 0) {
            CHECK(future == NULL);
            continue;
        }
        if (tried(weft_future_add_done_callback(future, future_done, NULL)) == 0) {
            scheduled();
        }
        task = i % 8 ? NULL : weft_create_task(awaits_future(weft_future_ref(future)), NULL);
        weft_sleep(0);
        EQUAL(weft_future_set_result(future, NULL), 0);
        tried(weft_await(future));
        if (task) {
            int r = tried(weft_await(task));

            if (r < 0) {
                weft_future_unref(future); /* the hold that was not taken */
            }
        }
    }
    weft_sleep(0);
    return 0;
}

static int makes_futures(void)
{
    return run_in_loop(uses_futures());
}

/* Callbacks, from here and from another thread. */

static void *post_some(void *target)
{
    for (int i = 0; i < 100; i++) {
        if (tried(weft_loop_call_soon_threadsafe(target, called, NULL, NULL)) == 0) {
            scheduled();
        }
    }
    return NULL;
}

WEFT_ASYNC(uses_callbacks)
{
    pthread_t thread;

    for (int i = 0; i < 100; i++) {
        weft_handle *handle = NULL;

        if (tried(weft_loop_call_soon(NULL, called, NULL, &handle)) == 0) {
            scheduled();
            weft_handle_unref(handle);
        }
    }
    if (pthread_create(&thread, NULL, post_some, weft_get_running_loop()) == 0) {
        pthread_join(thread, NULL);
    }
    give_way(2);
    tried(weft_sleep(0.0001));
    give_way(2);
    return 0;
}

static int schedules_callbacks(void)
{
    return run_in_loop(uses_callbacks());
}

/* Descriptors. */

static void read_all(void *arg)
{
    char bytes[16];

    (void)!read(*(int *)arg, bytes, sizeof bytes);
}

WEFT_ASYNC(uses_descriptors, (int *, fds))
{
    for (int i = 0; i < 2; i++) {
        int reader = tried(weft_loop_add_reader(NULL, fds[i], read_all, &fds[i]));
        int writer = tried(weft_loop_add_writer(NULL, fds[i], read_all, &fds[i]));

        EQUAL(write(fds[!i], "x", 1), 1);
        tried(weft_sleep(0.0001));
        EQUAL(weft_loop_remove_writer(NULL, fds[i]), writer == 0);
        tried(weft_sleep(0.0001));
        EQUAL(weft_loop_remove_reader(NULL, fds[i]), reader == 0);
    }
    return 0;
}

static int watches_descriptors(void)
{
    int fds[2], high[2];

    if (is_virtual()) {
        return 0;
    }
    EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    high[0] = fds[0];
    high[1] = dup2(fds[1], 200); /* the table has to grow */
    close(fds[1]);
    run_in_loop(uses_descriptors(high));
    close(high[0]);
    close(high[1]);
    return 0;
}

/* Signals: one that was asked for in vain is not sent. */

WEFT_ASYNC(uses_signals)
{
    weft_signal_receiver *receiver = NULL;

    if (tried(weft_loop_add_signal_handler(NULL, SIGUSR1, called, NULL)) == 0) {
        scheduled();
        raise(SIGUSR1);
    }
    if (tried(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR2), &receiver)) == 0) {
        raise(SIGUSR2);
        EQUAL(tried(weft_signal_receive(receiver)), SIGUSR2);
        receiver = weft_signal_receiver_close(receiver);
    }
    CHECK(receiver == NULL);
    tried(weft_sleep(0.0001));
    return 0;
}

static int receives_signals(void)
{
    struct sigaction before[2], now;

    sigaction(SIGUSR1, NULL, &before[0]);
    sigaction(SIGUSR2, NULL, &before[1]);
    run_in_loop(uses_signals());
    sigaction(SIGUSR1, NULL, &now);
    CHECK(now.sa_handler == before[0].sa_handler);
    sigaction(SIGUSR2, NULL, &now);
    CHECK(now.sa_handler == before[1].sa_handler);
    return 0;
}

/* Whole runs. */

WEFT_ASYNC(cleans_up)
{
    int r = weft_sleep(1e6);

    weft_sleep(0);
    ended(NULL);
    return r == -ECANCELED ? 0 : r;
}

static weft_coro *cleaning(void)
{
    begun();
    return weft_coro_on_drop(cleans_up(), ended, NULL);
}

WEFT_ASYNC(leaves_some)
{
    ended(NULL);
    tried(weft_loop_set_exception_handler(NULL, keep_report, NULL));
    tried(weft_task_detach(weft_create_task(cleaning(), NULL)));
    tried(weft_task_detach(weft_create_task(cleaning(), NULL)));
    return weft_sleep(0.0001);
}

static int runs(void)
{
    weft_run_options options = { .backend = backend(), .stack_size = 1 << 18 };

    begun();
    return tried(weft_run(weft_coro_on_drop(leaves_some(), ended, NULL), &options));
}

EACH_FAULT_WHILE_IT(makes_futures)
EACH_FAULT_WHILE_IT(schedules_callbacks)
EACH_FAULT_WHILE_IT(watches_descriptors)
EACH_FAULT_WHILE_IT(receives_signals)
EACH_FAULT_WHILE_IT(runs)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_makes_futures),
    TEST(each_fault_while_it_schedules_callbacks),
    TEST(each_fault_while_it_watches_descriptors),
    TEST(each_fault_while_it_receives_signals),
    TEST(each_fault_while_it_runs),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_events, tests)
