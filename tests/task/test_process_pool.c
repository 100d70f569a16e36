/* SPDX-License-Identifier: MIT
 * Process pools.  This program is its own worker: the first byte of a request says what to do. */
#include "core/proc/pool_frame.h"
#include "core/proc/spawn.h"
#include "tests/task/fault.h"
#include "tests/task/process.h"
#include "tests/task/steps.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int handle(const void *request, size_t size, weft_buffer *reply, void *arg)
{
    const char *bytes = request;
    pid_t pid = getpid();

    (void)arg;
    switch (size ? bytes[0] : 'e') {
    case 'e': return weft_buffer_append(reply, bytes, size);
    case 'k': return raise(SIGKILL);
    case 'n': weft_buffer_append(reply, bytes, size); return -EILSEQ;
    case 'p': weft_buffer_append(reply, &pid, sizeof pid); return 7;
    case 's': return (int)sleep(1000);
    case 't': return usleep(5000);
    case 'x': exit(9);
    default: return -EINVAL;
    }
}

static weft_process_pool *pool_of(unsigned workers)
{
    weft_process_pool *pool = NULL;

    EQUAL(weft_process_pool_new(&(weft_process_pool_options){ .max_workers = workers }, &pool), 0);
    return pool;
}

static pid_t pid_of_worker(weft_process_pool *pool)
{
    weft_buffer reply = { 0 };
    pid_t pid = 0;

    EQUAL(weft_process_pool_call(pool, "p", 1, &reply), 7);
    EQUAL(reply.len, sizeof pid);
    if (reply.len == sizeof pid) {
        memcpy(&pid, reply.data, sizeof pid);
    }
    weft_buffer_clear(&reply);
    return pid;
}

IN_TASK(a_reply_is_what_the_handler_adds_and_returns)
{
    weft_process_pool *pool = pool_of(1);
    weft_buffer reply = { 0 };

    EQUAL(children(), 0); /* no worker before the first call */
    EQUAL(weft_process_pool_call(pool, "echo", 4, &reply), 0);
    SAME(reply.data, "echo");
    EQUAL(weft_process_pool_call(pool, "e2", 2, &reply), 0);
    SAME(reply.data, "echoe2");
    EQUAL(weft_process_pool_call(pool, "n", 1, &reply), -EILSEQ);
    SAME(reply.data, "echoe2");
    EQUAL(weft_process_pool_call(pool, NULL, 0, NULL), 0);
    EQUAL(children(), 1);
    EQUAL(weft_process_pool_free(pool), 0);
    weft_buffer_clear(&reply);
}

IN_TASK(much_goes_there_and_back)
{
    size_t size = 3000000;
    char *bytes = malloc(size);
    weft_process_pool *pool = pool_of(1);
    weft_buffer reply = { 0 };

    memset(bytes, 'e', size);
    EQUAL(weft_process_pool_call(pool, bytes, size, &reply), 0);
    CHECK(reply.len == size && memcmp(bytes, reply.data, size) == 0);
    weft_process_pool_free(pool);
    weft_buffer_clear(&reply);
    free(bytes);
}

WEFT_ASYNC(calls, (weft_process_pool *, pool), (const char *, request))
{
    return weft_process_pool_call(pool, request, strlen(request), NULL);
}

IN_TASK(calls_share_the_workers_that_there_are)
{
    weft_process_pool *pool = pool_of(3);
    weft_task *tasks[12];

    for (int i = 0; i < 12; i++) {
        tasks[i] = weft_create_task(calls(pool, "t"), NULL);
    }
    for (int i = 0; i < 12; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    EQUAL(children(), 3);
    weft_process_pool_free(pool);
}

IN_TASK(an_idle_worker_is_used_again)
{
    weft_process_pool *pool = pool_of(4);
    pid_t pid = pid_of_worker(pool);

    for (int i = 0; i < 5; i++) {
        EQUAL(pid_of_worker(pool), pid);
    }
    weft_process_pool_free(pool);
}

IN_TASK(a_worker_that_dies_is_told_and_replaced)
{
    weft_process_pool *pool = pool_of(1);
    pid_t pid = pid_of_worker(pool);

    EQUAL(weft_process_pool_call(pool, "k", 1, NULL), -EPIPE);
    CHECK(strstr(weft_error_detail(), "was killed by signal 9"));
    CHECK(pid_of_worker(pool) != pid);
    EQUAL(weft_process_pool_call(pool, "x", 1, NULL), -EPIPE);
    CHECK(strstr(weft_error_detail(), "ended with status 9"));
    pid = pid_of_worker(pool);
    kill(pid, SIGKILL); /* while it has nothing to do */
    while (children() > 0) {
        weft_sleep(0.001);
        usleep(1000);
    }
    CHECK(pid_of_worker(pool) != pid);
    weft_process_pool_free(pool);
}

IN_TASK(a_cancel_kills_the_worker_that_has_the_request)
{
    weft_process_pool *pool = pool_of(1);
    pid_t pid = pid_of_worker(pool);

    EQUAL(weft_wait_for(calls(pool, "s"), 0.02), -ETIMEDOUT);
    CHECK(pid_of_worker(pool) != pid);
    weft_process_pool_free(pool);
}

IN_TASK(a_cancel_takes_back_a_request_that_no_worker_has)
{
    weft_process_pool *pool = pool_of(1);
    weft_task *first, *second;
    pid_t pid = pid_of_worker(pool);

    first = weft_create_task(calls(pool, "t"), NULL);
    second = weft_create_task(calls(pool, "s"), NULL);
    weft_sleep(0);
    weft_task_cancel(second);
    EQUAL(weft_await(second), -ECANCELED);
    EQUAL(weft_await(first), 0);
    EQUAL(pid_of_worker(pool), pid);
    weft_process_pool_free(pool);
}

IN_TASK(a_worker_is_replaced_after_so_many_requests)
{
    weft_process_pool *pool = NULL;
    pid_t pid;

    EQUAL(weft_process_pool_new(
              &(weft_process_pool_options){ .max_workers = 1, .max_tasks_per_child = 2 }, &pool),
          0);
    pid = pid_of_worker(pool);
    EQUAL(pid_of_worker(pool), pid);
    CHECK(pid_of_worker(pool) != pid);
    weft_process_pool_free(pool);
}

IN_TASK(a_reply_beyond_the_limit_is_refused)
{
    weft_process_pool *pool = NULL;
    weft_buffer reply = { 0 };

    EQUAL(weft_process_pool_new(&(weft_process_pool_options){ .max_workers = 1, .max_reply = 10 },
                                &pool),
          0);
    EQUAL(weft_process_pool_call(pool, "e123456789x", 11, &reply), -EMSGSIZE);
    EQUAL(reply.len, 0);
    EQUAL(weft_process_pool_call(pool, "e123456789", 10, &reply), 0);
    EQUAL(reply.len, 10);
    weft_buffer_clear(&reply);
    weft_process_pool_free(pool);
}

IN_TASK(what_cannot_be_a_worker_is_told)
{
    const char *const missing[] = { "/no/such/worker", NULL };
    const char *const silent[] = { "sh", "-c", "exit 3", NULL };
    const char *const other[] = { "sh", "-c", "echo something else altogether >&3; cat <&3", NULL };
    weft_process_pool_options options = { .max_workers = 1, .argv = missing };
    weft_process_pool *pool = NULL;

    EQUAL(weft_process_pool_new(&options, &pool), 0);
    EQUAL(weft_process_pool_call(pool, "e", 1, NULL), -ENOENT);
    SAME(weft_error_detail(), "cannot run '/no/such/worker': No such file or directory");
    weft_process_pool_free(pool);
    options.argv = silent;
    EQUAL(weft_process_pool_new(&options, &pool), 0);
    EQUAL(weft_process_pool_call(pool, "e", 1, NULL), -EPIPE);
    CHECK(strstr(weft_error_detail(), "ended with status 3"));
    weft_process_pool_free(pool);
    options.argv = other;
    EQUAL(weft_process_pool_new(&options, &pool), 0);
    EQUAL(weft_process_pool_call(pool, "e", 1, NULL), -EPROTO);
    weft_process_pool_free(pool);
}

IN_TASK(a_shutdown_lets_calls_end_and_workers_too)
{
    weft_process_pool *pool = pool_of(2);
    weft_task *tasks[4];

    for (int i = 0; i < 4; i++) {
        tasks[i] = weft_create_task(calls(pool, "t"), NULL);
    }
    weft_sleep(0);
    EQUAL(weft_process_pool_shutdown(pool), 0);
    EQUAL(children(), 0);
    for (int i = 0; i < 4; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    EQUAL(weft_process_pool_call(pool, "e", 1, NULL), -ESHUTDOWN);
    EQUAL(weft_process_pool_shutdown(pool), 0);
    EQUAL(weft_process_pool_free(pool), 0);
}

/* It goes on when it has nothing to serve any more. */
IN_TASK(a_worker_that_does_not_end_with_its_pool_is_gone_when_that_was_shut_down)
{
    const char *const stays[] = { "STAYS=1", NULL };
    const weft_process_options process = { .env_add = stays };
    weft_process_pool *pool = NULL;

    EQUAL(weft_process_pool_new(
              &(weft_process_pool_options){ .max_workers = 1, .process = &process }, &pool),
          0);
    EQUAL(weft_process_pool_call(pool, "e", 1, NULL), 0);
    EQUAL(children(), 1);
    weft__pool_patience = 0.01;
    EQUAL(weft_process_pool_shutdown(pool), 0);
    weft__pool_patience = 5;
    EQUAL(children(), 0);
    EQUAL(weft_process_pool_free(pool), 0);
}

/* The call has been woken with the worker, but had no turn yet. */
IN_TASK(a_worker_that_was_just_handed_on_ends_with_its_pool)
{
    weft_process_pool *pool = pool_of(1);
    weft_task *next = weft_create_task(calls(pool, "e"), NULL);

    EQUAL(weft_process_pool_call(pool, "t", 1, NULL), 0);
    EQUAL(weft_process_pool_free(pool), 0);
    EQUAL(weft_await(next), -ESHUTDOWN);
}

IN_TASK(calls_of_a_pool_that_is_freed_are_told)
{
    weft_process_pool *pool = pool_of(1);
    weft_task *has = weft_create_task(calls(pool, "s"), NULL);
    weft_task *waits = weft_create_task(calls(pool, "s"), NULL);

    weft_sleep(0.01);
    EQUAL(weft_process_pool_free(pool), 0);
    EQUAL(weft_await(waits), -ESHUTDOWN);
    EQUAL(weft_await(has), -ESHUTDOWN);
}

static weft_process_pool *left;

static void make_a_pool(void *unused)
{
    (void)unused;
    EQUAL(weft_process_pool_new(NULL, &left), 0);
    EQUAL(weft_process_pool_call(left, "e", 1, NULL), -EPERM);
    stop_loop(NULL);
}

IN_LOOP(a_pool_can_be_freed_after_its_loop)
{
    weft_loop_call_soon(loop, make_a_pool, NULL, NULL);
    EQUAL(weft_loop_run_forever(loop), 0);
    close_loop();
    EQUAL(weft_process_pool_free(left), 0);
}

IN_TASK(misuse_is_told)
{
    weft_process_pool *pool = pool_of(1);

    EQUAL(weft_process_pool_new(NULL, NULL), -EINVAL);
    EQUAL(weft_process_pool_call(NULL, "e", 1, NULL), -EINVAL);
    EQUAL(weft_process_pool_call(pool, NULL, 1, NULL), -EINVAL);
    EQUAL(weft_process_pool_shutdown(NULL), -EINVAL);
    EQUAL(weft_process_pool_free(NULL), 0);
    EQUAL(weft_process_pool_is_worker(), false);
    EQUAL(weft_process_pool_serve(handle, NULL), -EPERM);
    weft_process_pool_free(pool);
}

/* The worker's side, in a forked child. */

/* Gives this process a socket to a pool, which has asked for one thing and will ask no more. */
static void become_worker(void)
{
    const struct weft__pool_frame request = { .kind = WEFT__POOL_REQUEST, .size = 1 };
    char number[8];
    int ends[2];

    EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EQUAL(dup2(ends[0], 100), 100);
    EQUAL(dup2(ends[1], WEFT__POOL_FD), WEFT__POOL_FD);
    EQUAL(write(100, &request, sizeof request), sizeof request);
    EQUAL(write(100, "e", 1), 1);
    EQUAL(shutdown(100, SHUT_WR), 0);
    (void)snprintf(number, sizeof number, "%d", WEFT__POOL_FD);
    setenv(WEFT__POOL_VARIABLE, number, 1);
}

static int serves_as_worker(void)
{
    int r;

    become_worker();
    r = weft_process_pool_serve(handle, NULL);
    EQUAL(close(100), 0);
    return r;
}

WEFT_ASYNC(makes_one_in_a_worker)
{
    EQUAL(weft_process_pool_new(NULL, &left), -EDEADLK);
    return 0;
}

static int is_a_worker(void)
{
    become_worker();
    EQUAL(weft_process_pool_serve(NULL, NULL), -EINVAL);
    EQUAL(weft_run(makes_one_in_a_worker(), &(weft_run_options){ .backend = backend() }), 0);
    EQUAL(close(100), 0);
    EQUAL(serves_as_worker(), 0);
    HANDS_ON(-ENOMEM, serves_as_worker());
    return 0;
}

ALONE(a_worker_is_told_what_it_lacks)
{
    if (strncmp(backend(), "glib", 4) != 0) { /* which has a thread that a child would lack */
        EQUAL(in_child(is_a_worker, NULL, 0), 0);
    }
}

/* Faults and cancels. */

WEFT_ASYNC(shuts_down, (weft_process_pool *, pool))
{
    return weft_process_pool_shutdown(pool);
}

IN_TASK(a_shutdown_that_is_cancelled_lets_calls_go_on)
{
    weft_process_pool *pool = pool_of(1);
    weft_task *call = weft_create_task(calls(pool, "t"), NULL), *end;

    weft_sleep(0);
    end = weft_create_task(shuts_down(pool), NULL);
    weft_sleep(0);
    EQUAL(weft_task_cancel(end), 0);
    EQUAL(weft_await(end), -ECANCELED);
    EQUAL(weft_await(call), 0);
    EQUAL(weft_process_pool_call(pool, "e", 1, NULL), -ESHUTDOWN);
    EQUAL(weft_process_pool_free(pool), 0);
}

WEFT_ASYNC(uses_a_pool)
{
    weft_process_pool *pool = NULL;
    weft_buffer reply = { 0 };
    int r = tried(weft_process_pool_new(&(weft_process_pool_options){ .max_workers = 1 }, &pool));

    if (r < 0) {
        return r;
    }
    r = weft_process_pool_call(pool, "echo", 4, &reply);
    tried(r == -ECANCELED ? 0 : r);
    if (r == 0) {
        SAME(reply.data, "echo");
    } else {
        EQUAL(reply.len, 0);
    }
    weft_buffer_clear(&reply);
    weft_process_pool_free(pool);
    return r;
}

static int use_a_pool(void)
{
    int r = run_in_loop(uses_a_pool());

    EQUAL(children(), 0);
    return r;
}

EACH_FAULT_WHILE_IT(use_a_pool)

static weft_coro *using_a_pool(void)
{
    return uses_a_pool();
}

ALONE(a_call_can_be_cancelled_at_every_step)
{
    AT_EVERY_STEP(using_a_pool, 0, -ECANCELED);
    EQUAL(children(), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_reply_is_what_the_handler_adds_and_returns),
    TEST(much_goes_there_and_back),
    TEST(calls_share_the_workers_that_there_are),
    TEST(an_idle_worker_is_used_again),
    TEST(a_worker_that_dies_is_told_and_replaced),
    TEST(a_cancel_kills_the_worker_that_has_the_request),
    TEST(a_cancel_takes_back_a_request_that_no_worker_has),
    TEST(a_worker_is_replaced_after_so_many_requests),
    TEST(a_reply_beyond_the_limit_is_refused),
    TEST(what_cannot_be_a_worker_is_told),
    TEST(a_shutdown_lets_calls_end_and_workers_too),
    TEST(a_worker_that_does_not_end_with_its_pool_is_gone_when_that_was_shut_down),
    TEST(calls_of_a_pool_that_is_freed_are_told),
    TEST(a_worker_that_was_just_handed_on_ends_with_its_pool),
    TEST(a_pool_can_be_freed_after_its_loop),
    TEST(misuse_is_told),
    TEST(a_worker_is_told_what_it_lacks),
    TEST(a_shutdown_that_is_cancelled_lets_calls_go_on),
    TEST(each_fault_while_it_use_a_pool),
    TEST(a_call_can_be_cancelled_at_every_step),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    if (weft_process_pool_is_worker()) {
        int r = weft_process_pool_serve(handle, NULL);

        if (getenv("STAYS")) {
            sleep(1000);
        }
        return r < 0;
    }
    return task_main("process_pool", tests, argc, argv);
}
