/* SPDX-License-Identifier: MIT
 * A libuv program in which tasks live: weft is a guest of the program's own uv_loop_t.
 *
 * The program's timer ticks on, and a task awaits what libuv does: a bridge of ten lines makes an
 * await of any libuv call with a callback.  Prints "tick" now and then, what the task found, and
 * "the loop is as it was". */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <uv.h>
#include <weft/weft.h>

/* The bridge: a future, whose setter's hold travels with the request. */
static void stat_done(uv_fs_t *request)
{
    weft_future_set_result(request->data, NULL);
}

/* Size of a file, found in libuv's thread pool while this task waits. */
WEFT_ASYNC(size_of, (const char *, path))
{
    uv_fs_t request = { .data = NULL };
    int r = weft_future_new(NULL, (weft_future **)&request.data);

    if (r < 0) {
        return r;
    }
    r = uv_fs_stat(weft_loop_native(NULL), &request, path, stat_done);
    if (r < 0) {
        return r;
    }
    /* libuv has the request until it calls back, so not even a cancel may end this wait. */
    weft_shield shield;
    weft_shield_enter(&shield, INFINITY);
    r = weft_shield_exit(&shield, weft_await((weft_future *)request.data));
    r = r < 0 ? r : request.result < 0 ? (int)request.result : (int)request.statbuf.st_size;
    uv_fs_req_cleanup(&request);
    return r;
}

WEFT_ASYNC(job)
{
    int size = weft_await(size_of("/proc/self/exe")), missing;

    printf("this program is %s\n", size > 1000 ? "a file" : "nothing");
    weft_sleep(0.05);
    missing = weft_await(size_of("/nonexistent"));
    printf("/nonexistent: %s\n", weft_strerror(missing));
    return 0;
}

static void tick(uv_timer_t *timer)
{
    (void)timer;
    puts("tick");
}

static void job_ended(weft_task *task, void *ticker)
{
    (void)task;
    uv_close(ticker, NULL); /* nothing is left for the host to do: uv_run() returns */
}

int main(void)
{
    uv_loop_t host;
    uv_timer_t ticker;
    weft_loop *loop;
    weft_task *task;

    uv_loop_init(&host);
    uv_timer_init(&host, &ticker);
    uv_timer_start(&ticker, tick, 0, 20);

    int r = weft_loop_attach("uv", &host, &loop);
    if (r < 0) {
        fprintf(stderr, "uv: %s\n", weft_error_detail());
        return 1;
    }
    task = weft_loop_create_task(loop, job(), NULL);
    weft_task_add_done_callback(task, job_ended, &ticker);
    uv_run(&host, UV_RUN_DEFAULT);

    weft_task_detach(task);
    r = weft_loop_close(loop); /* libuv lets go of handles in its next iteration */
    if (r == -EINPROGRESS) {
        uv_run(&host, UV_RUN_DEFAULT);
    }
    puts(uv_loop_close(&host) == 0 ? "the loop is as it was" : "something is left");
    return 0;
}
