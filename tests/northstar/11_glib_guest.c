/* SPDX-License-Identifier: MIT
 * Guest mode: the program belongs to a GLib main loop (as every GTK program does); weft runs
 * inside it.
 * Prints "glib tick" three times with "weft task" between them, then "finished 5". */
#include <glib.h>
#include <stdio.h>
#include <weft/weft.h>

static GMainLoop *host;
static int ticks;

static gboolean tick(gpointer data)
{
    (void)data;
    printf("glib tick\n");
    return ++ticks < 3;
}

WEFT_ASYNC(job)
{
    weft_sleep(0.30);
    printf("weft task\n");
    weft_sleep(0.20);
    printf("weft task\n");
    weft_sleep(0.30);
    return 5;
}

static void on_done(weft_task *t, void *arg)
{
    (void)arg;
    printf("finished %d\n", weft_task_status(t));
    g_main_loop_quit(host);
}

int main(void)
{
    weft_loop *loop;

    host = g_main_loop_new(NULL, FALSE);

    int r = weft_loop_attach("glib", g_main_loop_get_context(host), &loop);
    if (r < 0)
        return 1;
    weft_task *t = weft_loop_create_task(loop, job(), NULL);
    weft_task_add_done_callback(t, on_done, NULL);
    g_timeout_add(200, tick, NULL);
    g_main_loop_run(host);
    weft_task_detach(t);
    weft_loop_close(loop);
    g_main_loop_unref(host);
    return 0;
}
