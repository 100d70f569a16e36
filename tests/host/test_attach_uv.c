/* SPDX-License-Identifier: MIT
 * Life inside a libuv loop that is the program's: `attach_uv uv:direct`, `attach_uv uv:guest`. */
#include "tests/task/fault.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* Each test has a host, and `loop` in it; at its end both are closed, and the host is as it was. */
static uv_loop_t host;
static uv_timer_t ticker;
static int ticks, handles;

static void count_handle(uv_handle_t *handle, void *counter)
{
    (void)handle;
    ++*(int *)counter;
}

static int count_handles(void)
{
    int count = 0;

    uv_walk(&host, count_handle, &count);
    return count;
}

static void attach(void)
{
    EQUAL(uv_loop_init(&host), 0);
    handles = count_handles();
    EQUAL(weft_loop_attach(backend(), &host, &loop), 0);
    EQUAL(weft_loop_set_exception_handler(loop, keep_report, NULL), 0);
}

static void detach(void)
{
    if (!weft_loop_is_closed(loop)) {
        EQUAL(weft_loop_close(loop), -EINPROGRESS);
    }
    EQUAL(uv_run(&host, UV_RUN_DEFAULT), 0);
    EQUAL(count_handles(), handles);
    EQUAL(uv_loop_close(&host), 0);
}

static void (*attached)(void);

static void with_host(void)
{
    attach();
    attached();
    detach();
}

static void test_attached(void (*body)(void))
{
    attached = body;
    test_alone(with_host);
}

#define ATTACHED(name) WEFT__TEST(name, test_attached)

static void on_tick(uv_timer_t *timer)
{
    if (++ticks == 3) {
        uv_close((uv_handle_t *)timer, NULL);
    }
    note("tick");
}

/* Work of the host's own: three ticks. */
static void begin_ticks(int milliseconds)
{
    ticks = 0;
    uv_timer_init(&host, &ticker);
    uv_timer_start(&ticker, on_tick, (uint64_t)milliseconds, (uint64_t)milliseconds);
}

static void let_host_end(weft_task *task, void *arg)
{
    (void)arg;
    EQUAL(weft_loop_hold(weft_task_get_loop(task), false), 0);
}

/* Runs the host until the task has ended. */
static int run_held(weft_task *task)
{
    EQUAL(weft_loop_hold(loop, true), 0);
    EQUAL(weft_task_add_done_callback(task, let_host_end, NULL), 0);
    uv_run(&host, UV_RUN_DEFAULT);
    CHECK(weft_task_done(task));
    return weft_task_status(task);
}

static int run_coro(weft_coro *coro)
{
    weft_task *task = weft_loop_create_task(loop, coro, NULL);
    int r = run_held(task);

    weft_task_unref(task);
    return r;
}

static void close_attached(void)
{
    EQUAL(weft_loop_close(loop), -EINPROGRESS);
    uv_run(&host, UV_RUN_DEFAULT);
}

#include "tests/host/scenes.h"

/* Tasks and the host beside each other. */

static void tick_and_tell(uv_timer_t *timer)
{
    note("tick");
    EQUAL(weft_future_set_result(timer->data, NULL), 0);
}

WEFT_ASYNC(steps)
{
    for (int i = 0; i < 3; i++) {
        ticker.data = new_future();
        uv_timer_start(&ticker, tick_and_tell, 1, 0);
        EQUAL(weft_await((weft_future *)ticker.data), 0);
        note("step");
        EQUAL(weft_sleep(0.001), 0);
    }
    uv_close((uv_handle_t *)&ticker, NULL);
    return 5;
}

ATTACHED(tasks_run_between_the_hosts_own_work)
{
    uv_timer_init(&host, &ticker);
    EQUAL(run_coro(steps()), 5);
    HAPPENED("tick step tick step tick step");
}

ATTACHED(what_is_ready_runs_in_order_when_the_host_runs)
{
    EQUAL(weft_loop_call_soon(loop, NOTED("1"), NULL), 0);
    EQUAL(weft_loop_call_later(loop, -1, NOTED("3"), NULL), 0);
    EQUAL(weft_loop_call_soon(loop, NOTED("2"), NULL), 0);
    HAPPENED("");
    EQUAL(run_coro(notes("task")), 0);
    HAPPENED("1 2 task 3");
}

ATTACHED(the_host_ends_when_its_own_work_has)
{
    weft_task *task = weft_loop_create_task(loop, sleeps_then(0.03, 4), NULL);

    begin_ticks(1);
    EQUAL(uv_run(&host, UV_RUN_DEFAULT), 0);
    HAPPENED("tick tick tick");
    CHECK(!weft_task_done(task));
    EQUAL(run_held(task), 4); /* and may run again */
    weft_task_unref(task);
}

static void create_in_callback(uv_timer_t *timer)
{
    CHECK(!weft_get_running_loop());
    EQUAL(weft_task_detach(weft_loop_create_task(loop, notes("task"), NULL)), 0);
    EQUAL(weft_loop_call_later(loop, 0.001, NOTED("later"), NULL), 0);
    note("callback");
    uv_timer_start(timer, on_tick, 20, 0);
    ticks = 2;
}

ATTACHED(what_a_host_callback_makes_ready_has_its_turn_soon)
{
    uv_timer_init(&host, &ticker);
    uv_timer_start(&ticker, create_in_callback, 0, 0);
    EQUAL(uv_run(&host, UV_RUN_DEFAULT), 0);
    HAPPENED("callback task later tick");
}

static void wake_waiter(uv_timer_t *timer)
{
    EQUAL(weft_future_set_result(timer->data, NULL), 0);
    uv_close((uv_handle_t *)timer, NULL);
}

ATTACHED(a_host_callback_wakes_a_task)
{
    weft_future *future = NULL;

    EQUAL(weft_future_new(loop, &future), 0);
    uv_timer_init(&host, &ticker);
    ticker.data = future;
    uv_timer_start(&ticker, wake_waiter, 2, 0);
    EQUAL(run_coro(awaits_future(future)), 0);
}

static void cancel_it(uv_timer_t *timer)
{
    EQUAL(weft_task_cancel(timer->data), 0);
    uv_close((uv_handle_t *)timer, NULL);
}

ATTACHED(a_host_callback_cancels_a_task)
{
    weft_task *task = weft_loop_create_task(loop, sleeps(1e6), NULL);

    uv_timer_init(&host, &ticker);
    ticker.data = task;
    uv_timer_start(&ticker, cancel_it, 2, 0);
    EQUAL(run_held(task), -ECANCELED);
    weft_task_unref(task);
}

static void go_on(void *stop)
{
    if (!*(bool *)stop) {
        EQUAL(weft_loop_call_soon(NULL, go_on, stop, NULL), 0);
    }
}

static void end_it(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
    on_tick(timer);
}

ATTACHED(a_busy_loop_does_not_starve_the_host)
{
    bool stop = false;

    EQUAL(weft_loop_call_soon(loop, go_on, &stop, NULL), 0);
    uv_timer_init(&host, &ticker);
    ticker.data = &stop;
    ticks = 2;
    uv_timer_start(&ticker, end_it, 5, 0);
    EQUAL(uv_run(&host, UV_RUN_DEFAULT), 0);
    HAPPENED("tick");
}

static void spin(uv_idle_t *idle)
{
    (void)idle;
}

ATTACHED(a_busy_host_does_not_starve_the_loop)
{
    uv_idle_t idle;

    uv_idle_init(&host, &idle);
    uv_idle_start(&idle, spin);
    uv_unref((uv_handle_t *)&idle);
    EQUAL(run_coro(sleeps_then(0.003, 2)), 2);
    uv_close((uv_handle_t *)&idle, NULL);
    uv_run(&host, UV_RUN_NOWAIT);
}

/* Threads and descriptors. */

static void *post(void *unused)
{
    (void)unused;
    EQUAL(weft_loop_call_soon(loop, NOTED("never"), NULL), -EXDEV);
    EQUAL(weft_loop_pump(loop), -EXDEV);
    EQUAL(weft_loop_hold(loop, true), -EXDEV);
    EQUAL(weft_loop_close(loop), -EXDEV);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("posted"), NULL), 0);
    return NULL;
}

static void post_in_thread(uv_timer_t *timer)
{
    in_thread(post, NULL);
    ticks = 2;
    uv_timer_start(timer, on_tick, 20, 0);
}

ATTACHED(other_threads_have_one_door)
{
    uv_timer_init(&host, &ticker);
    uv_timer_start(&ticker, post_in_thread, 0, 0);
    EQUAL(uv_run(&host, UV_RUN_DEFAULT), 0);
    HAPPENED("posted tick");
}

static void count_errors(void *counter)
{
    count_up(counter);
}

WEFT_ASYNC(sees_errors, (int, fd))
{
    int count = 0;

    EQUAL(weft_loop_add_writer(NULL, fd, count_errors, &count), 0);
    EQUAL(weft_sleep(0.005), 0);
    CHECK(count > 2); /* a state, reported as long as it holds */
    EQUAL(weft_loop_remove_writer(NULL, fd), 1);
    return 0;
}

ATTACHED(an_error_is_reported_and_goes_on_being_reported)
{
    static const char full[4096];
    struct ends ends;

    EQUAL(pipe2(ends.fds, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends.fds[1], full, sizeof full) > 0) {}
    close(ends.fds[0]); /* from now on it is not writable, but broken */
    EQUAL(run_coro(sees_errors(ends.fds[1])), 0);
    close(ends.fds[1]);
}

WEFT_ASYNC(closes_what_it_watches)
{
    int fd = dup(0), kept = dup(0);

    (void)!weft_loop_add_reader(NULL, fd, NOTED(""));
    (void)!weft_loop_add_reader(NULL, kept, NOTED(""));
    close(fd); /* a mistake, but none to die of */
    EQUAL(weft_sleep(0.002), 0);
    weft_loop_remove_reader(NULL, fd);
    weft_loop_remove_reader(NULL, kept);
    close(kept);
    return 0;
}

ATTACHED(a_descriptor_that_was_closed_too_early_does_not_end_the_process)
{
    int fds[2], input = dup(0);

    EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    dup2(fds[0], 0);
    EQUAL(run_coro(closes_what_it_watches()), 0);
    dup2(input, 0);
    close(input);
    close(fds[0]);
    close(fds[1]);
}

/* Who may do what. */

WEFT_ASYNC(tries_what_is_the_hosts)
{
    CHECK(weft_get_running_loop() == loop);
    CHECK(weft_loop_is_running(loop));
    EQUAL(weft_loop_run_forever(loop), -EBUSY);
    EQUAL(weft_loop_stop(NULL), -EOPNOTSUPP);
    EQUAL(weft_loop_close(loop), -EBUSY);
    EQUAL(weft_loop_fd(NULL), -EOPNOTSUPP);
    CHECK(weft_loop_native(NULL) == &host);
    SAME(weft_loop_backend_name(NULL), "uv");
    SAME(weft_loop_backend_mode(NULL), strchr(backend(), ':') + 1);
    return 0;
}

ATTACHED(the_host_alone_runs_it)
{
    CHECK(!weft_loop_is_running(loop));
    EQUAL(weft_loop_run_forever(loop), -EBUSY);
    EQUAL(weft_loop_run_until_complete(loop, gives(0)), -EBUSY);
    EQUAL(weft_loop_stop(loop), -EOPNOTSUPP);
    EQUAL(run_coro(tries_what_is_the_hosts()), 0);
    CHECK(!weft_get_running_loop());
}

ATTACHED(it_can_be_pumped_by_hand)
{
    EQUAL(weft_loop_call_soon(loop, NOTED("soon"), NULL), 0);
    EQUAL(weft_loop_pump(loop), 0);
    HAPPENED("soon");
}

WEFT_ASYNC(pumps)
{
    weft_task *other = weft_create_task(notes("other"), NULL);

    EQUAL(weft_loop_pump(NULL), 0);
    note("pumped");
    return weft_await(other);
}

ATTACHED(a_task_lets_others_have_turns)
{
    EQUAL(run_coro(pumps()), 0);
    HAPPENED("other pumped");
}

ATTACHED(several_loops_live_in_one_host)
{
    weft_loop *second = NULL;
    weft_task *task;

    EQUAL(weft_loop_attach(backend(), &host, &second), 0);
    task = weft_loop_create_task(second, sleeps_then(0.001, 8), NULL);
    EQUAL(run_coro(sleeps_then(0.005, 9)), 9);
    EQUAL(weft_task_status(task), 8);
    weft_task_unref(task);
    EQUAL(weft_loop_close(second), -EINPROGRESS);
}

/* The end. */

ATTACHED(closing_is_a_request)
{
    EQUAL(weft_loop_on_closed(loop, NOTED("closed")), 0);
    EQUAL(weft_loop_close(loop), -EINPROGRESS);
    CHECK(weft_loop_is_closed(loop));
    EQUAL(weft_loop_close(loop), -EBADF);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("never"), NULL), -EBADF);
    EQUAL(uv_loop_close(&host), UV_EBUSY);
    HAPPENED("");
    EQUAL(uv_run(&host, UV_RUN_NOWAIT), 0);
    HAPPENED("closed");
    EQUAL(count_handles(), handles);
}

static void close_in_callback(uv_timer_t *timer)
{
    if (weft_all_tasks(loop, NULL, 0) > 0) { /* a slow machine: it has had no turn yet */
        uv_timer_start(timer, close_in_callback, 1, 0);
        return;
    }
    EQUAL(weft_loop_on_closed(loop, NOTED("closed")), 0);
    EQUAL(weft_loop_close(loop), -EINPROGRESS);
    uv_timer_start(timer, on_tick, 1, 0);
    ticks = 2;
}

ATTACHED(it_can_be_closed_while_the_host_runs)
{
    EQUAL(weft_task_detach(weft_loop_create_task(loop, gives(0), NULL)), 0);
    uv_timer_init(&host, &ticker);
    uv_timer_start(&ticker, close_in_callback, 2, 0);
    EQUAL(uv_run(&host, UV_RUN_DEFAULT), 0);
    HAPPENED("closed tick");
}

ATTACHED(a_task_that_has_not_ended_is_reported)
{
    weft_task *task = weft_loop_create_task(loop, sleeps(1e6), NULL);

    uv_run(&host, UV_RUN_NOWAIT);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_loop_pump(loop), 0);
    EQUAL(weft_task_status(task), -ECANCELED);
    weft_task_unref(task);
    task = weft_loop_create_task(loop, notes("never"), NULL);
    EQUAL(weft_loop_close(loop), -EINPROGRESS);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    (void)task;
}

/* What cannot be. */

ALONE(what_is_no_host_is_refused)
{
    weft_loop *made = NULL;
    int anything;

    EQUAL(weft_loop_attach("epoll", &anything, &made), -EOPNOTSUPP);
    CHECK(strstr(weft_error_detail(), "is no loop to live in"));
    EQUAL(weft_loop_attach("uv,epoll", &anything, &made), -EINVAL);
    EQUAL(weft_loop_attach("uv:sideways", &anything, &made), -EINVAL);
    EQUAL(weft_loop_attach("nosuch", &anything, &made), -ENOENT);
    EQUAL(weft_loop_attach(NULL, &anything, &made), -EINVAL);
    EQUAL(weft_loop_attach("uv", NULL, &made), -EINVAL);
    EQUAL(weft_loop_attach("uv", &anything, NULL), -EINVAL);
    CHECK(!made);
}

static void on_last(void *unused)
{
    (void)unused;
    ended(NULL);
}

static int lives_in_a_host(void)
{
    weft_loop *made = NULL;
    weft_task *task;
    int r;

    EQUAL(uv_loop_init(&host), 0);
    r = tried(weft_loop_attach(backend(), &host, &made));
    if (r == 0) {
        EQUAL(weft_loop_hold(made, true), 0);
        task = weft_loop_create_task(made, counted(3), NULL);
        tried(weft_loop_call_later(made, 0.0002, NOTED(""), NULL));
        uv_run(&host, UV_RUN_NOWAIT);
        for (int i = 0; i < 100 && !weft_task_done(task); i++) {
            uv_run(&host, UV_RUN_NOWAIT);
        }
        tried(weft_task_status(task));
        weft_task_unref(task);
        begun();
        EQUAL(weft_loop_on_closed(made, on_last, NULL), 0);
        EQUAL(weft_loop_close(made), -EINPROGRESS);
    }
    uv_run(&host, UV_RUN_DEFAULT);
    EQUAL(uv_loop_close(&host), 0);
    return r;
}

EACH_FAULT_WHILE_IT(lives_in_a_host)

/* The library's loop under ours. */

static void on_native_timer(uv_timer_t *timer)
{
    EQUAL(weft_future_set_result(timer->data, NULL), 0);
    uv_close((uv_handle_t *)timer, NULL);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_room)
{
    static char room[16];

    (void)handle, (void)wanted;
    *ret_room = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *read)
{
    EQUAL(n, 4);
    EQUAL(memcmp(read->base, "ping", 4), 0);
    EQUAL(weft_future_set_result(stream->data, NULL), 0);
    uv_close((uv_handle_t *)stream, NULL);
}

IN_TASK(a_task_uses_the_library_on_our_own_loop)
{
    uv_loop_t *native = weft_loop_native(NULL);
    uv_pipe_t stream = { .data = new_future() };
    uv_timer_t timer = { .data = new_future() };
    int fds[2];

    CHECK(native != NULL);
    uv_timer_init(native, &timer);
    uv_timer_start(&timer, on_native_timer, 2, 0);
    EQUAL(weft_await((weft_future *)timer.data), 0);
    EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    uv_pipe_init(native, &stream, 0);
    EQUAL(uv_pipe_open(&stream, fds[0]), 0);
    uv_read_start((uv_stream_t *)&stream, give_room, on_read);
    EQUAL(write(fds[1], "ping", 4), 4);
    EQUAL(weft_await((weft_future *)stream.data), 0);
    close(fds[1]);
    give_way(1);
    EQUAL(weft_sleep(0.001), 0); /* libuv needs an iteration to let go of what lies here */
}

/* Debug mode does not say that nothing can happen: the library can make it. */
IN_TASK(what_the_library_will_do_is_no_deadlock)
{
    uv_loop_t *native = weft_loop_native(NULL);
    uv_timer_t timer = { .data = new_future() };

    EQUAL(weft_debug_set(NULL, "deadlock"), 0);
    uv_timer_init(native, &timer);
    uv_timer_start(&timer, on_native_timer, 20, 0);
    uv_unref((uv_handle_t *)&timer); /* it comes all the same */
    EQUAL(weft_await((weft_future *)timer.data), 0);
    EQUAL(weft_debug_set(NULL, "0"), 0);
    EQUAL(weft_sleep(0.001), 0); /* libuv needs an iteration to let go of what lies here */
}

IN_LOOP(what_is_left_on_our_own_loop_ends_with_it)
{
    static uv_timer_t timer;
    static uv_async_t async;

    uv_timer_init(weft_loop_native(loop), &timer);
    uv_timer_start(&timer, on_tick, 1000000, 0);
    uv_async_init(weft_loop_native(loop), &async, NULL);
    EQUAL(run(sleeps(0.001)), 0);
}

/* Among some tries at least one is not disturbed by what else the machine has to do. */
static double best_sleep(double delay)
{
    double best = 1;

    for (int i = 0; i < 60; i++) {
        double began = weft_loop_time(NULL), took;

        EQUAL(weft_sleep(delay), 0);
        took = weft_loop_time(NULL) - began;
        CHECK(took >= delay);
        best = took < best ? took : best;
    }
    return best;
}

WEFT_ASYNC(sleeps_shortly)
{
    CHECK(best_sleep(0.0002) < 0.0006);
    return 0;
}

IN_TASK(a_short_sleep_is_short_on_our_own_loop)
{
    EQUAL(weft_await(sleeps_shortly()), 0);
}

ATTACHED(a_short_sleep_is_short_in_a_host)
{
    EQUAL(run_coro(sleeps_shortly()), 0);
}

static CU_TestInfo tests[] = {
    TEST(tasks_run_between_the_hosts_own_work),
    TEST(what_is_ready_runs_in_order_when_the_host_runs),
    TEST(the_host_ends_when_its_own_work_has),
    TEST(what_a_host_callback_makes_ready_has_its_turn_soon),
    TEST(a_host_callback_wakes_a_task),
    TEST(a_host_callback_cancels_a_task),
    TEST(a_busy_loop_does_not_starve_the_host),
    TEST(a_busy_host_does_not_starve_the_loop),
    TEST(other_threads_have_one_door),
    TEST(descriptors_are_watched_and_stay_as_they_are),
    TEST(an_error_is_reported_and_goes_on_being_reported),
    TEST(a_descriptor_that_was_closed_too_early_does_not_end_the_process),
    TEST(the_host_alone_runs_it),
    TEST(it_can_be_pumped_by_hand),
    TEST(a_task_lets_others_have_turns),
    TEST(several_loops_live_in_one_host),
    TEST(a_forked_child_leaves_it_alone),
    TEST(closing_is_a_request),
    TEST(it_can_be_closed_while_the_host_runs),
    TEST(a_task_that_has_not_ended_is_reported),
    TEST(signals_are_as_they_were),
    TEST(what_is_no_host_is_refused),
    TEST(each_fault_while_it_lives_in_a_host),
    TEST(a_task_uses_the_library_on_our_own_loop),
    TEST(what_the_library_will_do_is_no_deadlock),
    TEST(what_is_left_on_our_own_loop_ends_with_it),
    TEST(a_short_sleep_is_short_on_our_own_loop),
    TEST(a_short_sleep_is_short_in_a_host),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(attach_uv, tests)
