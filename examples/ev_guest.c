/* SPDX-License-Identifier: MIT
 * A program that belongs to a libev loop, with weft inside.
 *
 * A loop of libev's ends when nothing is left that keeps it alive, and our tasks do not: the
 * program decides, here by holding the loop for as long as there is a task. */
#include <ev.h>
#include <stdio.h>
#include <weft/weft.h>

static weft_loop *loop;
static int beats;

static void on_beat(struct ev_loop *host, ev_timer *timer, int events)
{
    (void)events;
    printf("libev %d\n", ++beats);
    if (beats == 3) {
        ev_timer_stop(host, timer);
    }
}

WEFT_ASYNC(counts, (int, to))
{
    for (int i = 1; i <= to; i++) {
        int r = weft_sleep(0.015);

        if (r < 0) {
            return r;
        }
        printf("weft %d\n", i);
    }
    return to;
}

static void let_go(weft_task *task, void *unused)
{
    (void)unused;
    printf("counted to %d\n", weft_task_status(task));
    weft_loop_hold(loop, false);
}

int main(void)
{
    struct ev_loop *host = ev_loop_new(EVFLAG_AUTO);
    int r = weft_loop_attach("ev", host, &loop);

    if (r < 0) {
        fprintf(stderr, "ev_guest: %s\n", weft_error_detail());
        return 1;
    }
    ev_timer beat;

    ev_timer_init(&beat, on_beat, 0.01, 0.01);
    ev_timer_start(host, &beat);

    weft_task *task = weft_loop_create_task(loop, counts(5), NULL);

    weft_task_add_done_callback(task, let_go, NULL);
    weft_task_detach(task);
    weft_loop_hold(loop, true);
    ev_run(host, 0);
    weft_loop_close(loop);
    ev_loop_destroy(host);
    return 0;
}
