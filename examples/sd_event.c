/* SPDX-License-Identifier: MIT
 * A host for which there is no plugin: systemd's sd-event.  Three things join any loop to ours:
 * a descriptor that it watches, one timer, and weft_loop_pump() for both.
 *
 * Prints "host tick" and "task step" in turns, then "finished 5". */
#include <math.h>
#include <stdio.h>
#include <systemd/sd-event.h>
#include <weft/weft.h>

static weft_loop *loop;
static sd_event_source *timer;

/* Gives tasks their turns, and has the host come again in time. */
static int look(void)
{
    double when;
    int r = weft_loop_pump(loop);

    if (r < 0) {
        return r;
    }
    when = weft_loop_next_deadline(loop); /* of the clock that sd-event has, too */
    if (isinf(when)) {
        return sd_event_source_set_enabled(timer, SD_EVENT_OFF);
    }
    sd_event_source_set_time(timer, when > 0 ? (uint64_t)(when * 1e6) + 1 : 0);
    return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    (void)source, (void)fd, (void)events, (void)arg;
    return look();
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
    (void)source, (void)usec, (void)arg;
    return look();
}

static int join(sd_event *host)
{
    int r = weft_loop_new("epoll", &loop);
    int fd = r < 0 ? r : weft_loop_fd(loop);

    r = fd < 0 ? fd : sd_event_add_io(host, NULL, fd, EPOLLIN, on_readable, NULL);
    r = r < 0 ? r : sd_event_add_time(host, &timer, CLOCK_MONOTONIC, 0, 1, on_time, NULL);
    return r < 0 ? r : sd_event_source_set_enabled(timer, SD_EVENT_OFF);
}

/* The program: a timer of the host's, and a task; each lets the other go on. */
static weft_future *ticked;

static int tick(sd_event_source *source, uint64_t usec, void *arg)
{
    (void)source, (void)usec, (void)arg;
    puts("host tick");
    return weft_future_set_result(ticked, NULL);
}

WEFT_ASYNC(job, (sd_event *, host))
{
    for (int i = 0; i < 3; i++) {
        weft_future_new(NULL, &ticked);
        sd_event_add_time_relative(host, NULL, CLOCK_MONOTONIC, 10000, 1, tick, NULL);
        weft_await(ticked);
        weft_sleep(0.01);
        puts("task step");
    }
    return 5;
}

static void job_ended(weft_task *task, void *host)
{
    printf("finished %d\n", weft_task_status(task));
    sd_event_exit(host, 0);
}

int main(void)
{
    sd_event *host;
    weft_task *task;

    if (sd_event_new(&host) < 0 || join(host) < 0) {
        return 1;
    }
    task = weft_loop_create_task(loop, job(host), NULL);
    weft_task_add_done_callback(task, job_ended, host);
    sd_event_loop(host);
    weft_task_detach(task);
    sd_event_source_unref(timer);
    sd_event_unref(host);
    return weft_loop_close(loop);
}
