/* SPDX-License-Identifier: MIT
 * Who has no business with an object is told so by every call: a forked child gets -ECHILD for what
 * is its parent's, a task of another loop -EXDEV; and nothing has changed then. */
#include "tests/task/fault.h"
#include "tests/task/transport.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One of each. */
static struct {
    weft_lock lock;
    weft_condition condition;
    weft_rwlock read, written;
    weft_event event;
    weft_semaphore semaphore;
    weft_limiter limiter;
    weft_barrier barrier;
    weft_queue *queue;
    weft_broadcast *broadcast;
    weft_subscription subscription, other_subscription;
    weft_watch watch;
    weft_waitq waitq, other_waitq;
    weft_waiter waiter, told, untold;
    weft_future *future;
    weft_task *sleeper, *waiting[8];
    weft_handle *later;
    weft_signal_receiver *receiver;
    weft_stream *ends[2];
    weft_ticker ticker;
    weft_executor *executor;
    weft_thread_future *job;
} the;

static void nothing(void *unused)
{
    (void)unused;
}

static void tell_nobody(weft_waiter *waiter, int status)
{
    (void)waiter, (void)status;
    CHECK(false);
}

static int no_job(void *unused)
{
    (void)unused;
    return 0;
}

/* Whoever waits for one of them makes it the loop's. */
WEFT_ASYNC(waits_for, (int, which))
{
    void *item = NULL;
    uint64_t seen = 1;
    int r = -1;

    switch (which) {
    case 0: return weft_waitq_wait(&the.waitq);
    case 1: return weft_event_wait(&the.event);
    case 2: return weft_semaphore_acquire(&the.semaphore);
    case 3: return weft_barrier_wait(&the.barrier);
    case 4: return weft_queue_get(the.queue, &item);
    case 5: return weft_subscription_get(&the.subscription, &item);
    case 6: return weft_watch_wait(&the.watch, &seen);
    default:
        r = weft_limiter_acquire(&the.limiter);
        return r < 0 ? r : weft_limiter_release(&the.limiter);
    }
}

/* One of each, and for most of them somebody waits. */
static void make(void)
{
    weft_lock lock = WEFT_LOCK_INIT;
    weft_condition condition = WEFT_CONDITION_INIT;
    weft_rwlock rwlock = WEFT_RWLOCK_INIT;
    weft_event event = WEFT_EVENT_INIT;
    weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(1);
    weft_limiter limiter = WEFT_LIMITER_INIT(1);
    weft_barrier barrier = WEFT_BARRIER_INIT(2);
    weft_subscription subscription = WEFT_SUBSCRIPTION_INIT;
    weft_watch watch = WEFT_WATCH_INIT;
    weft_waitq waitq = WEFT_WAITQ_INIT;

    the.lock = lock, the.condition = condition, the.read = the.written = rwlock;
    the.event = event, the.semaphore = semaphore, the.limiter = limiter, the.barrier = barrier;
    the.subscription = the.other_subscription = subscription, the.watch = watch,
    the.waitq = the.other_waitq = waitq;
    memset(&the.waiter, 0, sizeof the.waiter);
    memset(&the.told, 0, sizeof the.told);
    the.told.tell = tell_nobody;
    the.untold = the.told;
    EQUAL(weft_lock_acquire(&the.lock), 0);
    EQUAL(weft_condition_acquire(&the.condition), 0);
    EQUAL(weft_rwlock_acquire_read(&the.read), 0);
    EQUAL(weft_rwlock_acquire_write(&the.written), 0);
    EQUAL(weft_semaphore_acquire(&the.semaphore), 0);
    EQUAL(weft_limiter_acquire(&the.limiter), 0);
    EQUAL(weft_queue_new(3, &the.queue), 0);
    EQUAL(weft_broadcast_new(3, 0, &the.broadcast), 0);
    EQUAL(weft_broadcast_subscribe(the.broadcast, &the.subscription), 0);
    EQUAL(weft_broadcast_subscribe(the.broadcast, &the.other_subscription), 0);
    the.future = new_future();
    the.sleeper = weft_create_task(sleeps(INFINITY), NULL);
    for (int i = 0; i < 8; i++) {
        the.waiting[i] = weft_create_task(waits_for(i), NULL);
    }
    EQUAL(weft_loop_call_later(NULL, 1000, nothing, NULL, &the.later), 0);
    EQUAL(weft_signal_receiver_open((const int[]){ SIGUSR2, 0 }, &the.receiver), 0);
    EQUAL(weft_stream_pair(100, the.ends), 0);
    EQUAL(weft_ticker_init(&the.ticker, 1000, 0), 0);
    EQUAL(weft_executor_new(NULL, &the.executor), 0);
    weft_sleep(0);
    EQUAL(weft_waitq_add(&the.waitq, &the.told), 0);
}

/* Nothing has changed: all can be used to its end. */
static void use_up(void)
{
    EQUAL(weft_lock_release(&the.lock), 0);
    EQUAL(weft_condition_release(&the.condition), 0);
    EQUAL(weft_rwlock_release_read(&the.read), 0);
    EQUAL(weft_rwlock_release_write(&the.written), 0);
    EQUAL(weft_waitq_remove(&the.told), 0);
    EQUAL(weft_waitq_wake(&the.waitq, 9), 1);
    EQUAL(weft_event_set(&the.event), 0);
    EQUAL(weft_semaphore_release(&the.semaphore), 0);
    EQUAL(weft_barrier_wait(&the.barrier), 1);
    EQUAL(weft_queue_put(the.queue, &the), 0);
    EQUAL(weft_broadcast_send(the.broadcast, &the), 2);
    EQUAL(weft_watch_notify(&the.watch), 1);
    EQUAL(weft_limiter_release(&the.limiter), 0);
    for (int i = 0; i < 8; i++) {
        EQUAL(weft_await(the.waiting[i]), 0);
    }
    EQUAL(weft_queue_free(the.queue), 0);
    EQUAL(weft_broadcast_unsubscribe(&the.subscription), 0);
    EQUAL(weft_broadcast_unsubscribe(&the.other_subscription), 0);
    EQUAL(weft_broadcast_free(the.broadcast), 0);
    EQUAL(weft_limiter_destroy(&the.limiter), 0);
    EQUAL(weft_future_set_result(the.future, NULL), 0);
    EQUAL(weft_await(the.future), 0);
    EQUAL(weft_task_cancelling(the.sleeper), 0);
    EQUAL(weft_task_cancel(the.sleeper), 0);
    EQUAL(weft_await(the.sleeper), -ECANCELED);
    EQUAL(weft_handle_cancel(the.later), 0);
    weft_handle_unref(the.later);
    weft_signal_receiver_close(the.receiver);
    EQUAL(weft_stream_close(the.ends[0]), 0);
    EQUAL(weft_stream_close(the.ends[1]), 0);
    weft_executor_free(the.executor);
}

/* What is used in a loop. */
static void refuses_what_is_shared(int error)
{
    void *item = NULL;
    uint64_t seen = 0;
    weft_waitq *one[] = { &the.waitq };
    weft_clause get = WEFT_ON_GET(the.queue, &item);
    weft_cancel_reason reason;
    size_t which = 0;

    EQUAL(weft_lock_acquire(&the.lock), error);
    EQUAL(weft_rwlock_acquire_read(&the.written), error);
    EQUAL(weft_rwlock_acquire_write(&the.written), error);
    EQUAL(weft_event_set(&the.event), error);
    EQUAL(weft_event_wait(&the.event), error);
    EQUAL(weft_semaphore_acquire(&the.semaphore), error);
    EQUAL(weft_semaphore_release(&the.semaphore), error);
    EQUAL(weft_limiter_acquire(&the.limiter), error);
    EQUAL(weft_limiter_release(&the.limiter), error);
    EQUAL(weft_limiter_set_total(&the.limiter, 9), error);
    EQUAL(weft_barrier_wait(&the.barrier), error);
    EQUAL(weft_barrier_reset(&the.barrier), error);
    EQUAL(weft_barrier_abort(&the.barrier), error);
    EQUAL(weft_queue_put(the.queue, &the), error);
    EQUAL(weft_queue_put_nowait(the.queue, &the), error);
    EQUAL(weft_queue_get(the.queue, &item), error);
    EQUAL(weft_queue_get_nowait(the.queue, &item), error);
    EQUAL(weft_queue_task_done(the.queue), error);
    EQUAL(weft_queue_join(the.queue), error);
    EQUAL(weft_queue_shutdown(the.queue, true), error);
    EQUAL(weft_select_array(&get, 1, INFINITY, NULL), error);
    EQUAL(weft_broadcast_send(the.broadcast, &the), error);
    EQUAL(weft_broadcast_shutdown(the.broadcast), error);
    EQUAL(weft_subscription_get(&the.other_subscription, &item), error);
    EQUAL(weft_watch_notify(&the.watch), error);
    EQUAL(weft_watch_wait(&the.watch, &seen), error);
    EQUAL(weft_watch_shutdown(&the.watch), error);
    EQUAL(weft_waitq_wait(&the.waitq), error);
    EQUAL(weft_waitq_wait_any(one, &the.waiter, 1, &which), error);
    EQUAL(weft_waitq_add(&the.waitq, &the.untold), error);
    EQUAL(weft_waitq_wake(&the.waitq, 1), error);
    EQUAL(weft_waitq_move(&the.waitq, &the.other_waitq, 1), error);
    EQUAL(weft_future_set_result(the.future, NULL), error);
    EQUAL(weft_task_cancel_reason(the.sleeper, &reason), error);
    EQUAL(weft_handle_cancel(the.later), error);
    EQUAL(weft_signal_receive(the.receiver), error);
    EQUAL(weft_stream_write(the.ends[0], "a", 1), error);
    EQUAL(weft_stream_consume(the.ends[0], 0), error);
    EQUAL(weft_stream_abort(the.ends[0]), error);
    CHECK(item == NULL && seen == 0);
}

/* The calls that name a loop. */
static void refuses_the_loop(int error)
{
    static const weft_loop_hooks hooks = { .size = sizeof hooks };
    char words[50] = "none";
    weft_future *made = NULL;
    weft_loop_metrics metrics = { .size = sizeof metrics };
    weft_task_metrics of_task = { .size = sizeof of_task };
    weft_transport *transport = NULL;
    weft_listener *listener = NULL;

    EQUAL(weft_debug_set(loop, "1"), error);
    EQUAL(weft_debug_get(loop, words, sizeof words), error);
    EQUAL(weft_loop_add_hooks(loop, &hooks, NULL), error);
    EQUAL(weft_loop_get_metrics(loop, &metrics), error);
    EQUAL(weft_task_get_metrics(the.sleeper, &of_task), error);
    EQUAL(weft_loop_run_in_executor(loop, NULL, no_job, NULL, &made), error);
    EQUAL(weft_loop_set_default_executor(loop, the.executor), error);
    EQUAL(weft_loop_shutdown_default_executor(loop, 1), error);
    EQUAL(weft_loop_create_connection(loop, &noting, NULL, "127.0.0.1", 9, NULL, &transport),
          error);
    EQUAL(weft_loop_create_server(loop, &noting, NULL, "127.0.0.1", 0, NULL, &listener), error);
    EQUAL(weft_record_write(loop, 9999), error);
    EQUAL(weft_loop_add_signal_handler(loop, SIGUSR1, nothing, NULL), error);
    EQUAL(weft_loop_remove_signal_handler(loop, SIGUSR1), error);
    EQUAL(weft_loop_on_closed(loop, nothing, NULL), error);
    EQUAL(weft_waiter_wake(&the.told, 0), error);
    SAME(words, "none");
    CHECK(!made && !transport && !listener);
}

/* A forked child. */

static int child_of_the_task(void)
{
    weft_thread_future *job = NULL;
    weft_task_group group;
    weft_timeout timeout;
    weft_ticker ticker;
    weft_resource_guard guard = WEFT_RESOURCE_GUARD_INIT;
    weft_addrinfo *info = NULL;
    int fd = -7, drops = 0;

    refuses_what_is_shared(-ECHILD);
    refuses_the_loop(-ECHILD);
    EQUAL(weft_condition_wait(&the.condition), -ECHILD);
    EQUAL(weft_condition_notify(&the.condition, 1), -ECHILD);
    EQUAL(weft_rwlock_release_read(&the.read), -ECHILD);
    EQUAL(weft_rwlock_release_write(&the.written), -ECHILD);
    EQUAL(weft_rwlock_downgrade(&the.written), -ECHILD);
    EQUAL(weft_event_set_threadsafe(&the.event), -ECHILD);
    EQUAL(weft_semaphore_release_threadsafe(&the.semaphore), -ECHILD);
    EQUAL(weft_queue_free(the.queue), -ECHILD);
    EQUAL(weft_ticker_wait(&the.ticker), -ECHILD);
    EQUAL(weft_stream_close(the.ends[0]), -ECHILD);
    EQUAL(weft_resource_guard_enter(&guard), -ECHILD);
    EQUAL(weft_resource_guard_exit(&guard), -ECHILD);
    EQUAL(weft_task_group_enter(&group), -ECHILD);
    EQUAL(weft_timeout_enter(&timeout, 1), -ECHILD);
    EQUAL(weft_ticker_init(&ticker, 1, 0), -ECHILD);
    EQUAL(weft_to_thread(no_job, NULL), -ECHILD);
    EQUAL(weft_executor_shutdown(the.executor, false, false), -ECHILD);
    EQUAL(weft_getaddrinfo("127.0.0.1", NULL, NULL, &info), -ECHILD);
    EQUAL(weft_connect_host("127.0.0.1", 9, NULL, &fd), -ECHILD);
    EQUAL(weft_run_coroutine_threadsafe(weft_coro_on_drop(gives(0), count_up, &drops), loop, &job),
          -ECHILD);
    EQUAL(drops, 1);
    EQUAL(fd, -7);
    CHECK(!job && !info);
    return 7;
}

IN_TASK(a_forked_child_is_refused_by_every_call)
{
    make();
    EQUAL(in_child(child_of_the_task, NULL, 0), 7 << 8);
    use_up();
}

/* A task of another loop, in another thread. */

WEFT_ASYNC(is_a_stranger)
{
    refuses_what_is_shared(-EXDEV);
    refuses_the_loop(-EXDEV);
    EQUAL(weft_waitq_remove(&the.told), -EXDEV);
    return 0;
}

static void *runs_a_stranger(void *unused)
{
    EQUAL(weft_run(is_a_stranger(), &(weft_run_options){ .backend = backend() }), 0);
    return unused;
}

IN_TASK(a_task_of_another_loop_is_refused_by_every_call)
{
    make();
    in_thread(runs_a_stranger, NULL);
    use_up();
}

static CU_TestInfo tests[] = {
    TEST(a_forked_child_is_refused_by_every_call),
    TEST(a_task_of_another_loop_is_refused_by_every_call),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(refused, tests)
