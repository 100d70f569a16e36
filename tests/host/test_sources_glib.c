/* SPDX-License-Identifier: MIT
 * Sources of the program's in GLib's context of ours, which may make something happen.  Here is no
 * GIO, whose thread could do that, too: `sources_glib glib:direct`, `sources_glib glib:guest`. */
#include "tests/task/task.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <sys/wait.h>
#include <unistd.h>

static gboolean set(gpointer future)
{
    EQUAL(weft_future_set_result(future, NULL), 0);
    return G_SOURCE_REMOVE;
}

static gboolean set_by_fd(gint fd, GIOCondition condition, gpointer future)
{
    (void)fd, (void)condition;
    return set(future);
}

/* Waits for what the source will do; debug mode does not say that nothing can happen. */
static void await_source(GSource *source, GSourceFunc function)
{
    weft_future *future = new_future();

    EQUAL(weft_debug_set(NULL, "deadlock"), 0);
    g_source_set_callback(source, function, future, NULL);
    g_source_attach(source, weft_loop_native(NULL));
    EQUAL(weft_await(future), 0);
    g_source_unref(source);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(a_time_that_will_come_is_no_deadlock)
{
    await_source(g_timeout_source_new(20), set);
}

static int writes_soon(void)
{
    int ends[2];

    EQUAL(pipe2(ends, O_CLOEXEC), 0);
    if (fork() == 0) {
        usleep(20000);
        _exit(write(ends[1], "x", 1) != 1);
    }
    EQUAL(close(ends[1]), 0);
    return ends[0];
}

IN_TASK(a_descriptor_to_which_another_process_writes_is_no_deadlock)
{
    int fd = writes_soon();

    await_source(g_unix_fd_source_new(fd, G_IO_IN | G_IO_HUP),
                 (GSourceFunc)(void (*)(void))set_by_fd);
    EQUAL(close(fd), 0);
    EQUAL(waitpid(-1, NULL, 0) > 0, 1);
}

static CU_TestInfo tests[] = {
    TEST(a_time_that_will_come_is_no_deadlock),
    TEST(a_descriptor_to_which_another_process_writes_is_no_deadlock),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(sources_glib, tests)
