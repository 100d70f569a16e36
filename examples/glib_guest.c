/* SPDX-License-Identifier: MIT
 * A program that belongs to GLib's main loop, as every GTK program does, with weft inside.
 *
 * The "window" is a timeout that draws; the user's click starts a task.  Tasks and GLib's callbacks
 * take turns on one thread, so they share data without locks.  A click of the host's is a callback
 * in which no loop of ours runs: it names the loop. */
#include <glib.h>
#include <stdio.h>
#include <weft/weft.h>

static GMainLoop *window;
static weft_loop *loop;
static int percent; /* written by the task, drawn by the window */

static gboolean draw(gpointer unused)
{
    (void)unused;
    printf("[%3d %%]\n", percent);
    return G_SOURCE_CONTINUE;
}

WEFT_ASYNC(downloads, (int, parts))
{
    for (int i = 1; i <= parts; i++) {
        int r = weft_sleep(0.01); /* a part of it arrives */

        if (r < 0) {
            return r;
        }
        percent = 100 * i / parts;
    }
    return parts;
}

static void on_done(weft_task *task, void *unused)
{
    (void)unused;
    printf("%d parts\n", weft_task_status(task));
    g_main_loop_quit(window);
}

static gboolean on_click(gpointer unused)
{
    weft_task *task = weft_loop_create_task(loop, downloads(10), NULL);

    (void)unused;
    weft_task_add_done_callback(task, on_done, NULL);
    weft_task_detach(task);
    return G_SOURCE_REMOVE;
}

int main(void)
{
    window = g_main_loop_new(NULL, FALSE);

    int r = weft_loop_attach("glib", g_main_loop_get_context(window), &loop);

    if (r < 0) {
        fprintf(stderr, "glib_guest: %s\n", weft_error_detail());
        return 1;
    }
    guint drawing = g_timeout_add(25, draw, NULL);

    g_idle_add(on_click, NULL);
    g_main_loop_run(window);
    g_source_remove(drawing);
    weft_loop_close(loop); /* the host is as it was */
    g_main_loop_unref(window);
    return 0;
}
